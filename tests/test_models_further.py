"""The regular models, GGompertz/NBD and BG/BB: published numbers, brute force, gradients, and their own simulations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.integrate import quad
from scipy.special import betainc, betaln
from scipy.stats import gamma

import clvnb as cv
from clvnb.models import bgbb, cnbdk, ggompertznbd, paretonbd
from clvnb.models.dropout import purchases_until_dropout
from clvnb.models.fitting import Triples
from helpers import ROOT

SHOPS = {
    "BG/NBD": cv.BGNBD.with_params(r=0.6, alpha=30.0, a=0.8, b=2.5),
    "MBG/NBD": cv.MBGNBD.with_params(r=0.8, alpha=35.0, a=0.8, b=2.5),
    "Pareto/NBD": cv.ParetoNBD.with_params(r=0.8, alpha=40.0, s=1.0, beta=150.0),
    "GGompertz/NBD": cv.GGompertzNBD.with_params(r=0.8, alpha=30.0, s=1.5, beta=2000.0, b=0.02),
    "BG/CNBD-k": cv.BGCNBDk.with_params(k=2, r=0.8, alpha=20.0, a=0.8, b=2.5),
    "MBG/CNBD-k": cv.MBGCNBDk.with_params(k=3, r=1.0, alpha=15.0, a=0.8, b=2.5),
}


@pytest.fixture(scope="module")
def further() -> dict:
    return yaml.safe_load((ROOT / "tests/golden/further.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def donors(further) -> pd.DataFrame:
    rows = pd.DataFrame(further["bgbb"]["rows"], columns=["frequency", "recency", "count"]).assign(T=6)
    people = rows.loc[rows.index.repeat(rows["count"])].reset_index(drop=True)
    return people.assign(customer_id=people.index.astype(str)).drop(columns="count")


# ---------------------------------------------------------------------------------- regular purchases


@pytest.mark.parametrize(("regular", "plain"), [(cv.BGCNBDk, cv.BGNBD), (cv.MBGCNBDk, cv.MBGNBD)])
def test_one_stage_is_the_plain_model(regular, plain, sample_summary):
    one, two = regular(1).fit(sample_summary), plain().fit(sample_summary)
    np.testing.assert_allclose(one.params_, two.params_, rtol=1e-6)
    assert one.log_likelihood_ == pytest.approx(two.log_likelihood_, abs=1e-6)
    for a, b in (
        (one.probability_alive(sample_summary), two.probability_alive(sample_summary)),
        (one.expected_purchases(sample_summary, "1 year"), two.expected_purchases(sample_summary, "1 year")),
    ):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    assert one.expected_purchases_new("1 year") == pytest.approx(two.expected_purchases_new("1 year"), rel=1e-6)


def test_cdnow_is_not_regular(sample_summary):
    """The likelihood prefers k = 1 there; asking for the choice costs one more parameter in the AIC."""
    model = cv.MBGCNBDk().fit(sample_summary)
    assert model.k == 1
    assert model.aic_ == pytest.approx(cv.MBGNBD().fit(sample_summary).aic_ + 2, abs=1e-4)


def test_expected_regular_purchases_are_the_sum_over_purchases():
    """E = sum over n of P(N >= n k - j) E[(1-p)^(n-1)], with N the future stages: negative binomial."""
    rng = np.random.default_rng(0)
    n = np.arange(1, 30_000)
    for _ in range(60):
        R, A, a, B, t = np.exp(rng.uniform(np.log([0.2, 20, 0.3, 0.5, 20]), np.log([60, 700, 5, 60, 900])))
        k = int(rng.integers(2, 6))
        j = int(rng.integers(0, k))
        terms = betainc(n * k - j, R, t / (A + t)) * np.exp(betaln(a, B + n - 1) - betaln(a, B))
        ours = purchases_until_dropout(np.array([R]), np.array([A]), a, np.array([B]), t, k, j)[0]
        assert ours == pytest.approx(terms.sum(), rel=1e-6), (R, A, a, B, t, k, j)


@pytest.mark.parametrize("at_first", [False, True])
def test_regular_likelihood_is_the_mixture(at_first):
    """The likelihood again, by integrating over a customer's rate and chance to leave."""
    r, alpha, a, b, k, x, t_x, T = 0.9, 20.0, 0.8, 2.5, 3, 2, 60.0, 100.0

    def alive_share(rate: float) -> float:
        silent = sum((rate * (T - t_x)) ** j / np.exp(np.sum(np.log(np.arange(1, j + 1)))) for j in range(k))
        return float(silent * np.exp(-rate * (T - t_x)))

    def given(rate: float, p: float) -> float:
        stays = (1 - p) ** (x + at_first)
        last = stays * alive_share(rate) + (1 - p) ** (x - 1 + at_first) * p
        return float(rate ** (k * x) * np.exp(-rate * t_x) * last)

    def density(rate: float) -> float:
        inner = quad(lambda p: given(rate, p), 0, 1, weight="alg", wvar=(a - 1, b - 1))[0] / np.exp(betaln(a, b))
        return inner * float(gamma.pdf(rate, r, scale=1 / alpha))

    exact = np.log(quad(density, 0, 5, limit=400, points=[0.01, 0.05, 0.2, 1])[0])
    value, _ = cnbdk.log_likelihood(r, alpha, a, b, k, at_first, Triples.of([x], [t_x], [T]))
    assert value[0] == pytest.approx(exact, rel=1e-6)


