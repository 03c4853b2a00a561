"""Run tests as another processor would: with OpenBLAS's kernels, numpy's loops and the C library of an older one.

``python tests/kernels.py CORE THREADS [ARGUMENT OF PYTEST ...]``, CORE as OpenBLAS calls it, such as Nehalem or Haswell. Sums
and logarithms then differ in their last digits, and nothing that is stored or compared may.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

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


def another_processor(core: str, threads: str) -> dict[str, str]:
    """The environment in which this machine computes as an older one."""
    return {
        **os.environ,
        "OPENBLAS_CORETYPE": core,
        "OPENBLAS_NUM_THREADS": threads,
        "NPY_DISABLE_CPU_FEATURES": asked(_CPU, dict(os.environ)).strip(),
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA",
    }


def main() -> int:
    """Run pytest there, unless the kernels are this machine's own."""
    core, threads, *args = sys.argv[1:]
    env = another_processor(core, threads)
    own, other = (json.loads(asked(_BLAS, e)) for e in (dict(os.environ), env))
    sys.stdout.write(f"BLAS kernels (threads): {', '.join(own)} by default, {', '.join(other)} in this run\n")
    sys.stdout.flush()
    if own == other:
        sys.stderr.write("these are this machine's own kernels, so nothing would be learned\n")
        return 1
    return subprocess.call([sys.executable, "-m", "pytest", *args], env=env)


if __name__ == "__main__":
    sys.exit(main())
