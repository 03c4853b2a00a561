"""Panels of step 1: segments, cohorts, and one customer among thousands.

In: what ``value_step`` found, or what cards are made from. Out: panels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pandas as pd

from ..core.errors import TableError
from ..core.results import Finding, escaped, table_html
from ..core.words import Words
from ..improve.customer import Cards, CustomerCard
from ..plots import plot_cohorts, plot_customer, plot_peers, plot_segments
from ..value.cohorts import cohort_matrix
from ..value.segments import segment_profile
from .panel import Panel, State, choice, text

__all__ = ["answer_cohorts", "answer_segments", "explore_cohorts", "explore_customers", "explore_segments"]

_SHOWN = 200  # ids in the list of the finder
_GROUPS = {"segment": "RFM segment or plan", "tier": "value tier", "channel": "channel"}


def explore_segments(customers: pd.DataFrame, *, words: Words | None = None) -> Panel:
    """Show how customers and value are spread over segments, tiers or channels, and who stands first in one of them.

    Parameters
    ----------
    customers : CLV
        For example ``value.customers``.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    Panel
        Settings of ``panel.state``: ``by`` (``segment``, ``tier`` or ``channel``) and ``group`` (empty for all).
        ``panel.state.found.table`` is that of ``segment_profile``; its ``attrs["first"]`` are the ten most valuable
        customers.

    Raises
    ------
    TableError
        When the table tells no groups apart.

    Examples
    --------
    >>> customers = pd.DataFrame({"customer_id": ["a", "b"], "segment": ["Loyal", "New"], "p_alive": [0.9, 0.5]})
    >>> customers = customers.assign(historic_value=[50.0, 18.0], clv=[30.0, 2.0], total_value=[80.0, 20.0])
    >>> explore_segments(customers).state.found.table["segment"].tolist()
    ['Loyal', 'New']
    """
    words = words or Words("XXX")
    groups = [(label, name) for name, label in _GROUPS.items() if name in customers and customers[name].notna().any()]
    if not groups:
        raise TableError(f"the customers have none of the columns {', '.join(_GROUPS)} by which they could be grouped")
    controls = {"by": choice("customers by", groups, groups[0][1]), "group": choice("look into", [("all", "")], "")}
    state = State(lambda by, group: answer_segments(customers, by, group, words=words), by=groups[0][1], group="")
    panel = Panel(
        "Who holds the value?",
        state,
        controls,
        draw=[lambda found: plot_segments(found.table, words=words)],
        table=lambda found: table_html(found.first),
    )

    def fill(_: Any = None) -> None:
        names = list(state.found.table["segment"])
        controls["group"].options = [("all", ""), *((str(n), str(n)) for n in names)]

    state.observe(lambda _: setattr(state, "group", ""), names=["by"])
    state.observe(fill, names=["by"])
    fill()
    return panel


@dataclass(frozen=True, repr=False)
class Holders(Finding):
    """Segments, and the most valuable customers of one of them in words."""

    first: pd.DataFrame = field(default_factory=pd.DataFrame)


def answer_segments(customers: pd.DataFrame, by: str, group: str = "", *, words: Words) -> Holders:
    """Say who holds the value, by segment, tier or channel, and who stands first in one of the groups.

    Parameters
    ----------
    customers : CLV
        With the column ``by``.
    by : str
        The column that groups them.
    group : str
        One of its groups; empty for all.
    words : Words
        The client's currency and language.

    Returns
    -------
    Holders
        ``table`` from ``segment_profile``; ``first``, the ten most valuable of the group.
    """
    key = customers[by].fillna("unknown").astype(str)
    table = segment_profile(customers, key)
    best = table.iloc[0]
    said = (
        f"{best['segment']}: {words.share(best['share_of_customers'])} of customers hold {words.share(best['share_of_value'])} of the "
        "value."
    )
    own = customers[key == group] if group in set(key) else customers
    worth = "total_value" if own["total_value"].notna().any() else "historic_value"
    first = own.sort_values([worth, "customer_id"], ascending=[False, True]).head(10)
    if group in set(key):
        said += (
            f" {group}: {words.counted(len(own), 'customer')} brought {words.money(float(own['historic_value'].sum()))} so far and are "
            f"expected to bring {words.money(float(own['clv'].sum(min_count=1)))} more."
        )
    shown = pd.DataFrame(
        {
            "customer": first["customer_id"],
            "value so far": first["historic_value"].map(words.money),
            "expected value": first["clv"].map(words.money),
            "chance to be active": first["p_alive"].map(words.share),
        }
    )
    return Holders(table, said, shown)


def explore_cohorts(log: Any, *, words: Words | None = None) -> Panel:
    """Show what customers do as they age, by when they came: revenue added up, or the share who bought.

    Parameters
    ----------
    log : LOG
        Checked, for example ``value.checked.kept``.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    Panel
        Settings of ``panel.state``: ``what`` (``revenue_per_customer``, added up over ages, or ``share`` who bought)
        and ``period`` (``month``, ``quarter`` or ``year``). ``panel.state.found.table`` has cohorts in rows, ages in
        columns.

    Examples
    --------
    >>> dates = pd.to_datetime(["2024-01-05", "2024-05-10", "2024-06-30"])
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "date": dates, "amount": [5.0, 7.0, 9.0]})
    >>> panel = explore_cohorts(log)
    >>> panel.state.what, panel.state.period
    ('revenue_per_customer', 'quarter')
    >>> panel.state.what = "share"
    >>> panel.state.found.table.shape
    (2, 2)
    """
    words = words or Words("XXX")

    @cache
    def seen(period: str, what: str) -> Finding:
        return answer_cohorts(log, period, what, words=words)

    controls = {
        "what": choice(
            "what they do", [("revenue per customer, added up", "revenue_per_customer"), ("share who bought", "share")], "revenue_per_customer",
        ),
        "period": choice("cohorts by", [("month", "month"), ("quarter", "quarter"), ("year", "year")], "quarter"),
    }  # fmt: skip
    state = State(lambda what, period: seen(period, what), **{k: c.value for k, c in controls.items()})
    return Panel(
        "What do customers do as they age?",
        state,
        controls,
        draw=[lambda found: plot_cohorts(found.table, period=found.period, what=found.what, words=words)],
        table=lambda found: table_html(_cells(found, words)),
    )


@dataclass(frozen=True, repr=False)
class Ages(Finding):
    """Cohorts as they age: the length of an age, and what is in the table."""

    period: str = "month"
    what: str = "revenue_per_customer"


def answer_cohorts(log: Any, period: str, what: str, *, words: Words) -> Ages:
    """Say how the oldest and the youngest cohort compare at the same age.

    Parameters
    ----------
    log : LOG
        Checked.
    period : "month", "quarter" or "year"
        The length of a cohort and of an age.
    what : "revenue_per_customer" or "share"
        Revenue is added up over ages; the share who bought is not.
    words : Words
        The client's currency and language.

    Returns
    -------
    Ages
        Cohorts in rows, ages in columns, missing where unseen.
    """
    matrix = cohort_matrix(log, period=period, what=what)
    table = matrix.cumsum(axis=1).where(matrix.notna()) if what == "revenue_per_customer" else matrix
    half = max(1, table.shape[1] // 2)
    seen = table[half].dropna() if half in table else pd.Series(dtype=float)
    if len(seen) < 2:
        return Ages(table, f"Too few {period}s are complete to compare cohorts.", period, what)
    shown = words.share if what == "share" else words.money
    did = "bought" if what == "share" else "had brought"
    text = (
        f"{words.counted(half, period)} after the {period} of the first purchase, customers of the oldest cohort {did} "
        f"{shown(float(seen.iloc[0]))}{' of them' if what == 'share' else ' each'}, those of the youngest of that age "
        f"{shown(float(seen.iloc[-1]))}."
    )
    if what == "share":
        text = (
            f"{words.counted(half, period)} after the {period} of the first purchase, {shown(float(seen.iloc[0]))} of the oldest cohort bought, "
            f"and {shown(float(seen.iloc[-1]))} of the youngest of that age."
        )
    return Ages(table, f"{text} Small cohorts differ by chance; look for a drift over many.", period, what)


def _cells(found: Ages, words: Words) -> pd.DataFrame:
    """The matrix in words, up to twelve ages."""
    shown, table = words.share if found.what == "share" else words.money, found.table
    cells = table[[c for c in table.columns if c < 12]]
    out = pd.DataFrame(
        {f"{found.period} {c}": ["" if pd.isna(v) else shown(float(v)) for v in cells[c]] for c in cells}
    )
    out.insert(0, "came in", [f"{c:%Y-%m}" for c in table.index])
    return out


def explore_customers(cards: Cards, *, words: Words | None = None) -> Panel:
    """Find a customer by their id or among those at risk, and show their card.

    Parameters
    ----------
    cards : Cards
        ``Cards.of_steps(value, plan)`` of what was run, or ``Cards.of_report(client, folder)`` of what a report left.
    words : Words, optional
        The client's currency and language, also when left out.

    Returns
    -------
    Panel
        ``panel.state.customer`` is the id that is shown; to set it is to show another. ``panel.controls`` has
        ``search``, ``among`` and ``customer``; ``panel.cards.card(panel.state.customer)`` is the card itself.
        ``panel.state.found`` has the customer's headline and action as text, and ``who, low, middle, high`` (expected
        value, client's currency) as table.

    Examples
    --------
    >>> from clvnb import Cards, load_sample
    >>> panel = explore_customers(Cards.of_client(load_sample("subscription")))
    >>> panel.state.names
    ('customer',)
    """
    import ipywidgets

    words = words or cards.client.words
    first = cards.find()["customer_id"]
    controls: dict[str, Any] = {
        "search": text("search", placeholder="a part of the customer's id"),
        "among": choice(
            "among",
            [("all, the most valuable first", "all"), ("at risk: the best who may be gone", "at risk"), ("overdue and may still come", "overdue")],
            "all",
        ),
        "customer": ipywidgets.Select(
            options=list(first.head(_SHOWN)), value=first.iloc[0], rows=8, description="customer",
            style={"description_width": "13em"}, layout={"width": "36em", "max_width": "98%"},
        ),
    }  # fmt: skip
    shown: dict[str, CustomerCard] = {}

    def answer(customer: str | None) -> Finding:
        if customer is None:
            return Finding(pd.DataFrame(), "No customer is found.")
        shown["card"] = cards.card(customer)
        return Finding(shown["card"].peers, f"{shown['card'].headline.text} {shown['card'].action.text}")

    state = State(answer, customer=first.iloc[0])
    panel = Panel(
        "Find a customer",
        state,
        controls,
        draw=[
            lambda _: _timeline(shown["card"], words),
            lambda _: plot_peers(shown["card"].peers, words=words),
        ],
        table=lambda _: _answers(shown["card"]),
    )

    def look(_: Any = None) -> None:
        found = cards.find(controls["search"].value.strip(), controls["among"].value)["customer_id"]
        controls["customer"].options = list(found.head(_SHOWN))
        controls["customer"].value = found.iloc[0] if len(found) else None
        more = len(found) - _SHOWN
        controls["customer"].description = "customer" if more <= 0 else f"first {_SHOWN} of {words.count(len(found))}"

    for name in ("search", "among"):
        controls[name].observe(lambda _: state.attempt(look), names="value")
    look()
    panel.cards = cards
    return panel


def _timeline(card: CustomerCard, words: Words) -> Any:
    return plot_customer(card.orders, card.alive, as_of=card.as_of, due=card.due, words=words)


def _answers(card: CustomerCard) -> str:
    if card.answers.empty:
        return f"<p>{escaped(card.said.text)}</p>"
    return f"<p>{escaped(card.said.text)}</p>{table_html(card.answers)}"
