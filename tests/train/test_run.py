"""Laws of a training run: it is a pure function of a key, however it is cut, shared out or differentiated."""

from typing import Any

import chex
import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

from jaxnn import dense, dropout, mlp, quadratic, serial, sigmoid, softmax_cross_entropy, tanh
from jaxnn.backprop import autodiff_value_and_grad
from jaxnn.engine.driver import run_live
from jaxnn.engine.parallel import how_here, over_seeds, seed_devices
from jaxnn.errors import UserError
from jaxnn.train import Data, Examples, Plan, evaluate, make_run, make_training, optimizer
from jaxnn.train.second_order import newton

MODEL = serial(dense(7), tanh(), dropout(0.2), dense(3))
LOSS = softmax_cross_entropy()


def examples(seed, n, dtype: Any = np.float32):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(n, 5)).astype(dtype)
    return Examples(x, (x @ draw.normal(size=(5, 3))).argmax(-1).astype(np.int32))


DATA = Data(examples(0, 53), examples(1, 31))
PLAN = Plan(epochs=11, batch_size=7, best="validation.loss")


def training(plan=PLAN, model=MODEL, loss=LOSS, transform=None, **options):
    return make_training(model, loss, transform or optax.adam(0.01), plan, **options)


def pieces(parts, plan=PLAN):
    """A run cut into calls of so many records."""
    t = training(plan)
    advance = jax.jit(t.advance, static_argnums=3)
    state, rows = t.init(jax.random.key(3), DATA), []
    for n in parts:
        state, history = advance(state, DATA, jnp.int32(n), plan.records)
        rows.append(jax.tree.map(lambda a, n=n: a[:n], history))
    return state, jax.tree.map(lambda *a: jnp.concatenate(a), *rows)


@pytest.mark.parametrize("parts", [(1,) * 11, (4, 7), (10, 1)])
def test_how_a_run_is_cut_changes_no_bit(parts):
    chex.assert_trees_all_equal(pieces(parts), pieces((11,)))


def test_a_run_in_pieces_is_the_whole_run():
    params, history = jax.jit(make_run(MODEL, LOSS, optax.adam(0.01), DATA, PLAN))(jax.random.key(3))
    state, rows = pieces((5, 6))
    chex.assert_trees_all_close((params.last, history), (state.params, rows), rtol=1e-6)


def test_the_same_key_gives_the_same_run_and_another_key_another():
    run = jax.jit(make_run(MODEL, LOSS, optax.adam(0.01), DATA, PLAN))
    chex.assert_trees_all_equal(run(jax.random.key(3)), run(jax.random.key(3)))
    assert not np.array_equal(run(jax.random.key(3))[1].train.loss, run(jax.random.key(4))[1].train.loss)


@pytest.mark.parametrize("how", ["vectorize", "in_turn"])
def test_seeds_together_are_the_seeds_alone(how):
    t = training()
    together = run_live(t, DATA, [3, 4, 5, 6], PLAN, how=how)
    for i, seed in enumerate([3, 4, 5, 6]):
        alone = run_live(t, DATA, [seed], PLAN)
        chex.assert_trees_all_close(together.history.train.loss[i], alone.history.train.loss[0], rtol=1e-6)


@pytest.mark.parametrize("n", [2, 9])  # nine are shared out unevenly: the last takes a turn twice
def test_seeds_in_turn_are_bit_equal_to_the_seeds_alone(n):
    t = training()
    # A float32 run, as the door makes it: with 64-bit numbers on, XLA fuses one device's program otherwise than two's.
    with jax.enable_x64(False):
        together, alone = run_live(t, DATA, range(n), PLAN), run_live(t, DATA, [n - 1], PLAN)
    chex.assert_trees_all_equal(
        jax.tree.map(lambda a: a[-1], together.state.params), jax.tree.map(lambda a: a[0], alone.state.params)
    )


def test_vmap_of_a_run_is_a_run_a_row():
    run = make_run(MODEL, LOSS, optax.adam(0.01), DATA, PLAN)
    keys = jax.random.split(jax.random.key(3), 5)
    _, together = jax.jit(jax.vmap(run))(keys)
    _, alone = jax.jit(run)(keys[2])
    chex.assert_trees_all_close(together.train.loss[2], alone.train.loss, rtol=1e-6)


def test_each_seed_may_have_its_own_data():
    sets = [DATA, Data(examples(7, 53), examples(8, 31))]
    stacked = jax.tree.map(lambda *a: jnp.stack(a), *sets)
    together = run_live(training(), stacked, [3, 4], PLAN, stacked_data=True)
    alone = run_live(training(), sets[1], [4], PLAN)
    chex.assert_trees_all_close(together.history.validation.loss[1], alone.history.validation.loss[0], rtol=1e-6)


