"""``load`` knows every data set and option by name, suggests the nearest name, and needs no JAX."""

import inspect
import re
import subprocess
import sys

import numpy as np
import pytest

from jaxnn.data import DATASETS, example_input, is_random, load, loader_options
from jaxnn.errors import UserError


@pytest.mark.parametrize(
    ("name", "nearest"), [("minst", "mnist"), ("blob", "blobs"), ("digit", "digits"), ("tfds-mnist", "")]
)
def test_load_unknown_set_error_lists_the_known_and_the_nearest(name, nearest):
    with pytest.raises(UserError) as refusal:
        load(name)
    for known in DATASETS:
        assert known in str(refusal.value)
    assert f"did you mean {nearest}" in str(refusal.value) or not nearest


def test_load_names_an_unknown_or_missing_option():
    with pytest.raises(UserError, match=r"circles: expected an option of n, noise, found nosie; did you mean noise\?"):
        load("circles", {"nosie": 0.1})
    with pytest.raises(UserError, match="beach: expected an option of none, found n"):
        load("beach", {"n": 3})
    with pytest.raises(UserError, match="csv: expected the option path, found none"):
        load("csv")
    with pytest.raises(UserError, match="expected a seed"):
        load("blobs", seed=-1)


@pytest.mark.parametrize("option", ["seed", "data_dir", "name"])
def test_load_refuses_the_run_s_parameters_as_options(option):
    with pytest.raises(UserError, match=f"expected an option of prepare, found {option}"):
        load("tfds:mnist", {option: "3"})


@pytest.mark.parametrize("name", DATASETS)
def test_loader_options_are_explicit_typed_and_documented(name):
    """The config derives its fields from these."""
    for option, parameter in loader_options(name).items():
        assert parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        assert parameter.annotation is not inspect.Parameter.empty
        assert option not in ("seed", "data_dir")
        assert re.search(rf"\b{option}\b", DATASETS[name].__doc__ or ""), option
    assert "name" not in loader_options("tfds:mnist")


def test_is_random_is_true_for_sets_that_depend_on_the_seed():
    assert {name for name in DATASETS if is_random(name)} == {
        "blobs", "circles", "moons", "cosine", "adding", "gaussians", "canvas", "graph",
        "spirals", "chess_board", "curve",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "options"), [("digits", {}), ("blobs", {"n": 7}), ("cosine", {"length": 11})])
def test_example_input_is_the_first_training_input(name, options):
    x = load(name, options, seed=3).train.x
    example = example_input(name, options, seed=3)
    assert (example == x[:1]).all() and example.dtype == x.dtype and example.shape == (1, *x.shape[1:])


def test_example_input_of_mnist_needs_no_files(monkeypatch):
    monkeypatch.delenv("JAXNN_DATA_DIR", raising=False)
    example = example_input("mnist")
    assert example.shape == (1, 28, 28, 1) and example.dtype == np.uint8


def test_load_does_not_import_jax():
    code = "import sys; from jaxnn.data import load, split; split(load('beach')); assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
