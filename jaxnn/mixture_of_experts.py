"""Experts side by side, of which a gate says how much each of them counts."""

from typing import Any, NamedTuple

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float

from jaxnn.errors import UserError
from jaxnn.layer import Layer, Params, Part, add_derivatives, check_entries, check_layer, params_of, part_key
from jaxnn.shapes import Shape, check_dy_tree, describe_shapes, same_shapes, shapes_of

Outputs = Float[Array, "batch *shape"]
Shares = Float[Array, "batch experts"]


class MixtureResiduals(NamedTuple):
    """parts: what the gate and the experts keep; shares: g; outputs: those of the experts; y: its shape."""

    parts: tuple[Any, ...]
    shares: Shares
    outputs: tuple[Outputs, ...]
    y: Shape


def mixture(gate: Layer, *experts: Layer) -> Layer:
    """A mean of what experts say of x, with shares that a gate gives for each example.

    g = softmax(gate(x));  y = Σₖ gₖ fₖ(x)
    dyₖ = gₖ dy for each expert;  dgₖ = ⟨dy, fₖ(x)⟩;  the gate gets g ∘ (dg − Σₖ gₖ dgₖ)
    dx = Σₖ fₖ.backward(dyₖ) + gate.backward(…)

    Derivation: y is linear in each fₖ, with the factor gₖ, and in each gₖ, with the factor fₖ. The gate's logits follow
    by the derivative of the softmax. x goes into all nets, and gathers all their derivatives.

    x (batch, …); gate(x) (batch, experts); each fₖ(x) and y (batch, …), all of one shape. Where all experts agree, the
    gate gets no gradient. Kept: g and the experts' outputs. params and dparams are dictionaries: "gate", "expert_0", …
    (Jacobs, Jordan, Nowlan and Hinton 1991.)
    Raises `UserError` for what is no layer, for no experts, and for outputs that do not fit each other.
    """
    check_layer("mixture: gate", gate)
    if not experts:
        raise UserError("mixture: expected a gate and at least one expert, found a gate alone")
    for i, expert in enumerate(experts):
        check_layer(f"mixture: expert {i}", expert)
    names = ["gate", *(f"expert_{i}" for i in range(len(experts)))]
    parts = tuple(Part(name, layer, name) for name, layer in zip(names, (gate, *experts), strict=True))

    def check_outputs(logits: Any, outputs: list[Any]) -> None:
        y = outputs[0]
        if not all(hasattr(output, "shape") and same_shapes(y, output) for output in outputs):
            raise UserError(
                f"mixture: expected experts with outputs of one shape, found {describe_shapes(tuple(outputs))}"
            )
        expected = (y.shape[0], len(experts))
        if tuple(getattr(logits, "shape", ())) != expected:
            raise UserError(
                f"mixture: expected the gate to give a number for each expert, shape {expected}, found "
                f"{describe_shapes(logits)}"
            )

    def init(key, x):
        params = {part.name: part.layer.init(part_key(key, part.name), x) for part in parts}
        logits, *outputs = (jax.eval_shape(part.layer.apply, params[part.name], x) for part in parts)
        check_outputs(logits, outputs)
        return params

    def forward(params, x, key):
        check_entries("mixture", parts, params)
        pairs = [part.layer.forward(params_of(part, params), x, part_key(key, part.name)) for part in parts]
        (logits, *outputs), residuals = zip(*pairs, strict=True)
        check_outputs(logits, outputs)
        shares = jax.nn.softmax(logits, axis=-1)
        y = _mean(shares, outputs)
        return y, MixtureResiduals(tuple(residuals), shares, tuple(outputs), shapes_of(y))

    def backward(params, res, dy):
        check_entries("mixture", parts, params)
        check_dy_tree("mixture", dy, res.y)
        g = res.shares
        dg = jnp.stack([(dy * f).reshape(len(dy), -1).sum(-1) for f in res.outputs], axis=-1)
        dlogits = g * (dg - (g * dg).sum(-1, keepdims=True))
        cotangents = [dlogits, *(_spread(g[:, k], dy) * dy for k in range(len(experts)))]
        dparams, inputs = {}, []
        for part, r, cotangent in zip(parts, res.parts, cotangents, strict=True):
            dparams[part.name], dx = part.layer.backward(params_of(part, params), r, cotangent)
            inputs.append(dx)
        return dparams, add_derivatives(*inputs)

    def flow(x, apply):
        logits, *outputs = (apply(part, x) for part in parts)
        return _mean(jax.nn.softmax(logits, axis=-1), outputs)

    return Layer(init, forward, backward, "mixture", parts, flow=flow)


def shares(layer: Layer, params: Params, x: Any) -> Shares:
    """How much each expert of a `mixture` counts for each example: (batch, experts), 1 in sum."""
    if layer.name != "mixture":
        raise UserError(f"shares: expected a mixture, found {layer.name or 'another layer'}")
    gate = layer.parts[0]
    return jax.nn.softmax(gate.layer.apply(params_of(gate, params), x), axis=-1)


def _mean(shares: Shares, outputs: Any) -> Outputs:
    """The mean of the outputs, weighted by the shares."""
    y = sum(_spread(shares[:, k], f) * f for k, f in enumerate(outputs[1:], 1))
    return _spread(shares[:, 0], outputs[0]) * outputs[0] + y


def _spread(share: Float[Array, "batch"], like: Outputs) -> Outputs:
    """A number for each example in the shape of an output."""
    return jnp.broadcast_to(share.reshape(-1, *[1] * (like.ndim - 1)), like.shape)
