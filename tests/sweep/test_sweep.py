"""Laws of a sweep: a member equals a run of its values alone, however members are grouped, divided or stopped."""

import chex
import numpy as np
import pytest
from jax.core import Tracer

from jaxnn.config import bind, load
from jaxnn.config.experiment import experiment_of, make_experiment
from jaxnn.config.hyperparameters import value_at
from jaxnn.config.loaded_data import load_data
from jaxnn.errors import UserError
from jaxnn.experiment import run
from jaxnn.sweep import Member, make_members, parse_axes, sweep, train
from jaxnn.sweep.groups import groups
from jaxnn.sweep.halving import halving_schedule
from jaxnn.sweep.rows import GroupRows, rows_at_once

SEEDS = (3, 8)
#: 100 steps of a small net: 5 in an epoch.
SMALL = ["data.train=163", "data.validation=61", "data.test=59", "net.1.units=7", "train.epochs=20"]
SMALL += ["net.1.weight_init={name='normal',stddev=0.1}"]
SHORT = [*SMALL, "train.epochs=4"]
NORMAL = "net.1.weight_init"
COSINE = "{name='cosine_decay_schedule',init_value=%s,decay_steps=70,alpha=%s}"


def members(*values: dict[str, str], overrides=SMALL) -> list[Member]:
    return make_members("digits_mlp", overrides, values)


def constant_run(member: Member, seed: int):
    """The history of a member's run alone, as a program that has its values as constants."""
    config = member.config
    assert config is not None
    seeds = [seed]
    experiment = experiment_of(config, load_data(config, seeds=seeds), seeds=seeds, traced=())
    assert not experiment.hyperparameters
    return run(experiment).outcome.history


VALUES = [
    {"optimizer.learning_rate": "0.01", "optimizer.l2": "0.001", "net.3.rate": "0.2", NORMAL + ".stddev": "0.05"},
    {"optimizer.learning_rate": "0.03", "optimizer.l2": "0.01", "net.3.rate": "0.4", NORMAL + ".stddev": "0.2"},
    {"optimizer.learning_rate": "0.02", "net.1.units": "5"},
    *({"optimizer.schedule": COSINE % pair, "optimizer.learning_rate": ""} for pair in ((0.03, 0.1), (0.01, 0.5))),
]


def check_alone(swept: list[Member], positions: tuple[int, ...], seeds: tuple[int, ...] = SEEDS):
    trials = {id(trial.member): trial for trial in train(swept, seeds)}
    for k in positions:
        history, alone = trials[id(swept[k])].history, constant_run(swept[k], seeds[-1])
        assert history.train["loss"].shape == (len(seeds), 20)
        for part in ("train", "validation"):
            difference = getattr(history, part)["loss"][-1] - getattr(alone, part)["loss"][0]
            assert np.abs(difference).max() <= 1e-6, (k, part)


@pytest.mark.usefixtures("optimized")
def test_member_equals_a_run_of_its_values_alone():
    """Rate, decay, dropout and initial scale, compiled as for a run: to 1e-6 in the loss over 100 steps."""
    check_alone(members(*VALUES[:2]), (1,))


def test_member_of_another_shape_or_schedule_equals_a_run_alone():
    swept = members(*VALUES)
    assert [group.members for group in groups(swept, SEEDS)] == [(0, 1), (2,), (3, 4)]
    check_alone(swept[2:], (0, 2), SEEDS[1:])


#: The tests below train four members at once, two or one, so that they share their programs.
RATES = [{"optimizer.learning_rate": rate} for rate in ("0.0002", "0.002", "0.01", "1e30")]
OVER = ["optimizer.learning_rate=" + ",".join(values["optimizer.learning_rate"] for values in RATES)]


def test_vectorized_members_equal_sequential_members():
    swept = members(*RATES[:3], RATES[1], overrides=SHORT)
    sequential, vectorized = (
        list(train(swept, SEEDS[:1], strategy=strategy)) for strategy in ("sequential", "vectorized")
    )
    for a, b in zip(sequential, vectorized, strict=True):
        chex.assert_trees_all_close(a.history.train["loss"], b.history.train["loss"], atol=1e-5)


def test_number_that_python_compares_is_part_of_the_program():
    warm = "{name='warmup_exponential_decay_schedule',init_value=%s,peak_value=0.1,warmup_steps=3,"
    warm += "transition_steps=10,decay_rate=%s}"
    pairs = ((0.01, 0.5), (0.02, 0.5), (0.01, 0.9))
    swept = members(*({"optimizer.schedule": warm % pair, "optimizer.learning_rate": ""} for pair in pairs))
    programs = groups(swept, SEEDS)
    assert [group.members for group in programs] == [(0, 1), (2,)]
    assert "optimizer.schedule.init_value" in programs[0].experiment.hyperparameters
    assert "optimizer.schedule.decay_rate" not in programs[0].experiment.hyperparameters


def test_program_is_reused_for_another_rate_seed_or_number_of_epochs(monkeypatch, compilations):
    traced = []
    build = bind.build_update

    def build_update(config, grad):
        # The check of an experiment builds its update from plain numbers; tracing a program, from traced ones.
        if isinstance(value_at(config, "optimizer.learning_rate"), Tracer):
            traced.append(config)
        return build(config, grad)

    monkeypatch.setattr(bind, "build_update", build_update)

    def train_loss(seed, *overrides):
        experiment = make_experiment(load("digits_mlp", [*SHORT, "net.1.units=6", *overrides]), seeds=[seed])
        return run(experiment).outcome.history.train["loss"]

    first = train_loss(0)
    assert traced and compilations
    traced.clear()
    compilations.clear()
    others = [
        train_loss(0, "optimizer.learning_rate=0.02"),
        train_loss(0, "net.3.rate=0.1"),
        train_loss(5),
        train_loss(0, "train.epochs=6"),
        train_loss(0, "title=another"),
    ]
    assert not compilations and not traced, "compiled and traced nothing"
    assert not any(np.array_equal(first, other) for other in others[:3])
    np.testing.assert_array_equal(first[0], others[3][0, :4])
    np.testing.assert_array_equal(first, others[4])


