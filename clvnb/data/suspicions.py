"""What is odd about orders that can be read: gaps, jumps, stale files, ids that changed, orders of another size, test accounts.

In: checked orders. Out: ``Finding``, one row per suspicion with what to do about it. Nothing is excluded for being odd.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..core.engine import run
from ..core.results import Finding
from ..core.words import Words

if TYPE_CHECKING:
    import ibis

__all__ = ["suspicions"]

_ENOUGH = 100  # lines of orders, below which nothing is usual yet
_TEST = r"(^|[^a-z])(test|tester|testing|dummy|demo|intern|internal|staff)([^a-z]|$)"
_WEEKS = 8  # on either side of a jump


def suspicions(kept: ibis.Table, *, as_of: date | None = None, words: Words | None = None) -> Finding | None:
    """Look at checked orders for what often means that an export is not what it seems.

    Parameters
    ----------
    kept : LOG
        Checked, as an Ibis table.
    as_of : date, optional
        The day of the report, where one was named: a log that ends long before it is stale.
    words : Words, optional

    Returns
    -------
    Finding or None
        ``check, found, do``, one row per suspicion; None where nothing is odd, or orders are fewer than 100.
    """
    words = words or Words("XXX")
    days = run(kept.group_by("date").aggregate(lines=kept.count(), money=kept.amount.sum()).order_by("date"), kept)
    if days["lines"].sum() < _ENOUGH:
        return None
    days["date"] = pd.to_datetime(days["date"])
    found = [*_gaps(days, words), *_jump(days, words), *_stale(days, as_of, words), *_sizes(kept, words)]
    found += _accounts(kept, words)
    if not found:
        return None
    table = pd.DataFrame(found, columns=["check", "found", "do"])
    said = " ".join(f"{row.found} {row.do}" for row in table.itertuples())
    return Finding(table, f"To look at before the numbers are trusted: {said}")


def _gaps(days: pd.DataFrame, words: Words) -> list[tuple[str, str, str]]:
    """Days without any order, far more of them in a row than this shop ever has."""
    between = days["date"].diff().dt.days.iloc[1:]
    usual = max(float(between.quantile(0.99)) if len(between) else 0.0, 1.0)
    longest = between.idxmax() if len(between) else None
    if longest is None or between[longest] < max(7.0, 5 * usual):
        return []
    first, last = days["date"][longest - 1] + timedelta(days=1), days["date"][longest] - timedelta(days=1)
    return [("gap", f"There is no order from {words.day(first)} to {words.day(last)}, {words.counted(int(between[longest]) - 1, 'day')} "
             "in a row.", "If the shop was open, a part of the export is missing.")]  # fmt: skip


def _jump(days: pd.DataFrame, words: Words) -> list[tuple[str, str, str]]:
    """A week after which orders are three times as many, or as few, for eight weeks on end."""
    weeks = days.set_index("date")["lines"].resample("7D").sum().iloc[:-1]
    if len(weeks) < 2 * _WEEKS + 1:
        return []
    logs = np.log1p(weeks.to_numpy(float))
    before = np.array([np.median(logs[k - _WEEKS : k]) for k in range(_WEEKS, len(logs) - _WEEKS + 1)])
    after = np.array([np.median(logs[k : k + _WEEKS]) for k in range(_WEEKS, len(logs) - _WEEKS + 1)])
    at = int(np.argmax(np.abs(after - before)))
    if abs(after[at] - before[at]) < np.log(3) or max(after[at], before[at]) < np.log(20):
        return []
    day, many, few = weeks.index[at + _WEEKS], np.expm1(after[at]), np.expm1(before[at])
    return [("jump", f"From about {words.day(day)} on there are {words.count(round(many))} order lines a week, after "
             f"{words.count(round(few))} a week.",
             "A new system, a part that is missing, or an export of some customers alone: what is learned from one stretch may not hold for the other.")]  # fmt: skip


def _stale(days: pd.DataFrame, as_of: date | None, words: Words) -> list[tuple[str, str, str]]:
    """A log that ends long before the day of the report."""
    if as_of is None:
        return []
    last, silent = days["date"].iloc[-1], (pd.Timestamp(as_of) - days["date"].iloc[-1]).days
    usual = float(days["date"].diff().dt.days.quantile(0.99)) if len(days) > 1 else 1.0
    if silent < max(14.0, 5 * usual):
        return []
    return [("stale", f"The last order is of {words.day(last)}, {words.counted(silent, 'day')} before {words.day(pd.Timestamp(as_of))}.",
             "If the shop was open, export again: customers look lost who are not.")]  # fmt: skip


def _sizes(kept: ibis.Table, words: Words) -> list[tuple[str, str, str]]:
    """Orders of another order of magnitude: cents for units, or a wholesale buyer among households."""
    sold = kept.filter(kept.amount > 0)
    months = sold.group_by(month=sold.date.truncate("M")).aggregate(middle=sold.amount.median(), lines=sold.count())
    table = run(months.order_by("month"), kept)
    table = table[table["lines"] >= 20]
    found = []
    ratio = (table["middle"] / table["middle"].shift()).iloc[1:]
    odd = ratio[(ratio.between(80, 125)) | (1 / ratio).between(80, 125)]
    if len(odd):
        month = words.day(pd.Timestamp(table["month"][odd.index[0]]))
        found.append(("cents", f"From {month} on the usual order is {odd.iloc[0]:,.2f} times that of the month before.",
                      "That is what cents written for units look like: export all months in one unit."))  # fmt: skip
    people = sold.group_by("customer_id").aggregate(money=sold.amount.sum())
    facts = run(people.aggregate(all=people.money.sum(), most=people.money.max(), usual=people.money.median(),
                                 who=people.customer_id.argmax(people.money), n=people.count()), kept).iloc[0]  # fmt: skip
    if facts["n"] >= 50 and facts["most"] > 0.1 * facts["all"] and facts["most"] > 100 * facts["usual"]:
        found.append(("wholesale", f"One customer, {facts['who']}, stands for {facts['most'] / facts['all']:.0%} of all money, "
                      f"{facts['most'] / facts['usual']:,.0f} times the usual customer.",
                      "A reseller or an account for all guests: leave it out by `exclude: {customer_id: [...]}` and value it by itself."))  # fmt: skip
    return found


def _accounts(kept: ibis.Table, words: Words) -> list[tuple[str, str, str]]:
    """Ids that changed their form, contact data for ids, and accounts that sound like tests."""
    ids = kept.group_by("customer_id").aggregate(first=kept.date.min(), last=kept.date.max())
    plain = ids.mutate(
        form=ids.customer_id.re_replace("[0-9]+", "9").re_replace("[A-Za-z]+", "a"),
        test=ids.customer_id.lower().re_search(_TEST).ifelse(1, 0),
    )
    forms = plain.group_by("form").aggregate(
        customers=plain.count(), first=plain["first"].min(), last=plain["last"].max(), tests=plain.test.sum(),
        example=plain.customer_id.min(), tested=plain.customer_id.min(where=plain.test == 1),
    )  # fmt: skip
    table = run(forms.order_by(forms.customers.desc(), "form").limit(50), kept)
    found = []
    if len(table) <= 20:
        found += _changed_form(table, words)
    addresses = table[table["form"].str.contains("@")]
    if len(addresses):
        found.append(("contact data", f"{words.counted(int(addresses['customers'].sum()), 'customer')} go by an e-mail address.",
                      "Set `hash_ids: true` under `transactions:`, so that reports carry no contact data."))  # fmt: skip
    tests = int(table["tests"].sum())
    if tests:
        one = table.loc[table["tests"] > 0, "tested"].iloc[0]
        found.append(("test accounts", f"{words.counted(tests, 'account')}, such as {one}, sound like tests or staff.",
                      "Leave out those that are, by `exclude: {customer_id: [...]}`."))  # fmt: skip
    return found


def _changed_form(table: pd.DataFrame, words: Words) -> list[tuple[str, str, str]]:
    """Two forms of ids of which one ends when the other begins: the same people may have been given new ones."""
    large = table[table["customers"] >= max(20, 0.05 * table["customers"].sum())]
    spans = large.assign(first=pd.to_datetime(large["first"]), last=pd.to_datetime(large["last"])).sort_values("first")
    for (_, old), (_, new) in zip(spans.iloc[:-1].iterrows(), spans.iloc[1:].iterrows(), strict=True):
        if new["first"] >= old["last"] - timedelta(days=31):
            return [("ids", f"Ids look like {old['example']} up to {words.day(old['last'])} and like {new['example']} from "
                     f"{words.day(new['first'])} on.",
                     "If customers were given new ids, join old and new ones first: otherwise all old ones look lost, and all new ones new.")]  # fmt: skip
    return []
