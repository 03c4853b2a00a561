"""Step 4 in one call: what changed since the baseline, whether what was done caused it, and where the next cycle starts.

In: ``Client`` or ``Books``, with what step 1 handed over and an earlier report's baseline. Out: ``TrackStep``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import FitError, TableError
from ..core.maths import TEST_LEVEL, tail
from ..core.results import Estimate, Finding, Told
from ..core.threads import one_thread
from ..core.words import capital
from ..data.books import Books, books_of
from ..data.client import Client
from ..experiments.changes import Change, Threat
from ..experiments.designs import paired_change, two_waves
from ..experiments.planning import Look, look_on
from ..experiments.verdicts import Outcome, Verdict, false_discoveries, judge, not_measurable, verdict_table
from ..improve.initiatives import (
    Facts,
    Result,
    followed,
    gather,
    judge_initiative,
    list_initiatives,
    margin_of,
    months_stayed,
    of_metric,
)
from ..improve.levers import customer_base
from ..models.base import TransactionModel
from ..models.stored import from_recipe
from ..satisfaction.baseline import MIN_ANSWERS, Baseline, find_baseline
from ..satisfaction.scores import Metric, metric_of
from ..satisfaction.step import could_answer, freeze, is_sealed, satisfaction_step
from ..value.card import Card
from ..value.cohorts import compare_survival
from ..value.worth import WINDOWS, Handover, hand_over, new_customer_by
from .bridge import Bridge, Realised, clv_bridge, realised_against_predicted, value_drift

__all__ = ["TrackStep", "remeasure_step"]

_WORD = {"improved": "improved", "worsened": "worsened", "no_material_change": "no material change", "no_evidence": "cannot be told",
         "not_measurable": "not measurable"}  # fmt: skip


@dataclass(frozen=True, repr=False)
class TrackStep(Told):
    """What step 4 found out about a client.

    Attributes
    ----------
    client : Client
        Whose step it is.
    as_of : date
        The last day looked at.
    worth : Handover
        What step 1 found.
    parent : Baseline or None
        What is measured against; None in the first cycle.
    base : Baseline
        What the next report is measured against: the parent until its last look, then today's state.
    look : Look
        How often the result is looked at.
    since : tuple of Verdict
        What changed since the baseline, and says nothing of why: satisfaction, value of a new customer, staying.
    initiatives : tuple of Result
        What became of each initiative.
    split : pandas.DataFrame
        The change of satisfaction by group of customers, within and by mix.
    panel, realised, bridge, drift, leading, survival : Finding
        Those who answered both times; what came true; which parameters and which customers moved the value; early
        signs; how long members stay, newer against older ones.
    missing : str
        What could not be looked at, and why.
    """

    client: Client
    as_of: date
    worth: Handover
    parent: Baseline | None
    base: Baseline
    look: Look
    since: tuple[Verdict, ...] = ()
    initiatives: tuple[Result, ...] = ()
    split: pd.DataFrame = field(default_factory=pd.DataFrame)
    panel: Finding = field(default_factory=lambda: Finding(pd.DataFrame(), ""))
    realised: Realised = field(default_factory=lambda: Realised(pd.DataFrame(), ""))
    bridge: Bridge = field(default_factory=lambda: Bridge(pd.DataFrame(), ""))
    drift: Bridge = field(default_factory=lambda: Bridge(pd.DataFrame(), ""))
    leading: Finding = field(default_factory=lambda: Finding(pd.DataFrame(), ""))
    survival: Finding = field(default_factory=lambda: Finding(pd.DataFrame(), ""))
    missing: str = ""

    @property
    def headline(self) -> Finding:
        """The answer in one minute."""
        words = self.client.words
        table = verdict_table(self.verdicts)
        if self.parent is None:
            text = (
                "This is the first cycle: there is no earlier baseline to compare with. Today's state is frozen as one; come back with a new "
                f"export on {words.day(self.base.looks[0])} or {words.day(self.base.looks[-1])}."
            )
        else:
            seen = self.look.said(words.day(self.look.due) if self.look.due else "")
            text = (
                f"Measured against the baseline of {words.day(self.parent.as_of)} (cycle {self.parent.cycle}; {seen})."
            )
        done = [" ".join(_short(v, self.client) for v in r.verdicts) for r in self.initiatives]
        return Finding(table, "\n\n".join([" ".join([text, *(_short(v, self.client) for v in self.since)]), *done]))

    @property
    def verdicts(self) -> list[Verdict]:
        """Every verdict: since the baseline, then of each initiative."""
        return [*self.since, *(v for r in self.initiatives for v in r.verdicts)]

    @property
    def counted(self) -> Finding:
        """How many verdicts there are, and which of them counts."""
        judged = [v for v in self.verdicts if v.verdict != "not_measurable"]
        if len(judged) < 2:
            return Finding(pd.DataFrame(), "")
        text = f"{len(judged)} measures are judged in this chapter. What changed, and what initiatives did, are each held to one false discovery in twenty."
        if self.initiatives:
            text += " Of an initiative the contribution per customer is the one that counts; the others say how it came about."
        return Finding(verdict_table(judged), text)

    @property
    def changed(self) -> Finding:
        """What changed since the baseline."""
        if self.parent is None:
            return Finding(pd.DataFrame(), "What changed can be said from the second report on.")
        return Finding(verdict_table(self.since), "\n\n".join(v.sentence for v in self.since))

    @property
    def worked(self) -> Finding:
        """What became of each initiative."""
        if not self.initiatives:
            return Finding(
                pd.DataFrame(),
                "No initiative is known (`initiatives:` in client.yaml). The target list of chapter 3, with its holdout, is one: put it into the "
                "client's folder on the day on which the treated are contacted.",
            )
        text = "\n\n".join(
            said for r in self.initiatives for said in [*(v.sentence for v in r.verdicts), r.remarks] if said
        )
        return Finding(verdict_table(v for r in self.initiatives for v in r.verdicts), text)

    @property
    def shown_verdicts(self) -> pd.DataFrame:
        """Every verdict in words, a row each."""
        words, rows = self.client.words, []
        for v in self.verdicts:
            o = v.outcome
            known = math.isfinite(v.change)
            rows.append(
                (
                    v.metric,
                    v.design or "–",
                    o.shown(v.before, words) if known else "–",
                    o.shown(v.after, words) if known else "–",
                    f"{o.moved(v.change, words)} ({o.span(v.low, v.high, words)})" if known else "–",
                    _WORD[v.verdict] + (", caused" if v.causal else ""),
                )
            )
        return pd.DataFrame(
            rows, columns=["measure", "design", "before, or without", "after, or with", "change (95% range)", "verdict"]
        )

    @property
    def checks(self) -> pd.DataFrame:
        """What threatens each verdict: ``measure, check, found, holds``."""
        said = {True: "yes", False: "no", None: "cannot be checked"}
        rows = [(v.metric, t.check, t.found, said[t.ok]) for v in self.verdicts for t in v.threats]
        return pd.DataFrame(rows, columns=["measure", "check", "found", "holds"])

    @property
    def accounts(self) -> Finding:
        """What each initiative cost and brought."""
        parts = [r.account.table.assign(initiative=r.initiative.name) for r in self.initiatives if len(r.account.table)]
        table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
        return Finding(table, "\n\n".join(r.account.text for r in self.initiatives if r.account.text))

    @property
    def by_group(self) -> Finding:
        """Each initiative by group of customers: looked at beside the plan."""
        parts = [v for r in self.initiatives for v in r.segments]
        if not parts:
            return Finding(pd.DataFrame(), "")
        said = "; ".join(f"{v.metric}: {_WORD[v.verdict]}, {v.outcome.moved(v.change, self.client.words)} "
                         f"({v.outcome.span(v.low, v.high, self.client.words)})" for v in parts)  # fmt: skip
        return Finding(
            verdict_table(parts),
            f"Looked at beside the plan, and held back where one of so many could be chance: {said}.",
        )

    @property
    def stayed(self) -> Finding:
        """How long members stay: with an initiative and without, where there is one, else newer against older ones."""
        found = [r.survival for r in self.initiatives if len(r.survival.table)]
        if not found:
            return self.survival
        return Finding(found[0].table, "\n\n".join(f.text for f in found))

    @property
    def next_cycle(self) -> Finding:
        """What the next report is measured against."""
        words, base = self.client.words, self.base
        looks = " and ".join(words.day(d) for d in base.looks)
        holds = f"the value of {words.counted(base.value['customers'], 'customer')}"
        holds = (
            f"{base.metric.upper()} of the wave {base.wave}, and {holds}"
            if base.metric
            else f"{holds}; nobody was asked how satisfied they are"
        )
        if self.parent is not None and base.hash == self.parent.hash:
            text = (
                f"The baseline of {words.day(base.as_of)} holds until {words.day(base.looks[-1])}: reports before that day are interim states, "
                "and do not move it."
            )
        elif self.parent is not None:
            text = f"With this report cycle {self.parent.cycle} is closed, and today's state is the baseline of cycle {base.cycle}: {holds}. Verdicts are due on {looks}."
        else:
            text = f"Today's state is the baseline of cycle {base.cycle}: {holds}. Verdicts are due on {looks}."
        text += " It lies in baseline.json; a file that was edited is refused."
        return Finding(pd.DataFrame({"what": list(vars(base)), "value": [str(v) for v in vars(base).values()]}), text)

    @property
    def learned(self) -> Finding:
        """What the levers of step 3 learn from it."""
        said = {
            "satisfaction": "points of the score",
            "frequency": "of purchases",
            "retention": "of staying a year",
            "newcomer_value": "of a newcomer's value",
        }
        rows = [(r.initiative.lever, k, v[0], v[1]) for r in self.initiatives for k, v in r.measured.items()]
        table = pd.DataFrame(rows, columns=["lever", "changes", "measured", "standard_error"])
        if table.empty:
            return Finding(
                table,
                "No lever has been measured on these customers by a randomised test yet; their effects stay assumptions.",
            )
        parts = [
            f"{r.lever}: {r.measured:+.2f} {said[r.changes]} (plus or minus {1.96 * r.standard_error:.2f})"
            if r.changes == "satisfaction"
            else f"{r.lever}: {100 * r.measured:+.1f}% {said[r.changes]} (plus or minus {196 * r.standard_error:.1f})"
            for r in table.itertuples()
        ]
        return Finding(
            table, f"Measured here, and used by chapter 3 where its lever has such an effect: {'; '.join(parts)}."
        )

    def results(self) -> dict[str, Any]:
        """Return the headline figures as plain JSON values."""
        return {
            "baseline": self.base.hash,
            "cycle": self.base.cycle,
            "measured_against": self.parent.as_of if self.parent else "",
            "change_text": self.headline.text,
            "verdicts": [
                {
                    "metric": v.metric,
                    "design": v.design,
                    "verdict": v.verdict,
                    "initiative": k >= len(self.since),
                    "causal": v.causal,
                    "unless": v.unless,
                    "moved": _moved(v, self.client),
                    "sentence": v.sentence,
                    "n": v.n,
                    "level": v.level,
                }
                | {name: _finite(getattr(v, name)) for name in ("before", "after", "change", "low", "high")}
                for k, v in enumerate(self.verdicts)
            ],
        }

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables by the names they are saved under."""
        return {
            "verdicts": self.headline.table,
            "checks": self.checks,
            "satisfaction_split": self.split,
            "realised": self.realised.table,
            "bridge": self.bridge.table,
            "drift": self.drift.table,
            "survival": self.stayed.table,
            "initiatives": self.accounts.table,
        }

    def _told(self) -> tuple[str, Iterable[pd.DataFrame]]:
        return f"{self.client.name}, {self.client.words.day(self.as_of)}: {self.headline.text}", []


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _short(v: Verdict, client: Client) -> str:
    name = capital(v.metric)
    if v.verdict == "not_measurable" and not math.isfinite(v.change):
        return f"{name}: not measurable."
    word = "interim" if v.verdict == "not_measurable" else _WORD[v.verdict]
    caused = ", caused by it" + (f" unless {v.unless}" if v.unless else "") if v.causal else ""
    return f"{name}: {word}, {_moved(v, client)}{caused}."


