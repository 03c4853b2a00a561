"""Where a budget does most: spending divided over segments, ceilings, and the list of who to contact.

In: gains and costs per segment, or a CLV table. Out: ``Finding`` with the plan; the list carries its own random holdout.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from ..core.errors import TableError
from ..core.results import Finding
from ..core.words import Words
from ..experiments.planning import draw

__all__ = ["Allocation", "allocate", "investment_map", "spend_ceilings", "target_list"]


@dataclass(frozen=True, repr=False)
class Allocation(Finding):
    """A divided budget.

    Attributes
    ----------
    table : pandas.DataFrame
    text : str
    shadow_price : float
        What one more unit of budget would bring net.
    """

    shadow_price: float = 0.0


def allocate(
    options: pd.DataFrame,
    budget: float,
    *,
    how: str = "share",
    cautious: bool = False,
    most: float = 1.0,
    words: Words | None = None,
) -> Allocation:
    """Divide a budget over options so that the net gain is largest; nothing is ever spent at a loss.

    Parameters
    ----------
    options : pandas.DataFrame
        ``segment, customers, gain, cost`` (money per customer), from ``segment_gains``. Optional: ``scenario`` with
        ``size``, since a customer is reached by one scenario only, out of ``size`` of a segment; ``fixed``, due once
        for a scenario, however few it reaches (``share`` alone); ``gain_cautious`` for the cautious plan; ``half`` for
        ``concave``, the spend per customer at which half of the gain is reached (``cost`` where left out).
    budget : float
        In the client's currency, 0 or more.
    how : "share", "whole" or "concave"
        ``share``: any part of a segment can be reached (linear programme). ``whole``: a segment with all its customers
        or not at all (integer programme). ``concave``: the more is spent on a segment, the less each further unit
        brings; one option for each segment.
    cautious : bool
        Plan by what four cases of five exceed instead of the mean.
    most : float
        The largest share of the budget that one segment may get.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    Allocation
        The rows of ``options`` with ``reached`` (customers; with ``concave`` all of a segment that gets any),
        ``spend``, ``brings``, ``net``; ``shadow_price`` is what one more unit of budget would bring net.

    Raises
    ------
    TableError
        When a column or a number is missing, a cost is below 0, ``fixed`` is given without ``scenario`` or with another
        ``how`` than ``share``, or a segment occurs twice or has no ``half`` above 0 with ``concave``.
    ValueError
        For a budget below 0, ``most`` not above 0 and up to 1, or a ``how`` that is not known.

    Notes
    -----
    ``share`` is a fractional knapsack, ``whole`` a 0-1 knapsack, both solved by HiGHS. ``concave`` brings gain (1 -
    2^(-spend / half)) per customer and has equal marginal returns.

    References
    ----------
    Fractional knapsack: Dantzig (1957), *Operations Research* 5(2): 266-288; HiGHS: Huangfu and Hall (2018),
    *Mathematical Programming Computation* 10: 119-142; equal marginal returns: Everett (1963), *Operations Research*
    11(3): 399-417.

    Examples
    --------
    >>> options = pd.DataFrame({"segment": list("abc"), "customers": [400, 150, 1000], "gain": [9, 30, 4]})
    >>> plan = allocate(options.assign(cost=[5, 12, 3]), 3000)
    >>> plan.table["reached"].round(6).tolist(), round(float(plan.table["net"].sum()), 6)
    ([240.0, 150.0, 0.0], 3660.0)
    >>> round(plan.shadow_price, 3)
    0.8
    """
    words = words or Words("XXX")
    table = _options(options, cautious)
    if not budget >= 0 or not 0 < most <= 1:
        raise ValueError(f"budget must not be below 0 and most lie in 0..1, got {budget} and {most}")
    solve = {"share": _by_share, "whole": _whole, "concave": _concave}.get(how)
    if solve is None:
        raise ValueError(f"how must be share, whole or concave, got {how!r}")
    if how != "share" and "fixed" in table and (table["fixed"] > 0).any():
        raise TableError(f"fixed costs work with how='share' alone, not {how!r}")
    reached, brings, price = solve(table, float(budget), most)
    spend = _spend(table, reached, how)
    out = options.reset_index(drop=True).assign(
        reached=table["customers"].where(reached > 0, 0.0) if how == "concave" else reached,
        spend=spend, brings=brings, net=brings - spend,
    )  # fmt: skip
    price = float(price)
    spent, net = float(spend.sum()), float(out["net"].sum())
    if spent >= budget - 1e-6 > 0:
        return Allocation(out, _say_plan(out, budget, words, price), price)
    # what is left over may be too little for a lever with a fixed cost: a plan with money enough for all that pays tells
    ample = spent + float((table["gain"].clip(lower=0) * table["customers"]).sum()) / most
    reached, brings, _ = solve(table, ample, most)
    spend = _spend(table, reached, how)
    enough, more = float(spend.sum()), float((brings - spend).sum()) - net
    return Allocation(out, _say_plan(out, budget, words, price, enough, more), price)


def _spend(table: pd.DataFrame, found: np.ndarray, how: str) -> np.ndarray:
    """What a solution costs by option: a concave one is told in money, the others in customers."""
    if how == "concave":
        return found
    each = found * table["cost"].to_numpy(float)
    return each + _fixed_share(table, found) if how == "share" else each


def _options(options: pd.DataFrame, cautious: bool) -> pd.DataFrame:
    need = ["segment", "customers", "gain", "cost", *(["gain_cautious"] if cautious else [])]
    lacking = [c for c in need if c not in options]
    if lacking:
        raise TableError(
            f"options to allocate need the column {lacking[0]!r}; they have: {', '.join(map(str, options.columns))}"
        )
    table = options.reset_index(drop=True).copy()
    if cautious:
        table["gain"] = table["gain_cautious"]
    if table.empty or table[need[1:]].isna().any(axis=None):
        raise TableError("options to allocate need at least one row, and numbers for customers, gain and cost in each")
    if "fixed" in table and "scenario" not in table:
        raise TableError("fixed costs are due for a scenario: options with `fixed` need the column 'scenario'")
    if (table["cost"] < 0).any() or (table["customers"] < 0).any():
        raise TableError("costs and customers of an option must not be below 0")
    return table


def _limits(table: pd.DataFrame, budget: float, most: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows ``a x <= b``: the budget; each segment's customers once; each segment's share of the budget."""
    cost = table["cost"].to_numpy(float)
    names, size = table["segment"].astype(str), "size" if "size" in table else "customers"
    rows, ends = [cost], [budget]
    if names.duplicated().any() or most < 1:
        for name in names.unique():
            inside = (names == name).to_numpy(float)
            if inside.sum() > 1:
                rows, ends = [*rows, inside], [*ends, float(table.loc[names == name, size].max())]
            if most < 1:
                rows, ends = [*rows, inside * cost], [*ends, most * budget]
    return np.array(rows), np.array(ends)


