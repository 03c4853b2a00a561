"""Maximum likelihood in log-parameters, shared by every model.

In: a function that returns a log-likelihood and its gradient. Out: ``Fit``, accepted on its gradient and Hessian.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import FitError

__all__ = ["BOUNDS", "Fit", "Levels", "Objective", "Triples", "maximize"]

Vector = NDArray[Any]
Objective = Callable[[Vector], tuple[float, Vector]]

# exp(-14) and exp(20): beyond these a parameter says that the data cannot tell, not how large it is.
BOUNDS = (-14.0, 20.0)
_PATIENT = {"maxiter": 3000, "maxfun": 6000, "ftol": 1e-16, "gtol": 1e-10, "maxcor": 20}
# Information below this is a standard error of seven in the logarithm, a factor of a thousand: no estimate.
_FLAT = 0.02


@dataclass(frozen=True)
class Levels:
    """An array by its distinct values, so that costly functions run once for each of them."""

    values: Vector
    index: NDArray[np.intp]

    @classmethod
    def of(cls, array: Sequence[float] | Vector) -> Levels:
        """Find the distinct values of an array."""
        values, index = np.unique(np.asarray(array, dtype=float), return_inverse=True)
        return cls(values, index.reshape(-1))

    def map(self, function: Callable[[Vector], Vector]) -> Vector:
        """Apply ``function`` to the distinct values and spread the answers."""
        return np.asarray(function(self.values))[self.index]

    @property
    def full(self) -> Vector:
        """The array itself."""
        return self.values[self.index]

    def sum(self, array: Vector) -> Vector:
        """Add an array up over each of the distinct values."""
        return np.bincount(self.index, array, len(self.values))

    def take(self, table: Vector, out: Vector) -> Vector:
        """Spread what belongs to the distinct values, into memory that is there already."""
        return np.take(table, self.index, out=out, mode="clip")


@dataclass(frozen=True)
class Triples:
    """Distinct (x, t_x, T) with the number of customers that share each: all that a likelihood needs.

    Attributes
    ----------
    x, t_x, T : Levels
        Repeat purchases, age at the last one, age at the end of observation.
    n : array
        Customers with this triple.
    """

    x: Levels
    t_x: Levels
    T: Levels
    n: Vector

    @classmethod
    def of(
        cls,
        x: Sequence[float] | Vector,
        t_x: Sequence[float] | Vector,
        T: Sequence[float] | Vector,
        n: Sequence[float] | Vector | None = None,
    ) -> Triples:
        """Make triples from arrays, for example one customer: ``Triples.of([2], [30.43], [38.86])``."""
        weights = np.ones(len(x)) if n is None else np.asarray(n, dtype=float)
        return cls(Levels.of(x), Levels.of(t_x), Levels.of(T), weights)

    @cached_property
    def crossed(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The place of each row in a table of distinct x by distinct t_x, row after row, and in one of x by T."""
        return tuple(self.x.index * len(other.values) + other.index for other in (self.t_x, self.T))  # type: ignore[return-value]

    def customers(self, n: Vector) -> tuple[Vector, Vector, Vector]:
        """``n`` added up by x and by T, and x times ``n`` by T: kept while the same array is asked for, as in a search."""
        kept = self.__dict__.get("_customers")
        if kept is None or kept[0] is not n:
            kept = self.__dict__["_customers"] = (n, (self.x.sum(n), self.T.sum(n), self.T.sum(n * self.x.full)))
        return kept[1]

    @cached_property
    def reach(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Of each distinct x the place of its smallest t_x among the distinct ones, and that of its largest T."""
        first = np.full(len(self.x.values), len(self.t_x.values) - 1)
        last = np.zeros(len(self.x.values), dtype=first.dtype)
        np.minimum.at(first, self.x.index, self.t_x.index)
        np.maximum.at(last, self.x.index, self.T.index)
        return first, last

    @cached_property
    def room(self) -> Vector:
        """Memory for five arrays of the rows, used again at each step: to ask for it anew costs more than to fill it."""
        return np.empty((5, len(self.n)))


@dataclass(frozen=True)
class Fit:
    """A maximum of the likelihood: where it is, how sharp it is, and whether the data could tell.

    Attributes
    ----------
    names : tuple of str
    values : array
        Estimates, all above zero.
    log_covariance : array
        Covariance of the logarithms of the estimates; missing for a parameter at a bound.
    log_likelihood : float
    gradient : float
        The largest slope of the log-likelihood per observation that is left, by log-parameter.
    evaluations : int
    at_bound : tuple of str
        Parameters that ran away, or lie on a ridge: the data cannot tell how small or large they are.
    """

    names: tuple[str, ...]
    values: Vector
    log_covariance: Vector
    log_likelihood: float
    gradient: float
    evaluations: int
    at_bound: tuple[str, ...]


def maximize(
    objective: Objective,
    starts: Sequence[Sequence[float]],
    names: tuple[str, ...],
    n: float,
    what: str,
    *,
    few: tuple[Objective, float] | None = None,
    curvature: Vector | None = None,
) -> Fit:
    """Find the maximum of a log-likelihood over positive parameters.

    Parameters
    ----------
    objective : callable
        Takes the parameters, returns the log-likelihood and its gradient in the parameters.
    starts : sequence of parameter vectors
        The first that leads to a maximum is taken.
    names : tuple of str
    n : float
        Observations, which scale the gradient.
    what : str
        Named in the error, for example ``BG/NBD``.
    few : (callable, float), optional
        The objective of a sample and its observations: its maximum, found at little cost, is where the search begins, and
        its curvature leads the first steps.
    curvature : array, optional
        What the Hessian of an observation is near the starts, in log-parameters, with the sign of a bowl.

    Raises
    ------
    FitError
        When no start leads to a point with a vanishing gradient and a negative definite Hessian.
    """
    count = 0

    def slope(log_parameters: Vector) -> tuple[float, Vector]:
        nonlocal count
        count += 1
        return _slope(objective, n, log_parameters)

    begin: list[tuple[Vector, Vector | None]] = [(np.log(start), curvature) for start in starts]
    if few is not None:
        near = _descend(partial(_slope, *few), begin[0][0], few[1])
        if near.is_maximum and near.free.all():
            begin.insert(0, (near.at, near.hessian))
    found: list[_Point] = []
    for start, hessian in begin:
        found.append(_descend(slope, start, n, hessian))
        if found[-1].is_maximum and found[-1].free.all():
            break  # otherwise another start may lead further along the ridge
    best = min(found, key=lambda p: (not p.is_maximum, p.value))
    if not best.is_maximum:  # a flat likelihood, as where parameters run to a limit, is searched to the last digit
        again = [_descend(slope, at, n, patient=True) for at in (best.at, *(start for start, _ in begin))]
        best = min(again, key=lambda p: (not p.is_maximum, p.value))
    point, value, hessian, free = best.at, best.value, best.hessian, best.free
    if not best.is_maximum:
        shown = ", ".join(f"{k} = {v:.4g}" for k, v in zip(names, np.exp(point), strict=True))
        raise FitError(
            f"{what} did not find a maximum on {n:,.0f} customers (it stopped at {shown}, slope {best.slope:.1e}): "
            "the data do not determine its parameters. Use a longer history or a simpler model."
        )
    covariance = np.full((len(names), len(names)), np.nan)
    covariance[np.ix_(free, free)] = np.linalg.inv(hessian[np.ix_(free, free)]) / n
    at_bound = tuple(name for name, is_free in zip(names, free, strict=True) if not is_free)
    return Fit(names, np.exp(point), covariance, -value * n, best.slope, count, at_bound)


def _slope(objective: Objective, n: float, log_parameters: Vector) -> tuple[float, Vector]:
    """What is made small: minus the log-likelihood of an observation, and its gradient, in log-parameters."""
    parameters = np.exp(log_parameters)
    value, gradient = objective(parameters)
    return -value / n, -gradient * parameters / n


def _inside(point: Vector) -> NDArray[np.bool_]:
    return (point > BOUNDS[0] + 1.0) & (point < BOUNDS[1] - 1.0)


@dataclass(frozen=True)
class _Point:
    """Where a descent ended; ``n`` observations."""

    at: Vector
    value: float
    gradient: Vector
    hessian: Vector
    n: float

    @cached_property
    def free(self) -> NDArray[np.bool_]:
        """The parameters that the data determine: inside the bounds, and not along a ridge of equal likelihood.

        Along a ridge the parameter that carries it most is held where it is, and so on until none is left.
        """
        free = _inside(self.at)
        while free.any() and np.isfinite(self.hessian[np.ix_(free, free)]).all():
            values, vectors = np.linalg.eigh(self.hessian[np.ix_(free, free)])
            if values[0] * self.n > _FLAT or values[0] * self.n < -_FLAT:
                break
            free[np.nonzero(free)[0][np.argmax(np.abs(vectors[:, 0]))]] = False
        return free

    @property
    def slope(self) -> float:
        return float(np.max(np.abs(self.gradient[_inside(self.at)]), initial=0.0))

    @property
    def is_maximum(self) -> bool:
        """The gradient vanishes and the Hessian is definite: the optimiser's own word is not asked."""
        definite = _definite(self.hessian[np.ix_(self.free, self.free)])
        return bool(np.isfinite(self.value) and self.slope < 1e-5 and definite and self.free.any())

    @property
    def movable(self) -> NDArray[np.bool_]:
        """Where a Newton step may go: along a flat ridge too, as long as it bends the right way."""
        inside = _inside(self.at)
        return inside if _definite(self.hessian[np.ix_(inside, inside)]) else self.free


def _definite(matrix: Vector) -> bool:
    return bool(np.isfinite(matrix).all()) and (not matrix.size or bool(np.linalg.eigvalsh(matrix)[0] > 1e-12))


def _descend(
    slope: Callable[[Vector], tuple[float, Vector]],
    start: Vector,
    n: float,
    hessian: Vector | None = None,
    *,
    patient: bool = False,
) -> _Point:
    """Go down by L-BFGS-B, then finish with Newton steps whose Hessian also serves the standard errors.

    Where a Hessian that holds nearby is known already, its steps take the place of L-BFGS-B. A ``patient`` search goes on
    as long as anything is gained.
    """
    from scipy.optimize import minimize

    near = None if hessian is None else _close_in(slope, start, hessian) or _in_a_round_bowl(slope, start, hessian)
    if near is None:
        bounds = [BOUNDS] * len(start)
        found = minimize(
            slope, start, jac=True, method="L-BFGS-B", bounds=bounds, options=_PATIENT if patient else {"maxiter": 500}
        )
        near = (np.asarray(found.x, dtype=float), *slope(np.asarray(found.x, dtype=float)))
    at, value, gradient = near
    point = _Point(at, value, gradient, _hessian(slope, at, gradient), n)
    for _ in range(6):
        free = point.movable
        inner = point.hessian[np.ix_(free, free)]
        if point.slope < 1e-13 or not _definite(inner):
            break
        step = np.zeros_like(at)
        step[free] = np.linalg.solve(inner, point.gradient[free])
        at = np.clip(point.at - step * min(1.0, 1.0 / max(np.max(np.abs(step)), 1e-300)), *BOUNDS)
        value, gradient = slope(at)
        if not np.isfinite(value) or value > point.value + 1e-12 * abs(point.value):
            break
        # So near the maximum the Hessian no longer changes: a small step keeps it.
        small = float(np.max(np.abs(step), initial=0.0)) < 1e-4
        point = _Point(at, value, gradient, point.hessian if small else _hessian(slope, at, gradient), n)
    return point


def _close_in(
    slope: Callable[[Vector], tuple[float, Vector]], start: Vector, hessian: Vector
) -> tuple[Vector, float, Vector] | None:
    """Newton steps with one Hessian throughout; nothing where they do not lead to a flat place."""
    at, before = start, np.inf
    for _ in range(20):
        value, gradient = slope(at)
        largest = float(np.max(np.abs(gradient)))
        if not largest < before:
            return None
        if largest < 1e-8:  # a Newton step with a Hessian of its own ends it
            return at, value, gradient
        step = np.linalg.solve(hessian, gradient)
        if np.max(np.abs(step)) > 1.0:
            return None
        at, before = at - step, largest
    return None


def _in_a_round_bowl(
    slope: Callable[[Vector], tuple[float, Vector]], start: Vector, hessian: Vector
) -> tuple[Vector, float, Vector] | None:
    """BFGS where the Hessian makes the bowl round, or a valley costs it hundreds of steps; nothing where it leaves the bounds."""
    from scipy.optimize import minimize

    values, vectors = np.linalg.eigh(hessian)
    if not values[0] > 0:
        return None
    root = vectors / np.sqrt(values)

    def turned(place: Vector) -> tuple[float, Vector]:
        value, gradient = slope(np.clip(start + root @ place, *BOUNDS))
        return value, root.T @ gradient

    found = minimize(turned, np.zeros(len(start)), jac=True, method="BFGS", options={"gtol": 1e-6, "maxiter": 50})
    at = start + root @ found.x
    return (at, *slope(at)) if _inside(at).all() else None


def _hessian(slope: Callable[[Vector], tuple[float, Vector]], point: Vector, gradient: Vector) -> Vector:
    """Difference the gradient; 1e-4 balances truncation against rounding for slopes of order one."""
    from statsmodels.tools.numdiff import approx_fprime

    def at(place: Vector) -> Vector:  # statsmodels asks for the point itself too, whose gradient is known
        return gradient if np.array_equal(place, point) else slope(place)[1]

    hessian = approx_fprime(point, at, epsilon=1e-4, centered=True).reshape(2 * point.shape)
    return (hessian + hessian.T) / 2
