"""Contracts read from payments alone: what comes back at a regular distance is a subscription, its distance the billing period.

In: a LOG of payments. Out: ``Checked`` CONTRACTS, and the payments that begin none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from ..core.errors import TableError
from ..core.maths import days
from ..core.results import Checked, Finding
from ..core.tables import LOG, check
from ..core.words import Words
from .spells import BILLINGS, GRACE, MONTHS, add_months

__all__ = ["contracts_of_payments", "looks_like_a_subscription"]

_EARLY = 5  # days before it is due that a payment still pays what is due
_ONCE = "once"
_ODD = 0.1  # share of the money that may come at no regular distance: fees, parts of a month
_PLANS = 30  # more products than that are no plans


def contracts_of_payments(
    payments: pd.DataFrame,
    *,
    as_of: date | str,
    billing: Mapping[str, str] | None = None,
    grace: str | float = GRACE,
    words: Words | None = None,
) -> Checked:
    """Read contracts from payments: each price has the billing period at which its payments come back.

    A payment pays until the same day a billing period later. While the next of the same price comes by then, or up to the
    grace later, it is one contract; the customer's next price begins another, and ends one that was not paid again. What
    was paid back in full is no payment. A price that nobody pays twice takes the period of the price before or after it,
    where the two follow each other at that distance.

    Parameters
    ----------
    payments : LOG
        Checked; failed payments left out. ``product``, with at most 30 values, is the plan; two customers' prices are
        the same where product and amount are.
    as_of : date
        The evening of this day.
    billing : mapping, optional
        What payments alone cannot tell: an amount as text to monthly, quarterly, half-yearly, annual or two-yearly, or to
        ``once``, for what is no subscription.
    grace : str or float
        How late a payment may come.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    Checked
        ``kept``: CONTRACTS with ``billing``, ``end`` missing where the next payment is not overdue by more than the grace;
        ``rejected``: payments that begin no contract. The finding has ``price, billing, customers, payments, money``.

    Raises
    ------
    TableError
        When a column is missing, a billing is not known, or more than a tenth of the money comes at no regular distance.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a"] * 4 + ["b"] * 2, "amount": [9.0, 9.0, 9.0, 12.0, 90.0, 90.0],
    ...     "date": pd.to_datetime(["2023-10-31", "2023-11-30", "2023-12-31", "2024-01-31", "2022-05-10", "2023-05-10"])})
    >>> contracts_of_payments(log, as_of="2024-02-10").kept
      customer_id      start        end  price  billing
    0           a 2023-10-31 2024-01-31    9.0  monthly
    1           a 2024-01-31        NaT   12.0  monthly
    2           b 2022-05-10        NaT   90.0   annual
    """
    check(payments, LOG)
    words, today = words or Words("XXX"), pd.Timestamp(as_of)
    patience = int(days(grace)) if grace else 0
    paid = _payments(payments, today)
    if paid.empty:
        raise TableError(f"no payment by {today:%Y-%m-%d}: nothing tells of a subscription")
    periods = _periods(paid, patience, billing or {})
    paid["period"] = pd.MultiIndex.from_frame(paid[["plan", "amount"]]).map(periods.get).astype(float)
    regular = paid[paid["period"] > 0].copy()
    odd = paid[~(paid["period"] > 0)]
    _mostly_regular(odd[odd["period"].isna()], paid, words)
    regular["period"] = regular["period"].astype(int)
    kept = _stretches(regular, patience, min(today, paid["date"].max()))
    if (kept["plan"] == "").all():
        kept = kept.drop(columns="plan")
    told = _told(regular, odd, words)
    return Checked(kept, odd.drop(columns=["period", "plan", "lane"]).reset_index(drop=True), (told,))


def looks_like_a_subscription(payments: pd.DataFrame) -> bool:
    """Say whether most payments follow one of the same price at the distance of a billing period.

    Parameters
    ----------
    payments : LOG
        Checked.

    Examples
    --------
    >>> day = pd.Series(pd.date_range("2023-01-15", periods=13, freq="31D"))
    >>> looks_like_a_subscription(pd.DataFrame({"customer_id": "a", "date": day, "amount": 9.0}))
    True
    >>> looks_like_a_subscription(pd.DataFrame({"customer_id": "a", "date": day, "amount": day.dt.day * 1.7}))
    False
    """
    paid = _payments(payments, pd.Timestamp.max)
    again = paid.duplicated("customer_id")
    if again.sum() < 12:
        return False
    due = _classes(paid, int(days(GRACE))).notna()
    return bool(due.sum() >= 0.6 * again.sum() and paid["amount"].value_counts().head(12).sum() >= 0.8 * len(paid))


def _payments(payments: pd.DataFrame, today: pd.Timestamp) -> pd.DataFrame:
    """Money received, a row per payment and ``lane``: several of one price that a customer pays beside each other."""
    plan = pd.Series("", index=payments.index)
    if "product" in payments and payments["product"].nunique() <= _PLANS:
        plan = payments["product"].fillna("").astype(str)
    day = pd.to_datetime(payments["date"]).dt.normalize()
    paid = pd.DataFrame(
        {
            "customer_id": payments["customer_id"].astype(str),
            "date": day,
            "amount": payments["amount"].astype(float).round(2),
            "plan": plan,
        }
    )
    paid = _without_paid_back(paid[(paid["amount"] != 0) & (day <= today)])
    paid = paid.sort_values(["customer_id", "plan", "amount", "date"], kind="stable", ignore_index=True)
    paid["lane"] = paid.groupby(["customer_id", "plan", "amount", "date"]).cumcount()
    return _beside_each_other(paid)


def _without_paid_back(paid: pd.DataFrame) -> pd.DataFrame:
    """Payments without those that were paid back in full later."""
    back, got = paid[paid["amount"] < 0], paid[paid["amount"] > 0]
    if back.empty:
        return got
    keys = ["customer_id", "amount"]
    found = pd.merge_asof(
        back.assign(amount=-back["amount"]).sort_values("date"),
        got.assign(row=got.index).sort_values("date")[[*keys, "date", "row"]],
        on="date",
        by=keys,
    )
    return got.drop(index=found["row"].dropna().astype(int).unique())


def _beside_each_other(paid: pd.DataFrame) -> pd.DataFrame:
    """Lanes for payments of one price that come long before they are due: of a second contract at that price."""
    keys = ["customer_id", "plan", "amount"]
    gap = paid.groupby([*keys, "lane"])["date"].diff().dt.days
    short = gap < 20  # no billing period is as short
    mixed = paid.set_index(keys).index.isin(paid[short].set_index(keys).index.unique()) if short.any() else short
    for _, rows in paid[mixed].sort_values("date", kind="stable").groupby(keys):
        lanes: list[list[pd.Timestamp]] = []
        for index, day in rows["date"].items():
            fits = (k for k, (first, last) in enumerate(lanes) if _in_turn(day - first, day - last))
            lane = next(fits, len(lanes))
            lanes[lane : lane + 1] = [[lanes[lane][0] if lane < len(lanes) else day, day]]
            paid.loc[index, "lane"] = lane
    return paid.sort_values([*keys, "lane", "date"], kind="stable", ignore_index=True)


def _in_turn(since_first: pd.Timedelta, since_last: pd.Timedelta) -> bool:
    """Whether a payment comes about a whole number of months after the first, at most two weeks late, and not at once again."""
    over = since_first.days % 30.44
    return since_last.days >= 14 and (over <= 14 or over >= 24)


def _classes(paid: pd.DataFrame, patience: int) -> pd.Series:
    """The billing period, in months, at which each payment's next one of the same price comes; missing where at none."""
    after = paid.groupby(["customer_id", "plan", "amount", "lane"])["date"].shift(-1)
    return _class_of(paid["date"], after, patience)


