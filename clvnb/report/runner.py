"""The runner: papermill executes each client's notebooks in a kernel of their own; a report is complete or absent.

In: client folders. Out: the files of a report run, one outcome per client.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed, wait
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any

from .. import __version__
from ..core.errors import ClvnbError, ReportError, UsageError
from ..core.files import drop_scratch, keep_on_disk, replace_file, scratch_folder
from ..core.tables import as_day
from ..data.client import Client
from ..data.inputs import reads_database, report_files, stamps
from ..data.samples import guide_folder
from ..satisfaction.baseline import find_baseline
from .execute import DatabaseError, Limits, MachineError, RunError, run_notebook
from .files import write_json
from .kernel import end_kernels, run_apart
from .manifest import Manifest
from .pdf import check_pdf
from .summary import by_month, value_then

__all__ = ["Outcome", "report_clients"]

TRIES = 2  # a machine fault may pass, an error of the notebook's will not
WAITS = (5.0, 15.0, 40.0)  # seconds before a database that did not answer is asked again
_stopped: set[str] = set()  # runs that were interrupted, while their threads end
_MOVING = threading.Lock()  # held while a report is moved to its place: it is there before an interrupt, or never


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
        Which step failed and why; empty when nothing did. With ``done``: why step 4 is missing from the report.
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
    resume: bool
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
        The baseline to measure a single client against; found among the client's own reports when left out.
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
        When the same client is named twice, a baseline is named for several, or ``pdf`` lacks WeasyPrint.
    ReportError
        When the output folder cannot be used, or another run is writing into it.
    KeyboardInterrupt
        As it came, after every kernel was ended and the manifest says which clients were interrupted.
    """
    folders = [Path(c) for c in clients]
    _no_doubles(folders)
    if earlier is not None and len(folders) != 1:
        raise UsageError(
            f"a baseline belongs to one client, and {len(folders)} are named; report them one by one, or let it be found"
        )
    if pdf:
        check_pdf()
    _enough_files(jobs)
    with Manifest(Path(out)) as manifest:
        run = uuid.uuid4().hex[:8]
        job = _Job(
            folder=Path(),
            out=Path(out) if executor is None else Path(out).resolve(),
            day=str(as_day(as_of) or ""),
            known=None,
            resume=resume,
            earlier=Path(earlier).resolve() if earlier is not None else None,
            run=run,
            fork=fork,
            pdf=pdf,
            limits=Limits(cell_seconds, report_seconds),
        )
        _take_along(manifest, folders)
        known = manifest.entries
        asked = [
            replace(job, folder=f if executor is None else f.resolve(), known=known.get(_slug(f))) for f in folders
        ]
        if executor is not None:
            return _run(asked, manifest, executor, tell)
        pool = ThreadPoolExecutor(max_workers=max(1, jobs))
        try:
            return _run(asked, manifest, pool, tell)
        finally:
            pool.shutdown()
            end_kernels()
            _stopped.discard(run)  # every thread of it has ended


def _enough_files(jobs: int) -> None:
    """Let as many files be open at once as this many clients need, or say before any work that the system forbids it."""
    try:
        import resource
    except ImportError:  # where there is no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = 128 + 32 * jobs
    if soft == resource.RLIM_INFINITY or soft >= need:
        return
    if hard != resource.RLIM_INFINITY and hard < need:
        raise UsageError(
            f"this system lets a program open {hard} files at once, and {need} are needed for {jobs} clients at a time; "
            f"raise that limit (`ulimit -n {need}`), or use fewer --jobs"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))


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
        _stop(asked[0].run, futures, _PATIENCE if isinstance(executor, ThreadPoolExecutor) else 0)
        for future, job in futures.items():
            if job.folder not in outcomes:
                done = future.done() and not future.cancelled()
                manifest.record(*(_result(future, job) if done else (_interrupted(job), None)))
        raise
    return [outcomes[job.folder] for job in asked]


