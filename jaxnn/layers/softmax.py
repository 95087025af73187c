"""Softmax over the last axis."""

import jax
from jaxtyping import Float

from jaxnn.kernels.array_types import AnyArray, NoParams
from jaxnn.layer import Key, Layer, empty_init
from jaxnn.shapes import check_dy, check_elementary

Logits = Float[AnyArray, "batch *rest class"]
Probabilities = Float[AnyArray, "batch *rest class"]


def softmax() -> Layer:
    """Probabilities from logits, over the last axis.

    yᵢ = e^{xᵢ} / Σⱼ e^{xⱼ}
    dx = y ∘ (dy − Σⱼ dyⱼ yⱼ)

    Derivation: ∂yⱼ/∂xᵢ = yⱼ (δᵢⱼ − yᵢ), so dxᵢ = Σⱼ dyⱼ yⱼ (δᵢⱼ − yᵢ) = dyᵢ yᵢ − yᵢ Σⱼ dyⱼ yⱼ.

    x and y (batch, …, class). To train a classifier leave it out: `softmax_cross_entropy` takes the logits.
    """

    def forward(params: NoParams, x: Logits, key: Key) -> tuple[Probabilities, Probabilities]:
        del key
        check_elementary("softmax", params, x, axes=2)
        y = jax.nn.softmax(x)
        return y, y

    def backward(params: NoParams, res: Probabilities, dy: Probabilities) -> tuple[NoParams, Logits]:
        del params
        y = res
        check_dy("softmax", dy, y.shape)
        return (), y * (dy - (dy * y).sum(-1, keepdims=True))

    return Layer(empty_init, forward, backward, "softmax")
