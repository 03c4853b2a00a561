"""Pareto/NBD: purchases at random, and a life that may end at any moment.

In: SUMMARY. Out: P(alive), expected purchases, DERT. Schmittlein, Morrison and Colombo (1987), "Counting your
customers", Management Science 33(1), 1-24; Fader, Hardie and Lee (2005), Journal of Marketing Research 42(4), for DERT.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..core.maths import annual_to_daily
from .continuous import Newcomers
from .fitting import Triples, Vector
from .lifetimes import Lifetime, LifetimeModel, alive_of_lifetimes, ended, log_likelihood_of_lifetimes
from .special import ln_integral

__all__ = ["ParetoNBD"]


def log_likelihood(r: float, alpha: float, s: float, beta: float, data: Triples) -> tuple[Vector, Vector]:
    """Return ln L of each (x, t_x, T) and its gradient in (r, alpha, s, beta).

    L = G(r+x) alpha^r / G(r) * [(alpha+T)^-(r+x) S(T) + integral from t_x to T of (alpha+u)^-(r+x) f(u) du], with the
    Pareto lifetime S(u) = (beta/(beta+u))^s and its density f.
    """
    return log_likelihood_of_lifetimes(r, alpha, pareto(s, beta), data)


def pareto(s: float, beta: float) -> Lifetime:
    """The Pareto distribution of lifetimes, and its slopes in (s, beta)."""

    def survival(u: Vector) -> tuple[Vector, Vector]:
        ratio = np.log1p(u / beta)
        return -s * ratio, np.array([-ratio, s * u / (beta * (beta + u))])

    def density(u: Vector) -> tuple[Vector, Vector]:
        ln_S, slope = survival(u)
        slope = slope + np.array([np.full_like(u, 1 / s), -1 / (beta + u)])
        return ln_S + np.log(s) - np.log(beta + u), slope

    return Lifetime(
        survival,
        density,
        low=beta,
        power=s + 1,
        log_ratio=lambda start, gap: -s * np.log1p(gap / (beta + start)),
        log_hazard=lambda u: np.log(s) - np.log(beta + u),
    )


def life_ended(r: float, alpha: float, s: float, beta: float, data: Triples) -> Vector:
    """Return the logarithm of the integral from t_x to T of (alpha+u)^-(r+x) (beta+u)^-(s+1) du."""
    return ended(r, alpha, pareto(s, beta), data)[0] - (r + data.x.full) * np.log(alpha) - np.log(s) - s * np.log(beta)


def probability_alive(r: float, alpha: float, s: float, beta: float, x: Vector, t_x: Vector, T: Vector) -> Vector:
    """Return P(alive | x, t_x, T): the share of L that comes from a life longer than T."""
    return alive_of_lifetimes(r, alpha, pareto(s, beta), x, t_x, T)


def purchases_while_alive(rate: Vector, s: float, B: Vector, t: float) -> Vector:
    """Return rate * B/(s-1) * [1 - (B/(B+t))^(s-1)], the expected purchases of a living customer; smooth at s = 1."""
    L = np.log1p(t / B)
    y = (s - 1) * L
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(rate * B * L * np.where(np.abs(y) < 1e-12, 1.0, -np.expm1(-y) / y))


class ParetoNBD(LifetimeModel):
    """The Pareto/NBD model of repeat purchases.

    Parameters, time in days: ``r, alpha``, shape and rate of the gamma of purchase rates; ``s, beta``, of the gamma of
    the rates at which lives end.

    Attributes
    ----------
    params_, standard_errors_ : pandas.Series
        By parameter, after ``fit``; time in days.
    log_likelihood_, aic_, bic_ : float
        Of the fit.
    n_ : int
        Customers that the fit used.
    at_bound_ : tuple of str
        Parameters that the data could not determine.

    Notes
    -----
    The likelihood is integrated numerically, in logarithms, instead of by hypergeometric functions.

    References
    ----------
    Schmittlein, Morrison and Colombo (1987), "Counting your customers: who are they and what will they do next?",
    Management Science 33(1), 1-24; derivations: Fader and Hardie (2005), note 009.

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
    effects = {"alpha": -1, "beta": -1}

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
            Named ``dert``, a discounted number of purchases; for an Ibis table, a table (customer_id, dert).

        Raises
        ------
        FitError, TableError
            As ``expected_purchases``.
        ValueError
            When ``discount_rate`` is not above 0, or above 1.

        References
        ----------
        Fader, Hardie and Lee (2005), JMR 42(4), equation (2), whose confluent hypergeometric function is the integral
        of survival ((beta+T)/(beta+T+t))^s against exp(-delta t).
        """
        delta = annual_to_daily(discount_rate)
        if delta <= 0:
            raise ValueError("a sum without end needs a discount_rate above 0")

        def dert(theta: Vector, x: Vector, t_x: Vector, T: Vector) -> Vector:
            r, alpha, s, beta = theta
            B = beta + T
            # e^-(y w) (1+w)^-s over w > 0, y = delta B: the integral behind the paper's confluent hypergeometric function
            end = np.minimum(45.0 / (delta * B), np.expm1(min(45.0 / s, 700.0)))
            part = (lambda row, w: -delta * B[row] * w - s * np.log1p(w), np.zeros(len(x)))
            ln_span = ln_integral([part], end, np.ones(len(x)))
            return np.asarray(self._alive(theta, x, t_x, T) * (r + x) / (alpha + T) * B * np.exp(ln_span))

        return self._each(summary, lambda rows: {"dert": self._over(rows, None, dert)})

    def _starts(self, rows: pd.DataFrame) -> list[list[float]]:
        rate = (rows["frequency"] * rows["n"]).sum() / max(float((rows["T"] * rows["n"]).sum()), 1.0)
        span = float(rows["T"].max())
        return [[0.7, 0.7 / rate, 0.6, 0.5 * span], [1.5, 1.5 / rate, 1.0, 0.3 * span]]

    def _alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector) -> Vector:
        r, alpha, s, beta = theta
        return probability_alive(r, alpha, s, beta, x, t_x, T)

    def _purchases_if_alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float) -> Vector:
        r, alpha, s, beta = theta
        return purchases_while_alive((r + x) / (alpha + T), s, beta + T, t)

    def _stays_if_alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float) -> Vector:
        _, _, s, beta = theta
        return np.exp(-s * np.log1p(t / (beta + T)))

    def _scale(self, theta: Vector, x: Vector, t_x: Vector, T: Vector) -> Vector:
        _, _, s, beta = theta
        return (beta + T) / (1 + abs(s - 1))

    def _simulate_if_alive(
        self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float, rng: np.random.Generator
    ) -> Vector:
        r, alpha, s, beta = theta
        rate = rng.gamma(r + x) / (alpha + T)
        ends = rng.exponential(size=len(x)) / np.maximum(rng.gamma(s, size=len(x)) / (beta + T), 1e-300)
        return rng.poisson(np.minimum(rate * np.minimum(t, ends), 1e9)).astype(float)

    def _life(self, theta: Vector) -> Lifetime:
        return pareto(*theta[2:])

    def _newcomers(self, theta: Vector, n: int, rng: np.random.Generator) -> Newcomers:
        r, alpha, s, beta = theta
        ends = rng.exponential(size=n) / np.maximum(rng.gamma(s, 1 / beta, n), 1e-300)
        return Newcomers(rng.gamma(r, 1 / alpha, n), ends, np.zeros(n))
