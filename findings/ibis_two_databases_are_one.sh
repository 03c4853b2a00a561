#!/usr/bin/env bash
# Claim: a union of two databases holds the rows of the first one twice.
# Version: Ibis 12.0.0 with DuckDB 2.0.0.
# Behaviour: two connections to in-memory DuckDB databases compare equal, have one hash, and so do their tables of one name. A union or a
#   join across them is not refused as one of two engines; it runs in one of them and reads its table for both.
# Why it is met: two clients, or two waves of answers, each in a connection of its own with a table of the same name.
# A reader expects the connections to differ, and a union across them to be refused.
# Seen: [1, 1] from a table that holds 1 and a table that holds 2.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check 'ibis-framework[duckdb]==12.0.0' 'duckdb==2.0.0' 'numpy==2.4.6' 'pandas==3.1.1' 'pyarrow==26.0.1'
venv/bin/python -W ignore - <<'PY'
import ibis

one, two = ibis.duckdb.connect(), ibis.duckdb.connect()
one.raw_sql("CREATE TABLE t AS SELECT 1 AS x")
two.raw_sql("CREATE TABLE t AS SELECT 2 AS x")
apart = [int(con.table("t").x.sum().execute()) for con in (one, two)]
together = one.table("t").union(two.table("t")).execute().x.tolist()
print("equal:", one == two, "; one at a time:", apart, "; union:", together)
assert one is not two and one == two and len({one, two}) == 1
assert apart == [1, 2] and together == [1, 1]
PY
