"""The columns of every table that crosses a file border.

In: any pandas or Ibis table. Out: the same table, checked; or an error that names the column and what to do.

What the columns mean; ``customer_id`` is text, money is in the client's currency, and further columns may be carried:

- ``LOG``, one row per order line: ``date``, the client's business day; ``amount``, money of the row, below 0 for a
  refund; ``order_id``; ``margin``, the row's contribution in money (no share); ``cost``, money; ``channel``; ``product``;
  ``currency``, ISO 4217.
- ``SUMMARY``, one row per customer: ``frequency``, days with a repeat purchase; ``recency``, days from the first
  purchase to the last; ``T``, days from the first purchase to the as-of day; ``monetary_value``, mean money of a repeat
  purchase, missing without one; ``log_gaps``, sum of the logarithms of the days between purchases; ``days_since_last``,
  days; ``purchases``, frequency + 1; ``historic_revenue`` and ``historic_value``, money to date, net of refunds, the
  second after margin and cost to serve; ``first_spend``, money of the day of the first purchase; ``first_date``, ``last_date``;
  ``channel`` of the first purchase.
- ``CONTRACTS``, one row per contract: ``start``; ``end``, missing while it runs; ``price``, money per billing period;
  ``plan``; ``product``; ``billing``, monthly, quarterly, half-yearly, annual or two-yearly; ``channel``; ``cancel_reason``.
- ``SPELLS``, one row per stretch of a product at one price: ``start``, ``end``, the first day without it, known ends to
  come included; ``period``, months; ``price``, money of one per billing period; ``quantity``; ``status``; ``life``;
  ``reason``; ``plan``; ``channel``.
- ``MRR``, one row per month: money a month, ``opening`` + ``new`` + ``expansion`` + ``contraction`` + ``churn`` +
  ``reactivation`` = ``closing``, losses below 0; customers won, lost and back, at the beginning and at the end.
- ``SUBSCRIPTIONS``, one row per customer (or per life): ``plan``; ``renewals``, made; ``opportunities``, renewals that came due;
  ``active``; ``price``, money per billing period; ``period``, its months; ``days_to_next``, days until the next
  renewal, missing when ended; ``renewals_left`` before a known end, missing where none is known; dates and money to date as in a SUMMARY.
- ``CLV``, one row per customer: ``p_alive``, from 0 to 1; ``expected_purchases`` with its interval, an undiscounted
  number over the horizon; ``expected_spend``, money per purchase; ``clv`` with its interval, discounted contribution
  (or revenue) over the horizon; ``historic_value``, money to date; ``total_value``, historic_value + clv; ``cac``,
  money; ``clv_net``, clv - cac; ``segment``; ``tier``.
- ``SURVEY``, one row per answer: ``date`` of the answer; ``metric``; ``score``, points of the scale from ``scale_min``
  to ``scale_max``; ``wave``; ``attribute``, missing for overall answers; ``expected``, points of the same scale;
  ``comment``; ``channel``; ``invited_at``, when it was asked for.
- ``SCENARIOS``, one row per scenario: ``customers`` reached; ``clv_before`` and ``clv_after``, means per customer
  reached; ``gain`` with its interval and ``cost``, totals discounted over the horizon; ``roi``, (gain - cost) / cost;
  ``p_profit``, from 0 to 1; ``payback_years``.
- ``PREDICTIONS``, one row per customer, origin and model: ``origin`` (the last day known) and ``horizon`` (days predicted);
  ``customer_id, model, mean, actual`` (purchases); optional quantiles ``q05 … q95``, ``crps``, ``covered`` (the part of the
  outcome inside the 90 % interval), ``money_mean, money_actual``;
- ``VERDICTS``, one row per verdict: ``metric``; ``design``; ``before``, ``after`` and ``change`` with its interval, in
  the outcome's unit; ``n``, customers or answers; ``verdict``; ``sentence``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd

from .engine import is_ibis, kind_of
from .errors import TableError

__all__ = [
    "CLV",
    "CONTRACTS",
    "LOG",
    "MRR",
    "SPELLS",
    "SUBSCRIPTIONS",
    "SCENARIOS",
    "SUMMARY",
    "SURVEY",
    "PREDICTIONS",
    "VERDICTS",
    "Table",
    "as_day",
    "check",
    "need",
    "closest",
]


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
        "first_spend",
        "historic_value",
        "first_date",
        "last_date",
        "channel",
    ),
)
CONTRACTS = Table(
    "CONTRACTS",
    ("customer_id", "start", "end", "price"),
    ("plan", "billing", "product", "channel", "cancel_reason", "quantity", "status", "contract_id"),
)
SPELLS = Table(
    "SPELLS",
    ("customer_id", "product", "start", "end", "period", "price", "quantity", "status", "life"),
    ("reason", "plan", "channel"),
)
MRR = Table(
    "MRR",
    ("month", "new", "expansion", "contraction", "churn", "reactivation", "opening", "closing"),
    ("customers_opening", "customers_new", "customers_lost", "customers_back", "customers_closing"),
)
SUBSCRIPTIONS = Table(
    "SUBSCRIPTIONS",
    ("customer_id", "plan", "renewals", "opportunities", "active", "price", "period"),
    (
        "days_to_next",
        "renewals_left",
        "first_date",
        "last_date",
        "historic_revenue",
        "historic_value",
        "channel",
        "start",
        "end",
        "running",
        "life",
    ),
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
    ("scenario", "customers", "clv_before", "clv_after", "gain", "gain_low", "gain_high", "cost", "roi", "p_profit",
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
    clvnb.core.errors.TableError: the survey has no column 'plna'; did you mean 'plan'?; it has: plan
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
    clvnb.core.errors.TableError: a LOG needs the column 'amount', which is missing; did you mean 'amuont'? \
It has: customer_id, date, amuont. Rename it, or name it under `columns:` in client.yaml.
    """
    if not isinstance(frame, pd.DataFrame) and not is_ibis(frame):
        raise TableError(f"a {table.name} must be a pandas DataFrame or an Ibis table, got {kind_of(frame)}")
    present = [str(c) for c in frame.columns]
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