def test_train_in_parts_changes_no_bit(monkeypatch):
    swept, sizes = members(*RATES[:2], overrides=SHORT), []
    whole = list(train(swept, SEEDS))
    run_rows = GroupRows.run

    def run(self, rows, size, *args):
        sizes.append(size)
        return run_rows(self, rows, size, *args)

    monkeypatch.setattr(GroupRows, "bytes", lambda self, n: 100 * n)
    monkeypatch.setattr(GroupRows, "run", run)
    parts = list(train(swept, SEEDS, memory=200))
    assert sizes == [2, 2]
    assert [trial.member for trial in whole] == [trial.member for trial in parts] == swept
    for a, b in zip(whole, parts, strict=True):
        chex.assert_trees_all_equal(a.history, b.history)
        np.testing.assert_array_equal(a.score, b.score)


def test_work_bytes_include_the_state_of_each_row():
    """Each row has parameters, moments and the best parameters of its own."""
    swept = members(*RATES, overrides=SHORT)
    (group,) = groups(swept, SEEDS[:1])
    work = GroupRows(group.experiment._replace(strategy="sequential"), group, group.experiment.plan)
    parameters = 64 * 7 + 7 + 7 * 10 + 10
    assert work.bytes(4) - work.bytes(2) >= 2 * 4 * parameters * 4


@pytest.mark.parametrize("devices", [1, 2, 8])
def test_rows_at_once_is_the_largest_part_that_fits(devices):
    def needed(rows):
        return 1000 + 10 * rows

    assert rows_at_once(needed, 100, 10**6, devices) == -(-100 // devices) * devices
    size = rows_at_once(needed, 100, 1405, devices)
    assert needed(size) <= 1405 and size % devices == 0
    assert -(-100 // size) == -(-100 // (40 // devices * devices)), "no more parts than must be"
    assert rows_at_once(needed, 100, 0, devices) == 1


def test_halving_ends_with_the_best_which_continue_to_the_bit():
    result = sweep("digits_mlp", parse_axes(OVER), SHORT, search="halving", eta=2, seeds=1)
    assert halving_schedule(4, 4, 2, 1) == [(4, 1), (2, 2), (1, 4)]
    assert [trial.epochs for trial in result.trials] == [4, 2, 1, 1]
    whole = list(train(make_members("digits_mlp", SHORT, [t.member.values for t in result.trials]), [0]))
    for trial, full in zip(result.trials, whole, strict=True):
        chex.assert_trees_all_equal(trial.history.train["loss"], full.history.train["loss"][:, : trial.epochs])
    # Of each rung the best by their own score continued; the diverged one did not.
    first = [float(t.history.validation["loss"][0, 0]) for t in result.trials[:-1]]
    assert max(first[:2]) <= min(first[2:])
    assert result.best is not None and result.best.member.values == result.trials[0].member.values
    assert [t.diverged for t in result.trials] == [0, 0, 0, 1]


def test_diverged_member_comes_last_and_stops_nothing():
    result = sweep("digits_mlp", parse_axes(OVER), SHORT, seeds=1)
    assert result.trials[-1].member.values == RATES[-1] and result.trials[-1].diverged == 1
    means = [float(t.score.mean()) for t in result.trials[:-1]]
    assert means == sorted(means) and not np.isnan(means).any()
    assert result.best is not None and set(result.scores) == {"train", "validation", "test"}
    np.testing.assert_allclose(result.scores["validation"]["loss"], result.trials[0].score, rtol=1e-5)


def test_optuna_proposes_and_is_told_whole_batches():
    pytest.importorskip("optuna")
    axes = parse_axes(["net.3.rate=0.1,0.2"], ["optimizer.learning_rate=log-uniform(1e-3,1e-1)"])
    options = {"search": "optuna", "trials": 8, "batch": 4, "seeds": 1}
    where = []
    result = sweep("digits_mlp", axes, SHORT, report=lambda at, progress: where.append(at.split(":")[0]), **options)
    assert len(result.trials) == 8 and set(where) == {"4 of 8 asked", "8 of 8 asked"}
    again = sweep("digits_mlp", axes, SHORT, **options)
    assert [t.member.values for t in result.trials] == [t.member.values for t in again.trials]


@pytest.mark.parametrize(
    ("over", "draw", "options", "messages"),
    [
        ([], [], {}, ["something to vary"]),
        (["optimizer.learning_rat=0.1", "net.1.units=0"], [], {}, ["did you mean learning_rate", "at least 1 unit"]),
        (["optimizer.learning_rate=0.1,-1,zero"], [], {}, ["found -1", "found 'zero'"]),
        ([], ["net.3.rate=uniform(0.5,1.5)"], {"search": "random"}, ["in [0, 1)"]),
        ([], ["net.3.rate=uniform(0,0.5)"], {}, ["--search grid takes lists"]),
        (["optimizer.l2=0,1"], [], {"seeds": 0}, ["--seeds: expected from 1 to 1,000,000, found 0"]),
        (["train.epochs=2,4"], [], {"search": "halving"}, ["shares out the epochs"]),
    ],
)
def test_sweep_refuses_an_impossible_space_with_all_mistakes(over, draw, options, messages):
    with pytest.raises(UserError) as caught:
        sweep("digits_mlp", parse_axes(over, draw), SHORT, **options)
    for message in messages:
        assert message in str(caught.value)
