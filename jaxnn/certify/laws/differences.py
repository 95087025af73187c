"""Law 3: the hand-derived gradient is what the function does when it is moved a little, which needs no autodiff."""

import math
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.case import Case
from jaxnn.certify.finding import Finding, compare, worst
from jaxnn.certify.pullback import compiled_f, compiled_pullback
from jaxnn.certify.vjp_rule import leaves, replaced

DIRECTIONS = 8
BOUND = 1e-6
#: Steps, in units of eps^(1/3) times the leaf's size. Of a function with kinks (ReLU, a maximum) one may lie within the
#: first, and then says nothing; of a net with 10,000 units one nearly always does. A wrong gradient fails at each.
STEPS = (1.0, 1 / 16, 1 / 256)
#: The full Jacobian is had by one call of f for each entry that goes in, one pullback for each that comes out.
TINY = 300


def _floating(tree) -> list[np.ndarray]:
    return [np.asarray(a) for a in jax.tree.leaves(tree) if jnp.issubdtype(a.dtype, jnp.floating)]


def _difference(case: Case, name: str, direction: Any, step: float = STEPS[0]) -> list[np.ndarray]:
    """(f(a + h v) − f(a − h v)) / 2h for the leaf `name` moved along v, h = step · eps^(1/3) times the leaf's size."""
    leaf = np.asarray(leaves(case.rule, case.args)[name])
    size = float(np.sqrt(np.mean(leaf**2))) or 1.0
    step *= np.finfo(np.float64).eps ** (1 / 3) * size
    f = compiled_f(case.rule.f)
    up, down = (
        _floating(f(*replaced(case.rule, case.args, {name: jnp.asarray(leaf + sign * step * direction)})))
        for sign in (1, -1)
    )
    return [np.asarray((a - b) / (2 * step)) for a, b in zip(up, down, strict=True)]


def differences(case: Case) -> Finding:
    """⟨gradient, v⟩ against ⟨dy, central difference of f along v⟩ for 8 random directions v a leaf, by the first step
    that agrees."""
    rng = np.random.default_rng(8)
    gradient, dy = compiled_pullback(case.rule)(case.args, case.dy), _floating(case.dy)
    findings = []
    for name, leaf in leaves(case.rule, case.args).items():
        if leaf.size == 0:
            continue
        g = np.asarray(gradient[name])
        size = max(float(np.linalg.norm(g)), float(np.finfo(np.float64).tiny)) / math.sqrt(leaf.size)
        for _ in range(DIRECTIONS):
            v = rng.normal(size=leaf.shape)
            v /= np.linalg.norm(v)
            got, tried = float(np.sum(g * v)), []
            for step in STEPS:
                moved = _difference(case, name, v, step)
                expected = sum(float(np.sum(a * b)) for a, b in zip(dy, moved, strict=True))
                error = abs(got - expected)
                # A derivative that is zero by definition (a step) has a difference of exactly zero.
                tried.append(Finding(error / size if error else 0.0, BOUND, name, (), expected, got))
                if tried[-1].holds:
                    break
            findings.append(min(tried, key=lambda finding: finding.severity))
    return worst(findings)


def is_tiny(case: Case) -> bool:
    into = sum(leaf.size for leaf in leaves(case.rule, case.args).values())
    return into + sum(a.size for a in _floating(case.dy)) <= TINY


def jacobian(case: Case) -> Finding:
    """The whole Jacobian, row by row from the pullback and column by column from central differences."""
    flat, structure = jax.tree.flatten(case.dy)
    rows: dict[str, list] = {name: [] for name in leaves(case.rule, case.args)}
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
                np.concatenate([np.ravel(d) for d in _difference(case, name, unit)])
                for unit in np.eye(leaf.size).reshape(leaf.size, *leaf.shape)
            ],
            axis=-1,
        )
        for name, leaf in leaves(case.rule, case.args).items()
    }
    return compare({name: np.stack(r) for name, r in rows.items()}, columns, BOUND)
