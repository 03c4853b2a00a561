"""Who answered, and how answers are made to speak for all customers: response, weights, strata.

In: a checked SURVEY, and the customers that could have answered. Out: weights, tables, and what they are worth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import TableError
from ..core.maths import LEVEL, tail, wilson
from ..core.results import Estimate, Finding
from .scores import FEW, Metric, clean, compare_scores, effective, score

__all__ = ["early_and_late", "post_stratify", "rake", "response_bias", "stratified_score"]


def response_bias(customers: pd.DataFrame, answered: Any, by: Sequence[str], *, level: float = LEVEL) -> pd.DataFrame:
    """Say which groups of the customer base the answers come from.

    Parameters
    ----------
    customers : pandas.DataFrame
        Everybody who could have answered: ``customer_id`` and the columns of ``by``.
    answered : sequence of str
        The customers who did.
    by : sequence of str
        Columns, for example ``["segment", "tier", "channel"]``; a missing group counts as ``unknown``.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.

    Returns
    -------
    pandas.DataFrame
        ``what, group, customers, answers, rate, rate_low, rate_high, share_of_base, share_of_answers``; a row per
        group. ``rate`` and the shares lie between 0 and 1; each customer counts once.

    References
    ----------
    ``rate_low, rate_high``: Wilson (1927), *JASA* 22: 209-212.

    Examples
    --------
    >>> customers = pd.DataFrame({"customer_id": list("abcd"), "plan": ["x", "x", "y", "y"]})
    >>> found = response_bias(customers, ["a", "b", "c"], ["plan"])
    >>> found[["group", "customers", "answers", "rate", "share_of_answers"]].round(3)
      group  customers  answers  rate  share_of_answers
    0     x          2        2   1.0             0.667
    1     y          2        1   0.5             0.333
    """
    base = customers.drop_duplicates("customer_id")
    said = base["customer_id"].isin(set(answered))
    rows = []
    for what in by:
        named = base[what].astype(object).where(base[what].notna(), "unknown").astype(str)
        for group, inside in said.groupby(named):
            n, k = len(inside), int(inside.sum())
            low, high = wilson(k / n, n, level)
            rows.append((what, str(group), n, k, k / n, low, high, n / len(base), k / max(int(said.sum()), 1)))
    columns = [
        "what",
        "group",
        "customers",
        "answers",
        "rate",
        "rate_low",
        "rate_high",
        "share_of_base",
        "share_of_answers",
    ]
    return pd.DataFrame(rows, columns=columns)


def post_stratify(
    cells: pd.Series, population: Mapping[str, float], *, min_answers: int = 10
) -> tuple[pd.Series, Finding]:
    """Weigh answers so that each cell counts as much as it does among the customers.

    Parameters
    ----------
    cells : pandas.Series of str
        The cell of each answer.
    population : mapping of cell to number
        How many customers each cell has.
    min_answers : int
        Cells with fewer answers are merged into the smallest other one before weighing.

    Returns
    -------
    weights : pandas.Series
        Mean 1 over the answers, on the index of ``cells``.
    finding : Finding
        ``cell, customers, answers, weight``, and the effective number of answers.

    Raises
    ------
    TableError
        When an answer lies in a cell that no customer is in.

    Notes
    -----
    The weight of a cell is its share of the customers over its share of the answers, (N_h / N) / (n_h / n).

    References
    ----------
    Holt and Smith (1979), *JRSS A* 142: 33-46; effective number of answers: Kish (1965), *Survey Sampling*.

    Examples
    --------
    >>> cells = pd.Series(["a"] * 60 + ["b"] * 60 + ["c"] * 30)
    >>> weights, _ = post_stratify(cells, {"a": 200, "b": 300, "c": 500})
    >>> sorted(weights.round(9).unique().tolist())
    [0.5, 0.75, 2.5]
    """
    strange = sorted(set(cells.astype(str)) - {str(k) for k, v in population.items() if v > 0})
    if strange:
        raise TableError(f"answers lie in the cell {strange[0]!r}, where the population has no customer")
    n = cells.astype(str).value_counts()
    table = pd.DataFrame({"customers": pd.Series({str(k): float(v) for k, v in population.items() if v > 0})})
    table["answers"] = n.reindex(table.index).fillna(0).astype(int)
    table["into"] = table.index
    while (
        len(groups := table.groupby("into")[["customers", "answers"]].sum()) > 1
        and groups["answers"].min() < min_answers
    ):
        ordered = groups.sort_values("answers", kind="stable").index
        table["into"] = table["into"].replace({ordered[0]: ordered[1]})
    sums = table.groupby("into")[["customers", "answers"]].transform("sum")
    table["weight"] = (sums["customers"] / table["customers"].sum()) / (sums["answers"] / len(cells))
    weights = cells.astype(str).map(table["weight"]).rename("weight")
    shown = table.rename_axis("cell").reset_index()[["cell", "customers", "answers", "weight"]]
    return weights, Finding(shown, _say_weights(weights.to_numpy(float), int((table["into"] != table.index).sum())))


def _say_weights(w: np.ndarray, merged: int = 0) -> str:
    text = (
        f"Weighted, {len(w):,} answers are as precise as {effective(w):,.0f} without weights; the heaviest counts "
        f"{w.max() / w.min():.1f} times the lightest."
    )
    return text + (f" Small groups merged with others: {merged}." if merged else "")


def stratified_score(
    scores: Any,
    cells: pd.Series,
    population: Mapping[str, float],
    metric: Metric,
    *,
    finite: bool = True,
    level: float = LEVEL,
) -> Estimate:
    """Return a metric's number from each cell's own, by the cells' shares among the customers.

    The value is that of ``post_stratify``'s weights; the interval takes the cells for strata, which is narrower than
    the linearised one where they were drawn as such, and narrower still where a good part of the customers answered.

    Parameters
    ----------
    scores : sequence of float
        Without missing ones, which would shift them against ``cells``.
    cells : pandas.Series of str
        The cell of each score, in the same order.
    population : mapping of cell to number
        Every cell needs answers.
    metric : Metric
        Of the scores.
    finite : bool
        Whether the customers asked are a part of all there are, so that a cell that answered wholly has no uncertainty.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.

    Returns
    -------
    Estimate
        In the metric's unit: a share, or points of NPS.

    Raises
    ------
    TableError
        When a cell has customers and no answers.

    Notes
    -----
    The variance is the sum of (N_h/N)^2 V_h/n_h (1 - n_h/N_h), V_h with divisor n_h.

    References
    ----------
    Cochran (1977), *Sampling Techniques*, section 5.3.

    Examples
    --------
    >>> from clvnb.satisfaction import metric_of
    >>> stratified_score([10, 0, 10, 10], pd.Series(list("aabb")), {"a": 50, "b": 150}, metric_of("nps")).value
    75.0
    """
    kind = pd.Series(metric.classes(clean(scores, None, metric)[0]), index=pd.Index(cells.astype(str)))
    total = float(sum(population.values()))
    value = variance = 0.0
    for name, size in population.items():
        own = kind[kind.index == str(name)].to_numpy(float)
        if not len(own):
            raise TableError(f"the cell {name!r} has customers and no answers; merge it with another")
        part = float(size) / total
        value += part * float(own.mean())
        variance += part**2 * float(own.var()) / len(own) * (1 - len(own) / float(size) if finite else 1.0)
    half, unit = tail(level) * float(np.sqrt(variance)), 100.0 if metric.unit == "points" else 1.0
    return Estimate(
        unit * value, unit * (value - half), unit * (value + half), level, len(kind), f"{metric.says}; by strata"
    )


def rake(
    answers: pd.DataFrame, margins: Mapping[str, Mapping[str, float]], *, trim: float = 5.0
) -> tuple[pd.Series, Finding]:
    """Weigh answers until every margin agrees with the customers' (iterative proportional fitting).

    Parameters
    ----------
    answers : pandas.DataFrame
        One row an answer, a column for each margin.
    margins : mapping of column to mapping of group to number
        How many customers each group has.
    trim : float
        No weight exceeds this multiple of the median weight.

    Returns
    -------
    weights : pandas.Series
        Mean 1, on the index of ``answers``.
    finding : Finding
        The columns of ``margins`` with ``weight``, a row an answer; its text says the effective number of answers, and
        which margins trimming keeps from what was asked.

    Raises
    ------
    TableError
        When a group with customers has no answers, or an answer is in a group without customers.

    Notes
    -----
    After trimming the margins agree only nearly.

    References
    ----------
    Deming and Stephan (1940), *Annals of Mathematical Statistics* 11: 427-444; effective number of answers: Kish
    (1965), *Survey Sampling*.

    Examples
    --------
    >>> plan, sex = ["a"] * 50 + ["b"] * 50, ["f"] * 40 + ["m"] * 10 + ["f"] * 20 + ["m"] * 30
    >>> answers = pd.DataFrame({"plan": plan, "sex": sex})
    >>> weights, _ = rake(answers, {"plan": {"a": 50, "b": 50}, "sex": {"f": 40, "m": 60}})
    >>> weights.groupby([answers["plan"], answers["sex"]]).sum().round(3).tolist()
    [30.0, 20.0, 10.0, 40.0]
    """
    w = np.ones(len(answers))
    groups = {c: answers[c].astype(str).to_numpy() for c in margins}
    for column, target in margins.items():
        wrong = {str(k) for k, v in target.items() if v > 0} ^ set(groups[column])
        if wrong:
            raise TableError(f"{column}: {sorted(wrong)[0]!r} is only on one side, among customers or among answers")
    for _ in range(500):
        before = w.copy()
        for column, target in margins.items():
            total = sum(target.values())
            for name, size in target.items():
                inside = groups[column] == str(name)
                if size > 0:
                    w[inside] *= (size / total) * len(w) / w[inside].sum()
        if np.max(np.abs(w / before - 1)) < 1e-6:
            break
    w = np.minimum(w, trim * np.median(w))
    w *= len(w) / w.sum()
    weights = pd.Series(w, index=answers.index, name="weight")
    said = _say_weights(w) + _say_margins(w, groups, margins)
    return weights, Finding(answers[list(margins)].assign(weight=weights), said)


def _say_margins(w: np.ndarray, groups: Mapping[str, np.ndarray], margins: Mapping[str, Mapping[str, float]]) -> str:
    """What the weights reached beside what was asked, where trimming keeps them half a point or more apart."""
    apart = []
    for column, target in margins.items():
        total = sum(target.values())
        for name, size in target.items():
            reached = float(w[groups[column] == str(name)].sum() / w.sum())
            if abs(reached - size / total) >= 0.005:
                apart.append(f"{column} {name} {reached:.1%} instead of {size / total:.1%}")
    return (
        f" The largest weights were trimmed, so that these groups count less or more than asked: {'; '.join(apart)}."
        if apart
        else ""
    )


def early_and_late(survey: pd.DataFrame, metric: Metric, *, level: float = LEVEL) -> Finding:
    """Hold early answers of a wave against late ones: those who answer late resemble those who never do.

    Parameters
    ----------
    survey : SURVEY
        The answers of one series and wave.
    metric : Metric
        Of the answers.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.

    Returns
    -------
    Finding
        ``early, late``, the metric up to the median day of the wave and after it, and ``change, low, high``: shares
        between 0 and 1, or points of NPS. Empty where fewer than 20 answers stand on one side.

    Raises
    ------
    TableError
        When a score lies outside the scale.

    References
    ----------
    Armstrong and Overton (1977), *Journal of Marketing Research* 14(3): 396-402.

    Examples
    --------
    >>> days = pd.to_datetime(["2025-01-01"] * 30 + ["2025-01-09"] * 20)
    >>> survey = pd.DataFrame({"date": days, "score": [5] * 25 + [2] * 15 + [4] * 10})
    >>> from clvnb.satisfaction import metric_of
    >>> early_and_late(survey, metric_of("csat")).table.round(3)
       early  late  change    low   high
    0  0.833   0.5  -0.333 -0.525 -0.112
    """
    middle = survey["date"].median()
    early, late = survey[survey["date"] <= middle], survey[survey["date"] > middle]
    if min(len(early), len(late)) < FEW:
        return Finding(pd.DataFrame(), "")
    change = compare_scores(early["score"], late["score"], metric, level=level)
    table = pd.DataFrame(
        [
            (
                score(early["score"], metric).value,
                score(late["score"], metric).value,
                change.value,
                change.low,
                change.high,
            )
        ],
        columns=["early", "late", "change", "low", "high"],
    )
    scale = 100.0 if metric.unit == "share" else 1.0
    text = (
        f"Late answers differ from early ones by {scale * change.value:+.1f} points ({scale * change.low:+.1f} to {scale * change.high:+.1f}); "
        "what those think who never answered, this cannot show."
    )
    return Finding(table, text)
