"""Where data come from: clients, sources, orders, contracts, surveys, and the example clients."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
