"""A comparison of methods: one customer's value from the beginner's formula to the model, each with what it changes.

In: a LOG or SUBSCRIPTIONS, economics, the model's value of a new customer. Out: one row per method.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from ..core.engine import run
from ..core.errors import TableError
from ..core.maths import years
from ..core.results import Estimate
from ..core.tables import SUBSCRIPTIONS, check
from ..core.words import Words
from ..data.client import Economics
from ..data.summary import purchase_days
from .cohorts import clv_survival, cohort_value
from .formulas import clv_retention, clv_simple, per_period

__all__ = ["contract_methods", "shop_methods"]

COLUMNS = ["method", "value", "low", "high", "why"]


def shop_methods(
    log: Any, economics: Economics, model: Estimate | None, *, as_of: date, words: Words | None = None
) -> pd.DataFrame:
    """Return what a new customer of a shop is worth by each method, from the simplest to the best that the data carry.

    Parameters
    ----------
    log : LOG
        Checked.
    economics : Economics
        Margin, cost to serve, discount rate and horizon.
    model : Estimate or None
        ``clv_new_customer``; None where no model is to be trusted.
    as_of : date
        The last day looked at.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    pandas.DataFrame
        ``method, value, low, high, why``: the method, money per customer with an interval where there is one, and what
        it takes into account that the one before did not. A method that the data cannot carry has no value, and
        says why.

    Notes
    -----
    The methods: simple formula on revenue, on margin (where one is known) and retention formula, which need two years of
    orders; cohorts; model. Each is the value of one new customer in the client's currency.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": [str(k) for k in range(60)] * 2, "amount": [20.0] * 60 + [10.0] * 60,
    ...     "date": pd.to_datetime(["2024-01-01"] * 60 + ["2024-02-15"] * 60)})
    >>> shop_methods(log, Economics(margin=0.5), None, as_of=date(2024, 4, 30))[["method", "value"]].round(2)
                            method  value
    0  Simple formula on revenue    NaN
    1   Simple formula on margin    NaN
    2          Retention formula    NaN
    3                    Cohorts  14.96
    4                      Model    NaN
    """
    yearly = _yearly(log, as_of)
    rows: list[tuple[str, float, float, float, str]] = []
    if yearly is None:
        short = "Needs two years of orders: one to see who was there, one to see who came again."
        rows += [
            (name, np.nan, np.nan, np.nan, short)
            for name in ("Simple formula on revenue", "Simple formula on margin", "Retention formula")
        ]
    else:
        rows += _simple_methods(yearly, economics, words or Words("XXX"))
    rows.append(_cohort_method(log, economics, as_of))
    differ = "customers differ in how often they come and how long they stay, those who left are told by their silence"
    rows.append(_model_method(model, economics, differ))
    kept = rows if economics.basis == "margin" else [r for r in rows if r[0] != "Simple formula on margin"]
    return pd.DataFrame(kept, columns=COLUMNS)


def _yearly(log: Any, as_of: date) -> dict[str, float] | None:
    """The last year's revenue, purchases and customers, and the share of the year before's who came again."""
    bought = run(purchase_days(log), log)
    end = pd.Timestamp(as_of)
    age = (end - bought["date"]).dt.days
    if age.max() < 2 * 365 - 7:
        return None
    this, before = bought[(age >= 0) & (age < 365)], bought[(age >= 365) & (age < 730)]
    now, then = set(this.loc[this["bought"], "customer_id"]), set(before.loc[before["bought"], "customer_id"])
    if not now or not then:
        return None
    return {"revenue": float(this["net"].sum()), "orders": float(this["bought"].sum()), "customers": float(len(now)),
            "retention": len(now & then) / len(then)}  # fmt: skip


def _simple_methods(
    yearly: dict[str, float], economics: Economics, words: Words
) -> list[tuple[str, float, float, float, str]]:
    retention = min(yearly["retention"], 0.99)
    lifespan = 1 / (1 - retention)
    simple = clv_simple(
        yearly["revenue"], yearly["orders"], yearly["customers"], lifespan, margin=economics.margin_rate
    )
    served = economics.cost_to_serve * yearly["orders"] / yearly["customers"]
    contribution = simple.customer_value * economics.margin_rate - served
    horizon = years(economics.horizon)
    kept = clv_retention(contribution, retention, economics.discount_rate, "start_certain", periods=horizon)
    return [
        ("Simple formula on revenue", simple.clv_revenue, np.nan, np.nan,
         f"An average purchase of {words.money(simple.purchase_value)} x {simple.purchase_frequency:.2f} purchases a year x "
         f"{lifespan:.2f} years, since {words.share(retention)} of last year's customers came again. Revenue is not value."),
        ("Simple formula on margin", contribution * lifespan, np.nan, np.nan,
         "The same, after the cost of goods and of serving. Every year counts alike, and nobody differs."),
        ("Retention formula", kept, np.nan, np.nan,
         f"The same margin and retention, cut off after {economics.horizon} and in today's money. It still takes the customers "
         "of a year, loyal ones among them, for new ones."),
    ]  # fmt: skip


def _cohort_method(log: Any, economics: Economics, as_of: date) -> tuple[str, float, float, float, str]:
    try:
        seen = cohort_value(
            log, margin=economics.margin_rate, cost_to_serve=economics.cost_to_serve,
            discount_rate=economics.discount_rate, longest=economics.horizon, as_of=as_of,
        )  # fmt: skip
    except TableError as error:
        return ("Cohorts", np.nan, np.nan, np.nan, f"{str(error)[0].upper()}{str(error)[1:]}.")
    age = seen.method.removeprefix("cohorts, to ").removesuffix(" of age")
    why = (
        f"What new customers truly brought, followed from their first purchase for {age}: no model and no lifespan, and "
        "nothing beyond what was seen."
    )
    return ("Cohorts", seen.value, seen.low, seen.high, why)


def _model_method(model: Estimate | None, economics: Economics, differ: str) -> tuple[str, float, float, float, str]:
    if model is None:
        return (
            "Model",
            np.nan,
            np.nan,
            np.nan,
            "No model carries these data; the method above is the best there is.",
        )
    name = model.method.split(",")[0]
    why = f"{name[0].upper()}{name[1:]} over {economics.horizon}: {differ}, and the ages not seen yet are filled in."
    return ("Model", model.value, model.low, model.high, why)


def contract_methods(subscriptions: pd.DataFrame, economics: Economics, model: Estimate | None) -> pd.DataFrame:
    """Return what a new subscriber is worth by each method, from the simplest to the best that the data carry.

    Parameters
    ----------
    subscriptions : SUBSCRIPTIONS
        With ``price`` of a billing period of ``period`` months.
    economics : Economics
        ``cost_to_serve`` is per billing period.
    model : Estimate or None
        Of a new subscriber, ``value_step(client).new_customer``; None where no model is to be trusted.

    Returns
    -------
    pandas.DataFrame
        ``method, value, low, high, why``: simple formula on revenue, on margin (where one is known), retention formula,
        survival as seen, model; client's currency per new subscriber, plans weighed by their share of customers.

    Raises
    ------
    TableError
        When a column is missing.

    Examples
    --------
    >>> people = pd.DataFrame({"customer_id": map(str, range(120)), "plan": "monthly", "price": 10.0, "period": 1,
    ...     "renewals": [3, 1, 6] * 40, "opportunities": [3, 2, 6] * 40, "active": [True, False, True] * 40,
    ...     "days_to_next": [9.0, None, 9.0] * 40})
    >>> contract_methods(people, Economics(margin=0.5), None)[["method", "value"]].round(2)
                            method   value
    0  Simple formula on revenue  110.00
    1   Simple formula on margin   55.00
    2          Retention formula   49.73
    3                   Survival   26.11
    4                      Model     NaN
    """
    check(subscriptions, SUBSCRIPTIONS)
    share, parts = subscriptions["plan"].value_counts(normalize=True), []
    for plan, group in subscriptions.groupby("plan"):
        parts.append(np.array(_plan_methods(group, economics)) * share[plan])
    revenue, simple, formula, seen, low, high = np.sum(parts, axis=0)
    rows = [
        ("Simple formula on revenue", revenue, np.nan, np.nan,
         "Price x billing periods a customer stays, one over the share that leaves at a renewal. Revenue is not value."),
        ("Simple formula on margin", simple, np.nan, np.nan,
         "The same, after the cost of goods and of serving. One rate of leaving for everybody, new and loyal."),
        ("Retention formula", formula, np.nan, np.nan,
         f"The same, cut off after {economics.horizon} and in today's money."),
        ("Survival", seen, low, high,
         "Who truly stayed, renewal by renewal (Kaplan-Meier), as far as it was seen: early renewals lose more than late ones."),
        _model_method(model, economics, "customers differ in their chance to leave, so those who stayed stay longer"),
    ]  # fmt: skip
    kept = rows if economics.basis == "margin" else [r for r in rows if r[0] != "Simple formula on margin"]
    return pd.DataFrame(kept, columns=COLUMNS)


def _plan_methods(group: pd.DataFrame, economics: Economics) -> list[float]:
    """Of one plan: the simple formulas, the retention formula, and survival as seen with its interval."""
    period = int(group["period"].iloc[0])
    lost, made = float((~group["active"]).sum()), float(group["renewals"].sum())
    churn = max(lost / max(lost + made, 1.0), 1e-3)
    price = float(group["price"].mean())
    unit = price * economics.margin_rate - economics.cost_to_serve
    rate = per_period(economics.discount_rate, 12 / period)
    payments = int(years(economics.horizon) * 12 / period)
    formula = clv_retention(unit, 1 - churn, rate, "start_certain", periods=payments)
    tenure = group["opportunities"].to_numpy(int)
    seen = clv_survival(
        tenure, ~group["active"].to_numpy(bool), unit, rate, min(payments, int(tenure.max()) + 1), draws=200
    )
    return [price / churn, unit / churn, formula, seen.value, seen.low, seen.high]
