"""From what a client names as a source to a table with clvnb's names and types.

In: a path or glob of files, or a database table, and how its text is to be read. Out: an Ibis table: days, numbers and text;
what could not be read is null, with the text as it stood and its line beside it.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from .client import Client, Connection, Source
from .engine import as_ibis, connection
from .tables import ClientError, TableError, closest
from .textfiles import TEXT_FILES, read_text_files

if TYPE_CHECKING:
    import ibis

__all__ = ["CURRENCY", "SIGNS", "as_date", "as_number", "as_text", "Opened", "open_source", "read_table", "typed"]

_NUMBERS = ("amount", "margin", "cost")
CURRENCY = r"[$€£¥₹]|[A-Z]{3}|[lL]ei|kr|zł|Kč"
SIGNS = {  # a sign beside an amount, and the currencies it may stand for
    "$": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN", "BRL", "CLP", "COP", "ARS", "TWD"),
    "€": ("EUR",), "£": ("GBP",), "¥": ("JPY", "CNY"), "₹": ("INR",), "lei": ("RON", "MDL"), "Lei": ("RON", "MDL"),
    "kr": ("SEK", "NOK", "DKK", "ISK"), "zł": ("PLN",), "Kč": ("CZK",),
}  # fmt: skip


def read_table(client: Client, settings: Source, required: Sequence[str]) -> ibis.Table:
    """Read one of the client's tables, typed and renamed as ``client.yaml`` says.

    Parameters
    ----------
    client : Client
    settings : Source
        One of the client's sources, for example ``client.contracts``.
    required : sequence of str
        The clvnb names that must be there.

    Returns
    -------
    ibis.Table
        Columns named as in ``settings.columns``; ``date``-like names as days, money as numbers, the rest text.
    """
    return typed(open_source(settings, client.folder), settings, client.timezone, required)


@dataclass(frozen=True)
class Opened:
    """A source as it came: the table, its name for errors, and the line on which its first row stands."""

    table: ibis.Table
    where: str
    first_line: int = 2  # the names of the columns stand on the first


def open_source(settings: Source, folder: Path) -> Opened:
    """Open a source as an Ibis table; text files as text, so that nothing is guessed about their values."""
    if isinstance(settings.source, Connection):
        import ibis

        backend = ibis.connect(settings.source.url())
        return Opened(backend.table(settings.source.table), settings.source.table)
    paths = sorted(glob.glob(str(folder / settings.source)))
    if not paths:
        place = (folder / settings.source).parent
        near = [p.name for p in place.glob("*") if p.is_file()] if place.is_dir() else []
        raise ClientError(
            f"{folder / settings.source}: no such file{closest(Path(settings.source).name, near)}; "
            f"the folder has: {', '.join(sorted(near)[:10]) or 'no files'}"
        )
    for path in paths:
        if Path(path).stat().st_size == 0:
            raise TableError(f"{path}: the file is empty; export it again, with its header line")
    suffixes = {Path(p.removesuffix(".gz")).suffix.lower() for p in paths}
    if len(suffixes) > 1:
        raise TableError(f"{settings.source}: matches files of several kinds ({', '.join(sorted(suffixes))}); name one")
    return _read_files(paths, suffixes.pop(), settings, str(folder / settings.source))


def _read_files(paths: list[str], suffix: str, settings: Source, where: str) -> Opened:
    import duckdb
    import ibis

    try:
        if suffix == ".parquet":
            return Opened(connection().read_parquet(paths), where)
        if suffix in {".xlsx", ".xlsm"}:
            frames = [pd.read_excel(p, dtype=str) for p in paths]
            return Opened(as_ibis(pd.concat(frames, ignore_index=True).dropna(how="all")), where)
        if suffix not in TEXT_FILES:
            raise TableError(
                f"{paths[0]}: files ending in {suffix or 'nothing'} are not read; use csv, tsv, txt, parquet or xlsx"
            )
        table, layout = read_text_files(paths, delimiter=settings.delimiter, encoding=settings.encoding)
        return Opened(table, where, layout.skip + 2)
    except (duckdb.Error, ibis.common.exceptions.IbisError, ValueError, OSError) as error:
        first = str(error).strip().splitlines()[0]
        raise TableError(
            f"{paths[0]}: cannot be read as a table: {first} "
            "Check `delimiter:` and `encoding:` in client.yaml, or save it as CSV in UTF-8."
        ) from error


def typed(source: Opened, settings: Source, timezone: str, required: Sequence[str]) -> ibis.Table:
    """Pick, rename and type the mapped columns; remember the text of dates and amounts, and the line."""
    import ibis

    raw, where = source.table, source.where
    present = list(raw.columns)
    mapping = dict(settings.columns) or {c: c for c in present}
    for name in required:
        mapping.setdefault(name, name)
    for name, column in mapping.items():
        if column not in present:
            raise TableError(
                f"{where}: has no column {column!r} for {name}{closest(column, present)}; "
                f"it has: {', '.join(map(repr, present))}. Set `columns: {{{name}: …}}` in client.yaml."
            )
    new: dict[str, Any] = {}
    for name, column in mapping.items():
        value = raw[column]
        if name == "date" or name in {"start", "end", "invited_at"}:
            new[name] = as_date(value, settings.date_format, timezone)
        elif name in _NUMBERS or name in {"price", "score", "scale_min", "scale_max", "expected", "planned"}:
            new[name] = as_number(value, settings.decimal, settings.thousands)
        else:
            new[name] = as_text(value)
    for name in ("date", "amount"):
        if name in mapping:
            new[f"{name}_text"] = raw[mapping[name]].cast("string")
    if "amount" in mapping and raw[mapping["amount"]].type().is_string():
        new["amount_sign"] = raw[mapping["amount"]].re_extract(f"({CURRENCY})", 1).nullif("")
    new["line"] = ibis.row_number() + source.first_line
    return raw.select(**new)


def as_text(value: Any) -> Any:
    """Read a text: without the blanks around it, nothing for an empty one."""
    kind = value.type()
    if kind.is_floating():  # ids that passed through a frame with gaps: 12345.0
        whole = value.cast("int64")
        return (value == whole).ifelse(whole.cast("string"), value.cast("string"))
    return value.cast("string").strip().nullif("")


def as_date(value: Any, date_format: str | None, timezone: str) -> Any:
    """Read a day on the client's clock; what is no date becomes null."""
    kind = value.type()
    if kind.is_date():
        return value
    if kind.is_timestamp():
        if kind.timezone is not None:
            value = _functions()["timezone"](timezone, value.cast("timestamp('UTC')"))
        return value.date()
    text = value.cast("string").strip()
    if date_format is not None:
        day = _functions()["try_strptime"](text, date_format).date()
        return (day.year() >= 1900).ifelse(day, None).cast("date")  # %Y would read "24" as the year 24
    # An offset (Z, +01:00) names an instant, which is moved to the client's clock; without one it is that clock.
    has_offset = text.re_search(r":\d\d(\.\d+)?\s*(Z|UTC|[+-]\d\d(:?\d\d)?)$")
    plain = text.re_search(r"^\d{4}-\d\d?-\d\d?([T ]\d\d?:\d\d(:\d\d(\.\d+)?)?)?$")
    moment = text.replace(" UTC", "Z").re_replace(r"\s+([+-]\d\d):?(\d\d)?$", r"\1:\2").re_replace(":$", "")
    instant = _functions()["timezone"](timezone, moment.try_cast("timestamp('UTC')"))
    return has_offset.ifelse(instant, plain.ifelse(text.try_cast("timestamp"), None).cast("timestamp")).date()


