"""What moved value between two dates: by parameter, by customer, and against what had been predicted.

In: the customers and bases of two dates. Out: waterfalls that add up exactly; what came true of a prediction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import TableError
from ..core.maths import LEVEL, tail, years
from ..core.results import Estimate, Finding
from ..core.words import Words, capital

__all__ = ["REASONS", "Bridge", "Realised", "clv_bridge", "realised_against_predicted", "shapley", "value_drift"]

# Why a customer base is worth more or less than before.
REASONS = ("new", "bought again", "stayed", "no purchase since", "left", "data revised")


@dataclass(frozen=True, repr=False)
class Bridge(Finding):
    """A waterfall whose parts add up.

    Attributes
    ----------
    table : pandas.DataFrame
    text : str
    before, after : float
        Between which they add up, in the client's currency; missing where there is nothing to compare.
    """

    before: float = math.nan
    after: float = math.nan


@dataclass(frozen=True, repr=False)
class Realised(Finding):
    """What came against what had been predicted.

    Attributes
    ----------
    table : pandas.DataFrame
    text : str
    predicted, realised : float
        Of all customers together, in the client's currency.
    inside : bool
        Whether what came lies in the interval of what was predicted.
    bias : float
        What came over the sum of the customers' predictions, less 1.
    """

    predicted: float = math.nan
    realised: float = math.nan
    inside: bool = False
    bias: float = math.nan


_FACTORS = ("retention", "frequency", "basket", "margin", "cost_to_serve", "active", "mix", "rest")
_SAID = {"retention": "how long they stay", "frequency": "how often they buy", "basket": "what they spend each time", "margin": "the margin",
         "cost_to_serve": "the cost to serve", "active": "how many are still there", "mix": "which customers they are", "rest": "the rest"}  # fmt: skip


def shapley(
    value: Callable[[Mapping[str, Any]], float], before: Mapping[str, Any], after: Mapping[str, Any]
) -> pd.Series:
    """Divide the difference of a value among the things that changed: each one's mean effect over all orders.

    Parameters
    ----------
    value : callable
        Of a mapping of all factors to a number.
    before, after : mapping of factor to anything
        The same factors in both.

    Returns
    -------
    pandas.Series
        Factor to its part; they add up to ``value(after) - value(before)`` whatever the formula is.

    Raises
    ------
    ValueError
        With more than twelve factors, which have too many combinations.

    References
    ----------
    Shapley (1953), "A value for n-person games".

    Examples
    --------
    >>> shapley(lambda p: p["a"] * p["b"], {"a": 1.0, "b": 2.0}, {"a": 2.0, "b": 5.0}).to_dict()
    {'a': 3.5, 'b': 4.5}
    """
    names = list(before)
    n = len(names)
    if n > 12:
        raise ValueError(f"{n} factors have {2**n} combinations; put some together")
    known = {
        bits: float(value({k: (after if bits >> i & 1 else before)[k] for i, k in enumerate(names)}))
        for bits in range(2**n)
    }
    weight = [math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n) for size in range(n)]
    parts = {
        name: sum(
            weight[bits.bit_count()] * (known[bits | 1 << i] - known[bits]) for bits in range(2**n) if not bits >> i & 1
        )
        for i, name in enumerate(names)
    }
    return pd.Series(parts, dtype=float)


def clv_bridge(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    discount_rate: float,
    horizon: str | float | None = None,
    words: Words | None = None,
) -> Bridge:
    """Say which parameters moved the value of a customer, as a waterfall that adds up exactly.

    Parameters
    ----------
    before, after : pandas.DataFrame
        A row for each group: ``segment, customers, retention`` (a year, 0 to 1), ``frequency`` (purchases a year),
        ``basket`` (money per purchase), ``margin`` (share of revenue); optional ``cost_to_serve`` (money per purchase),
        ``active`` (the share still there) and ``clv``. ``Base.table`` is one. A group that is in one of them only
        counts with its parameters there, and without customers in the other.
    discount_rate : float
        A year, effective, as a fraction.
    horizon : str or number of days, optional
        Paid from moment to moment; without one, yearly payments at the start of each year for ever.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    Bridge
        ``factor, part``: ``retention, frequency, basket, margin``, where they changed ``cost_to_serve`` and ``active``,
        ``mix``, which is the groups' shares of customers, and ``rest``, which is what ``clv`` has beyond these
        parameters. ``part`` is money per customer; the parts add up from ``before`` to ``after``.

    Raises
    ------
    TableError
        When ``segment, customers, retention, frequency, basket`` or ``margin`` is missing.

    Notes
    -----
    ``shapley`` over active x frequency x (basket x margin - cost_to_serve) x (1 + d) / (1 + d - retention), d the
    discount rate; with a horizon the last factor is the integral of retention^t (1 + d)^-t.

    References
    ----------
    Shapley (1953), "A value for n-person games"; formula: Fader and Hardie (2012), note 024, "Reconciling and
    clarifying CLV formulas".

    Examples
    --------
    >>> old = pd.DataFrame({"segment": ["all"], "customers": 1, "retention": 0.8, "frequency": 3.0, "basket": 50.0})
    >>> old = old.assign(margin=0.4)
    >>> new = old.assign(frequency=3.3, basket=52.0, retention=0.82)
    >>> clv_bridge(old, new, discount_rate=0.1).table.round(3).to_dict("list")
    {'factor': ['retention', 'frequency', 'basket'], 'part': [16.835, 23.247, 9.575]}
    """
    words, ahead = words or Words("XXX"), math.inf if horizon is None else years(horizon)
    first, second = _side(before, after), _side(after, before)

    def value(p: Mapping[str, Any]) -> float:
        worth = _formula({k: p.get(k, fixed) for k, fixed in first.items()}, discount_rate, ahead)
        return float(p["mix"] @ (worth * p["rest"]))

    for side in (first, second):
        side["rest"] = _rest(side, discount_rate, ahead)
    moved = {k for k in _FACTORS if not np.allclose(first[k], second[k], rtol=1e-12, atol=1e-15)}
    parts = shapley(
        lambda p: value({**first, **p}),
        {k: first[k] for k in _FACTORS if k in moved},
        {k: second[k] for k in _FACTORS if k in moved},
    )
    table = pd.DataFrame({"factor": list(parts.index), "part": parts.to_numpy()})
    start, end = value(first), value(second)
    return Bridge(table, _say_bridge(table, start, end, words), start, end)


def _side(own: pd.DataFrame, other: pd.DataFrame) -> dict[str, np.ndarray]:
    """One date's parameters for the groups of both."""
    missing = [c for c in ("segment", "customers", "retention", "frequency", "basket", "margin") if c not in own]
    if missing:
        raise TableError(f"a bridge needs the column {missing[0]!r}; there are: {', '.join(map(str, own.columns))}")
    names = sorted(set(own["segment"].astype(str)) | set(other["segment"].astype(str)))
    here, there = (t.assign(segment=t["segment"].astype(str)).set_index("segment") for t in (own, other))
    size = here["customers"].reindex(names).fillna(0.0).to_numpy(float)
    side = {"mix": size / size.sum()}
    for column, usual in (
        ("retention", 0.0),
        ("frequency", 0.0),
        ("basket", 0.0),
        ("margin", 0.0),
        ("cost_to_serve", 0.0),
        ("active", 1.0),
        ("clv", np.nan),
    ):
        mine = here[column] if column in here else pd.Series(usual, index=here.index)
        theirs = there[column] if column in there else pd.Series(usual, index=there.index)
        side[column] = mine.reindex(names).fillna(theirs.reindex(names)).fillna(usual).to_numpy(float)
    return side


