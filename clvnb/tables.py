"""The columns of every table that crosses a file border, the values that travel with them, and the errors.

In: any pandas or Ibis table. Out: the same table, checked; or an error that names the column and the way out.

What the columns mean; ``customer_id`` is text, money is in the client's currency, and further columns may be carried:

- ``LOG``, one row per order line: ``date``, the client's business day; ``amount``, money of the row, below 0 for a
  refund; ``order_id``; ``margin``, money that the row leaves (no share); ``cost``, money; ``channel``; ``product``;
  ``currency``, ISO 4217.
- ``SUMMARY``, one row per customer: ``frequency``, days with a repeat purchase; ``recency``, days from the first
  purchase to the last; ``T``, days from the first purchase to the as-of day; ``monetary_value``, mean money of a repeat
  purchase, missing without one; ``log_gaps``, sum of the logarithms of the days between purchases; ``days_since_last``,
  days; ``purchases``, frequency + 1; ``historic_revenue`` and ``historic_value``, money to date, refunds taken off, the
  second after margin and cost to serve; ``first_date``, ``last_date``; ``channel`` of the first purchase.
- ``CONTRACTS``, one row per contract: ``start``; ``end``, missing while it runs; ``price``, money per billing period;
  ``plan``; ``billing``, monthly, quarterly or annual; ``channel``; ``cancel_reason``.
- ``SUBSCRIPTIONS``, one row per customer: ``plan``; ``renewals``, made; ``opportunities``, renewals that came due;
  ``active``; ``price``, money per billing period; ``period``, its months; ``days_to_next``, days until the next
  renewal, missing when ended; dates and money to date as in a SUMMARY.
- ``CLV``, one row per customer: ``p_alive``, from 0 to 1; ``expected_purchases`` with its interval, an undiscounted
  number over the horizon; ``expected_spend``, money per purchase; ``clv`` with its interval, discounted contribution
  (or revenue) over the horizon; ``historic_value``, money to date; ``total_value``, historic_value + clv; ``cac``,
  money; ``clv_net``, clv - cac; ``segment``; ``tier``.
- ``SURVEY``, one row per answer: ``date`` of the answer; ``metric``; ``score``, points of the scale from ``scale_min``
  to ``scale_max``; ``wave``; ``attribute``, missing for overall answers; ``expected``, points of the same scale;
  ``comment``; ``channel``; ``invited_at``, when it was asked for.
- ``SCENARIOS``, one row per scenario: ``customers`` reached; ``clv_before`` and ``clv_after``, means per customer
  reached; ``gain`` with its interval and ``cost``, totals discounted over the horizon; ``roi``, (gain - cost) / cost;
  ``p_pays_off``, from 0 to 1; ``payback_years``.
- ``PREDICTIONS``, one row per customer, origin and model: ``origin`` (the last day known) and ``horizon`` (days predicted);
  ``customer_id, model, mean, actual`` (purchases); optional quantiles ``q05 … q95``, ``crps``, ``covered`` (the part of the
  outcome inside the 90 % interval), ``money_mean, money_actual``;
- ``VERDICTS``, one row per verdict: ``metric``; ``design``; ``before``, ``after`` and ``change`` with its interval, in
  the outcome's unit; ``n``, customers or answers; ``verdict``; ``sentence``.
"""

from __future__ import annotations

import difflib
import html
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

__all__ = [
    "CLV",
    "CONTRACTS",
    "LOG",
    "SUBSCRIPTIONS",
    "SCENARIOS",
    "SUMMARY",
    "SURVEY",
    "PREDICTIONS",
    "VERDICTS",
    "Checked",
    "ClientError",
    "ClvnbError",
    "DataWarning",
    "Estimate",
    "Finding",
    "FitError",
    "ReportError",
    "Table",
    "TableError",
    "Told",
    "as_day",
    "check",
    "need",
    "closest",
]


class ClvnbError(Exception):
    """The parent of every error that clvnb raises on purpose; its text says what is wrong and the way out."""


class TableError(ClvnbError):
    """A table lacks a column, holds impossible values, or lost more rows than allowed.

    Raised by whatever checks a table.
    """


class ClientError(ClvnbError):
    """A client's folder or its ``client.yaml`` cannot be used as it stands.

    Raised by ``Client.load``, ``load_sample``, the readers of files and the steps.
    """


class FitError(ClvnbError):
    """A model cannot be estimated on these data; the text says why and what to use instead.

    Raised by ``fit`` of every model, by what asks a model that has no parameters, and by ``choose_model`` and
    ``new_customer_values``.
    """


class ReportError(ClvnbError):
    """A report could not be made.

    Raised by ``report_clients``, ``customer_cards``, ``begin_client`` and ``write_table``.
    """


