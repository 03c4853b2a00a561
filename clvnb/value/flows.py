"""What customers bring over time: by month, by the quarter in which they came, and until winning them has paid.

In: contributions by month or age, a fitted model. Out: tables that a chart is drawn from.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from ..models.base import TransactionModel

__all__ = ["by_month", "came_of_late", "members_by_cohort", "orders_by_cohort", "paid_back", "year_on_year"]

_COHORTS, _AGES = 10, 9  # that a page has room for


def by_month(
    flows: pd.DataFrame, forecast: pd.DataFrame, margin: float, cost_to_serve: float, as_of: date
) -> pd.DataFrame:
    """Return contribution by whole month as it came, and as it is expected of today's customers.

    Parameters
    ----------
    flows : pandas.DataFrame
        From ``contributions_by_month``.
    forecast : pandas.DataFrame
        A FORECAST by month of purchases and revenue, as ``Forecast.table`` gives it; may be empty.
    margin, cost_to_serve : float
        Share of revenue, and money per purchase.
    as_of : date
        The last day looked at.

    Returns
    -------
    pandas.DataFrame
        ``month`` (its first day); ``first``, what first purchases left, and ``repeat``, what all else did; ``mean, low,
        high`` (90 % range) of coming months, with what a month that has begun brought so far. In the client's
        currency.
    """
    months = flows.groupby("month")[["contribution", "first"]].sum().reset_index()
    past = pd.DataFrame(
        {"month": months["month"], "first": months["first"], "repeat": months["contribution"] - months["first"]}
    )
    whole = past["month"] + pd.offsets.MonthEnd(0) <= pd.Timestamp(as_of)
    begun = past[~whole].set_index("month")["repeat"]
    past = past[whole]
    if forecast.empty:
        return past.assign(mean=np.nan, low=np.nan, high=np.nan)
    ahead = forecast[forecast["mean"].notna()].pivot(index="period", columns="what", values=["mean", "low", "high"])
    mean = ahead["mean"]["revenue"] * margin - ahead["mean"]["purchases"] * cost_to_serve
    reach = {k: ahead[k]["revenue"] / ahead["mean"]["revenue"] for k in ("low", "high")}
    to_come = pd.DataFrame({"mean": mean, "low": mean * reach["low"], "high": mean * reach["high"]})
    to_come = to_come.add(begun.reindex(to_come.index).fillna(0.0), axis=0)
    return pd.concat([past, to_come.rename_axis("month").reset_index()], ignore_index=True)


def year_on_year(flows: pd.DataFrame, as_of: date) -> dict[str, float]:
    """Return the contribution of the last twelve whole months and of the twelve before them.

    Parameters
    ----------
    flows : pandas.DataFrame
        From ``contributions_by_month``.
    as_of : date
        The last day looked at.

    Returns
    -------
    dict
        ``now``; ``before``, where the log begins early enough; ``kept``, what customers who were known a year ago
        brought since, and ``kept_before``, the same of the year before, where known. In the client's currency.
    """
    this = pd.Timestamp(as_of).to_period("M")
    last = this if pd.Timestamp(as_of) >= this.end_time.normalize() else this - 1
    age = (last.ordinal - flows["month"].dt.to_period("M").map(lambda m: m.ordinal)).to_numpy()
    born = (last.ordinal - flows["cohort"].dt.to_period("M").map(lambda m: m.ordinal)).to_numpy()
    money = flows["contribution"].to_numpy(float)
    now, before = (age >= 0) & (age < 12), (age >= 12) & (age < 24)
    if born.max(initial=0) < 12:
        return {}
    found = {"now": money[now].sum(), "kept": money[now & (born >= 12)].sum()}
    if born.max() >= 23:
        found["before"] = money[before].sum()
    if born.max() >= 30:  # half a year of customers, at least, to have come before
        found["kept_before"] = money[before & (born >= 24)].sum()
    return {k: float(v) for k, v in found.items()}


def came_of_late(first: pd.Series, as_of: date) -> dict[str, int]:
    """Return how many customers came in the last 90 days, and in the same days a year earlier.

    Parameters
    ----------
    first : Series of datetime
        The day of each customer's first purchase.
    as_of : date
        The last day looked at.

    Returns
    -------
    dict
        ``now, before``; empty where customers are not known for that long.

    Examples
    --------
    >>> came_of_late(pd.Series(pd.to_datetime(["2022-12-01", "2023-12-01", "2023-12-05", "2024-11-30"])), date(2024, 12, 31))
    {'now': 1, 'before': 2}
    """
    day = pd.to_datetime(first)
    ends = [pd.Timestamp(as_of), pd.Timestamp(as_of) - pd.DateOffset(years=1)]
    if day.min() > ends[1] - pd.Timedelta(days=90):
        return {}
    now, before = (int(((day > end - pd.Timedelta(days=90)) & (day <= end)).sum()) for end in ends)
    return {"now": now, "before": before}


def orders_by_cohort(
    flows: pd.DataFrame, summary: pd.DataFrame, model: TransactionModel | None, as_of: date, horizon: float
) -> pd.DataFrame:
    """Return repeat purchases per customer of each quarter's newcomers, quarter by quarter, with those expected.

    Parameters
    ----------
    flows : pandas.DataFrame
        From ``contributions_by_month``.
    summary : SUMMARY
        With ``first_date``; pandas.
    model : TransactionModel or None
        Fitted; None where nothing may be predicted.
    as_of : date
        The last day looked at.
    horizon : float
        Days beyond which nothing is shown.

    Returns
    -------
    pandas.DataFrame
        ``cohort`` (first day of the quarter, or of the month in a log of less than five quarters), ``customers``, ``age``
        in periods from 1, ``value``: repeat purchases per customer, ``expected``: whether they are still expected, at least
        in part; ``period`` ("quarter" or "month") and ``what`` ("orders"). The ten youngest whole cohorts, up to age nine.
    """
    end = pd.Timestamp(as_of)
    unit = "Q" if end.to_period("Q").ordinal - flows["cohort"].min().to_period("Q").ordinal >= 5 else "M"
    cohort, when = (flows[k].dt.to_period(unit) for k in ("cohort", "month"))
    this = end.to_period(unit)
    last = this if end >= this.end_time.normalize() else this - 1  # the last whole one
    repeat = (flows["purchases"] - flows["customers"]).groupby([cohort, when]).sum()
    size = flows["customers"].groupby(cohort).sum()
    ahead = _expected_by_cohort(summary, model, unit, end, horizon) if model is not None else {}
    rows = []
    for born in [p for p in size.index if p <= last][-_COHORTS:]:
        for age in range(1, _AGES + 1):
            at = born + age
            done, to_come = float(repeat.get((born, at), 0.0)), ahead.get((born, at))
            if at <= last or to_come is not None:
                orders = done if at <= last else done + (to_come or 0.0)
                rows.append((born.start_time, int(size[born]), age, orders / size[born], at > last))
    return _cells(rows, unit, "orders")


def members_by_cohort(lives: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Return the share of each quarter's new members who are there at the end of later quarters, returns included.

    Parameters
    ----------
    lives : pandas.DataFrame
        A row for each stretch of membership: ``customer_id, first_date, start, end, running``.
    as_of : date
        The last day looked at.

    Returns
    -------
    pandas.DataFrame
        As ``orders_by_cohort``, ``what`` being "stay"; nothing is expected.
    """
    end = pd.Timestamp(as_of)
    first = pd.to_datetime(lives["first_date"])
    unit = "Q" if end.to_period("Q").ordinal - first.min().to_period("Q").ordinal >= 5 else "M"
    this = end.to_period(unit)
    last = this if end >= this.end_time.normalize() else this - 1
    born = first.dt.to_period(unit)
    size = lives.groupby(born)["customer_id"].nunique()
    there = {}
    for at in pd.period_range(born.min(), last, freq=unit):
        day = at.end_time.normalize()
        here = (lives["start"] <= day) & (lives["running"] | (lives["end"] > day))
        there[at] = lives[here].groupby(born[here])["customer_id"].nunique()
    rows = [
        (cohort.start_time, int(size[cohort]), age, float(there[cohort + age].get(cohort, 0)) / size[cohort], False)
        for cohort in [p for p in size.index if p <= last][-_COHORTS:]
        for age in range(1, _AGES + 1)
        if cohort + age <= last
    ]
    return _cells(rows, unit, "stay")


