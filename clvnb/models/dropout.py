"""What BG/NBD, MBG/NBD and their regular kin share: purchases until a customer drops out at one of them.

In: parameters updated by what is known of customers who are alive. Out: expected or drawn numbers of purchases.

With R, A the shape and rate of the purchase rate's gamma, and a, B the beta of the drop-out probability, all given
that the customer is alive, the future is the same process in both papers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import hyp2f1

from ..core.engine import is_ibis, run
from ..core.errors import TableError
from ..core.maths import tail
from ..core.threads import one_thread
from .base import draws_each
from .calendar import Calendar, Clock, objective_of
from .continuous import ContinuousModel, Newcomers
from .fitting import Triples, Vector
from .histories import collapse, pairs
from .special import at_least, beta_mean, chebyshev, ln_beta_ratio, ln_nbd, ln_rising, psi_rising

__all__ = [
    "DropoutModel",
    "RandomDropoutModel",
    "count_probabilities",
    "outcomes_until_dropout",
    "purchases_until_dropout",
    "simulate_until_dropout",
    "still_there",
]

# The closed form is a difference: rounding is magnified by |(a+B-1)/(a-1)| over the result. scipy's 2F1 loses digits
# where parameters are large, and beyond z = 0.9, where it turns to powers of 1 - z. Up to these it has nine.
_MAGNIFIED, _LARGEST_A, _LARGEST, _SHORTEST, _LONGEST = 1e3, 50.0, 300.0, 1e-3, 9.0
_ALL_LEAVE = -7.0  # ln q, below which five purchases are all of the expected ones to fifteen digits
# Rows times draws of the parameters, where so many customers were fitted that there is little doubt about them.
_MIXED = 2_000_000
_MANY = 20_000
# Purchases, or the scale on which their chances fall, up to which these are added up one after another; beyond, they are simulated.
_ONE_BY_ONE = 500.0


def purchases_until_dropout(
    R: Vector, A: Vector, a: float, B: Vector, t: float | Vector, k: int = 1, stage: int = 0
) -> Vector:
    """Return E[purchases in t | alive], where a purchase takes k stages, ``stage`` of which are done.

    Stages come at a rate that is gamma(R, A) across customers; the chance p to leave after a purchase is Beta(a, B). For
    k = 1 it is E[(1 - (1 + p t/A)^-R) / p], in closed form by Euler's transformation of 2F1, which cancels every power
    of x: (a+B-1)/(a-1) [1 - (1-z)^(a-1) 2F1(a-1, a+B-1-R; a+B-1; z)], z = t/(A+t). Where that loses digits (a near 1,
    t short or long against A, large parameters) and for k > 1 the mean over p is integrated instead, to twelve digits.
    As a and B grow at one ratio it passes into that of one p for everybody, as R and A grow into that of one rate.

    References
    ----------
    Fader, Hardie and Lee (2005), equation (10); Batislam, Denizel and Filiztekin (2007) with B = b + x + 1.
    """
    if k > 1:
        return _over_p(_per_purchase, R, A, a, B, t, k, stage)
    ratio, c = t / A, a + B - 1.0
    with np.errstate(all="ignore"):
        front = c / (a - 1.0)
        out = front * (1.0 - (1.0 + ratio) ** (1.0 - a) * hyp2f1(a - 1.0, c - R, c, ratio / (1.0 + ratio)))
        known = np.abs(front) < _MAGNIFIED * out
    known &= (a < _LARGEST_A) & (np.maximum(R, B) < _LARGEST) & (ratio > _SHORTEST) & (ratio < _LONGEST)
    if not known.all():
        rest = ~known
        out[rest] = _over_p(_per_purchase, R[rest], A[rest], a, B[rest], t if np.ndim(t) == 0 else np.asarray(t)[rest])
    return np.asarray(out)


def still_there(R: Vector, A: Vector, a: float, B: Vector, t: float, k: int = 1, stage: int = 0) -> Vector:
    """Return P(alive after t | alive now) = E[q^M], M the purchases in t if nobody left; for k = 1 E[(1 + p t/A)^-R]."""
    return _over_p(_stays, R, A, a, B, t, k, stage)


def _over_p(
    of_p: Callable[..., Vector],
    R: Vector,
    A: Vector,
    a: float,
    B: Vector,
    t: float | Vector,
    k: int = 1,
    stage: int = 0,
) -> Vector:
    """The mean over p, for each distinct (R, B) at the few A from which all others follow: it is smooth in ln A."""
    pairs, row = np.unique(np.array([R, B]), axis=1, return_inverse=True)
    ages, column = np.unique(np.log(A), return_inverse=True)
    nodes, to_ages = chebyshev(ages)
    if np.ndim(t) == 0 and pairs.shape[1] * len(nodes) < len(R):
        many = np.repeat(pairs, len(nodes), axis=1)
        grid = _over_p(of_p, many[0], np.tile(np.exp(nodes), pairs.shape[1]), a, many[1], t, k, stage)
        return (grid.reshape(-1, len(nodes)) @ to_ages)[row.reshape(-1), column.reshape(-1)]
    ratio = t / A
    return beta_mean(a, B, lambda p, ln_q, at: of_p(p, ln_q, R[at], ratio[at], k, stage), (R + 1) * ratio)


def _per_purchase(p: Vector, ln_q: Vector, R: Vector, ratio: Vector, k: int, stage: int) -> Vector:
    """Purchases in t of customers who leave after each one with chance p: E[1 + q + ... + q^(M-1)] = (1 - E[q^M]) / p.

    M = floor((N + stage)/k) of N stages, of which E[s^N] = (1 + (1-s) t/A)^-R. The power of a floor is a sum over the
    k-th roots w of unity of powers of s = w q^(1/k); each is written as what it adds to N = 0, where nothing is bought.
    """
    if k == 1:
        return -np.expm1(-R * _of_ratio(lambda v: np.log1p(p * v), p, ratio)) / p
    y = -np.maximum(ln_q, -60.0) / k
    head = sum(np.exp((i - stage) * y) for i in range(k)) / k
    total = np.asarray(-head / p * np.expm1(-R * _of_ratio(lambda v: np.log1p(-np.expm1(-y) * v), p, ratio)))
    for m in range(1, k // 2 + 1):
        paired = 2 * m < k  # complex roots come in pairs, -1 alone
        s = np.exp(-y) * (np.exp(2j * np.pi * m / k) if paired else -1.0)
        wave = _beyond_none(s, p, R, ratio)
        wave *= s**stage * np.exp(k * y) / (k * (1 - 1 / s))
        total += 2 * wave.real if paired else wave
    # Where hardly anything is bought waves cancel, and where nearly all leave they are magnified by 1/q.
    first = at_least(k - stage, R, ratio)
    rare = np.nonzero(first < 1e-4 * np.minimum(R * ratio, 1.0))[0]
    if len(rare):
        q = np.exp(ln_q if ln_q.shape[1] == 1 else ln_q[:, rare])
        total[:, rare] = _first_purchases(q, R[rare], ratio[rare], k, stage)
    leave = (ln_q < _ALL_LEAVE).any(axis=1)
    if leave.any():
        few = _first_purchases(np.exp(ln_q[leave]), R, ratio, k, stage)
        total[leave] = np.where(ln_q[leave] < _ALL_LEAVE, few, total[leave])
    return total


def _first_purchases(q: Vector, R: Vector, ratio: Vector, k: int, stage: int) -> Vector:
    """The sum over the first five purchases of P(n-th comes) q^(n-1), which is all of it where either is small."""
    sums = np.zeros((1, len(R)))
    for n in range(5, 0, -1):
        sums = sums * q + at_least(n * k - stage, R, ratio)
    return np.asarray(sums)


def _stays(p: Vector, ln_q: Vector, R: Vector, ratio: Vector, k: int, stage: int) -> Vector:
    if k == 1:
        return np.exp(-R * _of_ratio(lambda v: np.log1p(p * v), p, ratio))
    return np.maximum(1 - p * _per_purchase(p, ln_q, R, ratio, k, stage), 0.0)


def _beyond_none(s: Vector, p: Vector, R: Vector, ratio: Vector) -> Vector:
    """E[s^N] - 1: what customers with future stages add to those without."""
    return np.expm1(-R * _of_ratio(lambda v: _log1p((1 - s) * v), p, ratio))


def _of_ratio(function: Callable[[Vector], Vector], p: Vector, ratio: Vector) -> Vector:
    """A function of points and rows' t/A, once for each distinct one where all rows share their points."""
    if p.shape[1] > 1:
        return function(ratio)
    ratios, at = np.unique(ratio, return_inverse=True)
    return function(ratios)[:, at.reshape(-1)]


