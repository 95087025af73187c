"""Scaling, centring, normalizing and whitening: fitted on the training part, applied inside the step.

``fit`` is NumPy and runs once; ``apply`` is a pure JAX function of arrays, so that images stay uint8 on the device.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32, Shaped

from jaxnn.errors import UserError

_ROWS = 4096
_MOST_FEATURES = 4096  # whitening takes 128 MiB and a minute there
_LEAST_VARIANCE = 1e-6


class Affine(NamedTuple):
    """(x - shift) / scale, feature by feature; both () or (1, ...) with the shape of an example."""

    shift: Shaped[np.ndarray, "..."]
    scale: Shaped[np.ndarray, "..."]


class Whitening(NamedTuple):
    """(x - mean) @ rotation, over an example's n features: mean (1, n), rotation (n, n)."""

    mean: Shaped[np.ndarray, "1 n"]
    rotation: Shaped[np.ndarray, "n n"]


Stats = Affine | Whitening
STATS: dict[str, type[Affine] | type[Whitening]] = {
    "none": Affine,
    "unit": Affine,
    "center": Affine,
    "normalize": Affine,
    "whiten": Whitening,
}


def fit(name: str, x: Shaped[np.ndarray, "batch ..."], white: float) -> Stats:
    """The arrays that ``apply`` needs, from the training part alone. With mu and sigma over the examples of x:

    none       y = x
    unit       y = x / white
    center     y = (x - mu) / white
    normalize  y = (x - mu) / sigma; a feature that is constant has sigma 1
    whiten     y = (x - mu) U / sqrt(s) for the covariance U diag(s) U'

    The course divides by sqrt(s) + 1e-8, which makes 1e8 of a rounding error where s = 0 (a pixel that is never
    lit). Directions with less than a millionth of the largest variance are set to zero instead: within float32 they
    are noise. Features on scales more than a thousandfold apart should therefore be normalized. Whitening keeps the
    shape, not the image: component i stands where pixel i stood, the largest first.

    Raises UserError for an unknown name, and for whitening more than 4096 features. Source: the course's pages on
    preprocessing; LeCun et al., "Efficient BackProp" (1998).
    """
    if name not in STATS:
        raise UserError(f"preprocess: expected one of {', '.join(STATS)}, found {name}")
    if name == "whiten":
        return _whitening(x.reshape(len(x), -1))
    if name in ("none", "unit"):
        return Affine(np.array(0, np.float32), np.array(white if name == "unit" else 1, np.float32))
    mean, sigma = _moments(x)
    return Affine(mean, np.array(white, np.float32) if name == "center" else sigma)


def apply(stats: Stats, x: Shaped[jax.Array | np.ndarray, "batch ..."]) -> Float32[jax.Array, "batch ..."]:
    """The batch as the net sees it, in the shape that it came in."""
    x = jnp.asarray(x).astype(jnp.float32)
    if isinstance(stats, Affine):
        return (x - stats.shift) / stats.scale
    # Full precision: what a GPU or TPU drops by default is divided by a small sqrt(s) afterwards.
    centred = x.reshape(x.shape[0], -1) - stats.mean
    return jnp.matmul(centred, stats.rotation, precision="highest").reshape(x.shape)


def rebuild(name: str, arrays: Mapping[str, np.ndarray]) -> Stats:
    """The stats that ``stats._asdict()`` gave, as read back from a file. Raises UserError if they are others."""
    kind = STATS.get(name)
    if kind is None or set(arrays) != set(kind._fields):
        expected = ", ".join(kind._fields) if kind else f"one of {', '.join(STATS)}"
        raise UserError(f"preprocess {name}: expected {expected}, found {', '.join(arrays) or 'nothing'}")
    return kind(**arrays)


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, (1, ...) float32, summed in float64 by blocks of rows."""
    mean = x.mean(axis=0, keepdims=True, dtype=np.float64)
    variance = np.zeros_like(mean)
    for start in range(0, len(x), _ROWS):
        variance += ((x[start : start + _ROWS] - mean) ** 2).sum(axis=0, keepdims=True)
    sigma = np.sqrt(variance / len(x))
    # Sums of float32 numbers are exact in float64: a constant has the deviation 0, not nearly 0.
    return mean.astype(np.float32), np.where(sigma == 0, 1.0, sigma).astype(np.float32)


def _whitening(x: np.ndarray) -> Whitening:
    count, features = x.shape
    if features > _MOST_FEATURES:
        raise UserError(
            f"preprocess whiten: expected at most {_MOST_FEATURES} features, found {features}; use normalize"
        )
    mean = x.mean(axis=0, keepdims=True, dtype=np.float64)
    covariance = np.zeros((features, features))
    for start in range(0, count, _ROWS):
        centred = x[start : start + _ROWS] - mean
        covariance += centred.T @ centred
    # The covariance is symmetric: its singular vectors are its eigenvectors, here the smallest first.
    variances, vectors = np.linalg.eigh(covariance / count)
    variances, vectors = variances[::-1], vectors[:, ::-1]
    # An eigenvector's sign is free; fixed here, so that one data set has one whitening.
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(features)])
    kept = variances > _LEAST_VARIANCE * max(variances[0], np.finfo(np.float32).tiny)
    gains = np.where(kept, 1 / np.sqrt(np.where(kept, variances, 1.0)), 0.0)
    return Whitening(mean.astype(np.float32), (vectors * gains).astype(np.float32))
