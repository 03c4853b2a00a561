"""Contracts joined to spells and lives: by hand, and whatever way the same contracts are written."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clvnb as cv

AS_OF = "2025-06-20"
COLUMNS = ["customer_id", "start", "end", "price", "plan", "billing"]


def contracts_of(*rows: tuple) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.assign(start=pd.to_datetime(table["start"]), end=pd.to_datetime(table["end"]))


def one(*rows: tuple, as_of: str = AS_OF) -> pd.Series:
    people = cv.summarize_contracts(cv.check_contracts(contracts_of(*rows)).kept, as_of=as_of)
    assert len(people) == 1
    return people.iloc[0]


# ---------------------------------------------------------------------------------------------- by hand


def test_a_plan_change_is_one_life():
    row = one(
        ("a", "2023-01-10", "2025-01-10", 10, "basic", "monthly"), ("a", "2025-01-10", None, 20, "pro", "monthly")
    )
    assert (row["renewals"], row["active"], row["price"], row["plan"]) == (29, True, 20, "pro")


def test_an_ended_add_on_beside_a_running_contract_ends_nothing():
    row = one(
        ("b", "2023-01-10", None, 50, "main", "monthly"), ("b", "2024-06-10", "2024-09-10", 5, "add-on", "monthly")
    )
    assert (row["renewals"], row["active"], row["price"], row["plan"]) == (29, True, 50, "main")


def test_running_contracts_are_added_up():
    for begun in ("2024-06-10", "2023-01-10"):  # later, and on the same day
        row = one(("c", "2023-01-10", None, 50, "main", "monthly"), ("c", begun, None, 5, "main", "monthly"))
        assert (row["price"], row["active"]) == (55, True)


def test_a_return_after_a_lapse_keeps_the_renewal_that_was_lost():
    table = contracts_of(
        ("e", "2023-01-10", "2023-06-10", 10, "x", "monthly"), ("e", "2024-06-10", None, 10, "x", "monthly")
    )
    lives = cv.data.contract_lives(cv.spells(table, as_of=AS_OF), as_of=AS_OF)
    assert lives[["life", "renewals", "opportunities", "active"]].to_numpy().tolist() == [
        [1, 4, 5, False],
        [2, 12, 12, True],
    ]
    assert one(*table.itertuples(index=False, name=None))["first_date"] == pd.Timestamp("2023-01-10")


@pytest.mark.parametrize(
    ("start", "end", "billing", "renewals"),
    [
        ("2024-01-31", "2024-02-29", "monthly", 0),
        ("2024-01-31", "2024-04-30", "monthly", 2),
        ("2024-02-29", "2025-02-28", "annual", 0),
        ("2024-02-29", "2025-03-01", "annual", 1),
        ("2024-01-30", "2024-03-30", "monthly", 1),
        ("2024-01-31", "2024-01-31", "monthly", 0),
        ("2024-11-30", "2025-02-28", "quarterly", 0),
    ],
)
def test_month_ends_as_billing_systems_do(start, end, billing, renewals):
    row = one(("g", start, end, 10, "x", billing))
    assert (row["renewals"], row["opportunities"], row["active"]) == (renewals, renewals + 1, False)


def test_a_running_contract_renews_on_the_last_day_of_a_short_month():
    assert one(("g", "2024-01-31", None, 10, "x", "monthly"), as_of="2024-02-28")["renewals"] == 0
    assert one(("g", "2024-01-31", None, 10, "x", "monthly"), as_of="2024-02-29")["renewals"] == 1


def test_short_gaps_are_filled_and_long_ones_are_lapses():
    def written(gap: int) -> pd.DataFrame:
        again = pd.Timestamp("2024-03-10") + pd.Timedelta(days=gap)
        return cv.spells(
            contracts_of(("a", "2024-01-10", "2024-03-10", 10, "x", "monthly"), ("a", again, None, 10, "x", "monthly")),
            as_of=AS_OF,
            grace="14 days",
        )

    assert len(written(14)) == 1
    assert written(15)["status"].tolist() == ["ended", "running"]
    assert written(15)["life"].tolist() == [1, 2]


def test_a_known_end_is_kept_and_counted():
    row = one(("a", "2025-01-10", "2025-09-10", 10, "x", "monthly"))
    assert (row["active"], row["renewals"], row["renewals_left"]) == (True, 5, 2)
    assert one(("a", "2025-01-10", "2025-07-10", 10, "x", "monthly"))["renewals_left"] == 0
    assert np.isnan(one(("a", "2025-01-10", None, 10, "x", "monthly"))["renewals_left"])


def test_another_billing_period_is_another_life_and_no_loss():
    table = contracts_of(
        ("a", "2023-01-10", "2024-01-10", 10, "pro", "monthly"), ("a", "2024-01-10", None, 100, "pro", "annual")
    )
    found = cv.spells(table, as_of=AS_OF)
    assert found["status"].tolist() == ["changed", "running"]
    lives = cv.data.contract_lives(found, as_of=AS_OF)
    assert lives[["plan", "period", "renewals", "active"]].to_numpy().tolist() == [
        ["pro monthly", 1, 11, True],
        ["pro annual", 12, 1, True],
    ]
    assert one(*table.itertuples(index=False, name=None))["price"] == 100


def test_two_contracts_alike_are_a_quantity_and_seats_come_and_go():
    table = contracts_of(
        ("a", "2025-01-10", None, 10, "x", "monthly"), ("a", "2025-03-10", "2025-05-10", 10, "x", "monthly")
    )
    assert cv.spells(table, as_of=AS_OF)["quantity"].tolist() == [1, 2, 1]


def test_a_billing_that_is_not_known_is_refused():
    with pytest.raises(cv.TableError, match="'weekly' is not known"):
        cv.check_contracts(contracts_of(("a", "2025-01-10", None, 10, "x", "weekly")))


# ------------------------------------------------------------------------------- however it is written


def drawn(seed: int, customers: int = 2000) -> pd.DataFrame:
    """Up to six contracts each, that overlap, touch, lapse, begin in the future and end there."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(customers), rng.integers(1, 7, customers))
    n = len(who)
    start = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 1000, n), unit="D")
    length = np.where(rng.random(n) < 0.3, rng.choice([31, 59, 90, 365], n), rng.integers(0, 700, n))
    return pd.DataFrame(
        {
            "customer_id": [f"m{k:05d}" for k in who],
            "start": start,
            "end": pd.Series(start + pd.to_timedelta(length, unit="D")).where(rng.random(n) < 0.7),
            "price": rng.choice([5.0, 10.0, 50.0], n),
            "plan": rng.choice(["basic", "pro"], n),
            "billing": rng.choice(["monthly", "annual"], n),
        }
    )


