"""Layers made of layers: in a row, side by side, around a shortcut. Only these split keys and loop over layers."""

from typing import Any, Literal

import jax
from jax import numpy as jnp

from jaxnn.errors import UserError
from jaxnn.layer import Combined, Layer, combined


def _keys(key: Any, n: int) -> list[Any]:
    """A key for each of `n` layers (or none); the i-th does not depend on how many follow."""
    return [None if key is None else jax.random.fold_in(key, i) for i in range(n)]


def _output(layer: Layer, params, x):
    return jax.eval_shape(lambda params, x: layer.forward(params, x, None)[0], params, x)


def serial(*layers: Layer) -> Combined:
    """Layers in a row: the output of each is the input of the next.

    x₀ = x,  xᵢ = fᵢ(xᵢ₋₁),  y = xₙ
    dxₙ = dy,  (dparamsᵢ, dxᵢ₋₁) = fᵢ.backward(dxᵢ) for i = n … 1,  dx = dx₀

    Derivation: the chain rule, from the output to the input.

    params, res and dparams are tuples with an entry a layer.
    """

    def init(key, x):
        params = []
        for layer, k in zip(layers, _keys(key, len(layers)), strict=True):
            params.append(layer.init(k, x))
            x = _output(layer, params[-1], x)
        return tuple(params)

    def forward(params, x, key):
        residuals = []
        for layer, p, k in zip(layers, params, _keys(key, len(layers)), strict=True):
            x, res = layer.forward(p, x, k)
            residuals.append(res)
        return x, tuple(residuals)

    def backward(params, res, dy):
        gradients = []
        for layer, p, r in zip(reversed(layers), reversed(params), reversed(res), strict=True):
            dparams, dy = layer.backward(p, r, dy)
            gradients.append(dparams)
        return tuple(reversed(gradients)), dy

    return combined(layers, Layer(init, forward, backward))


def parallel(*layers: Layer, combine: Literal["sum", "concatenate"] = "sum") -> Combined:
    """Layers side by side: each sees x; their outputs are added, or joined along the last axis.

    y = Σ fᵢ(x), or y = [f₁(x) … fₙ(x)]
    dyᵢ = dy, or its columns that fᵢ made;  dx = Σ fᵢ.backward(dyᵢ)

    Derivation: x stands in each branch, and what stands several times gathers all its derivatives.

    params, res and dparams are tuples with an entry a layer. Raises `UserError` for no layers or another `combine`.
    """
    if not layers or combine not in ("sum", "concatenate"):
        raise UserError(
            f"parallel: expected at least one layer and combine='sum' or 'concatenate', "
            f"found {len(layers)} layers and {combine!r}"
        )

    def init(key, x):
        return tuple(layer.init(k, x) for layer, k in zip(layers, _keys(key, len(layers)), strict=True))

    def forward(params, x, key):
        outputs, residuals = [], []
        for layer, p, k in zip(layers, params, _keys(key, len(layers)), strict=True):
            y, res = layer.forward(p, x, k)
            outputs.append(y)
            residuals.append(res)
        y = sum(outputs[1:], outputs[0]) if combine == "sum" else jnp.concatenate(outputs, axis=-1)
        return y, (tuple(residuals), tuple(y[:0] for y in outputs))

    def backward(params, res, dy):
        residuals, shapes = res
        ends = [sum(s.shape[-1] for s in shapes[: i + 1]) for i in range(len(shapes) - 1)]
        parts = [dy] * len(layers) if combine == "sum" else jnp.split(dy, ends, axis=-1)
        pairs = [layer.backward(p, r, part) for layer, p, r, part in zip(layers, params, residuals, parts, strict=True)]
        gradients, inputs = zip(*pairs, strict=True)
        return tuple(gradients), jax.tree.map(lambda *dx: sum(dx[1:], dx[0]), *inputs)

    return combined(layers, Layer(init, forward, backward))


def residual(layer: Layer) -> Combined:
    """A layer and a way around it.

    y = x + f(x)
    dx = dy + f.backward(dy)

    Derivation: x stands in y twice, once by itself.

    f's output must have the shape of x. (He et al. 2016.) Raises `UserError` when it has not.
    """

    def init(key, x):
        params = layer.init(key, x)
        y = _output(layer, params, x)
        if y.shape != x.shape:
            raise UserError(f"residual: expected a layer whose output has its input's shape {x.shape}, found {y.shape}")
        return params

    def forward(params, x, key):
        y, res = layer.forward(params, x, key)
        return x + y, res

    def backward(params, res, dy):
        dparams, dx = layer.backward(params, res, dy)
        return dparams, dy + dx

    return combined((layer,), Layer(init, forward, backward))
