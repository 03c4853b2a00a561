"""Step 4's arithmetic: published numbers, properties, and simulations whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import clvnb as cv
from clvnb.experiments.changes import Threat
from clvnb.experiments.designs import balance
from clvnb.experiments.planning import GRACE, ONCE
from clvnb.experiments.randomised import cuped
from clvnb.experiments.verdicts import DESIGNS
from helpers import ROOT

GOLDEN = yaml.safe_load((ROOT / "tests/golden/changes.yaml").read_text(encoding="utf-8"))
SEEDS = 200
FIRST = 2026  # of all simulated cases
STAYED = cv.Outcome("stayed")


def ids(n: int, start: int = 0) -> np.ndarray:
    return np.arange(start, start + n)


def groups(treated: tuple[int, int], holdout: tuple[int, int]) -> pd.DataFrame:
    """Customers of two groups, so many of whom stayed."""
    (n1, k1), (n0, k0) = treated, holdout
    value = np.r_[np.ones(k1), np.zeros(n1 - k1), np.ones(k0), np.zeros(n0 - k0)]
    return pd.DataFrame({"customer_id": ids(n1 + n0), "group": np.repeat(["treated", "holdout"], [n1, n0]), "value": value})  # fmt: skip


# ------------------------------------------------------------------------------------- published numbers


@pytest.mark.parametrize("looks", [2, 3, 4, 5])
def test_obrien_fleming_bounds(looks):
    assert cv.experiments.obrien_fleming(looks) == pytest.approx(GOLDEN["obrien_fleming"][looks], abs=6e-4)


def test_holdout_by_newcombe():
    want = GOLDEN["holdout"]
    found = cv.measure_change(groups((1500, 1200), (500, 375)), STAYED, randomised=True, planned=0.75)
    assert (found.change, found.error) == pytest.approx((want["change"], want["error"]), abs=6e-6)
    assert (found.low, found.high) == pytest.approx(want["interval"], abs=6e-5)
    assert found.p_value == pytest.approx(want["p"], abs=6e-5)
    assert (found.design, found.verdict, found.causal) == ("A", "improved", True)


def test_a_published_game_test_comes_out_as_published():
    want = GOLDEN["cookie_cats"]
    new, old = want["sizes"]["gate_40"], want["sizes"]["gate_30"]
    back = groups((new, want["seventh_day"]["gate_40"]), (old, want["seventh_day"]["gate_30"]))
    outcome = cv.Outcome("back on the seventh day")
    week = cv.measure_change(back, outcome, randomised=True, spillover=False, what="the later gate")
    assert (week.change, week.low, week.high) == pytest.approx((want["change"], *want["interval"]), abs=6e-5)
    assert week.p_value == pytest.approx(want["p"], abs=6e-5)
    assert week.verdict == "worsened"
    assert "caused by the later gate." in week.sentence
    split = cv.measure_change(
        back, outcome, randomised=True, planned=0.5, what="the later gate"
    )  # its odds are 1 in 116
    assert split.verdict == "worsened"
    assert not split.causal
    assert "that the later gate caused it is in doubt" in split.sentence
    assert "chance alone does so once in 116 times, a doubt" in split.sentence
    day = cv.measure_change(
        groups((new, want["first_day"]["gate_40"]), (old, want["first_day"]["gate_30"])), STAYED, randomised=True
    )
    assert day.p_value == pytest.approx(want["first_day_p"], abs=6e-5)
    assert day.verdict == "no_material_change"
    assert cv.experiments.sample_ratio((new, old), 0.5) == pytest.approx(want["split_p"], abs=6e-5)


def test_difference_in_differences():
    want, rows = GOLDEN["differences"], []
    for group, period, share in (("treated", 0, 0.70), ("treated", 1, 0.78), ("comparison", 0, 0.72), ("comparison", 1, 0.74)):  # fmt: skip
        value = np.repeat([1.0, 0.0], [round(500 * share), 500 - round(500 * share)])
        rows.append(pd.DataFrame({"customer_id": ids(500, 1000 * len(rows)), "period": period, "group": group, "value": value}))  # fmt: skip
    found = cv.experiments.difference_in_differences(pd.concat(rows))
    assert found.value == pytest.approx(want["change"])
    assert found.error == pytest.approx(want["error"], abs=6e-5)
    assert found.interval(1.959964) == pytest.approx(want["interval"], abs=6e-4)


def test_difference_in_differences_is_the_regression_with_clustered_errors():
    import statsmodels.formula.api as smf

    rng = np.random.default_rng(0)
    n = 300
    own, got = rng.normal(50, 10, n), np.arange(n) < 120
    data = pd.concat(
        [pd.DataFrame({"customer_id": ids(n), "period": p, "group": np.where(got, "treated", "comparison"), "value": own + rng.normal(0, 5, n) + 3 * p * got}) for p in (0, 1)]
    )  # fmt: skip
    found = cv.experiments.difference_in_differences(data)
    data["t"] = (data["group"] == "treated").astype(int)
    fit = smf.ols("value ~ t * period", data).fit(
        cov_type="cluster", cov_kwds={"groups": pd.factorize(data["customer_id"])[0]}
    )
    assert found.value == pytest.approx(fit.params["t:period"], rel=1e-9)
    assert found.error == pytest.approx(fit.bse["t:period"], rel=0.01)


def test_cuped():
    want = GOLDEN["cuped"]
    x, y = np.array(want["before"], dtype=float), np.array(want["after"], dtype=float)
    treated = np.arange(10) < 5
    made, explained = cuped(y, x[:, None])
    assert np.polyfit(x, made, 1)[0] == pytest.approx(want["theta"], abs=5e-5)
    adjusted = y - made
    assert adjusted[treated].mean() - adjusted[~treated].mean() == pytest.approx(want["adjusted"], abs=6e-4)
    assert y[treated].mean() - y[~treated].mean() == pytest.approx(want["raw"])
    many = cv.experiments.randomised_difference(np.tile(y, 2), np.tile(treated, 2), before=np.tile(x, 2))
    assert many.design == "A+"
    assert many.value == pytest.approx(want["adjusted"], abs=6e-4)
    assert many.error < 0.4 * cv.experiments.randomised_difference(np.tile(y, 2), np.tile(treated, 2)).error
    assert explained > 0.9


def test_pairs():
    want = GOLDEN["paired_nps"]
    moved = np.repeat(list(want["counts"]), list(want["counts"].values())).astype(float)
    found = cv.experiments.paired_change(np.zeros(len(moved)), moved)
    assert (found.value, found.error) == pytest.approx((want["change"], want["error"]), abs=6e-5)
    b, a = np.repeat([1, 1, 0, 0.0], [120, 15, 35, 30]), np.repeat([1, 0, 1, 0.0], [120, 15, 35, 30])
    shares = cv.experiments.paired_change(b, a)
    assert f"McNemar p = {GOLDEN['mcnemar']['exact']}" in shares.method
    assert shares.value == pytest.approx(0.1)
    assert shares.interval(1.959964)[0] > 0


def test_segmented_regression(monkeypatch):
    """With independent periods and a trend that never bends it is the textbook's least squares."""
    from clvnb.experiments import designs

    monkeypatch.setattr(designs, "_whiteners", lambda n: (np.eye(n)[None], np.zeros(1)))
    want = GOLDEN["segmented"]
    on = np.arange(12) >= 6
    y = np.array(want["values"], dtype=float)
    found = [designs._explained(designs._segments(on), y, np.eye(4)[k], 8)[0][0] for k in (2, 3)]
    assert found == pytest.approx([want["level"], want["slope"]], abs=5e-4)


