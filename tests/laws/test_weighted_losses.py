"""Laws of losses and metrics on places: sequences, weights, masks, class weights, and targets that do not fit."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn import Weighted, accuracy, class_weighted
from jaxnn.errors import UserError
from jaxnn.losses import OUTPUT_LOSSES, prediction_of
from jaxnn.quantities import values

LOSS = pytest.mark.parametrize("name", sorted(OUTPUT_LOSSES))
REDUCTION = pytest.mark.parametrize("reduction", ["mean", "sum"])
DRAW = np.random.default_rng(0)
#: (batch, time, output): a sequence of seven examples of three places, five classes.
Y, LABELS = jnp.asarray(DRAW.normal(size=(7, 3, 5))), jnp.asarray(DRAW.integers(5, size=(7, 3)))
#: Of each example its first places count.
MASK = jnp.asarray(np.arange(3) < DRAW.integers(1, 4, size=(7, 1)), float)


@LOSS
@REDUCTION
def test_loss_of_weights_0_and_1_is_the_loss_of_the_kept_places(name, reduction):
    loss, kept = OUTPUT_LOSSES[name](reduction), np.asarray(MASK, bool)
    value, dy = loss(Y, Weighted(LABELS, MASK))
    alone, dy_alone = loss(Y[kept], LABELS[kept])
    np.testing.assert_allclose(value, alone, rtol=1e-12)
    np.testing.assert_allclose(dy[kept], dy_alone, rtol=1e-12)
    assert (np.asarray(dy)[~kept] == 0).all()
    np.testing.assert_allclose(
        values({"loss": loss.sums(Y, Weighted(LABELS, MASK))})["loss"], alone / _count(loss, kept)
    )


def _count(loss, kept):
    """A sum is a mean times the number of places."""
    return float(kept.sum()) if loss.reduction == "sum" else 1.0


@LOSS
def test_loss_of_masked_infinities_is_that_of_the_others(name):
    loss = OUTPUT_LOSSES[name]()
    bad = jnp.where(MASK[..., None] == 0, jnp.nan, Y)
    expected, dy_expected = loss(Y, Weighted(LABELS, MASK))
    value, dy = loss(bad, Weighted(LABELS, MASK))
    assert value == expected
    np.testing.assert_array_equal(dy, dy_expected)


@LOSS
@REDUCTION
def test_loss_of_no_weight_is_zero(name, reduction):
    value, dy = OUTPUT_LOSSES[name](reduction)(Y, Weighted(LABELS, jnp.zeros(7)))
    assert value == 0 and (dy == 0).all()


@LOSS
def test_loss_mean_of_a_sequence_is_over_places(name):
    loss = OUTPUT_LOSSES[name]()
    value, dy = loss(Y, LABELS)
    flat, dy_flat = loss(Y.reshape(21, 5), LABELS.reshape(21))
    np.testing.assert_allclose(value, flat, rtol=1e-12)
    np.testing.assert_allclose(dy.reshape(21, 5), dy_flat, rtol=1e-12)


@LOSS
@REDUCTION
def test_loss_with_class_weights_is_weighted_by_label(name, reduction):
    per_class = (0.5, 1.0, 2.0, 3.0, 0.25)
    loss = OUTPUT_LOSSES[name](reduction)
    expected = loss(Y, Weighted(LABELS, jnp.asarray(per_class)[LABELS]))
    found = class_weighted(loss, per_class)(Y, LABELS)
    one_hot = class_weighted(loss, per_class)(Y, jax.nn.one_hot(LABELS, 5, dtype=Y.dtype))
    for value, dy in (found, one_hot):
        np.testing.assert_allclose(value, expected[0], rtol=1e-12)
        np.testing.assert_allclose(dy, expected[1], rtol=1e-12)


def test_loss_with_class_weights_of_one_output():
    loss, y, labels = OUTPUT_LOSSES["sigmoid_cross_entropy"](), Y[:, 0, :1], LABELS[:, 0] % 2
    expected = loss(y, Weighted(labels, jnp.where(labels == 1, 3.0, 0.5)))
    for target in (labels, labels[:, None].astype(y.dtype)):
        value, dy = class_weighted(loss, (0.5, 3.0))(y, target)
        np.testing.assert_allclose(value, expected[0], rtol=1e-12)
        np.testing.assert_allclose(dy, expected[1], rtol=1e-12)


@LOSS
def test_loss_weighted_gradient_is_that_of_autodiff(name):
    weight = jnp.asarray(DRAW.uniform(size=(7, 3)))
    loss = class_weighted(OUTPUT_LOSSES[name](), (0.5, 1.0, 2.0, 3.0, 0.25))
    _, dy = loss(Y, Weighted(LABELS, weight))
    expected = jax.grad(lambda y: loss(y, Weighted(LABELS, weight))[0])(Y)
    np.testing.assert_allclose(dy, expected, rtol=1e-10, atol=1e-14)


def test_accuracy_of_a_sequence_is_over_places_and_at_most_1():
    right = accuracy(jax.nn.one_hot(LABELS, 5), LABELS)
    assert float(right.value()) == 1 and float(right.count) == 21
    wrong = accuracy(jax.nn.one_hot((LABELS + 1) % 5, 5), LABELS)
    assert float(wrong.value()) == 0
    masked = accuracy(jax.nn.one_hot(jnp.where(MASK == 0, (LABELS + 1) % 5, LABELS), 5), Weighted(LABELS, MASK))
    assert float(masked.value()) == 1 and float(masked.count) == float(MASK.sum())


def test_sums_of_batches_add_up_to_those_of_all():
    loss, predict = OUTPUT_LOSSES["softmax_cross_entropy"](), prediction_of(OUTPUT_LOSSES["softmax_cross_entropy"]())

    def sums(rows):
        return {"loss": loss.sums(Y[rows], LABELS[rows]), "accuracy": accuracy(predict(Y[rows]), LABELS[rows])}

    together = values(jax.tree.map(lambda *batches: jnp.stack(batches), sums(slice(0, 2)), sums(slice(2, 7))))
    for name, value in values(sums(slice(0, 7))).items():
        np.testing.assert_allclose(together[name], value, rtol=1e-12)


IDENTITY = 5 * jnp.eye(10)
ROLLED = np.roll(np.eye(10, dtype=int), 1, axis=0)


def test_one_hot_integers_are_classes_by_their_largest_entry():
    """Rows of integers as wide as the output are one-hot targets: never a silent broadcast."""
    assert float(accuracy(IDENTITY, ROLLED).value()) == 0
    assert float(accuracy(IDENTITY, np.eye(10, dtype=int)).value()) == 1
    loss = OUTPUT_LOSSES["softmax_cross_entropy"]()
    np.testing.assert_allclose(loss(IDENTITY, ROLLED)[0], loss(IDENTITY, ROLLED.argmax(-1))[0], rtol=1e-12)


@pytest.mark.parametrize("target", [np.zeros((10, 1), int), np.zeros((10, 9)), np.zeros(9, int), np.zeros(10)])
def test_targets_of_another_shape_are_refused(target):
    for measure in (OUTPUT_LOSSES["quadratic"](), OUTPUT_LOSSES["softmax_cross_entropy"]().sums):
        with pytest.raises(
            UserError, match=r"expected integer labels of shape \(10,\) or targets of the output's shape"
        ):
            measure(IDENTITY, target)
    if target.shape != (10,):
        with pytest.raises(UserError, match=r"accuracy: expected integer labels of shape \(10,\)"):
            accuracy(IDENTITY, target)


@pytest.mark.parametrize("weight", [np.ones(6), np.ones((7, 4)), np.ones((7, 3, 5))])
def test_weights_of_another_shape_are_refused(weight):
    with pytest.raises(UserError, match="expected a weight for each of"):
        OUTPUT_LOSSES["quadratic"]()(Y, Weighted(LABELS, weight))


@pytest.mark.parametrize("weights", [(), (1.0, 0.0), (1.0, -1.0)])
def test_class_weights_must_be_positive(weights):
    with pytest.raises(UserError, match="expected a positive number for each class"):
        class_weighted(OUTPUT_LOSSES["quadratic"](), weights)
