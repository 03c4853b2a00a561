"""The runner: papermill executes each client's notebooks in a kernel of their own; a report is complete or absent.

In: client folders. Out: the files of a report run, one outcome per client.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from .. import __version__
from ..core.errors import ClvnbError, ReportError, UsageError
from ..core.files import replace_file
from ..core.tables import as_day
from ..data.client import Client, Connection
from ..data.inputs import input_files, sources_of
from ..data.samples import guide_folder
from ..satisfaction.baseline import find_baseline
from .execute import Limits, MachineError, run_notebook
from .files import step_sheets, write_json, write_workbook
from .kernel import end_kernels
from .manifest import Manifest
from .minute import value_then
from .page import report_page
from .pdf import check_pdf, write_pdf

__all__ = ["Outcome", "report_clients"]

TRIES = 2  # a machine fault may pass, an error of the notebook's will not
_stopped: set[str] = set()  # runs that were interrupted, while their threads end


@dataclass(frozen=True)
class Outcome:
    """What became of one client's report.

    Attributes
    ----------
    client : str
        The folder's name, made safe.
    name : str
        The client's name, or its folder's where that could not be read.
    status : "done", "failed", "unchanged" or "interrupted"
        How it ended.
    error : str
        Which step failed and why; empty when nothing did.
    folder : Path or None
        Where the report lies.
    seconds : float
        How long it took.
    attempts : int
        How often the notebooks were started; more than once after a fault of the machine.
    cell : str
        The source of the cell that failed.
    """

    client: str
    name: str
    status: str
    error: str = ""
    folder: Path | None = None
    seconds: float = 0.0
    attempts: int = 0
    cell: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        folder = self.folder.as_posix() if self.folder is not None else None
        return asdict(self) | {"folder": folder, "seconds": round(self.seconds, 2)}


@dataclass(frozen=True)
class _Job:
    """What one client's report is made from; it travels to other processes and machines."""

    folder: Path
    out: Path
    day: str
    known: dict[str, Any] | None
    earlier: Path | None
    run: str
    fork: bool
    pdf: bool
    limits: Limits


