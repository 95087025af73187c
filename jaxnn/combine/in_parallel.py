"""Layers side by side: each sees the same input."""

from typing import Any, Literal

import jax
from jax import numpy as jnp

from jaxnn.combine.parts import add, combined_parts, is_floating, output_shapes
from jaxnn.combine.time import combined_time
from jaxnn.errors import UserError
from jaxnn.layer import Layer, check_entries, params_of, part_key
from jaxnn.shapes import Shape, check_dy_tree, describe_shapes, is_shape, same_shapes, shapes_of


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
    parts = combined_parts("parallel", layers, {})

    def init(key, x):
        params = tuple(part.layer.init(part_key(key, part.name), x) for part in parts)
        check_outputs([output_shapes(part.layer, params_of(part, params), x) for part in parts])
        return params

    def check_outputs(outputs):
        """Refuses outputs that JAX would broadcast, or could not join."""
        axes, note = (None, "") if combine == "sum" else (-1, " but for the last axis")
        if not all(same_shapes(outputs[0], y, axes) for y in outputs):
            found = " and ".join(map(describe_shapes, outputs))
            raise UserError(f"parallel: expected outputs of one shape{note}, found {found}")

    def combined(outputs):
        return add(*outputs) if combine == "sum" else jax.tree.map(_join, *outputs)

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
        return tuple(gradients), add(*inputs)

    def flow(x, apply):
        return combined([apply(part, x) for part in parts])

    return Layer(init, forward, backward, "parallel", parts, combined_time(parts, flow), flow)


def _join(first: Any, *others: Any) -> Any:
    """Floating leaves along the last axis; another leaf is that of the first output."""
    return jnp.concatenate([first, *others], -1) if is_floating(first) else first


def _columns(dy: Any, outputs: tuple[Shape, ...]) -> list[Any]:
    """`dy` cut along its last axis as the `outputs` were joined; None where it has no derivative."""
    if dy is None:
        return [None] * len(outputs)
    ends = [sum(output.shape[-1] for output in outputs[: i + 1]) for i in range(len(outputs) - 1)]
    return jnp.split(dy, ends, axis=-1)
