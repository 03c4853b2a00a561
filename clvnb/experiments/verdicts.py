"""Did it work? The strongest design that the data allow, its threats, and a verdict in words.

In: an outcome for each customer and period, groups, what was fixed beforehand. Out: ``Verdict``, and VERDICTS of many.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from ..core.errors import TableError
from ..core.maths import TEST_LEVEL, days, tail
from ..core.results import Estimate, Finding, Told
from ..core.tables import VERDICTS
from ..core.words import Words, capital
from .changes import Change, Threat
from .designs import difference_in_differences, interrupted_series, paired_change, two_waves, weighted_difference
from .planning import ONCE, Look
from .randomised import randomised_difference

__all__ = [
    "Outcome",
    "Verdict",
    "choose_design",
    "equivalence",
    "false_discoveries",
    "judge",
    "not_measurable",
    "profit_and_loss",
    "measure_change",
    "verdict_table",
]

DESIGNS = {
    "A": "randomised",
    "A+": "randomised, and adjusted for what was known before",
    "B": "both groups are followed, adjusted for their difference before",
    "C": "the others are weighed until they resemble those who got it",
    "D": "the trend from before is drawn on",
    "E": "the same customers before and after",
    "F": "different customers before and after",
}
_CLAIM = {"A": "caused by it", "A+": "caused by it", "B": "consistent with an effect", "C": "consistent with an effect",
          "D": "consistent with an effect", "E": "", "F": ""}  # fmt: skip
_CANNOT = {
    "A": "It holds for customers like these, at this time.",
    "A+": "It holds for customers like these, at this time.",
    "B": "That both groups would have moved alike without it is assumed, and that they did so before is no proof.",
    "C": "Customers may differ in what nobody wrote down; then this difference is theirs.",
    "D": "Whatever else happened at that time is in it.",
    "E": "It says that these customers changed, and not why.",
    "F": "It says that the answers differ, and not why: other customers were looked at, at another time.",
}


@dataclass(frozen=True)
class Outcome:
    """What is measured, and how much of a change would matter.

    Attributes
    ----------
    name : str
        For the sentence, such as ``stayed``.
    unit : "share", "points", "money", "score" or "months"
        Shares are fractions, points those of NPS, a score points of its scale. More is better in each.
    margin : float
        The practical margin, in the unit: a change within it does not matter. 0.03 is three percentage points of a
        share.
    planned : float
        The change that was planned for, in the unit; twice the margin where left out. It tunes the range that holds at
        every look.
    of : str
        What is counted: ``customers`` or ``answers``.

    Raises
    ------
    ValueError
        For a unit that is not known, a margin that is not above 0, or a planned change below 0.

    Examples
    --------
    >>> Outcome("stayed", margin=0.02).aim
    0.04
    """

    name: str
    unit: str = "share"
    margin: float = 0.03
    planned: float = 0.0
    of: str = "customers"

    def __post_init__(self) -> None:
        if self.unit not in {"share", "points", "money", "score", "months"}:
            raise ValueError(f"unit must be share, points, money, score or months, got {self.unit!r}")
        if not self.margin > 0 or self.planned < 0:
            raise ValueError(f"margin must be above 0 and planned not below, got {self.margin} and {self.planned}")

    @property
    def aim(self) -> float:
        """The change that was planned for, in the outcome's unit; twice the margin where ``planned`` is 0."""
        return self.planned or 2 * self.margin

    def shown(self, value: float, words: Words) -> str:
        """Say a value.

        Parameters
        ----------
        value : float
            In the outcome's unit.
        words : Words
            The client's currency and language.

        Returns
        -------
        str
            ``unknown`` where it is missing.
        """
        if not math.isfinite(value):
            return "unknown"
        if self.unit == "share":
            return words.share(value, digits=1)
        if self.unit == "money":
            return words.money(value)
        return words.count(value, digits=1 if self.unit != "score" else 2)

    def moved(self, value: float, words: Words) -> str:
        """Say a change, with its sign.

        Parameters
        ----------
        value : float
            A change in the outcome's unit.
        words : Words
            The client's currency and language.

        Returns
        -------
        str
            With its sign and unit; ``unknown`` where it is missing.
        """
        if not math.isfinite(value):
            return "unknown"
        if self.unit == "money":
            return ("+" if value > 0 else "") + words.money(value)
        digits = 2 if self.unit == "score" else 1
        size = round(100 * value if self.unit == "share" else value, digits) + 0.0
        return f"{size:+.{digits}f}{self.suffix}"

    def span(self, low: float, high: float, words: Words) -> str:
        """Say the range of a change, its unit once.

        Parameters
        ----------
        low, high : float
            Ends of a change, in the outcome's unit.
        words : Words
            The client's currency and language.

        Returns
        -------
        str
            Such as ``+1.2 to +3.4 percentage points``.
        """
        return f"{self.moved(low, words).removesuffix(self.suffix)} to {self.moved(high, words)}"

    @property
    def suffix(self) -> str:
        """The unit in words that follows a change; empty for money."""
        return {
            "share": " percentage points",
            "points": " points",
            "months": " months",
            "score": " points of the scale",
        }.get(self.unit, "")


