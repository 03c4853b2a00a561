"""A client's books: what its ``client.yaml`` names, read and checked.

In: ``Client``. Out: ``Checked`` orders and answers; what other sources say of customers.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from ..core.engine import to_pandas
from ..core.errors import ClientError, TableError
from ..core.results import Checked
from .client import Client
from .orders import check_transactions, read_transactions
from .rates import read_rates
from .sources import read_table
from .surveys import check_survey, read_survey

__all__ = ["check_orders", "cost_of_winning", "customers_opted_out", "customers_with_open_cases", "read_answers"]


def check_orders(client: Client, as_of: date | str | None = None) -> Checked:
    """Read a client's orders and check them by the rules of its ``client.yaml``.

    Parameters
    ----------
    client : Client
        From ``Client.load`` or ``load_sample``.
    as_of : date, optional
        The client's own when left out.

    Returns
    -------
    Checked
        The orders: kept, rejected, and why.
    """
    source = client.transactions
    return check_transactions(
        read_transactions(client),
        as_of=as_of or client.as_of,
        refunds=source.refunds,
        exclude=source.exclude,
        max_loss=source.max_loss,
        currency=client.currency,
        rates=read_rates(client),
        words=client.words,
    )


def cost_of_winning(client: Client) -> dict[str, float]:
    """What winning a customer cost, by channel: all money spent on it over all customers it brought."""
    if client.acquisition is None:
        return {}
    spent = to_pandas(read_table(client, client.acquisition, ("channel", "amount", "new_customers")))
    new = pd.to_numeric(spent["new_customers"], errors="coerce")
    by = spent.assign(new=new).groupby("channel")[["amount", "new"]].sum()
    return dict(by["amount"] / by["new"].replace(0, np.nan))


def read_answers(client: Client, as_of: date) -> tuple[Checked | None, str]:
    """Read and check a client's survey; where nobody was asked or no answer is of use, say so.

    A survey that is named and cannot be read is an error, as orders that cannot be read are.
    """
    if client.surveys is None:
        return None, f"{client.name} has no survey yet (`surveys:` in client.yaml): nobody was asked"
    survey = read_survey(client)
    try:
        return check_survey(survey, as_of=as_of, words=client.words), ""
    except TableError as error:
        return None, str(error)


def customers_opted_out(client: Client) -> set[str]:
    """The customers who must not be contacted."""
    if client.plan.opt_outs is None:
        return set()
    file = (client.folder / client.plan.opt_outs).resolve()
    if not file.is_relative_to(client.folder.resolve()) or not file.is_file():
        raise ClientError(
            f"{client.folder / 'client.yaml'}: plan.opt_outs: {client.plan.opt_outs!r}: no such file in the client's folder"
        )
    return {line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()}


def customers_with_open_cases(client: Client) -> set[str]:
    """Customers whose case was never answered or closed."""
    if client.service is None or "customer_id" not in client.service.columns:
        return set()
    cases = to_pandas(read_table(client, client.service, ("opened_at", "first_response_at")))
    closed = cases["resolved_at"] if "resolved_at" in cases else cases["first_response_at"]
    return set(cases.loc[closed.isna(), "customer_id"].dropna())
