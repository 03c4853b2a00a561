"""The first page of a report: the questions an owner asks, answered in a minute.

In: results and tables of the four steps, the client's words and labels. Out: plain values for the page's template.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from ..core.words import Words, capital
from .language import Labels, span

__all__ = ["changes", "in_one_minute", "method", "value_then"]

Answer = dict[str, Any]


def in_one_minute(results: dict[str, Any], words: Words, labels: Labels) -> list[Answer]:
    """Return question by question what the steps found: ``question, texts``, and for actions and verdicts their ``rows``."""
    answers = {
        "worth": _worth,
        "holds": _holds,
        "new": _new,
        "satisfied": _satisfied,
        "pays": _pays,
        "worked": _worked,
    }
    return [
        {"key": key, "question": labels["questions"][key], "rows": [], **answer(results, words, labels)}
        for key, answer in answers.items()
    ]


def _range(estimate: dict[str, Any], words: Words, labels: Labels) -> str:
    low, high = words.money(estimate["low"]), words.money(estimate["high"])
    return _sure(estimate["level"], labels["range"].format(low=low, high=high), words, labels)


def _sure(level: float, between: str, words: Words, labels: Labels) -> str:
    return str(labels["sure"].format(level=words.share(level), range=between))


def _worth(results: dict[str, Any], words: Words, labels: Labels) -> Answer:
    say, n, total = labels["answers"], results["customers"], results["residual_value"]
    historic = results["historic_value"]
    texts = [
        say["historic"].format(
            customers=words.count(n),
            historic=words.money(historic),
            basis=labels["bases"][results["card"]["basis"]],
            each=words.money(historic / n),
        )
    ]
    if total is None:
        return {"texts": [*texts, say["unknown"]]}
    horizon = span(results["card"]["horizon"], words)
    between = _range(total, words, labels)
    texts.append(say["worth"].format(total=words.money(total["value"]), horizon=horizon, range=between))
    if results.get("expected_error") is not None:
        texts.append(say["expected_error"].format(error=words.share(results["expected_error"])))
    return {"texts": texts}


def _holds(results: dict[str, Any], words: Words, labels: Labels) -> Answer:
    held = results["held_by"]
    text = labels["answers"]["holds"].format(best=words.share(held["0.2"]), lower=words.share(1 - held["0.5"]))
    return {"texts": [text]}


def _new(results: dict[str, Any], words: Words, labels: Labels) -> Answer:
    say, new = labels["answers"], results["new_customer_value"]
    if new is None:
        return {"texts": [say["new_unknown"]]}
    return {"texts": [say["new"].format(new=words.money(new["value"]), range=_range(new, words, labels))]}


def _satisfied(results: dict[str, Any], words: Words, labels: Labels) -> Answer:
    say, score = labels["answers"], results.get("satisfaction")
    if not score:
        return {"texts": [say["satisfied_unknown"]]}
    share = results["satisfaction_unit"] == "share"
    value, low, high = (
        words.share(score[k]) if share else words.count(score[k]).replace("-0", "0") for k in ("value", "low", "high")
    )
    between = _sure(score["level"], labels["range"].format(low=low, high=high), words, labels)
    metric = results["satisfaction_metric"].upper()
    return {
        "texts": [say["satisfied"].format(metric=metric, score=value, range=between, answers=words.count(score["n"]))]
    }


def _pays(results: dict[str, Any], words: Words, labels: Labels) -> Answer:
    say, actions = labels["answers"], results.get("actions") or []
    if results["residual_value"] is None:
        return {"texts": [say["pays_unknown"]]}
    if not actions:
        return {"texts": [say["pays_nothing"]]}
    rows = [
        {
            "lever": capital(labels["levers"].get(a["lever"], a["lever"])),
            "net": words.money(a["net"]),
            "range": labels["range"].format(low=words.money(a["net_low"]), high=words.money(a["net_high"])),
            "profit": words.share(a["p_profit"]),
            "assumed": a["assumed"],
        }
        for a in actions
    ]
    return {"texts": [say["pays"].format(horizon=span(results["card"]["horizon"], words))], "rows": rows}


def _verdict(verdict: dict[str, Any], labels: Labels) -> dict[str, Any]:
    """A verdict in one line: its word, translated, and what it is about."""
    caused = f" ({labels['caused_unless' if verdict['unless'] else 'caused']})" if verdict["causal"] else ""
    low, high = verdict.get("low"), verdict.get("high")
    clear = verdict["verdict"] == "no_evidence" and low is not None and high is not None and not low <= 0 <= high
    return {
        "word": labels["verdicts"][verdict["verdict"]] + caused + (f" ({labels['among']})" if clear else ""),
        "kind": verdict["verdict"],
        "metric": capital(verdict["metric"]),
        "moved": verdict["moved"],
    }


def _worked(results: dict[str, Any], words: Words, labels: Labels) -> Answer:
    found = [_verdict(v, labels) for v in results.get("verdicts", []) if v["initiative"]]
    if found:
        return {"texts": [], "rows": found}
    first = "worked_none" if results.get("measured_against") else "worked_first"
    return {"texts": [labels["answers"][first]]}


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
