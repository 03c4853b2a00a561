"""Shops whose truth is known, followed order by order: the ranges of a report hold what their customers bring.

A customer buys at an own rate and may leave after each order, the first included; nothing here uses the package to simulate.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import clvnb as cv

START, KNOWN, AHEAD = pd.Timestamp("2022-01-01"), 730, 1095.75
MARGIN, RATE = 0.5, 0.1
DISCOUNT = np.log1p(RATE) / 365.25


@dataclass(frozen=True)
class World:
    """What a shop is like.

    Attributes
    ----------
    channels : dict of name to (rate, leaving)
        How much more often its customers buy, and how much more readily they leave, in logarithms.
    prices : float
        Rise a year.
    first : float
        A first order's money over a usual one.
    tied : float
        How far spend grows with the rate of buying.
    """

    channels: dict[str, tuple[float, float]]
    prices: float = 0.0
    first: float = 1.0
    tied: float = 0.0

    def orders(self, customers: int, seed: int) -> pd.DataFrame:
        """Five years of orders: ``customer_id, channel, day, amount``, one row a customer and day."""
        rng, rows = np.random.default_rng(seed), []
        for name, (faster, leaves) in self.channels.items():
            for k, day in enumerate(rng.uniform(0, KNOWN + AHEAD, int(customers * (KNOWN + AHEAD) / KNOWN))):
                rate, leave = rng.gamma(0.8, np.exp(faster) / 60), rng.beta(0.8 * np.exp(leaves), 2.5)
                level = 40 * (rate * 75) ** self.tied * rng.gamma(6, 1 / 6)
                for nth in range(10_000):
                    if day >= KNOWN + AHEAD:
                        break
                    money = level * rng.gamma(4, 1 / 4) * (1 + self.prices) ** (day / 365.25)
                    rows.append((f"{name}{k}", name, int(day), money * (self.first if nth == 0 else 1.0)))
                    if rng.random() < leave:
                        break
                    day += rng.exponential(1 / rate)
        found = pd.DataFrame(rows, columns=["customer_id", "channel", "day", "amount"])
        return found.groupby(["customer_id", "channel", "day"], as_index=False)["amount"].sum()

    def new_customer(self) -> float:
        """What a new customer is worth on average at the prices of the last known day, by following 300,000 of them."""
        rng, n = np.random.default_rng(1), 300_000 // len(self.channels)
        worth = []
        for faster, leaves in self.channels.values():
            rate, leave = rng.gamma(0.8, np.exp(faster) / 60, n), rng.beta(0.8 * np.exp(leaves), 2.5, n)
            unit = (
                MARGIN * 40 * (rate * 75) ** self.tied * rng.gamma(6, 1 / 6, n) * (1 + self.prices) ** (KNOWN / 365.25)
            )
            value, day, there = unit * self.first, np.zeros(n), rng.random(n) >= leave
            while there.any():
                day = np.where(there, day + rng.exponential(1, n) / rate, day)
                there &= day < AHEAD
                value = value + np.where(there, unit * np.exp(-DISCOUNT * day), 0.0)
                there &= rng.random(n) >= leave
            worth.append(value.mean())
        return float(np.mean(worth))


def report(orders: pd.DataFrame, folder: Path) -> cv.ValueStep:
    known = orders[orders["day"] < KNOWN]
    folder.mkdir(parents=True)
    known = known.assign(date=START + pd.to_timedelta(known["day"], unit="D"), amount=known["amount"].round(2))
    known[["customer_id", "date", "amount", "channel"]].to_csv(folder / "orders.csv", index=False)
    columns = ", ".join(f"{c}: {c}" for c in ("customer_id", "date", "amount", "channel"))
    (folder / "client.yaml").write_text(
        f"name: World\ncurrency: EUR\nas_of: {START + pd.Timedelta(days=KNOWN - 1):%Y-%m-%d}\n"
        f"transactions: {{source: orders.csv, columns: {{{columns}}}}}\n"
        f"economics: {{margin: {MARGIN}, discount_rate: {RATE}, horizon: 3 years}}\n",
        encoding="utf-8",
    )
    return cv.value_step(cv.Client.load(folder))


def came(orders: pd.DataFrame) -> pd.Series:
    """What customers known on the last day brought after it, by channel, discounted to it."""
    later = orders[(orders["day"] >= KNOWN) & (orders["day"] < KNOWN + AHEAD)]
    later = later[later["customer_id"].isin(orders.loc[orders["day"] < KNOWN, "customer_id"])]
    worth = MARGIN * later["amount"] * np.exp(-DISCOUNT * (later["day"] - KNOWN + 1))
    return worth.groupby(later["channel"]).sum()


ALL = {"all": (0.0, 0.0)}
WORLDS = {
    "two channels that differ": World({"good": (0.3, -0.3), "poor": (-0.3, 0.3)}),
    "prices rise by a tenth a year": World(ALL, prices=0.1),
    "first orders at half the price": World(ALL, first=0.5),
    "who buys often spends more": World(ALL, tied=0.3),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WORLDS)
def test_ranges_hold_what_customers_bring(name, tmp_path):
    """Twenty shops: the range of each channel's value, and of a new customer's, hold in 80 % or more."""
    world, held, new, errors = WORLDS[name], [], [], []
    truth = world.new_customer()
    for seed in range(20):
        orders = world.orders(3000 // len(world.channels), seed)
        step, brought = report(orders, tmp_path / str(seed)), came(orders)
        assert step.total is not None
        new.append(step.new_customer.low <= truth <= step.new_customer.high)
        held.append(step.total.low <= brought.sum() <= step.total.high)
        errors.append(step.total.value / brought.sum() - 1)
        for row in step.channels.itertuples() if len(world.channels) > 1 else ():
            held.append(row.clv_low <= brought[row.channel] / row.customers <= row.clv_high)
    print(f"{name}: held {np.mean(held):.2f}, new customers {np.mean(new):.2f}, mean error {np.mean(errors):+.3f}")  # noqa: T201
    assert np.mean(held) >= 0.8
    assert np.mean(new) >= 0.8
    assert abs(np.mean(errors)) < 0.15


@pytest.mark.slow
def test_ten_channels_that_do_not_differ_are_not_ranked(tmp_path):
    world, ratios = World({f"c{k}": (0.0, 0.0) for k in range(10)}), []
    for seed in range(10):
        step = report(world.orders(300, seed), tmp_path / str(seed))
        ratios.append(step.channels["new_customer"].max() / step.channels["new_customer"].min())
        assert "alike" in step.groups.text
    print(f"best over worst: median {np.median(ratios):.3f}, largest {max(ratios):.3f}")  # noqa: T201
    assert np.median(ratios) < 1.1