def split(table: pd.DataFrame, seed: int, rise: float = 1.0) -> pd.DataFrame:
    """Most rows as two that touch, the later one at ``rise`` times the price."""
    rng = np.random.default_rng(seed)
    length = (table["end"].fillna(pd.Timestamp("2026-01-01")) - table["start"]).dt.days.to_numpy()
    both = (length >= 2) & (rng.random(len(table)) < 0.8)
    cut = table["start"] + pd.to_timedelta(1 + (rng.random(len(table)) * (length - 1)).astype(int), unit="D")
    later = table[both].assign(start=cut[both], price=table["price"] * rise)
    return pd.concat([table.assign(end=table["end"].mask(both, cut)), later], ignore_index=True)


def told(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return cv.spells(table, as_of=AS_OF), cv.summarize_contracts(table, as_of=AS_OF)


def assert_same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    for mine, others in zip(told(one), told(other), strict=True):
        pd.testing.assert_frame_equal(mine, others)


# Each case is 2,000 customers whose contracts do not know each other: five of them are 10,000 cases.
many = settings(max_examples=5, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)


@many
@given(SEEDS)
def test_splitting_rows_changes_nothing(seed):
    table = drawn(seed)
    assert_same(table, split(split(table, seed + 1), seed + 2))


@many
@given(SEEDS)
def test_the_order_of_rows_changes_nothing(seed):
    table = drawn(seed)
    assert_same(table, table.sample(frac=1, random_state=seed).reset_index(drop=True))


@many
@given(SEEDS)
def test_names_of_customers_change_nothing(seed):
    table = drawn(seed)
    ids = table["customer_id"].unique()
    names = dict(zip(ids, np.random.default_rng(seed).permutation(ids), strict=True))
    renamed = table.assign(customer_id=table["customer_id"].map(names))
    for mine, others in zip(told(table), told(renamed), strict=True):
        mine = mine.assign(customer_id=mine["customer_id"].map(names)).sort_values("customer_id", kind="stable")
        pd.testing.assert_frame_equal(mine.reset_index(drop=True), others)


@many
@given(SEEDS)
def test_a_price_change_as_a_new_contract_changes_no_life(seed):
    """The same renewals, losses and days to the next one, at the new price."""
    table = drawn(seed)
    life = ["customer_id", "period", "life", "start", "end", "renewals", "opportunities", "active", "days_to_next"]
    lives = [
        cv.data.contract_lives(cv.spells(t, as_of=AS_OF), as_of=AS_OF)[life]
        for t in (table, split(table, seed, rise=1.1))
    ]
    pd.testing.assert_frame_equal(*lives)
