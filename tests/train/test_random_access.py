"""Examples that are read while the device computes train as the same examples in its memory, bit for bit."""

import sys
import threading
import time

import chex
import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

from jaxnn import batch_norm, dense, dropout, embedding, serial, softmax_cross_entropy, tanh
from jaxnn.data.records import record_rows
from jaxnn.data.rows import Rows, array_rows, read_rows
from jaxnn.engine.driver import drive
from jaxnn.engine.hooks import Hooks
from jaxnn.engine.job import Job
from jaxnn.errors import DataWarning, UserError
from jaxnn.experiment.definition import Experiment
from jaxnn.experiment.scores import scores
from jaxnn.train import Plan, Source, in_memory, random_access, random_access_windows, streamed, supervised
from jaxnn.train.windows import windows

PLAN = Plan(epochs=5, best="validation.loss", eval_every=1)
#: 53 examples in steps of 7, in windows of 3 steps: neither divides the other.
DRAW = np.random.default_rng(0)
X = DRAW.integers(0, 256, (53, 4, 3, 1), np.uint8)
Y = (X.reshape(53, -1) @ DRAW.normal(size=(12, 3))).argmax(-1).astype(np.int32)
THREE_STEPS = 3 * 7 * (12 + 4)


def prepare(stats, batch):
    x, y = batch
    return (x.astype(jnp.float32) - stats) / 255, y


def flatten():
    from jaxnn import flatten as layer

    return layer()


NETS = {
    "dropout": serial(flatten(), dense(7), tanh(), dropout(0.3), dense(3)),
    "batch_norm": serial(flatten(), dense(7), batch_norm(), tanh(), dense(3)),
}


def job(source: Source, net="dropout", seeds=(0, 3), plan=PLAN, **options) -> Job:
    update = supervised(NETS[net], softmax_cross_entropy(), optax.adam(0.01))
    return Job(lambda hyperparameters: update, source, plan, seeds, (X[:11], Y[:11]), **options)


def stream(examples=(X, Y), **options) -> Source:
    options = {"batch_size": 7, "prepare": prepare, "stats": np.float32(100), "window_bytes": THREE_STEPS} | options
    return random_access(examples, **options)


MEMORY = in_memory(X, Y, batch_size=7, prepare=prepare, stats=np.float32(100))


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("strategy", ["sequential", "vectorized"])
def test_stream_trains_as_the_same_examples_in_memory(net, strategy):
    source = stream()
    assert source.block == 3 and source.steps == 7
    streamed_run = drive(job(source, net, strategy=strategy))
    memory = drive(job(MEMORY, net, strategy=strategy))
    chex.assert_trees_all_equal(streamed_run.history, memory.history)
    chex.assert_trees_all_equal(streamed_run.state.update, memory.state.update)
    chex.assert_trees_all_equal(streamed_run.state.best, memory.state.best)


def test_stream_resumes_bit_equal_from_any_step():
    saved = []
    whole = drive(job(stream()), Hooks(every=1, should_save=lambda steps: True, save=saved.append))
    assert [snapshot.steps for snapshot in saved][:35] == list(range(35))
    chex.assert_trees_all_equal(whole.history, drive(job(stream())).history)
    for step in np.random.default_rng(0).choice(np.arange(1, 35), 20, replace=False):
        resumed = drive(job(stream()), resume_from=saved[step])
        chex.assert_trees_all_equal(resumed.state.update, whole.state.update)
        chex.assert_trees_all_equal(resumed.history, whole.history)


