"""How pictures look and tables and sentences are published: the house style, alt text, and the words of column names.

In: axes, tables, sentences. Out: what a notebook or report shows.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from ..core.errors import ClvnbError, DataWarning
from ..core.results import escaped, table_html
from ..core.words import Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.layout_engine import LayoutEngine

__all__ = [
    "BLUE",
    "GREY",
    "INK",
    "ORANGE",
    "PALE",
    "as_table",
    "axes",
    "could_not",
    "labels",
    "money_axis",
    "nothing",
    "say",
    "share_axis",
    "show",
    "snug",
    "styled",
    "tell",
    "whiskers",
]

# Okabe and Ito's colours for the colour-blind; light and dark enough to tell apart in grey.
INK, BLUE, ORANGE, GREY = "#222222", "#0072B2", "#E69F00", "#9a9a9a"
PALE = "#a9cbe0"
_STYLE: dict[Any, Any] = {
    "figure.dpi": 110,
    "font.size": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # where it stands anyway; matplotlib would search for it at every draw
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.parse_math": False,
    "legend.frameon": False,
}


Plot = TypeVar("Plot", bound=Callable[..., "Axes"])


def styled(plot: Plot) -> Plot:
    """Draw in the house style without changing the user's own settings; what cannot be drawn is said in its place.

    A wrong argument still raises, such as a table without a column that is drawn. What a right table's values do to a
    picture does not: a report goes on, and the picture says why it is none.
    """

    @wraps(plot)
    def drawn(*args: Any, **kwargs: Any) -> Axes:
        import matplotlib.pyplot as plt

        open_before = set(plt.get_fignums())
        with plt.rc_context(_STYLE):
            try:
                return plot(*args, **kwargs)
            except Exception as error:
                for number in set(plt.get_fignums()) - open_before:
                    plt.close(number)
                if _is_misuse(error, [*args, *kwargs.values()]):
                    raise
                return _not_drawn(kwargs.get("ax"), plot.__name__, error)

    return drawn  # type: ignore[return-value]


def _is_misuse(error: Exception, given: list[Any]) -> bool:
    """Whether the arguments are at fault: no table, a table without a column that is drawn, or what is no argument."""
    tables = [x for x in given if isinstance(x, pd.DataFrame)]
    if isinstance(error, ClvnbError) or (isinstance(error, TypeError) and not tables):
        return True
    if isinstance(error, TypeError):
        return error.__traceback__ is not None and error.__traceback__.tb_next is None  # the call itself
    lacks = error.args[0] if isinstance(error, KeyError) else getattr(error, "name", None)
    return (
        isinstance(error, KeyError | AttributeError)
        and isinstance(lacks, str)
        and not any(lacks in t.columns for t in tables)
    )


def _not_drawn(ax: Axes | None, name: str, error: Exception) -> Axes:
    """Empty axes that say why there is no picture."""
    said = could_not(error)
    warnings.warn(f"{name}: {said}", DataWarning, stacklevel=3)
    ax = axes(None) if ax is None else ax
    ax.clear()
    ax.set_axis_off()
    ax.text(0.5, 0.5, said, ha="center", va="center", wrap=True, transform=ax.transAxes)
    ax.figure.clvnb_failed = said  # type: ignore[union-attr]
    return tell(ax, said)


def could_not(error: Exception) -> str:
    """Say that there is no picture, and why."""
    return f"This picture could not be drawn ({type(error).__name__}: {error})."


def whiskers(value: Any, low: Any, high: Any) -> list[np.ndarray]:
    """Lengths of error bars below and above: never below 0, and missing where an end is."""
    value, low, high = (np.asarray(x, dtype=float) for x in (value, low, high))
    return [np.maximum(value - low, 0.0), np.maximum(high - value, 0.0)]


def axes(ax: Axes | None, *, size: tuple[float, float] = (7.2, 3.6)) -> Axes:
    """Return the axes to draw on, new ones where none are given."""
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout=snug())[1] if ax is None else ax


def snug() -> LayoutEngine:
    """The layout of clvnb's pictures: the axes as large as their labels leave room for, measured once.

    Matplotlib's constrained layout measures all labels twice before it draws, which is half the work of a picture.
    """
    from matplotlib.layout_engine import LayoutEngine
    from matplotlib.transforms import Bbox

    class Snug(LayoutEngine):
        _adjust_compatible, _colorbar_gridspec = True, False

        def execute(self, fig: Any) -> None:
            renderer = fig.canvas.get_renderer()
            boxes = [ax.get_tightbbox(renderer, for_layout_only=True) for ax in fig.axes if ax.get_visible()]
            taken, pad = Bbox.union(boxes), 3 * fig.dpi / 72
            room, now = fig.bbox, fig.subplotpars
            fig.subplots_adjust(
                left=now.left + (pad - taken.x0) / room.width,
                right=now.right + (room.width - pad - taken.x1) / room.width,
                bottom=now.bottom + (pad - taken.y0) / room.height,
                top=now.top + (room.height - pad - taken.y1) / room.height,
            )

    return Snug()


def tell(ax: Axes, alt: str) -> Axes:
    """Give a picture its alt text."""
    ax.figure.clvnb_alt = alt  # type: ignore[union-attr]
    return ax


def money_axis(axis: Any, words: Words) -> None:
    """Label an axis with amounts."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(6))
    axis.set_major_formatter(FuncFormatter(lambda v, _: words.money(v, digits=0)))


