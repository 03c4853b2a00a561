"""The steps of the guide, one call each: a client goes in, everything that its notebook shows comes out.

In: ``Client``. Out: ``ValueStep``; its tables and sentences are what the notebook shows and the report keeps.
"""

from __future__ import annotations

import html
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from . import readings
from .client import Client
from .cohorts import cohort_matrix
from .contracts import check_contracts, read_contracts, summarize_contracts
from .engine import hold, to_pandas
from .evaluate import Backtest, Holdout, backtest, choose_model, choose_renewal_model, tracking
from .ladder import contract_ladder, shop_ladder
from .models import GammaGamma
from .models.base import Model, TransactionModel
from .models.continuous import ContinuousModel
from .models.gamma_gamma import fit_spend
from .models.renewals import RenewalModel
from .segments import name_segments, rfm_scores, segment_profile, value_tiers
from .subscriptions import subscription_new_customer, subscription_table
from .tables import Checked, Estimate, Finding, FitError, TableError, as_day
from .transactions import check_transactions, purchase_days, read_table, read_transactions, summarize
from .trust import Trust, subscription_trust, trust_gate
from .value import (
    Card,
    clv_card,
    clv_new_customer,
    clv_table,
    clv_total,
    clv_totals,
    losses,
    new_customer_values,
    recommend_basis,
)

__all__ = ["ValueStep", "check_orders", "value_customers"]

LEVEL = 0.9


@dataclass(frozen=True)
class ValueStep:
    """What step 1 found out about a client.

    Attributes
    ----------
    client : Client
    as_of : date
        The last day looked at.
    checked : Checked
        The orders: kept, rejected, and why.
    customers : CLV
        One row per customer.
    total : Estimate or None
        What all customers together are still worth; None where no model could be fitted.
    new_customer : Estimate or None
        What a newly won customer is worth on average: the most that winning one may cost.
    trust : Trust
    fit : pandas.DataFrame
        What was seen beside what the model expects: ``date`` or ``plan, renewals``, then ``actual, expected``.
    models : dict of name to fitted model
    card : Card
    channels : pandas.DataFrame
        By acquisition channel: customers, value so far and to come, cost of winning one.
    segments : pandas.DataFrame
        RFM segments of a shop, plans of a subscription: how many, what they hold, what to do.
    cohorts : pandas.DataFrame
        Revenue per customer of each cohort, added up by age; unseen cells missing.
    choice : str
        Why this model.
    holdout : Holdout or None
    ladder : pandas.DataFrame
        A new customer's value by each method, from the beginner's formula to the model.
    comparison : pandas.DataFrame
        Every candidate model's likelihood and errors in the holdout.
    backtest : Backtest or None
        The chosen model's predictions from several earlier days.
    next_orders : pandas.DataFrame
        When each customer's next purchase was due and now is; empty where no model says so.
    notes : tuple of Finding
        On which basis to value, who costs more than they bring, and who came too lately to be judged.
    newcomers : pandas.DataFrame
        What a new customer is worth by when customers came, where cohorts can be told apart.
    """

    client: Client
    as_of: date
    checked: Checked
    customers: pd.DataFrame
    total: Estimate | None
    new_customer: Estimate | None
    trust: Trust
    fit: pd.DataFrame
    models: dict[str, Model]
    card: Card
    channels: pd.DataFrame
    segments: pd.DataFrame
    cohorts: pd.DataFrame
    choice: str
    holdout: Holdout | None
    ladder: pd.DataFrame
    comparison: pd.DataFrame = field(default_factory=pd.DataFrame)
    backtest: Backtest | None = None
    next_orders: pd.DataFrame = field(default_factory=pd.DataFrame)
    notes: tuple[Finding, ...] = ()
    newcomers: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def steps_of_value(self) -> Finding:
        """The ladder with the sentence that reads it."""
        return Finding(self.ladder, readings.say_ladder(self))

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
    def tracking(self) -> Finding:
        """What was seen beside what the model expects, with the sentence that reads it."""
        return Finding(self.fit, readings.say_fit(self))

    @property
    def parameters(self) -> pd.DataFrame:
        """The fitted parameters of every model: ``model, parameter, estimate, standard_error, low, high``."""
        parts = [m.summary().assign(model=name) for name, m in self.models.items() if m.fit_ is not None]
        if not parts:
            return pd.DataFrame(columns=["model", "parameter", "estimate", "standard_error", "low", "high"])
        return pd.concat(parts)[["model", "parameter", "estimate", "standard_error", "low", "high"]]

    def results(self) -> dict[str, Any]:
        """Return every headline figure with its interval, the card, and the light, as plain JSON values."""
        c = self.customers
        return {
            "client": self.client.name,
            "kind": self.client.kind,
            "currency": self.client.currency,
            "as_of": self.as_of.isoformat(),
            "customers": len(c),
            "active_customers": float(c["p_alive"].sum()) if self.total else None,
            "historic_value": float(c["historic_value"].sum()),
            "residual_value": self.total.to_dict() if self.total else None,
            "new_customer_value": self.new_customer.to_dict() if self.new_customer else None,
            "ladder": {str(r.rung): _finite([r.value, r.low, r.high]) for r in self.ladder.itertuples()},
            "trust": self.trust.light,
            "trust_text": self.trust.text,
            "card": self.card.to_dict(),
            "rows": {str(r.rule): [int(r.rows), float(r.money)] for r in self.checked.account.itertuples()},
            "text": self.headline.text,
        }

    def __repr__(self) -> str:
        return f"ValueStep({self.client.name}, {self.as_of}): {self.headline.text}"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.headline.text)}</p>"


