"""The parameters of a training run over its epochs, and the loss as a function of the parameters.

Everything here is of an experiment's first seed. Parameters are flat vectors, so that they can be projected on a plane.
"""

import functools
from collections.abc import Callable

import jax
import numpy as np
from jax import numpy as jnp
from jax.flatten_util import ravel_pytree

from jaxnn.errors import UserError
from jaxnn.experiment.definition import Experiment
from jaxnn.kernels.devices import copied_to_device
from jaxnn.kernels.xla_options import compiler_options
from jaxnn.layer import Params
from jaxnn.train.evaluation import evaluate


def parameter_trajectory(experiment: Experiment, epochs: int | None = None) -> np.ndarray:
    """The flat parameters before each epoch and after the last one: (epochs + 1, parameters).

    epochs: how many epochs to train; None: as many as the experiment has
    Raises `UserError` for a stream: a program runs the whole training, and has all examples.
    """
    if experiment.source.block:
        raise UserError(f"{experiment.title}: expected examples in memory, found a stream; use jaxnn.in_memory")
    job = experiment.of_seed(0).job()
    job = job._replace(plan=job.plan._replace(eval_every=1, patience=None))
    training, update = job.training, job.bound(0)

    @functools.partial(jax.jit, compiler_options=compiler_options())
    def train(data, hyperparameters):
        state = training.init(jax.random.key(experiment.seeds[0]), hyperparameters)

        def epoch(state, _):
            flat = ravel_pytree(update.params(state.update))[0]
            return training.run_steps(state, data, 0, job.source.steps, 1)[0], flat

        state, rows = jax.lax.scan(epoch, state, length=epochs or job.plan.epochs)
        return jnp.concatenate([rows, ravel_pytree(update.params(state.update))[0][None]])

    return np.asarray(train(job.data(), job.seed_hyperparameters(0)))


def params_unraveler(experiment: Experiment) -> Callable[[jax.Array], Params]:
    """A function from a row of `parameter_trajectory` to the parameters."""
    shapes = experiment.of_seed(0).state_shapes().best.params
    return ravel_pytree(jax.tree.map(lambda s: np.zeros(s.shape[1:], s.dtype), shapes))[1]


def loss_surface(experiment: Experiment) -> Callable[[np.ndarray], np.ndarray]:
    """A function from flat parameters (points, parameters) to the loss per training example at each point (points,)."""
    single_seed, unravel = experiment.of_seed(0), params_unraveler(experiment)
    update, source = single_seed.bound(), single_seed.source

    @functools.partial(jax.jit, compiler_options=compiler_options())
    def losses(points, examples, stats):
        batch = source.prepare(stats, examples)

        def loss(flat):
            sums = evaluate(update.evaluate, unravel(flat), batch, jax.random.key(0), rows=None)
            return sums["loss"].value()

        return jax.lax.map(loss, points)

    examples = copied_to_device(single_seed.examples("train"))
    return lambda points: np.asarray(losses(points, examples, source.stats))
