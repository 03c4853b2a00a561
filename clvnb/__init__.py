"""clvnb: what customers are worth, and whether what you do about it works.

In: nothing; names are imported on first use, so that ``import clvnb`` costs no more than its own file. Out: the names of
``__init__.pyi``, the rooms (``cv.plots``, ``cv.experiments``, ...) and ``cv.formulas``; each room lists its own in the same way.
"""

from __future__ import annotations

import warnings
from typing import Any

import lazy_loader

__version__ = "0.1.0"
_find, _, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = sorted([*_names, "__version__"])

# Names that stood here before: they are found, with a warning that says the new one, until 0.2.
_MOVED = {
    "data": """
        contract_lives contributions settle_contracts simulate_clients simulate_shop simulate_subscription
    """,
    "experiments": """
        Change Look Verdict always_valid difference_in_differences equivalence false_discoveries
        interrupted_series judge look_on margin_of_error_size mix_shift not_measurable obrien_fleming
        paired_change profit_and_loss randomised_difference regression_to_the_mean sample_ratio two_waves
        verdict_table weighted_difference
    """,
    "formulas": """
        annual_billing_break_even annualise cac clv_basic clv_migration clv_retention clv_simple
        customer_equity elasticity loyalty_break_even ltv_cac max_cac mixed_rate optimal_acquisition_spend
        payback per_period ratio_of_sums refuse_lifetime_margin retention_spend segment_mix
    """,
    "improve": """
        Base CustomerCard Link evidence evpi goal_seek investment_map learn plan_range playbook prior_link
        renewal_outcomes repeat_outcomes segment_gains spend_ceilings tornado
    """,
    "plots": """
        plot_answers plot_bridge plot_channels plot_clv plot_cohorts plot_concentration plot_customer
        plot_drivers plot_expectations plot_groups plot_investment plot_link plot_methods plot_peers
        plot_plan plot_realised plot_response plot_scenarios plot_segments plot_survival plot_tornado
        plot_tracking plot_verdicts plot_waves
    """,
    "remeasure": """
        realised_against_predicted shapley value_drift
    """,
    "satisfaction": """
        comment_themes compare_scores control_chart early_and_late expectation_gap find_baseline fingerprint
        is_same_table mean_score metric_of post_stratify rake response_bias scrub segment_scores
        service_figures shrink_means shrink_shares stratified_score
    """,
    "value": """
        Newcomers cluster_customers clv_cohort clv_survival compare_survival contract_methods gini losses
        mean_time migration new_customer_values recommend_basis rfm_cuts rfm_scores shop_methods
        tier_chances whale_curve
    """,
    "widgets": """
        explore_allocation explore_clients explore_clv explore_cohorts explore_customers explore_data
        explore_design explore_sample_size explore_scenario explore_segments
    """,
}
_RENAMED = {
    "clv_totals": "clv_total",  # with by=
    "measure_satisfaction": "satisfaction_step",
    "plan_improvement": "improve_step",
    "track_change": "remeasure_step",
    "value_customers": "value_step",
}


def __getattr__(name: str) -> Any:
    new = _RENAMED.get(name) or next(
        (f"{place}.{name}" for place, names in _MOVED.items() if name in names.split()), ""
    )
    if not new:
        return _find(name)
    warnings.warn(f"cv.{name} is now cv.{new}; the old name goes with 0.2", DeprecationWarning, stacklevel=2)
    place, _, own = new.rpartition(".")
    return getattr(_find(place), own) if place else _find(own)


def __dir__() -> list[str]:
    return __all__
