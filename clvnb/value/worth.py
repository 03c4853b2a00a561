"""What customers are worth, in one call: the heart of step 1, and where the steps after it begin.

In: ``Books``. Out: ``Worth``; or ``Handover``, the part of it that steps 2 and 3 need, from memory or from a report's files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.engine import to_pandas
from ..core.errors import FitError, TableError
from ..core.maths import LEVEL, tail
from ..core.results import Checked, Estimate, Finding
from ..data.books import Books, books_of
from ..data.client import Client, Economics
from ..data.contracts import current_subscriptions, settle_contracts
from ..data.spells import contract_lives, spells
from ..data.summary import purchase_days
from ..models import GammaGamma
from ..models.base import Model, TransactionModel
from ..models.constant_spend import ConstantSpend
from ..models.gamma_gamma import fit_spend
from ..models.renewals import RenewalModel
from ..models.stored import recipe
from .card import Card, clv_card
from .clv import OrderMoney, clv_new_customer, clv_table, clv_total, order_money
from .evaluate import Holdout, choose_model, choose_renewal_model
from .forecast import Forecast, forecast_purchases
from .groups import know_groups
from .newcomers import Newcomers
from .segments import name_segments, rfm_cuts, rfm_scores, value_tiers
from .subscriptions import subscription_new_customer, subscription_table
from .trust import Trust, subscription_trust, trust_gate

__all__ = ["WINDOWS", "Handover", "Worth", "assess_worth", "hand_over", "newcomers_of", "survival_seen"]

FORECAST = "forecast with season and trend, at today's prices"
WINDOWS = (182, 365)  # days after which step 4 looks at what came true


@dataclass(frozen=True)
class Worth:
    """What a client's customers are worth, and the models that say so.

    Attributes
    ----------
    books : Books
        The client on its day; ``client`` is whose customers they are, ``as_of`` the last day looked at.
    checked : Checked
        The orders, and of a subscription the contracts as well.
    summary : SUMMARY
        Of a subscription, of its payments.
    customers : CLV
        With ``segment``, ``tier``, ``first_date``, ``last_date``, ``purchases`` and ``expected_purchases_half``.
    total, new_customer : Estimate or None
        None where nothing can be predicted.
    trust : Trust
        The trust level, and what it rests on.
    models : dict of name to fitted model
        Of buying and of spending, or a model for each plan.
    card : Card
        How value was computed.
    why : str
        Why these models, or why none.
    purchases, spend : fitted models of a shop
        Of buying, and of spending or its mean; a subscription has none.
    people : pandas.DataFrame
        A subscription's customers with what runs now, or ran last; ``running`` its SPELLS; ``lives`` with a row for each
        stretch without a lapse; ``plans`` its models by plan.
    check : Holdout or None
        How well the chosen model told what was held back; None where nothing could be.
    comparison : pandas.DataFrame
        Every candidate model's predictions from earlier days.
    forecast : pandas.DataFrame
        Each customer's expected contribution in the windows after which step 4 looks, nothing discounted:
        ``customer_id`` and ``margin_182, margin_365``; ``forecasts`` has the sums with their intervals.
    outlook : Forecast or None
        Of a shop: what all customers together will buy, and how wrong that may be. ``purchases`` runs on its pace.
    orders : OrderMoney
        What a new customer's first and later purchases bring over the mean of ``spend``.
    """

    books: Books
    checked: Checked
    summary: pd.DataFrame
    customers: pd.DataFrame
    total: Estimate | None
    new_customer: Estimate | None
    trust: Trust
    card: Card
    why: str
    models: dict[str, Model] = field(default_factory=dict)
    purchases: TransactionModel | None = None
    spend: GammaGamma | ConstantSpend | None = None
    people: pd.DataFrame = field(default_factory=pd.DataFrame)
    running: pd.DataFrame = field(default_factory=pd.DataFrame)
    lives: pd.DataFrame = field(default_factory=pd.DataFrame)
    plans: dict[str, RenewalModel] = field(default_factory=dict)
    check: Holdout | None = None
    comparison: pd.DataFrame = field(default_factory=pd.DataFrame)
    forecast: pd.DataFrame = field(default_factory=pd.DataFrame)
    forecasts: dict[str, Estimate] = field(default_factory=dict)
    outlook: Forecast | None = None
    orders: OrderMoney = OrderMoney()

    @property
    def client(self) -> Client:
        """Whose customers they are."""
        return self.books.client

    @property
    def as_of(self) -> date:
        """The last day looked at."""
        return self.books.as_of

    @property
    def priced(self) -> pd.DataFrame:
        """The summary with what customers spend on a purchase at the prices of now."""
        return self.summary if self.outlook is None else at_todays_prices(self.summary, self.outlook.prices)


def assess_worth(books: Books) -> Worth:
    """Fit and value a client's customers.

    Parameters
    ----------
    books : Books
        The client on its day.

    Returns
    -------
    Worth
        Where nothing can be predicted, without models, and with the reason.

    Raises
    ------
    ClvnbError
        When the data cannot be read at all.
    """
    return _assess_subscription(books) if books.client.kind == "subscription" else _assess_shop(books)


def _assess_shop(books: Books) -> Worth:
    client, as_of, economics = books.client, books.as_of, books.client.economics
    summary = books.summary
    checked = _say_taken_back(books.orders, summary, client)
    try:
        choice = choose_model(checked.kept, horizon=economics.horizon, as_of=as_of, summary=summary)
    except (FitError, TableError) as error:
        return _unpredicted(books, checked, summary, str(error))
    try:
        outlook = forecast_purchases(
            checked.kept, horizon=economics.horizon, as_of=as_of, summary=summary, also=WINDOWS, model=choice.model,
            calendar=client.calendar,
        )  # fmt: skip
    except FitError as error:
        return _unpredicted(books, checked, summary, str(error))
    model, spend, priced = _knowing(choice.model, books, outlook)
    purchases = outlook.pace(model, summary)
    trust = trust_gate(
        summary, as_of=as_of, purchases=purchases, spend=spend, check=choice.holdout, log=checked.kept, outlook=outlook
    )
    if trust.level == "not reliable":
        bare = _unpredicted(books, checked, summary, _because(trust), trust=trust)
        return replace(bare, check=choice.holdout, comparison=choice.table, outlook=outlook)
    orders = order_money(priced, spend, prices=outlook.prices)
    customers = clv_table(priced, purchases, spend, economics, level=LEVEL)
    customers["expected_purchases_half"] = purchases.expected_purchases(summary, economics.horizon_days / 2)
    bought = customers["expected_purchases"]
    outlook = replace(outlook, spend=float((bought * customers["expected_spend"]).sum() / bought.sum()))
    expected, forecasts = customers[["customer_id"]].copy(), {}
    for window, terms in _windows(economics).items():
        per = customers["expected_spend"] * economics.margin_rate - economics.cost_to_serve
        expected[f"margin_{window}"] = purchases.expected_purchases(summary, window) * per.to_numpy(float)
        forecasts[str(window)] = outlook.spreads[window].widen(clv_total(priced, purchases, spend, terms, level=LEVEL))
    models: dict[str, Model] = {model.name: model}
    if isinstance(spend, GammaGamma):
        models[spend.name] = spend
    return Worth(
        books=books,
        checked=checked,
        summary=summary,
        customers=_described(customers, summary),
        total=outlook.spread.widen(clv_total(priced, purchases, spend, economics, level=LEVEL)),
        new_customer=outlook.spread.widen(clv_new_customer(purchases, spend, economics, orders=orders, level=LEVEL)),
        orders=orders,
        trust=trust,
        models=models,
        card=_card(client, " x ".join(models), summary, as_of, total=FORECAST),
        why=choice.text + _say_groups(model) + _say_orders(orders),
        purchases=purchases,
        spend=spend,
        check=choice.holdout,
        comparison=choice.table,
        forecast=expected,
        forecasts=forecasts,
        outlook=outlook,
    )


def new_customer_by(books: Books, model: TransactionModel) -> Estimate:
    """Return what a new customer is worth by another kind of purchase model, on the same forecast.

    Raises
    ------
    FitError, TableError
        Where the model or the forecast cannot be made.
    """
    summary, economics = books.summary, books.client.economics
    fitted = model.fit(summary)
    outlook = forecast_purchases(
        books.orders.kept, horizon=economics.horizon, as_of=books.as_of, summary=summary, model=fitted,
        calendar=books.client.calendar,
    )  # fmt: skip
    known, spend, priced = _knowing(fitted, books, outlook)
    orders = order_money(priced, spend, prices=outlook.prices)
    return outlook.spread.widen(
        clv_new_customer(outlook.pace(known, summary), spend, economics, orders=orders, level=LEVEL)
    )


def _knowing(
    model: TransactionModel, books: Books, outlook: Forecast
) -> tuple[TransactionModel, GammaGamma | ConstantSpend, pd.DataFrame]:
    """Models of purchases and of spend that know the groups of customers, and the summary at the prices of now."""
    priced, groups = at_todays_prices(books.summary, outlook.prices), books.groups
    spend = fit_spend(priced, groups)
    try:
        return know_groups(model, books.summary, groups), spend, priced
    except FitError:  # the groups cannot be told apart
        return model, spend, priced


def _say_groups(model: TransactionModel) -> str:
    """That the models know the groups of customers."""
    names = [name.replace("_", " ") for name in model.groups_]
    return f" The models know by {' and '.join(names)} who may differ." if names else ""


def _say_orders(orders: OrderMoney) -> str:
    """That first orders are larger or smaller than later ones, and who buys often spends more or less, where beyond chance."""
    apart, error = np.log(orders.first / orders.later), np.hypot(orders.first_error, orders.later_error)
    text = ""
    if abs(apart) > max(tail(LEVEL) * error, 0.05):
        low, middle, high = (np.exp(apart + sign * tail(LEVEL) * error) for sign in (-1, 0, 1))
        text += f" A first order brings {middle:.2f} times as much as a later one ({low:.2f} to {high:.2f})"
    if abs(np.log(orders.later)) > max(tail(LEVEL) * orders.later_error, 0.05):
        more = "more" if orders.later > 1 else "less"
        text += f"{'; customers' if text else ' Customers'} who buy often spend {more} on an order"
    return text + "; what a new customer is worth counts it so." if text else ""


def at_todays_prices(summary: pd.DataFrame, level: float) -> pd.DataFrame:
    """What customers spend on a purchase, at the prices of now."""
    return summary.assign(monetary_value=summary["monetary_value"] * level)


def _windows(economics: Economics) -> dict[int, Economics]:
    """The windows after which step 4 looks, as horizons over which nothing is discounted."""
    return {w: Economics(**{**economics.model_dump(), "horizon": f"{w} days", "discount_rate": 0.0}) for w in WINDOWS}


def _described(customers: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Segment and tier, and the dates that later steps ask for."""
    worth = customers["total_value"] if customers["total_value"].notna().any() else customers["historic_value"]
    known = [c for c in ("first_date", "last_date", "purchases") if c in summary]
    return customers.assign(
        segment=name_segments(rfm_scores(summary)), tier=value_tiers(worth), **{c: summary[c] for c in known}
    )


