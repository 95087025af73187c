"""Recurrent layers: a cell, applied to one place of a sequence after another."""

from typing import Any

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int, Shaped

from jaxnn.combine import parallel
from jaxnn.errors import UserError
from jaxnn.layer import Batch, Key, Layer, Params, Time
from jaxnn.layers.cell import State
from jaxnn.layers.cells import CellSpec, cell_of
from jaxnn.sequence import Sequence, check_sequences, join_derivative, split_derivative, split_lengths, valid_places
from jaxnn.shapes import checked, describe_shapes, same_shapes


def recur(cell: CellSpec, reverse: bool = False, last: bool = False, state: bool = False) -> Layer:
    """A recurrent layer: `cell` goes through a sequence, and its states go on from place to place.

    s₀ = 0,  sₜ = step(xₜ, sₜ₋₁),  yₜ = the first entry of sₜ
    dsₜ = dyₜ + dsₜ₊₁ · ∂sₜ₊₁/∂sₜ  for t = T … 1;  the derivatives of weights and input are products over all places

    Derivation: backpropagation through time (Werbos 1990). A state has an influence on its own output and on the next
    state, so its derivative is the sum of both. The rest stands in the cells: `simple`, `lstm`, `gru`.

    cell: `simple(…)`, `lstm(…)`, `gru(…)`, a `Cell` of your own, or a table: {"name": "lstm", "units": 128}
    x (batch, time, n), y (batch, time, units). Also a `Sequence`: where it has ended, its state stays and y is 0.
    reverse: from the last valid place to the first
    last: y (batch, units) is the output at the last valid place
    state: x and y are pairs (sequence, state): the first and the last state are an input and an output, as tuples of
        (batch, units); so two calls continue one sequence, with the gradient through the state
    Kept for the way back: x, and of every place what the cell says. Raises `UserError` for a cell that cannot be.
    """
    cell = cell_of(cell)
    name = f"recur({cell.name})"

    def split(x: Any) -> tuple[Any, Any, Any]:
        """The values (batch, time, n), their lengths, the first state."""
        sequence, first = x if state else (x, None)
        values, lengths = split_lengths(sequence)
        return values, lengths, first

    def init(key: Any, x: Batch) -> Params:
        if not state:
            return cell.init(key, check_sequences(name, x))
        if not (type(x) is tuple and len(x) == 2):
            raise UserError(f"{name}: expected x as a pair (sequence, state), found {describe_shapes(x)}")
        values = check_sequences(name, x[0])
        params = cell.init(key, values)
        expected = jax.eval_shape(lambda p, x: cell.initial(p, cell.project(p, x.swapaxes(0, 1))[0]), params, values)
        if not same_shapes(x[1], expected):
            raise UserError(f"{name}: expected a state of {describe_shapes(expected)}, found {describe_shapes(x[1])}")
        return params

    def run(params: Params, values: Any, lengths: Any, first: State | None) -> tuple[State, State, Any, Any]:
        """The first and the last state; of every place (time, batch, units) the output, and what the cell keeps."""
        z = cell.project(params, _time_first(values, lengths, reverse))
        first = cell.initial(params, z[0]) if first is None else first

        def step(carry, xs):
            z, valid = xs
            after, kept = cell.step(params, z, carry)
            if valid is not None:
                after = tuple(jnp.where(valid, new, old) for new, old in zip(after, carry, strict=True))
            return after, (after[0], kept)

        final, (outputs, kept) = lax.scan(step, first, (z, _valid(lengths, len(z))))
        return first, final, outputs, kept

    def forward(params: Params, x: Batch, key: Key) -> tuple[Batch, Any]:
        del key
        values, lengths, given = split(x)
        first, final, outputs, kept = run(params, values, lengths, given)
        y = final[0] if last else _batch_first(outputs, lengths, reverse)
        if lengths is not None and not last:
            y = Sequence(_masked(y, lengths), lengths)
        return (y, final) if state else y, (values, lengths, first if state else None, kept)

    def backward(params: Params, res: Any, dy: Batch) -> tuple[Params, Batch]:
        values, lengths, given, kept = res
        x = _time_first(values, lengths, reverse)
        first = cell.initial(params, cell.project(params, x[0])) if given is None else given
        before, local, constant = cell.local(params, x, first, kept)
        dy, dfinal = dy if state else (dy, tuple(jnp.zeros_like(s) for s in first))
        if last:
            dfinal, dy = (dfinal[0] + dy, *dfinal[1:]), None
        else:
            dy = _time_first(split_derivative(dy, lengths), lengths, reverse)

        def step(dstate, xs):
            local, dy, valid = xs
            if dy is not None:
                dstate = (dstate[0] + dy, *dstate[1:])
            if valid is None:
                dz, dbefore = cell.step_back(constant, local, dstate)
                return dbefore, dz
            # The state of a sequence that has ended stays: its derivative goes on to the place before, unchanged.
            dz, dbefore = cell.step_back(constant, local, tuple(jnp.where(valid, d, 0) for d in dstate))
            return tuple(jnp.where(valid, b, d) for b, d in zip(dbefore, dstate, strict=True)), dz

        dfirst, dz = lax.scan(step, dfinal, (local, dy, _valid(lengths, len(x))), reverse=True)
        dparams, dx = cell.gather(params, x, before, local, dz)
        dx = join_derivative(_batch_first(dx, lengths, reverse), lengths)
        return dparams, (dx, dfirst) if state else dx

    def start(params: Params, batch: int, length: int) -> Any:
        del length
        dtype = jax.tree.leaves(params)[0].dtype
        width = params.input.weight.shape[1] if hasattr(params, "input") else 0
        return cell.initial(params, jnp.zeros((batch, width), dtype))

    def extend(params: Params, memory: State, x: Batch) -> tuple[Batch, State]:
        _, final, outputs, _ = run(params, x, None, memory)
        return _batch_first(outputs, None, False), final

    time = Time() if reverse or last or state else Time(start, extend)
    return checked(Layer(init, forward, backward, name, time=time))


