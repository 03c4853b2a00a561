"""Contracts joined to spells and lives: how their rows are split, ordered or named changes nothing.

In: checked CONTRACTS. Out: SPELLS, stretches of one product at one price; SUBSCRIPTIONS with a row per life.
"""

from __future__ import annotations

import re
from datetime import date

import numpy as np
import pandas as pd

from ..core.errors import TableError
from ..core.maths import DAYS_PER_YEAR, days
from ..core.tables import CONTRACTS, SPELLS, check

__all__ = ["BILLINGS", "GRACE", "MONTHS", "add_months", "billing_months", "contract_lives", "renewals_before", "spells"]

GRACE = "14 days"  # failed payments are retried for about two weeks
_NEVER = pd.Timestamp("2200-01-01")
MONTHS = {
    "month": 1, "monthly": 1, "quarter": 3, "quarterly": 3, "half-year": 6, "half-yearly": 6, "semiannual": 6,
    "year": 12, "annual": 12, "annually": 12, "yearly": 12, "biennial": 24, "two-yearly": 24,
}  # fmt: skip
BILLINGS = {1: "monthly", 3: "quarterly", 6: "half-yearly", 12: "annual", 24: "two-yearly"}


def spells(contracts: pd.DataFrame, *, as_of: date | str, grace: str | float = GRACE) -> pd.DataFrame:
    """Join contracts to spells: stretches in which a customer has one product at one price.

    Rows that touch are one spell, whatever number of rows they are written in; a price or plan change begins a new
    spell of the same life. A gap of up to ``grace`` is filled. A longer one is a lapse: the next spell is a new life.
    Contracts that run at once stay apart, two alike count as a ``quantity`` of 2.

    Parameters
    ----------
    contracts : CONTRACTS
        Checked. ``price`` is the money of a billing period; ``billing`` is read as ``billing_months`` says.
    as_of : date
        The evening for which ``status`` is said. Ends and starts after it are kept.
    grace : str or float
        The longest gap that is no lapse: ``14 days``, or a number of days; 0 joins only what touches.

    Returns
    -------
    SPELLS
        ``customer_id, product, start, end`` (first day without it; missing while no end is known), ``period`` (months),
        ``price`` (of one, a billing period), ``quantity``; ``status``: ``running``, ``to come``, ``continued`` (its
        life goes on in another spell), ``changed`` (goes on with another billing period), ``ended``; ``reason`` of the
        end; ``plan``, ``channel`` (the customer's first) where there are any; ``life``, 1 for the first at this billing
        period. Sorted by customer, period, start and product.

    Raises
    ------
    TableError
        When a column is missing or a billing is not known.

    Examples
    --------
    >>> contracts = pd.DataFrame({"customer_id": "a", "price": [10.0, 10.0, 12.0], "plan": "basic",
    ...     "start": pd.to_datetime(["2024-01-31", "2024-02-29", "2024-03-31"]),
    ...     "end": pd.to_datetime(["2024-02-29", "2024-03-31", None])})
    >>> spells(contracts, as_of="2024-06-30")[["start", "end", "price", "quantity", "status", "life"]]
           start        end  price  quantity     status  life
    0 2024-01-31 2024-03-31   10.0         1  continued     1
    1 2024-03-31        NaT   12.0         1    running     1
    """
    check(contracts, CONTRACTS)
    patience, today = pd.Timedelta(days=days(grace) if grace else 0), pd.Timestamp(as_of)
    pieces = _without_short_gaps(_pieces(contracts), patience)
    keys = [c for c in ("customer_id", "product", "plan", "period", "price") if c in pieces]
    found = _runs(pieces, keys)
    found["life"] = _numbered_lives(found, patience)
    found = _with_status(found, today, patience).merge(
        _reasons(pieces), on=["customer_id", "product", "end"], how="left"
    )
    if "channel" in pieces:
        first = pieces.dropna(subset="channel").sort_values(["start", "channel"]).drop_duplicates("customer_id")
        found["channel"] = found["customer_id"].map(first.set_index("customer_id")["channel"])
    found["end"] = found["end"].where(found["end"] < _NEVER)
    order = ["customer_id", "period", "start", "product", "price"]
    names = [*SPELLS.required, *(c for c in SPELLS.optional if c in found)]
    return found.sort_values([*order, *(c for c in ("plan",) if c in found)], ignore_index=True)[names]


