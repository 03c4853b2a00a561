"""Amounts in several currencies, turned into the client's.

In: a log whose rows say their currency, and what each currency is worth. Out: the log in one currency; a row whose currency has
no rate on its day keeps no amount, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..core.engine import to_pandas
from ..core.errors import TableError
from .client import Client, Source
from .sources import SIGNS, read_table

if TYPE_CHECKING:
    import ibis

__all__ = ["in_one_currency", "read_rates", "stated_currency"]

_GOOD_FOR = 31  # days: a rate is used until the next one, and no longer than this


def read_rates(client: Client) -> Mapping[str, float] | pd.DataFrame | None:
    """Read what other currencies are worth from a client's ``rates:``.

    Returns
    -------
    mapping of currency to rate, pandas.DataFrame with ``date, currency, rate``, or None

    Raises
    ------
    TableError
        When a rate is no number above 0, or a day or currency is missing.
    """
    if not isinstance(client.rates, Source):
        return client.rates
    table = to_pandas(read_table(client, client.rates, ("date", "currency", "rate")))
    bad = table[table["date"].isna() | table["currency"].isna() | ~(table["rate"] > 0)]
    if len(bad):
        row = bad.iloc[0]
        raise TableError(
            f"{client.rates.source}: line {row['line']}: a rate needs a day, a currency and a number above 0, got "
            f"{row['date_text']!r}, {row['currency']!r}, {row['rate']!r}"
        )
    return table[["date", "currency", "rate"]]


def stated_currency(table: ibis.Table) -> Any:
    """The currency that a row says itself: its column's, or the sign beside the amount."""
    import ibis

    said = [table[c].nullif("") for c in ("currency", "amount_sign") if c in table.columns]
    if "currency" in table.columns:
        said[0] = said[0].upper()
    return ibis.coalesce(*said) if said else ibis.null("string")


def in_one_currency(table: ibis.Table, currency: str, rates: Mapping[str, float] | pd.DataFrame) -> ibis.Table:
    """Turn the money of a log into one currency.

    Parameters
    ----------
    table : LOG
        An Ibis table with ``currency`` or signs beside the amounts; a row that says nothing is in ``currency``.
    currency : str
        The client's.
    rates : mapping or pandas.DataFrame
        What one unit of a currency is worth in ``currency``: the same on every day, or by ``date``; then the last one known
        on a row's day counts, if it is not older than 31 days.

    Returns
    -------
    LOG
        With ``no_rate``, true where a row has an amount whose worth is not known.
    """
    import ibis

    known = set(rates) if isinstance(rates, Mapping) else set(rates["currency"])
    if not {"currency", "amount_sign"} & set(table.columns):
        raise TableError(
            "`rates:` are given, but no row says its currency; list the column under `columns: {currency: …}`"
        )
    said = stated_currency(table)
    signs = [
        (said == sign, next((c for c in codes if c == currency or c in known), codes[0]))
        for sign, codes in SIGNS.items()
    ]
    table = table.mutate(said=ibis.cases(*signs, else_=said.upper()).fill_null(currency))
    if isinstance(rates, Mapping):
        rate = ibis.cases(
            (table.said == currency, 1.0), *[(table.said == c, float(r)) for c, r in rates.items()], else_=None
        )
        table = table.mutate(one=rate)
    else:
        spans = ibis.memtable(_spans(rates, currency))
        at = [table.said == spans.of, table.date >= spans.since, table.date < spans.until]
        joined = table.left_join(spans, at)
        table = joined.select(
            *[joined[c] for c in table.columns], one=(joined.said == currency).ifelse(1.0, joined.worth)
        )
    money = {c: table[c] * table.one for c in ("amount", "margin", "cost") if c in table.columns}
    unpriced = table.one.isnull() & table.amount.notnull() & table.date.notnull()
    priced = table.mutate(**money, no_rate=unpriced, currency=table.said)
    return priced.drop("one", "said", *[c for c in ("amount_sign",) if c in priced.columns])


def _spans(rates: pd.DataFrame, currency: str) -> pd.DataFrame:
    """From when until when each rate is used."""
    table = rates.assign(date=pd.to_datetime(rates["date"]), currency=rates["currency"].str.upper())
    table = (
        table[table["currency"] != currency]
        .sort_values(["currency", "date"])
        .drop_duplicates(["currency", "date"], keep="last")
    )
    longest = table["date"] + pd.Timedelta(days=_GOOD_FOR + 1)
    until = np.minimum(table.groupby("currency")["date"].shift(-1).fillna(pd.Timestamp.max.normalize()), longest)
    return pd.DataFrame({"of": table["currency"], "since": table["date"].dt.date, "until": pd.Series(until, table.index).dt.date,
                         "worth": table["rate"].astype(float)}).reset_index(drop=True)  # fmt: skip