def test_windows_of_a_stream_are_those_of_a_sequence_in_memory():
    ids = np.random.default_rng(1).integers(0, 9, 200, np.int32)
    update = supervised(serial(embedding(9, 4), dense(9)), softmax_cross_entropy(), optax.adam(0.01))
    held_out = ids[:30].reshape(-1, 6), ids[1:31].reshape(-1, 6)
    sources = (
        windows(ids[:-1], ids[1:], 6, batch_size=4),
        random_access_windows(ids[:-1], ids[1:], 6, batch_size=4, window_bytes=6 * 4 * 8 * 3),
    )
    assert sources[1].block == 3
    memory, read = (drive(Job(lambda h: update, source, PLAN, (0, 1), held_out)) for source in sources)
    chex.assert_trees_all_equal(read.history, memory.history)
    chex.assert_trees_all_equal(read.state.update, memory.state.update)
    for kept, stored in zip(sources[0].training_examples() or (), sources[1].training_examples() or (), strict=True):
        np.testing.assert_array_equal(kept, np.asarray(stored))


class Records:
    """Pairs of an image and its label, which are read together."""

    def __init__(self, bad=()):
        self.read, self.bad = [], set(bad)

    def __len__(self):
        return len(X)

    def __getitem__(self, numbers):
        if self.bad & set(np.atleast_1d(numbers).tolist()):
            raise OSError("the disk has a hole")
        self.read.append(len(numbers))
        return X[numbers], Y[numbers]


class RecordsOneByOne(Records):
    """Records as torch, tfds and grain give them: a list of pairs."""

    def __getitem__(self, number):
        return X[number], Y[number]

    def __getitems__(self, numbers):
        return [(X[i], Y[i]) for i in numbers]


@pytest.mark.parametrize("kind", [Records, RecordsOneByOne])
def test_any_object_with_a_length_and_items_is_trained_on(kind):
    records = kind()
    if kind is RecordsOneByOne:
        records.__class__.__getitem__ = lambda self, numbers: jax.tree.map(lambda a: a[numbers], (X, Y))
    read = drive(job(stream(records)))
    chex.assert_trees_all_equal(read.history, drive(job(MEMORY)).history)


def test_image_and_label_are_read_once_together():
    records = Records()
    source = stream(records)
    records.read.clear()
    source.load(0, 0, 3, (0,))
    assert sum(records.read) == 21


def test_arrays_of_different_records_are_not_taken_for_those_of_the_same():
    x, y = record_rows(Records())
    some, others = np.array([3, 1, 2]), np.array([9, 7, 8])
    read_x, read_y = read_rows((x.select(some), y.select(others)), np.array([0, 2]))
    np.testing.assert_array_equal(read_x, X[[3, 2]])
    np.testing.assert_array_equal(read_y, Y[[9, 8]])


def test_record_that_cannot_be_read_stops_the_run_with_its_number():
    with pytest.raises(UserError, match=r"record 29 cannot be read: the disk has a hole; .*data.corrupt = 'skip'"):
        drive(job(stream(Records(bad=[29]))))
    nan = X.astype(np.float32).reshape(53, 12)
    nan[17, 3] = np.nan
    with pytest.raises(UserError, match="record 17 cannot be read: expected finite numbers"):
        drive(job(stream((nan, Y))))


def test_record_that_cannot_be_read_is_skipped_where_that_is_wanted():
    with pytest.warns(DataWarning, match="record 29 is skipped: the disk has a hole"):
        skipped = drive(job(stream(Records(bad=[29]), corrupt="skip")))
    x, y = X.copy(), Y.copy()
    x[29], y[29] = X[30], Y[30]
    memory = in_memory(x, y, batch_size=7, prepare=prepare, stats=np.float32(100))
    chex.assert_trees_all_equal(skipped.history, drive(job(memory)).history)


