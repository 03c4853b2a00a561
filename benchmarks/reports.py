"""Reports per minute: clvnb's runner beside papermill's command line with nbconvert, and beside papermill in one process.

``python benchmarks/reports.py [--clients 100] [--blocks 2]``

The same simulated clients and the same four notebooks, two at a time; the three ways take turns in blocks, so that a busy
machine slows them alike. The slower ways get fewer clients, since it is the pace that is compared. Prints CPU and wall
seconds a client, ratios, what the runner adds to the notebooks' own work, memory, and writes ``benchmarks/reports.csv``.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from beside import stamped

import clvnb as cv
from clvnb.data.samples import guide_folder

JOBS = 2
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # whoever starts Python often has its libraries compiled


def write_clients(root: Path, number: int) -> list[Path]:
    """Shops of 250 customers that buy as BG/NBD says, each with chance of its own."""
    model = cv.BGNBD.with_params(r=0.9, alpha=40.0, a=0.8, b=2.5)
    spend = cv.GammaGamma.with_params(p=6.0, q=4.0, v=15.0)
    folders = []
    for k in range(number):
        folder = root / f"client{k:03d}"
        folder.mkdir(parents=True)
        log = model.simulate(250, start="2022-01-01", joined="500 days", length="800 days", spend=spend, seed=k)
        log.assign(date=log["date"].dt.date).to_csv(folder / "orders.csv", index=False)
        (folder / "client.yaml").write_text(
            f"name: Client {k}\ncurrency: EUR\ntransactions: {{source: orders.csv}}\neconomics: {{margin: 0.4}}\n"
        )
        folders.append(folder)
    return folders


def notebooks() -> list[Path]:
    return sorted(guide_folder().glob("[1-4]_*.ipynb"))


def by_runner(clients: list[Path], out: Path) -> None:
    outcomes = cv.report_clients(clients, out=out, jobs=JOBS)
    assert all(o.status == "done" for o in outcomes), [o.error for o in outcomes]


def by_papermill(clients: list[Path], out: Path) -> None:
    """One process, a spawned kernel for each notebook, as its own guide shows."""
    import papermill

    def one(client: Path) -> None:
        place = out / client.name
        place.mkdir(parents=True)
        for book in notebooks():
            known = papermill.inspect_notebook(str(book))
            given = {"client": str(client), "output": str(place / "tables")}
            given = {k: v for k, v in given.items() if k in known}
            papermill.execute_notebook(
                str(book), str(place / book.name), parameters=given, kernel_name="python3", progress_bar=False
            )

    with ThreadPoolExecutor(JOBS) as pool:
        list(pool.map(one, clients))


def by_command_line(clients: list[Path], out: Path) -> None:
    """`papermill` and `jupyter nbconvert`, one command after the other for each notebook."""

    def one(client: Path) -> None:
        place = out / client.name
        place.mkdir(parents=True)
        for book in notebooks():
            target, quiet = place / book.name, {"check": True, "capture_output": True}
            run = [sys.executable, "-m", "papermill", str(book), str(target), "-k", "python3", "--no-progress-bar"]
            subprocess.run([*run, "-r", "client", str(client), "-r", "output", str(place / "tables")], **quiet)
            page = [sys.executable, "-m", "jupyter", "nbconvert", "--to", "html", "--no-input", str(target)]
            subprocess.run(page, **quiet)

    with ThreadPoolExecutor(JOBS) as pool:
        list(pool.map(one, clients))


def own_work(client: Path, out: Path) -> float:
    """CPU seconds of the notebooks' cells alone: one warm process, no kernel, no papermill, the second time round."""
    program = f"""
import time
from IPython.core.interactiveshell import InteractiveShell
from clvnb.report.runner import _joined, _notebooks
from clvnb.report.forkserver import preload
preload()
shell = InteractiveShell.instance()
cells = [c for c in _joined(_notebooks()).cells if c.cell_type == "code"]
def run(out):
    for cell in cells:
        given = "parameters" in cell.metadata.get("tags", [])
        source = f"client = {str(client)!r}; as_of = ''; output = {{out!r}}; earlier = ''" if given else cell.source
        shell.run_cell(source).raise_error()
run({str(out / "first")!r})
start = time.process_time()
run({str(out / "second")!r})
print("seconds", time.process_time() - start)
"""
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    ).stdout  # fmt: skip
    return float(said.rpartition("seconds ")[2])


class Memory:
    """The largest memory of this process's tree, shared pages counted once (PSS), in MB."""

    def __enter__(self) -> Memory:
        self.peak, self.most, self.stop = 0.0, 0.0, threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()

    def _watch(self) -> None:
        while not self.stop.wait(5.0):  # adding up a process's pages costs time itself
            sizes = [s for s in map(_pss, _tree(os.getpid())) if s]
            self.peak, self.most = max(self.peak, sum(sizes)), max(self.most, *sizes)


def _tree(root: int) -> list[int]:
    parents = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid and child not in found]
    return found


def _pss(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def measured(way: Callable[[list[Path], Path], None], clients: list[Path], out: Path) -> dict[str, float]:
    def cpu() -> float:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(u.ru_utime + u.ru_stime for u in used)

    before, start = cpu(), time.perf_counter()
    with Memory() as memory:
        way(clients, out)
    wall = time.perf_counter() - start
    page = max((p.stat().st_size for p in out.rglob("report.html")), default=0) / 1e6
    shutil.rmtree(out)
    return {
        "page": page,
        "clients": len(clients),
        "cpu": cpu() - before,
        "wall": wall,
        "memory": memory.peak,
        "process": memory.most,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=100, help="for clvnb's runner; the others get a part of them")
    parser.add_argument("--blocks", type=int, default=2)
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="clvnb-reports-"))
    clients = write_clients(root / "clients", given.clients)
    share = max(2, given.clients // given.blocks)
    ways = {
        "clvnb": (by_runner, share),
        "papermill in one process": (by_papermill, 6),
        "command lines": (by_command_line, 4),
    }
    rows, own = [], []
    for block in range(given.blocks):
        for name, (way, number) in ways.items():
            some = clients[block * share :][:number]
            rows.append({"way": name, "block": block} | measured(way, some, root / "out"))
            print(rows[-1], flush=True)
        with ThreadPoolExecutor(
            JOBS
        ) as pool:  # two at a time as well: cores that share their parts slow each other down
            own += pool.map(lambda c: own_work(c, root / "own" / c.name), clients[block * share :][:4])
    table = pd.DataFrame(rows)
    sums = table.groupby("way", sort=False).agg(
        clients=("clients", "sum"), cpu=("cpu", "sum"), wall=("wall", "sum"), memory=("memory", "max"), process=("process", "max"),
        page=("page", "max"),
    )  # fmt: skip
    sums["cpu_each"], sums["wall_each"] = sums["cpu"] / sums["clients"], sums["wall"] / sums["clients"]
    sums["reports_per_minute"] = 60 / sums["wall_each"]
    sums["times_slower"] = sums["wall_each"] / sums.loc["clvnb", "wall_each"]
    sums["times_cpu"] = sums["cpu_each"] / sums.loc["clvnb", "cpu_each"]
    sums["own_work"] = sum(own) / len(own)
    sums["added_per_notebook"] = (sums["cpu_each"] - sums["own_work"]) / len(notebooks())
    print(sums.round(2).T.to_string())
    stamped(sums.round(3)).to_csv(Path(__file__).parent / "reports.csv")
    shutil.rmtree(root)


if __name__ == "__main__":
    main()
