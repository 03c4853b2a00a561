"""Levers, costs and chances: published arithmetic, properties, and what a plan must never do."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import clvnb as cv
from helpers import ROOT

GOLD = yaml.safe_load((ROOT / "tests/golden/satisfaction.yaml").read_text(encoding="utf-8"))


def base(horizon: str = "3 years", rate: float = 0.1, **more) -> cv.improve.Base:
    rows = {"segment": ["best", "rest"], "customers": [200, 800], "active": [0.9, 0.5], "retention": [0.8, 0.6], "frequency": [6.0, 2.0],
            "basket": [60.0, 40.0], "margin": 0.4, "cost_to_serve": 2.0, "clv": [220.0, 25.0]}  # fmt: skip
    return cv.improve.Base(pd.DataFrame(rows), horizon, rate, **more)


def sure(name: str, value: float, **more) -> cv.Scenario:
    return cv.Scenario(name, (cv.Lever(name, {name: (value, value, value)}, ramp_up=0.0, lasts=10.0, **more),))


# ----------------------------------------------------------------------------------------- arithmetic


def test_retention_raised_by_satisfaction():
    """A point's effect of 0.25 (standard error 0.08), half a point, from 0.80, valued at 100 a year and 10 %."""
    gold, value = GOLD["retention"]["raised"], GOLD["retention"]["value"]
    raised = [
        1 / (1 + math.exp(-(math.log(4) + 0.5 * b))) for b in (0.25, 0.25 - 1.959964 * 0.08, 0.25 + 1.959964 * 0.08)
    ]
    assert raised == pytest.approx([gold["value"], gold["low"], gold["high"]], abs=1e-4)
    worth = [cv.formulas.clv_retention(100, r, 0.1, "start_certain") for r in (0.8, *raised)]
    assert worth[1] == pytest.approx(value["value"], abs=0.1)
    assert [w - worth[0] for w in worth[1:]] == pytest.approx(
        [value["gain"], value["gain_low"], value["gain_high"]], abs=0.1
    )


def test_the_walk_through_the_months_is_the_formula():
    """With one segment that is all there, a lasting change of retention is worth what the closed form says."""
    r, d, years = 0.8, 0.1, 10.0
    fade = -math.log(r) + math.log1p(d)
    whole = 4 * (50 * 0.4) * (1 - math.exp(-fade * years)) / fade
    rows = pd.DataFrame({"segment": ["all"], "customers": [1], "active": [1.0], "retention": [r], "frequency": [4.0], "basket": [50.0],
                         "margin": [0.4], "cost_to_serve": [0.0], "clv": [whole]})  # fmt: skip
    found = cv.evaluate_scenarios(cv.improve.Base(rows, "10 years", d), [sure("retention", 0.02)]).table.iloc[0]
    fade2 = -math.log(0.82) + math.log1p(d)
    expected = 4 * (50 * 0.4) * (1 - math.exp(-fade2 * years)) / fade2 - whole
    assert found["gain"] == pytest.approx(expected, rel=2e-3)


def test_retention_spend_loyalty_and_mixed_rates():
    """Worked examples with Fader and Hardie's formulas; Ho, Park and Zhou's harmonic rate."""
    once, each = cv.formulas.retention_spend(100, 0.80, 0.82, 0.10)
    assert (once, each) == pytest.approx((26.19, 6.667), abs=5e-3)
    assert cv.formulas.loyalty_break_even(1000, 0.4, fixed=8000, reward=0.05, spend=250) == pytest.approx(32.5)
    assert 30 / 7 < 32.5  # a gap of 30 between members and others, a seventh of it the programme's work: it loses
    assert (cv.formulas.mixed_rate(0.7, 6, 2), cv.formulas.mixed_rate(0.8, 6, 2)) == pytest.approx(
        (3.75, 4.286), abs=1e-3
    )


