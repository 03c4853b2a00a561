"""The runner: papermill executes each client's notebooks in a kernel of their own; a report is complete or absent.

In: client folders. Out: the files of a report run, one outcome per client.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from .. import __version__
from ..basepoint import find_baseline
from ..client import Client, Connection
from ..samples import guide_folder
from ..tables import ClvnbError, ReportError, as_day
from .files import replace_file, step_sheets, write_json, write_workbook
from .page import index_page, report_page

__all__ = ["Outcome", "report_clients"]

CELL_SECONDS = 600


@dataclass(frozen=True)
class Outcome:
    """What became of one client's report.

    Attributes
    ----------
    client : str
        The folder's name.
    name : str
        The client's name, or its folder's where that could not be read.
    status : "done", "failed" or "unchanged"
    error : str
        Which step failed and why; empty when nothing did.
    folder : Path or None
        Where the report lies.
    seconds : float
    """

    client: str
    name: str
    status: str
    error: str = ""
    folder: Path | None = None
    seconds: float = 0.0


def report_clients(
    clients: Sequence[str | Path],
    *,
    out: str | Path = "reports",
    as_of: date | str | None = None,
    jobs: int = 2,
    resume: bool = False,
    earlier: str | Path | None = None,
    tell: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Make one report per client, and the index page over all of them.

    Parameters
    ----------
    clients : sequence of paths
        Folders with a ``client.yaml``.
    out : path
        The folder of reports.
    as_of : date, optional
        Report as of this day's evening.
    jobs : int
        Clients at the same time.
    resume : bool
        Leave alone what was made from the same notebooks, data, settings and version.
    earlier : path, optional
        The base point to measure a single client against; found among the client's own reports when left out.
    tell : callable, optional
        Called with each outcome as it comes.

    Returns
    -------
    list of Outcome
        In the order of ``clients``; one client's failure never touches another's report.

    Raises
    ------
    ReportError
        When the same client is named twice, a base point is named for several, or the output folder cannot be used.
    """
    folders = [Path(c) for c in clients]
    _no_doubles(folders)
    if earlier is not None and len(folders) != 1:
        raise ReportError(
            f"a base point belongs to one client, and {len(folders)} are named; report them one by one, or let it be found"
        )
    place = Path(out)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReportError(f"{place}: cannot be used as the output folder: {error.strerror}") from error
    manifest = _read_manifest(place)
    day = str(as_day(as_of) or "")
    outcomes: dict[Path, Outcome] = {}
    pool = ThreadPoolExecutor(max_workers=max(1, jobs))
    try:
        futures = {pool.submit(_one_client, f, place, day, manifest if resume else {}, earlier): f for f in folders}
        for future in as_completed(futures):
            outcome, entry = future.result()
            outcomes[futures[future]] = outcome
            manifest[outcome.client] = entry or _failed_entry(outcome, manifest.get(outcome.client))
            _write_manifest(place, manifest)
            if tell is not None:
                tell(outcome)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
    return [outcomes[f] for f in folders]


def _no_doubles(folders: Iterable[Path]) -> None:
    seen: dict[str, Path] = {}
    for folder in folders:
        slug = _slug(folder)
        if slug in seen:
            raise ReportError(
                f"{folder} and {seen[slug]} would both be reported as {slug!r}; name each client once, "
                "and give folders of the same name another one"
            )
        seen[slug] = folder


def _slug(folder: Path) -> str:
    return Client.model_construct(folder=folder.resolve()).slug


# ------------------------------------------------------------------------------------------ one client


def _one_client(
    folder: Path, out: Path, day: str, known: dict[str, Any], earlier: str | Path | None
) -> tuple[Outcome, dict[str, Any] | None]:
    started = time.perf_counter()
    slug = _slug(folder)
    scratch = out / f".{slug}-{uuid.uuid4().hex[:8]}"
    name = folder.resolve().name
    try:
        client = Client.load(folder)
        name = client.name
        key = _input_key(client, day)
        before, base = known.get(slug, {}), Path(earlier) if earlier is not None else out / client.slug
        same = before.get("key") == key and before.get("status") == "done" and (out / before["page"]).is_file()
        if same and before.get("measured_against") == _base_hash(base, before["results"]["as_of"]):
            return Outcome(slug, name, "unchanged", folder=out / Path(before["page"]).parent), before
        scratch.mkdir(parents=True)
        entry = _make(client, scratch, out, day, key, base)
        seconds = round(time.perf_counter() - started, 2)
        final = out / Path(entry["page"]).parent
        return Outcome(slug, name, "done", folder=final, seconds=seconds), entry
    except ClvnbError as error:
        return Outcome(slug, name, "failed", str(error), seconds=time.perf_counter() - started), None
    except OSError as error:
        reason = f"{error.filename or out}: {error.strerror or error}"
        return Outcome(slug, name, "failed", reason, seconds=time.perf_counter() - started), None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _base_hash(place: Path, as_of: str) -> str:
    """What a report of this day is measured against; empty in the first cycle."""
    found = find_baseline(place, as_of)
    return found[0].hash if found else ""


