"""Gamma-Gamma: how much a customer spends on a purchase, shrunk towards the crowd.

In: SUMMARY. Out: expected spend of a future purchase. Fader and Hardie (2013), "The gamma-gamma model of monetary
value", note 025.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.special import gammaln, psi

from ..engine import is_ibis, run
from ..tables import SUMMARY, FitError, TableError, check
from .base import Model
from .fitting import Levels, Vector, maximize
from .posterior import Posterior

__all__ = ["GammaGamma", "fit_spend"]


def log_likelihood(p: float, q: float, v: float, x: Levels, z: Vector) -> tuple[Vector, Vector]:
    """Return ln L of x purchases with mean z, and its gradient in (p, q, v): equation (1a) in logarithms."""
    n = x.full
    total = n * z
    log_share = np.log(total) - np.log(v + total)
    ln_L = (
        x.map(lambda x: gammaln(p * x + q) - gammaln(p * x))
        + (q * np.log(v) - gammaln(q))
        + p * n * log_share
        - np.log(z)
        - q * np.log(v + total)
    )
    gradient = np.array(
        [
            x.map(lambda x: x * (psi(p * x + q) - psi(p * x))) + n * log_share,
            x.map(lambda x: psi(p * x + q)) - psi(q) + np.log(v) - np.log(v + total),
            q / v - (p * n + q) / (v + total),
        ]
    )
    return ln_L, gradient


def expected_spend(p: float, q: float, v: float, x: Vector, z: Vector) -> Vector:
    """Return E(M | x, z), equation (5): the crowd's mean p v/(q-1) and the customer's own z, weighted."""
    weight = p * x / (p * x + q - 1)
    own = np.where(x > 0, z, 0.0)
    return np.asarray((1 - weight) * p * v / (q - 1) + weight * own)


class GammaGamma(Model):
    """The Gamma-Gamma model of spend per purchase.

    Parameters, in the client's currency: ``p``, shape within a customer; ``q, v``, shape and scale across customers.
    It holds that spend does not depend on how often a customer buys.

    Examples
    --------
    >>> import pandas as pd
    >>> model = GammaGamma.with_params(p=6.25, q=3.74, v=15.44)
    >>> one = pd.DataFrame({"customer_id": ["1"], "frequency": [2], "recency": [213], "T": [272],
    ...                     "monetary_value": [22.345]})
    >>> round(float(model.expected_spend(one).iloc[0]), 4)
    24.6596
    """

    name = "Gamma-Gamma"
    parameters = ("p", "q", "v")

    def fit(self, summary: Any) -> Self:
        """Estimate the parameters from the customers with a repeat purchase and a positive mean.

        Parameters
        ----------
        summary : SUMMARY
            With ``monetary_value``.

        Raises
        ------
        FitError
            When fewer than three customers have both, or the likelihood has no proper maximum.
        """
        check(summary, SUMMARY)
        if "monetary_value" not in summary.columns:
            raise TableError("the Gamma-Gamma model needs the column 'monetary_value' of a SUMMARY")
        kept = summary[(summary["frequency"] > 0) & (summary["monetary_value"] > 0)]
        rows = kept[["frequency", "monetary_value"]]
        rows = run(rows, summary) if is_ibis(summary) else rows
        x, z = Levels.of(rows["frequency"].to_numpy(float)), rows["monetary_value"].to_numpy(float)
        if len(z) < 3:
            raise FitError(
                f"only {len(z)} customers bought twice for money, too few for the Gamma-Gamma model; "
                "value each purchase at the mean spend instead"
            )
        scale = float(z.mean())

        def scaled(theta: Vector, weights: Vector | None = None, *, slope: bool = True) -> tuple[float, Vector]:
            value, gradient = log_likelihood(theta[0], theta[1], theta[2], x, z / scale)
            if weights is None:
                return float(value.sum()), gradient.sum(axis=1)
            return float(weights @ value), gradient @ weights

        def objective(theta: Vector, weights: Vector | None = None, *, slope: bool = True) -> tuple[float, Vector]:
            return scaled(theta / money, weights)

        money = np.array([1.0, 1.0, scale])
        starts = [[2.0, 3.0, 1.0], [6.0, 4.0, 0.5]]
        fit = maximize(scaled, starts, self.parameters, len(z), self.name)
        # Money was measured in units of its mean, so that starts and bounds fit every currency.
        shifted = fit.log_likelihood - len(z) * float(np.log(scale))
        in_money = replace(fit, values=fit.values * money, log_likelihood=shifted)
        return self._accept(
            in_money, len(z), Posterior(objective, in_money, np.array(starts[0]) * money, np.ones(len(z)))
        )

    def expected_spend(self, summary: Any) -> Any:
        """Return the expected money of each customer's future purchases.

        Parameters
        ----------
        summary : SUMMARY

        Returns
        -------
        pandas.Series
            Named ``expected_spend``, on the index of ``summary``; those without a repeat purchase get the crowd's
            mean. For an Ibis table, a table (customer_id, expected_spend).

        Raises
        ------
        FitError
            When q <= 1: the spend is so heavy-tailed that its mean does not exist.
        """
        p, q, v = self._theta()
        if q <= 1:
            raise FitError(
                f"the Gamma-Gamma model has q = {q:.3g}, not above 1: spend is so uneven that its mean does not "
                "exist. Look for wholesale orders, or value each purchase at the median spend."
            )
        if is_ibis(summary):
            x = summary.frequency
            weight = p * x / (p * x + q - 1)
            own = summary.monetary_value.fill_null(0.0).nullif(float("nan")).fill_null(0.0)
            spend = (1 - weight) * (p * v / (q - 1)) + weight * own
            return summary.select("customer_id", expected_spend=spend)
        spend = expected_spend(
            p,
            q,
            v,
            summary["frequency"].to_numpy(float),
            summary["monetary_value"].fillna(0.0).to_numpy(float),
        )
        return pd.Series(spend, index=summary.index, name="expected_spend")

    def expected_spend_new(self) -> float:
        """Return the mean spend of a purchase over all customers, p v / (q - 1)."""
        p, q, v = self._theta()
        return float(p * v / (q - 1)) if q > 1 else float("nan")

    def simulate_spend(self, customers: Vector, *, seed: int = 0) -> Vector:
        """Draw the money of purchases; ``customers`` names the buyer of each, who has a level of spend.

        Parameters
        ----------
        customers : array
            One entry per purchase, equal for the purchases of one customer.
        seed : int
        """
        p, q, v = self._theta()
        rng = np.random.default_rng(seed)
        names, index = np.unique(customers, return_inverse=True)
        level = v / rng.gamma(q, size=len(names))
        return np.asarray(rng.gamma(p, size=len(index)) * level[index.reshape(-1)])


def fit_spend(summary: pd.DataFrame) -> GammaGamma | float:
    """Fit the Gamma-Gamma model; where it cannot be fitted or its mean does not exist, give the mean money of a purchase.

    Parameters
    ----------
    summary : SUMMARY
        With ``monetary_value, historic_revenue, purchases``.
    """
    with suppress(FitError):
        model = GammaGamma().fit(summary)
        if model.params_["q"] > 1:
            return model
    return float(summary["historic_revenue"].sum() / summary["purchases"].sum())
