"""The embedded engine: DuckDB through Ibis.

In: a pandas frame or an Ibis table. Out: an Ibis table to compute on, and the way back to the kind that came in.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from .errors import TableError, UnreachableError

if TYPE_CHECKING:
    import ibis

__all__ = [
    "Frame",
    "as_ibis",
    "connection",
    "dialect",
    "give_back",
    "hold",
    "is_ibis",
    "kind_of",
    "next_name",
    "refused_by",
    "run",
    "to_pandas",
]

Frame = TypeVar("Frame", bound="pd.DataFrame | ibis.Table")  # table in, the same kind of table out


@cache
def connection() -> Any:
    """Return this process's own in-memory DuckDB, opened on first use, on the UTC clock.

    It keeps to ``OMP_NUM_THREADS``: with 1 thread sums are added up in one order, and come out the same to the last bit.
    """
    import ibis

    con = ibis.duckdb.connect()
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdigit() and int(threads) > 0:
        con.raw_sql(f"SET threads = {int(threads)}")
    con.raw_sql("SET TimeZone = 'UTC'")
    con.raw_sql("SET enable_progress_bar = false")  # a notebook would store it, and differ each time
    # Nothing leaves the machine: the engine must not fetch extensions by itself.
    con.raw_sql("SET autoinstall_known_extensions = false")
    return con


def is_ibis(table: Any) -> bool:
    """Say whether ``table`` is an Ibis table, without importing Ibis.

    Examples
    --------
    >>> is_ibis(pd.DataFrame())
    False
    """
    return type(table).__module__.partition(".")[0] == "ibis"


def as_ibis(table: Any) -> ibis.Table:
    """Return ``table`` as an Ibis table, its money as floats; a pandas frame is handed to the embedded DuckDB as Arrow."""
    if is_ibis(table):
        return _money_as_floats(table)
    if not isinstance(table, pd.DataFrame):
        raise TableError(f"a table must be a pandas DataFrame or an Ibis table, got {kind_of(table)}")
    import ibis

    return _money_as_floats(ibis.memtable(_arrow(table)))


def kind_of(table: Any) -> str:
    """Say what a table is that is not taken, and the way to one that is.

    Examples
    --------
    >>> import pyarrow as pa
    >>> kind_of(pa.table({"a": [1]}))
    'pyarrow.Table; pass its .to_pandas()'
    """
    name = f"{type(table).__module__.partition('.')[0]}.{type(table).__name__}".removeprefix("builtins.")
    ways = {"collect": ".collect().to_pandas()", "compute": ".compute()", "to_pandas": ".to_pandas()"}
    way = next((way for has, way in ways.items() if callable(getattr(table, has, None))), "")
    return f"{name}; pass its {way}" if way else name


_MONEY = {"amount", "contribution", "cost", "margin", "price", "rate", "refunded"}


def _money_as_floats(table: ibis.Table) -> ibis.Table:
    """Cast decimals once: engines round their means and products to the places that a column has."""
    exact = {name: "float64" for name, kind in table.schema().items() if name in _MONEY and kind.is_decimal()}
    return table.cast(exact) if exact else table


def _arrow(frame: pd.DataFrame) -> Any:
    """Turn a pandas frame into Arrow; a column of mixed or unknown kind becomes text, nulls stay null."""
    import pyarrow as pa

    columns = {}
    for name in frame.columns:
        try:
            column = pa.Array.from_pandas(_days_of(frame[name]))
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            column = pa.Array.from_pandas(frame[name].map(str, na_action="ignore"))
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        columns[str(name)] = column.cast(pa.string()) if pa.types.is_null(column.type) else column
    return pa.table(columns)


def _days_of(column: pd.Series) -> pd.Series:
    """A column of periods as the days they are, where each is one."""
    if not isinstance(column.dtype, pd.PeriodDtype):
        return column
    first, last = column.dt.start_time, column.dt.end_time
    if (first.dt.normalize() != last.dt.normalize())[column.notna()].any():
        raise TableError(
            f"the column {column.name!r} holds periods of more than a day ({column.dtype}); say which day is meant: "
            f"frame[{column.name!r}].dt.start_time or .dt.end_time"
        )
    return first


def run(expression: ibis.Table, like: Any) -> pd.DataFrame:
    """Run ``expression`` where ``like`` lives: its own backend, or the embedded engine for a pandas frame."""
    with _said_plainly("duckdb" if not is_ibis(like) else dialect(expression)):
        frame = expression.to_pandas() if is_ibis(like) else connection().execute(expression)
    return _plain_dates(frame, expression)


@contextmanager
def _said_plainly(engine: str) -> Iterator[None]:
    """Say in one sentence what an engine refuses: a file found damaged halfway, a database that is gone, no memory left."""
    try:
        yield
    except Exception as error:
        kinds = type(error).__mro__
        if engine == "duckdb" and not any(k.__module__.startswith(("_duckdb", "duckdb", "pyarrow")) for k in kinds):
            raise
        if type(error).__name__ in {
            "BinderException",
            "ParserException",
            "CatalogException",
        }:  # a fault of clvnb itself
            raise
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise refused_by(error)(f"{engine} did not answer: {first}") from error


def refused_by(error: Exception) -> type[TableError]:
    """The kind of error that a driver's error is: one that may pass, since the server restarts or the line broke, or not."""
    return UnreachableError if _PASSING.search(str(error)) else TableError


_PASSING = re.compile(
    r"refused|starting up|shutting down|terminating connection|connection.{0,30}(closed|lost|reset|timed out|is bad)|"
    r"closed the connection|gone away|recovery mode|temporarily unavailable|too many (clients|connections)",
    re.IGNORECASE,
)


def dialect(expression: Any) -> str:
    """Name the engine that an expression runs in: ``duckdb``, ``postgres``, ``pyspark``…; the embedded one by default."""
    return str(expression._find_backend(use_default=True).name)


def give_back(expression: ibis.Table, like: Frame) -> Frame:
    """Return ``expression`` in the kind of ``like``: run into a pandas frame, or left as it is."""
    return expression if is_ibis(like) else run(expression, like)


def hold(expression: ibis.Table) -> ibis.Table:
    """Compute an expression of the embedded engine, or on frames, once and keep it there; other backends keep their own."""
    homes, _ = expression._find_backends()
    if any(home is not connection() for home in homes):  # Ibis calls connections equal that are only alike
        return expression
    with _said_plainly("duckdb"):
        return connection().create_table(next_name(), expression, temp=True)


def next_name() -> str:
    """A name for a table that the embedded engine does not have yet."""
    return f"clvnb_held_{next(_held)}"


_held = count(1)


def to_pandas(table: Any) -> pd.DataFrame:
    """Return any table as a pandas frame; a pandas frame comes back untouched."""
    return run(_money_as_floats(table), table) if is_ibis(table) else table


def _plain_dates(frame: pd.DataFrame, expression: ibis.Table) -> pd.DataFrame:
    schema = expression.schema()
    for name in frame.columns:
        if schema[name].is_date():
            frame[name] = pd.to_datetime(frame[name])
    return frame
