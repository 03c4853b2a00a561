"""Customers with the same history are computed once: distinct (frequency, recency, T), and the way back to every customer.

In: a SUMMARY, pandas or Ibis. Out: its distinct rows with counts, or answers for each customer in the kind that came in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..core.engine import is_ibis, run
from ..core.errors import TableError
from ..core.tables import SUMMARY, check, closest
from .fitting import Vector

__all__ = ["KEYS", "collapse", "each", "pairs", "sample", "spread"]

KEYS = ["frequency", "recency", "T"]
# The most numbers that a table has a place for: 400 MB.
_LOOKED_UP = 50_000_000


def collapse(
    summary: Any, extra: dict[str, Callable[[Any], Any]] | None = None, *, also: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the distinct (frequency, recency, T) with their number of customers ``n``.

    An Ibis table is grouped in its engine, and only the distinct rows come back.

    Parameters
    ----------
    summary : SUMMARY
    extra : mapping, optional
        Further sums for Ibis or pandas: name to a function of the table that gives the column to be summed.
    also : sequence of str
        Further columns that tell rows apart: covariates.

    Returns
    -------
    pandas.DataFrame
        ``frequency, recency, T``, the further columns, ``n`` and the extra sums, sorted.
    """
    check(summary, SUMMARY)
    missing = [c for c in also if c not in summary.columns]
    if missing:
        raise TableError(
            f"the SUMMARY has no column {missing[0]!r}{closest(missing[0], summary.columns)}; covariates are columns of "
            "the SUMMARY: `summarize` carries those that it is told to"
        )
    sums, keys = extra or {}, [*KEYS, *also]
    if is_ibis(summary):
        grouped = summary.group_by(keys).aggregate(n=summary.count(), **{k: f(summary).sum() for k, f in sums.items()})
        return _sane(run(grouped.order_by(keys), summary))
    packed = None if sums or also else _packed(summary)
    if packed:
        return _sane(_counted(*packed, summary))
    columns = summary[keys].assign(n=1, **{k: f(summary) for k, f in sums.items()})
    return _sane(columns.groupby(keys, as_index=False, sort=True, dropna=False, observed=True).sum())


def each(summary: Any, function: Callable[[pd.DataFrame], dict[str, Vector]], also: Sequence[str] = ()) -> Any:
    """Run ``function`` once for each distinct row and bring the answers to every customer.

    Parameters
    ----------
    summary : SUMMARY
    function : callable
        Takes distinct rows, returns arrays by name.
    also : sequence of str
        Further columns that tell rows apart.

    Returns
    -------
    pandas.Series for one name, pandas.DataFrame for several, ibis.Table with ``customer_id`` for an Ibis table.
    """
    packed = None if is_ibis(summary) or also else _packed(check(summary, SUMMARY))
    if packed:
        codes, packing = packed
        known, bring = _distinct(codes, packing.top)
        rows = packing.unpack(known, summary)
        if _cannot_be(rows).any():
            collapse(summary)  # which says what is wrong, and of how many customers
        return _to_customers(function(rows), bring, summary)
    rows = collapse(summary, also=also)
    answers, keys = function(rows), [*KEYS, *also]
    return spread(summary, rows[keys].assign(**answers), list(answers), keys)


def spread(summary: Any, answers: pd.DataFrame, names: list[str], keys: Sequence[str] = KEYS) -> Any:
    """Join answers per triple back to the customers of ``summary``, in the engine where the table lives there.

    Returns
    -------
    pandas.Series for one name, pandas.DataFrame for several, ibis.Table with ``customer_id`` for an Ibis table.
    """
    if is_ibis(summary):
        import ibis

        side = ibis.memtable(answers.rename(columns={k: f"{k}_key" for k in keys}))
        joined = summary.left_join(side, [summary[k] == side[f"{k}_key"] for k in keys])
        return joined.select("customer_id", *names)
    keys = list(keys)
    packed = _packed(summary) if keys == KEYS else None
    if packed:
        codes, packing = packed
        known, bring = _distinct(codes, packing.top)
        if np.array_equal(packing.unpack(known, answers), answers[KEYS]):  # as ``collapse`` leaves them
            return _to_customers(answers[names], bring, summary)
    where = pd.MultiIndex.from_frame(answers[keys]).get_indexer(pd.MultiIndex.from_frame(summary[keys]))
    return _to_customers(answers[names], lambda answer: answer[where], summary)


def _to_customers(
    answers: Mapping[str, Vector] | pd.DataFrame, bring: Callable[[Vector], Vector], summary: pd.DataFrame
) -> pd.Series | pd.DataFrame:
    """Answers in the order of the customers, on their index; one column as a series."""
    told = {name: bring(np.asarray(answers[name])) for name in answers}
    if len(told) == 1:
        [(name, only)] = told.items()
        return pd.Series(only, index=summary.index, name=name, copy=False)
    return pd.DataFrame(told, index=summary.index, copy=False)


