"""What leaves the house: the page that answers first, its languages, the workbook, the PDF, the cards, the same bytes twice."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import clvnb as cv
from clvnb.core.words import Words
from clvnb.report.colours import contrast, palette
from clvnb.report.language import labels_of, languages, span
from clvnb.report.page import index_page
from clvnb.report.summary import FirstPage
from helpers import CHROMIUM, ROOT, small_orders

SURVEY = "customer_id,date,wave,metric,score,scale_min,scale_max,comment\n" + "".join(
    f"c{k:04d},2024-06-{k % 28 + 1:02d},2024-06,csat,{1 + (k * 7) % 5},1,5,{'mail me: ana@example.com' if k == 7 else ''}\n"
    for k in range(200)
)
PNG = (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
       b"\x00\x00\x00\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\x00\x05\x00\x01\xff\x89\x99=\x1d\x00\x00\x00\x00IEND\xaeB`\x82")  # fmt: skip


def write_client(folder: Path, **more) -> Path:
    folder.mkdir(parents=True)
    (folder / "orders.csv").write_text(small_orders(customers=320))
    (folder / "answers.csv").write_text(SURVEY)
    settings = {
        "name": "Acme", "currency": "EUR", "transactions": {"source": "orders.csv"}, "surveys": {"source": "answers.csv"},
        "economics": {"margin": 0.4},
    }  # fmt: skip
    (folder / "client.yaml").write_text(yaml.safe_dump(settings | more, allow_unicode=True), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory, warm):
    """The same client twice, once forked and once spawned, and once in Spanish with a logo, as PDF."""
    root = tmp_path_factory.mktemp("pages")
    plain, spanish = write_client(root / "acme"), write_client(
        root / "es", name="Café Ñandú", locale="es_ES", brand={"logo": "logo.png", "colour": "#8a3b12"}
    )  # fmt: skip
    (spanish / "logo.png").write_bytes(PNG)
    first = cv.report_clients([plain, spanish], out=root / "first", pdf=True)
    again = cv.report_clients([plain], out=root / "again", fork=False)
    assert [o.error for o in (*first, *again)] == ["", "", ""]
    return root, first[0].folder, first[1].folder, again[0].folder


class Text(HTMLParser):
    """The page as a reader has it, block by block, and the headings and anchors in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.ids, self.links, self.levels = "", [], [], []
        self.skip = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.skip = tag == "style"
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if tag == "a" else []
        self.levels += [int(tag[1])] if re.fullmatch("h[1-6]", tag) else []

    def handle_endtag(self, tag):
        self.skip = False
        self.text += " "

    def handle_data(self, data):
        self.text += "" if self.skip else data


def read(folder: Path) -> tuple[Text, dict, str]:
    page = (folder / "report.html").read_text(encoding="utf-8")
    return Text(page), json.loads((folder / "results.json").read_text(encoding="utf-8")), page


# -------------------------------------------------------------------------------------------- the page


def test_the_answer_comes_first_with_its_ranges(made):
    _, folder, _, _ = made
    page, results, _ = read(folder)
    first = page.text[: page.text.index("Contents")].replace("\u2060", "")
    words = Words("EUR")
    say = FirstPage(results, folder / "tables", words, labels_of("en")[1])
    total, new, score = results["residual_value"], results["new_customer_value"], results["satisfaction"]
    for value in (total["value"], total["low"], total["high"]):
        assert say.money(value, 3) in first
        assert float(say.money(value, 3)[1:].replace(",", "")) == pytest.approx(value, rel=0.005)
    for k in ("value", "low", "high"):
        assert words.money(new[k]) in first
    assert f"{words.share(score['value'])} CSAT" in first
    assert f"{words.share(score['low'])} to {words.share(score['high'])}" in first
    assert f"Top fifth: {words.share(results['held_by']['0.2'])}" in first
    assert f"expected error about {words.share(results['expected_error'])}" in first
    assert pd.read_parquet(folder / "tables/forecast_tests.parquet")["inside"].dtype == bool
    actions = results["actions"]
    assert 0 < len(actions) <= 3
    for action in actions:
        assert action["lever"].capitalize() in first
        for k in ("net", "net_low", "net_high"):
            assert say.money(action[k], 2).replace("\u2060", "") in first
        assert action["assumed"] in first
    assert "This is the first report" in first
    assert "Trust: use with care" in first
    plan = pd.read_parquet(folder / "tables/scenarios.parquet")
    assert [a["lever"] for a in actions] == list(plan[plan["net"] > 0]["scenario"].head(3))