def _by_share(table: pd.DataFrame, budget: float, most: float) -> tuple[np.ndarray, np.ndarray, float]:
    """A linear programme; where scenarios have fixed costs, an integer one first says which of them to take up."""
    gain, cost = table["gain"].to_numpy(float), table["cost"].to_numpy(float)
    top = np.where(gain > cost, table["customers"].to_numpy(float), 0.0)  # what loses is never bought
    if "fixed" in table and (table["fixed"] > 0).any():
        taken = _taken_up(table, gain - cost, top, budget, most)
        fixed = table["fixed"].to_numpy(float)
        names = table["scenario"].astype(str).to_numpy()
        budget -= sum(fixed[names == s].max() for s in set(names[taken]))
        top = np.where(taken, top, 0.0)
    reached, price = _linear(table, gain - cost, top, budget, most)
    return reached, reached * gain, price


def _linear(
    table: pd.DataFrame, net: np.ndarray, top: np.ndarray, budget: float, most: float
) -> tuple[np.ndarray, float]:
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix

    rows, ends = _limits(table, budget, most)
    found = linprog(
        -net, A_ub=csr_matrix(rows), b_ub=ends, bounds=np.column_stack([np.zeros(len(top)), top]), method="highs"
    )
    return np.clip(found.x, 0, top), -float(found.ineqlin.marginals[0])


