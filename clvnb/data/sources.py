"""From what a client names as a source to a table with clvnb's names and types.

In: a path or glob of files, or a database table, and how its text is to be read. Out: an Ibis table: days, numbers and text;
what could not be read is null, with the text as it stood and its line beside it.
"""

from __future__ import annotations

import glob
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache, reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pandas as pd

from ..core.engine import as_ibis, connection, dialect
from ..core.errors import ClientError, TableError
from ..core.tables import closest
from .client import Client, Connection, Source
from .databases import as_wall_clock, code_of, open_database, wall_clock, wall_clock_of_spark
from .formulas import names_in, value_of
from .packed import pattern_below, unpacked
from .textfiles import BELOW, TEXT_FILES, header_row, read_json_lines, read_text_files, unique_names

if TYPE_CHECKING:
    import ibis

__all__ = [
    "BELOW_TABLE",
    "CURRENCY",
    "FILE",
    "FURTHER_LINES",
    "NUMBERED_DAYS",
    "PAID_BACK",
    "REPEATED_NAMES",
    "TOTALS",
    "SIGNS",
    "WORKBOOKS",
    "as_date",
    "as_number",
    "as_text",
    "Opened",
    "open_source",
    "read_table",
    "sheet_names",
    "typed",
    "typed_by_its_engine",
]

