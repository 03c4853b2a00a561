"""The customer base looked at from five sides, with no model: who the customers of a year are, and what changed.

In: a checked LOG, or a client. Out: ``Audit``, five tables with the sentences that read them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import ibis
import numpy as np
import pandas as pd

from ..core.engine import run
from ..core.errors import TableError
from ..core.maths import days
from ..core.results import Finding, Told
from ..core.words import Words
from ..data.books import Books, books_of
from ..data.client import Client
from ..data.summary import purchase_days
from .cohorts import cohort_matrix

__all__ = ["Audit", "audit"]

TENTHS = 10
KINDS = ["new", "returned", "more", "same", "less", "left"]
_SAID = {"new": "came for the first time", "returned": "came back", "more": "brought more", "same": "brought the same",
         "less": "brought less", "left": "did not come again"}  # fmt: skip


@dataclass(frozen=True, repr=False)
class Audit(Told):
    """Five looks at a customer base.

    Attributes
    ----------
    as_of : date
        The last day of the period; the one before is as long.
    length : int
        Days of a period.
    one_period : Finding
        Tenths of the period's customers by revenue, the best first: ``tenth, customers, revenue, orders, share``.
    two_periods : Finding
        Customers by what became of them: ``kind`` (``new, returned, more, same, less, left``), ``customers, before,
        now, change, orders_before, orders_now``. ``change`` adds up to the change of revenue.
    one_cohort : Finding
        The largest cohort that has been seen for a year, quarter by quarter: ``age, active`` (share who bought),
        ``revenue`` and ``revenue_per_customer`` of those acquired.
    cohorts : Finding
        Cohorts by quarter of the first purchase at the same age: ``cohort, customers, first`` and ``year``, revenue per
        customer in the first quarter and in the first four, ``again``, the share who bought in the three quarters after
        the first.
    base : pandas.DataFrame
        Revenue by quarter (rows) and year of the first purchase (columns).
    """

    as_of: date
    length: int
    one_period: Finding
    two_periods: Finding
    one_cohort: Finding
    cohorts: Finding
    base: Finding

    def _told(self) -> tuple[str, Iterable[pd.DataFrame]]:
        looks = [self.two_periods, self.one_period, self.cohorts, self.one_cohort, self.base]
        return " ".join(f.text for f in looks if f.text), [f.table for f in looks]


def audit(
    source: Any, *, as_of: date | str | None = None, length: str | float = "1 year", words: Words | None = None
) -> Audit:
    """Look at a customer base from five sides, with no model.

    Parameters
    ----------
    source : LOG, Client or Books
        Checked orders, as a frame or an Ibis table, which is summed up in its own engine; or a client.
    as_of : date, optional
        The last day of the period; the last of the log when left out.
    length : str or number of days
        Of the period, and of the one before that it is compared with.
    words : Words, optional
        The currency and language; a client's own where one is given.

    Returns
    -------
    Audit
        Money is revenue net of refunds, in the log's currency. Customers are those who bought in a period; whoever only
        gave something back counts with the customers of the period of the purchase.

    Raises
    ------
    TableError
        When nobody bought in the period.

    References
    ----------
    Fader, Hardie and Ross (2022), *The Customer-Base Audit*.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b", "c"], "amount": [50.0, 70.0, 30.0, 20.0],
    ...     "date": pd.to_datetime(["2023-05-01", "2024-05-01", "2023-08-01", "2024-02-01"])})
    >>> found = audit(log, as_of="2024-12-31")
    >>> found.two_periods.table[["kind", "customers", "before", "now", "change"]]
       kind  customers  before   now  change
    0   new          1     0.0  20.0    20.0
    1  more          1    50.0  70.0    20.0
    2  left          1    30.0   0.0   -30.0
    """
    if isinstance(source, Client | Books):
        books = books_of(source, as_of)
        log, as_of, words = books.orders.kept, books.as_of, words or books.client.words
    else:
        log, words = source, words or Words("XXX")
    table = purchase_days(log)
    last = (
        pd.Timestamp(str(as_of)[:10])
        if as_of
        else pd.Timestamp(run(table.aggregate(d=table.date.max()), log)["d"].iloc[0])
    )
    span = round(days(length))
    each = _customers(table, last, span)
    return Audit(last.date(), span, _one_period(each, log, words), _two_periods(each, log, words),
                 *_by_cohort(log, last.date(), words), _base(table, log, last, words))  # fmt: skip


def _customers(table: Any, last: pd.Timestamp, span: int) -> Any:
    """A row for each customer of either period: revenue and orders, now and before, and whether there were earlier ones."""
    start, first = last - pd.Timedelta(days=span), last - pd.Timedelta(days=2 * span)
    day = table.date.cast("timestamp")
    now = (day > ibis.literal(start)) & (day <= ibis.literal(last))
    before = (day > ibis.literal(first)) & (day <= ibis.literal(start))
    each = table.group_by("customer_id").aggregate(
        now=table.net.sum(where=now).fill_null(0.0),
        before=table.net.sum(where=before).fill_null(0.0),
        orders_now=table.bought.sum(where=now).fill_null(0),
        orders_before=table.bought.sum(where=before).fill_null(0),
        orders_earlier=table.bought.sum(where=day <= ibis.literal(first)).fill_null(0),
    )
    return each.filter((each.orders_now > 0) | (each.orders_before > 0) | (each.now != 0) | (each.before != 0))


def _one_period(each: Any, log: Any, words: Words) -> Finding:
    """Tenths of the period's customers, the best first."""
    own = each.filter(each.orders_now > 0)
    ranked = own.mutate(tenth=ibis.ntile(TENTHS).over(order_by=[own.now.desc(), own.customer_id]) + 1)
    rows = ranked.group_by("tenth").aggregate(
        customers=ranked.count(), revenue=ranked.now.sum(), orders=ranked.orders_now.sum()
    )
    table = run(rows.order_by("tenth"), log)
    if table.empty:
        raise TableError("nobody bought in the period; ask for a longer one, or an earlier day")
    whole = float(table["revenue"].sum())
    table["share"] = table["revenue"] / whole if whole else np.nan
    customers, orders = int(table["customers"].sum()), int(table["orders"].sum())
    text = (
        f"In the period {words.counted(customers, 'customer')} brought {words.money(whole)}: {words.money(whole / customers)} each, with "
        f"{words.count(orders / customers, digits=1)} days of purchase. The best tenth brought {words.share(float(table['share'].iloc[0]))}."
    )
    return Finding(table, text)


