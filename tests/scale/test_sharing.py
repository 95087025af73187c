"""Laws of a batch that devices share: the same parameters as on one device, and with an order, the same bits."""

import hashlib

import jax
import numpy as np
import pytest
from jax import numpy as jnp

import jaxnn
from jaxnn.engine.driver import drive
from jaxnn.engine.hooks import Hooks
from jaxnn.errors import UserError
from jaxnn.experiment import Experiment
from jaxnn.kernels import batch_rows
from jaxnn.quantities import Covered, MeanIoU, OutputMean, Perplexity, RSquared, Sum, merged
from jaxnn.targets import Weighted
from jaxnn.train import Plan, in_memory, optimizer
from jaxnn.train.augment import Augment, augmented
from jaxnn.train.noise import binarize, gaussian_noise, noisy
from jaxnn.train.sharing import Sharing, check_sharing
from tests.scale.collectives import count_collectives

#: No multiple of 2, 4 or 8: some examples remain.
BATCH = 13


def draw(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape)


def labels(n, classes=3):
    return np.random.default_rng(n).integers(classes, size=n).astype(np.int32)


def perceptron():
    model = jaxnn.serial(jaxnn.dense(7), jaxnn.tanh(), jaxnn.dropout(0.3), jaxnn.dense(3))
    return jaxnn.supervised(model, jaxnn.softmax_cross_entropy(), optimizer("adam", 1e-2)), draw(40, 5), labels(40)


def convolution():
    model = jaxnn.serial(
        jaxnn.conv(2, 3), jaxnn.relu(), jaxnn.max_pool(2), jaxnn.dropout(0.3, [1, 2]), jaxnn.flatten(), jaxnn.dense(3)
    )
    update = jaxnn.supervised(model, jaxnn.softmax_cross_entropy(), optimizer("sgd", 1e-2))
    return augmented(update, Augment(shift=1.0)), draw(40, 8, 8, 1), labels(40)


def recurrent():
    model = jaxnn.serial(jaxnn.recur(jaxnn.lstm(4), last=True), jaxnn.dropout(0.2), jaxnn.dense(3))
    return jaxnn.supervised(model, jaxnn.softmax_cross_entropy(), optimizer("adam", 1e-2)), draw(40, 6, 2), labels(40)


def weighted_regression():
    """Weights that no part of the batch has alike; R² does not add up; an average of the parameters."""
    model = jaxnn.serial(jaxnn.dense(4), jaxnn.tanh(), jaxnn.dense(2))
    update = jaxnn.supervised(model, jaxnn.mean_squared_error(), optimizer("momentum", 1e-2), average=0.9)
    weight = np.random.default_rng(3).uniform(size=40) * (np.arange(40) % 3 > 0)
    return noisy(update, gaussian_noise(0.1)), draw(40, 3), Weighted(draw(40, 2), weight)


def summed():
    model = jaxnn.serial(jaxnn.dense(4), jaxnn.sigmoid(), jaxnn.dense(3))
    loss = jaxnn.sigmoid_cross_entropy(reduction="sum")
    update = jaxnn.supervised(model, loss, optimizer("gradient_descent", 1e-3))
    return noisy(update, binarize()), np.abs(draw(40, 3)) % 1, np.eye(3)[labels(40)]


def attentive():
    model = jaxnn.serial(jaxnn.attention(2, dropout=0.3), jaxnn.pool_sequence(), jaxnn.dense(3))
    return jaxnn.supervised(model, jaxnn.softmax_cross_entropy(), optimizer("sgd", 1e-2)), draw(40, 5, 4), labels(40)


NETS = (perceptron, convolution, recurrent, weighted_regression, summed, attentive)


