"""What a gradient is compared with, in which precision: autodiff, a reference, differences alone; whole functions."""

import jax
import numpy as np
from jax import numpy as jnp
from jax.experimental import pallas as pl

from tests.certify.foreign_rules.rule import SQUARE, Rule, X, custom, on_host, root, square


def sine_kernel(x):
    def kernel(x_ref, y_ref):
        y_ref[...] = jnp.sin(x_ref[...])

    return pl.pallas_call(kernel, out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype), interpret=True)(x)


def sum_kernel(x):
    """Σ x², by a loop over references."""

    def kernel(x_ref, y_ref):
        y_ref[0] = jax.lax.fori_loop(0, x.shape[0], lambda i, total: total + x_ref[i] ** 2, jnp.zeros((), x.dtype))

    return pl.pallas_call(kernel, out_shape=jax.ShapeDtypeStruct((1,), x.dtype), interpret=True)(x)


def memory_saver():
    def bwd(x, dy):
        s, c = jnp.sin(x), jnp.cos(x)
        d = dy * (1 - jnp.tanh(s @ c.T) ** 2)
        return ((d @ c) * c - (d.T @ s) * s,)

    f = lambda x: jnp.tanh(jnp.sin(x) @ jnp.cos(x).T)  # noqa: E731
    return custom(f, lambda x: (f(x), x), bwd)


def calls_itself():
    """The forward calls the decorated function, as in JAX's documentation."""
    f = jax.custom_vjp(lambda x, y: jnp.sin(x) * y)
    f.defvjp(lambda x, y: (f(x, y), (jnp.cos(x), jnp.sin(x), y)), lambda r, dy: (r[0] * dy * r[2], r[1] * dy))
    return f


@jax.custom_jvp
def squared_forward(x):
    return x * x


squared_forward.defjvps(lambda t, y, x: 2 * x * t)

WRONG_SQUARE = custom(square, lambda x: (x * x, x), lambda x, dy: (2.002 * x * dy,))
FLOAT32_INSIDE = custom(
    lambda x: jnp.square(x.astype(jnp.float32)).sum().astype(x.dtype),
    lambda x: (jnp.square(x.astype(jnp.float32)).sum().astype(x.dtype), x),
    lambda x, dy: ((2 * x.astype(jnp.float32) * dy.astype(jnp.float32)).astype(x.dtype),),
)
DIFFERENCES = ("not measured: autodiff, float32", "JAX cannot differentiate the function")

RULES: dict[str, Rule] = {
    "while_loop": Rule(custom(root, lambda a: (root(a),) * 2, lambda y, dy: (dy / (2 * y),)), (X,), words=DIFFERENCES),
    "while_loop, 0.1 % wrong": Rule(
        custom(root, lambda a: (root(a),) * 2, lambda y, dy: (1.001 * dy / (2 * y),)), (X,), "wrong: a"
    ),
    "reference": Rule(
        jnp.sqrt,
        (X,),
        "wrong: x",
        {"skip": ("bfloat16",)},
        fwd=lambda a: (root(a),) * 2,
        bwd=lambda y, dy: (dy / (2 * y),),
    ),
    "reference with a tolerance": Rule(
        jnp.sqrt,
        (X,),
        options={"tolerances": {"float64": 1e-6}, "skip": ("bfloat16",)},
        fwd=lambda a: (root(a),) * 2,
        bwd=lambda y, dy: (dy / (2 * y),),
    ),
    "Pallas kernel": Rule(
        custom(sine_kernel, lambda x: (sine_kernel(x), x), lambda x, dy: (dy * jnp.cos(x),)), (X,), words=DIFFERENCES
    ),
    "Pallas kernel with a loop": Rule(
        custom(sum_kernel, lambda x: (sum_kernel(x), x), lambda x, dy: (2 * dy * x,)), (X,), words=DIFFERENCES
    ),
    "Pallas kernel with a reference": Rule(
        custom(sine_kernel, lambda x: (sine_kernel(x), x), lambda x, dy: (dy * jnp.cos(x),)),
        (X,),
        options={"reference": jnp.sin},
    ),
    "callback": Rule(
        custom(on_host(np.sinh), lambda x: (on_host(np.sinh)(x), x), lambda x, dy: (dy * jnp.cosh(x),)),
        (X,),
        words=DIFFERENCES,
    ),
    "buffer of the default dtype": Rule(
        custom(
            lambda x: jnp.zeros(x.shape) + x * x,
            lambda x: (jnp.zeros(x.shape) + x * x, x),
            lambda x, dy: ((2 * x * dy).astype(x.dtype),),
        ),
        (X,),
    ),
    "square root of an integer": Rule(
        custom(
            lambda x: x / jnp.sqrt(x.shape[0]),
            lambda x: (x / jnp.sqrt(x.shape[0]), None),
            lambda _, dy: (dy / jnp.sqrt(dy.shape[0]),),
        ),
        (X,),
    ),
    "float32 inside": Rule(FLOAT32_INSIDE, (X,), words=("computes in float32 inside",)),
    "slower than autodiff": Rule(
        memory_saver(), (np.random.default_rng(0).normal(size=(31, 31)).astype(np.float32),), options={"quick": False}
    ),
    "forward calls the decorated function": Rule(calls_itself(), (X, X[::-1].copy())),
    "compiled": Rule(jax.jit(SQUARE), (X,), words=("calls a custom rule inside (square)",)),
    "wrapped": Rule(lambda x, scale=1.0: SQUARE(scale * x), (X,)),
    "compiled, 0.1 % wrong": Rule(jax.jit(WRONG_SQUARE), (X,), "wrong: x"),
    "custom_jvp": Rule(squared_forward, (X,), options={"quick": False, "timed": False}, words=("13 laws",)),
    "without a rule": Rule(lambda x: jnp.sin(x) * x, (X,), words=("not measured: autodiff",)),
    "reference that calls the rule": Rule(
        lambda x: WRONG_SQUARE(x),
        (X,),
        "wrong: x",
        words=("calls a custom rule inside (square)",),
        fwd=lambda x: (x * x, x),
        bwd=lambda x, dy: (2.002 * x * dy,),
    ),
    "not traceable": Rule(
        custom(
            lambda x: x * x if float(x.sum()) > 0 else -x,
            lambda x: (x * x if float(x.sum()) > 0 else -x, x),
            lambda x, dy: (2 * x * dy,),
        ),
        (X,),
        words=("operation by operation",),
    ),
}
