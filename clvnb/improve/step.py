"""Step 3 in one call: what satisfaction is associated with, what each lever costs and gains, and a plan that pays.

In: ``Client`` or ``Books``, with what step 1 handed over. Out: ``ImproveStep``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.engine import to_pandas
from ..core.errors import ClientError, FitError, TableError
from ..core.maths import LEVEL, tail
from ..core.results import Finding, Told
from ..core.threads import one_thread
from ..core.words import Words
from ..data.books import Books, books_of
from ..data.client import Client
from ..data.spells import contract_lives, spells
from ..data.summary import purchase_days
from ..data.surveys import leading_metric
from ..experiments.planning import detectable_change, sample_size
from ..models import MBGNBD
from ..satisfaction.scores import latest_series
from ..satisfaction.step import WINDOW
from ..value.formulas import annual_billing_break_even
from ..value.newcomers import Newcomers
from ..value.worth import Handover, hand_over, newcomers_of
from .allocation import Allocation, allocate, investment_map, spend_ceilings, target_list
from .initiatives import list_initiatives, measured_effects
from .levers import CAUSED, Base, Scenario, customer_base, effect_name, learn, lever_library, playbook
from .link import Link, evidence, link_satisfaction, prior_link, renewal_outcomes, repeat_outcomes
from .scenarios import (
    Tornado,
    break_even,
    evaluate_scenarios,
    evpi,
    goal_seek,
    if_it_works,
    plan_range,
    segment_gains,
    tornado,
)

__all__ = ["ImproveStep", "improve_step"]

HOLDOUT = 0.1


@dataclass(frozen=True, repr=False)
class ImproveStep(Told):
    """What step 3 found out about a client.

    Attributes
    ----------
    client : Client
        Whose step it is.
    as_of : date
        The last day looked at.
    worth : Handover
        What step 1 found.
    link : Link
        From satisfaction to staying.
    left_out : dict
        Answers that could not be used for the link, by reason.
    base : Base or None
        Where scenarios start; None where step 1 could predict nothing.
    library : tuple of Scenario
        The levers of the guide, with the client's own figures.
    scenarios : Finding
        SCENARIOS.
    gains : pandas.DataFrame
        From ``segment_gains``.
    options : pandas.DataFrame
        What the budget is divided over: the levers that are expected to pay.
    sensitivity, goal, plan, cautious, invested, targets, test, billing : Finding
        The main drivers of the best scenario; what more value would take; the budget divided, by the mean and cautiously;
        spending against value; who to contact; whether the effect could be seen; monthly against annual plans.
    break_evens, ceilings, guide : pandas.DataFrame
        The part of its assumed effect each lever needs; the most a customer may cost by segment; what to do in each
        segment.
    newcomers : Newcomers or None
        The customers of the last year; None where nothing is predicted or nobody came.
    budget : float
        In the client's currency.
    why_not : str
        Why there is no plan; empty where there is one.
    """

    client: Client
    as_of: date
    worth: Handover
    link: Link
    left_out: dict[str, int]
    base: Base | None
    library: tuple[Scenario, ...] = ()
    scenarios: Finding = field(default_factory=lambda: Finding(pd.DataFrame(), ""))
    gains: pd.DataFrame = field(default_factory=pd.DataFrame)
    options: pd.DataFrame = field(default_factory=pd.DataFrame)
    sensitivity: Tornado = field(default_factory=lambda: Tornado(pd.DataFrame(), ""))
    goal: Finding = field(default_factory=lambda: Finding(pd.DataFrame(), ""))
    plan: Allocation = field(default_factory=lambda: Allocation(pd.DataFrame(), ""))
    cautious: Allocation = field(default_factory=lambda: Allocation(pd.DataFrame(), ""))
    invested: Finding = field(default_factory=lambda: Finding(pd.DataFrame(), ""))
    targets: Finding = field(default_factory=lambda: Finding(pd.DataFrame(), ""))
    test: Finding = field(default_factory=lambda: Finding(pd.DataFrame(), ""))
    billing: Finding = field(default_factory=lambda: Finding(pd.DataFrame(), ""))
    break_evens: pd.DataFrame = field(default_factory=pd.DataFrame)
    ceilings: pd.DataFrame = field(default_factory=pd.DataFrame)
    guide: pd.DataFrame = field(default_factory=pd.DataFrame)
    newcomers: Newcomers | None = None
    budget: float = 0.0
    why_not: str = ""

    @property
    def headline(self) -> Finding:
        """The answer in one minute."""
        if self.base is None:
            return Finding(pd.DataFrame(), f"No plan can be computed yet. {self.why_not}")
        basis = {
            "found": "In this client's own data, customers with a higher score stay more often: an association, not yet a cause",
            "none": "This client's own data cannot tell whether satisfaction goes with staying",
            "wrong sign": "In this client's own data, customers with a higher score stay less often, and nothing is built on the opposite",
        }.get(self.link.status, "This client's own data cannot tell what satisfaction does")
        best = self.scenarios.table.iloc[0]
        free = (
            " No budget is needed for it, so it is no part of the plan that follows; decide on it by itself."
            if best["cost"] <= 0 < best["net"]
            else ""
        )
        return Finding(
            self.scenarios.table,
            f"{basis}. Values are computed over {self.client.economics.horizon}. {self.scenarios.text}{free} {self.plan.text}",
        )

    @property
    def linked(self) -> Finding:
        """The link, and the answers that could not be used for it."""
        words = self.client.words
        text = self.link.text
        if self.left_out:
            text += f" Not used: {'; '.join(f'{k}, {words.count(v)}' for k, v in self.left_out.items())}."
        return Finding(self.link.classes, text)

    @property
    def losing(self) -> Finding:
        """The levers that lose whatever of their range holds."""
        table = self.scenarios.table
        if table.empty:
            return Finding(table, "")
        sure = table[table["net_high"] < 0]
        text = (
            f"Losing over the whole 90% range: {', '.join(sure['scenario'])}."
            if len(sure)
            else "None loses over its whole range."
        )
        return Finding(sure, text)

    @property
    def activation(self) -> Finding:
        """How many newcomers come to a second purchase, and what it is worth."""
        new, words = self.newcomers, self.client.words
        if self.client.kind == "subscription" or new is None or not np.isfinite(new.activated_clv):
            return Finding(pd.DataFrame(), "")
        table = pd.DataFrame({"newcomers_a_year": [new.per_year], "came_back": [new.activated], "clv_of_those": [new.activated_clv],
                              "clv_of_others": [new.other_clv]})  # fmt: skip
        return Finding(
            table,
            f"Of the customers of the last year who have three months behind them, {words.share(new.activated)} came to a second purchase. "
            f"From now on those are worth {words.money(new.activated_clv)} each, the others {words.money(new.other_clv)}. The two differ in "
            f"more than that purchase: {words.share(CAUSED)} of the gap is taken to be its work.",
        )

    @property
    def assumptions(self) -> pd.DataFrame:
        """Every lever with what it is taken to change, what it costs, and where that comes from."""
        words, rows = self.client.words, []
        for scenario in self.library:
            for lever in scenario.levers:
                effects = "; ".join(
                    f"{effect_name(k)} {_signed(v[0], k)} to {_signed(v[2], k)}, most likely {_signed(v[1], k)}"
                    for k, v in lever.effects.items()
                )
                costs = [
                    f"{words.money(lever.fixed_cost)} once" if lever.fixed_cost else "",
                    f"{words.money(lever.cost_per_customer)} per customer" if lever.cost_per_customer else "",
                    f"{words.money(lever.yearly_cost)} a year per customer" if lever.yearly_cost else "",
                ]
                reach = words.share(lever.reach) if lever.reach else "newcomers"
                rows.append(
                    (
                        lever.name,
                        effects,
                        reach,
                        " + ".join(c for c in costs if c) or "nothing by itself",
                        lever.note,
                        lever.source,
                    )
                )
        return pd.DataFrame(rows, columns=["lever", "changes", "reaches", "costs", "what it is", "source"])

    @property
    def shown_scenarios(self) -> pd.DataFrame:
        """What each lever brings and costs, and the part of its effect that it needs."""
        table = self.scenarios.table
        if table.empty:
            return table
        both = table.merge(self.break_evens, on="scenario", how="left")
        needed = both["needed"].map(lambda v: "" if np.isnan(v) else self.client.words.share(v))
        needed = needed.where(needed != "", np.where(both["cost"] <= 0, "no cost", "out of reach"))
        years = both["payback_years"].map(lambda v: "never" if np.isnan(v) else f"{v:.1f}")
        free = both["cost"] <= 0
        return both.assign(payback_years=years.where(~free, "no cost"), needed=needed)[
            ["scenario", "gain", "cost", "net", "net_low", "net_high", "p_profit", "payback_years", "needed"]
        ]

    @property
    def shown_guide(self) -> pd.DataFrame:
        """What to do in each segment, and what a customer may cost."""
        table = self.guide
        return table[["segment", "do", "tone", "channel", "scenario", "ceiling", "cautious"]] if len(table) else table

    @property
    def research(self) -> pd.DataFrame:
        """The evidence card."""
        return evidence()

    def results(self) -> dict[str, Any]:
        """Return the headline figures as plain JSON values."""
        best = self.scenarios.table.iloc[0].to_dict() if len(self.scenarios.table) else {}
        return {
            "link": self.link.status,
            "link_effect": self.link.effect.to_dict(),
            "plan_text": self.headline.text,
            "budget": self.budget,
            "best_scenario": {k: (v if isinstance(v, str) else _number(v)) for k, v in best.items()},
            "actions": self._actions(),
        }

    def _actions(self) -> list[dict[str, Any]]:
        """The three levers with the highest net gain, each with its main driver."""
        if self.base is None:
            return []
        table = self.scenarios.table
        assumed = self.assumptions.set_index("lever")
        return [
            {
                "lever": r.scenario,
                **{k: _number(getattr(r, k)) for k in ("net", "net_low", "net_high", "cost", "p_profit")},
                "assumed": str(assumed.loc[r.scenario, "changes"]),
            }
            for r in table[table["net"] > 0].head(3).itertuples()
        ]

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables by the names they are saved under."""
        return {
            "link": self.link.table(),
            "link_classes": self.link.classes,
            "scenarios": self.scenarios.table,
            "segment_gains": self.gains,
            "break_even": self.break_evens,
            "ceilings": self.ceilings,
            "tornado": self.sensitivity.table,
            "plan": self.plan.table,
            "plan_cautious": self.cautious.table,
            "playbook": self.guide,
            "levers": self.assumptions,
            "target_list": self.targets.table,
        }

    def _told(self) -> tuple[str, Iterable[pd.DataFrame]]:
        return f"{self.client.name}, {self.client.words.day(self.as_of)}: {self.headline.text}", []


