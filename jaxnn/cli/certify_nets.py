"""Whole nets with their losses as targets of `jaxnn certify`: arguments at random, and the costs of a training step."""

import math
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.case import Case, cast_floating, layer_args, make_case
from jaxnn.certify.cost import CostComparison, float32_cost, residual_bytes
from jaxnn.certify.vjp_rule import layer_rule, model_rule
from jaxnn.graph import Graph, SparseFeatures, make_edges, make_sparse_features
from jaxnn.layer import Layer
from jaxnn.loss import Loss
from jaxnn.sequence import Sequence
from jaxnn.targets import plain_output

#: Nodes of the graph at which a net for graphs is certified.
GRAPH_NODES = 30


def batch_like(example: Any, batch: int) -> Any:
    """A batch of the shapes and types of one input, for `layer_args`; sequences have lengths from 1 to their time, and
    a graph is a small one."""
    if isinstance(example, Graph):
        return _graph_like(example, batch)
    x = jax.tree.map(lambda a: jax.ShapeDtypeStruct((batch, *a.shape[1:]), a.dtype), example)
    if isinstance(x, Sequence):
        lengths = np.random.default_rng(3).integers(1, x.values.shape[1], size=batch, endpoint=True)
        x = x._replace(lengths=lengths.astype(x.lengths.dtype))
    return x


def _graph_like(example: Graph, batch: int) -> Graph:
    """Graphs of at most `GRAPH_NODES` nodes, with at most so many features, and with random edges."""
    nodes = min(example.edges.degrees.shape[-1], GRAPH_NODES)
    sparse = isinstance(example.nodes, SparseFeatures)
    features = example.nodes.columns.order.shape[-1] if sparse else example.nodes.shape[-1]
    features, rng = min(features, GRAPH_NODES), np.random.default_rng(3)
    edges = make_edges(rng.integers(nodes, size=2 * nodes), rng.integers(nodes, size=2 * nodes), nodes)
    if sparse:
        node, feature = np.repeat(np.arange(nodes), 3), rng.integers(features, size=3 * nodes)
        values = make_sparse_features(node, feature, rng.normal(size=3 * nodes), nodes, features)
    else:
        values = rng.uniform(size=(1, nodes, features))
    return jax.tree.map(lambda a: np.repeat(a, batch, axis=0), Graph(values, edges))


def net_case(name: str, model: Layer, loss: Loss, x: Any) -> Case:
    """A net and its loss as a case. x: as for `layer_args`."""
    params, x, target = net_args(model, x)
    # Scaled like initial weights: random weights of size 1 would saturate every neuron.
    params = jax.tree.map(lambda a: a / math.sqrt(max(a.size // a.shape[-1], 1)), params)
    return make_case(name, name, model_rule(model, loss), (params, x, target))


def net_cost(model: Layer, loss: Loss, x: Any) -> CostComparison:
    """The costs of a net's training step: the gradient with respect to its parameters, and the model's residuals."""
    params, x, target = net_args(model, x)
    step = float32_cost(model_rule(model, loss), (params, x, target))
    # The residual of a step's rule is the gradient itself: the bytes kept in between are those of the model.
    model_bytes = residual_bytes(layer_rule(model), cast_floating((params, x), np.float32))
    return CostComparison(*(cost._replace(residual_bytes=n) for cost, n in zip(step, model_bytes, strict=True)))


def net_args(model: Layer, x: Any) -> tuple[Any, Any, jax.Array]:
    """The parameters and the inputs that `layer_args` draws, and a label for each place of the output; for a
    variational autoencoder, whose output is a pair, grey pixels."""
    params, x = layer_args(model, x)
    output = jax.eval_shape(model.apply, params, x)
    if isinstance(output, tuple) and not isinstance(output, Sequence):
        return params, x, jnp.asarray(np.random.default_rng(2).uniform(size=output[0].shape))
    shape = plain_output(output).shape
    return params, x, labels(shape[:-1], shape[-1])


def labels(places: tuple[int, ...], outputs: int) -> jax.Array:
    """Labels: every loss takes them, whatever the targets of the config are."""
    return jnp.asarray(np.random.default_rng(2).integers(max(outputs, 2), size=places))