def test_by_hand_and_by_autodiff_give_the_same_history():
    # In float64, where the two differ by rounding alone: 1e-12 after every step of the run.
    data = Data(examples(0, 53, np.float64), examples(1, 31, np.float64))
    hand, auto = (
        jax.jit(make_run(MODEL, LOSS, optax.sgd(0.1), data, PLAN, **grad))(jax.random.key(0))
        for grad in ({}, {"grad": autodiff_value_and_grad})
    )
    assert hand[1].train.loss.dtype == jnp.float64
    chex.assert_trees_all_close(hand, auto, rtol=1e-12)


def test_an_epoch_is_every_example_once_in_an_order_of_key_and_epoch_alone():
    """With a linear model and one step an epoch's sum of targets tells which examples were seen."""
    seen = []

    def spy(stats, x):
        jax.debug.callback(lambda rows: seen.append(np.asarray(rows)[:, 0]), x, ordered=True)
        return x

    x = np.arange(53, dtype=np.float32)[:, None]
    data = Data(Examples(x, np.zeros((53, 1), np.float32)))
    plan = Plan(epochs=2, batch_size=7)
    run = make_run(dense(1), quadratic(), optax.sgd(0.0), data, plan, prepare=spy)
    jax.block_until_ready(jax.jit(run)(jax.random.key(0)))
    jax.effects_barrier()
    epochs = np.concatenate(seen).reshape(2, 49)
    assert all(len(set(epoch)) == 49 for epoch in epochs)
    assert not np.array_equal(epochs[0], epochs[1])


def test_the_best_parameters_are_those_whose_metric_was_best():
    t = training(Plan(epochs=30, batch_size=7, best="validation.loss"), transform=optax.sgd(0.5))
    outcome = run_live(t, DATA, [0], Plan(epochs=30, batch_size=7, best="validation.loss"))
    best, losses = outcome.state.best, outcome.history.validation.loss[0]
    assert int(best.epoch[0]) == int(np.argmin(losses)) + 1
    validation = DATA.validation
    assert validation is not None
    again = evaluate(MODEL, LOSS, jax.tree.map(lambda a: a[0], best.params), *validation)
    np.testing.assert_allclose(again.loss, losses.min(), rtol=1e-6)


def test_with_full_batches_the_best_by_training_is_looked_for_in_every_step():
    model, plan = serial(dense(3), sigmoid()), Plan(epochs=60, best="train.accuracy", record_every=20)
    outcome = run_live(training(plan, model, quadratic("sum"), optax.sgd(0.3)), DATA, [0], plan)
    every = Plan(epochs=60, best="train.accuracy")
    rows = run_live(training(every, model, quadratic("sum"), optax.sgd(0.3)), DATA, [0], every).history
    accuracy = rows.train.accuracy[0]
    assert float(outcome.state.best.score[0]) == accuracy.max()
    # The row of epoch i measures the parameters before its update, those after i epochs (counted from 0).
    assert int(outcome.state.best.epoch[0]) == int(accuracy.argmax())
    assert outcome.history.train.loss.shape == (1, 3)
    np.testing.assert_array_equal(outcome.history.train.loss[0], rows.train.loss[0, 19::20])


def test_patience_ends_a_run_and_leaves_the_rest_blank():
    plan = Plan(epochs=200, batch_size=7, best="validation.loss", patience=5)
    outcome = run_live(training(plan, transform=optax.sgd(0.9)), DATA, [0], plan)
    losses = outcome.history.validation.loss[0]
    done = int(outcome.state.epoch[0])
    assert done == int(np.nanargmin(losses)) + 1 + 6 < 200
    assert np.isfinite(losses[:done]).all() and np.isnan(losses[done:]).all()


def test_one_compilation_serves_every_number_of_records():
    t = training()
    traced = chex.assert_max_traces(t.advance, n=1)
    advance = jax.jit(traced, static_argnums=3)
    state = t.init(jax.random.key(0), DATA)
    for n in (1, 2, 3):
        state, _ = advance(state, DATA, jnp.int32(n), 4)


def test_the_history_is_the_mean_over_examples_whatever_the_reduction():
    plan = Plan(epochs=1, best="train.loss")
    mean, total = (
        run_live(training(plan, serial(dense(3)), quadratic(reduction), optax.sgd(0.0)), DATA, [0], plan)
        for reduction in ("mean", "sum")
    )
    np.testing.assert_array_equal(mean.history.train.loss, total.history.train.loss)


