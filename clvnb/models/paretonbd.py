"""Pareto/NBD: purchases at random, and a life that may end at any moment.

In: SUMMARY. Out: P(alive), expected purchases, DERT. Schmittlein, Morrison and Colombo (1987), "Counting your
customers", Management Science 33(1), 1-24; Fader, Hardie and Lee (2005), Journal of Marketing Research 42(4), for DERT.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, gammaln, psi

from ..formulas import annual_to_daily
from .base import TransactionModel
from .fitting import Triples, Vector

__all__ = ["ParetoNBD"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)


def log_likelihood(r: float, alpha: float, s: float, beta: float, data: Triples) -> tuple[Vector, Vector]:
    """Return ln L of each (x, t_x, T) and its gradient in (r, alpha, s, beta).

    L = G(r+x) alpha^r beta^s / G(r) * [(alpha+T)^-(r+x) (beta+T)^-s + s A(x; t_x, T)], where
    A = integral from t_x to T of (alpha+u)^-(r+x) (beta+u)^-(s+1) du sums over the moments at which life may have ended.
    """
    x = data.x.full
    R = r + x
    ln_A, mean = life_ended(r, alpha, s, beta, data, means=True)
    log_a, log_b = data.T.map(lambda T: np.log(alpha + T)), data.T.map(lambda T: np.log(beta + T))
    ln_alive = -R * log_a - s * log_b
    ln_dead = np.log(s) + ln_A
    dead = expit(ln_dead - ln_alive)
    ln_L = (
        data.x.map(lambda x: gammaln(r + x))
        + (r * np.log(alpha) + s * np.log(beta) - gammaln(r))
        + np.logaddexp(ln_alive, ln_dead)
    )
    alive = 1 - dead
    gradient = np.array(
        [
            data.x.map(lambda x: psi(r + x)) - psi(r) + np.log(alpha) - alive * log_a - dead * mean[0],
            r / alpha - R * (alive * data.T.map(lambda T: 1 / (alpha + T)) + dead * mean[1]),
            np.log(beta) - alive * log_b + dead * (1 / s - mean[2]),
            s / beta - s * alive * data.T.map(lambda T: 1 / (beta + T)) - (s + 1) * dead * mean[3],
        ]
    )
    return ln_L, gradient


def life_ended(
    r: float, alpha: float, s: float, beta: float, data: Triples, *, means: bool = False
) -> tuple[Vector, Vector]:
    """Return ln A(x; t_x, T), and on request the means over A's integrand of ln(alpha+u), 1/(alpha+u), ln(beta+u), 1/(beta+u).

    All distinct moments of the data cut time into cells; each cell is integrated once for every distinct x by six-point
    Gauss-Legendre, in logarithms, and added up from the end: the cost does not grow with the number of customers.
    """
    edges = _cells(data, alpha, beta, r + float(data.x.values[-1]) + s + 1)
    width = np.diff(edges)[:, None] / 2
    u = edges[:-1, None] + width * (1 + _NODES)
    ln_a, ln_b = np.log(alpha + u), np.log(beta + u)
    start, end = np.searchsorted(edges, data.t_x.full), np.searchsorted(edges, data.T.full)
    row = data.x.index
    # ln(alpha+u) can be negative; measured from the smallest one it cannot, and logarithms of sums stay real.
    low_a, low_b = ln_a.min(), ln_b.min()
    ln_f = -(r + data.x.values)[:, None, None] * ln_a - (s + 1) * ln_b + np.log(width * _WEIGHTS)
    with np.errstate(divide="ignore", invalid="ignore"):
        ln_A = _between(ln_f, row, start, end)
        if not means:
            return ln_A, np.empty((4, 0))
        parts = [np.log(ln_a - low_a), -ln_a, np.log(ln_b - low_b), -ln_b]
        mean = [np.exp(_between(ln_f + part, row, start, end) - ln_A) for part in parts]
    mean = [np.where(np.isfinite(m), m, 0.0) for m in mean]
    return ln_A, np.array([mean[0] + low_a, mean[1], mean[2] + low_b, mean[3]])


def _cells(data: Triples, alpha: float, beta: float, power: float) -> Vector:
    """All distinct moments, with more between them where the integrand falls by more than a few e-folds."""
    moments = np.union1d(data.t_x.values, data.T.values)
    moments = np.append(moments, moments[-1] + 1.0)  # so that there is a cell even where all moments are one
    low = min(alpha, beta)
    ratio = np.log1p(np.diff(moments) / (low + moments[:-1]))
    pieces = np.ceil(np.maximum(power * ratio / 1.2, ratio / 0.3)).clip(1, 4000).astype(int)
    if pieces.max(initial=1) == 1:
        return moments
    inner = [
        np.concatenate([[a], np.geomspace(low + a, low + b, k + 1)[1:-1] - low])
        for a, b, k in zip(moments[:-1], moments[1:], pieces, strict=True)
    ]
    return np.concatenate([*inner, moments[-1:]])


def _between(ln_f: Vector, row: Vector, start: Vector, end: Vector) -> Vector:
    """The logarithm of the sum of cells from ``start`` up to ``end``, for the x in ``row``."""
    top = ln_f.max(axis=2, keepdims=True)
    cell = np.log(np.exp(ln_f - top).sum(axis=2)) + top[..., 0]
    from_here = np.logaddexp.accumulate(cell[:, ::-1], axis=1)[:, ::-1]
    from_here = np.concatenate([from_here, np.full((len(cell), 1), -np.inf)], axis=1)
    upper, lower = from_here[row, start], from_here[row, end]
    return np.where(start < end, upper + np.log1p(-np.exp(np.minimum(lower - upper, 0.0))), -np.inf)


def probability_alive(r: float, alpha: float, s: float, beta: float, x: Vector, t_x: Vector, T: Vector) -> Vector:
    """Return P(alive | x, t_x, T): the share of L that comes from a life longer than T."""
    ln_A, _ = life_ended(r, alpha, s, beta, Triples.of(x, t_x, T))
    return np.asarray(expit(-(r + x) * np.log(alpha + T) - s * np.log(beta + T) - np.log(s) - ln_A))


def purchases_while_alive(rate: Vector, s: float, B: Vector, t: float) -> Vector:
    """Return rate * B/(s-1) * [1 - (B/(B+t))^(s-1)], the expected purchases of a living customer; smooth at s = 1."""
    L = np.log1p(t / B)
    y = (s - 1) * L
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(rate * B * L * np.where(np.abs(y) < 1e-12, 1.0, -np.expm1(-y) / y))


class ParetoNBD(TransactionModel):
    """The Pareto/NBD model of repeat purchases.

    Parameters, time in days: ``r, alpha``, shape and rate of the gamma of purchase rates; ``s, beta``, of the gamma of
    the rates at which lives end.

    Examples
    --------
    >>> import pandas as pd
    >>> model = ParetoNBD.with_params(r=.553277, alpha=10.5776833, s=.60624, beta=11.6687363, unit="1 week")
    >>> customer = pd.DataFrame({"customer_id": ["1"], "frequency": [2], "recency": [213], "T": [272]})
    >>> round(float(model.probability_alive(customer).iloc[0]), 4)
    0.8691
    """

    name = "Pareto/NBD"
    parameters = ("r", "alpha", "s", "beta")
    time_powers = {"alpha": 1, "beta": 1}

    def discounted_purchases_forever(self, summary: Any, discount_rate: float) -> Any:
        """Return DERT: each customer's purchases from now on without end, discounted.

        Parameters
        ----------
        summary : SUMMARY
        discount_rate : float
            Effective, a year; above 0.

        Returns
        -------
        pandas.Series
            Named ``dert``; for an Ibis table, a table (customer_id, dert).

        References
        ----------
        Fader, Hardie and Lee (2005), JMR 42(4), equation (2), whose confluent hypergeometric function is the integral of
        survival ((beta+T)/(beta+T+t))^s against exp(-delta t).
        """
        from scipy.special import hyperu

        delta = annual_to_daily(discount_rate)
        if delta <= 0:
            raise ValueError("a sum without end needs a discount_rate above 0")
        r, alpha, s, beta = self._theta()

        def dert(x: Vector, t_x: Vector, T: Vector) -> dict[str, Vector]:
            rate, B = (r + x) / (alpha + T), beta + T
            return {"dert": self._alive(self._theta(), x, t_x, T) * rate * B * hyperu(1.0, 2.0 - s, delta * B)}

        return self._each(summary, dert)

    def _log_likelihood(self, theta: Vector, data: Triples) -> tuple[Vector, Vector]:
        r, alpha, s, beta = theta
        return log_likelihood(r, alpha, s, beta, data)

    def _starts(self, rows: pd.DataFrame) -> list[list[float]]:
        rate = (rows["frequency"] * rows["n"]).sum() / max(float((rows["T"] * rows["n"]).sum()), 1.0)
        span = float(rows["T"].max())
        return [[0.7, 0.7 / rate, 0.6, 0.5 * span], [1.5, 1.5 / rate, 1.0, 0.3 * span]]

    def _alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector) -> Vector:
        r, alpha, s, beta = theta
        return probability_alive(r, alpha, s, beta, x, t_x, T)

    def _purchases_if_alive(self, theta: Vector, x: Vector, T: Vector, t: float) -> Vector:
        r, alpha, s, beta = theta
        return purchases_while_alive((r + x) / (alpha + T), s, beta + T, t)

    def _purchases_new(self, theta: Vector, t: float) -> float:
        r, alpha, s, beta = theta
        return float(purchases_while_alive(np.array([r / alpha]), s, np.array([beta]), t)[0])

    def _simulate_if_alive(self, theta: Vector, x: Vector, T: Vector, t: float, rng: np.random.Generator) -> Vector:
        r, alpha, s, beta = theta
        rate = rng.gamma(r + x) / (alpha + T)
        ends = rng.exponential(size=len(x)) / np.maximum(rng.gamma(s, size=len(x)) / (beta + T), 1e-300)
        return rng.poisson(np.minimum(rate * np.minimum(t, ends), 1e9)).astype(float)
