#!/usr/bin/env bash
# Claim: numbers of Switzerland and Liechtenstein lose the marks between thousands from one minor version to the next.
# Versions: Babel 2.18.0 and 2.19.0.
# Behaviour: format_decimal and format_currency of de_CH, fr_CH, it_CH and de_LI gave 1’234’567.5 (fr_CH with spaces) in 2.18.0. In 2.19.0
#   they give 1234567.5; de and fr keep their marks. The pattern still asks for groups of three.
# Why it is met: a Swiss client's report is full of amounts, and a page that was made before the update no longer equals one made after.
# Guess before running: another apostrophe, since locale data changed between the two typographic signs before.
# Seen: no mark at all.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv before
before/bin/pip install --quiet --no-compile --disable-pip-version-check 'babel==2.18.0'
python3 -m venv after
after/bin/pip install --quiet --no-compile --disable-pip-version-check 'babel==2.19.0'
said() {
  "$1/bin/python" -c '
from babel.numbers import format_currency, format_decimal
print(*(format_decimal(1234567.5, locale=name) for name in ("de_CH", "it_CH", "de_LI", "de")), format_currency(1234567.5, "CHF", locale="de_CH").replace("\xa0", " "))'
}
found="$(said before) | $(said after)"
echo "$found"
[ "$found" = "1’234’567.5 1’234’567.5 1’234’567.5 1.234.567,5 CHF 1’234’567.50 | 1234567.5 1234567.5 1234567.5 1.234.567,5 CHF 1234567.50" ]
