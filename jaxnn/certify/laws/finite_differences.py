"""Law 3: the hand-written gradient agrees with finite differences of the function; no autodiff is involved."""

import math
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.case import Case
from jaxnn.certify.measurement import Measurement, compare, worst
from jaxnn.certify.pullback import compiled_f, compiled_pullback
from jaxnn.certify.vjp_rule import differentiated_leaves, replace_leaves

DIRECTIONS = 8
BOUND = 1e-6
#: Steps, in units of eps^(1/3) times the leaf's size. A kink (ReLU, a maximum) within the first step makes its
#: difference meaningless; in a net with 10,000 units there nearly always is one. A wrong gradient fails at every step.
STEPS = (1.0, 1 / 16, 1 / 256)
#: The Jacobian is measured up to this many inputs and outputs: it takes a call of f for each input, and a pullback for
#: each output.
MAX_JACOBIAN_ENTRIES = 300


def _floating_leaves(tree: Any) -> list[np.ndarray]:
    return [np.asarray(a) for a in jax.tree.leaves(tree) if jnp.issubdtype(a.dtype, jnp.floating)]


def _central_difference(case: Case, name: str, direction: Any, step: float = STEPS[0]) -> list[np.ndarray]:
    """(f(a + h v) − f(a − h v)) / 2h for the leaf `name` moved along v, h = step · eps^(1/3) times the leaf's size."""
    leaf = np.asarray(differentiated_leaves(case.rule, case.args)[name])
    size = float(np.sqrt(np.mean(leaf**2))) or 1.0
    step *= np.finfo(np.float64).eps ** (1 / 3) * size
    f = compiled_f(case.rule.f)
    plus, minus = (
        _floating_leaves(f(*replace_leaves(case.rule, case.args, {name: jnp.asarray(leaf + sign * step * direction)})))
        for sign in (1, -1)
    )
    return [np.asarray((a - b) / (2 * step)) for a, b in zip(plus, minus, strict=True)]


def finite_differences(case: Case) -> Measurement:
    """⟨gradient, v⟩ against ⟨dy, central difference of f along v⟩ for 8 random directions v of each leaf.

    Each direction counts with the first step that agrees.
    """
    rng = np.random.default_rng(8)
    gradient, dy = compiled_pullback(case.rule)(case.args, case.dy), _floating_leaves(case.dy)
    measurements = []
    for name, leaf in differentiated_leaves(case.rule, case.args).items():
        if leaf.size == 0:
            continue
        g = np.asarray(gradient[name])
        size = max(float(np.linalg.norm(g)), float(np.finfo(np.float64).tiny)) / math.sqrt(leaf.size)
        for _ in range(DIRECTIONS):
            v = rng.normal(size=leaf.shape)
            v /= np.linalg.norm(v)
            got, by_step = float(np.sum(g * v)), []
            for step in STEPS:
                difference = _central_difference(case, name, v, step)
                expected = sum(float(np.sum(a * b)) for a, b in zip(dy, difference, strict=True))
                error = abs(got - expected)
                # A derivative that is zero by definition (of a step function) has a difference of exactly zero.
                by_step.append(Measurement(error / size if error else 0.0, BOUND, name, (), expected, got))
                if by_step[-1].holds:
                    break
            measurements.append(min(by_step, key=lambda measurement: measurement.severity))
    return worst(measurements)


def is_tiny(case: Case) -> bool:
    """Whether the case is small enough for `jacobian`."""
    inputs = sum(leaf.size for leaf in differentiated_leaves(case.rule, case.args).values())
    return inputs + sum(a.size for a in _floating_leaves(case.dy)) <= MAX_JACOBIAN_ENTRIES


def jacobian(case: Case) -> Measurement:
    """The whole Jacobian, row by row from the pullback and column by column from central differences."""
    flat, structure = jax.tree.flatten(case.dy)
    leaves = differentiated_leaves(case.rule, case.args)
    rows: dict[str, list] = {name: [] for name in leaves}
    for i, leaf in enumerate(flat):
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            continue
        for unit in np.eye(leaf.size).reshape(leaf.size, *leaf.shape):
            dy = [jnp.asarray(unit) if j == i else jnp.zeros_like(other) for j, other in enumerate(flat)]
            for name, row in compiled_pullback(case.rule)(case.args, structure.unflatten(dy)).items():
                rows[name].append(np.ravel(row))
    columns = {
        name: np.stack(
            [
                np.concatenate([np.ravel(d) for d in _central_difference(case, name, unit)])
                for unit in np.eye(leaf.size).reshape(leaf.size, *leaf.shape)
            ],
            axis=-1,
        )
        for name, leaf in leaves.items()
    }
    return compare({name: np.stack(r) for name, r in rows.items()}, columns, BOUND)
