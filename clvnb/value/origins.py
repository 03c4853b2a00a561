"""Forecasts of the total from earlier days: three fits on a common calendar, what came, and how far they were off.

In: the purchase days of customers. Out: for each origin, what each candidate expected and what came.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..core.engine import run
from ..core.errors import FitError
from ..data.summary import purchase_days
from ..models import BGNBD, MBGNBD
from ..models.calendar import Calendar, Clock, Peak, Season, Series, Term, Trend, objective_of
from ..models.fitting import Fit, Vector, maximize
from ..models.histories import KEYS

__all__ = [
    "CANDIDATES",
    "EVERY",
    "HORIZONS",
    "NAIVE",
    "Kind",
    "Look",
    "Past",
    "log_error",
    "look",
    "looks_back",
    "overdispersion",
    "seasons",
]

Kind = type[BGNBD] | type[MBGNBD]
# What is mixed: the season where the log can show it, without and with a trend. Two more forecasts show how far they agree.
CANDIDATES = ("season", "trend and season")
NAIVE = "same as last period"
HORIZONS = (91, 182, 364)
# Days between two origins, and how many of them are looked at.
EVERY, ORIGINS = 91, 9
# A season learned from less reads growth as season.
SEASON_FROM = 640
FINE_SEASON_FROM = 800
# Customers whose past forecasts are tested: the error of the total hardly depends on how many there are.
CUSTOMERS = 6_000
_HISTORY = ("first_date", "last_date", "frequency", "log_gaps", "historic_revenue")
# With fewer repeat purchases nothing is fitted.
LEAST = 15
_PARTS = 32
# Days in which customers from before the log look new: most of them in the first weeks.
_WEEKS, _EARLY = 30, 75
BEFORE = "those from before apart"


def log_error(actual: float, expected: float) -> float:
    """Return ln of what came over what was expected, half a purchase added to both so that none is no end."""
    return float(np.log((actual + 0.5) / (expected + 0.5)))


@dataclass(frozen=True)
class Past:
    """The purchase days of some customers, sorted by customer and day.

    Attributes
    ----------
    start : date
        The first day of the log, number 0.
    end : int
        The last day.
    who, day : array
        Customer and day of each purchase, as numbers.
    closed : tuple of (str, str)
        Times without any business that the log shows.
    planned : tuple of (str, str)
        Those that were known beforehand.
    series : tuple of Series
        Dated series that were known beforehand, such as the days of promotions.
    """

    start: date
    end: int
    who: NDArray[np.intp]
    day: NDArray[np.intp]
    closed: tuple[tuple[str, str], ...] = ()
    planned: tuple[tuple[str, str], ...] = ()
    series: tuple[Series, ...] = ()

    @classmethod
    def of(
        cls,
        log: Any,
        summary: pd.DataFrame,
        as_of: date,
        closed: tuple[tuple[str, str], ...] = (),
        planned: tuple[tuple[str, str], ...] = (),
        series: tuple[Series, ...] = (),
    ) -> Past:
        """Read the purchase days of a LOG's customers, or of some of them in order of their histories where they are many."""
        days = purchase_days(log)
        days = days.filter(days.bought, days.date <= as_of).select("customer_id", "date")
        if len(summary) > CUSTOMERS:
            order = summary.sort_values([k for k in _HISTORY if k in summary], kind="stable")
            taken = ((np.arange(CUSTOMERS) + 0.5) * len(summary) / CUSTOMERS).astype(int)
            # by name, since a server that may only be read takes no table to join with
            days = days.filter(days.customer_id.isin(order["customer_id"].iloc[taken].tolist()))
        found = run(days, log)
        start = pd.Timestamp(summary["first_date"].min())
        who, day = pd.factorize(found["customer_id"])[0], (pd.to_datetime(found["date"]) - start).dt.days.to_numpy()
        order = np.lexsort((day, who))
        return cls(start.date(), (as_of - start.date()).days, who[order], day[order], closed, planned, series)

    @cached_property
    def first(self) -> NDArray[np.intp]:
        """Each customer's first day."""
        return self.day[np.r_[True, self.who[1:] != self.who[:-1]]]

    @cached_property
    def repeat(self) -> NDArray[np.bool_]:
        """Whether a purchase is a repeat purchase."""
        return np.r_[False, self.who[1:] == self.who[:-1]]

    def date_of(self, day: int) -> date:
        """The date of a day's number."""
        return self.start + timedelta(days=int(day))

    def daily(self, cut: int) -> Vector:
        """Repeat purchases on each day up to ``cut``."""
        return np.bincount(self.day[self.repeat & (self.day <= cut)], minlength=cut + 1).astype(float)

    def from_before(self, cut: int) -> bool:
        """Whether many customers of the log's first weeks were customers before: half as many first purchases again as later."""
        born = self.first[self.first <= cut]
        early, late = int((born < _WEEKS).sum()), int((born >= _EARLY).sum())
        return min(early, late) >= 50 and cut >= 2 * _EARLY and early / _WEEKS > 1.5 * late / (cut - _EARLY)

    def histories(self, cut: int, *, early: bool | None = None) -> pd.DataFrame:
        """Distinct ``frequency, recency, T`` with counts ``n``, as known on a day; of the log's first weeks, or of later ones."""
        known = self.day <= cut
        if early is not None:
            known &= (self.first[self._number] < _EARLY) == early
        who, day = self.who[known], self.day[known]
        ends = np.flatnonzero(np.r_[who[1:] != who[:-1], True])
        size = np.diff(np.r_[-1, ends])
        first = day[ends - size + 1]
        table = np.column_stack([size - 1, day[ends] - first, cut - first])
        rows, counts = np.unique(table, axis=0, return_counts=True)
        return pd.DataFrame(rows, columns=KEYS).assign(n=counts)

    def came(self, cut: int, length: int) -> float:
        """Purchases in so many days after ``cut`` of those who were customers then; missing where the log ends before."""
        if cut + length > self.end:
            return float("nan")
        inside = (self.day > cut) & (self.day <= cut + length)
        return float((inside & (self.first[self._number] <= cut)).sum())

    @cached_property
    def _number(self) -> NDArray[np.intp]:
        return np.cumsum(np.r_[False, self.who[1:] != self.who[:-1]])

    def calendar(self, cut: int, terms: tuple[Term, ...], spread: float) -> Calendar:
        """The calendar as known on a day, the dated series before the other terms."""
        terms = (*self.series, *terms)
        known = tuple(pair for pair in self.closed if date.fromisoformat(pair[1]) <= self.date_of(cut))
        return Calendar(self.date_of(cut), self.daily(cut), terms, (*known, *self.planned), spread)


