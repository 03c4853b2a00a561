"""Whether to believe a model: holdout against naive baselines, the choice of a model, and the trust light.

In: a checked LOG and candidate models. Out: ``Holdout``, ``Choice`` and ``Trust``, each a table with its sentences.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from .engine import run, to_pandas
from .models import BGNBD, MBGNBD, BetaDiscreteWeibull, GammaGamma, ParetoNBD, ShiftedBetaGeometric
from .models.base import TransactionModel
from .models.renewals import RenewalModel
from .tables import FitError, TableError, as_day, table_html
from .transactions import purchase_days, split_log, summarize

__all__ = ["Choice", "Holdout", "Trust", "choose_model", "choose_renewal_model", "holdout", "tracking", "trust_gate"]

BASELINES = ("own rate so far", "same as last period", "everybody alike")


@dataclass(frozen=True)
class Holdout:
    """How predictions made at an earlier date compare with what came.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per model and naive baseline: ``model, log_likelihood, aic, expected, actual, bias, mae, rmse, coverage,
        baseline``. ``bias`` is expected / actual - 1 of the total; ``coverage`` the share of customers inside their
        90 % interval, an outcome on the edge counted by the probability mass that lies inside.
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

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        shown = self.table.drop(columns=["baseline"])
        return f"<p>{html.escape(self.text)}</p>{table_html(shown, {'bias': '{:+.0%}', 'coverage': '{:.0%}'})}"


@dataclass(frozen=True)
class Choice:
    """The chosen purchase model, fitted on all data, and why.

    Attributes
    ----------
    model : a fitted purchase model
    holdout : Holdout
    text : str
    """

    model: TransactionModel
    holdout: Holdout
    text: str


@dataclass(frozen=True)
class Trust:
    """The light at the top of a report.

    Attributes
    ----------
    light : "green", "amber" or "red"
    table : pandas.DataFrame
        Every check: ``check, light, found, way_out``.
    text : str
    """

    light: str
    table: pd.DataFrame
    text: str

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        shown = self.table.assign(way_out=self.table["way_out"].where(self.table["light"] != "green", ""))
        shown = shown.rename(columns={"way_out": "way out"})
        return f"<p><strong>{html.escape(self.text)}</strong></p>{table_html(shown)}"


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
    candidates : sequence of unfitted models
        BG/NBD, MBG/NBD and Pareto/NBD by default.
    calibration_end : date, optional
        The last day the models may see; by default the last third of the log (a year at most) is held out.
    as_of : date, optional
        The last day of the log.

    Raises
    ------
    TableError
        When the log is shorter than 60 days.
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
    known = to_pandas(summarize(split_log(log, end)[0], as_of=end))
    actual = _outcomes(log, known, end, last)
    rows = [_score_model(model, known, actual, length) for model in candidates or (BGNBD(), MBGNBD(), ParetoNBD())]
    before = _outcomes(log, known, end - timedelta(days=length), end, repeats_only=True)
    guesses = (
        known["frequency"] / known["T"].clip(lower=1) * length,
        before,
        pd.Series(before.mean(), index=known.index),
    )
    rows += [
        _row(name, g.to_numpy(float), actual.to_numpy(float), baseline=True)
        for name, g in zip(BASELINES, guesses, strict=True)
    ]
    table = pd.DataFrame(rows)
    return Holdout(table, _say_holdout(table, end, length, len(known)), end, length, len(known))


def _span(log: Any) -> tuple[date, date]:
    if isinstance(log, pd.DataFrame):
        return log["date"].min().date(), log["date"].max().date()
    ends = to_pandas(log.aggregate(first=log["date"].min(), last=log["date"].max()))
    return ends["first"].iloc[0].date(), ends["last"].iloc[0].date()


def _outcomes(log: Any, known: pd.DataFrame, start: date, end: date, *, repeats_only: bool = False) -> pd.Series:
    """Purchases of each known customer after ``start`` up to ``end``."""
    late = to_pandas(summarize(split_log(split_log(log, start)[1], end)[0], as_of=end))
    bought = late.set_index("customer_id")["purchases"].reindex(known["customer_id"]).fillna(0.0)
    bought = bought.set_axis(known.index)
    if repeats_only:  # the first purchase of those who joined in this stretch is no repeat
        bought = bought - (known["first_date"] > pd.Timestamp(start)).astype(float)
    return bought


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
        "coverage": np.nan,
        "baseline": baseline,
    }


