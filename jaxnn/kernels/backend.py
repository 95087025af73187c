"""The platform that JAX computes on."""

import jax


def platform() -> str:
    """The default platform ("cpu", "gpu", "tpu"): that of `jax.default_device`, or else of JAX's first device.

    Kernels read it while they are traced and choose the formulation that is fastest there. All formulations give the
    same numbers, so a function that later runs on another platform is only slower. `lax.platform_dependent` would put
    every formulation into one program, and autodiff of that program would keep the residuals of all of them.
    """
    device = getattr(jax.config, "jax_default_device", None)  # a device, or the name of a platform
    return jax.default_backend() if device is None else getattr(device, "platform", device)