def check_orders(client: Client, as_of: date | str | None = None) -> Checked:
    """Read a client's orders and check them by the rules of its ``client.yaml``.

    Parameters
    ----------
    client : Client
    as_of : date, optional
        The client's own when left out.

    Returns
    -------
    Checked
    """
    source = client.transactions
    return check_transactions(
        read_transactions(client),
        as_of=as_of or client.as_of,
        refunds=source.refunds,
        exclude=source.exclude,
        max_loss=source.max_loss,
        currency=client.currency,
        words=client.words,
    )


def value_customers(client: Client, *, as_of: date | str | None = None) -> ValueStep:
    """Run step 1 for a client: read, check, fit, value, and say how far to trust it.

    Parameters
    ----------
    client : Client
    as_of : date, optional
        Report as of the evening of this day; the client's ``as_of`` or the last order when left out.

    Returns
    -------
    ValueStep

    Raises
    ------
    ClvnbError
        When the data cannot be read at all. Data that cannot carry a prediction give a red light and the historic
        values instead.
    """
    day = as_day(as_of) or client.as_of
    checked = check_orders(client, day)
    checked = Checked(hold(checked.kept), checked.rejected, checked.findings)
    day = day or pd.Timestamp(checked.findings[1].table["last"].iloc[0]).date()
    return (
        _value_subscription(client, day, checked)
        if client.kind == "subscription"
        else _value_shop(client, day, checked)
    )


# ------------------------------------------------------------------------------------------------- shop


