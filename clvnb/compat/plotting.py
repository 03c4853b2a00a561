"""What ``lifetimes.plotting`` offers, drawn by matplotlib on the current axes, or on ``ax``.

In: a fitter of ``clvnb.compat``, fitted, and orders or a holdout table. Out: the axes. ``title``, ``xlabel`` and ``ylabel``
change the words, all other ``kwargs`` go to matplotlib.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .utils import calculate_alive_path, expected_cumulative_transactions

__all__ = [
    "plot_calibration_purchases_vs_holdout_purchases",
    "plot_cumulative_transactions",
    "plot_dropout_rate_heterogeneity",
    "plot_expected_repeat_purchases",
    "plot_frequency_recency_matrix",
    "plot_history_alive",
    "plot_incremental_transactions",
    "plot_period_transactions",
    "plot_probability_alive_matrix",
    "plot_transaction_rate_heterogeneity",
]


def plot_period_transactions(model: Any, max_frequency: int = 7, **kwargs: Any) -> Any:
    """Draw how many customers bought 0, 1, ... times, beside what the model expects of them as newcomers."""
    weights, names = model.data["weights"], kwargs.pop("label", ["Actual", "Model"])
    ages = weights.groupby(model.data["T"].clip(lower=1e-9)).sum()
    expected = sum(n * model._chances(age, max_frequency - 1) for age, n in ages.items())
    actual = weights.groupby(model.data["frequency"]).sum().reindex(range(max_frequency), fill_value=0)
    ax, said = _begin(
        kwargs, "Frequency of Repeat Transactions", "Number of Calibration Period Transactions", "Customers"
    )
    table = pd.DataFrame({names[0]: actual, names[1]: expected})
    return _end(table.plot(kind="bar", ax=ax, **kwargs), said)


def plot_calibration_purchases_vs_holdout_purchases(
    model: Any, calibration_holdout_matrix: pd.DataFrame, kind: str = "frequency_cal", n: int = 7, **kwargs: Any
) -> Any:
    """Draw mean purchases of the holdout by what was known before it: ``kind``, the first ``n`` values of it."""
    table = calibration_holdout_matrix
    expected = model.predict(
        table["duration_holdout"].iloc[0], table["frequency_cal"], table["recency_cal"], table["T_cal"]
    )
    table = table.assign(model_predictions=expected, time_since_last_purchase=table["T_cal"] - table["recency_cal"])
    means = table.groupby(kind)[["frequency_holdout", "model_predictions"]].mean().iloc[:n]
    title = "Actual Purchases in Holdout Period vs Predicted Purchases"
    ax, said = _begin(kwargs, title, kind, "Average of Purchases in Holdout Period")
    return _end(means.plot(ax=ax, **kwargs), said)


def plot_frequency_recency_matrix(
    model: Any, T: float = 1, max_frequency: int | None = None, max_recency: int | None = None, **kwargs: Any
) -> Any:
    """Draw the purchases expected in the next ``T`` units of time; blank for a history that cannot be."""
    found = model._matrix(lambda *history: model.predict(T, *history), max_frequency, max_recency)
    return _heat(found, f"Expected Number of Future Purchases for {T} Unit{'s' * (T != 1)} of Time", kwargs)


def plot_probability_alive_matrix(
    model: Any, max_frequency: int | None = None, max_recency: int | None = None, **kwargs: Any
) -> Any:
    """Draw the chance to be active; blank for a history that cannot be."""
    found = model.conditional_probability_alive_matrix(max_frequency, max_recency)
    return _heat(found, "Probability Customer is Alive", kwargs)


def plot_expected_repeat_purchases(model: Any, **kwargs: Any) -> Any:
    """Draw a new customer's repeat purchases by age, dashed beyond the oldest customer's."""
    title, last = "Expected Number of Repeat Purchases per Customer", model.data["T"].max()
    ax, said = _begin(kwargs, title, "Time Since First Purchase", "")
    seen, beyond = np.linspace(0, last, 100), np.linspace(last, 1.5 * last, 100)
    line = ax.plot(seen, model.expected_number_of_purchases_up_to_time(seen), **kwargs)[0]
    ax.plot(beyond, model.expected_number_of_purchases_up_to_time(beyond), ls="--", color=line.get_color())
    return _end(ax, said)


def plot_history_alive(
    model: Any, t: int, transactions: pd.DataFrame, datetime_col: str, freq: str = "D", start_date: Any = None, **kwargs: Any
) -> Any:  # fmt: skip
    """Draw one customer's chance to be active period by period, with a line at each purchase."""
    ax, said = _begin(kwargs, "History of P_alive", "", "P_alive")
    on = pd.to_datetime(transactions[datetime_col])
    path = calculate_alive_path(model, transactions, datetime_col, t, freq)
    days = pd.period_range(on.min(), periods=len(path), freq=freq).start_time
    ax.plot(days, path, **{"label": "P_alive"} | kwargs)
    ax.vlines(on.unique(), ymin=0, ymax=1, colors="r", linestyles="dashed", label="purchases")
    ax.set(ylim=(0, 1), xlim=(pd.Timestamp(start_date or days[0]), days[-1]))
    return _end(ax, said)