def _score_model(model: TransactionModel, known: pd.DataFrame, actual: pd.Series, length: int) -> dict[str, Any]:
    try:
        model.fit(known)
    except FitError:
        return _row(model.name, np.full(len(known), np.nan), actual.to_numpy(float))
    row = _row(model.name, model.expected_purchases(known, length).to_numpy(float), actual.to_numpy(float))
    return row | {
        "log_likelihood": model.log_likelihood_,
        "aic": model.aic_,
        "coverage": coverage(model, known, actual, length),
    }


def coverage(
    model: TransactionModel, known: pd.DataFrame, actual: pd.Series, horizon: float, level: float = 0.9
) -> float:
    """Return the share of customers inside their predictive interval.

    Counts are lumpy: most outcomes are 0, and 0 is often all of the lower tail. So an outcome is placed at random
    within its own probability, and counts by the part of it that lies between the tails (the randomised probability
    integral transform); a true model then scores exactly ``level``.
    """
    cells = known[model.keys].assign(actual=actual.to_numpy(float)).value_counts().reset_index(name="n")
    draws = model.simulate_purchases(cells, float(horizon), size=1000)
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


def choose_model(
    log: Any,
    candidates: Sequence[type[TransactionModel]] = (BGNBD, MBGNBD, ParetoNBD),
    *,
    as_of: date | str | None = None,
) -> Choice:
    """Choose the purchase model by holdout and likelihood, fit it on everything, and say why.

    Models whose holdout error is within 2 % of the best one count as equal there; among them the lower AIC on all data
    wins.

    Parameters
    ----------
    log : LOG
        Checked.
    candidates : sequence of model classes
    as_of : date, optional

    Raises
    ------
    FitError
        When no candidate can be fitted on the whole log.
    """
    summary = to_pandas(summarize(log, as_of=as_of))
    whole, reasons = [], []
    for model in candidates:
        try:
            whole.append(model().fit(summary))
        except FitError as error:
            reasons.append(str(error))
    if not whole:
        raise FitError(reasons[0])
    check = holdout(log, [c() for c in candidates], as_of=as_of)
    scores = check.table.set_index("model")["mae"]
    fair = [m for m in whole if np.isfinite(scores.get(m.name, np.nan))] or whole
    best = min(scores.get(m.name, np.inf) for m in fair)
    close = [m for m in fair if not scores.get(m.name, np.inf) > 1.02 * best]
    chosen = min(close, key=lambda m: m.aic_)
    return Choice(chosen, check, _say_choice(chosen, fair, close, check))


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


def tracking(log: Any, model: TransactionModel, *, as_of: date | str, step: int = 7) -> pd.DataFrame:
    """Return repeat purchases of everybody together, as they came and as the model has them, week by week.

    Parameters
    ----------
    log : LOG
    model : a fitted purchase model
    as_of : date
    step : int
        Days between points.

    Returns
    -------
    pandas.DataFrame
        Columns ``date, actual, expected``: cumulative repeat purchases since the start of the log.
    """
    days = run(purchase_days(log), log)
    days = days[days["bought"] & (days["date"] <= pd.Timestamp(as_of))]
    first = days.groupby("customer_id")["date"].min()
    start, end = first.min(), pd.Timestamp(as_of)
    grid = pd.date_range(start, end, freq=f"{step}D")
    repeats = np.sort(days.loc[days["date"] > days["customer_id"].map(first), "date"].to_numpy())
    actual = np.searchsorted(repeats, grid.to_numpy(), side="right")
    born = (first - start).dt.days.value_counts().sort_index()
    ages = np.arange(0, (end - start).days + 1)
    curve = np.array([model.expected_new([(float(t), 1.0)]) if t else 0.0 for t in ages])
    moment = (grid - start).days.to_numpy()
    expected = [
        float(born[born.index <= t].to_numpy() @ curve[t - born.index[born.index <= t].to_numpy()]) for t in moment
    ]
    return pd.DataFrame({"date": grid, "actual": actual, "expected": expected})


# ------------------------------------------------------------------------------------------- trust gate


