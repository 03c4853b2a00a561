"""clvnb: what customers are worth, and whether what you do about it works."""

from __future__ import annotations

import importlib
from typing import Any

# Names are imported on first use, so that `import clvnb` costs no more than its own file.
_HOMES = {
    "allocation": ["allocate", "investment_map", "spend_ceilings", "target_list"],
    "basepoint": ["Baseline", "baseline", "find_baseline"],
    "bridge": ["clv_bridge", "fingerprint", "realised_against_predicted", "shapley", "value_drift"],
    "client": ["Client", "Economics"],
    "cohorts": [
        "clv_cohort",
        "clv_survival",
        "cohort_matrix",
        "cohort_value",
        "compare_survival",
        "mean_time",
        "survival_table",
    ],
    "contracts": ["check_contracts", "read_contracts", "summarize_contracts"],
    "designs": [
        "Change",
        "difference_in_differences",
        "interrupted_series",
        "mix_shift",
        "paired_change",
        "randomised_difference",
        "regression_to_the_mean",
        "sample_ratio",
        "two_waves",
        "weighted_difference",
    ],
    "evaluate": ["backtest", "choose_model", "compare_models", "holdout", "tracking"],
    "formulas": [
        "annual_billing_break_even",
        "annualise",
        "cac",
        "clv_basic",
        "clv_migration",
        "clv_retention",
        "clv_simple",
        "customer_equity",
        "elasticity",
        "loyalty_break_even",
        "ltv_cac",
        "max_cac",
        "mixed_rate",
        "optimal_acquisition_spend",
        "payback",
        "per_period",
        "ratio_of_sums",
        "retention_spend",
        "segment_mix",
    ],
    "levers": ["Base", "Lever", "Newcomers", "Scenario", "customer_base", "learn", "lever_library", "playbook"],
    "link": ["Link", "evidence", "link_satisfaction", "prior_link", "renewal_outcomes", "repeat_outcomes"],
    "ladder": ["contract_ladder", "shop_ladder"],
    "models": [
        "BGBB",
        "BGCNBDk",
        "BGNBD",
        "BetaDiscreteWeibull",
        "GGompertzNBD",
        "GammaGamma",
        "MBGCNBDk",
        "MBGNBD",
        "ParetoNBD",
        "ShiftedBetaGeometric",
    ],
    "plots": [
        "as_table",
        "plot_answers",
        "plot_bridge",
        "plot_channels",
        "plot_clv",
        "plot_cohorts",
        "plot_concentration",
        "plot_drivers",
        "plot_expectations",
        "plot_groups",
        "plot_investment",
        "plot_ladder",
        "plot_link",
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
    ],
    "looks": ["Look", "always_valid", "look_on", "obrien_fleming"],
    "power": ["detectable_change", "margin_of_error_size", "sample_size"],
    "report": ["report_clients", "save_step"],
    "samples": ["load_sample", "simulate_shop", "simulate_subscription"],
    "satisfaction": [
        "ces",
        "compare_scores",
        "control_chart",
        "csat",
        "mean_score",
        "metric_of",
        "nps",
        "segment_scores",
        "shrink_means",
        "shrink_shares",
    ],
    "scenarios": ["break_even", "evaluate_scenarios", "evpi", "goal_seek", "plan_range", "segment_gains", "tornado"],
    "segments": [
        "cluster_customers",
        "gini",
        "migration",
        "name_segments",
        "rfm_by_value",
        "rfm_cuts",
        "rfm_scores",
        "segment_profile",
        "value_tiers",
        "whale_curve",
    ],
    "steps": ["measure_satisfaction", "plan_improvement", "track_change", "value_customers"],
    "subscriptions": ["subscription_table"],
    "surveys": ["check_survey", "read_survey"],
    "tables": [
        "Checked",
        "ClientError",
        "ClvnbError",
        "DataWarning",
        "Estimate",
        "Finding",
        "FitError",
        "ReportError",
        "TableError",
        "UsageError",
    ],
    "touchpoints": ["comment_themes", "drivers", "expectation_gap", "scrub", "service_figures"],
    "transactions": ["check_transactions", "contributions", "read_transactions", "split_log", "summarize"],
    "trust": ["trust_gate"],
    "verdicts": [
        "Outcome",
        "Verdict",
        "equivalence",
        "false_discoveries",
        "judge",
        "not_measurable",
        "profit_and_loss",
        "remeasure",
        "verdict_table",
    ],
    "weighting": ["early_and_late", "post_stratify", "rake", "response_bias", "stratified_score"],
    "widgets": ["explore_allocation", "explore_clv", "explore_sample_size", "explore_scenario"],
    "value": [
        "clv_card",
        "clv_new_customer",
        "clv_table",
        "clv_total",
        "clv_totals",
        "losses",
        "new_customer_values",
        "recommend_basis",
        "tier_chances",
    ],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__version__ = "0.1.0"
__all__ = ["__version__", *sorted(_HOME_OF)]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"clvnb has no public name {name!r}")
    value = getattr(importlib.import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
