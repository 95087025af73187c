"""What a model is made of: shapes, parameters, what its forward pass keeps for the way back, and its arithmetic."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import numpy as jnp

from jaxnn.kernels.trace_context import whole_batch
from jaxnn.layer import Batch, Layer, Params, check_layer
from jaxnn.shapes import check_arrays
from jaxnn.traverse import steps


class Row(NamedTuple):
    """A layer, for the batch that was given.

    path: its name inside the model: "body/0"
    layer: the name of its constructor
    output: the shape of its output (or its outputs')
    parameters: how many numbers it trains
    residual_bytes: what `forward` keeps for `backward`
    flops: the floating-point operations of one forward and one backward, as the compiler counts them
    """

    path: str
    layer: str
    output: Any
    parameters: int
    residual_bytes: int
    flops: int


class Summary(NamedTuple):
    """A row for each layer in order, and the totals."""

    rows: tuple[Row, ...]

    @property
    def parameters(self) -> int:
        return sum(row.parameters for row in self.rows)

    @property
    def residual_bytes(self) -> int:
        return sum(row.residual_bytes for row in self.rows)

    @property
    def flops(self) -> int:
        return sum(row.flops for row in self.rows)

    def __str__(self) -> str:
        head = ("layer", "output", "parameters", "residual bytes", "FLOPs")
        body = [(_label(row), str(row.output), *(f"{number:,}" for number in row[3:])) for row in self.rows]
        total = ("total", "", *(f"{n:,}" for n in (self.parameters, self.residual_bytes, self.flops)))
        width = [max(len(line[i]) for line in (head, *body, total)) for i in range(len(head))]
        sides = ("<", "<", ">", ">", ">")
        lines = (
            "  ".join(f"{cell:{side}{w}}" for cell, side, w in zip(line, sides, width, strict=True))
            for line in (head, *body, total)
        )
        return "\n".join(line.rstrip() for line in lines)


def _label(row: Row) -> str:
    """The layer's name, after its path where that is a name and no number."""
    return row.layer if row.path.replace("/", "").isdecimal() or not row.path else f"{row.path} ({row.layer})"


def summary(model: Layer, x: Batch) -> Summary:
    """The summary of `model` for a batch like `x` (arrays or `jax.ShapeDtypeStruct`). Nothing is computed.
    Raises `UserError` for what is no layer, and for an x that does not fit it.

    >>> import jax, jaxnn
    >>> x = jax.ShapeDtypeStruct((1, 784), "float32")
    >>> jaxnn.summary(jaxnn.mlp([30, 10], jaxnn.sigmoid()), x).parameters
    23860
    """
    check_layer("summary", model)
    check_arrays("summary", "x", x)
    x = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), x)
    params = jax.eval_shape(model.init, jax.random.key(0), x)
    rows, counted = [], set()
    for step in steps(model, params):
        forward = functools.partial(_training_forward, step.layer)
        y, res = jax.eval_shape(forward, step.params, x)
        leaves = jax.tree.leaves(y)
        # Lengths of sequences and the edges of a graph are integers beside the numbers of a layer.
        floating = [leaf for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.floating)]
        shapes = [leaf.shape for leaf in floating or leaves]
        # Shared weights are counted where they are met first.
        size = 0 if step.params_path in counted else sum(math.prod(a.shape) for a in jax.tree.leaves(step.params))
        counted.add(step.params_path)
        rows.append(
            Row(
                step.path,
                step.layer.name,
                shapes[0] if len(shapes) == 1 else tuple(shapes),
                size,
                sum(nbytes(leaf) for leaf in jax.tree.leaves(res)),
                _flops(step.layer, step.params, x, y),
            )
        )
        x = y
    return Summary(tuple(rows))


def _training_forward(layer: Layer, params: Params, x: Batch) -> tuple[Batch, Any]:
    return layer.forward(params, x, jax.random.key(0))


def _flops(layer: Layer, params: Params, x: Batch, dy: Batch) -> int:
    def there_and_back(params, x, dy):
        y, res = layer.forward(params, x, None)
        return y, layer.backward(params, res, dy)

    return flops(there_and_back, params, x, dy)


def flops(f: Callable[..., Any], *args: Any) -> int:
    """The floating-point operations of `f(*args)` (arrays or shapes), as the compiler counts them."""
    with whole_batch():
        cost = jax.jit(f).lower(*args).cost_analysis()
    return int(cost.get("flops", 0)) if isinstance(cost, dict) else 0


def nbytes(a: Any) -> int:
    """The bytes of an array, or of one of that shape and type; none for a key."""
    return math.prod(a.shape) * getattr(a.dtype, "itemsize", 0)