def _log1p(z: Vector) -> Vector:
    """ln(1 + z), of complex z too, for which numpy's own rounds 1 + z."""
    if not np.iscomplexobj(z):
        return np.log1p(z)
    return 0.5 * np.log1p(z.real * (2 + z.real) + z.imag**2) + 1j * np.arctan2(z.imag, 1 + z.real)


def count_probabilities(
    R: Vector, A: Vector, a: float, B: Vector, t: float, n: Vector, k: int = 1, stage: int = 0
) -> Vector:
    """Return P(n purchases in t | alive now) of each row, one row of the answer for each of ``n``.

    Either n purchases came and the customer is still there, or left at the n-th one: equation (8) of Fader, Hardie and
    Lee (2005), whose newcomers have R = r, A = alpha, B = b; with B = b + 1 of Batislam, Denizel and Filiztekin (2007).
    """
    n, ratio = n[:, None], t / A
    exactly = np.zeros(np.broadcast_shapes(n.shape, R.shape))
    for stages in (n * k - stage + j for j in range(k)):  # up to one short of the next purchase
        exactly += np.where(stages >= 0, np.exp(ln_nbd(R, ratio, np.maximum(stages, 0))), 0.0)
    stays = np.exp(ln_beta_ratio(a, B, n))
    leaves = np.where(
        n > 0, np.exp(ln_beta_ratio(a, B, np.maximum(n - 1, 0))) * a / (a + B + np.maximum(n - 1, 0)), 0.0
    )
    return np.asarray(stays * exactly + leaves * at_least(n * k - stage, R, ratio))


