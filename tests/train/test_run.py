"""Laws of a training run: it is a pure function of a key, however it is cut, divided or differentiated."""

from typing import Any

import chex
import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

from jaxnn import dense, dropout, mlp, quadratic, serial, sigmoid, softmax_cross_entropy, tanh
from jaxnn.backprop import autodiff_value_and_grad, value_and_grad
from jaxnn.engine.driver import drive
from jaxnn.engine.job import Job
from jaxnn.engine.parallel import default_strategy, map_seeds, seed_devices
from jaxnn.errors import UserError
from jaxnn.quantities import values
from jaxnn.train import Plan, Source, Update, evaluate, generated, in_memory, make_run, optimizer, streamed, supervised
from jaxnn.train.run import Data, make_training, shape_of
from jaxnn.train.second_order import newton

MODEL = serial(dense(7), tanh(), dropout(0.2), dense(3))
LOSS = softmax_cross_entropy()


def examples(seed, n, dtype: Any = np.float32):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(n, 5)).astype(dtype)
    return x, (x @ draw.normal(size=(5, 3))).argmax(-1).astype(np.int32)


TRAIN, VALIDATION = examples(0, 53), examples(1, 31)
PLAN = Plan(epochs=11, best="validation.loss")


def update(model=MODEL, loss=LOSS, transform=None, **options) -> Update:
    return supervised(model, loss, optax.adam(0.01) if transform is None else transform, **options)


UPDATE = update()
SOURCE = in_memory(*TRAIN, batch_size=7)


def bind(hyperparameters):
    del hyperparameters
    return UPDATE


def job(plan=PLAN, seeds=(0,), source=SOURCE, other: Update = UPDATE, **options) -> Job:
    def bind_other(hyperparameters):
        return other

    return Job(bind if other is UPDATE else bind_other, source, plan, tuple(seeds), VALIDATION, **options)


def run_of(plan=PLAN, source=SOURCE, other: Update = UPDATE):
    return jax.jit(make_run(other, source, plan, VALIDATION))


def pieces(evaluations):
    """A run cut into calls of so many evaluations."""
    training, data = make_training(bind, shape_of(SOURCE, PLAN)), Data(TRAIN, VALIDATION)
    run_steps = jax.jit(training.run_steps, static_argnums=4)
    state, rows = training.init(jax.random.key(3), {}), []
    for n in evaluations:
        state, history = run_steps(state, data, 0, jnp.int32(n * SOURCE.steps), PLAN.evaluations)
        rows.append(jax.tree.map(lambda a, n=n: a[:n], history))
    return state, jax.tree.map(lambda *a: jnp.concatenate(a), *rows)


@pytest.mark.parametrize("parts", [(1,) * 11, (4, 7), (10, 1)])
def test_run_steps_cut_changes_no_bit(parts):
    chex.assert_trees_all_equal(pieces(parts), pieces((11,)))


def test_make_run_equals_the_run_in_pieces():
    trained, history = run_of()(jax.random.key(3))
    state, rows = pieces((5, 6))
    chex.assert_trees_all_close((trained.last, history), (state.update.params, rows), rtol=1e-6)


def test_make_run_is_a_function_of_its_key():
    run = run_of()
    chex.assert_trees_all_equal(run(jax.random.key(3)), run(jax.random.key(3)))
    losses = [run(jax.random.key(seed))[1].train["loss"] for seed in (3, 4)]
    assert not np.array_equal(*losses)


@pytest.mark.parametrize("strategy", ["vectorized", "sequential"])
def test_drive_seeds_together_equal_the_seeds_alone(strategy):
    together = drive(job(seeds=[3, 4, 5, 6], strategy=strategy))
    for i, seed in enumerate([3, 4, 5, 6]):
        alone = drive(job(seeds=[seed]))
        chex.assert_trees_all_close(together.history.train["loss"][i], alone.history.train["loss"][0], rtol=1e-6)


