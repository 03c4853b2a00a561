"""The trust level at the top of a report: whether data and model carry a prediction, why, and what to do.

In: a SUMMARY, fitted models, a ``Holdout``, a LOG. Out: ``Trust``, a table of checks with its sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from ..core.engine import run
from ..core.maths import LEVEL
from ..core.results import Told, escaped, table_html
from ..data.summary import purchase_days
from ..models import GammaGamma
from ..models.base import TransactionModel
from ..models.constant_spend import ConstantSpend
from ..models.renewals import RenewalModel
from .evaluate import Holdout, closer
from .forecast import NEEDED, Forecast
from .predictions import BASELINES
from .spread import NOT_RELIABLE, width

__all__ = ["LEVELS", "Trust", "data_trust", "grade", "level_of", "make_trust", "subscription_trust", "trust_gate"]

LEVELS = ["reliable", "use with care", "not reliable"]
_COLOURS = dict(zip(("green", "amber", "red"), LEVELS, strict=True))  # as older results.json have them


def level_of(written: str) -> str:
    """Return the trust level of a report's ``results.json``, in words also where an older one has a colour.

    Examples
    --------
    >>> level_of("amber"), level_of("reliable")
    ('use with care', 'reliable')
    """
    return _COLOURS.get(written, written)


@dataclass(frozen=True, repr=False)
class Trust(Told):
    """The trust level at the top of a report.

    Attributes
    ----------
    level : "reliable", "use with care" or "not reliable"
    table : pandas.DataFrame
        Every check: ``check, level, found, what_to_do``.
    text : str
    """

    level: str
    table: pd.DataFrame
    text: str

    def _told(self) -> tuple[str, Iterable[pd.DataFrame]]:
        return self.text, [self.table]

    def _repr_html_(self) -> str:
        shown = self.table.assign(what_to_do=self.table["what_to_do"].where(self.table["level"] != "reliable", ""))
        shown = shown.rename(columns={"what_to_do": "what to do"})
        return f"<p><strong>{escaped(self.text)}</strong></p>{table_html(shown)}"


def trust_gate(
    summary: pd.DataFrame,
    *,
    as_of: date | str,
    purchases: TransactionModel | None = None,
    spend: GammaGamma | ConstantSpend | float | None = None,
    check: Holdout | None = None,
    log: Any = None,
    outlook: Forecast | None = None,
    why: str = "",
) -> Trust:
    """Give the trust level of a shop's prediction, with reasons and what to do.

    Parameters
    ----------
    summary : SUMMARY
    as_of : date
        The last day looked at.
    purchases, spend : fitted models, or None
        None where no model could be fitted: without ``purchases`` there is no prediction.
    check : Holdout, optional
        From ``holdout``.
    log : LOG, optional
        A drift from cohort to cohort is looked for in it.
    outlook : Forecast, optional
        From ``forecast_purchases``: how wrong the total may be, which decides, and its season and trend.
    why : str
        Without a model, the reason.

    Returns
    -------
    Trust
        The worst level of all checks.

    Notes
    -----
    The checks, with the limits for use with care and not reliable: customers below 500, 100; repeat buyers below 100, 30; history below
    365, 120 days; latest order more than 30, 120 days ago; q of the spend model below 2, at or below 1; the upper end
    of the total's 90 % range more than 25 % above it, a scale of its error above .5 within a year (without an ``outlook``: bias of the
    holdout total above 25, 50 %).

    At most use with care: a parameter at a bound, or whose logarithm has a standard error above 1.5; a correlation of spend and
    frequency beyond 0.3; a naive guess that is closer by more than 2 % (CRPS); forecasts tested over less than half of the horizon; a log
    too short to tell a season from a trend; older and newer halves of customers that differ in who comes back within 90 days, by more than 3.3 standard errors and a quarter; a
    first month with more than twice a later month's newcomers, who buy more often; no test on held-out data; no model
    of spend. Without a model of purchases: not reliable.

    The limits are clvnb's judgement.

    Examples
    --------
    >>> days = pd.to_datetime(["2024-05-01", "2024-05-01", "2024-05-10"])
    >>> summary = pd.DataFrame({"customer_id": ["a", "b"], "frequency": [1, 0], "recency": [9, 0], "T": [40, 40],
    ...     "first_date": days[:2], "last_date": days[1:]})
    >>> trust_gate(summary, as_of="2024-06-10", why="only two customers.").level
    'not reliable'
    """
    rows = [
        *_data_checks(summary, pd.Timestamp(as_of)),
        *_fit_checks(summary, purchases, spend, why),
        *_holdout_checks(check, purchases, outlook),
        *([] if outlook is None else _outlook_checks(outlook)),
        *([] if outlook is None or purchases is None else _reached(outlook, purchases, summary)),
        *([] if log is None else _time_checks(log, pd.Timestamp(as_of))),
    ]
    return make_trust(rows)


def data_trust(summary: pd.DataFrame, *, as_of: date | str) -> Trust:
    """Say whether the data alone can carry a prediction, before any model is fitted.

    Parameters
    ----------
    summary : SUMMARY
    as_of : date
        The last day looked at.

    Returns
    -------
    Trust
        The worst level of the checks of the data alone.
    """
    return make_trust(_data_checks(summary, pd.Timestamp(as_of)))


def make_trust(rows: list[tuple[str, str, str, str]]) -> Trust:
    """Join checks (check, level, found, what to do) into one level."""
    table = pd.DataFrame(rows, columns=["check", "level", "found", "what_to_do"])
    level = max(table["level"], key=LEVELS.index)
    worst = table[table["level"] == level]
    says = {
        "reliable": "Reliable: the data carry a prediction, and it held when tested."
        if table["check"].isin(["holdout total", "expected error"]).any()
        else "The data alone raise no doubt; how far a forecast can be trusted is tested in the report.",
        "use with care": "Use with care: not every check was passed.",
        "not reliable": "Not reliable: no prediction is shown.",
    }[level]
    if level != LEVELS[0]:
        says += " " + " ".join(f"{r.found} {r.what_to_do}" for r in worst.itertuples())
    return Trust(level, table, says)


def _plural(n: int, noun: str) -> str:
    return noun if n == 1 else f"{noun}s"


def grade(bad: bool, worse: bool = False) -> str:
    """Return not reliable when ``worse``, use with care when ``bad``, else reliable."""
    return "not reliable" if worse else "use with care" if bad else "reliable"


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
    summary: pd.DataFrame,
    purchases: TransactionModel | None,
    spend: GammaGamma | ConstantSpend | float | None,
    why: str,
) -> list[tuple[str, str, str, str]]:
    if purchases is None:
        return [
            ("model", "not reliable", f"There is no prediction: {why}" if why else "There is no prediction.",
             "Read what customers brought so far; a prediction needs repeat purchases.")
        ]  # fmt: skip
    rows = [_parameter_check(purchases)]
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
            ("spend", "use with care", "Spend is not modelled; every purchase is valued alike.",
             "Differences between customers in spend are not shown.")
        )  # fmt: skip
    return rows


def _parameter_check(purchases: TransactionModel) -> tuple[str, str, str, str]:
    """Whether the data tell the parameters: none at a bound, none known to worse than a factor of twenty."""
    loose = [] if purchases.fit_ is None else [
        k for k, error in (purchases.standard_errors_ / purchases.params_).items() if error > 1.5
    ]  # fmt: skip
    unclear = [*purchases.at_bound_, *(k for k in loose if k not in purchases.at_bound_)]
    found = (
        f"The data do not determine {', '.join(unclear)} of {purchases.name}."
        if unclear
        else f"The data determine all parameters of {purchases.name}."
    )
    way = "They do not show who left for good, so the value leans on the horizon: keep it short, and come back later."
    return ("parameters", grade(bool(unclear)), found, way)


def _time_checks(log: Any, as_of: pd.Timestamp) -> list[tuple[str, str, str, str]]:
    """Cohorts that come back more or less than those before them."""
    days = run(purchase_days(log), log)
    days = days[days["bought"] & (days["date"] <= as_of)]
    first = days.groupby("customer_id")["date"].min()
    repeats = days[days["date"] > days["customer_id"].map(first)]
    return _drift(repeats, first, as_of)


def _drift(repeats: pd.DataFrame, first: pd.Series, as_of: pd.Timestamp) -> list[tuple[str, str, str, str]]:
    """Whether the share that comes back within 90 days differs between older and newer customers."""
    seen = first[first <= as_of - pd.Timedelta(days=90)]
    if len(seen) < 200 or (seen.max() - seen.min()).days < 60:
        return []
    second = repeats.groupby("customer_id")["date"].min().reindex(seen.index)
    back = (second - seen).dt.days <= 90
    old = seen <= seen.quantile(0.5)
    n, p = [int(old.sum()), int((~old).sum())], [float(back[old].mean()), float(back[~old].mean())]
    pooled = back.mean()
    error = np.sqrt(max(pooled * (1 - pooled), 1e-12) * (1 / n[0] + 1 / n[1])) if min(n) else np.inf
    far = abs(p[1] - p[0]) > 3.3 * error and abs(p[1] - p[0]) > 0.25 * max(p[0], 1e-9)
    return [
        ("cohorts", grade(bool(far)),
         f"Of the older half of customers {p[0]:.0%} came back within 90 days, of the newer half {p[1]:.0%}.",
         "Newer customers behave differently from those the model learned from: value the cohorts apart.")
    ]  # fmt: skip


def _holdout_checks(
    check: Holdout | None, purchases: TransactionModel | None, outlook: Forecast | None
) -> list[tuple[str, str, str, str]]:
    if purchases is None:
        return []
    scores = check.table.set_index("model") if check is not None else pd.DataFrame()
    if check is None or purchases.name not in scores.index or np.isnan(scores.loc[purchases.name, "bias"]):
        return [
            ("holdout", "use with care", "The prediction was not tested on held-out data.",
             "Where the log is too short for a test, test again when it is longer.")
        ]  # fmt: skip
    bias, score = (float(scores.loc[purchases.name, k]) for k in ("bias", "crps"))
    naive = float(scores.loc[list(BASELINES), "crps"].min())
    tested = f"Tested on the {check.days:,} days after {check.calibration_end}"
    total = [] if outlook is not None else [
        ("holdout total", grade(abs(bias) > 0.25, abs(bias) > 0.5),
         f"{tested}, the total was {abs(bias):.0%} too {'high' if bias > 0 else 'low'}.",
         "Beyond 25% something the model does not know is at work: a season, a new kind of customer, a changed shop.")
    ]  # fmt: skip
    return [
        *total,
        ("holdout customers", grade(closer(naive, score)),
         f"Per customer the error of the prediction (CRPS) was {score:.2f} purchases, of the best naive guess {naive:.2f}.",
         "Where a naive guess is closer, rank customers by it."),
    ]  # fmt: skip


def _outlook_checks(outlook: Forecast) -> list[tuple[str, str, str, str]]:
    """How wrong the total may be, whether that was tested as far ahead, and what the calendar shows."""
    reach, tests = float(np.expm1(width(LEVEL) * outlook.spread.scale())), outlook.tests
    tested = outlook.tested >= outlook.horizon / 2
    found = (
        f"The expected error of the total is about {outlook.expected_error:.0%}; the 90% range goes from {reach / (1 + reach):.0%} "
        f"below to {reach:,.0%} above it."
    )
    wild = outlook.scale_at(min(outlook.horizon, 365.0)) > NOT_RELIABLE
    todo = f"Plan with both ends of the range, which reaches more than {NEEDED:.0%} up." if reach > NEEDED else ""
    todo = "So wide a range is of no use and is not shown; more customers or a longer log narrow it." if wild else todo
    rows = [
        ("expected error", grade(reach > NEEDED, wild), found,
         todo),
        ("tested horizon", grade(not tested),
         outlook.say_held() if len(tests) else "No forecast from an earlier day could be tested.",
         "Further ahead the range rests on what is known of other businesses: decide again when more has come."),
    ]  # fmt: skip
    (swing, sure), (change, certain) = outlook.season, outlook.trend
    if not outlook.knows_season:
        rows.append(("season", "use with care", "The log is too short to tell a season from a trend.",
                     "The range is wider for it; from 21 months of log on the season is part of the forecast."))  # fmt: skip
    elif sure > 3 and swing > 0.1:
        rows.append(("season", "reliable", f"A season is in the forecast: the busiest time has {1 + swing:.1f} times the "
                     "purchases of the quietest.", ""))  # fmt: skip
    if certain > 2.5 and abs(change) > 0.05:
        way = "rise" if change > 0 else "fall"
        rows.append(("trend", "reliable", f"Purchases of the same customers {way} by {abs(change):.0%} a year; the forecast lets "
                     "that fade.", ""))  # fmt: skip
    for first, last in outlook.closed:
        rows.append(("closed", "reliable", f"Nobody bought from {first} to {last}; that time does not count.", ""))
    return rows


def _reached(outlook: Forecast, purchases: TransactionModel, summary: pd.DataFrame) -> list[tuple[str, str, str, str]]:
    """Whether the customers' values add up to the forecast: a model whose customers all leave may not reach it."""
    share = float(purchases.expected_purchases(summary, outlook.horizon).sum()) / outlook.purchases
    if purchases.pace_ is None or share > 0.99:
        return []
    return [
        ("sum of values", "use with care", f"The customers' values add up to {share:.0%} of the forecast.",
         f"Customers of {purchases.name} do not buy as much as is forecast, however long they have: the total is rather too low.")
    ]  # fmt: skip


def subscription_trust(
    subscriptions: pd.DataFrame, models: Mapping[str, RenewalModel], fit_table: pd.DataFrame
) -> Trust:
    """Give the trust level of a subscription's prediction: contracts, renewals seen, and how well survival is met."""
    rows: list[tuple[str, str, str, str]] = []
    for plan, group in subscriptions.groupby("plan"):
        n, lost = len(group), int((~group["active"]).sum())
        rows.append(
            (f"{plan}: contracts", grade(n < 200, n < 50), f"The {plan} plan has {n:,} contracts, {lost:,} of them ended.",
             "Fewer than 200 make wide intervals.")
        )  # fmt: skip
        if str(plan) not in models:
            rows.append(
                (
                    f"{plan}: model",
                    "not reliable",
                    f"Renewals of the {plan} plan could not be modelled.",
                    "Wait for renewals.",
                )
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
