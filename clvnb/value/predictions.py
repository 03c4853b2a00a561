"""Predictions made at earlier days beside what came, by models and by naive guesses, and the scores of any of them.

In: a checked LOG and models. Out: PREDICTIONS, one row per customer, origin and model; ``evaluate`` scores them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..core.engine import run, to_pandas
from ..core.errors import FitError
from ..core.maths import LEVEL
from ..core.tables import PREDICTIONS, check, need
from ..data.summary import purchase_days, summaries_on
from ..models.base import FOR_A_SUM, TransactionModel, draws_each, unfitted
from ..models.fitting import Vector
from ..models.gamma_gamma import fit_spend
from ..models.histories import KEYS

__all__ = [
    "BASELINES",
    "Origin",
    "Prediction",
    "coverage",
    "crps",
    "evaluate",
    "gain",
    "guesses",
    "look_back",
    "predict",
    "span",
    "table_of",
]

BASELINES = ("own rate so far", "same as last period", "everybody alike")
# Customers whose distribution is looked at: the difference of two scores is then known to within a point.
ENOUGH_CUSTOMERS = 4000
QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}
# Into how many equally likely outcomes the purchases of a crowd are cut.
_PARTS = 2000


# ------------------------------------------------------------------------------------------ an earlier day


@dataclass(frozen=True)
class Origin:
    """An earlier day: what was known of each customer then, and what came.

    Attributes
    ----------
    day : date
        The last day that a prediction may see.
    horizon : int
        Days predicted.
    known : SUMMARY
        On that day.
    before : array
        Repeat purchases of each customer in the ``horizon`` days up to ``day``.
    actual, revenue : array
        Purchases of each customer in the ``horizon`` days after it, and their money, not below 0.
    """

    day: date
    horizon: int
    known: pd.DataFrame
    before: Vector
    actual: Vector
    revenue: Vector

    @cached_property
    def spend(self) -> Vector:
        """The money expected of a customer's purchase, by what was known on the day."""
        return np.asarray(fit_spend(self.known).expected_spend(self.known), dtype=float)

    @cached_property
    def histories(self) -> tuple[pd.DataFrame, NDArray[np.intp]]:
        """Distinct histories, sorted, and the row of each customer among them."""
        at = self.known.groupby(KEYS, sort=True).ngroup().to_numpy()
        return self.known[KEYS].iloc[np.unique(at, return_index=True)[1]].reset_index(drop=True), at

    @cached_property
    def some(self) -> NDArray[np.intp]:
        """The rows of customers whose distributions are looked at: all, or one in so many of them in order of history.

        Names and the order of the rows play no part.
        """
        return _some(*(self.known[k].to_numpy(float) for k in KEYS), self.actual, self.before)


def _some(*by: Any) -> NDArray[np.intp]:
    """All rows, or one in so many in order of the first column, the second, and so on."""
    n = len(by[0])
    if n <= ENOUGH_CUSTOMERS:
        return np.arange(n)
    taken = ((np.arange(ENOUGH_CUSTOMERS) + 0.5) * n / ENOUGH_CUSTOMERS).astype(np.intp)
    return np.sort(np.lexsort(by[::-1])[taken])


def span(log: Any) -> tuple[date, date]:
    """Return the first and the last day of a LOG."""
    if isinstance(log, pd.DataFrame):
        return log["date"].min().date(), log["date"].max().date()
    ends = to_pandas(log.aggregate(first=log["date"].min(), last=log["date"].max()))
    return ends["first"].iloc[0].date(), ends["last"].iloc[0].date()


def look_back(log: Any, moments: Sequence[tuple[date, int]]) -> list[Origin]:
    """Return what was known on each of several days, and what came in so many days after it.

    Parameters
    ----------
    log : LOG
        Checked.
    moments : sequence of (date, int)
        Days, no two alike, and how many days are predicted from each.
    """
    summaries = summaries_on(log, [day for day, _ in moments])
    windows = [(day + timedelta(days=ahead), length) for day, length in moments for ahead in (-length, 0)]
    came = _came(log, windows)
    found = []
    for k, ((day, length), known) in enumerate(zip(moments, summaries, strict=True)):
        own = came.reindex(known["customer_id"]).fillna(0.0)
        before, actual, revenue = (
            own[c].to_numpy(float) for c in (f"purchases_{2 * k}", f"purchases_{2 * k + 1}", f"revenue_{2 * k + 1}")
        )
        # The first purchase of those who joined in that stretch is no repeat.
        joined = (known["first_date"] > pd.Timestamp(day - timedelta(days=length))).to_numpy(float)
        found.append(Origin(day, length, known, np.maximum(before - joined, 0.0), actual, np.maximum(revenue, 0.0)))
    return found


