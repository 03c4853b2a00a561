"""The data mapper: a file is dropped, its columns are understood, doubts are settled, and client.yaml is written.

In: a file of orders, from the browser or this machine. Out: a panel; its answer is that of ``begin_client``.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ipywidgets
import pandas as pd

from ..core.errors import ClvnbError, ReportError
from ..core.results import Finding, table_html
from ..data.begin import Begun, begin_client
from ..data.proposal import columns_of
from .panel import Panel, State, choice, note, number, text

__all__ = ["explore_data"]

_MEANINGS = {
    "customer_id": "who bought",
    "date": "when",
    "amount": "for how much",
    "order_id": "order number",
    "channel": "channel",
}
_AS_FOUND = ("as found", "")


def explore_data(folder: str | Path = "data", *, file: str | Path = "") -> Panel:
    """Show a file of orders as it is understood, let its doubts be settled, and save it as a client.

    Parameters
    ----------
    folder : path
        Where clients live; the new one becomes a folder in it.
    file : path, optional
        A file on this machine to begin with; otherwise one is dropped into the panel.

    Returns
    -------
    Panel
        ``panel.upload`` takes a file, ``panel.save`` is the button. The settings of ``panel.state`` are ``file``, the
        columns ``is_customer_id, is_date, is_amount, is_order_id, is_channel``, ``date_format, decimal, name,
        currency`` (all text, empty for as found) and ``margin`` (share of revenue, 0 for unknown).
        ``panel.state.found.table`` says what was understood: ``meaning, column, example, read_as``.

    Raises
    ------
    ReportError
        When ``folder`` is a file.

    Examples
    --------
    >>> from clvnb import load_sample
    >>> panel = explore_data("clients", file=load_sample("cdnow").folder / "sample.csv")
    >>> panel.state.found.table.columns.tolist()
    ['meaning', 'column', 'example', 'read_as']
    """
    if Path(folder).is_file():
        raise ReportError(
            f"{folder} is a file, and clients live in a folder: cv.widgets.explore_data(file={str(folder)!r})"
        )
    return _Mapper(Path(folder), str(file)).panel


@dataclass(frozen=True, repr=False)
class Tried(Finding):
    """A file as it was understood, and the account of its rows."""

    account: pd.DataFrame = field(default_factory=pd.DataFrame)


class _Mapper:
    """Tries the file in a folder of its own; only ``save`` writes where clients live."""

    def __init__(self, home: Path, file: str) -> None:
        self.home = home
        self._scratch = tempfile.TemporaryDirectory(prefix="clvnb-")
        self.columns: list[str] = []
        self.controls: dict[str, Any] = {
            "file": text("file on this machine", file, "or choose one above; larger files by their path"),
            **{f"is_{k}": choice(v, [_AS_FOUND], "") for k, v in _MEANINGS.items()},
            "date_format": choice("days are written", [_AS_FOUND, ("31.12.2025", "%d.%m.%Y"), ("31/12/2025", "%d/%m/%Y"),
                                                       ("12/31/2025", "%m/%d/%Y"), ("2025-12-31", "%Y-%m-%d"), ("20251231", "%Y%m%d")], ""),
            "decimal": choice("decimal sign", [_AS_FOUND, ("1234.56", "."), ("1234,56", ",")], ""),
            "name": text("name of the client", "", "the file's name"),
            "currency": text("currency", "", "three letters, such as EUR; as found"),
            "margin": number("margin of revenue", 0.0, 0.0, 1.0),
        }  # fmt: skip
        self.upload = ipywidgets.FileUpload(
            multiple=False, description="choose a file, up to 10 MB", layout={"width": "20em"}
        )
        self.save = ipywidgets.Button(description="save as a client", button_style="primary", disabled=True)
        self.saved = note("")
        self.state = State(self.answer, **{k: c.value for k, c in self.controls.items()})
        self.panel = Panel(
            "Your own data",
            self.state,
            self.controls,
            table=lambda found: table_html(found.table) + table_html(found.account),
            more=[self.save, self.saved],
        )
        self.panel.children = [self.panel.children[0], self.upload, *self.panel.children[1:]]
        self.panel.upload, self.panel.save, self.panel.saved = self.upload, self.save, self.saved
        self.upload.observe(lambda _: self.state.attempt(self._dropped), names="value")
        self.save.on_click(lambda _: self.state.attempt(self._save))

    def answer(self, file: str, **settings: Any) -> Tried:
        """Try the file as it is set now."""
        self.save.disabled = True
        if not file.strip():
            return Tried(
                pd.DataFrame(), "No file yet: one row per order, with who, when and how much. It stays on this machine."
            )
        path = Path(file.strip()).expanduser()
        if not path.is_file():
            raise ReportError(f"{path}: no such file on this machine; give its whole path, or choose it in the panel")
        self._offer(path)
        place = Path(self._scratch.name) / "try"
        shutil.rmtree(place, ignore_errors=True)
        begun = self._begin(place, path, settings)
        understood, checked = begun.files[0]
        self.save.disabled = False
        doubts = " ".join(d for d in begun.doubts if not (settings["margin"] and "margin" in d))
        said = f"{understood.text} {checked.findings[0].text} {doubts}".strip()
        return Tried(understood.table, said, checked.account)

    def _begin(self, place: Path, path: Path, settings: dict[str, Any]) -> Begun:
        known = {k: settings[f"is_{k}"] for k in _MEANINGS if settings[f"is_{k}"]}
        return begin_client(
            place,
            path,
            name=settings["name"].strip() or path.stem,
            currency=settings["currency"].strip().upper() or None,
            margin=settings["margin"] or None,
            columns=known,
            date_format=settings["date_format"] or None,
            decimal=settings["decimal"] or None,
        )

    def _offer(self, path: Path) -> None:
        """Offer the file's columns where a meaning is to be chosen; a file that cannot be opened is told by ``answer``."""
        try:
            columns = columns_of(path)
        except ClvnbError:
            columns = []
        if columns == self.columns:
            return
        self.columns = columns
        for k in _MEANINGS:
            self.controls[f"is_{k}"].options = [_AS_FOUND, *((c[:60], c) for c in columns)]

    def _dropped(self) -> None:
        """Keep what the browser sent in a folder that goes with the panel."""
        if not self.upload.value:
            return
        sent = self.upload.value[0]
        path = Path(self._scratch.name) / _safe(sent["name"])
        path.write_bytes(bytes(sent["content"]))
        self.controls["file"].value = str(path)

    def _save(self) -> None:
        settings = self.state.settings
        path = Path(settings.pop("file").strip()).expanduser()
        name = settings["name"].strip() or path.stem
        place = self.home / _safe(name)
        if (place / "client.yaml").exists():
            raise ReportError(f"{place} holds a client already: give this one another name")
        copy = place / _safe(path.name)
        if copy.exists():
            raise ReportError(f"{copy} is there already, and is not overwritten: give this client another name")
        place.mkdir(parents=True, exist_ok=True)
        beside = place / f".{copy.name}.new"
        try:
            shutil.copyfile(path, beside)
            os.replace(beside, copy)
            begun = self._begin(place, copy, settings)
        except ClvnbError:
            copy.unlink(missing_ok=True)
            raise
        finally:
            beside.unlink(missing_ok=True)
        self.save.disabled = True
        self.saved.value = table_html(pd.DataFrame({"saved": [str(begun.file)], "next": [f"clvnb report {place}"]}))


def _safe(name: str) -> str:
    """A name that stays in its folder, whatever was sent."""
    plain = re.sub(r"[^\w.-]+", "-", Path(name.replace("\\", "/")).name).strip("-.")[:80]
    return plain or "orders"
