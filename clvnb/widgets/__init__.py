"""Panels for JupyterLab, Notebook, VS Code and voila: a state that answers, a view that shows; see ``panel.py``."""

import importlib.util

import lazy_loader

from ..core.errors import UsageError

if importlib.util.find_spec("ipywidgets") is None:
    raise UsageError('panels need ipywidgets: pip install "clvnb[lab]"')

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
