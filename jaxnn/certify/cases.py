"""The table of cases: a layer, loss or model joins the laws, the command and the docs by one row. Sizes are primes."""

import functools
import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn import combine, models
from jaxnn.certify.case import Case, Constructor, case, normal_like
from jaxnn.certify.vjp_rule import Rule, of_layer, of_loss, of_model, of_weighted_loss
from jaxnn.combine import serial, share
from jaxnn.kernels.trace_context import constant_batch
from jaxnn.layer import Layer, empty_init
from jaxnn.layers import (
    LAYERS,
    conv,
    dense,
    flatten,
    gelu,
    identity,
    l2_pool,
    sigmoid,
    silu,
    softplus,
    tanh,
)
from jaxnn.losses import LOSSES, Reduction, softmax_cross_entropy
from jaxnn.models import cnn, mlp


class Row(NamedTuple):
    """A line of the table: the public name, what is particular about this case, and how to build it with what the
    name stands for, or with a mutant of that.

    A `thorough` case stands under every law; the others are spared those that only compile the same gradient anew.
    """

    of: str
    note: str
    build: Callable[[Constructor], tuple[Rule, tuple]]
    thorough: bool

    @property
    def name(self) -> str:
        return f"{self.of}: {self.note}" if self.note else self.of


def _layer(
    of: str,
    note: str,
    build: Callable[[Constructor], Layer],
    shape: Any,
    seed: int | None = None,
    thorough: bool = False,
) -> Row:
    def make(constructor):
        layer = build(constructor)
        key = None if seed is None else jax.random.key(seed)
        return of_layer(layer, key), layer_args(layer, shape)

    return Row(of, note, make, thorough or not note)


def layer_args(layer: Layer, shape: Any, seed: int = 0) -> tuple:
    """(params, x) for `layer`, random: initial parameters would hide a bias behind its zero.

    shape: of x, or a pytree of shapes (tuples of integers)
    """
    x = jax.tree.map(lambda axes: jax.ShapeDtypeStruct(axes, jnp.float64), shape, is_leaf=_is_shape)
    params = jax.eval_shape(layer.init, jax.random.key(0), x)
    return normal_like(seed, params, 0.5), normal_like(seed + 1, x)


def _is_shape(node: Any) -> bool:
    return isinstance(node, tuple) and all(isinstance(n, int) for n in node)


_REDUCTIONS: tuple[Reduction, ...] = ("mean", "sum")
#: What a loss is tried on: a note, the number of outputs, whether targets are labels, the shape of the places.
_TARGETS = (
    ("labels", 11, True, (7,)),
    ("targets", 11, False, (7,)),
    ("one output", 1, True, (7,)),
    ("labels of a sequence", 5, True, (7, 3)),
    ("weighted", 5, True, (7, 3)),
)


def _loss(name: str, reduction: Reduction, note: str, outputs: int, labels: bool, places: tuple[int, ...]) -> Row:
    def make(constructor):
        rng = np.random.default_rng(0)
        shape = (*places, outputs)
        target = rng.integers(max(outputs, 2), size=places, dtype=np.int32) if labels else rng.uniform(size=shape)
        loss, y = constructor(reduction), 3 * rng.normal(size=shape)
        if note == "weighted":
            # The first example is masked.
            return of_weighted_loss(loss), (y, target, np.arange(places[0], dtype=float))
        return of_loss(loss), (y, target)

    return Row(name, f"{reduction}, {note}", make, (reduction, note) == ("mean", "labels"))


def _model(note: str, build: Callable[[], Layer], shape: tuple[int, ...], classes: int) -> Row:
    def make(constructor):
        model = build()
        target = np.random.default_rng(2).integers(classes, size=shape[0], dtype=np.int32)
        return of_model(model, softmax_cross_entropy(), constructor), (*layer_args(model, shape), target)

    return Row("value_and_grad", note, make, thorough=True)


def _decay() -> Row:
    """The penalty (λ/2) Σ w² on weights alone, as an optimizer adds it to a gradient of zero."""

    def make(constructor):
        transform = constructor("sgd", 1.0, l2=0.3)

        def penalty(params):
            return 0.15 * (params.weight**2).sum()

        def backward(params, dy):
            zero = jax.tree.map(jnp.zeros_like, params)
            updates, _ = transform.update(zero, transform.init(params), params)
            return (jax.tree.map(lambda step: -dy * step, updates),)

        rule = Rule(penalty, lambda params: (penalty(params), params), backward, ("params",), (0,))
        return rule, (layer_args(dense(5), (2, 3))[0],)

    return Row("optimizer", "L2 decay", make, thorough=True)


