"""What more satisfaction is worth in a shop, against the same customers followed purchase by purchase with and without it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

import clvnb as cv

HALF, YEAR, HISTORY = 182.625, 365.25, 540.0
RATE = 0.1


@dataclass
class Shop:
    """Customers who leave after a purchase, the less often the happier they are; nothing else depends on the score."""

    rng: np.random.Generator
    score: np.ndarray
    pace: np.ndarray
    at_rest: float  # log-odds to leave at a score of 3.5
    slope: float

    @classmethod
    def of(cls, seed: int, slope: float, at_rest: float, n: int) -> Shop:
        rng = np.random.default_rng([31, seed])
        return cls(rng, np.clip(np.round(rng.normal(3.6, 0.9, n)), 1, 5), rng.gamma(1.1, 1 / 75, n), at_rest, slope)

    def follow(self, there: np.ndarray, days: float, more: float = 0.0) -> tuple[list, np.ndarray]:
        """Purchases as (customers, days), and who is still there at the end."""
        leaves = 1 / (1 + np.exp(-(self.at_rest - self.slope * (self.score + more - 3.5))))
        active, clock, bought = there.copy(), np.zeros(len(there)), []
        gone = ~there
        while active.any():
            at = np.flatnonzero(active)
            clock[at] += self.rng.exponential(1 / self.pace[at])
            over = clock[at] > days
            active[at[over]] = False
            own = at[~over]
            bought.append((own, clock[own].copy()))
            left = own[self.rng.random(len(own)) < leaves[own]]
            active[left], gone[left] = False, True
        return bought, ~gone


def worth(bought: list, n: int) -> np.ndarray:
    """One unit a purchase, discounted."""
    value = np.zeros(n)
    for who, day in bought:
        np.add.at(value, who, (1 + RATE) ** (-day / YEAR))
    return value


def gain(
    seed: int, slope: float, at_rest: float, n: int = 20_000, repeats: int = 10
) -> tuple[float, float, float, float]:
    """By the scenario with its range, and in truth, for 0.2 points more of everybody who was asked."""
    shop = Shop.of(seed, slope, at_rest, n)
    bought, there = shop.follow(np.ones(n, bool), HISTORY)
    last, orders = np.zeros(n), np.ones(n)
    for who, day in bought:
        last[who] = day
        orders[who] += 1
    asked = np.flatnonzero(HISTORY - last <= HALF)
    summary = pd.DataFrame(
        {"customer_id": np.arange(n).astype(str), "frequency": orders - 1, "recency": last, "T": HISTORY}
    )
    active = cv.MBGNBD().fit(summary).probability_alive(summary).to_numpy()
    ahead, _ = shop.follow(there, 3 * YEAR)
    again, halves = np.zeros(n, bool), np.zeros((n, 6))
    for who, day in ahead:
        again[who[day <= HALF]] = True
        np.add.at(halves, (who, np.minimum(day // HALF, 5).astype(int)), 1)
    rows = pd.DataFrame({"customer_id": asked, "score": shop.score[asked], "stayed": again[asked], "active": active[asked],
                         "recency": (HISTORY - last)[asked], "frequency": orders[asked], "tenure": HISTORY})  # fmt: skip
    link = cv.link_satisfaction(rows, window=HALF, gone="had not bought again", causal_share=1.0)
    by_half = halves[asked].mean(axis=0)
    fade = -np.log(by_half[3:].sum() / by_half[:3].sum()) / 1.5
    plain, happier = (
        np.mean([worth(shop.follow(there, 3 * YEAR, more)[0], n)[asked].mean() for _ in range(repeats)])
        for more in (0.0, 0.2)
    )
    row = {"segment": ["all"], "customers": len(asked), "active": there[asked].mean(), "retention": np.exp(-fade), "basket": 1.0,
           "frequency": by_half[:3].sum() * fade / (there[asked].mean() * (1 - np.exp(-1.5 * fade))), "margin": 1.0,
           "cost_to_serve": 0.0, "clv": plain}  # fmt: skip
    base = cv.improve.Base(pd.DataFrame(row), horizon="3 years", discount_rate=RATE)
    lever = cv.Lever("x", {"satisfaction": (0.2, 0.2, 0.2)}, ramp_up=0.0, lasts=3.0)
    found = cv.evaluate_scenarios(base, [cv.Scenario("x", (lever,))], link=link).table.iloc[0]
    return (*(float(found[c]) / len(asked) for c in ("gain", "gain_low", "gain_high")), float(happier - plain))


WORLDS = [(0.45, -1.6), (0.8, -1.2), (0.45, -2.5)]


def test_a_scenario_gains_what_the_same_customers_do():
    found = np.array([gain(seed, *world) for seed, world in enumerate(WORLDS)])
    assert found[:, 0].sum() == pytest.approx(found[:, 3].sum(), rel=0.2)  # before: two thirds to half of it


@pytest.mark.slow
def test_a_scenario_gains_what_the_same_customers_do_in_many_worlds():
    for world in WORLDS:
        found = np.array([gain(seed, *world, repeats=20) for seed in range(12)])
        inside = np.mean((found[:, 1] <= found[:, 3]) & (found[:, 3] <= found[:, 2]))
        assert inside >= 0.5, (world, inside)  # the truth has an error of its own, as large as half the range
        assert found[:, 0].mean() == pytest.approx(found[:, 3].mean(), rel=0.15)
