"""The small charts of a report's first page, as SVG that takes its colours from the page's style sheet.

In: plain numbers and the words to label them with. Out: markup with its own description, and no script.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

__all__ = ["Scale", "concentration", "interval", "months", "ratio", "spark"]

_Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Scale:
    """From numbers to places: ``low`` stands at ``start``, ``high`` at ``end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of a value."""
        return self.start + (value - self.low) / ((self.high - self.low) or 1.0) * (self.end - self.start)


def _svg(width: int, height: int, parts: Sequence[str], *, label: str = "", kind: str = "") -> Markup:
    said = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true" focusable="false"'
    shape = f'class="{kind}" ' if kind else ""
    return Markup(
        f'<svg {shape}viewBox="0 0 {width} {height}" width="{width}" height="{height}" {said}>{"".join(parts)}</svg>'
    )


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'


def _path(kind: str, points: _Points, *, closed: bool = False) -> str:
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<{"polygon" if closed else "polyline"} class="{kind}" points="{places}"/>'


def _dot(kind: str, x: float, y: float, r: float = 2.6) -> str:
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{r}"/>'


def _bars(kind: str, bars: Sequence[tuple[float, float, float, float]]) -> str:
    """Bars of (left, right, from, to) as one path."""
    return f'<path class="{kind}" d="{"".join(f"M{a:.1f} {c:.1f}V{d:.1f}H{b:.1f}V{c:.1f}z" for a, b, c, d in bars)}"/>'


def _ticks(top: float) -> list[float]:
    """Three to five round values from 0 to just below ``top``."""
    if top <= 0:
        return [0.0]
    rough = top / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough)
    return [k * step for k in range(int(top / step) + 1)]


def spark(values: Sequence[float]) -> Markup:
    """Draw a series without axes, its last value marked; nothing for fewer than three.

    Examples
    --------
    >>> "polyline" in spark([1.0, 3.0, 2.0]), spark([1.0, 2.0])
    (True, Markup(''))
    """
    if len(values) < 3:
        return Markup()
    x, y = Scale(0, len(values) - 1, 3, 61), Scale(min(values), max(values), 24, 4)
    points = [(x(k), y(v)) for k, v in enumerate(values)]
    return _svg(64, 28, [_path("spark", points), _dot("dot", *points[-1])])


def months(
    table: pd.DataFrame, *, size: tuple[int, int], unit: float, said: Callable[[float], str], label: str
) -> Markup:
    """Draw what came by month, first purchases on top of all else, and what is expected with its range.

    Parameters
    ----------
    table : pandas.DataFrame
        ``month, first, repeat, mean, low, high``, as ``by_month`` has it, cut to the months that are shown.
    size : (width, height)
        In units of the picture, which are pixels where it is not scaled.
    unit : float
        What one stands for on the axis, such as 1,000.
    said : function of a number
        Numbers on the axis in the client's locale.
    label : str
        The description.

    Returns
    -------
    Markup
        An SVG.
    """
    width, height = size
    past, ahead = table[table["repeat"].notna()], table[table["mean"].notna()]
    stack = past["repeat"].clip(lower=0) + past["first"].clip(lower=0)
    least = min(0.0, float(past["repeat"].min()))
    top = max(float(stack.max()), float(ahead["high"].max()) if len(ahead) else 0.0, 1e-9) / unit
    ticks = _ticks(top)
    left = 12 + 7 * max(len(said(t)) for t in ticks)
    y = Scale(min(0.0, least / unit), top * 1.04, height - 26, 12)
    x = Scale(0, len(table), left, width - 4)
    gap = (x(1) - x(0)) * 0.13
    parts = [
        _line("grid" if t else "axis", left, y(t), width - 4, y(t)) + _text(left - 6, y(t) + 4, said(t), anchor="end")
        for t in ticks
    ]

    def places(values: pd.Series, since: pd.Series | None = None) -> list[tuple[float, float, float, float]]:
        base = np.zeros(len(values)) if since is None else since.to_numpy(float) / unit
        ends = base + values.to_numpy(float) / unit
        return [(x(k) + gap, x(k + 1) - gap, y(a), y(b)) for k, (a, b) in enumerate(zip(base, ends, strict=True))]

    parts.append(_bars("new", places(past["first"].clip(lower=0), past["repeat"].clip(lower=0))))
    parts.append(_bars("known", places(past["repeat"])))
    if len(ahead):
        centre = [x(len(past) + k + 0.5) for k in range(len(ahead))]
        low, mean, high = (ahead[k].to_numpy(float) / unit for k in ("low", "mean", "high"))
        band = [(c, y(v)) for c, v in zip(centre, high, strict=True)] + [
            (c, y(v)) for c, v in zip(centre[::-1], low[::-1], strict=True)
        ]
        parts += [
            _path("band", band, closed=True),
            _path("ahead", [(c, y(v)) for c, v in zip(centre, mean, strict=True)]),
        ]
        parts.append(_line("today", x(len(past)), 6, x(len(past)), y(0)))
    years = table["month"].dt.year.to_numpy()
    for year in np.unique(years):
        at = np.nonzero(years == year)[0]
        parts.append(
            _text((x(at[0]) + x(at[-1] + 1)) / 2, height - 6, str(year), anchor="middle") if len(at) > 2 else ""
        )
        parts.append(_line("axis", x(at[0]), y(0), x(at[0]), y(0) + 6) if at[0] else "")
    return _svg(width, height, parts, label=label)


def concentration(
    shares: Sequence[tuple[float, float]], *, said: Callable[[float], str], marks: dict[float, str], label: str
) -> Markup:
    """Draw the share of value that the best share of customers holds, with a text at some shares of customers.

    Parameters
    ----------
    shares : sequence of (share of customers, share of value)
        From 0 to 1, the most valuable customers first.
    said : function of a share
        Numbers on the axes.
    marks : dict of share of customers to text
        What is said at these points.
    label : str
        The description.

    Returns
    -------
    Markup
        An SVG.
    """
    points = [(0.0, 0.0), *shares]
    x, y = Scale(0, 1, 34, 246), Scale(0, max(1.0, max(v for _, v in points)), 180, 8)
    places = [(x(a), y(b)) for a, b in points]
    parts = [
        _line("grid" if t else "axis", 34, y(t), 246, y(t)) + _text(28, y(t) + 4, said(t), anchor="end")
        for t in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    parts += [
        _path("area", [*places, (x(1), y(0))], closed=True),
        _line("equal", x(0), y(0), x(1), y(1)),
        _path("curve", places),
    ]
    values = dict(points)
    for at, text in marks.items():
        parts += [_dot("dot", x(at), y(values[at]), 4), _text(x(at) + 8, y(values[at]) + 16, text, kind="strong")]
    parts += [_text(x(t), 196, said(t), anchor="end" if t == 1 else "middle") for t in (0.0, 0.2, 0.5, 1.0)]
    return _svg(250, 202, parts, label=label, kind="fit")


def interval(low: float, value: float, high: float, ends: tuple[float, float], *, width: int = 120) -> Markup:
    """Draw a value with its range against zero, on a scale that several may share.

    Examples
    --------
    >>> str(interval(-1.0, 2.0, 4.0, (-1.0, 4.0))).count("<line")
    2
    """
    x = Scale(min(ends[0], 0.0), max(ends[1], 0.0), 6, width - 6)
    kind = "dot" if value >= 0 else "dot loss"
    return _svg(
        width,
        16,
        [_line("zero", x(0), 0, x(0), 16), _line("reach", x(low), 8, x(high), 8), _dot(kind, x(value), 8, 4.5)],
    )


def ratio(value: float, top: float, *, marks: Sequence[float] = (1.0, 3.0)) -> Markup:
    """Draw how many times a value is its cost, with marks where it breaks even and at the usual target.

    Examples
    --------
    >>> str(ratio(2.0, 4.0)).count("<line")
    2
    """
    x = Scale(0, max(top, marks[-1] * 1.15), 0, 92)
    parts = [f'<rect class="known" x="0" y="5" width="{x(max(value, 0.0)):.1f}" height="9"/>']
    parts += [_line("mark", x(m), 1, x(m), 18) + _text(x(m), 28, f"{m:g}", anchor="middle") for m in marks]
    return _svg(96, 29, parts)
