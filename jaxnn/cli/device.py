"""The device and the precision to compute with. Both are set before JAX starts."""

import os
from collections.abc import Sequence
from typing import Any

from jaxnn.cli.checked_programs import check_programs
from jaxnn.cli.terminal import print_message
from jaxnn.errors import UserError

#: The XLA flag that makes a GPU add in a fixed order.
DETERMINISTIC = "--xla_gpu_deterministic_ops=true"
#: JAX's names of the platforms of each kind of device. It fails for a list with one that is missing, so each is tried.
PLATFORMS: dict[str, tuple[str, ...]] = {"cpu": ("cpu",), "gpu": ("cuda", "rocm"), "tpu": ("tpu",)}
#: Threads that a CPU computes with where gradients are added in order. A convolution adds in an order that depends on
#: their number, which XLA otherwise takes from the cores and the devices.
THREADS_IN_ORDER = 8
#: A CPU of one core is two devices, too, so that what is added in order has the same bits as on several.
LEAST_CPU_DEVICES = 2
#: Threads that a single core computes with. On some CPUs the matrix library divides a product among two threads
#: otherwise than it computes it with one, which rounds otherwise.
LEAST_THREADS = 2
#: What to do where a machine has a GPU that JAX does not find.
CUDA = ", or install JAX for your GPU (pip install 'jax[cuda13]')"


def select_device(
    device: str | None,
    *,
    deterministic: bool = False,
    fast_compile: bool = False,
    devices: int | None = None,
    in_order: bool = False,
    threads: int | None = None,
) -> str:
    """Selects the device before anything is computed, and returns a description of it to print.

    On a CPU each core becomes a device, so that seeds run in parallel. Raises `UserError` if there is no such device.

    deterministic: forbid GPU operations whose order of addition changes from run to run
    in_order: gradients of parts of a batch are added in their order
    threads: that a CPU computes with; None: as many as it has cores, and at least two; PJRT_NPROC goes before
    devices: that share a batch; a CPU is divided into as many, even where it has fewer cores
    fast_compile: skip most compiler optimizations, for programs that run only a moment
    """
    cpu_devices = max(LEAST_CPU_DEVICES if in_order else 1, usable_cpus(), devices or 1)
    if in_order:
        threads = THREADS_IN_ORDER
    elif threads is None and "PJRT_NPROC" not in os.environ and usable_cpus() < LEAST_THREADS:
        threads = LEAST_THREADS
    configure_devices(None, deterministic=deterministic, cpu_devices=cpu_devices, threads=threads)
    import jax

    jax.config.update("jax_disable_most_optimizations", fast_compile)
    try:
        found = _local_devices(device)
    except Exception as error:  # a RuntimeError, or an AssertionError where the plugin for a GPU is missing
        platforms = jax.config.jax_platforms or ""  # type: ignore[attr-defined]  # JAX defines it as it starts
        requested = f"--device {device}" if device else f"JAX_PLATFORMS={platforms}"
        remedy = "omit --device" if device else "unset JAX_PLATFORMS"
        plugin = CUDA if device == "gpu" or "cuda" in platforms else ""
        raise UserError(
            f"{requested}: expected such a device, found none; {remedy} to use the fastest one there is{plugin}"
        ) from error
    if deterministic:
        print_message(
            "deterministic: bit-equal on the same devices, driver and versions; "
            "not across them, nor with another number of devices"
        )
    return describe_devices(found)


def configure_devices(device: str | None, *, deterministic: bool, cpu_devices: int, threads: int | None) -> None:
    """Sets what JAX reads as it starts, without starting it.

    device: the kind of device, where it is not to be searched for; cpu_devices: into how many a CPU is divided
    threads: as for `select_device`
    """
    if deterministic and DETERMINISTIC not in os.environ.get("XLA_FLAGS", ""):
        # Set before JAX starts, because XLA reads its flags once.
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {DETERMINISTIC}".strip()
    if threads is not None:
        os.environ["PJRT_NPROC"] = str(threads)
    import jax

    check_programs()
    jax.config.update("jax_num_cpu_devices", cpu_devices)
    if device is not None:
        jax.config.update("jax_platforms", PLATFORMS[device][0])


def describe_devices(devices: Sequence[Any]) -> str:
    """Devices in words: "CPU × 2, jax 0.10.2"."""
    import jax

    kinds = sorted({f"{d.platform.upper()} ({d.device_kind})" if d.platform != "cpu" else "CPU" for d in devices})
    return f"{', '.join(kinds)} × {len(devices)}, jax {jax.__version__}"


def _local_devices(device: str | None) -> list[Any]:
    """JAX's devices of this kind; None: the fastest. Raises whatever JAX raises where there is none."""
    import jax

    if device is None:
        return jax.local_devices()
    *others, last = PLATFORMS[device]
    for platform in others:
        jax.config.update("jax_platforms", platform)
        try:
            return jax.local_devices()
        except Exception:  # a RuntimeError, or an AssertionError where the plugin for a GPU is missing
            continue
    jax.config.update("jax_platforms", last)
    return jax.local_devices()


def usable_cpus() -> int:
    """The processor cores that this process may use, which `taskset` or a batch system may have limited."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def set_precision(precision: str) -> None:
    """Sets whether JAX may compute in float64, as a config's precision needs it."""
    import jax

    jax.config.update("jax_enable_x64", precision == "float64")
