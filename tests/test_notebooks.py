"""That nbval, as it is set up here, notices what it must: a changed number or figure, a cell not run, or run out of order."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from helpers import ROOT
from refresh_notebooks import canonical, run

SOURCE = (
    """
import matplotlib.pyplot as plt
import clvnb as cv
import pandas as pd
cv.say("The answer is 42.")
""",
    """
table = pd.DataFrame({"customers": [k / 10 for k in range(1, 11)], "share_of_value": [k / 10 for k in range(1, 11)]})
cv.show(cv.plots.plot_concentration(table))
""",
)


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("nb") / "lesson.ipynb"
    cells = [nbformat.v4.new_code_cell(s.strip()) for s in SOURCE]
    node = nbformat.v4.new_notebook(cells=cells)
    node.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(node, path)
    path.write_text(canonical(run(path)))
    return path


def nbval(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml"),
         "--confcutdir", str(ROOT), "-p", "figures", "--nbval", "--nbval-current-env", "--nbval-cell-timeout=120", str(path)],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip


def changed(stored: Path, tmp_path: Path, change) -> Path:
    node = nbformat.read(stored, as_version=4)
    change(node)
    path = tmp_path / "lesson.ipynb"
    nbformat.write(node, path)
    return path


def test_untouched_notebook_passes(stored):
    done = nbval(stored)
    assert done.returncode == 0, done.stdout


def test_a_changed_number_fails(stored, tmp_path):
    def change(node):
        for out in node.cells[0].outputs:
            out["data"] = {k: v.replace("42", "43") for k, v in out["data"].items()}

    done = nbval(changed(stored, tmp_path, change))
    assert done.returncode == 1
    assert "43" in done.stdout


def test_a_cell_that_was_not_run_fails(stored, tmp_path):
    """Stripped of outputs and count, its code could say anything: nbval would compare nothing."""

    def change(node):
        node.cells[0].source = node.cells[0].source.replace("42", "43")
        node.cells[0].outputs, node.cells[0].execution_count = [], None

    done = nbval(changed(stored, tmp_path, change))
    assert done.returncode != 0
    assert "code cell 1 was never run" in done.stdout


def test_reordered_cells_fail(stored, tmp_path):
    def change(node):
        node.cells.append(nbformat.v4.new_code_cell("'later'", execution_count=3))
        node.cells[1], node.cells[2] = node.cells[2], node.cells[1]

    done = nbval(changed(stored, tmp_path, change))
    assert done.returncode != 0
    assert "code cell 2 was run as number 3" in done.stdout


def test_a_changed_figure_fails(stored, tmp_path):
    """The picture alone differs: its words are kept equal."""

    def change(node):
        cell = node.cells[1]
        cell.source = cell.source.replace('"share_of_value": [k / 10', '"share_of_value": [(k / 10) ** 0.2')
        cell.source = cell.source.replace(
            "cv.show(cv.plots.plot_concentration(table))",
            "ax = cv.plots.plot_concentration(table)\nax.figure.clvnb_alt = 'same'\ncv.show(ax)",
        )
        cell.outputs[0]["data"]["text/plain"] = "[figure: same]"

    done = nbval(changed(stored, tmp_path, change))
    assert done.returncode == 1
    assert "figure 1 changed" in done.stdout
