"""A clock that all customers share: the pace of purchases by trend, season, dated series and days closed.

In: repeat purchases by day. Out: ``Calendar``, for ``MBGNBD().fit(summary, calendar=...)``, and ``Clock``, its days.

All customers' purchase rates are multiplied by m(day) = exp(b'z(day)). Customers of BG/NBD and MBG/NBD leave at purchases,
so that the whole model stays in closed form on the clock M, the sum of m: t_x, T and the horizon are counted on it, and the
log-likelihood gains the sum of ln m over the days of repeat purchases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pandas as pd

from .covariates import Design
from .fitting import Levels, Triples, Vector

__all__ = ["Calendar", "Clock", "Peak", "Season", "Series", "Term", "Trend", "objective_of"]

# How far ahead a clock is written out; beyond, its pace is that of its last year.
AHEAD = 3653


class Term(Protocol):
    """A part of b'z: its columns by day, and how far its coefficients may go."""

    @property
    def sd(self) -> float:
        """The standard deviation of each coefficient's prior."""

    @property
    def names(self) -> tuple[str, ...]:
        """One for each coefficient."""

    def columns(self, offset: Vector, as_of: date) -> Vector:
        """Return z of days so many days after ``as_of``, of shape (days, coefficients)."""


@dataclass(frozen=True)
class Trend:
    """A pace that grows or falls, and after ``as_of`` comes to rest.

    Attributes
    ----------
    sd : float
        Of the prior of the change a year, in logarithms.
    rest : float
        Days after which 63 % of what the trend will still do is done.

    References
    ----------
    The damped trend: Gardner and McKenzie (1985), Management Science 31(10), 1237-1246.
    """

    sd: float = 0.4
    rest: float = 730.0

    @property
    def names(self) -> tuple[str, ...]:
        """One for each coefficient."""
        return ("trend",)

    def columns(self, offset: Vector, as_of: date) -> Vector:
        """Return z of days so many days after ``as_of``: years before it, damped after it."""
        ahead = self.rest * -np.expm1(-np.maximum(offset, 0.0) / self.rest)
        return np.where(offset > 0, ahead, offset)[:, None] / 365.25


@dataclass(frozen=True)
class Season:
    """Waves of a year and of its half, third, ...

    Attributes
    ----------
    sd : float
        Of the prior of each coefficient.
    waves : int
        How many of them.
    """

    sd: float = 0.2
    waves: int = 2

    @property
    def names(self) -> tuple[str, ...]:
        """One for each coefficient."""
        return tuple(f"{kind} {k} a year" for k in range(1, self.waves + 1) for kind in ("cosine", "sine"))

    def columns(self, offset: Vector, as_of: date) -> Vector:
        """Return z of days so many days after ``as_of``."""
        angle = 2 * np.pi * (offset + (as_of - date(2000, 1, 1)).days) / 365.25
        return np.column_stack([f(k * angle) for k in range(1, self.waves + 1) for f in (np.cos, np.sin)])


@dataclass(frozen=True)
class Series:
    """A dated series of one's own, such as the days of promotions; 0 where nothing is given.

    Attributes
    ----------
    name : str
    start : str
        The day of the first value, such as ``"2024-11-01"``.
    values : tuple of float
        One a day.
    sd : float
        Of the prior of the coefficient.
    """

    name: str
    start: str
    values: tuple[float, ...]
    sd: float = 1.0

    @property
    def names(self) -> tuple[str, ...]:
        """One for each coefficient."""
        return (self.name,)

    def columns(self, offset: Vector, as_of: date) -> Vector:
        """Return the values of days so many days after ``as_of``."""
        at = offset.astype(int) + (as_of - date.fromisoformat(self.start)).days
        inside = (at >= 0) & (at < len(self.values))
        given = np.asarray(self.values, dtype=float)
        return np.where(inside, given[np.clip(at, 0, len(given) - 1)], 0.0)[:, None]


