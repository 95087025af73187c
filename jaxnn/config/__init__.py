"""Configs: one TOML file = one claim. The public names stand in `__init__.pyi`; each is imported when first used.

`jaxnn.config.shipped` (`names`, `find`) and `jaxnn.config.errors` import neither JAX nor pydantic.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
