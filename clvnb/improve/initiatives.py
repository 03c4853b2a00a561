"""What became of each thing that a client did: who got it, who did not, and how they differ since.

In: what step 1 handed over, with its books. Out: ``Result`` for each initiative: verdicts, profit and loss, what its lever may learn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import TableError
from ..core.maths import LEVEL, MONTH, tail
from ..core.results import Finding
from ..data.books import Books
from ..data.client import Client
from ..data.surveys import leading_metric
from ..experiments.changes import MIN_CUSTOMERS, Change, Threat
from ..experiments.planning import ONCE, Look, draw
from ..experiments.randomised import spilled, split_as_planned
from ..experiments.verdicts import (
    Outcome,
    Verdict,
    false_discoveries,
    judge,
    measure_change,
    not_measurable,
    profit_and_loss,
)
from ..satisfaction.scores import Metric, latest_series, metric_of
from ..satisfaction.step import WINDOW
from ..value.cohorts import Stays, compare_survival
from ..value.worth import Handover

__all__ = [
    "Facts",
    "Initiative",
    "Result",
    "gather",
    "judge_initiative",
    "list_initiatives",
    "margin_of",
    "measured_effects",
]

HALF_YEAR = 6  # months: what WINDOW is of a contract
ENOUGH = 20  # customers still followed, below which staying is looked at no further
FEW = 100  # customers of a group, below which it is not judged by itself


@dataclass(frozen=True)
class Initiative:
    """One thing that a client did for some customers.

    Attributes
    ----------
    name : str
        As the client calls it.
    start : date
        The day it began.
    people : pandas.DataFrame
        ``customer_id, group`` (``treated``, ``holdout``) and ``cost``; empty where it was done for everybody.
    planned : float or None
        The share that was to be treated.
    lever : str
        The lever of step 3 that it pulls.
    spillover : bool or None
        Whether the holdout can have lost by it or shared in it; None where the client has not said so.
    threats : tuple of Threat
        What its list itself tells: whether the groups are those that its seed draws.
    """

    name: str
    start: date
    people: pd.DataFrame
    planned: float | None
    lever: str
    spillover: bool | None = None
    threats: tuple[Threat, ...] = ()

    @property
    def randomised(self) -> bool:
        """Whether a random part was left alone."""
        return "holdout" in set(self.people["group"])


@dataclass(frozen=True)
class Facts:
    """What customers did and said, by day.

    Attributes
    ----------
    client : Client
        Whose customers they are.
    as_of : date
        The last day looked at.
    customers : CLV
        As step 1 values them.
    days : pandas.DataFrame
        ``customer_id, date, contribution, bought``.
    answers : SURVEY
        Of one series; empty where nobody was asked.
    metric : Metric or None
        The question that is followed; None where nobody was asked.
    contracts : pandas.DataFrame
        Of a subscription: ``customer_id, start, end``, one row a customer.
    """

    client: Client
    as_of: date
    customers: pd.DataFrame
    days: pd.DataFrame
    answers: pd.DataFrame
    metric: Metric | None
    contracts: pd.DataFrame


@dataclass(frozen=True)
class Result:
    """What became of one initiative.

    Attributes
    ----------
    initiative : Initiative
        What was done.
    verdicts : tuple of Verdict
        Satisfaction, staying or buying again, and contribution, as far as they can be judged.
    segments : tuple of Verdict
        Contribution by group of customers: looked at beside the plan.
    account : Finding
        What it cost and brought.
    survival : Finding
        How long members stay, with and without it; empty for a shop.
    measured : mapping of lever parameter to (value, standard error)
        Where customers were randomised.
    due : date
        The day from which its outcome window is complete.
    remarks : str
        What can be seen before that day, and who had to be left out.
    """

    initiative: Initiative
    verdicts: tuple[Verdict, ...]
    segments: tuple[Verdict, ...] = ()
    account: Finding = field(default_factory=lambda: Finding(pd.DataFrame(), ""))
    survival: Finding = field(default_factory=lambda: Finding(pd.DataFrame(), ""))
    measured: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    due: date = date.max
    remarks: str = ""


def list_initiatives(books: Books) -> list[Initiative]:
    """Return what the client did until the day of its books, the earliest first.

    Raises
    ------
    TableError
        When a start is no day, a group is not known, or a customer is in both groups.
    """
    named = books.client.initiatives
    if named is None or books.initiatives is None:
        return []
    where = f"{named.source}"
    table = books.initiatives.assign(start=pd.to_datetime(books.initiatives["start"], errors="coerce"))
    if table["start"].isna().any():
        line = int(np.argmax(table["start"].isna())) + 2
        raise TableError(f"{where}: line {line}: the start is no day; write it as 2025-02-01, or set date_format")
    if table["initiative"].isna().any():
        raise TableError(
            f"{where}: line {int(np.argmax(table['initiative'].isna())) + 2}: has no name; every line needs its initiative"
        )
    found = []
    for name, own in table.groupby("initiative", sort=False):
        starts = own["start"].drop_duplicates().sort_values()
        if len(starts) > 1:
            raise TableError(
                f"{where}: {name}: starts on {len(starts)} days, {starts.iloc[0]:%Y-%m-%d} and {starts.iloc[1]:%Y-%m-%d} among them. The day somebody got it "
                "would then decide what is counted: write the day it began for everybody, or name each start as an initiative of its own"
            )
        start = starts.iloc[0].date()
        if start > books.as_of:
            continue
        planned = _planned(own, where, str(name))
        lever = own["lever"].dropna() if "lever" in own else pd.Series(dtype=object)
        declared = _answer(own, "randomised", where, str(name))
        people = _people(own, where, str(name), drawn=planned is not None if declared is None else declared)
        spillover = _answer(own, "spillover", where, str(name))
        found.append(
            Initiative(str(name), start, people, planned, str(lever.iloc[0]) if len(lever) else str(name), spillover,
                       _drawn_again(own, people, str(name)))
        )  # fmt: skip
    return sorted(found, key=lambda i: i.start)


_YES, _NO = {"yes", "true", "1", "y"}, {"no", "false", "0", "n"}


def _answer(own: pd.DataFrame, column: str, where: str, name: str) -> bool | None:
    """What the client says of an initiative, yes or no; None where nothing is said."""
    if column not in own:
        return None
    said = own[column].dropna().astype(str).str.strip().str.lower().str.removesuffix(".0").unique()
    if len(said) == 0:
        return None
    if len(said) > 1 or said[0] not in _YES | _NO:
        raise TableError(
            f"{where}: {name}: {column} is yes or no, the same on every line of an initiative; got {', '.join(map(repr, said[:3]))}"
        )
    return said[0] in _YES


def _drawn_again(own: pd.DataFrame, people: pd.DataFrame, name: str) -> tuple[Threat, ...]:
    """Whether the holdout are those with the lowest numbers that the seed gives, as ``target_list`` draws them."""
    seeds = pd.to_numeric(own["seed"], errors="coerce").dropna().unique().tolist() if "seed" in own else []
    if len(seeds) != 1 or "holdout" not in set(people["group"]):
        return ()
    number = draw(people["customer_id"].astype(str).tolist(), name, int(seeds[0]))
    kept = (people["group"] == "holdout").to_numpy(bool)
    same = kept.all() or bool(number[kept].max() < number[~kept].min())
    said = (
        "made again from its seed, the draw gives these groups"
        if same
        else "its seed does not draw these groups: some were changed"
    )
    return (Threat("drawn as the list says", said, same),)


def _planned(own: pd.DataFrame, where: str, name: str) -> float | None:
    """The share that was to be treated, where the table says it."""
    if "planned" not in own:
        return None
    share = pd.to_numeric(own["planned"], errors="coerce")
    wrong = share.isna() | (share <= 0) | (share >= 1)
    if wrong.any():
        raise TableError(
            f"{where}: {name}: planned is the share that was to be treated, above 0 and below 1, such as 0.8; {int(wrong.sum())} lines have another value"
        )
    return float(share.iloc[0])


def _people(own: pd.DataFrame, where: str, name: str, *, drawn: bool) -> pd.DataFrame:
    """Who got it; ``holdout`` are those randomised not to get it, ``comparison`` those who just did not."""
    columns = ["customer_id", "group", "cost", "cluster"]
    if "customer_id" not in own or own["customer_id"].isna().all():
        return pd.DataFrame(columns=columns)
    own = own[own["customer_id"].notna()]
    group = (
        own["group"].astype(object).fillna("treated").str.strip().str.lower()
        if "group" in own
        else pd.Series("treated", own.index)
    )
    # Whoever did not get it may have been picked; only a planned share, or the word for it, says that they were not.
    kept = "holdout" if drawn else "comparison"
    group = group.replace({"control": kept, "holdout": kept, "treatment": "treated"})
    strange = sorted(set(group) - {"treated", "holdout", "comparison", "fix first"})
    if strange:
        raise TableError(
            f"{where}: {name}: the group {strange[0]!r} is not known; groups are treated, holdout (kept back at random) and comparison"
        )
    cost = own["cost"] if "cost" in own else pd.Series(0.0, own.index)
    people = pd.DataFrame(
        {"customer_id": own["customer_id"], "group": group, "cost": pd.to_numeric(cost, errors="coerce").fillna(0.0),
         "cluster": own.get("cluster")}
    )  # fmt: skip
    people = people[people["group"] != "fix first"]  # those were neither drawn for it nor kept from it
    both = people.groupby("customer_id")["group"].nunique()
    if (both > 1).any():
        raise TableError(
            f"{where}: {name}: customer {both[both > 1].index[0]!r} is both treated and held out; keep one line"
        )
    return people.groupby(["customer_id", "group"], as_index=False).agg(
        cost=("cost", "sum"), cluster=("cluster", "first")
    )


def gather(worth: Handover, metric: Metric | None = None) -> Facts:
    """Bring together what customers did and said until the day.

    Parameters
    ----------
    worth : Handover
        What step 1 found, with the books that are read.
    metric : Metric, optional
        The question to follow; the leading one when left out.
    """
    client, books = worth.client, worth.books
    answers = pd.DataFrame(columns=["customer_id", "date", "score", "wave"])
    if books.answers is not None:
        name = metric.name if metric else leading_metric(books.answers.kept)
        series = latest_series(books.answers.kept, name) if name else answers
        answers = series if len(series) else answers
    if len(answers):  # by the scale that they are on, which may have changed
        metric = metric_of(
            str(answers["metric"].iloc[0]), (float(answers["scale_min"].iloc[0]), float(answers["scale_max"].iloc[0]))
        )
    contracts = pd.DataFrame()
    if client.kind == "subscription":
        kept = books.contracts.kept
        kept = kept[kept["start"] <= pd.Timestamp(worth.as_of)].sort_values("start", kind="stable")
        contracts = (
            kept.groupby("customer_id")
            .agg(start=("start", "min"), end=("end", lambda e: pd.NaT if e.isna().any() else e.max()))
            .reset_index()
        )
        if "plan" in kept:  # the first one's: a later plan may be what the initiative did
            contracts["plan"] = contracts["customer_id"].map(
                kept.drop_duplicates("customer_id").set_index("customer_id")["plan"]
            )
    return Facts(client, worth.as_of, worth.customers, books.days, answers, metric, contracts)


# --------------------------------------------------------------------------------------- one initiative


def judge_initiative(done: Initiative, facts: Facts, others: Sequence[Initiative] = ()) -> Result:
    """Say what became of one initiative.

    Parameters
    ----------
    done : Initiative
        What was done.
    facts : Facts
        From ``gather``.
    others : sequence of Initiative
        What else was done, which may have reached one side alone.

    Returns
    -------
    Result
        Contribution and staying as they stood on the last day that was fixed for looking (``looks_of``), so that a
        verdict stays what it was in every later report; satisfaction as it stands today.
    """
    units, note = _units(done, facts)
    looks = looks_of(done, units)
    due = looks[0]
    sides = units["group"].value_counts()
    if done.people.empty or set(sides.index) == {"treated"} and not done.randomised:  # nobody was left to compare with
        return Result(done, (_series(done, facts, Look("open")),), due=due)
    if len(sides) < 2 or sides.min() < MIN_CUSTOMERS or "treated" not in sides:
        why = f"of those who got it {int(sides.get('treated', 0))} are known by their numbers, and of the others {int(sides.drop('treated', errors='ignore').sum())}; at least ten are needed on each side. {note}"
        return Result(
            done, (not_measurable(Outcome(f"contribution per customer, {done.name}", "money", 1.0), why),), due=due
        )
    note = " ".join(filter(None, [note, _asked(done)]))
    satisfied = _satisfaction(done, facts, units)
    if facts.as_of < due:
        early = " ".join(filter(None, [_leading(done, facts, units), note]))
        return Result(done, tuple([*_waiting(done, facts, due), *satisfied]), due=due, remarks=early)
    facts, look = _at_look(facts, looks)
    units = _units(done, facts)[0]
    done = replace(done, threats=(*done.threats, *_reached_apart(done, units, others)))
    stayed, survival, found = _staying(done, facts, units, look)
    money = _contribution(done, facts, units, look)
    parts = _by_group(done, facts, units, look) if money.verdict != "not_measurable" else []
    got = units[(units["group"] == "treated") & units["followed"]]  # cost and effect of the same customers
    if facts.client.economics.basis == "revenue":
        account = Finding(
            pd.DataFrame(),
            f"No margin is known, so what {done.name} brought is revenue, and is not held against its cost.",
        )
    else:
        account = profit_and_loss(
            money,
            len(got),
            float(got["cost"].sum()),
            words=facts.client.words,
            what=done.name,
            after=WINDOW,
        )
    measured = found | _learned(done, facts, units) if done.randomised and not _off_plan(done, units) else {}
    return Result(done, (money, *stayed, *satisfied), tuple(parts), account, survival, measured, due, note)


def looks_of(done: Initiative, units: pd.DataFrame) -> tuple[date, ...]:
    """Return the days fixed for looking at an initiative, counted from its start.

    Those who were there when it began have all been followed once the outcome's window is over, so one look decides. Of
    an initiative for newcomers some come every week, and it is looked at after one year and after two.
    """
    late = bool(len(units)) and bool(units["newcomer"].mean() > 0.5)
    return tuple(done.start + timedelta(days=k * WINDOW) for k in ((2, 4) if late else (1,)))


def _at_look(facts: Facts, looks: tuple[date, ...]) -> tuple[Facts, Look]:
    """What was known on the last of the days fixed for looking, and which of them it is."""
    over = [day for day in looks if day <= facts.as_of]
    day = pd.Timestamp(over[-1])
    contracts = facts.contracts[facts.contracts["start"] <= day] if len(facts.contracts) else facts.contracts
    then = replace(facts, as_of=over[-1], days=facts.days[facts.days["date"] <= day], contracts=contracts)
    return then, Look("planned", len(over), len(looks)) if len(looks) > 1 else ONCE


def _asked(done: Initiative) -> str:
    """What the client should say of an initiative before anything is called caused."""
    groups = set(done.people["group"])
    if "comparison" in groups and "holdout" not in groups:
        return (
            f"Those who did not get {done.name} are compared as customers who were picked; if they were randomised, say so in a column "
            "`randomised` (yes), or in `planned` with the share that was to be treated."
        )
    if done.randomised and done.spillover is None:
        return (
            f"Could those left alone have lost by {done.name} or shared in it (the same staff, stock, places, families)? Say so in a column "
            "`spillover` (yes or no); where it is likely, draw whole places or families and name them in a column `cluster`."
        )
    return ""


def _reached_apart(done: Initiative, units: pd.DataFrame, others: Sequence[Initiative]) -> list[Threat]:
    """What else reached one side more than the other while this was followed."""
    window, treated, found = timedelta(days=WINDOW), units["group"] == "treated", []
    for other in others:
        if other.name == done.name or not done.start - window < other.start < done.start + window:
            continue
        got = units["customer_id"].isin(other.people.loc[other.people["group"] == "treated", "customer_id"])
        one, rest = float(got[treated].mean()), float(got[~treated].mean())
        spread = math.sqrt(float(got.mean()) * (1 - float(got.mean())) * (1 / treated.sum() + 1 / (~treated).sum()))
        if abs(one - rest) > max(0.02, 3 * spread):
            said = f"{other.name} reached {one:.0%} of those who got this and {rest:.0%} of the others"
            found.append(Threat("nothing else reached one side", said, False))
    return found


def _units(done: Initiative, facts: Facts) -> tuple[pd.DataFrame, str]:
    """Who got it and who did not, ``customer_id, group, cost, entry, newcomer, followed``; and what was left out.

    Where nobody was left alone at random, all other customers who were there at the start are the comparison.
    """
    known = facts.customers.drop_duplicates("customer_id").set_index("customer_id")
    first = pd.to_datetime(known["first_date"])
    start = pd.Timestamp(done.start)
    people = done.people[done.people["customer_id"].isin(known.index)].copy()
    missing = len(done.people) - len(people)
    if "treated" in set(people["group"]) and set(people["group"]) == {"treated"}:
        others = first.index[(first <= start) & ~first.index.isin(set(done.people["customer_id"]))]
        people = pd.concat(
            [people, pd.DataFrame({"customer_id": others, "group": "comparison", "cost": 0.0, "cluster": None})],
            ignore_index=True,
        )
    began = people["customer_id"].map(first)
    people["entry"] = (
        np.maximum(began.to_numpy(dtype="datetime64[ns]"), start.to_datetime64())
        if len(people)
        else pd.Series(dtype="datetime64[ns]")
    )
    people["newcomer"] = (began > start).to_numpy(bool)
    if len(facts.contracts) and len(people):  # who had left before it began cannot be kept by it
        end = people["customer_id"].map(facts.contracts.set_index("customer_id")["end"])
        people = people[end.isna() | (end > people["entry"])]
    people["followed"] = (pd.Timestamp(facts.as_of) - people["entry"]).dt.days >= WINDOW
    words = facts.client.words
    note = f"{words.counted(missing, 'customer')} on the list of {done.name} had not bought by {words.day(facts.as_of)}, or are not known by these numbers, and are left out." if missing else ""  # fmt: skip
    return people.reset_index(drop=True), note


def _sums(facts: Facts, units: pd.DataFrame, start: int, end: int) -> pd.DataFrame:
    """Contribution and purchases of each customer from ``start`` to ``end`` days after their beginning."""
    entry = units.set_index("customer_id")["entry"]
    own = facts.days[facts.days["customer_id"].isin(entry.index)]
    age = (own["date"] - own["customer_id"].map(entry)).dt.days
    if start == 0 and facts.client.kind == "shop":  # the purchase by which a newcomer came is no effect
        came = own["customer_id"].map(units.set_index("customer_id")["newcomer"]).to_numpy(bool)
        age = age.where(~(came & (age == 0)), -1)
    inside = own[(age >= start) & (age < end)]
    sums = inside.groupby("customer_id")[["contribution", "bought"]].sum()
    return sums.reindex(units["customer_id"]).fillna(0.0)


def _panel(done: Initiative, facts: Facts, units: pd.DataFrame, column: str, *, share: bool = False) -> pd.DataFrame:
    """One row a customer and period: after the start, and as long before it, where the customer was there."""
    there = units[units["followed"]]
    began = pd.to_datetime(facts.customers.drop_duplicates("customer_id").set_index("customer_id")["first_date"])
    seen_for = ((there["entry"] - there["customer_id"].map(began)).dt.days // WINDOW).to_numpy()
    if done.randomised:  # what was before only narrows the range, so each period takes whom it can
        kept = {1: there, 0: there[seen_for >= 1]}
    else:  # the same customers in every period, as many periods as leave enough of them
        back = next(
            (
                k
                for k in (2, 1)
                if (there[seen_for >= k]["group"].value_counts().reindex(["treated", "comparison"]).min() >= ENOUGH)
            ),
            0,
        )
        kept = dict.fromkeys(range(1, -back, -1), there[seen_for >= back])
    parts = []
    for period, seen in kept.items():
        if len(seen) < 2 * ENOUGH:
            continue
        at = (period - 1) * WINDOW
        # Customers leave after a purchase, so whether they still buy shows late: the first order since says nothing of it.
        value = _sums(facts, seen, at + share * (WINDOW // 2), at + WINDOW)[column].to_numpy(float)
        value = (value > 0).astype(float) if share else value
        part = pd.DataFrame({"customer_id": seen["customer_id"].to_numpy(), "group": seen["group"].to_numpy(), "period": period, "value": value})  # fmt: skip
        parts.append(_with_clusters(part, seen))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"value": []})


def _with_clusters(part: pd.DataFrame, units: pd.DataFrame) -> pd.DataFrame:
    """What was drawn, where it was not single customers."""
    cluster = units.set_index("customer_id")["cluster"]
    return part.assign(cluster=part["customer_id"].map(cluster)) if cluster.notna().any() else part


def _known(facts: Facts, units: pd.DataFrame) -> pd.DataFrame:
    """What was known of each customer when it began: how long there, how much and how lately bought."""
    entry = units.set_index("customer_id")["entry"]
    own = facts.days[facts.days["customer_id"].isin(entry.index)]
    own = own[own["date"] < own["customer_id"].map(entry)]
    by = own.groupby("customer_id").agg(
        bought=("bought", "sum"), brought=("contribution", "sum"), last=("date", "max"), first=("date", "min")
    )
    by = by.reindex(entry.index)
    return pd.DataFrame({"purchases": np.log1p(by["bought"].fillna(0)), "brought": by["brought"].fillna(0.0),
                         "since the last": (entry - by["last"]).dt.days, "since the first": (entry - by["first"]).dt.days})  # fmt: skip


def _of_money(done: Initiative, facts: Facts, units: pd.DataFrame) -> Outcome:
    days, start = facts.days, pd.Timestamp(done.start)
    before = days[days["date"] < start]
    lasted = (start - days["date"].min()).days
    if lasted < WINDOW / 4 or before.empty:  # nothing was known beforehand: what is usual without it
        own = units[units["followed"] & (units["group"] != "treated")]
        usual = float(_sums(facts, own, 0, WINDOW)["contribution"].mean()) if len(own) else 1.0
    else:
        usual = before["contribution"].sum() / max(1, before["customer_id"].nunique()) / lasted * WINDOW
    return Outcome(f"contribution per customer in {WINDOW} days, {done.name}", "money", margin_of(usual))


def margin_of(usual: float) -> float:
    """The practical margin of an amount: a twentieth of what is usual."""
    return 0.05 * abs(usual) if math.isfinite(usual) and abs(usual) > 1e-9 else 1.0


def _contribution(done: Initiative, facts: Facts, units: pd.DataFrame, look: Look) -> Verdict:
    outcome = _of_money(done, facts, units)
    panel = _panel(done, facts, units, "contribution")
    if panel.empty:
        return not_measurable(outcome, f"fewer than {2 * ENOUGH} customers have been followed for {WINDOW} days")
    return measure_change(panel, outcome, randomised=done.randomised, planned=done.planned, look=look, words=facts.client.words,
                     known=_known(facts, units), spillover=done.spillover, threats=done.threats, what=done.name)  # fmt: skip


def _by_group(done: Initiative, facts: Facts, units: pd.DataFrame, look: Look) -> list[Verdict]:
    """The same for each channel or plan, held back where many were looked at."""
    source, by = (facts.contracts, "plan") if "plan" in facts.contracts else (facts.customers, "channel")
    if by not in source or not 1 < source[by].nunique() <= 6:
        return []
    group = source.drop_duplicates("customer_id").set_index("customer_id")[by]
    found = []
    for name in sorted(group.dropna().unique()):
        own = units[units["customer_id"].map(group) == name]
        sizes = own[own["followed"]]["group"].value_counts()
        if len(sizes) < 2 or sizes.min() < FEW / 2:
            continue
        verdict = _contribution(replace(done, planned=None), facts, own, look)
        found.append(
            replace(verdict, metric=f"{by} {name}", sentence=f"{str(by).capitalize()} {name}: {verdict.sentence}")
        )
    return false_discoveries(found) if len(found) > 1 else []


# ---------------------------------------------------------------------------------- staying, satisfaction


def _staying(
    done: Initiative, facts: Facts, units: pd.DataFrame, look: Look
) -> tuple[list[Verdict], Finding, dict[str, tuple[float, float]]]:
    nothing = Finding(pd.DataFrame(), "")
    if facts.client.kind == "subscription" and not done.randomised:
        return [_kept(done, facts, units, look)], nothing, {}
    if facts.client.kind != "subscription":
        panel = _panel(done, facts, units, "bought", share=True)
        outcome = Outcome(f"bought in days {WINDOW // 2 + 1} to {WINDOW}, {done.name}", "share", 0.03)
        if panel.empty:
            return (
                [not_measurable(outcome, f"fewer than {2 * ENOUGH} customers have been followed for {WINDOW} days")],
                nothing,
                {},
            )
        verdict = measure_change(panel, outcome, randomised=done.randomised, planned=done.planned, look=look, words=facts.client.words,
                            known=_known(facts, units), spillover=done.spillover, threats=done.threats, what=done.name)  # fmt: skip
        return [verdict], nothing, {}
    return _members(done, facts, units, look)


def _kept(done: Initiative, facts: Facts, units: pd.DataFrame, look: Look) -> Verdict:
    """Whether members are still there half a year later, where they were not randomised: weighted by what was known of them."""
    outcome = Outcome(f"still there after {WINDOW} days, {done.name}", "share", 0.03)
    own = units[units["followed"]].merge(facts.contracts, on="customer_id", how="inner")
    there = own["end"].isna() | (own["end"] > own["entry"] + pd.Timedelta(days=WINDOW))
    known = _known(facts, own)
    known["tenure"] = (own["entry"] - own["start"]).dt.days.to_numpy()
    if "plan" in own:
        known = known.join(pd.get_dummies(own.set_index("customer_id")["plan"], dtype=float).iloc[:, 1:])
    data = pd.DataFrame({"customer_id": own["customer_id"], "group": own["group"], "value": there.astype(float)})
    return measure_change(
        data, outcome, known=known, threats=done.threats, look=look, words=facts.client.words, what=done.name
    )


def _members(
    done: Initiative, facts: Facts, units: pd.DataFrame, look: Look
) -> tuple[list[Verdict], Finding, dict[str, tuple[float, float]]]:
    """How long members stay with it and without, from their beginning: everybody counts for as long as they were seen."""
    words = facts.client.words
    name = f"months stayed, {done.name}"
    table = units.merge(facts.contracts, on="customer_id", how="inner")
    tenure, gone = months_stayed(table["entry"], table["end"], facts.as_of)
    group = table["group"].to_numpy(object)
    seen = followed(tenure, group)
    months = min(seen, HALF_YEAR)  # the window of the plan, however long they have been followed by now
    outcome = Outcome(
        f"months stayed of the first {months}, {done.name}" if months else name, "months", max(0.03 * months, 0.01)
    )
    nothing = Finding(pd.DataFrame(), "")
    if gone.sum() < MIN_CUSTOMERS:
        return (
            [not_measurable(outcome, f"{int(gone.sum())} members have left, too few to tell who stays longer")],
            nothing,
            {},
        )
    if months < 3:
        return (
            [not_measurable(outcome, f"fewer than {ENOUGH} on one side have been followed for three months")],
            nothing,
            {},
        )
    stop = _off_plan(done, table)
    if table["cluster"].notna().any():
        stop = "whole places or families were drawn, and how long members stay is compared customer by customer only"
    if stop:
        return [not_measurable(outcome, stop)], nothing, {}
    found, how = _stays(table, tenure, gone, months)
    further = found if seen == months else _stays(table, tenure, gone, seen)[0]
    method = f"area between the survival curves{how}; log-rank p = {found.p_value:.3f}"
    change = Change(
        "A",
        found.first,
        found.second,
        found.difference.value,
        found.error,
        len(table),
        threats=(*_of_draw(done, table), *done.threats),
        method=method,
    )
    verdict = judge(change, outcome, look=look, words=words, what=done.name)
    worth, gain = _monthly(facts), found.difference
    text = (
        f"Of the first {months} months, members stay {found.second:.1f} with {done.name} and {found.first:.1f} without; at "
        f"{words.money(worth)} a month that is {words.money(gain.value * worth)} a member ({words.money(gain.low * worth)} to "
        f"{words.money(gain.high * worth)}, 95%). Log-rank p = {found.p_value:.3f}."
    )
    curves = further.curves.assign(
        group=further.curves["group"].replace({"treated": f"with {done.name}", "holdout": "without"})
    )
    return [verdict], Finding(curves, text), _of_lever(done, table, further, seen)


def _stays(table: pd.DataFrame, tenure: np.ndarray, gone: np.ndarray, months: int) -> tuple[Stays, str]:
    """Both groups' survival over some months, within plans where each has members enough that long; and how it was made."""
    group, strata = table["group"].to_numpy(object), None
    if "plan" in table:
        plan = table["plan"].astype(str)
        deep = min(followed(tenure[(plan == p).to_numpy()], group[(plan == p).to_numpy()]) for p in plan.unique())
        strata = plan if deep >= months else None
    found = compare_survival(tenure, gone, group, first="holdout", second="treated", periods=months, strata=strata)
    return found, ", within plans" if strata is not None else ""