def _plain(of: Constructor) -> Layer:
    return of()


def _staying(layer: Layer) -> Layer:
    """The layer as it is traced in a loop whose every step sees the same batch."""

    def backward(params, res, dy):
        with constant_batch():
            return layer.backward(params, res, dy)

    return layer._replace(backward=backward)


def _on_leaves(layer: Layer) -> Layer:
    """A layer without parameters on each leaf of a dictionary."""

    def forward(params, x, key):
        outputs = {name: layer.forward(params, leaf, key) for name, leaf in x.items()}
        return {name: y for name, (y, _) in outputs.items()}, {name: res for name, (_, res) in outputs.items()}

    def backward(params, res, dy):
        return (), {name: layer.backward(params, res[name], leaf)[1] for name, leaf in dy.items()}

    return Layer(empty_init, forward, backward, "on_leaves")


def _bare_tanh(of: Constructor) -> Layer:
    """tanh with its weight, left to autodiff: the one layer of the table whose backward nobody derived."""
    return of(lambda key, x: (jnp.ones(x.shape[-1:], x.dtype),), _weighed_tanh)


def _weighed_tanh(params, x, key):
    del key
    return jnp.tanh(x * jnp.broadcast_to(params[0], x.shape))


_ELEMENTWISE = ("identity", "sigmoid", "tanh", "relu", "softplus", "leaky_relu", "elu", "gelu", "silu", "threshold")
_POOLS = ("max_pool", "average_pool", "l2_pool")
_IMAGE = (2, 7, 11, 3)