def _signed(value: float, name: str) -> str:
    return f"{value:+.2g}" if name == "satisfaction" else f"{100 * value:+.2g}%"


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


@one_thread
def improve_step(
    source: Client | Books,
    *,
    budget: float | None = None,
    as_of: date | str | None = None,
    output: str | Path = "",
) -> ImproveStep:
    """Run step 3 for a client.

    Parameters
    ----------
    source : Client or Books
        From ``Client.load`` or ``load_sample``; or ``Books``, whose sources the steps then share.
    budget : float, optional
        A year, in the client's currency; ``plan.budget`` of client.yaml, or a twentieth of the customers' yearly
        contribution, when left out.
    as_of : date, optional
        The evening of this day; the client's, or the last order's, when left out.
    output : path
        The folder that a report's notebooks share; step 1 is run where it left nothing there.

    Returns
    -------
    ImproveStep
        ``link``, ``base``, ``scenarios`` (SCENARIOS), ``gains``, ``plan``, ``targets``, ``ceilings``, ``budget``
        (client's currency) and more. Where step 1 could predict nothing, a step without a plan that says why.

    Raises
    ------
    ClientError
        When ``plan.levers`` of client.yaml names a lever, setting or effect that there is not, or the opt-outs cannot
        be read.
    ClvnbError
        When the data cannot be read at all.
    ValueError
        For a budget below 0.

    Examples
    --------
    >>> from clvnb import load_sample
    >>> step = improve_step(load_sample("subscription"))
    >>> step.link.status, step.scenarios.table.columns[:3].tolist()
    ('found', ['scenario', 'customers', 'clv_before'])
    """
    if budget is not None and not budget >= 0:
        raise ValueError(f"budget must not be below 0, got {budget}")
    books = books_of(source, as_of, output)
    _ = books.opted_out  # who must not be contacted is known before anything is computed, or nothing is
    worth = hand_over(books, output=output)
    client, new = worth.client, newcomers_of(worth)
    link, left_out = _link(worth)
    bare = ImproveStep(client, worth.as_of, worth, link, left_out, None, newcomers=new)
    if worth.total is None:
        return replace(bare, why_not=f"Plans start from predicted values. {worth.why}")
    try:
        base = customer_base(worth.customers, client.economics, total=worth.total, newcomers=new)
    except TableError as error:
        return replace(bare, why_not=str(error))
    return _planned(worth, link, left_out, base, budget)


