"""Ways to tell a change from chance without a draw, the strongest first: differences, weights, a series, pairs, two samples.

In: one value for each customer and period, groups, what was known beforehand. Out: ``Change``, with what threatens it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import TableError
from .changes import APART, MIN_CUSTOMERS, Change, Threat, contrast, enough, standardised, two_valued

__all__ = [
    "balance",
    "difference_in_differences",
    "interrupted_series",
    "mix_shift",
    "paired_change",
    "regression_to_the_mean",
    "two_waves",
    "weighted_difference",
]


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
    return contrast(own["value"].to_numpy(float), cells, {3: 1.0, 2: -1.0, 1: -1.0, 0: 1.0}, own["customer_id"].to_numpy())  # fmt: skip


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
    enough(y[t], y[~t], "customers")
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
    found, variances, likelihoods = _explained(x, y, gap, free)
    rhos = np.repeat(_ECHOES, len(_BENDS))
    worth = np.exp(likelihoods - likelihoods.max())
    worth /= worth.sum()
    value = float(worth @ found)
    return value, math.sqrt(float(worth @ variances + worth @ (found - value) ** 2)), float(worth @ rhos), float(free)


_ECHOES = (0.0, 0.15, 0.3, 0.5, 0.7, 0.85)  # correlation of a period with the one before
# Variance of the trend's bend over the whole series, in that of one period. None at all is not among them: a trend that
# never bends is rare, and the data before the start are the less able to show it the fewer they are.
_BENDS = tuple(10.0 ** np.arange(0.5, 4.1, 0.5))


@lru_cache(maxsize=4)
def _whiteners(n: int) -> tuple[np.ndarray, np.ndarray]:
    """For each correlation and bend what makes n periods independent, and half the log of the determinant."""
    t = np.arange(n, dtype=float)
    apart, u = np.abs(np.subtract.outer(t, t)), t / n
    first, last = np.minimum.outer(u, u), np.maximum.outer(u, u)
    # A trend whose slope walks at random: the integrated Wiener process of smoothing splines.
    bent = first**2 * (3 * last - first) / 2
    roots = np.linalg.cholesky(np.array([rho**apart + bend * bent for rho in _ECHOES for bend in _BENDS]))
    return np.linalg.inv(roots), np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)


def _explained(x: np.ndarray, y: np.ndarray, gap: np.ndarray, free: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gap, its variance and the restricted log-likelihood, for each correlation and each bend of the trend."""
    white, spread = _whiteners(len(y))
    u, v = white @ x, white @ y
    inner = np.swapaxes(u, 1, 2) @ u
    both = np.stack([np.einsum("kij,ki->kj", u, v), np.broadcast_to(gap, (len(u), len(gap)))], axis=2)
    beta, against = np.moveaxis(np.linalg.solve(inner, both), 2, 0)
    squares = np.maximum(((v - np.einsum("kij,kj->ki", u, beta)) ** 2).sum(axis=1), 1e-300)
    likelihood = -spread - 0.5 * np.linalg.slogdet(inner)[1] - 0.5 * free * np.log(squares)
    return beta @ gap, against @ gap * squares / free, likelihood


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
    if two_valued(np.concatenate([x, y])):
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
    enough(before, after, "answers")
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
    enough(both[both["_wave"] == 0], both[both["_wave"] == 1], "answers of known groups")
    values, wave = both["value"].to_numpy(float), both["_wave"].to_numpy(int)
    keys = np.array([f"{w}|{c}" for w, c in zip(wave, cell, strict=True)], dtype=object)
    parts = {f"{w}|{c}": (1 if w else -1) * weights[c] for c in weights for w in (0, 1)}
    value, error = contrast(values, keys, parts, clusters)
    start = sum(weights[c] * float(values[keys == f"0|{c}"].mean()) for c in weights)
    again = len(set(clusters[wave == 0]) & set(clusters[wave == 1]))
    shares = None
    if two_valued(values) and not again and len(weights) == 1:
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
