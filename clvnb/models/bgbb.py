"""BG/BB: buying or not at each opportunity, and a chance to leave before it.

In: SUMMARY counted in opportunities. Out: P(alive), expected purchases. Fader, Hardie and Shang (2010), "Customer-base
analysis in a discrete-time noncontractual setting", Marketing Science 29(6), 1086-1108.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import gammaln, logsumexp, psi

from .base import TransactionModel, added_up
from .fitting import Triples, Vector
from .special import ln_beta_ratio, ln_rising

__all__ = ["BGBB"]


def log_likelihood(alpha: float, beta: float, gamma: float, delta: float, data: Triples) -> tuple[Vector, Vector]:
    """Return ln L of each (x, t_x, n) and its gradient in (alpha, beta, gamma, delta): equation (5).

    L = sum over the opportunities m = t_x ... n after which the customer may have left, of
    B(alpha+x, beta+m-x)/B(alpha, beta) times B(gamma, delta+n)/B(gamma, delta) for m = n (still there), and
    B(gamma+1, delta+m)/B(gamma, delta) for the others.
    """
    x, t_x, n = data.x.full, data.t_x.full, data.T.full
    m = np.arange(int(n.max()) + 1)[:, None]
    inside, there = (m >= t_x) & (m <= n), m == n
    left = np.where(there, 0.0, 1.0)
    misses = np.where(inside, m - x, 1.0)
    terms = _ln_used(alpha, beta, x, misses) + ln_beta_ratio(gamma, delta, m)
    terms += np.where(there, 0.0, np.log(gamma) - np.log(gamma + delta + m))
    ln_sum = logsumexp(np.where(inside, terms, -np.inf), axis=0)
    weight = np.where(inside, np.exp(terms - ln_sum), 0.0)

    def mean(part: Vector) -> Vector:
        return np.asarray((weight * part).sum(axis=0))

    ab, gd = psi(alpha + beta), psi(gamma + delta)
    both_p = mean(psi(alpha + beta + x + misses))
    both_q = mean(psi(gamma + delta + left + m))
    gradient = np.array(
        [
            psi(alpha + x) - both_p - psi(alpha) + ab,
            mean(psi(beta + misses)) - both_p - psi(beta) + ab,
            mean(psi(gamma + left)) - both_q - psi(gamma) + gd,
            mean(psi(delta + m)) - both_q - psi(delta) + gd,
        ]
    )
    return ln_sum, gradient


def _ln_used(alpha: float, beta: float, x: Vector, misses: Vector) -> Vector:
    """ln B(alpha+x, beta+misses)/B(alpha, beta): one given order of x opportunities used and so many missed."""
    return ln_rising(alpha, x) + ln_rising(beta, misses) - ln_rising(alpha + beta, x + misses)


class BGBB(TransactionModel):
    """The BG/BB model: at each of a row of opportunities (a yearly appeal, an event) a customer buys or does not.

    Parameters: ``alpha, beta`` of the beta of the chance to buy at an opportunity; ``gamma, delta`` of the chance to
    leave before it. The clock is opportunities: in the SUMMARY ``frequency`` is the number used since the first
    purchase, ``recency`` the last one used, ``T`` how many there were; a horizon is a number of them, and a discount
    rate is per opportunity.

    Attributes
    ----------
    params_, standard_errors_ : pandas.Series
        By parameter, after ``fit``.
    log_likelihood_, aic_, bic_ : float
        Of the fit.
    n_ : int
        Customers that the fit used.
    at_bound_ : tuple of str
        Parameters that the data could not determine.

    Notes
    -----
    With no clock of days, ``unit`` of ``with_params``, ``estimates`` and ``summary`` changes nothing, and ``step`` of
    ``discounted_purchases`` is not used.

    References
    ----------
    Fader, Hardie and Shang (2010), "Customer-base analysis in a discrete-time noncontractual setting", Marketing
    Science 29(6), 1086-1108: likelihood, equation (5).

    Examples
    --------
    >>> import pandas as pd
    >>> model = BGBB.with_params(alpha=1.204, beta=.750, gamma=.657, delta=2.783)
    >>> donor = pd.DataFrame({"customer_id": ["1"], "frequency": [4], "recency": [5], "T": [6]})
    >>> round(float(model.expected_purchases(donor, 10).iloc[0]), 2)
    3.63
    """

    name = "BG/BB"
    parameters = ("alpha", "beta", "gamma", "delta")
    effects = {"alpha": 1, "beta": 1, "gamma": 1, "delta": 1}

    def probability_alive(self, summary: Any, *, ahead: str | float | None = None) -> Any:
        """Return the probability that each customer is still there at the next opportunity, as the paper has it.

        Parameters
        ----------
        summary : SUMMARY
            Counted in opportunities.
        ahead : int, optional
            How many opportunities after the next one.

        Returns
        -------
        pandas.Series
            Named ``p_alive``; for an Ibis table, a table (customer_id, p_alive).
        """
        t = 1.0 if ahead is None else 1.0 + self._length(ahead)

        def then(theta: Vector, x: Vector, t_x: Vector, T: Vector) -> Vector:
            return self._alive(theta, x, t_x, T) * self._stays_if_alive(theta, x, t_x, T, t)

        return self._each(summary, lambda rows: {"p_alive": self._over(rows, None, then)})

    def _length(self, horizon: str | float) -> float:
        if isinstance(horizon, str) or horizon != int(horizon) or horizon < 1:
            raise ValueError(f"BG/BB counts opportunities: give a whole number of them as horizon, got {horizon!r}")
        return float(horizon)

    def discounting(
        self,
        rows: pd.DataFrame | None,
        horizon: str | float,
        discount_rate: float,
        step: str | None = None,
        *,
        digits: int = 9,
    ) -> list[tuple[float, float]]:
        """Return each opportunity and its weight; see ``TransactionModel.discounting``."""
        if step is not None:
            raise ValueError(f"{self.name} discounts by opportunity, of which each is a step: leave out step={step!r}")
        v, last = 1 / (1 + discount_rate), int(self._length(horizon))
        return [(float(k), v**k - (v ** (k + 1) if k < last else 0.0)) for k in range(1, last + 1)]

    def _total(self, theta: Vector, data: Triples, n: Vector, *, slope: bool = True) -> tuple[float, Vector]:
        alpha, beta, gamma, delta = theta
        return added_up(log_likelihood(alpha, beta, gamma, delta, data), n)

    def _starts(self, rows: pd.DataFrame) -> list[list[float]]:
        used = float((rows["frequency"] * rows["n"]).sum() / (rows["recency"] * rows["n"]).sum())
        odds = used / max(1 - used, 0.05)
        return [[odds, 1.0, 0.7, 3.0], [0.5 * odds, 0.5, 0.5, 5.0]]

    def _alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector) -> Vector:
        alpha, beta, gamma, delta = theta
        ln_L, _ = log_likelihood(alpha, beta, gamma, delta, Triples.of(x, t_x, T))
        return np.exp(_ln_used(alpha, beta, x, T - x) + ln_beta_ratio(gamma, delta, T) - ln_L)

    def _purchases_if_alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float) -> Vector:
        alpha, beta, gamma, delta = theta
        stays = np.exp(ln_beta_ratio(gamma, delta + T[:, None], np.arange(1, int(t) + 1)))
        return np.asarray((alpha + x) / (alpha + beta + T) * stays.sum(axis=1))

    def _stays_if_alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float) -> Vector:
        _, _, gamma, delta = theta
        return np.exp(ln_beta_ratio(gamma, delta + T, int(t)))

    def _buys_if_alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float) -> Vector:
        """The first use comes after j missed opportunities, all of which were there."""
        alpha, beta, gamma, delta = theta
        j = np.arange(int(t))[:, None]
        first = ln_beta_ratio(alpha + x, beta + T - x, j) + np.log(alpha + x) - np.log(alpha + beta + T + j)
        return np.exp(first + ln_beta_ratio(gamma, delta + T, j + 1)).sum(axis=0)

    def _counts_if_alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float, n: Vector) -> Vector:
        alpha, beta, gamma, delta = theta
        out = np.zeros((len(n), len(x)))
        for j in range(int(t) + 1):  # opportunities that are there
            stays = ln_beta_ratio(gamma, delta + T, j)
            if j < int(t):
                stays = stays + np.log(gamma) - np.log(gamma + delta + T + j)
            used = np.minimum(n, j)[:, None]
            ways = gammaln(j + 1) - gammaln(used + 1) - gammaln(j - used + 1)
            chance = np.exp(ways + _ln_used(alpha + x, beta + T - x, used, j - used) + stays)
            out += np.where(n[:, None] <= j, chance, 0.0)
        return out

    def _scale(self, theta: Vector, x: Vector, t_x: Vector, T: Vector) -> Vector:
        return np.ones(len(x))

    def _simulate_if_alive(
        self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float, rng: np.random.Generator
    ) -> Vector:
        alpha, beta, gamma, delta = theta
        there = rng.geometric(np.clip(rng.beta(gamma, delta + T), 1e-12, 1.0)) - 1
        return rng.binomial(np.minimum(there, int(t)).astype(int), rng.beta(alpha + x, beta + T - x)).astype(float)

    def simulate(self, customers: int, opportunities: int, *, seed: int = 0) -> pd.DataFrame:
        """Draw new customers over a row of opportunities.

        Parameters
        ----------
        customers : int
            How many.
        opportunities : int
            For each of them.
        seed : int
            Of the random draws.

        Returns
        -------
        SUMMARY
            ``customer_id, frequency, recency, T``, counted in opportunities.
        """
        rng = np.random.default_rng(seed)
        alpha, beta, gamma, delta = self.point()[:4]
        there = rng.geometric(np.clip(rng.beta(gamma, delta, customers), 1e-12, 1.0)) - 1
        number = np.arange(1, opportunities + 1)
        used = (rng.random((customers, opportunities)) < rng.beta(alpha, beta, customers)[:, None]) & (
            number <= there[:, None]
        )
        ids = pd.Series(np.arange(customers)).astype(str).str.zfill(len(str(customers)))
        table: dict[str, Any] = {
            "customer_id": ids, "frequency": used.sum(axis=1), "recency": (used * number).max(axis=1), "T": opportunities
        }  # fmt: skip
        return pd.DataFrame(table)
