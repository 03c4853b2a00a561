"""Step 1 in one call: a client goes in, everything that its notebook shows comes out.

In: ``Client`` or ``Books``. Out: ``ValueStep``; its tables and sentences are what the notebook shows and the report keeps.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import FitError, TableError
from ..core.maths import LEVEL
from ..core.results import Estimate, Finding
from ..core.threads import one_thread
from ..data.books import Books, books_of
from ..data.client import Client
from ..data.summary import contributions_by_age, contributions_by_month
from ..models.base import TransactionModel
from ..models.continuous import ContinuousModel
from ..models.renewals import RenewalModel
from ..models.stored import recipe
from . import readings
from .clv import clv_total, losses, new_customer_values, recommend_basis
from .cohorts import cohort_matrix
from .evaluate import tracking
from .facts import ValueFacts
from .flows import by_month, came_of_late, members_by_cohort, orders_by_cohort, paid_back, year_on_year
from .groups import group_effects
from .methods import contract_methods, shop_methods
from .movements import mrr_movements, mrr_rates
from .segments import segment_profile
from .spread import Spread
from .subscriptions import subscription_table
from .worth import Worth, assess_worth, cut_points, survival_seen

__all__ = ["ValueStep", "value_step"]


@dataclass(frozen=True, repr=False)
class ValueStep(ValueFacts):
    """What step 1 found out about a client.

    Attributes
    ----------
    books : Books
        The client on its day; ``client`` is whose step it is, ``as_of`` the last day looked at.
    checked : Checked
        The orders: kept, rejected, and why.
    customers : CLV
        One row per customer.
    total : Estimate or None
        What all customers together are still worth; None where no model could be fitted.
    new_customer : Estimate or None
        What a newly won customer is worth on average: the most that winning one may cost.
    trust : Trust
        The trust level, and what it rests on.
    fit : pandas.DataFrame
        What was seen beside what the model expects: ``date`` or ``plan, renewals``, then ``actual, expected``.
    models : dict of name to fitted model
        Of buying and of spending, or a model for each plan.
    card : Card
        How value was computed.
    channels : pandas.DataFrame
        By acquisition channel: customers, value so far and expected, cost of winning one.
    segments : pandas.DataFrame
        RFM segments of a shop, plans of a subscription: how many, what they hold, what to do.
    cohorts : pandas.DataFrame
        Revenue per customer of each cohort, added up by age; unseen cells missing.
    cohort_period : "month" or "quarter"
        The length of a cohort and of an age.
    months : pandas.DataFrame
        Contribution by month as it came and as it is expected; see ``by_month``.
    rhythm : pandas.DataFrame
        Orders per customer of each quarter's newcomers, or how many members stay, quarter by quarter.
    year : dict
        Contribution of the last twelve months against the twelve before; see ``year_on_year``.
    mrr : pandas.DataFrame
        Of a subscription: what its monthly recurring revenue gained and lost by month, and the rates; see
        ``mrr_movements`` and ``mrr_rates``.
    choice : str
        Why this model.
    holdout : Holdout or None
        How well the chosen model told what was held back; None where nothing could be.
    methods : pandas.DataFrame
        A new customer's value by each method, from the beginner's formula to the model.
    comparison : pandas.DataFrame
        Every candidate model's likelihood and the scores of its predictions from earlier days.
    outlook : Forecast or None
        Of a shop: what today's customers will buy together, its range, and the forecasts from earlier days that tested it.
    next_orders : pandas.DataFrame
        When each customer's next purchase was due and now is; empty where no model says so.
    notes : tuple of Finding
        On which basis to value, who costs more than they bring, and who came too lately to be judged.
    newcomers : pandas.DataFrame
        What a new customer is worth by when customers came, where cohorts can be told apart.
    groups : Finding
        What each channel, and each class of ``covariates:``, changes in orders, staying and spend; see ``group_effects``.
    cuts : dict
        RFM's cut-points.
    forecast : pandas.DataFrame
        Each customer's expected contribution in the windows after which step 4 looks; ``forecasts`` has the sums.
    """

    @property
    def steps_of_value(self) -> Finding:
        """The comparison of methods with the sentence that reads it."""
        return Finding(self.methods, readings.say_methods(self))

    @property
    def basis(self) -> Finding:
        """On which basis to value these customers, and who costs more than they bring."""
        return Finding(pd.concat([n.table for n in self.notes], axis=1), " ".join(n.text for n in self.notes))

    @property
    def misleading_names(self) -> Finding:
        """RFM segments against fifths of predicted value: where the name of a segment misleads."""
        return readings.misleading(self)

    @property
    def overdue(self) -> Finding:
        """Customers whose next purchase is late, and who may still be won back."""
        return readings.overdue(self)

    @property
    def headline(self) -> Finding:
        """The answer in one minute."""
        return readings.headline(self)

    @property
    def coming(self) -> Finding:
        """What today's customers are expected to buy in the next quarter, the next year and over the horizon."""
        return readings.coming(self)

    @property
    def by_month(self) -> pd.DataFrame:
        """What came and what is expected by month, as ``Forecast.table`` has it; empty where nothing is forecast."""
        return pd.DataFrame() if self.outlook is None or self.total is None else self.outlook.table

    @property
    def season(self) -> pd.DataFrame:
        """The pace of purchases over a year, as ``Forecast.year`` has it; empty where none is known."""
        return pd.DataFrame() if self.outlook is None else self.outlook.year

    @property
    def tests(self) -> Finding:
        """How forecasts from earlier days fared."""
        return readings.tests(self)

    @property
    def value_by_channel(self) -> Finding:
        """Channels against what winning a customer costs, with the sentence that reads them."""
        return Finding(self.channels, readings.say_channels(self) + readings.say_newcomers(self))

    @property
    def who_is_who(self) -> Finding:
        """Segments with the sentence that reads them."""
        return Finding(self.segments, readings.say_segments(self))

    @property
    def aging(self) -> Finding:
        """Cohorts with the sentence that reads them."""
        return Finding(self.cohorts, readings.say_cohorts(self) + readings.say_newer(self))

    @property
    def concentration(self) -> Finding:
        """Who holds the value: tenths of customers from the most to the least valuable."""
        return readings.concentration(self)

    @property
    def at_risk(self) -> Finding:
        """The customers who brought most and have probably stopped, or may not renew."""
        return readings.at_risk(self)

    @property
    def recurring(self) -> Finding:
        """Monthly recurring revenue: where it stands, what moved it in a year, and what members keep paying."""
        return readings.recurring(self)

    @property
    def tracking(self) -> Finding:
        """What was seen beside what the model expects, with the sentence that reads it."""
        return Finding(self.fit, readings.say_fit(self))

    @property
    def parameters(self) -> pd.DataFrame:
        """The fitted parameters of every model: ``model, parameter, estimate, standard_error, low, high``."""
        parts = [m.estimates().assign(model=name) for name, m in self.models.items() if m.fit_ is not None]
        if not parts:
            return pd.DataFrame(columns=["model", "parameter", "estimate", "standard_error", "low", "high"])
        return pd.concat(parts)[["model", "parameter", "estimate", "standard_error", "low", "high"]]

    def results(self) -> dict[str, Any]:
        """Return every headline figure with its interval, the card, and the trust level, as plain JSON values."""
        c = self.customers
        return {
            "client": self.client.name,
            "kind": self.client.kind,
            "currency": self.client.currency,
            "as_of": self.as_of.isoformat(),
            "customers": len(c),
            "active_customers": float(c["p_alive"].sum()) if self.total else None,
            "year": self.year,
            "came": came_of_late(c["first_date"], self.as_of) if "first_date" in c else {},
            "historic_value": float(c["historic_value"].sum()),
            "residual_value": self.total.to_dict() if self.total else None,
            "expected_error": None if self.outlook is None or self.total is None else self.outlook.expected_error,
            "tested_days": None if self.outlook is None else self.outlook.tested,
            "new_customer_value": self.new_customer.to_dict() if self.new_customer else None,
            "methods": {str(r.method): _finite([r.value, r.low, r.high]) for r in self.methods.itertuples()},
            "held_by": {f"{r.customers:.1f}": float(r.share_of_value) for r in self.concentration.table.itertuples()},
            "trust": self.trust.level,
            "trust_text": self.trust.text,
            "choice": self.choice,
            "cut_points": self.cuts,
            "forecasts": {k: v.to_dict() for k, v in self.forecasts.items()},
            "card": self.card.to_dict(),
            "purchases": next((recipe(m) for m in self.models.values() if isinstance(m, TransactionModel)), {}),
            "rows": {str(r.rule): [int(r.rows), float(r.money)] for r in self.checked.account.itertuples()},
            "text": self.headline.text,
        }

    def _told(self) -> tuple[str, Iterable[pd.DataFrame]]:
        return f"{self.client.name}, {self.client.words.day(self.as_of)}: {self.headline.text}", []