def billing_months(contracts: pd.DataFrame) -> pd.Series:
    """Return each contract's billing period in months: from ``billing``, else as ``plan`` says, else a month.

    Parameters
    ----------
    contracts : CONTRACTS

    Returns
    -------
    pandas.Series of int

    Raises
    ------
    TableError
        For a word that is not known.

    Examples
    --------
    >>> billing_months(pd.DataFrame({"plan": ["Pro annual", "Pro", "Basic"], "billing": [None, "Monthly ", "quarter"]})).tolist()
    [12, 1, 3]
    """
    months = pd.Series(np.nan, index=contracts.index)
    if "billing" in contracts:
        said = contracts["billing"].astype("string").str.strip().str.lower()
        months = said.map(MONTHS).astype(float)
        unknown = sorted(set(said[months.isna()].dropna()))
        if unknown:
            raise TableError(
                f"contracts: billing {unknown[0]!r} is not known; use monthly, quarterly, half-yearly, annual or two-yearly"
            )
    if "plan" in contracts:
        plans = contracts["plan"].astype("string")
        months = months.fillna(plans.map({p: _months_said(p) for p in plans.dropna().unique()}).astype(float))
    return months.fillna(1).astype(int)


def _months_said(plan: str) -> float:
    """The billing period that a plan's name says, where it says one."""
    said = {MONTHS[word] for word in re.findall(r"[a-z]+(?:-[a-z]+)?", plan.lower()) if word in MONTHS}
    return float(said.pop()) if len(said) == 1 else np.nan


def _pieces(contracts: pd.DataFrame) -> pd.DataFrame:
    """Contracts with whole days, their period in months, and one name of what is subscribed to."""
    out = pd.DataFrame(
        {
            "customer_id": contracts["customer_id"].astype(str),
            "start": pd.to_datetime(contracts["start"]).dt.normalize(),
            "end": pd.to_datetime(contracts["end"]).dt.normalize().fillna(_NEVER),
            "period": billing_months(contracts),
            "price": contracts["price"].astype(float),
        }
    )
    # What is ended on the day it began had that day.
    out["end"] = out["end"].where(out["end"] > out["start"], out["start"] + pd.Timedelta(days=1))
    if "plan" in contracts:
        out["plan"] = contracts["plan"].astype("string").fillna("unknown").astype(str)
    named = contracts["product"] if "product" in contracts else contracts.get("plan", pd.Series(index=contracts.index))
    out["product"] = named.astype("string").fillna("subscription").astype(str)
    out["reason"] = contracts["cancel_reason"].astype("string") if "cancel_reason" in contracts else pd.NA
    if "channel" in contracts:
        out["channel"] = contracts["channel"]
    return out


def _furthest_before(table: pd.DataFrame, by: list[str]) -> pd.Series:
    """The latest end of all earlier rows of the same group; missing for its first. ``table`` is sorted by start."""
    group = [table[c] for c in by]
    return table["end"].groupby(group).cummax().groupby(group).shift()


def _without_short_gaps(pieces: pd.DataFrame, patience: pd.Timedelta) -> pd.DataFrame:
    """Let what ended at a gap of a customer that is no lapse run until the gap's end."""
    rows = pieces.sort_values(["customer_id", "start", "end"], ignore_index=True)
    before = _furthest_before(rows, ["customer_id"])
    short = (rows["start"] > before) & (rows["start"] <= before + patience)
    gaps = pd.DataFrame({"customer_id": rows["customer_id"], "end": before, "until": rows["start"]})[short]
    until = rows.merge(gaps.drop_duplicates(["customer_id", "end"]), on=["customer_id", "end"], how="left")["until"]
    return rows.assign(end=until.fillna(rows["end"]))


