"""What the days of a log had in common: its repeat purchases by day, for models on a clock that all customers share.

In: a checked LOG. Out: ``Calendar``; purchases by day, and the times without any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from ..core.engine import run
from ..core.errors import TableError
from ..core.tables import as_day
from ..data.summary import purchase_days
from ..models.calendar import Calendar, Series, Term

__all__ = ["calendar_of", "dated", "made_of_days", "purchases_by_day", "silences"]

# The prior of a dated series: it makes customers buy up to 2.7 times as often, or as seldom, in two of three cases.
_SERIES_SD = 1.0

# So many days in a row without a purchase, of which so many were expected, are days without business.
_SHUT_DAYS, _SHUT_PURCHASES, _AROUND = 14, 25.0, 56


def calendar_of(
    log: Any,
    *,
    terms: Sequence[Term] = (),
    closed: Sequence[tuple[str, str]] = (),
    as_of: date | str | None = None,
    spread: float = 1.0,
) -> Calendar:
    """Count a LOG's repeat purchases by day, for ``MBGNBD().fit(summary, calendar=...)``.

    Parameters
    ----------
    log : LOG
        Checked.
    terms : sequence of Trend, Season, Peak or Series
        What the pace of purchases may depend on.
    closed : sequence of (str, str)
        First and last day of each time without any business, such as ``("2024-03-01", "2024-04-15")``.
    as_of : date, optional
        The last day; of the log when left out.
    spread : float
        How much more than chance weekly repeat purchases vary, 1 or more; see ``Calendar``.

    Returns
    -------
    Calendar

    Raises
    ------
    TableError
        When somebody bought on a day that is given as closed.

    Examples
    --------
    >>> import clvnb as cv
    >>> log = cv.MBGNBD.with_params(r=0.9, alpha=60.0, a=0.8, b=2.5).simulate(400, length="2 years", seed=1)
    >>> calendar = calendar_of(log, terms=(cv.models.Trend(), cv.models.Season()))
    >>> model = cv.MBGNBD().fit(cv.summarize(log, as_of=calendar.as_of), calendar=calendar)
    >>> list(model.calendar_effects_["term"])
    ['trend', 'cosine 1 a year', 'sine 1 a year', 'cosine 2 a year', 'sine 2 a year']
    """
    days = purchases_by_day(log, as_day(as_of))
    refuse_bought_on(days, closed)
    return made_of_days(days, terms, closed, spread)


def refuse_bought_on(days: pd.DataFrame, closed: Sequence[tuple[str, str]]) -> None:
    """Refuse times that are given as closed and are not.

    Raises
    ------
    TableError
        Naming the first day on which somebody bought.
    """
    for first, last in closed:
        inside = days.loc[first:last, "bought"]
        if (inside > 0).any():
            day = inside.index[inside > 0][0]
            raise TableError(f"closed: {day:%Y-%m-%d} is given as closed, and somebody bought on it; take it out")


def dated(
    given: Mapping[str, Sequence[tuple[str, str]]], as_of: date
) -> tuple[tuple[Series, ...], tuple[tuple[str, str], ...]]:
    """Return the dated series that ``client.yaml`` names, and the times without business, ``closed``.

    A series of which no day has come yet is left out: nothing is known of it.

    Examples
    --------
    >>> [sale], closed = dated({"sale": [("2024-11-29", "2024-12-01")], "closed": [("2024-08-01", "2024-08-14")]}, date(2025, 1, 1))
    >>> sale.start, sale.values, closed
    ('2024-11-29', (1.0, 1.0, 1.0), (('2024-08-01', '2024-08-14'),))
    """
    made = []
    for name, spans in given.items():
        if name == "closed" or not spans or min(first for first, _ in spans) > as_of.isoformat():
            continue
        start, end = min(first for first, _ in spans), max(last for _, last in spans)
        days = pd.date_range(start, end)
        on = np.zeros(len(days))
        for first, last in spans:
            on[(days >= first) & (days <= last)] = 1.0
        made.append(Series(name, start, tuple(on.tolist()), _SERIES_SD))
    return tuple(made), tuple(given.get("closed", ()))


def purchases_by_day(log: Any, as_of: date | None = None) -> pd.DataFrame:
    """Return purchases of all customers on every day from the first one to ``as_of``.

    Returns
    -------
    pandas.DataFrame
        Indexed by day: ``bought``, and how many of them were a customer's first, ``new``.
    """
    days = purchase_days(log)
    days = days.filter(days.bought) if as_of is None else days.filter(days.bought, days.date <= as_of)
    first = days.group_by("customer_id").aggregate(first=days.date.min())
    both = days.join(first, "customer_id")
    found = run(both.group_by("date").aggregate(bought=both.count(), new=(both.date == both["first"]).sum()), log)
    found = found.assign(date=pd.to_datetime(found["date"])).set_index("date").sort_index()
    every = pd.date_range(found.index[0], found.index[-1] if as_of is None else as_of, name="date")
    return found.reindex(every, fill_value=0).astype(float)


def made_of_days(
    days: pd.DataFrame, terms: Sequence[Term], closed: Sequence[tuple[str, str]], spread: float
) -> Calendar:
    """Return the calendar of purchases by day."""
    repeats = (days["bought"] - days["new"]).to_numpy(float)
    return Calendar(days.index[-1].date(), repeats, tuple(terms), tuple(closed), spread)


def silences(days: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    """Return the times without a purchase of anybody, in which by the weeks around many would have come."""
    count = days["bought"].to_numpy(float)
    edges = np.flatnonzero(np.diff(np.r_[0, (count == 0).astype(int), 0]))
    found = []
    for low, high in edges.reshape(-1, 2):  # a run of empty days, the last one before ``high``
        around = np.r_[count[max(low - _AROUND, 0) : low], count[high : high + _AROUND]]
        inside = low > 0 and high < len(count) and high - low >= _SHUT_DAYS
        if inside and around.mean() * (high - low) >= _SHUT_PURCHASES:
            first = days.index[0].date()
            found.append(tuple((first + timedelta(days=int(day))).isoformat() for day in (low, high - 1)))
    return tuple(found)
