"""Pictures of one customer: what was bought and whether they are still there, and their value among others.

In: the tables of a customer's card. Out: matplotlib axes that carry their own alt text.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..core.words import Words
from .style import BLUE, GREY, INK, ORANGE, PALE, axes, money_axis, nothing, share_axis, styled, tell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_customer", "plot_peers"]


@styled
def plot_customer(
    orders: pd.DataFrame,
    alive: pd.DataFrame,
    *,
    as_of: date,
    due: Mapping[str, Any] | None = None,
    ax: Axes | None = None,
    words: Words | None = None,
) -> Axes:
    """Draw a customer's purchases, the chance to be active between them, and the window of the next one.

    Parameters
    ----------
    orders : pandas.DataFrame
        ``date, contribution``, money of the day in the client's currency.
    alive : pandas.DataFrame
        ``date, p_alive`` (0 to 1); may be empty.
    as_of : date
        Drawn as today.
    due : mapping, optional
        ``next_low, next_high``, days from ``as_of``.
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
    >>> orders = pd.DataFrame({"date": pd.to_datetime(["2024-01-05", "2024-03-01"]), "contribution": [12.0, 8.0]})
    >>> alive = pd.DataFrame(columns=["date", "p_alive"])
    >>> plot_customer(orders, alive, as_of=date(2024, 6, 30), ax=Figure().subplots()).get_title(loc="left")
    'Purchases until today'
    """
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    words, today = words or Words("XXX"), pd.Timestamp(as_of)
    ax = axes(ax, size=(7.2, 3.4))
    if orders.empty:
        return nothing(ax, "Nothing was bought")
    money = orders["contribution"].to_numpy(float)
    ax.vlines(orders["date"], 0, money, color=BLUE, lw=2.2)
    ax.plot(orders["date"], money, "o", color=BLUE, ms=5)
    ax.axhline(0, color=INK, lw=0.8)
    ax.axvline(today, color=GREY, lw=1.2, ls=":")
    if money.min() >= 0:
        ax.set_ylim(0, max(money.max(), 1e-9) * 1.08)
    money_axis(ax.yaxis, words)
    ax.set_ylabel("left by a purchase")
    alt = f"{len(orders)} days of buying, {words.money(money.sum())} in all, the last on {words.day(orders['date'].max())}."
    end = today
    if due:
        low = today + pd.Timedelta(days=float(min(due["next_low"], 3_650.0)))
        high = today + pd.Timedelta(days=float(min(due["next_high"], 3_650.0)))
        room = max(pd.Timedelta(days=90), (today - orders["date"].min()) / 3)
        end = min(high, today + room)
        if low < end:
            ax.axvspan(low, end, color=PALE, alpha=0.6, lw=0)
        alt += f" If active, the next order comes between {words.day(low)} and {words.day(high)}."
    if len(alive):
        chance = ax.twinx()
        chance.plot(alive["date"], alive["p_alive"], color=ORANGE, lw=1.8, ls="--")
        chance.set_ylim(ax.get_ylim()[0] / ax.get_ylim()[1] * 1.05, 1.05)  # both scales begin at one line
        chance.set_ylabel("chance to be active (dashed)")
        chance.grid(False)
        share_axis(chance.yaxis, words)
        alt += f" The chance to be active is {words.share(alive['p_alive'].iloc[-1])} today."
    ax.set_xlim(orders["date"].min() - pd.Timedelta(days=10), end + pd.Timedelta(days=10))
    locator = AutoDateLocator(maxticks=8)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    ax.set_title("Purchases, today (dotted) and the window of the next one" if due else "Purchases until today")
    return tell(ax, alt)


@styled
def plot_peers(peers: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw a customer's expected value with its range, above those of the segment and of all.

    Parameters
    ----------
    peers : pandas.DataFrame
        ``who, low, middle, high`` (client's currency), three rows: the customer with the 90% range, then median and
        quartiles of the segment and of all customers; empty where nothing can be predicted.
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
    >>> peers = pd.DataFrame({"who": ["007", "Loyal", "all customers"], "low": [5.0, 8, 2], "middle": [12.0, 15, 6]})
    >>> plot_peers(peers.assign(high=[30.0, 25.0, 14.0]), ax=Figure().subplots()).figure.clvnb_alt
    'Expected value ¤12.00 (¤5.00 to ¤30.00); the middle of the segment ¤15.00, of all customers ¤6.00.'
    """
    words = words or Words("XXX")
    ax = axes(ax, size=(7.2, 2.3))
    if peers.empty:
        return nothing(ax, "No value can be predicted")
    places = np.arange(len(peers))[::-1]
    for k, row in zip(places, peers.itertuples(), strict=True):
        own = k == places[0]
        ax.plot([row.low, row.high], [k, k], color=INK if own else GREY, lw=2.4 if own else 6, solid_capstyle="butt")
        ax.plot(row.middle, k, "o" if own else "|", color=BLUE if own else INK, ms=9 if own else 14, mew=2)
        ax.annotate(
            words.money(row.middle), (row.middle, k), xytext=(0, 8), textcoords="offset points", ha="center", fontsize=9
        )
    names = ["this customer, with the 90% range", f"{peers['who'].iloc[1]}: middle half", "all customers: middle half"]
    ax.set_yticks(places, names)
    ax.set_ylim(-0.6, len(peers) - 0.3)
    ax.margins(x=0.08)
    money_axis(ax.xaxis, words)
    ax.grid(axis="y", visible=False)
    ax.set_title("Expected value, beside that of others")
    own, segment, everybody = (row for row in peers.itertuples())
    return tell(
        ax,
        f"Expected value {words.money(own.middle)} ({words.money(own.low)} to {words.money(own.high)}); the middle of the segment "
        f"{words.money(segment.middle)}, of all customers {words.money(everybody.middle)}.",
    )
