"""What ``lifetimes.utils`` offers: summaries of orders, and what a fitted model says along a history.

In: a frame of orders, one row each. Out: frames and series in ``lifetimes``' shapes.

``freq`` is "D", days, or "W", calendar weeks from Monday in each of which all orders are one purchase; another one is a
ValueError. ``freq_multiplier`` is how many of them make one unit of the answer: 7 days are a week that loses nothing.
Orders without a customer are left out; a missing column is a TableError.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..data.orders import read_transactions
from ..data.summary import split_log, summarize

__all__ = [
    "calculate_alive_path",
    "calibration_and_holdout_data",
    "expected_cumulative_transactions",
    "summary_data_from_transaction_data",
]

_DAYS = {"D": 1, "W": 7}


def summary_data_from_transaction_data(
    transactions: pd.DataFrame, customer_id_col: str, datetime_col: str, monetary_value_col: str | None = None,
    datetime_format: str | None = None, observation_period_end: Any = None, freq: str = "D", freq_multiplier: float = 1,
    include_first_transaction: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """Return ``frequency, recency, T`` of each customer and, where money is named, ``monetary_value``.

    The last is the mean of repeat purchases, 0 for those without one. ``include_first_transaction`` counts the first
    purchase in both, which is not for the fitters. Without ``observation_period_end`` the last order is the end.

    Examples
    --------
    >>> orders = pd.DataFrame({"id": ["a", "a", "b"], "on": ["2024-01-01", "2024-01-11", "2024-01-05"],
    ...     "paid": [10, 20, 5]})
    >>> summary_data_from_transaction_data(orders, "id", "on", "paid")
       frequency  recency     T  monetary_value
    id
    a        1.0     10.0  10.0            20.0
    b        0.0      0.0   6.0             0.0
    """
    log, ids = _log(transactions, customer_id_col, datetime_col, monetary_value_col, datetime_format)
    end = _start(observation_period_end or log["date"].max(), freq)
    table = _summary(log, ids, end, freq, freq_multiplier, first=include_first_transaction)
    return table if monetary_value_col else table.drop(columns="monetary_value")


def calibration_and_holdout_data(
    transactions: pd.DataFrame, customer_id_col: str, datetime_col: str, calibration_period_end: Any,
    observation_period_end: Any = None, freq: str = "D", freq_multiplier: float = 1, datetime_format: str | None = None,
    monetary_value_col: str | None = None, include_first_transaction: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """Return each customer's summary up to a day and with it, ``_cal``, beside what came after it, ``_holdout``.

    ``monetary_value_holdout`` is the mean of orders, as in ``lifetimes``. Customers who first came later are left out.

    Examples
    --------
    >>> orders = pd.DataFrame({"id": ["a", "a", "b"], "on": ["2024-01-01", "2024-01-11", "2024-01-05"],
    ...     "paid": [10, 20, 5]})
    >>> both = calibration_and_holdout_data(orders, "id", "on", "2024-01-06", monetary_value_col="paid")
    >>> both[["T_cal", "frequency_holdout", "monetary_value_holdout", "duration_holdout"]]
        T_cal  frequency_holdout  monetary_value_holdout  duration_holdout
    id
    a     5.0                1.0                    20.0               5.0
    b     1.0                0.0                     0.0               5.0
    """
    log, ids = _log(transactions, customer_id_col, datetime_col, monetary_value_col, datetime_format)
    end, day = pd.Timestamp(observation_period_end or log["date"].max()), pd.Timestamp(calibration_period_end)
    before, after = split_log(log[log["date"] < end.normalize() + pd.Timedelta(days=1)], day.date())
    cal = _summary(before, ids, _start(day, freq), freq, freq_multiplier, first=include_first_transaction)
    cal = cal.add_suffix("_cal")
    came = after.assign(period=_start(after["date"], freq)).groupby(ids[after["customer_id"].astype(int)])
    cal["frequency_holdout"] = came["period"].nunique().reindex(cal.index).fillna(0.0).astype(float)
    cal["monetary_value_holdout"] = came["amount"].mean().reindex(cal.index).fillna(0.0)
    cal["duration_holdout"] = (_start(end, freq) - _start(day, freq)).days / _DAYS[freq] / freq_multiplier
    return cal if monetary_value_col else cal.drop(columns=["monetary_value_cal", "monetary_value_holdout"])


def calculate_alive_path(
    model: Any, transactions: pd.DataFrame, datetime_col: str, t: int, freq: str = "D"
) -> pd.Series:
    """Return the chance that the customer of these orders is active, 0 ... ``t`` periods after the first one."""
    on = _start(pd.to_datetime(transactions[datetime_col]), freq)
    ages = (on - on.min()).dt.days // _DAYS[freq]
    age = np.arange(max(t, ages.max()) + 1)
    bought = np.isin(age, ages)
    recency = np.maximum.accumulate(np.where(bought, age, 0))
    return pd.Series(model.conditional_probability_alive(bought.cumsum() - 1, recency, age))


def expected_cumulative_transactions(
    model: Any, transactions: pd.DataFrame, datetime_col: str, customer_id_col: str, t: int,
    datetime_format: str | None = None, freq: str = "D", set_index_date: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """Return all repeat purchases by the end of each of ``t`` periods, ``actual`` and ``predicted``, summed up."""
    log, _ = _log(transactions, customer_id_col, datetime_col, None, datetime_format)
    on = _start(log["date"], freq)
    period = pd.DataFrame({"who": log["customer_id"], "at": (on - on.min()).dt.days // _DAYS[freq]}).drop_duplicates()
    first = period.groupby("who")["at"].transform("min")
    begin = np.bincount(first[(period["at"] == first) & (first < t)], minlength=t)
    repeat = np.bincount(period["at"][(period["at"] > first) & (period["at"] < t)], minlength=t)
    new = model.expected_number_of_purchases_up_to_time(np.arange(1, t + 1))
    index = pd.period_range(on.min(), periods=t, freq=freq) if set_index_date else range(t)
    return pd.DataFrame({"actual": repeat.cumsum(), "predicted": np.convolve(begin, new)[:t]}, index=index)


def _start(on: Any, freq: str) -> Any:
    """The first day of the period of a date, or of a column of dates."""
    if freq not in _DAYS:
        raise ValueError(f"freq={freq!r}: clvnb counts in days, 'D', or in weeks, 'W'")
    periods = on.dt.to_period(freq).dt if isinstance(on, pd.Series) else pd.Timestamp(on).to_period(freq)
    return periods.start_time


def _log(orders: pd.DataFrame, who: str, when: str, money: str | None, day_format: str | None) -> tuple[Any, pd.Index]:
    """A LOG whose customers are numbers, and what each number stands for: ids keep their kind and order."""
    ids = pd.Index([])
    if who in orders:  # otherwise read_transactions says what is missing
        orders = orders[orders[who].notna()]
        codes, ids = pd.factorize(orders[who], sort=True)
        orders = orders.assign(**{who: codes})
    names = {"customer_id": who, "date": when, "amount": money or "_paid"}
    table = orders if money else orders.assign(_paid=1.0)
    return read_transactions(table, columns=names, date_format=day_format), pd.Index(ids, name=who)


def _summary(
    log: pd.DataFrame, ids: pd.Index, end: pd.Timestamp, freq: str, multiplier: float, *, first: bool
) -> pd.DataFrame:
    table = summarize(log.assign(date=_start(log["date"], freq)), as_of=end.date())
    table = table.set_index(ids[table["customer_id"].astype(int)]).sort_index()
    if first:
        table["frequency"] += 1
        table["monetary_value"] = table["historic_revenue"] / table["frequency"]
    table[["recency", "T"]] /= _DAYS[freq] * multiplier
    return table[["frequency", "recency", "T", "monetary_value"]].astype(float).fillna(0.0)
