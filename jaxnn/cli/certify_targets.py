"""What `jaxnn certify` can be asked about: public names, nets of configs, and functions of the user's own modules."""

import importlib
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.certify.case import Case, case, cast, normal_like
from jaxnn.certify.cases import ROWS, case_of, constructor, layer_args
from jaxnn.certify.certificate import QUICK, Certificate, Entry, certify, certify_vjp, examine, float32_account
from jaxnn.certify.cost import Account, kept
from jaxnn.certify.fuzz import fuzz
from jaxnn.certify.laws import LAWS
from jaxnn.certify.laws.edges import EDGES, edge
from jaxnn.certify.vjp_rule import of_layer, of_loss, of_model, of_vjp
from jaxnn.config import Config, build_loss, build_model, load, shipped
from jaxnn.config.experiment import example_input
from jaxnn.errors import UserError, hint
from jaxnn.layer import Layer
from jaxnn.layers import LAYERS, tanh
from jaxnn.losses import LOSSES, Loss

#: Every public name that has a derivation, in the order of the table of cases.
NAMES = tuple(dict.fromkeys(row.of for row in ROWS))
#: The course's nets, by config.
NETS = ("blobs_neuron", "circles_mlp", "mnist_sigmoid_mse", "mnist_tanh_softmax", "mnist_cnn", "cosine_denoise")
#: Random cases of law 4 in a whole certificate.
FUZZED, FUZZED_QUICKLY = 24, 8
#: The batch that an account is made for, and a net's laws.
ACCOUNT_BATCH, NET_BATCH = 128, 3


class Job(NamedTuple):
    """Something to certify: `laws(quick)` may run beside others, `account()` is timed and must run alone."""

    name: str
    laws: Callable[[bool], Certificate]
    account: Callable[[], Account | None]


def jobs(targets: Sequence[str], shapes: Sequence[tuple[int, ...]] = ()) -> list[Job]:
    """A job for each target; for none, the whole library: every public name, the course's nets, and law 4.

    shapes: of the arguments of a function of the user's own. Raises `UserError` for what is not known.
    """
    if not targets:
        return [*map(_of_name, NAMES), *map(_of_config, NETS), _fuzzed()]
    return [_job(target, shapes) for target in targets]


def _job(target: str, shapes: Sequence[tuple[int, ...]]) -> Job:
    if target in NAMES:
        return _of_name(target)
    if ":" in target:
        return _of_user(target, shapes)
    if target in shipped.names() or target.endswith(".toml"):
        return _of_config(target)
    raise UserError(
        f"certify: expected one of {', '.join(NAMES)}, a config, or module:function, found {target!r}"
        + hint(target, [*NAMES, *shipped.names()], repr)
    )


def _of_name(of: str) -> Job:
    rows = [row for row in ROWS if row.of == of]

    def laws(quick: bool) -> Certificate:
        names = QUICK if quick else tuple(LAWS)
        some = rows[:1] if quick else rows
        found = examine([case_of(row) for row in some], of, laws=names, thorough=[row.thorough for row in some])
        places = [Entry(5, "edges", place.name, edge(place, constructor(of))) for place in EDGES if place.of == of]
        return found._replace(entries=(*found.entries, *places))

    return Job(of, laws, lambda: _name_account(of))


#: What a layer's account is made for, where it is not a batch of rows of 100: sizes of the course's own nets.
_ACCOUNTS: dict[str, tuple[tuple, tuple[int, ...]]] = {
    "dense": ((30,), (784,)),
    "conv": ((20, 5), (28, 28, 1)),
    "conv_max_pool": ((20, 5), (28, 28, 1)),
    "max_pool": ((2,), (24, 24, 20)),
    "average_pool": ((2,), (24, 24, 20)),
    "l2_pool": ((2,), (24, 24, 20)),
    "flatten": ((), (12, 12, 20)),
    "reshape": (((12, 240),), (12, 12, 20)),
    "dropout": ((0.3,), (100,)),
}


def _name_account(of: str) -> Account | None:
    """The account of a layer, loss or model at the course's sizes; None for what only joins others together."""
    make = constructor(of)
    if of in LOSSES:
        return _loss_account(make())
    if of == "mlp":
        return _net_account(make((30, 10), tanh()), LOSSES["softmax_cross_entropy"](), (784,), 10)
    if of == "cnn":
        return _net_account(make(), LOSSES["softmax_cross_entropy"](), (28, 28, 1), 10)
    if of not in LAYERS:
        return None
    words, shape = _ACCOUNTS.get(of, ((), (100,)))
    layer, key = make(*words), jax.random.key(0) if of == "dropout" else None
    return float32_account(of_layer(layer, key), layer_args(layer, (ACCOUNT_BATCH, *shape)))


