"""The command line: ``clvnb init | check | value | report | card | lab | app | doctor``.

In: folders and files by name. Out: what the user asked for, and an exit status that scripts can trust.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from . import __version__
from .core.errors import ClvnbError, ReportError, UsageError
from .core.results import Finding
from .core.tables import as_day

__all__ = ["main"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="What customers are worth, and whether what you do about it works.",
)
say = Console(soft_wrap=True, highlight=False)
complain = Console(stderr=True, soft_wrap=True, highlight=False)

Clients = Annotated[list[Path] | None, typer.Argument(help="Client folders, each with a client.yaml.")]
AsOf = Annotated[str | None, typer.Option(help="Report as of the evening of this day, YYYY-MM-DD.")]


def main() -> None:
    """Run the command line; errors that clvnb raises on purpose are shown as one message.

    The exit status is 0 when all went well, 1 when something failed, 2 when it could not be done as it was asked, and 130
    when it was interrupted.
    """
    try:
        app()
    except ClvnbError as error:
        complain.print(f"[bold red]clvnb:[/] {escape(str(error))}")
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except KeyboardInterrupt:
        complain.print("clvnb: interrupted")
        sys.exit(130)


def _until_terminated() -> None:
    """Let a polite request to end, or a terminal that is closed, do what Ctrl-C does, so that nothing is left behind."""
    asked = [signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:  # or `nohup` wants it ignored
        asked.append(signal.SIGHUP)

    def stop(*_: object) -> None:
        for one in asked:
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt

    for one in asked:
        signal.signal(one, stop)


def _version(value: bool) -> None:
    if value:
        say.print(f"clvnb {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None: ...  # fmt: skip


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="The client's folder; made if it is not there.")],
    transactions: Annotated[
        Path | None,
        typer.Option(help="The file of orders: csv, tsv, txt, xlsx, ods, parquet, feather, jsonl; packed or not."),
    ] = None,
    connection: Annotated[
        str | None,
        typer.Option(help="Or a database: postgres://user:${PASSWORD}@host/name, the password by its variable."),
    ] = None,
    table: Annotated[
        str | None, typer.Option(help="The table of orders in the database, such as sales.orders.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The client's name; the folder's name by default.")] = None,
    currency: Annotated[
        str | None, typer.Option(help="Three letters, such as EUR; the file's where it says one.")
    ] = None,
    timezone: Annotated[str, typer.Option(help="Such as Europe/Berlin.")] = "UTC",
    margin: Annotated[
        float | None, typer.Option(help="Contribution margin as a share of revenue, such as 0.4.")
    ] = None,
    date_format: Annotated[str | None, typer.Option(help="As in strptime, such as %d.%m.%Y.")] = None,
    decimal: Annotated[str | None, typer.Option(help="The decimal sign, . or ,")] = None,
    column: Annotated[list[str] | None, typer.Option(help="What a column means: customer_id=COLUMN.")] = None,
    survey: Annotated[Path | None, typer.Option(help="A file of survey answers, of the same kinds.")] = None,
    sheet: Annotated[str | None, typer.Option(help="The sheet of a workbook; the first one by default.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="shop or subscription; proposed from the payments when left out.")
    ] = None,
    contracts: Annotated[
        Path | None,
        typer.Option(
            help="A file of contracts: customer, start, end, price; without one they are read from the payments."
        ),
    ] = None,
    rates: Annotated[Path | None, typer.Option(help="A file of exchange rates: date, currency, rate.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Take the recommended answer to every question.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a client.yaml that is there.")] = False,
) -> None:
    """Look at a file of orders, write client.yaml, and say what was understood.

    What the file leaves open is asked. Without a terminal and without --yes the recommended answers are written, the
    questions as comments above them, and the exit status is 1.
    """
    from .data.begin import begin_client

    if kind not in {None, "shop", "subscription"}:
        raise typer.BadParameter(f"--kind is shop or subscription and not {kind!r}")
    if kind == "shop" and contracts is not None:
        raise typer.BadParameter("a shop has no --contracts: use --kind subscription, or leave them out")
    asks = not yes and sys.stdin.isatty()
    if decimal not in {None, ".", ","}:
        raise typer.BadParameter(f"--decimal is . or , and not {decimal!r}")
    begun = begin_client(
        folder,
        _source(transactions, connection, table),
        survey=survey,
        name=name,
        currency=currency,
        timezone=timezone,
        margin=margin,
        columns=_meanings(column or []),
        date_format=date_format,
        decimal=decimal,
        sheet=sheet,
        kind=kind,
        contracts=contracts,
        rates=rates,
        ask=_ask if asks else None,
        force=force,
    )
    for understood, checked in begun.files:
        if understood.text:
            _print_finding(understood)
        say.print(escape(str(checked)))
    say.print(f"\nWrote [bold]{escape(str(begun.file))}[/]. Next: clvnb report {escape(shlex.quote(str(folder)))}")
    for doubt in (*begun.doubts, *map(str, begun.questions)):
        say.print(escape(doubt))
    if begun.questions and not yes:
        complain.print(
            f"clvnb: {len(begun.questions)} open question{'s' if len(begun.questions) > 1 else ''}, written as comments into "
            f"{escape(str(begun.file))}: answer there, or take what is recommended with --yes --force"
        )
        raise typer.Exit(1)


def _ask(question: Any) -> int:
    """Show a question with its numbered answers, and return the one that was chosen."""
    say.print(f"\n{escape(question.text)}")
    for k, choice in enumerate(question.choices):
        say.print(f"  {k + 1}. {escape(choice.text)}{' (recommended)' if k == 0 else ''}")
    while True:
        answer = typer.prompt("Number", default=1, type=int)
        if 1 <= answer <= len(question.choices):
            return int(answer) - 1


@app.command()
def check(clients: Clients = None, as_of: AsOf = None) -> None:
    """Say what is kept of orders, contracts and surveys, and why, what was done for whom, and whether the data carry a prediction."""
    from .data.books import Books
    from .data.client import Client
    from .improve.initiatives import list_initiatives
    from .improve.step import check_plan
    from .value.trust import data_trust

    failed, as_of = 0, _day(as_of)
    for folder in _clients(clients):
        try:
            client = Client.load(folder)
            books = Books(client, as_of)
            checked, trust = books.orders, data_trust(books.summary, as_of=books.as_of)
            done, answers = list_initiatives(books), books.answers
            contracts = books.contracts if client.kind == "subscription" else None
            check_plan(books)
        except ClvnbError as error:
            complain.print(f"[bold red]{escape(str(folder))}:[/] {escape(str(error))}")
            failed += 1
            continue
        say.print(f"[bold]{escape(client.name)}[/]")
        say.print(escape(str(checked)))
        _print_table(checked.account)
        say.print(escape(trust.text))
        if contracts is not None:
            say.print(escape(f"Contracts: {contracts}"))
        if client.surveys is not None:
            say.print(escape(f"Surveys: {books.why_no_answers if answers is None else answers}"))
        for one in done:
            groups = ", ".join(f"{n:,} {g}" for g, n in one.people["group"].value_counts().items()) or "everybody"
            say.print(escape(f"Initiative {one.name}, from {one.start}: {groups}."))
        say.print()
    raise typer.Exit(1 if failed else 0)


@app.command()
def value(
    client: Annotated[Path, typer.Argument(help="The client's folder.")],
    to: Annotated[Path | None, typer.Option(help="Write the table here: .csv, .parquet or .xlsx.")] = None,
    as_of: AsOf = None,
) -> None:
    """Value every customer of a client: the CLV table alone."""
    from .data.client import Client
    from .report.files import table_writer, write_table
    from .value.step import value_step

    if to is not None:
        table_writer(to)  # a wrong ending is said before the work, not after it
    step = value_step(Client.load(client), as_of=_day(as_of))
    say.print(escape(step.headline.text))
    say.print(escape(step.trust.text))
    top = step.customers.sort_values(["total_value", "historic_value", "customer_id"], ascending=[False, False, True])
    if to is not None:
        write_table(top, to, words=step.client.words)
        say.print(f"Wrote {escape(str(to))}: {len(top):,} customers, the most valuable first.")
    else:
        _print_table(top[["customer_id", "p_alive", "historic_value", "clv", "clv_low", "clv_high", "tier"]].head(10))
        say.print("These are the ten most valuable; --to FILE writes all.")


@app.command()
def report(
    clients: Clients = None,
    out: Annotated[Path, typer.Option(help="The folder of reports.")] = Path("reports"),
    as_of: AsOf = None,
    jobs: Annotated[int, typer.Option(min=1, help="Clients at the same time.")] = 2,
    resume: Annotated[bool, typer.Option(help="Leave alone what would come out the same.")] = False,
    baseline: Annotated[
        Path | None, typer.Option(help="Measure against this baseline.json; found among earlier reports by default.")
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Write report.pdf as well; needs clvnb\\[pdf].")] = False,
    fork: Annotated[bool, typer.Option(help="Fork kernels from a warm process (Linux), or start each anew.")] = True,
    cell_seconds: Annotated[int, typer.Option(min=1, help="The longest that one cell may take.")] = 600,
    report_seconds: Annotated[
        int, typer.Option(min=1, help="The longest that one client's notebooks may take.")
    ] = 3600,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON per client, for machines.")] = False,
) -> None:
    """Run the guide's notebooks for each client, and write their reports and the index page."""
    from .report import report_clients

    folders = _clients(clients)
    _until_terminated()
    try:
        with _progress(len(folders), _print_json if as_json else _print_outcome) as tell:
            outcomes = report_clients(
                folders,
                out=out,
                as_of=_day(as_of),
                jobs=jobs,
                resume=resume,
                earlier=baseline,
                pdf=pdf,
                fork=fork,
                cell_seconds=cell_seconds,
                report_seconds=report_seconds,
                tell=tell,
            )
    except KeyboardInterrupt:
        complain.print("clvnb: interrupted; what was finished stays, and --resume goes on from there")
        raise typer.Exit(130) from None
    bad = sum(o.status == "failed" for o in outcomes)
    if not as_json:
        say.print(f"{len(outcomes) - bad} of {len(outcomes)} reports are ready: {escape(str(out / 'index.html'))}")
    raise typer.Exit(1 if bad else 0)


