"""Small data sets that need no files: random points in the plane, noisy cosines, and sets embedded in packages."""

import gzip
import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from jaxnn.data.dataset import Dataset, Part
from jaxnn.data.image_reader import DigitReader
from jaxnn.errors import UserError

_MAX_NUMBERS = 10_000_000  # of a random set: 80 MB as float64
_MAX_OPTION = 1e30  # keeps the examples finite in float32


def blobs(n: int = 500, centers: int = 2, box: float = 3.0, seed: int = 0) -> Dataset:
    """``n`` points of the plane in Gaussian clouds of unit width, one class for each of ``centers``. x (n, 2).

    The centres are uniform in the square -box..box; two of them may lie close together.

    n: number of points
    centers: number of clouds, at least 2
    box: half the side of the square that holds the centres

    Source: the course's one-neuron example (``sklearn.datasets.make_blobs``).
    """
    from sklearn.datasets import make_blobs  # takes a second to import

    check_option("blobs", "centers", centers, centers >= 2, "2 or more")
    check_option(
        "blobs",
        "n",
        n,
        centers <= n <= _MAX_NUMBERS // 2,
        f"a point for each of the {centers} centres, at most {_MAX_NUMBERS // 2:,}",
    )
    check_option("blobs", "box", box, 0 < box <= _MAX_OPTION, "a positive number up to 1e30")
    arrays = make_blobs(n_samples=n, centers=centers, center_box=(-box, box), random_state=seed)
    return labelled_points("blobs", arrays[0], arrays[1], centers)


