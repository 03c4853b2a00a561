#!/usr/bin/env bash
# Claim: in Notebook 7 no arrow key moves a slider of ipywidgets, and the down arrow takes the focus to the next cell; JupyterLab moves it.
# Versions: notebook 7.6.5, jupyterlab 4.6.6, ipywidgets 8.1.9, in Chromium.
# Behaviour: the handle of an IntSlider has the focus and stands at 5. In JupyterLab up, down, right, left and Page Up give 6, 5, 6, 5, 10.
#   In Notebook 7, which is built of JupyterLab's parts, they give 5, 5, 5, 5, 10: Page Up alone arrives.
# Why it is met: every panel of clvnb has sliders, and who uses no mouse moves them by arrow keys.
# Guess before running: up and down leave the slider, as they do between cells, right and left move it.
# Seen: none of the four moves it. Needs Chromium.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check 'notebook==7.6.5' 'jupyterlab==4.6.6' 'ipywidgets==8.1.9' 'playwright==1.65.2' ipykernel
cat > asks.py <<'PY'
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

cells = [f"import ipywidgets\nipywidgets.IntSlider(value=5, description='of {k}')" for k in range(2)]
code = [{"cell_type": "code", "execution_count": None, "id": f"a{k}", "metadata": {}, "outputs": [], "source": c} for k, c in enumerate(cells)]
kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
Path("s.ipynb").write_text(json.dumps({"cells": code, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}))
chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
own = {name: str(Path(name).resolve()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
for program, path in (("lab", "lab/tree/s.ipynb"), ("notebook", "notebooks/s.ipynb")):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyter", program, "--no-browser", "--allow-root", f"--port={port}"],
        env={**os.environ, **own, "JUPYTER_TOKEN": "t"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token=t").close()
                break
            except OSError:
                time.sleep(0.2)
        with sync_playwright() as p:
            page = p.chromium.launch(executable_path=chromium, args=["--no-sandbox"]).new_page(viewport={"width": 1200, "height": 1500})
            page.set_default_timeout(60_000)
            page.goto(f"http://127.0.0.1:{port}/{path}?token=t")
            page.wait_for_selector(".jp-CodeCell")
            time.sleep(8)  # until the kernel is there
            page.click('.lm-MenuBar-itemLabel:text-is("Run")')
            page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')
            slider = page.locator('.widget-slider:has(label:text-is("of 0"))')
            slider.wait_for()
            time.sleep(2)
            said = []
            for key in ("ArrowUp", "ArrowDown", "ArrowRight", "ArrowLeft", "PageUp"):
                slider.locator(".noUi-handle").click()
                slider.locator(".noUi-handle").focus()
                page.keyboard.press(key)
                time.sleep(0.5)
                said.append(slider.locator(".widget-readout").inner_text())
            print(program, *said)
    finally:
        server.terminate()
        server.wait()
PY
found=$(venv/bin/python asks.py | tr '\n' ' ')
echo "$found"
[ "$found" = "lab 6 5 6 5 10 notebook 5 5 5 5 10 " ]
