"""Files that leave the house: tables as parquet, csv and workbook, results as JSON; each whole or absent.

In: tables and plain values. Out: files that never carry a final name half-written.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
import yaml

from ..core.errors import ReportError
from ..core.files import replace_file
from ..core.words import Words
from ..data.books import leave_books
from ..data.client import Client
from ..improve.step import ImproveStep
from ..remeasure.step import TrackStep
from ..satisfaction.step import SatisfactionStep
from ..value.step import ValueStep

Step: TypeAlias = ValueStep | SatisfactionStep | ImproveStep | TrackStep

__all__ = ["save_step", "step_sheets", "write_json", "write_table", "write_workbook"]

_PARQUET_ONLY = {"next_orders", "forecast", "segment_gains", "plan_cautious"}  # long or technical: not for the workbook
# What a spreadsheet would run as a formula.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")  # no place in a workbook
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # full-width signs count as well
_BY_VALUE = ("total_value", "historic_value")  # what customers are sorted by
_SHEET_ROWS = 1_048_575  # below the header
_CELL = 32_767  # characters that a cell holds
_NEW_YEAR = datetime(2000, 1, 1)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    replace_file(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def write_table(table: pd.DataFrame, path: str | Path, *, words: Words | None = None) -> Path:
    """Write a table by the ending of its name: csv, parquet or xlsx.

    Text that a spreadsheet would run as a formula is preceded by an apostrophe in csv and xlsx; ids stay text.

    Parameters
    ----------
    table : pandas.DataFrame
        Any.
    path : str or Path
        Its ending says the kind.
    words : Words, optional
        The client's: the columns of a workbook then have the names and formats that a reader knows.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    ReportError
        When the ending is another one or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     write_table(pd.DataFrame({"id": ["007"], "clv": [1.5]}), f"{place}/customers.csv").read_text().split()
    ['id,clv', '007,1.5']
    """
    path = Path(path)
    writer = table_writer(path, words)
    replace_file(path, lambda p: writer(table, p))
    return path


def table_writer(path: Path, words: Words | None = None) -> Callable[[pd.DataFrame, Path], object]:
    """Return what writes a table to a file of this name; raise a ReportError for an ending that is not known."""
    writers: dict[str, Callable[[pd.DataFrame, Path], object]] = {
        ".csv": lambda table, p: neutral(table).to_csv(p, index=False, lineterminator="\n"),
        ".parquet": lambda table, p: table.to_parquet(p, index=False),
        ".xlsx": lambda table, p: _one_sheet(table, p, words),
    }
    if path.suffix.lower() not in writers:
        raise ReportError(f"{path}: tables are written as .csv, .parquet or .xlsx, not {path.suffix or 'nothing'}")
    return writers[path.suffix.lower()]


def _one_sheet(table: pd.DataFrame, path: Path, words: Words | None) -> None:
    if len(table) > _SHEET_ROWS:
        raise ReportError(
            f"{path}: a sheet holds {_SHEET_ROWS:,} rows below its header, and there are {len(table):,}; write .csv or .parquet"
        )
    write_workbook({"customers": table}, path, words=words)


def neutral(table: pd.DataFrame) -> pd.DataFrame:
    """Return a copy in which no text starts as a formula, and none holds control characters.

    Examples
    --------
    >>> neutral(pd.DataFrame({"id": ["=cmd", "a"]})).id.tolist()
    ["'=cmd", 'a']
    """
    out = table.copy()
    for name in out.columns:
        if isinstance(out[name].dtype, pd.CategoricalDtype):
            out[name] = out[name].astype(object)
        if pd.api.types.is_string_dtype(out[name]) or out[name].dtype == object:
            out[name] = out[name].map(_harmless)
    return out.rename(columns=_harmless)


def _harmless(value: Any) -> Any:
    """A text without control characters, and with an apostrophe where it would be run; other values as they are."""
    if not isinstance(value, str):
        return value
    text = _CONTROL.sub("", value.replace("\r\n", "\n").replace("\r", "\n"))  # csv quotes the one, and not the other
    return f"'{text}" if text.startswith(_FORMULA) else text


def write_workbook(sheets: dict[str, pd.DataFrame], path: Path, *, words: Words | None = None) -> None:
    """Write sheets with frozen, filtered headers and typed cells; text is never a formula.

    With a client's ``words`` columns have the names and formats that a reader knows, and a sheet says what each means. A
    report's table with more rows than a sheet holds is named there, with where it lies whole.
    """
    from xlsxwriter import Workbook

    full = io.BytesIO()  # a disk that is full must not leave the packer half-way
    with Workbook(full, _PLAIN) as book:
        book.set_properties({"author": "clvnb", "created": _NEW_YEAR})  # equal contents are equal bytes
        for name, table in sheets.items():
            plain = neutral(_plain_times(table if len(table) <= _SHEET_ROWS else _elsewhere(name, table)))
            _fill(book, name[:31], plain, [_look(name, c, plain[c], words) for c in plain.columns])
        if words is not None:
            legend = _legend(sheets)
            _fill(book, "legend", legend, [(str(c), None) for c in legend.columns])
    path.write_bytes(full.getvalue())


# Row after row, instead of a whole book in memory; what looks like a formula, an address or a number stays text.
_PLAIN = {"constant_memory": True, "in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
          "nan_inf_to_errors": True, "default_date_format": "yyyy-mm-dd"}  # fmt: skip


def _fill(book: Any, name: str, plain: pd.DataFrame, looks: list[tuple[str, str | None]]) -> None:
    """Write a sheet of a header and rows: ``looks`` has each column's label and number format."""
    sheet, head = book.add_worksheet(name), book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, len(plain), max(0, len(plain.columns) - 1))
    for k, (column, (label, format)) in enumerate(zip(plain.columns, looks, strict=True)):
        long = [len(f"{v:,.2f}") + 4 if isinstance(v, float) else len(str(v)) for v in plain[column].head(200)]
        widest = max([max(map(len, label.split() or [""])) + 2, *long], default=8)
        shown = book.add_format({"num_format": format}) if format else None
        sheet.set_column(k, k, min(max(9, widest + 1), 60), shown)
        sheet.write_string(0, k, label, head)
    cells = plain.astype(object).where(plain.notna(), None)
    for at, row in enumerate(cells.itertuples(index=False, name=None), start=1):
        sheet.write_row(at, 0, [v[:_CELL] if isinstance(v, str) else v for v in row])


