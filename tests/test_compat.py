"""lifetimes' names give lifetimes' numbers, and where its units lead astray they say so.

Each test is an ordinary snippet with those names: from quickstart, recipes and tutorials. The numbers are in
``golden/lifetimes.yaml``; fits agree to the place where lifetimes' search stops.
"""

from __future__ import annotations

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import yaml

import clvnb as cv
from clvnb import compat
from clvnb.compat import plotting
from clvnb.compat.datasets import load_cdnow_summary, load_cdnow_summary_data_with_monetary_value, load_transaction_data
from clvnb.compat.utils import (
    calculate_alive_path,
    calibration_and_holdout_data,
    expected_cumulative_transactions,
    summary_data_from_transaction_data,
)
from helpers import ROOT

GOLD = yaml.safe_load((ROOT / "tests/golden/lifetimes.yaml").read_text(encoding="utf-8"))


def as_there(name: str, rel: float = 1e-5):
    return pytest.approx(GOLD[name], rel=rel)


@pytest.fixture(scope="module")
def orders() -> pd.DataFrame:
    raw = pd.read_csv(ROOT / "data/cdnow/sample.csv", dtype={"customer_id": str, "date": str})
    return raw.assign(date=pd.to_datetime(raw["date"], format="%Y%m%d"))


@pytest.fixture(scope="module")
def summary(orders) -> pd.DataFrame:
    return summary_data_from_transaction_data(
        orders, "customer_id", "date", "dollar_value", observation_period_end="1997-09-30"
    )


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return load_cdnow_summary(index_col=[0])


@pytest.fixture(scope="module")
def money() -> pd.DataFrame:
    return load_cdnow_summary_data_with_monetary_value()


@pytest.fixture(scope="module")
def bgf(data) -> compat.BetaGeoFitter:
    return compat.BetaGeoFitter(penalizer_coef=0.0).fit(data["frequency"], data["recency"], data["T"])


@pytest.fixture(scope="module")
def ggf(money) -> compat.GammaGammaFitter:
    returning = money[money["frequency"] > 0]
    return compat.GammaGammaFitter(penalizer_coef=0).fit(returning["frequency"], returning["monetary_value"])


@pytest.fixture(scope="module")
def daily(summary) -> compat.BetaGeoFitter:
    return compat.BetaGeoFitter().fit(summary["frequency"], summary["recency"], summary["T"])


@pytest.fixture(scope="module")
def weeks(orders) -> compat.BetaGeoFitter:
    table = summary_data_from_transaction_data(
        orders, "customer_id", "date", observation_period_end="1997-09-30", freq="W"
    )
    return compat.BetaGeoFitter().fit(table["frequency"], table["recency"], table["T"])


@pytest.fixture(scope="module")
def donors() -> pd.DataFrame:
    rows = yaml.safe_load((ROOT / "tests/golden/further.yaml").read_text(encoding="utf-8"))["bgbb"]["rows"]
    return pd.DataFrame(rows, columns=["frequency", "recency", "weights"]).assign(periods=6)


@pytest.fixture(scope="module")
def bbf(donors) -> compat.BetaGeoBetaBinomFitter:
    return compat.BetaGeoBetaBinomFitter().fit(
        donors["frequency"], donors["recency"], donors["periods"], donors["weights"]
    )


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


# ------------------------------------------------------------------------------------------------ utils


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("summary_days", {"monetary_value_col": "dollar_value", "observation_period_end": "1997-09-30"}),
        ("summary_weeks", {"monetary_value_col": "dollar_value", "freq": "W"}),
        ("summary_weeks_until", {"monetary_value_col": "dollar_value", "freq": "W", "observation_period_end": "1997-09-30"}),
        ("summary_all", {}),
        ("summary_first_included", {"monetary_value_col": "dollar_value", "include_first_transaction": True}),
        ("summary_multiplied", {"freq_multiplier": 7}),
    ],
)  # fmt: skip
def test_summary(orders, name, settings):
    table = summary_data_from_transaction_data(orders, "customer_id", "date", **settings)
    assert list(table.columns[:3]) == ["frequency", "recency", "T"]
    assert ("monetary_value" in table) == ("monetary_value_col" in settings)
    assert table.sum().tolist() == as_there(name, 1e-9)