@dataclass(frozen=True, repr=False)
class Verdict(Told):
    """What may be said of a change.

    Attributes
    ----------
    metric : str
        The outcome's name.
    design : str
        ``A`` (strongest) to ``F``; empty where nothing could be measured.
    before, after, change, low, high : float
        In the outcome's unit: shares as fractions, NPS and its change in points, money in the client's currency. With
        design A ``before`` is the holdout.
    level : float
        Of the interval.
    n : int
        Customers or answers.
    verdict : str
        ``improved, worsened, no_material_change, no_evidence, not_measurable``.
    sentence : str
        The verdict in words.
    outcome : Outcome
        What was measured.
    error, p_value, detectable : float
        Standard error of the change; p of no change, all looks together; the smallest change that would have been seen four times in five.
    threats : tuple of Threat
        What could make the change look other than it is.
    method : str
        In words.
    cap : (float, float) or None
        Amounts beyond these count as these.
    uncapped : float
        The change with every amount as it is; missing where none was capped.
    ruling : str
        The part of the sentence that decides.

    Examples
    --------
    >>> change = Change("A", before=0.75, after=0.80, value=0.05, error=0.0219, n=2000)
    >>> found = judge(change, Outcome("stayed"))
    >>> found.verdict, found.causal, round(found.low, 3)
    ('improved', True, 0.007)
    """

    metric: str
    design: str
    before: float
    after: float
    change: float
    low: float
    high: float
    level: float
    n: int
    verdict: str
    sentence: str
    outcome: Outcome
    error: float = math.nan
    p_value: float = math.nan
    detectable: float = math.nan
    threats: tuple[Threat, ...] = field(default=())
    method: str = ""
    cap: tuple[float, float] | None = None
    uncapped: float = math.nan
    ruling: str = ""

    @property
    def causal(self) -> bool:
        """Whether the change may be called caused: improved or worsened by design A or A+, and no check speaks against it."""
        decided = self.design in {"A", "A+"} and self.verdict in {"improved", "worsened"}
        return decided and all(t.ok is not False for t in self.threats)

    @property
    def unless(self) -> str:
        """What would make a claim of cause wrong and no data can tell; empty where nothing is left open."""
        return " or ".join(t.unless for t in self.threats if t.ok is None and t.unless)

    @property
    def estimate(self) -> Estimate:
        """The change as an ``Estimate``, in the outcome's unit, with the verdict's interval."""
        return Estimate(self.change, self.low, self.high, self.level, self.n, f"design {self.design}")

    @property
    def checks(self) -> pd.DataFrame:
        """``check, found, holds``: what could make the change look other than it is."""
        return pd.DataFrame([(t.check, t.found, t.ok) for t in self.threats], columns=["check", "found", "holds"])

    def _told(self) -> tuple[str, Iterable[pd.DataFrame]]:
        return self.sentence, [self.checks]


