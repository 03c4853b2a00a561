"""Models against published numbers, against mpmath, against their own simulation, and against units and order."""

from __future__ import annotations

import mpmath
import numpy as np
import pandas as pd
import pytest

import clvnb as cv
import oracles
from clvnb.core.engine import as_ibis
from clvnb.models import base, bgnbd, gamma_gamma, ggompertznbd, histories, lifetimes, mbgnbd, paretonbd
from clvnb.models.base import discount_weights
from clvnb.models.dropout import purchases_until_dropout
from clvnb.models.fitting import Levels, Triples
from clvnb.models.histories import collapse
from clvnb.value.evaluate import choose_renewal_model

MODELS = {"bgnbd": cv.BGNBD, "mbgnbd": cv.MBGNBD, "paretonbd": cv.ParetoNBD}
WEEK = "1 week"


@pytest.fixture(scope="module", params=sorted(MODELS))
def fitted(request, sample_summary, golden):
    return request.param, MODELS[request.param]().fit(sample_summary), golden[request.param]


def in_weeks(model, summary) -> float:
    """The papers' log-likelihood: theirs counts weeks, ours days; they differ by the sum of x ln 7."""
    return model.log_likelihood_ + summary["frequency"].sum() * np.log(7)


def test_fit_meets_published_estimates(fitted, sample_summary):
    _, model, gold = fitted
    shown = model.estimates(unit="week").set_index("parameter")
    for name, value in gold["params"].items():
        assert shown.loc[name, "estimate"] == pytest.approx(value, rel=1e-5)
    assert in_weeks(model, sample_summary) == pytest.approx(gold["log_likelihood"], abs=5e-5)


def test_standard_errors_meet_published_ones(fitted):
    _, model, gold = fitted
    shown = model.estimates(unit="week").set_index("parameter")["standard_error"]
    for name, value in gold["standard_errors"].items():
        assert shown[name] == pytest.approx(value, rel=1e-3)


def test_predictions_meet_published_ones(fitted, sample_summary):
    _, model, gold = fitted
    for weeks, value in gold["new_customer"].items():
        assert model.expected_purchases_new(f"{weeks} weeks") == pytest.approx(value, rel=3e-5)
    one = sample_summary["customer_id"] == "0001"
    assert model.expected_purchases(sample_summary, "39 weeks")[one].item() == pytest.approx(
        gold["customer_0001"]["purchases_39_weeks"], rel=1e-5
    )
    assert model.probability_alive(sample_summary)[one].item() == pytest.approx(
        gold["customer_0001"]["p_alive"], rel=1e-5
    )
    many = sample_summary["customer_id"] == "1516"
    assert model.expected_purchases(sample_summary, "52 weeks")[many].item() == pytest.approx(
        gold["customer_1516"]["purchases_52_weeks"], rel=1e-5
    )
    assert model.probability_alive(sample_summary)[many].item() == pytest.approx(
        gold["customer_1516"]["p_alive"], rel=1e-5
    )
    assert model.expected_purchases(sample_summary, "39 weeks").sum() == pytest.approx(gold["holdout_total"], rel=1e-5)


def test_likelihood_of_single_customers(golden):
    functions = {
        "bgnbd": oracles.bgnbd,
        "mbgnbd": oracles.mbgnbd,
        "paretonbd": paretonbd.log_likelihood,
    }
    for point in golden["points"]:
        data = Triples.of([point["x"]], [point["t_x"]], [point["T"]])
        value, _ = functions[point["model"]](*point.get("params", [0.25, 4.0, 0.8, 2.5]), data)
        assert value[0] == pytest.approx(point["value"], rel=1e-7)


@pytest.mark.parametrize("function", [oracles.bgnbd, oracles.mbgnbd, paretonbd.log_likelihood])
def test_gradient_is_the_slope_of_the_likelihood(function):
    data = Triples.of([0, 0, 1, 2, 7, 40], [0, 0, 30, 90, 200, 300], [10, 300, 100, 365, 210, 301])
    theta = np.array([0.4, 30.0, 0.8, 2.2])
    _, gradient = function(*theta, data)
    for k in range(4):
        up, down = theta.copy(), theta.copy()
        up[k] *= 1 + 1e-6
        down[k] *= 1 - 1e-6
        slope = (function(*up, data)[0] - function(*down, data)[0]) / (up[k] - down[k])
        np.testing.assert_allclose(gradient[k], slope, rtol=2e-6, atol=1e-8)


def test_gradient_of_the_spend_model():
    x, z = Levels.of([1, 1, 2, 5, 40]), np.log([5.0, 80.0, 20.0, 33.0, 21.0])
    spends = gamma_gamma.Spends(x, z, np.array([0.0, 0.3, 0.0, 0.1, 0.2]), np.ones(5))
    theta = np.array([4.0, 3.0, 20.0])
    _, gradient = gamma_gamma.log_likelihood(*theta, spends)
    for k in range(3):
        up, down = theta.copy(), theta.copy()
        up[k] *= 1 + 1e-6
        down[k] *= 1 - 1e-6
        slope = (gamma_gamma.log_likelihood(*up, spends)[0] - gamma_gamma.log_likelihood(*down, spends)[0]) / (
            up[k] - down[k]
        )
        np.testing.assert_allclose(gradient[k], slope, rtol=2e-6, atol=1e-8)


