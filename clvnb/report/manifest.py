"""What a folder of reports holds, and what became of each client: the manifest, and the index page made from it.

In: outcomes. Out: ``manifest.json`` and ``index.html``, whole at every moment, written by one run at a time.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .. import __version__
from ..core.errors import ReportError
from ..core.files import replace_file
from .files import write_json
from .page import index_page

__all__ = ["Manifest"]

_MOVED = re.compile(r"\.clvnb-old-(\d{4}-\d\d-\d\d)-[0-9a-f]{8}")


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
            self._keep_others_out()
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
                "attempts": outcome.attempts,
                "cell": outcome.cell,
                "results": None,
            }
            if outcome.status == "interrupted" and before.get("status") == "done":
                return  # what was made before is still there, and still true
        self.entries[outcome.client] = entry
        self._write()

    def _keep_others_out(self) -> None:
        try:
            import fcntl
        except ImportError:  # Windows has no such lock on folders
            return
        self._lock = os.open(self.out, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            self._lock = None
            raise ReportError(
                f"{self.out}: another run is writing into this folder; wait for it, or name another one with --out"
            ) from error

    def _clear(self) -> None:
        """Remove what a run left that was killed; nobody else is writing here now."""
        for place in (self.out, *(p for p in self.out.iterdir() if p.is_dir() and not p.name.startswith("."))):
            for left in list(place.iterdir()):
                moved = _MOVED.fullmatch(left.name)
                if (
                    moved and not (place / moved[1]).exists()
                ):  # killed after taking the old away, before putting the new
                    os.replace(left, place / moved[1])
                elif left.name.startswith(".clvnb-"):
                    shutil.rmtree(left) if left.is_dir() else left.unlink()

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            value = json.loads((self.out / "manifest.json").read_text(encoding="utf-8"))
            entries = value["clients"]
            if not all(isinstance(e, dict) and {"name", "status", "page"} <= set(e) for e in entries.values()):
                raise ValueError("an entry is not whole")
            return dict(entries)
        except FileNotFoundError:
            return self._found()
        except (ValueError, KeyError, TypeError, AttributeError):
            return self._found()

    def _found(self) -> dict[str, dict[str, Any]]:
        """The entries as the reports themselves tell them, where the manifest is gone or damaged."""
        entries = {}
        for latest in sorted(self.out.glob("*/latest")):
            try:
                file = latest.parent / latest.read_text(encoding="utf-8").strip() / "results.json"
                results = json.loads(file.read_text(encoding="utf-8"))
                entry = dict(results.pop("report"))
                results.pop("seconds"), results.pop("versions")
                entries[latest.parent.name] = entry | {"results": results}
            except (OSError, ValueError, KeyError, TypeError):
                continue  # no report that this version wrote
        return entries

    def _write(self) -> None:
        ordered = dict(sorted(self.entries.items()))
        write_json(self.out / "manifest.json", {"clvnb": __version__, "clients": ordered})
        made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        page = index_page([{"client": k, **v} for k, v in ordered.items()], made)
        replace_file(self.out / "index.html", lambda p: p.write_text(page, encoding="utf-8"))
