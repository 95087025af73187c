"""The order of the examples is a permutation, random in every way that a training run could notice."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn.train.shuffle import shuffled


def many(n: int, keys: int) -> np.ndarray:
    """An order for each of `keys` keys, (keys, n)."""
    draw = jax.jit(lambda seed: shuffled(jax.random.key(seed), n))
    return np.stack([draw(np.uint32(seed)) for seed in range(keys)])


@pytest.mark.parametrize("n", [1, 2, 3, 17, 1000, 4095, 4096, 4097, 50_000, 65_537])
def test_every_example_is_seen_once(n):
    for order in many(n, 3):
        assert order.dtype == np.int32
        np.testing.assert_array_equal(np.sort(order), np.arange(n))


def test_it_is_of_the_key_alone():
    first, again, other = (np.asarray(shuffled(jax.random.key(seed), 1000)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first == other).mean() < 0.02


def chi_squared(counts: np.ndarray) -> float:
    """How many standard deviations Pearson's statistic lies from its mean where every cell is as likely."""
    expected, cells = counts.sum() / counts.size, counts.size - 1
    statistic = ((counts - expected) ** 2 / expected).sum()
    return float((statistic - cells) / np.sqrt(2 * cells))


def test_every_place_is_as_likely():
    orders = many(13, 4000)
    counts = np.stack([np.bincount(orders[:, place], minlength=13) for place in range(13)])
    assert abs(chi_squared(counts)) < 5


def test_every_order_of_a_few_is_as_likely():
    orders = many(4, 4800)
    _, counts = np.unique(orders @ [64, 16, 4, 1], return_counts=True)
    assert len(counts) == 24
    assert abs(chi_squared(counts)) < 5


def test_neighbours_and_fixed_points_are_as_in_a_random_permutation():
    n, keys = 5000, 200
    orders = many(n, keys)
    fixed = (orders == np.arange(n)).sum(1)
    assert abs(fixed.mean() - 1) < 5 / np.sqrt(keys)
    # Of two neighbours the later is the larger half of the time; what they differ by has no favourite.
    steps = np.diff(orders, axis=1)
    rises = (steps > 0).mean()
    assert abs(rises - 0.5) < 5 * np.sqrt(1 / 12 / (keys * n))
    counts = np.bincount(steps.ravel() % n, minlength=n)[1:]
    assert abs(chi_squared(counts)) < 5


def test_one_epoch_says_nothing_of_the_next():
    n = 4999
    key = jax.random.key(0)
    orders = np.stack([shuffled(jax.random.fold_in(key, epoch), n) for epoch in range(40)]).astype(float)
    correlation = np.corrcoef(orders)[np.triu_indices(40, 1)]
    assert abs(correlation).max() < 5.5 / np.sqrt(n)


def test_vectorized_over_keys_it_is_the_same():
    keys = jax.vmap(jax.random.key)(jnp.arange(3, dtype=jnp.uint32))
    together = jax.vmap(lambda key: shuffled(key, 100))(keys)
    np.testing.assert_array_equal(together, np.stack([shuffled(key, 100) for key in keys]))