def test_many_customers_are_put_together_without_loss(monkeypatch):
    """Cells of spend against every customer: the same log-likelihood to 1e-8, and far fewer rows."""
    rng = np.random.default_rng(5)
    x = 1 + rng.negative_binomial(0.5, 0.1, 150_000)
    z = rng.gamma(6.0 * x) / x / rng.gamma(3.7, size=len(x)) * 15.0
    every = gamma_gamma.Spends(Levels.of(x), np.log(z), np.zeros(len(x)), np.ones(len(x)))
    cells = gamma_gamma.Spends.of(x.astype(float), z)
    summary = pd.DataFrame({"customer_id": np.arange(len(x)).astype(str), "frequency": x, "recency": 1, "T": 2,
                            "monetary_value": z})  # fmt: skip
    pushed = gamma_gamma.Spends.of_table(as_ibis(summary))
    for some in (cells, pushed):
        assert some.customers == len(x)
        assert len(some.n) < len(x) / 3
        for theta in ((6.0, 3.7, 15.0), (0.5, 1.2, 300.0), (40.0, 9.0, 2.0)):
            one, other = (float(s.n @ gamma_gamma.log_likelihood(*theta, s)[0]) for s in (every, some))
            assert other == pytest.approx(one, rel=1e-8)
    exact = cv.GammaGamma()
    monkeypatch.setattr(gamma_gamma, "MANY", len(x))
    exact.fit(summary)
    monkeypatch.setattr(gamma_gamma, "MANY", 1000)
    near = cv.GammaGamma().fit(summary)
    assert near.log_likelihood_ == pytest.approx(exact.log_likelihood_, rel=1e-9)
    np.testing.assert_allclose(near.params_, exact.params_, rtol=1e-5)
    np.testing.assert_allclose(near.standard_errors_, exact.standard_errors_, rtol=1e-4)


def test_gamma_gamma_meets_note_025(sample_summary, golden):
    gold = golden["gamma_gamma"]
    model = cv.GammaGamma().fit(sample_summary)
    for name, value in gold["params"].items():
        assert model.params_[name] == pytest.approx(value, rel=1e-5)
    assert model.log_likelihood_ == pytest.approx(gold["log_likelihood"], abs=5e-5)
    assert model.n_ == gold["repeat_buyers"]
    repeat = sample_summary.loc[sample_summary["frequency"] > 0, "monetary_value"]
    assert repeat.mean() == pytest.approx(gold["mean_spend"], abs=5e-4)


def test_twelve_month_value_of_a_customer(golden):
    """36.00, and never the 140.10 of older tutorials.

    Those asked weekly data for ``time=12, freq="D"``: 12 months of 30 *data units*, which are 360 weeks. clvnb has one
    clock, and a horizon says its own unit, so the mistake has no way in; asked for 360 weeks by name, it gives about
    the famous number.
    """
    gold = golden["clv_12_months"]
    purchases = cv.BGNBD.with_params(unit=WEEK, **golden["bgnbd"]["params"])
    spend = cv.GammaGamma.with_params(**gold["spend_params"])
    customers = pd.DataFrame(gold["customers"]).assign(customer_id=["a", "b", "c"])
    year = cv.Economics(discount_rate=0.15, horizon="12 months", step="week")
    table = cv.clv_table(customers, purchases, spend, year)
    np.testing.assert_allclose(table["clv"], customers["clv"], rtol=1e-5)
    np.testing.assert_allclose(table["expected_spend"], customers["spend"], rtol=1e-5)
    np.testing.assert_allclose(purchases.expected_purchases(customers, "52 weeks"), customers["purchases"], rtol=1e-5)
    assert round(float(table["clv"].iloc[0]), 2) == 36.00
    wrong = golden["wrong"]["lifetimes_quickstart_clv"]["value"]
    long = cv.Economics(discount_rate=1.01**12 - 1, horizon="360 weeks", step=None)
    assert cv.clv_table(customers, purchases, spend, long)["clv"].iloc[0] < wrong
    monthly = [purchases.expected_purchases(customers, f"{30 * k} weeks").iloc[0] for k in range(1, 13)]
    as_printed = sum(np.diff([0.0, *monthly]) / 1.01 ** np.arange(1, 13)) * table["expected_spend"].iloc[0]
    assert as_printed == pytest.approx(wrong, rel=1e-3)


# ------------------------------------------------------------------------------------ numerics, widely


def wide_cases(size: int, seed: int = 5):
    """Random parameters and customers over the whole range that a fit or a user may visit."""
    rng = np.random.default_rng(seed)

    def log_uniform(low: float, high: float) -> np.ndarray:
        return np.exp(rng.uniform(np.log(low), np.log(high), size))

    T = log_uniform(1, 5000)
    x = np.where(rng.random(size) < 0.25, 0, np.floor(log_uniform(1, 600)))
    t_x = np.where(x > 0, T * rng.random(size), 0.0)
    return {"r": log_uniform(0.02, 60), "alpha": log_uniform(0.5, 3000), "a": log_uniform(0.01, 60),
            "b": log_uniform(0.01, 200), "x": x, "t_x": t_x, "T": T, "t": log_uniform(1, 4000)}  # fmt: skip


