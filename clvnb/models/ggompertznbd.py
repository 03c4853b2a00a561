"""GGompertz/NBD: purchases at random, and a life whose risk of ending grows with age.

In: SUMMARY. Out: P(alive), expected purchases. Bemmaor and Glady (2012), "Modeling purchasing behavior with sudden
'death': a flexible customer lifetime model", Management Science 58(5), 1012-1021.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .continuous import Newcomers
from .fitting import Triples, Vector
from .lifetimes import Lifetime, LifetimeModel, alive_of_lifetimes, log_likelihood_of_lifetimes
from .special import ln_integral

__all__ = ["GGompertzNBD"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)


def log_likelihood(r: float, alpha: float, s: float, beta: float, b: float, data: Triples) -> tuple[Vector, Vector]:
    """Return ln L of each (x, t_x, T) and its gradient in (r, alpha, s, beta, b); see ``lifetimes``."""
    return log_likelihood_of_lifetimes(r, alpha, gompertz(s, beta, b), data)


def gompertz(s: float, beta: float, b: float) -> Lifetime:
    """The gamma-Gompertz distribution of lifetimes, S(u) = (1 + g(u)/beta)^-s with g(u) = (exp(b u) - 1)/b.

    The paper's beta is b times this one. Written so, beta is a time, and b = 0 is the Pareto distribution.
    """

    def survival(u: Vector) -> tuple[Vector, Vector]:
        g, g_b = _grown(u, b)
        ratio = np.log1p(g / beta)
        return -s * ratio, np.array([-ratio, s * g / (beta * (beta + g)), -s * g_b / (beta + g)])

    def density(u: Vector) -> tuple[Vector, Vector]:
        g, g_b = _grown(u, b)
        ln_S, slope = survival(u)
        slope = slope + np.array([np.full_like(u, 1 / s), -1 / (beta + g), u - g_b / (beta + g)])
        return ln_S + np.log(s) + b * u - np.log(beta + g), slope

    def slack(u: Vector) -> Vector:
        """(beta + g(u)) b exp(-b u): large while the risk grows, 1 from then on."""
        return np.asarray(b * beta * np.exp(-b * u) - np.expm1(-b * u))

    def log_ratio(start: Vector, gap: Vector) -> Vector:
        """-s ln(1 + expm1(b gap)/slack), in which nothing overflows."""
        ln_slack = np.log(slack(start))
        with np.errstate(over="ignore"):
            short = np.log1p(np.expm1(np.minimum(b * gap, 500.0)) / slack(start))
        return np.where(b * gap < 500.0, -s * short, -s * np.logaddexp(0.0, b * gap - ln_slack))

    return Lifetime(
        survival,
        density,
        low=beta,
        power=s + 1,
        log_ratio=log_ratio,
        log_hazard=lambda u: np.log(s) + np.log(b) - np.log(slack(u)),
        growth=b * (s + 1),
        peak=float(np.log(max((b * beta - 1) / s, 1.0)) / b),
        turn=float(np.log(max(b * beta - 1, 1.0)) / b),
        growth_rate=b,
    )


def _grown(u: Vector, b: float) -> tuple[Vector, Vector]:
    """g(u) = (exp(b u) - 1)/b and its slope in b, both also for small b u."""
    y = np.minimum(b * u, 600.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(y < 1e-4, u * u * (0.5 + y / 3 + y * y / 8), (y * np.exp(y) - np.expm1(y)) / b**2)
    return np.expm1(y) / b, slope


class GGompertzNBD(LifetimeModel):
    """The GGompertz/NBD model of repeat purchases.

    Parameters, time in days: ``r, alpha``, shape and rate of the gamma of purchase rates; ``s, beta``, of the gamma of
    risks to end, as in Pareto/NBD; ``b``, by how much a customer's risk grows each day, in logarithms. Where lives do
    not age, ``b`` runs to 0 (``at_bound_`` says so) and the model is Pareto/NBD.

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
    The paper's beta is ``b`` times this one, which is a time in days.

    References
    ----------
    Bemmaor and Glady (2012), "Modeling purchasing behavior with sudden 'death': a flexible customer lifetime model",
    Management Science 58(5), 1012-1021.

    Examples
    --------
    >>> import pandas as pd
    >>> model = GGompertzNBD.with_params(r=.55, alpha=74., s=.6, beta=80., b=.002)
    >>> customer = pd.DataFrame({"customer_id": ["1"], "frequency": [2], "recency": [213], "T": [272]})
    >>> round(float(model.probability_alive(customer).iloc[0]), 3)
    0.831
    """

    name = "GGompertz/NBD"
    parameters = ("r", "alpha", "s", "beta", "b")
    time_powers = {"alpha": 1, "beta": 1, "b": -1}
    effects = {"alpha": -1, "beta": -1}

    def _starts(self, rows: pd.DataFrame) -> list[list[float]]:
        rate = (rows["frequency"] * rows["n"]).sum() / max(float((rows["T"] * rows["n"]).sum()), 1.0)
        span = float(rows["T"].max())
        return [[0.7, 0.7 / rate, 0.6, 0.5 * span, 0.5 / span], [1.5, 1.5 / rate, 0.5, 0.5 * span, 0.01 / span]]

    def _alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector) -> Vector:
        r, alpha, s, beta, b = theta
        return alive_of_lifetimes(r, alpha, gompertz(s, beta, b), x, t_x, T)

    def _purchases_if_alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float) -> Vector:
        r, alpha, s, beta, b = theta
        return (r + x) / (alpha + T) * _remaining(s, beta, b, T, t)

    def _stays_if_alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float) -> Vector:
        return np.exp(self._life(theta).log_ratio(T, np.full(len(T), t)))

    def _scale(self, theta: Vector, x: Vector, t_x: Vector, T: Vector) -> Vector:
        s, beta, b = theta[2:]
        return np.exp(-self._life(theta).log_hazard(T)) * s / (1 + s) / (1 + b * (beta + T))

    def _simulate_if_alive(
        self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float, rng: np.random.Generator
    ) -> Vector:
        r, alpha, s, beta, b = theta
        rate = rng.gamma(r + x) / (alpha + T)
        return rng.poisson(np.minimum(rate * np.minimum(t, _life_left(s, beta, b, T, rng)), 1e9)).astype(float)

    def _life(self, theta: Vector) -> Lifetime:
        return gompertz(*theta[2:])

    def _newcomers(self, theta: Vector, n: int, rng: np.random.Generator) -> Newcomers:
        r, alpha, s, beta, b = theta
        return Newcomers(rng.gamma(r, 1 / alpha, n), _life_left(s, beta, b, np.zeros(n), rng), np.zeros(n))


def _remaining(s: float, beta: float, b: float, T: Vector, t: float) -> Vector:
    """The days lived in the next t by those alive at T: the integral of S(T+u)/S(T), in panels for each distinct T."""
    ages, index = np.unique(T, return_inverse=True)
    life = gompertz(s, beta, b)
    if b * (t + ages[-1]) > 8 or np.exp(life.log_hazard(ages)).max() * t > 50:  # within a panel it would fall too far
        parts = [(life.living(ages), np.zeros(len(ages)))]
        spans = np.exp(ln_integral(parts, np.full(len(ages), t), beta + ages, life.bends(ages)))
        return np.asarray(spans[index.reshape(-1)])
    edges = np.concatenate([[0.0], np.geomspace(t / 256, t, 9)])
    half = np.diff(edges)[:, None] / 2
    u = (edges[:-1, None] + half * (1 + _NODES)).ravel()
    weights = (half * _WEIGHTS).ravel()
    return np.asarray((np.exp(life.log_ratio(ages[:, None], u)) @ weights)[index.reshape(-1)])


def _life_left(s: float, beta: float, b: float, T: Vector, rng: np.random.Generator) -> Vector:
    """Draw the days left to those alive at T, by inverting S(T+u)/S(T) at a uniform draw."""
    with np.errstate(over="ignore"):
        stretch = np.expm1(rng.exponential(size=len(T)) / s)
        more = stretch * (beta * b * np.exp(-np.minimum(b * T, 600)) - np.expm1(-b * T))
    return np.log1p(np.minimum(more, 1e300)) / b
