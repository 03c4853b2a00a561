"""The command line as a user runs it: texts, exit status, files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from helpers import ROOT, small_orders

BAD = {
    "wrong column": ("who,date,amount\na,2024-01-01,1\n", {}, "has no column 'customer_id'"),
    "empty file": ("", {}, "the file is empty"),
    "only a header": ("customer_id,date,amount\n", {}, "the log has no rows"),
    "negative margin": (None, {"economics": {"margin": -0.4}}, "economics.margin: -0.4"),
    "unknown key": (None, {"curency": "EUR"}, "did you mean 'currency'"),
    "as_of in the future": (None, {"as_of": "2999-12-31"}, "as_of 2999-12-31 lies in the future"),
    "horizon without a unit": (None, {"economics": {"horizon": 36}}, "write '36 months' or '36 days'"),
    "mixed currencies": ("customer_id,date,amount\na,2024-01-01,$5\na,2024-01-02,€5\n", {}, "2 currencies, such as"),
    "another currency": (
        "customer_id,date,amount\na,2024-01-01,$5\na,2024-01-02,$5\n",
        {},
        "the amounts are in $, but",
    ),
    "all in the future": ("customer_id,date,amount\n" + "a,2999-01-01,1\n" * 5, {}, "dated in the future: 5"),
}
FINDINGS = {
    "nobody came back": "customer_id,date,amount\n" + "".join(f"c{k},2024-01-05,9\n" for k in range(30)),
    "one customer": "customer_id,date,amount\na,2024-01-05,9\na,2024-02-05,9\n",
}


def clvnb(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", "clvnb", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
    )


def write_client(folder: Path, csv: str | None, settings: dict) -> Path:
    folder.mkdir()
    (folder / "orders.csv").write_text(small_orders() if csv is None else csv, encoding="utf-8")
    body = {"name": folder.name, "currency": "EUR", "transactions": {"source": "orders.csv"}} | settings
    (folder / "client.yaml").write_text(yaml.safe_dump(body), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def bad(tmp_path_factory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """One command over all clients whose data or settings are bad: what each of them is told stands after its name."""
    root = tmp_path_factory.mktemp("bad")
    folders = [write_client(root / name, csv, settings) for name, (csv, settings, _) in BAD.items()]
    return clvnb("report", *folders, "--out", root / "reports", cwd=root), root / "reports"


@pytest.mark.parametrize("case", sorted(BAD))
def test_bad_input_is_one_clear_error_and_no_report(case, bad):
    done, out = bad
    assert done.returncode == 1, done.stdout
    (told,) = [part for part in done.stderr.split("failed  ")[1:] if part.startswith(f"{case}: ")]
    assert BAD[case][2] in told
    assert "Traceback" not in done.stderr + done.stdout
    assert list(out.rglob("report.html")) == []


def test_one_bad_client_alone_fails_the_command(make_client, tmp_path):
    """Bad data are found while the report is made, a bad setting before."""
    for case in ("wrong column", "negative margin"):
        csv, settings, says = BAD[case]
        done = clvnb("report", make_client(csv, name=case, **settings), "--out", tmp_path / "reports", cwd=tmp_path)
        assert done.returncode == 1, done.stdout
        assert says in done.stderr


@pytest.fixture(scope="module")
def thin(tmp_path_factory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """One command over the clients of whom little can be said."""
    root = tmp_path_factory.mktemp("thin")
    folders = [write_client(root / name, csv, {}) for name, csv in FINDINGS.items()]
    return clvnb("report", *folders, "--out", root / "reports", cwd=root), root / "reports"


@pytest.mark.parametrize("case", sorted(FINDINGS))
def test_thin_data_are_a_red_report(case, thin):
    done, out = thin
    assert done.returncode == 0, done.stderr
    page = next((out / case.replace(" ", "-")).rglob("report.html")).read_text()
    assert "Trust: not reliable" in page
    assert "cannot be said yet" in page


def test_a_folder_that_is_not_there(tmp_path):
    done = clvnb("report", "nowhere", cwd=tmp_path)
    assert done.returncode == 1
    assert "no such client folder" in done.stderr
    assert "clvnb init nowhere" in done.stderr
    none = clvnb("report", cwd=tmp_path)
    assert none.returncode == 1
    assert "no client is named" in none.stderr


def test_init_check_value(tmp_path):
    rows = small_orders().splitlines()
    body = [f"{w};{d[8:]}.{d[5:7]}.{d[:4]};{a.replace('.', ',')}" for w, d, a in (r.split(",") for r in rows[1:])]
    (tmp_path / "export.csv").write_text("\n".join(["Kundennr;Datum;Betrag", *body]))
    made = clvnb("init", "mine", "--transactions", "export.csv", "--margin", "0.4", "--currency", "CHF", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    text = (tmp_path / "mine/client.yaml").read_text()
    assert "%d.%m.%Y" in text
    assert "decimal: ','" in text
    assert "currency: CHF" in text
    again = clvnb("init", "mine", "--transactions", "export.csv", cwd=tmp_path)
    assert again.returncode == 1
    assert "is there already" in again.stderr
    checked = clvnb("check", "mine", cwd=tmp_path)
    assert checked.returncode == 0
    assert f"{len(body):,} order lines read" in checked.stdout
    valued = clvnb("value", "mine", "--to", "out.parquet", cwd=tmp_path)
    assert valued.returncode == 0, valued.stderr
    assert "are expected to bring another CHF" in valued.stdout
    assert len(pd.read_parquet(tmp_path / "out.parquet")) == 400


def test_init_asks_where_it_cannot_tell(tmp_path):
    (tmp_path / "a.csv").write_text("customer,date,total\nx,01/02/2024,5.00\ny,03/04/2024,6.50\n")
    dates = clvnb("init", "mine", "--transactions", "a.csv", cwd=tmp_path)
    assert dates.returncode == 1
    assert "can be read in 2 ways; decide with --date-format '%d/%m/%Y' or --date-format '%m/%d/%Y'" in dates.stderr
    (tmp_path / "b.csv").write_text("customer,date,total\nx,2024-02-01,1.500\ny,2024-04-03,2.250\n")
    amounts = clvnb("init", "mine", "--transactions", "b.csv", cwd=tmp_path)
    assert amounts.returncode == 1
    assert "decide with --decimal . or --decimal ," in amounts.stderr
    (tmp_path / "c.csv").write_text("alpha,beta\n1,2\n")
    columns = clvnb("init", "mine", "--transactions", "c.csv", cwd=tmp_path)
    assert "cannot tell which column is the customer_id and the date and the amount" in columns.stderr
    assert not (tmp_path / "mine").exists()
    decided = clvnb("init", "mine", "--transactions", "a.csv", "--date-format", "%d/%m/%Y", cwd=tmp_path)
    assert decided.returncode == 0, decided.stderr


def test_init_takes_the_currency_that_the_file_names(tmp_path):
    rows = [r.rpartition(",") for r in small_orders(customers=60).splitlines()[1:]]
    lines = ["customer,date,total", *(f"{head},$" + amount for head, _, amount in rows)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    done = clvnb("init", "mine", "--transactions", "a.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "currency: USD" in (tmp_path / "mine/client.yaml").read_text()
    wrong = clvnb("init", "other", "--transactions", "a.csv", "--currency", "EUR", cwd=tmp_path)
    assert wrong.returncode == 1
    assert "the amounts are in $, but client.yaml says `currency: EUR`" in wrong.stderr
    assert not (tmp_path / "other").exists()
    decimal = clvnb("init", "other", "--transactions", "a.csv", "--decimal", "x", cwd=tmp_path)
    assert decimal.returncode == 2
    assert "Traceback" not in decimal.stderr


def test_a_malformed_day_is_refused_alike(make_client, tmp_path):
    folder = make_client()
    for command in ("check", "value", "report"):
        done = clvnb(command, folder, "--as-of", "2024-06-30xyz", cwd=tmp_path)
        assert done.returncode == 2, command
        assert "'2024-06-30xyz' is not a day" in done.stderr, command


def test_check_says_whether_data_can_carry_a_prediction(make_client, tmp_path):
    done = clvnb("check", make_client(FINDINGS["nobody came back"]), cwd=tmp_path)
    assert done.returncode == 0
    assert "Not reliable: no prediction is shown" in done.stdout


@pytest.mark.parametrize(
    ("levers", "said"),
    [
        ({"better servise": {}}, "there is no lever 'better servise'"),
        ({"better service": {"yearly": 2}}, "unknown setting 'yearly'"),
        ({"better service": {"effects": {"retention": [0, 5, 15]}}}, "did you mean [0.0, 0.05, 0.15]"),
    ],
)
def test_check_looks_at_the_plan_too(make_client, tmp_path, levers, said):
    folder = make_client(FINDINGS["nobody came back"])
    settings = yaml.safe_load((folder / "client.yaml").read_text())
    (folder / "client.yaml").write_text(yaml.safe_dump(settings | {"plan": {"levers": levers}}))
    done = clvnb("check", folder, cwd=tmp_path)
    assert done.returncode == 1
    assert "plan.levers" in done.stderr
    assert said in " ".join(done.stderr.split())


def test_check_reads_the_answers(make_client, tmp_path):
    folder = make_client(FINDINGS["nobody came back"])
    answers = "".join(f"c{k},2024-01-{k % 28 + 1:02d},csat,{k % 7 + 1}\n" for k in range(60))
    (folder / "survey.csv").write_text("customer_id,date,metric,score\n" + answers)
    settings = yaml.safe_load((folder / "client.yaml").read_text())
    (folder / "client.yaml").write_text(yaml.safe_dump(settings | {"surveys": {"source": "survey.csv"}}))
    done = clvnb("check", folder, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "answers to csat are not between 1 and 5" in " ".join(done.stdout.split())


def test_lab_lays_out_the_guide_and_overwrites_nothing(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/1_value.ipynb").write_text("mine")
    done = clvnb("lab", "--no-start", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "notebooks/1_value.ipynb").read_text() == "mine"
    assert (tmp_path / "data/cdnow/client.yaml").is_file()


def test_version_and_help(tmp_path):
    assert clvnb("--version", cwd=tmp_path).stdout.startswith("clvnb ")
    assert "needs clvnb[pdf]." in clvnb("report", "--help", cwd=tmp_path).stdout  # brackets are no markup there
    shown = clvnb("--help", cwd=tmp_path).stdout
    assert all(word in shown for word in ("init", "check", "value", "report", "lab"))


def test_doctor_says_what_works(tmp_path):
    done = clvnb("doctor", "--out", tmp_path / "reports", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All that is needed works." in done.stdout
    for what in ("kernel", "forked kernels", "fonts", "disk", "JupyterLab and panels", "panels for colleagues"):
        assert what in done.stdout


def test_doctor_names_what_is_broken_and_what_to_do():
    script = (
        "import matplotlib as mpl; mpl.rcParams['font.family'] = 'No Such Font'; "
        "from clvnb.report.doctor import examine; found = examine(); row = found.table.set_index('what').loc['fonts']; "
        "print(found.text); print(row['works'], row['do'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2].startswith("Not in order: fonts.")
    assert "MPLCONFIGDIR" in done.stdout


def test_app_refuses_a_port_that_is_taken(make_client):
    import socket

    folder = make_client()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = clvnb("app", folder, "--port", port, "--no-browser", cwd=folder.parent)
    assert done.returncode == 2
    assert f"port {port} is taken" in done.stderr
