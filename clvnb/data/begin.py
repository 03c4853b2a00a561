"""A client begins: a file of orders becomes a folder with a ``client.yaml`` that was tried before it is left there.

In: a file or a database's table, and what its owner knows. Out: ``Begun``, or an error and no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import ClvnbError, ReportError
from ..core.files import replace_file
from ..core.results import Checked, Finding
from .books import Books
from .client import Client, Connection
from .proposal import client_yaml, propose_client, propose_survey
from .surveys import check_survey, read_survey

__all__ = ["Begun", "begin_client"]


@dataclass(frozen=True)
class Begun:
    """A client that has just begun.

    Attributes
    ----------
    client : Client
        As ``Client.load`` reads it from now on.
    file : Path
        The ``client.yaml`` that was written.
    files : tuple of (Finding, Checked)
        For the orders, and the survey where there is one: what was understood of the file (``meaning, column, example,
        read_as``), and which rows are kept.
    doubts : tuple of str
        What was assumed, and where to change it.
    """

    client: Client
    file: Path
    files: tuple[tuple[Finding, Checked], ...]
    doubts: tuple[str, ...]

    def __str__(self) -> str:
        told = [text for understood, checked in self.files for text in (understood.text, str(checked))]
        return "\n".join([*told, *self.doubts])

    def __repr__(self) -> str:
        return f"{self.file}\n{self}"

    def _repr_html_(self) -> str:
        return "".join(f"{understood._repr_html_()}{checked._repr_html_()}" for understood, checked in self.files)


def begin_client(
    folder: str | Path,
    transactions: str | Path | Connection,
    *,
    survey: str | Path | None = None,
    name: str | None = None,
    currency: str | None = None,
    timezone: str = "UTC",
    margin: float | None = None,
    columns: Mapping[str, str] | None = None,
    date_format: str | None = None,
    decimal: str | None = None,
) -> Begun:
    """Look at a file of orders, write ``client.yaml``, and say what was understood.

    Parameters
    ----------
    folder : path
        The client's; made if it is not there.
    transactions : path or Connection
        csv, tsv, txt, xlsx, ods, parquet, feather, jsonl, packed or not; or a database's table.
    survey : path, optional
        A file of answers, of the same kinds.
    name : str, optional
        The folder's when left out.
    currency : str, optional
        Three letters; the file's where it says one, EUR otherwise.
    timezone : str
        Such as ``Europe/Berlin``.
    margin : float, optional
        Contribution margin as a share of revenue; without one, values are revenue.
    columns : mapping, optional
        What is known already: clvnb's name to the column's, ``{"customer_id": "Customer No"}``.
    date_format : str, optional
        As in strptime.
    decimal : "." or ",", optional
        The decimal sign, where it is known already.

    Returns
    -------
    Begun
        ``client``, ``file`` (the client.yaml), ``files`` (what was understood, and which rows are kept), ``doubts``.

    Raises
    ------
    ReportError
        When there is a ``client.yaml`` already.
    ClvnbError
        When the file cannot be read as orders, with the way out; nothing is left behind then.

    Examples
    --------
    >>> import tempfile
    >>> from clvnb import load_sample
    >>> orders = load_sample("shop").folder / "orders.csv"
    >>> with tempfile.TemporaryDirectory() as place:
    ...     begun = begin_client(f"{place}/tea", orders, margin=0.4)
    >>> begun.client.transactions.date_format
    '%d.%m.%Y %H:%M'
    """
    folder = Path(folder)
    target = folder / "client.yaml"
    if target.exists():
        raise ReportError(f"{target} is there already; edit it, or remove it first")
    proposal = propose_client(
        transactions, folder, columns=dict(columns or {}), date_format=date_format, decimal=decimal
    )
    answers = None if survey is None else propose_survey(survey, folder)
    text = client_yaml(
        proposal,
        survey=answers,
        name=name or folder.resolve().name,
        currency=currency or proposal.currency or "EUR",
        timezone=timezone,
        margin=margin,
    )
    fresh = not folder.exists()
    replace_file(target, lambda p: p.write_text(text, encoding="utf-8"))
    try:
        client = Client.load(folder)
        files = [(proposal.understood, Books(client).orders)]
        if answers is not None:
            files.append((answers.understood, check_survey(read_survey(client))))
    except ClvnbError:
        target.unlink()
        if fresh:
            folder.rmdir()
        raise
    return Begun(client, target, tuple(files), _doubts(client, named=bool(currency or proposal.currency)))


def _doubts(client: Client, *, named: bool) -> tuple[str, ...]:
    doubts = []
    if not named:
        doubts.append(
            f"The file does not say its currency: {client.currency} is assumed; set `currency:` in client.yaml."
        )
    if client.economics.margin is None:
        doubts.append("No margin is known yet, so values are revenue: set `margin:` in client.yaml.")
    return tuple(doubts)