def exact_purchases(R: float, A: float, a: float, B: float, t: float) -> mpmath.mpf:
    """The closed form of the papers, before any transformation, in 60 digits."""
    with mpmath.workdps(60):
        R, A, a, B, t = map(mpmath.mpf, (R, A, a, B, t))
        z = t / (A + t)
        series = mpmath.hyp2f1(R, B, a + B - 1, z)
        return (a + B - 1) / (a - 1) * (1 - (A / (A + t)) ** R * series)


def test_ten_thousand_wide_cases_are_finite():
    c = wide_cases(10_000)
    for k in range(10_000):
        row = {name: np.array([values[k]]) for name, values in c.items()}
        theta = [float(row[p][0]) for p in ("r", "alpha", "a", "b")]
        data = Triples.of(row["x"], row["t_x"], row["T"])
        for module, by_row, extra in ((bgnbd, oracles.bgnbd, 0.0), (mbgnbd, oracles.mbgnbd, 1.0)):
            value, gradient = by_row(*theta, data)
            alive = module.probability_alive(*theta, row["x"], row["t_x"], row["T"])
            expected = purchases_until_dropout(
                theta[0] + row["x"],
                theta[1] + row["T"],
                theta[2],
                theta[3] + row["x"] + extra,
                float(row["t"][0]),
            )
            assert np.isfinite(value).all(), (module.__name__, row)
            assert np.isfinite(gradient).all(), (module.__name__, row)
            assert ((alive >= 0) & (alive <= 1)).all(), (module.__name__, row)
            assert np.isfinite(expected).all(), (module.__name__, row)
            assert (expected >= 0).all(), (module.__name__, row)


def test_wide_cases_of_pareto_are_finite():
    c = wide_cases(1_500, seed=6)
    for k in range(1_500):
        theta = [c["r"][k], c["alpha"][k], c["a"][k] + 0.02, c["b"][k] * 10]
        row = [np.array([c[name][k]]) for name in ("x", "t_x", "T")]
        value, gradient = paretonbd.log_likelihood(*theta, Triples.of(*row))
        alive = paretonbd.probability_alive(*theta, *row)
        assert np.isfinite(value).all(), theta
        assert np.isfinite(gradient).all(), theta
        assert 0 <= alive[0] <= 1


def exact_life_ended(r, alpha, s, beta, x, t_x, T) -> float:
    """The closed form with 2F1 (Schmittlein, Morrison and Colombo 1987), in 40 digits."""
    R, big, gap = r + x, max(alpha, beta), abs(alpha - beta)
    b2 = s + 1 if alpha >= beta else R

    def tail(t: float) -> mpmath.mpf:
        t = mpmath.mpf(t)
        return mpmath.hyp2f1(R + s, b2, R + s + 1, gap / (big + t)) / (big + t) ** (R + s) / (R + s)

    with mpmath.workdps(40):
        return float(mpmath.log(tail(t_x) - tail(T)))


def test_pareto_integral_against_mpmath():
    c = wide_cases(300, seed=9)
    for k in range(300):
        case = [float(c[name][k]) for name in ("r", "alpha", "a", "b", "x", "t_x", "T")]
        ours = paretonbd.life_ended(*case[:4], Triples.of(*([v] for v in case[4:])))
        assert ours[0] == pytest.approx(exact_life_ended(*case), abs=1e-9), case


def worst_error(size: int) -> float:
    c = wide_cases(size, seed=8)
    worst = 0.0
    for k in range(size):
        R, A, a, B, t = (float(v) for v in (c["r"][k] + c["x"][k], c["alpha"][k] + c["T"][k], c["a"][k],
                                            c["b"][k] + c["x"][k], c["t"][k]))  # fmt: skip
        ours = purchases_until_dropout(np.array([R]), np.array([A]), a, np.array([B]), t)[0]
        exact = exact_purchases(R, A, a, B, t)
        worst = max(worst, abs(float((mpmath.mpf(float(ours)) - exact) / exact)))
    return worst


def test_expected_purchases_against_mpmath_ten_thousand_times():
    assert worst_error(10_000) < 1e-9


@pytest.mark.parametrize("a", [1 - 1e-3, 1 - 1e-6, 1.0, 1 + 1e-9, 1 + 1e-4])
def test_expected_purchases_near_the_singular_point(a):
    """The closed form divides by a - 1; the integral E[(1 - (1 + p t/A)^-R)/p] over p ~ Beta(a, B) does not."""
    R, A, B, t = 2.5, 300.0, 4.0, 400.0
    with mpmath.workdps(30):
        density = lambda p: p ** (a - 1) * (1 - p) ** (B - 1) / mpmath.beta(a, B)  # noqa: E731
        exact = mpmath.quad(lambda p: density(p) * (1 - (1 + p * t / A) ** -R) / p, [0, 0.01, 0.1, 0.5, 1])
    ours = purchases_until_dropout(np.array([R]), np.array([A]), a, np.array([B]), t)[0]
    assert ours == pytest.approx(float(exact), rel=1e-9)


def test_no_nan_where_a_plus_b_is_one():
    """Older libraries return nan for one-time buyers when a + b < 1 (lifetimes, issues 302 and 442)."""
    customer = pd.DataFrame({"customer_id": ["a"], "frequency": [0], "recency": [0], "T": [200]})
    for a, b in ((0.3, 0.2), (0.5, 0.5), (0.4, 0.6)):
        model = cv.BGNBD.with_params(r=0.3, alpha=30.0, a=a, b=b)
        assert 0 < model.expected_purchases(customer, "1 year").item() < 10