def measure_change(
    data: pd.DataFrame,
    outcome: Outcome,
    *,
    randomised: bool = False,
    planned: float | None = None,
    assigned: tuple[int, int] | None = None,
    known: pd.DataFrame | None = None,
    population: Mapping[str, float] | None = None,
    season: float = 0.0,
    spillover: bool | None = None,
    chosen: bool | None = None,
    threats: Sequence[Threat] = (),
    look: Look = ONCE,
    level: float = TEST_LEVEL,
    words: Words | None = None,
    what: str = "it",
) -> Verdict:
    """Measure a change by the strongest design that the data allow, and judge it.

    Parameters
    ----------
    data : pandas.DataFrame
        One row a customer and period (or answer): ``value``; ``period`` (1 after, 0 before, -1 and lower earlier; 1
        where left out); ``customer_id``; where somebody got something ``group``: ``treated``, and ``holdout`` or
        ``comparison``; ``cluster``, where stores, regions or households were drawn; ``cell``, by which rounds of
        answers are weighed alike. Without ``customer_id`` and with one value a period, a series: ``value`` and
        ``after`` in order of time. Of randomised customers a missing ``value`` in period 1 is an outcome that is not
        known.
    outcome : Outcome
        Its unit and the margin that matters.
    randomised : bool
        Whether chance alone decided between ``treated`` and ``holdout``, before the start.
    planned : float, optional
        The share that was to be treated.
    assigned : (int, int), optional
        Treated and held out in all, where the outcome is known of a part.
    known : pandas.DataFrame, optional
        Numbers known of each customer before the start, indexed by ``customer_id``.
    population : mapping of cell to number, optional
        Customers in each cell, to which both rounds are weighed.
    season : float
        Of a series: how many periods a year has.
    spillover : bool, optional
        Whether the holdout can have lost by it or shared in it (the same staff, stock, places, families). None where
        nobody has said so: the claim of cause then carries that condition.
    chosen : bool, optional
        Of the same customers before and after, without others to compare with: whether they were chosen for where they
        stood. Those who were move back by themselves, so that only False gives a verdict.
    threats : sequence of Threat
        What else could make the change look other than it is, known to the caller.
    look : Look
        From ``look_on``; a single look when left out.
    level : float
        Of the interval: 0.95 means that it holds the truth nineteen times in twenty.
    words : Words, optional
        The client's currency and language.
    what : str
        What was done, for the sentence.

    Returns
    -------
    Verdict
        ``not_measurable`` with the reason where no design holds.

    Raises
    ------
    TableError
        When ``data`` has no values, or groups that are not known.

    Notes
    -----
    Design A, or A+ where the time before explains part of the outcome, with ``randomised`` and a holdout. B where both
    groups moved alike in an earlier period, C otherwise; both where both hold, and the range then spans them. D with
    eight periods on each side. E where the same customers answer both times, F otherwise. Each design names its source:
    ``randomised_difference``, ``difference_in_differences``, ``weighted_difference``, ``interrupted_series``,
    ``paired_change``, ``two_waves``.

    Examples
    --------
    >>> import numpy as np
    >>> data = pd.DataFrame({"customer_id": range(2000), "group": np.repeat(["treated", "holdout"], [1500, 500]),
    ...                      "value": np.repeat([1, 0, 1, 0], [1200, 300, 375, 125])})
    >>> found = measure_change(data, Outcome("stayed"), randomised=True, planned=0.75)
    >>> found.verdict, found.design, round(found.low, 4), round(found.high, 4)
    ('improved', 'A', 0.0084, 0.0943)
    """
    whole, data = data, _tidy(data)
    try:
        if randomised and {"treated", "holdout"} <= set(data.get("group", ())):
            change = _randomised(
                _varied(data), whole, planned, assigned, known, spillover, capped=outcome.unit == "money"
            )
        else:
            change = _strongest(_varied(data), known, population, season, chosen)
    except TableError as error:
        return not_measurable(outcome, str(error), level=level)
    change = replace(change, threats=(*change.threats, *threats))
    stop = next((t for t in change.threats if t.stops and t.ok is False), None)
    if stop is not None:
        return replace(
            not_measurable(outcome, f"{stop.check}: {stop.found}", level=level, design=change.design),
            threats=change.threats,
            n=change.n,
        )
    return judge(change, outcome, look=look, level=level, words=words, what=what)


def _tidy(data: pd.DataFrame) -> pd.DataFrame:
    if "value" not in data:
        raise TableError(f"the data have no column 'value'; they have: {', '.join(map(str, data.columns))}")
    data = data[data["value"].notna()]
    data = data if "period" in data or "after" in data else data.assign(period=1)
    if "group" in data:
        strange = sorted(set(data["group"].dropna().unique()) - {"treated", "holdout", "comparison"})
        if strange:
            raise TableError(f"the group {strange[0]!r} is not known; groups are treated, holdout and comparison")
        data = data[data["group"].notna()]
    return data


