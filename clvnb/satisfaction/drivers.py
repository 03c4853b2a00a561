"""Key drivers of satisfaction, expectations, service, and what customers write.

In: a checked SURVEY with ``attribute`` rows, a table of service cases. Out: ``Finding``; correlations, and called so.
"""

from __future__ import annotations

import math
import re
from itertools import combinations

import numpy as np
import pandas as pd

from ..core.errors import TableError
from ..core.maths import LEVEL
from ..core.results import Finding
from ..core.words import Words

__all__ = ["comment_themes", "drivers", "expectation_gap", "scrub", "service_figures"]

_NEED = 100  # forms below which importance is not told


def _forms(survey: pd.DataFrame, metric: str) -> tuple[pd.DataFrame, pd.Series]:
    """One row per filled-in form with all attributes, and the overall score of it."""
    key = ["customer_id", "wave"]
    known = survey[survey["customer_id"].notna()]
    overall = known[(known["metric"] == metric) & known["attribute"].isna()].groupby(key)["score"].mean()
    rated = known[known["attribute"].notna()].pivot_table(index=key, columns="attribute", values="score")
    both = rated.join(overall.rename("overall"), how="inner").dropna()
    return both.drop(columns="overall"), both["overall"]


def drivers(
    survey: pd.DataFrame, *, metric: str = "csat", level: float = LEVEL, refits: int = 200, seed: int = 1
) -> Finding:
    """Say which rated attributes go with the overall score, and how each is rated: importance against performance.

    Parameters
    ----------
    survey : SURVEY
        Overall answers, and answers with an ``attribute``.
    metric : str
        Of the overall answers.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.
    refits : int
        Bootstrap samples of forms for the intervals.
    seed : int
        Of the random draws.

    Returns
    -------
    Finding
        ``attribute, performance, importance, low, high, loses, gains, place``. ``performance`` is the mean rating, in
        points of the scale. ``importance`` is the share of the explained variance that falls to the attribute, averaged
        over all orders in which attributes can enter (the shares sum to 1). ``loses`` and ``gains`` are how many points
        lower and higher the overall score is when the attribute is rated in the lowest or highest third of its scale
        rather than in the middle, missing with fewer than five forms in a third. ``place`` is ``improve first``, ``keep
        up``, ``low priority`` or ``possible overkill``. Empty, with the reason, below 100 forms or ten per attribute.

    Raises
    ------
    TableError
        With more than twelve attributes.

    Notes
    -----
    Derived importance is correlation: it does not say what a change would bring.

    References
    ----------
    Importance: Lindeman, Merenda and Gold (1980); Grömping (2006), *Journal of Statistical Software* 17(1); importance
    against performance: Martilla and James (1977), *Journal of Marketing* 41: 77-79; lopsided effects: Anderson and
    Mittal (2000), *Journal of Service Research* 3(2): 107-120.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> speed, price = rng.integers(1, 6, 200), rng.integers(1, 6, 200)
    >>> said = {None: np.clip(speed + rng.integers(-1, 2, 200), 1, 5), "speed": speed, "price": price}
    >>> form = {"customer_id": range(200), "wave": "1", "metric": "csat", "scale_min": 1.0, "scale_max": 5.0}
    >>> survey = pd.concat([pd.DataFrame({**form, "attribute": a, "score": s}) for a, s in said.items()])
    >>> drivers(survey, refits=20).table["attribute"].tolist()
    ['speed', 'price']
    """
    scores, overall = _forms(survey, metric)
    p, n = scores.shape[1], len(scores)
    if p == 0:
        return Finding(pd.DataFrame(), "No attributes were rated, so drivers cannot be told. Ask for a score of delivery, "
                       "replies, ease, information and price beside the overall one.")  # fmt: skip
    if p > 12:
        raise TableError(f"{p} attributes are too many to set against each other; leave the twelve that matter")
    if n < max(_NEED, 10 * p):
        need = max(_NEED, 10 * p)
        return Finding(pd.DataFrame(), f"Only {n} forms rate all {p} attributes; drivers need {need}.")
    if (scores.std() == 0).any() or overall.std() == 0:
        flat = [*scores.columns[scores.std() == 0], *(["the overall score"] if overall.std() == 0 else [])]
        return Finding(pd.DataFrame(), f"Everybody answers alike on {', '.join(flat)}: no driver can be told.")
    data = np.column_stack([scores.to_numpy(float), overall.to_numpy(float)])
    shares, explained = _importance(data)
    rng = np.random.default_rng(seed)
    again = np.array([_importance(data[rng.integers(0, n, n)])[0] for _ in range(refits)])
    low, high = np.nanquantile(again, [(1 - level) / 2, (1 + level) / 2], axis=0)
    effects = [_asymmetry(scores[c], overall, survey, str(c)) for c in scores.columns]
    table = pd.DataFrame(
        {"attribute": scores.columns.astype(str), "performance": scores.mean().to_numpy(), "importance": shares, "low": low,
         "high": high, "loses": [e[0] for e in effects], "gains": [e[1] for e in effects]}
    )  # fmt: skip
    weak, strong = table["performance"] < table["performance"].mean(), table["importance"] > 1 / p
    table["place"] = np.select(
        [strong & weak, strong, weak], ["improve first", "keep up", "low priority"], "possible overkill"
    )
    table = table.sort_values("importance", ascending=False, ignore_index=True)
    return Finding(table, _say_drivers(table, explained, n))


