"""Samples of a generative net of an experiment: new examples, in the shape of its data."""

import functools
from typing import Any

import jax
import numpy as np

from jaxnn.engine.compiled_run import MAX_PROGRAMS
from jaxnn.errors import UserError
from jaxnn.experiment.definition import Experiment
from jaxnn.kernels.devices import local_devices
from jaxnn.layer import Params
from jaxnn.train.step import Bind

#: Samples of a call that fit into memory.
MAX_SAMPLES = 100_000


def samples_examples(experiment: Experiment) -> bool:
    """Whether the update of an experiment makes examples."""
    return experiment.bound().sample is not None


def draw_samples(
    experiment: Experiment, params: Params, count: int, key: Any, label: int | None = None, seed: int = 0
) -> np.ndarray:
    """`count` samples of one seed's parameters, in the units in which the model sees examples.

    Equal keys give equal samples.

    label: the class of all samples, for a model that is told classes; None draws one for each
    seed: the position of the parameters' seed
    Raises `UserError` for an experiment that makes no samples, a count that is none, and a class that is not known.
    """
    update = experiment.bound()
    if update.sample is None:
        raise UserError(
            f"{experiment.title}: expected a generative net (adversarial, flow matching, a variational autoencoder), "
            "found another"
        )
    if not 1 <= count <= MAX_SAMPLES:
        raise UserError(f"sample: expected a count from 1 to {MAX_SAMPLES:,}, found {count}")
    classes = update.sample_classes
    if label is not None and not classes:
        raise UserError(f"{experiment.title}: expected no class, found {label}; this net was not told classes")
    if label is not None and not 0 <= label < classes:
        raise UserError(f"sample: expected a class from 0 to {classes - 1}, found {label}")
    x = experiment.source.example[0]
    shape, dtype = (count, *x.shape[1:]), x.dtype
    function = _sample(experiment.bind, shape, dtype.name, label is None, tuple(local_devices()))
    values = experiment.of_seed(seed).job().seed_hyperparameters(0)
    return np.asarray(jax.device_get(function(params, values, key, 0 if label is None else label)))


@functools.lru_cache(MAX_PROGRAMS)
def _sample(bind: Bind, shape: tuple[int, ...], dtype: str, any_class: bool, devices: tuple[Any, ...]) -> Any:
    """Compiled once for a model on these devices. Parameters are an argument, so all seeds share the program."""
    del devices

    def sample(params, hyperparameters, key, label):
        update = bind(hyperparameters)
        assert update.sample is not None
        return update.sample(params, key, jax.ShapeDtypeStruct(shape, dtype), None if any_class else label)

    return jax.jit(sample)