def months_stayed(start: pd.Series, end: pd.Series, as_of: date) -> tuple[np.ndarray, np.ndarray]:
    """Whole months from a beginning to the end or to today, and whether it has ended."""
    today = pd.Timestamp(as_of)
    gone = (end.notna() & (end <= today)).to_numpy(bool)
    last = end.where(pd.Series(gone, index=end.index), today)
    # A contract of one month may have 28 to 31 days.
    return np.floor(((last - start).dt.days / MONTH).to_numpy(float) + 0.1).clip(min=0).astype(int), gone


def followed(tenure: np.ndarray, group: np.ndarray) -> int:
    """How many of the first twelve months enough customers of both groups have been followed for."""
    sides = [tenure[group == g] for g in sorted(set(group))]
    return sum(min(int((s >= m).sum()) for s in sides) >= ENOUGH for m in range(1, 13)) if len(sides) > 1 else 0


def _of_lever(done: Initiative, table: pd.DataFrame, found: Stays, months: int) -> dict[str, tuple[float, float]]:
    """What it did in a lever's units: to newcomers' value, or to staying a year."""
    if (table["entry"] > pd.Timestamp(done.start)).mean() > 0.5:
        return {"newcomer_value": (found.difference.value / found.first, found.error / found.first)}
    if months < 12:
        return {}
    last = found.curves[found.curves["period"] == months].set_index("group")
    spread = math.hypot(*((last["high"] - last["low"]) / (2 * tail(LEVEL))))
    return {"retention": (float(last["survival"]["treated"] - last["survival"].drop("treated").iloc[0]), spread)}


