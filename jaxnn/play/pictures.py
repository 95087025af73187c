"""What the page draws of a net's parameters: its decision boundary, what each unit says, and its weights, as bytes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float, UInt8

from jaxnn.experiment.definition import Experiment
from jaxnn.experiment.plane import plane_grid
from jaxnn.kernels.xla_options import compiler_options
from jaxnn.layer import Layer, Params
from jaxnn.traverse import activations, steps

#: Places along a side of the decision boundary, and of the map of a unit.
BOUNDARY_SIDE, UNIT_SIDE = 200, 50
#: A layer of more units is shown by its first ones.
MAX_UNITS = 32
#: Layers that change each number by itself: they belong to the layer before them.
JOINED = frozenset(
    {"identity", "sigmoid", "tanh", "relu", "gelu", "silu", "elu", "leaky_relu", "softplus", "threshold", "softmax"}
    | {"dropout", "layer_norm", "rms_norm", "batch_norm", "group_norm"}
)

Maps = UInt8[Array, "units height width"]


class Column(NamedTuple):
    """The units of a layer, as the page draws them in a column: each is a map of height × width bytes.

    label: the layer and those that follow it: "dense, relu"
    path, first: of the last and of the first of these layers
    shape: of the output of one example
    """

    label: str
    path: str
    first: str
    shape: tuple[int, ...]


class Pictures(NamedTuple):
    """The pictures of an experiment.

    kind: "plane" for a classifier of points of the plane, "image" for a net that sees an image, "" for others, of which
        only curves are drawn
    low, high: corners of the part of the plane that is drawn
    draw(params, x) -> arrays by name, of one seed. `winner` and `confidence`, (rows, columns) each, are the likeliest
        class at each place of the plane and how far it is ahead, 0 to 255. `column 0`, `column 1`, … have a map for
        each unit, (units, height, width), `weights 0`, … the weights before them, (fan in, units), and `filters` the
        first layer's weights as images; in these 128 is zero, and the largest absolute value is 1 or 255
    example: what `draw` takes as x: an input as the data have it, (1, …)
    """

    kind: str
    columns: tuple[Column, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    draw: Callable[[Params, Any], dict[str, Array]] | None = None
    example: np.ndarray | None = None


def make_pictures(experiment: Experiment) -> Pictures:
    """The pictures of an experiment's first seed; of another seed with its own data, take `of_seed` first."""
    single_seed = experiment.of_seed(0)
    examples, update = single_seed.examples("train"), single_seed.bound()
    if update.model is None or update.predict is None or not isinstance(examples, tuple):
        return Pictures("")
    x, source = examples[0], single_seed.source
    shape = getattr(x, "shape", ())
    if len(shape) == 2 and shape[1] == 2 and single_seed.task() == "classification":
        return _plane(single_seed, update.model, np.asarray(x))
    if len(shape) == 4 and single_seed.task() == "classification":
        model = update.model

        def draw(params, x):
            seen = source.prepare(source.stats, (x, None))[0]
            return _maps(model, params, seen, columns, lambda y: y[0]) | _filters(model, params, seen.shape[1:])

        columns = _columns(single_seed, model)
        return Pictures("image", columns, draw=_compiled(draw), example=np.asarray(x[:1]))
    return Pictures("")


def _plane(experiment: Experiment, model: Layer, points: np.ndarray) -> Pictures:
    low, high = points.min(axis=0), points.max(axis=0)
    # The same scale in both directions, with a margin.
    middle, half = (low + high) / 2, float((high - low).max()) * 0.55 or 1.0
    low, high = middle - half, middle + half
    predict, source = experiment.bound().predict, experiment.source
    assert predict is not None

    def plane(side):
        grid = plane_grid(low, high, side)[2]
        return source.prepare(source.stats, (jnp.asarray(grid), None))[0]

    def draw(params, x):
        del x
        winner, confidence = boundary(predict(params, plane(BOUNDARY_SIDE)))
        square = (BOUNDARY_SIDE, BOUNDARY_SIDE)
        maps = _maps(model, params, plane(UNIT_SIDE), columns, lambda y: y.reshape(UNIT_SIDE, UNIT_SIDE, -1))
        return {"winner": winner.reshape(square), "confidence": confidence.reshape(square)} | maps

    columns = _columns(experiment, model)
    return Pictures("plane", columns, tuple(map(float, low)), tuple(map(float, high)), _compiled(draw), points[:1])


