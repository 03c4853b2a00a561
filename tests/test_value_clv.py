"""Money: properties that hold for any client, the card, contracts by hand, and the trust level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import clvnb as cv
from clvnb.core.engine import as_ibis
from clvnb.data.contracts import summarize_contracts
from clvnb.models import base
from clvnb.models.histories import collapse
from clvnb.value.evaluate import Holdout
from clvnb.value.trust import data_trust


@pytest.fixture(scope="module")
def models(sample_summary):
    return cv.MBGNBD().fit(sample_summary), cv.GammaGamma().fit(sample_summary)


BASE = {"discount_rate": 0.1, "horizon": "2 years"}


def table(summary, models, **settings):
    return cv.clv_table(summary, *models, cv.Economics(**(BASE | settings)))


def test_money_of_outcomes_shares_its_gammas_and_keeps_the_distribution(sample_summary, models):
    """Looked at row by row it is the money that is drawn for each purchase; and rows do not err all alike."""
    purchases, spend = models
    rows = collapse(sample_summary).iloc[::4]
    x = rows["frequency"].to_numpy(float)
    counts = purchases.outcomes(rows, 365.0, size=2000)
    shared, own = spend.money_of_outcomes(counts, x, 1), spend.money(counts, x, 1)
    assert not (shared == own).all()
    for level in (0.5, 0.95):
        one, other = (np.quantile(money, level, axis=0) for money in (shared, own))
        assert np.abs(one - other).max() < 0.15 * other.max()
        assert one.mean() == pytest.approx(other.mean(), rel=0.02)
    once = np.repeat(purchases.outcomes(rows.head(1), 365.0, size=200), 6000, axis=1)
    ends = [np.quantile(spend.money_of_outcomes(once, np.zeros(6000), seed), 0.95, axis=0) for seed in range(6)]
    assert np.std(ends[0]) / np.mean(ends[0]) > 0.05  # of 200 draws
    assert np.std([np.mean(e) for e in ends]) / np.mean(ends) < 0.03


def test_customers_in_blocks_are_the_same_customers(sample_summary, models, monkeypatch):
    purchases, spend = models
    economics = cv.Economics(margin=0.4, horizon="1 year")

    def found():
        total = cv.clv_total(sample_summary, purchases, spend, economics)
        ends = purchases.purchase_interval(sample_summary, "1 year", 0.9)
        whole = purchases.purchase_interval(sample_summary, "1 year", 0.9, total=True)
        return cv.clv_table(sample_summary, purchases, spend, economics), total, ends, whole

    table, total, ends, whole = found()
    monkeypatch.setattr(base, "_AT_ONCE", 100)
    again, total_again, ends_again, whole_again = found()
    pd.testing.assert_series_equal(again["clv"], table["clv"])
    assert (again["expected_purchases_high"] - table["expected_purchases_high"]).abs().max() <= 1
    assert again["clv_high"].sum() == pytest.approx(table["clv_high"].sum(), rel=0.02)
    assert (ends_again - ends).abs().to_numpy().max() <= 1
    assert total_again.high == pytest.approx(total.high, rel=0.01)
    assert whole_again.high == pytest.approx(whole.high, rel=0.01)


def test_doubling_margin_doubles_value(sample_summary, models):
    one, two = table(sample_summary, models, margin=0.25), table(sample_summary, models, margin=0.5)
    for column in ("clv", "clv_low", "clv_high"):
        np.testing.assert_allclose(2 * one[column], two[column], rtol=1e-12)


def test_another_currency_only_scales(sample_summary):
    rate = 4.97  # say, lei to the euro
    money = ["monetary_value", "historic_revenue", "historic_value"]
    other = sample_summary.assign(**{c: sample_summary[c] * rate for c in money})
    euro = table(sample_summary, (cv.BGNBD().fit(sample_summary), cv.GammaGamma().fit(sample_summary)))
    lei = table(other, (cv.BGNBD().fit(other), cv.GammaGamma().fit(other)))
    np.testing.assert_allclose(lei["clv"], euro["clv"] * rate, rtol=1e-7)
    np.testing.assert_allclose(lei["clv_high"], euro["clv_high"] * rate, rtol=1e-6)


def test_no_discount_is_purchases_times_margin(sample_summary, models):
    t = table(sample_summary, models, discount_rate=0.0, margin=0.4)
    np.testing.assert_allclose(t["clv"], 0.4 * t["expected_purchases"] * t["expected_spend"], rtol=1e-12)


def test_longer_and_cheaper_money_are_worth_more(sample_summary, models):
    short, long = (
        table(sample_summary, models, horizon="1 year"),
        table(sample_summary, models, horizon="4 years"),
    )
    assert (long["clv"] > short["clv"]).all()
    dear = table(sample_summary, models, discount_rate=0.3)
    assert (dear["clv"] < table(sample_summary, models)["clv"]).all()


def test_horizons_add_up(sample_summary, models):
    """Without discount, the first year and the second year make two years."""
    purchases, _ = models
    two = purchases.expected_purchases(sample_summary, 730.0)
    one = purchases.expected_purchases(sample_summary, 365.0)
    steps = purchases.discounted_purchases(sample_summary, 730.0, 0.0, step="day")
    np.testing.assert_allclose(steps, two, rtol=1e-10)
    assert (two > one).all()


def test_costs_can_make_value_negative(sample_summary, models):
    t = table(sample_summary, models, margin=0.3, cost_to_serve=50.0)
    assert (t["clv"] < 0).any()
    assert (t["clv_low"] <= t["clv_high"]).all()
    loses = t["expected_spend"] * 0.3 < 50
    assert (t.loc[loses, "clv_high"] <= 0).all()


def test_total_is_the_sum_and_groups_add_up(sample_summary, models):
    economics = cv.Economics(margin=0.4, **BASE)
    total = cv.clv_total(sample_summary, *models, economics)
    assert total.value == pytest.approx(cv.clv_table(sample_summary, *models, economics)["clv"].sum())
    assert total.low < total.value < total.high
    grouped = sample_summary.assign(half=np.where(sample_summary["T"] > 230, "early", "late"))
    parts = cv.clv_total(grouped, *models, economics, by="half")
    assert sum(p.value for p in parts.values()) == pytest.approx(total.value)
    assert sum(p.n for p in parts.values()) == total.n
    there = cv.clv_total(as_ibis(grouped), *models, economics, by="half")
    assert {k: p.value for k, p in there.items()} == pytest.approx({k: p.value for k, p in parts.items()})
    with pytest.raises(cv.TableError, match="no column 'quarter'"):
        cv.clv_total(grouped, *models, economics, by="quarter")


def test_engine_table_gives_the_same_value(sample_summary, models):
    economics = cv.Economics(margin=0.4, cost_to_serve=1.0, **BASE)
    plain = cv.clv_table(sample_summary, *models, economics)
    there = cv.clv_table(as_ibis(sample_summary), *models, economics).to_pandas().sort_values("customer_id")
    there = there[plain.columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(plain, there, check_dtype=False, check_exact=False, rtol=1e-9)


def test_intervals_hold_what_comes(sample_log, sample_summary, models):
    """On real data: 39 weeks of holdout, 90 % intervals of each customer and of the total."""
    _, later = cv.split_log(sample_log, "1997-09-30")
    bought = cv.summarize(later).set_index("customer_id")["purchases"]
    actual = bought.reindex(sample_summary["customer_id"]).fillna(0).to_numpy()
    each = models[0].purchase_interval(sample_summary, "39 weeks", 0.9)
    inside = (actual >= each["expected_purchases_low"]) & (actual <= each["expected_purchases_high"])
    assert inside.mean() > 0.9  # counts are lumpy: closed intervals hold at least their level


def test_new_customer_counts_the_first_purchase(models):
    economics = cv.Economics(discount_rate=0.0, horizon="1 year")
    new = cv.clv_new_customer(*models, economics)
    purchases = 1 + models[0].expected_purchases_new("1 year")
    assert new.value == pytest.approx(purchases * models[1].expected_spend_new())
    assert new.low < new.value < new.high


def test_cards_that_differ_are_not_compared():
    settings = {"model": "BG/NBD", "currency": "EUR", "window": "2024", "n": 10}
    one = cv.clv_card(cv.Economics(margin=0.4), **settings)
    one.require_same(cv.clv_card(cv.Economics(margin=0.4), **(settings | {"n": 20, "window": "2025"})))
    with pytest.raises(cv.TableError, match="horizon .3 years against 1 year."):
        one.require_same(cv.clv_card(cv.Economics(margin=0.4, horizon="1 year"), **settings))
    assert "revenue" in cv.clv_card(cv.Economics(), **settings)._repr_html_()


# ------------------------------------------------------------------------------------- contracts


def test_renewals_by_hand():
    contracts = pd.DataFrame(
        {
            "customer_id": list("abcdef"),
            "start": pd.to_datetime(["2024-01-31", "2024-01-15", "2024-01-15", "2023-01-10", "2024-03-01", "2023-06-15"]),
            "end": pd.to_datetime([None, "2024-04-15", "2024-04-03", None, "2024-04-01", "2024-06-15"]),
            "price": 10.0,
            "billing": ["monthly", "monthly", "monthly", "annual", "monthly", "annual"],
        }
    )  # fmt: skip
    out = summarize_contracts(contracts, as_of="2024-06-30").set_index("customer_id")
    # a renewed on the last days of February to June; b paid January to March; c paid in January, February, March
    assert out["renewals"].to_dict() == {"a": 5, "b": 2, "c": 2, "d": 1, "e": 0, "f": 0}
    assert out["active"].to_dict() == {"a": True, "b": False, "c": False, "d": True, "e": False, "f": False}
    assert out.loc["d", "days_to_next"] == (pd.Timestamp("2025-01-10") - pd.Timestamp("2024-06-30")).days


def test_subscription_value_by_hand():
    """One customer with 2 renewals made, next one in 30 days: each payment times its chance, discounted."""
    model = cv.ShiftedBetaGeometric.with_params(alpha=1.0, beta=4.0)
    row = pd.DataFrame({"customer_id": ["a"], "plan": ["p"], "renewals": [2], "opportunities": [2], "active": [True],
                        "price": [10.0], "period": [1], "days_to_next": [30.0]})  # fmt: skip
    economics = cv.Economics(margin=0.5, discount_rate=0.1, horizon="90 days", cost_to_serve=1.0)
    value, total = cv.subscription_table(row, {"p": model}, economics)
    month = 365.25 / 12
    survival = model.survival([3, 4]) / model.survival(2)
    by_hand = sum(4.0 * s * 1.1 ** (-(30 + k * month) / 365.25) for k, s in enumerate(survival))
    assert value["clv"].item() == pytest.approx(by_hand)
    assert total.value == pytest.approx(by_hand)
    assert value["clv_low"].item() <= by_hand <= value["clv_high"].item()


def test_ended_contracts_are_worth_nothing_more():
    model = cv.ShiftedBetaGeometric.with_params(alpha=1.0, beta=4.0)
    row = pd.DataFrame({"customer_id": ["a"], "plan": ["p"], "renewals": [2], "opportunities": [3], "active": [False],
                        "price": [10.0], "period": [1], "days_to_next": [np.nan]})  # fmt: skip
    value, _ = cv.subscription_table(row, {"p": model}, cv.Economics())
    assert value[["clv", "clv_low", "clv_high", "p_alive"]].iloc[0].tolist() == [0, 0, 0, 0]


# --------------------------------------------------------------------------------------- evaluation


def test_holdout_meets_the_published_benchmark(sample_log):
    """BG/NBD on CDNOW: total 12 % low; the own-rate guess 56 % high (peers' comparison, recomputed)."""
    check = cv.holdout(sample_log, [cv.BGNBD()], calibration_end="1997-09-30")
    rows = check.table.set_index("model")
    assert rows.loc["BG/NBD", "mae"] == pytest.approx(0.785, abs=5e-4)
    assert rows.loc["BG/NBD", "rmse"] == pytest.approx(1.608, abs=5e-4)
    assert rows.loc["BG/NBD", "bias"] == pytest.approx(1653.409 / 1882 - 1, abs=1e-5)
    assert rows.loc["own rate so far", "mae"] == pytest.approx(1.024, abs=5e-4)
    assert rows.loc["own rate so far", "bias"] == pytest.approx(0.557, abs=2e-3)
    assert 0.86 < rows.loc["BG/NBD", "coverage"] < 0.94
    assert "best naive guess" in check.text


def test_choice_says_why(sample_log):
    choice = cv.choose_model(sample_log)
    assert choice.model.name in choice.text
    assert choice.model.n_ == 2357


def test_light_is_never_green_on_a_missed_total(sample_summary, models, sample_log):
    check = cv.holdout(sample_log, [cv.MBGNBD()], calibration_end="1997-09-30")
    fine = cv.trust_gate(sample_summary, as_of="1997-09-30", purchases=models[0], spend=models[1], check=check)
    assert fine.table.set_index("check").loc["holdout total", "level"] == "reliable"
    for bias, level in ((0.3, "use with care"), (-0.3, "use with care"), (0.8, "not reliable")):
        off = Holdout(check.table.assign(bias=bias), check.text, check.calibration_end, check.days, check.customers)
        trust = cv.trust_gate(sample_summary, as_of="1997-09-30", purchases=models[0], spend=models[1], check=off)
        assert trust.level == level
        assert "30%" in trust.text or "80%" in trust.text


def test_light_without_a_model_is_red(sample_summary):
    trust = cv.trust_gate(sample_summary.head(50), as_of="1997-09-30")
    assert trust.level == "not reliable"
    assert "There is no prediction" in trust.text
    assert data_trust(sample_summary, as_of="1998-09-30").level == "not reliable"  # silent for a year


def test_customers_from_before_the_log_are_seen():
    rng = np.random.default_rng(1)
    start = pd.Timestamp("2024-01-01")
    born = np.concatenate([rng.integers(0, 30, 700), rng.integers(30, 700, 300)])
    keen = np.concatenate([rng.poisson(6, 700), rng.poisson(1, 300)])
    summary = pd.DataFrame(
        {"customer_id": np.arange(1000).astype(str), "frequency": keen, "recency": keen * 3, "T": 730 - born,
         "monetary_value": 10.0, "last_date": pd.Timestamp("2025-12-20"),
         "first_date": start + pd.to_timedelta(born, unit="D")}
    )  # fmt: skip
    trust = data_trust(summary, as_of="2025-12-31")
    assert trust.table.set_index("check").loc["first customers", "level"] == "use with care"
    assert "before the log starts" in trust.text


def test_past_and_future_are_valued_on_the_same_terms(sample_log, models):
    """A summary made without a margin takes the margin of the table's terms: revenue is never added to margin."""
    economics = cv.Economics(margin=0.4, cost_to_serve=1.0, **BASE)
    bare = cv.summarize(sample_log, as_of="1998-06-30")
    assert bare["historic_value"].isna().all()
    given = cv.summarize(sample_log, as_of="1998-06-30", margin=0.4, cost_to_serve=1.0)
    one, two = cv.clv_table(bare, *models, economics), cv.clv_table(given, *models, economics)
    np.testing.assert_allclose(one["historic_value"], two["historic_value"])
    np.testing.assert_allclose(one["total_value"], two["total_value"])
    there = cv.clv_table(as_ibis(bare), *models, economics).to_pandas().sort_values("customer_id")
    np.testing.assert_allclose(there["total_value"], two["total_value"], rtol=1e-9)


# -------------------------------------------------------------------------------- a value and its range


@given(value=st.floats(-1e9, 1e9), ends=st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)))
def test_an_estimate_lies_inside_its_range(value, ends):
    made = cv.Estimate(value, min(ends), max(ends), 0.9, 3, "x")
    assert made.low <= made.value <= made.high
    assert made.low <= min(ends)
    assert made.high >= max(ends)
    assert cv.Estimate.from_dict(made.to_dict()) == made


