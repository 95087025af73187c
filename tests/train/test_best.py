"""The best epoch: the metric of `Plan.best` chooses it, the loss of the same part decides between equals."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn.engine.driver import drive
from jaxnn.engine.hooks import Hooks
from jaxnn.engine.job import Job
from jaxnn.quantities import Sum
from jaxnn.train import Plan, Update, generated

EPOCHS, SEEDS = 12, (0, 1, 2)
RNG = np.random.default_rng(0)


def scripted(metrics):
    """An update that measures what its tables say: metrics by name (seeds, epochs). Its parameters are the epoch."""
    tables = {name: jnp.asarray(table, jnp.float32) for name, table in metrics.items()}

    def init(key, example):
        return {"row": jnp.argmax(jax.random.key_data(key)[1] == keys), "epoch": jnp.zeros((), jnp.int32)}

    keys = jnp.asarray([jax.random.key_data(stream_key(seed))[1] for seed in SEEDS])

    def step(state, batch, key):
        sums = {name: Sum(jnp.ones(()), jnp.ones(())) for name in tables}
        return state | {"epoch": state["epoch"] + 1}, sums

    def evaluate(params, batch, key):
        return {n: Sum(t[params["row"], params["epoch"] - 1], jnp.ones(())) for n, t in tables.items()}

    return Update(init, step, evaluate, params=lambda state: state)


def stream_key(seed):
    from jaxnn.train.shuffle import stream

    return stream(jax.random.key(seed), "init")


def best_of(metrics, best, hooks=None, resume_from=None, **plan):
    update = scripted(metrics)
    source = generated(lambda key: jnp.zeros((1, 1)), steps=1)
    job = Job(lambda hyperparameters: update, source, Plan(EPOCHS, best=best, **plan), SEEDS, np.zeros((1, 1)))
    state = drive(job, hooks, resume_from).state
    np.testing.assert_array_equal(state.best.params["epoch"], state.best.epoch)
    return np.asarray(state.best.epoch).tolist()


@pytest.mark.parametrize("round", range(3))
def test_best_epoch_is_first_by_score_then_loss_then_order(round):
    """Few different values, so that there are many ties; every seed has its own table."""
    accuracy, loss = RNG.integers(0, 3, (2, len(SEEDS), EPOCHS)) / 4
    order = lambda key: [max(range(EPOCHS), key=lambda i: key(s, i)) + 1 for s in range(len(SEEDS))]  # noqa: E731
    metrics = {"accuracy": accuracy, "loss": loss}
    assert best_of(metrics, "validation.accuracy") == order(lambda s, i: (accuracy[s, i], -loss[s, i], -i))
    assert best_of(metrics, "validation.loss") == order(lambda s, i: (-loss[s, i], -i))
    # Without a loss there is nothing to decide by.
    assert best_of({"accuracy": accuracy}, "validation.accuracy") == order(lambda s, i: (accuracy[s, i], -i))


def test_best_epoch_of_a_saturated_accuracy_has_the_lowest_loss():
    """As on an easy data set: every example is right from epoch 5 on, and the loss falls until epoch 10."""
    accuracy = np.tile(np.where(np.arange(EPOCHS) < 4, 0.9, 1), (len(SEEDS), 1))
    loss = np.tile([5, 4, 3, 2, 1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.55, 0.6], (len(SEEDS), 1))
    assert best_of({"accuracy": accuracy, "loss": loss}, "validation.accuracy") == [10, 10, 10]
    assert best_of({"accuracy": accuracy, "loss": loss}, "validation.accuracy", patience=1) == [10, 10, 10]


def test_best_epoch_of_a_resumed_run_is_that_of_a_whole_one():
    accuracy, loss = RNG.integers(0, 2, (2, len(SEEDS), EPOCHS)) / 2
    metrics = {"accuracy": accuracy, "loss": loss}
    whole = best_of(metrics, "validation.accuracy")
    for cut in (1, 5, 11):
        snapshots = []
        hooks = Hooks(should_save=lambda steps, cut=cut: steps == cut, save=snapshots.append, every=cut)
        best_of(metrics, "validation.accuracy", hooks)
        snapshot = next(snapshot for snapshot in snapshots if snapshot.steps == cut)
        assert best_of(metrics, "validation.accuracy", resume_from=snapshot) == whole
