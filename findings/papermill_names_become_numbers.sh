#!/usr/bin/env bash
# Claim: a parameter that is a name of digits and underscores, 2024_01, arrives in the notebook as the number 202401.
# Version: papermill 2.7.0.
# Behaviour: -p gives each value to Python's int and float before it is taken for text; both read underscores between digits.
#   So 2024_01 is 202401, 1_000.5 is 1000.5, 007 is 7 and 1e5 is 100000.0. With -r every value stays text.
# Why it is met: a client's folder is a parameter of every chapter, and folders are called by month or by number.
# A reader expects 007 to become 7, as a shell's user knows it, and 2024_01 to stay what it is, since it is no number on any page.
# Seen: 202401, an int.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check 'papermill==2.7.0' ipykernel
cat > asks.ipynb <<'NB'
{"cells": [{"cell_type": "code", "execution_count": null, "id": "a", "metadata": {"tags": ["parameters"]}, "outputs": [], "source": "client = ''"},
 {"cell_type": "code", "execution_count": null, "id": "b", "metadata": {}, "outputs": [], "source": "print(repr(client))"}],
 "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}, "nbformat": 4, "nbformat_minor": 5}
NB
said() {
  venv/bin/papermill --no-progress-bar --log-level ERROR -k python3 asks.ipynb told.ipynb "$@" 2>/dev/null
  venv/bin/python -c 'import json; print("".join(json.load(open("told.ipynb"))["cells"][-1]["outputs"][0]["text"]).strip())'
}
found="$(said -p client 2024_01) $(said -p client 007) $(said -p client 1_000.5) $(said -r client 2024_01)"
echo "$found"
[ "$found" = "202401 7 1000.5 '2024_01'" ]
