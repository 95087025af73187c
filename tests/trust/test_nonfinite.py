"""NaN, infinity, divergence and want of memory: named where they arise, and handled as the config has it."""

import re
import subprocess
import sys
import textwrap
from functools import cache
from typing import Any

import chex
import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

from jaxnn import autodiff, dense, flatten, mean_squared_error, residual, serial, tanh
from jaxnn.engine import nonfinite
from jaxnn.engine.hooks import NonFiniteError
from jaxnn.engine.snapshot import Snapshot
from jaxnn.quantities import Sum
from jaxnn.train import Plan
from jaxnn.train.diagnosis import diagnose_step, finite
from tests.trust.fault_injection import DATA, EXAMPLES, SAID, SPIKES, VALUES, Run, met, spike, train
from tests.trust.precision import cli_precision

FINITE = [i for i in range(EXAMPLES) if i not in SAID]
SOUND = DATA[0][FINITE], DATA[1][FINITE]


def test_drive_names_every_nonfinite_number_in_its_step():
    """Layer, forward or backward, the data, the loss, its derivative; NaN and both infinities; and nothing else."""
    outcome = in_one_go("skip")
    assert [(f["epoch"], f["step"], f["where"]) for f in outcome.faults] == met(seed=0)
    assert len(set(SAID.values())) == 2 * SPIKES + 2 + 2 * len(VALUES) and len(outcome.faults) == len(SAID)
    assert outcome.finished and outcome.steps == EXAMPLES
    # The first target of every sound example is 0: its R² is not defined.
    measured = {name: values for name, values in outcome.history.train.items() if name != "r2"}
    assert {"loss", "mae"} <= measured.keys() and finite((outcome.state.update, measured))


def test_stop_saves_nothing_of_the_fault():
    kept: list[Snapshot] = []
    with pytest.raises(NonFiniteError) as stopped:
        train(Run(), seeds=(0, 1, 2), save=kept.append, should_save=lambda steps: True, every=1)
    epoch, step, where = min((met(seed)[0] for seed in (0, 1, 2)), key=lambda place: place[:2])
    said = str(stopped.value)
    assert said.startswith(f"epoch {epoch}, step {step} of {EXAMPLES}: {where}") and "\n" not in said
    # Every step before it is kept, and no more.
    assert [one.steps for one in kept] == list(range(step))
    assert all(finite(one.state.update) for one in kept)


POLICIES = pytest.mark.parametrize("policy", ["skip", "rollback"])


@cache
def in_one_go(policy):
    return train(Run(), on_nonfinite=policy, last_saved=lambda: first())


@cache
def step_by_step(policy):
    """The run as it was after each of its steps, and what came of it."""
    kept: list[Snapshot] = []
    outcome = train(
        Run(),
        on_nonfinite=policy,
        last_saved=lambda: first() if kept else None,
        every=1,
        should_save=lambda steps: True,
        save=kept.append,
    )
    assert [one.steps for one in kept] == list(range(EXAMPLES + 1))
    return kept, outcome


@cache
def first() -> Snapshot:
    """The run before its first step: what is gone back to."""
    kept: list[Snapshot] = []
    train(Run(), save=kept.append, on_nonfinite="skip", should_stop=lambda: True)
    return kept[0]


@POLICIES
def test_chunks_of_a_faulty_run_change_no_bit(policy):
    assert_equal(in_one_go(policy), step_by_step(policy)[1])


