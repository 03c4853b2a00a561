"""What the days of a log had in common: its repeat purchases by day, for models on a clock that all customers share.

In: a checked LOG. Out: ``Calendar``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from ..core.engine import run
from ..core.errors import TableError
from ..core.tables import as_day
from ..data.summary import purchase_days
from ..models.calendar import Calendar, Term

__all__ = ["calendar_of"]


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
    days = purchase_days(log)
    days = days.filter(days.bought)
    if as_of is not None:
        days = days.filter(days.date <= as_day(as_of))
    first = days.group_by("customer_id").aggregate(first=days.date.min())
    both = days.join(first, "customer_id")
    counts = run(both.group_by("date").aggregate(bought=both.count(), new=(both.date == both["first"]).sum()), log)
    when = pd.to_datetime(counts["date"])
    last = as_day(as_of) or when.max().date()
    at = (when - when.min()).dt.days.to_numpy()
    size = (last - when.min().date()).days + 1
    total = np.bincount(at, weights=counts["bought"].to_numpy(float), minlength=size)
    repeats = total - np.bincount(at, weights=counts["new"].to_numpy(float), minlength=size)
    made = Calendar(last, repeats, tuple(terms), tuple(closed), spread)
    wrong = [made.day(int(k)) for k in np.nonzero(made.clock().shut & (total > 0))[0]]
    if wrong:
        raise TableError(f"closed: {wrong[0]} is given as closed, and somebody bought on it; take it out")
    return made
