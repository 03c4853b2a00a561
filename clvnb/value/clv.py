"""From fitted models to money: value per customer with intervals, the client's total, and the card that says how.

In: a SUMMARY, fitted models, economics. Out: CLV tables, ``Estimate`` totals, ``Card``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import pandas as pd

from ..core.engine import Frame, is_ibis, run
from ..core.errors import TableError
from ..core.maths import LEVEL
from ..core.results import Estimate, Finding
from ..core.tables import SUMMARY, check, need
from ..core.threads import one_thread
from ..data.client import Economics
from ..models import GammaGamma
from ..models.base import FOR_A_SUM, TOTAL_DRAWS, TransactionModel, blocks, draws_each, sum_range
from ..models.constant_spend import ConstantSpend
from ..models.continuous import ContinuousModel
from ..models.gamma_gamma import fit_spend, positive
from ..models.histories import collapse, spread
from .formulas import ltv_cac
from .segments import value_tiers
from .spread import Spread

__all__ = [
    "OrderMoney",
    "clv_new_customer",
    "clv_table",
    "clv_total",
    "losses",
    "new_customer_values",
    "order_money",
    "recommend_basis",
    "tier_chances",
]

Spend = GammaGamma | ConstantSpend | float
# What a first purchase brings over a later one is taken from the newcomers of a year, where there are so many; and drawn to
# 1 where they are few: by 1.28 or less in two of three businesses. That who buys often spends more or less: by 1.1.
_NEWCOMERS, _YEAR, _USUAL_FIRST, _USUAL_LATER = 100, 365, 0.25, 0.1


@dataclass(frozen=True)
class OrderMoney:
    """What a new customer's purchases bring, over the mean spend of all customers.

    Attributes
    ----------
    first : float
        Of the first one: below 1 where it is a trial size, or has a welcome discount.
    later : float
        Of the others: above 1 where who buys often spends more on a purchase.
    first_error, later_error : float
        Standard errors of their logarithms.
    """

    first: float = 1.0
    later: float = 1.0
    first_error: float = 0.0
    later_error: float = 0.0


def order_money(summary: pd.DataFrame, spend: GammaGamma | ConstantSpend, *, prices: float = 1.0) -> OrderMoney:
    """Return what first and later purchases bring, over the mean of the model of spend, in which all are alike.

    Parameters
    ----------
    summary : SUMMARY
        With ``first_spend`` and ``monetary_value``, the latter at the prices of now.
    spend : GammaGamma or ConstantSpend
    prices : float
        The level of prices now against the past, for first purchases that are not of the last year.

    Examples
    --------
    >>> summary = pd.DataFrame({"customer_id": [str(k) for k in range(400)], "T": 100, "first_spend": [8.0, 12.0] * 200})
    >>> found = order_money(summary.assign(frequency=[1, 3] * 200, monetary_value=[18.0, 22.0] * 200), ConstantSpend(20.0))
    >>> round(found.first, 2), round(found.later, 2)
    (0.5, 1.05)
    """
    if not {"first_spend", "monetary_value"} <= set(summary.columns):
        return OrderMoney()
    recent = summary[summary["T"] <= _YEAR]
    few = len(recent) < _NEWCOMERS
    some = summary if few else recent
    first = _over(
        np.ones(len(some)), some["first_spend"].to_numpy(float) * (prices if few else 1.0), _usual_spend(some, spend)
    )
    back = summary[(summary["frequency"] > 0) & (summary["monetary_value"] > 0)]
    x, z = (back[k].to_numpy(float) for k in ("frequency", "monetary_value"))
    (one, one_error), (other, other_error) = (
        _drawn(*found, usual)
        for found, usual in ((first, _USUAL_FIRST), (_over(x, z, _usual_spend(back, spend)), _USUAL_LATER))
    )
    return OrderMoney(one, other, one_error, other_error)


def _over(n: np.ndarray, money: np.ndarray, usual: np.ndarray) -> tuple[float, float]:
    """The logarithm of the money of n purchases each over the usual, and its standard error between customers."""
    expected = float(n @ usual)
    ratio = float(n @ money.clip(min=0.0)) / expected if len(n) > 1 and expected > 0 else 0.0
    if not ratio > 0:
        return 0.0, float("inf")
    return float(np.log(ratio)), float(np.sqrt(((n * (money - ratio * usual)) ** 2).sum())) / (ratio * expected)


def _drawn(seen: float, error: float, usual: float) -> tuple[float, float]:
    """A ratio drawn to 1 as far as chance explains it, and the standard error of its logarithm."""
    if not np.isfinite(error):
        return 1.0, 0.0
    kept = usual**2 / (usual**2 + error**2)
    return float(np.exp(kept * seen)), float(np.sqrt(kept) * error)


def _usual_spend(some: pd.DataFrame, spend: GammaGamma | ConstantSpend) -> np.ndarray:
    """The mean money of a purchase over new customers of the group of each."""
    nobody = some.assign(frequency=0, monetary_value=np.nan)
    return np.asarray(spend.expected_spend(nobody), dtype=float)


def _as_spend(spend: Spend) -> GammaGamma | ConstantSpend:
    """The model of spend; an amount is the same for every purchase."""
    return spend if isinstance(spend, GammaGamma | ConstantSpend) else ConstantSpend(float(spend))


# -------------------------------------------------------------------------- shops: the end is never seen


@one_thread
def clv_table(
    summary: Frame,
    purchases: TransactionModel,
    spend: Spend,
    economics: Economics,
    *,
    level: float = LEVEL,
    seed: int = 0,
) -> Frame:
    """Return what each customer is still worth, with an interval, beside what was earned so far.

    Value = expected purchases over the horizon, each discounted, times (spend x margin - cost to serve). The interval
    holds what one customer brings: chance of purchases, chance of spend, and uncertainty of the parameters.

    Parameters
    ----------
    summary : SUMMARY
        pandas or Ibis; an Ibis table stays in its engine, only distinct (frequency, recency, T) are computed here.
    purchases : a fitted purchase model
        In days: not BG/BB.
    spend : GammaGamma, ConstantSpend or float
        A number is the mean money of every purchase of everyone.
    economics : Economics
        Margin, cost to serve, discount rate and horizon.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.
    seed : int
        Of the random draws.

    Returns
    -------
    CLV
        ``customer_id``; ``p_alive``; ``expected_purchases`` with ``_low`` and ``_high``, undiscounted, over the
        horizon; ``expected_spend``, money per purchase; ``clv`` with ``_low`` and ``_high``, in the client's currency,
        discounted over ``economics.horizon``; and where the summary has them ``historic_value``, ``total_value`` =
        historic_value + clv, and ``channel``. Values can be negative.

    Raises
    ------
    TableError
        When the SUMMARY lacks a column, or the model counts opportunities (BG/BB).

    Notes
    -----
    Discounted purchases are the integral of exp(-t ln(1 + d)) dE[Y(t)], t in years, by Gauss-Legendre quadrature; with
    ``economics.step`` purchases fall on the ends of steps.

    References
    ----------
    Fader, Hardie and Lee (2005), "RFM and CLV", Journal of Marketing Research 42(4), 415-430; spend: Fader and Hardie
    (2013), note 025, equation (5).

    Examples
    --------
    >>> from clvnb import BGNBD
    >>> purchases = BGNBD.with_params(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="1 week")
    >>> spend = GammaGamma.with_params(p=6.25, q=3.74, v=15.44)
    >>> summary = pd.DataFrame({"customer_id": ["1", "2"], "frequency": [2, 0], "recency": [213, 0], "T": [272, 272],
    ...     "monetary_value": [22.345, None]})
    >>> terms = Economics(margin=0.4, horizon="1 year")
    >>> clv_table(summary, purchases, spend, terms)[["customer_id", "p_alive", "expected_spend", "clv"]].round(3)
      customer_id  p_alive  expected_spend     clv
    0           1    0.727          24.660  14.757
    1           2    1.000          35.219   3.405
    """
    check(summary, SUMMARY)
    _on_days(purchases)
    rows, spend = collapse(summary, also=purchases.covariates_), _as_spend(spend)
    need(summary, list(spend.groups_), "the SUMMARY")
    parts = [pd.DataFrame(_per_triple(block, purchases, spend, economics, level, seed)) for block in blocks(rows)]
    numbers = pd.concat(parts)
    names = list(numbers.columns)
    answers = pd.concat([rows[purchases.keys], numbers.set_axis(rows.index)], axis=1)
    wide = spread(summary, answers, names, purchases.keys)
    base = summary.join(wide, "customer_id") if is_ibis(summary) else pd.concat([summary, wide], axis=1)
    out = _money(base, spend, economics)
    keep = ["customer_id", "p_alive", "expected_purchases", "expected_purchases_low", "expected_purchases_high",
            "expected_spend", "clv", "clv_low", "clv_high"]  # fmt: skip
    keep += [c for c in ("historic_value", "total_value", "channel") if c in out.columns]
    return out.select(*keep) if is_ibis(out) else out[keep]


def _on_days(purchases: TransactionModel) -> None:
    """Refuse a model whose clock is not days: horizons and yearly rates mean nothing to it."""
    if not isinstance(purchases, ContinuousModel):
        raise TableError(
            f"{purchases.name} counts opportunities, and money here is valued over days: use its "
            "discounted_purchases, per opportunity, times the margin of a purchase"
        )


def _per_triple(
    rows: pd.DataFrame,
    purchases: TransactionModel,
    spend: GammaGamma | ConstantSpend,
    economics: Economics,
    level: float,
    seed: int,
) -> dict[str, Any]:
    """Everything that depends on (x, t_x, T) alone, computed once for each distinct triple."""
    length = economics.horizon_days
    weights = purchases.discounting(rows, length, economics.discount_rate, economics.step)
    expected, discounted = purchases.expected_by_row(rows, [(length, 1.0)]), purchases.expected_by_row(rows, weights)
    counts = purchases.outcomes(rows, length, seed=seed)
    money = spend.money_of_outcomes(counts, rows["frequency"].to_numpy(float), seed)
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(counts, tails, axis=0, method="inverted_cdf")
    money_low, money_high = np.quantile(money, tails, axis=0)
    kept = np.divide(discounted, expected, out=np.ones_like(expected), where=expected > 0)
    return {
        "p_alive": purchases.alive_by_row(rows),
        "expected_purchases": expected,
        "expected_purchases_low": low,
        "expected_purchases_high": high,
        "_discounted": discounted,
        "_money_low": money_low * kept,
        "_money_high": money_high * kept,
    }


def _money(base: Any, spend: GammaGamma | ConstantSpend, economics: Economics) -> Any:
    """The arithmetic from purchases to money, written once for pandas and for an engine."""
    expected_spend, scale = spend.columns(base)
    unit = economics.margin_rate * expected_spend - economics.cost_to_serve
    # Where serving costs more than a sale brings, more purchases are worse: the ends change places.
    loses = unit < 0
    one, other = unit * scale * base["_money_low"], unit * scale * base["_money_high"]
    low = loses.ifelse(other, one) if is_ibis(base) else one.where(~loses, other)
    high = loses.ifelse(one, other) if is_ibis(base) else other.where(~loses, one)
    new = {
        "expected_spend": expected_spend,
        "clv": base["_discounted"] * unit,
        "clv_low": low,
        "clv_high": high,
    }
    out = base.mutate(**new) if is_ibis(base) else base.assign(**new)
    if {"historic_value", "historic_revenue", "purchases"} <= set(out.columns):
        # Where the summary was made without a margin, the past is valued on the same terms as the future.
        past = economics.margin_rate * out["historic_revenue"] - economics.cost_to_serve * out["purchases"]
        known = out["historic_value"]
        known = known.fill_null(past) if is_ibis(out) else known.astype(float).fillna(past)
        out = out.mutate(historic_value=known) if is_ibis(out) else out.assign(historic_value=known)
    if "historic_value" in out.columns:
        total = out["historic_value"] + out["clv"]
        out = out.mutate(total_value=total) if is_ibis(out) else out.assign(total_value=total)
    return out


@overload
def clv_total(
    summary: Any,
    purchases: TransactionModel,
    spend: Spend,
    economics: Economics,
    *,
    by: None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate: ...


@overload
def clv_total(
    summary: Any,
    purchases: TransactionModel,
    spend: Spend,
    economics: Economics,
    *,
    by: str,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, Estimate]: ...


@one_thread
def clv_total(
    summary: Any,
    purchases: TransactionModel,
    spend: Spend,
    economics: Economics,
    *,
    by: str | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate | dict[str, Estimate]:
    """Return what all customers together are still worth, or those of each group, with intervals.

    Parameters
    ----------
    summary : SUMMARY
    purchases, spend, economics
        As in ``clv_table``.
    by : str, optional
        The column that names the group, for example ``channel``.
    level : float
        Of the interval.
    seed : int
        Of the random draws.

    Returns
    -------
    Estimate, or dict of group to Estimate
        In the client's currency, discounted over the horizon; a dict where ``by`` names the groups.

    Raises
    ------
    TableError
        As ``clv_table``, and when there is no column ``by``.

    Notes
    -----
    Two variances are added up: of the mean over 100 draws of the parameters of both models, and of the customers'
    simulated money (chance). The interval is that of a gamma distribution with this mean and variance, which never
    reaches below 0; where some customers bring money and others cost it, of a normal one. It says nothing about a model
    that does not fit: see the holdout.

    Examples
    --------
    >>> from clvnb import BGNBD
    >>> purchases = BGNBD.with_params(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="1 week")
    >>> spend = GammaGamma.with_params(p=6.25, q=3.74, v=15.44)
    >>> summary = pd.DataFrame({"customer_id": ["1", "2"], "frequency": [2, 0], "recency": [213, 0], "T": [272, 272],
    ...     "monetary_value": [22.345, None], "channel": ["ads", "mail"]})
    >>> terms = Economics(margin=0.4, horizon="1 year")
    >>> round(float(clv_total(summary, purchases, spend, terms).value), 2)
    18.16
    >>> found = clv_total(summary, purchases, spend, terms, by="channel")
    >>> {k: round(float(v.value), 2) for k, v in found.items()}
    {'ads': 14.76, 'mail': 3.4}
    """
    if by is None:
        return _totals({"all": summary}, purchases, spend, economics, level, seed)["all"]
    return _totals(_groups(summary, by), purchases, spend, economics, level, seed)


def _groups(summary: Any, by: str) -> dict[str, Any]:
    """The customers of each group, in the kind of table that they came in."""
    need(summary, [by], "the SUMMARY")
    if is_ibis(summary):
        names = run(summary.select(by).distinct(), summary)[by].dropna()
        return {str(name): summary.filter(summary[by] == name) for name in sorted(names)}
    return {str(name): group for name, group in summary.groupby(by)}


def _totals(
    groups: dict[str, Any],
    purchases: TransactionModel,
    spend: Spend,
    economics: Economics,
    level: float,
    seed: int,
) -> dict[str, Estimate]:
    """Compute each distinct triple once for all groups; a group only weighs them."""
    _on_days(purchases)
    model = _as_spend(spend)
    also = dict.fromkeys((*purchases.covariates_, *model.groups_))
    parts = [collapse(table, model.sums(), also=list(also)).assign(_group=name) for name, table in groups.items()]
    rows = pd.concat(parts, ignore_index=True)
    keys = rows[purchases.keys].drop_duplicates().sort_values(purchases.keys, ignore_index=True)
    at = pd.MultiIndex.from_frame(keys).get_indexer(pd.MultiIndex.from_frame(rows[purchases.keys]))
    n = rows["n"].to_numpy(float)
    terms = economics.horizon_days, economics.discount_rate, economics.step
    exact, near = (purchases.discounting(keys, *terms, digits=digits) for digits in (9, 4))
    names = list(groups)
    member = np.array([rows["_group"] == name for name in names], dtype=float)

    def worth(theta: np.ndarray, phi: np.ndarray, weights: list[tuple[float, float]] = near) -> np.ndarray:
        each = economics.margin_rate * model.summed(phi, rows) - economics.cost_to_serve * n
        return member @ (purchases.expected_by_row(keys, weights, theta)[at] * each)

    value = worth(purchases.point(), model.point(), exact)
    thetas = purchases.draws(TOTAL_DRAWS, seed=seed)
    phis = model.proper_draws(TOTAL_DRAWS, seed=seed + 7)
    means = np.array([worth(theta, phi) for theta, phi in zip(thetas, phis, strict=True)])
    by_chance = _variances(keys, purchases, model, economics.horizon_days, seed)
    unit = economics.margin_rate * model.summed(model.point(), rows) / n - economics.cost_to_serve
    chance = member @ (unit**2 * model.squared(rows) * by_chance[at])
    spread = means.var(axis=0, ddof=1) + chance
    size, method = member @ n, f"{purchases.name}, parameters and chance"
    signs = member @ np.sign(model.summed(phis[0], rows) * economics.margin_rate - economics.cost_to_serve * n)
    one_sided = np.abs(signs) == member.sum(axis=1)  # nobody loses, or everybody does: the sum cannot change its sign
    return {
        name: sum_range(value[k], spread[k], level, int(size[k]), method, one_sided=bool(one_sided[k]))
        for k, name in enumerate(names)
    }


def _variances(
    keys: pd.DataFrame, purchases: TransactionModel, spend: GammaGamma | ConstantSpend, length: float, seed: int
) -> np.ndarray:
    """The variance of each row's money, in units of (v + x z)."""
    few, found = draws_each(len(keys), FOR_A_SUM), []
    for block in blocks(keys):
        counts = purchases.outcomes(block, length, size=few, seed=seed)
        found.append(spend.money(counts, block["frequency"].to_numpy(float), seed).var(axis=0))
    return np.concatenate(found)


