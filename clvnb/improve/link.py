"""From satisfaction to staying: what one more point is associated with, how surely, and why that is an association.

In: answers joined with what the same customers did afterwards. Out: ``Link``, with draws that carry its uncertainty on.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import TableError
from ..core.maths import LEVEL, days, tail, wilson
from ..core.results import Estimate, Told

__all__ = ["EVIDENCE", "Link", "evidence", "link_satisfaction", "prior_link", "renewal_outcomes", "repeat_outcomes"]

DRAWS = 2000
FEW_EVENTS = 30
# Odds ratio of staying for one more point of five: median 1.15, nine in ten between 0.97 and 1.36; a judgement from the studies
# on the evidence card, not an estimate.
_PRIOR_MEAN, _PRIOR_SD = float(np.log(1.15)), float(np.log(1.4)) / 2 / 1.6449

EVIDENCE = [
    ("Gupta and Zeithaml (2006), Marketing Science 25(6)",
     "Customer metrics go with profit; the link of satisfaction is curved, lopsided, and differs by industry."),
    ("Anderson and Mittal (2000), Journal of Service Research 3(2)",
     "Dissatisfaction does more harm than satisfaction does good."),
    ("Mittal and Kamakura (2001), Journal of Marketing Research 38(1)",
     "100,040 car buyers: thresholds differ by customer; in one group the rating said nothing about coming back. Intentions "
     "flatten with satisfaction, behaviour steepens: only behaviour is used here."),
    ("Bolton (1998), Marketing Science 17(1)", "Satisfied customers stay longer, the more so the longer they have been there."),
    ("Kumar, Dalla Pozza and Ganesh (2013), Journal of Retailing 89(3)",
     "The effect on loyalty is there, small, and explains little by itself."),
    ("Seiders and others (2005), Journal of Marketing", "Satisfaction moves intentions; whether it moves purchases depends."),
    ("Ferrand, Robinson and Valette-Florence (2010), Journal of Sport Management 24",
     "Relations, commitment and attendance go with the intention to come back; satisfaction only slightly, through attendance."),
    ("Ho, Park and Zhou (2006), Marketing Science 25(3)",
     "How often people buy depends on how the last purchase went; averages lead to spending too much."),
    ("Gupta, Lehmann and Stuart (2004), Journal of Marketing Research 41(1)",
     "A hundredth more retention raises value by about a twentieth: arithmetic of retention, before what raising it costs."),
    ("Reinartz and Kumar (2000), Journal of Marketing 64(4)", "Customers who stay long are not always the more profitable ones."),
    ("Keiningham and others (2007), Journal of Marketing 71(3)", "NPS does not predict growth better than other scores."),
    ("Reichheld and Sasser (1990), Harvard Business Review",
     "'Five per cent more retention, 25 to 95 per cent more profit': five points of defection, partly a thought experiment, "
     "disputed. Nothing here uses it."),
]  # fmt: skip


def evidence() -> pd.DataFrame:
    """Return the evidence card: what research supports and what it does not.

    Returns
    -------
    pandas.DataFrame
        ``source, reading``.

    Examples
    --------
    >>> evidence().shape
    (12, 2)
    """
    return pd.DataFrame(EVIDENCE, columns=["source", "reading"])


@dataclass(frozen=True, repr=False)
class Link(Told):
    """What one more point of satisfaction is associated with.

    Attributes
    ----------
    status : "found", "none", "wrong sign", "separated" or "too few"
        ``found``: the interval lies above 0. ``none``: it holds 0. ``wrong sign``: it lies below 0. The last two rest
        on the prior band.
    label : str
        ``association``, or ``assumption`` where the prior band is used; ``caused`` would take a randomised test.
    log_odds : Estimate
        Change of the log-odds of staying per point of the score.
    effect : Estimate
        Average marginal effect: change of the chance to stay within the window, per point.
    draws : numpy.ndarray
        Of ``log_odds``; where the data hold no effect as well as a large one, drawn towards the prior band.
    share : numpy.ndarray
        Draws of the part of it that is cause.
    classes : pandas.DataFrame
        ``score, answers, stayed, low, high`` as seen.
    confounders : tuple of str
        Held equal.
    answers, leavers, customers : int
        Numbers that the link rests on.
    window_days : int
        Days after the answer in which staying was looked at.
    scale : (float, float)
        The ends of the score's scale.
    curved : bool
        Whether the effect differs along the scale.
    active : float
        The share who were still customers when they answered, as the model of buying has it; missing of contracts and
        where it is not known.
    e_value : float
        How strongly something unseen would have to go with both score and staying to explain the association away, as a
        risk ratio.
    text : str
        The link in words.

    References
    ----------
    E-value: VanderWeele and Ding (2017), *Annals of Internal Medicine* 167: 268-274.

    Examples
    --------
    >>> from clvnb.improve import prior_link
    >>> prior_link().table()["what"].tolist()
    ['log-odds of staying per point', 'chance to stay within the window, per point']
    """

    status: str
    label: str
    log_odds: Estimate
    effect: Estimate
    draws: np.ndarray
    share: np.ndarray
    classes: pd.DataFrame
    confounders: tuple[str, ...]
    answers: int
    leavers: int
    customers: int
    window_days: int
    scale: tuple[float, float]
    curved: bool
    e_value: float
    text: str
    active: float = math.nan

    @property
    def caused(self) -> np.ndarray:
        """Draws of what raising satisfaction by a point would do to the log-odds, for everything that builds on it."""
        return self.draws * self.share

    def _told(self) -> tuple[str, Iterable[pd.DataFrame]]:
        return self.text, [self.classes]

    def table(self) -> pd.DataFrame:
        """Return the figures as a table.

        Returns
        -------
        pandas.DataFrame
            ``what, value, low, high``: the log-odds per point, and the change of the chance to stay per point (0.02 is
            two percentage points).
        """
        rows = [
            ("log-odds of staying per point", self.log_odds),
            ("chance to stay within the window, per point", self.effect),
        ]
        return pd.DataFrame([(n, e.value, e.low, e.high) for n, e in rows], columns=["what", "value", "low", "high"])


# ---------------------------------------------------------------------------------------- observations


def repeat_outcomes(
    answers: pd.DataFrame, purchases: pd.DataFrame, *, window: str | float = "26 weeks", as_of: date | str
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Join each answer with whether its customer bought again within the window after it.

    Parameters
    ----------
    answers : SURVEY
        Of one series; rows without ``customer_id`` cannot be joined.
    purchases : pandas.DataFrame
        ``customer_id, date, amount``, a row for each day with a purchase.
    window : str or number of days
        After the answer.
    as_of : date
        Answers whose window ends later are left out: what they will do is not known yet.

    Returns
    -------
    rows : pandas.DataFrame
        ``customer_id, date, wave, score, stayed, tenure, frequency, recency, basket``, all but ``stayed`` known on the
        day of the answer. ``tenure`` and ``recency`` are days from the first and from the last purchase to the answer,
        ``frequency`` days with a purchase up to it, ``basket`` the mean money of one, at least 0.01.
    left_out : dict of reason to number
        Answers that could not be joined.

    Examples
    --------
    >>> day = pd.Timestamp("2024-03-01")
    >>> answers = pd.DataFrame({"customer_id": ["a", "b"], "date": [day, day], "wave": "1", "score": [5, 2]})
    >>> dates = pd.to_datetime(["2024-01-01", "2024-05-01", "2024-02-01"])
    >>> bought = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 20.0, 5.0], "date": dates})
    >>> rows, left_out = repeat_outcomes(answers, bought, as_of="2024-12-31")
    >>> rows[["customer_id", "score", "stayed", "tenure", "recency"]]
      customer_id  score  stayed  tenure  recency
    0           a      5    True      60       60
    1           b      2   False      29       29
    """
    asked, left = _joinable(answers, days(window), as_of, set(purchases["customer_id"]))
    both = asked[["answer", "customer_id", "date"]].merge(
        purchases[["customer_id", "date", "amount"]].rename(columns={"date": "bought"}), on="customer_id"
    )
    before = both[both["bought"] <= both["date"]]
    known = before.groupby("answer").agg(
        first=("bought", "min"), last=("bought", "max"), frequency=("bought", "size"), basket=("amount", "mean")
    )
    ahead = (both["bought"] > both["date"]) & (both["bought"] <= both["date"] + pd.Timedelta(days=days(window)))
    came = set(both.loc[ahead, "answer"])
    rows = asked.join(known, on="answer")
    early = rows["first"].isna()
    if early.any():
        left["answered before the first purchase"] = int(early.sum())
    rows = rows[~early]
    rows = rows.assign(
        stayed=rows["answer"].isin(came),
        tenure=(rows["date"] - rows["first"]).dt.days,
        recency=(rows["date"] - rows["last"]).dt.days,
        basket=rows["basket"].clip(lower=0.01),
    )
    return rows.drop(columns=["answer", "first", "last"]).reset_index(drop=True), left


