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
_OWN_NODES, _OWN_WEIGHTS = np.polynomial.legendre.leggauss(12)
_MOST_OWN = 2_000_000  # points at a time: beyond, memory says cells
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

    Either each row is integrated for itself, or time is cut into cells that all rows share: whichever is less work.
    """
    rows = _pieces(alpha, r + data.x.full, life, data.t_x.full, data.T.full)
    work = len(_OWN_NODES) * float(rows.sum())
    if work <= _MOST_OWN and work <= len(_NODES) * len(data.x.values) * (len(data.t_x.values) + len(data.T.values)):
        return _ended_by_row(r, alpha, life, data, rows, means)
    return _ended_by_cell(r, alpha, life, data, means)


def _falls(alpha: float, R: Vector, life: Lifetime, start: Vector, end: Vector) -> tuple[Vector, Vector]:
    """By how many e-folds the integrand falls from start to end, and how long that is in ln(low + u)."""
    gap = end - start
    fall = R * np.log1p(gap / (alpha + start)) + life.power * np.log1p(gap / (life.low + start))
    return fall, np.log1p(gap / (min(alpha, life.low) + start))


def _pieces(alpha: float, R: Vector, life: Lifetime, start: Vector, end: Vector) -> Vector:
    """Into how many pieces a row is cut, so that the integrand falls by ten e-folds at most within each.

    In w = ln(low + u) the integrand is smooth for two units around, where twelve points are exact to rounding.
    """
    fall, ratio = _falls(alpha, R, life, start, end)
    most = np.maximum(fall / 10.0, ratio / 2.0) + np.minimum(life.growth * (end - start) / 4.0, 64.0)
    return np.ceil(most).clip(1, 4_000).astype(int)


def _ended_by_row(
    r: float, alpha: float, life: Lifetime, data: Triples, pieces: Vector, means: bool
) -> tuple[Vector, Vector]:
    """Twelve-point Gauss-Legendre in w = ln(low + u) over the pieces of each row."""
    low, start, end = min(alpha, life.low), data.t_x.full, data.T.full
    first = np.cumsum(pieces) - pieces
    row = np.repeat(np.arange(len(pieces)), pieces)
    half = (np.log1p((end - start) / (low + start)) / pieces)[row] / 2
    w = (2 * (np.arange(len(row)) - first[row]) + 1 + _OWN_NODES[:, None]) * half  # 0 at the row's own start
    near = (low + start)[row]
    u = start[row] + near * np.expm1(w)
    ln_a = np.log(alpha + u)
    ln_density, slopes = life.log_density(u)
    with np.errstate(divide="ignore", invalid="ignore"):
        ln_f = np.log(near * half * _OWN_WEIGHTS[:, None]) + w + ln_density - (r + data.x.full)[row] * ln_a
        top = np.maximum.reduceat(ln_f.max(axis=0), first)
        share = np.exp(ln_f - top[row])
        total = np.add.reduceat(share.sum(axis=0), first)
        ln_A = np.where(start < end, np.log(total) + top, -np.inf)
        if not means:
            return ln_A, np.empty((2, 0))
        mean = [np.add.reduceat((share * part).sum(axis=0), first) / total for part in (ln_a, 1 / (alpha + u), *slopes)]
    return ln_A, np.where(np.isfinite(ln_A), np.array(mean), 0.0)


def _ended_by_cell(r: float, alpha: float, life: Lifetime, data: Triples, means: bool) -> tuple[Vector, Vector]:
    """All distinct moments of the data cut time into cells; each is integrated once for every distinct x.

    By six-point Gauss-Legendre, in logarithms, added up from the end: the cost does not grow with the customers.
    """
    edges = _cells(data, alpha, r + float(data.x.values[-1]), life)
    width = np.diff(edges) / 2
    u = edges[:-1] + width * (1 + _NODES[:, None])
    ln_a = np.log(alpha + u)
    ln_density, slopes = life.log_density(u)
    ln_f = -(r + data.x.values)[:, None] * ln_a[:, None] + (ln_density + np.log(width * _WEIGHTS[:, None]))[:, None]
    top = ln_f.max(axis=0)
    share = np.exp(ln_f - top)  # nodes x distinct x x cells
    starts, ends = (np.searchsorted(edges, moments.values)[moments.index] for moments in (data.t_x, data.T))
    at = (data.x.index, starts, ends)
    largest = top.max(axis=1)
    plain = bool(
        (top > largest[:, None] - 600).all()
    )  # nothing vanishes on a common scale: plain sums are several times faster
    parts = (ln_a, 1 / (alpha + u), *slopes) if means else ()
    with np.errstate(divide="ignore", invalid="ignore"):
        if plain:
            scale = np.exp(top - largest[:, None])
            total = _sum_between(share.sum(axis=0) * scale, *at)
            ln_A = np.log(total) + largest[data.x.index]
        else:
            ln_A = _log_sum_between(np.log(share.sum(axis=0)) + top, *at)
        mean = np.zeros((len(parts) or 2, len(starts) if means else 0))
        for k, part in enumerate(parts):
            low = part.min()  # measured from the smallest one nothing is negative, and logarithms of sums stay real
            cells = np.einsum("nxc,nc->xc", share, part - low)
            if plain:
                over = _sum_between(cells * scale, *at) / total
            else:
                over = np.exp(_log_sum_between(np.log(np.maximum(cells, 1e-290)) + top, *at) - ln_A)
            mean[k] = np.where(np.isfinite(over), over + low, 0.0)
    return ln_A, mean


def _cells(data: Triples, alpha: float, R: float, life: Lifetime) -> Vector:
    """All distinct moments, with more between them where the integrand falls by more than a few e-folds."""
    moments = np.union1d(data.t_x.values, data.T.values)
    moments = np.append(moments, moments[-1] + 1.0)  # so that there is a cell even where all moments are one
    gap = np.diff(moments)
    low = min(alpha, life.low)
    fall, ratio = _falls(alpha, np.asarray(R), life, moments[:-1], moments[1:])
    most = int(np.clip(6_000 // len(gap), 8, 4_000))  # a search that strays far must not cost hours
    steep = np.minimum(life.growth * gap, 8.0)  # a search may pass where lives age overnight
    pieces = np.ceil(np.maximum(fall / 1.2, ratio / 0.3) + steep).clip(1, most).astype(int)
    cell = np.repeat(np.arange(len(gap)), pieces)
    part = np.arange(len(cell)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    inner = (low + moments[cell]) * np.expm1(ratio[cell] * part / pieces[cell])  # 0 at the cell's own start
    return np.append(moments[cell] + inner, moments[-1])


def _sum_between(cell: Vector, row: Vector, start: Vector, end: Vector) -> Vector:
    """The sum of cells from ``start`` up to ``end``, for the x in ``row``."""
    from_here = np.zeros((cell.shape[0], cell.shape[1] + 1))
    from_here[:, :-1] = np.cumsum(cell[:, ::-1], axis=1)[:, ::-1]
    flat, at = from_here.ravel(), row * from_here.shape[1]
    return flat[at + start] - flat[at + end]


def _log_sum_between(cell: Vector, row: Vector, start: Vector, end: Vector) -> Vector:
    """The same of logarithms, in logarithms, where a common scale would lose what is small."""
    from_here = np.logaddexp.accumulate(cell[:, ::-1], axis=1)[:, ::-1]
    from_here = np.concatenate([from_here, np.full((len(cell), 1), -np.inf)], axis=1)
    upper, lower = from_here[row, start], from_here[row, end]
    return np.where(start < end, upper + np.log1p(-np.exp(np.minimum(lower - upper, 0.0))), -np.inf)
