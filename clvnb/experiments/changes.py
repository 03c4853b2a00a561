"""A change and its range: what every design returns, and what threatens it.

In: means, errors, the draws of chance. Out: ``Change`` with its interval and p, ``Threat``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import TableError
from ..core.maths import newcombe

__all__ = ["APART", "MIN_CUSTOMERS", "Change", "Threat", "contrast", "enough", "standardised", "two_valued", "welch"]

MIN_CUSTOMERS = 10  # customers on each side below which nothing is compared
APART = 0.1  # standardised difference above which two groups are not alike


@dataclass(frozen=True)
class Threat:
    """One thing that could make a change look other than it is.

    Attributes
    ----------
    check : str
        What was looked at.
    found : str
        What was found, in words.
    ok : bool or None
        None where no data can tell.
    stops : bool
        Whether nothing may be concluded where it is not.
    unless : str
        What would make a claim of cause wrong and no data can tell; it stands in the verdict's sentence.
    """

    check: str
    found: str
    ok: bool | None
    stops: bool = False
    unless: str = ""


@dataclass(frozen=True)
class Change:
    """What a design found, in the outcome's own unit.

    Attributes
    ----------
    design : str
        ``A`` to ``F``, ``A+`` with CUPED.
    before, after : float
        What is compared: holdout and treated, or before and after; shares as fractions.
    value, error : float
        The change and its standard error.
    n : int
        Customers or answers on both sides.
    df : float
        Degrees of freedom of the error.
    shares : tuple or None
        ``(p0, n0, p1, n1)`` of two independent shares, whose interval is Newcombe's.
    threats : tuple of Threat
        What could make it look other than it is.
    method : str
        In words.
    beside : tuple of Change
        Other ways to see it that err to other sides; the interval holds them all.
    chance : array of float or None
        Studentised changes that chance alone makes, ascending, whose quantiles then take the place of Student's t.
    cap : (float, float) or None
        Amounts beyond these count as these.
    uncapped : float
        The change with every amount as it is; missing where none was capped.

    Examples
    --------
    >>> Change("E", before=10.0, after=12.0, value=2.0, error=0.5, n=40).interval(1.959964)
    (1.0200179999999999, 2.979982)
    """

    design: str
    before: float
    after: float
    value: float
    error: float
    n: int
    df: float = math.inf
    shares: tuple[float, int, float, int] | None = None
    threats: tuple[Threat, ...] = field(default=())
    method: str = ""
    beside: tuple[Change, ...] = ()
    chance: np.ndarray | None = field(default=None, repr=False, compare=False)
    cap: tuple[float, float] | None = None
    uncapped: float = math.nan

    def interval(self, z: float) -> tuple[float, float]:
        """Return the interval that is as sure as ``z`` standard errors of a normal distribution are.

        Parameters
        ----------
        z : float
            How many standard errors: 1.96 for 95 %.

        Returns
        -------
        (low, high)
            In the outcome's unit; infinite where ``z`` is 37 or more.

        Notes
        -----
        Newcombe's where ``shares`` is given, the quantiles of ``chance`` where that is, otherwise Student's t with
        ``df`` degrees of freedom; with ``beside`` the span of them all.

        References
        ----------
        Newcombe (1998), *Statistics in Medicine* 17: 873-890.
        """
        spans = [self._own(z), *(other.interval(z) for other in self.beside)]
        return min(low for low, _ in spans), max(high for _, high in spans)

    def _own(self, z: float) -> tuple[float, float]:
        from scipy.special import ndtr, stdtrit

        if not z < 37:  # beyond that no distribution has anything left to tell
            return -math.inf, math.inf
        if self.shares is not None:
            return newcombe(*self.shares, alpha=float(2 * ndtr(-z)))
        if self.chance is not None:
            least, most = _quantiles(self.chance, z)
            return self.value - most * self.error, self.value - least * self.error
        wide = z if math.isinf(self.df) else float(-stdtrit(self.df, ndtr(-z)))
        return self.value - wide * self.error, self.value + wide * self.error

    @property
    def p_value(self) -> float:
        """Two-sided p of no change, by ``chance`` or Student's t; with ``beside`` the largest, 1 where they disagree."""
        from scipy.special import stdtr

        if self.beside and len({math.copysign(1, c.value) for c in (self, *self.beside)}) > 1:
            return 1.0
        if self.error <= 0:
            own = 1.0 if self.value == 0 else 0.0
        elif self.chance is not None:
            t, draws = self.value / self.error, len(self.chance)
            below = np.searchsorted(self.chance, t + 1e-9 * abs(t), side="right")
            above = draws - np.searchsorted(self.chance, t - 1e-9 * abs(t), side="left")
            own = min(1.0, 2 * float(min(below, above) + 1) / (draws + 1))
        else:
            own = float(2 * stdtr(min(self.df, 1e6), -abs(self.value / self.error)))
        return max(own, *(c.p_value for c in self.beside)) if self.beside else own


def _quantiles(chance: np.ndarray, z: float) -> tuple[float, float]:
    """Ends between which chance stays as surely as within ``z`` standard errors; beyond what was drawn they grow with z."""
    from scipy.special import ndtr, ndtri

    reach = max(float(ndtr(-z)), 10 / (len(chance) + 1))
    wider = max(1.0, z / float(-ndtri(reach)))
    k = int(reach * (len(chance) + 1))  # so many draws, the observed one among them, lie beyond
    return wider * float(chance[k - 1]), wider * float(chance[-k])


def contrast(
    values: np.ndarray, cells: np.ndarray, coefficients: Mapping[Any, float], clusters: np.ndarray | None
) -> tuple[float, float]:
    """Return a sum of cell means times coefficients, and its standard error, with whatever one customer did taken together."""
    total, pull = 0.0, np.zeros(len(values))
    for cell, c in coefficients.items():
        own = cells == cell
        n = int(own.sum())
        mean = float(values[own].mean())
        total += c * mean
        pull[own] = c * (values[own] - mean) / n * math.sqrt(n / max(n - 1, 1))
    if clusters is not None:
        return total, float(np.sqrt((np.bincount(pd.factorize(clusters)[0], weights=pull) ** 2).sum()))
    return total, float(np.sqrt((pull**2).sum()))


def welch(a: np.ndarray, b: np.ndarray) -> float:
    """Return the degrees of freedom of a difference of two means."""
    va, vb = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    if va + vb <= 0:
        return math.inf
    return float((va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1)))


def two_valued(values: np.ndarray) -> bool:
    """Return whether all are 0 or 1."""
    return bool(np.isin(values, (0.0, 1.0)).all())


def enough(a: Any, b: Any, what: str) -> None:
    """Raise a TableError where one side is too small to be compared."""
    if min(len(a), len(b)) < MIN_CUSTOMERS:
        raise TableError(f"{len(a)} and {len(b)} {what} are too few to compare; at least ten are needed on each side")


def standardised(a: np.ndarray, b: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return by how many standard deviations two groups differ; ``weights`` are the second's."""
    spread = math.sqrt((a.var() + b.var()) / 2)
    return 0.0 if spread == 0 else float((a.mean() - np.average(b, weights=weights)) / spread)
