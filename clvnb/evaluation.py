"""Whether to believe a model: holdout and backtest against naive baselines, and the choice of a model.

In: a checked LOG and candidate models. Out: ``Holdout``, ``Backtest`` and ``Choice``, each a table with its sentences.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from .engine import run, to_pandas
from .formulas import days
from .models import (
    BGNBD,
    MBGNBD,
    BetaDiscreteWeibull,
    BGCNBDk,
    GammaGamma,
    MBGCNBDk,
    ParetoNBD,
    ShiftedBetaGeometric,
)
from .models.base import FOR_A_SUM, TransactionModel, draws_each
from .models.gamma_gamma import fit_spend
from .models.renewals import RenewalModel
from .tables import FitError, TableError, Told, as_day, table_html
from .transactions import purchase_days, summaries_on, summarize

__all__ = [
    "Backtest",
    "Choice",
    "Holdout",
    "backtest",
    "choose_model",
    "choose_renewal_model",
    "compare_models",
    "coverage",
    "gain",
    "holdout",
    "tracking",
]

ENOUGH_CUSTOMERS = 4000
BASELINES = ("own rate so far", "same as last period", "everybody alike")


@dataclass(frozen=True, repr=False)
class Holdout(Told):
    """How predictions made at an earlier date compare with what came.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per model and naive guess: ``model, log_likelihood, aic, expected, actual, bias, mae, rmse, gain,
        coverage, baseline``. ``expected`` and ``actual`` are repeat purchases of all customers; ``mae`` and ``rmse``
        purchases per customer. ``gain`` says how well customers are ranked, 1 perfectly and 0 at random; ``bias`` is
        expected / actual - 1 of the total; ``coverage`` the share of customers inside their 90 % interval, an outcome
        on the edge counted by the probability mass that lies inside.
    text : str
    calibration_end : date
    days : int
        Length of the holdout.
    customers : int
        Customers known at ``calibration_end``.
    """

    table: pd.DataFrame
    text: str
    calibration_end: date
    days: int
    customers: int

    def _told(self) -> tuple[str, Iterable[pd.DataFrame]]:
        return self.text, [self.table.drop(columns=["baseline"])]

    def _repr_html_(self) -> str:
        shown = self.table.drop(columns=["baseline"])
        return f"<p>{html.escape(self.text)}</p>{table_html(shown, {'bias': '{:+.0%}', 'coverage': '{:.0%}'})}"


@dataclass(frozen=True, repr=False)
class Choice(Told):
    """The chosen purchase model, fitted on all data, and why.

    Attributes
    ----------
    model : a fitted purchase model
    holdout : Holdout
    text : str
    table : pandas.DataFrame
        Every candidate: ``model, log_likelihood, aic, bic`` on the whole log, ``holdout_bias, holdout_mae,
        holdout_gain, holdout_coverage``, and ``chosen``; the naive baselines below.
    """

    model: TransactionModel
    holdout: Holdout
    text: str
    table: pd.DataFrame

    def _told(self) -> tuple[str, Iterable[pd.DataFrame]]:
        return self.text, [self.table]


def holdout(
    log: Any,
    candidates: Sequence[TransactionModel] = (),
    *,
    calibration_end: date | str | None = None,
    as_of: date | str | None = None,
) -> Holdout:
    """Fit on the past, predict the last stretch, and compare with what happened, beside naive baselines.

    Parameters
    ----------
    log : LOG
        Checked.
    candidates : sequence of models
        BG/NBD, MBG/NBD and Pareto/NBD by default. They are fitted anew, in place, on what was known at
        ``calibration_end``; one that cannot be fitted has missing figures.
    calibration_end : date, optional
        The last day the models may see; by default the last third of the log (a year at most) is held out.
    as_of : date, optional
        The last day looked at; the last date in the log when left out.

    Returns
    -------
    Holdout
        ``table`` with one row per model and naive guess, and ``text``.

    Raises
    ------
    TableError
        When the log is shorter than 60 days, or ``calibration_end`` does not lie inside it.

    Notes
    -----
    The naive guesses: the customer's own rate so far (frequency / T x length), the purchases in the stretch of the same
    length before, and everybody alike (their mean).

    References
    ----------
    ``gain``: Wang, Liu and Miao (2019), arXiv:1912.07753.

    Examples
    --------
    >>> log = BGNBD.with_params(r=0.9, alpha=60.0, a=0.8, b=2.5).simulate(300, length="1 year", seed=1)
    >>> holdout(log, [BGNBD()]).table[["model", "actual", "baseline"]]
                     model  actual  baseline
    0               BG/NBD   185.0     False
    1      own rate so far   185.0      True
    2  same as last period   185.0      True
    3      everybody alike   185.0      True
    """
    first, last = _span(log)
    last = as_day(as_of) or last
    total = (last - first).days
    if total < 60:
        raise TableError(f"the log spans {total} days; a holdout needs at least 60")
    end = as_day(calibration_end) or last - timedelta(days=min(total // 3, 365))
    length = (last - end).days
    if not 0 < length < total:
        raise TableError(f"calibration_end {end} must lie between {first} and {last}")
    [known] = summaries_on(log, [end])
    before, after = _stretches(log, end - timedelta(days=length), length, 2)
    actual = _of(known, after["purchases"])
    rows = [_score_model(model, known, actual, length)[0] for model in candidates or (BGNBD(), MBGNBD(), ParetoNBD())]
    rows += [
        _row(name, guess, actual.to_numpy(float), baseline=True)
        for name, guess in _naive(known, before["purchases"], end, length).items()
    ]
    table = pd.DataFrame(rows)
    return Holdout(table, _say_holdout(table, end, length, len(known)), end, length, len(known))


def _span(log: Any) -> tuple[date, date]:
    if isinstance(log, pd.DataFrame):
        return log["date"].min().date(), log["date"].max().date()
    ends = to_pandas(log.aggregate(first=log["date"].min(), last=log["date"].max()))
    return ends["first"].iloc[0].date(), ends["last"].iloc[0].date()


def _stretches(log: Any, start: date, length: int, count: int) -> list[pd.DataFrame]:
    """Purchases and revenue of each customer in each of ``count`` stretches of ``length`` days, the first after ``start``."""
    bought = purchase_days(log)
    bought = bought.mutate(stretch=(bought.date.delta(start, unit="day").cast("int64") - 1) // length)
    bought = bought.filter(bought.date > start, bought.stretch < count)
    sums = bought.group_by("customer_id", "stretch").aggregate(purchases=bought.bought.sum(), revenue=bought.net.sum())
    found = run(sums, log).set_index("customer_id")
    return [found[found["stretch"] == k] for k in range(count)]


def _of(known: pd.DataFrame, came: pd.Series) -> pd.Series:
    """What came of each known customer; nothing of those who are not there."""
    return came.reindex(known["customer_id"]).fillna(0.0).astype(float).set_axis(known.index)


def _naive(known: pd.DataFrame, came: pd.Series, end: date, length: int) -> dict[str, np.ndarray]:
    """What each customer would do by guesses that need no model; ``came`` in the stretch before."""
    # The first purchase of those who joined in that stretch is no repeat.
    joined = known["first_date"] > pd.Timestamp(end - timedelta(days=length))
    before = (_of(known, came) - joined.astype(float)).to_numpy(float)
    own = (known["frequency"] / known["T"].clip(lower=1) * length).to_numpy(float)
    return dict(zip(BASELINES, (own, before, np.full(len(known), before.mean())), strict=True))


def _row(name: str, expected: np.ndarray, actual: np.ndarray, *, baseline: bool = False) -> dict[str, Any]:
    miss = expected - actual
    return {
        "model": name,
        "log_likelihood": np.nan,
        "aic": np.nan,
        "expected": float(expected.sum()),
        "actual": float(actual.sum()),
        "bias": float(expected.sum() / actual.sum() - 1) if actual.sum() else np.nan,
        "mae": float(np.abs(miss).mean()),
        "rmse": float(np.sqrt((miss**2).mean())),
        "gain": gain(expected, actual),
        "coverage": np.nan,
        "baseline": baseline,
    }


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


def _score_model(
    model: TransactionModel, known: pd.DataFrame, actual: pd.Series, length: int
) -> tuple[dict[str, Any], np.ndarray]:
    """Fit on what was known, and compare; also what was expected of each customer, missing where no fit was found."""
    try:
        model.fit(known)
    except FitError:
        expected = np.full(len(known), np.nan)
        return _row(model.name, expected, actual.to_numpy(float)), expected
    expected = model.expected_purchases(known, length).to_numpy(float)
    return _row(model.name, expected, actual.to_numpy(float)) | {
        "log_likelihood": model.log_likelihood_,
        "aic": model.aic_,
        "coverage": coverage(model, known, actual, length),
    }, expected


def coverage(
    model: TransactionModel, known: pd.DataFrame, actual: pd.Series, horizon: float, level: float = 0.9
) -> float:
    """Return the share of customers inside their predictive interval.

    Counts are lumpy: most outcomes are 0, and 0 is often all of the lower tail. So an outcome is placed at random
    within its own probability, and counts by the part of it that lies between the tails (the randomised probability
    integral transform); a true model then scores exactly ``level``.
    """
    table = known[model.keys].assign(actual=actual.to_numpy(float))
    table = table.sort_values([*table])  # the engine gives customers in any order, and the draws go by rows
    if len(table) > ENOUGH_CUSTOMERS:  # a share among so many is known to half a point
        table = table.sample(ENOUGH_CUSTOMERS, random_state=0)
    cells = table.value_counts(sort=False).reset_index(name="n")
    draws = model.outcomes(cells, float(horizon), size=draws_each(len(cells), FOR_A_SUM))
    below = (draws < cells["actual"].to_numpy(float)).mean(axis=0)
    at_most = (draws <= cells["actual"].to_numpy(float)).mean(axis=0)
    low, high = (1 - level) / 2, (1 + level) / 2
    width = np.maximum(at_most - below, 1e-12)
    inside = np.clip(np.minimum(at_most, high) - np.maximum(below, low), 0, None) / width
    inside = np.where(at_most == below, ((below >= low) & (below <= high)).astype(float), inside)
    return float(np.average(inside, weights=cells["n"]))


def _say_holdout(table: pd.DataFrame, end: date, length: int, customers: int) -> str:
    actual = table["actual"].iloc[0]
    fitted = table[~table["baseline"]].dropna(subset=["mae"])
    naive = table[table["baseline"]].sort_values("mae").iloc[0]
    text = f"Of {customers:,} customers known on {end}, {actual:,.0f} purchases came in the next {length} days."
    for row in fitted.itertuples():
        text += f" {row.model} expected {row.expected:,.0f} ({row.bias:+.0%}), off by {row.mae:.3f} per customer."
    if fitted.empty:
        text += " No model could be fitted on the earlier data."
    return text + f" The best naive guess ({naive.model}) is off by {naive.mae:.3f} ({naive.bias:+.0%} in total)."


CANDIDATES: tuple[type[TransactionModel], ...] = (BGNBD, MBGNBD, ParetoNBD, BGCNBDk, MBGCNBDk)


def choose_model(
    log: Any,
    candidates: Sequence[type[TransactionModel]] = CANDIDATES,
    *,
    as_of: date | str | None = None,
    summary: Any = None,
) -> Choice:
    """Choose the purchase model by holdout and likelihood, fit it on everything, and say why.

    Models whose holdout error is within 2 % of the best one count as equal there; among them the lower AIC on all data
    wins. A regular model that finds no regularity (k = 1) is its plain model, and no candidate.

    Parameters
    ----------
    log : LOG
        Checked.
    candidates : sequence of model classes
        Classes, no instances; by default BG/NBD, MBG/NBD, Pareto/NBD, BG/CNBD-k and MBG/CNBD-k.
    as_of : date, optional
        The last day looked at; the last date in the log when left out.
    summary : SUMMARY, optional
        Of the whole log on that day, where it is at hand.

    Returns
    -------
    Choice
        The chosen model, fitted on everything; the test, every candidate and why.

    Raises
    ------
    FitError
        When no candidate can be fitted on the whole log.
    TableError
        When the log is shorter than 60 days, or a row of the SUMMARY cannot be.

    References
    ----------
    Akaike (1974), IEEE Transactions on Automatic Control 19(6), 716-723. That errors within 2 % count as equal is
    clvnb's convention.

    Examples
    --------
    >>> log = BGNBD.with_params(r=0.9, alpha=60.0, a=0.8, b=2.5).simulate(300, length="1 year", seed=1)
    >>> choice = choose_model(log, [BGNBD])
    >>> choice.model.name, choice.text
    ('BG/NBD', 'BG/NBD is used, the only model that could be fitted; it is 10% closer than the best naive guess.')
    """
    summary = to_pandas(summarize(log, as_of=as_of) if summary is None else summary)
    whole, reasons = [], []
    for candidate in candidates:
        try:
            model = candidate().fit(summary)
        except FitError as error:
            reasons.append(str(error))
            continue
        if getattr(model, "k", 2) > 1 or candidates == (candidate,):
            whole.append(model)
    if not whole:
        raise FitError(reasons[0])
    check = holdout(log, [type(m)() for m in whole], as_of=as_of)
    scores = check.table.set_index("model")["mae"]
    fair = [m for m in whole if np.isfinite(scores.get(m.name, np.nan))] or whole
    best = min(scores.get(m.name, np.inf) for m in fair)
    close = [m for m in fair if not scores.get(m.name, np.inf) > 1.02 * best]
    chosen = min(close, key=lambda m: m.aic_)
    return Choice(chosen, check, _say_choice(chosen, fair, close, check), _comparison(whole, check, chosen))


def _comparison(whole: list[TransactionModel], check: Holdout, chosen: TransactionModel) -> pd.DataFrame:
    fits = pd.DataFrame([(m.name, m.log_likelihood_, m.aic_, m.bic_) for m in whole],
                        columns=["model", "log_likelihood", "aic", "bic"])  # fmt: skip
    held = check.table[["model", "bias", "mae", "gain", "coverage"]]
    held = held.rename(columns={k: f"holdout_{k}" for k in ("bias", "mae", "gain", "coverage")})
    table = fits.merge(held, on="model", how="outer", sort=False)
    order = [*fits["model"], *BASELINES]
    table = table.set_index("model").reindex([m for m in order if m in set(table["model"])]).reset_index()
    return table.assign(chosen=table["model"] == chosen.name)


def compare_models(
    log: Any,
    candidates: Sequence[type[TransactionModel]] = CANDIDATES,
    *,
    as_of: date | str | None = None,
) -> pd.DataFrame:
    """Return every candidate's likelihood on the whole log beside its errors in the holdout, and the naive guesses'.

    Parameters
    ----------
    log, candidates, as_of
        As in ``choose_model``, which takes the one marked ``chosen``.

    Returns
    -------
    pandas.DataFrame
        See ``Choice.table``.

    Raises
    ------
    FitError, TableError
        As ``choose_model``.

    Examples
    --------
    >>> log = BGNBD.with_params(r=0.9, alpha=60.0, a=0.8, b=2.5).simulate(300, length="1 year", seed=1)
    >>> compare_models(log, [BGNBD])[["model", "chosen"]]
                     model  chosen
    0               BG/NBD    True
    1      own rate so far   False
    2  same as last period   False
    3      everybody alike   False
    """
    return choose_model(log, candidates, as_of=as_of).table


def _say_choice(
    chosen: TransactionModel, fair: list[TransactionModel], close: list[TransactionModel], check: Holdout
) -> str:
    scores = check.table.set_index("model")
    own, naive = scores.loc[chosen.name, "mae"], scores.loc[list(BASELINES), "mae"].min()
    text = f"{chosen.name} is used"
    if len(fair) == 1:
        text += ", the only model that could be fitted"
    elif len(close) == 1:
        text += ": its error in the holdout is the smallest"
    else:
        others = ", ".join(m.name for m in close if m is not chosen)
        text += f": in the holdout it does as well as {others}, and its likelihood is better (lower AIC)"
    if np.isfinite(own):
        better = 1 - own / naive
        text += (
            f"; it is {better:.0%} closer than the best naive guess"
            if better >= 0
            else f"; a naive guess was {-better:.0%} closer, so lean on the ranking less than on the total"
        )
    return text + "."


# --------------------------------------------------------------------------------------------- backtest


@dataclass(frozen=True, repr=False)
class Backtest(Told):
    """Predictions made again and again from earlier days, and what came of them.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per origin and model or naive baseline: ``origin, model, customers, expected, actual, bias, mae, rmse,
        gain, inside`` (whether the 90 % interval of the total held the outcome), ``coverage`` of the customers' own
        intervals, and the same for money: ``money_expected, money_actual, money_bias, money_mae, money_gain``;
        ``baseline``.
    deciles : pandas.DataFrame
        Customers of all origins by expected money, tenth by tenth from the best: ``decile, customers, expected,
        actual`` per customer, and ``share``, of all money that came.
    text : str
    """

    table: pd.DataFrame
    deciles: pd.DataFrame
    text: str

    @property
    def off(self) -> float:
        """By how much the models' totals of purchases were off on average, up or down, as a share of what came."""
        return float(self.table.loc[~self.table["baseline"].astype(bool), "bias"].abs().mean())

    def _told(self) -> tuple[str, Iterable[pd.DataFrame]]:
        return self.text, [self.table.drop(columns=["baseline"])]


