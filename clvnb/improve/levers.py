"""What scenarios are made of: levers with their effects and costs, and the base that they act on.

In: a CLV table with its economics; the lever library. Out: ``Base``, ``Scenario``; what to do in each segment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import TableError
from ..core.maths import tail, years
from ..core.results import Estimate
from ..data.client import Economics
from ..value.newcomers import Newcomers

__all__ = [
    "CAUSED",
    "OF_CUSTOMERS",
    "OF_NEWCOMERS",
    "Base",
    "Lever",
    "Scenario",
    "customer_base",
    "effect_name",
    "learn",
    "lever_library",
    "playbook",
]

CAUSED = 0.4  # of the gap between newcomers who come back and those who do not: the rest is who they are
# What a lever may change in customers there are, and in those still to be won.
OF_CUSTOMERS = {
    "satisfaction": "points of the satisfaction score, which act on retention through the link",
    "retention": "percentage points of yearly retention, as a fraction",
    "frequency": "relative change of purchases a year",
    "basket": "relative change of what is spent per purchase",
    "price": "relative change of prices: all of it is margin",
    "margin": "percentage points of the margin, as a fraction",
    "rebate": "share of every purchase of the reached that is given back to them",
    "cost_to_serve": "relative change of the cost to serve a purchase",
}
SHARES = {"retention", "margin", "rebate", "activation"}  # points of a share, which cannot exceed 1
DECIDED = {"rebate", "price"}  # what is done, and no effect of it: it happens whether the lever works or not
# Of ideas that were tested at large about a third worked, a third did nothing and a third harmed (Kohavi, Crook and Longbotham
# 2009, "Online experimentation at Microsoft"); those of this list are better tried than most, by judgement.
IDLE, HARMFUL = 1 / 3, 1 / 12
OF_NEWCOMERS = {
    "activation": "percentage points of newcomers who come to a second purchase, as a fraction",
    "newcomers": "relative change of how many newcomers there are",
    "newcomer_value": "relative change of what a newcomer is worth",
    "cac": "relative change of what winning one costs",
}


def effect_name(effect: str) -> str:
    """Say an effect as a reader would.

    Examples
    --------
    >>> effect_name("cac"), effect_name("newcomer_value")
    ('acquisition cost', 'newcomer value')
    """
    return {"cac": "acquisition cost"}.get(effect, effect.replace("_", " "))


@dataclass(frozen=True)
class Lever:
    """One thing to do: what it changes, for whom, for how long, and what it costs.

    Attributes
    ----------
    name : str
        How it is called.
    effects : mapping of parameter to (low, most likely, high)
        On customers: ``satisfaction``, points of the score, which act on retention through the link; ``retention`` and
        ``margin``, points as a fraction (0.02 is two percentage points, of retention a year); ``frequency, basket,
        price, cost_to_serve``, relative change (0.05 is five per cent more); ``rebate``, share of every purchase of
        the reached that is given back. On those still to be won: ``activation``, points as a fraction; ``newcomers,
        newcomer_value, cac``, relative change.
    reach : float
        Share of the customers in the scenario's segments whom it reaches.
    ramp_up : float
        Years until the whole effect is there.
    lasts : float
        Years it is kept up, and paid for.
    half_life : float
        Years in which half of the effect is gone after its end.
    fixed_cost : float
        Once, in the client's currency as all costs.
    cost_per_customer : float
        Once for each customer reached.
    yearly_cost : float
        A year for each customer reached who is still there, as long as it lasts.
    idle, harmful : float
        Chance that it does nothing at all, and that its effects are the opposite of those assumed.
    group : str
        Levers of one group overlap: of each effect only the strongest counts.
    by_customer : bool
        Whether it can be given to some customers and not to others, so that it can be tested on a random part.
    note : str
        What it consists of, and what must be charged.
    source : str
        Where the range of its effect comes from.

    Raises
    ------
    ValueError
        For an effect that is not known or not in the order (low, most likely, high), a reach outside 0 to 1, a time or
        cost below 0.

    Examples
    --------
    >>> Lever("replies", {"satisfaction": (0.0, 0.2, 0.4)}, reach=0.5, yearly_cost=1.5).lasts
    1.0
    >>> Lever("replies", {"satisfaction": (0.4, 0.2, 0.0)})
    Traceback (most recent call last):
        ...
    ValueError: lever 'replies': satisfaction needs (low, most likely, high) in this order, got (0.4, 0.2, 0.0)
    """

    name: str
    effects: Mapping[str, tuple[float, float, float]]
    reach: float = 1.0
    ramp_up: float = 0.25
    lasts: float = 1.0
    half_life: float = 0.5
    fixed_cost: float = 0.0
    cost_per_customer: float = 0.0
    yearly_cost: float = 0.0
    idle: float = 0.0
    harmful: float = 0.0
    group: str = ""
    by_customer: bool = False
    note: str = ""
    source: str = "assumption"

    def __post_init__(self) -> None:
        known = OF_CUSTOMERS | OF_NEWCOMERS
        for name, span in self.effects.items():
            if name not in known:
                raise ValueError(
                    f"lever {self.name!r}: the effect {name!r} is not known; it is one of {', '.join(known)}"
                )
            if len(span) != 3 or not span[0] <= span[1] <= span[2]:
                raise ValueError(
                    f"lever {self.name!r}: {name} needs (low, most likely, high) in this order, got {span}"
                )
        if not 0 <= self.reach <= 1:
            raise ValueError(f"lever {self.name!r}: reach is a share between 0 and 1, got {self.reach}")
        for name in ("ramp_up", "lasts", "half_life", "fixed_cost", "cost_per_customer", "yearly_cost"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"lever {self.name!r}: {name} must not be below 0, got {getattr(self, name)}")
        if not (self.idle >= 0 and self.harmful >= 0 and self.idle + self.harmful <= 1):
            raise ValueError(
                f"lever {self.name!r}: idle and harmful are chances of at most 1 together, got {self.idle} and {self.harmful}"
            )
        for name, span in self.effects.items():
            most = 1.0 if name in SHARES else 3.0
            if name != "satisfaction" and max(map(abs, span)) > most:
                raise ValueError(
                    f"lever {self.name!r}: {name} is a fraction, 0.05 for five per cent; got {list(span)}: did you mean "
                    f"{[round(v / 100, 6) for v in span]}?"
                )


@dataclass(frozen=True)
class Scenario:
    """Levers pulled together, for some segments or for all.

    Attributes
    ----------
    name : str
        How it is called.
    levers : tuple of Lever
        Pulled together; the widest one's ``reach`` is whom they reach at most.
    segments : tuple of str, or None
        Whom it is for; None for all.

    Examples
    --------
    >>> replies = Lever("replies", {"satisfaction": (0.0, 0.2, 0.4)}, yearly_cost=1.5)
    >>> Scenario("faster replies", (replies,)).segments is None
    True
    """

    name: str
    levers: tuple[Lever, ...]
    segments: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Base:
    """Where every scenario starts: segments of customers in five figures each, which together give step 1's value.

    Attributes
    ----------
    table : pandas.DataFrame
        ``segment, customers, active, retention, frequency, basket, margin, cost_to_serve, clv``: ``active`` is the
        share still there, ``retention`` the chance to be there a year later, ``frequency`` purchases a year of those
        still there, ``basket`` and ``cost_to_serve`` money per purchase, ``margin`` a share of revenue, ``clv`` money
        per customer as step 1 has it.
    horizon : str or number of days
        For example ``"3 years"``; ``years`` says it in years.
    discount_rate : float
        A year, effective, as a fraction.
    spread : float
        Relative standard deviation of the whole value, from step 1's interval.
    newcomers : Newcomers or None
        Those still to be won.

    Examples
    --------
    >>> rows = {"segment": ["all"], "customers": 100, "active": 1.0, "retention": 0.8, "frequency": 4.0, "basket": 50.0}
    >>> rows |= {"margin": 0.4, "cost_to_serve": 0.0, "clv": 180.0}
    >>> base = Base(pd.DataFrame(rows), horizon="3 years", discount_rate=0.1)
    >>> base.total
    18000.0
    """

    table: pd.DataFrame
    horizon: str | float
    discount_rate: float
    spread: float = 0.0
    newcomers: Newcomers | None = None

    @property
    def years(self) -> float:
        """The horizon in years of 365.25 days."""
        return years(self.horizon)

    @property
    def total(self) -> float:
        """What all customers together are still worth, in the client's currency, discounted over the horizon."""
        return float((self.table["customers"] * self.table["clv"]).sum())


