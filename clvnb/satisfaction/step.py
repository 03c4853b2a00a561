"""Step 2 in one call: how satisfied customers are, who said so, and the baseline that later changes are judged by.

In: ``Client`` or ``Books``, with what step 1 handed over. Out: ``SatisfactionStep``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import TableError
from ..core.maths import LEVEL
from ..core.results import Checked, Estimate, Finding, Told
from ..core.threads import one_thread
from ..data.books import Books
from ..data.client import Client
from ..data.surveys import SCALES, leading_metric
from ..experiments.planning import sample_size
from ..value.worth import Handover, hand_over
from .baseline import MIN_ANSWERS, Baseline, baseline, fingerprint, is_same_table, planning_size
from .drivers import comment_themes, drivers, expectation_gap, service_figures
from .scores import Metric, compare_scores, control_chart, latest_series, metric_of, score, segment_scores
from .weighting import early_and_late, post_stratify, response_bias

__all__ = ["WINDOW", "SatisfactionStep", "could_answer", "freeze", "is_sealed", "satisfaction_step",
           "seal_of"]  # fmt: skip

_SAYS = {
    "csat": "are satisfied",
    "stars": "give most of the stars",
    "ces": "find it easy",
    "nps": "is the Net Promoter Score",
}
WINDOW = 182  # days after an answer in which is looked at what its customer did


@dataclass(frozen=True, repr=False)
class SatisfactionStep(Told):
    """What step 2 found out about a client.

    Attributes
    ----------
    client : Client
        Whose step it is.
    as_of : date
        The last day looked at.
    worth : Handover
        What step 1 found.
    checked : Checked or None
        The answers: kept, excluded, and why; None where nobody was asked.
    metric : Metric or None
        The question that leads: the one with most answers in the last wave.
    answers : SURVEY
        The last wave's answers to it.
    scores : pandas.DataFrame
        ``metric, wave, answers, value, low, high`` plain and ``weighted, weighted_low, weighted_high``, a row for each
        question.
    base : Baseline or None
        What later changes are judged against; None where nobody was asked, or too few answered.
    bias : pandas.DataFrame
        From ``response_bias``.
    by_segment : pandas.DataFrame
        ``what, group, answers, value, low, high, shrunk, few``.
    chart, weighing, early_late, drivers, gaps, themes, service : Finding
        The waves; what the weights are worth; early answers against late ones; key drivers; what was
        expected; what customers write; how fast they were answered.
    why_not : str
        Why there is no baseline, and what to do; empty where there is one.
    notes : tuple of Finding
        What the answers themselves give away.
    starts : pandas.DataFrame
        ``initiative, start`` of what the client did.
    moved : Estimate
        How far the score, as answered, moved from the wave before to the last; ``moved_in_all`` from the first.
    """

    client: Client
    as_of: date
    worth: Handover
    checked: Checked | None
    metric: Metric | None
    answers: pd.DataFrame
    scores: pd.DataFrame
    base: Baseline | None
    bias: pd.DataFrame
    by_segment: pd.DataFrame
    chart: Finding
    weighing: Finding
    early_late: Finding
    drivers: Finding
    gaps: Finding
    themes: Finding
    service: Finding
    why_not: str = ""
    notes: tuple[Finding, ...] = field(default=())
    starts: pd.DataFrame = field(default_factory=pd.DataFrame)
    moved: Estimate = field(default_factory=lambda: Estimate(np.nan, np.nan, np.nan, LEVEL, 0, "one wave"))
    moved_in_all: Estimate = field(default_factory=lambda: Estimate(np.nan, np.nan, np.nan, LEVEL, 0, "one wave"))

    @property
    def unit(self) -> str:
        """``share`` or ``points``."""
        return self.metric.unit if self.metric else "share"

    @property
    def good(self) -> float:
        """The lowest score that counts as good."""
        return self.metric.good if self.metric else float("nan")

    @property
    def bad(self) -> float | None:
        """The highest score that counts against, of NPS alone."""
        return self.metric.bad if self.metric else None

    @property
    def shown_scores(self) -> pd.DataFrame:
        """Every question's last wave, in words."""
        rows = []
        for r in self.scores.itertuples():
            how = metric_of(r.metric, (r.scale_min, r.scale_max))
            w = self.client.words
            plain = f"{how.shown(r.value, w)} ({how.shown(r.low, w)} to {how.shown(r.high, w)})"
            weighed = (
                ""
                if np.isnan(r.weighted)
                else (f"{how.shown(r.weighted, w)} ({how.shown(r.weighted_low, w)} to {how.shown(r.weighted_high, w)})")
            )
            rows.append((r.metric.upper(), how.says, r.wave, r.answers, plain, weighed))
        return pd.DataFrame(
            rows, columns=["question", "what counts", "wave", "answers", "as answered", "weighted to customers"]
        )

    @property
    def shown_themes(self) -> pd.DataFrame:
        """What customers write about, without the log-odds."""
        table = self.themes.table
        return table.drop(columns="lean") if "lean" in table else table

    @property
    def frozen(self) -> Finding:
        """What the baseline holds."""
        base = self.base
        if base is None:
            return Finding(
                pd.DataFrame(), "There is no baseline yet; what it takes stands at the head of this chapter."
            )
        words = self.client.words
        return Finding(
            pd.DataFrame({"what": list(vars(base)), "value": [str(v) for v in vars(base).values()]}),
            f"{base.metric.upper()} of the wave {base.wave}, asked from {words.day(base.asked[0])} to {words.day(base.asked[1])}. Whether a cycle "
            "starts from it, or it is read in the middle of one, chapter 4 says.",
        )

    @property
    def headline(self) -> Finding:
        """The answer in one minute."""
        words = self.client.words
        if self.base is None or self.metric is None:
            return Finding(pd.DataFrame(), f"There is no baseline for satisfaction yet. {self.why_not}")
        found, plain, how = self.base.estimate, self.base.raw_score or {}, self.metric
        lead = (
            f"The Net Promoter Score is {how.shown(found.value, words)}"
            if how.name == "nps"
            else f"{how.shown(found.value, words)} of customers {_SAYS[how.name]}"
        )
        text = (
            f"{lead} ({how.says}), {words.share(found.level)} range {how.range(found, words)}, from {words.counted(found.n, 'answer')} "
            f"in the wave {self.base.wave}."
        )
        if self.base.weights:
            same = how.shown(plain["value"], words) == how.shown(found.value, words)
            text += " The answers are weighted to the customer base" + (
                ", which changes nothing here."
                if same
                else f"; without that it would read {how.shown(plain['value'], words)}."
            )
        return Finding(self.scores, text)

    @property
    def size(self) -> Finding:
        """The smallest change the next wave would show, and how many answers show a smaller one."""
        words, base, how = self.client.words, self.base, self.metric
        if base is None or how is None:
            return Finding(pd.DataFrame(), "")
        heavier = base.answers / max(1.0, base.effective)  # how much more a weighted wave needs
        p = float(np.clip(base.estimate.value, 0.02, 0.98)) if how.unit == "share" else 0.0
        rows = []
        for change in [0.03, 0.05, 0.10] if how.unit == "share" else [0.05, 0.10, 0.15]:
            if how.unit == "share":
                ways = [c for c in (change, -change) if 0 < p + c < 1]
                need = max(sample_size(c, share=p, design_effect=heavier)[0] for c in ways)
            else:
                need = sample_size(change, variance=0.65, design_effect=heavier)[0]
            rows.append((f"{100 * change:.0f} {'percentage points' if how.unit == 'share' else 'points'}", need))
        table = pd.DataFrame(rows, columns=["change", "answers_per_wave"])
        least = (
            f"{100 * base.detectable:.1f} percentage points" if how.unit == "share" else f"{base.detectable:.0f} points"
        )
        text = (
            f"Another wave like this one would show a change of {least} or more four times in five (test at 95%); to see {rows[0][0]}, each "
            f"wave needs {words.count(rows[0][1])} answers."
        )
        return Finding(table, text)

    @property
    def change(self) -> Finding:
        """The last wave against the one before, as answered."""
        table, how = self.chart.table, self.metric
        if how is None or len(table) < 2:
            return Finding(table, "")
        words, last, before = self.client.words, table.iloc[-1], table.iloc[-2]
        moved = self.moved
        unit = 100.0 if how.unit == "share" else 1.0
        clear = moved.low > 0 or moved.high < 0
        text = (
            f"As answered, the score went from {how.shown(before['value'], words)} ({before['wave']}) to {how.shown(last['value'], words)} "
            f"({last['wave']}), {unit * moved.value:+.1f} points ({unit * moved.low:+.1f} to {unit * moved.high:+.1f}): "
            + ("more than chance explains." if clear else "no more than chance explains.")
        )
        if len(table) > 2:
            first, way = table.iloc[0], self.moved_in_all
            clear = way.low > 0 or way.high < 0
            text += (
                f" From the first wave ({how.shown(first['value'], words)}, {first['wave']}) it moved by {unit * way.value:+.1f} points "
                f"({unit * way.low:+.1f} to {unit * way.high:+.1f}), "
                + ("more than chance explains." if clear else "no more than chance explains.")
            )
        return Finding(table, text)

    @property
    def who_answered(self) -> Finding:
        """Which groups answer more than their share."""
        words, table = self.client.words, self.bias
        if table.empty:
            return Finding(
                table, "The answers name no customers, so who answered cannot be told." if self.checked else ""
            )
        first = table[table["what"] == table["what"].iloc[0]]
        n, k = int(first["customers"].sum()), int(first["answers"].sum())
        whom = "members of that time" if "plan" in set(table["what"]) else "customers who had bought in the year before"
        text = f"{words.count(k)} of {words.count(n)} {whom} answered ({words.share(k / max(n, 1))})."
        if self.base is not None and self.metric is not None and self.metric.unit == "share" and k < n:
            lower = self.base.estimate.value - 0.1 * (1 - k / n)
            text += (
                f" If those who did not answer were 10 percentage points less satisfied, {words.share(lower)} of all would be, and no "
                "weight would show it."
            )
        gap = (table["share_of_answers"] - table["share_of_base"]).abs()
        far = table.loc[gap.idxmax()]
        if gap.max() > 0.05:
            more = "more" if far["share_of_answers"] > far["share_of_base"] else "less"
            text += (
                f" {str(far['what']).capitalize()} {far['group']} answers {more} than its share: {words.share(far['share_of_answers'])} of answers, "
                f"{words.share(far['share_of_base'])} of customers."
            )
        return Finding(table, text + (f" {self.weighing.text}" if self.weighing.text else "") +
                       (f" {self.early_late.text}" if self.early_late.text else ""))  # fmt: skip

    @property
    def where(self) -> Finding:
        """Where satisfaction is lowest, among groups with enough answers."""
        words, table = self.client.words, self.by_segment
        good = table[~table["few"]] if len(table) else table
        if len(good) < 2 or self.metric is None:
            return Finding(table, "There are too few answers to tell groups apart." if self.checked else "")
        apart = []
        for what, part in good.groupby("what", sort=False):
            low, high = part.loc[part["shrunk"].idxmin()], part.loc[part["shrunk"].idxmax()]
            if len(part) > 1 and low["high"] < high["low"]:
                apart.append(
                    f"by {what}, {low['group']} ({self.metric.shown(low['value'], words)}) lies below {high['group']} "
                    f"({self.metric.shown(high['value'], words)})"
                )
        text = (
            f"Clearly apart: {'; '.join(apart)}."
            if apart
            else "No two groups lie clearly apart: the differences may be chance."
        )
        return Finding(
            table, text + (" Many groups are compared here, so the closest call may be chance." if apart else "")
        )

    def results(self) -> dict[str, Any]:
        """Return the headline figures as plain JSON values."""
        base = self.base
        return {
            "satisfaction": base.score if base else None,
            "satisfaction_metric": base.metric if base else "",
            "satisfaction_unit": self.unit,
            "satisfaction_text": self.headline.text,
        }

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables by the names they are saved under."""
        return {
            "satisfaction": self.scores,
            "response": self.bias,
            "satisfaction_by_group": self.by_segment,
            "satisfaction_waves": self.chart.table,
            "drivers": self.drivers.table,
            "expectations": self.gaps.table,
            "comments": self.themes.table,
            "service": self.service.table,
            "survey_data": self.checked.account if self.checked else pd.DataFrame(),
        }

    def _told(self) -> tuple[str, Iterable[pd.DataFrame]]:
        return f"{self.client.name}, {self.client.words.day(self.as_of)}: {self.headline.text}", []


@one_thread
def satisfaction_step(
    source: Client | Books, *, as_of: date | str | None = None, output: str | Path = ""
) -> SatisfactionStep:
    """Run step 2 for a client.

    Parameters
    ----------
    source : Client or Books
        From ``Client.load`` or ``load_sample``; or ``Books``, whose sources the steps then share.
    as_of : date, optional
        The evening of this day; the client's, or the last order's, when left out.
    output : path
        The folder that a report's notebooks share; step 1 is run where it left nothing there.

    Returns
    -------
    SatisfactionStep
        ``scores``, ``base`` (a ``Baseline`` or None), ``bias``, ``by_segment``, ``chart``, ``drivers``, ``gaps``,
        ``themes``, ``service`` and more. Without a survey, or with too few answers, it says what is missing, what to
        ask and how many answers it takes.

    Raises
    ------
    ClvnbError
        When orders, contracts or answers cannot be read at all.

    Examples
    --------
    >>> from clvnb import load_sample
    >>> step = satisfaction_step(load_sample("subscription"))
    >>> step.metric.name, step.base.wave
    ('csat', '2025-09')
    """
    worth = hand_over(source, as_of=as_of, output=output)
    books, client = worth.books, worth.client
    service, checked = _service(books), books.answers
    if checked is None:
        return _nothing(client, worth, None, f"{books.why_no_answers.rstrip('.')}. {_ask(client, worth)}", service)
    survey = checked.kept
    metric_name = leading_metric(survey)
    if metric_name is None:
        return _nothing(
            client,
            worth,
            checked,
            f"No question about satisfaction as a whole was answered. {_ask(client, worth)}",
            service,
        )
    series = latest_series(survey, metric_name)
    doubt = [f.text for f in checked.findings[1:] if f.table["check"].iloc[0] == "scale"]
    scale = (float(series["scale_min"].iloc[0]), float(series["scale_max"].iloc[0]))
    try:
        metric = metric_of(metric_name, scale)
    except TableError as error:
        return _nothing(client, worth, checked, str(error), service)
    wave = series.loc[series["date"].idxmax(), "wave"]
    answers = series[series["wave"] == wave]
    if len(answers) < MIN_ANSWERS:
        return _nothing(
            client,
            worth,
            checked,
            f"The last wave has {client.words.counted(len(answers), 'answer')}. {_ask(client, worth)}",
            service,
        )
    return _full(client, worth, checked, survey, series, answers, metric, service, doubt)


def _ask(client: Client, worth: Handover) -> str:
    words, n = client.words, len(worth.customers)
    share = planning_size(metric_of("csat"), 0.05, n)
    change = sample_size(0.05, share=0.75)[0]
    return (
        "Ask customers one question, 'How satisfied are you with us, from 1 to 5?' (4 and 5 count as satisfied), a few days after a purchase, and "
        f"note the customer number and everybody you invite. About {words.count(share)} answers place today's share within 5 percentage points; to "
        f"see it change by 5 points takes about {words.count(change)} in each wave. If one in five answers, which is an assumption, that is "
        f"{words.count(min(n, 5 * share))} or {words.count(min(n, 5 * change))} invitations."
    )


def _nothing(client: Client, worth: Handover, checked: Checked | None, why: str, service: Finding) -> SatisfactionStep:
    none, empty = Finding(pd.DataFrame(), ""), pd.DataFrame()
    return SatisfactionStep(
        client=client, as_of=worth.as_of, worth=worth, checked=checked, metric=None, answers=empty, scores=empty, base=None, bias=empty,
        by_segment=empty, chart=none, weighing=none, early_late=none, drivers=none, gaps=none, themes=none, service=service, why_not=why,
    )  # fmt: skip


def _full(
    client: Client,
    worth: Handover,
    checked: Checked,
    survey: pd.DataFrame,
    series: pd.DataFrame,
    answers: pd.DataFrame,
    metric: Metric,
    service: Finding,
    doubt: list[str],
) -> SatisfactionStep:
    people = could_answer(worth.customers, answers)
    known = answers[answers["customer_id"].isin(people["customer_id"])].drop_duplicates("customer_id")
    cells = people.set_index("customer_id")["cell"]
    by = [c for c in ("plan", "tier", "tenure", "channel", "segment") if c in people]
    bias = response_bias(people, known["customer_id"], by, level=LEVEL) if len(known) else pd.DataFrame()
    weights, weighing, population = None, Finding(pd.DataFrame(), ""), {}
    if len(known) >= 50:
        population = people["cell"].value_counts().to_dict()
        weights, weighing = post_stratify(known["customer_id"].map(cells), population)
    base = None
    if not doubt:
        base = freeze(
            client, worth, known if weights is not None else answers, metric, weights, population, len(people)
        )
    attributes = survey[survey["wave"] == answers["wave"].iloc[0]]
    return SatisfactionStep(
        client=client,
        as_of=worth.as_of,
        worth=worth,
        checked=checked,
        metric=metric,
        answers=answers,
        scores=_scores(survey, cells, population),
        base=base,
        bias=bias,
        by_segment=_by_group(known.merge(people, on="customer_id", suffixes=("", "_own")), by, metric),
        chart=control_chart(series, metric, level=LEVEL),
        weighing=weighing,
        early_late=early_and_late(answers, metric, level=LEVEL),
        drivers=drivers(survey, metric=metric.name, level=LEVEL),
        gaps=expectation_gap(attributes, level=LEVEL),
        themes=comment_themes(series, good=metric.good),
        service=service,
        why_not=" ".join(doubt),
        notes=tuple(checked.findings[1:]),
        starts=_starts(worth.books),
        moved=_moved(series, metric, -2),
        moved_in_all=_moved(series, metric, 0),
    )


def could_answer(customers: pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
    """The customers who could have been asked in this wave: still there, or bought within the year before it."""
    people = customers.drop_duplicates("customer_id")
    begun, ended = answers["date"].min(), answers["date"].max()
    first = pd.to_datetime(people["first_date"])
    span = 0 if "plan" in people else 365  # a member's last day is the contract's, a buyer's the last purchase
    there = pd.to_datetime(people["last_date"]) >= begun - pd.Timedelta(days=span)
    people = people[((first <= ended) & there) | people["customer_id"].isin(set(answers["customer_id"].dropna()))]
    age = (begun - pd.to_datetime(people["first_date"])).dt.days
    tenure = pd.Series(
        np.select([age < 91, age < 365], ["under 3 months", "under a year"], "a year or more"), people.index
    )
    few = "channel" in people and people["channel"].nunique() <= 6
    if "plan" in people:  # a member's tier and segment know who has left since; plan and tenure do not
        main, kept = people["plan"].astype(str) + ", " + tenure, ["customer_id", "plan"]
    else:
        main, kept = people["tier"].astype(str), ["customer_id", "tier", "segment"]
    cell = main + (", " + people["channel"].fillna("unknown").astype(str) if few else "")
    return people[[*kept, *(["channel"] if few else [])]].assign(tenure=tenure, cell=cell)


def seal_of(customers: pd.DataFrame, forecast: pd.DataFrame) -> dict[str, Any]:
    """The fingerprint of all that step 4 will read of each customer."""
    return fingerprint(*_sealed(customers, forecast))


def is_sealed(customers: pd.DataFrame, forecast: pd.DataFrame, known: Mapping[str, Any] | str) -> bool:
    """Whether the tables are those whose seal is known; clvnb 0.1.0 hashed every digit of them."""
    own, columns = _sealed(customers, forecast)
    if not isinstance(known, str):
        return bool(known) and is_same_table(own, known)
    digest, rows = hashlib.sha256(), own.sort_values("customer_id", kind="stable")
    for row in rows[[c for c in columns if c in rows]].itertuples(index=False, name=None):
        said = (repr(float(v)) if isinstance(v, float | np.floating) else str(v) for v in row)
        digest.update(("\x1f".join(said) + "\n").encode())
    return digest.hexdigest() == known


def _sealed(customers: pd.DataFrame, forecast: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    own = customers.merge(forecast, on="customer_id", how="left") if len(forecast.columns) else customers
    return own, ("customer_id", "clv", "historic_value", "tier", "segment", *forecast.columns[1:])


def freeze(
    client: Client,
    worth: Handover,
    answers: pd.DataFrame | None = None,
    metric: Metric | None = None,
    weights: pd.Series | None = None,
    population: dict[str, float] | None = None,
    customers: int = 0,
) -> Baseline:
    """What step 4 measures against later: value always, satisfaction where customers were asked."""
    value = {
        "customers": len(worth.customers),
        "historic_value": float(worth.customers["historic_value"].sum()),
        "residual_value": worth.total.to_dict() if worth.total else None,
        "new_customer_value": worth.new_customer.to_dict() if worth.new_customer else None,
        "forecasts": {k: v.to_dict() for k, v in worth.forecasts.items()},
        "purchases": worth.purchases,
    }
    return baseline(
        answers, metric, client=client.name, as_of=worth.as_of, weights=weights, population=population, customers=customers,
        cut_points=worth.cuts, value=value, card=worth.card, level=LEVEL,
        fingerprint=seal_of(worth.customers, worth.forecast), inputs=worth.books.inputs,
    )  # fmt: skip


def _scores(survey: pd.DataFrame, cells: pd.Series, population: dict[str, float]) -> pd.DataFrame:
    """Every question's last wave, plain and weighed."""
    rows = []
    for name in SCALES:
        series = latest_series(survey, name)
        if series.empty:
            continue
        wave = series.loc[series["date"].idxmax(), "wave"]
        own = series[series["wave"] == wave]
        try:
            metric = metric_of(name, (float(own["scale_min"].iloc[0]), float(own["scale_max"].iloc[0])))
        except TableError:
            continue
        plain = score(own["score"], metric, level=LEVEL)
        known = own[own["customer_id"].isin(cells.index)].drop_duplicates("customer_id")
        heavy = None
        if population and len(known) >= 50:
            w, _ = post_stratify(known["customer_id"].map(cells), population)
            heavy = score(known["score"], metric, weights=w, level=LEVEL)
        ends = (heavy.value, heavy.low, heavy.high) if heavy else (np.nan, np.nan, np.nan)
        rows.append(
            (name, metric.says, metric.low, metric.high, str(wave), plain.n, plain.value, plain.low, plain.high, *ends)
        )
    columns = [
        "metric",
        "question",
        "scale_min",
        "scale_max",
        "wave",
        "answers",
        "value",
        "low",
        "high",
        "weighted",
        "weighted_low",
        "weighted_high",
    ]
    return pd.DataFrame(rows, columns=columns)


def _by_group(answers: pd.DataFrame, by: list[str], metric: Metric) -> pd.DataFrame:
    if answers.empty:
        return pd.DataFrame()
    return pd.concat([segment_scores(answers, c, metric, level=LEVEL).assign(what=c) for c in by], ignore_index=True)[
        ["what", "group", "answers", "value", "low", "high", "shrunk", "few"]
    ]


def _moved(series: pd.DataFrame, metric: Metric, since: int) -> Estimate:
    """The last wave against an earlier one, by its place."""
    waves = series.groupby("wave")["date"].min().sort_values().index
    if len(waves) < 2:
        return Estimate(np.nan, np.nan, np.nan, LEVEL, 0, "one wave")
    before, last = (series.loc[series["wave"] == w, "score"] for w in (waves[since], waves[-1]))
    return compare_scores(before, last, metric, level=LEVEL)


def _starts(books: Books) -> pd.DataFrame:
    """When each of the client's initiatives began."""
    table = books.initiatives
    if table is None:
        return pd.DataFrame()
    return table.groupby("initiative")["start"].min().dropna().reset_index()


def _service(books: Books) -> Finding:
    return (
        Finding(pd.DataFrame(), "") if books.cases is None else service_figures(books.cases, words=books.client.words)
    )
