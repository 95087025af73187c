"""MNIST for the other libraries: plain NumPy arrays, in the form in which their documentation expects them."""

from typing import NamedTuple

import numpy as np

from jaxnn import data


class Digits(NamedTuple):
    """x in 0 … 1, float32 (examples, 28, 28, 1); y labels, int64."""

    x: np.ndarray
    y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray


def digits(examples: int) -> Digits:
    """The first `examples` training digits, and all test digits."""
    mnist = data.load("mnist", data_dir=None)
    assert mnist.test is not None
    parts = [(part.x.astype(np.float32) / 255, part.y.astype(np.int64)) for part in (mnist.train, mnist.test)]
    (x, y), (test_x, test_y) = parts
    return Digits(x[:examples], y[:examples], test_x, test_y)