@contextmanager
def _progress(total: int, show: Callable[[Any], None]) -> Iterator[Callable[[Any], None]]:
    """A bar on a terminal; a line per event, and no bar, in a log."""
    if not sys.stderr.isatty():
        yield show
        return
    from rich.progress import Progress

    with Progress(console=complain, transient=True) as bar:
        task = bar.add_task("reports", total=total)

        def step(outcome: Any) -> None:
            bar.advance(task)
            show(outcome)

        yield step


def _day(text: str | None) -> str | None:
    """A date as it was given; one that is none is a wrong call."""
    try:
        as_day(text)
    except ClvnbError as error:
        raise UsageError(str(error)) from error
    return text


@app.command()
def card(
    client: Annotated[Path, typer.Argument(help="The client's folder.")],
    customers: Annotated[list[str] | None, typer.Argument(help="Customers, by their ids.")] = None,
    out: Annotated[Path, typer.Option(help="The folder of reports; the client's newest one is used.")] = Path(
        "reports"
    ),
    top: Annotated[int, typer.Option(min=0, help="And so many of the most valuable customers.")] = 0,
    at_risk: Annotated[int, typer.Option(min=0, help="And so many of those with most to lose.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Cards at the same time.")] = 2,
    fork: Annotated[bool, typer.Option(help="Fork kernels from a warm process (Linux), or start each anew.")] = True,
) -> None:
    """Make a page per customer: purchases, chance to be active, value, answers, and what to do."""
    from .report import customer_cards

    _until_terminated()
    for page in customer_cards(client, customers or [], out=out, top=top, at_risk=at_risk, jobs=jobs, fork=fork):
        say.print(escape(str(page)))


