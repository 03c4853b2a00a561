"""Gamma-Gamma: how much a customer spends on a purchase, shrunk towards the crowd.

In: SUMMARY. Out: expected spend of a future purchase. Fader and Hardie (2013), "The gamma-gamma model of monetary
value", note 025.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.special import gammaln, psi

from ..core.engine import is_ibis, run
from ..core.errors import FitError, TableError
from ..core.tables import SUMMARY, check, closest
from ..core.threads import one_thread
from .base import Model, scalar
from .constant_spend import ConstantSpend
from .covariates import Design
from .fitting import Fit, Levels, Vector, maximize
from .pooling import GroupedPosterior, Pooled, families_of, pool
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
    groups_ : tuple of str
        Columns whose levels differ in how much is spent, after a fit with ``groups``.

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

    design_: Design | None = None
    pooled_: Pooled | None = None
    patterns_: pd.DataFrame | None = None

    @property
    def groups_(self) -> tuple[str, ...]:
        """The columns whose levels differ in how much is spent."""
        return () if self.design_ is None else self.design_.pooled

    @one_thread
    def fit(self, summary: Any, *, groups: Sequence[str] = ()) -> Self:
        """Estimate the parameters from the customers with a repeat purchase and a positive mean.

        Parameters
        ----------
        summary : SUMMARY
            With ``monetary_value``.
        groups : sequence of str
            Columns such as ``channel`` whose levels share p and q and differ in v as much as the data say: where few of a
            group bought again, or groups are alike, they are drawn together. pandas only.

        Returns
        -------
        self

        Raises
        ------
        FitError
            When fewer than three customers have both, or the likelihood has no proper maximum; when a group never changes.
        TableError
            When ``monetary_value`` or another column is missing.

        References
        ----------
        Groups: Efron and Morris (1975), JASA 70(350), 311-319.
        """
        check(summary, SUMMARY)
        if "monetary_value" not in summary.columns:
            raise TableError("the Gamma-Gamma model needs the column 'monetary_value' of a SUMMARY")
        self.design_ = self.pooled_ = self.patterns_ = None
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
        in_money = _in_money(fit, scale, n)
        posterior = Posterior(objective, in_money, np.array(starts[0]) * money, spends.n, money)
        if groups:
            return self._by_group(summary, groups, fit, posterior, scale, n)
        return self._accept(in_money, n, posterior)

    def _by_group(
        self, summary: pd.DataFrame, groups: Sequence[str], plain: Fit, posterior: Posterior, scale: float, n: int
    ) -> Self:
        """Fit an effect of each group on v, from the fit without groups, in units of the mean spend."""
        missing = [c for c in groups if c not in summary.columns]
        if missing:
            raise TableError(f"the SUMMARY has no column {missing[0]!r}{closest(missing[0], summary.columns)}")
        patterns = summary.groupby(list(groups), as_index=False, observed=True, dropna=False).size()
        design = Design.of(patterns.rename(columns={"size": "n"}), (), groups)
        parts = []
        for z, at in design.groups(summary):
            own = Spends.of_table(summary.iloc[at])
            if own.customers:
                parts.append((z, replace(own, log_z=own.log_z - np.log(scale))))

        def of_groups(full: Vector, weights: Vector | None = None, *, slope: bool = True) -> tuple[float, Vector]:
            total, slopes = 0.0, np.zeros(len(full))
            for z, spends in parts:
                v = full[2] * np.exp(z @ np.log(full[3:]))
                value, gradient = log_likelihood(full[0], full[1], v, spends)
                total, by = total + float(spends.n @ value), gradient @ spends.n
                slopes += np.r_[by[:2], by[2] * v / full[2], by[2] * v * z / full[3:]]
            return total, slopes

        names = (*self.parameters, *(f"v: {name}" for name in design.names))
        start = np.r_[plain.values, np.ones(len(design.names))]
        fit, self.pooled_, points = pool(
            of_groups, start, names, families_of(names, self.parameters, design), n, self.name
        )
        self.design_, self.patterns_ = design, patterns.rename(columns={"size": "n"})
        buyers = np.array([spends.customers for _, spends in parts]) / n
        crowd = np.hstack([np.eye(3), np.zeros((3, len(design.names)))])
        crowd[2, 3:] = buyers @ np.array([z for z, _ in parts])
        points[:, 2] += np.log(scale)
        fit = _in_money(fit, scale, n)
        return self._accept(fit, n, GroupedPosterior(posterior, fit, points, crowd))

    def _state(self) -> dict[str, Any]:
        if self.design_ is None or self.pooled_ is None or self.patterns_ is None:
            return super()._state()
        known = {name: [scalar(v) for v in levels] for name, levels in self.design_.levels.items()}
        shares = {name: [scalar(v) for v in self.patterns_[name]] for name in self.patterns_}
        return super()._state() | {"groups": {"levels": known, "patterns": shares} | asdict(self.pooled_)}

    def _restore(self, state: Mapping[str, Any]) -> None:
        super()._restore(state)
        said = state.get("groups")
        if said:
            self.design_ = Design(
                {name: tuple(levels) for name, levels in said["levels"].items()}, tuple(said["levels"])
            )
            self.pooled_ = Pooled(said["widths"], said["free"], said["gain"])
            self.patterns_ = pd.DataFrame(said["patterns"])

    def _count(self) -> float:
        return super()._count() if self.pooled_ is None else len(self.parameters) + self.pooled_.free

    def _scale_of(self, rows: pd.DataFrame, phi: Vector) -> Any:
        """v of each row: of its group."""
        if self.design_ is None:
            return phi[2]
        return phi[2] * np.exp(self.design_.matrix(rows) @ np.log(phi[3:]))

    def _scale_there(self, table: Any) -> Any:
        """v of each row of an Ibis table, as an expression."""
        phi, v = self.point(), 1.0
        effects = dict(zip(self.design_.names if self.design_ else (), phi[3:], strict=True))
        for column in self.groups_:
            assert self.design_ is not None
            known = {level: float(effects[f"{column}={level}"]) for level in self.design_.levels[column]}
            v = table[column].cases(*known.items(), else_=1.0) * v
        return v * float(phi[2])

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
        p, q = self.point()[:2]
        if q <= 1:
            raise FitError(
                f"the Gamma-Gamma model has q = {q:.3g}, not above 1: spend is so uneven that its mean does not "
                "exist. Look for wholesale orders, or value each purchase at the median spend."
            )
        if is_ibis(summary):
            x, v = (
                summary.frequency.cast("float64"),
                self._scale_there(summary),
            )  # or Spark counts in decimals of six places
            spend = p * (v + x * positive(summary.monetary_value)) / (p * x + (q - 1))
            return summary.select("customer_id", expected_spend=spend)
        spend = expected_spend(
            p,
            q,
            self._scale_of(summary, self.point()),
            summary["frequency"].to_numpy(),
            summary["monetary_value"].to_numpy(),
        )
        return pd.Series(spend, index=summary.index, name="expected_spend", copy=False)

    def expected_spend_new(self, **of: Any) -> float:
        """Return the mean spend of a purchase over all customers, p v / (q - 1).

        Parameters
        ----------
        **of
            After a fit with groups, those of the customers, such as ``channel="ads"``; what is left out is averaged over.

        Returns
        -------
        float
            In the unit of ``monetary_value``; missing where q <= 1, for which there is no mean.

        Raises
        ------
        TableError
            When ``of`` names a group that the fit has not seen.
        """
        return float(self.means(self.point()[None, :], of)[0]) if self.point()[1] > 1 else float("nan")

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
        p, q, v = self.point()[:3]
        rng = np.random.default_rng(seed)
        names, index = np.unique(customers, return_inverse=True)
        level = v / rng.gamma(q, size=len(names))
        return np.asarray(rng.gamma(p, size=len(index)) * level[index.reshape(-1)])

    def proper_draws(self, size: int, *, seed: int = 0) -> Vector:
        """Return draws of the parameters, q kept away from 1, where the mean of the spend ceases to exist."""
        phis = self.draws(size, seed=seed)
        return np.column_stack([phis[:, 0], np.maximum(phis[:, 1], 1.05), phis[:, 2:]])

    def means(self, phis: Vector, of: Mapping[str, Any] | None = None) -> Vector:
        """Return the mean money of a purchase for each row of parameters, over the customers that agree with ``of``."""
        p, q, v = phis[:, 0], phis[:, 1], phis[:, 2]
        mean = np.asarray(p * v / (q - 1))
        if self.design_ is None or self.patterns_ is None:
            return mean
        rows = self.design_.pick(self.patterns_, {k: v for k, v in (of or {}).items() if k in self.groups_})
        times = np.exp(np.log(phis[:, 3:]) @ self.design_.matrix(rows).T)
        n = rows["n"].to_numpy(float)
        return np.asarray(mean * (times @ n) / n.sum())

    def sums(self) -> dict[str, Any]:
        """Return what is to be summed of customers who are put together: their own mean spend, and its square."""
        return {"z": lambda s: positive(s["monetary_value"]), "zz": lambda s: positive(s["monetary_value"]) ** 2}

    def summed(self, phi: Vector, rows: pd.DataFrame) -> Vector:
        """Return the expected money of a purchase, summed over the ``n`` customers of each row."""
        (p, q), x, n = phi[:2], rows["frequency"].to_numpy(float), rows["n"].to_numpy(float)
        v = self._scale_of(rows, phi)
        return np.asarray(p * (v * n + x * rows["z"].to_numpy(float)) / (p * x + (q - 1)))

    def squared(self, rows: pd.DataFrame) -> Vector:
        """Return the sum over the customers of each row of (scale of an outcome / expected spend) squared."""
        v, x, n = self._scale_of(rows, self.point()), rows["frequency"].to_numpy(float), rows["n"].to_numpy(float)
        z, zz = rows["z"].to_numpy(float), rows["zz"].to_numpy(float)
        mean = self.summed(self.point(), rows) / n
        return np.asarray((n * v**2 + 2 * v * x * z + x**2 * zz) / mean**2)

    def columns(self, base: Any) -> tuple[Any, Any]:
        """Return the expected spend of each row, and the scale of an outcome, v + x z, in units of it."""
        p, q = self.point()[:2]
        v = self._scale_there(base) if is_ibis(base) else self._scale_of(base, self.point())
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
        p, q = self.point()[:2]
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
        p, q = self.point()[:2]
        rng = np.random.default_rng(seed + 2)
        shape = np.broadcast_to(q + p * x, counts.shape)
        bought = counts > 0
        money = np.zeros_like(counts)
        money[bought] = rng.gamma(p * counts[bought]) / rng.gamma(shape[bought])
        return money


def _in_money(fit: Fit, scale: float, n: int) -> Fit:
    """A fit of spend in units of ``scale`` as one of money: v and the density of each customer's mean hold the unit."""
    values = np.r_[fit.values[:2], fit.values[2] * scale, fit.values[3:]]
    return replace(fit, values=values, log_likelihood=fit.log_likelihood - n * float(np.log(scale)))


def fit_spend(summary: pd.DataFrame, groups: Sequence[str] = ()) -> GammaGamma | ConstantSpend:
    """Fit the Gamma-Gamma model; where it cannot be fitted or its mean does not exist, give the mean money of a purchase.

    Parameters
    ----------
    summary : SUMMARY
        With ``monetary_value, historic_revenue, purchases``.
    groups : sequence of str
        Columns whose levels may differ in what they spend.
    """
    for known in dict.fromkeys((tuple(groups), ())):
        with suppress(FitError):
            model = GammaGamma().fit(summary, groups=known)
            if model.params_["q"] > 1:
                return model
    return ConstantSpend(float(summary["historic_revenue"].sum() / summary["purchases"].sum()))