def test_elasticities_of_basket_and_frequency():
    """Where serving costs something, one per cent more basket is worth more than one per cent: 60 / 50 = 1.2."""
    rows = pd.DataFrame({"segment": ["all"], "customers": [1], "active": [1.0], "retention": [0.8], "frequency": [1.0], "basket": [150.0],
                         "margin": [0.4], "cost_to_serve": [10.0], "clv": [100.0]})  # fmt: skip
    start = cv.improve.Base(rows, "3 years", 0.1)
    basket = cv.evaluate_scenarios(start, [sure("basket", 0.01)]).table["gain"].iloc[0]
    often = cv.evaluate_scenarios(start, [sure("frequency", 0.01)]).table["gain"].iloc[0]
    assert basket == pytest.approx(1.2, rel=1e-6)
    assert often == pytest.approx(1.0, rel=1e-6)


def test_value_of_knowing():
    """Unit normal loss (Raiffa and Schlaifer): means 15 and 3, standard deviation 12."""
    assert cv.improve.evpi(15, 12) == pytest.approx(0.607, abs=1e-3)
    assert cv.improve.evpi(3, 12) == pytest.approx(3.436, abs=1e-3)
    assert cv.improve.evpi(-3, 12) == pytest.approx(cv.improve.evpi(3, 12))
    assert cv.improve.evpi(5, 0) == 0


# ----------------------------------------------------------------------------------------- properties


def test_scenarios_begin_with_step_one():
    """The base gives back the purchases and the value that step 1 expects, segment by segment."""
    economics = cv.Economics(margin=0.4, horizon="3 years", cost_to_serve=2.0)
    model = cv.BGNBD.with_params(r=0.6, alpha=30.0, a=0.8, b=2.5)
    summary = cv.summarize(model.simulate(1500, joined="300 days", length="600 days", seed=1))
    customers = cv.clv_table(summary, model, 50.0, economics)
    customers["expected_purchases_half"] = model.expected_purchases(summary, economics.horizon_days / 2)
    customers["segment"] = np.where(customers["clv"] > customers["clv"].median(), "high", "low")
    made = cv.customer_base(customers, economics)
    assert made.total == pytest.approx(customers["clv"].sum(), rel=1e-9)
    for row in made.table.itertuples():
        own = customers[customers["segment"] == row.segment]
        fade = -math.log(row.retention)
        alive = row.customers * row.active
        for name, years in (("expected_purchases_half", 1.5), ("expected_purchases", 3.0)):
            assert alive * row.frequency * (1 - math.exp(-fade * years)) / fade == pytest.approx(
                own[name].sum(), rel=1e-9
            )


def test_contracts_keep_their_pace():
    """Monthly and annual payments stay twelve and one a year; staying is what the expected payments leave."""
    rows = pd.DataFrame({"customer_id": list("abcd"), "segment": ["monthly"] * 2 + ["annual"] * 2, "period": [1, 1, 12, 12], "p_alive": 1.0,
                         "expected_purchases": [24.0, 20.0, 2.0, 2.4], "expected_purchases_half": [14.0, 12.0, 1.2, 1.4],
                         "expected_spend": [18.0, 18.0, 180.0, 180.0], "clv": [200.0, 170.0, 190.0, 220.0]})  # fmt: skip
    made = cv.customer_base(rows, cv.Economics(margin=0.5, horizon="3 years")).table.set_index("segment")
    assert made["frequency"].to_dict() == {"monthly": 12.0, "annual": 1.0}
    for name, paid in (("monthly", 22.0), ("annual", 2.2)):
        fade = -math.log(made.loc[name, "retention"])
        assert made.loc[name, "frequency"] * (1 - math.exp(-3 * fade)) / fade == pytest.approx(paid)


def test_nothing_done_brings_and_costs_nothing():
    row = cv.evaluate_scenarios(base(), [sure("frequency", 0.0)]).table.iloc[0]
    assert (row["gain"], row["cost"], row["net"]) == (0.0, 0.0, 0.0)
    assert math.isnan(row["roi"])
    assert math.isnan(row["payback_years"])


@settings(max_examples=25, deadline=None)
@given(st.floats(-0.3, 0.3), st.floats(0.0, 1.0), st.sampled_from(["frequency", "basket", "retention", "margin"]))
def test_gain_grows_with_effect_and_reach(value, reach, name):
    low, high = (
        cv.evaluate_scenarios(base(), [sure(name, v, reach=reach)]).table["gain"].iloc[0] for v in (value, value + 0.05)
    )
    assert high >= low - 1e-9
    half = cv.evaluate_scenarios(base(), [sure(name, value, reach=reach / 2)]).table["gain"].iloc[0]
    whole = cv.evaluate_scenarios(base(), [sure(name, value, reach=reach)]).table["gain"].iloc[0]
    assert half == pytest.approx(whole / 2, abs=1e-9)