def test_anchors_headings_and_date(made):
    _, folder, _, _ = made
    page, results, source = read(folder)
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    files = [link for link in page.links if not link.startswith("#")]
    assert files[:2] == ["explore.html", "clvnb.xlsx"]
    assert all((folder / link).is_file() for link in files)
    assert page.levels[0] == 1
    assert all(b - a <= 1 for a, b in zip(page.levels, page.levels[1:], strict=False))
    assert Words("EUR").day(results["as_of"]) in page.text
    for part in ("Method and data", "Words used", "baseline", "made", results["report"]["key"][:16]):
        assert part in page.text
    for chapter in ("#step-1-value", "#step-2-satisfaction", "#step-3-improve", "#step-4-re-measure", "#method"):
        assert page.links.count(chapter) == 1, chapter
    for rule, (rows, _) in results["rows"].items():
        assert rule in page.text
        assert f"{rows:,}" in page.text
    assert len(source.encode()) == results["report"]["bytes"] < 600_000


def test_sections_are_folded_but_for_those_that_the_notebook_opens(made):
    _, folder, _, _ = made
    source = read(folder)[2]
    assert source.count("<details") == source.count("</details>") > 25
    opened = re.findall(r'<section><h3 id="([^"]+)"', source)
    assert {
        "what-comes-next",
        "satisfaction-in-one-minute",
        "the-plan-in-one-minute",
        "did-it-work-in-one-minute",
    } <= set(opened)
    folded = re.findall(r'<details class="part"><summary><h3 id="([^"]+)"', source)
    assert {"can-this-be-trusted", "how-the-values-were-made", "the-assumptions"} <= set(folded)
    assert "the-plan-in-one-minute" not in folded


def test_money_on_the_first_page(made):
    _, folder, _, _ = made
    say = FirstPage(read(folder)[1], folder / "tables", Words("EUR"), labels_of("en")[1])
    plain = [say.money(v, 2).replace("\u2060", "") for v in (1234.5, -1234.5, 96.4, 9.64, 0.0)]
    assert plain == ["€1,200", "−€1,200", "€96", "€9.60", "€0.00"]
    assert (say.moved(125.0, 100.0), say.moved(80.0, 100.0), say.moved(100.2, 100.0), say.moved(1.0, 0.0)) == (
        "▲ 25%",
        "▼ 20%",
        "= 0%",
        "",
    )


def test_a_channel_without_a_cost_hides_no_cost_but_where_it_is_large(made, tmp_path):
    _, folder, _, _ = made
    results = read(folder)[1]
    table = pd.DataFrame({"channel": ["ads", "mail"], "customers": [600, 400], "cac": [10.0, 20.0], "ltv_cac": [3.0, 2.0],
                          "paid_back_months": [1, 2], "new_customer": [30.0, 40.0], "new_low": 25.0, "new_high": 45.0,
                          "compare_low": 28.0, "compare_high": 42.0})  # fmt: skip
    for unknown, shown in ((100, True), (3000, False)):
        more = table.head(1).assign(
            channel="unknown", customers=unknown, cac=np.nan, ltv_cac=np.nan, paid_back_months=np.nan
        )
        pd.concat([table, more], ignore_index=True).to_parquet(tmp_path / "channels.parquet")
        page = FirstPage(results, tmp_path, Words("EUR"), labels_of("en")[1])
        rows = {row["channel"]: row["cost"] for row in page.channels["rows"]}
        assert rows["unknown"] == "–"
        assert rows["All"] == ("€14.00" if shown else "–")


