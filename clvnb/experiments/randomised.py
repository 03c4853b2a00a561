"""A randomised test: those who were drawn against those who were not, and whether it was a draw (design A).

In: an outcome of each customer, who was drawn, what was known beforehand. Out: ``Change``, with what threatens it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import TableError
from .changes import APART, MIN_CUSTOMERS, Change, Threat, enough, standardised, two_valued, welch
from .permutations import Sides, permuted

__all__ = ["cuped", "randomised_difference", "sample_ratio", "spilled", "split_as_planned"]

SRM = 0.001  # chance below which a split is no longer taken for the one that was planned
DOUBT = 0.05  # chance below which a split is a doubt
PICKED = 1e-4  # chance below which groups that differ before the start are no longer taken for randomised
UNLIKE = 0.01  # chance below which that is a doubt
CAP = 0.01  # of the amounts at each end that count as the next one
MIN_CLUSTERS = 4  # of what was drawn on each side, below which nothing is compared
WORTH = 0.05  # of the variance: less is not worth an adjustment


def randomised_difference(
    after: Any,
    treated: Any,
    *,
    before: Any = None,
    known: pd.DataFrame | None = None,
    clusters: Any = None,
    planned: float | None = None,
    assigned: tuple[int, int] | None = None,
    capped: bool = False,
    spillover: bool | None = False,
) -> Change:
    """Compare those who got something with a randomised holdout, as they were assigned (design A).

    Parameters
    ----------
    after : sequence of float
        The outcome of each customer; shares as 0 and 1, missing where it is not known.
    treated : sequence of bool
        As assigned, whatever was received.
    before : sequence of float, optional
        The same or another quantity from before the start, missing where it is not known. Where it explains part of the
        outcome, it is adjusted for (CUPED, design A+), which narrows the interval and moves nothing else.
    known : pandas.DataFrame of float, optional
        What else was known of each customer before the start, on the same rows: groups that chance does not make this
        different are no randomised groups.
    clusters : sequence, optional
        What was drawn where it was not single customers: each customer's store, region or household.
    planned : float, optional
        The share that was to be treated: a split that chance does not explain stops everything.
    assigned : (int, int), optional
        How many were assigned to treatment and holdout, where ``after`` is known of a part of them only.
    capped : bool
        Let the largest and the smallest hundredth of the outcome count as the next value, as of amounts.
    spillover : bool, optional
        Whether the holdout can have lost by it, or shared in it; None where nobody has said so.

    Returns
    -------
    Change
        In the outcome's unit.

    Raises
    ------
    TableError
        With fewer than ten customers, or four clusters, on one side; when a cluster is on both sides; when ``planned``
        is no share between 0 and 1; when more outcomes are given than were ``assigned``.

    Notes
    -----
    Shares without adjustment have Newcombe's interval. Everything else is held against the same draw made again:
    Welch's t under 1,999 permutations of customers or clusters, and Student's t from 2,000 on the smaller side on.
    CUPED's theta is pooled over both groups. Where the outcome is known of a larger part of one group, the range holds
    whoever is missing because of what was done (Lee bounds). A split stops everything where chance gives it less than
    once in a thousand (``sample_ratio``), a difference before the start less than once in ten thousand.

    References
    ----------
    CUPED: Deng, Xu, Kohavi and Walker (2013), WSDM; intervals: Newcombe (1998), *Statistics in Medicine* 17: 873-890;
    permutations: Chung and Romano (2013), *Annals of Statistics* 41: 484-507; bounds: Lee (2009), *Review of Economic
    Studies* 76: 1071-1102.

    Examples
    --------
    >>> import numpy as np
    >>> y, t = np.repeat([1.0, 0.0, 1.0, 0.0], [1200, 300, 375, 125]), np.repeat([True, False], [1500, 500])
    >>> change = randomised_difference(y, t)
    >>> [round(v, 4) for v in (change.value, change.error, *change.interval(1.959964))]
    [0.05, 0.0219, 0.0084, 0.0943]
    """
    y, t = np.asarray(after, dtype=float), np.asarray(treated, dtype=bool)
    seen = ~np.isnan(y)
    units = None if clusters is None else _clusters(clusters, t)
    counts = assigned or (int(t.sum()), int((~t).sum()))
    _counted(t[seen], counts)
    threats = [spilled(spillover)] if spillover is not False else []
    threats += [] if planned is None else [split_as_planned(_drawn_counts(counts, t, units), planned)]
    if known is not None and sum(counts) == len(
        t
    ):  # of those who answered alone, who they are says nothing of the draw
        threats += _drawn(known, t, units)
    y, t = y[seen], t[seen]
    units = None if units is None else pd.factorize(units[seen])[0]
    enough(y[t], y[~t], "customers")
    raw, cap = y, None
    if capped and not two_valued(y):
        y, cap = _capped(y)
    design, adjusted, method = "A", y, "difference of means, as assigned"
    x = _before(before, known, seen, capped=capped)
    if before is not None:
        threats += _alike_before(x[:, 0], t)
    adjustment, explained = cuped(y, x)
    if explained >= WORTH:
        design, adjusted = "A+", y - adjustment
        method = f"the same, adjusted for what was known before ({explained:.0%} of the variance)"
    change = replace(_drawn_difference(adjusted, t, units), design=design, threats=tuple(threats), method=method)
    if cap is not None:
        change = replace(change, cap=cap, uncapped=change.value + float((raw - y)[t].mean() - (raw - y)[~t].mean()))
    return _bounded(change, adjusted, t, units, counts)


def _drawn_difference(y: np.ndarray, t: np.ndarray, units: np.ndarray | None) -> Change:
    """The difference of means, held against what the draw makes by itself."""
    base = float(y[~t].mean())
    if units is None and two_valued(y):
        p0, n0, p1, n1 = base, int((~t).sum()), float(y[t].mean()), int(t.sum())
        error = math.sqrt(p0 * (1 - p0) / n0 + p1 * (1 - p1) / n1) or math.hypot(1 / (n0 + 2), 1 / (n1 + 2))
        return Change("A", p0, p1, p1 - p0, error, len(y), shares=(p0, n0, p1, n1))
    sides = Sides(y, units)
    own = t if units is None else np.bincount(units, weights=t) > 0
    value, error = sides.of(own)
    chance = permuted(y, t, units) if error > 0 else np.zeros(0)
    df = welch(y[t], y[~t]) if units is None else len(own) - 2.0
    return Change("A", base, base + value, value, error, len(y), df, chance=chance if len(chance) else None)


def _clusters(clusters: Any, t: np.ndarray) -> np.ndarray:
    """Each customer's cluster as a number."""
    names = pd.Series(np.asarray(clusters, dtype=object))
    alone = names.isna().to_numpy(bool)
    at = pd.factorize(names)[0]
    at[alone] = at.max(initial=-1) + 1 + np.arange(int(alone.sum()))  # who belongs to none was drawn alone
    part = np.bincount(at, weights=t) / np.bincount(at)
    both = np.flatnonzero((part > 0) & (part < 1))
    if len(both):
        raise TableError(
            f"the cluster {names[np.argmax(at == both[0])]!r} has treated customers and held-out ones: what was drawn lies on one side"
        )
    if min((part == 1).sum(), (part == 0).sum()) < MIN_CLUSTERS:
        raise TableError(
            f"{int((part == 1).sum())} treated and {int((part == 0).sum())} held-out clusters are too few to compare; at least four are needed on each side"
        )
    return np.asarray(at)


