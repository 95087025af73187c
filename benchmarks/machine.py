"""Describes the machine, and measures how fast it multiplies matrices at the moment."""

import importlib.metadata
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

PACKAGES = ("jax", "jaxlib", "numpy", "optax", "keras", "flax", "equinox", "torch", "scikit-learn")


def describe_machine() -> dict[str, Any]:
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
    """The processor's name as the system reports it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def use_every_core_as_a_device() -> None:
    """Configures JAX as the command line does. To be called before JAX computes anything."""
    import jax

    jax.config.update("jax_num_cpu_devices", os.cpu_count() or 1)


def matmul_rate(size: int = 1536, rounds: int = 15) -> float:
    """Floating-point operations per second of a float32 product of square matrices, the median of the rounds."""
    import jax
    from jax import numpy as jnp

    a = jax.random.normal(jax.random.key(0), (size, size), jnp.float32)
    matmul = jax.jit(lambda a: a @ a)
    jax.block_until_ready(matmul(a))
    times = []
    for _ in range(rounds):
        start_time = time.perf_counter()
        jax.block_until_ready(matmul(a))
        times.append(time.perf_counter() - start_time)
    return 2 * size**3 / statistics.median(times)