def _varied(data: pd.DataFrame) -> pd.DataFrame:
    """Amounts that are all alike cannot tell how far chance reaches."""
    after = data[data["period"] == 1]["value"] if "period" in data else data["value"]
    alike = len(after) > 0 and float(after.max() - after.min()) <= 1e-9 * max(1.0, float(after.abs().max()))
    drawn = "group" in data and "holdout" in set(data["group"].unique())
    if alike and not (drawn and set(after.unique()) <= {0.0, 1.0}):
        raise TableError(f"all {len(after):,} have the same value, so nothing tells chance from change")
    return data


def _randomised(
    data: pd.DataFrame,
    whole: pd.DataFrame,
    planned: float | None,
    assigned: tuple[int, int] | None,
    known: pd.DataFrame | None,
    spillover: bool | None,
    *,
    capped: bool,
) -> Change:
    own = data[data["group"].isin(["treated", "holdout"])]
    after, before = own[own["period"] == 1], pd.Series(dtype=float)
    if assigned is None and whole["value"].isna().any():  # whose outcome is missing was assigned all the same
        everybody = whole[whole["period"] == 1] if "period" in whole else whole
        assigned = (int((everybody["group"] == "treated").sum()), int((everybody["group"] == "holdout").sum()))
    if "customer_id" in own:
        before = own[own["period"] == 0].set_index("customer_id")["value"]
    return randomised_difference(
        after["value"],
        after["group"] == "treated",
        before=after["customer_id"].map(before[~before.index.duplicated()]) if len(before) else None,
        known=None if known is None or "customer_id" not in after else known.reindex(after["customer_id"]),
        clusters=after.get("cluster"),
        planned=planned,
        assigned=assigned,
        capped=capped,
        spillover=spillover,
    )


def _strongest(
    data: pd.DataFrame,
    known: pd.DataFrame | None,
    population: Mapping[str, float] | None,
    season: float,
    chosen: bool | None,
) -> Change:
    groups = set(data["group"].unique()) if "group" in data else set()
    if len(groups) == 1 and groups != {"treated"}:
        raise TableError("of those who got it, nobody's outcome is known")
    if len(groups) > 1:
        return _compared(data.assign(group=data["group"].replace("holdout", "comparison")), known)
    if "after" in data:
        if min(data["after"].sum(), (~data["after"].astype(bool)).sum()) >= 8:
            return interrupted_series(data["value"], data["after"], season=season)
        raise TableError(
            "a series needs eight periods before and eight after the start to tell a change from its trend"
        )
    before, after = data[data["period"] == 0], data[data["period"] == 1]
    if before.empty:
        raise TableError("there is nothing to compare with: no group was left alone, and nothing is known from before")
    ids = "customer_id" in data and data["customer_id"].notna().all()
    if ids and before["customer_id"].is_unique and set(before["customer_id"]) == set(after["customer_id"]):
        x = before.set_index("customer_id")["value"].reindex(after["customer_id"])
        return _not_chosen(paired_change(x, after["value"]), chosen)
    return two_waves(before, after, population=population)[0]


def _not_chosen(change: Change, chosen: bool | None) -> Change:
    """Customers who were chosen for a low or a high value move back by themselves, which no data of theirs can tell."""
    said = (
        "these customers were chosen for where they stood, and move back by themselves; compare with customers who were not"
        if chosen
        else "nobody has said whether these customers were chosen for where they stood, in which case they move back by themselves; "
        "compare with customers who were not, or say chosen=False"
    )
    kept = [t for t in change.threats if t.check != "regression to the mean"]
    own = Threat("regression to the mean", "these customers were not chosen for where they stood" if chosen is False else said,
                 chosen is False, stops=True)  # fmt: skip
    return replace(change, threats=(own, *kept))