def _came(log: Any, windows: Sequence[tuple[date, int]]) -> pd.DataFrame:
    """Purchases and revenue of each customer in each of several windows of so many days after a day."""
    bought = purchase_days(log)
    sums: dict[str, Any] = {}
    for k, (start, length) in enumerate(windows):
        inside = (bought.date > start) & (bought.date <= start + timedelta(days=length))
        sums |= {f"purchases_{k}": bought.bought.sum(where=inside), f"revenue_{k}": bought.net.sum(where=inside)}
    return run(bought.group_by("customer_id").aggregate(**sums), log).set_index("customer_id").astype(float)


# --------------------------------------------------------------------------------------------- predictions


@dataclass(frozen=True)
class Prediction:
    """What one model or naive guess predicted on an earlier day.

    Attributes
    ----------
    origin : Origin
    model : str
        Its name.
    baseline : bool
        Whether it is a naive guess.
    mean : array
        Expected purchases of each customer; missing where no fit was found.
    spread : pandas.DataFrame
        Quantiles of the purchases, ``crps`` and ``covered`` of the customers ``origin.some``.
    fitted : model or None
        As fitted on the day; None for a naive guess, and where no fit was found.
    """

    origin: Origin
    model: str
    baseline: bool
    mean: Vector
    spread: pd.DataFrame
    fitted: TransactionModel | None = None

    def rows(self) -> pd.DataFrame:
        """Return the PREDICTIONS, one row per customer."""
        origin = self.origin
        spread = self.spread.set_axis(origin.some).reindex(range(len(self.mean)))
        return pd.DataFrame(
            {
                "origin": pd.Timestamp(origin.day),
                "horizon": origin.horizon,
                "customer_id": origin.known["customer_id"].array,
                "model": self.model,
                "baseline": self.baseline,
                "mean": self.mean,
                **{name: spread[name].to_numpy() for name in QUANTILES},
                "actual": origin.actual,
                "crps": spread["crps"].to_numpy(),
                "covered": spread["covered"].to_numpy(),
                "money_mean": self.mean * (origin.spend if not self.baseline else origin.spend.mean()),
                "money_actual": origin.revenue,
            }
        )


def table_of(predictions: Iterable[Prediction]) -> pd.DataFrame:
    """Return PREDICTIONS: one row per customer, origin and model."""
    parts = [p.rows() for p in predictions]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*PREDICTIONS.required])


def predict(kind: TransactionModel | type[TransactionModel], origin: Origin) -> Prediction:
    """Fit a model of this kind, anew, on what was known at an origin, and predict what came.

    The distribution is that at the estimates: how uncertain the parameters are changes little for one customer, and
    the same of all models.
    """
    model = unfitted(kind)
    try:
        model.fit(origin.known)
    except FitError:
        nothing = pd.DataFrame(np.nan, index=range(len(origin.some)), columns=[*QUANTILES, "crps", "covered"])
        return Prediction(origin, model.name, False, np.full(len(origin.known), np.nan), nothing)
    rows, at = origin.histories
    mean = model.expected_by_row(rows, [(float(origin.horizon), 1.0)])[at]
    some = origin.some
    outcomes, came, pair = _outcomes(_at_the_estimates(model), rows, at[some], origin.actual[some], origin.horizon)
    return Prediction(origin, model.name, False, mean, _of_outcomes(outcomes, came).iloc[pair], model)


def _at_the_estimates(model: TransactionModel) -> TransactionModel:
    """The model with its parameters taken as known."""
    sure = copy(model)
    sure.posterior_ = None
    return sure


