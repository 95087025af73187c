"""Named mistakes in the backward code of the library: its source with one text replaced."""

import importlib
import inspect
import sys
import types
from typing import NamedTuple

import jax
from jax import numpy as jnp

from jaxnn.certify.cases import Constructor, constructor


class Mutant(NamedTuple):
    """A mistake in the constructor `of`: in its module, or in `module` that it uses, `old` is replaced by `new`."""

    name: str
    of: str
    old: str
    new: str
    module: str = ""


_MATMUL, _WINDOW = "jaxnn.kernels.matmul", "jaxnn.kernels.window"
_CELL, _CELLS = "jaxnn.layers.cell", "jaxnn.layers.cells"
_ROWS, _ATTENTION = "jaxnn.kernels.rows", "jaxnn.kernels.attention"
_CONVOLUTION, _MAXIMUM = "jaxnn.kernels.convolution", "jaxnn.kernels.maximum"

MUTANTS: tuple[Mutant, ...] = (
    # Functions of one number.
    Mutant("sigmoid: a factor dropped", "sigmoid", "lambda y: y * (1 - y)", "lambda y: 1 - y"),
    Mutant("sigmoid: wrong sign", "sigmoid", "lambda y: y * (1 - y)", "lambda y: y * (1 + y)"),
    Mutant("sigmoid: from x, not from y", "sigmoid", "jax.nn.sigmoid, keep_y", "jax.nn.sigmoid, keep_x"),
    Mutant("tanh: factor 1.001", "tanh", "(1 - y) * (1 + y)", "1.001 * (1 - y) * (1 + y)"),
    Mutant("tanh: a factor dropped", "tanh", "(1 - y) * (1 + y)", "1 - y"),
    Mutant("tanh: of x, not of y", "tanh", "jnp.tanh, keep_y", "jnp.tanh, keep_x"),
    Mutant("relu: open at 0", "relu", "lambda x, y: y > 0", "lambda x, y: y >= 0"),
    Mutant("relu: lets everything through", "relu", "lambda x, y: y > 0", "lambda x, y: y > -1"),
    Mutant("softplus: wrong sign", "softplus", "-jnp.expm1(-y)", "jnp.expm1(-y)"),
    Mutant("softplus: of x, not of y", "softplus", "jax.nn.softplus, keep_y", "jax.nn.softplus, keep_x"),
    Mutant("leaky_relu: slope of the other side", "leaky_relu", "jnp.where(positive, 1.0, slope)",
           "jnp.where(positive, slope, 1.0)"),
    Mutant("leaky_relu: closed at 0", "leaky_relu", "lambda x, y: x >= 0", "lambda x, y: x > 0"),
    Mutant("elu: alpha dropped", "elu", "alpha * jnp.exp(jnp.minimum", "jnp.exp(jnp.minimum"),
    Mutant("elu: of y, not of x", "elu", "jax.nn.elu(x, alpha), keep_x", "jax.nn.elu(x, alpha), keep_y"),
    Mutant("gelu: the density's term dropped", "gelu",
           "cumulative + x * jnp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)", "cumulative"),
    Mutant("gelu: the cumulative term dropped", "gelu",
           "return cumulative + x * jnp.exp", "return x * jnp.exp"),
    Mutant("gelu: π left out of the density", "gelu", "math.sqrt(2 * math.pi)", "math.sqrt(2 * 3.14)"),
    Mutant("silu: the second term dropped", "silu", "s * (1 + x * (1 - s))", "s"),
    Mutant("silu: the first term dropped", "silu", "s * (1 + x * (1 - s))", "s * x * (1 - s)"),
    Mutant("silu: wrong sign", "silu", "s * (1 + x * (1 - s))", "s * (1 - x * (1 - s))"),
    Mutant("elementwise: a product with 0, not a select", "relu",
           "jnp.where(slope, dy, 0) if slope.dtype == bool else slope * dy", "slope * dy * dy"),
    Mutant("identity: factor 1.001", "identity", "return (), dy", "return (), 1.001 * dy"),
    Mutant("threshold: passes dy on", "threshold", "jnp.zeros_like(dy)", "dy"),
    # Softmax.
    Mutant("softmax: the sum dropped", "softmax", "y * (dy - (dy * y).sum(-1, keepdims=True))", "y * dy"),
    Mutant("softmax: mean for sum", "softmax", "(dy * y).sum(-1", "(dy * y).mean(-1"),
    Mutant("softmax: over the wrong axis", "softmax", "(dy * y).sum(-1", "(dy * y).sum(0"),
    Mutant("softmax: y left out of the sum", "softmax", "(dy * y).sum(-1", "dy.sum(-1"),
    # Dense.
    Mutant("dense: dW 0.1 % too large", "dense", "weight_gradient(x, dy)", "1.001 * weight_gradient(x, dy)"),
    Mutant("dense: dW of the wrong sign", "dense", "weight_gradient(x, dy)", "-weight_gradient(x, dy)"),
    Mutant("dense: dW without its transpose", "dense", "weight_gradient(x, dy)",
           "weight_gradient(dy, x).reshape(params.weight.shape)"),
    Mutant("dense: dW of a stale activation", "dense", "weight_gradient(x, dy)",
           "weight_gradient(jax.numpy.roll(x, 1, 0), dy)"),
    Mutant("dense: a row of the batch lost in dW", "dense", "weight_gradient(x, dy)",
           "weight_gradient(x.at[-1].set(0), dy)"),
    Mutant("dense: dW a mean over the batch", "dense", "weight_gradient(x, dy)", "weight_gradient(x, dy) / len(x)"),
    Mutant("dense: dW of a long batch without its last examples", "dense", "jnp.pad(z, [(0, 0)] * (z.ndim - 1) + ["
           "(0, -z.shape[-1] % LANES)])", "z[..., : len(z.T) // LANES * LANES]", _MATMUL),
    Mutant("dense: dW of few units not turned back", "dense", "lax.optimization_barrier(dy.T @ x).T",
           "lax.optimization_barrier(dy.T @ x).reshape(n, units)", _MATMUL),
    Mutant("dense: dW of a batch that stays not turned", "dense", "lax.optimization_barrier(x.T)",
           "lax.optimization_barrier(x.reshape(n, -1))", _MATMUL),
    Mutant("dense: dx without the transpose", "dense", "matmul(dy, params.weight.T)",
           "matmul(dy, params.weight.reshape(params.weight.shape[::-1]))"),
    Mutant("dense: dx dropped", "dense", "matmul(dy, params.weight.T)", "0 * matmul(dy, params.weight.T)"),
    Mutant("dense: dx in half precision", "dense", "matmul(dy, params.weight.T)",
           "matmul(dy, params.weight.T).astype('bfloat16').astype(dy.dtype)"),
    Mutant("dense: db a mean over the batch", "dense", "sum_leading(dy)", "sum_leading(dy) / len(dy)", _MATMUL),
    Mutant("dense: db dropped", "dense", "sum_leading(dy)", "jnp.zeros_like(bias)", _MATMUL),
    Mutant("dense: db over the first axis alone", "dense", "sum_leading(dy)", "dy.sum(0).reshape(-1, dy.shape[-1])[0]",
           _MATMUL),
    # Convolution.
    Mutant("conv: kernel not turned in dx", "conv", "zip(self.tap_offsets(), views, strict=True)",
           "zip(list(self.tap_offsets())[::-1], views, strict=True)", _WINDOW),
    Mutant("conv: stride ignored in dx", "conv",
           "config.append((low, x.shape[1 + axis] - reach, self.stride[axis] - 1))",
           "config.append((low, x.shape[1 + axis] - low - n, 0))", _WINDOW),
    Mutant("conv: padding off by one in dx", "conv", "low = offset - self.pads[axis][0]",
           "low = offset - self.pads[axis][1]", _WINDOW),
    Mutant("conv: dilation ignored", "conv", "yield i * self.dilation[0], j * self.dilation[1]", "yield i, j", _WINDOW),
    Mutant("conv: stride ignored in what a tap reads", "conv", "(1, sh, sw, 1),", "(1, sw, sh, 1),", _WINDOW),
    Mutant("conv: rows and columns of dW changed over", "conv",
           ".T @ dy_rows for row in rows]", ".T @ dy_rows for row in rows][::-1]", _CONVOLUTION),
    Mutant("conv: dW of few channels without its transpose", "conv",
           "window.patches(x).T @ dy.reshape(-1, dy.shape[-1])",
           "dy.reshape(-1, dy.shape[-1]).T @ window.patches(x)", _CONVOLUTION),
    Mutant("conv: the taps of one channel changed over", "conv", "jnp.stack(vertical.shifted_views(views))",
           "jnp.stack(vertical.shifted_views(views)[::-1])", _WINDOW),
    Mutant("conv: dx dropped", "conv", "bias_gradient(params.bias, dy)), dx",
           "bias_gradient(params.bias, dy)), 0 * dx"),
    Mutant("conv: the last row of dy lost in dW", "conv", "dy_rows = dy.reshape(-1, dy.shape[-1])",
           "dy_rows = dy.at[:, -1].set(0).reshape(-1, dy.shape[-1])", _CONVOLUTION),
    Mutant("conv_max_pool: the last of the places, not the first", "conv_max_pool", "chosen == q, rows, 0",
           "chosen == count - 1 - q, rows, 0", _MAXIMUM),
    Mutant("conv_max_pool: a place forgotten in dW", "conv_max_pool", "return functools.reduce(jnp.add, terms)",
           "return functools.reduce(jnp.add, terms[1:])"),
    Mutant("conv_max_pool: dW a mean over the places", "conv_max_pool", "return functools.reduce(jnp.add, terms)",
           "return functools.reduce(jnp.add, terms) / count"),
    Mutant("conv_max_pool: db of what was not chosen too", "conv_max_pool", "dy.sum((0, 1, 2))",
           "count * dy.sum((0, 1, 2))"),
    Mutant("conv_max_pool: dx without the transpose of V", "conv_max_pool", "dz @ shift(params.weight).T",
           "dz @ shift(params.weight).reshape(count * channels, -1)"),
    # Pooling.
    Mutant("max_pool: ties go to the last", "max_pool", "larger = (other > y)", "larger = (other >= y)", _MAXIMUM),
    Mutant("max_pool: dy to every entry of the window", "max_pool",
           "jnp.where(index == k, dy, 0), (index, dy), images)", "dy, (index, dy), images)"),
    Mutant("max_pool: off by one tap", "max_pool", "jnp.where(index == k, dy, 0), (index, dy), images)",
           "jnp.where(index == k + 1, dy, 0), (index, dy), images)"),
    Mutant("max_pool: padding can win", "max_pool", "first_maximum(window_for(x).shifted_views(x, -np.inf))",
           "first_maximum(window_for(x).shifted_views(x, 0.0))"),
    Mutant("average_pool: sum for mean", "average_pool",
           "share = dy / jnp.broadcast_to(_counts(w, res), dy.shape)", "share = dy"),
    Mutant("average_pool: padding counted", "average_pool",
           "share = dy / jnp.broadcast_to(_counts(w, res), dy.shape)", "share = dy / (w.size[0] * w.size[1])"),
    Mutant("l2_pool: the norm left out", "l2_pool", "jnp.where(y == 0, 0, dy / jnp.where(y == 0, 1, y))", "dy"),
    Mutant("l2_pool: x left out", "l2_pool", "return (), x * window_for(x).scatter_to_taps(",
           "return (), window_for(x).scatter_to_taps("),
    Mutant("l2_pool: 0 divided by 0", "l2_pool", "jnp.where(y == 0, 0, dy / jnp.where(y == 0, 1, y))", "dy / y"),
    Mutant("pools: windows that overlap do not add", "average_pool",
           "total = placed if total is None else total + placed",
           "total = placed if total is None else jnp.where(placed != 0, placed, total)", _WINDOW),
    # Dropout, shapes.
    Mutant("dropout: the scale forgotten on the way back", "dropout", "dy if res is None else drop(res, dy)",
           "dy if res is None else jnp.where(res, dy, 0)"),
    Mutant("dropout: the mask forgotten on the way back", "dropout", "dy if res is None else drop(res, dy)",
           "dy if res is None else dy / (1 - rate)"),
    Mutant("dropout: the mask turned round", "dropout", "dy if res is None else drop(res, dy)",
           "dy if res is None else drop(~res, dy)"),
    Mutant("flatten: rows and columns changed over", "flatten", "x.reshape(x.shape[0], math.prod(x.shape[1:])), x[:0]",
           "x.swapaxes(1, 2).reshape(x.shape[0], math.prod(x.shape[1:])), x[:0]"),
    Mutant("reshape: the batch turned round", "reshape", "return (), dy.reshape(dy.shape[0], *res.shape[1:])",
           "return (), dy[::-1].reshape(dy.shape[0], *res.shape[1:])"),
    # Sequences.
    Mutant("recur: the places in the wrong order", "recur", "len(x))), reverse=True)", "len(x))))"),
    Mutant("recur: the state's derivative dropped", "recur", "dstate = (dstate[0] + dy, *dstate[1:])",
           "dstate = (dy, *dstate[1:])"),
    Mutant("recur: the first state's derivative dropped", "recur", "(dx, dfirst) if state",
           "(dx, jax.tree.map(jnp.zeros_like, dfirst)) if state"),
    Mutant("recur: dU from the state after", "recur", "weight_gradient(before[0], dq)",
           "weight_gradient(jnp.roll(before[0], -1, 0), dq)", _CELL),
    Mutant("recur: db a mean over the batch", "recur", "bias_gradient(params.input.bias, dz)",
           "bias_gradient(params.input.bias, dz) / x.shape[1]", _CELL),
    Mutant("recur: the derivative of a reversed input not reversed", "recur",
           "join_derivative(_batch_first(dx, lengths, reverse), lengths)",
           "join_derivative(_batch_first(dx, lengths, False), lengths)"),
    Mutant("recur: the derivative lost where a sequence has ended", "recur", "jnp.where(valid, b, d) for b, d",
           "jnp.where(valid, b, 0) for b, d"),
    Mutant("recur: dy at padding counted", "recur", "dy if lengths is None else clear_padding(dy.values, lengths)",
           "dy if lengths is None else dy.values", "jaxnn.sequence"),
    Mutant("simple: a factor of tanh's slope dropped", "recur", "(1 - h) * (1 + h) if tanh", "1 - h if tanh", _CELLS),
    Mutant("lstm: c after for c before", "recur", "before[1] * f * (1 - f)", "after[1] * f * (1 - f)", _CELLS),
    Mutant("lstm: dc not carried", "recur", "params.recurrent.weight.T), dc * f)",
           "params.recurrent.weight.T), 0 * dc)", _CELLS),
    Mutant("lstm: the cell's part of dh dropped", "recur", "dc = dc + dh * c_slope", "dc = dc + 0 * dh", _CELLS),
    Mutant("lstm: the slope of the output gate wrong", "recur", "t * o * (1 - o)", "t * o * (1 + o)", _CELLS),
    Mutant("gru: the reset gate left out of dq", "recur", "dz[..., 2 * units :] * local[4]", "dz[..., 2 * units :]",
           _CELLS),
    Mutant("gru: the reset gate left out on the way back", "recur", "dn * r], axis=-1)", "dn], axis=-1)", _CELLS),
    Mutant("gru: the direct way of h dropped", "recur", "dh * u + matmul(dq", "matmul(dq", _CELLS),
    Mutant("gru: n and h changed over", "recur", "(h - n) * u * (1 - u)", "(n - h) * u * (1 - u)", _CELLS),
    Mutant("bidirectional: dx of one direction", "bidirectional", "return tuple(gradients), _add(*inputs)",
           "return tuple(gradients), inputs[0]", "jaxnn.combine"),
    Mutant("embedding: a row for its neighbour", "embedding", ".at[ids].add(dy", ".at[ids + 1].add(dy", _ROWS),
    Mutant("embedding: a repeated token counted once", "embedding", ".at[ids].add(dy", ".at[ids].set(dy", _ROWS),
    Mutant("unembedding: dE 0.1 % too large", "unembedding", "weight_gradient(dy, res)",
           "1.001 * weight_gradient(dy, res)"),
    Mutant("unembedding: dx dropped", "unembedding", "matmul(dy, params.table)", "0 * matmul(dy, params.table)"),
    Mutant("positional_embedding: a mean over the batch", "positional_embedding", "jnp.pad(dy.sum(0)",
           "jnp.pad(dy.mean(0)"),
    Mutant("layer_norm: the mean of g dropped", "layer_norm", "g - g.mean(-1, keepdims=True) - normal", "g - normal"),
    Mutant("layer_norm: the projection on x̂ dropped", "layer_norm",
           " - normal * (product * scale).mean(-1, keepdims=True))", ")"),
    Mutant("layer_norm: the scale left out of dx", "layer_norm", "dy * normal, dy * scale", "dy * normal, dy"),
    Mutant("layer_norm: dγ from x, not from x̂", "layer_norm", "sum_leading(product)", "sum_leading(dy * x)"),
    Mutant("rms_norm: sum for mean", "rms_norm", "[..., None] / dy.shape[-1]", "[..., None]"),
    Mutant("rms_norm: dγ without x̂", "rms_norm", "sum_leading(product)", "sum_leading(dy)"),
    Mutant("attention: D left out of dS", "attention", "(dweights - row_sums)", "dweights", _ATTENTION),
    Mutant("attention: 1/√d left out of dS", "attention", "(dweights - row_sums) * scale", "(dweights - row_sums)",
           _ATTENTION),
    Mutant("attention: the mask left out on the way back", "attention",
           "jnp.where(seen, jnp.exp(scores - logs[:, :, rows, None]), 0)",
           "jnp.exp(scores - logs[:, :, rows, None])", _ATTENTION),
    Mutant("attention: dropout left out of dv", "attention", "dropped = _drop(weights, how, rows).astype",
           "dropped = weights.astype", _ATTENTION),
    Mutant("attention: dropout left out of dP", "attention", "dweights = _drop(dweights, how, rows)",
           "dweights = 1 * dweights", _ATTENTION),
    Mutant("attention: keys of later blocks lost", "attention", "dk.at[:, :, keys].add(", "dk.at[:, :, keys].set(",
           _ATTENTION),
    Mutant("attention: dk and dv changed over", "attention", "for part in (dq, dk, dv)], -1)",
           "for part in (dq, dv, dk)], -1)"),
    Mutant("attention: turned in the same direction on the way back", "attention", "_rotate(part, 0, -1)",
           "_rotate(part, 0, 1)"),
    Mutant("attention: a mean over the batch for its positions", "attention", "jnp.pad(dx.sum(0)",
           "jnp.pad(dx.mean(0)"),
    Mutant("pool_sequence: a mean over padding", "pool_sequence", "dy / _divisor(count, dy.dtype)", "dy / time"),
    Mutant("pool_sequence: last, not last valid", "pool_sequence", "== kept[:, None]", "== time - 1"),
    Mutant("pool_sequence: dy to all places", "pool_sequence", "jnp.where(chosen, dy[:, None], 0)",
           "jnp.broadcast_to(dy[:, None], (*chosen.shape[:2], dy.shape[-1]))"),
    Mutant("transformer: the shortcut forgotten on the way back", "transformer",
           "lambda d, past: None if d is None else d + past", "lambda d, past: d", "jaxnn.combine"),
    # Combinators.
    Mutant("serial: the gradients in the order of the walk", "serial", "tuple(reversed(gradients.values())), dy",
           "tuple(gradients.values()), dy"),
    Mutant("serial: each layer sees the first dy", "serial", "dparams, dy = part.layer.backward(",
           "dparams, _ = part.layer.backward("),
    Mutant("parallel: dx of the first branch alone", "parallel", "_add(*inputs)", "inputs[0]"),
    Mutant("parallel: dx a mean over the branches", "parallel", "_add(*inputs)",
           "jax.tree.map(lambda a: a / len(inputs), _add(*inputs))"),
    Mutant("parallel: the columns cut off by one", "parallel", "jnp.split(dy, ends, axis=-1)",
           "jnp.split(dy, [1 + end for end in ends], axis=-1)"),
    Mutant("residual: the way around forgotten", "residual",
           "lambda d, past: None if d is None else d + past", "lambda d, past: d"),
    Mutant("residual: the way through forgotten", "residual",
           "lambda d, past: None if d is None else d + past", "lambda d, past: past"),
    # Losses.
    Mutant("quadratic: factor 2", "quadratic", "lambda y, t: y - dense_target(t, y),",
           "lambda y, t: 2 * (y - dense_target(t, y)),"),
    Mutant("mean_squared_error: sum for mean over the outputs", "mean_squared_error",
           "lambda y, t: (2 / y.shape[-1]) * (y - dense_target(t, y))",
           "lambda y, t: 2 * (y - dense_target(t, y))"),
    Mutant("sigmoid_cross_entropy: σ′ of the quadratic cost left in", "sigmoid_cross_entropy",
           "return (1 - t) * jax.nn.sigmoid(y) - t * jax.nn.sigmoid(-y)",
           "return (jax.nn.sigmoid(y) - t) * jax.nn.sigmoid(y) * jax.nn.sigmoid(-y)"),
    Mutant("sigmoid_cross_entropy: the target dropped", "sigmoid_cross_entropy",
           "return (1 - t) * jax.nn.sigmoid(y) - t * jax.nn.sigmoid(-y)", "return jax.nn.sigmoid(y)"),
    Mutant("sigmoid_cross_entropy: a difference in which nothing is left", "sigmoid_cross_entropy",
           "return (1 - t) * jax.nn.sigmoid(y) - t * jax.nn.sigmoid(-y)", "return jax.nn.sigmoid(y) - t"),
    Mutant("softmax_cross_entropy: the target dropped", "softmax_cross_entropy", "* jax.nn.softmax(y) - t\n",
           "* jax.nn.softmax(y)\n"),
    Mutant("softmax_cross_entropy: targets taken to add up to 1", "softmax_cross_entropy",
           "t.sum(-1, keepdims=True) * jax.nn.softmax(y) - t", "jax.nn.softmax(y) - t"),
    Mutant("perceptron: wrong sign", "perceptron", ".sum(-1), derivative, reduction)",
           ".sum(-1), lambda z, t: -derivative(z, t), reduction)"),
    Mutant("losses: sum for mean", "softmax_cross_entropy", "sum(), dy / terms.size", "sum(), dy"),
    Mutant("losses: a mean's value, a sum divided late", "sigmoid_cross_entropy",
           "(terms / terms.size).sum(), dy / terms.size", "terms.sum() / terms.size, dy / terms.size"),
    Mutant("losses: the gradient of a weighted mean without its weights", "softmax_cross_entropy",
           "jnp.where(share == 0, 0, share * dy)", "jnp.where(share == 0, 0, dy)"),
    Mutant("losses: a masked place gets a gradient", "softmax_cross_entropy",
           "jnp.where(share == 0, 0, share * dy)", "jnp.where(share == 0, dy, share * dy)"),
    # What trains.
    Mutant("value_and_grad: dy of the loss dropped", "value_and_grad", "model.backward(params, res, dy)",
           "model.backward(params, res, jnp.ones_like(dy))"),
    Mutant("value_and_grad: the gradient twice", "value_and_grad", "return (value, y), dparams",
           "return (value, y), jax.tree.map(lambda g: 2 * g, dparams)"),
    Mutant("value_and_grad: an update before the gradient", "value_and_grad", "model.backward(params, res, dy)",
           "model.backward(jax.tree.map(lambda p: 0.999 * p, params), res, dy)"),
    Mutant("optimizer: a penalty on biases", "optimizer", "optax.add_decayed_weights(l2, mask=is_weight)",
           "optax.add_decayed_weights(l2)"),
)  # fmt: skip


