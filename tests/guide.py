"""A guide of one short chapter, whose clients may carry a fault, and a driver that runs the real command on it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path

import nbformat

CELLS = [
    'client = ""\nas_of = ""\noutput = ""\nearlier = ""',
    "import clvnb as cv\nfrom pathlib import Path",
    'fault = Path(client, "fault.py")\nexec(fault.read_text() if fault.exists() else "")',
    "value = cv.value_step(cv.Client.load(client), as_of=as_of)\ncv.say(value.headline)",
    "cv.as_table(value.segments, words=value.client.words)",
    "cv.save_step(value, output)",
]
ONCE = "customer_id,date,amount\n" + "".join(f"c{k},2024-01-{k % 28 + 1:02d},10\n" for k in range(40))


def short_guide(folder: Path) -> Path:
    """Write the one chapter."""
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    cells[0].metadata["tags"] = ["parameters"]
    node = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Step 1: value"), *cells])
    node.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "1_value.ipynb"
    nbformat.write(node, path)
    return path


def small_client(folder: Path, fault: str = "", name: str = "") -> Path:
    """Forty customers who bought once, which is quick to compute."""
    folder.mkdir(parents=True)
    (folder / "orders.csv").write_text(ONCE)
    (folder / "client.yaml").write_text(
        f"name: {name or folder.name}\ncurrency: EUR\ntransactions: {{source: orders.csv}}\neconomics: {{margin: 0.4}}\n"
    )
    if fault:
        (folder / "fault.py").write_text(fault)
    return folder


def _begin(largest_file: int | None) -> None:
    """Hear Ctrl-C and a closed terminal also where the tests run in the background and do not; write no larger files."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))


class Run:
    """``clvnb report`` in a process of its own on the short guide, every process and temporary file of it accounted for."""

    def __init__(
        self,
        guide: Path,
        *arguments: str | Path,
        cwd: Path,
        largest_file: int | None = None,
        temporary: Path | None = None,
        command: str = "report",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.mark = uuid.uuid4().hex
        self.temporary = temporary or Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))
        program = (
            "import pathlib, sys; from clvnb.report import runner; from clvnb.cli import main; "
            f"runner._notebooks = lambda: [pathlib.Path({str(guide)!r})]; sys.argv[0] = 'clvnb'; main()"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, command, *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, **(environment or {}), "CLVNB_TEST": self.mark, "TMPDIR": str(self.temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: _begin(largest_file),
        )

    def end(self, seconds: float = 120) -> tuple[int, str, str]:
        """Wait for the end: exit status, what was said, what was complained of."""
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out, err

    def alive(self) -> list[int]:
        """Processes that this run started and that still live."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                environment = (place / "environ").read_bytes()
                state = (place / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if self.mark.encode() in environment and state != "Z":
                found.append(int(place.name))
        return found
