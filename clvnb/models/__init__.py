"""One model a file: the paper's functions on top, a thin class that fits and predicts below."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
