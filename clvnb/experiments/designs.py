"""Ways to tell a change from chance, the strongest first: randomised, differences, weighted, series, paired, two samples.

In: one value for each customer and period, groups, what was known beforehand. Out: ``Change``, with what threatens it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import TableError
from ..core.maths import newcombe
from .permutations import Sides, permuted

__all__ = [
    "Change",
    "Threat",
    "balance",
    "difference_in_differences",
    "interrupted_series",
    "mix_shift",
    "paired_change",
    "randomised_difference",
    "regression_to_the_mean",
    "sample_ratio",
    "split_as_planned",
    "two_waves",
    "weighted_difference",
]

SRM = 0.001  # chance below which a split is no longer taken for the one that was planned
DOUBT = 0.05  # chance below which a split is a doubt
PICKED = 1e-4  # chance below which groups that differ before the start are no longer taken for randomised
UNLIKE = 0.01  # chance below which that is a doubt
CAP = 0.01  # of the amounts at each end that count as the next one
MIN_CUSTOMERS = 10  # customers on each side below which nothing is compared
MIN_CLUSTERS = 4  # of what was drawn on each side, below which nothing is compared
WORTH = 0.05  # of the variance: less is not worth an adjustment
APART = 0.1  # standardised difference above which two groups are not alike


@dataclass(frozen=True)
class Threat:
    """One thing that could make a change look other than it is.

    Attributes
    ----------
    check : str
        What was looked at.
    found : str
        What was found, in words.
    ok : bool or None
        None where no data can tell.
    stops : bool
        Whether nothing may be concluded where it is not.
    unless : str
        What would make a claim of cause wrong and no data can tell; it stands in the verdict's sentence.
    """

    check: str
    found: str
    ok: bool | None
    stops: bool = False
    unless: str = ""


@dataclass(frozen=True)
class Change:
    """What a design found, in the outcome's own unit.

    Attributes
    ----------
    design : str
        ``A`` to ``F``, ``A+`` with CUPED.
    before, after : float
        What is compared: holdout and treated, or before and after; shares as fractions.
    value, error : float
        The change and its standard error.
    n : int
        Customers or answers on both sides.
    df : float
        Degrees of freedom of the error.
    shares : tuple or None
        ``(p0, n0, p1, n1)`` of two independent shares, whose interval is Newcombe's.
    threats : tuple of Threat
        What could make it look other than it is.
    method : str
        In words.
    beside : tuple of Change
        Other ways to see it that err to other sides; the interval holds them all.
    chance : array of float or None
        Studentised changes that chance alone makes, ascending, whose quantiles then take the place of Student's t.
    cap : (float, float) or None
        Amounts beyond these count as these.
    uncapped : float
        The change with every amount as it is; missing where none was capped.

    Examples
    --------
    >>> Change("E", before=10.0, after=12.0, value=2.0, error=0.5, n=40).interval(1.959964)
    (1.0200179999999999, 2.979982)
    """

    design: str
    before: float
    after: float
    value: float
    error: float
    n: int
    df: float = math.inf
    shares: tuple[float, int, float, int] | None = None
    threats: tuple[Threat, ...] = field(default=())
    method: str = ""
    beside: tuple[Change, ...] = ()
    chance: np.ndarray | None = field(default=None, repr=False, compare=False)
    cap: tuple[float, float] | None = None
    uncapped: float = math.nan

    def interval(self, z: float) -> tuple[float, float]:
        """Return the interval that is as sure as ``z`` standard errors of a normal distribution are.

        Parameters
        ----------
        z : float
            How many standard errors: 1.96 for 95 %.

        Returns
        -------
        (low, high)
            In the outcome's unit; infinite where ``z`` is 37 or more.

        Notes
        -----
        Newcombe's where ``shares`` is given, the quantiles of ``chance`` where that is, otherwise Student's t with
        ``df`` degrees of freedom; with ``beside`` the span of them all.

        References
        ----------
        Newcombe (1998), *Statistics in Medicine* 17: 873-890.
        """
        spans = [self._own(z), *(other.interval(z) for other in self.beside)]
        return min(low for low, _ in spans), max(high for _, high in spans)

    def _own(self, z: float) -> tuple[float, float]:
        from scipy.special import ndtr, stdtrit

        if not z < 37:  # beyond that no distribution has anything left to tell
            return -math.inf, math.inf
        if self.shares is not None:
            return newcombe(*self.shares, alpha=float(2 * ndtr(-z)))
        if self.chance is not None:
            least, most = _quantiles(self.chance, z)
            return self.value - most * self.error, self.value - least * self.error
        wide = z if math.isinf(self.df) else float(-stdtrit(self.df, ndtr(-z)))
        return self.value - wide * self.error, self.value + wide * self.error

    @property
    def p_value(self) -> float:
        """Two-sided p of no change, by ``chance`` or Student's t; with ``beside`` the largest, 1 where they disagree."""
        from scipy.special import stdtr

        if self.beside and len({math.copysign(1, c.value) for c in (self, *self.beside)}) > 1:
            return 1.0
        if self.error <= 0:
            own = 1.0 if self.value == 0 else 0.0
        elif self.chance is not None:
            t, draws = self.value / self.error, len(self.chance)
            below = np.searchsorted(self.chance, t + 1e-9 * abs(t), side="right")
            above = draws - np.searchsorted(self.chance, t - 1e-9 * abs(t), side="left")
            own = min(1.0, 2 * float(min(below, above) + 1) / (draws + 1))
        else:
            own = float(2 * stdtr(min(self.df, 1e6), -abs(self.value / self.error)))
        return max(own, *(c.p_value for c in self.beside)) if self.beside else own