# --------------------------------------------------------------------------------- properties and doors


def test_order_of_rows_does_not_matter(sample_summary):
    mixed = sample_summary.sample(frac=1, random_state=1)
    one, two = cv.MBGNBD().fit(sample_summary), cv.MBGNBD().fit(mixed)
    np.testing.assert_allclose(one.params_, two.params_, rtol=1e-10)
    np.testing.assert_allclose(
        one.expected_purchases(mixed, 100).sort_index(),
        one.expected_purchases(sample_summary, 100),
        rtol=1e-12,
    )


def test_an_engine_table_gives_the_same(sample_summary):
    table = as_ibis(sample_summary)
    one, two = cv.BGNBD().fit(sample_summary), cv.BGNBD().fit(table)
    np.testing.assert_allclose(one.params_, two.params_, rtol=1e-12)
    scored = two.expected_purchases(table, "1 year").to_pandas().set_index("customer_id")["expected_purchases"]
    plain = one.expected_purchases(sample_summary, "1 year").set_axis(sample_summary["customer_id"])
    np.testing.assert_allclose(scored.loc[plain.index], plain, rtol=1e-12)
    spend = cv.GammaGamma().fit(sample_summary)
    there = spend.expected_spend(table).to_pandas().set_index("customer_id")["expected_spend"]
    np.testing.assert_allclose(
        there.loc[sample_summary["customer_id"]], spend.expected_spend(sample_summary), rtol=1e-12
    )


@pytest.mark.parametrize("kind", ["Int64", "UInt32", "int64[pyarrow]", "Float64", "float32", "int32", "object"])
def test_columns_of_any_kind_of_number_give_the_same(sample_summary, kind):
    table = sample_summary.astype(dict.fromkeys(("frequency", "recency", "T"), kind))
    plain, given = cv.MBGNBD().fit(sample_summary), cv.MBGNBD().fit(table)
    np.testing.assert_allclose(given.params_, plain.params_, rtol=1e-12)
    np.testing.assert_allclose(given.probability_alive(table), plain.probability_alive(sample_summary), rtol=1e-12)
    ends = given.purchase_interval(table, "1 year"), plain.purchase_interval(sample_summary, "1 year")
    np.testing.assert_array_equal(*ends)


def test_inputs_stay_as_they_came(sample_summary):
    before = sample_summary.copy(deep=True)
    model = cv.BGNBD().fit(sample_summary)
    model.purchase_interval(sample_summary, "1 year")
    pd.testing.assert_frame_equal(before, sample_summary)


def test_simulation_has_the_expected_mean(fitted, sample_summary):
    _, model, _ = fitted
    rows = sample_summary.drop_duplicates(["frequency", "recency", "T"]).head(300)
    known = type(model).with_params(**model.params_)  # no parameter noise
    drawn = known.simulate_purchases(rows, 365.0, size=4000).mean(axis=0)
    assert drawn.sum() == pytest.approx(known.expected_purchases(rows, 365.0).sum(), rel=0.01)


def test_outcomes_follow_the_closed_distribution_of_purchases():
    """A newcomer of BG/NBD is a customer with x = 0 and T = 0: P(n) of equation (8), to one outcome in ten thousand."""
    model = cv.BGNBD.with_params(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="1 week")
    row = pd.DataFrame({"frequency": [0.0], "recency": [0.0], "T": [0.0]})
    drawn = model.outcomes(row, 365.0, size=10_000)[:, 0]
    share = np.bincount(drawn.astype(int), minlength=60)[:60] / 10_000
    assert np.abs(share - model.purchase_probabilities(365.0, 59)).max() < 1.01e-4


@pytest.mark.parametrize("model", [cv.BGNBD, cv.MBGNBD])
def test_outcomes_are_those_of_the_simulation(model, sample_summary):
    """Mean, spread and quantiles, parameters' doubt included; rows of a thousand purchases, which are simulated, too."""
    fitted = model().fit(sample_summary)
    rows = collapse(sample_summary).head(400)
    often = pd.DataFrame({"frequency": [900, 3], "recency": [990, 40], "T": [1000, 41], "n": [1, 1]})
    rows = pd.concat([rows, often], ignore_index=True)
    exact, drawn = fitted.outcomes(rows, 730.0, size=1000), fitted.simulate_purchases(rows, 730.0, size=10_000)
    assert exact.shape == (1000, len(rows))
    assert exact[:, :-2].sum() / 1000 == pytest.approx(drawn[:, :-2].sum() / 10_000, rel=0.01)
    assert exact[:, -2:].mean(axis=0) == pytest.approx(drawn[:, -2:].mean(axis=0), rel=0.3)
    assert exact[:, :-2].var(axis=0).sum() == pytest.approx(drawn[:, :-2].var(axis=0).sum(), rel=0.03)
    for level in (0.05, 0.5, 0.95):
        ends = [np.quantile(k[:, :-2], level, axis=0, method="inverted_cdf") for k in (exact, drawn)]
        assert (ends[0] != ends[1]).mean() < 0.2  # where a jump of the distribution lies near the level
        assert np.abs(ends[0] - ends[1]).max() <= 1


