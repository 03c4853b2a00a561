"""What came by month, by cohort and by age: it adds up to the summary, and what is to come to the forecast."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clvnb as cv
from clvnb.data.summary import contributions, contributions_by_age, contributions_by_month, summarize
from clvnb.models.mbgnbd import MBGNBD
from clvnb.value.flows import by_month, members_by_cohort, orders_by_cohort, paid_back, year_on_year

MODEL = MBGNBD.with_params(r=0.9, alpha=60.0, a=0.8, b=2.5)


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    made = MODEL.simulate(600, joined="2 years", length="3 years", seed=4)
    made["channel"] = np.where(made["customer_id"].astype(str).str[-1] < "5", "ads", "mail")
    return made


def last_day(log: pd.DataFrame) -> str:
    return f"{pd.to_datetime(log['date']).max() + pd.offsets.MonthEnd(0):%Y-%m-%d}"


lines = st.lists(
    st.tuples(st.sampled_from("abcde"), st.integers(0, 500), st.floats(-30, 200).map(lambda v: round(v, 2))),
    min_size=1, max_size=40,
)  # fmt: skip


@given(rows=lines, margin=st.floats(0.1, 1.0), cost=st.floats(0, 5))
@settings(max_examples=40, deadline=None)
def test_months_add_up_to_what_customers_brought(rows, margin, cost):
    raw = pd.DataFrame(rows, columns=["customer_id", "day", "amount"])
    raw["date"] = pd.Timestamp("2023-01-15") + pd.to_timedelta(raw["day"], unit="D")
    found = contributions_by_month(raw, margin=margin, cost_to_serve=cost)
    days = contributions(raw, margin=margin, cost_to_serve=cost)
    buyers = set(days[days["bought"]]["customer_id"])
    mine = days[days["customer_id"].isin(buyers)]
    assert found["contribution"].sum() == pytest.approx(mine["contribution"].sum(), abs=1e-9)
    assert found["customers"].sum() == len(buyers)
    assert found["purchases"].sum() == mine["bought"].sum()
    firsts = mine[mine["bought"]].sort_values("date").groupby("customer_id").head(1)
    assert found["first"].sum() == pytest.approx(firsts["contribution"].sum(), abs=1e-9)


def test_a_summarys_value_is_all_of_it(log):
    found = contributions_by_month(log, margin=0.4, cost_to_serve=1.5)
    value = summarize(log, margin=0.4, cost_to_serve=1.5)["historic_value"].sum()
    assert found["contribution"].sum() == pytest.approx(value, rel=1e-12)


def test_years_by_hand(log):
    end = pd.Timestamp(last_day(log))
    flows, days = contributions_by_month(log, margin=0.4), contributions(log, margin=0.4)
    found = year_on_year(flows, end.date())
    year, before = (end - pd.DateOffset(years=k) for k in (1, 2))
    year, before = year + pd.offsets.MonthEnd(0), before + pd.offsets.MonthEnd(0)
    now = days[days["date"] > year]
    assert found["now"] == pytest.approx(now["contribution"].sum())
    assert found["before"] == pytest.approx(
        days[(days["date"] > before) & (days["date"] <= year)]["contribution"].sum()
    )
    known = days[days["bought"]].groupby("customer_id")["date"].min()
    old = set(known[known <= year].index)
    assert found["kept"] == pytest.approx(now[now["customer_id"].isin(old)]["contribution"].sum())


def test_a_log_of_half_a_year_has_no_year():
    young = MODEL.simulate(50, joined="60 days", length="150 days", seed=1)
    assert year_on_year(contributions_by_month(young), pd.to_datetime(young["date"]).max().date()) == {}


def test_orders_of_cohorts_are_those_that_came_and_those_expected(log):
    """What came equals a count by hand; what is to come adds up to the model's own forecast of these customers."""
    end, model = pd.Timestamp(last_day(log)), MBGNBD().fit(summarize(log))
    flows, summary = contributions_by_month(log), summarize(log, as_of=last_day(log))
    table = orders_by_cohort(flows, summary, model, end.date(), horizon=3 * 365.25)
    assert set(table["period"]) == {"quarter"}
    days = contributions(log)
    first = days[days["bought"]].groupby("customer_id")["date"].min().dt.to_period("Q")
    again = days[days["bought"]].merge(first.rename("born"), left_on="customer_id", right_index=True)
    again["at"] = again["date"].dt.to_period("Q")
    for row in table[~table["expected"]].itertuples():
        born = pd.Timestamp(row.cohort).to_period("Q")
        count = ((again["born"] == born) & (again["at"] == born + row.age)).sum()
        assert row.value * row.customers == pytest.approx(count)
    to_come = table[table["expected"]].assign(at=lambda t: t["cohort"].dt.to_period("Q") + t["age"])
    quarter = to_come[to_come["at"] == end.to_period("Q") + 1]
    mine = summary[pd.to_datetime(summary["first_date"]).dt.to_period("Q").isin(quarter["cohort"].dt.to_period("Q"))]
    length = ((end.to_period("Q") + 1).end_time.normalize() - end).days
    expected = model.expected_purchases(mine, float(length)).sum()
    assert (quarter["value"] * quarter["customers"]).sum() == pytest.approx(expected, rel=1e-9)


