"""Experiments as Python values: what fit trains, keeps, reads back and refuses."""

import importlib
import re

import chex
import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

import jaxnn
from jaxnn.errors import UserError
from jaxnn.experiment.scores import scored_examples, scores
from jaxnn.layer import empty_init
from jaxnn.quantities import Sum
from jaxnn.report.score_table import score_rows
from jaxnn.storage.locks import lock_file
from jaxnn.train.windows import cut_windows

X = np.random.default_rng(0).normal(size=(120, 3)).astype(np.float32)
LABELS = (X[:, 0] > 0).astype(np.int32)
MODEL = jaxnn.serial(hidden=jaxnn.dense(7), bend=jaxnn.tanh(), head=jaxnn.dense(2))


def bind(hyperparameters):
    optimizer = optax.adam(hyperparameters["learning_rate"])
    metrics = {"accuracy": jaxnn.accuracy}
    return jaxnn.supervised(MODEL, jaxnn.softmax_cross_entropy(), optimizer, metrics=metrics)


EXPERIMENT = jaxnn.Experiment(
    bind,
    jaxnn.in_memory(X[:80], LABELS[:80], batch_size=16),
    jaxnn.Plan(epochs=6, best="validation.accuracy", save_epochs=2, save_minutes=None),
    validation=(X[80:100], LABELS[80:100]),
    test=(X[100:], LABELS[100:]),
    hyperparameters={"learning_rate": 0.05},
    seeds=(3, 4),
)


def test_fit_without_a_folder_scores_and_predicts():
    run = jaxnn.fit(EXPERIMENT)
    assert run.params["head"].weight.shape == (2, 7, 2)
    assert set(run.scores) == {"train", "validation", "test"}
    probabilities = run.predict(X[100:], seed=1)
    right = (probabilities.argmax(-1) == LABELS[100:]).mean()
    np.testing.assert_allclose(run.scores["test"]["accuracy"][1], right)
    np.testing.assert_allclose(run.predict(X[100:]), (run.predict(X[100:], 0) + probabilities) / 2, rtol=1e-6)
    assert run.history["train_loss"].shape == (2, 6) and list(run.history["epoch"]) == [1, 2, 3, 4, 5, 6]
    assert [figure.name for figure in run.figures()] == ["learning_curves", "confusion"]


def test_step_is_traced_once_for_its_shapes_and_once_for_its_program():
    """Tracing a step of a deep net takes a second."""
    traces = []

    def bind_and_count(hyperparameters):
        update = bind(hyperparameters)

        def step(*args):
            traces.append(args)
            return update.step(*args)

        return update._replace(step=step)

    jaxnn.fit(EXPERIMENT._replace(update=bind_and_count))
    assert len(traces) == 2


def test_fit_in_a_folder_is_fit_without_one(tmp_path):
    inside, outside = jaxnn.fit(EXPERIMENT, tmp_path / "run"), jaxnn.fit(EXPERIMENT)
    chex.assert_trees_all_equal(inside.params, outside.params)
    chex.assert_trees_all_equal(dict(inside.history), dict(outside.history))
    chex.assert_trees_all_close(inside.scores, outside.scores, rtol=1e-6)
    assert (tmp_path / "run" / "report.html").is_file()
    again = jaxnn.load_run(tmp_path / "run", EXPERIMENT)
    np.testing.assert_array_equal(again.predict(X[:5]), inside.predict(X[:5]))


def test_fit_resumes_to_the_bit(tmp_path):
    whole = jaxnn.fit(EXPERIMENT, tmp_path / "whole")

    class Stop(Exception):
        pass

    def stop_in_the_middle(progress):
        if progress.done >= 3:
            raise Stop

    with pytest.raises(Stop):
        jaxnn.fit(EXPERIMENT, tmp_path / "cut", report=stop_in_the_middle)
    with pytest.raises(UserError, match="jaxnn resume"):
        jaxnn.load_run(tmp_path / "cut", EXPERIMENT)
    resumed = jaxnn.fit(EXPERIMENT, tmp_path / "cut", resume=True)
    chex.assert_trees_all_equal(resumed.params, whole.params)
    for name in ("best.safetensors", "last.safetensors", "history.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    lock_file(tmp_path / "cut").touch()  # as of a process that was killed after its last write
    finished = jaxnn.fit(EXPERIMENT, tmp_path / "cut", resume=True)  # nothing is left to do
    assert not lock_file(tmp_path / "cut").exists()
    chex.assert_trees_all_equal(finished.params, whole.params)


def test_fit_refuses_a_folder_in_use_and_other_data(tmp_path):
    jaxnn.fit(EXPERIMENT, tmp_path / "run")
    with pytest.raises(UserError, match="found a run"):
        jaxnn.fit(EXPERIMENT, tmp_path / "run")
    jaxnn.fit(EXPERIMENT, tmp_path / "run", overwrite=True)
    with pytest.raises(UserError, match="expected a folder to resume"):
        jaxnn.fit(EXPERIMENT, resume=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": ()}, "at least one"),
        ({"seeds": (-1,)}, "expected seeds from 0"),
        ({"validation": None}, "expected a validation part for best = 'validation.accuracy'"),
        ({"test": (X[:5], LABELS[:5] + 5)}, "labels 0 … 1 for 2 outputs"),
        ({"test": (X[:5], np.eye(3, dtype=np.int32)[LABELS[:5]])}, "the output's shape"),
    ],
)
def test_fit_refuses_what_cannot_be_trained_before_compiling(change, message):
    with pytest.raises(UserError, match=message):
        jaxnn.fit(EXPERIMENT._replace(**change))


