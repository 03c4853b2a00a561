"""Groups that share a model and differ in it as much as the data say: partial pooling by empirical Bayes.

In: a log-likelihood of parameters and of effects by group. Out: its penalised maximum, and how far groups lie apart.

The effects u of a family, such as those of the channels on one parameter, are normal(0, width). Around a fit the
log-likelihood is taken as quadratic, so that what the data say of a width is known in closed form; a width is its mean
given the data, and the fit is repeated with it until the widths stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .covariates import Design
from .fitting import Fit, Vector, maximize
from .posterior import PROPOSALS, Kept, Posterior

__all__ = ["GroupedPosterior", "Pooled", "families_of", "pool"]

# Before any data, groups are alike with a chance of one half; else they lie apart by a factor of exp(.5) or less in two of
# three cases (half-normal).
PRIOR_WIDTH, _ALIKE = 0.5, 0.5
_WIDTHS = np.geomspace(0.005, 3.0, 40)
_APART = np.exp(-((_WIDTHS / PRIOR_WIDTH) ** 2) / 2) * _WIDTHS
_PRIOR = np.r_[_ALIKE, (1 - _ALIKE) * _APART[1:] / _APART[1:].sum()]  # the smallest width is as good as none
_ROUNDS, _STAYS, _TURNS = 4, 0.02, 40


@dataclass(frozen=True)
class Pooled:
    """How far groups lie apart.

    Attributes
    ----------
    widths : dict of "parameter: group" to float
        The standard deviation of the effects of each family.
    free : float
        How many effects the groups' own count for, between none and all.
    gain : float
        How much more likely the data are with these widths than where all groups are alike, in logarithms.
    """

    widths: dict[str, float]
    free: float
    gain: float


def families_of(names: Sequence[str], parameters: Sequence[str], design: Design) -> dict[str, Vector]:
    """Return the families of effects: ``parameter: group`` to which of the estimated numbers ``names`` belong to it."""
    k, many = len(parameters), len(design.family)
    of = [name.split(": ", 1)[0] if ": " in name else "" for name in names[k:]]
    column = np.resize(np.array(design.family), len(of)) if many else np.zeros(0)
    return {
        f"{parameter}: {group}": np.r_[np.zeros(k, bool), (np.array(of) == parameter) & (column == j)]
        for parameter in dict.fromkeys(of)
        for j, group in enumerate(design.pooled)
        if parameter
    }


def pool(
    objective: Callable[..., tuple[float, Vector]],
    start: Vector,
    names: tuple[str, ...],
    families: Mapping[str, Vector],
    n: float,
    what: str,
) -> tuple[Fit, Pooled, Vector]:
    """Fit parameters and effects, the effects of a family drawn to 0 as far as the data say that groups are alike.

    Parameters
    ----------
    objective : callable
        Log-likelihood and slope at positive numbers: parameters, then exp(effect).
    start : array
    names : tuple of str
    families : mapping of name to array of bool
        Which of the numbers belong to each; what belongs to none is not drawn anywhere.
    n : float
        Customers.
    what : str
        Named in errors.

    Returns
    -------
    Fit, Pooled, array
        The log-likelihood is without the penalty; of the array each row is one draw of everything estimated, in
        logarithms, the widths as uncertain as the data leave them.

    Raises
    ------
    FitError
        As of ``maximize``.

    References
    ----------
    Empirical Bayes: Efron and Morris (1975), JASA 70(350), 311-319; the quadratic step: Breslow and Clayton (1993),
    "Approximate inference in generalized linear mixed models", JASA 88(421), 9-25.
    """
    member = np.array(list(families.values()), dtype=float)
    widths, curvature = np.full(len(families), PRIOR_WIDTH), None
    for turn in range(_ROUNDS):
        weighs = widths**-2.0 @ member
        fit = maximize(_penalised(objective, weighs), [start.tolist()], names, n, what, curvature=curvature)
        near = _Near.of(fit, weighs, member)
        found = near.widths(widths)
        start, moved = fit.values, float(np.max(np.abs(np.log(found / widths))))
        if moved < _STAYS or turn == _ROUNDS - 1:
            break
        widths = found
        curvature = (near.H + np.diag(widths**-2.0 @ member)) / n if near.free.all() else None
    logs, known = np.log(fit.values), near.free & (weighs > 0)
    free = float(known.sum() - (weighs * np.diag(fit.log_covariance))[known].sum())
    gain = float(near.evidence(widths) - near.evidence(np.full(len(widths), _WIDTHS[0])))
    bare = replace(fit, log_likelihood=fit.log_likelihood + float(weighs @ logs**2) / 2)
    said = Pooled(dict(zip(families, widths.tolist(), strict=True)), free, gain)
    return bare, said, near.draws(widths, logs, np.random.default_rng(3))


def _penalised(objective: Callable[..., tuple[float, Vector]], weighs: Vector) -> Callable[..., tuple[float, Vector]]:
    def of(full: Vector, weights: Vector | None = None, *, slope: bool = True) -> tuple[float, Vector]:
        value, gradient = objective(full, weights, slope=slope)
        logs = np.log(full)
        value -= float(weighs @ logs**2) / 2
        return value, gradient - weighs * logs / full if slope else gradient

    return of


@dataclass(frozen=True)
class _Near:
    """The log-likelihood around a penalised maximum, as a quadratic in the logarithms: -(w' H w)/2 + w' h."""

    free: Vector
    member: Vector  # family x what is free
    H: Vector
    h: Vector

    @classmethod
    def of(cls, fit: Fit, weighs: Vector, member: Vector) -> _Near:
        free = np.isfinite(np.diag(fit.log_covariance))
        H = np.linalg.inv(fit.log_covariance[np.ix_(free, free)]) - np.diag(weighs[free])
        at = np.log(fit.values[free])
        return cls(free, member[:, free], H, H @ at + weighs[free] * at)  # where the slope of the penalised one is 0

    def evidence(self, widths: Vector) -> Vector:
        """The logarithm of how likely the data are with such widths, a row for each set of them, but for a constant."""
        weighs = widths**-2.0 @ self.member
        values, vectors = np.linalg.eigh(self.H + weighs[..., None] * np.eye(len(self.h)))
        values = np.maximum(values, 1e-9)
        fitted = ((self.h @ vectors) ** 2 / values).sum(axis=-1)
        given = np.log(np.where(weighs > 0, weighs, 1.0)).sum(axis=-1)
        return np.asarray(fitted + given - np.log(values).sum(axis=-1)) / 2

    def widths(self, start: Vector) -> Vector:
        """The mean of each width given the data, the others held, in turns."""
        now = start.copy()
        for _ in range(5):
            for k in range(len(now)):
                now[k] = float(self.chances(now, k) @ _WIDTHS)
        return now

    def chances(self, now: Vector, k: int) -> Vector:
        """How likely each of ``_WIDTHS`` is for one family, the others held."""
        trials = np.tile(now, (len(_WIDTHS), 1))
        trials[:, k] = _WIDTHS
        said = self.evidence(trials) + np.log(_PRIOR)
        chance = np.exp(said - said.max())
        return np.asarray(chance / chance.sum())

    def draws(self, widths: Vector, at: Vector, rng: np.random.Generator) -> Vector:
        """Draw the logarithms of everything: widths in turns, then all else given them; what is not free stays ``at``."""
        points, now = np.tile(at, (PROPOSALS, 1)), widths.copy()
        each = PROPOSALS // _TURNS
        for turn in range(_TURNS):
            for k in range(len(now)):
                now[k] = rng.choice(_WIDTHS, p=self.chances(now, k))
            values, vectors = np.linalg.eigh(self.H + np.diag(now**-2.0 @ self.member))
            # by Cholesky, since the signs and turns of eigenvectors differ between processors
            root = np.linalg.inv(np.linalg.cholesky((vectors * np.maximum(values, 1e-9)) @ vectors.T)).T
            some = slice(turn * each, (turn + 1) * each)
            points[some, self.free] = root @ (root.T @ self.h) + rng.standard_normal((each, len(values))) @ root.T
        return points


class GroupedPosterior(Posterior):
    """Draws of parameters and effects, shifted so that the crowd's average parameters vary as they do without groups.

    Where data are few, the crowd's parameters are far from normal; the plain fit's draws know their shape.

    Parameters
    ----------
    plain : Posterior
        Of the fit without groups.
    fit : Fit
        With groups.
    points : array
        Draws of everything, in logarithms, from ``pool``.
    crowd : array of shape (parameters, all estimated)
        Adds up each parameter's logarithm over the customers of all groups.
    """

    def __init__(self, plain: Posterior, fit: Fit, points: Vector, crowd: Vector) -> None:
        self.fit, self.plain, self.points, self.crowd = fit, plain, points, crowd

    @cached_property
    def kept(self) -> Kept:
        """All that draws need; see ``Posterior.kept``."""
        shape, points = self.plain.kept, self.points
        if shape.points is not None:
            top, covariance = np.log(self.fit.values), np.nan_to_num(self.fit.log_covariance)
            wanted = np.log(self.plain.draw(PROPOSALS, seed=4)) - np.log(self.plain.fit.values) + self.crowd @ top
            lead = covariance @ self.crowd.T @ np.linalg.pinv(self.crowd @ covariance @ self.crowd.T)
            points = points + (wanted - points @ self.crowd.T) @ lead.T
        said = f"{shape.method}; effects of groups as uncertain as how far groups lie apart"
        return Kept(said, points, np.full(PROPOSALS, 1 / PROPOSALS))