@dataclass(frozen=True)
class Peak:
    """The weeks before Christmas, in which gifts are bought: a peak too short for the waves of a season.

    Attributes
    ----------
    sd : float
        Of the prior of the coefficient.
    first, last : (int, int)
        Month and day.
    """

    sd: float = 0.7
    first: tuple[int, int] = (11, 21)
    last: tuple[int, int] = (12, 24)

    @property
    def names(self) -> tuple[str, ...]:
        """One for each coefficient."""
        return ("weeks before Christmas",)

    def columns(self, offset: Vector, as_of: date) -> Vector:
        """Return 1 for the days between, less the share of a year that they are."""
        when = pd.DatetimeIndex(pd.Timestamp(as_of) + pd.to_timedelta(offset, unit="D"))
        number = when.month.to_numpy() * 100 + when.day.to_numpy()
        ends = [month * 100 + day for month, day in (self.first, self.last)]
        inside = (number >= ends[0]) & (number <= ends[1])
        return (inside - 34 / 365.25)[:, None]


_TERMS: dict[str, Callable[..., Term]] = {"Trend": Trend, "Season": Season, "Series": Series, "Peak": Peak}


@dataclass(frozen=True)
class Calendar:
    """What the days of a log had in common, and what was bought on them.

    Attributes
    ----------
    as_of : date
        The last day.
    repeats : array
        Repeat purchases of all customers on each day, the last one ``as_of``.
    terms : tuple of Term
        What the pace may depend on.
    closed : tuple of (str, str)
        First and last day of each time without any business.
    spread : float
        How much more than chance weekly repeat purchases vary (variance over mean, 1 or more): as much less a day's
        purchases say of the clock, and as much more the priors of its coefficients count.
    """

    as_of: date
    repeats: Vector
    terms: tuple[Term, ...] = ()
    closed: tuple[tuple[str, str], ...] = ()
    spread: float = 1.0

    def day(self, number: int) -> date:
        """The date of a day of the log, the first one 0."""
        return self.as_of - timedelta(days=len(self.repeats) - 1 - number)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the coefficients."""
        return tuple(name for term in self.terms for name in term.names)

    @property
    def sds(self) -> Vector:
        """Of their priors."""
        return np.array([term.sd for term in self.terms for _ in term.names])

    def clock(self, coefficients: Vector | None = None) -> Clock:
        """Return the clock that these coefficients make; one without terms when left out."""
        names = self.names
        values = np.zeros(len(names)) if coefficients is None else np.asarray(coefficients, dtype=float)
        return Clock(self.as_of, len(self.repeats) - 1, self.terms, self.closed, values)


@dataclass(frozen=True)
class Clock:
    """Days as they count: the pace of every day before and after ``as_of``, added up.

    Attributes
    ----------
    as_of : date
    before : int
        Days of the log before it.
    terms, closed
        As of ``Calendar``.
    coefficients : array
    """

    as_of: date
    before: int
    terms: tuple[Term, ...] = ()
    closed: tuple[tuple[str, str], ...] = ()
    coefficients: Vector = field(default_factory=lambda: np.zeros(0))

    @cached_property
    def offset(self) -> Vector:
        """Days after ``as_of`` of every day that is written out."""
        return np.arange(-self.before, AHEAD + 1, dtype=float)

    @cached_property
    def z(self) -> Vector:
        """The terms' columns by day."""
        parts = [term.columns(self.offset, self.as_of) for term in self.terms]
        return np.column_stack(parts) if parts else np.zeros((len(self.offset), 0))

    @cached_property
    def shut(self) -> Vector:
        """Whether a day is closed, of the days of the log."""
        return self._shut[: self.before + 1]

    @cached_property
    def _shut(self) -> Vector:
        found = np.zeros(len(self.offset), dtype=bool)
        for first, last in self.closed:
            ends = [(date.fromisoformat(day) - self.as_of).days for day in (first, last)]
            found |= (self.offset >= ends[0]) & (self.offset <= ends[1])
        return found

    def at(self, coefficients: Vector) -> Clock:
        """Return the same clock with other coefficients."""
        new = Clock(self.as_of, self.before, self.terms, self.closed, coefficients)
        new.__dict__.update({k: v for k, v in self.__dict__.items() if k in ("offset", "z", "shut", "_shut")})
        return new

    @cached_property
    def pace(self) -> Vector:
        """Of every day that is written out, 1 being that of ``as_of`` without season."""
        return np.where(self._shut, 0.0, np.exp(np.clip(self.z @ self.coefficients, -30.0, 30.0)))

    @cached_property
    def hand(self) -> Vector:
        """Where the clock stands at the close of each day that is written out, 0 at that of ``as_of``."""
        run_on = np.concatenate([[0.0], np.cumsum(self.pace[1:])])
        return run_on - run_on[self.before]

    def between(self, start: Vector | float, end: Vector | float) -> Vector:
        """How far the clock goes between two moments, in days after ``as_of``."""
        return np.asarray(self._hand(np.asarray(end, float)) - self._hand(np.asarray(start, float)))

    def _hand(self, moment: Vector) -> Vector:
        last_year = (self.hand[-1] - self.hand[-366]) / 365
        inside = np.interp(moment, self.offset, self.hand)
        early, late = np.minimum(moment + self.before, 0.0), np.maximum(moment - AHEAD, 0.0)
        return inside + early * self.pace[min(1, len(self.pace) - 1)] + late * last_year

    def ahead(self, t: float) -> float:
        """How far the clock goes in the next ``t`` days."""
        return float(self._hand(np.asarray(float(t))))

    def ages(self, t_x: Vector, T: Vector) -> tuple[Vector, Vector]:
        """Ages at the last purchase and now, on the clock, of customers of such ages in days."""
        start = self._hand(-T)
        return self._hand(t_x - T) - start, -start

    def state(self) -> dict[str, Any]:
        """Everything, as plain values."""
        terms = [{"kind": type(term).__name__} | asdict(term) for term in self.terms]  # type: ignore[call-overload]
        return {"as_of": self.as_of.isoformat(), "before": self.before, "terms": terms,
                "closed": [list(pair) for pair in self.closed], "coefficients": self.coefficients.tolist()}  # fmt: skip

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Clock:
        """Return the clock that ``state`` wrote down."""
        terms = []
        for written in state["terms"]:
            given = {k: tuple(v) if isinstance(v, list) else v for k, v in written.items() if k != "kind"}
            terms.append(_TERMS[written["kind"]](**given))
        closed = tuple((str(first), str(last)) for first, last in state["closed"])
        as_of, before = date.fromisoformat(state["as_of"]), int(state["before"])
        return cls(as_of, before, tuple(terms), closed, np.array(state["coefficients"], dtype=float))


