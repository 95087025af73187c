"""What every loader returns and every run consumes: examples with their answers, as NumPy arrays."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped


class Part(NamedTuple):
    """Some examples: ``x[i]`` is what the net sees, ``y[i]`` what it should answer.

    ``x`` is uint8 images (batch, height, width, channel) or float32 features (batch, ...); ``y`` is int32
    labels (batch,) for classification or float32 targets (batch, m) for regression.
    """

    x: Shaped[np.ndarray, "batch ..."]
    y: Shaped[np.ndarray, "batch ..."]


class Dataset(NamedTuple):
    """A data set as it comes, before any split: ``test`` is the official test part where there is one.

    ``classes`` names the classes in the order of their labels and is empty for regression; ``white`` is the
    value of full intensity: 255 for photographs and MNIST, 16 for the 8x8 digits, 1 for features.
    """

    name: str
    train: Part
    test: Part | None
    classes: tuple[str, ...]
    white: float


class Splits(NamedTuple):
    """Three disjoint parts of one data set; a part that was not asked for is None."""

    train: Part
    validation: Part | None
    test: Part | None
