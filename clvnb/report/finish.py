"""What is made of a client's executed notebooks and tables: the page, the explorer, the workbook and the PDF.

In: the folder of a run, as its notebooks left it. Out: the files of the report, or an answer that says why there are none.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

from ..core.errors import ClvnbError
from ..data.client import Client
from .files import step_sheets, write_workbook
from .page import explore, page_to_print, report_page
from .pdf import write_pdf

__all__ = ["finish", "main"]


def main(file: Path) -> int:
    """Do what an order says, in a process of its own; an answer beside it says why that could not be done."""
    order = json.loads(file.read_text(encoding="utf-8"))
    try:
        finish(**order)
    except ClvnbError as error:
        answer = {"error": str(error)}
    except OSError as error:
        said = f"{error.filename or order['folder']}: {error.strerror or error}"
        answer = {"error": said, "log": traceback.format_exc()}
    except Exception as error:
        said = f"{type(error).__name__}: {error}; this is a fault of clvnb, please report it"
        answer = {"error": said, "log": traceback.format_exc()}
    else:
        return 0
    file.with_name("answer.json").write_text(json.dumps(answer), encoding="utf-8")
    return 1


def finish(folder: str, client: str, results: dict[str, Any], facts: dict[str, str], missing: str, pdf: bool) -> None:
    """Write the files of a report.

    Parameters
    ----------
    folder : str
        Holds ``notebooks/`` and ``tables/``; the files are written beside them.
    client : str
        The client's folder.
    results : dict
        What the steps left in ``results.json``.
    facts : dict
        When it was made, and from which inputs.
    missing : str
        Why step 4 is missing; empty where it is there.
    pdf : bool
        Write the page as a PDF too.
    """
    import nbformat

    place, whose = Path(folder), Client.load(client)
    steps = [nbformat.read(path, as_version=4) for path in sorted((place / "notebooks").glob("*.ipynb"))]
    page = report_page(whose, [*steps, *_said(missing)], results, place / "tables", facts)
    (place / "report.html").write_text(page, encoding="utf-8")
    (place / "explore.html").write_text(explore(whose, results, place / "tables"), encoding="utf-8")
    if pdf:
        write_pdf(page_to_print(page, whose), place / "report.pdf")
    write_workbook(step_sheets(place / "tables", results, whose), place / "clvnb.xlsx", words=whose.words)


def _said(missing: str) -> list[Any]:
    """A chapter that says why step 4 is missing."""
    from nbformat import v4

    if not missing:
        return []
    text = f"# Step 4 could not be made\n\n```\n{missing}\n```"
    return [v4.new_notebook(cells=[v4.new_markdown_cell(text)])]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
