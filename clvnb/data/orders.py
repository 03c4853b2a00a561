"""From any source of orders to a checked log.

In: a file, a glob, a database table, a pandas frame or an Ibis table. Out: LOG, ``Checked``; pandas
frames come back as pandas frames, everything else stays an Ibis table that runs when it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import reduce
from operator import and_, or_
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..core.engine import as_ibis, dialect, give_back, hold, is_ibis, run
from ..core.errors import TableError
from ..core.results import Checked, Finding
from ..core.tables import LOG, as_day, check, closest
from ..core.words import Words
from .client import Client, Source
from .rates import in_one_currency, stated_currency
from .sources import (
    BELOW_TABLE,
    FURTHER_LINES,
    PAID_BACK,
    REPEATED_NAMES,
    SIGNS,
    TOTALS,
    Opened,
    as_date,
    as_number,
    as_text,
    open_source,
    read_table,
    typed,
)
from .suspicions import suspicions

if TYPE_CHECKING:
    import ibis

__all__ = ["check_transactions", "read_transactions"]

_KEPT = "kept"
_LARGEST = 1e13  # in any currency
_OF_READING = {"line", "line_kind", "date_text", "amount_text", "amount_sign", "refunded", "no_rate", "unused", "file"}
_LATER, _EXCLUDED = "after the as-of date", "excluded by client.yaml"
_SPOILED = r"^\d([.,]\d+)?[eE]\+\d+$"
_PLACEHOLDERS = [
    date(1, 1, 1),
    date(1753, 1, 1),
    date(1899, 12, 30),
    date(1899, 12, 31),
    date(1900, 1, 1),
    date(1970, 1, 1),
]
_REPLACED = "order that a later file holds again"
_WHAT_TO_DO = {  # where every row is lost by the same rule
    "date unreadable": "; say how days are written: date_format, such as '%d.%m.%Y' or '%d/%m/%Y %H:%M'",
    "amount unreadable": "; say how amounts are written: decimal=',' and thousands='.', or the other way round",
    "id spoiled by a spreadsheet": "; ids such as 4.56E+12 have lost their digits: export again, and open no csv in a "
    "spreadsheet before",
    "customer missing": "; name the column that says who bought, under `columns:`",
}
_NO_FAULTS = [
    _LATER,
    _REPLACED,
    _EXCLUDED,
    REPEATED_NAMES,
    TOTALS,
    BELOW_TABLE,
    FURTHER_LINES,
    PAID_BACK,
]  # excluded as they should be


# ---------------------------------------------------------------------------------------------- reading


def read_transactions(
    source: Client | str | Path | pd.DataFrame | ibis.Table,
    *,
    columns: Mapping[str, str] | None = None,
    timezone: str = "UTC",
    date_format: str | None = None,
    decimal: str = ".",
    thousands: str = "",
    delimiter: str | None = None,
    encoding: str = "utf-8",
) -> Any:
    """Read orders from anywhere into a LOG.

    Parameters
    ----------
    source : Client, path, glob, pandas.DataFrame or ibis.Table
        A ``Client`` brings all other settings along. Files: csv, tsv, txt, xlsx, xls, ods, parquet, feather, jsonl;
        packed (.gz, .zip) or not.
    columns : mapping, optional
        clvnb's names to the source's, for example ``{"customer_id": "Customer No", "amount": "Total"}``.
        Needed names are customer_id, date and amount; order_id, margin, cost, channel, product and currency
        are understood; any other name is carried along.
    timezone : str
        Time stamps with an offset are moved to this zone before their day is taken.
    date_format : str, optional
        As in ``strptime``; without it, text dates must be ISO 8601.
    decimal, thousands : str
        How numbers are written in text.
    delimiter, encoding : str
        Of text files.

    Returns
    -------
    LOG
        ``customer_id`` (text), ``date`` (day), ``amount`` (float) and the carried columns, one row per line of the
        source. What could not be read is null, with the text as it stood in ``date_text`` and ``amount_text``
        and its place in ``line``; ``check_transactions`` sorts those rows out. A frame for a frame, otherwise Ibis.

    Raises
    ------
    ClientError, TableError
        When the file is missing, empty or not a table, or a column is not there.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"who": ["007", "007"], "when": ["2024-01-31", "2024-02-03"], "eur": ["1,5", "2,5"]})
    >>> read_transactions(orders, decimal=",",
    ...     columns={"customer_id": "who", "date": "when", "amount": "eur"})[["customer_id", "date", "amount"]]
      customer_id       date  amount
    0         007 2024-01-31     1.5
    1         007 2024-02-03     2.5
    """
    if isinstance(source, Client):
        return read_table(source, source.transactions, LOG.required)
    if isinstance(source, str | Path):
        settings = Source(
            source=str(source),
            columns=dict(columns or {}),
            date_format=date_format,
            decimal=decimal,  # type: ignore[arg-type]
            thousands=thousands,  # type: ignore[arg-type]
            delimiter=delimiter,
            encoding=encoding,
        )
        return typed(open_source(settings, Path.cwd()), settings, timezone, LOG.required)
    settings = Source(
        source="",
        columns=dict(columns or {str(c): str(c) for c in source.columns}),
        date_format=date_format,
        decimal=decimal,  # type: ignore[arg-type]
        thousands=thousands,  # type: ignore[arg-type]
    )
    table = as_ibis(source)
    first_line = (
        2 if dialect(table) == "duckdb" else None
    )  # to number the rows of a cluster would bring them all together
    log = typed(Opened(table, "the table", first_line), settings, timezone, LOG.required)
    return log if is_ibis(source) else run(log.order_by("line"), source)


# --------------------------------------------------------------------------------------------- checking


def check_transactions(
    log: Any,
    *,
    as_of: date | str | None = None,
    refunds: str = "net",
    exclude: Mapping[str, Sequence[str]] | None = None,
    max_loss: float = 0.35,
    currency: str | None = None,
    rates: Mapping[str, float] | pd.DataFrame | None = None,
    words: Words | None = None,
) -> Checked:
    """Sort every row of a LOG into kept or rejected, with the rule, so that rows and money add up.

    Parameters
    ----------
    log : LOG
        From ``read_transactions``.
    as_of : date, optional
        Rows after this day are excluded, as if the report had been written that evening.
    refunds : "net" or "drop"
        ``net``: a negative row reduces the customer's money, on the day of its order where the order number
        tells which. ``drop``: negative rows are rejected.
    exclude : mapping, optional
        Column to the values that mark rows to exclude, for example ``{"status": ["test"]}``.
    max_loss : float
        The largest share of rows that faults may cost before the run stops.
    currency : str, optional
        What the amounts must be in, where the log says it: by a column ``currency`` or a sign beside the amount.
    rates : mapping or pandas.DataFrame, optional
        What one unit of another currency is worth in ``currency``: ``{"USD": 0.92}``, or a frame ``date, currency,
        rate``.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    Checked
        ``kept`` and ``rejected`` in the kind of ``log``; the first finding is the account: rule, rows, money.

    Raises
    ------
    TableError
        When nothing is left, more than ``max_loss`` is lost, ``as_of`` lies in the future, ``exclude`` names a column
        that the log lacks, or the log is in several currencies or another one than ``currency``.
    ValueError
        For ``refunds`` that are neither net nor drop; for ``rates`` without ``currency``.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"customer_id": ["a", None], "date": pd.to_datetime(["2024-01-31"] * 2),
    ...                     "amount": [10.0, 5.0]})
    >>> check_transactions(log, max_loss=0.5).account
                   rule  rows  money
    0              read     2   15.0
    1  customer missing     1    5.0
    2              kept     1   10.0
    """
    if refunds not in {"net", "drop"}:
        raise ValueError(f"refunds must be 'net' or 'drop', got {refunds!r}")
    check(log, LOG)
    day = as_day(as_of)
    if day is not None and day > date.today():
        raise TableError(f"as_of {day} lies in the future: a report can only look back; use a day up to {date.today()}")
    table = _with_text(as_ibis(log))
    if rates is not None:
        if currency is None:
            raise ValueError("rates turn amounts into `currency`, which is not given")
        table = in_one_currency(table, currency, rates)
    ruled = table.mutate(rule=_rules(table, day, refunds, dict(exclude or {})))
    facts = run(_account(ruled), log)
    account, kept_facts = _add_up(facts, max_loss)
    _one_currency(kept_facts, currency)
    bare = [c for c in table.columns if c not in _OF_READING]
    kept = ruled.filter(ruled.rule == _KEPT).select(*bare)
    if kept_facts.negative and "order_id" in bare:
        kept = _refunds_on_their_orders(kept)
    kept = hold(kept)
    rejected = ruled.filter(ruled.rule != _KEPT)
    words = words or Words("XXX")
    findings = [
        _say_account(
            account,
            run(rejected.order_by("line", "date_text", "customer_id", "amount_text").limit(500), log)
            if len(account) > 2
            else None,
            words,
        )
    ]
    findings += _say_kept(table, ruled, kept_facts, refunds, words, log)
    if exclude and _EXCLUDED not in set(account["rule"]):
        said = "; ".join(f"{column}: {', '.join(values)}" for column, values in exclude.items())
        text = f"`exclude:` names {said}, and no row is like that: capitals and blanks count."
        findings.append(Finding(pd.DataFrame({"exclude": [said]}), text))
    if rates is not None:
        findings.append(_say_rates(ruled, currency, words, log))
    odd = suspicions(kept, as_of=day, words=words)
    findings += [odd] if odd else []
    return Checked(
        kept if is_ibis(log) else run(kept, kept),
        give_back(rejected, log),
        tuple(findings),
        customers=int(kept_facts.customers),
        last=pd.Timestamp(kept_facts.last).date(),
    )


def _with_text(table: ibis.Table) -> ibis.Table:
    """Bring a log that was not read by ``read_transactions`` to its types; keep the text it came with."""
    import ibis

    new: dict[str, Any] = {}
    if not table.customer_id.type().is_string():
        new["customer_id"] = as_text(table.customer_id)
    if not table.date.type().is_date():
        new["date"] = as_date(table.date, None, "UTC")
    if not table.amount.type().is_float64():
        new["amount"] = as_number(table.amount, ".", "")
    if "line" not in table.columns:
        new["line"] = ibis.row_number() + 1 if dialect(table) == "duckdb" else ibis.null("int64")
    for name in ("date", "amount"):
        if f"{name}_text" not in table.columns:
            new[f"{name}_text"] = table[name].cast("string")
    return table.mutate(**new) if new else table


def _rules(table: ibis.Table, as_of: date | None, refunds: str, exclude: dict[str, Sequence[str]]) -> Any:
    """The rule that each row falls under; the first that fits wins."""
    import ibis

    for column in exclude:
        if column not in table.columns:
            raise TableError(
                f"`exclude:` names the column {column!r}, which the log lacks{closest(column, table.columns)}; "
                "list it under `columns:` as well"
            )
    excluded = [_is_one_of(table[c].cast("string"), values) for c, values in exclude.items()]
    content = [c for c in table.columns if c not in {"line", "file"}]
    newest_first = [*([ibis.desc("file")] if "file" in table.columns else []), "line"]
    repeated = (
        (ibis.row_number().over(group_by=content, order_by=newest_first) > 0) & table.order_id.notnull()
        if "order_id" in table.columns
        else ibis.literal(False)
    )
    usable = table.customer_id.notnull() & table.date.notnull() & (table.amount >= 0)
    usable = reduce(and_, [usable, *[~one for one in excluded]])
    never_bought = ~usable.any().over(group_by="customer_id")
    branches = [
        (reduce(or_, excluded), _EXCLUDED) if excluded else None,
        (table.line_kind.notnull(), table.line_kind) if "line_kind" in table.columns else None,
        (table.customer_id.isnull(), "customer missing"),
        (table.customer_id.re_search(_SPOILED), "id spoiled by a spreadsheet"),
        (table.date.isnull(), "date unreadable"),
        (table.date.isin(_PLACEHOLDERS), "date that stands for none, such as 1900-01-01"),
        (table.no_rate, "no exchange rate for its currency and day") if "no_rate" in table.columns else None,
        (table.amount.isnull() | table.amount.isnan() | table.amount.isinf(), "amount unreadable"),
        (table.amount.abs() > _LARGEST, "amount beyond any order"),
        (_again_later(table), _REPLACED),
        (repeated, "repeated row of the same order"),
        (table.date > date.today(), "dated in the future"),
        (table.date > as_of, _LATER) if as_of is not None else None,
        (table.amount < 0, "refund") if refunds == "drop" else None,
        (never_bought, "refund without a purchase"),
    ]
    return ibis.cases(*[b for b in branches if b is not None], else_=_KEPT)


def _is_one_of(text: Any, values: Sequence[str]) -> Any:
    """Whether a cell holds one of some values; ``*`` is anything."""
    found = text.isin(list(values))
    return ((found | (text.strip() != "")) if "*" in values else found).fill_null(False)


def _again_later(table: ibis.Table) -> Any:
    """Lines of an order that stands in a later file as well, as it was then: paid back in part, or cancelled."""
    import ibis

    if not {"order_id", "file"} <= set(table.columns):
        return ibis.literal(False)
    # Where numbers begin anew each year, 17 of 2023 and 17 of 2024 are two orders.
    same = [table.customer_id, table.order_id, table.date.year()]
    latest = table.file.max(where=table.amount >= 0).over(group_by=same)
    return table.order_id.notnull() & (table.file < latest)


def _account(ruled: ibis.Table) -> ibis.Table:
    import ibis

    one_already = "no_rate" in ruled.columns  # turned into the client's by rates
    ruled = ruled.mutate(stated=ibis.null("string") if one_already else stated_currency(ruled))
    return ruled.group_by("rule").aggregate(
        rows=ruled.count(),
        money=ruled.amount.sum(where=~ruled.amount.isinf()),  # an infinite one is unreadable
        customers=ruled.customer_id.nunique(),
        first=ruled.date.min(),
        last=ruled.date.max(),
        negative=(ruled.amount < 0).sum(),
        negative_money=ruled.amount.sum(where=ruled.amount < 0),
        zero=(ruled.amount == 0).sum(),
        currencies=ruled.stated.nunique(),
        one_currency=ruled.stated.min(),
        other_currency=ruled.stated.max(),
    )


def _one_currency(kept: Any, currency: str | None) -> None:
    """Refuse amounts in several currencies, or in another one than the client's."""
    if int(kept.currencies) > 1:
        raise TableError(
            f"the log holds {int(kept.currencies)} currencies, such as {kept.one_currency} and {kept.other_currency}, "
            "which must not be added up; say what they are worth by `rates:` in client.yaml, such as `rates: {USD: 0.92}`, "
            "or leave all but one out with `exclude: {currency: [...]}`"
        )
    if int(kept.currencies) == 1 and currency is not None:
        stated = str(kept.one_currency)
        if currency not in SIGNS.get(stated, (stated.upper(),)):
            raise TableError(
                f"the amounts are in {stated}, but client.yaml says `currency: {currency}`; write the log's currency there"
            )


