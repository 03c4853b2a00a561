"""Satisfaction in one number and its interval: CSAT, NPS, CES; weighted to the customer base, by segment, over time.

In: scores, or a checked SURVEY. Out: ``Estimate`` for one number, a table for many, ``Finding`` where it takes a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import TableError
from ..core.maths import LEVEL, newcombe, tail, wilson
from ..core.results import Estimate, Finding
from ..core.tables import need
from ..core.words import Words
from ..data.surveys import SCALES, series_of

__all__ = [
    "Metric",
    "ces",
    "compare_scores",
    "control_chart",
    "csat",
    "mean_score",
    "metric_of",
    "nps",
    "score",
    "segment_scores",
    "shrink_means",
    "shrink_shares",
]

FEW = 20  # answers below which a group is shown as too small to judge
_TOP = {(1, 5): 4, (1, 7): 6, (1, 10): 9, (0, 10): 9, (1, 4): 4, (1, 3): 3}  # top two boxes, one on short scales


@dataclass(frozen=True)
class Metric:
    """A question on its scale, and how its answers become one number.

    Attributes
    ----------
    name : "csat", "nps", "ces" or "stars"
        Of the question.
    low, high : float
        The ends of the scale.
    good : float
        The lowest score that counts as good.
    bad : float
        NPS alone: the highest score that counts against.
    unit : str
        ``share`` of good answers, or ``points`` from -100 to 100.
    says : str
        The rule in words.
    """

    name: str
    low: float
    high: float
    good: float
    bad: float | None
    unit: str
    says: str

    def classes(self, scores: Any) -> np.ndarray:
        """Return 1 for a good answer, -1 for one against (NPS alone), else 0."""
        values = np.asarray(scores, dtype=float)
        against = values <= self.bad if self.bad is not None else np.zeros(len(values), dtype=bool)
        return np.where(values >= self.good, 1.0, np.where(against, -1.0, 0.0))

    def values(self, scores: Any) -> np.ndarray:
        """Return each answer in the metric's unit, whose mean is the score: 0 and 1, or -100, 0 and 100 points."""
        return (100.0 if self.unit == "points" else 1.0) * self.classes(scores)

    def shown(self, value: float, words: Words) -> str:
        """Say a value of this metric: a share, or points with their sign."""
        if not np.isfinite(value):
            return "unknown"
        return words.share(value) if self.unit == "share" else f"{value:+.0f}".replace("+0", "0").replace("-0", "0")

    def range(self, estimate: Estimate, words: Words) -> str:
        """Say the interval of a value of this metric."""
        return f"{self.shown(estimate.low, words)} to {self.shown(estimate.high, words)}"


def metric_of(name: str, scale: tuple[float, float] | None = None, *, good: float | None = None) -> Metric:
    """Return what a metric counts on a scale.

    Parameters
    ----------
    name : "csat", "nps", "ces" or "stars"
        Stars are counted as csat.
    scale : (float, float), optional
        The ends of the scale; the usual one when left out.
    good : float, optional
        The lowest score that counts as good; the top two boxes when left out, for CES the upper three of seven.

    Returns
    -------
    Metric
        Name, scale, what counts as good, and the unit of its number.

    Raises
    ------
    TableError
        For a metric that is not known, or an NPS on another scale than 0 to 10: its cut-points mean nothing there.

    Examples
    --------
    >>> metric_of("csat").says
    'share who answer 4 or 5 on 1-5'
    """
    if name not in SCALES:
        raise TableError(f"the metric {name!r} is not known; it is one of {', '.join(SCALES)}")
    low, high = (float(v) for v in (scale or SCALES[name]))
    span = f"{low:g}-{high:g}"
    if name == "nps":
        if (low, high) != (0.0, 10.0):
            raise TableError(f"NPS is defined on 0-10; these answers are on {span}: ask on 0-10, or call it csat")
        return Metric(
            name, low, high, 9, 6, "points", "share who answer 9 or 10, less share who answer 0 to 6, on 0-10"
        )
    if good is None:
        good = low + (high - low) * 2 / 3 if name == "ces" else _TOP.get((int(low), int(high)), high - 1)
    good = float(np.ceil(good))
    said = f"{good:g}" if good == high else f"{good:g} or {high:g}" if high - good == 1 else f"{good:g} to {high:g}"
    return Metric(name, low, high, good, None, "share", f"share who answer {said} on {span}")


