"""The names of the package ``lifetimes``, for scripts and tutorials that were written for it.

In: the arguments that ``lifetimes`` 0.11.3 takes. Out: the shapes that it gives, computed by clvnb; and a
``DataWarning`` where its units would have led astray.

Time has the unit of the numbers that come in: a model that was fitted on weeks answers in weeks. ``compat.utils``,
``compat.plotting`` and ``compat.datasets`` stand beside; docs/coming-from.md names what is not there.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from ..core.errors import DataWarning, FitError
from ..core.maths import tail
from ..models import BGBB, BGNBD, MBGNBD, GammaGamma, ParetoNBD
from .utils import calibration_and_holdout_data, summary_data_from_transaction_data

__all__ = [
    "BetaGeoBetaBinomFitter",
    "BetaGeoFitter",
    "GammaGammaFitter",
    "ModifiedBetaGeoFitter",
    "ParetoNBDFitter",
    "calibration_and_holdout_data",
    "summary_data_from_transaction_data",
]

# What a month is in each unit: here, and in lifetimes.
_MONTHS = {
    "D": (365.25 / 12, 30.0),
    "W": (365.25 / 84, 4.345),
    "M": (1.0, 1.0),
    "h": (730.5, 720.0),
    "H": (730.5, 720.0),
}


class _Fitter:
    """A clvnb model under ``lifetimes``' names; a subclass names the model, and the columns that ``fit`` takes.

    After ``fit`` there are ``params_``, ``standard_errors_``, ``variance_matrix_``, ``confidence_intervals_`` (95 %, never
    below 0) and ``summary``, all in the unit of the data; ``data`` with the ``weights``; and ``model``, which answers.
    """

    kind: ClassVar[type[Any]]
    columns: ClassVar[tuple[str, ...]]
    data: pd.DataFrame

    def __init__(self, penalizer_coef: float = 0.0) -> None:
        if penalizer_coef:
            text = f"penalizer_coef={penalizer_coef} is not used: it moves the estimates towards 0, and clvnb's fit needs no help to converge"
            warnings.warn(text, DataWarning, stacklevel=2)
        self.model: Any = self.kind()

    def _fit(self, values: tuple[Any, ...], weights: Any, index: Any) -> Self:
        rows = pd.DataFrame(dict(zip(self.columns, _columns(*values), strict=True)))
        counts = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=float)
        if (counts != np.floor(counts)).any() or (counts < 0).any():
            raise ValueError("weights are numbers of customers: whole, and not below 0")
        self.data = rows.assign(weights=counts.astype(int)).set_axis(range(len(rows)) if index is None else index)
        self.model.fit(_table(**rows.loc[rows.index.repeat(self.data["weights"])]))
        logs = self.model.covariance_.iloc[: len(self.params_), : len(self.params_)]
        return self._spread(logs * np.outer(self.params_, self.params_))

    def _spread(self, variance: pd.DataFrame) -> Self:
        self.variance_matrix_ = variance
        self.standard_errors_ = pd.Series(np.sqrt(np.diag(variance)), index=variance.index)
        reach, names = np.exp(tail(0.95) * self.standard_errors_ / self.params_), ["lower 95% bound", "upper 95% bound"]
        self.confidence_intervals_ = pd.concat([self.params_ / reach, self.params_ * reach], axis=1, keys=names)
        return self

    @property
    def params_(self) -> pd.Series:
        """The estimates."""
        return self.model.params_

    @property
    def summary(self) -> pd.DataFrame:
        """``coef, se(coef), lower 95% bound, upper 95% bound``, by parameter."""
        return pd.DataFrame({"coef": self.params_, "se(coef)": self.standard_errors_}).join(self.confidence_intervals_)

    def save_model(self, path: str | Path, save_data: bool = True, save_generate_data_method: bool = True) -> None:
        """Write the parameters, their covariance and, with ``save_data``, the data to a file of JSON."""
        kept = {"fitter": type(self).__name__, "params": self.params_.to_dict()}
        kept["variance"] = self.variance_matrix_.to_numpy().tolist()
        kept["data"] = self.data.reset_index(drop=True).to_dict("list") if save_data else None
        Path(path).write_text(json.dumps(kept), encoding="utf-8")

    def load_model(self, path: str | Path) -> None:
        """Take over what ``save_model`` wrote; a FitError for a file of ``lifetimes`` itself, or of another fitter."""
        try:
            kept = json.loads(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise FitError(f"{path} was not written by clvnb; files of lifetimes cannot be read: fit anew") from error
        if kept["fitter"] != type(self).__name__:
            raise FitError(f"{path} holds a {kept['fitter']}, not a {type(self).__name__}")
        self.model = self.kind.with_params(**kept["params"])
        self._spread(pd.DataFrame(kept["variance"], index=self.params_.index, columns=self.params_.index))
        if kept["data"] is not None:
            self.data = pd.DataFrame(kept["data"])

    def __repr__(self) -> str:
        fitted = f": fitted with {len(self.data)} subjects," if hasattr(self, "data") else ":"
        values = sorted(self.params_.items()) if hasattr(self.model, "params_") else []
        return f"<clvnb.compat.{type(self).__name__}{fitted} {', '.join(f'{k}: {v:.2f}' for k, v in values)}>"


class _PurchaseFitter(_Fitter):
    """A model of purchases: ``frequency``, ``recency`` and ``T`` are numbers, arrays or Series, and so are the answers."""

    columns = ("frequency", "recency", "T")

    def fit(
        self, frequency: Any, recency: Any, T: Any, weights: Any = None, *, index: Any = None, **search: Any
    ) -> Self:
        """Estimate the parameters; ``weights`` are numbers of customers, settings of lifetimes' search are not used."""
        return self._fit((frequency, recency, T), weights, index)

    def conditional_expected_number_of_purchases_up_to_time(
        self, t: float, frequency: Any, recency: Any, T: Any
    ) -> Any:
        """Return the purchases expected of customers in the next ``t`` units of time."""
        return _like(frequency, self.model.expected_purchases(_table(frequency, recency, T), float(t)))

    predict = conditional_expected_number_of_purchases_up_to_time

    def conditional_probability_alive(self, frequency: Any, recency: Any, T: Any) -> Any:
        """Return the chance that customers are still active."""
        return _like(frequency, self.model.probability_alive(_table(frequency, recency, T)))

    def conditional_probability_alive_matrix(self, max_frequency: Any = None, max_recency: Any = None) -> np.ndarray:
        """Return that chance by recency (rows) and frequency (columns); missing for a history that cannot be."""
        return self._matrix(self.conditional_probability_alive, max_frequency, max_recency)

    def _matrix(self, ask: Any, max_frequency: Any, max_recency: Any) -> np.ndarray:
        x, t_x = max_frequency or int(self.data["frequency"].max()), max_recency or int(self.data["T"].max())
        recency, frequency = np.indices((t_x + 1, x + 1)).astype(float)
        found, can_be = np.full(frequency.shape, np.nan), (frequency > 0) == (recency > 0)
        found[can_be] = ask(frequency[can_be], recency[can_be], float(t_x))
        return found

    def expected_number_of_purchases_up_to_time(self, t: Any) -> Any:
        """Return the repeat purchases of a new customer in ``t`` units of time, a number or an array of them."""
        each = [float(self.model.expected_purchases_new(float(k))) if k > 0 else 0.0 for k in np.ravel(t)]
        return np.reshape(each, np.shape(t)) if np.ndim(t) else each[0]

    def _chances(self, age: float, up_to: int) -> np.ndarray:
        """The chance that a new customer has made 0 ... ``up_to`` repeat purchases at an age."""
        drawn = self.model.outcomes(_table(0), age)[:, 0]
        return (drawn[:, None] == np.arange(up_to + 1)).mean(axis=0)


