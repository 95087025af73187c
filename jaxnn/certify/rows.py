"""How the rows of the table of cases are built: a row for a layer, a loss, a model or an optimizer."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.case import Constructor, layer_args
from jaxnn.certify.vjp_rule import VjpRule, layer_rule, loss_rule, model_rule, weighted_loss_rule
from jaxnn.kernels.trace_context import constant_batch
from jaxnn.layer import Layer, empty_init
from jaxnn.layers import dense
from jaxnn.loss import Reduction
from jaxnn.losses import softmax_cross_entropy
from jaxnn.targets import Boxes


class Row(NamedTuple):
    """A row of the table: a public name, a note on this case, and a function that builds the case.

    build: takes the constructor of that name, or a mutant of it; returns the rule and its arguments
    full: whether all laws are measured; the other cases skip those that compile the same gradient again
    """

    public_name: str
    note: str
    build: Callable[[Constructor], tuple[VjpRule, tuple]]
    full: bool

    @property
    def name(self) -> str:
        return f"{self.public_name}: {self.note}" if self.note else self.public_name


def layer_row(
    public_name: str,
    note: str,
    build: Callable[[Constructor], Layer],
    x: Any,
    seed: int | None = None,
    full: bool = False,
) -> Row:
    """A row of a layer at a random x of this shape (see `layer_args`); a case without a note is always full.

    seed: of the key for a random layer (dropout)
    """

    def build_rule(constructor):
        layer = build(constructor)
        key = None if seed is None else jax.random.key(seed)
        return layer_rule(layer, key), layer_args(layer, x)

    return Row(public_name, note, build_rule, full or not note)


def loss_row(
    name: str, reduction: Reduction, note: str, outputs: int, labels: bool, leading_axes: tuple[int, ...]
) -> Row:
    """A row of a loss, for labels or dense targets; full for the mean over the labels of a batch.

    leading_axes: of y before its outputs: (batch,), or (batch, time)
    """

    def build_rule(constructor):
        rng = np.random.default_rng(0)
        shape = (*leading_axes, outputs)
        target = rng.integers(max(outputs, 2), size=leading_axes, dtype=np.int32) if labels else rng.uniform(size=shape)
        loss, y = constructor(reduction), 3 * rng.normal(size=shape)
        if note == "weighted":
            # The weight 0 masks the first example.
            return weighted_loss_rule(loss), (y, target, np.arange(leading_axes[0], dtype=float))
        return loss_rule(loss), (y, target)

    return Row(name, f"{reduction}, {note}", build_rule, (reduction, note) == ("mean", "labels"))


def elbo_row(reduction: Reduction, beta: float) -> Row:
    """A row of the evidence lower bound, whose output is a pair of logits and a code; full for the mean and β = 1."""

    def build_rule(constructor):
        rng = np.random.default_rng(0)
        y = (3 * rng.normal(size=(7, 3, 5)), rng.normal(size=(7, 4)))
        return loss_rule(constructor(reduction, beta)), (y, rng.uniform(size=(7, 3, 5)))

    return Row("elbo", f"{reduction}, β = {beta:g}", build_rule, (reduction, beta) == ("mean", 1.0))


def detection_row(reduction: Reduction, box: float) -> Row:
    """A row of the detection of objects: three pictures of 2 × 5 cells, four classes; full for the mean and λ = 1."""

    def build_rule(constructor):
        rng = np.random.default_rng(0)
        label = rng.integers(4, size=(3, 2, 5), dtype=np.int32)
        target = Boxes(label, rng.normal(size=(3, 2, 5, 4)))
        return loss_rule(constructor(reduction, box)), (3 * rng.normal(size=(3, 2, 5, 8)), target)

    return Row("detection", f"{reduction}, λ = {box:g}", build_rule, (reduction, box) == ("mean", 1.0))


def model_row(note: str, build: Callable[[], Layer], shape: tuple[int, ...], classes: int) -> Row:
    """A row of `value_and_grad` for a model with the softmax cross-entropy."""

    def build_rule(constructor):
        model = build()
        target = np.random.default_rng(2).integers(classes, size=shape[0], dtype=np.int32)
        return model_rule(model, softmax_cross_entropy(), constructor), (*layer_args(model, shape), target)

    return Row("value_and_grad", note, build_rule, full=True)


def weight_decay_row() -> Row:
    """The penalty (λ/2) Σ w² on weights, not biases, as an optimizer adds it to a gradient of zero."""

    def build_rule(constructor):
        transform = constructor("sgd", 1.0, l2=0.3)

        def penalty(params):
            return 0.15 * (params.weight**2).sum()

        def backward(params, dy):
            zero = jax.tree.map(jnp.zeros_like, params)
            updates, _ = transform.update(zero, transform.init(params), params)
            return (jax.tree.map(lambda step: -dy * step, updates),)

        rule = VjpRule(penalty, lambda params: (penalty(params), params), backward, ("params",), (0,))
        return rule, (layer_args(dense(5), (2, 3))[0],)

    return Row("optimizer", "L2 decay", build_rule, full=True)


def without_arguments(constructor: Constructor) -> Layer:
    """The layer that the constructor builds without arguments."""
    return constructor()


def with_constant_batch(layer: Layer) -> Layer:
    """The layer as it is traced in a loop that sees the same batch in each step."""

    def backward(params, res, dy):
        with constant_batch():
            return layer.backward(params, res, dy)

    return layer._replace(backward=backward)


def on_leaves(layer: Layer) -> Layer:
    """A layer without parameters on each floating leaf of a dictionary; integer leaves pass through."""

    def is_floating(leaf):
        return jnp.issubdtype(leaf.dtype, jnp.floating)

    def forward(params, x, key):
        outputs = {name: layer.forward(params, leaf, key) for name, leaf in x.items() if is_floating(leaf)}
        y = {name: outputs[name][0] if name in outputs else leaf for name, leaf in x.items()}
        return y, {name: res for name, (_, res) in outputs.items()}

    def backward(params, res, dy):
        return (), {name: layer.backward(params, res[name], dy[name])[1] if name in res else None for name in dy}

    return Layer(empty_init, forward, backward, "on_leaves")


def autodiff_tanh(autodiff: Constructor) -> Layer:
    """tanh(w x), differentiated by autodiff: `autodiff` layers have no hand-written backward."""

    def apply(params, x, key):
        del key
        return jnp.tanh(x * jnp.broadcast_to(params[0], x.shape))

    return autodiff(lambda key, x: (jnp.ones(x.shape[-1:], x.dtype),), apply)


VOCABULARY = 11
#: Token ids, some of them repeated.
TOKENS = np.asarray([3, 1, 4, 1, 5, 10, 3], np.int32)


def autodiff_embedding(autodiff: Constructor) -> Layer:
    """An embedding: rows of a table, gathered by integers."""

    def apply(params, x, key):
        del key
        return jnp.take(params[0], x, axis=0)

    return autodiff(lambda key, x: (jnp.ones((VOCABULARY, 5)),), apply)


def autodiff_scaled_embedding(autodiff: Constructor) -> Layer:
    """An embedding of x["tokens"], times x["values"]."""

    def apply(params, x, key):
        del key
        return jnp.tanh(jnp.take(params[0], x["tokens"], axis=0)) * x["values"]

    return autodiff(lambda key, x: (jnp.ones((VOCABULARY, x["values"].shape[-1]), x["values"].dtype),), apply)
