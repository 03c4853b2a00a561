"""The same work beside lifetimes, clvkit and pymc-marketing, on the same data, in turns, in one run.

    python benchmarks/peers.py FOLDER [WORK ...]       writes benchmarks/peers.csv, peers.png and RESULTS.md

The environments of the peers are made under FOLDER when they are not there; one that cannot be made is reported so. Every run is a
process of its own that is warmed up on two thousand customers before its clock starts, so that neither imports nor compilers are
measured. The customers are simulated: BG/NBD with the parameters of CDNOW's sample, who join over twelve weeks and are seen for
thirty-nine, as CDNOW's were; ``wide`` are customers who join over a year, of whom hardly two share a history.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import clvnb as cv
from clvnb.models.base import collapse
from clvnb.models.fitting import Levels
from clvnb.models.gamma_gamma import Spends, log_likelihood

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = {
    "lifetimes": [
        "lifetimes==0.11.3",
        "numpy==1.26.4",
        "pandas==2.1.4",
        "scipy==1.11.4",
        "setuptools<81",
        "pyarrow==14.0.2",
    ],
    "clvkit": ["clvkit==0.2.1", "pyarrow"],
    "pymc-marketing": ["pymc-marketing==0.19.2", "nutpie", "pyarrow"],
}
FRAME = """
import json, os, re, sys, time, warnings
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
       "megabytes": int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024}
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


