#!/usr/bin/env bash
# Claim: a rate between two whole numbers, in an Ibis expression of type float64, keeps six places on Spark.
# Version: ibis-framework 12.0.0, pyspark 4.0.5.
# Behaviour: Ibis writes the Python float 0.00012345 into Spark's SQL as it stands. A literal with a point is a DECIMAL there, whole
#   numbers become decimals beside it, and a product that may need more than 38 digits keeps six places after the point. DuckDB computes
#   the same expression in floating point. A smaller float, which Python writes with an exponent, is a DOUBLE in Spark too, and right.
# Why it is met: rates per day are multiplied by counts, and by counts again.
# A reader expects: 0.00111105 from both engines, for Ibis calls the expression float64 for both.
# Seen: 0.00111105 from DuckDB, 0.001111 from Spark; with the smaller rate 1e-07, 9e-07 from both. Needs Java.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check 'ibis-framework[duckdb,pyspark]==12.0.0' 'pyspark==4.0.5'
cat > counts.py <<'PY'
import ibis
import pandas as pd
from pyspark.sql import SparkSession

session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
frame = pd.DataFrame({"n": [3]})
session.createDataFrame(frame).createOrReplaceTempView("t")
for table in (ibis.memtable(frame), ibis.pyspark.connect(session).table("t")):
    for rate in (0.00012345, 1e-07):
        product = (table.n * rate * table.n).name("v")
        print(product.type(), f"{float(product.to_pandas().iloc[0]):.6g}")
PY
found=$(venv/bin/python counts.py 2>/dev/null | tr '\n' ' ')
echo "$found"
[ "$found" = "float64 0.00111105 float64 9e-07 float64 0.001111 float64 9e-07 " ]
