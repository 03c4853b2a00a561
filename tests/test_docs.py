"""The documentation: builds offline without a warning, has every public name, and loads nothing from elsewhere; the prose is spelled."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import ROOT
from test_api import public

LOADED = re.compile(r"<(?:script|img|iframe|link|source)\b[^>]*?(?:src|href)=[\"']?((?:https?:)?//[^\"'\s>]+)[^>]*>")


# Stems, words of other languages, and a mistake that an example makes on purpose.
NO_MISTAKES = [
    "fo", "te", "recomend", "yaers", "produkt", "somme", "paket", "packag", "wrapp", "cliente", "beginn", "ende", "cant",
    "pris", "comision", "offen", "complet", "termine", "succes", "walkin", "ist", "vor",
]  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(place)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"},
    )  # fmt: skip
    said = (done.stdout + done.stderr).strip()
    assert done.returncode == 0, said
    assert "WARNING" not in said
    return place


def test_every_public_name_has_its_place(site):
    index = (site / "reference/index.html").read_text(encoding="utf-8")
    for name in public():
        target = re.search(rf'href="([\w.]+)#(clvnb\.[\w.]+\.{name.split(".")[-1]})"><code>{name}<', index)
        assert target, name
        assert f'id="{target[2]}"' in (site / "reference" / target[1]).read_text(encoding="utf-8"), name


def test_what_is_returned_has_its_place(site):
    """Results that nobody makes by hand, and the parts of a client.yaml."""
    page = (site / "reference/results.html").read_text(encoding="utf-8")
    for name in (
        "value.step.ValueStep",
        "value.evaluate.Choice",
        "report.runner.Outcome",
        "widgets.panel.Panel",
        "data.client.Source",
        "data.client.Brand",
    ):
        assert f'id="clvnb.{name}"' in page, name


def test_nothing_is_loaded_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        links = LOADED.findall(page.read_text(encoding="utf-8"))
        assert not [t for t in links if "canonical" not in t], page.name


def test_notebooks_are_pages_with_their_pictures(site):
    for path in sorted((ROOT / "notebooks").rglob("[!.]*.ipynb")):
        if path.name == "app.ipynb":
            continue
        page = (site / path.relative_to(ROOT)).with_suffix(".html").read_text(encoding="utf-8")
        stored = json.loads(path.read_text(encoding="utf-8"))["cells"]
        outputs = [o for c in stored for o in c.get("outputs", []) if "image/png" in o.get("data", {})]
        for out in outputs:
            assert f'<img alt="{html.escape(out["metadata"]["image/png"]["alt"])[:60]}' in page, path.name
        assert "No description has been provided" not in page, path.name


def test_links_inside_the_site_lead_somewhere(site):
    for page in site.rglob("*.html"):
        for target in re.findall(r'<a [^>]*?href="([^"#?]+)', page.read_text(encoding="utf-8")):
            if not re.match(r"[a-z]+:|//", target) and page.name != "404.html":
                assert (page.parent / target).exists(), (page.name, target)


def test_links_of_pages_beside_the_site_lead_somewhere():
    for page in (*ROOT.glob("*.md"), ROOT / "data/README.md", ROOT / "benchmarks/README.md"):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            assert "://" in target or (page.parent / target).exists(), (page.name, target)


def test_prose_is_spelled():
    places = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "clvnb").rglob("*.py")]
    done = subprocess.run(
        [sys.executable, "-m", "codespell_lib", *map(str, places), *map(str, (ROOT / "notebooks").rglob("*.ipynb")),
         "--ignore-regex", r'"image/png": ".*"', "--ignore-words-list", ",".join(NO_MISTAKES)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
