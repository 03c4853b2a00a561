"""What if: what levers bring and cost, how sure that is, and which assumption drives it most.

In: a ``Base`` and scenarios, and where there is one a ``Link``. Out: SCENARIOS, with the sentences that read them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit, ndtr

from ..core.errors import TableError
from ..core.maths import LEVEL
from ..core.results import Estimate, Finding
from ..core.words import Words, capital
from ..value.newcomers import Newcomers
from .levers import CAUSED, DECIDED, OF_CUSTOMERS, OF_NEWCOMERS, Base, Lever, Scenario
from .link import Link

__all__ = ["break_even", "evaluate_scenarios", "evpi", "goal_seek", "plan_range", "segment_gains", "tornado"]

DRAWS = 1000


# -------------------------------------------------------------------------------------------- the engine


@dataclass(frozen=True)
class _Run:
    """Draws of what a scenario brings and costs: rows are segments."""

    gain: np.ndarray  # segment x draw, of all reached
    cost: np.ndarray  # segment x draw
    newcomers: np.ndarray  # draw
    fixed: float
    flow: np.ndarray  # by month: mean gain less mean cost
    reached: np.ndarray  # customers of each segment

    @property
    def net(self) -> np.ndarray:
        return np.asarray((self.gain - self.cost).sum(axis=0) + self.newcomers - self.fixed)


def _pert(span: tuple[float, float, float], rng: np.random.Generator, size: int) -> np.ndarray:
    """Draws between low and high that lean to the most likely value (PERT)."""
    low, mode, high = span
    if high == low:
        return np.full(size, float(mode))
    a, b = 1 + 4 * (mode - low) / (high - low), 1 + 4 * (high - mode) / (high - low)
    return low + (high - low) * rng.beta(a, b, size)


def _drawn(
    scenario: Scenario, rng: np.random.Generator, draws: int, scale: float, luck: np.ndarray
) -> list[dict[str, np.ndarray]]:
    """Each lever's effects as draws, thinned where it reaches fewer than the widest lever.

    What is decided, as a rebate, is neither scaled nor can it fail.
    """
    widest = max((lever.reach for lever in scenario.levers), default=0.0)
    found = []
    for lever in scenario.levers:
        part = lever.reach / widest if widest > 0 else 1.0
        works = _works(lever, luck, rng)
        own = {
            k: _pert(span, rng, draws) * (1.0 if k == "rebate" else scale) * (1.0 if k in DECIDED else works)
            for k, span in lever.effects.items()
        }
        found.append({k: v * (part if k in OF_CUSTOMERS else 1.0) for k, v in own.items()})
    return found


ALIKE = 0.3  # correlation of levers' luck: customers who do not care for one thing care less for the next


def _works(lever: Lever, luck: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """1 where a lever works as assumed, 0 where it does nothing, -1 where it harms."""
    own = math.sqrt(ALIKE) * luck + math.sqrt(1 - ALIKE) * rng.normal(size=len(luck))
    if (
        "price" in lever.effects or not lever.idle + lever.harmful > 0
    ):  # how customers take a price is in its range already
        return np.ones(len(luck))
    chance = ndtr(own)
    return np.where(chance < lever.harmful, -1.0, np.where(chance < lever.harmful + lever.idle, 0.0, 1.0))


def _strength(lever: Lever, t: np.ndarray) -> np.ndarray:
    """Which part of the effect is there at each moment: ramp, plateau, decay."""
    rise = np.minimum(1.0, t / lever.ramp_up) if lever.ramp_up > 0 else np.ones_like(t)
    top = min(1.0, lever.lasts / lever.ramp_up) if lever.ramp_up > 0 else 1.0
    after = np.maximum(0.0, t - lever.lasts)
    fall = 0.5 ** (after / lever.half_life) if lever.half_life > 0 else (after == 0).astype(float)
    return np.where(t <= lever.lasts, rise, top * fall)


def _combined(
    levers: Sequence[Lever], effects: list[dict[str, np.ndarray]], strength: np.ndarray, month: int, name: str
) -> Any:
    """Effects of one parameter from several levers: the strongest of each group; groups as a list."""
    groups: dict[str, Any] = {}
    for k, (lever, drawn) in enumerate(zip(levers, effects, strict=True)):
        if name not in drawn:
            continue
        now = drawn[name] * (float(month < lever.lasts * 12) if name == "rebate" else strength[k, month])
        key = lever.group or f"lever {k}"
        seen = groups.get(key)
        groups[key] = now if seen is None else np.where(np.abs(now) > np.abs(seen), now, seen)
    return list(groups.values())


def _run(
    base: Base,
    scenario: Scenario,
    link: Link | None,
    *,
    draws: int = DRAWS,
    seed: int = 1,
    scale: float = 1.0,
    stream: int = 0,
) -> _Run:
    """What a scenario brings and costs, for every draw; the same seed and stream give the same draws to every scenario.

    What is uncertain for all levers alike, the value of customers, the link and part of their luck, is the same in every
    stream.
    """
    rng = np.random.default_rng(seed)
    luck = np.random.default_rng([seed, 1 << 20]).normal(size=draws)
    effects = _drawn(scenario, np.random.default_rng([seed, stream]), draws, scale, luck)
    tie = _tie(link, scenario, rng, draws)
    worth = np.exp(rng.normal(-(base.spread**2) / 2, base.spread, draws)) if base.spread > 0 else np.ones(draws)
    chosen = base.table["segment"].isin(scenario.segments or list(base.table["segment"])).to_numpy(float)
    inside = base.table["customers"].to_numpy(float) * chosen
    reached = inside * max((lever.reach for lever in scenario.levers), default=0.0)
    gain, monthly = _walk(base, scenario, effects, tie)
    added, arriving = _newcomer_gain(base, scenario, effects, draws)
    added = added * worth
    fixed = sum(lever.fixed_cost for lever in scenario.levers)
    flow = (monthly * reached).sum(axis=1) + arriving
    flow -= _cost_flow(scenario, base, inside, len(monthly))
    flow[0] -= fixed
    cost = np.repeat((inside * _cost_each(scenario, base))[:, None], draws, axis=1)
    return _Run(gain * worth * reached[:, None], cost, added, fixed, flow, reached)


def _walk(
    base: Base, scenario: Scenario, effects: list[dict[str, np.ndarray]], tie: _Tie
) -> tuple[np.ndarray, np.ndarray]:
    """Go month by month through the horizon, with and without the levers.

    Returns what is gained per customer (segment x draw), and its mean by month (month x segment).
    """
    rows, months = base.table, max(1, round(base.years * 12))
    t = (np.arange(months) + 0.5) / 12
    strength = np.array([_strength(lever, t) for lever in scenario.levers])
    discount = np.exp(-math.log1p(base.discount_rate) * t)
    r0, f0, b0, gm, serve = (
        rows[c].to_numpy(float)[:, None] for c in ("retention", "frequency", "basket", "margin", "cost_to_serve")
    )
    plain = f0 * (b0 * gm - serve) / 12
    alive0, alive1, value0 = np.ones_like(r0), np.ones((len(rows), len(tie.beta))), np.zeros_like(r0)
    gain, monthly = np.zeros((len(rows), len(tie.beta))), np.empty((months, len(rows)))
    half0, half1, earned = r0 ** (1 / 24), np.zeros(0), np.zeros(0)  # to the middle of the month, and on
    lasting = np.array([np.arange(months) < lever.lasts * 12 for lever in scenario.levers])
    for k in range(months):
        if k == 0 or (strength[:, k] != strength[:, k - 1]).any() or (lasting[:, k] != lasting[:, k - 1]).any():
            look = {name: _combined(scenario.levers, effects, strength, k, name) for name in OF_CUSTOMERS}
            half1 = _retention(r0, f0, look, tie) ** (1 / 24)
            earned = f0 * _product(look["frequency"]) * _per_purchase(b0, gm, serve, look) / 12
        alive0, alive1 = alive0 * half0, alive1 * half1
        step = (alive1 * earned - alive0 * plain) * discount[k]
        gain, value0, monthly[k] = gain + step, value0 + alive0 * plain * discount[k], step.mean(axis=1)
        alive0, alive1 = alive0 * half0, alive1 * half1
    # Step 1's value per customer over this walk's: both begin from the same number.
    unit = np.nan_to_num(rows["clv"].to_numpy(float)[:, None] / np.where(value0 != 0, value0, np.nan))
    return gain * unit, monthly * unit[:, 0]


@dataclass(frozen=True)
class _Tie:
    """The link as scenarios use it: what a point does to the log-odds of staying through a window."""

    beta: np.ndarray  # draws
    years: float  # of the window
    purchases: float = math.nan  # how much more a point does to the odds of staying at a purchase; missing of contracts


def _tie(link: Link | None, scenario: Scenario, rng: np.random.Generator, draws: int) -> _Tie:
    """The link's draws; as many random numbers are used up with and without one."""
    at = rng.integers(0, 1 << 31, draws)
    if not any("satisfaction" in lever.effects for lever in scenario.levers):
        return _Tie(np.zeros(draws), 0.5)
    if link is None:
        raise TableError(
            f"the scenario {scenario.name!r} acts through satisfaction and needs a link; estimate one, or take prior_link()"
        )
    beta = np.asarray(link.caused[at % len(link.caused)])
    years = (link.window_days or 182) / 365.25
    if not link.answers or math.isnan(link.active):
        return _Tie(beta, years)
    # Whoever buys again within the window was still a customer when asked, and had stayed at the last purchase. So the odds to buy
    # again move less than those of having stayed, the more so the fewer of them were gone.
    bought = 1 - link.leavers / link.answers
    return _Tie(beta, years, (1 - bought) / max(1 - link.active, 0.05))