def _compared(data: pd.DataFrame, known: pd.DataFrame | None) -> Change:
    """Two groups that were not randomised: differences in differences where they moved alike before, weights where not."""
    periods = set(data["period"].unique())
    moved: Change | None = None
    if {1, 0, -1} <= periods:
        moved = difference_in_differences(data)
    after = data[data["period"] == 1].drop_duplicates("customer_id").set_index("customer_id")
    columns = {} if known is None else {str(c): known[c].reindex(after.index) for c in known}
    for p in sorted((p for p in periods if p <= 0), reverse=True):
        own = data[data["period"] == p].drop_duplicates("customer_id").set_index("customer_id")["value"]
        columns[f"value {p}"] = own.reindex(after.index)
    columns = {k: v for k, v in columns.items() if v.notna().any()}
    if not columns:
        raise TableError(
            "customers were not randomised, and nothing is known of them from before that could make them comparable"
        )
    parallel = moved is not None and all(t.ok for t in moved.threats)
    try:
        change = weighted_difference(after["value"], after["group"] == "treated", pd.DataFrame(columns))
    except TableError:
        if moved is None or not parallel:
            raise
        apart = Threat(
            "alike enough to weigh",
            "no weights make the groups alike, so that chosen extremes would move back by themselves",
            False,
        )
        return replace(moved, threats=(*moved.threats, apart))
    if moved is not None and parallel:
        # Following errs where customers were chosen for where they stood, weighing where groups differ for good: the truth lies between.
        return replace(
            moved, beside=(change,), method=f"{moved.method}; the range holds weighing ({change.value:+.3g}) as well"
        )
    return replace(change, threats=(*(moved.threats if moved else ()), *change.threats))


def judge(
    change: Change,
    outcome: Outcome,
    *,
    look: Look = ONCE,
    level: float = TEST_LEVEL,
    words: Words | None = None,
    what: str = "it",
) -> Verdict:
    """Turn a change into a verdict: its interval against no change, and against the margin that matters.

    Parameters
    ----------
    change : Change
        What a design found.
    outcome : Outcome
        Its unit and the margin that matters.
    look : Look
        A single look when left out.
    level : float
        Of the interval: 0.95 means that it holds the truth nineteen times in twenty.
    words : Words, optional
        The client's currency and language.
    what : str
        What was done, for the sentence.

    Returns
    -------
    Verdict
        ``improved, worsened, no_material_change, no_evidence`` or ``not_measurable``, with its sentence.

    Notes
    -----
    ``no_material_change`` asks for the whole interval to lie within the margin, which is two one-sided tests at half
    the usual error.

    References
    ----------
    Schuirmann (1987), *Journal of Pharmacokinetics and Biopharmaceutics* 15: 657-680.

    Examples
    --------
    >>> judge(Change("A", before=0.75, after=0.80, value=0.05, error=0.0219, n=2000), Outcome("stayed")).verdict
    'improved'
    >>> judge(Change("A", before=0.75, after=0.752, value=0.002, error=0.01, n=9000), Outcome("stayed")).verdict
    'no_material_change'
    """
    words = words or Words("XXX")
    z = look.critical(change.error, level, outcome.aim)
    low, high = _possible(change.interval(z), outcome)
    least = (z + tail(0.6)) * change.error  # four times in five
    if not (math.isfinite(low) and math.isfinite(high)):
        return replace(not_measurable(outcome, "the values vary so much that no range can be given yet", level=level, design=change.design),
                       n=change.n, threats=change.threats)  # fmt: skip
    if look.kind == "interim":
        verdict = "not_measurable"
    elif low > 0:
        verdict = "improved"
    elif high < 0:
        verdict = "worsened"
    elif -outcome.margin < low and high < outcome.margin:
        verdict = "no_material_change"
    else:
        verdict = "no_evidence"
    found = Verdict(outcome.name, change.design, change.before, change.after, change.value, low, high, level, change.n, verdict, "",
                    outcome, change.error, _at_this_look(change.p_value, z, level), least, change.threats, change.method, change.cap, change.uncapped)  # fmt: skip
    found = replace(found, ruling=_ruling(found, look, words, what))
    return replace(found, sentence=_sentence(found, look, words, what))


def _at_this_look(chance: float, z: float, level: float) -> float:
    """The p of no change where more than one look is allowed: below ``1 - level`` where the range leaves 0 out."""
    from scipy.special import ndtr, ndtri

    if z <= tail(level) or not 0 < chance < 1:
        return chance
    return float(2 * ndtr(ndtri(chance / 2) * tail(level) / z))


def _possible(ends: tuple[float, float], outcome: Outcome) -> tuple[float, float]:
    """A range without changes that cannot be: a share moves by 100 percentage points at most, NPS by 200."""
    most = {"share": 1.0, "points": 200.0}.get(outcome.unit, math.inf)
    if not all(map(math.isfinite, ends)):
        return ends
    return max(ends[0], -most), min(ends[1], most)