NUMBERED_DAYS = ("excel", "epoch", "epoch milliseconds")  # date formats that are no pattern
REPEATED_NAMES, TOTALS = "repeated line of column names", "line of totals"
BELOW_TABLE = "below the table of orders"
FURTHER_LINES, PAID_BACK = "further line of an order", "order paid back in full"
_TOTAL = r"^\s*(grand|sub|zwischen|gesamt|overall|report|total)?[\s-]*(totals?|sum|summe|gesamt|insgesamt|suma|somme|totale|totaal|totalt|totaux|general|général|generale|geral|ergebnis|gesamtergebnis|razem|celkem|итого|всего|toplam|合計|总计)\s*:?\s*$"
_SPAN = r"(jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])\w*\.?|q[1-4]|week \d+|(19|20)\d\d"
_TOTAL_OF = rf"{_TOTAL}|^\s*({_SPAN})[\s-]*(20\d\d)?\s*(total|summe)\s*$|^\s*(total|summe)\s+({_SPAN})\s*(20\d\d)?\s*$"
WORKBOOKS = {".xlsx", ".xlsm", ".xls", ".ods"}
FILE = "clvnb_file"  # which of several files a row came from
_NOBODY = ("null", "none", "nan", "n/a", "#n/a")  # how programs write that there is no customer
_IDS = ("customer_id", "order_id")
MAY_BE_EMPTY = (
    "quantity_returned",
    "discount",
    "tax",
    "shipping",
    "refund",
    "fee",
    "gift_card",
    "dispute",
)  # of an amount's parts
_DAYS = ("date", "start", "end", "invited_at")
_NUMBERS = (
    "amount",
    "refunded",
    "margin",
    "cost",
    "rate",
    "price",
    "score",
    "scale_min",
    "scale_max",
    "expected",
    "planned",
)
CURRENCY = r"(?:US|CA|AU|NZ|HK|R|C|A|S)\$|[$€£¥₹₺₽₩₴₪₫฿]|[A-Z]{3}|[lL]ei|[kK]r\.?|SFr\.?|Fr\.?|zł|Kč|Ft|лв\.?"
SIGNS = {  # a sign beside an amount, and the currencies it may stand for
    "$": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN", "BRL", "CLP", "COP", "ARS", "TWD"),
    "€": ("EUR",), "£": ("GBP",), "¥": ("JPY", "CNY"), "₹": ("INR",), "lei": ("RON", "MDL"), "Lei": ("RON", "MDL"),
    "US$": ("USD",), "CA$": ("CAD",), "C$": ("CAD",), "AU$": ("AUD",), "A$": ("AUD",), "NZ$": ("NZD",), "HK$": ("HKD",),
    "S$": ("SGD",), "R$": ("BRL",), "₺": ("TRY",), "₽": ("RUB",), "₩": ("KRW",), "₴": ("UAH",), "₪": ("ILS",),
    "₫": ("VND",), "฿": ("THB",), "Ft": ("HUF",), "лв": ("BGN",), "лв.": ("BGN",), "Fr": ("CHF",), "Fr.": ("CHF",),
    "SFr": ("CHF",), "SFr.": ("CHF",), "kr.": ("DKK", "SEK", "NOK", "ISK"), "Kr": ("SEK", "NOK", "DKK", "ISK"),
    "Kr.": ("DKK", "SEK", "NOK", "ISK"), "kr": ("SEK", "NOK", "DKK", "ISK"), "zł": ("PLN",), "Kč": ("CZK",),
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
    """A source as it came: the table, its name for errors, and the line on which its first row stands; a database has no lines."""

    table: ibis.Table
    where: str
    first_line: int | None = 2  # the names of the columns stand on the first


def open_source(settings: Source, folder: Path) -> Opened:
    """Open a source as an Ibis table; text files as text, so that nothing is guessed about their values."""
    if isinstance(settings.source, Connection):
        return Opened(open_database(settings.source, folder), settings.source.table, None)
    paths = _paths(folder, settings.source)
    if not paths:
        place = (folder / settings.source).parent
        near = [p.name for p in place.glob("*") if p.is_file()] if place.is_dir() else []
        raise ClientError(
            f"{folder / settings.source}: no such file{closest(Path(settings.source).name, near)}; "
            f"the folder has: {', '.join(sorted(near)[:10]) or 'no files'}"
        )
    empty = [path for path in paths if Path(path).stat().st_size == 0]
    paths = paths if empty else unpacked(paths)
    empty = empty or [path for path in paths if Path(path).stat().st_size == 0]
    if empty:
        raise TableError(f"{empty[0]}: the file is empty; export it again, with its header line")
    suffixes = {Path(p.removesuffix(".gz")).suffix.lower() for p in paths}
    if len(suffixes) > 1:
        raise TableError(f"{settings.source}: matches files of several kinds ({', '.join(sorted(suffixes))}); name one")
    return _read_files(paths, suffixes.pop(), settings, str(folder / settings.source))


def _paths(folder: Path, named: str) -> list[str]:
    """The file of exactly this name, brackets and all, or those that the pattern fits; a folder's name is no pattern."""
    if (folder / named).is_file():
        return [str(folder / named)]
    return sorted(glob.glob(named if Path(named).is_absolute() else pattern_below(folder, named)))


def _read_files(paths: list[str], suffix: str, settings: Source, where: str) -> Opened:
    import duckdb
    import ibis

    try:
        if suffix == ".parquet":
            tables = [connection().read_parquet(p) for p in paths]
            for table in tables:
                table.limit(0).to_pandas()  # names that the file and the engine write differently are found here
            return Opened(
                ibis.union(*[_marked(t, k) for k, t in enumerate(tables)]) if tables[1:] else tables[0], where
            )
        if suffix in WORKBOOKS:
            sheets = [_sheet(p, settings.sheet) for p in paths]
            frames = [frame.dropna(how="all") for frame, _ in sheets]
            frames = [frame.assign(**{FILE: k}) for k, frame in enumerate(frames)] if frames[1:] else frames
            frame = pd.concat(frames, ignore_index=True)
            return Opened(as_ibis(frame), where, sheets[0][1])
        if suffix in {".feather", ".arrow"}:
            from pyarrow import array, concat_tables, feather

            parts = [feather.read_table(p) for p in paths]
            for part in parts:
                part.validate(full=True)  # damaged text would be found when somebody first looks at it
            if parts[1:]:
                parts = [p.append_column(FILE, array([k] * len(p), "int64")) for k, p in enumerate(parts)]
            return Opened(ibis.memtable(concat_tables(parts, promote_options="default")), where)
        if suffix in {".jsonl", ".ndjson"}:
            return Opened(read_json_lines(paths), where, 1)
        if suffix not in TEXT_FILES:
            raise TableError(
                f"{paths[0]}: files ending in {suffix or 'nothing'} are not read; use csv, tsv, txt, xlsx, ods, parquet, feather or jsonl"
            )
        table, layout = read_text_files(paths, delimiter=settings.delimiter, encoding=settings.encoding, mark=FILE)
        return Opened(table, where, layout.skip + 2)
    except (duckdb.Error, ibis.common.exceptions.IbisError, ValueError, OSError, MemoryError) as error:
        first = str(error).strip().splitlines()[0]
        raise TableError(
            f"{paths[0]}: cannot be read as a table: {first} "
            "Check `delimiter:` and `encoding:` in client.yaml, or save it as CSV in UTF-8."
        ) from error


def _marked(table: ibis.Table, number: int) -> ibis.Table:
    return table.mutate(**{FILE: number}).cast({FILE: "int64"})


def _sheet(path: str, sheet: str | None) -> tuple[pd.DataFrame, int]:
    """A sheet of a workbook as text, from the row with the names on; and the line of the row below it."""
    cells = _cells(path, sheet)
    if sheet is None:
        _no_empty_formulas(path, cells)
    if cells.empty:
        which = "first sheet" if sheet is None else f"sheet {sheet!r}"
        raise TableError(f"{path}: the {which} is empty; put the orders there, with a line of names above them")
    filled = cells.fillna("").to_numpy().tolist()
    at = header_row(filled, cells.shape[1])
    frame = cells.iloc[at + 1 :].set_axis(list(unique_names(filled[at])), axis=1)
    return frame.reset_index(drop=True), at + 2


def sheet_names(path: str) -> list[str]:
    """Return the sheets of a workbook that hold anything, in their order."""
    with _workbook(path) as book:
        return [
            str(n)
            for n in book.sheet_names
            if not pd.read_excel(book, sheet_name=n, header=None, nrows=2, dtype=object).empty
        ]


def _cells(path: str, sheet: str | None) -> pd.DataFrame:
    with _workbook(path) as book:
        if sheet is not None and sheet not in book.sheet_names:
            names = [str(n) for n in book.sheet_names]
            raise TableError(
                f"{path}: has no sheet {sheet!r}{closest(sheet, names)}; it has: {', '.join(map(repr, names))}"
            )
        which = 0 if sheet is None else sheet
        cells = pd.read_excel(book, sheet_name=which, dtype=object, header=None, keep_default_na=False, na_values=[""])
    return cells.apply(_as_written)


@contextmanager
def _workbook(path: str) -> Iterator[pd.ExcelFile]:
    try:
        with pd.ExcelFile(path, engine="calamine") as book:
            yield book
    except TableError:
        raise
    except BaseException as error:  # a damaged workbook may make the reader panic, which Python counts as no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
            raise
        raise TableError(
            f"{path}: cannot be read as a workbook: {str(error).splitlines()[0] if str(error) else type(error).__name__}. "
            "Open it and save it again, or save the sheet as CSV in UTF-8."
        ) from None


_UNCOUNTED = re.compile(
    rb"<c [^>]*?\br=\"([A-Z]+\d+)\"[^>]*>\s*<f\b[^>]*?(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>"
)


def _no_empty_formulas(path: str, cells: pd.DataFrame) -> None:
    """Refuse a workbook written by a program that left its formulas uncounted: they would be read as empty cells."""
    if not path.lower().endswith((".xlsx", ".xlsm")) or not (cells.empty or cells.isna().to_numpy().any()):
        return
    with zipfile.ZipFile(path) as book:
        found = _UNCOUNTED.search(book.read(_first_sheet(book)))
    if found:
        raise TableError(
            f"{path}: the formula in cell {found[1].decode()} holds no result, for the program that wrote it does not "
            "compute; open the workbook in a spreadsheet program, save it once, and name it again"
        )


def _first_sheet(book: zipfile.ZipFile) -> str:
    """The name of the first sheet's part in a workbook."""
    sheet = next(e for e in ElementTree.fromstring(book.read("xl/workbook.xml")).iter() if e.tag.endswith("}sheet"))
    own = next(value for key, value in sheet.attrib.items() if key.endswith("}id"))
    links = ElementTree.fromstring(book.read("xl/_rels/workbook.xml.rels"))
    target = next(e.attrib["Target"] for e in links if e.attrib["Id"] == own)
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _as_written(column: pd.Series) -> pd.Series:
    """A column's cells as text; its numbers with a decimal comma where people typed others that way into the same column."""
    number = column.map(lambda v: isinstance(v, float) and v == v)
    text = column[~number].dropna().astype(str)
    comma = bool(number.any()) and text.str.fullmatch(r"\s*-?[\d.]*,\d{1,2}\s*[^\d\s]*\s*").any()
    out = column.where(column.isna(), column.map(str))
    return out.where(~number, out.str.replace(".", ",", regex=False)) if comma else out


def typed(source: Opened, settings: Source, timezone: str, required: Sequence[str]) -> ibis.Table:
    """Pick, rename and type the mapped columns; remember the text of dates and amounts, and the line."""
    import ibis

    raw, mapping = source.table, _mapping(source, settings, required)
    typed_by_its_engine(source, mapping)
    parts = set(_parts(settings))
    new = {
        name: _part(name, raw[column], settings) if name in parts else _read(name, raw[column], settings, timezone)
        for name, column in mapping.items()
    }
    for name in ("date", "amount", "score"):
        if name in mapping:
            new[f"{name}_text"] = raw[mapping[name]].cast("string")
    new = _amounts_of(new, raw, mapping, settings)
    money = raw[_money_column(mapping, settings.amount)] if "amount" in new else None
    if money is not None and money.type().is_string():  # a code says more than a sign: $ 10 CAD
        code, sign = money.re_extract(r"\b([A-Z]{3})\b", 1), money.re_extract(f"({CURRENCY})", 1)
        new["amount_sign"] = ibis.coalesce(code.nullif(""), sign.nullif(""))
    spare = [c for c in raw.columns if c not in {*mapping.values(), FILE, BELOW}]
    if settings.repeats == "keep" and source.first_line is not None:  # no line is a copy of another
        new["unused"] = ibis.row_number()
    elif spare and source.first_line is not None:  # what tells two lines apart may stand in a column that is not used
        new["unused"] = ibis.literal("|").join([raw[c].cast("string").fill_null("-") for c in spare]).hash()
    if FILE in raw.columns:
        new["file"] = raw[FILE]
    no_line = source.first_line is None
    new["line"] = ibis.null("int64") if no_line else ibis.row_number() + source.first_line
    return raw.select(**new)


def _amounts_of(new: dict[str, Any], raw: ibis.Table, mapping: dict[str, str], settings: Source) -> dict[str, Any]:
    """The amount by the formula, with what was paid back, and which lines are no sale of their own."""
    import ibis

    out, written = dict(new), raw[mapping["refunded"]] if "refunded" in mapping else None
    if settings.amount is not None:
        out["amount"], out["amount_text"] = _computed(settings.amount, out, raw, mapping)
    if settings.refunded is not None:
        out["refunded"], written = _computed_refund(settings.refunded, out, raw, mapping)
    if not {"customer_id", "date", "amount"} <= set(out):
        return out
    for name, values in settings.returns.items():
        back = out[name].isin(values).fill_null(False)
        out["amount"] = back.ifelse(-out["amount"].abs(), out["amount"])
    out |= _goods_back(out)
    out |= _paid_back(out, written)
    kinds = [
        out.pop("line_kind", None),
        _line_kind(raw, mapping, out["date"], settings.amount),
        _repeats_its_order(raw, mapping, settings, out),
    ]
    if any(k is not None for k in kinds):
        out["line_kind"] = ibis.coalesce(*[k for k in kinds if k is not None])
    return out


def _read(name: str, value: Any, settings: Source, timezone: str) -> Any:
    """One column by its meaning: a day, a number, a customer or a text."""
    if name in _DAYS:
        return as_date(value, settings.date_format, timezone, settings.dates_in)
    if name in _NUMBERS:
        return as_number(value, settings.decimal, settings.thousands)
    text = as_text(value)
    if name not in _IDS:
        return text
    text = as_id(text)
    if name != "customer_id":
        return text
    if settings.ids == "number":
        text = text.re_replace(r"^0+(\d)", r"\1")
    known = text.lower().isin(_NOBODY).ifelse(None, text).cast("string")
    return code_of(known) if settings.hash_ids else known


def _part(name: str, value: Any, settings: Source) -> Any:
    """A part of an amount; a discount may be written as a share: 10 %."""
    return as_number(value, settings.decimal, settings.thousands, percent=name == "discount")


def _parts(settings: Source) -> tuple[str, ...]:
    """The names of columns that the formulas of a source are made of."""
    return tuple(n for f in (settings.amount, settings.refunded) if f is not None for n in names_in(f))


def _money_column(mapping: Mapping[str, str], formula: str | None) -> str:
    """The column by which a line has money or not: the amount, or the one of a formula that is no count."""
    names = [n for n in names_in(formula) if n != "quantity"] if formula else ["amount"]
    return mapping[names[0] if names else "quantity"]


def _computed(formula: str, new: Mapping[str, Any], raw: ibis.Table, mapping: Mapping[str, str]) -> tuple[Any, Any]:
    """An amount by its formula, and its parts as they stood; what may be empty counts nothing then."""
    import ibis

    names, parts = names_in(formula), {}
    for name in names:
        text = raw[mapping[name]].cast("string")
        empty = text.isnull() | (text.strip() == "")
        parts[name] = empty.ifelse(0.0, new[name]) if name in MAY_BE_EMPTY else new[name]
    texts = [raw[mapping[n]].cast("string").fill_null("") for n in names]
    return value_of(formula, parts), ibis.literal("; ").join(texts)


def _computed_refund(
    formula: str, new: Mapping[str, Any], raw: ibis.Table, mapping: Mapping[str, str]
) -> tuple[Any, Any]:
    """What was paid back by its formula, and what was written; a cell that is empty says that nothing was."""
    import ibis

    texts = {n: raw[mapping[n]].cast("string").strip().nullif("") for n in names_in(formula)}
    lead = names_in(formula)[0]
    if "dispute" in texts:  # paid back, or lost in a dispute, or both
        parts = {n: text.isnull().ifelse(0.0, new[n]).abs() for n, text in texts.items()}
        return value_of(formula, parts), ibis.coalesce(*texts.values())
    nothing = reduce(or_, [t.isnull() for t in texts.values()]) | (new[lead] == 0)
    return nothing.ifelse(0.0, value_of(formula, new)), texts[lead]


def _goods_back(new: Mapping[str, Any]) -> dict[str, Any]:
    """The cost of a line that pays back is written without a sign by many programs: the goods came back, and so did their cost."""
    if "cost" not in new:
        return {}
    return {"cost": (new["amount"] < 0).ifelse(-new["cost"].abs(), new["cost"])}


def _repeats_its_order(raw: ibis.Table, mapping: Mapping[str, str], settings: Source, new: Mapping[str, Any]) -> Any:
    """Lines after the first of an order whose money stands on each of them."""
    import ibis

    if settings.amount_of != "order" or "order_id" not in mapping:
        return None
    order, day, back = raw[mapping["order_id"]], new["date"], (new["amount"] < 0).fill_null(False)
    files = [raw[FILE]] if FILE in raw.columns else []  # which file counts is decided later
    who = (
        raw[mapping["customer_id"]].cast("string").strip().nullif("")
        if "customer_id" in mapping
        else ibis.null("string")
    )
    # Numbers may begin anew each year, or sooner: then two customers have the same. Some programs name the customer once.
    first = ibis.row_number().over(group_by=[order, day.year(), back, who, *files], order_by=raw[mapping["date"]]) == 0
    nameless = who.isnull() & who.notnull().any().over(group_by=[order, day.year(), *files])
    without_day = day.isnull() & day.notnull().any().over(group_by=[order, *files])
    again = (~first | without_day | nameless) & ~back
    return ibis.cases((again & order.notnull(), FURTHER_LINES), else_=None)


def typed_by_its_engine(source: Opened, mapping: Mapping[str, str]) -> None:
    """Refuse a database's text where a day or a number is needed: reading people's writing is for files."""
    if dialect(source.table) == "duckdb":
        return
    for name, column in mapping.items():
        if (name in _DAYS or name in _NUMBERS) and source.table[column].type().is_string():
            kind, made = ("date", "to_date") if name in _DAYS else ("numeric", "to_number")
            raise TableError(
                f"{source.where}: the column {column!r} for {name} is text in the database; make a view in which it is "
                f"of type {kind} (by {made}(…)), and name that view under `table:`"
            )


def _mapping(source: Opened, settings: Source, required: Sequence[str]) -> dict[str, str]:
    """clvnb's names to the source's, all of which are there."""
    present = [c for c in source.table.columns if c not in {FILE, BELOW}]
    mapping = dict(settings.columns) or {c: c for c in present}
    if settings.amount is not None:
        mapping.pop("amount", None)
    for name in (*required, *_parts(settings), *settings.returns):
        if name != "amount" or settings.amount is None:
            mapping.setdefault(name, name)
    for name, column in mapping.items():
        if column not in present:
            raise TableError(
                f"{source.where}: has no column {column!r} for {name}{closest(column, present)}; "
                f"it has: {', '.join(map(repr, present))}. Set `columns: {{{name}: …}}` in client.yaml."
            )
    return mapping


def _line_kind(raw: ibis.Table, mapping: Mapping[str, str], day: Any, formula: str | None) -> Any | None:
    """Say which lines are no orders: the names of the columns once more, where exports were put together, and sums below."""
    import ibis

    if not raw[mapping["date"]].type().is_string():
        return None
    paid = _money_column(mapping, formula)
    named = ibis.and_(*[raw[c].cast("string").strip() == c for c in (mapping["date"], paid)])
    kinds = [
        (named, REPEATED_NAMES),
        (_summed(raw, day, paid, mapping["customer_id"], mapping.get("order_id")), TOTALS),
    ]
    if BELOW in raw.columns:
        kinds.insert(0, (raw[BELOW].notnull(), BELOW_TABLE))
    if "order_id" in mapping:
        # Shops write an order's money on its first line alone, and a line for each further product.
        money = raw[paid].nullif("") if raw[paid].type().is_string() else raw[paid]
        order = raw[mapping["order_id"]]
        kinds.append((money.isnull() & order.notnull() & money.notnull().any().over(group_by=order), FURTHER_LINES))
    return ibis.cases(*kinds, else_=None)


def _summed(raw: ibis.Table, day: Any, paid: str, who: str, order: str | None) -> Any:
    """Whether a line says that it adds others up: in one of its cells where it has no day, and otherwise in place of the customer."""
    texts = [c for c in raw.columns if c not in {FILE, BELOW, paid} and raw[c].type().is_string()]
    said = [raw[c].lower().re_search(_TOTAL).fill_null(False) for c in texts[:40]]
    whose = raw[who].cast("string").lower().re_search(_TOTAL_OF).fill_null(False)
    if order is not None:
        whose &= raw[order].cast("string").fill_null("").strip() == ""
    return day.isnull().ifelse(reduce(or_, said), whose)


def _paid_back(new: Mapping[str, Any], written: Any) -> dict[str, Any]:
    """Subtract what a column says was paid back; an order paid back in full is none, and what cannot be read leaves no amount."""
    import ibis

    if written is None:
        return {}
    unreadable = new["refunded"].isnull() & (written.cast("string").strip().nullif("").notnull())
    back = new["refunded"].abs().fill_null(0.0)
    whole = (new["amount"] > 0) & (back >= new["amount"])
    left = (new["amount"] > 0).ifelse(ibis.greatest(new["amount"] - back, 0.0), new["amount"])
    kept = (new["amount"] > 0).ifelse(left / new["amount"].nullif(0.0), 1.0)
    shares = {n: new[n] * kept for n in ("margin", "cost") if n in new}  # a part that goes back takes its part of both
    return shares | {
        "amount": unreadable.ifelse(ibis.null("float64"), left),
        "line_kind": ibis.cases((whole, PAID_BACK), else_=None).cast("string"),
    }


def as_text(value: Any) -> Any:
    """Read a text: without the blanks around it, nothing for an empty one."""
    kind = value.type()
    if kind.is_floating():  # ids that passed through a frame with gaps: 12345.0
        whole = value.try_cast("int64")
        return (value == whole).ifelse(whole.cast("string"), value.cast("string"))
    return value.cast("string").strip().nullif("")


def as_id(text: Any) -> Any:
    """Read an id as it was before a spreadsheet: 123 for ``123.0``, 00123 for ``="00123"`` and ``'00123``.

    Examples
    --------
    >>> import ibis
    >>> [as_id(ibis.literal(t)).execute() for t in ("123.0", '="00123"', "'00123", "A-1.0")]
    ['123', '00123', '00123', 'A-1.0']
    """
    bare = text.re_replace(r"""^(?:="|')([^"']+)"?$""", r"\1")
    return bare.re_replace(r"^(\d+)\.0+$", r"\1")


def as_date(value: Any, date_format: str | None, timezone: str, dates_in: str | None = None) -> Any:
    """Read a day on the client's clock; what is no date becomes null.

    ``dates_in`` is the zone of times that do not say theirs. A day without a time is a day, and is not moved.
    """
    kind = value.type()
    if kind.is_date():
        return value
    if date_format in NUMBERED_DAYS:
        return _as_numbered_day(value, NUMBERED_DAYS.index(date_format), timezone)
    if kind.is_timestamp():
        return _clock_of(value, timezone, dates_in).date()
    text = value.cast("string").strip()
    if date_format is not None:
        if "%z" in date_format:  # GMT+2 is how some programs write +02
            text = text.re_replace(r"([+-])(\d)(:\d\d)?$", r"\10\2\3")
        moment = _try_strptime()(text, date_format)
        timed = any(mark in date_format for mark in ("%H", "%I"))
        if "%z" in date_format:  # an instant, which the engine gives in UTC
            moment = wall_clock(timezone, moment.cast("timestamp('UTC')"))
        elif dates_in and timed:
            moment = _moved(moment, dates_in, timezone)
        day = moment.date()
        return (day.year() >= 1900).ifelse(day, None).cast("date")  # %Y would read "24" as the year 24
    # An offset (Z, +01:00) names an instant, which is moved to the client's clock; without one it is that clock.
    has_offset = text.re_search(r":\d\d(\.\d+)?\s*(Z|UTC|[+-]\d\d(:?\d\d)?)$")
    plain = text.re_search(r"^\d{4}-\d\d?-\d\d?([T ]\d\d?:\d\d(:\d\d(\.\d+)?)?)?$")
    moment = text.replace(" UTC", "Z").re_replace(r"\s+([+-]\d\d):?(\d\d)?$", r"\1:\2").re_replace(":$", "")
    instant = wall_clock(timezone, moment.try_cast("timestamp('UTC')"))
    written = plain.ifelse(text.try_cast("timestamp"), None).cast("timestamp")
    if dates_in:
        written = _moved(written, dates_in, timezone)
    return has_offset.ifelse(instant, written).date()


def _clock_of(value: Any, timezone: str, dates_in: str | None) -> Any:
    """What the client's clock showed at a time that its engine knows as such."""
    if dialect(value) == "pyspark":
        if dates_in:
            raise TableError("`dates_in:` is not for Spark: keep instants there (TIMESTAMP), which say their zone")
        return wall_clock_of_spark(timezone, value)
    if value.type().timezone is not None:
        return wall_clock(timezone, value.cast("timestamp('UTC')"))
    return _moved(value, dates_in, timezone) if dates_in else value


def _moved(moment: Any, dates_in: str, timezone: str) -> Any:
    """Move a time to the client's clock; midnight on the dot is how a day without a time is kept, and stays."""
    return (moment == moment.truncate("D")).ifelse(moment, as_wall_clock(moment, dates_in, timezone))


def _as_numbered_day(value: Any, which: int, timezone: str) -> Any:
    """Read days that are counted: by a spreadsheet from 30 December 1899, or in seconds or milliseconds from 1970."""
    import ibis

    number = value.cast("string").strip().try_cast("float64")
    low, high = ((20_000.0, 80_000.0), (3e8, 4e9), (3e11, 4e12))[which]  # 1954 to 2119, and from 1979 on: apart in size
    whole = number.between(low, high).ifelse(number, None).floor().cast("int64")
    if which == 0:
        return (ibis.date(1899, 12, 30) + whole.as_interval("D")).cast("date")
    instant = (whole // (1 if which == 1 else 1000)).as_timestamp("s").cast("timestamp('UTC')")
    return wall_clock(timezone, instant).date()


def as_number(value: Any, decimal: str, thousands: str, *, percent: bool = False) -> Any:
    """Read a number written by people: ``(1.234,50 €)`` is -1234.5, and 10 % a tenth with ``percent``; others become null."""
    if not value.type().is_string():
        return value.cast("float64").nullif(float("nan"))
    if percent:
        share = value.re_search(r"\d\s*%\s*$")
        number = as_number(value.re_replace(r"\s*%\s*$", ""), decimal, thousands)
        return share.ifelse(number / 100, number)
    currency = CURRENCY
    text = value.strip().replace("\u2212", "-").re_replace(r"^'([-+(\d])", r"\1")
    text = text.re_replace(rf"^([-+]?)\s*(?:{currency})\s*", r"\1").re_replace(rf"\s*(?:{currency})$", "")
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
def _try_strptime() -> Any:
    """A function of the embedded engine that Ibis has no word for."""
    import ibis

    @ibis.udf.scalar.builtin(signature=(("string", "string"), "timestamp"))
    def try_strptime(text: str, pattern: str) -> datetime:  # type: ignore[empty-body]
        """Parse, or null."""

    return try_strptime
