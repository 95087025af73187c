"""Noise made inside the step is a function of the key, and the velocity of flow matching leads to the examples."""

from typing import Any

import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

import jaxnn
from jaxnn.errors import UserError
from jaxnn.train.flow import TIME_CHANNELS, flow, flow_noise, with_channels
from jaxnn.train.noise import NOISES, binarize, drop_tokens, gaussian_noise, masking_noise, noisy

KEY = jax.random.key(0)
X = jnp.asarray(np.random.default_rng(0).uniform(size=(500, 4)), jnp.float32)


@pytest.fixture(autouse=True)
def command_line_numerics():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        yield


@pytest.mark.parametrize("name", [name for name in NOISES if name != "drop_tokens"])
def test_noise_is_a_function_of_the_key(name):
    noise = NOISES[name]()
    same, other = noise.apply(KEY, X, X), noise.apply(jax.random.key(1), X, X)
    assert np.array_equal(noise.apply(KEY, X, X)[0], same[0])
    assert not np.array_equal(same[0], other[0])


def test_noises_do_what_they_say():
    assert abs(float((gaussian_noise(0.5).apply(KEY, X, X)[0] - X).std()) - 0.5) < 0.05
    masked, target = masking_noise(0.25).apply(KEY, X, X)
    assert abs(float((masked == 0).mean()) - 0.25) < 0.05
    assert target is X
    x, target = binarize().apply(KEY, X, X)
    assert set(np.unique(x)) == {0, 1}
    assert np.array_equal(x, target)
    assert abs(float(x.mean() - X.mean())) < 0.05
    labels = jnp.arange(500)
    assert binarize().apply(KEY, X, labels)[1] is labels
    ids = jnp.full((100, 20), 7, jnp.int32)
    dropped, _ = drop_tokens(0.3, token=2).apply(KEY, ids, ids)
    assert set(np.unique(dropped)) == {2, 7}
    assert abs(float((dropped == 2).mean()) - 0.3) < 0.05


@pytest.mark.parametrize(
    "build",
    [lambda: gaussian_noise(-1.0), lambda: masking_noise(1.0), lambda: drop_tokens(-0.1), lambda: flow_noise(-1)],
)
def test_impossible_noise_is_refused(build):
    with pytest.raises(UserError, match="expected"):
        build()


def test_noise_reaches_steps_and_evaluations_but_no_prediction():
    model = jaxnn.dense(4, weight_init="ones")
    plain: Any = jaxnn.supervised(model, jaxnn.mean_squared_error(), optax.sgd(0.0))
    update: Any = noisy(plain, gaussian_noise(0.5))
    batch = (X, X)
    state = update.init(KEY, batch)
    params = update.params(state)
    quiet = float(plain.evaluate(params, batch, KEY)["loss"].value())
    assert float(update.evaluate(params, batch, KEY)["loss"].value()) != quiet
    assert float(update.step(state, batch, KEY)[1]["loss"].value()) != quiet
    assert np.array_equal(update.predict(params, X), plain.predict(params, X))
    training_alone = noisy(plain, gaussian_noise(0.5)._replace(evaluated=False))
    assert float(training_alone.evaluate(params, batch, KEY)["loss"].value()) == quiet


def test_flow_tells_time_and_class():
    x = with_channels(X, jnp.zeros(500), jnp.arange(500) % 3, 3)
    assert x.shape == (500, 4 + TIME_CHANNELS + 3)
    assert np.array_equal(x[1, -3:], [0, 1, 0])
    images = with_channels(jnp.zeros((2, 5, 5, 1)), jnp.ones(2), None, 0)
    assert images.shape == (2, 5, 5, 1 + TIME_CHANNELS)


def test_flow_samples_the_examples_that_it_has_learned():
    """Two classes of points, each within a small square: samples of a class lie in its own."""
    rng = np.random.default_rng(1)
    labels = rng.integers(2, size=2000).astype(np.int32)
    x = (np.where(labels[:, None], 0.8, 0.2) + rng.uniform(-0.05, 0.05, (2000, 2))).astype(np.float32)
    model = jaxnn.serial(jaxnn.dense(64), jaxnn.silu(), jaxnn.dense(64), jaxnn.silu(), jaxnn.dense(2))
    supervised = jaxnn.supervised(model, jaxnn.mean_squared_error(), optax.adam(3e-3))
    experiment = jaxnn.Experiment(flow(supervised, 2), jaxnn.in_memory(x, labels, batch_size=100), jaxnn.Plan(40))
    run = jaxnn.fit(experiment)
    for label, middle in ((0, 0.2), (1, 0.8)):
        samples = run.sample(200, label=label)
        assert abs(float(samples.mean()) - middle) < 0.05
        assert np.mean(np.abs(samples - middle) < 0.15) > 0.9
    with pytest.raises(UserError, match="class from 0 to 1, found 2"):
        run.sample(3, label=2)
    with pytest.raises(UserError, match="expected a count"):
        run.sample(0)