def _within(chance: float, words: Words) -> str:
    """A chance that no finite number of customers makes certain."""
    if chance > 0.99:
        return f"above {words.share(0.99)}"
    return words.share(chance) if chance >= 0.01 else f"below {words.share(0.01)}"


def _sentence(v: Verdict, look: Look, words: Words, what: str) -> str:
    o = v.outcome
    randomised = v.design in {"A", "A+", "B", "C"}
    ends = (
        f"{o.shown(v.after, words)} with {what}, {o.shown(v.before, words)} without"
        if randomised
        else f"{o.shown(v.before, words)} by its trend, {o.shown(v.after, words)} came"
        if v.design == "D"
        else f"from {o.shown(v.before, words)} to {o.shown(v.after, words)}"
    )
    text = (
        f"{capital(v.metric)}: {ends}, {o.moved(v.change, words)} ({words.share(v.level)} range {o.span(v.low, v.high, words)}; "
        f"{words.count(v.n)} {o.of}; design {v.design}: {DESIGNS[v.design]}"
    )
    if v.cap is not None and math.isfinite(v.uncapped):
        text += f"; amounts beyond {words.money(v.cap[1])} count as that, and as they are the difference is {o.moved(v.uncapped, words)}"
    seen = look.said(words.day(look.due) if look.due else "")
    text += (f"; {seen})" if seen else ")") + f". {v.ruling}"
    broken = [t for t in v.threats if t.ok is False]
    if broken:
        text += " Beware: " + "; ".join(f"{t.check}: {t.found}" for t in broken) + "."
    return f"{text} {_CANNOT[v.design]}"


def _ruling(v: Verdict, look: Look, words: Words, what: str) -> str:
    o = v.outcome
    margin = o.moved(o.margin, words).lstrip("+")
    claim = _CLAIM[v.design].replace(" it", f" {what}")
    claim = f", {claim}" if claim else ""
    if v.design in {"A", "A+"} and v.verdict in {"improved", "worsened"}:
        claim = (
            (f"{claim}, unless {v.unless}" if v.unless else claim)
            if v.causal
            else f"; that {what} caused it is in doubt"
        )
    if v.verdict == "improved":
        return f"Improved{' by more than ' + margin if v.low >= o.margin else ''}{claim}."
    if v.verdict == "worsened":
        return f"Worsened{' by more than ' + margin if v.high <= -o.margin else ''}{claim}."
    if v.verdict == "no_material_change":
        return f"No material change: the whole range lies within {margin} either way."
    if v.verdict == "not_measurable":
        return f"No verdict before {words.day(look.due)}."
    return f"It cannot be told: the range includes no change as well as changes that would matter; {o.moved(v.detectable, words).lstrip('+')} or more would have been seen four times in five."


def not_measurable(outcome: Outcome, why: str, *, level: float = TEST_LEVEL, design: str = "") -> Verdict:
    """Return the verdict that nothing can be said, with the reason.

    Parameters
    ----------
    outcome : Outcome
        What was to be measured.
    why : str
        The end of the sentence.
    level : float
        That the interval would have had.
    design : str
        The letter of the design that was tried.

    Returns
    -------
    Verdict
        Its figures are missing.

    Examples
    --------
    >>> not_measurable(Outcome("stayed"), "the holdout is empty").sentence
    'Stayed: not measurable: the holdout is empty.'
    """
    nan = math.nan
    return Verdict(outcome.name, design, nan, nan, nan, nan, nan, level, 0, "not_measurable",
                   f"{capital(outcome.name)}: not measurable: {why.rstrip('.')}.", outcome)  # fmt: skip


