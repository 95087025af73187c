"""The order of the examples is a permutation, and as random as a training run needs it."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn.train.shuffle import permutation


def orders_of(n: int, keys: int) -> np.ndarray:
    """The permutation of each of `keys` keys, (keys, n)."""
    draw = jax.jit(lambda seed: permutation(jax.random.key(seed), n))
    return np.stack([draw(np.uint32(seed)) for seed in range(keys)])


@pytest.mark.parametrize("n", [1, 2, 3, 17, 1000, 4095, 4096, 4097, 50_000, 65_537])
def test_permutation_holds_every_example_once(n):
    for order in orders_of(n, 3):
        assert order.dtype == np.int32
        np.testing.assert_array_equal(np.sort(order), np.arange(n))


def test_permutation_is_a_function_of_the_key():
    first, repeated, other = (np.asarray(permutation(jax.random.key(seed), 1000)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, repeated)
    assert (first == other).mean() < 0.02


def chi_squared(counts: np.ndarray) -> float:
    """Pearson's statistic of equally likely cells, in standard deviations from its mean."""
    expected, cells = counts.sum() / counts.size, counts.size - 1
    statistic = ((counts - expected) ** 2 / expected).sum()
    return float((statistic - cells) / np.sqrt(2 * cells))


def test_permutation_positions_are_equally_likely():
    orders = orders_of(13, 4000)
    counts = np.stack([np.bincount(orders[:, position], minlength=13) for position in range(13)])
    assert abs(chi_squared(counts)) < 5


def test_permutations_of_four_are_equally_likely():
    orders = orders_of(4, 4800)
    _, counts = np.unique(orders @ [64, 16, 4, 1], return_counts=True)
    assert len(counts) == 24
    assert abs(chi_squared(counts)) < 5


def test_permutation_neighbours_and_fixed_points_are_random():
    n, keys = 5000, 200
    orders = orders_of(n, keys)
    fixed = (orders == np.arange(n)).sum(1)
    assert abs(fixed.mean() - 1) < 5 / np.sqrt(keys)
    # The later of two neighbours is the larger one half of the time, and all differences are equally likely.
    steps = np.diff(orders, axis=1)
    rises = (steps > 0).mean()
    assert abs(rises - 0.5) < 5 * np.sqrt(1 / 12 / (keys * n))
    counts = np.bincount(steps.ravel() % n, minlength=n)[1:]
    assert abs(chi_squared(counts)) < 5


def test_permutations_of_two_epochs_are_uncorrelated():
    n = 4999
    key = jax.random.key(0)
    orders = np.stack([permutation(jax.random.fold_in(key, epoch), n) for epoch in range(40)]).astype(float)
    correlation = np.corrcoef(orders)[np.triu_indices(40, 1)]
    assert abs(correlation).max() < 5.5 / np.sqrt(n)


def test_permutation_vmapped_over_keys_is_the_same():
    keys = jax.vmap(jax.random.key)(jnp.arange(3, dtype=jnp.uint32))
    together = jax.vmap(lambda key: permutation(key, 100))(keys)
    np.testing.assert_array_equal(together, np.stack([permutation(key, 100) for key in keys]))
