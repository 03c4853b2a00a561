"""Covariates and groups that do not change with time: columns of a SUMMARY as numbers, and customers who share them.

In: rows with such columns. Out: ``Design``, which gives each distinct pattern of them its numbers z.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import ref

import numpy as np
import pandas as pd

from ..core.errors import FitError, TableError
from ..core.tables import closest
from .fitting import Vector

__all__ = ["Design"]

MANY = 500
_KEPT = 200_000
_LAST: deque[tuple[ref[Design], pd.DataFrame, list[tuple[Vector, Vector]]]] = deque(maxlen=8)


@dataclass(frozen=True)
class Design:
    """How covariates and groups become numbers.

    Attributes
    ----------
    levels : mapping of column to its levels
        The most frequent one first; of a covariate it is the reference. An empty tuple means a number.
    pooled : tuple of str
        The columns that are groups: each of their levels has an effect, and one that was never seen has none.
    """

    levels: Mapping[str, tuple[Any, ...]]
    pooled: tuple[str, ...] = ()

    @classmethod
    def of(cls, rows: pd.DataFrame, columns: Sequence[str], groups: Sequence[str] = ()) -> Design:
        """Find the levels in rows with their counts ``n``.

        Raises
        ------
        TableError
            When a covariate or a group has missing values.
        FitError
            When one never changes, or there are too many patterns.
        """
        levels: dict[str, tuple[Any, ...]] = {}
        columns = [*columns, *groups]
        for name in columns:
            values = rows[name]
            if values.isna().any():
                raise TableError(f"the covariate {name!r} is missing for {int(rows.loc[values.isna(), 'n'].sum()):,} "
                                 "customers; fill it, for example with 'unknown'")  # fmt: skip
            if values.nunique() < 2:
                raise FitError(f"the covariate {name!r} is {values.iloc[0]!r} for everybody: it explains nothing")
            numeric = pd.api.types.is_numeric_dtype(values) and name not in groups
            order = rows.groupby(name, observed=True)["n"].sum().sort_values(ascending=False, kind="stable").index
            levels[name] = () if numeric else tuple(order)
        if len(rows[list(columns)].drop_duplicates()) > MANY:
            raise FitError(
                f"the covariates {', '.join(columns)} have more than {MANY} combinations; round numbers into classes"
            )
        return cls(levels, tuple(groups))

    def told_apart(self, column: str) -> tuple[Any, ...]:
        """The levels of a column that have an effect: of a covariate all but the reference."""
        return self.levels[column] if column in self.pooled else self.levels[column][1:]

    @property
    def names(self) -> list[str]:
        """One name per effect: ``channel=ads`` for a level, ``age`` for a number."""
        return [name for column, levels in self.levels.items()
                for name in ([f"{column}={level}" for level in self.told_apart(column)] if levels else [column])]  # fmt: skip

    @property
    def family(self) -> list[int]:
        """For each effect the number of its column among the groups; -1 for a covariate's."""
        return [self.pooled.index(column) if column in self.pooled else -1
                for column, levels in self.levels.items() for _ in (self.told_apart(column) if levels else [0])]  # fmt: skip

    def matrix(self, rows: pd.DataFrame) -> Vector:
        """The numbers z of each row.

        Raises
        ------
        TableError
            When a covariate has a level that was not there at the fit.
        """
        columns = []
        for column, levels in self.levels.items():
            if not levels:
                columns.append(rows[column].to_numpy(float))
                continue
            unknown = rows.loc[~rows[column].isin(levels), column]
            if len(unknown) and column not in self.pooled:
                raise TableError(f"the covariate {column!r} is {unknown.iloc[0]!r}, which the fit has not seen"
                                 f"{closest(str(unknown.iloc[0]), map(str, levels))}; it knows {', '.join(map(str, levels))}")  # fmt: skip
            columns += [(rows[column] == level).to_numpy(float) for level in self.told_apart(column)]
        return np.column_stack(columns)

    def groups(self, rows: pd.DataFrame) -> list[tuple[Vector, Vector]]:
        """The distinct patterns: their numbers z, and the positions of the rows that share them.

        What was asked for last is kept: every draw of the parameters asks for the same rows.
        """
        mine = rows[list(self.levels)]
        for design, known, found in _LAST:
            if design() is self and known.equals(mine):
                return found
        z, index = np.unique(self.matrix(rows), axis=0, return_inverse=True)
        found = [(z[g], np.nonzero(index.reshape(-1) == g)[0]) for g in range(len(z))]
        if len(rows) <= _KEPT:
            _LAST.append((ref(self), mine.copy(), found))
        return found

    def pick(self, patterns: pd.DataFrame, of: Mapping[str, Any]) -> pd.DataFrame:
        """The patterns that agree with ``of``; a combination never seen is made up from the levels."""
        unknown = [name for name in of if name not in self.levels]
        if unknown:
            raise TableError(f"the model has no covariate {unknown[0]!r}{closest(unknown[0], self.levels)}")
        found = patterns
        for name, value in of.items():
            known = self.levels[name]
            if name in self.pooled and value not in known:
                raise TableError(f"the group {name!r} has no {value!r}{closest(str(value), map(str, known))}; there are "
                                 f"{', '.join(map(str, known))}")  # fmt: skip
            found = found[found[name] == value]
        if found.empty:
            rest = [c for c in self.levels if c not in of]
            found = patterns[rest].drop_duplicates().assign(n=1.0) if rest else pd.DataFrame({"n": [1.0]})
            found = found.assign(**dict(of))
        return found.reset_index(drop=True)
