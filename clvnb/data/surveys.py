"""Answers to satisfaction questions: read, checked, and told apart by question and scale.

In: a client's survey export, or a frame of answers. Out: SURVEY, one row per answer to one question; ``Checked``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.engine import as_ibis, to_pandas
from ..core.errors import TableError
from ..core.results import Checked, Finding
from ..core.tables import SURVEY, as_day, check, closest
from ..core.words import Words
from .client import Client, Source
from .sources import FILE, Opened, open_source, read_table, typed

__all__ = ["SCALES", "check_survey", "leading_metric", "points", "read_survey", "series_of"]

# The scale of a question where the answers do not name it, and what the question asks.
SCALES: dict[str, tuple[float, float]] = {"csat": (1, 5), "nps": (0, 10), "ces": (1, 7), "stars": (1, 5)}
_OTHER_NAMES = {
    "satisfaction": "csat", "customer satisfaction": "csat", "net promoter score": "nps", "recommend": "nps",
    "effort": "ces", "customer effort score": "ces", "star": "stars", "rating": "stars",
}  # fmt: skip
_NO_ANSWER = (
    -1,
    -2,
    -3,
    -5,
    -7,
    -8,
    -9,
    -66,
    -77,
    -88,
    -97,
    -98,
    -99,
    -999,
    66,
    77,
    88,
    96,
    97,
    98,
    99,
    998,
    999,
)  # off a scale
_OF_SEVEN = ("somewhat agree", "somewhat disagree", "moderately", "slightly")
_BOTH = (
    {"satisfied", "somewhat satisfied"},
    {"dissatisfied", "somewhat dissatisfied"},
)  # of five points only one of them
_GOOD = r"satisf|likely|easy|agree|good|excellent|happy|zufrieden|wahrscheinlich|einfach|satisfecho|soddisf|mulțumit|multumit|tevreden|probable|\bgut\b"
_BAD = r"dissatisf|unsatisf|unlikely|not (?:at all |very )?(?:likely|satisf|happy|easy)|difficult|disagree|poor|bad|terrible|unhappy|unzufrieden|unwahrscheinlich|schwierig"
_BAD += r"|insatisf|insoddisf|nemulțumit|nemultumit|ontevreden|improbable|peu probable|poco probable|mangelhaft|ungenügend|schlecht"
_VERY = r"very|extremely|strongly|completely|not at all|sehr|überaus|très|muy|molto|muito|foarte|zeer"
_SETTINGS = {"date_format", "decimal", "thousands", "delimiter", "encoding", "timezone"}
# Words of answers, worst first; a scale of seven is known by the words that only it has.
_WORDS = (
    (("strongly disagree",), ("disagree",), ("somewhat disagree",), ("neither agree nor disagree", "neutral"),
     ("somewhat agree",), ("agree",), ("strongly agree",)),
    (("strongly disagree",), ("disagree",), ("neither agree nor disagree", "neutral"), ("agree",), ("strongly agree",)),
    (("extremely dissatisfied", "very dissatisfied"), ("moderately dissatisfied", "dissatisfied"), ("slightly dissatisfied", "somewhat dissatisfied"),
     ("neither satisfied nor dissatisfied", "neutral"), ("slightly satisfied", "somewhat satisfied"),
     ("moderately satisfied", "satisfied"), ("extremely satisfied", "very satisfied")),
    (("very dissatisfied", "extremely dissatisfied", "very unsatisfied", "sehr unzufrieden", "très insatisfait", "tres insatisfait", "muy insatisfecho",
      "molto insoddisfatto", "muito insatisfeito", "foarte nemulțumit", "foarte nemultumit", "zeer ontevreden"),
     ("dissatisfied", "somewhat dissatisfied", "unsatisfied", "unzufrieden", "insatisfait", "insatisfecho", "insoddisfatto", "insatisfeito",
      "nemulțumit", "nemultumit", "ontevreden"),
     ("neither satisfied nor dissatisfied", "neutral", "teils, teils", "teils/teils", "neutre", "neutrale", "neutro", "neutru", "neutraal"),
     ("satisfied", "somewhat satisfied", "zufrieden", "satisfait", "satisfecho", "soddisfatto", "satisfeito", "mulțumit", "multumit", "tevreden"),
     ("very satisfied", "extremely satisfied", "sehr zufrieden", "très satisfait", "tres satisfait", "muy satisfecho", "molto soddisfatto",
      "muito satisfeito", "foarte mulțumit", "foarte multumit", "zeer tevreden")),
    (("very difficult", "sehr schwierig", "très difficile", "muy difícil", "foarte dificil"), ("difficult", "somewhat difficult", "schwierig", "difficile", "difícil", "dificil"),
     ("neither easy nor difficult", "neutral", "neutre", "neutru"), ("easy", "somewhat easy", "einfach", "facile", "fácil", "ușor"),
     ("very easy", "sehr einfach", "très facile", "muy fácil", "foarte ușor")),
    (("very poor", "very bad", "terrible"), ("poor", "bad"), ("fair", "average", "okay", "ok"), ("good",), ("excellent", "very good")),
    (("★",), ("★★",), ("★★★",), ("★★★★",), ("★★★★★",)),
)  # fmt: skip


def read_survey(
    source: Client | str | Path | Any, *, columns: Mapping[str, str] | None = None, **settings: Any
) -> pd.DataFrame:
    """Read survey answers from a client, a file or a table.

    Parameters
    ----------
    source : Client, path, pandas.DataFrame or ibis.Table
        Files of the kinds that ``read_transactions`` reads.
    columns : mapping, optional
        clvnb's names to the source's, the source's own where left out: needed are ``date``, ``metric`` (csat, nps, ces or stars) and ``score``;
        ``customer_id, wave, scale_min, scale_max, comment, channel, attribute, expected, invited_at`` are understood.
    **settings
        As in ``read_transactions``: ``date_format``, ``decimal``, ``timezone``…

    Returns
    -------
    SURVEY
        A pandas frame. ``wave`` is the month of the answer where the source names none; the scale is the metric's
        usual one where the source names none. What could not be read is missing; ``check_survey`` sorts it out.

    Raises
    ------
    TableError
        When the client has no surveys or a needed column is missing.
    TypeError
        For a setting that ``read_transactions`` does not know.

    Examples
    --------
    >>> raw = pd.DataFrame({"day": ["2025-01-07", "2025-01-08"], "q": ["NPS", "NPS"], "points": ["9", "don't know"]})
    >>> survey = read_survey(raw, columns={"date": "day", "metric": "q", "score": "points"})
    >>> survey[["wave", "metric", "score", "scale_max"]]
          wave metric  score  scale_max
    0  2025-01    nps    9.0       10.0
    1  2025-01    nps    NaN       10.0
    """
    if isinstance(source, Client):
        if source.surveys is None:
            raise TableError(f"{source.name} has no survey yet (`surveys:` in client.yaml): nobody was asked")
        settings_ = source.surveys
        raw = (
            _forms(source, settings_)
            if settings_.questions
            else to_pandas(read_table(source, settings_, SURVEY.required))
        )
    else:
        raw = _from_anywhere(source, dict(columns or {}), settings)
    return _complete(raw)


def _from_anywhere(source: Any, columns: dict[str, str], settings: dict[str, Any]) -> pd.DataFrame:
    """Read a frame or a file by the reader that every source has; neither a customer nor an amount is a must."""
    if unknown := sorted(set(settings) - _SETTINGS):
        raise TypeError(
            f"read_survey() got an unexpected setting {unknown[0]!r}; there are {', '.join(sorted(_SETTINGS))}"
        )
    timezone = settings.pop("timezone", "UTC")
    own = Source(source="" if hasattr(source, "columns") else str(source), **settings)
    opened = Opened(as_ibis(source), "the survey") if hasattr(source, "columns") else open_source(own, Path.cwd())
    present = [c for c in opened.table.columns if c != FILE]
    columns = columns or {c: c for c in present}
    for name in SURVEY.required:
        column = columns.setdefault(name, name)
        if column not in present:
            raise TableError(
                f"the survey has no column {column!r} for {name}{closest(column, present)}; it has: {', '.join(present)}"
            )
    mapping = {name: column for name, column in columns.items() if column in present}
    return to_pandas(typed(opened, own.model_copy(update={"columns": mapping}), timezone, SURVEY.required))


def _forms(client: Client, settings: Source) -> pd.DataFrame:
    """Answers that stand one form a line: a row per question that measures something."""
    marks = {f"question_{k}": question for k, question in enumerate(settings.questions)}
    own = settings.model_copy(update={"columns": {**settings.columns, **marks}})
    forms = to_pandas(read_table(client, own, ("date",)))
    parts, asked_before = [], set()
    for mark, question in marks.items():
        answers = forms[mark].astype("string").str.strip()
        metric, _, ends = settings.questions[question].partition(" ")
        scale = re.fullmatch(r"(\d+)-(\d+)", ends.strip())
        usual = (float(scale[1]), float(scale[2])) if scale else SCALES.get(metric)
        score, low, high = points(answers, usual)
        asked = answers[forms["date"].notna()].dropna()  # a second line of names has no day
        if score[asked.index].notna().sum() < 0.5 * len(asked):
            example = asked[score[asked.index].isna()].iloc[-1]
            raise TableError(
                f"{settings.source}: the answers to {question!r}, such as {example!r}, are neither numbers nor words of a known "
                "scale; export them as numbers, or take the question out of `questions:`"
            )
        if scale:
            low, high = float(scale[1]), float(scale[2])
        part = forms.drop(columns=list(marks)).assign(metric=metric, score=score)
        if metric in asked_before:  # a further question of the kind is about a part of the whole
            part["attribute"] = question
        asked_before.add(metric)
        if high is not None:
            part = part.assign(scale_min=low, scale_max=high)
        if _is_turned(answers, score):
            part["turned"] = True
        parts.append(part[answers.notna()])
    return pd.concat(parts, ignore_index=True)


def points(answers: pd.Series, ends: tuple[float, float] | None = None) -> tuple[pd.Series, float | None, float | None]:
    """Turn the words of an answer into points: ``9 - very likely`` is 9, ``Very satisfied`` the top of its scale.

    Where words beside the numbers say that the lowest is best, the scale is turned round; ``4/5`` is 4 of 5.

    Parameters
    ----------
    answers : pandas.Series
        Text.
    ends : (low, high), optional
        The scale of the question, where it is known.

    Returns
    -------
    score : pandas.Series
        Missing where an answer is neither a number nor a word of a scale.
    low, high : float or None
        The ends of the scale, where words told them.

    Examples
    --------
    >>> points(pd.Series(["Agree", "Strongly disagree", "Strongly agree"]))[0].tolist()
    [4.0, 1.0, 5.0]
    """
    text = answers.astype("string").str.strip().str.lower().str.replace(r"[.!]$", "", regex=True)
    text = text.str.replace("\u2212", "-", regex=False)
    alone = text.str.fullmatch(r"-\d+(?:[.,]\d+)?").fillna(False)  # -9 is a code for no answer, and no 9
    found = text.str.extract(r"^[^\d]{0,40}?(\d+(?:[.,]\d+)?)[^\d]{0,40}$", expand=False).where(~alone, text)
    found = found.str.replace(",", ".")
    number = pd.to_numeric(found, errors="coerce").astype("Float64").astype(float)
    half = 0.5 * text.notna().sum()
    of = text.str.extract(r"^(\d+(?:[.,]\d+)?)\s*(?:/|out of|of|von|sur|de|din|su)\s*(3|4|5|7|10)$")  # 4/5, 8 out of 10
    if of[1].notna().sum() >= half and of[1].nunique() == 1:
        top = float(of[1].dropna().iloc[0])
        score = pd.to_numeric(of[0].str.replace(",", "."), errors="coerce").astype("Float64").astype(float)
        return score, 0.0 if (score == 0).any() or top == 10 else 1.0, top
    if number.notna().sum() >= half:
        turned = _best_is_lowest(text, number, ends)
        if turned is None:
            return number, None, None
        return turned[0] + turned[1] - number, *turned
    for scale in _WORDS:
        place = {word: float(k + 1) for k, step in enumerate(scale) for word in step}
        score = text.map(place).astype(float)
        said = set(text.dropna())
        of_seven = any(w in place and w.startswith(_OF_SEVEN) for w in said) or any(pair <= said for pair in _BOTH)
        if score.notna().sum() >= half and (of_seven or (len(scale) < 7 and said & set(place))):
            return score, 1.0, float(len(scale))
    return number, None, None


def _best_is_lowest(text: pd.Series, number: pd.Series, ends: tuple[float, float] | None) -> tuple[float, float] | None:
    """The ends of a scale whose words say that its lowest number is the best answer: ``1 - very satisfied``; None of others."""
    bad = text.str.contains(_BAD).fillna(False)
    good = text.str.contains(_GOOD).fillna(False) & ~bad
    much = 1 + text.str.contains(_VERY).fillna(False).astype(int)
    feeling = (good.astype(int) - bad.astype(int)) * much
    worded = (text.str.contains(r"[^\W\d_]{3}").fillna(False)) & number.notna()
    seen = pd.DataFrame({"number": number[worded], "feeling": feeling[worded]}).drop_duplicates()
    if seen["feeling"].nunique() < 2 or seen["number"].nunique() < 2:
        return None
    if np.corrcoef(seen["number"], seen["feeling"])[0, 1] > -0.5:
        return None
    usual = ends if ends is not None and number.between(*ends)[number.notna()].all() else None
    low = usual[0] if usual else min(1.0, float(number.min()))
    worst = float(seen["number"].max()) if (seen["feeling"] == -2).any() else 0.0
    return low, max(worst, float(number.max())) if worst else usual[1] if usual else max(5.0, float(number.max()))


def _complete(raw: pd.DataFrame) -> pd.DataFrame:
    """Give every answer its wave, its metric's name and its scale."""
    check(raw, SURVEY)
    survey = raw.drop(
        columns=[c for c in raw.columns if c in {"date_text", "unused", "file"} or c.startswith("amount")]
    )
    survey["date"] = pd.to_datetime(survey["date"])
    metric = survey["metric"].astype("string").str.strip().str.lower()
    survey["metric"] = metric.replace(_OTHER_NAMES).astype(object)
    survey = _read_words(survey)
    month = survey["date"].dt.strftime("%Y-%m")
    survey["wave"] = survey["wave"].astype(object).where(survey["wave"].notna(), month) if "wave" in survey else month
    for end, place in (("scale_min", 0), ("scale_max", 1)):
        usual = survey["metric"].map({m: float(s[place]) for m, s in SCALES.items()})
        survey[end] = survey[end].astype(float).fillna(usual) if end in survey else usual
    off = ~survey["score"].between(survey["scale_min"], survey["scale_max"])
    survey["score"] = survey["score"].mask(off & survey["score"].isin(_NO_ANSWER))
    for name in ("customer_id", "comment", "attribute"):
        survey[name] = survey[name].astype(object) if name in survey else None
    return survey


