"""Columns that tell kinds of customers apart, as a few classes of text.

In: a SUMMARY with columns such as ``channel`` or the first basket. Out: the same with classes, and the columns in which customers differ.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

__all__ = ["classed"]

# Levels of a column that are told apart; the rarest beyond them are one, "other". Numbers with more values become fifths.
_MANY = 30
_NUMBERS = 12


def classed(summary: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the summary with these columns as text classes, and those of them in which customers differ.

    Parameters
    ----------
    summary : SUMMARY
    columns : sequence of str
        Those that it does not have are left out.

    Returns
    -------
    SUMMARY, tuple of str
        What is missing is ``unknown``; numbers of more than 12 values are cut at their fifths, but for channels, whose numbers
        are names; of more than 30 levels the rarest are ``other``.
    """
    made, told = {}, []
    for name in columns:
        if name not in summary:
            continue
        values = _as_text(summary[name], numbers=name != "channel")
        usual = values.value_counts(sort=True)
        if len(usual) > _MANY:
            values = values.where(values.isin(usual.index[: _MANY - 1]), "other")
        made[name] = values
        if values.nunique() > 1:
            told.append(name)
    return summary.assign(**made), tuple(told)


def _as_text(values: pd.Series, *, numbers: bool) -> pd.Series:
    number = pd.to_numeric(values, errors="coerce")
    if not numbers or number.nunique() <= _NUMBERS or number.notna().sum() < values.notna().sum():
        return values.astype("object").where(values.notna(), "unknown").astype(str)
    edges = np.unique(np.nanquantile(number, np.linspace(0, 1, 6)))
    place = np.clip(np.searchsorted(edges, number, side="right") - 1, 0, len(edges) - 2)
    names = np.array([f"{low:g} to {high:g}" for low, high in zip(edges[:-1], edges[1:], strict=True)])
    return pd.Series(np.where(number.notna(), names[place], "unknown"), index=values.index)
