"""How real samples look to a classifier of one's own: the judge of a generative net.

The distance is measured between features of this classifier. It is no Fréchet inception distance, whose net saw other
pictures, and the two cannot be compared.
"""

from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from jaxnn.errors import UserError, hint
from jaxnn.experiment.definition import Experiment
from jaxnn.experiment.scores import PREDICTED_AT_ONCE, predict
from jaxnn.layer import Params
from jaxnn.traverse import visits

#: A sample counts as recognised from this probability on.
CONFIDENT = 0.95
#: Numbers of a feature, beyond which their covariance is not computed.
MAX_FEATURES = 2048


class Judgement(NamedTuple):
    """What a classifier says of samples.

    classes: those with at least a fifth of an even share of the samples, of `of` classes
    confidence: the mean probability of the class that each sample is taken for
    confident: the share of samples with a probability of at least `CONFIDENT`
    agreement: the share of samples that are taken for the class that was asked for; NaN where none was
    distance: Fréchet's, between the features of the last hidden layer of samples and of real test examples
    neighbour: mean distance of a sample to the nearest training example, in the units of the data's full intensity
    real_neighbour: the same of real test examples; far smaller distances of samples are copies
    """

    classes: int
    of: int
    confidence: float
    confident: float
    agreement: float
    distance: float
    neighbour: float
    real_neighbour: float


def judge(
    experiment: Experiment, params: Params, samples: np.ndarray, label: int | None = None, seed: int = 0
) -> Judgement:
    """What the first seed's classifier says of samples with values from 0 to 1.

    experiment, params: of a classifier with its data, of which the samples have the shape; label: as for the samples
    Raises `UserError` for another experiment, and for samples of another shape.
    """
    train, test = experiment.examples("train"), experiment.examples("test")
    if experiment.task() != "classification" or not isinstance(train, tuple) or not isinstance(test, tuple):
        raise UserError(f"{experiment.title}: expected a classifier with a test part as the judge, found another")
    if np.shape(train[0])[1:] != samples.shape[1:]:
        raise UserError(
            f"{experiment.title}: expected samples of shape {np.shape(train[0])[1:]}, as this judge has learned from, "
            f"found {samples.shape[1:]}"
        )
    full = experiment.data.max_value
    pictures = (samples * full).astype(np.float32)
    probability = np.asarray(predict(experiment, params, pictures, seed))
    predicted, sure = probability.argmax(-1), probability.max(-1)
    of = probability.shape[-1]
    counts = np.bincount(predicted, minlength=of)
    known, real = (np.asarray(part[0], np.float32) for part in (train, test))
    # Together, as each call is a program of its own.
    both = features(experiment, params, np.concatenate([pictures, real]), seed)
    return Judgement(
        int((counts >= len(samples) / (5 * of)).sum()),
        of,
        float(sure.mean()),
        float((sure >= CONFIDENT).mean()),
        float("nan") if label is None else float((predicted == label).mean()),
        frechet_distance(both[: len(pictures)], both[len(pictures) :]),
        nearest(pictures / full, known / full),
        nearest(real / full, known / full),
    )


def features(experiment: Experiment, params: Params, x: np.ndarray, seed: int = 0) -> np.ndarray:
    """What the last layer of a classifier takes in, for inputs x as the data have them: (n, features).

    Raises `UserError` for a net without hidden layers.
    """
    single = experiment.of_seed(seed)
    model = single.bound().model
    source = single.source

    def last_input(x: Any) -> Any:
        prepared, _ = source.prepare(source.stats, (x, None))
        passed = list(visits(model, params, prepared)) if model is not None else []
        if len(passed) < 2:
            raise UserError(f"{experiment.title}: expected a net with a hidden layer as the judge, found none")
        return passed[-1].x.reshape(len(x), -1)

    function = jax.jit(last_input)
    pieces = [x[i : i + PREDICTED_AT_ONCE] for i in range(0, len(x), PREDICTED_AT_ONCE)]
    return np.concatenate([np.asarray(function(jnp.asarray(piece))) for piece in pieces])


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """‖μₐ − μ_b‖² + tr(Cₐ + C_b − 2 (Cₐ C_b)^{1/2}) of two sets of rows, as if both were normal; NaN for wide rows."""
    if a.shape[1] > MAX_FEATURES or min(len(a), len(b)) < 2:
        return float("nan")
    a, b = a.astype(np.float64), b.astype(np.float64)
    first, second = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (a, b))
    # The eigenvalues of Cₐ C_b are those of the symmetric √Cₐ C_b √Cₐ.
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    mixed = np.linalg.eigvalsh(root @ second @ root)
    traces = np.trace(first) + np.trace(second) - 2 * np.sqrt(np.maximum(mixed, 0)).sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + traces)


def nearest(rows: np.ndarray, known: np.ndarray) -> float:
    """The mean distance of rows to the nearest of the known rows."""
    rows, known = (a.reshape(len(a), -1) for a in (rows, known))
    squares = (known**2).sum(1)
    found = [
        np.sqrt(np.maximum((part**2).sum(1) + (squares - 2 * part @ known.T).min(1), 0))
        for part in np.array_split(rows, -(-len(rows) // 200))
    ]
    return float(np.concatenate(found).mean())


def class_index(experiment: Experiment, name: str) -> int:
    """The label of a class by its name or number. Raises `UserError` for an unknown one."""
    names = experiment.data.classes
    if name in names:
        return names.index(name)
    if name.isdecimal():
        return int(name)
    raise UserError(f"--class: expected one of {', '.join(names)}, found {name!r}{hint(name, names)}")
