"""Pictures of step 4: verdicts with their ranges, what moved value, what came true, who stayed.

In: the tables of step 4. Out: matplotlib axes that carry their own alt text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..core.words import Words
from .style import BLUE, GREY, INK, ORANGE, PALE, axes, money_axis, nothing, share_axis, styled, tell, whiskers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from ..experiments.verdicts import Verdict

__all__ = ["plot_bridge", "plot_realised", "plot_survival", "plot_verdicts"]

_MARK = {"improved": ("o", BLUE, BLUE), "worsened": ("X", ORANGE, INK), "no_material_change": ("s", "white", INK)}
_SAID = {"retention": "how long they stay", "frequency": "how often they buy", "basket": "what they spend", "margin": "the margin",
         "cost_to_serve": "cost to serve", "active": "how many are there", "mix": "which customers", "rest": "the rest"}  # fmt: skip


@styled
def plot_verdicts(verdicts: Sequence[Verdict], *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw every change with its range, in units of the change that would matter.

    Parameters
    ----------
    verdicts : sequence of Verdict
        Those that could not be measured are left out.
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
    >>> from clvnb.experiments import Change, judge
    >>> from clvnb import Outcome
    >>> found = judge(Change("A", 0.75, 0.80, 0.05, 0.02, 2000), Outcome("stayed"))
    >>> plot_verdicts([found], ax=Figure().subplots()).figure.clvnb_alt
    'Changes with their ranges. stayed: +5.0 percentage points (+1.1 to +8.9 percentage points), improved.'
    """
    words = words or Words("XXX")
    known = [v for v in verdicts if np.isfinite(v.change) and np.isfinite(v.low)]
    ax = axes(ax, size=(7.2, 1.5 + 0.5 * max(len(known), 1)))
    if not known:
        return nothing(ax, "Nothing has been measured yet")
    far = max(1.6, *(min(10.0, abs(x / v.outcome.margin)) for v in known for x in (v.low, v.high)))
    ax.axvspan(-1, 1, color=PALE, alpha=0.35, lw=0)
    ax.axvline(0, color=INK, lw=1.2)
    for k, v in enumerate(reversed(known)):
        low, mid, high = (float(np.clip(x / v.outcome.margin, -far, far)) for x in (v.low, v.change, v.high))
        shape, face, edge = _MARK.get(v.verdict, ("o", "white", GREY))
        ax.plot([low, high], [k, k], color=INK if v.verdict in _MARK else GREY, lw=1.8, solid_capstyle="butt")
        for end, true, arrow in ((low, v.low, "<"), (high, v.high, ">")):
            if abs(true / v.outcome.margin) > far:  # it reaches beyond the picture
                ax.plot(end, k, arrow, color=INK if v.verdict in _MARK else GREY, ms=7, clip_on=False)
        ax.plot(mid, k, shape, color=edge, mfc=face, ms=9, mew=1.6)
        ax.text(far * 1.08, k, f"{v.outcome.moved(v.change, words)}  ({v.design})", va="center", fontsize=9)
    ax.set_yticks(range(len(known)), [_folded(v.metric) for v in reversed(known)])
    ax.set_xlim(-far * 1.05, far * 1.05)
    ax.set_ylim(-0.7, len(known) - 0.3)
    ax.set_xlabel("change with its range, in changes that would matter (shaded: too small to matter)")
    ax.set_title("Filled: more than chance; open: it cannot be told", fontsize=10.5)
    ax.grid(visible=False, axis="y")
    said = "; ".join(
        f"{v.metric}: {v.outcome.moved(v.change, words)} ({v.outcome.span(v.low, v.high, words)}), {v.verdict.replace('_', ' ')}"
        for v in known
    )
    return tell(ax, f"Changes with their ranges. {said}.")


def _folded(text: str, width: int = 30) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, width)[:2])


