"""What the site shows that does not lie in this folder: the notebooks as they are stored, and the reference of every public name."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

import clvnb
from clvnb import compat

ROOT = Path(__file__).resolve().parent.parent


def on_config(config: Any) -> Any:
    """Put the reference at the end of the contents."""
    pages = [{name: f"reference/{name}.md"} for name in sorted(clvnb._HOMES)] + [{"compat": "reference/compat.md"}]
    if not any("Reference" in entry for entry in config.nav):
        config.nav.append({"Reference": [{"All names": "reference/index.md"}, *pages]})
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
    files.append(File.generated(config, "reference/compat.md", content=_page("compat", compat.__all__)))
    files.append(File.generated(config, "reference/index.md", content=_index()))
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
    members = "".join(f"        - {name}\n" for name in names)
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
