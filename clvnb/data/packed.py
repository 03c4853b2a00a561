"""Packed files as people send them: zip archives unpacked in a temporary folder, and gone when the program ends; gzip held against its checksum.

In: paths. Out: paths of the files themselves.
"""

from __future__ import annotations

import atexit
import glob
import gzip
import re
import shutil
import zipfile
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ..core.errors import TableError
from ..core.files import drop_scratch, scratch_folder

__all__ = ["pattern_below", "unpacked"]

_LARGEST_RATIO = 200  # text packs to a tenth; what unpacks to hundreds of times its size is made to fill a disk


def pattern_below(folder: Path, pattern: str) -> str:
    """Return a pattern of file names below a folder, whose own name is no pattern, whatever signs are in it.

    Examples
    --------
    >>> pattern_below(Path("shop [EU]"), "orders_*.csv")
    'shop [[]EU]/orders_*.csv'
    """
    return str(Path(glob.escape(str(folder)), pattern))


def unpacked(paths: Sequence[str]) -> list[str]:
    """Return the paths with each zip archive replaced by the files in it.

    Parameters
    ----------
    paths : sequence of str

    Raises
    ------
    TableError
        When a packed file is damaged, an archive is empty, locked by a password, or unpacks to far more than it should.

    Examples
    --------
    >>> unpacked(["orders.csv"])
    ['orders.csv']
    """
    out: list[str] = []
    for path in paths:
        facts = Path(path).stat() if path.lower().endswith((".zip", ".gz")) else None
        if facts is not None and path.lower().endswith(".zip"):
            out += _members(path, facts.st_mtime_ns, facts.st_size)
            continue
        if facts is not None:
            _is_whole(path, facts.st_mtime_ns, facts.st_size)
        out.append(path)
    return out


@cache
def _members(path: str, changed: int, size: int) -> list[str]:
    """The files of an archive, each under the archive's own name in a folder of this process."""
    try:
        with zipfile.ZipFile(path) as archive:
            wanted = [m for m in archive.infolist() if not m.is_dir() and _is_data(m.filename)]
            wanted = [m for m in wanted if not _is_note(m.filename)] or wanted
            if not wanted:
                raise TableError(f"{path}: holds no file; pack the export itself")
            if any(m.flag_bits & 1 for m in wanted):
                raise TableError(f"{path}: is locked by a password; unpack it yourself, and name the file in it")
            if sum(m.file_size for m in wanted) > _LARGEST_RATIO * size + 10_000_000:
                raise TableError(f"{path}: unpacks to more than {_LARGEST_RATIO} times its size, which no export does")
            place = _folder() / f"{len(list(_folder().iterdir()))}" / Path(path).name
            return [
                _extract(archive, m, place / str(k)) for k, m in enumerate(sorted(wanted, key=lambda m: m.filename))
            ]
    except TableError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:  # as damage has it
        raise TableError(f"{path}: cannot be unpacked: {error}; pack it again, or name the plain file") from None


@cache
def _is_whole(path: str, changed: int, size: int) -> None:
    """Read a gzip file to its end, where its checksum stands; the engine does not look at it."""
    try:
        with gzip.open(path) as stream:
            while stream.read(1 << 20):
                pass
    except (EOFError, zlib.error, OSError) as error:
        raise TableError(f"{path}: cannot be unpacked: {error}; pack it again, or name the plain file") from None


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, place: Path) -> str:
    """Write one file out under its bare name: no path in an archive is followed."""
    target = place / (Path(member.filename.replace("\\", "/")).name or "file")
    place.mkdir(parents=True)
    with archive.open(member) as source, target.open("wb") as out:
        shutil.copyfileobj(source, out)
    return str(target)


def _is_data(name: str) -> bool:
    """Whether a member is a file of its own, and none that a system puts beside it."""
    parts = name.replace("\\", "/").split("/")
    return not any(p == "__MACOSX" or (p.startswith(".") and p not in {".", ".."}) for p in parts)


_NOTE = re.compile(
    r"(?i)(read.?me|licen[sc]e|lies.?mich|lisez.?moi|le[ae].?me|cite[sș]te)\b.*|.*\.(md|pdf|html?|rtf|docx?|png|jpe?g|gif|log)"
)


def _is_note(name: str) -> bool:
    """Whether a member is what people and programs put beside an export."""
    return _NOTE.fullmatch(Path(name.replace("\\", "/")).name) is not None


@cache
def _folder() -> Path:
    place = scratch_folder()  # in a report below the run's own, and gone with it
    atexit.register(drop_scratch, place)
    return place
