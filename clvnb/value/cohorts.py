"""Cohorts: customers by when they came, what they do as they age, and value without a model.

In: a checked LOG, or tenures of contracts. Out: cohort matrices, censoring-correct value by age, survival.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from ..core.engine import run
from ..core.errors import TableError
from ..core.maths import LEVEL, MONTH, TEST_LEVEL, days, tail
from ..core.results import Estimate
from ..data.summary import purchase_days
from .formulas import per_period

__all__ = [
    "clv_cohort",
    "clv_survival",
    "cohort_matrix",
    "cohort_value",
    "compare_survival",
    "mean_time",
    "survival_table",
]

_PERIODS_A_YEAR = {"month": 12, "quarter": 4, "year": 1}
_WHAT = ("customers", "share", "revenue", "revenue_per_customer")


def cohort_matrix(
    log: Any, *, period: str = "month", what: str = "share", as_of: date | str | None = None
) -> pd.DataFrame:
    """Return what each cohort did at each age; what was not seen yet is missing, never 0.

    Parameters
    ----------
    log : LOG
        Checked; pandas or Ibis, grouped in its engine.
    period : "month", "quarter" or "year"
        Of cohorts and of ages. Calendar periods: age 0 is the period of the first purchase.
    what : str
        ``customers`` who bought; their ``share`` of the cohort; their ``revenue``; ``revenue_per_customer`` of the
        cohort.
    as_of : date, optional
        The last day looked at; only periods that were complete by then are shown.

    Returns
    -------
    pandas.DataFrame
        Indexed by cohort (a time stamp, the start of its period), columns 0, 1, 2, ...; ``share`` from 0 to 1,
        ``revenue`` and ``revenue_per_customer`` in the log's currency, net of refunds. ``attrs["size"]`` is a
        mapping of cohort to customers.

    Raises
    ------
    ValueError
        For a ``what`` or a ``period`` that is not known.
    TableError
        When no period is complete by ``as_of``.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b", "c"], "amount": [5.0, 7.0, 9.0, 1.0],
    ...     "date": pd.to_datetime(["2024-01-05", "2024-02-10", "2024-01-20", "2024-02-02"])})
    >>> cohort_matrix(log, what="customers", as_of="2024-02-29")
    age           0    1
    cohort
    2024-01-01  2.0  1.0
    2024-02-01  1.0  NaN
    """
    if what not in _WHAT:
        raise ValueError(f"what must be one of {', '.join(_WHAT)}, got {what!r}")
    cells, sizes, last = _cells(log, period, as_of)
    column = "buyers" if what in {"customers", "share"} else "revenue"
    matrix = cells.pivot(index="cohort", columns="age", values=column)
    ages = np.arange(int(_age(pd.Series([matrix.index.min()]), pd.Series([last]), period).iloc[0]) + 1)
    matrix = matrix.reindex(columns=ages).astype(float)
    seen = _seen(matrix.index, ages, last, period)
    matrix = matrix.fillna(0.0).where(seen)
    if what in {"share", "revenue_per_customer"}:
        matrix = matrix.div(sizes, axis=0)
    matrix.index.name, matrix.columns.name = "cohort", "age"
    return matrix


def _cells(log: Any, period: str, as_of: date | str | None) -> tuple[pd.DataFrame, pd.Series, pd.Timestamp]:
    """Buyers and revenue by cohort and age, and the cohorts' sizes; only complete periods."""
    if period not in _PERIODS_A_YEAR:
        raise ValueError(f"period must be one of {', '.join(_PERIODS_A_YEAR)}, got {period!r}")
    table = purchase_days(log)
    bought = table.filter(table.bought).group_by("customer_id").aggregate(first=lambda t: t.date.min())
    joined = table.join(bought, "customer_id")
    unit = {"month": "M", "quarter": "Q", "year": "Y"}[period]
    start, now = joined["first"].truncate(unit), joined["date"].truncate(unit)
    keyed = joined.mutate(cohort=start, moment=now)
    grouped = keyed.group_by(["cohort", "moment"]).aggregate(
        buyers=lambda t: t.customer_id.nunique(where=t.bought), revenue=lambda t: t.net.sum()
    )
    rows = run(grouped, log)
    rows = rows.assign(cohort=pd.to_datetime(rows["cohort"]), moment=pd.to_datetime(rows["moment"]))
    end = (
        pd.Timestamp(str(as_of)[:10])
        if as_of
        else pd.Timestamp(run(table.aggregate(d=table.date.max()), log)["d"].iloc[0])
    )
    last = _last_complete(end, period)
    rows = rows[(rows["moment"] <= last) & (rows["cohort"] <= last) & (rows["moment"] >= rows["cohort"])]
    if rows.empty:
        raise TableError(f"the log has no complete {period} by {end:%Y-%m-%d}; use a shorter period")
    rows = rows.assign(age=_age(rows["cohort"], rows["moment"], period))
    sizes = rows[rows["age"] == 0].set_index("cohort")["buyers"].sort_index()
    return rows, sizes, last