@one_thread
def value_step(source: Client | Books, *, as_of: date | str | None = None) -> ValueStep:
    """Run step 1 for a client: read, check, fit, value, and say how far to trust it.

    Parameters
    ----------
    source : Client or Books
        From ``Client.load`` or ``load_sample``; or ``Books``, whose sources the steps then share.
    as_of : date, optional
        The evening of this day; the client's, or the last order's, when left out.

    Returns
    -------
    ValueStep
        ``customers`` (CLV with segment and tier), ``total``, ``new_customer``, ``trust``, ``methods``, ``segments``,
        ``channels``, ``cohorts``, ``card`` and more; each ``Finding`` in it says what it shows.

    Raises
    ------
    ClvnbError
        When the data cannot be read at all. Data that cannot carry a prediction are not reliable and give the historic
        values instead.

    Examples
    --------
    >>> from clvnb import load_sample
    >>> step = value_step(load_sample("subscription"))
    >>> step.trust.level, step.total.n
    ('use with care', 3000)
    """
    worth = books_of(source, as_of).once(assess_worth)
    if worth.total is None:
        return _historic_only(worth)
    return _of_subscription(worth) if worth.client.kind == "subscription" else _of_shop(worth)


def _step(worth: Worth, **more: Any) -> ValueStep:
    """A step with what was assessed already, and the rest."""
    cohorts, period = _cohorts(worth.checked.kept, worth.as_of)
    economics, as_of = worth.client.economics, worth.as_of
    terms = {"margin": economics.margin_rate, "cost_to_serve": economics.cost_to_serve}
    flows = contributions_by_month(worth.checked.kept, as_of=as_of, **terms)
    ahead = worth.outlook.table if worth.outlook is not None and worth.total is not None else pd.DataFrame()
    return ValueStep(
        books=worth.books,
        checked=worth.checked,
        customers=worth.customers,
        total=worth.total,
        new_customer=worth.new_customer,
        trust=worth.trust,
        models=worth.models,
        card=worth.card,
        choice=worth.why,
        holdout=worth.check,
        comparison=worth.comparison,
        outlook=worth.outlook,
        cuts=cut_points(worth.summary),
        forecast=worth.forecast,
        forecasts=worth.forecasts,
        segments=segment_profile(worth.customers, worth.customers["segment"]),
        cohorts=cohorts,
        cohort_period=period,
        months=by_month(flows, ahead, economics.margin_rate, economics.cost_to_serve, as_of),
        rhythm=members_by_cohort(worth.lives, as_of)
        if len(worth.lives)
        else orders_by_cohort(flows, worth.summary, worth.purchases, as_of, economics.horizon_days),
        year=year_on_year(flows, as_of),
        mrr=_recurring(worth),
        **more,
    )