def circles(n: int = 500, noise: float = 0.1, seed: int = 0) -> Dataset:
    """``n`` points on two concentric circles (radius 1 and 0.8), with Gaussian noise added. x (n, 2).

    n: number of points
    noise: standard deviation of the noise

    Source: the course's hidden-layer example (``sklearn.datasets.make_circles``).
    """
    check_point_options("circles", n, noise)
    outer, inner = (np.linspace(0, 2 * np.pi, m, endpoint=False) for m in (n // 2, n - n // 2))
    circle = np.stack([np.cos(outer), np.sin(outer)], axis=1), 0.8 * np.stack([np.cos(inner), np.sin(inner)], axis=1)
    return labelled_points("circles", *_shuffled_with_noise(*circle, noise, seed), 2)


def moons(n: int = 500, noise: float = 0.1, seed: int = 0) -> Dataset:
    """``n`` points on two interleaved half circles, with Gaussian noise added. x (n, 2).

    n: number of points
    noise: standard deviation of the noise
    """
    check_point_options("moons", n, noise)
    outer, inner = (np.linspace(0, np.pi, m) for m in (n // 2, n - n // 2))
    moon = np.stack([np.cos(outer), np.sin(outer)], axis=1)
    other = np.stack([1 - np.cos(inner), 1 - np.sin(inner) - 0.5], axis=1)
    return labelled_points("moons", *_shuffled_with_noise(moon, other, noise, seed), 2)


def _shuffled_with_noise(
    first: np.ndarray, second: np.ndarray, noise: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The points of two classes in a random order, with noise; the same numbers as scikit-learn's, bit for bit.

    scikit-learn is not called, because it takes a second to import.
    """
    generator = np.random.RandomState(seed)
    order = np.arange(len(first) + len(second))
    generator.shuffle(order)
    x, y = np.concatenate([first, second])[order], (order >= len(first)).astype(int)
    return x + generator.normal(scale=noise, size=x.shape), y


def gaussians(n: int = 4000, modes: int = 8, radius: float = 2.0, noise: float = 0.05, seed: int = 0) -> Dataset:
    """``n`` points in Gaussian clouds whose centres lie on a circle, one class for each. x (n, 2).

    n: number of points
    modes: number of clouds, at least 2
    radius: of the circle
    noise: standard deviation of a cloud

    Source: the ring of Metz et al. 2017, on which a generative adversarial network shows whether it misses modes.
    """
    check_point_options("gaussians", n, noise)
    check_option("gaussians", "modes", modes, 2 <= modes <= n, f"from 2 to {n}")
    check_option("gaussians", "radius", radius, 0 < radius <= _MAX_OPTION, "a positive number up to 1e30")
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % modes
    angle = 2 * np.pi * labels / modes
    centers = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return labelled_points("gaussians", centers + noise * rng.normal(size=(n, 2)), labels, modes)


def beach() -> Dataset:
    """Seven days with three grades 1..3 (cloudy, hot, windy) and the answer: do we go to the beach? x (7, 3).

    A plane separates the two classes. Source: the course's perceptron example (2017).
    """
    table = [(1, 3, 2, 1), (3, 3, 2, 1), (1, 3, 3, 0), (1, 1, 2, 0), (1, 2, 2, 0), (2, 3, 1, 1), (2, 1, 2, 0)]
    days = np.array(table, np.float32)
    part = Part(days[:, :3], days[:, 3].astype(np.int32))
    return Dataset("beach", part, None, ("no beach", "beach"), 1.0)


def parabola() -> Dataset:
    """One example: x = 1, target 0. The squared error of one weight w without a bias is then C = w². x (1, 1).

    Source: the course's first picture of gradient descent.
    """
    return Dataset("parabola", Part(np.ones((1, 1), np.float32), np.zeros((1, 1), np.float32)), None, (), 1.0)


def cosine(
    examples: int = 100,
    length: int = 200,
    noise: float = 0.5,
    periods: float = 3.0,
    phase: float = 0.0,
    seed: int = 0,
) -> Dataset:
    """Cosines to denoise: y (examples, length) is the cosine, x is y plus Gaussian noise of deviation ``noise``.

    Each signal spans ``periods`` periods and is shifted by an angle from U[-phase, phase]. With phase 0, as in the
    course, all examples have the same clean signal; with 3.14 a net cannot memorize it.

    examples: number of signals
    length: samples of a signal
    noise: standard deviation of the noise
    periods: periods that a signal spans
    phase: largest shift of a signal, as an angle

    Source: the course's "Denoising a cosine".
    """
    check_option("cosine", "length", length, 2 <= length <= _MAX_NUMBERS, f"from 2 to {_MAX_NUMBERS:,}")
    check_option(
        "cosine", "examples", examples, 1 <= examples <= _MAX_NUMBERS // length, f"from 1 to {_MAX_NUMBERS // length:,}"
    )
    for option, value in (("noise", noise), ("periods", periods), ("phase", phase)):
        check_option("cosine", option, value, 0 <= value <= _MAX_OPTION, "a number from 0 to 1e30")
    generator = np.random.default_rng([seed, *b"cosine"])
    angle = np.linspace(-math.pi * periods, math.pi * periods, length)
    shift = generator.uniform(-phase, phase, (examples, 1))
    clean = np.cos(angle + shift)
    noisy = clean + noise * generator.standard_normal((examples, length))
    return Dataset("cosine", Part(noisy.astype(np.float32), clean.astype(np.float32)), None, (), 1.0)


def adding(n: int = 2000, length: int = 200, seed: int = 0) -> Dataset:
    """The adding problem: x (n, length, 2) has a number of U[0, 1) and a mark at each place; y is the sum of two.

    The marks are 1 at one place of each half, else 0. Who tells the mean, 1, has a squared error of 1/6.

    n: number of sequences
    length: places of a sequence

    Source: Hochreiter and Schmidhuber, "Long short-term memory" (1997), with the marks of Bai et al. (2018).
    """
    check_option("adding", "length", length, 2 <= length <= _MAX_NUMBERS // 2, f"from 2 to {_MAX_NUMBERS // 2:,}")
    most = _MAX_NUMBERS * 10 // (2 * length)
    check_option("adding", "n", n, 1 <= n <= most, f"from 1 to {most:,}")
    generator = np.random.default_rng([seed, *b"adding"])
    numbers = generator.random((n, length), np.float32)
    marks = np.zeros((n, length), np.float32)
    for first, end in ((0, length // 2), (length // 2, length)):
        marks[np.arange(n), generator.integers(first, end, n)] = 1
    y = (numbers * marks).sum(1, keepdims=True)
    return Dataset("adding", Part(np.stack([numbers, marks], 2), y), None, (), 1.0)


def digits() -> Dataset:
    """1797 handwritten digits, uint8 (n, 8, 8, 1) with ``max_value`` 16, from a file in the package scikit-learn.

    Source: Alpaydin and Kaynak, "Optical recognition of handwritten digits" (1998), the test part.
    """
    # Reads the file instead of calling `load_digits`, because scikit-learn takes a second to import.
    package = find_spec("sklearn")
    assert package is not None and package.origin is not None
    with gzip.open(Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz", "rt") as file:
        table = np.loadtxt(file, np.uint8, delimiter=",")
    part = Part(table[:, :-1].reshape(-1, 8, 8, 1), table[:, -1].astype(np.int32))
    return Dataset("digits", part, None, tuple(str(label) for label in range(10)), 16.0, DigitReader((8, 8), 16.0))


def labelled_points(name: str, x: ArrayLike, y: ArrayLike, classes: int) -> Dataset:
    """A data set of points (n, d) with labels 0..classes-1, whose classes are named by their numbers."""
    part = Part(np.asarray(x, np.float32), np.asarray(y, np.int32))
    return Dataset(name, part, None, tuple(str(label) for label in range(classes)), 1.0)


def check_point_options(name: str, n: int, noise: float) -> None:
    """Raises UserError for a number of points or a noise that cannot be."""
    check_option(name, "n", n, 2 <= n <= _MAX_NUMBERS // 2, f"from 2 to {_MAX_NUMBERS // 2:,}")
    check_option(name, "noise", noise, 0 <= noise <= _MAX_OPTION, "a number from 0 to 1e30")


def check_option(name: str, option: str, value: int | float, holds: bool, expected: str) -> None:
    """Raises UserError, which says what was expected, unless the option holds."""
    if not holds:
        raise UserError(f"{name}: {option}: expected {expected}, found {value}")
