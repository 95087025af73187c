"""Functions of one number, applied to each: rows of a table of a function and its derivative.

y = f(x)
dx = f′(x) ∘ dy
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import numpy as jnp
from jaxtyping import Float, Shaped

from jaxnn.kernels.array_types import AnyArray, NoParams
from jaxnn.kernels.normal import normal_cumulative
from jaxnn.layer import Batch, Key, Layer, empty_init
from jaxnn.shapes import Shape, check_dy, check_dy_tree, check_elementary, check_no_params, shapes_of

Values = Float[AnyArray, "*shape"]
#: What a derivative is computed from: x or y, or a condition on them.
Residual = Shaped[AnyArray, "*shape"]
#: dy/dx, where a bool is 0 or 1.
Slope = Shaped[AnyArray, "*shape"]


class Elementwise(NamedTuple):
    """A row of the table.

    f(x) -> y
    keep(x, y) -> res       what the derivative is computed from
    derivative(res) -> dy/dx, where a bool is 0 or 1
    """

    name: str
    f: Callable[[Values], Values]
    keep: Callable[[Values, Values], Residual]
    derivative: Callable[[Residual], Slope]


def keep_x(x: Values, y: Values) -> Values:
    del y
    return x


def keep_y(x: Values, y: Values) -> Values:
    del x
    return y


def elementwise(row: Elementwise) -> Layer:
    """The layer of one row: `x` and `y` of any shape, alike."""

    def forward(params: NoParams, x: Values, key: Key) -> tuple[Values, Residual]:
        del key
        check_elementary(row.name, params, x)
        y = row.f(x)
        return y, row.keep(x, y)

    def backward(params: NoParams, res: Residual, dy: Values) -> tuple[NoParams, Values]:
        del params
        slope = row.derivative(res)
        check_dy(row.name, dy, slope.shape)
        # A select, because a product with 0 would turn an infinite dy into NaN.
        return (), jnp.where(slope, dy, 0) if slope.dtype == bool else slope * dy

    return Layer(empty_init, forward, backward, row.name)


def identity() -> Layer:
    """y = x;  dx = dy; x may be any pytree."""

    def forward(params: NoParams, x: Batch, key: Key) -> tuple[Batch, Any]:
        del key
        check_no_params("identity", params)
        return x, shapes_of(x)

    def backward(params: NoParams, res: Any, dy: Batch) -> tuple[NoParams, Batch]:
        del params
        check_dy_tree("identity", dy, res)
        return (), dy

    return Layer(empty_init, forward, backward, "identity")


def sigmoid() -> Layer:
    """y = σ(x) = 1 / (1 + e⁻ˣ);  dx = y (1 − y) dy.

    Derivation: σ′ = e⁻ˣ / (1 + e⁻ˣ)², and 1 − σ = e⁻ˣ / (1 + e⁻ˣ).
    """
    return elementwise(Elementwise("sigmoid", jax.nn.sigmoid, keep_y, lambda y: y * (1 - y)))


def tanh() -> Layer:
    """y = tanh x;  dx = (1 − y²) dy, written (1 − y)(1 + y): 1 − y is exact where y is near 1, 1 − y² is not.

    Derivation: tanh = sinh / cosh, so tanh′ = (cosh² − sinh²) / cosh².
    """
    return elementwise(Elementwise("tanh", jnp.tanh, keep_y, lambda y: (1 - y) * (1 + y)))


def relu() -> Layer:
    """y = max(x, 0);  dx = [x > 0] dy: the derivative at 0 is 0 (Nair and Hinton 2010).

    Derivation: y is x to the right of 0 and constant to the left.
    """
    return elementwise(Elementwise("relu", jax.nn.relu, lambda x, y: y > 0, lambda positive: positive))


def softplus() -> Layer:
    """y = ln(1 + eˣ);  dx = σ(x) dy = (1 − e⁻ʸ) dy.

    Derivation: y′ = eˣ / (1 + eˣ), and e⁻ʸ = 1 / (1 + eˣ).
    """
    return elementwise(Elementwise("softplus", jax.nn.softplus, keep_y, lambda y: -jnp.expm1(-y)))


def leaky_relu(slope: float = 0.01) -> Layer:
    """y = x where x ≥ 0, else slope · x;  dx = (1 or slope) dy (Maas, Hannun and Ng 2013).

    Derivation: y is a line through 0 on each side of it.
    """
    return elementwise(
        Elementwise(
            "leaky_relu",
            lambda x: jax.nn.leaky_relu(x, slope),
            lambda x, y: x >= 0,
            lambda positive: jnp.where(positive, 1.0, slope),
        )
    )


def elu(alpha: float = 1.0) -> Layer:
    """y = x where x > 0, else α (eˣ − 1);  dx = (1 or α eˣ) dy (Clevert, Unterthiner and Hochreiter 2016).

    Derivation: to the left of 0, y′ = α eˣ. It is y + α as well, but where y is near −α nothing is left of that sum.
    """

    def derivative(x: Values) -> Values:
        return jnp.where(x > 0, 1, alpha * jnp.exp(jnp.minimum(x, 0)))

    return elementwise(Elementwise("elu", lambda x: jax.nn.elu(x, alpha), keep_x, derivative))


def gelu() -> Layer:
    """y = x Φ(x);  dx = (Φ(x) + x φ(x)) dy, Φ and φ the standard normal's (Hendrycks and Gimpel 2016).

    Derivation: Φ(x) = ∫ φ(t) dt from −∞ to x, so Φ′ = φ, with φ(x) = e^{−x²/2} / √(2π).
    The product rule gives y′ = 1 · Φ(x) + x · Φ′(x) = Φ(x) + x φ(x). Each y depends on one x alone, so dx = y′ dy.
    `jaxnn/kernels/normal.py` computes Φ so that it keeps its digits for x far below 0.
    """

    def derivative(x: Values) -> Values:
        return normal_cumulative(x) + x * jnp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)

    return elementwise(Elementwise("gelu", lambda x: x * normal_cumulative(x), keep_x, derivative))


def silu() -> Layer:
    """y = x σ(x);  dx = σ (1 + x (1 − σ)) dy (Elfwing, Uchibe and Doya 2018).

    Derivation: the product rule, with σ′ = σ (1 − σ): y′ = σ + x σ (1 − σ).
    """

    def derivative(x: Values) -> Values:
        s = jax.nn.sigmoid(x)
        return s * (1 + x * (1 - s))

    return elementwise(Elementwise("silu", jax.nn.silu, keep_x, derivative))


def threshold() -> Layer:
    """y = [x ≥ 0], the perceptron's step;  dx = 0 (Rosenblatt 1958).

    Derivation: for x ≠ 0, y(x + h) = y(x) for every small h, so y′ = lim (y(x + h) − y(x)) / h = 0.
    At x = 0 the quotient is 0 from the right and −1/h from the left, without a limit: y has no derivative there, and 0
    continues the one of both sides. So dx = y′ dy = 0, and the layers before a threshold learn nothing by gradient
    descent. The loss `perceptron` is the way to train them.
    """

    def forward(params: NoParams, x: Values, key: Key) -> tuple[Values, Shape]:
        del key
        check_elementary("threshold", params, x)
        return jnp.where(jnp.isnan(x), x, (x >= 0).astype(x.dtype)), shapes_of(x)

    def backward(params: NoParams, res: Shape, dy: Values) -> tuple[NoParams, Values]:
        del params
        check_dy("threshold", dy, res.shape)
        return (), jnp.zeros_like(dy)

    return Layer(empty_init, forward, backward, "threshold")
