"""What BG/NBD, MBG/NBD and their regular kin share: purchases until a customer drops out at one of them.

In: parameters updated by what is known of customers who are alive. Out: expected or drawn numbers of purchases.

With R, A the shape and rate of the purchase rate's gamma, and a, B the beta of the drop-out probability, all given
that the customer is alive, the future is the same process in both papers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy.special import betainc, betaln, gammaln, hyp2f1, psi

from .base import draws_each
from .continuous import ContinuousModel, Newcomers
from .fitting import Triples, Vector
from .histories import KEYS, pairs

__all__ = [
    "DropoutModel",
    "RandomDropoutModel",
    "count_probabilities",
    "outcomes_until_dropout",
    "purchases_until_dropout",
    "regular_until_dropout",
    "simulate_until_dropout",
]

# The closed form is a difference; rounding is magnified by |(a+B-1)/(a-1)| over the result. Beyond this it is
# replaced by quadrature, which keeps the relative error below 1e-10.
_MAGNIFIED = 1e5
# Rows times draws of the parameters, where so many customers were fitted that there is little doubt about them.
_MIXED = 2_000_000
_MANY = 20_000
# Purchases, or the scale on which their chances fall, up to which these are added up one after another; beyond, they are simulated.
_ONE_BY_ONE = 500.0


def purchases_until_dropout(R: Vector, A: Vector, a: float, B: Vector, t: float) -> Vector:
    """Return E[purchases in t | alive] = E[(1 - (1 + p t/A)^-R) / p] for p ~ Beta(a, B).

    Closed form by Euler's transformation of 2F1, which cancels every power of x:
    (a+B-1)/(a-1) [1 - (1-z)^(a-1) 2F1(a-1, a+B-1-R; a+B-1; z)], z = t/(A+t).
    Where that loses digits (a near 1, t short against A, overflow) the expectation is integrated instead.

    References
    ----------
    Fader, Hardie and Lee (2005), equation (10); Batislam, Denizel and Filiztekin (2007) with B = b + x + 1.
    """
    z = t / (A + t)
    c = a + B - 1.0
    with np.errstate(all="ignore"):
        front = c / (a - 1.0)
        out = front * (1.0 - (1.0 - z) ** (a - 1.0) * hyp2f1(a - 1.0, c - R, c, z))
        doubtful = ~np.isfinite(out) | (np.abs(front) > _MAGNIFIED * np.abs(out)) | (out <= 0)
    if doubtful.any():
        out[doubtful] = _integrated(R[doubtful], A[doubtful], a, B[doubtful], t)
    return np.asarray(out)


def _integrated(R: Vector, A: Vector, a: float, B: Vector, t: float) -> Vector:
    """Integrate over p by the trapezoidal rule after p = 1/(1 + exp(-pi/2 sinh v)), which decays doubly exponentially."""
    ln_p, ln_q, ln_weight = _double_exponential(1.0 / 48)
    p = np.exp(ln_p)
    out = np.empty(len(R))
    for k in range(0, len(R), 1000):  # in blocks, so that memory stays bounded
        r, s, b = R[k : k + 1000], t / A[k : k + 1000], B[k : k + 1000]
        with np.errstate(all="ignore"):
            per_p = np.where(p > 1e-200, -np.expm1(-r * np.log1p(p * s)) / p, r * s)
        out[k : k + 1000] = (_beta_weights(ln_p, ln_q, ln_weight, a, b) * per_p).sum(axis=0)
    return out


def _double_exponential(h: float) -> tuple[Vector, Vector, Vector]:
    """The logarithms of p, 1 - p and the weights of the trapezoidal rule with step h, as columns."""
    v = np.arange(-8.2, 5.2, h)[:, None]
    u = np.pi / 2 * np.sinh(v)
    return -np.logaddexp(0.0, -u), -np.logaddexp(0.0, u), np.log(np.pi / 2 * np.cosh(v)) + np.log(h)


def _beta_weights(ln_p: Vector, ln_q: Vector, ln_weight: Vector, a: float, b: Vector) -> Vector:
    return np.exp(a * ln_p + b * ln_q + ln_weight - betaln(a, b))


def count_probabilities(r: float, alpha: float, a: float, b: float, at_first: bool, t: float, up_to: int) -> Vector:
    """Return P(X(t) = n) of a new customer for n = 0 ... up_to.

    Either n purchases came and the customer is still there, or left at the n-th one: equation (8) of Fader, Hardie and
    Lee (2005); with ``at_first`` of Batislam, Denizel and Filiztekin (2007).
    """
    n = np.arange(up_to + 1)
    ln_nbd = (
        gammaln(r + n) - gammaln(r) - gammaln(n + 1) + r * np.log(alpha / (alpha + t)) + n * np.log(t / (alpha + t))
    )
    at_least = betainc(np.maximum(n, 1), r, t / (alpha + t)) * (n > 0) + (n == 0)
    B = b + n + at_first
    stays = np.exp(betaln(a, B) - betaln(a, b))
    with np.errstate(invalid="ignore", divide="ignore"):
        leaves = np.where(n + at_first > 0, np.exp(betaln(a + 1, np.maximum(B - 1, 1e-300)) - betaln(a, b)), 0.0)
    return np.asarray(stays * np.exp(ln_nbd) + leaves * at_least)


def regular_until_dropout(R: Vector, A: Vector, a: float, B: Vector, t: float, k: int, stage: int) -> Vector:
    """Return E[purchases in t | alive] where a purchase takes k stages, ``stage`` of which are done.

    Stages come at a rate that is gamma(R, A) across customers, the chance p to leave after a purchase is Beta(a, B).
    For given p, with q = 1 - p, the count is (1 - E[q^floor((N + stage)/k)]) / p, where N is the number of stages to
    come. The power of a floor is a sum over the k-th roots w of unity of powers s^N with s = w q^(1/k), and E[s^N] = (1
    + (1 - s) t/A)^-R; so only p is left to integrate.
    """
    if k == 1:
        return purchases_until_dropout(R, A, a, B, t)
    ln_p, ln_q, ln_weight = _double_exponential(1.0 / 12)
    density = a * ln_p + np.array([B.min(), B.max()]) * ln_q
    heavy = np.nonzero((density > density.max(axis=0) - 42.0).any(axis=1))[0]
    matters = slice(heavy[0], heavy[-1] + 1)
    ln_p, ln_q, ln_weight = ln_p[matters], ln_q[matters], ln_weight[matters]
    p = np.exp(ln_p)
    out = np.empty(len(R))
    for at in range(0, len(R), 1000):  # in blocks, so that memory stays bounded
        r, ratio, b = R[at : at + 1000], t / A[at : at + 1000], B[at : at + 1000]
        with np.errstate(all="ignore"):
            kept = _kept(ln_q, r, ratio, k, stage)
            per_p = np.where(p > 1e-8, (1 - kept) / p, _mean_purchases(r, ratio, k, stage))
        out[at : at + 1000] = (_beta_weights(ln_p, ln_q, ln_weight, a, b) * per_p).sum(axis=0)
    rare = out < 1e-4  # where 1 - kept has lost its digits, few terms of the sum over purchases are enough
    if rare.any():
        n = np.arange(1, 41)[:, None]
        reached = betainc(n * k - stage, R[rare], t / (A[rare] + t))
        out[rare] = (reached * np.exp(betaln(a, B[rare] + n - 1) - betaln(a, B[rare]))).sum(axis=0)
    return out


def _kept(ln_q: Vector, r: Vector, ratio: Vector, k: int, stage: int) -> Vector:
    """E[q^floor((N + stage)/k)], by roots of unity; for tiny q it is the chance that no purchase is completed."""
    total = np.zeros((len(ln_q), len(r)))
    u = np.exp(np.maximum(ln_q, -20.0) / k)
    ratios, at = np.unique(ratio, return_inverse=True)  # few: the ages at which the caller asks
    for m in range(k // 2 + 1):
        alone = m in (0, k / 2)  # a real root; the others come in pairs
        s = u * ((1.0 if m == 0 else -1.0) if alone else np.exp(2j * np.pi * m / k))
        head = sum(s**-rho for rho in range(k)) / k * s**stage
        wave = head * np.exp(-r * np.log(1 + (1 - s) * ratios)[:, at])
        total += wave if alone else 2 * wave.real
    tiny = ln_q[:, 0] < -20.0
    total[tiny] = sum(
        np.exp(gammaln(r + i) - gammaln(r) - gammaln(i + 1) + i * np.log(ratio) - (r + i) * np.log1p(ratio))
        for i in range(k - stage)
    )
    return total


def _mean_purchases(r: Vector, ratio: Vector, k: int, stage: int) -> Vector:
    """E[floor((N + stage)/k)], for those who never leave: (N + stage)/k less the mean of the remainder."""
    roots = np.exp(2j * np.pi * np.arange(k) / k)
    waves = [w**stage * (1 + (1 - w) * ratio) ** -r for w in roots]
    rest = sum(rho * sum((w**-rho * wave).real for w, wave in zip(roots, waves, strict=True)) / k for rho in range(k))
    return np.asarray((stage + r * ratio - rest) / k)


def outcomes_until_dropout(
    future: Sequence[Vector], alive: Vector, pair: Vector, t: float, offset: Vector, size: int
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
    t : float
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

    def _purchases_if_alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float) -> Vector:
        r, alpha, a, b = theta
        return purchases_until_dropout(r + x, alpha + T, a, b + x + self.at_first, t)

    def _purchases_new(self, theta: Vector, t: float) -> float:
        _, _, a, b = theta
        zero = np.zeros(1)
        stays = b / (a + b) if self.at_first else 1.0
        return float(stays * self._purchases_if_alive(theta, zero, zero, zero, t)[0])

    def _simulate_if_alive(
        self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float, rng: np.random.Generator
    ) -> Vector:
        r, alpha, a, b = theta
        return simulate_until_dropout(r + x, alpha + T, a, b + x + self.at_first, t, rng)

    def _quiet(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, wait: Vector) -> Vector:
        r, alpha, _, _ = theta
        return np.asarray(((alpha + T) / (alpha + T + wait)) ** (r + x))

    def _newcomers(self, theta: Vector, n: int, rng: np.random.Generator) -> Newcomers:
        r, alpha, a, b = theta
        rate, leave = rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n)
        return Newcomers(rate, np.full(n, np.inf), leave, at_first=self.at_first)


class RandomDropoutModel(DropoutModel):
    """A ``DropoutModel`` whose purchases come at random, so that their number has a closed distribution."""

    def _total(self, theta: Vector, data: Triples, n: Vector, *, slope: bool = True) -> tuple[float, Vector]:
        """The sums of ``log_likelihood`` over the rows, without its arrays: what depends on one column is summed over its values.

        With B = b + x, or b + x + 1 where a customer may leave at the first purchase, both papers' likelihoods are
        G(r+x) alpha^r / G(r) * G(B) G(a+b) / (G(a+B) G(b)) * (alpha+T)^-(r+x) * (1 + a/(B-1) ((alpha+T)/(alpha+t_x))^(r+x)).
        """
        r, alpha, a, b = theta
        x, t_x, T = data.x, data.t_x, data.T
        R, B = r + x.values, b + x.values + self.at_first
        log_T, log_tx = np.log(alpha + T.values), np.log(alpha + t_x.values)
        rest = np.where(x.values + self.at_first > 0, B - 1, np.inf)  # infinite: nobody can have left

        log_ratio, odds, each_R, left, spare = data.room
        np.subtract(T.take(log_T, odds), t_x.take(log_tx, spare), out=log_ratio)
        np.multiply(x.take(R, each_R), log_ratio, out=odds)
        odds += x.take(np.log(a) - np.log(rest), spare)
        np.exp(np.negative(np.abs(odds, out=left), out=left), out=left)
        one_more = np.add(left, 1.0, out=spare)
        np.copyto(left, 1.0, where=odds >= 0)
        left /= one_more
        n_x, n_T, purchases_T = data.customers(n)
        n_R, all_n = r * n_T + purchases_T, float(n_x.sum())
        value = n @ np.log(one_more, out=spare) + n @ np.maximum(odds, 0.0, out=spare)
        value += n_x @ (gammaln(R) + gammaln(B) - gammaln(a + B)) - n_R @ log_T
        value += all_n * (r * np.log(alpha) - gammaln(r) + gammaln(a + b) - gammaln(b))
        if not slope:
            return float(value), np.zeros(0)

        left *= n  # customers who have left, and below the same times r + x
        all_left, left_b, left_r = left.sum(), left @ x.take(1 / rest, spare), left @ log_ratio
        each_R *= left
        one_T, one_tx = 1 / (alpha + T.values), 1 / (alpha + t_x.values)
        left_alpha = each_R @ np.subtract(T.take(one_T, odds), t_x.take(one_tx, spare), out=odds)
        both = n_x @ (psi(a + b) - psi(a + B))
        by_r = n_x @ psi(R) + all_n * (np.log(alpha) - psi(r)) - n_T @ log_T + left_r
        by_alpha = all_n * r / alpha - n_R @ one_T + left_alpha
        by_b = both + n_x @ psi(B) - all_n * psi(b) - left_b
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
        x, t_x, T = (rows[k].to_numpy(float) for k in KEYS)
        offset, out = np.random.default_rng(seed).random(len(rows)), np.empty((len(rows), size))
        for shared in zip(*(self._patterns(rows, full) for full in drawn), strict=True):
            theta, at = np.array([one for one, _ in shared]).T[:, None], shared[0][1]
            u, v, pair = pairs(x[at], T[at])
            r, alpha, a, b = theta
            future = np.broadcast_arrays(r + u[:, None], alpha + v[:, None], a, b + u[:, None] + self.at_first)
            many = (np.maximum(future[0], 1.0) * t / future[1]).max(axis=1) > _ONE_BY_ONE
            few, heavy = (np.nonzero(many[pair] == side)[0] for side in (False, True))
            alive = self._alive(theta, x[at, None], t_x[at, None], T[at, None])
            out[at[few]] = outcomes_until_dropout(future, alive[few], pair[few], t, offset[at[few]], size)
            if len(heavy):
                out[at[heavy]] = self.simulate_purchases(rows.iloc[at[heavy]], t, size=size, seed=seed).T
        return out.T

    def purchase_probabilities(self, horizon: str | float, up_to: int) -> Vector:
        """Return the chance that a new customer makes 0, 1, ... ``up_to`` repeat purchases over the horizon.

        With covariates, of a customer whose covariates are all 0 or the reference.

        Parameters
        ----------
        horizon : str or number of days
            For example ``"39 weeks"`` or ``"1 year"``.
        up_to : int
            The largest number of purchases.

        Returns
        -------
        array of shape (up_to + 1,)
            Between 0 and 1.

        Raises
        ------
        FitError
            When there are no parameters yet.
        ValueError
            For a horizon that is no duration.

        References
        ----------
        Fader, Hardie and Lee (2005), Marketing Science 24(2), 275-284, equation (8); for MBG/NBD Batislam, Denizel and
        Filiztekin (2007).
        """
        r, alpha, a, b = self._theta()[:4]
        return count_probabilities(r, alpha, a, b, self.at_first, self._length(horizon), up_to)
