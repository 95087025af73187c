"""Layers in a row, some of which may share weights."""

from typing import Any

import jax

from jaxnn.combine.parts import add, combined_parts, output_shapes
from jaxnn.combine.time import combined_time
from jaxnn.errors import UserError, describe
from jaxnn.layer import Layer, Params, Part, Shared, check_entries, check_layer, params_of, part_key
from jaxnn.shapes import check_dy_tree, shapes_of


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
    parts = combined_parts("serial", layers, named)

    def init(key, x):
        params = {}
        for part in parts:
            if part.params == part.name:
                params[part.name] = part.layer.init(part_key(key, part.name), x)
            else:
                _check_shared(part, params[part.params], x)
            x = output_shapes(part.layer, params[part.params], x)
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
            gradients[part.params] = add(gradients[part.params], dparams) if shared else dparams
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


def _structs(tree: Any) -> Any:
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), tree)
