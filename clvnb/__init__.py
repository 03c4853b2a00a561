"""clvnb: what customers are worth, and whether what you do about it works."""

from __future__ import annotations

import importlib
from typing import Any

# Names are imported on first use, so that `import clvnb` costs no more than its own file.
_HOMES = {
    "client": ["Client", "Economics"],
    "cohorts": ["clv_cohort", "clv_survival", "cohort_matrix", "survival_table"],
    "contracts": ["check_contracts", "read_contracts", "summarize_contracts"],
    "evaluate": ["choose_model", "holdout", "tracking", "trust_gate"],
    "formulas": [
        "annual_billing_break_even",
        "annualise",
        "cac",
        "clv_basic",
        "clv_migration",
        "clv_retention",
        "clv_simple",
        "elasticity",
        "max_cac",
        "optimal_acquisition_spend",
        "payback",
        "per_period",
    ],
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
        "plot_channels",
        "plot_clv",
        "plot_cohorts",
        "plot_concentration",
        "plot_segments",
        "plot_tracking",
        "say",
        "show",
    ],
    "report": ["report_clients", "save_step"],
    "samples": ["load_sample", "simulate_shop", "simulate_subscription"],
    "segments": [
        "gini",
        "migration",
        "name_segments",
        "rfm_cuts",
        "rfm_scores",
        "segment_profile",
        "value_tiers",
        "whale_curve",
    ],
    "steps": ["value_customers"],
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
    ],
    "transactions": ["check_transactions", "read_transactions", "split_log", "summarize"],
    "value": ["clv_card", "clv_new_customer", "clv_table", "clv_total", "subscription_table"],
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
