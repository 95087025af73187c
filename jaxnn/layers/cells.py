"""Recurrent cells: the simple one, the long short-term memory, the gated recurrent unit."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
from jax import numpy as jnp

from jaxnn.errors import UserError, hint
from jaxnn.initializers import Init
from jaxnn.kernels.fusion import computed_once
from jaxnn.kernels.matmul import add_bias, matmul
from jaxnn.layers.cell import Cell, gated_cell, previous

#: A cell, or a mapping with its name and its options: {"name": "lstm", "units": 128}.
CellSpec = Cell | Mapping[str, Any]


def simple(
    units: int,
    activation: Literal["tanh", "relu"] = "tanh",
    weight_init: Init = "glorot_uniform",
    recurrent_init: Init = "orthogonal",
) -> Cell:
    """A simple recurrent cell: its output is its state (Elman 1990).

    hₜ = f(xₜ W + b + hₜ₋₁ U)
    dzₜ = f′ ∘ dhₜ,  dhₜ₋₁ = dzₜ Uᵀ;  at all places: dW = Xᵀ dZ, dU = H₋ᵀ dZ, db = Σ dZ, dX = dZ Wᵀ

    Derivation: h stands in the output and in the next place, so dhₜ is dyₜ plus what the next place gives back. W, U
    and b are the same at all places, so their derivatives are sums over them: one product, with H₋ all states before.

    f′ is written from hₜ, which is kept: 1 − h² for tanh, [h > 0] for relu.
    Raises `UserError` for fewer than one unit or another activation.
    """
    if activation not in ("tanh", "relu"):
        raise UserError(f"simple: expected the activation 'tanh' or 'relu', found {activation!r}")
    tanh = activation == "tanh"

    def step(params, z, state):
        q = z + matmul(state[0], params.recurrent.weight)
        h = jnp.tanh(q) if tanh else jax.nn.relu(q)
        return (h,), h

    def local(params, x, first, h):
        del params, x
        return previous(first[0], h), (1 - h) * (1 + h) if tanh else (h > 0).astype(h.dtype)

    def step_back(transposed, local, dstate):
        dz = local * dstate[0]
        return dz, (matmul(dz, transposed),)

    return gated_cell("simple", units, 1, 1, step, local, step_back, inits=(weight_init, recurrent_init))


def lstm(
    units: int,
    weight_init: Init = "glorot_uniform",
    recurrent_init: Init = "orthogonal",
    forget_bias: float = 1.0,
) -> Cell:
    """A long short-term memory: a cell state c that gates write, forget and read (Hochreiter and Schmidhuber 1997).

    i, f, o = σ(xₜ W + b + hₜ₋₁ U),  g = tanh(…);  cₜ = f ∘ cₜ₋₁ + i ∘ g;  hₜ = o ∘ tanh cₜ
    dcₜ += dhₜ ∘ o (1 − tanh² cₜ);  dz = [dc g i(1−i), dc cₜ₋₁ f(1−f), dc i(1−g²), dh tanh(c) o(1−o)];
    dhₜ₋₁ = dz Uᵀ,  dcₜ₋₁ = dc ∘ f

    Derivation: h depends on c by o tanh c, whose slope is o (1 − tanh² c). c depends on i by g, on f by cₜ₋₁, on g by i
    and on cₜ₋₁ by f; σ′ = σ (1 − σ), tanh′ = 1 − tanh². The weights' derivatives are those of `simple`.

    Kept at every place: the gates and c, which give h again. Gates that are computed again, from h and c in one product
    over all places, take half of the memory and 1.2 to 1.7 times the time of a gradient (two cores).
    The order of the gates in W, U and b is i, f, g, o. `forget_bias` is the initial bias of f (Gers et al. 2000).
    Raises `UserError` for fewer than one unit.
    """

    def gates(q):
        # σ(a) = (1 + tanh(a/2))/2: one function of the whole row, with a factor for each unit, is faster than four
        # functions of its parts.
        half = jnp.broadcast_to(jnp.repeat(jnp.asarray([0.5, 0.5, 1, 0.5], q.dtype), units), q.shape)
        return half * jnp.tanh(half * q) + (1 - half)

    def step(params, z, state):
        h, c = state
        kept = gates(z + matmul(h, params.recurrent.weight))
        i, f, g, o = jnp.split(kept, 4, axis=-1)
        c = f * c + i * g
        return (o * jnp.tanh(c), c), (kept, c)

    def local(params, x, first, kept):
        del params, x
        i, f, g, o = jnp.split(kept[0], 4, axis=-1)
        c = kept[1]
        t, before = jnp.tanh(c), previous(first[1], c)
        slopes = [g * i * (1 - i), before * f * (1 - f), i * (1 - g) * (1 + g), t * o * (1 - o)]
        return previous(first[0], o * t), (jnp.concatenate(slopes, axis=-1), o * (1 - t) * (1 + t), f)

    def step_back(transposed, local, dstate):
        slopes, c_slope, f = local
        dh, dc = dstate
        dc = dc + dh * c_slope
        dc, dh = computed_once(dc, dh)
        dz = jnp.concatenate([dc, dc, dc, dh], axis=-1) * slopes
        return dz, (matmul(dz, transposed), dc * f)

    def bias(zeros):
        return zeros.at[units : 2 * units].set(forget_bias)

    return gated_cell("lstm", units, 4, 2, step, local, step_back, inits=(weight_init, recurrent_init), bias=bias)


def gru(units: int, weight_init: Init = "glorot_uniform", recurrent_init: Init = "orthogonal") -> Cell:
    """A gated recurrent unit, with the reset gate after the recurrent product (Cho et al. 2014).

    r, u = σ(xₜ W + b + hₜ₋₁ U),  a = hₜ₋₁ Uₙ + bₙ,  n = tanh(xₜ Wₙ + b + r ∘ a);  hₜ = n + u ∘ (hₜ₋₁ − n)
    dn = dh (1 − u)(1 − n²),  du = dh (hₜ₋₁ − n) u(1 − u),  dr = dn a r(1 − r);  dz = [dr, du, dn];
    dq = [dr, du, dn r],  dhₜ₋₁ = dh u + dq Uᵀ,  dU = H₋ᵀ dQ,  dbₙ = Σ dn r

    Derivation: h depends on n by 1 − u, on u by hₜ₋₁ − n, and directly on hₜ₋₁ by u. n depends on r by a and on a by
    r, so the derivative of the recurrent product, dq, has the factor r in its last part. dW is that of `simple`.

    Kept at every place: h, the gates and a. Gates that are computed again, from h in one product over all places, take
    a third of the memory and 1.2 to 1.4 times the time of a gradient (two cores).
    The order of the gates in W, U and b is r, u, n. This form is that of cuDNN, PyTorch and Keras (`reset_after`).
    Raises `UserError` for fewer than one unit.
    """

    def step(params, z, state):
        (h,) = state
        zr, zu, zn = jnp.split(z, 3, axis=-1)
        qr, qu, qn = jnp.split(matmul(h, params.recurrent.weight), 3, axis=-1)
        a = add_bias(qn, params.recurrent.bias)
        r = jax.nn.sigmoid(zr + qr)
        (gates,) = computed_once(jnp.concatenate([r, jax.nn.sigmoid(zu + qu), jnp.tanh(zn + r * a), a], axis=-1))
        _, u, n, _ = jnp.split(gates, 4, axis=-1)
        h = n + u * (h - n)
        return (h,), (h, gates)

    def local(params, x, first, kept):
        del params, x
        h = previous(first[0], kept[0])
        r, u, n, a = jnp.split(kept[1], 4, axis=-1)
        return h, (a * r * (1 - r), (h - n) * u * (1 - u), (1 - u) * (1 - n) * (1 + n), u, r)

    def step_back(transposed, local, dstate):
        r_slope, u_slope, n_slope, u, r = local
        (dh,) = dstate
        dn = dh * n_slope
        dz = jnp.concatenate([dn * r_slope, dh * u_slope, dn], axis=-1)
        dq = jnp.concatenate([dz[..., : 2 * units], dn * r], axis=-1)
        return dz, (dh * u + matmul(dq, transposed),)

    def recurrent_derivative(local, dz):
        return jnp.concatenate([dz[..., : 2 * units], dz[..., 2 * units :] * local[4]], axis=-1)

    return gated_cell(
        "gru",
        units,
        3,
        1,
        step,
        local,
        step_back,
        inits=(weight_init, recurrent_init),
        recurrent_bias=True,
        recurrent_derivative=recurrent_derivative,
    )


#: name -> constructor
CELLS: dict[str, Callable[..., Cell]] = {"simple": simple, "lstm": lstm, "gru": gru}


def cell_of(spec: CellSpec) -> Cell:
    """The cell that `spec` describes. Raises `UserError` for a name or an option that does not exist."""
    if isinstance(spec, Cell):
        return spec
    if not isinstance(spec, Mapping):
        raise UserError(f'expected a cell or a table such as {{"name": "lstm", "units": 128}}, found {spec!r}')
    options = dict(spec)
    name = options.pop("name", None)
    if name not in CELLS:
        raise UserError(f"expected a cell among {', '.join(CELLS)}, found {name!r}{hint(str(name), list(CELLS), repr)}")
    known = inspect.signature(CELLS[name]).parameters
    for option in options:
        if option not in known:
            raise UserError(
                f"cell {name!r} takes {', '.join(known)}, found {option!r}{hint(option, list(known), repr)}"
            )
    if "units" not in options:
        raise UserError(f"cell {name!r}: expected its number of units, found none")
    return CELLS[name](**options)