def clean(scores: Any, weights: Any, metric: Metric) -> tuple[np.ndarray, np.ndarray | None]:
    """Scores without the missing ones; an answer off the scale is an error that names it."""
    values = np.asarray(scores, dtype=float)
    known = np.isfinite(values)
    off = known & ((values < metric.low) | (values > metric.high))
    if off.any():
        raise TableError(f"{metric.name}: {values[off][0]:g} lies outside {metric.low:g}-{metric.high:g}")
    if weights is None:
        return values[known], None
    w = np.asarray(weights, dtype=float)
    if w.shape != values.shape or not np.all(w[known] > 0):
        raise TableError("weights must be above 0, one for each score")
    return values[known], w[known]


def csat(
    scores: Any,
    *,
    scale: tuple[float, float] = (1, 5),
    good: float | None = None,
    weights: Any = None,
    level: float = LEVEL,
) -> Estimate:
    """Return the share of satisfied answers (top two boxes) with its Wilson interval.

    Parameters
    ----------
    scores : sequence of float
        Missing answers are left out.
    scale : (float, float)
        Its ends.
    good : float, optional
        The lowest score that counts as satisfied.
    weights : sequence of float, optional
        From ``post_stratify`` or ``rake``. The interval then rests on the effective number of answers.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.

    Returns
    -------
    Estimate
        A share between 0 and 1 from ``n`` answers; missing, with ``n`` 0, where nobody answered.

    Raises
    ------
    TableError, ValueError
        When a score lies outside the scale; when ``level`` lies outside 0 to 1.

    Notes
    -----
    Unlike the textbook interval, Wilson's holds for few answers and for shares near 0 and 1. With ``weights`` its
    number of answers is Kish's effective one, (sum w)^2 / sum w^2.

    References
    ----------
    Wilson (1927), *JASA* 22: 209-212; Kish (1965), *Survey Sampling*.

    Examples
    --------
    >>> csat([5] * 164 + [2] * 36, level=0.95)
    0.82 (95 % interval 0.76089 to 0.86705, n = 200)
    """
    return _share(scores, weights, metric_of("csat", scale, good=good), level)


def ces(
    scores: Any,
    *,
    scale: tuple[float, float] = (1, 7),
    good: float | None = None,
    easy_is_high: bool = True,
    weights: Any = None,
    level: float = LEVEL,
) -> Estimate:
    """Return the share who find it easy (5 to 7 of 7) with its Wilson interval.

    Parameters
    ----------
    scores, scale, good, weights, level
        As in ``csat``.
    easy_is_high : bool
        False for the older wording, where a high score means much effort: scores are turned round.

    Returns
    -------
    Estimate
        A share between 0 and 1, as of ``csat``.

    Raises
    ------
    TableError, ValueError
        When a score lies outside the scale; when ``level`` lies outside 0 to 1.

    References
    ----------
    Dixon, Freeman and Toman (2010), "Stop trying to delight your customers", *Harvard Business Review* 88(7/8);
    interval: Wilson (1927), *JASA* 22: 209-212.

    Examples
    --------
    >>> ces([7, 6, 5, 2]).value, ces([1, 2, 3, 6], easy_is_high=False).value
    (0.75, 0.75)
    """
    values = np.asarray(scores, dtype=float)
    turned = values if easy_is_high else scale[0] + scale[1] - values
    return _share(turned, weights, metric_of("ces", scale, good=good), level)


def _share(scores: Any, weights: Any, metric: Metric, level: float) -> Estimate:
    values, w = clean(scores, weights, metric)
    if not len(values):
        return Estimate(np.nan, np.nan, np.nan, level, 0, f"{metric.says}: no answers")
    hit = metric.classes(values)
    share = float(np.average(hit, weights=w))
    n_eff = len(values) if w is None else effective(w)
    low, high = wilson(share, n_eff, level)
    return Estimate(
        share, low, high, level, len(values), f"{metric.says}; Wilson" + ("" if w is None else ", weighted")
    )


def effective(w: np.ndarray) -> float:
    """Kish's effective number of answers."""
    return float(w.sum() ** 2 / (w**2).sum())