def _say_drivers(table: pd.DataFrame, explained: float, n: int) -> str:
    first = table[table["place"] == "improve first"]["attribute"]
    text = f"From {n:,} forms; the attributes together explain {explained:.0%} of the differences in the overall score."
    if explained < 0.05:
        return text + " That is next to nothing: something that was not asked matters more."
    text += f" The key driver: {table['attribute'].iloc[0]}."
    text += (
        f" Important and rated below the others: {', '.join(first)}."
        if len(first)
        else " Nothing important is rated low."
    )
    harsh = table[table["loses"] < -1.5 * table["gains"].clip(lower=0.05)]["attribute"]
    if len(harsh):
        text += f" Getting it wrong costs more than getting it right gains: {', '.join(harsh)}."
    return text + " This is correlation: what a change brings, a test has to show."


def _importance(data: np.ndarray) -> tuple[np.ndarray, float]:
    """Shares of R-squared averaged over all orders, from the correlation matrix, and R-squared itself."""
    r = np.nan_to_num(np.corrcoef(data, rowvar=False))
    p = len(r) - 1
    fit: dict[tuple[int, ...], float] = {(): 0.0}
    for size in range(1, p + 1):
        for some in combinations(range(p), size):
            inside, to = r[np.ix_(some, some)], r[list(some), p]
            fit[some] = float(to @ np.linalg.lstsq(inside, to, rcond=None)[0])
    shares = np.zeros(p)
    for j in range(p):
        others = [k for k in range(p) if k != j]
        for size in range(p):
            weight = math.factorial(size) * math.factorial(p - size - 1) / math.factorial(p)
            for some in combinations(others, size):
                shares[j] += weight * (fit[tuple(sorted((*some, j)))] - fit[some])
    whole = fit[tuple(range(p))]
    return (shares / whole if whole > 0 else np.full(p, np.nan)), whole


def _asymmetry(score: pd.Series, overall: pd.Series, survey: pd.DataFrame, attribute: str) -> tuple[float, float]:
    """How far the overall score lies below and above the middle's when the attribute is rated low and high."""
    own = survey[survey["attribute"] == attribute]
    low, high = float(own["scale_min"].iloc[0]), float(own["scale_max"].iloc[0])
    third = (high - low) / 3
    middle = overall[(score > low + third) & (score < high - third)]
    bottom, top = overall[score <= low + third], overall[score >= high - third]
    if min(len(middle), len(bottom), len(top)) < 5:
        return np.nan, np.nan
    return float(bottom.mean() - middle.mean()), float(top.mean() - middle.mean())