def trust_gate(
    summary: pd.DataFrame,
    *,
    as_of: date | str,
    purchases: TransactionModel | None = None,
    spend: GammaGamma | float | None = None,
    check: Holdout | None = None,
    why: str = "",
) -> Trust:
    """Give the green, amber or red light of a shop's prediction, with reasons and the way out.

    Parameters
    ----------
    summary : SUMMARY
    as_of : date
    purchases, spend : fitted models, or None where no model could be fitted
    check : Holdout, optional
    why : str
        Without a model, the reason.

    Returns
    -------
    Trust
        The worst light of all checks.
    """
    rows = [
        *_data_checks(summary, pd.Timestamp(as_of)),
        *_fit_checks(summary, purchases, spend, why),
        *_holdout_checks(check, purchases),
    ]
    return make_trust(rows)


def data_trust(summary: pd.DataFrame, *, as_of: date | str) -> Trust:
    """Say whether the data alone can carry a prediction, before any model is fitted.

    Parameters
    ----------
    summary : SUMMARY
    as_of : date
    """
    return make_trust(_data_checks(summary, pd.Timestamp(as_of)))


def make_trust(rows: list[tuple[str, str, str, str]]) -> Trust:
    """Join checks (check, light, found, way out) into one light."""
    table = pd.DataFrame(rows, columns=["check", "light", "found", "way_out"])
    order = {"green": 0, "amber": 1, "red": 2}
    light = max(table["light"], key=order.__getitem__)
    worst = table[table["light"] == light]
    says = {
        "green": "Green: the data carry a prediction, and it held when tested."
        if (table["check"] == "holdout total").any()
        else "Green: the data can carry a prediction.",
        "amber": "Amber: use the prediction with care.",
        "red": "Red: no prediction is shown.",
    }[light]
    if light != "green":
        says += " " + " ".join(f"{r.found} {r.way_out}" for r in worst.itertuples())
    return Trust(light, table, says)


def _plural(n: int, noun: str) -> str:
    return noun if n == 1 else f"{noun}s"


def grade(bad: bool, worse: bool = False) -> str:
    """Return red when ``worse``, amber when ``bad``, else green."""
    return "red" if worse else "amber" if bad else "green"


def _data_checks(summary: pd.DataFrame, as_of: pd.Timestamp) -> list[tuple[str, str, str, str]]:
    n, repeaters = len(summary), int((summary["frequency"] > 0).sum())
    history = int((as_of - summary["first_date"].min()).days)
    silence = int((as_of - summary["last_date"].max()).days)
    return [
        ("customers", grade(n < 500, n < 100), f"{n:,} {_plural(n, 'customer')} in all, {repeaters:,} of whom came back.",
         "Below 500 intervals are wide, below 100 nothing is predicted: wait for more customers."),
        ("repeat buyers", grade(repeaters < 100, repeaters < 30), f"{repeaters:,} {_plural(repeaters, 'customer')} bought more than once.",
         "Fewer than 100 leave the rhythm of purchases uncertain."),
        ("history", grade(history < 365, history < 120), f"The log covers {history:,} days.",
         "Less than a year hides the seasons; export a longer period."),
        ("recent orders", grade(silence > 30, silence > 120), f"The latest order is {silence:,} {'day' if silence == 1 else 'days'} before the as-of date.",
         "Check that the export is complete, or set as_of to its last day."),
        *_left_truncation(summary),
    ]  # fmt: skip


def _left_truncation(summary: pd.DataFrame) -> list[tuple[str, str, str, str]]:
    """Customers from before the log look new in its first weeks: too many of them, and too keen."""
    age = (summary["first_date"] - summary["first_date"].min()).dt.days
    span = int(age.max())
    old = age < 30
    if span < 180 or not 0 < old.sum() < len(summary):
        return []
    monthly = (~old).sum() / max((span - 30) / 30, 1.0)
    rate = summary["frequency"] / summary["T"].clip(lower=1)
    keen = rate[old].mean() / max(rate[~old & (summary["T"] >= 90)].mean(), 1e-12)
    bad = bool(old.sum() > 2 * monthly and keen > 1.0)
    return [
        ("first customers", grade(bad),
         f"{int(old.sum()):,} customers appear in the log's first 30 days, against {monthly:,.0f} in a later month.",
         "Most were probably customers before the log starts, which makes them look better than they are: "
         "export from the beginning, or leave the first month's out."),
    ]  # fmt: skip


