"""From executed notebooks to one self-contained page, and from the manifest to the index page.

In: notebook nodes and results. Out: HTML text that loads nothing and runs nothing.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from .. import __version__
from ..core.errors import ClientError
from ..core.results import LEFT
from ..core.words import Words
from ..data.client import Client
from ..satisfaction.baseline import LOOKS
from ..value.trust import LEVELS, level_of
from .colours import palette
from .drawings import spark
from .explore import explore_page
from .language import labels_of
from .summary import FirstPage, changes, method

__all__ = ["card_page", "explore", "index_page", "page_to_print", "report_page"]

_HIDDEN = {"parameters", "injected-parameters", "remove-cell", "interactive"}


@cache
def _templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("clvnb.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["palette"] = palette
    return made


def report_page(
    client: Client, notebooks: list[Any], results: dict[str, Any], tables: Path, facts: dict[str, str]
) -> str:
    """Return the report of one client as HTML.

    Parameters
    ----------
    client : Client
        Whose report it is.
    notebooks : list of executed notebook nodes
        In the order of the guide.
    results : dict
        As in ``results.json``.
    tables : Path
        The folder of the report's tables.
    facts : dict of str
        Shown at the foot: data hash, when.
    """
    language, labels = labels_of(client.locale)
    opened = results["residual_value"] is not None
    body, contents = _numbered("\n".join(_folded(node, opened=opened) for node in notebooks))
    words, card = client.words, results["card"]
    facts = {**facts, "clvnb": __version__, "model": card["model"], "window": card["window"],
             "baseline": str(results.get("baseline", ""))[:16] or "–"}  # fmt: skip
    return (
        _templates()
        .get_template("report.html.j2")
        .render(
            client=client,
            results=results,
            language=language,
            labels=labels,
            day=words.day(results["as_of"]),
            page=FirstPage(results, tables, words, labels),
            changes=changes(results, tables, words, labels),
            method=method(results, words),
            files={
                name: labels["page"][what]
                for name, what in _FILES.items()
                if name != "target_list.csv" or (tables.parent / name).is_file()
            },
            body=Markup(body),
            contents=contents,
            facts=facts,
            logo=_logo(client),
        )
    )


def explore(client: Client, results: dict[str, Any], tables: Path) -> str:
    """Return the page on which a client's customers can be sorted, filtered and searched."""
    return explore_page(client, results, tables, _templates())


def page_to_print(page: str, client: Client) -> str:
    """Return a page with the charts' style inside each chart, where a printer without a browser looks for it."""
    style = _templates().get_template("charts.css.j2").render(tone=palette(client.brand.colour)["light"])
    return re.sub(r"(<svg\b[^>]*>)", lambda m: f"{m[1]}<style>{style}</style>", page)


def card_page(client: Client, notebook: Any, customer: str, as_of: str) -> str:
    """Return the page of one customer as HTML, with a way back to the client's report."""
    language, labels = labels_of(client.locale)
    return (
        _templates()
        .get_template("card.html.j2")
        .render(
            client=client,
            customer=customer,
            labels=labels,
            language=language,
            day=client.words.day(as_of),
            body=Markup(_numbered(_cells(notebook))[0]),
            version=__version__,
        )
    )


_FILES = {"explore.html": "explore", "clvnb.xlsx": "workbook", "target_list.csv": "mailing"}
_ANCHOR = re.compile(r'<h([23]) id="([^"]+)">(.*?)</h\1>')


def _numbered(body: str) -> tuple[str, list[tuple[str, str, str]]]:
    """Give headings of the same name anchors of their own, and list them: level, anchor, text."""
    seen: dict[str, int] = {}
    contents: list[tuple[str, str, str]] = []

    def own(match: re.Match[str]) -> str:
        level, anchor, text = match.groups()
        seen[anchor] = seen.get(anchor, 0) + 1
        anchor = anchor if seen[anchor] == 1 else f"{anchor}-{seen[anchor]}"
        contents.append((level, anchor, html.unescape(re.sub(r"<[^>]+>", "", text))))
        return f'<h{level} id="{anchor}">{text}</h{level}>'

    return _ANCHOR.sub(own, body), contents


_LOGOS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}
_LOGO_BYTES = 300_000


