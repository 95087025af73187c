"""Each preprocessing has the statistics that its name states, from the training part alone, inside jit."""

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


def fit_and_apply(name, x, max_value=255.0):
    stats = preprocess.fit(name, x, max_value)
    return np.asarray(jax.jit(preprocess.apply)(stats, jnp.asarray(x)))


@pytest.mark.parametrize("name", preprocess.STATS_TYPES)
def test_apply_keeps_the_shape_and_returns_float32(images, name):
    y = fit_and_apply(name, images)
    assert y.shape == images.shape
    assert y.dtype == np.float32


def test_none_and_unit_only_scale(images):
    assert (fit_and_apply("none", images) == images).all()
    np.testing.assert_allclose(fit_and_apply("unit", images), images / 255, rtol=1e-6)
    dark = np.minimum(images, 77)
    assert fit_and_apply("unit", dark, max_value=77.0).reshape(101, 30)[:, CONSTANT] == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "x", "max_value", "remedy"),
    [
        ("unit", np.array([[200]], np.uint8), 1.0, "set max_value = 255"),
        ("center", np.array([[200]], np.uint8), 1.0, "set max_value = 255"),
        ("unit", np.array([[17]], np.uint8), 16.0, "set max_value = 255"),
        ("unit", np.array([[0.5, 1.0]], np.float32), 255.0, "set max_value = 1 "),
        ("center", np.array([[0.5, 1.0]], np.float32), 255.0, "set max_value = 1 "),
        ("unit", np.array([[0, 1]], np.uint8), 255.0, "set max_value = 1 "),
        ("unit", np.array([[-7.5, 2]], np.float32), 1.0, "set max_value = 8 "),
        ("unit", np.array([[128]], np.float32), 1.0, "set max_value = 128 "),
    ],
)
def test_preprocess_refuses_a_max_value_that_contradicts_the_numbers(name, x, max_value, remedy):
    with pytest.raises(UserError, match=f"expected numbers up to max_value = {max_value:g}, .*{remedy}"):
        preprocess.fit(name, x, max_value)


def test_preprocess_accepts_a_max_value_that_the_numbers_may_have():
    for name, x, max_value in (
        ("unit", np.array([[0, 90]], np.uint8), 255.0),
        ("unit", np.array([[-0.5, 1]], np.float32), 1.0),
        ("center", np.array([[-70, 90]], np.float32), 1.0),  # features, whose mean alone is subtracted
        ("unit", np.array([[0]], np.uint8), 255.0),
        ("normalize", np.array([[0, 90]], np.uint8), 1.0),
    ):
        preprocess.fit(name, x, max_value)


def test_center_has_mean_zero(images):
    y = fit_and_apply("center", images)
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(y.std(0), images.std(0) / 255, rtol=1e-5)


def test_normalize_has_mean_zero_and_deviation_one(images):
    y = fit_and_apply("normalize", images).reshape(101, 30)
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(np.delete(y, CONSTANT, 1).std(0), 1, rtol=1e-5)
    assert (y[:, CONSTANT] == 0).all()


def test_whiten_has_the_identity_as_covariance(images):
    y = fit_and_apply("whiten", images).reshape(101, 30).astype(np.float64)
    expected = np.eye(30)
    expected[-1, -1] = 0  # the constant pixel: a direction without variance, set to zero
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(y.T, bias=True), expected, atol=1e-4)
    assert (y[:, -1] == 0).all()


def test_whiten_agrees_with_the_singular_vectors_of_the_data(images):
    """An independent reference: the singular vectors of the centered data, up to their signs."""
    x = images.reshape(101, 30).astype(np.float64)
    rows, _, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    y = fit_and_apply("whiten", images).reshape(101, 30)
    np.testing.assert_allclose(np.abs(y[:, :29]), np.abs(rows[:, :29]) * np.sqrt(101), atol=1e-3)


@pytest.mark.parametrize("name", ["normalize", "whiten"])
def test_apply_is_bounded_for_features_constant_in_training(images, name):
    stats = preprocess.fit(name, images, 255.0)
    moved = images.copy().reshape(101, 30)
    moved[:, CONSTANT] = 78
    moved_by = np.abs(
        preprocess.apply(stats, jnp.asarray(moved.reshape(images.shape))) - fit_and_apply(name, images)
    ).max()
    assert moved_by <= 1


