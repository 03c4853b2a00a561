"""Exports that clvnb knows by the names of their columns: which column means what, and which rows are no sale.

In: the columns of a file. Out: ``Export`` or None. The names are those that the programs wrote in 2024 to 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .formulas import names_in

__all__ = ["ORDERS", "SURVEYS", "Export", "known_orders", "known_survey", "metric_of"]


@dataclass(frozen=True)
class Export:
    """A program's export.

    Attributes
    ----------
    program : str
    marks : frozenset of str
        Columns that no other program's export has together.
    columns : dict
        clvnb's name to the program's; several by "|" where the program changed it. Those that are there are used.
    settings : dict
        Further keys of the source in ``client.yaml``.
    note : str
        What a user should know of how it is read.
    """

    program: str
    marks: frozenset[str]
    columns: dict[str, str]
    settings: dict[str, Any] = field(default_factory=dict)
    note: str = ""

    def fits(self, present: Iterable[str]) -> bool:
        """Whether a file with these columns is this export."""
        return self.marks <= set(present)

    def mapping(self, present: Iterable[str]) -> dict[str, str]:
        """clvnb's names to those columns of the file that are there."""
        there = set(present)
        found = {n: next((c for c in names.split("|") if c in there), "") for n, names in self.columns.items()}
        found = {n: c for n, c in found.items() if c}
        if "refund" in found and not set(names_in(self.settings["refunded"])) <= set(found):
            found["refunded"] = found.pop("refund")  # without its parts there is no formula, and it counts as it stands
        return found

    def extras(self, present: Iterable[str]) -> dict[str, Any]:
        """The further settings, of which rules for columns that are not there are left out."""
        there = self.mapping(present)
        rules = {n: values for n, values in self.settings.get("exclude", {}).items() if n in there}
        formulas = {
            k
            for k in ("amount", "refunded")
            if k in self.settings and not set(names_in(self.settings[k])) <= set(there)
        }
        plain = {k: v for k, v in self.settings.items() if k not in {"exclude", *formulas}}
        return plain | ({"exclude": rules} if rules else {})


_NO_ACCOUNT = "Customers are told apart by e-mail address, which is replaced by a code that always comes out the same: "
_NO_ACCOUNT += "reports carry no contact data."

