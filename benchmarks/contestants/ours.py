"""`jaxnn` itself, as `jaxnn train` runs it: the same program, without its folder."""

import time
from collections.abc import Sequence

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jaxnn.experiment.results import scores

import jaxnn
from benchmarks.runner import Contestant, Work
from jaxnn.backprop import autodiff_value_and_grad
from jaxnn.config import build_optimizer, load
from jaxnn.config.bind import training_of_step
from jaxnn.config.experiment import Experiment, device_data, make_experiment, settings, step
from jaxnn.engine.chunks import LONGEST, Chunks
from jaxnn.engine.parallel import How
from jaxnn.engine.program import Program
from jaxnn.layers.affine import Affine
from jaxnn.train import make_training
from jaxnn.train.run import Training
from jaxnn.train.state import Settings


class Ours:
    """Goes on step by step, wherever the last round ended."""

    def __init__(self, experiment: Experiment, training: Training, given: Settings, how: How = "in_turn"):
        self.experiment, self.done = experiment, 0
        keys = jax.vmap(jax.random.key)(jnp.asarray(experiment.seeds, jnp.uint32))
        data, stacked = device_data(experiment), len(experiment.splits) > 1
        epoch = experiment.plan.steps(len(experiment.splits[0].train.y))
        chunks = Chunks(10**6 * epoch, experiment.plan.eval_every * epoch)
        self.program = Program(training, keys, given, data, stacked, how, experiment.plan, chunks)
        self.state = self.program.first()

    def train(self, steps: int) -> None:
        end, record = self.done + steps, self.program.chunks.record
        while self.done < end:
            count = min(end, (self.done // record + LONGEST) * record) - self.done
            self.state, _, sound = self.program.walk(self.state, self.done, count)
            assert sound.all()
            self.done += count

    def test(self) -> tuple[float, float]:
        found = scores(self.experiment, self.state.params)["test"]
        return float(np.mean(found.loss)), float(np.mean(found.accuracy))


def experiment_of(work: Work, seeds: Sequence[int] = (0,)) -> Experiment:
    """What the work's config asks for."""
    experiment = make_experiment(load(work.config, work.overrides), seeds=seeds)
    some = experiment.splits[0].train
    if work.examples <= len(some.y):
        return experiment
    # More than there are: they come again.
    rows = np.arange(work.examples) % len(some.y)
    splits = experiment.splits[0]._replace(train=some._replace(x=some.x[rows], y=some.y[rows]))
    return experiment._replace(splits=(splits,))


def ours(work: Work, *, grad: str = "hand", seeds: Sequence[int] = (0,), how: How = "in_turn") -> Ours:
    """The work, by the config's own step."""
    experiment = experiment_of(work, seeds)
    of = step(experiment, grad)
    return Ours(experiment, training_of_step(of), settings(experiment, of), how)


def by_hand(work: Work) -> Contestant:
    return ours(work)


def by_autodiff(work: Work) -> Contestant:
    """The same forward pass, its derivative by JAX."""
    return ours(work, grad="auto")


def many_seeds(work: Work) -> Contestant:
    """Thirty-two seeds as one program, each a row of every array, shared out over the cores."""
    return ours(work, seeds=range(32), how="vectorize")


def by_autodiff_of_lax(work: Work) -> Ours:
    """The net as one writes it with JAX alone, in the same scan: `lax.conv_general_dilated`, `lax.reduce_window`."""
    experiment = experiment_of(work)

    def init(key, x):
        del x
        weight = jax.nn.initializers.glorot_uniform()(key, (5, 5, 1, 20))
        return Affine(weight, jnp.zeros(20))

    def conv_relu_pool(params, x, key):
        del key
        z = lax.conv_general_dilated(x, params.weight, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return lax.reduce_window(jax.nn.relu(z + params.bias), -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    # As many layers as the config's net has, so that its test takes these parameters.
    first = jaxnn.autodiff(init, conv_relu_pool)
    model = jaxnn.serial(first, jaxnn.identity(), jaxnn.flatten(), jaxnn.dense(100), jaxnn.tanh(), jaxnn.dense(10))
    training = make_training(
        model, experiment.loss, build_optimizer(experiment.config), experiment.plan,
        prepare=experiment.prepare, grad=autodiff_value_and_grad,
    )  # fmt: skip
    return Ours(experiment, training, {})


class WholeRun:
    """A run from its first weights to its last step, again and again."""

    def __init__(self, work: Work):
        self.work, self.first = work, True

    def run(self, *seeds: int) -> tuple[float, float]:
        """Seconds, first weights and all steps (of the first run, data and compiling too), and mean test accuracy."""
        how: How = "vectorize" if len(seeds) > 1 else "in_turn"
        made = time.perf_counter()
        one = ours(self.work, seeds=seeds, how=how)
        steps = one.experiment.plan.epochs * one.experiment.plan.steps(len(one.experiment.splits[0].train.y))
        began = made if self.first else time.perf_counter()
        self.first = False
        one.state = one.program.first()
        one.train(steps)
        return time.perf_counter() - began, one.test()[1]


def whole_run(work: Work) -> WholeRun:
    return WholeRun(work)


def data_bytes(work: Work) -> tuple[int, int]:
    """Bytes of the data as the training holds them, and of its images and labels as they come."""
    experiment = experiment_of(work)
    data, train = device_data(experiment), experiment.splits[0].train
    return sum(a.nbytes for a in jax.tree.leaves(data)), train.x.nbytes + train.y.nbytes