def _library_of(client: Client, base: Base) -> list[Scenario]:
    try:
        return lever_library(base, kind=client.kind, changes=client.plan.levers)
    except (TableError, ValueError, TypeError) as error:
        raise ClientError(f"{client.folder / 'client.yaml'}: plan.levers: {error}") from error


def check_plan(books: Books) -> None:
    """Raise a ClientError where ``plan:`` of client.yaml cannot be used, before anything is computed.

    Raises
    ------
    ClientError
        When it names a lever, setting or effect that there is not, has a value that cannot be, or the opt-outs cannot be read.
    """
    nobody = {"segment": ["all"], "customers": 1, "active": 1.0, "retention": 0.5, "frequency": 1.0, "basket": 1.0}
    nobody |= {"margin": 1.0, "cost_to_serve": 0.1, "clv": 1.0}
    _library_of(books.client, Base(pd.DataFrame(nobody), horizon="1 year", discount_rate=0.1))
    _ = books.opted_out


def _planned(worth: Handover, link: Link, left_out: dict[str, int], base: Base, asked: float | None) -> ImproveStep:
    client, words = worth.client, worth.client.words
    library = _library_of(client, base)
    measured = measured_effects(worth)
    library = [replace(s, levers=tuple(learn(v, measured.get(v.name, {})) for v in s.levers)) for s in library]
    scenarios = evaluate_scenarios(base, library, link=link, level=LEVEL, words=words)
    gains = segment_gains(base, library, link=link, level=LEVEL)
    t = base.table
    yearly = float(
        (t["customers"] * t["active"] * t["frequency"] * (t["basket"] * t["margin"] - t["cost_to_serve"])).sum()
    )
    budget, why = _budget(asked, client.plan.budget, yearly)
    options = _worth_trying(gains, scenarios.table)
    plan = (
        allocate(options, budget, words=words)
        if len(options)
        else Allocation(pd.DataFrame(), "No lever is expected to pay.")
    )
    cautious = allocate(options, budget, cautious=True, words=words) if len(options) else plan
    best = scenarios.table["scenario"].iloc[0]
    named = {s.name: s for s in library}
    chosen = _chosen(plan, scenarios.table, named)
    bet = None if chosen is None else _Bet.of(base, chosen, link, scenarios.table)
    targets = _targets(worth, bet, budget)
    ceilings = spend_ceilings(gains)
    return ImproveStep(
        client=client,
        as_of=worth.as_of,
        worth=worth,
        link=link,
        left_out=left_out,
        base=base,
        library=tuple(library),
        scenarios=scenarios,
        gains=gains,
        options=options,
        sensitivity=_sensitivity(base, chosen or named[best], link, client),
        goal=_goal(base, client),
        plan=replace(plan, text=plan.text + _plan_range(plan.table, base, library, link, client.words, why)),
        cautious=replace(
            cautious,
            text=f"A cautious plan counts, for each lever, only on a gain that is reached four times in five. {cautious.text}",
        ),
        invested=_invested(worth, t, plan.table),
        targets=targets,
        test=_test(client, base, targets, bet, link),
        billing=_billing(worth),
        break_evens=_break_evens(base, library, link),
        ceilings=ceilings,
        guide=playbook(list(t["segment"])).merge(ceilings, on="segment", how="left"),
        newcomers=base.newcomers,
        budget=budget,
    )


