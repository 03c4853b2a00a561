"""Run the notebooks and store their outputs in one canonical form, so that the same run gives the same bytes.

``python tests/refresh_notebooks.py [NOTEBOOK ...]``; all of them by default.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

_PANEL = "application/vnd.jupyter.widget-view+json"
NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


def run(path: Path) -> Any:
    """Execute a notebook in its own folder."""
    node = nbformat.read(path, as_version=4)
    NotebookClient(node, timeout=900, kernel_name="python3", record_timing=False,
                   resources={"metadata": {"path": str(path.parent)}}).execute()  # fmt: skip
    return node


def canonical(node: Any) -> str:
    """Drop what changes from machine to machine; number cells and runs in order."""
    node.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    count = 0
    for k, cell in enumerate(node.cells):
        cell["id"] = f"cell-{k:02d}"
        tags = cell.metadata.get("tags", [])
        folded = {"jupyter": {"source_hidden": True, "outputs_hidden": True}} if "answer" in tags else {}
        cell.metadata = {**folded, "tags": tags} if tags else {}
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
        for out in cell.outputs:
            if _PANEL in out.get(
                "data", {}
            ):  # its state lives in the kernel, under a new name each time; its words stay
                del out["data"][_PANEL]
            if out["output_type"] == "error":  # the lesson is the message; where the file lies is this machine's
                out["traceback"] = [f"{out['ename']}: {out['evalue']}"]
            if "execution_count" in out:
                out["execution_count"] = count
    return nbformat.writes(node) + "\n"


def refresh(path: Path) -> None:
    """Run a notebook and write it back in one step."""
    text = canonical(run(path))
    beside = path.with_suffix(".tmp")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)
    sys.stdout.write(f"{path.name}: {len(text) // 1024} KB\n")


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    chosen = [Path(p).resolve() for p in sys.argv[1:]] or sorted(NOTEBOOKS.rglob("[!.]*.ipynb"))
    for notebook in chosen:
        refresh(notebook)
