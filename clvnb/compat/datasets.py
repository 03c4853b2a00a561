"""What ``lifetimes.datasets`` offers, from the CDNOW sample that comes with clvnb.

In: arguments of ``pandas.read_csv``. Out: frames in ``lifetimes``' columns; time in weeks, money in dollars.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd

from ..data.samples import guide_folder
from .utils import summary_data_from_transaction_data

__all__ = ["load_cdnow_summary", "load_cdnow_summary_data_with_monetary_value", "load_transaction_data"]


def load_cdnow_summary(**kwargs: Any) -> pd.DataFrame:
    """Return ``ID, frequency, recency, T`` of 2,357 customers up to 1997-09-30; mostly asked with ``index_col=[0]``."""
    return _as_read(_summary().drop(columns="monetary_value"), kwargs)


def load_cdnow_summary_data_with_monetary_value(**kwargs: Any) -> pd.DataFrame:
    """Return ``frequency, recency, T, monetary_value`` of the same customers, by ``customer_id``."""
    return _as_read(_summary(), kwargs).rename(columns={"ID": "customer_id"}).set_index("customer_id")


def load_transaction_data(**kwargs: Any) -> pd.DataFrame:
    """Return ``date, id`` of the sample's 6,919 orders, where ``lifetimes`` has an artificial log of other customers."""
    return _as_read(_orders()[["date", "id"]], kwargs)


def _orders() -> pd.DataFrame:
    table = pd.read_csv(guide_folder("data") / "cdnow" / "sample.csv", dtype={"date": str})
    return table.assign(date=pd.to_datetime(table["date"], format="%Y%m%d"), id=table["customer_id"])


def _summary() -> pd.DataFrame:
    table = summary_data_from_transaction_data(
        _orders(), "id", "date", "dollar_value", observation_period_end="1997-09-30", freq_multiplier=7
    )
    cents = np.floor(table * 100 + 0.5 + 1e-9) / 100  # a half goes up, as in the published file
    return cents.astype({"frequency": int}).rename_axis("ID").reset_index()


def _as_read(table: pd.DataFrame, kwargs: dict[str, Any]) -> pd.DataFrame:
    """The table as pandas reads it from a file, so that every argument of ``read_csv`` works."""
    return pd.read_csv(io.StringIO(table.to_csv(index=False)), **kwargs)
