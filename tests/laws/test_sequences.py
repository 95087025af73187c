"""Laws of layers for sequences: what a place may depend on, what padding may change, how a sequence is continued.

Each law has a control: a layer that breaks it, for which the law does not hold.
"""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn.combine import parallel, residual, serial, share
from jaxnn.layer import Layer
from jaxnn.layers import (
    attention,
    bidirectional,
    dense,
    dropout,
    embedding,
    layer_norm,
    pool_sequence,
    positional_embedding,
    recur,
    rms_norm,
    tanh,
    transformer,
    unembedding,
)
from jaxnn.layers.cell import autodiff_cell
from jaxnn.layers.cells import gru, lstm, simple
from jaxnn.sequence import Sequence

BATCH, TIME, UNITS, VOCABULARY = 3, 7, 6, 11
CELLS = {"simple": simple(5), "relu": simple(5, "relu"), "lstm": lstm(5), "gru": gru(5)}
LANGUAGE_MODEL = serial(
    embed=embedding(VOCABULARY, UNITS),
    positions=positional_embedding(TIME + 3),
    body=transformer(2, 2, UNITS),
    head=share("embed", unembedding(VOCABULARY)),
)
#: Layers whose output at a place depends on earlier places only.
CAUSAL = {
    **{name: recur(cell) for name, cell in CELLS.items()},
    "attention": attention(2, causal=True),
    "rotary attention": attention(1, causal=True, positions="rotary"),
    "learned positions": attention(2, causal=True, positions="learned", length=TIME + 3),
    "transformer": transformer(1, 2, UNITS, positions="none"),
    "recurrent net": serial(recur(lstm(5)), layer_norm(), residual(recur(gru(5))), dense(3)),
    "parallel": parallel(recur(gru(3)), dense(4), combine="concatenate"),
}
#: Layers that take sequences of different lengths.
WITH_LENGTHS = {
    **CAUSAL,
    **{f"{name}, reverse": recur(cell, reverse=True) for name, cell in CELLS.items()},
    **{f"{name}, last": recur(cell, last=True) for name, cell in CELLS.items()},
    "bidirectional": bidirectional(gru(5)),
    "bidirectional, last": bidirectional(lstm(5), last=True),
    "attention, all places": attention(2),
    "mean": pool_sequence("mean"),
    "max": pool_sequence("max"),
    "last": pool_sequence("last"),
    "places alike": serial(dense(5), tanh(), rms_norm(), dropout(0.3)),
}


def with_params(layer: Layer, x):
    params = layer.init(jax.random.key(0), x)
    leaves, structure = jax.tree.flatten(params)
    rng = np.random.default_rng(1)
    return jax.tree.unflatten(structure, [a + 0.3 * jnp.asarray(rng.normal(size=a.shape), a.dtype) for a in leaves])


def batch(seed: int = 0, time: int = TIME):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(BATCH, time, UNITS)))


def backward(layer: Layer, params, x, dy):
    _, res = layer.forward(params, x, None)
    return layer.backward(params, res, dy)


def assert_same_bits(first, second):
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def assert_close(first, second, bound=1e-12):
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        assert np.max(np.abs(np.asarray(a) - np.asarray(b)), initial=0) <= bound


def is_causal(layer: Layer) -> bool:
    """Whether later places change no bit of an output, and no derivative comes from an output to later places."""
    x = batch()
    params = with_params(layer, x)
    y = layer.apply(params, x)
    for t in (1, 4):
        later = layer.apply(params, x.at[:, t:].set(batch(5)[:, t:] * 1e3))
        if (np.asarray(later[:, :t]) != np.asarray(y[:, :t])).any():
            return False
        dy = jnp.asarray(np.random.default_rng(2).normal(size=y.shape)).at[:, t:].set(0)
        if np.asarray(backward(layer, params, x, dy)[1][:, t:]).any():
            return False
    return True


@pytest.mark.parametrize("name", CAUSAL)
def test_causal_layer_does_not_see_later_places(name):
    assert is_causal(CAUSAL[name])


@pytest.mark.parametrize("layer", [attention(2), bidirectional(gru(3)), recur(gru(3), reverse=True)])
def test_causal_law_notices_a_layer_that_sees_later_places(layer):
    assert not is_causal(layer)


LENGTHS = jnp.asarray([TIME, 0, 4], jnp.int32)


