"""What today's customers will buy together: a forecast that knows season and trend, with a range that includes being wrong.

In: a checked LOG. Out: ``Forecast``: totals with calibrated ranges, by month, what earlier forecasts were worth, and the
chosen model on the forecast's pace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from ..core.engine import run, to_pandas
from ..core.errors import FitError
from ..core.maths import LEVEL, days, tail
from ..core.results import Told
from ..core.tables import as_day
from ..core.threads import one_thread
from ..data.summary import purchase_days, summarize
from ..models import BGNBD, MBGNBD
from ..models.base import TransactionModel
from ..models.calendar import Peak, Season, Series, Trend
from ..models.fitting import Vector
from ..models.histories import collapse
from .calendars import dated, made_of_days, purchases_by_day, refuse_bought_on, silences
from .origins import CANDIDATES, EVERY, HORIZONS, SEASON_FROM, Look, Past, look, looks_back, seasons
from .spread import Spread, mean_error, model_error, money_error, width

__all__ = ["NEEDED", "Forecast", "forecast_purchases", "price_level"]

# The mixture's weights: how fast they follow past errors, how far they are drawn to equal ones, and what a trend's
# log-likelihood, less that of a coefficient too many, adds to its odds.
_TEMPERATURE, _EQUAL, _EVIDENCE = 0.1, 0.2, 0.5
_RECENT = 182
# By how much prices usually drift in a year, a standard deviation in logarithms.
_DRIFT = 0.05
# A range whose ends lie further from the forecast than this share is no ground for a decision.
NEEDED = 0.25


@dataclass(frozen=True, repr=False)
class Forecast(Told):
    """What today's customers are expected to buy together.

    Attributes
    ----------
    as_of : date
    horizon : float
        Days.
    purchases : float
        Expected repeat purchases of today's customers over the horizon.
    spreads : mapping of days to Spread
        The scale of the error over each horizon that is reported.
    weights : dict of candidate to float
        How the two fits are mixed.
    fits : dict of candidate to a fitted BGNBD or MBGNBD
    ahead, total : array
        Days from now, and the expected purchases in them.
    tests : pandas.DataFrame
        Forecasts from earlier days: ``origin, horizon, expected, low, high, actual, error`` (expected over actual, less 1),
        ``inside``, ``season`` (whether the log was long enough by then to show one).
    closed : tuple of (str, str)
        Times without business that the log shows.
    overdispersion : float
        How much more than chance weekly repeat purchases of all customers vary, 1 or more.
    history : pandas.DataFrame
        ``month, purchases`` (repeat purchases) and ``revenue`` of all customers as they came, whole months.
    prices : float
        The level of prices now against the mean of each customer's past.
    drift : float
        How the money of a customer's repeat purchase changes a year, in logarithms. Values are at the prices of now: that
        prices go on as they did is not in them, and makes their ranges wider.
    spend : float
        Money of an expected purchase, where it is known.
    series : tuple of Series
        The days that the client's calendar names, past and planned.
    """

    as_of: date
    horizon: float
    purchases: float
    spreads: Mapping[float, Spread]
    weights: dict[str, float]
    fits: dict[str, BGNBD | MBGNBD]
    ahead: Vector
    total: Vector
    tests: pd.DataFrame
    closed: tuple[tuple[str, str], ...]
    overdispersion: float
    history: pd.DataFrame = field(default_factory=pd.DataFrame)
    prices: float = 1.0
    drift: float = 0.0
    spend: float = float("nan")
    series: tuple[Series, ...] = ()

    @property
    def spread(self) -> Spread:
        """The scale of the error over the horizon."""
        return self.spreads[self.horizon]

    @property
    def expected_error(self) -> float:
        """How far the total will be off on average, up or down, as a share."""
        return mean_error(self.spread.scale())

    @property
    def tested(self) -> int:
        """The longest horizon, in days, over which earlier forecasts could be tested; 0 where none could."""
        return int(self.tests["horizon"].max()) if len(self.tests) else 0

    def pace(self, model: TransactionModel, summary: pd.DataFrame) -> TransactionModel:
        """Return a fitted model whose customers together are expected to buy what is forecast, or as much as they ever will."""
        model, rows = model.unpaced(), collapse(summary, also=model.covariates_)
        n = rows["n"].to_numpy(float)
        clock = np.geomspace(0.02, 40.0, 32) * self.horizon
        sums = np.array([float(n @ model.expected_by_row(rows, [(float(t), 1.0)])) for t in clock])
        hands = np.exp(np.interp(np.log(self.total), np.log(sums), np.log(clock)))
        return model.paced(self.ahead, np.maximum.accumulate(hands))

    @property
    def knows_season(self) -> bool:
        """Whether the log is long enough to tell a season from a trend."""
        clock = self.fits["season"].clock_
        return clock is not None and any(isinstance(term, Season | Peak) for term in clock.terms)

    @property
    def table(self) -> pd.DataFrame:
        """The FORECAST by month: what came of all customers, and what is expected of today's.

        Returns
        -------
        pandas.DataFrame
            ``period`` (first day of the month), ``what`` (purchases: repeat purchases; revenue), ``group``, ``actual``,
            ``mean, low, high`` (90 % range). The month of ``as_of`` is in both parts, where it is not whole.
        """
        ends = pd.date_range(self.as_of, periods=int(self.horizon / 30) + 2, freq="ME")
        after = (ends - pd.Timestamp(self.as_of)).days.to_numpy(float)
        after = after[(after > 0) & (after <= self.horizon)]
        mean = np.diff(np.interp(np.r_[0.0, after], np.r_[0.0, self.ahead], np.r_[0.0, self.total]))
        period = (pd.Timestamp(self.as_of) + pd.to_timedelta(after, unit="D")).to_period("M").to_timestamp()
        parts = [self.history.rename(columns={"month": "period", what: "actual"})[["period", "actual"]].assign(
            what=what, group="all customers") for what in ("purchases", "revenue")]  # fmt: skip
        for what, each, money in (("purchases", 1.0, 0.0), ("revenue", self.spend, self.spread.money)):
            alone = np.sqrt(self.overdispersion / np.maximum(mean, 0.5))  # a month varies by itself
            model = width(LEVEL) * np.hypot([self.scale_at(t) for t in after], money)
            reach = np.exp(np.hypot(model, tail(LEVEL) * alone))
            parts.append(pd.DataFrame({"period": period, "mean": mean * each, "low": mean * each / reach, "high": mean * each * reach,
                                       "what": what, "group": "today's customers"}))  # fmt: skip
        return pd.concat(parts, ignore_index=True)[["period", "what", "group", "actual", "mean", "low", "high"]]

    @property
    def coming(self) -> pd.DataFrame:
        """What today's customers are expected to bring in the next quarter, the next year and over the horizon.

        Returns
        -------
        pandas.DataFrame
            ``days_ahead``; ``purchases_mean, purchases_low, purchases_high`` and ``revenue_mean, revenue_low, revenue_high`` (90 %
            ranges); ``expected_error`` of the purchases, a share.
        """
        rows = []
        for h in sorted({*(t for t in (91.0, 365.0) if t < self.horizon), self.horizon}):
            mean, row = float(np.interp(h, np.r_[0.0, self.ahead], np.r_[0.0, self.total])), {"days_ahead": h}
            for what, each, money in (("purchases", 1.0, 0.0), ("revenue", self.spend, self.spread.money)):
                reach = np.exp(width(LEVEL) * np.hypot(self.scale_at(h), money))
                row |= {
                    f"{what}_mean": mean * each,
                    f"{what}_low": mean * each / reach,
                    f"{what}_high": mean * each * reach,
                }
            rows.append(row | {"expected_error": mean_error(self.scale_at(h))})
        return pd.DataFrame(rows)

    @property
    def year(self) -> pd.DataFrame:
        """The pace of purchases over a year: ``day`` (of a year), ``pace`` (1 on average); empty where no season is known."""
        clock = self.fits["season"].clock_
        if clock is None or not self.knows_season:
            return pd.DataFrame({"day": [], "pace": []})
        day = pd.date_range("2023-01-01", periods=365)
        offset = np.array([(d.date() - clock.as_of).days for d in day], dtype=float)
        z = np.column_stack([term.columns(offset, clock.as_of) for term in clock.terms])
        of_year = np.repeat(
            [isinstance(term, Season | Peak) for term in clock.terms], [len(t.names) for t in clock.terms]
        )
        pace = np.exp(z[:, of_year] @ clock.coefficients[of_year])
        return pd.DataFrame({"day": day, "pace": pace / pace.mean()})

    def scale_at(self, t: float) -> float:
        """The scale of the error of the purchases up to so many days ahead."""
        known = sorted(self.spreads)
        scales = [self.spreads[h].scale(money=False) for h in known]
        return float(np.exp(np.interp(np.log(max(t, 1.0)), np.log(known), np.log(scales))))

    @property
    def season(self) -> tuple[float, float]:
        """How far the pace swings over the year, highest over lowest less 1, and how sure that is: in standard errors."""
        pace, effects = self.year["pace"], self.fits["season"].calendar_effects_
        if pace.empty:
            return 0.0, 0.0
        effects = effects[~effects["term"].isin([s.name for s in self.series])]
        sure = np.sqrt(((effects["effect"] / effects["standard_error"]) ** 2).mean())
        return float(pace.max() / pace.min() - 1), float(sure / np.sqrt(self.overdispersion))

    @property
    def dated(self) -> pd.DataFrame:
        """What the days that the client's calendar names did to the pace of purchases.

        Returns
        -------
        pandas.DataFrame
            ``name, times, low, high``: how many times as often customers buy on such a day, with its 90 % range; ``days``,
            how many came so far; ``planned``, how many are named within the horizon; ``last``, the last one named.
        """
        effects = self.fits["season"].calendar_effects_.set_index("term")
        rows = []
        for series in self.series:
            on = pd.date_range(series.start, periods=len(series.values))[np.array(series.values) > 0]
            effect, error = effects.loc[series.name, ["effect", "standard_error"]]
            ends = np.exp(effect + np.array([-1, 1]) * tail(LEVEL) * error * np.sqrt(self.overdispersion))
            ahead = (on - pd.Timestamp(self.as_of)).days
            rows.append((series.name, float(np.exp(effect)), *ends.tolist(), int((ahead <= 0).sum()),
                         int(((ahead > 0) & (ahead <= self.horizon)).sum()), on[-1]))  # fmt: skip
        return pd.DataFrame(rows, columns=["name", "times", "low", "high", "days", "planned", "last"])

    @property
    def trend(self) -> tuple[float, float]:
        """How much the pace changes a year, as a share, and how sure that is: in standard errors."""
        effects = self.fits["trend and season"].calendar_effects_.set_index("term")
        if "trend" not in effects.index:
            return 0.0, 0.0
        effect = effects.loc["trend"]
        return float(np.expm1(effect["effect"])), float(
            abs(effect["effect"]) / effect["standard_error"] / np.sqrt(self.overdispersion)
        )

    @property
    def text(self) -> str:
        """The forecast in sentences."""
        reach = np.exp(width(LEVEL) * self.spread.scale(money=False))
        text = (
            f"Today's customers are expected to buy {self.purchases:,.0f} times in the next {self.horizon:,.0f} days "
            f"(90% range {self.purchases / reach:,.0f} to {self.purchases * reach:,.0f}). "
        )
        return text + self.say_tests()

    def say_tests(self) -> str:
        """How wrong the total may be, and what says so."""
        if not len(self.tests):
            return "The log is too short to test forecasts on earlier days, so the range rests on other businesses' errors."
        text = f"The expected error is about {self.expected_error:.0%}. {self.say_held()}"
        if self.tested < 0.9 * self.horizon:
            text += f" Nothing beyond {self.tested} days could be tested; there the range grows by what is known of other businesses."
        return text

    def say_held(self) -> str:
        """How often the range held what came."""
        held = self.tests["inside"]
        text = (
            f"{len(held)} forecasts from {self.tests['origin'].nunique()} earlier days were tested, up to {self.tested} days ahead; "
            f"the range held {int(held.sum())} of them."
        )
        knew = held[self.tests["season"]]
        if 0 < len(knew) < len(held):
            longest = int(self.tests["horizon"][self.tests["season"]].max())
            text += f" Of the {len(knew)} made since the log shows its season, up to {longest} days ahead, it held {int(knew.sum())}."
        return text

    def _told(self) -> tuple[str, Iterable[pd.DataFrame]]:
        return self.text, [self.tests]


@one_thread
def forecast_purchases(
    log: Any,
    *,
    horizon: str | float = "1 year",
    as_of: date | str | None = None,
    summary: pd.DataFrame | None = None,
    also: Sequence[str | float] = (),
    model: TransactionModel | None = None,
    calendar: Mapping[str, Sequence[tuple[str, str]]] | None = None,
) -> Forecast:
    """Forecast the purchases of today's customers together, with a range that includes the error of the model.

    Parameters
    ----------
    log : LOG
        Checked.
    horizon : str or number of days
    as_of : date, optional
        The last day looked at; the last date in the log when left out.
    summary : SUMMARY, optional
        Of the whole log on that day, where it is at hand.
    also : sequence of str or number of days
        Further horizons whose error is to be known.
    model : a fitted purchase model, optional
        One more way to forecast: where its total lies apart, the range is wider.
    calendar : mapping of name to spans of days, optional
        As ``calendar:`` of ``client.yaml``: days of promotions, past and planned, and those ``closed``.

    Returns
    -------
    Forecast

    Raises
    ------
    FitError
        Where there are too few repeat purchases.
    TableError
        When the LOG lacks a column, or somebody bought on a day that is given as closed.

    Notes
    -----
    Two fits of MBG/NBD, or of BG/NBD where its likelihood is larger, on a clock that all customers share are mixed in
    logarithms: with the season (from 640 days of log on), and with a damped trend besides. Their weights follow the errors of forecasts from up to nine earlier days, a quarter
    of a year apart, drawn to equal ones, and the evidence for the trend. The priors of trend and season count the more, the more weekly
    purchases vary beyond chance. Times without any business stop the clock.

    The scale of the error is 1.67 (h/182)^.32 ((s + .02)/.15)^.73 (phi/P)^.40 in the logarithm of what comes over what is
    expected: s the disagreement of forecasts (plain, with trend, with both, as many as in the last period, of ``model``, and this
    one corrected by how far earlier ones were off on average), phi the overdispersion of weekly repeat purchases, P the
    expected purchases of the plain model. It was learned from other businesses' logs. How large a log's own past errors
    were says nothing more. Errors have the tails of Student's t; chance and the doubt about parameters come on top.

    References
    ----------
    Stacking: Wolpert (1992), Neural Networks 5(2), 241-259. The damped trend: Gardner and McKenzie (1985), Management
    Science 31(10), 1237-1246. Rolling origins: Tashman (2000), International Journal of Forecasting 16(4), 437-450.

    Examples
    --------
    >>> from clvnb import MBGNBD
    >>> log = MBGNBD.with_params(r=0.9, alpha=60.0, a=0.8, b=2.5).simulate(800, joined="1 year", length="2 years", seed=1)
    >>> found = forecast_purchases(log, horizon="1 year")
    >>> found.tested, len(found.tests), sorted(found.weights)
    (364, 17, ['season', 'trend and season'])
    """
    summary = to_pandas(summarize(log, as_of=as_of) if summary is None else summary)
    last = as_day(as_of) or (summary["first_date"] + pd.to_timedelta(summary["T"], unit="D")).max().date()
    by_day = purchases_by_day(log, last)
    series, closed = dated(calendar or {}, last)
    refuse_bought_on(by_day, closed)
    past = Past.of(log, summary, last, silences(by_day), closed, series)
    length = float(days(horizon))
    wanted = sorted({length, *(float(days(h)) for h in also)})
    today, looks = look(past, past.end, tuple(int(round(h)) for h in wanted)), looks_back(past)
    weights = _weights(looks, length, today.evidence)
    fits = _fits(by_day, summary, past, today)
    ahead = _moments(wanted)
    curves = {name: _curve(fit, summary, ahead) for name, fit in fits.items()}
    total = np.exp(sum(w * np.log(curves[k] + 0.5) for k, w in weights.items())) - 0.5
    total = np.maximum.accumulate(np.maximum(total, 1e-9))
    history, varies, prices, drift = _money(log, summary, last)
    spreads, share = {}, _share(past, summary)
    for k, h in enumerate(wanted):
        expected = float(np.interp(h, ahead, total))
        alone = (model or fits["season"]).purchase_interval(summary, h, total=True)
        other = [] if model is None else [share * alone.value]
        chance = np.log(alone.high / max(alone.low, 0.5)) / 2 / tail(alone.level)
        error = _scale(today, k, h, share * expected, looks, other)
        spreads[h] = Spread(h, error, money_error(varies, expected, drift * h / 365.25), float(chance))
    return Forecast(
        as_of=last,
        horizon=length,
        purchases=float(np.interp(length, ahead, total)),
        spreads=spreads,
        weights=weights,
        fits=fits,
        ahead=ahead,
        total=total,
        tests=_tests(past, looks),
        closed=(*past.closed, *past.planned),
        overdispersion=_of_all(today.spread / 2, share),
        history=history,
        prices=prices,
        drift=drift,
        series=series,
    )


def _of_all(spread: float, share: float) -> float:
    """The overdispersion of all customers, where it was found on a share of them: what they have in common adds up."""
    return 1 + max(spread - 1, 0.0) / share


def _share(past: Past, summary: pd.DataFrame) -> float:
    """The share of customers on whom forecasts are tested."""
    return min(len(past.first) / max(len(summary), 1), 1.0)


def _moments(horizons: Sequence[float]) -> Vector:
    """Days ahead at which the total is known: every 15 days, and the horizons themselves."""
    grid = np.arange(15.0, max(horizons), 15.0)
    return np.unique(np.r_[grid, horizons])


def _fits(by_day: pd.DataFrame, summary: pd.DataFrame, past: Past, today: Look) -> dict[str, BGNBD | MBGNBD]:
    """Both candidates on all customers; without a trend where it finds no maximum."""
    season = seasons(past.end) if past.end >= SEASON_FROM else ()
    given = made_of_days(
        by_day, (*past.series, *season), (*past.closed, *past.planned), _of_all(today.spread, _share(past, summary))
    )
    found = {"season": today.kind().fit(summary, calendar=given)}
    try:
        found["trend and season"] = today.kind().fit(
            summary, calendar=replace(given, terms=(*past.series, Trend(), *season))
        )
    except FitError:
        found["trend and season"] = found["season"]
    return found


def _curve(model: BGNBD | MBGNBD, summary: pd.DataFrame, ahead: Vector) -> Vector:
    """Expected purchases of all customers in so many days each."""
    rows = collapse(summary)
    n, clock = rows["n"].to_numpy(float), np.array([model.clock_.ahead(float(t)) for t in ahead])  # type: ignore[union-attr]
    grid = np.geomspace(clock.min(), clock.max(), min(24, len(clock))) if len(clock) > 1 else clock
    inverse = np.interp(grid, clock, ahead)
    sums = np.array([float(n @ model.expected_by_row(rows, [(float(t), 1.0)])) for t in inverse])
    return np.asarray(np.exp(np.interp(np.log(clock), np.log(grid), np.log(np.maximum(sums, 1e-12)))))


def _weights(looks: Sequence[Look], horizon: float, evidence: float) -> dict[str, float]:
    """How much each candidate counts: by its errors over horizons up to the one that is asked for, and what speaks for a trend."""
    tested = [h for h in HORIZONS if h <= horizon] or [HORIZONS[0]]
    loss, count = np.zeros(len(CANDIDATES)), 0.0
    for h in tested:
        which = HORIZONS.index(h)
        errors = [abs(one.off(which)) for one in looks if np.isfinite(one.came[which])]
        if errors:
            size = (1 + (len(errors) - 1) * min(1.0, EVERY / h)) * (1.0 if h == tested[-1] else 0.5)
            loss, count = loss + size * np.mean(errors, axis=0), count + size
    better = np.exp(-(loss - loss.min()) / max(count, 1e-9) / _TEMPERATURE * count / (count + 2))
    share = (1 - _EQUAL) * better / better.sum() + _EQUAL / len(CANDIDATES)
    odds = share[1] / share[0] * np.exp(np.clip(_EVIDENCE * (evidence - 1.0), -3.0, 3.0))
    return dict(zip(CANDIDATES, (1 / (1 + odds), odds / (1 + odds)), strict=True))


def _scale(
    one: Look, which: int, horizon: float, expected: float, looks: Sequence[Look], more: Sequence[float] = ()
) -> float:
    """The scale of the error of one day's forecast over one of its horizons.

    Among the forecasts that may disagree is its own, corrected by how far earlier ones were off on average.
    """
    apart = one.disagreement(which, [*more, (expected + 0.5) * np.exp(_usual_error(looks, horizon)) - 0.5])
    dispersion = one.spread / max(float(one.expected["plain"][which]), 1.0)
    return model_error(horizon, apart, dispersion, season=one.cut >= SEASON_FROM)


def _usual_error(looks: Sequence[Look], horizon: float) -> float:
    """By how much forecasts from earlier days were off on average, drawn to none where there are few."""
    off, weight = [], []
    for one in looks:
        for which, h in enumerate(HORIZONS):
            if h <= max(horizon, HORIZONS[0]) and np.isfinite(one.came[which]):
                off.append(one.off(which)[0])
                weight.append(min(1.0, EVERY / h))
    return float(np.average(off, weights=weight) * sum(weight) / (sum(weight) + 2)) if off else 0.0


def mixed(one: Look, which: int, weights: Mapping[str, float]) -> float:
    """The mixture's expectation over one horizon of an earlier day."""
    return float(np.exp(sum(w * np.log(one.expected[k][which] + 0.5) for k, w in weights.items())) - 0.5)


