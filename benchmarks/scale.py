"""From orders to one row per customer, and from there to the CLV table: how long, how much memory, beside what else is there?

    python benchmarks/scale.py FOLDER 1 10 100       millions of orders; writes benchmarks/scale.csv

Each way runs in a process of its own, in turns, from parquet to parquet: clvnb's ``summarize``; the same result by SQL written
by hand for DuckDB, and by polars; both engines' own choice of memory, and DuckDB with a limit of 1 GB. lifetimes and clvkit make
fewer columns, from a frame that is read before their clock starts. ``read only`` looks at every id, day and amount once: what any way
has to do. Environments of the peers are made under FOLDER. ``score`` values the first customers of the largest summary: fit, then the
CLV table to parquet, in the engine.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import pandas as pd
from beside import HERE, environment, stamped
from logs import write

END = "2024-12-29"

ENGINE = """
con.raw_sql(f"SET temp_directory = '{spill}'")
con.raw_sql("SET preserve_insertion_order = false")
if limit:
    con.raw_sql(f"SET memory_limit = '{limit}'")
"""
CLVNB = (
    """
import clvnb as cv
from clvnb.core.engine import connection
con, summarize = connection(), cv.summarize
"""
    + ENGINE
    + """
clock()
summarize(con.read_parquet(source), as_of=END).to_parquet(target)
"""
)
SQL = (
    """
import ibis
con = ibis.duckdb.connect()
con.raw_sql("SET TimeZone = 'UTC'")
"""
    + ENGINE
    + """
clock()
con.raw_sql(f'''
COPY (
  WITH days AS (
    SELECT customer_id, date, sum(amount) AS net, max(amount) >= 0 AND (sum(amount) > 0 OR min(amount) >= 0) AS bought
    FROM read_parquet('{source}') WHERE date <= DATE '{END}' GROUP BY customer_id, date
  ), gaps AS (
    SELECT *, date - lag(date) OVER (PARTITION BY customer_id, bought ORDER BY date) AS gap FROM days
  ), customers AS (
    SELECT customer_id, count(*) FILTER (bought) AS purchases, min(date) FILTER (bought) AS first_date,
      max(date) FILTER (bought) AS last_date, sum(net) AS revenue, sum(net) FILTER (bought AND gap IS NOT NULL) AS again,
      sum(ln(gap)) FILTER (bought) AS log_gaps
    FROM gaps GROUP BY customer_id
  )
  SELECT customer_id, purchases - 1 AS frequency, last_date - first_date AS recency, DATE '{END}' - first_date AS T,
    again / nullif(purchases - 1, 0) AS monetary_value, coalesce(log_gaps, 0) AS log_gaps,
    DATE '{END}' - last_date AS days_since_last, purchases, revenue AS historic_revenue,
    NULL::DOUBLE AS historic_value, first_date, last_date
  FROM customers WHERE purchases > 0
) TO '{target}' (FORMAT parquet)''')
"""
)
READ = """
import duckdb
con = duckdb.connect()
clock()
con.execute(f"SELECT bit_xor(hash(customer_id)), max(date), sum(amount) FROM '{source}'").fetchall()
"""
POLARS = """
from datetime import date
import polars as pl
clock()
end = date.fromisoformat(END)
days = (
    pl.scan_parquet(source).filter(pl.col("date") <= end).group_by("customer_id", "date")
    .agg(net=pl.col("amount").sum(), most=pl.col("amount").max(), least=pl.col("amount").min())
    .with_columns(bought=(pl.col("most") >= 0) & ((pl.col("net") > 0) | (pl.col("least") >= 0)))
)
revenue = days.group_by("customer_id").agg(historic_revenue=pl.col("net").sum())
bought = days.filter("bought").sort("customer_id", "date").with_columns(
    gap=pl.when(pl.col("customer_id") == pl.col("customer_id").shift()).then(pl.col("date").diff().dt.total_days())
)
customers = bought.with_columns(
    log_gap=pl.col("gap").log(), again=pl.when(pl.col("gap").is_not_null()).then("net")
).group_by("customer_id").agg(
    purchases=pl.len().cast(pl.Int64), first_date=pl.col("date").min(), last_date=pl.col("date").max(),
    again=pl.col("again").sum(), log_gaps=pl.col("log_gap").sum(),
).join(revenue, on="customer_id")
customers.select(
    "customer_id", frequency=pl.col("purchases") - 1,
    recency=(pl.col("last_date") - pl.col("first_date")).dt.total_days(),
    T=(pl.lit(end) - pl.col("first_date")).dt.total_days(),
    monetary_value=pl.when(pl.col("purchases") > 1).then(pl.col("again") / (pl.col("purchases") - 1)),
    log_gaps="log_gaps", days_since_last=(pl.lit(end) - pl.col("last_date")).dt.total_days(), purchases="purchases",
    historic_revenue="historic_revenue", historic_value=pl.lit(None, pl.Float64),
    first_date="first_date", last_date="last_date",
).sink_parquet(target)
"""
LIFETIMES = """
import warnings; warnings.filterwarnings("ignore")
import pandas as pd
from lifetimes.utils import summary_data_from_transaction_data
frame = pd.read_parquet(source)
clock()
out = summary_data_from_transaction_data(frame, "customer_id", "date", "amount", observation_period_end=END)
stop()
out.reset_index().to_parquet(target)
"""
CLVKIT = """
import warnings; warnings.filterwarnings("ignore")
import pandas as pd
from clvkit import CustomerBase
frame = pd.read_parquet(source)
frame["date"] = pd.to_datetime(frame["date"])
clock()
out = CustomerBase.from_transactions(frame, observation_period_end=END).to_pandas()
stop()
out.reset_index().to_parquet(target)
"""
SCORE = (
    """