def guesses(origin: Origin) -> list[Prediction]:
    """Return what would be said without a model.

    Their means are the customer's own rate so far, the customer's purchases in the stretch of the same length before,
    and the mean of these over everybody. Each gets the distribution that fits its idea and needs no fit: the first two
    the Poisson of their mean, as chance alone spreads purchases around a rate; everybody alike the spread of
    all customers' purchases in the stretch before. A guess taken as a single certain number would lose to any
    distribution for want of a range alone.
    """
    some = origin.some
    rate = (origin.known["frequency"] / origin.known["T"].clip(lower=1)).to_numpy(float) * origin.horizon
    actual = origin.actual[some]
    found = [
        Prediction(origin, name, True, mean, _spread_of_poisson(mean[some], actual))
        for name, mean in zip(BASELINES, (rate, origin.before), strict=False)
    ]
    crowd = np.quantile(origin.before, (np.arange(_PARTS) + 0.5) / _PARTS, method="inverted_cdf")
    outcome, at = np.unique(actual, return_inverse=True)
    spread = _of_outcomes(np.repeat(crowd[:, None], len(outcome), axis=1), outcome).iloc[at]
    alike = np.full(len(origin.known), origin.before.mean())
    return [*found, Prediction(origin, BASELINES[2], True, alike, spread)]


# ------------------------------------------------------------------------------------ of one distribution


def crps(outcomes: Any, actual: Any) -> Vector:
    """Return the continuous ranked probability score of equally likely outcomes against what came; 0 is perfect.

    Parameters
    ----------
    outcomes : array of shape (outcomes, rows)
        In any order.
    actual : array of shape (rows,)

    Returns
    -------
    array of shape (rows,)
        In the unit of the outcomes: the mean distance from what came, less half the mean distance of two outcomes. Of a
        single outcome it is the absolute error.

    References
    ----------
    Gneiting and Raftery (2007), JASA 102, 359-378, equation (21).

    Examples
    --------
    >>> crps([[0.0, 2.0], [2.0, 2.0]], [0.0, 5.0]).tolist()
    [0.5, 3.0]
    """
    ordered = np.sort(np.asarray(outcomes, dtype=float), axis=0)
    m = len(ordered)
    half = ((2 * np.arange(1, m + 1) - m - 1) / m**2) @ ordered
    return np.asarray(np.abs(ordered - np.asarray(actual, dtype=float)).mean(axis=0) - half)


def _outcomes(
    model: TransactionModel, rows: pd.DataFrame, at: NDArray[np.intp], actual: Vector, horizon: float
) -> tuple[Vector, Vector, NDArray[np.intp]]:
    """Outcomes and what came, a column for each distinct history and outcome, and the column of each customer.

    ``rows`` are distinct histories, sorted, so that the draws depend on neither the order nor the names of customers;
    ``at`` is the row of each customer.
    """
    pairs, pair = np.unique(np.column_stack([at, actual]), axis=0, return_inverse=True)
    wanted, history = np.unique(pairs[:, 0].astype(np.intp), return_inverse=True)
    drawn = model.outcomes(rows.iloc[wanted], float(horizon), size=draws_each(len(wanted), FOR_A_SUM))
    return drawn[:, history], pairs[:, 1], pair.reshape(-1)


def _of_outcomes(outcomes: Vector, actual: Vector) -> pd.DataFrame:
    """Quantiles, score and cover, from a column of equally likely outcomes for each row."""
    ordered = np.sort(outcomes, axis=0)
    m = len(ordered)
    levels = {name: ordered[int(np.ceil(level * m - 1e-9)) - 1] for name, level in QUANTILES.items()}
    below, at_most = (ordered < actual).mean(axis=0), (ordered <= actual).mean(axis=0)
    return pd.DataFrame({**levels, "crps": crps(ordered, actual), "covered": _covered(below, at_most)})


def _spread_of_poisson(mean: Vector, actual: Vector) -> pd.DataFrame:
    """Quantiles, score and cover of Poisson distributions; of a mean of 0, nothing is expected for certain.

    References
    ----------
    Wei and Held (2014), TEST 23, 787-805, equation (6).
    """
    from scipy.special import i0e, i1e, pdtr, pdtrik

    pairs, pair = np.unique(np.column_stack([mean, actual]), axis=0, return_inverse=True)
    m, y = pairs.T
    at_most = pdtr(y, m)
    below = np.where(y > 0, pdtr(np.maximum(y - 1, 0), m), 0.0)
    score = (y - m) * (2 * at_most - 1) + 2 * m * (at_most - below) - m * (i0e(2 * m) + i1e(2 * m))
    found = {}
    for name, level in QUANTILES.items():
        some = np.exp(-m) < level
        found[name] = np.zeros(len(m))
        found[name][some] = np.ceil(pdtrik(level, m[some]) - 1e-9)
    return pd.DataFrame({**found, "crps": score, "covered": _covered(below, at_most)}).iloc[pair.reshape(-1)]