def test_customers_keep_their_ids_and_order():
    """Numbers stay numbers, 10 after 9; orders without a customer are left out; text is read in the format given."""
    raw = pd.DataFrame({"id": [10, 9, None, 9], "on": ["02/01/2024", "01/01/2024", "01/01/2024", "11/01/2024"]})
    table = summary_data_from_transaction_data(raw, "id", "on", datetime_format="%d/%m/%Y")
    assert table.index.tolist() == [9, 10]
    assert table.index.name == "id"
    assert table.loc[9].tolist() == [1, 10, 10]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("holdout_days", {"monetary_value_col": "dollar_value", "observation_period_end": "1998-06-30"}),
        ("holdout_weeks", {"freq": "W", "observation_period_end": "1998-06-30"}),
        ("holdout_until", {"observation_period_end": "1998-03-31"}),
    ],
)
def test_calibration_and_holdout(orders, name, settings):
    table = calibration_and_holdout_data(orders, "customer_id", "date", calibration_period_end="1997-09-30", **settings)
    assert len(table) == GOLD[f"{name}_customers"]
    assert list(table.columns) == list(GOLD[name])
    assert table.sum().to_dict() == as_there(name, 1e-9)


def test_alive_path_of_a_customer_by_days_and_by_weeks(orders, daily, weeks):
    assert daily.params_.tolist() == as_there("bg_days")
    assert weeks.params_.tolist() == as_there("bg_week_periods")
    path = calculate_alive_path(daily, orders[orders["customer_id"] == "0111"], "date", 545)
    assert len(path) == GOLD["alive_path_rows"]
    assert path.iloc[[0, 10, 100, 300, 545]].tolist() == as_there("alive_path")
    often = calculate_alive_path(weeks, orders[orders["customer_id"] == "1516"], "date", 80, freq="W")
    assert len(often) == GOLD["alive_path_weeks_rows"]
    assert often.iloc[[0, 10, 30, 60, 80]].tolist() == as_there("alive_path_weeks")


def test_cumulative_transactions(orders, daily, weeks):
    table = expected_cumulative_transactions(daily, orders, "date", "customer_id", 546)
    assert len(table) == GOLD["cumulative_rows"]
    assert table["actual"].iloc[[0, 100, 272, 545]].tolist() == GOLD["cumulative"]["actual"]
    predicted = table["predicted"].iloc[[0, 100, 272, 545]].tolist()
    assert predicted == pytest.approx(GOLD["cumulative"]["predicted"], rel=1e-5)
    table = expected_cumulative_transactions(weeks, orders, "date", "customer_id", 70, freq="W")
    assert table["actual"].iloc[[0, 10, 38, 69]].tolist() == GOLD["cumulative_weeks"]["actual"]
    predicted = table["predicted"].iloc[[0, 10, 38, 69]].tolist()
    assert predicted == pytest.approx(GOLD["cumulative_weeks"]["predicted"], rel=1e-5)
    dated = expected_cumulative_transactions(daily, orders, "date", "customer_id", 10, set_index_date=True)
    assert [str(dated.index[0]), str(dated.index[-1])] == GOLD["cumulative_index"]


# ------------------------------------------------------------------------------------------------ datasets


def test_data_sets(data, money):
    assert data.sum().to_dict() == as_there("cdnow", 1e-12)
    assert money.sum().to_dict() == as_there("cdnow_money", 1e-12)
    assert money.loc[1].tolist() == GOLD["cdnow_money_row"]
    returning = money[money["frequency"] > 0]
    assert returning[["monetary_value", "frequency"]].corr().iloc[0, 1] == as_there("money_corr", 1e-9)
    log = load_transaction_data(parse_dates=["date"], nrows=3)
    assert list(log) == ["date", "id"]
    assert log["date"].dtype.kind == "M"


# ------------------------------------------------------------------------------------------------ fitters


def test_bg_nbd_of_the_quickstart(bgf):
    assert (
        repr(bgf) == "<clvnb.compat.BetaGeoFitter: fitted with 2357 subjects, a: 0.79, alpha: 4.41, b: 2.43, r: 0.24>"
    )
    assert bgf.params_.tolist() == as_there("bg_params")
    assert bgf.standard_errors_.tolist() == as_there("bg_errors", 1e-3)
    assert np.diag(bgf.variance_matrix_).tolist() == as_there("bg_variance", 1e-3)
    assert list(bgf.data.columns) == ["frequency", "recency", "T", "weights"]
    assert list(bgf.summary.columns) == ["coef", "se(coef)", "lower 95% bound", "upper 95% bound"]
    assert (bgf.confidence_intervals_["lower 95% bound"] > 0).all()


