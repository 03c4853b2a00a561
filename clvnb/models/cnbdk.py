"""BG/CNBD-k and MBG/CNBD-k: customers who come at regular intervals, and a chance to leave after a purchase.

In: SUMMARY with ``log_gaps``. Out: P(alive), expected purchases. Platzer and Reutterer (2016), "Ticking away the
moments: timing regularity helps to better predict customer activity", Marketing Science 35(5), 779-799; Reutterer,
Platzer and Schroeder (2021), "Leveraging purchase regularity for predicting customer behavior the easy way",
International Journal of Research in Marketing 38(1), 194-215.

A gap between purchases is the sum of k exponential stages: at k = 1 purchases come at random (BG/NBD, MBG/NBD), and the
larger k, the more regularly. P(alive) then falls faster once a purchase is overdue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.special import expit, gammaln, logsumexp

from ..core.engine import is_ibis, run
from ..core.errors import FitError, TableError
from ..core.maths import TEST_LEVEL
from ..core.threads import one_thread
from .base import added_up
from .continuous import Newcomers
from .dropout import DropoutModel, count_probabilities, purchases_until_dropout, still_there
from .fitting import Triples, Vector
from .special import at_least, ln_beta_ratio, ln_rising, psi_rising

__all__ = ["BGCNBDk", "MBGCNBDk"]

LARGEST_K = 6


def log_likelihood(
    r: float, alpha: float, a: float, b: float, k: int, at_first: bool, data: Triples
) -> tuple[Vector, Vector]:
    """Return ln L of each (x, t_x, T) and its gradient in (r, alpha, a, b), the gaps' own part left out.

    With R = r + k x and z = (T - t_x)/(alpha + T), the silence since t_x has the chance C = sum over j < k of
    G(R+j)/(G(R) j!) z^j, and L = G(R) alpha^r / G(r) * B(a, B)/B(a, b) [(alpha+T)^-R C + a/(B-1) (alpha+t_x)^-R], where
    B = b + x for BG (without the second term at x = 0) and b + x + 1 for MBG. For k = 1, C is 1.
    """
    x = data.x.full
    R = r + k * x
    log_T, log_tx = data.T.map(lambda T: np.log1p(T / alpha)), data.t_x.map(lambda t: np.log1p(t / alpha))
    inv_T, inv_tx = data.T.map(lambda T: 1 / (alpha + T)), data.t_x.map(lambda t: 1 / (alpha + t))
    parts = _stages(R, alpha, data.t_x.full, data.T.full, k)
    ln_C = logsumexp(parts, axis=0)
    weight, j = np.exp(parts - ln_C), np.arange(k)[:, None]
    may_leave = (x > 0) | at_first
    rest = np.where(may_leave, b + (x + at_first - 1), 1.0)
    ln_alive = -R * log_T + ln_C
    ln_dead = np.where(may_leave, np.log(a) - np.log(rest) - R * log_tx, -np.inf)
    dead = expit(ln_dead - ln_alive)
    alive = 1 - dead
    of_x = data.x.map(lambda x: ln_rising(r, k * x) + ln_beta_ratio(a, b, x + at_first) - k * x * np.log(alpha))
    ln_L = of_x + np.logaddexp(ln_alive, ln_dead)
    more = (weight * psi_rising(R, j)).sum(axis=0)
    both = -data.x.map(lambda x: psi_rising(a + b, x + at_first))
    gradient = np.array(
        [
            data.x.map(lambda x: psi_rising(r, k * x)) + alive * (more - log_T) - dead * log_tx,
            r / alpha - alive * (R + (weight * j).sum(axis=0)) * inv_T - dead * R * inv_tx,
            both + dead / a,
            both + data.x.map(lambda x: psi_rising(b, x + at_first)) - np.where(may_leave, dead / rest, 0.0),
        ]
    )
    return ln_L, gradient


def _stages(R: Vector, alpha: float, t_x: Vector, T: Vector, k: int) -> Vector:
    """The logarithm of G(R+j)/(G(R) j!) z^j for j < k, one row per j: how far the next purchase has come along."""
    j = np.arange(k)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        power = j * np.log((T - t_x) / (alpha + T))
    return np.where(j == 0, 0.0, ln_rising(R, j) - gammaln(j + 1) + power)


class _CNBDk(DropoutModel):
    """What BG/CNBD-k and MBG/CNBD-k share."""

    recency_matters = True

    def __init__(self, k: int | None = None) -> None:
        if k is not None and not (isinstance(k, int) and k >= 1):
            raise ValueError(f"k must be a whole number of at least 1, or None to have it chosen, got {k!r}")
        self.wanted, self.k = k, k or 1
        self._constant = 0.0  # the gaps' own part of the likelihood, which tells the k apart

    @property
    def settings(self) -> dict[str, Any]:
        """``k``, where it was given."""
        return {"k": self.wanted}

    def _state(self) -> dict[str, Any]:
        return super()._state() | {"k": self.k, "constant": self._constant}

    def _restore(self, state: Mapping[str, Any]) -> None:
        super()._restore(state)
        self.k, self._constant = int(state["k"]), float(state["constant"])

    @classmethod
    def with_params(cls, *, unit: str | float = "1 day", **params: float) -> Self:
        """Make a model with given parameters, for example published ones, without fitting.

        Parameters
        ----------
        unit : str
            The time unit of the parameters: ``"1 week"`` for most papers.
        **params : float
            One value above zero for each of the model's parameters, and ``k``, stages of a gap, 1 when left out.

        Returns
        -------
        Self
            A model that predicts; it has no standard errors, and its ``draws`` do not vary.

        Raises
        ------
        ValueError
            As of ``Model.with_params``.
        """
        k = int(params.pop("k", 1))
        model = super().with_params(unit=unit, **params)
        model.wanted, model.k = k, k
        return model

    @one_thread
    def fit(self, summary: Any, *, covariates: Sequence[str] = (), groups: Sequence[str] = ()) -> Self:
        """Estimate the parameters by maximum likelihood, and k by the likelihood where it was not given.

        Parameters
        ----------
        summary : SUMMARY
            With ``log_gaps``, the sum of the logarithms of the days between purchases; ``summarize`` makes it.
        covariates, groups : sequence of str
            As in every purchase model; k is chosen without the groups.

        Returns
        -------
        self
            With ``k``.

        Raises
        ------
        TableError
            When ``log_gaps`` is missing; otherwise as in every purchase model.
        FitError
            When nobody bought twice, or the likelihood has no proper maximum.
        """
        if "log_gaps" not in summary.columns:
            raise TableError(f"{self.name} needs the column 'log_gaps' of a SUMMARY: make it with `summarize`")
        gaps, repeats = _sums(summary)
        best: Any = None
        for k in [self.wanted] if self.wanted else range(1, LARGEST_K + 1):
            try:
                one = super(_CNBDk, type(self)(k)._with(gaps, repeats)).fit(summary, covariates=covariates)
            except FitError:
                if best is None:
                    raise
                break
            if best is not None and one.log_likelihood_ <= best.log_likelihood_:
                break
            best = one
        if groups:
            best = super(_CNBDk, type(self)(best.k)._with(gaps, repeats)).fit(
                summary, covariates=covariates, groups=groups
            )
        wanted = self.wanted
        self.__dict__.update(best.__dict__)
        self.wanted = wanted
        return self

    def estimates(self, *, unit: str = "1 day", level: float = TEST_LEVEL) -> pd.DataFrame:
        """Return the table of parameters, with ``k`` below them.

        Parameters
        ----------
        unit : str
            Time unit of the shown parameters; ``"week"`` gives those of the papers.
        level : float
            Of the interval, which is made on the log scale and so never reaches below zero.

        Returns
        -------
        pandas.DataFrame
            Columns ``parameter, estimate, standard_error, low, high``; ``k`` has an estimate and no interval.

        Raises
        ------
        FitError
            When the model was not fitted.
        """
        table = super().estimates(unit=unit, level=level)
        table.loc[len(table), ["parameter", "estimate"]] = ["k", float(self.k)]
        return table

    def _with(self, gaps: float, repeats: float) -> Self:
        self._constant = (self.k - 1) * gaps - repeats * float(gammaln(self.k))
        return self

    def _objective(self, rows: pd.DataFrame, design: Any) -> Callable[..., tuple[float, Vector]]:
        inner = super()._objective(rows, design)

        def objective(full: Vector, weights: Vector | None = None, *, slope: bool = True) -> tuple[float, Vector]:
            value, slopes = inner(full, weights, slope=slope)
            return value + self._constant, slopes

        return objective

    def _count(self) -> float:
        return super()._count() + (self.wanted is None)

    def _total(self, theta: Vector, data: Triples, n: Vector, *, slope: bool = True) -> tuple[float, Vector]:
        r, alpha, a, b = theta
        return added_up(log_likelihood(r, alpha, a, b, self.k, self.at_first, data), n)

    def _starts(self, rows: pd.DataFrame) -> list[list[float]]:
        rate = self.k * (rows["frequency"] * rows["n"]).sum() / max(float((rows["T"] * rows["n"]).sum()), 1.0)
        return [[0.8, 0.8 / rate, 0.8, 2.0], [1.5, 1.5 / rate, 0.3, 3.0]]

    def _alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector) -> Vector:
        r, alpha, a, b = theta
        R, may_leave = r + self.k * x, (x > 0) | self.at_first
        ln_C = logsumexp(_stages(R, alpha, t_x, T, self.k), axis=0)
        rest = np.where(may_leave, b + (x + self.at_first - 1), 1.0)
        odds = np.log(a) - np.log(rest) + R * np.log1p((T - t_x) / (alpha + t_x)) - ln_C
        return np.where(may_leave, expit(-odds), 1.0)

    def _by_stage(
        self,
        theta: Vector,
        x: Vector,
        t_x: Vector,
        T: Vector,
        of_stage: Callable[[Vector, Vector, Vector, int], Vector],
    ) -> Vector:
        """The mean of ``of_stage(R, A, B, stage)`` over the stages that the next purchase may have reached."""
        r, alpha, _, b = theta
        R, B = r + self.k * x, b + x + self.at_first
        parts = _stages(R, alpha, t_x, T, self.k)
        weight = np.exp(parts - logsumexp(parts, axis=0))
        return np.asarray(sum(w * of_stage(R + j, alpha + T, B, j) for j, w in enumerate(weight)))

    def _purchases_if_alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float) -> Vector:
        a = theta[2]
        return self._by_stage(theta, x, t_x, T, lambda R, A, B, j: purchases_until_dropout(R, A, a, B, t, self.k, j))

    def _stays_if_alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float) -> Vector:
        a = theta[2]
        return self._by_stage(theta, x, t_x, T, lambda R, A, B, j: still_there(R, A, a, B, t, self.k, j))

    def _buys_if_alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float) -> Vector:
        return self._by_stage(theta, x, t_x, T, lambda R, A, _, j: at_least(self.k - j, R, t / A))

    def _counts_if_alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float, n: Vector) -> Vector:
        a = theta[2]
        return self._by_stage(theta, x, t_x, T, lambda R, A, B, j: count_probabilities(R, A, a, B, t, n, self.k, j))

    def _scale(self, theta: Vector, x: Vector, t_x: Vector, T: Vector) -> Vector:
        r, alpha, _, _ = theta
        return self.k * (alpha + T) / (1 + r + self.k * x)

    def _simulate_if_alive(
        self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float, rng: np.random.Generator
    ) -> Vector:
        r, alpha, a, b = theta
        R = r + self.k * x
        parts = _stages(R, alpha, t_x, T, self.k)
        reached = np.cumsum(np.exp(parts - logsumexp(parts, axis=0)), axis=0)
        stage = (rng.random(len(x)) > reached[:-1]).sum(axis=0)
        rate = rng.gamma(R + stage) / (alpha + T)
        bought = (rng.poisson(np.minimum(rate * t, 1e9)) + stage) // self.k
        chance = np.clip(rng.beta(a, b + x + self.at_first), 1e-12, 1.0)
        return np.minimum(bought, rng.geometric(chance)).astype(float)

    def _quiet(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, wait: Vector) -> Vector:
        """The chance of no purchase in ``wait`` after T, given silence from t_x to T."""
        r, alpha = theta[:2]
        R = r + self.k * x
        now, later = (logsumexp(_stages(R, alpha, t_x, end, self.k), axis=0) for end in (T, T + wait))
        return np.exp(later - now - R * np.log1p(wait / (alpha + T)))

    def _newcomers(self, theta: Vector, n: int, rng: np.random.Generator) -> Newcomers:
        return replace(super()._newcomers(theta, n, rng), k=self.k)

    def __repr__(self) -> str:
        return super().__repr__().replace(type(self).__name__ + "(", f"{type(self).__name__}(k={self.k}, ", 1)


def _sums(summary: Any) -> tuple[float, float]:
    if is_ibis(summary):
        row = run(summary.aggregate(gaps=summary.log_gaps.sum(), repeats=summary.frequency.sum()), summary).iloc[0]
        return float(row["gaps"] or 0.0), float(row["repeats"])
    return float(summary["log_gaps"].sum()), float(summary["frequency"].sum())


class BGCNBDk(_CNBDk):
    """BG/CNBD-k: as BG/NBD, with regular gaps between purchases.

    Parameters, time in days: ``r, alpha``, shape and rate of the gamma of the gaps' stage rates; ``a, b``, of the beta
    of the chance to leave after a repeat purchase; ``k``, stages of a gap, chosen by the likelihood when it is not
    given.

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
    k : int
        Stages of a gap; 1 is purchases at random.

    References
    ----------
    Reutterer, Platzer and Schröder (2021), "Leveraging purchase regularity for predicting customer behavior the easy
    way", International Journal of Research in Marketing 38(1), 194-215; regularity: Platzer and Reutterer (2016),
    Marketing Science 35(5), 779-799.

    Examples
    --------
    >>> import pandas as pd
    >>> model = BGCNBDk.with_params(r=.243, alpha=4.414, a=.793, b=2.426, unit="1 week", k=1)
    >>> customer = pd.DataFrame({"customer_id": ["1"], "frequency": [2], "recency": [213], "T": [272]})
    >>> round(float(model.expected_purchases(customer, "39 weeks").iloc[0]), 3)
    1.226
    """

    name = "BG/CNBD-k"
    at_first = False


class MBGCNBDk(_CNBDk):
    """MBG/CNBD-k: as MBG/NBD, with regular gaps between purchases.

    Parameters, time in days: ``r, alpha``, shape and rate of the gamma of the gaps' stage rates; ``a, b``, of the beta
    of the chance to leave after any purchase, the first included; ``k``, stages of a gap, chosen by the likelihood when
    it is not given.

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
    k : int
        Stages of a gap; 1 is purchases at random.

    References
    ----------
    Reutterer, Platzer and Schröder (2021), "Leveraging purchase regularity for predicting customer behavior the easy
    way", International Journal of Research in Marketing 38(1), 194-215; regularity: Platzer and Reutterer (2016),
    Marketing Science 35(5), 779-799.

    Examples
    --------
    >>> import pandas as pd
    >>> model = MBGCNBDk.with_params(r=.52, alpha=6.18, a=.89, b=1.61, unit="1 week", k=2)
    >>> customer = pd.DataFrame({"customer_id": ["1"], "frequency": [2], "recency": [213], "T": [272]})
    >>> model.probability_alive(customer).round(3).tolist()
    [0.746]
    """

    name = "MBG/CNBD-k"
    at_first = True
