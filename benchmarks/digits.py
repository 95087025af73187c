"""MNIST for those who are no part of `jaxnn`: plain NumPy arrays, in the form that their documentation begins with."""

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
    """The first so many training digits, and all the test digits."""
    mnist = data.load("mnist", data_dir=None)
    assert mnist.test is not None
    scaled = [(part.x.astype(np.float32) / 255, part.y.astype(np.int64)) for part in (mnist.train, mnist.test)]
    (x, y), (test_x, test_y) = scaled
    return Digits(x[:examples], y[:examples], test_x, test_y)
