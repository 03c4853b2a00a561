"""The start page: which clients there are, how each stands, and which step comes next.

In: a folder of clients and one of reports. Out: a panel.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..core.errors import ClvnbError
from ..core.results import Finding, escaped
from ..data.books import Books
from ..data.client import Client
from ..value.trust import level_of
from .panel import Panel, State, choice

__all__ = ["explore_clients", "state_of_client"]


def explore_clients(folder: str | Path = "../data", *, reports: str | Path = "../reports") -> Panel:
    """Choose a client; see its data, its last report and its trust level, and which step comes next.

    Parameters
    ----------
    folder : path
        Where clients live, each a folder with a ``client.yaml``.
    reports : path
        Where ``clvnb report`` leaves its pages.

    Returns
    -------
    Panel
        Its setting is ``panel.state.client``, the client's folder; ``panel.state.found.table`` has ``what, state``.

    Raises
    ------
    ClvnbError
        When there is no client in the folder.

    Examples
    --------
    >>> from clvnb import load_sample
    >>> panel = explore_clients(load_sample("cdnow").folder.parent, reports="none")
    >>> panel.state.names
    ('client',)
    """
    places = sorted(p.parent for p in Path(folder).glob("*/client.yaml"))
    if not places:
        raise ClvnbError(f"{folder} holds no client; make one with the panel for your own data, or with `clvnb init`")
    controls = {"client": choice("client", [(p.name, str(p)) for p in places], str(places[0]))}
    state = State(lambda client: state_of_client(client, reports=reports), client=str(places[0]))
    return Panel("Choose a client", state, controls, table=_shown)


@dataclass(frozen=True, repr=False)
class Standing(Finding):
    """How a client stands, and where its folder is."""

    folder: str = ""


def state_of_client(folder: str | Path, *, reports: str | Path = "../reports") -> Standing:
    """Say how a client stands: what its data hold, its last report, how far that is trusted, and what comes next.

    Parameters
    ----------
    folder : path
        The client's.
    reports : path
        Where ``clvnb report`` leaves its pages.

    Returns
    -------
    Standing
        ``what, state``: data, last report, trust, next step.

    Raises
    ------
    ClvnbError
        When the client or its data cannot be read.

    Examples
    --------
    >>> from clvnb import load_sample
    >>> print(state_of_client(load_sample("cdnow").folder, reports="none"))
    CDNOW: 69,659 rows read, 69,659 kept. No report yet. Next: chapter 1, value.
    """
    client = Client.load(folder)
    words = client.words
    account = Books(client).orders.account.set_index("rule")["rows"]
    read, kept = int(account.iloc[0]), int(account["kept"])
    data = f"{words.count(read)} rows read, {words.count(kept)} kept"
    made = _last_report(client, Path(reports))
    rows = [("data", data), ("surveys", "yes" if client.surveys else "none yet: chapter 2 says what to ask")]
    if made is None:
        rows += [("last report", "none yet")]
        told, then = "No report yet.", "chapter 1, value"
    else:
        rows += [("last report", words.day(made["as_of"])), ("trust level", made["trust_text"])]
        told = f"Last report as of {words.day(made['as_of'])}, trust level: {made['trust']}."
        then = _next(client, made)
    rows += [("next", then)]
    table = pd.DataFrame(rows, columns=["what", "state"])
    return Standing(table, f"{client.name}: {data}. {told} Next: {then}.", str(folder))


def _last_report(client: Client, reports: Path) -> dict[str, Any] | None:
    latest = reports / client.slug / "latest"
    try:
        day = latest.read_text(encoding="utf-8").strip()
        found = json.loads((latest.parent / day / "results.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not {"as_of", "trust", "trust_text"} <= set(found):
        return None
    return {**found, "trust": level_of(found["trust"])}


def _next(client: Client, made: dict[str, Any]) -> str:
    if made["trust"] == "not reliable":
        return "chapter 1, the data: a prediction would not be reliable"
    if client.surveys is None:
        return "chapter 2, satisfaction: nobody was asked yet"
    if not client.initiatives:
        return "chapter 3, improve: choose a lever and leave a random part alone"
    return "chapter 4, re-measure, when its days have come"


def _shown(found: Standing) -> str:
    """How the client stands, and what to write into a chapter."""
    body = "".join(
        f'<tr><th scope="row" style="text-align:left;padding-right:1em">{escaped(r.what)}</th>'
        f'<td style="text-align:left">{escaped(r.state)}</td></tr>'
        for r in found.table.itertuples()
    )
    place = escaped(found.folder)
    return (
        f"<table>{body}</table><p>In a chapter, write <code>client = &quot;{place}&quot;</code> and run all cells.</p>"
    )
