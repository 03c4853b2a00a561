"""What a step's tables say to a reader: the sentences under the pictures, each with the table it reads.

In: ``ValueStep``. Out: ``Finding`` or text, in the client's currency and language.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..core.results import Finding
from ..core.tables import MRR
from ..core.words import Words
from ..data.client import Client
from .facts import ValueFacts
from .forecast import Forecast
from .segments import rfm_by_value


def _worth_word(client: Client) -> str:
    return "contribution margin" if client.economics.basis == "margin" else "revenue (no margin is known)"


def headline(step: ValueFacts) -> Finding:
    """The answer in one minute."""
    client, words, c = step.client, step.client.words, step.customers
    historic = float(c["historic_value"].sum())
    text = (
        f"By {words.day(step.as_of)}, {words.counted(len(c), 'customer')} of {client.name} had brought "
        f"{words.money(historic)} of {_worth_word(client)}, {words.money(historic / len(c))} each."
    )
    rows = [("customers", float(len(c)), np.nan, np.nan), ("value so far", historic, np.nan, np.nan)]
    if step.total is None or step.new_customer is None:
        text += f" What they are still worth cannot be said yet. {step.choice}"
        own = step.methods[step.methods["method"] == "Cohorts"].dropna(subset=["value"])
        if len(own):
            text += (
                f" Followed from their first purchase, without a model, new customers brought {words.money(own['value'].iloc[0])} "
                f"each ({words.money(own['low'].iloc[0])} to {words.money(own['high'].iloc[0])}) as far as was seen."
            )
            rows.append(("a new customer, so far as seen", *own[["value", "low", "high"]].iloc[0].astype(float)))
        return Finding(pd.DataFrame(rows, columns=["figure", "value", "low", "high"]), text)
    total, new = step.total, step.new_customer
    text += (
        f" They are expected to bring another {words.money(total.value)} over the next {client.economics.horizon} "
        f"in today's money ({words.share(total.level)} range {words.range(total)}), "
        f"{words.money(total.value / len(c))} each on average."
        f" A new customer is worth {words.money(new.value)} ({words.range(new)}), at which cost winning one breaks even."
    )
    rows += [("expected value", total.value, total.low, total.high),
             ("a new customer", new.value, new.low, new.high)]  # fmt: skip
    return Finding(pd.DataFrame(rows, columns=["figure", "value", "low", "high"]), text)


def coming(step: ValueFacts) -> Finding:
    """What today's customers will buy in the next quarter, year and horizon, with the expected error."""
    outlook, words = step.outlook, step.client.words
    if outlook is None or step.total is None:
        members = step.client.kind == "subscription"  # whose recurring revenue has a section of its own
        return Finding(pd.DataFrame(), "" if members else "There is no forecast of purchases for this client.")
    table = outlook.coming
    near = table[table["days_ahead"].isin([table["days_ahead"].min(), min(365.0, outlook.horizon)])]
    parts = [
        f"in {words.counted(r.days_ahead, 'day')} {words.count(r.purchases_mean)} purchases ({words.count(r.purchases_low)} to "
        f"{words.count(r.purchases_high)})"
        for r in near.itertuples()
    ]
    text = f"Expected of today's customers, without new ones: {'; '.join(parts)}."
    swing, sure = outlook.season
    if sure > 3 and swing > 0.1:
        best = outlook.year.loc[outlook.year["pace"].idxmax(), "day"]
        text += f" The season is part of it: around {best.month_name()} they buy {1 + swing:.1f} times as often as at the quietest time."
    if abs(outlook.drift) > 0.03:
        text += (
            f" An order of the same customer has {'grown' if outlook.drift > 0 else 'shrunk'} by {words.share(abs(np.expm1(outlook.drift)))} "
            "a year; values are at the prices of now, and their ranges hold that this may go on."
        )
    return Finding(table, text + _say_dated(outlook, words))


def _say_dated(outlook: Forecast, words: Words) -> str:
    """What the days of the client's own calendar do, and whether more of them are planned."""
    text = ""
    for row in outlook.dated.itertuples():
        text += (
            f" On days of {row.name} ({words.count(row.days)} so far) customers buy {row.times:.1f} times as often as on others "
            f"({row.low:.1f} to {row.high:.1f})"
        )
        text += (
            f"; {words.counted(row.planned, 'such day')} ahead {'is' if row.planned == 1 else 'are'} part of the forecast."
            if row.planned
            else f"; the calendar names none after {words.day(row.last)}, so the forecast holds none: name those that are planned."
        )
    return text