def test_false_discoveries_are_benjamini_and_hochbergs():
    want = GOLDEN["benjamini_hochberg"]
    from scipy.stats import false_discovery_control

    assert false_discovery_control(want["p"]) == pytest.approx(want["adjusted"], abs=6e-5)
    many = [
        cv.experiments.judge(cv.experiments.Change("A", 0, 0, z, 1.0, 100), cv.Outcome(f"group {k}", "money", 0.5))
        for k, z in enumerate([3.3, 2.65, 2.06, 2.04, 2.03, 1.88, 1.79, 1.27])
    ]
    assert [v.verdict for v in many].count("improved") == 5
    held = cv.experiments.false_discoveries(many)
    assert [v.verdict for v in held].count("improved") == 2  # .001 and .008; .0672 is no discovery
    assert "One of 8 that were looked at" in held[0].sentence
    assert "among 8 measures that are looked at, one this far from no change may be chance" in held[2].sentence
    assert "Improved" not in held[2].sentence
    assert cv.experiments.false_discoveries(many[:1]) == many[:1]


def test_mix_shift_is_simpsons():
    want = GOLDEN["simpson"]
    rows = [(0, "A", 800, 720), (0, "B", 200, 100), (1, "A", 400, 368), (1, "B", 600, 330)]
    parts = [pd.DataFrame({"wave": w, "cell": c, "value": np.repeat([1.0, 0.0], [k, n - k])}) for w, c, n, k in rows]
    data = pd.concat(parts)
    means = data.groupby("wave")["value"].mean()
    assert (means[0], means[1]) == pytest.approx((want["before"], want["after"]))
    split = cv.experiments.mix_shift(data["value"], data["cell"], data["wave"])
    assert split["within"].sum() == pytest.approx(want["within"])
    assert split["mix"].sum() == pytest.approx(want["mix"])
    before, after = (data[data["wave"] == w].reset_index(drop=True) for w in (0, 1))
    change, _ = cv.experiments.two_waves(before, after)
    assert change.value == pytest.approx(want["within"])  # the score fell, and everybody is happier