def _worth_trying(gains: pd.DataFrame, scenarios: pd.DataFrame) -> pd.DataFrame:
    """Options of the levers that are expected to pay at all; one that cannot be given customer by customer is one option.

    A lever without any cost of its own cannot be bought.
    """
    good = scenarios.loc[(scenarios["net"] > 0) & (scenarios["cost"] > 0), "scenario"]
    own = gains[gains["scenario"].isin(good)]
    single = own["by_customer"] | own["segment"].str.startswith("newcomers, ")
    parts = [own[single]]
    for name, rows in own[~single].groupby("scenario"):
        n = rows["customers"]
        whole = {c: float((rows[c] * n).sum()) for c in ("gain", "gain_low", "gain_high", "gain_cautious", "cost")}
        one = {
            "scenario": name,
            "segment": f"all customers, {name}",
            "customers": 1.0,
            "size": 1.0,
            "fixed": rows["fixed"].iloc[0],
        }
        parts.append(pd.DataFrame([one | whole | {"by_customer": False, "ceiling": 0.0, "p_profit": np.nan}]))
    return pd.concat(parts, ignore_index=True)


def _chosen(plan: Finding, scenarios: pd.DataFrame, named: dict[str, Scenario]) -> Scenario | None:
    """Of the levers that can be given to some customers and not to others, the one to which the plan gives most.

    Without one in the plan, the one with the highest probability of profit: nobody knows what a lever does before it was
    tried on a part of the customers.
    """
    single = {name for name, s in named.items() if all(v.by_customer for v in s.levers)}
    if len(plan.table):
        own = plan.table[plan.table["scenario"].isin(single) & (plan.table["spend"] > 0)]
        if len(own):
            return named[str(own.groupby("scenario")["net"].sum().idxmax())]
    possible = scenarios[scenarios["scenario"].isin(single) & (scenarios["p_profit"] >= WORTH_A_TEST)]
    return named[str(possible.loc[possible["p_profit"].idxmax(), "scenario"])] if len(possible) else None


