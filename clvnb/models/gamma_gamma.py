"""Gamma-Gamma: how much a customer spends on a purchase, shrunk towards the crowd.

In: SUMMARY. Out: expected spend of a future purchase. Fader and Hardie (2013), "The gamma-gamma model of monetary
value", note 025.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.special import gammaln, psi

from ..core.engine import is_ibis, run
from ..core.errors import FitError, TableError
from ..core.tables import SUMMARY, check
from ..core.threads import one_thread
from .base import Model
from .constant_spend import ConstantSpend
from .fitting import Levels, Vector, maximize
from .posterior import Posterior
from .special import ln_rising, psi_rising

__all__ = ["GammaGamma", "fit_spend", "positive"]


# Buyers with as many purchases and means of spend within 1/512 of each other are put together where they are many. What
# is left out is of third order in the width: below 1e-9 of the log-likelihood, whatever the spread of spend.
CELL, MANY = 512, 100_000
# Rows whose arrays the processor's cache holds: to ask for more memory takes longer than to compute.
_IN_CACHE = 1 << 15


@dataclass(frozen=True)
class Spends:
    """Repeat customers by purchases and mean spend: all that the likelihood needs.

    Attributes
    ----------
    x : Levels
        Repeat purchases.
    log_z, spread : array
        Mean and variance of the logarithm of the mean spend among the customers of a row.
    n : array
        Customers of a row: 1 each, with no spread, where they are not put together.
    """

    x: Levels
    log_z: Vector
    spread: Vector
    n: Vector

    @classmethod
    def of(cls, x: Vector, z: Vector) -> Spends:
        """Make them from one row per customer: purchases and mean spend; above 100,000 customers put together in cells."""
        log_z = np.log(np.asarray(z, dtype=float))
        if len(log_z) <= MANY:
            return cls(Levels.of(x), log_z, np.zeros(len(log_z)), np.ones(len(log_z)))
        cell = np.floor(log_z * CELL)
        cell -= cell.min()
        width = cell.max() + 1
        codes, where = np.unique(np.asarray(x, dtype=float) * width + cell, return_inverse=True)
        n = np.bincount(where).astype(float)
        mean = np.bincount(where, log_z) / n
        spread = np.bincount(where, (log_z - mean[where]) ** 2) / n
        return cls(Levels.of(np.floor(codes / width)), mean, spread, n)

    @classmethod
    def of_table(cls, summary: Any) -> Spends:
        """Make them from a SUMMARY; an Ibis table is put together in its engine, and only the cells come back."""
        two = summary[["frequency", "monetary_value"]]
        bought = (two["frequency"] > 0) & (two["monetary_value"] > 0)
        kept = two.filter(bought) if is_ibis(summary) else two[bought]
        if not is_ibis(summary):
            return cls.of(kept["frequency"].to_numpy(float), kept["monetary_value"].to_numpy(float))
        logs = kept.select("frequency", log_z=kept.monetary_value.ln())
        logs = logs.mutate(cell=(logs.log_z * CELL).floor().cast("int64"))
        sums = logs.group_by("frequency", "cell").aggregate(
            n=logs.count(), mean=logs.log_z.mean(), spread=logs.log_z.var(how="pop")
        )
        cells = run(sums.order_by("frequency", "cell"), summary)
        x, mean, spread, n = (cells[k].to_numpy(float) for k in ("frequency", "mean", "spread", "n"))
        return cls(Levels.of(x), mean, spread, n)

    @property
    def customers(self) -> int:
        return int(self.n.sum())

    @cached_property
    def log_total(self) -> Vector:
        """Logarithm of the money of all repeat purchases of a customer."""
        return self.log_z + self.x.map(np.log)

    @cached_property
    def total(self) -> Vector:
        return np.asarray(np.exp(self.log_total))


def log_likelihood(p: float, q: float, v: float, spends: Spends) -> tuple[Vector, Vector]:
    """Return ln L of a customer of each row, and its gradient in (p, q, v): equation (1a) in logarithms.

    What depends on the mean spend z is linear in ln z but for ln(v + x z), which a cell takes to the second order.
    """
    x, n, total, log_total = spends.x, spends.x.full, spends.total, spends.log_total
    more = np.log1p(
        total / v
    )  # ln(v + x z) - ln v, which keeps its digits where customers hardly differ and v is large
    share = total / (v + total)
    bend = spends.spread / 2 * share * (1 - share)
    own = log_total - np.log(v) - more - bend
    ln_L = x.map(lambda x: ln_rising(q, p * x) - gammaln(p * x)) - q * (more + bend) + p * n * own - spends.log_z
    by_bend = (p * n + q) * spends.spread / 2 * (1 - 2 * share) * share
    gradient = np.array(
        [
            x.map(lambda x: x * (psi(p * x + q) - psi(p * x))) + n * own,
            x.map(lambda x: psi_rising(q, p * x)) - more - bend,
            ((q * total / v - p * n) + by_bend) / (v + total),
        ]
    )
    return ln_L, gradient


def expected_spend(p: float, q: float, v: float, x: Vector, z: Vector) -> Vector:
    """Return E(M | x, z) = p (v + x z) / (p x + q - 1), equation (5): the crowd's mean p v/(q-1) where x = 0.

    A mean below 0, of refunds, is no level of spend, and counts as 0.
    """
    out = np.empty(len(x))
    for k in range(0, len(x), _IN_CACHE):
        bought, own = np.asarray(x[k : k + _IN_CACHE], dtype=float), np.asarray(z[k : k + _IN_CACHE], dtype=float)
        spent = bought * np.fmax(own, 0.0)  # the larger of the two that is a number
        out[k : k + _IN_CACHE] = p * (v + spent) / (p * bought + (q - 1))
    return out


def positive(own: Any) -> Any:
    """A column of customers' mean spend with 0 where it is missing or below 0."""
    if isinstance(own, pd.Series):
        return own.astype(float).fillna(0.0).clip(lower=0.0)
    known = own.cast("float64").fill_null(0.0).nullif(float("nan")).fill_null(0.0)
    return (known > 0).ifelse(known, 0.0)


