"""Sliders over the public functions, for JupyterLab: what a customer is worth, what a lever leaves, where a budget goes.

In: what steps 1 and 3 found, or nothing. Out: ipywidgets; every answer comes from a function that works without them.
"""

from __future__ import annotations

import html
import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from .allocation import allocate
from .formulas import clv_retention, elasticity, retention_spend
from .levers import Base, Scenario
from .link import Link, prior_link
from .plots import plot_plan, plot_scenarios
from .power import detectable_change, margin_of_error_size, sample_size
from .scenarios import evaluate_scenarios
from .tables import ClvnbError, Finding
from .words import Words

if TYPE_CHECKING:
    from ipywidgets import Widget

__all__ = [
    "answer_clv",
    "answer_sample_size",
    "explore_allocation",
    "explore_clv",
    "explore_sample_size",
    "explore_scenario",
]


def explore_clv(*, words: Words | None = None) -> Widget:
    """Show a calculator of customer lifetime value: margin, retention and discount rate on sliders.

    Parameters
    ----------
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    ipywidgets.Widget
        The answer stands below the sliders and follows them.

    Examples
    --------
    >>> box = explore_clv(words=Words("EUR"))
    >>> "€367" in box.answer.value
    True
    """
    words = words or Words("XXX")
    controls = {
        "margin": _slider("contribution a year", 100.0, 1.0, 1000.0, 1.0),
        "retention": _slider("retention a year", 0.8, 0.0, 0.99, 0.01, share=True),
        "discount_rate": _slider("discount rate a year", 0.1, 0.0, 0.3, 0.01, share=True),
        "raised": _slider("retention raised to", 0.85, 0.0, 0.99, 0.01, share=True),
    }
    return _linked(controls, lambda **values: answer_clv(**values, words=words))


def answer_clv(margin: float, retention: float, discount_rate: float, raised: float, *, words: Words) -> Finding:
    """Say what a customer is worth by the retention formula, and what raising retention may cost.

    Parameters
    ----------
    margin : float
        Contribution a year of a customer who is there.
    retention, raised : float
        A year, now and as hoped for.
    discount_rate : float
    words : Words

    Examples
    --------
    >>> print(answer_clv(100, 0.8, 0.1, 0.82, words=Words("EUR")))
    A new customer is worth €367, one who has just paid €267 more. Raising retention from 80% to 82% would add €26.19, so it may \
cost up to €6.67 a year for each customer. One per cent more retention adds 2.7%.
    """
    new = clv_retention(margin, retention, discount_rate, "start_certain")
    known = clv_retention(margin, retention, discount_rate, "next_if_retained")
    once, each = retention_spend(margin, retention, raised, discount_rate)
    text = f"A new customer is worth {words.money(new)}, one who has just paid {words.money(known)} more. "
    if raised > retention:
        text += (
            f"Raising retention from {words.share(retention)} to {words.share(raised)} would add {words.money(once)}, so it may cost up "
            f"to {words.money(each)} a year for each customer. "
        )
    grows = elasticity(retention, discount_rate, "start_certain")
    text += f"One per cent more retention adds {words.share(grows / 100, digits=1)}."
    return Finding(
        pd.DataFrame({"new_customer": [new], "known_customer": [known], "gain": [once], "most_a_year": [each]}), text
    )


def explore_scenario(
    base: Base | None, scenario: Scenario | None, *, link: Link | None = None, words: Words | None = None
) -> Widget:
    """Show one lever with its most likely effects, reach, time and cost on sliders, and what it leaves.

    Parameters
    ----------
    base : Base or None
        For example ``plan.base``; without one a sentence says so.
    scenario : Scenario or None
        For example ``plan.leading``; its first lever is moved.
    link : Link, optional
        For example ``plan.link``.
    words : Words, optional
    """
    if base is None or scenario is None:
        return _nothing("There is no plan to turn: step 1 could predict no values.")
    words = words or Words("XXX")
    lever, tie = scenario.levers[0], link or prior_link()
    controls: dict[str, Any] = {}
    for name, (low, mode, high) in lever.effects.items():
        room = max(high - low, 0.01)
        controls[name] = _slider(name.replace("_", " "), mode, low - room, high + room, room / 50)
    top = max(lever.yearly_cost * 3, float((base.table["basket"] * 0.1).mean()))
    controls["reach"] = _slider("reach", lever.reach, 0.0, 1.0, 0.01, share=True)
    controls["lasts"] = _slider("years it lasts", min(lever.lasts, base.years), 0.1, base.years, 0.1)
    controls["yearly_cost"] = _slider("cost a year per customer", lever.yearly_cost, 0.0, top, top / 200)
    controls["fixed_cost"] = _slider(
        "fixed cost", lever.fixed_cost, 0.0, max(lever.fixed_cost * 3, base.total * 0.05), 10.0
    )

    def answer(**values: float) -> Finding:
        half = {k: (high - low) / 2 for k, (low, _, high) in lever.effects.items()}
        effects = {k: (values[k] - half[k], values[k], values[k] + half[k]) for k in lever.effects}
        rest: dict[str, Any] = {k: v for k, v in values.items() if k not in effects}
        moved = replace(scenario, levers=(replace(lever, effects=effects, **rest), *scenario.levers[1:]))
        return evaluate_scenarios(base, [moved], link=tie, words=words)

    return _linked(controls, answer, picture=lambda found: plot_scenarios(found.table, words=words))


