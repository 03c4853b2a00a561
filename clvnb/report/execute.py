"""One notebook, run by papermill in a kernel of its own, and judged by what happened instead of by what it left.

In: a notebook node and parameters. Out: the executed node, or an error that names the step, the cell and the reason.
"""

from __future__ import annotations

import math
import os
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import ReportError
from ..core.files import drop_scratch, scratch_folder

__all__ = ["DatabaseError", "Limits", "MachineError", "RunError", "run_notebook"]

_OWN_ERRORS = {
    "ClientError",
    "TableError",
    "UnreachableError",
    "FitError",
    "ReportError",
    "ClvnbError",
}  # their text says what to do
_LONGEST_SOCKET = 100  # bytes of a socket's path, of which systems allow 104 to 108
_PLAIN = {str, bool, int, float, type(None)}


@dataclass(frozen=True)
class Limits:
    """How long a run may take, in seconds: one cell, and all of them together."""

    cell: int = 600
    report: int = 3600


class RunError(ReportError):
    """A notebook did not run to its end; ``log`` holds what an analyst needs, ``cell`` the source that failed."""

    def __init__(self, text: str, *, cell: str = "", log: str = "") -> None:
        super().__init__(text)
        self.cell, self.log = cell, log


class MachineError(RunError):
    """The kernel did not start, or died: another try may succeed."""


class DatabaseError(MachineError):
    """A database did not answer: another try may succeed after a while."""


def run_notebook(
    node: Any, parameters: Mapping[str, Any], *, fork: bool = True, limits: Limits = Limits(), name: str = "notebook"
) -> Any:
    """Run a notebook in a kernel of its own.

    Parameters
    ----------
    node : notebook node
        Its cell tagged ``parameters`` says which parameters there are.
    parameters : mapping
        Text, truth values, numbers, None, and lists and mappings of them.
    fork : bool
        Fork the kernel from a warm process where the system can; otherwise, and elsewhere, spawn it.
    limits : Limits
        How long a cell and the whole run may take.
    name : str
        How messages call the notebook where its cells name no step.

    Returns
    -------
    notebook node
        Executed.

    Raises
    ------
    ReportError
        When a parameter is not one of the notebook's, or of a kind that would not arrive as it is.
    RunError
        When a cell failed, ran too long, or ended the run; ``MachineError`` when the kernel did not start or died.
    """
    import nbformat

    given = {key: _plain(key, value) for key, value in parameters.items()}
    place = scratch_folder()
    source = place / "report.ipynb"
    nbformat.write(node, source)
    watch = _Watch(limits)
    papermill = _papermill()
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    try:
        _known(papermill, source, given, name)
        done = papermill.execute_notebook(
            str(source),
            None,
            parameters=given,
            kernel_name="python3",
            progress_bar=False,
            config=_config(str(place), fork),
            timeout_func=watch,
            shutdown_kernel="immediate",
        )
    except papermill.PapermillExecutionError as error:
        raise _cell_error(node, error, name) from error
    except CellTimeoutError as error:
        raise RunError(f"{watch.step or name}: {watch.too_long} (in: {watch.line})", cell=watch.source) from error
    except (DeadKernelError, RuntimeError) as error:
        died = "the Python process died, most likely for want of memory; run fewer --jobs"
        text = died if isinstance(error, DeadKernelError) or watch.source else f"no Python process started: {error}"
        raise MachineError(f"{watch.step or name}: {text}", cell=watch.source, log=repr(error)) from error
    finally:
        drop_scratch(place)
    code = [c for c in done.cells if c.cell_type == "code" and c.source.strip()]
    if any(c.execution_count is None for c in code):
        stopped = next(c for c in reversed(code) if c.execution_count is not None)
        step = stopped.metadata.get("step", name)
        text = f"{step}: the notebook stopped before its last cell (after: {_first_line(stopped.source)})"
        raise RunError(text, cell=stopped.source)
    return done


class _Watch:
    """Says how long the next cell may take, and remembers which one that is."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.ends = limits, time.monotonic() + limits.report
        self.step = self.source = self.too_long = ""

    def __call__(self, cell: Any) -> int:
        self.step, self.source = cell.metadata.get("step", ""), cell.source
        left = math.ceil(self.ends - time.monotonic())
        whole = left < self.limits.cell
        self.too_long = (
            f"the report took longer than {self.limits.report} s"
            if whole
            else f"a cell ran longer than {self.limits.cell} s"
        )
        return max(1, left if whole else self.limits.cell)

    @property
    def line(self) -> str:
        return _first_line(self.source)


def _config(place: str, fork: bool) -> Any:
    from traitlets.config import Config

    config = Config()
    config.NotebookClient.kernel_manager_class = "clvnb.report.kernel.ReportKernelManager"
    config.ReportKernelManager.fork = fork
    config.ReportKernelManager.folder = place
    if os.name == "posix" and len(os.fsencode(place)) <= _LONGEST_SOCKET - 8:  # otherwise ports of this machine
        # A socket path of its own for each kernel: the default one is shared by all kernels of a folder.
        config.KernelManager.transport = "ipc"
        config.KernelManager.ip = f"{place}/k"
    return config


def _papermill() -> Any:
    # jsonschema imports this grammar for a check nobody needs here, at more than a second; it copes without.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    import papermill

    return papermill


def _plain(key: str, value: Any) -> Any:
    """The value, when it arrives in the notebook as it is; papermill would write others as text, or as code."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is list:
        return [_plain(key, v) for v in value]
    if kind is dict and all(type(k) is str for k in value):
        return {k: _plain(key, v) for k, v in value.items()}
    raise ReportError(
        f"parameter {key!r} is a {kind.__name__}; give text, true or false, a number, nothing, or lists and mappings of them"
    )


def _known(papermill: Any, source: Path, given: Mapping[str, Any], name: str) -> None:
    asked = papermill.inspect_notebook(str(source))
    unknown = [key for key in given if key not in asked]
    if unknown:
        raise ReportError(
            f"{name} has no parameter {unknown[0]!r}; its parameters are {', '.join(asked) or 'none'}, "
            "set in the cell that is tagged `parameters`"
        )


def _cell_error(node: Any, error: Any, name: str) -> RunError:
    """Name the step and the reason; an error of clvnb's own already says what to do."""
    source = (error.source or "").strip()
    log = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback or []))
    step = next((c.metadata.get("step", name) for c in node.cells if c.source.strip() == source), name)
    if error.ename in _OWN_ERRORS:
        kind = DatabaseError if error.ename == "UnreachableError" else RunError
        return kind(f"{step}: {error.evalue}", cell=source, log=log)
    where = _first_line(source) or "an unknown cell"
    return RunError(f"{step}: {error.ename}: {error.evalue} (in: {where})", cell=source, log=log)


def _first_line(source: str) -> str:
    text = source.strip()
    return text.splitlines()[0][:80] if text else ""
