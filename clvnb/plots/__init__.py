"""Pictures: one function a table, which takes that table and returns the axes; imports no model."""

from .card import plot_customer, plot_peers
from .improve import plot_investment, plot_link, plot_plan, plot_scenarios, plot_tornado
from .remeasure import plot_bridge, plot_realised, plot_survival, plot_verdicts
from .satisfaction import plot_answers, plot_drivers, plot_expectations, plot_groups, plot_response, plot_waves
from .style import as_table, say, show
from .value import plot_channels, plot_clv, plot_cohorts, plot_concentration, plot_methods, plot_segments, plot_tracking

__all__ = [
    "as_table",
    "plot_answers",
    "plot_bridge",
    "plot_channels",
    "plot_clv",
    "plot_cohorts",
    "plot_concentration",
    "plot_customer",
    "plot_drivers",
    "plot_expectations",
    "plot_groups",
    "plot_investment",
    "plot_methods",
    "plot_link",
    "plot_peers",
    "plot_plan",
    "plot_realised",
    "plot_response",
    "plot_scenarios",
    "plot_segments",
    "plot_survival",
    "plot_tornado",
    "plot_tracking",
    "plot_verdicts",
    "plot_waves",
    "say",
    "show",
]
