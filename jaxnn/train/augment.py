"""Random shifts, rotations, scalings and elastic deformations of images, inside the compiled step."""

import math
from typing import NamedTuple

import jax
from jax import numpy as jnp
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Array, Float, PRNGKeyArray

from jaxnn.kernels.array_types import Images
from jaxnn.kernels.batch_rows import draw_rows
from jaxnn.train.step import Update

Image = Float[Array, "height width channel"]


class Augment(NamedTuple):
    """Bounds of the transformations. Each image draws its own from uniform distributions, from −bound to +bound.

    shift: pixels, independently in each direction
    rotation: degrees
    scale: a fraction, 0.1 for 0.9 … 1.1, independently in each direction
    elastic: pixels of a field of random displacements before smoothing (Simard, Steinkraus and Platt 2003: 34)
    smoothness: the standard deviation, in pixels, of the Gaussian that smooths the field (there: 4)
    """

    shift: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    elastic: float = 0.0
    smoothness: float = 4.0


def augment(settings: Augment, key: PRNGKeyArray, x: Images) -> Images:
    """Each image transformed at random, as a function of the key. Outside the image the nearest edge pixel is used, so
    a constant background stays constant."""
    keys = draw_rows(lambda shape: jax.random.split(key, shape[0]), (len(x),))
    return jax.vmap(lambda key, image: _augment_image(settings, key, image))(keys, x)


def _augment_image(settings: Augment, key: PRNGKeyArray, image: Image) -> Image:
    height, width, _ = image.shape
    names = ("shift", "rotation", "scale", "elastic")
    keys: dict[str, Array] = dict(zip(names, jax.random.split(key, 4), strict=True))

    def draw(name: str, shape: tuple[int, ...], bound: float) -> Array:
        return jax.random.uniform(keys[name], shape, image.dtype, -bound, bound)

    angle = draw("rotation", (), math.radians(settings.rotation))
    shift = draw("shift", (2,), settings.shift)
    scale = 1 + draw("scale", (2,), settings.scale)
    rows, columns = source_coordinates(height, width, angle, scale, shift, image.dtype)
    if settings.elastic:
        field = draw("elastic", (2, height, width), settings.elastic)
        vertical, horizontal = (gaussian_smoothing(n, settings.smoothness) for n in (height, width))
        displacement = jnp.asarray(vertical, image.dtype) @ field @ jnp.asarray(horizontal, image.dtype).T
        rows, columns = rows + displacement[0], columns + displacement[1]
    return sample_bilinear(image, rows, columns)


def source_coordinates(
    height: int,
    width: int,
    angle: Float[Array, ""],
    scale: Float[Array, "2"],
    shift: Float[Array, "2"],
    dtype: jnp.dtype,
) -> tuple[Float[Array, "{height} {width}"], Float[Array, "{height} {width}"]]:
    """The row and the column of the source image that each pixel of the transformed image is read from.

    The transformed image is the source scaled about its middle, rotated clockwise by `angle` (radians, rows counted
    downwards) and moved by `shift` (rows, columns).
    """
    middle = jnp.array([(height - 1) / 2, (width - 1) / 2], dtype)
    r, c = jnp.meshgrid(jnp.arange(height, dtype=dtype), jnp.arange(width, dtype=dtype), indexing="ij")
    r, c = r - middle[0] - shift[0], c - middle[1] - shift[1]
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    return (cosine * r - sine * c) / scale[0] + middle[0], (sine * r + cosine * c) / scale[1] + middle[1]


def sample_bilinear(
    image: Float[Array, "height width channel"],
    rows: Float[Array, "rows columns"],
    columns: Float[Array, "rows columns"],
) -> Float[Array, "rows columns channel"]:
    """The image at fractional rows and columns, by bilinear interpolation between its pixels."""

    def sample_channel(plane: Float[Array, "height width"]) -> Float[Array, "rows columns"]:
        return map_coordinates(plane, [rows, columns], order=1, mode="nearest")

    return jax.vmap(sample_channel, in_axes=-1, out_axes=-1)(image)


def gaussian_smoothing(n: int, deviation: float) -> Float[Array, "{n} {n}"]:
    """The matrix that smooths a signal of n samples. Rows far from the ends sum to one; the weights of samples beyond
    the ends are left out."""
    distance = jnp.arange(n)[:, None] - jnp.arange(n)[None, :]
    total = jnp.exp(-0.5 * (jnp.arange(-4 * n, 4 * n + 1) / deviation) ** 2).sum()
    return jnp.exp(-0.5 * (distance / deviation) ** 2) / total


def augmented(update: Update, settings: Augment) -> Update:
    """`update` with each batch (x, target) augmented in a training step and in its diagnosis. Evaluations are not."""

    def augment_batch(batch, key):
        x, target = batch
        # "aug" in ASCII: a stream of its own, independent of the layers' keys.
        return augment(settings, jax.random.fold_in(key, 0x617567), x), target

    return update.with_batches(augment_batch)
