"""What the site shows that does not lie in this folder: the notebooks as they are stored, and the reference of every public name."""

from __future__ import annotations

import html
import inspect
import json
import re
import typing
from pathlib import Path
from typing import Any

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

import clvnb
from clvnb import compat
from clvnb.compat import datasets, plotting, utils
from clvnb.data import client

ROOT = Path(__file__).resolve().parent.parent
COMPAT = {"compat": compat, "compat.utils": utils, "compat.plotting": plotting, "compat.datasets": datasets}


ROOMS = [name for name in dir(clvnb) if inspect.ismodule(getattr(clvnb, name))]  # formulas among them


def public() -> dict[str, Any]:
    """Every public name by how it is written after ``cv.``: those of ``cv`` first, those of rooms alone below."""
    found = {name: getattr(clvnb, name) for name in dir(clvnb) if name not in {"__version__", *ROOMS}}
    for room in ROOMS:
        own = {name: getattr(getattr(clvnb, room), name) for name in dir(getattr(clvnb, room))}
        found |= {
            f"{room}.{name}": thing for name, thing in own.items() if found.get(name) is not thing and callable(thing)
        }
    return found


def home(thing: Any) -> str:
    """The file in which a class or function stands: ``experiments.designs``."""
    return thing.__module__.removeprefix("clvnb.")


def page(thing: Any) -> str:
    """The page that shows it: one a room, and one for the formulas."""
    return "formulas" if home(thing) == "value.formulas" else home(thing).split(".")[0]


def on_config(config: Any) -> Any:
    """Put the reference at the end of the contents."""
    pages = [{name: f"reference/{name}.md"} for name in (*sorted({*ROOMS, "core"}), *COMPAT)]
    if not any("Reference" in entry for entry in config.nav):
        first = [
            {"All names": "reference/index.md"},
            {"Tables": "reference/tables.md"},
            {"Results and settings": "reference/results.md"},
        ]
        config.nav.append({"Reference": [*first, *pages]})
    return config


@event_priority(100)  # before the plugin that turns notebooks into pages
def on_files(files: Files, config: Any) -> Files:
    """Add notebooks, their files, and a page of reference for each module."""
    for path in sorted((ROOT / "notebooks").rglob("[!.]*.ipynb")):
        if path.name != "app.ipynb":
            place = path.relative_to(ROOT).as_posix()
            files.append(File(place, str(ROOT), config.site_dir, use_directory_urls=config.use_directory_urls))
    for room in {*ROOMS, "core"}:
        files.append(File.generated(config, f"reference/{room}.md", content=_room(room)))
    for name, module in COMPAT.items():
        files.append(File.generated(config, f"reference/{name}.md", content=_page(name, module.__all__)))
    files.append(File.generated(config, "reference/index.md", content=_index()))
    files.append(File.generated(config, "reference/tables.md", content=_page("core.tables", [])))
    files.append(File.generated(config, "reference/results.md", content=_results()))
    return files


def on_page_content(content: str, page: Any, **_: Any) -> str:
    """Give each picture of a notebook its own alt text back."""
    source = ROOT / page.file.src_uri
    if source.suffix != ".ipynb":
        return content
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    content = re.sub(r'(href="(?![a-z]+:)[^"#]+)\.ipynb', r"\1.html", content)
    for cell in cells:
        for out in cell.get("outputs", []):
            if "image/png" in out.get("data", {}):
                alt = html.escape(out["metadata"]["image/png"]["alt"], quote=True)
                content = content.replace("No description has been provided for this image", alt, 1)
    return content


def _page(title: str, names: list[str]) -> str:
    return f"# {title}\n" + _names(title, names)


def _names(file: str, names: list[str]) -> str:
    members = "".join(f"        - {name}\n" for name in names) or "        []\n"
    return f"\n::: clvnb.{file}\n    options:\n      show_root_heading: false\n      members:\n{members}"


def _room(room: str) -> str:
    """A room's files, each with its public names."""
    files: dict[str, list[str]] = {}
    for thing in public().values():
        if page(thing) == room:
            files.setdefault(home(thing), []).append(thing.__name__)
    return f"# {room}\n" + "".join(_names(file, sorted(names)) for file, names in sorted(files.items()))


def _index() -> str:
    """Every public name with its first sentence: of ``cv``, then of each room alone."""
    rows: dict[str, list[str]] = {}
    for name, thing in public().items():
        told = (thing.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
        row = f"| [`{name}`]({page(thing)}.md#clvnb.{home(thing)}.{thing.__name__}) | {told} |"
        rows.setdefault(f"cv.{name.split('.')[0]}" if "." in name else "cv", []).append(row)
    text = "# All public names\n\n`import clvnb as cv` gives what the guide uses, and the rooms below with all of theirs.\n"
    for place, own in rows.items():
        text += f"\n## {place}\n\n| name | |\n|---|---|\n" + "\n".join(own) + "\n"
    return text


def results() -> dict[type, list[str]]:
    """Classes that nobody makes by hand but public functions return, with the functions that do."""
    found: dict[type, list[str]] = {}
    for name, made in public().items():
        if not inspect.isfunction(made) or name.startswith("plots."):
            continue
        given = eval(made.__annotations__["return"], {**vars(typing), **inspect.getmodule(made).__dict__})
        for kind in (given, *typing.get_args(given)):
            if inspect.isclass(kind) and kind.__module__.startswith("clvnb.") and kind not in public().values():
                found.setdefault(kind, []).append(name)
    return found


def _results() -> str:
    """A page for what is returned, and for what a client.yaml is made of."""
    page = "# Results and settings\n\nWhat public functions return, and the parts of a `client.yaml`. Tables stand [here](tables.md).\n"
    for kind, makers in sorted(results().items(), key=lambda pair: pair[0].__name__):
        told = ", ".join(f"`{name}`" for name in makers)
        page += f"\n::: {kind.__module__}.{kind.__name__}\n    options:\n      show_root_heading: true\n      show_root_full_path: false\n\nReturned by {told}.\n"
    for name, kind in sorted(vars(client).items()):
        own = inspect.isclass(kind) and kind.__module__ == client.__name__ and not name.startswith("_")
        if own and kind not in public().values():
            page += f"\n::: clvnb.data.client.{name}\n    options:\n      show_root_heading: true\n      show_root_full_path: false\n      inherited_members: false\n"
    return page
