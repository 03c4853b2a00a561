"""What every model shares: fitting on collapsed rows, tables of parameters, scoring, intervals and totals.

In: a SUMMARY, pandas or Ibis. Out: estimates per customer in the kind that came in, or one Estimate for the total.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..engine import is_ibis, run
from ..formulas import annual_to_daily, days
from ..tables import SUMMARY, Estimate, FitError, TableError, check
from .fitting import Fit, Triples, Vector, maximize

__all__ = ["TOTAL_DRAWS", "Model", "TransactionModel", "collapse", "discount_weights", "spread", "tail"]

# Enough for the spread of a total: the interval of a standard deviation from 100 draws is within 15 %.
TOTAL_DRAWS = 100
KEYS = ["frequency", "recency", "T"]
_STEPS_PER_YEAR = {"day": 365.25, "week": 52.0, "month": 12.0}
_STEP_DAYS = {"day": 1.0, "week": 7.0, "month": 365.25 / 12}


def tail(level: float) -> float:
    """How many standard deviations reach an interval of this level."""
    from scipy.special import ndtri

    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, for example 0.9, got {level}")
    return float(ndtri((1 + level) / 2))


class Model(ABC):
    """Parameters, their uncertainty and the likelihood of a fitted model; see its subclasses.

    Attributes
    ----------
    params_ : pandas.Series
        Estimates by name; time in days, money in the client's currency.
    standard_errors_ : pandas.Series
        On the same scale, by the delta method from the logarithms.
    log_likelihood_, aic_, bic_ : float
    n_ : int
        Customers that the fit used.
    at_bound_ : tuple of str
        Parameters that the data could not determine.
    """

    name: ClassVar[str]
    parameters: ClassVar[tuple[str, ...]]
    time_powers: ClassVar[dict[str, int]] = {}  # alpha in days is alpha in weeks times 7 ** 1

    params_: pd.Series
    fit_: Fit | None = None
    n_: int = 0

    @classmethod
    def with_params(cls, *, unit: str | float = "1 day", **params: float) -> Self:
        """Make a model with given parameters, for example published ones, without fitting.

        Parameters
        ----------
        unit : str
            The time unit of the parameters: ``"1 week"`` for most papers.
        **params : float
            One value above zero for each of the model's parameters.
        """
        if set(params) != set(cls.parameters):
            raise ValueError(f"{cls.name} needs the parameters {', '.join(cls.parameters)}, got {', '.join(params)}")
        for name, value in params.items():
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"{cls.name}: {name} must be above 0, got {value}")
        model = cls()
        scale = days(unit)
        model.params_ = pd.Series({k: float(params[k]) * scale ** cls.time_powers.get(k, 0) for k in cls.parameters})
        return model

    def _accept(self, fit: Fit, n: float) -> Self:
        self.fit_ = fit
        self.n_ = int(n)
        self.params_ = pd.Series(fit.values, index=list(fit.names))
        return self

    def _fitted(self) -> Fit:
        if self.fit_ is None:
            raise FitError(f"{self.name} was not fitted: call .fit(summary) first")
        return self.fit_

    def _theta(self) -> Vector:
        if not hasattr(self, "params_"):
            raise FitError(f"{self.name} has no parameters yet: call .fit(summary) first")
        return np.asarray(self.params_, dtype=float)

    @property
    def standard_errors_(self) -> pd.Series:
        """Standard errors of ``params_``, by the delta method."""
        log_se = np.sqrt(np.diag(self._fitted().log_covariance))
        return self.params_ * log_se

    @property
    def covariance_(self) -> pd.DataFrame:
        """Covariance of the logarithms of the parameters."""
        return pd.DataFrame(self._fitted().log_covariance, index=list(self.parameters), columns=list(self.parameters))

    @property
    def log_likelihood_(self) -> float:
        """The log-likelihood at the estimates, time in days."""
        return self._fitted().log_likelihood

    @property
    def aic_(self) -> float:
        """Akaike's criterion, 2k - 2 log-likelihood; lower is better."""
        return 2 * len(self.parameters) - 2 * self.log_likelihood_

    @property
    def bic_(self) -> float:
        """Schwarz's criterion, k ln n - 2 log-likelihood; lower is better."""
        return len(self.parameters) * float(np.log(self.n_)) - 2 * self.log_likelihood_

    @property
    def at_bound_(self) -> tuple[str, ...]:
        """Parameters that ran to a bound: the data cannot tell how small or large they are."""
        return self._fitted().at_bound

    def summary(self, *, unit: str = "1 day", level: float = 0.95) -> pd.DataFrame:
        """Return the table of parameters.

        Parameters
        ----------
        unit : str
            Time unit of the shown parameters; ``"week"`` gives those of the papers.
        level : float
            Of the interval, which is made on the log scale and so never reaches below zero.

        Returns
        -------
        pandas.DataFrame
            Columns ``parameter, estimate, standard_error, low, high``.
        """
        scale = days(unit if unit[:1].isdigit() else f"1 {unit}")
        factor = np.array([scale ** -self.time_powers.get(k, 0) for k in self.parameters])
        log_se = np.sqrt(np.diag(self._fitted().log_covariance))
        estimate = self._theta() * factor
        z = tail(level)
        return pd.DataFrame(
            {
                "parameter": list(self.parameters),
                "estimate": estimate,
                "standard_error": estimate * log_se,
                "low": estimate * np.exp(-z * log_se),
                "high": estimate * np.exp(z * log_se),
            }
        )

    def draws(self, size: int, *, seed: int = 0) -> NDArray[np.float64]:
        """Draw parameters from their approximate posterior: normal in the logarithms (Laplace).

        Parameters
        ----------
        size : int
        seed : int

        Returns
        -------
        array of shape (size, number of parameters)
            A parameter at a bound does not vary.
        """
        rng = np.random.default_rng(seed)
        if self.fit_ is None:
            return np.tile(self._theta(), (size, 1))
        covariance = np.nan_to_num(self.fit_.log_covariance)
        noise = rng.multivariate_normal(np.zeros(len(covariance)), covariance, size=size, method="eigh")
        return np.asarray(self._theta() * np.exp(noise))

    def __repr__(self) -> str:
        if not hasattr(self, "params_"):
            return f"{type(self).__name__}()"
        inside = ", ".join(f"{k}={v:.4g}" for k, v in self.params_.items())
        return f"{type(self).__name__}({inside})"