def _moved(v: Verdict, client: Client) -> str:
    """The change with its range; empty where none could be measured."""
    if not math.isfinite(v.change):
        return ""
    span = v.outcome.span(v.low, v.high, client.words)
    return f"{v.outcome.moved(v.change, client.words)} ({client.words.share(v.level)} range {span})"


# ---------------------------------------------------------------------------------------------- the step


@one_thread
def remeasure_step(
    source: Client | Books, *, as_of: date | str | None = None, output: str | Path = "", earlier: str | Path = ""
) -> TrackStep:
    """Run step 4 for a client.

    Parameters
    ----------
    source : Client or Books
        From ``Client.load`` or ``load_sample``; or ``Books``, whose sources the steps then share.
    as_of : date, optional
        The evening of this day; the client's, or the last order's, when left out.
    output : path
        The folder that a report's notebooks share; steps 1 and 2 are run where they left nothing there.
    earlier : path
        The client's folder of earlier reports, or one ``baseline.json``; empty: the first cycle.

    Returns
    -------
    TrackStep
        ``since`` and ``initiatives`` (verdicts), ``bridge``, ``drift``, ``realised`` and more; ``base`` is the baseline
        of the next report.

    Raises
    ------
    TableError
        When the earlier baseline was edited, is not of an earlier day, or is another client's; when ``initiatives``
        cannot be read.
    ClvnbError
        When the data cannot be read at all.

    Examples
    --------
    >>> from clvnb import load_sample
    >>> step = remeasure_step(load_sample("subscription"))
    >>> step.parent is None, step.base.cycle
    (True, 1)
    """
    candidate, worth = _today(books_of(source, as_of, output), output)
    client = worth.client
    found = find_baseline(earlier, worth.as_of)
    parent, place = found or (None, None)
    if parent is not None and parent.client != client.name:
        raise TableError(
            f"{place}: is the baseline of {parent.client!r}, and this client is {client.name!r}; name its own file"
        )
    asked = parent.metric or candidate.metric if parent is not None else candidate.metric
    scale = parent.scale if parent is not None and parent.metric else candidate.scale
    facts = gather(worth, metric_of(asked, scale) if asked else None)
    done = list_initiatives(worth.books)
    results = tuple(judge_initiative(i, facts, done) for i in done)
    if parent is None or place is None:
        first = client.words.day(worth.as_of + timedelta(days=WINDOWS[0]))
        come, moved = (
            f"What is predicted today can be held against what comes from {first} on.",
            "What moved the value can be said from the second report on.",
        )
        nothing = pd.DataFrame()
        return TrackStep(client, worth.as_of, worth, None, candidate, Look("open"), initiatives=_among_all((), results)[1],
                         realised=Realised(nothing, come), bridge=Bridge(nothing, moved))  # fmt: skip
    base = parent if parent.is_open(worth.as_of) else candidate.after(parent)
    look = look_on(parent.looks, worth.as_of)
    measured = _against(_Cycle(worth, parent, look), facts, place)
    measured["since"], results = _among_all(measured["since"], results)
    return TrackStep(client, worth.as_of, worth, parent, base, look, initiatives=results, **measured)


