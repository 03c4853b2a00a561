"""Tables that a database or a cluster holds, reached through Ibis.

In: ``connection:`` and ``table:`` of client.yaml. Out: an Ibis table that stays where it is; or an error that says what is
missing, and never shows a password.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from ..core.engine import dialect, refused_by
from ..core.errors import TableError
from ..core.tables import closest
from .client import FILE_DATABASE, Connection

if TYPE_CHECKING:
    import ibis

__all__ = ["as_wall_clock", "code_of", "open_database", "wall_clock", "wall_clock_of_spark"]

_EXTRAS = {"postgres": "postgres", "postgresql": "postgres", "pyspark": "spark"}  # scheme to extra of clvnb


def open_database(place: Connection, folder: Path) -> ibis.Table:
    """Open a table of a database; nothing is read yet, and a database in a file is never written to.

    Parameters
    ----------
    place : Connection
        ``table`` may name its schema: ``sales.orders``.
    folder : Path
        Where the file of a DuckDB or SQLite database lies when its path is relative.

    Raises
    ------
    ClientError
        When a variable of the environment is not set.
    TableError
        When there is no driver, no way in, or no such table.
    """
    url = place.url()
    scheme = url.partition(":")[0].lower()
    try:
        backend = _connected(url, folder)
    except TableError:
        raise
    except ImportError as error:
        extra = _EXTRAS.get(scheme)
        way = f"pip install 'clvnb[{extra}]'" if extra else f"pip install 'ibis-framework[{scheme}]'"
        raise TableError(f"{place.shown}: its driver is not installed: {way}") from error
    except Exception as error:  # each driver has errors of its own
        raise refused_by(error)(f"{place.shown}: cannot be reached: {_first_line(error, place)}") from None
    *schema, name = place.table.split(".")
    where = {"database": tuple(schema) if len(schema) > 1 else schema[0]} if schema else {}
    try:
        table = backend.table(name, **where)
        return _readable(table) if dialect(table) == "postgres" else table
    except Exception as error:
        there = _tables_of(backend, where)
        if name in there:
            raise refused_by(error)(
                f"{place.shown}: {place.table} cannot be read: {_first_line(error, place)}"
            ) from None
        listed = f"; it has: {', '.join(sorted(there)[:10])}" if there else "; nothing there may be seen by this user"
        near = closest(name, there).rstrip("?")
        raise TableError(f"{place.shown}: has no table {place.table!r}{near}{listed}") from None


def _readable(table: ibis.Table) -> ibis.Table:
    """PostgreSQL's ``money``, which Ibis calls decimal(19, 4) and which arrives as text, as a number; days that are infinite as none."""
    changed = {}
    for name, kind in table.schema().items():
        if kind.is_decimal() and (kind.precision, kind.scale) == (19, 4):
            changed[name] = table[name].cast("decimal")
        elif kind.is_date() or kind.is_timestamp():
            changed[name] = _finite()["isfinite"](table[name].cast("timestamp")).ifelse(table[name], None)
    return table.mutate(**changed)


def _tables_of(backend: Any, where: dict[str, Any]) -> list[str]:
    try:
        return list(backend.list_tables(**where))
    except Exception:
        return []


def _connected(url: str, folder: Path) -> Any:
    """The backend of a URL; one in a file must be there, and is opened for reading."""
    import ibis

    found = FILE_DATABASE.fullmatch(url)
    if found is None:
        return ibis.connect(url)
    file = folder / found["file"]
    if not file.is_file():
        near = [p.name for p in file.parent.glob("*") if p.is_file()] if file.parent.is_dir() else []
        raise TableError(f"{file}: no such database{closest(file.name, near)}")
    settings = dict(parse_qsl(found["settings"] or ""))
    if (found["engine"] or "").lower() == "duckdb" or file.suffix == ".duckdb":
        return ibis.duckdb.connect(file, **{**settings, "read_only": True})
    backend = ibis.sqlite.connect(file, **settings)
    backend.raw_sql("PRAGMA query_only = ON").close()
    return backend


