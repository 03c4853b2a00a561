"""One customer: what they bought, whether they are still there, what they are worth, said, and what to do about it.

In: a client, a customer, and what the steps left for the client. Out: a ``CustomerCard`` with everything its page shows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from ..core.engine import as_ibis
from ..core.errors import ClientError
from ..core.results import Finding, Told
from ..core.tables import as_day, closest
from ..data.books import Books
from ..data.client import Client
from ..data.summary import contributions
from ..models.base import TransactionModel
from ..models.stored import MODELS
from ..satisfaction.drivers import scrub
from ..value.readings import most_at_risk, overdue_orders
from ..value.step import ValueStep, value_step
from .step import ImproveStep, improve_step

__all__ = ["Cards", "CustomerCard", "customer_card"]

_DAYS = 7  # between two points of the curve


@dataclass(frozen=True, repr=False)
class CustomerCard(Told):
    """One customer of a client, as of a day.

    Attributes
    ----------
    client : Client
        Whose customer it is.
    customer : str
        Its ``customer_id``.
    as_of : date
        The last day looked at.
    row : mapping
        The customer's line of step 1's CLV table, money in the client's currency.
    orders : pandas.DataFrame
        ``date, contribution, bought``, a line a day, money in the client's currency.
    alive : pandas.DataFrame
        ``date, p_alive``, week by week since the first purchase; empty where no model of buying was fitted.
    due : mapping
        The window of the next order in days from today: ``next_low, next_median, next_high, overdue``; empty where
        unknown.
    peers : pandas.DataFrame
        ``who, low, middle, high``: the customer's expected value with its range, and the middle half of the segment and
        of all, in the client's currency.
    answers : pandas.DataFrame
        ``date, question, score, comment``, newest first.
    action : Finding
        What to do, why, and what it may cost.
    """

    client: Client
    customer: str
    as_of: date
    row: Mapping[str, Any]
    orders: pd.DataFrame
    alive: pd.DataFrame
    due: Mapping[str, Any]
    peers: pd.DataFrame
    answers: pd.DataFrame
    action: Finding = field(default_factory=lambda: Finding(pd.DataFrame(), ""))

    @cached_property
    def headline(self) -> Finding:
        """The customer in one minute; the table is ``peers``."""
        words, r = self.client.words, self.row
        kind = f"{r['segment']}, tier {r['tier']}" if isinstance(r.get("segment"), str) else "a customer"
        text = (
            f"{self.customer} ({kind}) has been a customer since {words.day(r['first_date'])}, bought on "
            f"{words.counted(int(r['purchases']), 'day')}, last on {words.day(r['last_date'])}, and brought "
            f"{words.money(r['historic_value'])} of {self._basis} so far."
        )
        if not np.isfinite(r["clv"]):
            return Finding(self.peers, text + " What comes next cannot be predicted from this client's data.")
        there = (
            "" if self.client.kind == "subscription" else f" The chance to be active is {words.share(r['p_alive'])}."
        )
        if self.client.kind == "subscription" and r["p_alive"] <= 0:
            return Finding(self.peers, text + " The contract has ended.")
        return Finding(
            self.peers,
            f"{text}{there} Over {self.client.economics.horizon} another {words.money(r['clv'])} is expected, in today's money "
            f"(90% range {words.money(r['clv_low'])} to {words.money(r['clv_high'])}).",
        )

    @property
    def _basis(self) -> str:
        return "revenue" if self.client.economics.basis == "revenue" else "contribution margin"

    @property
    def next_order(self) -> Finding:
        """When the next order is to be expected.

        The table has ``next_low, next_median, next_high`` (days from ``as_of``, four times in five between the ends)
        and ``overdue``; empty where unknown.
        """
        words, due = self.client.words, self.due
        if not due:
            why = (
                "Payments follow the contract."
                if self.client.kind == "subscription"
                else "When the next order comes cannot be said without a fitted model."
            )
            return Finding(pd.DataFrame(), why)
        days = [self.as_of + timedelta(days=min(float(due[k]), 36_500.0)) for k in ("next_low", "next_high")]
        horizon = self.as_of + timedelta(days=self.client.economics.horizon_days)
        late = words.day(days[1]) if days[1] <= horizon else f"later than {words.day(horizon)}"
        text = (
            f"If the customer is still active, the next order comes between {words.day(days[0])} and {late}, four times in "
            f"five. "
        )
        text += (
            "By the customer's own pace it should have come before now: it is overdue."
            if due["overdue"]
            else "The silence so far is nothing unusual."
        )
        return Finding(pd.DataFrame([dict(due)]), text)

    @property
    def compared(self) -> Finding:
        """The expected value against that of the segment; the table is ``peers``."""
        words, table = self.client.words, self.peers
        if table.empty:
            return Finding(table, "")
        middle = table.set_index("who")["middle"]
        own, others = middle.iloc[0], middle.iloc[1]
        text = f"Expected: {words.money(own)}; the middle customer of the segment {table['who'].iloc[1]!r}: {words.money(others)}."
        return Finding(table, text)

    @property
    def said(self) -> Finding:
        """What the customer answered, newest first.

        The table has ``date, question, score, comment``; what is personal is taken out of comments.
        """
        words = self.client.words
        if self.answers.empty:
            return Finding(self.answers, "No answer of this customer is known.")
        newest = self.answers.iloc[0]
        many = words.counted(len(self.answers), "answer")
        return Finding(
            self.answers,
            f"{many}; the newest of {words.day(newest['date'])}: {newest['question']} {words.count(newest['score'])}.",
        )

    def _told(self) -> tuple[str, Iterable[pd.DataFrame]]:
        return f"{self.headline.text} {self.action.text}", [self.peers]


def customer_card(
    client: Client, customer: str, *, as_of: date | str | None = None, output: str | Path = ""
) -> CustomerCard:
    """Gather what is known of one customer.

    Parameters
    ----------
    client : Client
        From ``Client.load`` or ``load_sample``.
    customer : str
        Its ``customer_id``.
    as_of : date, optional
        The report's day where ``output`` is named, else the client's.
    output : path
        The tables of a report of this client; steps 1 and 3 are run where none is named.

    Returns
    -------
    CustomerCard
        What was bought, what is expected, what was answered, and what to do.

    Raises
    ------
    ClientError
        When there is no such customer.

    Examples
    --------
    >>> from clvnb import load_sample
    >>> one = customer_card(load_sample("subscription"), "HC20169")
    >>> one.customer, one.client.currency
    ('HC20169', 'GBP')
    """
    return Cards.of_client(client, as_of=as_of, output=output).card(customer)


@dataclass(frozen=True)
class Cards:
    """Everything that cards of a client are made from, read once.

    Made by ``Cards.of_client``, ``Cards.of_steps`` or ``Cards.of_report``.

    Attributes
    ----------
    books : Books
        The client on its day; ``client`` is whose customers they are, ``as_of`` the last day looked at.
    customers, next_orders, parameters, playbook, target_list : pandas.DataFrame
        As steps 1 and 3 leave them.

    Examples
    --------
    >>> from clvnb import load_sample
    >>> cards = Cards.of_client(load_sample("subscription"))
    >>> len(cards.find("1", among="overdue")), cards.card("HC20169").customer
    (0, 'HC20169')
    """

    books: Books
    customers: pd.DataFrame
    next_orders: pd.DataFrame
    parameters: pd.DataFrame
    playbook: pd.DataFrame
    target_list: pd.DataFrame

    @classmethod
    def of_client(cls, client: Client, *, as_of: date | str | None = None, output: str | Path = "") -> Self:
        """Read what a report left in ``output``; where none is named, run steps 1 and 3 and keep what cards need.

        Parameters
        ----------
        client : Client
            From ``Client.load`` or ``load_sample``.
        as_of : date, optional
            The report's day where ``output`` is named, else the client's.
        output : str or Path
            The tables of a report; empty: none.

        Returns
        -------
        Cards
            Of this client.

        Raises
        ------
        ClientError
            As of ``of_report``.
        """
        if str(output):
            return cls.of_report(client, output, as_of=as_of)
        step = value_step(client, as_of=as_of)
        return cls.of_steps(step, improve_step(step.books))

    @classmethod
    def of_steps(cls, step: ValueStep, plan: ImproveStep) -> Self:
        """Keep what cards need of steps that were run already.

        Parameters
        ----------
        step : ValueStep
            From ``value_step``.
        plan : ImproveStep
            From ``improve_step``, of the same client and day.

        Returns
        -------
        Cards
            Of the steps' client.
        """
        return cls(
            books=step.books, customers=step.customers, next_orders=step.next_orders, parameters=step.parameters,
            playbook=plan.guide, target_list=plan.targets.table,
        )  # fmt: skip

    @classmethod
    def of_report(cls, client: Client, folder: str | Path, *, as_of: date | str | None = None) -> Self:
        """Read what a report left in its ``tables``.

        Parameters
        ----------
        client : Client
            From ``Client.load`` or ``load_sample``.
        folder : str or Path
            The report's ``tables``.
        as_of : date, optional
            The report's own day when left out.

        Returns
        -------
        Cards
            Of this client.

        Raises
        ------
        ClientError
            When the folder holds no tables of a report.
        """
        folder = Path(folder)
        if not (folder / "customers.parquet").is_file():
            raise ClientError(
                f"{folder} holds no tables of a report; make one with `clvnb report {client.folder.name}`"
            )
        names = ("customers", "next_orders", "parameters", "playbook", "target_list")
        found = {n: pd.read_parquet(f) if (f := folder / f"{n}.parquet").is_file() else pd.DataFrame() for n in names}
        made = json.loads((folder.parent / "results.json").read_text(encoding="utf-8"))["as_of"]
        day = as_day(as_of) or date.fromisoformat(made)
        return cls(books=Books(client, day), **found)

    @property
    def client(self) -> Client:
        """Whose customers they are."""
        return self.books.client

    @property
    def as_of(self) -> date:
        """The last day looked at."""
        return self.books.as_of

    @property
    def log(self) -> Any:
        """The checked orders."""
        return self.books.orders.kept

    @property
    def survey(self) -> pd.DataFrame | None:
        """The checked answers, where they say who gave them."""
        answers = self.books.answers
        return None if answers is None or "customer_id" not in answers.kept else answers.kept

    @property
    def opted_out(self) -> set[str]:
        """Ids of those who asked not to be contacted: ``plan.opt_outs`` of client.yaml."""
        return self.books.opted_out

    @property
    def open_cases(self) -> set[str]:
        """Ids of those whose service case is not closed yet.

        A case is open without ``resolved_at``, or without ``first_response_at`` where there is no such column.
        """
        return self.books.with_open_cases

    def find(self, text: str = "", among: str = "all") -> pd.DataFrame:
        """Return the customers whose id holds a text, the most valuable first.

        Parameters
        ----------
        text : str
            Part of an id; capitals do not count.
        among : "all", "at risk" or "overdue"
            Those of the best who have probably stopped; those whose next purchase is late and may still come.

        Returns
        -------
        CLV
            The best first.

        Raises
        ------
        ValueError
            For another ``among``.
        """
        table = self.customers
        if among == "at risk":
            table = most_at_risk(table, self.client.kind)
        elif among == "overdue":
            late = overdue_orders(self.next_orders)
            table = table[table["customer_id"].isin(set(late["customer_id"]) if len(late) else set())]
        elif among != "all":
            raise ValueError(f"among must be 'all', 'at risk' or 'overdue', got {among!r}")
        worth = "total_value" if table["total_value"].notna().any() else "historic_value"
        found = table[table["customer_id"].str.contains(text, regex=False, case=False)] if text else table
        return found.sort_values([worth, "customer_id"], ascending=[False, True], ignore_index=True)

    def card(self, customer: str) -> CustomerCard:
        """Make the card of one customer.

        Parameters
        ----------
        customer : str
            Its ``customer_id``.

        Returns
        -------
        CustomerCard
            As of the day of these cards.

        Raises
        ------
        ClientError
            When there is no such customer.
        """
        customer = str(customer)
        check_customer(self.client, customer, self.customers)
        row = self.customers[self.customers["customer_id"] == customer].iloc[0].to_dict()
        orders = _orders(self.client, self.log, customer)
        nexts = self.next_orders
        due = nexts[nexts["customer_id"] == customer] if len(nexts) else nexts
        return CustomerCard(
            client=self.client,
            customer=customer,
            as_of=self.as_of,
            row=row,
            orders=orders,
            alive=_alive(self.parameters, orders, self.as_of),
            due={} if due.empty else due.iloc[0][["next_low", "next_median", "next_high", "overdue"]].to_dict(),
            peers=_peers(customer, row, self.customers),
            answers=_answers(self.survey, customer),
            action=_action(self, customer, row),
        )


def check_customer(client: Client, customer: str, customers: pd.DataFrame) -> None:
    """Raise a ClientError when the customer is not in the table, naming one that is spelled alike."""
    if not (customers["customer_id"] == customer).any():
        near = closest(customer, customers["customer_id"].head(50_000))
        raise ClientError(f"{client.name} has no customer {customer[:80]!r}{near}")


def _orders(client: Client, log: Any, customer: str) -> pd.DataFrame:
    log = as_ibis(log)
    economics = client.economics
    own = contributions(
        log.filter(log.customer_id == customer),
        margin=economics.margin_rate,
        cost_to_serve=0.0 if economics.margin is None else economics.cost_to_serve,
    )
    return own[["date", "contribution", "bought"]]


def _alive(parameters: pd.DataFrame, orders: pd.DataFrame, day: date) -> pd.DataFrame:
    """The chance to be active week by week, as today's model saw it with what was known then."""
    model, bought = _model(parameters), orders[orders["bought"]]
    if model is None or bought.empty:
        return pd.DataFrame(columns=["date", "p_alive"])
    first, last = bought["date"].min(), pd.Timestamp(day)
    days = (
        pd.DatetimeIndex([*pd.date_range(first, last, freq=f"{_DAYS}D"), *bought["date"], last]).unique().sort_values()
    )
    seen = bought["date"].to_numpy()
    before = np.searchsorted(seen, days.to_numpy(), side="right")
    latest = pd.DatetimeIndex(seen[before - 1])
    known = pd.DataFrame(
        {
            "customer_id": [str(k) for k in range(len(days))],
            "frequency": before - 1,
            "recency": (latest - first).days,
            "T": (days - first).days,
        }
    )
    return pd.DataFrame({"date": days, "p_alive": model.probability_alive(known).to_numpy(float)})


