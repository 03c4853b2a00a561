"""What comes back from an engine to Python when a model is fitted there: rows and bytes, counted, and where that leads.

    python benchmarks/borders.py FOLDER 1 10 100       after scale.py; writes benchmarks/borders.csv

The distinct histories (frequency, recency, T) and the cells of spend grow far slower than the customers, and ever more slowly:
the last line carries the growth from the second largest to the largest log on, and so overstates what 10 billion orders need.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import duckdb
import numpy as np

from clvnb.models.gamma_gamma import CELL

HERE = Path(__file__).resolve().parent
ASKED = {
    "histories": "SELECT frequency, recency, T, count(*) AS n FROM '{f}' GROUP BY ALL",
    "spend cells": f"SELECT frequency, floor(ln(monetary_value) * {CELL}) AS cell, count(*) AS n, avg(ln(monetary_value)) AS mean, "
    "var_pop(ln(monetary_value)) AS spread FROM '{f}' WHERE frequency > 0 AND monetary_value > 0 GROUP BY ALL",
}


def count(folder: Path, size: int) -> dict[str, float]:
    """Rows and bytes of each answer for a log of so many million orders."""
    con, file = duckdb.connect(), folder / f"summary_{size}.parquet"
    orders = con.execute(f"SELECT sum(purchases)::BIGINT, count(*) FROM '{file}'").fetchone()
    row = {"orders": size * 1e6, "customers": orders[1]}
    for name, query in ASKED.items():
        table = duckdb.connect().sql(query.replace("{f}", str(file))).to_arrow_table()
        row |= {name: table.num_rows, f"{name}, MB": round(table.nbytes / 1e6, 1)}
    return row


def carried_on(smaller: dict[str, float], larger: dict[str, float], orders: float) -> dict[str, float]:
    """The growth between two sizes, carried on to so many orders."""
    row: dict[str, float] = {}
    for name in larger:
        slope = np.log(larger[name] / smaller[name]) / np.log(larger["orders"] / smaller["orders"])
        row[name] = float(f"{larger[name] * (orders / larger['orders']) ** slope:.3g}")
    return row


def main() -> None:
    folder, sizes = Path(sys.argv[1]), [int(s) for s in sys.argv[2:]]
    rows = [count(folder, size) for size in sizes]
    rows.append(carried_on(rows[-2], rows[-1], 1e10))
    with (HERE / "borders.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, ["how", *rows[0]])
        out.writeheader()
        out.writerows({"how": "counted" if k < len(sizes) else "carried on", **row} for k, row in enumerate(rows))
    print((HERE / "borders.csv").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
