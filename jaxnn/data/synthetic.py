"""Small sets that are drawn, not read: the course's points in the plane, its beach table and its noisy cosine."""

import gzip
import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from jaxnn.data.dataset import Dataset, Part
from jaxnn.errors import UserError

_MOST = 10_000_000  # numbers in a set that is drawn: 80 MB on the way
_LARGEST = 1e30  # of a size that is given: its float32 is finite, and so is what is drawn with it


def blobs(n: int = 500, centers: int = 2, box: float = 3.0, seed: int = 0) -> Dataset:
    """``n`` points of the plane in Gaussian clouds of unit width, one class for each of ``centers``.

    The centres are drawn uniformly from the square -box..box; two may fall close together. x (n, 2).
    Source: the course's one-neuron example (``sklearn.datasets.make_blobs``).
    """
    from sklearn.datasets import make_blobs  # a second to import

    _expect("blobs", "centers", centers, centers >= 2, "2 or more")
    _expect(
        "blobs",
        "n",
        n,
        centers <= n <= _MOST // 2,
        f"a point for each of the {centers} centres, at most {_MOST // 2:,}",
    )
    _expect("blobs", "box", box, 0 < box <= _LARGEST, "a positive number up to 1e30")
    drawn = make_blobs(n_samples=n, centers=centers, center_box=(-box, box), random_state=seed)
    return _points("blobs", drawn[0], drawn[1], centers)


def circles(n: int = 500, noise: float = 0.1, seed: int = 0) -> Dataset:
    """``n`` points on two concentric circles (radius 1 and 0.8), moved by Gaussian noise. x (n, 2).

    Source: the course's hidden-layer example (``sklearn.datasets.make_circles``).
    """
    from sklearn.datasets import make_circles

    _expect_drawing("circles", n, noise)
    x, y = make_circles(n_samples=n, noise=noise, random_state=seed)
    return _points("circles", x, y, 2)


def moons(n: int = 500, noise: float = 0.1, seed: int = 0) -> Dataset:
    """``n`` points on two interleaved half circles, moved by Gaussian noise. x (n, 2)."""
    from sklearn.datasets import make_moons

    _expect_drawing("moons", n, noise)
    x, y = make_moons(n_samples=n, noise=noise, random_state=seed)
    return _points("moons", x, y, 2)


def beach() -> Dataset:
    """Seven days, each cloudy, hot and windy to a degree 1..3: do we go to the beach? x (7, 3).

    Source: the course's perceptron example (2017); the two classes can be separated by a plane.
    """
    table = [(1, 3, 2, 1), (3, 3, 2, 1), (1, 3, 3, 0), (1, 1, 2, 0), (1, 2, 2, 0), (2, 3, 1, 1), (2, 1, 2, 0)]
    days = np.array(table, np.float32)
    part = Part(days[:, :3], days[:, 3].astype(np.int32))
    return Dataset("beach", part, None, ("no beach", "beach"), 1.0)


def parabola() -> Dataset:
    """One example: x = 1, answer 0. One weight without a bias then has the squared error C = w². x (1, 1).

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
    """Noisy cosines to be cleaned: x (examples, length) is y plus Gaussian noise, y the cosine itself.

    Each signal spans ``periods`` periods and is shifted by an angle from U[-phase, phase]. With 0, as in the course,
    all examples share one clean signal and differ by their noise; with 3.14 a net cannot learn it by heart.
    Source: the course's "Denoising a cosine".
    """
    _expect("cosine", "length", length, 2 <= length <= _MOST, f"from 2 to {_MOST:,}")
    _expect("cosine", "examples", examples, 1 <= examples <= _MOST // length, f"from 1 to {_MOST // length:,}")
    for option, value in (("noise", noise), ("periods", periods), ("phase", phase)):
        _expect("cosine", option, value, 0 <= value <= _LARGEST, "a number from 0 to 1e30")
    generator = np.random.default_rng([seed, *b"cosine"])
    angle = np.linspace(-math.pi * periods, math.pi * periods, length)
    shift = generator.uniform(-phase, phase, (examples, 1))
    clean = np.cos(angle + shift)
    noisy = clean + noise * generator.standard_normal((examples, length))
    return Dataset("cosine", Part(noisy.astype(np.float32), clean.astype(np.float32)), None, (), 1.0)


def digits() -> Dataset:
    """1797 handwritten digits, uint8 (n, 8, 8, 1) with white 16, embedded in scikit-learn: no files needed.

    Source: Alpaydin and Kaynak, "Optical recognition of handwritten digits" (1998), the test part.
    """
    # The file, not `load_digits`: scikit-learn takes a second to import.
    home = find_spec("sklearn")
    assert home is not None and home.origin is not None
    with gzip.open(Path(home.origin).parent / "datasets" / "data" / "digits.csv.gz", "rt") as file:
        table = np.loadtxt(file, np.uint8, delimiter=",")
    part = Part(table[:, :-1].reshape(-1, 8, 8, 1), table[:, -1].astype(np.int32))
    return Dataset("digits", part, None, tuple(str(label) for label in range(10)), 16.0)


def _points(name: str, x: ArrayLike, y: ArrayLike, classes: int) -> Dataset:
    part = Part(np.asarray(x, np.float32), np.asarray(y, np.int32))
    return Dataset(name, part, None, tuple(str(label) for label in range(classes)), 1.0)


def _expect_drawing(name: str, n: int, noise: float) -> None:
    _expect(name, "n", n, 2 <= n <= _MOST // 2, f"from 2 to {_MOST // 2:,}")
    _expect(name, "noise", noise, 0 <= noise <= _LARGEST, "a number from 0 to 1e30")


def _expect(name: str, option: str, value: int | float, holds: bool, expected: str) -> None:
    if not holds:
        raise UserError(f"{name}: {option}: expected {expected}, found {value}")