def choose_design(assigned: str, *, before: bool, known: bool = False, series: bool = False) -> pd.DataFrame:
    """Return the designs by which an effect can be known, the strongest first, for how something is done.

    Parameters
    ----------
    assigned : "chance", "chosen" or "everybody"
        Who gets it: randomised, with a holdout; somebody chooses; everybody, at once.
    before : bool
        The same customers are known from before its start, in two periods at least for design B.
    known : bool
        What else tells those who get it from the others is known.
    series : bool
        There are eight periods or more before the start, and will be as many after it.

    Returns
    -------
    pandas.DataFrame
        ``design, how, may_say, cannot``: the letter, what it is, what may be said of the cause, and what it cannot
        show.

    Raises
    ------
    ValueError
        When ``assigned`` is none of the three; when somebody chose who gets it and neither ``before`` nor ``known``
        holds, so that nothing can be known: leave a random part alone.

    References
    ----------
    Shadish, Cook and Campbell (2002), *Experimental and Quasi-Experimental Designs for Generalized Causal Inference*.

    Examples
    --------
    >>> list(choose_design("chosen", before=True)["design"])
    ['B', 'C']
    """
    possible = {
        "chance": ["A+", "A"] if before else ["A"],
        "chosen": (["B"] if before else []) + (["C"] if before or known else []),
        "everybody": (["D"] if series else []) + (["E"] if before else []) + ["F"],
    }
    if assigned not in possible:
        raise ValueError(f"assigned must be one of {', '.join(possible)}, got {assigned!r}")
    letters = possible[assigned]
    if not letters:
        raise ValueError(
            "customers are not randomised, and nothing is known that could make the others comparable: leave a random part alone, or note what "
            "is known of the customers before the start"
        )
    return pd.DataFrame(
        [(d, DESIGNS[d], _CLAIM[d], _CANNOT[d]) for d in letters], columns=["design", "how", "may_say", "cannot"]
    )


def equivalence(change: float, error: float, margin: float) -> float:
    """Return the p of two one-sided tests that a change lies within a margin (TOST).

    Parameters
    ----------
    change, error : float
        The estimate and its standard error.
    margin : float
        What would not matter, in the same unit, above 0.

    Returns
    -------
    float
        The larger p of the two; below 0.05 the change lies within the margin at 90 %.

    References
    ----------
    Schuirmann (1987), *Journal of Pharmacokinetics and Biopharmaceutics* 15: 657-680.

    Examples
    --------
    >>> round(equivalence(0.005, 0.01, 0.03), 4)
    0.0062
    """
    from scipy.special import ndtr

    return float(max(ndtr(-(change + margin) / error), ndtr((change - margin) / error)))


def false_discoveries(
    verdicts: Sequence[Verdict],
    *,
    level: float = TEST_LEVEL,
    primary: Sequence[bool] | None = None,
    words: Words | None = None,
) -> list[Verdict]:
    """Hold back the verdicts that could be chance, where many were looked at.

    Parameters
    ----------
    verdicts : sequence of Verdict
        Of initiatives, segments, arms or metrics that are looked at together.
    level : float
        One less the false discovery rate: 0.95 holds it to 5 %.
    primary : sequence of bool, optional
        Which of them were declared beforehand to be the ones that count: four fifths of the error are theirs.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    list of Verdict
        In the same order; ``improved`` and ``worsened`` stay where at most ``1 - level`` of those that stay are
        expected to be false; the sentence of one that is held back says so, and all say how many were looked at. Fewer than two judged verdicts come back
        unchanged.

    References
    ----------
    Benjamini and Hochberg (1995), *JRSS B* 57: 289-300; with weights: Genovese, Roeder and Wasserman (2006),
    *Biometrika* 93: 509-524.

    Examples
    --------
    >>> changes = [Change("A", 0.0, z, z, 1.0, 100) for z in (2.0, 0.5, 0.3, -0.2)]
    >>> many = [judge(change, Outcome("sales", "money", 0.1)) for change in changes]
    >>> many[0].verdict, false_discoveries(many)[0].verdict
    ('improved', 'no_evidence')
    """
    from scipy.stats import false_discovery_control

    at = [k for k, v in enumerate(verdicts) if math.isfinite(v.p_value) and v.verdict != "not_measurable"]
    if len(at) < 2:
        return list(verdicts)
    weights = _weights([bool(primary[k]) for k in at] if primary is not None else [])
    chances = [min(1.0, verdicts[k].p_value / w) for k, w in zip(at, weights or [1.0] * len(at), strict=True)]
    found, out = false_discovery_control(chances), list(verdicts)
    for k, p in zip(at, found, strict=True):
        v = verdicts[k]
        if v.verdict in {"improved", "worsened"} and p > 1 - level:
            chance = f"It cannot be told: among {len(at)} measures that are looked at, one this far from no change may be chance."
            out[k] = replace(v, verdict="no_evidence", ruling=chance, sentence=v.sentence.replace(v.ruling, chance))
        else:
            out[k] = replace(v, sentence=f"{v.sentence} One of {len(at)} that were looked at.")
    return out


PRIMARY = 0.8  # of the error, for what was declared beforehand