def backtest(
    log: Any,
    candidates: Sequence[type[TransactionModel]] = (BGNBD, MBGNBD, ParetoNBD),
    *,
    origins: int = 3,
    horizon: str | float = "90 days",
    as_of: date | str | None = None,
) -> Backtest:
    """Predict from several earlier days in turn (rolling origin), purchases and money, and compare with what came.

    Parameters
    ----------
    log : LOG
        Checked.
    candidates : sequence of model classes
        The first one's predictions make the decile table.
    origins : int
        How many, one horizon apart, the last one a horizon before the end.
    horizon : str or number of days
        Of each prediction, such as ``"90 days"``.
    as_of : date, optional
        The last day looked at; the last date in the log when left out.

    Returns
    -------
    Backtest
        ``table`` by origin and model, ``deciles`` of customers, ``text``.

    Raises
    ------
    TableError
        When the log is too short: before the first origin there must be at least one horizon and 60 days.

    Notes
    -----
    Money of a customer below 0 counts as 0.

    References
    ----------
    Rolling origin: Tashman (2000), International Journal of Forecasting 16(4), 437-450; ``gain``: Wang, Liu and Miao
    (2019), arXiv:1912.07753.

    Examples
    --------
    >>> log = BGNBD.with_params(r=0.9, alpha=60.0, a=0.8, b=2.5).simulate(300, length="1 year", seed=1)
    >>> found = backtest(log, [BGNBD], origins=1)
    >>> found.table["model"].tolist()
    ['BG/NBD', 'own rate so far', 'same as last period', 'everybody alike']
    """
    first, last = _span(log)
    last, length = as_day(as_of) or last, int(days(horizon))
    starts = [last - timedelta(days=length * k) for k in range(origins, 0, -1)]
    if (starts[0] - first).days < max(length, 60):
        raise TableError(
            f"the log spans {(last - first).days} days, too few for {origins} origins {length} days apart; ask for "
            "fewer origins or a shorter horizon"
        )
    rows: list[dict[str, Any]] = []
    ranked: list[pd.DataFrame] = []
    stretches = _stretches(log, starts[0] - timedelta(days=length), length, origins + 1)
    summaries = summaries_on(log, starts)
    for origin, known, before, after in zip(starts, summaries, stretches[:-1], stretches[1:], strict=True):
        came, money = _of(known, after["purchases"]), _of(known, after["revenue"]).clip(lower=0.0)
        model_of_spend = fit_spend(known)
        spend = (
            model_of_spend.expected_spend(known).to_numpy(float)
            if isinstance(model_of_spend, GammaGamma)
            else np.full(len(known), model_of_spend)
        )
        for candidate in candidates:
            rows.append(
                {"origin": origin, "customers": len(known)}
                | _score_origin(candidate(), known, came, money, spend, length)
            )
            if candidate is candidates[0]:
                ranked.append(pd.DataFrame({"expected": rows[-1].pop("_money"), "actual": money.to_numpy(float)}))
            rows[-1].pop("_money", None)
        for name, guess in _naive(known, before["purchases"], origin, length).items():
            row = _row(name, guess, came.to_numpy(float), baseline=True)
            rows.append({"origin": origin, "customers": len(known)} | row | _money_row(guess * spend.mean(), money))
    table = pd.DataFrame(rows).drop(columns=["log_likelihood", "aic"])
    return Backtest(table, _deciles(pd.concat(ranked)), _say_backtest(table, length))