def renewal_outcomes(
    answers: pd.DataFrame,
    contracts: pd.DataFrame,
    *,
    window: str | float = "26 weeks",
    as_of: date | str,
    gap: str | float = "30 days",
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Join each answer with whether its customer's contract still ran at the end of the window after it.

    Parameters
    ----------
    answers : SURVEY
        Of one series; rows without ``customer_id`` cannot be joined.
    contracts : CONTRACTS
        From ``read_contracts``.
    window : str or number of days
        Counted from the end of the gap.
    as_of : date
        Answers whose window ends later are left out.
    gap : str or number of days
        After the answer, in which an end is not looked at: who has given notice answers as one who leaves.

    Returns
    -------
    rows : pandas.DataFrame
        ``customer_id, date, wave, score, stayed, tenure`` and, where known, ``plan, channel, price``. ``tenure`` is
        days from the contract's start to the answer, ``price`` money per billing period.
    left_out : dict of reason to number
        Answers that could not be joined.

    Examples
    --------
    >>> day = pd.Timestamp("2024-03-01")
    >>> answers = pd.DataFrame({"customer_id": ["a", "b"], "date": [day, day], "wave": "1", "score": [5, 2]})
    >>> contracts = pd.DataFrame({"customer_id": ["a", "b"], "start": pd.Timestamp("2024-01-01"), "price": 10.0})
    >>> contracts["end"] = pd.to_datetime([None, "2024-06-01"])
    >>> rows, left_out = renewal_outcomes(answers, contracts, as_of="2024-12-31")
    >>> rows[["customer_id", "score", "stayed", "tenure"]]
      customer_id  score  stayed  tenure
    0           a      5    True      60
    1           b      2   False      60
    """
    asked, left = _joinable(answers, days(window) + days(gap), as_of, set(contracts["customer_id"]))
    carried = [c for c in ("plan", "channel", "price") if c in contracts]
    both = asked.drop(columns=[c for c in carried if c in asked]).merge(
        contracts[["customer_id", "start", "end", *carried]], on="customer_id"
    )
    begins = both["date"] + pd.Timedelta(days=days(gap))
    over = both["end"].notna() & (both["end"] <= begins)
    running = (both["start"] <= both["date"]) & ~over
    gone = set(both["answer"]) - set(both.loc[running, "answer"])
    if gone:
        left["answered after leaving, or within the notice"] = len(gone)
    rows = both[running].drop_duplicates("answer")
    closes = begins[rows.index] + pd.Timedelta(days=days(window))
    rows = rows.assign(
        stayed=rows["end"].isna() | (rows["end"] > closes), tenure=(rows["date"] - rows["start"]).dt.days
    )
    return rows.drop(columns=["answer", "start", "end"]).reset_index(drop=True), left


def _joinable(
    answers: pd.DataFrame, span: float, as_of: date | str, known: set[str]
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Answers of known customers with the whole window seen, numbered, and how many others there were."""
    end = pd.Timestamp(str(as_of))
    nobody = answers["customer_id"].isna()
    stranger = ~nobody & ~answers["customer_id"].isin(known)
    late = ~nobody & ~stranger & (answers["date"] + pd.Timedelta(days=span) > end)
    reasons = {"answers without a customer": nobody, "customers who are not in the data": stranger,
               "answers whose window is not over": late}  # fmt: skip
    left = {name: int(mask.sum()) for name, mask in reasons.items() if mask.any()}
    keep = answers[~(nobody | stranger | late)].reset_index(drop=True)
    columns = [c for c in ("customer_id", "date", "wave", "score", "channel") if c in keep]
    return keep[columns].assign(answer=np.arange(len(keep))), left


# ----------------------------------------------------------------------------------------- estimation


def link_satisfaction(
    rows: pd.DataFrame,
    *,
    scale: tuple[float, float] = (1, 5),
    confounders: Sequence[str] | None = None,
    window: str | float = "26 weeks",
    gone: str = "had left",
    reliability: float | None = None,
    causal_share: float | None = None,
    level: float = LEVEL,
    seed: int = 1,
) -> Link:
    """Estimate how the chance to stay changes with the score, other things equal.

    Parameters
    ----------
    rows : pandas.DataFrame
        ``customer_id, score, stayed`` and confounders known on the day of the answer; from ``repeat_outcomes`` or
        ``renewal_outcomes``. ``active`` where it is known: of a shop the chance that the customer was still one then.
    scale : (float, float)
        The ends of the score's scale.
    confounders : sequence of str, optional
        Columns to hold equal; ``tenure, frequency, recency, basket, price, plan, channel, wave`` as far as there are by
        default. They enter in this order while there are ten who left (or stayed, whichever are fewer) for each column;
        numbers by their logarithm.
    window : str or number of days
        From an answer to the end of its outcome, as the outcomes were made.
    gone : str
        What is said of those who did not stay: a shop's customers ``had not bought again``.
    reliability : float, optional
        Correlation of the score with itself, asked again at once. A score measured with noise shows less of the link
        than there is, and the link is divided by it. Left out: from customers who answered twice within 60 days, where
        there are a hundred; otherwise nothing is corrected, and the text says so.
    causal_share : float, optional
        The part of the association that is cause; 1 after a randomised test of satisfaction itself. Left out: drawn,
        nothing at all in a quarter of the draws and anything from nothing to the whole in the others.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.
    seed : int
        Of the random draws.

    Returns
    -------
    Link
        From a logit with errors clustered by customer. With fewer than 30 who left or stayed, a score that does not
        vary, or scores that separate the two perfectly, the prior band of ``prior_link`` stands instead, and the text
        says why.

    Raises
    ------
    TableError
        When a column is missing.
    ValueError
        When ``reliability`` is not above 0 and at most 1, or ``causal_share`` lies outside 0 to 1.

    Notes
    -----
    The effect per point is the average, over the answers, of the change of the chance to stay from half a point below
    to half a point above. The causal share is a judgement, not an estimate: what comparisons without a random draw find
    is often several times what randomised tests of the same campaigns do.

    References
    ----------
    Errors clustered by customer: Liang and Zeger (1986), *Biometrika* 73(1): 13-22; ten events for each column: Peduzzi
    and others (1996), *Journal of Clinical Epidemiology* 49: 1373-1379; E-value: VanderWeele and Ding (2017), *Annals
    of Internal Medicine* 167: 268-274; reliability: Spearman (1904), *American Journal of Psychology* 15: 72-101;
    causal share: Gordon, Zettelmeyer, Bhargava and Chapsky (2019), *Marketing Science* 38: 193-225.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> rows = pd.DataFrame({"customer_id": range(600), "score": rng.integers(1, 6, 600)})
    >>> rows["stayed"] = rng.random(600) < 1 / (1 + np.exp(0.9 - 0.5 * rows["score"]))
    >>> link = link_satisfaction(rows)
    >>> link.status, link.label, link.log_odds.low > 0
    ('found', 'association', True)
    """
    for name in ("customer_id", "score", "stayed"):
        if name not in rows:
            raise TableError(f"the link needs the column {name!r}; the rows have: {', '.join(map(str, rows.columns))}")
    if reliability is not None and not 0 < reliability <= 1:
        raise ValueError(f"reliability must be above 0 and at most 1, got {reliability}")
    if causal_share is not None and not 0 <= causal_share <= 1:
        raise ValueError(f"causal_share must lie between 0 and 1, got {causal_share}")
    data, within = rows.dropna(subset=["score", "stayed"]).reset_index(drop=True), round(days(window))
    stayed = data["stayed"].to_numpy(dtype=bool)
    classes = _classes(data, level)
    facts: dict[str, Any] = {
        "classes": classes, "answers": len(data), "leavers": int((~stayed).sum()), "window_days": within,
        "customers": int(data["customer_id"].nunique()), "scale": scale, "level": level, "gone": gone,
        "share": _causal_shares(causal_share, seed), "reliability": _reliability(data, reliability),
        "active": float(data["active"].mean()) if "active" in data else math.nan,
    }  # fmt: skip
    if min(stayed.sum(), (~stayed).sum()) < FEW_EVENTS:
        few = "stayed" if stayed.sum() < (~stayed).sum() else "left"
        n = int(min(stayed.sum(), (~stayed).sum()))
        return _prior("too few", f"Only {n} of {len(data):,} who answered {few} within {within} days; a link needs "
                      "at least 30.", facts)  # fmt: skip
    if data["score"].nunique() < 2:
        return _prior("too few", f"All {len(data):,} answers are {data['score'].iloc[0]:g}: a score that does not differ cannot be "
                      "associated with anything.", facts)  # fmt: skip
    if data.loc[stayed, "score"].min() >= data.loc[~stayed, "score"].max():
        return _prior("separated", "The scores separate those who stayed from those who left without exception. Real opinions do "
                      "not: look whether the survey was sent after customers had left.", facts)  # fmt: skip
    design, held = _design(data, confounders, int(min(stayed.sum(), (~stayed).sum())))
    fit = _fit(design, stayed, data["customer_id"])
    if fit is None:
        return _prior("separated", "Some group of answers predicts leaving without exception, so that no effect can be told from "
                      "it; more answers are needed.", facts)  # fmt: skip
    return _read(fit, design, held, facts, seed)


def _classes(data: pd.DataFrame, level: float) -> pd.DataFrame:
    rows = []
    for value, part in data.groupby("score"):
        n, k = len(part), int(part["stayed"].sum())
        rows.append((float(value), n, k / n, *wilson(k / n, n, level)))
    return pd.DataFrame(rows, columns=["score", "answers", "stayed", "low", "high"])


_DEFAULT = ("tenure", "frequency", "recency", "basket", "price", "plan", "channel", "wave")


def _design(data: pd.DataFrame, confounders: Sequence[str] | None, events: int) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Score, its square, and the confounders, ten events for each column at least; the first named are kept longest."""
    centred = data["score"].astype(float) - data["score"].mean()
    design = pd.DataFrame({"score": centred, "score2": centred**2 - float((centred**2).mean())})
    held: list[str] = []
    for name in confounders if confounders is not None else [c for c in _DEFAULT if c in data]:
        if name not in data:
            raise TableError(f"the confounder {name!r} is no column of the rows, which have: {', '.join(data.columns)}")
        part = _columns(data[name], name)
        if part.empty or (len(design.columns) + len(part.columns)) * 10 > events:
            continue
        if np.linalg.matrix_rank(np.column_stack([np.ones(len(data)), design, part])) <= len(design.columns) + len(
            part.columns
        ):
            continue  # says nothing that the others do not say
        design, held = pd.concat([design, part], axis=1), [*held, name]
    return design, tuple(held)


def _columns(values: pd.Series, name: str) -> pd.DataFrame:
    if pd.api.types.is_numeric_dtype(values):
        logs = np.log1p(values.astype(float).clip(lower=0)).fillna(0.0)
        return pd.DataFrame({name: logs - logs.mean()}) if logs.std() > 1e-9 else pd.DataFrame()
    text = values.astype(object).where(values.notna(), "unknown").astype(str)
    often = text.value_counts()
    grouped = text.where(text.map(often) >= 20, "other")
    levels = grouped.value_counts().index[1:]  # the most frequent is what the others are held against
    return pd.DataFrame({f"{name}={v}": (grouped == v).astype(float) for v in levels})


def _fit(design: pd.DataFrame, stayed: np.ndarray, groups: pd.Series) -> tuple[pd.Series, pd.DataFrame] | None:
    """Logit with errors clustered by customer; nothing when it does not converge to finite effects."""
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM
    from statsmodels.tools.sm_exceptions import PerfectSeparationError

    x = design.assign(const=1.0)[["const", *design.columns]]
    codes = pd.factorize(groups)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = GLM(stayed.astype(float), x, family=Binomial()).fit(
                cov_type="cluster", cov_kwds={"groups": codes}, maxiter=100
            )
        except (ValueError, np.linalg.LinAlgError, PerfectSeparationError):
            return None
    params, cov = found.params, found.cov_params()
    bad = not found.converged or not np.isfinite(cov.to_numpy()).all() or bool((np.sqrt(np.diag(cov)) > 20).any())
    return None if bad else (params, cov)


def _read(
    fit: tuple[pd.Series, pd.DataFrame], design: pd.DataFrame, held: tuple[str, ...], facts: dict[str, Any], seed: int
) -> Link:
    """Turn coefficients into an effect per point with its interval, and judge it."""
    params, cov = fit
    level, rng = facts["level"], np.random.default_rng(seed)
    draws = rng.multivariate_normal(params, cov, size=DRAWS)
    at = params.index.get_loc("score")
    noise, noise_error = facts["reliability"] or (1.0, 0.0)
    # A noisier score hides more of the link; how noisy it is, is itself not known exactly.
    clear = np.clip(rng.normal(noise, noise_error, DRAWS), 0.3, 1.0)
    slope = draws[:, at] / clear
    beta = float(params.iloc[at]) / noise
    error = float(np.hypot(np.sqrt(cov.iloc[at, at]) / noise, beta * noise_error / noise))
    z = tail(level)
    how = "logit, errors clustered by customer" + (", corrected for the score's noise" if noise < 1 else "")
    log_odds = Estimate(beta, beta - z * error, beta + z * error, level, facts["answers"], how)
    curve, curve_error = float(params["score2"]), float(np.sqrt(cov.loc["score2", "score2"]))
    curved = abs(curve) > 1.96 * curve_error
    marginal = _marginal(params, draws, design) / np.concatenate([[noise], clear])
    low, high = np.quantile(marginal[1:], [(1 - level) / 2, (1 + level) / 2])
    effect = Estimate(
        float(marginal[0]), float(low), float(high), level, facts["answers"], "average marginal effect of a point"
    )
    status = "found" if log_odds.low > 0 else "wrong sign" if beta < -1.96 * error else "none"
    if status == "none":  # so few answers leave much to what is known from elsewhere
        slope = _towards_prior(slope, beta, error, facts["scale"])
    rest = {k: v for k, v in facts.items() if k not in _OF_TEXT}
    link = Link(status, "association", log_odds, effect, slope, facts["share"], confounders=held, curved=curved,
                e_value=_e_value(beta), text="", **rest)  # fmt: skip
    link = replace(link, active=facts["active"])
    return replace(link, text=_say(link, error, facts))


_OF_TEXT = {"level", "gone", "share", "reliability", "active"}


def _towards_prior(slope: np.ndarray, beta: float, error: float, scale: tuple[float, float]) -> np.ndarray:
    """Draws of the link with what is known from elsewhere, each by its precision."""
    per_point = 4 / (scale[1] - scale[0])
    mean, sd = _PRIOR_MEAN * per_point, _PRIOR_SD * per_point
    own = 1 / error**2
    whole = own + 1 / sd**2
    return (own * beta + mean / sd**2) / whole + (slope - beta) / error / np.sqrt(whole)


def _causal_shares(known: float | None, seed: int) -> np.ndarray:
    """Draws of the part of an association that is cause."""
    if known is not None:
        return np.full(DRAWS, known)
    rng = np.random.default_rng([seed, 2])
    return np.where(rng.random(DRAWS) < 0.25, 0.0, rng.random(DRAWS))


def _reliability(data: pd.DataFrame, known: float | None) -> tuple[float, float] | None:
    """The score's correlation with itself and its standard error; None where nobody was asked twice at short notice."""
    if known is not None:
        return known, 0.0
    if "date" not in data:
        return None
    own = data.sort_values(["customer_id", "date"], kind="stable")
    again = own.groupby("customer_id")[["score", "date"]].shift(-1)
    close = again["score"].notna() & ((again["date"] - own["date"]).dt.days <= 60)
    if close.sum() < 100:
        return None
    r = float(np.corrcoef(own.loc[close, "score"], again.loc[close, "score"])[0, 1])
    return (r, (1 - r**2) / float(np.sqrt(close.sum()))) if r > 0.3 else None


def _e_value(log_odds: float) -> float:
    """VanderWeele and Ding's E-value; the risk ratio of a common outcome is about the root of its odds ratio."""
    ratio = float(np.exp(abs(log_odds) / 2))
    return ratio + float(np.sqrt(ratio * (ratio - 1)))


def _marginal(params: pd.Series, draws: np.ndarray, design: pd.DataFrame) -> np.ndarray:
    """Average change of the chance to stay for one more point, half a point to each side: the estimate, then draws of it."""
    theta = params.to_numpy(float)[None, :]
    at, square = params.index.get_loc("score"), params.index.get_loc("score2")

    def effect(theta: np.ndarray, rows: pd.DataFrame) -> np.ndarray:
        x = np.column_stack([np.ones(len(rows)), rows.to_numpy(float)])
        middle = theta @ x.T + 0.25 * theta[:, [square]]  # the square adds a quarter on both sides
        step = 0.5 * theta[:, [at]] + theta[:, [square]] * rows["score"].to_numpy(float)
        return np.asarray((1 / (1 + np.exp(-(middle + step))) - 1 / (1 + np.exp(-(middle - step)))).mean(axis=1))

    some = design.iloc[
        np.linspace(0, len(design) - 1, min(len(design), 300)).astype(int)
    ]  # enough for the spread of the draws
    whole, part = effect(theta, design), effect(theta, some)
    return np.concatenate([whole, effect(draws, some) + whole - part])


def _per_point(effect: Estimate) -> str:
    return (f"{100 * effect.value:+.1f} percentage points for a point of the score, {effect.level:.0%} range "
            f"{100 * effect.low:+.1f} to {100 * effect.high:+.1f}")  # fmt: skip


def _say(link: Link, error: float, facts: dict[str, Any]) -> str:
    gone, held = facts["gone"], ", ".join(link.confounders) or "nothing"
    text = (
        f"Of {link.answers:,} answers, {link.leavers:,} came from customers who {gone} {link.window_days} days later. "
    )
    did = "bought again" if "bought" in gone else "stayed"
    if link.status == "found":
        text += f"Customers with a higher score {did} more often: {_per_point(link.effect)}, with {held} held equal."
    elif link.status == "wrong sign":
        text += (f"Customers with a higher score {did} less often: {_per_point(link.effect)}, with {held} held equal. Nothing is built on "
                 "the opposite. Is a high score the good end of the scale, and was the survey taken before they left?")  # fmt: skip
    else:
        text += (f"These answers cannot tell whether satisfaction goes with staying: {_per_point(link.effect)}, with {held} held equal. "
                 f"About {_needed(link, error):,} answers would show a link of the usual size; until then plans rest mostly on what other "
                 "businesses found.")  # fmt: skip
    if link.curved:
        text += " The effect is not the same all along the scale."
    if link.status == "found":
        weakest = _e_value(link.log_odds.low)
        text += (
            f" This is an association: a hidden trait that makes both a good score and staying {weakest:.2f} times as likely would make it "
            f"uncertain, one of {link.e_value:.2f} times would explain it wholly. Only a randomised test shows a cause."
        )
    share = facts["share"]
    if np.ptp(share) > 0:
        text += f" Plans count {share.mean():.0%} of it as cause on average, and none of it in a quarter of the cases."
    if facts["reliability"] is not None:
        text += f" The score's reliability is {facts['reliability'][0]:.2f}, for which the link is corrected."
    return text


def _needed(link: Link, error: float) -> int:
    """How many answers would show the prior band's link four times in five."""
    usual = _PRIOR_MEAN * 4 / (link.scale[1] - link.scale[0])
    return int(np.ceil(link.answers * (error * (1.96 + tail(0.6)) / usual) ** 2 / 100) * 100)


# ------------------------------------------------------------------------------------------ the prior


def prior_link(scale: tuple[float, float] = (1, 5), *, level: float = LEVEL, why: str = "", seed: int = 1) -> Link:
    """Return the assumption that stands in where the client's own data cannot tell: wide, and holding no effect.

    One more point of five multiplies the odds of staying by 1.15, nine times in ten by 0.97 to 1.36; on a longer scale
    a point is worth less.

    Parameters
    ----------
    scale : (float, float)
        The ends of the score's scale.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.
    why : str
        What the data lacked, for the text.
    seed : int
        Of the random draws.

    Returns
    -------
    Link
        Its ``status`` says that the data could not tell, its ``label`` is ``assumption``.

    Notes
    -----
    A judgement from the studies of ``evidence``, not an estimate: the log odds ratio per point of a scale of five is
    normal with mean ln 1.15 and standard deviation ln 1.4 / 2 / 1.645, both times 4 / (high - low) on another scale.

    Examples
    --------
    >>> link = prior_link()
    >>> link.label, round(float(np.exp(link.log_odds.value)), 2), link.log_odds.low < 0
    ('assumption', 1.15, True)
    """
    none = pd.DataFrame(columns=["score", "answers", "stayed", "low", "high"], dtype=float)
    facts = {
        "classes": none,
        "answers": 0,
        "leavers": 0,
        "customers": 0,
        "window_days": 0,
        "scale": scale,
        "level": level,
        "share": _causal_shares(None, seed),
    }
    return _prior("too few", why or "No answers could be joined with what customers did afterwards.", facts, seed)


def _prior(status: str, why: str, facts: dict[str, Any], seed: int = 1) -> Link:
    level, scale = facts["level"], facts["scale"]
    per_point = 4 / (scale[1] - scale[0])
    mean, sd = _PRIOR_MEAN * per_point, _PRIOR_SD * per_point
    draws = np.random.default_rng(seed).normal(mean, sd, DRAWS)
    z = tail(level)
    log_odds = Estimate(mean, mean - z * sd, mean + z * sd, level, facts["answers"], "assumption, not estimated")
    unknown = Estimate(np.nan, np.nan, np.nan, level, facts["answers"], "not estimated")
    text = (f"{why.rstrip('. ')}. Where a plan needs a figure, an assumption stands in: one more point multiplies the odds of staying by "
            f"{np.exp(mean):.2f}, {level:.0%} range {np.exp(log_odds.low):.2f} to {np.exp(log_odds.high):.2f}, of which plans count a part as cause. "
            "That range includes no effect at all, and nothing of it comes from these customers.")  # fmt: skip
    rest = {k: v for k, v in facts.items() if k not in _OF_TEXT}
    return Link(status, "assumption", log_odds, unknown, draws, facts["share"], confounders=(), curved=False,
                e_value=np.nan, text=text, **rest)  # fmt: skip
