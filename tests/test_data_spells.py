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
    row = one(("a", "2023-01-10", "2025-01-10", 10, "basic", "monthly"), ("a", "2025-01-10", None, 20, "pro", "monthly"))
    assert (row["renewals"], row["active"], row["price"], row["plan"]) == (29, True, 20, "pro")


def test_an_ended_add_on_beside_a_running_contract_ends_nothing():
    row = one(("b", "2023-01-10", None, 50, "main", "monthly"), ("b", "2024-06-10", "2024-09-10", 5, "add-on", "monthly"))
    assert (row["renewals"], row["active"], row["price"], row["plan"]) == (29, True, 50, "main")


def test_running_contracts_are_added_up():
    for begun in ("2024-06-10", "2023-01-10"):  # later, and on the same day
        row = one(("c", "2023-01-10", None, 50, "main", "monthly"), ("c", begun, None, 5, "main", "monthly"))
        assert (row["price"], row["active"]) == (55, True)


def test_a_return_after_a_lapse_keeps_the_renewal_that_was_lost():
    table = contracts_of(("e", "2023-01-10", "2023-06-10", 10, "x", "monthly"), ("e", "2024-06-10", None, 10, "x", "monthly"))
    lives = cv.contract_lives(cv.spells(table, as_of=AS_OF), as_of=AS_OF)
    assert lives[["life", "renewals", "opportunities", "active"]].to_numpy().tolist() == [[1, 4, 5, False], [2, 12, 12, True]]
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
    lives = cv.contract_lives(found, as_of=AS_OF)
    assert lives[["plan", "period", "renewals", "active"]].to_numpy().tolist() == [
        ["pro monthly", 1, 11, True],
        ["pro annual", 12, 1, True],
    ]
    assert one(*table.itertuples(index=False, name=None))["price"] == 100


def test_two_contracts_alike_are_a_quantity_and_seats_come_and_go():
    table = contracts_of(("a", "2025-01-10", None, 10, "x", "monthly"), ("a", "2025-03-10", "2025-05-10", 10, "x", "monthly"))
    assert cv.spells(table, as_of=AS_OF)["quantity"].tolist() == [1, 2, 1]


def test_a_billing_that_is_not_known_is_refused():
    with pytest.raises(cv.TableError, match="'weekly' is not known"):
        cv.check_contracts(contracts_of(("a", "2025-01-10", None, 10, "x", "weekly")))


# ------------------------------------------------------------------------------- however it is written

DAY = st.integers(0, 900).map(lambda d: pd.Timestamp("2023-01-01") + pd.Timedelta(days=d))
ROW = st.tuples(
    st.sampled_from(["a", "b", "c"]),
    DAY,
    st.one_of(st.none(), st.integers(0, 700)),
    st.sampled_from([5.0, 10.0, 50.0]),
    st.sampled_from(["basic", "pro"]),
    st.sampled_from(["monthly", "annual"]),
)
TABLES = st.lists(ROW, min_size=1, max_size=6).map(
    lambda rows: contracts_of(*[(i, s, None if n is None else s + pd.Timedelta(days=n), *more) for i, s, n, *more in rows])
)


def told(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    found = cv.spells(table, as_of=AS_OF)
    return found, cv.summarize_contracts(table, as_of=AS_OF) if (table["start"] <= AS_OF).any() else found


def assert_same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    for mine, others in zip(told(one), told(other), strict=True):
        pd.testing.assert_frame_equal(mine, others)


@settings(max_examples=150, deadline=None)
@given(TABLES, st.data())
def test_splitting_rows_changes_nothing(table, data):
    k = data.draw(st.integers(0, len(table) - 1))
    row = table.iloc[k]
    length = 900 if pd.isna(row["end"]) else (row["end"] - row["start"]).days
    if length < 2:
        return
    cut = row["start"] + pd.Timedelta(days=data.draw(st.integers(1, length - 1)))
    halves = pd.DataFrame([{**row, "end": cut}, {**row, "start": cut}])
    assert_same(table, pd.concat([table.drop(index=k), halves], ignore_index=True).astype(table.dtypes.to_dict()))


@settings(max_examples=100, deadline=None)
@given(TABLES, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(table, random):
    order = list(range(len(table)))
    random.shuffle(order)
    assert_same(table, table.iloc[order].reset_index(drop=True))


@settings(max_examples=100, deadline=None)
@given(TABLES)
def test_names_of_customers_change_nothing(table):
    names = {"a": "z", "b": "m", "c": "k"}
    for mine, others in zip(told(table), told(table.assign(customer_id=table["customer_id"].map(names))), strict=True):
        mine = mine.assign(customer_id=mine["customer_id"].map(names)).sort_values(["customer_id", "period"], kind="stable")
        pd.testing.assert_frame_equal(mine.reset_index(drop=True), others)


@settings(max_examples=100, deadline=None)
@given(TABLES, st.data())
def test_a_price_change_as_a_new_contract_changes_no_life(table, data):
    """The same renewals, losses and days to the next; the price is the new one where it is the last."""
    k = data.draw(st.integers(0, len(table) - 1))
    row = table.iloc[k]
    length = 900 if pd.isna(row["end"]) else (row["end"] - row["start"]).days
    if length < 2 or not (table["start"] <= AS_OF).any():
        return
    cut = row["start"] + pd.Timedelta(days=data.draw(st.integers(1, length - 1)))
    halves = pd.DataFrame([{**row, "end": cut}, {**row, "start": cut, "price": row["price"] * 1.1}])
    risen = pd.concat([table.drop(index=k), halves], ignore_index=True).astype(table.dtypes.to_dict())
    life = ["customer_id", "period", "life", "start", "end", "renewals", "opportunities", "active", "days_to_next"]
    lives = [cv.contract_lives(cv.spells(t, as_of=AS_OF), as_of=AS_OF)[life] for t in (table, risen)]
    pd.testing.assert_frame_equal(*lives)