def test_bridge_adds_up():
    want = GOLDEN["bridge"]
    old = pd.DataFrame(
        {
            "segment": ["all"],
            "customers": [1.0],
            "retention": [0.8],
            "frequency": [3.0],
            "basket": [50.0],
            "margin": [0.4],
        }
    )
    found = cv.clv_bridge(old, old.assign(retention=0.82, frequency=3.3, basket=52.0), discount_rate=0.1)
    parts = found.table.set_index("factor")["part"]
    assert (found.before, found.after) == pytest.approx((want["before"], want["after"]), abs=6e-4)
    assert parts.to_dict() == pytest.approx(want["parts"], abs=6e-4)
    assert "€" not in found.text
    assert cv.clv_bridge(old, old, discount_rate=0.1).table.empty


def test_survival():
    want = GOLDEN["survival"]
    first, second = want["first"], want["second"]
    assert cv.value.mean_time(first["tenure"], first["ended"], 4)[0] == pytest.approx(first["mean_of_four"])
    found = cv.value.compare_survival(
        first["tenure"] + second["tenure"], first["ended"] + second["ended"], ["a"] * 10 + ["b"] * 10, first="a", second="b", periods=4
    )  # fmt: skip
    assert found.p_value == pytest.approx(want["p"], abs=6e-5)
    assert found.difference.value < 0
    with pytest.raises(ValueError, match="staying was seen for 4 periods at most"):
        cv.value.mean_time(first["tenure"], first["ended"], 5)


def test_equivalence_by_two_one_sided_tests():
    from statsmodels.stats.weightstats import ztost

    rng = np.random.default_rng(4)
    a, b = rng.normal(10, 2, 400), rng.normal(10.1, 2, 400)
    error = math.sqrt(a.var(ddof=1) / 400 + b.var(ddof=1) / 400)
    assert cv.experiments.equivalence(a.mean() - b.mean(), error, 0.6) == pytest.approx(
        ztost(a, -0.6, 0.6, b, usevar="unequal")[0], abs=1e-6
    )


# ------------------------------------------------------------------------------------------- properties


@given(st.lists(st.floats(0.1, 3.0), min_size=4, max_size=4), st.lists(st.floats(0.1, 3.0), min_size=4, max_size=4))
@settings(max_examples=50, deadline=None)
def test_shapley_adds_up_for_any_formula(first, second):
    names = list("abcd")
    before, after = dict(zip(names, first, strict=True)), dict(zip(names, second, strict=True))

    def value(p):
        return p["a"] * p["b"] ** 2 / (1 + p["c"]) - math.log(p["d"]) * p["a"]

    parts = cv.remeasure.shapley(value, before, after)
    assert parts.sum() == pytest.approx(value(after) - value(before), abs=1e-9)
    swapped = cv.remeasure.shapley(value, dict(reversed(before.items())), dict(reversed(after.items())))
    assert swapped[names].to_numpy() == pytest.approx(parts.to_numpy(), abs=1e-9)  # the order does not matter


@given(st.integers(0, 2**31), st.floats(0.5, 50))
@settings(max_examples=25, deadline=None)
def test_units_and_order_do_not_matter(seed, factor):
    rng = np.random.default_rng(seed)
    y, x, t = rng.gamma(2, 10, 80), rng.gamma(2, 10, 80), np.arange(80) < 45
    one = cv.experiments.randomised_difference(y, t, before=x)
    many = cv.experiments.randomised_difference(factor * y, t, before=factor * x)
    assert many.value == pytest.approx(factor * one.value, rel=1e-9, abs=1e-9)
    assert many.error == pytest.approx(factor * one.error, rel=1e-9)
    order = rng.permutation(80)
    again = cv.experiments.randomised_difference(y[order], t[order], before=x[order])
    assert (again.value, again.error) == pytest.approx((one.value, one.error), rel=1e-9)


def test_answers_of_one_customer_are_taken_together():
    rng = np.random.default_rng(1)
    own = rng.random(400) < 0.7
    before = pd.DataFrame({"customer_id": ids(400), "value": own.astype(float)})
    after = before.assign(value=np.where(rng.random(400) < 0.1, 1 - before["value"], before["value"]))
    same, _ = cv.experiments.two_waves(before, after)
    other, _ = cv.experiments.two_waves(before, after.assign(customer_id=ids(400, 1000)))
    assert same.design == "E"
    assert other.design == "F"
    assert same.error < 0.6 * other.error  # the same people: their differences hardly vary
    assert same.error == pytest.approx(cv.experiments.paired_change(before["value"], after["value"]).error, rel=0.05)


def test_small_groups_are_put_together_in_both_waves():
    rng = np.random.default_rng(2)
    cells = np.repeat(["a", "b", "tiny"], [200, 150, 4])
    before = pd.DataFrame({"customer_id": ids(354), "cell": cells, "value": rng.integers(0, 2, 354).astype(float)})
    change, split = cv.experiments.two_waves(
        before, before[before["cell"] != "tiny"].copy(), population={"a": 500, "b": 300, "tiny": 10}
    )
    assert set(split["cell"]) == {"a", "b"}
    assert abs(change.value) < 0.02


