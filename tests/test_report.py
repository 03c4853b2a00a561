"""The real runner on real kernels: complete or absent, one client's failure never another's, safe with hostile data."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

import clvnb as cv
from clvnb.report import write_table
from clvnb.report.page import index_page
from clvnb.report.runner import _apart, _input_key, _joined, _notebooks
from clvnb.value.step import value_step
from guide import ONCE
from helpers import HOSTILE, hostile_client, small_orders

pytestmark = pytest.mark.usefixtures("warm")


def leftovers(folder: Path) -> list[str]:
    return [str(p.relative_to(folder)) for p in folder.rglob(".*")]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Three clients, one of them broken, one without repeat buyers, reported in one run."""
    root = tmp_path_factory.mktemp("run")
    clients = {
        "good": small_orders(),
        "broken": "who,when\na,b\n",
        "once": "customer_id,date,amount\n" + "".join(f"c{k},2024-01-{k % 28 + 1:02d},10\n" for k in range(40)),
    }
    for name, csv in clients.items():
        (root / name).mkdir()
        (root / name / "orders.csv").write_text(csv)
        shown = "Good & <b>Bold</b> {x}" if name == "good" else name
        (root / name / "client.yaml").write_text(
            f"name: '{shown}'\ncurrency: EUR\ntransactions: {{source: orders.csv}}\neconomics: {{margin: 0.4}}\n"
        )
    out = root / "reports"
    outcomes = cv.report_clients([root / n for n in clients], out=out, jobs=2)
    return root, out, dict(zip(clients, outcomes, strict=True))


def test_status_of_each_client(run):
    _, out, outcomes = run
    assert {k: o.status for k, o in outcomes.items()} == {"good": "done", "broken": "failed", "once": "done"}
    assert "has no column 'customer_id'" in outcomes["broken"].error
    assert [p.name for p in (out / "broken").iterdir()] == ["report.log"]
    assert leftovers(out) == []


def test_a_report_leaves_what_the_design_names(run):
    _, out, outcomes = run
    folder = outcomes["good"].folder
    seconds = json.loads((folder / "results.json").read_text())["seconds"]
    assert list(seconds) == [path.stem for path in _notebooks()]
    assert seconds["1_value"] > 0.1
    assert {p.name for p in folder.iterdir()} == {
        "report.html",
        "explore.html",
        "notebooks",
        "tables",
        "results.json",
        "baseline.json",
        "clvnb.xlsx",
    }
    assert (folder / "notebooks/1_value.ipynb").is_file()
    assert (out / "good/latest").read_text().strip() == folder.name
    manifest = json.loads((out / "manifest.json").read_text())["clients"]
    assert {k: v["status"] for k, v in manifest.items()} == {
        "good": "done",
        "broken": "failed",
        "once": "done",
    }


def test_page_index_command_and_results_say_the_same(run):
    root, out, outcomes = run
    results = json.loads((outcomes["good"].folder / "results.json").read_text())
    step = value_step(cv.Client.load(root / "good"))
    assert results["residual_value"]["value"] == pytest.approx(step.total.value, rel=1e-12)
    assert results["new_customer_value"]["low"] == pytest.approx(step.new_customer.low, rel=1e-12)
    words = step.client.words
    index, page = (out / "index.html").read_text(), (outcomes["good"].folder / "report.html").read_text()
    for figure in (step.total.value, step.total.low, step.total.high, step.new_customer.value):
        assert words.money(figure) in index
        assert words.money(figure) in page
    table = pd.read_parquet(outcomes["good"].folder / "tables/customers.parquet")
    assert table["clv"].sum() == pytest.approx(step.total.value)


def test_page_loads_nothing_and_runs_nothing(run):
    _, out, outcomes = run
    for page in (out / "index.html", outcomes["good"].folder / "report.html"):
        text = page.read_text()
        assert "default-src 'none'" in text
        assert "<script" not in text.lower()
        assert not re.search(r'(?:src|href)="(?!data:|#)[a-z]+:', text)
        assert "&lt;b&gt;Bold&lt;/b&gt;" in text
        assert len(text) < 1_500_000


def test_page_has_one_title_and_pictures_with_numbers_in_words(run):
    _, _, outcomes = run
    text = (outcomes["good"].folder / "report.html").read_text()
    assert len(re.findall(r"<h1", text)) == 1
    alts = re.findall(r'<img alt="([^"]*)"', text)
    assert len(alts) == 10  # no lever pays before it was tested here, so no budget is drawn
    assert all(re.search(r"\d", a) for a in alts)


