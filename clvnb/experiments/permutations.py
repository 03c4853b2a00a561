"""What chance alone would do to a difference: the draw made again and again.

In: an outcome for each customer, who was drawn, the units that were drawn. Out: studentised differences under no effect.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["DRAWS", "LARGE", "Sides", "permuted"]

DRAWS = 1_999
LARGE = 2_000  # units on the smaller side from which the mean of capped amounts is normal enough for Student's t
AT_ONCE = 2_000_000  # indices held in memory


class Sides:
    """Sums of an outcome over the units that were drawn: customers, or the stores, regions, households they belong to.

    Parameters
    ----------
    values : array of float
        The outcome of each customer.
    units : array of int, optional
        Number of each customer's unit, from 0 on; every customer is one where it is left out.
    """

    def __init__(self, values: NDArray[np.float64], units: NDArray[np.intp] | None = None) -> None:
        whole = np.arange(len(values)) if units is None else units
        self.sums = np.bincount(whole, weights=values)
        self.sizes = np.bincount(whole).astype(float)
        self._moments = np.column_stack(
            [np.ones_like(self.sums), self.sizes, self.sums, self.sums**2, self.sums * self.sizes, self.sizes**2]
        )

    def studentised(self, drawn: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the difference of means and its standard error for draws given by their moments, a row each."""
        rest = self._moments.sum(axis=0) - drawn
        means, squares = [], []
        for units, n, total, square, cross, sizes in (drawn.T, rest.T):
            mean = total / n
            spread = np.maximum(square - 2 * mean * cross + mean**2 * sizes, 0.0)
            means.append(mean)
            squares.append(spread / n**2 * units / np.maximum(units - 1, 1))
        return means[0] - means[1], np.sqrt(squares[0] + squares[1])

    def of(self, treated: NDArray[np.bool_]) -> tuple[float, float]:
        """Return the difference between units that were treated and the others, and its standard error."""
        value, error = self.studentised(self._moments[treated].sum(axis=0)[None, :])
        return float(value[0]), float(error[0])

    def permuted(self, treated: int, draws: int = DRAWS, seed: int = 0) -> NDArray[np.float64]:
        """Return the studentised differences of draws that had no effect, ascending."""
        # By size, so that the order of the rows decides nothing.
        own = self._moments[np.lexsort((self.sizes, self.sums))]
        plain = bool((self.sizes == 1).all())
        columns = np.ascontiguousarray(own[:, 2:4] if plain else own)
        small = min(treated, len(own) - treated)
        rng = np.random.default_rng(seed)
        parts, left = [], draws
        while left > 0:
            now = min(left, max(1, AT_ONCE // small))
            at = np.stack([rng.choice(len(own), small, replace=False, shuffle=False) for _ in range(now)])
            drawn = columns[at].sum(axis=1)
            if plain:  # a unit is a customer: its size is 1
                drawn = np.column_stack([np.full((now, 2), small), drawn, drawn[:, 0], np.full(now, small)])
            value, error = self.studentised(drawn)
            parts.append(np.divide(value, error, out=np.zeros_like(value), where=error > 0))
            left -= now
        found = np.concatenate(parts)
        return np.sort(found if small == treated else -found)


def permuted(
    values: NDArray[np.float64], treated: NDArray[np.bool_], units: NDArray[np.intp] | None = None
) -> NDArray[np.float64]:
    """Return what the studentised difference of two randomised groups would be by chance alone.

    Parameters
    ----------
    values : array of float
        The outcome of each customer.
    treated : array of bool
        Of each customer; alike within a unit.
    units : array of int, optional
        Number of each customer's unit.

    Returns
    -------
    array of float
        Ascending, ``DRAWS`` of them; empty where so many units were drawn that Student's t holds.

    Notes
    -----
    The difference is divided by Welch's error in every draw, so that the test is exact where nothing worked and keeps
    its level in large groups where only the means are alike.

    References
    ----------
    Janssen (1997), *Statistics and Probability Letters* 36: 9-21; Chung and Romano (2013), *Annals of Statistics* 41:
    484-507.

    Examples
    --------
    >>> values, treated = np.r_[np.zeros(50), np.ones(50)], np.arange(100) % 2 == 0
    >>> found = permuted(values, treated)
    >>> len(found), bool(abs(np.quantile(found, 0.975) - 1.98) < 0.1)
    (1999, True)
    """
    sides = Sides(values, units)
    own = treated if units is None else np.bincount(units, weights=treated) > 0
    small = int(min(own.sum(), len(own) - own.sum()))
    return np.zeros(0) if small >= LARGE else sides.permuted(int(own.sum()))