def _recurring(worth: Worth) -> pd.DataFrame:
    """A subscription's MRR by month with its rates; nothing where none has been paid for yet."""
    if worth.running.empty:
        return pd.DataFrame()
    with suppress(TableError):
        movements = mrr_movements(worth.running, as_of=worth.as_of)
        return movements.merge(mrr_rates(movements), on="month")
    return pd.DataFrame()


# ------------------------------------------------------------------------------------------------- shop


def _of_shop(worth: Worth) -> ValueStep:
    client, as_of, summary, log = worth.client, worth.as_of, worth.summary, worth.checked.kept
    purchases, outlook = worth.purchases, worth.outlook
    assert purchases is not None
    assert worth.spend is not None
    assert outlook is not None
    return _step(
        worth,
        fit=tracking(log, purchases, as_of=as_of),
        channels=_shop_channels(worth),
        methods=shop_methods(log, client.economics, worth.new_customer, as_of=as_of, words=client.words),
        next_orders=_next_orders(summary, worth.customers, purchases),
        notes=(
            recommend_basis(summary),
            losses(worth.customers, summary, client.economics),
            *_too_new(summary, client),
        ),
        newcomers=_by_cohort(worth, purchases, outlook.spread),
        groups=group_effects(purchases, worth.spend, summary, client.words),
    )