def _today(books: Books, output: str | Path) -> tuple[Baseline, Handover]:
    """Today's state as a baseline: what step 2 left, or made now."""
    left = Path(output) / "results.json"
    if str(output) and left.is_file():
        worth = hand_over(books, output=output)
        base = Path(output) / "baseline.json"
        return (Baseline.load(base) if base.is_file() else freeze(worth.client, worth)), worth
    step = satisfaction_step(books)
    return step.base or freeze(step.client, step.worth), step.worth


def _among_all(since: Sequence[Verdict], results: Sequence[Result]) -> tuple[tuple[Verdict, ...], tuple[Result, ...]]:
    """What changed, and what initiatives did, each held back where one of so many could be chance.

    Of an initiative money is what was declared to count.
    """
    every = [v for r in results for v in r.verdicts]
    held = iter(false_discoveries(every, primary=[k == 0 for r in results for k in range(len(r.verdicts))]))
    done = tuple(replace(r, verdicts=tuple(next(held) for _ in r.verdicts)) for r in results)
    return tuple(false_discoveries(since)), done


@dataclass(frozen=True)
class _Then:
    """What an earlier report said of each customer."""

    customers: pd.DataFrame
    forecast: pd.DataFrame


@dataclass(frozen=True)
class _Cycle:
    """What is known before anything is measured: today's state, the baseline, and how often is looked."""

    worth: Handover
    parent: Baseline
    look: Look

    @property
    def client(self) -> Client:
        return self.worth.client

    @property
    def as_of(self) -> date:
        return self.worth.as_of