@pytest.mark.parametrize("n", [2, 9])  # nine are divided unevenly: the last is computed twice
def test_drive_sequential_seeds_are_bit_equal_to_the_seeds_alone(n):
    # A float32 run, as the command line makes it: with x64 on, XLA fuses one device's program otherwise than two's.
    with jax.enable_x64(False):
        together, alone = drive(job(seeds=range(n))), drive(job(seeds=[n - 1]))
    chex.assert_trees_all_equal(
        jax.tree.map(lambda a: a[-1], together.state.update), jax.tree.map(lambda a: a[0], alone.state.update)
    )


def test_make_run_under_vmap_is_a_run_a_row():
    run = make_run(UPDATE, SOURCE, PLAN, VALIDATION)
    keys = jax.random.split(jax.random.key(3), 5)
    _, together = jax.jit(jax.vmap(run))(keys)
    _, alone = jax.jit(run)(keys[2])
    chex.assert_trees_all_close(together.train["loss"][2], alone.train["loss"], rtol=1e-6)


def test_drive_gives_each_seed_its_own_data():
    def stack(*trees):
        return jax.tree.map(lambda *a: np.stack(a), *trees)

    others = examples(7, 53), examples(8, 31)
    train, validation = stack(TRAIN, others[0]), stack(VALIDATION, others[1])
    source = SOURCE._replace(load=lambda *where: train)
    together = drive(job(seeds=[3, 4], source=source, stacked=True)._replace(validation=validation))
    alone = drive(job(seeds=[4], source=in_memory(*others[0], batch_size=7))._replace(validation=others[1]))
    losses = together.history.validation["loss"][1], alone.history.validation["loss"][0]
    chex.assert_trees_all_close(*losses, rtol=1e-6)


def test_supervised_by_hand_and_by_autodiff_give_the_same_history():
    # In float64, where the two differ by rounding alone: 1e-12 after every step of the run.
    train, validation = examples(0, 53, np.float64), examples(1, 31, np.float64)
    hand, auto = (
        jax.jit(
            make_run(update(transform=optax.sgd(0.1), grad=grad), in_memory(*train, batch_size=7), PLAN, validation)
        )(jax.random.key(0))
        for grad in (value_and_grad, autodiff_value_and_grad)
    )
    assert hand[1].train["loss"].dtype == jnp.float64
    chex.assert_trees_all_close(hand, auto, rtol=1e-12)


def test_in_memory_epoch_sees_every_example_once_in_an_order_of_key_and_epoch():
    seen = []

    def spy(stats, batch):
        jax.debug.callback(lambda rows: seen.append(np.asarray(rows)[:, 0]), batch[0], ordered=True)
        return batch

    x = np.arange(53, dtype=np.float32)[:, None]
    source = in_memory(x, np.zeros((53, 1), np.float32), batch_size=7, prepare=spy)
    run = make_run(supervised(dense(1), quadratic(), optax.sgd(0.0)), source, Plan(epochs=2))
    jax.block_until_ready(jax.jit(run)(jax.random.key(0)))
    jax.effects_barrier()
    epochs = np.concatenate(seen).reshape(2, 49)
    assert all(len(set(epoch)) == 49 for epoch in epochs)
    assert not np.array_equal(epochs[0], epochs[1])
    assert source.positions is not None
    named = [np.concatenate([source.positions(jax.random.key(0), e, i) for i in range(7)]) for e in range(2)]
    np.testing.assert_array_equal(epochs, named)


def test_best_parameters_are_those_whose_metric_was_best():
    outcome = drive(job(Plan(epochs=30, best="validation.loss"), other=update(transform=optax.sgd(0.5))))
    best, losses = outcome.state.best, outcome.history.validation["loss"][0]
    assert int(best.epoch[0]) == int(np.argmin(losses)) + 1
    params = jax.tree.map(lambda a: a[0], best.params)
    again = values(evaluate(UPDATE.evaluate, params, VALIDATION, jax.random.key(0)))
    np.testing.assert_allclose(again["loss"], losses.min(), rtol=1e-6)


