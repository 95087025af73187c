"""Law 3 against a third reference: PyTorch's autograd on fixed nets in float64, where PyTorch is installed."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn import losses, serial, value_and_grad
from jaxnn.certify.case import layer_args
from jaxnn.certify.measurement import relative_error
from jaxnn.certify.pullback import jit_unoptimized
from jaxnn.layers import (
    average_pool,
    conv,
    dense,
    elu,
    flatten,
    gelu,
    l2_pool,
    leaky_relu,
    max_pool,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)

torch = pytest.importorskip("torch")
nn = torch.nn.functional


def _tensor(a):
    return torch.tensor(np.asarray(a), dtype=torch.float64, requires_grad=True)


def _channels_first(x):
    return x.permute(0, 3, 1, 2)


def _channels_last(y):
    return y.permute(0, 2, 3, 1)


def _dense(x, p):
    return x @ p.weight + p.bias


def _conv(stride=1, dilation=1, pads=((0, 0), (0, 0))):
    (top, bottom), (left, right) = pads

    def apply(x, p):
        padded = nn.pad(_channels_first(x), (left, right, top, bottom))
        y = nn.conv2d(padded, p.weight.permute(3, 2, 0, 1), p.bias, stride, dilation=dilation)
        return _channels_last(y)

    return apply


def _without_params(f):
    return lambda x, p: f(x)


#: Our layer, the same layer in PyTorch as a function of (x, params), and the shape of x.
PAIRS = {
    "sigmoid": (sigmoid(), _without_params(torch.sigmoid), (7, 13)),
    "tanh": (tanh(), _without_params(torch.tanh), (7, 13)),
    "relu": (relu(), _without_params(nn.relu), (7, 13)),
    "softplus": (softplus(), _without_params(nn.softplus), (7, 13)),
    "leaky_relu": (leaky_relu(0.1), _without_params(lambda x: nn.leaky_relu(x, 0.1)), (7, 13)),
    "elu": (elu(0.7), _without_params(lambda x: nn.elu(x, 0.7)), (7, 13)),
    "gelu": (gelu(), _without_params(nn.gelu), (7, 13)),
    "silu": (silu(), _without_params(nn.silu), (7, 13)),
    "softmax": (softmax(), _without_params(lambda x: nn.softmax(x, -1)), (7, 13)),
    "dense": (dense(11), _dense, (7, 13)),
    "conv": (conv(5, [3, 2]), _conv(), (2, 7, 11, 3)),
    "conv, stride 2": (conv(5, 3, 2), _conv(2), (2, 7, 11, 3)),
    "conv, dilation 2, uneven padding": (
        conv(5, 3, 1, [[1, 2], [0, 3]], 2),
        _conv(1, 2, ((1, 2), (0, 3))),
        (2, 7, 11, 3),
    ),
    "max_pool": (
        max_pool(3, 2),
        _without_params(lambda x: _channels_last(nn.max_pool2d(_channels_first(x), 3, 2))),
        (2, 7, 11, 3),
    ),
    "average_pool": (
        average_pool(3, 2, [[1, 1], [1, 1]]),
        _without_params(
            lambda x: _channels_last(nn.avg_pool2d(_channels_first(x), 3, 2, padding=1, count_include_pad=False))
        ),
        (2, 7, 11, 3),
    ),
    "l2_pool": (
        l2_pool(2),
        _without_params(lambda x: _channels_last(nn.lp_pool2d(_channels_first(x), 2.0, 2))),
        (2, 7, 11, 3),
    ),
}  # fmt: skip


def _agree(got, expected) -> None:
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        assert relative_error(a, b) <= 1e-12


@pytest.mark.parametrize("name", PAIRS)
def test_layer_agrees_with_pytorch(name):
    layer, apply, shape = PAIRS[name]
    params, x = layer_args(layer, shape)
    torch_params = jax.tree.map(_tensor, params)
    torch_x = _tensor(x)
    torch_y = apply(torch_x, torch_params)
    dy = np.random.default_rng(1).normal(size=torch_y.shape)
    torch_y.backward(torch.tensor(dy))

    @jit_unoptimized
    def ours(params, x, dy):
        y, res = layer.forward(params, x, None)
        return y, *layer.backward(params, res, dy)

    y, dparams, dx = ours(params, x, jnp.asarray(dy))
    expected = (torch_y.detach().numpy(), jax.tree.map(lambda p: p.grad.numpy(), torch_params), torch_x.grad.numpy())
    _agree((y, dparams, dx), expected)


LOSSES = {
    "quadratic": lambda y, t: 0.5 * ((y - nn.one_hot(t, 11)) ** 2).sum(),
    "mean_squared_error": lambda y, t: nn.mse_loss(y, nn.one_hot(t, 11).double(), reduction="sum") / 11,
    "sigmoid_cross_entropy": lambda y, t: nn.binary_cross_entropy_with_logits(
        y, nn.one_hot(t, 11).double(), reduction="sum"
    ),
    "softmax_cross_entropy": lambda y, t: nn.cross_entropy(y, t, reduction="sum"),
    "perceptron": lambda y, t: (-(2 * nn.one_hot(t, 11) - 1) * y).clamp(min=0).sum(),
}


@pytest.mark.parametrize("name", losses.OUTPUT_LOSSES)
def test_loss_agrees_with_pytorch(name):
    rng = np.random.default_rng(0)
    y, target = rng.normal(size=(7, 11)), rng.integers(11, size=7)
    logits = _tensor(y)
    value = LOSSES[name](logits, torch.tensor(target))
    value.backward()
    ours = losses.LOSSES[name]("sum")(jnp.asarray(y), jnp.asarray(target, jnp.int32))
    _agree(ours, (value.detach().numpy(), logits.grad.numpy()))


def test_elbo_agrees_with_pytorch():
    rng = np.random.default_rng(0)
    logits, mean, log_variance = (_tensor(rng.normal(size=(7, n))) for n in (11, 3, 3))
    target = rng.uniform(size=(7, 11))
    posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
    divergence = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum()
    value = nn.binary_cross_entropy_with_logits(logits, torch.tensor(target), reduction="sum") + 0.3 * divergence
    value.backward()
    y = tuple(jnp.asarray(a.detach().numpy()) for a in (logits, torch.cat([mean, log_variance], 1)))
    found, (dlogits, dcode) = losses.elbo("sum", 0.3)(y, jnp.asarray(target))
    expected = value.detach().numpy(), logits.grad.numpy(), np.hstack([mean.grad.numpy(), log_variance.grad.numpy()])
    _agree((found, dlogits, dcode), expected)


def test_net_agrees_with_pytorch():
    """Convolution, pooling, dense layers and cross-entropy: a small version of the course's net."""
    model = serial(
        conv(5, 3), relu(), max_pool(2), flatten(), dense(7), tanh(),
        dense(3),
    )  # fmt: skip
    params, x = layer_args(model, (2, 9, 11, 1))
    target = np.asarray([2, 0])
    torch_params = jax.tree.map(_tensor, params)
    hidden = _channels_last(nn.max_pool2d(_channels_first(torch.relu(_conv()(_tensor(x), torch_params[0]))), 2))
    logits = _dense(torch.tanh(_dense(hidden.flatten(1), torch_params[4])), torch_params[6])
    nn.cross_entropy(logits, torch.tensor(target)).backward()

    _, dparams = jit_unoptimized(value_and_grad(model, losses.softmax_cross_entropy()))(params, x, jnp.asarray(target))
    _agree(dparams, jax.tree.map(lambda p: p.grad.numpy(), torch_params))