def _weights(primary: Sequence[bool]) -> list[float]:
    """Weights of mean 1, by which those declared beforehand share four fifths of the error; empty where all are alike."""
    n, k = len(primary), sum(primary)
    if k in (0, n):
        return []
    return [PRIMARY * n / k if p else (1 - PRIMARY) * n / (n - k) for p in primary]


def verdict_table(verdicts: Iterable[Verdict]) -> pd.DataFrame:
    """Return many verdicts as one table.

    Parameters
    ----------
    verdicts : iterable of Verdict
        From ``judge`` or ``measure_change``.

    Returns
    -------
    VERDICTS
        ``metric, design, before, after, change, change_low, change_high, n, verdict, sentence``.

    Examples
    --------
    >>> change = Change("A", before=0.75, after=0.80, value=0.05, error=0.0219, n=2000)
    >>> verdict_table([judge(change, Outcome("stayed"))])[["metric", "design", "change", "verdict"]]
       metric design  change   verdict
    0  stayed      A    0.05  improved
    """
    rows = [
        (v.metric, v.design, v.before, v.after, v.change, v.low, v.high, v.n, v.verdict, v.sentence) for v in verdicts
    ]
    return pd.DataFrame(rows, columns=list(VERDICTS.required))


def profit_and_loss(
    effect: Verdict,
    customers: int,
    cost: float,
    *,
    words: Words | None = None,
    what: str = "it",
    after: str | float | None = None,
) -> Finding:
    """Hold what something brought against what it cost.

    Parameters
    ----------
    effect : Verdict
        Of money per customer.
    customers : int
        How many got it, and are in the effect.
    cost : float
        Money spent on these customers, in all.
    words : Words, optional
        The client's currency and language.
    what : str
        What was done, for the sentence.
    after : str or number of days, optional
        How long after it began the effect was measured; what comes later is in neither.

    Returns
    -------
    Finding
        ``customers, brought, brought_low, brought_high, cost, net, net_low, net_high, p_profit``: a row, in the
        client's currency, ``_low`` and ``_high`` at the verdict's level. Empty where the effect is missing.

    Notes
    -----
    ``p_profit`` is Phi(net / (customers times the effect's standard error)).

    Examples
    --------
    >>> effect = judge(Change("A", 10.0, 12.0, 2.0, 0.5, 400), Outcome("contribution", "money", 0.5))
    >>> profit_and_loss(effect, 1000, 800.0).table[["brought", "cost", "net", "net_low", "p_profit"]].round(3)
       brought   cost     net  net_low  p_profit
    0   2000.0  800.0  1200.0  220.018       0.992
    """
    from scipy.special import ndtr

    words = words or Words("XXX")
    if not math.isfinite(effect.change):
        return Finding(pd.DataFrame(), f"What {what} brought cannot be told yet; it cost {words.money(cost)} so far.")
    brought, low, high = (customers * v for v in (effect.change, effect.low, effect.high))
    error = customers * effect.error
    pays = float(ndtr((brought - cost) / error)) if error > 0 else float(brought > cost)
    table = pd.DataFrame([{"customers": customers, "brought": brought, "brought_low": low, "brought_high": high, "cost": cost,
                           "net": brought - cost, "net_low": low - cost, "net_high": high - cost, "p_profit": pays}])  # fmt: skip
    verb = "brought" if effect.design in {"A", "A+"} else "is associated with"
    text = (
        f"{capital(what)} {verb} {words.money(brought)} ({words.share(effect.level)} range {words.money(low)} to {words.money(high)}) with "
        f"{words.counted(customers, 'customer')}{f' within {days(after):.0f} days' if after else ''}, and cost {words.money(cost)} for them: net "
        f"{words.money(brought - cost)} ({words.money(low - cost)} to {words.money(high - cost)}). "
    )
    later = " What it brings later is not in this." if after else ""
    if effect.verdict == "not_measurable":
        text += f"An interim state: whether it pays is not decided yet.{later}"
    elif effect.design not in {"A", "A+"} and low > cost:
        text += f"If the difference is its doing, it pays for itself; customers were not randomised.{later}"
    elif low > cost:
        text += "It pays for itself."
    elif high < cost:
        text += f"It has not paid for itself.{later}"
    else:
        text += f"Whether it pays for itself cannot be told; on these figures the probability of profit is {_within(pays, words)}.{later}"
    return Finding(table, text)
