"""Where JAX computes."""

import jax


def platform() -> str:
    """The platform that JAX computes on where nothing else is said ("cpu", "gpu", "tpu"): that of
    `jax.default_device`, or of the first device that it found.

    What has a faster way on one platform is chosen by it while it is traced. Its numbers are the same on all, so a
    function that is sent elsewhere is only slower. `lax.platform_dependent` would hold every way in one function, and
    autodiff of it would keep what all of them need.
    """
    device = getattr(jax.config, "jax_default_device", None)  # a device, or the name of a platform
    return jax.default_backend() if device is None else getattr(device, "platform", device)
