"""From data to judgement: backtest, ranking, the comparison of methods, cohorts without a model, newcomers, the trust level, properties."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clvnb as cv
from clvnb.core.results import Estimate
from clvnb.models.posterior import Posterior
from clvnb.value.predictions import gain

TRUTH = cv.MBGNBD.with_params(r=0.8, alpha=35.0, a=0.8, b=2.5)
SPEND = cv.GammaGamma.with_params(p=5.0, q=4.0, v=30.0)


@pytest.fixture(scope="module")
def long_log() -> pd.DataFrame:
    """Nearly three years, customers joining for two of them."""
    log = TRUTH.simulate(2500, start="2021-01-01", joined="730 days", length="1090 days", spend=SPEND, seed=11)
    return log.assign(date=log["date"].dt.normalize())


# --------------------------------------------------------------------------------- ranking and backtest


def test_gain_is_one_for_the_perfect_order_and_zero_for_none():
    rng = np.random.default_rng(0)
    actual = rng.exponential(size=4000)
    assert gain(actual, actual) == pytest.approx(1.0)
    assert gain(-actual, actual) == pytest.approx(-1.0)
    assert abs(gain(rng.random(4000), actual)) < 0.05
    assert gain(np.ones(4000), actual) == 0.0
    assert np.isnan(gain([1.0], [0.0]))


def test_backtest_of_a_true_model(long_log):
    test = cv.backtest(long_log, [cv.MBGNBD], origins=3, horizon="120 days")
    model = test.table[~test.table["baseline"]]
    naive = test.table[test.table["baseline"]].groupby("model")["mae"].mean()
    assert len(model) == 3
    assert (model["bias"].abs() < 0.15).all()
    assert (model["money_bias"].abs() < 0.2).all()
    assert model["mae"].mean() < naive.min()
    assert model["coverage"].between(0.86, 0.94).all()
    assert test.deciles["actual"].iloc[0] > 3 * test.deciles["actual"].mean()
    assert test.deciles["share"].sum() == pytest.approx(1.0)
    assert "mean absolute error" in test.text
    assert test.table[test.table["baseline"]].groupby("model")["crps"].mean().idxmin() in test.text


def test_backtest_needs_a_long_enough_log(long_log):
    with pytest.raises(cv.TableError, match="too few for 9 origins"):
        cv.backtest(long_log, [cv.BGNBD], origins=9, horizon="120 days")


def test_comparison_marks_the_choice_and_keeps_the_naive_guesses(long_log):
    table = cv.compare_models(long_log, [cv.BGNBD, cv.MBGNBD])
    assert table["chosen"].sum() == 1
    assert {"own rate so far", "same as last period", "everybody alike"} <= set(table["model"])
    chosen = table[table["chosen"]].iloc[0]
    assert 0.98 * chosen["holdout_crps"] <= table.dropna(subset=["aic"])["holdout_crps"].min()
    assert chosen["holdout_crps"] < table[table["aic"].isna()]["holdout_crps"].min()


def test_regular_customers_get_a_regular_model():
    truth = cv.MBGCNBDk.with_params(k=3, r=2.0, alpha=30.0, a=0.6, b=3.0)
    log = truth.simulate(1500, joined="200 days", length="600 days", seed=2)
    choice = cv.choose_model(log.assign(date=log["date"].dt.normalize()), [cv.MBGNBD, cv.MBGCNBDk])
    assert choice.model.name == "MBG/CNBD-k"
    assert choice.model.k == 3


# --------------------------------------------------------------------------------------- without a model


def test_cohort_value_finds_what_new_customers_bring(long_log):
    """Against the truth: purchases of the true model within the ages seen, times mean spend."""
    seen = cv.cohort_value(long_log, margin=0.5, longest="12 months")
    true = (1 + TRUTH.expected_purchases_new("365.25 days")) * SPEND.expected_spend_new() * 0.5
    assert seen.method == "cohorts, to 12 months of age"
    assert seen.low < true < seen.high
    naive = 0.5 * long_log["amount"].sum() / long_log["customer_id"].nunique()
    young = cv.cohort_value(long_log, margin=0.5, longest="30 months")
    assert young.value > naive  # all money over all customers forgets that the young had no time


def test_cohort_value_agrees_with_a_bootstrap(long_log):
    some = long_log[long_log["customer_id"].str[-1] == "7"]
    estimate = cv.cohort_value(some, longest="6 months", as_of="2023-12-26")
    rng, values = np.random.default_rng(0), []
    parts = {name: part for name, part in some.groupby("customer_id")}
    names = list(parts)
    for _ in range(30):
        drawn = [parts[n].assign(customer_id=f"{k}") for k, n in enumerate(rng.choice(names, len(names)))]
        values.append(cv.cohort_value(pd.concat(drawn), longest="6 months", as_of="2023-12-26").value)
    assert (estimate.high - estimate.low) / (2 * 1.645) == pytest.approx(np.std(values, ddof=1), rel=0.4)


def test_cohort_value_needs_customers_of_some_age():
    young = pd.DataFrame({"customer_id": list("abc"), "date": pd.to_datetime(["2024-01-01"] * 3), "amount": 5.0})
    with pytest.raises(cv.TableError, match="completed by 50 customers"):
        cv.cohort_value(young, as_of="2024-03-01")


def test_methods_lead_up_to_the_model(long_log):
    economics = cv.Economics(margin=0.5, horizon="2 years")
    model = Estimate(80.0, 70.0, 90.0, 0.9, 10, "MBG/NBD, mean of new customers")
    table = cv.value.shop_methods(long_log, economics, model, as_of=pd.Timestamp("2023-12-26").date())
    assert table["method"].iloc[0] == "Simple formula on revenue"
    assert table["method"].iloc[-1] == "Model"
    value = table.set_index("method")["value"]
    assert value["Simple formula on revenue"] == pytest.approx(2 * value["Simple formula on margin"])
    assert value["Retention formula"] < value["Simple formula on margin"]  # cut off and discounted
    assert table.set_index("method").loc["Cohorts", ["low", "high"]].notna().all()
    assert (table["why"].str.len() > 20).all()


def test_a_short_log_says_which_rungs_it_cannot_carry(long_log):
    short = long_log[long_log["date"] < "2021-12-01"]
    table = cv.value.shop_methods(short, cv.Economics(), None, as_of=pd.Timestamp("2021-11-30").date())
    said = table.set_index("method")
    assert said.loc["Simple formula on revenue", "why"].startswith("Needs two years")
    assert np.isnan(said.loc["Model", "value"])
    assert said.loc["Cohorts", "value"] > 0
    assert "Simple formula on margin" not in said.index  # without a margin there is nothing to subtract


def test_red_shows_the_rung_below(make_client):
    rng = np.random.default_rng(3)
    days = pd.date_range("2023-01-01", "2024-12-31")
    rows = [(f"c{k}", days[rng.integers(len(days))].date(), round(float(rng.gamma(3, 10)), 2)) for k in range(400)]
    csv = "customer_id,date,amount\n" + "".join(f"{c},{d},{a}\n" for c, d, a in rows)
    step = cv.value_step(cv.Client.load(make_client(csv)))
    assert step.trust.level == "not reliable"
    assert step.total is None
    assert step.methods.set_index("method")["value"].notna()["Cohorts"]
    assert "without a model, new customers brought" in step.headline.text


# --------------------------------------------------------------------------------------------- newcomers


def test_newcomers_by_channel_against_their_cost():
    slow = cv.MBGNBD.with_params(r=0.8, alpha=70.0, a=0.8, b=2.5)
    parts = []
    for channel, model, seed in (("search", TRUTH, 1), ("ads", slow, 2)):
        log = model.simulate(2000, joined="200 days", length="700 days", spend=SPEND, seed=seed)
        summary = cv.summarize(log, margin=0.5)
        parts.append(summary.assign(customer_id=channel + summary["customer_id"], channel=channel))
    tiny = parts[0].head(12).assign(channel="word of mouth", customer_id=lambda t: "w" + t["customer_id"])
    rows = pd.concat([*parts, tiny], ignore_index=True)
    economics = cv.Economics(margin=0.5, horizon="2 years")
    table = cv.value.new_customer_values(
        rows, cv.MBGNBD().fit(rows), economics, by="channel", cac={"search": 20.0, "ads": 40.0}
    ).set_index("group")
    assert set(table.index) == {"search", "ads", "other"}
    for channel, model in (("search", TRUTH), ("ads", slow)):
        weights = [(t, w) for t, w in cv.models.base.discount_weights("2 years", 0.1)]
        true = (1 + model.expected_by_draw(weights)[0]) * 0.5 * SPEND.expected_spend_new()
        assert table.loc[channel, "clv_low"] * 0.95 < true < table.loc[channel, "clv_high"] * 1.05
    assert table.loc["search", "ltv_cac"] > table.loc["ads", "ltv_cac"]
    assert table["p_pays"].dropna().between(0, 1).all()
    assert np.isnan(table.loc["other", "cac"])


def test_value_over_cost():
    case = cv.formulas.ltv_cac(Estimate(100.0, 80.0, 120.0, 0.9, 10, "x"), 100.0)
    assert case.p_pays == pytest.approx(0.5)
    assert (case.ratio, case.low, case.high, case.net) == (1.0, 0.8, 1.2, 0.0)
    with pytest.raises(ValueError, match="above 0"):
        cv.formulas.ltv_cac(Estimate(1.0, 0.5, 1.5, 0.9, 10, "x"), 0.0)


def test_ratio_of_sums_and_not_the_mean_of_ratios():
    """Orders 1, 2, 3, 4, 10 with revenue 30, 50, 120, 150, 650: 50.0, linearised standard error 9.487; mean of ratios 39.5."""
    orders, revenue = np.array([1, 2, 3, 4, 10]), np.array([30, 50, 120, 150, 650])
    estimate = cv.formulas.ratio_of_sums(revenue, orders)
    assert estimate.value == 50.0
    assert (estimate.high - estimate.value) / 1.6448536 == pytest.approx(9.487, abs=5e-4)
    assert (revenue / orders).mean() == pytest.approx(39.5)


def test_basis_and_losses():
    summary = pd.DataFrame({
        "customer_id": list("abcd"), "frequency": 1, "recency": 5, "T": 9, "purchases": [2, 2, 5, 1],
        "historic_revenue": [100.0, 50.0, 8.0, -3.0], "historic_value": [40.0, 20.0, -6.8, -4.0],
    })  # fmt: skip
    economics = cv.Economics(margin=0.4, cost_to_serve=2.0)
    alike = cv.value.recommend_basis(summary.iloc[:2])
    assert "alike" in alike.text
    assert "differ" in cv.value.recommend_basis(summary).text
    assert "No margin" in cv.value.recommend_basis(summary.assign(historic_value=np.nan)).text
    customers = summary[["customer_id", "historic_value"]].assign(clv=[5.0, -1.0, 2.0, 0.0])
    table = cv.value.losses(customers, summary, economics).table.set_index("cause")
    assert table["customers"].to_dict() == {
        "they took back as much as they bought": 1, "serving cost more than the margin": 1,
        "the next purchases are expected to lose money": 1,
    }  # fmt: skip
    assert table["value"].sum() == pytest.approx(-6.8 - 4.0 + 20.0)


# ---------------------------------------------------------------------------------------------- the trust level


def level_of(log: pd.DataFrame, check: str, **more) -> str:
    summary = cv.summarize(log)
    trust = cv.trust_gate(summary, as_of=log["date"].max(), purchases=cv.MBGNBD().fit(summary), log=log, **more)
    return trust.table.set_index("check")["level"].to_dict()[check]


def test_drift_is_seen(long_log):
    assert level_of(long_log, "cohorts") == "reliable"
    first = long_log.groupby("customer_id")["date"].transform("min")
    fades = long_log[(first < "2022-01-01") | (long_log["date"] == first) | (long_log["customer_id"].str[-1] < "4")]
    assert level_of(fades, "cohorts") == "use with care"


def sparse_log(busy: tuple[str, ...]) -> pd.DataFrame:
    """Customers who all come in the first month, and buy again in a few months alone."""
    days = [pd.Timestamp("2021-01-05"), *map(pd.Timestamp, busy), pd.Timestamp("2023-06-30")]
    rows = [
        (f"{k:03d}", day + pd.Timedelta(days=k % 9), 20.0 + k % 7)
        for k in range(300)
        for day in days[: -1 if k else None]
    ]
    return pd.DataFrame(rows, columns=["customer_id", "date", "amount"])


def test_months_without_purchases_claim_no_season(make_client):
    """Beside months in which nobody bought, the busiest month has no size."""
    log = sparse_log(("2021-06-10", "2022-05-10"))
    trust = cv.trust_gate(cv.summarize(log), as_of="2023-06-30", log=log, why="too few.")
    assert "season" not in set(trust.table["check"])
    folder = make_client(log.to_csv(index=False, date_format="%Y-%m-%d"), economics={"margin": 0.4})
    assert len(cv.value_step(cv.Client.load(folder)).customers) == 300


def test_an_over_predicted_holdout_is_never_green():
    """A shop that lost its customers at a stroke: the model expects what does not come."""
    log = TRUTH.simulate(2500, start="2021-01-01", joined="365 days", length="900 days", spend=SPEND, seed=4)
    log = log.assign(date=log["date"].dt.normalize())
    thin = log[(log["date"] < "2022-11-01") | (log["customer_id"].str[-1] < "5")]
    choice = cv.choose_model(thin, [cv.BGNBD, cv.MBGNBD])
    bias = choice.holdout.table.set_index("model").loc[choice.model.name, "bias"]
    assert bias > 0.25
    trust = cv.trust_gate(cv.summarize(thin), as_of=thin["date"].max(), purchases=choice.model, spend=20.0,
                          check=choice.holdout, log=thin)  # fmt: skip
    assert trust.level in {"use with care", "not reliable"}
    assert trust.table.set_index("check").loc["holdout total", "level"] != "reliable"


# ------------------------------------------------------------------------------------------- uncertainty


def test_draws_say_how_they_were_made(sample_summary):
    pareto = cv.ParetoNBD().fit(sample_summary)
    assert "effective sample size" in pareto.uncertainty_
    draws = np.log(pareto.draws(2000, seed=1))
    assert (draws == np.log(pareto.draws(2000, seed=1))).all()
    beta = draws[:, 3]
    assert np.quantile(beta, 0.95) - np.median(beta) > 0.1
    assert cv.ParetoNBD.with_params(**pareto.params_).uncertainty_.startswith("given parameters")


def test_sharp_data_need_no_weights(sample_summary):
    many = pd.concat([sample_summary] * 40).assign(customer_id=lambda t: np.arange(len(t)).astype(str))
    model = cv.BGNBD().fit(many)
    assert model.uncertainty_.startswith("normal in the logarithms")
    spread = np.log(model.draws(4000)).std(axis=0)
    np.testing.assert_allclose(spread, np.sqrt(np.diag(model.covariance_)), rtol=0.05)


def test_the_bootstrap_takes_over_where_the_normal_fails(sample_summary, monkeypatch):
    import clvnb.models.posterior as module

    monkeypatch.setattr(module, "ENOUGH", 1.1)  # no importance sample is that good
    model = cv.BGNBD().fit(sample_summary)
    assert "Bayesian bootstrap" in model.uncertainty_
    spread = np.log(model.draws(500, seed=2)).std(axis=0)
    laplace = np.sqrt(np.diag(model.covariance_))
    assert (spread / laplace).max() < 2
    assert (spread / laplace).min() > 0.5
    assert isinstance(model.posterior_, Posterior)


# ---------------------------------------------------------------------------------------------- properties


def test_another_unit_of_time_is_the_same_model(sample_summary):
    """Twice as many days between everything: rates halve, predictions over twice the time stay."""
    slow = sample_summary.assign(**{c: 2 * sample_summary[c] for c in ("recency", "T")})
    for cls in (cv.BGNBD, cv.MBGNBD, cv.ParetoNBD):
        one, two = cls().fit(sample_summary), cls().fit(slow)
        np.testing.assert_allclose(two.params_["alpha"], 2 * one.params_["alpha"], rtol=1e-5)
        np.testing.assert_allclose(
            two.expected_purchases(slow, 546), one.expected_purchases(sample_summary, 273), rtol=1e-4
        )


def test_every_customer_twice_is_the_same_fit_and_twice_the_total(sample_summary):
    again = sample_summary.assign(customer_id="x" + sample_summary["customer_id"])
    both = pd.concat([sample_summary, again], ignore_index=True)
    one, two = cv.BGNBD().fit(sample_summary), cv.BGNBD().fit(both)
    np.testing.assert_allclose(one.params_, two.params_, rtol=1e-6)
    np.testing.assert_allclose(two.standard_errors_ * np.sqrt(2), one.standard_errors_, rtol=1e-3)
    assert two.expected_purchases(both, 100).sum() == pytest.approx(
        2 * one.expected_purchases(sample_summary, 100).sum()
    )


def test_a_customer_split_in_two_bought_less_often_and_is_seen_as_two(sample_log):
    """Duplicate ids hide loyalty: merged, one customer with the purchases of both."""
    split = sample_log.assign(
        customer_id=np.where(np.arange(len(sample_log)) % 2, "x", "y") + sample_log["customer_id"]
    )
    whole, parts = cv.summarize(sample_log), cv.summarize(split)
    assert len(parts) > len(whole)
    assert parts["historic_revenue"].sum() == pytest.approx(whole["historic_revenue"].sum())
    merged = cv.summarize(split.assign(customer_id=split["customer_id"].str[1:]))
    pd.testing.assert_frame_equal(merged, whole)
    assert parts["frequency"].sum() < whole["frequency"].sum()


@settings(max_examples=25, deadline=None)
@given(gaps=st.lists(st.integers(1, 60), min_size=1, max_size=8), extra=st.integers(0, 90), seed=st.integers(0, 99))
def test_gaps_are_summed_whatever_the_order_of_rows(gaps, extra, seed):
    days = np.concatenate([[0], np.cumsum(gaps)])
    log = pd.DataFrame(
        {"customer_id": "a", "amount": 1.0, "date": pd.Timestamp("2024-01-01") + pd.to_timedelta(days, "D")}
    )
    log = log.sample(frac=1, random_state=seed)
    row = cv.summarize(log, as_of=log["date"].max() + pd.Timedelta(days=extra)).iloc[0]
    assert row["log_gaps"] == pytest.approx(np.log(gaps).sum())
    assert row["frequency"] == len(gaps)


# ------------------------------------------------------------------------------------------------ groups


def test_clusters_are_found_and_noise_is_one_group():
    rng = np.random.default_rng(0)

    def people(n: int, days: float, orders: float, money: float, name: str) -> pd.DataFrame:
        return pd.DataFrame({
            "customer_id": [f"{name}{k}" for k in range(n)], "frequency": 1, "recency": 1, "T": 400,
            "days_since_last": rng.normal(days, 8, n).clip(1), "purchases": rng.poisson(orders, n) + 1,
            "historic_revenue": rng.gamma(20, money / 20, n),
        })  # fmt: skip

    clear = pd.concat([people(200, 20, 12, 900, "a"), people(300, 300, 1, 40, "b")], ignore_index=True)
    cluster, table = cv.value.cluster_customers(clear, refits=10)
    assert table["customers"].tolist() == [200, 300]
    assert (table["stability"] > 0.9).all()
    assert (cluster[:200] == 1).all()
    noise = people(200, 100, 3, 100, "n")
    _, one = cv.value.cluster_customers(noise, refits=10)
    assert one["customers"].sum() == 200
    assert len(one) == 1 or (one["stability"] >= 0.6).all()


def test_names_against_value_add_up():
    rng = np.random.default_rng(1)
    segment = pd.Series(rng.choice(["Loyal", "New", "At risk"], 500))
    table = cv.rfm_by_value(segment, pd.Series(rng.exponential(size=500)))
    fifths = table[[f"fifth_{k}" for k in range(1, 6)]]
    np.testing.assert_allclose(fifths.sum(axis=1), 1.0)
    np.testing.assert_allclose((fifths.mul(table["customers"], axis=0)).sum(), 100, atol=1e-9)


def test_tiers_near_a_border_are_unclear(sample_summary):
    models = cv.MBGNBD().fit(sample_summary), cv.GammaGamma().fit(sample_summary)
    terms = cv.Economics(margin=0.4, horizon="2 years")
    table = cv.value.tier_chances(sample_summary, *models, terms)
    np.testing.assert_allclose(table[["chance_A", "chance_B", "chance_C"]].sum(axis=1), 1.0)
    assert 0.5 < table["clear"].mean() < 1.0
    value = cv.clv_table(sample_summary, *models, terms)["clv"]
    assert (cv.value_tiers(value)[table["clear"]] == table["tier"][table["clear"]]).mean() > 0.97
    assert table.loc[value.idxmax(), "tier"] == "A"


def test_equity_keeps_the_two_parts_apart():
    now, later = cv.formulas.customer_equity(1000.0, 10, 50.0, 60.0, 0.1, horizon="2 years")
    assert now == 1000.0
    assert later == pytest.approx(-100 * (1.1**-0.5 + 1.1**-1.5))  # winning customers at a loss destroys value