def explore_allocation(options: pd.DataFrame, budget: float, *, words: Words | None = None) -> Widget:
    """Show where a budget goes as it grows and shrinks, by the mean or cautiously.

    Parameters
    ----------
    options : pandas.DataFrame
        From ``segment_gains``, for example ``plan.options``.
    budget : float
        Where the slider starts; it goes from nothing to four times as much.
    words : Words, optional
    """
    import ipywidgets as widgets

    if options.empty:
        return _nothing("There is nothing to divide a budget over: no lever is expected to pay.")
    words = words or Words("XXX")
    top = max(4 * budget, 1.0)
    controls = {
        "budget": _slider("budget", float(budget), 0.0, top, top / 200),
        "most": _slider("most for one segment", 1.0, 0.05, 1.0, 0.05, share=True),
        "cautious": widgets.Checkbox(value=False, description="count on four cases of five", indent=False),
    }
    return _linked(
        controls,
        lambda **values: allocate(options, **values, words=words),
        picture=lambda found: plot_plan(found.table, words=words),
    )


def explore_sample_size(*, share: float = 0.7, customers: int = 1000, words: Words | None = None) -> Widget:
    """Show how many answers it takes to tell a score, and to see a change in it.

    Parameters
    ----------
    share : float
        The share of satisfied customers now.
    customers : int
        How many there are to ask.
    words : Words, optional
    """
    words = words or Words("XXX")
    controls = {
        "share": _slider("satisfied now", share, 0.02, 0.95, 0.01, share=True),
        "change": _slider("change to be seen", 0.05, 0.01, 0.3, 0.01, share=True),
        "customers": _slider("customers to ask", float(customers), 20.0, max(20_000.0, 2.0 * customers), 20.0),
        "answering": _slider("share who answer", 0.2, 0.02, 1.0, 0.01, share=True),
    }
    return _linked(controls, lambda **values: answer_sample_size(**values, words=words))


def answer_sample_size(share: float, change: float, customers: float, answering: float, *, words: Words) -> Finding:
    """Say how many answers a wave needs, and what the customers there are can show.

    Examples
    --------
    >>> print(answer_sample_size(0.7, 0.05, 1000, 0.2, words=Words("EUR")))
    To see a change of 5 percentage points, each wave needs 1,251 answers; to tell the score to within 5 points, 245. Asking all 1,000 \
customers brings about 200, which show a change of 12.8 points: so the change could not be seen.
    """
    there = share + change < 0.99
    need = sample_size(change if there else -change, share=share)[0]
    margin = margin_of_error_size(0.05, variance=share * (1 - share), customers=round(customers))
    brings = customers * answering
    least = detectable_change(brings, variance=share * (1 - share))
    verdict = "so the change could be seen" if brings >= need else "so the change could not be seen"
    text = (
        f"To see a change of {100 * change:.0f} percentage points, each wave needs {words.count(need)} answers; to tell the score to within 5 "
        f"points, {words.count(margin)}. Asking all {words.count(customers)} customers brings about {words.count(brings)}, which show a change "
        f"of {100 * least:.1f} points: {verdict}."
    )
    return Finding(
        pd.DataFrame({"needed": [need], "for_the_score": [margin], "brings": [brings], "detectable": [least]}), text
    )


# ---------------------------------------------------------------------------------------------- the view


def _slider(label: str, value: float, low: float, high: float, step: float, *, share: bool = False) -> Widget:
    import ipywidgets as widgets

    return widgets.FloatSlider(
        value=min(max(value, low), high), min=low, max=high, step=step, description=label, readout_format=".0%" if share else ".4g",
        continuous_update=False, style={"description_width": "12em"}, layout={"width": "34em"},
    )  # fmt: skip


def _linked(
    controls: Mapping[str, Any], answer: Callable[..., Finding], picture: Callable[[Finding], Any] | None = None
) -> Widget:
    """Put controls above their answer, which follows them; a setting that cannot be answered says why."""
    import ipywidgets as widgets

    said = widgets.HTML()
    image = widgets.Image(format="png", layout={"max_width": "44em", "display": "none"})

    def follow(_: Any = None) -> None:
        try:
            found = answer(**{k: c.value for k, c in controls.items()})
        except (ValueError, ClvnbError) as error:
            said.value = f"<p>{html.escape(str(error))}</p>"
            return
        said.value = f"<p>{html.escape(found.text)}</p>"
        if picture is not None:
            image.value, image.layout.display = _drawn(picture(found)), ""

    for control in controls.values():
        control.observe(follow, names="value")
    follow()
    box = widgets.VBox([*controls.values(), said, image])
    box.controls, box.answer = dict(controls), said
    return box


def _nothing(why: str) -> Widget:
    import ipywidgets as widgets

    return widgets.HTML(f"<p>{html.escape(why)}</p>")


def _drawn(ax: Any) -> bytes:
    import matplotlib.pyplot as plt

    out = io.BytesIO()
    ax.figure.savefig(out, format="png", dpi=90)
    plt.close(ax.figure)
    return out.getvalue()
