"""Spend that is the same for every purchase: what is left where the Gamma-Gamma model cannot be fitted.

In: an amount. Out: what ``GammaGamma`` tells of spend, without differences between customers and without a range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from .fitting import Vector

__all__ = ["ConstantSpend"]


@dataclass(frozen=True)
class ConstantSpend:
    """Every purchase is worth the same.

    Attributes
    ----------
    value : float
        Money of a purchase.

    Examples
    --------
    >>> ConstantSpend(25.0).expected_spend_new()
    25.0
    """

    value: float
    groups_: ClassVar[tuple[str, ...]] = ()

    def expected_spend(self, summary: pd.DataFrame) -> pd.Series:
        """Return the money of a purchase for each customer."""
        return pd.Series(self.value, index=summary.index, name="expected_spend")

    def expected_spend_new(self, **of: Any) -> float:
        """Return the money of a purchase, whoever makes it."""
        return self.value

    def point(self) -> Vector:
        """Return the parameters: the amount alone."""
        return np.array([self.value])

    def proper_draws(self, size: int, *, seed: int = 0) -> Vector:
        """Return the parameters as often as asked: nothing is uncertain about them."""
        return np.full((size, 1), self.value)

    def means(self, phis: Vector, of: Mapping[str, Any] | None = None) -> Vector:
        """Return the mean money of a purchase for each row of parameters."""
        return phis[:, 0]

    def sums(self) -> None:
        """Return what is to be summed of customers who are put together: nothing."""

    def summed(self, phi: Vector, rows: pd.DataFrame) -> Vector:
        """Return the expected money of a purchase, summed over the ``n`` customers of each row."""
        return rows["n"].to_numpy(float) * phi[0]

    def squared(self, rows: pd.DataFrame) -> Vector:
        """Return the sum over the customers of each row of (scale of an outcome / expected spend) squared."""
        return rows["n"].to_numpy(float)

    def columns(self, base: Any) -> tuple[Any, Any]:
        """Return the expected spend of each row, and the scale of an outcome in units of it."""
        return base["expected_purchases"] * 0 + self.value, 1.0

    def money(self, counts: Vector, x: Vector, seed: int) -> Vector:
        """Return the money of so many purchases, in units of a purchase."""
        return counts

    def money_of_outcomes(self, counts: Vector, x: Vector, seed: int) -> Vector:
        """Return the same."""
        return counts
