"""Contracts of a subscription business: checked, and turned into one row per customer.

In: a CONTRACTS table (customer_id, start, end, price). Out: ``Checked``, SUBSCRIPTIONS.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from ..core.engine import to_pandas
from ..core.errors import TableError
from ..core.maths import DAYS_PER_YEAR
from ..core.results import Checked, Finding
from ..core.tables import CONTRACTS, check
from ..core.words import Words
from .client import Client
from .sources import read_table

__all__ = ["check_contracts", "read_contracts", "summarize_contracts"]

_MONTHS = {"month": 1, "monthly": 1, "quarter": 3, "quarterly": 3, "year": 12, "annual": 12, "yearly": 12}


def read_contracts(client: Client) -> pd.DataFrame:
    """Read a subscription client's contracts: one row per contract, ``end`` missing while it runs.

    Parameters
    ----------
    client : Client
        With ``contracts:`` in its client.yaml.

    Returns
    -------
    CONTRACTS
        As read, before any check.

    Raises
    ------
    TableError
        When the client has no contracts or a column is missing.

    Examples
    --------
    >>> from clvnb import load_sample
    >>> read_contracts(load_sample("subscription"))[["customer_id", "start", "price"]].head(2)
      customer_id      start  price
    0     HC20169 2022-07-01   18.0
    1     HC22748 2022-07-01   18.0
    """
    if client.contracts is None:
        raise TableError(f"{client.name} has no `contracts:` in its client.yaml")
    return to_pandas(read_table(client, client.contracts, CONTRACTS.required))


def check_contracts(contracts: pd.DataFrame, *, words: Words | None = None) -> Checked:
    """Sort contracts into kept and rejected, with the rule.

    Parameters
    ----------
    contracts : CONTRACTS
        ``billing`` is monthly (where left out), quarterly or annual.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    Checked
        ``money`` in the account is the sum of prices of one billing period. The rules: customer missing; start
        unreadable; price unreadable or below zero; ends before it starts; repeated contract.

    Raises
    ------
    TableError
        When a column is missing, a billing is not known, or no contract can be used.

    Examples
    --------
    >>> contracts = pd.DataFrame({"customer_id": ["a", None], "price": [10.0, 10.0],
    ...     "start": pd.to_datetime(["2024-01-15", "2024-01-15"]), "end": pd.to_datetime([None, None])})
    >>> check_contracts(contracts).account
                   rule  rows  money
    0              read     2   20.0
    1  customer missing     1   10.0
    2              kept     1   10.0
    """
    check(contracts, CONTRACTS)
    words = words or Words("XXX")
    billing = contracts.get("billing", pd.Series("monthly", index=contracts.index)).str.lower()
    unknown = sorted(set(billing.dropna()) - set(_MONTHS))
    if unknown:
        raise TableError(f"contracts: billing {unknown[0]!r} is not known; use monthly, quarterly or annual")
    rules = [
        (contracts["customer_id"].isna(), "customer missing"),
        (contracts["start"].isna(), "start unreadable"),
        (contracts["price"].isna() | (contracts["price"] < 0), "price unreadable or below zero"),
        (contracts["end"] < contracts["start"], "ends before it starts"),
        (contracts.duplicated(["customer_id", "start"]), "repeated contract"),
    ]
    rule = np.select([mask.fillna(False).to_numpy(bool) for mask, _ in rules], [name for _, name in rules], "kept")
    ruled = contracts.assign(rule=rule)
    counts = ruled.groupby("rule", sort=True).agg(rows=("rule", "size"), money=("price", "sum")).reset_index()
    faults, kept = counts[counts["rule"] != "kept"], counts[counts["rule"] == "kept"]
    if kept.empty:
        raise TableError(f"no contract of {len(contracts):,} can be used ({', '.join(faults['rule'])})")
    read = pd.DataFrame({"rule": ["read"], "rows": [len(contracts)], "money": [contracts["price"].sum()]})
    account = pd.concat([read, faults, kept], ignore_index=True)
    text = f"{words.counted(len(contracts), 'contract')} read; {words.count(kept['rows'].iloc[0])} used."
    for row in faults.itertuples():
        text += f" Set aside, {row.rule}: {words.count(row.rows)}."
    bare = [c for c in contracts.columns if c != "line"]
    good = ruled["rule"] == "kept"
    return Checked(ruled.loc[good, bare].reset_index(drop=True), ruled[~good], (Finding(account, text),))


def summarize_contracts(
    contracts: pd.DataFrame,
    *,
    as_of: date | str,
    payments: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Turn checked contracts into one row per customer, counted in billing periods.

    A customer with several contracts counts with the latest one that has started by ``as_of``.

    Parameters
    ----------
    contracts : CONTRACTS
        Checked.
    as_of : date
        Contracts that start later are ignored; those that end later still run.
    payments : SUMMARY, optional
        Brings ``historic_revenue`` and ``historic_value`` by customer.

    Returns
    -------
    SUBSCRIPTIONS
        ``renewals``, renewals made so far; ``opportunities``, renewals that came due; ``active``; ``price`` of a
        billing period; ``period`` in months; ``days_to_next``, until the next renewal; ``first_date``; ``plan``,
        ``channel`` and the money to date. Sorted by customer.

    Raises
    ------
    TableError
        When no contract has started by then.

    Examples
    --------
    >>> contracts = pd.DataFrame({"customer_id": ["a", "b"], "price": [10.0, 10.0],
    ...     "start": pd.to_datetime(["2024-01-15", "2024-01-15"]), "end": pd.to_datetime([None, "2024-03-15"])})
    >>> summarize_contracts(contracts, as_of="2024-03-20")[["customer_id", "renewals", "active", "days_to_next"]]
      customer_id  renewals  active  days_to_next
    0           a         2    True          26.0
    1           b         1   False           NaN
    """
    end_of_view = pd.Timestamp(as_of)
    started = contracts[contracts["start"] <= end_of_view].sort_values(["customer_id", "start"])
    if started.empty:
        raise TableError(f"no contract has started by {end_of_view:%Y-%m-%d}")
    latest = started.drop_duplicates("customer_id", keep="last").reset_index(drop=True)
    billing = latest.get("billing", pd.Series("monthly", index=latest.index)).str.lower()
    months = billing.map(_MONTHS).astype(int)
    active = latest["end"].isna() | (latest["end"] > end_of_view)
    until = latest["end"].where(~active, end_of_view)
    whole = _months_between(latest["start"], until)
    on_the_day = latest["start"].dt.day == until.dt.day
    made = whole // months
    # A contract that ends on a renewal day was not renewed that day.
    made = made - ((~active) & on_the_day & (whole % months == 0) & (whole > 0)).astype(int)
    out = pd.DataFrame(
        {
            "customer_id": latest["customer_id"].astype(str),
            "plan": latest["plan"].astype(str) if "plan" in latest else billing,
            "renewals": made.astype(int),
            "opportunities": (made + (~active)).astype(int),
            "active": active,
            "price": latest["price"].astype(float),
            "period": months,
            "days_to_next": _days_to_next(latest["start"], made, months, end_of_view).where(active),
            "first_date": started.groupby("customer_id")["start"].min().reindex(latest["customer_id"]).to_numpy(),
        }
    )
    if "channel" in latest:
        out["channel"] = latest["channel"].to_numpy()
    if payments is not None:
        money = payments.set_index("customer_id")[["historic_revenue", "historic_value"]]
        out = out.join(money, on="customer_id").fillna({"historic_revenue": 0.0, "historic_value": 0.0})
    return out


def _months_between(start: pd.Series, end: pd.Series) -> pd.Series:
    months = (end.dt.year - start.dt.year) * 12 + end.dt.month - start.dt.month
    # The last day of a short month completes the month of a contract that began on a later day.
    early = (end.dt.day < start.dt.day) & ~end.dt.is_month_end
    return months - early.astype(int)


def _days_to_next(start: pd.Series, made: pd.Series, months: pd.Series, today: pd.Timestamp) -> pd.Series:
    """Days until the next renewal, at most one billing period and at least one day."""
    first = start.dt.to_period("M").dt.to_timestamp()
    ahead = (first.dt.year * 12 + first.dt.month - 1 + (made + 1) * months).astype(int)
    month_start = pd.to_datetime({"year": ahead // 12, "month": ahead % 12 + 1, "day": 1})
    day = np.minimum(start.dt.day, month_start.dt.days_in_month)
    due = month_start + pd.to_timedelta(day - 1, unit="D")
    longest = months * DAYS_PER_YEAR / 12
    return pd.Series(np.clip((due - today).dt.days.astype(float), 1.0, longest), index=start.index)