def _retention(r0: np.ndarray, f0: np.ndarray, look: Mapping[str, list[Any]], tie: _Tie) -> np.ndarray:
    """Yearly retention with the levers: on the logit scale, so that nothing adds up to more than one."""
    if not look["satisfaction"] and not look["retention"]:
        return r0
    safe = np.clip(r0, 1e-6, 1 - 1e-6)
    shift = sum((tie.beta * points for points in look["satisfaction"]), np.zeros_like(tie.beta))
    at = logit(_moved(safe, f0, shift, tie))
    for points in look["retention"]:
        at = at + logit(np.clip(safe + points, 1e-6, 1 - 1e-6)) - logit(safe)
    return np.asarray(expit(at))


def _moved(kept: np.ndarray, pace: np.ndarray, shift: np.ndarray, tie: _Tie) -> np.ndarray:
    """Yearly retention where the log-odds of the link's outcome move by ``shift``."""
    if math.isnan(tie.purchases):
        moved = expit(logit(kept**tie.years) + shift) ** (1 / tie.years)
    else:  # customers leave at purchases, each time with the same chance
        leaves = np.clip(-np.log(kept) / np.maximum(pace, 1e-9), 1e-6, 0.99)
        moved = kept ** (expit(logit(leaves) - tie.purchases * shift) / leaves)
    return np.clip(moved, 1e-9, 1 - 1e-9)


