"""Shifted beta-geometric: who renews, when the end of a contract is seen.

In: SUBSCRIPTIONS. Out: survival, retention, expected renewals. Fader and Hardie (2007), "How to project customer
retention", Journal of Interactive Marketing 21(1), 76-90; (2010), Marketing Science 29(1), 85-93.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.special import betaln, psi

from ..engine import is_ibis, run
from ..tables import SUBSCRIPTIONS, FitError, check
from .base import Model
from .fitting import Levels, Vector, maximize

__all__ = ["ShiftedBetaGeometric"]


def log_likelihood(alpha: float, beta: float, t: Levels, active: Vector) -> tuple[Vector, Vector]:
    """Return ln L of t renewals made, and its gradient in (alpha, beta): equations (5) and (6).

    Still active: ln S(t), S(t) = B(alpha, beta+t)/B(alpha, beta). Lost at the next renewal:
    ln P(T=t+1) = ln B(alpha+1, beta+t)/B(alpha, beta) = ln S(t) + ln alpha - ln(alpha+beta+t).
    """
    lost = 1.0 - active
    ln_S = t.map(lambda t: betaln(alpha, beta + t) - betaln(alpha, beta))
    n = alpha + beta + t.full
    both = t.map(lambda t: psi(alpha + beta) - psi(alpha + beta + t))
    gradient = np.array(
        [
            both + lost * (1 / alpha - 1 / n),
            both + t.map(lambda t: psi(beta + t)) - psi(beta) - lost / n,
        ]
    )
    return ln_S + lost * (np.log(alpha) - np.log(n)), gradient


def survival(alpha: float, beta: float, t: Vector) -> Vector:
    """Return S(t), the share that makes at least t renewals."""
    return np.asarray(np.exp(betaln(alpha, beta + np.asarray(t, dtype=float)) - betaln(alpha, beta)))


class ShiftedBetaGeometric(Model):
    """The sBG model of contract renewals: each customer has a constant chance to leave, and they differ.

    Parameters: ``alpha, beta`` of the beta distribution of the chance to leave at a renewal. Time is counted in
    billing periods. Fit one plan at a time.

    Examples
    --------
    >>> model = ShiftedBetaGeometric.with_params(alpha=.668, beta=3.806)
    >>> [round(float(s), 3) for s in model.survival([1, 7, 12])]
    [0.851, 0.489, 0.378]
    """

    name = "sBG"
    parameters = ("alpha", "beta")

    def fit(self, subscriptions: Any) -> Self:
        """Estimate the parameters by maximum likelihood.

        Parameters
        ----------
        subscriptions : SUBSCRIPTIONS
            ``renewals`` made and whether the contract is ``active``; any mix of start dates.

        Raises
        ------
        FitError
            When nobody has come to a renewal, or nobody ever left.
        """
        check(subscriptions, SUBSCRIPTIONS)
        table = subscriptions[["renewals", "active"]]
        table = run(table, subscriptions) if is_ibis(subscriptions) else table
        rows = table.groupby(["renewals", "active"]).size().reset_index(name="n")
        n = float(rows["n"].sum())
        lost = rows.loc[~rows["active"].astype(bool), "n"].sum()
        at_risk = float((rows["renewals"] * rows["n"]).sum() + lost)
        if at_risk == 0 or lost == 0:
            raise FitError(
                f"of {n:,.0f} contracts {lost:,.0f} ended, in {at_risk:,.0f} renewals that came due: the chance to "
                "leave cannot be told yet. Come back after the next renewals."
            )
        t, active = Levels.of(rows["renewals"].to_numpy(float)), rows["active"].to_numpy(float)
        weights = rows["n"].to_numpy(float)

        def objective(theta: Vector) -> tuple[float, Vector]:
            value, gradient = log_likelihood(theta[0], theta[1], t, active)
            return float(weights @ value), gradient @ weights

        churn = float(np.clip(lost / at_risk, 0.01, 0.9))
        starts = [[1.0, (1 - churn) / churn], [0.5, 0.5 * (1 - churn) / churn]]
        return self._accept(maximize(objective, starts, self.parameters, n, self.name), n)

    def survival(self, periods: Any) -> Vector:
        """Return the share of new customers that make at least this many renewals.

        Parameters
        ----------
        periods : array of int

        Returns
        -------
        array
            Between 0 and 1, on the shape of ``periods``.
        """
        alpha, beta = self._theta()
        return survival(alpha, beta, np.asarray(periods, dtype=float))

    def retention(self, period: Any) -> Vector:
        """Return the share of those at renewal number ``period`` (1, 2, ...) that renew; it rises with tenure."""
        t = np.asarray(period, dtype=float)
        alpha, beta = self._theta()
        return np.asarray((beta + t - 1) / (alpha + beta + t - 1))

    def residual_survival(self, renewals: Any, periods: int) -> Vector:
        """Return S(n + k) / S(n) for k = 1 ... periods: rows for customers with n renewals, columns for k."""
        n = np.asarray(renewals, dtype=float).reshape(-1, 1)
        k = np.arange(1, periods + 1, dtype=float)
        alpha, beta = self._theta()
        return np.asarray(np.exp(betaln(alpha, beta + n + k) - betaln(alpha, beta + n)))

    def simulate(self, n: int, periods: int, *, seed: int = 0) -> pd.DataFrame:
        """Draw new customers followed for ``periods`` renewals: columns ``renewals, active``."""
        rng = np.random.default_rng(seed)
        theta = np.clip(rng.beta(self.params_["alpha"], self.params_["beta"], n), 1e-12, 1)
        left_at = rng.geometric(theta)
        return pd.DataFrame({"renewals": np.minimum(left_at - 1, periods), "active": left_at > periods})