def test_nothing_is_expected_where_nothing_may_be(log):
    end = pd.Timestamp(last_day(log)).date()
    table = orders_by_cohort(contributions_by_month(log), summarize(log), None, end, horizon=1000.0)
    assert not table["expected"].any()
    assert by_month(contributions_by_month(log), pd.DataFrame(), 1.0, 0.0, end)["mean"].isna().all()


def test_a_month_that_has_begun_is_forecast_whole():
    """What came in it so far is part of it: a report on the 20th shows no dip."""
    flows = pd.DataFrame({"cohort": pd.to_datetime(["2024-01-01"] * 3), "month": pd.to_datetime(["2024-01-01", "2024-02-01", "2024-03-01"]),
                          "customers": [5, 0, 0], "purchases": [5, 4, 3], "contribution": [50.0, 40.0, 30.0], "first": [50.0, 0.0, 0.0]})  # fmt: skip
    ahead = [
        (pd.Timestamp("2024-03-01"), "purchases", 1.0, 0.5, 2.0),
        (pd.Timestamp("2024-03-01"), "revenue", 10.0, 5.0, 20.0),
    ]
    forecast = pd.DataFrame(ahead, columns=["period", "what", "mean", "low", "high"])
    found = by_month(flows, forecast, 1.0, 1.0, pd.Timestamp("2024-03-20").date())
    assert found["month"].tolist() == list(pd.to_datetime(["2024-01-01", "2024-02-01", "2024-03-01"]))
    assert found.iloc[2][["mean", "low", "high"]].tolist() == [30.0 + 9.0, 30.0 + 4.5, 30.0 + 18.0]


def test_members_who_come_back_are_there_again():
    lives = pd.DataFrame({
        "customer_id": ["a", "a", "b", "c"], "first_date": pd.to_datetime(["2023-01-10", "2023-01-10", "2023-02-01", "2023-04-02"]),
        "start": pd.to_datetime(["2023-01-10", "2023-08-01", "2023-02-01", "2023-04-02"]),
        "end": pd.to_datetime(["2023-05-01", None, "2023-12-01", None]), "running": [False, True, False, True],
    })  # fmt: skip
    found = members_by_cohort(lives, pd.Timestamp("2024-06-30").date())
    shares = {(str(r.cohort)[:7], r.age): r.value for r in found.itertuples()}
    assert [shares[("2023-01", k)] for k in range(1, 6)] == [0.5, 1.0, 0.5, 0.5, 0.5]
    assert set(found["what"]) == {"stay"}


def test_cost_is_paid_back_when_contributions_reach_it(log):
    end = last_day(log)
    ages = contributions_by_age(log, by="channel", as_of=end, margin=0.4)
    for channel, table in ages.groupby("group"):
        total = table.sort_values("age")["contribution"].cumsum().to_numpy()
        assert paid_back(ages, {channel: float(total[3])})[channel] == 4
        assert paid_back(ages, {channel: 0.0})[channel] == 1
        assert np.isnan(paid_back(ages, {channel: 1e9})[channel])


def test_ages_count_only_customers_who_were_that_old(log):
    """By hand, customer by customer: a month counts for those who were seen for all of it."""
    end = pd.Timestamp(last_day(log))
    found = contributions_by_age(log, by="channel", as_of=f"{end:%Y-%m-%d}", margin=0.4).set_index(["group", "age"])
    days = contributions(log, margin=0.4)
    first = days[days["bought"]].groupby("customer_id")["date"].min()
    channel = log.groupby("customer_id")["channel"].first()
    whole = ((end - first).dt.days + 1) // cv.core.maths.MONTH
    age = ((days["date"] - days["customer_id"].map(first)).dt.days // cv.core.maths.MONTH).astype(int)
    for name in ("ads", "mail"):
        for k in (0, 7, 20):
            old = set(whole[(whole > k) & (channel == name)].index)
            money = days[(age == k) & days["customer_id"].isin(old)]["contribution"].sum()
            assert found.loc[(name, k), "customers"] == len(old)
            assert found.loc[(name, k), "contribution"] == pytest.approx(money / len(old))


def test_cohorts_of_two_whole_years_are_compared_at_one_age():
    """A season cannot be taken for a drift: each side holds one year's cohorts."""
    from types import SimpleNamespace

    from clvnb.core.words import Words
    from clvnb.value.readings import say_cohorts

    starts = pd.to_datetime([f"{y}-{m:02d}-01" for y in (2022, 2023, 2024) for m in (1, 4, 7, 10)])[:10]
    season = np.tile([10.0, 20.0, 30.0, 40.0], 3)[:10]
    table = pd.DataFrame({a: np.where(np.arange(10) < 10 - a, season + a, np.nan) for a in range(10)}, index=starts)
    client = SimpleNamespace(words=Words("EUR"))
    text = say_cohorts(SimpleNamespace(cohorts=table, client=client, cohort_period="quarter"))
    assert "2 quarters after" in text
    assert "from 1 January 2022 to 31 December 2022" in text
    assert text.count("€27.00") == 2
    few = say_cohorts(SimpleNamespace(cohorts=table.iloc[:3, :3], client=client, cohort_period="quarter"))
    assert "oldest cohort" in few