def test_covariance_off_the_diagonal_is_that_of_the_delta_method(bgf):
    """Symmetric, where lifetimes multiplies each column by its own parameter twice."""
    logs = bgf.model.covariance_.to_numpy()
    assert bgf.variance_matrix_.to_numpy() == pytest.approx(logs * np.outer(bgf.params_, bgf.params_))
    assert bgf.variance_matrix_.to_numpy() == pytest.approx(bgf.variance_matrix_.to_numpy().T)


def test_rank_customers_by_expected_purchases(bgf, data):
    expected = bgf.conditional_expected_number_of_purchases_up_to_time(1, data["frequency"], data["recency"], data["T"])
    assert data.assign(expected=expected).sort_values("expected")["expected"].tail(5).to_dict() == as_there("bg_top")


def test_predict_one_customer(bgf, data):
    one = data.loc[1]
    assert bgf.predict(10, one["frequency"], one["recency"], one["T"]) == as_there("bg_one")


def test_probability_alive_of_all_and_as_a_matrix(bgf, data):
    alive = bgf.conditional_probability_alive(data["frequency"], data["recency"], data["T"])
    assert alive.head(4).tolist() == as_there("bg_alive")
    matrix = bgf.conditional_probability_alive_matrix()
    assert list(matrix.shape) == GOLD["bg_matrix_shape"]
    assert [matrix[0, 0], matrix[20, 5], matrix[38, 29], matrix[38, 1]] == as_there("bg_matrix")
    assert np.isnan(matrix[5, 0])  # nobody without a repeat purchase has a recency
    assert np.isnan(matrix[0, 5])
    assert bgf.conditional_probability_alive_matrix(max_frequency=4, max_recency=9).shape == (10, 5)


def test_newcomers(bgf):
    assert bgf.expected_number_of_purchases_up_to_time(np.array([1.0, 10, 52])).tolist() == as_there("bg_new")
    assert [bgf.probability_of_n_purchases_up_to_time(39, n) for n in range(5)] == as_there("bg_n")


def test_weights_stand_for_customers(bgf, data):
    cells = data.groupby(["frequency", "recency", "T"]).size().reset_index(name="n")
    assert len(cells) == GOLD["bg_weighted_rows"]
    fitter = compat.BetaGeoFitter().fit(cells["frequency"], cells["recency"], cells["T"], weights=cells["n"])
    assert fitter.params_.tolist() == pytest.approx(bgf.params_.tolist(), rel=1e-9)
    assert fitter.data["weights"].sum() == 2357
    with pytest.raises(ValueError, match="whole"):
        compat.BetaGeoFitter().fit([1, 2, 0], [1, 2, 0], [3, 3, 3], weights=[0.5, 1, 1])


def test_modified_bg_nbd(data):
    fitter = compat.ModifiedBetaGeoFitter().fit(data["frequency"], data["recency"], data["T"])
    assert fitter.params_.tolist() == as_there("mbg_params")
    alive = fitter.conditional_probability_alive(data["frequency"], data["recency"], data["T"])
    assert alive.head(4).tolist() == as_there("mbg_alive")
    expected = fitter.predict(39, data["frequency"], data["recency"], data["T"])
    assert expected.head(4).tolist() == as_there("mbg_expected")
    assert fitter.expected_number_of_purchases_up_to_time(np.array([1.0, 10, 52])).tolist() == as_there("mbg_new")
    assert [fitter.probability_of_n_purchases_up_to_time(39, n) for n in range(5)] == as_there("mbg_n")


def test_pareto_nbd(data):
    fitter = compat.ParetoNBDFitter().fit(data["frequency"], data["recency"], data["T"], verbose=False)
    assert fitter.params_.tolist() == as_there("pareto_params", 1e-3)
    alive = fitter.conditional_probability_alive(data["frequency"], data["recency"], data["T"])
    assert alive.head(4).tolist() == as_there("pareto_alive", 1e-3)
    expected = fitter.predict(39, data["frequency"], data["recency"], data["T"])
    assert expected.head(4).tolist() == as_there("pareto_expected", 1e-3)
    assert fitter.expected_number_of_purchases_up_to_time(np.array([1.0, 10, 52])).tolist() == as_there("pareto_new", 1e-3)  # fmt: skip