def test_new_customers_who_stop_coming_are_said(made):
    _, folder, _, _ = made
    results = read(folder)[1]
    for came, said in (
        ({"now": 9, "before": 40}, True),
        ({"now": 25, "before": 40}, False),
        ({"now": 1, "before": 8}, False),
        ({}, False),
    ):
        say = FirstPage(results | {"came": came}, folder / "tables", Words("EUR"), labels_of("en")[1])
        lines = [line for tile in say.tiles for line in tile.lines]
        assert ("only 9 came in 90 days; a year ago 40" in lines) is said


@given(colour=st.from_regex(r"#[0-9a-f]{6}", fullmatch=True))
def test_any_brand_can_be_read(colour):
    for mode in ("light", "dark"):
        found = palette(colour)[mode]
        for name in ("brand", "ink", "soft", "faint", "care", "red", "good"):
            assert contrast(found[name], found["card"]) >= 4.5, (mode, name)
            assert contrast(found[name], found["paper"]) >= 4.5, (mode, name)
        assert contrast(found["care"], found["care_wash"]) >= 4.5
        assert contrast(found["on_4"], found["shade_4"]) >= 4.5
        for k in range(4):
            assert contrast(found["ink"], found[f"shade_{k}"]) >= 4.5, (mode, k)


def test_every_figure_names_its_numbers_and_says_what_it_shows(made):
    _, folder, _, _ = made
    source = read(folder)[2]
    figures = re.findall(r"<figure>(.*?)</figure>", source, flags=re.S)
    assert len(figures) >= 12
    for figure in figures:
        assert re.search(r'alt="[^"]*\d', figure)
        assert "<figcaption>" in figure


# --------------------------------------------------------------------------------------- as a reader sees it

seen = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed: on Debian or Ubuntu, apt-get install chromium"
)