def _last_complete(end: pd.Timestamp, period: str) -> pd.Timestamp:
    unit = {"month": "M", "quarter": "Q", "year": "Y"}[period]
    this = end.to_period(unit)
    return (this if end.normalize() >= this.end_time.normalize() else this - 1).start_time


def _age(cohort: Any, moment: Any, period: str) -> Any:
    months = (moment.dt.year - cohort.dt.year) * 12 + moment.dt.month - cohort.dt.month
    return months // (12 // _PERIODS_A_YEAR[period])


def _seen(cohorts: pd.Index, ages: np.ndarray, last: pd.Timestamp, period: str) -> np.ndarray:
    oldest = _age(pd.Series(cohorts), pd.Series([last] * len(cohorts)), period).to_numpy()
    return ages[None, :] <= oldest[:, None]


def clv_cohort(
    matrix: pd.DataFrame, sizes: pd.Series | dict[Any, int], *, discount_rate: float = 0.0, period: str = "year"
) -> pd.DataFrame:
    """Return value per acquired customer by age, from the cohorts that were seen at that age: no bias by censoring.

    Dividing all money by all customers is biased down, since young cohorts have had no time to spend; here each age is
    averaged over the cohorts that reached it, and no model is needed.

    Parameters
    ----------
    matrix : pandas.DataFrame
        Money by cohort (rows) and age (columns), missing where unseen, as ``cohort_matrix(..., what="revenue")``.
    sizes : mapping of cohort to customers
        Customers acquired in each cohort: column 0 of ``cohort_matrix(..., what="customers")``.
    discount_rate : float
        A year.
    period : "month", "quarter" or "year"
        Of the ages.

    Returns
    -------
    pandas.DataFrame
        ``age, cohorts, customers``; ``margin``, money of the matrix per acquired customer at this age (revenue where
        the matrix is revenue); ``value``, added up, discounted to the start of age 0.

    Raises
    ------
    ValueError
        When the period is none of the three.

    References
    ----------
    The partitioned estimator of Lin, Feuer, Etzioni and Wax (1997), Biometrics 53, 419-434.

    Examples
    --------
    >>> money = pd.DataFrame([[4000, 2500, 1800], [4920, 3120, None], [6300, None, None]], index=["a", "b", "c"])
    >>> clv_cohort(money, {"a": 100, "b": 120, "c": 150}, discount_rate=0.1).round(3)
       age  cohorts  customers  margin   value
    0    0        3        370  41.135  41.135
    1    1        2        220  25.545  64.358
    2    2        1        100  18.000  79.234
    """
    if period not in _PERIODS_A_YEAR:
        raise ValueError(f"period must be one of {', '.join(_PERIODS_A_YEAR)}, got {period!r}")
    v = 1 / (1 + per_period(discount_rate, _PERIODS_A_YEAR[period]))
    n = pd.Series(sizes).reindex(matrix.index).to_numpy(float)
    rows = []
    for k, age in enumerate(matrix.columns):
        money = matrix[age].to_numpy(float)
        seen = ~np.isnan(money)
        if not seen.any():
            break
        rows.append((int(age), int(seen.sum()), int(n[seen].sum()), money[seen].sum() / n[seen].sum(), v**k))
    table = pd.DataFrame(rows, columns=["age", "cohorts", "customers", "margin", "discount"])
    table["value"] = (table["margin"] * table["discount"]).cumsum()
    return table.drop(columns="discount")