def test_save_params_and_load_params_round_trip(tmp_path):
    params = MODEL.init(jax.random.key(0), X[:1])
    jaxnn.save_params(tmp_path / "net.safetensors", params)
    chex.assert_trees_all_equal(jaxnn.load_params(tmp_path / "net.safetensors", like=params), params)
    nested = jaxnn.load_params(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(nested["head"]["weight"], params["head"].weight)
    other = jaxnn.serial(hidden=jaxnn.dense(7), bend=jaxnn.tanh(), head=jaxnn.dense(3)).init(jax.random.key(0), X[:1])
    with pytest.raises(UserError, match=re.escape("'head/weight' of shape (7, 3)")):
        jaxnn.load_params(tmp_path / "net.safetensors", like=other)


def test_experiment_trains_pytrees_with_integers():
    """x is a dictionary of tokens and numbers; the tokens stay integers, and the layer gives them no dx."""
    tokens = np.random.default_rng(1).integers(0, 11, size=(120, 2), dtype=np.int32)
    x = {"tokens": tokens, "numbers": X}

    def lookup():
        def init(key, x):
            return {"table": jax.random.normal(key, (11, 5), x["numbers"].dtype)}

        def forward(params, x, key):
            rows = params["table"][x["tokens"]].sum(1)
            return jnp.concatenate([rows, x["numbers"]], -1), (x["tokens"], x["numbers"][:0])

        def backward(params, res, dy):
            tokens, numbers = res
            table = jnp.zeros_like(params["table"]).at[tokens].add(dy[:, None, :5])
            return {"table": table}, {"tokens": None, "numbers": dy[:, 5:].astype(numbers.dtype)}

        return jaxnn.Layer(init, forward, backward, "lookup")

    labels = (tokens.sum(-1) > 10).astype(np.int32)
    model = jaxnn.serial(lookup(), jaxnn.dense(2))
    update = jaxnn.supervised(
        model, jaxnn.softmax_cross_entropy(), optax.adam(0.1), metrics={"accuracy": jaxnn.accuracy}
    )
    source = jaxnn.in_memory(x, labels, batch_size=20)
    assert source.example[0]["tokens"].dtype == jnp.int32
    run = jaxnn.fit(jaxnn.Experiment(update, source, jaxnn.Plan(30), test=(x, labels)))
    assert run.scores["test"]["accuracy"][0] > 0.95
    assert run.predict(jax.tree.map(lambda a: a[:4], x)).shape == (4, 2)


def test_experiment_trains_an_update_of_two_players():
    """An Update that is no supervised one: two parameters, each with its own loss, measured by names of their own."""

    def init(key, example):
        return {"generator": jnp.ones(()), "critic": jnp.zeros(())}

    def step(state, batch, key):
        generator = state["generator"] - 0.1 * (state["generator"] - batch.mean())
        critic = state["critic"] + 0.1 * (generator - state["critic"])
        gap = jnp.abs(generator - batch.mean())
        sums = {"generator_loss": Sum(gap, jnp.ones(())), "critic_loss": Sum(jnp.abs(critic - generator), jnp.ones(()))}
        return {"generator": generator, "critic": critic}, sums

    def evaluate(params, batch, key):
        return {"distance": Sum(jnp.abs(params["generator"] - batch).sum(), jnp.asarray(float(len(batch))))}

    update = jaxnn.Update(init, step, evaluate, lambda state: state)

    def draw(key):
        return 5 + 0.1 * jax.random.normal(key, (8,))

    experiment = jaxnn.Experiment(
        update,
        jaxnn.generated(draw, steps=10),
        jaxnn.Plan(20, best="validation.distance"),
        validation=np.full(16, 5.0),
    )
    run = jaxnn.fit(experiment)
    assert set(run.history) == {"epoch", "train_generator_loss", "train_critic_loss", "validation_distance"}
    np.testing.assert_allclose(run.params["generator"], 5, atol=0.1)
    # A distance is made small: the best is the least one.
    assert int(run.best_epoch[0]) == int(run.history["validation_distance"][0].argmin()) + 1


def test_layer_without_parameters_and_name_trains():
    nameless = jaxnn.Layer(empty_init, lambda p, x, key: (2 * x, ()), lambda p, res, dy: ((), 2 * dy))
    model = jaxnn.serial(nameless, jaxnn.dense(2))
    update = jaxnn.supervised(model, jaxnn.softmax_cross_entropy(), optax.sgd(0.5))
    source = jaxnn.in_memory(X, LABELS)
    losses = jaxnn.fit(jaxnn.Experiment(update, source, jaxnn.Plan(20))).history["train_loss"][0]
    assert losses[-1] < 0.5 * losses[0]


def test_weighted_targets_train_on_the_places_that_count():
    """A place of weight 0 has no influence, not even with a wrong label."""
    wrong = np.where(np.arange(120) < 60, LABELS, 1 - LABELS)
    weight = (np.arange(120) < 60).astype(np.float32)
    update = jaxnn.supervised(
        MODEL, jaxnn.softmax_cross_entropy(), optax.sgd(0.5), metrics={"accuracy": jaxnn.accuracy}
    )

    def losses(x, target):
        return jaxnn.fit(jaxnn.Experiment(update, jaxnn.in_memory(x, target), jaxnn.Plan(10))).history

    masked, half = losses(X, jaxnn.Weighted(wrong, weight)), losses(X[:60], LABELS[:60])
    np.testing.assert_allclose(masked["train_loss"], half["train_loss"], rtol=1e-5)
    np.testing.assert_allclose(masked["train_accuracy"], half["train_accuracy"])


def test_predict_compiles_once_for_all_seeds():
    """Parameters are an argument of the compiled prediction, not constants in it."""
    from jaxnn.experiment.scores import _predict
    from jaxnn.kernels.devices import local_devices

    run = jaxnn.fit(EXPERIMENT)
    function = _predict(EXPERIMENT.bind, EXPERIMENT.source.prepare, tuple(local_devices()))
    function.clear_cache()
    run.predict(X[:7])
    assert function._cache_size() == 1


def test_scores_send_shared_data_to_the_device_once(monkeypatch):
    import importlib

    module = importlib.import_module("jaxnn.experiment.scores")

    run, sent = jaxnn.fit(EXPERIMENT), []
    original = jax.device_put

    def sending(tree):
        sent.extend(map(np.shape, jax.tree.leaves(tree)))
        return original(tree)

    monkeypatch.setattr(jax, "device_put", sending)
    module.scores(EXPERIMENT, run.params)
    assert sum(shape == X[:80].shape for shape in sent) == 1


def test_run_of_a_second_order_method_leaves_the_threads_of_blas():
    """LAPACK computes on one thread while the method runs, and on as many as before afterwards."""
    import scipy.linalg  # noqa: F401  it loads the library whose threads are counted
    from threadpoolctl import threadpool_info

    def threads():
        return [info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"]

    before, during = threads(), []

    def watch(progress):
        during.extend(threads())

    update = jaxnn.supervised(jaxnn.serial(jaxnn.dense(1)), jaxnn.quadratic(), jaxnn.optimizer("newton"))
    x = X.astype(np.float64)
    source = jaxnn.in_memory(x, x[:, :1])
    jaxnn.fit(jaxnn.Experiment(update, source, jaxnn.Plan(5)), report=watch)
    assert set(during) == {1} and threads() == before


def test_long_training_sequence_is_scored_at_places_from_everywhere_in_it(monkeypatch):
    monkeypatch.setattr(importlib.import_module("jaxnn.experiment.scores"), "SCORED_PLACES", 80)
    x = np.arange(400.0)[:, None]
    model = jaxnn.serial(jaxnn.dense(1))
    update = jaxnn.supervised(model, jaxnn.mean_squared_error(), jaxnn.optimizer("sgd", 0.0))
    held_out = cut_windows((x, x), 8)
    experiment = jaxnn.Experiment(
        update, jaxnn.windows(x, x, 8, batch_size=2), jaxnn.Plan(1, "last"), validation=held_out
    )
    scored, _ = scored_examples(experiment, "train")
    assert scored.shape == (10, 8, 1) and (np.diff(scored[:, 0, 0]) == 40).all() and scored[0, 0, 0] == 0
    assert scored_examples(experiment, "validation")[0].shape == (50, 8, 1)
    assert [row["examples"] for row in score_rows(experiment, {"train": {}, "validation": {}})] == [10, 50]
    params = jax.tree.map(lambda a: jnp.zeros((1, *a.shape)), model.init(jax.random.key(0), x[None, :8]))
    assert scores(experiment, params)["train"]["loss"][0] == pytest.approx(np.mean(scored**2))
