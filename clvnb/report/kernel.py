"""The kernel that a report's notebook runs in: a process of its own, quiet, and the same wherever it starts.

In: what jupyter_client starts a kernel with. Out: the same, with a fixed environment and nothing on the terminal.
"""

from __future__ import annotations

import os
import subprocess
from typing import Any

from jupyter_client.manager import AsyncKernelManager

__all__ = ["QuietKernelManager"]

_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
}


class QuietKernelManager(AsyncKernelManager):
    """Starts kernels whose process writes nothing to the terminal: what cells print stays in the notebook."""

    async def _async_start_kernel(self, **kwargs: Any) -> None:
        environment = {**os.environ, **kwargs.pop("env", {}), **_ENVIRONMENT}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        await super()._async_start_kernel(env=environment, **quiet, **kwargs)

    start_kernel = _async_start_kernel
