"""One plain English: the words that CONTRIBUTING.md replaces are in no code, page or notebook."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACES = ("clvnb/**/*.py", "clvnb/**/*.pyi", "clvnb/**/*.yaml", "clvnb/**/*.j2", "clvnb/**/*.csv", "notebooks/**/[!.]*.ipynb",
          "docs/*.md", "README.md", "CONTRIBUTING.md", "data/README.md")  # fmt: skip
DIALECT = [
    r"reckon\w*",
    r"ways? out",
    r"\w*way_out",
    r"base[ _]points?",
    r"(?:nobody|no one) drew",
    r"chance (?:decided|decides who|did not decide|chose|kept|keeps)",
    r"hang(?:s|ing)? (?:on|most)",
    r"on (?:what|which) [\w ]{0,40}hangs?",
    r"p_pays_off|pays off in|it pays in",
    r"foret(?:ell|old)\w*",
    r"giveaways?",
    r"nurser(?:y|ies)",
    r"set(?:s|ting)? (?:\w+ ){0,2}aside",
    r"(?:values?|still|payments|purchases|renewals|is|are|days) to come",
    r"(?:taken|takes?|taking) off",
    r"\w*fewest",
    r"\w*ladders?",
    r"(?:\w+_)?rungs?(?:_\w+)?",
    r"(?:were|was|is|are) off by|missed by",
    r"goes with (?:it|satisfaction)|what satisfaction goes with",
    r"whom to (?:contact|look|leave)",
    r"on the same way",
    r"trust lights?|(?:green|amber|red) lights?|lights? (?:is|are|says?|looks|rests) |the light(?= below|,|\\.)",
    r"\"(?:green|amber)\"",
]
NEVER = re.compile(r"(?<!\w)(?:" + "|".join(p.replace(" ", r"\s+") for p in DIALECT) + r")(?!\w)", re.I)


def texts(path: Path) -> list[tuple[str, str]]:
    """A file's text, of a notebook each cell's source; without the table of CONTRIBUTING.md that names the words."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        return [(f"cell {k}", "".join(cell["source"])) for k, cell in enumerate(json.loads(text)["cells"])]
    if path.name == "CONTRIBUTING.md":
        text = re.sub(r"(?m)^\| say \| not \|\n(?:\|.*\n)+", lambda m: "\n" * m[0].count("\n"), text)
    if path.name == "trust.py":  # the colours that older reports have
        text = re.sub(r"(?m)^_COLOURS = .*$|^    >>> level_of\(.*$", "", text)
    return [("line", text)]


def dialect() -> list[str]:
    found = []
    for path in sorted({p for place in PLACES for p in ROOT.glob(place)}):
        for where, text in texts(path):
            for match in NEVER.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                place = f"{line}" if where == "line" else f"{where}, line {line}"
                found.append(f"{path.relative_to(ROOT)}:{place}: {' '.join(match[0].split())}")
    return found


def test_no_word_that_must_be_read_twice():
    assert dialect() == []


def test_the_pattern_finds_what_it_forbids():
    for said in ("was reckoned", "the way\n    out", "_FEWEST", "set them aside", "value to come", "the trust light"):
        assert NEVER.search(said), said
    for said in ("computed", "the way they buy", "without a change", "purchases come", "a light install"):
        assert not NEVER.search(said), said