def test_balance_meets_the_target_or_says_that_none_can():
    rng = np.random.default_rng(3)
    others = rng.normal(size=(500, 3))
    target = np.array([0.4, -0.3, 0.2])
    weights = balance(others, target)
    assert np.average(others, axis=0, weights=weights) == pytest.approx(target, abs=1e-4)
    assert (weights > 0).all()
    with pytest.raises(cv.TableError, match="no weights make the two groups alike"):
        balance(others, np.array([40.0, 0.0, 0.0]))


def test_regression_to_the_mean():
    rng = np.random.default_rng(5)
    true = rng.normal(0, 1, 20_000)
    first, second = true + rng.normal(0, 1, 20_000), true + rng.normal(0, 1, 20_000)
    chosen = first < -1
    expected = cv.experiments.regression_to_the_mean(first, chosen, 0.5)
    assert second[chosen].mean() - first[chosen].mean() == pytest.approx(expected, abs=0.05)


def test_looks():
    days = ["2025-07-01", "2025-12-31"]
    assert cv.experiments.look_on(days, "2025-07-15").kind == "planned"
    assert cv.experiments.look_on(days, "2025-06-30").due == "2025-07-01"
    assert (
        cv.experiments.look_on(days, f"{pd.Timestamp('2025-12-31') + pd.Timedelta(days=GRACE + 1):%Y-%m-%d}").kind
        == "open"
    )
    assert cv.experiments.look_on([], "2025-07-15").kind == "open"
    assert ONCE.critical(1.0, 0.95, 2.0) == pytest.approx(1.959964, abs=1e-6)
    assert cv.experiments.Look("planned", 1, 2).critical(1.0, 0.95, 2.0) > cv.experiments.Look(
        "planned", 2, 2
    ).critical(1.0, 0.95, 2.0)
    assert cv.experiments.always_valid(0.0, 1.0) == math.inf
    with pytest.raises(ValueError, match="between 1 and 6"):
        cv.experiments.obrien_fleming(9)


# --------------------------------------------------------------------------------------------- verdicts


def change(value: float, error: float, design: str = "A", **more) -> cv.experiments.Change:
    return cv.experiments.Change(design, 0.7, 0.7 + value, value, error, 1000, **more)


@pytest.mark.parametrize(
    ("value", "error", "verdict", "said"),
    [
        (0.10, 0.01, "improved", "Improved by more than 3.0 percentage points, caused by it"),
        (0.03, 0.01, "improved", "Improved, caused by it"),
        (-0.10, 0.01, "worsened", "Worsened by more than 3.0 percentage points, caused by it"),
        (0.005, 0.01, "no_material_change", "lies within 3.0 percentage points either way"),
        (0.02, 0.02, "no_evidence", "would have been seen four times in five"),
    ],
)
def test_every_verdict(value, error, verdict, said):
    found = cv.experiments.judge(change(value, error), STAYED)
    assert found.verdict == verdict
    assert said in found.sentence


def test_only_chance_shows_a_cause():
    for design in DESIGNS:
        found = cv.experiments.judge(change(0.1, 0.01, design), STAYED, what="the call")
        assert found.verdict == "improved"
        assert ("caused by the call" in found.sentence) == (design in {"A", "A+"})
        assert found.causal == (design in {"A", "A+"})
        assert ("consistent with an effect" in found.sentence) == (design in {"B", "C", "D"})


def test_an_interim_look_decides_nothing():
    found = cv.experiments.judge(change(0.2, 0.01), STAYED, look=cv.experiments.look_on(["2025-12-31"], "2025-09-01"))
    assert found.verdict == "not_measurable"
    assert "No verdict before 31 December 2025" in found.sentence
    assert math.isfinite(found.low)


def test_units_are_said_once():
    nps = cv.experiments.judge(
        cv.experiments.Change("F", 20.0, 27.5, 7.5, 2.0, 400), cv.Outcome("NPS", "points", 5.0, of="answers")
    )
    assert "+7.5 points (95% range +3.6 to +11.4 points; 400 answers" in nps.sentence
    money = cv.experiments.judge(
        cv.experiments.Change("A", 10.0, 12.0, 2.0, 0.5, 400), cv.Outcome("contribution", "money", 1.0), words=None
    )
    assert "range +" in money.sentence
    with pytest.raises(ValueError, match="unit must be"):
        cv.Outcome("x", "euro")
    with pytest.raises(ValueError, match="margin must be above 0"):
        cv.Outcome("x", margin=0)


def test_a_split_that_was_not_planned_stops_everything():
    rng = np.random.default_rng(0)
    lost = groups((1000, 850), (1000, 800))
    # The mail server refused some of the treated, and their lines went missing with them.
    lost = lost.drop(index=lost[(lost["group"] == "treated") & (rng.random(2000) < 0.2)].index)
    found = cv.measure_change(lost, STAYED, randomised=True, planned=0.5)
    assert found.verdict == "not_measurable"
    assert not found.causal
    assert "split as planned" in found.sentence
    assert "chance alone does so less than once in" in found.sentence


