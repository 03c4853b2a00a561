"""What works on this machine, and what to install where something does not.

In: nothing. Out: a ``Finding`` with one row per check; ``clvnb doctor`` prints it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .. import __version__
from ..core.errors import ClvnbError, UsageError
from ..core.results import Finding
from .kernel import CAN_FORK

__all__ = ["examine"]

_EXTRAS = {  # what each adds, and the package by which it is known
    "lab": ("JupyterLab and panels", "jupyterlab"),
    "pdf": ("reports as PDF", "weasyprint"),
    "postgres": ("orders from PostgreSQL", "psycopg"),
    "spark": ("orders from Spark", "pyspark"),
    "dask": ("reports on a cluster", "distributed"),
    "clusters": ("customers in clusters", "sklearn"),
    "app": ("panels for colleagues", "voila"),
}
_LEAST_DISK = 1.0  # GB


@dataclass(frozen=True, repr=False)
class Examined(Finding):
    """What was found, and whether all that clvnb cannot do without works."""

    works: bool = False


def examine(folder: str | Path = ".") -> Examined:
    """Look at everything that clvnb needs or can use.

    Parameters
    ----------
    folder : path
        Where reports will be written.

    Returns
    -------
    Examined
        ``what, found, works, do``: each check, whether it works (``yes``, ``no``, ``not installed``), and what to do where it does not.
        ``works``: whether all that clvnb cannot do without works.

    Examples
    --------
    >>> found = examine()
    >>> list(found.table["what"])[:3]
    ['Python', 'clvnb', 'libraries']
    """
    checks: list[tuple[str, bool, Callable[[], str], str]] = [
        ("Python", True, _python, ""),
        ("clvnb", True, lambda: __version__, ""),
        ("libraries", True, _libraries, "pip install --upgrade clvnb"),
        ("kernel", True, _kernel, "pip install --upgrade ipykernel jupyter_client"),
        ("forked kernels", False, _forked, "reports are made without forking, more slowly"),
        (
            "fonts",
            True,
            _fonts,
            "remove matplotlib's font cache, or set MPLCONFIGDIR to a folder that can be written to",
        ),
        ("disk", True, lambda: _disk(Path(folder)), "make room, or name another folder with --out"),
        ("temporary files", True, lambda: _disk(Path(tempfile.gettempdir())), "make room, or set TMPDIR"),
    ]
    checks += [
        (what, False, lambda m=module: _extra(m), f'pip install "clvnb[{extra}]"')  # type: ignore[misc]
        for extra, (what, module) in _EXTRAS.items()
    ]
    rows = [(what, needed, *_try(look, do)) for what, needed, look, do in checks]
    table = pd.DataFrame(rows, columns=["what", "needed", "found", "works", "do"])
    broken = table[table["needed"] & (table["works"] == "no")]
    missing = table[table["works"] == "not installed"]
    text = "All that is needed works." if broken.empty else f"Not in order: {', '.join(broken['what'])}."
    text += f" Not installed: {', '.join(missing['what'])}." if len(missing) else ""
    return Examined(table.drop(columns="needed"), text, broken.empty)


class _NotInstalledError(Exception):
    pass


def _try(look: Callable[[], str], do: str) -> tuple[str, str, str]:
    """What was found, whether it works, and what to do where it does not."""
    try:
        return look(), "yes", ""
    except _NotInstalledError as error:
        return str(error), "not installed", do
    except Exception as error:  # whatever is wrong with a machine is the finding
        return f"{type(error).__name__}: {error}".splitlines()[0][:200], "no", do


def _python() -> str:
    return f"{platform.python_version()} on {platform.system()}, {os.cpu_count()} processors"


def _libraries() -> str:
    """Every requirement of this version, with the installed version."""
    found = []
    for line in importlib.metadata.requires("clvnb") or []:
        if "extra ==" in line:
            continue
        name = re.match(r"[\w.-]+", line)[0]  # type: ignore[index]
        found.append(f"{name} {importlib.metadata.version(name)}")
    return ", ".join(found)


def _kernel() -> str:
    return _run_cell(fork=False)


def _forked() -> str:
    if not CAN_FORK:
        raise ClvnbError(f"{platform.system()} cannot fork a warm process safely")
    return _run_cell(fork=True)


def _run_cell(*, fork: bool) -> str:
    """Start a kernel as a report does, let it compute, and see its answer."""
    import nbformat

    from .execute import run_notebook
    from .kernel import end_kernels

    cells = [nbformat.v4.new_code_cell("start = 0"), nbformat.v4.new_code_cell("start + 42")]
    cells[0].metadata["tags"] = ["parameters"]
    node = nbformat.v4.new_notebook(cells=cells)
    node.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    try:
        done = run_notebook(node, {}, fork=fork, name="doctor")
    finally:
        end_kernels()
    answer = done.cells[-1].outputs[0]["data"]["text/plain"]
    if answer != "42":
        raise ClvnbError(f"a kernel answered {answer!r} instead of 42")
    return "started, and answered"


def _fonts() -> str:
    import matplotlib as mpl
    from matplotlib import font_manager

    wanted = font_manager.FontProperties(family=mpl.rcParams["font.family"])
    file = font_manager.findfont(wanted, fallback_to_default=False)
    if not os.access(mpl.get_cachedir(), os.W_OK):
        raise ClvnbError(f"{mpl.get_cachedir()} cannot be written to")
    return f"{Path(file).stem}, of {len(font_manager.fontManager.ttflist)} known"


def _panels() -> None:
    """Refuse a JupyterLab without the part of ipywidgets that draws."""
    place = Path(sys.prefix) / "share/jupyter/labextensions/@jupyter-widgets/jupyterlab-manager/package.json"
    if not place.is_file():
        raise ClvnbError(f"{place} is missing: pip install --upgrade jupyterlab_widgets ipywidgets")


def _disk(folder: Path) -> str:
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{folder.resolve()} cannot be written to")
    free = shutil.disk_usage(folder).free / 1e9
    if free < _LEAST_DISK:
        raise UsageError(f"{free:.1f} GB free in {folder.resolve()}")
    return f"{free:.0f} GB free in {folder.resolve()}"


def _extra(module: str) -> str:
    """Whether an optional library is there and can be loaded."""
    if importlib.util.find_spec(module) is None:
        raise _NotInstalledError(module)
    if module == "jupyterlab":
        _panels()
    if module == "weasyprint":  # loads a library of the system
        from .pdf import check_pdf

        check_pdf()
    if module == "pyspark" and shutil.which("java") is None:
        raise ClvnbError("pyspark is there, and Java is not: install Java 17")
    names = importlib.metadata.packages_distributions().get(module, [module])
    return f"{names[0]} {importlib.metadata.version(names[0])}"