def _two_periods(each: Any, log: Any, words: Words) -> Finding:
    """What became of each customer, and how that adds up to the change."""
    bought, had = each.orders_now > 0, each.orders_before > 0
    kind = ibis.cases(
        (bought & ~had & (each.orders_earlier == 0), "new"),
        (bought & ~had, "returned"),
        (~bought & had, "left"),
        (each.now > each.before, "more"),
        (each.now < each.before, "less"),
        else_="same",
    )
    keyed = each.mutate(kind=kind)
    rows = keyed.group_by("kind").aggregate(
        customers=keyed.count(), before=keyed.before.sum(), now=keyed.now.sum(),
        orders_before=keyed.orders_before.sum(), orders_now=keyed.orders_now.sum(),
    )  # fmt: skip
    table = run(rows, log).set_index("kind").reindex([k for k in KINDS]).dropna(how="all").reset_index()
    table.insert(4, "change", table["now"] - table["before"])
    table = table.astype({"customers": int, "orders_before": int, "orders_now": int})
    before, now = float(table["before"].sum()), float(table["now"].sum())
    if before == 0:
        return Finding(table, "Nothing was bought in the period before, so nothing can be compared.")
    moved = table.sort_values("change", key=lambda c: c.abs(), ascending=False, kind="stable")
    parts = "; ".join(
        f"{words.counted(int(r.customers), 'customer')} {_SAID[r.kind]} ({_signed(r.change, words)})"
        for r in moved.itertuples()
        if r.change
    )
    change = (
        "is the same"
        if now == before
        else f"{'rose' if now > before else 'fell'} by {words.share(abs(now / before - 1))}"
    )
    return Finding(table, f"Revenue {change}, from {words.money(before)} to {words.money(now)}: {parts}.")


def _signed(amount: float, words: Words) -> str:
    return ("+" if amount > 0 else "") + words.money(amount)