def test_currency_changes_money_alone():
    start, lever = (
        base(),
        cv.Lever("x", {"frequency": (0.0, 0.05, 0.1), "retention": (0.0, 0.01, 0.02)}, fixed_cost=100, yearly_cost=0.5),
    )
    other = cv.improve.Base(
        start.table.assign(basket=start.table["basket"] * 7, cost_to_serve=14.0, clv=start.table["clv"] * 7),
        "3 years",
        0.1,
    )
    dear = cv.Lever("x", lever.effects, fixed_cost=700, yearly_cost=3.5)
    one, two = (
        cv.evaluate_scenarios(b, [cv.Scenario("x", (v,))]).table.iloc[0] for b, v in ((start, lever), (other, dear))
    )
    for name in ("gain", "cost", "net_low", "net_high"):
        assert two[name] == pytest.approx(7 * one[name])
    assert two["roi"] == pytest.approx(one["roi"])


def test_retention_never_exceeds_everybody_staying():
    levers = tuple(cv.Lever(f"l{k}", {"retention": (0.3, 0.3, 0.3)}, ramp_up=0, lasts=9) for k in range(5))
    gain = cv.evaluate_scenarios(base(), [cv.Scenario("all", levers)]).table["gain"].iloc[0]
    certain = cv.evaluate_scenarios(base(), [sure("retention", 0.4)]).table["gain"].iloc[0]
    assert np.isfinite(gain)
    assert gain < 1.7 * certain


def test_levers_of_one_group_overlap():
    one = cv.Lever("a", {"frequency": (0.05, 0.05, 0.05)}, group="service", ramp_up=0, lasts=9)
    two = cv.Lever("b", {"frequency": (0.03, 0.03, 0.03)}, group="service", ramp_up=0, lasts=9)
    apart = cv.Lever("b", {"frequency": (0.03, 0.03, 0.03)}, ramp_up=0, lasts=9)
    alone, together, stacked = (cv.evaluate_scenarios(base(), [cv.Scenario("s", v)]).table["gain"].iloc[0]
                                for v in ((one,), (one, two), (one, apart)))  # fmt: skip
    assert together == pytest.approx(alone)
    assert stacked > alone


def test_offers_are_charged_to_all_who_take_them():
    """A gift of two per cent on every purchase costs two per cent of revenue, also of those who would have bought anyway."""
    row = cv.evaluate_scenarios(base(), [sure("rebate", 0.02)]).table.iloc[0]
    t = base().table
    per = t["basket"] * t["margin"] - t["cost_to_serve"]
    expected = -(t["customers"] * t["clv"] * 0.02 * t["basket"] / per).sum()
    assert row["gain"] == pytest.approx(expected, rel=1e-9)


def test_effect_ramps_up_and_wears_off():
    short, long = (cv.evaluate_scenarios(base(), [cv.Scenario("s", (cv.Lever("s", {"basket": (0.1, 0.1, 0.1)}, lasts=n, half_life=h),))])
                   .table["gain"].iloc[0] for n, h in ((0.5, 0.1), (3.0, 0.5)))  # fmt: skip
    assert 0 < short < long / 2


def test_satisfaction_acts_through_the_link_and_carries_its_doubt():
    link = cv.improve.prior_link()
    lever = cv.Lever("service", {"satisfaction": (0.3, 0.3, 0.3)})
    row = cv.evaluate_scenarios(base(), [cv.Scenario("service", (lever,))], link=link).table.iloc[0]
    assert row["gain_low"] < 0 < row["gain"]
    with pytest.raises(cv.TableError, match="acts through satisfaction and needs a link"):
        cv.evaluate_scenarios(base(), [cv.Scenario("service", (lever,))])


def test_same_seed_same_numbers():
    scenarios = cv.lever_library(base())
    one, two = (cv.evaluate_scenarios(base(), scenarios, link=cv.improve.prior_link(), seed=4).table for _ in range(2))
    pd.testing.assert_frame_equal(one, two)