def outcomes_until_dropout(
    future: Sequence[Vector], alive: Vector, pair: Vector, t: float | Vector, offset: Vector, size: int
) -> Vector:
    """Return ``size`` equally likely numbers of purchases in t for each row, in ascending order.

    P(n | alive) is that of ``count_probabilities``, from one n to the next: the chance to be there for an n-th purchase
    and to stay, or to leave at it. Its mean over the draws of the parameters, cut into ``size`` equal parts, gives
    the outcomes (systematic sampling): only where the cuts lie is drawn.

    Parameters
    ----------
    future : arrays of (pairs, draws)
        R, A, a and B of customers alive, one row for each distinct (x, T).
    alive : array of (rows, draws)
        P(alive).
    pair : array of (rows,)
        The row of ``future`` that each row has.
    t : float or array of (draws,)
        Days.
    offset : array of (rows,)
        Where the cuts lie, uniform on [0, 1).
    size : int

    Returns
    -------
    array of (rows, size)
    """
    R, A, a, B = future
    z = t / (A + t)
    counted, at_least, there = np.exp(R * np.log1p(-z)), np.ones_like(z), np.ones_like(z)
    chance, n = counted, 0
    steps = np.zeros((len(pair), size + 1))  # one more from this cut on
    row, cdf = np.arange(len(pair)), 1 - alive.mean(axis=1)
    while len(row):
        cdf += np.einsum("rj,rj->r", alive, chance[pair]) / alive.shape[1]
        cut = np.minimum(np.floor(size * cdf + 1 - offset[row]), size).astype(np.intp)
        cut[cdf > 1 - 1e-12] = size  # beyond, rounding says how much is left
        steps[row, cut] += 1
        more = cut < size
        if more.mean() < 0.7:  # to leave rows out costs as much as a step
            row, cdf, alive = row[more], cdf[more], alive[more]
            kept, pair = np.unique(pair[more], return_inverse=True)
            R, a, B, z, counted, at_least, there = (v[kept] for v in (R, a, B, z, counted, at_least, there))
        n += 1
        leaves = there * a / (a + B + (n - 1))
        at_least = at_least - counted
        there = there - leaves
        counted = counted * z * ((R + (n - 1)) / n)
        chance = there * counted + leaves * at_least
    return np.cumsum(steps[:, :size], axis=1, out=steps[:, :size])