def _covered(below: Vector, at_most: Vector, level: float = LEVEL) -> Vector:
    """The part of an outcome's own probability that lies between the tails; see ``coverage``."""
    low, high = (1 - level) / 2, (1 + level) / 2
    width = np.maximum(at_most - below, 1e-12)
    part = np.clip(np.minimum(at_most, high) - np.maximum(below, low), 0, None) / width
    return np.where(at_most == below, ((below >= low) & (below <= high)).astype(float), part)


def coverage(
    model: TransactionModel, known: pd.DataFrame, actual: pd.Series, horizon: float, level: float = LEVEL
) -> float:
    """Return the share of customers inside their predictive interval, the parameters' doubt included.

    Counts are lumpy: most outcomes are 0, and 0 is often all of the lower tail. So an outcome is placed at random
    within its own probability, and counts by the part of it that lies between the tails (the randomised probability
    integral transform); a true model then scores exactly ``level``.
    """
    came = actual.to_numpy(float)
    some = _some(*(known[k].to_numpy(float) for k in KEYS), came)
    at = known.groupby(model.keys, sort=True, observed=True).ngroup().to_numpy()
    rows = known[model.keys].iloc[np.unique(at, return_index=True)[1]]
    outcomes, came, pair = _outcomes(model, rows, at[some], came[some], horizon)
    inside = _covered((outcomes < came).mean(axis=0), (outcomes <= came).mean(axis=0), level)
    return float(inside[pair].mean())


# ------------------------------------------------------------------------------------------------- scores


def evaluate(predictions: pd.DataFrame, by: str | Sequence[str] = "model") -> pd.DataFrame:
    """Score PREDICTIONS: errors of each customer, of the total, of the ranking and of the distribution.

    Parameters
    ----------
    predictions : PREDICTIONS
        ``origin, horizon, customer_id, model, mean, actual``, and where known quantiles (``q05``, ``q50`` …), ``crps``,
        ``covered``, ``money_mean`` and ``money_actual``: from ``holdout``, ``backtest`` or ``choose_model``
        (``.predictions``), or anybody's own.
    by : str or sequence of str
        Columns: one row of scores for each of their values.

    Returns
    -------
    pandas.DataFrame
        The columns ``by``, and ``customers`` (rows scored), ``expected, actual`` (purchases in all),
        ``bias`` (expected / actual - 1), ``total_error`` (absolute errors of the totals, one for each origin and
        horizon, as a share of what came), ``mae, rmse`` (purchases per customer), ``wape`` (absolute errors of all customers
        over what came), ``gain`` (how well customers are ranked, 1 perfectly, 0 at random; mean over origins), ``crps`` (of
        each customer's distribution, mean, in purchases; lower is better) and ``coverage`` (share inside the 90 %
        interval). With money: ``money_expected, money_actual, money_bias, money_total_error, money_mae, money_gain``, in the
        client's currency.

    Raises
    ------
    TableError
        When a column is missing.

    Notes
    -----
    Without ``crps``, twice the mean pinball loss of the quantiles stands for it. Without ``covered``, an outcome on the edge
    of the interval (``q05`` to ``q95``) counts as inside.

    References
    ----------
    CRPS and pinball loss: Gneiting and Raftery (2007), JASA 102, 359-378; ``gain``: Wang, Liu and Miao (2019),
    arXiv:1912.07753.

    Examples
    --------
    >>> table = pd.DataFrame({"origin": "2024-12-31", "horizon": 90, "customer_id": ["a", "b"], "model": "mine",
    ...     "mean": [1.0, 0.5], "actual": [2.0, 0.0]})
    >>> evaluate(table)[["model", "bias", "mae", "wape"]]
      model  bias   mae  wape
    0  mine -0.25  0.75  0.75
    """
    keys = [by] if isinstance(by, str) else list(by)
    predictions = to_pandas(check(predictions, PREDICTIONS))
    need(predictions, keys, "the PREDICTIONS")
    groups = predictions.groupby(keys, sort=False, observed=True, dropna=False)
    return pd.DataFrame([dict(zip(keys, key, strict=True)) | _scores(rows) for key, rows in groups])


