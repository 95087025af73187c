"""One traversal of a model, by the names of its layers: what goes in, what comes out, what is kept, what is derived.

The summary, the diagnosis of NaN, `activations` and `gradients` all use it. A `serial` is opened, also inside another;
every other layer is one step.
"""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax

from jaxnn.kernels.xla_options import compiler_options
from jaxnn.layer import Batch, Key, Layer, Params, Residuals, check_entries, check_layer, params_of, part_key
from jaxnn.loss import Loss
from jaxnn.losses import check_loss


class Step(NamedTuple):
    """A layer of a model where the traversal meets it.

    path: its name, after those of the layers around it: "body/0"
    params_path: the path of its parameters; it differs from `path` where weights are shared
    """

    path: str
    params_path: str
    layer: Layer
    params: Params
    key: Key

    @property
    def label(self) -> str:
        """The layer as a message names it: `layer body/0 (dense)`."""
        return f"layer {self.path} ({self.layer.name or 'unnamed'})" if self.path else self.layer.name or "the layer"


class Visit(NamedTuple):
    """What the forward pass of one layer took and gave."""

    step: Step
    x: Batch
    y: Batch
    res: Residuals


def steps(model: Layer, params: Params, key: Key = None, path: str = "", params_path: str = "") -> Iterator[Step]:
    """The layers of a model in the order of its forward pass, each with its parameters and its key."""
    check_layer("the model", model)
    if model.name != "serial":
        yield Step(path, params_path, model, params, key)
        return
    check_entries("serial", model.parts, params)
    for part in model.parts:
        below, params_below = (
            f"{outer}/{name}".lstrip("/") for outer, name in ((path, part.name), (params_path, part.params))
        )
        yield from steps(part.layer, params_of(part, params), part_key(key, part.name), below, params_below)


def visits(model: Layer, params: Params, x: Batch, key: Key = None) -> Iterator[Visit]:
    """The forward pass, a layer at a time."""
    for step in steps(model, params, key):
        y, res = step.layer.forward(step.params, x, step.key)
        yield Visit(step, x, y, res)
        x = y


def compiled_visits(model: Layer, params: Params, x: Batch) -> list[Visit]:
    """The same as one program and not an operation at a time. Nothing is kept: `res` is empty."""

    @functools.partial(jax.jit, compiler_options=compiler_options())
    def passed(params: Params, x: Batch) -> list[tuple[Batch, Batch]]:
        return [(visit.x, visit.y) for visit in visits(model, params, x)]

    return [Visit(step, x, y, ()) for step, (x, y) in zip(steps(model, params), passed(params, x), strict=True)]


def activations(model: Layer, params: Params, x: Batch, key: Key = None) -> dict[str, Batch]:
    """The output of every layer for a batch x, by the layer's path.

    >>> import jax, jaxnn
    >>> model = jaxnn.serial(hidden=jaxnn.dense(3), bend=jaxnn.tanh())
    >>> x = jax.numpy.ones((2, 4))
    >>> {path: y.shape for path, y in jaxnn.activations(model, model.init(jax.random.key(0), x), x).items()}
    {'hidden': (2, 3), 'bend': (2, 3)}
    """
    return {visit.step.path: visit.y for visit in visits(model, params, x, key)}


def backwards(passed: list[Visit], dy: Batch) -> Iterator[tuple[Step, Params, Batch]]:
    """The hand-written backward pass, a layer at a time: (layer, dparams, dx)."""
    for visit in reversed(passed):
        dparams, dy = visit.step.layer.backward(visit.step.params, visit.res, dy)
        yield visit.step, dparams, dy


def gradients(model: Layer, loss: Loss, params: Params, x: Batch, target: Batch, key: Key = None) -> dict[str, Params]:
    """The hand-written gradient of the loss for every layer that has parameters, by the path of its parameters.

    Where weights are shared, the entry is the sum over the places that use them.
    """
    check_loss("gradients", loss)
    passed = list(visits(model, params, x, key))
    _, dy = loss(passed[-1].y, target)
    found: dict[str, Any] = {}
    for step, dparams, _ in backwards(passed, dy):
        if jax.tree.leaves(dparams):
            old = found.get(step.params_path)
            found[step.params_path] = dparams if old is None else jax.tree.map(lambda a, b: a + b, old, dparams)
    return dict(reversed(found.items()))
