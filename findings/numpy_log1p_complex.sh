#!/usr/bin/env bash
# Claim: log1p of a small complex number keeps half of its digits, or none, in the real part.
# Version: numpy 2.4.6; known in its tracker since November 2022, open. scipy 1.17.1 beside it is right.
# Behaviour: numpy adds 1 first. Of 1e-10 + 1e-10j eight of sixteen digits are right; the real part of log1p(-5e-11 + 1e-5j) is 0 instead of
#   1.25e-21. For real numbers log1p is exact.
# Why it is met: gradients of a likelihood by the complex step, where the imaginary part is tiny on purpose.
# Guess before running: a relative error below 1e-15, as for real numbers.
# Seen: 8e-8 for the first, all of the real part for the second.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check 'numpy==2.4.6' 'scipy==1.17.1' 'mpmath==1.4.1'
venv/bin/python -W ignore - <<'PY'
import mpmath
import numpy as np
import scipy.special

mpmath.mp.dps = 50
for z in (1e-10 + 1e-10j, -5e-11 + 1e-5j):
    true = complex(mpmath.log1p(mpmath.mpc(z.real, z.imag)))
    off = {name: abs(f(z).real - true.real) / abs(true.real) for name, f in (("numpy", np.log1p), ("scipy", scipy.special.log1p))}
    print(z, "true real part", true.real, "relative error", off)
    assert off["numpy"] > 1e-9 and off["scipy"] < 1e-12
assert np.log1p(z).real == 0
assert abs(np.log1p(1e-10) - 9.9999999995e-11) < 1e-25  # real numbers keep all digits
PY