def _product(changes: list[Any]) -> Any:
    return np.prod([np.maximum(0.0, 1 + c) for c in changes], axis=0) if changes else 1.0


def _per_purchase(basket: np.ndarray, margin: np.ndarray, serve: np.ndarray, look: Mapping[str, list[Any]]) -> Any:
    """Contribution of one purchase with the levers."""
    size = basket * _product(look["basket"])
    price = _product(look["price"])
    points = sum(look["margin"]) if look["margin"] else 0.0
    given = 1 - np.prod([1 - g for g in look["rebate"]], axis=0) if look["rebate"] else 0.0
    rate = np.minimum(1.0, margin + points)
    return size * (price - 1 + rate) - size * price * given - serve * _product(look["cost_to_serve"])


def _cost_each(scenario: Scenario, base: Base) -> np.ndarray:
    """What the levers cost per customer of each segment, discounted; the fixed cost stands apart."""
    active, kept = (base.table[c].to_numpy(float) for c in ("active", "retention"))
    rate = math.log1p(base.discount_rate) - np.log(np.clip(kept, 1e-6, 1.0))  # of discount and of leaving together
    each = np.zeros(len(active))
    for lever in scenario.levers:
        years = min(lever.lasts, base.years)
        paid = np.where(rate > 1e-12, -np.expm1(-rate * years) / np.maximum(rate, 1e-12), years)
        each += lever.reach * (lever.cost_per_customer + lever.yearly_cost * active * paid)
    return each


def _cost_flow(scenario: Scenario, base: Base, inside: np.ndarray, months: int) -> np.ndarray:
    """The same by month."""
    flow, t = np.zeros(months), (np.arange(months) + 0.5) / 12
    there = (inside * base.table["active"].to_numpy(float)) @ base.table["retention"].to_numpy(float)[:, None] ** t
    there = there * np.exp(-math.log1p(base.discount_rate) * t)
    for lever in scenario.levers:
        flow[0] += inside.sum() * lever.reach * lever.cost_per_customer
        flow += there * lever.reach * lever.yearly_cost / 12 * (t <= lever.lasts)
    return flow


def _arrivals(lever: Lever, base: Base) -> np.ndarray:
    """By month, how much of a year's effect on newcomers falls into it, discounted: ramp, plateau and decay."""
    months = max(1, round(base.years * 12))
    t = (np.arange(months) + 0.5) / 12
    return np.asarray(_strength(lever, t) * np.exp(-math.log1p(base.discount_rate) * t) / 12)


def _newcomer_gain(
    base: Base, scenario: Scenario, effects: list[dict[str, np.ndarray]], draws: int
) -> tuple[np.ndarray, np.ndarray]:
    """What the levers add among newcomers, and its mean by month: savings when they arrive, value as it comes in."""
    new, months = base.newcomers, max(1, round(base.years * 12))
    total, flow = np.zeros(draws), np.zeros(months)
    for lever, drawn in zip(scenario.levers, effects, strict=True):
        if not set(drawn) & set(OF_NEWCOMERS):
            continue
        if new is None:
            raise TableError(f"the lever {lever.name!r} acts on new customers, and nothing is known of them")
        arriving = _arrivals(lever, base)
        people = new.per_year * arriving.sum()
        value, saved = _per_newcomer(new, drawn, draws)
        total = total + people * (value + saved)
        kept = float(np.average(base.table["retention"], weights=base.table["customers"])) ** (np.arange(months) / 12)
        later = np.convolve(arriving, kept / kept.sum())[:months]
        flow += new.per_year * (
            saved.mean() * arriving + value.mean() * later * arriving.sum() / max(later.sum(), 1e-12)
        )
    return total, flow


