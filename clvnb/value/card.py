"""The card that says how value was computed, so that nobody reads a number for another.

In: economics, a model's name, the window. Out: ``Card``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import pandas as pd

from ..core.errors import TableError
from ..core.maths import LEVEL
from ..core.results import escaped
from ..data.client import Economics

__all__ = ["Card", "clv_card"]


@dataclass(frozen=True)
class Card:
    """How a value was made: two values are only comparable when their cards are equal.

    Attributes
    ----------
    basis : "margin" or "revenue"
    direction : "residual", "historic" or "at acquisition"
        From the as-of day on, up to it, or from the first purchase on.
    model, horizon, timing, currency : str
        What made the values; the span that is valued; when payments fall; three letters.
    discount_rate : float
        A year.
    margin : float
        Share of revenue that is valued.
    cost_to_serve : float
        Of one purchase or billing period, in ``currency``.
    total : str
        What the values add up to: what the model alone expects, or a forecast.
    cac : str
        Always ``"not subtracted"``: the cost of acquisition stands beside the value.
    window : str
        First to last day of the data.
    n : int
        Customers.
    level : float
        Of the intervals.
    """

    basis: str
    direction: str
    model: str
    horizon: str
    discount_rate: float
    timing: str
    margin: float
    cost_to_serve: float
    currency: str
    window: str
    n: int
    level: float
    total: str = "as the model expects"
    cac: str = "not subtracted"

    def require_same(self, other: Card) -> None:
        """Raise a TableError that names every line in which the cards differ, the data window and n aside."""
        differ = [
            f"{f.name} ({getattr(self, f.name)} against {getattr(other, f.name)})"
            for f in fields(self)
            if f.name not in {"window", "n"} and getattr(self, f.name) != getattr(other, f.name)
        ]
        if differ:
            raise TableError(
                f"these values were made differently: {'; '.join(differ)}; make both with the same settings"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the card as plain values."""
        return asdict(self)

    def table(self) -> pd.DataFrame:
        """Return the card as a table ``what, how``."""
        shown = {k.replace("_", " "): v for k, v in self.to_dict().items()}
        return pd.DataFrame({"what": list(shown), "how": [str(v) for v in shown.values()]})

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th scope='row'>{escaped(r.what)}</th><td>{escaped(r.how)}</td></tr>"
            for r in self.table().itertuples()
        )
        return f'<table class="clvnb card"><caption>CLV card</caption>{rows}</table>'


def clv_card(
    economics: Economics,
    *,
    model: str,
    currency: str,
    window: str,
    n: int,
    level: float = LEVEL,
    direction: str = "residual",
    total: str = "as the model expects",
) -> Card:
    """Write the card of a value made with ``economics``.

    Parameters
    ----------
    economics : Economics
    model : str
        What made the values.
    currency : str
        Three letters.
    window : str
        The days of the data.
    n : int
        Customers.
    level : float
        Of the intervals.
    direction : "residual", "historic" or "at acquisition"
        From the as-of day on, up to it, or from the first purchase on; any text is kept as it is.
    total : str
        What the values add up to.

    Returns
    -------
    Card
        Its lines are what two values must share to be compared.

    Examples
    --------
    >>> card = clv_card(Economics(margin=0.4), model="BG/NBD", currency="EUR", window="2024", n=10)
    >>> card.basis, card.horizon, card.discount_rate
    ('margin', '3 years', 0.1)
    """
    timing = "discounted from each moment" if economics.step is None else f"ends of {economics.step}s"
    return Card(
        basis=economics.basis,
        direction=direction,
        model=model,
        horizon=economics.horizon,
        discount_rate=economics.discount_rate,
        timing=timing,
        margin=economics.margin_rate,
        cost_to_serve=economics.cost_to_serve,
        currency=currency,
        window=window,
        n=n,
        level=level,
        total=total,
    )