def test_answers_that_come_more_from_one_side_widen_the_range_to_whom_is_missing():
    found = cv.measure_change(
        groups((600, 500), (100, 70)), STAYED, randomised=True, planned=0.5, assigned=(1000, 1000)
    )
    assert found.verdict == "no_evidence"  # the 500 who answered on one side alone may have been the happy ones
    assert found.low < 0 < found.change < found.high
    assert (
        "known of 60% of the treated and 10% of the holdout"
        in found.checks.set_index("check").loc["known of both alike", "found"]
    )
    with pytest.raises(cv.TableError, match="counted twice"):
        cv.experiments.randomised_difference([1.0] * 30, [True] * 15 + [False] * 15, assigned=(10, 10))


def test_not_enough_and_nothing_to_compare_with():
    assert "too few to compare" in cv.measure_change(groups((5, 4), (500, 400)), STAYED, randomised=True).sentence
    alone = pd.DataFrame({"customer_id": ids(50), "value": np.arange(50) % 2})
    assert "nothing to compare with" in cv.measure_change(alone, STAYED).sentence
    series = pd.DataFrame({"value": np.arange(10.0), "after": np.arange(10) > 6})
    assert "eight periods before" in cv.measure_change(series, STAYED).sentence
    alike = groups((50, 0), (50, 0)).assign(value=99.0)
    assert "have the same value" in cv.measure_change(alike, cv.Outcome("m", "money", 1.0), randomised=True).sentence
    with pytest.raises(cv.TableError, match="no column 'value'"):
        cv.measure_change(pd.DataFrame({"score": [1]}), STAYED)
    with pytest.raises(cv.TableError, match="the group 'control' is not known"):
        cv.measure_change(groups((50, 40), (50, 40)).replace("holdout", "control"), STAYED)
    with pytest.raises(cv.TableError, match="planned share"):
        cv.experiments.randomised_difference([1.0] * 30, [True] * 15 + [False] * 15, planned=90)


def test_profit_and_loss():
    effect = cv.experiments.judge(
        cv.experiments.Change("A", 10.0, 12.0, 2.0, 0.5, 400), cv.Outcome("contribution", "money", 1.0)
    )
    found = cv.experiments.profit_and_loss(effect, 1000, 500.0)
    row = found.table.iloc[0]
    assert (row["brought"], row["net"]) == pytest.approx((2000, 1500))
    assert row["p_profit"] > 0.99
    assert "It pays for itself." in found.text
    assert "has not paid for itself" in cv.experiments.profit_and_loss(effect, 1000, 5000.0).text
    assert (
        "is associated with"
        in cv.experiments.profit_and_loss(
            cv.experiments.judge(change(2.0, 0.5, "C"), cv.Outcome("c", "money", 1.0)), 10, 1.0
        ).text
    )
    assert (
        "cannot be told"
        in cv.experiments.profit_and_loss(cv.experiments.not_measurable(STAYED, "no holdout"), 10, 1.0).text
    )


def test_verdict_table_has_the_columns_of_the_design():
    table = cv.experiments.verdict_table([cv.experiments.judge(change(0.1, 0.01), STAYED)])
    assert list(table) == [
        "metric",
        "design",
        "before",
        "after",
        "change",
        "change_low",
        "change_high",
        "n",
        "verdict",
        "sentence",
    ]
    assert Threat("a", "b", None).ok is None


# ------------------------------------------------------------------------------------- simulated truth


def decided(draw, seeds: int = SEEDS) -> tuple[float, float, set[str]]:
    """The shares of improved and worsened, and the designs that were chosen."""
    found = [draw(np.random.default_rng([FIRST, seed])) for seed in range(seeds)]
    return (*(np.mean([v.verdict == w for v in found]) for w in ("improved", "worsened")), {v.design for v in found})


def holdout_draw(rng, effect=0.0, n=906):
    value = np.r_[rng.random(n) < 0.80 + effect, rng.random(n) < 0.80].astype(float)
    return cv.measure_change(pd.DataFrame({"customer_id": ids(2 * n), "group": np.repeat(["treated", "holdout"], n), "value": value}), STAYED, randomised=True, planned=0.5)  # fmt: skip


def spend_draw(rng, effect=0.0, n=3000):
    """Few buy, and a few of those buy very much; what they spent before tells a part."""
    x = rng.lognormal(3, 1.0, n)
    buys = rng.random(n) < 0.35
    treated = rng.random(n) < 0.8
    after = np.where(buys, rng.lognormal(2, 1.0, n) + 0.5 * x, 0.0) + effect * treated
    parts = [pd.DataFrame({"customer_id": ids(n), "group": np.where(treated, "treated", "holdout"), "period": p, "value": v}) for p, v in ((0, x), (1, after))]  # fmt: skip
    return cv.measure_change(pd.concat(parts), cv.Outcome("spend", "money", 1.0), randomised=True, planned=0.8)