def _taken_up(table: pd.DataFrame, net: np.ndarray, top: np.ndarray, budget: float, most: float) -> np.ndarray:
    """Which options' scenarios are worth their fixed cost."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    names = table["scenario"].astype(str)
    some = list(names.unique())
    member = np.array([[float(n == s) for s in some] for n in names])
    fixed = table.groupby("scenario", sort=False)["fixed"].max().reindex(some).to_numpy(float)
    rows, ends = _limits(table, budget, most)
    upper = np.hstack([rows, np.zeros((len(rows), len(some)))])
    upper[0, len(net) :] = fixed
    only = np.hstack([np.eye(len(net)), -member * top[:, None]])  # nobody is reached by what is not taken up
    found = milp(np.r_[-net, fixed], constraints=[LinearConstraint(upper, -np.inf, ends), LinearConstraint(only, -np.inf, 0.0)],
                 integrality=np.r_[np.zeros(len(net)), np.ones(len(some))], bounds=Bounds(0, np.r_[top, np.ones(len(some))]))  # fmt: skip
    on = np.round(found.x[len(net) :]) > 0.5 if found.x is not None else np.zeros(len(some), dtype=bool)
    return np.asarray(member @ on > 0.5)


def _fixed_share(table: pd.DataFrame, reached: np.ndarray) -> np.ndarray:
    """Each option's part of its scenario's fixed cost, by the customers it reaches."""
    if "fixed" not in table:
        return np.zeros(len(table))
    total = pd.Series(reached).groupby(table["scenario"].to_numpy()).transform("sum").to_numpy(float)
    return np.asarray(
        np.where(total > 0, table["fixed"].to_numpy(float) * reached / np.where(total > 0, total, 1.0), 0.0)
    )


def _whole(table: pd.DataFrame, budget: float, most: float) -> tuple[np.ndarray, np.ndarray, float]:
    from scipy.optimize import Bounds, LinearConstraint, milp

    gain, cost, n = (table[c].to_numpy(float) for c in ("gain", "cost", "customers"))
    net = (gain - cost) * n
    rows, ends = _limits(table, budget, most)
    each = rows * n  # all customers of an option or none
    found = milp(-net, constraints=LinearConstraint(each, -np.inf, ends), integrality=np.ones(len(n)),
                 bounds=Bounds(0, (net > 0).astype(float)))  # fmt: skip
    taken = np.round(found.x) if found.x is not None else np.zeros(len(n))
    more = milp(-net, constraints=LinearConstraint(each, -np.inf, np.r_[ends[0] * 1.01 + 1e-9, ends[1:]]), integrality=np.ones(len(n)),
                bounds=Bounds(0, (net > 0).astype(float)))  # fmt: skip
    price = max(0.0, (found.fun - more.fun) / (0.01 * budget)) if budget > 1e-6 and more.x is not None else 0.0
    return taken * n, taken * n * gain, price


def _concave(table: pd.DataFrame, budget: float, most: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Equal marginal returns: gain (1 - exp(-k spend / customers)) each, found by halving the price of a unit of budget."""
    if table["segment"].duplicated().any():
        raise TableError("concave responses need one option for each segment")
    n, top = table["customers"].to_numpy(float), np.maximum(table["gain"].to_numpy(float), 0.0)
    half = table["half"].to_numpy(float) if "half" in table else table["cost"].to_numpy(float)
    if (half <= 0).any():
        raise TableError("concave responses need a spend per customer above 0 at which half of the gain is reached")
    k = np.log(2) / half

    def spend(price: float) -> np.ndarray:
        with np.errstate(divide="ignore"):
            each = np.log(np.maximum(top * k / price, 1e-300)) / k
        return np.minimum(np.maximum(each, 0.0) * n, most * budget if most < 1 else np.inf)

    low, high = (
        1.0,
        max(1.0, float((top * k).max(initial=0.0))),
    )  # below 1 a unit of budget would bring less than itself
    if spend(low).sum() <= budget:
        high = low
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if spend(middle).sum() > budget else (low, middle)
    x = spend(high)
    with np.errstate(divide="ignore", invalid="ignore"):
        brings = np.where(n > 0, n * top * -np.expm1(-k * x / np.maximum(n, 1e-300)), 0.0)
    return x, brings, high - 1


