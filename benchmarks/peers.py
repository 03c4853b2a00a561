"""The same work beside lifetimes, clvkit, pymc-marketing and CLVTools, on the same data, in turns, in one run.

    python benchmarks/peers.py FOLDER [WORK ...]       writes benchmarks/peers.csv; of works that are named, their rows alone

Every run is a process of its own that is warmed up on two thousand customers before its clock starts, so that neither imports nor
compilers are measured; only ``first result`` begins with nothing at all: a notebook of one cell, from before its kernel is there to
its output. The customers are simulated: BG/NBD with the parameters of CDNOW's sample, who join over twelve weeks and are seen for
thirty-nine, as CDNOW's were; ``wide`` are customers who join over a year, of whom hardly two share a history. ``one pass`` reads
what the work reads from memory once, and writes what it writes: nothing can be faster.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from beside import ENVIRONMENTS, HERE, environment, log_of_sample, refusal, script, stamped

import clvnb as cv
from clvnb.models.fitting import Levels
from clvnb.models.gamma_gamma import Spends, log_likelihood
from clvnb.models.histories import collapse

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
CLVTOOLS = """
suppressPackageStartupMessages({library(CLVTools); library(data.table)})
purchases <- fread(commandArgs(trailingOnly = TRUE)[1], colClasses = "character")
of <- function(given) clvdata(given, date.format = "ymd", time.unit = "weeks", name.price = NULL)
work <- function(given) pnbd(given, verbose = FALSE)
invisible(work(of(purchases[Id %in% head(unique(Id), 2000)])))
given <- of(purchases)
took <- system.time(found <- work(given))
most <- as.numeric(gsub("\\\\D", "", grep("VmHWM", readLines("/proc/self/status"), value = TRUE)))
parameters <- coef(found) * c(r = 1, alpha = 7, s = 1, beta = 7)[names(coef(found))]
cat(sprintf("MEASURED {\\"seconds\\": %f, \\"cpu\\": %f, \\"megabytes\\": %f, \\"parameters\\": {%s}}",
            took[["elapsed"]], sum(took[1:2]), most / 1024,
            paste(sprintf("\\"%s\\": %.17g", names(parameters), parameters), collapse = ", ")))
"""
READ = (
    "clvnb",
    """
def work(s): return {"mean": sum(float(s[k].to_numpy().sum()) for k in ("frequency", "recency", "T"))}
""",
)
READ_MONEY = (
    "clvnb",
    """
def work(s): return {"mean": sum(float(s[k].to_numpy().sum()) for k in ("frequency", "monetary_value"))}
""",
)
READ_AND_WRITE = (
    "clvnb",
    """
import numpy as np
def work(s):
    columns = [s[k].to_numpy() for k in ("frequency", "recency", "T", "monetary_value")]
    return {"mean": sum(float((column * 1.0)[0]) for column in columns[:3]) + float(np.nansum(columns[3]))}
""",
)
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
    "one pass": READ_AND_WRITE,
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


COVERAGE = {
    "clvnb": ("clvnb", f"""{OURS}
def work(logs):
    ends = []
    for _, s in logs.groupby("log"):
        table = cv.BGNBD().fit(s).estimates(unit="1 week", level=0.9).set_index("parameter")
        ends.append(table[["low", "high"]].T)
    return {{"held": {{k: sum(bool(e[k]["low"] <= TRUTH[k] <= e[k]["high"]) for e in ends) for k in TRUTH}}}}
"""),
    "pymc-marketing": ("pymc-marketing", f"""{PYMC}
def work(logs):
    ends = []
    for _, s in logs.groupby("log"):
        bg = clv.BetaGeoModel()
        bg.fit(weeks(s), progressbar=False, random_seed=1)
        ends.append({{k: bg.idata.posterior[k].quantile([0.05, 0.95]).to_numpy() for k in TRUTH}})
    return {{"held": {{k: sum(bool(e[k][0] <= TRUTH[k] <= e[k][1]) for e in ends) for k in TRUTH}}}}
"""),
}  # fmt: skip
TRUTH = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
COVERAGE = {way: (where, f"TRUTH = {TRUTH}\n{prepare}") for way, (where, prepare) in COVERAGE.items()}
FIRST = {
    "clvnb": """
