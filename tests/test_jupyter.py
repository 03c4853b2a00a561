"""Panels as people use them: a real JupyterLab and a real voila, driven in Chromium; what is shown is what the functions give."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import pytest

import clvnb as cv
from clvnb.core.words import Words
from clvnb.widgets.calculators import answer_clv
from helpers import CHROMIUM, small_orders

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="Chromium is not installed: on Debian or Ubuntu, apt-get install chromium"
    ),
]
PATIENCE = 120_000  # milliseconds; another test may be using the processor


@pytest.fixture
def page(browser):
    """A page as high as a notebook, which so stays drawn, that notes where it asks: nothing but this machine may be among it."""
    opened = browser.new_page(viewport={"width": 1300, "height": 3200})
    opened.set_default_timeout(PATIENCE)
    asked: list[str] = []
    opened.on("request", lambda r: asked.append(r.url))
    yield opened
    opened.close()
    strangers = [u for u in asked if not re.match(r"(https?|wss?)://(localhost|127\.0\.0\.1)[:/]|data:|blob:", u)]
    assert not strangers


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextmanager
def serving(arguments: list[str], cwd: Path, port: int, path: str) -> Iterator[None]:
    """Run a server until it answers, and end it with everything it started."""
    own = cwd / f".jupyter-{port}"  # no tabs of an earlier visit are opened again
    env = {**os.environ, "JUPYTER_TOKEN": "t0k", "IPYTHONDIR": f"{own}/ipython", "JUPYTER_CONFIG_DIR": f"{own}/config",
           "JUPYTER_DATA_DIR": f"{own}/data"}  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "clvnb", *arguments, "--port", str(port), "--no-browser"],
        cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        for _ in range(600):
            if process.poll() is not None:
                pytest.fail(f"{arguments} ended with {process.returncode}")
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60).close()
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def run_all(page, until: str) -> None:
    """Run every cell by the menu, and wait for what they show.

    A run that is asked for while JupyterLab still connects to its kernel may be lost: then the page is opened again.
    """
    from playwright.sync_api import TimeoutError as TooLateError

    for patience in (40_000, 60_000, PATIENCE):
        page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        page.wait_for_selector("text=/Python 3.* \\| Idle/")
        page.click('.lm-MenuBar-itemLabel:text-is("Run")')
        page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')
        try:
            page.wait_for_selector(until, timeout=patience)
            return
        except TooLateError:
            page.reload()
    pytest.fail(f"{until!r} is not shown after three runs of the notebook")


def slide(page, label: str, presses: int) -> None:
    """Move a slider by its keyboard handle."""
    handle = page.locator(f'.widget-slider:has(label:text-is("{label}")) .noUi-handle')
    handle.scroll_into_view_if_needed()
    handle.focus()
    for _ in range(abs(presses)):
        page.keyboard.press("ArrowRight" if presses > 0 else "ArrowLeft")


def drag(page, slider, by: int) -> str:
    """Take a slider with the mouse, carry it some pixels, let it go; what then stands beside it."""
    handle = slider.locator(".noUi-handle")
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by, y, steps=5)
    page.mouse.up()
    return slider.locator(".widget-readout").inner_text()


def shows(page, panel, place) -> None:
    """Wait until a panel in the page says and draws what the same panel in this process says and draws."""
    page.wait_for_function("([el, text]) => el.querySelector('[role=status]').innerText === text",
                           arg=[place.element_handle(), panel.state.found.text])  # fmt: skip
    for k, picture in enumerate(panel.pictures):
        source = re.search(r'src="([^"]+)"', picture.value).group(1)
        page.wait_for_function("([el, k, src]) => el.querySelectorAll('img')[k].getAttribute('src') === src",
                               arg=[place.element_handle(), k, source])  # fmt: skip


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("lab")
    subprocess.run([sys.executable, "-m", "clvnb", "lab", "--no-start"], cwd=place, check=True, capture_output=True)
    (place / "my orders.csv").write_text(small_orders(customers=80), encoding="utf-8")
    return place


def test_lab_opens_on_the_start_page_and_maps_a_file(workplace, page):
    from playwright.sync_api import TimeoutError as Late

    port = free_port()
    with serving(["lab"], workplace, port, "/lab?token=t0k"):
        page.goto(f"http://127.0.0.1:{port}/lab/tree/notebooks/0_start_here.ipynb?token=t0k")
        run_all(page, until='p[role="status"]:has-text("No report yet. Next: chapter 1")')
        page.locator('.widget-dropdown:has(label:text-is("client")) select').select_option("shop")
        page.wait_for_selector("text=Lindenhof Tee: ")

        with page.expect_file_chooser() as chooser:
            page.locator(".widget-upload").first.click()
        chooser.value.set_files(workplace / "my orders.csv")
        page.wait_for_selector("text=order lines read")
        name = page.locator('.widget-text:has(label:text-is("name of the client")) input')
        name.fill("My Shop")
        name.press("Enter")
        margin = page.locator('.widget-text:has(label:text-is("margin of revenue")) input')
        margin.fill("0.4")
        margin.press("Enter")
        for _ in range(4):  # an answer to the last key may move the button from under the mouse
            page.wait_for_timeout(2_000)
            page.locator('button:has-text("save as a client")').click()
            with suppress(Late):
                page.wait_for_selector("td:has-text('My-Shop/client.yaml')", timeout=30_000)
                break
    client = cv.Client.load(workplace / "data" / "My-Shop")
    assert (client.name, client.economics.margin) == ("My Shop", 0.4)


def test_a_slider_in_lab_gives_what_the_function_gives(workplace, page):
    """Number and picture follow the keyboard, in a tutorial that a learner opened."""
    port = free_port()
    with serving(["lab"], workplace, port, "/lab?token=t0k"):
        page.goto(f"http://127.0.0.1:{port}/lab/tree/notebooks/tutorials/1_first_clv.ipynb?token=t0k")
        run_all(page, until='p[role="status"]:has-text("A customer brings")')
        said = page.locator('p[role="status"]:has-text("A customer brings")')
        picture = page.locator('img[alt^="Value of a new customer by method"]')
        settings = {
            "purchase": 50.0,
            "frequency": 4.0,
            "margin": 0.4,
            "lifespan": 3.0,
            "discount_rate": 0.1,
            "raised": 0.75,
        }
        slide(page, "retention a year", 5)
        expected = answer_clv(**settings, retention=0.75, words=Words("USD")).text
        page.wait_for_selector(f'p[role="status"]:has-text("{expected[:60]}")')
        assert said.inner_text() == expected
        panel = cv.widgets.explore_clv(words=Words("USD"))
        panel.state.retention = 0.75
        drawn = re.search(r'src="([^"]+)"', panel.pictures[0].value).group(
            1
        )  # the text comes first, the picture after it
        page.wait_for_function("([el, src]) => el.getAttribute('src') === src", arg=[picture.element_handle(), drawn])


MONEY = "Still worth $544,492 (90% range $462,995 to $525,990), or kr 5, ¥ 6 and ₹ 7."
PANELS = [
    f"import clvnb as cv, pandas as pd\ncv.say({MONEY!r})\n"
    f"cv.as_table(pd.DataFrame({{'said': [{MONEY!r}], 'rows': [3]}}))\ncv.say('That is all.')",
    "import clvnb as cv\nclient = cv.load_sample('subscription')\nvalue = cv.value_step(client)",
    "plan = cv.improve_step(client, as_of=value.as_of)\nwords = client.words",
    "cv.widgets.explore_segments(value.customers, words=words)",
    "cv.widgets.explore_cohorts(value.checked.kept, words=words)",
    "cv.widgets.explore_allocation(plan.options, plan.budget, words=words)",
    "cv.widgets.explore_sample_size(words=words)",
    "cv.widgets.explore_design(words=words)",
]


def reads_as_written(page) -> None:
    """Two dollar signs are money and no formula; text begins at the left, numbers end at the right."""
    page.wait_for_selector('p:has-text("That is all.")')
    assert page.locator('.jp-OutputArea-output p:has-text("Still worth")').inner_text() == MONEY
    cell = page.locator('.jp-OutputArea-output td:has-text("Still worth")')
    assert cell.inner_text() == MONEY
    assert page.locator(".jp-OutputArea-output mjx-container, .jp-OutputArea-output .MathJax").count() == 0
    assert cell.evaluate("el => getComputedStyle(el).textAlign") == "left"
    assert (
        page.locator('.jp-OutputArea-output td.num:has-text("3")').first.evaluate(
            "el => getComputedStyle(el).textAlign"
        )
        == "right"
    )


def test_choices_ticks_and_dragged_sliders_give_what_the_functions_give(workplace, page):
    """Each panel that no other test drives: after every move, sentence and picture are those of the same panel made here."""
    client = cv.load_sample("subscription")
    value = cv.value_step(client)
    plan = cv.improve_step(client, as_of=value.as_of)
    words = client.words
    node = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in PANELS])
    node.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(node, workplace / "notebooks/panels.ipynb")
    page.set_viewport_size({"width": 1300, "height": 9000})
    port = free_port()
    with serving(["lab"], workplace, port, "/lab?token=t0k"):
        page.goto(f"http://127.0.0.1:{port}/lab/tree/notebooks/panels.ipynb?token=t0k")
        run_all(page, until='strong:has-text("How could its effect be known?")')
        reads_as_written(page)

        def place(title: str):
            return page.locator(f'.jp-OutputArea .widget-vbox:has-text("{title}")').last

        def control(title: str, label: str):
            return place(title).locator(f'.jupyter-widgets:has(> label:text-is("{label}"))')

        title = "Who holds the value?"
        panel = cv.widgets.explore_segments(value.customers, words=words)
        shows(page, panel, place(title))
        group = panel.controls["group"].options[2][1]
        control(title, "look into").locator("select").select_option(group)
        panel.state.group = group
        shows(page, panel, place(title))
        assert place(title).locator("tbody tr").count() == panel.shown.value.count("<tr>") - 1

        title = "What do customers do as they age?"
        panel = cv.widgets.explore_cohorts(value.checked.kept, words=words)
        control(title, "cohorts by").locator("select").select_option("year")
        panel.state.period = "year"
        shows(page, panel, place(title))

        title = "Where does a budget go?"
        panel = cv.widgets.explore_allocation(plan.options, plan.budget, words=words)
        shows(page, panel, place(title))
        budget = float(drag(page, control(title, "budget"), -25).replace(",", ""))
        step = panel.controls["budget"].step
        panel.state.budget = step * round(budget / step)
        assert 0 < panel.state.budget < plan.budget
        shows(page, panel, place(title))
        place(title).locator('label:has-text("count on four cases of five") input').check()
        panel.state.cautious = True
        shows(page, panel, place(title))

        title = "How many answers does it take?"
        panel = cv.widgets.explore_sample_size(words=words)
        change = float(drag(page, control(title, "change to be seen"), 40).rstrip("%")) / 100
        assert change > panel.state.change
        panel.state.change = change
        shows(page, panel, place(title))

        title = "How could its effect be known?"
        panel = cv.widgets.explore_design(words=words)
        control(title, "who gets it").locator("select").select_option("we choose")
        panel.state.assigned = "chosen"
        shows(page, panel, place(title))
        place(title).locator('label:has-text("the same customers are known") input').uncheck()
        panel.state.before = False
        shows(page, panel, place(title))


def test_app_is_served_without_code_and_without_strangers(tmp_path, page):
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "orders.csv").write_text(small_orders(), encoding="utf-8")
    client = cv.begin_client(folder, folder / "orders.csv", margin=0.4).client
    outcome = cv.report_clients([folder], out=tmp_path / "reports")[0]
    assert outcome.status == "done", outcome.error
    port = free_port()
    with serving(["app", str(folder)], tmp_path, port, "/voila/static/voila.js"):
        page.goto(f"http://127.0.0.1:{port}/?token=t0k")
        page.wait_for_selector("text=What is the net gain of a lever?")
        page.wait_for_selector(".noUi-handle")
        assert page.locator("text=import clvnb").count() == 0

        plan = cv.improve_step(client)
        panels = cv.widgets.explore_scenario(plan.base, plan.library, link=plan.link, words=client.words)
        panel = panels.panel
        page.wait_for_selector(f'p[role="status"]:has-text("{panel.state.found.text[:40]}")')
        slide(page, "years it lasts", -2)
        panel.state.lasts = round(panel.state.lasts - 0.2, 10)
        page.wait_for_selector(f'p[role="status"]:has-text("{panel.state.found.text[-60:]}")')
        assert panels.lever.value in panel.state.found.text

        search = page.locator('.widget-text:has(label:text-is("search")) input')
        search.fill("c0012")
        search.press("Enter")
        cards = cv.Cards.of_report(client, outcome.folder / "tables")
        page.wait_for_selector(f'p[role="status"]:has-text("{cards.card("c0012").headline.text[:80]}")')