def _scores(rows: pd.DataFrame) -> dict[str, float]:
    parts = [part for _, part in rows.groupby(["origin", "horizon"], sort=False, dropna=False)]
    found = {"customers": len(rows)} | _errors(parts, "mean", "actual")
    found["crps"], found["coverage"] = _mean_of(parts, _crps_of), _mean_of(parts, _coverage_of)
    if {"money_mean", "money_actual"} <= {*rows}:
        money = _errors(parts, "money_mean", "money_actual")
        wanted = ("expected", "actual", "bias", "total_error", "mae", "gain")
        found |= {f"money_{name}": money[name] for name in wanted}
    return found


def _errors(parts: list[pd.DataFrame], mean: str, actual: str) -> dict[str, float]:
    expected, came = ([part[k].to_numpy(float) for part in parts] for k in (mean, actual))
    miss = np.concatenate(expected) - np.concatenate(came)
    total = float(sum(c.sum() for c in came))
    apart = sum(abs(e.sum() - c.sum()) for e, c in zip(expected, came, strict=True))
    over = np.nan if total <= 0 else total
    return {
        "expected": float(sum(e.sum() for e in expected)),
        "actual": total,
        "bias": float(miss.sum() / over),
        "total_error": float(apart / over),
        "mae": float(np.abs(miss).mean()),
        "rmse": float(np.sqrt((miss**2).mean())),
        "wape": float(np.abs(miss).sum() / over),
        "gain": float(np.mean([gain(e, c) for e, c in zip(expected, came, strict=True)])),
    }


def _mean_of(parts: list[pd.DataFrame], score: Any) -> float:
    """The mean over customers, where of each part some customers are known."""
    return float(np.average([score(part) for part in parts], weights=[len(part) for part in parts]))


def _crps_of(rows: pd.DataFrame) -> float:
    if "crps" in rows:
        return float(rows["crps"].mean())
    named = {c: int(c[1:]) / 100 for c in rows if re.fullmatch(r"q\d\d", str(c))}
    off = {level: rows["actual"] - rows[c] for c, level in named.items()}
    loss = [np.maximum(level * miss, (level - 1) * miss).mean() for level, miss in off.items()]
    return float(2 * np.mean(loss)) if loss else float("nan")


def _coverage_of(rows: pd.DataFrame) -> float:
    if "covered" in rows:
        return float(rows["covered"].mean())
    if {"q05", "q95"} <= {*rows}:
        return float(rows["actual"].between(rows["q05"], rows["q95"]).mean())
    return float("nan")


def gain(expected: Any, actual: Any) -> float:
    """Return how well ``expected`` ranks what came: 1 for the perfect order, about 0 for a random one.

    The Gini coefficient of the cumulative gain, over that of the perfect order. Equal expectations share what their
    customers brought.

    References
    ----------
    Wang, Liu and Miao (2019), "A deep probabilistic model for customer lifetime value prediction", arXiv:1912.07753.

    Examples
    --------
    >>> gain([3, 2, 1], [30, 20, 10]), gain([1, 1, 1], [30, 20, 10])
    (1.0, 0.0)
    """
    expected, actual = np.asarray(expected, dtype=float), np.asarray(actual, dtype=float)
    if len(actual) == 0 or actual.sum() <= 0 or not np.isfinite(expected).all():
        return float("nan")

    def lorenz(order: np.ndarray) -> float:
        _, at = np.unique(-order, return_inverse=True)
        share = np.bincount(at, weights=actual).cumsum() / actual.sum()
        before = np.concatenate([[0.0], share[:-1]])
        return float(((share + before) / 2 * np.bincount(at)).sum() / len(actual) - 0.5)

    best, own = lorenz(actual), lorenz(expected)
    return own / best if best > 1e-12 and abs(own) > 1e-12 else 0.0