def test_outcomes_of_those_whose_chances_spread_without_end():
    """Where few buy and those very often, chances fall too slowly to be added up one by one; nobody gives nothing."""
    model = cv.BGNBD.with_params(r=1e-3, alpha=3e-3, a=1e-3, b=2.0)
    row = pd.DataFrame({"frequency": [0.0, 2.0], "recency": [0.0, 2.0], "T": [0.0, 3.0]})
    drawn = model.outcomes(row, 1096.0, size=2000)
    assert drawn.shape == (2000, 2)
    assert np.isfinite(drawn).all()
    assert np.median(drawn[:, 1]) > 100
    assert model.outcomes(row.head(0), 365.0, size=200).shape == (200, 0)


def test_intervals_widen_with_level_and_hold_the_estimate(sample_summary):
    model = cv.BGNBD().fit(sample_summary)
    narrow = model.purchase_interval(sample_summary, "39 weeks", 0.5, total=True)
    wide = model.purchase_interval(sample_summary, "39 weeks", 0.95, total=True)
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high
    each = model.purchase_interval(sample_summary, "39 weeks", 0.9)
    assert list(each.columns) == ["expected_purchases_low", "expected_purchases_high"]
    assert (each["expected_purchases_low"] <= each["expected_purchases_high"]).all()


def test_discounting_in_parts_agrees_with_small_steps(sample_summary):
    model = cv.BGNBD().fit(sample_summary)
    smooth = model.discounted_purchases(sample_summary, 1095, 0.1).sum()
    daily = model.discounted_purchases(sample_summary, 1095, 0.1, step="day").sum()
    half_a_day = 1.1 ** (0.5 / 365.25)  # a step's purchases count at its end
    assert smooth == pytest.approx(daily * half_a_day, rel=1e-6)
    assert model.discounted_purchases(sample_summary, "3 years", 0.0).sum() == pytest.approx(
        model.expected_purchases(sample_summary, "3 years").sum()
    )
    with pytest.raises(ValueError, match="shorter than one month"):
        discount_weights("10 days", 0.1, "month")


def test_fit_recovers_the_truth_of_unmerged_simulation():
    rng = np.random.default_rng(2)
    n, T = 20_000, 365.0
    rate, chance = rng.gamma(0.8, 1 / 40.0, n), rng.beta(0.9, 2.5, n)
    x, t_x = np.zeros(n), np.zeros(n)
    t, alive = np.zeros(n), np.ones(n, dtype=bool)
    while alive.any():
        t = np.where(alive, t + rng.exponential(1 / rate), t)
        bought = alive & (t <= T)
        x, t_x = x + bought, np.where(bought, t, t_x)
        alive = bought & (rng.random(n) > chance)
    summary = pd.DataFrame({"customer_id": np.arange(n).astype(str), "frequency": x, "recency": t_x, "T": T})
    model = cv.BGNBD().fit(summary)
    truth = pd.Series({"r": 0.8, "alpha": 40.0, "a": 0.9, "b": 2.5})
    z = (np.log(model.params_) - np.log(truth)) / (model.standard_errors_ / model.params_)
    assert (z.abs() < 3).all()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_one_customer_is_no_crash(name):
    one = pd.DataFrame({"customer_id": ["a"], "frequency": [1], "recency": [31], "T": [31]})
    try:
        model = MODELS[name]().fit(one)
    except cv.FitError as error:
        assert "1 customers" in str(error)  # noqa: PT017
        return
    assert 0 <= model.probability_alive(one).item() <= 1


def test_nobody_came_back():
    once = pd.DataFrame({"customer_id": ["a", "b"], "frequency": 0, "recency": 0, "T": [10, 20]})
    with pytest.raises(cv.FitError, match="none of the 2 customers bought twice"):
        cv.BGNBD().fit(once)
    with pytest.raises(cv.FitError, match="too few for the Gamma-Gamma"):
        cv.GammaGamma().fit(once.assign(monetary_value=np.nan))


def test_impossible_rows_are_refused():
    wrong = pd.DataFrame({"customer_id": ["a"], "frequency": [2], "recency": [30], "T": [20]})
    with pytest.raises(cv.TableError, match="recency 30, T 20"):
        cv.BGNBD().fit(wrong)
    with pytest.raises(cv.TableError, match="needs the column 'T'"):
        cv.BGNBD().fit(wrong.drop(columns="T"))


def test_unfitted_models_say_so(sample_summary):
    with pytest.raises(cv.FitError, match="call .fit"):
        cv.BGNBD().probability_alive(sample_summary)
    with pytest.raises(ValueError, match="needs the parameters r, alpha, a, b"):
        cv.BGNBD.with_params(r=1.0)
    with pytest.raises(ValueError, match="a must be above 0"):
        cv.BGNBD.with_params(r=1.0, alpha=1.0, a=-1.0, b=1.0)


def test_heavy_tailed_spend_is_refused():
    model = cv.GammaGamma.with_params(p=2.0, q=0.9, v=10.0)
    row = pd.DataFrame({"customer_id": ["a"], "frequency": [1], "monetary_value": [5.0]})
    with pytest.raises(cv.FitError, match="not above 1"):
        model.expected_spend(row)


