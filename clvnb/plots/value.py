"""Pictures of step 1: one function a table, which takes that table and returns the axes; no model is run here.

In: the tables of step 1. Out: matplotlib axes that carry their own alt text; ``show`` publishes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..core.words import Words
from .style import BLUE, GREY, INK, ORANGE, PALE, axes, labels, money_axis, nothing, share_axis, styled, tell, whiskers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "plot_channels",
    "plot_clv",
    "plot_cohorts",
    "plot_concentration",
    "plot_forecast",
    "plot_group_effects",
    "plot_methods",
    "plot_mrr",
    "plot_season",
    "plot_segments",
    "plot_tests",
    "plot_tracking",
]


@styled
def plot_tracking(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw what was seen beside what the model expects.

    Parameters
    ----------
    table : pandas.DataFrame
        From ``tracking``: ``date, actual, expected`` (repeat purchases, added up); or ``plan, renewals, at_risk,
        actual, expected`` (shares still there; points with fewer than 20 at risk are not drawn).
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
    >>> dates = pd.to_datetime(["2024-01-01", "2024-02-01"])
    >>> table = pd.DataFrame({"date": dates, "actual": [0, 40], "expected": [0.0, 38.0]})
    >>> plot_tracking(table, ax=Figure().subplots()).get_title(loc="left")
    'The model follows what happened'
    """
    words = words or Words("XXX")
    ax = axes(ax)
    if table.empty:
        return nothing(ax, "No model could be fitted")
    if "plan" in table:
        return _survival(ax, table, words)
    ax.plot(table["date"], table["actual"], color=INK, lw=2.2, label="came back")
    ax.plot(table["date"], table["expected"], color=ORANGE, lw=2.2, ls="--", label="model")
    ax.set_ylabel("repeat purchases, added up")
    ax.set_title("The model follows what happened" if _close(table) else "The model misses what happened")
    ax.legend(loc="upper left")
    _dated(ax)
    ax.yaxis.set_major_formatter(lambda v, _: words.count(v))
    last = table.iloc[-1]
    return tell(
        ax,
        f"Repeat purchases added up over time: {words.count(last['actual'])} came by {words.day(last['date'].date())}, "
        f"the model has {words.count(last['expected'])}.",
    )


def _close(table: pd.DataFrame) -> bool:
    gap = (table["expected"] - table["actual"]).abs().max()
    return bool(gap <= 0.1 * table["actual"].max())


def _survival(ax: Axes, table: pd.DataFrame, words: Words) -> Axes:
    said = []
    for (plan, group), colour, mark in zip(
        table.groupby("plan"), [BLUE, ORANGE, INK, GREY] * 5, "osD^v" * 4, strict=False
    ):
        seen = group[group["at_risk"] >= 20]
        ax.plot(seen["renewals"], seen["actual"], mark, color=colour, ms=4.5, label=f"{plan}, seen")
        ax.plot(group["renewals"], group["expected"], color=colour, lw=1.8, ls="--", label=f"{plan}, model")
        last = seen.iloc[-1]
        said.append(
            f"{plan}: {words.share(last['actual'])} left after {int(last['renewals'])} renewals, "
            f"model {words.share(last['expected'])}"
        )
    ax.set_ylim(0, 1.03)
    share_axis(ax.yaxis, words)
    ax.set_xlabel("renewals")
    ax.set_ylabel("customers still there")
    ax.set_title("How long customers stay, by plan")
    ax.legend(ncols=2)
    return tell(ax, "Share of customers still there by number of renewals. " + "; ".join(said) + ".")