ORDERS = (
    Export(
        "Shopify",
        frozenset({"Name", "Financial Status", "Lineitem name", "Subtotal"}),
        {"order_id": "Name", "customer_id": "Email", "date": "Created at", "amount": "Subtotal",
         "refund": "Refunded Amount", "order_total": "Total", "shipping": "Shipping", "currency": "Currency",
         "channel": "Source", "status": "Financial Status"},
        {"refunded": "refund * amount / (order_total - shipping)", "exclude": {"status": ["voided", "refunded", "pending", "expired"]}, "hash_ids": True},
        "The amount is the subtotal: goods after discounts, without shipping and a tax on top, less what was paid back, "
        "of which the same tax is subtracted. " + _NO_ACCOUNT,
    ),
    Export(
        "WooCommerce",
        frozenset({"Order Number", "Order Status", "Order Total Amount", "Email (Billing)"}),
        {"order_id": "Order Number", "customer_id": "Email (Billing)", "date": "Order Date",
         "amount": "Order Total Amount", "refunded": "Order Refund Amount", "currency": "Order Currency|Currency", "status": "Order Status"},
        {"exclude": {"status": ["Cancelled", "Refunded", "Failed", "Pending payment", "Draft", "Trash"]}, "hash_ids": True,
         "amount_of": "order"},
        "Each product of an order repeats the order's total; it is counted once. " + _NO_ACCOUNT,
    ),
    Export(
        "Squarespace",
        frozenset({"Order ID", "Financial Status", "Amount Refunded", "Lineitem name"}),
        {"order_id": "Order ID", "customer_id": "Email", "date": "Created at|Paid at", "amount": "Total",
         "refunded": "Amount Refunded", "currency": "Currency", "status": "Financial Status"},
        {"exclude": {"status": ["REFUNDED", "PENDING", "VOIDED", "CANCELED"]}, "hash_ids": True},
        "The amount is the total, with shipping and tax, less what was paid back with both. " + _NO_ACCOUNT,
    ),
    Export(
        "Etsy",
        frozenset({"Sale Date", "Order ID", "Order Value", "Order Total", "Adjusted Order Total"}),
        {"order_id": "Order ID", "customer_id": "Buyer User ID|Buyer", "date": "Sale Date", "order_value": "Order Value",
         "discount": "Discount Amount", "order_total": "Order Total", "shipping": "Shipping",
         "adjusted": "Adjusted Order Total", "currency": "Currency", "status": "Status"},
        {"amount": "order_value - discount",
         "refunded": "(order_total - adjusted) * (order_value - discount) / (order_total - shipping)"},
        "The amount is the order value less the discount, without shipping and sales tax; an adjusted order total says what was paid back.",
    ),
    Export(
        "eBay",
        frozenset({"Sales Record Number", "Buyer Username", "Sold For", "Total Price"}),
        {"order_id": "Sales Record Number", "customer_id": "Buyer Username", "date": "Sale Date|Paid On Date",
         "amount": "Total Price", "product": "Item Number"},
        {},
        "The amount is the total price, with shipping.",
    ),
    Export(
        "Stripe",
        frozenset({"id", "Amount Refunded", "Customer ID", "Status"}),
        {"order_id": "id", "customer_id": "Customer ID", "date": "Created date (UTC)|Created (UTC)|Created",
         "amount": "Amount", "refund": "Amount Refunded", "dispute": "Disputed Amount", "currency": "Currency",
         "status": "Status", "mode": "Mode"},
        {"refunded": "refund + dispute", "exclude": {"status": ["Failed", "Canceled", "Incomplete", "Uncaptured", "requires_payment_method",
                                "requires_action", "requires_confirmation", "requires_capture", "canceled"],
                     "mode": ["Test", "test"]}, "dates_in": "UTC"},
        "Payments that failed or were tests are excluded; what was paid back is subtracted.",
    ),
    Export(
        "Square",
        frozenset({"Transaction ID", "Net Sales", "Event Type", "Customer ID"}),
        {"order_id": "Transaction ID", "customer_id": "Customer ID", "date": "Date", "amount": "Net Sales",
         "product": "Item"},
        {},
        "Sales without a customer are guests, and are excluded.",
    ),
    Export(
        "Lightspeed",
        frozenset({"Receipt Number", "Line Type", "Customer Code", "Subtotal"}),
        {"order_id": "Receipt Number", "customer_id": "Customer Code", "date": "Date", "amount": "Subtotal",
         "line_type": "Line Type", "status": "Status"},
        {"exclude": {"line_type": ["Sale Line", "Payment"], "status": ["VOIDED", "LAYBY", "OPEN"]}},
        "The line of the sale counts; its products and payments would count it again.",
    ),
)  # fmt: skip

SURVEYS = (
    Export(
        "SurveyMonkey",
        frozenset({"Respondent ID", "Collector ID", "End Date"}),
        {"customer_id": "Custom Data 1|Email Address|Email", "date": "End Date"},
    ),
    Export(
        "Typeform",
        frozenset({"#", "Submit Date (UTC)"}),
        {"customer_id": "customer_id|email|Email", "date": "Submit Date (UTC)"},
        {"dates_in": "UTC"},
    ),
    Export(
        "Google Forms",
        frozenset({"Timestamp"}),
        {"customer_id": "Email Address|Email address|Username", "date": "Timestamp"},
    ),
    Export(
        "Delighted",
        frozenset({"Score", "Comment", "Response Date"}),
        {"customer_id": "Person ID|Customer ID|Email", "date": "Response Date", "comment": "Comment"},
    ),
)

_METRICS = (
    ("nps", r"recommend|weiterempfehl|recomend|\bnps\b|^score$"),
    ("ces", r"\beasy\b|\beffort\b|how much work|einfach|aufwand|\bces\b"),
    ("csat", r"satisf|zufrieden|happy|\bcsat\b|rate your|how was"),
)


def known_orders(present: Iterable[str]) -> Export | None:
    """Return the shop program whose export has these columns, if clvnb knows it.

    Examples
    --------
    >>> known_orders(["Name", "Email", "Financial Status", "Created at", "Subtotal", "Total", "Lineitem name"]).program
    'Shopify'
    >>> known_orders(["Order", "Who", "When"]) is None
    True
    """
    return next((e for e in ORDERS if e.fits(present)), None)


def known_survey(present: Iterable[str]) -> Export | None:
    """Return the survey program whose export has these columns, if clvnb knows it."""
    return next((e for e in SURVEYS if e.fits(present)), None)


def metric_of(question: str) -> str | None:
    """Tell from its words what a question measures: ``nps``, ``csat``, ``ces`` or nothing that clvnb knows.

    Examples
    --------
    >>> metric_of("How likely are you to recommend us to a friend?")
    'nps'
    >>> metric_of("What did you buy?") is None
    True
    """
    return next((metric for metric, words in _METRICS if re.search(words, question.lower())), None)
