"""A subscription client from its files to its value: the same lives, however they are written and paid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import clvnb as cv
from clvnb.data.books import Books
from clvnb.data.spells import add_months
from clvnb.value.worth import Worth, assess_worth

AS_OF = pd.Timestamp("2025-12-31")
COLUMNS = ["customer_id", "start", "end", "plan", "billing", "price"]


def members(n: int, seed: int, *, months: int, price: float, prefix: str = "m") -> pd.DataFrame:
    """Members of one plan who leave at a renewal with a chance of their own; a row each."""
    rng = np.random.default_rng(seed)
    start = pd.Series(pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 1500, n), unit="D"))
    left = add_months(start, pd.Series(rng.geometric(rng.beta(1.5, 12.0 if months == 1 else 5.0, n))) * months)
    billing = "annual" if months == 12 else "monthly"
    ids = [f"{prefix}{k:04d}" for k in range(n)]
    ended = pd.to_datetime(left).where(left <= AS_OF)
    return pd.DataFrame(
        {"customer_id": ids, "start": start, "end": ended, "plan": "Pro", "billing": billing, "price": price}
    )


def paid(contracts: pd.DataFrame) -> pd.DataFrame:
    """A payment at the start of every billing period."""
    rows = []
    for r in contracts.itertuples():
        step = 12 if r.billing == "annual" else 1
        until = min(r.end, AS_OF + pd.Timedelta(days=1)) if pd.notna(r.end) else AS_OF + pd.Timedelta(days=1)
        days = [r.start + pd.DateOffset(months=step * k) for k in range(80)]
        rows += [(r.customer_id, d, r.price) for d in days if d < until]
    return pd.DataFrame(rows, columns=["customer_id", "date", "amount"])


def assess(folder: Path, contracts: pd.DataFrame, payments: pd.DataFrame) -> Worth:
    folder.mkdir(exist_ok=True)
    contracts.to_csv(folder / "contracts.csv", index=False)
    payments.assign(order_id=range(len(payments))).to_csv(folder / "payments.csv", index=False)
    settings = {"name": "Club", "kind": "subscription", "currency": "EUR", "as_of": AS_OF.date(),
                "transactions": {"source": "payments.csv"}, "contracts": {"source": "contracts.csv"},
                "economics": {"margin": 1.0, "discount_rate": 0.0, "horizon": "1 year"}}  # fmt: skip
    (folder / "client.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return assess_worth(Books(cv.Client.load(folder)))


def said(worth: Worth) -> str:
    return str(worth.checked)


MONTHLY, ANNUAL = members(300, 1, months=1, price=10.0), members(300, 2, months=12, price=100.0, prefix="y")
BOTH = pd.concat([MONTHLY, ANNUAL], ignore_index=True)


def test_one_plan_with_two_billings_is_two_models(tmp_path):
    payments = paid(BOTH)
    mixed = assess(tmp_path / "mixed", BOTH, payments)
    split = assess(tmp_path / "split", BOTH.assign(plan=BOTH["plan"] + " " + BOTH["billing"]), payments)
    new = {"m0000": "z0000"}
    renamed = assess(tmp_path / "renamed", BOTH.replace({"customer_id": new}), payments.replace({"customer_id": new}))
    assert set(mixed.plans) == {"Pro monthly", "Pro annual"}
    assert mixed.total.value == split.total.value
    assert renamed.total.value == pytest.approx(mixed.total.value, rel=1e-9)
    running = BOTH[BOTH["end"].isna()]
    assert mixed.total.value < (running["price"] * running["billing"].map({"monthly": 12, "annual": 1})).sum()


def test_billing_is_inferred_from_payments_or_asked(tmp_path):
    payments = paid(BOTH)
    told, unsaid = assess(tmp_path / "told", BOTH, payments), BOTH.drop(columns="billing")
    found = assess(tmp_path / "found", unsaid, payments)
    assert found.total.value == pytest.approx(told.total.value, rel=1e-6)
    assert "do not say how often is paid" in said(found)
    once = payments.drop_duplicates("customer_id")
    with pytest.raises(cv.TableError, match="Name a column for `billing`"):
        assess(tmp_path / "asked", unsaid, once)
    named = cv.data.settle_contracts(unsaid.assign(plan="Pro annual"), once, as_of=AS_OF)
    assert set(named.kept["billing"]) == {"annual"}


def test_an_add_on_that_ended_ends_no_member(tmp_path):
    long = MONTHLY[(MONTHLY["end"].fillna(AS_OF) - MONTHLY["start"]).dt.days > 200]
    begun = add_months(long["start"], pd.Series(3, index=long.index))
    add_on = long.assign(start=begun, end=add_months(begun, pd.Series(2, index=long.index)), price=2.0)
    base = assess(tmp_path / "base", MONTHLY, paid(MONTHLY))
    both = pd.concat([MONTHLY, add_on], ignore_index=True)
    tried = assess(tmp_path / "tried", both, paid(both))
    assert tried.total.value == pytest.approx(base.total.value, rel=1e-9)
    assert int((tried.customers["p_alive"] > 0).sum()) == int(MONTHLY["end"].isna().sum())


def test_a_row_for_each_term_is_one_life(tmp_path):
    rows = []
    for r in ANNUAL.itertuples():
        first = r.start
        for k in range(10):
            a, b = (first + pd.DateOffset(years=j) for j in (k, k + 1))
            if a > AS_OF or (pd.notna(r.end) and a >= r.end):
                break
            rows.append((r.customer_id, a, b, r.plan, r.billing, r.price))
    terms, payments = pd.DataFrame(rows, columns=COLUMNS), paid(ANNUAL)
    one, many = assess(tmp_path / "one", ANNUAL, payments), assess(tmp_path / "terms", terms, payments)
    assert many.total.value == pytest.approx(one.total.value, rel=1e-9)
    assert many.new_customer.value == pytest.approx(one.new_customer.value, rel=1e-9)
    assert "a row for each term" in said(many)


def test_known_ends_to_come_are_used(tmp_path):
    """Half of the running contracts are cancelled to their next renewal: nothing is expected of them any more."""
    open_ones, payments = assess(tmp_path / "open", ANNUAL, paid(ANNUAL)), paid(ANNUAL)
    people = open_ones.people.set_index("customer_id")
    going = people.index[people["running"]][::2]
    ends = add_months(people["start"], (people["renewals"] + 1) * 12)
    known = ANNUAL.assign(end=ANNUAL["end"].fillna(ANNUAL["customer_id"].map(ends[going])))
    told = assess(tmp_path / "known", known, payments)
    value = open_ones.customers.set_index("customer_id")["clv"]
    assert told.total.value == pytest.approx(value.drop(going).sum(), rel=1e-9)
    assert (told.customers.set_index("customer_id").loc[going, ["clv", "clv_high"]] == 0).all().all()


def test_members_who_stopped_paying_are_out_and_said(tmp_path):
    payments = paid(MONTHLY)
    silent = MONTHLY.loc[MONTHLY["end"].isna(), "customer_id"].iloc[::4]
    stopped = payments[~(payments["customer_id"].isin(silent) & (payments["date"] > "2025-06-30"))]
    worth = assess(tmp_path / "silent", MONTHLY, stopped)
    alive = worth.customers.set_index("customer_id")["p_alive"]
    older = silent[silent.isin(stopped["customer_id"])]
    assert (alive[older] == 0).all()
    assert f"{len(silent)} of" in said(worth)
    assert "overdue by more than 14 days" in said(worth)
    ended = worth.lives.set_index("customer_id").loc[older, "end"]
    assert ended.between("2025-07-01", "2025-07-31").all()


def test_payments_that_are_incomplete_end_nobody(tmp_path):
    few = MONTHLY["customer_id"].iloc[:60]
    payments = paid(MONTHLY)
    worth = assess(tmp_path / "few", MONTHLY, payments[payments["customer_id"].isin(few)])
    assert (worth.customers["p_alive"] > 0).sum() == MONTHLY["end"].isna().sum()
    assert "payments seem incomplete" in said(worth)
    assert "was received" in said(worth)


def test_a_plan_that_mixes_periods_is_refused():
    rows = pd.DataFrame({"customer_id": ["a", "b"], "plan": "p", "renewals": 2, "opportunities": 2, "active": True,
                         "price": 10.0, "period": [1, 12], "days_to_next": 9.0})  # fmt: skip
    model = cv.ShiftedBetaGeometric.with_params(alpha=1.0, beta=4.0)
    with pytest.raises(cv.TableError, match="every 1 and 12 months"):
        cv.subscription_table(rows, {"p": model}, cv.Economics())


def test_who_pays_at_two_periods_has_one_row_with_both():
    rows = pd.DataFrame({"customer_id": ["a", "a", "b"], "plan": ["m", "y", "m"], "renewals": 2, "opportunities": 2,
                         "active": True, "price": [10.0, 300.0, 10.0], "period": [1, 12, 1], "days_to_next": 9.0})  # fmt: skip
    models = dict.fromkeys("my", cv.ShiftedBetaGeometric.with_params(alpha=1.0, beta=4.0))
    table, total = cv.subscription_table(rows, models, cv.Economics(horizon="1 year"))
    apart = [cv.subscription_table(rows.iloc[[k]], models, cv.Economics(horizon="1 year"))[1].value for k in range(3)]
    assert table["customer_id"].tolist() == ["a", "b"]
    assert table["clv"].tolist() == pytest.approx([apart[0] + apart[1], apart[2]])
    assert total.value == pytest.approx(sum(apart))
    assert table.loc[0, "plan"] == "y"
