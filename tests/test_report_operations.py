"""What a report may trust after kills, replaced files, other versions and hostile names: each made to happen on the real runner."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import nbformat
import pandas as pd
import pytest

import clvnb as cv
from clvnb.core.files import scratch_folder
from clvnb.report import kernel, runner
from clvnb.report.cards import customer_cards
from clvnb.report.files import write_table, write_workbook
from clvnb.report.kernel import end_kernels
from clvnb.report.manifest import Manifest
from guide import ONCE, Run, short_guide, small_client

pytestmark = pytest.mark.usefixtures("warm")


def manifest(out: Path) -> dict[str, dict]:
    return json.loads((out / "manifest.json").read_text(encoding="utf-8"))["clients"]


def report(client: Path, out: Path, **how) -> runner.Outcome:
    return cv.report_clients([client], out=out, resume=True, **how)[0]


# ------------------------------------------------------------------------------------------- what resume trusts


PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(20)


def test_each_file_that_a_run_reads_is_in_its_key(tmp_path, guide):
    client, out = small_client(tmp_path / "a"), tmp_path / "out"
    lines = ONCE.replace("amount", "amount,currency").replace(",10\n", ",10,USD\n")
    (client / "orders.csv").write_text(lines)
    (client / "rates.csv").write_text(
        "date,currency,rate\n" + "".join(f"2024-01-{k:02d},USD,0.9\n" for k in range(1, 29))
    )
    (client / "logo.png").write_bytes(PICTURE)
    with (client / "client.yaml").open("a") as settings:
        settings.write("rates: {source: rates.csv}\nbrand: {logo: logo.png}\n")
    assert report(client, out).status == "done"
    assert manifest(out)["a"]["results"]["historic_value"] == pytest.approx(40 * 10 * 0.9 * 0.4)
    assert report(client, out).status == "unchanged"
    (client / "rates.csv").write_text((client / "rates.csv").read_text().replace("0.9", "0.5"))
    assert report(client, out).status == "done"
    assert manifest(out)["a"]["results"]["historic_value"] == pytest.approx(40 * 10 * 0.5 * 0.4)
    (client / "logo.png").write_bytes(PICTURE + b"x")
    assert [report(client, out).status for _ in range(2)] == ["done", "unchanged"]


@pytest.mark.parametrize("harm", ["empty page", "no table", "half results"])
def test_resume_trusts_whole_reports_only(tmp_path, guide, harm):
    client, out = small_client(tmp_path / "a"), tmp_path / "out"
    report(client, out)
    folder = out / "a/2024-01-28"
    if harm == "empty page":
        (folder / "report.html").write_text("")
    elif harm == "no table":
        (folder / "tables/customers.parquet").unlink()
    else:
        (folder / "results.json").write_text((folder / "results.json").read_text()[:100])
    assert [report(client, out).status for _ in range(2)] == ["done", "unchanged"]
    assert len((folder / "report.html").read_text()) > 1000
    json.loads((folder / "results.json").read_text())


REPLACED = """
import os
file = Path(client, "orders.csv")
new = file.read_text().replace(",10\\n", ",20\\n")
if not Path(client, "once").exists():
    Path(client, "once").touch()
    Path(client, "new.csv").write_text(new)
    os.replace(Path(client, "new.csv"), file)
