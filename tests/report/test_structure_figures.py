"""Figures of what a net has found: which of them a run has, and that they show what the net says."""

from typing import Any

import jax
import numpy as np
import pytest

import jaxnn
from jaxnn.config import load
from jaxnn.config.experiment import make_experiment
from jaxnn.course.graph_studies import attention_shares
from jaxnn.experiment.definition import seed_params
from jaxnn.graph import Graph, make_edges
from jaxnn.layers import graph_attention
from jaxnn.metrics import mean_iou
from jaxnn.plots.structure import graph_positions
from jaxnn.report.structure_figures import class_labels, first_directions, structure_figures


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ("digits_vae", ["latent_plane", "walk"]),
        ("karate_gcn", ["hidden_nodes", "graph"]),
        ("digits_mixture", ["shares"]),
        ("digits_mlp", []),
    ],
)
def test_run_has_the_figures_of_its_kind(config, names):
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        run = jaxnn.fit(make_experiment(load(config, ["train.epochs=1", "train.eval_every=1"])))
        figures = list(structure_figures(run.experiment, seed_params(run.params, 0)))
    assert [figure.name for figure in figures] == names


def test_shares_of_attention_are_those_of_the_layer():
    """The mean of the neighbours with these shares is the layer's output."""
    rng = np.random.default_rng(0)
    edges: Any = jax.tree.map(lambda a: np.asarray(a), make_edges([0, 1, 2, 0, 4], [1, 2, 3, 3, 2], 6))
    x = Graph(jax.numpy.asarray(rng.normal(size=(1, 6, 5))), edges)
    layer = graph_attention(3, 2)
    params: Any = jax.tree.map(lambda a: jax.numpy.asarray(rng.normal(size=a.shape)), layer.init(jax.random.key(0), x))
    y: Any = layer.apply(params, x)
    shares = attention_shares(params, x)
    h = np.asarray(x.nodes[0] @ params.weight).reshape(6, 3, 2)
    expected = np.zeros_like(h)
    np.add.at(expected, np.asarray(edges.receivers)[0], shares[..., None] * h[np.asarray(edges.senders)[0]])
    assert np.allclose(np.asarray(y.nodes[0]), expected.reshape(6, -1) + np.asarray(params.bias), atol=1e-12)


def test_graph_is_drawn_with_neighbours_near_each_other_and_the_same_again():
    ring = np.stack([np.arange(12), (np.arange(12) + 1) % 12], -1)
    positions = graph_positions(ring, 12)
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    far = distance[np.arange(12), (np.arange(12) + 6) % 12]
    assert far.min() > 2 * distance[ring[:, 0], ring[:, 1]].max()
    assert np.array_equal(positions, graph_positions(ring, 12))


def test_first_directions_keep_most_of_the_variance():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 7)) + 0.001 * rng.normal(size=(50, 7))
    points, names = first_directions(values)
    assert points.shape == (50, 2) and "% of the variance" in names[0]
    assert points.var(0).sum() == pytest.approx(values.var(0).sum(), rel=1e-4)
    assert first_directions(values[:, :2])[1] == ("first unit", "second unit")
    assert class_labels(np.zeros((3, 2), np.int32)) is None


def test_overlap_of_each_class_by_hand():
    y = jax.nn.one_hot(np.asarray([[[0, 0], [1, 1]]]), 3)
    found = mean_iou(y, np.asarray([[[0, 1], [1, 1]]]))
    assert np.allclose(found.per_class(), [1 / 2, 2 / 3, np.nan], equal_nan=True)
    assert found.value() == pytest.approx((1 / 2 + 2 / 3) / 2)
    with jax.debug_nans(True):  # a class that does not occur ends no run
        assert np.isfinite(found.value())