@styled
def plot_clv(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw how value is spread over customers: expected value, or value so far where nothing can be predicted.

    Parameters
    ----------
    table : CLV
        ``clv``, or where all are missing ``historic_value``, in the client's currency; values above the 99th percentile
        stand at the right edge.
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
    >>> table = pd.DataFrame({"clv": [1.0, 2.0, 30.0], "historic_value": 5.0})
    >>> plot_clv(table, ax=Figure().subplots()).get_title(loc="left")
    'Most customers are worth little, a few much'
    """
    words = words or Words("XXX")
    ax = axes(ax)
    if table.empty:
        return nothing(ax, "There are no customers")
    predicted = bool(table["clv"].notna().any())
    value = table["clv" if predicted else "historic_value"].to_numpy(float)
    low, high = np.quantile(value, [0.0, 0.99])
    ax.hist(np.clip(value, low, high), bins=40, histtype="stepfilled", color=BLUE, alpha=0.85, label="customers")
    mean, median = float(value.mean()), float(np.median(value))
    ax.axvline(mean, color=INK, lw=1.8, label=f"mean {words.money(mean)}")
    ax.axvline(median, color=ORANGE, lw=1.8, ls="--", label=f"median {words.money(median)}")
    money_axis(ax.xaxis, words)
    ax.yaxis.set_major_formatter(lambda v, _: words.count(v))
    what = "expected value" if predicted else "value so far"
    ax.set_xlabel(f"{what} of a customer (the highest 1% stand at the right edge)")
    ax.set_ylabel("customers")
    ax.set_title("Most customers are worth little, a few much" if mean > 1.3 * median else f"How {what} is spread")
    ax.legend()
    return tell(
        ax,
        f"Histogram of {what}: mean {words.money(mean)}, median {words.money(median)}, "
        f"highest hundredth above {words.money(high)}.",
    )


@styled
def plot_concentration(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw which share of value the best tenths of customers hold.

    Parameters
    ----------
    table : pandas.DataFrame
        ``customers``, a tenth of them, two tenths and so on, the best first, and ``share_of_value`` held by so many:
        ``value.concentration.table`` of step 1. With fewer than five rows the picture says that there are too few.
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
    >>> table = pd.DataFrame({"customers": [0.1, 0.2, 0.3, 0.4, 0.5], "share_of_value": [0.4, 0.6, 0.72, 0.81, 0.88]})
    >>> plot_concentration(table, ax=Figure().subplots()).get_title(loc="left")
    'The best fifth of customers holds 60% of the value'
    """
    words = words or Words("XXX")
    ax = axes(ax)
    if len(table) < 5:
        return nothing(ax, "There are too few customers to look at tenths of them")
    x, y = table["customers"], table["share_of_value"]
    ax.bar(x * 10, y, width=0.8, color=np.where(np.arange(len(x)) < 2, BLUE, PALE))
    for at, height in zip(x * 10, y, strict=True):
        ax.text(at, height + 0.015, words.share(height), ha="center", va="bottom", fontsize=9, color=INK)
    ax.set_xticks(x * 10, [f"best {words.share(v)}" for v in x], rotation=35, ha="right")
    share_axis(ax.yaxis, words)
    ax.set_ylim(min(0, float(y.min())), max(1.1, float(y.max()) + 0.08))
    ax.set_ylabel("share of all value")
    ax.set_title(f"The best fifth of customers holds {words.share(y.iloc[1])} of the value")
    ax.grid(visible=False, axis="x")
    return tell(
        ax,
        f"Share of value by best customers: 10% hold {words.share(y.iloc[0])}, 20% hold {words.share(y.iloc[1])}, "
        f"50% hold {words.share(y.iloc[4])}.",
    )


@styled
def plot_channels(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw what a customer of each channel brings against what winning one cost.

    Parameters
    ----------
    table : pandas.DataFrame
        ``channel, historic_value, clv, clv_low, clv_high, cac``, per customer in the client's currency; all but the
        first two may be missing in a row.
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
    >>> table = pd.DataFrame({"channel": ["ads"], "historic_value": 20.0, "clv": 30.0, "clv_low": 25.0})
    >>> plot_channels(table.assign(clv_high=36.0, cac=12.0), ax=Figure().subplots()).figure.clvnb_alt
    'Per customer by channel. ads: ¤20.00 so far, ¤30.00 expected, won for ¤12.00.'
    """
    words = words or Words("XXX")
    ax = axes(ax, size=(7.2, 1.3 + 0.62 * max(len(table), 1)))
    if table.empty:
        return nothing(ax, "The log names no channels")
    rows = table.iloc[::-1].reset_index(drop=True)
    y = np.arange(len(rows))
    coming = rows["clv"].fillna(0.0)
    ax.barh(y, rows["historic_value"], height=0.55, color=BLUE, label="so far")
    ax.barh(y, coming, left=rows["historic_value"], height=0.55, color=PALE, label="expected")
    has = rows["clv"].notna()
    ends = whiskers(*(rows.loc[has, c] for c in ("clv", "clv_low", "clv_high")))
    ax.errorbar((rows["historic_value"] + coming)[has], y[has], xerr=ends, fmt="none", ecolor=INK, capsize=4, lw=1.4)
    if rows["cac"].notna().any():
        ax.plot(rows["cac"], y, "D", color=ORANGE, mec=INK, ms=8, label="cost of winning one")
    ax.set_yticks(y, labels(rows["channel"]))
    money_axis(ax.xaxis, words)
    ax.set_xlabel("per customer; the line is the 90% range of expected value")
    ax.set_title("What a customer brings, by channel")
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.12), ncols=3)
    ax.grid(visible=False, axis="y")
    said = "; ".join(
        f"{r.channel}: {words.money(r.historic_value)} so far, {words.money(r.clv)} expected, won for {words.money(r.cac)}"
        for r in table.itertuples()
    )
    return tell(ax, f"Per customer by channel. {said}.")


@styled
def plot_group_effects(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw what each group of new customers does against all of them: orders, staying and spend, with ranges.

    Parameters
    ----------
    table : pandas.DataFrame
        Of ``group_effects``: ``column, level, customers`` and ``orders, stays, spend`` with ``_low`` and ``_high``, 1 being all
        customers. Of a column with more than eight levels the largest are drawn.
    ax : Axes, optional
        Where to draw; a figure of its own when left out.
    words : Words, optional
        The client's language.

    Returns
    -------
    matplotlib.axes.Axes
        With its alt text; ``show`` publishes it.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> row = {"column": "channel", "level": "ads", "customers": 40}
    >>> row |= {f"{k}{end}": v for k in ("orders", "stays", "spend") for end, v in (("", 1.2), ("_low", 1.1), ("_high", 1.4))}
    >>> plot_group_effects(pd.DataFrame([row]), ax=Figure().subplots()).figure.clvnb_alt
    'Against all customers, in times: ads orders 1.20, stays 1.20, spend 1.20.'
    """
    rows = table.groupby("column", sort=False).head(8) if len(table) else table
    ax = axes(ax, size=(7.2, 1.4 + 0.6 * max(len(rows), 1)))
    if rows.empty:
        return nothing(ax, "Customers come from one group alone")
    rows = rows.iloc[::-1].reset_index(drop=True)
    y = np.arange(len(rows))
    ax.axvline(1.0, color=GREY, lw=1)
    kinds = {"orders": (BLUE, "o", "orders in the first year"), "stays": (ORANGE, "D", "still active after it"),
             "spend": (INK, "s", "spend on an order")}  # fmt: skip
    for k, (what, (colour, mark, said)) in enumerate(kinds.items()):
        ends = whiskers(*(rows[f"{what}{end}"] for end in ("", "_low", "_high")))
        ax.errorbar(
            rows[what], y + 0.22 * (1 - k), xerr=ends, fmt=mark, color=colour, ms=6, capsize=3, lw=1.3, label=said
        )
    several = rows["column"].nunique() > 1
    names = [f"{r.column.replace('_', ' ')}: {r.level}" if several else r.level for r in rows.itertuples()]
    ax.set_yticks(y, labels(names))
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_xlabel("times all customers' figure; lines are 90% ranges")
    ax.set_title("What new customers do, by group")
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.12), ncols=3)
    ax.grid(visible=False, axis="y")
    said = "; ".join(
        f"{r.level} orders {r.orders:.2f}, stays {r.stays:.2f}, spend {r.spend:.2f}"
        for r in rows.iloc[::-1].itertuples()
    )
    return tell(ax, f"Against all customers, in times: {said}.")


