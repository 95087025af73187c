"""Neural networks you can check. The public names stand in `__init__.pyi`; each is imported when first used."""

import functools
from typing import Any

import lazy_loader


@functools.cache
def _public_names() -> tuple[Any, Any, list[str]]:
    """Reads the stub at the first use of a name, which the command line's help does not need."""
    return lazy_loader.attach_stub(__name__, __file__)


def __dir__() -> list[str]:
    return _public_names()[1]()


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return _public_names()[2]
    if name != "__version__":
        return _public_names()[0](name)
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("checked-jaxnn")
    except PackageNotFoundError:
        return "unknown (not installed)"