@seen
@pytest.mark.browser
def test_the_first_screen_answers(made, browser):
    """Everything up to the trust level, and four charts, without scrolling; the whole page in 2,500 words."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto((made[1] / "report.html").as_uri())
    assert page.evaluate("document.querySelector('.trust').getBoundingClientRect().bottom") <= 900
    shown = "e => { const r = e.getBoundingClientRect(); return r.width > 200 && r.bottom <= 900; }"
    assert (
        page.evaluate(
            f"[...document.querySelectorAll('.card > svg, .card .wide svg, .heat, .list')].filter({shown}).length"
        )
        >= 4
    )
    assert len(page.inner_text("body").split()) <= 2_500
    assert page.evaluate("document.querySelectorAll('.narrow svg')[0].checkVisibility()") is False
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.querySelectorAll('.narrow svg')[0].checkVisibility()")
    assert page.evaluate("document.documentElement.scrollWidth <= 390")
    page.close()


@seen
@pytest.mark.browser
def test_the_summary_is_one_printed_page_and_the_report_few(made, browser, tmp_path):
    from pypdf import PdfReader

    page = browser.new_page()
    page.goto((made[1] / "report.html").as_uri())
    page.pdf(path=str(tmp_path / "report.pdf"), prefer_css_page_size=True)
    page.close()
    texts = [p.extract_text() for p in PdfReader(tmp_path / "report.pdf").pages]
    assert len(texts) <= 13
    assert "How far to trust this" in texts[0]
    assert "Step 1: value" in texts[1]


@seen
@pytest.mark.browser
def test_customers_can_be_sorted_filtered_searched_and_taken_along(made, browser, tmp_path):
    """The second page shows what the table holds, and fetches nothing."""
    from playwright.sync_api import expect

    folder = made[1]
    table = pd.read_parquet(folder / "tables/customers.parquet")
    page, asked = browser.new_page(), []
    page.on("request", lambda r: asked.append(r.url))
    page.goto((folder / "explore.html").as_uri())
    page.wait_for_selector("body[data-ready=yes]")
    assert [u for u in asked if not u.startswith(("file:", "data:", "blob:"))] == []
    best = table.sort_values(["clv", "customer_id"], ascending=[False, True])["customer_id"].iloc[0]
    assert page.inner_text("#customers tbody tr:first-child td:first-child") == best
    segment = table["segment"].value_counts().index[0]
    page.select_option("#by-segment", label=segment)
    size = int((table["segment"] == segment).sum())
    assert f"of {size}" in page.inner_text("#part-customers .dt-info")
    with page.expect_download() as taken:
        page.click("#download")
    taken.value.save_as(tmp_path / "rows.csv")
    rows = pd.read_csv(tmp_path / "rows.csv", dtype={"Customer": str})
    assert set(rows["Customer"]) == set(table[table["segment"] == segment]["customer_id"])
    same = rows.set_index("Customer")["Value so far"] - table.set_index("customer_id")["historic_value"]
    assert same.dropna().abs().max() <= 0.5
    page.select_option("#by-segment", value="")
    page.fill("#part-customers input[type=search]", "c0007")
    expect(page.locator("#customers tbody tr")).to_have_count(1)
    assert page.inner_text("#customers tbody tr td:first-child") == "c0007"
    page.click("#customers tbody tr:first-child button")
    own = table.set_index("customer_id").loc["c0007"]
    assert own["segment"] in page.inner_text("#detail")
    page.keyboard.press("Escape")
    page.click("nav button:has-text('Cohorts')")
    cohort = page.inner_text("#cohorts tbody tr:nth-child(2) td:first-child")
    page.click("#cohorts tbody tr:nth-child(2) button")
    page.fill("#part-customers input[type=search]", "")
    count = int((pd.to_datetime(table["first_date"]).dt.strftime("%Y-%m") == cohort).sum())
    expect(page.locator("#part-customers .dt-info")).to_contain_text(f"of {count}")
    page.close()


def test_names_and_amounts_are_packed_and_found_again():
    """By an unpacking of its own: any names, any amounts, missing ones, and some below 0."""
    from clvnb.report.explore import _MISSING, _column, _ids

    names = sorted(["", "a", "ab", "abc", "äb", "äbc", "b" * 400, "b" * 401, "😀", "😀1", "0001", "0002"])
    raw = _ids(names)
    shared, rest = raw[: len(names)], raw[len(names) :].decode().split("\n")
    found = [""]
    for n, text in zip(shared, rest, strict=True):
        found.append(found[-1][:n] + text)
    assert found[1:] == names
    amounts = pd.Series([-1234.56, -0.37, 0.0, 0.01, 9.994, 10.4, 99999.0, np.nan])
    head, body = _column(amounts, "money")
    size = len(body) // len(amounts)
    planes = np.frombuffer(body, np.uint8).reshape(size, len(amounts))
    codes = sum(planes[k].astype(np.int64) << (8 * k) for k in range(size))
    codes = np.where(codes >= 2**31, codes - 2**32, codes)
    assert codes[-1] == _MISSING
    assert [head["amounts"][c] / 100 for c in codes[:-1]] == [-1235, -0.37, 0, 0.01, 9.99, 10, 99999]
    head, _ = _column(pd.Series([123.4, 8.76, 0.0, -55.5]), "forecast")
    assert sorted(v / 100 for v in head["amounts"]) == [-56, 0, 8.8, 120]


# --------------------------------------------------------------------------------------------- language


def leaves(value, path=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}")
    else:
        yield path, str(value)


@pytest.mark.parametrize("code", ["de", "es", "ro"])
def test_catalogues_hold_the_same_labels_with_the_same_gaps(code):
    english, other = dict(leaves(languages()["en"])), dict(leaves(languages()[code]))
    terms = lambda found: {k: v for k, v in found.items() if not k.startswith(".terms.")}  # noqa: E731
    assert terms(english).keys() == terms(other).keys()
    assert len(languages()["en"]["terms"]) == len(languages()[code]["terms"])
    for key, text in terms(english).items():
        assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", other[key])), key
    same = [k for k in terms(english) if english[k] == other[k] and len(english[k]) > 7]
    assert same == [], "left in English"


@pytest.mark.parametrize("code", ["en", "de", "es", "ro"])
def test_no_label_stands_twice(code):
    """YAML takes the last of two; and what a dictionary can do by itself is no label's to say."""
    lines = (ROOT / "clvnb/report/languages" / f"{code}.yaml").read_text(encoding="utf-8").splitlines()
    seen, block = set(), ""
    for line in lines:
        key = re.match(r"( *)([\w ]+):", line)
        if key:
            block = block if key[1] else key[2]
            assert (block, key[0]) not in seen, line
            seen.add((block, key[0]))


