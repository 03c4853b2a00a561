"""How many answers or customers it takes to see a change, which change a number of them can show, and when to look.

In: a metric, a change worth seeing, the chances of error, days. Out: counts, the smallest change that would be seen, ``Look``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from hashlib import blake2b

import numpy as np

from ..core.maths import TEST_LEVEL, tail
from ..core.tables import as_day

__all__ = [
    "GRACE",
    "Look",
    "ONCE",
    "always_valid",
    "detectable_change",
    "draw",
    "look_on",
    "margin_of_error_size",
    "obrien_fleming",
    "sample_size",
]

NPS_VARIANCE = 0.65  # per answer, of scores in -1..1: between the 0.6 and 0.7 that surveys usually show; 1 is the worst


def _quantile(p: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(p))


def sample_size(
    change: float,
    *,
    share: float | None = None,
    variance: float | None = None,
    level: float = TEST_LEVEL,
    power: float = 0.8,
    ratio: float = 1.0,
    correlation: float = 0.0,
    design_effect: float = 1.0,
    fewer: float = 0.0,
) -> tuple[int, int]:
    """Return how many it takes in each of two groups, or waves, to see a change.

    Parameters
    ----------
    change : float
        Difference to be seen: of shares 0.05 is five percentage points, of means it is in their unit, of NPS 0.1 is
        ten points.
    share : float, optional
        The share before. With ``ratio=1`` the two-proportion test pooled under no change; with unequal groups each
        share's own variance.
    variance : float, optional
        Variance of one answer or customer, for means and NPS. One of ``share`` and ``variance`` is needed.
    level, power : float
        Chance not to see a change where there is none (two-sided), and to see the one there is.
    ratio : float
        Size of the second group over the first; 4 for a holdout of a fifth.
    correlation : float
        Of the outcome with its value before: CUPED reduces the variance by its square.
    design_effect : float
        How much weighting or clustering inflates the variance.
    fewer : float
        Answers that the method adds by itself: 3 for adjusted NPS.

    Returns
    -------
    (int, int)
        First and second group, rounded up.

    Raises
    ------
    ValueError
        When a share leaves 0 to 1, the change is 0, or neither share nor variance is given.

    Notes
    -----
    For means (z + z_power)^2 variance (1 + 1/ratio) / change^2.

    References
    ----------
    Shares: Fleiss, Levin and Paik (2003), Statistical Methods for Rates and Proportions, chapter 4; means: Lachin
    (1981), Controlled Clinical Trials 2, 93-113; ``fewer``: Rocks (2016), The American Statistician 70(4), 365-372;
    CUPED: Deng, Xu, Kohavi and Walker (2013).

    Examples
    --------
    >>> sample_size(0.05, share=0.80)
    (906, 906)
    >>> sample_size(0.10, variance=0.6)  # NPS, ten points
    (942, 942)
    >>> sample_size(10, variance=250.0 ** 2)  # CLV is very unequal
    (9812, 9812)
    """
    if change == 0:
        raise ValueError("change must differ from 0: no number of customers shows that nothing happened")
    z, z_power = _quantile((1 + level) / 2), _quantile(power)
    if share is not None:
        after = share + change
        if not (0 < share < 1 and 0 < after < 1):
            raise ValueError(f"shares must lie between 0 and 1, got {share} and {after}")
        own = share * (1 - share) + after * (1 - after) / ratio
        if ratio == 1:
            mean = (share + after) / 2
            need = (z * math.sqrt(2 * mean * (1 - mean)) + z_power * math.sqrt(own)) ** 2
        else:
            need = (z + z_power) ** 2 * own
    elif variance is not None:
        need = (z + z_power) ** 2 * variance * (1 + 1 / ratio)
    else:
        raise ValueError("give `share` for shares, `variance` for means and NPS")
    first = need * (1 - correlation**2) * design_effect / change**2 - fewer
    return math.ceil(first), math.ceil(first * ratio)


def detectable_change(
    n: float, other: float | None = None, *, variance: float, level: float = TEST_LEVEL, power: float = 0.8
) -> float:
    """Return the smallest change that two groups of these sizes would probably show.

    Parameters
    ----------
    n, other : float
        Answers or customers in each group; the same in both when ``other`` is left out.
    variance : float
        Of one answer: ``p (1 - p)`` for a share, ``p + d - (p - d)^2`` for NPS.
    level : float
        Of the two-sided test.
    power : float
        Chance to see the change.

    Returns
    -------
    float
        In the unit of the outcome; a share's is a fraction. Missing without customers.

    Notes
    -----
    (z + z_power) sqrt(variance (1/n + 1/other)).

    References
    ----------
    Bloom (1995), "Minimum detectable effects", Evaluation Review 19(5), 547-556.

    Examples
    --------
    >>> round(detectable_change(200, variance=0.62), 3)  # 22 NPS points
    0.221
    """
    other = n if other is None else other
    if n <= 0 or other <= 0:
        return float("nan")
    return (_quantile((1 + level) / 2) + _quantile(power)) * math.sqrt(variance * (1 / n + 1 / other))


def margin_of_error_size(
    margin: float, *, variance: float, level: float = TEST_LEVEL, customers: int | None = None, fewer: float = 0.0
) -> int:
    """Return how many answers bring the margin of error of one score down to ``margin``.

    Parameters
    ----------
    margin : float
        Half the width of the interval, in the unit of the score: 0.05 is five percentage points of a share, 0.10 ten
        points of NPS.
    variance : float
        Of one answer, as in ``detectable_change``.
    level : float
        Of the interval.
    customers : int, optional
        So many there are to ask at all: the correction for a finite population.
    fewer : float
        3 for adjusted NPS.

    Returns
    -------
    int
        Answers, rounded up.

    Notes
    -----
    n = variance (z / margin)^2 - fewer, then n / (1 + (n - 1) / customers).

    References
    ----------
    Cochran (1977), Sampling Techniques, chapter 4; NPS: Rocks (2016), The American Statistician 70(4), 365-372.

    Examples
    --------
    >>> margin_of_error_size(0.05, variance=0.25), margin_of_error_size(0.05, variance=0.25, customers=1200)
    (385, 292)
    >>> margin_of_error_size(0.10, variance=0.7, fewer=3)  # NPS, ten points
    266
    """
    n = variance * (_quantile((1 + level) / 2) / margin) ** 2 - fewer
    if customers is not None:
        n = n / (1 + (n - 1) / customers)
    return math.ceil(n)


def draw(customers: Sequence[str], name: str, seed: int) -> np.ndarray:
    """Return a random number for each customer that anybody can compute again from the name and the seed.

    Parameters
    ----------
    customers : sequence of str
        Ids, in any order: a customer's number does not depend on the others.
    name : str
        What is drawn for, so that another initiative draws other customers.
    seed : int
        Another draw of the same name.

    Returns
    -------
    numpy.ndarray of float
        From 0 to 1. A holdout of a tenth are the tenth with the lowest numbers.

    References
    ----------
    Randomisation by hash: Kohavi, Tang and Xu (2020), *Trustworthy Online Controlled Experiments*, chapter 4.

    Examples
    --------
    >>> draw(["a", "b"], "faster replies", 1).round(3).tolist() == draw(["b", "a"], "faster replies", 1)[::-1].round(3).tolist()
    True
    """
    made = (blake2b(f"{name}\0{seed}\0{c}".encode(), digest_size=8).digest() for c in customers)
    return np.fromiter((int.from_bytes(d, "big") / 2**64 for d in made), dtype=float)


GRACE = 14  # days after a fixed day in which its verdict may still be read: exports arrive late


@dataclass(frozen=True)
class Look:
    """How often a result is looked at, and so how wide its range must be.

    Attributes
    ----------
    kind : "once", "planned", "open" or "interim"
        ``once``: a single look. ``planned``: one of the days fixed beforehand. ``open``: no days were fixed, or they
        are over, so that the range must hold however often is looked. ``interim``: between fixed days, when nothing is
        decided.
    number : int
        Which of them it is.
    of : int
        How many looks there are.
    due : str
        The next fixed day, of an interim look.

    Examples
    --------
    >>> round(Look("planned", 1, 2).critical(0.01, 0.95, 0.03), 3), Look("once").said()
    (2.797, '')
    """

    kind: str
    number: int = 1
    of: int = 1
    due: str = ""

    def critical(self, error: float, level: float, planned: float) -> float:
        """Return how many standard errors a range reaches to either side.

        Parameters
        ----------
        error : float
            Standard error of the estimate.
        level : float
            Of the interval.
        planned : float
            The effect for which it was planned, in the estimate's unit; it tunes the range that is always valid.

        Returns
        -------
        float
            At a planned look O'Brien and Fleming's bound, at a single one the normal quantile, otherwise
            ``always_valid``.
        """
        if self.kind == "planned":
            return obrien_fleming(self.of, level)[self.number - 1]
        if self.kind == "once":
            return tail(level)
        return always_valid(error, planned, level)

    def said(self, day: str = "") -> str:
        """Say in words which look it is.

        Parameters
        ----------
        day : str
            How the next fixed day is shown; ISO 8601 when left out.

        Returns
        -------
        str
            Empty of a single look.
        """
        return {
            "once": "",
            "planned": f"look {self.number} of {self.of} that were fixed beforehand",
            "open": "the range holds however often it is looked at",
            "interim": f"an interim state: the verdict is due on {day or self.due}",
        }[self.kind]


def look_on(looks: Sequence[str], as_of: date | str) -> Look:
    """Return which look a day is.

    A fixed day stands for itself and the fourteen days after it, since exports arrive late. Between fixed days a look
    is ``interim``, after the last one, or without any, ``open``.

    Parameters
    ----------
    looks : sequence of str
        The days fixed beforehand, ISO 8601, ascending.
    as_of : date
        The last day looked at.

    Returns
    -------
    Look
        Which of the planned looks it is, or that it is none of them, and when the next is due.

    Examples
    --------
    >>> look_on(["2025-07-01", "2025-12-31"], "2025-07-03").said()
    'look 1 of 2 that were fixed beforehand'
    >>> look_on(["2025-07-01", "2025-12-31"], "2025-09-03").kind, look_on([], "2025-09-03").kind
    ('interim', 'open')
    """
    today = as_day(as_of)
    days = sorted(d for d in map(as_day, looks) if d is not None)
    if today is None or not days or today > days[-1] + timedelta(days=GRACE):
        return Look("open")
    for k, day in enumerate(days, start=1):
        if day <= today <= day + timedelta(days=GRACE):
            return Look("planned", k, len(days))
    return Look("interim", due=str(next(d for d in days if d > today)))


ONCE = Look("once")


@cache
def obrien_fleming(looks: int, level: float = TEST_LEVEL) -> tuple[float, ...]:
    """Return O'Brien and Fleming's bounds for equally spaced looks, in standard errors.

    Parameters
    ----------
    looks : int
        From 1 to 6.
    level : float
        Of all looks together, two-sided.

    Returns
    -------
    tuple of float
        The bound of each look, the first the widest.

    Raises
    ------
    ValueError
        When ``looks`` lies outside 1 to 6.

    Notes
    -----
    At look k the bound is c sqrt(K/k), and c is such that a walk without drift crosses any of them with probability 1 -
    level.

    References
    ----------
    O'Brien and Fleming (1979), Biometrics 35, 549-556; constants as in Jennison and Turnbull (2000), table 2.3.

    Examples
    --------
    >>> [round(z, 3) for z in obrien_fleming(2)]
    [2.797, 1.977]
    """
    from scipy.optimize import brentq

    if not 1 <= looks <= 6:
        raise ValueError(f"looks must lie between 1 and 6, got {looks}")
    nodes, weights = np.polynomial.legendre.leggauss(201)

    def missed(c: float) -> float:
        """Chance that a walk stays within all bounds, less the level: its density is carried from look to look."""
        # On the scale of the walk itself (a sum of k standard normals) every bound is the same: c sqrt(K).
        edge = c * math.sqrt(looks)
        at, w = edge * nodes, edge * weights
        step = np.exp(-0.5 * (at[:, None] - at[None, :]) ** 2) / math.sqrt(2 * math.pi)
        density = np.exp(-0.5 * at**2) / math.sqrt(2 * math.pi)
        for _ in range(looks - 1):
            density = step @ (w * density)
        return float(w @ density) - level

    c = float(brentq(missed, 1.0, 4.0, xtol=1e-10))
    return tuple(c * math.sqrt(looks / k) for k in range(1, looks + 1))


def always_valid(error: float, planned: float, level: float = TEST_LEVEL) -> float:
    """Return how many standard errors a range must reach to hold at all looks together, however many there are.

    Parameters
    ----------
    error : float
        Standard error of the estimate today.
    planned : float
        An effect that was worth planning for, in the same unit, fixed before the data: the mixture's spread. The range
        is about as narrow as it can be when the standard error is a third of it.
    level : float
        Of all looks together, two-sided.

    Returns
    -------
    float
        A multiple of the standard error, above that of a single look; infinite where ``error`` or ``planned`` is not
        above 0.

    References
    ----------
    The normal mixture of Robbins (1970), as Johari, Koomen, Pekelis and Walsh (2022), Operations Research 70(3),
    1806-1821, use it.

    Examples
    --------
    >>> round(always_valid(0.01, 0.03), 2)
    3.04
    """
    if not (error > 0 and planned > 0):
        return math.inf
    ratio = (planned / error) ** 2
    return math.sqrt((1 + 1 / ratio) * (math.log1p(ratio) - 2 * math.log(1 - level)))