def test_few_windows_are_in_memory_at_a_time():
    """While a window is trained on, two are read; none before they are needed."""
    begun, ended, lock = [], [], threading.Lock()

    def read(numbers):
        with lock:
            begun.append(time.perf_counter())
        time.sleep(0.01)
        with lock:
            ended.append(len(numbers))
        return X[numbers]

    rows = Rows(X.shape, X.dtype, read)
    seen = []
    hooks = Hooks(watch=lambda state, done: seen.append((done, len(ended))))
    drive(job(stream((rows, Y)), seeds=(0,), plan=PLAN._replace(epochs=20)), hooks)
    # Three windows an epoch, each read by up to four threads.
    for done, reads in seen:
        epoch, step = divmod(done, 7)
        assert reads <= 4 * (3 * epoch + step // 3 + 1 + 3)


def test_stream_is_scored_as_the_examples_in_memory(monkeypatch):
    monkeypatch.setattr(sys.modules["jaxnn.experiment.scores"], "EVALUATED_BYTES", 1)
    update = supervised(NETS["dropout"], softmax_cross_entropy(), optax.adam(0.01))
    of_stream, of_memory = (
        Experiment(update, source._replace(rows=10), PLAN, (X[:11], Y[:11]), seeds=(0, 3)).check()
        for source in (stream(), MEMORY)
    )
    params = drive(of_memory.job()).state.best.params
    chex.assert_trees_all_close(scores(of_stream, params), scores(of_memory, params), rtol=1e-6)
    assert of_stream.parts() == ["train", "validation"]


def test_digest_of_a_stream_is_that_of_its_examples():
    from jaxnn.runs.manifest import data_digest

    update = supervised(NETS["dropout"], softmax_cross_entropy(), optax.adam(0.01))
    digests = {data_digest(Experiment(update, source, PLAN, (X[:11], Y[:11]))) for source in (stream(), MEMORY)}
    assert len(digests) == 1


def test_last_block_of_an_epoch_may_be_shorter():
    def load(epoch, first, count):
        return jax.tree.map(lambda a: np.stack([a[7 * i : 7 * i + 7] for i in range(first, first + count)]), (X, Y))

    def run(block):
        return drive(job(streamed(load, 7, block, prepare=prepare, stats=np.float32(100))))

    chex.assert_trees_all_equal(run(3).history, run(7).history)


@pytest.mark.parametrize(
    ("examples", "options", "expected"),
    [
        ((X, Y), {"batch_size": 54}, "a batch size of 1 … 53"),
        ((X, Y[:5]), {}, "as many targets as training examples"),
        ((X[:0], Y[:0]), {}, "at least one"),
        (7, {}, "a collection of records with __len__"),
        ([], {}, "no"),
    ],
)
def test_examples_that_cannot_be_read_are_refused(examples, options, expected):
    with pytest.raises(UserError, match=expected):
        stream(examples, **options)


def test_rows_are_those_of_the_array():
    rows = array_rows(X)
    np.testing.assert_array_equal(rows[3:9], X[3:9])
    np.testing.assert_array_equal(rows[5], X[5])
    np.testing.assert_array_equal(rows[-2], X[-2])
    np.testing.assert_array_equal(rows[X[:, 0, 0, 0] > 99], X[X[:, 0, 0, 0] > 99])
    np.testing.assert_array_equal(rows[np.array([[8, 1], [1, 0]])], X[[[8, 1], [1, 0]]])
    np.testing.assert_array_equal(rows[::-7], X[::-7])
    np.testing.assert_array_equal(rows[np.array([8, 1, 1])], X[[8, 1, 1]])
    np.testing.assert_array_equal(np.asarray(rows.select(np.array([4, 2]))), X[[4, 2]])
    np.testing.assert_array_equal(np.asarray(rows.between(4, 9)), X[4:9])
    np.testing.assert_array_equal(np.asarray(rows.windows(5)), X[:50].reshape(10, 5, 4, 3, 1))
    np.testing.assert_array_equal(rows[2:4, 1], X[2:4, 1])
    doubled = rows.mapped((12,), np.float32, lambda a: a.reshape(-1, 12).astype(np.float32) * 2)
    assert doubled.shape == (53, 12) and doubled.nbytes == 53 * 12 * 4
    np.testing.assert_array_equal(doubled.select(np.array([7]))[:], X[[7]].reshape(1, 12).astype(np.float32) * 2)