class OnClock(Protocol):
    """A model whose likelihood needs ages on a clock alone."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters."""

    def _total_and_ages(
        self, theta: Vector, data: Triples, n: Vector, *, slope: bool = True
    ) -> tuple[float, Vector, Vector, Vector]: ...

    def _of_pattern(self, full: Vector, z: Vector) -> Vector: ...

    def _chain(self, full: Vector, theta: Vector, z: Vector, gradient: Vector) -> Vector: ...


@dataclass(frozen=True)
class _Part:
    """Rows of customers with the same covariates, and the days on which the clock is read for them.

    Attributes
    ----------
    z : array
        Their covariates.
    at : array
        Their places among all rows.
    data : Triples
        Whose ages are those on the clock that was set last.
    born, born_pair, last_pair : array
        Days of the log, by distinct age: of the first purchase, and for each distinct pair of ages of the first and the last one.
    """

    z: Vector
    at: Vector
    data: Triples
    born: Vector
    born_pair: Vector
    last_pair: Vector

    @classmethod
    def of(cls, z: Vector, at: Vector, rows: pd.DataFrame, end: int) -> _Part:
        x, t_x, T = (rows[k].to_numpy(float)[at] for k in ("frequency", "recency", "T"))
        pairs = Levels.of(T * (end + 2) + t_x)  # a last purchase's place on the clock needs the first one's too
        pair_T, pair_tx = np.divmod(pairs.values.astype(np.intp), end + 2)
        ages = Levels.of(T)
        data = Triples(
            Levels.of(x), Levels(np.zeros(len(pair_T)), pairs.index), Levels(np.zeros(len(ages.values)), ages.index),
            rows["n"].to_numpy(float)[at],
        )  # fmt: skip
        return cls(z, at, data, end - ages.values.astype(np.intp), end - pair_T, end - pair_T + pair_tx)

    def set(self, hand: Vector) -> None:
        """Read the ages on a clock whose hand stands so at the close of each day of the log."""
        np.subtract(hand[-1], hand[self.born], out=self.data.T.values)
        np.subtract(hand[self.last_pair], hand[self.born_pair], out=self.data.t_x.values)

    def by_hand(self, by_tx: Vector, by_T: Vector, end: int) -> Vector:
        """The slope in where the hand stands on each day."""
        places = np.concatenate([self.born, [end], self.last_pair, self.born_pair])
        return np.bincount(places, np.concatenate([-by_T, [by_T.sum()], by_tx, -by_tx]), minlength=end + 1)


