"""Layers made of layers: in a row, side by side, around a shortcut. Only these split keys and loop over layers."""

from typing import Any, Literal, NamedTuple

import jax
from jax import numpy as jnp

from jaxnn.errors import UserError
from jaxnn.layer import Layer, Params, Part, Time, params_of, part_key
from jaxnn.sequence import join_derivative, join_lengths, per_place, split_derivative, split_lengths


class Shared(NamedTuple):
    """A part of `serial` that uses the parameters of another part; made by `share`."""

    name: str
    layer: Layer | None


def share(name: str, layer: Layer | None = None) -> Shared:
    """A part of a named `serial` that uses the weights of the part `name`.

    layer: what is computed with them; None computes what that part computes.

    >>> import jaxnn
    >>> model = jaxnn.serial(first=jaxnn.dense(8), bend=jaxnn.tanh(), again=jaxnn.share("first"))
    """
    return Shared(name, layer)


def _output(layer: Layer, params: Params, x: Any) -> Any:
    return jax.eval_shape(layer.apply, params, x)


def _shapes(tree: Any) -> Any:
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), tree)


def _add(first: Any, *others: Any) -> Any:
    """The sum of the floating leaves; the other leaves, such as the lengths of a sequence, are those of the first."""
    return jax.tree.map(lambda a, *rest: sum(rest, a) if _is_floating(a) else a, first, *others)


def _is_floating(a: Any) -> bool:
    return jnp.issubdtype(a.dtype, jnp.floating)


def _derivatives(y: Any, dy: Any) -> Any:
    """dy, with None where the output y has None, for it has no floating leaf there."""
    return jax.tree.map(lambda a, d: None if a is None else d, y, dy, is_leaf=lambda node: node is None)


def _parts(layers: tuple[Layer, ...], named: dict[str, Layer | Shared]) -> tuple[Part, ...]:
    """The parts of a `serial` in their order. Raises `UserError` for names that cannot be."""
    if layers and named:
        raise UserError(
            f"serial: expected all layers by position or all by name, found {len(layers)} by position and "
            f"{', '.join(named)} by name"
        )
    parts: dict[str, Part] = {str(i): Part(str(i), per_place(layer), str(i)) for i, layer in enumerate(layers)}
    for name, item in named.items():
        if isinstance(item, Layer):
            parts[name] = Part(name, per_place(item), name)
        elif item.name not in parts:
            raise UserError(f"serial: {name} shares the weights of {item.name!r}: expected a part before it")
        else:
            owner = parts[item.name]
            parts[name] = Part(name, per_place(item.layer or owner.layer), owner.params)
    return tuple(parts.values())


def serial(*layers: Layer, **named: Layer | Shared) -> Layer:
    """Layers in a row: the output of each is the input of the next.

    x₀ = x,  xᵢ = fᵢ(xᵢ₋₁),  y = xₙ
    dxₙ = dy,  (dparamsᵢ, dxᵢ₋₁) = fᵢ.backward(dxᵢ) for i = n … 1,  dx = dx₀

    Derivation: the chain rule, from the output to the input. Parameters that several parts share gather the sum of
    their derivatives.

    `serial(a, b)`: params, res and dparams are tuples with an entry a layer. `serial(embed=a, head=b)`: params and
    dparams are dictionaries by these names, which then stand in checkpoints, summaries and optimizer groups.
    A named part may be `share("other")`: it uses the weights of another part.
    Raises `UserError` for positions and names together, and for shared weights that do not fit.
    """
    parts = _parts(layers, named)

    def init(key, x):
        params = {}
        for part in parts:
            if part.params == part.name:
                params[part.name] = part.layer.init(part_key(key, part.name), x)
            else:
                _check_shared(part, params[part.params], x)
            x = _output(part.layer, params[part.params], x)
        return params if named else tuple(params.values())

    def forward(params, x, key):
        residuals = []
        for part in parts:
            x, res = part.layer.forward(params_of(part, params), x, part_key(key, part.name))
            residuals.append(res)
        return x, tuple(residuals)

    def backward(params, res, dy):
        gradients = {}
        for part, r in zip(reversed(parts), reversed(res), strict=True):
            dparams, dy = part.layer.backward(params_of(part, params), r, dy)
            shared = part.params in gradients
            gradients[part.params] = _add(gradients[part.params], dparams) if shared else dparams
        return gradients if named else tuple(reversed(gradients.values())), dy

    return Layer(init, forward, backward, "serial", parts, _time(parts, _in_a_row))


def _check_shared(part: Part, params: Params, x: Any) -> None:
    expected = jax.eval_shape(part.layer.init, jax.random.key(0), _shapes(x))
    if expected != (existing := _shapes(params)):
        shares = f"{part.name} shares the weights of {part.params!r}"
        raise UserError(f"serial: {shares}: expected parameters {expected}, found {existing}")


