"""Segments and cohorts against hand-worked and published numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvnb as cv
from clvnb.core.engine import as_ibis
from clvnb.value.cohorts import clv_cohort, clv_survival, cohort_matrix, survival_table
from clvnb.value.formulas import clv_retention
from clvnb.value.segments import (
    gini,
    migration,
    name_segments,
    rfm_cuts,
    rfm_scores,
    segment_profile,
    value_tiers,
    whale_curve,
)


def summary_of(purchases: list[float]) -> pd.DataFrame:
    n = len(purchases)
    return pd.DataFrame(
        {"customer_id": [f"c{k}" for k in range(n)], "frequency": 0, "recency": 0, "T": 10,
         "days_since_last": range(n), "purchases": purchases, "historic_value": purchases}
    )  # fmt: skip


def test_equal_values_get_equal_scores():
    """Six one-time buyers: quantile cuts fail (edges not unique), rank-first splits equals, the mean rank does neither."""
    purchases = [1, 1, 1, 1, 1, 1, 2, 2, 3, 10]
    with pytest.raises(ValueError, match="unique"):
        pd.qcut(pd.Series(purchases), 5)
    assert rfm_scores(summary_of(purchases))["f"].tolist() == [2] * 6 + [4, 4, 5, 5]


def test_recency_is_turned_round():
    scores = rfm_scores(summary_of([1, 2, 3, 4, 5]))
    assert scores["r"].tolist() == [5, 4, 3, 2, 1]


def test_frozen_cuts_give_the_same_scores(sample_summary):
    scores = rfm_scores(sample_summary)
    again = rfm_scores(sample_summary, cuts=rfm_cuts(sample_summary))
    pd.testing.assert_frame_equal(scores, again, check_dtype=False)


def test_every_customer_gets_a_name_and_the_newest_are_not_called_lost(sample_summary):
    """Quartile scores of other packages leave segments of this log empty and call its newest buyers inactive."""
    scores = rfm_scores(sample_summary)
    names = name_segments(scores)
    assert names.notna().all()
    newest = sample_summary["days_since_last"] <= 7
    assert not set(names[newest]) & {"Hibernating", "At risk", "Can't lose"}
    assert {"Champion", "Loyal", "Hibernating"} <= set(names)


def test_grid_is_complete_and_incomplete_ones_are_refused():
    scores = pd.DataFrame([(r, f, f) for r in range(1, 6) for f in range(1, 6)], columns=["r", "f", "m"])
    assert name_segments(scores).nunique() == 10
    half = pd.DataFrame([(5, 1, 2), (5, 2, 3)], columns=["r", "f", "m"])
    assert name_segments(half).tolist() == ["Potential loyalist", "Potential loyalist"]  # 1.5 and 2.5 go up
    with pytest.raises(cv.TableError, match="25 cells"):
        name_segments(scores, grid=pd.DataFrame({"r": [1], "fm": [1], "segment": ["x"]}))


def test_whale_curve_and_gini():
    assert whale_curve([30, 160, -40, 60, -10])["share_of_value"].tolist() == [0.8, 1.1, 1.25, 1.2, 1.0]
    assert gini([0, 10, 20, 30, 140]) == pytest.approx(0.6)
    assert gini([0, 10, 20, 30, 140], corrected=True) == pytest.approx(0.75)
    assert gini([7, 7, 7]) == pytest.approx(0.0)
    with pytest.raises(ValueError, match="whale curve"):
        gini([1, -1])
    with pytest.raises(ValueError, match="above 0"):
        whale_curve([1, -1])


def test_tiers_follow_value():
    values = pd.Series([1.0, 5.0, 80.0, 14.0, -3.0, 0.0], index=list("abcdef"))
    assert value_tiers(values).to_dict() == {"a": "C", "b": "B", "c": "A", "d": "B", "e": "C", "f": "C"}
    assert set(value_tiers(pd.Series([-1.0, 0.0]))) == {"C"}


def test_migration_counts_and_shares():
    before = pd.Series(["A"] * 60 + ["B"] * 40, index=range(100))
    after = pd.Series(["A"] * 45 + ["B"] * 40 + ["A"] * 5, index=[*range(90)])
    moves = migration(before, after).set_index(["from", "to"])
    assert moves.loc[("A", "B"), "customers"] == 15
    assert moves.groupby("from")["share"].sum().tolist() == pytest.approx([1.0, 1.0])
    assert moves.loc[("B", "Lost"), "customers"] == 10
    assert ((moves["low"] < moves["share"]) & (moves["share"] < moves["high"])).all()
    few = migration(before.head(3), after.head(3))
    assert not few["enough"].any()


def test_profile_adds_up(sample_summary):
    terms = cv.Economics(margin=0.4)
    customers = cv.clv_table(
        sample_summary, cv.MBGNBD().fit(sample_summary), cv.GammaGamma().fit(sample_summary), terms
    )
    profile = segment_profile(customers, name_segments(rfm_scores(sample_summary)))
    assert profile["customers"].sum() == len(sample_summary)
    assert profile["clv"].sum() == pytest.approx(customers["clv"].sum())
    assert profile["share_of_value"].sum() == pytest.approx(1.0)
    assert (profile["action"] != "").all()


# ------------------------------------------------------------------------------------------- cohorts


def test_cohort_value_without_censoring_bias():
    """Sizes 100/120/150; the naive total over all customers is 61.19, the censoring-correct value 84.68 (79.23 at 10 %)."""
    matrix = pd.DataFrame([[4000, 2500, 1800], [4920, 3120, np.nan], [6300, np.nan, np.nan]], index=["a", "b", "c"])
    sizes = {"a": 100, "b": 120, "c": 150}
    table = clv_cohort(matrix, sizes)
    np.testing.assert_allclose(table["margin"], [41.135, 25.545, 18.000], atol=5e-4)
    assert table["value"].iloc[-1] == pytest.approx(84.681, abs=5e-4)
    assert clv_cohort(matrix, sizes, discount_rate=0.1)["value"].iloc[-1] == pytest.approx(79.234, abs=5e-4)
    assert np.nansum(matrix.to_numpy()) / 370 == pytest.approx(61.189, abs=5e-4)


def test_unseen_cells_are_missing_and_never_nought():
    log = pd.DataFrame(
        {"customer_id": ["a", "a", "b", "c", "d"], "amount": [5.0, 7.0, 9.0, 1.0, 2.0],
         "date": pd.to_datetime(["2024-01-05", "2024-03-10", "2024-01-20", "2024-02-02", "2024-03-30"])}
    )  # fmt: skip
    matrix = cohort_matrix(log, what="customers", as_of="2024-03-31")
    np.testing.assert_array_equal(matrix.to_numpy(), [[2, 0, 1], [1, 0, np.nan], [1, np.nan, np.nan]])
    unfinished = cohort_matrix(log, what="customers", as_of="2024-03-30")
    assert unfinished.shape == (2, 2)
    with pytest.raises(cv.TableError, match="no complete year"):
        cohort_matrix(log, period="year")


def test_cohorts_of_cdnow_add_up(sample_log):
    money = cohort_matrix(sample_log, what="revenue")
    assert money.shape == (3, 18)
    assert np.nansum(money.to_numpy()) == pytest.approx(sample_log["amount"].sum())
    there = cohort_matrix(as_ibis(sample_log), what="revenue")
    np.testing.assert_allclose(money.to_numpy(), there.to_numpy())
    share = cohort_matrix(sample_log)
    assert (share[0] == 1).all()
    assert cohort_matrix(sample_log, what="customers")[0].sum() == 2357


T, GONE = [1, 1, 2, 3, 3, 4, 4, 4, 4, 4], [1, 0, 1, 1, 0, 0, 0, 0, 0, 0]


def test_kaplan_meier_by_hand():
    table = survival_table(T, GONE)
    np.testing.assert_allclose(table["survival"], [1, 0.9, 0.7875, 0.675, 0.675])
    assert table["survival"].iloc[:4].sum() == pytest.approx(3.3625)  # restricted mean survival time


def test_survival_is_the_product_limit_with_greenwoods_error():
    """Kaplan and Meier's and Greenwood's formulas, written out, on random tenures; nobody ends, everybody ends."""
    rng = np.random.default_rng(4)
    cases = [(rng.integers(0, 15, 300), rng.random(300) < 0.4) for _ in range(5)]
    for tenure, ended in [*cases, (np.array([3, 3, 2]), np.zeros(3, bool)), (np.array([1, 2, 3]), np.ones(3, bool))]:
        table, survival, spread = survival_table(tenure, ended), 1.0, 0.0
        assert table["period"].tolist() == list(range(tenure.max() + 1))
        for row in table.itertuples():
            n, d = int((tenure >= row.period).sum()), int((ended & (tenure == row.period)).sum())
            assert (row.at_risk, row.ended) == (n, d)
            survival, spread = survival * (1 - d / n), spread + (d / (n * (n - d)) if n > d else 0.0)
            assert row.survival == pytest.approx(survival, abs=1e-12)
            assert row.standard_error == pytest.approx(survival * np.sqrt(spread), abs=1e-12)


def test_value_from_survival_by_hand():
    value = clv_survival(T, GONE, 100, 0.1, 4)
    assert value.value == pytest.approx(297.615, abs=5e-4)
    assert clv_survival(T, GONE, 100, 0.0, 4).value == pytest.approx(336.25)
    assert value.low < value.value < value.high
    with pytest.raises(ValueError, match="seen for 4 periods, the horizon asks for 7"):
        clv_survival(T, GONE, 100, 0.1, 8)


def test_mean_tenure_is_no_lifespan():
    """Mean tenure 3.0, of the leavers 2.0, one over churn 10: three answers to one question, none of them survival's."""
    tenure, gone = np.array(T), np.array(GONE, dtype=bool)
    assert tenure.mean() == 3.0
    assert tenure[gone].mean() == 2.0
    assert tenure.sum() / gone.sum() == pytest.approx(10)
    assert clv_retention(1, 0.9, 0.0, "start_certain") == pytest.approx(10)
