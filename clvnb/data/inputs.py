"""What a client's figures are made from: its files and its settings, known again by one hash.

In: ``Client``. Out: the files that are read, a hash of their bytes and of the settings, and whether they stayed as they are.
"""

from __future__ import annotations

import glob
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from .client import Client, Connection, Source
from .packed import pattern_below

__all__ = ["input_files", "input_hash", "reads_database", "report_files", "sources_of", "stamps"]


def sources_of(client: Client) -> list[Source]:
    """Return every source that ``client.yaml`` names, whatever its key is called."""
    named = (getattr(client, key) for key in type(client).model_fields)
    return [value for value in named if isinstance(value, Source)]


def reads_database(client: Client) -> bool:
    """Say whether one of a client's sources is a table of a database, whose contents no file tells."""
    return any(isinstance(source.source, Connection) for source in sources_of(client))


def input_files(client: Client) -> list[Path]:
    """Return the files of data that a client's figures are made from; tables of a database are no files."""
    patterns = [s.source for s in sources_of(client) if not isinstance(s.source, Connection)]
    return [Path(p) for pattern in patterns for p in sorted(glob.glob(pattern_below(client.folder, pattern)))]


def report_files(client: Client) -> list[Path]:
    """Return every file of a client that its report is made from: settings, data, the logo and who opted out."""
    beside = [name for name in (client.brand.logo, client.plan.opt_outs) if name is not None]
    return [client.folder / "client.yaml", *input_files(client), *(client.folder / name for name in beside)]


def stamps(files: Iterable[Path]) -> list[tuple[int, int, int] | None]:
    """Return what shows that a file was written to or replaced: inode, size and time of change; None where it is gone."""
    return [(f.stat().st_ino, f.stat().st_size, f.stat().st_mtime_ns) if f.is_file() else None for f in files]


def input_hash(client: Client) -> str:
    """Return a hash of what a client's figures are made from: no figure is in it, so it is the same on every machine.

    Parameters
    ----------
    client : Client
        From ``Client.load`` or ``load_sample``.

    Returns
    -------
    str
        SHA-256, 64 signs: of the settings, and of each file's name and bytes. Of a table in a database it knows the
        name alone.

    Examples
    --------
    >>> from clvnb import load_sample
    >>> client = load_sample("cdnow")
    >>> input_hash(client) == input_hash(client.model_copy(update={"currency": "EUR"}))
    False
    """
    settings = json.dumps(client.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(settings.encode())
    for file in input_files(client):
        if file.is_file():
            digest.update(file.name.encode())
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