class UsageError(ReportError):
    """What was asked for cannot be done as it was asked; nothing was begun.

    Raised by ``report_clients`` and ``customer_cards``.
    """


class DataWarning(UserWarning):
    """Something in the data that a reader should know before trusting a number.

    Given by ``clvnb.compat``, and by a picture that cannot be drawn; elsewhere such things are findings and lights.
    """


@dataclass(frozen=True)
class Table:
    """The contract of one kind of table: its name, the columns it must have and those it may have.

    Attributes
    ----------
    name : str
        As errors say it.
    required, optional : tuple of str
        Names of columns.
    """

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


LOG = Table(
    "LOG",
    ("customer_id", "date", "amount"),
    ("order_id", "margin", "cost", "channel", "product", "currency"),
)
SUMMARY = Table(
    "SUMMARY",
    ("customer_id", "frequency", "recency", "T"),
    (
        "monetary_value",
        "log_gaps",
        "days_since_last",
        "purchases",
        "historic_revenue",
        "historic_value",
        "first_date",
        "last_date",
        "channel",
    ),
)
CONTRACTS = Table(
    "CONTRACTS",
    ("customer_id", "start", "end", "price"),
    ("plan", "billing", "channel", "cancel_reason"),
)
SUBSCRIPTIONS = Table(
    "SUBSCRIPTIONS",
    ("customer_id", "plan", "renewals", "opportunities", "active", "price", "period"),
    ("days_to_next", "first_date", "last_date", "historic_revenue", "historic_value", "channel"),
)
CLV = Table(
    "CLV",
    ("customer_id", "p_alive", "expected_purchases", "expected_spend", "clv", "clv_low", "clv_high"),
    (
        "expected_purchases_low",
        "expected_purchases_high",
        "historic_value",
        "total_value",
        "cac",
        "clv_net",
        "segment",
        "tier",
        "plan",
        "expected_purchases_half",
    ),
)
SURVEY = Table(
    "SURVEY",
    ("date", "metric", "score"),
    ("customer_id", "wave", "scale_min", "scale_max", "comment", "channel", "attribute", "expected", "invited_at"),
)
SCENARIOS = Table(
    "SCENARIOS",
    ("scenario", "customers", "clv_before", "clv_after", "gain", "gain_low", "gain_high", "cost", "roi", "p_pays_off",
     "payback_years"),
)  # fmt: skip
PREDICTIONS = Table(
    "PREDICTIONS",
    ("origin", "horizon", "customer_id", "model", "mean", "actual"),
    ("baseline", "q05", "q25", "q50", "q75", "q95", "crps", "covered", "money_mean", "money_actual"),
)
VERDICTS = Table(
    "VERDICTS",
    ("metric", "design", "before", "after", "change", "change_low", "change_high", "n", "verdict", "sentence"),
)


