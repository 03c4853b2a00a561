"""From text files as people export them to a table of text in the embedded engine.

In: paths of csv, tsv or txt files, packed by gzip or not. Out: ``Layout``, how a file is laid out, and an Ibis table whose columns
are all text, so that nothing is guessed about the values.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import tempfile
import zlib
from collections import Counter
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.engine import connection, next_name
from ..core.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import ibis

__all__ = [
    "BELOW",
    "TEXT_FILES",
    "Layout",
    "find_encoding",
    "find_layout",
    "header_row",
    "read_json_lines",
    "read_text_files",
    "unique_names",
]

BELOW = "clvnb_below"  # marks lines of a footer or a second table, where there are any
TEXT_FILES = {".csv", ".tsv", ".txt"}

_SAMPLE = 1 << 16
_DELIMITERS = ",;\t|"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Layout:
    """How a text file is laid out.

    Attributes
    ----------
    delimiter : str
    encoding : str
        As Python names it.
    skip : int
        Lines before the one with the names of the columns, such as a title.
    columns : tuple of str
        The names, each one once.
    """

    delimiter: str
    encoding: str
    skip: int
    columns: tuple[str, ...]


def find_encoding(path: str | Path) -> str:
    """Find out in which encoding a text file was written: by its mark, as UTF-8 when all of it is, else as older Windows programs do.

    Parameters
    ----------
    path : path

    Returns
    -------
    str
        ``utf-8``, ``utf-16``, ``utf-16-le``, ``utf-16-be`` or ``cp1252``.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> file = Path(mkdtemp()) / "orders.csv"
    >>> _ = file.write_text("Käufer;Betrag\\nJosé;1,50\\n", encoding="cp1252")
    >>> find_encoding(file)
    'cp1252'
    """
    with _opened(Path(path)) as stream:
        start = stream.read(_SAMPLE)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if start[1:200:2].count(0) > 60 and 0 not in start[0:200:2]:
            return "utf-16-le"
        if start[0:200:2].count(0) > 60 and 0 not in start[1:200:2]:
            return "utf-16-be"
        decoder, block = codecs.getincrementaldecoder("utf-8")(), start
        try:
            while block:
                decoder.decode(block)
                block = stream.read(_BLOCK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def find_layout(path: str | Path, *, delimiter: str | None = None, encoding: str = "utf-8") -> Layout:
    """Find out how a text file is laid out, from its first lines.

    Parameters
    ----------
    path : path
    delimiter : str, optional
        Found by itself when left out: the one of comma, semicolon, tab and bar that gives most lines the same number of columns.
    encoding : str

    Raises
    ------
    TableError
        When the first lines are not text in this encoding, or the file is not what its name says.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> file = Path(mkdtemp()) / "orders.csv"
    >>> _ = file.write_text("Orders of May\\nwho;when;how much\\na;2024-05-01;1,50\\n")
    >>> find_layout(file)
    Layout(delimiter=';', encoding='utf-8', skip=1, columns=('who', 'when', 'how much'))
    """
    lines = _first_lines(Path(path), encoding)
    tried = {mark: _rows(lines, mark) for mark in (delimiter or _DELIMITERS)}
    mark = max(tried, key=lambda m: _fits(tried[m]))
    width = _width(tried[mark])
    rows = tried[mark]
    skip, cells = rows[header_row([cells for _, cells in rows], width)] if rows else (0, [])
    _well_quoted(Path(path), lines[skip:], skip, mark)
    return Layout(mark, encoding, skip, unique_names(cells))


def _well_quoted(path: Path, lines: list[str], skip: int, mark: str) -> None:
    """Refuse names with a quote that does not end: the engine would take all rows for one name."""
    try:
        next(csv.reader(lines, delimiter=mark, strict=True), None)
    except csv.Error:
        raise TableError(
            f"{path}: line {skip + 1}: the names of the columns hold a quotation mark that does not end; mend this line"
        ) from None


def header_row(rows: Sequence[Sequence[str]], width: int) -> int:
    """The first row that fills most columns: what stands above it, such as a title, is no header."""
    return next((k for k, cells in enumerate(rows) if sum(c.strip() != "" for c in cells) * 2 > width), 0)


def _first_lines(path: Path, encoding: str) -> list[str]:
    with _opened(path) as stream:
        start = stream.read(_SAMPLE)
    if b"\0" in start and not encoding.lower().replace("-", "").startswith(("utf16", "utf32")):
        raise TableError(f"{path}: is no text, whatever its name says; export it as CSV in UTF-8")
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(start)
    except LookupError:
        raise TableError(
            f"{path}: no encoding is called {encoding!r}; write for example utf-8, utf-16 or cp1252"
        ) from None
    except UnicodeDecodeError as error:
        line = start[: error.start].count(b"\n") + 1
        raise TableError(
            f"{path}: line {line} is not text in {encoding}; say `encoding:` in client.yaml (cp1252 for most older Windows "
            "programs), or save it as CSV in UTF-8"
        ) from None
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    return lines[:-1] if len(start) == _SAMPLE and len(lines) > 1 else lines  # the last one may be cut in two


def _rows(lines: list[str], mark: str) -> list[tuple[int, list[str]]]:
    """The rows of the sample that are not empty, each with the lines before it."""
    reader, out, before = csv.reader(lines, delimiter=mark), [], 0
    try:
        for cells in reader:
            if any(c.strip() for c in cells):
                out.append((before, cells))
            before = reader.line_num
    except csv.Error:  # a field longer than any: no table by this mark
        return out
    return out


def _width(rows: list[tuple[int, list[str]]]) -> int:
    return Counter(len(cells) for _, cells in rows).most_common(1)[0][0] if rows else 0


def _fits(rows: list[tuple[int, list[str]]]) -> tuple[float, int]:
    """How well a mark tells columns: the share of rows as wide as most, then how wide; one column is no table yet."""
    width = _width(rows)
    alike = sum(len(cells) == width for _, cells in rows) / max(len(rows), 1)
    return (alike if width > 1 else 0.0, width)


def unique_names(cells: Sequence[str]) -> tuple[str, ...]:
    """Names for all columns, each one once, whatever its case: the engine takes Date and date for the same."""
    names: list[str] = []
    for k, cell in enumerate(cells):
        name = plain = cell.strip() or f"column{k + 1}"
        number = 1
        while name.lower() in {n.lower() for n in names}:
            name, number = f"{plain}_{number}", number + 1
        names.append(name)
    return tuple(names)


def read_text_files(
    paths: Sequence[str], *, delimiter: str | None = None, encoding: str = "utf-8", mark: str | None = None
) -> tuple[ibis.Table, Layout]:
    """Read text files into one table of text; files whose columns differ are joined by the names of the columns.

    Parameters
    ----------
    paths : sequence of str
    delimiter, encoding : str
        As in ``find_layout``.
    mark : str, optional
        A further column for the number of the file, where there are several.

    Returns
    -------
    ibis.Table, Layout
        The table is held by the embedded engine; the rows in the order of the files, empty cells null. The layout is the first
        file's. Where a file ends in a footer or a second table, whose lines have another number of columns, these lines
        come too, with a column ``BELOW`` that is not null.

    Raises
    ------
    duckdb.Error
        When a line has another number of columns than the names, and lines like the names come after it.
    """
    import duckdb

    engine, name, plain = connection(), next_name(), []
    layouts = [find_layout(path, delimiter=delimiter, encoding=encoding) for path in paths]
    with tempfile.TemporaryDirectory(prefix="clvnb-") as scratch:
        for k, (path, layout) in enumerate(zip(paths, layouts, strict=True)):
            plain.append(_in_utf8(Path(path), layout, Path(scratch) / f"{k}.csv"))

        def scan(files: Sequence[Path], names: Sequence[Layout]) -> None:
            numbers = [f", {k}::BIGINT AS {mark}" if mark and len(paths) > 1 else "" for k in range(len(paths))]
            parts = [_scan(p, layout, number) for p, layout, number in zip(files, names, numbers, strict=True)]
            engine.raw_sql(f"CREATE TEMP TABLE {name} AS {' UNION ALL BY NAME '.join(parts)}")

        try:
            scan(plain, layouts)
        except duckdb.Error:
            marked = [
                _footer_marked(p, layout, Path(scratch) / f"{k}-marked.csv")
                for k, (p, layout) in enumerate(zip(plain, layouts, strict=True))
            ]
            if not any(marked):
                raise
            files = [m or p for m, p in zip(marked, plain, strict=True)]
            wider = [
                replace(layout, columns=(*layout.columns, BELOW)) if m else layout
                for m, layout in zip(marked, layouts, strict=True)
            ]
            scan(files, wider)
    return engine.table(name), layouts[0]


def _footer_marked(path: Path, layout: Layout, target: Path) -> Path | None:
    """A copy in which lines below the table are marked; none where no footer explains why the engine could not read it."""
    width = len(layout.columns)
    with _opened(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        try:
            rows = [
                row for row in csv.reader(text, delimiter=layout.delimiter, strict=True) if any(c.strip() for c in row)
            ]
        except (csv.Error, UnicodeDecodeError):
            return None
    odd = next((k for k, row in enumerate(rows) if len(row) != width), None)
    if odd == 0 or (odd is not None and not _is_footer(rows[odd:], width)):
        return None
    odd = len(rows) if odd is None else odd
    with target.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, delimiter=layout.delimiter, lineterminator="\n")
        writer.writerow([*layout.columns, BELOW])
        writer.writerows([*row, ""] for row in rows[1:odd])
        writer.writerows([*(row + [""] * width)[:width], "below"] for row in rows[odd:])
    return target


def _is_footer(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether none of these lines belongs to the table; a line with all cells but one or two is a damaged row of it."""
    return all(len(row) < width for row in rows) and len(rows[0]) < width - 1 - (len(rows) == 1 and width > 6)