def test_best_by_a_train_metric_is_searched_in_every_full_batch_step():
    other = update(serial(dense(3), sigmoid()), quadratic("sum"), optax.sgd(0.3))
    full = in_memory(*TRAIN)
    outcome = drive(job(Plan(epochs=60, best="train.accuracy", eval_every=20), source=full, other=other))
    rows = drive(job(Plan(epochs=60, best="train.accuracy"), source=full, other=other)).history
    accuracy, loss = rows.train["accuracy"][0], rows.train["loss"][0]
    assert float(outcome.state.best.score[0]) == accuracy.max()
    # The row of epoch i measures the parameters before its update, those after i epochs (counted from 0).
    assert int(outcome.state.best.epoch[0]) == max(range(60), key=lambda i: (accuracy[i], -loss[i], -i))
    assert (accuracy == accuracy.max()).sum() > 1  # the loss decides
    assert outcome.history.train["loss"].shape == (1, 3)
    np.testing.assert_array_equal(outcome.history.train["loss"][0], rows.train["loss"][0, 19::20])


def test_patience_ends_a_run_and_leaves_the_rest_blank():
    plan = Plan(epochs=200, best="validation.loss", patience=5)
    outcome = drive(job(plan, other=update(transform=optax.sgd(0.9))))
    losses = outcome.history.validation["loss"][0]
    done = int(outcome.state.epoch[0])
    assert done == int(np.nanargmin(losses)) + 1 + 6 < 200
    assert np.isfinite(losses[:done]).all() and np.isnan(losses[done:]).all()


def test_run_steps_of_every_count_share_one_compilation():
    training, data = make_training(bind, shape_of(SOURCE, PLAN)), Data(TRAIN, VALIDATION)
    traced = chex.assert_max_traces(training.run_steps, n=1)
    run_steps = jax.jit(traced, static_argnums=4)
    state = training.init(jax.random.key(0), {})
    for n in (1, 7, 9):
        state, _ = run_steps(state, data, 0, jnp.int32(n), 4)


def test_hyperparameters_of_another_value_share_the_program():
    bound = []

    def bind_rate(hyperparameters):
        bound.append(1)
        return update(transform=optax.sgd(hyperparameters["rate"]))

    def losses(rate):
        work = Job(bind_rate, SOURCE, PLAN, (0, 1), VALIDATION, {"rate": np.full(2, rate, np.float32)})
        return drive(work).history.train["loss"]

    first = losses(0.1)
    calls = len(bound)
    second = losses(0.2)
    assert len(bound) <= calls + 1  # only the strategy is asked for, nothing is traced
    alone = drive(job(seeds=(0, 1), other=update(transform=optax.sgd(0.2)))).history.train["loss"]
    assert not np.array_equal(first, second)
    np.testing.assert_allclose(second, alone, rtol=1e-6)


def test_history_is_the_mean_over_examples_whatever_the_reduction():
    plan, full = Plan(epochs=1, best="train.loss"), in_memory(*TRAIN)
    mean, total = (
        drive(job(plan, source=full, other=update(serial(dense(3)), quadratic(reduction), optax.sgd(0.0))))
        for reduction in ("mean", "sum")
    )
    np.testing.assert_array_equal(mean.history.train["loss"], total.history.train["loss"])


def test_streamed_batches_train_as_the_same_batches_in_memory():
    """A stream whose blocks hold the batches that the source in memory would draw gives the same run."""
    assert SOURCE.positions is not None

    def load(epoch, first, count):
        assert SOURCE.positions is not None
        rows = [np.asarray(SOURCE.positions(jax.random.key(0), epoch, first + i)) for i in range(count)]
        return jax.tree.map(lambda a: np.stack([a[r] for r in rows]), TRAIN)

    stream = drive(job(source=streamed(load, SOURCE.steps, 7)))
    blocks = drive(job(source=streamed(load, SOURCE.steps, 1)))
    memory = drive(job())
    chex.assert_trees_all_equal(stream.history, blocks.history)
    chex.assert_trees_all_close(stream.history, memory.history, rtol=1e-6)