def cohort_value(
    log: Any,
    *,
    margin: float = 1.0,
    cost_to_serve: float = 0.0,
    discount_rate: float = 0.0,
    longest: str | float = "3 years",
    as_of: date | str | None = None,
    level: float = LEVEL,
) -> Estimate:
    """Return what a customer brought from the first purchase on, by cohorts and without a model, as far as was seen.

    ``clv_cohort`` on months of age counted from each customer's own first day, with customers as the units of the
    interval: an age counts those who have reached its end.

    Parameters
    ----------
    log : LOG
        Checked.
    margin, cost_to_serve : float
        Share of revenue, and money per purchase.
    discount_rate : float
        A year.
    longest : str or number of days
        Ages beyond it are left out, as are those that fewer than 50 customers have reached.
    as_of : date, optional
        The last day looked at; the last date in the log when left out.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.

    Returns
    -------
    Estimate
        Money per acquired customer, the first purchase included, discounted to it, up to the age that ``method`` says,
        in months of 30.4375 days; ``n`` customers.

    Raises
    ------
    TableError
        When no month of age was completed by 50 customers.

    References
    ----------
    Lin, Feuer, Etzioni and Wax (1997), Biometrics 53, 419-434; the standard error is linearised.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": [str(k) for k in range(60)] * 2, "amount": [20.0] * 60 + [10.0] * 60,
    ...     "date": pd.to_datetime(["2024-01-01"] * 60 + ["2024-02-15"] * 60)})
    >>> found = cohort_value(log, margin=0.5, as_of="2024-04-30")
    >>> found.value, found.method
    (15.0, 'cohorts, to 3 months of age')
    """
    money = run(purchase_days(log), log)
    end = pd.Timestamp(as_of) if as_of is not None else money["date"].max()
    money = money[money["date"] <= end]
    first = money[money["bought"]].groupby("customer_id")["date"].min()
    money = money[money["customer_id"].isin(first.index)]
    born = money["customer_id"].map(first)
    age = np.maximum((money["date"] - born).dt.days // MONTH, 0).astype(int)
    worth = margin * money["net"] - cost_to_serve * money["bought"]
    reached = ((end - first).dt.days + 1) // MONTH  # complete months of age
    reached = reached.astype(int)
    ages = int(min(days(longest) / MONTH, reached.max()))
    ages = int(sum((reached > a).sum() >= 50 for a in range(ages)))
    if ages == 0:
        raise TableError("no month after the first purchase has been completed by 50 customers yet")
    v = (1 + discount_rate) ** (-np.arange(ages) * MONTH / 365.25)
    cell = worth.groupby([money["customer_id"], age]).sum()
    who, when = first.index.get_indexer(cell.index.get_level_values(0)), cell.index.get_level_values(1).to_numpy()
    inside = (when < ages) & (when < reached.to_numpy()[who])
    who, when, what = who[inside], when[inside], cell.to_numpy(float)[inside]
    n = np.array([(reached.to_numpy() > a).sum() for a in range(ages)], dtype=float)
    mean = np.bincount(when, weights=what, minlength=ages) / n
    # A customer's pull on the estimate: what it brought beyond the mean at each age it reached, over those who did.
    pull = np.bincount(who, weights=what * (v / n)[when], minlength=len(first))
    pull -= np.concatenate([[0.0], np.cumsum(mean * v / n)])[np.minimum(reached.to_numpy(), ages)]
    value, reach = float(mean @ v), tail(level) * float(np.sqrt((pull**2).sum()))
    return Estimate(value, value - reach, value + reach, level, len(first), f"cohorts, to {ages} months of age")


def _whole(tenure: Any) -> np.ndarray:
    exact = np.asarray(tenure, dtype=float)
    if len(exact) == 0 or not (exact >= 0).all() or (exact % 1 != 0).any():
        raise ValueError("tenure must hold whole periods, none below 0, and at least one customer")
    return exact.astype(int)


def survival_table(tenure: Any, ended: Any) -> pd.DataFrame:
    """Return Kaplan-Meier survival by whole periods, with Greenwood standard errors.

    Parameters
    ----------
    tenure : array of int
        Whole periods until the end, or until now for those still there.
    ended : array of bool
        Whether the end was seen; False for those still there.

    Returns
    -------
    pandas.DataFrame
        ``period, at_risk, ended, survival, standard_error`` from period 0; the last two are shares of those who began.

    Raises
    ------
    ValueError
        When a tenure is no whole period or below 0, or there is no customer.

    References
    ----------
    Kaplan and Meier (1958), Journal of the American Statistical Association 53, 457-481; standard error: Greenwood
    (1926).

    Examples
    --------
    >>> survival_table([1, 1, 2, 3, 3, 4, 4, 4, 4, 4], [1, 0, 1, 1, 0, 0, 0, 0, 0, 0]).round(4)
       period  at_risk  ended  survival  standard_error
    0       0       10      0    1.0000          0.0000
    1       1       10      1    0.9000          0.0949
    2       2        8      1    0.7875          0.1340
    3       3        7      1    0.6750          0.1551
    4       4        5      0    0.6750          0.1551
    """
    from statsmodels.duration.survfunc import SurvfuncRight

    time, gone = _whole(tenure), np.asarray(ended, dtype=bool)
    found = SurvfuncRight(time, gone.astype(int))  # at the periods at which somebody ended
    curve = pd.DataFrame({"survival": found.surv_prob, "standard_error": found.surv_prob_se}, index=found.surv_times)
    curve = curve.fillna({"standard_error": 0.0}).reindex(np.arange(time.max() + 1), method="ffill")
    curve = curve.fillna({"survival": 1.0, "standard_error": 0.0}).rename_axis("period").reset_index()
    left = np.bincount(time)
    at_risk = left[::-1].cumsum()[::-1]
    return curve.assign(at_risk=at_risk, ended=np.bincount(time[gone], minlength=len(left)))[
        ["period", "at_risk", "ended", "survival", "standard_error"]
    ]


def mean_time(tenure: Any, ended: Any, periods: int) -> tuple[float, float]:
    """Return how many of the first ``periods`` periods customers stay on average (RMST), and its standard error.

    Parameters
    ----------
    tenure, ended
        As in ``survival_table``.
    periods : int
        How far to look; not further than was seen.

    Returns
    -------
    (float, float)
        Periods per customer, and the standard error.

    Raises
    ------
    ValueError
        When nobody was seen for so long.

    References
    ----------
    The area under the survival curve: Royston and Parmar (2013), BMC Medical Research Methodology 13, 152.

    Examples
    --------
    >>> time, gone = [1, 1, 2, 3, 3, 4, 4, 4, 4, 4], [1, 0, 1, 1, 0, 0, 0, 0, 0, 0]
    >>> round(mean_time(time, gone, 4)[0], 4)
    3.3625
    """
    table = survival_table(tenure, ended)
    if periods < 1 or periods > table["period"].max():
        raise ValueError(f"staying was seen for {table['period'].max()} periods at most, and is asked for {periods}")
    survival = table["survival"].to_numpy()[: periods + 1]
    left = np.concatenate([np.cumsum(survival[:periods][::-1])[::-1], [0.0]])  # the area from each period on
    at_risk, lost = (table[c].to_numpy(float)[: periods + 1] for c in ("at_risk", "ended"))
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(at_risk > lost, lost / (at_risk * (at_risk - lost)), 0.0)
    return float(survival[:periods].sum()), float(np.sqrt((left**2 * part).sum()))


@dataclass(frozen=True)
class Stays:
    """How long two groups stay.

    Attributes
    ----------
    first, second : float
        Mean periods stayed within the horizon.
    difference : Estimate
        Second less first (95 %).
    error : float
        Its standard error.
    p_value : float
        Log-rank test.
    curves : pandas.DataFrame
        ``group, period, at_risk, survival, low, high`` (90 %), to draw.
    """

    first: float
    second: float
    difference: Estimate
    error: float
    p_value: float
    curves: pd.DataFrame


def compare_survival(
    tenure: Any, ended: Any, group: Any, *, first: str, second: str, periods: int, strata: Any = None
) -> Stays:
    """Compare how long two groups stay, without assuming that they leave in proportion.

    Parameters
    ----------
    tenure, ended
        As in ``survival_table``.
    group : sequence of str
        Of each customer, in the order of ``tenure``.
    first, second : str
        The groups; the difference is second less first.
    periods : int
        How far to look, in the periods of ``tenure``.
    strata : sequence, optional
        Compared within each, and put together by the strata's shares of customers: what they differ in is no longer
        chance.

    Returns
    -------
    Stays
        ``difference`` at 95 %, in periods, ``n`` everybody given; ``curves`` at 90 %.

    Raises
    ------
    ValueError
        When a group has no customer, or none of it was seen for so many periods.

    References
    ----------
    Log-rank test: Mantel (1966), Cancer Chemotherapy Reports 50, 163-170, stratified where ``strata`` are given;
    difference of restricted mean times: Royston and Parmar (2013), BMC Medical Research Methodology 13, 152.

    Examples
    --------
    >>> time = [1, 1, 2, 3, 3, 4, 4, 4, 4, 4] + [1, 1, 1, 2, 2, 3, 3, 4, 4, 4]
    >>> gone = [1, 0, 1, 1, 0, 0, 0, 0, 0, 0] + [1, 1, 1, 1, 1, 1, 0, 1, 0, 0]
    >>> round(compare_survival(time, gone, ["a"] * 10 + ["b"] * 10, first="a", second="b", periods=4).p_value, 4)
    0.1035
    """
    from statsmodels.duration.survfunc import survdiff

    time, lost, who = _whole(tenure), np.asarray(ended, dtype=bool), np.asarray(group, dtype=object)
    layer = np.zeros(len(time), dtype=int) if strata is None else pd.factorize(np.asarray(strata, dtype=object))[0]
    means, variance, curves = {first: 0.0, second: 0.0}, 0.0, []
    for h in np.unique(layer):
        share = float((layer == h).mean())
        for name in (first, second):
            own = (who == name) & (layer == h)
            mean, error = mean_time(time[own], lost[own], periods)
            means[name] += share * mean
            variance += (share * error) ** 2
    for name in (first, second):
        table = survival_table(time[who == name], lost[who == name]).assign(group=name)
        half = tail(LEVEL) * table["standard_error"]
        table = table.assign(low=(table["survival"] - half).clip(0, 1), high=(table["survival"] + half).clip(0, 1))
        curves.append(table[table["period"] <= periods])
    change, error = means[second] - means[first], float(np.sqrt(variance))
    half = tail(TEST_LEVEL) * error
    p = float(survdiff(time, lost.astype(int), who, strata=None if strata is None else layer)[1])
    estimate = Estimate(
        change, change - half, change + half, TEST_LEVEL, len(time), f"time stayed within {periods} periods"
    )
    keep = ["group", "period", "at_risk", "survival", "low", "high"]
    return Stays(means[first], means[second], estimate, error, p, pd.concat(curves, ignore_index=True)[keep])


def clv_survival(
    tenure: Any,
    ended: Any,
    margin: float,
    discount_rate: float,
    periods: int,
    *,
    level: float = LEVEL,
    draws: int = 500,
    seed: int = 0,
) -> Estimate:
    """Return value from survival as it was seen: payments at periods 0 ... periods - 1, each times S(t), discounted.

    Parameters
    ----------
    tenure, ended
        As in ``survival_table``; customers still there are not counted as lost, nor left out.
    margin : float
        Of one period from an active customer.
    discount_rate : float
        Per period.
    periods : int
        Payments; not more than were ever seen, plus one.
    level : float
        Of the interval: 0.9 means that it holds the truth nine times in ten.
    draws : int
        Bootstrap samples of customers.
    seed : int
        Of the random draws.

    Returns
    -------
    Estimate
        Money per customer, with a bootstrap interval over customers.

    Raises
    ------
    ValueError
        When the horizon reaches beyond what was seen: survival there is a model's word. When a tenure is below 0.

    Notes
    -----
    Undiscounted it is margin x restricted mean time (``mean_time``). The interval is a percentile bootstrap over
    customers.

    References
    ----------
    Kaplan and Meier (1958), Journal of the American Statistical Association 53, 457-481; Efron and Tibshirani (1993),
    An Introduction to the Bootstrap.

    Examples
    --------
    >>> time, gone = [1, 1, 2, 3, 3, 4, 4, 4, 4, 4], [1, 0, 1, 1, 0, 0, 0, 0, 0, 0]
    >>> round(clv_survival(time, gone, 100.0, 0.1, 4, draws=20).value, 3)
    297.615
    """
    time, gone = _whole(tenure), np.asarray(ended, dtype=bool)
    if periods - 1 > time.max():
        raise ValueError(
            f"survival was seen for {time.max()} periods, the horizon asks for {periods - 1}: shorten it, or use a model"
        )
    v = (1 + discount_rate) ** -np.arange(periods)

    def value(who: np.ndarray) -> float:
        survival = survival_table(time[who], gone[who])["survival"].to_numpy()
        survival = np.concatenate([survival, np.full(max(0, periods - len(survival)), survival[-1])])
        return float(margin * (survival[:periods] @ v))

    rng = np.random.default_rng(seed)
    everybody = np.arange(len(time))
    values = [value(rng.choice(everybody, len(time))) for _ in range(draws)]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value(everybody), low, high, level, len(time), "Kaplan-Meier, bootstrap of customers")