def _make(client: Client, scratch: Path, out: Path, day: str, key: str, base: Path) -> dict[str, Any]:
    """Run the notebooks into ``scratch``, add page, tables and results, and move it to its final name."""
    (scratch / "notebooks").mkdir()
    (scratch / "tables").mkdir()
    parameters = {
        "client": str(client.folder),
        "as_of": day,
        "output": str((scratch / "tables").resolve()),
        "earlier": str(base.resolve()),
    }
    whole = _execute(_joined(_notebooks()), parameters)
    seconds, steps = _seconds(whole), _apart(whole, _notebooks())
    for name, node in steps.items():
        (scratch / "notebooks" / name).write_text(_notebook_text(node), encoding="utf-8")
    results = json.loads((scratch / "tables" / "results.json").read_text(encoding="utf-8"))
    (scratch / "tables" / "results.json").unlink()
    for name in ("baseline.json", "target_list.csv"):
        if (scratch / "tables" / name).is_file():
            os.replace(scratch / "tables" / name, scratch / name)
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    versions = {"clvnb": __version__, "python": ".".join(map(str, sys.version_info[:3]))}
    facts = {"made": made, "clvnb": __version__, "data and settings": key[:16], "model": results["card"]["model"],
             "data window": results["card"]["window"]}  # fmt: skip
    (scratch / "report.html").write_text(report_page(client, list(steps.values()), results, facts), encoding="utf-8")
    write_workbook(step_sheets(scratch / "tables"), scratch / "clvnb.xlsx")
    write_json(scratch / "results.json", results | {"versions": versions, "seconds": seconds, "inputs": key})
    home = out / client.slug
    home.mkdir(exist_ok=True)
    _swap(scratch, home / results["as_of"])
    replace_file(home / "latest", lambda p: p.write_text(results["as_of"] + "\n", encoding="utf-8"))
    return {
        "name": client.name,
        "status": "done",
        "error": "",
        "page": f"{client.slug}/{results['as_of']}/report.html",
        "key": key,
        "made": made,
        "locale": client.locale,
        "measured_against": _base_hash(base, results["as_of"]),
        "results": results,
    }


def _swap(fresh: Path, final: Path) -> None:
    """Put a finished folder in place of an older one; no moment shows a half-written report."""
    old = final.with_name(f".old-{uuid.uuid4().hex[:8]}")
    if final.exists():
        os.replace(final, old)
    try:
        os.replace(fresh, final)
    except OSError:
        if old.exists():
            os.replace(old, final)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _notebooks() -> list[Path]:
    found = sorted(guide_folder().glob("[1-4]_*.ipynb"))
    if not found:
        raise ReportError(f"{guide_folder()} holds no notebooks; install clvnb again")
    return found


def _joined(notebooks: list[Path]) -> Any:
    """All steps as one notebook, which one kernel runs, so that Python and its libraries start once.

    Panels of sliders stay out, for nobody moves them in a report. One parameter cell has what any step asks for.
    """
    import nbformat

    whole, asked = None, []
    for path in notebooks:
        node = nbformat.read(path, as_version=4)
        tagged = [c for c in node.cells if "parameters" in c.metadata.get("tags", [])]
        asked += [line for c in tagged for line in c.source.splitlines() if line not in asked]
        kept = [c for c in node.cells if not {"interactive", "parameters"} & set(c.metadata.get("tags", []))]
        for k, cell in enumerate(kept if whole is not None else node.cells):
            cell.metadata["step"], cell["id"] = path.stem, f"{path.stem[0]}-{k:03d}"
        if whole is None:
            whole = node
            whole.cells = [c for c in node.cells if "interactive" not in c.metadata.get("tags", [])]
        else:
            whole.cells += kept
    for cell in whole.cells if whole is not None else []:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = "\n".join(asked)
    return whole


def _apart(whole: Any, notebooks: list[Path]) -> dict[str, Any]:
    """The executed steps as notebooks of their own again, each with its parameter cell and without paths of this machine."""
    import nbformat

    found = {}
    for path in notebooks:
        node = nbformat.read(path, as_version=4)
        ran = [
            c
            for c in whole.cells
            if c.metadata.get("step") == path.stem and "parameters" not in c.metadata.get("tags", [])
        ]
        tagged = [c for c in node.cells if "parameters" in c.metadata.get("tags", [])]
        at = next(k for k, c in enumerate(ran) if c.cell_type == "code")
        ran = [*ran[:at], *tagged, *ran[at:]]
        for count, cell in enumerate((c for c in ran if c.cell_type == "code"), start=1):
            cell.execution_count = count
            for out in cell.outputs:
                if "execution_count" in out:
                    out["execution_count"] = count
        for k, cell in enumerate(ran):
            cell["id"] = f"cell-{k:02d}"
            for key in ("papermill", "execution", "step"):
                cell.metadata.pop(key, None)
        node.cells = ran
        found[path.name] = node
    return found