def _per_newcomer(new: Newcomers, drawn: Mapping[str, np.ndarray], draws: int) -> tuple[np.ndarray, np.ndarray]:
    """What a lever adds for each newcomer of the usual number: value over time, and money saved or spent at once."""
    value, saved = np.zeros(draws), np.zeros(draws)
    cost = new.cac if np.isfinite(new.cac) else 0.0
    if "activation" in drawn:
        room = 1 - new.activated if np.isfinite(new.activated) else 1.0
        value = value + np.minimum(drawn["activation"], room) * CAUSED * np.nan_to_num(
            new.activated_clv - new.other_clv
        )
    if "newcomers" in drawn:
        value, saved = value + drawn["newcomers"] * new.clv, saved - drawn["newcomers"] * cost
    if "newcomer_value" in drawn:
        value = value + drawn["newcomer_value"] * new.clv
    if "cac" in drawn:
        saved = saved - drawn["cac"] * cost
    return value, saved


# --------------------------------------------------------------------------------------------- public


def evaluate_scenarios(
    base: Base,
    scenarios: Sequence[Scenario],
    *,
    link: Link | None = None,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 1,
    words: Words | None = None,
) -> Finding:
    """Say what each scenario brings and costs, with its range and its probability of profit.

    Parameters
    ----------
    base : Base
        Where the scenarios start, from ``customer_base``.
    scenarios : sequence of Scenario
        Each by itself.
    link : Link, optional
        Needed by levers that act through satisfaction.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.
    draws, seed : int
        Number and seed of the draws: the same for every scenario, so that they can be compared.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    Finding
        SCENARIOS: ``scenario, customers, clv_before, clv_after, gain, gain_low, gain_high, cost, net, net_low,
        net_high, roi, p_profit, payback_years``; the best first. ``customers`` are those reached; ``clv_before`` and
        ``clv_after`` are means per customer reached; ``gain, cost, net`` with their ``_low`` and ``_high`` totals in
        the client's currency, discounted over the horizon. ``roi`` is (gain - cost) / cost as a fraction, missing
        without a cost; ``p_profit`` the share of draws with ``net`` above 0. ``payback_years`` is missing where gains
        never make up for the cost, or nothing is laid out.

    Raises
    ------
    TableError
        When a lever acts through satisfaction and no ``link`` is given, or on newcomers and ``base.newcomers`` is None.
    ValueError
        When ``level`` lies outside 0 to 1.

    Notes
    -----
    Effects are drawn from PERT distributions; a lever that may do nothing or harm (``Lever.idle``, ``Lever.harmful``)
    does so in that share of the draws, and levers share part of their luck (correlation 0.3). Satisfaction acts through draws of the link: of contracts on the log-odds of staying through its window; of a shop on
    the odds of staying at a purchase, of which the odds to buy again, where the link was found, show a part
    ((1 - active) / (1 - bought)). Points of retention act on the logit scale, so that levers together never exceed 1. Months are walked
    through the horizon with ramp-up, plateau and half-life. The uncertainty of step 1 (``base.spread``) scales all
    alike.

    References
    ----------
    PERT: Malcolm, Roseboom, Clark and Fazar (1959), *Operations Research* 7(5): 646-669.

    Examples
    --------
    >>> rows = {"segment": ["all"], "customers": 100, "active": 1.0, "retention": 0.8, "frequency": 4.0, "basket": 50.0}
    >>> rows |= {"margin": 0.4, "cost_to_serve": 0.0, "clv": 180.0}
    >>> base = Base(pd.DataFrame(rows), horizon="3 years", discount_rate=0.1)
    >>> lever = Lever("reminders", {"frequency": (0.05, 0.05, 0.05)}, ramp_up=0.0, lasts=3.0, yearly_cost=1.0)
    >>> more = Scenario("reminders", (lever,))
    >>> evaluate_scenarios(base, [more]).table[["scenario", "gain", "cost", "net"]].round(1)
        scenario   gain   cost    net
    0  reminders  900.0  193.2  706.8
    """
    words = words or Words("XXX")
    rows = []
    for scenario in scenarios:
        run = _run(base, scenario, link, draws=draws, seed=seed)
        gain = run.gain.sum(axis=0) + run.newcomers
        cost = float(run.cost.sum(axis=0).mean() + run.fixed)
        n = float(run.reached.sum())
        before = float((base.table["clv"] * run.reached).sum() / n) if n else math.nan
        ends = np.quantile(gain, [(1 - level) / 2, (1 + level) / 2])
        net = np.quantile(run.net, [(1 - level) / 2, (1 + level) / 2])
        roi = (gain.mean() - cost) / cost if cost > 0 else math.nan
        after = before + float(run.gain.sum(axis=0).mean()) / n if n else math.nan
        rows.append((scenario.name, n, before, after, float(gain.mean()), *ends, cost, float(run.net.mean()), *net,
                     float(roi), float((run.net > 0).mean()), _payback(run.flow)))  # fmt: skip
    columns = ["scenario", "customers", "clv_before", "clv_after", "gain", "gain_low", "gain_high", "cost", "net", "net_low",
               "net_high", "roi", "p_profit", "payback_years"]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns).sort_values("net", ascending=False, kind="stable", ignore_index=True)
    return Finding(table, _say_scenarios(table, words, level))


