"""What a client's figures are made from: its files and its settings, known again by one hash.

In: ``Client``. Out: the files that are read, and a hash of their bytes and of the settings.
"""

from __future__ import annotations

import glob
import hashlib
import json
from pathlib import Path

from .client import Client, Connection, Source

__all__ = ["input_files", "input_hash", "sources_of"]


def sources_of(client: Client) -> list[Source]:
    """Return every source that ``client.yaml`` names."""
    named = (client.transactions, client.contracts, client.acquisition, client.surveys, client.service, client.initiatives,
             client.rates)  # fmt: skip
    return [source for source in named if isinstance(source, Source)]


def input_files(client: Client) -> list[Path]:
    """Return the files of data that a client's figures are made from; tables of a database are no files."""
    patterns = [s.source for s in sources_of(client) if not isinstance(s.source, Connection)]
    return [Path(p) for pattern in patterns for p in sorted(glob.glob(str(client.folder / pattern)))]


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
    >>> from clvnb import Client, samples
    >>> client = Client.load(samples.guide_folder("data") / "cdnow")
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