@dataclass(frozen=True)
class Look:
    """What was expected on one day, and what came.

    Attributes
    ----------
    cut : int
        The day's number.
    expected : dict of forecast to array
        Purchases of all customers in each of ``horizons``.
    came : array
        Missing where it is not known yet.
    horizons : tuple of int
    spread : float
        Overdispersion of weekly repeat purchases.
    fits : dict of forecast to array
        What was estimated.
    evidence : float
        For the trend: what it adds to the penalised log-likelihood, over the overdispersion.
    kind : BGNBD or MBGNBD
        Of all fits: the one with the larger likelihood on this day.
    """

    cut: int
    expected: dict[str, Vector]
    came: Vector
    horizons: tuple[int, ...]
    spread: float
    fits: dict[str, Vector]
    evidence: float = 0.0
    kind: Kind = MBGNBD

    def off(self, which: int) -> Vector:
        """How far each candidate was off over one horizon: the logarithm of what came over what it expected."""
        return np.array([log_error(self.came[which], self.expected[k][which]) for k in CANDIDATES])

    def disagreement(self, which: int, more: Sequence[float] = ()) -> float:
        """How far forecasts made in different ways lie apart over one horizon: a standard deviation of logarithms."""
        voices = [k for k in ("plain", "trend", "trend and season", BEFORE, NAIVE) if k in self.expected]
        return float(np.std(np.log(np.r_[[self.expected[k][which] for k in voices], more] + 0.5)))


def looks_back(past: Past) -> list[Look]:
    """Forecast from earlier days, a quarter of a year apart and the latest first."""
    found: list[Look] = []
    near: dict[Kind, Vector] = {}
    for k in range(1, ORIGINS + 1):
        cut = past.end - EVERY * k
        if cut < EVERY:
            break
        try:
            found.append(look(past, cut, HORIZONS, near))
        except FitError:
            continue
    return found