def _cells(rows: list[tuple[Any, ...]], unit: str, what: str) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["cohort", "customers", "age", "value", "expected"])
    return table.assign(period="quarter" if unit == "Q" else "month", what=what)


def _expected_by_cohort(
    summary: pd.DataFrame, model: TransactionModel, unit: str, end: pd.Timestamp, horizon: float
) -> dict[tuple[Any, Any], float]:
    """Expected purchases of each cohort in each period, the rest of the present one included."""
    cohort = pd.to_datetime(summary["first_date"]).dt.to_period(unit)
    young = cohort >= cohort.max() - _COHORTS
    some, born = summary[young], cohort[young]
    found: dict[tuple[Any, Any], float] = {}
    before: Any = 0.0
    for at in pd.period_range(end.to_period(unit), periods=_AGES + 1, freq=unit):
        days = float((at.end_time.normalize() - end).days)
        if days > horizon:
            break
        if days > 0:
            total = model.expected_purchases(some, days).groupby(born).sum()
            found |= {(key, at): float(value) for key, value in (total - before).items()}
            before = total
    return found


def paid_back(ages: pd.DataFrame, cost: dict[str, float]) -> dict[str, float]:
    """Return after how many months customers of each group have left what winning one cost, on average.

    Parameters
    ----------
    ages : pandas.DataFrame
        From ``contributions_by_age``.
    cost : dict of group to money
        The cost of winning a customer.

    Returns
    -------
    dict of group to float
        Months, 1 being within the first; missing where it has not happened yet, while at least 30 customers were seen.
    """
    found = {}
    for group, table in ages[ages["customers"] >= 30].sort_values("age").groupby("group"):
        total = table["contribution"].cumsum().to_numpy(float)
        enough = np.nonzero(total >= cost.get(str(group), np.inf))[0]
        found[str(group)] = float(enough[0] + 1) if len(enough) else np.nan
    return found
