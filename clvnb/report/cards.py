"""Customer cards: a page per customer, from the tables of the client's last report.

In: a client, customers, and the folder of reports. Out: ``cards/CUSTOMER.html`` beside the report, each whole or absent.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from ..core.errors import ReportError, UsageError
from ..core.files import replace_file
from ..data.client import Client
from ..data.samples import guide_folder
from ..improve.customer import check_customer
from ..value.readings import most_at_risk
from .execute import run_notebook
from .kernel import end_kernels
from .manifest import keep_others_out
from .page import card_page

__all__ = ["customer_cards"]


def customer_cards(
    client: str | Path,
    customers: Sequence[str] = (),
    *,
    out: str | Path = "reports",
    top: int = 0,
    at_risk: int = 0,
    jobs: int = 2,
    fork: bool = True,
) -> list[Path]:
    """Make a page for each of some customers, through the notebook ``customer_card``.

    Parameters
    ----------
    client : path
        The client's folder.
    customers : sequence of str
        Their ids.
    out : path
        The folder of reports; the client's newest report in it is used.
    top : int
        And so many of the most valuable customers.
    at_risk : int
        And so many of those with most to lose.
    jobs : int
        Cards at the same time.
    fork : bool
        As of ``report_clients``.

    Returns
    -------
    list of Path
        The pages, in the order of the customers.

    Raises
    ------
    UsageError
        When no customer is asked for.
    ReportError
        When there is no report of this client yet, or another run is writing into the folder.
    ClientError
        When a customer is not known.
    """
    known = Client.load(client)
    _newest(known, Path(out))  # said before anything is locked
    lock = keep_others_out(Path(out))
    try:
        return _cards(known, customers, _newest(known, Path(out)), top, at_risk, jobs, fork)
    finally:
        if lock is not None:
            os.close(lock)


def _cards(
    known: Client, customers: Sequence[str], folder: Path, top: int, at_risk: int, jobs: int, fork: bool
) -> list[Path]:
    table = pd.read_parquet(folder / "tables" / "customers.parquet")
    asked = _asked(known, table, customers, top, at_risk)
    pool = ThreadPoolExecutor(max_workers=max(1, jobs))
    try:
        made = [pool.submit(_card, known, who, folder, fork) for who in asked]
        return [page.result() for page in made]
    finally:  # after an interrupt or a failure the cards that wait are not begun
        pool.shutdown(wait=False, cancel_futures=True)
        end_kernels()
        pool.shutdown()


def _newest(client: Client, out: Path) -> Path:
    latest = out / client.slug / "latest"
    if not latest.is_file():
        raise ReportError(
            f"{out} holds no report of {client.name} yet, and cards are made from one: "
            f"`clvnb report {client.folder.name} --out {out}`"
        )
    return latest.parent / latest.read_text(encoding="utf-8").strip()


def _asked(client: Client, table: pd.DataFrame, customers: Sequence[str], top: int, at_risk: int) -> list[str]:
    """The ids that were named, then the best, then those at risk; each once."""
    for who in customers:
        check_customer(client, who, table)
    worth = "total_value" if table["total_value"].notna().any() else "historic_value"
    best = table.sort_values([worth, "customer_id"], ascending=[False, True])["customer_id"].head(top)
    doubtful = most_at_risk(table, client.kind)["customer_id"].head(at_risk)
    asked = list(dict.fromkeys([*customers, *best, *doubtful]))
    if not asked:
        raise UsageError(
            "name customers by their ids, or ask for the best with --top N or those at risk with --at-risk N"
        )
    return asked


def _card(client: Client, customer: str, folder: Path, fork: bool) -> Path:
    import nbformat

    source = guide_folder() / "customer_card.ipynb"
    parameters = {
        "client": str(client.folder),
        "customer": customer,
        "as_of": folder.name,
        "output": str((folder / "tables").resolve()),
    }
    node = run_notebook(nbformat.read(source, as_version=4), parameters, fork=fork, name="customer_card")
    page = folder / "cards" / f"{_file_name(customer)}.html"
    text = card_page(client, node, customer, folder.name)
    replace_file(page, lambda p: p.write_text(text, encoding="utf-8"))
    return page


def _file_name(customer: str) -> str:
    """The customer's id where it is a safe name; otherwise what is safe of it, and a hash that tells it from others."""
    safe = re.sub(r"[^A-Za-z0-9_-]+", "-", customer)[:40].strip("-") or "customer"
    return safe if safe == customer else f"{safe}-{hashlib.sha256(customer.encode()).hexdigest()[:8]}"