def _fit_checks(
    summary: pd.DataFrame, purchases: TransactionModel | None, spend: GammaGamma | float | None, why: str
) -> list[tuple[str, str, str, str]]:
    if purchases is None:
        return [
            ("model", "red", f"There is no prediction: {why}" if why else "There is no prediction.",
             "Read what customers brought so far; a prediction needs repeat purchases.")
        ]  # fmt: skip
    rows = [
        ("parameters", grade(bool(purchases.at_bound_)),
         f"The data do not determine {', '.join(purchases.at_bound_)} of {purchases.name}."
         if purchases.at_bound_ else f"The data determine all parameters of {purchases.name}.",
         "The data do not show who left for good; the prediction leans on the horizon.")
    ]  # fmt: skip
    if isinstance(spend, GammaGamma):
        q = float(spend.params_["q"])
        repeat = summary[(summary["frequency"] > 0) & (summary["monetary_value"] > 0)]
        rho = float(np.corrcoef(repeat["frequency"], repeat["monetary_value"])[0, 1]) if len(repeat) > 2 else 0.0
        rho = 0.0 if np.isnan(rho) else rho
        rows += [
            ("uneven spend", grade(q < 2, q <= 1), f"Spend is {'even enough' if q >= 2 else 'very uneven'} to be averaged (tail index q of the spend model: {q:.2f}).",
             "Below 2 a few large orders decide the mean: look for wholesale orders."),
            ("spend and frequency", grade(abs(rho) > 0.3), f"Spend and frequency correlate by {rho:+.2f}.",
             "Beyond 0.3 the value of frequent buyers is off: value the segments apart."),
        ]  # fmt: skip
    else:
        rows.append(
            ("spend", "amber", "Spend could not be modelled; every purchase is valued alike.",
             "Differences between customers in spend are not shown.")
        )  # fmt: skip
    return rows


def _holdout_checks(check: Holdout | None, purchases: TransactionModel | None) -> list[tuple[str, str, str, str]]:
    if purchases is None:
        return []
    scores = check.table.set_index("model") if check is not None else pd.DataFrame()
    if check is None or purchases.name not in scores.index or np.isnan(scores.loc[purchases.name, "bias"]):
        return [
            ("holdout", "amber", "The prediction could not be tested on held-out data.",
             "The log is too short; test again when it is longer.")
        ]  # fmt: skip
    bias, mae = float(scores.loc[purchases.name, "bias"]), float(scores.loc[purchases.name, "mae"])
    naive = scores.loc[list(BASELINES), "mae"].min()
    return [
        ("holdout total", grade(abs(bias) > 0.25, abs(bias) > 0.5),
         f"Tested on the last {check.days} days, the total was {abs(bias):.0%} too {'high' if bias > 0 else 'low'}.",
         "Beyond 25% something the model does not know is at work: a season, a new kind of customer, a changed shop."),
        ("holdout customers", grade(mae > naive),
         f"Per customer it missed by {mae:.2f} purchases, the best naive guess by {naive:.2f}.",
         "Where a naive guess is closer, rank customers by it."),
    ]  # fmt: skip


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


def subscription_trust(
    subscriptions: pd.DataFrame, models: Mapping[str, RenewalModel], fit_table: pd.DataFrame
) -> Trust:
    """Give the light of a subscription's prediction: contracts, renewals seen, and how well survival is met."""
    rows: list[tuple[str, str, str, str]] = []
    for plan, group in subscriptions.groupby("plan"):
        n, lost = len(group), int((~group["active"]).sum())
        rows.append(
            (f"{plan}: contracts", grade(n < 200, n < 50), f"The {plan} plan has {n:,} contracts, {lost:,} of them ended.",
             "Fewer than 200 make wide intervals.")
        )  # fmt: skip
        if str(plan) not in models:
            rows.append(
                (f"{plan}: model", "red", f"Renewals of the {plan} plan could not be modelled.", "Wait for renewals.")
            )
            continue
        seen = fit_table[(fit_table["plan"] == plan) & (fit_table["at_risk"] >= 20)]
        gap = float((seen["expected"] - seen["actual"]).abs().max()) if len(seen) else np.nan
        rows.append(
            (f"{plan}: survival", grade(not gap <= 0.05, gap > 0.15),
             f"On the {plan} plan the model's survival is within {gap:.1%} of what was seen." if len(seen)
             else f"The {plan} plan has too few renewals to compare survival.",
             "A larger gap means that customers who joined at different times leave differently.")
        )  # fmt: skip
        depth = int(group["renewals"].max())
        rows.append(
            (f"{plan}: depth", grade(depth < 4), f"On the {plan} plan nobody has renewed more than {depth} times.",
             "With fewer than four renewals seen, survival beyond them is the model's word alone.")
        )  # fmt: skip
    return make_trust(rows)
