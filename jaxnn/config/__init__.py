"""Configs: one TOML file describes one experiment. `__init__.pyi` lists the public names, imported on first use.

`jaxnn.config.shipped` (`shipped_configs`, `find`) and `jaxnn.config.errors` import neither JAX nor pydantic.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
