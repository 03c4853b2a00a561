"""Pictures of step 3: what satisfaction is associated with, what levers gain, and where a budget goes.

In: the tables of step 3. Out: matplotlib axes that carry their own alt text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..core.words import Words
from .style import BLUE, GREY, INK, ORANGE, PALE, axes, labels, money_axis, nothing, share_axis, styled, tell, whiskers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_investment", "plot_link", "plot_plan", "plot_scenarios", "plot_tornado"]


@styled
def plot_link(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw the share of customers who stayed by the score they had given.

    Parameters
    ----------
    table : pandas.DataFrame
        A link's ``classes``: ``score, answers, stayed, low, high``.
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
    >>> classes = pd.DataFrame({"score": [1.0, 5.0], "answers": [40, 90], "stayed": [0.5, 0.8], "low": [0.4, 0.7]})
    >>> plot_link(classes.assign(high=[0.6, 0.88]), ax=Figure().subplots()).figure.clvnb_alt
    'Share who stayed by score: 1: 50% of 40; 5: 80% of 90.'
    """
    words = words or Words("XXX")
    ax = axes(ax, size=(7.2, 3.4))
    if table.empty:
        return nothing(ax, "No answers can be joined with what customers did afterwards")
    ends = whiskers(table["stayed"], table["low"], table["high"])
    ax.errorbar(table["score"], table["stayed"], yerr=ends, fmt="o", color=BLUE, ecolor=INK, capsize=4, ms=8)
    for row in table.itertuples():
        ax.annotate(
            f"{row.answers}",
            (row.score, row.high),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            fontsize=8.5,
            color="#555555",
        )
    ax.set_xticks(table["score"])
    share_axis(ax.yaxis, words)
    top = float(table["high"].max())
    ax.set_ylim(max(0.0, float(table["low"].min()) - 0.08), min(1.06, top + 0.1))
    ax.set_xlabel("score given (how many above each range)")
    ax.set_ylabel("stayed, or came back")
    ax.set_title("Who stayed, by the score given before")
    return tell(
        ax,
        "Share who stayed by score: "
        + "; ".join(f"{r.score:g}: {words.share(r.stayed)} of {r.answers}" for r in table.itertuples())
        + ".",
    )


@styled
def plot_scenarios(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw each scenario's net gain with its range and its probability of profit.

    Parameters
    ----------
    table : SCENARIOS
        From ``evaluate_scenarios``: ``scenario, net, net_low, net_high, p_profit``.
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
    >>> table = pd.DataFrame({"scenario": ["replies"], "net": 900.0, "net_low": -200.0, "net_high": 2000.0})
    >>> plot_scenarios(table.assign(p_profit=0.85), ax=Figure().subplots()).figure.clvnb_alt
    'Net gain by lever. replies: ¤900 (-¤200 to ¤2,000).'
    """
    words = words or Words("XXX")
    rows = table.iloc[::-1].reset_index(drop=True)
    ax = axes(ax, size=(7.2, 1.4 + 0.36 * max(len(rows), 1)))
    if rows.empty:
        return nothing(ax, "No scenario could be computed")
    y = np.arange(len(rows))
    ends = whiskers(rows["net"], rows["net_low"], rows["net_high"])
    ax.axvline(0, color=INK, lw=1.2)
    good = (rows["net"] > 0).to_numpy(bool)
    ax.errorbar(rows["net"], y, xerr=ends, fmt="none", ecolor=GREY, capsize=3, lw=1.6)
    ax.plot(rows["net"][good], y[good], "o", color=BLUE, ms=9, label="expected to pay")
    ax.plot(rows["net"][~good], y[~good], "X", color=ORANGE, mec=INK, ms=9, label="expected to lose")
    right = float(rows["net_high"].max())
    span = right - float(rows["net_low"].min()) or max(abs(right), 1.0)
    for at, row in zip(y, rows.itertuples(), strict=True):
        ax.text(right + 0.03 * span, float(at), words.share(row.p_profit), va="center", fontsize=9)
    ax.text(right + 0.03 * span, len(rows) - 0.35, "P(profit)", fontsize=9, va="bottom", color="#555555")
    ax.set_xlim(float(rows["net_low"].min()) - 0.04 * span, right + 0.16 * span)
    ax.set_ylim(-0.6, len(rows) + 0.1)
    ax.set_yticks(y, labels(rows["scenario"]))
    money_axis(ax.xaxis, words)
    ax.set_xlabel("gain less cost, with its 90% range")
    one = len(rows) == 1
    ax.set_title("Its net gain" if one else "Net gain of each lever, on the assumptions below")
    if not one:
        ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.06), ncols=2, fontsize=9)
    ax.grid(visible=False, axis="y")
    said = "; ".join(
        f"{r.scenario}: {words.money(r.net)} ({words.money(r.net_low)} to {words.money(r.net_high)})"
        for r in table.itertuples()
    )
    return tell(ax, f"Net gain by lever. {said}.")


@styled
def plot_tornado(table: pd.DataFrame, *, net: float = 0.0, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw how far the net gain moves as each assumption goes from its low to its high end.

    Parameters
    ----------
    table : pandas.DataFrame
        From ``tornado``: ``assumption, net_low, net_high``, of which the first eight rows are drawn.
    net : float
        Where the bars begin: the ``net`` of ``tornado``.
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
    >>> table = pd.DataFrame({"assumption": ["replies: reach"], "net_low": [100.0], "net_high": [900.0]})
    >>> plot_tornado(table, net=500.0, ax=Figure().subplots()).figure.clvnb_alt
    'Net gain as each assumption varies. replies: reach: ¤100 to ¤900.'
    """
    words = words or Words("XXX")
    rows = table.head(8).iloc[::-1].reset_index(drop=True)
    ax = axes(ax, size=(7.2, 1.3 + 0.45 * max(len(rows), 1)))
    if rows.empty:
        return nothing(ax, "No scenario could be computed")
    y = np.arange(len(rows))
    for name, colour, hatch in (("net_low", PALE, ""), ("net_high", BLUE, "")):
        ax.barh(y, rows[name] - net, left=net, height=0.6, color=colour, hatch=hatch,
                label=f"at the {'low' if name == 'net_low' else 'high'} end")  # fmt: skip
    ax.axvline(0, color=INK, lw=1.2)
    ax.set_yticks(y, [str(a)[:44] for a in rows["assumption"]])
    money_axis(ax.xaxis, words)
    ax.set_xlabel("gain less cost")
    ax.set_title("Sensitivity: which assumption matters most")
    ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.08), ncols=2, fontsize=9)
    ax.grid(visible=False, axis="y")
    said = "; ".join(
        f"{r.assumption}: {words.money(r.net_low)} to {words.money(r.net_high)}" for r in table.head(8).itertuples()
    )
    return tell(ax, f"Net gain as each assumption varies. {said}.")