def _unpredicted(
    books: Books, checked: Checked, summary: pd.DataFrame, why: str, *, trust: Trust | None = None
) -> Worth:
    """What customers brought so far, and no prediction."""
    client, as_of = books.client, books.as_of
    missing = ["p_alive", "expected_purchases", "expected_purchases_low", "expected_purchases_high",
               "expected_spend", "clv", "clv_low", "clv_high"]  # fmt: skip
    customers = summary[["customer_id"]].assign(**dict.fromkeys(missing, np.nan))
    customers["historic_value"] = summary["historic_value"]
    customers["total_value"] = np.nan
    if "channel" in summary:
        customers["channel"] = summary["channel"]
    return Worth(
        books=books,
        checked=checked,
        summary=summary,
        customers=_described(customers, summary),
        total=None,
        new_customer=None,
        trust=trust or trust_gate(summary, as_of=as_of, why=why),
        card=_card(client, "none", summary, as_of),
        why=f"No prediction: {why}",
    )


def _assess_subscription(books: Books) -> Worth:
    client, as_of, economics = books.client, books.as_of, books.client.economics
    contracts, payments = books.contracts, books.summary
    received = to_pandas(purchase_days(books.orders.kept)).rename(columns={"net": "amount"})
    settled = settle_contracts(contracts.kept, received, as_of=as_of, words=client.words)
    running = spells(settled.kept, as_of=as_of)
    lives = contract_lives(running, as_of=as_of)
    people = current_subscriptions(lives, payments)
    checked = replace(books.orders, findings=(*books.orders.findings, *contracts.findings, *settled.findings))
    paid = payments[payments["customer_id"].isin(people["customer_id"])].reset_index(drop=True)
    plans: dict[str, RenewalModel] = {}
    for plan, group in lives.groupby("plan"):
        try:
            plans[str(plan)] = choose_renewal_model(group)
        except FitError as error:
            return replace(_unpredicted(books, checked, paid, str(error)), running=running)
    trust = subscription_trust(lives, plans, survival_seen(lives, plans))
    if trust.level == "not reliable":
        return replace(_unpredicted(books, checked, paid, _because(trust), trust=trust), running=running)
    customers, total = subscription_table(people, plans, economics, level=LEVEL)
    half = Economics(**{**economics.model_dump(), "horizon": f"{economics.horizon_days / 2:g} days"})
    begun = subscription_table(people, plans, half, level=LEVEL)[0].set_index("customer_id")["expected_purchases"]
    customers["expected_purchases_half"] = customers["customer_id"].map(begun)
    forecast, forecasts = customers[["customer_id"]].copy(), {}
    for window, terms in _windows(economics).items():
        rows, forecasts[str(window)] = subscription_table(people, plans, terms, level=LEVEL)
        forecast[f"margin_{window}"] = forecast["customer_id"].map(rows.set_index("customer_id")["clv"])
    customers["segment"] = customers["plan"] + np.where(customers["p_alive"] > 0, ", running", ", ended")
    customers["tier"] = value_tiers(customers["total_value"])
    dates = people.drop_duplicates("customer_id").set_index("customer_id")
    customers["first_date"] = customers["customer_id"].map(dates["first_date"])
    # There until that day; an end that is known and in the future is not over yet.
    customers["last_date"] = customers["customer_id"].map(dates["end"]).fillna(pd.Timestamp(as_of))
    paid_times = (lives["renewals"] + 1).groupby(lives["customer_id"]).sum()
    customers["purchases"] = customers["customer_id"].map(paid_times)
    customers["period"] = customers["customer_id"].map(dates["period"])
    customers["stays_a_year"] = _stays_a_year(people, plans).reindex(customers["customer_id"]).to_numpy()
    return Worth(
        books=books,
        checked=checked,
        summary=paid,
        customers=customers,
        total=total,
        new_customer=subscription_new_customer(people, plans, economics, level=LEVEL),
        trust=trust,
        models={f"{m.name}, {plan}": m for plan, m in plans.items()},
        card=_card(client, _by_plan(plans), people, as_of),
        why=(
            "Contracts tell when a customer leaves, so each plan has a model of renewals: every customer has a chance "
            "to leave at each one, and these chances differ. Used, by AIC: " + _by_plan(plans) + "."
        ),
        people=people,
        running=running,
        lives=lives,
        plans=plans,
        forecast=forecast,
        forecasts=forecasts,
    )


