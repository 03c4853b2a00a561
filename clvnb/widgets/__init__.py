"""Panels for JupyterLab, Notebook, VS Code and voila: a state that answers, a view that shows; see ``panel.py``."""

import importlib.util

from ..core.errors import UsageError

if importlib.util.find_spec("ipywidgets") is None:
    raise UsageError('panels need ipywidgets: pip install "clvnb[lab]"')

from .calculators import explore_clv, explore_design, explore_sample_size
from .clients import explore_clients
from .data import explore_data
from .plans import explore_allocation, explore_scenario
from .worth import explore_cohorts, explore_customers, explore_segments

__all__ = [
    "explore_allocation",
    "explore_clients",
    "explore_clv",
    "explore_cohorts",
    "explore_customers",
    "explore_data",
    "explore_design",
    "explore_sample_size",
    "explore_scenario",
    "explore_segments",
]
