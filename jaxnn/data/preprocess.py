"""Scaling, centring, normalizing and whitening: fitted on the training part, applied inside the training step.

``fit`` is NumPy and runs once. ``apply`` is a pure JAX function, so that images stay uint8 on the device. Only float
and uint8 arrays are preprocessed: other integers (token ids, lengths) and booleans pass unchanged.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Shaped

from jaxnn.data.dataset import Arrays
from jaxnn.data.rows import Rows, blocks
from jaxnn.errors import UserError

_BLOCK_ROWS = 4096
_MAX_FEATURES = 4096  # whitening so many takes 128 MiB and a minute
_MIN_VARIANCE = 1e-6  # relative to the largest


class AffineStats(NamedTuple):
    """y = (x - shift) / scale, elementwise; both are () or (1, ...), where ... is the shape of an example."""

    shift: Shaped[np.ndarray, "..."]
    scale: Shaped[np.ndarray, "..."]


class WhiteningStats(NamedTuple):
    """y = (x - mean) @ rotation, for the n features of an example."""

    mean: Shaped[np.ndarray, "1 n"]
    rotation: Shaped[np.ndarray, "n n"]


Stats = AffineStats | WhiteningStats
STATS_TYPES: dict[str, type[AffineStats] | type[WhiteningStats]] = {
    "none": AffineStats,
    "unit": AffineStats,
    "center": AffineStats,
    "normalize": AffineStats,
    "whiten": WhiteningStats,
}


def fit(name: str, x: Arrays, max_value: float) -> Stats:
    """The statistics that ``apply`` needs, from the inputs of the training part. With mu and sigma over the examples:

    none       y = x
    unit       y = x / max_value
    center     y = (x - mu) / max_value
    normalize  y = (x - mu) / sigma; sigma is 1 for a constant feature
    whiten     y = (x - mu) U / sqrt(s) for the covariance U diag(s) U'

    The course divides by sqrt(s) + 1e-8, which multiplies rounding errors by 1e8 where s = 0 (a pixel that is always
    black). Here directions with less than a millionth of the largest variance are set to zero, because they are noise
    in float32. So normalize features whose scales differ by more than a factor of a thousand. Whitening keeps the
    shape but not the image: component i replaces pixel i, the component of largest variance first.

    Raises UserError for an unknown name, for a ``max_value`` that contradicts the numbers in x, for whitening more
    than 4096 features, and for any name but none if x is a pytree or holds integers other than uint8. Reference: the
    course's pages on preprocessing; LeCun et al., "Efficient BackProp" (1998).
    """
    if name not in STATS_TYPES:
        raise UserError(f"preprocess: expected one of {', '.join(STATS_TYPES)}, found {name}")
    if name == "none":
        return AffineStats(np.array(0, np.float32), np.array(1, np.float32))
    if not isinstance(x, np.ndarray | Rows):
        raise UserError(f"preprocess {name}: expected one NumPy array as x, found a {type(x).__name__}; use none")
    if not _is_scalable(x.dtype):
        raise UserError(f"preprocess {name}: expected x to hold floats or uint8 pixels, found {x.dtype}; use none")
    _check_range(name, x, max_value)
    if name == "whiten":
        return _fit_whitening(x)
    if name == "unit":
        return AffineStats(np.array(0, np.float32), np.array(max_value, np.float32))
    mean, sigma = _moments(x)
    return AffineStats(mean, np.array(max_value, np.float32) if name == "center" else sigma)


def _check_range(name: str, x: np.ndarray | Rows, max_value: float) -> None:
    """Raises UserError where a division by ``max_value`` cannot bring x to the range that it is meant for.

    Features have no full intensity: their ``max_value`` is 1, and center subtracts their mean alone.
    """
    if name not in ("unit", "center"):
        return
    largest = float(max(max(rows.max(), -rows.min() if rows.dtype != np.uint8 else 0) for rows in blocks(x)))
    too_large = largest > max_value and (name == "unit" or x.dtype == np.uint8)
    if too_large or 0 < largest <= 1 < max_value:
        remedy = f"set max_value = {255 if x.dtype == np.uint8 and largest > 1 else math.ceil(largest)}"
        raise UserError(
            f"preprocess {name}: expected numbers up to max_value = {max_value:g}, by which it divides, found "
            f"{largest:g} as the largest; {remedy} where the data set has this option, or use normalize"
        )


def apply(stats: Stats, x: Arrays) -> Arrays:
    """The batch x as the model sees it: float and uint8 arrays as float32 of the same shape, the others unchanged.

    x is an array or a pytree of arrays.
    """
    return jax.tree.map(lambda array: _apply_to_array(stats, array), x)


def _apply_to_array(
    stats: Stats, x: Shaped[jax.Array | np.ndarray, "batch ..."]
) -> Shaped[jax.Array | np.ndarray, "batch ..."]:
    if not _is_scalable(x.dtype):
        return x
    x = jnp.asarray(x).astype(jnp.float32)
    if isinstance(stats, AffineStats):
        return (x - stats.shift) / stats.scale
    # Highest precision: the rotation divides by a small sqrt(s), which amplifies a GPU's default rounding errors.
    centered = x.reshape(x.shape[0], -1) - stats.mean
    return jnp.matmul(centered, stats.rotation, precision="highest").reshape(x.shape)


def rebuild(name: str, arrays: Mapping[str, np.ndarray]) -> Stats:
    """The inverse of ``stats._asdict()``, for arrays from a file. Raises UserError if they do not fit the name."""
    stats_type = STATS_TYPES.get(name)
    if stats_type is None or set(arrays) != set(stats_type._fields):
        expected = ", ".join(stats_type._fields) if stats_type else f"one of {', '.join(STATS_TYPES)}"
        raise UserError(f"preprocess {name}: expected {expected}, found {', '.join(arrays) or 'nothing'}")
    return stats_type(**arrays)


def _is_scalable(dtype: np.dtype) -> bool:
    return jnp.issubdtype(dtype, jnp.floating) or dtype == np.uint8


def _mean(x: np.ndarray | Rows) -> np.ndarray:
    """The mean over the examples, (1, ...) float64, summed by blocks of rows."""
    total = np.zeros((1, *x.shape[1:]))
    for start in range(0, len(x), _BLOCK_ROWS):
        total += x[start : start + _BLOCK_ROWS].sum(axis=0, keepdims=True, dtype=np.float64)
    return total / len(x)


def _moments(x: np.ndarray | Rows) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, (1, ...) float32, summed in float64 by blocks of rows."""
    mean = _mean(x)
    variance = np.zeros_like(mean)
    for start in range(0, len(x), _BLOCK_ROWS):
        variance += ((x[start : start + _BLOCK_ROWS] - mean) ** 2).sum(axis=0, keepdims=True)
    sigma = np.sqrt(variance / len(x))
    # Sums of float32 numbers are exact in float64, so the deviation of a constant is exactly 0.
    return mean.astype(np.float32), np.where(sigma == 0, 1.0, sigma).astype(np.float32)


def _fit_whitening(x: np.ndarray | Rows) -> WhiteningStats:
    count, features = len(x), math.prod(x.shape[1:])
    if features > _MAX_FEATURES:
        raise UserError(
            f"preprocess whiten: expected at most {_MAX_FEATURES} features, found {features}; use normalize"
        )
    mean = _mean(x).reshape(1, features)
    covariance = np.zeros((features, features))
    for start in range(0, count, _BLOCK_ROWS):
        centered = x[start : start + _BLOCK_ROWS].reshape(-1, features) - mean
        covariance += centered.T @ centered
    # The covariance is symmetric, so its singular vectors are its eigenvectors; eigh sorts them from small to large.
    variances, vectors = np.linalg.eigh(covariance / count)
    variances, vectors = variances[::-1], vectors[:, ::-1]
    # The sign of an eigenvector is arbitrary. A fixed sign makes the whitening of a data set unique.
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(features)])
    significant = variances > _MIN_VARIANCE * max(variances[0], np.finfo(np.float32).tiny)
    gains = np.where(significant, 1 / np.sqrt(np.where(significant, variances, 1.0)), 0.0)
    return WhiteningStats(mean.astype(np.float32), (vectors * gains).astype(np.float32))
