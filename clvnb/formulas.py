"""Textbook arithmetic of customer lifetime value: durations, discounting, and the ladder's lower rungs.

In: plain numbers, or a checked log. Out: plain numbers or small tables; nothing is fitted here.
"""

from __future__ import annotations

import math
import re

__all__ = ["annual_to_daily", "days", "years"]

DAYS_PER_YEAR = 365.25
_UNIT_DAYS = {
    "day": 1.0,
    "week": 7.0,
    "month": DAYS_PER_YEAR / 12,
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
        value = float(match[1]) * _UNIT_DAYS[match[2]]
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