def _score_origin(
    model: TransactionModel, known: pd.DataFrame, came: pd.Series, money: pd.Series, spend: np.ndarray, length: int
) -> dict[str, Any]:
    row, expected = _score_model(model, known, came, length)
    expected = expected * spend
    if not np.isfinite(row["mae"]):
        return row | _money_row(expected, money) | {"_money": expected}
    total = model.purchase_interval(known, length, total=True)
    inside = float(total.low <= row["actual"] <= total.high)
    return row | {"inside": inside} | _money_row(expected, money) | {"_money": expected}


def _money_row(expected: np.ndarray, money: pd.Series) -> dict[str, Any]:
    row = _row("", expected, money.to_numpy(float))
    return {f"money_{k}": row[k] for k in ("expected", "actual", "bias", "mae", "gain")}


def _deciles(customers: pd.DataFrame) -> pd.DataFrame:
    rank = customers["expected"].rank(ascending=False, method="first", pct=True)
    decile = np.ceil(rank * 10).fillna(10).astype(int).rename("decile")
    table = customers.groupby(decile).agg(
        customers=("actual", "size"), expected=("expected", "mean"), actual=("actual", "mean"), money=("actual", "sum")
    )
    table["share"] = table["money"] / max(table["money"].sum(), 1e-12)
    return table.drop(columns="money").reset_index()