def expectation_gap(survey: pd.DataFrame, *, level: float = LEVEL, loss: float = 2.0) -> Finding:
    """Hold what was delivered against what was expected: below, met, exceeded.

    Parameters
    ----------
    survey : SURVEY
        With ``expected`` beside ``score``, in points of the same scale, and where there is one ``attribute``, missing
        for overall answers.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.
    loss : float
        How many times a shortfall weighs in ``priority`` against an equal surplus: a judgement, which orders the rows
        and changes no other figure.

    Returns
    -------
    Finding
        ``attribute, answers, expected, delivered, gap, low, high, below, met, exceeded, priority``. ``expected,
        delivered, gap, low, high`` are points of the scale, the interval Student's t; ``below, met, exceeded`` shares
        of answers; ``priority`` is the mean over answers of ``loss`` times the shortfall, less the surplus, the highest
        first.

    Notes
    -----
    Differences of two ratings are unreliable, so what was delivered stands beside them (SERVPERF).

    References
    ----------
    Parasuraman, Zeithaml and Berry (1988), *Journal of Retailing* 64: 12-40; unreliable: Brown, Churchill and Peter
    (1993), same journal 69; SERVPERF: Cronin and Taylor (1992); losses weigh more than gains: Anderson and Mittal
    (2000), *Journal of Service Research* 3(2): 107-120.

    Examples
    --------
    >>> asked = pd.DataFrame({"attribute": ["speed"] * 3, "score": [4.0, 3.0, 4.0], "expected": [4.0, 5.0, 4.0]})
    >>> expectation_gap(asked).table[["gap", "below", "met"]].round(3).values.tolist()
    [[-0.667, 0.333, 0.667]]
    """
    from scipy.special import stdtrit

    if "expected" not in survey or survey["expected"].isna().all():
        return Finding(pd.DataFrame(), "What customers had expected was not asked.")
    both = survey.dropna(subset=["expected", "score"])
    if both.empty:
        return Finding(pd.DataFrame(), "What customers had expected was asked, and not what they got.")
    asked = both["attribute"].fillna("overall").astype(str) if "attribute" in both else "overall"
    both = both.assign(gap=both["score"] - both["expected"], attribute=asked)
    rows = []
    for name, part in both.groupby("attribute"):
        n, gap = len(part), part["gap"]
        half = stdtrit(n - 1, (1 + level) / 2) * gap.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
        priority = float(np.where(gap < 0, -loss * gap, -gap).mean())
        rows.append((name, n, part["expected"].mean(), part["score"].mean(), gap.mean(), gap.mean() - half, gap.mean() + half,
                     float((gap < 0).mean()), float((gap == 0).mean()), float((gap > 0).mean()), priority))  # fmt: skip
    table = pd.DataFrame(rows, columns=["attribute", "answers", "expected", "delivered", "gap", "low", "high", "below", "met",
                                        "exceeded", "priority"])  # fmt: skip
    table = table.sort_values("priority", ascending=False, ignore_index=True)
    worst, best = table.iloc[0], table.loc[table["exceeded"].idxmax()]
    text = (
        f"Expectations were missed in {both['gap'].lt(0).mean():.0%}, met in {both['gap'].eq(0).mean():.0%} and exceeded in "
        f"{both['gap'].gt(0).mean():.0%} of answers."
    )
    if worst["high"] < 0:
        text += f" The widest shortfall is {worst['attribute']}, {-worst['gap']:.1f} points below what was expected."
    if best["exceeded"] > 0 and len(table) > 1:
        text += f" Exceeded most often: {best['attribute']}."
    return Finding(table, text)