def _say_taken_back(checked: Checked, summary: pd.DataFrame, client: Client) -> Checked:
    """Say how many customers have orders and no purchase, so that the two counts of customers agree."""
    gone = (checked.customers or 0) - len(summary)
    if gone <= 0:
        return checked
    said = f"{client.words.counted(gone, 'customer')} took back everything they bought, and are not valued."
    return replace(checked, findings=(*checked.findings, Finding(pd.DataFrame({"customers": [gone]}), said)))


def _because(trust: Trust) -> str:
    """The reasons why a prediction is not reliable, without the verdict."""
    return " ".join(trust.table.loc[trust.table["level"] == "not reliable", "found"])


def _card(
    client: Client, model: str, customers: pd.DataFrame, as_of: date, total: str = "as the model expects"
) -> Card:
    first = pd.Timestamp(customers["first_date"].min())
    return clv_card(
        client.economics,
        model=model,
        currency=client.currency,
        window=f"{first:%Y-%m-%d} to {as_of}",
        n=len(customers),
        level=LEVEL,
        total=total,
    )


def _by_plan(models: dict[str, RenewalModel]) -> str:
    return ", ".join(f"{m.name} ({plan})" for plan, m in models.items())


def _stays_a_year(people: pd.DataFrame, plans: dict[str, RenewalModel]) -> pd.Series:
    """Each running member's chance to make the renewals of a year; 0 where an end before them is known."""
    running = people[people["active"]]
    parts = []
    for (plan, months), group in running.groupby(["plan", "period"]):
        ahead = max(1, round(12 / float(months)))
        reach = plans[str(plan)].residual_survival(group["renewals"].to_numpy(), ahead)[:, -1]
        reach = np.where(group["renewals_left"] < ahead, 0.0, reach)
        parts.append(pd.Series(reach, index=group["customer_id"]))
    found = pd.concat(parts) if parts else pd.Series(dtype=float)
    return found[~found.index.duplicated()]


