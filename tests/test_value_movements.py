"""MRR movements against an independent count, day by day and customer by customer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvnb as cv

AS_OF = pd.Timestamp("2024-12-10")
MOVES = ["new", "expansion", "contraction", "churn", "reactivation"]


def random_contracts(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 720, n), unit="D")
    end = start + pd.to_timedelta(rng.integers(1, 400, n), unit="D")
    return pd.DataFrame(
        {
            "customer_id": rng.integers(0, n // 3, n).astype(str),
            "start": start,
            "end": pd.Series(end).where(rng.random(n) < 0.7),
            "price": rng.choice([9.99, 19.95, 190.0], n),
            "plan": rng.choice(["basic", "pro"], n),
            "billing": rng.choice(["monthly", "annual"], n),
        }
    )


def day_by_day(contracts: pd.DataFrame) -> pd.DataFrame:
    """Every evening's MRR of every customer from the rows themselves, and what changed since the evening before."""
    moved: dict[tuple[pd.Timestamp, str], float] = {}
    for _, rows in contracts.groupby("customer_id"):
        begun, over = rows["start"].to_numpy(), rows["end"].fillna(pd.Timestamp("2100-01-01")).to_numpy()
        per_month = (rows["price"] / rows["billing"].map({"monthly": 1, "annual": 12})).to_numpy()
        before, ever = 0, False
        for day in pd.date_range("2022-12-31", AS_OF):
            now = round(float(per_month[(begun <= day.to_numpy()) & (over > day.to_numpy())].sum()), 6)
            if now != before:
                kind = ("reactivation" if ever else "new") if before == 0 else "churn" if now == 0 else None
                kind = kind or ("expansion" if now > before else "contraction")
                key = (day.to_period("M").to_timestamp(), kind)
                moved[key] = moved.get(key, 0.0) + now - before
                before, ever = now, True
    return pd.Series(moved).unstack().reindex(columns=MOVES).fillna(0.0)


@pytest.mark.parametrize("seed", [1, 2])
def test_movements_are_those_counted_day_by_day(seed):
    contracts = random_contracts(30, seed)
    table = cv.mrr_movements(cv.spells(contracts, as_of=AS_OF, grace=0), as_of=AS_OF).set_index("month")
    by_hand = day_by_day(contracts).reindex(table.index).fillna(0.0)
    np.testing.assert_allclose(table[MOVES], by_hand, atol=1e-4)
    assert all((by_hand[kind] != 0).any() for kind in MOVES)


def test_every_month_adds_up_and_ends_with_what_runs():
    contracts = random_contracts(3000, 3)
    spells = cv.spells(contracts, as_of=AS_OF)
    table = cv.mrr_movements(spells, as_of=AS_OF)
    np.testing.assert_allclose(table["opening"] + table[MOVES].sum(axis=1), table["closing"], atol=0.005)
    assert (table["opening"].iloc[1:].to_numpy() == table["closing"].iloc[:-1].to_numpy()).all()
    running = spells[spells["status"] == "running"]
    assert table["closing"].iloc[-1] == pytest.approx(
        (running["price"] * running["quantity"] / running["period"]).sum()
    )
    assert table["customers_closing"].iloc[-1] == running["customer_id"].nunique()
    assert (table[["contraction", "churn"]] <= 0).all().all()
    assert (table[["new", "expansion", "reactivation"]] >= 0).all().all()


def test_a_known_end_and_a_later_start_are_no_movement_yet():
    contracts = pd.DataFrame({"customer_id": ["a", "b"], "price": 10.0, "start": pd.to_datetime(["2024-11-01", "2025-01-01"]),
                              "end": pd.to_datetime(["2025-02-01", None])})  # fmt: skip
    table = cv.mrr_movements(cv.spells(contracts, as_of=AS_OF), as_of=AS_OF)
    assert table[["churn", "closing", "customers_closing"]].iloc[-1].tolist() == [0, 10, 1]


def test_rates_by_hand():
    """a and b open January with 10 each; in February a rises to 15 and b leaves; in March b is back at 10."""
    contracts = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b", "b"],
            "price": [10.0, 15.0, 10.0, 10.0],
            "start": pd.to_datetime(["2024-01-05", "2024-02-05", "2024-01-05", "2024-03-15"]),
            "end": pd.to_datetime(["2024-02-05", None, "2024-02-05", None]),
        }
    )
    rates = cv.mrr_rates(cv.mrr_movements(cv.spells(contracts, as_of="2024-03-31"), as_of="2024-03-31")).set_index(
        "month"
    )
    assert rates.loc["2024-02-01", ["nrr", "grr", "logo_churn", "quick_ratio", "arpa"]].tolist() == [
        0.75,
        0.5,
        0.5,
        0.5,
        15,
    ]
    assert rates.loc["2024-03-01", ["nrr", "grr", "logo_churn", "arpa"]].tolist() == [1, 1, 0, 12.5]
    assert rates.loc["2024-01-01", ["nrr", "grr"]].isna().all()


def test_a_report_says_and_draws_what_moved():
    """Step 1 of a subscription: the table adds up, the sentence holds its figures, the picture has every kind that there was."""
    contracts = random_contracts(600, 4)
    movements = cv.mrr_movements(cv.spells(contracts, as_of=AS_OF), as_of=AS_OF)
    ax = cv.plots.plot_mrr(movements)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "new", "upgrades, higher prices", "returned", "downgrades", "left"]  # fmt: skip
    assert len(ax.patches) == 5 * 24
    step = cv.value_step(cv.load_sample("subscription"))
    year, words = step.mrr.tail(12), step.client.words
    assert year["customers_closing"].iloc[-1] == (step.customers["p_alive"] > 0).sum()
    said = step.recurring.text
    for money in (year["closing"].iloc[-1], year["new"].sum(), -year["churn"].sum()):
        assert words.money(money) in said
    kept = 1 + (year["churn"].sum() + year["contraction"].sum()) / year["opening"].sum()
    assert f"{words.share(kept, digits=1)} of the month before" in said
    assert step.recurring.table["month"].is_monotonic_decreasing
    assert step.coming.text == ""  # that sentence is a shop's


def test_a_shop_has_no_recurring_revenue():
    step = cv.value_step(cv.load_sample("cdnow"))
    assert step.mrr.empty
    assert step.recurring.text == ""
    assert "Only subscriptions" in cv.plots.plot_mrr(step.mrr).figure.clvnb_alt
