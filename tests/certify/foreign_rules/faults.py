"""Rules that no law can measure, and cotangents of a wrong form: one line says so."""

import numpy as np
from jax import numpy as jnp

from tests.certify.foreign_rules.rule import Rule, X, custom, on_host, square

NAN = custom(jnp.log, lambda x: (jnp.log(x), x), lambda x, dy: (17.0 * dy / x,))

RULES: dict[str, Rule] = {
    "NaN everywhere": Rule(NAN, (-X,), "refused: every output is NaN .*inside the domain"),
    "NaN somewhere": Rule(NAN, (X - 0.5,), "refused: some outputs are .1 of 5. NaN"),
    "no tuple": Rule(
        custom(square, lambda x: (x * x, x), lambda x, dy: 2 * x * dy), (X,), "refused: must return a tuple .*an array"
    ),
    "no tuple, one row": Rule(
        custom(square, lambda x: (x * x, x), lambda x, dy: 2 * x * dy), (X[None],), "refused: must return a tuple"
    ),
    "another shape": Rule(
        custom(lambda x, b: x + b, lambda x, b: (x + b, None), lambda _, dy: (dy, dy)),
        (np.ones((3, 5), np.float32), X),
        "wrong: b",
    ),
    "random": Rule(
        square,
        (X,),
        "refused: two calls at the same arguments differ",
        fwd=lambda x: (x * x, on_host(lambda a: a + 1e-9 * np.random.default_rng().normal(size=a.shape))(x)),
        bwd=lambda x, dy: (2 * x * dy,),
    ),
    "random while traced": Rule(
        square,
        (X,),
        "refused: two calls at the same arguments differ",
        fwd=lambda x: (x * x, x * (1 + 1e-9 * np.random.default_rng().normal())),
        bwd=lambda x, dy: (2 * x * dy,),
    ),
    "raises": Rule(lambda x: {}["missing"], (X,), "refused: raises at these arguments: KeyError"),
}
