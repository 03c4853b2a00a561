"""A clock that all customers share: its slope, its limits, what it finds, and that it is the same model where nothing changes."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime

import clvnb as cv
from clvnb.models.calendar import Calendar, Clock, Peak, Season, Series, Trend, objective_of
from clvnb.models.covariates import Design
from clvnb.models.histories import collapse

TRUTH = {"r": 0.9, "alpha": 60.0, "a": 0.8, "b": 2.5}


def paced_log(pace: np.ndarray, customers: int = 3000, seed: int = 1) -> pd.DataFrame:
    """Customers who buy as MBG/NBD says on a clock: those of a plain log, with each day moved to where the clock has it."""
    plain = cv.MBGNBD.with_params(**TRUTH).simulate(customers, joined=700, length=2 * len(pace), seed=seed)
    first = plain.groupby("customer_id")["date"].transform("min")
    since = (plain["date"] - first).dt.total_seconds().to_numpy() / 86_400
    hand, born = (
        np.r_[0.0, np.cumsum(pace)],
        (first - pd.Timestamp("2024-01-01")).dt.total_seconds().to_numpy() / 86_400,
    )
    there = np.interp(born, np.arange(len(hand)), hand) + since
    when = np.interp(there, hand, np.arange(len(hand)))
    moved = plain.assign(date=pd.Timestamp("2024-01-01") + pd.to_timedelta(np.floor(when), unit="D"))
    return moved[there < hand[-1]]


@pytest.fixture(scope="module")
def seasonal():
    day = np.arange(730.0)
    return paced_log(np.exp(0.4 * np.sin(2 * np.pi * day / 365.25)))


@pytest.mark.parametrize("kind", [cv.BGNBD, cv.MBGNBD])
def test_the_slope_is_that_of_the_value(kind, seasonal):
    calendar = cv.calendar_of(seasonal, terms=(Trend(), Season(), Peak()), spread=3.0)
    summary = cv.summarize(seasonal, as_of=calendar.as_of)
    objective = objective_of(kind(), collapse(summary), calendar)
    full = np.r_[0.8, 55.0, 0.7, 2.2, np.exp([0.2, 0.1, -0.1, 0.05, 0.02, 0.3])]
    value, slope = objective(full)
    assert value == pytest.approx(objective(full, slope=False)[0])
    np.testing.assert_allclose(slope, approx_fprime(full, lambda p: objective(p)[0], 1e-6 * full), rtol=2e-3, atol=0.05)


def test_without_terms_it_is_the_plain_model(seasonal):
    summary = cv.summarize(seasonal, as_of="2025-12-30")
    plain = cv.MBGNBD().fit(summary)
    on_clock = cv.MBGNBD().fit(summary, calendar=cv.calendar_of(seasonal, as_of="2025-12-30"))
    np.testing.assert_allclose(on_clock.params_, plain.params_, rtol=1e-6)
    assert on_clock.log_likelihood_ == pytest.approx(plain.log_likelihood_)
    for quantity in ("expected_purchases", "probability_of_purchase"):
        np.testing.assert_allclose(
            getattr(on_clock, quantity)(summary, "1 year"), getattr(plain, quantity)(summary, "1 year"), rtol=1e-6
        )
    np.testing.assert_allclose(
        on_clock.next_purchase(summary)["due_high"], plain.next_purchase(summary)["due_high"], rtol=1e-6
    )
    np.testing.assert_allclose(
        on_clock.discounted_purchases(summary, "2 years", 0.1),
        plain.discounted_purchases(summary, "2 years", 0.1),
        rtol=1e-5,
    )


def test_a_season_is_found_and_fits_better(seasonal):
    summary = cv.summarize(seasonal, as_of="2025-12-30")
    model = cv.MBGNBD().fit(summary, calendar=cv.calendar_of(seasonal, terms=(Season(sd=0.5),), as_of="2025-12-30"))
    effects = model.calendar_effects_.set_index("term")["effect"]
    swing = np.hypot(effects["cosine 1 a year"], effects["sine 1 a year"])
    assert swing == pytest.approx(0.4, abs=0.06)
    assert model.log_likelihood_ > cv.MBGNBD().fit(summary).log_likelihood_ + 50
    for name, truth in TRUTH.items():
        assert (
            abs(np.log(model.params_[name] / truth)) < 4 * model.standard_errors_[name] / model.params_[name] + 0.1
        ), name


def test_expected_purchases_are_what_comes_on_the_clock(seasonal):
    """The future of the same customers, followed to the end of a longer log on the same clock."""
    day = np.arange(912.0)
    whole = paced_log(np.exp(0.4 * np.sin(2 * np.pi * day / 365.25)), customers=8000, seed=3)
    known = whole[whole["date"] <= "2025-12-30"]
    summary = cv.summarize(known, as_of="2025-12-30")
    came = len(
        whole[(whole["date"] > "2025-12-30") & whole["customer_id"].isin(known["customer_id"])].drop_duplicates(
            ["customer_id", "date"]
        )
    )
    calendar = cv.calendar_of(known, terms=(Season(sd=0.5),), as_of="2025-12-30")
    expected = cv.MBGNBD().fit(summary, calendar=calendar).expected_purchases(summary, 182).sum()
    plain = cv.MBGNBD().fit(summary).expected_purchases(summary, 182).sum()
    assert expected == pytest.approx(came, rel=0.05)
    assert abs(plain / came - 1) > 0.1


def test_closed_days_do_not_count():
    pace = np.ones(600)
    pace[300:360] = 0
    log = paced_log(pace)
    closed = [("2024-10-27", "2024-12-25")]
    summary = cv.summarize(log, as_of="2025-08-22")
    inside = (log["date"] >= "2024-10-27") & (log["date"] <= "2024-12-25")
    log = log[~inside]
    summary = cv.summarize(log, as_of="2025-08-22")
    open_ = cv.MBGNBD().fit(summary, calendar=cv.calendar_of(log, closed=closed, as_of="2025-08-22"))
    assert open_.log_likelihood_ > cv.MBGNBD().fit(summary).log_likelihood_ + 20
    with pytest.raises(cv.TableError, match="given as closed, and somebody bought"):
        cv.calendar_of(log, closed=[("2024-06-01", "2024-06-30")])


@pytest.mark.parametrize("kind", [cv.BGNBD, cv.MBGNBD])
def test_the_slope_with_covariates_is_that_of_the_value(kind, seasonal):
    calendar = cv.calendar_of(seasonal, terms=(Trend(), Season()), spread=3.0, as_of="2025-12-30")
    summary = cv.summarize(seasonal, as_of=calendar.as_of).assign(
        side=lambda t: np.where(np.arange(len(t)) % 3, "a", "b")
    )
    rows = collapse(summary, also=["side"])
    objective = objective_of(kind(), rows, calendar, Design.of(rows, ["side"]))
    full = np.r_[0.8, 55.0, 0.7, 2.2, np.exp([0.2, -0.1, 0.15, 0.1, 0.1, -0.1, 0.05, 0.02])]
    value, slope = objective(full)
    assert value == pytest.approx(objective(full, slope=False)[0])
    np.testing.assert_allclose(slope, approx_fprime(full, lambda p: objective(p)[0], 1e-6 * full), rtol=2e-3, atol=0.05)


def test_covariates_and_groups_on_a_clock_without_terms_are_the_plain_ones(seasonal):
    summary = cv.summarize(seasonal, as_of="2025-12-30").assign(
        side=lambda t: np.where(np.arange(len(t)) % 3, "a", "b")
    )
    calendar = cv.calendar_of(seasonal, as_of="2025-12-30")
    for told in ({"covariates": ["side"]}, {"groups": ["side"]}):
        plain, on_clock = cv.MBGNBD().fit(summary, **told), cv.MBGNBD().fit(summary, **told, calendar=calendar)
        np.testing.assert_allclose(on_clock.effects_["effect"], plain.effects_["effect"], atol=1e-5)
        np.testing.assert_allclose(
            on_clock.expected_purchases(summary, "1 year"), plain.expected_purchases(summary, "1 year"), rtol=1e-5
        )
        assert on_clock.aic_ == pytest.approx(plain.aic_, abs=1e-3)


def test_a_season_and_sides_that_differ_are_found_together(seasonal, tmp_path):
    """Every second purchase but the first is taken from some: they buy half as often, on the same clock."""
    who = seasonal["customer_id"].astype("category").cat.codes % 2
    nth = seasonal.sort_values("date").groupby("customer_id").cumcount().reindex(seasonal.index)
    log = seasonal[(who == 0) | (nth == 0) | (nth % 2 == 1)]
    side = pd.Series(np.where(who == 0, "whole", "half"), seasonal["customer_id"]).groupby(level=0).first()
    summary = cv.summarize(log, as_of="2025-12-30").assign(side=lambda t: t["customer_id"].map(side))
    calendar = cv.calendar_of(log, terms=(Season(sd=0.5),), as_of="2025-12-30")
    model = cv.MBGNBD().fit(summary, groups=["side"], calendar=calendar)
    seen = model.calendar_effects_.set_index("term")["effect"]
    assert np.hypot(seen["cosine 1 a year"], seen["sine 1 a year"]) == pytest.approx(0.4, abs=0.08)
    new = {s: model.expected_purchases_new("1 year", side=s) for s in ("whole", "half")}
    assert new["half"] < 0.75 * new["whole"]
    model.save(tmp_path / "model.json")
    again = cv.load_model(tmp_path / "model.json")
    assert again.expected_purchases(summary, "1 year").equals(model.expected_purchases(summary, "1 year"))
    pd.testing.assert_frame_equal(again.calendar_effects_, model.calendar_effects_)
    pd.testing.assert_frame_equal(again.effects_, model.effects_)


def test_a_calendar_of_another_day_is_refused(seasonal):
    calendar = cv.calendar_of(seasonal, terms=(Trend(),), as_of="2025-12-30")
    with pytest.raises(cv.TableError, match="make both on one day"):
        cv.MBGNBD().fit(cv.summarize(seasonal, as_of="2026-03-01"), calendar=calendar)
    summary = cv.summarize(seasonal, as_of="2025-12-30")
    model = cv.MBGNBD().fit(summary, calendar=calendar)
    with pytest.raises(cv.TableError, match="make both on one day"):
        model.expected_purchases(cv.summarize(seasonal, as_of="2026-03-01"), 30)


def test_a_dated_series_and_its_file(seasonal, tmp_path):
    """Days of promotions, on which purchases are drawn again: the effect is found, and the model is kept whole."""
    start = "2024-01-01"
    days = np.zeros(730)
    days[100:730:60] = 1.0
    promoted = pd.Timestamp(start) + pd.to_timedelta(np.nonzero(days)[0], unit="D")
    first = seasonal.groupby("customer_id")["date"].transform("min")
    more = seasonal[(seasonal["date"] > first + pd.Timedelta(days=9))].sample(800, random_state=1)
    more = more.assign(date=[promoted[promoted.searchsorted(day) - 1] for day in more["date"]])
    log = pd.concat([seasonal, more[more["date"] > first.loc[more.index]]]).drop_duplicates(["customer_id", "date"])
    series = Series("promotion", start, tuple(days.tolist()))
    calendar = cv.calendar_of(log, terms=(Season(), series), as_of="2025-12-30")
    summary = cv.summarize(log, as_of="2025-12-30")
    model = cv.MBGNBD().fit(summary, calendar=calendar)
    found = model.calendar_effects_.set_index("term").loc["promotion"]
    assert found["low"] > 0.5
    model.save(tmp_path / "model.json")
    for again in (cv.load_model(tmp_path / "model.json"), pickle.loads(pickle.dumps(model))):
        assert again.expected_purchases(summary, "1 year").equals(model.expected_purchases(summary, "1 year"))
        assert again.purchase_interval(summary.head(50), "1 year").equals(
            model.purchase_interval(summary.head(50), "1 year")
        )


def test_the_hand_runs_with_the_pace():
    clock = Calendar(pd.Timestamp("2024-12-31").date(), np.zeros(366), (Trend(rest=100.0),)).clock(np.array([0.5]))
    assert clock.ahead(0.0) == 0.0
    assert clock.ahead(1.5) == pytest.approx(1.5, rel=0.01)
    assert clock.ahead(4000.0) == pytest.approx(clock.ahead(3653.0) + 347 * np.exp(0.5 * 100 / 365.25), rel=1e-3)
    t_x, T = clock.ages(np.array([100.0]), np.array([300.0]))
    assert T[0] == pytest.approx(-clock.between(0.0, -300.0).item())
    assert 0 < t_x[0] < 100  # time ran slower then
    assert Clock.of_state(clock.state()).ahead(500.0) == clock.ahead(500.0)


def test_a_pace_moves_the_future_alone(seasonal):
    summary = cv.summarize(seasonal, as_of="2025-12-30")
    model = cv.MBGNBD().fit(summary)
    twice = model.paced(np.array([100.0, 400.0]), np.array([200.0, 800.0]))
    assert twice.probability_alive(summary).equals(model.probability_alive(summary))
    np.testing.assert_allclose(twice.expected_purchases(summary, 200), model.expected_purchases(summary, 400))
    np.testing.assert_allclose(
        twice.next_purchase(summary)["next_median"], model.next_purchase(summary)["next_median"] / 2, rtol=1e-6
    )
    assert twice.unpaced().expected_purchases_new(90) == model.expected_purchases_new(90)
    with pytest.raises(ValueError, match="backwards"):
        model.paced(np.array([10.0, 20.0]), np.array([10.0, 5.0]))


def test_what_a_clock_cannot_do_is_said(seasonal):
    summary = cv.summarize(seasonal, as_of="2025-12-30")
    calendar = cv.calendar_of(seasonal, terms=(Season(),), as_of="2025-12-30")
    on_clock = cv.MBGNBD().fit(summary, calendar=calendar)
    with pytest.raises(cv.FitError, match="drawn without"):
        on_clock.simulate(10)
    with pytest.raises(cv.TableError, match="fitted with a calendar"):
        cv.tracking(seasonal, on_clock, as_of="2025-12-30")
    late = cv.calendar_of(seasonal[seasonal["date"] > "2024-06-01"], terms=(Season(),), as_of="2025-12-30")
    with pytest.raises(cv.TableError, match="make both of the same log"):
        cv.MBGNBD().fit(summary, calendar=late)
    import ibis

    with pytest.raises(cv.TableError, match="make both on one day"):
        on_clock.expected_purchases(ibis.memtable(cv.summarize(seasonal, as_of="2026-03-01")), 30)


def test_a_pace_runs_on_the_clock(seasonal):
    """A model with a calendar at a pace: the days ahead go through both."""
    summary = cv.summarize(seasonal, as_of="2025-12-30")
    calendar = cv.calendar_of(seasonal, terms=(Season(),), as_of="2025-12-30")
    model = cv.MBGNBD().fit(summary, calendar=calendar)
    half = model.paced(np.array([100.0, 400.0]), np.array([50.0, 200.0]))
    np.testing.assert_allclose(half.expected_purchases(summary, 300), model.expected_purchases(summary, 150))
    days = pd.Series([cv.tracking(seasonal, m, as_of="2024-06-01", step=60)["expected"].sum() for m in
                      (cv.MBGNBD().fit(summary), cv.MBGNBD().fit(summary).paced(np.array([100.0]), np.array([300.0])))])  # fmt: skip
    assert days[0] == days[1]  # the past is not at the forecast's pace