def followed_draw(rng, effect=0.0, n=250, drift=0.0):
    """Two groups that differ in level, and move alike but for ``drift``."""
    treated, own = np.arange(2 * n) < n, rng.normal(50, 15, 2 * n)
    parts = [
        pd.DataFrame({"customer_id": ids(2 * n), "group": np.where(treated, "treated", "comparison"), "period": p,
                      "value": own + 10 * treated + 3 * p + drift * p * treated + rng.normal(0, 10, 2 * n) + effect * treated * (p == 1)})
        for p in (-1, 0, 1)
    ]  # fmt: skip
    return cv.measure_change(pd.concat(parts), cv.Outcome("spend", "money", 1.0))


def chosen_draw(rng, effect=0.0, n=1200):
    """The good customers were chosen; what made them good is known."""
    x, z = rng.normal(size=n), rng.exponential(size=n)
    treated = rng.random(n) < 1 / (1 + np.exp(0.5 - 0.8 * x - 0.3 * z))
    value = 10 + 3 * x + 2 * z + rng.normal(0, 4, n) + effect * treated
    known = pd.DataFrame({"x": x, "z": z}, index=ids(n))
    data = pd.DataFrame({"customer_id": ids(n), "group": np.where(treated, "treated", "comparison"), "value": value})
    return cv.measure_change(data, cv.Outcome("spend", "money", 0.2), known=known)


def series_draw(rng, effect=0.0, n=24, echo=0.3):
    e = np.zeros(n)
    e[0] = rng.normal()
    for k in range(1, n):
        e[k] = echo * e[k - 1] + math.sqrt(1 - echo**2) * rng.normal()
    on = np.arange(n) >= n // 2
    return cv.measure_change(
        pd.DataFrame({"value": 70 + 0.3 * np.arange(n) + e + effect * on, "after": on}),
        cv.Outcome("score", "points", 0.5),
    )


def pairs_draw(rng, effect=0.0, n=300):
    own = rng.normal(size=n)
    parts = [
        pd.DataFrame(
            {"customer_id": ids(n), "period": p, "value": (own + rng.normal(size=n) + effect * p > -0.8).astype(float)}
        )
        for p in (0, 1)
    ]
    return cv.measure_change(pd.concat(parts), STAYED, chosen=False)