import clvnb as cv
log = cv.check_transactions(cv.read_transactions(SOURCE)).kept
summary = cv.summarize(log).to_pandas()
economics = cv.Economics(margin=0.4, discount_rate=0.1, horizon="12 months")
cv.clv_table(summary, cv.BGNBD().fit(summary), cv.GammaGamma().fit(summary), economics)
""",
    "lifetimes": """
import pandas as pd
from lifetimes import BetaGeoFitter, GammaGammaFitter
from lifetimes.utils import summary_data_from_transaction_data
log = pd.read_csv(SOURCE, dtype={"customer_id": str})
s = summary_data_from_transaction_data(log, "customer_id", "date", "amount", freq="W")
bg = BetaGeoFitter().fit(s["frequency"], s["recency"], s["T"])
again = s[(s["frequency"] > 0) & (s["monetary_value"] > 0)]
gg = GammaGammaFitter().fit(again["frequency"], again["monetary_value"])
gg.customer_lifetime_value(bg, s["frequency"], s["recency"], s["T"], s["monetary_value"], time=12, discount_rate=0.008, freq="W")
""",
    "clvkit": """
import pandas as pd
from clvkit import CLV, CustomerBase
log = pd.read_csv(SOURCE, dtype={"customer_id": str})
base = CustomerBase.from_transactions(log, time_unit="W", collapse="D")
CLV().fit(base).predict(horizon=52, discount_rate=0.0018, margin=0.4).to_pandas()
""",
    "pymc-marketing": """