def share_axis(axis: Any, words: Words) -> None:
    """Label an axis with percentages."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda v, _: words.share(v)))


def labels(names: Iterable[Any]) -> list[str]:
    """Names beside an axis: up to forty characters, and a longer one with a mark that it goes on.

    Examples
    --------
    >>> labels(["referrals", "newcomers, reminders of abandoned carts", "x" * 50])[1:]
    ['newcomers, reminders of abandoned carts', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…']
    """
    return [name if len(name) <= 40 else f"{name[:39].rstrip()}…" for name in map(str, names)]


def show(ax: Axes, *, caption: str = "") -> None:
    """Publish a picture in a notebook with its alt text, and close it.

    Parameters
    ----------
    ax : Axes
        From one of the ``plot_`` functions.
    caption : str
        Printed below the picture in a report.

    Returns
    -------
    None
        The picture is displayed; of one that cannot be drawn, the sentence that says why.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> show(Figure().subplots())
    {'image/png': ...}
    """
    import matplotlib.pyplot as plt
    from IPython.display import display

    figure: Any = ax.figure
    alt = getattr(figure, "clvnb_alt", "a figure without a description")
    said = getattr(figure, "clvnb_failed", "")
    if getattr(figure, "clvnb_empty", False):  # nothing to see: the sentence beside it says why
        plt.close(figure)
        return
    try:
        picture = b"" if said else _png(figure)
    except Exception as error:  # matplotlib lays out and numbers its axes only now
        said = could_not(error)
        warnings.warn(said, DataWarning, stacklevel=2)
    plt.close(figure)
    if said:
        say(said)
        return
    display(
        {"image/png": picture, "text/plain": f"[figure: {alt}]"},
        raw=True,
        metadata={"image/png": {"alt": alt, "caption": caption}},
    )


def _png(figure: Any) -> bytes:
    """A figure in 128 colours: a third of the size, and the eye sees no difference."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure.set_dpi(120)
    canvas, small = FigureCanvasAgg(figure), io.BytesIO()
    canvas.draw()
    picture = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba()).convert("RGB")
    few = picture.quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(small, format="PNG", compress_level=6)
    return small.getvalue()


def say(sentence: Any) -> None:
    """Publish a sentence, such as a ``Finding``'s, as running text; an empty line begins a paragraph.

    Parameters
    ----------
    sentence : str or Finding
        Anything whose text is the sentence.

    Returns
    -------
    None
        The sentence is displayed.

    Examples
    --------
    >>> say("Three rows were read.")
    {'text/html': '<p>Three rows were read.</p>', 'text/plain': 'Three rows were read.'}
    """
    from IPython.display import display

    text = str(sentence)
    if not text:
        return
    paragraphs = "".join(f"<p>{escaped(part)}</p>" for part in text.split("\n\n"))
    display({"text/html": paragraphs, "text/plain": text}, raw=True)


