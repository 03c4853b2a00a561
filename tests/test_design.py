"""What keeps the house in order: layers, notebooks' discipline, and two lists of requirements in step."""

from __future__ import annotations

import ast
import graphlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "clvnb"
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("[!.]*.ipynb"))

# Rooms import only from rooms further up in this list; those on one line do not know each other.
ORDER = [
    ["core"],
    ["data", "models", "experiments"],
    ["value"],
    ["satisfaction"],
    ["improve"],
    ["remeasure"],
    ["plots"],
    ["report", "widgets", "compat"],
    ["cli"],
    ["__main__"],
]
FLOOR_OF = {room: k for k, side_by_side in enumerate(ORDER, 1) for room in side_by_side}


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p.name not in {"__init__.py", "__main__.py"})


def name_of(path: Path) -> str:
    """``data.client`` for its file, ``data`` for the room's own."""
    return ".".join(p for p in path.relative_to(PACKAGE).with_suffix("").parts if p != "__init__")


def imported(path: Path) -> set[str]:
    """Every module of clvnb that a file imports anywhere in it, for its annotations alone included."""
    place = path.relative_to(PACKAGE).parent.parts
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            start = (*place[: len(place) - node.level + 1], *(node.module or "").split("."))
            base = ".".join(p for p in start if p)
            fuller = {f"{base}.{a.name}".strip(".") for a in node.names}
            names |= (fuller & NAMES) | ({base} if fuller - NAMES else set())
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "clvnb":
            pytest.fail(f"{path.name} imports clvnb by its full name")
    return names - {""}  # the version number stands in clvnb itself, which imports nothing


def rooms() -> dict[str, set[str]]:
    """Each room, or file beside the rooms, with the others that it imports."""
    found: dict[str, set[str]] = {}
    for name, others in IMPORTS.items():
        room = name.split(".")[0]
        found.setdefault(room, set()).update({o.split(".")[0] for o in others} - {room})
    return found


NAMES = {name_of(p) for p in PACKAGE.rglob("*.py")}
IMPORTS = {name_of(p): imported(p) for p in PACKAGE.rglob("*.py")}


@pytest.mark.parametrize("name", sorted(IMPORTS))
def test_imports_point_down(name):
    own = name.split(".")[0]
    assert own in FLOOR_OF or name == "", f"{own} has no place: give it one in tests/test_design.py"
    for other in {w.split(".")[0] for w in IMPORTS[name]} - {own}:
        assert FLOOR_OF[other] < FLOOR_OF[own], f"{name} must not import {other}"


def test_no_circle_of_imports():
    """Of files, inside rooms as well."""
    graphlib.TopologicalSorter(IMPORTS).prepare()  # a CycleError names the files


def test_floors_and_entries_are_few():
    floor: dict[str, int] = {}
    wanted = rooms()
    for room in graphlib.TopologicalSorter(wanted).static_order():
        floor[room] = 1 + max((floor[r] for r in wanted[room]), default=0)
    assert max(floor.values()) <= 10, floor
    entries = sorted({p.stem for p in PACKAGE.iterdir()} - {"__pycache__"})
    assert len(entries) <= 16, entries


def test_plots_import_no_model():
    assert rooms()["plots"] <= {"core", "experiments"}


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_first_lines_say_what_comes_in_and_goes_out(path):
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert "In: " in doc, path.name
    assert "Out: " in doc, path.name


def test_models_do_not_load_scipy_stats():
    code = "import sys, clvnb as cv; cv.BGNBD, cv.GammaGamma, cv.clv_table; print('scipy.stats' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout.strip() == "False"


# ------------------------------------------------------------------------------------------ notebooks


TUTORIALS = [p for p in NOTEBOOKS if p.parent.name == "tutorials"]
TAGS = {"parameters", "remove-cell", "interactive", "answer", "open", "raises-exception"}


@pytest.fixture(params=NOTEBOOKS, ids=lambda p: p.name)
def notebook(request) -> tuple[Path, dict]:
    return request.param, json.loads(request.param.read_text(encoding="utf-8"))


def code_cells(node: dict) -> list[dict]:
    return [c for c in node["cells"] if c["cell_type"] == "code"]


def test_notebooks_tell_and_modules_do(notebook):
    path, node = notebook
    for cell in code_cells(node):
        tree = ast.parse("".join(cell["source"]))
        for part in ast.walk(tree):
            assert not isinstance(part, ast.FunctionDef | ast.ClassDef | ast.Lambda | ast.For | ast.While), path.name
            if isinstance(part, ast.Import):
                assert [(a.name, a.asname) for a in part.names] == [("clvnb", "cv")], path.name
            assert not isinstance(part, ast.ImportFrom), path.name
            if isinstance(part, ast.Attribute):
                assert not part.attr.startswith("_"), f"{path.name}: {part.attr} is private"


def test_no_result_is_typed_into_prose(notebook):
    """Prose may hold years, step numbers and levels; money, percentages and large numbers come from a run."""
    path, node = notebook
    for cell in node["cells"]:
        if cell["cell_type"] != "markdown":
            continue
        text = re.sub(r"\*\*Sources\.\*\*.*", "", "".join(cell["source"]), flags=re.S)
        assert not re.search(r"[$€£]\s?\d|\d[\d,]*\.\d+|\b\d{1,3}(,\d{3})+\b", text), (path.name, text[:80])


def test_notebooks_were_run_in_order(notebook):
    path, node = notebook
    assert [c["execution_count"] for c in code_cells(node)] == list(range(1, len(code_cells(node)) + 1)), path.name
    failed = [c for c in code_cells(node) if any(o["output_type"] == "error" for o in c["outputs"])]
    lessons = [c for c in code_cells(node) if "raises-exception" in c["metadata"].get("tags", [])]
    assert failed == lessons, path.name
    assert not any(o.get("name") == "stderr" for c in code_cells(node) for o in c["outputs"])


