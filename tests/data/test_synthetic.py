"""The random sets have the shapes that their names state, and depend on the seed alone."""

import numpy as np
import pytest

from jaxnn.data import load
from jaxnn.errors import UserError

RANDOM = ("blobs", "circles", "moons", "cosine")


@pytest.mark.parametrize("name", RANDOM)
def test_random_sets_depend_on_the_seed_alone(name):
    first, second, third = (load(name, seed=seed).train for seed in (3, 3, 4))
    assert (first.x == second.x).all() and (first.y == second.y).all()
    assert not (first.x == third.x).all()


@pytest.mark.parametrize("name", ["blobs", "circles", "moons"])
def test_point_sets_have_two_classes_of_equal_size(name):
    train, test, classes, max_value = load(name, {"n": 202})[1:5]
    assert train.x.shape == (202, 2) and train.x.dtype == np.float32
    assert np.bincount(train.y).tolist() == [101, 101] and train.y.dtype == np.int32
    assert test is None and classes == ("0", "1") and max_value == 1


@pytest.mark.parametrize("n", [2, 3, 500])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_circles_and_moons_are_those_of_scikit_learn(n, noise):
    from sklearn.datasets import make_circles, make_moons

    for name, make in (("circles", make_circles), ("moons", make_moons)):
        x, y = make(n_samples=n, noise=noise or None, random_state=7)
        train = load(name, {"n": n, "noise": noise}, seed=7).train
        assert (train.x == np.asarray(x, np.float32)).all() and (train.y == y).all()


def test_circles_without_noise_have_two_radii():
    train = load("circles", {"noise": 0.0}).train
    np.testing.assert_allclose(np.linalg.norm(train.x, axis=1), np.where(train.y == 0, 1, 0.8), rtol=1e-6)


def test_blobs_have_centres_in_the_box_and_unit_width():
    dataset = load("blobs", {"n": 3000, "centers": 3, "box": 2.0})
    assert dataset.classes == ("0", "1", "2")
    for label in range(3):
        cloud = dataset.train.x[dataset.train.y == label]
        assert np.abs(cloud.mean(0)).max() < 2.2
        assert cloud.std(0) == pytest.approx([1, 1], abs=0.1)


def test_beach_is_linearly_separable():
    """The perceptron rule terminates if and only if a separating plane exists."""
    x, y = load("beach").train
    assert x.shape == (7, 3)
    weights = np.zeros(4)
    rows = np.c_[x, np.ones(7)] * (2 * y - 1)[:, None]
    for _ in range(100):
        wrong = rows[rows @ weights <= 0]
        if not len(wrong):
            return
        weights += wrong[0]
    pytest.fail("no plane found")


def test_cosine_targets_are_clean_and_inputs_noisy():
    x, y = load("cosine", {"examples": 31, "length": 997, "noise": 0.3, "periods": 2.0}).train
    assert x.shape == y.shape == (31, 997)
    assert x.dtype == y.dtype == np.float32
    np.testing.assert_allclose(y[0], np.cos(np.linspace(-2 * np.pi, 2 * np.pi, 997)), atol=1e-6)
    assert (y == y[0]).all()
    assert (x - y).std() == pytest.approx(0.3, rel=0.02)
    assert np.abs(np.corrcoef(x - y) - np.eye(31)).max() < 0.2


def test_cosine_phase_shifts_each_signal():
    y = load("cosine", {"phase": 3.14}).train.y
    assert len(np.unique(y[:, 0])) == len(y)
    assert np.abs(y).max() <= 1


def test_digits_need_no_data_folder(monkeypatch):
    monkeypatch.delenv("JAXNN_DATA_DIR", raising=False)
    dataset = load("digits")
    assert dataset.train.x.shape == (1797, 8, 8, 1) and dataset.train.x.dtype == np.uint8
    assert dataset.train.x.max() == dataset.max_value == 16
    assert dataset.classes == tuple("0123456789")
    assert np.bincount(dataset.train.y).min() > 170


INVALID = {
    "blobs": [{"n": 1}, {"n": 2, "centers": 3}, {"n": -5}, {"n": 10**12}, {"centers": 1}, {"box": 0.0}, {"box": 1e308}],
    "circles": [{"n": 1}, {"n": -1}, {"n": 10**12}, {"noise": -0.1}, {"noise": float("inf")}, {"noise": 1e308}],
    "moons": [{"n": 0}, {"noise": float("nan")}],
    "cosine": [{"examples": 0}, {"length": 1}, {"noise": -1.0}, {"phase": 1e308}, {"length": 10**12}],
}


@pytest.mark.parametrize(("name", "options"), [(name, option) for name in INVALID for option in INVALID[name]])
def test_random_sets_refuse_invalid_options(name, options):
    with pytest.raises(UserError, match=rf"{name}: \w+: expected .*, found "):
        load(name, options)