_SAID: dict[str, tuple[str, Any]] = {  # how the columns of a CLV table are called and shown to a reader
    "customer_id": ("customer", str),
    "p_alive": ("chance to be active", Words.share),
    "historic_value": ("value so far", Words.money),
    "clv": ("expected value", Words.money),
    "clv_low": ("low end", Words.money),
    "clv_high": ("high end", Words.money),
    "share_of_customers": ("of customers", Words.share),
    "share_of_value": ("of value", Words.share),
    "method": ("method", str),
    "value": ("value", Words.money),
    "low": ("from", Words.money),
    "high": ("to", Words.money),
    "median_clv": ("median expected value", Words.money),
    "days_ahead": ("days ahead", Words.count),
    "purchases_mean": ("purchases", Words.count),
    "purchases_low": ("from", Words.count),
    "purchases_high": ("to", Words.count),
    "revenue_mean": ("revenue", Words.money),
    "revenue_low": ("revenue from", Words.money),
    "revenue_high": ("revenue to", Words.money),
    "expected_error": ("expected error", Words.share),
    "fifth_1": ("lowest fifth", Words.share),
    "fifth_2": ("second", Words.share),
    "fifth_3": ("third", Words.share),
    "fifth_4": ("fourth", Words.share),
    "fifth_5": ("highest fifth", Words.share),
    "days_since_last": ("days since the last purchase", Words.count),
    "due_high": ("due within (days)", Words.count),
    "next_low": ("next: from (days)", Words.count),
    "next_high": ("to (days)", Words.count),
    "holdout_crps": ("score (CRPS, per customer)", lambda w, v: w.count(v, digits=3)),
    "holdout_total_error": ("error of the total", Words.share),
    "holdout_money_total_error": ("error of the money", Words.share),
    "holdout_bias": ("bias of the total", Words.share),
    "holdout_mae": ("mean absolute error", str),
    "holdout_gain": ("ranking (1 is perfect)", str),
    "holdout_coverage": ("inside their 90% range", Words.share),
    "chosen": ("used", str),
    "month": ("month", lambda w, v: f"{v:%b\N{NO-BREAK SPACE}%Y}"),
    "opening": ("opening", Words.money),
    "new": ("new", Words.money),
    "expansion": ("upgrades, higher prices", Words.money),
    "reactivation": ("returned", Words.money),
    "contraction": ("downgrades", Words.money),
    "churn": ("left", Words.money),
    "closing": ("closing", Words.money),
    "nrr": ("net revenue retention", lambda w, v: w.share(v, digits=1)),
    "grr": ("gross", lambda w, v: w.share(v, digits=1)),
    "logo_churn": ("members lost", lambda w, v: w.share(v, digits=1)),
    "scenario": ("lever", str),
    "customers": ("customers", Words.count),
    "gain": ("gain, after discounts", Words.money),
    "cost": ("costs", Words.money),
    "net": ("net gain", Words.money),
    "net_low": ("90% from", Words.money),
    "net_high": ("to", Words.money),
    "p_profit": ("probability of profit", Words.share),
    "payback_years": ("years until paid back", str),
    "needed": ("needed part of the effect", str),
    "ceiling": ("may cost at most", Words.money),
    "cautious": ("or, in four cases of five at least", Words.money),
    "spend": ("spent", Words.money),
    "brings": ("gain", Words.money),
    "reached": ("customers reached", Words.count),
    "rate": ("answered", Words.share),
    "below": ("below", Words.share),
    "met": ("met", Words.share),
    "exceeded": ("exceeded", Words.share),
    "satisfied": ("of the satisfied", Words.share),
    "dissatisfied": ("of the others", Words.share),
    "unanswered": ("never answered", Words.share),
    "in_time": ("within a day", Words.share),
    "open": ("still open", Words.share),
    "median_hours": ("half within (hours)", lambda w, v: w.count(v, digits=1)),
    "p90_hours": ("nine in ten within (hours)", Words.count),
    "median_hours_to_close": ("half closed within (hours)", Words.count),
    "answers_per_wave": ("answers in each wave", Words.count),
}


def as_table(table: pd.DataFrame, *, words: Words | None = None) -> None:
    """Publish a table in a notebook or report: escaped, numbers aligned and shortened; of an empty one, nothing.

    Parameters
    ----------
    table : pandas.DataFrame
        Any; columns that are all empty text are left out.
    words : Words, optional
        The client's currency and language. With them, the columns of a CLV table get their names in plain words and
        money its currency.

    Returns
    -------
    None
        The table is displayed.

    Examples
    --------
    >>> as_table(pd.DataFrame({"rows": [3]}))
    {'text/html': '<div class="table-wrap"...<td class="num">3</td>..., 'text/plain': ...}
    """
    from IPython.display import display

    if table.empty:
        return
    table = table.loc[:, [not (table[c] == "").all() for c in table.columns]]
    shown, numbers = table, set(table.select_dtypes("number").columns)
    if words is not None:
        known = {c: _SAID[c] for c in table.columns if c in _SAID}
        said = {c: [_said(words, say, v) for v in table[c]] for c, (_, say) in known.items()}
        shown = table.assign(**said).rename(columns={c: name for c, (name, _) in known.items()})
        numbers = {known[c][0] if c in known else c for c in numbers}
    plain = shown.to_string(index=False)
    display({"text/html": table_html(shown, numbers=numbers), "text/plain": plain}, raw=True)


def _said(words: Words, say: Any, value: Any) -> Any:
    """A cell in plain words: nothing for what is missing, yes or nothing for a mark."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else ""
    if isinstance(value, float) and np.isnan(value):
        return "–"
    return (value if isinstance(value, float) else str(value)) if say is str else say(words, value)


def nothing(ax: Axes, why: str) -> Axes:
    """Say in place of a picture why there is none."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, why, ha="center", va="center", transform=ax.transAxes)
    ax.figure.clvnb_empty = True  # type: ignore[union-attr]
    return tell(ax, f"{why}.")
