"""The table of foreign rules: one for each property that a certificate must cope with, and what must be said of it."""

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from tests.certify.foreign_functions import (
    FLOAT32_INSIDE,
    NAN,
    POWER,
    SQUARE,
    STOPPED,
    TWO_OUTPUTS,
    WRONG_SQUARE,
    Net,
    X,
    Z,
    calls_itself,
    clipping,
    complex_square,
    custom,
    gather,
    logsumexp,
    memory_saver,
    modulus,
    on_host,
    reversal,
    root,
    sine_kernel,
    square,
    squared_forward,
    straight_through,
    sum_kernel,
    untraceable,
    with_symbolic_zeros,
)

#: In a certificate that differences alone decide.
DIFFERENCES = ("not measured: autodiff, float32", "JAX cannot differentiate the function")


class Rule(NamedTuple):
    """A function with its arguments, and what must be said of it.

    says: "certified", "wrong: LEAF", or "refused: WORDS"
    options: of `certify_vjp`
    words: that the certificate must contain as well
    """

    f: Callable[..., Any]
    args: tuple[Any, ...]
    says: str = "certified"
    options: Mapping[str, Any] = MappingProxyType({})
    words: tuple[str, ...] = ()
    fwd: Any = None
    bwd: Any = None


RULES: dict[str, Rule] = {
    "forward calls the decorated function": Rule(calls_itself(), (X, X[::-1].copy())),
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
    "default argument": Rule(
        custom(
            lambda x, scale=2.0: scale * x * x,
            lambda x, scale: (scale * x * x, (x, scale)),
            lambda r, dy: (2 * r[1] * r[0] * dy, jnp.sum(dy * r[0] ** 2)),
        ),
        (X,),
    ),
    "default of a fixed argument": Rule(POWER, (X,)),
    "keyword": Rule(
        custom(
            lambda x, n: x**n,
            lambda x, n: (x**n, x),
            lambda n, x, dy: (n * x ** (n - 1) * dy,),
            nondiff_argnames=("n",),
        ),
        (X,),
        options={"n": 3},
    ),
    "fixed argument by name": Rule(
        custom(
            lambda x, n: x**n,
            lambda x, n: (x**n, x),
            lambda n, x, dy: (n * x ** (n - 1) * dy,),
            nondiff_argnames=("n",),
        ),
        (X, 3),
    ),
    "default by keyword only": Rule(
        custom(lambda x, *, n=2: x**n, lambda x: (x**2, x), lambda x, dy: (2 * x * dy,)), (X,)
    ),
    "keyword only": Rule(
        custom(lambda x, *, n=2: x**n, lambda x: (x**2, x), lambda x, dy: (2 * x * dy,)),
        (X,),
        "refused: by keyword only",
        {"n": 3},
    ),
    "symbolic zeros": Rule(with_symbolic_zeros(), (X, X)),
    "optimize_remat": Rule(
        custom(square, lambda x: (x * x, x), lambda x, dy: (2 * x * dy,), optimize_remat=True), (X,)
    ),
    "argument without gradient": Rule(STOPPED, (X, np.float32(0.7)), "wrong: t"),
    "argument without gradient, stated": Rule(STOPPED, (X, np.float32(0.7)), options={"stopped": ("t",)}),
    "stated without gradient, and has one": Rule(
        custom(logsumexp, lambda x, t: (logsumexp(x, t), (x, t)), lambda r, dy: (dy * jax.nn.softmax(r[0] / r[1]), dy)),
        (X, np.float32(0.7)),
        "wrong: t",
        {"stopped": ("t",)},
    ),
    "ignored output": Rule(TWO_OUTPUTS, (X,), "wrong: x"),
    "ignored output, stated": Rule(TWO_OUTPUTS, (X,), options={"outputs": (0,)}),
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
    "complex": Rule(complex_square(1), (Z,)),
    "complex, wrong": Rule(complex_square(3), (Z,), "wrong: z"),
    "two wrong leaves": Rule(
        custom(lambda x, s: s * x, lambda x, s: (s * x, (x, s)), lambda r, dy: (2 * r[1] * dy, 3 * (r[0] * dy).sum())),
        (X, np.float32(1.3)),
        "wrong: x, s",
    ),
    "complex to real": Rule(modulus(0.0), (Z, np.float32(1.3))),
    "complex to real, wrong imaginary part": Rule(modulus(7.0), (Z, np.float32(1.3)), "wrong: z"),
    "real to complex, wrong": Rule(
        custom(
            lambda a: jnp.fft.rfft(a),
            lambda a: (jnp.fft.rfft(a), None),
            lambda _, dy: (jnp.full(5, 123.0) * jnp.real(dy).sum(),),
        ),
        (X,),
        "wrong: a",
    ),
    "NaN everywhere": Rule(NAN, (-X,), "refused: every output is NaN .*inside the domain"),
    "NaN somewhere": Rule(NAN, (X - 0.5,), "refused: some outputs are .1 of 5. NaN"),
    "no tuple": Rule(
        custom(square, lambda x: (x * x, x), lambda x, dy: 2 * x * dy), (X,), "refused: must return a tuple .*an array"
    ),
    "no tuple, one row": Rule(
        custom(square, lambda x: (x * x, x), lambda x, dy: 2 * x * dy), (X[None],), "refused: must return a tuple"
    ),
    "another shape": Rule(
        custom(lambda x, b: x + b, lambda x, b: (x + b, None), lambda _, dy: (dy, dy)),
        (np.ones((3, 5), np.float32), X),
        "wrong: b",
    ),
    "static residual": Rule(
        custom(
            lambda x, kind: x * x,
            lambda x, kind: (x * x, (x, x.shape, 3)),
            lambda kind, r, dy: (2 * r[0] * dy,),
            nondiff_argnums=(1,),
        ),
        (X, "square"),
    ),
    "integers and booleans": Rule(gather(), (X, np.array([0, 2, 2]), np.array([True, False, True]))),
    "None": Rule(
        custom(lambda x, b: x * x if b is None else x + b, lambda x, b: (x * x, x), lambda x, dy: (2 * x * dy, None)),
        (X, None),
    ),
    "random": Rule(
        square,
        (X,),
        "refused: two calls at the same arguments differ",
        fwd=lambda x: (x * x, on_host(lambda a: a + 1e-9 * np.random.default_rng().normal(size=a.shape))(x)),
        bwd=lambda x, dy: (2 * x * dy,),
    ),
    "random while traced": Rule(
        square,
        (X,),
        "refused: two calls at the same arguments differ",
        fwd=lambda x: (x * x, x * (1 + 1e-9 * np.random.default_rng().normal())),
        bwd=lambda x, dy: (2 * x * dy,),
    ),
    "bound method": Rule(functools.partial(Net.f, Net()), (X,)),
    "unbound method": Rule(Net.f, (Net(), X)),
    "straight-through": Rule(straight_through(), (X,), "wrong: x"),
    "straight-through, meant": Rule(straight_through(), (X,), options={"meant": lambda x: x}),
    "clipping, meant": Rule(clipping(), (X,), options={"meant": lambda x, dy: jnp.clip(dy, -0.1, 0.1)}),
    "clipping, other meant": Rule(clipping(), (X,), "wrong: x", {"meant": lambda x, dy: jnp.clip(dy, -0.2, 0.2)}),
    "reversal, meant": Rule(reversal(), (X,), options={"meant": lambda x: -0.5 * jnp.sin(x)}),
    "raises": Rule(lambda x: {}["missing"], (X,), "refused: raises at these arguments: KeyError"),
    "not traceable": Rule(untraceable(), (X,), words=("operation by operation",)),
}