def _read_words(survey: pd.DataFrame) -> pd.DataFrame:
    """Turn answers that are words, or words with a number, into points, each question by itself."""
    if "score_text" not in survey:
        return survey
    written = survey.pop("score_text").astype("string").str.strip().replace("", pd.NA)
    worded = survey["score"].isna() & written.notna()
    for metric in survey.loc[worded, "metric"].dropna().unique():
        rows = worded & (survey["metric"] == metric)
        score, low, high = points(written[rows], SCALES.get(metric))
        whole = written.notna() & (survey["metric"] == metric)
        every = points(written[whole], SCALES.get(metric))
        if _is_turned(written[whole], every[0]):  # the bare numbers among them too
            rows, (score, low, high) = whole, every
            survey["turned"] = survey["turned"] | rows if "turned" in survey else rows
        low = 0.0 if metric == "nps" and high == 10 else low
        survey.loc[rows, "score"] = score
        for name, end in (("scale_min", low), ("scale_max", high)):
            if end is not None:
                survey[name] = survey[name].astype(float) if name in survey else np.nan
                survey.loc[rows & survey[name].isna(), name] = end
    return survey


def _is_turned(written: pd.Series, score: pd.Series) -> bool:
    """Whether points run against the numbers that were written."""
    number = pd.to_numeric(written.str.extract(r"(\d+)", expand=False), errors="coerce").astype("Float64").astype(float)
    both = number.notna() & score.notna()
    return bool(both.any() and number[both].nunique() > 1 and np.corrcoef(number[both], score[both])[0, 1] < 0)


