"""A layer refuses params, x and dy that do not fit each other, in one line with the shapes: it never broadcasts."""

import importlib
import itertools
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn import combine
from jaxnn.certify.case import layer_args
from jaxnn.certify.cases import TABLE, constructor
from jaxnn.errors import UserError
from jaxnn.layer import Layer, empty_init
from jaxnn.layers import (
    LAYERS,
    average_pool,
    conv,
    conv_max_pool,
    dense,
    flatten,
    identity,
    max_pool,
    reshape,
    tanh,
)
from jaxnn.models import mlp

pytestmark = pytest.mark.usefixtures("without_annotation_checks")

LAYER_ROWS = [
    row.name for row in TABLE.values() if row.public_name in {*LAYERS, *vars(combine), "autodiff", "mlp", "cnn"}
]
PLATFORMS = ("cpu", "gpu", "tpu")
#: A layer and a shape of x, on both sides of each size at which a kernel changes its formulation.
SIZES = [
    *(
        (dense(units, bias=units != 3), (batch, n))
        for units, n, batch in itertools.product((3, 16, 17), (5, 17), (63, 64))
    ),
    *((conv(5, 3), (2, 5, 5, channel)) for channel in (1, 7, 8)),
    *((conv_max_pool(5, 2), (2, 4, 4, channel)) for channel in (1, 2)),
    *((pool(2), (65, 4, 4, 3)) for pool in (max_pool, average_pool)),
    (mlp((3, 2), tanh()), (64, 5)),
]