def _packed(table: pd.DataFrame) -> tuple[NDArray[np.int64], _Packing] | None:
    """Each row as one whole number; nothing where the three are not whole, or are too large to be put into one."""
    whole, ends = [], []
    for name in KEYS:
        given = table[name].to_numpy()
        if given.dtype.kind not in "iuf" or not len(given):
            return None
        if given.dtype.kind == "f" and not (np.isfinite(given) & (given == np.floor(given))).all():
            return None
        low, high = given.min(), given.max()
        if low < 0 or high >= 1 << 20:
            return None
        whole.append(given.astype(np.int64, copy=False))
        ends.append((int(low), int(high)))
    (_, most), (_, latest), (first, last) = ends
    wide, span = latest + 1, last - first + 1
    packing = _Packing(wide, first, span, (most + 1) * wide * span)
    return packing.pack(*whole), packing


@dataclass(frozen=True)
class _Packing:
    """How the three are put into one number and taken out again; numbers stand in the order of the three.

    Attributes
    ----------
    wide, first, span : int
        Of recency how many, of T the first and how many there may be.
    top : int
        One more than the largest number.
    """

    wide: int
    first: int
    span: int
    top: int

    def pack(self, x: NDArray[np.int64], t_x: NDArray[np.int64], T: NDArray[np.int64]) -> NDArray[np.int64]:
        codes = x * self.wide
        codes += t_x
        codes *= self.span
        codes += T
        codes -= self.first
        return codes

    def unpack(self, codes: NDArray[np.int64], like: pd.DataFrame) -> pd.DataFrame:
        rest = codes // self.span  # numpy divides by one number much faster than it finds remainders
        x = rest // self.wide
        arrays = x, rest - x * self.wide, codes - rest * self.span + self.first
        columns = {k: pd.Series(v, copy=False).astype(like[k].dtype) for k, v in zip(KEYS, arrays, strict=True)}
        return pd.DataFrame(columns, copy=False)


def _distinct(codes: NDArray[np.int64], top: int) -> tuple[NDArray[np.int64], Callable[[Vector], Vector]]:
    """Distinct numbers below ``top``, sorted, and the way from an array of theirs to one of all rows.

    By a table of all numbers, which takes less memory than the place of each row; by a sort where top is far.
    """
    if top > min(_LOOKED_UP, 16 * len(codes)):
        known, where = np.unique(codes, return_inverse=True)
        return known, lambda answer: answer[where]
    there = np.zeros(top, dtype=bool)
    there[codes] = True
    known = np.flatnonzero(there)

    def bring(answer: Vector) -> Vector:
        table = np.empty(top, dtype=answer.dtype)
        table[known] = answer
        return np.asarray(table[codes])

    return known, bring


def pairs(x: Vector, T: Vector) -> tuple[Vector, Vector, NDArray[Any]]:
    """Distinct (x, T), and the place of each row among them."""
    span = np.floor(T.max()) + 1
    top = (np.floor(x.max()) + 1) * span
    if top <= _LOOKED_UP and (np.floor(T) == T).all() and (np.floor(x) == x).all():
        known, bring = _distinct((x * span + T).astype(np.int64), int(top))
        u, v = np.divmod(known, int(span))
        return u.astype(float), v.astype(float), bring(np.arange(len(known)))
    crossed, index = np.unique(x + 1j * T, return_inverse=True)
    return crossed.real, crossed.imag, index.reshape(-1)


def _counted(codes: NDArray[np.int64], packing: _Packing, like: pd.DataFrame) -> pd.DataFrame:
    """The distinct triples and how often each stands there: one sort of one column."""
    codes.sort()
    first = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    return packing.unpack(codes[first], like).assign(n=np.diff(np.r_[first, len(codes)]))


def sample(rows: pd.DataFrame, size: int) -> pd.DataFrame:
    """About ``size`` customers of sorted rows, one in so many: every part of the data in proportion."""
    ends = rows["n"].to_numpy(float).cumsum()
    taken = np.diff(np.floor(ends * (size / ends[-1]) + 0.5), prepend=0.0)
    return rows.assign(n=taken)[taken > 0]


def _cannot_be(triples: pd.DataFrame) -> NDArray[np.bool_]:
    """Rows with negative counts, a last purchase after the end, repeats on day 0."""
    x, t_x, T = (triples[k].to_numpy(float, na_value=np.nan) for k in KEYS)
    with np.errstate(invalid="ignore"):
        fine = (x >= 0) & (t_x >= 0) & (t_x <= T) & np.isfinite(T) & (x == np.floor(x)) & ((x > 0) == (t_x > 0))
    return ~fine


def _sane(triples: pd.DataFrame) -> pd.DataFrame:
    """Refuse what cannot be."""
    wrong = triples[_cannot_be(triples)]
    if len(wrong):
        row = wrong.iloc[0]
        raise TableError(
            f"a SUMMARY row cannot be: frequency {row.frequency}, recency {row.recency}, T {row['T']} "
            f"({int(wrong.n.sum())} customers). Needed: 0 <= recency <= T in days, frequency a whole number of "
            "repeat purchases, and recency 0 exactly when frequency is 0; `summarize` makes it so."
        )
    if triples.empty:
        raise TableError("the SUMMARY has no customers")
    return triples
