"""Scores, weights, groups and sizes against published numbers; biased answers set right; traps said in words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import clvnb as cv
from clvnb.satisfaction.baseline import detectable
from clvnb.satisfaction.scores import laney_limits, latest_series
from helpers import ROOT

GOLD = yaml.safe_load((ROOT / "tests/golden/satisfaction.yaml").read_text(encoding="utf-8"))


def answers(promoters: int, passives: int, detractors: int) -> list[int]:
    return [10] * promoters + [8] * passives + [3] * detractors


def survey(scores, metric: str = "csat", wave: str = "2025-06", **more) -> pd.DataFrame:
    rows = {"customer_id": [f"{k:05d}" for k in range(len(scores))], "date": "2025-06-10", "metric": metric, "score": scores,
            "wave": wave} | more  # fmt: skip
    return cv.read_survey(pd.DataFrame(rows))


# ------------------------------------------------------------------------------------------ one number


@pytest.mark.parametrize("case", GOLD["nps"]["cases"])
def test_nps_and_its_adjusted_interval(case):
    p, n, d, level, raw, low, high = case
    found = cv.nps(answers(p, n, d), level=level)
    assert found.value == pytest.approx(100 * raw, abs=0.01)
    assert (found.low, found.high) == pytest.approx((100 * low, 100 * high), abs=0.02)


def test_change_of_nps_between_waves():
    case = GOLD["nps"]["change"]
    found = cv.satisfaction.compare_scores(
        answers(*case["before"]), answers(*case["after"]), cv.satisfaction.metric_of("nps"), level=0.95
    )
    assert (found.value, found.low, found.high) == pytest.approx(
        (100 * case["value"], 100 * case["low"], 100 * case["high"]), abs=0.02
    )


def test_shares_by_wilson_and_newcombe():
    k, n, low, high = GOLD["share"]["wilson"]
    found = cv.csat([5] * k + [1] * (n - k), level=0.95)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)
    case = GOLD["share"]["newcombe"]
    (k0, n0), (k1, n1) = case["before"], case["after"]
    change = cv.satisfaction.compare_scores(
        [5] * k0 + [1] * (n0 - k0), [5] * k1 + [1] * (n1 - k1), cv.satisfaction.metric_of("csat"), level=0.95
    )
    assert (change.low, change.high) == pytest.approx((case["low"], case["high"]), abs=1e-4)


def test_neighbouring_intervals_meet_their_published_ends():
    """Agresti-Coull, Clopper-Pearson and Agresti-Caffo through statsmodels, beside Wilson and Newcombe here."""
    from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

    gold = GOLD["share"]
    assert proportion_confint(164, 200, method="agresti_coull") == pytest.approx(gold["agresti_coull"], abs=1e-4)
    assert proportion_confint(164, 200, method="beta") == pytest.approx(gold["clopper_pearson"], abs=1e-4)
    caffo = confint_proportions_2indep(178, 200, 164, 200, method="agresti-caffo", compare="diff")
    assert caffo == pytest.approx(gold["agresti_caffo"], abs=1e-4)


def test_spread_of_nps_in_a_known_population():
    """Promoters a half, passives a third, detractors a sixth: 33.3 points, variance 5/9, 4.14 points at 324 answers."""
    found = cv.nps(answers(162, 108, 54), weights=np.ones(324), level=0.95)
    assert found.value == pytest.approx(100 / 3)
    assert (found.high - found.low) / 2 / 1.959964 == pytest.approx(4.14, abs=0.02)


def test_intervals_are_those_of_the_papers_formulas():
    """Wilson's and Newcombe's, written out here; statsmodels' score interval of a difference is wrong (10269 in its tracker)."""
    z = 1.6448536269514722

    def wilson(k, n):
        centre, half = k / n + z * z / (2 * n), z * np.sqrt(k / n * (1 - k / n) / n + z * z / (4 * n * n))
        return (centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)

    ours = cv.csat([5] * 37 + [2] * 13, level=0.9)
    (l1, u1), (l0, u0) = wilson(37, 50), wilson(20, 40)
    assert (ours.low, ours.high) == pytest.approx((l1, u1), rel=1e-9)
    change = cv.satisfaction.compare_scores(
        [5] * 20 + [1] * 20, [5] * 37 + [2] * 13, cv.satisfaction.metric_of("csat"), level=0.9
    )
    low, high = 0.24 - np.hypot(0.74 - l1, u0 - 0.5), 0.24 + np.hypot(u1 - 0.74, 0.5 - l0)
    assert (change.low, change.high) == pytest.approx((low, high), rel=1e-9)
    with pytest.raises(ValueError, match="level"):
        cv.csat([5, 4], level=1.0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 10), min_size=1, max_size=60), st.randoms())
