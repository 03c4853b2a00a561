"""From a file of orders to a proposed ``client.yaml``: which column means what, and how its text is to be read.

In: a path. Out: ``Proposal``, with what was understood and an example of each; or an error that says what to decide.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ..core.engine import connection, to_pandas
from ..core.errors import ClientError, TableError
from ..core.results import Finding
from ..core.tables import closest
from .client import Connection, Source
from .exports import Export, known_orders, known_survey, metric_of
from .packed import unpacked
from .sources import CURRENCY, NUMBERED_DAYS, SIGNS, Opened, as_date, as_number, open_source, typed_by_its_engine
from .textfiles import TEXT_FILES, find_encoding, find_layout

__all__ = ["Proposal", "are_addresses", "columns_of", "propose_client", "propose_survey"]

# Words by which people name columns, most telling first; matched on letters only.
_NAMES = {
    "customer_id": "customerid customerno customernumber custid customer clientid kundennr kundennummer kunde userid user "
    "memberid member buyerid buyer accountid account shopperid email id",
    "date": "orderdate invoicedate transactiondate purchasedate createdat paidat date datum bestelldatum timestamp created day",
    "amount": "amount total dollarvalue revenue grandtotal ordervalue totalprice netamount sales value price sum betrag gross net",
    "order_id": "orderid orderno ordernumber invoiceno invoice bestellnr transactionid order",
    "channel": "channel source medium kanal utmsource acquisitionchannel",
    "currency": "currency waehrung curr",
    "refunded": "amountrefunded refundedamount",
    "product": "product item sku lineitemname produkt artikel",
}
_NOT_GUESSED = {"refunded", "product"}  # said by the user, or by an export that is known
_SURVEY_NAMES = {
    "date": "answeredat responsedate submittedat completedat enddate date datum timestamp createdat answered",
    "customer_id": _NAMES["customer_id"],
    "metric": "metric question kpi measure type frage",
    "score": "score rating answer value points punkte",
    "comment": "comment comments feedback verbatim kommentar",
    "wave": "wave round survey welle",
}
_DATE_FORMATS = [
    "%Y%m%d", "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%m/%d/%Y %I:%M:%S %p",
    "%d-%m-%Y", "%m-%d-%Y", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%Y/%m/%d", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S",
    "%d.%m.%y", "%d/%m/%y", "%m/%d/%y",
]  # fmt: skip
_MONTH = re.compile(
    r"(19|20)\d\d[-/. ]?(0?[1-9]|1[0-2])|(0?[1-9]|1[0-2])[-/. ](19|20)\d\d"
    r"|(jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz]|ene|abr|ago|dic|ian|iun|iul)\w*\.?[-/ ']*(\d\d|(19|20)\d\d)?",
    re.IGNORECASE,
)
_NUMBER_STYLES = [(".", ""), (".", ","), (",", ""), (",", "."), (",", " "), (".", "'")]


@dataclass(frozen=True)
class Proposal:
    """What was understood of a file.

    Attributes
    ----------
    settings : dict
        The ``transactions:`` part of ``client.yaml``.
    understood : Finding
        ``meaning, column, example, read_as``, one row per column used.
    currency : str or None
        What the file says its amounts are in.
    known : Export or None
        The program whose export this is, where its columns tell.
    """

    settings: dict[str, Any]
    understood: Finding
    currency: str | None = None
    known: Export | None = None


def propose_client(file: str | Path | Connection, folder: str | Path, *, columns: dict[str, str] | None = None,
                   date_format: str | None = None, decimal: str | None = None) -> Proposal:  # fmt: skip
    """Look at a file or a database's table of orders and propose how to read it.

    Parameters
    ----------
    file : path or Connection
    folder : path
        The client's folder, to which the path in the proposal is relative.
    columns : mapping, optional
        What the caller already knows: clvnb's name to the column's.
    date_format : str, optional
        Decides between day first and month first.
    decimal : "." or ",", optional
        Decides between 1.234 as a thousand and as one and a bit.

    Raises
    ------
    ClientError, TableError
        When the file is not a table, a needed column cannot be told, or dates could be read in two ways.
    """
    if isinstance(file, Connection):
        path, text = Path(file.table), {}
        place: str | dict[str, Any] = file.model_dump()
        raw = open_source(Source(source=file), Path("/")).table
    else:
        path = _a_file(Path(file))
        place, text = os.path.relpath(path.resolve(), Path(folder).resolve()), _text_settings(path)
        raw = open_source(Source(source=str(path.resolve()), **text), Path("/")).table
    sample = to_pandas(raw.limit(20_000))
    if sample.empty:
        raise TableError(f"{path}: has names of columns but no rows")
    known = known_orders(sample.columns)
    mapping = _mapping(path, list(sample.columns), columns or {}, known)
    nested = [c for c in mapping.values() if sample[c].dropna().astype(str).str.match(r"\s*[{\[]").any()]
    if nested:
        raise TableError(
            f"{path}: the column {nested[0]!r} holds objects, such as {sample[nested[0]].dropna().iloc[0]!s:.60}; export it flat, "
            "with a column for the id alone, or name another column with --column MEANING=COLUMN"
        )
    empty = [mapping[n] for n in ("customer_id", "date", "amount") if sample[mapping[n]].isna().all()]
    if empty:
        raise TableError(f"{path}: the column {empty[0]!r} is empty; name another one with --column MEANING=COLUMN")
    settings: dict[str, Any] = {"source": place, **text, "columns": mapping}
    typed_by_its_engine(Opened(raw, str(path), None), mapping)
    settings |= _date_settings(path, raw, mapping["date"], date_format)
    settings |= _number_settings(path, raw, mapping["amount"], decimal)
    settings |= known.extras(sample.columns) if known else {}
    if are_addresses(sample[mapping["customer_id"]]):
        settings["hash_ids"] = True
    else:
        settings.pop("hash_ids", None)
    return Proposal(settings, _say(sample, raw, settings, known), _currency(sample, mapping), known)


def _a_file(path: Path) -> Path:
    if path.is_dir():
        raise ClientError(f"{path}: is a folder; name the file of orders in it")
    if not path.is_file():
        raise ClientError(f"{path}: no such file")
    return path


def are_addresses(ids: pd.Series) -> bool:
    """Whether customers are told apart by e-mail addresses.

    Examples
    --------
    >>> are_addresses(pd.Series(["anna@example.org", None, "ben@example.org"]))
    True
    """
    filled = ids.dropna().astype(str)
    return len(filled) > 0 and bool(filled.str.fullmatch(r"\s*[^@\s]+@[^@\s]+\.[^@\s]+\s*").mean() > 0.5)


def columns_of(file: str | Path) -> list[str]:
    """Return the names of a file's columns.

    Raises
    ------
    ClvnbError
        When the file cannot be opened as a table.
    """
    path = _a_file(Path(file))
    raw = open_source(Source(source=str(path.resolve()), **_text_settings(path)), Path("/")).table
    return [str(c) for c in raw.columns]


def propose_survey(file: str | Path, folder: str | Path) -> Proposal:
    """Look at a file of survey answers and propose how to read it.

    Answers may stand one a line, with a column that names the question's metric, or one form a line, with a column per question;
    which of those measure satisfaction is told from their words.

    Parameters
    ----------
    file : path
    folder : path
        The client's folder, to which the path in the proposal is relative.

    Returns
    -------
    Proposal
        Of the ``surveys:`` part of ``client.yaml``.

    Raises
    ------
    ClientError, TableError
        When the file is not a table, or no day, score or known question can be told.
    """
    path = Path(file)
    if not path.is_file():
        raise ClientError(f"{path}: no such file of survey answers")
    text = _text_settings(path)
    raw = open_source(Source(source=str(path.resolve()), **text), Path("/")).table
    sample = to_pandas(raw.limit(20_000))
    present = [str(c) for c in sample.columns]
    known = known_survey(present)
    mapping = known.mapping(present) if known else {}
    for name, words in _SURVEY_NAMES.items():
        hits = [c for w in words.split() for c in present if _letters(c) == w and c not in mapping.values()]
        if name not in mapping and hits:
            mapping[name] = hits[0]
    taken = set(mapping.values())
    questions = {c: m for c in present if (m := metric_of(c)) and c not in taken - {mapping.get("score")}}
    if {"metric", "score"} <= set(mapping):
        questions = {}
    else:
        mapping = {n: c for n, c in mapping.items() if n not in {"metric", "score"}}
    if "date" not in mapping or not (questions or "score" in mapping):
        lacking = (
            "the day of an answer" if "date" not in mapping else "a question on satisfaction, recommending or effort"
        )
        raise ClientError(
            f"{path}: cannot tell {lacking}; it has: {', '.join(map(repr, present))}. Write `surveys:` into client.yaml by hand: "
            '`columns:` for customer_id and date, `questions: {"COLUMN": nps, csat or ces}`'
        )
    if "customer_id" in mapping and sample[mapping["customer_id"]].isna().all():
        del mapping["customer_id"]
    settings: dict[str, Any] = {
        "source": os.path.relpath(path.resolve(), Path(folder).resolve()),
        **text,
        "columns": mapping,
    }
    settings |= _date_settings(path, raw, mapping["date"], None, least=0.5)
    settings |= known.extras(present) if known else {}
    if "customer_id" in mapping and are_addresses(sample[mapping["customer_id"]]):
        settings["hash_ids"] = True
    settings |= {"questions": questions} if questions else {}
    asked = [(metric, column, str(sample[column].dropna().iloc[-1]) if sample[column].notna().any() else "")
             for column, metric in questions.items()]  # fmt: skip
    rows = [(n, c, str(sample[c].dropna().iloc[-1]) if sample[c].notna().any() else "") for n, c in mapping.items()]
    table = pd.DataFrame(rows + asked, columns=["meaning", "column", "example"])
    said = f"An export of {known.program}. " if known else ""
    nobody = "" if "customer_id" in mapping else " No column says who answered, so answers cannot be tied to purchases."
    return Proposal(
        settings, Finding(table, f"{said}{len(sample):,} answers or forms were looked at.{nobody}"), None, known
    )


def _text_settings(path: Path) -> dict[str, Any]:
    """Encoding and delimiter of a text file, where they are not the usual ones."""
    path = Path(unpacked([str(path)])[0]) if path.stat().st_size else path
    if Path(str(path).removesuffix(".gz")).suffix.lower() not in TEXT_FILES or path.stat().st_size == 0:
        return {}
    encoding = find_encoding(path)
    delimiter = find_layout(path, encoding=encoding).delimiter
    return ({"encoding": encoding} if encoding != "utf-8" else {}) | (
        {"delimiter": delimiter} if delimiter != "," else {}
    )


def _mapping(path: Path, present: list[str], given: dict[str, str], known: Export | None) -> dict[str, str]:
    unknown = [name for name in given if name not in _NAMES]
    if unknown:
        raise ClientError(
            f"--column {unknown[0]}={given[unknown[0]]}: {unknown[0]!r} is no meaning that clvnb knows"
            f"{closest(unknown[0], _NAMES)}; write one of {', '.join(_NAMES)}"
        )
    mapping = (known.mapping(present) if known else {}) | given
    for name, words in _NAMES.items():
        if name in mapping or name in _NOT_GUESSED:
            continue
        for word in words.split():
            hits = [c for c in present if _letters(c) == word and c not in mapping.values()]
            if hits:
                mapping[name] = hits[0]
                break
    missing = [n for n in ("customer_id", "date", "amount") if n not in mapping]
    months = [c for c in present if _MONTH.fullmatch(str(c).strip())]
    if missing and len(months) > 2:
        raise ClientError(
            f"{path}: has a column for each month ({months[0]!r} to {months[-1]!r}), so it is a summary and no list of orders; "
            "export the orders themselves, one line each with customer, date and amount"
        )
    if missing:
        flags = " ".join(f"--column {n}=COLUMN" for n in missing)
        raise ClientError(
            f"{path}: cannot tell which column is the {' and the '.join(missing)}; "
            f"it has: {', '.join(map(repr, present))}. Say it with {flags}"
        )
    wrong = [c for c in mapping.values() if c not in present]
    if wrong:
        raise ClientError(f"{path}: has no column {wrong[0]!r}; it has: {', '.join(map(repr, present))}")
    return mapping


def _letters(column: str) -> str:
    return re.sub(r"[^a-z]", "", str(column).lower())


def _date_settings(path: Path, raw: Any, column: str, given: str | None, least: float = 0.9) -> dict[str, str]:
    """The date format that reads nearly every value, ISO before others; two that do are a question."""
    if given is not None:
        return {"date_format": given}
    if raw[column].type().is_temporal():
        return {}
    tried = [None, *NUMBERED_DAYS, *_DATE_FORMATS]
    values = {f"f{k}": as_date(raw[column], f, "UTC").count() for k, f in enumerate(tried)}
    written = raw[column].cast("string").nullif("")
    counts = to_pandas(raw.aggregate(all=written.count(), **values)).iloc[0]
    whole = [f for k, f in enumerate(tried) if counts[f"f{k}"] >= least * counts["all"] > 0]
    best = [f for f in whole if counts[f"f{tried.index(f)}"] == max(counts[f"f{tried.index(w)}"] for w in whole)]
    if not best:
        example = _example(raw, column)
        raise ClientError(
            f"{path}: the dates in {column!r}, such as {example!r}, are in no known format; say it with "
            "--date-format, for example --date-format '%d.%m.%Y'"
        )
    if len(best) > 1 and best[0] is not None:
        shown = " or ".join(f"--date-format '{f}'" for f in best)
        example = _example(raw, column)
        raise ClientError(
            f"{path}: the dates in {column!r}, such as {example!r}, can be read in {len(best)} ways; decide with {shown}"
        )
    return {"date_format": best[0]} if best[0] else {}


def _example(raw: Any, column: str) -> str:
    filled = raw.select(value=raw[column].cast("string").nullif(""))
    return str(to_pandas(filled.filter(filled.value.notnull()).limit(1))["value"].iloc[0])


def _number_settings(path: Path, raw: Any, column: str, given: str | None) -> dict[str, str]:
    """The way of writing numbers that reads most values; two that read them differently are a question."""
    if not raw[column].type().is_string():
        return {}
    styles = [s for s in _NUMBER_STYLES if given in {None, s[0]}]
    read = {f"n{k}": as_number(raw[column], d, t).count() for k, (d, t) in enumerate(styles)}
    sums = {f"s{k}": as_number(raw[column], d, t).sum() for k, (d, t) in enumerate(styles)}
    facts = connection().execute(raw.aggregate(all=raw[column].nullif("").count(), **read, **sums)).iloc[0]
    most = max(facts[f"n{k}"] for k in range(len(styles)))
    example = _example(raw, column)
    if most < 0.5 * facts["all"]:
        raise ClientError(
            f"{path}: the column {column!r} does not hold amounts, such as {example!r}; name another one with "
            "--column amount=COLUMN"
        )
    best = [k for k in range(len(styles)) if facts[f"n{k}"] == most]
    if len({round(float(facts[f"s{k}"]), 2) for k in best}) > 1:
        raise ClientError(
            f"{path}: the amounts in {column!r}, such as {example!r}, can be read in two ways; decide with "
            "--decimal . or --decimal ,"
        )
    decimal, thousands = styles[best[0]]
    if len(best) > 1:  # they read the same; one that knows thousands reads next month's larger amounts too
        thousands = {",": ".", ".": ","}[decimal]
    out = {} if decimal == "." else {"decimal": decimal}
    return out | ({"thousands": thousands} if thousands else {})


def _currency(sample: pd.DataFrame, mapping: dict[str, str]) -> str | None:
    """The one currency that the file names, by a column or by the sign beside its amounts."""
    if "currency" in mapping:
        named = sample[mapping["currency"]].dropna().astype(str).str.strip().str.upper().unique()
        return str(named[0]) if len(named) == 1 and re.fullmatch(r"[A-Z]{3}", named[0]) else None
    signs = sample[mapping["amount"]].astype(str).str.extract(f"({CURRENCY})")[0].dropna().unique()
    if len(signs) != 1:
        return None
    return SIGNS.get(signs[0], (signs[0],))[0]


def _say(sample: pd.DataFrame, raw: Any, settings: dict[str, Any], known: Export | None) -> Finding:
    rows = []
    for name, column in settings["columns"].items():
        example = sample[column].dropna().iloc[0] if sample[column].notna().any() else ""
        read_as = str(example)
        if name == "customer_id" and settings.get("hash_ids"):
            read_as = "a code of 16 signs"
        elif name == "date":
            day = as_date(raw[column], settings.get("date_format"), "UTC", settings.get("dates_in"))
            example, read_as = _first_read(raw.select(written=raw[column].cast("string"), read=day))
            read_as = read_as[:10]
        elif name == "amount":
            number = as_number(raw[column], settings.get("decimal", "."), settings.get("thousands", ""))
            example, read_as = _first_read(raw.select(written=raw[column].cast("string"), read=number))
        rows.append((name, column, str(example), read_as))
    table = pd.DataFrame(rows, columns=["meaning", "column", "example", "read_as"])
    spare = [c for c in sample.columns if c not in settings["columns"].values()]
    text = f"An export of {known.program}. {known.note} " if known else ""
    if settings.get("hash_ids") and not known:
        text += "Customers are e-mail addresses; each is replaced by a code, so that reports carry no contact data. "
    text += f"{len(rows)} of {len(sample.columns)} columns are used."
    return Finding(table, text + (f" Not used: {', '.join(map(str, spare))}." if spare else ""))


def _first_read(pairs: Any) -> tuple[str, str]:
    """The first value that could be read, as it was written and as it was read."""
    found = to_pandas(pairs.filter(pairs.read.notnull()).limit(1))
    return ("", "") if found.empty else (str(found["written"].iloc[0]), str(found["read"].iloc[0]))


def client_yaml(
    proposal: Proposal,
    *,
    name: str,
    currency: str,
    timezone: str,
    margin: float | None,
    survey: Proposal | None = None,
) -> str:
    """Return the text of ``client.yaml``, with the choices that only the client can make marked."""
    head = {"name": name, "kind": "shop", "currency": currency, "timezone": timezone}
    parts = {"transactions": proposal.settings} | ({"surveys": survey.settings} if survey else {})
    body = yaml.safe_dump(head | parts, sort_keys=False, allow_unicode=True, width=100)
    rate = f"  margin: {margin}\n" if margin is not None else (
        "  # margin: 0.40   share of revenue that is left after the cost of goods; without it values are revenue\n"
    )  # fmt: skip
    return f"{body}economics:\n{rate}  discount_rate: 0.10\n  horizon: 3 years\n"