def test_bg_bb_of_the_donors(bbf, donors):
    history = (donors["frequency"], donors["recency"], donors["periods"])
    assert bbf.params_.tolist() == as_there("bb_params")
    expected = bbf.conditional_expected_number_of_purchases_up_to_time(5, *history)
    assert expected.tolist() == as_there("bb_expected")
    for m, name in ((0, "bb_alive_0"), (1, "bb_alive"), (5, "bb_alive_5")):
        assert bbf.conditional_probability_alive(m, *history).tolist() == as_there(name)
    counts = bbf.expected_number_of_transactions_in_first_n_periods(6)
    assert counts["model"].tolist() == as_there("bb_counts")
    assert counts.index.name == "frequency"


def test_spend(ggf, money):
    assert ggf.params_.tolist() == as_there("gg_params", 1e-3)  # it stops early
    profit = ggf.conditional_expected_average_profit(money["frequency"], money["monetary_value"])
    assert profit.head(10).tolist() == as_there("gg_profit", 1e-3)
    means = [profit.mean(), money[money["frequency"] > 0]["monetary_value"].mean()]
    assert means == as_there("gg_means", 1e-4)
    assert ggf.conditional_expected_average_profit().mean() == as_there("gg_own", 1e-4)


def test_save_and_load(bgf, ggf, data, tmp_path):
    bgf.save_model(tmp_path / "bgf.json")
    loaded = compat.BetaGeoFitter()
    loaded.load_model(tmp_path / "bgf.json")
    pd.testing.assert_frame_equal(loaded.summary, bgf.summary)
    assert repr(loaded) == repr(bgf)
    history = (data["frequency"], data["recency"], data["T"])
    pd.testing.assert_series_equal(loaded.predict(5, *history), bgf.predict(5, *history))
    bgf.save_model(tmp_path / "small.json", save_data=False, save_generate_data_method=False)
    assert (tmp_path / "small.json").stat().st_size < 1000
    with pytest.raises(cv.FitError, match="holds a BetaGeoFitter"):
        compat.GammaGammaFitter().load_model(tmp_path / "small.json")
    (tmp_path / "old.pkl").write_bytes(b"\x80\x03cdill")
    with pytest.raises(cv.FitError, match="files of lifetimes cannot be read"):
        loaded.load_model(tmp_path / "old.pkl")