def experiment_of(net, sharing, seeds=(0,), steps=51):
    update, x, target = net()
    held_out = jax.tree.map(lambda a: a[:9], (x, target))
    epochs = -(-steps // (len(x) // BATCH))
    source = in_memory(x, target, batch_size=BATCH)
    return Experiment(update, source, Plan(epochs, best="train.loss"), held_out, seeds=seeds, sharing=sharing).check()


def numbers(outcome):
    """The parameters and the history of a run, as one vector."""
    trees = outcome.state.update.params, outcome.state.best.params, outcome.history
    return np.concatenate([np.ravel(np.asarray(a, np.float64)) for a in jax.tree.leaves(trees)])


@pytest.mark.parametrize("net", NETS)
def test_devices_that_share_a_batch_learn_as_one_does(net):
    alone = numbers(drive(experiment_of(net, Sharing()).job()))
    for devices in (2, 8):
        shared = numbers(drive(experiment_of(net, Sharing(devices)).job()))
        np.testing.assert_allclose(shared, alone, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("net", NETS)
def test_parts_that_are_added_in_order_give_the_same_bits_on_any_number_of_devices(net):
    digests = {
        hashlib.sha256(numbers(drive(experiment_of(net, Sharing(devices, 8), (0, 4)).job())).tobytes()).hexdigest()
        for devices in (1, 3, 8)
    }
    assert len(digests) == 1


def test_masks_of_the_devices_instead_of_the_examples_break_the_law(monkeypatch):
    """The control: each device draws its own masks."""
    alone = numbers(drive(experiment_of(perceptron, Sharing()).job()))
    monkeypatch.setattr(batch_rows, "draw_rows", lambda draw, shape: draw(shape))
    shared = numbers(drive(experiment_of(perceptron, Sharing(2)).job()))
    assert np.abs(shared - alone).max() > 1e-3


@pytest.mark.parametrize(("sharing", "seeds", "count"), [(Sharing(4), 1, 1), (Sharing(4, 8), 1, 1), (Sharing(), 4, 0)])
def test_step_has_one_collective_operation_and_seeds_have_none(sharing, seeds, count):
    assert count_collectives(experiment_of(convolution, sharing, tuple(range(seeds)))) == count


def test_run_goes_on_with_another_number_of_devices():
    whole = drive(experiment_of(perceptron, Sharing(8, 8)).job())
    saved = []
    hooks = Hooks(should_save=lambda steps: True, save=saved.append, every=7)
    drive(experiment_of(perceptron, Sharing(2, 8)).job(), hooks)
    middle = next(snapshot for snapshot in saved if snapshot.steps >= 20)
    rest = drive(experiment_of(perceptron, Sharing(3, 8)).job(), resume_from=middle)
    assert numbers(rest).tobytes() == numbers(whole).tobytes()


def test_random_numbers_of_some_rows_are_those_of_the_whole_batch():
    key = jax.random.key(3)
    whole = jax.random.normal(key, (12, 4))
    with batch_rows.batch_rows(jnp.int32(5), 3, 12):
        assert np.array_equal(batch_rows.draw_normal(key, (3, 4), whole.dtype), whole[5:8])
        # Two places of each example, one after the other.
        places = batch_rows.draw_normal(key, (6, 4), whole.dtype)
        assert np.array_equal(places, jax.random.normal(key, (24, 4))[10:16])
        assert batch_rows.draw_normal(key, (1, 4), whole.dtype).shape == (1, 4)


def batches(make):
    """A quantity of batches along the first axis, and the same of all together."""
    return jax.tree.map(lambda *a: jnp.stack(a), *[make(i) for i in range(4)])


@pytest.mark.parametrize(
    "make",
    [
        lambda i: Sum(jnp.float64(i + 1.5), jnp.float64(i)),
        lambda i: Perplexity(jnp.float64(i + 1.5), jnp.float64(i + 1)),
        lambda i: OutputMean(jnp.asarray(draw(3) + i), jnp.float64(i + 1)),
        lambda i: MeanIoU(jnp.asarray([i, 2.0]), jnp.asarray([3.0 + i, 4.0])),
        lambda i: Covered(jnp.asarray([i, 0.0, 5.0]), jnp.float64(5 + i)),
        lambda i: RSquared(
            jnp.asarray([0.5, 1.0 + i]), jnp.asarray(draw(2) + i), jnp.asarray([1.0, 2.0]), jnp.float64(i)
        ),
    ],
)
def test_merged_batches_have_the_value_of_all(make):
    stacked = batches(make)
    one = merged(stacked)
    assert [a.ndim for a in jax.tree.leaves(one)] == [a.ndim - 1 for a in jax.tree.leaves(stacked)]
    np.testing.assert_allclose(one.value(), stacked.value(), rtol=1e-12)


def batch_norm_net():
    model = jaxnn.serial(jaxnn.dense(4), jaxnn.batch_norm(), jaxnn.dense(3))
    return jaxnn.supervised(model, jaxnn.softmax_cross_entropy(), optimizer("sgd", 1e-2)), draw(40, 5), labels(40)


def test_steps_that_cannot_be_shared_are_refused():
    update, x, target = perceptron()
    own = update._replace(descent=None)
    cases = (
        (batch_norm_net, Sharing(2), "expected a net whose examples do not depend on each other"),
        (lambda: (own, x, target), Sharing(2), "expected one gradient of one loss"),
        (perceptron, Sharing(14), "expected a batch of at least 14 examples"),
        (perceptron, Sharing(9, 8), "expected at most 8 devices"),
        (perceptron, Sharing(0), "at least 1 device"),
    )
    for net, sharing, message in cases:
        with pytest.raises(UserError, match=message) as error:
            experiment_of(net, sharing)
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="expected 9 devices to share a batch, found 8"):
        drive(experiment_of(perceptron, Sharing(9)).job())
    check_sharing(Sharing(), own, None)  # nothing is asked of a step that one device computes