ROWS: tuple[Row, ...] = (
    *(_layer(name, "", _plain, (3, 5, 7)) for name in _ELEMENTWISE),
    _layer("leaky_relu", "slope 0.3", lambda of: of(0.3), (7, 13)),
    _layer("elu", "alpha 0.7", lambda of: of(0.7), (7, 13)),
    _layer("softmax", "", _plain, (7, 13)),
    _layer("softmax", "along the last of three axes", _plain, (3, 5, 7)),
    _layer("dense", "", lambda of: of(11), (7, 13)),
    _layer("dense", "tiny", lambda of: of(3), (2, 5)),
    _layer("dense", "no bias", lambda of: of(11, bias=False), (7, 13)),
    _layer("dense", "one unit", lambda of: of(1), (7, 13)),
    _layer("dense", "few units, long batch", lambda of: of(3), (67, 5)),
    _layer("dense", "three axes", lambda of: of(11), (3, 5, 7)),
    _layer("dense", "few units", lambda of: of(3), (17, 19)),
    _layer("dense", "a batch that stays", lambda of: _staying(of(11)), (7, 17)),
    _layer("conv", "", lambda of: of(5, 3), _IMAGE),
    _layer("conv", "tiny", lambda of: of(2, 2), (2, 3, 5, 1)),
    _layer("conv", "many channels", lambda of: of(5, 3), (2, 5, 7, 11)),
    _layer("conv", "no bias", lambda of: of(5, [2, 3], bias=False), _IMAGE),
    _layer("conv", "1×1", lambda of: of(5, 1), _IMAGE),
    _layer("conv", "kernel as large as the image", lambda of: of(5, [7, 11]), _IMAGE),
    _layer("conv", "SAME, even kernel", lambda of: of(5, [2, 4], padding="SAME"), _IMAGE),
    _layer("conv", "SAME, stride 2", lambda of: of(5, 3, 2, "SAME"), _IMAGE),
    _layer("conv", "stride (3, 2) leaves rows unread", lambda of: of(5, [2, 3], [3, 2]), (2, 7, 12, 3)),
    _layer("conv", "stride beyond the kernel", lambda of: of(5, 2, 3), _IMAGE),
    _layer("conv", "dilation (2, 3)", lambda of: of(5, [3, 2], dilation=[2, 3]), _IMAGE),
    _layer("conv", "uneven padding", lambda of: of(5, 3, padding=[[0, 2], [2, 1]]), _IMAGE),
    _layer(
        "conv", "all at once", lambda of: of(5, [3, 2], [2, 3], [[1, 2], [3, 0]], [2, 3]), (2, 7, 11, 13), thorough=True
    ),
    _layer("conv_max_pool", "", lambda of: of(5, [3, 2]), _IMAGE),
    _layer("conv_max_pool", "tiny", lambda of: of(2, 2), (2, 3, 5, 1)),
    _layer("conv_max_pool", "pool (2, 3) leaves columns unread", lambda of: of(5, 2, [2, 3]), (2, 7, 12, 3)),
    *(_layer(pool, "", lambda of: of(2), _IMAGE) for pool in _POOLS),
    *(_layer(pool, "tiny", lambda of: of(2), (2, 2, 5, 3)) for pool in _POOLS),
    *(_layer(pool, "overlapping", lambda of: of([3, 2], 1), _IMAGE) for pool in _POOLS),
    *(_layer(pool, "SAME, stride 2", lambda of: of(3, 2, "SAME"), _IMAGE, thorough=True) for pool in _POOLS),
    *(_layer(pool, "SAME tiles", lambda of: of([3, 2], None, "SAME"), _IMAGE) for pool in _POOLS),
    *(_layer(pool, "stride beyond the window", lambda of: of(2, 3), _IMAGE) for pool in _POOLS),
    *(_layer(pool, "uneven padding", lambda of: of([3, 2], [2, 3], [[0, 2], [1, 0]]), _IMAGE) for pool in _POOLS),
    _layer("flatten", "", _plain, (2, 3, 5, 7)),
    _layer("reshape", "", lambda of: of([5, 3, 7]), (2, 7, 15)),
    _layer("dropout", "", lambda of: of(0.3), (7, 13), seed=2),
    _layer("dropout", "evaluating", lambda of: of(0.3), (7, 13)),
    _layer("serial", "", lambda of: of(dense(11), tanh(), dense(5), softplus()), (7, 13)),
    _layer("serial", "images", lambda of: of(conv(5, 3), gelu(), l2_pool(2), flatten(), dense(3)), (2, 7, 9, 3)),
    _layer("serial", "no layers", _plain, (7, 13)),
    _layer("serial", "named parts", lambda of: of(hidden=dense(11), bend=tanh(), head=dense(5)), (7, 13)),
    _layer(
        "serial",
        "shared weights",
        lambda of: of(first=dense(13), bend=tanh(), again=share("first"), last=share("first", dense(13))),
        (7, 13),
    ),
    _layer("parallel", "", lambda of: of(dense(11), serial(dense(5), sigmoid(), dense(11))), (7, 13)),
    _layer("parallel", "concatenated", lambda of: of(dense(3), identity(), dense(5), combine="concatenate"), (7, 13)),
    _layer(
        "parallel",
        "concatenated pytrees",
        lambda of: of(_on_leaves(tanh()), _on_leaves(silu()), combine="concatenate"),
        {"a": (7, 3), "b": (7, 5)},
    ),
    _layer("residual", "a pytree", lambda of: of(_on_leaves(tanh())), {"a": (7, 3), "b": (7, 5, 2)}),
    _layer("residual", "", lambda of: of(serial(dense(11), silu(), dense(13))), (7, 13)),
    _layer("residual", "images", lambda of: of(conv(3, 3, padding="SAME")), _IMAGE),
    _layer("autodiff", "", _bare_tanh, (7, 13)),
    *(
        _loss(name, reduction, *target)
        for name in LOSSES
        for reduction in _REDUCTIONS
        for target in _TARGETS
        if (name, target[1]) != ("softmax_cross_entropy", 1)
    ),
    _layer("mlp", "", lambda of: of((11, 7, 5), tanh()), (3, 13)),
    _model("mlp", lambda: mlp((11, 5), sigmoid()), (7, 13), 5),
    _layer("cnn", "", lambda of: of(5, 3, 3, 7), (2, 7, 9, 1)),
    _model("cnn", lambda: cnn(5, 3, 3, 7), (2, 7, 9, 1), 5),
    _decay(),
)


#: name -> row
TABLE = {row.name: row for row in ROWS}
assert len(TABLE) == len(ROWS), "two rows of the table have one name"


#: Where the names stand that are no layer, combinator, loss or model.
_OTHERS = {"autodiff": "jaxnn.backprop", "value_and_grad": "jaxnn.backprop", "optimizer": "jaxnn.train.optimizers"}


def constructor(of: str) -> Constructor:
    """What the public name `of` stands for."""
    for table in (LAYERS, LOSSES, vars(combine), vars(models)):
        if of in table:
            return table[of]
    return getattr(importlib.import_module(_OTHERS[of]), of)


def case_of(row: Row, make: Constructor | None = None) -> Case:
    """The case of a row; `make` builds it in place of what its name stands for."""
    return case(row.name, row.of, *row.build(make or constructor(row.of)))


@functools.cache
def build(name: str) -> Case:
    """The case of the row of this name."""
    return case_of(TABLE[name])
