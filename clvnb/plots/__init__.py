"""Pictures: one function a table, which takes that table and returns the axes; imports no model."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