WORTH_A_TEST = 0.1  # probability of profit below which a lever is not even tried


@dataclass(frozen=True)
class _Bet:
    """A lever to try on a part of the customers: what it brings if it works, and over all that may happen."""

    scenario: Scenario
    gains: pd.DataFrame  # by segment, if it works
    mean: float  # over all that may happen, as a part of what it brings if it works; and the ends of its range
    low: float
    high: float

    @classmethod
    def of(cls, base: Base, scenario: Scenario, link: Link, scenarios: pd.DataFrame) -> _Bet:
        sure, row = if_it_works(scenario), scenarios.set_index("scenario").loc[scenario.name]
        works = float(evaluate_scenarios(base, [sure], link=link).table["gain"].iloc[0])
        mean, low, high = (float(row[c]) / works if works else 0.0 for c in ("gain", "gain_low", "gain_high"))
        return cls(scenario, segment_gains(base, [sure], link=link, level=LEVEL), mean, low, high)


def _budget(asked: float | None, of_client: float | None, yearly: float) -> tuple[float, str]:
    """The year's budget, and where it comes from."""
    if asked is not None:
        return float(asked), "as asked"
    if of_client is not None:
        return float(of_client), "set by the client"
    share = "an assumption: 5% of the customers' yearly contribution at today's rate of buying"
    return float(round(0.05 * yearly, -2)), share


def _plan_range(plan: pd.DataFrame, base: Base, library: list[Scenario], link: Link, words: Words, why: str) -> str:
    """The range of the plan's net gain, all levers drawn together."""
    if plan.empty or plan["spend"].sum() <= 0:
        return ""
    found, pays = plan_range(base, library, plan, link=link, level=LEVEL)
    return (
        f" If the assumptions hold, the {words.share(LEVEL)} range is {words.range(found)}, and the probability of profit {words.share(pays)}. "
        f"A lever's chance to fail is in them; that one takes from another is not. The budget is {why}."
    )


