#!/usr/bin/env bash
# Claim: text between two amounts in dollars is a formula.
# Version: nbconvert 7.17.2 with mistune 3.4.0.
# Behaviour: "rose from $5 *a month* to $10 **a month**" keeps the asterisks of the first part in the page, because everything from $5 to the
#   second $ is taken as mathematics and handed on to be typeset; US$ does the same. A backslash before one of them prevents it.
# Why it is met: a report in dollars says two amounts in one sentence, and one in euros never shows it.
# Guess before running: a number behind the sign tells an amount from a formula, and both parts are emphasised.
# Seen: "$5 *a month* to $10 <strong>a month</strong>".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check 'nbconvert==7.17.2' 'mistune==3.4.0'
venv/bin/python -W ignore - <<'PY'
from nbconvert.filters import markdown2html

plain = markdown2html("rose from $5 *a month* to $10 **a month**")
country = markdown2html("US$5 *a month*, then US$6")
escaped = markdown2html("rose from $5 *a month* to \\$10 **a month**")
euros = markdown2html("rose from €5 *a month* to €10 **a month**")
print(plain, country, escaped, euros, sep="")
assert "$5 *a month* to $10 <strong>a month</strong>" in plain and "US$5 *a month*" in country
assert "<em>a month</em>" in escaped and "<em>a month</em>" in euros
PY
