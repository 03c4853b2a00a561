"""Ways to fool a verdict, each in a world where nothing worked: how often something is said to have worked.

The worlds are written here, by no code of the package. A few runs of each in every test, 400 in ``make test-slow``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import clvnb as cv
from clvnb.experiments.planning import draw

SHARE = cv.Outcome("satisfied", of="answers")
MONEY = cv.Outcome("spend", "money", 1.0)
FIRST = 2027


def frame(group: np.ndarray, value: np.ndarray, **more) -> pd.DataFrame:
    return pd.DataFrame({"customer_id": np.arange(len(value)), "group": group, "value": value} | more)


def two(n: int, share: float = 0.5) -> np.ndarray:
    return np.where(np.arange(n) < round(share * n), "treated", "holdout")


def said(world: Callable, runs: int, claim: Callable[[cv.Verdict], bool]) -> float:
    """How often something is claimed."""
    return float(np.mean([claim(world(np.random.default_rng([FIRST, k]))) for k in range(runs)]))


def moved(v: cv.Verdict) -> bool:
    return v.verdict in {"improved", "worsened"}


def unhappy_stay_silent(factor: float, n: int = 2000) -> Callable:
    """Half of all answer; of the treated who are unhappy fewer do."""

    def world(rng):
        group, happy = two(n), rng.random(n) < 0.7
        silent = (group == "treated") & ~happy
        answers = rng.random(n) < np.where(silent, 0.5 * factor, 0.5)
        return cv.measure_change(frame(group, np.where(answers, happy, np.nan)), SHARE, randomised=True)

    return world


def unequal_money(n: int, share: float = 0.9, sigma: float = 2.0) -> Callable:
    return lambda rng: cv.measure_change(frame(two(n, share), rng.lognormal(3, sigma, n)), MONEY, randomised=True)


def ordinary_shop(n: int) -> Callable:
    """Purchases by NBD, spend by customers' own means, held against the half year before."""

    def world(rng):
        rate, mean = rng.gamma(0.8, 1.6, n), 30 * rng.lognormal(0, 0.8, n)
        parts = []
        for period in (0, 1):
            orders = rng.poisson(rate)
            value = np.array([rng.gamma(2, m / 2, k).sum() for m, k in zip(mean, orders, strict=True)])
            parts.append(frame(two(n, 0.9), value, period=period))
        return cv.measure_change(pd.concat(parts), MONEY, randomised=True)

    return world


def by_store(within: float, stores: int = 40, each: int = 40) -> Callable:
    """Stores were drawn, and customers of one store resemble each other."""

    def world(rng):
        store = np.repeat(np.arange(stores), each)
        drawn = rng.permutation(stores) < stores // 2
        value = 50 + 20 * (
            np.sqrt(within) * rng.normal(size=stores)[store] + np.sqrt(1 - within) * rng.normal(size=len(store))
        )
        group = np.where(drawn[store], "treated", "holdout")
        return cv.measure_change(frame(group, value, cluster=store), MONEY, randomised=True)

    return world


def picked(weaker: float, n: int = 1000) -> Callable:
    """A group that was picked, weaker by so many standard deviations, is declared a holdout; its history shows it."""

    def world(rng):
        group = two(n)
        own = rng.normal(size=n) - weaker * (group == "holdout")
        known = pd.DataFrame({f"known {k}": own + 0.7 * rng.normal(size=n) for k in range(3)})
        return cv.measure_change(
            frame(group, own + rng.normal(size=n)), cv.Outcome("spend", "money", 0.05), known=known, randomised=True
        )

    return world


def weekly(shape: str, before: int, after: int, season: float = 0.0) -> Callable:
    def world(rng):
        t = np.arange(before + after)
        base = {"faster": 1000 + 0.06 * t**2, "slower": 1000 + 400 * (1 - np.exp(-t / 30)),
                "season": 1000 * (1 + 0.2 * np.sin(2 * np.pi * (t / 52 + rng.random())))}[shape]  # fmt: skip
        data = pd.DataFrame({"value": base + rng.normal(0, 40, len(t)), "after": t >= before})
        return cv.measure_change(data, cv.Outcome("sales", "money", 20.0), season=season)

    return world


def low_scorers(rng, *, chosen: bool | None = None) -> cv.Verdict:
    own = rng.normal(size=4000)
    first, second = own + rng.normal(size=4000), own + rng.normal(size=4000)
    low = np.flatnonzero(first < -1)
    rows = [pd.DataFrame({"customer_id": low, "period": p, "value": v[low]}) for p, v in ((0, first), (1, second))]
    return cv.measure_change(pd.concat(rows), cv.Outcome("score", "score", 0.1), chosen=chosen)