def test_nps_properties(scores, random):
    found = cv.nps(scores)
    assert -100 <= found.low <= found.high <= 100
    shuffled = list(scores)
    random.shuffle(shuffled)
    again = cv.nps(shuffled, weights=[2.0] * len(scores))
    assert again.value == pytest.approx(found.value)  # order and the size of even weights say nothing
    turned = cv.nps([10 if s <= 6 else 0 if s >= 9 else 8 for s in scores])
    assert turned.value == pytest.approx(-found.value)


def test_other_scales_and_questions():
    assert cv.satisfaction.metric_of("csat", (1, 7)).says == "share who answer 6 or 7 on 1-7"
    assert cv.satisfaction.metric_of("ces").says == "share who answer 5 to 7 on 1-7"
    with pytest.raises(cv.TableError, match="NPS is defined on 0-10; these answers are on 1-10"):
        cv.satisfaction.metric_of("nps", (1, 10))
    with pytest.raises(cv.TableError, match="csat: 7 lies outside 1-5"):
        cv.csat([4, 5, 7])
    with pytest.raises(cv.TableError, match="'happiness' is not known; it is one of csat, nps, ces, stars"):
        cv.satisfaction.metric_of("happiness")
    assert np.isnan(cv.nps([]).value)


# ---------------------------------------------------------------------------------------------- weights


def test_post_stratified_score():
    gold = GOLD["weights"]
    cells = pd.Series([c for c, (p, n, d) in gold["answers"].items() for _ in range(p + n + d)])
    scores = [s for counts in gold["answers"].values() for s in answers(*counts)]
    weights, finding = cv.satisfaction.post_stratify(cells, gold["population"])
    assert cv.nps(scores).value == pytest.approx(100 * gold["raw"])
    heavy = cv.nps(scores, weights=weights, level=0.95)
    assert heavy.value == pytest.approx(100 * gold["weighted"])
    assert (heavy.high - heavy.low) / 2 / 1.959964 == pytest.approx(100 * gold["linearised"], abs=0.01)
    assert weights.sum() ** 2 / (weights**2).sum() == pytest.approx(gold["effective"], abs=0.01)
    for finite, error in ((False, gold["by_strata"]), (True, gold["by_strata_of_few"])):
        strata = cv.satisfaction.stratified_score(
            scores, cells, gold["population"], cv.satisfaction.metric_of("nps"), finite=finite, level=0.95
        )
        assert strata.value == pytest.approx(100 * gold["weighted"])
        assert (strata.high - strata.low) / 2 / 1.959964 == pytest.approx(100 * error, abs=0.01)
    with pytest.raises(cv.TableError, match="the cell 'd' has customers and no answers"):
        cv.satisfaction.stratified_score(
            scores, cells, gold["population"] | {"d": 10}, cv.satisfaction.metric_of("nps")
        )
    assert "150 answers are as precise as 95 without weights" in finding.text


def test_raking_meets_both_margins():
    gold = GOLD["weights"]["raking"]
    rows = [(f"r{i}", f"c{j}") for i in range(2) for j in range(2) for _ in range(gold["table"][i][j])]
    frame = pd.DataFrame(rows, columns=["row", "column"])
    margins = {"row": {"r0": 50, "r1": 50}, "column": {"c0": 40, "c1": 60}}
    weights, _ = cv.satisfaction.rake(frame, margins)
    fitted = weights.groupby([frame["row"], frame["column"]]).sum().to_numpy().reshape(2, 2)
    np.testing.assert_allclose(fitted, gold["fitted"], rtol=1e-5)
    with pytest.raises(cv.TableError, match="row: 'r2' is only on one side"):
        cv.satisfaction.rake(frame, {"row": {"r0": 50, "r1": 40, "r2": 10}})


def test_small_cells_are_merged_and_strange_ones_refused():
    cells = pd.Series(["a"] * 50 + ["b"] * 3)
    weights, finding = cv.satisfaction.post_stratify(cells, {"a": 500, "b": 500})
    assert weights.nunique() == 1
    assert "merged with others: 1" in finding.text
    with pytest.raises(cv.TableError, match="answers lie in the cell 'z'"):
        cv.satisfaction.post_stratify(pd.Series(["z"] * 20), {"a": 10})