def _stop(run: str, futures: Iterable[Future[Any]], patience: float) -> None:
    """End the work: what is not yet in its place stays out of it, and what this process began has ended."""
    with _MOVING:
        _stopped.add(run)
    begun = [future for future in futures if not future.cancel()]
    ends = time.monotonic() + patience
    while True:
        end_kernels()  # their threads end with them; one that was about to begin, with the next look
        if not wait(begun, timeout=min(2.0, patience)).not_done or time.monotonic() >= ends:
            return


def _interrupted(job: _Job) -> Outcome:
    return Outcome(_slug(job.folder), job.folder.name, "interrupted", _INTERRUPTED)


_PATIENCE = 60  # seconds for what an interrupt meets at work in this process, a workbook for instance
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


def _take_along(manifest: Manifest, folders: Iterable[Path]) -> None:
    """Give reports that version 0.1 made, in which a name in other letters became ``client``, the name that they have now."""
    for folder in folders:
        slug, former = _slug(folder), re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip(".-") or "client"
        there = manifest.entries.get(former)
        if slug == former or slug in manifest.entries or there is None or there.get("owner"):
            continue
        with suppress(ClvnbError):  # settings that cannot be read are said when their turn comes
            if Client.load(folder).name == there["name"] and not (manifest.out / slug).exists():
                manifest.rename(former, slug)


def _scratch(job: _Job) -> Path:
    return job.out / f".clvnb-{_slug(job.folder)}-{job.run}"


# ------------------------------------------------------------------------------------------ one client


def _one_client(job: _Job) -> tuple[Outcome, dict[str, Any] | None]:
    """Make one client's report; every failure becomes an outcome, and a log says what happened."""
    outcome, entry, log = _worked(job)
    if entry is None or entry is not job.known:
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
        for tries in count(1):
            try:
                read = _inputs(job)
                name = read.client.name
                if job.resume and job.known is not None and _is_same(job, job.known, read):
                    tries = 0
                    return outcome("unchanged", folder=job.out / Path(job.known["page"]).parent), job.known, ""
                shutil.rmtree(scratch, ignore_errors=True)
                scratch.mkdir(parents=True)
                entry = _make(job, read, tries)
                break
            except MachineError as error:
                if _is_last(error, tries) or not _waited(job, error, tries):
                    raise
        final = job.out / Path(entry["page"]).parent
        return outcome("done", entry["error"], final), entry | {"seconds": round(time.perf_counter() - started, 2)}, ""
    except ClvnbError as error:
        if job.run in _stopped:
            return outcome("interrupted", _INTERRUPTED), None, ""
        cell = getattr(error, "cell", "")
        theirs = job.known if isinstance(error, _AnothersError) else None  # whose entry stays as it is
        return outcome("failed", str(error)), theirs, getattr(error, "log", "")
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


def _is_last(error: MachineError, tries: int) -> bool:
    """Whether no further try follows."""
    return tries > len(WAITS) if isinstance(error, DatabaseError) else tries >= TRIES


def _waited(job: _Job, error: MachineError, tries: int) -> bool:
    """Wait for a database to come back; whether the run still goes on."""
    ends = time.monotonic() + (WAITS[tries - 1] if isinstance(error, DatabaseError) else 0.0)
    while job.run not in _stopped and (left := ends - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))
    return job.run not in _stopped


@dataclass(frozen=True)
class _Inputs:
    """What a report is about to be made from."""

    client: Client
    key: str
    base: Path | str
    stamps: list[Any]

    def have_changed(self) -> bool:
        """Whether a file was written, replaced, added or taken away since."""
        return stamps(report_files(self.client)) != self.stamps


def _inputs(job: _Job) -> _Inputs:
    client = Client.load(job.folder)
    _not_anothers(job, client)
    own = job.out / client.slug
    seen = stamps(report_files(client))  # before the contents: what changes in between is seen as changed
    base = job.earlier or (own.resolve() if own.is_dir() else "")
    return _Inputs(client, _input_key(client, job.day), base, seen)


class _AnothersError(ReportError):
    """The place of a client's reports is another client's."""


