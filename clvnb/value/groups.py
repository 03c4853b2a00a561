"""Groups that customers belong to from their first purchase on: a model that knows them, and what they change.

In: a SUMMARY with columns such as ``channel``. Out: a fitted model, and effects as multiples of all customers' figures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..core.maths import LEVEL
from ..core.results import Finding
from ..core.words import Words
from ..models import GammaGamma
from ..models.base import TOTAL_DRAWS, TransactionModel
from ..models.constant_spend import ConstantSpend

__all__ = ["group_effects", "know_groups"]

_FIRST_YEAR = 365.25


def know_groups(model: TransactionModel, summary: pd.DataFrame, groups: Sequence[str]) -> TransactionModel:
    """Return the same kind of model fitted with the groups; the model itself where there are none.

    Raises
    ------
    FitError
        Where no fit is found.
    """
    return model.clone().fit(summary, groups=groups) if groups else model


def group_effects(
    purchases: TransactionModel, spend: GammaGamma | ConstantSpend, summary: pd.DataFrame, words: Words
) -> Finding:
    """Return what each group changes: orders, staying and spend of its new customers against those of all.

    Parameters
    ----------
    purchases : a purchase model fitted with groups
    spend : GammaGamma or ConstantSpend
    summary : SUMMARY
        With the groups' columns.
    words : Words

    Returns
    -------
    Finding
        ``column, level, customers``; for each of ``orders`` (repeat orders in the first year), ``stays`` (the share still active
        after it) and ``spend`` (money of a purchase) a multiple of all customers' with ``_low`` and ``_high``, 90 % ranges.
        Empty without groups. Groups are associated with these differences; what would change if a customer came from
        another one is not told.
    """
    rows = []
    thetas, phis = purchases.draws(TOTAL_DRAWS, seed=1), spend.proper_draws(TOTAL_DRAWS, seed=8)
    whole = _of(purchases, spend, thetas, phis, {})
    for column in purchases.groups_:
        for level, n in summary[column].value_counts(sort=True).items():
            own = _of(purchases, spend, thetas, phis, {column: level})
            row = {"column": column, "level": str(level), "customers": int(n)}
            for name, values in own.items():
                ratio = values / whole[name]
                low, high = np.quantile(ratio[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
                row |= {name: ratio[0], f"{name}_low": min(low, ratio[0]), f"{name}_high": max(high, ratio[0])}
            rows.append(row)
    table = pd.DataFrame(rows)
    return Finding(table, _say(table, purchases, words) if len(table) else "")


def _of(
    purchases: TransactionModel,
    spend: GammaGamma | ConstantSpend,
    thetas: np.ndarray,
    phis: np.ndarray,
    of: dict[str, str],
) -> dict[str, np.ndarray]:
    """Three figures of a group's newcomers: at the estimates first, then at each draw."""
    thetas, phis = np.vstack([purchases.point(), thetas]), np.vstack([spend.point(), phis])
    return {
        "orders": purchases.expected_by_draw([(_FIRST_YEAR, 1.0)], thetas, of),
        "stays": purchases.stays_by_draw(_FIRST_YEAR, thetas, of),
        "spend": spend.means(phis, of),
    }


_SAID = {
    "orders": "order {} times as often in their first year as customers on average",
    "stays": "are {} times as often still active after a year",
    "spend": "spend {} times as much on an order",
}


def _say(table: pd.DataFrame, purchases: TransactionModel, words: Words) -> str:
    """What stands out of each column, and whether the log is explained better by a model that knows it."""
    assert purchases.plain_ is not None
    gained = 2 * len(purchases.parameters) - 2 * purchases.plain_.log_likelihood - purchases.aic_
    parts = [_stands_out(str(column), part, words) for column, part in table.groupby("column", sort=False)]
    return " ".join(parts) + (
        f" A model that knows this explains how customers buy better than one that does not (AIC lower by {gained:,.0f})."
        if gained > 2
        else " A model that knows this explains how customers buy no better than one that does not."
    )


def _stands_out(column: str, part: pd.DataFrame, words: Words) -> str:
    """The level that lies furthest from all customers in each figure, where any surely does."""
    found = []
    for what, form in _SAID.items():
        apart = part[(part[f"{what}_low"] > 1) | (part[f"{what}_high"] < 1)]
        if len(apart):
            row = apart.loc[np.log(apart[what]).abs().idxmax()]
            times = f"{row[what]:.2f} ({row[f'{what}_low']:.2f} to {row[f'{what}_high']:.2f})"
            found.append(f"customers of {row['level']} {form.format(times)}")
    name, n = column.replace("_", " "), words.counted(int(part["customers"].sum()), "customer")
    return f"By {name}: {'; '.join(found)}." if found else f"By {name} customers are alike, as far as {n} can tell."
