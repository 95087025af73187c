"""A layer that keeps little: what its backward pass needs is computed a second time."""

from jaxnn.combine.time import combined_time
from jaxnn.kernels.computed_later import computed_after
from jaxnn.layer import Layer, Part, check_layer
from jaxnn.sequence import per_place
from jaxnn.shapes import check_dy_tree, shapes_of


def recompute(layer: Layer) -> Layer:
    """A layer that keeps its input alone, and runs forward again on the way back.

    y = f(x)
    (dparams, dx) = f.backward(dy), with what f keeps of a second forward pass over the same params, x and key

    Derivation: f is a function of params, x and key, so a second pass makes the numbers of the first one, dropout's
    masks included. The derivative is that of f.

    It keeps x between the passes, and what f keeps for a moment only. That costs a forward pass, about a quarter of the
    time of a step. Around each block of a deep net, what the blocks keep no longer adds up (Chen et al. 2016, "Training
    deep nets with sublinear memory cost"; also called rematerialization, or checkpointing of activations).
    params and dparams are those of f, so saved parameters fit a net with it and without; x may be a pytree. Raises
    `UserError` for what is no layer.
    """
    check_layer("recompute", layer)
    inner = per_place(layer)

    def forward(params, x, key):
        y, _ = inner.forward(params, x, key)
        return y, (x, key, shapes_of(y))

    def both_passes(params, x, key, dy):
        _, res = inner.forward(params, x, key)
        return inner.backward(params, res, dy)

    def backward(params, res, dy):
        x, key, y = res
        check_dy_tree("recompute", dy, y)
        return computed_after(dy, both_passes, params, x, key, dy)

    def flow(x, apply):
        return apply(parts[0], x)

    parts = (Part("0", inner, ""),)
    return Layer(inner.init, forward, backward, "recompute", parts, combined_time(parts, flow), flow)
