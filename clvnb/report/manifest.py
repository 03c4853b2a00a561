"""What a folder of reports holds, and what became of each client: the manifest, and the index page made from it.

In: outcomes. Out: ``manifest.json`` and ``index.html``, whole at every moment, written by one run at a time.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from .. import __version__
from ..core.errors import ReportError
from ..core.files import replace_file
from .files import write_json
from .page import index_page

__all__ = ["Manifest", "keep_others_out"]

_AGAIN = "what is known of this client cannot be read; report it again"
_MOVED = re.compile(r"\.clvnb-old-(\d{4}-\d\d-\d\d)-[0-9a-f]{8}")


def _below(page: str) -> str:
    """A page's way from the index, or nothing where it leads out of the folder of reports."""
    path = PurePosixPath(page)
    good = page and not path.is_absolute() and ".." not in path.parts and not set(page) & set(':\\?#"<>')
    return page if good else ""


class _Entry(BaseModel):
    """What an entry must hold to be used; what else it holds, another version may need."""

    model_config = ConfigDict(extra="allow", strict=True)

    name: str
    status: str
    error: str = ""
    page: Annotated[str, AfterValidator(_below)] = ""
    key: str = ""
    results: dict[str, Any] | None = None


def _entry(value: Any) -> dict[str, Any] | None:
    try:
        return _Entry.model_validate(value).model_dump()
    except ValidationError:
        return None


def keep_others_out(out: Path) -> int | None:
    """Lock a folder of reports until the handle that is returned is closed; None where the system has no such locks.

    Raises
    ------
    ReportError
        When another run is writing into the folder.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no such lock on folders
        return None
    lock = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise ReportError(
            f"{out}: another run is writing into this folder; wait for it, or name another one with --out"
        ) from error
    return lock


class Manifest:
    """The manifest of a folder of reports; used with ``with``, it keeps other runs out of the folder.

    Attributes
    ----------
    entries : dict of slug to entry
        Status, error, page, key, results and more of each client, as in ``manifest.json``.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.entries: dict[str, dict[str, Any]] = {}
        self._lock: int | None = None

    def __enter__(self) -> Manifest:
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            self._lock = keep_others_out(self.out)
            self._clear()
            self.entries = self._read()
            self._write()  # a folder that cannot be written to is said before the work, not after it
        except OSError as error:
            self.__exit__()
            raise ReportError(f"{self.out}: cannot be used as the output folder: {error.strerror}") from error
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def record(self, outcome: Any, entry: dict[str, Any] | None) -> None:
        """Write down what became of a client; a failure keeps the last report that was made."""
        if entry is None:
            before = self.entries.get(outcome.client, {})
            entry = {
                "name": outcome.name,
                "status": outcome.status,
                "error": outcome.error,
                "page": before.get("page", ""),
                "key": "",
                "owner": before.get("owner"),
                "attempts": outcome.attempts,
                "cell": outcome.cell,
                "results": None,
            }
            if outcome.status == "interrupted" and before.get("status") == "done":
                return  # what was made before is still there, and still true
        self.entries[outcome.client] = entry
        self._write()

    def rename(self, old: str, new: str) -> None:
        """Take the reports of a client along to another name."""
        if (self.out / old).is_dir():
            os.replace(self.out / old, self.out / new)
        entry = self.entries.pop(old)
        self.entries[new] = entry | {"page": entry.get("page", "").replace(f"{old}/", f"{new}/", 1)}
        self._write()

    def _clear(self) -> None:
        """Remove what a run left that was killed; nobody else is writing here now."""
        for place in (self.out, *(p for p in self.out.iterdir() if p.is_dir() and not p.name.startswith("."))):
            if place != self.out and not os.access(place, os.R_OK | os.X_OK):
                continue  # a disk's own lost+found
            for left in list(place.iterdir()):
                moved = _MOVED.fullmatch(left.name)
                if (
                    moved and not (place / moved[1]).exists()
                ):  # killed after taking the old away, before putting the new
                    os.replace(left, place / moved[1])
                elif left.name.startswith(".clvnb-"):
                    shutil.rmtree(left) if left.is_dir() else left.unlink()

    def _read(self) -> dict[str, dict[str, Any]]:
        """The entries that can be read; the others as the reports themselves tell them, or as asking for a new report."""
        try:
            listed = dict(json.loads((self.out / "manifest.json").read_text(encoding="utf-8"))["clients"])
        except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError):
            return self._found()
        read = {slug: _entry(value) for slug, value in listed.items()}
        good = {slug: entry for slug, entry in read.items() if entry is not None}
        if len(good) == len(read):
            return good
        lost = {slug: {"name": slug, "status": "failed", "error": _AGAIN, "page": "", "key": "", "results": None}
                for slug in read}  # fmt: skip
        return lost | self._found() | good

    def _found(self) -> dict[str, dict[str, Any]]:
        """The entries as the reports themselves tell them, where the manifest is gone or damaged."""
        entries = {}
        for latest in sorted(self.out.glob("*/latest")):
            try:
                file = latest.parent / latest.read_text(encoding="utf-8").strip() / "results.json"
                results = json.loads(file.read_text(encoding="utf-8"))
                entry = _entry(results.pop("report"))
                results.pop("seconds"), results.pop("versions")
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue  # no report that this version wrote
            if entry is not None:
                entries[latest.parent.name] = entry | {"results": results}
        return entries

    def _write(self) -> None:
        ordered = dict(sorted(self.entries.items()))
        write_json(self.out / "manifest.json", {"clvnb": __version__, "clients": ordered})
        made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        page = index_page([{"client": k, **v} for k, v in ordered.items()], made)
        replace_file(self.out / "index.html", lambda p: p.write_text(page, encoding="utf-8"))