def _off_plan(done: Initiative, table: pd.DataFrame) -> str:
    """Why the split is not the planned one; empty where it is, or no share was planned."""
    if done.planned is None or not done.randomised:
        return ""
    counts = (int((table["group"] == "treated").sum()), int((table["group"] == "holdout").sum()))
    split = split_as_planned(counts, done.planned)
    return f"{split.check}: {split.found}" if split.stops else ""


def _of_draw(done: Initiative, table: pd.DataFrame) -> list[Threat]:
    """What threatens a comparison of members as they were drawn."""
    counts = (int((table["group"] == "treated").sum()), int((table["group"] == "holdout").sum()))
    split = [split_as_planned(counts, done.planned)] if done.planned is not None else []
    return split if done.spillover is False else [*split, spilled(done.spillover)]


def _monthly(facts: Facts) -> float:
    """A member's average contribution in a month."""
    contracts = facts.contracts
    last = (
        contracts["end"]
        .where(contracts["end"] <= pd.Timestamp(facts.as_of), pd.Timestamp(facts.as_of))
        .fillna(pd.Timestamp(facts.as_of))
    )
    months = float(((last - contracts["start"]).dt.days / MONTH).clip(lower=0).sum())
    return float(facts.days["contribution"].sum()) / max(months, 1.0)


