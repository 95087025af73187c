"""Certificates: measure hand-written gradients, the library's or your own, under nine laws.

The public names are listed in `__init__.pyi`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