WORLDS = {
    "unhappy answer .8 as often": (unhappy_stay_silent(0.8), moved, 0.06),
    "unhappy answer .6 as often": (unhappy_stay_silent(0.6), moved, 0.06),
    "unhappy answer .4 as often": (unhappy_stay_silent(0.4), moved, 0.06),
    "unequal money, 300": (unequal_money(300), moved, 0.06),
    "unequal money, 5,000": (unequal_money(5000), moved, 0.06),
    "a shop of 300": (ordinary_shop(300), moved, 0.06),
    "a shop of 1,000": (ordinary_shop(1000), moved, 0.06),
    "stores, correlation .02": (by_store(0.02), moved, 0.06),
    "stores, correlation .05": (by_store(0.05), moved, 0.06),
    "picked, .15 sd weaker": (picked(0.15), lambda v: v.causal, 0.10),
    "picked, .3 sd weaker": (picked(0.3), lambda v: v.causal, 0.06),
    "growth speeds up": (weekly("faster", 52, 26), moved, 0.10),
    "growth slows down": (weekly("slower", 52, 26), moved, 0.06),
    "a season, 40 weeks before": (weekly("season", 40, 20, season=52.18), moved, 0.06),
    "low scorers were chosen": (low_scorers, moved, 0.06),
}


@pytest.mark.parametrize("name", WORLDS)
def test_nothing_worked_and_hardly_ever_is_it_said_to_have(name):
    world, claim, most = WORLDS[name]
    runs = 20
    assert said(world, runs, claim) <= most + 2.3 * np.sqrt(most * (1 - most) / runs)


@pytest.mark.slow
@pytest.mark.parametrize("name", WORLDS)
def test_nothing_worked_in_many_runs(name):
    world, claim, most = WORLDS[name]
    assert said(world, 400, claim) <= most + 1.65 * np.sqrt(most * (1 - most) / 400)


def four_initiatives(rng) -> bool:
    """Four initiatives, three outcomes each, correlated within one; nothing worked."""
    verdicts, primary = [], []
    for k in range(4):
        shared = rng.normal()
        for j in range(3):
            z = 0.6 * shared + 0.8 * rng.normal()
            change = cv.experiments.Change("A", 10.0, 10.0 + z, z, 1.0, 1000)
            verdicts.append(cv.experiments.judge(change, cv.Outcome(f"{k} {j}", "money", 0.5)))
            primary.append(j == 0)
    return any(v.causal for v in cv.experiments.false_discoveries(verdicts, primary=primary))


def test_one_of_many_outcomes_is_not_called_caused_by_chance():
    runs = [four_initiatives(np.random.default_rng([FIRST, k])) for k in range(1000)]
    assert np.mean(runs) <= 0.06


def test_what_was_declared_beforehand_keeps_most_of_its_power():
    def found(primary: bool) -> float:
        rng, hits = np.random.default_rng(FIRST), 0
        for _ in range(400):
            changes = [
                cv.experiments.Change("A", 0.0, z, z, 1.0, 1000) for z in np.r_[rng.normal(2.8), rng.normal(size=11)]
            ]
            verdicts = [cv.experiments.judge(c, cv.Outcome("m", "money", 0.5)) for c in changes]
            first = [k % 3 == 0 for k in range(12)] if primary else None
            hits += cv.experiments.false_discoveries(verdicts, primary=first)[0].verdict == "improved"
        return hits / 400

    assert found(primary=True) > found(primary=False) + 0.1


def test_a_sound_draw_still_finds_what_is_there():
    """Ten per cent more money in three thousand customers: half and half finds it more often than nine in ten treated."""

    def world(share: float) -> Callable:
        def one(rng):
            group = two(3000, share)
            value = rng.lognormal(3, 1.0, 3000) * np.where(group == "treated", 1.1, 1.0)
            return cv.measure_change(frame(group, value), MONEY, randomised=True)

        return one

    even, lopsided = (said(world(s), 40, lambda v: v.verdict == "improved") for s in (0.5, 0.9))
    assert even > lopsided + 0.1


def test_who_is_chosen_for_a_low_score_gets_no_verdict_and_a_way_to_one():
    unsaid = low_scorers(np.random.default_rng(1))
    assert unsaid.verdict == "not_measurable"
    assert "say chosen=False" in unsaid.sentence
    assert "move back by themselves" in low_scorers(np.random.default_rng(1), chosen=True).sentence
    assert low_scorers(np.random.default_rng(1), chosen=False).verdict == "improved"


