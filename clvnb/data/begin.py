"""A client begins: a file of orders becomes a folder with a ``client.yaml`` that was tried before it is left there.

In: a file or a database's table, and what its owner knows. Out: ``Begun``, or an error and no file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from ..core.engine import to_pandas
from ..core.errors import ClvnbError, ReportError, TableError
from ..core.files import replace_file
from ..core.results import Checked, Finding
from .books import Books
from .client import Client, Connection
from .ledger import contracts_of_payments, looks_like_a_subscription
from .proposal import Proposal, client_yaml, propose_client, propose_contracts, propose_survey
from .roles import Choice, Question, answered
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
    questions : tuple of Question
        What the file leaves open and nobody answered: the recommended answers stand in ``file``, and all of them as
        comments.
    """

    client: Client
    file: Path
    files: tuple[tuple[Finding, Checked], ...]
    doubts: tuple[str, ...]
    questions: tuple[Question, ...] = ()

    def __str__(self) -> str:
        told = [text for understood, checked in self.files for text in (understood.text, str(checked))]
        return "\n".join([*told, *self.doubts, *map(str, self.questions)])

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
    sheet: str | None = None,
    kind: str | None = None,
    contracts: str | Path | None = None,
    rates: str | Path | None = None,
    ask: Callable[[Question], int] | None = None,
    force: bool = False,
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
    sheet : str, optional
        Of a workbook; the first one when left out.
    kind : "shop" or "subscription", optional
        Proposed from the payments when left out: a subscription, where most come back at a billing period.
    contracts : path, optional
        A file of contracts, which makes the client a subscription.
    rates : path, optional
        A file of ``date, currency, rate``.
    ask : callable, optional
        Gets each ``Question``, returns the number of the choice, from 0. Without it recommended answers are taken, and
        questions stay open.
    force : bool
        Replace a ``client.yaml`` that is there.

    Returns
    -------
    Begun
        ``client``, ``file`` (the client.yaml), ``files`` (what was understood, and which rows are kept), ``doubts``,
        ``questions`` (what stays open).

    Raises
    ------
    ReportError
        When there is a ``client.yaml`` already, and no ``force``.
    ClvnbError
        When the file cannot be read as orders, with what to do; nothing is left behind then.

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
    if target.exists() and not force:
        raise ReportError(f"{target} is there already; edit it, remove it first, or write over it with --force")
    proposal = propose_client(
        transactions, folder, columns=dict(columns or {}), date_format=date_format, decimal=decimal, sheet=sheet
    )
    asked = [q for q in proposal.questions if not (rates is not None and _on_currencies(q))]
    proposal = _with_answers(proposal, rates is not None, ask)
    answers = None if survey is None else propose_survey(survey, folder)
    more = {} if rates is None else {"rates": _rates(Path(rates), folder)}
    more |= {} if contracts is None else {"contracts": propose_contracts(contracts, folder).settings}
    open_questions = () if ask is not None else tuple(asked)
    known = kind or ("subscription" if contracts is not None else "shop")
    write = partial(
        client_yaml,
        survey=answers,
        name=name or folder.resolve().name,
        currency=currency or proposal.currency or "EUR",
        timezone=timezone,
        margin=margin,
        more=more,
    )
    text = write(proposal, kind=known, questions=open_questions)
    fresh, before = not folder.exists(), target.read_text(encoding="utf-8") if target.exists() else None
    replace_file(target, lambda p: p.write_text(text, encoding="utf-8"))
    try:
        client = Client.load(folder)
        files = [(proposal.understood, Books(client).orders)]
        if kind is None and contracts is None and _tells_contracts(files[0][1]):
            open_questions += () if ask is not None else (_SUBSCRIPTION,)
            known = ("subscription", "shop")[ask(_SUBSCRIPTION) if ask is not None else 0]
            text = write(proposal, kind=known, questions=open_questions)
            replace_file(target, lambda p: p.write_text(text, encoding="utf-8"))
            client = Client.load(folder)
        if client.kind == "subscription":
            files.append((Finding(pd.DataFrame(), ""), Books(client).contracts))
        if answers is not None:
            files.append((answers.understood, check_survey(read_survey(client))))
    except ClvnbError:
        if before is not None:
            target.write_text(before, encoding="utf-8")
        else:
            target.unlink()
        if fresh:
            folder.rmdir()
        raise
    return Begun(
        client, target, tuple(files), _doubts(client, named=bool(currency or proposal.currency)), open_questions
    )


def _tells_contracts(orders: Checked) -> bool:
    paid = to_pandas(orders.kept)
    if not looks_like_a_subscription(paid):
        return False
    try:
        contracts_of_payments(paid, as_of=orders.last or paid["date"].max())
    except TableError:
        return False
    return True


_SUBSCRIPTION = Question(
    "Most payments come back at the same price and the distance of a billing period.",
    (
        Choice("it is a subscription, and its contracts are read from the payments", {"kind": "subscription"}),
        Choice("it is a shop", {"kind": "shop"}),
    ),
)


def _on_currencies(question: Question) -> bool:
    return any("`rates:" in c.text for c in question.choices)


def _with_answers(proposal: Proposal, rated: bool, ask: Callable[[Question], int] | None) -> Proposal:
    """The proposal with what was answered; rates that are given leave no question about currencies."""
    settings: dict[str, Any] = proposal.settings
    for question in proposal.questions:
        if rated and _on_currencies(question):
            rules = {k: v for k, v in settings.get("exclude", {}).items() if k != "currency"}
            settings = {k: v for k, v in settings.items() if k != "exclude"} | ({"exclude": rules} if rules else {})
        elif ask is not None:
            settings = answered(settings, question.choices[ask(question)])
    return replace(proposal, settings=settings)


def _rates(file: Path, folder: Path) -> dict[str, Any]:
    if not file.is_file():
        raise ReportError(f"{file}: no such file of rates")
    return {"source": os.path.relpath(file.resolve(), folder.resolve())}


def _doubts(client: Client, *, named: bool) -> tuple[str, ...]:
    doubts = []
    if not named:
        doubts.append(
            f"The file does not say its currency: {client.currency} is assumed; set `currency:` in client.yaml."
        )
    if client.economics.margin is None:
        doubts.append("No margin is known yet, so values are revenue: set `margin:` in client.yaml.")
    return tuple(doubts)