def clv_new_customer(
    purchases: TransactionModel,
    spend: Spend,
    economics: Economics,
    *,
    of: dict[str, Any] | None = None,
    orders: OrderMoney | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Return what a newly acquired customer is worth on average, the first purchase included: the most CAC may be.

    Parameters
    ----------
    purchases, spend, economics
        As in ``clv_table``; the horizon starts at the first purchase.
    of : mapping, optional
        For a purchase model with covariates, the newcomer's, such as ``{"channel": "ads"}``.
    orders : OrderMoney, optional
        What a first and a later purchase bring over the mean of ``spend``; as much when left out.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.
    seed : int
        Of the random draws.

    Returns
    -------
    Estimate
        In the client's currency per newcomer; the interval holds the average over many new customers, not one of them.

    Raises
    ------
    TableError
        When the model counts opportunities (BG/BB), or ``of`` names a covariate or a level that it does not know.

    Notes
    -----
    (1 + expected discounted repeat purchases) x (mean spend x margin - cost to serve) at the estimates, the mean spend of
    the first one times ``orders.first``, of the others times ``orders.later``; the ends are quantiles over draws of both models
    and of these. Where the spend model's q is near 1, its mean runs away and draws are held at
    q of 1.05 or more: the value at the estimates may then lie beyond the draws' quantile, and the range reaches to it.

    References
    ----------
    Discounted lifetime from acquisition on, of payments: Fader and Hardie (2010), Marketing Science 29(1), 85-93.

    Examples
    --------
    >>> from clvnb import BGNBD
    >>> purchases = BGNBD.with_params(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="1 week")
    >>> spend = GammaGamma.with_params(p=6.25, q=3.74, v=15.44)
    >>> terms = Economics(margin=0.4, horizon="1 year")
    >>> round(clv_new_customer(purchases, spend, terms).value, 2)
    33.72
    """
    _on_days(purchases)
    terms = economics.horizon_days, economics.discount_rate, economics.step
    exact, near = (purchases.discounting(None, *terms, digits=digits) for digits in (9, 4))
    draws, model = 2 * TOTAL_DRAWS, _as_spend(spend)
    thetas, phis = purchases.draws(draws, seed=seed), model.proper_draws(draws, seed=seed + 7)
    orders, noise = orders or OrderMoney(), np.random.default_rng(seed + 11).standard_normal((2, draws))
    first, later = (
        orders.first * np.exp(orders.first_error * noise[0]),
        orders.later * np.exp(orders.later_error * noise[1]),
    )
    margin, serve = economics.margin_rate, economics.cost_to_serve
    value, values = 0.0, np.zeros(draws)
    for share, kind in _kinds(purchases, model, of or {}):
        known = {k: v for k, v in kind.items() if k in purchases.covariates_ or k not in model.groups_}
        one, some = purchases.expected_by_draw(exact, of=known)[0], purchases.expected_by_draw(near, thetas, known)
        value += share * (
            margin * model.expected_spend_new(**kind) * (orders.first + orders.later * one) - serve * (1 + one)
        )
        values += share * (margin * model.means(phis, kind) * (first + later * some) - serve * (1 + some))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(value), low, high, level, purchases.n_, f"{purchases.name}, mean of new customers")


def _kinds(
    purchases: TransactionModel, spend: GammaGamma | ConstantSpend, of: Mapping[str, Any]
) -> list[tuple[float, dict[str, Any]]]:
    """The kinds of newcomers that both models tell apart, with their shares: who buys often may spend more."""
    both = [name for name in purchases.groups_ if name in spend.groups_ and name not in of]
    if not both or purchases.design_ is None or purchases.patterns_ is None:
        return [(1.0, dict(of))]
    rows = purchases.design_.pick(purchases.patterns_, {k: v for k, v in of.items() if k in purchases.covariates_})
    n = rows.groupby(both, observed=True)["n"].sum()
    names = n.index if len(both) > 1 else [(name,) for name in n.index]
    return [
        (float(share), {**of, **dict(zip(both, name, strict=True))})
        for name, share in zip(names, n / n.sum(), strict=True)
    ]


@one_thread
def new_customer_values(
    summary: pd.DataFrame,
    purchases: TransactionModel,
    economics: Economics,
    *,
    by: str,
    cac: Mapping[str, float] | None = None,
    level: float = LEVEL,
    min_customers: int = 20,
    spread: Spread | None = None,
    orders: OrderMoney | None = None,
) -> pd.DataFrame:
    """Return what a newly won customer of each channel, or cohort, is worth, and hence what winning one may cost.

    Purchases and spend are fitted again with ``by`` as groups: these share the models and differ in how often customers
    buy, how long they stay and what they spend as far as the data tell them apart; what is small or alike is drawn together.

    Parameters
    ----------
    summary : SUMMARY
        With ``monetary_value`` and the column ``by``.
    purchases : a fitted purchase model
        Its kind is fitted again.
    economics : Economics
        Margin, cost to serve, discount rate and horizon.
    by : str
        The column that names the group, for example ``channel``.
    cac : mapping of group to money, optional
        Client's currency per newcomer; a group that is not named has none.
    level : float
        Of the interval.
    min_customers : int
        Smaller groups are put together as ``other``, and valued as everybody is.
    spread : Spread, optional
        How wrong forecasts may be, from ``forecast_purchases``: ranges are wider by it.
    orders : OrderMoney, optional
        As of ``clv_new_customer``.

    Returns
    -------
    pandas.DataFrame
        ``group, customers, clv, clv_low, clv_high`` at acquisition, ``cac, clv_net``, all money per newcomer over the
        horizon; ``ltv_cac, ltv_cac_low, ltv_cac_high``, missing without a cost; ``p_pays``, the chance that the average
        newcomer is worth more than its cost; ``compare_low, compare_high``, the range of ``clv`` without ``spread``, which
        groups share: two groups differ where these lie apart. The best first.

    Raises
    ------
    FitError
        When the model cannot be fitted with the groups.
    TableError
        When there is no column ``by``.

    References
    ----------
    Covariates: Fader and Hardie (2007), note 019, "Incorporating time-invariant covariates into the Pareto/NBD and
    BG/NBD models".

    Examples
    --------
    >>> from clvnb import BGNBD, summarize
    >>> model = BGNBD.with_params(r=0.9, alpha=60.0, a=0.8, b=2.5)
    >>> log = pd.concat([model.simulate(300, seed=k).assign(channel=c) for k, c in enumerate(["ads", "mail"])])
    >>> log["customer_id"] = log["channel"] + log["customer_id"]
    >>> found = new_customer_values(summarize(log), model, Economics(), by="channel", cac={"ads": 2.0})
    >>> sorted(found["group"]), int(found["cac"].count())
    (['ads', 'mail'], 1)
    """
    need(summary, [by], "the SUMMARY")
    known = summary.assign(**{by: summary[by].astype(str)})
    small = known[by].map(known[by].value_counts()) < min_customers
    rows, rest = known[~small], known[small]
    names = sorted(rows[by].unique())
    groups = [by] if len(names) > 1 else []
    model, spend = _by_group(purchases, rows, groups), fit_spend(known if rows.empty else rows, groups)
    cases = []
    for name in names:
        of = {by: name} if groups else None
        cases.append(
            (
                name,
                int((rows[by] == name).sum()),
                clv_new_customer(model, spend, economics, of=of, orders=orders, level=level),
            )
        )
    if len(rest):
        cases.append(
            ("other", len(rest), clv_new_customer(purchases, fit_spend(known), economics, orders=orders, level=level))
        )
    out = []
    for name, size, alone in cases:
        worth = alone if spread is None else spread.widen(alone)
        cost = (cac or {}).get(name, np.nan)
        case = ltv_cac(worth, cost) if cost > 0 else None
        ratios = (case.net, case.ratio, case.low, case.high, case.p_pays) if case else (np.nan,) * 5
        out.append((name, size, worth.value, worth.low, worth.high, cost, *ratios, alone.low, alone.high))
    table = pd.DataFrame(out, columns=["group", "customers", "clv", "clv_low", "clv_high", "cac", "clv_net", "ltv_cac",
                                       "ltv_cac_low", "ltv_cac_high", "p_pays", "compare_low", "compare_high"])  # fmt: skip
    return table.sort_values("clv", ascending=False, ignore_index=True)


def _by_group(purchases: TransactionModel, rows: pd.DataFrame, groups: list[str]) -> TransactionModel:
    """The same kind of model with the groups, its future at the same pace; the one that is there where it knows them."""
    if set(groups) <= set(purchases.groups_):
        return purchases
    model = purchases.clone().fit(rows, groups=groups)
    model.pace_ = purchases.pace_
    return model


def tier_chances(
    summary: pd.DataFrame,
    purchases: TransactionModel,
    spend: Spend,
    economics: Economics,
    *,
    shares: tuple[float, float] = (0.8, 0.95),
    seed: int = 0,
) -> pd.DataFrame:
    """Return how surely each customer belongs to a tier of expected value, given what the parameters leave open.

    Parameters
    ----------
    summary : SUMMARY
    purchases, spend, economics
        As in ``clv_table``.
    shares : pair of float
        From 0 to 1, as in ``value_tiers``.
    seed : int
        Of the random draws.

    Returns
    -------
    pandas.DataFrame
        ``customer_id, tier`` (the likeliest), ``chance_A, chance_B, chance_C`` (0 to 1) over draws of the parameters,
        and ``clear``, a chance of 80 % or more: the others stand too near a border to be treated by their tier.

    Raises
    ------
    TableError
        When the SUMMARY lacks a column, or the model counts opportunities (BG/BB).

    Notes
    -----
    Tiers are made anew for each of 100 draws of the parameters; chance of purchases and of spend is not in it.

    Examples
    --------
    >>> from clvnb import BGNBD
    >>> purchases = BGNBD.with_params(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="1 week")
    >>> spend = GammaGamma.with_params(p=6.25, q=3.74, v=15.44)
    >>> summary = pd.DataFrame({"customer_id": ["1", "2"], "frequency": [2, 0], "recency": [213, 0], "T": [272, 272],
    ...     "monetary_value": [22.345, None]})
    >>> terms = Economics(margin=0.4, horizon="1 year")
    >>> tier_chances(summary, purchases, spend, terms)[["customer_id", "tier", "clear"]]
      customer_id tier  clear
    0           1    A   True
    1           2    B   True
    """
    check(summary, SUMMARY)
    _on_days(purchases)
    rows = collapse(summary, also=purchases.covariates_)
    weights = purchases.discounting(rows, economics.horizon_days, economics.discount_rate, economics.step, digits=4)
    where = pd.MultiIndex.from_frame(rows[purchases.keys]).get_indexer(
        pd.MultiIndex.from_frame(summary[purchases.keys])
    )
    model = _as_spend(spend)
    phis = model.proper_draws(TOTAL_DRAWS, seed=seed + 7)
    own = pd.DataFrame(
        {
            "n": 1.0,
            "frequency": summary["frequency"].to_numpy(float),
            "z": positive(summary["monetary_value"]).to_numpy(),
        }
    ).assign(**{name: summary[name].to_numpy() for name in model.groups_})
    counts = np.zeros((3, len(summary)))
    for theta, phi in zip(purchases.draws(TOTAL_DRAWS, seed=seed), phis, strict=True):
        unit = economics.margin_rate * model.summed(phi, own) - economics.cost_to_serve
        tiers = value_tiers(pd.Series(purchases.expected_by_row(rows, weights, theta)[where] * unit), shares=shares)
        for k, name in enumerate("ABC"):
            counts[k] += (tiers == name).to_numpy()
    chance = counts / TOTAL_DRAWS
    table = pd.DataFrame(dict(zip(["chance_A", "chance_B", "chance_C"], chance, strict=True)), index=summary.index)
    table.insert(0, "tier", np.array(list("ABC"))[chance.argmax(axis=0)])
    table.insert(0, "customer_id", summary["customer_id"])
    return table.assign(clear=chance.max(axis=0) >= 0.8)


def recommend_basis(summary: pd.DataFrame) -> Finding:
    """Say on which basis customers are valued, margin wherever one is known, and whether revenue would rank them alike.

    Parameters
    ----------
    summary : SUMMARY
        With ``historic_revenue`` and ``historic_value`` (margin to date).

    Returns
    -------
    Finding
        ``share_mean``, the mean of what is left of revenue; ``share_cv``, its standard deviation over that mean;
        ``rank_correlation`` (Spearman) of value and revenue to date; ``basis``, ``margin``, or ``revenue`` where no
        margin is known.

    Examples
    --------
    >>> summary = pd.DataFrame({"historic_revenue": [100.0, 100.0, 50.0], "historic_value": [40.0, 10.0, 20.0]})
    >>> recommend_basis(summary).table.round(3)
       share_mean  share_cv  rank_correlation   basis
    0         0.3     0.577               0.0  margin
    """
    known = summary[(summary["historic_revenue"] > 0) & summary["historic_value"].notna()]
    if known.empty:
        table = pd.DataFrame(
            {"share_mean": [np.nan], "share_cv": [np.nan], "rank_correlation": [np.nan], "basis": ["revenue"]}
        )
        return Finding(
            table, "No margin is known, so values are revenue: they rank customers, and overstate their contribution."
        )
    share = known["historic_value"] / known["historic_revenue"]
    cv = float(share.std() / abs(share.mean())) if len(share) > 1 and share.mean() else 0.0
    same = float(known["historic_value"].rank().corr(known["historic_revenue"].rank())) if len(known) > 2 else 1.0
    table = pd.DataFrame(
        {"share_mean": [share.mean()], "share_cv": [cv], "rank_correlation": [same], "basis": ["margin"]}
    )
    text = f"Of an average customer's revenue {share.mean():.0%} is margin"
    if cv < 0.1:
        text += ", of nearly all alike: revenue would rank them the same, and margin says what they are worth."
    else:
        text += f"; customers differ in it (by {cv:.0%} of that): value them by margin. By revenue the ranking would "
        text += "hardly change" if same > 0.98 else "be another one"
        text += f" (rank correlation {same:.2f})."
    return Finding(table, text)


def losses(customers: pd.DataFrame, summary: pd.DataFrame, economics: Economics) -> Finding:
    """Say how many customers cost more than they bring, and why: values below 0 are never cut off.

    Parameters
    ----------
    customers : CLV
        With ``historic_value``.
    summary : SUMMARY
        Of the same customers, with ``historic_revenue`` and ``purchases``.
    economics : Economics
        Margin and cost to serve.

    Returns
    -------
    Finding
        ``cause, customers, value``: money to date of these customers by root cause, in the client's currency. The last
        cause are customers who have not lost money yet.

    Examples
    --------
    >>> customers = pd.DataFrame({"customer_id": ["a", "b"], "historic_value": [-3.0, 12.0], "clv": [1.0, 8.0]})
    >>> summary = pd.DataFrame({"customer_id": ["a", "b"], "historic_revenue": [10.0, 40.0], "purchases": [4, 4]})
    >>> losses(customers, summary, Economics(margin=0.5, cost_to_serve=2.0)).table
                                   cause  customers  value
    0  serving cost more than the margin          1   -3.0
    """
    both = customers[["customer_id", "historic_value", "clv"]].merge(
        summary[["customer_id", "historic_revenue", "purchases"]], on="customer_id"
    )
    gone = both["historic_value"] < 0
    back = gone & (both["historic_revenue"] <= 0)
    serve = (
        gone & ~back & (economics.margin_rate * both["historic_revenue"] < economics.cost_to_serve * both["purchases"])
    )
    ahead = ~gone & (both["clv"] < 0)
    causes = {"they took back as much as they bought": back, "serving cost more than the margin": serve,
              "sold below cost": gone & ~back & ~serve, "the next purchases are expected to lose money": ahead}  # fmt: skip
    table = pd.DataFrame(
        [(name, int(at.sum()), float(both.loc[at, "historic_value"].sum())) for name, at in causes.items() if at.any()],
        columns=["cause", "customers", "value"],
    )
    if table.empty:
        return Finding(table, "No customer has cost more than they brought.")
    lost = f"{int(table['customers'].sum()):,} customers are worth less than nothing"
    if len(table) == 1:
        return Finding(table, f"{lost}, because {table['cause'].iloc[0]}.")
    parts = "; ".join(f"{r.customers:,} because {r.cause}" for r in table.itertuples())
    return Finding(table, f"{lost}: {parts}.")
