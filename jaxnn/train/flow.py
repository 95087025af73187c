"""Flow matching: a net learns the velocity that carries noise to examples, and sampling follows it."""

from typing import Any

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxnn.errors import UserError
from jaxnn.kernels.batch_rows import draw_normal, draw_uniform
from jaxnn.layer import Batch, Layer, Params
from jaxnn.train.noise import Noise, noisy
from jaxnn.train.step import Update

#: The channels of the time beside x: t, and sines and cosines of it.
TIME_CHANNELS = 5
#: Steps of Heun's method from noise to an example.
STEPS = 50

Values = Float[Array, "batch *shape channel"]
Seen = Float[Array, "batch *shape channels"]


def flow_noise(classes: int = 0) -> Noise:
    """What a net of flow matching sees of examples x with values from 0 to 1, and the velocity that it is to say.

    x₀ ~ N(0, 1),  x₁ = 2 x − 1,  t ~ U(0, 1):  input [(1 − t) x₀ + t x₁, channels of t, of the class], target x₁ − x₀

    The mean of the velocities at a place is that of a flow which carries N(0, 1) to the examples (Lipman et al. 2023).
    classes: the number of classes that a sample can be asked for; 0 tells the net no class
    """
    if classes < 0:
        raise UserError(f"flow: expected a number of classes of at least 0, found {classes}")

    def apply(key, x, target):
        key_noise, key_time = jax.random.split(key)
        start = draw_normal(key_noise, x.shape, x.dtype)
        time = draw_uniform(key_time, (len(x),), x.dtype)
        end, t = 2 * x - 1, time.reshape(-1, *[1] * (x.ndim - 1))
        labels = target if classes else None
        return with_channels((1 - t) * start + t * end, time, labels, classes), end - start

    return Noise("flow", apply)


def with_channels(x: Values, time: Float[Array, "batch"], labels: Any, classes: int) -> Seen:
    """x with the channels of the time and, where there are classes, a one at the class."""
    angle = 2 * jnp.pi * time
    parts = [time, jnp.sin(angle), jnp.cos(angle), jnp.sin(2 * angle), jnp.cos(2 * angle)]
    features = jnp.stack(parts, -1)
    if classes:
        features = jnp.concatenate([features, jax.nn.one_hot(labels, classes, dtype=x.dtype)], -1)
    spread = features.reshape(len(x), *[1] * (x.ndim - 2), features.shape[-1])
    return jnp.concatenate([x, jnp.broadcast_to(spread, (*x.shape[:-1], features.shape[-1]))], -1)


def flow(update: Update, classes: int = 0) -> Update:
    """`update`, which learns a regression of its batches, as flow matching of x (batch, …, channel) from 0 to 1.

    The model maps x with the channels of `with_channels` to a velocity of the shape of x. `update.sample` makes
    examples.
    classes: as for `flow_noise`; then the targets of the batches are labels
    """
    model = update.model
    assert model is not None

    def sample(params, key, x, label):
        return integrate(model, params, key, x, label, classes)

    return noisy(update, flow_noise(classes))._replace(predict=None, sample=sample, sample_classes=classes)


def integrate(model: Layer, params: Params, key: PRNGKeyArray, x: Batch, label: Any, classes: int) -> Values:
    """As many examples as x has: Heun's method along the model's velocity, from N(0, 1) at t = 0 to t = 1.

    label: the class of all; None draws a class for each example
    """
    key_start, key_label = jax.random.split(key)
    labels = jax.random.randint(key_label, (x.shape[0],), 0, max(classes, 1), jnp.int32)
    labels = labels if label is None else jnp.full_like(labels, label)

    def velocity(x, t):
        return model.apply(params, with_channels(x, jnp.full(len(x), t, x.dtype), labels, classes))

    def step(x, i):
        t = i.astype(x.dtype) / STEPS
        first = velocity(x, t)
        second = velocity(x + first / STEPS, t + 1 / STEPS)
        return x + (first + second) / (2 * STEPS), None

    start = jax.random.normal(key_start, x.shape, x.dtype)
    end, _ = jax.lax.scan(step, start, jnp.arange(STEPS))
    return jnp.clip((end + 1) / 2, 0, 1)
