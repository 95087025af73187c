"""The options that our programs are compiled with, beyond XLA's defaults."""

import functools
from collections.abc import Mapping
from typing import Any

import jax
from jax.errors import JaxRuntimeError

from jaxnn.kernels import backend

#: On a CPU, XLA 0.10 computes matrix products with YNNPACK. The older library, Eigen, is faster for every net measured
#: (two cores): 784-30-10 by 30 %, a perceptron of 1,000 units by 35 %, and that perceptron at batches of 1,000, as in
#: an evaluation, by a factor of 30. An empty list of the operations for YNNPACK leaves all of them to Eigen.
EIGEN_OPTIONS = {"xla_cpu_experimental_ynn_fusion_type": ""}


def compiler_options(extra: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """The options for `jax.jit` on the default device; None where the defaults are best.

    extra: options to add where the device is a CPU

    >>> import jax, jaxnn
    >>> jax.jit(lambda x: x @ x.T, compiler_options=jaxnn.compiler_options())(jax.numpy.ones((2, 3)))[0, 0].item()
    3.0
    """
    if backend.platform() != "cpu":
        return None
    return {**(EIGEN_OPTIONS if _supports_eigen_options() else {}), **(extra or {})} or None


@functools.cache
def _supports_eigen_options() -> bool:
    """Whether this version of XLA has the option, which is an experimental one."""
    try:
        jax.jit(lambda: 0, compiler_options=EIGEN_OPTIONS).lower().compile()
    except (JaxRuntimeError, ValueError):
        return False
    return True