def _model(parameters: pd.DataFrame) -> TransactionModel | None:
    """The model of buying that the report fitted, from its parameters."""
    known = {kind.name: kind for kind in MODELS.values()}
    for name, own in parameters.groupby("model") if len(parameters) else ():
        kind = known.get(str(name))
        values = dict(zip(own["parameter"], own["estimate"], strict=True))
        if kind is None or not issubclass(kind, TransactionModel):
            continue
        if "k" in values:
            values["k"] = int(values["k"])
        return kind.with_params(**values)
    return None


def _peers(customer: str, row: Mapping[str, Any], customers: pd.DataFrame) -> pd.DataFrame:
    if not np.isfinite(row["clv"]):
        return pd.DataFrame(columns=["who", "low", "middle", "high"])
    own = customers[customers["segment"] == row["segment"]]["clv"]
    lines: list[tuple[Any, ...]] = [(customer, row["clv_low"], row["clv"], row["clv_high"])]
    for who, values in ((str(row["segment"]), own), ("all customers", customers["clv"])):
        lines.append((who, *(float(values.quantile(q)) for q in (0.25, 0.5, 0.75))))
    return pd.DataFrame(lines, columns=["who", "low", "middle", "high"])


def _answers(survey: pd.DataFrame | None, customer: str) -> pd.DataFrame:
    """The customer's own answers, without what is personal in the comments."""
    if survey is None:
        return pd.DataFrame(columns=["date", "question", "score", "comment"])
    own = survey[survey["customer_id"] == customer].sort_values("date", ascending=False, kind="stable")
    about = own["attribute"].fillna("").map(lambda t: f": {t}" if t else "") if "attribute" in own else ""
    question = own["metric"].str.upper() + about
    comment = own["comment"].fillna("").map(lambda t: scrub(str(t))) if "comment" in own else ""
    return pd.DataFrame({"date": own["date"], "question": question, "score": own["score"], "comment": comment})