def test_break_even_goal_and_tornado():
    lever = cv.Lever("x", {"frequency": (0.02, 0.05, 0.08)}, yearly_cost=0.5)
    scenario = cv.Scenario("x", (lever,))
    needed = cv.break_even(base(), scenario).table["needed"].iloc[0]
    at = cv.Lever("x", {"frequency": tuple(v * needed for v in lever.effects["frequency"])}, yearly_cost=0.5)
    assert cv.evaluate_scenarios(base(), [cv.Scenario("x", (at,))]).table["net"].iloc[0] == pytest.approx(0, abs=2)
    hopeless = cv.Scenario("y", (cv.Lever("y", {"frequency": (0, 0, 0)}, fixed_cost=10),))
    assert "would not pay with ten times" in cv.break_even(base(), hopeless).text
    # what another processor leaves in the last digits is no cost that has to come back
    for cost in (0.0, 1e-14):
        free = cv.Lever("prices", {"basket": (0.01, 0.03, 0.05)}, yearly_cost=cost)
        found = cv.break_even(base(), cv.Scenario("prices", (free,)))
        assert "costs nothing" in found.text
        assert found.table["needed"].isna().all()
    goal = cv.improve.goal_seek(base(), 1.1 * base().total, parameter="frequency").table["change"].iloc[0]
    assert goal == pytest.approx(0.1, abs=1e-4)
    drivers = cv.improve.tornado(base(), scenario).table
    assert drivers["assumption"].iloc[0] == "x: frequency"
    assert (drivers["net_low"] - drivers["net_high"]).abs().is_monotonic_decreasing


def test_bad_levers_name_what_is_wrong():
    with pytest.raises(ValueError, match="the effect 'loyalty' is not known"):
        cv.Lever("x", {"loyalty": (0, 1, 2)})
    with pytest.raises(ValueError, match="in this order, got"):
        cv.Lever("x", {"basket": (0.2, 0.1, 0.3)})
    with pytest.raises(ValueError, match="reach is a share between 0 and 1, got 10"):
        cv.Lever("x", {"basket": (0, 0.1, 0.3)}, reach=10)
    with pytest.raises(cv.TableError, match="there is no lever 'beter service'; there are: better service"):
        cv.lever_library(base(), changes={"beter service": {}})
    with pytest.raises(cv.TableError, match="unknown setting 'price'"):
        cv.lever_library(base(), changes={"better service": {"price": 3}})


def test_the_clients_own_figures_replace_assumptions():
    mine = {"better service": {"yearly_cost": 9.0, "reach": 0.25, "effects": {"satisfaction": [0.1, 0.2, 0.3]}}}
    lever = next(s for s in cv.lever_library(base(), changes=mine) if s.name == "better service").levers[0]
    assert (lever.yearly_cost, lever.reach, lever.effects["satisfaction"]) == (9.0, 0.25, (0.1, 0.2, 0.3))


def test_newcomers_levers_need_newcomers():
    names = {s.name for s in cv.lever_library(base())}
    assert not names & {"referrals", "onboarding", "cheaper acquisition"}
    known = cv.value.Newcomers(per_year=500, clv=60, cac=20, activated=0.4, activated_clv=90, other_clv=15)
    with_new = base(newcomers=known)
    assert {"referrals", "onboarding", "cheaper acquisition"} <= {s.name for s in cv.lever_library(with_new)}
    onboard = cv.Lever("onboarding", {"activation": (0.1, 0.1, 0.1)}, reach=0.0, ramp_up=0.0, half_life=0.0)
    gain = cv.evaluate_scenarios(with_new, [cv.Scenario("onboarding", (onboard,))]).table["gain"].iloc[0]
    today = (1 - 1 / 1.1) / math.log(1.1)  # a year's arrivals, discounted
    assert gain == pytest.approx(
        500 * 0.1 * 0.4 * (90 - 15) * today, rel=1e-3
    )  # two fifths of the gap are taken to be caused
    slow = cv.Lever("onboarding", {"activation": (0.1, 0.1, 0.1)}, reach=0.0, ramp_up=1.0, half_life=0.0)
    ramped = cv.evaluate_scenarios(with_new, [cv.Scenario("onboarding", (slow,))]).table["gain"].iloc[0]
    assert ramped == pytest.approx(gain / 2, rel=0.02)


