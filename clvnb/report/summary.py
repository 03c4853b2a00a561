"""The first page of a report: what an owner asks, answered on one screen.

In: results and tables of the four steps, the client's words and labels. Out: plain values for the page's template.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..core.maths import days
from ..core.words import Words, capital
from . import drawings
from .language import Labels, span

__all__ = ["FirstPage", "by_month", "changes", "method", "value_then"]

Card = dict[str, Any]
_PAST_MONTHS, _NARROW_MONTHS = 30, 12  # before today, on a wide and on a narrow chart
_MOST_ROWS = 4
_MINUS = "−\u2060"  # which keeps to its number at the end of a line
_COST_KNOWN = 0.8  # share of customers whose cost must be known
_TARGET = 3.0  # value to cost of winning that is usually asked for
_TO_COMPARE = 20  # newcomers of a quarter: fewer halve by chance


def _cost_of_winning(channels: pd.DataFrame) -> float:
    """What winning a customer cost over all channels; missing where the cost of more than a fifth of customers is not known."""
    if "cac" not in channels:
        return math.nan
    known = channels[channels["cac"].notna()]
    n, everybody = float(known["customers"].sum()), float(channels["customers"].sum())
    return float((known["cac"] * known["customers"]).sum()) / n if n and n >= _COST_KNOWN * everybody else math.nan


@dataclass(frozen=True)
class Tile:
    """One figure of the first row: what it is called, its value, what stands below, a change and since when."""

    title: str
    value: str
    lines: list[str]
    change: str = ""
    after: str = ""
    spark: str = ""
    small: str = ""
    missing: bool = False


class FirstPage:
    """What stands on the first page of one client.

    Parameters
    ----------
    results : dict
        As in ``results.json``.
    tables : Path
        The folder of the report's tables.
    words : Words
        The client's money and numbers.
    labels : Labels
        The catalogue of the client's language.
    """

    def __init__(self, results: dict[str, Any], tables: Path, words: Words, labels: Labels) -> None:
        self.results, self.tables, self.words, self.labels = results, tables, words, labels
        self.predicted = results["residual_value"] is not None
        self.valued = results["card"]["basis"] == "margin"  # revenue is not worth, and cost is not held against it

    # ---- words ----
    def say(self, key: str, **values: Any) -> str:
        """A sentence of the catalogue, filled in."""
        return str(self.labels["page"][key].format(**values))

    def money(self, value: float, figures: int = 0) -> str:
        """An amount, to so many figures where it is a forecast; a true minus sign before what is lost."""
        digits = None
        if figures and value and math.isfinite(value):
            power = figures - 1 - math.floor(math.log10(abs(value)))
            value, digits = round(value, min(power, 2)), 0 if power <= 0 else None
        return (_MINUS if value < 0 else "") + self.words.money(abs(value), digits=digits)

    def between(self, low: float, high: float, figures: int = 0) -> str:
        """A range of money."""
        return str(self.labels["range"].format(low=self.money(low, figures), high=self.money(high, figures)))

    def moved(self, now: float, before: float) -> str:
        """The change from one amount to another as a share with an arrow; nothing where there was none before."""
        if before <= 0:
            return ""
        change = now / before - 1
        return f"{'▲' if change >= 0.005 else '▼' if change <= -0.005 else '='} {self.words.share(abs(change))}"

    def table(self, name: str) -> pd.DataFrame:
        """One of the report's tables; empty where there is none."""
        file = self.tables / f"{name}.parquet"
        return pd.read_parquet(file) if file.is_file() else pd.DataFrame()

    # ---- the top ----
    @property
    def basis(self) -> str:
        """Contribution margin or revenue, in the client's language."""
        return str(self.labels["bases"][self.results["card"]["basis"]])

    @property
    def horizon(self) -> str:
        """The stretch of the future that is counted."""
        return span(self.results["card"]["horizon"], self.words)

    @property
    def headline(self) -> str:
        """The page in one sentence."""
        r = self.results
        if not self.predicted:
            said = self.money(r["historic_value"])
            return self.say("headline_unknown", customers=self.words.count(r["customers"]), historic=said)
        total, then = r["residual_value"]["value"], value_then(r, self.tables)
        text = self.say("headline", total=self.money(total, 3), horizon=self.horizon)
        if then:
            text += self.say(
                "headline_moved", change=self.moved(total, then), day=self.words.day(r["measured_against"])
            )
        return text

    @property
    def tiles(self) -> list[Tile]:
        """Up to six figures, each with its range and what it is compared with."""
        made = (self._so_far(), self._next_year(), self._horizon(), self._newcomer(), self._satisfied(), self._held())
        return [tile for tile in made if tile]

    def _so_far(self) -> Tile:
        r, year, months = self.results, self.results.get("year") or {}, self.table("contribution_by_month")
        lines = [
            self.say(
                "each",
                customers=self.words.count(r["customers"]),
                each=self.money(r["historic_value"] / r["customers"]),
            )
        ]
        change = self.moved(year.get("now", 0.0), year.get("before", 0.0))
        after = self.say("last_year", now=self.money(year["now"])) if year else ""
        grown = (months["first"] + months["repeat"]).dropna().cumsum().tolist() if len(months) else []
        title = self.say("so_far", basis=capital(self.basis))
        return Tile(title, self.money(r["historic_value"]), lines, change, after, drawings.spark(grown))

    def _next_year(self) -> Tile | None:
        found, year = self.results["forecasts"].get("365"), self.results.get("year") or {}
        if not self.predicted or found is None or days(self.results["card"]["horizon"]) <= 366:
            return None
        change = self.moved(found["value"], year.get("kept", 0.0))
        lines = [self.between(found["low"], found["high"], 3)]
        after = self.say("kept", kept=self.money(year["kept"], 3)) if change else ""
        coming = self.table("contribution_by_month").get("mean", pd.Series(dtype=float)).dropna().head(12).tolist()
        return Tile(self.say("next_year"), self.money(found["value"], 3), lines, change, after, drawings.spark(coming))

    def _horizon(self) -> Tile:
        total, r = self.results["residual_value"], self.results
        title = self.say("next_years", horizon=self.horizon)
        if not total:
            return Tile(title, self.say("no_figure"), [self.say("see_below")], missing=True)
        lines = [self.between(total["low"], total["high"], 3)]
        rate = r["card"].get("discount_rate") or 0.0
        if rate > 0:
            lines.append(self.say("discounted", rate=self.words.share(rate)))
        then = value_then(r, self.tables)
        change = self.moved(total["value"], then) if then else ""
        after = self.say("since", day=self.words.day(r["measured_against"])) if then else self.say("first_report")
        return Tile(title, self.money(total["value"], 3), lines, change, after)

    def _newcomer(self) -> Tile | None:
        new, channels = self.results["new_customer_value"], self.table("channels")
        if not new:
            return None
        lines = [self.between(new["low"], new["high"])]
        cost = _cost_of_winning(channels)
        if self.valued and not math.isnan(cost):
            times = self.words.count(new["value"] / cost, digits=1) if cost > 0 else ""
            lines.append(self.say("costs", cost=self.money(cost), times=times))
        if self.valued:
            lines.append(self.say("target", most=self.money(new["value"] / _TARGET)))
        came = self.results.get("came") or {"now": 0, "before": 0}
        if came["before"] >= _TO_COMPARE and came["now"] < came["before"] / 2:
            lines.append(
                self.say("came_of_late", now=self.words.count(came["now"]), before=self.words.count(came["before"]))
            )
        return Tile(self.say("newcomer" if self.valued else "newcomer_revenue"), self.money(new["value"]), lines)

    def _satisfied(self) -> Tile | None:
        score, waves = self.results.get("satisfaction"), self.table("satisfaction_waves")
        if not score:
            return None
        value, low, high = (self._score(score[k]) for k in ("value", "low", "high"))
        lines = [
            self.labels["range"].format(low=low, high=high),
            self.say("answers", answers=self.words.count(score["n"])),
        ]
        line, change, after = drawings.spark(waves["value"].tolist() if len(waves) else []), "", ""
        if len(waves) > 1:  # plain scores of the same question, the first wave against the last
            moved = float(waves["value"].iloc[-1] - waves["value"].iloc[0])
            points = self.words.count(abs(moved) * (100 if self.results["satisfaction_unit"] == "share" else 1))
            if points != "0":
                change = f"{'▲' if moved >= 0 else '▼'} {self.say('points', points=points)}"
                after = self.say("since", day=waves["wave"].iloc[0])
        return Tile(
            self.say("satisfied"), value, lines, change, after, line, self.results["satisfaction_metric"].upper()
        )

    def _score(self, value: float) -> str:
        """A share as a percentage, NPS as the number that it is."""
        return (
            self.words.share(value)
            if self.results["satisfaction_unit"] == "share"
            else self.words.count(value).replace("-0", "0")
        )

    def _held(self) -> Tile:
        held = self.results["held_by"]
        lines = [self.say("lower_half", share=self.words.share(1 - held["0.5"]))]
        if self.results.get("active_customers"):
            n, active = self.results["customers"], self.results["active_customers"]
            lines.append(self.say("active", active=self.words.count(active), customers=self.words.count(n)))
        return Tile(self.say("top_fifth"), self.words.share(held["0.2"]), lines)

    # ---- the charts ----
    @property
    def months(self) -> Card | None:
        """Contribution by month, and what is expected."""
        table = self.table("contribution_by_month")
        past = table[table["repeat"].notna()] if len(table) else table
        if len(past) < 3:
            return None
        ahead = table[table["mean"].notna()].head(12)
        size = float(max((past["first"] + past["repeat"]).max(), ahead["high"].max() if len(ahead) else 0.0))
        unit, name = next(
            (u, n) for u, n in ((1e6, "million"), (1e3, "thousand"), (1.0, "")) if size >= 3 * u or u == 1.0
        )
        year, found = self.results.get("year") or {}, self.results["forecasts"].get("365")
        if len(ahead) and found and days(self.results["card"]["horizon"]) > 366:
            title = self.say("months_ahead", total=self.money(found["value"], 3))
        elif year:
            title = self.say("months_past", total=self.money(year["now"], 3))
        else:
            title = self.say("months_title")
        measure = (
            f"{self.results['currency']} {self.labels['page'][name]}".strip() if name else self.results["currency"]
        )
        charts = [
            drawings.months(pd.concat([past.tail(n), ahead]), size=size_, unit=unit, said=self._axis, label=title)
            for n, size_ in ((_PAST_MONTHS, (560, 222)), (_NARROW_MONTHS, (330, 200)))
        ]
        return {
            "title": title,
            "basis": capital(self.basis),
            "measure": measure,
            "ahead": bool(len(ahead)),
            "wide": charts[0],
            "narrow": charts[1],
        }

    def _axis(self, value: float) -> str:
        return self.words.count(value, digits=0 if value == int(value) else 1)

    @property
    def rhythm(self) -> Card | None:
        """What newcomers order, or how many members stay, by when they came."""
        table = self.table("cohort_rhythm")
        if table.empty or table["cohort"].nunique() < 2:
            return None
        stay, quarterly = table["what"].iloc[0] == "stay", table["period"].iloc[0] == "quarter"
        top = max(float(table["value"].max()), 1e-9)
        names = ("stay", "stay_later") if stay else ("order", "order_later")
        known = table[~table["expected"]]
        mean = (known["value"] * known["customers"]).groupby(known["age"]).sum() / known.groupby("age")[
            "customers"
        ].sum()
        mean = mean[
            known.groupby("age").size() >= min(3, known["cohort"].nunique())
        ]  # of one cohort alone it says little
        rows = []
        for cohort, cells in table.groupby("cohort"):
            when = pd.Timestamp(cohort)
            rows.append({
                "cohort": f"{when.year} Q{when.quarter}" if quarterly else f"{when.year}-{when.month:02d}",
                "customers": self.words.count(int(cells["customers"].iloc[0])),
                "cells": [
                    {"text": self.words.count(100 * r.value), "shade": min(int(5 * r.value / top), 4), "expected": r.expected}
                    for r in cells.itertuples()
                ],
            })  # fmt: skip
        said = [self.words.count(100 * float(mean.iloc[k])) for k in (0, -1)]
        period = self.labels["page"]["periods"][table["period"].iloc[0]]
        title = self.say(names[0], first=said[0], period=period["one"])
        if len(mean) > 2:
            title += self.say(
                names[1], last=said[1], later=period["later"].format(n=self.words.count(int(mean.index[-1])))
            )
        return {"title": title, "sub": self.say(f"{names[0]}_sub", periods=period["plural"]), "rows": rows,
                "ages": list(range(1, int(table["age"].max()) + 1)), "ahead": bool(table["expected"].any())}  # fmt: skip

    @property
    def held(self) -> Card:
        """Who holds the value, as a curve."""
        held = {float(k): v for k, v in self.results["held_by"].items()}
        best, lower = self.words.share(held[0.2]), self.words.share(1 - held[0.5])
        title = self.say("holds", best=best)
        marks = {0.2: self.say("holds_best", best=best), 0.5: self.say("holds_lower", lower=lower)}
        chart = drawings.concentration(
            sorted(held.items()), said=self.words.share, marks=marks, label=f"{title}. {marks[0.5]}."
        )
        return {"title": title, "chart": chart, "sub": self.say("holds_sub" if self.predicted else "holds_sub_past")}

    # ---- the lists ----
    @property
    def channels(self) -> Card | None:
        """What a new customer of each channel is worth, against the cost of winning one."""
        table = self.table("channels")
        if "new_customer" not in table or table["new_customer"].isna().all() or len(table) < 2:
            return None
        everybody = self._all_channels(table)
        table = table.sort_values("customers", ascending=False).head(_MOST_ROWS)
        costs = self.valued and table["cac"].notna().any()
        times = table["ltv_cac"].max() if costs else 0.0
        rows = []
        for r in (*table.itertuples(), everybody):
            known = costs and pd.notna(r.ltv_cac)
            rows.append({
                "channel": str(r.channel),
                "customers": self.words.count(r.customers),
                "worth": self.money(r.new_customer),
                "range": self.between(r.new_low, r.new_high),
                "cost": self.money(r.cac) if known else "–",
                "most": self.money(r.new_customer / _TARGET),
                "times": self.words.count(r.ltv_cac, digits=1) if known else "–",
                "bar": drawings.ratio(r.ltv_cac, times) if known else "",
                "paid": self._paid(r.paid_back_months) if known else "–",
            })  # fmt: skip
        best, least = table.loc[table["new_customer"].idxmax()], table.loc[table["new_customer"].idxmin()]
        if best["compare_low"] > least["compare_high"]:
            apart = "channels_apart" if self.valued else "channels_apart_revenue"
            title = self.say(apart, best=best["channel"], worth=self.money(best["new_customer"]), least=least["channel"],
                             less=self.money(least["new_customer"]))  # fmt: skip
        else:
            title = self.say("channels_alike")
        return {
            "title": title,
            "sub": self.say("channels_sub" if costs else "channels_sub_bare", horizon=self.horizon),
            "rows": rows,
            "costs": costs,
        }

    def _all_channels(self, table: pd.DataFrame) -> Any:
        """The row of all newcomers together, whose cost is paid back when each channel's is."""
        new, n = self.results["new_customer_value"], table["customers"]
        cost, known = _cost_of_winning(table), table["cac"].notna()
        row = {"channel": self.say("all"), "customers": n.sum(), "new_customer": new["value"], "new_low": new["low"], "new_high": new["high"],
               "cac": cost, "ltv_cac": new["value"] / cost if cost > 0 else math.nan,
               "paid_back_months": table.loc[known, "paid_back_months"].max(skipna=False)}  # fmt: skip
        return next(pd.DataFrame([row]).itertuples())

    def _paid(self, months: float) -> str:
        if pd.isna(months):
            return self.say("not_yet")
        return self.say("first_month") if months <= 1 else self.say("in_months", n=self.words.count(months))

    @property
    def segments(self) -> Card | None:
        """The largest holders of value, where channels say nothing."""
        table = self.table("segments")
        if table.empty or "share_of_value" not in table:
            return None
        table = table.sort_values("share_of_value", ascending=False).head(_MOST_ROWS + 1)
        rows = [
            {"segment": r.segment, "customers": self.words.count(r.customers), "share": self.words.share(r.share_of_value),
             "width": round(100 * max(r.share_of_value, 0.0) / max(table["share_of_value"].max(), 1e-9))}
            for r in table.itertuples()
        ]  # fmt: skip
        first = table.iloc[0]
        title = self.say("segments_title", segment=first["segment"], share=self.words.share(first["share_of_value"]))
        return {"title": title, "rows": rows}

    @property
    def actions(self) -> Card:
        """The levers with the highest net gain, and what each assumes."""
        found = self.results.get("actions") or []
        if not self.predicted or not found:
            return {
                "title": self.say("actions_unknown" if not self.predicted else "actions_none"),
                "rows": [],
                "sub": "",
            }
        ends = min(a["net_low"] for a in found), max(a["net_high"] for a in found)
        rows = [
            {
                "lever": capital(self.labels["levers"].get(a["lever"], a["lever"])),
                "net": self.money(a["net"], 2),
                "range": self.between(a["net_low"], a["net_high"], 2),
                "bar": drawings.interval(a["net_low"], a["net"], a["net_high"], ends),
                "cost": self.say("cost", cost=self.money(a["cost"], 2)) if a["cost"] else self.say("free"),
                "profit": self.words.share(a["p_profit"]),
                "assumed": a["assumed"],
            }
            for a in found
        ]
        return {
            "title": self.labels["page"]["actions"][min(len(rows), 3) - 1],
            "sub": self.say("actions_sub", horizon=self.horizon),
            "rows": rows,
        }

    @property
    def done(self) -> Card:
        """Whether what was done paid: money first, then the measures."""
        accounts, found = self.table("initiatives"), [v for v in self.results.get("verdicts", []) if v["initiative"]]
        bare = {"title": self.say("done"), "net": "", "loss": False, "bar": "", "text": "", "verdicts": []}
        if accounts.empty and not found:
            first = "done_none" if self.results.get("measured_against") else "done_first"
            return bare | {"text": self.say(first)}
        if accounts.empty:
            return bare | {"verdicts": [_verdict(v, self.labels) for v in found[:3]]}
        last = accounts.iloc[-1]
        name = str(last["initiative"])
        word = "paid" if last["net_low"] > 0 else "not_paid" if last["net_high"] < 0 else "paid_unknown"
        mine = [v for v in found if v["metric"].endswith(f", {name}")]
        level = self.words.share(mine[0]["level"] if mine else 0.95)
        text = self.say("net_after", cost=self.money(last["cost"], 2), level=level, range=self.between(last["net_low"], last["net_high"], 2),
                        profit=self.words.share(last["p_profit"]))  # fmt: skip
        verdicts = [_verdict(v | {"metric": v["metric"].removesuffix(f", {name}")}, self.labels) for v in mine[:3]]
        return {"title": self.say(word, initiative=capital(self.labels["levers"].get(name, name))), "net": self.money(last["net"], 2),
                "loss": bool(last["net"] < 0), "text": text, "verdicts": verdicts,
                "bar": drawings.interval(last["net_low"], last["net"], last["net_high"], (last["net_low"], last["net_high"]), width=230)}  # fmt: skip

    # ---- how far to trust it ----
    @property
    def needs(self) -> list[tuple[str, str, str]]:
        """What a forecast lacks: the check, what was found, and what to do; English."""
        table = self.table("trust")
        lacking = table[table["level"] == "not reliable"] if len(table) else table
        return [(capital(r.check), r.found, r.what_to_do) for r in lacking.itertuples()]

    @property
    def doubts(self) -> list[dict[str, str]]:
        """The checks that were not passed: what was found, and what to do; English."""
        table = self.table("trust")
        if table.empty:
            return []
        worst = (
            table[table["level"] == self.results["trust"]] if self.results["trust"] != "reliable" else table.iloc[:0]
        )
        return [{"check": capital(r.check), "found": r.found, "todo": r.what_to_do} for r in worst.head(3).itertuples()]


