"""Softmax over the last axis."""

import jax

from jaxnn.layer import Layer, empty_init


def softmax() -> Layer:
    """Probabilities from logits, over the last axis.

    yᵢ = e^{xᵢ} / Σⱼ e^{xⱼ}
    dx = y ∘ (dy − Σⱼ dyⱼ yⱼ)

    Derivation: ∂yⱼ/∂xᵢ = yⱼ (δᵢⱼ − yᵢ), so dxᵢ = Σⱼ dyⱼ yⱼ (δᵢⱼ − yᵢ) = dyᵢ yᵢ − yᵢ Σⱼ dyⱼ yⱼ.

    x and y (batch, …, class). To train a classifier leave it out: `softmax_cross_entropy` takes the logits.
    """

    def forward(params, x, key):
        del params, key
        y = jax.nn.softmax(x)
        return y, y

    def backward(params, res, dy):
        del params
        y = res
        return (), y * (dy - (dy * y).sum(-1, keepdims=True))

    return Layer(empty_init, forward, backward, "softmax")
