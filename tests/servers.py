"""A PostgreSQL server of the tests' own: in a folder of its own, on a free port, gone when the tests are."""

from __future__ import annotations

import glob
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Server:
    """Where it listens; ``owner`` may do everything."""

    port: int
    stop: Callable[[], None]  # at once, as after a fault
    start: Callable[[], None]
    password: str = "ow/n@er:1"

    def connect(self):
        import psycopg

        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="owner", password=self.password, dbname="postgres", autocommit=True
        )


def postgres_programs() -> Path | None:
    """The folder of PostgreSQL's own programs, where they are installed."""
    found = [shutil.which("initdb"), *sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), reverse=True)]
    return next((Path(p).parent for p in found if p), None)


@contextmanager
def postgres_server(programs: Path) -> Iterator[Server]:
    """Start a server; it refuses to run as root, so root lends it to the user postgres."""
    folder = Path(tempfile.mkdtemp(prefix="clvnb-postgres-"))
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = str(folder / "data")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
    server = Server(
        port,
        stop=lambda: run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"),
        start=lambda: run("pg_ctl", "-D", data, "-l", str(folder / "log"), "-o", options, "-w", "start"),
    )
    (folder / "password").write_text(server.password, encoding="utf-8")
    if as_user:
        shutil.chown(folder, "postgres")
        shutil.chown(folder / "password", "postgres")

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [*as_user, str(programs / program), *arguments], check=True, cwd=folder, stdout=subprocess.DEVNULL
        )

    run("initdb", "-D", data, "-U", "owner", "-A", "scram-sha-256", "--pwfile", str(folder / "password"), "-E", "UTF8")
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
