"""Pictures of the customer-base audit: one function a look, which takes that look's table and returns the axes.

In: the tables of ``Audit``. Out: matplotlib axes that carry their own alt text; ``show`` publishes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..core.words import Words
from .remeasure import plot_bridge
from .style import BLUE, GREY, INK, PALE, axes, money_axis, nothing, share_axis, styled, tell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_ages", "plot_base", "plot_changed", "plot_tenths", "plot_years"]

_SAID = {"new": "new", "returned": "came back", "more": "brought more", "same": "the same", "less": "brought less",
         "left": "not again"}  # fmt: skip
_HATCHES = ["", "//", "..", "xx", "\\\\", "--"]


@styled
def plot_changed(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw how revenue went from one period to the next, by what became of its customers.

    Parameters
    ----------
    table : pandas.DataFrame
        ``Audit.two_periods.table``: ``kind, before, now, change``.
    ax : Axes, optional
        Where to draw; a figure of its own when left out.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    matplotlib.axes.Axes
        With its alt text; ``show`` publishes it.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> table = pd.DataFrame({"kind": ["new", "left"], "before": [0.0, 30.0], "now": [20.0, 0.0], "change": [20.0, -30.0]})
    >>> plot_changed(table, ax=Figure().subplots()).figure.clvnb_alt
    'From ¤30.00 then to ¤20.00 now: new +¤20.00; not again -¤30.00.'
    """
    moved = table[table["change"] != 0].assign(kind=lambda t: t["kind"].map(_SAID))
    return plot_bridge(
        moved, before=float(table["before"].sum()), after=float(table["now"].sum()), label="kind", part="change", ax=ax,
        words=words,
    )  # fmt: skip


