"""Losses and metrics of sequences of different lengths: a mean over the valid places, whatever stands at padding."""

import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

import jaxnn
from jaxnn.errors import UserError
from jaxnn.losses import OUTPUT_LOSSES
from jaxnn.metrics import accuracy, binary_accuracy, bits, exact_match, mae, perplexity, r2, sequence_accuracy
from jaxnn.sequence import Sequence
from jaxnn.train.evaluation import evaluate
from jaxnn.train.task import default_metrics

RNG = np.random.default_rng(0)
LENGTHS = np.asarray([4, 0, 2, 5, 1], np.int32)
BATCH, TIME, OUT = 5, 5, 3
VALID = np.arange(TIME) < LENGTHS[:, None]
Y = RNG.normal(size=(BATCH, TIME, OUT))
LABELS = RNG.integers(OUT, size=(BATCH, TIME)).astype(np.int32)
ROWS = np.asarray(RNG.integers(2, size=(BATCH, TIME, OUT)), float)
PLACE_WEIGHT = RNG.uniform(0.5, 2, size=(BATCH, TIME)) * (RNG.uniform(size=(BATCH, TIME)) > 0.2)


def at_padding(values, content):
    return np.where(VALID.reshape(BATCH, TIME, *[1] * (values.ndim - 2)), values, np.asarray(content, values.dtype))