def customer_base(
    customers: pd.DataFrame,
    economics: Economics,
    *,
    by: str = "segment",
    total: Estimate | None = None,
    newcomers: Newcomers | None = None,
) -> Base:
    """Boil a CLV table down to what scenarios can turn.

    Parameters
    ----------
    customers : CLV
        With ``expected_purchases`` over the horizon and ``expected_purchases_half`` over its first half, as
        ``value_step`` has them; the second is a model's ``expected_purchases`` over half the horizon.
    economics : Economics
        Horizon, margin and discount rate.
    by : str
        The column of segments.
    total : Estimate, optional
        Step 1's total, whose interval is carried on.
    newcomers : Newcomers, optional
        Carried along.

    Returns
    -------
    Base
        A yearly retention and a number of purchases a year for each segment, such that the purchases expected in both
        halves of the horizon are step 1's; where contracts fix the payments (``period``, in months), a retention such
        that the payments of the whole horizon are. The value per customer is step 1's as well.

    Raises
    ------
    TableError
        When nothing was predicted, or a column is missing.

    Notes
    -----
    Customers leave at a constant rate: retention^(years / 2) is the ratio of the purchases expected in the second half
    of the horizon to those in the first. The construction is clvnb's own.

    Examples
    --------
    >>> expected = {"p_alive": [1.0, 0.8], "expected_purchases": [6.0, 4.0], "expected_purchases_half": [3.6, 2.4]}
    >>> rows = {"customer_id": ["a", "b"], "segment": "Loyal", "expected_spend": 50.0, "clv": [110.0, 70.0]}
    >>> base = customer_base(pd.DataFrame(rows | expected), Economics(margin=0.4))
    >>> base.table[["segment", "customers", "active", "basket", "clv"]], base.total
    (  segment  customers  active  basket   clv
    0   Loyal          2     0.9    50.0  90.0, 180.0)
    """
    for name in (by, "clv", "p_alive", "expected_purchases", "expected_purchases_half", "expected_spend"):
        if name not in customers:
            raise TableError(f"scenarios need the column {name!r} of step 1's customers")
    if customers["clv"].isna().all():
        raise TableError("scenarios start from predicted values, and step 1 could predict none")
    ahead = years(economics.horizon)
    own = customers.assign(_by=customers[by].astype(object).where(customers[by].notna(), "unknown").astype(str))
    own = own.assign(_spend=own["expected_spend"] * own["expected_purchases"])
    sums = own.groupby("_by").agg(
        customers=("customer_id", "size"), active=("p_alive", "mean"), whole=("expected_purchases", "sum"),
        half=("expected_purchases_half", "sum"), spend=("_spend", "sum"), clv=("clv", "mean"),
    )  # fmt: skip
    sums = sums[(sums["whole"] > 0) & (sums["active"] > 0)]
    alive = sums["active"] * sums["customers"]
    if "period" in own:  # who pays by contract pays at its pace, and only staying differs
        pace = 12 / own.groupby("_by")["period"].mean().reindex(sums.index)
        paid = sums["whole"] / (pace * alive)
        fade = paid.map(lambda at_work: _fade(at_work, ahead))
    else:  # the part of the pace that is left from one half of the horizon to the next
        kept = (sums["whole"] / sums["half"] - 1).clip(1e-6, 0.9999)
        fade = -np.log(kept) / (ahead / 2)
        pace = sums["half"] * fade / (alive * (1 - np.exp(-fade * ahead / 2)))
    table = pd.DataFrame(
        {"segment": sums.index, "customers": sums["customers"].to_numpy(), "active": sums["active"].to_numpy(),
         "retention": np.exp(-fade).to_numpy(), "frequency": pace.to_numpy(),
         "basket": (sums["spend"] / sums["whole"]).to_numpy(), "margin": economics.margin_rate,
         "cost_to_serve": economics.cost_to_serve, "clv": sums["clv"].to_numpy()}
    )  # fmt: skip
    table = table.sort_values("clv", ascending=False, ignore_index=True)
    spread = 0.0
    if total is not None and total.value > 0 and np.isfinite(total.high - total.low):
        spread = float((total.high - total.low) / 2 / tail(total.level) / total.value)
    return Base(table, economics.horizon, economics.discount_rate, spread, newcomers)