def survival_seen(people: pd.DataFrame, models: dict[str, RenewalModel]) -> pd.DataFrame:
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


# -------------------------------------------------------------------------------------------- handing over


@dataclass(frozen=True)
class Handover:
    """What steps 2 and 3 need of step 1.

    Attributes
    ----------
    books : Books
        The client on its day; ``client`` is whose customers they are, ``as_of`` the last day looked at.
    customers : CLV
        As ``Worth`` has them.
    total, new_customer : Estimate or None
        None where nothing is predicted.
    card : dict
        How value was computed.
    trust : "reliable", "use with care" or "not reliable"
        The trust level.
    why : str
        Why nothing is predicted, where nothing is.
    cuts : dict
        RFM's cut-points.
    forecast : pandas.DataFrame
        Each customer's expected contribution, as in ``Worth``.
    forecasts : dict of str to Estimate
        The sums of it with their intervals.
    purchases : dict
        Class and settings of the model of buying, see ``models.stored.recipe``; empty where there is none.
    """

    books: Books
    customers: pd.DataFrame
    total: Estimate | None
    new_customer: Estimate | None
    card: dict[str, Any]
    trust: str
    why: str
    cuts: dict[str, list[float]]
    forecast: pd.DataFrame = field(default_factory=pd.DataFrame)
    forecasts: dict[str, Estimate] = field(default_factory=dict)
    purchases: dict[str, Any] = field(default_factory=dict)

    @property
    def client(self) -> Client:
        """Whose customers they are."""
        return self.books.client

    @property
    def as_of(self) -> date:
        """The last day looked at."""
        return self.books.as_of


