"""Pictures of step 2: who answered, what they said, over time, by group, and its key drivers.

In: the tables of step 2. Out: matplotlib axes that carry their own alt text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..core.words import Words
from .style import BLUE, GREY, INK, ORANGE, axes, labels, nothing, share_axis, styled, tell, whiskers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_answers", "plot_drivers", "plot_expectations", "plot_groups", "plot_response", "plot_waves"]


@styled
def plot_answers(
    answers: pd.DataFrame, *, good: float, bad: float | None = None, ax: Axes | None = None, words: Words | None = None
) -> Axes:
    """Draw how many gave each score; the good ones dark, those that count against hatched.

    Parameters
    ----------
    answers : SURVEY
        Of one series: ``score, scale_min, scale_max``, a scale of whole numbers.
    good : float
        The lowest good score.
    bad : float, optional
        The highest score that counts against.
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
    >>> answers = pd.DataFrame({"score": [5, 5, 4, 2], "scale_min": 1.0, "scale_max": 5.0})
    >>> plot_answers(answers, good=4, ax=Figure().subplots()).get_title(loc="left")
    '75% give 4 or more, before weighting'
    """
    words = words or Words("XXX")
    ax = axes(ax, size=(7.2, 3.2))
    if answers.empty:
        return nothing(ax, "Nobody was asked")
    low, high = int(answers["scale_min"].iloc[0]), int(answers["scale_max"].iloc[0])
    steps = np.arange(low, high + 1)
    share = answers["score"].value_counts(normalize=True).reindex(steps).fillna(0.0)
    bars = ax.bar(
        steps, share, width=0.8, color=[BLUE if s >= good else "#c9c9c9" for s in steps], edgecolor=INK, linewidth=0.4
    )
    for step, bar in zip(steps, bars, strict=True):
        if bad is not None and step <= bad:
            bar.set_hatch("///")
        if share[step] > 0:
            ax.text(float(step), share[step] + 0.01, words.share(share[step]), ha="center", fontsize=9)
    ax.set_xticks(steps)
    share_axis(ax.yaxis, words)
    ax.set_ylim(0, float(share.max()) * 1.18)
    ax.set_xlabel("score")
    ax.set_ylabel("share of answers")
    ax.set_title(f"{words.share(float((answers['score'] >= good).mean()))} give {good:g} or more, before weighting")
    ax.grid(visible=False, axis="x")
    return tell(ax, "Share of answers by score: " + "; ".join(f"{s}: {words.share(share[s])}" for s in steps) + ".")


@styled
def plot_waves(
    table: pd.DataFrame,
    *,
    unit: str = "share",
    starts: pd.DataFrame | None = None,
    ax: Axes | None = None,
    words: Words | None = None,
) -> Axes:
    """Draw a score over waves with its range, control limits where there are any, and when initiatives began.

    Parameters
    ----------
    table : pandas.DataFrame
        From ``control_chart``: ``wave, date, value, low, high`` and perhaps ``centre, lower, upper, signal``.
    unit : "share" or "points"
        Of the metric: shares between 0 and 1, or points of NPS.
    starts : pandas.DataFrame, optional
        ``initiative, start``.
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
    >>> table = pd.DataFrame({"wave": ["1", "2"], "value": [0.7, 0.8], "low": [0.6, 0.7], "high": [0.8, 0.9]})
    >>> table["date"] = pd.to_datetime(["2024-01-01", "2024-07-01"])
    >>> plot_waves(table, ax=Figure().subplots()).figure.clvnb_alt
    'Score by wave. 1: 70%; 2: 80%.'
    """
    words = words or Words("XXX")
    ax = axes(ax)
    if table.empty:
        return nothing(ax, "Nobody was asked")
    x = np.arange(len(table))
    ends = whiskers(table["value"], table["low"], table["high"])
    ax.errorbar(
        x,
        table["value"],
        yerr=ends,
        fmt="o-",
        color=BLUE,
        ecolor=INK,
        capsize=4,
        lw=1.8,
        ms=6,
        label="score, with its 90% range",
    )
    if "centre" in table:
        ax.plot(x, table["centre"], color=GREY, lw=1.2, label="mean of all waves")
        ax.fill_between(x, table["lower"], table["upper"], color="#efefef", step="mid", label="what chance explains")
        out = table["signal"].to_numpy(bool)
        ax.plot(x[out], table["value"][out], "D", color=ORANGE, mec=INK, ms=9, label="outside of it")
    for row in (starts if starts is not None else pd.DataFrame()).itertuples():
        at = float(np.searchsorted(table["date"].to_numpy(), np.datetime64(row.start))) - 0.5
        ax.axvline(at, color=ORANGE, lw=1.6, ls="--")
        ax.annotate(f" {row.initiative} begins", (at, 1.0), xycoords=("data", "axes fraction"), va="top", fontsize=9)
    ax.set_xticks(x, table["wave"].astype(str))
    ax.set_xlim(-0.6, len(table) - 0.4)
    if unit == "share":
        share_axis(ax.yaxis, words)
    ax.set_ylabel("good answers" if unit == "share" else "points")
    ax.set_xlabel("wave")
    ax.set_title("Satisfaction, wave by wave")
    ax.legend(loc="lower right", fontsize=9)
    said = "; ".join(f"{r.wave}: {_shown(r.value, unit, words)}" for r in table.itertuples())
    return tell(ax, f"Score by wave. {said}.")


def _shown(value: float, unit: str, words: Words) -> str:
    return words.share(value) if unit == "share" else f"{value:+.0f}"


@styled
def plot_response(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw which groups answer more and which less than their share of the customers.

    Parameters
    ----------
    table : pandas.DataFrame
        From ``response_bias``; segments are left out where other groups are given.
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
    >>> table = pd.DataFrame({"what": "plan", "group": ["x"], "share_of_base": [0.5], "share_of_answers": [0.6]})
    >>> plot_response(table, ax=Figure().subplots()).figure.clvnb_alt
    'Shares of customers and of answers. plan x: 50% of customers, 60% of answers.'
    """
    words = words or Words("XXX")
    rows = table[table["what"] != "segment"] if len(table) and table["what"].nunique() > 1 else table
    rows = rows.iloc[::-1].reset_index(drop=True)
    ax = axes(ax, size=(7.2, 1.3 + 0.4 * max(len(rows), 1)))
    if rows.empty:
        return nothing(ax, "The answers name no customers")
    y = np.arange(len(rows))
    ax.hlines(y, rows["share_of_base"], rows["share_of_answers"], color=GREY, lw=2)
    ax.plot(rows["share_of_base"], y, "o", mfc="white", mec=INK, mew=1.6, ms=9, label="of customers")
    ax.plot(rows["share_of_answers"], y, "o", color=BLUE, ms=9, label="of answers")
    ax.set_yticks(y, labels(f"{w}: {g}" for w, g in zip(rows["what"], rows["group"], strict=True)))
    share_axis(ax.xaxis, words)
    ax.set_xlim(left=0)
    ax.set_title("Who answers")
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.08), ncols=2)
    ax.grid(visible=False, axis="y")
    said = "; ".join(
        f"{r.what} {r.group}: {words.share(r.share_of_base)} of customers, {words.share(r.share_of_answers)} of answers"
        for r in table.itertuples()
    )
    return tell(ax, f"Shares of customers and of answers. {said}.")