def _say_backtest(table: pd.DataFrame, length: int) -> str:
    models = table[~table["baseline"]].dropna(subset=["mae"])
    origins = table["origin"].nunique()
    text = f"From {origins} earlier days, {length} days ahead each time:"
    for name, rows in models.groupby("model", sort=False):
        total = rows["expected"].sum() / max(rows["actual"].sum(), 1) - 1
        money = rows["money_expected"].sum() / max(rows["money_actual"].sum(), 1e-12) - 1
        text += (
            f" {name} was off by {total:+.0%} in purchases and {money:+.0%} in money, by {rows['mae'].mean():.3f} "
            f"purchases per customer, and its range held the total {int(rows['inside'].sum())} of {len(rows)} times"
        )
        if rows["inside"].mean() < 0.6:
            text += (
                f" (it leaves out what the model does not know: reckon with {rows['bias'].abs().mean():.0%} either way)"
            )
        text += ";"
    naive = table[table["baseline"]].groupby("model")["mae"].mean()
    return text + f" the best naive guess ({naive.idxmin()}) was off by {naive.min():.3f} purchases per customer."


def tracking(log: Any, model: TransactionModel, *, as_of: date | str, step: int = 7) -> pd.DataFrame:
    """Return repeat purchases of everybody together, as they came and as the model has them, week by week.

    Parameters
    ----------
    log : LOG
        Checked.
    model : a fitted purchase model
        In days: not BG/BB.
    as_of : date
        The last day looked at.
    step : int
        Days between points.

    Returns
    -------
    pandas.DataFrame
        ``date, actual, expected``: repeat purchases of all customers together since the start of the log, a customer's
        first not counted; ``expected`` at the model's estimates for customers of each starting day.

    Examples
    --------
    >>> model = BGNBD.with_params(r=0.9, alpha=60.0, a=0.8, b=2.5)
    >>> log = model.simulate(50, length="120 days", seed=1)
    >>> tracking(log, model, as_of="2024-04-30", step=60)[["date", "actual"]]
            date  actual
    0 2024-01-03       0
    1 2024-03-03       9
    """
    bought = run(purchase_days(log), log)
    bought = bought[bought["bought"] & (bought["date"] <= pd.Timestamp(as_of))]
    first = bought.groupby("customer_id")["date"].min()
    start, end = first.min(), pd.Timestamp(as_of)
    grid = pd.date_range(start, end, freq=f"{step}D")
    repeats = np.sort(bought.loc[bought["date"] > bought["customer_id"].map(first), "date"].to_numpy())
    actual = np.searchsorted(repeats, grid.to_numpy(), side="right")
    born = (first - start).dt.days.value_counts().sort_index()
    ages = np.arange(0, (end - start).days + 1)
    curve = np.array([model.expected_purchases_new(float(t)) if t else 0.0 for t in ages])
    moment = (grid - start).days.to_numpy()
    expected = [
        float(born[born.index <= t].to_numpy() @ curve[t - born.index[born.index <= t].to_numpy()]) for t in moment
    ]
    return pd.DataFrame({"date": grid, "actual": actual, "expected": expected})


def choose_renewal_model(subscriptions: pd.DataFrame) -> RenewalModel:
    """Fit sBG and BdW to the contracts of one plan, and keep the one with the lower AIC.

    Parameters
    ----------
    subscriptions : SUBSCRIPTIONS

    Raises
    ------
    FitError
        When the plan shows no renewals or no losses yet.
    """
    fitted: list[RenewalModel] = [ShiftedBetaGeometric().fit(subscriptions)]
    with suppress(FitError):  # a third parameter that the data do not determine is no gain
        fitted.append(BetaDiscreteWeibull().fit(subscriptions))
    return min((m for m in fitted if not m.at_bound_), key=lambda m: m.aic_, default=fitted[0])
