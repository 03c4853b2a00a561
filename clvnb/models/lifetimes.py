"""What Pareto/NBD and GGompertz/NBD share: purchases at random while a life lasts that may end at any moment.

In: distinct (x, t_x, T) and a distribution of lifetimes. Out: the likelihood and P(alive).

L = G(r+x) alpha^r / G(r) * [(alpha+T)^-(r+x) S(T) + integral from t_x to T of (alpha+u)^-(r+x) f(u) du]: either life
lasts beyond T, or it ended at some u after the last purchase.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, gammaln, psi

from .fitting import Triples, Vector

__all__ = ["Lifetime", "alive_of_lifetimes", "ended", "log_likelihood_of_lifetimes"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)
Curve = Callable[[Vector], tuple[Vector, Vector]]


@dataclass(frozen=True)
class Lifetime:
    """A distribution of lifetimes.

    Attributes
    ----------
    log_survival, log_density : callable
        Of an array u: the logarithm, and its slopes in the distribution's parameters, stacked first.
    low : float
        The time scale on which the density changes near 0.
    power : float
        How steeply, in powers of low + u.
    growth : float
        Or how steeply, in e-folds a day.
    """

    log_survival: Curve
    log_density: Curve
    low: float
    power: float
    growth: float = 0.0


def log_likelihood_of_lifetimes(
    r: float, alpha: float, life: Lifetime, data: Triples, *, slope: bool = True
) -> tuple[Vector, Vector]:
    """Return ln L of each (x, t_x, T) and its gradient in (r, alpha, the lifetime's parameters), if asked for."""
    x = data.x.full
    R = r + x
    ln_dead, mean = ended(r, alpha, life, data, means=slope)
    ln_S, ln_S_slope = life.log_survival(data.T.values)
    log_a = data.T.map(lambda T: np.log(alpha + T))
    ln_alive = -R * log_a + ln_S[data.T.index]
    ln_L = data.x.map(lambda x: gammaln(r + x)) + (r * np.log(alpha) - gammaln(r)) + np.logaddexp(ln_alive, ln_dead)
    if not slope:
        return ln_L, mean
    dead = expit(ln_dead - ln_alive)
    alive = 1 - dead
    of_rate = [
        data.x.map(lambda x: psi(r + x)) - psi(r) + np.log(alpha) - alive * log_a - dead * mean[0],
        r / alpha - R * (alive * data.T.map(lambda T: 1 / (alpha + T)) + dead * mean[1]),
    ]
    of_life = alive * ln_S_slope[:, data.T.index] + dead * mean[2:]
    return ln_L, np.array([*of_rate, *of_life])


def alive_of_lifetimes(r: float, alpha: float, life: Lifetime, data: Triples) -> Vector:
    """Return P(alive | x, t_x, T): the share of L that comes from a life longer than T."""
    ln_dead, _ = ended(r, alpha, life, data)
    ln_S, _ = life.log_survival(data.T.values)
    return np.asarray(expit(-(r + data.x.full) * np.log(alpha + data.T.full) + ln_S[data.T.index] - ln_dead))


def ended(r: float, alpha: float, life: Lifetime, data: Triples, *, means: bool = False) -> tuple[Vector, Vector]:
    """Return the logarithm of the integral from t_x to T of (alpha+u)^-(r+x) f(u) du.

    On request also the means, over that integrand, of ln(alpha+u), 1/(alpha+u) and the slopes of ln f.

    All distinct moments of the data cut time into cells; each cell is integrated once for every distinct x by six-point
    Gauss-Legendre, in logarithms, and added up from the end: the cost does not grow with the number of customers.
    """
    edges = _cells(data, min(alpha, life.low), r + float(data.x.values[-1]) + life.power, life.growth)
    width = np.diff(edges) / 2
    u = edges[:-1] + width * (1 + _NODES[:, None])
    ln_a = np.log(alpha + u)
    ln_density, slopes = life.log_density(u)
    ln_f = -(r + data.x.values)[:, None] * ln_a[:, None] + (ln_density + np.log(width * _WEIGHTS[:, None]))[:, None]
    top = ln_f.max(axis=0)
    share = np.exp(ln_f - top)  # nodes x distinct x x cells
    at = (data.x.index, np.searchsorted(edges, data.t_x.full), np.searchsorted(edges, data.T.full))
    with np.errstate(divide="ignore", invalid="ignore"):
        ln_A = _between(np.log(share.sum(axis=0)) + top, *at)
        if not means:
            return ln_A, np.empty((2, 0))
        mean = []
        for part in (ln_a, 1 / (alpha + u), *slopes):
            low = part.min()  # measured from the smallest one nothing is negative, and logarithms of sums stay real
            cells = np.einsum("nxc,nc->xc", share, part - low)
            over = np.exp(_between(np.log(np.maximum(cells, 1e-290)) + top, *at) - ln_A)
            mean.append(np.where(np.isfinite(over), over + low, 0.0))
    return ln_A, np.array(mean)


def _cells(data: Triples, low: float, power: float, growth: float) -> Vector:
    """All distinct moments, with more between them where the integrand falls by more than a few e-folds."""
    moments = np.union1d(data.t_x.values, data.T.values)
    moments = np.append(moments, moments[-1] + 1.0)  # so that there is a cell even where all moments are one
    gap = np.diff(moments)
    ratio = np.log1p(gap / (low + moments[:-1]))
    most = int(np.clip(6_000 // len(gap), 8, 4_000))  # a search that strays far must not cost hours
    steep = np.minimum(growth * gap, 8.0)  # a search may pass where lives age overnight
    pieces = np.ceil(np.maximum(power * ratio / 1.2, ratio / 0.3) + steep).clip(1, most).astype(int)
    cell = np.repeat(np.arange(len(gap)), pieces)
    part = np.arange(len(cell)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    inner = (low + moments[cell]) * np.expm1(ratio[cell] * part / pieces[cell])  # 0 at the cell's own start
    return np.append(moments[cell] + inner, moments[-1])


def _between(cell: Vector, row: Vector, start: Vector, end: Vector) -> Vector:
    """The logarithm of the sum of cells from ``start`` up to ``end``, for the x in ``row``."""
    top = cell.max(axis=1)
    if (cell.min(axis=1) > top - 600).all():  # nothing vanishes on a common scale: plain sums are several times faster
        from_here = np.cumsum(np.exp(cell - top[:, None])[:, ::-1], axis=1)[:, ::-1]
        from_here = np.concatenate([from_here, np.zeros((len(cell), 1))], axis=1)
        upper, lower = np.log(from_here[row, start]) + top[row], np.log(from_here[row, end]) + top[row]
    else:
        from_here = np.logaddexp.accumulate(cell[:, ::-1], axis=1)[:, ::-1]
        from_here = np.concatenate([from_here, np.full((len(cell), 1), -np.inf)], axis=1)
        upper, lower = from_here[row, start], from_here[row, end]
    return np.where(start < end, upper + np.log1p(-np.exp(np.minimum(lower - upper, 0.0))), -np.inf)