def series_of(survey: pd.DataFrame) -> pd.Series:
    """Return the series that each answer belongs to: its metric and scale, for a changed scale starts a new series.

    Examples
    --------
    >>> series_of(pd.DataFrame({"metric": ["nps"], "scale_min": [0.0], "scale_max": [10.0]})).iloc[0]
    'nps 0-10'
    """
    ends = survey["scale_min"].map("{:g}".format) + "-" + survey["scale_max"].map("{:g}".format)
    return (survey["metric"].astype(str) + " " + ends).rename("series")


def leading_metric(survey: pd.DataFrame) -> str | None:
    """Return the question that leads, for every step: of the last wave's, the one with most answers.

    Parameters
    ----------
    survey : SURVEY
        Checked answers.

    Returns
    -------
    str or None
        ``csat``, ``nps``, ``ces`` or ``stars``, in this order where several have as many; None where nobody answered
        a question about satisfaction as a whole.

    Examples
    --------
    >>> leading_metric(pd.DataFrame({"metric": ["nps", "nps", "csat"], "attribute": None, "wave": "2025-06",
    ...                              "date": pd.to_datetime(["2025-06-10"] * 3)}))
    'nps'
    """
    overall = survey[survey["attribute"].isna()]
    if overall.empty:
        return None
    last = overall[overall["wave"] == overall.loc[overall["date"].idxmax(), "wave"]]
    counts = last["metric"].value_counts()
    return max(SCALES, key=lambda m: (counts.get(m, 0), -list(SCALES).index(m)))