def _payback(flow: np.ndarray) -> float:
    """Years until what came in has made up for what went out; missing where it never does, or nothing went out."""
    paid = np.cumsum(flow)
    short = np.flatnonzero(paid < 0)
    return float((short[-1] + 2) / 12) if len(short) and paid[-1] >= 0 else math.nan


def _say_scenarios(table: pd.DataFrame, words: Words, level: float) -> str:
    if table.empty:
        return "No scenario was given."
    best = table.iloc[0]
    sure = list(table[table["net_low"] > 0]["scenario"])
    if len(table) == 1:
        net = f"gain {words.money(best['net'])} net" if best["net"] > 0 else f"lose {words.money(-best['net'])} net"
        return (
            f"As assumed here, {best['scenario']} would {net} after a cost of {words.money(best['cost'])} ({words.share(level)} range "
            f"{words.money(best['net_low'])} to {words.money(best['net_high'])}); the probability of profit is {words.share(best['p_profit'])}."
        )
    if best["net"] <= 0:
        return f"As assumed here nothing pays; the smallest loss, {best['scenario']}, is {words.money(-best['net'])}."
    text = (
        f"As assumed here, {best['scenario']} has the highest net gain: {words.money(best['net'])} after a cost of {words.money(best['cost'])} "
        f"({words.share(level)} range {words.money(best['net_low'])} to {words.money(best['net_high'])}); the probability of "
        f"profit is {words.share(best['p_profit'])}."
    )
    if sure:
        return text + f" Paying over the whole {words.share(level)} range: {', '.join(sure)}."
    return (
        text
        + f" None pays over its whole {words.share(level)} range, so each should be tried on a part of the customers first."
    )


def plan_range(
    base: Base,
    scenarios: Sequence[Scenario],
    plan: pd.DataFrame,
    *,
    link: Link | None = None,
    level: float = LEVEL,
    seed: int = 1,
) -> tuple[Estimate, float]:
    """Return the net gain of a divided budget, with its range, and its probability of profit.

    Parameters
    ----------
    base : Base
        Where the scenarios start, from ``customer_base``.
    scenarios : sequence of Scenario
        Those that the plan's rows name.
    plan : pandas.DataFrame
        From ``allocate`` over ``segment_gains``: ``scenario, segment, reached, spend``.
    link : Link, optional
        Needed by levers that act through satisfaction.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.
    seed : int
        Of the random draws.

    Returns
    -------
    (Estimate, float)
        Net gain of the plan after its spend, in the client's currency, discounted over the horizon, and the share of
        draws in which it is above 0.

    Raises
    ------
    TableError
        When the plan names a scenario that is not given; and as of ``evaluate_scenarios``.

    Notes
    -----
    From 1,000 draws, in which the link, the uncertainty of step 1 and part of the levers' luck are shared.

    Examples
    --------
    >>> rows = {"segment": ["all"], "customers": 100, "active": 1.0, "retention": 0.8, "frequency": 4.0, "basket": 50.0}
    >>> rows |= {"margin": 0.4, "cost_to_serve": 0.0, "clv": 180.0}
    >>> base = Base(pd.DataFrame(rows), horizon="3 years", discount_rate=0.1)
    >>> lever = Lever("reminders", {"frequency": (0.05, 0.05, 0.05)}, ramp_up=0.0, lasts=3.0, yearly_cost=1.0)
    >>> more = Scenario("reminders", (lever,))
    >>> from clvnb import allocate
    >>> plan = allocate(segment_gains(base, [more]), 100.0).table
    >>> left, pays = plan_range(base, [more], plan)
    >>> round(left.value, 1), pays
    (365.8, 1.0)
    """
    named, net = {s.name: s for s in scenarios}, np.zeros(DRAWS)
    places = {str(name): k for k, name in enumerate(base.table["segment"])}
    unknown = [s for s in plan["scenario"].astype(str) if s not in named]
    if unknown:
        raise TableError(f"the plan names the scenario {unknown[0]!r}, which is not among: {', '.join(named)}")
    for stream, (name, rows) in enumerate(plan[plan["reached"] > 0].groupby("scenario"), start=1):
        run = _run(base, named[str(name)], link, seed=seed, stream=stream)
        for row in rows.itertuples():
            k = places.get(str(row.segment))
            whole = run.newcomers if str(row.segment).startswith("newcomers, ") else run.gain.sum(axis=0)
            gain = whole if k is None else run.gain[k] / run.reached[k]
            net += gain * row.reached - row.spend
    low, high = np.quantile(net, [(1 - level) / 2, (1 + level) / 2])
    n = int(plan["reached"].sum())
    return Estimate(float(net.mean()), float(low), float(high), level, n, "draws of every lever together"), float(
        (net > 0).mean()
    )