@styled
def plot_tenths(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw which part of the revenue each tenth of the customers brought.

    Parameters
    ----------
    table : pandas.DataFrame
        ``Audit.one_period.table``: ``tenth, share``.
    ax : Axes, optional
        Where to draw; a figure of its own when left out.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    matplotlib.axes.Axes
        With its alt text; ``show`` publishes it.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> table = pd.DataFrame({"tenth": [1, 2], "share": [0.7, 0.3]})
    >>> plot_tenths(table, ax=Figure().subplots()).figure.clvnb_alt
    'Share of revenue by tenth of customers, the best first: 1: 70%; 2: 30%.'
    """
    words = words or Words("XXX")
    ax = axes(ax, size=(7.2, 3.2))
    ax.bar(table["tenth"], table["share"], color=BLUE, width=0.7)
    for at, share in zip(table["tenth"], table["share"], strict=True):
        ax.annotate(
            words.share(share), (at, max(share, 0)), xytext=(0, 3), textcoords="offset points", ha="center", fontsize=9
        )
    ax.set_xticks(table["tenth"])
    ax.set_xlabel("tenths of customers, the best first")
    share_axis(ax.yaxis, words)
    ax.grid(visible=False, axis="x")
    ax.set_ylim(top=1.14 * max(table["share"].max(), 0.01))
    ax.set_title("Who brought the revenue")
    parts = "; ".join(f"{int(r.tenth)}: {words.share(r.share)}" for r in table.itertuples())
    return tell(ax, f"Share of revenue by tenth of customers, the best first: {parts}.")


@styled
def plot_ages(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw what one cohort brought as it grew older.

    Parameters
    ----------
    table : pandas.DataFrame
        ``Audit.one_cohort.table``: ``age`` in quarters, ``active``, ``revenue_per_customer``.
    ax : Axes, optional
        Where to draw; a figure of its own when left out.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    matplotlib.axes.Axes
        With its alt text; ``show`` publishes it.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> table = pd.DataFrame({"age": [0, 1], "active": [1.0, 0.4], "revenue_per_customer": [30.0, 14.0]})
    >>> plot_ages(table, ax=Figure().subplots()).figure.clvnb_alt
    'Revenue per customer of one cohort by quarter since the first purchase: 0: ¤30.00, 100% active; 1: ¤14.00, 40% active.'
    """
    words = words or Words("XXX")
    ax = axes(ax, size=(7.2, 3.2))
    if table.empty:
        return nothing(ax, "No cohort has been seen for a year yet")
    ax.bar(table["age"], table["revenue_per_customer"], color=BLUE, width=0.7)
    for r in table.itertuples():
        ax.annotate(words.share(r.active), (r.age, max(r.revenue_per_customer, 0)), xytext=(0, 3), textcoords="offset points",
                    ha="center", fontsize=9)  # fmt: skip
    ax.set_xticks(table["age"])
    ax.set_xlabel("quarters since the first purchase; above each the share who bought")
    money_axis(ax.yaxis, words)
    ax.grid(visible=False, axis="x")
    ax.set_ylim(top=1.14 * max(table["revenue_per_customer"].max(), 0.01))
    ax.set_title("One cohort as it grows older: revenue per customer")
    parts = "; ".join(
        f"{int(r.age)}: {words.money(r.revenue_per_customer)}, {words.share(r.active)} active"
        for r in table.itertuples()
    )
    return tell(ax, f"Revenue per customer of one cohort by quarter since the first purchase: {parts}.")


@styled
def plot_years(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw what a customer of each cohort brought in the first year.

    Parameters
    ----------
    table : pandas.DataFrame
        ``Audit.cohorts.table``: ``cohort, first, year, again``.
    ax : Axes, optional
        Where to draw; a figure of its own when left out.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    matplotlib.axes.Axes
        With its alt text; ``show`` publishes it.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> table = pd.DataFrame({"cohort": pd.to_datetime(["2024-01-01"]), "first": [30.0], "year": [55.0], "again": [0.4]})
    >>> plot_years(table, ax=Figure().subplots()).figure.clvnb_alt
    'Revenue per customer in the first year by cohort: 2024 Q1: ¤55.00, of it ¤30.00 in the first quarter; 40% bought again.'
    """
    words = words or Words("XXX")
    ax = axes(ax, size=(7.2, 3.2))
    if table.empty:
        return nothing(ax, "No cohort has been seen for a year yet")
    names = [f"{c.year} Q{c.quarter}" for c in table["cohort"]]
    x, rest = np.arange(len(table)), (table["year"] - table["first"]).to_numpy()
    ax.bar(x, table["first"], color=BLUE, width=0.7, label="first quarter")
    ax.bar(x, rest, bottom=table["first"], color=PALE, width=0.7, label="the three after it", edgecolor=INK, lw=0.4)
    for at, r in zip(x, table.itertuples(), strict=True):
        ax.annotate(
            words.share(r.again),
            (at, max(r.year, 0)),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
    ax.set_xticks(x, names, fontsize=9, rotation=45 if len(x) > 8 else 0)
    ax.set_xlabel("quarter of the first purchase; above each the share who bought again within the year")
    money_axis(ax.yaxis, words)
    ax.grid(visible=False, axis="x")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, fontsize=9)
    parts = "; ".join(
        f"{name}: {words.money(r.year)}, of it {words.money(r.first)} in the first quarter; {words.share(r.again)} bought again"
        for name, r in zip(names, table.itertuples(), strict=True)
    )
    return tell(ax, f"Revenue per customer in the first year by cohort: {parts}.")


@styled
def plot_base(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw revenue by quarter, stacked by the year in which its customers first bought.

    Parameters
    ----------
    table : pandas.DataFrame
        ``Audit.base.table``: ``quarter`` and a column for each year.
    ax : Axes, optional
        Where to draw; a figure of its own when left out.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    matplotlib.axes.Axes
        With its alt text; ``show`` publishes it.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> table = pd.DataFrame({"quarter": pd.to_datetime(["2024-01-01"]), "2023": [10.0], "2024": [30.0]})
    >>> plot_base(table, ax=Figure().subplots()).figure.clvnb_alt
    'Revenue by quarter and year of the first purchase: 2024 Q1: ¤10.00 of 2023, ¤30.00 of 2024.'
    """
    words = words or Words("XXX")
    ax = axes(ax, size=(7.2, 3.4))
    years = [c for c in table.columns if c != "quarter"]
    names = [f"{q.year} Q{q.quarter}" for q in table["quarter"]]
    x, height = np.arange(len(table)), np.zeros(len(table))
    shades = [BLUE, PALE, GREY, "#56B4E9", "#CCCCCC", "#006699"]
    for k, year in enumerate(years):
        ax.bar(x, table[year], bottom=height, width=0.8, label=f"since {year}", color=shades[k % len(shades)],
               hatch=_HATCHES[(k // 2) % len(_HATCHES)], edgecolor=INK, lw=0.4)  # fmt: skip
        height = height + table[year].clip(lower=0).to_numpy(float)
    every = -(-len(x) // 8)
    ax.set_xticks(x[::every], names[::every], fontsize=9)
    money_axis(ax.yaxis, words)
    ax.grid(visible=False, axis="x")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=min(4, len(years)), fontsize=9)
    parts = "; ".join(
        f"{name}: {', '.join(f'{words.money(r[y])} of {y}' for y in years if r[y])}"
        for name, (_, r) in zip(names, table.iterrows(), strict=True)
    )
    return tell(ax, f"Revenue by quarter and year of the first purchase: {parts}.")
