"""Beta-discrete-Weibull: who renews, where each customer's own chance to leave may rise or fall with time.

In: SUBSCRIPTIONS. Out: survival, retention. Fader, Hardie, Liu, Davin and Steenburgh (2018), "'How to project customer
retention' revisited", Journal of Interactive Marketing 43(1), 1-16.
"""

from __future__ import annotations

import numpy as np
from scipy.special import psi

from .base import added_up
from .fitting import Levels, Vector
from .renewals import RenewalModel
from .special import ln_beta_ratio

__all__ = ["BetaDiscreteWeibull"]

_FAR = 1e250  # from this t^c on survival falls as its power -alpha


def log_likelihood(alpha: float, beta: float, c: float, t: Levels, active: Vector) -> tuple[Vector, Vector]:
    """Return ln L of t renewals made, and its gradient in (alpha, beta, c): S(t) = B(alpha, beta + t^c) / B(alpha, beta).

    Still active: ln S(t). Lost at the next renewal: ln[S(t) - S(t+1)].
    """
    now, now_slope = _log_survival(alpha, beta, c, t, 0.0)
    later, later_slope = _log_survival(alpha, beta, c, t, 1.0)
    with np.errstate(divide="ignore"):
        lost = now + np.log(-np.expm1(np.minimum(later - now, -1e-300)))
    weight = 1.0 / -np.expm1(np.minimum(later - now, -1e-300))
    lost_slope = weight * now_slope - (weight - 1.0) * later_slope
    return np.where(active > 0, now, lost), np.where(active > 0, now_slope, lost_slope)


def _log_survival(alpha: float, beta: float, c: float, t: Levels, ahead: float) -> tuple[Vector, Vector]:
    u = t.map(lambda v: (v + ahead) ** c)
    log_t = t.map(lambda v: np.log(np.maximum(v + ahead, 1.0)))
    both, of_beta = psi(alpha + beta) - psi(alpha + beta + u), psi(beta + u) - psi(beta)
    slope = np.array([both, both + of_beta, (psi(beta + u) - psi(alpha + beta + u)) * u * log_t])
    return ln_beta_ratio(alpha, beta, u), slope


class BetaDiscreteWeibull(RenewalModel):
    """The BdW model of contract renewals: as sBG, with a third parameter for time.

    Parameters: ``alpha, beta`` of the beta distribution across customers; ``c``: above 1 each customer's chance to
    leave rises with every renewal, below 1 it falls; at 1 the model is the shifted beta-geometric.

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
    Periods are billing periods; ``unit`` of ``with_params``, ``estimates`` and ``summary`` changes nothing. S(t) =
    B(alpha, beta + t^c) / B(alpha, beta).

    References
    ----------
    Fader, Hardie, Liu, Davin and Steenburgh (2018), "'How to project customer retention' revisited: the role of
    duration dependence", Journal of Interactive Marketing 43, 1-16.

    Examples
    --------
    >>> model = BetaDiscreteWeibull.with_params(alpha=.2143, beta=1.4266, c=1.7236)
    >>> [round(float(s), 3) for s in model.survival([8, 12])]
    [0.468, 0.404]
    """

    name = "BdW"
    parameters = ("alpha", "beta", "c")

    def _total(
        self, theta: Vector, data: tuple[Levels, Vector], n: Vector, *, slope: bool = True
    ) -> tuple[float, Vector]:
        alpha, beta, c = theta
        return added_up(log_likelihood(alpha, beta, c, *data), n)

    def _log_survival(self, theta: Vector, t: Vector) -> Vector:
        alpha, beta, c = theta
        with np.errstate(over="ignore", divide="ignore"):
            u, beyond = np.minimum(t**c, _FAR), np.maximum(c * np.log(t) - np.log(_FAR), 0.0)
        return ln_beta_ratio(alpha, beta, u) - alpha * beyond

    def _starts(self, churn: float) -> list[list[float]]:
        odds = (1 - churn) / churn
        return [[1.0, odds, 1.0], [0.5, 0.5 * odds, 1.5], [2.0, 2.0 * odds, 0.7]]

    def _leaves_at(self, n: int, rng: np.random.Generator) -> Vector:
        theta = np.clip(rng.beta(self.params_["alpha"], self.params_["beta"], n), 1e-12, 1 - 1e-12)
        # S(t | theta) = (1 - theta)^(t^c), inverted at a uniform draw
        waited = (np.log(rng.random(n)) / np.log1p(-theta)) ** (1 / self.params_["c"])
        return np.floor(np.minimum(waited, 1e9)) + 1