def _against(cycle: _Cycle, facts: Facts, place: Path) -> dict[str, Any]:
    """Everything that is measured against the baseline, by the fields of ``TrackStep``."""
    then, missing = _customers_then(place, cycle.parent)
    other_card = _other_card(cycle.parent, cycle.worth)
    satisfied, split, panel = _satisfaction(cycle, facts, then)
    verdicts = [satisfied, _new_customer(cycle, other_card)]
    found: dict[str, Any] = {"split": split, "panel": panel, "missing": missing}
    if cycle.client.kind == "subscription":
        stays, found["survival"] = _newer_members(cycle, facts)
        verdicts.append(stays)
    found["since"] = tuple(verdicts)
    if then is None:
        return found
    found["leading"] = _leading(cycle, facts, then)
    if not other_card:
        found["realised"] = _realised(cycle, facts, then)
    if other_card or cycle.worth.total is None or then.customers["clv"].isna().all():
        return found | {"missing": " ".join(filter(None, [missing, other_card]))}
    return found | {"bridge": _bridge(cycle, then), "drift": _drift(cycle, facts, then)}


def _customers_then(place: Path, parent: Baseline) -> tuple[_Then | None, str]:
    """The customers of the baseline's own report, if they are as they were left."""
    folders = [place.parent.parent / parent.as_of / "tables", place.parent / "tables", place.parent]
    for folder in folders:
        if (folder / "customers.parquet").is_file():
            customers = pd.read_parquet(folder / "customers.parquet")
            file = folder / "forecast.parquet"
            forecast = pd.read_parquet(file) if file.is_file() else pd.DataFrame()
            if is_sealed(customers, forecast, parent.fingerprint):
                return _Then(customers, forecast), ""
    why = (
        f"The tables of the report of {parent.as_of} are not beside its baseline, or not as they were left, so what was predicted of each "
        "customer cannot be held against what came, nor the answers weighed."
    )
    return None, why