def collapse(summary: Any, extra: dict[str, Callable[[Any], Any]] | None = None) -> pd.DataFrame:
    """Return the distinct (frequency, recency, T) with their number of customers ``n``.

    An Ibis table is grouped in its engine, and only the distinct rows come back.

    Parameters
    ----------
    summary : SUMMARY
    extra : mapping, optional
        Further sums for Ibis or pandas: name to a function of the table that gives the column to be summed.

    Returns
    -------
    pandas.DataFrame
        ``frequency, recency, T, n`` and the extra sums, sorted.
    """
    check(summary, SUMMARY)
    sums = extra or {}
    if is_ibis(summary):
        grouped = summary.group_by(KEYS).aggregate(n=summary.count(), **{k: f(summary).sum() for k, f in sums.items()})
        return _sane(run(grouped.order_by(KEYS), summary))
    columns = summary[KEYS].assign(n=1, **{k: f(summary) for k, f in sums.items()})
    return _sane(columns.groupby(KEYS, as_index=False, sort=True, dropna=False).sum())


def _sane(triples: pd.DataFrame) -> pd.DataFrame:
    """Refuse what cannot be: negative counts, a last purchase after the end, repeats on day 0."""
    x, t_x, T = (triples[k] for k in KEYS)
    wrong = triples[
        x.isna() | t_x.isna() | T.isna() | (x < 0) | (t_x < 0) | (t_x > T) | (x != np.floor(x))
        | ((x > 0) & (t_x == 0)) | ((x == 0) & (t_x > 0))
    ]  # fmt: skip
    if len(wrong):
        row = wrong.iloc[0]
        raise TableError(
            f"a SUMMARY row cannot be: frequency {row.frequency}, recency {row.recency}, T {row['T']} "
            f"({int(wrong.n.sum())} customers). Needed: 0 <= recency <= T in days, frequency a whole number of "
            "repeat purchases, and recency 0 exactly when frequency is 0; `summarize` makes it so."
        )
    if triples.empty:
        raise TableError("the SUMMARY has no customers")
    return triples


