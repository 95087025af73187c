"""The figures of what a net has found inside its data: a latent plane, the nodes of a graph, the shares of sub-nets."""

from collections.abc import Iterator
from statistics import NormalDist
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn import plots
from jaxnn.experiment.definition import Experiment
from jaxnn.graph import Graph
from jaxnn.kernels.devices import copied_to_device
from jaxnn.layer import Layer, Params
from jaxnn.mixture_of_experts import shares
from jaxnn.plots.structure import graph_positions
from jaxnn.report.figure import Figure
from jaxnn.report.figured_examples import last_part, prepared_examples
from jaxnn.report.score_table import output_names
from jaxnn.targets import Weighted, plain_target
from jaxnn.traverse import Visit, compiled_visits, steps
from jaxnn.variational import decode, is_drawn

#: Examples that a figure shows; the sides of the walk through a latent plane; nodes of a graph that is drawn.
SHOWN, WALK, MAX_DRAWN_NODES = 2000, 15, 100


def structure_figures(experiment: Experiment, params: Params) -> Iterator[Figure]:
    """The figures of the first seed that apply, of the test part or the nearest thing to it."""
    model = experiment.bound().model
    found = last_part(experiment)
    if model is None or found is None:
        return
    part, examples = found
    params, rows = copied_to_device(params), jax.tree.map(lambda a: np.asarray(a[:SHOWN]), examples)
    x, _ = prepared_examples(experiment, rows)
    labels = class_labels(rows[1])
    where = f"{part} part, seed {experiment.seeds[0]}"
    if isinstance(x, Graph):
        yield from graph_figures(experiment, compiled_visits(model, params, x), x, rows[1], where)
    elif is_drawn(model):
        yield from latent_figures(experiment, params, x, labels, where)
    elif labels is not None and experiment.task() == "classification" and _has_mixture(model, params):
        for mixed in (visit for visit in compiled_visits(model, params, x) if visit.step.layer.name == "mixture"):
            yield share_figure(experiment, mixed, labels, where)


def _has_mixture(model: Layer, params: Params) -> bool:
    """Whether a model is worth running for the shares of its mixtures."""
    return any(step.layer.name == "mixture" for step in steps(model, params))


def class_labels(target: Any) -> np.ndarray | None:
    """The labels of examples (n,); None for other targets."""
    labels = plain_target(target)
    if getattr(labels, "ndim", 0) != 1 or not jnp.issubdtype(labels.dtype, jnp.integer):
        return None
    return np.asarray(labels)


def latent_figures(
    experiment: Experiment, params: Params, x: Any, labels: np.ndarray | None, where: str
) -> Iterator[Figure]:
    """A latent plane by class, and a walk through it: for a variational autoencoder with two latent numbers."""
    model = experiment.bound().model
    assert model is not None
    code = jax.jit(lambda params, x: model.apply(params, x)[1])(params, x)
    if code.ndim != 2 or code.shape[-1] != 4:
        return
    if labels is not None:
        axes = ("first latent number", "second latent number")
        names = output_names(experiment.data)
        figure = plots.classes_in_plane(code[:, :2], labels, names, title=f"Latent plane, {where}", axes=axes)
        yield Figure("latent_plane", "Latent plane", figure, f"The codes of {len(labels):,} examples by their class.")
    if x.ndim != 4 or x.shape[-1] not in (1, 3):
        return
    places = [NormalDist().inv_cdf((i + 0.5) / WALK) for i in range(WALK)]
    z = np.asarray([(across, down) for down in reversed(places) for across in places], code.dtype)
    images = jax.jit(lambda params, z: jax.nn.sigmoid(decode(model, params, z)))(params, z)
    figure = plots.sample_images(np.asarray(images), title="A walk through the latent plane", columns=WALK)
    alt = f"What the decoder makes of {WALK}×{WALK} codes, at equal shares of the prior along both numbers."
    yield Figure("walk", "Walk through the latent plane", figure, alt)


def graph_figures(experiment: Experiment, passed: list[Visit], x: Graph, target: Any, where: str) -> Iterator[Figure]:
    """The last hidden layer of the nodes in two dimensions, and a drawing of a small graph."""
    labels = plain_target(target)
    layers = [visit for visit in passed if visit.step.layer.name in ("graph_conv", "graph_attention")]
    if not layers or getattr(labels, "ndim", 0) != 2:
        return
    hidden, truth = layers[-1].x, np.asarray(labels)[0]
    values = getattr(hidden, "nodes", None)
    names, seed = output_names(experiment.data), f"seed {experiment.seeds[0]}"
    if hasattr(values, "ndim") and layers[-1] is not layers[0]:
        points, named = first_directions(np.asarray(values)[0])
        figure = plots.classes_in_plane(points, truth, names, title=f"The last hidden layer, {seed}", axes=named)
        alt = f"The last hidden layer of {len(truth):,} nodes in two dimensions, by the class of each node."
        yield Figure("hidden_nodes", "Hidden layer of the nodes", figure, alt)
    if len(truth) > MAX_DRAWN_NODES:
        return
    output = np.asarray(passed[-1].y)[0].argmax(-1)
    senders, receivers = (np.asarray(a)[0] for a in (x.edges.senders, x.edges.receivers))
    chosen = senders < receivers
    edges = np.stack([senders, receivers], -1)[chosen]
    train = experiment.examples("train")
    weight = train[1].weight if isinstance(train, tuple) and isinstance(train[1], Weighted) else np.zeros((1, 0))
    known = np.flatnonzero(np.asarray(weight)[0])
    figure = plots.graph_drawing(
        graph_positions(edges, len(truth)), edges, output, names, marked=known, title=f"Predicted classes, {where}"
    )
    alt = f"The graph with the predicted class of each of {len(truth)} nodes; rings: the nodes whose class was told."
    yield Figure("graph", "The graph and its predicted classes", figure, alt)


def share_figure(experiment: Experiment, mixed: Visit, labels: np.ndarray, where: str) -> Figure:
    """Which sub-net of a mixture speaks for which class."""
    share = np.asarray(shares(mixed.step.layer, mixed.step.params, mixed.x))
    count = int(labels.max()) + 1
    occurs = [k in labels for k in range(count)]
    means = np.stack([share[labels == k].mean(0) if occurs[k] else np.zeros(share.shape[1]) for k in range(count)])
    parts = [f"{i + 1}" for i in range(share.shape[1])]
    title = f"Which sub-net speaks, {where}"
    figure = plots.shares_by_class(means, output_names(experiment.data), parts, title=title)
    return Figure("shares", "Which sub-net speaks", figure, "The mean share of each sub-net in the answer, by class.")


def first_directions(values: np.ndarray) -> tuple[np.ndarray, tuple[str, str]]:
    """Points (n, m) in two dimensions, and what these are: the numbers themselves, or the two directions that vary the
    most (principal components)."""
    if values.shape[1] == 2:
        return values, ("first unit", "second unit")
    centred = values - values.mean(0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    share = sizes**2 / max((sizes**2).sum(), 1e-30)
    first, second = (f"direction {i + 1} ({100 * share[i]:.0f} % of the variance)" for i in (0, 1))
    return centred @ directions[:2].T, (first, second)