def _too_new(summary: pd.DataFrame, client: Client) -> list[Finding]:
    """Customers within their first 90 days: how often they come is not known yet, whatever their scores say."""
    new = int((summary["T"] < 90).sum())
    if not new:
        return []
    said = (
        f"{client.words.counted(new, 'customer')} came within the last 90 days; their scores and names say little yet."
    )
    return [Finding(pd.DataFrame({"new": [new]}), said)]


def _by_cohort(worth: Worth, purchases: TransactionModel, spread: Spread) -> pd.DataFrame:
    """A new customer's value by half-year of joining, among those with half a year behind them."""
    seen = worth.priced[worth.priced["T"] >= 182]
    first = pd.to_datetime(seen["first_date"])
    cohort = first.dt.year.astype(str) + np.where(first.dt.month <= 6, " first half", " second half")
    if cohort.nunique() < 2 or len(seen) < 400:
        return pd.DataFrame()
    with suppress(FitError):
        table = new_customer_values(
            seen.assign(cohort=cohort),
            purchases,
            worth.client.economics,
            by="cohort",
            level=LEVEL,
            spread=spread,
            orders=worth.orders,
        )
        return table[table["group"] != "other"].sort_values("group", ignore_index=True)
    return pd.DataFrame()


def _next_orders(summary: pd.DataFrame, customers: pd.DataFrame, purchases: TransactionModel) -> pd.DataFrame:
    if not isinstance(purchases, ContinuousModel):
        return pd.DataFrame()
    known = customers[["customer_id", "p_alive", "historic_value", "clv"]]
    return pd.concat([known, summary[["purchases", "days_since_last"]], purchases.next_purchase(summary)], axis=1)


def _historic_only(worth: Worth) -> ValueStep:
    """What customers brought so far, by the methods that need no prediction."""
    client = worth.client
    return _step(
        worth,
        fit=pd.DataFrame(columns=["date", "actual", "expected"]),
        channels=_channel_frame(worth.books, worth.customers, None),
        methods=shop_methods(worth.checked.kept, client.economics, None, as_of=worth.as_of, words=client.words),
        notes=(recommend_basis(worth.summary), losses(worth.customers, worth.summary, client.economics)),
    )


def _cohorts(log: Any, as_of: date) -> tuple[pd.DataFrame, str]:
    """Revenue per customer added up by age, in months, or in quarters where there would be too many; and in which."""
    for period in ("month", "quarter"):
        try:
            matrix = cohort_matrix(log, period=period, what="revenue_per_customer", as_of=as_of)
        except TableError:
            return pd.DataFrame(), period
        if len(matrix) <= 15:
            break
    return matrix.cumsum(axis=1).where(matrix.notna()), period