import clvnb as cv
from clvnb.core.engine import connection
con = connection()
"""
    + ENGINE
    + """
summary = con.create_table("summary", con.read_parquet(source).limit(customers), temp=True)
clock()
purchases, spend = cv.MBGNBD().fit(summary), cv.GammaGamma().fit(summary)
fitted = now()
economics = cv.Economics(margin=0.3, discount_rate=0.1, horizon="12 months")
cv.clv_table(summary, purchases, spend, economics).to_parquet(target)
"""
)
FRAME = """
import json, resource, sys, time
source, target, spill, limit, END, customers = json.loads(sys.argv[1])
began, ended, fitted = [], [], None
def now(): return time.perf_counter() - began[0]
def clock(): began.extend([time.perf_counter(), time.process_time()])
def stop(): ended.extend([time.perf_counter(), time.process_time()])
{body}
if not ended: stop()
print(json.dumps({{"seconds": ended[0] - began[0], "cpu": ended[1] - began[1], "fit": fitted,
                  "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}}))
"""
WAYS = {
    "clvnb": (CLVNB, None, None), "sql by hand": (SQL, None, None), "read only": (READ, None, None),
    "polars": (POLARS, None, "polars"), "lifetimes": (LIFETIMES, None, "lifetimes"), "clvkit": (CLVKIT, None, "clvkit"),
    "clvnb, 1 GB": (CLVNB, "1GB", None), "sql by hand, 1 GB": (SQL, "1GB", None),
}  # fmt: skip
LARGEST_FOR_FRAMES = 10  # millions of orders: beyond, a frame of them and its copies fill a small machine
TURNS = {"clvnb": 3, "sql by hand": 3, "read only": 3}  # the others twice; a hundred million orders twice and once


def measure(way: str, body: str, python: str, arguments: list[object]) -> dict[str, float] | None:
    """Run one way in a process of its own; None where it fails, with its last words shown."""
    script = FRAME.format(body=body)
    done = subprocess.run([python, "-c", script, json.dumps(arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{way}: failed: {(done.stderr.strip() or f'ended by signal {-done.returncode}').splitlines()[-1]}")
        return None
    return json.loads(done.stdout.splitlines()[-1])


def same(one: Path, other: Path) -> bool:
    """Whether two summaries hold the same customers and sums."""
    import duckdb

    sums = "count(*), sum(frequency), sum(recency), sum(T), round(sum(monetary_value), 2), round(sum(log_gaps), 2)"
    first, second = (duckdb.connect().execute(f"SELECT {sums} FROM '{p}'").fetchone() for p in (one, other))
    return all(abs(float(a) - float(b)) <= 1e-9 * abs(float(b)) + 0.02 for a, b in zip(first, second, strict=True))


def summaries(folder: Path, sizes: list[int], scratch: str) -> list[dict[str, object]]:
    rows = []
    for size in sizes:
        source, times = write(folder, size), {}
        for turn in range(3):
            for way, (body, limit, peer) in WAYS.items():
                python = environment(folder, peer) if peer else sys.executable
                if not python or (way in {"lifetimes", "clvkit"} and size > LARGEST_FOR_FRAMES):
                    continue
                if turn >= TURNS.get(way, 2) - (size >= 100) or (way in times and times[way] is None):
                    continue
                target = folder / f"summary_{size}{'' if way == 'clvnb' else '_other'}.parquet"
                found = measure(way, body, python, [str(source), str(target), scratch, limit, END, None])
                times[way] = None if found is None else [*times.get(way, []), found]
                print(size, turn, way, found, flush=True)
                if turn == 0 and found and ("sql" in way or way in {"polars", "clvnb, 1 GB"}):
                    assert same(target, folder / f"summary_{size}.parquet"), f"{way} gives another summary"
        base = median(t["seconds"] for t in times["sql by hand"])
        for way, runs in times.items():
            if runs:
                seconds = median(t["seconds"] for t in runs)
                rows.append({"work": "orders to summary", "size": f"{size} M orders", "way": way, "seconds": round(seconds, 2),
                             "cpu": round(median(t["cpu"] for t in runs), 2), "beside_sql": round(seconds / base, 2),
                             "megabytes": round(max(t["megabytes"] for t in runs)), "runs": len(runs)})  # fmt: skip
            else:
                rows.append({"work": "orders to summary", "size": f"{size} M orders", "way": way, "seconds": "failed"})
    return rows


def scores(folder: Path, largest: int, scratch: str) -> list[dict[str, object]]:
    rows, source = [], folder / f"summary_{largest}.parquet"
    for customers in (100_000, 1_000_000, 10_000_000):
        found = measure(
            "score", SCORE, sys.executable, [str(source), str(folder / "clv.parquet"), scratch, None, END, customers]
        )
        print(customers, found, flush=True)
        if found:
            rows.append({"work": "summary to CLV table", "size": f"{customers:,} customers", "way": "clvnb", "seconds":
                         round(found["seconds"], 2), "cpu": round(found["cpu"], 2), "fit": round(found["fit"], 2),
                         "megabytes": round(found["megabytes"]), "runs": 1})  # fmt: skip
    return rows


def main() -> None:
    folder, sizes = Path(sys.argv[1]), [int(s) for s in sys.argv[2:]]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        rows = summaries(folder, sizes, scratch) + scores(folder, max(sizes), scratch)
    stamped(pd.DataFrame(rows)).to_csv(HERE / "scale.csv", index=False)


if __name__ == "__main__":
    main()
