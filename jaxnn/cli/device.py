"""Where to compute: set before JAX starts."""

import os
import sys
from typing import Any

from jaxnn.errors import UserError

#: What XLA must be told for a GPU to add in one order alone.
DETERMINISTIC = "--xla_gpu_deterministic_ops=true"


def start(device: str | None, *, deterministic: bool = False, brief: bool = False) -> str:
    """Chooses the device, before anything is computed; returns its name for a header.

    On a CPU each core is a device of its own, so that seeds run side by side. Raises `UserError` for a device that is
    not there.

    deterministic: refuses a GPU operations that add in an order which changes from run to run
    brief: compiles in haste, for programs that run for a moment
    """
    if deterministic and DETERMINISTIC not in os.environ.get("XLA_FLAGS", ""):
        # Before JAX starts: XLA reads its flags once.
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {DETERMINISTIC}".strip()
    import jax

    platforms: dict[str | None, Any] = {None: None, "cpu": "cpu", "gpu": "cuda,rocm", "tpu": "tpu"}
    if device is not None:
        jax.config.update("jax_platforms", platforms[device])
    jax.config.update("jax_num_cpu_devices", os.cpu_count() or 1)
    jax.config.update("jax_disable_most_optimizations", brief)
    try:
        found = jax.local_devices()
    except RuntimeError as error:
        raise UserError(
            f"--device {device}: expected such a device, found none; leave --device out to use what there is"
        ) from error
    kinds = sorted({f"{d.platform.upper()} ({d.device_kind})" if d.platform != "cpu" else "CPU" for d in found})
    if deterministic:
        print(
            "jaxnn: deterministic: bit-equal on the same devices, driver and versions; "
            "not across them, nor with another number of devices",
            file=sys.stderr,
        )
    return f"{', '.join(kinds)} × {len(found)}, jax {jax.__version__}"


def allow(precision: str) -> None:
    """Lets JAX compute in the precision of a config: float64 must be switched on."""
    import jax

    jax.config.update("jax_enable_x64", precision == "float64")
