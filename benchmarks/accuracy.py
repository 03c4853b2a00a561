"""Is the model that clvnb chooses as accurate as the best peer's, on real logs whose future is known?

    python benchmarks/accuracy.py FOLDER [NAME=LOG.parquet ...]        writes benchmarks/accuracy.csv

CDNOW's log and its sample are always there; more logs (customer_id, date, amount) may be given. Each is cut at two thirds.
``choose_model`` sees the first part only, and chooses by predictions from earlier days inside it; then the last third is predicted, by
its choice, by every model, by the models of lifetimes, clvkit and pymc-marketing (at the maximum of its posterior) fitted on the
same summary in environments under FOLDER, and by the naive guesses.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from beside import environment, log_of_sample, script, stamped

import clvnb as cv
from clvnb.core.engine import to_pandas
from clvnb.value.evaluate import CANDIDATES
from clvnb.value.predictions import gain

FRAME = """
import logging, sys, warnings
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
import pandas as pd
s, days = pd.read_parquet(sys.argv[1]), float(sys.argv[2])
weeks = s[["customer_id", "frequency"]].assign(recency=s["recency"] / 7, T=s["T"] / 7)
out = pd.DataFrame(index=s.index)
def told(name, work):
    try:
        out[name] = work()
    except Exception as error:
        print(name, error, file=sys.stderr)
{body}
out.to_parquet(sys.argv[3])
print("MEASURED", "{{}}")
"""
PEERS = {
    "lifetimes": """
from lifetimes import BetaGeoFitter, ModifiedBetaGeoFitter, ParetoNBDFitter
given = weeks["frequency"], weeks["recency"], weeks["T"]
for name, fitter in {"BG/NBD": BetaGeoFitter, "MBG/NBD": ModifiedBetaGeoFitter, "Pareto/NBD": ParetoNBDFitter}.items():
    told(name, lambda: fitter().fit(*given).conditional_expected_number_of_purchases_up_to_time(days / 7, *given))
""",
    "clvkit": """
from clvkit import BGNBD, MBGNBD, CustomerBase
base = CustomerBase(weeks.set_index("customer_id"), time_unit="W", observation_period_end=pd.Timestamp("2024-12-31"),
                    has_monetary=False, on_negative="net", collapse="D")
for name, model in {"BG/NBD": BGNBD, "MBG/NBD": MBGNBD}.items():
    told(name, lambda: model().fit(base).predict(days / 7).to_pandas().iloc[:, -1].to_numpy())
""",
    "pymc-marketing": """
from pymc_marketing import clv
models = {"BG/NBD": clv.BetaGeoModel, "MBG/NBD": clv.ModifiedBetaGeoModel, "Pareto/NBD": clv.ParetoNBDModel}
def expected(model):
    fitted = model()
    fitted.fit(weeks, method="map", progressbar=False)
    return fitted.expected_purchases(weeks, future_t=days / 7).mean(("chain", "draw")).to_numpy()
for name, model in models.items():
    told(name, lambda: expected(model))
""",
}


def predictions(python: str, peer: str, summary: pd.DataFrame, length: int) -> pd.DataFrame:
    """What a peer's models expect of each customer, one column a model; those that fail are left out."""
    with tempfile.TemporaryDirectory() as folder:
        into, out = Path(folder) / "in.parquet", Path(folder) / "out.parquet"
        summary[["customer_id", "frequency", "recency", "T"]].to_parquet(into)
        done = script(python, FRAME.format(body=PEERS[peer]), into, length, out)
        return pd.read_parquet(out) if done is not None else pd.DataFrame()


def rows_of(name: str, given: Any, pythons: dict[str, str | None]) -> list[dict[str, Any]]:
    log = to_pandas(cv.check_transactions(given).kept)
    first, last = log["date"].min().date(), log["date"].max().date()
    end = first + timedelta(days=(last - first).days * 2 // 3)
    length = (last - end).days
    known, after = cv.split_log(log, end)
    choice = cv.choose_model(known, horizon=length, as_of=end)
    check = cv.holdout(log, [c() for c in CANDIDATES], calibration_end=end)
    whole, summary = cv.summarize(log), cv.summarize(known, as_of=end)
    level = cv.trust_gate(whole, as_of=last, purchases=choice.model, spend=cv.GammaGamma().fit(whole),
                          check=check, log=log).level  # fmt: skip
    rows = [
        {"log": name, "customers": len(summary), "days": length, "level": level, "who": "naive" if r.baseline else "clvnb",
         "model": r.model, "mae": r.mae, "crps": r.crps, "rmse": r.rmse, "bias": r.bias, "gini": r.gain, "coverage": r.coverage,
         "chosen": r.model == choice.model.name}
        for r in check.table.itertuples()
    ]  # fmt: skip
    came = cv.summarize(after, as_of=last).set_index("customer_id")["purchases"]
    actual = came.reindex(summary["customer_id"]).fillna(0.0).to_numpy(float)
    for peer, python in pythons.items():
        for model, expected in predictions(python, peer, summary, length).items() if python else ():
            miss = expected.to_numpy(float) - actual
            rows.append({"log": name, "customers": len(summary), "days": length, "level": level, "who": peer, "model": model,
                         "mae": np.abs(miss).mean(), "crps": np.nan, "rmse": np.sqrt((miss**2).mean()), "bias": miss.sum() / actual.sum(),
                         "gini": gain(expected, actual), "coverage": np.nan, "chosen": False})  # fmt: skip
    print(f"{name}: {len(summary):,} customers, {length} days ahead, trust level: {level}. {choice.text}", flush=True)
    return rows


def main() -> None:
    folder = Path(sys.argv[1])
    logs = {"CDNOW": lambda: cv.read_transactions(cv.load_sample("cdnow")), "CDNOW's sample": log_of_sample}
    for given in sys.argv[2:]:
        name, _, path = given.partition("=")
        logs[name] = lambda path=path: cv.read_transactions(_with_customer(pd.read_parquet(path)))
    pythons = {name: environment(folder, name) for name in PEERS}
    rows = [row for name, read in logs.items() for row in rows_of(name, read(), pythons)]
    table = pd.DataFrame(rows)
    best = table[table["who"] != "naive"].groupby("log")["mae"].transform("min")
    table["against_best"] = table["mae"] / best.reindex(table.index) - 1
    stamped(table.round(4)).to_csv(Path(__file__).with_name("accuracy.csv"), index=False)
    print(table.round(3).to_string(index=False))


def _with_customer(raw: pd.DataFrame) -> pd.DataFrame:
    raw = raw[raw["customer_id"].notna()]
    return raw.assign(customer_id=raw["customer_id"].astype(str))[["customer_id", "date", "amount"]]


if __name__ == "__main__":
    main()