def nps(scores: Any, *, weights: Any = None, level: float = LEVEL) -> Estimate:
    """Return the Net Promoter Score, in points from -100 to 100, with its adjusted-Wald interval.

    Parameters
    ----------
    scores : sequence of float
        On 0 to 10; missing answers are left out.
    weights : sequence of float, optional
        From ``post_stratify`` or ``rake``; the interval is then linearised.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.

    Returns
    -------
    Estimate
        ``value`` is the plain score; the interval is around a score with three answers added (3/4, 3/2, 3/4), so
        that it does not shrink to nothing when everybody answers alike, and is cut at -100 and 100.

    Raises
    ------
    TableError, ValueError
        When a score lies outside 0 to 10; when ``level`` lies outside 0 to 1.

    References
    ----------
    Reichheld (2003), "The one number you need to grow", *Harvard Business Review* 81(12); interval: Rocks (2016),
    "Interval estimation for the Net Promoter Score", *The American Statistician* 70(4): 365-372; with weights the
    linearised variance of a weighted mean: Cochran (1977), *Sampling Techniques*.

    Examples
    --------
    >>> nps([10] * 50 + [8] * 30 + [3] * 20, level=0.95)
    30 (95 % interval 14.051 to 44.201, n = 100)
    """
    metric = metric_of("nps")
    values, w = clean(scores, weights, metric)
    if not len(values):
        return Estimate(np.nan, np.nan, np.nan, level, 0, f"{metric.says}: no answers")
    kind = metric.classes(values)
    if w is None:
        centre, error = _adjusted(kind)
        low, high = np.clip([centre - tail(level) * error, centre + tail(level) * error], -1, 1)
        return _points(float(kind.mean()), low, high, level, len(kind), f"{metric.says}; adjusted Wald")
    value = float(np.average(kind, weights=w))
    error = _linearised(kind, w)
    low, high = np.clip([value - tail(level) * error, value + tail(level) * error], -1, 1)
    return _points(value, low, high, level, len(kind), f"{metric.says}; weighted, linearised")


def _points(value: float, low: float, high: float, level: float, n: int, method: str) -> Estimate:
    return Estimate(100 * value, 100 * float(low), 100 * float(high), level, n, method)


def _adjusted(kind: np.ndarray) -> tuple[float, float]:
    """NPS and its standard error with three answers added."""
    n = len(kind) + 3
    p, d = ((kind > 0).sum() + 0.75) / n, ((kind < 0).sum() + 0.75) / n
    return float(p - d), float(np.sqrt((p + d - (p - d) ** 2) / n))


def _linearised(values: np.ndarray, w: np.ndarray) -> float:
    """Standard error of a weighted mean, weights taken as those of a survey; never nothing for unlike weights."""
    n = len(values)
    if n < 2:
        return float("nan")
    spread = w * (values - np.average(values, weights=w))
    plain = np.sqrt(n / (n - 1) * (spread**2).sum()) / w.sum()
    if plain > 0:
        return float(plain)
    return _adjusted(values)[1] * np.sqrt(n / effective(w))  # everybody alike: as if three answers had differed


def mean_score(scores: Any, metric: Metric, *, of_range: bool = False, level: float = LEVEL) -> Estimate:
    """Return the mean of the answers with its t interval.

    Parameters
    ----------
    scores : sequence of float
        Missing ones are left out.
    metric : Metric
        Its scale.
    of_range : bool
        As a percentage of the scale's range (POMP), by which means of the same question on different scales can be
        shown beside each other; different questions never can.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.

    Returns
    -------
    Estimate
        In the units of the scale; with ``of_range`` in per cent of its range, 0 to 100. Fewer than two answers have no
        interval: its ends are missing.

    Raises
    ------
    TableError
        When a score lies outside the scale.

    Notes
    -----
    Student's t interval, cut at the ends of the scale.

    References
    ----------
    Percentage of the maximum possible: Cohen, Cohen, Aiken and West (1999), *Multivariate Behavioral Research* 34(3):
    315-346.

    Examples
    --------
    >>> mean_score([5, 4, 4, 3], metric_of("csat"), level=0.95)
    4 (95 % interval 2.7008 to 5, n = 4)
    >>> mean_score([5, 4, 4, 3], metric_of("csat"), of_range=True).value
    75.0
    """
    from scipy.special import stdtrit

    tail(level)  # refuses a level that is none
    values, _ = clean(scores, None, metric)
    n, low, high = len(values), metric.low, metric.high
    if of_range:
        values, low, high = (values - low) / (high - low) * 100, 0.0, 100.0
    if n < 2:
        return Estimate(
            float(values.mean()) if n else np.nan, np.nan, np.nan, level, n, "mean; too few answers for a range"
        )
    middle, half = float(values.mean()), float(stdtrit(n - 1, (1 + level) / 2) * values.std(ddof=1) / np.sqrt(n))
    ends = max(low, middle - half), min(high, middle + half)
    return Estimate(middle, *ends, level, n, f"mean of {metric.name} on {metric.low:g}-{metric.high:g}, t interval")


