"""Textbook arithmetic against worked and published numbers, and the mistakes that it must not make."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clvnb.core import maths
from clvnb.value import formulas as f


def test_kissmetrics_five_customers():
    """Kissmetrics' Starbucks example: mean of weekly values 24.30; the product of means is another number."""
    spend, visits = np.array([3.5, 8.5, 5, 6.5, 6]), np.array([4, 3, 5, 6, 3])
    weekly = (spend * visits).mean()
    assert weekly == pytest.approx(24.30)
    assert spend.mean() * visits.mean() == pytest.approx(24.78)
    assert (spend * visits).sum() / visits.sum() == pytest.approx(5.786, abs=5e-4)
    assert f.annualise(weekly, "week") == pytest.approx(1263.60)
    assert f.annualise(weekly, "week", exact=True) == pytest.approx(24.30 * 365.25 / 7)
    assert f.clv_basic(20, f.annualise(weekly, "week")) == pytest.approx(25_272)


def test_starbucks_lifetime_margin_is_refused():
    """Published: 5,382.94 x .75/(1.1-.75) = 11,534.86, lifetime margin in a yearly formula. Consistent: 576.74, 845.89."""
    wrong = 5382.94 * 0.75 / (1.1 - 0.75)
    assert wrong == pytest.approx(11_534.86, abs=0.02)
    yearly = 5382.94 / 20
    assert f.clv_retention(yearly, 0.75, 0.1, "next_if_retained") == pytest.approx(576.74, abs=0.01)
    assert f.clv_retention(yearly, 0.75, 0.1, "start_certain") == pytest.approx(845.89, abs=0.01)
    with pytest.raises(ValueError, match="give it one year's margin, 269.15"):
        f.refuse_lifetime_margin(5382.94, annual_margin=yearly, lifespan_years=20)


def test_simple_formula_and_its_identity():
    simple = f.clv_simple(120_000, 2_400, 800, 3, margin=0.4)
    assert (
        simple.customer_value == pytest.approx(simple.purchase_value * simple.purchase_frequency) == pytest.approx(150)
    )
    half = f.clv_simple(60_000, 1_200, 800, 3, window="6 months")
    assert half.customer_value == pytest.approx(150)
    assert math.isnan(f.clv_simple(0, 0, 0, 3).purchase_value)


@pytest.mark.parametrize(
    ("timing", "value"),
    [("start_certain", 366.667), ("next_if_retained", 266.667), ("end_of_period", 333.333), ("mid_period", 349.603)],
)
def test_retention_variants(timing, value):
    """m 100, r .8, d .1: Fader and Hardie (2012), note 024."""
    assert f.clv_retention(100, 0.8, 0.1, timing) == pytest.approx(value, abs=5e-4)


def test_retention_variants_relate_as_they_must():
    first, next_, due, end = (f.clv_retention(100, 0.8, 0.1, t) for t in f.TIMINGS[:4])
    assert first == pytest.approx(100 + next_)
    assert due == pytest.approx(next_ * 1.1)
    assert end == pytest.approx(first / 1.1)


@pytest.mark.parametrize(
    ("timing", "values"),
    [
        ("start_certain", {3: 225.620, 5: 292.063, 10: 351.488}),
        ("next_if_retained", {3: 164.087, 5: 212.410, 10: 255.627}),
    ],
)
def test_finite_horizons(timing, values):
    for periods, value in values.items():
        assert f.clv_retention(100, 0.8, 0.1, timing, periods=periods) == pytest.approx(value, abs=5e-4)
    assert f.clv_retention(100, 1.0, 0.0, "start_certain", periods=7) == 700


MULTIPLES = {0.10: (1.20, 1.75, 2.67, 4.50), 0.12: (1.15, 1.67, 2.50, 4.09), 0.14: (1.11, 1.59, 2.35, 3.75),
             0.16: (1.07, 1.52, 2.22, 3.46)}  # fmt: skip


@pytest.mark.parametrize("rate", sorted(MULTIPLES))
def test_margin_multiples_of_gupta_and_lehmann(rate):
    """Gupta and Lehmann (2003), Journal of Interactive Marketing 17(1), table of r/(1+i-r)."""
    got = [f.clv_retention(1, r, rate, "next_if_retained") for r in (0.6, 0.7, 0.8, 0.9)]
    np.testing.assert_allclose(got, MULTIPLES[rate], atol=5e-3)


def test_margin_growth_as_published():
    """Growth 4 %, i 12 %: 1.21, 1.79, 2.78, 4.89; their first margin has not grown yet, ours has."""
    published = [1.21, 1.79, 2.78, 4.89]
    got = [f.clv_retention(1, r, 0.12, "next_if_retained", growth=0.04) / 1.04 for r in (0.6, 0.7, 0.8, 0.9)]
    np.testing.assert_allclose(got, published, atol=6e-3)