def test_regularity_is_found_in_regular_purchases():
    truth = SHOPS["MBG/CNBD-k"]
    log = truth.simulate(2500, joined="90 days", length="500 days", seed=3)
    summary = cv.summarize(log)
    model = cv.MBGCNBDk().fit(summary)
    assert model.k == truth.k
    assert model.log_likelihood_ > cv.MBGNBD().fit(summary).log_likelihood_ + 100
    later = truth.simulate(2500, joined="90 days", length="500 days", seed=4)
    assert cv.MBGCNBDk().fit(cv.summarize(later)).k == truth.k


def test_a_regular_model_needs_the_gaps(sample_summary):
    with pytest.raises(cv.TableError, match="log_gaps"):
        cv.BGCNBDk().fit(sample_summary.drop(columns="log_gaps"))
    with pytest.raises(ValueError, match="k must be"):
        cv.BGCNBDk(0)


# ------------------------------------------------------------------------- lives that end at any moment


def test_ggompertz_on_cdnow_becomes_pareto(sample_summary, further, golden):
    model = cv.GGompertzNBD().fit(sample_summary)
    in_weeks = model.log_likelihood_ + sample_summary["frequency"].sum() * np.log(7)
    assert in_weeks == pytest.approx(further["ggompertz"]["log_likelihood"], abs=2e-4)
    assert "b" in model.at_bound_
    shown = model.estimates(unit="week").set_index("parameter")["estimate"]
    for name, value in golden["paretonbd"]["params"].items():
        assert shown[name] == pytest.approx(value, rel=2e-3)


def test_ggompertz_without_aging_is_pareto():
    data = Triples.of([0, 1, 2, 7], [0, 30, 90, 200], [300, 100, 365, 210])
    one, _ = ggompertznbd.log_likelihood(0.5, 30.0, 0.7, 90.0, 1e-9, data)
    two, _ = paretonbd.log_likelihood(0.5, 30.0, 0.7, 90.0, data)
    np.testing.assert_allclose(one, two, rtol=1e-6)


def test_ggompertz_purchases_are_the_integral_of_survival():
    r, alpha, s, beta, b = 0.8, 30.0, 1.5, 2000.0, 0.02
    model = cv.GGompertzNBD.with_params(r=r, alpha=alpha, s=s, beta=beta, b=b)

    def survival(u: float) -> float:
        return float((1 + np.expm1(b * u) / (b * beta)) ** -s)

    row = pd.DataFrame({"customer_id": ["a"], "frequency": [3], "recency": [150], "T": [200]})
    exact = (r + 3) / (alpha + 200) * quad(lambda u: survival(200 + u) / survival(200), 0, 400)[0]
    assert (model.expected_purchases(row, 400) / model.probability_alive(row)).item() == pytest.approx(exact, rel=1e-8)


LIKELIHOODS = {
    "ggompertz": (ggompertznbd.log_likelihood, [0.4, 30.0, 0.8, 500.0, 0.01]),
    "bg_regular": (lambda *v: cnbdk.log_likelihood(*v[:4], 2, False, v[4]), [0.4, 30.0, 0.8, 2.2]),
    "mbg_regular": (lambda *v: cnbdk.log_likelihood(*v[:4], 3, True, v[4]), [0.4, 30.0, 0.8, 2.2]),
}


