"""How long from a setting to the new picture: in the panel's own process, and from a key press to the picture in a browser.

``python benchmarks/panels.py`` prints milliseconds, median and maximum, for the tea shop; the second part needs Chromium and playwright.
"""

from __future__ import annotations

import json
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

CELLS = [
    "import clvnb as cv\nshop = cv.load_sample('shop')\nvalue = cv.value_customers(shop)\nplan = cv.plan_improvement(shop)\nwords = shop.words",
    "cv.explore_clv(words=words)",
    "cv.explore_scenario(plan.base, plan.library, link=plan.link, words=words)",
    "cv.explore_allocation(plan.options, plan.budget / 2, words=words)",
]
# panel, slider, key, what the picture's description begins with
MOVES = [
    ("calculator", "retention a year", "ArrowRight", "Value of a new customer"),
    ("lever, what it leaves", "years it lasts", "ArrowRight", "Net gain by lever"),
    ("budget", "budget", "ArrowLeft", "Spending by segment"),
]
WAIT = """([sel]) => new Promise(done => { const get = () => document.querySelector(sel), old = get().src, t = performance.now();
  const look = () => { const i = get(); i && i.src !== old && i.complete ? done(performance.now() - t) : requestAnimationFrame(look) };
  requestAnimationFrame(look); setTimeout(() => done(null), 5000) })"""


def said(name: str, milliseconds: list[float]) -> None:
    print(
        f"{name:<40} median {statistics.median(milliseconds):5.0f} ms   max {max(milliseconds):5.0f} ms   n {len(milliseconds)}"
    )


def in_process() -> None:
    """Set, and wait until the view holds the new pictures."""
    shop = cv.load_sample("shop")
    value, words = cv.value_customers(shop), shop.words
    plan = cv.plan_improvement(shop, as_of=value.as_of)
    scenario = cv.explore_scenario(plan.base, plan.library, link=plan.link, words=words).panel
    segments = cv.explore_segments(value.customers, words=words)
    finder = cv.explore_customers(cv.Cards.of_steps(value, plan))
    panels = {
        "calculator": (cv.explore_clv(words=words), [("retention", 0.5 + 0.01 * k) for k in range(20)]),
        "lever, both pictures": (scenario, [("lasts", 0.2 + 0.1 * k) for k in range(20)]),
        "budget": (cv.explore_allocation(plan.options, plan.budget, words=words), [("budget", plan.budget * k / 6) for k in range(20)]),
        "sample size": (cv.explore_sample_size(words=words), [("change", 0.01 * k) for k in range(2, 20)]),
        "design": (cv.explore_design(words=words), [("holdout", 0.05 * k) for k in range(2, 10)]),
        "segments": (segments, [("group", g) for _, g in segments.controls["group"].options[1:]]),
        "cohorts": (cv.explore_cohorts(value.checked.kept, words=words), [("period", p) for p in ("month", "year", "quarter")] * 4),
        "customer, both pictures": (finder, [("customer", c) for c in finder.controls["customer"].options[1:21]]),
    }  # fmt: skip
    for name, (panel, moves) in panels.items():
        took = []
        for setting, to in moves:
            start = time.perf_counter()
            panel.controls[setting].value = to
            took.append(1000 * (time.perf_counter() - start))
        said(name, took)


def in_browser() -> None:
    """Press an arrow key on a slider in JupyterLab, and wait until the picture is another one."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    place = Path(tempfile.mkdtemp(prefix="clvnb-panels-"))
    node = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS])
    node.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (place / "notebooks").mkdir()
    nbformat.write(node, place / "notebooks/panels.ipynb")
    env = {
        **os.environ,
        "JUPYTER_TOKEN": "t0k",
        "JUPYTER_CONFIG_DIR": f"{place}/config",
        "JUPYTER_DATA_DIR": f"{place}/data",
    }
    lab = subprocess.Popen([sys.executable, "-m", "clvnb", "lab", "--no-browser", "--port", "8987"], cwd=place, env=env,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        time.sleep(5)
        with sync_playwright() as play:
            chromium = play.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
            page = chromium.new_page(viewport={"width": 1300, "height": 2600})
            page.goto("http://127.0.0.1:8987/lab/tree/notebooks/panels.ipynb?token=t0k")
            idle = '.jp-Notebook-ExecutionIndicator[data-status="idle"]'
            page.wait_for_selector(idle)
            page.click('.lm-MenuBar-itemLabel:text-is("Run")')
            page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')
            page.wait_for_selector("img[alt^='Spending']", timeout=120_000)
            page.wait_for_selector(idle)
            for name, slider, key, alt in MOVES:
                handle = page.locator(f'.widget-slider:has(label:text-is("{slider}")) .noUi-handle').first
                handle.scroll_into_view_if_needed()
                handle.focus()
                took = []
                for _ in range(12):
                    page.evaluate(f"() => {{ window.seen = ({WAIT})([{json.dumps(f'img[alt^={alt!r}]')}]) }}")
                    page.keyboard.press(key)
                    took.append(page.evaluate("() => window.seen"))
                    time.sleep(0.4)
                said(f"browser: {name}", [t for t in took if t is not None])
            chromium.close()
    finally:
        lab.terminate()
        lab.wait()
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    in_process()
    in_browser()