def _logo(client: Client) -> str:
    """The client's logo as part of the page; a picture by what it holds, and not by what it is called."""
    if client.brand.logo is None:
        return ""
    file = (client.folder / client.brand.logo).resolve()
    if not file.is_relative_to(client.folder.resolve()) or not file.is_file():
        raise ClientError(
            f"{client.folder.name}/client.yaml: brand.logo: {client.brand.logo!r}: no such file in the client's folder"
        )
    data = file.read_bytes()
    kind = next((kind for start, kind in _LOGOS.items() if data.startswith(start)), "")
    if not kind or len(data) > _LOGO_BYTES:
        raise ClientError(
            f"{client.folder.name}/client.yaml: brand.logo: {client.brand.logo!r} is not a PNG, JPEG, GIF or WebP picture of "
            f"at most {_LOGO_BYTES // 1000} kB"
        )
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def index_page(rows: list[dict[str, Any]], made: str) -> str:
    """Return the page over all clients.

    It can be sorted without a script: it holds its rows in each order, and shows the one that is chosen.

    Parameters
    ----------
    rows : list of dict
        The manifest's entries.
    made : str
        When, as text.
    """
    shown = [_index_row(row) for row in rows]
    orders = {name: sorted(shown, key=key) for name, key in _ORDERS.items()}
    failed = sum(row["results"] is None for row in shown)
    page = _templates().get_template("index.html.j2")
    return page.render(orders=orders, count=len(rows), failed=failed, made=made, totals=_totals(shown))


def _by_name(row: dict[str, Any]) -> tuple[Any, ...]:
    return (str(row["name"]).casefold(), row["client"])


def _largest(figure: str) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    """Largest first within a currency, for amounts in different ones cannot be compared; what is missing comes last."""

    def key(row: dict[str, Any]) -> tuple[Any, ...]:
        value = row["sort"].get(figure)
        return (value is None, row["sort"]["currency"] if value is not None else "", -(value or 0.0), *_by_name(row))

    return key


_ORDERS: dict[str, Callable[[dict[str, Any]], tuple[Any, ...]]] = {
    "name": _by_name,
    "expected value": _largest("total"),
    "a new customer": _largest("new"),
    "change": _largest("change"),
    "what is due": lambda row: (row["sort"].get("due", "9999"), *_by_name(row)),
    "trouble first": lambda row: (row["results"] is not None, row["sort"].get("level", 0), *_by_name(row)),
}


def _index_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row as it is shown; where another version wrote it, and something is missing, it asks for a new report."""
    bare = {"error": "", "page": "", **row, "results": None, "sort": {}}
    if row["status"] != "done" or not row.get("results"):
        return bare
    try:
        return _full_row(row, row["results"])
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError):
        return bare | {"status": "report again", "error": "was written by another version of clvnb; report it again"}


def _full_row(row: dict[str, Any], results: dict[str, Any]) -> dict[str, Any]:
    words = Words(results["currency"], row.get("locale", "en"))
    total, new, n = results["residual_value"], results["new_customer_value"], results["customers"]
    then = row.get("value_then")
    change = total["value"] - then if total and then is not None else None
    return {
        **row,
        "results": results,
        "customers": words.count(n),
        "historic": words.money(results["historic_value"]),
        "historic_each": words.money(results["historic_value"] / n),
        "total": words.money(total["value"]) if total else "not predicted",
        "total_range": f"{words.money(total['low'])} to {words.money(total['high'])}" if total else "",
        "new": words.money(new["value"]) if new else "not predicted",
        "new_range": f"{words.money(new['low'])} to {words.money(new['high'])}" if new else "",
        "change": ("+" if change > 0 else "") + words.money(change) if change is not None else "–",
        "since": words.day(results["measured_against"]) if change is not None else "",
        "day": words.day(results["as_of"]),
        "due": words.day(_due(results)),
        "off": words.share(results["expected_error"]) if total and results.get("expected_error") is not None else "",
        "year": _year(results, words),
        "spark": spark(row.get("months") or []),
        "bar": _range_bar(total) if total else "",
        "trust": level_of(results["trust"]),
        "sort": {
            "currency": results["currency"],
            "total": total["value"] if total else None,
            "new": new["value"] if new else None,
            "change": change,
            "due": _due(results),
            "level": -LEVELS.index(level_of(results["trust"])),
        },
    }


def _due(results: dict[str, Any]) -> str:
    """The day of the next look that was fixed when the baseline was frozen; of a new cycle where none is left."""
    begun, now = (date.fromisoformat(results.get(k) or results["as_of"]) for k in ("measured_against", "as_of"))
    ahead = [day for start in (begun, now) for day in (start + timedelta(days=n) for n in LOOKS) if day > now]
    return ahead[0].isoformat()


def _year(results: dict[str, Any], words: Words) -> str:
    """The last twelve months against the twelve before, where both are known."""
    year = results.get("year") or {}
    if year.get("before", 0) <= 0:
        return ""
    change = year["now"] / year["before"] - 1
    return f"{'▲' if change >= 0.005 else '▼' if change <= -0.005 else '='} {words.share(abs(change))}"


def _totals(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """What the clients of each currency hold together, where there are several of them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["results"] is not None:
            found.setdefault(row["results"]["currency"], []).append(row["results"])
    return [
        {
            "currency": currency,
            "clients": str(len(group)),
            "customers": Words(currency).count(sum(r["customers"] for r in group)),
            "historic": Words(currency).money(sum(r["historic_value"] for r in group)),
            "total": Words(currency).money(sum(r["residual_value"]["value"] for r in group if r["residual_value"])),
            "without": str(sum(r["residual_value"] is None for r in group)),
        }
        for currency, group in sorted(found.items())
        if len(group) > 1
    ]