def _by_cohort(log: Any, as_of: date, words: Words) -> tuple[Finding, Finding]:
    """One cohort through time, and all of them at the same age."""
    try:
        money, buyers = (cohort_matrix(log, period="quarter", what=w, as_of=as_of) for w in ("revenue", "customers"))
    except TableError as error:
        return Finding(pd.DataFrame(), str(error)), Finding(pd.DataFrame(), "")
    sizes = buyers[0]
    year = money.notna().to_numpy()[:, :4].all(axis=1) if money.shape[1] >= 4 else np.zeros(len(money), dtype=bool)
    if not year.any():
        none = Finding(pd.DataFrame(), "No cohort has been seen for a year yet.")
        return none, Finding(pd.DataFrame(), "")
    whole, each = money[year], money[year].div(sizes[year], axis=0)
    largest = sizes[year].idxmax()
    seen = whole.loc[largest].notna()
    one = pd.DataFrame({"age": np.arange(int(seen.sum())), "active": (buyers.loc[largest] / sizes[largest])[seen].to_numpy(),
                        "revenue": whole.loc[largest][seen].to_numpy(), "revenue_per_customer": each.loc[largest][seen].to_numpy()})  # fmt: skip
    later = one["revenue"].iloc[4:].sum() / one["revenue"].sum() if one["revenue"].sum() else 0.0
    said = (
        f"Of the {words.count(int(sizes[largest]))} customers who first bought in the quarter from {words.day(largest.date())}, "
        f"{words.share(float(one['active'].iloc[3]))} bought in their fourth quarter; {words.share(float(later))} of their revenue came after the "
        "first year."
    )
    again = _again(log, as_of, money.index[year])
    table = pd.DataFrame({"cohort": whole.index, "customers": sizes[year].astype(int).to_numpy(), "first": each[0].to_numpy(),
                          "year": each[[0, 1, 2, 3]].sum(axis=1).to_numpy(), "again": again.reindex(whole.index).to_numpy()})  # fmt: skip
    a, b = table.iloc[0], table.iloc[-1]
    told = (
        f"A customer of the quarter from {words.day(a.cohort.date())} brought {words.money(a.year)} in the first year, one of the quarter from "
        f"{words.day(b.cohort.date())} {words.money(b.year)}; {words.share(a.again)} and {words.share(b.again)} of them bought again in that year."
        if len(table) > 1
        else ""
    )
    return Finding(one, said), Finding(table, told)


def _again(log: Any, as_of: date, cohorts: pd.Index) -> pd.Series:
    """The share of each cohort who bought in one of the three quarters after their first, counted once each."""
    table = purchase_days(log)
    bought = table.filter(table.bought & (table.date.cast("timestamp") <= ibis.literal(pd.Timestamp(as_of))))
    first = bought.group_by("customer_id").aggregate(cohort=lambda t: t.date.min().truncate("Q"))
    joined = bought.join(first, "customer_id")
    quarter = joined["date"].truncate("Q")
    age = (quarter.year() - joined["cohort"].year()) * 4 + (quarter.month() - joined["cohort"].month()) // 3
    marked = joined.mutate(after=(age >= 1) & (age <= 3))
    each = marked.group_by(["cohort", "customer_id"]).aggregate(again=lambda t: t.after.any())
    shares = run(each.group_by("cohort").aggregate(again=lambda t: t.again.cast("int64").mean()), log)
    found = shares.assign(cohort=pd.to_datetime(shares["cohort"])).set_index("cohort")["again"]
    return found.reindex(cohorts).astype(float)


def _base(table: Any, log: Any, last: pd.Timestamp, words: Words) -> Finding:
    """Revenue by quarter and by the year in which its customers first bought."""
    seen = table.filter(table.date.cast("timestamp") <= ibis.literal(last))
    first = seen.filter(seen.bought).group_by("customer_id").aggregate(since=lambda t: t.date.min().year())
    joined = seen.join(first, "customer_id")
    rows = run(joined.mutate(quarter=joined["date"].truncate("Q")).group_by(["quarter", "since"]).aggregate(
        revenue=lambda t: t.net.sum()), log)  # fmt: skip
    rows["quarter"] = pd.to_datetime(rows["quarter"])
    wide = rows.pivot(index="quarter", columns="since", values="revenue").fillna(0.0).sort_index()
    wide.columns = [str(int(c)) for c in wide.columns]
    year = wide.iloc[-4:].sum()
    newest = wide.columns[-1]
    share = float(year[newest] / year.sum()) if year.sum() else 0.0
    text = (
        f"Of the revenue of the last four quarters {words.share(share)} came from customers who first bought in {newest}."
        if len(wide.columns) > 1
        else ""
    )
    return Finding(wide.reset_index(), text)
