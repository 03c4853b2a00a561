"""Reports: papermill runs the guide's notebooks for each client, and a page, tables and an index come of it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
