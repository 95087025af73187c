"""Law 7: a pullback is linear in dy, and a batch's gradient is made of its examples' own."""

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.case import Case, cotangent
from jaxnn.certify.finding import Finding, compare
from jaxnn.certify.laws.agreement import FLOAT64_BOUND
from jaxnn.certify.pullback import compiled_pullback
from jaxnn.certify.vjp_rule import rows_of


def linear(case: Case) -> Finding:
    """backward(2 dy − 3 dy′) = 2 backward(dy) − 3 backward(dy′)."""
    other = cotangent(5, case.rule, case.args)
    gradient = compiled_pullback(case.rule)

    def combined(a, b):
        return jnp.asarray(2 * np.asarray(a) - 3 * np.asarray(b)) if jnp.issubdtype(a.dtype, jnp.floating) else a

    expected = jax.tree.map(combined, gradient(case.args, case.dy), gradient(case.args, other))
    return compare(gradient(case.args, jax.tree.map(combined, case.dy, other)), expected, FLOAT64_BOUND)


def _example(tree, i: int):
    return jax.tree.map(lambda a: jnp.asarray(np.asarray(a)[i : i + 1]), tree)


def examples(case: Case) -> Finding:
    """Each example alone: gradients of what they share add up, the others' rows lie side by side."""
    rule, rows = case.rule, rows_of(case.rule, case.args)
    batch = next(jax.tree.leaves(arg)[0].shape[0] for arg, b in zip(case.args, rule.batched, strict=True) if b)
    alone = []
    for i in range(batch):
        args = tuple(_example(arg, i) if batched else arg for arg, batched in zip(case.args, rule.batched, strict=True))
        dy = _example(case.dy, i) if rule.reduction == "rows" else case.dy
        alone.append(compiled_pullback(rule)(args, dy))
    share = 1 / batch if rule.reduction == "mean" else 1.0
    expected = {
        name: share * (np.concatenate if name in rows else sum)([np.asarray(gradient[name]) for gradient in alone])
        for name in alone[0]
    }
    return compare(compiled_pullback(rule)(case.args, case.dy), expected, FLOAT64_BOUND)