def test_ends_that_are_not_known_stay_so():
    assert np.isnan(cv.Estimate(1.0, np.nan, 2.0, 0.9, 3, "x").low)
    assert cv.Estimate(np.nan, 1.0, 2.0, 0.9, 3, "x").high == 2.0


def test_a_newcomer_of_a_runaway_mean_lies_inside_its_range():
    """A spend model whose q is hardly above 1: draws are held away from there, the estimate is not."""
    terms = cv.Economics(margin=0.4, horizon="1 year")
    spend = cv.GammaGamma.with_params(p=6.25, q=1.02, v=15.44)
    purchases = cv.BGNBD.with_params(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="1 week")
    found = cv.clv_new_customer(purchases, spend, terms)
    assert found.low < found.value <= found.high


def test_an_amount_and_constant_spend_are_the_same_thing():
    from clvnb.models.constant_spend import ConstantSpend

    days = pd.to_datetime(["2024-01-01", "2024-01-20", "2024-02-03"])
    log = pd.DataFrame({"customer_id": ["a", "a", "b"], "date": days, "amount": [10.0, 20.0, 30.0]})
    summary = cv.summarize(log, as_of="2024-03-01").drop(columns="monetary_value")  # which an amount needs not
    model = cv.BGNBD.with_params(r=0.243, alpha=31.0, a=0.793, b=2.426)
    terms = cv.Economics(margin=0.4, horizon="1 year")
    for spend in (25.0, ConstantSpend(25.0)):
        assert cv.clv_table(summary, model, spend, terms)["expected_spend"].tolist() == [25.0, 25.0]
    assert cv.clv_total(summary, model, 25.0, terms) == cv.clv_total(summary, model, ConstantSpend(25.0), terms)
    new = cv.clv_new_customer(model, 25.0, terms)
    assert new.value == cv.clv_new_customer(model, ConstantSpend(25.0), terms).value > 0


