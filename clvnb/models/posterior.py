"""How uncertain fitted parameters are: draws that follow the likelihood, not only its curvature at the top.

In: a log-likelihood, its maximum and the counts it weighs. Out: draws of the parameters, and how they were made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from ..core.errors import FitError
from .fitting import Fit, Vector, maximize

__all__ = ["Kept", "Posterior"]

PROPOSALS = 400
# With the logarithms known to a fifth the likelihood is as good as normal in them.
SHARP = 0.2
# A prior that only says which order of magnitude: one standard deviation is a factor of seven.
PRIOR_SD = 2.0
FREEDOM = 5.0
ENOUGH = 0.15
# Refits on fewer customers mostly run to a bound; there the prior says more than they do.
ENOUGH_CUSTOMERS = 500
# With so few nothing is predicted, and the likelihood is costly far from its top.
FEW = 150
REFITS = 100


@dataclass(frozen=True)
class Kept:
    """What draws are made from.

    Attributes
    ----------
    method : str
        How, in a sentence.
    points, weights : array or None
        Parameters in logarithms and the chance of each; None where they are drawn from the normal approximation.
    """

    method: str
    points: Vector | None = None
    weights: Vector | None = None


class Posterior:
    """Draws of parameters, made when first asked for.

    Laplace proposes from a Student t around the maximum in log-parameters; likelihood times a weak log-normal prior,
    centred on values typical of the data, weighs the proposals (importance sampling). Where the effective sample size
    is below 15 % of the proposals, and customers are 500 or more, the fit is repeated on customers with random weights
    (Rubin 1981).

    Parameters
    ----------
    objective : callable
        Log-likelihood and slope at parameters; a second argument replaces the counts of the collapsed rows;
        with ``slope=False`` only the value is needed.
    fit : Fit
    centre : array
        Of the prior.
    counts : array
        Customers per collapsed row.
    unit : array, optional
        In which the parameters were searched for: bounds hold in it, whatever the money is counted in.

    References
    ----------
    Tierney and Kadane (1986), JASA 81, 82-86; Rubin (1981), "The Bayesian bootstrap", Annals of Statistics 9(1).
    """

    def __init__(
        self,
        objective: Callable[..., tuple[float, Vector]],
        fit: Fit,
        centre: Vector,
        counts: Vector,
        unit: Vector | float = 1.0,
    ) -> None:
        self.objective, self.fit, self.centre, self.counts = objective, fit, np.log(centre), counts
        self.unit = unit

    def draw(self, size: int, seed: int) -> Vector:
        """Draw ``size`` parameter vectors."""
        rng, kept = np.random.default_rng(seed), self.kept
        if kept.points is None:
            root = self._root()
            logs = np.log(self.fit.values) + rng.standard_normal((size, len(root))) @ root.T
        else:
            logs = kept.points[rng.choice(len(kept.points), size=size, p=kept.weights)]
        return np.exp(logs)

    @property
    def method(self) -> str:
        """How the draws are made, in a sentence."""
        return self.kept.method

    @cached_property
    def kept(self) -> Kept:
        """All that draws need: made when first asked for, and what a stored model keeps."""
        if np.nanmax(np.diag(self.fit.log_covariance), initial=0.0) < SHARP**2:
            return Kept("normal in the logarithms of the parameters, which the data determine to within a fifth")
        if self.counts.sum() < FEW:
            return Kept(
                f"normal in the logarithms of the parameters; {self.counts.sum():,.0f} customers are too few to check that"
            )
        return self._points()

    @classmethod
    def of_kept(cls, fit: Fit, kept: Kept) -> Self:
        """Make it from what a stored model kept, without the data."""
        new = cls.__new__(cls)
        new.__dict__.update(fit=fit, kept=kept)
        return new

    def __getstate__(self) -> dict[str, Any]:
        return {"fit": self.fit, "kept": self.kept}

    def _root(self) -> Vector:
        values, vectors = np.linalg.eigh(np.nan_to_num(self.fit.log_covariance))
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))

    def _points(self) -> Kept:
        points, weights = self._importance(np.random.default_rng(1))
        effective = 1.0 / float(np.sum(weights**2))
        said = (
            f"importance sampling around the normal approximation, effective sample size {effective:.0f} of {PROPOSALS}"
        )
        if effective >= ENOUGH * PROPOSALS or self.counts.sum() < ENOUGH_CUSTOMERS:
            return Kept(said, points, weights)
        again = self._bootstrap(np.random.default_rng(2))
        if len(again) < REFITS / 2:  # the few that found a maximum are no picture of all
            return Kept(f"{said}; only {len(again)} of {REFITS} refits found a maximum", points, weights)
        points = again
        said = (
            f"{len(points)} refits on reweighted customers (Bayesian bootstrap), since the normal approximation misses "
            f"the likelihood's shape (effective sample size {effective:.0f} of {PROPOSALS})"
        )
        return Kept(said, points, np.full(len(points), 1 / len(points)))

    def _importance(self, rng: np.random.Generator) -> tuple[Vector, Vector]:
        """Proposals from a Student t, and their normalised weights."""
        root, top = self._root(), np.log(self.fit.values)
        free = np.isfinite(np.diag(self.fit.log_covariance))
        width = np.diag(root.T @ root)
        z = rng.standard_normal((PROPOSALS, len(root))) * (width > 1e-12 * width.max())
        stretch = np.sqrt(FREEDOM / rng.chisquare(FREEDOM, PROPOSALS))
        points = top + (z * stretch[:, None]) @ root.T
        size = int(free.sum())
        ln_q = -(FREEDOM + size) / 2 * np.log1p(((z * stretch[:, None]) ** 2).sum(axis=1) / FREEDOM)
        with np.errstate(all="ignore"):
            ln_L = np.array([self.objective(np.exp(np.clip(p, -30, 30)), slope=False)[0] for p in points])
        ln_prior = -(((points - self.centre) ** 2)[:, free]).sum(axis=1) / (2 * PRIOR_SD**2)
        ln_w = np.where(np.isfinite(ln_L), ln_L, -np.inf) + ln_prior - ln_q
        weights = np.exp(ln_w - ln_w.max())
        return points, weights / weights.sum()

    def _bootstrap(self, rng: np.random.Generator) -> Vector:
        """Refits on customers with exponential weights; a row of n customers weighs a gamma(n)."""
        n, found = float(self.counts.sum()), []
        for _ in range(REFITS):
            weights = rng.gamma(self.counts)
            weights *= n / weights.sum()
            try:
                found.append(self._refit(weights, n))
            except FitError:
                continue
        return np.array(found)

    def _refit(self, weights: Vector, n: float) -> Vector:
        """Logarithms of the parameters that fit customers of these weights."""
        covariance = self.fit.log_covariance * n
        curvature = np.linalg.inv(covariance) if np.isfinite(covariance).all() else None

        def objective(theta: Vector) -> tuple[float, Vector]:
            value, gradient = self.objective(theta * self.unit, weights)
            return value, gradient * self.unit

        start = (self.fit.values / self.unit).tolist()
        again = maximize(objective, [start], self.fit.names, n, "the refit", curvature=curvature)
        return np.log(again.values * self.unit)