def test_missing_outcomes_are_counted_and_bound():
    rng = np.random.default_rng(4)
    value = rng.normal(50, 10, 200) + 3 * (two(200) == "treated")
    whole = cv.measure_change(frame(two(200), value), MONEY, randomised=True)
    value[7] = np.nan
    one = cv.measure_change(frame(two(200), value), MONEY, randomised=True)
    assert one.n == 199
    assert one.change == pytest.approx(whole.change, abs=0.5)
    assert (
        "known of 99% of the treated and 100% of the holdout"
        in [t.found for t in one.threats if t.check == "known of both alike"][0]
    )
    paired = cv.experiments.paired_change(np.r_[np.zeros(20), np.nan], np.arange(21.0))
    assert paired.n == 20
    assert "1 customers lack a value" in paired.threats[-1].found


def test_who_answers_is_not_taken_for_who_was_drawn():
    """The unhappy of one group stay silent, so that those who answered differ before the start; the draw was sound all the same."""
    rng = np.random.default_rng(3)
    group, before = two(4000), rng.normal(size=4000)
    happy = rng.random(4000) < 1 / (1 + np.exp(-2 * before))
    answers = rng.random(4000) < np.where((group == "treated") & ~happy, 0.1, 0.6)
    data, known = frame(group, happy.astype(float))[answers], pd.DataFrame({"before": before})
    found = cv.measure_change(data, SHARE, randomised=True, known=known, assigned=(2000, 2000))
    assert found.verdict == "no_evidence"
    assert "randomised" not in set(found.checks["check"])
    assert "Lee bounds" in found.checks.set_index("check").loc["known of both alike", "found"]


def test_lee_bounds_on_paper():
    """Six of eight treated and four of eight held out are known: a third of the treated is trimmed at either end."""
    treated, holdout = np.repeat([1.0, 2, 3, 4, 5, 6], 5), np.repeat([2.0, 3, 4, 5], 5)
    values, t = np.r_[treated, holdout], np.r_[np.ones(30, bool), np.zeros(20, bool)]
    found = cv.experiments.randomised_difference(values, t, assigned=(40, 40))
    assert [c.value for c in found.beside] == pytest.approx([2.5 - 3.5, 4.5 - 3.5])
    assert found.p_value == 1.0
    low, high = found.interval(1.96)
    assert low < -1
    assert high > 1


def test_a_permuted_range_is_students_where_values_are_normal():
    rng = np.random.default_rng(6)
    value, t = rng.normal(size=400), np.arange(400) < 200
    found = cv.experiments.randomised_difference(value, t)
    from scipy import stats

    own = stats.ttest_ind(value[t], value[~t], equal_var=False)
    assert found.p_value == pytest.approx(own.pvalue, abs=0.02)
    assert found.interval(1.959964) == pytest.approx(own.confidence_interval(0.95), abs=0.02)
    shuffled = rng.permutation(400)
    again = cv.experiments.randomised_difference(value[shuffled], t[shuffled])
    assert again.interval(1.96) == pytest.approx(found.interval(1.96), rel=1e-12)


def test_a_change_cannot_be_larger_than_can_be():
    found = cv.experiments.judge(cv.experiments.Change("A", 0.5, 0.6, 0.1, 2.0, 30), cv.Outcome("stayed"))
    assert (found.low, found.high) == (-1.0, 1.0)
    points = cv.experiments.judge(cv.experiments.Change("F", 10, 20, 10.0, 150.0, 30), cv.Outcome("nps", "points", 5.0))
    assert (points.low, points.high) == (-200.0, 200.0)


def test_clusters_are_what_was_drawn():
    data = frame(two(200), np.arange(200.0), cluster=np.arange(200) // 40)
    found = cv.measure_change(data, MONEY, randomised=True)
    assert "has treated customers and held-out ones" in found.sentence
    few = frame(two(240), np.arange(240.0), cluster=np.arange(240) // 40)
    assert "3 treated and 3 held-out clusters are too few" in cv.measure_change(few, MONEY, randomised=True).sentence


def test_a_draw_is_the_customers_own_and_even():
    ids = [f"c{k}" for k in range(4000)]
    numbers = draw(ids, "faster replies", 1)
    assert (draw(ids[::-1], "faster replies", 1) == numbers[::-1]).all()
    assert abs(np.mean(numbers < 0.1) - 0.1) < 0.02
    assert abs(np.corrcoef(numbers, draw(ids, "vouchers", 1))[0, 1]) < 0.05