import pandas as pd
from pymc_marketing import clv
log = pd.read_csv(SOURCE, dtype={"customer_id": str})
s = clv.utils.rfm_summary(log, "customer_id", "date", "amount", time_unit="W")
bg, gg = clv.BetaGeoModel(), clv.GammaGammaModel()
bg.fit(s, progressbar=False)
gg.fit(s[(s["frequency"] > 0) & (s["monetary_value"] > 0)], progressbar=False)
s["monetary_value"] = s["monetary_value"].where(s["monetary_value"] > 0, 30.0)
gg.expected_customer_lifetime_value(bg, s, future_t=12, discount_rate=0.008, time_unit="W").mean(("chain", "draw"))
""",
}


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
    most: float = 0.0  # seconds of clvnb's own
    most_megabytes: float = 0.0


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
        "one pass": READ_MONEY,
    }  # fmt: skip
    kit = {
        name: ("clvkit", f"{CLVKIT}\ndef work(s): return fitted({name}().fit(base(s)))") for name in ("BGNBD", "MBGNBD")
    }  # fmt: skip
    least = {"one pass": READ}
    pareto_too = pareto | {"CLVTools": ("CLVTools", CLVTOOLS)} | least
    pareto_bars = {"lifetimes": 800, "CLVTools": 100}
    return [
        Work("BG/NBD fit", "2.4k", bg | least, {}, "BGNBD"),
        Work("BG/NBD fit", "24k", bg | least, {}, "BGNBD"),
        Work(
            "BG/NBD fit", "100k", {**bg, "clvkit": kit["BGNBD"], **least}, {"clvkit": 200}, "BGNBD", seldom=("clvkit",)
        ),
        Work("BG/NBD fit", "1M", bg | least, {"lifetimes": 100}, "BGNBD"),
        Work("BG/NBD fit", "1M wide", bg | least, {}, "BGNBD"),
        Work("BG/NBD fit", "10M", bg | least, {"lifetimes": 150}, "BGNBD", seldom=("lifetimes",), most=1.0),
        Work("MBG/NBD fit", "2.4k", mbg | least, {}, "MBGNBD"),
        Work("MBG/NBD fit", "24k", mbg | least, {}, "MBGNBD"),
        Work(
            "MBG/NBD fit",
            "100k",
            {**mbg, "clvkit": kit["MBGNBD"], **least},
            {"clvkit": 200},
            "MBGNBD",
            seldom=("clvkit",),
        ),
        Work("MBG/NBD fit", "1M", mbg | least, {"lifetimes": 100}, "MBGNBD"),
        Work("MBG/NBD fit", "10M", {"clvnb": mbg["clvnb"], **least}, {}, "MBGNBD"),
        Work("Pareto/NBD fit", "2.4k", pareto_too, {}, "ParetoNBD"),
        Work("Pareto/NBD fit", "24k", pareto_too, {}, "ParetoNBD"),
        Work("Pareto/NBD fit", "100k", {k: pareto_too[k] for k in pareto_too if k != "lifetimes"}, {}, "ParetoNBD"),
        Work("Pareto/NBD fit", "1M", pareto_too, pareto_bars, "ParetoNBD", seldom=("lifetimes", "CLVTools")),
        Work("Pareto/NBD fit", "10M", {"clvnb": pareto["clvnb"], **least}, {}, "ParetoNBD"),
        Work("Gamma-Gamma fit", "2.4k", spend, {}, "GammaGamma"),
        Work("Gamma-Gamma fit", "24k", spend, {}, "GammaGamma"),
        Work("Gamma-Gamma fit", "100k", spend, {}, "GammaGamma"),
        Work("Gamma-Gamma fit", "1M", spend, {"lifetimes": 10}, "GammaGamma"),
        Work("Gamma-Gamma fit", "10M", {k: spend[k] for k in ("clvnb", "one pass")}, {}, "GammaGamma", most=2.0),
        Work("scores", "100k", SCORES, {}),
        Work("scores", "1M", SCORES, {"lifetimes": 100, "pymc-marketing": 30}),
        Work("scores", "10M", {k: SCORES[k] for k in ("clvnb", "one pass")}, {}, most=4.0, most_megabytes=2048),
        Work("fit with intervals", "CDNOW", INTERVALS, {"pymc-marketing": 300}),
        Work("parameters of 20 logs", "20 logs", COVERAGE, {}, turns=1),
    ]


# ------------------------------------------------------------------------------------------------ data


def customers(number: int, *, wide: bool = False, by_day: bool = True, seed: int = 1) -> pd.DataFrame:
    """Histories by day, as a summary of orders has them, or in continuous time, as the model has them."""
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
        when = np.minimum(np.ceil(clock[who]), until[who]) if by_day else clock[who]
        count[who] += when > last[who]  # two purchases of a day are one
        last[who] = when
        who = who[rng.random(len(who)) >= leaves[who]]
    level = SPEND["v"] / rng.gamma(SPEND["q"], size=number)
    mean = rng.gamma(SPEND["p"] * np.maximum(count, 1)) * level / np.maximum(count, 1)
    return pd.DataFrame(
        {
            "customer_id": [f"{k:08d}" for k in range(number)],
            "frequency": count,
            "recency": last.astype(int) if by_day else last,
            "T": until.astype(int),
            "monetary_value": np.where(count > 0, mean, np.nan),
        }
    )


def written(folder: Path, data: str) -> Path:
    path = folder / f"summary {data}.parquet"
    if data == "CDNOW":
        known, _ = cv.split_log(log_of_sample(), "1997-09-30")
        cv.summarize(known, as_of="1997-09-30").to_parquet(path)
    elif data == "20 logs":
        pd.concat(customers(2_400, by_day=False, seed=100 + k).assign(log=k) for k in range(20)).to_parquet(path)
    elif not path.exists():
        size = data.split()[0]
        number = float(size[:-1]) * {"k": 1_000, "M": 1_000_000}[size[-1]]
        customers(int(number), wide="wide" in data).to_parquet(path)
    return path


def purchases(source: Path) -> Path:
    """A log whose summary is that of ``source``, for a peer that takes purchases: the first, the last, others the days after the first."""
    path = source.with_name(source.stem.replace("summary", "purchases") + ".csv")
    if not path.exists():
        known = pd.read_parquet(source)
        bought = known["frequency"].to_numpy() + 1
        of = np.repeat(np.arange(len(known)), bought)
        number = np.arange(bought.sum()) - np.repeat(np.cumsum(bought) - bought, bought)
        recency, T = (known[k].to_numpy(int)[of] for k in ("recency", "T"))
        after = np.where(number == known["frequency"].to_numpy()[of], recency, number)
        day = np.datetime64("2024-12-31") - T + after
        pd.DataFrame({"Id": known["customer_id"].to_numpy()[of], "Date": day.astype(str)}).to_csv(path, index=False)
    return path


# ----------------------------------------------------------------------------------------------- running


def measured(folder: Path, work: Work, programs: dict[str, str | None]) -> Iterator[dict]:
    """All ways of a work in turns, so that a slow moment of the machine slows them alike."""
    source, failed = written(folder, work.data), set()
    for turn in range(work.turns):
        for way, (where, prepare) in work.ways.items():
            program = programs[where]
            if program is None or way in failed or (turn and way in work.seldom):
                continue
            in_r = where == "CLVTools"
            text = prepare if in_r else FRAME.replace("{prepare}", prepare)
            found = script(program, text, purchases(source) if in_r else source)
            if found is None:
                failed.add(way)
                continue
            row = {"work": work.name, "data": work.data, "way": way, "turn": turn}
            row |= {f"width of {k}": v for k, v in found.pop("widths", {}).items()}
            row |= {f"held {k}": v for k, v in found.pop("held", {}).items()}
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
    return model._objective(collapse(summary), None)(model.point(), slope=False)[0]


def imports(rows: list[dict]) -> None:
    """CPU seconds of ``import clvnb`` and of ``import pandas``, each in a Python of its own, in turns."""
    for turn in range(7):
        for name in ("clvnb", "pandas"):
            code = f"import time; start = time.process_time(); import {name}; print(time.process_time() - start)"
            said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
            rows.append(
                {"work": "import", "data": "", "way": name, "turn": turn, "seconds": float(said), "cpu": float(said)}
            )


def first_results(folder: Path, pythons: dict[str, str | None], rows: list[dict]) -> None:
    """Seconds from nothing to the value of every customer of CDNOW's sample, in a notebook of one cell, in turns."""
    import nbformat
    from jupyter_client.kernelspec import KernelSpecManager
    from nbclient import NotebookClient

    orders, kernels = folder / "orders.csv", folder / "kernels"
    log_of_sample()[["customer_id", "date", "amount"]].to_csv(orders, index=False)
    for name, python in pythons.items():
        if name not in FIRST or python is None:
            continue
        (kernels / name).mkdir(parents=True, exist_ok=True)
        argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": argv, "display_name": name, "language": "python", "env": {"OPENBLAS_NUM_THREADS": "1"}}
        (kernels / name / "kernel.json").write_text(json.dumps(spec))
    for turn in range(3):
        for way, cell in FIRST.items():
            if pythons[way] is None:
                continue
            book = nbformat.v4.new_notebook(
                cells=[nbformat.v4.new_code_cell(f"SOURCE = {str(orders)!r}\n{cell.strip()}")]
            )
            client = NotebookClient(book, kernel_name=way, timeout=600)
            client.create_kernel_manager()
            client.km.kernel_spec_manager = KernelSpecManager(kernel_dirs=[str(kernels)])
            start = time.perf_counter()
            client.execute(stderr=subprocess.DEVNULL)
            seconds = time.perf_counter() - start
            assert book.cells[0].outputs, f"{way} showed nothing"
            rows.append({"work": "first result", "data": "CDNOW", "way": way, "turn": turn, "seconds": seconds})
            print(rows[-1], flush=True)


def main() -> None:
    folder, wanted = Path(sys.argv[1]), sys.argv[2:]
    folder.mkdir(parents=True, exist_ok=True)
    programs = {"clvnb": sys.executable} | {name: environment(folder, name) for name in ENVIRONMENTS}
    rows: list[dict] = [
        {"work": "install", "data": refusal(folder, name), "way": name}
        for name, program in programs.items()
        if not program
    ]
    if not wanted:
        imports(rows)
        first_results(folder, programs, rows)
    for work in works():
        if not wanted or any(f"{work.name}, {work.data}".startswith(w) for w in wanted):
            rows += measured(folder, work, programs)
    found = stamped(pd.DataFrame(rows))
    if wanted:
        before = pd.read_csv(HERE / "peers.csv", keep_default_na=False, na_values=[""]).query("work != 'install'")
        again = set(zip(found["work"], found["data"], strict=True))
        found = pd.concat(
            [before[[pair not in again for pair in zip(before["work"], before["data"], strict=True)]], found]
        )
    found.to_csv(HERE / "peers.csv", index=False, float_format="%.12g")


if __name__ == "__main__":
    main()
