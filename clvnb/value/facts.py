"""What step 1 found, as plain fields: what its sentences read.

In: what was assessed. Out: ``ValueFacts``; ``ValueStep`` is these and the sentences.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import pandas as pd

from ..core.results import Checked, Estimate, Finding, Told
from ..data.books import Books
from ..data.client import Client
from ..models.base import Model
from .card import Card
from .evaluate import Holdout
from .forecast import Forecast
from .trust import Trust

__all__ = ["ValueFacts"]


@dataclass(frozen=True, repr=False)
class ValueFacts(Told):
    """The fields of ``ValueStep``, described there."""

    books: Books
    checked: Checked
    customers: pd.DataFrame
    total: Estimate | None
    new_customer: Estimate | None
    trust: Trust
    fit: pd.DataFrame
    models: dict[str, Model]
    card: Card
    channels: pd.DataFrame
    segments: pd.DataFrame
    cohorts: pd.DataFrame
    choice: str
    holdout: Holdout | None
    methods: pd.DataFrame
    comparison: pd.DataFrame = field(default_factory=pd.DataFrame)
    outlook: Forecast | None = None
    next_orders: pd.DataFrame = field(default_factory=pd.DataFrame)
    notes: tuple[Finding, ...] = ()
    newcomers: pd.DataFrame = field(default_factory=pd.DataFrame)
    groups: Finding = field(default_factory=lambda: Finding(pd.DataFrame(), ""))
    cuts: dict[str, list[float]] = field(default_factory=dict)
    forecast: pd.DataFrame = field(default_factory=pd.DataFrame)
    forecasts: dict[str, Estimate] = field(default_factory=dict)
    cohort_period: str = "month"
    months: pd.DataFrame = field(default_factory=pd.DataFrame)
    rhythm: pd.DataFrame = field(default_factory=pd.DataFrame)
    year: dict[str, float] = field(default_factory=dict)
    mrr: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def client(self) -> Client:
        """Whose step it is."""
        return self.books.client

    @property
    def as_of(self) -> date:
        """The last day looked at."""
        return self.books.as_of
