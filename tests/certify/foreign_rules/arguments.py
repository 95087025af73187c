"""Arguments of every kind: defaults, keywords, fixed ones, complex numbers, integers, None, methods."""

import functools

import jax
import numpy as np
from jax import numpy as jnp

from tests.certify.foreign_rules.rule import Rule, X, custom, square

Z = (X + 1j * X[::-1]).astype(np.complex64)


def with_symbolic_zeros():
    def fwd(x, y):
        return x.value * y.value, (x.value if y.perturbed else None, y.value if x.perturbed else None)

    def bwd(res, dy):
        return tuple(None if a is None else dy * a for a in res[::-1])

    return custom(lambda x, y: x * y, fwd, bwd, symbolic_zeros=True)


def gather():
    f = lambda x, i, mask: jnp.where(mask, x[i], 0.0)  # noqa: E731
    bwd = lambda r, dy: (jnp.zeros(5, dy.dtype).at[r[0]].add(jnp.where(r[1], dy, 0)), None, None)  # noqa: E731
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
    f = lambda z, s: s * jnp.abs(z) ** 2  # noqa: E731
    bwd = lambda r, dy: (2 * r[1] * jnp.conj(r[0]) * dy + 1j * mistake * dy, (jnp.abs(r[0]) ** 2 * dy).sum())  # noqa: E731
    return custom(f, lambda z, s: (f(z, s), (z, s)), bwd)


POWER = custom(
    lambda x, n=2: x**n, lambda x, n: (x**n, x), lambda n, x, dy: (n * x ** (n - 1) * dy,), nondiff_argnums=(1,)
)

RULES: dict[str, Rule] = {
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
    "complex": Rule(complex_square(1), (Z,)),
    "complex, wrong": Rule(complex_square(3), (Z,), "wrong: z"),
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
    "two wrong leaves": Rule(
        custom(lambda x, s: s * x, lambda x, s: (s * x, (x, s)), lambda r, dy: (2 * r[1] * dy, 3 * (r[0] * dy).sum())),
        (X, np.float32(1.3)),
        "wrong: x, s",
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
    "bound method": Rule(functools.partial(Net.f, Net()), (X,)),
    "unbound method": Rule(Net.f, (Net(), X)),
}