def test_weighing_sets_a_biased_answer_right():
    """Two groups of customers, the happy one three times as ready to answer; the truth is known. 200 simulated surveys."""
    share, rate = {"regular": 0.4, "rare": 0.6}, {"regular": 0.30, "rare": 0.10}
    chances = {"regular": [0.1, 0.3, 0.6], "rare": [0.4, 0.35, 0.25]}  # detractors, passives, promoters
    truth = 100 * sum(share[g] * (c[2] - c[0]) for g, c in chances.items())
    raw, heavy, covered = [], [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        group = rng.choice(list(share), 3000, p=list(share.values()))
        said = rng.random(3000) < np.vectorize(rate.get)(group)
        scores = np.array([rng.choice([3, 8, 10], p=chances[g]) for g in group[said]])
        weights, _ = cv.satisfaction.post_stratify(pd.Series(group[said]), pd.Series(group).value_counts().to_dict())
        found = cv.nps(scores, weights=weights, level=0.9)
        raw.append(cv.nps(scores).value - truth)
        heavy.append(found.value - truth)
        covered.append(found.low <= truth <= found.high)
    assert np.mean(raw) > 10  # points, far more than its own uncertainty
    assert abs(np.mean(heavy)) < 3 * np.std(heavy) / np.sqrt(200)
    assert 0.84 <= np.mean(covered) <= 0.96


def test_who_answered():
    customers = pd.DataFrame({"customer_id": [str(k) for k in range(100)], "tier": ["A"] * 30 + ["B"] * 70})
    table = cv.satisfaction.response_bias(customers, [str(k) for k in range(20)], ["tier"]).set_index("group")
    assert table.loc["A", "rate"] == pytest.approx(20 / 30)
    assert table.loc["B", "answers"] == 0
    assert table.loc["B", "rate_high"] > 0


# ---------------------------------------------------------------------------------------- groups, waves


def test_groups_that_do_not_differ_share_one_score():
    gold = GOLD["shrinkage"]["pooled"]
    shrunk, (a, _) = cv.satisfaction.shrink_shares(gold["hits"], gold["answers"])
    assert np.isinf(a)
    np.testing.assert_allclose(shrunk, gold["all"], atol=1e-4)


def test_shrunk_scores_lie_between_own_and_common_and_two_groups_stay():
    own = np.array([0.2, 0.5, 0.9])
    shrunk, mean, _ = cv.satisfaction.shrink_means(own, [0.02, 0.01, 0.03])
    assert ((shrunk - own) * (mean - own) >= 0).all()
    assert (np.abs(shrunk - mean) <= np.abs(own - mean)).all()
    np.testing.assert_array_equal(cv.satisfaction.shrink_means([0.2, 0.8], [0.1, 0.1])[0], [0.2, 0.8])


def test_control_chart_needs_eight_waves_and_finds_the_odd_one():
    rng = np.random.default_rng(4)
    waves = [
        survey(np.where(rng.random(300) < (0.5 if k == 9 else 0.8), 5, 2), wave=f"2024-{k + 1:02d}") for k in range(12)
    ]
    whole = pd.concat(waves, ignore_index=True)
    whole["date"] = pd.to_datetime(whole["wave"] + "-10")
    few = cv.satisfaction.control_chart(whole[whole["wave"] < "2024-05"], cv.satisfaction.metric_of("csat"))
    assert "too few for control limits" in few.text
    chart = cv.satisfaction.control_chart(whole, cv.satisfaction.metric_of("csat"))
    assert "2024-10" in chart.text
    plain = laney_limits([160, 182], [200, 220])[0]
    assert plain == pytest.approx(342 / 420)


# ----------------------------------------------------------------------------------------------- sizes


def test_sizes():
    gold = GOLD["sizes"]
    for margin, variance, n in gold["nps_margin"]:
        assert cv.experiments.margin_of_error_size(margin, variance=variance, fewer=3) == n
    for change, variance, n in gold["nps_waves"]:
        assert cv.sample_size(change, variance=variance) == (n, n)
    for share, change, n in gold["shares"]:
        assert cv.sample_size(change, share=share)[0] == n
    assert cv.sample_size(0.02, share=0.8, ratio=4)[0] == pytest.approx(3864, abs=2)
    assert cv.detectable_change(200, variance=0.62) == pytest.approx(0.221, abs=1e-3)
    assert cv.sample_size(10, variance=250**2, correlation=0.7)[0] == pytest.approx(0.51 * 9812, rel=1e-3)
    with pytest.raises(ValueError, match="change must differ from 0"):
        cv.sample_size(0, share=0.5)
    with pytest.raises(ValueError, match="shares must lie between 0 and 1"):
        cv.sample_size(0.3, share=0.9)


def test_promised_power_is_kept():
    """A change of the detectable size is found in about four surveys of five."""
    n, p = 300, 0.75
    least = cv.detectable_change(n, variance=p * (1 - p), level=0.9)
    rng, found = np.random.default_rng(1), 0
    for _ in range(400):
        before, after = rng.binomial(n, p), rng.binomial(n, p + least)
        change = cv.satisfaction.compare_scores(
            [5] * before + [1] * (n - before), [5] * after + [1] * (n - after), cv.satisfaction.metric_of("csat")
        )
        found += change.low > 0
    assert found / 400 == pytest.approx(0.83, abs=0.07)  # variance shrinks as the share rises


# ----------------------------------------------------------------------------------- checks and traps


def test_every_answer_is_accounted_for():
    raw = survey([5, 4, np.nan, 9, 3, 3])
    raw.loc[4, "date"] = pd.NaT
    raw.loc[5, "customer_id"] = raw.loc[0, "customer_id"]
    checked = cv.check_survey(raw, as_of="2025-12-31")
    account = checked.account.set_index("rule")["rows"]
    assert account["read"] == len(raw) == account.drop("read").sum()
    assert {"date unreadable", "off the scale"} < set(account.index)
    assert len(checked.kept) + len(checked.rejected) == len(raw)
    assert checked.kept["score"].tolist() == [4, 3]  # the later of two answers counts


def test_scale_that_the_answers_contradict_is_said():
    rng = np.random.default_rng(0)
    said = cv.check_survey(survey(rng.integers(1, 11, 200), "nps"))
    assert "Probably people were asked from 1 to 10" in str(said)
    honest = cv.check_survey(survey(rng.integers(0, 11, 200), "nps"))
    assert "Probably" not in str(honest)


def test_all_tens_and_straight_lines_and_two_scales_are_said():
    assert "all of 30 answers are 10" in str(cv.check_survey(survey([10] * 30, "nps")))
    forms = pd.concat([survey([4], attribute=[a]) for a in ("a", "b", "c", "d", "e")], ignore_index=True)
    assert "1 form give" in str(cv.check_survey(forms)) or "1 form" in str(cv.check_survey(forms))
    two = pd.concat(
        [survey([4, 5], wave="2025-01"), survey([6, 7], wave="2025-06", scale_min=[1, 1], scale_max=[7, 7])],
        ignore_index=True,
    )
    checked = cv.check_survey(two)
    assert "the scale changed" in str(checked)
    assert (
        set(latest_series(checked.kept, "csat")["scale_max"]) == {5.0} or len(latest_series(checked.kept, "csat")) == 2
    )


def test_no_usable_answer_is_an_error_that_says_why():
    with pytest.raises(cv.TableError, match=r"no survey answer of 3 can be used \(off the scale: 3\)"):
        cv.check_survey(survey([11, 12, 13]))
    with pytest.raises(cv.TableError, match="has no column 'score' for score; did you mean 'scores'"):
        cv.read_survey(pd.DataFrame({"date": ["2025-01-01"], "metric": ["csat"], "scores": [4]}))


def test_personal_data_do_not_leave():
    mails = survey([2] * 6, comment=["reply to max.muster@example.com please, 0171-2345678"] * 6)
    found = cv.satisfaction.comment_themes(mails, good=4)
    assert "example.com" not in found.table["example"].iloc[0]
    assert "2345678" not in found.table["example"].iloc[0]
    assert cv.satisfaction.comment_themes(mails.head(3), good=4).table.empty  # too few to hide among


# ------------------------------------------------------------------------- drivers, expectations, service


def rated(n: int = 400, seed: int = 2) -> pd.DataFrame:
    """Overall scores made of speed (twice) and price (once); colour is associated with nothing."""
    rng = np.random.default_rng(seed)
    speed, price, colour = rng.integers(1, 6, (3, n))
    overall = np.clip(np.round((2 * speed + price) / 3 + rng.normal(0, 0.3, n)), 1, 5)
    parts = [survey(overall)] + [
        survey(s, attribute=[a] * n) for a, s in (("speed", speed), ("price", price), ("colour", colour))
    ]
    return pd.concat(parts, ignore_index=True)


def test_drivers_find_what_the_score_is_made_of():
    found = cv.drivers(rated(), refits=60).table.set_index("attribute")
    assert found.index[0] == "speed"
    assert found["importance"].sum() == pytest.approx(1)
    assert found.loc["speed", "importance"] == pytest.approx(0.8, abs=0.06)  # 4 to 1, by variance
    assert found.loc["colour", "high"] < 0.05
    assert "correlation" in cv.drivers(rated(), refits=20).text


def test_drivers_are_not_told_from_few_forms_or_flat_answers():
    assert "Only 60 forms" in cv.drivers(rated(60)).text
    flat = rated()
    flat.loc[flat["attribute"] == "price", "score"] = 3
    assert "Everybody answers alike on price" in cv.drivers(flat).text
    assert cv.drivers(survey([4, 5])).table.empty


def test_expectation_gaps():
    gold = GOLD["expectations"]
    frame = pd.DataFrame({"attribute": list("abcde"), "score": gold["delivered"], "expected": gold["expected"]})
    table = cv.satisfaction.expectation_gap(pd.concat([frame] * 4)).table.set_index("attribute")
    np.testing.assert_allclose(table.loc[list("abcde"), "gap"], gold["gap"], atol=1e-9)
    assert table.index[0] == "d"


def test_service_figures_count_the_unanswered():
    cases = pd.DataFrame({"opened_at": ["2025-01-01 08:00"] * 4, "resolved_at": ["2025-01-02 08:00", "", "", ""],
                          "first_response_at": ["2025-01-01 10:00", "2025-01-01 20:00", "2025-01-05 08:00", ""]})  # fmt: skip
    row = cv.satisfaction.service_figures(cases).table.iloc[0]
    assert (row["cases"], row["median_hours"], row["in_time"], row["unanswered"]) == (4, 12.0, 0.5, 0.25)
    with pytest.raises(cv.TableError, match="need the column 'opened_at'"):
        cv.satisfaction.service_figures(cases.drop(columns="opened_at"))


# ------------------------------------------------------------------------------------------ baseline


def frozen(**more) -> cv.Baseline:
    data = survey([5] * 80 + [2] * 20)
    return cv.baseline(data, cv.satisfaction.metric_of("csat"), client="Tea", as_of="2025-06-30", customers=900, **more)


def test_base_point_survives_its_file_and_refuses_an_edited_one(tmp_path: Path):
    made = frozen(looks=["2025-12-31"])
    file = made.save(tmp_path)
    assert cv.Baseline.load(tmp_path) == made
    assert frozen(looks=["2025-12-31"]).hash == made.hash  # the same facts, the same hash
    text = json.loads(file.read_text(encoding="utf-8"))
    text["score"]["value"] = 0.5
    file.write_text(json.dumps(text), encoding="utf-8")
    with pytest.raises(cv.TableError, match="was changed after it was written"):
        cv.Baseline.load(file)
    file.write_text("{}", encoding="utf-8")
    with pytest.raises(cv.TableError, match="is not a baseline that clvnb wrote"):
        cv.Baseline.load(file)
    with pytest.raises(cv.TableError, match="cannot be read as a baseline"):
        cv.Baseline.load(tmp_path / "none.json")


def test_the_next_baseline_names_its_parent():
    first = frozen()
    second = frozen(parent=first)
    assert (second.parent, second.cycle, first.parent, first.cycle) == (first.hash, 2, "", 1)


def test_few_answers_and_mixed_waves_give_no_baseline():
    with pytest.raises(
        cv.TableError, match=r"5 answers are too few for a baseline; it takes ten or more, and about \d+ tell"
    ):
        cv.baseline(survey([5] * 5), cv.satisfaction.metric_of("csat"), client="Tea", as_of="2025-06-30", customers=900)
    two = pd.concat([survey([5] * 20), survey([4] * 20, wave="2025-01")], ignore_index=True)
    with pytest.raises(cv.TableError, match="one wave of one series"):
        cv.baseline(two, cv.satisfaction.metric_of("csat"), client="Tea", as_of="2025-06-30")


def test_detectable_change_never_promises_certainty():
    assert detectable([5] * 50, cv.satisfaction.metric_of("csat")) > 0
    assert detectable([10] * 50 + [0] * 50, cv.satisfaction.metric_of("nps")) == pytest.approx(
        100 * cv.detectable_change(100, variance=1.0), rel=1e-6
    )


def test_margins_that_trimming_misses_are_said():
    answers = pd.DataFrame({"group": ["a"] * 480 + ["b"] * 480 + ["c"] * 40, "by": ["shop", "web"] * 500})
    asked = {"group": {"a": 30, "b": 30, "c": 40}, "by": {"shop": 50, "web": 50}}
    weights, told = cv.satisfaction.rake(answers, asked, trim=5.0)
    reached = weights[answers["group"] == "c"].sum() / weights.sum()
    assert reached < 0.35
    assert f"group c {reached:.1%} instead of 40.0%" in told.text
    whole, exact = cv.satisfaction.rake(answers, asked, trim=100.0)
    assert whole[answers["group"] == "c"].sum() / whole.sum() == pytest.approx(0.4)
    assert "trimmed" not in exact.text


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("write to ana (at) example (dot) com", "write to [e-mail]"),
        ("ana[at]example.com", "[e-mail]"),
        ("de89 3704 0044 0532 0130 00 please", "[account] please"),
        (
            "ordered on 14.03.2025, again 2025-04-01 and 03/14/25",
            "ordered on 14.03.2025, again 2025-04-01 and 03/14/25",
        ),
        ("on 2025-03-14 call 0171 2345678", "on 2025-03-14 call [number]"),
    ],
)
def test_what_customers_write_names_nobody_and_keeps_its_days(said, shown):
    from clvnb.satisfaction.drivers import scrub

    assert scrub(said) == shown