def segment_gains(
    base: Base,
    scenarios: Sequence[Scenario],
    *,
    link: Link | None = None,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 1,
) -> pd.DataFrame:
    """Return what each scenario brings and costs in each segment, per customer reached: what budgets are divided by.

    Parameters
    ----------
    base : Base
        Where the scenarios start, from ``customer_base``.
    scenarios : sequence of Scenario
        Each by itself.
    link : Link, optional
        Needed by levers that act through satisfaction.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.
    draws : int
        How many.
    seed : int
        Of the random draws.

    Returns
    -------
    pandas.DataFrame
        ``scenario, segment, customers, size, gain, gain_low, gain_high, gain_cautious, cost, fixed, ceiling,
        p_profit, by_customer``: ``customers`` that can be reached, out of ``size`` of the segment. ``gain``, its
        range, ``gain_cautious``, ``cost`` and ``ceiling`` are money per customer reached, discounted over the horizon:
        ``gain_cautious`` is what four draws of five exceed, ``ceiling`` the most that may be spent on one (the gain,
        where it is above 0). ``fixed`` is the scenario's own, due once however few are reached. A lever on newcomers
        has one row, ``newcomers, SCENARIO``, which counts as one customer and holds all of its gain.

    Raises
    ------
    TableError
        As of ``evaluate_scenarios``.

    Examples
    --------
    >>> rows = {"segment": ["all"], "customers": 100, "active": 1.0, "retention": 0.8, "frequency": 4.0, "basket": 50.0}
    >>> rows |= {"margin": 0.4, "cost_to_serve": 0.0, "clv": 180.0}
    >>> base = Base(pd.DataFrame(rows), horizon="3 years", discount_rate=0.1)
    >>> lever = Lever("reminders", {"frequency": (0.05, 0.05, 0.05)}, ramp_up=0.0, lasts=3.0, yearly_cost=1.0)
    >>> more = Scenario("reminders", (lever,))
    >>> segment_gains(base, [more])[["scenario", "segment", "customers", "gain", "cost"]].round(2)
        scenario segment  customers  gain  cost
    0  reminders     all      100.0   9.0  1.93
    """
    parts = []
    for scenario in scenarios:
        run = _run(base, scenario, link, draws=draws, seed=seed)
        groups = [(str(name), float(run.reached[k]), float(base.table["customers"].iloc[k]), run.gain[k], float(run.cost[k, 0]))
                  for k, name in enumerate(base.table["segment"]) if run.reached[k] > 0]  # fmt: skip
        if np.any(run.newcomers != 0):
            groups.append((f"newcomers, {scenario.name}", 1.0, 1.0, run.newcomers, 0.0))
        single = all(lever.by_customer for lever in scenario.levers)
        for name, n, size, gained, spent in groups:
            gain, cost = gained / n, spent / n
            low, high, cautious = np.quantile(gain, [(1 - level) / 2, (1 + level) / 2, 0.2])
            parts.append((scenario.name, name, n, size, float(gain.mean()), low, high, cautious, cost, run.fixed,
                          max(0.0, float(gain.mean())), float((gain > cost).mean()), single))  # fmt: skip
    columns = ["scenario", "segment", "customers", "size", "gain", "gain_low", "gain_high", "gain_cautious", "cost", "fixed", "ceiling",
               "p_profit", "by_customer"]  # fmt: skip
    return pd.DataFrame(parts, columns=columns)


def break_even(base: Base, scenario: Scenario, *, link: Link | None = None, seed: int = 1) -> Finding:
    """Return which part of its assumed effect a scenario needs for its cost to come back.

    Parameters
    ----------
    base : Base
        Where the scenarios start, from ``customer_base``.
    scenario : Scenario
        All effects of its levers are scaled together; rebates and costs stay as they are.
    link : Link, optional
        Needed by levers that act through satisfaction.
    seed : int
        Of the random draws.

    Returns
    -------
    Finding
        ``scenario, needed``: 0.4 means that two fifths of the effect are enough; missing where nothing has to come
        back, or even ten times the effect does not pay.

    Raises
    ------
    TableError
        As of ``evaluate_scenarios``.

    Examples
    --------
    >>> rows = {"segment": ["all"], "customers": 100, "active": 1.0, "retention": 0.8, "frequency": 4.0, "basket": 50.0}
    >>> rows |= {"margin": 0.4, "cost_to_serve": 0.0, "clv": 180.0}
    >>> base = Base(pd.DataFrame(rows), horizon="3 years", discount_rate=0.1)
    >>> lever = Lever("reminders", {"frequency": (0.05, 0.05, 0.05)}, ramp_up=0.0, lasts=3.0, yearly_cost=1.0)
    >>> more = Scenario("reminders", (lever,))
    >>> break_even(base, more).text
    'Reminders pays from 21% of the assumed effect on.'
    """

    works = if_it_works(scenario)

    @cache
    def net(scale: float) -> float:
        return float(_run(base, works, link, seed=seed, scale=scale).net.mean())

    needed = math.nan
    # without its effect a lever leaves value as it was but for last digits, which differ between processors
    nothing = 1e-9 * float(base.table["clv"].abs() @ base.table["customers"])
    if net(0.0) >= -nothing:
        text = f"{capital(scenario.name)} costs nothing that would have to come back."
    elif math.isnan(needed := _where_it_turns(net)):
        text = f"{capital(scenario.name)} would not pay with ten times the assumed effect."
    else:
        text = f"{capital(scenario.name)} pays from {needed:.0%} of the assumed effect on."
    return Finding(pd.DataFrame({"scenario": [scenario.name], "needed": [needed]}), text)