def service_figures(cases: pd.DataFrame, *, target_hours: float = 24.0, words: Words | None = None) -> Finding:
    """Return how fast customers were answered, and their cases closed.

    Parameters
    ----------
    cases : pandas.DataFrame
        ``opened_at``, ``first_response_at`` and, where there are any, ``resolved_at`` and ``channel``; time stamps or
        text.
    target_hours : float
        A first response within so many hours counts as in time.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    Finding
        ``channel, cases, unanswered, median_hours, p90_hours, in_time, median_hours_to_close, open``: ``unanswered,
        in_time, open`` are shares of cases between 0 and 1, times are hours. Unanswered cases count as not in time;
        medians are over answered cases. A case answered before it was opened is excluded.

    Raises
    ------
    TableError
        When a column is missing.

    Examples
    --------
    >>> cases = pd.DataFrame({"opened_at": ["2025-01-01 08:00"] * 2, "first_response_at": ["2025-01-01 10:00", None]})
    >>> service_figures(cases).table[["channel", "cases", "unanswered", "median_hours", "in_time"]]
      channel  cases  unanswered  median_hours  in_time
    0     all      2         0.5           2.0      0.5
    """
    words = words or Words("XXX")
    for name in ("opened_at", "first_response_at"):
        if name not in cases:
            raise TableError(f"service cases need the column {name!r}; they have: {', '.join(map(str, cases.columns))}")
    times = {
        c: pd.to_datetime(cases[c], errors="coerce")
        for c in ("opened_at", "first_response_at", "resolved_at")
        if c in cases
    }
    hours = (times["first_response_at"] - times["opened_at"]).dt.total_seconds() / 3600
    closed = (
        (times["resolved_at"] - times["opened_at"]).dt.total_seconds() / 3600
        if "resolved_at" in times
        else hours * np.nan
    )
    channel = (
        cases["channel"].fillna("unknown").astype(str) if "channel" in cases else pd.Series("all", index=cases.index)
    )
    good = times["opened_at"].notna() & ~(hours < 0)
    rows = []
    for name, at in [("all", good), *((c, good & (channel == c)) for c in sorted(channel.unique()) if c != "all")]:
        h = hours[at]
        rows.append((name, int(at.sum()), float(h.isna().mean()), h.median(), h.quantile(0.9), float((h <= target_hours).mean()),
                     closed[at].median(), float(closed[at].isna().mean())))  # fmt: skip
    columns = [
        "channel",
        "cases",
        "unanswered",
        "median_hours",
        "p90_hours",
        "in_time",
        "median_hours_to_close",
        "open",
    ]
    table = pd.DataFrame(rows, columns=columns)
    row = table.iloc[0]
    if not np.isfinite(row["median_hours"]):
        return Finding(table, f"{words.counted(row['cases'], 'case')}, and no first answer is on record.")
    text = (
        f"{words.counted(row['cases'], 'case')}: half were answered within {row['median_hours']:.1f} hours, nine in ten within "
        f"{row['p90_hours']:.0f}; {words.share(row['in_time'])} within {target_hours:g} hours."
    )
    ways = table[(table["channel"] != "all") & (table["cases"] >= 20)].sort_values("median_hours")
    if len(ways) > 1:
        text += f" Fastest by {ways['channel'].iloc[0]}, slowest by {ways['channel'].iloc[-1]}."
    if (bad := int((~good).sum())) > 0:
        text += f" Excluded, without a usable time: {words.count(bad)}."
    return Finding(table, text)


# ------------------------------------------------------------------------------------------ comments

_AT = r"(?:@|\s*[(\[{]\s*(?:at|@)\s*[)\]}]\s*)"  # some write it so that no machine should find it
_DOT = r"(?:\.|\s*[(\[{]\s*(?:dot|punkt|\.)\s*[)\]}]\s*)"
_DAY = r"(?:\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}[./-]\d{1,2}[./-]\d{1,2})(?![\d/.-]*\d)"
_PERSONAL = [
    (re.compile(rf"[\w.+-]+{_AT}[\w-]+(?:{_DOT}[\w-]+)+", re.IGNORECASE), "[e-mail]"),
    (re.compile(r"https?://\S+|www\.\S+"), "[link]"),
    (re.compile(r"\b[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){3,7}(?:[ ]?[A-Z0-9]{1,3})?\b", re.IGNORECASE), "[account]"),
    (re.compile(rf"(?<![\w./-])(?!{_DAY})\+?\(?\d[\d\s()/.-]{{6,}}\d(?!\w)"), "[number]"),  # a day is nobody's
    (re.compile(r"(?<!\w)@\w{2,}"), "[handle]"),
]
_THEMES = {
    "delivery": r"deliver|shipping|shipment|parcel|arriv|liefer|versand|paket|livr",
    "reply": r"repl|respon|answer|call(?:ed)? back|support|hotline|antwort|rückruf|răspun",
    "refund": r"refund|return|money back|erstatt|rückgabe|retour|ramburs",
    "price": r"price|expensive|cheap|cost|teuer|preis|günstig|preț|scump",
    "start": r"onboarding|set ?up|first order|sign(?:ed)? up|account|anmeld|konto",
    "quality": r"quality|broken|damaged|fresh|taste|qualität|kaputt|geschmack|calitat",
    "packaging": r"packag|wrapp|box|verpack|ambalaj",
}


