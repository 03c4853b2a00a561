"""Damaged exports: each is read to its exact totals, or refused with the row and what to do; ``messy/make.py`` made them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import clvnb as cv
from clvnb.core.engine import to_pandas
from clvnb.data.books import Books
from clvnb.data.proposal import client_yaml, propose_client

MESSY = Path(__file__).parent / "messy"
TRUTH = yaml.safe_load((MESSY / "truth.yaml").read_text(encoding="utf-8"))


def read(name: str, folder: Path, columns: dict[str, str] | None = None) -> cv.Checked:
    """As a user does: look at the file, write client.yaml, check."""
    proposal = propose_client(MESSY / name, folder, columns=columns)
    currency = proposal.currency or "EUR"
    (folder / "client.yaml").write_text(
        client_yaml(proposal, name="Messy", currency=currency, timezone="UTC", margin=None), encoding="utf-8"
    )
    return Books(cv.Client.load(folder)).orders


@pytest.mark.parametrize("name", [n for n, truth in TRUTH.items() if "refused" not in truth])
def test_read_to_the_cent(tmp_path, name):
    truth = TRUTH[name]
    checked = read(name, tmp_path, truth.get("columns"))
    kept, rejected = to_pandas(checked.kept), to_pandas(checked.rejected)
    assert len(kept) == truth["rows"]
    assert round(100 * kept["amount"].sum()) == truth["cents"]
    assert kept["customer_id"].nunique() == truth["customers"]
    assert len(rejected) == truth["rejected"]
    assert kept["date"].dt.year.eq(2024).all()
    account = checked.account.set_index("rule")
    assert account.loc["read", "rows"] == account.drop("read")["rows"].sum() == len(kept) + len(rejected)


@pytest.mark.parametrize("name", [n for n, truth in TRUTH.items() if "refused" in truth])
def test_refused_and_told_what_to_do(tmp_path, name):
    with pytest.raises(cv.ClvnbError, match=TRUTH[name]["refused"]) as error:
        read(name, tmp_path)
    assert name in str(error.value) or "currencies" in str(error.value)


def test_the_files_are_what_the_script_makes():
    import sys

    sys.path.insert(0, str(MESSY))
    try:
        from make import cases
    finally:
        sys.path.remove(str(MESSY))
    made = cases()
    assert set(made) == set(TRUTH)
    assert len(made) >= 40
    for name, (content, truth) in made.items():
        assert truth == TRUTH[name], name
        if not name.endswith(
            (".xlsx", ".ods", ".zip", ".parquet", ".feather")
        ):  # as their libraries' versions write them
            assert (MESSY / name).read_bytes() == content, name


def test_two_exports_that_overlap_count_no_order_twice(tmp_path):
    """May to August and July to December: the orders of July and August stand in both files."""
    header, *lines = (MESSY / "plain.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    early, late = (
        [line for line in lines if keep(line.split(",")[2])]
        for keep in (lambda d: d < "2024-09", lambda d: d >= "2024-07")
    )
    assert set(early) & set(late)
    (tmp_path / "orders-1.csv").write_text(header + "".join(early))
    (tmp_path / "orders-2.csv").write_text(header + "".join(late))
    proposal = propose_client(tmp_path / "orders-1.csv", tmp_path)
    proposal.settings["source"] = "orders-*.csv"
    (tmp_path / "client.yaml").write_text(
        client_yaml(proposal, name="Two", currency="EUR", timezone="UTC", margin=None)
    )
    checked = Books(cv.Client.load(tmp_path)).orders
    truth, kept = TRUTH["plain.csv"], to_pandas(checked.kept)
    assert (len(kept), round(100 * kept["amount"].sum())) == (truth["rows"], truth["cents"])
    assert len(to_pandas(checked.rejected)) == len(set(early) & set(late))