def _runs(pieces: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Stretches with the same number of contracts alike: the number changes where more begin than end, or fewer."""
    begun, ended = (pieces[[*keys, c]].rename(columns={c: "start"}) for c in ("start", "end"))
    steps = pd.concat([begun.assign(step=1), ended.assign(step=-1)])
    steps = steps.groupby([*keys, "start"], as_index=False)["step"].sum()
    steps = steps[steps["step"] != 0]
    of = steps.groupby(keys)
    out = steps.assign(quantity=of["step"].cumsum(), end=of["start"].shift(-1))
    return out[out["quantity"] > 0].drop(columns="step").reset_index(drop=True)


def _numbered_lives(found: pd.DataFrame, patience: pd.Timedelta) -> pd.Series:
    """1, 2, ... for each customer and billing period: a new life begins after a gap longer than the grace."""
    rows = found.sort_values(["customer_id", "period", "start"])
    before = _furthest_before(rows, ["customer_id", "period"])
    fresh = before.isna() | (rows["start"] > before + patience)
    return fresh.astype(int).groupby([rows["customer_id"], rows["period"]]).cumsum().reindex(found.index)


def _with_status(found: pd.DataFrame, today: pd.Timestamp, patience: pd.Timedelta) -> pd.DataFrame:
    over = found.groupby(["customer_id", "period", "life"])["end"].transform("max")
    starts = found.groupby(["customer_id", "period", "life"], as_index=False)["start"].min()
    pairs = found[["customer_id", "period"]].assign(over=over, row=found.index)
    pairs = pairs.merge(starts[["customer_id", "period", "start"]], on="customer_id", suffixes=("", "_other"))
    near = (pairs["start"] - pairs["over"]).abs() <= patience
    changed = found.index.isin(pairs.loc[near & (pairs["period"] != pairs["period_other"]), "row"])
    status = np.select(
        [found["start"] > today, found["end"] > today, found["end"] < over, changed],
        ["to come", "running", "continued", "changed"],
        "ended",
    )
    return found.assign(status=status)


def _reasons(pieces: pd.DataFrame) -> pd.DataFrame:
    """The reason of each end: the first in the alphabet where several are given."""
    given = pieces.dropna(subset="reason")[["customer_id", "product", "end", "reason"]]
    return given.sort_values("reason").drop_duplicates(["customer_id", "product", "end"])


# --------------------------------------------------------------------------------------------- lives


def contract_lives(table: pd.DataFrame, *, as_of: date | str) -> pd.DataFrame:
    """Count renewals of each life: a stretch without a lapse in which a customer pays at one billing period.

    Parameters
    ----------
    table : SPELLS
        From ``spells`` with the same ``as_of``.
    as_of : date
        Lives that start later are left out.

    Returns
    -------
    SUBSCRIPTIONS
        A row per life, sorted by customer, period and start. ``renewals`` made by ``as_of``; ``opportunities``, renewals
        that came due; ``active``: not lost, which is still running or went over to another billing period;
        ``running``; ``price`` of the next payment, of the last one where it ended; ``days_to_next``;
        ``renewals_left`` before a known end, missing where none is known; ``plan``, of several at once the dearest, with
        the billing period where a plan has several; ``start``, ``end`` (missing while running); ``first_date``, of the
        customer; ``life``; ``channel``.

    Raises
    ------
    TableError
        When a column is missing, or nothing has started by then.

    Examples
    --------
    >>> contracts = pd.DataFrame({"customer_id": "a", "price": 10.0,
    ...     "start": pd.to_datetime(["2023-01-10", "2024-03-10"]), "end": pd.to_datetime(["2023-06-10", None])})
    >>> lives = contract_lives(spells(contracts, as_of="2024-06-20"), as_of="2024-06-20")
    >>> lives[["customer_id", "life", "renewals", "opportunities", "active"]]
      customer_id  life  renewals  opportunities  active
    0           a     1         4              5   False
    1           a     2         3              3    True
    """
    check(table, SPELLS)
    today = pd.Timestamp(as_of)
    keys = ["customer_id", "period", "life"]
    rows = table.assign(end=table["end"].fillna(_NEVER), money=table["price"] * table["quantity"])
    lives = rows.groupby(keys, as_index=False).agg(start=("start", "min"), end=("end", "max"))
    lives = lives[lives["start"] <= today].reset_index(drop=True)
    if lives.empty:
        raise TableError(f"no contract has started by {today:%Y-%m-%d}")
    lives["running"] = lives["end"] > today
    lives["renewals"] = renewals_before(
        lives["start"], lives["end"].clip(upper=today + pd.Timedelta(days=1)), lives["period"]
    )
    changed = rows[rows["status"] == "changed"].drop_duplicates(keys)[keys].assign(changed=True)
    lives["active"] = lives["running"] | lives.merge(changed, on=keys, how="left")["changed"].notna()
    lives["opportunities"] = lives["renewals"] + (~lives["active"]).astype(int)
    lives["due"] = add_months(lives["start"], (lives["renewals"] + 1) * lives["period"])
    lives = lives.merge(_terms(rows, lives), on=keys, how="left")
    longest = lives["period"] * DAYS_PER_YEAR / 12
    wait = (lives["due"] - today).dt.days.astype(float).clip(1.0, longest)
    left = renewals_before(lives["start"], lives["end"], lives["period"]) - lives["renewals"]
    lives["days_to_next"] = wait.where(lives["running"])
    lives["renewals_left"] = left.astype(float).where(lives["running"] & (lives["end"] < _NEVER))
    lives["end"] = lives["end"].where(~lives["running"])
    lives["first_date"] = lives["customer_id"].map(rows.groupby("customer_id")["start"].min())
    lives["plan"] = _told_apart(lives)
    return lives.drop(columns="due")


def _terms(rows: pd.DataFrame, lives: pd.DataFrame) -> pd.DataFrame:
    """Price and plan of each life at its next payment, or on the last day where it will not come to one."""
    keys = ["customer_id", "period", "life"]
    last = lives["end"] - pd.Timedelta(days=1)
    when = lives[keys].assign(moment=last.where(last < lives["due"], lives["due"]))
    there = rows.merge(when, on=keys)
    there = there[(there["start"] <= there["moment"]) & (there["moment"] < there["end"])]
    name = "plan" if "plan" in there else "product"
    order = ["money", "start", name]
    first = there.sort_values(order, ascending=[False, True, True]).drop_duplicates(keys)
    out = first[[*keys, *(c for c in ("channel",) if c in first)]].assign(plan=first[name])
    return out.merge(there.groupby(keys, as_index=False)["money"].sum().rename(columns={"money": "price"}), on=keys)


def _told_apart(lives: pd.DataFrame) -> pd.Series:
    """Plans, with their billing period where one plan has several: their lives are never mixed."""
    several = lives.groupby("plan")["period"].transform("nunique") > 1
    period = lives["period"].map(BILLINGS)
    return lives["plan"].where(~several, lives["plan"] + " " + period)


# ---------------------------------------------------------------------------------------- the calendar


def add_months(start: pd.Series, months: pd.Series) -> pd.Series:
    """Return the same day so many months later, or the last day of a month that is too short, as billing systems do.

    Parameters
    ----------
    start : Series of days
    months : Series of int

    Returns
    -------
    pandas.Series of days

    Examples
    --------
    >>> add_months(pd.Series(pd.to_datetime(["2024-01-31"] * 3)), pd.Series([1, 2, 3])).dt.strftime("%d %b").tolist()
    ['29 Feb', '31 Mar', '30 Apr']
    """
    ahead = (start.dt.year * 12 + start.dt.month - 1 + months).astype(int)
    first = pd.to_datetime(pd.DataFrame({"year": ahead // 12, "month": ahead % 12 + 1, "day": 1}))
    return first + pd.to_timedelta(np.minimum(start.dt.day, first.dt.days_in_month) - 1, unit="D")


def renewals_before(start: pd.Series, end: pd.Series, period: pd.Series) -> pd.Series:
    """Count the renewal days after ``start`` and before ``end``: what ends on a renewal day was not renewed that day.

    Parameters
    ----------
    start, end : Series of days
    period : Series of int
        Months.

    Returns
    -------
    pandas.Series of int

    Examples
    --------
    >>> day = lambda *text: pd.Series(pd.to_datetime(text))
    >>> renewals_before(day("2024-01-31", "2024-01-31"), day("2024-02-29", "2024-04-30"), pd.Series([1, 1])).tolist()
    [0, 2]
    """
    months = (end.dt.year - start.dt.year) * 12 + end.dt.month - start.dt.month
    count = (months // period).clip(lower=0)
    return count - ((count > 0) & (add_months(start, count * period) >= end)).astype(int)