def _add_up(facts: pd.DataFrame, max_loss: float) -> tuple[pd.DataFrame, Any]:
    """Make the account of rows and money, and stop when too little is left."""
    if facts.empty:
        raise TableError("the log has no rows; check the file and its filters")
    facts = _totals_apart(facts.fillna({"money": 0.0, "negative": 0, "zero": 0, "negative_money": 0.0}))
    rejected = facts[facts["rule"] != _KEPT].sort_values(["rows", "rule"], ascending=[False, True])
    kept = facts[facts["rule"] == _KEPT]
    counts = "; ".join(f"{r.rule}: {r.rows:,}" for r in rejected.itertuples())
    if kept.empty:
        way = _WHAT_TO_DO.get(str(rejected["rule"].iloc[0]), "")
        raise TableError(f"no row of {int(facts['rows'].sum()):,} can be used ({counts}){way}")
    no_fault = rejected["rule"].isin(_NO_FAULTS)
    faults = int(rejected.loc[~no_fault, "rows"].sum())
    looked_at = int(facts["rows"].sum()) - int(rejected.loc[no_fault, "rows"].sum())
    if faults > max_loss * looked_at:
        raise TableError(
            f"{faults:,} of {looked_at:,} rows ({faults / looked_at:.0%}) would be lost, more than the allowed "
            f"{max_loss:.0%} ({counts}); mend the export, or set `max_loss:` under `transactions:`"
        )
    read = pd.DataFrame({"rule": ["read"], "rows": [int(facts["rows"].sum())], "money": [facts["money"].sum()]})
    account = pd.concat([read, rejected[["rule", "rows", "money"]], kept[["rule", "rows", "money"]]])
    return account.reset_index(drop=True), next(kept.itertuples(index=False))


