"""BG/NBD: purchases at random, and a chance to leave after each repeat purchase.

In: SUMMARY. Out: P(alive), expected purchases. Fader, Hardie and Lee (2005), "Counting your customers the easy
way", Marketing Science 24(2), 275-284.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit, gammaln, psi

from .dropout import RandomDropoutModel
from .fitting import Triples, Vector

__all__ = ["BGNBD"]


def log_likelihood(r: float, alpha: float, a: float, b: float, data: Triples) -> tuple[Vector, Vector]:
    """Return ln L of each (x, t_x, T) and its gradient in (r, alpha, a, b): equation (6) in logarithms.

    ln L = ln[G(r+x) alpha^r / G(r)] + ln[B(a, b+x) / B(a, b)] + ln[(alpha+T)^-(r+x) + 1{x>0} a/(b+x-1)
    (alpha+t_x)^-(r+x)].
    """
    x, R = data.x.full, r + data.x.full
    log_T, log_tx = data.T.map(lambda T: np.log(alpha + T)), data.t_x.map(lambda t: np.log(alpha + t))
    odds = np.where(x > 0, log_odds_dead(x, R, a, b, log_T - log_tx), -np.inf)
    ln_L = (
        data.x.map(lambda x: gammaln(r + x) + gammaln(b + x) - gammaln(a + b + x))
        + (r * np.log(alpha) - gammaln(r) + gammaln(a + b) - gammaln(b))
        - R * log_T
        + np.logaddexp(0.0, odds)
    )
    dead = expit(odds)
    inv_T, inv_tx = data.T.map(lambda T: 1 / (alpha + T)), data.t_x.map(lambda t: 1 / (alpha + t))
    both = data.x.map(lambda x: psi(a + b) - psi(a + b + x))
    gradient = np.array(
        [
            data.x.map(lambda x: psi(r + x)) - psi(r) + np.log(alpha) - (1 - dead) * log_T - dead * log_tx,
            r / alpha - R * ((1 - dead) * inv_T + dead * inv_tx),
            both + dead / a,
            both + data.x.map(lambda x: psi(b + x)) - psi(b) - dead / np.maximum(b + x - 1, 1e-300),
        ]
    )
    return ln_L, gradient


def log_odds_dead(x: Vector, R: Vector, a: float, b: float, log_ratio: Vector) -> Vector:
    """Return ln of the odds of having left after the last repeat purchase, x > 0: a/(b+x-1) ((alpha+T)/(alpha+t_x))^R."""
    return np.log(a) - np.log(np.where(x > 0, b + x - 1, 1.0)) + R * log_ratio


def probability_alive(r: float, alpha: float, a: float, b: float, x: Vector, t_x: Vector, T: Vector) -> Vector:
    """Return P(alive | x, t_x, T); it is 1 for x = 0, since nobody can leave before a repeat purchase."""
    odds = log_odds_dead(x, r + x, a, b, np.log((alpha + T) / (alpha + t_x)))
    return np.where(x > 0, expit(-odds), 1.0)


class BGNBD(RandomDropoutModel):
    """The BG/NBD model of repeat purchases.

    Parameters, time in days: ``r, alpha``, shape and rate of the gamma of purchase rates; ``a, b``, of the beta of
    the chance to leave after a repeat purchase. ``summary(unit="week")`` shows those of the paper.

    A customer without a repeat purchase always has P(alive) = 1: where one-time buyers are many, prefer MBG/NBD.

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

    References
    ----------
    Fader, Hardie and Lee (2005), "'Counting your customers' the easy way", Marketing Science 24(2), 275-284:
    likelihood, equation (6); number of purchases, (8); expected purchases of a customer, (10). P(alive): Fader and
    Hardie (2008), note 021.

    Examples
    --------
    >>> import pandas as pd
    >>> model = BGNBD.with_params(r=.243, alpha=4.414, a=.793, b=2.426, unit="1 week")
    >>> customer = pd.DataFrame({"customer_id": ["1"], "frequency": [2], "recency": [213], "T": [272]})
    >>> round(float(model.expected_purchases(customer, "39 weeks").iloc[0]), 3)
    1.226
    """

    name = "BG/NBD"
    at_first = False

    def _log_likelihood(self, theta: Vector, data: Triples) -> tuple[Vector, Vector]:
        r, alpha, a, b = theta
        return log_likelihood(r, alpha, a, b, data)

    def _starts(self, rows: pd.DataFrame) -> list[list[float]]:
        rate = (rows["frequency"] * rows["n"]).sum() / max(float((rows["T"] * rows["n"]).sum()), 1.0)
        return [[0.5, 0.5 / rate, 0.7, 2.0], [1.0, 1.0 / rate, 0.2, 4.0]]

    def _alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector) -> Vector:
        r, alpha, a, b = theta
        return probability_alive(r, alpha, a, b, x, t_x, T)
