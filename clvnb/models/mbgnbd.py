"""MBG/NBD: as BG/NBD, but a customer may also leave right after the first purchase.

In: SUMMARY. Out: P(alive), expected purchases. Batislam, Denizel and Filiztekin (2007), "Empirical validation and
comparison of models for customer base analysis", International Journal of Research in Marketing 24(3), 201-209.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit, gammaln, psi

from .dropout import RandomDropoutModel
from .fitting import Triples, Vector

__all__ = ["MBGNBD"]


def log_likelihood(r: float, alpha: float, a: float, b: float, data: Triples) -> tuple[Vector, Vector]:
    """Return ln L of each (x, t_x, T) and its gradient in (r, alpha, a, b).

    L = G(r+x) alpha^r / G(r) * [B(a, b+x+1)/B(a, b) (alpha+T)^-(r+x) + B(a+1, b+x)/B(a, b) (alpha+t_x)^-(r+x)];
    the second term is a/(b+x) of the first one's beta ratio.
    """
    x, R = data.x.full, r + data.x.full
    log_T, log_tx = data.T.map(lambda T: np.log(alpha + T)), data.t_x.map(lambda t: np.log(alpha + t))
    odds = np.log(a) - np.log(b + x) + R * (log_T - log_tx)
    ln_L = (
        data.x.map(lambda x: gammaln(r + x) + gammaln(b + x + 1) - gammaln(a + b + x + 1))
        + (r * np.log(alpha) - gammaln(r) + gammaln(a + b) - gammaln(b))
        - R * log_T
        + np.logaddexp(0.0, odds)
    )
    dead = expit(odds)
    inv_T, inv_tx = data.T.map(lambda T: 1 / (alpha + T)), data.t_x.map(lambda t: 1 / (alpha + t))
    both = data.x.map(lambda x: psi(a + b) - psi(a + b + x + 1))
    gradient = np.array(
        [
            data.x.map(lambda x: psi(r + x)) - psi(r) + np.log(alpha) - (1 - dead) * log_T - dead * log_tx,
            r / alpha - R * ((1 - dead) * inv_T + dead * inv_tx),
            both + dead / a,
            both + data.x.map(lambda x: psi(b + x + 1)) - psi(b) - dead / (b + x),
        ]
    )
    return ln_L, gradient


def probability_alive(r: float, alpha: float, a: float, b: float, x: Vector, t_x: Vector, T: Vector) -> Vector:
    """Return P(alive | x, t_x, T) = 1 / (1 + a/(b+x) ((alpha+T)/(alpha+t_x))^(r+x))."""
    return np.asarray(expit(np.log(b + x) - np.log(a) - (r + x) * np.log((alpha + T) / (alpha + t_x))))


class MBGNBD(RandomDropoutModel):
    """The modified BG/NBD model: one-time buyers may have left, which most of them have.

    Parameters, time in days: ``r, alpha``, shape and rate of the gamma of purchase rates; ``a, b``, of the beta of
    the chance to leave after any purchase, the first included.

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
    P(alive) = 1 / (1 + a/(b+x) ((alpha+T)/(alpha+t_x))^(r+x)).

    References
    ----------
    Batislam, Denizel and Filiztekin (2007), "Empirical validation and comparison of models for customer base analysis",
    International Journal of Research in Marketing 24(3), 201-209; Hoppe and Wagner (2007), Marketing JRM 3(2), 75-90.

    Examples
    --------
    >>> import pandas as pd
    >>> model = MBGNBD.with_params(r=.5248431, alpha=6.183085, a=.8913595, b=1.6140026, unit="1 week")
    >>> customer = pd.DataFrame({"customer_id": ["1"], "frequency": [2], "recency": [213], "T": [272]})
    >>> round(float(model.probability_alive(customer).iloc[0]), 4)
    0.7061
    """

    name = "MBG/NBD"
    at_first = True

    def _log_likelihood(self, theta: Vector, data: Triples) -> tuple[Vector, Vector]:
        r, alpha, a, b = theta
        return log_likelihood(r, alpha, a, b, data)

    def _starts(self, rows: pd.DataFrame) -> list[list[float]]:
        rate = (rows["frequency"] * rows["n"]).sum() / max(float((rows["T"] * rows["n"]).sum()), 1.0)
        return [[0.8, 0.8 / rate, 0.8, 2.0], [1.5, 1.5 / rate, 0.3, 3.0]]

    def _alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector) -> Vector:
        r, alpha, a, b = theta
        return probability_alive(r, alpha, a, b, x, t_x, T)
