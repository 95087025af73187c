"""Initializers by name: those of `jax.nn.initializers`, and two that the course needs."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
from jax import numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from jaxnn.errors import UserError, hint
from jaxnn.kernels.factorization import one_at_a_time

Initializer = Callable[[PRNGKeyArray, tuple[int, ...], Any], Array]
#: A name, a mapping with the name and its options, or the initializer itself.
Init = str | Mapping[str, Any] | Initializer


def standard_normal() -> Initializer:
    """Independent N(0, 1) values, as `numpy.random.randn` gives them."""
    return lambda key, shape, dtype=jnp.float32: jax.random.normal(key, shape, dtype)


def uniform(low: float = -0.1, high: float = 0.1) -> Initializer:
    """Independent values from U[low, high) (`jax.nn.initializers.uniform` draws from [0, scale)).

    Raises `UserError` unless low < high.
    """
    if not low < high:
        raise UserError(f"uniform: expected low < high, found {low} and {high}")
    return lambda key, shape, dtype=jnp.float32: jax.random.uniform(key, shape, dtype, low, high)


def _without_options(value: Initializer) -> Callable[[], Initializer]:
    return lambda: value


def _factoring(constructor: Callable[..., Initializer]) -> Callable[..., Initializer]:
    """The constructor of an initializer that factors a matrix: in float32 at least, as LAPACK has no bfloat16."""

    @functools.wraps(constructor)
    def construct(*args: Any, **options: Any) -> Initializer:
        make = constructor(*args, **options)

        def init(key: Any, shape: Any, dtype: Any = jnp.float32) -> Any:
            wide = dtype if jnp.finfo(dtype).bits >= 32 else jnp.float32
            return one_at_a_time(lambda key: make(key, shape, wide))(key).astype(dtype)

        return init

    return construct


#: name -> constructor; `zeros` and `ones` take no options.
INITIALIZERS: dict[str, Callable[..., Initializer]] = {
    "standard_normal": standard_normal,
    "uniform": uniform,
    "zeros": _without_options(jax.nn.initializers.zeros),
    "ones": _without_options(jax.nn.initializers.ones),
    "orthogonal": _factoring(jax.nn.initializers.orthogonal),
    "delta_orthogonal": _factoring(jax.nn.initializers.delta_orthogonal),
} | {
    name: getattr(jax.nn.initializers, name)
    for name in (
        "constant", "normal", "truncated_normal", "variance_scaling",
        "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal",
    )
}  # fmt: skip


def initializer(spec: Init) -> Initializer:
    """The initializer that `spec` names: `"he_normal"`, or `{"name": "uniform", "low": 0, "high": 1}`.

    Raises `UserError` for a name or an option that does not exist.
    """
    if callable(spec):
        return spec
    options = {"name": spec} if isinstance(spec, str) else dict(spec)
    name = options.pop("name", None)
    if name not in INITIALIZERS:
        known = sorted(INITIALIZERS)
        raise UserError(f"expected an initializer among {', '.join(known)}, found {name!r}{hint(name, known, repr)}")
    known = inspect.signature(INITIALIZERS[name]).parameters
    for option in options:
        if option not in known:
            raise UserError(f"initializer {name!r} takes {', '.join(known) or 'no options'}, found {option!r}")
    return INITIALIZERS[name](**options)
