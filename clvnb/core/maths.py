"""What every room computes with: durations in days, the daily rate of a yearly one, ends of intervals.

In: plain numbers or durations. Out: plain numbers.
"""

from __future__ import annotations

import math
import re
from typing import Any

__all__ = ["LEVEL", "TEST_LEVEL", "annual_to_daily", "days", "newcombe", "tail", "wilson", "years"]

LEVEL = 0.90  # of every range, unless another is asked for: it holds the truth nine times in ten
TEST_LEVEL = 0.95  # of what is tested: verdicts, the size of a test, tables of coefficients; one false alarm in twenty
DAYS_PER_YEAR = 365.25
MONTH = DAYS_PER_YEAR / 12
UNIT_DAYS = {
    "day": 1.0,
    "week": 7.0,
    "month": MONTH,
    "quarter": DAYS_PER_YEAR / 4,
    "year": DAYS_PER_YEAR,
}


def days(duration: str | float) -> float:
    """Turn a duration into days, the one clock of every model.

    Parameters
    ----------
    duration : str or number
        ``"3 years"``, ``"12 months"``, ``"39 weeks"``, ``"90 days"``; a plain number is days.
        A year has 365.25 days and a month a twelfth of that.

    Returns
    -------
    float
        Days, above zero.

    Examples
    --------
    >>> days("39 weeks"), days("1 year"), days(30)
    (273.0, 365.25, 30.0)
    >>> days("3 yaers")
    Traceback (most recent call last):
    ...
    ValueError: '3 yaers' is not a duration: write a number and a unit, such as '3 years', '12 months' or '90 days'
    """
    if isinstance(duration, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(day|week|month|quarter|year)s?\s*", duration)
        if match is None:
            raise ValueError(
                f"{duration!r} is not a duration: write a number and a unit, such as '3 years', "
                "'12 months' or '90 days'"
            )
        value = float(match[1]) * UNIT_DAYS[match[2]]
    elif isinstance(duration, bool):
        raise ValueError(f"{duration!r} is not a duration")
    else:
        value = float(duration)
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"a duration must be longer than nothing, got {duration!r}")
    return value


def years(duration: str | float) -> float:
    """Turn a duration into years of 365.25 days.

    Examples
    --------
    >>> years("18 months")
    1.5
    """
    return days(duration) / DAYS_PER_YEAR


def tail(level: float) -> float:
    """How many standard deviations reach an interval of this level."""
    from scipy.special import ndtri

    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, for example 0.9, got {level}")
    return float(ndtri((1 + level) / 2))


def wilson(share: Any, n: Any, level: float) -> tuple[Any, Any]:
    """Return the ends of Wilson's (1927) interval for shares of ``n`` cases each; numbers, arrays or columns.

    Examples
    --------
    >>> [round(float(end), 4) for end in wilson(0.82, 200, 0.95)]
    [0.7609, 0.8671]
    """
    from statsmodels.stats.proportion import proportion_confint

    tail(level)  # refuses what is no level
    return proportion_confint(share * n, n, alpha=1 - level, method="wilson")


def newcombe(share: float, n: float, other: float, m: float, alpha: float) -> tuple[float, float]:
    """Return the ends of Newcombe's (1998) hybrid score interval for ``other`` less ``share``, of m and n cases each.

    Examples
    --------
    >>> [round(end, 4) for end in newcombe(0.82, 200, 0.89, 200, 0.05)]
    [0.0007, 0.1393]
    """
    from statsmodels.stats.proportion import confint_proportions_2indep

    low, high = confint_proportions_2indep(other * m, m, share * n, n, method="newcomb", compare="diff", alpha=alpha)
    return round(float(low), 15), round(float(high), 15)


def annual_to_daily(discount_rate: float) -> float:
    """Turn an effective yearly rate into the continuous force of interest per day, ln(1 + d) / 365.25.

    Parameters
    ----------
    discount_rate : float
        A year, as a fraction, not below 0.

    Examples
    --------
    >>> round(annual_to_daily(0.10) * 365.25, 6)
    0.09531
    >>> annual_to_daily(10)
    Traceback (most recent call last):
    ...
    ValueError: discount_rate is a fraction a year: write 0.1 for 10 %, got 10
    """
    if discount_rate > 1:
        raise ValueError(
            f"discount_rate is a fraction a year: write {discount_rate / 100:g} for {discount_rate:g} %, "
            f"got {discount_rate:g}"
        )
    if discount_rate < 0:
        raise ValueError(f"discount_rate must not be below 0, got {discount_rate:g}")
    return math.log1p(discount_rate) / DAYS_PER_YEAR
