"""What functions give back beside tables: one number with its range, a table with its sentences, checked data.

In: numbers, tables, sentences. Out: ``Estimate``, ``Finding``, ``Checked``, which show themselves in a notebook.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["LEFT", "Checked", "Estimate", "Finding", "Told", "escaped", "table_html"]


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
        return f"<p>{escaped(text)}</p>" + "".join(table_html(t) for t in tables)


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
        The rows that were excluded, with the column ``rule``.
    findings : tuple of Finding
        The first is the account: rows and money read, kept and rejected by rule, which always add up.
    customers : int or None
        How many customers the kept rows have; of orders alone, as ``last``.
    last : date or None
        The last day among the kept rows.

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
    customers: int | None = None
    last: date | None = None

    @property
    def account(self) -> pd.DataFrame:
        """Rows read, excluded by rule, and kept.

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
        lines = "".join(f"<li>{escaped(f.text)}</li>" for f, odd in told if not odd)
        tables = "".join(table_html(f.table) for f, odd in told if odd)
        look = f"<p><strong>To look at before the numbers are trusted</strong></p>{tables}" if tables else ""
        return f"<ul>{lines}</ul>{table_html(self.account)}{look}"


def escaped(text: object) -> str:
    """Return a text for a notebook's HTML, in which nothing is markup and no dollar sign begins a formula.

    JupyterLab typesets what stands between two dollar signs of one element, so that amounts in dollars would turn into
    italic letters without spaces.

    Parameters
    ----------
    text : object
        Anything; shown as ``str`` does.

    Returns
    -------
    str
        HTML, each dollar sign in an element of its own.

    Examples
    --------
    >>> escaped("<b> $5")
    '&lt;b&gt; <span>$</span>5'
    """
    return html.escape(str(text)).replace("$", "<span>$</span>")


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
        f'<th scope="col"{_right(is_number)}>{escaped(c)}</th>'
        for c, is_number in zip(shown.columns, numeric, strict=True)
    )
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td{_right(is_number)}{_long(v)}>{escaped(v)}</td>" for v, is_number in zip(row, numeric, strict=True)
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
    return ' class="num"' if is_number else LEFT


LEFT = ' style="text-align:left"'  # JupyterLab sets all cells to the right


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
