"""The wheel in an empty environment, without the checkout: the same commands, guide and templates included."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest
import yaml

from helpers import ROOT
from test_design import CONDA_NAMES

pytestmark = pytest.mark.install


def run(*arguments: object, cwd: Path) -> str:
    outside = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run([str(a) for a in arguments], cwd=cwd, capture_output=True, text=True, env=outside)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """An empty environment with nothing but the wheel and what it needs."""
    folder = tmp_path_factory.mktemp("install")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder / "dist", ROOT, cwd=folder)
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    wheel = next((folder / "dist").glob("*.whl"))
    run(
        folder / "venv/bin/python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",
        "-c",
        ROOT / "constraints.txt",
        wheel,
        cwd=folder,
    )
    return folder


def test_wheel_carries_guide_and_templates(place):
    names = zipfile.ZipFile(next((place / "dist").glob("*.whl"))).namelist()
    for needed in ("clvnb/_guide/notebooks/1_value.ipynb", "clvnb/_guide/data/cdnow/client.yaml",
                   "clvnb/report/templates/report.html.j2", "clvnb/improve/levers.yaml",
                   "clvnb/improve/playbook.csv", "clvnb/value/rfm.csv", "clvnb/py.typed", "clvnb/__init__.pyi", "clvnb/plots/__init__.pyi"):  # fmt: skip
        assert needed in names
    assert not [n for n in names if n.startswith(("tests/", "benchmarks/"))]


def test_init_and_report_without_the_checkout(place):
    work = place / "work"
    work.mkdir()
    lines = (ROOT / "data/cdnow/orders.csv").read_text().splitlines()[:8_001]
    (work / "orders.csv").write_text("\n".join(lines) + "\n")
    clvnb = place / "venv/bin/clvnb"
    said = run(clvnb, "init", "shop", "--transactions", "orders.csv", "--currency", "USD", "--margin", "0.3", cwd=work)
    assert "8,000 order lines read" in said
    run(clvnb, "report", "shop", cwd=work)
    results = json.loads(next((work / "reports").rglob("results.json")).read_text())
    assert results["customers"] == len({line.split(",")[0] for line in lines[1:]})
    page = next((work / "reports").rglob("report.html")).read_text()
    assert str(place) not in page


def test_lab_and_panels_name_their_extra_where_it_is_missing(place):
    python = place / "venv/bin/python"
    lab = subprocess.run([place / "venv/bin/clvnb", "lab"], cwd=place, capture_output=True, text=True)
    assert lab.returncode != 0
    assert 'pip install "clvnb[lab]"' in lab.stderr + lab.stdout
    assert not (place / "notebooks").exists()
    panel = subprocess.run([python, "-c", "import clvnb; clvnb.widgets.explore_clv()"], capture_output=True, text=True)
    assert panel.stderr.splitlines()[-1].startswith("clvnb.core.errors.UsageError: panels need ipywidgets")
    assert "All that is needed works." in run(place / "venv/bin/clvnb", "doctor", cwd=place)


def test_core_is_small(place):
    """What stays out of every report's environment, and a bound on its size, some 150 MB of bytecode aside."""
    home = next((place / "venv/lib").glob("python*/site-packages"))
    there = {p.name for p in home.iterdir()}
    assert not there & {"jupyterlab", "notebook", "ipywidgets", "pyspark", "sklearn", "mkdocs", "pytest", "weasyprint"}
    assert sum(p.stat().st_size for p in home.rglob("*") if p.is_file()) < 800e6


def test_lab_serves_the_guide(place):
    work = place / "lab"
    work.mkdir()
    wheel = next((place / "dist").glob("*.whl"))
    run(place / "venv/bin/python", "-m", "pip", "install", "--quiet", "--no-compile", "-c", ROOT / "constraints.txt", f"{wheel}[lab]", cwd=place)  # fmt: skip
    log = (work / "log").open("w")
    config = {
        "JUPYTER_CONFIG_DIR": str(work / ".c"),
        "JUPYTER_DATA_DIR": str(work / ".d"),
        "JUPYTER_RUNTIME_DIR": str(work / ".r"),
    }
    outside = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}} | config
    server = subprocess.Popen([place / "venv/bin/clvnb", "lab", "--no-browser", "--port", "8931"], cwd=work, stdout=log, stderr=log, env=outside)  # fmt: skip
    try:
        address = _address(work / "log")
        host, token = re.match(r"(http://127\.0\.0\.1:\d+)/lab.*token=(\w+)", address).groups()
        page = _answer(f"{host}/api/contents/notebooks/1_value.ipynb?content=0&token={token}")
        assert json.loads(page)["type"] == "notebook"
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(f"{host}/api/contents/notebooks", timeout=20)
    finally:
        server.terminate()
        server.wait(30)
        log.close()
    assert (work / "data/shop/client.yaml").is_file()


def _answer(url: str) -> bytes:
    """What a server says that may have written its address a moment before it listens."""
    for _ in range(120):
        try:
            with urllib.request.urlopen(url, timeout=20) as page:
                return page.read()
        except urllib.error.HTTPError:
            raise
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"{url} does not answer")


def _address(log: Path) -> str:
    for _ in range(240):
        found = re.search(r"http://127\.0\.0\.1:\d+/lab\S*token=\w+", log.read_text())
        if found:
            return found[0]
        time.sleep(0.5)
    raise AssertionError(log.read_text())


def test_environment_file_installs_as_far_as_pip_can_see(place):
    """pip resolves every line of environment.yml, by its PyPI name."""
    lines = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    back = {v: k for k, v in CONDA_NAMES.items()}
    wanted = [re.match(r"([\w.-]+)\s*(.*)", x).groups() for x in lines if isinstance(x, str)]
    named = [f"{back.get(name, name)}{bound}" for name, bound in wanted if name not in {"python", "pip"}]
    named = [n.replace("ibis-framework", "ibis-framework[duckdb]") for n in named]
    run(
        place / "venv/bin/python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--dry-run",
        "-c",
        ROOT / "constraints.txt",
        *named,
        cwd=place,
    )


FIGURES = """
from clvnb.core.words import Words
for locale in ("en_US", "en_GB", "de_DE", "de_CH", "es_ES", "ro_RO", "fr_FR", "it_IT", "nl_NL", "pl_PL", "hu_HU", "sv_SE", "da_DK", "pt_BR", "ja_JP", "hi_IN"):
    for currency in ("EUR", "USD", "GBP", "CHF", "HUF", "IDR", "COP", "RSD", "JPY", "KWD", "INR", "BRL"):
        words = Words(currency=currency, locale=locale)
        print(locale, currency, *map(words.money, (0, 12.345, -99.5, 1234.5, 9.996e6, 12_345_678)), words.share(0.1234, digits=1), words.count(1234567))
"""


def test_figures_are_those_of_the_oldest_and_the_newest_babel(tmp_path):
    oldest = re.search(r'"babel>=([\d.]+),', (ROOT / "pyproject.toml").read_text()).group(1)
    place = tmp_path / "oldest"
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", place, f"babel=={oldest}.0", cwd=tmp_path)  # fmt: skip
    old = f"import sys; sys.path.insert(0, {str(place)!r}); import babel; assert babel.__version__ == '{oldest}.0'\n"
    assert run(sys.executable, "-c", old + FIGURES, cwd=tmp_path) == run(sys.executable, "-c", FIGURES, cwd=tmp_path)