def _value_shop(client: Client, as_of: date, checked: Checked) -> ValueStep:
    economics = client.economics
    summary = to_pandas(
        summarize(checked.kept, as_of=as_of, margin=economics.margin_rate, cost_to_serve=economics.cost_to_serve)
    ).sort_values("customer_id", ignore_index=True)
    checked = _say_taken_back(checked, summary, client)
    try:
        choice = choose_model(checked.kept, as_of=as_of)
        purchases, check, why = choice.model, choice.holdout, choice.text
    except (FitError, TableError) as error:
        return _historic_only(client, as_of, checked, summary, str(error))
    spend = fit_spend(summary)
    trust = trust_gate(summary, as_of=as_of, purchases=purchases, spend=spend, check=check, log=checked.kept)
    if trust.light == "red":
        red = _historic_only(client, as_of, checked, summary, _because(trust), trust=trust, check=check)
        return replace(red, comparison=choice.table)
    customers = clv_table(summary, purchases, spend, economics, level=LEVEL)
    customers["segment"] = name_segments(rfm_scores(summary))
    customers["tier"] = value_tiers(customers["total_value"])
    models: dict[str, Model] = {purchases.name: purchases}
    if isinstance(spend, GammaGamma):
        models[spend.name] = spend
    new = clv_new_customer(purchases, spend, economics, level=LEVEL)
    return ValueStep(
        client=client,
        as_of=as_of,
        checked=checked,
        customers=customers,
        total=clv_total(summary, purchases, spend, economics, level=LEVEL),
        new_customer=new,
        trust=trust,
        fit=tracking(checked.kept, purchases, as_of=as_of),
        models=models,
        card=_card(client, " x ".join(models), summary, as_of),
        channels=_shop_channels(client, summary, purchases, spend),
        segments=segment_profile(customers, customers["segment"]),
        cohorts=_cohorts(checked.kept, as_of),
        choice=why,
        holdout=check,
        ladder=shop_ladder(checked.kept, economics, new, as_of=as_of, words=client.words),
        comparison=choice.table,
        backtest=_backtest(checked.kept, purchases, as_of),
        next_orders=_next_orders(summary, customers, purchases),
        notes=(recommend_basis(summary), losses(customers, summary, economics), *_too_new(summary, client)),
        newcomers=_by_cohort(summary, purchases, client),
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


def _by_cohort(summary: pd.DataFrame, purchases: TransactionModel, client: Client) -> pd.DataFrame:
    """A new customer's value by half-year of joining, among those with half a year behind them."""
    seen = summary[summary["T"] >= 182]
    first = pd.to_datetime(seen["first_date"])
    cohort = first.dt.year.astype(str) + np.where(first.dt.month <= 6, " first half", " second half")
    if cohort.nunique() < 2 or len(seen) < 400:
        return pd.DataFrame()
    with suppress(FitError):
        table = new_customer_values(seen.assign(cohort=cohort), "cohort", purchases, client.economics, level=LEVEL)
        return table[table["group"] != "other"].sort_values("group", ignore_index=True)
    return pd.DataFrame()


def _backtest(log: Any, purchases: TransactionModel, as_of: date) -> Backtest | None:
    """Three earlier days, a ninth of the log apart, a quarter of a year at most."""
    first = to_pandas(purchase_days(log).aggregate(first=lambda t: t.date.min()))["first"].iloc[0]
    span = (pd.Timestamp(as_of) - pd.Timestamp(first)).days
    with suppress(TableError):
        return backtest(log, [type(purchases)], horizon=float(max(30, min(91, span // 9))), as_of=as_of)
    return None


def _next_orders(summary: pd.DataFrame, customers: pd.DataFrame, purchases: TransactionModel) -> pd.DataFrame:
    if not isinstance(purchases, ContinuousModel):
        return pd.DataFrame()
    known = customers[["customer_id", "p_alive", "historic_value", "clv"]]
    return pd.concat([known, summary[["purchases", "days_since_last"]], purchases.next_purchase(summary)], axis=1)


def _say_taken_back(checked: Checked, summary: pd.DataFrame, client: Client) -> Checked:
    """Say how many customers have orders and no purchase, so that the two counts of customers agree."""
    gone = int(checked.findings[1].table["customers"].iloc[0]) - len(summary)
    if gone <= 0:
        return checked
    said = f"{client.words.counted(gone, 'customer')} took back everything they bought, and are not valued."
    return Checked(
        checked.kept, checked.rejected, (*checked.findings, Finding(pd.DataFrame({"customers": [gone]}), said))
    )


def _because(trust: Trust) -> str:
    """The reasons behind a red light, without its verdict."""
    return " ".join(trust.table.loc[trust.table["light"] == "red", "found"])


def _historic_only(
    client: Client,
    as_of: date,
    checked: Checked,
    summary: pd.DataFrame,
    why: str,
    *,
    trust: Trust | None = None,
    check: Holdout | None = None,
) -> ValueStep:
    """The ladder's lowest honest rung: what customers brought so far, and no prediction."""
    missing = ["p_alive", "expected_purchases", "expected_purchases_low", "expected_purchases_high",
               "expected_spend", "clv", "clv_low", "clv_high"]  # fmt: skip
    customers = summary[["customer_id"]].assign(**dict.fromkeys(missing, np.nan))
    customers["historic_value"] = summary["historic_value"]
    customers["total_value"] = np.nan
    if "channel" in summary:
        customers["channel"] = summary["channel"]
    customers["segment"] = name_segments(rfm_scores(summary))
    customers["tier"] = value_tiers(customers["historic_value"])
    return ValueStep(
        client=client,
        as_of=as_of,
        checked=checked,
        customers=customers,
        total=None,
        new_customer=None,
        trust=trust or trust_gate(summary, as_of=as_of, why=why),
        fit=pd.DataFrame(columns=["date", "actual", "expected"]),
        models={},
        card=_card(client, "none", summary, as_of),
        channels=_channel_frame(client, customers, None),
        segments=segment_profile(customers, customers["segment"]),
        cohorts=_cohorts(checked.kept, as_of),
        choice=f"No prediction: {why}",
        holdout=check,
        ladder=shop_ladder(checked.kept, client.economics, None, as_of=as_of, words=client.words),
        notes=(recommend_basis(summary), losses(customers, summary, client.economics)),
    )


def _cohorts(log: Any, as_of: date) -> pd.DataFrame:
    """Revenue per customer added up by age, in months, or in quarters where there would be too many of them."""
    for period in ("month", "quarter"):
        try:
            matrix = cohort_matrix(log, period=period, what="revenue_per_customer", as_of=as_of)
        except TableError:
            return pd.DataFrame()
        if len(matrix) <= 15:
            break
    sizes = matrix.attrs["size"]
    added = matrix.cumsum(axis=1).where(matrix.notna())
    added.attrs = {"size": sizes, "period": period}
    return added


def _card(client: Client, model: str, customers: pd.DataFrame, as_of: date) -> Card:
    first = pd.Timestamp(customers["first_date"].min())
    return clv_card(
        client.economics,
        model=model,
        currency=client.currency,
        window=f"{first:%Y-%m-%d} to {as_of}",
        n=len(customers),
        level=LEVEL,
    )


def _shop_channels(
    client: Client, summary: pd.DataFrame, purchases: TransactionModel, spend: GammaGamma | float
) -> pd.DataFrame:
    if "channel" not in summary:
        return pd.DataFrame()
    if summary["channel"].nunique() > 12:
        return _channel_frame(client, summary, None)
    table = _channel_frame(
        client, summary, clv_totals(summary, "channel", purchases, spend, client.economics, level=LEVEL)
    )
    return _with_newcomers(table, client, summary, purchases)


def _with_newcomers(
    table: pd.DataFrame, client: Client, summary: pd.DataFrame, purchases: TransactionModel
) -> pd.DataFrame:
    """What a newcomer of each channel is worth, where the channels can be told apart."""
    known = summary.assign(channel=summary["channel"].fillna("unknown").astype(str))
    try:
        new = new_customer_values(known, "channel", purchases, client.economics, cac=_cac(client), level=LEVEL)
    except FitError:
        return table
    new = new.rename(columns={"group": "channel", "clv": "new_customer", "clv_low": "new_low", "clv_high": "new_high"})
    wanted = ["channel", "new_customer", "new_low", "new_high", "ltv_cac", "ltv_cac_low", "ltv_cac_high", "p_pays"]
    return table.merge(new[wanted], on="channel", how="left")


def _channel_frame(client: Client, customers: pd.DataFrame, totals: dict[str, Estimate] | None) -> pd.DataFrame:
    """By acquisition channel, per customer: value so far, value to come with its interval, and what winning one cost."""
    if "channel" not in customers:
        return pd.DataFrame()
    rows = []
    for name, group in customers.groupby("channel"):
        n, estimate = len(group), (totals or {}).get(str(name))
        scale = [estimate.value / n, estimate.low / n, estimate.high / n] if estimate else [np.nan] * 3
        rows.append((str(name), n, float(group["historic_value"].mean()), *scale))
    table = pd.DataFrame(rows, columns=["channel", "customers", "historic_value", "clv", "clv_low", "clv_high"])
    table["cac"] = table["channel"].map(_cac(client))
    table["clv_net"] = table["historic_value"] + table["clv"] - table["cac"]
    return table


def _cac(client: Client) -> dict[str, float]:
    """What winning a customer cost, by channel: all money spent on it over all customers it brought."""
    if client.acquisition is None:
        return {}
    spent = to_pandas(read_table(client, client.acquisition, ("channel", "amount", "new_customers")))
    new = pd.to_numeric(spent["new_customers"], errors="coerce")
    by = spent.assign(new=new).groupby("channel")[["amount", "new"]].sum()
    return dict(by["amount"] / by["new"].replace(0, np.nan))


# ----------------------------------------------------------------------------------------- subscription


def _value_subscription(client: Client, as_of: date, checked: Checked) -> ValueStep:
    economics, words = client.economics, client.words
    contracts = check_contracts(read_contracts(client), words=words)
    payments = to_pandas(
        summarize(checked.kept, as_of=as_of, margin=economics.margin_rate, cost_to_serve=economics.cost_to_serve)
    )
    people = summarize_contracts(contracts.kept, as_of=as_of, payments=payments)
    checked = Checked(checked.kept, checked.rejected, (*checked.findings, *contracts.findings))
    models: dict[str, RenewalModel] = {}
    for plan, group in people.groupby("plan"):
        try:
            models[str(plan)] = choose_renewal_model(group)
        except FitError as error:
            return _historic_only(client, as_of, checked, _as_summary(people, payments), str(error))
    fit = _survival_seen(people, models)
    trust = subscription_trust(people, models, fit)
    if trust.light == "red":
        return _historic_only(client, as_of, checked, _as_summary(people, payments), _because(trust), trust=trust)
    customers, total = subscription_table(people, models, economics, level=LEVEL)
    new = subscription_new_customer(people, models, economics, level=LEVEL)
    customers["segment"] = customers["plan"] + np.where(customers["p_alive"] > 0, ", running", ", ended")
    customers["tier"] = value_tiers(customers["total_value"])
    return ValueStep(
        client=client,
        as_of=as_of,
        checked=checked,
        customers=customers,
        total=total,
        new_customer=new,
        trust=trust,
        fit=fit,
        models={f"{m.name}, {plan}": m for plan, m in models.items()},
        card=_card(client, _by_plan(models), people, as_of),
        channels=_subscription_channels(client, people, models),
        segments=segment_profile(customers, customers["segment"]),
        cohorts=_cohorts(checked.kept, as_of),
        choice=(
            "Contracts tell when a customer leaves, so each plan has a model of renewals: every customer has a chance "
            "to leave at each one, and these chances differ. Used, by AIC: " + _by_plan(models) + "."
        ),
        holdout=None,
        ladder=contract_ladder(people, economics, new),
        notes=(
            recommend_basis(_as_summary(people, payments)),
            losses(customers, _as_summary(people, payments), economics),
        ),
    )


def _by_plan(models: dict[str, RenewalModel]) -> str:
    return ", ".join(f"{m.name} ({plan})" for plan, m in models.items())


def _as_summary(people: pd.DataFrame, payments: pd.DataFrame) -> pd.DataFrame:
    known = payments["customer_id"].isin(people["customer_id"])
    return payments[known].reset_index(drop=True)


def _survival_seen(people: pd.DataFrame, models: dict[str, RenewalModel]) -> pd.DataFrame:
    """Survival by plan as seen (Kaplan-Meier over renewals) beside the model's."""
    parts = []
    for plan, group in people.groupby("plan"):
        periods = np.arange(0, int(group["opportunities"].max()) + 1)
        at_risk = np.array([(group["opportunities"] >= k).sum() for k in periods])
        stayed = np.array([(group["renewals"] >= k).sum() for k in periods])
        kept = np.where(periods == 0, 1.0, stayed / np.maximum(at_risk, 1))
        actual = np.cumprod(kept)
        parts.append(
            pd.DataFrame(
                {"plan": str(plan), "renewals": periods, "at_risk": at_risk, "actual": actual,
                 "expected": models[str(plan)].survival(periods)}
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _subscription_channels(client: Client, people: pd.DataFrame, models: dict[str, RenewalModel]) -> pd.DataFrame:
    if "channel" not in people:
        return pd.DataFrame()
    totals = {
        str(name): subscription_table(group, models, client.economics, level=LEVEL)[1]
        for name, group in people.groupby("channel")
        if len(group) >= 20
    }
    return _channel_frame(client, people, totals)


def _finite(values: list[float]) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]