def _totals_apart(facts: pd.DataFrame) -> pd.DataFrame:
    """Count no money of lines that add others up, and know such a line by its money where nothing else tells."""
    alone = (facts["rows"] == 1) & facts["rule"].isin(["customer missing", "date unreadable"])
    others = facts["money"].sum() - facts["money"]
    sums = alone & ((facts["money"] - others).abs() < 0.005) & (others > 0) & (facts["rows"].sum() > 3)
    rule = facts["rule"].mask(sums, TOTALS)
    money = facts["money"].mask(rule == TOTALS, 0.0)
    if sums.sum() > 1 or sums.any() and (facts["rule"] == TOTALS).any():
        return facts  # one total is enough, and two lines that add up each other are none
    return facts.assign(rule=rule, money=money)


def _refunds_on_their_orders(kept: ibis.Table) -> ibis.Table:
    """Move a refund to the day of its order, where the number tells which; ``known_on`` keeps the day it came."""
    sold = (kept.amount >= 0).ifelse(kept.date, None)
    same = ["customer_id", "order_id"]
    before = sold.max().over(group_by=same, order_by=kept.date, range=(None, 0))  # numbers may begin anew each year
    first = sold.min().over(group_by=same)
    ordered_on = before.coalesce(first)
    own = kept.order_id.notnull() & (kept.amount < 0) & ordered_on.notnull()
    return kept.mutate(date=own.ifelse(ordered_on, kept.date), known_on=kept.date)


