"""What Pareto/NBD and GGompertz/NBD share: purchases at random while a life lasts that may end at any moment.

In: distinct (x, t_x, T) and a distribution of lifetimes. Out: the likelihood and P(alive).

L = G(r+x) alpha^r / G(r) * [(alpha+T)^-(r+x) S(T) + integral from t_x to T of (alpha+u)^-(r+x) f(u) du]: either life
lasts beyond T, or it ended at some u after the last purchase.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from .continuous import ContinuousModel
from .fitting import Triples, Vector
from .special import ln_integral, ln_nbd, ln_rising, psi_rising

__all__ = [
    "Lifetime",
    "LifetimeModel",
    "alive_of_lifetimes",
    "buys_of_lifetimes",
    "counts_of_lifetimes",
    "ended",
    "log_likelihood_of_lifetimes",
    "sum_of_lifetimes",
]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)
_OWN_NODES, _OWN_WEIGHTS = np.polynomial.legendre.leggauss(12)
_NOTHING = 45.0  # e-folds, from which on a growing risk is as good as constant
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
    log_ratio : callable
        Of two arrays, start and gap: ln S(start + gap) - ln S(start), which keeps its digits where S has lost them.
    log_hazard : callable
        Of an array u: ln of the density over survival.
    growth : float
        Or how steeply, in e-folds a day.
    peak, turn : float
        Where the density is largest, and until when the risk of ending grows.
    growth_rate : float
        By how much that risk grows each day, in logarithms.
    """

    log_survival: Curve
    log_density: Curve
    low: float
    power: float
    log_ratio: Callable[[Vector, Vector], Vector]
    log_hazard: Callable[[Vector], Vector]
    growth: float = 0.0
    peak: float = 0.0
    turn: float = 0.0
    growth_rate: float = 0.0

    def living(self, start: Vector) -> Callable[[Vector, Vector], Vector]:
        """The logarithm of S(start + v)/S(start), of row numbers and v."""
        return lambda row, v: self.log_ratio(start[row], v)

    def dying(self, start: Vector) -> Callable[[Vector, Vector], Vector]:
        """The logarithm of f(start + v)/S(start), of row numbers and v."""
        return lambda row, v: self.log_ratio(start[row], v) + self.log_hazard(start[row] + v)

    def bends(self, start: Vector) -> Callable[[Vector, Vector, Vector], Vector] | None:
        """Whether a panel lies where the risk's growth bends, and is too long for it."""
        if not self.growth_rate:
            return None
        reach = _NOTHING / self.growth_rate

        def too_long(row: Vector, low: Vector, high: Vector) -> Vector:
            near = (start[row] + low < self.turn + reach) & (start[row] + high > self.turn - reach)
            return np.asarray(near & (self.growth_rate * (high - low) > 2.0))

        return too_long


def log_likelihood_of_lifetimes(
    r: float, alpha: float, life: Lifetime, data: Triples, *, slope: bool = True, grid: _Grid | None = None
) -> tuple[Vector, Vector]:
    """Return ln L of each (x, t_x, T) and its gradient in (r, alpha, the lifetime's parameters), if asked for."""
    x = data.x.full
    R = r + x
    ln_dead, mean = ended(r, alpha, life, data, means=slope) if grid is None else _ended_by_cell(grid, data, slope)
    ln_S, ln_S_slope = life.log_survival(data.T.values)
    log_a = data.T.map(lambda T: np.log1p(T / alpha))
    ln_alive = -R * log_a + ln_S[data.T.index]
    ln_L = data.x.map(lambda x: ln_rising(r, x) - x * np.log(alpha)) + np.logaddexp(ln_alive, ln_dead)
    if not slope:
        return ln_L, mean
    dead = expit(ln_dead - ln_alive)
    alive = 1 - dead
    of_rate = [
        data.x.map(lambda x: psi_rising(r, x)) - alive * log_a - dead * mean[0],
        r / alpha - R * (alive * data.T.map(lambda T: 1 / (alpha + T)) + dead * mean[1]),
    ]
    of_life = alive * ln_S_slope[:, data.T.index] + dead * mean[2:]
    return ln_L, np.array([*of_rate, *of_life])


