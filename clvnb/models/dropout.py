"""What BG/NBD and MBG/NBD share: purchases until a customer drops out at one of them.

In: parameters updated by what is known of customers who are alive. Out: expected or drawn numbers of purchases.

With R, A the shape and rate of the purchase rate's gamma, and a, B the beta of the drop-out probability, all given
that the customer is alive, the future is the same process in both papers.
"""

from __future__ import annotations

import numpy as np

from .fitting import Vector

__all__ = ["purchases_until_dropout", "simulate_until_dropout"]

# The closed form is a difference; rounding is magnified by |(a+B-1)/(a-1)| over the result. Beyond this it is
# replaced by quadrature, which keeps the relative error below 1e-10.
_MAGNIFIED = 1e5


def purchases_until_dropout(R: Vector, A: Vector, a: float, B: Vector, t: float) -> Vector:
    """Return E[purchases in t | alive] = E[(1 - (1 + p t/A)^-R) / p] for p ~ Beta(a, B).

    Closed form by Euler's transformation of 2F1, which cancels every power of x:
    (a+B-1)/(a-1) [1 - (1-z)^(a-1) 2F1(a-1, a+B-1-R; a+B-1; z)], z = t/(A+t).
    Where that loses digits (a near 1, t short against A, overflow) the expectation is integrated instead.

    References
    ----------
    Fader, Hardie and Lee (2005), equation (10); Batislam, Denizel and Filiztekin (2007) with B = b + x + 1.
    """
    from scipy.special import hyp2f1

    z = t / (A + t)
    c = a + B - 1.0
    with np.errstate(all="ignore"):
        front = c / (a - 1.0)
        out = front * (1.0 - (1.0 - z) ** (a - 1.0) * hyp2f1(a - 1.0, c - R, c, z))
        doubtful = ~np.isfinite(out) | (np.abs(front) > _MAGNIFIED * np.abs(out)) | (out <= 0)
    if doubtful.any():
        out[doubtful] = _integrated(R[doubtful], A[doubtful], a, B[doubtful], t)
    return np.asarray(out)


def _integrated(R: Vector, A: Vector, a: float, B: Vector, t: float) -> Vector:
    """Integrate over p by the trapezoidal rule after p = 1/(1 + exp(-pi/2 sinh v)), which decays doubly exponentially."""
    from scipy.special import betaln

    h = 1.0 / 48
    v = np.arange(-8.2, 5.2, h)[:, None]
    u = np.pi / 2 * np.sinh(v)
    ln_p, ln_q = -np.logaddexp(0.0, -u), -np.logaddexp(0.0, u)
    ln_weight = np.log(np.pi / 2 * np.cosh(v)) + np.log(h)
    out = np.empty(len(R))
    for k in range(0, len(R), 1000):  # in blocks, so that memory stays bounded
        r, s, b = R[k : k + 1000], t / A[k : k + 1000], B[k : k + 1000]
        p = np.exp(ln_p)
        with np.errstate(all="ignore"):
            per_p = np.where(p > 1e-200, -np.expm1(-r * np.log1p(p * s)) / p, r * s)
        out[k : k + 1000] = (np.exp(a * ln_p + b * ln_q + ln_weight - betaln(a, b)) * per_p).sum(axis=0)
    return out


def simulate_until_dropout(R: Vector, A: Vector, a: float, B: Vector, t: float, rng: np.random.Generator) -> Vector:
    """Draw the purchases in t of customers alive now: a Poisson count, cut at a geometric drop-out."""
    rate = rng.gamma(R) / A
    chance = np.clip(rng.beta(a, B), 1e-12, 1.0)
    return np.minimum(rng.poisson(np.minimum(rate * t, 1e9)), rng.geometric(chance)).astype(float)