def test_savings_on_winning_customers_come_back_as_they_arrive():
    saving = cv.Lever("cac", {"cac": (-0.1, -0.1, -0.1)}, reach=0.0, ramp_up=0.0, half_life=0.0, fixed_cost=400)
    row = cv.evaluate_scenarios(
        base(newcomers=cv.value.Newcomers(500, 60, 10)), [cv.Scenario("cac", (saving,))]
    ).table.iloc[0]
    assert row["gain"] == pytest.approx(500 * 0.954, rel=1e-2)
    assert row["payback_years"] == pytest.approx(0.83, abs=0.1)


# ----------------------------------------------------------------------------------------- allocation


def options(rng: np.random.Generator, n: int) -> pd.DataFrame:
    return pd.DataFrame({"segment": [f"s{k}" for k in range(n)], "customers": rng.integers(1, 20, n).astype(float),
                         "gain": rng.uniform(0, 10, n), "cost": rng.uniform(0.5, 8, n)})  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_shares_equal_the_greedy_order(seed):
    """Without further limits the linear programme is: best net over cost first (worked example: 3,660 at 3,000)."""
    table = options(np.random.default_rng(seed), 12)
    left, net = 40.0, 0.0
    for row in (
        table.assign(r=(table["gain"] - table["cost"]) / table["cost"]).sort_values("r", ascending=False).itertuples()
    ):
        if row.r > 0:
            take = min(row.customers, left / row.cost)
            left, net = left - take * row.cost, net + take * (row.gain - row.cost)
    assert cv.allocate(table, 40.0).table["net"].sum() == pytest.approx(net)


@pytest.mark.parametrize("seed", range(8))
def test_whole_segments_equal_brute_force(seed):
    table = options(np.random.default_rng(seed), 9)
    spend, net = table["cost"] * table["customers"], (table["gain"] - table["cost"]) * table["customers"]
    best = max(
        (
            net[list(c)].sum()
            for k in range(10)
            for c in itertools.combinations(range(9), k)
            if spend[list(c)].sum() <= 150
        ),
        default=0,
    )
    assert cv.allocate(table, 150.0, how="whole").table["net"].sum() == pytest.approx(best)


def test_knapsack_and_concave_against_enumeration():
    gold = GOLD["allocation"]["knapsack"]
    table = pd.DataFrame({"segment": list("abcd"), "customers": 1.0, "gain": gold["gain"], "cost": gold["cost"]})
    assert cv.allocate(table, gold["budget"], how="whole").table["net"].sum() == pytest.approx(gold["net"])
    curve = pd.DataFrame(
        {"segment": ["a", "b"], "customers": [10.0, 20.0], "gain": [8.0, 5.0], "cost": [1.0, 1.0], "half": [1.5, 2.0]}
    )
    found = cv.allocate(curve, 60.0, how="concave").table

    def net(x: float) -> float:
        k = np.log(2) / curve["half"]
        spend = np.array([x, 60 - x])
        return float((curve["customers"] * curve["gain"] * (1 - np.exp(-k * spend / curve["customers"])) - spend).sum())

    assert found["net"].sum() == pytest.approx(max(net(x) for x in np.linspace(0, 60, 6001)), abs=1e-2)
    assert found["spend"].sum() == pytest.approx(60)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 500), st.sampled_from(["share", "whole", "concave"]))
def test_a_plan_never_loses_and_never_exceeds_its_budget(seed, budget, how):
    table = options(np.random.default_rng(seed), 6)
    plan = cv.allocate(table, budget, how=how).table
    assert plan["spend"].sum() <= budget * (1 + 1e-9) + 1e-9
    assert (plan["net"] >= -1e-9).all()
    assert (plan["reached"] <= table["customers"] + 1e-9).all()


def test_fixed_costs_are_paid_whole_or_not_at_all():
    table = pd.DataFrame({"scenario": ["a", "a", "b"], "segment": ["x", "y", "x"], "customers": 10.0, "gain": [5.0, 4.0, 3.0],
                          "cost": 1.0, "fixed": [90.0, 90.0, 0.0]})  # fmt: skip
    plan = cv.allocate(table, 1000).table
    assert plan.loc[plan["scenario"] == "a", "spend"].sum() == 0  # 70 of gain do not pay for 90
    cheap = cv.allocate(table.assign(fixed=[30.0, 30.0, 0.0]), 1000).table
    assert cheap.loc[cheap["scenario"] == "a", "spend"].sum() == pytest.approx(20 + 30)
    assert cheap["net"].sum() == pytest.approx(70 - 30)


