"""The certificate: hand-derived gradients, ours and yours, under nine laws. Public names stand in `__init__.pyi`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