def parallel(*layers: Layer, combine: Literal["sum", "concatenate"] = "sum") -> Layer:
    """Layers side by side: each sees x; their outputs are added, or joined along the last axis.

    y = Σ fᵢ(x), or y = [f₁(x) … fₙ(x)]
    dyᵢ = dy, or its columns that fᵢ made;  dx = Σ fᵢ.backward(dyᵢ)

    Derivation: x stands in each branch, and what stands several times gathers all its derivatives.

    params, res and dparams are tuples with an entry a layer; x and y may be pytrees. Raises `UserError` for no layers
    or another `combine`.
    """
    if not layers or combine not in ("sum", "concatenate"):
        raise UserError(
            f"parallel: expected at least one layer and combine='sum' or 'concatenate', "
            f"found {len(layers)} layers and {combine!r}"
        )
    parts = _parts(layers, {})

    def init(key, x):
        return tuple(part.layer.init(part_key(key, part.name), x) for part in parts)

    def forward(params, x, key):
        outputs, residuals = [], []
        for part in parts:
            y, res = part.layer.forward(params_of(part, params), x, part_key(key, part.name))
            outputs.append(y)
            residuals.append(res)
        y = _add(*outputs) if combine == "sum" else jax.tree.map(_join, *outputs)
        return y, (tuple(residuals), tuple(jax.tree.map(_empty, y) for y in outputs))

    def backward(params, res, dy):
        residuals, outputs = res
        if combine == "sum":
            cotangents = [dy] * len(parts)
        else:
            cotangents = [
                jax.tree.map(lambda dy, *leaves, i=i: _columns(dy, leaves)[i], _derivatives(outputs[0], dy), *outputs)
                for i in range(len(parts))
            ]
        gradients, inputs = [], []
        for part, r, cotangent in zip(parts, residuals, cotangents, strict=True):
            dparams, dx = part.layer.backward(params_of(part, params), r, cotangent)
            gradients.append(dparams)
            inputs.append(dx)
        return tuple(gradients), _add(*inputs)

    def side_by_side(parts: tuple[Part, ...], x: Any, apply: Any) -> Any:
        outputs = [apply(part, x) for part in parts]
        return _add(*outputs) if combine == "sum" else jnp.concatenate(outputs, -1)

    return Layer(init, forward, backward, "parallel", parts, _time(parts, side_by_side))


def _join(first: Any, *others: Any) -> Any:
    """Floating leaves along the last axis; another leaf is that of the first output."""
    return jnp.concatenate([first, *others], -1) if _is_floating(first) else first


def _empty(a: Any) -> Any:
    """A floating leaf without examples, which keeps its width; None for another leaf."""
    return a[:0] if _is_floating(a) else None


def _columns(dy: Any, outputs: Any) -> list[Any]:
    """`dy` cut along its last axis as the `outputs` were joined."""
    ends = [sum(output.shape[-1] for output in outputs[: i + 1]) for i in range(len(outputs) - 1)]
    return jnp.split(dy, ends, axis=-1)


def residual(layer: Layer) -> Layer:
    """A layer and a way around it.

    y = x + f(x)
    dx = dy + f.backward(dy)

    Derivation: x stands in y twice, once by itself.

    f's output must have the shape of x, which may be a pytree. (He et al. 2016.) Raises `UserError` when it has not.
    """

    inner = per_place(layer)

    def init(key, x):
        params = inner.init(key, x)
        y = _output(inner, params, x)
        if _shapes(y) != _shapes(x):
            x_shape, y_shape = (jax.tree.map(lambda a: a.shape, tree) for tree in (x, y))
            raise UserError(f"residual: expected a layer whose output has its input's shape {x_shape}, found {y_shape}")
        return params

    def forward(params, x, key):
        values, lengths = split_lengths(x)
        x = join_lengths(values, lengths)
        y, res = inner.forward(params, x, key)
        return _add(x, y), (res, lengths)

    def backward(params, res, dy):
        inner_res, lengths = res
        dparams, dx = inner.backward(params, inner_res, dy)
        shortcut = dy if lengths is None else join_derivative(split_derivative(dy, lengths), lengths)
        return dparams, jax.tree.map(
            lambda d, past: None if d is None else d + past, dx, shortcut, is_leaf=lambda node: node is None
        )

    def around(parts, x, apply):
        return _add(x, apply(parts[0], x))

    parts = (Part("0", inner, ""),)
    return Layer(init, forward, backward, "residual", parts, _time(parts, around))


def _time(parts: tuple[Part, ...], run: Any) -> Time | None:
    """How a combination continues a sequence: as its parts do. None where all parts treat all places alike.

    run(parts, x, apply): the output, from `apply(part, x)` for each part
    """
    if all(part.layer.time is None for part in parts):
        return None
    starts, extends, grows = {}, {}, False
    for part in parts:
        if (time := part.layer.time) is not None:
            if time.start is None or time.extend is None:
                return Time()
            starts[part.name], extends[part.name] = time.start, time.extend
            grows = grows or time.grows

    def start(params, batch, length):
        return {p.name: starts[p.name](params_of(p, params), batch, length) for p in parts if p.name in starts}

    def extend(params, memory, x):
        memories = {}

        def apply(part, x):
            if part.name not in extends:
                return part.layer.apply(params_of(part, params), x)
            y, memories[part.name] = extends[part.name](params_of(part, params), memory[part.name], x)
            return y

        return run(parts, x, apply), memories

    return Time(start, extend, grows)


def _in_a_row(parts: tuple[Part, ...], x: Any, apply: Any) -> Any:
    for part in parts:
        x = apply(part, x)
    return x