def check_survey(survey: pd.DataFrame, *, as_of: date | str | None = None, words: Words | None = None) -> Checked:
    """Sort every answer into kept or excluded, with the rule; no answer is ever excluded for what it says.

    Parameters
    ----------
    survey : SURVEY
        From ``read_survey``.
    as_of : date, optional
        Later answers are excluded.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    Checked
        ``account`` has ``rule, rows``. The findings after it say what a reader should know: answers given twice,
        a scale that the answers contradict, one answer from everybody, forms filled in one straight line.

    Raises
    ------
    TableError
        When a column is missing or no answer can be used.

    Examples
    --------
    >>> answers = pd.DataFrame({"date": pd.to_datetime(["2025-01-07"] * 2), "metric": "csat", "score": [5.0, None]})
    >>> check_survey(answers).account
                                     rule  rows
    0                                read     2
    1  no answer (skipped, or don't know)     1
    2                                kept     1
    """
    words = words or Words("XXX")
    if "scale_min" not in survey or "wave" not in survey:
        survey = _complete(check(survey, SURVEY).copy())
    day = as_day(as_of)
    key = ["customer_id", "wave", "metric", "attribute"]
    named = survey["customer_id"].notna()
    again = named & survey.sort_values("date", kind="stable").duplicated(key, keep="last").reindex(survey.index)
    rules = [
        (survey["date"].isna(), "date unreadable"),
        (survey["date"] > pd.Timestamp(day) if day else pd.Series(False, survey.index), "after the as-of date"),
        (~survey["metric"].isin(list(SCALES)), "question not known"),
        (survey["score"].isna(), "no answer (skipped, or don't know)"),
        (~survey["score"].between(survey["scale_min"], survey["scale_max"]), "off the scale"),
        (again, "answered twice in a wave: the last one counts"),
    ]
    rule = np.select([m.fillna(False).to_numpy(bool) for m, _ in rules], [name for _, name in rules], "kept")
    counts = pd.Series(rule).value_counts()
    order = ["read", *[name for _, name in rules if name in counts], *(["kept"] if "kept" in counts else [])]
    account = pd.DataFrame({"rule": order, "rows": [len(survey) if n == "read" else int(counts[n]) for n in order]})
    if "kept" not in counts:
        said = "; ".join(f"{n}: {counts[n]:,}" for n in order[1:]) or "the table is empty"
        raise TableError(f"no survey answer of {len(survey):,} can be used ({said}); metrics are {', '.join(SCALES)}")
    _on_its_scale(survey)
    kept = survey[rule == "kept"].reset_index(drop=True)
    text = f"{words.counted(len(survey), 'answer')} read; {words.count(counts['kept'])} used."
    for name in order[1:-1]:
        text += f" Excluded, {name}: {words.count(counts[name])}."
    rejected = survey[rule != "kept"].assign(rule=rule[rule != "kept"])
    return Checked(kept, rejected, (Finding(account, text), *_suspicions(kept, words)))


