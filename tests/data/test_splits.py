"""The parts of a split are disjoint, have the requested sizes and depend on the seed; official test parts are used."""

import jax
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jaxnn.data import Dataset, Part, split
from jaxnn.errors import UserError


def numbered(count, start=0):
    """Examples whose x is their number, so that each can be followed into its part; alternately of two classes."""
    x = np.arange(start, start + count, dtype=np.float32)[:, None]
    return Part(x, (np.arange(count) % 2).astype(np.int32))


def dataset(count, test=None):
    official = None if test is None else numbered(test, start=count)
    return Dataset("numbered", numbered(count), official, ("even", "odd"), 1.0)


def numbers(part):
    return set() if part is None else {int(number) for number in part.x[:, 0]}


SIZES = st.none() | st.integers(0, 23) | st.floats(0.1, 0.4)


@given(train=SIZES, validation=SIZES, test=SIZES, count=st.integers(59, 101), seed=st.integers(0, 2**40))
def test_split_parts_are_disjoint_and_keep_targets_with_examples(train, validation, test, count, seed):
    whole = dataset(count)
    try:
        parts = split(whole, train=train, validation=validation, test=test, seed=seed)
    except UserError:
        assume(False)
        raise
    examples = [numbers(part) for part in parts]
    assert sum(map(len, examples)) == len(set().union(*examples)) <= count
    assert sum(map(len, examples)) == sum(len(part.x) for part in parts if part is not None)
    for part, size in zip(parts, (train, validation, test), strict=True):
        if part is not None:
            assert ((part.x[:, 0].astype(int) % 2) == part.y).all()
        if isinstance(size, int):
            assert len(numbers(part)) == size
        if isinstance(size, float):
            assert abs(len(numbers(part)) - size * count) <= 1
    if train is None:
        assert set().union(*examples) == numbers(whole.train)


@given(count=st.integers(61, 1009), cuts=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)))
def test_split_fractions_of_one_use_every_example(count, cuts):
    train, validation, test = (cut / sum(cuts) for cut in cuts)
    parts = split(dataset(count)._replace(classes=()), train=train, validation=validation, test=test)
    assert sum(len(numbers(part)) for part in parts) == count


def test_split_depends_on_the_seed_alone():
    first, second, third = (split(dataset(101), validation=13, test=17, seed=seed) for seed in (5, 5, 6))
    for left, right in zip(first, second, strict=True):
        assert numbers(left) == numbers(right)
    assert numbers(first.test) != numbers(third.test)
    assert numbers(first.validation) != numbers(third.validation)


@pytest.mark.parametrize("test", [None, 11])
def test_split_without_shuffle_keeps_the_order(test):
    whole = dataset(101, test=test)
    parts = split(whole, train=31, validation=13, test=7, shuffle=False, seed=5)
    in_order = np.concatenate([part.x for part in parts if part is not None])
    if whole.test is None:
        assert np.array_equal(in_order, whole.train.x[:51])
    else:
        assert np.array_equal(in_order, np.concatenate([whole.train.x[:44], whole.test.x[:7]]))


def test_split_train_size_does_not_change_the_other_parts():
    many, few = (split(dataset(101), train=train, validation=13, test=17) for train in (None, 7))
    assert numbers(many.test) == numbers(few.test)
    assert numbers(many.validation) == numbers(few.validation)
    assert numbers(few.train) < numbers(many.train)


def test_split_draws_uniformly():
    counts = np.zeros(20)
    for seed in range(400):
        counts[list(numbers(split(dataset(20), train=11, seed=seed).train))] += 1
    assert abs(counts - 220).max() < 5 * np.sqrt(400 * 0.55 * 0.45)


def test_split_draws_the_test_part_from_the_official_one():
    whole = dataset(31, test=11)
    for test, expected in ((5, 5), (1.0, 11), (11, 11), (0.5, 6)):
        parts = split(whole, validation=7, test=test)
        assert len(numbers(parts.test)) == expected
        assert numbers(parts.test) <= numbers(whole.test)
        assert len(numbers(parts.train)) == 24
    assert split(whole, test=None).test is None
    assert split(whole, test=0).test is None
    assert numbers(split(whole, train=1.0).train) == numbers(whole.train)


def test_split_does_not_copy_a_whole_part():
    whole = dataset(31, test=11)
    assert whole.test is not None
    parts = split(whole, test=1.0)
    assert parts.test is not None
    assert parts.train.x is whole.train.x and parts.test.x is whole.test.x


INVALID = {
    "more than there are": ({"train": 90, "test": 12}, "has 101 examples to train on, found test 12 . train 90 = 102"),
    "fractions beyond one": ({"train": 0.8, "validation": 0.3}, "= 111"),
    "nothing left": ({"validation": 101}, "expected examples to train on"),
    "no training": ({"train": 0, "test": 5}, "expected examples to train on"),
    "one class": ({"train": 1}, "two or more classes"),
    "negative": ({"test": -1}, "expected a count .* found -1"),
    "fraction above one": ({"train": 1.5}, "expected a count .* found 1.5"),
    "count as float": ({"train": 50.0}, "expected a count .* found 50.0"),
    "not a number": ({"train": float("nan")}, "expected a count .* found nan"),
    "boolean": ({"train": True}, "expected a count .* found True"),
    "too small a fraction": ({"validation": 0.001}, "found 0.001 of 101 examples, which is none"),
    "negative seed": ({"seed": -1}, "seed of 0 or more"),
}