def test_no_page_shows_a_part_of_the_program(made):
    for page in made[1].glob("*.html"):
        assert "built-in method" not in page.read_text(encoding="utf-8")


def test_every_lever_has_a_name_in_every_language():
    names = {e["name"] for e in yaml.safe_load((Path(cv.__file__).parent / "improve/levers.yaml").read_text())}
    for labels in languages().values():
        assert names == set(labels["levers"])


def test_every_reason_why_value_moved_has_a_name_in_every_language():
    from clvnb.remeasure.bridge import REASONS

    for labels in languages().values():
        assert set(labels["drift_rows"]) == {"then", "now", *REASONS}


def test_a_report_in_spanish(made):
    _, _, folder, _ = made
    page, results, source = read(folder)
    words = Words("EUR", "es_ES")
    assert '<html lang="es">' in source
    assert "Café Ñandú: cuánto valen los clientes" in page.text
    assert "Los clientes de hoy dejarán unos" in page.text
    say = FirstPage(results, folder / "tables", words, labels_of("es")[1])
    assert say.money(results["residual_value"]["value"], 3) in page.text
    assert "3 años" in page.text
    assert words.day(results["as_of"]) in page.text
    assert '<img class="logo" src="data:image/png;base64,' in source
    assert source.count("#8a3b12") >= 1
    assert '<div lang="en">' in source  # the chapters are English, and say so to a screen reader


def test_an_unknown_language_is_english_in_the_clients_numbers():
    assert labels_of("fi_FI")[0] == "en"
    assert span("3 years", Words("EUR", "fi_FI")) == "3 years"
    assert span("18 months", Words("EUR", "ro")) == "18 luni"


@pytest.mark.parametrize(
    ("logo", "content"),
    [
        ("logo.svg", b"<svg><script>alert(1)</script></svg>"),
        ("logo.png", b"<html>"),
        ("../x.png", PNG),
        ("no.png", None),
    ],
)
def test_a_logo_that_is_none(tmp_path, logo, content):
    from clvnb.report.page import _logo

    folder = write_client(tmp_path / "a", brand={"logo": logo})
    if content is not None:
        (folder / logo).write_bytes(content)
    with pytest.raises(cv.ClientError, match=r"brand\.logo"):
        _logo(cv.Client.load(folder))


# ------------------------------------------------------------------------------ workbook, PDF, bytes


def test_the_workbook_is_what_an_analyst_would_make(made):
    _, folder, _, _ = made
    book = openpyxl.load_workbook(folder / "clvnb.xlsx")
    assert book.sheetnames[:5] == ["summary", "customers", "segments", "actions", "method"]
    for sheet in book:
        assert sheet.freeze_panes == "A2"
        assert not any(c.data_type == "f" for row in sheet.iter_rows() for c in row)
    customers = book["customers"]
    head = [c.value for c in customers[1]]
    row = dict(zip(head, customers[2], strict=True))
    assert row["Customer"].data_type == "s"
    assert row["Expected value"].data_type == "n"
    assert row["Expected value"].number_format == '#,##0.00\\ "EUR"'
    assert row["Chance to be active"].number_format == "0%"
    assert row["First purchase"].is_date
    worth = [r[head.index("Value in all")].value for r in customers.iter_rows(min_row=2)]
    assert worth == sorted(worth, reverse=True)
    assert all(sheet.max_row > 1 for sheet in book), "an empty sheet says nothing"
    legend = {r[0].value: r[2].value for r in book["legend"].iter_rows(min_row=2)}
    assert "customers" in legend["Expected value"].split(", ")
    known = {c.value for sheet in book for c in sheet[1]}
    assert set(legend) <= known
    method = {r[0].value: r[1].value for r in book["method"].iter_rows(min_row=2)}
    assert method["client"] == "Acme"
    assert method["rows: kept"].endswith("EUR")


