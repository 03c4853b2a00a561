"""A file is written whole or not at all.

In: a path, and a function that fills a file. Out: the file under its name, or an error and nothing.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from .errors import ReportError

__all__ = ["replace_file"]


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a file beside ``path``, then move it there in one step."""
    beside = path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".clvnb-", suffix=path.suffix)
        os.close(handle)
        beside = Path(name)
        write(beside)
        beside.chmod(0o644)
        os.replace(beside, path)
    except OSError as error:
        raise ReportError(f"{path}: could not be written: {error.strerror or error}") from error
    finally:
        if beside != path:
            beside.unlink(missing_ok=True)