def _list_range(targets: pd.DataFrame, bet: _Bet, client: Client) -> str:
    """The range of the list's net gain, in proportion to its lever's."""
    words, treated = client.words, targets[targets["group"] == "treated"]
    gain, cost = float(treated["gain"].sum()), float(treated["cost"].sum())
    low, mean, high = (gain * part - cost for part in (bet.low, bet.mean, bet.high))
    effects = ", ".join(
        f"{effect_name(k)} {_signed(v[0], k)} to {_signed(v[2], k)}" for k, v in bet.scenario.levers[0].effects.items()
    )
    lever = bet.scenario.levers[0]
    fails = (
        f", and with its chance to do nothing ({words.share(lever.idle)}) or to harm ({words.share(lever.harmful)}),"
        if lever.idle + lever.harmful > 0
        else ""
    )
    return (
        f" That is what it brings if {bet.scenario.name} works as assumed ({effects}). Over that range{fails} the list has a net gain of "
        f"{words.money(mean)} on average, {words.money(low)} to {words.money(high)} nine times out of ten"
        + (": a test, and no plan yet." if mean <= 0 else ".")
    )


def _invested(worth: Handover, base: pd.DataFrame, plan: pd.DataFrame) -> Finding:
    """Spending against value: what was spent, or what the plan would spend where that was drawn at random or is not known."""
    spent, drawn = _spent(worth)
    words = worth.client.words
    if spent and not drawn:
        return investment_map(base, spent, words=words)
    planned = plan.groupby("segment")["spend"].sum().to_dict() if len(plan) else {}
    found = investment_map(base, {k: v for k, v in planned.items() if k in set(base["segment"])}, words=words)
    why = (
        "What was spent so far went to customers drawn at random, which says nothing about where money is put; here is what the plan spends on customers one by one. "
        if drawn
        else "What was spent on customers so far is not known; here is what the plan spends on customers one by one. "
    )
    return Finding(found.table, why + found.text) if len(found.table) else found


def _break_evens(base: Base, library: list[Scenario], link: Link) -> pd.DataFrame:
    return pd.concat([break_even(base, s, link=link).table for s in library], ignore_index=True)


def _sensitivity(base: Base, scenario: Scenario, link: Link, client: Client) -> Tornado:
    """The main drivers of the scenario that gets most of the budget."""
    found = tornado(base, scenario, link=link, words=client.words)
    net = client.words.money(found.net)
    return replace(
        found,
        text=f"Looked at: {scenario.name}. With every assumption at its most likely value its net gain is {net}. The table above has "
        f"the average over the whole ranges, with the chance that it does nothing or harms. {found.text}",
    )


def _goal(base: Base, client: Client) -> Finding:
    """What a tenth more value would take, one parameter at a time."""
    target = 1.1 * base.total
    turned = ("retention", "basket") if client.kind == "subscription" else ("retention", "frequency", "basket")
    parts = [goal_seek(base, target, parameter=p) for p in turned]
    said = "; ".join(p.text.rstrip(".") for p in parts)
    return Finding(pd.concat([p.table for p in parts], ignore_index=True),
                   f"For customers to be worth {client.words.money(target)}, a tenth more: {said}. Each alone, kept up over the horizon.")  # fmt: skip


# ------------------------------------------------------------------------------------------------ link


