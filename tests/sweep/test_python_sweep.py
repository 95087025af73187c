"""Laws of a sweep of an experiment in Python: its values are one program, and a member equals a run of its values."""

import numpy as np
import pytest
from jax.core import Tracer

from jaxnn.errors import UserError
from jaxnn.experiment import run
from jaxnn.runs.python_file import load_experiment
from jaxnn.sweep import parse_axes, sweep, train
from jaxnn.sweep.groups import groups
from jaxnn.sweep.members import python_members

FILE = """
import numpy as np
import optax

from jaxnn import Experiment, Plan, accuracy, dense, in_memory, serial, softmax_cross_entropy, supervised, tanh

draw = np.random.default_rng(0)
x = draw.normal(size=(131, 2)).astype(np.float32)
target = (np.hypot(*x.T) > 1.2).astype(np.int32)
model, loss = serial(dense(7), tanh(), dense(2)), softmax_cross_entropy()


def bind(values):
    rate, momentum = values["learning_rate"], values["momentum"]
    return supervised(model, loss, optax.sgd(rate, momentum), metrics={"accuracy": accuracy})


experiment = Experiment(
    bind,
    in_memory(x[:97], target[:97], batch_size=16),
    Plan(epochs=4, best="validation.loss"),
    validation=(x[97:], target[97:]),
    hyperparameters={"learning_rate": 0.01, "momentum": 0.9},
)
"""
SEEDS = (0, 1)
RATES = ("0.003", "0.03", "0.3")


@pytest.fixture
def target(tmp_path):
    (tmp_path / "mine.py").write_text(FILE)
    return f"{tmp_path / 'mine.py'}:experiment"


def members(experiment, *rates):
    return python_members(experiment, [{"learning_rate": rate} for rate in rates])


def test_python_members_are_one_program_which_serves_other_values(target, compilations):
    experiment, traced = load_experiment(target), []
    bind = experiment.bind

    def recording_bind(values):
        if isinstance(values["learning_rate"], Tracer):
            traced.append(values)
        return bind(values)

    experiment = experiment._replace(update=recording_bind)
    (group,) = groups(members(experiment, *RATES), SEEDS)
    assert group.members == (0, 1, 2)
    assert group.values == tuple({"learning_rate": float(rate), "momentum": 0.9} for rate in RATES)
    first = list(train(members(experiment, *RATES), SEEDS))
    assert traced and compilations
    traced.clear()
    compilations.clear()
    second = list(train(members(experiment, "0.01", "0.1", "1"), SEEDS))
    assert not compilations and not traced, "compiled and traced nothing"
    losses = [trial.history.train["loss"] for trial in (*first, *second)]
    assert len(np.unique(np.stack(losses)[:, 0, -1])) == 6


def test_python_sweep_finds_the_best_member_whose_scores_equal_a_plain_run(target):
    result = sweep(target, parse_axes(["hyperparameters.learning_rate=" + ",".join(RATES)]), seeds=len(SEEDS))
    assert result.best is not None and result.metric == "validation.loss" and result.seeds == SEEDS
    scores = {}
    for trial in result.trials:
        rate = trial.member.values["hyperparameters.learning_rate"]
        plain = run(load_experiment(target, {"learning_rate": float(rate)})._replace(seeds=SEEDS))
        scores[rate] = plain.scores
        for part in ("train", "validation"):
            np.testing.assert_array_equal(
                getattr(trial.history, part)["loss"], getattr(plain.outcome.history, part)["loss"]
            )
    best = min(scores, key=lambda rate: scores[rate]["validation"]["loss"].mean())
    assert result.best.member.values == {"hyperparameters.learning_rate": best}
    assert result.best.experiment.hyperparameters == {"learning_rate": float(best), "momentum": 0.9}
    assert set(result.scores) == {"train", "validation"}
    for part, metrics in scores[best].items():
        assert set(result.scores[part]) == set(metrics) >= {"loss", "accuracy"}
        for name, values in metrics.items():
            np.testing.assert_array_equal(result.scores[part][name], values)


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ("learning_rate=0.1,zero", "expected a finite number, found 'zero'"),
        ("learning_rate=0.1,nan", "expected a finite number, found 'nan'"),
        ("learning_rat=0.1,0.2", "expected a hyper-parameter among learning_rate, momentum, found learning_rat"),
        ("hyperparameters.rate=0.1", "expected a hyper-parameter among learning_rate, momentum, found rate"),
    ],
)
def test_python_sweep_refuses_what_is_no_number_or_no_hyperparameter_in_one_line(target, over, message):
    with pytest.raises(UserError) as caught:
        sweep(target, parse_axes([over]))
    assert str(caught.value) == f"{over.split('=')[0]}: {message}"


def test_python_sweep_refuses_a_config_override_in_one_line(target):
    with pytest.raises(UserError, match=r"^--train\.patience: an experiment in Python takes .*$"):
        sweep(target, parse_axes(["learning_rate=0.1"]), ["train.patience=2"])