def _verdict(verdict: dict[str, Any], labels: Labels) -> dict[str, Any]:
    """A verdict in one line: its word, translated, and what it is about."""
    caused = f" ({labels['caused_unless' if verdict['unless'] else 'caused']})" if verdict["causal"] else ""
    low, high = verdict.get("low"), verdict.get("high")
    clear = verdict["verdict"] == "no_evidence" and low is not None and high is not None and not low <= 0 <= high
    return {
        "word": labels["among"] if clear else labels["verdicts"][verdict["verdict"]] + caused,
        "kind": verdict["verdict"],
        "metric": capital(verdict["metric"]),
        "moved": re.sub("^-", _MINUS, verdict["moved"].split(" (")[0]),
    }


def by_month(tables: Path, most: int = 24) -> list[float]:
    """Return the contribution of the last whole months, to the cent; what the index draws a line of."""
    file = tables / "contribution_by_month.parquet"
    table = pd.read_parquet(file) if file.is_file() else pd.DataFrame({"first": [], "repeat": []})
    return [round(float(v), 2) for v in (table["first"] + table["repeat"]).dropna().tail(most)]


def changes(results: dict[str, Any], tables: Path, words: Words, labels: Labels) -> dict[str, Any] | None:
    """Return what changed since the last report: the verdicts, and whose value changed; None in the first cycle."""
    if not results.get("measured_against"):
        return None
    rows, then = [], value_then(results, tables)
    if then is not None:
        drift = pd.read_parquet(tables / "drift.parquet")
        now, parts = results["residual_value"]["value"], labels["drift_rows"]
        rows = [
            (parts["then"], "", words.money(then)),
            *((parts[r.reason], words.count(r.customers), _signed(r.change, words)) for r in drift.itertuples()),
            (parts["now"], words.count(results["customers"]), words.money(now)),
        ]  # fmt: skip
    return {
        "title": labels["changed"].format(day=words.day(results["measured_against"])),
        "verdicts": [_verdict(v, labels) for v in results["verdicts"] if not v["initiative"]],
        "rows": rows,
    }


def value_then(results: dict[str, Any], tables: Path) -> float | None:
    """Return what the customer base was worth at the baseline; None where the two cannot be compared."""
    file = tables / "drift.parquet"
    if not results.get("measured_against") or results["residual_value"] is None or not file.is_file():
        return None
    drift = pd.read_parquet(file)
    return float(results["residual_value"]["value"] - drift["change"].sum()) if len(drift) else None


def _signed(value: float, words: Words) -> str:
    return f"+{words.money(value)}" if value > 0 else words.money(value)


def method(results: dict[str, Any], words: Words) -> dict[str, list[tuple[str, ...]]]:
    """Return the rows of the data, kept and excluded, and the card that says how value was computed."""
    rows: list[tuple[str, ...]] = [
        (rule, words.count(n), words.money(money)) for rule, (n, money) in results["rows"].items()
    ]
    card: list[tuple[str, ...]] = [
        (k.replace("_", " "), "–" if v is None else str(v)) for k, v in results["card"].items()
    ]
    return {"rows": rows, "card": card}