def test_the_pdf_is_tagged_and_says_the_same(made):
    from pypdf import PdfReader

    for folder in made[1:3]:
        book = PdfReader(folder / "report.pdf")
        assert book.trailer["/Root"]["/MarkInfo"]["/Marked"]
        assert book.trailer["/Root"]["/Lang"] in {"en", "es"}
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        words = Words("EUR", "es_ES" if folder.parent.name == "es" else "en")
        text = book.pages[0].extract_text().replace("\xa0", " ")
        say = FirstPage(results, folder / "tables", words, labels_of(words.locale)[1])
        assert say.money(results["residual_value"]["value"], 3).replace("\xa0", " ") in text
        assert say.labels["page"]["trust"] in text, "the first page holds all of the summary"


def test_two_runs_give_the_same_bytes(made):
    """Forked or spawned: dates and seconds aside, every file is the same to the byte."""
    _, first, _, again = made
    names = sorted(p.relative_to(first) for p in first.rglob("*") if p.is_file() and p.suffix != ".pdf")
    assert names == sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file())
    for name in names:
        one, two = (first / name).read_bytes(), (again / name).read_bytes()
        if name.name in {"report.html", "results.json"}:
            timed = rb'\d{4}-\d\d-\d\d \d\d:\d\d UTC|"seconds": \{[^}]*\}|"bytes": \d+|\s*"report\.pdf": \d+,'
            one, two = re.sub(timed, b"", one), re.sub(timed, b"", two)
        assert one == two, name


# -------------------------------------------------------------------------------------------- the index


def row(
    name: str, value: float | None, currency: str = "EUR", level: str = "reliable", then: float | None = None
) -> dict:
    total = {"value": value, "low": value * 0.9, "high": value * 1.1} if value else None
    results = {"currency": currency, "customers": 10, "historic_value": 100.0, "residual_value": total,
               "new_customer_value": total, "trust": level, "as_of": "2024-01-31", "measured_against": "2023-01-31"}  # fmt: skip
    return {"client": name, "name": name, "status": "done", "error": "", "page": f"{name}/report.html",
            "results": results, "value_then": then}  # fmt: skip


def test_the_index_can_be_sorted_without_a_script():
    bad = {"client": "x", "name": "x", "status": "failed", "error": "no <file>", "page": "", "results": None}
    page = index_page(
        [row("b", 5.0), row("a", 9.0, then=12.0), row("c", 99.0, "USD", "not reliable"), row("d", None), bad], "now"
    )
    assert "<script" not in page
    bodies = re.findall(r'<tbody class="order-\d">(.*?)</tbody>', page, flags=re.S)
    orders = [re.findall(r'<th scope="row">(?:<a[^>]*>)?(\w)', body) for body in bodies]
    names = re.findall(r"<label><input[^>]*> ([\w ]+)</label>", page)
    found = dict(zip(names, ["".join(o) for o in orders], strict=True))
    assert found["name"] == "abcdx"
    assert found["expected value"] == "abcdx"  # euros among themselves, then dollars, then those without
    assert found["trouble first"] == "xcabd"
    assert found["change"][0] == "a"
    assert "-€3.00" in page
    assert "no &lt;file&gt;" in page


def test_the_index_says_what_is_due_and_what_clients_hold_together():
    rows = [row("b", 5.0), row("a", 9.0), row("c", 99.0, "USD"), row("d", None)]
    rows[1]["months"], rows[1]["results"]["year"] = [1.0, 2.0, 4.0], {"now": 6.0, "before": 4.0, "kept": 1.0}
    rows[1]["results"] |= {"as_of": "2023-03-01", "measured_against": "2023-01-31"}
    page = index_page(rows, "now")
    assert "1 August 2023" in page  # 182 days after the baseline
    assert "▲ 50%" in page
    assert page.count('class="spark"') == len(re.findall(r"<tbody class", page))  # in each order of the rows
    together = re.search(r'<table class="together">(.*?)</table>', page, flags=re.S)[1]
    assert re.findall(r"<t[hd][^>]*>([^<]+)<", together.split("</thead>")[1]) == [
        "EUR",
        "3",
        "30",
        "€300",
        "€14.00",
        "1",
    ]