def _answers(tmp_path, said: list[str], metric: str = "csat"):
    rows = "".join(f"c{k},2024-05-{k % 28 + 1:02d},{metric},{said[k % len(said)]}\n" for k in range(60))
    (tmp_path / "s.csv").write_text("customer_id,date,metric,score\n" + rows, encoding="utf-8")
    return cv.check_survey(cv.read_survey(tmp_path / "s.csv"))


@pytest.mark.parametrize(
    ("said", "scores", "ends", "turned"),
    [
        (["1 - Very satisfied", "2 - Satisfied", "3 - Neutral", "5 - Very dissatisfied"], [5, 4, 3, 1], (1, 5), True),
        (["1 (very satisfied)", "2", "3", "7 (very dissatisfied)"], [7, 6, 5, 1], (1, 7), True),
        (["Sehr zufrieden (1)", "Zufrieden (2)", "Unzufrieden (4)", "Sehr unzufrieden (5)"], [5, 4, 2, 1], (1, 5), True),
        (["5 - Very satisfied", "4 - Satisfied", "1 - Very dissatisfied"], [5, 4, 1], (1, 5), False),
        (["1 - Very satisfied", "2 - Satisfied", "4 - Very dissatisfied"], [4, 3, 1], (1, 4), True),
        (["Very satisfied", "Satisfied", "Somewhat satisfied", "Very dissatisfied"], [7, 6, 5, 1], (1, 7), False),
        (["Very satisfied", "Somewhat satisfied", "Very dissatisfied"], [5, 4, 1], (1, 5), False),
        (["1 - sehr gut", "2 - gut", "4", "6 - ungenügend"], [6, 5, 3, 1], (1, 6), True),  # German school marks
        (["4/5", "5/5", "1/5"], [4, 5, 1], (1, 5), False),
        (["★★★★", "★", "★★★★★"], [4, 1, 5], (1, 5), False),
        (["Muy satisfecho", "Neutral", "Muy insatisfecho"], [5, 3, 1], (1, 5), False),
        (["Extremely satisfied", "Slightly dissatisfied", "Moderately dissatisfied"], [7, 3, 2], (1, 7), False),
    ],
)  # fmt: skip
def test_more_is_better_whatever_the_words_say(tmp_path, said, scores, ends, turned):
    checked = _answers(tmp_path, said)
    kept = checked.kept
    assert kept["score"].tolist()[: len(scores)] == scores
    assert (kept["scale_min"].iloc[0], kept["scale_max"].iloc[0]) == ends
    assert any("turned round" in f.text for f in checked.findings) is turned


def test_codes_of_no_answer_are_no_longer_scale(tmp_path):
    kept = _answers(tmp_path, ["2", "3", "9", "5", "8", "4"]).kept
    assert sorted(kept["score"].unique()) == [2, 3, 4, 5]


def test_a_longer_scale_is_asked_for_and_not_cut_off(tmp_path):
    with pytest.raises(cv.TableError, match="they go from 2 to 7.*scale_min and scale_max"):
        _answers(tmp_path, ["2", "3", "4", "5", "4", "3", "2", "5", "4", "7"])
