"""Sub-nets that are trained alone, then kept as they are, and joined by an intermediary network."""

from typing import NamedTuple

import numpy as np

from jaxnn.combine import serial
from jaxnn.course.run_system import best_params
from jaxnn.experiment.definition import Experiment, seed_params
from jaxnn.experiment.scores import scores
from jaxnn.layer import Layer
from jaxnn.layers import dense
from jaxnn.losses import softmax_cross_entropy
from jaxnn.pretrained import pretrained
from jaxnn.train import Group, optimizer, supervised

#: Outputs of the net that joins the sub-nets, and of a sub-net that is trained alone: the classes.
CLASSES = 10


class Modular(NamedTuple):
    """Test accuracies of each seed: of the sub-nets alone (sub-nets, seeds), and of the frozen ones joined (seeds,)."""

    alone: np.ndarray
    joined: np.ndarray


def frozen_modules(experiment: Experiment, learning_rate: float = 0.003) -> Modular:
    """Trains the sub-nets of a modular experiment alone, and then its intermediary over them, which stay as they are.

    experiment: its model is `serial(parallel(*sub-nets), …)`; its data, plan and seeds are used
    """
    model = experiment.bound().model
    assert model is not None
    together, *rest = (part.layer for part in model.parts)
    sub_nets = [part.layer for part in together.parts]
    learned, alone = [], []
    for sub_net in sub_nets:
        params, accuracy = _train(experiment, serial(sub_net, dense(CLASSES)), learning_rate)
        learned.append(params)
        alone.append(accuracy)
    joined = []
    for i, seed in enumerate(experiment.seeds):
        parts = tuple(seed_params(params, i)[0] for params in learned)
        frozen = (Group("0/*", frozen=True),)
        net = serial(pretrained(together, parts), *rest)
        joined.append(_train(experiment._replace(seeds=(seed,)), net, learning_rate, frozen)[1][0])
    return Modular(np.asarray(alone), np.asarray(joined))


def _train(
    experiment: Experiment, model: Layer, learning_rate: float, groups: tuple[Group, ...] = ()
) -> tuple[object, np.ndarray]:
    """The best parameters of each seed, and their test accuracy."""
    update = supervised(model, softmax_cross_entropy(), optimizer("adam", learning_rate, groups=groups))
    changed = experiment._replace(update=update, hyperparameters={})
    best = best_params(changed)
    return best, scores(changed, best)["test"]["accuracy"]