class GammaGamma(Model):
    """The Gamma-Gamma model of spend per purchase.

    Parameters, in the client's currency: ``p``, shape within a customer; ``q, v``, shape and scale across customers.
    It holds that spend does not depend on how often a customer buys.

    Attributes
    ----------
    params_, standard_errors_ : pandas.Series
        By parameter, after ``fit``; money in the client's currency.
    log_likelihood_, aic_, bic_ : float
        Of the fit.
    n_ : int
        Customers that the fit used.
    at_bound_ : tuple of str
        Parameters that the data could not determine.

    Notes
    -----
    ``unit`` of ``with_params``, ``estimates`` and ``summary`` changes nothing: no parameter holds time.

    References
    ----------
    Colombo and Jiang (1999), Journal of Interactive Marketing 13(3), 2-12; Fader and Hardie (2013), note 025, "The
    gamma-gamma model of monetary value": likelihood, equation (1a); expected spend, equation (5).

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

    @one_thread
    def fit(self, summary: Any) -> Self:
        """Estimate the parameters from the customers with a repeat purchase and a positive mean.

        Parameters
        ----------
        summary : SUMMARY
            With ``monetary_value``.

        Returns
        -------
        self

        Raises
        ------
        FitError
            When fewer than three customers have both, or the likelihood has no proper maximum.
        TableError
            When ``monetary_value`` or another column is missing.
        """
        check(summary, SUMMARY)
        if "monetary_value" not in summary.columns:
            raise TableError("the Gamma-Gamma model needs the column 'monetary_value' of a SUMMARY")
        spends = Spends.of_table(summary)
        n = spends.customers
        if n < 3:
            raise FitError(
                f"only {n} {'customer' if n == 1 else 'customers'} bought twice for money, too few for the Gamma-Gamma model; "
                "value each purchase at the mean spend instead"
            )
        scale = float((np.exp(spends.log_z) * (1 + spends.spread / 2)) @ spends.n / n)
        unit = replace(spends, log_z=spends.log_z - np.log(scale))

        def scaled(theta: Vector, weights: Vector = spends.n, *, slope: bool = True) -> tuple[float, Vector]:
            value, gradient = log_likelihood(theta[0], theta[1], theta[2], unit)
            return float(weights @ value), gradient @ weights

        def objective(theta: Vector, weights: Vector = spends.n, *, slope: bool = True) -> tuple[float, Vector]:
            value, gradient = scaled(theta / money, weights)
            return value, gradient / money

        money = np.array([1.0, 1.0, scale])
        starts = [[2.0, 3.0, 1.0], [6.0, 4.0, 0.5]]
        fit = maximize(scaled, starts, self.parameters, n, self.name)
        # Money was measured in units of its mean, so that starts and bounds fit every currency.
        shifted = fit.log_likelihood - n * float(np.log(scale))
        in_money = replace(fit, values=fit.values * money, log_likelihood=shifted)
        return self._accept(in_money, n, Posterior(objective, in_money, np.array(starts[0]) * money, spends.n, money))

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
        p, q, v = self.point()
        if q <= 1:
            raise FitError(
                f"the Gamma-Gamma model has q = {q:.3g}, not above 1: spend is so uneven that its mean does not "
                "exist. Look for wholesale orders, or value each purchase at the median spend."
            )
        if is_ibis(summary):
            x = summary.frequency.cast("float64")  # or Spark would count in decimals of six places
            spend = p * (v + x * positive(summary.monetary_value)) / (p * x + (q - 1))
            return summary.select("customer_id", expected_spend=spend)
        spend = expected_spend(
            p,
            q,
            v,
            summary["frequency"].to_numpy(),
            summary["monetary_value"].to_numpy(),
        )
        return pd.Series(spend, index=summary.index, name="expected_spend", copy=False)

    def expected_spend_new(self) -> float:
        """Return the mean spend of a purchase over all customers, p v / (q - 1).

        Returns
        -------
        float
            In the unit of ``monetary_value``; missing where q <= 1, for which there is no mean.
        """
        p, q, v = self.point()
        return float(p * v / (q - 1)) if q > 1 else float("nan")

    def simulate_spend(self, customers: Vector, *, seed: int = 0) -> Vector:
        """Draw the money of purchases; ``customers`` names the buyer of each, who has a level of spend.

        Parameters
        ----------
        customers : array
            One entry per purchase, equal for the purchases of one customer.
        seed : int
            Of the random draws.

        Returns
        -------
        array
            Money of each purchase, in the order of ``customers``.
        """
        p, q, v = self.point()
        rng = np.random.default_rng(seed)
        names, index = np.unique(customers, return_inverse=True)
        level = v / rng.gamma(q, size=len(names))
        return np.asarray(rng.gamma(p, size=len(index)) * level[index.reshape(-1)])

    def proper_draws(self, size: int, *, seed: int = 0) -> Vector:
        """Return draws of the parameters, q kept away from 1, where the mean of the spend ceases to exist."""
        phis = self.draws(size, seed=seed)
        return np.column_stack([phis[:, 0], np.maximum(phis[:, 1], 1.05), phis[:, 2]])

    def means(self, phis: Vector) -> Vector:
        """Return the mean money of a purchase for each row of parameters."""
        p, q, v = phis.T
        return np.asarray(p * v / (q - 1))

    def sums(self) -> dict[str, Any]:
        """Return what is to be summed of customers who are put together: their own mean spend, and its square."""
        return {"z": lambda s: positive(s["monetary_value"]), "zz": lambda s: positive(s["monetary_value"]) ** 2}

    def summed(self, phi: Vector, rows: pd.DataFrame) -> Vector:
        """Return the expected money of a purchase, summed over the ``n`` customers of each row."""
        (p, q, v), x, n = phi, rows["frequency"].to_numpy(float), rows["n"].to_numpy(float)
        return np.asarray(p * (v * n + x * rows["z"].to_numpy(float)) / (p * x + (q - 1)))

    def squared(self, rows: pd.DataFrame) -> Vector:
        """Return the sum over the customers of each row of (scale of an outcome / expected spend) squared."""
        v, x, n = self.point()[2], rows["frequency"].to_numpy(float), rows["n"].to_numpy(float)
        z, zz = rows["z"].to_numpy(float), rows["zz"].to_numpy(float)
        mean = self.summed(self.point(), rows) / n
        return np.asarray((n * v**2 + 2 * v * x * z + x**2 * zz) / mean**2)

    def columns(self, base: Any) -> tuple[Any, Any]:
        """Return the expected spend of each row, and the scale of an outcome, v + x z, in units of it."""
        p, q, v = self.point()
        x, own = base["frequency"], positive(base["monetary_value"])
        x = x.cast("float64") if is_ibis(base) else x  # or Spark would count in decimals of six places
        expected = p * (v + x * own) / (p * x + (q - 1))
        return expected, (v + x * own) / expected

    def money_of_outcomes(self, counts: Vector, x: Vector, seed: int) -> Vector:
        """What ``money`` draws, from a stock of gammas of which each row takes a stretch: a tenth as many, or less.

        The gamma of n purchases is a sum of n gammas of one.
        """
        (size, rows), most = counts.shape, int(counts.max())
        known, index = np.unique(x, return_inverse=True)
        stock = max(counts.size // (10 * (most + len(known))), size)
        if stock * (most + len(known)) > counts.size:
            return self.money(counts, x, seed)
        p, q, _ = self.point()
        rng = np.random.default_rng(seed + 2)
        of_customer = rng.gamma(q + p * known[:, None], size=(len(known), stock))
        of_count = np.cumsum(rng.gamma(p, size=(most, stock)), axis=0)
        wide = stock + size  # the first stand once more at the end, so that a stretch may begin anywhere
        of_customer = np.concatenate([of_customer, of_customer[:, :size]], axis=1)
        of_count = np.concatenate([np.zeros((1, wide)), np.concatenate([of_count, of_count[:, :size]], axis=1)])
        at = rng.integers(stock, size=rows)[:, None] + np.arange(size)
        money = of_count.ravel()[counts.T.astype(np.intp) * wide + at]
        at += index[:, None] * wide
        money /= of_customer.ravel()[at]
        return np.asarray(money.T)

    def money(self, counts: Vector, x: Vector, seed: int) -> Vector:
        """Draw the money of ``counts`` purchases, in units of (v + x z) of the customer who makes them.

        Given nu ~ Gamma(q + p x, v + x z), the sum of n purchases is Gamma(p n, nu): (v + x z) times a ratio of gammas.
        """
        p, q, _ = self.point()
        rng = np.random.default_rng(seed + 2)
        shape = np.broadcast_to(q + p * x, counts.shape)
        bought = counts > 0
        money = np.zeros_like(counts)
        money[bought] = rng.gamma(p * counts[bought]) / rng.gamma(shape[bought])
        return money


def fit_spend(summary: pd.DataFrame) -> GammaGamma | ConstantSpend:
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
    return ConstantSpend(float(summary["historic_revenue"].sum() / summary["purchases"].sum()))
