"""From order lines to one row per customer.

In: a checked LOG. Out: SUMMARY, purchase days, contributions; pandas gives pandas, Ibis gives Ibis.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..core.engine import Frame, as_ibis, is_ibis, run, to_pandas
from ..core.maths import MONTH
from ..core.tables import LOG, as_day, check
from .sources import as_date

if TYPE_CHECKING:
    import ibis

__all__ = [
    "contributions",
    "contributions_by_age",
    "contributions_by_month",
    "purchase_days",
    "split_log",
    "summaries_on",
    "summarize",
]


def summarize(
    log: Frame,
    *,
    as_of: date | str | None = None,
    margin: float | None = None,
    cost_to_serve: float = 0.0,
    carry: Sequence[str] | None = None,
) -> Frame:
    """Turn a checked LOG into one row per customer, on the clock of days.

    A purchase is a customer's day with at least one order that was not wholly taken back; several orders of one
    day are one purchase.

    Parameters
    ----------
    log : LOG
        From ``check_transactions(...).kept``.
    as_of : date, optional
        The last day looked at; the last date in the log when left out. Later rows are ignored.
    margin : float
        Share of revenue that is contribution margin, used where the log has neither ``margin`` nor ``cost``.
        Left out, ``historic_value`` is missing, and ``clv_table`` fills it with its own margin; 1 makes it revenue.
    cost_to_serve : float
        Variable cost of one purchase, in the log's currency.
    carry : sequence of str, optional
        Columns whose value at the first purchase is kept; ``channel`` where the log has it.

    Returns
    -------
    SUMMARY
        ``customer_id``; ``frequency``, repeat purchases; ``recency``, days from the first purchase to the last;
        ``T``, days from the first purchase to ``as_of``; ``monetary_value``, mean money of a repeat purchase
        (missing for those without one); ``log_gaps``, the sum of the logarithms of the days between purchases, which
        tells how regular they are; ``days_since_last``; ``purchases``; ``historic_revenue`` and
        ``historic_value``, all money to date net of refunds; ``first_spend``, that of the day of the first purchase; ``first_date``, ``last_date``; carried columns.
        A pandas frame is sorted by ``customer_id``.

    Raises
    ------
    TableError, ValueError
        When the LOG lacks a column; when the margin is no share.

    References
    ----------
    Fader, Hardie and Lee (2005), Marketing Science 24(2), section 3, for (x, t_x, T).

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"customer_id": "a", "amount": [10.0, 20.0, 5.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-01-08", "2024-01-08"])})
    >>> summarize(log, as_of="2024-01-31")[["customer_id", "frequency", "recency", "T", "monetary_value"]]
      customer_id  frequency  recency   T  monetary_value
    0           a          1        7  30            25.0
    """
    if margin is not None and not 0 < margin <= 1:
        raise ValueError(f"margin is a share of revenue, above 0 and up to 1, got {margin}")
    check(log, LOG)
    table = _dated(log)
    last_day = as_day(as_of)
    if last_day is not None:
        table = table.filter(table.date <= last_day)
    carried = [c for c in ("channel",) if c in table.columns] if carry is None else list(carry)
    customers = _by_customer(_by_day(table, margin, carried), carried)
    end = customers.latest.max().over() if last_day is None else last_day
    known = margin is not None or bool({"margin", "cost"} & set(table.columns))
    expression = _summary_columns(customers.mutate(end=end), cost_to_serve if known else None, carried)
    return expression if is_ibis(log) else run(expression.order_by("customer_id"), log)


def summaries_on(log: Any, ends: Sequence[date]) -> list[pd.DataFrame]:
    """Return the SUMMARY of each of several days, as it was known then: later rows and later refunds left out.

    Parameters
    ----------
    log : LOG
        Checked.
    ends : sequence of date

    Returns
    -------
    list of SUMMARY
        One for each day, sorted by ``customer_id``; all from one query.
    """
    import ibis

    table = _dated(check(log, LOG))
    rows = table.mutate(end=ibis.array([ibis.literal(end) for end in ends]).unnest())
    rows = rows.filter(rows[_known_on(table)] <= rows.end, rows.date <= rows.end)
    customers = _by_customer(_by_day(rows, None, [], per=["end"]), [], per=["end"])
    found = run(_summary_columns(customers, None, ["end"]), log).sort_values("customer_id", ignore_index=True)
    parts = {end: found[found["end"] == pd.Timestamp(end)] for end in ends}
    return [part.drop(columns="end").reset_index(drop=True) for part in parts.values()]


def purchase_days(log: Any) -> ibis.Table:
    """Return one row per customer and day: ``customer_id, date, net``, and whether it is a purchase, ``bought``.

    The one place that says what a purchase is; summaries, tracking and cohorts all count by it.
    """
    table = _dated(check(log, LOG))
    return _by_day(table, None, []).select("customer_id", "date", "net", "bought")


def contributions(log: Frame, *, margin: float = 1.0, cost_to_serve: float = 0.0) -> Frame:
    """Return what each customer left on each day: ``customer_id, date, contribution, bought``.

    Parameters
    ----------
    log : LOG
        Its own ``margin`` or ``cost`` counts where it has one.
    margin : float
        Share of revenue, used where the log has neither.
    cost_to_serve : float
        Of one purchase, in the log's currency.

    Returns
    -------
    pandas.DataFrame
        Sorted by customer and day; ``contribution``, money of the day after margin and cost to serve, in the log's
        currency; ``bought``, whether the day is a purchase. ``historic_value`` of a summary is the sum by customer.

    Raises
    ------
    TableError
        When the LOG lacks a column.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": "a", "amount": [10.0, 20.0],
    ...     "date": pd.to_datetime(["2024-01-01", "2024-01-08"])})
    >>> contributions(log, margin=0.4, cost_to_serve=1.0)
      customer_id       date  contribution  bought
    0           a 2024-01-01           3.0    True
    1           a 2024-01-08           7.0    True
    """
    days = _left_by_day(log, margin, cost_to_serve)
    out = to_pandas(days.select("customer_id", "date", contribution=days.left, bought=days.bought))
    out["date"] = pd.to_datetime(out["date"])
    return out.sort_values(["customer_id", "date"], ignore_index=True)


def contributions_by_month(
    log: Frame, *, margin: float = 1.0, cost_to_serve: float = 0.0, as_of: date | str | None = None
) -> pd.DataFrame:
    """Return what each month's newcomers left in each month since, grouped in the log's engine.

    Parameters
    ----------
    log, margin, cost_to_serve
        As of ``contributions``.
    as_of : date, optional
        The last day looked at.

    Returns
    -------
    pandas.DataFrame
        Sorted by ``cohort`` and ``month``, the first days of both months: ``customers`` won, in the month of the first
        purchase alone; ``purchases``; ``contribution``, and of it what ``first`` purchases left. All of a summary's
        ``historic_value``, and nothing else.

    Raises
    ------
    TableError
        When the LOG lacks a column.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 20.0, 5.0],
    ...     "date": pd.to_datetime(["2024-01-03", "2024-02-08", "2024-02-09"])})
    >>> contributions_by_month(log, margin=0.4)
          cohort      month  customers  purchases  contribution  first
    0 2024-01-01 2024-01-01          1          1           4.0    4.0
    1 2024-01-01 2024-02-01          0          1           8.0    0.0
    2 2024-02-01 2024-02-01          1          1           2.0    2.0
    """
    t = _since_first(_left_by_day(log, margin, cost_to_serve, as_of))
    new = t.bought & (t.date == t.first_date)
    cells = t.group_by(cohort=t.first_date.truncate("M"), month=t.date.truncate("M")).aggregate(
        customers=new.sum(), purchases=t.bought.sum(), contribution=t.left.sum(), first=t.left.sum(where=new)
    )
    out = run(cells, log)
    out = out.assign(**{k: pd.to_datetime(out[k]) for k in ("cohort", "month")}, first=out["first"].fillna(0.0))
    return out.sort_values(["cohort", "month"], ignore_index=True)


def contributions_by_age(
    log: Frame, *, by: str, as_of: date | str, margin: float = 1.0, cost_to_serve: float = 0.0
) -> pd.DataFrame:
    """Return what customers of each group left in each month of their time, grouped in the log's engine.

    Parameters
    ----------
    log, margin, cost_to_serve
        As of ``contributions``.
    by : str
        A column of the log, such as ``channel``; a customer's is that of the first purchase.
    as_of : date
        The last day looked at.

    Returns
    -------
    pandas.DataFrame
        ``group``; ``age``, months of 30.4375 days since the first purchase; ``customers`` who were that old for the whole
        month, and the ``contribution`` of these per customer.

    Raises
    ------
    TableError
        When the LOG lacks a column.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 20.0, 5.0], "channel": "ads",
    ...     "date": pd.to_datetime(["2024-01-03", "2024-02-08", "2024-02-01"])})
    >>> contributions_by_age(log, by="channel", as_of="2024-03-09", margin=0.4)
      group  age  customers  contribution
    0   ads    0          2           3.0
    1   ads    1          1           8.0
    """
    end = as_day(as_of)
    days = _left_by_day(log, margin, cost_to_serve, end, [by])
    starts = _since_first(days).filter(lambda t: t.date == t.first_date)
    starts = starts.select("customer_id", "first_date", group=starts[by])
    whole = run(starts.group_by("group", "first_date").aggregate(customers=lambda t: t.count()), log)
    t = days.join(starts, "customer_id").mutate(age=lambda t: (t.date.delta(t.first_date, unit="day") / MONTH).floor())
    seen = run(t.group_by("group", "first_date", "age").aggregate(left=t.left.sum()), log)
    months = lambda first: ((pd.Timestamp(end) - pd.to_datetime(first)).dt.days + 1) // MONTH  # noqa: E731
    seen, old = seen[seen["age"] < months(seen["first_date"])], whole.assign(months=months(whole["first_date"]))
    ages = pd.DataFrame({"age": np.arange(int(max(old["months"].max(), 0)))})
    size = old.merge(ages, how="cross").query("age < months").groupby(["group", "age"])["customers"].sum()
    left = seen.groupby(["group", "age"])["left"].sum().reindex(size.index, fill_value=0.0)
    table = pd.DataFrame({"customers": size, "contribution": left / size}).reset_index()
    return table.astype({"age": int})


def _left_by_day(
    log: Any, margin: float, cost_to_serve: float, as_of: date | str | None = None, carried: Sequence[str] = ()
) -> ibis.Table:
    """One row per customer and day with what it ``left`` after margin and cost to serve."""
    days = _by_day(_dated(check(log, LOG)), margin, list(carried))
    days = days.mutate(left=days.earned - cost_to_serve * days.bought.ifelse(1, 0))
    return days if as_of is None else days.filter(days.date <= as_day(as_of))


def _since_first(days: ibis.Table) -> ibis.Table:
    """The days of customers who ever bought, with the day of the first purchase."""
    first = days.filter(days.bought).group_by("customer_id").aggregate(first_date=lambda t: t.date.min())
    return days.join(first, "customer_id")


def _dated(log: Any) -> ibis.Table:
    """A LOG as an Ibis table whose dates are days."""
    table = as_ibis(log)
    return table if table.date.type().is_date() else table.mutate(date=as_date(table.date, None, "UTC"))


def _by_day(table: ibis.Table, margin: float | None, carried: list[str], *, per: Sequence[str] = ()) -> ibis.Table:
    """One row per customer and day: its money, its margin, and whether it is a purchase."""
    earned = table.amount * 1.0 if margin is None else margin * table.amount
    if "margin" in table.columns:
        earned = table.margin
    elif "cost" in table.columns:
        earned = table.amount - table.cost
    days = table.group_by([*per, "customer_id", "date"]).aggregate(
        net=table.amount.sum(),
        earned=earned.sum(),
        least=table.amount.min(),
        most=table.amount.max(),
        **{c: table[c].min() for c in carried},
    )
    # At least one order, and not wholly taken back.
    return days.mutate(bought=(days.most >= 0) & ((days.net > 0) | (days.least >= 0)))


def _by_customer(days: ibis.Table, carried: list[str], *, per: Sequence[str] = ()) -> ibis.Table:
    import ibis

    # Purchases and other days apart, so that the row before a purchase is the purchase before it.
    before = days.date.lag().over(ibis.window(group_by=[*per, "customer_id", "bought"], order_by=days.date))
    days = days.mutate(gap=days.date.delta(before, unit="day"))
    first = days.bought & days.gap.isnull()
    customers = days.group_by([*per, "customer_id"]).aggregate(
        purchases=days.count(where=days.bought),
        first_date=days.date.min(where=days.bought),
        last_date=days.date.max(where=days.bought),
        latest=days.date.max(),
        revenue=days.net.sum(),
        earned=days.earned.sum(),
        bought_for=days.net.sum(where=days.bought),
        first_for=days.net.sum(where=first),
        log_gaps=days.gap.ln().sum(where=days.bought),
        **{c: days[c].min(where=first) for c in carried},
    )
    return customers.filter(customers.purchases > 0)


def _summary_columns(customers: ibis.Table, cost_to_serve: float | None, carried: list[str]) -> ibis.Table:
    import ibis

    c = customers
    frequency = c.purchases - 1
    repeat_money = (c.bought_for - c.first_for) / frequency.nullif(0)
    return c.select(
        c.customer_id,
        frequency=frequency,
        recency=c.last_date.delta(c.first_date, unit="day").cast("int64"),
        T=c.end.delta(c.first_date, unit="day").cast("int64"),
        monetary_value=repeat_money,
        log_gaps=c.log_gaps.coalesce(0.0),
        days_since_last=c.end.delta(c.last_date, unit="day").cast("int64"),
        purchases=c.purchases,
        historic_revenue=c.revenue,
        first_spend=c.first_for,
        historic_value=ibis.null("float64") if cost_to_serve is None else c.earned - cost_to_serve * c.purchases,
        first_date=c.first_date,
        last_date=c.last_date,
        **{name: c[name] for name in carried},
    )


def _known_on(log: Any) -> str:
    """The column that says when a row was known: a later refund must not reach back over a split."""
    return "known_on" if "known_on" in log.columns else "date"


def split_log(log: Frame, end: date | str) -> tuple[Frame, Frame]:
    """Split a LOG at the close of a day: calibration up to and with ``end``, holdout after it.

    Parameters
    ----------
    log : LOG
        Checked; a refund that came after ``end`` is in the holdout, whatever day its order has.
    end : date
        The last day of the calibration.

    Returns
    -------
    calibration, holdout : LOG
        Of the same kind as ``log``; every row is in exactly one of them.

    Raises
    ------
    ValueError
        When no day is given.
    TableError
        When the text is no day, or the LOG lacks a column.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"customer_id": ["a", "a"], "amount": [1.0, 2.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-02-01"])})
    >>> [len(part) for part in split_log(log, "2024-01-31")]
    [1, 1]
    """
    check(log, LOG)
    day = as_day(end)
    if day is None:
        raise ValueError("split_log needs the last day of the calibration period, got nothing")
    known = _known_on(log)
    if is_ibis(log):
        return log.filter(log[known] <= day), log.filter(log[known] > day)
    early = log[known] < pd.Timestamp(day) + pd.Timedelta(days=1)
    return log[early], log[~early]
