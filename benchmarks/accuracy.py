"""Is the model that clvnb chooses as accurate as the best peer's, on real logs whose future is known?

    python benchmarks/accuracy.py NAME=LOG.parquet ...        writes benchmarks/accuracy.csv

Each log (customer_id, date, amount) is cut at two thirds. ``choose_model`` sees the first part only, and chooses by a
holdout of its own inside it; then the last third is predicted, by its choice, by every model, by lifetimes where it is
installed (PEER_PYTHON names the Python of its environment), and by the naive guesses.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd

import clvnb as cv
from clvnb.evaluate import CANDIDATES

PEER = """
import sys, warnings
warnings.filterwarnings("ignore")
import pandas as pd
from lifetimes import BetaGeoFitter, ModifiedBetaGeoFitter, ParetoNBDFitter
s, t = pd.read_csv(sys.argv[1], dtype={"customer_id": str}), float(sys.argv[2])
for fitter in (BetaGeoFitter, ModifiedBetaGeoFitter, ParetoNBDFitter):
    try:
        m = fitter().fit(s["frequency"], s["recency"], s["T"])
        s[fitter.__name__] = m.conditional_expected_number_of_purchases_up_to_time(t, s["frequency"], s["recency"], s["T"])
    except Exception as error:
        print(fitter.__name__, error, file=sys.stderr)
s.to_csv(sys.argv[3], index=False)
"""


def peers(summary: pd.DataFrame, length: int) -> pd.DataFrame:
    python = os.environ.get("PEER_PYTHON")
    if not python:
        print("PEER_PYTHON is not set: lifetimes is left out")
        return pd.DataFrame(index=summary.index)
    with tempfile.TemporaryDirectory() as folder:
        into, out = Path(folder) / "in.csv", Path(folder) / "out.csv"
        summary[["customer_id", "frequency", "recency", "T"]].to_csv(into, index=False)
        subprocess.run([python, "-c", PEER, str(into), str(length), str(out)], check=True)
        return pd.read_csv(out).drop(columns=["customer_id", "frequency", "recency", "T"]).set_axis(summary.index)


def rows_of(name: str, log: pd.DataFrame) -> list[dict[str, object]]:
    first, last = log["date"].min().date(), log["date"].max().date()
    end = first + timedelta(days=(last - first).days * 2 // 3)
    length = (last - end).days
    known, _ = cv.split_log(log, end)
    choice = cv.choose_model(known, as_of=end)
    check = cv.holdout(log, [c() for c in CANDIDATES], calibration_end=end)
    summary = cv.summarize(known, as_of=end)
    actual = check.table["actual"].iloc[0]
    whole = cv.summarize(log)
    trust = cv.trust_gate(whole, as_of=last, purchases=choice.model, spend=cv.GammaGamma().fit(whole),
                          check=check, log=log)  # fmt: skip
    rows = [
        {"log": name, "who": "naive" if r.baseline else "clvnb", "model": r.model, "mae": r.mae, "bias": r.bias,
         "coverage": r.coverage, "chosen": r.model == choice.model.name}
        for r in check.table.itertuples()
    ]  # fmt: skip
    late = cv.summarize(cv.split_log(log, end)[1], as_of=last).set_index("customer_id")["purchases"]
    came = late.reindex(summary["customer_id"]).fillna(0.0).to_numpy(float)
    for model, expected in peers(summary, length).items():
        rows.append({"log": name, "who": "lifetimes", "model": model, "mae": np.abs(expected - came).mean(),
                     "bias": expected.sum() / actual - 1, "coverage": np.nan, "chosen": False})  # fmt: skip
    print(f"{name}: {len(summary):,} customers, {length} days ahead, light {trust.light}. {choice.text}")
    return rows


def main() -> None:
    rows: list[dict[str, object]] = []
    for given in sys.argv[1:]:
        name, _, path = given.partition("=")
        raw = pd.read_parquet(path)
        raw = raw[raw["customer_id"].notna()].assign(customer_id=lambda t: t["customer_id"].astype(str))
        log = cv.check_transactions(cv.read_transactions(raw[["customer_id", "date", "amount"]])).kept
        rows += rows_of(name, log)
    table = pd.DataFrame(rows)
    best = table[table["who"] != "naive"].groupby("log")["mae"].transform("min")
    table["against_best"] = table["mae"] / best.reindex(table.index) - 1
    table.round(4).to_csv(Path(__file__).with_name("accuracy.csv"), index=False)
    print(table.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