def newcomers_of(worth: Handover) -> Newcomers | None:
    """Return the customers of the last year, and what those are worth who came to a second purchase."""
    if worth.new_customer is None:
        return None
    age = (pd.Timestamp(worth.as_of) - pd.to_datetime(worth.customers["first_date"])).dt.days
    year = worth.customers[age < 365.25]
    if year.empty:
        return None
    judged = year[age[year.index] >= 90]
    back = judged["purchases"] >= 2
    enough = back.sum() >= 30 and (~back).sum() >= 30
    costs = worth.books.cost_of_winning
    channel = year["channel"].map(costs) if "channel" in year and costs else pd.Series(dtype=float)
    return Newcomers(
        per_year=float(len(year)),
        clv=worth.new_customer.value,
        cac=float(channel.mean()) if channel.notna().any() else float("nan"),
        activated=float(back.mean()) if enough else float("nan"),
        activated_clv=float(judged.loc[back, "clv"].mean()) if enough else float("nan"),
        other_clv=float(judged.loc[~back, "clv"].mean()) if enough else float("nan"),
    )


def hand_over(source: Client | Books, *, as_of: date | str | None = None, output: str | Path = "") -> Handover:
    """Return what step 1 found: from the files that it left in ``output``, or by assessing the client now.

    Parameters
    ----------
    source : Client or Books
        From ``Client.load``, ``load_sample`` or ``Books``.
    as_of : date, optional
        The client's ``as_of`` or the last order when left out.
    output : path
        The folder that a report's notebooks share; empty: nothing was left.
    """
    books = books_of(source, as_of, output)
    left = Path(output) / "results.json"
    if str(output) and left.is_file() and (left.parent / "customers.parquet").is_file():
        results = json.loads(left.read_text(encoding="utf-8"))
        return Handover(
            books=books.on(date.fromisoformat(results["as_of"])),
            customers=pd.read_parquet(left.parent / "customers.parquet"),
            total=_estimate(results["residual_value"]),
            new_customer=_estimate(results["new_customer_value"]),
            card=results["card"],
            trust=results["trust"],
            why=results["choice"],
            cuts=results["cut_points"],
            forecast=_table(left.parent / "forecast.parquet"),
            forecasts={k: Estimate.from_dict(v) for k, v in results["forecasts"].items()},
            purchases=results.get("purchases", {}),
        )
    worth = books.once(assess_worth)
    return Handover(books, worth.customers, worth.total, worth.new_customer, worth.card.to_dict(), worth.trust.level,
                    worth.why, cut_points(worth.summary), worth.forecast, worth.forecasts,
                    recipe(worth.purchases) if worth.purchases else {})  # fmt: skip


def _table(file: Path) -> pd.DataFrame:
    return pd.read_parquet(file) if file.is_file() else pd.DataFrame()


def cut_points(summary: pd.DataFrame) -> dict[str, list[float]]:
    """RFM's cut-points of today, against which the next cycle's customers are scored."""
    cuts = rfm_cuts(summary) if len(summary) else {}
    return {k: [float(np.nan_to_num(x)) for x in v] for k, v in cuts.items()}  # JSON has no infinity


def _estimate(saved: dict[str, Any] | None) -> Estimate | None:
    return Estimate.from_dict(saved) if saved else None
