"""Law 7: a pullback is linear in dy, and a batch's gradient is made of the gradients of its examples."""

from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.case import Case, is_number, random_cotangent
from jaxnn.certify.laws.rounding import agree
from jaxnn.certify.measurement import Measurement, NotMeasured
from jaxnn.certify.pullback import compiled_pullback
from jaxnn.certify.vjp_rule import batched_leaves


def linearity(case: Case) -> Measurement:
    """backward(2 dy − 3 dy′) = 2 backward(dy) − 3 backward(dy′)."""
    if case.rule.meant is not None and case.rule.meant.f is None:
        raise NotMeasured("the gradient that is meant need not be linear in dy")
    other = random_cotangent(5, case.rule, case.args)
    gradient = compiled_pullback(case.rule)

    def combine(a, b):
        return jnp.asarray(2 * np.asarray(a) - 3 * np.asarray(b)) if is_number(a) else a

    expected = jax.tree.map(combine, gradient(case.args, case.dy), gradient(case.args, other))
    return agree(case, gradient(case.args, jax.tree.map(combine, case.dy, other)), expected, case.bounds.agreement)


def _example(tree: Any, i: int) -> Any:
    return jax.tree.map(lambda a: jnp.asarray(np.asarray(a)[i : i + 1]), tree)


def sum_over_examples(case: Case) -> Measurement:
    """The gradients of the examples alone: those of shared arguments add up, those of rows stand in their rows."""
    rule, rows = case.rule, batched_leaves(case.rule, case.args)
    batch = next(jax.tree.leaves(arg)[0].shape[0] for arg, b in zip(case.args, rule.batched, strict=True) if b)
    gradients = []
    for i in range(batch):
        args = tuple(_example(arg, i) if batched else arg for arg, batched in zip(case.args, rule.batched, strict=True))
        dy = _example(case.dy, i) if rule.reduction == "rows" else case.dy
        gradients.append(compiled_pullback(rule)(args, dy))
    weight = 1 / batch if rule.reduction == "mean" else 1.0
    expected = {
        name: weight * (np.concatenate if name in rows else sum)([np.asarray(gradient[name]) for gradient in gradients])
        for name in gradients[0]
    }
    return agree(case, compiled_pullback(rule)(case.args, case.dy), expected, case.bounds.agreement)