def _tests(past: Past, looks: Sequence[Look]) -> pd.DataFrame:
    """Each earlier day's forecast as it would have been made then, with its range, beside what came."""
    rows = []
    for k, one in enumerate(looks):
        for which, h in enumerate(HORIZONS):
            if not np.isfinite(one.came[which]):
                continue
            known = [replace(then, came=_known(then, one.cut)) for then in looks[k + 1 :]]
            expected = mixed(one, which, _weights(known, h, one.evidence))
            scale = np.hypot(_scale(one, which, h, expected, known), 1 / np.sqrt(max(expected, 0.5)))
            reach, came = np.exp(width(LEVEL) * scale), float(one.came[which])
            low, high = (expected + 0.5) / reach - 0.5, (expected + 0.5) * reach - 0.5
            rows.append((pd.Timestamp(past.date_of(one.cut)), h, expected, max(low, 0.0), high, came,
                         expected / max(came, 1.0) - 1, low <= came <= high, one.cut >= SEASON_FROM))  # fmt: skip
    names = ["origin", "horizon", "expected", "low", "high", "actual", "error", "inside", "season"]
    return pd.DataFrame(rows, columns=names).sort_values(["origin", "horizon"], ignore_index=True)


def _known(then: Look, cut: int) -> Vector:
    """What had come of an earlier forecast by a later day."""
    return np.where([then.cut + h <= cut for h in then.horizons], then.came, np.nan)


