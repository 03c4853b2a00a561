"""Covariates by maximum likelihood: effects found, tested, and carried through to predictions and value."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvnb as cv
from clvnb.core.engine import as_ibis
from helpers import ROOT

MODELS = [cv.BGNBD, cv.MBGNBD, cv.ParetoNBD]
TRUTH = {
    "BG/NBD": {"r": 0.8, "alpha": 30.0, "a": 0.8, "b": 2.5},
    "MBG/NBD": {"r": 0.8, "alpha": 30.0, "a": 0.8, "b": 2.5},
    "Pareto/NBD": {"r": 0.8, "alpha": 30.0, "s": 0.9, "beta": 150.0},
}


def two_channels(cls, n: int = 4000) -> pd.DataFrame:
    """Customers of ads buy less often than those of search by exp(-0.5), and differ in nothing else."""
    truth = TRUTH[cls.name]
    parts = []
    for channel, slower, seed in (("search", 0.0, 1), ("ads", 0.5, 2)):
        model = cls.with_params(**truth | {"alpha": truth["alpha"] * np.exp(slower)})
        size = n if channel == "search" else n // 2
        summary = cv.summarize(model.simulate(size, joined="120 days", length="500 days", seed=seed))
        parts.append(summary.assign(channel=channel, customer_id=channel + summary["customer_id"]))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module", params=MODELS, ids=lambda c: c.name)
def fitted(request):
    rows = two_channels(request.param)
    return request.param().fit(rows, covariates=["channel"]), rows


def test_effects_are_found_and_tested(fitted):
    model, rows = fitted
    effects = model.effects_.set_index("parameter")
    assert (effects["covariate"] == "channel=ads").all()  # the most frequent channel is the reference
    assert effects.loc["alpha", "low"] < -0.5 < effects.loc["alpha", "high"]
    assert effects.loc["alpha", "p_value"] < 1e-6
    others = effects.drop(index="alpha")
    assert ((others["low"] < 0.35) & (others["high"] > -0.35)).all()
    test = model.covariate_test_
    assert test["p_value"] < 1e-6
    assert test["df"] == len(effects)
    assert test["chi2"] == pytest.approx(
        2 * (model.log_likelihood_ - type(model)().fit(rows).log_likelihood_), abs=1e-4
    )


def test_channels_without_a_difference_pass_no_test():
    rows = two_channels(cv.MBGNBD).assign(channel=lambda t: np.where(np.arange(len(t)) % 3 == 0, "a", "b"))
    test = cv.MBGNBD().fit(rows, covariates=["channel"]).covariate_test_
    assert test["p_value"] > 0.01


def test_each_customer_is_predicted_by_the_own_covariates(fitted):
    """With one covariate, a model of every channel's customers alone gives what the effects give."""
    model, rows = fitted
    theta = dict(zip(model.parameters, model.params_, strict=True))
    effect = model.effects_.set_index("parameter")["effect"]
    ads = {k: v * np.exp(model.effects.get(k, 0) * effect.get(k, 0.0)) for k, v in theta.items()}
    both = model.expected_purchases(rows, "1 year")
    for channel, params in (("search", theta), ("ads", ads)):
        at = rows["channel"] == channel
        alone = type(model).with_params(**params)
        np.testing.assert_allclose(both[at], alone.expected_purchases(rows[at], "1 year"), rtol=1e-9)
        np.testing.assert_allclose(model.probability_alive(rows)[at], alone.probability_alive(rows[at]), rtol=1e-7)
        assert model.expected_purchases_new("1 year", channel=channel) == pytest.approx(
            alone.expected_purchases_new("1 year"), rel=1e-9
        )
    search, ads_new = (model.expected_purchases_new("1 year", channel=c) for c in ("search", "ads"))
    assert model.expected_purchases_new("1 year") == pytest.approx((2 * search + ads_new) / 3, rel=0.01)


def test_value_goes_through(fitted):
    model, rows = fitted
    money = cv.Economics(margin=0.5, horizon="2 years")
    table = cv.clv_table(rows, model, 20.0, money)
    total = cv.clv_total(rows, model, 20.0, money)
    assert total.value == pytest.approx(table["clv"].sum(), rel=1e-9)
    assert total.low < total.value < total.high
    search, ads = (cv.clv_new_customer(model, 20.0, money, of={"channel": c}) for c in ("search", "ads"))
    assert search.low > ads.high
    there = cv.clv_table(as_ibis(rows), model, 20.0, money).to_pandas().set_index("customer_id")
    np.testing.assert_allclose(there.loc[table["customer_id"], "clv"], table["clv"], rtol=1e-9)


def test_numbers_enter_as_they_are():
    rows = two_channels(cv.BGNBD, 1500)
    model = cv.BGNBD().fit(rows.assign(is_ads=(rows["channel"] == "ads").astype(float)), covariates=["is_ads"])
    by_name = cv.BGNBD().fit(rows, covariates=["channel"])
    np.testing.assert_allclose(model.effects_["effect"], by_name.effects_["effect"], rtol=1e-4, atol=1e-5)


def test_the_slope_in_effects_is_the_slope():
    rows = two_channels(cv.ParetoNBD, 300)
    model = cv.ParetoNBD().fit(rows, covariates=["channel"])
    objective = model.posterior_.objective
    full = model.fit_.values * 1.05
    _, slope = objective(full)
    for k in range(len(full)):
        up, down = full.copy(), full.copy()
        up[k] *= 1 + 1e-6
        down[k] *= 1 - 1e-6
        assert slope[k] == pytest.approx(
            (objective(up)[0] - objective(down)[0]) / (up[k] - down[k]), rel=1e-4, abs=1e-3
        )


