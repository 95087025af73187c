"""A caption speaks of the parts and the examples that its figure shows, and of no others."""

import jax
import numpy as np
import pytest

from jaxnn.config import load
from jaxnn.config.experiment import make_experiment
from jaxnn.experiment import run
from jaxnn.report.figures import measured_parts, run_figures
from jaxnn.runs.history import history_columns


@pytest.fixture(autouse=True)
def optax_promotes():
    """optax's own arithmetic promotes implicitly, so here it is allowed."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def captions(config: str, *overrides: str) -> dict[str, str]:
    """The caption of each figure of a run of one epoch, by the figure's name."""
    experiment = make_experiment(load(config, ["train.epochs=1", *overrides]))
    result = run(experiment)
    history = history_columns(result.outcome.history, experiment.plan.eval_every)
    figures = run_figures(experiment, result.outcome.state.best.params, history, [1])
    return {figure.name: figure.alt for figure in figures}


def test_captions_name_the_parts_that_the_run_has():
    both = captions("digits_mlp", "data.train=50")
    assert (
        both["learning_curves"] == "The metrics of the training part and the validation part against the epoch, 1 seed."
    )
    train = captions("circles_mlp", "train.eval_every=1")
    assert train["learning_curves"] == "The metrics of the training part against the epoch, 1 seed."


def test_captions_count_the_examples_that_are_drawn():
    alts = captions("digits_mlp", "data.train=50", "data.test=7")
    wrong = int(alts["misclassified"].removesuffix(".").split(" of ")[-1])
    assert alts["misclassified"] == f"The most confident mistakes, {wrong} of {wrong}." and wrong <= 7
    denoised = captions("cosine_denoise", "data.test=5")["denoised"]
    assert denoised == "The input, the target and the output of 4 examples of the test part."


@pytest.mark.parametrize(
    ("history", "parts"),
    [
        ({"epoch": np.ones(2), "train_loss": np.ones((1, 2))}, ["the training part"]),
        ({"train_loss": np.ones(2), "validation_loss": np.full((3, 2), np.nan)}, ["the training part"]),
        ({"validation_loss": np.array([[np.nan, 1.0]])}, ["the validation part"]),
    ],
)
def test_measured_parts_are_those_with_a_finite_value(history, parts):
    assert measured_parts(history) == parts