def tests(step: ValueFacts) -> Finding:
    """How forecasts from earlier days fared."""
    if step.outlook is None:
        return Finding(pd.DataFrame(), "There is no purchase model to test from earlier days.")
    if step.total is None:
        held = int(step.outlook.tests["inside"].sum())
        return Finding(
            step.outlook.tests,
            f"No forecast is shown; of {len(step.outlook.tests)} made from earlier days the range held {held}.",
        )
    return Finding(step.outlook.tests, step.outlook.say_tests())


def say_channels(step: ValueFacts) -> str:
    """What each channel's customers brought, will bring and cost."""
    table, words = step.channels, step.client.words
    if table.empty:
        return "The log does not say through which channel customers came."
    parts = []
    for row in table.itertuples():
        text = f"{row.channel}: {words.count(row.customers)} customers, {words.money(row.historic_value)} each so far"
        if np.isfinite(row.clv):
            text += f" and {words.money(row.clv)} expected ({words.money(row.clv_low)} to {words.money(row.clv_high)})"
        if np.isfinite(row.cac):
            text += f", won for {words.money(row.cac)}"
            if np.isfinite(row.clv_net):
                which = "gain" if row.clv_net >= 0 else "loss"
                text += f", a net {which} of {words.money(abs(row.clv_net))}"
        parts.append(text)
    return "; ".join(parts) + "."


def say_newcomers(step: ValueFacts) -> str:
    """What newcomers of each channel are worth against their cost."""
    table, words = step.channels, step.client.words
    if "new_customer" not in table or not table["new_customer"].notna().any():
        return ""
    parts = []
    for row in table[table["new_customer"].notna()].itertuples():
        text = (
            f"{row.channel} {words.money(row.new_customer)} ({words.money(row.new_low)} to {words.money(row.new_high)})"
        )
        if np.isfinite(row.ltv_cac):
            text += (
                f", {row.ltv_cac:.1f} times the cost of winning one ({row.ltv_cac_low:.1f} to {row.ltv_cac_high:.1f}); "
                f"the chance that it pays is {words.share(row.p_pays)}"
            )
        parts.append(text)
    return f" A new customer is worth, over {step.client.economics.horizon}: " + "; ".join(parts) + "."


def say_newer(step: ValueFacts) -> str:
    """What a new customer is worth, by when customers came."""
    table, words = step.newcomers, step.client.words
    if len(table) < 2:
        return ""
    parts = [
        f"{r.group} {words.money(r.clv)} ({words.money(r.clv_low)} to {words.money(r.clv_high)})"
        for r in table.itertuples()
    ]
    return f" By when they came, the model values a new customer, over {step.client.economics.horizon}, at: {'; '.join(parts)}."


def say_methods(step: ValueFacts) -> str:
    """How far the first and the last method differ, and where the largest step is."""
    table, words = step.methods.dropna(subset=["value"]), step.client.words
    if table.empty:
        return "The data do not carry any of the usual formulas yet."
    if len(table) == 1:
        return f"Only one method can be computed: {table['method'].iloc[0].lower()}, {words.money(table['value'].iloc[0])}."
    first, last = table.iloc[0], table.iloc[-1]
    change = table["value"].diff().iloc[1:]
    largest = table.loc[change.abs().idxmax()]
    step_size = float(change[largest.name])
    text = (
        f"By the {first['method'].lower()} a new customer is worth {words.money(first['value'])}, by the "
        f"{last['method'].lower()} {words.money(last['value'])}"
    )
    if np.isfinite(last["low"]):
        text += f" ({words.money(last['low'])} to {words.money(last['high'])})"
    before = table.loc[table.index[table.index.get_loc(largest.name) - 1], "method"]
    way = "adds" if step_size > 0 else "takes away"
    return f"{text}. The largest step, from {before.lower()} to {largest['method'].lower()}, {way} {words.money(abs(step_size))}."


def misleading(step: ValueFacts) -> Finding:
    """RFM segments against fifths of predicted value."""
    c, words = step.customers, step.client.words
    if step.total is None or step.client.kind == "subscription":
        return Finding(pd.DataFrame(), "Without predictions per purchase, segments cannot be held against them.")
    table = rfm_by_value(c["segment"], c["clv"])
    best = c["clv"].rank(pct=True) > 0.8
    praised = c["segment"].isin(["Champion", "Loyal"])
    missed, idle = int((best & ~praised).sum()), int((praised & (c["clv"].rank(pct=True) <= 0.6)).sum())
    text = (
        f"Of the {words.counted(int(best.sum()), 'customer')} with the highest expected value, "
        f"{words.share(missed / max(int(best.sum()), 1))} are called neither Champion nor Loyal; and "
        f"{words.counted(idle, 'customer')} with these names are not among the better two fifths."
    )
    return Finding(table, text)


