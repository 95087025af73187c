"""Images moved, turned, scaled and bent at random, each its own way, inside the compiled step."""

import math
from typing import NamedTuple

import jax
from jax import numpy as jnp
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Array, Float, PRNGKeyArray

from jaxnn.train.step import Update

Images = Float[Array, "batch height width channel"]


class Augment(NamedTuple):
    """How far an image may move: everything is drawn uniformly up to its bound, to both sides, for each image.

    shift: pixels, in each direction
    rotation: degrees
    scale: a fraction, 0.1 for 0.9 … 1.1, in each direction by itself
    elastic: pixels of a field of random displacements before it is smoothed (Simard, Steinkraus and Platt 2003: 34)
    smoothness: the standard deviation, in pixels, of the Gaussian that smooths it (there: 4)
    """

    shift: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    elastic: float = 0.0
    smoothness: float = 4.0


def augment(settings: Augment, key: PRNGKeyArray, x: Images) -> Images:
    """A copy of every image, each changed in its own way: a function of the key. Beyond its edge an image goes on as
    its edge is, so that a background stays one whatever its preprocessing."""
    return jax.vmap(lambda key, image: _one(settings, key, image))(jax.random.split(key, len(x)), x)


def _one(settings: Augment, key: PRNGKeyArray, image: Array) -> Array:
    height, width, _ = image.shape
    names = ("shift", "rotation", "scale", "elastic")
    keys: dict[str, Array] = dict(zip(names, jax.random.split(key, 4), strict=True))

    def draw(name: str, shape: tuple[int, ...], bound: float) -> Array:
        return jax.random.uniform(keys[name], shape, image.dtype, -bound, bound)

    angle = draw("rotation", (), math.radians(settings.rotation))
    shift = draw("shift", (2,), settings.shift)
    scale = 1 + draw("scale", (2,), settings.scale)
    rows, columns = places(height, width, angle, scale, shift, image.dtype)
    if settings.elastic:
        field = draw("elastic", (2, height, width), settings.elastic)
        down, across = gaussian(height, settings.smoothness), gaussian(width, settings.smoothness)
        bend = jnp.asarray(down, image.dtype) @ field @ jnp.asarray(across, image.dtype).T
        rows, columns = rows + bend[0], columns + bend[1]
    return look(image, rows, columns)


def places(
    height: int, width: int, angle: Array, scale: Array, shift: Array, dtype: jnp.dtype
) -> tuple[Float[Array, "height width"], Float[Array, "height width"]]:
    """Where in the old image each pixel of the new one comes from: the new image is the old one scaled about its
    middle, turned clockwise by `angle` (radians, rows counted downwards) and moved by `shift` (rows, columns)."""
    middle = jnp.array([(height - 1) / 2, (width - 1) / 2], dtype)
    r, c = jnp.meshgrid(jnp.arange(height, dtype=dtype), jnp.arange(width, dtype=dtype), indexing="ij")
    r, c = r - middle[0] - shift[0], c - middle[1] - shift[1]
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    return (cosine * r - sine * c) / scale[0] + middle[0], (sine * r + cosine * c) / scale[1] + middle[1]


def look(image: Array, rows: Array, columns: Array) -> Array:
    """The image at places between its pixels, bilinearly."""

    def read(plane):
        return map_coordinates(plane, [rows, columns], order=1, mode="nearest")

    return jax.vmap(read, in_axes=-1, out_axes=-1)(image)


def gaussian(n: int, deviation: float) -> Float[Array, "n n"]:
    """The matrix that smooths a signal of n samples; each row sums to one but for what lies beyond the ends."""
    step = jnp.arange(n)[:, None] - jnp.arange(n)[None, :]
    whole = jnp.exp(-0.5 * (jnp.arange(-4 * n, 4 * n + 1) / deviation) ** 2).sum()
    return jnp.exp(-0.5 * (step / deviation) ** 2) / whole


def augmented(update: Update, settings: Augment) -> Update:
    """The update whose steps see each batch (x, target) augmented. Evaluations see it as it is."""

    def changed(batch, key):
        x, target = batch
        return augment(settings, jax.random.fold_in(key, 0x617567), x), target  # "aug": apart from the layers' keys

    def step(state, batch, key):
        return update.step(state, changed(batch, key), key)

    def diagnose(state, batch, key, rows):
        assert update.diagnose is not None
        return update.diagnose(state, changed(batch, key), key, rows)

    return update._replace(step=step, diagnose=diagnose if update.diagnose else None)