def test_decay_is_on_weights_only():
    params = MODEL.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 5), jnp.float32))
    params = jax.tree.map(lambda a: a + 1, params)
    zero = jax.tree.map(jnp.zeros_like, params)
    for transform in (optimizer("sgd", 0.5, l2=0.1), optimizer("adamw", 0.5, weight_decay=0.1)):
        assert isinstance(transform, optax.GradientTransformation)
        updates: Any = transform.update(zero, transform.init(params), params)[0]
        for layer, update in ((params[0], updates[0]), (params[3], updates[3])):
            np.testing.assert_allclose(update.weight, -0.05 * layer.weight, rtol=1e-6)
            assert not update.bias.any()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"batch_size": 54}, "batch size of 1 … 53"),
        ({"batch_size": 0}, "batch size of 1 … 53"),
        ({"epochs": 0}, "positive multiple"),
        ({"record_every": 2}, "positive multiple"),
    ],
)
def test_an_impossible_plan_is_refused_before_compiling(change, said):
    with pytest.raises(UserError, match=said):
        make_run(MODEL, LOSS, optax.sgd(0.1), DATA, PLAN._replace(**change))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (Data(DATA.train._replace(y=DATA.train.y - 1)), "labels 0 … 2 for 3 outputs, found labels -1"),
        (Data(DATA.train._replace(y=DATA.train.y + 1)), "found labels 1 … 3"),
        (Data(DATA.train._replace(y=DATA.train.y[:-1])), "as many targets"),
        (Data(DATA.train._replace(y=DATA.train.x)), "output shape"),
    ],
)
def test_data_that_do_not_fit_are_refused_before_compiling(data, said):
    with pytest.raises(UserError, match=said):
        make_run(MODEL, LOSS, optax.sgd(0.1), data, PLAN._replace(best="train.loss"))


def test_unknown_optimizers_and_options_are_refused_with_the_nearest():
    with pytest.raises(UserError, match="did you mean 'adam'"):
        optimizer("adamv", 0.1)
    with pytest.raises(UserError, match="did you mean 'momentum'"):
        optimizer("sgd", 0.1, momentun=0.9)


def test_evaluation_does_not_depend_on_its_batch_size():
    params = MODEL.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 5), jnp.float32))
    whole, parts = (evaluate(MODEL, LOSS, params, *DATA.train, batch_size=n) for n in (100, 8))
    chex.assert_trees_all_close(whole, parts, rtol=1e-6)
    out = MODEL.forward(params, DATA.train.x, None)[0]
    np.testing.assert_allclose(whole.accuracy, (out.argmax(-1) == DATA.train.y).mean(), rtol=1e-6)


@pytest.mark.parametrize("n", [6, 7, 9, 11, 17])
def test_seeds_are_shared_out_over_the_devices(n):
    double = over_seeds(lambda x, c: x * c, n, (True, False), "in_turn")
    x = np.arange(n, dtype=np.float32)
    result = jax.jit(double)(x, np.float32(2))
    np.testing.assert_array_equal(result, 2 * x)
    if n == 6:
        assert len(result.sharding.device_set) == max(d for d in (1, 2, 3, 6) if d <= jax.local_device_count())


@pytest.mark.parametrize(
    ("devices", "shared_by"),
    [(1, [1] * 11), (2, [1, 2, 1, 2, 2, 2, 2, 2, 2, 2, 2]), (4, [1, 2, 3, 4, 3, 3, 4, 4, 3, 4, 4])],
)
def test_devices_share_seeds_where_that_shortens_their_turns_and_few_stand_idle(monkeypatch, devices, shared_by):
    monkeypatch.setattr(jax, "local_device_count", lambda: devices)
    assert [seed_devices(n) for n in range(1, 12)] == shared_by


def test_how_seeds_are_taken_is_chosen_by_the_platform(monkeypatch):
    found = []
    for platform in ("cpu", "gpu", "tpu"):
        monkeypatch.setattr("jaxnn.kernels.backend.platform", lambda platform=platform: platform)
        found.append((how_here(optax.sgd(0.1)), how_here(newton())))
    assert found == [("in_turn", "one_device"), ("vectorize", "one_device"), ("vectorize", "one_device")]


def test_mlp_of_the_course_learns_a_linear_rule():
    run = jax.jit(make_run(mlp([11, 3], tanh()), LOSS, optax.adam(0.03), DATA, Plan(60, 7, "train.accuracy")))
    assert run(jax.random.key(0))[1].train.accuracy[-1] > 0.95