def _satisfaction(done: Initiative, facts: Facts, units: pd.DataFrame) -> list[Verdict]:
    """Answers given since it began, of those who got it and those who did not, on the first day that was fixed for them."""
    metric = facts.metric
    if metric is None or units.empty:
        return []
    outcome, words = of_metric(metric, f"{metric.name.upper()}, {done.name}"), facts.client.words
    group, entry = (units.set_index("customer_id")[c] for c in ("group", "entry"))
    own = facts.answers[facts.answers["customer_id"].isin(entry.index)].sort_values("date", kind="stable")
    age = (own["date"] - own["customer_id"].map(entry)).dt.days
    if not (age > 0).any():
        return [
            not_measurable(
                outcome, f"nobody has answered since {words.day(done.start)}; ask again, the holdout as well"
            )
        ]
    passed = (facts.as_of - done.start).days
    window = _answered_within(age, own["customer_id"].map(group), passed)
    if window is None:
        day = words.day(done.start + timedelta(days=(passed // WINDOW + 1) * WINDOW))
        why = f"answers are looked at every half year since the start, as soon as {ENOUGH} on each side have come; the next time on {day}"
        return [not_measurable(outcome, why)]
    after = own[(age > 0) & (age <= window)].drop_duplicates("customer_id", keep="last")
    before = own[age <= 0].drop_duplicates("customer_id", keep="last")
    parts = [
        _with_clusters(
            pd.DataFrame(
                {
                    "customer_id": p["customer_id"],
                    "period": k,
                    "value": metric.values(p["score"]),
                    "group": p["customer_id"].map(group),
                }
            ),
            units,
        )
        for k, p in ((1, after), (0, before))
    ]
    sizes = group.value_counts()
    assigned = (int(sizes.get("treated", 0)), int(sizes.get("holdout", 0))) if done.randomised else None
    return [measure_change(pd.concat(parts, ignore_index=True), outcome, randomised=done.randomised, planned=done.planned, assigned=assigned,
                      known=_known(facts, units), spillover=done.spillover, threats=done.threats, words=words, what=done.name)]  # fmt: skip


def _answered_within(age: pd.Series, group: pd.Series, passed: int) -> int | None:
    """The first half year's end by which both sides have answers enough, whatever they say; None where none has come."""
    for window in range(WINDOW, passed + 1, WINDOW):
        inside = group[(age > 0) & (age <= window)].value_counts()
        if len(inside) > 1 and inside.min() >= ENOUGH:
            return window
    return None


def of_metric(metric: Metric, name: str) -> Outcome:
    """A question as an outcome: five points of NPS matter, three percentage points of a share."""
    unit, margin = ("points", 5.0) if metric.unit == "points" else ("share", 0.03)
    return Outcome(name, unit, margin, of="answers")


def _series(done: Initiative, facts: Facts, look: Look) -> Verdict:
    """What all customers brought week by week, where it was done for everybody."""
    name = f"contribution of all customers a week, {done.name}"
    week = ((facts.days["date"] - pd.Timestamp(done.start)).dt.days // 7).astype(int)
    last = (facts.as_of - done.start).days // 7  # the week that is not over yet
    first = max(int(week.min()) + 1, -156) if len(week) else 0
    if first > -8 or last < 8:
        why = f"{max(0, -first)} weeks are known before {facts.client.words.day(done.start)} and {last} since; at least eight are needed on each side"
        return not_measurable(Outcome(name, "money", 1.0), why)
    sums = facts.days.groupby(week)["contribution"].sum().reindex(range(first, last), fill_value=0.0)
    outcome = Outcome(name, "money", margin_of(float(sums[sums.index < 0].mean())))
    data = pd.DataFrame({"value": sums.to_numpy(float), "after": np.asarray(sums.index >= 0)})
    return measure_change(data, outcome, season=365.25 / 7, look=look, words=facts.client.words, what=done.name)


# ------------------------------------------------------------------------------- before the window is over


def _waiting(done: Initiative, facts: Facts, due: date) -> list[Verdict]:
    words = facts.client.words
    names = ["contribution per customer", "months stayed" if facts.client.kind == "subscription" else "still buying"]
    why = f"the half year since {words.day(done.start)} is not over; a verdict is possible from {words.day(due)}"
    return [not_measurable(Outcome(f"{n}, {done.name}", "share"), why) for n in names]


def _leading(done: Initiative, facts: Facts, units: pd.DataFrame) -> str:
    words, parts = facts.client.words, []
    span = max((facts.as_of - done.start).days, 1)
    for group, rows in units.groupby("group"):
        bought = (_sums(facts, rows, 0, span)["bought"] > 0).mean()
        parts.append(f"{group} {words.share(float(bought))} of {words.count(len(rows))}")
    return f"So far, {span} days after the start, these have bought: {', '.join(parts)}. That is an early sign, and no verdict."


# --------------------------------------------------------------------------------------- what levers learn


def _learned(done: Initiative, facts: Facts, units: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Effects in the units of step 3's levers: points of the score, relative change of purchases."""
    out: dict[str, tuple[float, float]] = {}
    group, entry = units.set_index("customer_id")["group"], units.set_index("customer_id")["entry"]
    if facts.metric is not None:
        own = facts.answers[facts.answers["customer_id"].isin(group.index)]
        own = own[own["date"] > own["customer_id"].map(entry)].drop_duplicates("customer_id", keep="last")
        found = _difference(own["score"].to_numpy(float), (own["customer_id"].map(group) == "treated").to_numpy(bool))
        out |= {"satisfaction": found} if found else {}
    if facts.client.kind != "subscription":
        there = units[units["followed"]]
        bought = _sums(facts, there, 0, WINDOW)["bought"].to_numpy(float)
        treated = (there["group"] == "treated").to_numpy(bool)
        found = _difference(bought, treated)
        base = float(bought[~treated].mean()) if (~treated).any() else 0.0
        out |= {"frequency": (found[0] / base, found[1] / base)} if found and base > 0 else {}
    return out


def _difference(values: np.ndarray, treated: np.ndarray) -> tuple[float, float] | None:
    a, b = values[treated], values[~treated]
    if min(len(a), len(b)) < ENOUGH:
        return None
    return float(a.mean() - b.mean()), float(math.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b)))


def measured_effects(worth: Handover) -> dict[str, dict[str, tuple[float, float]]]:
    """Return what randomised initiatives measured of step 3's levers: lever to parameter to (value, standard error)."""
    drawn = [i for i in list_initiatives(worth.books) if i.randomised]
    if not drawn:
        return {}
    facts = gather(worth)
    out: dict[str, dict[str, tuple[float, float]]] = {}
    for done in drawn:
        looks = looks_of(done, _units(done, facts)[0])
        if facts.as_of < looks[0]:
            continue
        then, look = _at_look(facts, looks)
        units, _ = _units(done, then)
        sides = units["group"].value_counts()
        if len(sides) < 2 or sides.min() < MIN_CUSTOMERS or _off_plan(done, units):
            continue
        found: dict[str, Any] = _learned(done, then, units)
        if worth.client.kind == "subscription":
            found |= _members(done, then, units, look)[2]
        out[done.lever] = {k: _pooled(v, out.get(done.lever, {}).get(k)) for k, v in found.items()}
    return out


def _pooled(one: tuple[float, float], other: tuple[float, float] | None) -> tuple[float, float]:
    """Two measurements of the same effect, each by its precision."""
    if other is None:
        return one
    weights = [1 / e**2 for _, e in (one, other)]
    return (one[0] * weights[0] + other[0] * weights[1]) / sum(weights), 1 / math.sqrt(sum(weights))