def _formula(p: Mapping[str, np.ndarray], discount_rate: float, ahead: float) -> np.ndarray:
    """What a customer of each group is worth by its parameters."""
    yearly = p["active"] * p["frequency"] * (p["basket"] * p["margin"] - p["cost_to_serve"])
    if math.isinf(ahead):
        return np.asarray(yearly * (1 + discount_rate) / (1 + discount_rate - p["retention"]))
    fade = -np.log(np.clip(p["retention"], 1e-12, 1.0)) + math.log1p(discount_rate)
    return np.asarray(
        yearly * np.where(fade > 1e-12, -np.expm1(-fade * ahead) / np.where(fade > 1e-12, fade, 1.0), ahead)
    )


def _rest(side: Mapping[str, np.ndarray], discount_rate: float, ahead: float) -> np.ndarray:
    """What the value as it was computed has beyond the formula, as a factor; 1 where nothing is known."""
    by_formula = _formula(side, discount_rate, ahead)
    good = np.isfinite(side["clv"]) & (np.abs(by_formula) > 1e-12)
    return np.where(good, side["clv"] / np.where(good, by_formula, 1.0), 1.0)


def _say_bridge(table: pd.DataFrame, start: float, end: float, words: Words) -> str:
    text = f"A customer's expected value went from {words.money(start)} to {words.money(end)} on average."
    if table.empty:
        return text + " No parameter changed."
    order = table.reindex(table["part"].abs().sort_values(ascending=False, kind="stable").index)
    said = ", ".join(f"{_SAID[r.factor]} {_signed(r.part, words)}" for r in order.itertuples())
    return f"{text} Of this: {said}."