def closest(name: str, names: Iterable[str]) -> str:
    """Return a hint such as ``; did you mean 'amount'?``, or an empty text when nothing is near.

    Examples
    --------
    >>> closest("amuont", ["date", "amount"])
    "; did you mean 'amount'?"
    """
    near = difflib.get_close_matches(str(name), list(names), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def need(frame: Any, names: Iterable[str], what: str) -> None:
    """Refuse a table that lacks a column.

    Raises
    ------
    TableError
        Naming the first column that is missing, and the nearest one present.

    Examples
    --------
    >>> import pandas as pd
    >>> need(pd.DataFrame({"plan": []}), ["plna"], "the survey")
    Traceback (most recent call last):
    ...
    clvnb.tables.TableError: the survey has no column 'plna'; did you mean 'plan'?; it has: plan
    """
    present = [str(c) for c in frame.columns]
    for name in names:
        if name not in present:
            raise TableError(f"{what} has no column {name!r}{closest(name, present)}; it has: {', '.join(present)}")


def as_day(value: date | str | None) -> date | None:
    """Return a day from a date, a time stamp or ISO text; nothing from nothing.

    Raises
    ------
    TableError
        When the text is no day.

    Examples
    --------
    >>> as_day("2025-06-30")
    datetime.date(2025, 6, 30)
    """
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return datetime.fromisoformat(str(value).strip()).date()
    except ValueError as error:
        raise TableError(f"{value!r} is not a day: write it as 2025-06-30") from error


def check(frame: Any, table: Table) -> Any:
    """Return ``frame`` untouched if it has every column that ``table`` requires.

    Parameters
    ----------
    frame : pandas.DataFrame or ibis.Table
    table : Table
        For example ``LOG`` or ``SUMMARY``.

    Raises
    ------
    TableError
        Naming the missing columns, the nearest ones present, and what the table needs.

    Examples
    --------
    >>> import pandas as pd
    >>> check(pd.DataFrame({"customer_id": [], "date": [], "amuont": []}), LOG)
    Traceback (most recent call last):
    ...
    clvnb.tables.TableError: a LOG needs the column 'amount', which is missing; did you mean 'amuont'? \
It has: customer_id, date, amuont. Rename it, or name it under `columns:` in client.yaml.
    """
    columns = getattr(frame, "columns", None)
    if columns is None:
        raise TableError(f"a {table.name} must be a pandas DataFrame or an Ibis table, got {type(frame).__name__}")
    present = [str(c) for c in columns]
    missing = [c for c in table.required if c not in present]
    if missing:
        spare = [c for c in present if c not in table.required]
        hints = "".join(closest(c, spare) for c in missing[:1])
        many = "columns" if len(missing) > 1 else "column"
        raise TableError(
            f"a {table.name} needs the {many} {', '.join(map(repr, missing))}, which "
            f"{'are' if len(missing) > 1 else 'is'} missing{hints or '.'} It has: {', '.join(present)}. "
            "Rename it, or name it under `columns:` in client.yaml."
        )
    return frame


@dataclass(frozen=True)
class Estimate:
    """One number with its uncertainty.

    Attributes
    ----------
    value, low, high : float
        The estimate and the ends of its interval, in the unit that ``method`` or the caller names.
    level : float
        The share of cases in which the interval holds the truth, for example 0.9.
    n : int
        How many customers, orders or answers it rests on.
    method : str
        How value and interval were made.

    Notes
    -----
    The interval holds its value, by construction: an end that the value lies beyond is moved to the value. That happens
    where value and ends come from different rules, such as the value at the estimates beside quantiles of skewed draws,
    or a plain share beside an adjusted interval. A wider interval holds the truth as often as before, or more often.

    Raises
    ------
    ValueError
        When ``level`` lies outside 0 to 1, or the low end above the high end.

    Examples
    --------
    >>> Estimate(12.0, 9.5, 15.0, level=0.9, n=120, method="bootstrap of customers")
    12 (90 % interval 9.5 to 15, n = 120)
    """

    value: float
    low: float
    high: float
    level: float
    n: int
    method: str

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise ValueError(f"level must lie between 0 and 1, got {self.level}")
        if not (math.isnan(self.low) or math.isnan(self.high)) and self.low > self.high:
            raise ValueError(f"the low end {self.low} lies above the high end {self.high}")
        if not (math.isnan(self.value) or math.isnan(self.low) or math.isnan(self.high)):
            object.__setattr__(self, "low", min(self.low, self.value))
            object.__setattr__(self, "high", max(self.high, self.value))

    def __repr__(self) -> str:
        shown = f"{self.value:.5g} ({self.level:.0%} interval {self.low:.5g} to {self.high:.5g}, n = {self.n:,})"
        return shown.replace("%", " %", 1)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Estimate:
        """Return the estimate that ``to_dict`` saved.

        Parameters
        ----------
        saved : mapping
            From ``to_dict``.

        Returns
        -------
        Estimate
            Missing numbers where ``None`` was saved.

        Examples
        --------
        >>> one = Estimate(1.0, 0.5, 2.0, 0.9, 3, "x")
        >>> Estimate.from_dict(one.to_dict()) == one
        True
        """
        numbers = {k: math.nan if saved[k] is None else float(saved[k]) for k in ("value", "low", "high")}
        return cls(**numbers, level=float(saved["level"]), n=int(saved["n"]), method=str(saved["method"]))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-able values; a number that does not exist becomes ``None``.

        Examples
        --------
        >>> Estimate(1.0, float("nan"), 2.0, 0.9, 3, "x").to_dict()["low"] is None
        True
        """
        numbers = {k: float(getattr(self, k)) for k in ("value", "low", "high")}
        clean: dict[str, Any] = {k: (v if math.isfinite(v) else None) for k, v in numbers.items()}
        return clean | {"level": self.level, "n": int(self.n), "method": self.method}


class Told:
    """What shows itself by a sentence and tables, as text and in a notebook; a class says which in ``_told``."""

    def _told(self) -> tuple[str, Iterable[pd.DataFrame]]:
        raise NotImplementedError

    def __str__(self) -> str:
        return self._told()[0]

    def __repr__(self) -> str:
        text, tables = self._told()
        return "\n\n".join([text, *(t.to_string(index=False) for t in tables if not t.empty)])

    def _repr_html_(self) -> str:
        text, tables = self._told()
        return f"<p>{html.escape(text)}</p>" + "".join(table_html(t) for t in tables)


@dataclass(frozen=True, repr=False)
class Finding(Told):
    """A table with the sentences that say what it shows.

    Attributes
    ----------
    table : pandas.DataFrame
        Full precision; rounding is left to whoever shows it.
    text : str
        Sentences made from the table by the code that made the table, never typed by hand.

    Examples
    --------
    >>> import pandas as pd
    >>> print(Finding(pd.DataFrame({"rows": [3]}), "Three rows were read."))
    Three rows were read.
    """

    table: pd.DataFrame
    text: str

    def _told(self) -> tuple[str, Iterable[pd.DataFrame]]:
        return self.text, [self.table]


@dataclass(frozen=True)
class Checked:
    """Checked data: what is kept, what is not, and why.

    Attributes
    ----------
    kept : pandas.DataFrame or ibis.Table
        The rows that later steps use, of the same kind as the table that came in.
    rejected : pandas.DataFrame or ibis.Table
        The rows that were set aside, with the column ``rule``.
    findings : tuple of Finding
        The first is the account: rows and money read, kept and rejected by rule, which always add up.

    Examples
    --------
    >>> from clvnb import check_transactions
    >>> log = pd.DataFrame({"customer_id": ["a", None], "date": ["2024-01-31"] * 2, "amount": [10.0, 5.0]})
    >>> checked = check_transactions(log, max_loss=0.5)
    >>> len(checked.kept), len(checked.rejected)
    (1, 1)
    """

    kept: Any
    rejected: Any
    findings: tuple[Finding, ...]

    @property
    def account(self) -> pd.DataFrame:
        """Rows read, set aside by rule, and kept.

        Returns
        -------
        pandas.DataFrame
            ``rule, rows`` and, of orders and contracts, ``money``: in the log's currency, of contracts the prices of
            one billing period.
        """
        return self.findings[0].table

    def __str__(self) -> str:
        return "\n".join(f.text for f in self.findings)

    def __repr__(self) -> str:
        return f"Checked\n{self}"

    def _repr_html_(self) -> str:
        told = [(f, list(f.table.columns) == ["check", "found", "do"]) for f in self.findings]
        lines = "".join(f"<li>{html.escape(f.text)}</li>" for f, odd in told if not odd)
        tables = "".join(table_html(f.table) for f, odd in told if odd)
        look = f"<p><strong>To look at before the numbers are trusted</strong></p>{tables}" if tables else ""
        return f"<ul>{lines}</ul>{table_html(self.account)}{look}"


def table_html(frame: pd.DataFrame, formats: Mapping[str, str] | None = None, numbers: Iterable[str] = ()) -> str:
    """Return ``frame`` as an HTML table: escaped, numbers right-aligned, no index, scrollable when wide.

    Parameters
    ----------
    frame : pandas.DataFrame
    formats : mapping of column to format, optional
        For example ``{"share": "{:.1%}"}``; other numbers show up to four significant digits.

    numbers : names of columns, optional
        Aligned as numbers although they are text.

    Examples
    --------
    >>> import pandas as pd
    >>> "&lt;b&gt;" in table_html(pd.DataFrame({"name": ["<b>"]}))
    True
    """
    if frame.empty:
        return ""
    given = dict(formats or {})
    shown = pd.DataFrame({str(c): [_cell(v, given.get(str(c))) for v in frame[c]] for c in frame.columns}, dtype=object)
    numeric = [c in set(numbers) or pd.api.types.is_numeric_dtype(frame[c]) for c in frame.columns]
    head = "".join(
        f'<th scope="col"{_right(is_number)}>{html.escape(str(c))}</th>'
        for c, is_number in zip(shown.columns, numeric, strict=True)
    )
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td{_right(is_number)}{_long(v)}>{html.escape(str(v))}</td>"
            for v, is_number in zip(row, numeric, strict=True)
        )
        + "</tr>"
        for row in shown.itertuples(index=False, name=None)
    )
    return (
        '<div class="table-wrap" tabindex="0"><table class="clvnb">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _long(value: object) -> str:
    """A cell that holds a sentence keeps a readable width on a narrow screen, and the table scrolls."""
    return ' class="long"' if len(str(value)) > 40 else ""


def _right(is_number: bool) -> str:
    return ' class="num"' if is_number else ""


def _cell(value: Any, pattern: str | None) -> str:
    if value is None or (np.isscalar(value) and pd.isna(value)):
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if pattern is not None:
        return pattern.format(value)
    if isinstance(value, int | np.integer):
        return f"{int(value):,}"
    if isinstance(value, float | np.floating):
        number = float(value)
        return f"{number:,.0f}" if abs(number) >= 10_000 else f"{number:,.4g}"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return str(value)