def simulate_until_dropout(R: Vector, A: Vector, a: float, B: Vector, t: float, rng: np.random.Generator) -> Vector:
    """Draw the purchases in t of customers alive now: a Poisson count, cut at a geometric drop-out."""
    rate = rng.gamma(R) / A
    chance = np.clip(rng.beta(a, B), 1e-12, 1.0)
    return np.minimum(rng.poisson(np.minimum(rate * t, 1e9)), rng.geometric(chance)).astype(float)


class DropoutModel(ContinuousModel):
    """A model in which a customer may leave after a purchase with a chance of their own, Beta(a, b).

    ``at_first`` says whether one may leave after the first purchase already (MBG) or after repeat purchases only (BG).
    """

    parameters = ("r", "alpha", "a", "b")
    time_powers = {"alpha": 1}
    effects = {"alpha": -1, "a": 1, "b": 1}
    at_first: ClassVar[bool]

    def _alive_new(self, theta: Vector) -> float:
        _, _, a, b = theta
        return float(b / (a + b)) if self.at_first else 1.0

    def _purchases_if_alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float) -> Vector:
        r, alpha, a, b = theta
        return purchases_until_dropout(r + x, alpha + T, a, b + x + self.at_first, t)

    def _stays_if_alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float) -> Vector:
        r, alpha, a, b = theta
        return still_there(r + x, alpha + T, a, b + x + self.at_first, t)

    def _buys_if_alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float) -> Vector:
        r, alpha, _, _ = theta
        return -np.expm1(-(r + x) * np.log1p(t / (alpha + T)))

    def _counts_if_alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float, n: Vector) -> Vector:
        r, alpha, a, b = theta
        return count_probabilities(r + x, alpha + T, a, b + x + self.at_first, t, n)

    def _scale(self, theta: Vector, x: Vector, t_x: Vector, T: Vector) -> Vector:
        r, alpha, a, b = theta
        return (alpha + T) / (1 + (r + x) * a / (a + b + x))

    def _simulate_if_alive(
        self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float, rng: np.random.Generator
    ) -> Vector:
        r, alpha, a, b = theta
        return simulate_until_dropout(r + x, alpha + T, a, b + x + self.at_first, t, rng)

    def _quiet(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, wait: Vector) -> Vector:
        r, alpha, _, _ = theta
        return np.exp(-(r + x) * np.log1p(wait / (alpha + T)))

    def _newcomers(self, theta: Vector, n: int, rng: np.random.Generator) -> Newcomers:
        r, alpha, a, b = theta
        rate, leave = rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n)
        return Newcomers(rate, np.full(n, np.inf), leave, at_first=self.at_first)