# -------------------------------------------------------------------------------------------- contracts


def contracts_of(survivors: list[int]) -> pd.DataFrame:
    lost = [pd.DataFrame({"renewals": [t] * (survivors[t] - survivors[t + 1]), "active": False})
            for t in range(len(survivors) - 1)]  # fmt: skip
    stayed = pd.DataFrame({"renewals": [len(survivors) - 1] * survivors[-1], "active": True})
    rows = pd.concat([*lost, stayed], ignore_index=True)
    return rows.assign(customer_id=rows.index.astype(str), plan="p", opportunities=7, price=1.0, period=12)


@pytest.mark.parametrize("name", ["regular", "high_end"])
def test_sbg_meets_fader_and_hardie(name, golden):
    gold = golden["sbg"][name]
    model = cv.ShiftedBetaGeometric().fit(contracts_of(gold["survivors"]))
    assert model.params_["alpha"] == pytest.approx(gold["alpha"], rel=1e-5)
    assert model.params_["beta"] == pytest.approx(gold["beta"], rel=1e-5)
    assert model.log_likelihood_ == pytest.approx(gold["log_likelihood"], abs=5e-5)
    np.testing.assert_allclose(model.survival(np.arange(8, 13)), gold["survival_8_to_12"], atol=5e-4)


def test_purchases_forever_meet_btyd(golden):
    gold = golden["paretonbd"]["dert"]
    model = cv.ParetoNBD.with_params(unit=WEEK, **gold["params"])
    customer = pd.DataFrame({"customer_id": ["a"], "frequency": [7], "recency": [245], "T": [7 * 77.86]})
    rate = np.exp(0.0027 * 365.25 / 7) - 1
    assert model.discounted_purchases_forever(customer, rate).item() == pytest.approx(gold["value"], rel=1e-7)
    assert model.probability_alive(customer).item() == pytest.approx(gold["p_alive"], rel=1e-6)
    far = model.discounted_purchases(customer, "150 years", rate).item()
    assert far == pytest.approx(gold["value"], rel=1e-3)


def test_more_purchases_can_make_a_silent_customer_look_more_lost(sample_summary):
    """The increasing-frequency paradox (FHL 2005, JMR): last purchase in week 20 of 39, ten to 25 purchases."""
    published = {"paretonbd": [0.7062289, 0.1442396, 0.02250658, 0.00309267],
                 "bgnbd": [0.3474606, 0.04283391, 0.004158973, 0.0003583685]}  # fmt: skip
    rounded = {"paretonbd": {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669},
               "bgnbd": {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}}  # fmt: skip
    rows = pd.DataFrame({"customer_id": list("abcd"), "frequency": [10, 15, 20, 25], "recency": 140, "T": 273})
    for name, values in published.items():
        model = MODELS[name].with_params(unit=WEEK, **rounded[name])
        np.testing.assert_allclose(model.expected_purchases(rows, "52 weeks"), values, rtol=2e-3)


@pytest.mark.parametrize("name", ["regular", "high_end"])
def test_bdw_meets_its_refit(name, golden):
    gold, rows = golden["bdw"][name], contracts_of(golden["sbg"][name]["survivors"])
    model = cv.BetaDiscreteWeibull().fit(rows)
    for parameter in ("alpha", "beta", "c"):
        assert model.params_[parameter] == pytest.approx(gold[parameter], rel=2e-5)
    assert model.log_likelihood_ == pytest.approx(gold["log_likelihood"], abs=5e-5)
    chosen = choose_renewal_model(rows)
    assert chosen.name == {"regular": "sBG", "high_end": "BdW"}[name]
    if "survival_8_to_12" in gold:
        np.testing.assert_allclose(model.survival(np.arange(8, 13)), gold["survival_8_to_12"], atol=5e-4)


def test_expected_payments(golden):
    survivors = golden["sbg"]["regular"]["survivors"]
    for values, key in ((survivors[:5], "five_values"), (survivors, "eight_values")):
        gold, model = golden["lifetimes"][key], cv.ShiftedBetaGeometric().fit(contracts_of(values))
        assert model.expected_lifetime(0.1) == pytest.approx(gold["del"], abs=5e-5)
        got = [model.expected_lifetime(0.1, renewals=k) for k in range(5)]
        np.testing.assert_allclose(got, gold["derl"], atol=6e-5)


def test_bdw_is_sbg_at_one():
    one = cv.BetaDiscreteWeibull.with_params(alpha=0.7, beta=1.2, c=1.0)
    two = cv.ShiftedBetaGeometric.with_params(alpha=0.7, beta=1.2)
    np.testing.assert_allclose(one.survival(np.arange(30)), two.survival(np.arange(30)), rtol=1e-12)
    np.testing.assert_allclose(one.retention(np.arange(1, 30)), two.retention(np.arange(1, 30)), rtol=1e-12)


def test_wrong_values_in_circulation_stay_wrong(golden):
    model = cv.ShiftedBetaGeometric().fit(contracts_of(golden["sbg"]["regular"]["survivors"]))
    assert abs(model.params_["alpha"] - golden["wrong"]["pymc_marketing_test_alpha"]["value"]) > 0.01


