"""What the models of contract renewals share: fitting on collapsed rows, survival, retention, what is still expected.

In: SUBSCRIPTIONS. Out: survival by number of renewals; time is counted in billing periods.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd

from ..core.engine import is_ibis, run
from ..core.errors import FitError, TableError
from ..core.tables import SUBSCRIPTIONS, check, closest
from ..core.threads import one_thread
from .base import CollapsedModel
from .fitting import Levels, Vector

__all__ = ["RenewalModel"]


class RenewalModel(CollapsedModel):
    """A model of contract renewals, where the end is seen (contractual). Fit one plan at a time."""

    @one_thread
    def fit(self, subscriptions: Any, *, covariates: Sequence[str] = ()) -> Self:
        """Estimate the parameters by maximum likelihood.

        Parameters
        ----------
        subscriptions : SUBSCRIPTIONS
            ``renewals`` made and whether the contract is ``active``; any mix of start dates.
        covariates : sequence of str
            Columns that do not change with time, as in the purchase models; not for BdW.

        Returns
        -------
        self

        Raises
        ------
        FitError
            When nobody has come to a renewal, or nobody ever left; for covariates with BdW.
        TableError
            When a column is missing.
        """
        check(subscriptions, SUBSCRIPTIONS)
        if covariates and not self.effects:
            raise FitError(f"{self.name} takes no covariates; the shifted beta-geometric does")
        missing = [c for c in covariates if c not in subscriptions.columns]
        if missing:
            raise TableError(f"no column {missing[0]!r} here{closest(missing[0], subscriptions.columns)}")
        keys = ["renewals", "active", *covariates]
        table = run(subscriptions[keys], subscriptions) if is_ibis(subscriptions) else subscriptions[keys]
        rows = table.groupby(keys, dropna=False, observed=True).size().reset_index(name="n")
        n = float(rows["n"].sum())
        lost = rows.loc[~rows["active"].astype(bool), "n"].sum()
        at_risk = float((rows["renewals"] * rows["n"]).sum() + lost)
        if at_risk == 0 or lost == 0:
            raise FitError(
                f"of {n:,.0f} contracts {lost:,.0f} ended, in {at_risk:,.0f} renewals that came due: the chance to "
                "leave cannot be told yet. Come back after the next renewals."
            )
        return self._estimate(rows, self._starts(float(np.clip(lost / at_risk, 0.01, 0.9))), covariates)

    def _data(self, rows: pd.DataFrame) -> tuple[Levels, Vector]:
        return Levels.of(rows["renewals"].to_numpy(float)), rows["active"].to_numpy(float)

    # ---- the paper's functions, by subclass ----
    @abstractmethod
    def _log_survival(self, theta: Vector, t: Vector) -> Vector: ...

    @abstractmethod
    def _starts(self, churn: float) -> list[list[float]]: ...

    @abstractmethod
    def _leaves_at(self, n: int, rng: np.random.Generator) -> Vector: ...

    # ---- predictions ----
    def survival(self, periods: Any, **of: Any) -> Vector:
        """Return the share of new customers that make at least this many renewals.

        Parameters
        ----------
        periods : array of int
            Numbers of renewals, 0 or more.
        **of
            For a model with covariates, the customers', such as ``channel="ads"``; those left out are averaged over the
            customers of the fit.

        Returns
        -------
        array
            Between 0 and 1, on the shape of ``periods``.

        Raises
        ------
        FitError
            When there are no parameters yet.
        TableError
            When ``of`` names a covariate or a level that the fit has not seen.
        """
        return np.asarray(np.exp(self._log_share(np.asarray(periods, dtype=float), of)))

    def _log_share(self, t: Vector, of: Mapping[str, Any]) -> Vector:
        """The logarithm of the share that makes t renewals, over the patterns of the covariates."""
        parts = [np.log(share) + self._log_survival(theta, t) for theta, share in self._mix(self.point(), of)]
        return np.asarray(np.logaddexp.reduce(parts, axis=0))

    def retention(self, period: Any) -> Vector:
        """Return the share of those at a renewal that renew; it mostly rises with tenure.

        Parameters
        ----------
        period : array of int
            Numbers of the renewal: 1, 2, ...

        Returns
        -------
        array
            S(t) / S(t - 1), between 0 and 1.

        Raises
        ------
        ValueError
            For a number below 1.
        """
        t = np.asarray(period, dtype=float)
        if not (t >= 1).all():
            raise ValueError(f"renewals are numbered from 1, got {period!r}")
        return np.asarray(np.exp(self._log_share(t, {}) - self._log_share(t - 1, {})))

    def residual_survival(self, renewals: Any, periods: int) -> Vector:
        """Return the chance of customers to make further renewals, S(n + k) / S(n) for k = 1 ... periods.

        Parameters
        ----------
        renewals : array of int
            n, made so far, one entry a customer.
        periods : int
            How many further renewals.

        Returns
        -------
        array of shape (customers, periods)
            Between 0 and 1.

        Raises
        ------
        FitError
            When the model was fitted with covariates.
        """
        if self.design_ is not None:
            raise FitError(f"{self.name} was fitted with covariates: residual_survival holds for one pattern at a time")
        return self._residual(self.point(), np.asarray(renewals, dtype=float), periods)

    def survival_by_row(self, rows: pd.DataFrame, periods: int, full: Vector | None = None) -> Vector:
        """Return what ``residual_survival`` does for each row, covariates included, at the estimates or at one draw.

        Parameters
        ----------
        rows : pandas.DataFrame
            With ``renewals``, made so far, and the covariates of the fit.
        periods : int
            How many further renewals.
        full : array, optional
            One row of ``draws``; the estimates when left out.

        Returns
        -------
        array of shape (rows, periods)
            Between 0 and 1.
        """
        out = np.empty((len(rows), periods))
        for theta, at in self._patterns(rows, self.point() if full is None else full):
            made, index = np.unique(rows["renewals"].to_numpy(float)[at], return_inverse=True)
            out[at] = self._residual(theta, made, periods)[index]
        return out

    def _residual(self, theta: Vector, renewals: Vector, periods: int) -> Vector:
        n, k = renewals.reshape(-1, 1), np.arange(1, periods + 1, dtype=float)
        return np.exp(self._log_survival(theta, n + k) - self._log_survival(theta, n))

    def expected_lifetime(self, discount_rate: float, *, renewals: int | None = None) -> float:
        """Return the discounted expected number of future payments, without end, one per period.

        Parameters
        ----------
        discount_rate : float
            Per billing period, above 0.
        renewals : int, optional
            Left out, DEL: a new customer, the first payment certain and now. Given, DERL: a customer who has made so
            many renewals and stands just before the next one.

        Returns
        -------
        float
            A discounted number of payments.

        Raises
        ------
        FitError
            With covariates, when ``renewals`` is given.
        ValueError
            When ``discount_rate`` is not above 0.

        References
        ----------
        Fader and Hardie (2010), "Customer-base valuation in a contractual setting", Marketing Science 29(1), 85-93.

        Examples
        --------
        >>> from clvnb.models import ShiftedBetaGeometric
        >>> model = ShiftedBetaGeometric.with_params(alpha=.7637, beta=1.2958)
        >>> round(model.expected_lifetime(0.1), 3), round(model.expected_lifetime(0.1, renewals=0), 3)
        (3.621, 2.883)
        """
        if discount_rate <= 0:
            raise ValueError("a sum without end needs a discount_rate above 0")
        count = int(np.ceil(np.log(1e-13) / -np.log1p(discount_rate)))
        v = (1 + discount_rate) ** -np.arange(count, dtype=float)
        if renewals is None:
            return float(v @ self.survival(np.arange(count)))
        return float(v @ self.residual_survival([renewals], count)[0])

    def simulate(self, n: int, periods: int, *, seed: int = 0) -> pd.DataFrame:
        """Draw new customers and follow them through their renewals.

        Parameters
        ----------
        n : int
            Customers.
        periods : int
            Renewals that are followed.
        seed : int
            Of the random draws.

        Returns
        -------
        pandas.DataFrame
            ``renewals`` made, and ``active``: still there after ``periods``.
        """
        left_at = self._leaves_at(n, np.random.default_rng(seed))
        made = np.minimum(left_at - 1, periods).astype(int)
        return pd.DataFrame({"renewals": made, "active": left_at > periods})