@styled
def plot_bridge(
    table: pd.DataFrame,
    *,
    before: float,
    after: float,
    label: str = "factor",
    part: str = "part",
    ax: Axes | None = None,
    words: Words | None = None,
) -> Axes:
    """Draw a waterfall from an earlier value to today's.

    Parameters
    ----------
    table : pandas.DataFrame
        From ``clv_bridge``, or from ``value_drift`` with ``label="reason", part="change"``.
    before, after : float
        Where the waterfall begins and ends, beside the table in what these return.
    label, part : str
        The columns of names and of amounts.
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
    >>> table = pd.DataFrame({"factor": ["retention", "basket"], "part": [16.0, -4.0]})
    >>> plot_bridge(table, before=220.0, after=232.0, ax=Figure().subplots()).figure.clvnb_alt
    'From ¤220 then to ¤232 now: how long they stay +¤16.00; what they spend -¤4.00.'
    """
    words = words or Words("XXX")
    ax = axes(ax, size=(7.2, 3.4))
    if table.empty:
        return nothing(ax, "There is nothing to compare with")
    names = [_SAID.get(str(n), str(n)) for n in table[label]]
    amounts = table[part].to_numpy(float)
    tops = before + np.cumsum(amounts)
    bottoms = np.r_[before, tops[:-1]]
    x = np.arange(len(table) + 2)
    ax.bar([0, x[-1]], [before, after], color=GREY, width=0.62)
    ups = amounts >= 0
    ax.bar(x[1:-1][ups], amounts[ups], bottom=bottoms[ups], color=BLUE, width=0.62, label="more")
    ax.bar(
        x[1:-1][~ups],
        amounts[~ups],
        bottom=bottoms[~ups],
        color=ORANGE,
        width=0.62,
        hatch="//",
        edgecolor=INK,
        lw=0.5,
        label="less",
    )
    for k, level in enumerate([before, *tops]):
        ax.plot([k + 0.31, k + 0.69], [level, level], color=INK, lw=0.8)
    levels = [before, *np.maximum(tops, bottoms), after]
    said = [words.money(before), *(("+" if a > 0 else "") + words.money(a) for a in amounts), words.money(after)]
    for at, level, text in zip(x, levels, said, strict=True):
        ax.annotate(text, (at, max(level, 0)), xytext=(0, 3), textcoords="offset points", ha="center", fontsize=9)
    ax.set_xticks(x, [_folded(n, 13) for n in ["then", *names, "now"]], fontsize=9)
    low, high = min(0.0, *tops, before, after), max(*levels, 0.0)
    ax.set_ylim(low * 1.05, high * 1.14 or 1.0)
    money_axis(ax.yaxis, words)
    ax.grid(visible=False, axis="x")
    if amounts.size:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, fontsize=9)
    parts = "; ".join(f"{n} {t}" for n, t in zip(names, said[1:-1], strict=True))
    return tell(ax, f"From {said[0]} then to {said[-1]} now: {parts or 'no change'}.")


@styled
def plot_realised(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw what groups of customers brought against what had been predicted of them.

    Parameters
    ----------
    table : pandas.DataFrame
        From ``realised_against_predicted``: ``predicted, realised, low, high``, money per customer.
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
    >>> table = pd.DataFrame({"predicted": [9.5], "realised": [10.5], "low": [8.0], "high": [13.0]})
    >>> plot_realised(table, ax=Figure().subplots()).figure.clvnb_alt
    'Predicted against realised contribution per customer, by parts of customers: ¤9.50 predicted, ¤10.50 came.'
    """
    words = words or Words("XXX")
    ax = axes(ax, size=(7.2, 3.4))
    if table.empty:
        return nothing(ax, "Nothing that was predicted can be held against what came yet")
    part = "tenth" if len(table) == 10 else "part"
    ends = whiskers(table["realised"], table["low"], table["high"])
    top = float(max(table["predicted"].max(), table["high"].max()))
    ax.plot([0, top], [0, top], color=INK, ls="--", lw=1.2, label="as predicted")
    ax.errorbar(
        table["predicted"],
        table["realised"],
        yerr=ends,
        fmt="o",
        color=BLUE,
        ecolor=INK,
        capsize=3,
        ms=7,
        label=f"what came, a {part} of customers each",
    )
    money_axis(ax.xaxis, words)
    money_axis(ax.yaxis, words)
    ax.set_xlabel("predicted, per customer")
    ax.set_ylabel("came, per customer")
    ax.legend(loc="upper left", fontsize=9)
    said = "; ".join(
        f"{words.money(r.predicted)} predicted, {words.money(r.realised)} came" for r in table.itertuples()
    )
    return tell(ax, f"Predicted against realised contribution per customer, by {part}s of customers: {said}.")


@styled
def plot_survival(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw how many of two groups are still there, month by month.

    Parameters
    ----------
    table : pandas.DataFrame
        ``curves`` of ``compare_survival``: ``group, period`` (months), ``survival, low, high`` (0 to 1), of two groups.
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
    >>> table = pd.DataFrame({"group": "a", "period": [0, 12], "survival": [1, 0.8], "low": [1, 0.7], "high": [1, 0.9]})
    >>> plot_survival(table, ax=Figure().subplots()).figure.clvnb_alt
    'Share of members still there. a: 80% (70% to 90%) after 12 months.'
    """
    words = words or Words("XXX")
    ax = axes(ax, size=(7.2, 3.2))
    if table.empty:
        return nothing(ax, "How long members stay cannot be compared")
    said = []
    for (name, own), (colour, dash) in zip(
        table.groupby("group", sort=False), ((ORANGE, "--"), (BLUE, "-")), strict=False
    ):
        ax.step(own["period"], own["survival"], where="post", color=colour, ls=dash, lw=2, label=str(name))
        ax.fill_between(own["period"], own["low"], own["high"], step="post", color=colour, alpha=0.18, lw=0)
        last = own.iloc[-1]
        said.append(
            f"{name}: {words.share(last['survival'])} ({words.share(last['low'])} to {words.share(last['high'])}) after {words.counted(int(last['period']), 'month')}"
        )
    share_axis(ax.yaxis, words)
    ax.set_ylim(max(0.0, float(table["low"].min()) - 0.05), 1.01)
    ax.set_xlabel("months since the beginning")
    ax.set_ylabel("still there")
    ax.legend(loc="lower left", fontsize=9)
    return tell(ax, f"Share of members still there. {'; '.join(said)}.")