@pytest.mark.parametrize("name", sorted(LIKELIHOODS))
def test_gradient_is_the_slope(name):
    function, theta = LIKELIHOODS[name]
    data = Triples.of([0, 0, 1, 2, 7, 40], [0, 0, 30, 90, 200, 300], [10, 300, 100, 365, 210, 301])
    assert_slope(function, np.array(theta), data)


def test_gradient_of_bgbb():
    data = Triples.of([0, 0, 1, 2, 3, 6], [0, 0, 1, 5, 4, 6], [6, 3, 6, 6, 4, 6])
    assert_slope(bgbb.log_likelihood, np.array([1.2, 0.7, 0.6, 2.8]), data)


def assert_slope(function, theta, data):
    _, gradient = function(*theta, data)
    for k in range(len(theta)):
        up, down = theta.copy(), theta.copy()
        up[k] *= 1 + 1e-6
        down[k] *= 1 - 1e-6
        slope = (function(*up, data)[0] - function(*down, data)[0]) / (up[k] - down[k])
        np.testing.assert_allclose(gradient[k], slope, rtol=5e-6, atol=1e-7)


# --------------------------------------------------------------------------------------- opportunities


def test_bgbb_meets_the_donors(donors, further):
    gold = further["bgbb"]
    model = cv.BGBB().fit(donors)
    for name, value in gold["params"].items():
        assert model.params_[name] == pytest.approx(value, rel=1e-5)
    assert model.log_likelihood_ == pytest.approx(gold["log_likelihood"], abs=5e-5)
    cumulative = [model.expected_purchases_new(k) for k in range(1, 12)]
    np.testing.assert_allclose(cumulative, gold["new_donor"], atol=6e-5)
    assert model.expected_purchases(donors, 5).sum() == pytest.approx(gold["five_years_total"], rel=1e-5)
    for key, value in gold["ten_years"].items():
        assert model.expected_purchases(one_donor(key), 10).item() == pytest.approx(value, rel=1e-4)
    for key, value in gold["p_alive"].items():
        assert model.probability_alive(one_donor(key)).item() == pytest.approx(value, abs=5e-3)
    with pytest.raises(ValueError, match="discounts by opportunity"):
        model.discounted_purchases(donors, 10, 0.1, step="month")


def one_donor(key: str) -> pd.DataFrame:
    x, t_x = (int(v) for v in key.split(","))
    return pd.DataFrame({"customer_id": ["a"], "frequency": [x], "recency": [t_x], "T": [6]})


def test_bgbb_likelihood_of_single_donors(further):
    gold = further["bgbb"]
    x, t_x, values = zip(*gold["points"], strict=True)
    got, _ = bgbb.log_likelihood(*gold["params"].values(), Triples.of(x, t_x, [6] * len(x)))
    np.testing.assert_allclose(got, values, atol=2e-5)


def test_bgbb_counts_opportunities(donors):
    model = cv.BGBB.with_params(alpha=1.2, beta=0.75, gamma=0.66, delta=2.78)
    with pytest.raises(ValueError, match="counts opportunities"):
        model.expected_purchases(donors, "1 year")
    undiscounted = model.discounted_purchases(donors.head(50), 5, 0.0).sum()
    assert undiscounted == pytest.approx(model.expected_purchases(donors.head(50), 5).sum(), rel=1e-12)
    with pytest.raises(cv.TableError, match="opportunities"):
        cv.clv_table(donors, model, 10.0, cv.Economics(margin=0.5))


def test_bgbb_finds_the_truth_of_its_simulation():
    truth = cv.BGBB.with_params(alpha=1.2, beta=0.8, gamma=0.8, delta=3.0)
    model = cv.BGBB().fit(truth.simulate(20_000, 8, seed=1))
    z = (np.log(model.params_) - np.log(truth.params_)) / (model.standard_errors_ / model.params_)
    assert (z.abs() < 3).all()


# -------------------------------------------------------------------------------------------- all shops


