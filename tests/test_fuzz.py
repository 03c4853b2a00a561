"""Whatever a file or a client.yaml holds: it is read, or refused with one of clvnb's errors; never a traceback.

``CLVNB_FUZZ=10000 pytest tests/test_fuzz.py`` tries that many of each.
"""

from __future__ import annotations

import contextlib
import os
import zipfile
from pathlib import Path

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import clvnb as cv
from clvnb.core.engine import to_pandas
from clvnb.data.books import Books
from clvnb.data.proposal import client_yaml, propose_client

MESSY = Path(__file__).parent / "messy"
SUFFIXES = [".csv", ".txt", ".csv.gz", ".xlsx", ".ods", ".parquet", ".feather", ".jsonl"]
CASES = int(os.environ.get("CLVNB_FUZZ", "40"))
FUZZ = settings(
    max_examples=CASES,
    deadline=None,
    derandomize="CLVNB_FUZZ" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

# Pieces that exports are made of, whole and broken.
PIECES = ["customer", "date", "amount", "order", "c1", "c2", "2024-01-31", "31.01.2024", "45000", "1700000000", "1,5", "1.234,50",
          "(3.00)", "7-", "€ 5", "n/a", "", " ", "Total", '"', '""', ",", ";", "\t", "|", "\n", "\r\n", "\r", "=cmd|x", "<script>",
          "\u202e", "é", "\ufeff", "\u2028", "x" * 300, "{{ a }}", "'", "\\"]  # fmt: skip
pieces = st.lists(st.sampled_from(PIECES), max_size=60).map("".join)
rows = st.lists(
    st.tuples(st.sampled_from(["c1", "c2", "", "Total"]), st.sampled_from(PIECES), st.sampled_from(PIECES)), max_size=12
)
tables = rows.map(lambda found: "customer,date,amount\n" + "".join(",".join(r) + "\n" for r in found))
contents = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda t, e: t.encode(e, "replace"), st.one_of(pieces, tables), st.sampled_from(["utf-8", "cp1252", "utf-16"])
    ),
)


@FUZZ
@given(content=contents, suffix=st.sampled_from(SUFFIXES), packed=st.booleans())
@example(b"", ".csv", False)
@example(b"\xff\xfe", ".csv", False)
@example(b'customer,date,amount\n"', ".csv", False)
@example(b"customer,date,amount\nc1,2024-01-31,5\n", ".csv", True)
def test_any_file_is_read_or_refused(tmp_path, content, suffix, packed):
    file = tmp_path / (f"orders{suffix}.zip" if packed else f"orders{suffix}")
    if packed:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(f"orders{suffix}", content)
    else:
        file.write_bytes(content)
    read_or_refused(file, tmp_path)


CONTAINERS = ["sheet.xlsx", "sheet.ods", "table.parquet", "table.feather", "packed.zip", "packed.csv.gz", "lines.jsonl"]


@FUZZ
@given(
    name=st.sampled_from(CONTAINERS),
    cut=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
)
def test_a_damaged_file_is_read_or_refused(tmp_path, name, cut, flips):
    """Real files of each kind, with bytes changed and the end cut off."""
    content = bytearray((MESSY / name).read_bytes())
    for place, value in flips:
        content[int(place * len(content))] = value
    file = tmp_path / name
    file.write_bytes(content[: max(int(cut * len(content)), 1)] if cut < 0.5 else content)
    read_or_refused(file, tmp_path)


def read_or_refused(file: Path, tmp_path: Path) -> None:
    try:
        proposal = propose_client(file, tmp_path)
        (tmp_path / "client.yaml").write_text(
            client_yaml(proposal, name="X", currency=proposal.currency or "EUR", timezone="UTC", margin=None),
            encoding="utf-8",
        )
        checked = Books(cv.Client.load(tmp_path)).orders
    except cv.ClvnbError:
        return
    account = checked.account.set_index("rule")
    assert account.loc["read", "rows"] == len(to_pandas(checked.kept)) + len(to_pandas(checked.rejected))


VALID = {
    "name": "Shop",
    "currency": "EUR",
    "transactions": {"source": "orders.csv", "columns": {"customer_id": "customer"}, "decimal": ".", "max_loss": 0.5,
                     "hash_ids": True, "dates_in": "UTC", "exclude": {"customer_id": ["x"]}},
    "economics": {"margin": 0.4, "horizon": "3 years", "discount_rate": 0.1},
}  # fmt: skip
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(PIECES)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)
PLACES = (
    [(k,) for k in VALID]
    + [(k, n) for k, v in VALID.items() if isinstance(v, dict) for n in v]
    + [("more",), ("economics", "more"), ("rates",), ("timezone",), ("surveys",)]
)


@FUZZ
@given(place=st.sampled_from(PLACES), value=anything)
def test_any_setting_is_taken_or_refused(tmp_path, place, value):
    told = {k: dict(v) if isinstance(v, dict) else v for k, v in VALID.items()}
    inner = told if len(place) == 1 else told[place[0]]
    inner[place[-1]] = value
    (tmp_path / "client.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")
    (tmp_path / "orders.csv").write_text("customer,date,amount\nc1,2024-01-31,5\nc1,2024-02-29,6\n")
    with contextlib.suppress(cv.ClvnbError):
        _ = Books(cv.Client.load(tmp_path)).orders


@FUZZ
@given(text=pieces)
def test_any_text_as_client_yaml(tmp_path, text):
    (tmp_path / "client.yaml").write_text(text, encoding="utf-8")
    with contextlib.suppress(cv.ClvnbError):
        assert cv.Client.load(tmp_path).name