def test_nothing_of_this_machine_leaves(run):
    root, _, outcomes = run
    folder = outcomes["good"].folder
    for file in (folder / "report.html", folder / "notebooks/1_value.ipynb", folder / "results.json"):
        assert str(root) not in file.read_text(), file.name
        assert str(Path.home()) + "/" not in file.read_text(), file.name


def test_no_repeat_buyers_give_a_red_page_without_a_guess(run):
    _, out, outcomes = run
    results = json.loads((outcomes["once"].folder / "results.json").read_text())
    assert results["trust"] == "not reliable"
    assert results["residual_value"] is None
    page = (outcomes["once"].folder / "report.html").read_text()
    assert "none of the 40 customers bought twice" in page
    assert "a forecast cannot be given yet" in page
    assert "Without a forecast no action can be valued" in page
    assert "not predicted" in (out / "index.html").read_text()


def test_a_red_light_shows_no_prediction(make_client, tmp_path):
    """Eighty customers can be fitted, but not be trusted: the page holds what they brought, and no guess."""
    outcome = cv.report_clients([make_client(small_orders(customers=80))], out=tmp_path / "reports")[0]
    results = json.loads((outcome.folder / "results.json").read_text())
    assert results["trust"] == "not reliable"
    assert results["residual_value"] is None
    assert results["new_customer_value"] is None
    page = (outcome.folder / "report.html").read_text()
    assert "What a forecast needs" in page
    assert 'id="can-this-be-trusted"' in page
    assert 'id="who-answered"' not in page  # there is no survey, and no section about one
    unfolded = re.sub(r"<details.*?</summary>.*?</details>|<style>.*?</style>|<svg.*?</svg>", " ", page, flags=re.S)
    assert len(re.sub(r"<[^>]+>", " ", unfolded).split()) <= 600
    assert "a forecast cannot be given yet" in page
    assert "Without a forecast no action can be valued" in page
    assert "80 customers in all" in page
    assert pd.read_parquet(outcome.folder / "tables/customers.parquet")["clv"].isna().all()


def test_resume_sees_a_source_outside_the_folder(make_client, tmp_path, guide):
    (tmp_path / "orders.csv").write_text(ONCE)
    folder = make_client("", transactions={"source": str(tmp_path / "orders.csv")})
    out = tmp_path / "reports"
    assert cv.report_clients([folder], out=out, resume=True)[0].status == "done"
    assert cv.report_clients([folder], out=out, resume=True)[0].status == "unchanged"
    (tmp_path / "orders.csv").write_text(ONCE.replace(",10", ",11"))
    assert cv.report_clients([folder], out=out, resume=True)[0].status == "done"


def test_resume_leaves_alone_what_would_come_out_the_same(run):
    root, out, outcomes = run
    page = outcomes["good"].folder / "report.html"
    before = page.stat().st_mtime_ns
    again = cv.report_clients([root / "good"], out=out, resume=True)
    assert again[0].status == "unchanged"
    assert page.stat().st_mtime_ns == before
    (root / "good/orders.csv").write_text(small_orders(customers=60, seed=4))
    changed = cv.report_clients([root / "good"], out=out, resume=True)
    assert changed[0].status == "done"
    assert page.stat().st_mtime_ns != before
    assert leftovers(out) == []


def test_a_failure_keeps_the_last_good_report(make_client, tmp_path, guide):
    folder = make_client(ONCE, economics={"margin": 0.4})
    out = tmp_path / "reports"
    first = cv.report_clients([folder], out=out)[0]
    page = (first.folder / "report.html").read_text()
    (folder / "orders.csv").write_text("")
    second = cv.report_clients([folder], out=out)[0]
    assert second.status == "failed"
    assert "the file is empty" in second.error
    assert (first.folder / "report.html").read_text() == page
    index = (out / "index.html").read_text()
    assert "the file is empty" in index
    assert "the last report that was made" in index


def test_the_same_client_twice_is_an_error(make_client, tmp_path):
    folder = make_client()
    with pytest.raises(cv.ReportError, match="name each client once"):
        cv.report_clients([folder, folder], out=tmp_path / "reports")


