"""Checks of the net's output against the loss: what no weights could learn is refused when the config is loaded.

The cross-entropies and the perceptron's criterion contain their activation: they take the numbers before it, which must
be free to grow. softmax_cross_entropy sees differences of outputs, so one side may be bounded (a ReLU may come last);
sigmoid_cross_entropy and perceptron need both signs. A bounded layer last gives the loss a floor that no training
passes, which is a mistake and never a choice: remove the layer, or take a loss of outputs such as quadratic.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from jaxnn.config.errors import ConfigProblem, KeyPath

#: The losses that take the numbers before an activation, and that activation.
CONTAINED = {
    "softmax_cross_entropy": "softmax",
    "sigmoid_cross_entropy": "sigmoid",
    "perceptron": "threshold",
}
#: Layers whose output lies between two numbers.
BOUNDED = {
    "sigmoid": "between 0 and 1",
    "softmax": "between 0 and 1",
    "tanh": "between −1 and 1",
    "threshold": "0 or 1",
}
#: Layers whose output has a lower bound.
BOUNDED_BELOW = {
    "relu": "at least 0",
    "softplus": "above 0",
    "elu": "above −alpha",
    "gelu": "above −0.2",
    "silu": "above −0.3",
}
#: Layers behind which the bounds stay.
TRANSPARENT = ("dropout", "flatten", "reshape", "identity", "max_pool", "average_pool")
#: Layers that keep the number of outputs, so that one unit stays one.
ELEMENTWISE = ("dropout", "identity", "leaky_relu", *BOUNDED, *BOUNDED_BELOW)


def check_output(tables: Mapping[str, Any]) -> Iterator[ConfigProblem]:
    """The problems of the last layers under the loss. A table that is not valid is skipped."""
    loss = tables.get("loss")
    name = loss.get("name") if isinstance(loss, Mapping) else None
    name = name if isinstance(name, str) else ""
    layers = list(_from_the_end(tables.get("net"), ("net",)))
    problem = _bounded_output(name, layers) if name in CONTAINED else None
    if problem is None:
        problem = _softmax_of_one(name, layers)
    if problem is not None:
        yield problem


def _from_the_end(net: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """The layers with their paths, from the last to the first; a serial is opened, another combination is not."""
    for i, layer in reversed(list(enumerate(net if isinstance(net, list) else []))):
        if not isinstance(layer, Mapping):
            return
        if layer.get("layer") == "serial":
            yield from _from_the_end(layer.get("layers"), (*path, i, "layers"))
        else:
            yield (*path, i), layer


def _bounded_output(loss: str, layers: list[tuple[KeyPath, Mapping[str, Any]]]) -> ConfigProblem | None:
    names = ((path, table.get("layer")) for path, table in layers)
    path, name = next(((path, name) for path, name in names if name not in TRANSPARENT), ((), None))
    bounds = BOUNDED if loss == "softmax_cross_entropy" else BOUNDED | BOUNDED_BELOW
    if not isinstance(name, str) or name not in bounds:
        return None
    activation = CONTAINED[loss]
    reason = "twice" if name == activation else f"its output is {bounds[name]}, which gives the loss a floor"
    return ConfigProblem(
        (*path, "layer"),
        f"{loss} contains the {activation} and takes the numbers before it: expected no {name} as the last layer, "
        f"found one ({reason}); remove it, or use the loss quadratic",
    )


def _softmax_of_one(loss: str, layers: list[tuple[KeyPath, Mapping[str, Any]]]) -> ConfigProblem | None:
    """One unit under a softmax, which is 1 whatever the unit says."""
    softmax = loss == "softmax_cross_entropy"
    for path, table in layers:
        name = table.get("layer")
        if softmax and name == "dense" and table.get("units") == 1:
            return ConfigProblem(
                (*path, "units"),
                "a softmax over one unit is always 1: expected a unit for each class, at least 2, found 1; "
                "two classes with one unit: the loss sigmoid_cross_entropy",
            )
        softmax = softmax or name == "softmax"
        if name not in ELEMENTWISE:
            return None
    return None
