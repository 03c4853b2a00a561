"""Amounts that a file holds in parts: a small formula of columns, such as ``quantity * unit_price - discount``.

In: the text of a formula. Out: the names in it, or its value over columns of a table. Nothing in a formula is ever run as code.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

__all__ = ["names_in", "value_of"]

_SIGNS = (ast.Add, ast.Sub, ast.Mult, ast.Div)


def names_in(formula: str) -> tuple[str, ...]:
    """Return the names in a formula, each one once and in their order.

    Parameters
    ----------
    formula : str
        Of names, numbers, brackets and ``+ - * /``.

    Raises
    ------
    ValueError
        When anything else is in it, or it names no column.

    Examples
    --------
    >>> names_in("quantity * unit_price - discount")
    ('quantity', 'unit_price', 'discount')
    """
    if len(formula) > 500:
        raise ValueError("a formula has at most 500 signs")
    try:
        body = ast.parse(formula.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"{formula!r} is no formula; write it like `quantity * unit_price - discount`") from None
    found = dict.fromkeys(_names(body, formula))
    if not found:
        raise ValueError(f"{formula!r}: a formula names at least one column")
    return tuple(found)


def _names(node: ast.AST, formula: str) -> list[str]:
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Constant) and type(node.value) in {int, float}:
        return []
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return _names(node.operand, formula)
    if isinstance(node, ast.BinOp) and isinstance(node.op, _SIGNS):
        return _names(node.left, formula) + _names(node.right, formula)
    raise ValueError(
        f"{formula!r}: a formula holds names under `columns:`, numbers, brackets and + - * /, nothing else"
    )


def value_of(formula: str, columns: Mapping[str, Any]) -> Any:
    """Compute a formula over columns: those of an Ibis table or of a pandas frame. A division by zero gives null.

    Parameters
    ----------
    formula : str
    columns : mapping of name to column of numbers

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"quantity": [2.0, 3.0], "unit_price": [5.0, 1.5]})
    >>> value_of("quantity * unit_price", frame).tolist()
    [10.0, 4.5]
    """
    names_in(formula)
    return _value(ast.parse(formula.strip(), mode="eval").body, columns)


def _value(node: Any, columns: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return columns[node.id]
    if isinstance(node, ast.Constant):
        return float(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.UnaryOp):
        value = _value(node.operand, columns)
        return -value if isinstance(node.op, ast.USub) else value
    left, right = _value(node.left, columns), _value(node.right, columns)
    if isinstance(node.op, ast.Add):
        return left + right
    if isinstance(node.op, ast.Sub):
        return left - right
    if isinstance(node.op, ast.Mult):
        return left * right
    return left / _no_zero(right)


def _no_zero(value: Any) -> Any:
    if isinstance(value, float):
        return value if value else float("nan")
    return value.nullif(0.0) if hasattr(value, "nullif") else value.where(value != 0)