def test_sbg_finds_the_truth_of_its_simulation():
    truth = cv.ShiftedBetaGeometric.with_params(alpha=0.9, beta=5.0)
    drawn = truth.simulate(20_000, 24, seed=1)
    rows = drawn.assign(customer_id=drawn.index.astype(str), plan="p", opportunities=24, price=1.0, period=1)
    model = cv.ShiftedBetaGeometric().fit(rows)
    z = (np.log(model.params_) - np.log(truth.params_)) / (model.standard_errors_ / model.params_)
    assert (z.abs() < 3).all()


def test_sbg_needs_losses():
    rows = pd.DataFrame({"customer_id": ["a"], "plan": "p", "renewals": [3], "opportunities": [3], "active": [True],
                         "price": [1.0], "period": [1]})  # fmt: skip
    with pytest.raises(cv.FitError, match="cannot be told yet"):
        cv.ShiftedBetaGeometric().fit(rows)


def test_expected_purchases_by_frequency(golden):
    """BTYD's DERT for 1 to 10 purchases, the last in week 20 of 77.86: who bought often and then no more is gone."""
    gold = golden["paretonbd"]["dert"]
    model = cv.ParetoNBD.with_params(unit=WEEK, **gold["params"])
    rows = pd.DataFrame({"customer_id": [str(k) for k in range(1, 11)], "frequency": np.arange(1, 11), "recency": 140.0,
                         "T": 77.86 * 7})  # fmt: skip
    found = model.discounted_purchases_forever(rows, float(np.expm1(0.0027 * 365.25 / 7)))
    published = [1.579, 1.6122, 1.2077, 0.7449, 0.4059, 0.2042, 0.0975, 0.0448, 0.02, 0.0088]
    np.testing.assert_allclose(found, published, atol=6e-4)


def test_without_drop_out_it_is_the_plain_nbd(sample_summary):
    """CDNOW sample, refit: r .3847661, alpha 12.0720227 weeks, LL -9763.65761, far below every model with drop-out."""
    nbd = cv.BGNBD.with_params(r=0.3847661, alpha=12.0720227 * 7, a=1e-12, b=1.0)
    data = Triples.of(sample_summary["frequency"], sample_summary["recency"], sample_summary["T"])
    value = float(oracles.bgnbd(*nbd.params_.to_numpy(), data)[0].sum())
    assert value + sample_summary["frequency"].sum() * np.log(7) == pytest.approx(-9763.65761, abs=1e-3)


def test_mean_spend_and_first_weeks(sample_summary, golden):
    """Fitted mean spend 35.17 (note 025); new customers' purchases in weeks 0 to 9, lifetimes' test of Pareto/NBD, to 0.01."""
    money = cv.GammaGamma().fit(sample_summary)
    p, q, v = (money.params_[k] for k in ("p", "q", "v"))
    assert p * v / (q - 1) == pytest.approx(35.171, abs=0.002)
    gold = golden["paretonbd"]["params"]
    model = cv.ParetoNBD.with_params(unit=WEEK, **gold)
    weeks = [0.05077821, 0.09916088, 0.14542507, 0.18979930, 0.23247466, 0.27361274, 0.31335159, 0.35181024, 0.38909211]
    assert [model.expected_purchases_new(f"{k} weeks") for k in range(1, 10)] == pytest.approx(weeks, abs=0.01)


# ------------------------------------------------------------------------------------- what makes it fast


def many(customers: int, seed: int = 3) -> pd.DataFrame:
    """Histories of so many customers who join over a year, as Pareto/NBD has them: hardly two share one."""
    rng = np.random.default_rng(seed)
    T = rng.integers(365, 730, customers)
    active = np.minimum(rng.exponential(1 / np.maximum(rng.gamma(0.6, 1 / 80, customers), 1e-12)), T)
    x = rng.poisson(rng.gamma(0.55, 1 / 40, customers) * active)
    t_x = np.where(x > 0, np.ceil(active * rng.beta(np.maximum(x, 1), 1.0)), 0).astype(int)
    return pd.DataFrame({"customer_id": [str(k) for k in range(customers)], "frequency": x, "recency": t_x, "T": T})


@pytest.mark.parametrize(("model", "by_row"), [(cv.BGNBD, oracles.bgnbd), (cv.MBGNBD, oracles.mbgnbd)])
def test_sums_over_columns_are_the_sums_of_the_papers_likelihood(model, by_row):
    rows = collapse(many(3000))
    data, n = Triples.of(*(rows[k] for k in ("frequency", "recency", "T"))), rows["n"].to_numpy(float)
    one = model()
    for theta in ([0.5, 40.0, 0.8, 2.0], [3.0, 400.0, 0.05, 0.4], [0.02, 1.0, 6.0, 30.0]):
        value, gradient = by_row(*theta, data)
        total, slope = one._total(np.array(theta), data, n)
        assert one._total(np.array(theta), data, n, slope=False)[0] == total
        assert total == pytest.approx(float(n @ value), rel=1e-12)
        np.testing.assert_allclose(slope, gradient @ n, rtol=1e-10, atol=1e-8 * n.sum())


