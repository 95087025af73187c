"""Gradients that are not the derivative on purpose: wrong unless the intent is stated."""

import jax
import numpy as np
from jax import numpy as jnp

from tests.certify.foreign_rules.rule import Rule, X, custom


def logsumexp(x, t):
    return t * jnp.log(jnp.exp(x / t).sum())


def straight_through():
    return custom(lambda x: jnp.round(x), lambda x: (jnp.round(x), None), lambda _, dy: (dy,))


def clipping():
    return custom(lambda x: x, lambda x: (x, None), lambda _, dy: (jnp.clip(dy, -0.1, 0.1),))


def reversal():
    return custom(lambda x: jnp.sin(x), lambda x: (jnp.sin(x), x), lambda x, dy: (-0.5 * jnp.cos(x) * dy,))


STOPPED = custom(
    logsumexp, lambda x, t: (logsumexp(x, t), (x, t)), lambda r, dy: (dy * jax.nn.softmax(r[0] / r[1]), None)
)
TWO_OUTPUTS = custom(
    lambda x: ((x * x).sum(), jnp.linalg.norm(x)),
    lambda x: (((x * x).sum(), jnp.linalg.norm(x)), x),
    lambda x, dy: (2 * x * dy[0],),
)

RULES: dict[str, Rule] = {
    "argument without gradient": Rule(STOPPED, (X, np.float32(0.7)), "wrong: t"),
    "argument without gradient, stated": Rule(STOPPED, (X, np.float32(0.7)), options={"stopped": ("t",)}),
    "stated without gradient, and has one": Rule(
        custom(logsumexp, lambda x, t: (logsumexp(x, t), (x, t)), lambda r, dy: (dy * jax.nn.softmax(r[0] / r[1]), dy)),
        (X, np.float32(0.7)),
        "wrong: t",
        {"stopped": ("t",)},
    ),
    "ignored output": Rule(TWO_OUTPUTS, (X,), "wrong: x"),
    "ignored output, stated": Rule(TWO_OUTPUTS, (X,), options={"outputs": (0,)}),
    "straight-through": Rule(straight_through(), (X,), "wrong: x"),
    "straight-through, meant": Rule(straight_through(), (X,), options={"meant": lambda x: x}),
    "clipping, meant": Rule(clipping(), (X,), options={"meant": lambda x, dy: jnp.clip(dy, -0.1, 0.1)}),
    "clipping, other meant": Rule(clipping(), (X,), "wrong: x", {"meant": lambda x, dy: jnp.clip(dy, -0.2, 0.2)}),
    "reversal, meant": Rule(reversal(), (X,), options={"meant": lambda x: -0.5 * jnp.sin(x)}),
}
