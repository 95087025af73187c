"""Law 4: law 1 for random nets, convolutions and pools.

Each case is built from choices out of short lists. A function `choose` makes the choices: a random generator in the
command, hypothesis in the tests.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.case import Case, layer_args, make_case, normal_like
from jaxnn.certify.laws.agreement import autodiff
from jaxnn.certify.measurement import Measurement
from jaxnn.certify.vjp_rule import layer_rule, model_rule
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
from jaxnn.losses import OUTPUT_LOSSES

#: choose(name, options) -> one of the options
Choose = Callable[[str, Sequence[Any]], Any]

ACTIVATIONS: dict[str, Callable[[], Layer]] = {
    constructor.__name__: constructor
    for constructor in (sigmoid, tanh, relu, softplus, leaky_relu, elu, gelu, silu, softmax, identity)
}
POOLS: dict[str, Callable[..., Layer]] = {
    constructor.__name__: constructor for constructor in (max_pool, average_pool, l2_pool)
}
#: Without the one for convolution kernels, and those that need arguments.
_INITIALIZERS = tuple(sorted(set(INITIALIZERS) - {"delta_orthogonal", "constant", "variance_scaling"}))


def random_choice(rng: np.random.Generator) -> Choose:
    """A `Choose` that draws from a random generator."""
    return lambda name, options: options[int(rng.integers(len(options)))]


def random_net(choose: Choose) -> Case:
    """A multi-layer perceptron with a loss: depth 1–6, widths 1–65, batch 1–33; any activation, loss, initializer."""
    depth, batch = choose("depth", range(1, 7)), choose("batch", range(1, 34))
    layers: list[Layer] = []
    for i in range(depth):
        width = choose(f"width {i}", range(1, 66))
        layers += [dense(width, choose(f"initializer {i}", _INITIALIZERS))]
        layers += [ACTIVATIONS[choose(f"activation {i}", tuple(ACTIVATIONS))]()]
    loss_name = choose("loss", tuple(OUTPUT_LOSSES))
    outputs = choose("outputs", range(2, 12) if loss_name == "softmax_cross_entropy" else range(1, 12))
    model = serial(*layers, dense(outputs))
    x = jax.ShapeDtypeStruct((batch, choose("features", range(1, 66))), jnp.float64)
    params = jax.tree.map(
        lambda a, noise: a + 0.1 * noise,  # initial biases are zero, which would hide a mistake
        model.init(jax.random.key(0), x),
        normal_like(1, jax.eval_shape(model.init, jax.random.key(0), x)),
    )
    target = np.random.default_rng(2).integers(max(outputs, 2), size=batch, dtype=np.int32)
    loss = OUTPUT_LOSSES[loss_name](choose("reduction", ("mean", "sum")))
    return make_case("a net", "fuzz", model_rule(model, loss), (params, normal_like(3, x), target))


def _choose_window(choose: Choose, max_size: int) -> tuple[list[int], list[int], Any]:
    """The size of a window, its stride and its padding (always smaller than the window)."""
    size = [choose(f"size {axis}", range(1, max_size + 1)) for axis in "hw"]
    stride = [choose(f"stride {axis}", range(1, 5)) for axis in "hw"]
    padding = choose("padding", ("VALID", "SAME", "uneven"))
    if padding == "uneven":
        padding = [
            [choose(f"{axis} {end}", range(k)) for end in ("low", "high")] for axis, k in zip("hw", size, strict=True)
        ]
    return size, stride, padding


def _choose_image_shape(choose: Choose, span: Sequence[int]) -> tuple[int, ...]:
    """The shape of a batch of images, each at least as large as a window of this span."""
    height, width = (choose(f"image {axis}", range(k, k + 9)) for axis, k in zip("hw", span, strict=True))
    return choose("batch", range(1, 6)), height, width, choose("channel", range(1, 12))


def random_convolution(choose: Choose) -> Case:
    """A convolution: kernel 1–7, stride 1–4, SAME, VALID or uneven padding, dilation 1–3, images of any size."""
    size, stride, padding = _choose_window(choose, 7)
    dilation = [choose(f"dilation {axis}", range(1, 4)) for axis in "hw"]
    span = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    layer = conv(choose("channels", range(1, 8)), size, stride, padding, dilation, bias=choose("bias", (True, False)))
    return make_case("a convolution", "fuzz", layer_rule(layer), layer_args(layer, _choose_image_shape(choose, span)))


def random_pool(choose: Choose) -> Case:
    """A pool; its windows may overlap, or not divide the image."""
    size, stride, padding = _choose_window(choose, 4)
    layer = POOLS[choose("pool", tuple(POOLS))](size, stride, padding)
    return make_case("a pool", "fuzz", layer_rule(layer), layer_args(layer, _choose_image_shape(choose, size)))


def random_conv_max_pool(choose: Choose) -> Case:
    """The fused convolution and max-pool layer, followed by an activation and a dense layer."""
    kernel = [choose(f"kernel {axis}", range(1, 6)) for axis in "hw"]
    pool = [choose(f"pool {axis}", range(1, 4)) for axis in "hw"]
    layer = conv_max_pool(choose("channels", range(1, 8)), kernel, pool)
    span = [k + p - 1 for k, p in zip(kernel, pool, strict=True)]
    model = serial(layer, ACTIVATIONS[choose("activation", tuple(ACTIVATIONS))](), flatten(), dense(3))
    return make_case(
        "convolution and pool", "fuzz", layer_rule(model), layer_args(model, _choose_image_shape(choose, span))
    )


GENERATORS: tuple[Callable[[Choose], Case], ...] = (random_net, random_convolution, random_pool, random_conv_max_pool)


def record_choices(choose: Choose, choices: dict[str, Any]) -> Choose:
    """`choose`, with each choice written into `choices`."""

    def recorded_choose(name, options):
        choices[name] = choose(name, options)
        return choices[name]

    return recorded_choose


def fuzz(n: int, seed: int = 0) -> tuple[Measurement, dict[str, Any]]:
    """The worst measurement of law 1 in `n` random cases, and the choices of its case."""
    choose, results = random_choice(np.random.default_rng(seed)), []
    for i in range(n):
        generator = GENERATORS[i % len(GENERATORS)]
        choices: dict[str, Any] = {"kind": generator.__name__}
        results.append((autodiff(generator(record_choices(choose, choices))), choices))
    return max(results, key=lambda result: result[0].severity, default=(Measurement(0.0, 0.0), {}))