class BetaGeoFitter(_PurchaseFitter):
    """BG/NBD under ``lifetimes``' names.

    Examples
    --------
    >>> week = BetaGeoFitter()
    >>> week.model = BGNBD.with_params(r=0.243, alpha=4.414, a=0.793, b=2.426)  # in weeks, and so are the answers
    >>> round(week.predict(39, 2, 30.43, 38.86), 3)
    1.226
    """

    kind: ClassVar[type[Any]] = BGNBD

    def probability_of_n_purchases_up_to_time(self, t: float, n: int) -> float:
        """Return the chance that a new customer makes ``n`` repeat purchases in ``t`` units of time."""
        return float(self._chances(t, n)[n])

    def _chances(self, age: float, up_to: int) -> np.ndarray:
        return self.model.purchase_probabilities(float(age), up_to)


class ModifiedBetaGeoFitter(BetaGeoFitter):
    """MBG/NBD under ``lifetimes``' names; see ``BetaGeoFitter``."""

    kind = MBGNBD


class ParetoNBDFitter(_PurchaseFitter):
    """Pareto/NBD under ``lifetimes``' names; see ``BetaGeoFitter``."""

    kind = ParetoNBD


class BetaGeoBetaBinomFitter(_PurchaseFitter):
    """BG/BB under ``lifetimes``' names; time is a number of opportunities to buy.

    Examples
    --------
    >>> donors = BetaGeoBetaBinomFitter()
    >>> donors.model = BGBB.with_params(alpha=1.204, beta=0.750, gamma=0.657, delta=2.783)
    >>> round(donors.conditional_expected_number_of_purchases_up_to_time(10, 4, 5, 6), 2)
    3.63
    """

    kind = BGBB

    def conditional_probability_alive(self, m: int, frequency: Any, recency: Any, T: Any) -> Any:  # type: ignore[override]
        """Return the chance that customers are still there at the ``m``-th opportunity from now, 0 for now."""
        from scipy.special import betaln

        of, (_, _, gamma, delta) = _table(frequency, recency, T), self.params_
        further = betaln(gamma, delta + of["T"] + m) - betaln(gamma, delta + of["T"] + 1)
        return _like(frequency, self.model.probability_alive(of) * np.exp(further))

    def expected_number_of_transactions_in_first_n_periods(self, n: int) -> pd.DataFrame:
        """Return how many of the fit's customers buy so often at the first ``n`` opportunities, by ``frequency``."""
        customers = self.data.groupby("frequency")["weights"].sum()
        chances = self._chances(n, int(customers.index.max()))[customers.index.astype(int)]
        return pd.DataFrame({"model": chances * customers.sum()}, index=customers.index)

    def _chances(self, age: float, up_to: int) -> np.ndarray:
        from scipy.special import betaln, binom

        alpha, beta, gamma, delta = self.params_
        x, i = np.arange(up_to + 1)[:, None], np.arange(int(age) + 1)  # there at i opportunities and gone, or at all
        buys = binom(i, x) * np.exp(betaln(alpha + x, beta + np.maximum(i - x, 0)) - betaln(alpha, beta))
        stays = np.exp(betaln(gamma + (i < age), delta + i) - betaln(gamma, delta))
        return (buys * stays).sum(axis=1)


