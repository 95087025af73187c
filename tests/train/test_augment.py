"""Augmentation is a function of the key, the identity for bounds of 0, and has the documented geometry."""

import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

from jaxnn.combine import serial
from jaxnn.config import ConfigError, load
from jaxnn.config.experiment import make_experiment
from jaxnn.errors import UserError
from jaxnn.experiment import run
from jaxnn.layers import dense, flatten
from jaxnn.losses import quadratic
from jaxnn.train import supervised
from jaxnn.train.augment import Augment, augment, augmented, gaussian_smoothing, sample_bilinear, source_coordinates

IMAGES = jnp.asarray(np.random.default_rng(0).normal(size=(3, 11, 11, 2)))
ALL = Augment(shift=2, rotation=20, scale=0.2, elastic=20, smoothness=3)


def transformed(angle=0.0, scale=(1.0, 1.0), shift=(0.0, 0.0), image=IMAGES[0]):
    angle, scale, shift = jnp.asarray(angle), jnp.asarray(scale), jnp.asarray(shift)
    rows, columns = source_coordinates(11, 11, angle, scale, shift, jnp.dtype("float64"))
    return sample_bilinear(image, rows, columns)


def test_augment_with_zero_bounds_is_the_identity():
    np.testing.assert_allclose(augment(Augment(), jax.random.key(0), IMAGES), IMAGES, atol=1e-12)


def test_augment_is_random_per_key_and_image():
    same = jnp.stack([IMAGES[0]] * 3)
    first, repeated = (augment(ALL, jax.random.key(1), same) for _ in range(2))
    np.testing.assert_array_equal(first, repeated)
    other = augment(ALL, jax.random.key(2), same)
    assert all(np.abs(a - b).max() > 0.01 for a, b in ((first, other), (first[0], first[1]), (first[1], first[2])))


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_rotation_by_quarters_is_clockwise(quarter):
    rotated = transformed(angle=quarter * np.pi / 2)
    np.testing.assert_allclose(rotated, np.rot90(IMAGES[0], -quarter), atol=1e-9)


def test_shift_moves_down_and_to_the_right():
    np.testing.assert_allclose(transformed(shift=(2.0, 3.0))[2:, 3:], IMAGES[0][:-2, :-3], atol=1e-12)


def test_scale_is_about_the_middle():
    doubled = transformed(scale=(2.0, 2.0))
    np.testing.assert_allclose(doubled[5, 5], IMAGES[0][5, 5], atol=1e-12)
    np.testing.assert_allclose(doubled[7, 3], IMAGES[0][6, 4], atol=1e-12)


def test_augment_keeps_a_constant_background():
    flat = jnp.full((2, 9, 9, 1), -0.42)
    np.testing.assert_allclose(augment(ALL, jax.random.key(0), flat), flat, atol=1e-12)


def test_gaussian_smoothing_keeps_a_constant_far_from_the_ends():
    np.testing.assert_allclose(gaussian_smoothing(41, 2.0).sum(axis=1)[10:-10], 1, atol=1e-5)


def test_augmented_changes_steps_and_no_evaluation():
    model, batch = serial(flatten(), dense(3)), (IMAGES, jnp.zeros((3, 3)))
    plain = supervised(model, quadratic(), optax.sgd(0.1))
    other = augmented(plain, ALL)
    state, key = plain.init(jax.random.key(0), batch), jax.random.key(3)
    losses = [update.step(state, batch, key)[1]["loss"].value() for update in (plain, other)]
    assert losses[0] != losses[1]
    evaluated = [update.evaluate(plain.params(state), batch, key)["loss"].value() for update in (plain, other)]
    assert evaluated[0] == evaluated[1]


def test_augmented_batch_is_the_one_that_is_diagnosed():
    """The diagnosis repeats the step with the same augmentation: an image that it makes NaN is found."""
    model = serial(flatten(), dense(3))

    def report_change(state, batch, key, rows):
        return "changed" if (batch[0] != IMAGES).any() else "unchanged"

    update = augmented(supervised(model, quadratic(), optax.sgd(0.1))._replace(diagnose=report_change), ALL)
    assert update.diagnose is not None
    assert update.diagnose(None, (IMAGES, jnp.zeros((3, 3))), jax.random.key(3), None) == "changed"


def test_augment_table_changes_the_training():
    short = ["train.epochs=1", "data.train=64"]
    plain = make_experiment(load("digits_mlp", short))
    deformed = make_experiment(load("digits_mlp", [*short, "augment.shift=1.0", "augment.elastic=8.0"]))
    losses = [run(e).outcome.history.train["loss"] for e in (plain, deformed)]
    assert np.isfinite(losses).all() and (losses[0] != losses[1]).all()
    assert "augment.shift" in deformed.hyperparameters


@pytest.mark.parametrize(
    ("change", "message"),
    [("augment.shift=-1.0", "at least 0"), ("augment.smoothness=0.0", "above 0"), ("augment.shfit=1", "shift")],
)
def test_augment_table_refuses_wrong_bounds(change, message):
    with pytest.raises(ConfigError, match=message):
        load("digits_cnn", [change])


def test_augment_table_refuses_data_other_than_images():
    with pytest.raises(UserError, match="images"):
        make_experiment(load("circles_mlp", ["augment.shift=1.0"]))