@pytest.mark.parametrize("value", [0.1, 1e6 + 0.3, -7e-20])
@pytest.mark.parametrize("name", ["normalize", "whiten"])
def test_fit_treats_a_constant_as_constant_despite_rounding(name, value):
    x = np.random.default_rng(1).standard_normal((997, 2)).astype(np.float32)
    x[:, 1] = value
    y = fit_and_apply(name, x, max_value=1.0)
    assert (y[:, 1] == 0).all()
    constant = x.copy()
    x[:, 1] *= 1.001
    moved = preprocess.apply(preprocess.fit(name, constant, 1.0), x)
    assert np.abs(moved[:, 1]).max() <= abs(value) * 0.002


def test_whiten_of_a_constant_is_zero():
    assert (fit_and_apply("whiten", np.full((7, 3), 5, np.uint8)) == 0).all()


@pytest.mark.parametrize("name", preprocess.STATS_TYPES)
def test_fit_does_not_depend_on_the_block_size(monkeypatch, images, name):
    whole = preprocess.fit(name, images, 255.0)
    monkeypatch.setattr(preprocess, "_BLOCK_ROWS", 13)
    for left, right in zip(whole, preprocess.fit(name, images, 255.0), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", preprocess.STATS_TYPES)
def test_apply_treats_each_example_alone(images, name):
    """The statistics are those of the training part, whatever the batch."""
    stats = preprocess.fit(name, images[:61], 255.0)
    whole = preprocess.apply(stats, jnp.asarray(images[61:]))
    single = preprocess.apply(stats, jnp.asarray(images[61:62]))
    np.testing.assert_allclose(whole[:1], single, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", preprocess.STATS_TYPES)
def test_rebuild_restores_the_stats_from_their_arrays(images, name):
    stats = preprocess.fit(name, images, 255.0)
    assert all(isinstance(array, np.ndarray) and array.dtype == np.float32 for array in stats)
    rebuilt = preprocess.rebuild(name, dict(stats._asdict()))
    assert type(rebuilt) is type(stats)
    assert (preprocess.apply(rebuilt, images) == preprocess.apply(stats, images)).all()


def test_fit_refuses_unknown_names_and_rebuild_other_arrays(images):
    with pytest.raises(UserError, match="expected one of none, unit, center, normalize, whiten, found zca"):
        preprocess.fit("zca", images, 255.0)
    for name, arrays in (("zca", {}), ("unit", {}), ("whiten", {"shift": images, "scale": images})):
        with pytest.raises(UserError, match=f"preprocess {name}: expected"):
            preprocess.rebuild(name, arrays)
    with pytest.raises(UserError, match="at most 4096 features, found 4097"):
        preprocess.fit("whiten", np.zeros((3, 4097), np.uint8), 255.0)


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.uint16, bool])
def test_apply_passes_integers_unchanged(dtype):
    x = np.arange(21).reshape(7, 3).astype(dtype)
    y = jax.jit(preprocess.apply)(preprocess.fit("none", x, 1.0), x)
    assert y.dtype == dtype and (np.asarray(y) == x).all()


def test_apply_maps_a_pytree_leaf_by_leaf(images):
    x = {"image": images, "tokens": (np.arange(101), np.linspace(0, 1, 101, dtype=np.float32))}
    stats = preprocess.fit("none", x, 255.0)
    assert preprocess.rebuild("none", dict(stats._asdict())) == stats
    y = jax.jit(preprocess.apply)(stats, x)
    assert jax.tree.structure(y) == jax.tree.structure(x)
    assert (y["image"] == fit_and_apply("none", images)).all() and y["image"].dtype == np.float32
    for array, expected in zip(y["tokens"], x["tokens"], strict=True):
        assert (array == expected).all() and array.dtype == expected.dtype


@pytest.mark.parametrize("name", [name for name in preprocess.STATS_TYPES if name != "none"])
def test_fit_refuses_pytrees_and_integers_in_one_line(images, name):
    cases = [
        ((images, images), "expected one NumPy array as x, found a tuple; use none"),
        ({"a": images}, "expected one NumPy array as x, found a dict; use none"),
        (np.arange(21).reshape(7, 3), "expected x to hold floats or uint8 pixels, found int64; use none"),
        (images > 3, "expected x to hold floats or uint8 pixels, found bool; use none"),
    ]
    for x, expected in cases:
        with pytest.raises(UserError, match=f"preprocess {name}: {expected}") as refusal:
            preprocess.fit(name, x, 255.0)
        assert "\n" not in str(refusal.value)