def scrub(text: str) -> str:
    """Return the text without e-mail addresses, links, telephone and account numbers, and handles.

    Parameters
    ----------
    text : str
        Anything that customers wrote.

    Returns
    -------
    str
        With a placeholder for each part that was taken out.

    Examples
    --------
    >>> scrub("Call me on +49 171 2345678 or ana@example.com, order 12")
    'Call me on [number] or [e-mail], order 12'
    >>> scrub("ordered on 2025-03-14, write to ana (at) example (dot) com")
    'ordered on 2025-03-14, write to [e-mail]'
    >>> scrub("came on 2025/03/14 13:45, not 0171/2345678")
    'came on 2025/03/14 13:45, not [number]'
    """
    for pattern, mark in _PERSONAL:
        text = pattern.sub(mark, text)
    return text


def comment_themes(survey: pd.DataFrame, *, good: float, min_comments: int = 5) -> Finding:
    """Count what customers write about, and whether the dissatisfied write about it more; personal data are taken out.

    Parameters
    ----------
    survey : SURVEY
        Answers of one series with ``comment``.
    good : float
        The lowest score that counts as satisfied.
    min_comments : int
        Themes with fewer comments are not shown, so that nobody is recognised.

    Returns
    -------
    Finding
        ``theme, comments, satisfied, dissatisfied, lean, example``: shares of each side's comments, and the log-odds of
        the dissatisfied to write about it less those of the satisfied, with half a comment added to each cell; above 0
        the dissatisfied write about it more.

    References
    ----------
    Half added to each cell: Haldane (1956), *Annals of Human Genetics* 20: 309-311.

    Examples
    --------
    >>> said = ["delivery was late"] * 6 + ["fast delivery", "all well"] * 3
    >>> survey = pd.DataFrame({"score": [2] * 6 + [5] * 6, "comment": said})
    >>> comment_themes(survey, good=4).table[["theme", "comments", "satisfied", "dissatisfied", "lean"]].round(2)
          theme  comments  satisfied  dissatisfied  lean
    0  delivery         9        0.5           1.0  2.56
    """
    said = survey["comment"].dropna().astype(str).str.strip() if "comment" in survey else pd.Series(dtype=str)
    said = said[said != ""].map(scrub)
    if len(said) < min_comments:
        return Finding(pd.DataFrame(), "Too few comments to tell what customers write about.")
    happy = survey.loc[said.index, "score"] >= good
    rows = []
    for theme, pattern in _THEMES.items():
        about = said.str.contains(pattern, case=False, regex=True)
        k1, k0 = int((about & happy).sum()), int((about & ~happy).sum())
        if k1 + k0 < min_comments:
            continue
        n1, n0 = int(happy.sum()), int((~happy).sum())
        lean = math.log((k0 + 0.5) / (n0 - k0 + 0.5)) - math.log((k1 + 0.5) / (n1 - k1 + 0.5))
        common = said[about].mode().iloc[0]
        rows.append((theme, k1 + k0, k1 / max(n1, 1), k0 / max(n0, 1), lean, common[:120]))
    table = pd.DataFrame(rows, columns=["theme", "comments", "satisfied", "dissatisfied", "lean", "example"])
    if table.empty:
        return Finding(table, f"{len(said):,} comments, and no theme that {min_comments} of them share.")
    table = table.sort_values("comments", ascending=False, ignore_index=True)
    text = f"{len(said):,} comments of all waves; the most frequent theme is {table['theme'].iloc[0]} ({table['comments'].iloc[0] / len(said):.0%})."
    heavy = table[table["lean"] > 1]["theme"]
    if len(heavy):
        text += f" The dissatisfied write more about {' and '.join(heavy)}."
    return Finding(table, text)
