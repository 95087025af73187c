"""Parts of a split are disjoint, of the sizes asked for, drawn by the seed, the test part from the official one."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jaxnn.data import Dataset, Part, split
from jaxnn.errors import UserError


def numbered(count, start=0):
    """Examples that carry their number, so that it can be seen where each one went; two classes by turns."""
    x = np.arange(start, start + count, dtype=np.float32)[:, None]
    return Part(x, (np.arange(count) % 2).astype(np.int32))


def dataset(count, test=None):
    official = None if test is None else numbered(test, start=count)
    return Dataset("numbered", numbered(count), official, ("even", "odd"), 1.0)


def numbers(part):
    return set() if part is None else {int(number) for number in part.x[:, 0]}


SIZES = st.none() | st.integers(0, 23) | st.floats(0.1, 0.4)


@given(train=SIZES, validation=SIZES, test=SIZES, count=st.integers(59, 101), seed=st.integers(0, 2**40))
def test_parts_are_disjoint_and_keep_each_answer_with_its_example(train, validation, test, count, seed):
    whole = dataset(count)
    try:
        parts = split(whole, train=train, validation=validation, test=test, seed=seed)
    except UserError:
        assume(False)
        raise
    drawn = [numbers(part) for part in parts]
    assert sum(map(len, drawn)) == len(set().union(*drawn)) <= count
    assert sum(map(len, drawn)) == sum(len(part.x) for part in parts if part is not None)
    for part, size in zip(parts, (train, validation, test), strict=True):
        if part is not None:
            assert ((part.x[:, 0].astype(int) % 2) == part.y).all()
        if isinstance(size, int):
            assert len(numbers(part)) == size
        if isinstance(size, float):
            assert abs(len(numbers(part)) - size * count) <= 1
    if train is None:
        assert set().union(*drawn) == numbers(whole.train)


@given(count=st.integers(61, 1009), cuts=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)))
def test_fractions_of_one_leave_none_over(count, cuts):
    train, validation, test = (cut / sum(cuts) for cut in cuts)
    parts = split(dataset(count)._replace(classes=()), train=train, validation=validation, test=test)
    assert sum(len(numbers(part)) for part in parts) == count


def test_the_seed_alone_decides():
    first, second, third = (split(dataset(101), validation=13, test=17, seed=seed) for seed in (5, 5, 6))
    for left, right in zip(first, second, strict=True):
        assert numbers(left) == numbers(right)
    assert numbers(first.test) != numbers(third.test)
    assert numbers(first.validation) != numbers(third.validation)


@pytest.mark.parametrize("test", [None, 11])
def test_without_shuffling_the_first_are_to_train_on_then_validation_then_test(test):
    whole = dataset(101, test=test)
    parts = split(whole, train=31, validation=13, test=7, shuffle=False, seed=5)
    in_order = np.concatenate([part.x for part in parts if part is not None])
    if whole.test is None:
        assert np.array_equal(in_order, whole.train.x[:51])
    else:
        assert np.array_equal(in_order, np.concatenate([whole.train.x[:44], whole.test.x[:7]]))


def test_fewer_to_train_on_are_judged_by_the_same():
    many, few = (split(dataset(101), train=train, validation=13, test=17) for train in (None, 7))
    assert numbers(many.test) == numbers(few.test)
    assert numbers(many.validation) == numbers(few.validation)
    assert numbers(few.train) < numbers(many.train)


def test_every_example_is_as_likely():
    counts = np.zeros(20)
    for seed in range(400):
        counts[list(numbers(split(dataset(20), train=11, seed=seed).train))] += 1
    assert abs(counts - 220).max() < 5 * np.sqrt(400 * 0.55 * 0.45)


def test_the_test_part_is_drawn_from_the_official_one():
    whole = dataset(31, test=11)
    for test, expected in ((5, 5), (1.0, 11), (11, 11), (0.5, 6)):
        parts = split(whole, validation=7, test=test)
        assert len(numbers(parts.test)) == expected
        assert numbers(parts.test) <= numbers(whole.test)
        assert len(numbers(parts.train)) == 24
    assert split(whole, test=None).test is None
    assert split(whole, test=0).test is None
    assert numbers(split(whole, train=1.0).train) == numbers(whole.train)


def test_a_whole_part_is_not_copied():
    whole = dataset(31, test=11)
    assert whole.test is not None
    parts = split(whole, test=1.0)
    assert parts.test is not None
    assert parts.train.x is whole.train.x and parts.test.x is whole.test.x


WRONG = {
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


@pytest.mark.parametrize("case", WRONG)
def test_impossible_sizes_are_refused(case):
    sizes, expected = WRONG[case]
    with pytest.raises(UserError, match=expected):
        split(dataset(101), **sizes)


def test_more_than_the_official_test_part_is_refused():
    with pytest.raises(UserError, match="has 11 examples to test on, found test 12 = 12"):
        split(dataset(31, test=11), test=12)