def _class_of(day: pd.Series, after: pd.Series, patience: int) -> pd.Series:
    """The billing period, in months, at which one day follows another; missing where at none."""
    both = day.notna() & after.notna()
    first, second = day[both], after[both]
    found = pd.Series(np.nan, index=first.index)
    for months in BILLINGS:
        late = (second - add_months(first, pd.Series(months, index=first.index))).dt.days
        # What was paid late is followed by a payment that is on time, and seems early.
        found = found.mask(found.isna() & late.between(-_EARLY - min(patience, 8 * months), patience), float(months))
    return found.reindex(day.index)


def _periods(paid: pd.DataFrame, patience: int, said: Mapping[str, str]) -> dict[tuple[str, float], float]:
    """The billing period of each price in months; 0 for what is paid once, missing where nothing tells."""
    price = [paid["plan"], paid["amount"]]
    votes = _classes(paid, patience).groupby(price).value_counts().unstack(fill_value=0)
    found = {key: float(row.idxmax()) for key, row in votes.iterrows() if row.max() > 0}
    found |= _said(said, paid)
    paid = paid.assign(period=pd.MultiIndex.from_frame(paid[["plan", "amount"]]).map(found.get).astype(float))
    paid = paid.sort_values(["customer_id", "date"], kind="stable")
    for other in (1, -1):  # the price before it, then the one after it
        beside = _nearest_known(paid, other)
        first, second = (beside["date"], paid["date"]) if other == 1 else (paid["date"], beside["date"])
        near = (paid["amount"] / beside["amount"]).between(0.2, 4.0) | (other == -1)  # dearer by far: another period
        takes = paid["period"].isna() & near & (_class_of(first, second, patience) == beside["period"]) & ~_inside(paid)
        more = beside.loc[takes, "period"].groupby([paid["plan"], paid["amount"]]).agg(lambda p: p.mode().iloc[0])
        found = {key: float(value) for key, value in more.items()} | found
    return found


def _nearest_known(paid: pd.DataFrame, other: int) -> pd.DataFrame:
    """The customer's payment before each one (1) or after it (-1) whose billing period is known."""
    known = paid[["date", "amount", "period"]].where(paid["period"] > 0)
    people = known.groupby(paid["customer_id"])
    filled = people.ffill() if other == 1 else people.bfill()
    return filled.groupby(paid["customer_id"]).shift(other)


