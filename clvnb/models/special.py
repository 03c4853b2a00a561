"""Special functions that keep their digits wherever a fit can go: parameters from nearly 0 to hundreds of millions.

In: arrays. Out: logarithms of ratios of gamma functions, tails of the negative binomial, means over a beta or over a
smooth falling function. Differences of large logarithms lose everything there, so they are never formed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from scipy.special import betainc, betaincc, expit, gammaln, psi

from .fitting import Vector

__all__ = [
    "at_least",
    "beta_mean",
    "chebyshev",
    "ln_beta",
    "ln_beta_ratio",
    "ln_integral",
    "ln_nbd",
    "ln_rising",
    "psi_rising",
]

# From here on Stirling's series to z^-9 is exact to rounding.
_STIRLING = 16.0
# Both shapes of a beta above this: the mean of a smooth function is a sum over a few Gauss-Jacobi points.
_PEAKED = 20.0
_JACOBI = 24
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
# e-folds below the largest part of an integrand, beyond which nothing counts.
_NOTHING = 30.0
_AT_ONCE = 400_000
Rising = Callable[[Vector, Vector], Vector]


def ln_rising(a: Vector | float, n: Vector | float) -> Vector:
    """Return ln G(a+n) - ln G(a) for a > 0, n >= 0, without the difference of two large numbers."""

    def series(a: Vector, n: Vector) -> Vector:
        return (a - 0.5) * np.log1p(n / a) + n * np.log(a + n) - n + (_stirling(a + n) - _stirling(a))

    return _by_size(a, n, lambda a, n: gammaln(a + n) - gammaln(a), series)


def _by_size(a: Vector | float, n: Vector | float, of_small: Rising, of_large: Rising) -> Vector:
    """One of two functions of (a, n), as a lies below or above the place where Stirling's series is exact."""
    a, n = np.asarray(a, dtype=float), np.asarray(n, dtype=float)
    large = a >= _STIRLING
    with np.errstate(all="ignore"):
        if not large.any():
            return np.asarray(of_small(a, n))
        if large.all():
            return np.asarray(of_large(a, n))
        return np.where(large, of_large(np.maximum(a, _STIRLING), n), of_small(a, n))


def _stirling(z: Vector) -> Vector:
    w = 1 / z**2
    return (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w / 1188)))) / z


def psi_rising(a: Vector | float, n: Vector | float) -> Vector:
    """Return psi(a+n) - psi(a), the slope of ``ln_rising`` in a, likewise."""

    def series(a: Vector, n: Vector) -> Vector:
        return np.log1p(n / a) + n / (2 * a * (a + n)) + (_stirling_slope(a + n) - _stirling_slope(a))

    return _by_size(a, n, lambda a, n: psi(a + n) - psi(a), series)


def _stirling_slope(z: Vector) -> Vector:
    w = 1 / z**2
    return -w * (1 / 12 - w * (1 / 120 - w * (1 / 252 - w * (1 / 240 - w / 132))))


def ln_beta(a: Vector | float, b: Vector | float) -> Vector:
    """Return ln B(a, b)."""
    small, large = np.minimum(a, b), np.maximum(a, b)
    return np.asarray(gammaln(small) - ln_rising(large, small))


def ln_beta_ratio(a: Vector | float, b: Vector | float, n: Vector | float) -> Vector:
    """Return ln B(a, b+n) - ln B(a, b) for n >= 0: the chance to survive n trials, in logarithms."""
    a, b, n = (np.asarray(v, dtype=float) for v in (a, b, n))
    with np.errstate(invalid="ignore"):
        long = ln_rising(b, a) - ln_rising(b + n, a)
    return np.where(n < a, ln_rising(b, n) - ln_rising(a + b, n), long)


def ln_nbd(R: Vector | float, ratio: Vector | float, n: Vector | float) -> Vector:
    """Return ln P(N = n), N negative binomial: a Poisson count over t whose rate is gamma(R, A), ``ratio`` t/A."""
    n = np.asarray(n, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        powers = np.where(n > 0, n * (np.log(ratio) - np.log1p(ratio)), 0.0)
    return np.asarray(ln_rising(R, n) - gammaln(n + 1) - R * np.log1p(ratio) + powers)


def at_least(n: Vector | float, R: Vector | float, ratio: Vector | float) -> Vector:
    """Return P(N >= n) of the same count; it is 1 for n <= 0."""
    n, R, ratio = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (n, R, ratio)))
    out, short = np.ones(n.shape), (n > 0) & (ratio < 1)
    long = (n > 0) & ~short  # the tail from its other end, so that A/(A+t) near 0 keeps its digits
    out[short] = betainc(n[short], R[short], ratio[short] / (1 + ratio[short]))
    out[long] = betaincc(R[long], n[long], 1 / (1 + ratio[long]))
    return out


# ---------------------------------------------------------------------------------- means over a beta


