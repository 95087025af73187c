"""Laws of a sweep: a member is the run of its values alone, however members are put together, cut or stopped."""

import chex
import jax
import numpy as np
import pytest
from jaxnn.experiment.results import run

from jaxnn.backprop import value_and_grad
from jaxnn.config import bind, build_loss, build_model, build_optimizer, load
from jaxnn.config.bind import preparer
from jaxnn.config.experiment import device_data, make_experiment
from jaxnn.engine.driver import run_live
from jaxnn.errors import UserError
from jaxnn.sweep import Member, make_members, parse_axes, sweep, train, training
from jaxnn.sweep.groups import groups
from jaxnn.sweep.search import rungs
from jaxnn.sweep.training import rows_at_once
from jaxnn.train.run import make_training

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
    """The history of a member's run by itself, as a program that has its values as constants."""
    config = member.config
    e = make_experiment(config, seeds=[seed])
    alone = make_training(
        build_model(config), build_loss(config), build_optimizer(config), e.plan,
        prepare=preparer(config.train.precision), grad=value_and_grad,
    )  # fmt: skip
    return run_live(alone, device_data(e), [seed], e.plan).history


VALUES = [
    {"optimizer.learning_rate": "0.01", "optimizer.l2": "0.001", "net.3.rate": "0.2", NORMAL + ".stddev": "0.05"},
    {"optimizer.learning_rate": "0.03", "optimizer.l2": "0.01", "net.3.rate": "0.4", NORMAL + ".stddev": "0.2"},
    {"optimizer.learning_rate": "0.02", "net.1.units": "5"},
    *({"optimizer.schedule": COSINE % pair, "optimizer.learning_rate": ""} for pair in ((0.03, 0.1), (0.01, 0.5))),
]


def check_alone(of: list[Member], which: tuple[int, ...], seeds: tuple[int, ...] = SEEDS):
    trials = {id(trial.member): trial for trial in train(of, seeds)}
    for k in which:
        found, alone = trials[id(of[k])].history, constant_run(of[k], seeds[-1])
        assert found.train.loss.shape == (len(seeds), 20)
        for part in ("train", "validation"):
            gap = getattr(found, part).loss[-1] - getattr(alone, part).loss[0]
            assert np.abs(gap).max() <= 1e-6, (k, part)


@pytest.mark.usefixtures("optimized")
def test_a_member_is_the_run_of_its_values_alone():
    """Rate, decay, dropout and initial scale, compiled as for a run: to 1e-6 in the loss over 100 steps."""
    check_alone(members(*VALUES[:2]), (1,))


def test_a_member_of_another_shape_or_schedule_is_the_run_alone():
    of = members(*VALUES)
    assert [group.members for group in groups(of, SEEDS)] == [(0, 1), (2,), (3, 4)]
    check_alone(of[2:], (0, 2), SEEDS[1:])


#: The tests below train four members at once, two or one, so that they share their programs.
RATES = [{"optimizer.learning_rate": rate} for rate in ("0.0002", "0.002", "0.01", "1e30")]
OVER = ["optimizer.learning_rate=" + ",".join(values["optimizer.learning_rate"] for values in RATES)]


def test_members_as_one_array_are_those_in_turn():
    of = members(*RATES[:3], RATES[1], overrides=SHORT)
    in_turn, vectorized = (list(train(of, SEEDS[:1], how=how)) for how in ("in_turn", "vectorize"))
    for a, b in zip(in_turn, vectorized, strict=True):
        chex.assert_trees_all_close(a.history.train.loss, b.history.train.loss, atol=1e-5)


def test_a_number_that_python_looks_at_is_a_part_of_the_program():
    warm = "{name='warmup_exponential_decay_schedule',init_value=%s,peak_value=0.1,warmup_steps=3,"
    warm += "transition_steps=10,decay_rate=%s}"
    pairs = ((0.01, 0.5), (0.02, 0.5), (0.01, 0.9))
    of = members(*({"optimizer.schedule": warm % pair, "optimizer.learning_rate": ""} for pair in pairs))
    found = groups(of, SEEDS)
    assert [group.members for group in found] == [(0, 1), (2,)]
    assert "optimizer.schedule.init_value" in found[0].names
    assert "optimizer.schedule.decay_rate" not in found[0].names


#: What JAX compiled, ever.
COMPILED: list[str] = []


def note(event: str, duration_secs: float, **kwargs: str | int) -> None:
    if event.endswith("backend_compile_duration"):
        COMPILED.append(event)


jax.monitoring.register_event_duration_secs_listener(note)


def test_another_rate_seed_or_number_of_epochs_compiles_nothing(monkeypatch):
    bound = []
    build = bind.build_model
    monkeypatch.setattr(bind, "build_model", lambda config: bound.append(config) or build(config))

    def once(seed, *overrides):
        return run(
            make_experiment(load("digits_mlp", [*SHORT, "net.1.units=6", *overrides]), seeds=[seed])
        ).outcome.history.train.loss

    first = once(0)
    assert bound and COMPILED
    bound.clear()
    COMPILED.clear()
    others = [
        once(0, "optimizer.learning_rate=0.02"),
        once(0, "net.3.rate=0.1"),
        once(5),
        once(0, "train.epochs=6"),
        once(0, "title=another"),
    ]
    assert not COMPILED and not bound, "compiled and traced nothing"
    assert not any(np.array_equal(first, other) for other in others[:3])
    np.testing.assert_array_equal(first[0], others[3][0, :4])
    np.testing.assert_array_equal(first, others[4])


