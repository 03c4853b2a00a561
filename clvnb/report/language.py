"""What a report says by itself, in the client's language: one catalogue per language, English where one is missing.

In: a locale. Out: labels and sentences to fill in.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from ..core.words import Words

__all__ = ["Labels", "labels_of", "languages", "span"]

Labels = dict[str, Any]


@cache
def languages() -> dict[str, Labels]:
    """Return every catalogue by its language's code."""
    folder = files("clvnb.report") / "languages"
    found = sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    return {f.name.removesuffix(".yaml"): yaml.safe_load(f.read_text(encoding="utf-8")) for f in found}


def labels_of(locale: str) -> tuple[str, Labels]:
    """Return the language that is spoken to a client of this locale, and its labels.

    Examples
    --------
    >>> labels_of("es_MX")[1]["contents"], labels_of("fi")[0]
    ('Contenido', 'en')
    """
    code = locale.partition("_")[0].lower()
    code = code if code in languages() else "en"
    return code, languages()[code]


def span(horizon: str, words: Words) -> str:
    """Say a stretch of time such as ``3 years`` in the client's language.

    Examples
    --------
    >>> span("3 years", Words("EUR", "es"))
    '3 años'
    """
    from babel.units import format_unit

    number, unit = horizon.split(maxsplit=1)
    code, _ = labels_of(words.locale)
    locale = words.locale if words.locale.startswith(code) else "en"
    return str(format_unit(float(number), f"duration-{unit.rstrip('s')}", length="long", locale=locale))
