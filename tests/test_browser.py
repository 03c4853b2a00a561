"""Pages in a real browser: nothing is fetched, nothing is run, nothing is wider than a phone."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import pytest

import clvnb as cv
from helpers import small_orders

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--no-first-run"]  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="Chromium is not installed: on Debian or Ubuntu, apt-get install chromium"
    ),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pages")
    (root / "acme").mkdir()
    (root / "acme/orders.csv").write_text(small_orders(customers=300))
    (root / "acme/client.yaml").write_text(
        "name: 'Acme <script>document.title=\"run\"</script>'\ncurrency: USD\ntransactions: {source: orders.csv}\n"
    )
    outcome = cv.report_clients([root / "acme"], out=root / "reports")[0]
    assert outcome.status == "done", outcome.error
    return {"report": outcome.folder / "report.html", "index": root / "reports/index.html"}


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@functools.cache
def contrast(one: str, two: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(v) / 255 for v in colour[colour.index("(") + 1 : colour.index(")")].split(",")[:3]]
        linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 375])
@pytest.mark.parametrize("name", ["report", "index"])
def test_pages_open_offline_and_fit(pages, browser, name, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    asked, said = [], []
    page.on("request", lambda r: asked.append(r.url))
    page.on("console", lambda m: said.append(m.text))
    page.on("pageerror", lambda e: said.append(str(e)))
    page.goto(pages[name].as_uri())
    assert [u for u in asked if not u.startswith(("file:", "data:"))] == []
    assert len([u for u in asked if u.startswith("file:")]) == 1
    assert said == []
    assert page.title() != "run"
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    colours = page.evaluate(
        "(() => { const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]; })()"
    )
    assert contrast(*colours) > 7
    for link in page.query_selector_all("a:not(.skip), .meta, .tag"):
        assert contrast(link.evaluate("e => getComputedStyle(e).color"), colours[1]) >= 4.5
    page.close()


def test_report_prints(pages, browser, tmp_path):
    page = browser.new_page()
    page.goto(pages["report"].as_uri())
    page.pdf(path=str(tmp_path / "report.pdf"), prefer_css_page_size=True)
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "report.pdf").stat().st_size > 20_000
    page.close()