def _range_bar(total: dict[str, Any]) -> Any:
    """Draw the interval of a total as a bar from zero, in 120 by 12 units."""
    top = max(total["high"], 1e-12)
    low, mid = (max(0.0, min(1.0, v / top)) * 118 for v in (total["low"], total["value"]))
    return Markup(
        '<svg viewBox="0 0 120 12" width="120" height="12" aria-hidden="true" focusable="false">'
        '<line x1="0" y1="6" x2="118" y2="6" class="axis"/>'
        f'<rect x="{low:.1f}" y="2.5" width="{118 - low:.1f}" height="7" class="range"/>'
        f'<line x1="{mid:.1f}" y1="0" x2="{mid:.1f}" y2="12" class="mid"/></svg>'
    )


# ------------------------------------------------------------------------------------------ cells to HTML


def _cells(node: Any) -> str:
    return "\n".join(part for cell in node.cells for part in _cell(cell))


@dataclass
class _Section:
    """A section of a chapter: its heading and text, what its cells show, and whether any was to show something."""

    heading: str
    text: str
    stays: bool
    parts: list[str]
    coded: bool = False
    spoke: bool = False

    def __str__(self) -> str:
        start, end = ("<section>", "") if self.stays else ('<details class="part"><summary>', "</summary>")
        last = "</section>" if self.stays else "</details>"
        return "\n".join([f"{start}{self.heading}{end}{self.text}", *self.parts, last])


def _folded(node: Any, *, opened: bool) -> str:
    """A chapter whose sections are closed until they are clicked, but for those that its notebook tags as open.

    A section whose cells had nothing to show is left out; what a chapter is about goes into its first section where
    nothing is open.
    """
    before: list[str] = []
    sections: list[_Section] = []
    for cell in node.cells:
        shown = _cell(cell)
        if cell.cell_type == "markdown" and cell.source.startswith("## ") and shown:
            heading, text = shown[0].split("</h3>", 1)
            stays = opened and "open" in cell.metadata.get("tags", [])
            sections.append(_Section(f"{heading}</h3>", text, stays, []))
        elif not sections:
            before += shown
        elif cell.cell_type == "code":
            sections[-1].coded |= not _HIDDEN & set(cell.metadata.get("tags", []))
            sections[-1].spoke |= bool(shown)
            sections[-1].parts += shown
        else:
            sections[-1].parts += shown
    kept = [one for one in sections if one.spoke or not one.coded]
    if not opened and kept:
        heading, found, about = "".join(before).partition("</h2>")
        before, kept[0].text = [heading + found], about + kept[0].text
    return "\n".join([*before, *map(str, kept)])


def _cell(cell: Any) -> list[str]:
    """What a cell shows, piece by piece."""
    if _HIDDEN & set(cell.metadata.get("tags", [])):
        return []
    if cell.cell_type == "markdown":
        return [_markdown(cell.source)]
    return [part for part in map(_output, cell.outputs) if part] if cell.cell_type == "code" else []


def _markdown(text: str) -> str:
    from nbconvert.filters.markdown_mistune import markdown2html_mistune

    lowered = re.sub(r"^(#+) ", r"#\1 ", text, flags=re.M)  # the page has the only first-level heading
    page = markdown2html_mistune(lowered)
    return re.sub(r"<h([1-6])[^>]*>(.*?)(?:<a class=\"anchor-link\".*?</a>)?</h\1>", _heading, page, flags=re.S)


def _heading(match: re.Match[str]) -> str:
    level, text = match[1], match[2]
    plain = html.unescape(re.sub(r"<[^>]+>", "", text)).lower()
    anchor = re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "section"
    return f'<h{level} id="{anchor}">{text}</h{level}>'


def _output(out: Any) -> str:
    if out.output_type not in {"display_data", "execute_result"}:
        return ""  # what a cell prints belongs in the log
    data = out.data
    if "image/png" in data:
        return _figure(data["image/png"], out.metadata.get("image/png", {}), data.get("text/plain", ""))
    if "text/html" in data:
        # A page typesets no formulas, and has a style sheet of its own.
        return str(data["text/html"]).replace("<span>$</span>", "$").replace(LEFT, "")
    if "text/markdown" in data:
        return _markdown(data["text/markdown"])
    return f"<p>{html.escape(data.get('text/plain', ''))}</p>"


def _figure(png: str, metadata: dict[str, Any], text: str) -> str:
    alt = html.escape(metadata.get("alt") or text, quote=True)
    caption = metadata.get("caption") or ""
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    encoded = png.replace("\n", "")
    return f'<figure><img alt="{alt}" src="data:image/png;base64,{encoded}">{below}</figure>'
