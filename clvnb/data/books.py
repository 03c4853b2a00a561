"""A client's books: what its ``client.yaml`` names, each source read and checked once.

In: ``Client`` and a day. Out: ``Books``, which every step takes: checked orders, contracts and answers, and what the
other sources say of customers.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import numpy as np
import pandas as pd

from ..core.engine import run, to_pandas
from ..core.errors import ClientError, TableError
from ..core.results import Checked
from ..core.tables import as_day, closest
from .client import Client
from .contracts import check_contracts, read_contracts
from .groups import classed
from .inputs import input_files, input_hash
from .ledger import contracts_of_payments
from .orders import check_transactions, read_transactions
from .rates import read_rates
from .sources import read_table
from .summary import contributions, purchase_days, summarize
from .surveys import check_survey, read_survey

__all__ = ["Books", "books_of", "leave_books"]

_Made = TypeVar("_Made")


class Books:
    """One client on one day: every source is opened when it is first asked for, checked once, and kept.

    Parameters
    ----------
    client : Client
        From ``Client.load`` or ``load_sample``.
    as_of : date, optional
        The evening of this day; the client's own, or that of the last order, when left out.

    Raises
    ------
    TableError
        When the text is no day.

    Examples
    --------
    >>> from clvnb import load_sample
    >>> books = Books(load_sample("subscription"))
    >>> books.as_of, len(books.contracts.kept), books.orders is books.orders
    (datetime.date(2025, 12, 31), 3000, True)
    """

    def __init__(self, client: Client, as_of: date | str | None = None) -> None:
        self.client = client
        self.asked = as_day(as_of) or client.as_of
        self._stamps = _stamps(client)
        self._made: dict[Callable[[Books], Any], Any] = {}

    def _is_as(self, other: Books) -> bool:
        """Whether another's books would say the same."""
        same_day = self.asked == other.asked or (other.asked is not None and self.on(other.asked) is self)
        return same_day and self.client == other.client and self._stamps == other._stamps

    def on(self, day: date) -> Books:
        """Return the books of a day: these, where they are of that day."""
        known = self.asked or (self.as_of if "orders" in vars(self) else None)
        return self if known == day else Books(self.client, day)

    def once(self, make: Callable[[Books], _Made]) -> _Made:
        """Return what a function makes of these books: made when it is first asked for, and kept."""
        if make not in self._made:
            self._made[make] = make(self)
        made: _Made = self._made[make]
        return made

    @property
    def as_of(self) -> date:
        """The last day looked at."""
        if self.asked is not None:
            return self.asked
        assert self.orders.last is not None
        return self.orders.last

    @cached_property
    def orders(self) -> Checked:
        """The orders, checked by the rules of ``client.yaml``: kept, rejected, and why."""
        client, source = self.client, self.client.transactions
        checked = check_transactions(
            read_transactions(client),
            as_of=self.asked,
            refunds=source.refunds,
            exclude=source.exclude,
            max_loss=source.max_loss,
            currency=client.currency,
            rates=read_rates(client),
            words=client.words,
        )
        _refuse_closed(client, checked.kept)
        return checked

    @property
    def summary(self) -> pd.DataFrame:
        """The orders as one row per customer, by the client's margin and cost to serve, sorted by customer."""
        return self._summed[0]

    @property
    def groups(self) -> tuple[str, ...]:
        """The columns of a shop's ``summary`` that tell kinds of customers apart: channel, and those of ``covariates:``."""
        return self._summed[1]

    @cached_property
    def _summed(self) -> tuple[pd.DataFrame, tuple[str, ...]]:
        economics, log = self.client.economics, self.orders.kept
        told = [name for name in dict.fromkeys(("channel", *self.client.covariates)) if name in log.columns]
        missing = [name for name in self.client.covariates if name not in log.columns]
        if missing:
            raise ClientError(
                f"{self.client.folder / 'client.yaml'}: covariates: {missing[0]!r}{closest(missing[0], log.columns)}: no such "
                f"column: name it under transactions: columns:, as `{missing[0]}: COLUMN OF THE FILE`"
            )
        made = summarize(
            log, as_of=self.as_of, margin=economics.margin_rate, cost_to_serve=economics.cost_to_serve, carry=told
        )
        summary = to_pandas(made).sort_values("customer_id", ignore_index=True)
        return classed(summary, told) if self.client.kind == "shop" else (summary, ())

    @cached_property
    def days(self) -> pd.DataFrame:
        """What each customer left on each day: ``customer_id, date, contribution, bought``."""
        economics = self.client.economics
        return contributions(self.orders.kept, margin=economics.margin_rate, cost_to_serve=economics.cost_to_serve)

    @cached_property
    def contracts(self) -> Checked:
        """The contracts of a subscription client: as its file has them, or as its payments tell."""
        client = self.client
        if client.contracts is None and client.kind == "subscription":
            paid = to_pandas(self.orders.kept)
            return contracts_of_payments(paid, as_of=self.as_of, billing=client.billing, words=client.words)
        return check_contracts(read_contracts(client), words=client.words)

    @cached_property
    def _answers(self) -> tuple[Checked | None, str]:
        client = self.client
        if client.surveys is None:
            return None, f"{client.name} has no survey yet (`surveys:` in client.yaml): nobody was asked"
        survey = read_survey(client)  # one that is named and cannot be read is an error, as orders are
        try:
            return check_survey(survey, as_of=self.as_of, words=client.words), ""
        except TableError as error:
            return None, str(error)

    @property
    def answers(self) -> Checked | None:
        """The survey's answers; None where nobody was asked or no answer is of use, as ``why_no_answers`` says."""
        return self._answers[0]

    @property
    def why_no_answers(self) -> str:
        """Why there are no answers; empty where there are."""
        return self._answers[1]

    @cached_property
    def cases(self) -> pd.DataFrame | None:
        """The service cases as read; None where the client names none."""
        service = self.client.service
        return (
            None if service is None else to_pandas(read_table(self.client, service, ("opened_at", "first_response_at")))
        )

    @property
    def with_open_cases(self) -> set[str]:
        """Customers whose case was never answered or closed."""
        if self.client.service is None or "customer_id" not in self.client.service.columns:
            return set()
        cases = self.cases
        assert cases is not None
        closed = cases["resolved_at"] if "resolved_at" in cases else cases["first_response_at"]
        return set(cases.loc[closed.isna(), "customer_id"].dropna())

    @cached_property
    def initiatives(self) -> pd.DataFrame | None:
        """What the client did, as read; None where the client names no initiatives."""
        done = self.client.initiatives
        return None if done is None else to_pandas(read_table(self.client, done, ("initiative", "start")))

    @cached_property
    def opted_out(self) -> set[str]:
        """The customers who must not be contacted."""
        client = self.client
        if client.plan.opt_outs is None:
            return set()
        file = (client.folder / client.plan.opt_outs).resolve()
        if not file.is_relative_to(client.folder.resolve()) or not file.is_file():
            raise ClientError(
                f"{client.folder / 'client.yaml'}: plan.opt_outs: {client.plan.opt_outs!r}: no such file in the client's folder"
            )
        return {line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()}

    @cached_property
    def cost_of_winning(self) -> dict[str, float]:
        """What winning a customer cost, by channel: all money spent on it over all customers it brought."""
        if self.client.acquisition is None:
            return {}
        spent = to_pandas(read_table(self.client, self.client.acquisition, ("channel", "amount", "new_customers")))
        new = pd.to_numeric(spent["new_customers"], errors="coerce")
        by = spent.assign(new=new).groupby("channel")[["amount", "new"]].sum()
        return dict(by["amount"] / by["new"].replace(0, np.nan))

    @cached_property
    def inputs(self) -> str:
        """The hash of what the figures are made from, as of ``input_hash``."""
        return input_hash(self.client)


