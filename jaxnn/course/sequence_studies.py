"""The computations behind the figures of sequences: how far a gradient reaches, gates and attention over a text."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float

from jaxnn.kernels.array_types import AnyArray
from jaxnn.kernels.matmul import add_bias
from jaxnn.layer import Layer, Params
from jaxnn.layers import recur
from jaxnn.layers.attention import AttentionResiduals
from jaxnn.layers.cells import CellSpec
from jaxnn.traverse import Visit, visits

#: The cells whose gradients are compared.
CELLS: dict[str, CellSpec] = {
    "simple": {"name": "simple", "units": 32},
    "GRU": {"name": "gru", "units": 32},
    "LSTM": {"name": "lstm", "units": 32},
}


def gradients_by_distance(
    cells: Mapping[str, CellSpec] = CELLS, places: int = 100, *, batch: int = 16, seed: int = 0
) -> dict[str, np.ndarray]:
    """How much the last output depends on earlier inputs: the mean norm of ∂L/∂xₜ for a dy of norm 1 at the last place.

    cells: by name; their parameters are the initial ones
    Returns name -> norms (places,), of which entry d is d places before the last.
    """
    key_x, key_y, key_params = jax.random.split(jax.random.key(seed), 3)
    x = jax.random.normal(key_x, (batch, places, 8))
    norms = {}
    for name, cell in cells.items():
        layer = recur(cell, last=True)
        params = layer.init(key_params, x)
        y, res = layer.forward(params, x, None)
        dy = jax.random.normal(key_y, y.shape)
        dx = layer.backward(params, res, dy / jnp.linalg.norm(dy, axis=-1, keepdims=True))[1]
        norms[name] = np.asarray(jnp.linalg.norm(dx, axis=-1).mean(0))[::-1]
    return norms


def lstm_gates(visit: Visit) -> dict[str, np.ndarray]:
    """The gates of a recurrent layer with an LSTM cell: input, forget and output, each (batch, time, units).

    visit: the layer's, of `jaxnn.traverse.visits`
    """
    params: Any = visit.step.params
    before = jnp.pad(visit.y[:, :-1], ((0, 0), (1, 0), (0, 0)))
    z = add_bias(visit.x @ params.input.weight, params.input.bias) + before @ params.recurrent.weight
    i, f, _, o = jnp.split(z, 4, axis=-1)
    return {name: np.asarray(jax.nn.sigmoid(gate)) for name, gate in (("input", i), ("forget", f), ("output", o))}


def attention_weights(res: AttentionResiduals) -> Float[Array, "batch heads time time"]:
    """How much each place (row) reads of each other place (column) in a causal layer: P of `attention`, from what its
    forward pass keeps."""
    time, size = res.q.shape[2:]
    scores = jnp.matmul(res.q, res.k.swapaxes(2, 3)) * size**-0.5
    return jnp.where(jnp.tri(time, dtype=bool), jnp.exp(scores - res.logs[..., None]), 0)


def attention_by_block(model: Layer, params: Params, tokens: AnyArray) -> list[np.ndarray]:
    """The attention weights (batch, heads, time, time) of each causal attention in a model, in the order of the model.

    tokens: (batch, time)
    """
    kept = [visit.res for visit in visits(model, params, jnp.asarray(tokens))]
    residuals = jax.tree.leaves(kept, is_leaf=lambda a: isinstance(a, AttentionResiduals))
    return [np.asarray(attention_weights(res)) for res in residuals if isinstance(res, AttentionResiduals)]