def test_what_does_not_fit_is_trained_in_parts_and_no_bit_changes(monkeypatch):
    of, sizes = members(*RATES[:2], overrides=SHORT), []
    whole = list(train(of, SEEDS))
    work = training._Work
    monkeypatch.setattr(work, "bytes", lambda self, n: 100 * n)
    monkeypatch.setattr(work, "run", lambda self, *given, run=work.run: sizes.append(given[1]) or run(self, *given))
    parts = list(train(of, SEEDS, memory=200))
    assert sizes == [2, 2]
    assert [trial.member for trial in whole] == [trial.member for trial in parts] == of
    for a, b in zip(whole, parts, strict=True):
        chex.assert_trees_all_equal(a.history, b.history)
        np.testing.assert_array_equal(a.score, b.score)


def test_the_compiler_says_how_much_a_part_takes():
    """Each row has parameters, moments and the best parameters of its own."""
    of = members(*RATES, overrides=SHORT)
    (group,) = groups(of, SEEDS[:1])
    step = bind.step_of(of[0].config, group.names)
    work = training._Work(group.experiment, bind.training_of_step(step), group, of, group.experiment.plan, "in_turn")
    parameters = 64 * 7 + 7 + 7 * 10 + 10
    assert work.bytes(4) - work.bytes(2) >= 2 * 4 * parameters * 4


@pytest.mark.parametrize("devices", [1, 2, 8])
def test_a_part_is_the_largest_that_fits(devices):
    def needed(rows):
        return 1000 + 10 * rows

    assert rows_at_once(needed, 100, 10**6, devices) == -(-100 // devices) * devices
    size = rows_at_once(needed, 100, 1405, devices)
    assert needed(size) <= 1405 and size % devices == 0
    assert -(-100 // size) == -(-100 // (40 // devices * devices)), "no more parts than must be"
    assert rows_at_once(needed, 100, 0, devices) == 1


def test_halving_ends_with_the_best_and_they_go_on_to_the_bit():
    swept = sweep("digits_mlp", parse_axes(OVER), SHORT, search="halving", eta=2, seeds=1)
    assert rungs(4, 4, 2, 1) == [(4, 1), (2, 2), (1, 4)]
    assert [trial.epochs for trial in swept.trials] == [4, 2, 1, 1]
    whole = list(train(make_members("digits_mlp", SHORT, [t.member.values for t in swept.trials]), [0]))
    for trial, full in zip(swept.trials, whole, strict=True):
        chex.assert_trees_all_equal(trial.history.train.loss, full.history.train.loss[:, : trial.epochs])
    # Of each rung the best by their own score went on; what diverged did not.
    first = [float(t.history.validation.loss[0, 0]) for t in swept.trials[:-1]]
    assert max(first[:2]) <= min(first[2:])
    assert swept.best is not None and swept.best.member.values == swept.trials[0].member.values
    assert [t.diverged for t in swept.trials] == [0, 0, 0, 1]


def test_what_diverges_comes_last_and_stops_nothing():
    swept = sweep("digits_mlp", parse_axes(OVER), SHORT, seeds=1)
    assert swept.trials[-1].member.values == RATES[-1] and swept.trials[-1].diverged == 1
    means = [float(t.score.mean()) for t in swept.trials[:-1]]
    assert means == sorted(means) and not np.isnan(means).any()
    assert swept.best is not None and set(swept.scores) == {"train", "validation", "test"}
    np.testing.assert_allclose(swept.scores["validation"].loss, swept.trials[0].score, rtol=1e-5)


def test_optuna_is_asked_and_told_whole_batches():
    pytest.importorskip("optuna")
    of = parse_axes(["net.3.rate=0.1,0.2"], ["optimizer.learning_rate=log-uniform(1e-3,1e-1)"])
    options = {"search": "optuna", "trials": 8, "batch": 4, "seeds": 1}
    where = []
    swept = sweep("digits_mlp", of, SHORT, report=lambda at, progress: where.append(at.split(":")[0]), **options)
    assert len(swept.trials) == 8 and set(where) == {"4 of 8 asked", "8 of 8 asked"}
    again = sweep("digits_mlp", of, SHORT, **options)
    assert [t.member.values for t in swept.trials] == [t.member.values for t in again.trials]


@pytest.mark.parametrize(
    ("over", "draw", "options", "said"),
    [
        ([], [], {}, ["something to vary"]),
        (["optimizer.learning_rat=0.1", "net.1.units=0"], [], {}, ["did you mean learning_rate", "at least 1 unit"]),
        (["optimizer.learning_rate=0.1,-1,zero"], [], {}, ["found -1", "found 'zero'"]),
        ([], ["net.3.rate=uniform(0.5,1.5)"], {"search": "random"}, ["in \\[0, 1\\)"]),
        ([], ["net.3.rate=uniform(0,0.5)"], {}, ["--search grid takes lists"]),
        (["optimizer.l2=0,1"], [], {"seeds": 0}, ["--seeds: expected at least 1, found 0"]),
        (["train.epochs=2,4"], [], {"search": "halving"}, ["shares out the epochs"]),
    ],
)
def test_a_space_that_cannot_be_is_refused_with_all_that_is_wrong(over, draw, options, said):
    with pytest.raises(UserError) as caught:
        sweep("digits_mlp", parse_axes(over, draw), SHORT, **options)
    for words in said:
        assert words.replace("\\", "") in str(caught.value)