def if_it_works(scenario: Scenario) -> Scenario:
    """Return the scenario with levers that neither fail nor harm."""
    return replace(scenario, levers=tuple(replace(v, idle=0.0, harmful=0.0) for v in scenario.levers))


def _where_it_turns(net: Callable[[float], float]) -> float:
    """The scale up to 10 from which ``net`` is above 0, missing without one: nearly a straight line, so secants are soon there."""
    from scipy.optimize import brentq, root_scalar

    if net(1.0) > net(0.0):
        found = root_scalar(net, x0=0.0, x1=1.0, method="secant", xtol=5e-3, maxiter=6)
        if found.converged and 0 < found.root <= 10:
            return float(found.root)
    return float(brentq(net, 0.0, 10.0, xtol=1e-3)) if net(10.0) >= 0 else math.nan


@dataclass(frozen=True, repr=False)
class Tornado(Finding):
    """What the net gain of a scenario depends on.

    Attributes
    ----------
    table : pandas.DataFrame
    text : str
    net : float
        The net gain with every assumption at its most likely value.
    """

    net: float = 0.0


def tornado(
    base: Base, scenario: Scenario, *, link: Link | None = None, seed: int = 1, words: Words | None = None
) -> Tornado:
    """Say which assumption drives a scenario's result most: each from its low to its high end, the others fixed.

    Parameters
    ----------
    base : Base
        Where the scenarios start, from ``customer_base``.
    scenario : Scenario
        The one that is looked at.
    link : Link, optional
        Needed by levers that act through satisfaction.
    seed : int
        Of the random draws.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    Tornado
        ``assumption, low, high, net_low, net_high``, the widest first: the ends of the assumption, and the net gain at
        each; ``net`` is the net gain with every assumption at its most likely value. Net gains are in
        the client's currency.

    Raises
    ------
    TableError
        As of ``evaluate_scenarios``.

    Notes
    -----
    Effects go from their low to their high end, reach and costs 30 % down and up (reach to 1 at most), the discount
    rate from 5 to 20 % a year, the link over its interval; everything else stays at its most likely value.

    References
    ----------
    Eschenbach (1992), *Interfaces* 22(6): 40-46.

    Examples
    --------
    >>> rows = {"segment": ["all"], "customers": 100, "active": 1.0, "retention": 0.8, "frequency": 4.0, "basket": 50.0}
    >>> rows |= {"margin": 0.4, "cost_to_serve": 0.0, "clv": 180.0}
    >>> base = Base(pd.DataFrame(rows), horizon="3 years", discount_rate=0.1)
    >>> lever = Lever("reminders", {"frequency": (0.0, 0.05, 0.1)}, ramp_up=0.0, lasts=3.0, yearly_cost=1.0)
    >>> more = Scenario("reminders", (lever,))
    >>> tornado(base, more).table["assumption"].tolist()
    ['reminders: frequency', 'reminders: reach', 'reminders: yearly cost', 'discount rate']
    """
    words = words or Words("XXX")
    middle = replace(
        scenario,
        levers=tuple(
            replace(v, effects={k: (m, m, m) for k, (_, m, _) in v.effects.items()})
            for v in if_it_works(scenario).levers
        ),
    )
    flat = replace(base, spread=0.0)

    def net(b: Base, s: Scenario, tie: Link | None = link) -> float:
        return float(_run(b, s, tie, seed=seed, draws=200).net.mean())

    rows = []
    for k, lever in enumerate(scenario.levers):
        for name, (low, _, high) in lever.effects.items():
            ends = [_with(middle, k, effects={**middle.levers[k].effects, name: (v, v, v)}) for v in (low, high)]
            rows.append((f"{lever.name}: {name.replace('_', ' ')}", low, high, *(net(flat, s) for s in ends)))
        for name in ("reach", "fixed_cost", "cost_per_customer", "yearly_cost"):
            value = getattr(lever, name)
            if value > 0:
                low, high = value * 0.7, min(1.0, value * 1.3) if name == "reach" else value * 1.3
                rows.append((f"{lever.name}: {name.replace('_', ' ')}", low, high,
                             *(net(flat, _with(middle, k, **{name: v})) for v in (low, high))))  # fmt: skip
    for low, high in [(0.05, 0.20)]:
        rows.append(("discount rate", low, high, *(net(replace(flat, discount_rate=v), middle) for v in (low, high))))
    if link is not None and any("satisfaction" in v.effects for v in scenario.levers):
        middling, usual = float(link.share.mean()), float(link.draws.mean())
        ties = [_tied(link, e, middling) for e in (link.log_odds.low, link.log_odds.high)]
        parts = [_tied(link, usual, part) for part in (0.0, 1.0)]
        if np.ptp(link.share) > 0:
            rows.append(("part of the link that is cause", 0.0, 1.0, *(net(flat, middle, e) for e in parts)))
        rows.append(
            (
                "link of satisfaction and staying (log-odds)",
                link.log_odds.low,
                link.log_odds.high,
                *(net(flat, middle, e) for e in ties),
            )
        )
    table = pd.DataFrame(rows, columns=["assumption", "low", "high", "net_low", "net_high"])
    table = table.assign(width=(table["net_high"] - table["net_low"]).abs()).sort_values(
        "width", ascending=False, ignore_index=True
    )
    top = table.iloc[0]
    text = (
        f"The main driver is {top['assumption']}: over its range the net gain goes from {words.money(min(top['net_low'], top['net_high']))} "
        f"to {words.money(max(top['net_low'], top['net_high']))}."
    )
    return Tornado(table.drop(columns="width"), text, net(flat, middle))


