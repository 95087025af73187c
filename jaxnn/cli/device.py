"""The device and the precision to compute with. Both are set before JAX starts."""

import os
import sys
from typing import Any

from jaxnn.errors import UserError

#: The XLA flag that makes a GPU add in a fixed order.
DETERMINISTIC = "--xla_gpu_deterministic_ops=true"


def select_device(device: str | None, *, deterministic: bool = False, fast_compile: bool = False) -> str:
    """Selects the device before anything is computed, and returns a description of it to print.

    On a CPU each core becomes a device, so that seeds run in parallel. Raises `UserError` if there is no such device.

    deterministic: forbid GPU operations whose order of addition changes from run to run
    fast_compile: skip most compiler optimizations, for programs that run only a moment
    """
    if deterministic and DETERMINISTIC not in os.environ.get("XLA_FLAGS", ""):
        # Set before JAX starts, because XLA reads its flags once.
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {DETERMINISTIC}".strip()
    import jax

    platforms: dict[str | None, Any] = {None: None, "cpu": "cpu", "gpu": "cuda,rocm", "tpu": "tpu"}
    if device is not None:
        jax.config.update("jax_platforms", platforms[device])
    jax.config.update("jax_num_cpu_devices", os.cpu_count() or 1)
    jax.config.update("jax_disable_most_optimizations", fast_compile)
    try:
        devices = jax.local_devices()
    except RuntimeError as error:
        raise UserError(
            f"--device {device}: expected such a device, found none; omit --device to use the fastest one there is"
        ) from error
    kinds = sorted({f"{d.platform.upper()} ({d.device_kind})" if d.platform != "cpu" else "CPU" for d in devices})
    if deterministic:
        print(
            "jaxnn: deterministic: bit-equal on the same devices, driver and versions; "
            "not across them, nor with another number of devices",
            file=sys.stderr,
        )
    return f"{', '.join(kinds)} × {len(devices)}, jax {jax.__version__}"


def set_precision(precision: str) -> None:
    """Sets whether JAX may compute in float64, as a config's precision needs it."""
    import jax

    jax.config.update("jax_enable_x64", precision == "float64")