def score(scores: Any, metric: Metric, *, weights: Any = None, level: float = LEVEL) -> Estimate:
    """Return a metric's number for some answers: CSAT, stars and CES a share, NPS points.

    Examples
    --------
    >>> score([10, 9, 0, 8], metric_of("nps")).value
    25.0
    """
    return nps(scores, weights=weights, level=level) if metric.name == "nps" else _share(scores, weights, metric, level)


def compare_scores(before: Any, after: Any, metric: Metric, *, level: float = LEVEL) -> Estimate:
    """Return how much two independent groups of answers differ: after less before, with its interval.

    Parameters
    ----------
    before, after : sequence of float
        Answers on the metric's scale, of different people; missing ones are left out.
    metric : Metric
        Their scale and rule.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.

    Returns
    -------
    Estimate
        NPS: points, between adjusted scores. Otherwise shares. ``n`` is of both together; missing where one side has no
        answers.

    Raises
    ------
    TableError, ValueError
        When a score lies outside the scale; when ``level`` lies outside 0 to 1.

    References
    ----------
    NPS: Rocks (2016), *The American Statistician* 70(4): 365-372; shares, hybrid score interval: Newcombe (1998),
    *Statistics in Medicine* 17: 873-890.

    Examples
    --------
    >>> compare_scores([5] * 164 + [1] * 36, [5] * 178 + [1] * 22, metric_of("csat"), level=0.95)
    0.07 (95 % interval 0.00066311 to 0.13933, n = 400)
    """
    a, b = (metric.classes(clean(s, None, metric)[0]) for s in (before, after))
    if not len(a) or not len(b):
        return Estimate(np.nan, np.nan, np.nan, level, len(a) + len(b), "no answers on one side")
    n = len(a) + len(b)
    if metric.name == "nps":
        (m0, s0), (m1, s1) = _adjusted(a), _adjusted(b)
        change, half = m1 - m0, tail(level) * float(np.hypot(s0, s1))
        return _points(change, change - half, change + half, level, n, "difference of adjusted scores")
    p0, p1 = float(a.mean()), float(b.mean())
    low, high = newcombe(p0, len(a), p1, len(b), 1 - level)
    return Estimate(p1 - p0, low, high, level, n, "difference of shares, Newcombe")


# ----------------------------------------------------------------------------------------- by segment


def shrink_means(values: Any, variances: Any) -> tuple[np.ndarray, float, float]:
    """Draw group means towards the common one, the more so the less is known about a group.

    Parameters
    ----------
    values, variances : sequence of float
        Each group's mean, and its variance as an estimate (spread over number).

    Returns
    -------
    shrunk : numpy.ndarray
        As given where there are fewer than three groups; ``tau2`` is then missing.
    mean : float
        The common one.
    tau2 : float
        Variance between groups.

    References
    ----------
    Variance between groups: DerSimonian and Laird (1986), *Controlled Clinical Trials* 7: 177-188; shrinking: Morris
    (1983), *JASA* 78: 47-55.

    Examples
    --------
    >>> shrunk, mean, tau2 = shrink_means([0.6, 0.3, -0.1], [0.44 / 60, 0.61 / 60, 0.69 / 30])
    >>> shrunk.round(4).tolist(), round(mean, 5), round(tau2, 5)
    ([0.5762, 0.2984, -0.0216], 0.28432, 0.08976)
    """
    y, v = np.asarray(values, dtype=float), np.asarray(variances, dtype=float)
    if len(y) < 3:
        return y, float(np.average(y, weights=1 / v)), np.nan
    w = 1 / v
    fixed = np.average(y, weights=w)
    excess = (w * (y - fixed) ** 2).sum() - (len(y) - 1)
    tau2 = max(0.0, float(excess / (w.sum() - (w**2).sum() / w.sum())))
    mean = float(np.average(y, weights=1 / (v + tau2)))
    part = v / (v + tau2)
    return part * mean + (1 - part) * y, mean, tau2