def test_rates_are_turned_as_effective_ones():
    assert f.per_period(0.10, 12) == pytest.approx(0.0079741, abs=5e-8)
    assert f.per_period(0.10, 12) != pytest.approx(0.10 / 12, rel=1e-2)
    assert pytest.approx(0.6938, abs=5e-5) == 0.97**12


@pytest.mark.parametrize(
    ("keep", "forever", "year", "two"),
    [(0.80, 500, 465.64, 497.64), (0.85, 666.67, 571.84, 653.18), (0.90, 1000, 717.57, 920.23)],
)
def test_a_hundred_a_month(keep, forever, year, two):
    assert f.clv_retention(100, keep, 0.0, "start_certain") == pytest.approx(forever, abs=5e-3)
    assert f.clv_retention(100, keep, 0.0, "start_certain", periods=12) == pytest.approx(year, abs=5e-3)
    assert f.clv_retention(100, keep, 0.0, "start_certain", periods=24) == pytest.approx(two, abs=5e-3)


def test_one_average_retention_understates():
    """Half stay with .9, half with .5: by tenure the average rises, and 1/(1-.7) = 3.33 is far from the true mean of 6."""
    t = np.arange(7)
    alive = 0.5 * 0.9**t + 0.5 * 0.5**t
    np.testing.assert_allclose(alive[1:] / alive[:-1], [0.7, 0.7571, 0.8057, 0.8415, 0.8652, 0.8799], atol=5e-5)
    true = 0.5 * (f.clv_retention(1, 0.9, 0.0, "start_certain") + f.clv_retention(1, 0.5, 0.0, "start_certain"))
    assert true == pytest.approx(6.0)
    assert f.clv_retention(1, 0.7, 0.0, "start_certain") == pytest.approx(3.333, abs=5e-4)
    discounted = 0.5 * sum(f.clv_retention(1, r, 0.1, "start_certain") for r in (0.9, 0.5))
    assert discounted == pytest.approx(3.6667, abs=5e-5)
    assert f.clv_retention(1, 0.7, 0.1, "start_certain") == pytest.approx(2.75)


@pytest.mark.parametrize(
    ("timing", "values"),
    [("next_if_retained", (2.15, 2.67, 3.50, 5.09, 6.59)), ("start_certain", (1.15, 1.67, 2.50, 4.09, 5.59))],
)
def test_elasticities(timing, values):
    got = [f.elasticity(r, 0.12, timing) for r in (0.6, 0.7, 0.8, 0.9, 0.95)]
    np.testing.assert_allclose(got, values, atol=6e-3)
    step = [f.clv_retention(1, r, 0.12, timing) for r in (0.8, 0.8 * 1.0001)]
    assert (step[1] / step[0] - 1) / 1e-4 == pytest.approx(f.elasticity(0.8, 0.12, timing), rel=1e-3)


def test_payback_simple_and_with_leavers():
    assert f.payback(120, 30) == 4
    assert f.payback(120, 30, retention=0.95) == 5
    assert sum(30 * 0.95**k for k in range(5)) == pytest.approx(135.73, abs=5e-3)
    assert f.payback(600.01, 30, retention=0.95) == math.inf
    assert f.clv_retention(30, 0.95, 0.0, "start_certain") / 120 == pytest.approx(5.0)
    assert f.clv_retention(30, 0.95, 0.01, "start_certain") == pytest.approx(505)
    assert f.clv_retention(5, 0.8, 0.0, "start_certain") - 40 == pytest.approx(-15)


def test_annual_plan():
    """Monthly 10 at cost 2, keep .95; annual price 100 at cost 24; 10 % a year, five years."""
    monthly = f.clv_retention(8, 0.95, f.per_period(0.1, 12), "start_certain", periods=60)
    assert monthly == pytest.approx(135.11, abs=5e-3)
    for renewal, value in ((0.54, 145.03), (0.60, 159.13), (0.70, 187.19)):
        assert f.clv_retention(76, renewal, 0.1, "start_certain", periods=5) == pytest.approx(value, abs=5e-3)
    assert f.annual_billing_break_even(8, 0.95, 76, 0.1) == pytest.approx(0.4924, abs=5e-5)
    assert pytest.approx(0.5404, abs=5e-5) == 0.95**12
    assert f.annual_billing_break_even(8, 0.95, 1, 0.1) != f.annual_billing_break_even(8, 0.95, 1, 0.1)  # nan: never


def test_retention_gain_and_what_it_may_cost():
    gain = f.clv_retention(100, 0.82, 0.1, "start_certain") - f.clv_retention(100, 0.8, 0.1, "start_certain")
    assert gain == pytest.approx(26.19, abs=5e-3)
    assert pytest.approx(6.667, abs=5e-4) == 100 * (1 - (1.1 - 0.82) / (1.1 - 0.8))


