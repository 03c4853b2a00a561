"""Large logs of orders for the benchmarks, simulated: BG/NBD with the parameters of CDNOW's sample and Gamma-Gamma spend.

    python benchmarks/logs.py FOLDER 1 10 100          millions of orders, each into FOLDER/orders_N.parquet

Customers join over the first of two years, so that hardly two share a history: the hard case for putting equal ones together.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FIRST = np.datetime64("2023-01-02")
WEEKS, JOINING = 104.0, 52.0
R, ALPHA, A, B = 0.243, 4.414, 0.793, 2.426
P, Q, V = 6.25, 3.74, 15.44
AT_ONCE = 500_000


def orders(first: int, customers: int, rng: np.random.Generator) -> pa.Table:
    """All orders of so many customers, in the order of their days."""
    rate = rng.gamma(R, 1 / ALPHA, customers)
    leaves = rng.beta(A, B, customers)
    who = np.arange(customers)
    when = rng.uniform(0, JOINING, customers)
    people, moments = [who], [when]
    while len(who):
        stay = rng.random(len(who)) >= leaves[who] if len(people) > 1 else np.ones(len(who), bool)
        who, when = who[stay], when[stay]
        when = when + rng.exponential(1 / np.maximum(rate[who], 1e-12))
        inside = when < WEEKS
        who, when = who[inside], when[inside]
        people.append(who)
        moments.append(when)
    who, when = np.concatenate(people), np.concatenate(moments)
    level = V / rng.gamma(Q, size=customers)
    amount = np.round(np.maximum(rng.gamma(P, size=len(who)) * level[who], 0.01), 2)
    order = np.argsort(when, kind="stable")
    ids = np.char.add("C", np.char.zfill((first + who[order]).astype("U9"), 9))
    dates = FIRST + (when[order] * 7).astype("timedelta64[D]")
    return pa.table({"customer_id": ids, "date": pa.array(dates), "amount": amount[order]})


def write(folder: Path, millions: int, seed: int = 1) -> Path:
    """Write a log of about so many million orders, unless it is there."""
    target = folder / f"orders_{millions}.parquet"
    if target.exists():
        return target
    rng, rows, first, half = np.random.default_rng(seed), 0, 0, target.with_suffix(".part")
    with pq.ParquetWriter(half, orders(0, 10, np.random.default_rng(0)).schema) as out:
        while rows < millions * 1_000_000:
            customers = min(AT_ONCE, max(int((millions * 1_000_000 - rows) / 2.85), 1_000))
            part = orders(first, customers, rng)
            out.write_table(part)
            rows, first = rows + len(part), first + customers
    half.rename(target)
    print(f"{target}: {rows:,} orders of {first:,} customers", flush=True)
    return target


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    for size in map(int, sys.argv[2:]):
        write(place, size)
