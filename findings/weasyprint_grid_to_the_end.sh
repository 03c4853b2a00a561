#!/usr/bin/env bash
# Claim: in a PDF, a grid item that reaches from the first line to the last one (`grid-column: 1 / -1`) has no width at all.
# Version: WeasyPrint 70.0 (it needs the Pango library of the system).
# Behaviour: the item is laid out with a width of 0, its text word below word; `grid-column: span 2` in the same grid is right.
# Why it is met: a report's wide chart over two columns of figures is written so; browsers and print previews show it well,
# and the PDF alone has a strip of letters down the page.
# Guess before running: both items are 200 px wide, as in a browser.
# Seen: width 0.0 for 1 / -1, 200.0 for span 2, in a grid of two columns of 100 px.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check 'weasyprint==70.0'
venv/bin/python - <<'PY'
from weasyprint import HTML

page = HTML(string="""<style>
@page { size: 400px 400px; margin: 0 } body { margin: 0 } .grid { display: grid; grid-template-columns: 100px 100px }
</style>
<div class="grid"><div id="whole" style="grid-column: 1 / -1">aaaa bbbb cccc</div><div>x</div><div>y</div></div>
<div class="grid"><div id="two" style="grid-column: span 2">aaaa bbbb cccc</div><div>x</div><div>y</div></div>
""").render().pages[0]
found = {}


def walk(box):
    element = getattr(box, "element", None)
    if element is not None and element.get("id") and type(box).__name__ == "BlockBox":
        found[element.get("id")] = round(float(box.width), 1)
    for child in getattr(box, "children", []):
        walk(child)


walk(page._page_box)
print(found)
assert found == {"whole": 0.0, "two": 200.0}, found
PY