@pytest.mark.parametrize("name", sorted(SHOPS))
def test_simulated_logs_hold_what_the_model_expects(name):
    """New customers of one day: their mean number of purchases, unmerged, is the closed form's."""
    model = SHOPS[name]
    log = model.simulate(20_000, joined="1 day", length="301 days", seed=5)
    first = log.groupby("customer_id")["date"].transform("min")
    repeats = (log["date"] > first) & (log["date"] <= first + pd.Timedelta(days=300))
    expected = model.expected_purchases_new("300 days")
    counts = repeats.groupby(log["customer_id"]).sum()
    assert abs(counts.mean() - expected) < 4 * counts.std() / np.sqrt(len(counts))


@pytest.mark.parametrize("name", sorted(SHOPS))
def test_drawn_futures_have_the_expected_mean(name):
    model = SHOPS[name]
    rng = np.random.default_rng(1)
    T = rng.integers(20, 400, 200)
    x = rng.integers(0, 8, 200)
    rows = pd.DataFrame({"frequency": x, "recency": np.where(x > 0, np.maximum((T * rng.random(200)).astype(int), 1), 0),
                         "T": T}).astype(float)  # fmt: skip
    summary = rows.assign(customer_id=rows.index.astype(str))
    drawn = model.simulate_purchases(rows, 250.0, size=3000)
    assert drawn.sum(axis=1).mean() == pytest.approx(model.expected_purchases(summary, 250).sum(), rel=0.015)


@pytest.mark.parametrize("name", sorted(SHOPS))
def test_windows_of_the_next_purchase_hold_their_share(name):
    """Of simulated gaps after a purchase that was followed by one, the windows hold what they say, or more."""
    model = SHOPS[name]
    row = pd.DataFrame({"customer_id": ["a", "b"], "frequency": [4, 0], "recency": [200, 0], "T": [220, 10]})
    one = model.next_purchase(row, level=0.8)
    wide = model.next_purchase(row, level=0.95)
    assert (one["due_low"] < one["due_high"]).all()
    assert (wide["due_high"] > one["due_high"]).all()
    assert (one["next_low"] < one["next_median"]).all()
    assert (one["next_median"] < one["next_high"]).all()
    assert not one["overdue"].any()
    late = model.next_purchase(row.assign(T=[2200, 9000]))
    assert late["overdue"].all()


def test_frequencies_of_new_customers_meet_published_ones(further):
    gold = further["bgnbd_pmf"]
    model = cv.BGNBD.with_params(unit="1 week", **gold["params"])
    assert model.purchase_probabilities("39 weeks", 0)[0] == pytest.approx(gold["zero_in_39"], rel=1e-6)
    assert model.purchase_probabilities("2 weeks", 10)[10] == pytest.approx(gold["ten_in_2"], rel=1e-5)
    tail = model.purchase_probabilities("30 weeks", 20)[11:]
    np.testing.assert_allclose(tail, gold["eleven_to_twenty_in_30"], rtol=1e-6)
    for one in (SHOPS["BG/NBD"], SHOPS["MBG/NBD"]):
        p = one.purchase_probabilities("300 days", 400)
        assert p.sum() == pytest.approx(1.0, abs=1e-6)
        assert p @ np.arange(401) == pytest.approx(one.expected_purchases_new("300 days"), rel=1e-4)


# ---------------------------------------------------------------------------------------- CDNOW, further


