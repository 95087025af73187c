"""The contract of a recurrent cell: how a state goes on from one place of a sequence to the next, and the way back.

A cell does at one place only what depends on the place before. The product with the input, everything elementwise that
the way back needs, and the derivatives of the weights are computed for all places at once. What a cell keeps of a place
is its own choice: a gate that is kept takes memory, and one that is computed again takes time.

Inside a cell the time axis comes first: x (time, batch, n), z (time, batch, k). A state is a tuple of arrays
(batch, units); its first entry is the cell's output. `before` and `kept` have a leading axis of time. Where a sequence
has ended, they may hold any finite numbers.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import numpy as jnp

from jaxnn.errors import UserError
from jaxnn.initializers import Init, initializer
from jaxnn.kernels.matmul import add_bias, bias_gradient, matmul, weight_gradient
from jaxnn.layer import Params
from jaxnn.layers.dense import DenseParams

State = tuple[Any, ...]


class Cell(NamedTuple):
    """Eight pure functions. `recur` makes a layer of them.

    init(key, x) -> params
    initial(params, z) -> state                        before the first place; z (batch, k) has its shape and type
    project(params, x) -> z                            the product with the input, at all places
    step(params, z, state) -> state, kept              at one place; kept: what `local` needs of it
    local(params, x, first, kept) -> before, local, constant   at all places: the outputs before them, and what
        `step_back` needs at each; constant: what it needs at all of them, such as a transposed weight
    step_back(constant, local, dstate) -> dz, dstate   at one place: from the state after to z and the state before
    gather(params, x, before, local, dz) -> dparams, dx        at all places; `before` is that of `local`
    """

    name: str
    init: Callable[[Any, Any], Params]
    initial: Callable[[Params, Any], State]
    project: Callable[[Params, Any], Any]
    step: Callable[[Params, Any, State], tuple[State, Any]]
    local: Callable[[Params, Any, State, Any], tuple[Any, Any, Any]]
    step_back: Callable[[Any, Any, State], tuple[Any, State]]
    gather: Callable[[Params, Any, Any, Any, Any], tuple[Params, Any]]


class CellParams(NamedTuple):
    """The parameters of a cell: of the product with its input, and of that with its own output.

    input: weight (n, gates · units), bias (gates · units)
    recurrent: weight (units, gates · units); the bias of a gated recurrent unit (units), else None
    """

    input: DenseParams
    recurrent: DenseParams


def gated_cell(
    name: str,
    units: int,
    gates: int,
    states: int,
    step: Callable[[Params, Any, State], tuple[State, Any]],
    local: Callable[[Params, Any, State, Any], tuple[Any, Any]],
    step_back: Callable[[Any, Any, State], tuple[Any, State]],
    *,
    inits: tuple[Init, Init],
    bias: Callable[[Any], Any] = jnp.zeros_like,
    recurrent_bias: bool = False,
    recurrent_derivative: Callable[[Any, Any], Any] = lambda local, dz: dz,
) -> Cell:
    """A cell whose input enters by z = x W + b, and whose recurrent product has the derivative that is given.

    local(params, x, first, kept) -> before, local: as in `Cell`, without the constant, which is Uᵀ. It is transposed
    once: a matrix library is slower at a product with a transposed matrix, which the loop would do at every place.
    """
    if units < 1:
        raise UserError(f"{name}: expected at least 1 unit, found {units}")
    make_input, make_recurrent = (initializer(spec) for spec in inits)

    def init(key, x):
        key_input, key_recurrent = jax.random.split(key)

        def blocks(make, key, rows):
            keys = jax.random.split(key, gates)
            return jnp.concatenate([make(k, (rows, units), x.dtype) for k in keys], axis=1)

        weight, recurrent = blocks(make_input, key_input, x.shape[-1]), blocks(make_recurrent, key_recurrent, units)
        added = jnp.zeros((units,), x.dtype) if recurrent_bias else None
        return CellParams(
            DenseParams(weight, bias(jnp.zeros((gates * units,), x.dtype))), DenseParams(recurrent, added)
        )

    def initial(params, z):
        del params
        # Zeros that are made of z: under `shard_map` they vary over the devices, as the states that follow do.
        return (jnp.zeros_like(z[..., :units]),) * states

    def project(params, x):
        return add_bias(matmul(x, params.input.weight), params.input.bias)

    def gather(params, x, before, local, dz):
        dq = recurrent_derivative(local, dz)
        return (
            CellParams(
                DenseParams(weight_gradient(x, dz), bias_gradient(params.input.bias, dz)),
                DenseParams(
                    weight_gradient(before, dq),
                    bias_gradient(params.recurrent.bias, dq[..., -units:]),
                ),
            ),
            matmul(dz, params.input.weight.T),
        )

    def local_and_constant(params, x, first, kept):
        return *local(params, x, first, kept), params.recurrent.weight.T

    return Cell(name, init, initial, project, step, local_and_constant, step_back, gather)


def autodiff_cell(
    init: Callable[[Any, Any], Params],
    initial: Callable[[Params, Any], State],
    step: Callable[[Params, Any, State], State],
) -> Cell:
    """A cell without a hand-written way back: autodiff derives it from `step(params, x, state) -> state`.

    x is (batch, n) here. Each place is computed again on the way back, so only the states are kept.
    """

    def local(params, x, first, kept):
        return (), (x, tuple(previous(a, b) for a, b in zip(first, kept, strict=True))), params

    def step_and_keep(params, x, state):
        after = step(params, x, state)
        return after, after

    def step_back(params, local, dstate):
        z, before = local
        _, vjp = jax.vjp(step, params, z, before)
        dparams, dz, dbefore = vjp(dstate)
        return (dz, dparams), dbefore

    def gather(params, x, before, local, dz):
        del params, x, before, local
        dx, dparams = dz
        return jax.tree.map(lambda a: a.sum(0), dparams), dx

    return Cell("autodiff_cell", init, initial, lambda params, x: x, step_and_keep, local, step_back, gather)


def previous(first: Any, after: Any) -> Any:
    """What stood before every place, from what stands after it: (time, batch, units)."""
    return jnp.concatenate([first[None], after[:-1]])
