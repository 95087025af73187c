"""The default devices of JAX, and their memory."""

import os
from typing import Any

import jax


def local_devices() -> list[Any]:
    """The devices of this process on the default platform; `jax.default_device`, if it is set, comes first."""
    default = getattr(jax.config, "jax_default_device", None)
    if default is None:
        return jax.local_devices()
    if isinstance(default, str):
        return jax.local_devices(backend=default)
    return [default, *(device for device in jax.local_devices(backend=default.platform) if device != default)]


def memory_bytes() -> int:
    """The memory of the first device; on a CPU, the memory of the machine."""
    stats = local_devices()[0].memory_stats() or {}
    return int(stats.get("bytes_limit") or host_memory_bytes())


def host_memory_bytes() -> int:
    """The memory of the machine. JAX need not have started."""
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 2**63 - 1  # on Windows it is unknown