def other_shapes(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Shapes that differ in one axis, by one or by what JAX would broadcast, or in the number of axes."""
    for axis, n in enumerate(shape):
        for m in sorted({1, n - 1, n + 1} - {n, 0}):
            yield (*shape[:axis], m, *shape[axis + 1 :])
    yield (*shape, 1)
    yield (1, *shape)
    if shape:
        yield shape[:-1]
        yield shape[1:]


def other_trees(tree: Any) -> Iterator[Any]:
    """Trees that differ from `tree` in the shape of one leaf."""
    leaves, treedef = jax.tree.flatten(tree)
    for i, leaf in enumerate(leaves):
        for shape in other_shapes(leaf.shape):
            new = np.ones(shape, leaf.dtype)
            yield jax.tree.unflatten(treedef, [*leaves[:i], new, *leaves[i + 1 :]])


def other_structures(params: Any) -> Iterator[Any]:
    """Parameters of another layer, with more or fewer entries."""
    yield from ((params, params), None, (*jax.tree.leaves(params), np.ones(3)), {"weight": np.ones((3, 3))})
    if jax.tree.leaves(params):
        yield ()
        yield jax.tree.leaves(params)[0]


def fits(layer: Layer, params: Any, x: Any) -> bool:
    """Whether `init` makes such parameters for such an x."""
    try:
        expected = jax.eval_shape(layer.init, jax.random.key(0), x)
    except (UserError, TypeError, ValueError, IndexError):
        return False
    shapes = [a.shape for a in jax.tree.leaves(params)]
    return shapes == [a.shape for a in jax.tree.leaves(expected)]


def accepted(layer: Layer, params: Any, x: Any, key: Any = None) -> list[str]:
    """The misfits that the layer does not refuse with `UserError`, in one line with a shape or a type."""
    failures = []

    def refuse(what: str, f, *args):
        # Shapes are checked alike in both ways. The parts of a net are layers, each of which stands here alone, too.
        for traced in (True,) if layer.parts else (False, True):
            try:
                _ = jax.eval_shape(f, *args) if traced else f(*args)
            except UserError as error:
                if "\n" in str(error) or "expected" not in str(error) or "found" not in str(error):
                    failures.append(f"{what}: {error}")
            except Exception as error:  # a traceback
                failures.append(f"{what}: {type(error).__name__}: {error}")
            else:
                failures.append(f"{what}: accepted")

    def forward(params, x):
        return layer.forward(params, x, key)

    # A layer refuses by shapes alone, so y and the residuals need no true numbers, and nothing is compiled for them.
    y, res = jax.tree.map(_zeros, jax.eval_shape(forward, params, x))
    for wrong in other_trees(x):
        if not fits(layer, params, wrong):
            refuse(f"x {_shapes(wrong)} of {_shapes(params)}", forward, params, wrong)
    wrong_params = [*other_trees(params), *other_structures(params)]
    for wrong in wrong_params:
        refuse(f"params {_shapes(wrong)}", forward, wrong, x)
        if jax.tree.leaves(params):
            refuse(f"params {_shapes(wrong)} in backward", layer.backward, wrong, res, y)
    for wrong in other_trees(jax.tree.map(lambda a: a if _is_floating(a) else None, y)):
        refuse(f"dy {_shapes(wrong)}", layer.backward, params, res, wrong)
    if all(map(_is_floating, jax.tree.leaves(y))):
        refuse("dy None", layer.backward, params, res, None)
    return failures


def _zeros(a: jax.ShapeDtypeStruct) -> Any:
    if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.zeros((*a.shape, 2), jnp.uint32))
    return np.zeros(a.shape, a.dtype)


def _is_floating(a: Any) -> bool:
    return bool(jnp.issubdtype(a.dtype, jnp.floating))


def _shapes(tree: Any) -> str:
    return str([a.shape for a in jax.tree.leaves(tree)])


def layer_of(name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Layer, tuple[Any, Any], Any]:
    """The layer of a row of the certificates' table, its (params, x) and its key."""
    monkeypatch.setattr("jaxnn.certify.rows.layer_rule", lambda layer, key=None: (layer, key))
    row = TABLE[name]
    built: Any = row.build(constructor(row.public_name))
    (layer, key), args = built
    return layer, args, key


@pytest.mark.parametrize("name", LAYER_ROWS)
def test_layer_refuses_what_does_not_fit(name, monkeypatch):
    layer, args, key = layer_of(name, monkeypatch)
    assert accepted(layer, *args, key) == []


@pytest.mark.parametrize("platform", PLATFORMS)
def test_layer_refuses_at_every_size_and_on_every_platform(platform, monkeypatch):
    monkeypatch.setattr("jaxnn.kernels.backend.platform", lambda: platform)
    for layer, shape in SIZES:
        assert accepted(layer, *layer_args(layer, shape)) == []


def test_dense_message_has_both_shapes():
    """The fast form for narrow layers once read a column twice: x (64, 3) with weights (5, 4)."""
    layer = dense(4)
    params = layer.init(jax.random.key(0), jnp.ones((64, 5)))
    expected = r"dense: expected params weight \(3, 4\), bias \(4,\) for x of shape \(64, 3\), found weight \(5, 4\)"
    with pytest.raises(UserError, match=expected):
        layer.apply(params, jnp.ones((64, 3)))


@pytest.mark.parametrize(
    ("module", "check", "name"),
    [
        ("dense", "parameter_check", "dense: few units, long batch"),
        ("dense", "check_dy", "dense"),
        ("conv", "parameter_check", "conv"),
        ("elementwise", "check_dy", "tanh"),
        ("elementwise", "check_dy_tree", "identity"),
        ("shape", "check_dy_tree", "flatten"),
        ("pool", "check_dy", "average_pool"),
    ],
)
def test_law_detects_a_lost_check(module, check, name, monkeypatch):
    """A planted mistake: the layer without one of its checks."""
    monkeypatch.setattr(importlib.import_module(f"jaxnn.layers.{module}"), check, lambda *args: lambda *args: None)
    layer, args, key = layer_of(name, monkeypatch)
    assert accepted(layer, *args, key) != []


@pytest.mark.parametrize("x", [[[1.0, 2.0]], "text", 3.0, np.asarray(["a", "b"]), np.ones((3, 4), int), None, {}])
@pytest.mark.parametrize("make", [lambda: dense(3), tanh, lambda: max_pool(2), lambda: conv(1, 2)])
def test_layer_refuses_what_is_no_array_of_floating_numbers(make, x):
    layer = make()
    params = layer.init(jax.random.key(0), jnp.ones((2, 5, 5, 1)))
    with pytest.raises(UserError, match=r"expected .* found"):
        layer.apply(params, x)
    if layer.init is not empty_init:
        with pytest.raises(UserError, match=r"expected .* found"):
            layer.init(jax.random.key(0), x)


def test_parallel_and_residual_refuse_outputs_that_would_broadcast():
    x = jnp.ones((3, 5))
    branches = combine.parallel(dense(1), dense(4))
    params = (dense(1).init(jax.random.key(0), x), dense(4).init(jax.random.key(0), x))
    for f in (lambda: branches.apply(params, x), lambda: branches.init(jax.random.key(0), x)):
        with pytest.raises(UserError, match=r"parallel: expected outputs of one shape, found \(3, 1\) and \(3, 4\)"):
            f()
    around = combine.residual(conv(3, 1, 2))
    params = around.init(jax.random.key(0), jnp.ones((2, 1, 1, 3)))
    with pytest.raises(UserError, match=r"input's shape \(2, 2, 2, 3\), found \(2, 1, 1, 3\)"):
        around.apply(params, jnp.ones((2, 2, 2, 3)))


@pytest.mark.parametrize("layer", [flatten(), reshape([4, 3]), identity(), combine.serial()])
def test_integers_have_no_dy(layer):
    """Integers pass through a layer that changes no number: behind it dy is None, and so is dx."""
    y, res = layer.forward((), jnp.ones((2, 3, 4), jnp.int32), None)
    assert y.dtype == jnp.int32 and layer.backward((), res, None) == ((), None)


def test_rows_cover_every_layer_and_combinator():
    assert {TABLE[name].public_name for name in LAYER_ROWS} >= {*LAYERS, "serial", "parallel", "residual", "autodiff"}
