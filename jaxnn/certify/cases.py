"""The table of cases: one row adds a layer, loss or model to the laws, the command and the docs. Sizes are primes."""

import functools
import importlib

import numpy as np

from jaxnn import combine, models
from jaxnn.certify.case import Case, Constructor, make_case
from jaxnn.certify.rows import (
    TOKENS,
    Row,
    autodiff_embedding,
    autodiff_scaled_embedding,
    autodiff_tanh,
    detection_row,
    elbo_row,
    layer_row,
    loss_row,
    model_row,
    on_leaves,
    weight_decay_row,
    with_constant_batch,
    without_arguments,
)
from jaxnn.certify.structured_rows import GRAPH_ROWS, SEQUENCE_ROWS
from jaxnn.combine import serial, share
from jaxnn.layer import Layer
from jaxnn.layers import (
    LAYERS,
    conv,
    dense,
    dropout,
    embedding,
    flatten,
    gaussian,
    gelu,
    identity,
    l2_pool,
    sigmoid,
    silu,
    softplus,
    tanh,
)
from jaxnn.loss import Reduction
from jaxnn.losses import LOSSES, OUTPUT_LOSSES
from jaxnn.models import cnn, mlp

_REDUCTIONS: tuple[Reduction, ...] = ("mean", "sum")
#: The inputs of a loss: a note, the number of outputs, whether targets are labels, the axes before the outputs.
_TARGETS = (
    ("labels", 11, True, (7,)),
    ("targets", 11, False, (7,)),
    ("one output", 1, True, (7,)),
    ("labels of a sequence", 5, True, (7, 3)),
    ("weighted", 5, True, (7, 3)),
)


_ELEMENTWISE = ("identity", "sigmoid", "tanh", "relu", "softplus", "leaky_relu", "elu", "gelu", "silu", "threshold")
_POOLS = ("max_pool", "average_pool", "l2_pool")
_IMAGE = (2, 7, 11, 3)


def _experts() -> tuple[Layer, ...]:
    return tuple(conv(2, kernel) for kernel in (1, 1, 1))


def _token_gate() -> Layer:
    return serial(embedding(11, 3), flatten(), dense(2))


