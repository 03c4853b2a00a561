"""The steps of the guide, one call each: a client goes in, everything that its notebook shows comes out."""

from .begin import Begun, begin_client
from .card import Cards, CustomerCard, customer_card
from .improve import ImproveStep, plan_improvement
from .satisfaction import SatisfactionStep, measure_satisfaction
from .track import TrackStep, track_change
from .value import ValueStep, value_customers
from .worth import check_orders

__all__ = [
    "Begun",
    "Cards",
    "CustomerCard",
    "ImproveStep",
    "SatisfactionStep",
    "TrackStep",
    "ValueStep",
    "begin_client",
    "check_orders",
    "customer_card",
    "measure_satisfaction",
    "plan_improvement",
    "track_change",
    "value_customers",
]
