"""The public interface: few names in ``cv``, the rest in its rooms; each typed, documented, and found under its old name."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

import clvnb as cv
from helpers import ROOT

ROOMS = [name for name in dir(cv) if inspect.ismodule(getattr(cv, name))]


def public() -> dict[str, Any]:
    """Every public class and function by how it is written after ``cv.``; what is in ``cv`` is not named by its room again."""
    found = {name: getattr(cv, name) for name in dir(cv) if name not in {"__version__", *ROOMS}}
    for room in ROOMS:
        own = {name: getattr(getattr(cv, room), name) for name in dir(getattr(cv, room))}
        found |= {
            f"{room}.{name}": thing for name, thing in own.items() if found.get(name) is not thing and callable(thing)
        }
    return found


def test_few_names_and_every_room():
    assert len(dir(cv)) <= 110
    assert {"formulas", "experiments", "plots", "widgets", "models", "value", "satisfaction", "improve"} <= set(ROOMS)
    assert set(ROOMS) - {"formulas"} == {p.parent.name for p in (ROOT / "clvnb").glob("*/__init__.pyi")}
    assert cv.formulas is cv.value.formulas


def test_every_name_is_found_and_documented():
    for place in (cv, *(getattr(cv, room) for room in ROOMS)):
        assert dir(place) == sorted(place.__all__)
        for name in place.__all__:
            assert name == "__version__" or name == "TIMINGS" or getattr(place, name).__doc__, name
    with pytest.raises(AttributeError, match="clv_magic"):
        cv.clv_magic  # noqa: B018


def test_every_public_function_says_what_it_takes_gives_and_is():
    """Parameters that the signature has, and what comes back; an example, or a table's or picture's name, elsewhere."""
    for name, thing in public().items():
        if not inspect.isfunction(thing):
            continue
        doc = inspect.getdoc(thing) or ""
        told = re.findall(r"(?m)^([\w, *]+?)(?: :.*)?$", doc.split("Parameters\n---", 1)[-1])
        named = {n.strip(" *") for line in told for n in line.split(",")}
        asked = [p for p in inspect.signature(thing).parameters]
        assert not asked or "Parameters\n" in doc, name
        assert set(asked) <= named, (name, set(asked) - named)
        assert "Returns\n" in doc, name


def test_a_name_is_in_its_room_and_in_no_other():
    """What ``cv`` holds is its room's as well; a name that is a file of its room is in ``cv`` alone, where no file hides it."""
    homes = {name: thing.__module__.split(".")[1] for name, thing in public().items() if "." not in name}
    assert set(homes.values()) - set(ROOMS) == {"core"}
    for name, room in homes.items():
        hidden = (ROOT / "clvnb" / room / f"{name}.py").exists()
        assert room == "core" or hidden or getattr(getattr(cv, room), name) is getattr(cv, name), name
    for room in set(ROOMS) - {"formulas"}:
        files = {p.stem for p in (ROOT / "clvnb" / room).glob("*.py")} - {"formulas"}
        assert not files & set(dir(getattr(cv, room))), room
        assert all(t.__module__.startswith(f"clvnb.{room}") for n, t in public().items() if n.startswith(f"{room}."))


def test_no_public_name_is_a_room():
    """A room that is imported becomes an attribute of clvnb, and would hide the name."""
    files = {p.stem for p in (ROOT / "clvnb").iterdir()} - set(ROOMS)
    assert not set(cv.__all__) & files


OLD = [(name, f"{place}.{name}") for place, names in cv._MOVED.items() for name in names.split()] + [
    *cv._RENAMED.items()
]


def test_old_names_are_found_with_a_warning_that_says_the_new_one():
    assert len(OLD) > 130
    for name, new in OLD:
        with pytest.warns(DeprecationWarning, match=rf"cv\.{name} is now cv\.{re.escape(new)};"):
            found = getattr(cv, name)
        assert found is attrgetter(new)(cv)
        assert name not in dir(cv)


def test_import_is_light():
    """`import clvnb` loads none of the heavy libraries; they come with the first name that needs them."""
    heavy = "numpy", "pandas", "ibis", "scipy", "matplotlib", "papermill", "importlib.metadata"
    code = f"import sys, clvnb; dir(clvnb.experiments); print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout.strip() == "[]"


SEEN = {  # what a type checker says of each, in part
    "cv.clv_table(summary, cv.MBGNBD(), 30.0, terms)": "pandas.core.frame.DataFrame",
    "cv.MBGNBD().fit(summary)": "clvnb.models.mbgnbd.MBGNBD",
    "cv.formulas.clv_basic(3, 80)": "float",
    "cv.experiments.sample_ratio((100, 90), 0.5)": "float",
    "cv.plots.plot_clv": "-> matplotlib.axes._axes.Axes",
    "cv.Client.load('shop').economics": "clvnb.data.client.Economics",
}


def test_names_are_typed_for_who_uses_them(tmp_path: Path):
    """mypy finds every name of the stubs with its type, and says which is not there."""
    api = pytest.importorskip("mypy.api")
    script = tmp_path / "mine.py"
    lines = ["import pandas as pd", "import clvnb as cv", "summary = pd.DataFrame()", "terms = cv.Economics()"]
    lines += [f"reveal_type({asked})" for asked in SEEN] + ["cv.clv_magic"]
    script.write_text("\n".join(lines), encoding="utf-8")
    config = tmp_path / "mypy.ini"
    config.write_text("[mypy]\ncheck_untyped_defs = true\n", encoding="utf-8")
    said, errors, _ = api.run(
        ["--config-file", str(config), "--cache-dir", str(ROOT / ".mypy_cache/users"), str(script)]
    )
    assert not errors, errors
    revealed = re.findall(r'Revealed type is "(.*)"', said)
    assert len(revealed) == len(SEEN), said
    for (asked, kind), told in zip(SEEN.items(), revealed, strict=True):
        assert kind in told, (asked, told)
    assert re.findall(r"error: (.*)", said)[0].startswith('Module has no attribute "clv_magic"'), said
