"""A config that cannot mean what it says of its data is told so when it is loaded with them, in one line."""

import jax
import pytest

from jaxnn.config import load
from jaxnn.config.experiment import make_experiment
from jaxnn.errors import UserError


@pytest.fixture(autouse=True)
def float32():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        yield


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("digits_mlp", ("data.train=12", "train.batch_size=4"), "of each of the 10 classes, found none of"),
        ("digits_mlp", ("data.train=3", "train.batch_size=3"), "and 2 more; take more training examples"),
        ("digits_mlp", ("loss.class_weights=[1, 2, 3]",), "expected class_weights for 10 classes, found 3"),
        ("digits_mlp", ("loss.class_weights=[1]",), "expected class_weights for 10 classes, found 1"),
        ("blobs_neuron", ("loss.class_weights=[1, 2, 3]",), "expected class_weights for 2 classes, found 3"),
        ("blobs_neuron", ("data.centers=3",), "labels 0 … 1 for 1 outputs"),
        (
            "cosine_denoise",
            ("loss.name=softmax_cross_entropy",),
            "at least 0 and 1 in sum, as the loss takes them, found numbers from -1",
        ),
        (
            "cosine_denoise",
            ("loss.name=sigmoid_cross_entropy",),
            "from 0 to 1, as the loss takes them, found numbers from -1",
        ),
        (
            "cosine_denoise",
            ("loss.name=sigmoid_cross_entropy", "train.best=validation.mae"),
            "from 0 to 1, as the loss",
        ),
        ("cosine_denoise", ("loss.name=perceptron",), "0 or 1, as the loss takes them, found numbers from -1"),
        (
            "cosine_denoise",
            ("net.2.units=3",),
            r"the output's shape \(80, 3\), found float32 targets of shape \(80, 200\)",
        ),
        (
            "cosine_denoise",
            ("train.best=validation.accuracy",),
            "a metric among loss, mae, found 'validation.accuracy'; write best = 'validation.loss', in a config",
        ),
        ("cosine_denoise", ("train.best=validation.r2",), "a metric among loss, mae, found"),
    ],
)
def test_config_that_contradicts_its_data_is_refused(name, overrides, message):
    with pytest.raises(UserError, match=message) as error:
        make_experiment(load(name, overrides))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("digits_mlp", ("net.4.units=12",)),  # more units than classes
        ("digits_mlp", (f"loss.class_weights={[1.5] * 10}",)),
        ("blobs_neuron", ("loss.class_weights=[1, 2]",)),
        ("blobs_neuron", ("loss.name=sigmoid_cross_entropy", "net.1.layer=identity")),
        ("cosine_denoise", ("train.best=validation.mae",)),
    ],
)
def test_config_that_fits_its_data_is_accepted(name, overrides):
    assert make_experiment(load(name, overrides)).task() is not None