def alive_of_lifetimes(r: float, alpha: float, life: Lifetime, x: Vector, t_x: Vector, T: Vector) -> Vector:
    """Return P(alive | x, t_x, T): the share of L that comes from a life longer than T.

    Both parts are taken relative to the day of the last purchase; where the integrand falls steeply, as with parameters
    near their bounds, the integral is cut into panels row by row until none falls by more than a few e-folds.
    """
    R, gap = r + x, T - t_x
    steep = np.zeros(len(x), dtype=bool)
    most, span = float(R.max(initial=0.0)), float(gap.max(initial=0.0))
    low = min(alpha, life.low)
    farthest = most * np.log1p(span / alpha) + life.power * np.log1p(span / life.low)
    if max(most, life.power) > 1e3 or farthest > 3e3 or span > 1e5 * low or life.growth * float(T.max(initial=0)) > 20:
        fall, ratio = _falls(alpha, R, life, t_x, T)
        steep = (np.maximum(R, life.power) > 1e3) | (fall > 3e3) | (ratio > 11.5) | (life.growth * T > 20)
    out = np.empty(len(x))
    if steep.any():
        since = -R[steep] * np.log1p(gap[steep] / (alpha + t_x[steep])) + life.log_ratio(t_x[steep], gap[steep])
        out[steep] = expit(since - _ended_since(R[steep], alpha, life, t_x[steep], gap[steep]))
    easy = slice(None) if not steep.any() else ~steep
    if len(R[easy]):
        data = Triples.of(x[easy], t_x[easy], T[easy])
        ln_S, _ = life.log_survival(data.T.values)
        ln_alive = ln_S[data.T.index] - R[easy] * data.T.map(lambda T: np.log1p(T / alpha))
        out[easy] = expit(ln_alive - ended(r, alpha, life, data)[0])
    return out


def _ended_since(R: Vector, alpha: float, life: Lifetime, t_x: Vector, gap: Vector) -> Vector:
    """The logarithm of the integral of ((alpha+t_x)/(alpha+t_x+v))^R f(t_x+v)/S(t_x) dv over ``gap``, for each row."""
    rate = lambda row, v: -R[row] * np.log1p(v / (alpha + t_x[row]))  # noqa: E731
    parts = [(rate, np.zeros(len(R))), (life.dying(t_x), life.peak - t_x)]
    return ln_integral(parts, gap, np.minimum(alpha, life.low) + t_x, life.bends(t_x))


def buys_of_lifetimes(R: Vector, A: Vector, life: Lifetime, T: Vector, t: float) -> Vector:
    """Return P(at least one purchase in t | alive at T): the chance that the first one comes before life ends."""
    first = lambda row, v: np.log(R[row]) - np.log(A[row] + v) - R[row] * np.log1p(v / A[row])  # noqa: E731
    parts = [(first, np.zeros(len(R))), (life.living(T), np.zeros(len(R)))]
    return np.exp(ln_integral(parts, np.full(len(R), t), np.minimum(A, life.low + T), life.bends(T)))


def counts_of_lifetimes(R: Vector, A: Vector, life: Lifetime, T: Vector, t: float, n: Vector) -> Vector:
    """Return P(n purchases in t | alive at T), one row for each of ``n``: a count until the end of life or of t."""
    out = np.empty((len(n), len(R)))
    for k, one in enumerate(n):
        count = lambda row, v, one=one: ln_nbd(R[row], v / A[row], one)  # noqa: E731
        parts = [(count, one * A / R), (life.dying(T), life.peak - T)]
        gone = ln_integral(parts, np.full(len(R), t), np.minimum(A, life.low + T), life.bends(T))
        there = ln_nbd(R, t / A, one) + life.log_ratio(T, np.full(len(R), t))
        out[k] = np.exp(gone) + np.exp(there)
    return out


def sum_of_lifetimes(
    r: float, alpha: float, life: Lifetime, data: Triples, n: Vector, *, slope: bool = True
) -> tuple[float, Vector]:
    """Return the sums of ``log_likelihood_of_lifetimes`` over rows that stand for ``n`` customers each."""
    grid = None
    if 2 * len(_OWN_NODES) * len(n) > _cell_work(data):  # a point of the grid costs half of one of a row's own
        grid = _Grid.of(r, alpha, life, data)
        if grid.is_plain:
            return _sum_on_grid(r, alpha, life, data, n, grid, slope)
    value, gradient = log_likelihood_of_lifetimes(r, alpha, life, data, slope=slope, grid=grid)
    return float(n @ value), gradient @ n if slope else gradient


