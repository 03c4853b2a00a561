"""A picture that cannot be drawn is said and stops nothing; a wrong argument still raises."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import clvnb as cv
from clvnb.plots.style import styled, whiskers

METHODS = pd.DataFrame(
    {"method": ["Simple formula", "Model"], "value": [450.0, 935.0], "low": [np.nan, 195.0], "high": [np.nan, 891.0]}
)


def axes():
    return Figure().subplots()


def test_a_value_beyond_its_range_has_no_error_bar_there():
    below, above = whiskers([935.0, 5.0, 1.0], [195.0, 6.0, np.nan], [891.0, 9.0, 2.0])
    np.testing.assert_array_equal(below, [740.0, 0.0, np.nan])
    np.testing.assert_array_equal(above, [0.0, 4.0, 1.0])


def out_of_range(middle: str, low: str, high: str, **more) -> pd.DataFrame:
    return pd.DataFrame({middle: [9.0, 1.0], low: [1.0, 2.0], high: [8.0, 9.0]} | more)


@pytest.mark.parametrize(("plot", "table"), [
    (cv.plots.plot_methods, METHODS),
    (cv.plots.plot_channels, out_of_range("clv", "clv_low", "clv_high", channel=["a", "b"], historic_value=1.0, cac=2.0)),
    (cv.plots.plot_scenarios, out_of_range("net", "net_low", "net_high", scenario=["a", "b"], p_profit=0.5)),
    (cv.plots.plot_realised, out_of_range("realised", "low", "high", predicted=3.0)),
    (cv.plots.plot_link, out_of_range("stayed", "low", "high", score=[1.0, 2.0], answers=5)),
    (cv.plots.plot_waves, out_of_range("value", "low", "high", wave=["1", "2"], date=pd.Timestamp("2024-01-01"))),
    (cv.plots.plot_groups, out_of_range("value", "low", "high", what="p", group=["a", "b"], answers=9, shrunk=1.0, few=False)),
    (cv.plots.plot_drivers, out_of_range("importance", "low", "high", attribute=["a", "b"], performance=1.0, place="x")),
])  # fmt: skip
def test_every_picture_with_ranges_draws_a_value_beyond_them(plot, table):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not hasattr(plot(table, ax=axes()).figure, "clvnb_failed")


@styled
def plot_broken(table: pd.DataFrame, *, ax=None) -> object:
    """Fail by what the table holds."""
    return ax.errorbar([0], table["value"], yerr=table["low"])


def test_what_values_do_to_a_picture_is_said_in_its_place(capsys):
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    with pytest.warns(cv.DataWarning, match=r"plot_broken: This picture could not be drawn \(ValueError: .*negative"):
        ax = plot_broken(pd.DataFrame({"value": [1.0], "low": [-1.0]}), ax=axes())
    assert ax.figure.clvnb_alt.startswith("This picture could not be drawn (ValueError")
    assert not ax.axison
    cv.show(ax)
    assert "This picture could not be drawn (ValueError" in capsys.readouterr().out
    table = pd.DataFrame([[np.nan, np.nan]], index=pd.to_datetime(["2024-01-01"]))
    with pytest.warns(cv.DataWarning, match="plot_cohorts"):
        cv.show(cv.plots.plot_cohorts(table))
    with pytest.warns(cv.DataWarning, match="plot_methods"):
        cv.show(cv.plots.plot_methods(METHODS.assign(value=["much", "little"])))
    assert plt.get_fignums() == before


def test_what_fails_only_when_it_is_laid_out_is_said_too(capsys):
    def unsayable(value, place):
        raise ArithmeticError("no words for it")

    ax = cv.plots.plot_methods(METHODS, ax=axes())
    ax.xaxis.set_major_formatter(unsayable)
    with pytest.warns(cv.DataWarning, match="no words for it"):
        cv.show(ax)
    assert "could not be drawn (ArithmeticError: no words for it)" in capsys.readouterr().out


@pytest.mark.parametrize(("wrong", "error"), [
    (lambda: cv.plots.plot_methods(METHODS.drop(columns="value"), ax=axes()), KeyError),
    (lambda: cv.plots.plot_methods(METHODS.drop(columns="method"), ax=axes()), (KeyError, AttributeError)),
    (lambda: cv.plots.plot_segments(pd.DataFrame({"segment": ["a"], "share_of_value": [0.5]}), ax=axes()), KeyError),
    (lambda: cv.plots.plot_methods(None, ax=axes()), (TypeError, AttributeError)),
    (lambda: cv.plots.plot_methods([1, 2], ax=axes()), TypeError),
    (lambda: cv.plots.plot_methods(METHODS, axis=axes()), TypeError),
    (lambda: cv.plots.plot_methods(METHODS, ax="here"), AttributeError),
    (lambda: cv.plots.plot_methods(METHODS, ax=axes(), words="EUR"), AttributeError),
])  # fmt: skip
def test_a_wrong_argument_raises(wrong, error):
    with pytest.raises(error):
        wrong()


def test_a_report_goes_on_without_the_picture(make_client, tmp_path, monkeypatch):
    """The real runner, on the real notebooks; one picture of chapter 1 fails in the kernel."""
    fault = tmp_path / "fault"
    fault.mkdir()
    (fault / "sitecustomize.py").write_text(
        "import matplotlib.axes as axes\n"
        "def broken(self, *args, **kwargs):\n    raise ValueError(\"'yerr' must not contain negative values\")\n"
        "axes.Axes.errorbar = broken\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", str(fault))
    outcome = cv.report_clients([make_client()], out=tmp_path / "reports")[0]
    assert outcome.status == "done", outcome.error
    page = (outcome.folder / "report.html").read_text(encoding="utf-8")
    assert "This picture could not be drawn (ValueError: &#x27;yerr&#x27; must not contain negative values)." in page
