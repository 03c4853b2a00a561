"""Textbook arithmetic of customer lifetime value: discounting, and the simple formulas of the comparison of methods.

In: plain numbers, or a checked log. Out: plain numbers or small tables; nothing is fitted here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.maths import DAYS_PER_YEAR, LEVEL, UNIT_DAYS, tail, years
from ..core.results import Estimate

__all__ = [
    "TIMINGS",
    "Simple",
    "annual_billing_break_even",
    "Acquisition",
    "annualise",
    "cac",
    "clv_basic",
    "clv_migration",
    "clv_retention",
    "clv_simple",
    "customer_equity",
    "elasticity",
    "loyalty_break_even",
    "ltv_cac",
    "max_cac",
    "mixed_rate",
    "optimal_acquisition_spend",
    "payback",
    "per_period",
    "ratio_of_sums",
    "refuse_lifetime_margin",
    "retention_spend",
    "segment_mix",
]


def __dir__() -> list[str]:
    return sorted(__all__)


# ---------------------------------------------------------------------------- the simple formulas

_PERIODS_A_YEAR = {"day": 365.0, "week": 52.0, "month": 12.0, "quarter": 4.0, "year": 1.0}


def annualise(value: float, period: str, *, exact: bool = False) -> float:
    """Turn the value of a customer in one period into a year's.

    Parameters
    ----------
    value : float
        Money in one period; may be negative.
    period : "day", "week", "month", "quarter" or "year"
    exact : bool
        A year then has 365.25 days, and so 52.18 weeks; without it 365 days, or 52 weeks, which are 364 days. Months
        and quarters are 12 and 4 either way.

    Returns
    -------
    float
        The same money a year.

    Raises
    ------
    ValueError
        For a period that is not known.

    Examples
    --------
    >>> round(annualise(24.30, "week"), 2)
    1263.6
    """
    if period not in _PERIODS_A_YEAR:
        raise ValueError(f"period must be one of {', '.join(_PERIODS_A_YEAR)}, got {period!r}")
    return value * (DAYS_PER_YEAR / UNIT_DAYS[period] if exact else _PERIODS_A_YEAR[period])


def clv_basic(lifespan_years: float, annual_contribution: float) -> float:
    """Return years active times yearly contribution: no discount, a known lifespan, a constant contribution.

    Parameters
    ----------
    lifespan_years : float
        Not below 0.
    annual_contribution : float
        Money a year; may be negative.

    Returns
    -------
    float
        Money per customer, undiscounted.

    Raises
    ------
    ValueError
        When the lifespan is below 0.

    References
    ----------
    As in Client Heartbeat's guide "Customer Lifetime Value For Beginners (4 Step Guide)"; no publication.

    Examples
    --------
    >>> clv_basic(4, 250)
    1000
    """
    _not_below("lifespan_years", lifespan_years, 0)
    return lifespan_years * annual_contribution


@dataclass(frozen=True)
class Simple:
    """The simple formula, part by part.

    Attributes
    ----------
    purchase_value : float
        Revenue / orders.
    purchase_frequency : float
        Orders / customers, in the window scaled to a year.
    customer_value : float
        Their product, a year: revenue / customers, since the orders cancel.
    clv_revenue, clv_margin : float
        Customer value times lifespan, as revenue and after the margin.
    """

    purchase_value: float
    purchase_frequency: float
    customer_value: float
    clv_revenue: float
    clv_margin: float


def clv_simple(
    revenue: float,
    orders: float,
    customers: float,
    lifespan_years: float,
    *,
    margin: float = 1.0,
    window: str | float = "1 year",
) -> Simple:
    """Return average purchase value x purchase frequency x lifespan.

    Parameters
    ----------
    revenue : float
        Money of one window, net of tax and refunds.
    orders, customers : float
        Of the same window; customers with at least one order in it.
    lifespan_years : float
        Years, not below 0.
    margin : float
        Share of revenue that is contribution.
    window : str or number of days
        Anything but a year is scaled to one.

    Returns
    -------
    Simple
        ``purchase_value, purchase_frequency, customer_value`` and the value on revenue and on margin, money per
        customer. Without orders the purchase value is missing, without customers everything but it.

    Raises
    ------
    ValueError
        When orders, customers or the lifespan are below 0, the margin is no share, or the window is no duration.

    References
    ----------
    The textbook product, as in UserGuiding's guide "How to Calculate and Increase Customer Lifetime Value (CLV)"; no
    publication.

    Examples
    --------
    >>> simple = clv_simple(120_000, 2_400, 800, 3, margin=0.4)
    >>> simple.purchase_value, simple.purchase_frequency, simple.clv_revenue, simple.clv_margin
    (50.0, 3.0, 450.0, 180.0)
    """
    _not_below("orders", orders, 0)
    _not_below("customers", customers, 0)
    _not_below("lifespan_years", lifespan_years, 0)
    _share("margin", margin)
    a_year = 1 / years(window)
    value = revenue / orders if orders else math.nan
    frequency = orders / customers * a_year if customers else math.nan
    yearly = revenue / customers * a_year if customers else math.nan
    return Simple(value, frequency, yearly, yearly * lifespan_years, yearly * lifespan_years * margin)


TIMINGS = ("start_certain", "next_if_retained", "at_renewal", "end_of_period", "mid_period")


def clv_retention(
    margin: float,
    retention: float,
    discount_rate: float,
    timing: str,
    *,
    periods: float = math.inf,
    growth: float = 0.0,
) -> float:
    """Return the retention formula in the variant that its timing names.

    Parameters
    ----------
    margin : float
        Contribution of one period from an active customer, less retention spend.
    retention : float
        Chance to stay, per period, from 0 to 1; 1 only with a finite number of ``periods``.
    discount_rate : float
        Per period, as a fraction; ``per_period`` makes it from a yearly one.
    timing : str
        When margins come. ``start_certain``: now, and each period if retained (a customer being won).
        ``next_if_retained``: one period ahead, if retained (just paid). ``at_renewal``: now, if retained (the renewal
        is due). ``end_of_period``: at each period's end, of a customer there at its start. ``mid_period``: in the
        middle of each period, the first one certain.
    periods : float
        Number of payments; infinite by default.
    growth : float
        Of the margin, per period, before the first payment that is not certain.

    Returns
    -------
    float
        Money per customer, in the unit of ``margin``, discounted to today.

    Raises
    ------
    ValueError
        For an unknown timing, a retention outside 0 to 1, periods below 0 or a discount_rate at or below -1; and when
        the infinite sum has no end: retention x (1 + growth) is not below 1 + discount_rate.

    References
    ----------
    Fader and Hardie (2012), note 024, "Reconciling and clarifying CLV formulas". Growth: Gupta and Lehmann (2003),
    Journal of Interactive Marketing 17(1), 9-24, whose multiple leaves the first margin ungrown, r / (1 + i - r (1 +
    g)).

    Examples
    --------
    >>> [round(clv_retention(100, 0.8, 0.1, t), 3) for t in TIMINGS]
    [366.667, 266.667, 293.333, 333.333, 349.603]
    """
    if timing not in TIMINGS:
        raise ValueError(f"timing must be one of {', '.join(TIMINGS)}, got {timing!r}")
    _share("retention", retention)
    _not_below("periods", periods, 0)
    if discount_rate <= -1:
        raise ValueError(f"discount_rate must be above -1, got {discount_rate}")
    ratio = retention * (1 + growth) / (1 + discount_rate)
    if math.isinf(periods) and (ratio >= 1 or retention >= 1):
        raise ValueError(
            f"with retention {retention}, growth {growth} and discount {discount_rate} the sum has no end; "
            "give a number of periods"
        )
    terms = _geometric(ratio, periods)
    factor = {
        "start_certain": 1.0,
        "next_if_retained": ratio,
        "at_renewal": ratio * (1 + discount_rate),
        "end_of_period": 1 / (1 + discount_rate),
        "mid_period": (1 + discount_rate) ** -0.5,
    }[timing]
    return margin * factor * terms


def _geometric(ratio: float, periods: float) -> float:
    """1 + ratio + ... , ``periods`` terms."""
    if ratio == 1:
        return periods
    return (1 - ratio**periods) / (1 - ratio) if math.isfinite(periods) else 1 / (1 - ratio)


def per_period(annual_rate: float, periods_a_year: float) -> float:
    """Turn an effective yearly rate into one per period, (1 + d)^(1/f) - 1, and never d / f.

    Parameters
    ----------
    annual_rate : float
        Effective, as a fraction.
    periods_a_year : float
        12 for months, 52 for weeks.

    Returns
    -------
    float
        A fraction per period.

    Examples
    --------
    >>> round(per_period(0.10, 12), 7)
    0.0079741
    """
    return (1 + annual_rate) ** (1 / periods_a_year) - 1


def refuse_lifetime_margin(margin: float, annual_margin: float, lifespan_years: float) -> None:
    """Refuse a lifetime's margin where the retention formula wants one period's: the lifespan would count twice.

    The best-known case is the Starbucks example of Kissmetrics' "How to calculate lifetime value", which many guides
    copy: $5,382.94 of margin over twenty years, put into 0.75 / (1.1 - 0.75), is printed as $11,535. A year's margin
    gives $577 (next payment) or $846 (first payment now).

    Parameters
    ----------
    margin : float
        As it would be given to the retention formula.
    annual_margin : float
        Of one year.
    lifespan_years : float
        Years; up to one nothing is refused.

    Returns
    -------
    None
        When the two do not contradict each other.

    Raises
    ------
    ValueError
        When ``margin`` is within 2 % of ``annual_margin`` x ``lifespan_years``, and the lifespan exceeds a year.

    References
    ----------
    Fader and Hardie (2012), note 024, for the margin that the formula takes.

    Examples
    --------
    >>> refuse_lifetime_margin(269.15, annual_margin=269.15, lifespan_years=20)
    """
    if lifespan_years > 1 and math.isclose(margin, annual_margin * lifespan_years, rel_tol=0.02):
        raise ValueError(
            f"{margin:,.2f} is the margin of {lifespan_years:g} years; the retention formula counts the lifespan "
            f"itself: give it one year's margin, {annual_margin:,.2f}"
        )


# ------------------------------------------------------------------------------------------ acquisition


def cac(components: Mapping[str, float], new_customers: float) -> float:
    """Return what winning one customer cost, from named components over the customers won.

    Parameters
    ----------
    components : mapping of name to money
        For example ``{"sales time": 800, "advertising": 1200}``; divide by customers, never by leads.
    new_customers : float
        Won in the same span as the costs, the lag between the two taken into account.

    Returns
    -------
    float
        Money per customer won; missing when ``new_customers`` is 0.

    Raises
    ------
    ValueError
        When a cost or ``new_customers`` is below 0.

    References
    ----------
    Farris, Bendle, Pfeifer and Reibstein (2010), Marketing Metrics, chapter 5, "average acquisition cost".

    Examples
    --------
    >>> cac({"sales time": 800, "bonuses": 100, "samples": 100, "advertising": 1000}, 50)
    40.0
    """
    for name, amount in components.items():
        _not_below(f"cost of {name}", amount, 0)
    _not_below("new_customers", new_customers, 0)
    return sum(components.values()) / new_customers if new_customers else math.nan


def max_cac(clv: float, *, target_share: float = 1.0) -> float:
    """Return the most that winning a customer may cost: a share of the value at acquisition, and never below 0.

    Parameters
    ----------
    clv : float
        Money per new customer.
    target_share : float
        Of it, what may be spent.

    Returns
    -------
    float
        Money per customer won.

    Raises
    ------
    ValueError
        When the share lies outside 0 to 1.

    References
    ----------
    Value as the ceiling of acquisition cost: Blattberg and Deighton (1996), Harvard Business Review 74(4). Where
    capacity is short it is no ceiling: Pfeifer and Ovchinnikov (2011), Journal of Interactive Marketing 25(3).

    Examples
    --------
    >>> max_cac(300, target_share=1 / 3)
    100.0
    """
    _share("target_share", target_share)
    return max(0.0, clv * target_share)


def payback(
    acquisition_cost: float, margin: float, *, retention: float = 1.0, discount_rate: float = 0.0, longest: int = 10_000
) -> float:
    """Return the number of payments after which a customer has paid for being won; infinite when never.

    Parameters
    ----------
    acquisition_cost, margin : float
        Money; the margin of one period from an active customer, the first payment certain.
    retention : float
        Per period. 1 gives the simple payback, which forgets that customers leave.
    discount_rate : float
        Per period.
    longest : int
        Periods after which "never" is said.

    Returns
    -------
    float
        Number of payments, the first one now; infinite when never, as for a margin of 0 or less.

    Raises
    ------
    ValueError
        When retention is no share.

    Notes
    -----
    The first t at which the sum of margin x (retention / (1 + discount_rate))^s over s < t reaches the cost; infinite
    where the whole sum stays below it.

    References
    ----------
    That a year is short enough is a convention: Skok, "SaaS metrics".

    Examples
    --------
    >>> payback(120, 30), payback(120, 30, retention=0.95), payback(601, 30, retention=0.95)
    (4, 5, inf)
    """
    _share("retention", retention)
    ratio, paid = retention / (1 + discount_rate), 0.0
    if ratio < 1 and margin / (1 - ratio) < acquisition_cost:
        return math.inf
    for k in range(1, longest + 1):
        paid += margin * ratio ** (k - 1)
        if paid >= acquisition_cost - 1e-12 * abs(acquisition_cost):
            return k
    return math.inf


def optimal_acquisition_spend(clv: float, ceiling: float, k: float) -> float:
    """Return the spend per prospect that maximises acceptance x value - spend, acceptance = ceiling (1 - exp(-k A)).

    Parameters
    ----------
    clv : float
        Value of a customer who accepts.
    ceiling : float
        The share that would accept at any price.
    k : float
        How fast spend moves prospects: -ln(1 - a/ceiling)/A from one observed point (A, a).

    Returns
    -------
    float
        Money per prospect.

    Raises
    ------
    ValueError
        When the ceiling is no share, or ``k`` is below 0.

    References
    ----------
    Blattberg and Deighton (1996), Harvard Business Review 74(4), "Manage marketing by the customer equity test".

    Examples
    --------
    >>> round(optimal_acquisition_spend(200, 0.4, 0.1), 3)
    20.794
    """
    _share("ceiling", ceiling)
    _not_below("k", k, 0)
    steep = ceiling * k * clv
    return math.log(steep) / k if steep > 1 else 0.0


# ---------------------------------------------------------------------------- annual billing, migration


def ratio_of_sums(numerator: Any, denominator: Any, *, level: float = LEVEL) -> Estimate:
    """Return a ratio of two sums over customers, such as revenue over orders, with its interval.

    The mean of the customers' own ratios is another number, and no average purchase value.

    Parameters
    ----------
    numerator, denominator : array
        One entry per customer.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.

    Returns
    -------
    Estimate
        In the unit of the ratio; ``n`` customers.

    Raises
    ------
    ValueError
        When the two differ in length, or the denominators add up to 0.

    References
    ----------
    The linearised standard error, customers as the units: Cochran (1977), Sampling Techniques, section 2.11.

    Examples
    --------
    >>> ratio_of_sums([30, 50, 120, 150, 650], [1, 2, 3, 4, 10]).value
    50.0
    """
    import numpy as np

    y, x = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    if y.shape != x.shape or len(x) == 0 or x.sum() == 0:
        raise ValueError(
            "numerator and denominator need one entry per customer, and a denominator that is not 0 in all"
        )
    n, ratio = len(x), float(y.sum() / x.sum())
    error = float(np.sqrt(n / max(n - 1, 1) * ((y - ratio * x) ** 2).sum())) / abs(float(x.sum()))
    reach = tail(level) * error
    return Estimate(ratio, ratio - reach, ratio + reach, level, n, "ratio of sums, linearised")


@dataclass(frozen=True)
class Acquisition:
    """What a customer is worth against what winning one cost.

    Attributes
    ----------
    ratio, low, high : float
        LTV:CAC and its interval, over the horizon of the value. Three to one is a habit, not a theory: the ratio
        forgets scale and time, and a high one can mean that too little is spent.
    p_pays : float
        The chance that the average new customer is worth more than winning one cost.
    net : float
        Value less cost.
    """

    ratio: float
    low: float
    high: float
    p_pays: float
    net: float


def ltv_cac(clv: Estimate, cac: float) -> Acquisition:
    """Return value over cost of a new customer, with its interval, and the chance that winning one pays.

    Parameters
    ----------
    clv : Estimate
        Of a newly won customer, as ``clv_new_customer`` gives it.
    cac : float
        Above 0.

    Returns
    -------
    Acquisition
        ``ratio`` with its interval, and the chance that it exceeds 1.

    Raises
    ------
    ValueError
        When ``cac`` is not above 0.

    Notes
    -----
    ``p_pays`` is the normal distribution function at (value - cac) / standard error, the error from the width of
    ``clv``'s interval.

    References
    ----------
    Three to one is a convention: Skok, "SaaS metrics"; against it Gurley (2012), "The dangerous seduction of the
    lifetime value (LTV) formula".

    Examples
    --------
    >>> case = ltv_cac(Estimate(600.0, 400.0, 800.0, 0.9, 100, "example"), 120.0)
    >>> case.ratio, round(case.p_pays, 4), case.net
    (5.0, 1.0, 480.0)
    """
    from scipy.special import ndtr

    if not cac > 0:
        raise ValueError(f"cac must be above 0, got {cac}: customers who cost nothing have no ratio")
    error = (clv.high - clv.low) / (2 * tail(clv.level))
    sure = float(clv.value > cac)
    p_pays = float(ndtr((clv.value - cac) / error)) if error > 0 else sure
    return Acquisition(clv.value / cac, clv.low / cac, clv.high / cac, p_pays, clv.value - cac)


def customer_equity(
    current: float,
    new_customers: float,
    clv: float,
    cac: float,
    discount_rate: float,
    *,
    horizon: str | float = "3 years",
) -> tuple[float, float]:
    """Return what the customers of today are still worth, and what those still to be won will be, kept apart.

    Parameters
    ----------
    current : float
        Residual value of all customers of today.
    new_customers : float
        To be won each year.
    clv, cac : float
        Of one of them, at acquisition.
    discount_rate : float
        A year; each year's newcomers are counted in its middle.
    horizon : str or number of days
        For how long newcomers are counted; the part of a year counts in its middle.

    Returns
    -------
    (float, float)
        Money: of those who are customers today, and of those to be won.

    References
    ----------
    Rust, Lemon and Zeithaml (2004), Journal of Marketing 68(1), 109-127; Gupta, Lehmann and Stuart (2004), JMR 41(1),
    7-18.

    Examples
    --------
    >>> customer_equity(1000.0, 10, 50.0, 20.0, 0.0, horizon="2 years")
    (1000.0, 600.0)
    """
    ahead = years(horizon)
    spans = [(k, min(1.0, ahead - k)) for k in range(math.ceil(ahead))]  # whole years, and what is left of the last
    later = sum(part * (1 + discount_rate) ** -(k + part / 2) for k, part in spans)
    return current, new_customers * (clv - cac) * later


def annual_billing_break_even(
    monthly_margin: float,
    monthly_retention: float,
    annual_margin: float,
    discount_rate: float,
    *,
    horizon_years: int = 5,
) -> float:
    """Return the yearly renewal rate at which an annual plan is worth as much as the monthly one.

    Parameters
    ----------
    monthly_margin, annual_margin : float
        Of one payment, less the discount of the annual plan.
    monthly_retention : float
        A month, from 0 to 1.
    discount_rate : float
        A year, as a fraction.
    horizon_years : int
        Years over which both plans are valued.

    Returns
    -------
    float
        Yearly renewal rate, from 0 to 1; 0 where the first annual payment alone is worth as much, missing where certain
        renewal is not enough.

    Raises
    ------
    ValueError
        When ``monthly_retention`` lies outside 0 to 1.

    Notes
    -----
    Both plans are valued by ``clv_retention``, the first payment now, and equated by root finding (Brent 1973). Equal
    churn would be ``monthly_retention ** 12``; that annual plans renew like that is an assumption to test.

    References
    ----------
    Against that assumption: DellaVigna and Malmendier (2006), American Economic Review 96(3), 694-719.

    Examples
    --------
    >>> round(annual_billing_break_even(8, 0.95, 76, 0.10), 4)
    0.4924
    """
    from scipy.optimize import brentq

    monthly = clv_retention(
        monthly_margin, monthly_retention, per_period(discount_rate, 12), "start_certain", periods=12 * horizon_years
    )

    def gap(renewal: float) -> float:
        return clv_retention(annual_margin, renewal, discount_rate, "start_certain", periods=horizon_years) - monthly

    if gap(0.0) >= 0:
        return 0.0
    return float(brentq(gap, 0.0, 1.0)) if gap(1.0) >= 0 else math.nan


def clv_migration(transition: Any, margins: Any, discount_rate: float, *, periods: float = math.inf) -> Any:
    """Return the value of a customer in each state of a Markov chain: V = (I - P/(1+d))^-1 R.

    Parameters
    ----------
    transition : array (states, states)
        Chance to move from row to column in a period; rows sum to 1, or to less where the rest is lost.
    margins : array (states,)
        Contribution of a period spent in the state, negative where contact costs more than it brings; the first one
        comes now, the next after one period.
    discount_rate : float
        Per period.
    periods : float
        Periods after the first one; infinite by default.

    Returns
    -------
    numpy.ndarray
        Money per customer in each state, in the order of ``margins``.

    Raises
    ------
    ValueError
        When the shapes do not fit, a row of chances adds up to more than 1, or the infinite sum has no end: nobody is ever
        lost and ``discount_rate`` is 0.

    References
    ----------
    Pfeifer and Carraway (2000), Journal of Interactive Marketing 14(2), 43-55, equations (3) and (4).

    Examples
    --------
    >>> moves = [[0.3, 0.7, 0, 0, 0], [0.2, 0, 0.8, 0, 0], [0.15, 0, 0, 0.85, 0],
    ...     [0.05, 0, 0, 0, 0.95], [0, 0, 0, 0, 1]]
    >>> clv_migration(moves, [36, -4, -4, -4, 0], 0.2).round(3).tolist()
    [52.32, 5.554, 1.251, -1.82, 0.0]
    """
    import numpy as np

    P, R = np.asarray(transition, dtype=float), np.asarray(margins, dtype=float)
    if P.ndim != 2 or P.shape[0] != P.shape[1] or R.shape != (len(P),):
        raise ValueError(f"transition must be square and margins fit it, got {P.shape} and {R.shape}")
    if (P < 0).any() or (P.sum(axis=1) > 1 + 1e-9).any():
        raise ValueError("every row of transition holds chances that add up to 1 at most")
    step = P / (1 + discount_rate)
    if math.isinf(periods):
        if discount_rate <= 0 and np.max(np.abs(np.linalg.eigvals(step))) > 1 - 1e-12:
            raise ValueError("nobody is ever lost and nothing discounted: give periods or a discount_rate above 0")
        return np.linalg.solve(np.eye(len(P)) - step, R)
    value = R.copy()
    for _ in range(int(periods)):
        value = R + step @ value
    return value


def elasticity(retention: float, discount_rate: float, timing: str = "next_if_retained") -> float:
    """Return by how many per cent value rises when retention rises by one: (1+d)/(1+d-r), or r/(1+d-r).

    Parameters
    ----------
    retention, discount_rate : float
        Per period, as fractions.
    timing : "next_if_retained" or "start_certain"
        As in ``clv_retention``.

    Returns
    -------
    float
        Per cent of value per per cent of retention.

    Raises
    ------
    ValueError
        For a timing that is neither of the two, a retention outside 0 to 1, a discount rate below 0, or a value without
        end.

    References
    ----------
    The derivative of ``clv_retention`` by retention. Gupta, Lehmann and Stuart (2004), JMR 41(1), 7-18, find about five
    per cent of value for one of retention.

    Examples
    --------
    >>> round(elasticity(0.8, 0.12), 2), round(elasticity(0.8, 0.12, "start_certain"), 2)
    (3.5, 2.5)
    """
    _share("retention", retention)
    _not_below("discount_rate", discount_rate, 0)
    room = 1 + discount_rate - retention
    if room <= 0:
        raise ValueError("retention must be below 1, or discount_rate above 0: value has no end otherwise")
    if timing == "next_if_retained":
        return (1 + discount_rate) / room
    if timing == "start_certain":
        return retention / room
    raise ValueError(f"timing must be next_if_retained or start_certain, got {timing!r}")


def _share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie between 0 and 1, got {value}")


def _not_below(name: str, value: float, least: float) -> None:
    if not value >= least:
        raise ValueError(f"{name} must not be below {least}, got {value}")


def retention_spend(
    margin: float, retention: float, raised: float, discount_rate: float, *, timing: str = "start_certain"
) -> tuple[float, float]:
    """Return the most that raising retention may cost per customer: once, and in every period.

    Parameters
    ----------
    margin : float
        Contribution per period; money.
    retention, raised : float
        Before and after, per period.
    discount_rate : float
        Per period.
    timing : str
        As in ``clv_retention``.

    Returns
    -------
    (float, float)
        The value gained, once, per customer; and the spend in every period that takes all of it away again. Both in the
        unit of ``margin``.

    Raises
    ------
    ValueError
        As ``clv_retention`` without ``periods``: for a retention of 1, or a timing that is not known.

    Notes
    -----
    The spend per period is margin x (1 - V(retention) / V(raised)), with V from ``clv_retention``.

    References
    ----------
    Fader and Hardie (2012), note 024.

    Examples
    --------
    >>> once, each = retention_spend(100, 0.80, 0.82, 0.10)
    >>> round(once, 2), round(each, 3)
    (26.19, 6.667)
    """
    before = clv_retention(margin, retention, discount_rate, timing=timing)
    after = clv_retention(margin, raised, discount_rate, timing=timing)
    return after - before, margin * (1 - before / after)


def loyalty_break_even(
    customers: float, members: float, *, fixed: float, reward: float, spend: float, breakage: float = 0.0
) -> float:
    """Return how much more each member must bring for a loyalty programme to pay.

    Parameters
    ----------
    customers : float
        How many there are.
    members : float
        Share of customers who join, above 0 and up to 1.
    fixed : float
        Money that the programme costs by itself in the time looked at.
    reward : float
        Share of a member's spend that is given back, from 0 to 1.
    spend : float
        Money that a member spends in the same time.
    breakage : float
        Share of rewards that is never claimed, from 0 to 1.

    Returns
    -------
    float
        Money per member over the time that the costs are for.

    Raises
    ------
    ValueError
        When members or breakage are no shares, or without customers or members.

    Notes
    -----
    fixed / (customers x members) + reward x spend x (1 - breakage). Members buy more than others to begin with, so
    their lead is not the programme's effect.

    References
    ----------
    Leenheer, van Heerde, Bijmolt and Smidts (2007), International Journal of Research in Marketing 24(1), 31-47: the
    effect was about a seventh of the lead.

    Examples
    --------
    >>> loyalty_break_even(1000, 0.4, fixed=8000, reward=0.05, spend=250)
    32.5
    """
    _share("members", members)
    _share("breakage", breakage)
    if customers * members <= 0:
        raise ValueError(f"there must be customers and members, got {customers} and {members}")
    return fixed / (customers * members) + reward * spend * (1 - breakage)


def mixed_rate(satisfied: float, rate_satisfied: float, rate_dissatisfied: float) -> float:
    """Return how often a customer buys whose purchases please with a given chance: a harmonic mean of two rates.

    The last purchase sets the pace of the next, so slow spells last longer.

    Parameters
    ----------
    satisfied : float
        Chance that a purchase pleases.
    rate_satisfied, rate_dissatisfied : float
        Purchases a year after a purchase that pleased, and after one that did not; above 0.

    Returns
    -------
    float
        In the unit of the two rates.

    Raises
    ------
    ValueError
        When the share lies outside 0 to 1, or a rate is not above 0.

    References
    ----------
    Ho, Park and Zhou (2006), Marketing Science 25(3), 260-277.

    Examples
    --------
    >>> mixed_rate(0.7, 6, 2), round(mixed_rate(0.8, 6, 2), 3)  # not 4.8 and 5.2
    (3.75, 4.286)
    """
    _share("satisfied", satisfied)
    if min(rate_satisfied, rate_dissatisfied) <= 0:
        raise ValueError(f"both rates must be above 0, got {rate_satisfied} and {rate_dissatisfied}")
    return 1 / (satisfied / rate_satisfied + (1 - satisfied) / rate_dissatisfied)


def segment_mix(transition: Any, counts: Any, *, periods: float = math.inf) -> Any:
    """Return how many customers each segment holds after so many periods of a Markov chain, or in the long run.

    Parameters
    ----------
    transition : array of shape (k, k)
        Share of each row's segment that goes to each column's; rows sum to 1.
    counts : sequence of k numbers
        Customers now.
    periods : int, optional
        The long run when left out: the chain's stationary mix, of the same number of customers.

    Returns
    -------
    numpy.ndarray
        Customers in each segment, in the order of ``counts``, fractions included.

    Raises
    ------
    ValueError
        When the transition is not square, or its rows do not sum to 1.

    References
    ----------
    The stationary mix of a Markov chain: Kemeny and Snell (1960), Finite Markov Chains; of customers: Pfeifer and
    Carraway (2000), Journal of Interactive Marketing 14(2), 43-55.

    Examples
    --------
    >>> moves = [[0.6, 0.3, 0.1], [0.2, 0.6, 0.2], [0.05, 0.25, 0.7]]
    >>> segment_mix(moves, [100, 200, 300], periods=2).round(1).tolist()
    [127.0, 234.5, 238.5]
    >>> (segment_mix(moves, [100, 200, 300]) / 600).round(4).tolist()
    [0.2456, 0.4035, 0.3509]
    """
    import numpy as np

    p, n = np.asarray(transition, dtype=float), np.asarray(counts, dtype=float)
    if p.shape != (len(n), len(n)) or (p < 0).any() or not np.allclose(p.sum(axis=1), 1):
        raise ValueError("transition must be square, as long as counts, with shares in rows that sum to 1")
    if math.isfinite(periods):
        return n @ np.linalg.matrix_power(p, int(periods))
    system = np.vstack([p.T - np.eye(len(n)), np.ones(len(n))])
    return n.sum() * np.linalg.lstsq(system, np.append(np.zeros(len(n)), 1.0), rcond=None)[0]
