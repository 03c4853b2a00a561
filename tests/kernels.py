"""Workers for the tests that compute as other processors would: with OpenBLAS's kernels, numpy's loops and the C library of older ones.

``python tests/kernels.py`` prints what ``make test WORKERS=...`` takes: one worker as this machine computes, one as a Nehalem with one
thread, one as a Haswell with two; the kernels and processes that a worker starts compute as it does. Sums and logarithms then
differ in their last digits, and nothing that is stored or compared may.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

PROCESSORS = {"Nehalem": "1", "Haswell": "2"}  # as OpenBLAS calls them, and threads

_CPU = """
from numpy._core._multiarray_umath import __cpu_dispatch__ as found, __cpu_features__ as has
print(*(name for name in found if has.get(name)))
"""
_BLAS = """
import json, numpy, scipy.linalg, threadpoolctl
print(json.dumps(sorted({f"{k['architecture']} ({k['num_threads']})" for k in threadpoolctl.threadpool_info() if "architecture" in k})))
"""


def asked(code: str, env: dict[str, str]) -> str:
    """What a fresh Python says."""
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout


def settings(core: str, threads: str) -> dict[str, str]:
    """The environment in which this machine computes as an older one."""
    return {
        "OPENBLAS_CORETYPE": core,
        "OPENBLAS_NUM_THREADS": threads,
        "NPY_DISABLE_CPU_FEATURES": asked(_CPU, dict(os.environ)).strip().replace(" ", ","),
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA",
    }


def main() -> int:
    """Print the workers, unless their kernels are this machine's own."""
    own, workers = json.loads(asked(_BLAS, dict(os.environ))), ["--tx popen"]
    for core, threads in PROCESSORS.items():
        more = settings(core, threads)
        other = json.loads(asked(_BLAS, {**os.environ, **more}))
        sys.stderr.write(f"BLAS kernels (threads): {', '.join(own)} by default, {', '.join(other)} in a worker\n")
        if own == other:
            sys.stderr.write("these are this machine's own, so nothing would be learned\n")
            return 1
        workers.append("--tx popen//" + "//".join(f"env:{name}={value}" for name, value in more.items()))
    print(*workers)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