@pytest.mark.parametrize("model", [cv.BGNBD, cv.MBGNBD, cv.ParetoNBD])
def test_a_search_that_sets_out_from_a_sample_ends_at_the_same_maximum_in_few_steps(model, monkeypatch):
    summary = many(40_000)
    near = model().fit(summary)
    monkeypatch.setattr(base, "_FEW", len(summary))
    far = model().fit(summary)
    assert near.log_likelihood_ == pytest.approx(far.log_likelihood_, rel=1e-12)
    pd.testing.assert_series_equal(near.params_, far.params_, rtol=1e-6)
    pd.testing.assert_series_equal(near.standard_errors_, far.standard_errors_, rtol=1e-4)
    assert near._fitted().evaluations < far._fitted().evaluations
    assert near._fitted().evaluations <= 24


def test_whole_days_are_put_together_as_fractions_are(monkeypatch):
    """One number for a history, by a table of places or by a sort, gives what pandas gives."""
    summary = many(2000).sample(frac=1, random_state=1)
    slow = summary.astype({"T": object})  # what is no number is left to pandas
    pd.testing.assert_frame_equal(collapse(summary), collapse(slow).astype({"T": "int64"}))
    half = collapse(summary.assign(T=summary["T"] + 0.5))
    assert half["n"].tolist() == collapse(summary)["n"].tolist()

    model = cv.MBGNBD.with_params(r=0.6, alpha=120.0, a=0.8, b=2.0)
    alive = model.probability_alive(summary)
    x, t_x, T = (summary[k].to_numpy(float) for k in ("frequency", "recency", "T"))
    np.testing.assert_allclose(alive, mbgnbd.probability_alive(0.6, 120.0, 0.8, 2.0, x, t_x, T), rtol=1e-12)
    assert alive.index.equals(summary.index)
    monkeypatch.setattr(histories, "_LOOKED_UP", 0)
    pd.testing.assert_series_equal(model.probability_alive(summary), alive)


@pytest.mark.parametrize(
    ("model", "file", "life"),
    [(cv.ParetoNBD, paretonbd, paretonbd.pareto), (cv.GGompertzNBD, ggompertznbd, ggompertznbd.gompertz)],
)
def test_sums_over_a_grid_are_the_sums_of_the_likelihood(model, file, life):
    """The integral over the time of death: sums where nothing vanishes on a common scale, else each row in logarithms."""
    often = pd.DataFrame(
        {"frequency": [250, 900], "recency": [300, 690], "T": [560, 700]}
    )  # as one customer in a million does
    rows = collapse(pd.concat([many(30_000), often], ignore_index=True))
    data, n = Triples.of(*(rows[k] for k in ("frequency", "recency", "T"))), rows["n"].to_numpy(float)
    plain = {(0.5, 40.0, 0.6, 80.0): True, (3.0, 400.0, 0.05, 2000.0): True, (1e-5, 40.0, 1e-5, 1e7): True,
             (400.0, 1.0, 0.6, 80.0): False, (0.5, 40.0, 400.0, 1.0): False}  # fmt: skip
    for given, expected in plain.items():
        theta = np.array([*given, 0.002][: len(model.parameters)])
        grid = lifetimes._Grid.of(*given[:2], life(*theta[2:]), data)
        assert grid.is_plain is expected
        value, gradient = file.log_likelihood(*theta, data)
        sums = [model()._total(theta, data, n)]
        if expected:
            sums.append(lifetimes._sum_on_grid(*given[:2], life(*theta[2:]), data, n, grid, True))
            assert lifetimes._sum_on_grid(*given[:2], life(*theta[2:]), data, n, grid, False)[0] == sums[-1][0]
        for total, slope in sums:
            assert total == pytest.approx(float(n @ value), rel=1e-12)
            np.testing.assert_allclose(slope, gradient @ n, rtol=1e-9, atol=1e-10 * n.sum())


def test_a_fit_of_many_takes_the_grid_and_their_intervals_no_simulation(monkeypatch):
    """What would take ten times as long is not asked."""

    def never(*given, **named):
        raise AssertionError("asked for what takes long")

    summary = many(40_000).query("frequency < 10").assign(monetary_value=30.0)
    monkeypatch.setattr(lifetimes, "_ended_by_cell", never)
    pareto = cv.ParetoNBD().fit(summary)
    assert pareto._fitted().evaluations <= 24
    monkeypatch.setattr(base.TransactionModel, "simulate_purchases", never)
    model, economics = cv.MBGNBD().fit(summary), cv.Economics(margin=0.4, horizon="1 year")
    assert (cv.clv_table(summary, model, 30.0, economics)["clv_high"] >= 0).all()
    with pytest.raises(AssertionError, match="takes long"):
        cv.clv_table(summary, pareto, 30.0, economics)


def test_a_row_by_itself_and_cells_in_logarithms_agree(monkeypatch):
    data = Triples.of([0, 1, 3, 9], [0, 20, 300, 310], [364, 30, 300, 350])
    for life in (paretonbd.pareto(0.6, 80.0), paretonbd.pareto(4.0, 3.0), ggompertznbd.gompertz(0.6, 80.0, 0.002)):
        monkeypatch.setattr(lifetimes, "_cell_work", lambda data: 10**9)
        one, means = lifetimes.ended(0.5, 40.0, life, data, means=True)
        monkeypatch.setattr(lifetimes, "_cell_work", lambda data: 0)
        other, same = lifetimes.ended(0.5, 40.0, life, data, means=True)
        np.testing.assert_allclose(one, other, rtol=1e-9)
        np.testing.assert_allclose(means, same, rtol=1e-7)
