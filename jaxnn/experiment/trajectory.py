"""The parameters of a training run over its epochs, and the loss as a function of the parameters.

Everything here is of an experiment's first seed. Parameters are flat vectors, so that they can be projected on a plane.
"""

import functools
from collections.abc import Callable

import jax
import numpy as np
from jax import numpy as jnp
from jax.flatten_util import ravel_pytree

from jaxnn.backprop import objective
from jaxnn.config.experiment import Experiment, device_data, training_of
from jaxnn.kernels.xla_options import compiler_options
from jaxnn.layer import Params


def parameter_trajectory(experiment: Experiment, epochs: int | None = None) -> np.ndarray:
    """The flat parameters before each epoch and after the last one: (epochs + 1, parameters).

    epochs: how many epochs to train; None: as many as the experiment has
    """
    training, data = training_of(experiment, "hand"), _first_seed_data(experiment)
    n = epochs or experiment.plan.epochs

    @functools.partial(jax.jit, compiler_options=compiler_options())
    def train(data):
        state = training.init(jax.random.key(experiment.seeds[0]), data)

        def epoch(state, _):
            flat = ravel_pytree(state.params)[0]
            return training.advance(state, data, 1, 1)[0], flat

        state, rows = jax.lax.scan(epoch, state, length=n)
        return jnp.concatenate([rows, ravel_pytree(state.params)[0][None]])

    return np.asarray(train(data))


def params_unraveler(experiment: Experiment) -> Callable[[jax.Array], Params]:
    """A function from a row of `parameter_trajectory` to the model's parameters."""
    data = _first_seed_data(experiment)
    x = jax.eval_shape(lambda: experiment.prepare(data.stats, data.train.x))
    shapes = jax.eval_shape(experiment.model.init, jax.random.key(0), x)
    return ravel_pytree(jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), shapes))[1]


def loss_surface(experiment: Experiment) -> Callable[[np.ndarray], np.ndarray]:
    """A function from flat parameters (points, parameters) to the loss per training example at each point (points,)."""
    data, unravel = _first_seed_data(experiment), params_unraveler(experiment)
    cost = objective(experiment.model, experiment.loss)

    @functools.partial(jax.jit, compiler_options=compiler_options())
    def losses(points):
        x = experiment.prepare(data.stats, data.train.x)
        n = len(data.train.y) if experiment.loss.reduction == "sum" else 1
        return jax.lax.map(lambda flat: cost(unravel(flat), x, data.train.y)[0] / n, points)

    return lambda points: np.asarray(losses(points))


def _first_seed_data(experiment: Experiment):
    data = device_data(experiment)
    return jax.tree.map(lambda a: a[0], data) if len(experiment.splits) > 1 else data