def test_nothing_is_left_out_of_the_comparison(notebook):
    path, node = notebook
    assert str(ROOT) not in path.read_text(encoding="utf-8"), f"{path.name} names a path of this machine"
    for cell in node["cells"]:
        assert set(cell["metadata"].get("tags", [])) <= TAGS, path.name
        assert "NBVAL_" not in "".join(cell["source"]), path.name


def test_tutorials_are_chapters_with_exercises():
    """Each begins with what is learned and on which data, and ends with exercises whose answers were run and are folded."""
    assert len(TUTORIALS) == 9
    for path in TUTORIALS:
        node = json.loads(path.read_text(encoding="utf-8"))
        prose = ["".join(c["source"]) for c in node["cells"] if c["cell_type"] == "markdown"]
        assert prose[0].startswith("# "), path.name
        assert "**What you will learn.**" in prose[0], path.name
        asked = next(p for p in prose if p.startswith("## Exercises"))
        answers = [c for c in code_cells(node) if "answer" in c["metadata"].get("tags", [])]
        assert 1 <= len(answers) <= len(re.findall(r"(?m)^\d\.", asked)), path.name
        assert all(c["metadata"]["jupyter"]["source_hidden"] for c in answers), path.name
        assert all(c["outputs"] for c in answers), path.name


def test_links_between_notebooks_lead_somewhere(notebook):
    path, node = notebook
    for cell in node["cells"]:
        if cell["cell_type"] == "markdown":
            for target in re.findall(r"\]\(([^)#]+)", "".join(cell["source"])):
                assert "://" in target or (path.parent / target).is_file(), (path.name, target)


def test_notebooks_are_small_and_canonical(notebook):
    import nbformat

    from refresh_notebooks import canonical

    path, _ = notebook
    assert path.stat().st_size < 500_000
    assert canonical(nbformat.read(path, as_version=4)) == path.read_text(encoding="utf-8"), "run `make notebooks`"


def test_figures_in_notebooks_carry_alt_text(notebook):
    path, node = notebook
    for cell in code_cells(node):
        for out in cell["outputs"]:
            if "image/png" in out.get("data", {}):
                alt = out["metadata"]["image/png"]["alt"]
                assert re.search(r"\d", alt), f"{path.name}: {alt!r} states no number"


# --------------------------------------------------------------------------------------- requirements

CONDA_NAMES = {  # where conda-forge's name differs from PyPI's
    "ibis-framework": "ibis-duckdb",
    "playwright": "playwright-python",
    "matplotlib": "matplotlib-base",
}


ONLY_PIP = "axe-playwright-python"


def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def wanted() -> dict[str, str]:
    from packaging.requirements import Requirement

    project = pyproject()["project"]
    listed = project["dependencies"] + project["optional-dependencies"]["test"]
    parsed = [Requirement(r) for r in listed]
    return {CONDA_NAMES.get(r.name, r.name).lower(): str(r.specifier) for r in parsed if r.name != ONLY_PIP}


def test_environment_and_pyproject_say_the_same():
    from packaging.specifiers import SpecifierSet

    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["channels"] == ["conda-forge"]
    lines = [line for line in environment["dependencies"] if isinstance(line, str)]
    listed = {re.match(r"[\w.-]+", line)[0].lower(): re.sub(r"^[\w.-]+\s*", "", line) for line in lines}
    python, pip = listed.pop("python"), listed.pop("pip")
    assert SpecifierSet(python) == SpecifierSet(pyproject()["project"]["requires-python"])
    assert pip == ""
    assert {k: SpecifierSet(v) for k, v in listed.items()} == {k: SpecifierSet(v) for k, v in wanted().items()}
    only_pip = next(r for r in pyproject()["project"]["optional-dependencies"]["test"] if r.startswith(ONLY_PIP))
    assert environment["dependencies"][-1] == {"pip": ["--no-deps -e .", only_pip.replace(">=", " >=")]}


def test_environment_installs_as_far_as_pip_can_see():
    """Every requirement of environment.yml, under its PyPI name, is met by what is installed here."""
    from importlib.metadata import version

    from packaging.specifiers import SpecifierSet

    back = {v: k for k, v in CONDA_NAMES.items()}
    for name, bound in wanted().items():
        assert SpecifierSet(bound).contains(version(back.get(name, name)), prereleases=True), name


def test_constraints_pin_every_requirement_and_name_no_host():
    from packaging.requirements import Requirement

    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all("==" in line for line in pins)
    assert "://" not in "".join(lines)
    names = {Requirement(line).name.lower() for line in pins}
    back = {v: k for k, v in CONDA_NAMES.items()}
    assert {back.get(n, n) for n in wanted()} <= names


@pytest.mark.parametrize("uv", ["", "uv"])
def test_make_installs_no_more_than_a_target_needs(tmp_path, uv):
    """``make report`` the core, ``make lab`` JupyterLab with it, ``make test`` everything; by pip and by uv."""
    for target, what in (("report", "."), ("lab", ".[lab]"), ("test", ".[test,dev]")):
        asked = ["make", "-n", f"VENV={tmp_path}/venv", f"UV={uv}", target]
        said = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert re.findall(r'install .*-e "(.*)"', said) == [what]
        assert ("uv pip install" in said) == bool(uv)


def test_make_names_files_that_are_there():
    """A target that names a file which was renamed would fail when it is called."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = re.findall(r"(?<![\w./-])(?:tests|notebooks|benchmarks)/[^\s:)]+", text)
    assert len(named) > 5
    for name in named:
        assert list(ROOT.glob(name)), name