"""


def test_data_that_are_replaced_during_a_run_are_read_again(tmp_path, guide):
    client, out = small_client(tmp_path / "a", REPLACED), tmp_path / "out"
    done = report(client, out)
    assert (done.status, done.attempts) == ("done", 2)
    assert manifest(out)["a"]["results"]["historic_value"] == pytest.approx(40 * 20 * 0.4)
    assert report(client, out).status == "unchanged"
    (client / "fault.py").write_text("Path(client, 'orders.csv').open('a').write('x,2024-01-01,1\\n')")
    (client / "client.yaml").open("a").write("locale: en_GB\n")
    done = report(client, out)
    assert done.status == "failed"
    assert "changed while they were read" in done.error


# ------------------------------------------------------------------------------------------- nothing left behind


def test_unpacked_orders_go_with_the_run(tmp_path):
    path = short_guide(tmp_path / "guide")
    client = small_client(tmp_path / "a")
    with zipfile.ZipFile(client / "orders.zip", "w") as archive:
        archive.write(client / "orders.csv", "orders.csv")
    (client / "client.yaml").write_text((client / "client.yaml").read_text().replace("orders.csv", "orders.zip"))
    run = Run(path, "a", cwd=tmp_path)
    left = run.temporary / "clvnb-scratch-earlier"  # of a run that was killed
    left.mkdir(mode=0o700)
    (left / "orders.csv").write_text("somebody@example.org")
    status, _, said = run.end()
    assert status == 0, said
    assert list(run.temporary.iterdir()) == []


def test_a_scratch_folder_lives_as_long_as_its_process(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    program = "from clvnb.core.files import scratch_folder; print(scratch_folder(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as other:
        theirs = Path(other.stdout.readline().strip())
        mine = scratch_folder()
        assert theirs.is_dir()
        other.kill()
        other.wait()
    scratch_folder()
    assert mine.is_dir()
    assert not theirs.exists()


# ------------------------------------------------------------------------------------------- manifests of others


@pytest.mark.parametrize("harm", ["a result is missing", "no error", "other keys", "not an entry", "leads out"])
def test_an_odd_entry_stops_no_run(tmp_path, guide, harm):
    a, b, out = small_client(tmp_path / "a"), small_client(tmp_path / "b"), tmp_path / "out"
    cv.report_clients([a, b], out=out)
    whole = json.loads((out / "manifest.json").read_text())
    entry = whole["clients"]["a"]
    if harm == "a result is missing":
        del entry["results"]["historic_value"]
    elif harm == "no error":
        whole["clients"]["a"] = {"name": "a", "status": "failed", "page": ""}
    elif harm == "other keys":
        entry["of_another_version"] = {"deep": [1]}
    elif harm == "not an entry":
        whole["clients"]["a"] = {"page": 3}
    else:
        entry["page"] = "javascript:alert(1)"
    (out / "manifest.json").write_text(json.dumps(whole))
    assert cv.report_clients([b], out=out, resume=True)[0].status == "unchanged"
    index = (out / "index.html").read_text()
    assert ("report it again" in index) == (harm == "a result is missing")
    assert "javascript" not in index
    if harm == "other keys":
        assert manifest(out)["a"]["of_another_version"] == {"deep": [1]}
    if harm == "not an entry":
        assert manifest(out)["a"]["status"] == "done"


@pytest.mark.parametrize(
    "page", ["/etc/passwd", "../x.html", "a/../../x", "//host/x", "javascript:x", "a\\..\\x", 'a"onclick']
)
def test_a_page_lies_below_the_folder(tmp_path, page):
    out = tmp_path / "out"
    out.mkdir()
    entries = {"a": {"name": "a", "status": "failed", "error": "e", "page": page}}
    (out / "manifest.json").write_text(json.dumps({"clients": entries}))
    with Manifest(out) as read:
        assert read.entries["a"]["page"] == ""


# ------------------------------------------------------------------------------------------- names


def test_two_clients_of_the_same_slug_are_kept_apart(tmp_path, guide):
    first, out = small_client(tmp_path / "shop EU", name="Tea"), tmp_path / "out"
    report(first, out)
    before = manifest(out)
    second = report(small_client(tmp_path / "shop-EU", name="Coffee"), out)
    assert second.status == "failed"
    assert "holds the reports of another client, 'Tea'" in second.error
    assert manifest(out) == before
    moved = first.rename(tmp_path / "shop+EU")  # the same client elsewhere
    assert report(moved, out).status in {"done", "unchanged"}


def test_names_in_any_letters_are_told_apart(tmp_path):
    names = ["Καφές", "Τσάι", "お茶", "コーヒー", "чай", "кофе", "café", "cafe", "x" * 240, "x" * 239 + "y"]
    slugs = [runner._slug(tmp_path / name) for name in names]
    assert len(set(slugs)) == len(names)
    assert all(len(s) <= 110 and s.isascii() for s in slugs)
    assert slugs[6].startswith("cafe-")
    assert slugs[7] == "cafe"


def test_reports_of_the_first_version_are_taken_along(tmp_path, guide):
    """It called every name in other letters ``client``, and knew no owner: one client is in the index once, with its history."""
    client, out = small_client(tmp_path / "кофе", name="Кофе"), tmp_path / "out"
    other = small_client(tmp_path / "чай", name="Чай")
    report(client, out)
    slug = runner._slug(client)
    listed = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    entry = listed["clients"].pop(slug)
    for key in ("owner", "files", "months", "value_then", "measured_against", "locale"):
        del entry[key]
    listed["clients"]["client"] = entry | {"page": "client/2024-01-28/report.html"}
    (out / slug).rename(out / "client")
    (out / "manifest.json").write_text(json.dumps(listed), encoding="utf-8")
    assert report(other, out).status == "done"  # whose reports those are not
    assert (out / "client/2024-01-28/report.html").is_file()
    assert report(client, out).status == "done"
    assert sorted(manifest(out)) == sorted([slug, runner._slug(other)])
    assert not (out / "client").exists()
    assert (out / manifest(out)[slug]["page"]).is_file()


@pytest.mark.parametrize("name", ["shop [EU]", "a*b", "what?", "кофе", "x" * 240, "it's 100% {real}"])
def test_odd_names_of_folders(tmp_path, guide, name):
    done = report(small_client(tmp_path / name, name="Tea"), tmp_path / "out")
    assert (done.status, done.error) == ("done", "")


def test_a_very_long_folder_for_temporary_files(tmp_path, guide):
    client = small_client(tmp_path / "a")
    run = Run(guide, "a", cwd=tmp_path)
    run.process.kill()
    run.end()
    deep = run.temporary / ("d" * (101 - len(str(run.temporary)) - 1))
    deep.mkdir()
    said = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(guide=str(guide)), "report", str(client)],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(deep)},
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert list(deep.iterdir()) == []


_PROGRAM = (
    "import pathlib, sys; from clvnb.report import runner; from clvnb.cli import main; "
    "runner._notebooks = lambda: [pathlib.Path({guide!r})]; sys.argv[0] = 'clvnb'; main()"
)


def test_a_folder_nobody_may_look_into_beside_the_reports(tmp_path, guide):
    """As root it may be looked into: the test then says less, and is run all the same."""
    out = tmp_path / "out"
    (out / "lost+found").mkdir(parents=True, mode=0o000)
    assert report(small_client(tmp_path / "a"), out).status == "done"


@pytest.mark.parametrize("line", ["as_of: 2024-02-30", "name: " + "9" * 5000, "plan: " + "[" * 3000])
def test_settings_that_cannot_be_read_are_said(tmp_path, line):
    client = small_client(tmp_path / "a")
    (client / "client.yaml").write_text(line + "\n")
    with pytest.raises(cv.ClientError, match=r"client\.yaml: is not readable as YAML"):
        cv.Client.load(client)


# ------------------------------------------------------------------------------------------- workbooks


def test_more_rows_than_a_sheet_holds(tmp_path):
    many = pd.DataFrame({"n": range(1_048_576)})
    with pytest.raises(cv.ReportError, match=r"1,048,575 rows .* \.csv or \.parquet"):
        write_table(many, tmp_path / "x.xlsx")
    assert list(tmp_path.iterdir()) == []
    write_workbook({"few": many.head(3), "customers": many}, tmp_path / "x.xlsx")
    sheets = pd.read_excel(tmp_path / "x.xlsx", sheet_name=None, engine="calamine")
    assert len(sheets["few"]) == 3
    assert "1,048,576 rows" in sheets["customers"].iloc[0, 0]
    assert "tables/customers.parquet" in sheets["customers"].iloc[0, 0]


# ------------------------------------------------------------------------------------------- step 4


def fourth(folder: Path, source: str) -> Path:
    cells = [nbformat.v4.new_code_cell('client = ""\nearlier = ""'), nbformat.v4.new_code_cell(source)]
    cells[0].metadata["tags"] = ["parameters"]
    node = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Step 4: track"), *cells])
    path = folder / "4_track.ipynb"
    nbformat.write(node, path)
    return path


def test_the_fourth_step_never_costs_the_other_three(tmp_path, guide, monkeypatch):
    last = fourth(guide.parent, "raise cv.TableError('the baseline is of another client <i>')")
    monkeypatch.setattr(runner, "_notebooks", lambda: [guide, last])
    client, out = small_client(tmp_path / "a"), tmp_path / "out"
    done = report(client, out)
    assert done.status == "done"
    assert done.error == "4_track: the baseline is of another client <i>"
    page = (out / "a/2024-01-28/report.html").read_text()
    assert "Step 4 could not be made" in page
    assert "of another client &lt;i&gt;" in page
    assert "4_track" in (out / "index.html").read_text()
    fourth(guide.parent, "1")
    assert report(client, out).error == ""


# ------------------------------------------------------------------------------------------- stops


WORK = """
import os, pathlib, sys, time
def main(file):
    what = file.read_text()
    (file.parent / "pid").write_text(str(os.getpid()))
    if what == "slow":
        time.sleep(300)
    if what == "dies":
        os.kill(os.getpid(), 9)
    return int(what == "fails")