def softmax(y):
    e = np.exp(y - y.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", OUTPUT_LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("wrapped", [False, True], ids=["array target", "Sequence target"])
def test_loss_of_sequences_is_that_of_their_valid_places(name, reduction, weighted, wrapped):
    loss = OUTPUT_LOSSES[name](reduction)
    target, junk = (LABELS, -1) if name == "softmax_cross_entropy" else (ROWS, np.nan)
    weight = PLACE_WEIGHT[VALID]
    expected, dy = loss(jnp.asarray(Y[VALID]), jaxnn.Weighted(target[VALID], weight) if weighted else target[VALID])
    padded = at_padding(target, junk)
    padded = Sequence(padded, LENGTHS) if wrapped else padded
    padded = jaxnn.Weighted(padded, at_padding(PLACE_WEIGHT, np.nan)) if weighted else padded
    y = Sequence(jnp.asarray(at_padding(Y, np.nan)), jnp.asarray(LENGTHS))
    value, derivative = loss(y, padded)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(np.asarray(derivative.values)[VALID], dy, rtol=1e-12)
    assert derivative.lengths is None and not np.asarray(derivative.values)[~VALID].any()
    np.testing.assert_allclose(
        loss.sums(y, padded).value(),
        loss.sums(jnp.asarray(Y[VALID]), jaxnn.Weighted(target[VALID], weight) if weighted else target[VALID]).value(),
        rtol=1e-12,
    )


def test_softmax_cross_entropy_of_sequences_by_hand():
    y = Sequence(jnp.asarray(Y), jnp.asarray(LENGTHS))
    p = softmax(Y)
    nats = -np.log(np.take_along_axis(p, LABELS[..., None], -1)[..., 0])
    value, dy = OUTPUT_LOSSES["softmax_cross_entropy"]()(y, LABELS)
    assert value == pytest.approx(nats[VALID].sum() / 12, rel=1e-12)
    onehot = np.eye(OUT)[LABELS]
    np.testing.assert_allclose(dy.values, np.where(VALID[..., None], (p - onehot) / 12, 0), atol=1e-15)


def test_metrics_of_sequences_by_hand():
    p = softmax(Y)
    y = Sequence(jnp.asarray(at_padding(p, np.nan)), jnp.asarray(LENGTHS))
    target = Sequence(at_padding(LABELS, -1), LENGTHS)
    nats = -np.log(np.take_along_axis(p, LABELS[..., None], -1)[..., 0])
    right = p.argmax(-1) == LABELS
    assert float(accuracy(y, target).value()) == pytest.approx(right[VALID].mean())
    assert float(perplexity(y, target).value()) == pytest.approx(np.exp(nats[VALID].mean()))
    assert float(bits(y, target).value()) == pytest.approx(nats[VALID].mean() / np.log(2))
    weight = PLACE_WEIGHT
    weighted = np.where(VALID, weight, 0)
    expected = (weighted * nats).sum() / weighted.sum()
    given = jaxnn.Weighted(target, at_padding(weight, np.nan))
    assert float(bits(y, given).value()) == pytest.approx(expected / np.log(2))
    assert float(perplexity(y, given).value()) == pytest.approx(np.exp(expected))
    assert float(accuracy(y, given).value()) == pytest.approx((weighted * right).sum() / weighted.sum())


def test_even_classes_have_their_number_as_perplexity():
    p, target = jnp.full((2, 7, 8), 0.125), np.zeros((2, 7), int)
    assert float(perplexity(p, target).value()) == pytest.approx(8, rel=1e-6)
    assert float(bits(p, target).value()) == pytest.approx(3, rel=1e-6)
    certain = jnp.zeros((1, 1, 2)).at[..., 0].set(1.0)
    assert np.isfinite(perplexity(certain, np.ones((1, 1), int)).value())


def test_sequence_accuracy_counts_sequences_without_a_wrong_place():
    p = np.eye(OUT)[LABELS]
    p[2, 1] = np.roll(p[2, 1], 1)  # a wrong place in a sequence of 2
    p[4, 3] = np.roll(p[4, 3], 1)  # and one at padding
    y = Sequence(jnp.asarray(p), jnp.asarray(LENGTHS))
    assert float(sequence_accuracy(y, LABELS).value()) == pytest.approx(3 / 4)  # one sequence has no places
    assert float(sequence_accuracy(jnp.asarray(p), LABELS).value()) == pytest.approx(3 / 5)
    weights = jaxnn.Weighted(LABELS, np.asarray([1.0, 1.0, 3.0, 1.0, 0.0]))
    assert float(sequence_accuracy(y, weights).value()) == pytest.approx(2 / 5)
    with pytest.raises(UserError, match=r"expected a prediction \(batch, time, output\), found shape \(5, 3\)"):
        sequence_accuracy(jnp.asarray(p[:, 0]), LABELS[:, 0])


@pytest.mark.parametrize("metric", [mae, r2, binary_accuracy, exact_match])
def test_metric_of_numbers_ignores_padding(metric):
    expected = metric(jnp.asarray(Y[VALID]), ROWS[VALID]).value()
    y = Sequence(jnp.asarray(at_padding(Y, np.nan)), jnp.asarray(LENGTHS))
    for target in (at_padding(ROWS, np.nan), Sequence(at_padding(ROWS, np.nan), LENGTHS)):
        np.testing.assert_allclose(metric(y, target).value(), expected, rtol=1e-12)


@pytest.mark.parametrize("metric", [accuracy, perplexity, bits, sequence_accuracy])
def test_metric_of_sequences_does_not_depend_on_the_batches(metric):
    examples = (Sequence(jnp.asarray(softmax(Y)), jnp.asarray(LENGTHS)), LABELS)
    sums = [
        evaluate(lambda params, batch, key: {"m": metric(*batch)}, (), examples, jax.random.key(0), rows=rows)["m"]
        for rows in (None, 1, 2, 3)
    ]
    np.testing.assert_allclose([quantity.value() for quantity in sums], sums[0].value(), rtol=1e-12)


def test_default_metrics_of_places():
    def names(activation, prediction, target):
        metrics = default_metrics(activation)
        return {name for name, metric in metrics.items() if metric(prediction, target) is not None}

    array, sequence = jnp.asarray(softmax(Y)), Sequence(jnp.asarray(softmax(Y)), jnp.asarray(LENGTHS))
    assert names("softmax", array, LABELS) == {"accuracy", "perplexity", "bits"}
    assert names("softmax", sequence, LABELS) == {"accuracy", "perplexity", "bits", "sequence_accuracy"}
    assert names("softmax", sequence, Sequence(LABELS, LENGTHS)) == names("softmax", sequence, LABELS)
    assert names("", sequence, Sequence(ROWS, LENGTHS)) == {"mae", "r2"}
    assert names("softmax", array[:, 0], LABELS[:, 0]) == {"accuracy"}


def test_loss_of_sequences_refuses_a_target_for_each_sequence():
    y = Sequence(jnp.asarray(Y), jnp.asarray(LENGTHS))
    with pytest.raises(UserError, match=r"labels of shape \(5, 5\)"):
        OUTPUT_LOSSES["softmax_cross_entropy"]()(y, LABELS[:, 0])
    with pytest.raises(UserError, match="expected a target for each sequence"):
        OUTPUT_LOSSES["softmax_cross_entropy"]()(jnp.asarray(Y[:, 0]), Sequence(LABELS, LENGTHS))


def test_classes_of_places_are_measured_but_not_those_of_a_language_model():
    def measured(x):
        update = jaxnn.supervised(
            jaxnn.serial(jaxnn.embedding(OUT, 4), jaxnn.dense(OUT)) if x.dtype == np.int32 else jaxnn.dense(OUT),
            jaxnn.softmax_cross_entropy(),
            optax.sgd(0.1),
        )
        source = jaxnn.in_memory(x, LABELS, batch_size=BATCH)
        run = jaxnn.fit(jaxnn.Experiment(update, source, jaxnn.Plan(1, best="train.loss"), test=(x, LABELS)))
        return set(run.scores["test"])

    assert {"balanced_accuracy", "f1_macro"} <= measured(RNG.normal(size=(BATCH, TIME, 3)).astype(np.float32))
    assert measured(LABELS) == {"loss", "accuracy", "perplexity", "bits"}


def test_probabilities_at_padding_are_not_checked():
    x = Sequence(RNG.normal(size=(BATCH, TIME, 3)).astype(np.float32), np.maximum(LENGTHS, 1))
    target = Sequence(np.where(VALID[..., None], np.eye(OUT, dtype=np.float32)[LABELS], 0), LENGTHS)
    update = jaxnn.supervised(jaxnn.serial(jaxnn.dense(OUT)), jaxnn.softmax_cross_entropy(), optax.sgd(0.1))
    jaxnn.make_run(update, jaxnn.in_memory(x, target), jaxnn.Plan(1, best="train.loss"))
    wrong = target._replace(values=2 * target.values)
    with pytest.raises(UserError, match="rows of probabilities"):
        jaxnn.make_run(update, jaxnn.in_memory(x, wrong), jaxnn.Plan(1, best="train.loss"))