def test_stream_may_fill_the_same_arrays_again():
    """A CPU reads an array whose memory is aligned where it is, without a copy, while the next block is loaded."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(4, 64, 5)).astype(np.float32)
    labels = draw.integers(3, size=(4, 64)).astype(np.int32)

    def aligned(like):
        memory = np.zeros(like[:1].nbytes + 64, np.uint8)
        return memory[-memory.ctypes.data % 64 :][: like[:1].nbytes].view(like.dtype).reshape(1, *like.shape[1:])

    again = aligned(x), aligned(labels)

    def filled(epoch, first, count):
        for array, block in zip(again, (x, labels), strict=True):
            array[:] = block[first : first + 1]
        return again

    def new(epoch, first, count):
        return x[first : first + 1], labels[first : first + 1]

    refilled, fresh = (drive(job(source=streamed(load, 4, 1))).history for load in (filled, new))
    chex.assert_trees_all_equal(refilled, fresh)


def test_generated_batches_differ_by_step_and_repeat_by_key():
    def draw(key):
        x = jax.random.normal(key, (7, 5), jnp.float32)
        return x, jnp.argmax(x[:, :3], -1).astype(jnp.int32)

    source = generated(draw, steps=9)
    first, again, other = (drive(job(source=source, seeds=[seed])).history.train["loss"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all() and len(np.unique(first)) == first.size


def test_streamed_refuses_a_block_that_is_longer_than_the_epoch():
    with pytest.raises(UserError, match=r"a block of 1 … 9, the steps of an epoch, found 10"):
        streamed(lambda *where: TRAIN, 9, 10)


def test_average_is_what_is_scored_and_saved():
    averaged = drive(job(other=update(transform=optax.sgd(0.3), average=0.9)))
    plain = drive(job(other=update(transform=optax.sgd(0.3))))
    params, average = averaged.state.update.params, averaged.state.update.average
    chex.assert_trees_all_equal(params, plain.state.update.params)  # the average trains nothing
    last = values(evaluate(UPDATE.evaluate, jax.tree.map(lambda a: a[0], average), VALIDATION, jax.random.key(0)))
    np.testing.assert_allclose(last["loss"], averaged.history.validation["loss"][0, -1], rtol=1e-6)
    # ā ← a ā + (1 − a) params, from the first parameters on.
    steps = drive(job(Plan(epochs=1, best="validation.loss"), other=update(transform=optax.sgd(0.3), average=0.0)))
    chex.assert_trees_all_equal(steps.state.update.params, steps.state.update.average)


def test_plain_function_trains_as_a_loss():
    def squared(y, target):
        return 0.5 * ((y - target) ** 2).sum(-1).mean(), (y - target) / len(y)

    targets = np.eye(3, dtype=np.float32)[TRAIN[1]]
    source, plan = in_memory(TRAIN[0], targets, batch_size=7), Plan(5)
    plain, built_in = (
        jax.jit(make_run(supervised(serial(dense(3)), loss, optax.sgd(0.1)), source, plan))(jax.random.key(0))
        for loss in (squared, quadratic())
    )
    chex.assert_trees_all_close(plain, built_in, rtol=1e-6)


def test_decay_is_on_weights_only():
    params = MODEL.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 5), jnp.float32))
    params = jax.tree.map(lambda a: a + 1, params)
    zero = jax.tree.map(jnp.zeros_like, params)
    for transform in (optimizer("sgd", 0.5, l2=0.1), optimizer("adamw", 0.5, weight_decay=0.1)):
        assert isinstance(transform, optax.GradientTransformation)
        updates: Any = transform.update(zero, transform.init(params), params)[0]
        for layer, change in ((params[0], updates[0]), (params[3], updates[3])):
            np.testing.assert_allclose(change.weight, -0.05 * layer.weight, rtol=1e-6)
            assert not change.bias.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "positive multiple"),
        ({"eval_every": 2}, "positive multiple"),
        ({"best": "validation.auc"}, "a metric among accuracy, loss, found 'validation.auc'"),
        ({"best": "test.loss"}, r"'train\.METRIC', 'validation\.METRIC' or 'last'"),
    ],
)
def test_make_run_refuses_an_impossible_plan(change, message):
    with pytest.raises(UserError, match=message):
        make_run(UPDATE, SOURCE, PLAN._replace(**change), VALIDATION)


@pytest.mark.parametrize("size", [54, 0])
def test_in_memory_refuses_an_impossible_batch_size(size):
    with pytest.raises(UserError, match=r"batch size of 1 … 53"):
        in_memory(*TRAIN, batch_size=size)


@pytest.mark.parametrize(
    ("x", "target", "message"),
    [
        (TRAIN[0], TRAIN[1] - 1, "labels 0 … 2 for 3 outputs, found labels -1"),
        (TRAIN[0], TRAIN[1] + 1, "found labels 1 … 3"),
        (TRAIN[0], TRAIN[1][:-1], "as many targets"),
        (TRAIN[0], TRAIN[0], "the output's shape"),
        (TRAIN[0], np.eye(4, dtype=np.int32)[TRAIN[1]], "the output's shape"),
    ],
)
def test_make_run_refuses_data_that_do_not_fit(x, target, message):
    def make(source: Source):
        return make_run(UPDATE, source, PLAN._replace(best="train.loss"))

    with pytest.raises(UserError, match=message):
        make(in_memory(x, target, batch_size=7))


def test_optimizer_refuses_unknown_names_and_options_with_the_nearest():
    with pytest.raises(UserError, match="did you mean 'adam'"):
        optimizer("adamv", 0.1)
    with pytest.raises(UserError, match="did you mean 'momentum'"):
        optimizer("sgd", 0.1, momentun=0.9)


def test_evaluate_does_not_depend_on_its_batch_size():
    params = MODEL.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 5), jnp.float32))
    whole, parts = (values(evaluate(UPDATE.evaluate, params, TRAIN, jax.random.key(0), rows=n)) for n in (None, 8))
    chex.assert_trees_all_close(whole, parts, rtol=1e-6)
    out = MODEL.apply(params, TRAIN[0])
    np.testing.assert_allclose(whole["accuracy"], (out.argmax(-1) == TRAIN[1]).mean(), rtol=1e-6)


@pytest.mark.parametrize("n", [6, 7, 9, 11, 17])
def test_map_seeds_divides_seeds_among_the_devices(n):
    double = map_seeds(lambda x, c: x * c, n, (True, False), "sequential")
    x = np.arange(n, dtype=np.float32)
    result = jax.jit(double)(x, np.float32(2))
    np.testing.assert_array_equal(result, 2 * x)
    if n == 6:
        assert len(result.sharding.device_set) == max(d for d in (1, 2, 3, 6) if d <= jax.local_device_count())


@pytest.mark.parametrize(
    ("devices", "shares"),
    [(1, [1] * 11), (2, [1, 2, 1, 2, 2, 2, 2, 2, 2, 2, 2]), (4, [1, 2, 3, 4, 3, 3, 4, 4, 3, 4, 4])],
)
def test_seed_devices_leaves_few_devices_idle(monkeypatch, devices, shares):
    monkeypatch.setattr("jaxnn.engine.parallel.local_devices", lambda: [None] * devices)
    assert [seed_devices(n) for n in range(1, 12)] == shares


def test_default_strategy_is_chosen_by_the_platform(monkeypatch):
    chosen = []
    second_order = supervised(serial(dense(3)), quadratic(), newton())
    for platform in ("cpu", "gpu", "tpu"):
        monkeypatch.setattr("jaxnn.kernels.backend.platform", lambda platform=platform: platform)
        chosen.append((default_strategy(UPDATE), default_strategy(second_order)))
    assert chosen == [("sequential", "one_device"), ("vectorized", "one_device"), ("vectorized", "one_device")]


def test_programs_are_cached_by_device():
    """A run on another default device compiles its own program there."""
    device = jax.local_devices()[1]
    here = drive(job(seeds=[0]))
    with jax.default_device(device):
        there = drive(job(seeds=[0]))
    assert jax.tree.leaves(here.state.update)[0].devices() == {jax.local_devices()[0]}
    assert jax.tree.leaves(there.state.update)[0].devices() == {device}
    chex.assert_trees_all_equal(here.history, there.history)


def test_mlp_of_the_course_learns_a_linear_rule():
    run = run_of(Plan(60, "train.accuracy"), other=update(mlp([11, 3], tanh()), transform=optax.adam(0.03)))
    assert run(jax.random.key(0))[1].train["accuracy"][-1] > 0.95