def look(past: Past, cut: int, horizons: tuple[int, ...], near: dict[Kind, Vector] | None = None) -> Look:
    """Fit the candidates on what was known on a day, and forecast.

    Parameters
    ----------
    past : Past
    cut : int
        The day's number.
    horizons : tuple of int
        Days ahead.
    near : dict, optional
        Where each kind's parameters lay on another day; those of this day are left in it.

    Raises
    ------
    FitError
        Where there are hardly any repeat purchases, or a fit has no maximum.
    """
    rows, repeats = past.histories(cut), past.daily(cut)
    if repeats.sum() < LEAST:
        raise FitError(f"{repeats.sum():.0f} repeat purchases by {past.date_of(cut)} are too few for a forecast")
    bare, near = replace(past, series=()).calendar(cut, (), 1.0), {} if near is None else near
    kind, first = _likelier(rows, bare, near)
    usual, plain = first.values, bare
    if past.series:
        plain = past.calendar(cut, (), overdispersion(past, cut, usual, kind))
        first = _fit(rows, plain, np.r_[usual, np.ones(len(plain.names))], kind)
    found = {"plain": first}
    fits = {"plain": first.values}
    spread = overdispersion(past, cut, first.values, kind)
    calendars = {"plain": plain, "trend": past.calendar(cut, (Trend(),), spread)}
    found["trend"] = _fit(rows, calendars["trend"], np.r_[fits["plain"], 1.0], kind)
    if cut >= SEASON_FROM:
        for name, terms, other in (("season", (), "plain"), ("trend and season", (Trend(),), "trend")):
            calendars[name] = past.calendar(cut, (*terms, *seasons(cut)), spread)
            more = len(calendars[name].names) - len(plain.names) - len(terms)
            found[name] = _fit(rows, calendars[name], np.r_[found[other].values, np.ones(more)], kind)
    found.setdefault("season", found["plain"])
    found.setdefault("trend and season", found["trend"])
    evidence = (found["trend and season"].log_likelihood - found["season"].log_likelihood) / spread
    fits = {name: fit.values for name, fit in found.items()}
    expected = {name: _totals(rows, fits[name], calendars[name].clock(), horizons, kind) for name in calendars}
    expected.setdefault("season", expected["plain"])
    expected.setdefault("trend and season", expected["trend"])
    if past.from_before(cut):
        expected[BEFORE] = np.zeros(len(horizons))
        for early in (True, False):
            some = past.histories(cut, early=early)
            expected[BEFORE] += _totals(
                some, _fit(some, plain, first.values, kind).values, plain.clock(), horizons, kind
            )
    expected[NAIVE] = np.array([repeats[-h:].sum() * h / min(h, cut) for h in horizons])
    came = np.array([past.came(cut, h) for h in horizons])
    return Look(cut, expected, came, horizons, spread, fits, evidence, kind)


def _likelier(rows: pd.DataFrame, plain: Calendar, near: dict[Kind, Vector]) -> tuple[Kind, Fit]:
    """Whether customers may leave right after the first purchase (MBG/NBD) or not (BG/NBD), by the likelihood."""
    found: dict[Kind, Fit] = {MBGNBD: _fit(rows, plain, near.get(MBGNBD, _centre(rows)), MBGNBD)}
    with suppress(FitError):
        found[BGNBD] = _fit(rows, plain, near.get(BGNBD, _centre(rows)), BGNBD)
    near.update({kind: fit.values for kind, fit in found.items()})
    return max(found.items(), key=lambda pair: pair[1].log_likelihood)


def seasons(cut: int) -> tuple[Term, ...]:
    """The season that so many days of log can show: short peaks need more than two waves, or a term of their own."""
    return (Season(waves=2 if cut < FINE_SEASON_FROM else 4), Peak())


def _centre(rows: pd.DataFrame) -> Vector:
    """Parameters that are usual, at the rate of these customers."""
    days_of_all = max(float(rows["T"] @ rows["n"]), 1.0)
    rate = max(float(rows["frequency"] @ rows["n"]), 1.0) / days_of_all
    return np.array([0.7, 0.7 / rate, 0.7, 2.0])


def _fit(rows: pd.DataFrame, calendar: Calendar, start: Vector, kind: Kind) -> Fit:
    """The maximum of the likelihood on a calendar's clock, with a weak prior that keeps parameters from running away."""
    model = kind()
    k, centre = len(model.parameters), np.log(_centre(rows))
    inner = objective_of(model, rows, calendar)

    def objective(full: Vector, *, slope: bool = True) -> tuple[float, Vector]:
        value, gradient = inner(full, slope=slope)
        off = np.log(full[:k]) - centre
        if slope:
            gradient = np.r_[gradient[:k] - off / 4 / full[:k], gradient[k:]]
        return value - float(off @ off) / 8, gradient

    names = (*model.parameters, *calendar.names)
    return maximize(objective, [start.tolist()], names, float(rows["n"].sum()), "a past forecast")


