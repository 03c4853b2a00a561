"""Purchase models in continuous time: when the next purchase is due, and drawing the log of new customers.

In: a fitted model. Out: windows of days per customer, or a LOG.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import FitError
from ..core.maths import days, tail
from .base import TransactionModel, on_pace
from .fitting import Vector

__all__ = ["ContinuousModel", "Newcomers"]


class ContinuousModel(TransactionModel):
    """A purchase model whose purchases and drop-outs may fall on any moment; its clock is days."""

    @abstractmethod
    def _quiet(self, theta: Vector, x: Vector, t_x: Vector, T: Vector, wait: Vector) -> Vector: ...

    def _waits(self, rows: pd.DataFrame, w: Vector, *, from_last: bool) -> Vector:
        """Waits in days as the model counts time, from each row's last purchase or from now."""
        return w if from_last or self.pace_ is None else on_pace(w, self.pace_)

    @abstractmethod
    def _newcomers(self, theta: Vector, n: int, rng: np.random.Generator) -> Newcomers: ...

    def next_purchase(self, summary: Any, level: float = 0.8) -> Any:
        """Return when each customer's next purchase was due, and from now on is, should the customer still be active.

        Parameters
        ----------
        summary : SUMMARY
        level : float
            Of both windows.

        Returns
        -------
        pandas.DataFrame
            ``due_low, due_high``: days from the last purchase within which the next one was to be expected at that
            time; ``overdue``: the silence is longer than ``due_high``; ``next_low, next_median, next_high``: days from
            now. For an Ibis table with ``customer_id``.

        Raises
        ------
        FitError, TableError
            As ``expected_purchases``.
        ValueError
            When ``level`` lies outside 0 to 1.

        Notes
        -----
        Quantiles of the wait w at which the chance of no purchase by an active customer falls to 1 - q:
        ((alpha+T)/(alpha+T+w))^(r+x) where purchases come at random; for CNBD-k given the silence since the last one.
        At the estimates: how uncertain the parameters are is not in it.
        """
        low, high = (1 - level) / 2, (1 + level) / 2
        tail(level)

        def windows(rows: pd.DataFrame) -> dict[str, Vector]:
            def until(q: float, from_last: bool) -> Vector:
                x, t_x, T = self._ages(rows, self.point())
                now, out = t_x if from_last else T, np.empty(len(rows))
                for theta, at in self._patterns(rows, self.point()):
                    some = rows.iloc[at]

                    def quiet(w: Vector, theta: Vector = theta, at: Vector = at, some: pd.DataFrame = some) -> Vector:
                        waits = self._waits(some, w, from_last=from_last)
                        return self._quiet(theta, x[at], t_x[at], now[at], waits)

                    out[at] = _solve(quiet, 1 - q, len(at))
                return out

            due = until(high, True)
            return {
                "due_low": until(low, True), "due_high": due,
                "overdue": (rows["T"] - rows["recency"]).to_numpy(float) > due,
                "next_low": until(low, False), "next_median": until(0.5, False), "next_high": until(high, False),
            }  # fmt: skip

        return self._each(summary, windows)

    def simulate(
        self,
        customers: int,
        *,
        start: str = "2024-01-01",
        joined: str | float = "90 days",
        length: str | float = "1 year",
        spend: Any = None,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Draw a LOG of new customers from the model.

        With covariates, of customers whose covariates are all 0 or the reference.

        Parameters
        ----------
        customers : int
            How many.
        start : str
            The day from which customers join.
        joined : str or number of days
            How long customers keep joining, evenly.
        length : str or number of days
            How long the log is in all.
        spend : a fitted GammaGamma, optional
            Without it every purchase is of 1.
        seed : int
            Of the random draws.

        Returns
        -------
        LOG
            ``customer_id, date, amount``, one row per purchase, ``date`` with the time of day.

        Raises
        ------
        FitError
            When the model runs on a calendar's clock or at a forecast's pace.
        """
        if self.changes_pace:
            raise FitError(
                f"{self.name} runs on a calendar or at a pace here, and new customers are drawn without: fit it alone"
            )
        rng = np.random.default_rng(seed)
        full, end = self.point(), days(length)
        born = rng.uniform(0, days(joined), customers)
        who, when = [np.arange(customers)], [born]
        number, at = _run(self._newcomers(self._of_pattern(full, np.zeros(0)), customers, rng), end - born, rng)
        who.append(number)
        when.append(born[number] + at)
        log = pd.DataFrame({"customer": np.concatenate(who), "day": np.concatenate(when)})
        log = log.sort_values(["customer", "day"], ignore_index=True)
        amount = spend.simulate_spend(log["customer"].to_numpy(), seed=seed + 1) if spend is not None else 1.0
        date = pd.Timestamp(start) + pd.to_timedelta(np.floor(log["day"].to_numpy() * 86_400), unit="s")
        width = len(str(customers))
        return pd.DataFrame(
            {"customer_id": log["customer"].astype(str).str.zfill(width), "date": date, "amount": amount}
        )


@dataclass(frozen=True)
class Newcomers:
    """New customers as a process: gaps are gamma(shape k, rate), life ends at ``life`` or after a purchase.

    Attributes
    ----------
    rate, life, leave : array
        Per customer: rate of the gaps' stages; days until life ends (infinite where only purchases end it); chance to
        leave after a purchase.
    k : int
        Stages of a gap; 1 is the exponential.
    at_first : bool
        Whether one may leave after the first purchase already.
    """

    rate: Vector
    life: Vector
    leave: Vector
    k: int = 1
    at_first: bool = False


def _run(new: Newcomers, until: Vector, rng: np.random.Generator) -> tuple[Vector, Vector]:
    """Let newcomers buy until ``until``: numbers of the customers and days since they joined, one per repeat purchase."""
    who = np.arange(len(new.rate))
    if new.at_first:
        who = who[rng.random(len(who)) >= new.leave]
    now, end = np.zeros(len(new.rate)), np.minimum(until, new.life)
    numbers, times = [], []
    while len(who):
        now[who] += rng.gamma(new.k, size=len(who)) / np.maximum(new.rate[who], 1e-300)
        who = who[now[who] <= end[who]]
        numbers.append(who)
        times.append(now[who].copy())
        who = who[rng.random(len(who)) >= new.leave[who]]
    return np.concatenate(numbers or [who]), np.concatenate(times or [np.zeros(0)])


def _solve(quiet: Callable[[Vector], Vector], level: float, size: int) -> Vector:
    """The wait at which the falling function ``quiet`` comes down to ``level``, by bisection in logarithms of days."""
    low, high = np.full(size, -7.0), np.full(size, 18.0)
    for _ in range(48):
        middle = (low + high) / 2
        above = quiet(np.exp(middle)) > level
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.exp((low + high) / 2)