def test_cdnow_totals_and_holdout(sample_log, sample_summary, further):
    gold = further["cdnow"]
    _, later = cv.split_log(sample_log, "1997-09-30")
    held = later[later["date"] <= "1998-06-30"].groupby("customer_id")["date"].nunique()
    actual = held.reindex(sample_summary["customer_id"]).fillna(0).to_numpy()
    bins = sample_summary["frequency"].clip(upper=7).to_numpy()
    by = gold["holdout_by_frequency"]
    assert np.bincount(bins).tolist() == by["customers"]
    np.testing.assert_allclose([actual[bins == k].mean() for k in range(8)], by["actual"], atol=5e-4)
    for name, cls in (("bgnbd", cv.BGNBD), ("paretonbd", cv.ParetoNBD)):
        model = cls().fit(sample_summary)
        repeats = sum(n * model.expected_purchases_new(int(T)) for T, n in sample_summary["T"].value_counts().items())
        assert repeats == pytest.approx(gold["repeats_in_calibration"][name], rel=1e-5)
        expected = model.expected_purchases(sample_summary, "39 weeks").to_numpy()
        np.testing.assert_allclose([expected[bins == k].mean() for k in range(8)], by[name], atol=1.1e-3)
        if name == "bgnbd":
            score = gold["accuracy"]
            assert np.abs(expected - actual).mean() == pytest.approx(score["mae"], abs=6e-4)
            assert np.sqrt(((expected - actual) ** 2).mean()) == pytest.approx(score["rmse"], abs=6e-4)
            assert np.corrcoef(expected, actual)[0, 1] == pytest.approx(score["correlation"], abs=6e-4)
    naive = sample_summary["frequency"] / sample_summary["T"] * 273
    assert np.abs(naive - actual).mean() == pytest.approx(gold["accuracy"]["naive_mae"], abs=6e-4)
    assert naive.sum() == pytest.approx(gold["accuracy"]["naive_total"], abs=1)
    spends = cv.GammaGamma().fit(sample_summary).expected_spend(sample_summary.head(10))
    np.testing.assert_allclose(spends, gold["first_ten_spends"], atol=0.1)


def test_more_published_customers(sample_summary, golden):
    """One-time buyers, mean P(alive), DERT and discounted purchases on CDNOW's published parameters."""
    rows = pd.DataFrame({"customer_id": list("ab"), "frequency": [2, 0], "recency": [213, 0], "T": [272, 272]})
    bg, mbg, pareto = (
        cls.with_params(unit="1 week", **golden[key]["params"])
        for cls, key in ((cv.BGNBD, "bgnbd"), (cv.MBGNBD, "mbgnbd"), (cv.ParetoNBD, "paretonbd"))
    )
    np.testing.assert_allclose(bg.expected_purchases(rows, "39 weeks"), [1.226, 0.1948], rtol=1e-3)
    np.testing.assert_allclose(mbg.probability_alive(rows), [0.7062, 0.3897], rtol=1e-3)
    np.testing.assert_allclose(mbg.expected_purchases(rows, "39 weeks"), [1.263, 0.1540], rtol=1e-3)
    np.testing.assert_allclose(pareto.probability_alive(rows), [0.8692, 0.2953], rtol=1e-3)
    np.testing.assert_allclose(pareto.expected_purchases(rows, "39 weeks"), [1.4551, 0.1071], rtol=1e-3)
    weekly = np.exp(np.log(1.15) / 52 * 365.25 / 7) - 1  # the papers' year has 52 weeks, ours 52.18
    np.testing.assert_allclose(pareto.discounted_purchases_forever(rows, weekly), [6.5017, 0.4785], rtol=1e-3)
    assert pareto.probability_alive(sample_summary).mean() == pytest.approx(
        golden["paretonbd"]["mean_p_alive"], rel=1e-5
    )
    assert bg.probability_alive(sample_summary).mean() == pytest.approx(golden["bgnbd"]["mean_p_alive"], rel=1e-5)
    old = rows.iloc[1:].assign(T=273)
    assert pareto.probability_alive(old).item() == pytest.approx(0.294276, rel=1e-5)
    assert mbg.probability_alive(old).item() == pytest.approx(0.389328, rel=1e-5)
    one = rows.iloc[:1]
    for weeks, value in ((52, 1.4619), (104, 2.3660)):
        got = bg.discounted_purchases(one, f"{weeks} weeks", weekly).item()
        assert got == pytest.approx(value, rel=1e-3)


def test_cumulative_purchases_of_the_cohort(sample_log, golden):
    """Weeks 20 to 25 of the CDNOW cohort, as BTYD prints them."""
    published = {"paretonbd": [1308.856, 1385.275, 1459.923, 1532.906, 1604.32, 1674.253],
                 "bgnbd": [1312.458, 1387.346, 1460.392, 1531.713, 1601.418, 1669.6]}  # fmt: skip
    for cls, key in ((cv.ParetoNBD, "paretonbd"), (cv.BGNBD, "bgnbd")):
        model = cls.with_params(unit="1 week", **golden[key]["params"])
        table = cv.tracking(sample_log, model, as_of="1997-09-30", step=7)
        np.testing.assert_allclose(table["expected"].iloc[20:26], published[key], rtol=0.01)