@styled
def plot_methods(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw a new customer's value by each method, the simplest on top, with intervals where there are any.

    Parameters
    ----------
    table : pandas.DataFrame
        From ``shop_methods`` or ``contract_methods``: ``method, value, low, high``, in the client's currency; the ends are
        missing where there is no interval.
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
    >>> table = pd.DataFrame({"method": ["Simple formula", "Model"], "value": [450.0, 180.0], "low": [np.nan, 160.0]})
    >>> plot_methods(table.assign(high=[np.nan, 200.0]), ax=Figure().subplots()).figure.clvnb_alt
    'Value of a new customer by method: Simple formula ¤450; Model ¤180 (¤160 to ¤200).'
    """
    words = words or Words("XXX")
    ax = axes(ax, size=(7.2, 1.2 + 0.5 * max(len(table), 1)))
    y = np.arange(len(table))[::-1]
    known, sure = table["value"].notna().to_numpy(), table["low"].notna().to_numpy()
    value = table["value"].to_numpy(float)
    ax.hlines(y[known], 0, value[known], color="#d0d0d0", lw=2)
    ends = whiskers(*(table.loc[sure, c] for c in ("value", "low", "high")))
    ax.errorbar(value[sure], y[sure], xerr=ends, fmt="none", ecolor=INK, capsize=4, lw=1.4, zorder=3)
    plain = known & ~sure
    ax.plot(value[plain], y[plain], "o", mfc="white", mec=GREY, mew=1.8, ms=9, label="no interval")
    ax.plot(value[sure], y[sure], "o", color=BLUE, ms=9, label="with its 90% range")
    high = np.nanmax(np.where(sure, table["high"].to_numpy(float), value), initial=0.0)
    for at, row in zip(y, table.itertuples(), strict=True):
        end = row.high if np.isfinite(row.low) else row.value
        label = f"  {words.money(row.value)}" if np.isfinite(row.value) else "  cannot be said from these data"
        ax.text(np.nan_to_num(end) + 0.012 * high, at, label, va="center")
    ax.set_yticks(y, table["method"])
    ax.set_xlim(min(0.0, float(np.nanmin(np.append(value, 0.0)))), 1.25 * high if high > 0 else 1.0)
    ax.set_ylim(-0.6, len(table) - 0.4)
    money_axis(ax.xaxis, words)
    ax.set_title("What a new customer is worth, by method")
    if plain.any() and sure.any():
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.1), ncols=2)
    ax.grid(visible=False, axis="y")
    said = "; ".join(
        f"{r.method} {words.money(r.value)}" + (f" ({words.money(r.low)} to {words.money(r.high)})" if np.isfinite(r.low) else "")
        for r in table.itertuples() if np.isfinite(r.value)
    )  # fmt: skip
    return tell(ax, f"Value of a new customer by method: {said or 'none can be computed'}.")


@styled
def plot_segments(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw each segment's share of customers beside its share of value.

    Parameters
    ----------
    table : pandas.DataFrame
        From ``segment_profile``: ``segment, share_of_customers, share_of_value``.
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
    >>> table = pd.DataFrame({"segment": ["Loyal"], "share_of_customers": [0.2], "share_of_value": [0.7]})
    >>> plot_segments(table, ax=Figure().subplots()).figure.clvnb_alt
    'Segments. Loyal: 20% of customers, 70% of value.'
    """
    words = words or Words("XXX")
    ax = axes(ax, size=(7.2, 1.4 + 0.42 * len(table)))
    rows = table.iloc[::-1].reset_index(drop=True)
    y = np.arange(len(rows))
    ax.barh(y + 0.19, rows["share_of_value"], height=0.36, color=BLUE, label="of value")
    ax.barh(y - 0.19, rows["share_of_customers"], height=0.36, color="#c9c9c9", label="of customers")
    for at, share in zip(y, rows["share_of_value"], strict=True):
        ax.text(max(share, 0) + 0.004, at + 0.19, words.share(share), va="center", fontsize=8.5, color=INK)
    ax.set_yticks(y, labels(rows["segment"]))
    share_axis(ax.xaxis, words)
    ax.set_xlabel("share")
    ax.set_title("What each segment holds")
    ax.legend(loc="lower right")
    ax.grid(visible=False, axis="y")
    said = "; ".join(
        f"{r.segment}: {words.share(r.share_of_customers)} of customers, {words.share(r.share_of_value)} of value"
        for r in table.itertuples()
    )
    return tell(ax, f"Segments. {said}.")


@styled
def plot_cohorts(
    table: pd.DataFrame,
    *,
    period: str = "month",
    what: str = "revenue_per_customer",
    ax: Axes | None = None,
    words: Words | None = None,
) -> Axes:
    """Draw a line per cohort: money per customer, added up as they age, or the share who bought; older cohorts darker.

    Parameters
    ----------
    table : pandas.DataFrame
        From ``cohort_matrix``: cohorts in rows (start of the period), ages in columns, missing where unseen. Money is
        added up over ages beforehand, ``matrix.cumsum(axis=1).where(matrix.notna())``; shares are drawn as they are,
        with ``what="share"``.
    period : "month", "quarter" or "year"
        The length of a cohort and of an age.
    what : "revenue_per_customer" or "share"
        What is in the table.
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
    >>> table = pd.DataFrame([[50.0, 70.0], [45.0, None]], index=pd.to_datetime(["2024-01-01", "2024-02-01"]))
    >>> plot_cohorts(table, ax=Figure().subplots()).get_title(loc="left")
    'What customers bring as they age, by when they came'
    """
    import matplotlib as mpl

    words = words or Words("XXX")
    ax = axes(ax)
    if table.empty:
        return nothing(ax, "No complete month to show")
    colours = mpl.colormaps["cividis"](np.linspace(0.0, 0.9, len(table)))
    for colour, (cohort, line) in zip(colours, table.iterrows(), strict=True):
        seen = line.dropna()
        ax.plot(seen.index, seen.to_numpy(float), color=colour, lw=1.6, marker="o", ms=2.5)
        ax.annotate(f"{cohort:%Y-%m}", (seen.index[-1], seen.iloc[-1]), xytext=(4, 0), textcoords="offset points",
                    va="center", fontsize=7.5, color=colour)  # fmt: skip
    ax.set_xlabel(f"{period}s since the {period} of the first purchase")
    oldest = table.iloc[0].dropna()
    last, age = oldest.iloc[-1], int(oldest.index[-1])
    if what == "share":
        share_axis(ax.yaxis, words)
        ax.set_ylabel(f"share who bought in the {period}")
        ax.set_title("How many come again as they age, by when they came")
        told = f"Share who bought, a line for each of {len(table)} cohorts; of the oldest {words.share(last)} bought"
        return tell(ax, f"{told} after {age} {period}s.")
    money_axis(ax.yaxis, words)
    ax.set_ylabel("revenue per customer, added up")
    ax.set_title("What customers bring as they age, by when they came")
    told = f"Revenue per customer added up, a line for each of {len(table)} cohorts; the oldest reaches {words.money(last)}"
    return tell(ax, f"{told} after {age} {period}s.")


@styled
def plot_forecast(
    table: pd.DataFrame,
    *,
    what: str = "purchases",
    months: int = 12,
    ax: Axes | None = None,
    words: Words | None = None,
) -> Axes:
    """Draw what came month by month, and what is expected of today's customers, with its range.

    Parameters
    ----------
    table : pandas.DataFrame
        FORECAST: ``period, what, actual, mean, low, high``.
    what : "purchases" or "revenue"
    months : int
        How many are looked at ahead, and twice as many back.
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
    >>> table = pd.DataFrame({"period": pd.date_range("2024-01-01", periods=3, freq="MS"), "what": "purchases",
    ...     "actual": [90.0, 110.0, None], "mean": [None, None, 95.0], "low": [None, None, 80.0], "high": [None, None, 112.0]})
    >>> plot_forecast(table, ax=Figure().subplots()).get_title(loc="left")
    "What came, and what today's customers will buy"
    """
    words, ax = words or Words("XXX"), axes(ax)
    own = table[table["what"] == what] if "what" in table else table
    if own.empty or not own["mean"].notna().any():
        return nothing(ax, "No forecast could be made")
    came, ahead = own.dropna(subset=["actual"]).tail(2 * months), own.dropna(subset=["mean"]).head(months)
    ax.bar(came["period"], came["actual"], width=24, color=PALE, label="came, all customers")
    ax.plot(
        ahead["period"],
        ahead["mean"],
        color=ORANGE,
        lw=2.2,
        ls="--",
        marker="o",
        ms=4,
        label="expected of today's customers",
    )
    ax.fill_between(
        ahead["period"], ahead["low"], ahead["high"], color=ORANGE, alpha=0.22, lw=0, label="90% range of a month"
    )
    ax.set_ylim(0, 1.3 * max(came["actual"].max(), ahead["high"].max()))  # room for the legend
    ax.set_ylabel("repeat purchases a month" if what == "purchases" else "revenue a month")
    ax.set_title("What came, and what today's customers will buy")
    ax.legend(loc="upper left")
    _dated(ax)
    if what == "revenue":
        money_axis(ax.yaxis, words)
    else:
        ax.yaxis.set_major_formatter(lambda v, _: words.count(v))
    shown = words.money if what == "revenue" else words.count
    last, first = came.iloc[-1], ahead.iloc[0]
    return tell(
        ax,
        f"By month: {shown(last['actual'])} came in {last['period']:%Y-%m}; of today's customers {shown(first['mean'])} are expected "
        f"in {first['period']:%Y-%m}, {shown(first['low'])} to {shown(first['high'])}.",
    )


@styled
def plot_tests(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw forecasts from earlier days, with their ranges, beside what came.

    Parameters
    ----------
    table : pandas.DataFrame
        ``Forecast.tests``: ``origin, horizon, expected, low, high, actual, inside``.
    ax : Axes, optional
        Where to draw; a figure of its own when left out.
    words : Words, optional
        The client's language.

    Returns
    -------
    matplotlib.axes.Axes
        With its alt text; ``show`` publishes it.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> table = pd.DataFrame({"origin": pd.to_datetime(["2024-01-01"]), "horizon": [91], "expected": [100.0],
    ...     "low": [80.0], "high": [125.0], "actual": [110.0], "inside": [True]})
    >>> plot_tests(table, ax=Figure().subplots()).get_title(loc="left")
    'The range held 1 of 1 earlier forecasts'
    """
    words, ax = words or Words("XXX"), axes(ax)
    if table.empty:
        return nothing(ax, "The log is too short for a test")
    horizon = table["horizon"].mode().max() if table["horizon"].nunique() > 1 else table["horizon"].iloc[0]
    own = table[table["horizon"] == horizon].sort_values("origin")
    at = np.arange(len(own))
    ax.errorbar(at, own["expected"], yerr=whiskers(own["expected"], own["low"], own["high"]), fmt="o", color=ORANGE, ms=5,
                lw=1.6, capsize=3, label="forecast and 90% range")  # fmt: skip
    ax.plot(at, own["actual"], "D", color=INK, ms=6, ls="none", label="came")
    ax.set_xticks(at, [f"{day:%Y-%m}" for day in own["origin"]])
    ax.set_xlabel(f"forecast made in, {horizon:,.0f} days ahead")
    ax.set_ylabel("purchases")
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(lambda v, _: words.count(v))
    held = int(own["inside"].sum())
    ax.set_title(f"The range held {held} of {len(own)} earlier forecasts")
    ax.legend(loc="upper left")
    return tell(
        ax,
        f"Forecasts from {len(own)} earlier days, {horizon:,.0f} days ahead: what came lay in the range {held} times.",
    )


@styled
def plot_season(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw how the pace of purchases changes over a year.

    Parameters
    ----------
    table : pandas.DataFrame
        ``Forecast.year``: ``day, pace`` (1 on average).
    ax : Axes, optional
        Where to draw; a figure of its own when left out.
    words : Words, optional
        The client's language.

    Returns
    -------
    matplotlib.axes.Axes
        With its alt text; ``show`` publishes it.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> table = pd.DataFrame({"day": pd.date_range("2023-01-01", periods=3), "pace": [0.9, 1.0, 1.1]})
    >>> plot_season(table, ax=Figure().subplots()).get_title(loc="left")
    "The year's season"
    """
    from matplotlib.dates import DateFormatter, MonthLocator

    words, ax = words or Words("XXX"), axes(ax, size=(7.2, 2.6))
    if table.empty:
        return nothing(ax, "The log is too short to tell a season")
    ax.axhline(1.0, color=GREY, lw=1)
    ax.plot(table["day"], table["pace"], color=BLUE, lw=2.2)
    ax.set_title("The year's season")
    ax.set_ylabel("pace, 1 on average")
    ax.set_ylim(bottom=0)
    ax.xaxis.set_major_locator(MonthLocator())
    ax.xaxis.set_major_formatter(DateFormatter("%b"))
    best, least = (table.loc[getattr(table["pace"], find)()] for find in ("idxmax", "idxmin"))
    return tell(ax, f"Purchases come fastest in {best['day']:%B} ({best['pace']:.1f} times the mean) and slowest in "
                    f"{least['day']:%B} ({least['pace']:.1f}).")  # fmt: skip


@styled
def plot_mrr(table: pd.DataFrame, *, ax: Axes | None = None, words: Words | None = None) -> Axes:
    """Draw what monthly recurring revenue gained and lost, for up to two years.

    Parameters
    ----------
    table : MRR
        From ``mrr_movements``, in the client's currency a month.
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
    >>> table = pd.DataFrame({"month": pd.to_datetime(["2024-01-01", "2024-02-01"]), "opening": [0.0, 20.0],
    ...     "new": [20.0, 0.0], "expansion": [0.0, 5.0], "contraction": 0.0, "churn": 0.0, "reactivation": 0.0,
    ...     "closing": [20.0, 25.0]})
    >>> plot_mrr(table, ax=Figure().subplots()).figure.clvnb_alt
    'Monthly recurring revenue, January 2024 to February 2024: from ¤0.00 to ¤25.00. Gained ¤25.00, lost ¤0.00.'
    """
    words, ax = words or Words("XXX"), axes(ax, size=(7.2, 3.4))
    if table.empty:
        return nothing(ax, "Only subscriptions have recurring revenue")
    last = table.tail(24)
    gained, lost = [np.zeros(len(last)), np.zeros(len(last))]
    for name, (label, colour, hatch) in _MOVEMENTS.items():
        height, base = last[name].to_numpy(float), gained if name not in {"contraction", "churn"} else lost
        if height.any():
            ax.bar(
                last["month"],
                height,
                bottom=base,
                width=22,
                color=colour,
                hatch=hatch,
                edgecolor=INK,
                lw=0.4,
                label=label,
            )
        base += height
    ax.axhline(0, color=INK, lw=1)
    money_axis(ax.yaxis, words)
    _dated(ax)
    ax.set_title("What recurring revenue gained and lost, by month")
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.1), ncols=3)
    return tell(ax, f"Monthly recurring revenue, {last['month'].iloc[0]:%B %Y} to {last['month'].iloc[-1]:%B %Y}: from "
                    f"{words.money(last['opening'].iloc[0])} to {words.money(last['closing'].iloc[-1])}. Gained "
                    f"{words.money(gained.sum())}, lost {words.money(abs(lost.sum()))}.")  # fmt: skip


_MOVEMENTS = {
    "new": ("new", BLUE, ""),
    "expansion": ("upgrades, higher prices", PALE, ""),
    "reactivation": ("returned", PALE, "//"),
    "contraction": ("downgrades", GREY, ""),
    "churn": ("left", ORANGE, ""),
}


def _dated(ax: Axes) -> None:
    """Label the horizontal axis with dates as short as they can be."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(maxticks=8)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
