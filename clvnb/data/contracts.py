"""Contracts of a subscription business: checked, held against what was paid, and turned into one row per customer.

In: a CONTRACTS table (customer_id, start, end, price), payments. Out: ``Checked``, CONTRACTS, SUBSCRIPTIONS.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from ..core.engine import to_pandas
from ..core.errors import TableError
from ..core.maths import days
from ..core.results import Checked, Finding
from ..core.tables import CONTRACTS, check
from ..core.words import Words
from .client import Client
from .sources import read_table
from .spells import BILLINGS, GRACE, add_months, billing_months, contract_lives, renewals_before, spells
from .statuses import meaning_of_status

__all__ = ["check_contracts", "current_subscriptions", "read_contracts", "settle_contracts", "summarize_contracts"]

_EARLY = pd.Timedelta(days=5)  # a payment that comes so many days before it is due pays what is due


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
    read = to_pandas(read_table(client, client.contracts, CONTRACTS.required))
    if "quantity" in read:  # the price is of one seat
        seats = pd.to_numeric(read["quantity"], errors="coerce").fillna(1.0)
        read = read.assign(price=read["price"] * seats)
    return read


def check_contracts(contracts: pd.DataFrame, *, words: Words | None = None) -> Checked:
    """Sort contracts into kept and rejected, with the rule.

    Parameters
    ----------
    contracts : CONTRACTS
        ``billing`` is monthly, quarterly, half-yearly, annual or two-yearly; where it is left out, what ``plan`` says,
        and a month where that says nothing.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    Checked
        ``money`` in the account is the sum of prices of one billing period. The rules: customer missing; start
        unreadable; price unreadable or below zero; ends before it starts; repeated contract (alike in everything: two
        products bought on one day are two contracts).

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
    billing_months(contracts)  # refuses a word that is not known
    alike = [
        c
        for c in ("customer_id", "start", "end", "price", "plan", "billing", "product", "contract_id")
        if c in contracts
    ]
    rules = [
        (contracts["customer_id"].isna(), "customer missing"),
        (contracts["start"].isna(), "start unreadable"),
        (contracts["price"].isna() | (contracts["price"] < 0), "price unreadable or below zero"),
        (contracts["end"] < contracts["start"], "ends before it starts"),
        (contracts.duplicated(alike), "repeated contract"),
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
        text += f" Excluded, {row.rule}: {words.count(row.rows)}."
    bare = [c for c in contracts.columns if c != "line"]
    good = ruled["rule"] == "kept"
    return Checked(ruled.loc[good, bare].reset_index(drop=True), ruled[~good], (Finding(account, text),))


def summarize_contracts(
    contracts: pd.DataFrame,
    *,
    as_of: date | str,
    payments: pd.DataFrame | None = None,
    grace: str | float = GRACE,
) -> pd.DataFrame:
    """Turn checked contracts into one row per customer, counted in billing periods.

    Rows are joined to lives first, as ``spells`` does: terms, price rises and plan changes that follow each other are
    one life, contracts that run at once are added up, and after a lapse a new life begins.

    Parameters
    ----------
    contracts : CONTRACTS
        Checked.
    as_of : date
        Contracts that start later are ignored; those that end later still run.
    payments : SUMMARY, optional
        Brings ``historic_revenue`` and ``historic_value`` by customer.
    grace : str or float
        The longest gap that is no lapse.

    Returns
    -------
    SUBSCRIPTIONS
        The latest life of each customer, as ``contract_lives`` describes it, and the money to date. Who runs contracts
        of several billing periods at once has a row for each. Sorted by customer.

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
    lives = contract_lives(spells(contracts, as_of=as_of, grace=grace), as_of=as_of)
    return current_subscriptions(lives, payments)


def current_subscriptions(lives: pd.DataFrame, payments: pd.DataFrame | None = None) -> pd.DataFrame:
    """Keep what each customer has now: every running life, or the last of those that ended.

    Parameters
    ----------
    lives : SUBSCRIPTIONS
        From ``contract_lives``.
    payments : SUMMARY, optional
        Brings ``historic_revenue`` and ``historic_value`` by customer.

    Returns
    -------
    SUBSCRIPTIONS
        ``active`` is true where the life still runs.
    """
    last = lives.sort_values(["customer_id", "end", "price", "period"], ascending=[True, False, False, True])
    ended = last[~last.groupby("customer_id")["running"].transform("any")].drop_duplicates("customer_id")
    out = pd.concat([lives[lives["running"]], ended]).sort_values(["customer_id", "period"], ignore_index=True)
    out["active"] = out["running"]
    if payments is not None:
        money = payments.set_index("customer_id")[["historic_revenue", "historic_value"]]
        out = out.join(money, on="customer_id").fillna({"historic_revenue": 0.0, "historic_value": 0.0})
    return out


# ------------------------------------------------------------------------- contracts against what was paid


def settle_contracts(
    contracts: pd.DataFrame,
    payments: pd.DataFrame,
    *,
    as_of: date | str,
    grace: str | float = GRACE,
    words: Words | None = None,
) -> Checked:
    """Hold contracts against payments: how often is paid, which ends are those of terms, and who stopped paying.

    Parameters
    ----------
    contracts : CONTRACTS
        Checked.
    payments : pandas.DataFrame
        ``customer_id, date, amount``: money received.
    as_of : date
        The evening of this day.
    grace : str or float
        How long a payment may be overdue, and a renewal row late.
    words : Words, optional
        The client's currency and language.

    Returns
    -------
    Checked
        ``kept``: CONTRACTS with ``billing`` from the spacing of payments where the file says none, without ends that
        are only those of a term, and ended on the day on which a payment was due that never came. ``rejected``: the
        contracts so ended. ``findings`` say each of these, and where money received and contracts differ by more than a
        tenth.

    Raises
    ------
    TableError
        When neither the file nor payments say how often is paid.

    Examples
    --------
    >>> contracts = pd.DataFrame({"customer_id": ["a"], "price": [190.0], "plan": ["Pro"],
    ...     "start": pd.to_datetime(["2022-01-15"]), "end": pd.to_datetime([None])})
    >>> payments = pd.DataFrame({"customer_id": "a", "amount": 190.0,
    ...     "date": pd.to_datetime(["2022-01-15", "2023-01-15", "2024-01-16"])})
    >>> settled = settle_contracts(contracts, payments, as_of="2024-06-30")
    >>> settled.kept["billing"].tolist()
    ['annual']
    >>> print(settled)
    The contracts do not say how often is paid; from the distance between payments: annual 1.
    """
    words, today = words or Words("XXX"), pd.Timestamp(as_of)
    paid = payments.assign(date=pd.to_datetime(payments["date"]).dt.normalize())
    paid = paid[(paid["date"] <= today) & (paid["amount"] > 0)]
    kept, findings = _with_billing(contracts, paid, words)
    kept, said = _open_terms(kept, today, words)
    findings += said
    kept, said = _end_said(kept, paid, words)
    findings += said
    patience = pd.Timedelta(days=days(grace) if grace else 0)
    kept, ended, said = _end_unpaid(kept, paid, today, patience, words)
    findings += said + _money_apart(kept, paid, today, patience, words)
    return Checked(kept, ended, tuple(findings))


def _with_billing(contracts: pd.DataFrame, paid: pd.DataFrame, words: Words) -> tuple[pd.DataFrame, list[Finding]]:
    """Billing from the distance between payments of a contract's price, where no column says it."""
    if "billing" in contracts and contracts["billing"].notna().all():
        return contracts, []
    unsaid = contracts["billing"].isna() if "billing" in contracts else pd.Series(True, index=contracts.index)
    gaps = _months_between_payments(contracts[unsaid], paid)
    alike = [contracts.loc[unsaid, c].astype(str) for c in ("plan", "price") if c in contracts]
    for group in (alike, alike[:1]):  # contracts paid once so far are billed as others of their plan and price
        gaps = gaps.fillna(gaps.groupby(group).transform("median"))
    steps = np.array(sorted(BILLINGS))
    nearest = steps[np.abs(np.log(gaps.to_numpy(float)[:, None] / steps)).argmin(axis=1)]
    clear = np.abs(np.log(gaps / nearest)) < 0.2
    if not clear.all():
        clear |= _said_by_plan(contracts[unsaid])
        nearest = np.where(clear & gaps.isna(), billing_months(contracts[unsaid]), nearest)
    if not clear.all():
        example = contracts.loc[unsaid].loc[~clear].iloc[0]
        raise TableError(
            f"contracts: how often is paid is said for {clear.sum():,} of {len(clear):,} contracts only, not for that of "
            f"{example['customer_id']!r}: neither a column nor two payments of its price tell. Name a column for "
            "`billing` under contracts.columns (monthly, quarterly, half-yearly, annual, two-yearly)"
        )
    found = pd.Series([BILLINGS[int(m)] for m in nearest], index=contracts.index[unsaid])
    billing = found.reindex(contracts.index)
    kept = contracts.assign(billing=billing.fillna(contracts["billing"]) if "billing" in contracts else billing)
    counts = found.value_counts()
    told = ", ".join(f"{name} {words.count(n)}" for name, n in counts.items())
    text = f"The contracts do not say how often is paid; from the distance between payments: {told}."
    return kept, [Finding(counts.rename_axis("billing").reset_index(name="contracts"), text)]


def _said_by_plan(contracts: pd.DataFrame) -> pd.Series:
    """Whether the plan's name holds one of the words for a billing period."""
    plans = contracts.get("plan", pd.Series("", index=contracts.index)).astype(str).str.lower()
    return plans.str.contains(r"\b(?:month(?:ly)?|quarter(?:ly)?|annual(?:ly)?|year(?:ly)?)\b")


def _months_between_payments(contracts: pd.DataFrame, paid: pd.DataFrame) -> pd.Series:
    """The median distance, in months, between payments of about the contract's price while it ran; missing below two."""
    rows = contracts[["customer_id", "start", "end", "price"]].assign(row=contracts.index)
    both = rows.merge(paid[["customer_id", "date", "amount"]], on="customer_id")
    near = (both["amount"] - both["price"]).abs() <= 0.1 * both["price"]
    there = (both["date"] >= both["start"] - _EARLY) & (both["end"].isna() | (both["date"] < both["end"] + _EARLY))
    both = both[near & there].sort_values(["row", "date"])
    gap = both.groupby("row")["date"].diff().dt.days / (365.25 / 12)
    return gap.groupby(both["row"]).median().reindex(contracts.index)


def _open_terms(contracts: pd.DataFrame, today: pd.Timestamp, words: Words) -> tuple[pd.DataFrame, list[Finding]]:
    """Where no running contract is open and each row is one billing period, ends to come are ends of terms."""
    running = (contracts["start"] <= today) & ~(contracts["end"] <= today)
    if not running.any() or contracts.loc[running, "end"].isna().any():
        return contracts, []
    now = contracts[running]
    term = add_months(now["start"], billing_months(now))
    whole = ((now["end"] - term).dt.days.abs() <= 1).mean()  # the last day itself, or the first one after it
    if whole < 0.5:
        text = (
            f"All {words.count(len(now))} running contracts have an end, and nothing is expected after it. Where they "
            "renew by themselves, leave the end empty."
        )
        return contracts, [Finding(pd.DataFrame({"running": [len(now)]}), text)]
    kept = contracts[contracts["start"] <= today].copy()
    kept.loc[kept["end"] > today, "end"] = pd.NaT
    text = (
        f"The file has a row for each term: all {words.count(len(now))} running contracts end with their billing period, "
        "which is taken for the end of the term, not of the subscription."
    )
    return kept, [Finding(pd.DataFrame({"running": [len(now)]}), text)]


def _end_said(contracts: pd.DataFrame, paid: pd.DataFrame, words: Words) -> tuple[pd.DataFrame, list[Finding]]:
    """End contracts without an end whose status says that they are over, or not yet paid for, on the day when payments ceased."""
    if "status" not in contracts:
        return contracts, []
    meant = contracts["status"].map(meaning_of_status)
    trial = contracts["status"].astype("string").str.lower().str.contains("trial", na=False)
    over = contracts["end"].isna() & (meant.isin(["cancelled", "failed", "refunded", "unpaid"]) | trial)
    last = contracts["customer_id"].map(paid.groupby("customer_id")["date"].max())
    rows = contracts[over].assign(period=billing_months(contracts[over]), last=last[over])
    if rows.empty:
        return contracts, []
    due = _next_due(rows, rows["start"])
    over &= ~(trial & due.reindex(contracts.index).gt(contracts["start"]))  # a trial that was paid for runs
    kept = contracts.assign(end=contracts["end"].mask(over, due.reindex(contracts.index)))
    kept = kept[~(over & (kept["end"] <= kept["start"]))].reset_index(drop=True)
    text = (
        f"{words.counted(int(over.sum()), 'contract')} without an end are over by their status, or were never paid for: they "
        "end on the day on which a payment was due that never came."
    )
    return kept, [Finding(rows[["customer_id", "start", "status"]], text)]


def _end_unpaid(
    contracts: pd.DataFrame, paid: pd.DataFrame, today: pd.Timestamp, grace: pd.Timedelta, words: Words
) -> tuple[pd.DataFrame, pd.DataFrame, list[Finding]]:
    """End running contracts whose payment is overdue by more than the grace on the day on which it was due."""
    seen = min(today, paid["date"].max()) if len(paid) else today
    rows = contracts[(contracts["start"] <= seen) & ~(contracts["end"] <= today) & (contracts["price"] > 0)]
    rows = rows.assign(
        period=billing_months(rows), last=rows["customer_id"].map(paid.groupby("customer_id")["date"].max())
    )
    begun = contract_lives(spells(contracts, as_of=today, grace=grace.days), as_of=today)
    begun = begun[begun["running"]].set_index(["customer_id", "period"])["start"]
    life = begun.reindex(pd.MultiIndex.from_frame(rows[["customer_id", "period"]].astype({"customer_id": str})))
    # A plan that changed in the middle of a period is paid from the first day or from that of the change.
    due = np.maximum(_next_due(rows, rows["start"]), _next_due(rows, pd.Series(life.to_numpy(), index=rows.index)))
    late = rows[due + grace < seen]
    if late.empty:
        return contracts, late, []
    names = ", ".join(late["customer_id"].astype(str).drop_duplicates().head(3))
    said = f"{words.count(len(late))} of {words.counted(len(rows), 'running contract')}"
    if len(late) > len(rows) / 2:
        text = (
            f"No payment is found for {said}, such as of {names}: payments seem incomplete, and none is ended for it."
        )
        return contracts, late.iloc[:0], [Finding(late, text)]
    text = (
        f"{said} have a payment overdue by more than {words.counted(grace.days, 'day')}, such as those of {names}: "
        "they count as ended on the day on which it was due."
    )
    kept = contracts.copy()
    kept.loc[late.index, "end"] = due[late.index]
    return kept, late, [Finding(late, text)]


def _next_due(rows: pd.DataFrame, start: pd.Series) -> pd.Series:
    """The first day on which a payment was due and none came; ``start`` itself where none came at all."""
    ever = rows["last"] >= start - _EARLY
    made = renewals_before(start, (rows["last"] + _EARLY).where(ever, start), rows["period"])
    return add_months(start, (made + 1) * rows["period"]).where(ever, start)


def _money_apart(
    contracts: pd.DataFrame, paid: pd.DataFrame, today: pd.Timestamp, grace: pd.Timedelta, words: Words
) -> list[Finding]:
    """Say where price times billing periods and money received differ by more than a tenth in all."""
    rows = spells(contracts, as_of=today, grace=grace.days)
    begun = rows.groupby(["customer_id", "period", "life"])["start"].transform("min")
    tomorrow = today + pd.Timedelta(days=1)
    until, since = (rows[c].fillna(tomorrow).clip(upper=tomorrow) for c in ("end", "start"))
    times = (1 + renewals_before(begun, until, rows["period"])).where(until > begun, 0) - (
        1 + renewals_before(begun, since, rows["period"])
    ).where(since > begun, 0)
    owed = (rows["price"] * rows["quantity"] * times).groupby(rows["customer_id"]).sum()
    got = paid.groupby(paid["customer_id"].astype(str))["amount"].sum()
    both = pd.DataFrame({"by_contract": owed, "received": got}).fillna(0.0).rename_axis("customer_id").reset_index()
    owed_all, got_all = both["by_contract"].sum(), both["received"].sum()
    if abs(got_all - owed_all) <= 0.1 * owed_all:
        return []
    worst = both.loc[(both["received"] - both["by_contract"]).abs().sort_values(ascending=False).index].head(3)
    examples = "; ".join(
        f"{r.customer_id}: {words.money(r.by_contract)} by contract, {words.money(r.received)} received"
        for r in worst.itertuples()
    )
    text = (
        f"By their contracts customers would have paid {words.money(owed_all)}; {words.money(got_all)} was received. "
        f"Look at {examples}."
    )
    return [Finding(worst, text)]
