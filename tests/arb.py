"""Exact values by interval arithmetic: the functions of mpmath that the tests use, in Arb's balls, a hundred times as fast."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import flint

DIGITS = 42
flint.ctx.dps = DIGITS

Ball = flint.arb


def mpf(value: float | str | Ball = 0) -> Ball:
    """A number, exactly as it is."""
    return value if isinstance(value, Ball) else Ball(value)


def log(value: float | Ball) -> Ball:
    """The natural logarithm."""
    return mpf(value).log()


def log1p(value: float | Ball) -> Ball:
    """ln(1 + value), exact near 0."""
    return mpf(value).log1p()


def exp(value: float | Ball) -> Ball:
    """The exponential."""
    return mpf(value).exp()


def expm1(value: float | Ball) -> Ball:
    """exp(value) - 1, exact near 0."""
    return mpf(value).expm1()


def sqrt(value: float | Ball) -> Ball:
    """The square root."""
    return mpf(value).sqrt()


def loggamma(value: float | Ball) -> Ball:
    """The logarithm of the gamma function."""
    return mpf(value).lgamma()


def digamma(value: float | Ball) -> Ball:
    """The slope of ln G."""
    return mpf(value).digamma()


def gamma(value: float | Ball) -> Ball:
    """The gamma function."""
    return mpf(value).gamma()


def above(value: Ball) -> int:
    """A whole number that is not below."""
    return int(float(value)) + 1


@contextlib.contextmanager
def workdps(digits: int) -> Iterator[None]:
    """Compute in so many digits."""
    before = flint.ctx.dps
    flint.ctx.dps = max(digits, DIGITS)
    try:
        yield
    finally:
        flint.ctx.dps = before


def beta(a: float | Ball, b: float | Ball) -> Ball:
    """The beta function."""
    return (loggamma(a) + loggamma(b) - loggamma(mpf(a) + mpf(b))).exp()