def ended(r: float, alpha: float, life: Lifetime, data: Triples, *, means: bool = False) -> tuple[Vector, Vector]:
    """Return the logarithm of the integral from t_x to T of (1+u/alpha)^-(r+x) f(u) du.

    On request also the means, over that integrand, of ln(1+u/alpha), 1/(alpha+u) and the slopes of ln f.

    Either each row is integrated for itself, or time is cut into cells that all rows share: whichever is less work.
    """
    pieces = _pieces(alpha, r + data.x.full, life, data.t_x.full, data.T.full)
    work = len(_OWN_NODES) * float(pieces.sum())
    if work <= min(_MOST_OWN, _cell_work(data)):
        return _ended_by_row(r, alpha, life, data, pieces, means)
    return _ended_by_cell(_Grid.of(r, alpha, life, data), data, means)


def _cell_work(data: Triples) -> int:
    """The smallest number of points at which cells that all rows share are computed."""
    return len(_NODES) * len(data.x.values) * (len(data.t_x.values) + len(data.T.values))


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
    ln_a = np.log1p(u / alpha)
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


@dataclass(frozen=True)
class _Grid:
    """All distinct moments of the data cut time into cells; the integrand there, for every distinct x.

    Attributes
    ----------
    share : array of (nodes, distinct x, cells)
        The integrand times the nodes' weights, over exp(``top``).
    top : array of (distinct x, cells)
        The logarithm of its largest part in a cell.
    parts : list of arrays of (nodes, cells)
        What is averaged over it: ln(1+u/alpha), 1/(alpha+u) and the slopes of ln f.
    starts, ends : array
        The cell at which each distinct t_x, and each distinct T, begins.
    first : array of (distinct x, 1)
        The cell from which on a row with this x looks.
    largest : array
        The common scale of each distinct x, a logarithm: the largest part in a cell that its rows look at.
    is_plain : bool
        Nothing that a row looks at vanishes on that scale: plain sums are several times faster than those of logarithms.
    """

    share: Vector
    top: Vector
    parts: list[Vector]
    starts: NDArray[np.intp]
    ends: NDArray[np.intp]
    first: NDArray[np.intp]
    largest: Vector
    is_plain: bool

    @classmethod
    def of(cls, r: float, alpha: float, life: Lifetime, data: Triples) -> _Grid:
        """By six-point Gauss-Legendre: the cost does not grow with the customers."""
        edges = _cells(data, alpha, r + float(data.x.values[-1]), life)
        width = np.diff(edges) / 2
        u = edges[:-1] + width * (1 + _NODES[:, None])
        ln_a = np.log1p(u / alpha)
        ln_density, slopes = life.log_density(u)
        ln_f = -(r + data.x.values)[:, None] * ln_a[:, None] + (ln_density + np.log(width * _WEIGHTS[:, None]))[:, None]
        top = ln_f.max(axis=0)
        starts, ends = (np.searchsorted(edges, moments.values) for moments in (data.t_x, data.T))
        first, last = starts[data.reach[0]][:, None], ends[data.reach[1]][:, None]
        cell = np.arange(top.shape[1])
        seen = (cell >= first) & (cell < np.maximum(last, first + 1))
        largest = np.where(seen, top, -np.inf).max(axis=1)
        is_plain = bool(((top > largest[:, None] - 600) | ~seen).all())
        parts = [ln_a, 1 / (alpha + u), *slopes]
        return cls(np.exp(ln_f - top), top, parts, starts, ends, first, largest, is_plain)

    def from_here(self, *, means: bool) -> Vector:
        """From each cell to the last one, on the common scale: the integral, and on request that of each part."""
        scale = np.exp(np.minimum(self.top - self.largest[:, None], 600.0))
        scale[np.arange(scale.shape[1]) < self.first] = 0.0
        sums = [self.share.sum(axis=0)]
        sums += [np.einsum("nxc,nc->xc", self.share, part) for part in self.parts] if means else []
        out = np.zeros((len(sums), scale.shape[0], scale.shape[1] + 1))
        for table, cells in zip(out, sums, strict=True):
            cells *= scale
            np.cumsum(cells[:, ::-1], axis=1, out=table[:, -2::-1])
        return out


