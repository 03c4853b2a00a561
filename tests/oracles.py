"""The papers' likelihoods, written row by row as they are printed: what the fitted sums are held against."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, gammaln, psi

from clvnb.models.fitting import Triples, Vector


def bgnbd(r: float, alpha: float, a: float, b: float, data: Triples) -> tuple[Vector, Vector]:
    """Return ln L of each (x, t_x, T) and its gradient in (r, alpha, a, b): equation (6) in logarithms.

    ln L = ln[G(r+x) alpha^r / G(r)] + ln[B(a, b+x) / B(a, b)] + ln[(alpha+T)^-(r+x) + 1{x>0} a/(b+x-1)
    (alpha+t_x)^-(r+x)].
    """
    x, R = data.x.full, r + data.x.full
    log_T, log_tx = data.T.map(lambda T: np.log(alpha + T)), data.t_x.map(lambda t: np.log(alpha + t))
    odds = np.where(x > 0, log_odds_dead(x, R, a, b, log_T - log_tx), -np.inf)
    ln_L = (
        data.x.map(lambda x: gammaln(r + x) + gammaln(b + x) - gammaln(a + b + x))
        + (r * np.log(alpha) - gammaln(r) + gammaln(a + b) - gammaln(b))
        - R * log_T
        + np.logaddexp(0.0, odds)
    )
    dead = expit(odds)
    inv_T, inv_tx = data.T.map(lambda T: 1 / (alpha + T)), data.t_x.map(lambda t: 1 / (alpha + t))
    both = data.x.map(lambda x: psi(a + b) - psi(a + b + x))
    gradient = np.array(
        [
            data.x.map(lambda x: psi(r + x)) - psi(r) + np.log(alpha) - (1 - dead) * log_T - dead * log_tx,
            r / alpha - R * ((1 - dead) * inv_T + dead * inv_tx),
            both + dead / a,
            both + data.x.map(lambda x: psi(b + x)) - psi(b) - dead / np.maximum(b + x - 1, 1e-300),
        ]
    )
    return ln_L, gradient


def log_odds_dead(x: Vector, R: Vector, a: float, b: float, log_ratio: Vector) -> Vector:
    """Return ln of the odds of having left after the last repeat purchase, x > 0: a/(b+x-1) ((alpha+T)/(alpha+t_x))^R."""
    return np.log(a) - np.log(np.where(x > 0, b + x - 1, 1.0)) + R * log_ratio


def mbgnbd(r: float, alpha: float, a: float, b: float, data: Triples) -> tuple[Vector, Vector]:
    """Return ln L of each (x, t_x, T) and its gradient in (r, alpha, a, b).

    L = G(r+x) alpha^r / G(r) * [B(a, b+x+1)/B(a, b) (alpha+T)^-(r+x) + B(a+1, b+x)/B(a, b) (alpha+t_x)^-(r+x)];
    the second term is a/(b+x) of the first one's beta ratio.
    """
    x, R = data.x.full, r + data.x.full
    log_T, log_tx = data.T.map(lambda T: np.log(alpha + T)), data.t_x.map(lambda t: np.log(alpha + t))
    odds = np.log(a) - np.log(b + x) + R * (log_T - log_tx)
    ln_L = (
        data.x.map(lambda x: gammaln(r + x) + gammaln(b + x + 1) - gammaln(a + b + x + 1))
        + (r * np.log(alpha) - gammaln(r) + gammaln(a + b) - gammaln(b))
        - R * log_T
        + np.logaddexp(0.0, odds)
    )
    dead = expit(odds)
    inv_T, inv_tx = data.T.map(lambda T: 1 / (alpha + T)), data.t_x.map(lambda t: 1 / (alpha + t))
    both = data.x.map(lambda x: psi(a + b) - psi(a + b + x + 1))
    gradient = np.array(
        [
            data.x.map(lambda x: psi(r + x)) - psi(r) + np.log(alpha) - (1 - dead) * log_T - dead * log_tx,
            r / alpha - R * ((1 - dead) * inv_T + dead * inv_tx),
            both + dead / a,
            both + data.x.map(lambda x: psi(b + x + 1)) - psi(b) - dead / (b + x),
        ]
    )
    return ln_L, gradient