def _not_anothers(job: _Job, client: Client) -> None:
    """Refuse to report into another client's folder, where it would be measured against that client's past."""
    owner, own = (job.known or {}).get("owner"), _owner(client)
    if owner and owner.get("place") != own["place"] and owner.get("name") != own["name"]:
        raise _AnothersError(
            f"{job.out / client.slug} holds the reports of another client, {owner.get('name')!r}, whose folder has the same "
            "name; name another folder with --out, or give this client's folder another name"
        )


def _owner(client: Client) -> dict[str, str]:
    """Whose reports these are: a client may be renamed, or be moved, and is known by the other."""
    return {"name": client.name, "place": hashlib.sha256(os.fsencode(client.folder)).hexdigest()[:16]}


def _is_same(job: _Job, known: dict[str, Any], read: _Inputs) -> bool:
    """Whether the report that is there is whole, and would come out the same."""
    if known.get("key") != read.key or known.get("status") != "done" or known.get("error") or not known.get("page"):
        return False
    page = job.out / known["page"]
    if not _is_whole(page.parent, known.get("files")) or (job.pdf and not page.with_suffix(".pdf").is_file()):
        return False
    day = (known.get("results") or {}).get("as_of", "")
    return bool(day) and known.get("measured_against") == _base_hash(read.base, day)


def _is_whole(folder: Path, sizes: Any) -> bool:
    """Whether every file of a report has the size that it was made with, and the results can be read."""
    if not isinstance(sizes, dict) or "report.html" not in sizes:
        return False
    try:
        json.loads((folder / "results.json").read_text(encoding="utf-8"))
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


def _sizes(folder: Path) -> dict[str, int]:
    found = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.stat().st_size for p in found}


def _write_log(job: _Job, outcome: Outcome, log: str) -> None:
    """Leave what happened to the client in this run, and where it failed the cell and the traceback."""
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    text = f"{outcome.name}: {outcome.status}, {when}, in {outcome.seconds:.1f} s, tries: {outcome.attempts}\n"
    for head, part in (("error", outcome.error), ("cell", outcome.cell), ("traceback", log)):
        text += f"\n{head}:\n{part}\n" if part else ""
    place = job.out / outcome.client / "report.log"
    with suppress(OSError, ReportError):  # a full or closed disk was already said in the outcome
        replace_file(place, lambda p: p.write_text(text, encoding="utf-8"))


def _base_hash(place: Path | str, as_of: str) -> str:
    """What a report of this day is measured against; empty in the first cycle."""
    found = find_baseline(place, as_of)
    return found[0].hash if found else ""


def _make(job: _Job, read: _Inputs, tries: int) -> dict[str, Any]:
    """Run the notebooks into the scratch folder, add page, tables and results, and move it to its final name."""
    scratch, client = _scratch(job), read.client
    steps, seconds, missing = _run_steps(job, read, tries)
    if read.have_changed():
        raise MachineError(_CHANGED)
    (scratch / "notebooks").mkdir()
    for name, node in steps.items():
        (scratch / "notebooks" / name).write_text(_notebook_text(node), encoding="utf-8")
    results = json.loads((scratch / "tables" / "results.json").read_text(encoding="utf-8"))
    (scratch / "tables" / "results.json").unlink()
    for name in ("baseline.json", "target_list.csv"):
        if (scratch / "tables" / name).is_file():
            os.replace(scratch / "tables" / name, scratch / name)
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    facts = {"made": made, "key": read.key[:16]}
    _finish(job, {"client": str(client.folder), "results": results, "facts": facts, "missing": missing})
    if read.have_changed():
        raise MachineError(_CHANGED)
    entry = {
        "name": client.name,
        "status": "done",
        "error": missing,
        "page": f"{client.slug}/{results['as_of']}/report.html",
        "key": read.key,
        "owner": _owner(client),
        "made": made,
        "locale": client.locale,
        "measured_against": _base_hash(read.base, results["as_of"]),
        "value_then": value_then(results, scratch / "tables"),
        "months": by_month(scratch / "tables"),
        "attempts": tries,
        "bytes": (scratch / "report.html").stat().st_size,
        "files": _sizes(scratch),
        "cell": "",
    }
    versions = {"clvnb": __version__, "python": ".".join(map(str, sys.version_info[:3]))}
    write_json(scratch / "results.json", results | {"versions": versions, "seconds": seconds, "report": entry})
    _keep_cards(job, read.key, job.out / client.slug / results["as_of"] / "cards")
    _move(job, scratch, job.out / client.slug, results["as_of"])
    return entry | {"results": results}


