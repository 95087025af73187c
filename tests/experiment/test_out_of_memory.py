"""A lack of memory is one line wherever it comes: in an evaluation, in a prediction, in a command."""

import importlib

import jax
import numpy as np
import pytest

import jaxnn
from jaxnn.cli.failures import USER_ERROR, describe_failure
from jaxnn.engine.out_of_memory import asked_memory
from jaxnn.errors import UserError

#: Its function `scores` hides the module's name in the package.
scores = importlib.import_module("jaxnn.experiment.scores")
FULL = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 3538944 bytes.")


def full(*arguments, **options):
    raise FULL


@pytest.fixture
def experiment():
    model = jaxnn.serial(jaxnn.dense(2))
    update = jaxnn.supervised(model, jaxnn.quadratic(), jaxnn.optimizer("sgd", 0.1))
    x, y = np.ones((8, 3), np.float32), np.ones((8, 2), np.float32)
    return jaxnn.Experiment(update, jaxnn.in_memory(x, y, batch_size=4), jaxnn.Plan(epochs=1))


@pytest.mark.parametrize("where", ["_measure", "_on_device"])
def test_evaluation_that_finds_no_memory_names_the_part_and_the_size(where, experiment, monkeypatch):
    monkeypatch.setattr(scores, where, (lambda *_: full) if where == "_measure" else full)
    with pytest.raises(UserError, match=r"out of memory: the evaluation of the part 'train', asked for 3\.375 MiB; "):
        jaxnn.fit(experiment)


def test_prediction_that_finds_no_memory_says_how_many_inputs_it_took(experiment, monkeypatch):
    params = jax.tree.map(lambda leaf: leaf[0], jaxnn.fit(experiment).params)
    monkeypatch.setattr(scores, "_predict", lambda *_: full)
    with pytest.raises(UserError, match=r"the prediction of 1,000 inputs at a time, asked for 3\.375 MiB"):
        scores.predict(experiment, params, np.ones((8, 3), np.float32))


@pytest.mark.parametrize("error", [FULL, MemoryError("Unable to allocate 3.38 MiB for an array")])
def test_command_that_finds_no_memory_is_one_line_of_the_user(error):
    line, status = describe_failure(error)
    assert status == USER_ERROR
    assert line.startswith("out of memory: asked for 3.3")


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    assert asked_memory(RuntimeError("the device is lost")) is None
    assert asked_memory(UserError("out of memory: a step")) is None
