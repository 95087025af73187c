"""Layers made of layers: in a row, side by side, around a shortcut. Only these split keys and loop over layers."""

from typing import Any, Literal

import jax
from jax import numpy as jnp

from jaxnn.combined_time import combined_time
from jaxnn.errors import UserError, describe
from jaxnn.layer import (
    Layer,
    Params,
    Part,
    Shared,
    add_derivatives,
    check_entries,
    check_layer,
    params_of,
    part_key,
)
from jaxnn.sequence import join_derivative, join_lengths, per_place, split_derivative, split_lengths
from jaxnn.shapes import Shape, check_dy_tree, describe_shapes, is_shape, same_shapes, shapes_of


def share(name: str, layer: Layer | None = None) -> Shared:
    """A part of a named `serial` that uses the weights of the part `name`.

    layer: what is computed with them; None computes what that part computes.

    >>> import jaxnn
    >>> model = jaxnn.serial(first=jaxnn.dense(8), bend=jaxnn.tanh(), again=jaxnn.share("first"))
    """
    if not isinstance(name, str):
        raise UserError(f"share: expected the name of a part, found {describe(name)}")
    if layer is not None:
        check_layer("share", layer)
    return Shared(name, layer)


def _output(layer: Layer, params: Params, x: Any) -> Any:
    return jax.eval_shape(layer.apply, params, x)


def _structs(tree: Any) -> Any:
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), tree)


def _add(first: Any, *others: Any) -> Any:
    """The sum of the floating leaves; the other leaves, such as the lengths of a sequence, are those of the first."""
    return jax.tree.map(lambda a, *rest: sum(rest, a) if _is_floating(a) else a, first, *others)


def _is_floating(a: Any) -> bool:
    return jnp.issubdtype(a.dtype, jnp.floating)