def test_subscriptions_have_covariates_too():
    parts = []
    for channel, alpha, seed in (("search", 0.8, 1), ("ads", 1.6, 2)):
        drawn = cv.ShiftedBetaGeometric.with_params(alpha=alpha, beta=6.0).simulate(4000, 12, seed=seed)
        parts.append(drawn.assign(channel=channel))
    rows = pd.concat(parts, ignore_index=True)
    rows = rows.assign(customer_id=rows.index.astype(str), plan="p", opportunities=12, price=1.0, period=1)
    rows = pd.concat(
        [rows, rows[rows["channel"] == "search"].head(1).assign(customer_id="x")]
    )  # search is the reference
    model = cv.ShiftedBetaGeometric().fit(rows, covariates=["channel"])
    effects = model.effects_.set_index("parameter")
    assert effects.loc["alpha", "low"] < np.log(2) < effects.loc["alpha", "high"]
    assert effects.loc["beta", "low"] < 0 < effects.loc["beta", "high"]
    assert model.covariate_test_["p_value"] < 1e-6
    ads = model.survival([1, 6, 12], channel="ads")
    np.testing.assert_allclose(
        ads, cv.ShiftedBetaGeometric.with_params(alpha=1.6, beta=6.0).survival([1, 6, 12]), atol=0.02
    )
    assert (model.survival([1, 6], channel="search") > ads[:2]).all()


def test_bad_covariates_are_refused():
    rows = two_channels(cv.BGNBD, 300)
    with pytest.raises(cv.TableError, match="no column 'chanel'; did you mean 'channel'"):
        cv.BGNBD().fit(rows, covariates=["chanel"])
    with pytest.raises(cv.FitError, match="explains nothing"):
        cv.BGNBD().fit(rows.assign(channel="one"), covariates=["channel"])
    with pytest.raises(cv.TableError, match="is missing for 2 customers"):
        cv.BGNBD().fit(rows.assign(channel=rows["channel"].where(rows.index > 1)), covariates=["channel"])
    with pytest.raises(cv.FitError, match="combinations"):
        cv.BGNBD().fit(rows.assign(age=np.linspace(18, 80, len(rows)).cumsum()).pipe(lambda t: pd.concat([t] * 2).assign(
            age=lambda u: np.arange(len(u)) * 1.0)), covariates=["age"])  # fmt: skip
    model = cv.BGNBD().fit(rows, covariates=["channel"])
    with pytest.raises(cv.TableError, match="has not seen"):
        model.expected_purchases(rows.assign(channel="shop"), "1 year")
    with pytest.raises(cv.TableError, match="no covariate 'chanel'"):
        model.expected_purchases_new("1 year", chanel="ads")
    with pytest.raises(cv.FitError, match="without covariates"):
        _ = cv.BGNBD().fit(rows).covariate_test_


@pytest.fixture(scope="module")
def apparel() -> pd.DataFrame:
    """600 customers of an apparel shop, 104 weeks from their first purchase on 2 January 2005: how often and how late
    each came back, and two facts about each; counted from the log that the R package CLVTools documents its models on.
    """
    rows = pd.read_csv(ROOT / "tests/golden/apparel.csv")
    people = rows.loc[rows.index.repeat(rows["customers"])].drop(columns="customers").reset_index(drop=True)
    return people.assign(T=728, customer_id=[f"{k:03d}" for k in range(len(people))])


def in_weeks(model, people: pd.DataFrame) -> float:
    """A log-likelihood per day, in the papers' weeks."""
    return model.log_likelihood_ + people["frequency"].sum() * np.log(7)


def test_published_fit_of_the_apparel_shop(apparel):
    """CLVTools' vignette: r 1.4489768, alpha 48.636, s .56126, beta 46.884; LL -5848.09783 at the optimum."""
    model = cv.ParetoNBD().fit(apparel)
    assert in_weeks(model, apparel) == pytest.approx(-5848.09783, abs=1e-4)
    weeks = model.estimates(unit="week").set_index("parameter")["estimate"]
    assert weeks.to_dict() == pytest.approx({"r": 1.4489, "alpha": 48.635, "s": 0.5613, "beta": 46.882}, rel=1e-3)


def test_published_covariates_of_the_apparel_shop(apparel):
    """CLVTools' advanced vignette: gender and channel on both processes, LL -5821.0627."""
    model = cv.ParetoNBD().fit(apparel, covariates=["gender", "channel"])
    assert in_weeks(model, apparel) == pytest.approx(-5821.0627, abs=5e-4)
    effect = model.effects_.set_index(["parameter", "covariate"])["effect"]
    published = {
        ("beta", "gender"): -0.6430,
        ("beta", "channel"): 0.7907,
        ("alpha", "gender"): 0.2859,
        ("alpha", "channel"): 0.6241,
    }
    assert effect.to_dict() == pytest.approx(published, abs=0.01)
    weeks = model.estimates(unit="week").set_index("parameter")["estimate"]
    assert weeks["r"] == pytest.approx(1.8378, rel=5e-3)
    assert weeks["alpha"] == pytest.approx(92.9123, rel=5e-3)
    assert weeks["s"] == pytest.approx(0.5920, rel=1e-2)
    assert weeks["beta"] == pytest.approx(49.6227, rel=2e-2)