def overdue(step: ValueFacts) -> Finding:
    """Customers whose next purchase is late, and who may still come."""
    table, words = step.next_orders, step.client.words
    if table.empty:
        return Finding(pd.DataFrame(), "No model says when a next purchase is due here.")
    late = overdue_orders(table)
    shown = late.nlargest(10, ["clv", "historic_value"]).sort_values(["clv", "customer_id"], ascending=[False, True])
    shown = shown[["customer_id", "days_since_last", "due_high", "p_alive", "clv", "next_low", "next_high"]]
    text = (
        f"{words.counted(len(late), 'customer')} who had come back before are later than nine in ten of their purchases "
        f"would be, and not yet given up (chance to be active 20% or more); {words.money(float(late['clv'].sum()))} of expected "
        "value depends on them."
    )
    return Finding(shown.reset_index(drop=True), text)


def overdue_orders(next_orders: pd.DataFrame) -> pd.DataFrame:
    """Of those who had come back before: who is later than usual and may still come."""
    table = next_orders
    return table if table.empty else table[table["overdue"] & (table["p_alive"] >= 0.2) & (table["purchases"] > 1)]


def recurring(step: ValueFacts) -> Finding:
    """MRR today, what moved it in twelve months, and what members keep paying."""
    words = step.client.words
    if step.mrr.empty:
        return Finding(pd.DataFrame(columns=["month", *MRR.required[1:], "nrr", "grr", "logo_churn"]), "")
    year = step.mrr.tail(12)
    now = year.iloc[-1]
    text = (
        f"On {words.day(step.as_of)}, {words.counted(now.customers_closing, 'member')} paid {words.money(now.closing)} a "
        f"month, {words.money(now.arpa)} each. "
        if now.customers_closing
        else f"On {words.day(step.as_of)} nobody pays. "
    )
    moved = [(year[name].sum(), said) for name, said in _MOVES.items()]
    parts = [f"{'+' if money > 0 else '-'}{words.money(abs(money))} {said}" for money, said in moved if money]
    text += f"Monthly revenue since {words.day(year['month'].iloc[0])}: {', '.join(parts)}. " if parts else ""
    before = float(year["opening"].sum())
    if before > 0:
        lost = -float(year["churn"].sum() + year["contraction"].sum()) / before
        added = float(year["expansion"].sum()) / before
        kept = f"In an average month members who were there paid {words.share(1 - lost + added, digits=1)} of the month before "
        rates = f"(net revenue retention), {words.share(1 - lost, digits=1)} without what they added (gross)."
        text += kept + (rates if added else "(net and gross revenue retention).")
    return Finding(year.iloc[::-1].reset_index(drop=True), text)


_MOVES = {
    "new": "from new members",
    "reactivation": "from members who returned",
    "expansion": "from upgrades and higher prices",
    "contraction": "from downgrades",
    "churn": "from members who left",
}


def say_segments(step: ValueFacts) -> str:
    """Who holds the value, and who used to come."""
    table, words = step.segments, step.client.words
    best = table.iloc[0]
    text = (
        f"{best['segment']}: {words.share(best['share_of_customers'])} of customers hold {words.share(best['share_of_value'])} "
        "of the value."
    )
    lost = table[table["segment"].isin(["At risk", "Can't lose"])]
    if len(lost):
        text += (
            f" In {' and '.join(lost['segment'])} are {words.counted(lost['customers'].sum(), 'customer')} who used to come "
            f"often and have not been seen for long; they brought {words.money(lost['historic_value'].sum())}."
        )
    return text


