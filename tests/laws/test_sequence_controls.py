"""Controls of the laws of sequences, of the parts of a transformer and of dropout.

A layer that breaks a law does not pass it.
"""

import jax
import pytest
from jax import numpy as jnp

from jaxnn.combine import parallel
from jaxnn.layer import Layer, Time, empty_init
from jaxnn.layers import attention, dropout, layer_norm, recur, rms_norm
from jaxnn.sequence import Sequence, clear_padding
from tests.laws import sequence_cases as cases
from tests.laws import test_dropout as dropout_laws
from tests.laws import test_sequences as laws
from tests.laws import test_transformer_parts as part_laws


def breaks(law, *arguments) -> bool:
    """Whether a law is broken: its assertion fails, and nothing else does."""
    try:
        law(*arguments)
    except AssertionError:
        return True
    return False


def mean_over_padding() -> Layer:
    """A mean over all places, padding among them."""

    def forward(params, x, key):
        return clear_padding(x.values, x.lengths).mean(1), x

    def backward(params, res, dy):
        dx = jnp.broadcast_to(dy[:, None] / res.values.shape[1], res.values.shape)
        return (), Sequence(clear_padding(dx, res.lengths), None)

    return Layer(empty_init, forward, backward, "mean_over_padding", time=Time())


def test_law_of_more_padding_notices_a_mean_over_padding(monkeypatch):
    monkeypatch.setitem(cases.WITH_LENGTHS, "broken", mean_over_padding())
    assert breaks(laws.test_more_padding_changes_nothing, "broken")


@pytest.mark.parametrize("way", ["forward", "backward"])
def test_law_of_continuation_notices_a_lost_state(monkeypatch, way):
    def forgetful(cell, state):
        layer = recur(cell, state=state)

        def forward(params, x, key):
            x = (x[0], jax.tree.map(jnp.zeros_like, x[1])) if way == "forward" else x
            return layer.forward(params, x, key)

        def backward(params, res, dy):
            dparams, (dx, dfirst) = layer.backward(params, res, dy)
            return dparams, (dx, jax.tree.map(lambda a: a / 2, dfirst) if way == "backward" else dfirst)

        return layer._replace(forward=forward, backward=backward)

    monkeypatch.setattr(laws, "recur", forgetful)
    assert breaks(laws.test_recur_continues_a_sequence_with_its_gradient, "lstm", 3)


@pytest.mark.parametrize("name", ["learned positions", "rotary attention", "lstm"])
def test_law_of_extension_notices_a_memory_that_is_lost(monkeypatch, name):
    layer = cases.CAUSAL[name]
    start, proceed = cases.start_and_extend(layer)

    def extend(params, memory, x):
        y, _ = proceed(params, memory, x)
        return y, memory

    monkeypatch.setitem(cases.CAUSAL, name, layer._replace(time=Time(start=start, extend=extend)))
    assert breaks(laws.test_extend_gives_the_output_of_the_whole_sequence, name, (3, 1, 3))
    assert not breaks(laws.test_extend_gives_the_output_of_the_whole_sequence, name, (cases.TIME,))


@pytest.mark.parametrize("last", [False, True])
def test_law_of_reversal_notices_two_layers_in_one_direction(monkeypatch, last):
    def two(cell, last):
        return parallel(recur(cell, last=last), recur(cell, last=last), combine="concatenate")

    monkeypatch.setattr(laws, "bidirectional", two)
    assert breaks(laws.test_reversing_the_valid_part_swaps_the_halves_of_bidirectional, "gru", last)


@pytest.mark.parametrize(
    "layer", [attention(2, causal=True), attention(1, positions="rotary"), attention(2, positions="learned", length=7)]
)
def test_law_of_permutations_notices_an_order_of_places(layer):
    law = part_laws.test_attention_without_positions_is_equivariant_under_permutations
    assert breaks(law, layer)


def test_law_of_rows_notices_weights_that_do_not_sum_to_1(monkeypatch):
    monkeypatch.setattr(part_laws, "attention", lambda heads: _scaled(attention(heads), 1.001))
    assert breaks(part_laws.test_attention_of_equal_values_gives_these_values)


def test_law_of_scale_notices_an_epsilon():
    assert breaks(part_laws.test_norm_ignores_the_scale_of_its_input, layer_norm(epsilon=1e-3))
    assert breaks(part_laws.test_norm_ignores_the_scale_of_its_input, rms_norm(epsilon=1e-3))


def test_law_of_shift_notices_a_norm_without_a_mean(monkeypatch):
    monkeypatch.setattr(part_laws, "layer_norm", rms_norm)
    assert breaks(part_laws.test_layer_norm_ignores_a_shift_and_its_derivative_sums_to_zero)


def test_law_far_from_zero_notices_a_variance_as_a_difference(monkeypatch):
    def careless():
        def forward(params, x, key):
            mean = x.mean(-1, keepdims=True)
            variance = jnp.maximum((x * x).mean(-1, keepdims=True) - mean * mean, 0)
            return (x - mean) / jnp.sqrt(variance + 1e-5), ()

        return layer_norm()._replace(forward=forward)

    monkeypatch.setattr(part_laws, "layer_norm", careless)
    assert breaks(part_laws.test_layer_norm_is_exact_far_from_zero_in_float32)


def test_law_of_memory_notices_kept_weights(monkeypatch):
    def keeps_weights(heads, causal):
        layer = attention(heads, causal)

        def forward(params, x, key):
            y, res = layer.forward(params, x, key)
            return y, (res, jnp.zeros((len(x), heads, x.shape[1], x.shape[1])))

        return layer._replace(forward=forward)

    monkeypatch.setattr(part_laws, "attention", keeps_weights)
    assert breaks(part_laws.test_attention_keeps_nothing_that_grows_with_the_square_of_time)


def test_laws_of_dropout_notice_a_lost_scale_and_a_mask_for_each_place(monkeypatch):
    monkeypatch.setattr(dropout_laws, "dropout", lambda rate, dims=(): _scaled(dropout(rate, dims), 1 - rate))
    assert breaks(dropout_laws.test_dropout_has_the_moments_of_its_rate, 0.5, (1,))
    monkeypatch.setattr(dropout_laws, "dropout", lambda rate, dims=(): dropout(rate))
    assert breaks(dropout_laws.test_dropout_has_one_mask_along_the_axes_that_share_it, (1,))
    assert breaks(dropout_laws.test_dropout_keeps_one_mask_for_a_sequence)
    assert breaks(dropout_laws.test_dropout_of_a_sequence_does_not_depend_on_its_padding)


def _scaled(layer: Layer, factor: float) -> Layer:
    """The layer times a factor."""

    def forward(params, x, key):
        y, res = layer.forward(params, x, key)
        return factor * y, res

    def backward(params, res, dy):
        return layer.backward(params, res, factor * dy)

    return layer._replace(forward=forward, backward=backward)
