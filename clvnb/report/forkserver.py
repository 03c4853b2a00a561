"""A warm process: it has imported everything a report needs, and forks a kernel from itself when asked.

In: one JSON line per order on a socket, ``start`` (a kernel), ``work`` (a module's ``main``), ``poll`` or ``signal``. Out: one JSON
line per answer. When the other end closes, for whatever reason, everything that was started is ended and the process goes.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["main", "preload"]

_LIBRARIES = [
    "babel.dates", "babel.numbers", "clvnb.report.finish", "ibis.backends.duckdb", "ipykernel.debugger", "ipykernel.ipkernel",
    "ipykernel.kernelapp",
    "matplotlib.backends.backend_agg", "matplotlib.pyplot", "nbconvert.filters.markdown_mistune", "PIL.Image",
    "PIL.PngImagePlugin", "pyarrow.dataset", "pyarrow.pandas_compat", "pyarrow.parquet", "scipy.optimize", "scipy.stats", "statsmodels.duration.survfunc",
    "statsmodels.genmod.generalized_linear_model", "statsmodels.iolib.summary2", "statsmodels.stats.contingency_tables", "statsmodels.stats.proportion",
    "statsmodels.tools.numdiff", "xlsxwriter",
]  # fmt: skip


def preload() -> None:
    """Import what the notebooks and the page use, and draw a picture nobody sees, which finds the fonts."""
    import clvnb

    from ..core.words import Words
    from ..plots.style import snug

    for place in (clvnb, clvnb.plots):  # names are loaded when first touched; no report holds a panel
        for name in dir(place):
            if name != "widgets":
                getattr(place, name)
    for library in _LIBRARIES:
        importlib.import_module(library)
    import pandas as pd
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    pd.set_option("display.max_columns", 20)  # what pandas chooses in a kernel; here it believes in a terminal
    figure = Figure(layout=snug())  # not pyplot's: its backend is chosen in the kernel
    figure.subplots().set_title("warm")
    FigureCanvasAgg(figure).print_png(io.BytesIO())
    Words("EUR").money(1.5)


def main(line: socket.socket) -> None:
    """Answer orders until the line closes."""
    preload()
    gc.collect()
    gc.freeze()  # what is shared with the forks is not touched again by the collector
    gc.set_threshold(20_000, 20, 20)  # a kernel lives for seconds, and makes much that goes by itself
    ended: dict[int, int] = {}
    living: set[int] = set()
    with line, line.makefile("r", encoding="utf-8") as orders:
        for text in orders:
            order = json.loads(text)
            answer: Any = None
            if order["do"] in {"start", "work"}:
                answer = _fork(line, order)
                living.add(answer)
            elif order["do"] == "poll":
                answer = _poll(order["pid"], living, ended)
            elif order["pid"] in living:
                _signal(order["pid"], order["signal"])
            line.sendall(json.dumps(answer).encode() + b"\n")
    for pid in living:
        _signal(pid, signal.SIGKILL)


def _poll(pid: int, living: set[int], ended: dict[int, int]) -> int | None:
    if pid in living:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            living.discard(pid)
            ended[pid] = os.waitstatus_to_exitcode(status)
    return ended.get(pid)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def _fork(line: socket.socket, order: dict[str, Any]) -> int:
    for name in order.get("needs", []):
        importlib.import_module(name)  # here, and once, whatever number of forks needs it
    pid = os.fork()
    if pid == 0:
        line.close()
        _become(partial(_WORK[order["do"]], *order["arguments"]), order["folder"], order["environment"])
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)  # before anyone may want to signal the group; the child does the same
    return pid


def _become(work: Callable[[], int], folder: str, environment: dict[str, str]) -> NoReturn:
    """Turn a fresh fork into a process of its own: own session, own random numbers, nothing on the terminal."""
    code = 1
    try:
        with contextlib.suppress(OSError):
            os.setsid()
        _end_with_parent()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        os.environ.update(environment)
        tempfile.tempdir = None  # the run's own, not the one that was found first
        os.chdir(folder)
        import numpy as np

        np.random.seed(None)  # noqa: NPY002  the forks would share the global state otherwise
        random.seed()
        code = work()
    finally:
        os._exit(code)  # what the parent would do at its end is not the child's to do


def _be_kernel(connection_file: str) -> int:
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    app.initialize(["-f", connection_file, "--HistoryManager.enabled=False"])
    app.start()
    return 0


def _do_work(module: str, file: str) -> int:
    return int(importlib.import_module(module).main(Path(file)))


_WORK: dict[str, Callable[..., int]] = {"start": _be_kernel, "work": _do_work}


def _end_with_parent() -> None:
    """Ask Linux to end this process when the one it was forked from is gone."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() == 1:
        os._exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the runner decides what an interrupt means
    Path(os.environ["IPYTHONDIR"]).mkdir(parents=True, exist_ok=True)
    home = Path.cwd()
    try:
        main(socket.socket(fileno=int(sys.argv[1])))
    finally:
        shutil.rmtree(home, ignore_errors=True)