def _quantiles(chance: np.ndarray, z: float) -> tuple[float, float]:
    """Ends between which chance stays as surely as within ``z`` standard errors; beyond what was drawn they grow with z."""
    from scipy.special import ndtr, ndtri

    reach = max(float(ndtr(-z)), 10 / (len(chance) + 1))
    wider = max(1.0, z / float(-ndtri(reach)))
    k = int(reach * (len(chance) + 1))  # so many draws, the observed one among them, lie beyond
    return wider * float(chance[k - 1]), wider * float(chance[-k])


def _contrast(
    values: np.ndarray, cells: np.ndarray, coefficients: Mapping[Any, float], clusters: np.ndarray | None
) -> tuple[float, float]:
    """A sum of cell means times coefficients, and its standard error, with whatever one customer did taken together."""
    total, pull = 0.0, np.zeros(len(values))
    for cell, c in coefficients.items():
        own = cells == cell
        n = int(own.sum())
        mean = float(values[own].mean())
        total += c * mean
        pull[own] = c * (values[own] - mean) / n * math.sqrt(n / max(n - 1, 1))
    if clusters is not None:
        return total, float(np.sqrt((np.bincount(pd.factorize(clusters)[0], weights=pull) ** 2).sum()))
    return total, float(np.sqrt((pull**2).sum()))


def _welch(a: np.ndarray, b: np.ndarray) -> float:
    va, vb = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    if va + vb <= 0:
        return math.inf
    return float((va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1)))


def _two_valued(values: np.ndarray) -> bool:
    return bool(np.isin(values, (0.0, 1.0)).all())


def _enough(a: Any, b: Any, what: str) -> None:
    if min(len(a), len(b)) < MIN_CUSTOMERS:
        raise TableError(f"{len(a)} and {len(b)} {what} are too few to compare; at least ten are needed on each side")


# ------------------------------------------------------------------------------------------ A: randomised


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
    threats += [] if known is None else _drawn(known, t, units)
    y, t = y[seen], t[seen]
    units = None if units is None else pd.factorize(units[seen])[0]
    _enough(y[t], y[~t], "customers")
    raw, cap = y, None
    if capped and not _two_valued(y):
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
    if units is None and _two_valued(y):
        p0, n0, p1, n1 = base, int((~t).sum()), float(y[t].mean()), int(t.sum())
        error = math.sqrt(p0 * (1 - p0) / n0 + p1 * (1 - p1) / n1) or math.hypot(1 / (n0 + 2), 1 / (n1 + 2))
        return Change("A", p0, p1, p1 - p0, error, len(y), shares=(p0, n0, p1, n1))
    sides = Sides(y, units)
    own = t if units is None else np.bincount(units, weights=t) > 0
    value, error = sides.of(own)
    chance = permuted(y, t, units) if error > 0 else np.zeros(0)
    df = _welch(y[t], y[~t]) if units is None else len(own) - 2.0
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