def _seconds(whole: Any) -> dict[str, float]:
    """How long each step took."""
    taken: dict[str, float] = {}
    for cell in whole.cells:
        step = cell.metadata.get("step")
        if step is not None:
            taken[step] = round(
                taken.get(step, 0.0) + float(cell.metadata.get("papermill", {}).get("duration") or 0.0), 2
            )
    return taken


def _execute(node: Any, parameters: dict[str, str]) -> Any:
    """Run a notebook through papermill; judge by exceptions and by every cell having run, not by files."""
    import nbformat

    papermill = _papermill()
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from traitlets.config import Config

    place = tempfile.mkdtemp(prefix="clvnb-")
    source = Path(place) / "report.ipynb"
    nbformat.write(node, source)
    config = Config()
    config.NotebookClient.kernel_manager_class = "clvnb.report.kernel.QuietKernelManager"
    if os.name == "posix":
        # A socket path of its own for each kernel: the default one is shared by all kernels of a folder.
        config.KernelManager.transport = "ipc"
        config.KernelManager.ip = f"{place}/k"
    try:
        done = papermill.execute_notebook(
            str(source),
            None,
            parameters=parameters,
            kernel_name="python3",
            progress_bar=False,
            execution_timeout=CELL_SECONDS,
            config=config,
        )
    except papermill.PapermillExecutionError as error:
        raise ReportError(_say_failure(node, error)) from error
    except CellTimeoutError as error:
        raise ReportError(f"a cell of the notebooks ran longer than {CELL_SECONDS} s") from error
    except DeadKernelError as error:
        raise ReportError("the Python process died, most likely for want of memory; run fewer --jobs") from error
    finally:
        shutil.rmtree(place, ignore_errors=True)
    code = [c for c in done.cells if c.cell_type == "code" and c.source.strip()]
    if any(c.execution_count is None for c in code):
        raise ReportError("the notebooks stopped before their last cell")
    return done


def _papermill() -> Any:
    # jsonschema imports this grammar for a check nobody needs here, at more than a second; it copes without.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    import papermill

    return papermill


def _say_failure(node: Any, error: Any) -> str:
    """Name the step and the reason; a ClvnbError already says what to do."""
    if error.ename in {"ClientError", "TableError", "FitError", "ReportError", "ClvnbError"}:
        return str(error.evalue)
    source = (error.source or "").strip()
    step = next((c.metadata.get("step", "") for c in node.cells if c.source.strip() == source), "the report")
    return f"{step}: {error.ename}: {error.evalue} (in: {source.splitlines()[0][:80] if source else 'an unknown cell'})"


def _notebook_text(node: Any) -> str:
    import nbformat

    return str(nbformat.writes(node))


def _input_key(client: Client, day: str) -> str:
    """Hash of everything a report depends on: notebooks, data, settings and version."""
    digest = hashlib.sha256(f"{__version__}|{day}".encode())
    files = [client.folder / "client.yaml", *_notebooks()]
    if client.plan.opt_outs is not None:
        files.append(client.folder / client.plan.opt_outs)
    for source in (
        client.transactions,
        client.contracts,
        client.acquisition,
        client.surveys,
        client.service,
        client.initiatives,
    ):
        if source is not None and not isinstance(source.source, Connection):
            files += [Path(p) for p in sorted(glob.glob(str(client.folder / source.source)))]
    for file in files:
        if file.is_file():
            digest.update(file.name.encode())
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


# -------------------------------------------------------------------------------------------- manifest


def _read_manifest(out: Path) -> dict[str, Any]:
    try:
        value = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
        return dict(value["clients"])
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, OSError):
        return {}  # a damaged manifest is made anew


def _failed_entry(outcome: Outcome, before: dict[str, Any] | None) -> dict[str, Any]:
    page = (before or {}).get("page", "")
    return {
        "name": outcome.name,
        "status": "failed",
        "error": outcome.error,
        "page": page,
        "key": "",
        "results": None,
    }


def _write_manifest(out: Path, manifest: dict[str, Any]) -> None:
    ordered = dict(sorted(manifest.items()))
    write_json(out / "manifest.json", {"clvnb": __version__, "clients": ordered})
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    page = index_page([{"client": k, **v} for k, v in ordered.items()], made)
    replace_file(out / "index.html", lambda p: p.write_text(page, encoding="utf-8"))
