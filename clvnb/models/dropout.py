"""What BG/NBD and MBG/NBD share: purchases until a customer drops out at one of them.

With R, A the shape and rate of the purchase rate's gamma, and a, B the beta of the drop-out probability, all given
that the customer is alive, the future is the same process in both papers.
"""

from __future__ import annotations

import numpy as np

from .fitting import Vector

__all__ = ["purchases_until_dropout", "simulate_until_dropout"]

_NEAR_ONE = 1e-5


def purchases_until_dropout(R: Vector, A: Vector, a: float, B: Vector, t: float) -> Vector:
    """Return E[purchases in t | alive] = E[(1 - (1 + p t/A)^-R) / p] for p ~ Beta(a, B).

    Closed form by Euler's transformation of 2F1, which cancels every power of x:
    (a+B-1)/(a-1) [1 - (1-z)^(a-1) 2F1(a-1, a+B-1-R; a+B-1; z)], z = t/(A+t).
    It is singular at a = 1, where the mean of both sides is taken (error of order 1e-10).

    References
    ----------
    Fader, Hardie and Lee (2005), equation (10); Batislam, Denizel and Filiztekin (2007) with B = b + x + 1.
    """
    if abs(a - 1.0) < _NEAR_ONE:
        return (_closed_form(R, A, 1 - _NEAR_ONE, B, t) + _closed_form(R, A, 1 + _NEAR_ONE, B, t)) / 2
    return _closed_form(R, A, a, B, t)


def _closed_form(R: Vector, A: Vector, a: float, B: Vector, t: float) -> Vector:
    from scipy.special import hyp2f1

    z = t / (A + t)
    c = a + B - 1.0
    # c can be 0 for x = 0 and a + b = 1; the product with (a+B-1) has a limit there.
    c = np.where(np.abs(c) < 1e-9, 1e-9, c)
    series = hyp2f1(a - 1.0, c - R, c, z)
    return np.asarray(c / (a - 1.0) * (1.0 - (1.0 - z) ** (a - 1.0) * series))


def simulate_until_dropout(
    R: Vector, A: Vector, a: float, B: Vector, t: float, rng: np.random.Generator
) -> Vector:
    """Draw the purchases in t of customers alive now: a Poisson count, cut at a geometric drop-out."""
    rate = rng.gamma(R) / A
    chance = np.clip(rng.beta(a, B), 1e-12, 1.0)
    return np.minimum(rng.poisson(np.minimum(rate * t, 1e9)), rng.geometric(chance)).astype(float)