def _other_card(parent: Baseline, worth: Handover) -> str:
    """Why values of then and now are not compared; empty where they were made alike. Models may differ: that is said beside."""
    then, now = (Card(**{**card, "model": ""}) for card in (parent.card, worth.card))
    try:
        then.require_same(now)
    except TableError as error:
        return f"Values are not compared: {error}."
    return ""


# ----------------------------------------------------------------------------------------- satisfaction


def _satisfaction(cycle: _Cycle, facts: Facts, then: _Then | None) -> tuple[Verdict, pd.DataFrame, Finding]:
    parent, words, nothing = cycle.parent, cycle.client.words, Finding(pd.DataFrame(), "")
    if not parent.metric:
        return not_measurable(Outcome("satisfaction"), "nobody was asked at the baseline"), pd.DataFrame(), nothing
    metric = parent.how
    outcome = of_metric(metric, metric.name.upper())
    answers = facts.answers
    if answers.empty:
        return not_measurable(outcome, "the answers are no longer in the client's data"), pd.DataFrame(), nothing
    scale = (float(answers["scale_min"].iloc[0]), float(answers["scale_max"].iloc[0]))
    if scale != tuple(parent.scale):
        why = f"the scale changed from {parent.scale[0]:g}-{parent.scale[1]:g} to {scale[0]:g}-{scale[1]:g}; a score on one says nothing of a score on the other"
        return not_measurable(outcome, why), pd.DataFrame(), nothing
    later = answers[(answers["date"] > pd.Timestamp(parent.as_of)) & (answers["wave"].astype(str) != parent.wave)]
    before = answers[(answers["wave"].astype(str) == parent.wave) & (answers["date"] <= pd.Timestamp(parent.as_of))]
    if later.empty:
        return (
            not_measurable(outcome, f"nobody was asked since {words.day(parent.as_of)}; ask the same question again"),
            pd.DataFrame(),
            nothing,
        )
    if before.empty:
        return (
            not_measurable(outcome, f"the answers of the wave {parent.wave} are no longer in the client's data"),
            pd.DataFrame(),
            nothing,
        )
    sizes = later["wave"].value_counts()  # the last round that has answers enough: a new one may just have begun
    enough = later[later["wave"].isin(sizes[sizes >= max(MIN_ANSWERS, 0.2 * sizes.max())].index)]
    after = later[later["wave"] == enough.loc[enough["date"].idxmax(), "wave"]] if len(enough) else later
    a, b, population = _weighed(before, after, cycle, then)
    rounds = [p.assign(value=metric.values(p["score"])) for p in (a, b)]
    keep = ["customer_id", "value", *(["cell"] if population else [])]
    try:
        change, split = two_waves(rounds[0][keep], rounds[1][keep], population=population)
    except TableError as error:
        return not_measurable(outcome, str(error)), pd.DataFrame(), nothing
    change = replace(
        change, threats=(*_threats(before, a, b, metric, parent, cycle), *_mix(split, outcome, cycle.client))
    )
    verdict = judge(change, outcome, look=cycle.look, words=words)
    panel = nothing if cycle.look.kind == "interim" else _same_people(rounds[0], rounds[1], outcome, cycle.client)
    return verdict, split, panel


