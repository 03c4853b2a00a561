"""What can go wrong while reports are made, each made to go wrong: right status, nothing half, nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import nbformat
import pytest

import clvnb as cv
from clvnb.report import runner
from clvnb.report.execute import Limits, MachineError, RunError, run_notebook
from clvnb.report.kernel import end_kernels
from guide import Run, short_guide, small_client

pytestmark = pytest.mark.usefixtures("warm")

FAULTS = {
    "error": "1 / 0",
    "leaves": "import sys; sys.exit(0)",
    "killed": "import os; os.kill(os.getpid(), 9)",
    "flaky": "import os\nif not Path(client, 'once').exists():\n    Path(client, 'once').touch()\n    os.kill(os.getpid(), 9)",
    "hangs": "import time; time.sleep(600)",
    "speaks": "raise cv.ClientError('mend the file')",
}
WAITS = "import time\nPath(client, 'here').touch()\ntime.sleep(600)"


def hidden(folder: Path) -> list[str]:
    return [str(p.relative_to(folder)) for p in folder.rglob(".*")]


def manifest(out: Path) -> dict[str, dict]:
    return json.loads((out / "manifest.json").read_text(encoding="utf-8"))["clients"]


def until(true, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """One run over clients whose notebooks err, leave, die, hang, or do well."""
    root = tmp_path_factory.mktemp("faulty")
    path = short_guide(root / "guide")
    clients = [small_client(root / "a", name="'Good & <i>well</i>'")]
    clients += [small_client(root / name, fault) for name, fault in FAULTS.items()] + [small_client(root / "z")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "_notebooks", lambda: [path])
        outcomes = cv.report_clients(clients, out=root / "out", jobs=4, cell_seconds=25)
    return root / "out", {o.client: o for o in outcomes}


def test_each_fault_has_its_status(faulty):
    out, outcomes = faulty
    assert {k: o.status for k, o in outcomes.items()} == {
        "a": "done", "error": "failed", "leaves": "failed", "killed": "failed", "flaky": "done", "hangs": "failed",
        "speaks": "failed", "z": "done",
    }  # fmt: skip
    assert outcomes["error"].error.startswith("1_value: ZeroDivisionError: division by zero (in: fault = Path")
    assert "stopped before its last cell" in outcomes["leaves"].error
    assert "the Python process died" in outcomes["killed"].error
    assert "a cell ran longer than 25 s" in outcomes["hangs"].error
    assert outcomes["speaks"].error == "1_value: mend the file"
    assert {k: o.attempts for k, o in outcomes.items()} == {
        "a": 1, "error": 1, "leaves": 1, "killed": 2, "flaky": 2, "hangs": 1, "speaks": 1, "z": 1,
    }  # fmt: skip
    assert {k: v["status"] for k, v in manifest(out).items()} == {k: o.status for k, o in outcomes.items()}
    assert manifest(out)["error"]["cell"].startswith("fault = Path")


def test_a_fault_touches_no_other_report_and_leaves_nothing(faulty):
    out, _ = faulty
    assert hidden(out) == []
    for name in ("a", "flaky", "z"):
        folder = out / name / (out / name / "latest").read_text().strip()
        assert {p.name for p in folder.iterdir()} >= {
            "report.html",
            "results.json",
            "clvnb.xlsx",
            "notebooks",
            "tables",
        }
        assert ": done, " in (out / name / "report.log").read_text()
    for name in ("error", "leaves", "killed", "hangs", "speaks"):
        assert [p.name for p in (out / name).iterdir()] == ["report.log"]
    assert "Traceback" in (out / "error/report.log").read_text()
    assert "tries: 2" in (out / "killed/report.log").read_text()
    index = (out / "index.html").read_text()
    assert "1_value: ZeroDivisionError" in index
    assert "Good &amp; &lt;i&gt;well" in index


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_leaves_whole_reports_and_no_process(tmp_path, how):
    path = short_guide(tmp_path / "guide")
    small_client(tmp_path / "a")
    small_client(tmp_path / "b", WAITS)
    run = Run(path, "a", "b", "--jobs", "1", cwd=tmp_path)
    until(lambda: (tmp_path / "b/here").exists() or run.process.poll() is not None)
    run.process.send_signal(how)
    status, _, said = run.end(20)
    assert status == 130, said
    assert "interrupted" in said
    assert "Traceback" not in said
    until(lambda: not run.alive(), 5)
    assert list(run.temporary.iterdir()) == []
    assert hidden(tmp_path / "reports") == []
    assert {k: v["status"] for k, v in manifest(tmp_path / "reports").items()} == {"a": "done", "b": "interrupted"}
    assert "--resume" in (tmp_path / "reports/index.html").read_text()


def test_killed_outright_and_resumed(tmp_path):
    path = short_guide(tmp_path / "guide")
    small_client(tmp_path / "a")
    small_client(tmp_path / "b", WAITS)
    run = Run(path, "a", "b", "--jobs", "1", cwd=tmp_path)
    until(lambda: (tmp_path / "b/here").exists() or run.process.poll() is not None)
    run.process.kill()
    run.end(10)
    until(lambda: not run.alive(), 10)  # the kernels go with the runner
    assert not list(run.temporary.glob("*/said"))  # the warm process takes its folder along
    assert manifest(tmp_path / "reports")["a"]["status"] == "done"
    page = tmp_path / "reports/a/2024-01-28/report.html"
    before = page.stat().st_mtime_ns
    (tmp_path / "b/fault.py").unlink()
    status, said, wrong = Run(path, "a", "b", "--resume", cwd=tmp_path).end()
    assert status == 0, wrong
    assert "unchanged  a" in said
    assert page.stat().st_mtime_ns == before
    assert {v["status"] for v in manifest(tmp_path / "reports").values()} == {"done"}
    assert hidden(tmp_path / "reports") == []


def test_two_runs_into_one_folder(tmp_path):
    path = short_guide(tmp_path / "guide")
    small_client(tmp_path / "a", WAITS)
    small_client(tmp_path / "b")
    first = Run(path, "a", cwd=tmp_path)
    until(lambda: (tmp_path / "a/here").exists() or first.process.poll() is not None)
    status, _, said = Run(path, "b", cwd=tmp_path).end()
    assert status == 1
    assert "another run is writing into this folder" in said
    first.process.terminate()
    assert first.end(20)[0] == 130


@pytest.fixture(params=["disk", "quota"])
def full(request, tmp_path):
    """A folder that takes no more than a part of a report, and what the system says then.

    A disk of 180 kB; where this user may not mount one, and for the second case, a limit on the size of each file.
    """
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=180k", "tmpfs", str(disk)]
    if request.param == "disk" and subprocess.run(mount, check=False, capture_output=True).returncode == 0:
        yield disk, None, "No space left on device"
        subprocess.run(["umount", str(disk)], check=True)
    else:
        yield disk, 12_300, "File too large"  # the workbook is larger, the manifest and the index are not


def test_a_full_disk(tmp_path, full):
    path = short_guide(tmp_path / "guide")
    small_client(tmp_path / "a")
    small_client(tmp_path / "b")
    disk, limit, reason = full
    run = Run(path, "a", "b", "--out", disk / "out", "--jobs", "1", cwd=tmp_path, largest_file=limit)
    status, _, said = run.end()
    assert status == 1, said
    assert reason in said
    assert (
        "Traceback" not in said or limit is not None
    )  # openpyxl complains of its own temporary files, which are limited too
    assert hidden(disk) == []
    entries = manifest(disk / "out")
    whole = [k for k, v in entries.items() if v["status"] == "done"]
    assert len(whole) < 2
    assert sorted(p.parent.parent.name for p in disk.rglob("report.html")) == whole


def test_a_folder_that_cannot_be_written(tmp_path):
    path = short_guide(tmp_path / "guide")
    small_client(tmp_path / "a")
    (tmp_path / "file").write_text("")
    status, _, said = Run(path, "a", "--out", "file/out", cwd=tmp_path).end()
    assert status == 1
    assert "file/out: cannot be used as the output folder" in said
    status, _, said = Run(path, "a", "--out", "/proc/out", cwd=tmp_path).end()
    assert status == 1
    assert "cannot be used as the output folder" in said


def test_too_few_open_files_are_said_before_any_work(tmp_path):
    client = small_client(tmp_path / "a")
    asked = f"exec {sys.executable} -m clvnb report {client} --out {tmp_path / 'out'}"
    few = subprocess.run(["bash", "-c", f"ulimit -n 60; {asked}"], capture_output=True, text=True)
    assert few.returncode == 2
    assert "lets a program open 60 files at once, and 192 are needed for 2 clients" in " ".join(few.stderr.split())
    assert not (tmp_path / "out").exists()
    code = "import resource as r; from clvnb.report.runner import _enough_files as f; f(2); print(r.getrlimit(r.RLIMIT_NOFILE)[0])"
    raised = subprocess.run(
        ["bash", "-c", f"ulimit -S -n 60; exec {sys.executable} -c '{code}'"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert raised.stdout.strip() == "192"


def test_a_wrong_call_has_a_status_of_its_own(tmp_path):
    path = short_guide(tmp_path / "guide")
    small_client(tmp_path / "a")
    for wrong in (["a", "a"], ["a", "--as-of", "soon"], ["a", "--jobs", "0"]):
        assert Run(path, *wrong, cwd=tmp_path).end()[0] == 2, wrong
    assert not (tmp_path / "reports").exists()


def test_a_line_of_json_for_each_client(tmp_path):
    path = short_guide(tmp_path / "guide")
    small_client(tmp_path / "a")
    small_client(tmp_path / "b", FAULTS["error"])
    status, said, _ = Run(path, "a", "b", "--json", "--no-fork", cwd=tmp_path).end()
    assert status == 1
    told = {line["client"]: line for line in map(json.loads, said.splitlines())}
    assert {k: v["status"] for k, v in told.items()} == {"a": "done", "b": "failed"}
    assert told["a"]["folder"] == "reports/a/2024-01-28"
    assert "ZeroDivisionError" in told["b"]["error"]


def test_a_client_that_is_deleted_in_between(tmp_path, guide):
    clients = [small_client(tmp_path / name) for name in ("a", "b", "c")]

    def tell(outcome):
        shutil.rmtree(tmp_path / "b", ignore_errors=True)

    outcomes = cv.report_clients(clients, out=tmp_path / "out", jobs=1, tell=tell)
    assert [o.status for o in outcomes] == ["done", "failed", "done"]
    assert "no such client folder" in outcomes[1].error
    assert hidden(tmp_path / "out") == []


def test_a_damaged_manifest_loses_nothing(tmp_path, guide):
    clients = [small_client(tmp_path / name) for name in ("a", "b")]
    out = tmp_path / "out"
    cv.report_clients(clients, out=out)
    whole = manifest(out)
    for damage in ('{"clients": {"a": ', "[]", '{"clients": {"a": 3}}', "\x00"):
        (out / "manifest.json").write_text(damage)
        again = cv.report_clients(clients, out=out, resume=True)
        assert [o.status for o in again] == ["unchanged", "unchanged"]
        for entry in (*manifest(out).values(), *whole.values()):
            entry.pop("seconds", None)
        assert manifest(out).keys() == whole.keys()
        assert [e["results"] for e in manifest(out).values()] == [e["results"] for e in whole.values()]
    (out / "a/2024-01-28/report.html").unlink()
    assert [o.status for o in cv.report_clients(clients, out=out, resume=True)] == ["done", "unchanged"]


def test_a_run_killed_between_old_and_new_gives_the_old_back(tmp_path, guide):
    client, out = small_client(tmp_path / "a"), tmp_path / "out"
    cv.report_clients([client], out=out)
    os.rename(out / "a/2024-01-28", out / "a/.clvnb-old-2024-01-28-0123abcd")
    (out / ".clvnb-a-0123abcd").mkdir()
    (out / ".clvnb-x.json").write_text("")
    (out / ".mine-0123abcd").mkdir()
    assert cv.report_clients([client], out=out, resume=True)[0].status == "unchanged"
    assert hidden(out) == [".mine-0123abcd"]


# ------------------------------------------------------------------------------------------- isolation


VANDAL = """
import os, pandas as pd, matplotlib as mpl, numpy as np, babel.numbers
pd.set_option("display.precision", 1); os.environ["TZ"] = "Asia/Tokyo"; os.chdir("/"); mpl.rcParams["font.size"] = 40
np.random.seed(1); babel.numbers.format_currency = lambda *a, **k: "much"; pd.DataFrame.to_parquet = None.__class__
cv.words.Words.money = lambda *a, **k: "nothing" if hasattr(cv, "words") else None
Path(client, "orders.csv").read_text()
"""


def undated(page: str) -> str:
    return "\n".join(line for line in page.splitlines() if " UTC" not in line)


def test_one_client_cannot_change_anothers_report(tmp_path, guide):
    vandal = small_client(
        tmp_path / "vandal", VANDAL.replace("cv.words.Words", "__import__('clvnb.core.words').core.words.Words")
    )
    clients = [small_client(tmp_path / name) for name in ("a", "b")]
    alone = cv.report_clients(clients[1:], out=tmp_path / "alone")[0].folder
    beside = cv.report_clients([clients[0], vandal, clients[1]], out=tmp_path / "beside", jobs=1)
    assert [o.status for o in beside] == ["done", "failed", "done"]
    for file in sorted(alone.rglob("*")):
        if file.is_file() and file.name != "results.json":
            same = beside[2].folder / file.relative_to(alone)
            if file.suffix == ".html":
                assert undated(file.read_text()) == undated(same.read_text())
            else:
                assert file.read_bytes() == same.read_bytes(), file.name


# ------------------------------------------------------------------------------------------- executors


def test_any_executor_does(tmp_path, guide, monkeypatch):
    """Other processes import the runner anew, and so run the whole guide: one client is enough."""
    with ProcessPoolExecutor(2) as pool:  # forked from here, with the short guide
        outcomes = cv.report_clients(
            [small_client(tmp_path / "a"), small_client(tmp_path / "b", FAULTS["error"])],
            out=tmp_path / "out",
            executor=pool,
        )
    assert [o.status for o in outcomes] == ["done", "failed"]
    assert hidden(tmp_path / "out") == []


def test_a_worker_of_a_cluster_dies_and_nothing_is_lost(tmp_path):
    distributed = pytest.importorskip("distributed")
    guide = short_guide(tmp_path / "guide")
    clients = [small_client(tmp_path / f"c{k}") for k in range(5)]
    slow = "import time\nPath(client, 'here').touch()\ntime.sleep(4)"
    (clients[0] / "fault.py").write_text(slow)

    def use_short_guide(place=str(guide)):
        from clvnb.report import runner as its_runner

        its_runner._notebooks = lambda: [Path(place)]

    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.run(use_short_guide)
        client.register_plugin(_Setup(str(guide)))
        until(lambda: len(client.scheduler_info()["workers"]) == 2)
        killed = []

        def tell(outcome):
            if not killed:
                busy = client.run(os.getpid)
                killed.append(next(iter(busy.values())))
                os.kill(killed[0], signal.SIGKILL)

        outcomes = cv.report_clients(clients, out=tmp_path / "out", executor=client.get_executor(), tell=tell)
    assert killed
    assert [o.status for o in outcomes] == ["done"] * 5
    assert hidden(tmp_path / "out") == []


def _Setup(guide: str):
    """Workers that start later use the short guide too."""
    from distributed import WorkerPlugin

    class Setup(WorkerPlugin):
        def setup(self, worker):
            from clvnb.report import runner as its_runner

            its_runner._notebooks = lambda: [Path(guide)]

    return Setup()


# ------------------------------------------------------------------------------------ single notebooks


def notebook(*sources: str):
    cells = [nbformat.v4.new_code_cell("a = 1\nb = None"), *map(nbformat.v4.new_code_cell, sources)]
    cells[0].metadata["tags"] = ["parameters"]
    node = nbformat.v4.new_notebook(cells=cells)
    node.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return node


def test_parameters_arrive_as_they_are():
    given = {"a": {"x": [1, 2.5, True, None, "</script>'\"\\\n\u202e😀"]}, "b": "007"}
    done = run_notebook(notebook("print(repr((a, b)))"), given, fork=False)
    assert eval(done.cells[-1].outputs[0].text) == (given["a"], given["b"])


@pytest.mark.parametrize("value", [Path("x"), {1: 2}, (1, 2), b"x", {"y": {3}}, type("T", (str,), {})("x")], ids=repr)
def test_other_kinds_of_parameters_are_refused(value):
    with pytest.raises(cv.ReportError, match="parameter 'a' is a"):
        run_notebook(notebook("1"), {"a": value})


def test_numpy_values_are_refused_as_parameters():
    import numpy as np

    for value in (np.int64(3), np.bool_(False), np.float64(1.0)):
        with pytest.raises(cv.ReportError, match="parameter 'a' is a"):
            run_notebook(notebook("1"), {"a": value})


def test_unknown_parameters_are_refused():
    with pytest.raises(cv.ReportError, match="no parameter 'x=1;print'; its parameters are a, b"):
        run_notebook(notebook("1"), {"x=1;print": 1})


def test_the_whole_report_has_a_limit_too():
    with pytest.raises(RunError, match="the report took longer than 2 s"):
        run_notebook(
            notebook("import time; time.sleep(1.5)", "time.sleep(30)"), {}, fork=False, limits=Limits(report=2)
        )


def test_forked_kernels_share_neither_chance_nor_folder():
    try:
        found = [
            run_notebook(notebook("import os, numpy as np\nprint(np.random.random(), os.getcwd(), os.listdir())"), {})
            .cells[-1]
            .outputs[0]
            .text.split()
            for _ in range(2)
        ]
        with pytest.raises(MachineError):
            run_notebook(notebook("import os; os.kill(os.getpid(), 9)"), {})
    finally:
        end_kernels()
    assert found[0][0] != found[1][0]
    assert found[0][1] != found[1][1]
    assert not Path(found[0][1]).exists()
