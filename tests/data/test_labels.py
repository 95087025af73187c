"""Classes have one order, whatever the order of the examples, the machine and its language."""

import itertools

import pytest

from jaxnn.data.labels import number_classes


@pytest.mark.parametrize(
    "classes",
    [
        ("-3", "0", "1", "2", "10"),
        ("0", "00", "01", "1", "002", "2"),
        ("-1", "-0", "0", "1"),
        ("Zebra", "apple", "item 9", "item 10", "item 10b", "Äpfel"),
        ("a", "a01", "a1", "a2", "a10", "b"),
        ("1", "1a", "2", "10", "x"),
        ("a" + "9" * 5000, "a1" + "0" * 5000),
    ],
)
def test_classes_are_in_one_order(classes):
    for names in itertools.islice(itertools.permutations(classes), 30):
        labels, ordered = number_classes(names)
        assert ordered == classes
        assert [ordered[label] for label in labels] == list(names)