def mutated(mutant: Mutant) -> Constructor:
    """The constructor with the mistake: the source of its module, with the first occurrence of `old` changed, is run.

    Raises `LookupError` if the text does not occur.
    """
    home = constructor(mutant.of).__module__
    changed = mutant.module or home
    return getattr(_rebuilt(home, {changed: _changed(changed, mutant)}), mutant.of)


def _rebuilt(name: str, modules: dict[str, types.ModuleType]) -> types.ModuleType:
    """The module `name` over the changed modules in `modules`: it is run again if it imports one of them, itself or
    through other modules, and `modules` remembers the result."""
    if name not in modules:
        original = modules[name] = importlib.import_module(name)
        imports = {key: _module_of(value) for key, value in vars(original).items() if not key.startswith("__")}
        sources = {source for source in imports.values() if source.startswith("jaxnn.") and source != name}
        changed = {source for source in sorted(sources) if _rebuilt(source, modules) is not sys.modules[source]}
        if changed:
            modules[name] = _run(name, inspect.getsource(original))
            for key, source in imports.items():
                if source in changed:
                    # Either the changed module or one of its functions and classes.
                    whole = vars(original)[key] is sys.modules[source]
                    setattr(modules[name], key, modules[source] if whole else getattr(modules[source], key))
    return modules[name]


def _module_of(value: object) -> str:
    """The name of a module, or of the module that defines a function or class; "" for another value."""
    return value.__name__ if isinstance(value, types.ModuleType) else str(getattr(value, "__module__", ""))


def _changed(name: str, mutant: Mutant) -> types.ModuleType:
    source = inspect.getsource(importlib.import_module(name))
    # The search starts at the constructor's code if it is in this module: other layers, and its docstring, may hold the
    # same text.
    start = max(source.find(f"def {mutant.of}("), 0)
    for _ in range(2 if start else 0):
        start = source.index('"""', start) + 3
    if mutant.old not in source[start:]:
        start = 0
    head, tail = source[:start], source[start:]
    if mutant.old not in tail:
        raise LookupError(f"mutant {mutant.name!r}: expected in {name} the text {mutant.old!r}, found it nowhere")
    return _run(name, head + tail.replace(mutant.old, mutant.new, 1))


def _run(name: str, source: str) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__dict__["jnp"] = jnp
    module.__dict__["jax"] = jax
    exec(compile(source, f"<a mutant of {name}>", "exec"), module.__dict__)
    return module
