"""Segments: RFM scores and names, value tiers, who holds the value, and how customers move between segments.

In: a SUMMARY or a CLV table. Out: tables by customer and by segment; cut-points that can be frozen and used again.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from ..core.engine import to_pandas
from ..core.errors import TableError, UsageError
from ..core.maths import LEVEL, wilson
from ..core.tables import SUMMARY, check, need

__all__ = [
    "cluster_customers",
    "gini",
    "migration",
    "name_segments",
    "rfm_by_value",
    "rfm_cuts",
    "rfm_scores",
    "segment_profile",
    "value_tiers",
    "whale_curve",
]

_FROM = {"r": "days_since_last", "f": "purchases", "m": "historic_value"}


def rfm_scores(summary: Any, *, bins: int = 5, cuts: Mapping[str, list[float]] | None = None) -> pd.DataFrame:
    """Score recency, frequency and money from 1 (worst) to ``bins`` (best) by rank; equal values get equal scores.

    Where most bought once, quantiles of counts collapse and rank-first scores split equals; the mean rank does neither:
    score = ceil(bins x percent rank). Bins may be uneven, or one be empty.

    Parameters
    ----------
    summary : SUMMARY
        With ``days_since_last, purchases, historic_value``; money is ``historic_revenue`` where no margin is known.
    bins : int
        Scores from 1 to this.
    cuts : mapping, optional
        From ``rfm_cuts`` of an earlier date, so that scores can be compared.

    Returns
    -------
    pandas.DataFrame
        ``customer_id, r, f, m``, on the index of the summary.

    Raises
    ------
    TableError
        When the SUMMARY lacks a column.

    References
    ----------
    Hughes (1994), Strategic Database Marketing. To score by mean rank is clvnb's own.

    Examples
    --------
    >>> summary = pd.DataFrame({"customer_id": list("abcd"), "frequency": 0, "recency": 0, "T": 9,
    ...     "days_since_last": [5, 9, 9, 40], "purchases": [4, 1, 1, 1], "historic_value": [80., 10., 20., 5.]})
    >>> rfm_scores(summary)[["r", "f", "m"]].values.tolist()
    [[5, 5, 5], [4, 3, 3], [4, 3, 4], [2, 3, 2]]
    """
    check(summary, SUMMARY)
    table = to_pandas(summary)
    missing = [c for c in _FROM.values() if c not in table.columns]
    if missing:
        raise TableError(f"RFM needs the column {missing[0]!r} of a SUMMARY; `summarize` makes it")
    out = pd.DataFrame({"customer_id": table["customer_id"]}, index=table.index)
    for name in _FROM:
        values = _values(table, name)
        if cuts is None:
            out[name] = np.ceil(bins * values.rank(pct=True, method="average") - 1e-9).astype(int).clip(1, bins)
        else:
            out[name] = 1 + np.searchsorted(np.asarray(cuts[name], dtype=float), values.to_numpy(float), side="left")
            out[name] = out[name].clip(1, len(cuts[name]) + 1)
    return out


def rfm_cuts(summary: Any, *, bins: int = 5) -> dict[str, list[float]]:
    """Return the cut-points of ``rfm_scores``: the largest value of each score but the last (recency negated).

    Keep them with a baseline; the same customers scored later with these cuts can be compared.

    Parameters
    ----------
    summary : SUMMARY
        As of ``rfm_scores``.
    bins : int
        Scores from 1 to this.

    Returns
    -------
    dict
        ``r, f, m`` to increasing cut-points, for ``rfm_scores`` of a later day; recency in negative days, ``-inf``
        where no customer has a score.

    Raises
    ------
    TableError
        When the SUMMARY lacks a column.

    Examples
    --------
    >>> summary = pd.DataFrame({"customer_id": list("abcd"), "frequency": 0, "recency": 0, "T": 9,
    ...     "days_since_last": [5, 9, 9, 40], "purchases": [4, 1, 1, 1], "historic_value": [80., 10., 20., 5.]})
    >>> rfm_cuts(summary)["f"]
    [-inf, -inf, 1.0, 1.0]
    """
    table, scores = to_pandas(summary), rfm_scores(summary, bins=bins)
    cuts: dict[str, list[float]] = {}
    for name in _FROM:
        values = _values(table, name)
        tops = values.groupby(scores[name]).max().reindex(range(1, bins)).ffill().fillna(-np.inf)
        cuts[name] = [float(v) for v in tops]
    return cuts


def _values(table: pd.DataFrame, name: str) -> pd.Series:
    """What is scored, turned so that more is better; money is revenue where no margin was known."""
    values = table[_FROM[name]].astype(float)
    if name == "m" and values.isna().all() and "historic_revenue" in table:
        values = table["historic_revenue"].astype(float)
    return -values if name == "r" else values


@cache
def _grid() -> pd.DataFrame:
    with files("clvnb.value").joinpath("rfm.csv").open(encoding="utf-8") as stream:
        return pd.read_csv(stream)


def name_segments(scores: pd.DataFrame, *, grid: pd.DataFrame | None = None) -> pd.Series:
    """Name the segment of each customer from the scores, by the grid of recency against (frequency + money) / 2.

    Parameters
    ----------
    scores : pandas.DataFrame
        From ``rfm_scores``, on the scale 1 to 5.
    grid : pandas.DataFrame, optional
        ``r, fm, segment``, one row for each of the 25 cells; clvnb's own by default.

    Returns
    -------
    pandas.Series
        Named ``segment``, on the index of ``scores``.

    Raises
    ------
    TableError
        When a grid does not name each of the 25 cells once.

    Notes
    -----
    clvnb's own segments are Champion, Loyal, Potential loyalist, New, Promising, Need attention, About to sleep, At
    risk, Can't lose and Hibernating.

    References
    ----------
    The map of recency against frequency and money that circulates with RFM; no publication.

    Examples
    --------
    >>> name_segments(pd.DataFrame({"r": [5, 1], "f": [5, 4], "m": [4, 5]})).tolist()
    ['Champion', "Can't lose"]
    """
    grid = _grid() if grid is None else grid
    cells = grid.set_index(["r", "fm"])["segment"]
    lacking = [(r, fm) for r in range(1, 6) for fm in range(1, 6) if (r, fm) not in cells.index]
    if lacking or cells.index.has_duplicates:
        raise TableError(
            f"the grid must name each of the 25 cells once; it lacks {lacking[:3] or 'none, but repeats one'}"
        )
    fm = np.floor((scores["f"] + scores["m"]) / 2 + 0.5).astype(int)  # halves go up
    named = cells.reindex(pd.MultiIndex.from_arrays([scores["r"], fm])).to_numpy()
    return pd.Series(named, index=scores.index, name="segment")


def segment_profile(customers: pd.DataFrame, segment: pd.Series) -> pd.DataFrame:
    """Return one row per segment: how many, what they hold, how likely they are active, and what to do.

    Parameters
    ----------
    customers : CLV
        With ``historic_value`` and ``total_value``, which may be all missing.
    segment : pandas.Series
        On the same index.

    Returns
    -------
    pandas.DataFrame
        ``segment, customers, share_of_customers, historic_value, clv, share_of_value, p_alive, action``; the most
        valuable first. ``clv`` and ``historic_value`` are sums in the client's currency; shares from 0 to 1,
        ``share_of_value`` of both together; ``p_alive`` is the mean.

    Examples
    --------
    >>> customers = pd.DataFrame({"customer_id": ["a", "b"], "p_alive": [0.9, 0.1], "clv": [30.0, 2.0],
    ...     "historic_value": [50.0, 18.0], "total_value": [80.0, 20.0]})
    >>> found = segment_profile(customers, pd.Series(["Loyal", "At risk"]))
    >>> found[["segment", "customers", "clv", "share_of_value"]]
       segment  customers   clv  share_of_value
    0    Loyal          1  30.0             0.8
    1  At risk          1   2.0             0.2
    """
    column = "total_value" if customers["total_value"].notna().any() else "historic_value"
    table = customers.assign(segment=segment).groupby("segment").agg(
        customers=("customer_id", "size"), historic_value=("historic_value", "sum"),
        clv=("clv", lambda own: own.sum(min_count=1)),  # what nobody estimated is missing, not 0
        value=(column, "sum"), p_alive=("p_alive", "mean"),
    )  # fmt: skip
    table["share_of_customers"] = table["customers"] / len(customers)
    total = table["value"].sum()
    table["share_of_value"] = table["value"] / total if total else np.nan
    actions = _grid().drop_duplicates("segment").set_index("segment")["action"]
    table["action"] = actions.reindex(table.index).fillna("")
    table = table.sort_values("value", ascending=False).reset_index()
    return table[
        ["segment", "customers", "share_of_customers", "historic_value", "clv", "share_of_value", "p_alive", "action"]
    ]


def value_tiers(values: pd.Series, *, shares: tuple[float, float] = (0.8, 0.95)) -> pd.Series:
    """Return tier A, B or C of each customer, by who holds most of the value.

    A are the best customers until 80 % of all positive value is reached, the one who reaches it included, B those until
    95 %, C the rest.

    Parameters
    ----------
    values : pandas.Series
        Money; customers at or below 0 are C.
    shares : pair of float
        Shares of positive value at which A and B end, from 0 to 1.

    Returns
    -------
    pandas.Series
        ``A``, ``B`` or ``C``, on the index of ``values``.

    References
    ----------
    ABC analysis: Dickie (1951), Factory Management and Maintenance 109(7), 92-94.

    Examples
    --------
    >>> value_tiers(pd.Series([70.0, 20.0, 8.0, 2.0, -5.0])).tolist()
    ['A', 'A', 'B', 'C', 'C']
    """
    positive = values.clip(lower=0.0).sort_values(ascending=False, kind="stable")
    total = positive.sum()
    if total <= 0:
        return pd.Series("C", index=values.index, name="tier")
    before = (positive.cumsum() - positive) / total
    tier = np.where(before < shares[0], "A", np.where(before < shares[1], "B", "C"))
    tier = pd.Series(np.where(positive > 0, tier, "C"), index=positive.index, name="tier")
    return tier.reindex(values.index)


def whale_curve(values: Any) -> pd.DataFrame:
    """Return value added up from the best customer to the worst, as a share of the total: above 1 where some destroy it.

    Parameters
    ----------
    values : array
        Money per customer, negative ones too.

    Returns
    -------
    pandas.DataFrame
        ``customers`` (share of them), ``share_of_value``.

    Raises
    ------
    ValueError
        When the total is not above 0.

    References
    ----------
    Kaplan and Narayanan (2001), "Measuring and managing customer profitability", Journal of Cost Management 15(5).

    Examples
    --------
    >>> whale_curve([160, 60, 30, -10, -40])["share_of_value"].tolist()
    [0.8, 1.1, 1.25, 1.2, 1.0]
    """
    money = np.sort(np.asarray(values, dtype=float))[::-1]
    total = money.sum()
    if len(money) == 0 or total <= 0:
        raise ValueError(f"the whale curve is a share of a total above 0, which is {total:g} here")
    return pd.DataFrame(
        {"customers": np.arange(1, len(money) + 1) / len(money), "share_of_value": money.cumsum() / total}
    )


def gini(values: Any, *, corrected: bool = False) -> float:
    """Return how unevenly value is held: 0 when all hold the same, near 1 when one holds all.

    Parameters
    ----------
    values : array
        None below 0: with losses the coefficient leaves its range, and the whale curve says more.
    corrected : bool
        Times n/(n-1), for few customers.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        When a value is below 0, or their total is not above 0; look at ``whale_curve`` then.

    Notes
    -----
    The sum of (2i - n - 1) x_(i), divided by n times the sum of x, with x_(i) in ascending order.

    References
    ----------
    Gini (1912); ``corrected``: Deltas (2003), Review of Economics and Statistics 85(1), 226-234.

    Examples
    --------
    >>> gini([0, 10, 20, 30, 140]), gini([0, 10, 20, 30, 140], corrected=True)
    (0.6, 0.75)
    """
    money = np.sort(np.asarray(values, dtype=float))
    if len(money) == 0 or money[0] < 0 or money.sum() <= 0:
        raise ValueError(
            "the Gini coefficient needs values of 0 or more and a total above 0; look at the whale curve instead"
        )
    n = len(money)
    index = float(((2 * np.arange(1, n + 1) - n - 1) * money).sum() / (n * money.sum()))
    return index * n / (n - 1) if corrected and n > 1 else index


def migration(before: pd.Series, after: pd.Series, *, level: float = LEVEL) -> pd.DataFrame:
    """Return how customers moved between segments from one date to another, with intervals.

    Parameters
    ----------
    before, after : pandas.Series
        Segment by ``customer_id`` (the index), scored with the same cut-points. Who is missing before is New, after
        Lost.
    level : float
        Of the Wilson interval of each share.

    Returns
    -------
    pandas.DataFrame
        ``from, to, customers, share`` (of ``from``), ``low, high, enough`` (20 customers or more in ``from``).

    Raises
    ------
    ValueError
        When ``level`` lies outside 0 to 1.

    References
    ----------
    Wilson (1927), JASA 22, 209-212.

    Examples
    --------
    >>> moves = migration(pd.Series({"a": "Loyal", "b": "Loyal"}), pd.Series({"a": "Loyal", "c": "Loyal"}))
    >>> moves[["from", "to", "customers"]].values.tolist()
    [['Loyal', 'Lost', 1], ['Loyal', 'Loyal', 1], ['New', 'Loyal', 1]]
    """
    both = pd.DataFrame({"from": before, "to": after})
    both = both.fillna({"from": "New", "to": "Lost"})
    table = both.groupby(["from", "to"]).size().rename("customers").reset_index()
    n = table.groupby("from")["customers"].transform("sum")
    table["share"] = table["customers"] / n
    table["low"], table["high"] = wilson(table["share"], n, level)
    table["enough"] = n >= 20
    return table


def rfm_by_value(segment: pd.Series, clv: pd.Series) -> pd.DataFrame:
    """Return how RFM segments spread over fifths of predicted value: where the name of a segment misleads.

    Parameters
    ----------
    segment : pandas.Series
        Per customer.
    clv : pandas.Series
        Expected value, on the same index.

    Returns
    -------
    pandas.DataFrame
        One row per segment, the highest median first: ``segment, customers, median_clv``, and ``fifth_1`` (lowest) ...
        ``fifth_5``, the share of the segment's customers in each fifth of value. Equal values share a fifth.

    Examples
    --------
    >>> table = rfm_by_value(pd.Series(["Loyal"] * 3 + ["New"] * 2), pd.Series([9.0, 8.0, 1.0, 7.0, 2.0]))
    >>> table[["segment", "fifth_1", "fifth_5"]].round(2).values.tolist()
    [['Loyal', 0.33, 0.33], ['New', 0.0, 0.0]]
    """
    fifth = np.ceil(5 * clv.rank(pct=True, method="average") - 1e-9).clip(1, 5).astype(int)
    shares = pd.crosstab(segment, fifth, normalize="index").reindex(columns=range(1, 6), fill_value=0.0)
    table = shares.rename(columns=lambda k: f"fifth_{k}")
    grouped = clv.groupby(segment)
    table.insert(0, "median_clv", grouped.median())
    table.insert(0, "customers", grouped.size())
    return table.rename_axis("segment").reset_index().sort_values("median_clv", ascending=False, ignore_index=True)


def cluster_customers(
    summary: Any, *, k: int | None = None, refits: int = 50, seed: int = 0
) -> tuple[pd.Series, pd.DataFrame]:
    """Group customers by recency, frequency and money with k-means, and say how stable each group is.

    Frequency and money enter as logarithms, extremes drawn in to the 1st and 99th percentile, all on one scale. Without
    ``k`` the silhouette decides between 2 and 6, among those whose groups all hold 5 % of customers or more; where no
    such division is stable, everybody is one group, which is a legal answer.

    Parameters
    ----------
    summary : SUMMARY
        With ``days_since_last, purchases, historic_revenue``.
    k : int, optional
        As many groups, whatever their stability.
    refits : int
        Bootstrap refits for the stability.
    seed : int
        Of k-means and of the bootstrap.

    Returns
    -------
    cluster : pandas.Series
        Named ``cluster``, 1 for the group with the highest mean money, on the index of the summary.
    table : pandas.DataFrame
        ``cluster, customers, share`` (0 to 1), ``days_since_last, purchases, historic_revenue`` (medians, the last in
        the client's currency), ``stability``, the mean Jaccard overlap with the closest group of each refit: above 0.75
        stable, below 0.6 not to be used.

    Raises
    ------
    UsageError
        When scikit-learn is not installed.
    TableError
        When the SUMMARY lacks a column that every SUMMARY has, or ``days_since_last``, ``purchases`` or
        ``historic_revenue``.

    References
    ----------
    k-means: MacQueen (1967); silhouette: Rousseeuw (1987), Journal of Computational and Applied Mathematics 20, 53-65;
    stability: Hennig (2007), "Cluster-wise assessment of cluster stability", Computational Statistics and Data Analysis
    52(1), 258-271.

    Examples
    --------
    >>> summary = pd.DataFrame({"customer_id": [str(k) for k in range(40)], "frequency": 0, "recency": 0, "T": 400,
    ...     "days_since_last": [5, 7] * 10 + [300, 310] * 10, "purchases": [9, 10] * 10 + [1, 2] * 10,
    ...     "historic_revenue": [90.0, 99.0] * 10 + [9.0, 20.0] * 10})
    >>> cluster, table = cluster_customers(summary, k=2, refits=2)
    >>> table[["cluster", "customers", "purchases", "stability"]]
       cluster  customers  purchases  stability
    0        1         20        9.5        1.0
    1        2         20        1.5        1.0
    """
    table = to_pandas(check(summary, SUMMARY))
    need(table, ["days_since_last", "purchases", "historic_revenue"], "the SUMMARY")
    points = _standard(table)
    rng = np.random.default_rng(seed)
    tried = [k] if k else range(2, 7)
    best: tuple[float, np.ndarray] | None = None
    for count in tried:
        labels = _k_means(points, count, seed)(points)
        score = _silhouette(points, labels, rng)
        big = np.bincount(labels, minlength=count).min() >= 0.05 * len(points)
        if k or (big and (best is None or score > best[0])):
            best = (score, labels)
    labels = np.zeros(len(points), dtype=int) if best is None else best[1]
    overlap = _stability(points, labels, refits, rng) if labels.max() else np.ones(1)
    if not k and overlap.min() < 0.6:
        labels, overlap = np.zeros(len(points), dtype=int), np.ones(1)
    return _described(table, labels, overlap)


def _standard(table: pd.DataFrame) -> np.ndarray:
    raw = np.column_stack([table["days_since_last"].to_numpy(float), np.log1p(table["purchases"].to_numpy(float)),
                           np.log1p(table["historic_revenue"].clip(lower=0).to_numpy(float))])  # fmt: skip
    low, high = np.percentile(raw, [1, 99], axis=0)
    raw = np.clip(raw, low, high)
    return np.asarray((raw - raw.mean(axis=0)) / np.where(raw.std(axis=0) > 0, raw.std(axis=0), 1.0))


def _k_means(points: np.ndarray, k: int, seed: int) -> Any:
    try:
        from sklearn.cluster import KMeans
    except ImportError as error:
        raise UsageError("clusters need scikit-learn: pip install 'clvnb[clusters]'") from error
    return KMeans(k, n_init=20, random_state=seed).fit(points).predict


def _silhouette(points: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> float:
    from sklearn.metrics import silhouette_score

    some = rng.choice(len(points), min(len(points), 2000), replace=False)
    return float(silhouette_score(points[some], labels[some])) if len(set(labels[some])) > 1 else -1.0


def _stability(points: np.ndarray, labels: np.ndarray, refits: int, rng: np.random.Generator) -> np.ndarray:
    """The mean Jaccard overlap of each group with its closest group in refits on resampled customers."""
    k = int(labels.max()) + 1
    overlaps = np.zeros((refits, k))
    for at in range(refits):
        again = rng.choice(len(points), len(points))
        other = _k_means(points[again], k, at)(points)
        both = pd.crosstab(labels, other).reindex(index=range(k), columns=range(k), fill_value=0).to_numpy(float)
        union = both.sum(axis=1)[:, None] + both.sum(axis=0)[None, :] - both
        overlaps[at] = (both / np.maximum(union, 1)).max(axis=1)
    return np.asarray(overlaps.mean(axis=0))


def _described(table: pd.DataFrame, labels: np.ndarray, overlap: np.ndarray) -> tuple[pd.Series, pd.DataFrame]:
    money = table["historic_revenue"].groupby(labels).mean().sort_values(ascending=False)
    number = {old: new for new, old in enumerate(money.index, start=1)}
    cluster = pd.Series([number[k] for k in labels], index=table.index, name="cluster")
    shown = table[["days_since_last", "purchases", "historic_revenue"]].groupby(cluster).median()
    shown.insert(0, "share", cluster.value_counts(normalize=True))
    shown.insert(0, "customers", cluster.value_counts())
    shown["stability"] = [overlap[old] for old in money.index]
    return cluster, shown.reset_index()