def _on_its_scale(survey: pd.DataFrame) -> None:
    """Stop where most answers to a question lie off the scale that it is said to have."""
    given = survey[survey["metric"].isin(list(SCALES)) & survey["score"].notna()]
    off = ~given["score"].between(given["scale_min"], given["scale_max"])
    for metric, share in off.groupby(given["metric"]).mean().items():
        other = given[(given["metric"] == metric) & off & _on_a_longer_scale(given)]
        if share > 0.35 or len(other) >= 2:
            scores = given.loc[given["metric"] == metric, "score"]
            low, high = (given.loc[given["metric"] == metric, c].iloc[0] for c in ("scale_min", "scale_max"))
            raise TableError(
                f"{max(share, 0.01):.0%} of the answers to {metric} are not between {low:g} and {high:g}; they go from {scores.min():g} to "
                f"{scores.max():g}. Name columns with the ends of the scale under `columns:`, scale_min and scale_max, "
                f"or write `questions: {{…: {metric} 0-10}}` where each question has a column"
            )


def _on_a_longer_scale(given: pd.DataFrame) -> pd.Series:
    """Answers above a short scale that a longer one has: 6 and 7 where 5 is said to be the most."""
    short = given["scale_max"] < 7  # 8 and 9 are codes of "don't know" in many surveys
    return (given["score"] > given["scale_max"]) & (short & given["score"].isin([6, 7]) | (given["score"] == 10))