@app.command()
def lab(
    port: Annotated[int, typer.Option(help="Where JupyterLab listens, on this machine only.")] = 8888,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
    start: Annotated[bool, typer.Option(help="Start JupyterLab; --no-start only lays out the guide.")] = True,
) -> None:
    """Open JupyterLab on a working copy of the guide in this folder, overwriting nothing; needs clvnb[lab]."""
    import importlib.util

    if start and importlib.util.find_spec("jupyterlab") is None:
        raise UsageError('`clvnb lab` needs JupyterLab: pip install "clvnb[lab]"')
    for line in lay_out_guide(Path.cwd()):
        say.print(escape(line))
    if not start:
        return
    quiet = ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
             "--LabApp.extension_manager=readonly"]  # fmt: skip
    arguments = [*_server("jupyterlab", port, browser), *quiet, "--ServerApp.root_dir=."]
    os.execv(sys.executable, [*arguments, "notebooks/0_start_here.ipynb"])


@app.command("app")
def share(
    client: Annotated[Path, typer.Argument(help="The client's folder.")],
    out: Annotated[Path, typer.Option(help="The folder of reports; its tables are used where there are any.")] = Path(
        "reports"
    ),
    port: Annotated[int, typer.Option(help="Where voila listens, on this machine only.")] = 8866,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> None:
    """Serve the scenario explorer and the customer finder of a client as a page without code; needs voila."""
    import importlib.util
    import secrets
    import threading

    from .core.files import drop_scratch, scratch_folder
    from .report.share import app_environment, app_settings, write_app

    if importlib.util.find_spec("voila") is None:
        raise UsageError('`clvnb app` needs voila: pip install "clvnb[app]"')
    _free(port)
    _until_terminated()
    place = scratch_folder()
    page = write_app(client, out, place)
    token = os.environ.get("JUPYTER_TOKEN") or secrets.token_urlsafe(24)
    say.print(f"http://localhost:{port}/?token={token}")
    say.print("on this machine only, for whoever has this address; Ctrl-C ends it.")
    arguments = [
        "--Voila.log_level=ERROR",
        f"--Voila.root_dir={place}",
        f"--Voila.tornado_settings={app_settings()!r}",
        "--Voila.auto_token=True",
        "--template=clvnb",
        str(page),
    ]
    if browser:
        threading.Thread(target=_open_when_it_answers, args=(port, token), daemon=True).start()
    process = subprocess.Popen([*_server("voila", port, browser=False), *arguments], env=app_environment(place, token))
    try:
        raise typer.Exit(process.wait())
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
    finally:
        drop_scratch(place)


@app.command()
def doctor(
    out: Annotated[Path, typer.Option(help="The folder of reports.")] = Path("reports"),
) -> None:
    """Say what works on this machine, and what to install where something does not."""
    from .report.doctor import examine

    found = examine(out)
    _print_table(found.table)
    say.print(escape(found.text))
    raise typer.Exit(int(not found.works))


def _free(port: int) -> None:
    """Refuse a port that somebody else is using: voila would take another one, and say so to nobody."""
    import socket

    with socket.socket() as ours:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            ours.bind(("127.0.0.1", port))
        except OSError as error:
            raise UsageError(f"port {port} is taken; name another one with --port") from error


def _open_when_it_answers(port: int, token: str) -> None:
    """Open the page in a browser, with the token that a server does not give away itself."""
    import socket
    import time
    import webbrowser

    for _ in range(600):
        with socket.socket() as line:
            if line.connect_ex(("127.0.0.1", port)) == 0:
                webbrowser.open(f"http://localhost:{port}/?token={token}")
                return
        time.sleep(0.1)


def _server(program: str, port: int, browser: bool) -> list[str]:
    """How a Jupyter server of this machine alone is started."""
    arguments = [sys.executable, "-m", program, f"--port={port}"]
    arguments += ["--Voila.ip=127.0.0.1"] if program == "voila" else ["--ip=127.0.0.1"]
    arguments += [] if browser else ["--no-browser"]
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return [*arguments, "--allow-root"] if root and program == "jupyterlab" else arguments


def lay_out_guide(folder: Path) -> list[str]:
    """Copy the guide's notebooks and example clients into ``folder`` where they are missing; say what was done."""
    from .data.samples import guide_folder

    done = []
    for part in ("notebooks", "data"):
        source, target = guide_folder(part), folder / part
        if source.resolve() == target.resolve():
            continue
        fresh = [p for p in sorted(source.rglob("*")) if p.is_file() and not (target / p.relative_to(source)).exists()]
        for file in fresh:
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
        if fresh:
            done.append(f"{len(fresh)} files of the guide were copied into {target}.")
    return done


# ------------------------------------------------------------------------------------------- helpers


def _source(file: Path | None, connection: str | None, table: str | None) -> Any:
    """Where the orders lie: a file, or a table of a database."""
    from .data.client import Connection

    if file is not None and connection is None and table is None:
        return file
    if file is None and connection is not None and table is not None:
        return Connection.checked(connection, table)
    raise typer.BadParameter("name either --transactions FILE, or --connection URL and --table NAME")


def _meanings(given: list[str]) -> dict[str, str]:
    """What columns mean, as it was said by ``--column MEANING=COLUMN``."""
    pairs = [c.partition("=") for c in given]
    bad = [c for c, (_, sign, _) in zip(given, pairs, strict=True) if not sign]
    if bad:
        raise typer.BadParameter(f"--column is written as MEANING=COLUMN, got {bad[0]!r}")
    return {k: v for k, _, v in pairs}


def _clients(given: list[Path] | None) -> list[Path]:
    if given:
        return given
    found = sorted(p.parent for place in (Path("."), Path("data")) for p in place.glob("*/client.yaml"))
    found += [Path(".")] if Path("client.yaml").exists() else []
    if not found:
        raise ReportError(
            "no client is named, and neither this folder nor data/ holds one; name a folder with a client.yaml, "
            "or make one with `clvnb init DIR --transactions FILE`"
        )
    return found


def _print_outcome(outcome: Any) -> None:
    if outcome.status == "failed":
        complain.print(f"[bold red]failed[/]  {escape(outcome.name)}: {escape(outcome.error)}")
    else:
        took = f" in {outcome.seconds:.0f} s" if outcome.status == "done" else ""
        took += " at the second try" if outcome.attempts > 1 else ""
        say.print(f"{outcome.status}  {escape(outcome.name)}{took}: {escape(str(outcome.folder))}/report.html")
        if outcome.error:
            complain.print(f"[bold red]without step 4[/]  {escape(outcome.name)}: {escape(outcome.error)}")


def _print_json(outcome: Any) -> None:
    print(json.dumps(outcome.to_dict(), ensure_ascii=False), flush=True)  # noqa: T201  for machines: no wrapping


def _print_finding(finding: Finding) -> None:
    say.print(escape(finding.text))
    _print_table(finding.table)


def _print_table(frame: Any) -> None:
    table = RichTable(box=None, header_style="bold")
    for column in frame.columns:
        number = frame[column].dtype.kind in "if"
        table.add_column(escape(str(column)), justify="right" if number else "left")
    for row in frame.itertuples(index=False):
        table.add_row(*(escape(f"{v:,.2f}" if isinstance(v, float) else f"{v}") for v in row))
    say.print(table)