def shrink_shares(hits: Any, answers: Any) -> tuple[np.ndarray, tuple[float, float]]:
    """Draw group shares towards the common one by a beta distribution fitted to all groups.

    Parameters
    ----------
    hits : sequence of int
        Good answers of each group.
    answers : sequence of int
        All answers of each group.

    Returns
    -------
    shrunk : numpy.ndarray
        The plain shares where there are fewer than three groups.
    prior : (float, float)
        The beta's parameters; ``inf`` both where groups differ no more than chance, and all get the common share;
        missing with fewer than three groups.

    Notes
    -----
    Empirical Bayes with a beta-binomial distribution fitted by maximum likelihood.

    References
    ----------
    Skellam (1948), *JRSS B* 10: 257-261; Morris (1983), *JASA* 78: 47-55.

    Examples
    --------
    >>> shrunk, (a, b) = shrink_shares([19, 30, 70, 4, 150], [20, 60, 100, 10, 180])
    >>> shrunk.round(2).tolist(), round(a, 2), round(b, 2)
    ([0.89, 0.52, 0.7, 0.52, 0.83], 4.57, 2.04)
    """
    from scipy.optimize import minimize
    from scipy.special import betaln

    k, n = np.asarray(hits, dtype=float), np.asarray(answers, dtype=float)
    if len(k) < 3:
        return k / n, (np.nan, np.nan)

    def negative(x: np.ndarray) -> float:
        a, b = np.exp(x)
        return -float((betaln(k + a, n - k + b) - betaln(a, b)).sum())

    common = np.clip(k.sum() / n.sum(), 0.01, 0.99)
    starts = [np.log([common * s, (1 - common) * s]) for s in (3.0, 30.0)]
    best = min(
        (minimize(negative, x, method="L-BFGS-B", bounds=[(-7, 12)] * 2) for x in starts), key=lambda found: found.fun
    )
    a, b = np.exp(best.x)
    alike = float((k * np.log(common) + (n - k) * np.log(1 - common)).sum())  # as if all groups were one
    if -best.fun <= alike + 0.05:
        return np.full(len(k), k.sum() / n.sum()), (np.inf, np.inf)
    return (k + a) / (n + a + b), (float(a), float(b))


def segment_scores(
    survey: pd.DataFrame, by: str, metric: Metric, *, weights: pd.Series | None = None, level: float = LEVEL
) -> pd.DataFrame:
    """Return a metric by segment, drawn towards the common value; groups with few answers are marked.

    Parameters
    ----------
    survey : pandas.DataFrame
        Answers of one series with the column ``by``.
    by : str
        The column of groups; missing ones count as ``unknown``.
    metric : Metric
        Of the answers.
    weights : pandas.Series, optional
        On the index of ``survey``, from ``post_stratify`` or ``rake``.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.

    Returns
    -------
    pandas.DataFrame
        ``group, answers, value, low, high, shrunk, few``; the lowest first among those with enough answers. ``value,
        low, high, shrunk`` are shares between 0 and 1, or points of NPS; ``few`` marks fewer than 20 answers. With
        fewer than three groups nothing is shrunk.

    Raises
    ------
    TableError
        When a score lies outside the scale, a weight is not above 0, or there is no column ``by``.

    Examples
    --------
    >>> survey = pd.DataFrame({"score": [5] * 20 + [2] * 10 + [5] * 10 + [1] * 20, "plan": ["a"] * 30 + ["b"] * 30})
    >>> segment_scores(survey, "plan", metric_of("csat"))[["group", "answers", "value", "few"]].round(3)
      group  answers  value    few
    0     b       30  0.333  False
    1     a       30  0.667  False
    """
    need(survey, [by, "score"], "the survey")
    rows = []
    for group, part in survey.groupby(survey[by].astype(object).where(survey[by].notna(), "unknown").astype(str)):
        found = score(part["score"], metric, weights=None if weights is None else weights[part.index], level=level)
        kind = metric.classes(part["score"])
        rows.append((group, found.n, found.value, found.low, found.high, float((kind > 0).sum()), float(kind.mean())))
    table = pd.DataFrame(rows, columns=["group", "answers", "value", "low", "high", "hits", "mean"])
    if metric.unit == "share":
        table["shrunk"] = shrink_shares(table["hits"], table["answers"])[0]
    else:
        error = ((table["high"] - table["low"]) / 200 / tail(level)).clip(lower=1e-6)
        table["shrunk"] = 100 * shrink_means(table["mean"], error**2)[0]
    table["few"] = table["answers"] < FEW
    table = table.sort_values(["few", "value"], ignore_index=True)
    return table[["group", "answers", "value", "low", "high", "shrunk", "few"]]


