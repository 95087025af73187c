"""Law 4: nets, convolutions and pools that nobody chose, each under law 1.

A case is made of choices from short lists; `choose` makes them: at random for the command, by hypothesis in the tests.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.case import Case, case, normal_like
from jaxnn.certify.cases import layer_args
from jaxnn.certify.finding import Finding
from jaxnn.certify.laws.agreement import autodiff
from jaxnn.certify.vjp_rule import of_layer, of_model
from jaxnn.combine import serial
from jaxnn.initializers import INITIALIZERS
from jaxnn.layer import Layer
from jaxnn.layers import (
    average_pool,
    conv,
    conv_max_pool,
    dense,
    elu,
    flatten,
    gelu,
    identity,
    l2_pool,
    leaky_relu,
    max_pool,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from jaxnn.losses import LOSSES

#: choose(what, options) -> one of them
Choose = Callable[[str, Sequence[Any]], Any]

ACTIVATIONS: dict[str, Callable[[], Layer]] = {
    of.__name__: of for of in (sigmoid, tanh, relu, softplus, leaky_relu, elu, gelu, silu, softmax, identity)
}
POOLS: dict[str, Callable[..., Layer]] = {of.__name__: of for of in (max_pool, average_pool, l2_pool)}
#: One of images, another of kernels.
_INITIALIZERS = tuple(sorted(set(INITIALIZERS) - {"delta_orthogonal", "constant", "variance_scaling"}))


def random_choice(rng: np.random.Generator) -> Choose:
    """Choices by a generator of random numbers."""
    return lambda what, options: options[int(rng.integers(len(options)))]


def net(choose: Choose) -> Case:
    """A multi-layer perceptron under a loss: depth 1–6, widths 1–65, batch 1–33; any activation, loss, initializer."""
    depth, batch = choose("depth", range(1, 7)), choose("batch", range(1, 34))
    layers: list[Layer] = []
    for i in range(depth):
        width = choose(f"width {i}", range(1, 66))
        layers += [dense(width, choose(f"initializer {i}", _INITIALIZERS))]
        layers += [ACTIVATIONS[choose(f"activation {i}", tuple(ACTIVATIONS))]()]
    name = choose("loss", tuple(LOSSES))
    outputs = choose("outputs", range(2, 12) if name == "softmax_cross_entropy" else range(1, 12))
    model = serial(*layers, dense(outputs))
    x = jax.ShapeDtypeStruct((batch, choose("features", range(1, 66))), jnp.float64)
    params = jax.tree.map(
        lambda a, noise: a + 0.1 * noise,  # biases begin at zero, which hides them
        model.init(jax.random.key(0), x),
        normal_like(1, jax.eval_shape(model.init, jax.random.key(0), x)),
    )
    target = np.random.default_rng(2).integers(max(outputs, 2), size=batch, dtype=np.int32)
    loss = LOSSES[name](choose("reduction", ("mean", "sum")))
    return case("a net", "fuzz", of_model(model, loss), (params, normal_like(3, x), target))


def _sliding(choose: Choose, largest: int) -> tuple[list[int], list[int], Any]:
    """The size of a window, its stride and its padding (always smaller than the window)."""
    size = [choose(f"size {axis}", range(1, largest + 1)) for axis in "hw"]
    stride = [choose(f"stride {axis}", range(1, 5)) for axis in "hw"]
    padding = choose("padding", ("VALID", "SAME", "uneven"))
    if padding == "uneven":
        padding = [
            [choose(f"{axis} {end}", range(k)) for end in ("low", "high")] for axis, k in zip("hw", size, strict=True)
        ]
    return size, stride, padding


def _images(choose: Choose, span: Sequence[int]) -> tuple[int, ...]:
    """The shape of images that a window of this span fits in."""
    height, width = (choose(f"image {axis}", range(k, k + 9)) for axis, k in zip("hw", span, strict=True))
    return choose("batch", range(1, 6)), height, width, choose("channel", range(1, 12))


def convolution(choose: Choose) -> Case:
    """A convolution: kernel 1–7, stride 1–4, SAME, VALID or uneven padding, dilation 1–3, images of any size."""
    size, stride, padding = _sliding(choose, 7)
    dilation = [choose(f"dilation {axis}", range(1, 4)) for axis in "hw"]
    span = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    layer = conv(choose("channels", range(1, 8)), size, stride, padding, dilation, bias=choose("bias", (True, False)))
    return case("a convolution", "fuzz", of_layer(layer), layer_args(layer, _images(choose, span)))


def pooling(choose: Choose) -> Case:
    """A pool, windows that overlap or do not divide the image included."""
    size, stride, padding = _sliding(choose, 4)
    layer = POOLS[choose("pool", tuple(POOLS))](size, stride, padding)
    return case("a pool", "fuzz", of_layer(layer), layer_args(layer, _images(choose, size)))


def convolution_and_pooling(choose: Choose) -> Case:
    """Convolution and max-pooling as one layer, and a dense layer behind it."""
    kernel = [choose(f"kernel {axis}", range(1, 6)) for axis in "hw"]
    pool = [choose(f"pool {axis}", range(1, 4)) for axis in "hw"]
    layer = conv_max_pool(choose("channels", range(1, 8)), kernel, pool)
    span = [k + p - 1 for k, p in zip(kernel, pool, strict=True)]
    model = serial(layer, ACTIVATIONS[choose("activation", tuple(ACTIVATIONS))](), flatten(), dense(3))
    return case("convolution and pool", "fuzz", of_layer(model), layer_args(model, _images(choose, span)))


KINDS: tuple[Callable[[Choose], Case], ...] = (net, convolution, pooling, convolution_and_pooling)


def recorded(choose: Choose, choices: dict[str, Any]) -> Choose:
    """`choose`, which writes down what it chose."""

    def choosing(what, options):
        choices[what] = choose(what, options)
        return choices[what]

    return choosing


def fuzz(n: int, seed: int = 0) -> tuple[Finding, dict[str, Any]]:
    """The worst of `n` random cases under law 1, and its choices."""
    choose, found = random_choice(np.random.default_rng(seed)), []
    for i in range(n):
        choices: dict[str, Any] = {"kind": KINDS[i % len(KINDS)].__name__}
        found.append((autodiff(KINDS[i % len(KINDS)](recorded(choose, choices))), choices))
    return max(found, key=lambda pair: pair[0].severity, default=(Finding(0.0, 0.0), {}))
