"""The steps of the guide, one call each: a client goes in, everything that its notebook shows comes out."""

from .card import CustomerCard, customer_card
from .improve import ImproveStep, plan_improvement
from .satisfaction import SatisfactionStep, measure_satisfaction
from .track import TrackStep, track_change
from .value import ValueStep, value_customers
from .worth import check_orders

__all__ = [
    "CustomerCard",
    "ImproveStep",
    "SatisfactionStep",
    "TrackStep",
    "ValueStep",
    "check_orders",
    "customer_card",
    "measure_satisfaction",
    "plan_improvement",
    "track_change",
    "value_customers",
]