def _say_account(account: pd.DataFrame, examples: pd.DataFrame | None, words: Words) -> Finding:
    read, kept = account.iloc[0], account.iloc[-1]
    text = (
        f"{words.counted(read.rows, 'order line')} read, worth {_say(words, read.money)}; "
        f"{words.count(kept.rows)} used, worth {_say(words, kept.money)}."
    )
    for row in account.iloc[1:-1].itertuples():
        text += f" Excluded, {row.rule}: {words.counted(row.rows, 'line')}, {_say(words, row.money)}"
        if examples is not None and row.rule != _LATER:
            these = examples[examples["rule"] == row.rule].head(1)
            text += "".join(
                f" (such as {'' if pd.isna(e.line) else f'line {int(e.line)}: '}customer {_short(e.customer_id)}, date {_short(e.date_text)}, "
                f"amount {_short(e.amount_text)})"
                for e in these.itertuples()
            )
        text += "."
    return Finding(account, text)


def _say_rates(ruled: ibis.Table, currency: str | None, words: Words, like: Any) -> Finding:
    """Say which amounts were in other currencies."""
    used = ruled.filter(ruled.rule == _KEPT)
    sums = used.group_by("currency").aggregate(lines=used.count(), money=used.amount.sum())
    table = run(sums.order_by(sums.lines.desc(), "currency"), like)
    others = table[table["currency"] != currency]
    told = [
        f"{words.counted(r.lines, 'line')} in {r.currency}, worth {_say(words, r.money)}" for r in others.itertuples()
    ]
    return Finding(table, f"Turned into {currency} at the rates given: {'; '.join(told) or 'nothing was needed'}.")