def _sum_on_grid(
    r: float, alpha: float, life: Lifetime, data: Triples, n: Vector, grid: _Grid, slope: bool
) -> tuple[float, Vector]:
    """The sums of ln L and of its slopes.

    A row's L is F(x, t_x) + G(x, T), where F integrates from t_x on, and G is (alpha+T)^-(r+x) S(T) less what F
    integrates beyond T: two small tables, of which each row takes one entry. A slope is a sum over rows of n/L times two
    entries of other such tables, so that n/L is added up over the rows of each entry first.
    """
    R, log_a = r + data.x.values, np.log1p(data.T.values / alpha)
    ln_S, ln_S_slope = life.log_survival(data.T.values)
    integrals = grid.from_here(means=slope)
    of_last, of_end = integrals[:, :, grid.starts], -integrals[:, :, grid.ends]
    ln_alive = ln_S - R[:, None] * log_a - grid.largest[:, None]
    alive = np.exp(np.minimum(ln_alive, 600.0))  # more stands only where no row looks
    of_end[0] += alive
    at_last, at_end = data.crossed
    L = of_last[0].ravel()[at_last]
    L += of_end[0].ravel()[at_end]
    n_x, customers = data.x.sum(n), float(n.sum())
    value = n @ np.log(L) + n_x @ (grid.largest + ln_rising(r, data.x.values) - data.x.values * np.log(alpha))
    if not slope:
        return float(value), np.zeros(0)

    for table, part in zip(of_end[1:], (log_a, 1 / (alpha + data.T.values), *ln_S_slope), strict=True):
        table += alive * part
    each = n / L
    of_last[1:] *= np.bincount(at_last, each, of_last[0].size).reshape(of_last[0].shape)
    of_end[1:] *= np.bincount(at_end, each, of_end[0].size).reshape(of_end[0].shape)
    mean = of_last[1:].sum(axis=2) + of_end[1:].sum(axis=2)  # of each part, by distinct x
    by_r = n_x @ psi_rising(r, data.x.values) - mean[0].sum()
    by_alpha = customers * r / alpha - R @ mean[1]
    return float(value), np.array([by_r, by_alpha, *mean[2:].sum(axis=1)])


def _ended_by_cell(grid: _Grid, data: Triples, means: bool) -> tuple[Vector, Vector]:
    """Sums over the cells between t_x and T, in logarithms, added up from the end."""
    at = (data.x.index, grid.starts[data.t_x.index], grid.ends[data.T.index])
    with np.errstate(divide="ignore", invalid="ignore"):
        ln_A = _log_sum_between(np.log(grid.share.sum(axis=0)) + grid.top, *at)
        parts = grid.parts if means else []
        mean = np.zeros((len(parts) or 2, len(ln_A) if means else 0))
        for k, part in enumerate(parts):
            low = part.min()  # measured from the smallest one nothing is negative, and logarithms of sums stay real
            cells = np.einsum("nxc,nc->xc", grid.share, part - low)
            over = np.exp(_log_sum_between(np.log(np.maximum(cells, 1e-290)) + grid.top, *at) - ln_A)
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


def _log_sum_between(cell: Vector, row: Vector, start: Vector, end: Vector) -> Vector:
    """The logarithm of the sum of cells from ``start`` up to ``end``, for the x in ``row``; cells are logarithms too."""
    from_here = np.logaddexp.accumulate(cell[:, ::-1], axis=1)[:, ::-1]
    from_here = np.concatenate([from_here, np.full((len(cell), 1), -np.inf)], axis=1)
    upper, lower = from_here[row, start], from_here[row, end]
    return np.where(start < end, upper + np.log1p(-np.exp(np.minimum(lower - upper, 0.0))), -np.inf)


class LifetimeModel(ContinuousModel):
    """A model in which purchases come at random, each customer's rate gamma(r, alpha), while a life lasts."""

    @abstractmethod
    def _life(self, theta: Vector) -> Lifetime:
        """The distribution of lifetimes."""

    def _total(self, theta: Vector, data: Triples, n: Vector, *, slope: bool = True) -> tuple[float, Vector]:
        return sum_of_lifetimes(theta[0], theta[1], self._life(theta), data, n, slope=slope)

    def _quiet(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, wait: Vector) -> Vector:
        return np.exp(-(theta[0] + x) * np.log1p(wait / (theta[1] + T)))

    def _buys_if_alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float) -> Vector:
        return buys_of_lifetimes(theta[0] + x, theta[1] + T, self._life(theta), T, t)

    def _counts_if_alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float, n: Vector) -> Vector:
        return counts_of_lifetimes(theta[0] + x, theta[1] + T, self._life(theta), T, t, n)
