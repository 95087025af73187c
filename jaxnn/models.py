"""Whole networks: a multi-layer perceptron, and the convolutional net of the course."""

from collections.abc import Sequence

from jaxnn.combine import serial
from jaxnn.initializers import Init
from jaxnn.layer import Layer, check_layer
from jaxnn.layers import conv_max_pool, dense, flatten, relu, tanh


def mlp(units: Sequence[int], activation: Layer, weight_init: Init = "glorot_uniform") -> Layer:
    """A multi-layer perceptron: one dense layer for each number of units, with `activation` between them.

    x (batch, …) is flattened; y (batch, units[-1]).
    """
    check_layer("mlp: activation", activation)
    layers: list[Layer] = [flatten()]
    for width in units:
        layers += [dense(width, weight_init), activation]
    return serial(*layers[:-1])


def cnn(classes: int = 10, channels: int = 20, kernel: int = 5, units: int = 100) -> Layer:
    """The course's convolutional net: convolution, 2×2 max-pool, ReLU, dense tanh, dense.

    x (batch, height, width, channel), y (batch, classes): logits.
    """
    return serial(conv_max_pool(channels, kernel), relu(), flatten(), dense(units), tanh(), dense(classes))
