"""Shifted beta-geometric: who renews, when the end of a contract is seen.

In: SUBSCRIPTIONS. Out: survival, retention, expected renewals. Fader and Hardie (2007), "How to project customer
retention", Journal of Interactive Marketing 21(1), 76-90; (2010), Marketing Science 29(1), 85-93.
"""

from __future__ import annotations

import numpy as np
from scipy.special import psi

from .base import added_up
from .fitting import Levels, Vector
from .renewals import RenewalModel
from .special import ln_beta_ratio

__all__ = ["ShiftedBetaGeometric"]


def log_likelihood(alpha: float, beta: float, t: Levels, active: Vector) -> tuple[Vector, Vector]:
    """Return ln L of t renewals made, and its gradient in (alpha, beta): equations (5) and (6).

    Still active: ln S(t), S(t) = B(alpha, beta+t)/B(alpha, beta). Lost at the next renewal:
    ln P(T=t+1) = ln B(alpha+1, beta+t)/B(alpha, beta) = ln S(t) + ln alpha - ln(alpha+beta+t).
    """
    lost = 1.0 - active
    ln_S = t.map(lambda t: ln_beta_ratio(alpha, beta, t))
    n = alpha + beta + t.full
    both = t.map(lambda t: psi(alpha + beta) - psi(alpha + beta + t))
    gradient = np.array(
        [
            both + lost * (1 / alpha - 1 / n),
            both + t.map(lambda t: psi(beta + t)) - psi(beta) - lost / n,
        ]
    )
    return ln_S + lost * (np.log(alpha) - np.log(n)), gradient


class ShiftedBetaGeometric(RenewalModel):
    """The sBG model of contract renewals: each customer has a constant chance to leave, and they differ.

    Parameters: ``alpha, beta`` of the beta distribution of the chance to leave at a renewal.

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
    Periods are billing periods; ``unit`` of ``with_params``, ``estimates`` and ``summary`` changes nothing.

    References
    ----------
    Fader and Hardie (2007), "How to project customer retention", Journal of Interactive Marketing 21(1), 76-90,
    equations (5) and (6); discounted residual lifetime: Fader and Hardie (2010), Marketing Science 29(1), 85-93.

    Examples
    --------
    >>> model = ShiftedBetaGeometric.with_params(alpha=.668, beta=3.806)
    >>> [round(float(s), 3) for s in model.survival([1, 7, 12])]
    [0.851, 0.489, 0.378]
    """

    name = "sBG"
    parameters = ("alpha", "beta")
    effects = {"alpha": 1, "beta": 1}

    def _total(
        self, theta: Vector, data: tuple[Levels, Vector], n: Vector, *, slope: bool = True
    ) -> tuple[float, Vector]:
        alpha, beta = theta
        return added_up(log_likelihood(alpha, beta, *data), n)

    def _log_survival(self, theta: Vector, t: Vector) -> Vector:
        alpha, beta = theta
        return ln_beta_ratio(alpha, beta, t)

    def _starts(self, churn: float) -> list[list[float]]:
        odds = (1 - churn) / churn
        return [[1.0, odds], [0.5, 0.5 * odds]]

    def _leaves_at(self, n: int, rng: np.random.Generator) -> Vector:
        theta = np.clip(rng.beta(self.params_["alpha"], self.params_["beta"], n), 1e-12, 1)
        return rng.geometric(theta).astype(float)
