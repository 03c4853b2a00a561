"""Text files as people export them: the layout is found, the rows come whole, and what cannot be read says why."""

from __future__ import annotations

import gzip
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clvnb as cv
from clvnb.core.engine import to_pandas
from clvnb.data.textfiles import find_layout, read_text_files

ROWS = [["a", "2024-01-31", "1.5"], ["b", "2024-02-01", "2"]]


def written(delimiter: str, *, before: str = "", end: str = "\n") -> str:
    lines = [["who", "when", "how much"], *ROWS]
    return before + end.join(delimiter.join(line) for line in lines) + end


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_layouts(tmp_path, delimiter, end, encoding):
    file = tmp_path / "orders.txt"
    file.write_bytes(written(delimiter, end=end).encode(encoding))
    table, layout = read_text_files([str(file)], encoding=encoding)
    assert (layout.delimiter, layout.skip) == (delimiter, 0)
    assert layout.columns == ("who", "when", "how much")
    assert to_pandas(table).to_numpy().tolist() == ROWS


@pytest.mark.parametrize("before", ["Orders of May\n", "\n\nShop report, May\n\n", "made by: x\nmade on: 2024-05-01\n"])
def test_a_title_stands_before_the_names_and_lines_are_counted_from_the_top(tmp_path, before):
    file = tmp_path / "orders.csv"
    file.write_text(written(";", before=before))
    log = cv.read_transactions(file, columns={"customer_id": "who", "date": "when", "amount": "how much"}).to_pandas()
    assert log["customer_id"].tolist() == ["a", "b"]
    assert log["line"].tolist() == [before.count("\n") + 2, before.count("\n") + 3]


def test_marks_inside_quotes_belong_to_the_value(tmp_path):
    file = tmp_path / "orders.csv"
    file.write_text('who,when,note\n"Smith, J.",2024-01-31,"a ""b""\nc; d"\nb,2024-02-01,\n')
    found = to_pandas(read_text_files([str(file)])[0])
    assert found["who"].tolist() == ["Smith, J.", "b"]
    assert found["note"].iloc[0] == 'a "b"\nc; d'
    assert found["note"].isna().tolist() == [False, True]


def test_names_are_made_unique_whatever_their_case():
    layout_names = [("Date,date,,Date", ("Date", "date_1", "column3", "Date_2")), ("a,A_1,a", ("a", "A_1", "a_2"))]
    import tempfile
    from pathlib import Path

    for line, names in layout_names:
        file = Path(tempfile.mkdtemp()) / "x.csv"
        file.write_text(line + "\n" + ",".join("1" * len(names)) + "\n")
        assert find_layout(file).columns == names
        assert list(read_text_files([str(file)])[0].columns) == list(names)


def test_files_with_other_columns_are_joined_by_name(tmp_path):
    (tmp_path / "a.csv").write_text("who,when,eur\na,2024-01-31,1\n")
    (tmp_path / "b.csv").write_text("when;who;note\n2024-02-01;b;x\n")
    found = to_pandas(read_text_files([str(tmp_path / "a.csv"), str(tmp_path / "b.csv")])[0])
    assert found["who"].tolist() == ["a", "b"]
    assert found["eur"].isna().tolist() == [False, True]


def test_packed_files_are_read(tmp_path):
    file = tmp_path / "orders.csv.gz"
    file.write_bytes(gzip.compress(written(",").encode()))
    log = cv.read_transactions(file, columns={"customer_id": "who", "date": "when", "amount": "how much"})
    assert to_pandas(log)["amount"].tolist() == [1.5, 2.0]


@pytest.mark.parametrize("beside", ["README.txt", "readme.csv", "LICENSE", "how to.pdf", "__MACOSX/._orders.csv"])
def test_what_lies_beside_an_export_in_its_archive_is_no_data(tmp_path, beside):
    file = tmp_path / "orders.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("orders.csv", written(","))
        archive.writestr(beside, "not,a\ntable;")
    log = cv.read_transactions(file, columns={"customer_id": "who", "date": "when", "amount": "how much"})
    assert to_pandas(log)["amount"].tolist() == [1.5, 2.0]


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        (b"PK\x03\x04\0\0\0", {}, "is no text"),
        ("who;when\nJos\u00e9;1\n".encode("cp1252"), {}, "line 2 is not text in utf-8; say `encoding:`"),
        (b"who,when\na,1\n", {"encoding": "utf-99"}, "no encoding is called 'utf-99'"),
        (b"who,when\n" + b"a,1\n" * 70_000 + b"\xff\xfe,2\n", {}, "cannot be read as a table"),
    ],
)
def test_what_is_not_the_text_it_should_be(tmp_path, content, options, says):
    file = tmp_path / "orders.csv"
    file.write_bytes(content)
    with pytest.raises(cv.TableError, match=says) as error:
        cv.read_transactions(file, columns={"customer_id": "who", "date": "when", "amount": "when"}, **options)
    assert "orders.csv" in str(error.value)


def test_a_broken_packing_is_named(tmp_path):
    file = tmp_path / "orders.csv.gz"
    file.write_bytes(gzip.compress(written(",").encode())[:-9])
    with pytest.raises(cv.TableError, match="orders.csv.gz: cannot be unpacked"):
        find_layout(file)


cell = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\u2028\u2029\x85"), max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.lists(cell.filter(lambda c: c.strip() == c), min_size=3, max_size=3), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
)
def test_what_was_written_is_read(tmp_path_factory, rows, delimiter):
    import csv

    file = tmp_path_factory.mktemp("fuzz") / "x.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        out = csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        out.writerows([["one", "two", "three"], *rows])
    found = to_pandas(read_text_files([str(file)], delimiter=delimiter)[0])
    kept = [[c or None for c in row] for row in rows]
    assert found.astype(object).where(found.notna(), None).to_numpy().tolist() == kept