def _fade(years_paid: float, years: float) -> float:
    """The rate of leaving at which somebody is there for so many of the horizon's years on average."""
    from scipy.optimize import brentq

    target = min(max(years_paid, 1e-3), years * 0.9999)
    return float(brentq(lambda x: -math.expm1(-x * years) / x - target, 1e-9, 1e3))


# ------------------------------------------------------------------------------------ library and playbook


@cache
def _library() -> list[dict[str, Any]]:
    import yaml

    with files("clvnb.improve").joinpath("levers.yaml").open(encoding="utf-8") as stream:
        return list(yaml.safe_load(stream))


@cache
def _playbook() -> pd.DataFrame:
    with files("clvnb.improve").joinpath("playbook.csv").open(encoding="utf-8") as stream:
        return pd.read_csv(stream)


def lever_library(
    base: Base, *, kind: str = "shop", changes: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Scenario]:
    """Return the levers of the guide, a scenario each, with costs in proportion to a customer's yearly contribution.

    Parameters
    ----------
    base : Base
        A customer's yearly contribution comes from it.
    kind : "shop" or "subscription"
        Some levers exist for one of them only, or with other effects.
    changes : mapping of lever to settings, optional
        The client's own figures, for example ``{"faster replies": {"yearly_cost": 1.2, "reach": 0.5}}``; ``effects``
        are ``{parameter: [low, most likely, high]}``.

    Returns
    -------
    list of Scenario
        None of them has been measured on these customers, so each does nothing with a chance of a third and harms with
        one of a twelfth, unless ``changes`` say otherwise (``idle``, ``harmful``). Levers that need what is not known of this client (new customers, the cost of winning or serving them) are left
        out.

    Raises
    ------
    TableError
        When ``changes`` names a lever or a setting that there is not.
    ValueError
        When a setting has a value that cannot be, as of ``Lever``.

    Examples
    --------
    >>> rows = {"segment": ["all"], "customers": 100, "active": 1.0, "retention": 0.8, "frequency": 4.0, "basket": 50.0}
    >>> rows |= {"margin": 0.4, "cost_to_serve": 0.0, "clv": 180.0}
    >>> base = Base(pd.DataFrame(rows), horizon="3 years", discount_rate=0.1)
    >>> [s.name for s in lever_library(base)][:2]
    ['better service', 'faster replies']
    """
    known = {str(entry["name"]): entry for entry in _library()}
    if kind not in ("shop", "subscription"):
        raise TableError(f"kind is shop or subscription, not {kind!r}")
    changes = changes or {}
    for name, settings in changes.items():
        if name not in known:
            raise TableError(f"there is no lever {name!r}; there are: {', '.join(known)}")
        wrong = sorted(set(settings) - {f for f in Lever.__dataclass_fields__ if f != "name"})
        if wrong:
            raise TableError(f"lever {name!r}: unknown setting {wrong[0]!r}")
    rows = base.table
    yearly = float(
        np.average(
            rows["frequency"] * (rows["basket"] * rows["margin"] - rows["cost_to_serve"]),
            weights=rows["customers"] * rows["active"],
        )
    )
    found = []
    for name, entry in known.items():
        effects = entry.get(f"effects_{kind}", entry["effects"])
        if kind not in entry["kinds"] or not _possible(effects, base):
            continue
        share = max(yearly, 0.0)
        own = {f for f in Lever.__dataclass_fields__ if f != "effects"}
        settings = {k: v for k, v in entry.items() if k in own} | {"effects": effects}
        settings["yearly_cost"] = round(share * entry.get("cost_share", 0.0), 2)
        settings["cost_per_customer"] = round(share * entry.get("once_share", 0.0), 2)
        settings["fixed_cost"] = round(share * entry.get("fixed_share", 0.0) * float(rows["customers"].sum()), -1)
        settings |= dict(changes.get(name, {}))
        settings = {"idle": IDLE, "harmful": HARMFUL} | settings
        settings["effects"] = {k: tuple(v) for k, v in settings["effects"].items()}
        found.append(Scenario(name, (Lever(**settings),)))
    return found


