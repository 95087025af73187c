"""Functions with rules as people write them, right and wrong, that the table of foreign rules uses."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jax.experimental import pallas as pl

X = np.linspace(0.3, 1.9, 5).astype(np.float32)
Z = (X + 1j * X[::-1]).astype(np.complex64)


def custom(f: Callable[..., Any], fwd: Any, bwd: Any, **options: Any) -> Any:
    """`f` with a custom rule."""
    nondiff = {name: options.pop(name) for name in ("nondiff_argnums", "nondiff_argnames") if name in options}
    rule = jax.custom_vjp(f, **nondiff)
    rule.defvjp(fwd, bwd, **options)
    return rule


def square(x):
    return x * x


SQUARE = custom(square, lambda x: (x * x, x), lambda x, dy: (2 * x * dy,))


def root(a):
    """√a by Newton's iteration, which JAX cannot differentiate backwards."""
    return jax.lax.while_loop(lambda s: jnp.any(jnp.abs(s * s - a) > 1e-5 * a), lambda s: 0.5 * (s + a / s), a)


def sine_kernel(x):
    def kernel(x_ref, y_ref):
        y_ref[...] = jnp.sin(x_ref[...])

    return pl.pallas_call(kernel, out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype), interpret=True)(x)


def sum_kernel(x):
    """Σ x², by a loop over references."""

    def kernel(x_ref, y_ref):
        y_ref[0] = jax.lax.fori_loop(0, x.shape[0], lambda i, total: total + x_ref[i] ** 2, jnp.zeros((), x.dtype))

    return pl.pallas_call(kernel, out_shape=jax.ShapeDtypeStruct((1,), x.dtype), interpret=True)(x)


def on_host(f):
    """A NumPy function of a vector."""
    return lambda x: jax.pure_callback(
        lambda a: f(np.asarray(a)).astype(a.dtype),
        jax.ShapeDtypeStruct(x.shape, x.dtype),
        x,
        vmap_method="sequential",
    )


def logsumexp(x, t):
    return t * jnp.log(jnp.exp(x / t).sum())


def with_symbolic_zeros():
    def fwd(x, y):
        return x.value * y.value, (x.value if y.perturbed else None, y.value if x.perturbed else None)

    def bwd(res, dy):
        return tuple(None if a is None else dy * a for a in res[::-1])

    return custom(lambda x, y: x * y, fwd, bwd, symbolic_zeros=True)


def memory_saver():
    def bwd(x, dy):
        s, c = jnp.sin(x), jnp.cos(x)
        d = dy * (1 - jnp.tanh(s @ c.T) ** 2)
        return ((d @ c) * c - (d.T @ s) * s,)

    f = lambda x: jnp.tanh(jnp.sin(x) @ jnp.cos(x).T)
    return custom(f, lambda x: (f(x), x), bwd)


def calls_itself():
    """The forward calls the decorated function, as in JAX's documentation."""
    f = jax.custom_vjp(lambda x, y: jnp.sin(x) * y)
    f.defvjp(lambda x, y: (f(x, y), (jnp.cos(x), jnp.sin(x), y)), lambda r, dy: (r[0] * dy * r[2], r[1] * dy))
    return f


def gather():
    f = lambda x, i, mask: jnp.where(mask, x[i], 0.0)
    bwd = lambda r, dy: (jnp.zeros(5, dy.dtype).at[r[0]].add(jnp.where(r[1], dy, 0)), None, None)
    return custom(f, lambda x, i, mask: (f(x, i, mask), (i, mask, x.shape)), bwd)


class Net:
    """A rule that is a method."""

    @functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
    def f(self, x):
        return x * x

    f.defvjp(lambda self, x: (x * x, x), lambda self, x, dy: (2 * x * dy,))


def complex_square(factor):
    return custom(lambda z: z * z, lambda z: (z * z, z), lambda z, dy: (factor * 2 * z * dy,))


def modulus(mistake):
    """s |z|²; JAX's convention for the cotangent of z is 2 s z̄ dy."""
    f = lambda z, s: s * jnp.abs(z) ** 2
    bwd = lambda r, dy: (2 * r[1] * jnp.conj(r[0]) * dy + 1j * mistake * dy, (jnp.abs(r[0]) ** 2 * dy).sum())
    return custom(f, lambda z, s: (f(z, s), (z, s)), bwd)


def straight_through():
    return custom(lambda x: jnp.round(x), lambda x: (jnp.round(x), None), lambda _, dy: (dy,))


def clipping():
    return custom(lambda x: x, lambda x: (x, None), lambda _, dy: (jnp.clip(dy, -0.1, 0.1),))


def reversal():
    return custom(lambda x: jnp.sin(x), lambda x: (jnp.sin(x), x), lambda x, dy: (-0.5 * jnp.cos(x) * dy,))


def untraceable():
    """A branch on a value, which JAX cannot trace."""
    f = lambda x: x * x if float(x.sum()) > 0 else -x
    return custom(f, lambda x: (f(x), x), lambda x, dy: (2 * x * dy,))


@jax.custom_jvp
def squared_forward(x):
    return x * x


squared_forward.defjvps(lambda t, y, x: 2 * x * t)

WRONG_SQUARE = custom(square, lambda x: (x * x, x), lambda x, dy: (2.002 * x * dy,))
STOPPED = custom(
    logsumexp, lambda x, t: (logsumexp(x, t), (x, t)), lambda r, dy: (dy * jax.nn.softmax(r[0] / r[1]), None)
)
TWO_OUTPUTS = custom(
    lambda x: ((x * x).sum(), jnp.linalg.norm(x)),
    lambda x: (((x * x).sum(), jnp.linalg.norm(x)), x),
    lambda x, dy: (2 * x * dy[0],),
)
FLOAT32_INSIDE = custom(
    lambda x: jnp.square(x.astype(jnp.float32)).sum().astype(x.dtype),
    lambda x: (jnp.square(x.astype(jnp.float32)).sum().astype(x.dtype), x),
    lambda x, dy: ((2 * x.astype(jnp.float32) * dy.astype(jnp.float32)).astype(x.dtype),),
)
POWER = custom(
    lambda x, n=2: x**n, lambda x, n: (x**n, x), lambda n, x, dy: (n * x ** (n - 1) * dy,), nondiff_argnums=(1,)
)
NAN = custom(jnp.log, lambda x: (jnp.log(x), x), lambda x, dy: (17.0 * dy / x,))