def plot_cumulative_transactions(
    model: Any, transactions: pd.DataFrame, datetime_col: str, customer_id_col: str, t: int, t_cal: int,
    datetime_format: str | None = None, freq: str = "D", set_index_date: bool = False, **kwargs: Any,
) -> Any:  # fmt: skip
    """Draw all repeat purchases, actual and predicted, summed up, with a line after ``t_cal`` of the ``t`` periods."""
    table = expected_cumulative_transactions(
        model, transactions, datetime_col, customer_id_col, t, datetime_format, freq, set_index_date
    )
    return _track(table, t_cal, "Cumulative", kwargs)


def plot_incremental_transactions(
    model: Any, transactions: pd.DataFrame, datetime_col: str, customer_id_col: str, t: int, t_cal: int,
    datetime_format: str | None = None, freq: str = "D", set_index_date: bool = False, **kwargs: Any,
) -> Any:  # fmt: skip
    """Draw all repeat purchases, actual and predicted, of each period, with a line after ``t_cal`` of the ``t``."""
    table = expected_cumulative_transactions(
        model, transactions, datetime_col, customer_id_col, t, datetime_format, freq, set_index_date
    )
    return _track(table.diff().fillna(table.iloc[:1]), t_cal, "Daily" if freq == "D" else "Weekly", kwargs)


def plot_transaction_rate_heterogeneity(model: Any, **kwargs: Any) -> Any:
    """Draw how the purchase rate differs between customers: the gamma density of BG/NBD, MBG/NBD, Pareto/NBD."""
    from scipy.stats import gamma

    return _density(gamma(model.params_["r"], scale=1 / model.params_["alpha"]), "Transaction Rate", kwargs)


def plot_dropout_rate_heterogeneity(model: Any, **kwargs: Any) -> Any:
    """Draw how the chance to leave at a purchase differs between customers: the beta density of BG/NBD, MBG/NBD."""
    from scipy.stats import beta

    return _density(beta(model.params_["a"], model.params_["b"]), "Dropout Probability p", kwargs)


def _begin(kwargs: dict[str, Any], title: str, xlabel: str, ylabel: str) -> tuple[Any, dict[str, str]]:
    """The axes to draw on, and the words for them; both are taken out of ``kwargs`` where they are given."""
    import matplotlib.pyplot as plt

    size, ax = kwargs.pop("figsize", None), kwargs.pop("ax", None)
    if ax is None:
        ax = plt.figure(figsize=size).gca() if size else plt.gca()
    return ax, {k: kwargs.pop(k, v) for k, v in (("title", title), ("xlabel", xlabel), ("ylabel", ylabel))}


def _end(ax: Any, said: dict[str, str]) -> Any:
    ax.set(**said)
    if ax.get_legend_handles_labels()[0]:
        ax.legend()
    return ax


def _heat(found: np.ndarray, what: str, kwargs: dict[str, Any]) -> Any:
    title = f"{what},\nby Frequency and Recency of a Customer"
    ax, said = _begin(kwargs, title, "Customer's Historical Frequency", "Customer's Recency")
    image = ax.imshow(found, **{"interpolation": "none", "aspect": "auto"} | kwargs)
    ax.figure.colorbar(image, ax=ax)
    return _end(ax, said)


def _track(table: pd.DataFrame, t_cal: int, what: str, kwargs: dict[str, Any]) -> Any:
    dated = isinstance(table.index, pd.PeriodIndex)
    ax, said = _begin(kwargs, f"Tracking {what} Transactions", "date" if dated else "day", f"{what} Transactions")
    ax = table.plot(ax=ax, **kwargs)
    ax.axvline(x=table.index[t_cal] if dated else t_cal, color="r", linestyle="--")
    return _end(ax, said)


def _density(shape: Any, xlabel: str, kwargs: dict[str, Any]) -> Any:
    ax, said = _begin(kwargs, f"mean: {shape.mean():.3f}, var: {shape.var():.3f}", xlabel, "Density")
    rates = np.linspace(0, shape.ppf(0.99), 100)
    ax.plot(rates, shape.pdf(rates), **kwargs)
    return _end(ax, said)
