"""What subscribers are still worth: future renewals, their prices, and the chance to reach each of them.

In: SUBSCRIPTIONS, renewal models by plan, economics. Out: CLV tables and ``Estimate`` totals, as ``value`` gives for shops.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..core.errors import TableError
from ..core.maths import LEVEL, annual_to_daily, days, tail
from ..core.results import Estimate
from ..core.tables import SUBSCRIPTIONS, check, need
from ..data.client import Economics
from ..models.base import TOTAL_DRAWS
from ..models.renewals import RenewalModel

__all__ = ["subscription_new_customer", "subscription_table"]


def subscription_table(
    subscriptions: pd.DataFrame,
    models: Mapping[str, RenewalModel],
    economics: Economics,
    *,
    level: float = LEVEL,
    seed: int = 0,
) -> tuple[pd.DataFrame, Estimate]:
    """Return what each subscriber is still worth, and all of them together.

    A running contract pays at each future renewal, with the chance that it gets that far, and none on or after its
    known end; an ended one is worth 0.

    Parameters
    ----------
    subscriptions : SUBSCRIPTIONS
        With ``renewals_left`` where ends are known. A customer may have a row for each billing period.
    models : mapping of plan to a fitted renewal model
        By the text in the column ``plan``; one for each plan.
    economics : Economics
        ``cost_to_serve`` is per billing period.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.
    seed : int
        Of the random draws.

    Returns
    -------
    table : CLV
        With ``expected_purchases_low, expected_purchases_high`` and ``plan``, and where known ``historic_value,
        total_value, channel``. ``expected_purchases`` are renewal payments, ``expected_spend`` is the price;
        ``clv_low`` and ``clv_high`` come from the exact distribution of the number of payments.
    total : Estimate
        The sum in the client's currency, parameters and chance in its interval.

    Raises
    ------
    TableError
        When a column is missing, a plan has no model, or one plan mixes billing periods.

    References
    ----------
    Fader and Hardie (2010), "Customer-base valuation in a contractual setting", Marketing Science 29(1), 85-93.

    Examples
    --------
    >>> from clvnb import ShiftedBetaGeometric
    >>> people = pd.DataFrame({"customer_id": ["a", "b"], "plan": "monthly", "price": 10.0, "period": 1,
    ...     "renewals": [3, 1], "opportunities": [3, 2], "active": [True, False], "days_to_next": [12.0, None]})
    >>> models = {"monthly": ShiftedBetaGeometric.with_params(alpha=0.668, beta=3.806)}
    >>> table, total = subscription_table(people, models, Economics(margin=0.5, horizon="1 year"))
    >>> table[["customer_id", "p_alive", "expected_purchases", "clv"]].round(3)
      customer_id  p_alive  expected_purchases     clv
    0           a      1.0               7.934  38.064
    1           b      0.0               0.000   0.000
    """
    check(subscriptions, SUBSCRIPTIONS)
    need(subscriptions, ["days_to_next"], "the SUBSCRIPTIONS")
    parts, means, chance = [], np.zeros(TOTAL_DRAWS), 0.0
    without = sorted(set(subscriptions["plan"].astype(str)) - set(models))
    if without:
        raise TableError(f"the plan {without[0]!r} has no model; there are models of: {', '.join(map(str, models))}")
    _refuse_mixed_periods(subscriptions)
    for plan, group in subscriptions.groupby("plan", sort=True):
        model = models[str(plan)]
        when, unit = _payments(group, economics), _unit(group, economics)
        reach = _reach(model, group, when)
        worth = _worth(reach, when, economics)
        parts.append(_subscriber_rows(group, reach, when, worth, unit, economics, level))
        for k, theta in enumerate(model.draws(TOTAL_DRAWS, seed=seed)):
            means[k] += float(unit @ _worth(_reach(model, group, when, theta), when, economics))
        chance += float(unit**2 @ _variance(reach, when, economics))
    table = _row_a_customer(pd.concat(parts).sort_values("customer_id", ignore_index=True))
    value, off = float(table["clv"].sum()), tail(level) * float(np.sqrt(means.var(ddof=1) + chance))
    return table, Estimate(
        value, value - off, value + off, level, len(table), "renewals by plan, parameters and chance"
    )


def subscription_new_customer(
    subscriptions: pd.DataFrame,
    models: Mapping[str, RenewalModel],
    economics: Economics,
    *,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Return what a new subscriber is worth on average, the first payment included: the most CAC may be.

    Parameters
    ----------
    subscriptions : SUBSCRIPTIONS
        The plans and prices of those who joined in its last year are taken for the new ones'.
    models : mapping of plan to a fitted renewal model
        One for each plan.
    economics : Economics
        ``cost_to_serve`` is per billing period.
    level : float
        Of the interval.
    seed : int
        Of the random draws.

    Returns
    -------
    Estimate
        In the client's currency per newcomer; the interval holds the average over many new customers, not one of them.
    """
    recent = subscriptions[subscriptions["first_date"] > subscriptions["first_date"].max() - pd.Timedelta(days=365)]
    _refuse_mixed_periods(recent)
    values, point, n = np.zeros(TOTAL_DRAWS), 0.0, recent["customer_id"].nunique()
    for plan, group in recent.groupby("plan", sort=True):
        share, model = len(group) / n, models[str(plan)]
        wait = days(f"{int(group['period'].iloc[0])} months")
        fresh = group.iloc[:1].assign(
            renewals=0, active=True, days_to_next=wait, price=group["price"].mean(), renewals_left=np.nan
        )
        unit, when = _unit(fresh, economics)[0], _payments(fresh, economics)
        point += share * unit * (1 + _worth(_reach(model, fresh, when), when, economics)[0])
        for k, theta in enumerate(model.draws(TOTAL_DRAWS, seed=seed)):
            values[k] += share * unit * (1 + _worth(_reach(model, fresh, when, theta), when, economics)[0])
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(point), low, high, level, n, "renewals by plan, mean of new customers")


