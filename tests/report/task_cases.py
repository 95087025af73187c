"""Experiments of every task, small enough to train in a moment."""

import numpy as np
import optax

import jaxnn
from jaxnn.losses import OUTPUT_LOSSES

N, NAMES = 24, ("ash", "beech", "cedar")
X = np.random.default_rng(0).normal(size=(N, 4)).astype(np.float32)
LABELS = (np.arange(N) % 2).astype(np.int32)
PLACES = np.stack([LABELS, 1 - LABELS], axis=1)
WIDTHS, KINDS = (1, 2, 3, 5), ("labels", "places", "one-hot", "zeros and ones", "numbers")
#: Combinations that no loss can train: labels that have no output, and numbers that are no probabilities.
CROSS_ENTROPIES = ("sigmoid_cross_entropy", "softmax_cross_entropy", "perceptron")


def target_of(kind, width):
    rng = np.random.default_rng(1)
    return {
        "labels": LABELS,
        "places": PLACES,
        "one-hot": np.eye(width, dtype=np.float32)[LABELS % width],
        "zeros and ones": rng.integers(0, 2, (N, width)).astype(np.float32),
        "numbers": rng.normal(size=(N, width)).astype(np.float32),
    }[kind]


def experiment(loss, width, kind, **data):
    units = width if kind != "places" else 2 * width
    model = jaxnn.serial(jaxnn.dense(units), *([jaxnn.reshape((2, width))] if kind == "places" else []))
    update = jaxnn.supervised(model, OUTPUT_LOSSES[loss](), optax.sgd(0.01))
    target = target_of(kind, width)
    source = jaxnn.in_memory(X[:16], target[:16])
    info = jaxnn.DataInfo("trees", **data)
    return jaxnn.Experiment(update, source, jaxnn.Plan(2), test=(X[16:], target[16:]), data=info, title="Trees")