def objective_of(
    model: OnClock, rows: pd.DataFrame, calendar: Calendar, design: Design | None = None
) -> Callable[..., tuple[float, Vector]]:
    """Return the penalised log-likelihood on the calendar's clock, and its slope.

    Parameters
    ----------
    model : BGNBD or MBGNBD
    rows : pandas.DataFrame
        Distinct ``frequency, recency, T`` with counts ``n``, and the columns of the design.
    calendar : Calendar
    design : Design, optional
        How covariates and groups become numbers.

    Returns
    -------
    callable
        Of the parameters, exp(effect) of each covariate, and exp(coefficient) of each term of the calendar.
    """
    counts, clock = rows["n"].to_numpy(float), calendar.clock()
    x, end = rows["frequency"].to_numpy(float), clock.before
    patterns = design.groups(rows) if design else [(np.zeros(0), np.arange(len(rows)))]
    parts = [_Part.of(z, at, rows, end) for z, at in patterns]
    past = clock.z[: end + 1]
    weighed = calendar.repeats * ~clock.shut
    bought, prior = weighed @ past, calendar.spread / np.maximum(calendar.sds, 1e-12) ** 2

    def objective(full: Vector, weights: Vector | None = None, *, slope: bool = True) -> tuple[float, Vector]:
        n, known = counts if weights is None else weights, len(full) - len(prior)
        lead, beta = full[:known], np.log(full[known:])
        now = clock.at(beta)
        share = 1.0 if weights is None else float(n @ x / (counts @ x))  # of purchases: whose day is whose is not known
        value = share * float(bought @ beta) - float(prior @ beta**2) / 2
        by_lead, by_hand = np.zeros(known), np.zeros(end + 1)
        for part in parts:
            part.set(now.hand[: end + 1])
            theta = model._of_pattern(lead, part.z)
            own = (
                part.data.n if weights is None else (n if len(parts) == 1 else n[part.at])
            )  # sums over one array are kept
            one, by_theta, by_tx, by_T = model._total_and_ages(theta, part.data, own, slope=slope)
            value += one
            if slope:
                by_lead += model._chain(lead, theta, part.z, by_theta)
                by_hand += part.by_hand(by_tx, by_T, end)
        if not slope:
            return value, np.zeros(0)
        by_pace = np.cumsum(by_hand[::-1])[::-1].copy()  # the hand of every later day moves with a day's pace
        by_pace[0] = 0.0
        by_beta = (by_pace * now.pace[: end + 1]) @ past + share * bought - prior * beta
        return value, np.concatenate([by_lead, by_beta / full[known:]])

    return objective
