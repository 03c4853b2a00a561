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


def on_config(config: Any) -> Any:
    """Put the reference at the end of the contents."""
    pages = [{name: f"reference/{name}.md"} for name in sorted(clvnb._HOMES)] + [
        {name: f"reference/{name}.md"} for name in COMPAT
    ]
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
    for home, names in clvnb._HOMES.items():
        files.append(File.generated(config, f"reference/{home}.md", content=_page(home, names)))
    for home, module in COMPAT.items():
        files.append(File.generated(config, f"reference/{home}.md", content=_page(home, module.__all__)))
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


def _page(home: str, names: list[str]) -> str:
    members = "".join(f"        - {name}\n" for name in names) or "        []\n"
    return f"# {home}\n\n::: clvnb.{home}\n    options:\n      show_root_heading: false\n      members:\n{members}"


def _index() -> str:
    """Every public name with its first sentence."""
    rows = []
    for name, home in sorted(clvnb._HOME_OF.items(), key=lambda pair: pair[0].lower()):
        told = (getattr(clvnb, name).__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
        rows.append(f"| [`{name}`]({home}.md#clvnb.{home}.{name}) | {told} |")
    return (
        "# All public names\n\n`import clvnb as cv` gives them all.\n\n| name | |\n|---|---|\n" + "\n".join(rows) + "\n"
    )


def results() -> dict[type, list[str]]:
    """Classes that nobody makes by hand but public functions return, with the functions that do."""
    found: dict[type, list[str]] = {}
    for name in clvnb.__all__[1:]:
        made = getattr(clvnb, name)
        if not inspect.isfunction(made) or name.startswith("plot_"):
            continue
        given = eval(made.__annotations__["return"], {**vars(typing), **inspect.getmodule(made).__dict__})
        for kind in (given, *typing.get_args(given)):
            if inspect.isclass(kind) and kind.__module__.startswith("clvnb.") and kind not in vars(clvnb).values():
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
        if own and name not in clvnb.__all__:
            page += f"\n::: clvnb.data.client.{name}\n    options:\n      show_root_heading: true\n      show_root_full_path: false\n      inherited_members: false\n"
    return page
