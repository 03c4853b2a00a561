"""BG/NBD: purchases at random, and a chance to leave after each repeat purchase.

In: SUMMARY. Out: P(alive), expected purchases. Fader, Hardie and Lee (2005), "Counting your customers the easy
way", Marketing Science 24(2), 275-284.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit

from .dropout import RandomDropoutModel
from .fitting import Vector

__all__ = ["BGNBD"]


def probability_alive(r: float, alpha: float, a: float, b: float, x: Vector, t_x: Vector, T: Vector) -> Vector:
    """Return P(alive | x, t_x, T) = 1 / (1 + a/(b+x-1) ((alpha+T)/(alpha+t_x))^(r+x)).

    It is 1 for x = 0, since nobody can leave before a repeat purchase.
    """
    rest = np.where(x > 0, b + (x - 1), 1.0)
    odds = np.log(a) - np.log(rest) + (r + x) * np.log1p((T - t_x) / (alpha + t_x))
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

    def _starts(self, rows: pd.DataFrame) -> list[list[float]]:
        rate = (rows["frequency"] * rows["n"]).sum() / max(float((rows["T"] * rows["n"]).sum()), 1.0)
        return [[0.5, 0.5 / rate, 0.7, 2.0], [1.0, 1.0 / rate, 0.2, 4.0]]

    def _alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector) -> Vector:
        r, alpha, a, b = theta
        return probability_alive(r, alpha, a, b, x, t_x, T)
