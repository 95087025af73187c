"""Laws of layers for sequences: what a place may depend on, what padding may change, how a sequence is continued.

Each law has a control: a layer that breaks it, for which the law does not hold.
"""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxnn.combine import serial
from jaxnn.layer import Layer
from jaxnn.layers import (
    attention,
    bidirectional,
    dense,
    pool_sequence,
    recur,
)
from jaxnn.layers.cell import autodiff_cell
from jaxnn.layers.cells import gru, simple
from jaxnn.sequence import Sequence
from tests.laws.compiled import compiled
from tests.laws.sequence_cases import (
    BATCH,
    CAUSAL,
    CELLS,
    LANGUAGE_MODEL,
    LENGTHS,
    TIME,
    VOCABULARY,
    WITH_LENGTHS,
    assert_close,
    backward,
    batch,
    start_and_extend,
    with_params,
)


def is_causal(layer: Layer) -> bool:
    """Whether later places change no bit of an output, and no derivative comes from an output to later places."""
    layer, x = compiled(layer), batch()
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


def ignores_padding(layer: Layer) -> bool:
    """Whether what stands at padding changes no bit of the output and of the gradients, which are 0 there."""
    layer, x = compiled(layer), batch()
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
    layer, x = compiled(serial(WITH_LENGTHS[name])), batch()
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
    layer, x = compiled(recur(CELLS[name], state=True)), batch()
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
    layer = compiled(layer)
    params = with_params(layer, x)
    start, extend = start_and_extend(layer)
    memory, outputs, place = start(params, BATCH, TIME + 1), [], 0
    for places in pieces:
        y, memory = extend(params, memory, x[:, place : place + places])
        outputs.append(y)
        place += places
    assert_close(jnp.concatenate(outputs, 1), layer.apply(params, x), 1e-12)


@pytest.mark.parametrize("layer", [attention(2), bidirectional(gru(3)), recur(gru(3), reverse=True), pool_sequence()])
def test_layer_that_sees_later_places_cannot_be_extended(layer):
    for outer in (layer, serial(dense(3), layer)):
        assert outer.time is not None and outer.time.start is None


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_reversing_the_valid_part_swaps_the_halves_of_bidirectional(name, last):
    layer, x = compiled(bidirectional(CELLS[name], last=last)), batch()
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


def test_own_cell_by_autodiff_is_trained_as_the_cell_by_hand():
    cell, x = gru(5), batch()
    params = with_params(recur(cell), x)

    def step(params, x, state):
        return cell.step(params, cell.project(params, x), state)[0]

    own = recur(autodiff_cell(cell.init, lambda params, x: (jnp.zeros((len(x), 5), x.dtype),), step))
    own, by_hand = compiled(own), compiled(recur(cell))
    assert_close(own.apply(params, x), by_hand.apply(params, x), 1e-14)
    dy = jnp.asarray(np.random.default_rng(3).normal(size=(BATCH, TIME, 5)))
    assert_close(backward(own, params, x, dy), backward(by_hand, params, x, dy), 1e-12)
