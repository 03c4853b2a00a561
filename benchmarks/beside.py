"""The peers' own environments, and work done in them: what the scripts here share.

An environment is made under FOLDER when it is not there; a peer that cannot be installed is reported, and left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from shutil import which

import pandas as pd

__all__ = ["ENVIRONMENTS", "HERE", "environment", "log_of_sample", "refusal", "script", "stamped", "state"]

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
    "CLVTools": ["CLVTools"],  # of R, in a library of its own
}


def environment(folder: Path, name: str) -> str | None:
    """The program that runs a peer's scripts: the Python of its environment, for CLVTools an Rscript with its library."""
    place = folder.resolve() / "environments" / name
    program = place / ("Rscript" if name == "CLVTools" else "bin/python")
    if not (place / ".ready").exists():
        place.mkdir(parents=True, exist_ok=True)
        why = r_library(place, program) if name == "CLVTools" else virtual_environment(place, program, name)
        if why:
            (place / "refused").write_text(why)
            print(f"{name} could not be installed: {why}")
            return None
        (place / ".ready").touch()
    return str(program)


def virtual_environment(place: Path, program: Path, name: str) -> str:
    """Make it; why it could not be made, or nothing."""
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    install = [str(program), "-m", "pip", "install", "--quiet", *ENVIRONMENTS[name]]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


def r_library(place: Path, program: Path) -> str:
    """Make it; why it could not be made, or nothing."""
    if not which("Rscript"):
        return "there is no R on this machine"
    program.write_text(f'#!/bin/sh\nR_LIBS="{place}" exec Rscript "$@"\n')
    program.chmod(0o755)
    install = f'install.packages("CLVTools", lib = "{place}"); library(CLVTools)'
    done = subprocess.run([str(program), "-e", install], capture_output=True, text=True, check=False)
    if done.returncode and "unable to access index" in done.stderr:
        return "R reaches none of its package repositories from this machine"
    return done.stderr.strip().splitlines()[-2] if done.returncode else ""  # the last line is that it was halted


def refusal(folder: Path, name: str) -> str:
    """Why a peer could not be installed."""
    return (folder / "environments" / name / "refused").read_text()


def script(program: str, text: str, *arguments: object) -> dict | None:
    """Run a script in a process of its own that prints MEASURED and JSON; None where it fails, with its last words shown."""
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    given = [program, "-e" if program.endswith("Rscript") else "-c", text, *map(str, arguments)]
    done = subprocess.run(given, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        print((done.stderr.strip() or f"ended by signal {-done.returncode}").splitlines()[-3:])
        return None
    return json.loads(done.stdout.rpartition("MEASURED ")[2])


def state() -> str:
    """A name for the package's code as it is now: other code, another name."""
    files = sorted((HERE.parent / "clvnb").rglob("*.py"))
    return sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:8]


def stamped(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the moment at which they were done measuring, and the code that was measured."""
    return rows.assign(measured=f"{datetime.now():%Y-%m-%d %H:%M}", state=state())


def log_of_sample() -> object:
    """The orders of CDNOW's sample of 2,357 customers: a LOG."""
    import clvnb as cv

    names = {"customer_id": "customer_id", "date": "date", "amount": "dollar_value"}
    raw = pd.read_csv(HERE.parent / "data/cdnow/sample.csv", dtype=str)
    return cv.read_transactions(raw, columns=names, date_format="%Y%m%d")