def _chances(a: float, B: float) -> Vector:
    """The chance to leave, at the middles of so many equally likely parts of Beta(a, B)."""
    from scipy.special import betaincinv

    return np.asarray(betaincinv(a, B, (np.arange(_PARTS) + 0.5) / _PARTS))


def _totals(rows: pd.DataFrame, full: Vector, clock: Clock, horizons: Sequence[int], kind: Kind) -> Vector:
    """Expected purchases of all customers over each horizon, the mean over the chance to leave by 32 equal parts.

    A total to within a thousandth is enough here; the models have all digits.
    """
    (r, alpha, a, b), now, more = full[:4], clock.at(np.log(full[4:])), kind.at_first
    x, n = rows["frequency"].to_numpy(float), rows["n"].to_numpy(float)
    t_x, T = now.ages(rows["recency"].to_numpy(float), rows["T"].to_numpy(float))
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.log(b + x - 1 + more) - np.log(a) - (r + x) * np.log1p((T - t_x) / (alpha + t_x))
    alive = np.where((x > 0) | (more == 1), n / (1 + np.exp(-odds)), n)
    counts, at = np.unique(x, return_inverse=True)
    p = np.array([_chances(a, b + more + v) for v in counts])[at]
    power, ratio = -(r + x)[:, None], 1 / (alpha + T)[:, None]
    return np.array([
        alive @ (-np.expm1(power * np.log1p(p * now.ahead(float(h)) * ratio)) / p).mean(axis=1) for h in horizons
    ])  # fmt: skip


def overdispersion(past: Past, cut: int, full: Vector, kind: Kind = MBGNBD) -> float:
    """Return how much more than chance weekly repeat purchases vary: twice Pearson's chi-squared by its degrees, 1 or more.

    They are compared with what the plain model expects of customers who came when they came, after a regression on
    time, and on the season from 400 days on. Twice, since what varies from week to week is only a part of it.
    """
    r, alpha, a, b = full[:4]
    p, t = _chances(a, b + kind.at_first), np.arange(cut + 1)
    curve = (b / (a + b) if kind.at_first else 1.0) * (-np.expm1(-r * np.log1p(p * t[:, None] / alpha)) / p).mean(
        axis=1
    )
    born = np.bincount(past.first[past.first <= cut], minlength=cut + 1)
    size = 1 << int(2 * cut + 2).bit_length()
    run_on = np.fft.irfft(np.fft.rfft(born, size) * np.fft.rfft(curve, size), size)[: cut + 1]
    edges = np.arange(cut, -1, -7)[::-1]
    expected, seen = np.diff(run_on[edges]), np.diff(np.cumsum(past.daily(cut))[edges])
    when, usable = edges[1:], expected > 1e-9
    if usable.sum() < 10:
        return 1.0
    when, expected, seen = when[usable], expected[usable], seen[usable]
    columns = [np.ones((len(when), 1)), Trend().columns(when - float(cut), past.date_of(cut))]
    # the mean over the days of a week, since a peak may begin inside one
    columns += [
        np.mean([term.columns(when - float(cut) - k, past.date_of(cut)) for k in range(7)], axis=0)
        for term in (*past.series, *(seasons(cut) if cut >= 400 else ()))
    ]
    z = np.column_stack(columns)
    fitted = expected * np.exp(_poisson(z, seen, expected))
    chi = float(((seen - fitted) ** 2 / np.maximum(fitted, 1e-9)).sum())
    return max(1.0, 2 * chi / max(len(seen) - z.shape[1], 1))


def _poisson(z: Vector, seen: Vector, exposure: Vector) -> Vector:
    """The linear part of a Poisson regression with an exposure, by Newton's method."""
    beta = np.zeros(z.shape[1])
    beta[0] = np.log(max(seen.sum(), 0.5) / exposure.sum())
    for _ in range(30):
        mean = exposure * np.exp(np.clip(z @ beta, -20, 20))
        step = np.linalg.solve((z.T * mean) @ z + 1e-6 * np.eye(len(beta)), z.T @ (seen - mean))
        beta = beta + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-8:
            break
    return np.clip(z @ beta, -20, 20)
