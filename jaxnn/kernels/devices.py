"""The default devices of JAX, and their memory."""

import os
from typing import Any

import jax
import numpy as np

from jaxnn.kernels import backend

#: Bytes to a multiple of which XLA wants an array aligned.
ALIGNMENT = 64


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


def copied_to_device(tree: Any) -> Any:
    """The arrays of a tree on the default device: copies, which no later change of an array of NumPy reaches.

    It returns when all is copied. Unlike `jnp.asarray`, it compiles no program for each shape.
    """

    def put(a):
        if isinstance(a, (jax.Array, bool, int, float)):
            return jax.device_put(a)
        array = np.asarray(a)
        return jax.device_put(_aligned_copy(array) if backend.platform() == "cpu" else array)

    return jax.block_until_ready(jax.tree.map(put, tree))


def _aligned_copy(array: np.ndarray) -> np.ndarray:
    """A copy whose memory a CPU's device takes as it is: it copies an array that is not aligned once more."""
    memory = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