def learn(lever: Lever, measured: Mapping[str, tuple[float, float]]) -> Lever:
    """Return a lever whose assumed effects have been updated by what a test measured.

    Parameters
    ----------
    lever : Lever
        Its ranges are what was believed before.
    measured : mapping of parameter to (value, standard error)
        Effects that the lever does not have are passed over.

    Returns
    -------
    Lever
        The same lever with narrower, shifted effects; its ``source`` says so.

    Notes
    -----
    Normal prior and normal measurement, each weighed by its precision; that it may do nothing or harm is then in the
    measurement. A PERT range has the mean (low + 4 mode + high)
    / 6 and the standard deviation (high - low) / 6, so that it reaches three of these to both sides.

    References
    ----------
    Normal prior and measurement: Gelman and others (2013), *Bayesian Data Analysis*, section 2.5; mean and standard
    deviation of a PERT range: Malcolm, Roseboom, Clark and Fazar (1959), *Operations Research* 7(5): 646-669.

    Examples
    --------
    >>> assumed = Lever("replies", {"satisfaction": (0.0, 0.15, 0.3)})
    >>> [round(v, 3) for v in learn(assumed, {"satisfaction": (0.5, 0.05)}).effects["satisfaction"]]
    [0.219, 0.325, 0.431]
    """
    effects, said = dict(lever.effects), []
    for name, (value, error) in measured.items():
        if name not in effects or not error > 0:
            continue
        low, mode, high = effects[name]
        mean, sd = (low + 4 * mode + high) / 6, max((high - low) / 6, 1e-12)
        precision = 1 / sd**2 + 1 / error**2
        mean, reach = (mean / sd**2 + value / error**2) / precision, 3 / math.sqrt(precision)
        effects[name] = (mean - reach, mean, mean + reach)
        said.append(f"{name.replace('_', ' ')} measured on these customers: {value:+.2g} (standard error {error:.2g})")
    if not said:
        return lever
    source = "; ".join([*said, f"before: {lever.source}"])
    return replace(lever, effects=effects, idle=0.0, harmful=0.0, source=source)


def _possible(effects: Mapping[str, Any], base: Base) -> bool:
    new = base.newcomers
    if "cost_to_serve" in effects and not (base.table["cost_to_serve"] > 0).any():
        return False
    if not set(effects) & set(OF_NEWCOMERS):
        return True
    if new is None or ("cac" in effects and not np.isfinite(new.cac)):
        return False
    return not ("activation" in effects and not np.isfinite(new.activated_clv))


def playbook(segments: Sequence[str]) -> pd.DataFrame:
    """Return what to do in each segment.

    Parameters
    ----------
    segments : sequence of str
        Champion, Loyal, Potential loyalist, New, Promising, Need attention, About to sleep, At risk, Can't lose,
        Hibernating; of a subscription ``monthly, running``, ``annual, running``, ``monthly, ended``, ``annual, ended``.

    Returns
    -------
    pandas.DataFrame
        ``segment, goal, do, tone, channel, avoid``: one row for each of the segments that the playbook knows, in the
        order given; others are left out.

    Examples
    --------
    >>> playbook(["At risk"])["tone"].tolist()
    ['personal, sorry where there was cause']
    """
    table = _playbook().set_index("segment")
    return table.reindex([s for s in segments if s in table.index]).reset_index()