def _signed(value: float, words: Words) -> str:
    return ("+" if value > 0 else "") + words.money(value)


# ---------------------------------------------------------------------------------------- by customer


def value_drift(
    before: pd.DataFrame, after: pd.DataFrame, *, known_then: pd.Series, words: Words | None = None
) -> Bridge:
    """Say why the customers together are worth more or less than at the earlier date: who came, lapsed, was re-rated.

    Parameters
    ----------
    before, after : CLV
        ``customer_id, clv, historic_value, purchases``; of a subscription ``p_alive`` tells who has left.
    known_then : pandas.Series
        Each customer's historic value up to the earlier date, as today's data have it, in the client's currency;
        indexed by ``customer_id``.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    Bridge
        ``reason, customers, change`` (client's currency): of a shop ``new`` (first bought since), ``bought again`` and
        ``no purchase since``; of a subscription (``after`` has the column ``plan``) ``new``, ``stayed`` and ``left``;
        of both ``data revised`` (gone from the data, or with another history than they had). The changes add up from
        ``before`` to ``after``.

    Examples
    --------
    >>> old = pd.DataFrame({"customer_id": ["a", "b"], "clv": [10.0, 8.0], "historic_value": 5.0, "purchases": 1})
    >>> new = pd.DataFrame({"customer_id": ["a", "b", "c"], "clv": [14.0, 3.0, 9.0], "purchases": [2, 1, 1]})
    >>> new["historic_value"] = [9.0, 5.0, 4.0]
    >>> value_drift(old, new, known_then=pd.Series({"a": 5.0, "b": 5.0})).table
                  reason  customers  change
    0                new          1     9.0
    1       bought again          1     4.0
    2  no purchase since          1    -5.0
    """
    words = words or Words("XXX")
    old, new = (t.drop_duplicates("customer_id").set_index("customer_id") for t in (before, after))
    ids = old.index.union(new.index)
    change = new["clv"].reindex(ids).fillna(0.0) - old["clv"].reindex(ids).fillna(0.0)
    then, now = old["historic_value"].reindex(ids), known_then.reindex(ids)
    same = (then - now).abs() <= 1e-6 * then.abs().clip(lower=1.0)
    there = pd.Series(ids.isin(old.index), index=ids)
    if "plan" in new:
        went_on = new["p_alive"].reindex(ids).fillna(0) > 0
    else:
        went_on = new["purchases"].reindex(ids) > old["purchases"].reindex(ids)
    reason = np.select(
        [~there & now.isna(), there & ~ids.isin(new.index), ~there, ~same, went_on],
        ["new", "data revised", "data revised", "data revised", "bought again" if "plan" not in new else "stayed"],
        "no purchase since" if "plan" not in new else "left",
    )
    table = (
        pd.DataFrame({"reason": reason, "change": change.to_numpy(float)})
        .groupby("reason")["change"]
        .agg(["size", "sum"])
    )
    order = [r for r in REASONS if r in table.index]
    table = table.loc[order].reset_index().set_axis(["reason", "customers", "change"], axis=1)
    start, end = float(old["clv"].sum()), float(new["clv"].sum())
    said = "; ".join(
        f"{r.reason}, {words.counted(r.customers, 'customer')}: {_signed(r.change, words)}" for r in table.itertuples()
    )
    text = f"What customers are still to bring went from {words.money(start)} to {words.money(end)}. {capital(said)}."
    return Bridge(table, text, start, end)