def _unit(group: pd.DataFrame, economics: Economics) -> np.ndarray:
    return np.asarray(group["price"].to_numpy(float) * economics.margin_rate - economics.cost_to_serve)


def _payments(group: pd.DataFrame, economics: Economics) -> np.ndarray:
    """Days from now to each payment within the horizon, one row per customer; missing beyond it and after an end."""
    period = group["period"].to_numpy(float) * days("1 month")
    count = np.arange(int(np.ceil(economics.horizon_days / period.min())) + 1)
    when = group["days_to_next"].to_numpy(float)[:, None] + period[:, None] * count[None, :]
    left = (
        group["renewals_left"].fillna(np.inf).to_numpy(float)
        if "renewals_left" in group
        else np.full(len(group), np.inf)
    )
    comes = (
        (when <= economics.horizon_days) & group["active"].to_numpy(bool)[:, None] & (count[None, :] < left[:, None])
    )
    return np.where(comes, when, np.nan)


def _refuse_mixed_periods(subscriptions: pd.DataFrame) -> None:
    """One model holds for one billing period: a year's renewal is not a month's."""
    several = subscriptions.groupby("plan")["period"].unique()
    mixed = several[several.map(len) > 1]
    if len(mixed):
        found = " and ".join(str(int(m)) for m in sorted(mixed.iloc[0]))
        raise TableError(
            f"the plan {mixed.index[0]!r} is billed every {found} months: one model cannot hold for both; give them "
            "different names in `plan`, as summarize_contracts does"
        )


def _row_a_customer(table: pd.DataFrame) -> pd.DataFrame:
    """Add up the rows of customers who pay at several billing periods; the plan is that of the larger value."""
    again = table["customer_id"].duplicated(keep=False)
    if not again.any():
        return table
    rows = table[again].sort_values(["customer_id", "clv", "plan"], ascending=[True, False, True])
    added = ["expected_purchases", "expected_purchases_low", "expected_purchases_high", "clv", "clv_low", "clv_high"]
    of = rows.assign(money=rows["expected_spend"] * rows["expected_purchases"]).groupby("customer_id", sort=False)
    one = rows.drop_duplicates("customer_id").set_index("customer_id")
    sums = of[[*added, "money"]].sum()
    one[added] = sums[added]
    mean = sums["money"] / sums["expected_purchases"].where(sums["expected_purchases"] > 0)
    one["expected_spend"] = mean.fillna(one["expected_spend"])
    if "total_value" in one:
        one["total_value"] = one["historic_value"] + one["clv"]
    both = pd.concat([table[~again], one.reset_index()])
    return both[table.columns].sort_values("customer_id", ignore_index=True)


def _reach(model: RenewalModel, group: pd.DataFrame, when: np.ndarray, theta: np.ndarray | None = None) -> np.ndarray:
    """The chance to reach each payment: S(n + k) / S(n), 0 for an ended contract."""
    return np.where(np.isnan(when), 0.0, model.survival_by_row(group, when.shape[1], theta))


def _discount(when: np.ndarray, economics: Economics) -> np.ndarray:
    return np.where(np.isnan(when), 0.0, np.exp(-annual_to_daily(economics.discount_rate) * np.nan_to_num(when)))


def _worth(reach: np.ndarray, when: np.ndarray, economics: Economics) -> np.ndarray:
    """Discounted expected payments."""
    return np.asarray((reach * _discount(when, economics)).sum(axis=1))


def _variance(reach: np.ndarray, when: np.ndarray, economics: Economics) -> np.ndarray:
    """Variance of the discounted payments: of V(K) with P(K >= k) = reach_k and V the running sum of discounts."""
    step = _discount(when, economics)
    running = np.cumsum(step, axis=1)
    second = (reach * (running**2 - (running - step) ** 2)).sum(axis=1)
    return np.asarray(np.maximum(second - (reach * step).sum(axis=1) ** 2, 0.0))


def _subscriber_rows(
    group: pd.DataFrame,
    reach: np.ndarray,
    when: np.ndarray,
    worth: np.ndarray,
    unit: np.ndarray,
    economics: Economics,
    level: float,
) -> pd.DataFrame:
    """CLV rows; the interval is exact, from the distribution of the number of future payments."""
    running = np.cumsum(_discount(when, economics), axis=1)
    running = np.hstack([np.zeros((len(group), 1)), running])
    # The q-quantile of K is the number of payments that are reached with a chance above 1 - q.
    few, many = ((reach > 1 - q).sum(axis=1) for q in ((1 - level) / 2, (1 + level) / 2))
    rows = np.arange(len(group))
    ends = np.sort(np.stack([unit * running[rows, few], unit * running[rows, many]]), axis=0)
    out = pd.DataFrame(
        {
            "customer_id": group["customer_id"].to_numpy(),
            "p_alive": group["active"].astype(float).to_numpy(),
            "expected_purchases": reach.sum(axis=1),
            "expected_purchases_low": few.astype(float),
            "expected_purchases_high": many.astype(float),
            "expected_spend": group["price"].to_numpy(float),
            "clv": unit * worth,
            "clv_low": ends[0],
            "clv_high": ends[1],
            "plan": group["plan"].to_numpy(),
        }
    )
    if "historic_value" in group:
        out["historic_value"] = group["historic_value"].to_numpy(float)
        out["total_value"] = out["historic_value"] + out["clv"]
    if "channel" in group:
        out["channel"] = group["channel"].to_numpy()
    return out
