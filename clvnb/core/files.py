"""A file is written whole or not at all.

In: a path, and a function that fills a file. Out: the file under its name, or an error and nothing.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from .errors import ReportError

__all__ = ["drop_scratch", "keep_on_disk", "replace_file", "scratch_folder"]

_UMASK = os.umask(0)  # it can only be read by setting it; done once, before there are threads
os.umask(_UMASK)


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a file beside ``path``, then move it there in one step.

    It may be read by whom the umask says, or by whom the file that it replaces let read it.
    """
    beside = path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".clvnb-", suffix=path.suffix)
        os.close(handle)
        beside = Path(name)
        write(beside)
        beside.chmod(_mode_of(path))
        keep_on_disk(beside)
        os.replace(beside, path)
    except OSError as error:
        raise ReportError(f"{path}: could not be written: {error.strerror or error}") from error
    finally:
        if beside != path:
            beside.unlink(missing_ok=True)


def keep_on_disk(place: Path) -> None:
    """Wait until a file, or every file below a folder, is on the disk itself: a crash after a rename must not empty it."""
    below = [place, *place.rglob("*")] if place.is_dir() else [place]
    for one in below:
        if one.is_dir() and os.name != "posix":
            continue  # Windows cannot open folders
        handle = os.open(one, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _mode_of(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return 0o666 & ~_UMASK


_PREFIX = "clvnb-scratch-"
_held: dict[Path, int] = {}  # locks of this process's scratch folders


def scratch_folder() -> Path:
    """Make a folder for what is needed for a while, and remove those of processes that were killed.

    A process keeps a lock on its own; the lock goes with the process, whatever ended it, and tells the folder from those in
    use.

    Returns
    -------
    Path
        Below the system's folder for temporary files; only this user may look into it.
    """
    _sweep(Path(tempfile.gettempdir()))
    while True:
        place = Path(tempfile.mkdtemp(prefix=_PREFIX))
        lock = _lock(place, wait=True)
        if place.is_dir():  # another process's sweep may have come between
            if lock is not None:
                _held[place] = lock
            return place


def drop_scratch(place: Path) -> None:
    """Remove a scratch folder that is no longer needed."""
    shutil.rmtree(place, ignore_errors=True)
    lock = _held.pop(place, None)
    if lock is not None:
        os.close(lock)


def _lock(place: Path, *, wait: bool) -> int | None:
    """Lock a folder; None where it is gone, or in use, or another user's, or where the system has no such locks."""
    try:
        import fcntl

        handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    except (ImportError, OSError):
        return None
    try:
        if os.fstat(handle).st_uid == os.getuid():
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            return handle
    except OSError:
        pass
    os.close(handle)
    return None


def _sweep(below: Path) -> None:
    """Remove this user's scratch folders that no living process holds."""
    for place in below.glob(f"{_PREFIX}*"):
        lock = _lock(place, wait=False)
        if lock is not None:
            shutil.rmtree(place, ignore_errors=True)
            os.close(lock)