# ------------------------------------------------------------------------------------ against the prediction


def realised_against_predicted(
    predicted: pd.Series, realised: pd.Series, total: Estimate, *, groups: int = 10, words: Words | None = None
) -> Realised:
    """Hold what customers brought since against what had been predicted of them.

    Parameters
    ----------
    predicted : pandas.Series
        Per customer, indexed by ``customer_id``, as it was predicted then.
    realised : pandas.Series
        Per customer; those who are missing brought nothing.
    total : Estimate
        The prediction of all together, with its interval.
    groups : int
        Of equal size, from those of whom least was expected to those of whom most was.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    Realised
        ``group, customers, predicted, realised, low, high``: means per customer in the client's currency, the interval
        of what was realised (90 %). Groups with fewer than two customers are left out. ``predicted``
        (``total.value``), ``realised``, ``inside`` and ``bias`` are those of all together.

    Raises
    ------
    TableError
        When no customer has a prediction.

    Examples
    --------
    >>> predicted = pd.Series(range(40), index=[str(k) for k in range(40)], dtype=float)
    >>> total = Estimate(780.0, 700.0, 860.0, 0.9, 40, "example")
    >>> found = realised_against_predicted(predicted, predicted + 1, total, groups=2)
    >>> found.table.round(2)
       group  customers  predicted  realised    low   high
    0      1         20        9.5      10.5   8.32  12.68
    1      2         20       29.5      30.5  28.32  32.68
    >>> found.inside, round(found.bias, 3)
    (True, 0.051)
    """
    words = words or Words("XXX")
    if predicted.empty:
        raise TableError("no customer has a prediction to compare with")
    came = realised.reindex(predicted.index).fillna(0.0)
    order = predicted.rank(method="first").to_numpy()
    at = np.minimum((order - 1) * groups // len(predicted), groups - 1).astype(int)
    rows = []
    for k in range(groups):
        p, y = predicted.to_numpy(float)[at == k], came.to_numpy(float)[at == k]
        if len(y) > 1:
            half = tail(LEVEL) * y.std(ddof=1) / math.sqrt(len(y))
            rows.append((k + 1, len(y), p.mean(), y.mean(), y.mean() - half, y.mean() + half))
    table = pd.DataFrame(rows, columns=["group", "customers", "predicted", "realised", "low", "high"])
    sums = float(predicted.sum()), float(came.sum())
    bias = sums[1] / sums[0] - 1 if sums[0] else math.nan
    inside = bool(total.low <= sums[1] <= total.high)
    rank = float(table["predicted"].corr(table["realised"], method="spearman")) if len(table) > 2 else math.nan
    text = (
        f"Of {words.counted(len(predicted), 'customer')} {words.money(total.value)} was predicted ({words.share(total.level)} range "
        f"{words.money(total.low)} to {words.money(total.high)}), and {words.money(sums[1])} came: "
        + (
            "inside the range."
            if inside
            else f"outside it, {words.share(abs(bias))} {'more' if bias > 0 else 'less'} than predicted."
        )
    )
    if math.isfinite(rank):
        text += (
            " Those of whom more was expected brought more."
            if rank > 0.8
            else " Who brings more was not told apart well: the order of the groups is not the predicted one."
        )
    return Realised(table, text, total.value, sums[1], inside, bias)