def ignores_padding(layer: Layer) -> bool:
    """Whether what stands at padding changes no bit of the output and of the gradients, which are 0 there."""
    x = batch()
    padding = np.arange(TIME) >= np.asarray(LENGTHS)[:, None]
    params = with_params(layer, Sequence(x, LENGTHS))
    results = []
    for content in (0.0, 1e38, -np.inf, np.nan):
        given = Sequence(jnp.where(padding[..., None], content, x), LENGTHS)
        y, res = layer.forward(params, given, None)
        values = y.values if isinstance(y, Sequence) else y
        dy = jnp.asarray(np.random.default_rng(2).normal(size=values.shape))
        if isinstance(y, Sequence):
            if np.asarray(values)[padding].any():
                return False
            dy = Sequence(jnp.where(padding[..., None], content, dy), None)
        dparams, dx = layer.backward(params, res, dy)
        if np.asarray(dx.values)[padding].any():
            return False
        results.append((values, dparams, dx.values))
    return all(
        np.array_equal(np.asarray(a), np.asarray(b), equal_nan=False)
        for result in results[1:]
        for a, b in zip(jax.tree.leaves(results[0]), jax.tree.leaves(result), strict=True)
    )


@pytest.mark.parametrize("name", WITH_LENGTHS)
def test_layer_ignores_padding(name):
    assert ignores_padding(serial(WITH_LENGTHS[name]))


def test_padding_law_notices_a_layer_that_reads_padding():
    careless = Layer(
        lambda key, x: (),
        lambda params, x, key: (Sequence(x.values * 1.0, x.lengths), ()),
        lambda params, res, dy: ((), Sequence(dy.values, None)),
        "careless",
        time=dense(1).time or recur(simple(1)).time,
    )
    assert not ignores_padding(careless)


@pytest.mark.parametrize("name", WITH_LENGTHS)
def test_more_padding_changes_nothing(name):
    layer = serial(WITH_LENGTHS[name])
    x = batch()
    params = with_params(layer, Sequence(x, LENGTHS))
    outcomes = []
    for added in (0, 3):
        given = Sequence(jnp.pad(x, ((0, 0), (0, added), (0, 0)), constant_values=7.0), LENGTHS)
        y, res = layer.forward(params, given, None)
        whole = isinstance(y, Sequence)
        values = y.values if whole else y
        dy = jnp.asarray(np.random.default_rng(2).normal(size=(BATCH, TIME, values.shape[-1])))
        dy = Sequence(jnp.pad(dy, ((0, 0), (0, added), (0, 0))), None) if whole else dy[:, 0]
        dparams, dx = layer.backward(params, res, dy)
        outcomes.append((values[:, :TIME] if whole else values, dparams, dx.values[:, :TIME]))
    assert_close(*outcomes)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("cut", [1, 3])
def test_recur_continues_a_sequence_with_its_gradient(name, cut):
    layer, x = recur(CELLS[name], state=True), batch()
    states = 2 if name == "lstm" else 1
    first = tuple(jnp.asarray(np.random.default_rng(i).normal(size=(BATCH, 5))) for i in range(states))
    params = with_params(layer, (x, first))
    (y, last), res = layer.forward(params, (x, first), None)
    dy = jnp.asarray(np.random.default_rng(3).normal(size=y.shape))
    dlast = tuple(jnp.ones_like(s) for s in last)
    whole = layer.backward(params, res, (dy, dlast))

    (y_a, middle), res_a = layer.forward(params, (x[:, :cut], first), None)
    (y_b, end), res_b = layer.forward(params, (x[:, cut:], middle), None)
    dparams_b, (dx_b, dmiddle) = layer.backward(params, res_b, (dy[:, cut:], dlast))
    dparams_a, (dx_a, dfirst) = layer.backward(params, res_a, (dy[:, :cut], dmiddle))
    assert_close((jnp.concatenate([y_a, y_b], 1), end), (y, last))
    joined = jax.tree.map(jnp.add, dparams_a, dparams_b), (jnp.concatenate([dx_a, dx_b], 1), dfirst)
    assert_close(joined, whole)


@pytest.mark.parametrize("pieces", [(TIME,), (1,) * TIME, (3, 1, 3), (5, 2)])
@pytest.mark.parametrize("name", [*CAUSAL, "language model"])
def test_extend_gives_the_output_of_the_whole_sequence(name, pieces):
    if name == "language model":
        layer, x = LANGUAGE_MODEL, jnp.asarray(np.random.default_rng(0).integers(VOCABULARY, size=(BATCH, TIME)))
    else:
        layer, x = CAUSAL[name], batch()
    params = with_params(layer, x)
    memory, outputs, place = layer.time.start(params, BATCH, TIME + 1), [], 0
    for places in pieces:
        y, memory = layer.time.extend(params, memory, x[:, place : place + places])
        outputs.append(y)
        place += places
    assert_close(jnp.concatenate(outputs, 1), layer.apply(params, x), 1e-12)