# ------------------------------------------------------------------------------------------ over time


def control_chart(survey: pd.DataFrame, metric: Metric, *, level: float = LEVEL, freq: str = "wave") -> Finding:
    """Follow a metric over waves, with control limits from eight waves on.

    Parameters
    ----------
    survey : SURVEY
        Answers of one series.
    metric : Metric
        Of the answers.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.
    freq : "wave" or a pandas period such as "M"
        What a point of the chart is; a period is taken from the answers' dates.

    Returns
    -------
    Finding
        ``wave, date, answers, value, low, high`` and from eight waves on ``centre, lower, upper, signal``: values are
        shares between 0 and 1, or points of NPS; ``signal`` marks what lies outside the limits, and the eighth value in
        a row (and each after it) on one side of ``centre``.

    Raises
    ------
    TableError
        When a score lies outside the scale.

    Notes
    -----
    Shares have Laney's p-prime limits, which allow for more spread than chance gives; NPS has the limits of individual
    values, mean plus and minus 2.66 mean moving ranges.

    References
    ----------
    Laney (2002), *Quality Engineering* 14(4); individual values: Shewhart (1931), *Economic Control of Quality of
    Manufactured Product*; eight in a row on one side: Western Electric (1956), *Statistical Quality Control Handbook*.

    Examples
    --------
    >>> dates = pd.to_datetime(["2024-01-01"] * 20 + ["2024-07-01"] * 20)
    >>> survey = pd.DataFrame({"date": dates, "wave": ["1"] * 20 + ["2"] * 20})
    >>> found = control_chart(survey.assign(score=[5] * 15 + [2] * 5 + [5] * 18 + [1] * 2), metric_of("csat"))
    >>> found.table[["wave", "answers", "value"]]
      wave  answers  value
    0    1       20   0.75
    1    2       20   0.90
    >>> found.text
    '2 waves are too few for control limits, which need eight.'
    """
    key = survey["wave"].astype(str) if freq == "wave" else survey["date"].dt.to_period(freq).astype(str)
    rows = []
    for wave, part in survey.groupby(key):
        found = score(part["score"], metric, level=level)
        rows.append((str(wave), part["date"].min(), found.n, found.value, found.low, found.high))
    table = pd.DataFrame(rows, columns=["wave", "date", "answers", "value", "low", "high"])
    table = table.sort_values("date", ignore_index=True)
    if len(table) < 8:
        return Finding(table, f"{len(table)} waves are too few for control limits, which need eight.")
    centre, half = (
        laney_limits(table["value"] * table["answers"], table["answers"])
        if metric.unit == "share"
        else (float(table["value"].mean()), 2.66 * float(table["value"].diff().abs().mean()))
    )
    table = table.assign(centre=centre, lower=centre - half, upper=centre + half)
    side = np.sign(table["value"] - centre)
    run = side.groupby((side != side.shift()).cumsum()).cumcount() + 1
    table["signal"] = (table["value"] < table["lower"]) | (table["value"] > table["upper"]) | (run >= 8)
    out = table.loc[table["signal"], "wave"]
    said = f"outside what chance explains: {', '.join(out)}" if len(out) else "all within what chance explains"
    return Finding(table, f"{len(table)} waves, {said}.")


def laney_limits(hits: Any, answers: Any) -> tuple[float, Any]:
    """Return the centre and the half width of Laney's p-prime chart for each period.

    Examples
    --------
    >>> centre, half = laney_limits([160, 182, 140, 172, 150, 176], [200, 220, 180, 210, 190, 205])
    >>> round(centre, 5), round(float(centre - half[0]), 4), round(float(centre + half[0]), 4)
    (0.81328, 0.6994, 0.9271)
    """
    k, n = np.asarray(hits, dtype=float), np.asarray(answers, dtype=float)
    p = float(k.sum() / n.sum())
    error = np.sqrt(p * (1 - p) / n)
    z = (k / n - p) / np.where(error > 0, error, 1.0)
    return p, 3 * error * float(np.abs(np.diff(z)).mean() / 1.128)


def latest_series(survey: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the overall answers to a metric on the scale that its latest wave uses."""
    own = survey[(survey["metric"] == metric) & survey["attribute"].isna()]
    if own.empty:
        return own
    series = series_of(own)
    return own[series == series[own["date"].idxmax()]]
