"""A layer that begins with parameters that were learned before."""

from typing import Any

import jax
import numpy as np

from jaxnn.errors import UserError
from jaxnn.layer import Batch, Layer, Params, check_layer
from jaxnn.shapes import describe_shapes, same_shapes


def pretrained(layer: Layer, params: Params) -> Layer:
    """The layer, which begins with these parameters in place of drawn ones.

    params: as `init` makes them: those of a run (`run.params`, of one seed), or of `load_params`
    They are trained further, unless a group of the optimizer freezes them:

    >>> import jax, jaxnn
    >>> from jaxnn.train import Group, optimizer
    >>> body = jaxnn.dense(3)
    >>> learned = body.init(jax.random.key(1), jax.numpy.ones((2, 4)))
    >>> model = jaxnn.serial(body=jaxnn.pretrained(body, learned), head=jaxnn.dense(2))
    >>> adam = optimizer("adam", 0.01, groups=[Group("body/*", frozen=True)])

    Its `init` raises `UserError` where the parameters do not fit the input.
    """
    check_layer("pretrained", layer)
    held = jax.tree.map(np.asarray, params)

    def init(key: Any, x: Batch) -> Params:
        expected = jax.eval_shape(layer.init, key, x)
        if not same_shapes(held, expected):
            raise UserError(
                f"pretrained: expected params {describe_shapes(expected)} of {layer.name or 'the layer'}, found "
                f"{describe_shapes(held)}; take those of one seed of a run of the same net on inputs of the same shape"
            )
        return jax.tree.map(lambda a, b: jax.numpy.asarray(a, b.dtype), held, expected)

    return layer._replace(init=init)