def bidirectional(cell: CellSpec, last: bool = False) -> Layer:
    """Two recurrent layers of the same kind of cell, one in each direction; their outputs are joined.

    y = [recur(cell)(x), recur(cell, reverse)(x)]
    The derivative is that of `parallel`.

    Derivation: x stands in both, so its derivatives add.

    x (batch, time, n), y (batch, time, 2 · units), or (batch, 2 · units) with `last` (Schuster and Paliwal 1997).
    """
    layer = parallel(recur(cell, last=last), recur(cell, reverse=True, last=last), combine="concatenate")
    return layer._replace(name="bidirectional")


def _masked(values: Any, lengths: Any) -> Any:
    return jnp.where(valid_places(lengths, values.shape[1])[..., None], values, 0)


def _valid(lengths: Int[Array, "batch"] | None, time: int) -> Any:
    """Whether a place is valid, (time, batch, 1); None where all are."""
    return None if lengths is None else valid_places(lengths, time).T[..., None]


def _time_first(
    values: Float[Array, "batch time n"], lengths: Int[Array, "batch"] | None, reverse: bool
) -> Float[Array, "time batch n"]:
    return jnp.swapaxes(_reversed(values, lengths) if reverse else values, 0, 1)


def _batch_first(
    values: Float[Array, "time batch n"], lengths: Int[Array, "batch"] | None, reverse: bool
) -> Float[Array, "batch time n"]:
    values = jnp.swapaxes(values, 0, 1)
    return _reversed(values, lengths) if reverse else values


def _reversed(values: Any, lengths: Any) -> Shaped[Array, "batch time n"]:
    """The valid part of each sequence in the other order; padding stays. It is its own inverse."""
    if lengths is None:
        return values[:, ::-1]
    place = jnp.arange(values.shape[1], dtype=lengths.dtype)[None]
    order = jnp.where(place < lengths[:, None], lengths[:, None] - 1 - place, place)
    return jnp.take_along_axis(values, order[..., None], axis=1)