def _say_plan(
    table: pd.DataFrame, budget: float, words: Words, price: float, enough: float = 0.0, more: float = 0.0
) -> str:
    """The plan in words; ``enough`` is the budget beyond which nothing pays, and ``more`` its further net gain."""
    spent, net = float(table["spend"].sum()), float(table["net"].sum())
    parts = table[table["reached"] > 1e-9].sort_values("spend", ascending=False)
    beyond = (
        f"a budget of {words.money(enough)} would add a net gain of {words.money(more)}" if more > 0.001 * net else ""
    )
    if parts.empty:
        if beyond:
            return f"Nothing is spent: nothing that pays fits into {words.money(budget)}; {beyond}."
        return f"Nothing is spent: of {words.money(budget)} no part would come back."
    named = _named(parts, words)
    text = f"Of {words.money(budget)}, {words.money(spent)} is spent for a net gain of {words.money(net)}: {named}."
    if spent >= budget - 1e-6:
        return text + (
            f" One more unit of budget would bring {words.money(price, digits=2)} net." if price > 1e-6 else ""
        )
    if beyond:
        return f"{text} Nothing else that pays fits into the rest; {beyond}."
    return f"{text} More budget would bring nothing more."


def _named(parts: pd.DataFrame, words: Words) -> str:
    """What is spent on what: levers with the segments they reach, the dearest first."""
    if "scenario" not in parts:
        return ", ".join(f"{words.money(r.spend)} on {r.segment}" for r in parts.itertuples())
    said = []
    for scenario, rows in sorted(parts.groupby("scenario"), key=lambda g: -g[1]["spend"].sum()):
        where = [s for s in rows["segment"].astype(str) if not s.endswith(f", {scenario}")]
        said.append(f"{words.money(rows['spend'].sum())} on {scenario}" + (f" ({', '.join(where)})" if where else ""))
    return "; ".join(said)


def spend_ceilings(gains: pd.DataFrame) -> pd.DataFrame:
    """Return the most that may be spent on one customer of each segment: its best option's gain, where that is above 0.

    Parameters
    ----------
    gains : pandas.DataFrame
        From ``segment_gains``: ``segment, gain, gain_cautious, scenario, by_customer``; only levers that can be given
        to some customers and not to others are looked at.

    Returns
    -------
    pandas.DataFrame
        ``segment, ceiling, cautious, scenario``: money per customer of the segment over the horizon, not below 0, by
        the mean and by what four cases of five exceed.

    Examples
    --------
    >>> gains = pd.DataFrame({"segment": ["Loyal", "New"], "scenario": "replies", "by_customer": True})
    >>> spend_ceilings(gains.assign(gain=[4.0, 1.0], gain_cautious=[2.0, -0.5]))
      segment  ceiling  cautious scenario
    0   Loyal      4.0       2.0  replies
    1     New      1.0       0.0  replies
    """
    gains = gains[~gains["segment"].astype(str).str.startswith("newcomers, ") & gains["by_customer"]]
    best = gains.sort_values("gain", ascending=False, kind="stable").drop_duplicates("segment")
    out = best.assign(ceiling=best["gain"].clip(lower=0), cautious=best["gain_cautious"].clip(lower=0))
    return out[["segment", "ceiling", "cautious", "scenario"]].reset_index(drop=True)