def _money(log: Any, summary: pd.DataFrame, as_of: date) -> tuple[pd.DataFrame, float, float, float]:
    """Repeat purchases and revenue by whole month, how much the money of repeat purchases varies, level and drift of prices."""
    days_of = purchase_days(log)
    days_of = days_of.filter(days_of.date <= as_of)
    first = days_of.filter(days_of.bought).group_by("customer_id").aggregate(first=lambda t: t.date.min())
    table = days_of.join(first, "customer_id").mutate(month=lambda t: t.date.truncate("month"))
    repeat = table.bought & (table.date > table["first"])
    money = repeat & (table.net > 0)
    months = run(table.group_by("month").aggregate(
        purchases=repeat.sum(), revenue=table.net.sum(), money=table.net.sum(where=money),
        squares=(table.net * table.net).sum(where=money), count=money.sum()), log)  # fmt: skip
    months = months.sort_values("month", ignore_index=True)
    count, total, squares = (float(months[k].fillna(0).sum()) for k in ("count", "money", "squares"))
    mean = total / max(count, 1.0)
    varies = np.sqrt(max(squares / max(count, 1.0) - mean**2, 0.0)) / mean if mean > 0 else 0.0
    month = pd.to_datetime(months["month"])
    whole = month + pd.offsets.MonthEnd(0) <= pd.Timestamp(as_of)
    history = months.assign(month=month).loc[whole, ["month", "purchases", "revenue"]].reset_index(drop=True)
    return history, round(float(varies), 6), price_level(log, summary, as_of), _drift(table.filter(money), log, as_of)