@POLICIES
def test_faulty_run_resumes_bit_equal(policy):
    middle = step_by_step(policy)[0][EXAMPLES // 2]
    assert middle.faults
    assert_equal(in_one_go(policy), train(Run(), resume_from=middle, on_nonfinite=policy, last_saved=lambda: first()))


def assert_equal(a, b):
    chex.assert_trees_all_equal(*((plain(o.state), o.history) for o in (a, b)))
    assert a.faults == b.faults


def plain(state):
    return state._replace(key=jax.random.key_data(state.key))


@POLICIES
def test_skip_leaves_the_parameters_and_rollback_takes_those_that_were_kept(policy):
    kept, _ = step_by_step(policy)
    bad = {step for _, step, _ in met(seed=0)}
    for step in range(1, EXAMPLES + 1):
        before, after = kept[step - 1].state, kept[step].state
        moved = not np.array_equal(before.update.params[0].weight, after.update.params[0].weight)
        loss = after.sums["loss"]
        assert isinstance(loss, Sum)
        # A step that was passed over counts in no mean.
        assert loss.count[0, step - 1] == (step not in bad)
        if step in bad:
            expected = before.update if policy == "skip" else first().state.update
            chex.assert_trees_all_equal(after.update, expected)
        else:
            assert moved


def test_nonfinite_parameters_are_named_by_their_layer_and_cannot_be_skipped():
    kept, _ = step_by_step("skip")
    bad = {step for _, step, _ in met(seed=0)}
    begun = next(one for one in kept if one.steps + 1 not in bad)
    params = jax.tree.map(np.array, begun.state.update)
    params.params[4].weight[0, 1, 1] = np.nan
    begun = begun._replace(state=begun.state._replace(update=params))
    named = r"layer 4 \(beside_the_code\) has parameters that are NaN or infinite"
    with pytest.raises(NonFiniteError, match=named):
        train(Run(), resume_from=begun)
    with pytest.raises(
        NonFiniteError,
        match=rf"{named}; skipping the step does not help: set train\.on_nonfinite = 'rollback' or start",
    ):
        train(Run(), resume_from=begun, on_nonfinite="skip")


def test_nonfinite_update_is_distinguished_from_a_gradient():
    with pytest.raises(
        NonFiniteError, match=r"the update produces NaN or infinity, forward .* finite: lower optimizer\.learning_"
    ):
        train(Run(data=SOUND, optimizer=optax.sgd(float("inf"))))


def test_too_many_faults_end_a_run(monkeypatch):
    monkeypatch.setattr(nonfinite, "MAX_SKIPPED", 10)
    with pytest.raises(
        NonFiniteError, match=r"expected at most 10 skipped steps, found more: lower optimizer\.learning_"
    ):
        train(Run(), on_nonfinite="skip")


def linear(rate: float, scale: float) -> Run:
    """A linear net on features of size `scale`: with too high a rate each step makes the error larger."""
    data = SOUND[0] * np.float32(scale), SOUND[1]
    return Run(serial(dense(3)), mean_squared_error(), optax.sgd(rate), data, Plan(400), None)


def test_divergence_stops_with_a_hint():
    said = (
        r"the training diverges: the loss of seed 0 .* grew from [\d.e+-]+ to [\d.e+-]+; lower optimizer\.learning_rate"
    )
    with pytest.raises(NonFiniteError, match=said):
        train(linear(2.0, 1.0), seconds=1e-6)


def test_divergence_to_infinity_names_the_growth_of_the_loss():
    with pytest.raises(
        NonFiniteError, match=r"the loss had grown from [\d.e+]+ to [\d.]+e\+\d+: lower optimizer\.learning_rate"
    ):
        train(linear(0.1, 1e4))


def test_finite_run_has_no_faults():
    assert train(Run(data=SOUND)).faults == ()


def test_diagnose_step_names_a_nested_layer_by_its_path():
    def logarithm(params, x, key):
        del params, key
        return jnp.log(jnp.where(x == 1, -1.0, 1.0).astype(x.dtype)) + x

    cases: list[tuple[int, Any, str]] = [
        (
            1,
            serial(serial(spike(0), tanh()), dense(5)),
            "layer 0/0 (spike) produces NaN or infinity in its forward pass",
        ),
        (4, serial(flatten(), serial(spike(0))), "layer 1/0 (spike) produces NaN or infinity in its backward pass"),
        (1, serial(flatten(), residual(spike(0))), "layer 1 (residual) produces NaN or infinity in its forward pass"),
        (1, serial(flatten(), autodiff(lambda key, x: (), logarithm)), "layer 1 (autodiff) produces NaN or infinity"),
    ]
    with cli_precision():
        for code, net, said in cases:
            x = jnp.full((3, 5), code, jnp.float32)
            params = net.init(jax.random.key(0), jax.ShapeDtypeStruct(x.shape, x.dtype))
            batch = x, jnp.zeros((3, 5), jnp.float32)
            assert diagnose_step(net, mean_squared_error(), params, batch, None).startswith(said)


def test_out_of_memory_names_the_size_and_what_to_lower():
    """In a process of its own: a crash would end this one."""
    code = """
        import numpy as np
        from jaxnn import dense, quadratic, serial, tanh
        from jaxnn.errors import UserError
        from jaxnn.train import Plan, in_memory, optimizer, supervised
        from jaxnn.engine.driver import drive
        from jaxnn.engine.job import Job
        update = supervised(serial(dense(10**12), tanh(), dense(2)), quadratic(), optimizer("sgd", 0.1))
        for batch, seeds in ((4, (0, 1)), (None, (0,))):
            source = in_memory(np.ones((8, 1000), np.float32), np.ones((8, 2), np.float32), batch_size=batch)
            try:
                drive(Job(lambda hyperparameters: update, source, Plan(2), seeds))
            except UserError as error:
                print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    some, all_ = done.stdout.splitlines()
    assert re.fullmatch(
        r"out of memory: a step on 4 examples, 2 seeds, asked for \d[\d.]* PiB; "
        r"lower train\.batch_size, train fewer seeds at once, make the layers smaller, or read the examples .*", some,
    )  # fmt: skip
    assert re.fullmatch(
        r"out of memory: a step on the whole training part, 1 seed, asked for \d[\d.]* PiB; "
        r"set train\.batch_size, make the layers smaller, or read the examples as they are needed .*", all_,
    )  # fmt: skip