def read_json_lines(paths: Sequence[str]) -> ibis.Table:
    """Read files of one JSON object a line into one table of text; a value inside another object stays JSON.

    Parameters
    ----------
    paths : sequence of str

    Raises
    ------
    duckdb.Error
        When a line is no JSON object.
    """
    engine, name = connection(), next_name()
    files = ", ".join(_quoted(p) for p in paths)
    engine.raw_sql(
        f"CREATE TEMP TABLE {name} AS SELECT json_extract_string(COLUMNS(*), '$') FROM read_json([{files}], "
        "format='newline_delimited', records=true, maximum_depth=1, sample_size=-1, union_by_name=true)"
    )
    return engine.table(name)


def _scan(path: Path, layout: Layout, further: str) -> str:
    """The engine's own reader, told everything: finding it out by itself costs it longer than reading the file."""
    columns = ", ".join(f"{_quoted(c)}: 'VARCHAR'" for c in layout.columns)
    packed = ", compression='gzip'" if path.suffix == ".gz" else ""
    return (
        f"SELECT *{further} FROM read_csv({_quoted(str(path))}, auto_detect=false, header=true, "
        f"delim={_quoted(layout.delimiter)}, quote='\"', escape='\"', columns={{{columns}}}{packed})"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _in_utf8(path: Path, layout: Layout, target: Path) -> Path:
    """The path itself where the engine can read it, or a copy in its encoding and line ends that begins with the names."""
    encoding, above = layout.encoding, layout.skip
    known = codecs.lookup(encoding).name in {"utf-8", "utf-8-sig", "ascii"}
    with _opened(path) as stream:
        start = stream.read(_SAMPLE)
    if known and not above and start.count(b"\r\n") in {0, start.count(b"\n")}:
        return path
    with _opened(path) as stream, target.open("w", encoding="utf-8", newline="") as out:
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            ends = io.IncrementalNewlineDecoder(decoder, translate=True)  # the engine wants lines to end in one way
            while block := stream.read(_BLOCK):
                text = ends.decode(block)
                while above and "\n" in text:  # lines of a title, which the engine would count in its own way
                    text, above = text[text.index("\n") + 1 :], above - 1
                out.write("" if above else text)
            out.write(ends.decode(b"", final=True))
        except UnicodeDecodeError as error:
            raise TableError(f"{path}: is not text in {encoding} throughout: {error.reason}; see `encoding:`") from None
    return target


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            yield stream
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise TableError(f"{path}: cannot be unpacked: {error}; pack it again, or name the plain file") from None