def test_hostile_data_are_rendered_harmless(tmp_path):
    folder = hostile_client(tmp_path / "= <b>'{{ 7*7 }}")
    outcome = cv.report_clients([folder], out=tmp_path / "reports", pdf=True)[0]
    assert outcome.status == "done", outcome.error
    pages = [outcome.folder / "report.html", tmp_path / "reports/index.html"]
    pages += cv.customer_cards(folder, [f"{HOSTILE[k]}c{k:04d}" for k in range(5)], out=tmp_path / "reports")
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "<script" not in text.lower()
        assert "&lt;script&gt;" in text or "cards" in str(page)
        assert page.resolve().is_relative_to((tmp_path / "reports").resolve())
    for sheet in pd.read_excel(outcome.folder / "clvnb.xlsx", sheet_name=None, dtype=str, engine="openpyxl").values():
        for column in sheet:
            assert not sheet[column].dropna().str.startswith(("=", "+", "@", "\t")).any(), column
    for table in outcome.folder.rglob("*.csv"):
        assert not re.search(r'(^|,)"?[=+@]', table.read_text(encoding="utf-8"), flags=re.M), table.name
    assert (outcome.folder / "report.pdf").read_bytes().startswith(b"%PDF")
    assert b"/JavaScript" not in (outcome.folder / "report.pdf").read_bytes()
    assert len(list(tmp_path.rglob("report.html"))) == 1


def test_steps_run_as_one_and_come_apart_again(run):
    """Each executed notebook holds its own cells, numbered from one, and no path of this machine."""
    _, out, outcomes = run
    for path in _notebooks():
        own = json.loads((outcomes["good"].folder / "notebooks" / path.name).read_text(encoding="utf-8"))
        made = json.loads(path.read_text(encoding="utf-8"))
        kept = [c for c in made["cells"] if "interactive" not in c["metadata"].get("tags", [])]
        assert [c["source"] for c in own["cells"]] == [c["source"] for c in kept]
        counts = [c["execution_count"] for c in own["cells"] if c["cell_type"] == "code"]
        assert counts == list(range(1, len(counts) + 1))
        assert str(out) not in json.dumps(own)
    assert list(_apart(_joined(_notebooks()), _notebooks())) == [p.name for p in _notebooks()]


def test_notebook_parameters_are_those_the_runner_gives():
    papermill = pytest.importorskip("papermill")
    for notebook in _notebooks():
        asked = {"earlier"} if notebook.name.startswith("4") else set()
        assert set(papermill.inspect_notebook(str(notebook))) == {"client", "as_of", "output"} | asked


def test_tables_are_whole_and_neutral(tmp_path):
    table = pd.DataFrame({"customer_id": ["=1+1", "007"], "clv": [1.5, -2.0]})
    for suffix in (".csv", ".xlsx", ".parquet"):
        path = write_table(table, tmp_path / f"t{suffix}")
        assert path.is_file()
    assert (tmp_path / "t.csv").read_text().splitlines()[1:] == ["'=1+1,1.5", "007,-2.0"]
    assert pd.read_excel(tmp_path / "t.xlsx", dtype={"customer_id": str}, engine="openpyxl")[
        "customer_id"
    ].tolist() == [
        "'=1+1",
        "007",
    ]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), table, check_dtype=False)
    with pytest.raises(cv.ReportError, match="written as .csv, .parquet or .xlsx"):
        write_table(table, tmp_path / "t.json")
    with pytest.raises(cv.ReportError, match="could not be written"):
        write_table(table, Path("/proc/nowhere/t.csv"))
    assert leftovers(tmp_path) == []


def test_a_changed_opt_out_list_makes_a_new_report_necessary(make_client):
    folder = make_client(plan={"opt_outs": "stop.txt"})
    keys = []
    for text in ("c0001", "c0002"):
        (folder / "stop.txt").write_text(text)
        keys.append(_input_key(cv.Client.load(folder), ""))
    assert keys[0] != keys[1]


def test_index_of_a_client_that_never_worked():
    page = index_page(
        [{"client": "x", "name": "<i>x</i>", "status": "failed", "error": "no <b>file</b>", "page": ""}],
        "now",
    )
    assert "&lt;i&gt;x" in page
    assert "no &lt;b&gt;file" in page


def test_what_a_database_holds_is_never_taken_for_the_same(make_client):
    client = cv.Client.load(make_client(transactions={"source": {"connection": "duckdb://shop.db", "table": "orders"}}))
    assert _input_key(client, "") != _input_key(client, "")