def _link(worth: Handover) -> tuple[Link, dict[str, int]]:
    """The link from the client's own answers; the prior band, with the reason, where there are none."""
    books, client = worth.books, worth.client
    if books.answers is None:
        return prior_link(why=books.why_no_answers), {}
    survey = books.answers.kept
    name = leading_metric(survey)
    if name is None:
        return prior_link(why="No question about satisfaction as a whole was answered."), {}
    answers = latest_series(survey, name)
    scale = (float(answers["scale_min"].iloc[0]), float(answers["scale_max"].iloc[0]))
    if client.kind == "subscription":
        joined = spells(books.contracts.kept, as_of=worth.as_of)
        lives = contract_lives(joined, as_of=worth.as_of)
        rows, left = renewal_outcomes(answers, lives, window=WINDOW, as_of=worth.as_of)
        gone, window = "had left", WINDOW + 30  # leaving within 30 days of the answer was decided before it
    else:
        days = to_pandas(purchase_days(books.orders.kept))
        bought = days[days["bought"]].rename(columns={"net": "amount"})
        rows, left = repeat_outcomes(answers, bought, window=WINDOW, as_of=worth.as_of)
        gone, window = "had not bought again", WINDOW
        rows = _with_activity(rows, books)
        if "channel" in worth.customers:
            rows = rows.drop(columns="channel", errors="ignore").merge(
                worth.customers[["customer_id", "channel"]], on="customer_id", how="left"
            )
    if rows.empty:
        return prior_link(scale, why="No answer could be joined with what its customer did afterwards."), left
    return link_satisfaction(rows, scale=scale, window=window, gone=gone, level=LEVEL), left


def _with_activity(rows: pd.DataFrame, books: Books) -> pd.DataFrame:
    """How likely each customer was still one on the day of the answer; left out where no model holds."""
    try:
        model = MBGNBD().fit(books.summary)
    except (FitError, TableError):
        return rows
    if rows.empty:
        return rows
    then = pd.DataFrame({"customer_id": np.arange(len(rows)).astype(str), "frequency": rows["frequency"].to_numpy() - 1,
                         "recency": (rows["tenure"] - rows["recency"]).to_numpy(), "T": rows["tenure"].to_numpy()})  # fmt: skip
    return rows.assign(active=model.probability_alive(then).to_numpy())


# ------------------------------------------------------------------------------------ list, test, billing


def _spent(worth: Handover) -> tuple[dict[str, float], bool]:
    """What was spent on each segment's customers by the client's initiatives, and whether it was randomised."""
    done = [i for i in list_initiatives(worth.books) if len(i.people)]
    if not done:
        return {}, False
    people = pd.concat([i.people for i in done])
    segment = worth.customers.set_index("customer_id")["segment"]
    by = people.assign(segment=people["customer_id"].map(segment)).groupby("segment")["cost"].sum()
    return dict(by[by > 0]), all(i.randomised for i in done)


def _targets(worth: Handover, bet: _Bet | None, budget: float) -> Finding:
    if bet is None:
        return Finding(
            pd.DataFrame(), "There is no list: no lever that can be given to some customers has a fair chance to pay."
        )
    start = worth.as_of + timedelta(days=30)
    found = target_list(
        worth.customers[worth.customers["p_alive"] > 0], bet.gains, initiative=bet.scenario.name, start=start, budget=budget,
        opted_out=worth.books.opted_out, open_cases=worth.books.with_open_cases, holdout=HOLDOUT, words=worth.client.words,
    )  # fmt: skip
    return Finding(found.table, found.text + _list_range(found.table, bet, worth.client)) if len(found.table) else found


