"""A row of transformer blocks."""

from typing import Any, Literal

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from jaxnn.combine import recompute as recompute_layer
from jaxnn.combine import residual, serial
from jaxnn.errors import UserError
from jaxnn.layer import Layer, Params, part_key
from jaxnn.layers.attention import attention
from jaxnn.layers.dense import dense
from jaxnn.layers.dropout import dropout as dropout_layer
from jaxnn.layers.elementwise import gelu
from jaxnn.layers.norm import layer_norm, rms_norm

_NORMS = {"layer_norm": layer_norm, "rms_norm": rms_norm}


def transformer(
    layers: int,
    heads: int,
    units: int,
    hidden: int = 0,
    causal: bool = True,
    dropout: float = 0.0,
    positions: Literal["none", "rotary"] = "none",
    norm: Literal["layer_norm", "rms_norm"] = "layer_norm",
    recompute: bool = False,
) -> Layer:
    """Blocks of attention and a two-layer net, each behind a norm and beside a shortcut; a norm at the end.

    h = x + attention(norm(x)),  x′ = h + net(norm(h))  for each block, with net = dense, GELU, dense
    The derivatives are those of `residual`, `serial` and the layers.

    Derivation: the chain rule. The shortcut carries dy past every block unchanged.

    x and y (batch, time, units), also a `Sequence`. `hidden`: units of the net between, default 4 · units.
    The norms stand before (Xiong et al. 2020), as in GPT-2. `dropout` is that of the weights of attention and of both
    outputs. `recompute`: each block keeps its input alone, and runs forward again on the way back, which takes less
    memory and more time. Raises `UserError` for fewer than one block and for options that its layers refuse.
    """
    if layers < 1 or norm not in _NORMS:
        raise UserError(
            f"transformer: expected at least 1 layer and a norm of {', '.join(_NORMS)}, found {layers} and {norm!r}"
        )
    make_norm = _NORMS[norm]

    def with_dropout(*parts: Layer) -> Layer:
        return serial(*parts, dropout_layer(dropout)) if dropout else serial(*parts)

    def block() -> Layer:
        read = with_dropout(make_norm(), attention(heads, causal, dropout, positions))
        net = with_dropout(make_norm(), dense(hidden or 4 * units), gelu(), dense(units))
        whole = serial(attention=residual(read), net=residual(net))
        return recompute_layer(whole) if recompute else whole

    blocks = [block() for _ in range(layers)]
    body = serial(*blocks, make_norm())

    def init(key: PRNGKeyArray, x: Any) -> tuple[Params, ...]:
        # What `serial` draws block by block, drawn for all blocks at once: a program with as many draws as one block.
        drawn = jax.vmap(lambda i: blocks[0].init(jax.random.fold_in(key, i), x))(np.arange(layers))
        separate = (jax.tree.map(lambda a, i=i: a[i], drawn) for i in range(layers))
        return (*separate, body.parts[-1].layer.init(part_key(key, str(layers)), x))

    return body._replace(name="transformer", init=init)
