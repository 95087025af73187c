"""Named mistakes in the backward code of the library: its source with one text replaced."""

import importlib
import inspect
import sys
import types

import jax
from jax import numpy as jnp

from jaxnn.certify.cases import Constructor, constructor
from jaxnn.certify.generative_mutants import GENERATIVE_MUTANTS
from jaxnn.certify.image_mutants import IMAGE_MUTANTS
from jaxnn.certify.mutant import Mutant
from jaxnn.certify.sequence_mutants import SEQUENCE_MUTANTS

_MATMUL = "jaxnn.kernels.matmul"

MUTANTS: tuple[Mutant, ...] = (
    # Functions of one number.
    Mutant("sigmoid: a factor dropped", "sigmoid", "lambda y: y * (1 - y)", "lambda y: 1 - y"),
    Mutant("sigmoid: wrong sign", "sigmoid", "lambda y: y * (1 - y)", "lambda y: y * (1 + y)"),
    Mutant("sigmoid: derivative from x, not from y", "sigmoid", "jax.nn.sigmoid, keep_y", "jax.nn.sigmoid, keep_x"),
    Mutant("tanh: factor 1.001", "tanh", "(1 - y) * (1 + y)", "1.001 * (1 - y) * (1 + y)"),
    Mutant("tanh: a factor dropped", "tanh", "(1 - y) * (1 + y)", "1 - y"),
    Mutant("tanh: derivative from x, not from y", "tanh", "jnp.tanh, keep_y", "jnp.tanh, keep_x"),
    Mutant("relu: derivative 1 at 0", "relu", "lambda x, y: y > 0", "lambda x, y: y >= 0"),
    Mutant("relu: passes negative inputs", "relu", "lambda x, y: y > 0", "lambda x, y: y > -1"),
    Mutant("softplus: wrong sign", "softplus", "-jnp.expm1(-y)", "jnp.expm1(-y)"),
    Mutant("softplus: derivative from x, not from y", "softplus", "jax.nn.softplus, keep_y",
           "jax.nn.softplus, keep_x"),
    Mutant("leaky_relu: slopes exchanged", "leaky_relu", "jnp.where(positive, 1.0, slope)",
           "jnp.where(positive, slope, 1.0)"),
    Mutant("leaky_relu: derivative slope at 0", "leaky_relu", "lambda x, y: x >= 0", "lambda x, y: x > 0"),
    Mutant("elu: alpha dropped", "elu", "alpha * jnp.exp(jnp.minimum", "jnp.exp(jnp.minimum"),
    Mutant("elu: derivative from y, not from x", "elu", "jax.nn.elu(x, alpha), keep_x",
           "jax.nn.elu(x, alpha), keep_y"),
    Mutant("gelu: the density's term dropped", "gelu",
           "normal_cumulative(x) + x * jnp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)", "normal_cumulative(x)"),
    Mutant("gelu: the cumulative term dropped", "gelu",
           "return normal_cumulative(x) + x * jnp.exp", "return x * jnp.exp"),
    Mutant("gelu: 3.14 for π in the density", "gelu", "math.sqrt(2 * math.pi)", "math.sqrt(2 * 3.14)"),
    Mutant("silu: the second term dropped", "silu", "s * (1 + x * (1 - s))", "s"),
    Mutant("silu: the first term dropped", "silu", "s * (1 + x * (1 - s))", "s * x * (1 - s)"),
    Mutant("silu: wrong sign", "silu", "s * (1 + x * (1 - s))", "s * (1 - x * (1 - s))"),
    Mutant("elementwise: dy squared", "relu",
           "jnp.where(slope, dy, 0) if slope.dtype == bool else slope * dy", "slope * dy * dy"),
    Mutant("identity: factor 1.001", "identity", "return (), dy", "return (), 1.001 * dy"),
    Mutant("threshold: passes dy on", "threshold", "jnp.zeros_like(dy)", "dy"),
    # Softmax.
    Mutant("softmax: the sum dropped", "softmax", "y * (dy - (dy * y).sum(-1, keepdims=True))", "y * dy"),
    Mutant("softmax: mean for sum", "softmax", "(dy * y).sum(-1", "(dy * y).mean(-1"),
    Mutant("softmax: over the wrong axis", "softmax", "(dy * y).sum(-1", "(dy * y).sum(0"),
    Mutant("softmax: factor y dropped in the sum", "softmax", "(dy * y).sum(-1", "dy.sum(-1"),
    # Dense.
    Mutant("dense: dW 0.1 % too large", "dense", "weight_gradient(x, dy)", "1.001 * weight_gradient(x, dy)"),
    Mutant("dense: dW of the wrong sign", "dense", "weight_gradient(x, dy)", "-weight_gradient(x, dy)"),
    Mutant("dense: dW without its transpose", "dense", "weight_gradient(x, dy)",
           "weight_gradient(dy, x).reshape(params.weight.shape)"),
    Mutant("dense: dW of a stale activation", "dense", "weight_gradient(x, dy)",
           "weight_gradient(jax.numpy.roll(x, 1, 0), dy)"),
    Mutant("dense: dW without the last example", "dense", "weight_gradient(x, dy)",
           "weight_gradient(x.at[-1].set(0), dy)"),
    Mutant("dense: dW a mean over the batch", "dense", "weight_gradient(x, dy)", "weight_gradient(x, dy) / len(x)"),
    Mutant("dense: dW of a long batch without its last examples", "dense", "jnp.pad(z, [(0, 0)] * (z.ndim - 1) + ["
           "(0, -z.shape[-1] % LANES)])", "z[..., : len(z.T) // LANES * LANES]", _MATMUL),
    Mutant("dense: dW of few units without its transpose", "dense", "lax.optimization_barrier(dy.T @ x).T",
           "lax.optimization_barrier(dy.T @ x).reshape(n, units)", _MATMUL),
    Mutant("dense: dW of a constant batch without its transpose", "dense", "lax.optimization_barrier(x.T)",
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
    # Dropout, shapes.
    Mutant("dropout: no scale in backward", "dropout", "dy if mask is None else drop(mask, dy)",
           "dy if mask is None else jnp.where(jnp.broadcast_to(mask, dy.shape), dy, 0)"),
    Mutant("dropout: no mask in backward", "dropout", "dy if mask is None else drop(mask, dy)",
           "dy if mask is None else dy / (1 - rate)"),
    Mutant("dropout: mask inverted", "dropout", "dy if mask is None else drop(mask, dy)",
           "dy if mask is None else drop(~mask, dy)"),
    Mutant("dropout: the mask of the first example alone", "dropout", "dy if mask is None else drop(mask, dy)",
           "dy if mask is None else drop(mask & (jnp.arange(len(dy)) == 0).reshape(-1, *[1] * (dy.ndim - 1)), dy)"),
    Mutant("flatten: rows and columns exchanged", "flatten", "x.reshape(x.shape[0], math.prod(x.shape[1:]))",
           "x.swapaxes(1, 2).reshape(x.shape[0], math.prod(x.shape[1:]))"),
    Mutant("reshape: batch reversed", "reshape", "dy.reshape(res.shape)", "dy[::-1].reshape(res.shape)"),
    # Combinators.
    Mutant("serial: gradients in reverse order", "serial", "tuple(reversed(gradients.values())), dy",
           "tuple(gradients.values()), dy"),
    Mutant("serial: each layer sees the first dy", "serial", "dparams, dy = part.layer.backward(",
           "dparams, _ = part.layer.backward("),
    Mutant("parallel: dx of the first branch alone", "parallel", "add(*inputs)", "inputs[0]"),
    Mutant("parallel: dx a mean over the branches", "parallel", "add(*inputs)",
           "jax.tree.map(lambda a: a / len(inputs), add(*inputs))"),
    Mutant("parallel: columns split off by one", "parallel", "jnp.split(dy, ends, axis=-1)",
           "jnp.split(dy, [1 + end for end in ends], axis=-1)"),
    Mutant("residual: shortcut dropped", "residual",
           "add_derivatives(dx, shortcut)", "dx"),
    Mutant("residual: the layer's dx dropped", "residual",
           "add_derivatives(dx, shortcut)", "shortcut"),
    Mutant("recompute: no mask on the way back", "recompute", "_, res = inner.forward(params, x, key)",
           "_, res = inner.forward(params, x, None)"),
    Mutant("recompute: parameters 0.1 % larger in the second pass", "recompute",
           "_, res = inner.forward(params, x, key)",
           "_, res = inner.forward(jax.tree.map(lambda p: 1.001 * p, params), x, key)"),
    # Losses.
    Mutant("quadratic: factor 2", "quadratic", "lambda y, t: y - dense_target(t, y),",
           "lambda y, t: 2 * (y - dense_target(t, y)),"),
    Mutant("mean_squared_error: sum for mean over the outputs", "mean_squared_error",
           "lambda y, t: (2 / y.shape[-1]) * (y - dense_target(t, y))",
           "lambda y, t: 2 * (y - dense_target(t, y))"),
    Mutant("sigmoid_cross_entropy: extra factor σ′", "sigmoid_cross_entropy",
           "return (1 - t) * jax.nn.sigmoid(y) - t * jax.nn.sigmoid(-y)",
           "return (jax.nn.sigmoid(y) - t) * jax.nn.sigmoid(y) * jax.nn.sigmoid(-y)"),
    Mutant("sigmoid_cross_entropy: the target dropped", "sigmoid_cross_entropy",
           "return (1 - t) * jax.nn.sigmoid(y) - t * jax.nn.sigmoid(-y)", "return jax.nn.sigmoid(y)"),
    Mutant("sigmoid_cross_entropy: cancellation in σ(y) − t", "sigmoid_cross_entropy",
           "return (1 - t) * jax.nn.sigmoid(y) - t * jax.nn.sigmoid(-y)", "return jax.nn.sigmoid(y) - t"),
    Mutant("softmax_cross_entropy: the target dropped", "softmax_cross_entropy", "* jax.nn.softmax(y) - t\n",
           "* jax.nn.softmax(y)\n"),
    Mutant("softmax_cross_entropy: targets assumed to sum to 1", "softmax_cross_entropy",
           "t.sum(-1, keepdims=True) * jax.nn.softmax(y) - t", "jax.nn.softmax(y) - t"),
    Mutant("perceptron: wrong sign", "perceptron", "terms, derivative, reduction)",
           "terms, lambda z, t: -derivative(z, t), reduction)"),
    Mutant("losses: sum for mean", "softmax_cross_entropy", "lambda dy: dy / terms.size", "lambda dy: dy",
           module="jaxnn.loss"),
    Mutant("losses: a mean divided after its sum overflows", "sigmoid_cross_entropy",
           "(terms / terms.size).sum()", "terms.sum() / terms.size", module="jaxnn.loss"),
    Mutant("losses: gradient of a weighted mean without weights", "softmax_cross_entropy",
           "jnp.where(factor == 0, 0, factor * dy)", "jnp.where(factor == 0, 0, dy)", module="jaxnn.loss"),
    Mutant("losses: a masked place gets a gradient", "softmax_cross_entropy",
           "jnp.where(factor == 0, 0, factor * dy)", "jnp.where(factor == 0, dy, factor * dy)", module="jaxnn.loss"),
    # What trains.
    Mutant("value_and_grad: dy of the loss dropped", "value_and_grad", "model.backward(params, res, dy)",
           "model.backward(params, res, jnp.ones_like(dy))"),
    Mutant("value_and_grad: the gradient twice", "value_and_grad", "return (value, y), dparams",
           "return (value, y), jax.tree.map(lambda g: 2 * g, dparams)"),
    Mutant("value_and_grad: an update before the gradient", "value_and_grad", "model.backward(params, res, dy)",
           "model.backward(jax.tree.map(lambda p: 0.999 * p, params), res, dy)"),
    Mutant("optimizer: a penalty on biases", "optimizer", "optax.add_decayed_weights(l2, mask=is_weight)",
           "optax.add_decayed_weights(l2)"),
    *IMAGE_MUTANTS,
    *SEQUENCE_MUTANTS,
    *GENERATIVE_MUTANTS,
)  # fmt: skip


def mutated(mutant: Mutant) -> Constructor:
    """The constructor with the mistake: the source of its module, with the first occurrence of `old` changed, is run.

    Raises `LookupError` if the text does not occur.
    """
    home = constructor(mutant.public_name).__module__
    changed = mutant.module or home
    return getattr(_rebuilt(home, {changed: _run(changed, changed_source(mutant))}), mutant.public_name)


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


def changed_source(mutant: Mutant) -> str:
    """The source of the mutant's module with the mistake. Raises `LookupError` if the text does not occur."""
    name = mutant.module or constructor(mutant.public_name).__module__
    source = inspect.getsource(importlib.import_module(name))
    # The search starts at the constructor's code if it is in this module: other layers, and its docstring, may hold the
    # same text.
    start = max(source.find(f"def {mutant.public_name}("), 0)
    for _ in range(2 if start else 0):
        start = source.index('"""', start) + 3
    if mutant.old not in source[start:]:
        start = 0
    head, tail = source[:start], source[start:]
    if mutant.old not in tail:
        raise LookupError(f"mutant {mutant.name!r}: expected in {name} the text {mutant.old!r}, found it nowhere")
    return head + tail.replace(mutant.old, mutant.new, 1)


def _run(name: str, source: str) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__dict__["jnp"] = jnp
    module.__dict__["jax"] = jax
    exec(compile(source, f"<a mutant of {name}>", "exec"), module.__dict__)
    return module
