#!/usr/bin/env bash
# Claim: 40 per cent of a cent is nothing, and 8.33 per cent of it is something.
# Version: polars 2.1.0.
# Behaviour: a product of two decimals keeps the longer of the two scales and rounds to it, where SQL adds the scales. 19.99 x 0.4 is 8.00,
#   19.99 x 0.0833 is 1.6652. Multiplied by a float, the same amounts are exact to float digits. The mean of decimals is not rounded.
# Why it is met: money in decimals times a margin; a thousand orders of 0.99 at 15 per cent bring 150.00 instead of 148.50.
# Guess before running: for the mean 0.0166..., which held; for the product none was written, it was met beside it.
# Seen: 0.00 for 0.01 x 0.4, and one per cent too much over a thousand small orders.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check 'polars==2.1.0'
venv/bin/python -W ignore - <<'PY'
from decimal import Decimal as D

import polars as pl

orders = pl.DataFrame({"amount": [D("0.01"), D("19.99")]}).select(
    plain=pl.col("amount") * pl.lit(D("0.4")), longer=pl.col("amount") * pl.lit(D("0.0833")), float=pl.col("amount") * 0.4
)
print(orders.to_dict(as_series=False))
many = pl.DataFrame({"amount": [D("0.99")] * 1000})
total = many.select((pl.col("amount") * pl.lit(D("0.15"))).sum()).item()
print("a thousand orders of 0.99 at 15 %:", total)
assert orders["plain"].to_list() == [D("0.00"), D("8.00")]
assert orders["longer"].to_list() == [D("0.0008"), D("1.6652")]
assert abs(orders["float"][1] - 7.996) < 1e-9 and total == D("150.00")
PY