def waves_draw(rng, effect=0.0, n=906):
    """Two rounds of answers; a fifth of the people answer both times."""
    parts = []
    for p, who in ((0, ids(n)), (1, ids(n + n * 4 // 5)[n * 4 // 5 :])):
        parts.append(pd.DataFrame({"customer_id": who, "period": p, "value": (rng.random(n) < 0.8 + effect * p).astype(float)}))  # fmt: skip
    return cv.measure_change(pd.concat(parts), STAYED)


@pytest.mark.parametrize(
    ("draw", "designs"),
    [(holdout_draw, {"A"}), (spend_draw, {"A", "A+"}), (followed_draw, {"B", "C"}), (chosen_draw, {"C"}), (series_draw, {"D"}), (pairs_draw, {"E"}), (waves_draw, {"F"})],
    ids=["A", "A+", "B", "C", "D", "E", "F"],
)  # fmt: skip
def test_where_nothing_happened_nothing_is_found(draw, designs):
    up, down, chosen = decided(draw)
    assert up + down <= 0.06
    assert chosen <= designs


@pytest.mark.parametrize(("draw", "effect"), [(holdout_draw, 0.05), (waves_draw, 0.05)], ids=["A", "F"])
def test_an_effect_of_the_planned_size_is_found_as_often_as_planned(draw, effect):
    """906 on each side find five points from 80 % four times in five."""
    assert cv.sample_size(effect, share=0.8) == (906, 906)
    up, down, _ = decided(lambda rng: draw(rng, effect), seeds=400)
    assert up >= 0.78
    assert down == 0


def test_adjusting_for_what_was_known_finds_more():
    plain = [spend_draw(np.random.default_rng([FIRST, s]), 3.0) for s in range(60)]
    assert np.mean([v.verdict == "improved" for v in plain]) > 0.5
    assert sum(v.design == "A+" for v in plain) > 50
    assert np.mean([v.change for v in plain]) == pytest.approx(3.0, abs=0.35)


def test_simpsons_case_ends_with_the_effect_within():
    """Each group is happier, more of the unhappy group answer: the plain score falls, the verdict is the change within."""
    found = []
    for seed in range(SEEDS):
        rng, parts = np.random.default_rng([FIRST, seed]), []
        for p, share, good, bad in ((0, 0.8, 0.90, 0.50), (1, 0.4, 0.92, 0.55)):
            cell = np.where(rng.random(4000) < share, "A", "B")
            value = (rng.random(4000) < np.where(cell == "A", good, bad)).astype(float)
            parts.append(pd.DataFrame({"customer_id": ids(4000, 4000 * p), "period": p, "cell": cell, "value": value}))
        data = pd.concat(parts)
        assert data.groupby("period")["value"].mean().diff().iloc[1] < 0
        found.append(cv.measure_change(data, STAYED, population={"A": 0.8, "B": 0.2}))
    assert np.mean([v.change for v in found]) == pytest.approx(0.026, abs=0.002)
    assert np.mean([v.verdict == "improved" for v in found]) > 0.6
    assert not any(v.verdict == "worsened" for v in found)
    assert np.mean([v.low <= 0.026 <= v.high for v in found]) >= 0.9


@pytest.mark.parametrize("fixed", [False, True], ids=["whenever", "days fixed beforehand"])
def test_ten_peeks_do_not_find_what_is_not_there(fixed):
    """Every tenth of the data is looked at; without a guard one in five of these would find something."""
    guarded = plain = 0
    for seed in range(SEEDS):
        value = (np.random.default_rng([FIRST, seed]).random((2, 2000)) < 0.8).astype(float)
        once, found = set(), set()
        for k in range(1, 11):
            n = 200 * k
            seen = cv.experiments.randomised_difference(value[:, :n].ravel(), np.repeat([True, False], n))
            look = cv.experiments.Look("open")
            if fixed:
                look = (
                    cv.experiments.Look("planned", k // 5, 2)
                    if k in {5, 10}
                    else cv.experiments.Look("interim", due="2025-12-31")
                )
            found.add(cv.experiments.judge(seen, STAYED, look=look).verdict)
            once.add(cv.experiments.judge(seen, STAYED).verdict)
        guarded += bool(found & {"improved", "worsened"})
        plain += bool(once & {"improved", "worsened"})
    assert guarded / SEEDS <= 0.06
    assert plain / SEEDS > 0.12


def test_three_arms_with_rare_and_unequal_spend():
    """An e-mail test: two mailings and nobody; one in a hundred buys, for anything between 30 and 500."""
    rng = np.random.default_rng(11)
    n, rates = 21_000, {"men's": 0.0125, "women's": 0.0088, "none": 0.0057}
    arm = np.repeat(list(rates), n)
    bought = rng.random(3 * n) < np.repeat(list(rates.values()), n)
    spend = np.where(bought, np.clip(rng.lognormal(4.5, 0.8, 3 * n), 30, 500), 0.0)
    verdicts = {}
    for name in ("men's", "women's"):
        own = np.isin(arm, [name, "none"])
        group = np.where(arm[own] == name, "treated", "holdout")
        for what, value, outcome in (("bought", bought, cv.Outcome("bought", margin=0.002)), ("spent", spend, cv.Outcome("spent", "money", 0.2))):  # fmt: skip
            data = pd.DataFrame({"customer_id": np.flatnonzero(own), "group": group, "value": value[own].astype(float)})
            verdicts[name, what] = cv.measure_change(
                data, outcome, randomised=True, planned=0.5, what=f"the {name} mailing"
            )
    held = dict(zip(verdicts, cv.experiments.false_discoveries(list(verdicts.values())), strict=True))
    for (name, what), found in held.items():
        truth = rates[name] - rates["none"]
        assert found.design == "A"
        assert what == "spent" or found.low < truth < found.high
    assert held["men's", "bought"].verdict == "improved"
    assert held["men's", "bought"].causal
    assert held["men's", "spent"].verdict == "improved"
    assert "One of 4 that were looked at" in held["men's", "bought"].sentence


def test_a_comparison_with_the_wrong_sign_is_not_called_causal():
    """Those who complained got the call, and complainers leave: what they felt is not in the data, and the call looks harmful."""
    rng = np.random.default_rng(8)
    n = 4000
    upset = rng.random(n) < 0.3
    called = rng.random(n) < np.where(upset, 0.7, 0.05)
    stays = rng.random(n) < np.where(upset, 0.45, 0.85) + 0.08 * called  # the call helps everybody
    known = pd.DataFrame({"orders": rng.poisson(3, n).astype(float)}, index=ids(n))
    data = pd.DataFrame(
        {"customer_id": ids(n), "group": np.where(called, "treated", "comparison"), "value": stays.astype(float)}
    )
    found = cv.measure_change(data, STAYED, known=known, what="the call")
    assert found.verdict == "worsened"  # wrong, as any such comparison would be
    assert found.design == "C"
    assert not found.causal
    assert "caused" not in found.sentence
    assert "what nobody wrote down" in found.sentence
    told = cv.measure_change(data, STAYED, known=known.assign(upset=upset.astype(float)), what="the call")
    assert told.verdict == "improved"  # with what decided it among the data, the sign turns
    assert told.low < 0.08 < told.high


def test_groups_that_moved_apart_before_are_not_followed():
    drifting = followed_draw(np.random.default_rng(0), drift=6.0)
    assert drifting.design == "C"
    assert any(t.check == "parallel trends" and t.ok is False for t in drifting.threats)
    effect = followed_draw(np.random.default_rng(0), effect=6.0)
    assert effect.design == "B"
    assert effect.low < 6 < effect.high


def test_groups_that_do_not_overlap_are_not_compared():
    n = 200
    data = pd.DataFrame(
        {
            "customer_id": ids(2 * n),
            "group": np.repeat(["treated", "comparison"], n),
            "value": np.random.default_rng(0).random(2 * n),
        }
    )
    known = pd.DataFrame(
        {"orders": np.r_[np.random.default_rng(1).normal(50, 1, n), np.random.default_rng(2).normal(3, 1, n)]},
        index=ids(2 * n),
    )
    found = cv.measure_change(data, cv.Outcome("m", "money", 1.0), known=known)
    assert found.verdict == "not_measurable"
    assert "hardly any of the others resembles" in found.sentence


def chosen_for_their_best_draw(rng, n=600):
    """The best customers of the last period were chosen: they fall back by themselves, whatever is done."""
    own = rng.gamma(4, 12, n)
    spend = {p: np.clip(own + rng.normal(0, 12, n), 0, None) for p in (-1, 0, 1)}
    treated = rng.random(n) < 1 / (1 + np.exp(-(spend[0] - spend[0].mean()) / 12))
    parts = [pd.DataFrame({"customer_id": ids(n), "group": np.where(treated, "treated", "comparison"), "period": p, "value": v}) for p, v in spend.items()]  # fmt: skip
    return cv.measure_change(pd.concat(parts), cv.Outcome("spend", "money", 2.0))


def test_customers_who_were_chosen_for_their_best_do_not_seem_to_fall():
    up, down, _ = decided(chosen_for_their_best_draw)
    assert up + down <= 0.06


def test_following_is_held_against_weighing():
    found = followed_draw(np.random.default_rng(1))
    assert found.design == "B"
    assert "the range holds weighing" in found.method
    n = 300
    far = pd.concat(
        [pd.DataFrame({"customer_id": ids(2 * n), "group": np.repeat(["treated", "comparison"], n), "period": p,
                       "value": np.repeat([100.0, 10.0], n) + np.random.default_rng(p + 5).normal(0, 1, 2 * n)}) for p in (-1, 0, 1)]
    )  # fmt: skip
    apart = cv.measure_change(far, cv.Outcome("spend", "money", 1.0))
    assert apart.design == "B"
    assert "alike enough to weigh" in apart.sentence


def test_noise_without_end_is_no_verdict():
    rng = np.random.default_rng(0)
    data = groups((50, 0), (50, 0)).assign(value=rng.normal(0, 100, 100))
    found = cv.measure_change(
        data, cv.Outcome("spend", "money", 0.001), randomised=True, look=cv.experiments.Look("open")
    )
    assert found.verdict == "not_measurable"
    assert "no range can be given" in found.sentence
    assert cv.experiments.Change("A", 0, 0, 1.0, 1.0, 10, df=8).interval(60.0) == (-math.inf, math.inf)


def test_groups_that_no_draw_leaves_are_not_called_drawn():
    rng = np.random.default_rng(0)
    n, treated = 600, np.arange(600) < 300
    before = rng.normal(50, 10, n) + 10 * treated
    parts = [pd.DataFrame({"customer_id": ids(n), "group": np.where(treated, "treated", "holdout"), "period": p, "value": v}) for p, v in ((0, before), (1, before + 1))]  # fmt: skip
    found = cv.measure_change(pd.concat(parts), cv.Outcome("spend", "money", 1.0), randomised=True)
    assert found.verdict == "not_measurable"
    assert "customers were not randomised" in found.sentence


def test_a_season_is_not_taken_for_an_effect():
    """Two years of weeks with a yearly wave, and half a year after: nothing happened, and less is taken for chance."""
    wrong, narrower = 0, 0
    t, sales = np.arange(130), cv.Outcome("sales", "money", 45.0)
    for seed in range(60):
        value = (
            900 + 90 * np.sin(2 * np.pi * (t + 13) / 52.18) + np.random.default_rng([FIRST, seed]).normal(0, 45, 130)
        )
        data = pd.DataFrame({"value": value, "after": t >= 104})
        known = cv.measure_change(data, sales, season=52.18)
        wrong += known.verdict in {"improved", "worsened"}
        narrower += known.error < cv.measure_change(data, sales).error
    assert wrong / 60 <= 0.06
    assert narrower / 60 > 0.9
    young = cv.measure_change(data.iloc[80:], sales, season=52.18)
    assert young.verdict == "not_measurable"
    assert "less than a year is known before" in young.sentence


def test_nobody_reached_is_nothing_measured():
    data = groups((200, 150), (200, 150))
    found = cv.measure_change(data[data["group"] == "holdout"], STAYED, randomised=True)
    assert "nobody's outcome is known" in found.sentence
    sure = cv.measure_change(groups((200, 200), (200, 200)), STAYED, randomised=True)
    assert sure.verdict == "no_material_change"
    assert sure.low < 0 < sure.high