def test_a_cheap_first_order_counts_as_it_is():
    """First orders at half the usual price: a newcomer's value is half a purchase less, in any unit of money."""
    from clvnb.models.gamma_gamma import fit_spend
    from clvnb.value.clv import OrderMoney, order_money

    rng, model = np.random.default_rng(3), cv.MBGNBD.with_params(r=0.8, alpha=60.0, a=0.8, b=2.5)
    log = model.simulate(3000, joined="2 years", length="2 years", seed=5)
    level = dict(zip(log["customer_id"].unique(), 40 * rng.gamma(6, 1 / 6, log["customer_id"].nunique()), strict=True))
    first = ~log.sort_values("date").duplicated("customer_id").reindex(log.index)
    log["amount"] = log["customer_id"].map(level) * rng.gamma(4, 1 / 4, len(log)) * np.where(first, 0.5, 1.0)
    for unit in (1.0, 100.0):
        summary = cv.summarize(log.assign(amount=unit * log["amount"]))
        spend = fit_spend(summary)
        found = order_money(summary, spend)
        assert found.first == pytest.approx(0.5, abs=0.05)
        assert 0.01 < found.first_error < 0.05
        assert found.later == pytest.approx(1.0, abs=0.03)
        found = replace(found, later=1.0, later_error=0.0)
        terms = cv.Economics(margin=0.5, cost_to_serve=unit)
        usual, cheap = (cv.clv_new_customer(model, spend, terms, orders=f) for f in (None, found))
        assert usual.value - cheap.value == pytest.approx(
            (1 - found.first) * 0.5 * spend.expected_spend_new(), rel=1e-9
        )
        assert cheap.low < cheap.value < cheap.high
    assert order_money(summary.drop(columns="first_spend"), spend) == OrderMoney()
    assert order_money(summary.head(5), spend).first > found.first  # few are drawn to the usual
    often = summary.assign(monetary_value=summary["monetary_value"] * np.where(summary["frequency"] > 3, 1.3, 1.0))
    assert order_money(often, fit_spend(often)).later > 1.05