if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
"""


@pytest.mark.parametrize("fork", [True, False])
def test_what_is_made_of_a_report_has_a_limit(tmp_path, monkeypatch, fork):
    (tmp_path / "work_of_a_test.py").write_text(WORK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    end_kernels()
    found = {}
    for what in ("well", "fails", "dies", "slow"):
        place = tmp_path / what
        place.mkdir()
        (place / "order").write_text(what)
        found[what] = kernel.run_apart("work_of_a_test", place / "order", 1.0 if what == "slow" else 60.0, fork=fork)
        if (place / "pid").exists():
            pid = int((place / "pid").read_text())
            assert until(lambda pid=pid: not Path(f"/proc/{pid}").exists() or "Z" in state(pid))
    assert found == {"well": 0, "fails": 1, "dies": -9, "slow": None}
    end_kernels()


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def until(done, seconds: float = 30) -> bool:
    ends = time.monotonic() + seconds
    while not (it := done()) and time.monotonic() < ends:
        time.sleep(0.05)
    return it


@pytest.mark.parametrize(
    ("code", "said"),
    [(None, "page and workbook: not made within 600 s"), (-9, "the Python process died"), (1, "is its disk full?")],
    ids=["slow", "killed", "nothing written"],
)
def test_a_page_that_cannot_be_made_leaves_the_last_one(tmp_path, guide, monkeypatch, code, said):
    client, out = small_client(tmp_path / "a"), tmp_path / "out"
    assert report(client, out).status == "done"
    page = (out / "a/2024-01-28/report.html").read_bytes()
    (client / "orders.csv").write_text(ONCE.replace(",10\n", ",11\n"))
    with monkeypatch.context() as patch:
        patch.setattr(runner, "run_apart", lambda *a, **k: code)
        failed = report(client, out)
    assert (failed.status, failed.attempts) == ("failed", 2 if code == -9 else 1)
    assert said in failed.error
    assert (out / "a/2024-01-28/report.html").read_bytes() == page
    assert report(client, out).status == "done"


def test_a_stopped_warm_process_is_replaced(tmp_path, guide, monkeypatch):
    end_kernels()
    monkeypatch.setattr(kernel, "_PATIENCE", 15)
    client, out = (
        small_client(tmp_path / "a", "open(Path(client, 'here'), 'w').close()\nimport time\ntime.sleep(3)"),
        tmp_path / "out",
    )
    done = []
    work = threading.Thread(target=lambda: done.append(report(client, out, report_seconds=60)))
    work.start()
    while not (client / "here").exists():
        time.sleep(0.1)
    os.kill(kernel._forkserver.process.pid, signal.SIGSTOP)
    work.join(150)
    assert not work.is_alive()
    assert done[0].status == "done", done[0].error
    end_kernels()


def test_an_interrupt_beside_a_stopped_warm_process(tmp_path):
    path = short_guide(tmp_path / "guide")
    client = small_client(
        tmp_path / "a", "import time, os\nPath(client, 'here').write_text(str(os.getppid()))\ntime.sleep(600)"
    )
    run = Run(path, "a", cwd=tmp_path)
    while not (client / "here").exists() or not (client / "here").read_text():
        time.sleep(0.1)
    os.kill(int((client / "here").read_text()), signal.SIGSTOP)
    run.process.send_signal(signal.SIGINT)
    status, _, said = run.end(30)
    assert status == 130, said
    time.sleep(1)
    assert run.alive() == []


# ------------------------------------------------------------------------------------------- cards


def test_cards_and_reports_keep_out_of_each_others_way(tmp_path, guide):
    client, out = small_client(tmp_path / "a"), tmp_path / "out"
    report(client, out)
    card = out / "a/2024-01-28/cards/c1.html"
    card.parent.mkdir()
    card.write_text("a card")
    assert cv.report_clients([client], out=out)[0].status == "done"  # made anew from the same
    assert card.read_text() == "a card"
    with Manifest(out), pytest.raises(cv.ReportError, match="another run is writing into this folder"):
        customer_cards(client, ["c1"], out=out)
    (client / "orders.csv").write_text(ONCE.replace(",10", ",11"))
    assert report(client, out).status == "done"
    assert not card.exists()  # it told of other orders


# ------------------------------------------------------------------------------------------- who may read


def test_files_are_as_private_as_the_umask_or_the_file_before(tmp_path):
    program = (
        "import os, sys; os.umask(0o077); import pandas as pd; from clvnb.report.files import write_table; "
        "write_table(pd.DataFrame({'a': [1]}), sys.argv[1])"
    )
    for name in ("new.csv", "new.parquet"):
        subprocess.run([sys.executable, "-c", program, str(tmp_path / name)], check=True)
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    (tmp_path / "new.csv").chmod(0o640)
    write_table(pd.DataFrame({"a": [2]}), tmp_path / "new.csv")
    assert (tmp_path / "new.csv").stat().st_mode & 0o777 == 0o640


def test_no_text_of_any_kind_is_a_formula(tmp_path):
    bad = ["=1", "＝1", "\n=1", "\r=1", "+1", "＋1", "-1", "－1", "@a", "＠a", "\x00=1"]
    table = pd.DataFrame({"text": bad, "=kind": pd.Categorical(bad)})
    for name in ("x.csv", "x.xlsx"):
        write_table(table, tmp_path / name)
    read = pd.read_csv(tmp_path / "x.csv", dtype=str)
    sheet = pd.read_excel(tmp_path / "x.xlsx", dtype=str, engine="calamine")
    for found in (read, sheet):
        assert list(found.columns) == ["text", "'=kind"]
        assert all(v.startswith("'") for column in found for v in found[column])


# ------------------------------------------------------------------------------------------- the page for colleagues


def answered(port: int, host: str, query: str) -> int:
    import http.client

    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        line.request("GET", f"/{query}", headers={"Host": f"{host}:{port}"})
        return line.getresponse().status
    finally:
        line.close()


def test_the_app_answers_neither_strangers_nor_other_names(tmp_path):
    pytest.importorskip("voila")
    import socket

    client = small_client(tmp_path / "a")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if k != "JUPYTER_TOKEN"} | {"TMPDIR": str(tmp_path)}
    program = [sys.executable, "-m", "clvnb", "app", str(client), "--port", str(port), "--no-browser"]
    with subprocess.Popen(
        program, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as app:
        try:
            query = "?" + app.stdout.readline().strip().partition("?")[2]
            assert len(query) > 30
            for _ in range(600):
                try:
                    answered(port, "localhost", "voila/static/voila.js")
                    break
                except OSError:
                    time.sleep(0.1)
            assert answered(port, "evil.example", query) == 403
            assert answered(port, "localhost", "") == 302  # to where a token is asked for
            assert answered(port, "localhost", query) == 200
        finally:
            app.send_signal(signal.SIGTERM)
