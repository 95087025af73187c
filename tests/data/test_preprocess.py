"""Each preprocessing gives the statistics that its name promises, from the training part alone, inside jit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.data import preprocess
from jaxnn.errors import UserError

CONSTANT = 3


@pytest.fixture
def images():
    """uint8 (101, 5, 3, 2), correlated, one pixel constant."""
    generator = np.random.default_rng(0)
    mixed = generator.standard_normal((101, 30)) @ generator.standard_normal((30, 30))
    x = np.clip(128 + 20 * mixed, 0, 255).astype(np.uint8).reshape(101, 5, 3, 2)
    x.reshape(101, 30)[:, CONSTANT] = 77
    return x


def applied(name, x, white=255.0):
    stats = preprocess.fit(name, x, white)
    return np.asarray(jax.jit(preprocess.apply)(stats, jnp.asarray(x)))


@pytest.mark.parametrize("name", preprocess.STATS)
def test_the_shape_stays_and_the_type_becomes_float32(images, name):
    y = applied(name, images)
    assert y.shape == images.shape
    assert y.dtype == np.float32


def test_none_and_unit_scale_alone(images):
    assert (applied("none", images) == images).all()
    np.testing.assert_allclose(applied("unit", images), images / 255, rtol=1e-6)
    assert applied("unit", images, white=77.0).reshape(101, 30)[:, CONSTANT] == pytest.approx(1)


def test_center_has_mean_zero(images):
    y = applied("center", images)
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(y.std(0), images.std(0) / 255, rtol=1e-5)


def test_normalize_has_mean_zero_and_deviation_one(images):
    y = applied("normalize", images).reshape(101, 30)
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(np.delete(y, CONSTANT, 1).std(0), 1, rtol=1e-5)
    assert (y[:, CONSTANT] == 0).all()


def test_whiten_has_the_identity_as_its_covariance(images):
    y = applied("whiten", images).reshape(101, 30).astype(np.float64)
    expected = np.eye(30)
    expected[-1, -1] = 0  # the constant pixel leaves one direction without variance: zero, not noise
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(y.T, bias=True), expected, atol=1e-4)
    assert (y[:, -1] == 0).all()


def test_whiten_rotates_by_the_singular_vectors_of_the_covariance(images):
    """An independent witness: the singular vectors of the centred data, up to their signs."""
    x = images.reshape(101, 30).astype(np.float64)
    rows, _, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    y = applied("whiten", images).reshape(101, 30)
    np.testing.assert_allclose(np.abs(y[:, :29]), np.abs(rows[:, :29]) * np.sqrt(101), atol=1e-3)


@pytest.mark.parametrize("name", ["normalize", "whiten"])
def test_a_feature_that_was_constant_in_training_stays_tame(images, name):
    stats = preprocess.fit(name, images, 255.0)
    moved = images.copy().reshape(101, 30)
    moved[:, CONSTANT] = 78
    moved_by = np.abs(preprocess.apply(stats, jnp.asarray(moved.reshape(images.shape))) - applied(name, images)).max()
    assert moved_by <= 1


@pytest.mark.parametrize("value", [0.1, 1e6 + 0.3, -7e-20])
@pytest.mark.parametrize("name", ["normalize", "whiten"])
def test_rounding_does_not_make_a_constant_vary(name, value):
    x = np.random.default_rng(1).standard_normal((997, 2)).astype(np.float32)
    x[:, 1] = value
    y = applied(name, x, white=1.0)
    assert (y[:, 1] == 0).all()
    constant = x.copy()
    x[:, 1] *= 1.001
    moved = preprocess.apply(preprocess.fit(name, constant, 1.0), x)
    assert np.abs(moved[:, 1]).max() <= abs(value) * 0.002


def test_nothing_but_a_constant_whitens_to_zero():
    assert (applied("whiten", np.full((7, 3), 5, np.uint8)) == 0).all()


@pytest.mark.parametrize("name", preprocess.STATS)
def test_the_block_of_rows_does_not_matter(monkeypatch, images, name):
    whole = preprocess.fit(name, images, 255.0)
    monkeypatch.setattr(preprocess, "_ROWS", 13)
    for left, right in zip(whole, preprocess.fit(name, images, 255.0), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", preprocess.STATS)
def test_what_was_fitted_is_applied_to_others_example_by_example(images, name):
    """The statistics are those of the training part, whatever batch they are applied to."""
    stats = preprocess.fit(name, images[:61], 255.0)
    whole = preprocess.apply(stats, jnp.asarray(images[61:]))
    single = preprocess.apply(stats, jnp.asarray(images[61:62]))
    np.testing.assert_allclose(whole[:1], single, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", preprocess.STATS)
def test_stats_are_arrays_and_are_rebuilt_from_them(images, name):
    stats = preprocess.fit(name, images, 255.0)
    assert all(isinstance(array, np.ndarray) and array.dtype == np.float32 for array in stats)
    rebuilt = preprocess.rebuild(name, dict(stats._asdict()))
    assert type(rebuilt) is type(stats)
    assert (preprocess.apply(rebuilt, images) == preprocess.apply(stats, images)).all()


def test_wrong_names_and_arrays_are_refused(images):
    with pytest.raises(UserError, match="expected one of none, unit, center, normalize, whiten, found zca"):
        preprocess.fit("zca", images, 255.0)
    for name, arrays in (("zca", {}), ("unit", {}), ("whiten", {"shift": images, "scale": images})):
        with pytest.raises(UserError, match=f"preprocess {name}: expected"):
            preprocess.rebuild(name, arrays)
    with pytest.raises(UserError, match="at most 4096 features, found 4097"):
        preprocess.fit("whiten", np.zeros((3, 4097), np.uint8), 255.0)