def test_value_of_twelve_months(bgf, ggf, money):
    history = (money["frequency"], money["recency"], money["T"], money["monetary_value"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value = ggf.customer_lifetime_value(bgf, *history, time=12, discount_rate=0.01, freq="W")
    assert value.head(10).tolist() == as_there("clv_weeks", 2e-3)  # 4.345 weeks a month there
    assert value.index.tolist() == money.index.tolist()
    with pytest.warns(cv.DataWarning, match="360 weeks as twelve months"), pytest.warns(match="a year of 360"):
        sold = ggf.customer_lifetime_value(bgf, *history)
    assert sold.iloc[0] > 3.8 * value.iloc[0]  # what lifetimes' tutorial prints as 140.07


def test_a_year_of_days_has_365(daily, summary):
    spend = compat.GammaGammaFitter().fit(summary["frequency"], summary["monetary_value"])
    weekly = compat.BetaGeoFitter().fit(summary["frequency"], summary["recency"] / 7, summary["T"] / 7)
    who = summary.head(1)
    with pytest.warns(cv.DataWarning, match="a year of 360"):
        days = spend.customer_lifetime_value(daily, who["frequency"], who["recency"], who["T"], who["monetary_value"])
    by_week = spend.customer_lifetime_value(
        weekly, who["frequency"], who["recency"] / 7, who["T"] / 7, who["monetary_value"], freq="W"
    )
    assert days.iloc[0] == pytest.approx(by_week.iloc[0], rel=1e-6)


def test_shapes_follow_the_question(bgf):
    assert isinstance(bgf.conditional_probability_alive(2, 30.43, 38.86), float)
    assert isinstance(bgf.conditional_probability_alive(np.array([2, 0]), np.array([30.43, 0]), 38.86), np.ndarray)
    assert 0 < bgf.expected_number_of_purchases_up_to_time(52) < 5


# ------------------------------------------------------------------------------------------------ plotting


def drawn(ax, *at: int) -> list[list[float]]:
    heights = [np.asarray(line.get_ydata()) for line in ax.lines]
    return [h[list(at)].tolist() if at else h.tolist() for h in heights if not at or len(h) > max(at)]


def same(found: list[list[float]], name: str) -> None:
    assert len(found) == len(GOLD[name])
    for ours, theirs in zip(found, GOLD[name], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)


def test_plot_frequency_recency_matrix(bgf):
    figure = plt.figure(figsize=(12, 8))
    ax = plotting.plot_frequency_recency_matrix(bgf, T=5)
    assert ax.figure is figure
    shown = ax.images[0].get_array()
    assert [shown[0, 0], shown[20, 5], shown[38, 29]] == as_there("plot_fr")
    assert "5 Units of Time" in ax.get_title()


def test_plot_probability_alive_matrix(bgf):
    ax = plotting.plot_probability_alive_matrix(bgf, cmap="viridis", title="Alive?")
    assert list(ax.images[0].get_array().shape) == GOLD["bg_matrix_shape"]
    assert ax.get_title() == "Alive?"


def test_plot_expected_repeat_purchases(bgf):
    same(drawn(plotting.plot_expected_repeat_purchases(bgf, label="CDNOW"), 0, 50, 99), "plot_repeat")


@pytest.mark.parametrize("fitter", ["bgf", "bbf"])
def test_plot_period_transactions(fitter, request):
    model = request.getfixturevalue(fitter)
    ax = plotting.plot_period_transactions(model, max_frequency=7)
    actual, expected = np.array([bar.get_height() for bar in ax.patches]).reshape(2, -1)
    counts = model.data.groupby("frequency")["weights"].sum()
    assert actual.tolist() == counts.reindex(range(7), fill_value=0).tolist()
    assert expected == pytest.approx(actual, rel=0.15)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Actual", "Model"]


def test_expected_frequencies_come_from_the_drawn_process_too(data):
    """Pareto/NBD has no closed distribution here: its bars are drawn, and near those of BG/NBD on the same data."""
    few = data.assign(T=data["T"].clip(lower=38))
    fitter = compat.ParetoNBDFitter().fit(few["frequency"], few["recency"], few["T"])
    expected = [bar.get_height() for bar in plotting.plot_period_transactions(fitter, 3).patches][3:]
    assert expected == pytest.approx([1420, 430, 200], rel=0.12)


@pytest.mark.parametrize(("kind", "n", "name"), [("frequency_cal", 7, "plot_holdout"), ("time_since_last_purchase", 5, "plot_since")])  # fmt: skip
def test_plot_calibration_purchases_vs_holdout_purchases(orders, daily, kind, n, name):
    table = calibration_and_holdout_data(orders, "customer_id", "date", "1997-09-30", "1998-06-30")
    same(drawn(plotting.plot_calibration_purchases_vs_holdout_purchases(daily, table, kind=kind, n=n)), name)


def test_plot_history_alive(orders, daily):
    one = orders[orders["customer_id"] == "0111"]
    ax = plotting.plot_history_alive(daily, 545, one, "date", start_date="1997-02-01")
    assert [ax.lines[0].get_ydata()[k] for k in (0, 10, 100, 300, 545)] == as_there("alive_path")
    assert len(ax.collections[0].get_segments()) == one["date"].nunique()


def test_plot_cumulative_and_incremental_transactions(orders, daily):
    ax = plotting.plot_incremental_transactions(daily, orders, "date", "customer_id", 546, 272)
    assert ax.lines[2].get_xdata() == [272, 272]
    same(drawn(ax, 1, 100, 300, 545), "plot_incremental")
    own = plt.figure().subplots()
    ax = plotting.plot_cumulative_transactions(
        daily, orders, "date", "customer_id", 60, 50, set_index_date=True, ax=own
    )
    assert ax is own
    assert ax.get_xlabel() == "date"
    assert len(ax.lines) == 3  # the day that parts calibration from holdout is the third


@pytest.mark.parametrize("what", ["rate", "dropout"])
def test_plot_heterogeneity(bgf, what):
    draw = {"rate": plotting.plot_transaction_rate_heterogeneity, "dropout": plotting.plot_dropout_rate_heterogeneity}
    ax = draw[what](bgf)
    title, *heights = GOLD[f"plot_{what}"]
    assert ax.get_title() == title
    assert drawn(ax, 1, 50, 99)[0] == pytest.approx(heights, rel=1e-5)


# ------------------------------------------------------------------------------------------------ what differs


def test_what_is_not_done_is_said(orders):
    with pytest.raises(ValueError, match="in days, 'D', or in weeks, 'W'"):
        summary_data_from_transaction_data(orders, "customer_id", "date", freq="M")
    with pytest.raises(cv.TableError, match="buyer"):
        summary_data_from_transaction_data(orders, "buyer", "date")
    with pytest.warns(cv.DataWarning, match="penalizer_coef"):
        compat.BetaGeoFitter(penalizer_coef=0.1)
