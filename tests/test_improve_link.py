"""The link finds a known effect, finds none where there is none, and says in words what it must not be built on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvnb as cv
from clvnb.improve import prior_link

EFFECT = 0.45  # of a point of satisfaction on the log-odds of staying


def club(seed: int, effect: float = EFFECT, n: int = 900) -> tuple[pd.DataFrame, float]:
    """Answers of members whose plan moves both the score and staying; the true average effect of a point beside them.

    A plan that satisfies more and is left less is a confounder: without it the effect would read far too large.
    """
    rng = np.random.default_rng(seed)
    plan = rng.choice(["monthly", "annual"], n, p=[0.6, 0.4])
    tenure = rng.gamma(2.0, 150.0, n)
    score = np.clip(np.round(3.3 + 0.9 * (plan == "annual") + rng.normal(0, 0.9, n)), 1, 5)
    eta = 0.2 + effect * (score - 3.5) + 1.2 * (plan == "annual") + 0.3 * (np.log1p(tenure) - 5.5)
    stayed = rng.random(n) < 1 / (1 + np.exp(-eta))
    truth = np.mean(1 / (1 + np.exp(-(eta + effect / 2))) - 1 / (1 + np.exp(-(eta - effect / 2))))
    who = rng.integers(0, n // 2, n)  # about two answers each
    return pd.DataFrame(
        {"customer_id": who.astype(str), "score": score, "stayed": stayed, "plan": plan, "tenure": tenure}
    ), float(truth)


@pytest.fixture(scope="module")
def found() -> list[tuple[cv.improve.Link, float]]:
    return [(cv.link_satisfaction(rows), truth) for rows, truth in (club(seed) for seed in range(200))]


def test_effect_lies_within_its_interval(found):
    """90 % intervals, 200 seeds."""
    inside = [link.effect.low <= truth <= link.effect.high for link, truth in found]
    odds = [link.log_odds.low <= EFFECT <= link.log_odds.high for link, _ in found]
    assert np.mean(inside) >= 0.85
    assert np.mean(odds) >= 0.85
    assert np.mean([link.effect.value - truth for link, truth in found]) == pytest.approx(0, abs=0.005)
    assert np.mean([link.status == "found" for link, _ in found]) > 0.95


def test_no_effect_is_reported_as_no_link():
    links = [cv.link_satisfaction(club(1000 + seed, effect=0.0)[0]) for seed in range(200)]
    assert np.mean([link.status == "none" for link in links]) >= 0.9
    text = next(k.text for k in links if k.status == "none")
    assert "These answers cannot tell whether satisfaction goes with staying" in text
    assert "answers would show a link of the usual size" in text


def test_a_confounder_left_out_misleads_and_held_equal_does_not():
    rows, truth = club(3, n=6000)
    bare = cv.link_satisfaction(rows, confounders=[])
    held = cv.link_satisfaction(rows)
    assert bare.effect.low > truth
    assert held.effect.low <= truth <= held.effect.high
    assert held.confounders == ("tenure", "plan")
    assert held.label == "association"
    assert "association" in held.text


def test_effect_and_interval_are_those_of_statsmodels():
    """Without curvature, the average marginal effect is a half-point difference of the same logit."""
    import statsmodels.api as sm

    rows, _ = club(5, n=3000)
    link = cv.link_satisfaction(rows, confounders=["plan"])
    x = pd.DataFrame(
        {"const": 1.0, "s": rows["score"] - rows["score"].mean(), "plan": (rows["plan"] == "annual").astype(float)}
    )
    x["s2"] = x["s"] ** 2 - (x["s"] ** 2).mean()
    fit = sm.Logit(rows["stayed"].astype(float), x).fit(
        disp=0, cov_type="cluster", cov_kwds={"groups": pd.factorize(rows["customer_id"])[0]}
    )
    assert link.log_odds.value == pytest.approx(fit.params["s"], rel=1e-4)
    assert link.log_odds.high - link.log_odds.low == pytest.approx(2 * 1.644854 * fit.bse["s"], rel=0.01)


def test_curvature_is_noticed():
    rng = np.random.default_rng(1)
    score = rng.integers(1, 6, 6000).astype(float)
    eta = 0.3 + np.where(
        score <= 2, 1.5 * (score - 2.5), 0.1 * (score - 2.5)
    )  # the unhappy leave, beyond that little changes
    rows = pd.DataFrame(
        {
            "customer_id": np.arange(6000).astype(str),
            "score": score,
            "stayed": rng.random(6000) < 1 / (1 + np.exp(-eta)),
        }
    )
    link = cv.link_satisfaction(rows)
    assert link.curved
    assert "not the same all along the scale" in link.text


# --------------------------------------------------------------------------------------------- traps


def answers(scores, stayed) -> pd.DataFrame:
    return pd.DataFrame({"customer_id": [str(k) for k in range(len(scores))], "score": scores, "stayed": stayed})


def test_churn_that_rises_with_satisfaction():
    rows, _ = club(7, effect=-0.6)
    link = cv.link_satisfaction(rows)
    assert (link.status, link.label) == ("wrong sign", "association")
    assert "Customers with a higher score stayed less often" in link.text
    assert link.log_odds.high < 0  # the client's own finding, never the opposite from elsewhere
    assert link.caused.mean() < 0


def test_few_answers_leave_the_plan_to_what_is_known_elsewhere():
    """A few hundred answers with a weak negative link by chance: neither 'it cannot pay' nor the full prior."""
    own = [cv.link_satisfaction(club(500 + seed, n=240, effect=0.15)[0]) for seed in range(30)]
    weak = [k for k in own if k.status == "none"]
    assert len(weak) > 10
    prior = prior_link().log_odds.value
    for link in weak:
        low, high = sorted([link.log_odds.value, prior])
        assert low - 0.02 <= link.draws.mean() <= high + 0.02
        assert link.draws.std() < prior_link().draws.std() * 1.05


def test_a_noisy_score_hides_part_of_the_link_and_is_corrected():
    """Scores of which .6 is opinion and the rest mood: uncorrected the link is a fifth to a half too small."""
    found = {None: [], 0.6: []}
    for seed in range(20):
        rng = np.random.default_rng([9, seed])
        opinion = rng.normal(size=3000)
        rows = pd.DataFrame(
            {"customer_id": np.arange(3000), "score": opinion + rng.normal(0, np.sqrt(0.4 / 0.6), 3000)}
        )
        rows["stayed"] = rng.random(3000) < 1 / (1 + np.exp(-(0.5 + 0.3 * opinion)))
        for reliability in found:
            found[reliability].append(cv.link_satisfaction(rows, reliability=reliability, scale=(-3, 3)).log_odds)
    assert np.mean([e.value for e in found[None]]) < 0.22
    assert np.mean([e.value for e in found[0.6]]) == pytest.approx(0.30, abs=0.035)
    assert np.mean([e.low <= 0.30 <= e.high for e in found[0.6]]) >= 0.8
    with pytest.raises(ValueError, match="reliability must be above 0"):
        cv.link_satisfaction(rows, reliability=0.0)


def test_who_answers_twice_at_short_notice_tells_how_noisy_a_score_is():
    rng = np.random.default_rng(4)
    opinion = np.repeat(rng.normal(size=600), 2)
    rows = pd.DataFrame({"customer_id": np.repeat(np.arange(600), 2), "score": opinion + rng.normal(0, 0.8, 1200),
                         "date": np.tile(pd.to_datetime(["2024-01-01", "2024-02-01"]), 600)})  # fmt: skip
    rows["stayed"] = rng.random(1200) < 1 / (1 + np.exp(-0.4 * opinion))
    link = cv.link_satisfaction(rows)
    assert "reliability is 0.6" in link.text
    assert link.log_odds.value > cv.link_satisfaction(rows.drop(columns="date")).log_odds.value
    later = rows.assign(
        date=np.tile(pd.to_datetime(["2024-01-01", "2024-08-01"]), 600)
    )  # opinions change in half a year
    assert "reliability" not in cv.link_satisfaction(later).text


def test_only_a_part_of_an_association_is_taken_for_cause():
    rows, _ = club(5, n=3000)
    link = cv.link_satisfaction(rows)
    assert (link.share == 0).mean() == pytest.approx(0.25, abs=0.03)
    assert abs(link.caused.mean()) < 0.5 * abs(link.draws.mean())
    whole = cv.link_satisfaction(rows, causal_share=1.0)
    assert whole.caused == pytest.approx(whole.draws)
    with pytest.raises(ValueError, match="causal_share must lie between 0 and 1"):
        cv.link_satisfaction(rows, causal_share=1.5)


def test_scores_that_separate_perfectly():
    link = cv.link_satisfaction(answers([5] * 60 + [1] * 60, [True] * 60 + [False] * 60))
    assert link.status == "separated"
    assert "without exception" in link.text
    nearly = answers([5] * 60 + [4] * 60 + [1] * 60, [True] * 60 + [True] * 30 + [False] * 30 + [False] * 60)
    assert cv.link_satisfaction(nearly).status in {"separated", "found"}


def test_too_few_answers_and_answers_all_alike():
    one = cv.link_satisfaction(answers([5], [True]))
    assert one.status == "too few"
    assert "assumption" in one.text
    tens = cv.link_satisfaction(answers([10] * 200, [True] * 120 + [False] * 80), scale=(0, 10))
    assert tens.status == "too few"
    assert "a score that does not differ" in tens.text
    with pytest.raises(cv.TableError, match="needs the column 'stayed'"):
        cv.link_satisfaction(pd.DataFrame({"customer_id": ["1"], "score": [5]}))


def test_prior_holds_no_effect_and_shrinks_with_longer_scales():
    """Odds ratio per point of five: median 1.15, 90 % 1.0 to 1.4."""
    short, long = cv.improve.prior_link(), cv.improve.prior_link((0, 10))
    assert np.exp(short.log_odds.value) == pytest.approx(1.15)
    assert np.exp(short.log_odds.high) == pytest.approx(1.36, abs=0.05)
    assert short.log_odds.low < 0
    assert long.log_odds.value == pytest.approx(short.log_odds.value * 0.4)
    assert "nothing of it comes from these customers" in short.text


# -------------------------------------------------------------------------------------------- time order


def survey_on(day: str, *customers: str) -> pd.DataFrame:
    return cv.read_survey(pd.DataFrame({"customer_id": list(customers), "date": day, "metric": "csat", "score": 4}))


def test_only_what_was_known_before_and_what_came_after():
    bought = pd.DataFrame(
        {"customer_id": ["a", "a", "b", "c", "c"], "amount": 20.0,
         "date": pd.to_datetime(["2025-01-01", "2025-05-01", "2025-01-15", "2025-02-15", "2025-03-01"])}
    )  # fmt: skip
    rows, left = cv.improve.repeat_outcomes(
        survey_on("2025-02-01", "a", "b", "c", "x"), bought, window=100, as_of="2025-12-31"
    )
    table = rows.set_index("customer_id")
    assert table["stayed"].to_dict() == {"a": True, "b": False}
    assert table["frequency"].to_dict() == {"a": 1, "b": 1}  # purchases after the answer are not looked at
    assert left == {"customers who are not in the data": 1, "answered before the first purchase": 1}
    none, late = cv.improve.repeat_outcomes(survey_on("2025-02-01", "a"), bought, window=100, as_of="2025-03-31")
    assert none.empty
    assert late == {"answers whose window is not over": 1}


def test_answers_after_leaving_are_left_out():
    contracts = pd.DataFrame(
        {"customer_id": ["a", "b", "c", "d"], "start": pd.Timestamp("2024-01-01"), "price": 10.0,
         "end": pd.to_datetime(["2025-01-20", None, "2025-02-20", "2025-07-01"])}
    )  # fmt: skip
    rows, left = cv.improve.renewal_outcomes(
        survey_on("2025-02-01", "a", "b", "c", "d"), contracts, window=182, as_of="2025-12-31", gap=30
    )
    assert rows.set_index("customer_id")["stayed"].to_dict() == {"b": True, "d": False}
    assert left == {"answered after leaving, or within the notice": 2}


def test_evidence_card_never_uses_the_famous_claim():
    card = cv.improve.evidence()
    famous = card[card["source"].str.contains("Reichheld")]["reading"].iloc[0]
    assert "Nothing here uses it" in famous
