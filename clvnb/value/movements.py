"""Monthly recurring revenue: what it gained and lost, month by month, and the rates that are read from it.

In: SPELLS. Out: MRR, and a table of rates.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from ..core.errors import TableError
from ..core.tables import MRR, SPELLS, check

__all__ = ["mrr_movements", "mrr_rates"]

_KINDS = ["new", "expansion", "contraction", "churn", "reactivation"]
_COUNTED = {"new": "customers_new", "churn": "customers_lost", "reactivation": "customers_back"}


def mrr_movements(spells: pd.DataFrame, *, as_of: date | str) -> pd.DataFrame:
    """Return the movements of monthly recurring revenue (MRR) by month; each row adds up.

    A customer's MRR on a day is price x quantity / billing period in months, over everything that runs on that evening.
    A change counts on the day on which it happens; losses are negative.

    Parameters
    ----------
    spells : SPELLS
        From ``spells``.
    as_of : date
        The last day counted; its month is only as long as that.

    Returns
    -------
    MRR
        ``month`` (its first day); in the client's currency a month: ``opening`` + ``new`` (a customer's first ever) +
        ``expansion`` + ``contraction`` (the customer stays) + ``churn`` (falls to nothing) + ``reactivation`` (from
        nothing, again) = ``closing``; customers: ``customers_opening, customers_new, customers_lost, customers_back,
        customers_closing``.

    Raises
    ------
    TableError
        When a column is missing, or nothing has started by then.

    References
    ----------
    ChartMogul, "MRR movements" and "Customer churn rate" (help.chartmogul.com); SaaS Metrics Standards Board,
    "Net revenue retention", "Gross revenue retention" (saasmetricsboard.com).

    Examples
    --------
    >>> import clvnb as cv
    >>> contracts = pd.DataFrame({"customer_id": ["a", "a", "b"], "price": [10.0, 15.0, 120.0],
    ...     "billing": ["monthly", "monthly", "annual"], "start": pd.to_datetime(["2024-01-15", "2024-02-15", "2024-01-20"]),
    ...     "end": pd.to_datetime(["2024-02-15", "2024-03-15", None])})
    >>> table = mrr_movements(cv.spells(contracts, as_of="2024-03-31"), as_of="2024-03-31")
    >>> table[["month", "opening", "new", "expansion", "churn", "closing"]]
           month  opening   new  expansion  churn  closing
    0 2024-01-01      0.0  20.0        0.0    0.0     20.0
    1 2024-02-01     20.0   0.0        5.0    0.0     25.0
    2 2024-03-01     25.0   0.0        0.0  -15.0     10.0
    """
    changes = _changes(check(spells, SPELLS), pd.Timestamp(as_of))
    if changes.empty:
        raise TableError(f"nothing has started by {pd.Timestamp(as_of):%Y-%m-%d}")
    changes["month"] = changes["date"].dt.to_period("M").dt.to_timestamp()
    months = pd.date_range(changes["month"].min(), pd.Timestamp(as_of), freq="MS", name="month")
    table = _by_kind(changes, months, "sum")
    closing = table.sum(axis=1).cumsum()
    count = _by_kind(changes, months, "count")[list(_COUNTED)].rename(columns=_COUNTED).astype(int)
    left = (count["customers_new"] + count["customers_back"] - count["customers_lost"]).cumsum()
    table = table.assign(opening=closing.shift(fill_value=0.0), closing=closing)
    count = count.assign(customers_opening=left.shift(fill_value=0), customers_closing=left)
    return table.join(count).reset_index()[[*MRR.required, *MRR.optional]]


def _by_kind(changes: pd.DataFrame, months: pd.DatetimeIndex, how: str) -> pd.DataFrame:
    wide = changes.pivot_table(index="month", columns="kind", values="change", aggfunc=how).rename_axis(columns=None)
    return wide.reindex(index=months, columns=_KINDS).fillna(0.0)


def _changes(spells: pd.DataFrame, today: pd.Timestamp) -> pd.DataFrame:
    """Every change of a customer's MRR by ``today``: ``customer_id, date, change, kind``."""
    per_month = spells["price"] * spells["quantity"] / spells["period"]
    ups = pd.DataFrame({"customer_id": spells["customer_id"], "date": spells["start"], "change": per_month, "steps": 1})
    downs = ups.assign(date=spells["end"], change=-per_month, steps=-1)
    paid = per_month > 0
    both = pd.concat([ups[paid], downs[paid & spells["end"].notna()]])
    days = both[both["date"] <= today].groupby(["customer_id", "date"], as_index=False)[["change", "steps"]].sum()
    customer = days["customer_id"]
    running = days["steps"].groupby(customer).cumsum()  # counted, so that nothing left is exactly nothing
    after = days["change"].groupby(customer).cumsum().where(running > 0, 0.0)
    before = after.groupby(customer).shift(fill_value=0.0)
    first = ~customer.duplicated()
    days["change"] = after - before
    kind = np.select(
        [first, before == 0, after == 0, days["change"] > 1e-9],
        ["new", "reactivation", "churn", "expansion"],
        "contraction",
    )
    moved = (days["change"].abs() > 1e-9).to_numpy()
    return days.assign(kind=kind).loc[moved, ["customer_id", "date", "change", "kind"]].reset_index(drop=True)


def mrr_rates(movements: pd.DataFrame) -> pd.DataFrame:
    """Return what is read from MRR movements, month by month; missing where there was nothing at its beginning.

    Parameters
    ----------
    movements : MRR
        From ``mrr_movements``.

    Returns
    -------
    pandas.DataFrame
        ``month``; shares of the opening MRR, 1 is all of it: ``nrr``, net revenue retention, (opening + expansion +
        contraction + churn) / opening, without reactivation; ``grr``, gross revenue retention, the same without
        expansion; ``logo_churn``, customers lost / customers at the beginning; ``quick_ratio``, (new + expansion +
        reactivation) / (contraction + churn); ``arpa``, closing MRR per customer, in the client's currency a month.

    Raises
    ------
    TableError
        When a column is missing.

    References
    ----------
    SaaS Metrics Standards Board, "Net revenue retention", "Gross revenue retention"; ChartMogul, "Customer churn rate",
    "ARPA"; Mamoon Hamid's quick ratio (Social Capital, 2015).

    Examples
    --------
    >>> table = pd.DataFrame({"month": pd.to_datetime(["2024-02-01"]), "new": 30.0, "expansion": 10.0, "contraction": -5.0,
    ...     "churn": -15.0, "reactivation": 0.0, "opening": 100.0, "closing": 120.0, "customers_opening": 10,
    ...     "customers_new": 3, "customers_lost": 1, "customers_back": 0, "customers_closing": 12})
    >>> mrr_rates(table)
           month  nrr  grr  logo_churn  quick_ratio  arpa
    0 2024-02-01  0.9  0.8         0.1          2.0  10.0
    """
    check(movements, MRR)
    opening, lost = (
        movements["opening"].where(movements["opening"] > 0),
        movements["contraction"] + movements["churn"],
    )
    gained = movements["new"] + movements["expansion"] + movements["reactivation"]
    return pd.DataFrame(
        {
            "month": movements["month"],
            "nrr": (opening + movements["expansion"] + lost) / opening,
            "grr": (opening + lost) / opening,
            "logo_churn": movements["customers_lost"] / movements["customers_opening"].replace(0, np.nan),
            "quick_ratio": gained / -lost.where(lost < 0),
            "arpa": movements["closing"] / movements["customers_closing"].replace(0, np.nan),
        }
    )
