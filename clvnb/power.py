"""How many answers or customers it takes to see a change, and which change a number of them can show.

In: a metric, a change worth seeing, the chances of error. Out: counts, or the smallest change that would be seen.
"""

from __future__ import annotations

import math

__all__ = ["detectable_change", "margin_of_error_size", "sample_size"]

NPS_VARIANCE = 0.65  # per answer, of scores in -1..1: between the 0.6 and 0.7 that surveys usually show; 1 is the worst


def _quantile(p: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(p))


def sample_size(
    change: float,
    *,
    share: float | None = None,
    variance: float | None = None,
    level: float = 0.95,
    power: float = 0.8,
    ratio: float = 1.0,
    correlation: float = 0.0,
    design_effect: float = 1.0,
    fewer: float = 0.0,
) -> tuple[int, int]:
    """Return how many it takes in each of two groups, or waves, to see a change.

    Parameters
    ----------
    change : float
        Difference to be seen: of shares 0.05 is five percentage points, of means it is in their unit, of NPS 0.1 is
        ten points.
    share : float, optional
        The share before. With ``ratio=1`` the two-proportion test pooled under no change; with unequal groups each
        share's own variance.
    variance : float, optional
        Variance of one answer or customer, for means and NPS. One of ``share`` and ``variance`` is needed.
    level, power : float
        Chance not to see a change where there is none (two-sided), and to see the one there is.
    ratio : float
        Size of the second group over the first; 4 for a holdout of a fifth.
    correlation : float
        Of the outcome with its value before: CUPED takes off its square.
    design_effect : float
        How much weighting or clustering inflates the variance.
    fewer : float
        Answers that the method adds by itself: 3 for adjusted NPS.

    Returns
    -------
    (int, int)
        First and second group, rounded up.

    Raises
    ------
    ValueError
        When a share leaves 0 to 1, the change is 0, or neither share nor variance is given.

    Notes
    -----
    For means (z + z_power)^2 variance (1 + 1/ratio) / change^2.

    References
    ----------
    Shares: Fleiss, Levin and Paik (2003), Statistical Methods for Rates and Proportions, chapter 4; means: Lachin
    (1981), Controlled Clinical Trials 2, 93-113; ``fewer``: Rocks (2016), The American Statistician 70(4), 365-372;
    CUPED: Deng, Xu, Kohavi and Walker (2013).

    Examples
    --------
    >>> sample_size(0.05, share=0.80)
    (906, 906)
    >>> sample_size(0.10, variance=0.6)  # NPS, ten points
    (942, 942)
    >>> sample_size(10, variance=250.0 ** 2)  # CLV is very unequal
    (9812, 9812)
    """
    if change == 0:
        raise ValueError("change must differ from 0: no number of customers shows that nothing happened")
    z, z_power = _quantile((1 + level) / 2), _quantile(power)
    if share is not None:
        after = share + change
        if not (0 < share < 1 and 0 < after < 1):
            raise ValueError(f"shares must lie between 0 and 1, got {share} and {after}")
        own = share * (1 - share) + after * (1 - after) / ratio
        if ratio == 1:
            mean = (share + after) / 2
            need = (z * math.sqrt(2 * mean * (1 - mean)) + z_power * math.sqrt(own)) ** 2
        else:
            need = (z + z_power) ** 2 * own
    elif variance is not None:
        need = (z + z_power) ** 2 * variance * (1 + 1 / ratio)
    else:
        raise ValueError("give `share` for shares, `variance` for means and NPS")
    first = need * (1 - correlation**2) * design_effect / change**2 - fewer
    return math.ceil(first), math.ceil(first * ratio)


def detectable_change(
    n: float, other: float | None = None, *, variance: float, level: float = 0.95, power: float = 0.8
) -> float:
    """Return the smallest change that two groups of these sizes would probably show.

    Parameters
    ----------
    n, other : float
        Answers or customers in each group; the same in both when ``other`` is left out.
    variance : float
        Of one answer: ``p (1 - p)`` for a share, ``p + d - (p - d)^2`` for NPS.
    level : float
        Of the two-sided test.
    power : float
        Chance to see the change.

    Returns
    -------
    float
        In the unit of the outcome; a share's is a fraction. Missing without customers.

    Notes
    -----
    (z + z_power) sqrt(variance (1/n + 1/other)).

    References
    ----------
    Bloom (1995), "Minimum detectable effects", Evaluation Review 19(5), 547-556.

    Examples
    --------
    >>> round(detectable_change(200, variance=0.62), 3)  # 22 NPS points
    0.221
    """
    other = n if other is None else other
    if n <= 0 or other <= 0:
        return float("nan")
    return (_quantile((1 + level) / 2) + _quantile(power)) * math.sqrt(variance * (1 / n + 1 / other))


def margin_of_error_size(
    margin: float, *, variance: float, level: float = 0.95, customers: int | None = None, fewer: float = 0.0
) -> int:
    """Return how many answers bring the margin of error of one score down to ``margin``.

    Parameters
    ----------
    margin : float
        Half the width of the interval, in the unit of the score: 0.05 is five percentage points of a share, 0.10 ten
        points of NPS.
    variance : float
        Of one answer, as in ``detectable_change``.
    level : float
        Of the interval.
    customers : int, optional
        So many there are to ask at all: the correction for a finite population.
    fewer : float
        3 for adjusted NPS.

    Returns
    -------
    int
        Answers, rounded up.

    Notes
    -----
    n = variance (z / margin)^2 - fewer, then n / (1 + (n - 1) / customers).

    References
    ----------
    Cochran (1977), Sampling Techniques, chapter 4; NPS: Rocks (2016), The American Statistician 70(4), 365-372.

    Examples
    --------
    >>> margin_of_error_size(0.05, variance=0.25), margin_of_error_size(0.05, variance=0.25, customers=1200)
    (385, 292)
    >>> margin_of_error_size(0.10, variance=0.7, fewer=3)  # NPS, ten points
    266
    """
    n = variance * (_quantile((1 + level) / 2) / margin) ** 2 - fewer
    if customers is not None:
        n = n / (1 + (n - 1) / customers)
    return math.ceil(n)