# ---------------------------------------------------------------------------------------------- cards


def test_cards_of_named_best_and_doubtful_customers(made):
    root, folder, _, _ = made
    customers = pd.read_parquet(folder / "tables/customers.parquet")
    best = customers.sort_values(["total_value", "customer_id"], ascending=[False, True])["customer_id"].iloc[0]
    asked = ["c0007"] if best != "c0007" else ["c0008"]
    pages = cv.customer_cards(root / "acme", asked, out=root / "first", top=1, at_risk=1)
    assert [p.stem for p in pages[:2]] == [*asked, best]
    assert len({p.stem for p in pages}) == len(pages) == 3
    for page in pages:
        text = Text(page.read_text(encoding="utf-8"))
        own = customers.set_index("customer_id").loc[page.stem]
        assert f"Customer {page.stem}" in text.text
        assert Words("EUR").money(own["clv"]) in text.text
        assert "chance to be active" in text.text
        assert "../report.html" in text.links
        assert "default-src 'none'" in page.read_text(encoding="utf-8")
        assert "ana@example.com" not in page.read_text(encoding="utf-8")
    doubtful = customers.set_index("customer_id").loc[pages[2].stem]
    assert doubtful["p_alive"] < 0.5


def test_a_card_says_what_the_steps_say(made):
    root, folder, _, _ = made
    client = cv.Client.load(root / "acme")
    customers = pd.read_parquet(folder / "tables/customers.parquet")
    who = customers.sort_values("purchases")["customer_id"].iloc[-1]
    card = cv.customer_card(client, who, output=folder / "tables")
    assert str(card.as_of) == folder.name
    own = customers.set_index("customer_id").loc[who]
    assert card.orders["contribution"].sum() == pytest.approx(own["historic_value"])
    assert card.alive["p_alive"].iloc[-1] == pytest.approx(own["p_alive"], abs=1e-9)
    assert card.alive["p_alive"].between(0, 1).all()
    nexts = pd.read_parquet(folder / "tables/next_orders.parquet").set_index("customer_id").loc[who]
    assert card.due["next_high"] == pytest.approx(nexts["next_high"])
    assert card.peers["middle"].iloc[0] == pytest.approx(own["clv"])
    assert card.peers["middle"].iloc[2] == pytest.approx(customers["clv"].median())
    target = pd.read_parquet(folder / "tables/target_list.parquet") if (folder / "target_list.csv").exists() else None
    if target is not None and len(target):
        held = target[target["group"] == "holdout"]["customer_id"]
        told = cv.customer_card(client, held.iloc[0], as_of=folder.name, output=folder / "tables").action.text
        assert told.startswith("Leave alone: chance put")


def test_cards_that_cannot_be_made(made, tmp_path):
    root, _, _, _ = made
    with pytest.raises(cv.ClientError, match="no customer 'c00007'; did you mean 'c0007'"):
        cv.customer_cards(root / "acme", ["c00007"], out=root / "first")
    with pytest.raises(cv.UsageError, match="--top N"):
        cv.customer_cards(root / "acme", out=root / "first")
    with pytest.raises(cv.ReportError, match="no report of Acme yet"):
        cv.customer_cards(root / "acme", ["c0007"], out=tmp_path)


def test_who_must_be_left_alone_is_said_first(made, tmp_path):
    import shutil

    root, folder, _, _ = made
    place = tmp_path / "acme"
    shutil.copytree(root / "acme", place)
    settings = yaml.safe_load((place / "client.yaml").read_text(encoding="utf-8"))
    (place / "stop.txt").write_text("c0007\n")
    (place / "client.yaml").write_text(yaml.safe_dump(settings | {"plan": {"opt_outs": "stop.txt"}}))
    card = cv.customer_card(cv.Client.load(place), "c0007", as_of=folder.name, output=folder / "tables")
    assert card.action.text == "Leave alone: this customer asked not to be contacted."


def test_the_command_makes_cards(made):
    root, _, _, _ = made
    done = subprocess.run(
        [sys.executable, "-m", "clvnb", "card", "acme", "--top", "1", "--out", "first"],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (root / done.stdout.strip()).is_file()
