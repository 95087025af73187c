"""The machine that was measured: what it is, and how fast it multiplies matrices at that hour."""

import importlib.metadata
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

PACKAGES = ("jax", "jaxlib", "numpy", "optax", "keras", "flax", "equinox", "torch", "scikit-learn")


def machine() -> dict[str, Any]:
    """Processor, cores, memory, device and versions."""
    import jax

    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "device": f"{jax.devices()[0].platform}: {jax.devices()[0].device_kind}",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": versions,
    }


def processor() -> str:
    """The processor's name, as the system gives it."""
    place = Path("/proc/cpuinfo")
    lines = place.read_text().splitlines() if place.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def every_core_a_device() -> None:
    """As on the command line; to be called before JAX computes anything."""
    import jax

    jax.config.update("jax_num_cpu_devices", os.cpu_count() or 1)


def matmul_rate(size: int = 1536, rounds: int = 15) -> float:
    """Floating-point operations a second of a float32 product of square matrices, the median of some."""
    import jax
    from jax import numpy as jnp

    a = jax.random.normal(jax.random.key(0), (size, size), jnp.float32)
    product = jax.jit(lambda a: a @ a)
    jax.block_until_ready(product(a))
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        jax.block_until_ready(product(a))
        times.append(time.perf_counter() - began)
    return 2 * size**3 / statistics.median(times)
