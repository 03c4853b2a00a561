"""The kernel that a report's notebook runs in, and what is made of it: processes of their own, quiet, the same wherever they start.

In: what jupyter_client starts a kernel with, or a module's ``main``. Out: a process forked from a warm one, or spawned where that cannot be.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from traitlets import Bool, Unicode

from ..core.files import drop_scratch, scratch_folder

__all__ = ["CAN_FORK", "ForkProvisioner", "ReportKernelManager", "end_kernels", "run_apart"]

CAN_FORK = sys.platform == "linux"  # elsewhere a fork is unsafe or not there

_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",  # clients run beside each other, and two runs give the same bytes
    "PYTHONHASHSEED": "0",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "TZ": "UTC",
}
_LOCK = threading.Lock()
_PATIENCE = 120  # seconds for an answer of the warm process; it takes some to import, and none to answer afterwards
_living: set[ReportKernelManager] = set()
_spawned: set[subprocess.Popen[bytes]] = set()
_forkserver: Forkserver | None = None


class Forkserver:
    """The warm process of this one, and the line to it."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.lock = threading.Lock()
        self.folder = str(scratch_folder())
        self.line, theirs = socket.socketpair()
        self.said = Path(self.folder, "said")
        with theirs, self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "clvnb.report.forkserver", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=self.folder,
                env={**os.environ, **_ENVIRONMENT, "IPYTHONDIR": f"{self.folder}/ipython"},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        self.line.settimeout(_PATIENCE)
        self.answers = self.line.makefile("r", encoding="utf-8")

    def ask(self, do: str, **order: Any) -> Any:
        """Send an order and return the answer; a RuntimeError when the process is gone."""
        try:
            with self.lock:
                self.line.sendall(json.dumps({"do": do, **order}).encode() + b"\n")
                return json.loads(self.answers.readline())
        except (OSError, ValueError) as error:
            self.end()  # it may be stopped rather than gone, and would be asked again
            lines: list[str] = []
            with contextlib.suppress(OSError):  # another thread may have cleared up after it
                lines = self.said.read_text(errors="replace").splitlines()
            why = f": {lines[-1]}" if lines else ""
            raise RuntimeError(f"the process that starts kernels has ended{why}") from error

    def close(self) -> None:
        """End the process and every kernel that it started."""
        with contextlib.suppress(OSError):
            self.line.shutdown(socket.SHUT_RDWR)
        self.line.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.end()
        drop_scratch(Path(self.folder))

    def end(self) -> None:
        """End the process now; what it started ends with it."""
        self.process.kill()
        self.process.wait()


def _warm() -> Forkserver:
    """This process's forkserver, started on first use and again when it was lost; a fork of this process gets its own."""
    global _forkserver
    with _LOCK:
        if _forkserver is not None and _forkserver.owner == os.getpid() and _forkserver.process.poll() is not None:
            drop_scratch(Path(_forkserver.folder))  # of one that was killed
        if _forkserver is None or _forkserver.owner != os.getpid() or _forkserver.process.poll() is not None:
            _forkserver = Forkserver()
        return _forkserver


def end_kernels() -> None:
    """End every kernel of this process now, and the warm process that they came from."""
    global _forkserver
    for manager in list(_living):
        process = getattr(manager.provisioner, "process", None)  # of a spawned one; the forked end with their origin
        if process is not None:
            process.kill()
    for process in list(_spawned):
        process.kill()
    with _LOCK:
        if _forkserver is not None and _forkserver.owner == os.getpid():
            _forkserver.close()
        _forkserver = None


def run_apart(module: str, file: Path, seconds: float, *, fork: bool, needs: Sequence[str] = ()) -> int | None:
    """Run a module's ``main(file)`` in a process of its own, in the folder of ``file``.

    Parameters
    ----------
    module : str
        Its ``main`` takes a path and returns an exit status; run as a program, it takes the path as its argument.
    file : Path
        The order.
    seconds : float
        How long it may take; then it is ended.
    fork : bool
        Fork it from the warm process where the system can; otherwise, and elsewhere, spawn it.
    needs : sequence of str
        Modules that the warm process imports before it forks.

    Returns
    -------
    int or None
        Its exit status, minus the signal that ended it; None where it took too long.
    """
    poll, end = (_forked if fork and CAN_FORK else _started)(module, file, needs)
    ends = time.monotonic() + seconds
    try:
        while (code := poll()) is None and time.monotonic() < ends:
            time.sleep(0.02)
        return code
    finally:
        end()


_Handle = tuple[Callable[[], "int | None"], Callable[[], None]]