# --------------------------------------------------------------------------- from one step to the next

# The books that a step left beside its files, for as long as something else holds them.
_left: WeakValueDictionary[Path, Books] = WeakValueDictionary()


def leave_books(books: Books, folder: str | Path) -> None:
    """Leave books for the next step of this process, beside the files of a report in ``folder``."""
    _left[Path(folder).resolve()] = books


def books_of(source: Client | Books, as_of: date | str | None = None, output: str | Path = "") -> Books:
    """Return the books of a client on a day: those given, those that an earlier step left in ``output``, or new ones.

    Parameters
    ----------
    source : Client or Books
        Books stay what they are, unless another day is asked for.
    as_of : date, optional
        The client's, or the last order's, when left out.
    output : path
        The folder that a report's notebooks share; what was left there is used where client, day and files are the same.
    """
    day = as_day(as_of)
    if isinstance(source, Books):
        return source.on(day) if day is not None else source
    fresh = Books(source, day)
    left = _left.get(Path(output).resolve()) if str(output) else None
    return left if left is not None and left._is_as(fresh) else fresh


def _refuse_closed(client: Client, log: Any) -> None:
    """Refuse days that the client calls closed and on which customers bought."""
    days = purchase_days(log)
    for first, last in client.calendar.get("closed", []):
        bought = days.filter(days.bought, days.date >= date.fromisoformat(first), days.date <= date.fromisoformat(last))
        found = run(bought.aggregate(n=bought.count(), first=bought.date.min()), log).iloc[0]
        if found["n"]:
            raise ClientError(
                f"{client.folder / 'client.yaml'}: calendar: closed: {first} to {last}: {int(found['n']):,} purchases were made on "
                f"these days, the first on {found['first']:%Y-%m-%d}: write the days without any business"
            )


def _stamps(client: Client) -> list[tuple[str, int, int]]:
    """Which files there are, how long, and when they were written: a table of a database is taken as it was read."""
    more = [client.folder / client.plan.opt_outs] if client.plan.opt_outs else []
    found = [(str(file), file.stat()) for file in [*input_files(client), *more] if file.is_file()]
    return [(name, state.st_size, state.st_mtime_ns) for name, state in found]