def beta_mean(a: float, B: Vector, of_p: Callable[[Vector, Vector, slice | Vector], Vector], bend: Vector) -> Vector:
    """Return E[h(p)] of each row, p ~ Beta(a, B), for a positive h that is smooth in the logit of p and falls with p.

    Parameters
    ----------
    a : float
    B : array of (rows,)
    of_p : callable
        ``of_p(p, ln q, rows)`` gives h; p and ln q = ln(1 - p) are arrays of (points, rows), or of (points, 1) where
        all rows share their points.
    bend : array of (rows,)
        k with h(p) = h(0) (1 + O(k p)): below 1/k the function is flat.

    Notes
    -----
    Where both shapes are large the mean is a sum over Gauss-Jacobi points; elsewhere Gauss-Legendre panels cover the
    logit, and the long ends, where h is linear, are incomplete betas.
    """
    out = np.empty(len(B))
    peaked = (a >= _PEAKED) & (B >= _PEAKED)
    for rows in _some(np.nonzero(peaked)[0], _JACOBI):
        shapes, at = np.unique(B[rows], return_inverse=True)
        p, q, weight = _jacobi(a, shapes)
        with np.errstate(divide="ignore"):
            ln_q = np.where(q < 0.5, np.log(q), np.log1p(-p))
        out[rows] = (weight[:, at] * of_p(p[:, at], ln_q[:, at], rows)).sum(axis=0)
    wide = np.nonzero(~peaked)[0]
    if len(wide):
        low, high, panel = _logit_range(a, B[wide], bend[wide])
        pieces = int(np.ceil((high - low) / panel))
        half = (high - low) / pieces / 2
        u = (low + half * (2 * np.arange(pieces)[:, None] + 1 + _NODES)).reshape(-1, 1)
        for rows in _some(wide, pieces * len(_NODES)):
            out[rows] = _by_panels(a, B[rows], of_p, rows, u, half * np.tile(_WEIGHTS, pieces), (low, high))
    return out