def test_blattberg_and_deighton():
    best = f.optimal_acquisition_spend(200, 0.4, 0.1)
    rate = 0.4 * (1 - math.exp(-0.1 * best))
    assert best == pytest.approx(20.794, abs=5e-4)
    assert rate == pytest.approx(0.35)
    assert rate * 200 - best == pytest.approx(49.21, abs=5e-3)
    assert best / rate == pytest.approx(59.41, abs=5e-3)
    assert -math.log(1 - 0.10 / 0.4) / 5 == pytest.approx(0.05754, abs=5e-6)
    assert f.optimal_acquisition_spend(2, 0.4, 0.1) == 0


def test_migration_of_pfeifer_and_carraway():
    """Their set-up: d .2, NC 40, M 4, chances .3, .2, .15, .05 to buy by recency; a lapsed customer never returns."""
    p = [0.3, 0.2, 0.15, 0.05]
    P = np.zeros((5, 5))
    for k, chance in enumerate(p):
        P[k, 0], P[k, k + 1] = chance, 1 - chance
    P[4, 4] = 1
    R = np.array([40 - 4, -4, -4, -4, 0.0])
    np.testing.assert_allclose(f.clv_migration(P, R, 0.2), [52.320, 5.554, 1.251, -1.820, 0], atol=5e-4)
    np.testing.assert_allclose(f.clv_migration(P, R, 0.2, periods=4), [50.115, 4.220, 0.592, -1.980, 0], atol=5e-4)


def test_migration_of_segments():
    P = np.array([[0.6, 0.3, 0.1], [0.2, 0.6, 0.2], [0.05, 0.25, 0.7]])
    n = np.array([100, 200, 300])
    np.testing.assert_allclose(n @ P, [115, 225, 260])
    np.testing.assert_allclose(n @ P @ P, [127, 234.5, 238.5])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: f.clv_basic(-1, 10), "lifespan_years must not be below 0, got -1"),
        (lambda: f.clv_retention(100, 1.2, 0.1, "start_certain"), "retention must lie between 0 and 1, got 1.2"),
        (lambda: f.clv_retention(100, 1.0, 0.0, "start_certain"), "the sum has no end"),
        (lambda: f.clv_retention(100, 0.95, 0.05, "start_certain", growth=0.2), "the sum has no end"),
        (lambda: f.clv_retention(100, 0.8, 0.1, "whenever"), "timing must be one of"),
        (lambda: f.annualise(1, "fortnight"), "period must be one of"),
        (lambda: f.cac({"ads": -1}, 10), "cost of ads must not be below 0"),
        (lambda: f.clv_migration([[0.9, 0.3], [0, 1]], [1, 1], 0.1), "add up to 1 at most"),
        (lambda: maths.days("-3 years"), "is not a duration"),
        (lambda: maths.days(0), "longer than nothing"),
        (lambda: maths.annual_to_daily(-0.1), "must not be below 0"),
    ],
)
def test_impossible_arguments_name_themselves(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_moves_between_segments():
    """Worked example: 100, 200, 300 customers; after one period 115, 225, 260, after two 127, 234.5, 238.5; in the long run
    .2456, .4035, .3509.
    """
    moves = [[0.6, 0.3, 0.1], [0.2, 0.6, 0.2], [0.05, 0.25, 0.7]]
    assert f.segment_mix(moves, [100, 200, 300], periods=1) == pytest.approx([115, 225, 260])
    assert f.segment_mix(moves, [100, 200, 300], periods=2) == pytest.approx([127, 234.5, 238.5])
    assert f.segment_mix(moves, [1, 0, 0]) == pytest.approx([0.2456, 0.4035, 0.3509], abs=1e-4)
    with pytest.raises(ValueError, match="rows that sum to 1"):
        f.segment_mix([[0.5, 0.4], [0.5, 0.5]], [1, 1])


def test_activation_and_every_part_of_a_value_raised():
    """100 a month over a year, kept .92 where activated and .60 where not: .6 to .7 activated is 574.03 to 628.13.
    Three purchases of 50 at a margin of .4, kept .80, are worth 220; 3.3 of 52, kept .82, 269.657.
    """
    kept, lost = (f.clv_retention(100, r, 0.0, "start_certain", periods=12) for r in (0.92, 0.60))
    assert 0.6 * kept + 0.4 * lost == pytest.approx(574.03, abs=0.01)
    assert 0.7 * kept + 0.3 * lost == pytest.approx(628.13, abs=0.01)
    assert f.clv_retention(3 * 50 * 0.4, 0.80, 0.1, "start_certain") == pytest.approx(220)
    assert f.clv_retention(3.3 * 52 * 0.4, 0.82, 0.1, "start_certain") == pytest.approx(269.657, abs=1e-3)