INTERVALS = {
    "clvnb": ("clvnb", f"""{OURS}
terms = cv.Economics(margin=0.4, discount_rate=0.1, horizon="12 months")
def work(s):
    bg, gg = cv.BGNBD().fit(s), cv.GammaGamma().fit(s)
    cv.clv_table(s, bg, gg, terms, level=0.9)
    table = bg.estimates(unit="1 week", level=0.9).set_index("parameter")
    return {{"widths": {{k: float(table.loc[k, "high"] - table.loc[k, "low"]) for k in table.index}}}}
"""),
    "pymc-marketing": ("pymc-marketing", f"""{PYMC}
def work(s):
    bg, gg = clv.BetaGeoModel(), clv.GammaGammaModel()
    bg.fit(weeks(s), progressbar=False, random_seed=1)
    gg.fit(weeks(s[(s["frequency"] > 0) & (s["monetary_value"] > 0)]), progressbar=False, random_seed=1)
    given = weeks(s)
    given["monetary_value"] = given["monetary_value"].where(given["frequency"] > 0, 30.0)
    worth = gg.expected_customer_lifetime_value(bg, given, future_t=12, discount_rate=1.1 ** (1 / 12) - 1, time_unit="W")
    worth.quantile([0.05, 0.95], dim=("chain", "draw"))
    posterior = bg.idata.posterior
    ends = {{k: posterior[k].quantile([0.05, 0.95]).to_numpy() for k in ("r", "alpha", "a", "b")}}
    return {{"widths": {{k: float(v[1] - v[0]) for k, v in ends.items()}}}}
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
        Work("fit with intervals", "CDNOW", INTERVALS, {"pymc-marketing": 300}, turns=2),
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
    if data == "CDNOW":
        names = {"customer_id": "customer_id", "date": "date", "amount": "dollar_value"}
        raw = pd.read_csv(HERE.parent / "data/cdnow/sample.csv", dtype=str)
        log = cv.read_transactions(raw, columns=names, date_format="%Y%m%d")
        cv.summarize(cv.split_log(log, "1997-09-30")[0], as_of="1997-09-30").to_parquet(path)
    elif not path.exists():
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
            widths = found.pop("widths", {})
            row = {"work": work.name, "data": work.data, "way": way, "turn": turn}
            row |= {f"width of {k}": v for k, v in widths.items()}
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


def imports(rows: list[dict]) -> None:
    """CPU seconds of ``import clvnb`` and of ``import pandas``, each in a Python of its own, in turns."""
    for turn in range(7):
        for name in ("clvnb", "pandas"):
            code = f"import time; start = time.process_time(); import {name}; print(time.process_time() - start)"
            said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
            rows.append(
                {"work": "import", "data": "", "way": name, "turn": turn, "seconds": float(said), "cpu": float(said)}
            )


def main() -> None:
    folder, wanted = Path(sys.argv[1]), sys.argv[2:]
    folder.mkdir(parents=True, exist_ok=True)
    pythons = {"clvnb": sys.executable} | {name: environment(folder, name) for name in ENVIRONMENTS}
    rows: list[dict] = []
    imports(rows)
    for work in works():
        if not wanted or any(w in f"{work.name}, {work.data}" for w in wanted):
            rows += measured(folder, work, pythons)
    data = pd.DataFrame(rows)
    missing = [name for name, python in pythons.items() if python is None]
    data.to_csv(HERE / "peers.csv", index=False, float_format="%.6g")
    write_results(data, missing)


# ---------------------------------------------------------------------------------------------- telling


def write_results(data: pd.DataFrame, missing: list[str]) -> None:
    text = [
        "# Beside the peers",
        f"Measured on {date.today():%d %B %Y} by `make bench`: {machine()}. clvnb {cv.__version__}, lifetimes 0.11.3, clvkit 0.2.1, "
        "pymc-marketing 0.19.2.",
        "Every run is a process of its own, warmed up on two thousand customers; the ways take turns. A ratio is that of the medians, with "
        "the smallest and the largest of a turn; what takes minutes is run once. One BLAS thread each. clvnb's fit contains the putting "
        "together of equal histories, its standard errors, and a check that it is a maximum. CLVTools needs R and CRAN, which could not be "
        "reached here: not measured." + (f" Not installed, and so not measured: {', '.join(missing)}." if missing else ""),
        "## Fits and scores", table(data),
        "`scores`: expected purchases in a year, the chance to be active, and discounted value of twelve months, for every customer. "
        "`wide` are customers who join over a year, of whom hardly two share a history; the others join over twelve weeks, as CDNOW's did. "
        "The log-likelihood is clvnb's for all, at each one's estimates: below 1e-6 of it they agree.",
        "![Seconds against customers, both on logarithmic scales](peers.png)",
        "## Growth", slopes(data),
        "## Parameter intervals beside NUTS", widths(data),
        "## Import", imported(data),
        "## Elsewhere",
        "Orders to summary, beside SQL by hand, polars, lifetimes and clvkit: `scale.csv`. Reports a minute, beside papermill: `reports.csv`. "
        "Accuracy on real logs, beside lifetimes and naive guesses: `accuracy.csv`. Coverage of intervals: `intervals.csv`. What each "
        "column means stands in `README.md`.",
    ]  # fmt: skip
    (HERE / "RESULTS.md").write_text("\n\n".join(text) + "\n", encoding="utf-8")
    draw(data)


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} processors ({platform.machine()}), {memory:.0f} GB, {platform.system()}, Python {platform.python_version()}"


def ratio(data: pd.DataFrame, way: str, base: str = "clvnb") -> tuple[float, float, float]:
    """Of medians, and the smallest and largest of a turn."""
    own, other = (data[data["way"] == w].set_index("turn")["seconds"] for w in (base, way))
    each = (other / own).dropna()
    return float(other.median() / own.median()), float(each.min()), float(each.max())


def verdict(found: float, bar: float) -> str:
    return "" if not bar else f"{bar:g}: met" if found >= bar else f"{bar:g}: **short**"


def table(data: pd.DataFrame) -> str:
    lines = [
        "| work | customers | way | seconds | times clvnb's | at least | MB | log-likelihood less clvnb's |",
        "|---|---|---|--:|--:|---|--:|--:|",
    ]
    for work in works():
        own = data[(data["work"] == work.name) & (data["data"] == work.data)]
        for way in own["way"].unique():
            one, ours = own[own["way"] == way], own[own["way"] == "clvnb"]
            found, low, high = ratio(own, way)
            times = "1" if way == "clvnb" else f"{found:,.0f} ({low:,.0f} to {high:,.0f})"
            less = one["log_likelihood"].median() - ours["log_likelihood"].median() if work.model else float("nan")
            lines.append(
                f"| {work.name} | {work.data} | {way} | {one['seconds'].median():.3f} | {times} | {verdict(found, work.bars.get(way, 0))} | "
                f"{one['megabytes'].max():,.0f} | {'' if way == 'clvnb' or pd.isna(less) else f'{less:.2g}'} |"
            )
    return "\n".join(lines)


def slopes(data: pd.DataFrame) -> str:
    lines = ["| work | slope from 100 k to 10 M | at most |", "|---|--:|---|"]
    for name in dict.fromkeys(w.name for w in works()):
        own = data[(data["work"] == name) & (data["way"] == "clvnb")].groupby("data")["seconds"].median()
        if {"100k", "10M"} <= set(own.index):
            slope, bar = float(np.log(own["10M"] / own["100k"]) / np.log(100)), 0.8 if "fit" in name else 1.05
            lines.append(f"| {name} | {slope:.2f} | {bar}: {'met' if slope <= bar else '**short**'} |")
    return "\n".join(lines)


def widths(data: pd.DataFrame) -> str:
    own = data[data["work"] == "fit with intervals"].groupby("way").first()
    if len(own) < 2:
        return "pymc-marketing could not be measured."
    lines = ["90 % intervals of BG/NBD's parameters on CDNOW's sample, in weeks; NUTS has pymc-marketing's own priors.", "",
             "| parameter | clvnb | NUTS | ratio |", "|---|--:|--:|--:|"]  # fmt: skip
    for name in ("r", "alpha", "a", "b"):
        ours, theirs = (own.loc[w, f"width of {name}"] for w in ("clvnb", "pymc-marketing"))
        lines.append(f"| {name} | {ours:.3f} | {theirs:.3f} | {ours / theirs:.2f} |")
    return "\n".join(lines)


def imported(data: pd.DataFrame) -> str:
    cpu = data[data["work"] == "import"].groupby("way")["cpu"].median()
    found = cpu["clvnb"] / cpu["pandas"]
    return (
        f"`import clvnb` takes {cpu['clvnb']:.3f} CPU seconds, `import pandas` {cpu['pandas']:.3f}: {found:.2f} times as many "
        f"(at most 1.3: {'met' if found <= 1.3 else '**short**'})."
    )


def draw(data: pd.DataFrame) -> None:
    """Seconds against customers, one picture for each work."""
    import matplotlib.pyplot as plt

    names = [n for n in dict.fromkeys(w.name for w in works()) if n != "fit with intervals"]
    marks = {"clvnb": ("o", "-", "#1f6f8b"), "lifetimes": ("s", "--", "#c8553d"), "clvkit": ("^", ":", "#555555"),
             "pymc-marketing": ("D", "-.", "#8a6d00")}  # fmt: skip
    figure, places = plt.subplots(1, len(names), figsize=(3.1 * len(names), 3.4), sharey=True, layout="constrained")
    for ax, name in zip(places, names, strict=True):
        own = data[(data["work"] == name) & ~data["data"].str.contains("wide")]
        for way, (mark, line, colour) in marks.items():
            one = own[own["way"] == way].groupby("data")["seconds"].median()
            size = one.index.str.replace("k", "e3").str.replace("M", "e6").astype(float)
            order = np.argsort(size)
            if len(one):
                ax.plot(size[order], one.to_numpy()[order], mark + line, color=colour, label=way)
        ax.set(xscale="log", yscale="log", title=name, xlabel="customers")
        ax.grid(alpha=0.3)
    places[0].set_ylabel("seconds")
    figure.legend(*_all_labels(places), loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(HERE / "peers.png", dpi=110)


def _all_labels(places: Any) -> tuple[list, list]:
    found = {label: handle for ax in places for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    return list(found.values()), list(found)


if __name__ == "__main__":
    main()
