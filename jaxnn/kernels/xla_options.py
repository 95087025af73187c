"""What XLA is told when it compiles a program of ours, beyond its defaults."""

import functools
from typing import Any

import jax
from jax.errors import JaxRuntimeError

from jaxnn.kernels import backend

#: On a CPU, XLA 0.10 leaves matrix products to YNNPACK. Its older way, Eigen, is faster at every net measured (two
#: cores): 784-30-10 by 30 %, a perceptron of 1,000 units by 35 %, and at batches of 1,000 for that net, as in an
#: evaluation, by a factor of 30. An empty list of what YNNPACK may take names none.
BY_EIGEN = {"xla_cpu_experimental_ynn_fusion_type": ""}


def compiler_options(**more: Any) -> dict[str, Any] | None:
    """Options for `jax.jit` on the default device, with `more` of them where it is a CPU; None for none.

    >>> import jax, jaxnn
    >>> jax.jit(lambda x: x @ x.T, compiler_options=jaxnn.compiler_options())(jax.numpy.ones((2, 3)))[0, 0].item()
    3.0
    """
    if backend.platform() != "cpu":
        return None
    return {**(BY_EIGEN if _known() else {}), **more} or None


@functools.cache
def _known() -> bool:
    """Whether this XLA has the option: it is said to be an experiment."""
    try:
        jax.jit(lambda: 0, compiler_options=BY_EIGEN).lower().compile()
    except (JaxRuntimeError, ValueError):
        return False
    return True
