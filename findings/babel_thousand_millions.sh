#!/usr/bin/env bash
# Claim: a euro less than a million is said as 1000K, a euro less than a thousand million as 1000M.
# Version: Babel 2.18.0; a change that mends it was proposed in July 2026 and is open.
# Behaviour: format_compact_currency chooses the unit from the unrounded number and rounds afterwards.
# Why it is met: headline figures of a report are compact, and totals near a round number are where plans lie.
# A reader expects €1M.
# Seen: €1000K; €1000M for 999,960,000 with one decimal.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check 'babel==2.18.0'
venv/bin/python -W ignore - <<'PY'
from babel.numbers import format_compact_currency, format_compact_decimal

money = [format_compact_currency(v, "EUR", locale="en_US", fraction_digits=1) for v in (999_940, 999_960, 1_000_000, 999_960_000)]
print(money, format_compact_decimal(999_999, locale="en_US"))
assert money == ["€999.9K", "€1000K", "€1M", "€1000M"]
assert format_compact_decimal(999_999, locale="en_US") == "1000K"
PY