@styled
def plot_groups(
    table: pd.DataFrame, *, unit: str = "share", ax: Axes | None = None, words: Words | None = None
) -> Axes:
    """Draw each group's score with its range, and the score drawn towards the common one; small groups grey.

    Parameters
    ----------
    table : pandas.DataFrame
        ``what, group, answers, value, low, high, shrunk, few``, such as ``segment_scores(...).assign(what="plan")``.
    unit : "share" or "points"
        Of the metric: shares between 0 and 1, or points of NPS.
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
    >>> table = pd.DataFrame({"what": "plan", "group": ["x"], "answers": 30, "value": 0.7, "low": 0.6, "high": 0.8})
    >>> plot_groups(table.assign(shrunk=0.72, few=False), ax=Figure().subplots()).figure.clvnb_alt
    'Score by group. plan x: 70% from 30.'
    """
    words = words or Words("XXX")
    rows = table.iloc[::-1].reset_index(drop=True)
    ax = axes(ax, size=(7.2, 1.3 + 0.36 * max(len(rows), 1)))
    if rows.empty:
        return nothing(ax, "There are too few answers to tell groups apart")
    y, few = np.arange(len(rows)), rows["few"].to_numpy(bool)
    for mask, colour, label in (
        (~few, BLUE, "the group's own, with its 90% range"),
        (few, "#c0c0c0", "too few answers to judge"),
    ):
        if mask.any():
            part = rows[mask]
            ends = whiskers(part["value"], part["low"], part["high"])
            ax.errorbar(
                part["value"], y[mask], xerr=ends, fmt="o", color=colour, ecolor=colour, capsize=3, ms=7, label=label
            )
    ax.plot(rows["shrunk"][~few], y[~few], "|", color=ORANGE, ms=14, mew=2.6, label="drawn towards the common score")
    ax.set_yticks(y, [f"{r.what}: {r.group} ({r.answers})"[:44] for r in rows.itertuples()])
    if unit == "share":
        share_axis(ax.xaxis, words)
    ax.set_xlabel("good answers" if unit == "share" else "points")
    ax.set_title("Satisfaction by group (answers in brackets)")
    ax.legend(loc="lower left", bbox_to_anchor=(-0.35, 1.06), ncols=2, fontsize=8.5)
    ax.grid(visible=False, axis="y")
    said = "; ".join(f"{r.what} {r.group}: {_shown(r.value, unit, words)} from {r.answers}" for r in table.itertuples())
    return tell(ax, f"Score by group. {said}.")