def standardised(a: np.ndarray, b: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return by how many standard deviations two groups differ; ``weights`` are the second's."""
    spread = math.sqrt((a.var() + b.var()) / 2)
    return 0.0 if spread == 0 else float((a.mean() - np.average(b, weights=weights)) / spread)


# --------------------------------------------------------------------------- B: difference in differences


def difference_in_differences(data: pd.DataFrame) -> Change:
    """Compare how two groups moved, of which one got something (design B).

    Parameters
    ----------
    data : pandas.DataFrame
        ``customer_id, period, group, value``: period 1 after, 0 before, -1 and lower earlier; group ``treated`` or
        ``comparison``; the outcome, shares as 0 and 1. The same customers each time, or others.

    Returns
    -------
    Change
        ``before`` is where the treated would have gone with the comparison; ``n`` counts the customers in period 1.
        Errors are clustered by customer. With earlier periods ``threats`` say whether both groups moved alike.

    Raises
    ------
    TableError
        With fewer than ten customers in a group and period.

    References
    ----------
    Errors: Bertrand, Duflo and Mullainathan (2004), *Quarterly Journal of Economics* 119: 249-275.

    Examples
    --------
    >>> stayed = {("treated", 0): 70, ("treated", 1): 78, ("comparison", 0): 72, ("comparison", 1): 74}  # of a hundred
    >>> rows = [(f"{g}{k}", period, g, float(k < n)) for (g, period), n in stayed.items() for k in range(100)]
    >>> data = pd.DataFrame(rows, columns=["customer_id", "period", "group", "value"])
    >>> round(difference_in_differences(data).value, 4)
    0.06
    """
    effect = _moved_apart(data, 0, 1)
    earlier = sorted((int(p) for p in data["period"].unique() if p < 0), reverse=True)
    threats = [_parallel(data, p) for p in earlier]
    treated = data[data["group"] == "treated"]
    after = float(treated.loc[treated["period"] == 1, "value"].mean())
    n = int(data.loc[data["period"] == 1, "customer_id"].nunique())
    return Change("B", after - effect[0], after, effect[0], effect[1], n, threats=tuple(threats),
                  method="difference in differences, errors clustered by customer")  # fmt: skip


def _moved_apart(data: pd.DataFrame, first: int, second: int) -> tuple[float, float]:
    own = data[data["period"].isin([first, second])]
    cells = np.where(own["group"] == "treated", 1, 0) * 2 + (own["period"] == second).to_numpy(int)
    sizes = np.bincount(cells, minlength=4)
    if sizes.min() < MIN_CUSTOMERS:
        raise TableError(
            f"a group has {sizes.min()} customers in one period; at least ten are needed in each group and period"
        )
    return _contrast(own["value"].to_numpy(float), cells, {3: 1.0, 2: -1.0, 1: -1.0, 0: 1.0}, own["customer_id"].to_numpy())  # fmt: skip


def _parallel(data: pd.DataFrame, period: int) -> Threat:
    apart, error = _moved_apart(data, period, 0)
    ok = abs(apart) <= 1.96 * error
    said = f"from period {period} to 0 the groups moved apart by {apart:+.3g} (plus or minus {1.96 * error:.2g})"
    return Threat("parallel trends", said + ("" if ok else ": their trends were not parallel"), ok)


# ---------------------------------------------------------------------------------- C: made comparable


def weighted_difference(after: Any, treated: Any, known: pd.DataFrame) -> Change:
    """Compare with customers who were not chosen, weighed until they resemble those who were (design C).

    Parameters
    ----------
    after : sequence of float
        The outcome, shares as 0 and 1.
    treated : sequence of bool
        In the same order.
    known : pandas.DataFrame of float
        Numbers known of each customer before the start, on the same rows: the outcome before, recency, frequency,
        tenure… Missing values count as the mean.

    Returns
    -------
    Change
        The effect on the treated, in the outcome's unit.

    Raises
    ------
    TableError
        With fewer than ten on one side; when no weights make the groups alike, or those that do rest on fewer than
        twenty.

    Notes
    -----
    Entropy balancing; the error is that of the doubly robust form.

    References
    ----------
    Hainmueller (2012), *Political Analysis* 20: 25-46; doubly robust: Zhao and Percival (2017), *Journal of Causal
    Inference* 5.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> tenure = rng.normal(size=400)
    >>> treated = rng.random(400) < 1 / (1 + np.exp(-tenure))
    >>> found = weighted_difference(tenure + 0.5 * treated, treated, pd.DataFrame({"tenure": tenure}))
    >>> found.design, round(found.value, 2)
    ('C', 0.5)
    """
    y, t = np.asarray(after, dtype=float), np.asarray(treated, dtype=bool)
    _enough(y[t], y[~t], "customers")
    x = known.astype(float).fillna(known.astype(float).mean()).to_numpy(float)
    x = x[:, x[t].std(axis=0) + x[~t].std(axis=0) > 0]
    apart = np.array([standardised(x[t, k], x[~t, k]) for k in range(x.shape[1])])
    weights = balance(x[~t], x[t].mean(axis=0))
    worth = float(weights.sum() ** 2 / (weights**2).sum())
    left = np.array([standardised(x[t, k], x[~t, k], weights) for k in range(x.shape[1])])
    if worth < 2 * MIN_CUSTOMERS or np.abs(left).max(initial=0) > APART:
        raise TableError(
            f"the groups do not overlap: made alike, {int((~t).sum()):,} others count as {worth:.0f}, and differ by up to "
            f"{np.abs(left).max(initial=0):.2f} standard deviations"
        )
    design = np.column_stack([np.ones(len(x)), x - x[t].mean(axis=0)])
    root = np.sqrt(weights)
    beta = np.linalg.lstsq(design[~t] * root[:, None], y[~t] * root, rcond=None)[0]
    rest = y - design @ beta
    base = float(np.average(y[~t], weights=weights))
    value = float(y[t].mean()) - base
    error = math.sqrt(float(rest[t].var(ddof=1)) / int(t.sum()) + float(((weights / weights.sum()) ** 2 * rest[~t] ** 2).sum()))  # fmt: skip
    threats = (
        Threat("alike before weighing", f"up to {np.abs(apart).max(initial=0):.2f} standard deviations apart", bool(np.abs(apart).max(initial=0) <= APART)),
        Threat("alike after weighing", f"up to {np.abs(left).max(initial=0):.2f} apart; {int((~t).sum()):,} others count as {worth:,.0f}", True),
        Threat("alike in what is not known", "cannot be checked", None),
    )  # fmt: skip
    return Change(
        "C",
        base,
        base + value,
        value,
        error,
        len(y),
        threats=threats,
        method="weighed to resemble the treated, doubly robust",
    )


def balance(others: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return weights, as equal as can be, under which the others' means are ``target`` (mean weight 1).

    Raises
    ------
    TableError
        When there are none.
    """
    from scipy.optimize import minimize

    scale = others.std(axis=0)
    z = (others - target) / np.where(scale > 0, scale, 1.0)

    def dual(lam: np.ndarray) -> tuple[float, np.ndarray]:
        along = z @ lam
        top = along.max()
        w = np.exp(along - top)
        return float(top + np.log(w.sum())), w @ z / w.sum()

    # Weights that must be steeper than this rest on a handful of customers; where there are none they would grow for ever.
    steepest = [(-30.0, 30.0)] * z.shape[1]
    found = minimize(
        dual,
        np.zeros(z.shape[1]),
        jac=True,
        method="L-BFGS-B",
        bounds=steepest,
        options={"gtol": 1e-8, "ftol": 1e-14, "maxiter": 500},
    )
    along = z @ found.x
    w = np.exp(along - along.max())
    if not np.isfinite(w).all() or np.abs(w @ z / w.sum()).max(initial=0) > 0.05:
        raise TableError(
            "no weights make the two groups alike: hardly any of the others resembles those who were chosen"
        )
    return np.asarray(w * len(w) / w.sum())


# ------------------------------------------------------------------------------------ D: one series


def interrupted_series(values: Any, after: Any, *, season: float = 0.0) -> Change:
    """Compare a series with what it would have been, had its trend from before gone on (design D).

    Parameters
    ----------
    values : sequence of float
        One a period, in order.
    after : sequence of bool
        Whether the period lies after the start.
    season : float
        How many periods a year has, to adjust for its first wave where more than a year is known before the start.

    Returns
    -------
    Change
        ``value`` is the mean gap per period after the start, in the unit of ``values``; ``before`` what the trend says
        of these periods, ``after`` what came.

    Raises
    ------
    TableError
        With fewer than six periods before or after (``measure_change`` asks for eight).

    Notes
    -----
    Segmented regression. Neighbouring periods resemble each other, trends bend, and a short series cannot tell how
    much; so neither is set to one value: the regression is run for correlations from 0 to 0.85 and slopes that walk at
    random, a little or a lot, and the results are averaged by how well each explains the series (restricted
    likelihood). A straight trend, customary here, takes a growth that speeds up or slows down for an effect in nine of
    ten series. Where a yearly season is possible and less than a year is known before, nothing is concluded.

    References
    ----------
    Bernal, Cummins and Gasparrini (2017), *International Journal of Epidemiology* 46: 348-355; trends that bend: Wahba
    (1978), *JRSS B* 40: 364-372.

    Examples
    --------
    >>> change = interrupted_series([70, 71, 71, 72, 72, 73, 76, 77, 77, 78, 79, 79], [False] * 6 + [True] * 6)
    >>> round(change.value, 1)
    2.7
    """
    y, on = np.asarray(values, dtype=float), np.asarray(after, dtype=bool)
    if min(on.sum(), (~on).sum()) < 6:
        raise TableError(f"{int((~on).sum())} periods before and {int(on.sum())} after are too few for a trend")
    known = 1 < season < (~on).sum()
    value, error, rho, df = _gap(y, on, season if known else 0.0)
    threats = (
        Threat("enough periods", f"{int((~on).sum())} before, {int(on.sum())} after", bool(min(on.sum(), (~on).sum()) >= 8)),
        Threat("neighbouring periods", f"correlate by about {rho:.2f}, which is allowed for", True),
        Threat("a steady trend", "not assumed: the range lets the trend bend as it did before the start, and a little more", True),
        Threat("seasons", "adjusted for a trend and a yearly wave" if known else "less than a year is known before, so a season cannot be told from a change",
               None if season == 0 else bool(known), stops=season > 0),
        Threat("nothing else happened then", "cannot be checked", None),
    )  # fmt: skip
    base = float(y[on].mean()) - value
    return Change("D", base, base + value, value, error, len(y), df=df, threats=threats,
                  method="segmented regression on a trend that may bend, averaged over how much and over the correlation of neighbours")  # fmt: skip


def _gap(y: np.ndarray, on: np.ndarray, season: float) -> tuple[float, float, float, float]:
    """The mean gap to the continued trend, its error, the correlation of neighbours, and degrees of freedom."""
    x = _segments(on)
    gap = np.array([0.0, 0.0, 1.0, x[on, 3].mean()])
    if season:
        turn = 2 * np.pi * np.arange(len(y)) / season
        x, gap = np.column_stack([x, np.sin(turn), np.cos(turn)]), np.r_[gap, 0.0, 0.0]
    free = len(y) - x.shape[1]
    fits = [(rho, *_explained(x, y, gap, rho, bend, free)) for rho in _ECHOES for bend in _BENDS]
    rhos, found, variances, likelihoods = (np.array(column) for column in zip(*fits, strict=True))
    worth = np.exp(likelihoods - likelihoods.max())
    worth /= worth.sum()
    value = float(worth @ found)
    return value, math.sqrt(float(worth @ variances + worth @ (found - value) ** 2)), float(worth @ rhos), float(free)


_ECHOES = (0.0, 0.15, 0.3, 0.5, 0.7, 0.85)  # correlation of a period with the one before
# Variance of the trend's bend over the whole series, in that of one period. None at all is not among them: a trend that
# never bends is rare, and the data before the start are the less able to show it the fewer they are.
_BENDS = tuple(10.0 ** np.arange(0.5, 4.1, 0.5))


def _explained(
    x: np.ndarray, y: np.ndarray, gap: np.ndarray, rho: float, bend: float, free: int
) -> tuple[float, float, float]:
    """The gap, its variance and the restricted log-likelihood, for one correlation and one bend of the trend."""
    t = np.arange(len(y), dtype=float)
    u = t / len(y)
    first, last = np.minimum.outer(u, u), np.maximum.outer(u, u)
    # A trend whose slope walks at random: the integrated Wiener process of smoothing splines.
    root = np.linalg.cholesky(rho ** np.abs(np.subtract.outer(t, t)) + bend * first**2 * (3 * last - first) / 2)
    u, v = np.linalg.solve(root, x), np.linalg.solve(root, y)
    inner = u.T @ u
    beta = np.linalg.solve(inner, u.T @ v)
    squares = max(float(((v - u @ beta) ** 2).sum()), 1e-300)
    likelihood = -np.log(np.diag(root)).sum() - 0.5 * np.linalg.slogdet(inner)[1] - 0.5 * free * math.log(squares)
    return float(gap @ beta), float(gap @ np.linalg.solve(inner, gap)) * squares / free, float(likelihood)


def _segments(on: np.ndarray) -> np.ndarray:
    """Level, trend, change of level, change of trend."""
    t = np.arange(len(on), dtype=float)
    return np.column_stack([np.ones(len(on)), t, on.astype(float), np.where(on, t - t[on][0], 0.0)])


# -------------------------------------------------------------------------------- E, F: before and after


def paired_change(before: Any, after: Any) -> Change:
    """Compare the same customers before and after (design E).

    Parameters
    ----------
    before, after : sequence of float
        In the same order; shares as 0 and 1, NPS as -1, 0 and 1 or points.

    Returns
    -------
    Change
        In the outcome's unit; of shares the method names McNemar's exact p.

    Raises
    ------
    TableError
        When fewer than ten customers were seen both times.

    Notes
    -----
    Of shares the interval adds half a customer to each way of changing.

    References
    ----------
    Interval: Agresti and Min (2005), *Statistics in Medicine* 24: 729-740; p: McNemar (1947), *Psychometrika* 12:
    153-157, in its exact binomial form.

    Examples
    --------
    >>> import numpy as np
    >>> b, a = np.repeat([1, 1, 0, 0.0], [120, 15, 35, 30]), np.repeat([1, 0, 1, 0.0], [120, 15, 35, 30])
    >>> paired_change(b, a).method
    'the same customers, before and after; McNemar p = 0.0066'
    """
    x, y = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    both = ~(np.isnan(x) | np.isnan(y))
    missing, x, y = int((~both).sum()), x[both], y[both]
    if len(x) < MIN_CUSTOMERS:
        raise TableError(f"{len(x)} customers were seen both times; at least ten are needed")
    moved = y - x
    value, error, method = float(moved.mean()), float(moved.std(ddof=1)) / math.sqrt(len(moved)), "the same customers, before and after"  # fmt: skip
    df: float = len(x) - 1
    if _two_valued(np.concatenate([x, y])):
        up, down, n = int((moved > 0).sum()), int((moved < 0).sum()), len(x) + 2
        error = math.sqrt(up + down + 1 - (up - down) ** 2 / n) / n
        from statsmodels.stats.contingency_tables import mcnemar

        p = mcnemar([[0, up], [down, 0]], exact=True).pvalue
        method, df = f"{method}; McNemar p = {p:.4f}", math.inf
    threats = (
        Threat(
            "regression to the mean",
            "customers who were chosen for a low or a high value move back by themselves",
            None,
        ),
        Threat("nothing else happened then", "cannot be checked", None),
        *(
            [Threat("known both times", f"{missing:,} customers lack a value and are left out", None)]
            if missing
            else []
        ),
    )
    return Change("E", float(x.mean()), float(y.mean()), value, error, len(x), df=df, threats=threats, method=method)


def two_waves(
    before: pd.DataFrame, after: pd.DataFrame, *, population: Mapping[str, float] | None = None
) -> tuple[Change, pd.DataFrame]:
    """Compare two rounds of answers, weighed to the same customers (design F; E where most answered both times).

    Parameters
    ----------
    before, after : pandas.DataFrame
        ``value``, shares as 0 and 1; optional ``customer_id``, by which answers of one customer are taken together, and
        ``cell``.
    population : mapping of cell to number, optional
        The customers that both rounds are weighed to; those of ``before`` where it is left out and there are cells.

    Returns
    -------
    change : Change
        At fixed weights, so that a change of who is asked or answers is no change of satisfaction.
    split : pandas.DataFrame
        From ``mix_shift``; empty without cells.

    Raises
    ------
    TableError
        With fewer than ten answers in a round, or in the cells that are known.

    Notes
    -----
    The sum over cells of fixed weight times change of the mean. The error is linearised, answers of one customer taken
    together. Shares of different customers without cells have Newcombe's interval.

    References
    ----------
    Weights: Holt and Smith (1979), *JRSS A* 142: 33-46; error: Cochran (1977), *Sampling Techniques*; interval:
    Newcombe (1998), *Statistics in Medicine* 17: 873-890.

    Examples
    --------
    >>> before = pd.DataFrame({"value": [1.0] * 164 + [0.0] * 36})
    >>> after = pd.DataFrame({"value": [1.0] * 178 + [0.0] * 22})
    >>> change, split = two_waves(before, after)
    >>> change.design, [round(v, 4) for v in (change.value, *change.interval(1.959964))]
    ('F', [0.07, 0.0007, 0.1393])
    """
    _enough(before, after, "answers")
    both = pd.concat([before.assign(_wave=0), after.assign(_wave=1)], ignore_index=True)
    ids = both["customer_id"] if "customer_id" in both else pd.Series(None, index=both.index, dtype=object)
    clusters = ids.where(ids.notna(), pd.Series([f"\0{k}" for k in range(len(both))], index=both.index)).to_numpy()
    split = pd.DataFrame()
    weights: dict[str, float] = {"all": 1.0}
    cell = pd.Series("all", index=both.index)
    if "cell" in both:
        cell, weights = _common_cells(both, population)
        split = mix_shift(both["value"], cell, both["_wave"], population=weights)
    inside = cell.isin(list(weights)).to_numpy(bool)
    both, cell, clusters = both[inside], cell[inside], clusters[inside]
    _enough(both[both["_wave"] == 0], both[both["_wave"] == 1], "answers of known groups")
    values, wave = both["value"].to_numpy(float), both["_wave"].to_numpy(int)
    keys = np.array([f"{w}|{c}" for w, c in zip(wave, cell, strict=True)], dtype=object)
    parts = {f"{w}|{c}": (1 if w else -1) * weights[c] for c in weights for w in (0, 1)}
    value, error = _contrast(values, keys, parts, clusters)
    start = sum(weights[c] * float(values[keys == f"0|{c}"].mean()) for c in weights)
    again = len(set(clusters[wave == 0]) & set(clusters[wave == 1]))
    shares = None
    if _two_valued(values) and not again and len(weights) == 1:
        shares = (start, int((wave == 0).sum()), start + value, int((wave == 1).sum()))
    part = again / max(1, *(int((wave == w).sum()) for w in (0, 1)))
    method = "two rounds of answers" + (f", {again:,} customers in both" if again else "")
    method += ", both weighed to the same customers" if len(weights) > 1 else ""
    change = Change("E" if part >= 0.8 else "F", start, start + value, value, max(error, _least(values, wave)), len(values),
                    shares=shares, method=method)  # fmt: skip
    return change, split


def _least(values: np.ndarray, wave: np.ndarray) -> float:
    """Everybody alike says less than that nothing varies: as if one answer on each side had differed."""
    if values.std() > 0:
        return 0.0
    return math.sqrt(sum(1.0 / (n + 2) ** 2 for n in np.bincount(wave)))


def _common_cells(both: pd.DataFrame, population: Mapping[str, float] | None) -> tuple[pd.Series, dict[str, float]]:
    """Cells with enough answers in both waves, small ones put together, and each one's share of the customers."""
    size = {str(k): float(v) for k, v in population.items() if v > 0} if population else None
    cell = both["cell"].astype(str)
    if size is None:
        size = {str(k): float(v) for k, v in cell[both["_wave"] == 0].value_counts().items()}
    into = {c: c for c in size}
    while True:
        merged = cell.map(into)
        counts = pd.crosstab(merged, both["_wave"]).reindex(sorted(set(into.values())), fill_value=0)
        counts = counts.reindex(columns=[0, 1], fill_value=0).min(axis=1).sort_values(kind="stable")
        if len(counts) < 2 or counts.iloc[0] >= MIN_CUSTOMERS:
            break
        into = {c: (counts.index[1] if g == counts.index[0] else g) for c, g in into.items()}
    total = sum(size.values())
    weights: dict[str, float] = {}
    for c, n in size.items():
        weights[into[c]] = weights.get(into[c], 0.0) + n / total
    return merged, weights


def mix_shift(values: Any, cells: Any, wave: Any, *, population: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Split a change of a mean into what changed within groups and what changed because the groups' shares did.

    Parameters
    ----------
    values : sequence of float
        The outcome.
    cells : sequence of str
        Each answer's group; answers without one are left out.
    wave : sequence of 0 and 1
        The first or the second round; both need answers.
    population : mapping of cell to share, optional
        The shares to hold fixed; those of wave 0 where left out.

    Returns
    -------
    pandas.DataFrame
        ``cell, share_before, share_after, before, after, within, mix``: ``within`` is the fixed share times the change
        of the mean, ``mix`` the change of the share among those who answer times the later mean; over all cells they
        add up to the change where the fixed shares are wave 0's.

    Raises
    ------
    TableError
        When a round has no answers.

    Notes
    -----
    The change is the sum of w0 (y1 - y0) and of (w1 - w0) y1 over cells, with shares w and means y.

    References
    ----------
    Kitagawa (1955), *JASA* 50: 1168-1194.

    Examples
    --------
    >>> table = mix_shift([0.9, 0.5, 0.92, 0.55], ["A", "B", "A", "B"], [0, 0, 1, 1], population={"A": 0.8, "B": 0.2})
    >>> round(float(table["within"].sum()), 3)
    0.026
    """
    data = pd.DataFrame(
        {"value": np.asarray(values, dtype=float), "cell": np.asarray(cells, dtype=object), "wave": np.asarray(wave)}
    )
    data = data[data["cell"].notna()]
    for k, which in enumerate(("first", "second")):
        if not (data["wave"] == k).any():
            raise TableError(f"the {which} round has no answers in any cell: a change needs both (wave 0 and 1)")
    means = data.pivot_table(index="cell", columns="wave", values="value", aggfunc="mean")
    counts = pd.crosstab(data["cell"], data["wave"])
    shares = counts / counts.sum()
    first = (
        shares[0] if population is None else pd.Series(dict(population), dtype=float).reindex(means.index).fillna(0.0)
    )
    table = pd.DataFrame({"share_before": first, "share_after": shares[1], "before": means[0], "after": means[1]})
    table["within"] = table["share_before"] * (table["after"] - table["before"])
    table["mix"] = (shares[1] - shares[0]) * table["after"]
    return table.rename_axis("cell").reset_index()


def regression_to_the_mean(before: Any, chosen: Any, reliability: float) -> float:
    """Return how far the chosen will move by themselves, because they were chosen for where they stood.

    Parameters
    ----------
    before : sequence of float
        Everybody's value, by which some were chosen.
    chosen : sequence of bool
        In the order of ``before``.
    reliability : float
        Correlation of the value with itself at another time, nothing having happened.

    Returns
    -------
    float
        In the unit of ``before``: the expected change of the chosen without any cause.

    Notes
    -----
    (1 - reliability) (mean of all - mean of the chosen), which holds where the spread is the same both times.

    References
    ----------
    Barnett, van der Pols and Dobson (2005), *International Journal of Epidemiology* 34(1): 215-220.

    Examples
    --------
    >>> regression_to_the_mean([1.0, 2, 3, 4, 5], [True, True, False, False, False], 0.6)
    0.6
    """
    x, c = np.asarray(before, dtype=float), np.asarray(chosen, dtype=bool)
    return round(float((1 - reliability) * (x.mean() - x[c].mean())), 12)
