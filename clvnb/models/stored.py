"""A fitted model read back from its file.

In: the JSON file that ``model.save`` wrote, or a model's class and settings. Out: the model, which predicts as it did; or a fresh one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from ..core.errors import FitError
from . import (
    BGBB,
    BGNBD,
    MBGNBD,
    BetaDiscreteWeibull,
    BGCNBDk,
    GammaGamma,
    GGompertzNBD,
    MBGCNBDk,
    ParetoNBD,
    ShiftedBetaGeometric,
)
from .base import STORED, Model

__all__ = ["MODELS", "from_recipe", "load_model", "recipe"]

MODELS: dict[str, type[Model]] = {
    model.__name__: model
    for model in (BGBB, BGNBD, MBGNBD, BetaDiscreteWeibull, BGCNBDk, GammaGamma, GGompertzNBD, MBGCNBDk, ParetoNBD,
                  ShiftedBetaGeometric)
}  # fmt: skip


def recipe(model: Model) -> dict[str, Any]:
    """Return class and settings of a model as plain values, from which ``from_recipe`` makes one to be fitted."""
    return {"model": type(model).__name__, "settings": dict(model.settings)}


def from_recipe(saved: Mapping[str, Any]) -> Model | None:
    """Return a model that is not fitted, of the class and settings that ``recipe`` saved; None for one that is not known.

    Examples
    --------
    >>> from_recipe(recipe(BGNBD.with_params(r=1.0, alpha=2.0, a=1.0, b=2.0)))
    BGNBD()
    """
    kind = MODELS.get(str(saved.get("model")))
    return None if kind is None else kind(**saved["settings"])


def load_model(path: str | PathLike[str]) -> Model:
    """Read a model that ``model.save`` wrote.

    Nothing in the file is run: it holds numbers and names alone.

    Parameters
    ----------
    path : path

    Returns
    -------
    a fitted model
        Of the class that was saved; its predictions, intervals and ``summary`` are those of the saved one.

    Raises
    ------
    FitError
        When the file is missing, is no model of clvnb, or was written by a later clvnb in a form that this one does not
        know; the text names the file and what to do.

    Examples
    --------
    >>> import tempfile
    >>> from clvnb import BGNBD
    >>> model = BGNBD.with_params(r=.243, alpha=4.414, a=.793, b=2.426, unit="1 week")
    >>> file = Path(tempfile.mkdtemp()) / "model.json"
    >>> model.save(file)
    >>> load_model(file).expected_purchases_new("1 year") == model.expected_purchases_new("1 year")
    True
    """
    file = Path(path)
    try:
        state = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise FitError(f"{file}: the model could not be read: {error.strerror or error}") from error
    except ValueError as error:
        raise FitError(f"{file} is no model: it is not JSON ({error}); save one with model.save(path)") from error
    if not isinstance(state, dict) or state.get("format") != "clvnb model":
        raise FitError(f"{file} is no model of clvnb; save one with model.save(path)")
    if not isinstance(state.get("version"), int) or state["version"] > STORED:
        raise FitError(
            f"{file} was written by clvnb {state.get('clvnb')} in version {state.get('version')} of the format, and this one "
            f"reads up to {STORED}: update clvnb, or fit the model again"
        )
    known = MODELS.get(str(state.get("model")))
    if known is None:
        raise FitError(f"{file} holds a {state.get('model')!r}, which this clvnb does not know: update it")
    try:
        model = known(**state["settings"])
        model._restore(state)
    except (KeyError, TypeError, ValueError) as error:
        raise FitError(f"{file} is damaged: {type(error).__name__} at {error}; save the model again") from error
    return model