def test_a_budget_that_is_left_over_says_whether_more_would_help():
    """A lever with a fixed cost may be worth it and yet not fit: then the rest is too little, not too much."""
    table = pd.DataFrame({"scenario": ["call", "portal"], "segment": ["a", "b"], "customers": [10.0, 100.0], "gain": [3.0, 2.0],
                          "cost": [1.0, 0.0], "fixed": [0.0, 120.0]})  # fmt: skip
    small, large, none = (cv.allocate(table, budget, words=cv.Words("EUR")) for budget in (50, 200, 0))
    assert small.table["spend"].tolist() == pytest.approx([10, 0])
    assert small.text.endswith(
        "Nothing else that pays fits into the rest; a budget of €130 would add a net gain of €80.00."
    )
    assert large.table["spend"].tolist() == pytest.approx([10, 120])
    assert large.text.endswith("More budget would bring nothing more.")
    assert (
        none.text
        == "Nothing is spent: nothing that pays fits into €0.00; a budget of €130 would add a net gain of €100."
    )
    assert "no part would come back" in cv.allocate(table.assign(gain=[0.5, 0.1]), 50, words=cv.Words("EUR")).text


def test_a_customer_is_reached_once_and_no_segment_takes_all():
    table = pd.DataFrame(
        {"scenario": ["a", "b"], "segment": ["x", "x"], "customers": 10.0, "gain": [5.0, 4.0], "cost": 1.0}
    )
    assert cv.allocate(table, 100).table["reached"].sum() == pytest.approx(10)
    two = pd.DataFrame({"segment": ["x", "y"], "customers": 100.0, "gain": [5.0, 2.0], "cost": 1.0})
    assert cv.allocate(two, 100, most=0.6).table["spend"].tolist() == pytest.approx([60, 40])


def test_cautious_plans_count_on_less():
    table = pd.DataFrame(
        {"segment": ["x", "y"], "customers": 10.0, "gain": [5.0, 4.0], "gain_cautious": [0.5, 3.0], "cost": 1.0}
    )
    plan = cv.allocate(table, 100, cautious=True).table
    assert plan["spend"].tolist() == pytest.approx([0, 10])


def test_bad_options_are_named():
    with pytest.raises(cv.TableError, match="need the column 'gain'"):
        cv.allocate(pd.DataFrame({"segment": ["x"], "customers": [1], "cost": [1]}), 10)
    with pytest.raises(ValueError, match="how must be share, whole or concave, got 'even'"):
        cv.allocate(options(np.random.default_rng(0), 2), 10, how="even")


# ------------------------------------------------------------------------------------------ target list


def people(n: int = 500) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "customer_id": [f"c{k:03d}" for k in range(n)],
            "clv": rng.gamma(2, 20, n),
            "segment": rng.choice(["x", "y"], n),
        }
    )


GAINS = pd.DataFrame({"segment": ["x", "y"], "gain": [2.0, 0.2], "cost": [1.0, 1.0]})


def test_target_list_is_by_what_contact_adds_and_keeps_a_random_holdout():
    found = cv.target_list(people(), GAINS, initiative="thanks", start="2026-01-01", seed=1)
    table = found.table
    assert list(table.columns) == [
        "initiative",
        "start",
        "customer_id",
        "group",
        "cost",
        "planned",
        "seed",
        "segment",
        "gain",
    ]
    assert table["gain"].is_monotonic_decreasing
    assert (table["gain"] > 1).all()
    assert set(table["group"]) == {"treated", "holdout"}
    assert (table["group"] == "holdout").mean() == pytest.approx(0.1, abs=0.01)
    assert (table.loc[table["group"] == "holdout", "cost"] == 0).all()
    again = cv.target_list(people(), GAINS, initiative="thanks", start="2026-01-01", seed=1).table
    pd.testing.assert_frame_equal(table, again)
    other = cv.target_list(people(), GAINS, initiative="thanks", start="2026-01-01", seed=2).table
    assert set(other.loc[other["group"] == "holdout", "customer_id"]) != set(
        table.loc[table["group"] == "holdout", "customer_id"]
    )