def _say(words: Words, value: float) -> str:
    return words.count(value, digits=2) if words.currency == "XXX" else words.money(value)


def _short(value: object) -> str:
    text = "missing" if value is None or value != value else str(value)
    return text if len(text) <= 40 else text[:37] + "…"


def _say_kept(table: ibis.Table, ruled: ibis.Table, kept: Any, refunds: str, words: Words, like: Any) -> list[Finding]:
    """Say what a reader should know of the rows that are used."""
    span = pd.DataFrame(
        {"customers": [kept.customers], "lines": [kept.rows], "first": [kept.first], "last": [kept.last]}
    )
    said = [
        Finding(
            span,
            f"They come from {words.counted(kept.customers, 'customer')}, {words.day(kept.first)} to "
            f"{words.day(kept.last)}.",
        )
    ]
    if kept.negative and refunds == "net":
        table_ = pd.DataFrame({"refunds": [kept.negative], "money": [kept.negative_money]})
        said.append(
            Finding(
                table_,
                f"{words.counted(kept.negative, 'refund')} {'takes' if kept.negative == 1 else 'take'} back {_say(words, -kept.negative_money)}; each "
                "counts against its order where the order number tells which, otherwise on its own day.",
            )
        )
    if kept.zero:
        said.append(
            Finding(
                pd.DataFrame({"zero": [kept.zero]}),
                f"{words.counted(kept.zero, 'line')} for nothing: counted as purchases without money.",
            )
        )
    if "order_id" not in table.columns:
        content = [c for c in table.columns if c not in {"line", "file"}]
        used = ruled.filter(ruled.rule == _KEPT)
        again = used.group_by(content).aggregate(copies=used.count())
        rows = run(again.filter(again.copies > 1).aggregate(extra=(again.copies - 1).sum()), like)
        extra = 0 if pd.isna(rows["extra"].iloc[0]) else int(rows["extra"].iloc[0])
        if extra:
            said.append(
                Finding(
                    pd.DataFrame({"repeated": [extra]}),
                    f"{words.counted(extra, 'line')} equal to another one in every column; there is no order number "
                    "to tell copies from real repeats, so they are used.",
                )
            )
    return said
