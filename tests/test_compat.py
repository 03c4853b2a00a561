"""lifetimes' names give lifetimes' numbers, and where its units lead astray they say so.

The numbers were printed by lifetimes 0.11.3 on the same file, time in weeks.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import clvnb as cv
from clvnb import compat
from helpers import ROOT


@pytest.fixture(scope="module")
def orders() -> pd.DataFrame:
    raw = pd.read_csv(ROOT / "data/cdnow/sample.csv", dtype={"customer_id": str, "date": str})
    return raw.assign(date=pd.to_datetime(raw["date"], format="%Y%m%d"))


@pytest.fixture(scope="module")
def summary(orders) -> pd.DataFrame:
    return compat.summary_data_from_transaction_data(
        orders, "customer_id", "date", "dollar_value", observation_period_end="1997-09-30"
    )


@pytest.fixture(scope="module")
def weekly(summary) -> compat.BetaGeoFitter:
    return compat.BetaGeoFitter().fit(summary["frequency"], summary["recency"] / 7, summary["T"] / 7)


@pytest.fixture(scope="module")
def spend(summary) -> compat.GammaGammaFitter:
    return compat.GammaGammaFitter().fit(summary["frequency"], summary["monetary_value"])


def test_summary_is_that_of_lifetimes(summary):
    assert list(summary.columns) == ["frequency", "recency", "T", "monetary_value"]
    assert summary.loc["0001"].tolist() == pytest.approx([2, 213, 272, 22.345])
    assert summary.sum().tolist() == pytest.approx([2457, 112949, 539779, 33183.643767])


def test_holdout_is_that_of_lifetimes(orders):
    both = compat.calibration_and_holdout_data(
        orders, "customer_id", "date", "1997-09-30", monetary_value_col="dollar_value"
    )
    assert both.filter(like="_cal").sum().tolist() == pytest.approx([2457, 112949, 539779, 33183.643767])
    held = both[["frequency_holdout", "monetary_value_holdout", "duration_holdout"]].sum()
    assert held.tolist() == pytest.approx([1882, 24901.080244, 643461])


def test_fitters_find_what_lifetimes_found(weekly, spend, summary):
    assert weekly.params_.tolist() == pytest.approx([0.242595, 4.413603, 0.792922, 2.425906], rel=1e-5)
    assert spend.params_.tolist() == pytest.approx([6.249572, 3.744225, 15.443521], rel=1e-3)  # it stops early
    alive = weekly.conditional_probability_alive(summary["frequency"], summary["recency"] / 7, summary["T"] / 7)
    assert alive.head(4).tolist() == pytest.approx([0.7266203, 0.21239102, 1.0, 1.0], rel=1e-5)
    assert list(weekly.summary.columns) == ["coef", "se(coef)", "lower 95% bound", "upper 95% bound"]
    assert weekly.summary.loc["r", "se(coef)"] == pytest.approx(0.012557, rel=1e-2)


def test_value_of_twelve_months_and_the_famous_360_weeks(weekly, spend, summary):
    who = summary.head(4)
    asked = (weekly, who["frequency"], who["recency"] / 7, who["T"] / 7, who["monetary_value"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weeks = spend.customer_lifetime_value(*asked, freq="W")
    assert weeks.tolist() == pytest.approx(
        [36.273977, 4.640936, 8.344481, 8.344481], rel=2e-3
    )  # 4.345 weeks a month there
    with pytest.warns(cv.DataWarning, match="360 weeks as twelve months"), pytest.warns(match="a year of 360"):
        sold = spend.customer_lifetime_value(*asked)
    assert sold.iloc[0] > 3.8 * weeks.iloc[0]  # what lifetimes' tutorial prints as 140.07


def test_a_year_of_days_has_365(weekly, spend, summary):
    daily = compat.BetaGeoFitter().fit(summary["frequency"], summary["recency"], summary["T"])
    who = summary.head(1)
    with pytest.warns(cv.DataWarning, match="a year of 360"):
        days = spend.customer_lifetime_value(daily, who["frequency"], who["recency"], who["T"], who["monetary_value"])
    weeks = spend.customer_lifetime_value(
        weekly, who["frequency"], who["recency"] / 7, who["T"] / 7, who["monetary_value"], freq="W"
    )
    assert days.iloc[0] == pytest.approx(weeks.iloc[0], rel=1e-6)


def test_shapes_follow_the_question(weekly):
    assert isinstance(weekly.conditional_probability_alive(2, 30.43, 38.86), float)
    assert isinstance(weekly.conditional_probability_alive(np.array([2, 0]), np.array([30.43, 0]), 38.86), np.ndarray)
    assert 0 < weekly.expected_number_of_purchases_up_to_time(52) < 5


@pytest.mark.parametrize("kind", [compat.ModifiedBetaGeoFitter, compat.ParetoNBDFitter])
def test_other_fitters_are_clvnbs_models(kind, summary):
    fitter = kind().fit(summary["frequency"], summary["recency"], summary["T"])
    own = kind.kind().fit(summary.reset_index())
    assert fitter.params_.tolist() == pytest.approx(own.params_.tolist(), rel=1e-6)


def test_what_is_not_done_is_said(orders):
    with pytest.raises(ValueError, match="divide recency and T by 7"):
        compat.summary_data_from_transaction_data(orders, "customer_id", "date", freq="W")
    with pytest.warns(cv.DataWarning, match="penalizer_coef"):
        compat.BetaGeoFitter(penalizer_coef=0.1)
