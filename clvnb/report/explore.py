"""A second page of a report, on which customers can be sorted, filtered and searched offline; one file, nothing fetched.

In: a report's tables. Out: HTML with the tables packed into it, and DataTables to show them.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import struct
from importlib.resources import files
from os.path import commonprefix
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup

from .. import __version__
from ..core.words import Words, capital
from ..data.client import Client
from .language import Labels, labels_of, span

__all__ = ["explore_page"]

MOST = 100_000  # customers on the page, the most valuable ones
_MISSING = -(2**31)
# Columns of the customers, and how they are packed; what a client's table lacks is left out.
_CUSTOMERS = {"customer_id": "id", "segment": "level", "channel": "level", "came": "level", "purchases": "count", "last_date": "date",
              "p_alive": "share", "historic_value": "money", "clv": "forecast", "clv_high": "forecast"}  # fmt: skip
_OTHERS = {
    "cohorts": ("came", {"customers": "count", "historic_value": "money", "clv": "money"}),
    "segments": ("segment", {"customers": "count", "p_alive": "share", "historic_value": "money", "clv": "money"}),
    "channels": ("channel", {"customers": "count", "historic_value": "money", "clv": "money"}),
}


def explore_page(client: Client, results: dict[str, Any], tables: Path, made: jinja2.Environment) -> str:
    """Return the page on which a client's customers, cohorts, segments and channels can be explored.

    Parameters
    ----------
    client : Client
        Whose customers they are.
    results : dict
        As in ``results.json``.
    tables : Path
        The folder of the report's tables.
    made : jinja2.Environment
        With the report's templates.

    Returns
    -------
    str
        HTML. Amounts of 10 and more are whole, forecasts of two figures; of more than 100,000 customers the most
        valuable are on it.
    """
    language, labels = labels_of(client.locale)
    everybody = _customers(tables)
    shown = everybody.head(MOST).sort_values("customer_id", ignore_index=True)
    others = {
        name: _grouped(everybody, by, list(columns)) for name, (by, columns) in _OTHERS.items() if by in everybody
    }
    component = files("itables") / "html"
    script = made.get_template("explore.js").render()
    words = Words(client.currency, client.locale)
    return made.get_template("explore.html.j2").render(
        client=client,
        language=language,
        labels=labels,
        day=words.day(results["as_of"]),
        version=__version__,
        basis=labels["explore"]["basis"].format(
            basis=capital(labels["bases"][results["card"]["basis"]]), horizon=span(results["card"]["horizon"], words)
        ),
        parts=["customers", *others],
        left_out=len(everybody) > len(shown),
        shown=words.count(len(shown)),
        all=words.count(len(everybody)),
        look=_packed((component / "dt_bundle.css").read_bytes()),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        code=_packed((component / "dt_bundle.js").read_bytes()),
        data=_packed(_data(shown, others, client, labels, f"{client.slug}-{results['as_of']}")),
    )


def _packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def _customers(tables: Path) -> pd.DataFrame:
    """The customers with what is shown of them, the most valuable first."""
    table = pd.read_parquet(tables / "customers.parquet")
    if "first_date" in table:
        first = pd.to_datetime(table["first_date"])
        unit = "Q" if len(first) and first.max() - first.min() > pd.Timedelta(days=1_100) else "M"
        table["came"] = first.dt.to_period(unit).astype(str).where(first.notna(), None)
    value = next(c for c in ("total_value", "historic_value") if c in table and table[c].notna().any())
    kept = [c for c in _CUSTOMERS if c in table and table[c].notna().any()]
    return table.sort_values([value, "customer_id"], ascending=[False, True])[kept].assign(
        customer_id=table["customer_id"].astype(str)
    )


def _grouped(customers: pd.DataFrame, by: str, columns: list[str]) -> pd.DataFrame:
    """Sums of the money and means of the chances of each group; values of all of them, whatever the page shows."""
    known = [c for c in columns if c in customers]
    sums = customers.groupby(by, observed=True).agg(
        **{"customers": ("customer_id", "size"), **{c: (c, "mean" if c == "p_alive" else "sum") for c in known}}
    )
    return sums.reset_index() if by == "came" else sums.reset_index().sort_values("historic_value", ascending=False)


def _data(customers: pd.DataFrame, others: dict[str, pd.DataFrame], client: Client, labels: Labels, file: str) -> bytes:
    """A header in JSON, and after it the customers column by column."""
    heads, bodies = [], []
    for name, kind in _CUSTOMERS.items():
        if name in customers:
            more, body = _column(customers[name], kind)
            shown = "money" if kind == "forecast" else kind
            heads.append(
                {"name": name, "label": labels["explore"]["columns"][name], "kind": shown, "size": len(body), **more}
            )
            bodies.append(body)
    names = [h["name"] for h in heads]
    facts = {
        "rows": len(customers),
        "columns": heads,
        "first": next(names.index(c) for c in ("clv", "historic_value") if c in names),
        "tables": [_small(name, table, labels) for name, table in others.items()],
        "labels": labels["explore"],
        "locale": client.locale.replace("_", "-"),
        "currency": client.currency,
        "file": file,
    }
    head = json.dumps(facts, ensure_ascii=False, default=str).encode()
    return struct.pack("<I", len(head)) + head + b"".join(bodies)


def _small(name: str, table: pd.DataFrame, labels: Labels) -> dict[str, Any]:
    by, kinds = _OTHERS[name]
    columns = [{"label": labels["explore"]["columns"][by], "kind": "text"}]
    columns += [{"label": labels["explore"]["columns"][c], "kind": kinds[c]} for c in table.columns[1:]]
    whole = {c: table[c] for c in table.columns[1:]}
    for column, values in whole.items():
        if kinds[column] in {"money", "share"}:
            plain = values.to_numpy(float)
            whole[column] = np.round(100 * (_rounded(plain, forecast=False) if kinds[column] == "money" else plain))
    rows = pd.DataFrame({by: table[by].astype(str), **whole}).astype(object)
    return {"name": name, "by": by, "columns": columns, "rows": rows.where(rows.notna(), None).values.tolist()}


def _column(values: pd.Series, kind: str) -> tuple[dict[str, Any], bytes]:
    """What the header says of a column, and its bytes: names by line, all else as whole numbers, byte by byte of all rows."""
    if kind == "id":
        return {}, _ids([v.replace("\n", " ") for v in values.astype(str)])
    if kind == "level":
        known = values.astype(str).where(values.notna(), "–")
        codes, levels = pd.factorize(known, sort=True)
        return {"levels": [str(v) for v in levels]}, _planes(codes.astype(np.int64))
    if kind == "date":
        whole = (pd.to_datetime(values) - pd.Timestamp("1970-01-01")).dt.days.to_numpy(float)
    elif kind in {"money", "forecast"}:
        cents = np.round(100 * _rounded(values.to_numpy(float), forecast=kind == "forecast"))
        codes, known = pd.factorize(cents, sort=True)  # few different ones: their numbers pack tighter than they do
        return {"amounts": [int(v) for v in known]}, _planes(np.where(codes < 0, _MISSING, codes).astype(np.int64))
    else:
        whole = values.to_numpy(float) * (100 if kind == "share" else 1)
    return {}, _planes(
        np.where(np.isfinite(whole), np.clip(np.round(np.nan_to_num(whole)), -(2**31) + 1, 2**31 - 1), _MISSING).astype(
            np.int64
        )
    )


def _ids(names: list[str]) -> bytes:
    """Sorted names, each as how many letters it shares with the one before, and the rest of it by line."""
    shared = [len(commonprefix(pair)) for pair in zip(["", *names], names, strict=False)]
    shared = [min(n, 255) if name[:n].isascii() else 0 for n, name in zip(shared, names, strict=True)]
    return bytes(shared) + "\n".join(name[n:] for name, n in zip(names, shared, strict=True)).encode()


def _rounded(amount: np.ndarray, *, forecast: bool) -> np.ndarray:
    """Amounts as they are shown: facts in cents below 10, else whole; forecasts to two figures, they are no surer than that."""
    if not forecast:
        return np.where(np.abs(amount) >= 10, np.round(amount), np.round(amount, 2))
    step = 10.0 ** (np.floor(np.log10(np.maximum(np.abs(amount), 0.1))) - 1)
    return np.where(np.abs(amount) < 0.1, np.round(amount, 2), np.round(amount / step) * step)


def _planes(values: np.ndarray) -> bytes:
    """Whole numbers of one, two, or four bytes; where some are missing or below 0, of four."""
    small = int(values.min(initial=0)) >= 0
    size = 1 if small and values.max(initial=0) < 2**8 else 2 if small and values.max(initial=0) < 2**16 else 4
    raw = values.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :size]
    return np.ascontiguousarray(raw.T).tobytes()