def _tied(link: Link, log_odds: float, share: float) -> Link:
    """The link as if it were known."""
    return replace(link, draws=np.full(2, log_odds), share=np.full(2, share))


def _with(scenario: Scenario, k: int, **changes: Any) -> Scenario:
    levers = tuple(replace(v, **changes) if j == k else v for j, v in enumerate(scenario.levers))
    return replace(scenario, levers=levers)


def goal_seek(base: Base, target: float, *, parameter: str = "retention", seed: int = 1) -> Finding:
    """Return by how much one parameter must change for the customers to be worth ``target`` together.

    Parameters
    ----------
    base : Base
        Where the scenarios start, from ``customer_base``.
    target : float
        Value of all customers, in the client's currency.
    parameter : str
        ``retention`` or ``margin`` (points), ``frequency``, ``basket``, ``price`` or ``cost_to_serve`` (relative).
    seed : int
        Of the random draws.

    Returns
    -------
    Finding
        ``parameter, change, value``: ``change`` is in points as a fraction for retention and margin, relative otherwise
        (0.1 is ten per cent), from the first day to the end of the horizon and for all segments; missing where no
        change of up to 0.999 either way is enough.

    Raises
    ------
    ValueError
        For a parameter that is not one of these.

    Examples
    --------
    >>> rows = {"segment": ["all"], "customers": 100, "active": 1.0, "retention": 0.8, "frequency": 4.0, "basket": 50.0}
    >>> rows |= {"margin": 0.4, "cost_to_serve": 0.0, "clv": 180.0}
    >>> found = goal_seek(Base(pd.DataFrame(rows), "3 years", 0.1), 19_800, parameter="basket")
    >>> round(float(found.table["change"].iloc[0]), 4)
    0.1
    """
    from scipy.optimize import brentq

    if parameter not in OF_CUSTOMERS or parameter in {"satisfaction", "rebate"}:
        raise ValueError(
            f"parameter must be retention, margin, frequency, basket, price or cost_to_serve, got {parameter!r}"
        )

    def worth(change: float) -> float:
        lever = Lever("goal", {parameter: (change, change, change)}, ramp_up=0.0, lasts=base.years + 1)
        run = _run(replace(base, spread=0.0), Scenario("goal", (lever,)), None, draws=1, seed=seed)
        return base.total + float(run.net.mean()) - target

    ends = sorted((0.0, math.copysign(0.999, target - base.total) * (-1 if parameter == "cost_to_serve" else 1)))
    change = float(brentq(worth, *ends, xtol=1e-7)) if worth(ends[0]) * worth(ends[1]) <= 0 else math.nan
    unit = "percentage points" if parameter in {"retention", "margin"} else "per cent"
    text = (
        f"{parameter} would have to change by {100 * change:+.1f} {unit}."
        if np.isfinite(change)
        else f"no change of {parameter} alone gets there."
    )
    return Finding(pd.DataFrame({"parameter": [parameter], "change": [change], "value": [target]}), text)


def evpi(mean: float, sd: float) -> float:
    """Return the value of knowing beforehand whether a plan pays: what a test may cost at most.

    Parameters
    ----------
    mean, sd : float
        Of the net gain, which is taken as normal, in money.

    Returns
    -------
    float
        In the same money.

    Raises
    ------
    ValueError
        When ``sd`` is below 0.

    Notes
    -----
    s (phi(u) - u Phi(-u)) with u = |mean| / s.

    References
    ----------
    Raiffa and Schlaifer (1961), *Applied Statistical Decision Theory*.

    Examples
    --------
    >>> round(evpi(15, 12), 3), round(evpi(3, 12), 3)
    (0.607, 3.436)
    """
    from scipy.special import ndtr

    if sd < 0:
        raise ValueError(f"sd must not be below 0, got {sd}")
    if sd == 0:
        return 0.0
    u = abs(mean) / sd
    return float(sd * (math.exp(-u * u / 2) / math.sqrt(2 * math.pi) - u * ndtr(-u)))
