"""Customers who are still to be won.

In: what newcomers of the last year did. Out: ``Newcomers``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Newcomers"]


@dataclass(frozen=True)
class Newcomers:
    """The customers a year brings, and what they are worth.

    Attributes
    ----------
    per_year : float
        Customers won in a year.
    clv : float
        Money, of one, at acquisition.
    cac : float
        Money, for winning one; missing where it is not known.
    activated : float
        Share who come to a second purchase, between 0 and 1; missing where that is not known.
    activated_clv, other_clv : float
        Expected money from one who did, and from one who did not.

    Examples
    --------
    >>> Newcomers(per_year=500, clv=60.0, cac=20.0).activated
    nan
    """

    per_year: float
    clv: float
    cac: float = math.nan
    activated: float = math.nan
    activated_clv: float = math.nan
    other_clv: float = math.nan