def _suspicions(kept: pd.DataFrame, words: Words) -> list[Finding]:
    """What the answers themselves give away."""
    found = []
    for series, group in kept[kept["attribute"].isna()].groupby(series_of(kept)):
        score, low = group["score"], float(group["scale_min"].iloc[0])
        n = words.counted(len(group), "answer")
        if len(score) >= 30 and low == 0 and not (score == 0).any() and (score == 1).sum() >= 3:
            found.append((series, "scale", f"{series}: none of {n} is 0 although the scale is said to start there, and "
                          f"{words.count((score == 1).sum())} are 1. Probably people were asked from 1 to "
                          f"{group['scale_max'].iloc[0]:g}: correct scale_min, for the score would be read wrongly."))  # fmt: skip
        if len(score) >= 10 and score.nunique() == 1:
            found.append((series, "same", f"{series}: all of {n} are {score.iloc[0]:g}. A question that everybody "
                          "answers alike measures nothing, or only the delighted were asked."))  # fmt: skip
    for metric in kept.loc[kept["turned"].eq(True), "metric"].unique() if "turned" in kept else []:
        found.append((metric, "turned", f"{metric}: the words beside the numbers say that the lowest is the best answer. "
                      "They were turned round, so that more is better."))  # fmt: skip
    for metric, scales in series_of(kept).groupby(kept["metric"]).unique().items():
        if len(scales) > 1:
            found.append((metric, "series", f"{metric}: the scale changed ({', '.join(sorted(scales))}). Each scale is a series of "
                          "its own; a score on one is never compared with a score on the other."))  # fmt: skip
    if (lines := _straight_lines(kept)) > 0:
        found.append(("all", "straight", f"{words.counted(lines, 'form')} give the same score to five or more "
                      "attributes; they are kept, and may be careless."))  # fmt: skip
    return [Finding(pd.DataFrame({"series": [s], "check": [c]}), text) for s, c, text in found]


def _straight_lines(kept: pd.DataFrame) -> int:
    rated = kept[kept["attribute"].notna() & kept["customer_id"].notna()]
    forms = rated.groupby(["customer_id", "wave"])["score"].agg(["size", "nunique"])
    return int(((forms["size"] >= 5) & (forms["nunique"] == 1)).sum())
