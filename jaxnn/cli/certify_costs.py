"""What the backward passes of the library's own layers, losses and models cost, at the sizes of the course's nets."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.case import layer_args, normal_like
from jaxnn.certify.cases import constructor
from jaxnn.certify.cost import CostComparison, float32_cost
from jaxnn.certify.vjp_rule import layer_rule, loss_rule
from jaxnn.cli.certify_nets import labels, net_cost
from jaxnn.graph import Graph, make_edges
from jaxnn.layer import Layer
from jaxnn.layers import LAYERS, graph_attention, graph_nodes, tanh
from jaxnn.loss import Loss
from jaxnn.losses import LOSSES
from jaxnn.targets import Boxes

#: The batch size of a cost comparison.
COST_BATCH = 128
#: The constructor's arguments and the input shape of a layer's cost comparison: sizes of the course's own nets. Other
#: layers have no arguments and rows of 100.
_COST_SIZES: dict[str, tuple[tuple, tuple[int, ...]]] = {
    "dense": ((30,), (784,)),
    "conv": ((20, 5), (28, 28, 1)),
    "conv_max_pool": ((20, 5), (28, 28, 1)),
    "max_pool": ((2,), (24, 24, 20)),
    "average_pool": ((2,), (24, 24, 20)),
    "l2_pool": ((2,), (24, 24, 20)),
    "flatten": ((), (12, 12, 20)),
    "reshape": (((12, 240),), (12, 12, 20)),
    "conv_transpose": ((32, 5, 2), (7, 7, 64)),
    "upsample": ((2,), (14, 14, 32)),
    "group_norm": ((8,), (14, 14, 32)),
    "batch_norm": ((), (14, 14, 32)),
    "part": (([[0, 14], [0, 14]],), (28, 28, 1)),
    "dropout": ((0.3,), (100,)),
    "embedding": ((65, 128), (64,)),
    "unembedding": ((65,), (64, 128)),
    "positional_embedding": ((64,), (64, 128)),
    "layer_norm": ((), (64, 128)),
    "rms_norm": ((), (64, 128)),
    "recur": (({"name": "lstm", "units": 128},), (28, 28)),
    "bidirectional": (({"name": "gru", "units": 64},), (28, 28)),
    "attention": ((4, True), (64, 128)),
    "pool_sequence": ((), (64, 128)),
}


def name_cost(name: str) -> CostComparison | None:
    """The costs of a layer, loss or model at the course's sizes; None for a combination of layers."""
    build = constructor(name)
    if name in LOSSES:
        return _loss_cost(name, build())
    if name == "mlp":
        return net_cost(build((30, 10), tanh()), LOSSES["softmax_cross_entropy"](), (COST_BATCH, 784))
    if name == "cnn":
        return net_cost(build(), LOSSES["softmax_cross_entropy"](), (COST_BATCH, 28, 28, 1))
    if name not in LAYERS or name == "transformer":
        return None
    if name.startswith("graph_"):
        return _graph_cost(build)
    arguments, shape = _COST_SIZES.get(name, ((), (100,)))
    layer, key = build(*arguments), jax.random.key(0) if name in ("dropout", "gaussian") else None
    x: Any = (COST_BATCH, *shape)
    if name == "embedding":
        x = jax.ShapeDtypeStruct(x, jnp.int32)
    return float32_cost(layer_rule(layer, key), layer_args(layer, x))


def _graph_cost(build: Callable[..., Layer]) -> CostComparison:
    """The costs for a graph of 2,000 nodes with six neighbours on the average."""
    rng = np.random.default_rng(3)
    graph = Graph((1, 2000, 64), make_edges(rng.integers(2000, size=6000), rng.integers(2000, size=6000), 2000))
    layer = build() if build is graph_nodes else build(8, 8) if build is graph_attention else build(16)
    return float32_cost(layer_rule(layer, batched=False), layer_args(layer, graph))


def _loss_cost(name: str, loss: Loss) -> CostComparison:
    if name == "elbo":
        y = normal_like(0, tuple(jax.ShapeDtypeStruct((COST_BATCH, n), jnp.float32) for n in (784, 40)))
        return float32_cost(loss_rule(loss), (y, jax.nn.sigmoid(y[0])))
    if name == "detection":
        y = normal_like(0, jax.ShapeDtypeStruct((COST_BATCH, 6, 6, 15), jnp.float32))
        label = jnp.zeros((COST_BATCH, 6, 6), jnp.int32).at[:, 2, 3].set(7)
        return float32_cost(loss_rule(loss), (y, Boxes(label, y[..., -4:])))
    y = normal_like(0, jax.ShapeDtypeStruct((COST_BATCH, 10), jnp.float32))
    return float32_cost(loss_rule(loss), (y, labels((COST_BATCH,), 10)))
