"""When a result may be read: days fixed beforehand, or a range that holds however often one looks.

In: the days on which a verdict may be asked for, and today. Out: ``Look``, which says how wide a range must be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from .formulas import tail
from .tables import as_day

__all__ = ["GRACE", "ONCE", "Look", "always_valid", "look_on", "obrien_fleming"]

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
def obrien_fleming(looks: int, level: float = 0.95) -> tuple[float, ...]:
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
    import numpy as np
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


def always_valid(error: float, planned: float, level: float = 0.95) -> float:
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