def _forked(module: str, file: Path, needs: Sequence[str]) -> _Handle:
    warm, folder = _warm(), str(file.parent)
    wanted = {"arguments": [module, str(file)], "folder": folder, "environment": {"TMPDIR": folder}}
    try:
        pid = warm.ask("work", **wanted, needs=list(needs))
    except RuntimeError:
        return lambda: -signal.SIGKILL, lambda: None

    def poll() -> int | None:
        try:
            return warm.ask("poll", pid=pid)
        except RuntimeError:
            return -signal.SIGKILL  # the warm process is gone, and took what it started along

    def end() -> None:
        with contextlib.suppress(RuntimeError):
            warm.ask("signal", pid=pid, signal=int(signal.SIGKILL))  # nothing happens to one that has ended

    return poll, end


def _started(module: str, file: Path, needs: Sequence[str]) -> _Handle:
    environment = {**os.environ, **_ENVIRONMENT, "TMPDIR": str(file.parent)}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", module, str(file)],
        cwd=file.parent,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _spawned.add(process)

    def end() -> None:
        process.kill()
        process.wait()
        _spawned.discard(process)

    return process.poll, end


class ForkProvisioner(KernelProvisionerBase):
    """Starts a kernel by asking the warm process to fork."""

    parent: Any
    forkserver: Forkserver | None = None
    pid: int | None = None

    @property
    def has_process(self) -> bool:
        """Whether a kernel was started and not yet cleaned up."""
        return self.pid is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Write the connection file, as the local provisioner does."""
        self.parent.write_connection_file()
        self.connection_info = self.parent.get_connection_info()
        return dict(await super().pre_launch(cmd=self.parent.format_kernel_cmd(), **kwargs))

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Fork."""
        self.forkserver = _warm()
        environment = {k: v for k, v in kwargs["env"].items() if k in {"IPYTHONDIR", "TMPDIR", *_ENVIRONMENT}}
        wanted = {"arguments": [self.parent.connection_file], "folder": kwargs["cwd"], "environment": environment}
        self.pid = await asyncio.to_thread(self.forkserver.ask, "start", **wanted)
        return self.connection_info

    async def poll(self) -> int | None:
        """Return None while the kernel lives, otherwise its exit status."""
        if self.pid is None or self.forkserver is None:
            return 0
        try:
            answer = self.forkserver.ask("poll", pid=self.pid)
        except RuntimeError:
            return -signal.SIGKILL  # the warm process is gone, and took its kernels along
        return None if answer is None else int(answer)

    async def wait(self) -> int | None:
        """Wait until the kernel has ended."""
        while (code := await self.poll()) is None:
            await asyncio.sleep(0.02)
        self.pid = None
        return code

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel and what it started."""
        if self.pid is not None and self.forkserver is not None:
            with contextlib.suppress(RuntimeError):
                self.forkserver.ask("signal", pid=self.pid, signal=int(signum))

    async def kill(self, restart: bool = False) -> None:
        """End the kernel now."""
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:
        """Ask the kernel to end."""
        await self.send_signal(signal.SIGTERM)

    async def cleanup(self, restart: bool = False) -> None:
        """Nothing is left to clean: the sockets lie in the run's own folder."""


class ReportKernelManager(AsyncKernelManager):
    """Starts kernels in a folder of their own, whose process writes nothing to the terminal."""

    fork = Bool(True, help="Fork from a warm process where that is possible.").tag(config=True)
    folder = Unicode("", help="Where the kernel works; empty of anything that could be imported.").tag(config=True)

    async def _async_start_kernel(self, **kwargs: Any) -> None:
        self.kernel_id = str(uuid.uuid4())
        kind = ForkProvisioner if self.fork and CAN_FORK else LocalProvisioner
        self.provisioner = kind(kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self)
        self.connection_file = str(Path(self.folder, "kernel.json"))  # goes with the folder, whatever ends this process
        ipython = Path(self.folder, "ipython")  # the user's own start-up files must not reach a client's report
        ipython.mkdir(exist_ok=True)
        environment = {
            **os.environ,
            **kwargs.pop("env", {}),
            **_ENVIRONMENT,
            "IPYTHONDIR": str(ipython),
            "TMPDIR": self.folder,
        }
        kwargs |= {"cwd": self.folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        _living.add(self)
        await super()._async_start_kernel(env=environment, **kwargs)

    start_kernel = _async_start_kernel

    async def _async_cleanup_resources(self, restart: bool = False) -> None:
        _living.discard(self)
        await super()._async_cleanup_resources(restart)

    cleanup_resources = _async_cleanup_resources
