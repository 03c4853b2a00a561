"""Pages in a real browser: nothing is fetched, nothing is run, nothing is wider than a phone."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

import clvnb as cv
from helpers import CHROMIUM, HOSTILE, hostile_client

pytestmark = [
    pytest.mark.usefixtures("warm"),
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="Chromium is not installed: on Debian or Ubuntu, apt-get install chromium"
    ),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    """A report, a card and the index of a client whose every text is an attack, and of one that failed."""
    root = tmp_path_factory.mktemp("pages")
    bad = hostile_client(root / "acme")
    (root / "broken").mkdir()
    (root / "broken/client.yaml").write_text("name: Broken\ncurrency: EUR\ntransactions: {source: none.csv}\n")
    outcome = cv.report_clients([bad, root / "broken"], out=root / "reports")[0]
    assert outcome.status == "done", outcome.error
    card = cv.customer_cards(bad, [f"{HOSTILE[0]}c0000"], out=root / "reports")[0]
    return {
        "report": outcome.folder / "report.html",
        "explore": outcome.folder / "explore.html",
        "index": root / "reports/index.html",
        "card": card,
    }


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
@pytest.mark.parametrize("name", ["report", "explore", "index", "card"])
def test_pages_open_offline_and_fit(pages, browser, name, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    asked, said = [], []
    page.on("request", lambda r: asked.append(r.url))
    page.on("console", lambda m: said.append(m.text))
    page.on("pageerror", lambda e: said.append(str(e)))
    page.on("dialog", lambda d: (said.append(d.message), d.dismiss()))
    page.goto(pages[name].as_uri())
    if name == "explore":
        page.wait_for_selector("body[data-ready=yes]")
        assert page.locator("#customers tbody tr").count() == 25
    assert [u for u in asked if not u.startswith(("file:", "data:", "blob:"))] == []
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["report", "explore", "index", "card"])
def test_pages_are_accessible(pages, browser, name, scheme):
    """axe-core finds nothing serious or critical."""
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(color_scheme=scheme, bypass_csp=True)  # the page itself lets no script in, axe's neither
    page.goto(pages[name].as_uri())
    found = Axe().run(page).response["violations"]
    bad = [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in {"serious", "critical"}]
    assert bad == []
    page.close()


def test_the_index_is_sorted_by_keyboard(pages, browser):
    page = browser.new_page()
    page.goto(pages["index"].as_uri())
    first = (
        "[...document.querySelectorAll('tbody')].find(b => getComputedStyle(b).display !== 'none').rows[0].innerText"
    )
    assert page.evaluate(first).startswith("<script>")
    page.keyboard.press("Tab")  # the skip link
    page.keyboard.press("Tab")  # the orders
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert page.evaluate("document.querySelector('input:checked').parentElement.innerText").strip() == "trouble first"
    assert page.evaluate(first).startswith("Broken")
    page.close()
