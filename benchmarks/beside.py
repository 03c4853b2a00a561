"""The peers' own environments, and work done in them: what the scripts here share.

An environment is made under FOLDER when it is not there; a peer that cannot be installed is reported, and left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

__all__ = ["ENVIRONMENTS", "HERE", "environment", "log_of_sample", "script"]

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = {
    "lifetimes": [
        "lifetimes==0.11.3",
        "numpy==1.26.4",
        "pandas==2.1.4",
        "scipy==1.11.4",
        "setuptools<81",
        "pyarrow==14.0.2",
        "ipykernel",
    ],
    "clvkit": ["clvkit==0.2.1", "pyarrow", "ipykernel"],
    "pymc-marketing": ["pymc-marketing==0.19.2", "nutpie", "pyarrow", "ipykernel"],
    "polars": ["polars==2.1.0"],
}


def environment(folder: Path, name: str) -> str | None:
    """The Python of a peer's environment."""
    place = folder / "environments" / name
    python, ready = place / "bin/python", place / ".ready"
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        done = subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", *ENVIRONMENTS[name]], capture_output=True, text=True, check=False
        )  # fmt: skip
        if done.returncode:
            print(f"{name} could not be installed: {done.stderr.strip().splitlines()[-1]}")
            return None
        ready.touch()
    return str(python)


def script(python: str, text: str, *arguments: object) -> dict | None:
    """Run a script in a process of its own that prints MEASURED and JSON; None where it fails, with its last words shown."""
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    given = [python, "-c", text, *map(str, arguments)]
    done = subprocess.run(given, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        print((done.stderr.strip() or f"ended by signal {-done.returncode}").splitlines()[-3:])
        return None
    return json.loads(done.stdout.rpartition("MEASURED ")[2])


def log_of_sample() -> object:
    """The orders of CDNOW's sample of 2,357 customers: a LOG."""
    import pandas as pd

    import clvnb as cv

    names = {"customer_id": "customer_id", "date": "date", "amount": "dollar_value"}
    raw = pd.read_csv(HERE.parent / "data/cdnow/sample.csv", dtype=str)
    return cv.read_transactions(raw, columns=names, date_format="%Y%m%d")