def _drawn_counts(counts: tuple[int, int], t: np.ndarray, units: np.ndarray | None) -> tuple[int, int]:
    """How many were drawn on each side: customers, or the clusters that they belong to."""
    if units is None:
        return counts
    return len(set(units[t])), len(set(units[~t]))


def spilled(spillover: bool | None) -> Threat:
    """Return whether the holdout stayed as it would have been; None where nobody has said so."""
    if spillover:
        return Threat(
            "no spill-over",
            "the holdout can have lost by it or shared in it, so the difference is not its effect",
            False,
        )
    return Threat("no spill-over", "not said: whether the holdout can have lost by it, or shared in it", None,
                  unless="the holdout lost by it or shared in it")  # fmt: skip


def _capped(values: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Values whose largest hundredth count as the next one, and what that is; of amounts below 0 the lowest hundredth.

    Nothing counts as 0 that is not: of what few customers spend, the hundredth is that of those who spend.
    """
    known = np.sort(values[~np.isnan(values) & (values != 0)])
    above, below = known[known > 0], known[known < 0]
    high = float(above[len(above) - 1 - int(CAP * len(above))]) if len(above) else 0.0
    low = float(below[int(CAP * len(below))]) if len(below) else 0.0
    return np.clip(values, low, high), (low, high)


def _counted(t: np.ndarray, assigned: tuple[int, int]) -> None:
    if int(t.sum()) > assigned[0] or int((~t).sum()) > assigned[1]:
        raise TableError(f"{len(t)} outcomes of {sum(assigned)} assigned customers: some are counted twice")


def _bounded(
    change: Change, y: np.ndarray, t: np.ndarray, units: np.ndarray | None, assigned: tuple[int, int]
) -> Change:
    """The change with its Lee bounds, where the outcome is known of a larger part of one group than of the other."""
    seen = np.array([int(t.sum()), int((~t).sum())])
    rates = seen / np.array(assigned)
    if rates.min() == 1:
        return change
    said = f"known of {rates[0]:.0%} of the treated and {rates[1]:.0%} of the holdout"
    if rates[0] == rates[1]:
        return replace(change, threats=(*change.threats, Threat("known of both alike", said, True)))
    more = t if rates[0] > rates[1] else ~t
    left_out = 1 - rates.min() / rates.max()
    # The share left out is itself estimated from the two rates.
    unsure = (1 - left_out) ** 2 * float(((1 - rates) / seen).sum())
    other = float(y[~more].mean())
    other_error = float(y[~more].std(ddof=1)) / math.sqrt(int((~more).sum()))
    ends = []
    for lowest in (False, True):
        mean, error = _trimmed(y[more], left_out, unsure, lowest)
        value = mean - other if more is t else other - mean
        floor = change.error if units is not None else 0.0
        ends.append(Change(change.design, change.before, change.before + value, value,
                           max(math.hypot(error, other_error), floor), change.n, df=change.df))  # fmt: skip
    found = f"{said}; the range holds whichever of the others are missing by it (Lee bounds {ends[0].value:+.3g} and {ends[1].value:+.3g})"
    return replace(change, beside=tuple(ends), threats=(*change.threats, Threat("known of both alike", found, True)))


def _trimmed(y: np.ndarray, share: float, unsure: float, lowest: bool) -> tuple[float, float]:
    """The mean without the highest (or lowest) share, and its standard error (Lee 2009, proposition 3)."""
    own = np.sort(y) if lowest else np.sort(y)[::-1]
    gone = share * len(own)
    weights = np.clip(np.arange(1, len(own) + 1) - gone, 0.0, 1.0)
    edge = float(own[min(int(gone), len(own) - 1)])
    mean = float(np.average(own, weights=weights))
    inner = float(np.average((own - mean) ** 2, weights=weights))
    kept = len(own) * (1 - share)
    return mean, math.sqrt(
        inner / kept + (edge - mean) ** 2 * share / kept + (edge - mean) ** 2 * unsure / (1 - share) ** 2
    )


def _drawn(known: pd.DataFrame, t: np.ndarray, units: np.ndarray | None) -> list[Threat]:
    """Whether chance alone makes the groups as different as they were before the start, in all that is known at once."""
    from scipy.special import chdtrc

    ranks = known.reset_index(drop=True).rank().astype(float)
    ranks = ranks.fillna(ranks.mean()).assign(treated=t)
    if units is not None:
        ranks = ranks.groupby(units).mean()
    side = ranks.pop("treated").to_numpy(bool)
    ranks = ranks.loc[:, ranks.std() > 0]
    if ranks.empty or min(side.sum(), (~side).sum()) < MIN_CUSTOMERS or len(side) < 5 * ranks.shape[1]:
        return []
    x = (ranks - ranks.mean()).to_numpy(float)
    y = side - side.mean()
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    explained, k = 1 - float(rest @ rest) / float(y @ y), int(np.linalg.matrix_rank(x))
    chance = float(chdtrc(k, (len(y) - 1) * explained))
    said = f"in {k} things that were known before, chance alone makes groups as different {_often(chance)}"
    if chance < PICKED:
        return [Threat("randomised", f"{said}: customers were not randomised", False, stops=True)]
    power = _seen_apart(k) * math.sqrt(1 / side.sum() + 1 / (~side).sum())
    return [
        Threat(
            "randomised",
            f"{said}; {power:.2f} standard deviations in one of them would have been seen four times in five",
            chance >= UNLIKE,
        )
    ]


def _seen_apart(k: int) -> float:
    """By how many standard errors one of k things must differ to be seen four times in five."""
    from scipy.optimize import brentq
    from scipy.special import chdtri, chndtr

    return math.sqrt(float(brentq(lambda away: chndtr(chdtri(k, UNLIKE), k, away) - 0.2, 1.0, 200.0)))


def _often(chance: float) -> str:
    return f"{chance:.0%} of the time" if chance >= 0.01 else f"less than once in {_rarely(chance)} times"


def _before(before: Any, known: pd.DataFrame | None, seen: np.ndarray, *, capped: bool) -> np.ndarray:
    """What was known before of those whose outcome is, a column each; large amounts capped as the outcome is."""
    columns = [] if before is None else [np.asarray(before, dtype=float)[seen]]
    if known is not None and int(seen.sum()) >= 20 * (
        known.shape[1] + 1
    ):  # fewer customers cannot tell what each is worth
        columns += [known[c].to_numpy(float)[seen] for c in known]
    if capped:
        columns = [_capped(x)[0] for x in columns]
    return np.column_stack(columns) if columns else np.empty((int(seen.sum()), 0))


def cuped(after: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, float]:
    """Return what is known before makes of each outcome, and the part of the variance that it explains.

    Fitted over both groups at once, so that it knows nothing of who got it; a missing value counts as the mean.

    Examples
    --------
    >>> x = np.array([10, 20, 30, 40, 50, 12, 22, 28, 42, 48.0])
    >>> y = np.array([14, 22, 35, 46, 53, 11, 20, 27, 41, 46.0])
    >>> made, explained = cuped(y, x[:, None])
    >>> round(float((made[1] - made[0]) / (x[1] - x[0])), 4)  # theta
    1.0029
    """
    known = before[:, ~np.isnan(before).all(axis=0)]
    x = np.where(np.isnan(known), np.nanmean(known, axis=0), known) if known.size else known
    x = x[:, np.ptp(x, axis=0) > 0] if x.size else x
    if x.size == 0 or after.std() == 0:
        return np.zeros(len(after)), 0.0
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    own = after - after.mean()
    made = x @ np.linalg.lstsq(x, own, rcond=None)[0]
    return made, float(made @ made) / float(own @ own)


def sample_ratio(counts: tuple[int, int], planned: float) -> float:
    """Return how likely a split this far from the planned one is by chance (chi-square, one degree of freedom).

    Parameters
    ----------
    counts : (int, int)
        Treated and holdout.
    planned : float
        The treated's share in the plan.

    Returns
    -------
    float
        The p of the split: where it is very small, something went wrong with who got what.

    Notes
    -----
    ``randomised_difference`` stops below 0.001.

    References
    ----------
    Fabijan and others (2019), "Diagnosing sample ratio mismatch in online controlled experiments", KDD.

    Examples
    --------
    >>> round(sample_ratio((45489, 44700), 0.5), 4)  # a mobile game's test of 90,189 players
    0.0086
    """
    from scipy.special import chdtrc

    n = sum(counts)
    expected = np.array([planned * n, (1 - planned) * n])
    return float(chdtrc(1, ((np.array(counts) - expected) ** 2 / expected).sum()))


def split_as_planned(counts: tuple[int, int], planned: float) -> Threat:
    """Return whether a split is the one that was planned; where it is not, nothing may be concluded."""
    if not 0 < planned < 1:
        raise TableError(f"the planned share of treated customers must lie between 0 and 1, got {planned}")
    chance = sample_ratio(counts, planned)
    said = f"{counts[0]:,} treated and {counts[1]:,} held out, planned were {planned:.0%}"
    if chance >= DOUBT:
        return Threat("split as planned", said + ": as chance would have it", True)
    if chance >= SRM:
        return Threat(
            "split as planned", f"{said}: chance alone does so once in {_rarely(chance)} times, a doubt", False
        )
    rare = f": chance alone does so less than once in {_rarely(chance)} times, so the draw or the data lost some"
    return Threat("split as planned", said + rare, False, stops=True)


def _rarely(chance: float) -> str:
    return f"{1 / chance:,.0f}" if chance > 1e-6 else "a million"


def _alike_before(x: np.ndarray, t: np.ndarray) -> list[Threat]:
    a, b = x[t & ~np.isnan(x)], x[~t & ~np.isnan(x)]
    if min(len(a), len(b)) < MIN_CUSTOMERS:
        return []
    apart = standardised(a, b)
    said = f"{apart:+.2f} standard deviations apart before the start"
    chance = abs(apart) / math.sqrt(1 / len(a) + 1 / len(b))
    if chance > 4:  # less than one draw in ten thousand
        further = f"{said}, further than randomisation explains: customers were not randomised"
        return [Threat("alike before", further, False, stops=True)]
    # What chance gives grows as groups get smaller.
    return [Threat("alike before", said, chance <= 3 or abs(apart) <= APART)]
