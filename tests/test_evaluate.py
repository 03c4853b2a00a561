"""Predictions from earlier days and their scores, and the choice of a model that a forecast of nothing cannot win."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clvnb as cv
from clvnb.value.evaluate import Holdout, _moments, closer
from clvnb.value.predictions import (
    BASELINES,
    QUANTILES,
    Prediction,
    _spread_of_poisson,
    crps,
    guesses,
    look_back,
    predict,
)

SPEND = cv.GammaGamma.with_params(p=5.0, q=4.0, v=30.0)


class Nobody(cv.MBGNBD):
    """Fits as MBG/NBD does, and has it that nobody will buy again, with the best likelihood of all."""

    name = "nobody buys"
    aic_ = -1e12

    def expected_by_row(self, rows, weights, full=None):
        return np.zeros(len(rows))

    def outcomes(self, rows, t, *, size=None, seed=0):
        return np.zeros((size or 200, len(rows)))


def by_day(log: pd.DataFrame) -> pd.DataFrame:
    return log.assign(date=log["date"].dt.normalize())


@pytest.fixture(scope="module")
def sparse() -> pd.DataFrame:
    """A shop where most customers come once, so that half of them and more do nothing in any stretch."""
    truth = cv.MBGNBD.with_params(r=0.35, alpha=150.0, a=0.8, b=3.0)
    return by_day(truth.simulate(2600, start="2022-01-01", joined="400 days", length="800 days", spend=SPEND, seed=3))


@pytest.fixture(scope="module")
def choice(sparse):
    return cv.choose_model(sparse, [Nobody, cv.MBGNBD, cv.BGNBD])


# ----------------------------------------------------------------------------------------------- the score


def brute_crps(outcomes: np.ndarray, actual: float) -> float:
    """The integral of (F(x) - 1[x >= actual]) squared, which is constant between whole numbers."""
    return sum((float((outcomes <= x).mean()) - (x >= actual)) ** 2 for x in range(int(max(*outcomes, actual)) + 1))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=60), st.integers(0, 60))
def test_crps_is_the_integral_that_defines_it(outcomes, actual):
    drawn = np.array(outcomes, dtype=float)
    assert crps(drawn[:, None], [actual])[0] == pytest.approx(brute_crps(drawn, actual), abs=1e-12)


def test_crps_of_one_certain_number_is_its_absolute_error():
    assert crps(np.zeros((7, 3)), [0.0, 1.0, 5.0]).tolist() == [0.0, 1.0, 5.0]


@pytest.mark.parametrize("mean", [0.0, 1e-7, 0.03, 0.7, 4.0, 33.3, 900.0])
def test_poisson_score_and_quantiles(mean):
    from scipy.stats import poisson

    actual = np.unique([0.0, 1.0, 2.0, np.floor(mean), np.ceil(1.3 * mean), 3 * np.ceil(mean)])
    found = _spread_of_poisson(np.full(len(actual), mean), actual)
    x = np.arange(int(actual.max() + 40 * np.sqrt(mean + 1)))
    want = [((poisson.cdf(x, mean) - (x >= y)) ** 2).sum() for y in actual]
    np.testing.assert_allclose(found["crps"], want, rtol=1e-9, atol=1e-12)
    for name, level in QUANTILES.items():
        assert (found[name] == max(poisson.ppf(level, mean), 0)).all(), name
    assert found["covered"].between(0, 1).all()


def test_covered_is_the_level_of_a_true_distribution():
    rng = np.random.default_rng(0)
    mean = rng.gamma(0.5, 2.0, 20_000)
    found = _spread_of_poisson(mean, rng.poisson(mean).astype(float))
    assert found["covered"].mean() == pytest.approx(0.9, abs=0.006)


def test_a_true_model_scores_better_than_any_wrong_one(sparse):
    day = sparse["date"].max().date() - timedelta(days=250)
    [origin] = look_back(sparse, [(day, 250)])
    fitted = predict(cv.MBGNBD(), origin)
    others = [predict(Nobody(), origin), *guesses(origin)]
    assert fitted.spread["crps"].mean() < min(p.spread["crps"].mean() for p in others)
    assert 0.88 < fitted.spread["covered"].mean() < 0.92


# ---------------------------------------------------------------------------------------------- the choice


def test_a_forecast_of_nothing_cannot_win(choice):
    """It has the lowest mean absolute error and the best likelihood, and is not chosen."""
    scores = choice.table.set_index("model")
    assert scores["holdout_mae"].idxmin() == "nobody buys"
    assert scores["aic"].idxmin() == "nobody buys"
    assert choice.model.name in {"MBG/NBD", "BG/NBD"}
    assert scores.loc["nobody buys", "holdout_total_error"] == 1.0
    assert scores.loc[choice.model.name, "holdout_total_error"] < 0.3
    assert scores.loc[choice.model.name, "holdout_crps"] < scores.loc["nobody buys", "holdout_crps"]
    assert "Not considered for the error of the total: nobody buys (100%)" in choice.text


def test_the_total_of_the_chosen_is_near_the_best(choice):
    models = choice.table.dropna(subset=["aic"])
    for total in ("holdout_total_error", "holdout_money_total_error"):
        assert models.loc[models["chosen"], total].iloc[0] <= models[total].min() + 0.1


def test_names_and_order_of_customers_change_nothing(sparse, choice):
    """More customers than are looked at closely, so that which of them are is put to the test as well."""
    ids = sparse["customer_id"].unique()
    names = dict(zip(ids, np.random.default_rng(5).permutation(len(ids)).astype(str), strict=True))
    other = sparse.assign(customer_id=sparse["customer_id"].map(names)).sample(frac=1, random_state=1)
    again = cv.choose_model(other, [Nobody, cv.MBGNBD, cv.BGNBD])
    assert again.model.name == choice.model.name
    assert again.text == choice.text
    pd.testing.assert_frame_equal(again.table, choice.table, rtol=1e-6)
    keys = ["origin", "model", "customer_id"]
    one = choice.predictions.assign(customer_id=lambda t: t["customer_id"].map(names)).sort_values(
        keys, ignore_index=True
    )
    two = again.predictions.sort_values(keys, ignore_index=True)
    for column in ("mean", "actual", "money_mean", "money_actual"):
        np.testing.assert_allclose(one[column], two[column], rtol=1e-4, atol=1e-9)


@settings(deadline=None)
@given(st.integers(60, 6000), st.integers(1, 4000))
def test_earlier_days_match_the_horizon_as_far_as_the_log_reaches(length, asked):
    first = date(2010, 1, 1)
    last = first + timedelta(days=length)
    moments = _moments(first, last, asked)
    days = [day for day, _ in moments]
    assert len(set(days)) == 3
    assert days == sorted(days)
    for day, ahead in moments:
        assert ahead == min(asked, (last - day).days)
        assert ahead >= 1
        assert (day - first).days >= (last - day).days
        assert (day - first).days >= ahead  # so that the stretch before is all there
    if 3 * asked <= length // 2:
        assert [ahead for _, ahead in moments] == [asked] * 3


def test_the_horizon_is_that_asked_for(sparse):
    short = cv.choose_model(sparse, [cv.MBGNBD], horizon="60 days").predictions
    assert set(short["horizon"]) == {60}
    assert short["origin"].nunique() == 3
    with pytest.raises(ValueError, match="horizon|duration|sixty"):
        cv.choose_model(sparse, [cv.MBGNBD], horizon="sixty")


def test_a_day_on_which_a_model_cannot_be_fitted_counts_for_none(sparse):
    class Late(cv.BGNBD):
        name = "late"

        def fit(self, summary, *, covariates=()):
            if summary["T"].max() < 450:
                raise cv.FitError("too early")
            return super().fit(summary, covariates=covariates)

    found = cv.choose_model(sparse, [cv.MBGNBD, Late])
    per = found.predictions.groupby(["model", "origin"])["mean"].apply(lambda m: m.notna().all())
    assert not per["late"].all()
    kept = per["late"][per["late"]].index
    rows = found.predictions[found.predictions["origin"].isin(kept)]
    scores = cv.evaluate(rows).set_index("model")
    np.testing.assert_allclose(
        found.table.set_index("model")["holdout_crps"], scores["crps"].reindex(found.table["model"]), rtol=1e-12
    )


# --------------------------------------------------------------------------------------- a naive guess is closer


def test_a_margin_of_two_per_cent():
    assert closer(0.97, 1.0)
    assert not closer(0.985, 1.0)
    assert not closer(float("nan"), 1.0)


@pytest.mark.parametrize(("factor", "level"), [(0.9, "use with care"), (0.985, "reliable"), (1.2, "reliable")])
def test_a_naive_guess_is_said_to_be_closer_only_beyond_the_margin(sparse, factor, level):
    check = cv.holdout(sparse, [cv.MBGNBD()])
    own = check.table.loc[check.table["model"] == "MBG/NBD", "crps"].iloc[0]
    table = check.table.assign(crps=np.where(check.table["baseline"], factor * own, check.table["crps"]))
    moved = Holdout(table, check.text, check.calibration_end, check.days, check.customers)
    summary = cv.summarize(sparse)
    trust = cv.trust_gate(summary, as_of=sparse["date"].max(), purchases=cv.MBGNBD().fit(summary), check=moved)
    assert trust.table.set_index("check").loc["holdout customers", "level"] == level


def test_a_class_and_an_instance_are_one(sparse):
    """An instance names class and settings, is fitted anew, and stays as it is."""
    mine = cv.MBGNBD.with_params(r=0.35, alpha=150.0, a=0.8, b=3.0)
    for test in (
        cv.holdout,
        cv.compare_models,
        lambda log, kinds: cv.backtest(log, kinds, origins=1, horizon="200 days"),
    ):
        one, other = test(sparse, [cv.MBGNBD]), test(sparse, [mine])
        pd.testing.assert_frame_equal(getattr(one, "table", one), getattr(other, "table", other))
    assert mine.params_["alpha"] == 150.0
    assert cv.choose_model(sparse, [mine]).model.key == "MBGNBD"


# ------------------------------------------------------------------------------------------------ predictions


def test_predictions_have_a_row_per_customer_origin_and_model(sparse, choice):
    table = choice.predictions
    assert not table.duplicated(["origin", "customer_id", "model"]).any()
    assert set(table["model"]) == {"nobody buys", "MBG/NBD", "BG/NBD", *BASELINES}
    for (origin, _), rows in table.groupby(["origin", "model"]):
        seen = sparse[sparse["date"] <= origin]["customer_id"]
        assert set(rows["customer_id"]) == set(seen)
        end = origin + pd.Timedelta(days=int(rows["horizon"].iloc[0]))
        came = sparse[(sparse["date"] > origin) & (sparse["date"] <= end) & sparse["customer_id"].isin(seen)]
        assert rows["actual"].sum() == len(came.drop_duplicates(["customer_id", "date"]))
        assert rows["money_actual"].sum() == pytest.approx(came["amount"].sum())
    known = table.dropna(subset=["q05"])
    assert len(known.groupby(["origin", "model"])) == 18
    assert (known["q05"] <= known["q50"]).all()
    assert (known["q50"] <= known["q95"]).all()


def test_scores_are_those_of_the_rows(choice):
    rows = choice.predictions.query("model == 'MBG/NBD'")
    found = cv.evaluate(rows, by=["model", "origin"])
    assert found["customers"].sum() == len(rows)
    [whole] = cv.evaluate(rows).to_dict("records")
    miss = rows["mean"] - rows["actual"]
    assert whole["mae"] == pytest.approx(miss.abs().mean())
    assert whole["rmse"] == pytest.approx(np.sqrt((miss**2).mean()))
    assert whole["wape"] == pytest.approx(miss.abs().sum() / rows["actual"].sum())
    assert whole["bias"] == pytest.approx(rows["mean"].sum() / rows["actual"].sum() - 1)
    totals = rows.groupby("origin")[["mean", "actual"]].sum()
    assert whole["total_error"] == pytest.approx(
        (totals["mean"] - totals["actual"]).abs().sum() / totals["actual"].sum()
    )
    assert whole["money_bias"] == pytest.approx(rows["money_mean"].sum() / rows["money_actual"].sum() - 1)
    assert whole["crps"] == pytest.approx(choice.table.set_index("model").loc["MBG/NBD", "holdout_crps"])


def test_anybody_s_own_predictions_are_scored():
    own = pd.DataFrame({"origin": "2024-12-31", "horizon": 30, "customer_id": list("abcd"), "model": "mine",
                        "mean": [1.0, 2.0, 0.0, 1.0], "actual": [1.0, 4.0, 0.0, 0.0], "team": ["x", "x", "y", "y"]})  # fmt: skip
    assert cv.evaluate(own, by="team")["mae"].tolist() == [1.0, 0.5]
    assert np.isnan(cv.evaluate(own)["crps"]).all()
    levels = own.assign(q05=0.0, q50=[1.0, 1.0, 0.0, 0.0], q95=3.0)
    pinball = [
        max(q * (y - v), (q - 1) * (y - v))
        for q, c in ((0.05, "q05"), (0.5, "q50"), (0.95, "q95"))
        for y, v in zip(levels["actual"], levels[c], strict=True)
    ]
    assert cv.evaluate(levels)["crps"].iloc[0] == pytest.approx(2 * np.mean(pinball))
    assert cv.evaluate(levels)["coverage"].iloc[0] == 0.75
    with pytest.raises(cv.TableError, match="actual"):
        cv.evaluate(own.drop(columns="actual"))
    with pytest.raises(cv.TableError, match="team"):
        cv.evaluate(own, by="taem")


def test_pinball_of_many_quantiles_is_near_the_crps(choice):
    rows = choice.predictions.dropna(subset=["crps"])
    rows = rows[rows["model"] == "own rate so far"]
    near = cv.evaluate(rows.drop(columns="crps"))["crps"].iloc[0]
    assert near == pytest.approx(rows["crps"].mean(), rel=0.25)


def test_holdout_and_backtest_are_the_same_predictions(sparse):
    """One origin of each at the same day has the same rows."""
    back = cv.backtest(sparse, [cv.MBGNBD], origins=1, horizon="200 days")
    end = sparse["date"].max().date() - timedelta(days=200)
    held = cv.holdout(sparse, [cv.MBGNBD()], calibration_end=end)
    pd.testing.assert_frame_equal(back.predictions, held.predictions)
    assert back.table["crps"].tolist() == held.table["crps"].tolist()
    assert isinstance(held.made[0], Prediction)


def test_everybody_alike_has_the_spread_of_the_crowd(sparse):
    day = sparse["date"].max().date() - timedelta(days=250)
    [origin] = look_back(sparse, [(day, 250)])
    alike = next(p for p in guesses(origin) if p.model == "everybody alike")
    assert alike.mean[0] == pytest.approx(origin.before.mean())
    some = alike.spread.assign(actual=origin.actual[origin.some]).drop_duplicates("actual").head(4)
    for row in some.itertuples():
        assert row.crps == pytest.approx(brute_crps(origin.before, row.actual), abs=2e-3)