def _loss_account(loss: Loss) -> Account:
    y = normal_like(0, jax.ShapeDtypeStruct((ACCOUNT_BATCH, 10), jnp.float32))
    return float32_account(of_loss(loss), (y, _labels(ACCOUNT_BATCH, 10)))


def _net_account(model: Layer, loss: Loss, shape: tuple[int, ...], outputs: int) -> Account:
    """What a training step of a net costs: its gradient with respect to the parameters, and what it keeps."""
    args = layer_args(model, (ACCOUNT_BATCH, *shape))
    step = float32_account(of_model(model, loss), (*args, _labels(ACCOUNT_BATCH, outputs)))
    # The rule of a step leaves the gradient itself: what is kept on the way is the model's.
    of_each = kept(of_layer(model), cast(args, np.float32))
    return Account(*(cost._replace(residual_bytes=some) for cost, some in zip(step, of_each, strict=True)))


def _labels(batch: int, outputs: int) -> jax.Array:
    """Labels, which every loss takes, whatever a net's own targets are."""
    return jnp.asarray(np.random.default_rng(2).integers(max(outputs, 2), size=batch))


def _of_config(name: str) -> Job:
    config: Config = load(name)
    model, loss = build_model(config), build_loss(config)
    shape = tuple(example_input(config).shape[1:])

    def outputs() -> int:
        x = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
        params = jax.eval_shape(model.init, jax.random.key(0), x)
        return jax.eval_shape(lambda p, x: model.forward(p, x, None)[0], params, x).shape[-1]

    def case_of_net() -> Case:
        args = layer_args(model, (NET_BATCH, *shape))
        # As large as initial weights are: random ones of size 1 would saturate every neuron.
        params = jax.tree.map(lambda a: a / math.sqrt(max(a.size // a.shape[-1], 1)), args[0])
        return case(name, name, of_model(model, loss), (params, args[1], _labels(NET_BATCH, outputs())))

    def laws(quick: bool) -> Certificate:
        return examine([case_of_net()], name, laws=QUICK if quick else tuple(LAWS))

    return Job(name, laws, lambda: _net_account(model, loss, shape, outputs()))


def _fuzzed() -> Job:
    def laws(quick: bool) -> Certificate:
        finding, choices = fuzz(FUZZED_QUICKLY if quick else FUZZED)
        what = ", ".join(f"{name} {value}" for name, value in choices.items())
        return Certificate("fuzz", (Entry(4, "autodiff", f"fuzz ({what})", finding),))

    return Job("fuzz", laws, lambda: None)


def _of_user(target: str, shapes: Sequence[tuple[int, ...]]) -> Job:
    """`module:name`: a Layer, a function that returns one, or a `jax.custom_vjp` function, at arrays of `shapes`."""
    module_name, _, name = target.partition(":")
    found = _imported(module_name, name)
    wanted = f"{target}: expected --shape with the shape of"
    if isinstance(found, jax.custom_vjp):
        if not shapes:
            raise UserError(f"{wanted} each argument, found none")
        x = [normal_like(i, jax.ShapeDtypeStruct(shape, jnp.float32)) for i, shape in enumerate(shapes)]
        rule, args = of_vjp(found, None, None, tuple(x), (), "rows")
        return Job(
            target,
            lambda quick: certify_vjp(found, None, None, *x, quick=quick, timed=False),
            lambda: float32_account(rule, args),
        )
    layer = found() if callable(found) and not isinstance(found, Layer) else found
    if isinstance(layer, Certificate):
        return Job(target, lambda quick: layer, lambda: None)
    if not isinstance(layer, Layer):
        raise UserError(
            f"{target}: expected a Layer, a function that returns one (or a Certificate), or a jax.custom_vjp "
            f"function, found {type(layer).__name__}"
        )
    if len(shapes) != 1:
        raise UserError(f"{wanted} a batch, found {len(shapes)} shapes")
    x = jax.ShapeDtypeStruct(shapes[0], jnp.float32)
    return Job(
        target,
        lambda quick: certify(layer, x, quick=quick, timed=False),
        lambda: float32_account(of_layer(layer), layer_args(layer, shapes[0])),
    )


def _imported(module: str, name: str) -> Any:
    """An attribute of a module or of a file; the folder where the command is run is searched first."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    path = Path(module)
    if path.suffix == ".py":
        sys.path.insert(0, str(path.resolve().parent))
        module = path.stem
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise UserError(f"{module}:{name}: cannot import {module!r}: {error}") from error
    if not hasattr(found, name):
        raise UserError(f"{module} has no {name!r}{hint(name, dir(found), repr)}")
    return getattr(found, name)