def _drift(repeats: Any, log: Any, as_of: date) -> float:
    """How a customer's repeat purchases grow or shrink in money a year: the slope within customers, drawn to 0 where it is loose."""
    import ibis

    rows = repeats.select(
        "customer_id", t=repeats.date.delta(ibis.literal(as_of), unit="day") / 365.25, y=repeats.net.ln()
    )
    own = rows.group_by("customer_id").aggregate(
        n=rows.count(),
        t=rows.t.sum(),
        y=rows.y.sum(),
        tt=(rows.t * rows.t).sum(),
        ty=(rows.t * rows.y).sum(),
        yy=(rows.y * rows.y).sum(),
    )
    sums = run(own.aggregate(
        n=(own.n - 1).sum(), xx=(own.tt - own.t * own.t / own.n).sum(), xy=(own.ty - own.t * own.y / own.n).sum(),
        yy=(own.yy - own.y * own.y / own.n).sum()), log).iloc[0].fillna(0.0)  # fmt: skip
    n, xx, xy, yy = (float(sums[k]) for k in ("n", "xx", "xy", "yy"))
    if n < 30 or xx <= 0:
        return 0.0
    slope = xy / xx
    noise = max(yy - slope * xy, 0.0) / (n - 1) / xx
    return round(float(np.clip(slope * _DRIFT**2 / (_DRIFT**2 + noise), -0.5, 0.5)), 6)


