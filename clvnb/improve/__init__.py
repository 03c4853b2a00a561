"""Step 3: what to do, what it is worth, for whom; and one customer's card."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
