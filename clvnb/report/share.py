"""The page for colleagues: the notebook ``app`` with a client's name in it, for voila to serve.

In: a client, and the folder of reports. Out: a notebook in a folder of its own.
"""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

import nbformat

from ..data.client import Client
from ..data.samples import guide_folder

__all__ = ["app_environment", "app_settings", "write_app"]

# Nothing is loaded from elsewhere, whatever a page or a widget asks for.
POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; "
    "connect-src 'self' ws://localhost:* ws://127.0.0.1:*; frame-ancestors 'self'"
)


def app_settings() -> dict[str, object]:
    """Return what voila's server is told: nothing from elsewhere on a page, and no answer to a name that is not this machine's.

    A page elsewhere can give its own name this machine's address; its requests carry that name.
    """
    return {
        "headers": {"Content-Security-Policy": POLICY},
        "allow_remote_access": False,
        "local_hostnames": ["localhost"],
    }


def app_environment(place: Path, token: str) -> dict[str, str]:
    """Return the environment in which voila finds clvnb's page template, written below ``place``, and asks for ``token``."""
    folder = place / "jupyter" / "voila" / "templates" / "clvnb"
    folder.mkdir(parents=True)
    template = files("clvnb.report").joinpath("app.html.j2").read_text(encoding="utf-8")
    (folder / "index.html.j2").write_text(template, encoding="utf-8")
    (folder / "conf.json").write_text('{"base_template": "lab"}', encoding="utf-8")
    known = os.environ.get("JUPYTER_PATH")
    path = str(place / "jupyter") + (f"{os.pathsep}{known}" if known else "")
    return {**os.environ, "JUPYTER_PATH": path, "JUPYTER_TOKEN": token}  # other users may read a command, and not this


def write_app(client: str | Path, out: str | Path, place: Path) -> Path:
    """Write the notebook that voila serves.

    Parameters
    ----------
    client : path
        The client's folder.
    out : path
        The folder of reports; the tables of the newest one are used for the customers, where there is one.
    place : path
        Where to write it.

    Returns
    -------
    Path
        The notebook.

    Raises
    ------
    ClientError
        When there is no such client.
    """
    known = Client.load(client)
    node = nbformat.read(guide_folder() / "app.ipynb", as_version=4)
    latest = Path(out) / known.slug / "latest"
    tables = latest.parent / latest.read_text(encoding="utf-8").strip() / "tables" if latest.is_file() else None
    for cell in node.cells:
        if "parameters" in cell.metadata.get("tags", []):
            day, output = ("", "") if tables is None else (tables.parent.name, str(tables.resolve()))
            cell.source = f"client = {str(known.folder.resolve())!r}\nas_of = {day!r}\noutput = {output!r}"
        if cell.cell_type == "code":
            cell.outputs = []
    page = place / "app.ipynb"
    nbformat.write(node, page)
    return page