def _shop_channels(worth: Worth) -> pd.DataFrame:
    summary, purchases, economics = worth.summary, worth.purchases, worth.client.economics
    assert purchases is not None
    assert worth.spend is not None
    if "channel" not in summary:
        return pd.DataFrame()
    assert worth.outlook is not None
    spread = worth.outlook.spread
    alone = clv_total(worth.priced, purchases, worth.spend, economics, by="channel", level=LEVEL)
    totals = {name: spread.widen(total) for name, total in alone.items()}
    return _with_newcomers(_channel_frame(worth.books, summary, totals), worth, purchases, spread)


def _with_newcomers(table: pd.DataFrame, worth: Worth, purchases: TransactionModel, spread: Spread) -> pd.DataFrame:
    """What a newcomer of each channel is worth, where the channels can be told apart."""
    try:
        new = new_customer_values(
            worth.priced,
            purchases,
            worth.client.economics,
            by="channel",
            cac=worth.books.cost_of_winning,
            level=LEVEL,
            spread=spread,
            orders=worth.orders,
        )
    except FitError:
        return table
    new = new.rename(columns={"group": "channel", "clv": "new_customer", "clv_low": "new_low", "clv_high": "new_high"})
    wanted = ["channel", "new_customer", "new_low", "new_high", "ltv_cac", "ltv_cac_low", "ltv_cac_high", "p_pays",
              "compare_low", "compare_high"]  # fmt: skip
    return table.merge(new[wanted], on="channel", how="left")


def _channel_frame(books: Books, customers: pd.DataFrame, totals: dict[str, Estimate] | None) -> pd.DataFrame:
    """By acquisition channel, per customer: value so far, expected value with its interval, and what winning one cost."""
    if "channel" not in customers:
        return pd.DataFrame()
    rows = []
    for name, group in customers.groupby("channel"):
        n, estimate = len(group), (totals or {}).get(str(name))
        scale = [estimate.value / n, estimate.low / n, estimate.high / n] if estimate else [np.nan] * 3
        rows.append((str(name), n, float(group["historic_value"].mean()), *scale))
    table = pd.DataFrame(rows, columns=["channel", "customers", "historic_value", "clv", "clv_low", "clv_high"])
    table["cac"] = table["channel"].map(books.cost_of_winning)
    table["clv_net"] = table["historic_value"] + table["clv"] - table["cac"]
    table["paid_back_months"] = table["channel"].map(_paid_back(books))
    return table


def _paid_back(books: Books) -> dict[str, float]:
    """After how many months customers of each channel have brought what winning one cost."""
    log, economics = books.orders.kept, books.client.economics
    if not books.cost_of_winning or "channel" not in log.columns:
        return {}
    ages = contributions_by_age(
        log, by="channel", as_of=books.as_of, margin=economics.margin_rate, cost_to_serve=economics.cost_to_serve
    )
    return paid_back(ages, books.cost_of_winning)


# ----------------------------------------------------------------------------------------- subscription


def _of_subscription(worth: Worth) -> ValueStep:
    people, economics = worth.people, worth.client.economics
    models = {plan: m for plan, m in worth.plans.items()}
    return _step(
        worth,
        fit=survival_seen(worth.lives, models),
        channels=_subscription_channels(worth.books, people, models),
        methods=contract_methods(worth.lives, economics, worth.new_customer),
        notes=(recommend_basis(worth.summary), losses(worth.customers, worth.summary, economics)),
    )


def _subscription_channels(books: Books, people: pd.DataFrame, models: dict[str, RenewalModel]) -> pd.DataFrame:
    if "channel" not in people:
        return pd.DataFrame()
    totals = {
        str(name): subscription_table(group, models, books.client.economics, level=LEVEL)[1]
        for name, group in people.groupby("channel")
        if len(group) >= 20
    }
    return _channel_frame(books, people, totals)


def _finite(values: list[float]) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]
