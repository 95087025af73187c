"""Sequences for the other libraries: digits as rows of pixels, and a text as characters, in plain NumPy arrays."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from benchmarks.digits import digits
from benchmarks.runner import Workload
from jaxnn.data.data_dir import find_path

#: The nets: units of a layer, blocks and heads of the transformer.
UNITS, LAYERS, HEADS = 128, 4, 4
#: Characters of the places that a model sees at once, by the net.
PLACES = {"lstm_text": 64, "gpt": 64}
#: Test windows: enough to see that a net has learnt.
TEST_WINDOWS = 500


class Sequences(NamedTuple):
    """Digits: x float32 (examples, 28, 28), y labels int64 (examples,). A text: x int64 (characters,), y None.

    test_x, test_y: examples, or windows (windows, places) of a text and the characters after each place
    classes: labels, or different characters
    """

    x: np.ndarray
    y: np.ndarray | None
    test_x: np.ndarray
    test_y: np.ndarray
    classes: int


def sequences(workload: Workload) -> Sequences:
    """The data of a workload."""
    if workload.net == "lstm_rows":
        data = digits(workload.examples)
        return Sequences(data.x[..., 0], data.y, data.test_x[..., 0], data.test_y, 10)
    text = find_path("shakespeare/input.txt", None).read_text("utf-8")
    vocabulary = {character: i for i, character in enumerate(sorted(set(text)))}
    tokens = np.array([vocabulary[character] for character in text])
    places, first = PLACES[workload.net], len(tokens) * 9 // 10
    test = tokens[first : first + TEST_WINDOWS * places + 1]
    windows = (test[:-1].reshape(-1, places), test[1:].reshape(-1, places))
    return Sequences(tokens[:first], None, *windows, len(vocabulary))


def batches(workload: Workload, data: Sequences) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """x and y of each step, endlessly: shuffled examples, or windows of the text from random places."""
    rng, size = np.random.default_rng(0), workload.batch_size
    while True:
        if data.y is None:
            places = PLACES[workload.net]
            rows = rng.integers(0, len(data.x) - places, size)[:, None] + np.arange(places + 1)
            window = data.x[rows]
            yield window[:, :-1], window[:, 1:]
        else:
            order = rng.permutation(len(data.y))[: workload.steps_per_epoch * size].reshape(-1, size)
            yield from ((data.x[rows], data.y[rows]) for rows in order)