@pytest.mark.parametrize("layer", [attention(2), bidirectional(gru(3)), recur(gru(3), reverse=True), pool_sequence()])
def test_layer_that_sees_later_places_cannot_be_extended(layer):
    assert layer.time.start is None
    assert serial(dense(3), layer).time.start is None


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_reversing_the_valid_part_swaps_the_halves_of_bidirectional(name, last):
    layer, x = bidirectional(CELLS[name], last=last), batch()
    params = with_params(layer, Sequence(x, LENGTHS))
    swapped = (params[1], params[0])
    turned = np.array(x)
    for i, n in enumerate(np.asarray(LENGTHS)):
        turned[i, :n] = turned[i, :n][::-1]
    y = layer.apply(params, Sequence(x, LENGTHS))
    other = layer.apply(swapped, Sequence(jnp.asarray(turned), LENGTHS))
    if last:
        assert_close(other, jnp.concatenate([y[:, 5:], y[:, :5]], -1))
        return
    for i, n in enumerate(np.asarray(LENGTHS)):
        expected = np.asarray(y.values)[i, :n][::-1]
        assert_close(np.asarray(other.values)[i, :n], np.concatenate([expected[:, 5:], expected[:, :5]], -1))


@pytest.mark.parametrize("layer", [attention(2), transformer(1, 2, UNITS, causal=False)])
def test_attention_without_positions_is_equivariant_under_permutations(layer):
    x, order = batch(), np.random.default_rng(4).permutation(TIME)
    params = with_params(layer, x)
    dy = batch(6)
    dparams, dx = backward(layer, params, x, dy)
    permuted = backward(layer, params, x[:, order], dy[:, order])
    assert_close(layer.apply(params, x[:, order]), layer.apply(params, x)[:, order])
    assert_close(permuted, (dparams, dx[:, order]))


def test_attention_of_equal_values_gives_these_values():
    layer, x = attention(2), batch()
    params = with_params(layer, x)
    # Values of 1 for every place: the weights of each row add up to 1, so queries and keys have no influence.
    weight = params.query_key_value.weight.at[:, 2 * UNITS :].set(0).at[0, 2 * UNITS :].set(1)
    params = params._replace(
        query_key_value=params.query_key_value._replace(weight=weight),
        output=params.output._replace(weight=jnp.eye(UNITS)),
    )
    x = x.at[..., 0].set(1)
    assert_close(layer.apply(params, x), jnp.ones_like(x), 1e-14)
    dparams, _ = backward(layer, params, x, batch(7))
    assert_close(dparams.query_key_value.weight[:, : 2 * UNITS], jnp.zeros((UNITS, 2 * UNITS)), 1e-14)


@pytest.mark.parametrize("layer", [layer_norm(epsilon=0.0), rms_norm(epsilon=0.0)])
def test_norm_ignores_the_scale_of_its_input(layer):
    x = batch()
    params = with_params(layer, x)
    assert_close(layer.apply(params, 37.0 * x), layer.apply(params, x), 1e-13)
    dx = backward(layer, params, x, batch(8))[1]
    assert_close((dx * x).sum(-1), jnp.zeros((BATCH, TIME)), 1e-13)


def test_layer_norm_ignores_a_shift_and_its_derivative_sums_to_zero():
    layer, x = layer_norm(epsilon=0.0), batch()
    params = with_params(layer, x)
    assert_close(layer.apply(params, x + 5.0), layer.apply(params, x), 1e-13)
    assert_close(backward(layer, params, x, batch(8))[1].sum(-1), jnp.zeros((BATCH, TIME)), 1e-13)


def test_layer_norm_is_exact_far_from_zero_in_float32():
    layer = layer_norm()
    x = np.asarray(batch(), np.float32) + np.float32(1e4)
    params = layer.init(jax.random.key(0), jnp.asarray(x))
    exact = x.astype(np.float64)
    exact = (exact - exact.mean(-1, keepdims=True)) / np.sqrt(exact.var(-1, keepdims=True) + 1e-5)
    assert np.abs(np.asarray(layer.apply(params, jnp.asarray(x))) - exact).max() < 2e-3


def test_own_cell_by_autodiff_is_trained_as_the_cell_by_hand():
    cell, x = gru(5), batch()
    params = with_params(recur(cell), x)

    def step(params, x, state):
        return cell.step(params, cell.project(params, x), state)[0]

    own = recur(autodiff_cell(cell.init, lambda params, x: (jnp.zeros((len(x), 5), x.dtype),), step))
    assert_close(own.apply(params, x), recur(cell).apply(params, x), 1e-14)
    dy = jnp.asarray(np.random.default_rng(3).normal(size=(BATCH, TIME, 5)))
    assert_close(backward(own, params, x, dy), backward(recur(cell), params, x, dy), 1e-12)


def test_attention_keeps_nothing_that_grows_with_the_square_of_time():
    layer = attention(2, causal=True)

    def kept(time):
        x = jax.ShapeDtypeStruct((1, time, UNITS), jnp.float32)
        params = jax.eval_shape(layer.init, jax.random.key(0), x)
        _, res = jax.eval_shape(lambda p, x: layer.forward(p, x, None), params, x)
        return sum(a.size for a in jax.tree.leaves(res))

    assert kept(512) == 2 * kept(256)