def report_clients(
    clients: Sequence[str | Path],
    *,
    out: str | Path = "reports",
    as_of: date | str | None = None,
    jobs: int = 2,
    resume: bool = False,
    earlier: str | Path | None = None,
    pdf: bool = False,
    fork: bool = True,
    cell_seconds: int = 600,
    report_seconds: int = 3600,
    executor: Executor | None = None,
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
        Report as of the evening of this day; of each client's, or its last order's, when left out.
    jobs : int
        Clients at the same time.
    resume : bool
        Leave alone what was made from the same notebooks, data, settings and version.
    earlier : path, optional
        The base point to measure a single client against; found among the client's own reports when left out.
    pdf : bool
        Write ``report.pdf`` as well; needs ``pip install "clvnb[pdf]"``.
    fork : bool
        Fork kernels from a warm process, on Linux; otherwise each imports its libraries anew.
    cell_seconds, report_seconds : int
        How long one cell, and one client's notebooks, may take, in seconds.
    executor : concurrent.futures.Executor, optional
        Where the clients are worked on, instead of ``jobs`` threads here: a process pool, or a cluster's
        (``dask.distributed.Client(...).get_executor()``). Its workers must see the same folders.
    tell : callable, optional
        Called with each outcome as it comes.

    Returns
    -------
    list of Outcome
        ``client, name, status`` (``done``, ``failed``, ``unchanged`` or ``interrupted``), ``error, folder, seconds,
        attempts, cell``, in the order of ``clients``; one client's failure never touches another's report.

    Raises
    ------
    UsageError
        When the same client is named twice, a base point is named for several, or ``pdf`` lacks WeasyPrint.
    ReportError
        When the output folder cannot be used, or another run is writing into it.
    KeyboardInterrupt
        As it came, after every kernel was ended and the manifest says which clients were interrupted.
    """
    folders = [Path(c) for c in clients]
    _no_doubles(folders)
    if earlier is not None and len(folders) != 1:
        raise UsageError(
            f"a base point belongs to one client, and {len(folders)} are named; report them one by one, or let it be found"
        )
    if pdf:
        check_pdf()
    with Manifest(Path(out)) as manifest:
        run = uuid.uuid4().hex[:8]
        job = _Job(
            folder=Path(),
            out=Path(out) if executor is None else Path(out).resolve(),
            day=str(as_day(as_of) or ""),
            known=None,
            earlier=Path(earlier).resolve() if earlier is not None else None,
            run=run,
            fork=fork,
            pdf=pdf,
            limits=Limits(cell_seconds, report_seconds),
        )
        known = manifest.entries if resume else {}
        asked = [
            replace(job, folder=f if executor is None else f.resolve(), known=known.get(_slug(f))) for f in folders
        ]
        if executor is not None:
            return _run(asked, manifest, executor, tell)
        pool = ThreadPoolExecutor(max_workers=max(1, jobs))
        try:
            return _run(asked, manifest, pool, tell)
        except BaseException:
            _stopped.add(run)
            end_kernels()  # their threads end with them
            pool.shutdown(cancel_futures=True)
            raise
        finally:
            pool.shutdown()
            end_kernels()
            _stopped.discard(run)  # every thread of it has ended


def _run(
    asked: list[_Job], manifest: Manifest, executor: Executor, tell: Callable[[Outcome], None] | None
) -> list[Outcome]:
    """Hand out the work, and write down each outcome as it comes."""
    outcomes: dict[Path, Outcome] = {}
    futures = {executor.submit(_one_client, job): job for job in asked}
    try:
        for future in as_completed(futures):
            outcome, entry = _result(future, futures[future])
            outcomes[futures[future].folder] = outcome
            manifest.record(outcome, entry)
            if tell is not None:
                tell(outcome)
    except BaseException:
        for future in futures:
            future.cancel()
        for job in asked:
            if job.folder not in outcomes:
                manifest.record(Outcome(_slug(job.folder), job.folder.name, "interrupted", _INTERRUPTED), None)
        raise
    return [outcomes[job.folder] for job in asked]


_INTERRUPTED = "stopped before it was finished; run again with --resume"


def _result(future: Future[Any], job: _Job) -> tuple[Outcome, dict[str, Any] | None]:
    """The outcome, or why there is none: a worker that is gone takes its clients along, and no others."""
    try:
        return future.result()
    except Exception as error:
        reason = f"the worker did not answer: {type(error).__name__}: {error}".rstrip(": ")
        shutil.rmtree(_scratch(job), ignore_errors=True)
        return Outcome(_slug(job.folder), job.folder.name, "failed", reason), None


def _no_doubles(folders: Iterable[Path]) -> None:
    seen: dict[str, Path] = {}
    for folder in folders:
        slug = _slug(folder).casefold()  # some disks do not tell large letters from small
        if slug in seen:
            raise UsageError(
                f"{folder} and {seen[slug]} would both be reported as {_slug(folder)!r}; name each client once, "
                "and give folders of the same name another one"
            )
        seen[slug] = folder


def _slug(folder: Path) -> str:
    return Client.model_construct(folder=folder.resolve()).slug


def _scratch(job: _Job) -> Path:
    return job.out / f".clvnb-{_slug(job.folder)}-{job.run}"


# ------------------------------------------------------------------------------------------ one client


def _one_client(job: _Job) -> tuple[Outcome, dict[str, Any] | None]:
    """Make one client's report; every failure becomes an outcome, and a log says what happened."""
    outcome, entry, log = _worked(job)
    if outcome.status != "unchanged":
        _write_log(job, outcome, log)
    return outcome, entry


def _worked(job: _Job) -> tuple[Outcome, dict[str, Any] | None, str]:
    """The outcome, the manifest's entry where a report was made, and what an analyst needs where none was."""
    started = time.perf_counter()
    slug, name, scratch = _slug(job.folder), job.folder.resolve().name, _scratch(job)
    tries, cell = 0, ""

    def outcome(status: str, error: str = "", folder: Path | None = None) -> Outcome:
        return Outcome(slug, name, status, error, folder, time.perf_counter() - started, tries, cell)

    try:
        client = Client.load(job.folder)
        name = client.name
        key = _input_key(client, job.day)
        own = job.out / slug
        base = job.earlier or (own.resolve() if own.is_dir() else "")
        if job.known is not None and _is_same(job, job.known, key, base):
            return outcome("unchanged", folder=job.out / Path(job.known["page"]).parent), job.known, ""
        for tries in range(1, TRIES + 1):
            try:
                shutil.rmtree(scratch, ignore_errors=True)
                scratch.mkdir(parents=True)
                entry = _make(client, job, key, base, tries)
                break
            except MachineError:
                if tries == TRIES or job.run in _stopped:
                    raise
        final = job.out / Path(entry["page"]).parent
        return outcome("done", folder=final), entry | {"seconds": round(time.perf_counter() - started, 2)}, ""
    except ClvnbError as error:
        if job.run in _stopped:
            return outcome("interrupted", _INTERRUPTED), None, ""
        cell = getattr(error, "cell", "")
        return outcome("failed", str(error)), None, getattr(error, "log", "")
    except OSError as error:
        return (
            outcome("failed", f"{error.filename or job.out}: {error.strerror or error}"),
            None,
            traceback.format_exc(),
        )
    except Exception as error:  # a fault of clvnb's own must not stop the other clients
        said = f"{type(error).__name__}: {error}; this is a fault of clvnb, please report it"
        return outcome("failed", said), None, traceback.format_exc()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _is_same(job: _Job, known: dict[str, Any], key: str, base: Path | str) -> bool:
    """Whether the report that is there would come out the same."""
    page = job.out / known.get("page", "")
    there = known.get("key") == key and known.get("status") == "done" and page.is_file()
    there = there and (not job.pdf or page.with_suffix(".pdf").is_file())
    return there and known.get("measured_against") == _base_hash(base, known["results"]["as_of"])


def _write_log(job: _Job, outcome: Outcome, log: str) -> None:
    """Leave what happened to the client in this run, and where it failed the cell and the traceback."""
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    text = (
        f"{outcome.name}: {outcome.status}, {when}, in {outcome.seconds:.1f} s, {outcome.attempts} of {TRIES} tries\n"
    )
    for head, part in (("error", outcome.error), ("cell", outcome.cell), ("traceback", log)):
        text += f"\n{head}:\n{part}\n" if part else ""
    place = job.out / outcome.client / "report.log"
    with suppress(OSError, ReportError):  # a full or closed disk was already said in the outcome
        replace_file(place, lambda p: p.write_text(text, encoding="utf-8"))


def _base_hash(place: Path | str, as_of: str) -> str:
    """What a report of this day is measured against; empty in the first cycle."""
    found = find_baseline(place, as_of)
    return found[0].hash if found else ""


def _make(client: Client, job: _Job, key: str, base: Path | str, tries: int) -> dict[str, Any]:
    """Run the notebooks into the scratch folder, add page, tables and results, and move it to its final name."""
    scratch = _scratch(job)
    (scratch / "notebooks").mkdir()
    (scratch / "tables").mkdir()
    parameters = {
        "client": str(client.folder),
        "as_of": job.day,
        "output": str((scratch / "tables").resolve()),
        "earlier": str(base),
    }
    whole = run_notebook(_joined(_notebooks()), parameters, fork=job.fork, limits=job.limits, name="report")
    seconds, steps = _seconds(whole), _apart(whole, _notebooks())
    for name, node in steps.items():
        (scratch / "notebooks" / name).write_text(_notebook_text(node), encoding="utf-8")
    results = json.loads((scratch / "tables" / "results.json").read_text(encoding="utf-8"))
    (scratch / "tables" / "results.json").unlink()
    for name in ("baseline.json", "target_list.csv"):
        if (scratch / "tables" / name).is_file():
            os.replace(scratch / "tables" / name, scratch / name)
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    facts = {"made": made, "key": key[:16]}
    page = report_page(client, list(steps.values()), results, scratch / "tables", facts)
    (scratch / "report.html").write_text(page, encoding="utf-8")
    if job.pdf:
        write_pdf(page, scratch / "report.pdf")
    write_workbook(step_sheets(scratch / "tables", results, client), scratch / "clvnb.xlsx")
    entry = {
        "name": client.name,
        "status": "done",
        "error": "",
        "page": f"{client.slug}/{results['as_of']}/report.html",
        "key": key,
        "made": made,
        "locale": client.locale,
        "measured_against": _base_hash(base, results["as_of"]),
        "value_then": value_then(results, scratch / "tables"),
        "attempts": tries,
        "bytes": len(page.encode()),
        "cell": "",
    }
    versions = {"clvnb": __version__, "python": ".".join(map(str, sys.version_info[:3]))}
    write_json(scratch / "results.json", results | {"versions": versions, "seconds": seconds, "report": entry})
    home = job.out / client.slug
    home.mkdir(exist_ok=True)
    _swap(scratch, home / results["as_of"])
    replace_file(home / "latest", lambda p: p.write_text(results["as_of"] + "\n", encoding="utf-8"))
    return entry | {"results": results}


def _swap(fresh: Path, final: Path) -> None:
    """Put a finished folder in place of an older one; no moment shows a half-written report."""
    old = final.with_name(f".clvnb-old-{final.name}-{uuid.uuid4().hex[:8]}")
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


def _bare(path: Path) -> Any:
    """A notebook without what it showed last time, which would be carried along, checked and thrown away."""
    from nbformat import v4

    node = v4.reads(path.read_text(encoding="utf-8"))
    for cell in node.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return node


def _joined(notebooks: list[Path]) -> Any:
    """All steps as one notebook, which one kernel runs, so that Python and its libraries start once.

    Panels of sliders stay out, for nobody moves them in a report. One parameter cell has what any step asks for.
    """
    whole, asked = None, []
    for path in notebooks:
        node = _bare(path)
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
    found = {}
    for path in notebooks:
        node = _bare(path)
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


def _notebook_text(node: Any) -> str:
    import nbformat

    return str(nbformat.writes(node))


def _input_key(client: Client, day: str) -> str:
    """Hash of everything a report depends on: notebooks, data, settings and version."""
    digest = hashlib.sha256(f"{__version__}|{day}".encode())
    files = [client.folder / "client.yaml", *_notebooks(), *input_files(client)]
    if client.plan.opt_outs is not None:
        files.append(client.folder / client.plan.opt_outs)
    if any(isinstance(source.source, Connection) for source in sources_of(client)):
        digest.update(uuid.uuid4().bytes)  # what a database holds today cannot be known without asking it
    for file in files:
        if file.is_file():
            digest.update(file.name.encode())
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