@styled
def plot_plan(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw what is spent on each segment, and what it brings.

    Parameters
    ----------
    table : pandas.DataFrame
        From ``allocate``: ``segment, reached, spend, brings``, in the client's currency.
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
    >>> table = pd.DataFrame({"segment": ["Loyal", "New"], "reached": [240, 0], "spend": [1200, 0]})
    >>> plot_plan(table.assign(brings=[2160, 0]), ax=Figure().subplots()).figure.clvnb_alt
    'Spending by segment. Loyal: ¤1,200 for a gain of ¤2,160.'
    """
    words = words or Words("XXX")
    spent = table[table["reached"] > 1e-9] if len(table) else table
    if len(spent) == 0:
        return nothing(axes(ax, size=(7.2, 1.8)), "Nothing is spent: no part of the budget would come back")
    rows = spent.groupby("segment", sort=False)[["spend", "brings"]].sum().sort_values("spend").reset_index()
    ax = axes(ax, size=(7.2, 1.4 + 0.5 * len(rows)))
    y = np.arange(len(rows))
    ax.barh(y + 0.19, rows["brings"], height=0.36, color=BLUE, label="gain")
    ax.barh(y - 0.19, rows["spend"], height=0.36, color="#c9c9c9", label="costs")
    for at, row in zip(y, rows.itertuples(), strict=True):
        ax.text(row.brings, at + 0.19, f" {words.money(row.brings)}", va="center", fontsize=8.5)
        ax.text(row.spend, at - 0.19, f" {words.money(row.spend)}", va="center", fontsize=8.5)
    ax.set_yticks(y, labels(rows["segment"]))
    money_axis(ax.xaxis, words)
    ax.set_xlim(0, float(rows[["spend", "brings"]].to_numpy().max()) * 1.18)
    ax.set_title("Where the budget goes")
    ax.legend(loc="lower right")
    ax.grid(visible=False, axis="y")
    said = "; ".join(
        f"{r.segment}: {words.money(r.spend)} for a gain of {words.money(r.brings)}" for r in rows.itertuples()
    )
    return tell(ax, f"Spending by segment. {said}.")


@styled
def plot_investment(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw each segment's share of spending beside its share of value.

    Parameters
    ----------
    table : pandas.DataFrame
        From ``investment_map``: ``segment, share_of_value, share_of_spend, reading``.
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
    >>> table = pd.DataFrame({"segment": ["New"], "share_of_value": 0.3, "share_of_spend": 0.6, "reading": "over"})
    >>> plot_investment(table, ax=Figure().subplots()).get_title(loc="left")
    'Spending against value'
    """
    words = words or Words("XXX")
    if table.empty:
        return nothing(axes(ax, size=(7.2, 1.8)), "No spending on customers is known")
    rows = table.sort_values("share_of_value").reset_index(drop=True)
    ax = axes(ax, size=(7.2, 1.3 + 0.4 * len(rows)))
    y = np.arange(len(rows))
    over = (rows["reading"] == "over").to_numpy(bool)
    ax.hlines(y, rows["share_of_value"], rows["share_of_spend"], color=GREY, lw=2)
    ax.plot(rows["share_of_value"], y, "o", mfc="white", mec=INK, mew=1.6, ms=9, label="of expected value")
    ax.plot(rows["share_of_spend"][~over], y[~over], "o", color=BLUE, ms=9, label="of spending")
    ax.plot(
        rows["share_of_spend"][over],
        y[over],
        "D",
        color=ORANGE,
        mec=INK,
        ms=9,
        label="of spending, over 1.5 times its share of value",
    )
    ax.set_yticks(y, labels(rows["segment"]))
    share_axis(ax.xaxis, words)
    ax.set_xlim(left=-0.01)
    ax.set_title("Spending against value")
    ax.legend(loc="upper center", bbox_to_anchor=(0.4, -0.1 - 0.4 / len(rows)), ncols=3, fontsize=9)
    ax.grid(visible=False, axis="y")
    said = "; ".join(
        f"{r.segment}: {words.share(r.share_of_spend)} of spending, {words.share(r.share_of_value)} of value"
        for r in table.itertuples()
    )
    return tell(ax, f"Spending against value. {said}.")