def boundary(output: Float[Array, "places classes"]) -> tuple[UInt8[Array, "places"], UInt8[Array, "places"]]:
    """The likeliest class of each output, and how far it is ahead of the second, from 0 to 255."""
    if output.shape[-1] == 1:
        output = jnp.concatenate([1 - output, output], axis=-1)
    winner, first = output.argmax(axis=-1), output.max(axis=-1)
    # Not by `top_k`, which sorts: the picture would cost three times as much.
    others = jnp.where(jnp.arange(output.shape[-1]) == winner[:, None], -jnp.inf, output)
    second = others.max(axis=-1)
    # Outputs need not add up to 1, and scores may be negative.
    ahead = jnp.where(second < 0, jnp.tanh((first - second) / 2), (first - second) / jnp.maximum(first + second, 1e-30))
    return winner.astype(jnp.uint8), jnp.round(255 * ahead.clip(0, 1)).astype(jnp.uint8)


def _columns(experiment: Experiment, model: Layer) -> tuple[Column, ...]:
    """A column for each layer with parameters or of images, with the layers that belong to it."""
    stacked = experiment.state_shapes().best.params
    params = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), stacked)
    x = jax.eval_shape(lambda x: x[:1], experiment.source.example[0])
    outputs = jax.eval_shape(lambda params, x: activations(model, params, x), params, x)
    columns: list[Column] = []
    for step in steps(model, params):
        y = outputs[step.path]
        shape = getattr(y, "shape", (0,))[1:]
        if step.layer.name in JOINED and columns and columns[-1].shape == shape:
            columns[-1] = columns[-1]._replace(
                label=f"{columns[-1].label}, {step.layer.name}", path=step.path, shape=shape
            )
        elif (jax.tree.leaves(step.params) or len(shape) == 3) and len(shape) in (1, 3):
            columns.append(Column(step.layer.name, step.path, step.path, shape))
    return tuple(columns)


def _maps(
    model: Layer, params: Params, x: Any, columns: tuple[Column, ...], as_maps: Callable[[Any], Any]
) -> dict[str, Array]:
    """The maps of every column for an input, and the weights before it. as_maps: y -> (height, width, units)"""
    outputs = activations(model, params, x)
    before = {step.path: getattr(step.params, "weight", None) for step in steps(model, params)}
    drawn = {}
    for i, column in enumerate(columns):
        maps = jnp.moveaxis(jnp.atleast_3d(as_maps(outputs[column.path])), -1, 0)
        if maps.shape[0] == 1 and len(column.shape) == 1 and column.shape[0] > 1:
            maps = maps.reshape(-1, 1, 1)
        drawn[f"column {i}"] = signed_bytes(maps[:MAX_UNITS])
        weight = before[column.first]
        if weight is not None and weight.ndim == 2 and max(weight.shape) <= MAX_UNITS:
            drawn[f"weights {i}"] = signed_bytes(weight)
    return drawn


def _filters(model: Layer, params: Params, shape: tuple[int, ...]) -> dict[str, Array]:
    """The weights of the first layer that has some, as images."""
    for step in steps(model, params):
        weight = getattr(step.params, "weight", None)
        if weight is None:
            continue
        if weight.ndim == 4:
            return {"filters": signed_bytes(jnp.moveaxis(weight.mean(axis=2), -1, 0)[:MAX_UNITS])}
        if weight.ndim == 2 and weight.shape[0] == np.prod(shape):
            images = weight.T[:MAX_UNITS].reshape(-1, *shape).mean(axis=-1)
            return {"filters": signed_bytes(images)}
        return {}
    return {}


def signed_bytes(a: Float[Array, "..."]) -> UInt8[Array, "..."]:
    """Numbers as bytes, where 128 is 0 and the largest absolute value is 1 or 255."""
    scale = jnp.maximum(jnp.abs(a).max(initial=0), 1e-30)
    return jnp.round(128 + 127 * a / scale).clip(0, 255).astype(jnp.uint8)


def _compiled(draw: Callable[[Params, Any], dict[str, Array]]) -> Callable[[Params, Any], dict[str, Array]]:
    return jax.jit(draw, compiler_options=compiler_options())