def _weighed(
    before: pd.DataFrame, after: pd.DataFrame, cycle: _Cycle, then: _Then | None
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, float] | None]:
    """Both rounds with the cell of each answer, where customers of then are known."""
    parent = cycle.parent
    if then is None or not parent.weights:
        return before, after, None
    out = []
    for answers, customers in ((before, then.customers), (after, cycle.worth.customers)):
        cells = could_answer(customers, answers).set_index("customer_id")["cell"]
        own = answers[answers["customer_id"].isin(cells.index)].drop_duplicates("customer_id")
        out.append(own.assign(cell=own["customer_id"].map(cells)))
    inside = min((o["cell"].isin(parent.weights).mean() for o in out), default=0.0)
    if min(map(len, out)) < 50 or inside < 0.9:  # too few, or the groups are not those of the baseline
        return before, after, None
    return out[0], out[1], parent.weights


def _threats(
    read: pd.DataFrame, before: pd.DataFrame, after: pd.DataFrame, metric: Metric, parent: Baseline, cycle: _Cycle
) -> list[Threat]:
    words = cycle.client.words
    frozen = float((parent.raw_score or {}).get("value") or 0.0)
    again = [float(metric.values(a["score"]).mean()) for a in (before, read)]
    same = any(abs(value - frozen) < 1e-9 * max(1.0, abs(frozen)) for value in again)
    days = abs((after["date"].median().day_of_year - before["date"].median().day_of_year + 182) % 365 - 182)
    ratio = len(after) / max(1, len(before)) / (len(cycle.worth.customers) / max(1, parent.value["customers"]))
    found = [
        Threat("same scale and counting", f"{metric.says}, both times; how the question was worded is not known", True),
        Threat("answers as they were frozen", f"read again, the baseline is {metric.shown(again[0], words)} as answered, then {metric.shown(frozen, words)}", same),
        Threat("same season", f"asked {days:.0f} days apart in the year", bool(days <= 45)),
        Threat("as many answer", f"{words.count(len(before))} answers then, {words.count(len(after))} now", bool(2 / 3 < ratio < 1.5)),
    ]  # fmt: skip
    if "channel" in read and read["channel"].notna().any():
        mixes = [p["channel"].fillna("unknown").value_counts(normalize=True) for p in (read, after) if "channel" in p]
        apart = float(mixes[0].sub(mixes[-1], fill_value=0.0).abs().sum() / 2)
        found.append(
            Threat(
                "same channel of asking", f"{words.share(apart)} of the answers came by another channel", apart <= 0.1
            )
        )
    return found


