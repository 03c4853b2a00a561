"""Panels of step 3: a lever's net gain and its main drivers, and where a budget goes.

In: what ``improve_step`` found. Out: panels whose answers are ``evaluate_scenarios``, ``tornado`` and ``allocate``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import ipywidgets
import pandas as pd

from ..core.results import Finding
from ..core.words import Words
from ..improve.allocation import allocate
from ..improve.levers import Base, Scenario, effect_name
from ..improve.link import Link, prior_link
from ..improve.scenarios import evaluate_scenarios, tornado
from ..plots import plot_plan, plot_scenarios, plot_tornado
from .panel import Panel, State, choice, note, slider, tick

__all__ = ["explore_allocation", "explore_scenario"]


class Scenarios(ipywidgets.VBox):
    """A lever to choose, and the panel of the one that is chosen.

    Attributes
    ----------
    lever : ipywidgets.Dropdown
        The choice.
    panel : Panel
        Of the chosen lever.
    """

    def __init__(self, base: Base, scenarios: Sequence[Scenario], link: Link, words: Words) -> None:
        self._given = base, link, words
        self._scenarios = {s.name: s for s in scenarios}
        self._made: dict[str, Panel] = {}
        best = evaluate_scenarios(base, scenarios, link=link, words=words).table["scenario"]  # the best first
        self.lever = choice("lever", list(best), best.iloc[0])
        super().__init__()
        self.lever.observe(self._turn, names="value")
        self._turn()

    def _turn(self, _: Any = None) -> None:
        name = self.lever.value
        if name not in self._made:
            self._made[name] = _panel(self._scenarios[name], *self._given)
        self.panel = self._made[name]
        self.children = [self.lever, self.panel]

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        return bundle | {k: v for k, v in self.panel._repr_mimebundle_().items() if k.startswith("text/")}


def explore_scenario(
    base: Base | None,
    scenarios: Sequence[Scenario],
    *,
    link: Link | None = None,
    words: Words | None = None,
) -> ipywidgets.Widget:
    """Show one lever at a time, its effects, reach, time and cost on sliders: its net gain and its main drivers.

    Parameters
    ----------
    base : Base or None
        For example ``plan.base``; without one a sentence says so.
    scenarios : sequence of Scenario
        For example ``plan.library``; the first lever of the chosen one is moved.
    link : Link, optional
        For example ``plan.link``; the prior band of other businesses when left out.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    ipywidgets.Widget
        With ``lever``, the choice, and ``panel``, the chosen lever's. ``panel.state`` has one setting for each effect
        of the lever, and ``reach`` (share), ``lasts`` (years), ``yearly_cost`` and ``fixed_cost`` (client's currency);
        its answer is that of ``evaluate_scenarios``. A sentence in HTML where there is no plan.

    Examples
    --------
    >>> from clvnb import Lever
    >>> rows = {"segment": ["all"], "customers": 100, "active": 1.0, "retention": 0.8, "frequency": 4.0, "basket": 50.0}
    >>> rows |= {"margin": 0.4, "cost_to_serve": 0.0, "clv": 180.0}
    >>> base = Base(pd.DataFrame(rows), horizon="3 years", discount_rate=0.1)
    >>> more = Scenario("reminders", (Lever("reminders", {"frequency": (0.0, 0.05, 0.1)}, yearly_cost=1.0),))
    >>> explore_scenario(base, [more]).panel.state.names
    ('frequency', 'reach', 'lasts', 'yearly_cost', 'fixed_cost')
    """
    if base is None or not scenarios:
        return note("There is no plan to turn: step 1 could predict no values.")
    return Scenarios(base, scenarios, link or prior_link(), words or Words("XXX"))


def _panel(scenario: Scenario, base: Base, link: Link, words: Words) -> Panel:
    lever = scenario.levers[0]
    controls: dict[str, Any] = {}
    for name, (low, mode, high) in lever.effects.items():
        room = max(high - low, 0.01)
        controls[name] = slider(effect_name(name), mode, low - room, high + room, room / 50)
    top = max(lever.yearly_cost * 3, float((base.table["basket"] * 0.1).mean()))
    once = max(lever.fixed_cost * 3, base.total * 0.05, 10.0)
    controls["reach"] = slider("reach", lever.reach, 0.0, 1.0, 0.01, share=True)
    controls["lasts"] = slider("years it lasts", min(lever.lasts, base.years), 0.1, base.years, 0.1)
    controls["yearly_cost"] = slider("cost a year per customer", lever.yearly_cost, 0.0, top, top / 200)
    controls["fixed_cost"] = slider("fixed cost", lever.fixed_cost, 0.0, once, once / 200)

    def moved(values: dict[str, float]) -> Scenario:
        effects = {}
        for name, (low, mode, high) in lever.effects.items():  # the whole range moves with its most likely value
            by = values[name] - mode
            effects[name] = (low + by, values[name], high + by)
        rest: dict[str, Any] = {k: v for k, v in values.items() if k not in effects}
        return replace(scenario, levers=(replace(lever, effects=effects, **rest), *scenario.levers[1:]))

    def answer(**values: float) -> Finding:
        return evaluate_scenarios(base, [moved(values)], link=link, words=words)

    def sensitivity(_: Finding) -> tuple[Any, str]:  # computed after the answer is shown, since it takes longer
        found = tornado(base, moved(state.settings), link=link, words=words)
        return plot_tornado(found.table, net=found.net, words=words), found.text

    state = State(answer, **{k: c.value for k, c in controls.items()})
    return Panel(
        f"What is the net gain of {scenario.name}?",
        state,
        controls,
        draw=[
            lambda found: plot_scenarios(found.table, words=words),
            sensitivity,
        ],
    )


def explore_allocation(options: pd.DataFrame, budget: float, *, words: Words | None = None) -> ipywidgets.Widget:
    """Show where a budget goes as it grows and shrinks, by the mean or cautiously.

    Parameters
    ----------
    options : pandas.DataFrame
        From ``segment_gains``, for example ``plan.options``.
    budget : float
        Where the slider starts, in the client's currency; it goes from nothing to four times as much.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    ipywidgets.Widget
        A ``Panel`` with ``panel.state.budget`` (client's currency), ``most`` (largest share of the budget for one
        segment) and ``cautious``; its answer is that of ``allocate``. A sentence in HTML where ``options`` is empty.

    Examples
    --------
    >>> options = pd.DataFrame({"segment": list("abc"), "customers": [400, 150, 1000], "gain": [9, 30, 4]})
    >>> panel = explore_allocation(options.assign(cost=[5, 12, 3], gain_cautious=[6, 20, 2]), 3000)
    >>> panel.state.budget = 1800
    >>> panel.state.found.table["spend"].round(6).tolist()
    [0.0, 1800.0, 0.0]
    """
    if options.empty:
        return note("There is nothing to divide a budget over: no lever is expected to pay.")
    words = words or Words("XXX")
    top = max(4 * budget, 1.0)
    controls = {
        "budget": slider("budget", float(budget), 0.0, top, top / 200),
        "most": slider("most for one segment", 1.0, 0.05, 1.0, 0.05, share=True),
        "cautious": tick("count on four cases of five"),
    }
    state = State(lambda **s: allocate(options, **s, words=words), **{k: c.value for k, c in controls.items()})
    return Panel("Where does a budget go?", state, controls, draw=[lambda found: plot_plan(found.table, words=words)])
