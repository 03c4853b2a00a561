"""MBG/NBD: as BG/NBD, but a customer may also leave right after the first purchase.

In: SUMMARY. Out: P(alive), expected purchases. Batislam, Denizel and Filiztekin (2007), "Empirical validation and
comparison of models for customer base analysis", International Journal of Research in Marketing 24(3), 201-209.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit

from .dropout import RandomDropoutModel
from .fitting import Vector

__all__ = ["MBGNBD"]


def probability_alive(r: float, alpha: float, a: float, b: float, x: Vector, t_x: Vector, T: Vector) -> Vector:
    """Return P(alive | x, t_x, T) = 1 / (1 + a/(b+x) ((alpha+T)/(alpha+t_x))^(r+x))."""
    return np.asarray(expit(np.log(b + x) - np.log(a) - (r + x) * np.log1p((T - t_x) / (alpha + t_x))))


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

    def _starts(self, rows: pd.DataFrame) -> list[list[float]]:
        rate = (rows["frequency"] * rows["n"]).sum() / max(float((rows["T"] * rows["n"]).sum()), 1.0)
        return [[0.8, 0.8 / rate, 0.8, 2.0], [1.5, 1.5 / rate, 0.3, 3.0]]

    def _alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector) -> Vector:
        r, alpha, a, b = theta
        return probability_alive(r, alpha, a, b, x, t_x, T)