def _mix(split: pd.DataFrame, outcome: Outcome, client: Client) -> list[Threat]:
    if split.empty:
        return []
    mix = float(split["mix"].sum())
    said = f"other groups among those who answer move the score by {outcome.moved(mix, client.words)}, which is adjusted for"
    return [Threat("same customers", said, True)]


def _same_people(before: pd.DataFrame, after: pd.DataFrame, outcome: Outcome, client: Client) -> Finding:
    """Those who answered both times."""
    both = before.drop_duplicates("customer_id").merge(
        after.drop_duplicates("customer_id"), on="customer_id", suffixes=("_0", "_1")
    )
    both = both[both["customer_id"].notna()]
    if len(both) < 30:
        return Finding(pd.DataFrame(), "")
    change = paired_change(both["value_0"], both["value_1"])
    moved, (low, high) = change.value, change.interval(tail(TEST_LEVEL))
    words = client.words
    table = pd.DataFrame([{"customers": len(both), "change": moved, "low": low, "high": high}])
    return Finding(
        table,
        f"Of these, {words.counted(len(both), 'customer')} answered both times: {outcome.moved(moved, words)} "
        f"({outcome.span(low, high, words)}; {change.method}; as for a single look).",
    )


# ------------------------------------------------------------------------------------------------ value


def _new_customer(cycle: _Cycle, other_card: str) -> Verdict:
    """What a new customer is worth, then and now."""
    parent, now = cycle.parent, cycle.worth.new_customer
    saved = parent.value.get("new_customer_value")
    outcome = Outcome("value of a new customer", "money", margin_of((saved or {}).get("value") or 1.0))
    if other_card:
        return not_measurable(outcome, other_card)
    if saved is None or now is None:
        return not_measurable(outcome, f"{'then' if saved is None else 'now'} the data carried no prediction")
    then, model = Estimate.from_dict(saved), cycle.worth.card["model"]
    buying = [
        name.split(" x ")[0] for name in (model, parent.card["model"])
    ]  # another way to see spend is no reason to fit again
    if buying[0] != buying[1] and cycle.client.kind == "shop":
        refitted = _refit(cycle.worth, parent.value.get("purchases", {}))
        now, model = (refitted, parent.card["model"]) if refitted is not None else (now, model)
    errors = [(e.high - e.low) / (2 * tail(e.level)) for e in (then, now)]
    same = model == parent.card["model"]
    threats = (
        Threat("same method", "the same horizon, rate, margin and cost", True),
        Threat("same model", f"{model}, both times" if same else f"{parent.card['model']} then, {model} now: part of the difference may be theirs", same),
        Threat("different customers", "both values share the older customers, so the range is rather too wide than too narrow", True),
    )  # fmt: skip
    change = Change(
        "F",
        then.value,
        now.value,
        now.value - then.value,
        math.hypot(*errors),
        now.n,
        threats=threats,
        method="two fits",
    )
    return judge(change, outcome, look=cycle.look, words=cycle.client.words)


def _refit(worth: Handover, then: dict[str, Any]) -> Estimate | None:
    """A new customer's value today by the kind of model of the baseline, where another one is chosen now."""
    model = from_recipe(then)
    if not isinstance(model, TransactionModel):
        return None
    try:
        return new_customer_by(worth.books, model)
    except (FitError, TableError):
        return None


def _newer_members(cycle: _Cycle, facts: Facts) -> tuple[Verdict, Finding]:
    """How long members stay who joined since the baseline, against those of the year before."""
    parent, words = cycle.parent, cycle.client.words
    day = pd.Timestamp(parent.as_of)
    table = facts.contracts[facts.contracts["start"] > day - pd.Timedelta(days=365)]
    group = np.where(table["start"] > day, "since", "before").astype(object)
    tenure, gone = months_stayed(table["start"], table["end"], cycle.as_of)
    months = followed(tenure, group)
    outcome = Outcome(
        f"months stayed of the first {months}, those who joined since", "months", max(0.03 * months, 0.01)
    )
    if months < 3:
        return not_measurable(outcome, "fewer than 20 who joined since have been followed for three months"), Finding(
            pd.DataFrame(), ""
        )
    found = compare_survival(tenure, gone, group, first="before", second="since", periods=months)
    change = Change(
        "F",
        found.first,
        found.second,
        found.difference.value,
        found.error,
        len(table),
        method=f"log-rank p = {found.p_value:.3f}",
    )
    said = {"before": "joined in the year before", "since": "joined since"}
    text = (
        f"Members who joined since stay {found.second:.1f} of the first {months} months, those of the year before {found.first:.1f} "
        f"(log-rank p = {found.p_value:.3f})."
    )
    verdict = judge(change, outcome, look=cycle.look, words=words)
    return verdict, Finding(found.curves.assign(group=found.curves["group"].map(said)), text)