@pytest.mark.parametrize("case", INVALID)
def test_split_refuses_invalid_sizes(case):
    sizes, expected = INVALID[case]
    with pytest.raises(UserError, match=expected):
        split(dataset(101), **sizes)


def test_split_refuses_more_than_the_official_test_part():
    with pytest.raises(UserError, match="has 11 examples to test on, found test 12 = 12"):
        split(dataset(31, test=11), test=12)


def test_split_keeps_the_rows_of_a_pytree_together():
    number = np.arange(101)
    x = {"token": np.stack([number, -number], 1), "pair": (number.astype(np.float32), number[:, None] % 7 == 0)}
    y = ((number % 2).astype(np.int32), number.astype(np.float32))
    whole = Dataset("numbered", Part(x, y), None, ("even", "odd"), 1.0)
    parts = split(whole, validation=13, test=0.2, seed=5)
    plain = split(dataset(101), validation=13, test=0.2, seed=5)
    for part, reference in zip(parts, plain, strict=True):
        assert part is not None and reference is not None
        rows = reference.x[:, 0].astype(int)
        assert part.num_examples == len(rows)
        for array, expected in zip(jax.tree.leaves(part), jax.tree.leaves(whole.train), strict=True):
            assert (array == expected[rows]).all() and array.dtype == expected.dtype
    assert split(whole).train.x is whole.train.x


def test_split_of_a_pytree_refuses_one_class():
    whole = dataset(101)
    labels = whole.train._replace(y=(whole.train.y, whole.train.x))
    with pytest.raises(UserError, match="two or more classes"):
        split(whole._replace(train=labels), train=1)


CLASS_SIZES = st.lists(st.integers(3, 40), min_size=2, max_size=7)


def classes_of(sizes):
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes)).astype(np.int32)
    x = np.arange(len(y), dtype=np.float32)[:, None]
    return Dataset("classes", Part(x, y), None, tuple(f"class {k}" for k in range(len(sizes))), 1.0)


def largest_remainders(sizes, count):
    """The count of each class in a part, in exact integers."""
    products = [count * size for size in sizes]
    quotas = [product // sum(sizes) for product in products]
    order = sorted(range(len(sizes)), key=lambda k: (-(products[k] % sum(sizes)), k))
    for k in order[: count - sum(quotas)]:
        quotas[k] += 1
    return quotas


@given(sizes=CLASS_SIZES, cuts=st.tuples(st.integers(1, 4), st.integers(1, 4)), seed=st.integers(0, 99))
def test_split_stratified_parts_have_the_exact_share_of_each_class(sizes, cuts, seed):
    whole = classes_of(sizes)
    validation, test = (cut * sum(sizes) // 12 for cut in cuts)
    assume(validation and test)
    try:
        parts = split(whole, validation=validation, test=test, stratify=True, seed=seed)
    except UserError:  # a rare class has none left to train on
        assume(False)
        raise
    assert parts.validation is not None and parts.test is not None
    assert np.bincount(parts.test.y, minlength=len(sizes)).tolist() == largest_remainders(sizes, test)
    for part, count in ((parts.validation, validation), (parts.train, sum(sizes) - test - validation)):
        counts = np.bincount(part.y, minlength=len(sizes))
        assert counts.sum() == count
        assert (abs(counts - count * np.array(sizes) / sum(sizes)) < 2).all()
    examples = [numbers(part) for part in parts]
    assert set().union(*examples) == numbers(whole.train) and sum(map(len, examples)) == sum(sizes)
    for part in parts:
        assert part is not None and (whole.train.y[part.x[:, 0].astype(int)] == part.y).all()


def test_split_stratified_counts_of_a_known_case():
    whole = classes_of([50, 30, 20])
    parts = split(whole, validation=0.2, test=0.1, stratify=True)
    assert [np.bincount(part.y).tolist() for part in parts if part] == [[35, 21, 14], [10, 6, 4], [5, 3, 2]]


def test_split_stratified_draws_uniformly_and_by_the_seed_alone():
    whole, counts = classes_of([20, 20]), np.zeros(40)
    for seed in range(400):
        counts[list(numbers(split(whole, train=22, seed=seed, stratify=True).train))] += 1
    assert abs(counts - 220).max() < 5 * np.sqrt(400 * 0.55 * 0.45)
    first, second = (split(whole, test=8, validation=6, train=train, seed=5, stratify=True) for train in (None, 9))
    assert numbers(first.test) == numbers(second.test) and numbers(first.validation) == numbers(second.validation)
    assert numbers(second.train) < numbers(first.train)


def test_split_stratified_official_test_part():
    whole = classes_of([9, 6])._replace(test=classes_of([40, 20]).train)
    parts = split(whole, validation=5, test=15, stratify=True)
    assert [np.bincount(part.y).tolist() for part in parts if part] == [[6, 4], [3, 2], [10, 5]]


def test_split_stratified_refuses_rare_classes_and_other_targets():
    with pytest.raises(UserError, match="parts test, validation, train, found 2 of class 'class 1'; merge"):
        split(classes_of([9, 2]), validation=2, test=2, stratify=True)
    floats = Dataset("numbers", Part(np.ones((9, 1), np.float32), np.ones((9, 1), np.float32)), None, (), 1.0)
    with pytest.raises(UserError, match="stratify: expected one label for each example"):
        split(floats, test=2, stratify=True)
