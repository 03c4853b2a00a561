"""Ten minutes of kills, stops, full disks, replaced inputs and rivals: what is there at the end equals an undisturbed run."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pandas as pd
import pytest

from guide import ONCE, Run, short_guide, small_client

CLIENTS, SECONDS = 24, 600


def tree(out: Path) -> dict[str, str]:
    """Every file of the reports by its path, but for when and how fast they were made."""
    found = {}
    for file in sorted(p for p in out.rglob("*") if p.is_file()):
        name = file.relative_to(out).as_posix()
        if file.name == "results.json":
            facts = json.loads(file.read_text(encoding="utf-8"))
            kept = {k: v for k, v in facts.items() if k not in {"seconds", "report"}}
            found[name] = hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
        elif file.suffix == ".parquet":
            found[name] = hashlib.sha256(pd.read_parquet(file).to_csv().encode()).hexdigest()
        else:
            found[name] = ""
    return found


def workers(run: Run) -> list[int]:
    return [pid for pid in run.alive() if pid != run.process.pid]


def kill(run: Run, rng: random.Random, place: Path) -> str:
    run.process.kill()
    return "killed"


def kill_a_worker(run: Run, rng: random.Random, place: Path) -> str:
    for pid in rng.sample(workers(run), k=min(1, len(workers(run)))):
        os.kill(pid, signal.SIGKILL)
    return "worker killed"


def stop_for_a_while(run: Run, rng: random.Random, place: Path) -> str:
    stopped = run.alive()
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(rng.uniform(0.5, 3))
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    return "stopped"


def interrupt(run: Run, rng: random.Random, place: Path) -> str:
    run.process.send_signal(rng.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP]))
    return "interrupted"


def replace_inputs(run: Run, rng: random.Random, place: Path) -> str:
    """Other orders for a moment."""
    file = place / f"c{2 * rng.randrange(CLIENTS // 2)}/orders.csv"
    text = file.read_text()
    file.write_text(text.replace(",10\n", ",11\n"))
    time.sleep(rng.uniform(0.1, 2))
    file.write_text(text)
    return "replaced"


def lose_files(run: Run, rng: random.Random, place: Path) -> str:
    pages = list((place / "out").glob("c*/2024*/report.html"))
    for page in rng.sample(pages, k=min(2, len(pages))):
        page.write_text("")
    return "emptied"


def rival(run: Run, rng: random.Random, place: Path) -> str:
    """Another run, or cards, into the same folder: refused, or done when the first has ended."""
    client, temporary = f"c{rng.randrange(CLIENTS)}", place / "tmp"
    more = rng.choice([("report", client, "--resume"), ("card", client, "--top", "1")])
    other = Run(
        place / "guide/1_value.ipynb", *more[1:], "--out", "out", cwd=place, temporary=temporary, command=more[0]
    )
    status, _, said = other.end(300)
    assert status in {0, 1, 2}, said
    assert "Traceback" not in said, said
    return "rival"


DISTURBANCES = [kill, kill, kill, kill_a_worker, stop_for_a_while, interrupt, replace_inputs, lose_files, rival]


@pytest.mark.slow
def test_whatever_happens_the_reports_are_those_of_an_undisturbed_run(tmp_path):
    guide, rng = short_guide(tmp_path / "guide"), random.Random(7)
    (tmp_path / "tmp").mkdir()
    names = [f"c{k}" for k in range(CLIENTS)]
    for k, name in enumerate(names):
        folder = small_client(tmp_path / name)
        (folder / "orders.csv").write_text(ONCE.replace(",10\n", f",{10 + k}\n") if k % 2 else ONCE)
    asked = [*names, "--resume", "--jobs", "4"]
    calm = Run(guide, *asked, "--out", "calm", cwd=tmp_path)
    assert calm.end(600)[0] == 0
    shutil.rmtree(calm.temporary)
    happened: dict[str, int] = {}
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        full = 12_300 if rng.random() < 0.1 else None
        run = Run(guide, *asked, "--out", "out", cwd=tmp_path, temporary=tmp_path / "tmp", largest_file=full)
        time.sleep(rng.uniform(0, 15))
        what = rng.choice(DISTURBANCES)(run, rng, tmp_path)
        happened[what] = happened.get(what, 0) + 1
        _, _, said = run.end(600)
        assert "Traceback" not in said, said
        assert "Task was destroyed" not in said, said
        assert until_gone(run), "processes are left"
    last = Run(guide, *asked, "--out", "out", cwd=tmp_path, temporary=tmp_path / "tmp")
    status, _, said = last.end(600)
    print(happened)  # noqa: T201 - what a long run went through is wanted
    assert status == 0, said
    shutil.rmtree(tmp_path / "out/cards", ignore_errors=True)
    found = {k: v for k, v in tree(tmp_path / "out").items() if "/cards/" not in k}
    assert found == tree(tmp_path / "calm")
    assert list((tmp_path / "tmp").iterdir()) == []


def until_gone(run: Run) -> bool:
    ends = time.monotonic() + 30
    while run.alive() and time.monotonic() < ends:
        time.sleep(0.1)
    return not run.alive()
