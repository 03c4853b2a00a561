"""The same work beside lifetimes, clvkit and pymc-marketing, on the same data, in turns, in one run.

    python benchmarks/peers.py FOLDER [WORK ...]       writes benchmarks/peers.csv, peers.png and RESULTS.md

The environments of the peers are made under FOLDER when they are not there; one that cannot be made is reported so. Every run is a
process of its own that is warmed up on two thousand customers before its clock starts, so that neither imports nor compilers are
measured. The customers are simulated: BG/NBD with the parameters of CDNOW's sample, who join over twelve weeks and are seen for
thirty-nine, as CDNOW's were; ``wide`` are customers who join over a year, of whom hardly two share a history.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

import clvnb as cv
from clvnb.models.base import collapse
from clvnb.models.fitting import Levels
from clvnb.models.gamma_gamma import Spends, log_likelihood

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = {
    "lifetimes": ["lifetimes==0.11.3", "numpy==1.26.4", "pandas==2.1.4", "scipy==1.11.4", "setuptools<81", "pyarrow==14.0.2"],
    "clvkit": ["clvkit==0.2.1", "pyarrow"],
    "pymc-marketing": ["pymc-marketing==0.19.2", "nutpie", "pyarrow"],
}
FRAME = """
import json, os, resource, sys, time, warnings
warnings.filterwarnings("ignore")
import pandas as pd
source = sys.argv[1]
s = pd.read_parquet(source)
few = s.head(2000).copy()
out = {}
{prepare}
work(few)
start, cpu = time.perf_counter(), time.process_time()
out = work(s) or {}
out = {**out, "seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu,
       "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
print("MEASURED", json.dumps(out))
"""
OURS = """
import clvnb as cv
def fitted(model):
    return {"parameters": {k: float(v) for k, v in model.params_.items()}}
"""
LIFETIMES = """
from lifetimes import BetaGeoFitter, ModifiedBetaGeoFitter, ParetoNBDFitter, GammaGammaFitter
def weeks(s):
    return s["frequency"], s["recency"] / 7, s["T"] / 7
def fitted(model, times=("alpha", "beta")):
    return {"parameters": {k: float(v) * (7 if k in times else 1) for k, v in model.params_.items()}}
"""
CLVKIT = """
from clvkit import BGNBD, MBGNBD, CustomerBase
def base(s):
    given = s[["frequency"]].assign(recency=s["recency"] / 7, T=s["T"] / 7, monetary_value=s["monetary_value"].fillna(0))
    end = pd.Timestamp("2024-12-31")
    return CustomerBase(given.set_index(s["customer_id"]), time_unit="W", observation_period_end=end, has_monetary=True, on_negative="net",
                        collapse="D")
def fitted(model):
    return {"parameters": {k: float(v) * (7 if k == "alpha" else 1) for k, v in model.params_.items()}}
"""
PYMC = """
import logging
logging.disable(logging.WARNING)
from pymc_marketing import clv
def weeks(s):
    return pd.DataFrame({"customer_id": s["customer_id"], "frequency": s["frequency"], "recency": s["recency"] / 7, "T": s["T"] / 7,
                         "monetary_value": s["monetary_value"].fillna(0)})
"""
PURCHASES = cv.BGNBD.with_params(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="1 week").params_.to_dict()
SPEND = {"p": 6.25, "q": 3.74, "v": 15.44}


def purchase_fits(ours: str, theirs: str) -> dict[str, tuple[str, str]]:
    """A purchase model's fit in clvnb and in lifetimes."""
    return {
        "clvnb": ("clvnb", f"{OURS}\ndef work(s): return fitted(cv.{ours}().fit(s))"),
        "lifetimes": ("lifetimes", f"{LIFETIMES}\ndef work(s): return fitted({theirs}().fit(*weeks(s)))"),
    }


SCORES = {
    "clvnb": ("clvnb", f"""{OURS}
bg, gg = cv.BGNBD.with_params(**{PURCHASES}), cv.GammaGamma.with_params(**{SPEND})
def work(s):
    bg.expected_purchases(s, "365 days"), bg.probability_alive(s)
    worth = bg.discounted_purchases(s, "12 months", 0.1) * gg.expected_spend(s)
    return {{"mean": float(worth.mean())}}
"""),
    "lifetimes": ("lifetimes", f"""{LIFETIMES}
few_ = few[few["frequency"] > 0]
bg, gg = BetaGeoFitter().fit(*weeks(few)), GammaGammaFitter().fit(few_["frequency"], few_["monetary_value"])
bg.params_[["r", "alpha", "a", "b"]] = 0.243, 4.414, 0.793, 2.426
gg.params_[["p", "q", "v"]] = {SPEND["p"]}, {SPEND["q"]}, {SPEND["v"]}
def work(s):
    x, t, T = weeks(s)
    bg.conditional_expected_number_of_purchases_up_to_time(365 / 7, x, t, T), bg.conditional_probability_alive(x, t, T)
    worth = gg.customer_lifetime_value(bg, x, t, T, s["monetary_value"].fillna(0), time=12, discount_rate=1.1 ** (1 / 12) - 1, freq="W")
    return {{"mean": float(worth.mean())}}
"""),
    "pymc-marketing": ("pymc-marketing", f"""{PYMC}
bg, gg = clv.BetaGeoModel(), clv.GammaGammaModel()
bg.fit(weeks(few), method="map", progressbar=False)
gg.fit(weeks(few[few["frequency"] > 0]), method="map", progressbar=False)
def work(s):
    given = weeks(s)
    bg.expected_purchases(given, future_t=365 / 7), bg.expected_probability_alive(given)
    given["monetary_value"] = given["monetary_value"].where(given["frequency"] > 0, 30.0)
    worth = gg.expected_customer_lifetime_value(bg, given, future_t=12, discount_rate=1.1 ** (1 / 12) - 1, time_unit="W")
    return {{"mean": float(worth.mean())}}
"""),
}  # fmt: skip


@dataclass(frozen=True)
class Work:
    """Something to measure: data, the ways to do it, the bars, and the likelihood that judges the fits."""

    name: str
    data: str
    ways: dict[str, tuple[str, str]]
    bars: dict[str, float]
    model: str = ""
    turns: int = 3
    seldom: tuple[str, ...] = ()  # ways that take minutes, and are run once


def works() -> list[Work]:
    bg, mbg = purchase_fits("BGNBD", "BetaGeoFitter"), purchase_fits("MBGNBD", "ModifiedBetaGeoFitter")
    pareto = purchase_fits("ParetoNBD", "ParetoNBDFitter")
    spend = {
        "clvnb": ("clvnb", f"{OURS}\ndef work(s): return fitted(cv.GammaGamma().fit(s))"),
        "lifetimes": ("lifetimes", f"""{LIFETIMES}
def work(s):
    s = s[s["frequency"] > 0]
    return fitted(GammaGammaFitter().fit(s["frequency"], s["monetary_value"]), ())
"""),
    }  # fmt: skip
    kit = {
        name: ("clvkit", f"{CLVKIT}\ndef work(s): return fitted({name}().fit(base(s)))") for name in ("BGNBD", "MBGNBD")
    }  # fmt: skip
    alone = {"clvnb": bg["clvnb"]}
    return [
        Work("BG/NBD fit", "24k", bg, {}, "BGNBD"),
        Work("BG/NBD fit", "100k", {**bg, "clvkit": kit["BGNBD"]}, {"clvkit": 200}, "BGNBD", seldom=("clvkit",)),
        Work("BG/NBD fit", "1M", bg, {"lifetimes": 100}, "BGNBD"),
        Work("BG/NBD fit", "1M wide", bg, {}, "BGNBD"),
        Work("BG/NBD fit", "10M", alone, {}, "BGNBD"),
        Work("MBG/NBD fit", "100k", {**mbg, "clvkit": kit["MBGNBD"]}, {"clvkit": 200}, "MBGNBD", seldom=("clvkit",)),
        Work("MBG/NBD fit", "1M", mbg, {"lifetimes": 100}, "MBGNBD"),
        Work("Pareto/NBD fit", "24k", pareto, {}, "ParetoNBD"),
        Work("Pareto/NBD fit", "100k", {"clvnb": pareto["clvnb"]}, {}, "ParetoNBD"),
        Work("Pareto/NBD fit", "1M", pareto, {"lifetimes": 800}, "ParetoNBD", seldom=("lifetimes",)),
        Work("Pareto/NBD fit", "10M", {"clvnb": pareto["clvnb"]}, {}, "ParetoNBD", turns=1),
        Work("Gamma-Gamma fit", "100k", spend, {}, "GammaGamma"),
        Work("Gamma-Gamma fit", "1M", spend, {"lifetimes": 10}, "GammaGamma"),
        Work("Gamma-Gamma fit", "10M", {"clvnb": spend["clvnb"]}, {}, "GammaGamma"),
        Work("scores", "100k", SCORES, {}),
        Work("scores", "1M", SCORES, {"lifetimes": 100, "pymc-marketing": 30}),
        Work("scores", "10M", {"clvnb": SCORES["clvnb"]}, {}),
    ]


# ------------------------------------------------------------------------------------------------ data


def customers(number: int, *, wide: bool, seed: int = 1) -> pd.DataFrame:
    """Histories by day, as a summary of orders has them."""
    rng = np.random.default_rng(seed)
    seen, joining = (728, 364) if wide else (273, 84)
    rate = rng.gamma(0.243, 1 / 4.414, number) / 7
    leaves = rng.beta(0.793, 2.426, number)
    until = (seen - rng.integers(0, joining, number)).astype(float)
    count, last, clock = np.zeros(number, int), np.zeros(number), np.zeros(number)
    who = np.arange(number)
    while len(who):
        clock[who] += rng.exponential(size=len(who)) / np.maximum(rate[who], 1e-12)
        who = who[clock[who] < until[who]]
        new = np.ceil(clock[who]) > last[who]  # two purchases of a day are one
        count[who] += new
        last[who] = np.minimum(np.ceil(clock[who]), until[who])
        who = who[rng.random(len(who)) >= leaves[who]]
    level = SPEND["v"] / rng.gamma(SPEND["q"], size=number)
    mean = rng.gamma(SPEND["p"] * np.maximum(count, 1)) * level / np.maximum(count, 1)
    return pd.DataFrame(
        {
            "customer_id": [f"{k:08d}" for k in range(number)],
            "frequency": count,
            "recency": last.astype(int),
            "T": until.astype(int),
            "monetary_value": np.where(count > 0, mean, np.nan),
        }
    )


def written(folder: Path, data: str) -> Path:
    path = folder / f"summary {data}.parquet"
    if not path.exists():
        size = data.split()[0]
        number = int(size[:-1]) * {"k": 1_000, "M": 1_000_000}[size[-1]]
        customers(number, wide="wide" in data).to_parquet(path)
    return path


# ----------------------------------------------------------------------------------------------- running


def environment(folder: Path, name: str) -> str | None:
    """The Python of a peer's environment; it is made when it is not there."""
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


def run(python: str, prepare: str, source: Path) -> dict | None:
    """One process; None where it fails, with its last words shown."""
    script = FRAME.replace("{prepare}", prepare)
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([python, "-c", script, str(source)], capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        print((done.stderr.strip() or f"ended by signal {-done.returncode}").splitlines()[-3:])
        return None
    return json.loads(done.stdout.rpartition("MEASURED ")[2])


def measured(folder: Path, work: Work, pythons: dict[str, str | None]) -> Iterator[dict]:
    """All ways of a work in turns, so that a slow moment of the machine slows them alike."""
    source, failed = written(folder, work.data), set()
    for turn in range(work.turns):
        for way, (where, prepare) in work.ways.items():
            python = pythons[where]
            if python is None or way in failed or (turn and way in work.seldom):
                continue
            found = run(python, prepare, source)
            if found is None:
                failed.add(way)
                continue
            row = {"work": work.name, "data": work.data, "way": way, "turn": turn}
            parameters = found.pop("parameters", None)
            if parameters and work.model:
                row["log_likelihood"] = likelihood(work.model, parameters, source)
            print(row | found, flush=True)
            yield row | found


def likelihood(name: str, parameters: dict[str, float], source: Path) -> float:
    """One likelihood judges all: clvnb's, whose terms the tests hold against the literature; each customer by itself."""
    summary = pd.read_parquet(source)
    model = getattr(cv, name).with_params(**{k: parameters[k] for k in getattr(cv, name).parameters})
    if name == "GammaGamma":
        bought = summary[summary["frequency"] > 0]
        n = len(bought)
        each = Spends(
            Levels.of(bought["frequency"].to_numpy(float)),
            np.log(bought["monetary_value"].to_numpy(float)),
            np.zeros(n),
            np.ones(n),
        )
        return float(log_likelihood(*model.params_, each)[0].sum())
    return model._objective(collapse(summary), None)(model._theta(), slope=False)[0]


def main() -> None:
    folder, wanted = Path(sys.argv[1]), sys.argv[2:]
    folder.mkdir(parents=True, exist_ok=True)
    pythons = {"clvnb": sys.executable} | {name: environment(folder, name) for name in ENVIRONMENTS}
    rows = []
    for work in works():
        if not wanted or any(w in f"{work.name}, {work.data}" for w in wanted):
            rows += measured(folder, work, pythons)
    names = ["work", "data", "way", "turn", "seconds", "cpu", "megabytes", "log_likelihood", "mean"]
    with (HERE / "peers.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, names, restval="")
        out.writeheader()
        out.writerows(rows)
    table(rows)


def table(rows: list[dict]) -> None:
    """Ratios of medians, with the smallest and largest ratio of a turn."""
    data = pd.DataFrame(rows)
    for work in works():
        own = data[(data["work"] == work.name) & (data["data"] == work.data)]
        if own.empty:
            continue
        base = own[own["way"] == "clvnb"]["seconds"]
        for way in own["way"].unique():
            seconds = own[own["way"] == way]["seconds"]
            ratio = median(seconds) / median(base)
            print(
                f"{work.name:<16}{work.data:<9}{way:<16}{median(seconds):9.3f} s  x {ratio:8.1f}   bar {work.bars.get(way, '')}"
            )


if __name__ == "__main__":
    main()