def test_holdout_and_treated_do_not_differ_beforehand():
    """Over many draws the holdout's value is the treated's, on average."""
    gaps = []
    for seed in range(200):
        table = cv.target_list(people(), GAINS, initiative="t", start="2026-01-01", seed=seed, holdout=0.3).table
        gaps.append(table.groupby("group")["gain"].mean().diff().iloc[-1])
    assert abs(np.mean(gaps)) < 3 * np.std(gaps) / np.sqrt(200)


def test_who_must_not_be_contacted_is_not():
    customers = people()
    ids = customers["customer_id"]
    found = cv.target_list(customers, GAINS, initiative="t", start="2026-01-01", opted_out=set(ids[:100]), open_cases=set(ids[100:150]),
                           contacted=set(ids[150:200]), budget=50)  # fmt: skip
    table = found.table
    assert not set(table["customer_id"]) & (set(ids[:100]) | set(ids[150:200]))
    first = table[table["group"] == "fix first"]
    assert set(first["customer_id"]) <= set(ids[100:150])
    assert len(first) > 0
    assert table["cost"].sum() <= 50
    with pytest.raises(ValueError, match="without one nothing can be measured"):
        cv.target_list(customers, GAINS, initiative="t", start="2026-01-01", holdout=0)


def test_investment_map_reads_over_and_under():
    table = pd.DataFrame({"segment": ["x", "y"], "customers": [10, 90], "clv": [90.0, 10.0 / 9]})
    found = cv.improve.investment_map(table, {"x": 10, "y": 90}).table.set_index("segment")["reading"]
    assert found.to_dict() == {"x": "under", "y": "over"}
    assert cv.improve.investment_map(table, {}).table.empty


# ---------------------------------------------------------------------------------- levers that may fail


def test_a_lever_that_nobody_has_tried_here_may_do_nothing_or_harm():
    start = base()
    sure = cv.Lever("x", {"frequency": (0.1, 0.1, 0.1)}, ramp_up=0.0, lasts=3.0, yearly_cost=0.5)
    unsure = dataclasses.replace(sure, idle=0.3, harmful=0.2)
    one, other = (
        cv.evaluate_scenarios(start, [cv.Scenario("x", (v,))], draws=20_000).table.iloc[0] for v in (sure, unsure)
    )
    assert other["gain"] == pytest.approx(one["gain"] * (0.5 - 0.2), rel=0.06)
    assert one["p_profit"] == 1.0
    assert other["p_profit"] == pytest.approx(0.5, abs=0.02)
    assert cv.improve.learn(unsure, {"frequency": (0.1, 0.01)}).idle == 0.0


def test_no_lever_of_the_guide_is_sure_to_pay_before_it_was_measured():
    start = base()
    found = cv.evaluate_scenarios(start, cv.improve.lever_library(start), link=cv.improve.prior_link()).table
    tried = found[
        found["scenario"] != "higher prices"
    ]  # a price is decided; what its range holds is how customers take it
    assert tried["p_profit"].max() <= 0.6


def test_levers_share_part_of_their_luck():
    """Two levers together are less sure than if each had its own."""
    start = base()
    levers = tuple(
        cv.Lever(f"lever {k}", {"frequency": (0.1, 0.1, 0.1)}, ramp_up=0.0, lasts=3.0, idle=0.5) for k in range(2)
    )
    found = cv.evaluate_scenarios(start, [cv.Scenario("both", levers)], draws=20_000).table.iloc[0]
    neither = 1 - found["p_profit"]
    assert 0.29 < neither < 0.36  # a quarter where luck is not shared, a half where it is the same


@pytest.mark.parametrize(("effect", "span"), [("retention", (0, 5, 15)), ("frequency", (0, 4, 10))])
def test_per_cent_for_a_fraction_is_refused_with_the_way_to_write_it(effect, span):
    with pytest.raises(ValueError, match=r"is a fraction, 0.05 for five per cent.*did you mean \[0.0, 0.0"):
        cv.Lever("x", {effect: span})