def price_level(log: Any, summary: pd.DataFrame, as_of: date) -> float:
    """Return what the same customers pay for a repeat purchase now, over what they paid on average so far.

    Parameters
    ----------
    log : LOG
        Checked.
    summary : SUMMARY
    as_of : date

    Returns
    -------
    float
        Of the last 182 days, drawn to 1 as far as chance explains it, between .75 and 1.33.
    """
    days_of = purchase_days(log)
    start = as_of - pd.Timedelta(days=_RECENT).to_pytimedelta()
    recent = days_of.filter(days_of.bought, days_of.net > 0, days_of.date > start, days_of.date <= as_of)
    sums = run(recent.group_by("customer_id").aggregate(net=recent.net.sum(), count=recent.count()), log)
    own = summary.set_index("customer_id")[["monetary_value", "frequency", "first_date"]]
    both = sums.join(own, on="customer_id", how="inner").sort_values("customer_id")
    both = both[(both["monetary_value"] > 0) & (pd.to_datetime(both["first_date"]) <= pd.Timestamp(start))]
    n = float(both["count"].sum())
    if n < 30:
        return 1.0
    x, shrunk_to = (
        both["frequency"].to_numpy(float),
        float((own["monetary_value"] * own["frequency"]).sum() / own["frequency"].sum()),
    )
    usual = (x * both["monetary_value"].to_numpy(float) + 2 * shrunk_to) / (x + 2)
    level = np.log(float(both["net"].sum()) / float(both["count"].to_numpy(float) @ usual))
    mean = both["net"].to_numpy(float) / both["count"].to_numpy(float)
    noise = float(np.std(mean / usual)) / np.sqrt(len(both))
    drawn = np.exp(np.clip(level * 0.01 / (0.01 + noise**2), np.log(0.75), np.log(1.33)))
    return round(float(drawn), 6)  # last digits, which the order of an engine's sums decides, must not reach the fits
