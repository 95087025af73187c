"""Neural networks you can check. The public names stand in `__init__.pyi`; each is imported when first used."""

from typing import Any

import lazy_loader

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name != "__version__":
        return _load(name)
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("checked-jaxnn")
    except PackageNotFoundError:
        return "unknown (not installed)"