def investment_map(base: pd.DataFrame, spend: pd.Series | dict[str, float], *, words: Words | None = None) -> Finding:
    """Hold each segment's share of spending against its share of value.

    Parameters
    ----------
    base : pandas.DataFrame
        ``segment, customers, clv`` (per customer), as in ``Base.table``.
    spend : mapping of segment to money
        In one currency; segments that are not named get nothing.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    Finding
        ``segment, share_of_value, share_of_spend, ratio, reading``: ``over`` where a segment gets more than one and a
        half times its share of value, ``under`` below two thirds, limits that are clvnb's judgement. Without any
        spending the table is empty and the text says so.

    Notes
    -----
    Value at stake is no proof that spending moves it.

    Examples
    --------
    >>> base = pd.DataFrame({"segment": ["Loyal", "New"], "customers": [100, 300], "clv": [60.0, 10.0]})
    >>> found = investment_map(base, {"Loyal": 500.0, "New": 2_500.0})
    >>> found.table[["segment", "share_of_value", "share_of_spend", "reading"]].round(3)
      segment  share_of_value  share_of_spend reading
    0   Loyal           0.667           0.167   under
    1     New           0.333           0.833    over
    """
    words = words or Words("XXX")
    value = (base["customers"] * base["clv"]).to_numpy(float)
    paid = base["segment"].map(dict(spend)).fillna(0.0).to_numpy(float)
    if paid.sum() <= 0:
        return Finding(pd.DataFrame(), "No spending on customers is known, so it cannot be held against their value.")
    table = pd.DataFrame(
        {"segment": base["segment"], "share_of_value": value / value.sum(), "share_of_spend": paid / paid.sum()}
    )
    table["ratio"] = table["share_of_spend"] / table["share_of_value"].where(table["share_of_value"] > 0)
    table["reading"] = np.select([table["ratio"] > 1.5, table["ratio"] < 2 / 3], ["over", "under"], "in proportion")
    over = table[table["reading"] == "over"]["segment"]
    under = table[(table["reading"] == "under") & (table["share_of_value"] > 0.05)]["segment"]
    text = (
        f"More than their share of value is spent on {', '.join(over)}."
        if len(over)
        else "No segment gets far more than its share of value."
    )
    text += f" Less is spent on {', '.join(under)}." if len(under) else ""
    return Finding(table, text)