ROWS: tuple[Row, ...] = (
    *(layer_row(name, "", without_arguments, (3, 5, 7)) for name in _ELEMENTWISE),
    layer_row("leaky_relu", "slope 0.3", lambda make: make(0.3), (7, 13)),
    layer_row("elu", "alpha 0.7", lambda make: make(0.7), (7, 13)),
    layer_row("softmax", "", without_arguments, (7, 13)),
    layer_row("softmax", "last of three axes", without_arguments, (3, 5, 7)),
    layer_row("dense", "", lambda make: make(11), (7, 13)),
    layer_row("dense", "tiny", lambda make: make(3), (2, 5)),
    layer_row("dense", "no bias", lambda make: make(11, bias=False), (7, 13)),
    layer_row("dense", "one unit", lambda make: make(1), (7, 13)),
    layer_row("dense", "few units, long batch", lambda make: make(3), (67, 5)),
    layer_row("dense", "three axes", lambda make: make(11), (3, 5, 7)),
    layer_row("dense", "few units", lambda make: make(3), (17, 19)),
    layer_row("dense", "constant batch", lambda make: with_constant_batch(make(11)), (7, 17)),
    layer_row("conv", "", lambda make: make(5, 3), _IMAGE),
    layer_row("conv", "tiny", lambda make: make(2, 2), (2, 3, 5, 1)),
    layer_row("conv", "many channels", lambda make: make(5, 3), (2, 5, 7, 11)),
    layer_row("conv", "no bias", lambda make: make(5, [2, 3], bias=False), _IMAGE),
    layer_row("conv", "1×1", lambda make: make(5, 1), _IMAGE),
    layer_row("conv", "kernel as large as the image", lambda make: make(5, [7, 11]), _IMAGE),
    layer_row("conv", "SAME, even kernel", lambda make: make(5, [2, 4], padding="SAME"), _IMAGE),
    layer_row("conv", "SAME, stride 2", lambda make: make(5, 3, 2, "SAME"), _IMAGE),
    layer_row("conv", "stride (3, 2), unread rows", lambda make: make(5, [2, 3], [3, 2]), (2, 7, 12, 3)),
    layer_row("conv", "stride larger than the kernel", lambda make: make(5, 2, 3), _IMAGE),
    layer_row("conv", "dilation (2, 3)", lambda make: make(5, [3, 2], dilation=[2, 3]), _IMAGE),
    layer_row("conv", "uneven padding", lambda make: make(5, 3, padding=[[0, 2], [2, 1]]), _IMAGE),
    layer_row(
        "conv",
        "all options together",
        lambda make: make(5, [3, 2], [2, 3], [[1, 2], [3, 0]], [2, 3]),
        (2, 7, 11, 13),
        full=True,
    ),
    layer_row("conv_max_pool", "", lambda make: make(5, [3, 2]), _IMAGE),
    layer_row("conv_max_pool", "tiny", lambda make: make(2, 2), (2, 3, 5, 1)),
    layer_row("conv_max_pool", "pool (2, 3), unread columns", lambda make: make(5, 2, [2, 3]), (2, 7, 12, 3)),
    *(layer_row(pool, "", lambda make: make(2), _IMAGE) for pool in _POOLS),
    *(layer_row(pool, "tiny", lambda make: make(2), (2, 2, 5, 3)) for pool in _POOLS),
    *(layer_row(pool, "overlapping", lambda make: make([3, 2], 1), _IMAGE) for pool in _POOLS),
    *(layer_row(pool, "SAME, stride 2", lambda make: make(3, 2, "SAME"), _IMAGE, full=True) for pool in _POOLS),
    *(layer_row(pool, "SAME tiles", lambda make: make([3, 2], None, "SAME"), _IMAGE) for pool in _POOLS),
    *(layer_row(pool, "stride larger than the window", lambda make: make(2, 3), _IMAGE) for pool in _POOLS),
    *(
        layer_row(pool, "uneven padding", lambda make: make([3, 2], [2, 3], [[0, 2], [1, 0]]), _IMAGE)
        for pool in _POOLS
    ),
    layer_row("flatten", "", without_arguments, (2, 3, 5, 7)),
    layer_row("reshape", "", lambda make: make([5, 3, 7]), (2, 7, 15)),
    layer_row("dropout", "", lambda make: make(0.3), (7, 13), seed=2),
    layer_row("dropout", "one mask a sequence", lambda make: make(0.3, [1]), (5, 7, 3), seed=2),
    layer_row("dropout", "evaluation", lambda make: make(0.3), (7, 13)),
    *SEQUENCE_ROWS,
    layer_row("gaussian", "", without_arguments, (7, 10), seed=2),
    layer_row("gaussian", "evaluation", without_arguments, (7, 10)),
    layer_row("gaussian", "three axes", without_arguments, (3, 5, 2), seed=2),
    layer_row("conv_transpose", "", lambda make: make(5, 3, 2), (2, 3, 5, 7)),
    layer_row("conv_transpose", "by phases", lambda make: make(5, 4, 2), (2, 3, 5, 7), full=True),
    layer_row("conv_transpose", "by uneven phases", lambda make: make(4, [5, 6], [2, 3], "VALID"), (2, 3, 2, 7)),
    layer_row("conv_transpose", "VALID, stride (2, 3)", lambda make: make(5, [3, 2], [2, 3], "VALID"), (2, 3, 5, 7)),
    layer_row("conv_transpose", "stride larger than the kernel", lambda make: make(3, 2, 3), (2, 3, 5, 1)),
    layer_row("conv_transpose", "no bias", lambda make: make(3, [2, 3], bias=False), (2, 5, 3, 11)),
    layer_row("upsample", "", lambda make: make([2, 3]), (2, 3, 5, 7)),
    layer_row("upsample", "bilinear", lambda make: make([3, 2], "bilinear"), (2, 3, 5, 7)),
    layer_row("upsample", "bilinear, one row", lambda make: make(2, "bilinear"), (2, 1, 5, 3)),
    layer_row("group_norm", "", lambda make: make(3), (2, 3, 5, 6)),
    layer_row("group_norm", "one group", without_arguments, (5, 7)),
    layer_row("group_norm", "instances", lambda make: make(3), (2, 5, 7, 3)),
    layer_row("batch_norm", "", without_arguments, (11, 7), seed=0),
    layer_row("batch_norm", "images", without_arguments, (2, 3, 5, 7), seed=0),
    layer_row("batch_norm", "evaluation", without_arguments, (2, 3, 5, 7), full=True),
    layer_row("batch_norm", "evaluation, tiny", without_arguments, (3, 2)),
    layer_row("batch_norm", "tiny", without_arguments, (3, 2), seed=0),
    *GRAPH_ROWS,
    layer_row("part", "", lambda make: make([[1, 3], [2, 7]]), (2, 5, 11, 3)),
    layer_row("part", "columns", lambda make: make([[3, 13]]), (7, 17)),
    layer_row("mixture", "", lambda make: make(dense(2), dense(5), serial(dense(3), tanh(), dense(5))), (7, 13)),
    layer_row("mixture", "images", lambda make: make(serial(flatten(), dense(3)), *_experts()), (2, 5, 7, 3)),
    layer_row("mixture", "tokens", lambda make: make(_token_gate(), embedding(11, 5), embedding(11, 5)), TOKENS),
    layer_row("with_input", "", lambda make: make(serial(dense(11), tanh())), (7, 13)),
    layer_row("with_input", "a draw", lambda make: make(serial(gaussian(), dense(11))), (7, 6), seed=2),
    layer_row("with_input", "tokens", lambda make: make(embedding(11, 5)), TOKENS),
    layer_row("serial", "", lambda make: make(dense(11), tanh(), dense(5), softplus()), (7, 13)),
    layer_row("serial", "images", lambda make: make(conv(5, 3), gelu(), l2_pool(2), flatten(), dense(3)), (2, 7, 9, 3)),
    layer_row("serial", "no layers", without_arguments, (7, 13)),
    layer_row("serial", "named parts", lambda make: make(hidden=dense(11), activation=tanh(), head=dense(5)), (7, 13)),
    layer_row(
        "serial",
        "shared weights",
        lambda make: make(first=dense(13), activation=tanh(), second=share("first"), third=share("first", dense(13))),
        (7, 13),
    ),
    layer_row(
        "serial",
        "integers pass through",
        lambda make: make(on_leaves(tanh()), on_leaves(silu())),
        {"values": (7, 5), "lengths": np.asarray([1, 2, 3, 5, 5, 2, 1], np.int32)},
    ),
    layer_row("parallel", "", lambda make: make(dense(11), serial(dense(5), sigmoid(), dense(11))), (7, 13)),
    layer_row(
        "parallel", "concatenated", lambda make: make(dense(3), identity(), dense(5), combine="concatenate"), (7, 13)
    ),
    layer_row(
        "parallel",
        "concatenated pytrees",
        lambda make: make(on_leaves(tanh()), on_leaves(silu()), combine="concatenate"),
        {"a": (7, 3), "b": (7, 5)},
    ),
    layer_row("residual", "a pytree", lambda make: make(on_leaves(tanh())), {"a": (7, 3), "b": (7, 5, 2)}),
    layer_row("residual", "", lambda make: make(serial(dense(11), silu(), dense(13))), (7, 13)),
    layer_row("residual", "images", lambda make: make(conv(3, 3, padding="SAME")), _IMAGE),
    layer_row("recompute", "", lambda make: make(serial(dense(11), silu(), dense(5))), (7, 13)),
    layer_row("recompute", "a draw", lambda make: make(serial(dense(11), dropout(0.3), tanh())), (7, 13), seed=2),
    layer_row("recompute", "a pytree", lambda make: make(on_leaves(tanh())), {"a": (7, 3), "b": (7, 5, 2)}),
    layer_row("recompute", "tokens", lambda make: make(serial(embedding(11, 5), tanh())), TOKENS),
    layer_row("autodiff", "", autodiff_tanh, (7, 13)),
    layer_row("autodiff", "integers", autodiff_embedding, TOKENS, full=True),
    layer_row(
        "autodiff",
        "integers and floats",
        autodiff_scaled_embedding,
        {"tokens": TOKENS, "values": (7, 5)},
        full=True,
    ),
    *(
        loss_row(name, reduction, *target)
        for name in OUTPUT_LOSSES
        for reduction in _REDUCTIONS
        for target in _TARGETS
        if (name, target[1]) != ("softmax_cross_entropy", 1)
    ),
    *(elbo_row(reduction, beta) for reduction in _REDUCTIONS for beta in (1.0, 0.3)),
    *(detection_row(reduction, box) for reduction in _REDUCTIONS for box in (1.0, 0.3)),
    layer_row("mlp", "", lambda make: make((11, 7, 5), tanh()), (3, 13)),
    model_row("mlp", lambda: mlp((11, 5), sigmoid()), (7, 13), 5),
    layer_row("cnn", "", lambda make: make(5, 3, 3, 7), (2, 7, 9, 1)),
    model_row("cnn", lambda: cnn(5, 3, 3, 7), (2, 7, 9, 1), 5),
    weight_decay_row(),
)


#: name -> row
TABLE = {row.name: row for row in ROWS}
assert len(TABLE) == len(ROWS), "two rows of the table have one name"


#: The modules of the public names that are not a layer, combinator, loss or model.
_OTHER_MODULES = {
    "autodiff": "jaxnn.backprop",
    "mixture": "jaxnn.mixture_of_experts",
    "value_and_grad": "jaxnn.backprop",
    "optimizer": "jaxnn.train.optimizers",
}


def constructor(public_name: str) -> Constructor:
    """The function of this public name."""
    for table in (LAYERS, LOSSES, vars(combine), vars(models)):
        if public_name in table:
            return table[public_name]
    return getattr(importlib.import_module(_OTHER_MODULES[public_name]), public_name)


def build_case(row: Row, replacement: Constructor | None = None) -> Case:
    """The case of a row; `replacement` (a mutant) builds it instead of the constructor of the row's public name."""
    return make_case(row.name, row.public_name, *row.build(replacement or constructor(row.public_name)))


@functools.cache
def cached_case(name: str) -> Case:
    """The case of the row of this name, built once."""
    return build_case(TABLE[name])