def _some(rows: Vector, points: int) -> list[Vector]:
    """Blocks of rows, so that memory stays bounded."""
    step = max(1, _AT_ONCE // points)
    return [rows[k : k + step] for k in range(0, len(rows), step)]


def _jacobi(a: float, B: Vector) -> tuple[Vector, Vector, Vector]:
    """Points p, q = 1 - p and weights of the Gauss rule of Beta(a, B), one column for each B (Golub and Welsch 1969)."""
    k, swap = np.arange(_JACOBI), a > B  # the smaller of p and q is found, so that both keep their digits
    near, far = np.where(swap, B, a)[:, None], np.where(swap, a, B)[:, None]
    s = near + far - 2
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = (2 * k * (k + s + 1) + s * near) / ((2 * k + s) * (2 * k + s + 2))
        j = k[1:]
        beside = j * (j + near - 1) * (j + far - 1) * (j + s) / ((2 * j + s) ** 2 * (2 * j + s + 1) * (2 * j + s - 1))
    matrix = np.zeros((len(B), _JACOBI, _JACOBI))
    matrix[:, k, k] = middle
    matrix[:, j, j - 1] = matrix[:, j - 1, j] = np.sqrt(beside)
    points, vectors = np.linalg.eigh(matrix)
    small, weight = points.T, (vectors[:, 0, :] ** 2).T
    return np.where(swap, 1 - small, small), np.where(swap, small, 1 - small), weight


def _logit_range(a: float, B: Vector, bend: Vector) -> tuple[float, float, float]:
    """From where to where the logit matters to any row, and how long a panel may be."""
    top = np.log(a) - np.log(B)
    low = np.maximum(top - _reach(a, B, _NOTHING + np.log1p(bend)), -11.5 - np.log1p(bend))
    high = np.minimum(top + _reach(B, a, _NOTHING), 11.5)  # beyond, on either side, h is linear to 1e-10
    panel = np.clip(6.0 / np.sqrt(a * B / (a + B)), 1.3, 3.2)
    return float(np.minimum(low, high - 1.0).min()), float(high.max()), float(panel.min())


def _reach(a: Vector | float, B: Vector | float, by: Vector | float) -> Vector:
    """How far left of its top the weight p^a q^B has fallen ``by`` e-folds, in the logit.

    The fall is convex: Newton's steps from where its asymptote has fallen so far come down to it and never pass it.
    """
    top, reach = np.log(a) - np.log(B), by / a + (1 + B / a) * np.log1p(a / B)
    for _ in range(5):
        fall = _ln_weight(a, B, top) - _ln_weight(a, B, top - reach)
        reach = reach - (fall - by) / (a - (a + B) * expit(top - reach))
    return np.asarray(reach)


def _ln_weight(a: Vector | float, B: Vector | float, logit: Vector) -> Vector:
    return np.asarray(-a * np.logaddexp(0.0, -logit) - B * np.logaddexp(0.0, logit))


def _by_panels(
    a: float, B: Vector, of_p: Callable[..., Vector], rows: Vector, u: Vector, weight: Vector, ends: tuple[float, float]
) -> Vector:
    ln_p, ln_q = -np.logaddexp(0.0, -u), -np.logaddexp(0.0, u)
    density = np.exp(a * ln_p + B * ln_q - ln_beta(a, B))
    density *= of_p(np.exp(ln_p), ln_q, rows)
    low, beyond = 1 / (1 + np.exp(-ends[0])), 1 / (1 + np.exp(ends[1]))  # p at the left end, q at the right one
    p = np.array([1e-300, low, 1 - beyond, 1.0])[:, None]
    ln_q = np.array([-1e-300, -np.logaddexp(0.0, ends[0]), -np.logaddexp(0.0, ends[1]), -700.0])[:, None]
    at_0, at_low, at_high, at_1 = of_p(p, ln_q, rows)
    mean = a / (a + B)
    left = at_0 * betainc(a, B, low) + (at_low - at_0) / low * mean * betainc(a + 1, B, low)
    right = at_1 * betainc(B, a, beyond) + (at_high - at_1) / beyond * (1 - mean) * betainc(B + 1, a, beyond)
    return np.asarray(weight @ density + left + right)


# ------------------------------------------------------------------------------ integrals and interpolation


def ln_integral(
    parts: Sequence[tuple[Callable[[Vector, Vector], Vector], Vector]],
    end: Vector,
    near: Vector,
    bends: Callable[[Vector, Vector, Vector], Vector] | None = None,
) -> Vector:
    """Return the logarithm of the integral from 0 to ``end`` of the exponential of a sum of unimodal parts, row by row.

    Each row is halved until no panel falls by more than a few e-folds, and panels that cannot matter are dropped.

    Parameters
    ----------
    parts : sequence of (function, peak)
        The function takes row numbers and moments, and gives the logarithm of a factor; it is largest at ``peak``.
    end, near : array of (rows,)
        ``near`` is how far before 0 the closest branch point lies.
    bends : callable, optional
        Of row numbers and a panel's two ends: whether the panel is still too long for another reason.
    """

    def ln_f(row: Vector, v: Vector) -> Vector:
        return np.asarray(sum(function(row, v) for function, _ in parts))

    row = np.nonzero(end > 0)[0]
    low, high, best, done = np.zeros(len(row)), end[row], np.full(len(end), -np.inf), []
    for _ in range(200):
        most = sum(function(row, np.clip(peak[row], low, high)) for function, peak in parts)
        inside = np.array([ln_f(row, low + (high - low) * part) for part in (1e-9, 0.5, 1.0)])
        lowest = np.minimum(inside[:-1], inside[1:]).max(axis=0)  # over one half or the other
        np.maximum.at(best, row, lowest + np.log((high - low) / 2))
        matters = most + np.log(high - low) > best[row] - _NOTHING
        fine = (most - inside.min(axis=0) < 8.0) & (high - low <= near[row] + low)
        if bends is not None:
            fine &= ~bends(row, low, high)
        done.append((row[matters & fine], low[matters & fine], high[matters & fine]))
        more = matters & ~fine & (high - low > 1e-14 * high)
        if not more.any():
            break
        row, low, middle, high = row[more], low[more], (low[more] + high[more]) / 2, high[more]
        row, low, high = np.tile(row, 2), np.concatenate([low, middle]), np.concatenate([middle, high])
    row, low, high = (np.concatenate(part) for part in zip(*done, strict=True))
    half = (high - low) / 2
    v = low + half * (1 + _NODES[:, None])
    terms = ln_f(np.broadcast_to(row, v.shape), v) + np.log(half * _WEIGHTS[:, None])
    total, top = np.zeros(len(end)), np.full(len(end), -np.inf)
    np.maximum.at(top, row, terms.max(axis=0, initial=-np.inf))
    np.add.at(total, row, np.exp(terms - top[row]).sum(axis=0))
    with np.errstate(divide="ignore"):
        return np.where(total > 0, np.log(total) + top, -np.inf)


@cache
def _angles(size: int) -> Vector:
    return (2 * np.arange(size) + 1) * np.pi / (2 * size)


def chebyshev(points: Vector) -> tuple[Vector, Vector]:
    """Where to evaluate a function of ``points`` that is smooth in strips of width pi/2, and the matrix that takes it back.

    Barycentric, on Chebyshev's points; ``points`` are distinct and sorted. Where they are few they are taken themselves.
    """
    half = (points[-1] - points[0]) / 2
    y = np.pi / 2 / max(half, 1e-9)
    size = int(np.ceil(23 / np.log(y + np.sqrt(1 + y * y))) + 2)
    if len(points) <= size:
        return points, np.eye(len(points))
    angle, middle = _angles(size), (points[0] + points[-1]) / 2
    nodes = middle + half * np.cos(angle)
    weight = (-1.0) ** np.arange(size) * np.sin(angle)
    gap = points - nodes[:, None]
    part = weight[:, None] / np.where(gap == 0, 1e-300, gap)
    return nodes, part / part.sum(axis=0)
