"""Whether to believe a model: holdout and backtest against naive baselines, and the choice of a model.

In: a checked LOG and candidate models. Out: ``Holdout``, ``Backtest`` and ``Choice``, each a table with its sentences.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from ..core.engine import run, to_pandas
from ..core.errors import FitError, TableError
from ..core.maths import days
from ..core.results import Told, escaped, table_html
from ..core.tables import as_day
from ..core.threads import one_thread
from ..data.summary import purchase_days, summarize
from ..models import BGNBD, MBGNBD, BetaDiscreteWeibull, BGCNBDk, MBGCNBDk, ParetoNBD, ShiftedBetaGeometric
from ..models.base import TransactionModel, unfitted
from ..models.renewals import RenewalModel
from .predictions import BASELINES, Origin, Prediction, evaluate, guesses, look_back, predict, span, table_of

__all__ = [
    "Backtest",
    "Choice",
    "Holdout",
    "backtest",
    "choose_model",
    "choose_renewal_model",
    "closer",
    "compare_models",
    "holdout",
    "tracking",
]

Candidate = TransactionModel | type[TransactionModel]
CANDIDATES: tuple[type[TransactionModel], ...] = (BGNBD, MBGNBD, ParetoNBD, BGCNBDk, MBGCNBDk)
# Scores within this share of each other count as equal.
MARGIN = 0.02
# A model whose total is further off than the best candidate's by this share of what came is not chosen.
OFF_TOTAL = 0.10
ORIGINS = 3


def closer(score: float, other: float) -> bool:
    """Return whether a score is better than another by more than 2 % of it; False where one is missing.

    Examples
    --------
    >>> closer(0.97, 1.0), closer(0.99, 1.0)
    (True, False)
    """
    return bool(score < (1 - MARGIN) * other)


@dataclass(frozen=True, repr=False)
class Holdout(Told):
    """How predictions made at an earlier date compare with what came.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per model and naive guess: ``model, log_likelihood, aic, expected, actual, bias, mae, rmse, wape, crps,
        gain, coverage, baseline``. ``expected`` and ``actual`` are repeat purchases of all customers; ``mae, rmse`` and
        ``crps`` purchases per customer; see ``evaluate`` for each.
    text : str
    calibration_end : date
    days : int
        Length of the holdout.
    customers : int
        Customers known at ``calibration_end``.
    predictions : PREDICTIONS
        One row per customer and model or naive guess.
    made : tuple of Prediction
        The same as they were made, with the fitted models.
    """

    table: pd.DataFrame
    text: str
    calibration_end: date
    days: int
    customers: int
    made: tuple[Prediction, ...] = ()

    @property
    def predictions(self) -> pd.DataFrame:
        """The PREDICTIONS behind the scores."""
        return table_of(self.made)

    def _told(self) -> tuple[str, Iterable[pd.DataFrame]]:
        return self.text, [self.table.drop(columns=["baseline"])]

    def _repr_html_(self) -> str:
        shown = self.table.drop(columns=["baseline"])
        return f"<p>{escaped(self.text)}</p>{table_html(shown, {'bias': '{:+.0%}', 'coverage': '{:.0%}'})}"


def holdout(
    log: Any,
    candidates: Sequence[Candidate] = (BGNBD, MBGNBD, ParetoNBD),
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
        Classes, or instances whose class and settings are fitted anew on what was known at ``calibration_end``; one that
        cannot be fitted has missing figures. The fitted ones are in ``made``.
    calibration_end : date, optional
        The last day the models may see; by default the last third of the log (a year at most) is held out.
    as_of : date, optional
        The last day looked at; the last date in the log when left out.

    Returns
    -------
    Holdout
        ``table`` with one row per model and naive guess, ``text`` and ``predictions``.

    Raises
    ------
    TableError
        When the log is shorter than 60 days, or ``calibration_end`` does not lie inside it.

    Notes
    -----
    The naive guesses: the customer's own rate so far (frequency / T x length), the purchases in the stretch of the same
    length before, and everybody alike (their mean). So that they have a score (CRPS) too, the first two get the Poisson
    distribution of their mean, the third the spread of all customers' purchases in the stretch before.

    Distributions, and so ``crps`` and ``coverage``, are those at the estimates, of 4,000 customers where there are more.

    References
    ----------
    CRPS: Gneiting and Raftery (2007), JASA 102, 359-378. ``gain``: Wang, Liu and Miao (2019), arXiv:1912.07753.

    Examples
    --------
    >>> log = BGNBD.with_params(r=0.9, alpha=60.0, a=0.8, b=2.5).simulate(300, length="1 year", seed=1)
    >>> holdout(log, [BGNBD]).table[["model", "actual", "baseline"]]
                     model  actual  baseline
    0               BG/NBD   185.0     False
    1      own rate so far   185.0      True
    2  same as last period   185.0      True
    3      everybody alike   185.0      True
    """
    first, last = _ends(log, as_of)
    total = (last - first).days
    end = as_day(calibration_end) or last - timedelta(days=min(total // 3, 365))
    length = (last - end).days
    if not 0 < length < total:
        raise TableError(f"calibration_end {end} must lie between {first} and {last}")
    [origin] = look_back(log, [(end, length)])
    return _held_out([*(predict(kind, origin) for kind in candidates), *guesses(origin)])


def _ends(log: Any, as_of: date | str | None) -> tuple[date, date]:
    """The first day of the log and the last one looked at, far enough apart for a test."""
    first, last = span(log)
    last = as_day(as_of) or last
    if (last - first).days < 60:
        raise TableError(f"the log spans {(last - first).days} days; a holdout needs at least 60")
    return first, last


def _held_out(predictions: list[Prediction]) -> Holdout:
    """The scores of predictions from one day."""
    origin = predictions[0].origin
    table = _scored(predictions)[
        ["model", "log_likelihood", "aic", "expected", "actual", "bias", "mae", "rmse", "wape", "crps", "gain", "coverage",
         "baseline"]
    ]  # fmt: skip
    text = _say_holdout(table, origin.day, origin.horizon, len(origin.known))
    return Holdout(table, text, origin.day, origin.horizon, len(origin.known), tuple(predictions))


def _scored(predictions: list[Prediction]) -> pd.DataFrame:
    """One row of scores for each prediction, with the likelihood of the fit behind it."""
    scores = pd.concat([evaluate(p.rows(), ["origin", "model", "baseline"]) for p in predictions], ignore_index=True)
    return scores.assign(
        origin=[p.origin.day for p in predictions],
        log_likelihood=[p.fitted.log_likelihood_ if p.fitted else np.nan for p in predictions],
        aic=[p.fitted.aic_ if p.fitted else np.nan for p in predictions],
    )


def _say_holdout(table: pd.DataFrame, end: date, length: int, customers: int) -> str:
    actual = table["actual"].iloc[0]
    fitted = table[~table["baseline"]].dropna(subset=["mae"])
    naive = table[table["baseline"]].sort_values("crps").iloc[0]
    text = f"Of {customers:,} customers known on {end}, {actual:,.0f} purchases came in the next {length} days."
    for row in fitted.itertuples():
        text += (
            f" {row.model} expected {row.expected:,.0f} ({row.bias:+.0%}); mean absolute error {row.mae:.3f} per customer, "
            f"score (CRPS) {row.crps:.3f}."
        )
    if fitted.empty:
        text += " No model could be fitted on the earlier data."
    return text + f" The best naive guess ({naive.model}) has a score of {naive.crps:.3f} ({naive.bias:+.0%} in total)."


# ----------------------------------------------------------------------------------------------- choice


@dataclass(frozen=True, repr=False)
class Choice(Told):
    """The chosen purchase model, fitted on all data, and why.

    Attributes
    ----------
    model : a fitted purchase model
    holdout : Holdout
        The predictions from the middle one of the earlier days, a third of the log before its end where the horizon is
        long.
    text : str
    table : pandas.DataFrame
        Every candidate: ``model, log_likelihood, aic, bic`` on the whole log; over all earlier days ``holdout_crps``, by
        which is chosen, ``holdout_total_error, holdout_money_total_error, holdout_bias, holdout_mae, holdout_gain,
        holdout_coverage`` (see ``evaluate``); and ``chosen``; the naive guesses below.
    predictions : PREDICTIONS
        One row per customer, earlier day and model or naive guess.
    made : tuple of Prediction
        The same as they were made, with the fitted models.
    """

    model: TransactionModel
    holdout: Holdout
    text: str
    table: pd.DataFrame
    made: tuple[Prediction, ...] = ()

    @property
    def predictions(self) -> pd.DataFrame:
        """The PREDICTIONS behind the scores."""
        return table_of(self.made)

    def _told(self) -> tuple[str, Iterable[pd.DataFrame]]:
        return self.text, [self.table]


@one_thread
def choose_model(
    log: Any,
    candidates: Sequence[Candidate] = CANDIDATES,
    *,
    horizon: str | float = "3 years",
    as_of: date | str | None = None,
    summary: Any = None,
) -> Choice:
    """Choose the purchase model by its predictions from earlier days, fit it on everything, and say why.

    Every candidate predicts from three earlier days, and is scored by the CRPS of each customer's purchases. A
    model whose total of purchases, or then of money, is further off than the best candidate's by more than ten percentage
    points of what came is not chosen. Of the others, scores within 2 % of the best count as equal, and among them the lower AIC on
    all data wins. A regular model that finds no regularity (k = 1) is its plain model, and no candidate.

    Parameters
    ----------
    log : LOG
        Checked.
    candidates : sequence of models
        Classes, or instances whose class and settings are fitted; by default BG/NBD, MBG/NBD, Pareto/NBD, BG/CNBD-k and MBG/CNBD-k.
    horizon : str or number of days
        How far ahead the model is to predict.
    as_of : date, optional
        The last day looked at; the last date in the log when left out.
    summary : SUMMARY, optional
        Of the whole log on that day, where it is at hand.

    Returns
    -------
    Choice
        The chosen model, fitted on everything; the test, every candidate, the predictions and why.

    Raises
    ------
    FitError
        When no candidate can be fitted on the whole log.
    TableError
        When the log is shorter than 60 days, or a row of the SUMMARY cannot be.
    ValueError
        For a horizon that is no duration.

    Notes
    -----
    The earlier days lie one, two and three horizons before the end, the first of them half of the log at most: then all three
    move closer in proportion. From each the horizon is predicted, or what is left of the log. A day on which not every
    candidate can be fitted counts for none.

    References
    ----------
    CRPS: Gneiting and Raftery (2007), JASA 102, 359-378. Several origins: Tashman (2000), International Journal of
    Forecasting 16(4), 437-450. Akaike (1974), IEEE Transactions on Automatic Control 19(6), 716-723. The margins of 2 % and
    of ten points are clvnb's convention.

    Examples
    --------
    >>> log = BGNBD.with_params(r=0.9, alpha=60.0, a=0.8, b=2.5).simulate(300, length="1 year", seed=1)
    >>> choice = choose_model(log, [BGNBD])
    >>> choice.model.name, choice.text
    ('BG/NBD', 'BG/NBD is used, the only model that could be fitted. It is 27% closer than the best naive guess.')
    """
    summary = to_pandas(summarize(log, as_of=as_of) if summary is None else summary)
    kinds, whole, reasons = [], [], []
    for candidate in candidates:
        try:
            model = unfitted(candidate).fit(summary)
        except FitError as error:
            reasons.append(str(error))
            continue
        if getattr(model, "k", 2) > 1 or len(candidates) == 1:
            kinds.append(candidate)
            whole.append(model)
    if not whole:
        raise FitError(reasons[0])
    origins = look_back(log, _moments(*_ends(log, as_of), max(int(days(horizon)), 1)))
    made = [[*(predict(kind, origin) for kind in kinds), *guesses(origin)] for origin in origins]
    scores = _by_model([p for one in made for p in one])
    fair = _fair(whole, scores)
    close = [
        m for m in fair if not closer(scores.loc[[f.name for f in fair], "crps"].min(), scores.loc[m.name, "crps"])
    ]
    chosen = min(close, key=lambda m: m.aic_)
    return Choice(
        chosen,
        _held_out(made[len(made) // 2]),
        _say_choice(chosen, whole, fair, close, scores, origins),
        _comparison(whole, scores, chosen),
        tuple(p for one in made for p in one),
    )


def _moments(first: date, last: date, asked: int) -> list[tuple[date, int]]:
    """Earlier days and how far each predicts: a horizon apart where the log is long enough, else over half of it."""
    far = min(ORIGINS * asked, (last - first).days // 2)
    back = [far * k // ORIGINS for k in range(ORIGINS, 0, -1)]
    return [(last - timedelta(days=ahead), min(asked, ahead)) for ahead in back]


def _by_model(predictions: list[Prediction]) -> pd.DataFrame:
    """The scores of each model over the days on which every one could be fitted; over all days where there is none."""
    lost = {p.origin.day for p in predictions if np.isnan(p.mean).any()}
    kept = [p for p in predictions if p.origin.day not in lost] or predictions
    names = dict.fromkeys(p.model for p in kept)
    return pd.concat([evaluate(table_of(p for p in kept if p.model == name)) for name in names]).set_index("model")


def _fair(whole: list[TransactionModel], scores: pd.DataFrame) -> list[TransactionModel]:
    """The models that have a score, and whose totals are within ten points of the best one's."""
    fair = [m for m in whole if np.isfinite(scores.loc[m.name, "crps"])]
    for total in ("total_error", "money_total_error"):
        best = scores.loc[[m.name for m in fair], total].min()
        fair = [m for m in fair if not scores.loc[m.name, total] > best + OFF_TOTAL]
    return fair or whole


def _comparison(whole: list[TransactionModel], scores: pd.DataFrame, chosen: TransactionModel) -> pd.DataFrame:
    fits = pd.DataFrame([(m.name, m.log_likelihood_, m.aic_, m.bic_) for m in whole],
                        columns=["model", "log_likelihood", "aic", "bic"])  # fmt: skip
    wanted = ["crps", "total_error", "money_total_error", "bias", "mae", "gain", "coverage"]
    held = scores[wanted].add_prefix("holdout_").reindex([*fits["model"], *BASELINES])
    table = held.reset_index(names="model").merge(fits, on="model", how="left")
    return table[[*fits, *held]].assign(chosen=table["model"] == chosen.name)


def compare_models(
    log: Any,
    candidates: Sequence[Candidate] = CANDIDATES,
    *,
    horizon: str | float = "3 years",
    as_of: date | str | None = None,
) -> pd.DataFrame:
    """Return every candidate's likelihood on the whole log beside its errors from earlier days, and the naive guesses'.

    Parameters
    ----------
    log, candidates, horizon, as_of
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
    return choose_model(log, candidates, horizon=horizon, as_of=as_of).table


def _say_choice(
    chosen: TransactionModel,
    whole: list[TransactionModel],
    fair: list[TransactionModel],
    close: list[TransactionModel],
    scores: pd.DataFrame,
    origins: list[Origin],
) -> str:
    own, naive = scores.loc[chosen.name, "crps"], scores.loc[list(BASELINES), "crps"]
    ahead = f"{len(origins)} earlier days, up to {max(o.horizon for o in origins)} days ahead"
    text = f"{chosen.name} is used"
    if len(whole) == 1:
        text += ", the only model that could be fitted."
    elif not np.isfinite(own):
        text += ": its likelihood is the best (lowest AIC), and no model could be fitted on the earlier data."
    elif len(close) == 1:
        text += f": of the predictions from {ahead}, its own have the best score (CRPS)."
    else:
        others = ", ".join(m.name for m in close if m is not chosen)
        text += f": its predictions from {ahead}, score as well (CRPS) as {others}, and its likelihood is better (lower AIC)."
    text += _say_left_out([m.name for m in whole if m not in fair], scores)
    if not np.isfinite(own):
        return text
    if closer(naive.min(), own):
        return text + (
            f" A naive guess ({naive.idxmin()}) is {1 - naive.min() / own:.0%} closer, so lean on the ranking less than on the "
            "total."
        )
    if closer(own, naive.min()):
        return text + f" It is {1 - own / naive.min():.0%} closer than the best naive guess."
    return text + f" The best naive guess ({naive.idxmin()}) is as close."


def _say_left_out(names: list[str], scores: pd.DataFrame) -> str:
    """Models whose totals are further off than may be, with the errors of their totals."""
    worse = [n for n in names if np.isfinite(scores.loc[n, "crps"])]
    if not worse:
        return ""
    said = ", ".join(f"{n} ({scores.loc[n, 'total_error']:.0%})" for n in worse)
    best = scores.loc[~scores.index.isin(BASELINES), "total_error"].min()
    return f" Not considered for the error of the total: {said}, against {best:.0%} of the best model."


# --------------------------------------------------------------------------------------------- backtest


@dataclass(frozen=True, repr=False)
class Backtest(Told):
    """Predictions made again and again from earlier days, and what came of them.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per origin and model or naive baseline: ``origin, model, baseline, customers, expected, actual, bias,
        total_error, mae, rmse, wape, gain, crps, coverage`` (of the customers' own intervals), ``inside`` (whether the 90 %
        interval of the total held the outcome), and for money ``money_expected, money_actual, money_bias,
        money_total_error, money_mae, money_gain``; see ``evaluate``.
    deciles : pandas.DataFrame
        Customers of all origins by expected money, tenth by tenth from the best: ``decile, customers, expected,
        actual`` per customer, and ``share``, of all money that came.
    text : str
    predictions : PREDICTIONS
        One row per customer, origin and model or naive guess.
    made : tuple of Prediction
        The same as they were made, with the fitted models.
    """

    table: pd.DataFrame
    deciles: pd.DataFrame
    text: str
    made: tuple[Prediction, ...] = ()

    @property
    def predictions(self) -> pd.DataFrame:
        """The PREDICTIONS behind the scores."""
        return table_of(self.made)

    @property
    def off(self) -> float:
        """By how much the models' totals of purchases were off on average, up or down, as a share of what came."""
        return float(self.table.loc[~self.table["baseline"].astype(bool), "bias"].abs().mean())

    def _told(self) -> tuple[str, Iterable[pd.DataFrame]]:
        return self.text, [self.table.drop(columns=["baseline"])]


def backtest(
    log: Any,
    candidates: Sequence[Candidate] = (BGNBD, MBGNBD, ParetoNBD),
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
    candidates : sequence of models
        Classes, or instances whose class and settings are fitted. The first one's predictions make the decile table.
    origins : int
        How many, one horizon apart, the last one a horizon before the end.
    horizon : str or number of days
        Of each prediction, such as ``"90 days"``.
    as_of : date, optional
        The last day looked at; the last date in the log when left out.

    Returns
    -------
    Backtest
        ``table`` by origin and model, ``deciles`` of customers, ``text``, ``predictions``.

    Raises
    ------
    TableError
        When the log is too short: before the first origin there must be at least one horizon and 60 days.

    Notes
    -----
    Money of a customer below 0 counts as 0. Naive guesses and distributions are those of ``holdout``.

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
    first, last = span(log)
    last, length = as_day(as_of) or last, int(days(horizon))
    starts = [last - timedelta(days=length * k) for k in range(origins, 0, -1)]
    if (starts[0] - first).days < max(length, 60):
        raise TableError(
            f"the log spans {(last - first).days} days, too few for {origins} origins {length} days apart; ask for "
            "fewer origins or a shorter horizon"
        )
    made = [
        p
        for origin in look_back(log, [(start, length) for start in starts])
        for p in (*(predict(kind, origin) for kind in candidates), *guesses(origin))
    ]
    table = _scored(made).drop(columns=["log_likelihood", "aic"]).assign(inside=[_total_inside(p) for p in made])
    best = table_of(p for k, p in enumerate(made) if k % (len(candidates) + len(BASELINES)) == 0)
    return Backtest(table, _deciles(best), _say_backtest(table, length), tuple(made))


def _total_inside(made: Prediction) -> float:
    """Whether the 90 % interval of the total held what came; missing without a fit."""
    if made.fitted is None:
        return float("nan")
    total = made.fitted.purchase_interval(made.origin.known, made.origin.horizon, total=True)
    return float(total.low <= made.origin.actual.sum() <= total.high)


def _deciles(predictions: pd.DataFrame) -> pd.DataFrame:
    rank = predictions["money_mean"].rank(ascending=False, method="first", pct=True)
    decile = np.ceil(rank * 10).fillna(10).astype(int).rename("decile")
    table = predictions.groupby(decile).agg(
        customers=("money_actual", "size"), expected=("money_mean", "mean"), actual=("money_actual", "mean"),
        money=("money_actual", "sum"),
    )  # fmt: skip
    table["share"] = table["money"] / max(table["money"].sum(), 1e-12)
    return table.drop(columns="money").reset_index()


def _say_backtest(table: pd.DataFrame, length: int) -> str:
    models = table[~table["baseline"]].dropna(subset=["mae"])
    origins = table["origin"].nunique()
    text = f"From {origins} earlier days, {length} days ahead each time."
    for name, rows in models.groupby("model", sort=False):
        total = rows["expected"].sum() / max(rows["actual"].sum(), 1) - 1
        money = rows["money_expected"].sum() / max(rows["money_actual"].sum(), 1e-12) - 1
        text += (
            f" {name}: bias {total:+.0%} in purchases and {money:+.0%} in money, mean absolute error {rows['mae'].mean():.3f} "
            f"purchases per customer, score (CRPS) {rows['crps'].mean():.3f}; its range held the total "
            f"{int(rows['inside'].sum())} of {len(rows)} times"
        )
        if rows["inside"].mean() < 0.6:
            text += f" (it leaves out what the model does not know: expect an error of {rows['bias'].abs().mean():.0%} either way)"
        text += "."
    naive = table[table["baseline"]].groupby("model")["crps"].mean()
    return text + f" The best naive guess ({naive.idxmin()}) has a score of {naive.min():.3f}."


def tracking(log: Any, model: TransactionModel, *, as_of: date | str, step: str | float = "1 week") -> pd.DataFrame:
    """Return repeat purchases of everybody together, as they came and as the model has them, week by week.

    Parameters
    ----------
    log : LOG
        Checked.
    model : a fitted purchase model
        In days: not BG/BB.
    as_of : date
        The last day looked at.
    step : str or number of days
        Between points, in whole days.

    Returns
    -------
    pandas.DataFrame
        ``date, actual, expected``: repeat purchases of all customers together since the start of the log, a customer's
        first not counted; ``expected`` at the model's estimates for customers of each starting day.

    Examples
    --------
    >>> model = BGNBD.with_params(r=0.9, alpha=60.0, a=0.8, b=2.5)
    >>> log = model.simulate(50, length="120 days", seed=1)
    >>> tracking(log, model, as_of="2024-04-30", step="60 days")[["date", "actual"]]
            date  actual
    0 2024-01-03       0
    1 2024-03-03       9
    """
    if model.unpaced().changes_pace:
        raise TableError(
            f"{model.name} was fitted with a calendar, which says nothing of newcomers of the past: fit it alone"
        )
    model = model.unpaced()
    bought = run(purchase_days(log), log)
    bought = bought[bought["bought"] & (bought["date"] <= pd.Timestamp(as_of))]
    first = bought.groupby("customer_id")["date"].min()
    start, end = first.min(), pd.Timestamp(as_of)
    grid = pd.date_range(start, end, freq=f"{round(days(step))}D")
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
