"""How long from a setting to the new picture: in the panel's own process, and from a key press to the picture in a browser.

``python benchmarks/panels.py`` prints milliseconds, median, ninth decile and maximum, for the three example clients; the second part needs Chromium
and playwright.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

import clvnb as cv

SAMPLES = ("cdnow", "shop", "subscription")
CELLS = [
    "import clvnb as cv\nclient = cv.load_sample({sample!r})\nvalue = cv.value_step(client)\nplan = cv.improve_step(client)\nwords = client.words",
    "cv.widgets.explore_clv(words=words)",
    "cv.widgets.explore_scenario(plan.base, plan.library, link=plan.link, words=words)",
    "cv.widgets.explore_allocation(plan.options, plan.budget / 20, words=words)",
    "cv.widgets.explore_sample_size(words=words)",
    "cv.widgets.explore_design(words=words)",
    "cv.widgets.explore_segments(value.customers, words=words)",
    "cv.widgets.explore_cohorts(value.checked.kept, words=words)",
    "cv.widgets.explore_customers(cv.Cards.of_steps(value, plan))",
]
# panel by its title, label of the control (the finder's list has none that stays), what is waited for: a new picture, or the new sentence of a panel without one
MOVES = [
    ("What is a customer worth?", "retention a year", "img"),
    ("What would", "years it lasts", "img"),
    ("Where does a budget go?", "budget", "img"),
    ("How many answers does it take?", "change to be seen", 'p[role="status"]'),
    ("How could its effect be known?", "share left alone", 'p[role="status"]'),
    ("Who holds the value?", "look into", 'p[role="status"]'),
    ("What do customers do as they age?", "cohorts by", "img"),
    ("Find a customer", "", "img"),
]
TIMES = 20
WAIT = """([panel, what]) => new Promise(done => { const of = () => { const i = panel.querySelector(what); return i ? i.src || i.innerText : "" },
  old = of(), t = performance.now(), look = () => of() !== old && (what !== "img" || panel.querySelector(what).complete)
    ? done(performance.now() - t) : requestAnimationFrame(look);
  requestAnimationFrame(look); setTimeout(() => done(null), 5000) })"""


def said(name: str, milliseconds: list[float]) -> None:
    ninth = statistics.quantiles(milliseconds, n=10)[-1] if len(milliseconds) > 1 else milliseconds[0]
    median, longest, moves = statistics.median(milliseconds), max(milliseconds), len(milliseconds)
    print(f"{name:<66} median {median:5.0f} ms   9 of 10 {ninth:5.0f}   max {longest:5.0f}   n {moves}", flush=True)


def in_process(sample: str) -> None:
    """Set, and wait until the view holds the new pictures."""
    client = cv.load_sample(sample)
    value, words = cv.value_step(client), client.words
    plan = cv.improve_step(client, as_of=value.as_of)
    scenario = cv.widgets.explore_scenario(plan.base, plan.library, link=plan.link, words=words).panel
    segments = cv.widgets.explore_segments(value.customers, words=words)
    finder = cv.widgets.explore_customers(cv.Cards.of_steps(value, plan))
    panels = {
        "calculator": (cv.widgets.explore_clv(words=words), [("retention", 0.5 + 0.01 * k) for k in range(20)]),
        "lever, both pictures": (scenario, [("lasts", 0.2 + 0.1 * k) for k in range(20)]),
        "budget": (cv.widgets.explore_allocation(plan.options, plan.budget, words=words), [("budget", plan.budget * k / 6) for k in range(20)]),
        "sample size": (cv.widgets.explore_sample_size(words=words), [("change", 0.01 * k) for k in range(2, 20)]),
        "design": (cv.widgets.explore_design(words=words), [("holdout", 0.05 * k) for k in range(2, 10)]),
        "segments": (segments, [("group", g) for _, g in segments.controls["group"].options[1:]]),
        "cohorts": (cv.widgets.explore_cohorts(value.checked.kept, words=words), [("period", p) for p in ("month", "year", "quarter")] * 4),
        "customer, both pictures": (finder, [("customer", c) for c in finder.controls["customer"].options[1:21]]),
    }  # fmt: skip
    for name, (panel, moves) in panels.items():
        took = []
        for setting, to in moves:
            start = time.perf_counter()
            panel.controls[setting].value = to
            took.append(1000 * (time.perf_counter() - start))
        said(f"{sample}, in the process: {name}", took)


def in_browser(sample: str, play) -> None:
    """Move each control in JupyterLab, by key or by choice, and wait until the page shows another answer."""
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    place = Path(tempfile.mkdtemp(prefix="clvnb-panels-"))
    cells = [nbformat.v4.new_code_cell(c.format(sample=sample)) for c in CELLS]
    node = nbformat.v4.new_notebook(cells=cells)
    node.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (place / "notebooks").mkdir()
    nbformat.write(node, place / "notebooks/panels.ipynb")
    env = os.environ | {
        "JUPYTER_TOKEN": "t0k",
        "JUPYTER_CONFIG_DIR": f"{place}/config",
        "JUPYTER_DATA_DIR": f"{place}/data",
    }
    lab = subprocess.Popen([sys.executable, "-m", "clvnb", "lab", "--no-browser", "--port", "8987"], cwd=place, env=env,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        time.sleep(5)
        chromium = play.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        page = chromium.new_page(viewport={"width": 1300, "height": 1400})
        page.goto("http://127.0.0.1:8987/lab/tree/notebooks/panels.ipynb?token=t0k")
        idle = '.jp-Notebook-ExecutionIndicator[data-status="idle"]'
        page.wait_for_selector(idle)
        page.click('.lm-MenuBar-itemLabel:text-is("Run")')
        page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')
        page.wait_for_selector(f'.widget-vbox:has-text("{MOVES[-1][0]}") img', timeout=120_000)
        page.wait_for_selector(idle)
        time.sleep(2)
        for title, label, what in MOVES:
            panel = page.locator(f'.jp-OutputArea .widget-vbox:has-text("{title}")').last
            if not panel.locator(what).count():
                print(f"{sample}: {title} shows nothing that moves")
                continue
            took = [t for k in range(TIMES) if (t := moved(page, panel, label, what, k)) is not None]
            if not took:
                print(f"{sample}: {title} showed nothing new")
                continue
            said(f"{sample}, in the browser: {title}", took)
        chromium.close()
    finally:
        lab.terminate()
        lab.wait()
        shutil.rmtree(place, ignore_errors=True)


def moved(page, panel, label: str, what: str, turn: int) -> float | None:
    """Milliseconds from a key press, or a choice, to what it changes; none where it changes nothing."""
    control = panel.locator(f'.jupyter-widgets:has(> label:text-is("{label}"))' if label else ".widget-select").first
    choice = control.locator("select")
    page.evaluate(f"(given) => {{ window.seen = ({WAIT})(given) }}", [panel.element_handle(), what])
    if choice.count():
        options = choice.locator("option").count()
        choice.select_option(index=(turn + 1) % options)
    else:
        control.locator(".noUi-handle").focus()
        page.keyboard.press("ArrowLeft" if turn % 2 else "ArrowRight")
    took = page.evaluate("() => window.seen")
    time.sleep(0.4)
    return took


if __name__ == "__main__":
    from playwright.sync_api import sync_playwright

    for each in SAMPLES:
        in_process(each)
    with sync_playwright() as started:
        for each in SAMPLES:
            in_browser(each, started)