def _test(client: Client, base: Base, targets: Finding, bet: _Bet | None, link: Link) -> Finding:
    """Whether the effect could be told from chance with the list's own holdout, and what knowing it is worth."""
    words = client.words
    if bet is None or targets.table.empty:
        return Finding(pd.DataFrame(), "")
    groups = targets.table["group"].value_counts()
    treated, kept = int(groups.get("treated", 0)), int(groups.get("holdout", 0))
    p = _usual(targets.table["segment"], base, client.kind)
    least = detectable_change(treated, kept, variance=p * (1 - p))
    hoped = _shift(bet.scenario, p, link)
    need = sample_size(hoped, share=min(p, 0.98 - hoped), ratio=1.0)[0] if 0 < hoped < 0.9 else 0
    listed = targets.table[targets.table["group"] == "treated"]
    gain, cost = float(listed["gain"].sum()), float(listed["cost"].sum())
    value = evpi(gain * bet.mean - cost, gain * (bet.high - bet.low) / (2 * tail(LEVEL)))
    table = pd.DataFrame({"treated": [treated], "holdout": [kept], "share": [p], "detectable": [least], "expected": [hoped],
                          "needed_per_group": [need], "value_of_knowing": [value]})  # fmt: skip
    what = "are still there after" if client.kind == "subscription" else "still buy in the second half of the next"
    text = (
        f"About {words.share(p)} of such customers {what} {WINDOW} days. With {words.count(treated)} contacted and {words.count(kept)} left "
        f"alone, a difference of {100 * least:.1f} percentage points would be seen four times in five; {bet.scenario.name}, if it works, is "
        f"expected to make {100 * hoped:.1f}."
    )
    if hoped <= 0:
        text += " There is no effect to look for on these assumptions."
    elif least > hoped:
        half = detectable_change((treated + kept) / 2, variance=p * (1 - p))
        text += (
            f" So the next cycle will most likely read 'cannot be told'; with half held back {100 * half:.1f} points would be seen"
            + (
                ", which is enough: hold back a half."
                if half <= hoped
                else ", which is not enough either: take it as a small bet, and not as a test."
            )
        )
    else:
        text += " So the next cycle can tell."
    text += f" Even certain knowledge whether the list pays would be worth {words.money(value)} at most; a test gives less, and should cost less."
    return Finding(table, text)


def _usual(segments: pd.Series, base: Base, kind: str) -> float:
    """The share of the listed customers who stay, or still buy in the window's second half, when nothing is done.

    It is the outcome that step 4 will judge.
    """
    rows, years = base.table.set_index("segment"), WINDOW / 365.25
    if kind == "subscription":
        kept = rows["retention"] ** years
    else:
        kept = rows["active"] * rows["retention"] ** (years / 2) * -np.expm1(-rows["frequency"] * years / 2)
    return float(np.clip(segments.map(kept).mean(), 0.02, 0.98))


def _shift(scenario: Scenario, p: float, link: Link) -> float:
    """How far a scenario's most likely effects move the share that stays or comes back within the window."""
    moved = 0.0
    for lever in scenario.levers:
        modes = {k: v[1] for k, v in lever.effects.items()}
        moved += p * (1 - p) * float(link.caused.mean()) * modes.get("satisfaction", 0.0)
        moved += modes.get("retention", 0.0) * WINDOW / 365.25
        moved += (1 - p) * -np.log(1 - p) * modes.get("frequency", 0.0)
    return float(moved)


def _billing(worth: Handover) -> Finding:
    """The renewal rate from which on annual plans are worth as much as monthly ones."""
    client = worth.client
    if client.kind != "subscription" or "plan" not in worth.customers:
        return Finding(pd.DataFrame(), "")
    contracts = worth.books.contracts.kept
    billing = contracts["billing"].str.lower() if "billing" in contracts else contracts["plan"].str.lower()
    price = contracts.groupby(billing)["price"].median()
    if worth.total is None or not {"monthly", "annual"} <= set(price.index):
        return Finding(pd.DataFrame(), "")
    stays = worth.customers.groupby("segment")["stays_a_year"].mean()
    if not {"monthly, running", "annual, running"} <= set(stays.dropna().index):
        return Finding(pd.DataFrame(), "")
    monthly, annual = float(stays["monthly, running"]), float(stays["annual, running"])
    gm, serve = client.economics.margin_rate, client.economics.cost_to_serve
    need = annual_billing_break_even(
        float(price["monthly"]) * gm - serve,
        monthly ** (1 / 12),
        float(price["annual"]) * gm - serve,
        client.economics.discount_rate,
    )
    words = client.words
    table = pd.DataFrame({"needed": [need], "annual_renewal": [annual], "monthly_kept_a_year": [monthly]})
    if not np.isfinite(need):
        return Finding(table, "The annual plan is priced so low that even certain renewal would not make up for it.")
    return Finding(
        table,
        f"Over five years an annual plan is worth as much as the monthly one if {words.share(need)} renew each year. {words.share(annual)} of "
        f"those on annual plans are expected to; of those who pay by the month {words.share(monthly)} stay a year. Who moves to an annual "
        "plan need not renew like those who chose it.",
    )