class GammaGammaFitter(_Fitter):
    """Gamma-Gamma under ``lifetimes``' names; ``monetary_value`` is the mean money of a repeat purchase.

    Examples
    --------
    >>> spend = GammaGammaFitter()
    >>> spend.model = GammaGamma.with_params(p=6.25, q=3.74, v=15.44)
    >>> round(spend.conditional_expected_average_profit(2, 22.345), 4)
    24.6596
    """

    kind = GammaGamma
    columns = ("frequency", "monetary_value")

    def fit(
        self, frequency: Any, monetary_value: Any, weights: Any = None, *, index: Any = None, **search: Any
    ) -> Self:
        """Estimate the parameters from customers who came again; settings of lifetimes' search are not used."""
        return self._fit((frequency, monetary_value), weights, index)

    def conditional_expected_average_profit(self, frequency: Any = None, monetary_value: Any = None) -> Any:
        """Return the money expected of each customer's purchase; of those of the fit when left out."""
        x = self.data["frequency"] if frequency is None else frequency
        money = self.data["monetary_value"] if monetary_value is None else monetary_value
        return _like(x, self.model.expected_spend(_table(x, monetary_value=money)))

    def customer_lifetime_value(
        self, transaction_prediction_model: Any, frequency: Any, recency: Any, T: Any, monetary_value: Any,
        time: float = 12, discount_rate: float = 0.01, freq: str = "D",
    ) -> pd.Series:  # fmt: skip
        """Return the discounted value of the next ``time`` months, each month's purchases at its end.

        A month is a twelfth of 365.25 days. ``lifetimes`` takes 30 units of ``freq="D"`` whatever the data are in: its
        own tutorial, whose data are in weeks, so prints a value of 360 weeks as that of twelve months.

        Parameters
        ----------
        transaction_prediction_model : fitter
            Of purchases, fitted, in the unit of ``recency`` and ``T``.
        frequency, recency, T, monetary_value
            One value per customer.
        time, discount_rate : float
            Whole months, a fraction is left out; a rate per month, 0.01 is 12.7 % a year.
        freq : "D", "W", "M" or "h"
            The unit of ``recency`` and ``T``; another one is a ValueError.

        Returns
        -------
        pandas.Series
            Named ``clv``: revenue, unless ``monetary_value`` was margin. A DataWarning says where the data do not look
            like ``freq``, and where ``lifetimes`` would have taken another month.
        """
        if freq not in _MONTHS:
            raise ValueError(f"freq must be one of {', '.join(_MONTHS)}, got {freq!r}")
        _warn_of_units(np.asarray(recency, dtype=float), np.asarray(T, dtype=float), freq)
        total, before = 0.0, 0.0
        for k in range(1, int(time) + 1):
            by_then = transaction_prediction_model.predict(k * _MONTHS[freq][0], frequency, recency, T)
            total, before = total + (by_then - before) / (1 + discount_rate) ** k, by_then
        value = np.asarray(total) * np.asarray(self.conditional_expected_average_profit(frequency, monetary_value))
        return pd.Series(value, index=getattr(frequency, "index", None), name="clv")