def target_list(
    customers: pd.DataFrame,
    gains: pd.DataFrame,
    *,
    initiative: str,
    start: date | str,
    budget: float | None = None,
    opted_out: Collection[str] = (),
    open_cases: Collection[str] = (),
    contacted: Collection[str] = (),
    holdout: float = 0.1,
    seed: int = 1,
    words: Words | None = None,
) -> Finding:
    """Choose who to contact by what it adds, and keep a random part back so that the effect can be measured.

    Parameters
    ----------
    customers : CLV
        ``customer_id, clv, segment``.
    gains : pandas.DataFrame
        One scenario's rows of ``segment_gains``: ``segment, gain, cost`` (money per customer). What it adds within a
        segment is divided in proportion to value.
    initiative : str
        Its name, kept with the list.
    start : date
        The day it begins: nothing after it may choose who is treated.
    budget : float, optional
        In the client's currency: the expected cost of those who remain after the holdout stays within it. Without one,
        everybody whose gain exceeds the cost.
    opted_out, open_cases, contacted : collections of customer_id
        Who must not be contacted; whose complaint comes first; who was contacted as often as is allowed.
    holdout : float
        Share of the chosen who are not contacted, drawn at random.
    seed : int
        Of the random draws.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    Finding
        ``initiative, start, customer_id, group`` (``treated``, ``holdout``, ``fix first``), ``cost, planned`` (the
        share of the first two that is treated), ``seed`` (from which step 4 makes the draw again), ``segment, gain``,
        best first. It holds ids and no contact data; saved as csv it is an ``initiatives`` source of the next cycle.

    Raises
    ------
    TableError
        When ``customer_id``, ``clv`` or ``segment`` is missing.
    ValueError
        When ``holdout`` is not between 0 and 1.

    References
    ----------
    Choosing by what is added, not by risk: Ascarza (2018), *Journal of Marketing Research* 55(1): 80-98.

    Examples
    --------
    >>> customers = pd.DataFrame({"customer_id": [f"{k:02d}" for k in range(20)], "clv": 50.0, "segment": "Loyal"})
    >>> gains = pd.DataFrame({"segment": ["Loyal"], "gain": [4.0], "cost": [1.5]})
    >>> chosen = target_list(customers, gains, initiative="replies", start="2025-02-01")
    >>> chosen.table["group"].value_counts().to_dict()
    {'treated': 18, 'holdout': 2}
    """
    words = words or Words("XXX")
    if not 0 < holdout < 1:
        raise ValueError(f"holdout must lie between 0 and 1, got {holdout}: without one nothing can be measured")
    for name in ("customer_id", "clv", "segment"):
        if name not in customers:
            raise TableError(f"the target list needs the column {name!r} of step 1's customers")
    per = gains.drop_duplicates("segment").set_index("segment")
    table = customers[["customer_id", "segment", "clv"]].drop_duplicates("customer_id").dropna(subset=["clv"])
    mean = table.groupby("segment")["clv"].transform("mean")
    share = np.where(mean > 0, table["clv"] / mean.where(mean > 0), 1.0)
    table = table.assign(
        gain=table["segment"].map(per["gain"]).astype(float) * share,
        cost=table["segment"].map(per["cost"]).astype(float),
    )
    barred = table["customer_id"].isin(set(opted_out)) | table["customer_id"].isin(set(contacted))
    pays = table["gain"] > table["cost"]
    chosen = table[pays & ~barred].assign(first=lambda t: t["customer_id"].isin(set(open_cases)))
    chosen = chosen.assign(net=chosen["gain"] - chosen["cost"]).sort_values(
        ["net", "customer_id"], ascending=[False, True], kind="stable"
    )
    ready = chosen[~chosen["first"]]
    if budget is not None:
        ready = ready[ready["cost"].cumsum() * (1 - holdout) <= budget]
    order = np.argsort(draw(ready["customer_id"].astype(str).tolist(), initiative, seed), kind="stable")
    kept = np.zeros(len(ready), dtype=bool)
    kept[order[: round(holdout * len(ready))]] = True
    ready = ready.assign(group=np.where(kept, "holdout", "treated"))
    waiting = chosen[chosen["first"]].assign(group="fix first")
    out = pd.concat([ready, waiting], ignore_index=True)
    out["cost"] = out["cost"].where(out["group"] == "treated", 0.0)
    out = out.assign(initiative=initiative, start=str(start), planned=1 - holdout, seed=seed)
    out = out[["initiative", "start", "customer_id", "group", "cost", "planned", "seed", "segment", "gain"]]
    return Finding(out, _say_list(out, int((pays & barred).sum()), words))


def _say_list(table: pd.DataFrame, barred: int, words: Words) -> str:
    counts = table["group"].value_counts()
    treated, kept, first = (int(counts.get(g, 0)) for g in ("treated", "holdout", "fix first"))
    if not treated:
        return "Nobody is on the list: for no customer does the expected gain exceed the cost."
    gain, cost = (float(table.loc[table["group"] == "treated", c].sum()) for c in ("gain", "cost"))
    text = (
        f"{words.counted(treated, 'customer')} to contact at {words.money(cost)}, expected to bring {words.money(gain)}; {words.count(kept)} more, "
        "drawn at random, are left alone so that the difference can be measured."
    )
    if first:
        text += f" {words.counted(first, 'customer')} with an open case: settle it first."
    return text + (f" {words.counted(barred, 'customer')} who must not be contacted left out." if barred else "")