def _parts(combinator: str, layers: tuple[Layer, ...], named: dict[str, Layer | Shared]) -> tuple[Part, ...]:
    """The parts of a combinator in their order. Raises `UserError` for what is no layer, and impossible names."""
    if layers and named:
        raise UserError(
            f"serial: expected all layers by position or all by name, found {len(layers)} by position and "
            f"{', '.join(named)} by name"
        )
    for i, layer in enumerate(layers):
        check_layer(f"{combinator}: argument {i}", layer)
    parts: dict[str, Part] = {str(i): Part(str(i), per_place(layer), str(i)) for i, layer in enumerate(layers)}
    for name, item in named.items():
        if not isinstance(item, Shared):
            check_layer(f"{combinator}: {name}", item)
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
    Raises `UserError` for what is no layer, for positions and names together, for shared weights that do not fit, and
    for params that are not those of these layers.
    """
    parts = _parts("serial", layers, named)

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
        check_entries("serial", parts, params)
        residuals = []
        for part in parts:
            x, res = part.layer.forward(params_of(part, params), x, part_key(key, part.name))
            residuals.append(res)
        return x, (tuple(residuals), shapes_of(x))

    def backward(params, res, dy):
        residuals, y = res
        check_entries("serial", parts, params)
        check_dy_tree("serial", dy, y)
        gradients = {}
        for part, r in zip(reversed(parts), reversed(residuals), strict=True):
            dparams, dy = part.layer.backward(params_of(part, params), r, dy)
            shared = part.params in gradients
            gradients[part.params] = _add(gradients[part.params], dparams) if shared else dparams
        return gradients if named else tuple(reversed(gradients.values())), dy

    def flow(x, apply):
        for part in parts:
            x = apply(part, x)
        return x

    return Layer(init, forward, backward, "serial", parts, combined_time(parts, flow), flow)


def _check_shared(part: Part, params: Params, x: Any) -> None:
    # Without the shardings of the arrays, which differ inside a mesh of devices.
    expected = _structs(jax.eval_shape(part.layer.init, jax.random.key(0), _structs(x)))
    if expected != (existing := _structs(params)):
        shares = f"{part.name} shares the weights of {part.params!r}"
        raise UserError(f"serial: {shares}: expected parameters {expected}, found {existing}")


def parallel(*layers: Layer, combine: Literal["sum", "concatenate"] = "sum") -> Layer:
    """Layers side by side: each sees x; their outputs are added, or joined along the last axis.

    y = Σ fᵢ(x), or y = [f₁(x) … fₙ(x)]
    dyᵢ = dy, or its columns that fᵢ made;  dx = Σ fᵢ.backward(dyᵢ)

    Derivation: x stands in each branch, and what stands several times gathers all its derivatives.

    params, res and dparams are tuples with an entry a layer; x and y may be pytrees. Raises `UserError` for no layers,
    what is no layer, another `combine`, and outputs that do not fit each other.
    """
    if not layers or combine not in ("sum", "concatenate"):
        raise UserError(
            f"parallel: expected at least one layer and combine='sum' or 'concatenate', "
            f"found {len(layers)} layers and {combine!r}"
        )
    parts = _parts("parallel", layers, {})

    def init(key, x):
        params = tuple(part.layer.init(part_key(key, part.name), x) for part in parts)
        check_outputs([_output(part.layer, params_of(part, params), x) for part in parts])
        return params

    def check_outputs(outputs):
        """Refuses outputs that JAX would broadcast, or could not join."""
        axes, note = (None, "") if combine == "sum" else (-1, " but for the last axis")
        if not all(same_shapes(outputs[0], y, axes) for y in outputs):
            found = " and ".join(map(describe_shapes, outputs))
            raise UserError(f"parallel: expected outputs of one shape{note}, found {found}")

    def combined(outputs):
        return _add(*outputs) if combine == "sum" else jax.tree.map(_join, *outputs)

    def forward(params, x, key):
        check_entries("parallel", parts, params)
        outputs, residuals = [], []
        for part in parts:
            y, res = part.layer.forward(params_of(part, params), x, part_key(key, part.name))
            outputs.append(y)
            residuals.append(res)
        check_outputs(outputs)
        y = combined(outputs)
        return y, (tuple(residuals), tuple(shapes_of(y) for y in outputs), shapes_of(y))

    def backward(params, res, dy):
        residuals, outputs, y = res
        check_entries("parallel", parts, params)
        check_dy_tree("parallel", dy, y)
        if combine == "sum":
            cotangents = [dy] * len(parts)
        else:
            dy = jax.tree.map(lambda y, dy: dy if y.is_floating else None, y, dy, is_leaf=is_shape)
            columns = jax.tree.map(lambda _, dy, *leaves: _columns(dy, leaves), y, dy, *outputs, is_leaf=is_shape)
            cotangents = [
                jax.tree.map(lambda _, pieces, i=i: pieces[i], y, columns, is_leaf=is_shape) for i in range(len(parts))
            ]
        gradients, inputs = [], []
        for part, r, cotangent in zip(parts, residuals, cotangents, strict=True):
            dparams, dx = part.layer.backward(params_of(part, params), r, cotangent)
            gradients.append(dparams)
            inputs.append(dx)
        return tuple(gradients), _add(*inputs)

    def flow(x, apply):
        return combined([apply(part, x) for part in parts])

    return Layer(init, forward, backward, "parallel", parts, combined_time(parts, flow), flow)


def _join(first: Any, *others: Any) -> Any:
    """Floating leaves along the last axis; another leaf is that of the first output."""
    return jnp.concatenate([first, *others], -1) if _is_floating(first) else first


def _columns(dy: Any, outputs: tuple[Shape, ...]) -> list[Any]:
    """`dy` cut along its last axis as the `outputs` were joined; None where it has no derivative."""
    if dy is None:
        return [None] * len(outputs)
    ends = [sum(output.shape[-1] for output in outputs[: i + 1]) for i in range(len(outputs) - 1)]
    return jnp.split(dy, ends, axis=-1)


def with_input(layer: Layer) -> Layer:
    """A layer whose output has its input beside it.

    y = (f(x), x)
    dx = f.backward(dy₀) + dy₁

    Derivation: x goes into f and stands in the output, and what stands twice gathers both derivatives.

    A variational autoencoder gives its code to its loss: `serial(encoder, with_input(serial(gaussian(), decoder)))`.
    params and dparams are those of f; x may be a pytree. Raises `UserError` for what is no layer.
    """
    check_layer("with_input", layer)
    inner = per_place(layer)

    def forward(params, x, key):
        y, res = inner.forward(params, x, key)
        return (y, x), (res, shapes_of((y, x)))

    def backward(params, res, dy):
        inner_res, y = res
        check_dy_tree("with_input", dy, y)
        dparams, dx = inner.backward(params, inner_res, dy[0])
        return dparams, add_derivatives(dx, dy[1])

    parts = (Part("0", inner, ""),)
    return Layer(inner.init, forward, backward, "with_input", parts, flow=lambda x, apply: (apply(parts[0], x), x))


def residual(layer: Layer) -> Layer:
    """A layer and a way around it.

    y = x + f(x)
    dx = dy + f.backward(dy)

    Derivation: y = x + f(x), so ∂y/∂x = 1 + ∂f/∂x. The first term passes dy on unchanged, and the second passes it
    through f's backward pass; dx is their sum. Even where ∂f/∂x is near 0, dy reaches x.

    f's output must have the shape of x, which may be a pytree. (He et al. 2016.) Raises `UserError` when it has not,
    and for what is no layer.
    """
    check_layer("residual", layer)

    def check_output(x, y):
        if not same_shapes(x, y):
            raise UserError(
                f"residual: expected a layer whose output has its input's shape {describe_shapes(x)}, "
                f"found {describe_shapes(y)}"
            )

    inner = per_place(layer)

    def init(key, x):
        params = inner.init(key, x)
        check_output(x, _output(inner, params, x))
        return params

    def forward(params, x, key):
        values, lengths = split_lengths(x)
        x = join_lengths(values, lengths)
        y, res = inner.forward(params, x, key)
        check_output(x, y)
        return _add(x, y), (res, lengths, shapes_of(x))

    def backward(params, res, dy):
        inner_res, lengths, y = res
        check_dy_tree("residual", dy, y)
        dparams, dx = inner.backward(params, inner_res, dy)
        shortcut = dy if lengths is None else join_derivative(split_derivative(dy, lengths), lengths)
        return dparams, add_derivatives(dx, shortcut)

    def flow(x, apply):
        return _add(x, apply(parts[0], x))

    parts = (Part("0", inner, ""),)
    return Layer(init, forward, backward, "residual", parts, combined_time(parts, flow), flow)