def say_cohorts(step: ValueFacts) -> str:
    """How cohorts compare at the same age: two whole years where there are so many, so that no season is compared."""
    table, words = step.cohorts, step.client.words
    if table.empty or table.shape[1] < 2:
        return "There is no complete month yet to follow customers by when they came."
    period = step.cohort_period
    year = 4 if period == "quarter" else 12
    ages = [a for a in table.columns if a >= 1 and table[a].notna().sum() >= 2 * year]
    if ages:
        seen = table[max(ages)].dropna().iloc[-2 * year :]
        return (
            f"{words.counted(max(ages), period)} after the {period} of the first purchase, customers who came from "
            f"{words.day(seen.index[0])} to {words.day(seen.index[year] - pd.Timedelta(days=1))} had brought "
            f"{words.money(seen.iloc[:year].mean())} of revenue each, those of the year after {words.money(seen.iloc[year:].mean())}."
        )
    half = table.shape[1] // 2
    seen = table[half].dropna()
    first, last = seen.iloc[0], seen.iloc[-1]
    return (
        f"{words.counted(half, period)} after the {period} of the first purchase, customers of the oldest cohort had "
        f"brought {words.money(first)} of revenue each, those of the youngest cohort of that age {words.money(last)}. "
        "Small cohorts differ by chance and season; look for a drift over many."
    )


def concentration(step: ValueFacts) -> Finding:
    """How much of the value the best tenths hold."""
    c, words = step.customers, step.client.words
    column = "total_value" if step.total is not None else "historic_value"
    worth = np.sort(c[column].to_numpy(float))[::-1]
    share = np.arange(1, len(worth) + 1) / len(worth)
    total = worth.sum()
    grid = np.linspace(0.1, 1.0, 10)
    at = np.searchsorted(share, grid - 1e-9)
    table = pd.DataFrame(
        {
            "customers": grid,
            "share_of_value": np.cumsum(worth)[at] / total if total else np.nan,
            "value": np.cumsum(worth)[at],
        }
    )
    what = "value so far and expected value" if column == "total_value" else "value so far"
    text = (
        f"The best fifth of customers holds {words.share(table['share_of_value'].iloc[1])} of the {what}; "
        f"the lower half holds {words.share(1 - table['share_of_value'].iloc[4])}."
    )
    return Finding(table, text)


def at_risk(step: ValueFacts) -> Finding:
    """Who brought most and has probably stopped, or may not renew."""
    c, words = step.customers, step.client.words
    if step.total is None:
        return Finding(pd.DataFrame(), "Without a prediction nobody can be said to be at risk.")
    doubtful = most_at_risk(c, step.client.kind)
    if step.client.kind == "subscription":
        table = doubtful.head(10)[["customer_id", "plan", "historic_value", "clv", "clv_low", "clv_high"]]
        text = (
            f"{words.count(len(doubtful))} contracts run. The ten most valuable ones are listed; at the low end of "
            "their range they leave soon."
        )
        return Finding(table.reset_index(drop=True), text)
    table = doubtful.head(10)[["customer_id", "p_alive", "historic_value", "clv", "clv_low", "clv_high"]]
    text = (
        f"Of the best fifth by value so far, {words.counted(len(doubtful), 'customer')} most likely stopped buying "
        f"(chance to be active below 50%), after bringing {words.money(doubtful['historic_value'].sum())}."
    )
    return Finding(table.reset_index(drop=True), text)


def most_at_risk(customers: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return the customers with most to lose, first.

    Of a shop those of the best fifth who have probably stopped; of a subscription those whose contract runs, by what
    they are still expected to bring.
    """
    c = customers
    if kind == "subscription":
        running = c[c["p_alive"] > 0]
        return running.sort_values(["clv", "historic_value", "customer_id"], ascending=[False, False, True])
    doubtful = c[(c["p_alive"] < 0.5) & (c["historic_value"] >= c["historic_value"].quantile(0.8))]
    return doubtful.sort_values(["historic_value", "customer_id"], ascending=[False, True])


def say_fit(step: ValueFacts) -> str:
    """How near the fitted model comes to what was seen."""
    fit, words = step.fit, step.client.words
    if fit.empty:
        return "There is no model to compare with what was seen."
    if "plan" in fit:
        parts = []
        for plan, group in fit.groupby("plan"):
            seen = group[group["at_risk"] >= 20]
            last = seen.iloc[-1]
            gap = (seen["expected"] - seen["actual"]).abs().max()
            parts.append(
                f"{plan}: after {int(last['renewals'])} renewals {words.share(last['actual'])} are left, the model says "
                f"{words.share(last['expected'])}; at most {words.share(gap, digits=1)} lie between them"
            )
        return "; ".join(parts) + "."
    last = fit.iloc[-1]
    off = last["expected"] / max(last["actual"], 1) - 1
    return (
        f"Up to {words.day(last['date'].date())} customers came back {words.count(last['actual'])} times; the fitted model "
        f"has {words.count(last['expected'])} ({off:+.1%})."
    )
