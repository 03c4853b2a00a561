"""Ten minutes of kills, stops, full and slow disks, clocks, locks, replaced inputs and rivals, and 200 kills: all as if undisturbed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from guide import ONCE, Run, short_guide, small_client

CLIENTS, SECONDS, KILLS = 60, 600, 200
SLOW = """
import os, random, time
def slow(name, plain):
    def later(*args, **more):
        time.sleep(random.uniform(0, 0.2))
        return plain(*args, **more)
    setattr(os, name, later)
for name in ("fsync", "replace", "rename", "mkdir", "unlink"):
    slow(name, getattr(os, name))
"""
CLOCK = """
import pathlib, time
plain, turned = time.time, pathlib.Path({clock!r})
def shown():
    try:
        return plain() + 86400 * float(turned.read_text())
    except (OSError, ValueError):
        return plain()
time.time = shown
"""


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


def turn_the_clock(run: Run, rng: random.Random, place: Path) -> str:
    """Days ahead or back while it runs, for a program that looks at it; and files of the future."""
    (place / "clock").write_text(str(rng.choice([-400, -1, 1, 400])))
    file = place / f"c{rng.randrange(CLIENTS)}/orders.csv"
    os.utime(file, (time.time() + 86400, time.time() + 86400))
    time.sleep(rng.uniform(0.5, 3))
    (place / "clock").write_text("0")
    return "clock"


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


DISTURBANCES = [
    kill,
    kill,
    kill,
    kill_a_worker,
    stop_for_a_while,
    interrupt,
    replace_inputs,
    lose_files,
    rival,
]


def prepare(place: Path, clients: int) -> tuple[Path, list[str]]:
    """The guide, and what is asked for: every client of its own orders, half of them alike."""
    (place / "tmp").mkdir()
    for k in range(clients):
        folder = small_client(place / f"c{k}")
        (folder / "orders.csv").write_text(ONCE.replace(",10\n", f",{10 + k}\n") if k % 2 else ONCE)
    return short_guide(place / "guide"), [*(f"c{k}" for k in range(clients)), "--resume", "--jobs", "4"]


def undisturbed(guide: Path, asked: list[str], place: Path) -> dict[str, str]:
    calm = Run(guide, *asked, "--out", "calm", cwd=place)
    assert calm.end(600)[0] == 0
    shutil.rmtree(calm.temporary)
    return tree(place / "calm")


def surroundings(place: Path, rng: random.Random) -> tuple[str, dict[str, str]]:
    """What three runs in ten find: a disk that is slow, or a clock that may be turned."""
    chance = rng.random()
    name = "slow disk" if chance < 0.15 else "clock that may be turned" if chance < 0.3 else ""
    if not name:
        return "", {}
    folder = place / name.replace(" ", "-")
    folder.mkdir(exist_ok=True)
    code = SLOW if name == "slow disk" else CLOCK.format(clock=str(place / "clock"))
    (folder / "sitecustomize.py").write_text(code)
    return name, {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))}


@contextmanager
def held(out: Path, rng: random.Random) -> Iterator[bool]:
    """Now and then somebody else holds the folder while a run begins."""
    if not out.is_dir() or rng.random() > 0.05:
        yield False
        return
    handle = os.open(out, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    yield True
    os.close(handle)


def assert_nothing_is_wrong(run: Run) -> str:
    _, _, said = run.end(600)
    assert "Traceback" not in said, said
    assert "Task was destroyed" not in said, said
    assert until_gone(run), "processes are left"
    return said


def assert_as_undisturbed(guide: Path, asked: list[str], place: Path, calm: dict[str, str]) -> None:
    last = Run(guide, *asked, "--out", "out", cwd=place, temporary=place / "tmp")
    status, _, said = last.end(600)
    assert status == 0, said
    shutil.rmtree(place / "out/cards", ignore_errors=True)
    found = {k: v for k, v in tree(place / "out").items() if "/cards/" not in k}
    assert found == calm
    assert list((place / "tmp").iterdir()) == []


@pytest.mark.slow
def test_whatever_happens_the_reports_are_those_of_an_undisturbed_run(tmp_path):
    rng, (guide, asked) = random.Random(7), prepare(tmp_path, CLIENTS)
    calm = undisturbed(guide, asked, tmp_path)
    happened: Counter[str] = Counter()
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        full = 12_300 if rng.random() < 0.1 else None
        name, around = surroundings(tmp_path, rng)
        more = {"largest_file": full, "environment": around, "temporary": tmp_path / "tmp"}
        with held(tmp_path / "out", rng) as locked:
            run = Run(guide, *asked, "--out", "out", cwd=tmp_path, **more)
            time.sleep(rng.uniform(0, 15))
            what = (
                "locked"
                if locked
                else rng.choice([turn_the_clock] if "clock" in name else DISTURBANCES)(run, rng, tmp_path)
            )
            said = assert_nothing_is_wrong(run)
        assert not locked or "another run is writing into this folder" in said
        happened[what] += 1
        happened["full disk"] += full is not None
        happened[name] += bool(name)
    print(dict(happened))  # noqa: T201 - what a long run went through is wanted
    assert_as_undisturbed(guide, asked, tmp_path, calm)


@pytest.mark.slow
def test_two_hundred_kills_lose_nothing(tmp_path):
    rng, (guide, asked) = random.Random(11), prepare(tmp_path, 24)
    calm = undisturbed(guide, asked, tmp_path)
    for _ in range(KILLS):
        changed = tmp_path / f"c{2 * rng.randrange(12)}/orders.csv"  # so that there is work to be killed in
        changed.write_text(ONCE.replace(",10\n", f",{rng.randrange(11, 99)}\n"))
        run = Run(guide, *asked, "--out", "out", cwd=tmp_path, temporary=tmp_path / "tmp")
        time.sleep(rng.uniform(0, 6))
        run.process.kill()
        assert_nothing_is_wrong(run)
        changed.write_text(ONCE)
    assert_as_undisturbed(guide, asked, tmp_path, calm)


def until_gone(run: Run) -> bool:
    ends = time.monotonic() + 30
    while run.alive() and time.monotonic() < ends:
        time.sleep(0.1)
    return not run.alive()