class RandomDropoutModel(DropoutModel):
    """A ``DropoutModel`` whose purchases come at random, so that their number has a closed distribution.

    Attributes
    ----------
    clock_ : Clock or None
        The calendar's days as they count, where the fit had one.
    """

    clock_: Clock | None = None

    @one_thread
    def _purchases_new(self, theta: Vector, ahead: Vector) -> Vector:
        r, alpha, a, b = theta
        R, A, B = (np.full(len(ahead), value) for value in (r, alpha, b + self.at_first))
        return self._alive_new(theta) * purchases_until_dropout(R, A, a, B, ahead)

    def fit(
        self,
        summary: Any,
        *,
        covariates: Sequence[str] = (),
        groups: Sequence[str] = (),
        calendar: Calendar | None = None,
    ) -> Self:
        """Estimate the parameters by maximum likelihood, on the clock of a calendar where one is given.

        Parameters
        ----------
        summary : SUMMARY
            pandas or Ibis; only distinct (frequency, recency, T) with counts are brought to Python.
        covariates : sequence of str
            Columns of ``summary`` that do not change with time.
        groups : sequence of str
            Columns whose levels share the model and differ in it as much as the data say.
        calendar : Calendar, optional
            Trend, season, dated series and days closed, which are the same for all customers: ``calendar_of(log, ...)``
            of the log that ``summary`` was made from, on the same last day. See ``calendar_effects_``.

        Returns
        -------
        self

        Raises
        ------
        FitError
            When nobody bought twice, or the likelihood has no proper maximum; when a covariate never changes.
        TableError
            When a column is missing, a row cannot be, or the calendar ends on another day.

        Notes
        -----
        With a calendar, rates are multiplied by m(day) = exp(b'z(day)); the parameters are those of the pace on the last
        day without its season. The coefficients have normal priors around 0, which the calendar's ``spread`` makes count.
        ``log_likelihood_`` is without the priors.

        References
        ----------
        Covariates of time: Bachmann, Meierer and Naef (2021), "The role of time-varying contextual factors in latent
        attrition models for customer base analysis", Marketing Science 40(4), 783-809.
        """
        self.clock_ = None
        if calendar is None:
            return super().fit(summary, covariates=covariates, groups=groups)
        _ends_on(summary, calendar.clock())
        super().fit(summary)
        plain, posterior, rows = self._fitted(), self.posterior_, collapse(summary, also=[*covariates, *groups])
        assert posterior is not None
        if rows["T"].max() > len(calendar.repeats) - 1:
            raise TableError(
                f"a customer of the SUMMARY came {rows['T'].max():,.0f} days before {calendar.as_of}, and the calendar begins "
                f"{len(calendar.repeats) - 1:,} days before it: make both of the same log"
            )
        effects = self._know(rows, covariates, groups) if covariates or groups else []
        names = (*self.parameters, *effects, *calendar.names)
        start = np.concatenate([plain.values, np.ones(len(names) - len(plain.values))])
        self._search(
            objective_of(self, rows, calendar, self.design_), start, names, posterior, rows["n"].to_numpy(float)
        )
        beta = np.log(self._fitted().values[len(names) - len(calendar.names) :])
        prior = float(calendar.spread * (beta**2 / calendar.sds**2).sum() / 2)
        self.plain_, self.clock_ = plain, calendar.clock(beta)
        self.fit_ = replace(self._fitted(), log_likelihood=self._fitted().log_likelihood + prior)
        return self

    @property
    def calendar_effects_(self) -> pd.DataFrame:
        """What the calendar does to the pace of purchases.

        Returns
        -------
        pandas.DataFrame
            ``term, effect, standard_error, low, high``: of the logarithm of the pace; the trend a year; intervals at 95 %.
            Empty where the fit had no calendar.
        """
        fit = self._fitted()
        k = len(fit.names) - (0 if self.clock_ is None else len(self.clock_.coefficients))
        effect, error = np.log(fit.values[k:]), np.sqrt(np.diag(fit.log_covariance))[k:]
        ends = tail(0.95) * error
        columns = {"term": list(fit.names[k:]), "effect": effect, "standard_error": error,
                   "low": effect - ends, "high": effect + ends}  # fmt: skip
        return pd.DataFrame(columns if self.clock_ is not None else {name: [] for name in columns})

    def _state(self) -> dict[str, Any]:
        return super()._state() | {"clock": None if self.clock_ is None else self.clock_.state()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        super()._restore(state)
        self.clock_ = Clock.of_state(state["clock"]) if state.get("clock") else None

    def _clock(self, full: Vector) -> Clock | None:
        """The clock of one draw of everything estimated."""
        if self.clock_ is None or len(full) == len(self.parameters):
            return self.clock_
        beta = np.log(full[len(full) - len(self.clock_.coefficients) :])
        return self.clock_ if np.array_equal(beta, self.clock_.coefficients) else self.clock_.at(beta)

    def _ages(self, rows: pd.DataFrame, full: Vector) -> tuple[Vector, Vector, Vector]:
        x, t_x, T = super()._ages(rows, full)
        clock = self._clock(full)
        return (x, t_x, T) if clock is None else (x, *clock.ages(t_x, T))

    def _ahead(self, t: float, full: Vector | None = None) -> float:
        clock = self._clock(self.point() if full is None else full)
        paced = super()._ahead(t)
        return paced if clock is None else clock.ahead(paced)

    def _each(self, summary: Any, function: Callable[[pd.DataFrame], dict[str, Vector]]) -> Any:
        if self.clock_ is not None:
            _ends_on(summary, self.clock_)
        return super()._each(summary, function)

    @property
    def changes_pace(self) -> bool:
        """Whether the days ahead count differently: on a calendar's clock, or at another pace."""
        return self.clock_ is not None or super().changes_pace

    def _waits(self, rows: pd.DataFrame, w: Vector, *, from_last: bool) -> Vector:
        clock, paced = self.clock_, super()._waits(rows, w, from_last=from_last)
        if clock is None:
            return paced
        start = (rows["recency"] - rows["T"]).to_numpy(float) if from_last else np.zeros(len(rows))
        return clock.between(start, start + paced)

    def _total_and_ages(
        self, theta: Vector, data: Triples, n: Vector, *, slope: bool = True
    ) -> tuple[float, Vector, Vector, Vector]:
        """The log-likelihood, its slope in the parameters, and in the ages t_x and T of their distinct values."""
        value, by_theta = self._total(theta, data, n, slope=slope)
        if not slope:
            return value, by_theta, by_theta, by_theta
        r, alpha, _, _ = theta
        _, n_T, purchases_T = data.customers(n)
        left = data.room[2]  # where ``_total`` leaves (r + x) times the customers who have left
        by_T = (data.T.sum(left) - r * n_T - purchases_T) / (alpha + data.T.values)
        return value, by_theta, -data.t_x.sum(left) / (alpha + data.t_x.values), by_T

    def _total(self, theta: Vector, data: Triples, n: Vector, *, slope: bool = True) -> tuple[float, Vector]:
        """The log-likelihood: equation (6) of Fader, Hardie and Lee (2005), of MBG/NBD Batislam et al. (2007).

        With B = b + x, or b + x + 1 where a customer may leave at the first purchase, that of a row is in both papers
        G(r+x) alpha^r / G(r) * B(a, B) / B(a, b) * (alpha+T)^-(r+x) * (1 + a/(B-1) ((alpha+T)/(alpha+t_x))^(r+x)).
        No row is computed for itself: what depends on one column is summed over its values. The tests hold this sum
        against the papers' formulas row by row.
        """
        r, alpha, a, b = theta
        x, t_x, T = data.x, data.t_x, data.T
        R = r + x.values
        log_T, log_tx = np.log1p(T.values / alpha), np.log1p(t_x.values / alpha)
        rest = np.where(
            x.values + self.at_first > 0, b + (x.values + self.at_first - 1), np.inf
        )  # infinite: nobody can have left

        log_ratio, odds, each_R, left, spare = data.room
        np.subtract(T.take(log_T, odds), t_x.take(log_tx, spare), out=log_ratio)
        np.multiply(x.take(R, each_R), log_ratio, out=odds)
        odds += x.take(np.log(a) - np.log(rest), spare)
        np.exp(np.negative(np.abs(odds, out=left), out=left), out=left)
        one_more = np.add(left, 1.0, out=spare)
        np.copyto(left, 1.0, where=odds >= 0)
        left /= one_more
        n_x, n_T, purchases_T = data.customers(n)
        n_R = r * n_T + purchases_T
        value = n @ np.log(one_more, out=spare) + n @ np.maximum(odds, 0.0, out=spare)
        value += n_x @ (ln_rising(r, x.values) + ln_beta_ratio(a, b, x.values + self.at_first))
        value -= n_R @ log_T + purchases_T.sum() * np.log(alpha)
        if not slope:
            return float(value), np.zeros(0)

        left *= n  # customers who have left, and below the same times r + x
        all_left, left_b, left_r = left.sum(), left @ x.take(1 / rest, spare), left @ log_ratio
        each_R *= left
        one_T, one_tx = 1 / (alpha + T.values), 1 / (alpha + t_x.values)
        left_alpha = each_R @ np.subtract(T.take(one_T, odds), t_x.take(one_tx, spare), out=odds)
        tries = x.values + self.at_first
        both = -n_x @ psi_rising(a + b, tries)
        by_r = n_x @ psi_rising(r, x.values) - n_T @ log_T + left_r
        by_alpha = n_T @ (T.values * one_T) * r / alpha - purchases_T @ one_T + left_alpha
        by_b = both + n_x @ psi_rising(b, tries) - left_b
        return float(value), np.array([by_r, by_alpha, both + all_left / a, by_b])

    def outcomes(self, rows: pd.DataFrame, t: float, *, size: int | None = None, seed: int = 0) -> Vector:
        """Return equally likely numbers of purchases of each row; see ``TransactionModel.outcomes``.

        From the closed distribution of a living customer's purchases, mixed over draws of the parameters.
        """
        size = size or draws_each(len(rows))
        if rows.empty:
            return np.zeros((size, 0))
        mixed = int(np.clip(_MIXED // len(rows), 20, 100)) if self.n_ > _MANY else 100
        drawn = self.draws(1 if self.posterior_ is None else mixed, seed=seed + 1)
        x, t_x, T = self._ages_drawn(rows, drawn)
        length = np.array([self._ahead(t, full) for full in drawn])
        offset, out = np.random.default_rng(seed).random(len(rows)), np.empty((len(rows), size))
        for shared in zip(*(self._patterns(rows, full) for full in drawn), strict=True):
            theta, at = np.array([one for one, _ in shared]).T[:, None], shared[0][1]
            u, _, pair = pairs(x[at], rows["T"].to_numpy(float)[at])
            v = T[at][np.unique(pair, return_index=True)[1]]
            r, alpha, a, b = theta
            future = np.broadcast_arrays(r + u[:, None], alpha + v, a, b + u[:, None] + self.at_first)
            many = (np.maximum(future[0], 1.0) * length / future[1]).max(axis=1) > _ONE_BY_ONE
            few, heavy = (np.nonzero(many[pair] == side)[0] for side in (False, True))
            alive = self._alive(theta, x[at, None], t_x[at], T[at])
            out[at[few]] = outcomes_until_dropout(future, alive[few], pair[few], length, offset[at[few]], size)
            if len(heavy):
                out[at[heavy]] = self.simulate_purchases(rows.iloc[at[heavy]], t, size=size, seed=seed).T
        return out.T

    def _ages_drawn(self, rows: pd.DataFrame, drawn: Vector) -> tuple[Vector, Vector, Vector]:
        """Repeat purchases, and a column of ages for each draw; a single one where days are days."""
        if self.clock_ is None:
            x, t_x, T = super()._ages(rows, drawn[0])
            return x, t_x[:, None], T[:, None]
        each = [self._ages(rows, full) for full in drawn]
        t_x, T = (np.column_stack([ages[k] for ages in each]) for k in (1, 2))
        return each[0][0], t_x, T


def _ends_on(summary: Any, clock: Clock) -> None:
    """Refuse a SUMMARY of another day than the clock's: on it every age would be counted wrongly."""
    if not {"first_date", "T"} <= set(summary.columns):
        return
    one = run(summary.select("first_date", "T").head(1), summary) if is_ibis(summary) else summary.head(1)
    if not len(one):
        return
    day = (pd.Timestamp(one["first_date"].iloc[0]) + pd.Timedelta(days=int(one["T"].iloc[0]))).date()
    if day != clock.as_of:
        raise TableError(f"the SUMMARY is of {day} and the calendar of {clock.as_of}: make both on one day")
