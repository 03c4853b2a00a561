"""Step 2: how satisfied customers are, its key drivers, and the baseline of later changes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