def _action(cards: Cards, customer: str, row: Mapping[str, Any]) -> Finding:
    """What to do: what the plan says of this customer first, then what suits the segment."""
    client, guide, targets = cards.client, cards.playbook, cards.target_list
    words = client.words
    suits = guide[guide["segment"] == row["segment"]] if len(guide) else guide
    advice = ""
    if len(suits):
        s = suits.iloc[0]
        advice = f"What suits {row['segment']!r}: {s['do']}; tone: {s['tone']}; channel: {s['channel']}; avoid: {s['avoid']}."
    if customer in cards.opted_out:
        return Finding(suits, "Leave alone: this customer asked not to be contacted.")
    if customer in cards.open_cases:
        return Finding(suits, f"Settle the open service case first; nothing else before it. {advice}".strip())
    planned = targets[targets["customer_id"] == customer] if len(targets) else targets
    if len(planned) and planned["group"].iloc[0] != "treated":
        return Finding(
            planned,
            f"Leave alone: chance put this customer into the holdout of {planned['initiative'].iloc[0]}, and only such "
            "customers can show what it does.",
        )
    if len(planned):
        line = planned.iloc[0]
        ceiling = float(line["gain"] + line["cost"])
        return Finding(
            planned,
            f"Contact: {line['initiative']}, from {words.day(line['start'])}. It is assumed to bring {words.money(ceiling)} over "
            f"{client.economics.horizon}, which is the most that it may cost; {words.money(line['cost'])} is planned. {advice}".strip(),
        )
    cap = float(suits["ceiling"].iloc[0]) if len(suits) and "ceiling" in suits else float("nan")
    if np.isfinite(cap) and cap > 0:
        limit = f" An effort may cost {words.money(cap)} at most, what {suits['scenario'].iloc[0]} is assumed to bring here."
    else:
        limit = " No contact is expected to pay here."
    return Finding(suits, f"Not on the list of those to contact.{limit} {advice}".strip())
