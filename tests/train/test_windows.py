"""Windows of a long sequence: every place at most once an epoch, each target beside its input."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn.errors import UserError
from jaxnn.train.batches import in_memory
from jaxnn.train.source import Source
from jaxnn.train.windows import cut_windows, windows


def training_examples(source: Source):
    examples = source.training_examples()
    assert examples is not None
    return examples


def epoch(source, key=0, number=0):
    buffer = jax.tree.map(jnp.asarray, source.load(number, 0, source.steps, ()))
    batch = source.batches(buffer, source.stats)(jax.random.key(key), number)
    return [jax.device_get(batch(i)) for i in range(source.steps)]


@pytest.mark.parametrize("places", [100, 101, 103])
def test_windows_see_every_place_once_with_its_target(places):
    tokens = np.arange(places, dtype=np.int32)
    source = windows(tokens[:-1], tokens[1:], 7, batch_size=3)
    batches = epoch(source)
    x = np.concatenate([x for x, _ in batches])
    assert x.shape == ((places - 1 - 7 + 1) // 7 // 3 * 3, 7)
    assert len(np.unique(x)) == x.size and x.min() >= 0 and x.max() < places - 1
    assert (np.diff(x) == 1).all()
    for inputs, targets in batches:
        np.testing.assert_array_equal(targets, inputs + 1)


def test_windows_differ_from_epoch_to_epoch_and_are_a_function_of_the_key():
    tokens = np.arange(200, dtype=np.int32)
    source = windows(tokens[:-1], tokens[1:], 7, batch_size=3, steps=5)
    first, again, later, other = epoch(source), epoch(source), epoch(source, 0, 1), epoch(source, 1)
    assert len(first) == 5
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, later) and not np.array_equal(first, other)


def test_windows_refuse_what_does_not_fit():
    tokens = np.arange(30, dtype=np.int32)
    with pytest.raises(UserError, match="sequence of at least 5 windows of 7 places, found 29 places, 3 windows"):
        windows(tokens[:-1], tokens[1:], 7, batch_size=5)
    with pytest.raises(UserError, match="at least one step an epoch, found 0"):
        windows(tokens[:-1], tokens[1:], 7, batch_size=1, steps=0)
    with pytest.raises(UserError, match="at least one window of 31 places, found 30"):
        cut_windows((tokens, tokens), 31)


def test_windows_of_more_steps_than_a_pass_begin_another_pass():
    tokens = np.arange(101, dtype=np.int32)
    source = windows(tokens[:-1], tokens[1:], 7, batch_size=3, steps=10)
    batches = [x for x, _ in epoch(source)]
    passes = [np.concatenate(batches[i : i + 4]) for i in (0, 4)]
    assert len(batches) == 10
    for places in passes:
        assert len(np.unique(places)) == places.size == 84
    assert not np.array_equal(passes[0], passes[1])


def test_windows_of_training_are_evaluated_side_by_side():
    tokens = np.arange(30, dtype=np.int32)
    source = windows(tokens[:-1], tokens[1:], 7, batch_size=3)
    x, y = training_examples(source)
    assert x.shape == y.shape == (4, 7)
    assert source.rows is not None and source.rows * 7 <= 1 << 16


def test_cut_windows_keeps_the_order():
    tokens = np.arange(30, dtype=np.int32)
    x, y = cut_windows((tokens[:-1], tokens[1:]), 7)
    np.testing.assert_array_equal(x.reshape(-1), tokens[:28])
    np.testing.assert_array_equal(y, x + 1)


def test_training_examples_of_windows_are_windows():
    tokens = np.arange(30, dtype=np.int32)
    x, y = training_examples(windows(tokens[:-1], tokens[1:], 7, batch_size=2))
    np.testing.assert_array_equal(x.reshape(-1), tokens[:28])
    np.testing.assert_array_equal(y, x + 1)
    rows = np.zeros((5, 3), np.float32)
    assert training_examples(in_memory(rows, rows, batch_size=2))[0].shape == (5, 3)