def as_number(value: Any, decimal: str, thousands: str) -> Any:
    """Read a number written by people: ``(1.234,50 €)`` is -1234.5; what is not a number becomes null."""
    if not value.type().is_string():
        return value.cast("float64")
    currency = CURRENCY
    text = value.strip().re_replace(rf"^(-?)\s*(?:{currency})\s*", r"\1").re_replace(rf"\s*(?:{currency})$", "")
    negative = text.re_search(r"^\(.*\)$|-$")
    bare = text.re_replace(r"^\((.*)\)$", r"\1").re_replace(r"-$", "")
    bare = bare.re_replace(rf"^\s*(?:{currency})\s*", "").re_replace(rf"\s*(?:{currency})$", "")
    point = "\\" + decimal
    whole = r"\d+"
    if thousands:
        mark = {" ": "[ \u00a0\u202f]", "'": "['’]"}.get(thousands, "\\" + thousands)
        whole = rf"(?:\d{{1,3}}(?:{mark}\d{{3}})+|\d+)"
    good = bare.re_search(rf"^[+-]?(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?$")
    if thousands:
        bare = bare.re_replace(mark, "")
    if decimal != ".":
        bare = bare.replace(decimal, ".")
    number = good.ifelse(bare, None).cast("string").try_cast("float64")
    return negative.ifelse(-number, number)


@cache
def _functions() -> dict[str, Any]:
    """Functions of the engine that Ibis has no word for."""
    import ibis

    @ibis.udf.scalar.builtin(signature=(("string", "string"), "timestamp"))
    def try_strptime(text: str, pattern: str) -> datetime:  # type: ignore[empty-body]
        """Parse, or null."""

    @ibis.udf.scalar.builtin(signature=(("string", "timestamp('UTC')"), "timestamp"))
    def timezone(zone: str, moment: datetime) -> datetime:  # type: ignore[empty-body]
        """Read the wall clock of a zone."""

    return {"try_strptime": try_strptime, "timezone": timezone}