@cache
def _columns() -> tuple[dict[str, list[str]], dict[str, dict[str, str]]]:
    """What the columns of tables are called, hold and mean, and where a sheet reads one otherwise."""
    known = yaml.safe_load((files("clvnb.report") / "columns.yaml").read_text(encoding="utf-8"))
    return known["columns"], known["sheets"]


def _look(sheet: str, column: Any, values: pd.Series, words: Words | None) -> tuple[str, str | None]:
    """A column's label, and the number format of its cells; its own name where nobody reads it but a program."""
    if words is None:
        return str(column), None
    known, own = _columns()
    label, kind, _ = known.get(str(column), [str(column).replace("_", " ").capitalize(), "", ""])
    kind = own.get(sheet, {}).get(str(column), kind)
    small = bool(pd.api.types.is_numeric_dtype(values) and values.abs().max() < 1_000)
    currency = f'#,##0{".00" if small else ""}\\ "{words.currency}"'
    formats = {"money": currency, "share": "0%", "count": "#,##0", "number": "#,##0.00", "date": "yyyy-mm-dd"}
    return label, formats.get(kind)


def _legend(sheets: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """What the columns mean, and on which sheets they stand."""
    known, _ = _columns()
    rows = [
        (label, meaning, ", ".join(name for name, table in sheets.items() if column in table.columns))
        for column, (label, _, meaning) in known.items()
        if meaning and any(column in table.columns for table in sheets.values())
    ]
    return pd.DataFrame(rows, columns=["column", "what it means", "on the sheets"])


def _elsewhere(name: str, table: pd.DataFrame) -> pd.DataFrame:
    said = f"{len(table):,} rows are more than a sheet holds; they are in tables/{name}.parquet"
    return pd.DataFrame({"note": [said]})


def _plain_times(table: pd.DataFrame) -> pd.DataFrame:
    zoned = table.select_dtypes("datetimetz").columns
    return table.assign(**{c: table[c].dt.tz_localize(None) for c in zoned}) if len(zoned) else table


def save_step(step: Step, folder: str | Path) -> None:
    """Write a step's tables and results into a folder; an empty name writes nothing.

    Parameters
    ----------
    step : ValueStep, SatisfactionStep, ImproveStep or TrackStep
        From ``value_step``, ``satisfaction_step``, ``improve_step`` or ``remeasure_step``.
    folder : str or Path
        Made where it is not there; files of the same names are replaced. Gets a parquet file for each table, and
        ``results.json``, to which each step adds its own; of step 2 the baseline (``baseline.json``), of step 3 the
        list of who to contact (``target_list.csv``), of step 4 the baseline that the next report is measured
        against.

    Returns
    -------
    None
        The folder then holds ``*.parquet`` and ``results.json``. A later step of the same process, with the same
        ``output``, takes the step's books as well, for as long as the step is held.

    Raises
    ------
    ReportError
        When a file cannot be written.
    """
    if not str(folder):
        return
    place = Path(folder)
    for name, table in step_tables(step).items():
        replace_file(place / f"{name}.parquet", lambda p, t=table: t.to_parquet(p, index=False))  # type: ignore[misc]
    known = place / "results.json"
    before = (
        json.loads(known.read_text(encoding="utf-8")) if known.is_file() and not isinstance(step, ValueStep) else {}
    )
    write_json(known, before | step.results())
    if isinstance(step, SatisfactionStep | TrackStep) and step.base is not None:
        step.base.save(place / "baseline.json")
    if isinstance(step, ImproveStep) and len(step.targets.table):
        write_table(step.targets.table, place / "target_list.csv")
    leave_books(step.books if isinstance(step, ValueStep) else step.worth.books, place)


def step_tables(step: Step) -> dict[str, pd.DataFrame]:
    """Return the tables of a step by the names they are saved under."""
    tables = _value_tables(step) if isinstance(step, ValueStep) else step.tables()
    return {name: table for name, table in tables.items() if len(table.columns)}


def _value_tables(step: ValueStep) -> dict[str, pd.DataFrame]:
    return {
        "headline": step.headline.table,
        "customers": step.customers,
        "channels": step.channels,
        "at_risk": step.at_risk.table,
        "methods": step.methods,
        "newcomers": step.newcomers,
        "groups": step.groups.table,
        "next_orders": step.next_orders,
        "forecast": step.forecast,
        "segments": step.segments,
        "cohorts": _flat(step.cohorts),
        "data": step.checked.account,
        "fit": step.fit,
        "trust": step.trust.table,
        "holdout": step.holdout.table if step.holdout else pd.DataFrame(),
        "comparison": step.comparison,
        "forecast_by_month": step.by_month,
        "contribution_by_month": step.months,
        "cohort_rhythm": step.rhythm,
        "mrr": step.mrr,
        "forecast_tests": step.tests.table,
        "parameters": step.parameters,
        "method": step.card.table(),
    }


def _flat(cohorts: pd.DataFrame) -> pd.DataFrame:
    """Return a cohort matrix with its cohorts in a column and its ages as text."""
    if cohorts.empty:
        return pd.DataFrame()
    return cohorts.rename(columns=str).rename_axis(columns=None).reset_index()


def step_sheets(folder: Path, results: dict[str, Any], client: Client) -> dict[str, pd.DataFrame]:
    """Return a report's workbook: what an analyst looks for first, then every other table of the steps.

    ``summary`` has each headline figure with its range, ``customers`` and ``segments`` are step 1's, ``actions`` are
    the levers of step 3, ``method`` says how value was computed and from which rows.
    """
    found = {p.stem: pd.read_parquet(p) for p in sorted(folder.glob("*.parquet")) if p.stem not in _PARQUET_ONLY}
    summary = found.pop("headline")
    score = results.get("satisfaction")
    if score:
        row = [f"satisfaction ({results['satisfaction_metric']})", score["value"], score["low"], score["high"]]
        summary = pd.concat([summary, pd.DataFrame([row], columns=summary.columns)], ignore_index=True)
    card = found.pop("method")
    about = [
        ("client", client.name),
        ("as of", results["as_of"]),
        ("currency", client.currency),
        ("trust", results["trust_text"]),
    ]
    rows = [
        (f"rows: {r.rule}", f"{r.rows} rows, {r.money:.2f} {client.currency}") for r in found.pop("data").itertuples()
    ]
    method = pd.DataFrame([*about, *card.itertuples(index=False, name=None), *rows], columns=list(card.columns))
    customers = found.pop("customers")
    first = [c for c in _BY_VALUE if c in customers and customers[c].notna().any()][:1]
    customers = customers.sort_values([*first, "customer_id"], ascending=[False] * len(first) + [True])
    sheets = {"summary": summary, "customers": customers, "segments": found.pop("segments", None)}
    sheets |= {"actions": found.pop("scenarios", None), "method": method, **found}
    return {name: table for name, table in sheets.items() if table is not None and len(table)}