_CHANGED = "the client's files changed while they were read; report again when they are whole"


def _finish(job: _Job, order: dict[str, Any]) -> None:
    """Make page, explorer, workbook and PDF, in a process of their own and within the time of a cell."""
    place, seconds = scratch_folder(), job.limits.cell
    file = place / "order.json"
    try:
        write_json(file, order | {"folder": str(_scratch(job).resolve()), "pdf": job.pdf})
        needs = ["weasyprint"] if job.pdf else []
        code = run_apart("clvnb.report.finish", file, seconds, fork=job.fork, needs=needs)
        if code is None:
            raise RunError(
                f"page and workbook: not made within {seconds} s; report without --pdf, or raise --cell-seconds"
            )
        said = place / "answer.json"
        if code == 1 and said.is_file():
            answer = json.loads(said.read_text(encoding="utf-8"))
            raise RunError(answer["error"], log=answer.get("log", ""))
        if code > 0:
            raise RunError(f"page and workbook: nothing could be written below {job.out}; is its disk full?")
        if code:
            raise MachineError(
                "page and workbook: the Python process died, most likely for want of memory; run fewer --jobs"
            )
    finally:
        drop_scratch(place)


def _run_steps(job: _Job, read: _Inputs, tries: int) -> tuple[dict[str, Any], dict[str, float], str]:
    """The executed steps by name, how long each took, and why the fourth is missing: it never costs the other three."""
    try:
        return (*_ran(job, read, _notebooks()), "")
    except RunError as error:
        final = not isinstance(error, MachineError) or _is_last(error, tries)
        if not str(error).startswith("4_") or not final or job.run in _stopped:
            raise
        first = [path for path in _notebooks() if not path.stem.startswith("4_")]
        return (*_ran(job, read, first), str(error))


def _ran(job: _Job, read: _Inputs, notebooks: list[Path]) -> tuple[dict[str, Any], dict[str, float]]:
    tables = _scratch(job) / "tables"
    shutil.rmtree(tables, ignore_errors=True)
    tables.mkdir()
    parameters = {
        "client": str(read.client.folder),
        "as_of": job.day,
        "output": str(tables.resolve()),
        "earlier": str(read.base),
    }
    whole = run_notebook(_joined(notebooks), parameters, fork=job.fork, limits=job.limits, name="report")
    seconds = _seconds(whole)  # before the cells lose what was noted at them
    return _apart(whole, notebooks), seconds


def _keep_cards(job: _Job, key: str, cards: Path) -> None:
    """Take the cards of the same day along where they were made from the same; others would be stale."""
    if cards.is_dir() and (job.known or {}).get("key") == key:
        shutil.copytree(cards, _scratch(job) / "cards")


def _move(job: _Job, fresh: Path, home: Path, day: str) -> None:
    """Put a finished report in its place, if its run was not stopped meanwhile."""
    keep_on_disk(fresh)
    with _MOVING:
        if job.run in _stopped:
            raise ReportError(_INTERRUPTED)
        home.mkdir(exist_ok=True)
        _swap(fresh, home / day)
        replace_file(home / "latest", lambda p: p.write_text(day + "\n", encoding="utf-8"))


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
        for number, cell in enumerate((c for c in ran if c.cell_type == "code"), start=1):
            cell.execution_count = number
            for out in cell.outputs:
                if "execution_count" in out:
                    out["execution_count"] = number
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
    if reads_database(client):
        digest.update(uuid.uuid4().bytes)  # what a database holds today cannot be known without asking it
    for file in (*_notebooks(), *report_files(client)):
        if file.is_file():
            digest.update(file.name.encode())
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