def _realised(cycle: _Cycle, facts: Facts, then: _Then) -> Realised:
    """What had been predicted of the window that is over, against what came."""
    parent, words = cycle.parent, cycle.client.words
    start = date.fromisoformat(parent.as_of)
    over = [w for w in WINDOWS if (cycle.as_of - start).days >= w and str(w) in parent.value.get("forecasts", {})]
    if not parent.value.get("forecasts") or then.forecast.empty:
        return Realised(
            pd.DataFrame(), "Nothing was predicted at the baseline, so nothing can be held against what came."
        )
    if not over:
        first = start + timedelta(days=WINDOWS[0])
        return Realised(
            pd.DataFrame(), f"What was predicted of customers can be held against what came from {words.day(first)} on."
        )
    window = max(over)
    days = facts.days
    inside = days[
        (days["date"] > pd.Timestamp(start)) & (days["date"] <= pd.Timestamp(start) + pd.Timedelta(days=window))
    ]
    predicted = then.forecast.set_index("customer_id")[f"margin_{window}"]
    total = Estimate.from_dict(parent.value["forecasts"][str(window)])
    found = realised_against_predicted(
        predicted, inside.groupby("customer_id")["contribution"].sum(), total, words=words
    )
    return replace(found, text=f"For the {window} days after the baseline: {found.text}")


def _bridge(cycle: _Cycle, then: _Then) -> Bridge:
    economics = cycle.client.economics
    customers = cycle.worth.customers
    by = next((c for c in ("plan", "channel") if c in customers and c in then.customers), "segment")
    old, new = (customer_base(t, economics, by=by) for t in (then.customers, customers))
    found = clv_bridge(
        old.table, new.table, discount_rate=economics.discount_rate, horizon=old.horizon, words=cycle.client.words
    )
    return replace(found, text=f"{found.text} This says what moved, by {by}, and not why.")


def _drift(cycle: _Cycle, facts: Facts, then: _Then) -> Bridge:
    parent = cycle.parent
    known = facts.days[facts.days["date"] <= pd.Timestamp(parent.as_of)].groupby("customer_id")["contribution"].sum()
    return value_drift(then.customers, cycle.worth.customers, known_then=known, words=cycle.client.words)


def _leading(cycle: _Cycle, facts: Facts, then: _Then) -> Finding:
    """Early signs, which come before the outcome does."""
    parent, words = cycle.parent, cycle.client.words
    rows = []
    for name, day, customers in (
        ("then", pd.Timestamp(parent.as_of), then.customers),
        ("now", pd.Timestamp(cycle.as_of), cycle.worth.customers),
    ):
        recent = facts.days[
            (facts.days["date"] > day - pd.Timedelta(days=91)) & (facts.days["date"] <= day) & facts.days["bought"]
        ]
        rows.append(
            (
                name,
                len(customers),
                recent["customer_id"].nunique() / max(1, len(customers)),
                float(customers["p_alive"].mean()),
            )
        )
    table = pd.DataFrame(rows, columns=["when", "customers", "bought_lately", "chance_active"])
    a, b = table.iloc[0], table.iloc[1]
    text = f"Early signs: {words.share(b['bought_lately'])} of customers bought within the last three months, {words.share(a['bought_lately'])} did at the baseline"
    if math.isfinite(a["chance_active"]) and math.isfinite(b["chance_active"]):
        text += f"; the mean chance to be active is {words.share(b['chance_active'])}, then {words.share(a['chance_active'])}"
    text += ". These also move with the season and with how many customers are new."
    return Finding(table, text)