class TransactionModel(Model):
    """A model of repeat purchases where the end of a relation is never seen (non-contractual).

    A subclass brings the paper's pure functions; given that a customer is alive, the future depends on (x, T) only.
    """

    def fit(self, summary: Any) -> Self:
        """Estimate the parameters by maximum likelihood.

        Parameters
        ----------
        summary : SUMMARY
            pandas or Ibis; only distinct (frequency, recency, T) with counts are brought to Python.

        Returns
        -------
        self

        Raises
        ------
        FitError
            When nobody bought twice, or the likelihood has no proper maximum.
        """
        rows = collapse(summary)
        n = float(rows["n"].sum())
        if float((rows["frequency"] * rows["n"]).sum()) == 0:
            raise FitError(
                f"none of the {n:,.0f} customers bought twice, so {self.name} cannot tell how often they return. "
                "Report historic value only, and come back when there are repeat purchases."
            )
        data = Triples.of(rows["frequency"], rows["recency"], rows["T"], rows["n"])

        def objective(theta: Vector) -> tuple[float, Vector]:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                value, gradient = self._log_likelihood(theta, data)
            return float(data.n @ value), gradient @ data.n

        return self._accept(maximize(objective, self._starts(rows), self.parameters, n, self.name), n)

    # ---- the paper's functions, by subclass ----
    @abstractmethod
    def _log_likelihood(self, theta: Vector, data: Triples) -> tuple[Vector, Vector]: ...

    @abstractmethod
    def _starts(self, rows: pd.DataFrame) -> list[list[float]]: ...

    @abstractmethod
    def _alive(self, theta: Vector, x: Vector, t_x: Vector, T: Vector) -> Vector: ...

    @abstractmethod
    def _purchases_if_alive(self, theta: Vector, x: Vector, T: Vector, t: float) -> Vector: ...

    @abstractmethod
    def _purchases_new(self, theta: Vector, t: float) -> float: ...

    @abstractmethod
    def _simulate_if_alive(self, theta: Vector, x: Vector, T: Vector, t: float, rng: np.random.Generator) -> Vector: ...

    # ---- per customer ----
    def probability_alive(self, summary: Any) -> Any:
        """Return the probability that each customer has not dropped out by T.

        Parameters
        ----------
        summary : SUMMARY

        Returns
        -------
        pandas.Series
            Named ``p_alive``, on the index of ``summary``; for an Ibis table, a table (customer_id, p_alive).
        """
        return self._each(summary, lambda x, t_x, T: {"p_alive": self._alive(self._theta(), x, t_x, T)})

    def expected_purchases(self, summary: Any, horizon: str | float) -> Any:
        """Return how many purchases are expected of each customer over the horizon.

        Parameters
        ----------
        summary : SUMMARY
        horizon : str or number of days
            For example ``"39 weeks"`` or ``"1 year"``.

        Returns
        -------
        pandas.Series
            Named ``expected_purchases``; for an Ibis table, a table (customer_id, expected_purchases).
        """
        t = days(horizon)
        return self._each(
            summary, lambda x, t_x, T: {"expected_purchases": self._expected(self._theta(), x, t_x, T, t)}
        )

    def expected_purchases_new(self, horizon: str | float) -> float:
        """Return how many repeat purchases a new customer makes over the horizon, the first one not counted."""
        return float(self._purchases_new(self._theta(), days(horizon)))

    def discounted_purchases(
        self, summary: Any, horizon: str | float, discount_rate: float, *, step: str | None = None
    ) -> Any:
        """Return the expected purchases over the horizon, each discounted to the day the horizon starts.

        Parameters
        ----------
        summary : SUMMARY
        horizon : str or number of days
        discount_rate : float
            Effective, a year.
        step : "day", "week", "month" or None
            None discounts each purchase from its own moment. Otherwise from the end of its step, of which a year
            has 365.25, 52 or 12, as older tutorials do.

        Returns
        -------
        pandas.Series
            Named ``discounted_purchases``; for an Ibis table, a table (customer_id, discounted_purchases).
        """
        weights = discount_weights(horizon, discount_rate, step)
        return self._each(
            summary,
            lambda x, t_x, T: {"discounted_purchases": self._discounted(self._theta(), x, t_x, T, weights)},
        )

    def purchase_interval(
        self, summary: Any, horizon: str | float, level: float = 0.9, *, total: bool = False, seed: int = 0
    ) -> Any:
        """Return the interval that holds the purchases to come, chance and parameter uncertainty included.

        Parameters
        ----------
        summary : SUMMARY
        horizon : str or number of days
        level : float
        total : bool
            Instead of each customer, the sum over all of them.
        seed : int

        Returns
        -------
        pandas.DataFrame or Estimate
            Columns ``expected_purchases_low, expected_purchases_high`` on the index of ``summary`` (for an Ibis
            table with ``customer_id``); with ``total`` an ``Estimate``.
        """
        t = days(horizon)
        if total:
            return self._total_purchases(collapse(summary), t, level, seed)
        tails = [(1 - level) / 2, (1 + level) / 2]

        def ends(x: Vector, t_x: Vector, T: Vector) -> dict[str, Vector]:
            low, high = np.quantile(
                self.simulate_purchases(x, t_x, T, t, seed=seed), tails, axis=0, method="inverted_cdf"
            )
            return {"expected_purchases_low": low, "expected_purchases_high": high}

        return self._each(summary, ends)

    def simulate_purchases(
        self, x: Vector, t_x: Vector, T: Vector, t: float, *, size: int | None = None, seed: int = 0
    ) -> Vector:
        """Draw the number of purchases in the next ``t`` days for each (x, t_x, T): shape (size, len(x)).

        Each block of draws takes its own parameters; each draw decides whether the customer is alive, and lets the
        process run. ``size`` defaults to what keeps the work near a million draws, between 200 and 2,000.
        """
        size = size or int(np.clip(1_000_000 // max(len(x), 1), 200, 2_000))
        rng = np.random.default_rng(seed)
        out = np.zeros((size, len(x)))
        for block, theta in zip(
            np.array_split(np.arange(size), min(size, 100)), self.draws(min(size, 100), seed=seed + 1), strict=True
        ):
            alive = rng.random((len(block), len(x))) < self._alive(theta, x, t_x, T)
            which = np.nonzero(alive)[1]
            drawn = np.zeros(alive.shape)
            drawn[alive] = self._simulate_if_alive(theta, x[which], T[which], t, rng)
            out[block] = drawn
        return out

    def _total_purchases(self, rows: pd.DataFrame, t: float, level: float, seed: int) -> Estimate:
        x, t_x, T, n = (rows[k].to_numpy(float) for k in [*KEYS, "n"])
        value = float(n @ self._expected(self._theta(), x, t_x, T, t))
        means = [float(n @ self._expected(theta, x, t_x, T, t)) for theta in self.draws(TOTAL_DRAWS, seed=seed)]
        chance = float(n @ self.simulate_purchases(x, t_x, T, t, seed=seed).var(axis=0))
        reach = tail(level) * float(np.sqrt(np.var(means, ddof=1) + chance))
        method = f"{self.name}, parameters and chance"
        return Estimate(value, max(value - reach, 0.0), value + reach, level, int(n.sum()), method)

    def _expected(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, t: float) -> Vector:
        return self._alive(theta, x, t_x, T) * self._on_pairs(
            x, T, lambda u, v: self._purchases_if_alive(theta, u, v, t)
        )

    def _discounted(
        self, theta: Vector, x: Vector, t_x: Vector, T: Vector, weights: list[tuple[float, float]]
    ) -> Vector:
        def sum_of(u: Vector, v: Vector) -> Vector:
            return np.sum([w * self._purchases_if_alive(theta, u, v, t) for t, w in weights], axis=0)

        return self._alive(theta, x, t_x, T) * self._on_pairs(x, T, sum_of)

    @staticmethod
    def _on_pairs(x: Vector, T: Vector, function: Callable[[Vector, Vector], Vector]) -> Vector:
        """Run a costly function of (x, T) once for each distinct pair."""
        pairs, index = np.unique(x + 1j * T, return_inverse=True)
        return function(pairs.real, pairs.imag)[index.reshape(-1)]

    def _each(self, summary: Any, function: Callable[[Vector, Vector, Vector], dict[str, Vector]]) -> Any:
        """Run ``function`` once for each distinct triple and bring the answers to every customer."""
        rows = collapse(summary)
        answers = function(*(rows[k].to_numpy(float) for k in KEYS))
        return spread(summary, rows[KEYS].assign(**answers), list(answers))


def spread(summary: Any, answers: pd.DataFrame, names: list[str]) -> Any:
    """Join answers per triple back to the customers of ``summary``, in the engine where the table lives there.

    Returns
    -------
    pandas.Series for one name, pandas.DataFrame for several, ibis.Table with ``customer_id`` for an Ibis table.
    """
    if is_ibis(summary):
        import ibis

        side = ibis.memtable(answers.rename(columns={k: f"{k}_key" for k in KEYS}))
        joined = summary.left_join(side, [summary[k] == side[f"{k}_key"] for k in KEYS])
        return joined.select("customer_id", *names)
    where = pd.MultiIndex.from_frame(answers[KEYS]).get_indexer(pd.MultiIndex.from_frame(summary[KEYS]))
    out = answers[names].take(where).set_axis(summary.index)
    return out[names[0]] if len(names) == 1 else out


def discount_weights(horizon: str | float, discount_rate: float, step: str | None = None) -> list[tuple[float, float]]:
    """Return moments t and weights w such that sum w E[Y(t)] is the discounted number of purchases.

    Without a step this is the integral of exp(-delta t) dE[Y(t)] in parts, by eight-point Gauss-Legendre
    quadrature. With a step, purchases fall on the ends of whole steps.

    Examples
    --------
    >>> sum(w for t, w in discount_weights("1 year", 0.0))
    1.0
    """
    length, delta = days(horizon), annual_to_daily(discount_rate)
    if step is None:
        if delta == 0:
            return [(length, 1.0)]
        nodes, weights = np.polynomial.legendre.leggauss(8)
        panels = int(np.ceil(length / 1100))
        half = length / panels / 2
        t = np.concatenate([(nodes + 1) * half + 2 * half * k for k in range(panels)])
        w = np.tile(weights, panels) * half * delta * np.exp(-delta * t)
        inside = list(zip(t.tolist(), w.tolist(), strict=True))
        return [*inside, (length, float(np.exp(-delta * length)))]
    if step not in _STEP_DAYS:
        raise ValueError(f"step must be day, week, month or None, got {step!r}")
    count = int(np.floor(length / _STEP_DAYS[step] + 1e-9))
    if count < 1:
        raise ValueError(f"the horizon {horizon!r} is shorter than one {step}")
    v = (1 + discount_rate) ** (-1 / _STEPS_PER_YEAR[step])
    # Abel summation: sum of v^k (E_k - E_(k-1)) = sum of E_k (v^k - v^(k+1)), the last one whole.
    return [(k * _STEP_DAYS[step], v**k - (v ** (k + 1) if k < count else 0.0)) for k in range(1, count + 1)]