def _inside(paid: pd.DataFrame) -> pd.Series:
    """Whether a payment comes while the one before it still pays: a fee, a part of a month."""
    before = _nearest_known(paid, 1)
    known = before["period"] > 0
    due = add_months(before.loc[known, "date"], before.loc[known, "period"].astype(int)).reindex(paid.index)
    return (due - paid["date"]).dt.days > _EARLY


def _said(said: Mapping[str, str], paid: pd.DataFrame) -> dict[tuple[str, float], float]:
    found: dict[tuple[str, float], float] = {}
    for amount, word in said.items():
        months = 0 if word.strip().lower() == _ONCE else MONTHS.get(word.strip().lower())
        if months is None:
            raise TableError(f"billing: {amount}: {word!r} is not known; use {', '.join(BILLINGS.values())} or {_ONCE}")
        wanted = round(float(amount), 2)
        plans = paid.loc[paid["amount"] == wanted, "plan"].unique()
        if not len(plans):
            raise TableError(f"billing: no payment is of {amount}; the amounts are those of the file, such as "
                             f"{', '.join(f'{a:g}' for a in paid['amount'].value_counts().index[:5])}")  # fmt: skip
        found |= {(plan, wanted): float(months) for plan in plans}
    return found


def _mostly_regular(unknown: pd.DataFrame, paid: pd.DataFrame, words: Words) -> None:
    """Ask how often is paid where more than a tenth of the money does not tell."""
    if unknown["amount"].sum() <= _ODD * paid["amount"].sum():
        return
    largest = unknown.groupby("amount")["amount"].agg(["size", "sum"]).sort_values("sum", ascending=False).head(3)
    named = ", ".join(f"{a:g} ({words.counted(r['size'], 'payment')})" for a, r in largest.iterrows())
    raise TableError(
        f"payments of {words.money(unknown['amount'].sum())} of {words.money(paid['amount'].sum())} come back at no billing "
        f"period, most at {named}. Say how often they are paid in client.yaml, `billing: {{{largest.index[0]:g}: annual}}` "
        f"(or once), name a file of contracts, or use kind: shop"
    )


def _stretches(regular: pd.DataFrame, patience: int, seen: pd.Timestamp) -> pd.DataFrame:
    """A row per contract: payments of one price that follow each other without a gap beyond the grace."""
    keys = ["customer_id", "plan", "amount", "lane"]
    due = add_months(regular["date"], regular["period"])
    before = due.groupby([regular[k] for k in keys]).shift()
    begins = before.isna() | ((regular["date"] - before).dt.days > patience)
    number = begins.cumsum()
    rows = regular.groupby(number).agg(
        customer_id=("customer_id", "first"), start=("date", "first"), last=("date", "last"),
        plan=("plan", "first"), price=("amount", "first"), period=("period", "first"),
    )  # fmt: skip
    rows["end"] = add_months(rows["last"], rows["period"])
    rows["end"] = rows["end"].where((seen - rows["end"]).dt.days > patience)
    rows = _until_the_next_price(rows).sort_values(["customer_id", "start", "price"], ignore_index=True)
    rows["billing"] = rows["period"].map(BILLINGS)
    return rows[["customer_id", "start", "end", "price", "billing", "plan"]]


def _until_the_next_price(rows: pd.DataFrame) -> pd.DataFrame:
    """End a contract on the day on which its customer began another, where it was not paid again."""
    starts = rows[["customer_id", "start"]].drop_duplicates().sort_values("start").rename(columns={"start": "next"})
    asked = rows.reset_index(names="row").sort_values("last")
    found = pd.merge_asof(
        asked, starts, left_on="last", right_on="next", by="customer_id", direction="forward", allow_exact_matches=False
    ).set_index("row")["next"]
    until = rows["end"].fillna(add_months(rows["last"], rows["period"]))
    changed = found.reindex(rows.index) <= until
    return rows.assign(end=rows["end"].mask(changed, found.reindex(rows.index)))


def _told(regular: pd.DataFrame, odd: pd.DataFrame, words: Words) -> Finding:
    by = regular.groupby(["plan", "amount", "period"]).agg(
        customers=("customer_id", "nunique"), payments=("date", "size"), money=("amount", "sum")
    )
    table = by.reset_index().rename(columns={"amount": "price"}).sort_values("money", ascending=False)
    table["billing"] = table.pop("period").map(BILLINGS)
    some = [
        f"{words.money(r.price, digits=2)} {r.billing} ({words.counted(r.customers, 'customer')})"
        for r in table.head(5).itertuples()
    ]
    text = f"There is no file of contracts; from {words.counted(len(regular), 'payment')} they are: {', '.join(some)}"
    text += f", and {words.counted(len(table) - 5, 'price')} more." if len(table) > 5 else "."
    if len(odd):
        text += f" {words.counted(len(odd), 'payment')} of {words.money(odd['amount'].sum())} come at no billing period and begin no contract."
    return Finding(table.reset_index(drop=True), text)
