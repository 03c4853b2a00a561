"""The customer-base audit: five looks that add up, on frames and in an engine."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import pytest

import clvnb as cv
from clvnb.value.lenses import audit


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    """Two and a half years of a shop, with returns and customers who come back after a year."""
    rng = np.random.default_rng(5)
    n = 6000
    when = pd.Timestamp("2022-01-01") + pd.to_timedelta(rng.integers(0, 912, n), unit="D")
    amount = np.where(rng.random(n) < 0.06, -1, 1) * rng.gamma(2, 17, n).round(2)
    return pd.DataFrame({"customer_id": [f"c{k}" for k in rng.zipf(1.4, n) % 900], "date": when, "amount": amount})


AS_OF = "2024-06-30"


def by_hand(log: pd.DataFrame) -> pd.DataFrame:
    """The same in plain pandas, customer by customer."""
    last = pd.Timestamp(AS_OF)
    start, first = last - pd.Timedelta(days=365), last - pd.Timedelta(days=730)
    rows = []
    for who, own in log.groupby("customer_id"):
        day = own.groupby(own["date"].dt.normalize())["amount"].agg(net="sum").assign(bought=lambda d: d["net"] > 0)
        now, before, earlier = (
            day[(day.index > start) & (day.index <= last)],
            day[(day.index > first) & (day.index <= start)],
            day[day.index <= first],
        )
        rows.append(
            (
                who,
                now["net"].sum(),
                before["net"].sum(),
                now["bought"].sum(),
                before["bought"].sum(),
                earlier["bought"].sum(),
            )
        )
    return pd.DataFrame(rows, columns=["customer_id", "now", "before", "n", "m", "e"])


def test_the_change_adds_up_customer_by_customer(log):
    found, each = audit(log, as_of=AS_OF).two_periods.table.set_index("kind"), by_hand(log)
    assert found["now"].sum() == pytest.approx(each["now"].sum(), abs=0.005)
    assert found["before"].sum() == pytest.approx(each["before"].sum(), abs=0.005)
    assert found["change"].sum() == pytest.approx(each["now"].sum() - each["before"].sum(), abs=0.005)
    bought, had = each["n"] > 0, each["m"] > 0
    for kind, rows in (
        ("new", bought & ~had & (each["e"] == 0)),
        ("returned", bought & ~had & (each["e"] > 0)),
        ("left", ~bought & had),
    ):
        assert found.loc[kind, "customers"] == rows.sum()
        assert found.loc[kind, "change"] == pytest.approx((each["now"] - each["before"])[rows].sum(), abs=0.005)
    assert found["orders_now"].sum() == each["n"].sum()


def test_tenths_hold_all_customers_and_all_revenue(log):
    found, each = audit(log, as_of=AS_OF).one_period.table, by_hand(log)
    own = each[each["n"] > 0]
    assert found["customers"].sum() == len(own)
    assert found["customers"].max() - found["customers"].min() <= 1
    assert found["revenue"].sum() == pytest.approx(own["now"].sum(), abs=0.005)
    best = own["now"].nlargest(int(found["customers"].iloc[0])).sum()
    assert found["revenue"].iloc[0] == pytest.approx(best, abs=0.005)


def test_the_whole_base_is_all_revenue_by_the_year_of_the_first_purchase(log):
    base = audit(log, as_of=AS_OF).base.table
    first = log[log["amount"] > 0].groupby("customer_id")["date"].min().dt.year
    known = log[log["customer_id"].isin(first.index) & (log["date"] <= AS_OF)]
    for year in (2022, 2023, 2024):
        ids = first.index[first == year]
        assert base[str(year)].sum() == pytest.approx(
            known.loc[known["customer_id"].isin(ids), "amount"].sum(), abs=0.005
        )


def test_cohorts_are_compared_at_the_same_age(log):
    found = audit(log, as_of=AS_OF)
    first = log[log["amount"] > 0].groupby("customer_id")["date"].min()
    quarter = first.dt.to_period("Q")
    table = found.cohorts.table.set_index("cohort")
    assert table.index.max() == pd.Timestamp("2023-07-01")  # the last that has been seen for four whole quarters
    for cohort in table.index:
        ids = quarter.index[quarter == cohort.to_period("Q")]
        own = log[log["customer_id"].isin(ids)]
        ages = own["date"].dt.to_period("Q").map(lambda p: p.ordinal) - cohort.to_period("Q").ordinal
        assert table.loc[cohort, "customers"] == len(ids)
        assert table.loc[cohort, "year"] == pytest.approx(own.loc[(ages >= 0) & (ages <= 3), "amount"].sum() / len(ids))
        day = own.groupby(["customer_id", own["date"].dt.normalize()])["amount"].agg(lambda a: (a > 0).any())
        who = day[day].reset_index()
        after = who["date"].dt.to_period("Q").map(lambda p: p.ordinal) - cohort.to_period("Q").ordinal
        assert table.loc[cohort, "again"] == pytest.approx(
            who.loc[(after >= 1) & (after <= 3), "customer_id"].nunique() / len(ids)
        )


def test_an_engine_and_another_order_give_the_same(log):
    one = audit(log, as_of=AS_OF)
    other = audit(ibis.memtable(log.sample(frac=1, random_state=1, ignore_index=True)), as_of=AS_OF)
    for look in ("one_period", "two_periods", "one_cohort", "cohorts", "base"):
        pd.testing.assert_frame_equal(getattr(one, look).table, getattr(other, look).table)
        assert getattr(one, look).text == getattr(other, look).text


def test_a_client_speaks_its_own_currency_and_a_young_log_says_what_it_lacks():
    found = cv.audit(cv.load_sample("shop"))
    assert "€" in str(found)
    assert found.two_periods.table["change"].sum() == pytest.approx(
        found.two_periods.table["now"].sum() - found.two_periods.table["before"].sum()
    )
    young = pd.DataFrame(
        {"customer_id": list("ab"), "date": pd.to_datetime(["2024-05-01", "2024-05-09"]), "amount": [5.0, 7.0]}
    )
    told = cv.audit(young, as_of="2024-06-30")
    assert "Nothing was bought in the period before" in told.two_periods.text
    assert told.cohorts.table.empty
    with pytest.raises(cv.TableError, match="nobody bought in the period"):
        cv.audit(young, as_of="2026-06-30")


def test_every_look_has_its_picture(log):
    found = audit(log, as_of=AS_OF)
    drawn = [
        cv.plots.plot_changed(found.two_periods.table), cv.plots.plot_tenths(found.one_period.table),
        cv.plots.plot_ages(found.one_cohort.table), cv.plots.plot_years(found.cohorts.table), cv.plots.plot_base(found.base.table),
    ]  # fmt: skip
    assert all(len(ax.figure.clvnb_alt) > 60 for ax in drawn)