@styled
def plot_drivers(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw importance against performance: what matters and is rated low stands at the top left.

    Parameters
    ----------
    table : pandas.DataFrame
        From ``drivers``: ``attribute, performance, importance, low, high, place``.
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
    >>> table = pd.DataFrame({"attribute": ["speed", "price"], "performance": [3.2, 4.1], "importance": [0.7, 0.3]})
    >>> table = table.assign(low=[0.6, 0.2], high=[0.8, 0.4], place=["improve first", "low priority"])
    >>> plot_drivers(table, ax=Figure().subplots()).get_title(loc="left")
    'Key drivers of satisfaction, and how they are rated'
    """
    words = words or Words("XXX")
    ax = axes(ax, size=(7.2, 4.2))
    if table.empty:
        return nothing(ax, "No attributes were rated")
    ends = whiskers(table["importance"], table["low"], table["high"])
    first = (table["place"] == "improve first").to_numpy(bool)
    ax.errorbar(table["performance"], table["importance"], yerr=ends, fmt="none", ecolor=GREY, capsize=3)
    ax.plot(table["performance"][~first], table["importance"][~first], "o", color=BLUE, ms=9)
    ax.plot(table["performance"][first], table["importance"][first], "D", color=ORANGE, mec=INK, ms=10)
    for row in table.itertuples():
        ax.annotate(
            f"{row.attribute}"[:24], (row.performance, row.importance), xytext=(9, 4), textcoords="offset points"
        )
    ax.axvline(table["performance"].mean(), color=GREY, lw=1, ls="--")
    ax.axhline(1 / len(table), color=GREY, lw=1, ls="--")
    low, high = float(table["performance"].min()), float(table["performance"].max())
    room = max(0.12 * (high - low), 0.1)
    ax.set_xlim(low - room, high + 2.2 * room)
    ax.set_ylim(min(0.0, float(table["low"].min())), min(1.0, float(table["high"].max()) * 1.12))
    for x, y, ha, va, label in ((0.01, 0.99, "left", "top", "improve first"), (0.99, 0.99, "right", "top", "keep up"),
                                (0.01, 0.01, "left", "bottom", "low priority"), (0.99, 0.01, "right", "bottom", "possible overkill")):  # fmt: skip
        ax.text(x, y, label, transform=ax.transAxes, ha=ha, va=va, fontsize=9, color="#666666", style="italic")
    share_axis(ax.yaxis, words)
    ax.set_xlabel("how it is rated (mean score)")
    ax.set_ylabel("share of what is explained")
    ax.set_title("Key drivers of satisfaction, and how they are rated")
    said = "; ".join(
        f"{r.attribute}: importance {words.share(r.importance)}, rated {r.performance:.1f}, {r.place}"
        for r in table.itertuples()
    )
    return tell(ax, f"Importance against performance. {said}.")


@styled
def plot_expectations(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw the share of answers below, at and above what was expected.

    Parameters
    ----------
    table : pandas.DataFrame
        From ``expectation_gap``: ``attribute, below, met, exceeded``, shares of answers.
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
    >>> table = pd.DataFrame({"attribute": ["speed"], "below": [0.3], "met": [0.5], "exceeded": [0.2]})
    >>> plot_expectations(table, ax=Figure().subplots()).figure.clvnb_alt
    'Expectations. speed: 30% below, 20% exceeded.'
    """
    words = words or Words("XXX")
    rows = table.iloc[::-1].reset_index(drop=True)
    ax = axes(ax, size=(7.2, 1.3 + 0.45 * max(len(rows), 1)))
    if rows.empty:
        return nothing(ax, "Expectations were not asked")
    y = np.arange(len(rows))
    left = np.zeros(len(rows))
    for name, colour, hatch, ink in (
        ("below", ORANGE, "///", INK),
        ("met", "#dcdcdc", "", INK),
        ("exceeded", BLUE, "", "white"),
    ):
        ax.barh(
            y,
            rows[name],
            left=left,
            height=0.62,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            linewidth=0.6,
            label=name,
        )
        for at, start, part in zip(y.astype(float), left, rows[name], strict=True):
            if part > 0.08:
                box = {"facecolor": colour, "edgecolor": "none", "pad": 1.2}
                ax.text(
                    start + part / 2, at, words.share(part), ha="center", va="center", fontsize=9, color=ink, bbox=box
                )
        left = left + rows[name].to_numpy(float)
    ax.set_yticks(y, labels(rows["attribute"]))
    share_axis(ax.xaxis, words)
    ax.set_xlim(0, 1)
    ax.set_title("What was delivered against what was expected")
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.1), ncols=3)
    ax.grid(visible=False)
    said = "; ".join(
        f"{r.attribute}: {words.share(r.below)} below, {words.share(r.exceeded)} exceeded" for r in table.itertuples()
    )
    return tell(ax, f"Expectations. {said}.")