def _first_line(error: Exception, place: Connection) -> str:
    """What the driver said, without the secrets that it may repeat."""
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    for secret in place.secrets():
        said = said.replace(secret, "…")
    return said


def wall_clock(zone: str, instant: Any) -> Any:
    """Read the clock on the wall of a time zone at an instant; DuckDB and PostgreSQL have the same word for it."""
    return _clocks()["timezone"](zone, instant)


def as_wall_clock(moment: Any, written_in: str, zone: str) -> Any:
    """Turn what a clock showed in one time zone to what it showed in another."""
    return wall_clock(zone, _clocks()["instant"](written_in, moment))


def wall_clock_of_spark(zone: str, moment: Any) -> Any:
    """The same for Spark, where Ibis has one type for instants and for what a clock showed; Spark itself tells which."""
    clock = _clocks()
    return (clock["typeof"](moment) == "timestamp").ifelse(clock["from_utc_timestamp"](moment, zone), moment)


def code_of(text: Any) -> Any:
    """Replace a text by the first 16 signs of the SHA-256 of its lower-case form: the same in every engine."""
    small = text.lower()
    if dialect(text) == "postgres":
        words = _codes()
        return words["encode"](words["sha256"](words["convert_to"](small, "UTF8")), "hex").left(16)
    return small.hexdigest("sha256").left(16)


@cache
def _codes() -> dict[str, Any]:
    """PostgreSQL's words for what Ibis has no word for there."""
    import ibis

    @ibis.udf.scalar.builtin(signature=(("string", "string"), "binary"))
    def convert_to(text: str, encoding: str) -> bytes:  # type: ignore[empty-body]
        """Text to bytes."""

    @ibis.udf.scalar.builtin(signature=(("binary",), "binary"))
    def sha256(data: bytes) -> bytes:  # type: ignore[empty-body]
        """Bytes to their digest."""

    @ibis.udf.scalar.builtin(signature=(("binary", "string"), "string"))
    def encode(data: bytes, form: str) -> str:  # type: ignore[empty-body]
        """Bytes to text."""

    return {"convert_to": convert_to, "sha256": sha256, "encode": encode}


@cache
def _finite() -> dict[str, Any]:
    """Whether a day of PostgreSQL is one of the calendar's."""
    import ibis

    @ibis.udf.scalar.builtin(signature=(("timestamp",), "boolean"))
    def isfinite(moment: datetime) -> bool:  # type: ignore[empty-body]
        """False for infinity and -infinity."""

    return {"isfinite": isfinite}


@cache
def _clocks() -> dict[str, Any]:
    """Functions of engines that Ibis has no word for."""
    import ibis

    @ibis.udf.scalar.builtin(signature=(("string", "timestamp('UTC')"), "timestamp"))
    def timezone(zone: str, moment: datetime) -> datetime:  # type: ignore[empty-body]
        """DuckDB's and PostgreSQL's."""

    @ibis.udf.scalar.builtin(name="timezone", signature=(("string", "timestamp"), "timestamp('UTC')"))
    def instant(zone: str, moment: datetime) -> datetime:  # type: ignore[empty-body]
        """The other way round, in the same words."""

    @ibis.udf.scalar.builtin(signature=(("timestamp",), "string"))
    def typeof(moment: datetime) -> str:  # type: ignore[empty-body]
        """Spark's: timestamp or timestamp_ntz."""

    @ibis.udf.scalar.builtin(signature=(("timestamp", "string"), "timestamp"))
    def from_utc_timestamp(moment: datetime, zone: str) -> datetime:  # type: ignore[empty-body]
        """Spark's."""

    return {"timezone": timezone, "instant": instant, "typeof": typeof, "from_utc_timestamp": from_utc_timestamp}