def _warn_of_units(recency: np.ndarray, T: np.ndarray, freq: str) -> None:
    real, taken = _MONTHS[freq]
    if freq in {"D", "h", "H"} and ((recency % 1 != 0).any() or (T % 1 != 0).any()):
        text = (
            f"recency and T are no whole numbers, as weeks cut from days are, and freq={freq!r} says otherwise: with data in weeks, "
            "lifetimes' default sells 360 weeks as twelve months. Say freq='W' if they are weeks."
        )
        warnings.warn(text, DataWarning, stacklevel=3)
    if abs(taken / real - 1) > 0.005:
        text = f"a month is {real:.4g} units of freq={freq!r} here; lifetimes takes {taken:g}, a year of {12 * taken:g}, and so shows less"
        warnings.warn(text, DataWarning, stacklevel=3)


def _columns(*values: Any) -> tuple[np.ndarray, ...]:
    """Numbers, arrays or columns as arrays of one length."""
    return np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, dtype=float)) for v in values))


def _table(frequency: Any, recency: Any = 0.0, T: Any = 0.0, monetary_value: Any = 0.0) -> pd.DataFrame:
    """A SUMMARY of numbers, arrays or columns."""
    x, t_x, age, money = _columns(frequency, recency, T, monetary_value)
    ids, money = np.arange(len(x)).astype(str), np.where(x > 0, money, np.nan)
    return pd.DataFrame({"customer_id": ids, "frequency": x, "recency": t_x, "T": age, "monetary_value": money})


def _like(asked: Any, answer: pd.Series) -> Any:
    """The answer in the shape of the question: a number, an array, or a series on its index."""
    if isinstance(asked, pd.Series):
        return answer.set_axis(asked.index)
    return answer.to_numpy() if np.ndim(asked) else float(answer.iloc[0])
