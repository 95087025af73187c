"""`jaxnn` as a contestant: the program that `jaxnn train` runs, without its run folder."""

import time
from collections.abc import Sequence

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jaxnn.experiment.results import scores

import jaxnn
from benchmarks.runner import Workload
from jaxnn.backprop import autodiff_value_and_grad
from jaxnn.config import build_optimizer, load
from jaxnn.config.bind import training_of_step
from jaxnn.config.experiment import Experiment, device_data, make_experiment, settings, step
from jaxnn.engine.chunks import LONGEST, Chunks
from jaxnn.engine.parallel import How
from jaxnn.engine.program import Program
from jaxnn.layers.conv import ConvParams
from jaxnn.train import make_training
from jaxnn.train.run import Training
from jaxnn.train.state import Settings


class JaxnnContestant:
    """Trains an experiment's seeds in rounds; each round continues where the last one ended."""

    def __init__(self, experiment: Experiment, training: Training, hyperparameters: Settings, how: How = "in_turn"):
        self.experiment, self.steps_done = experiment, 0
        keys = jax.vmap(jax.random.key)(jnp.asarray(experiment.seeds, jnp.uint32))
        data, stacked = device_data(experiment), len(experiment.splits) > 1
        epoch = experiment.plan.steps(len(experiment.splits[0].train.y))
        chunks = Chunks(10**6 * epoch, experiment.plan.eval_every * epoch)
        self.program = Program(training, keys, hyperparameters, data, stacked, how, experiment.plan, chunks)
        self.state = self.program.first()

    def train(self, steps: int) -> None:
        end, record = self.steps_done + steps, self.program.chunks.record
        while self.steps_done < end:
            count = min(end, (self.steps_done // record + LONGEST) * record) - self.steps_done
            self.state, _, finite = self.program.walk(self.state, self.steps_done, count)
            assert finite.all()
            self.steps_done += count

    def test(self) -> tuple[float, float]:
        metrics = scores(self.experiment, self.state.params)["test"]
        return float(np.mean(metrics.loss)), float(np.mean(metrics.accuracy))


def make_workload_experiment(workload: Workload, seeds: Sequence[int] = (0,)) -> Experiment:
    """The experiment of the workload's config."""
    experiment = make_experiment(load(workload.config, workload.overrides), seeds=seeds)
    train = experiment.splits[0].train
    if workload.examples <= len(train.y):
        return experiment
    # The data set has fewer examples than the workload, so they are repeated.
    rows = np.arange(workload.examples) % len(train.y)
    splits = experiment.splits[0]._replace(train=train._replace(x=train.x[rows], y=train.y[rows]))
    return experiment._replace(splits=(splits,))


def make_contestant(
    workload: Workload, *, grad: str = "hand", seeds: Sequence[int] = (0,), how: How = "in_turn"
) -> JaxnnContestant:
    """The contestant that trains by the step of the workload's config."""
    experiment = make_workload_experiment(workload, seeds)
    key = step(experiment, grad)
    return JaxnnContestant(experiment, training_of_step(key), settings(experiment, key), how)


def hand_written(workload: Workload) -> JaxnnContestant:
    """The gradient by the layers' own backward passes."""
    return make_contestant(workload)


def autodiff(workload: Workload) -> JaxnnContestant:
    """The same forward pass, its gradient by JAX."""
    return make_contestant(workload, grad="auto")


def many_seeds(workload: Workload) -> JaxnnContestant:
    """Thirty-two seeds as one program, as a leading axis of every array, distributed over the cores."""
    return make_contestant(workload, seeds=range(32), how="vectorize")


def autodiff_of_lax(workload: Workload) -> JaxnnContestant:
    """The net as one writes it with JAX alone, in the same scan: `lax.conv_general_dilated`, `lax.reduce_window`."""
    experiment = make_workload_experiment(workload)

    def init(key, x):
        del x
        weight = jax.nn.initializers.glorot_uniform()(key, (5, 5, 1, 20))
        return ConvParams(weight, jnp.zeros(20))

    def conv_relu_pool(params, x, key):
        del key
        z = lax.conv_general_dilated(x, params.weight, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return lax.reduce_window(jax.nn.relu(z + params.bias), -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    # The config's net has as many layers, so that its evaluation accepts these parameters.
    first = jaxnn.autodiff(init, conv_relu_pool)
    model = jaxnn.serial(first, jaxnn.identity(), jaxnn.flatten(), jaxnn.dense(100), jaxnn.tanh(), jaxnn.dense(10))
    training = make_training(
        model, experiment.loss, build_optimizer(experiment.config), experiment.plan,
        prepare=experiment.prepare, grad=autodiff_value_and_grad,
    )  # fmt: skip
    return JaxnnContestant(experiment, training, {})


class WholeRun:
    """Trains whole runs, from new parameters to the last step."""

    def __init__(self, workload: Workload):
        self.workload, self.first = workload, True

    def run(self, *seeds: int) -> tuple[float, float]:
        """The seconds of a run, and the mean test accuracy. The first run includes loading data and compiling."""
        how: How = "vectorize" if len(seeds) > 1 else "in_turn"
        setup_start = time.perf_counter()
        contestant = make_contestant(self.workload, seeds=seeds, how=how)
        plan, examples = contestant.experiment.plan, len(contestant.experiment.splits[0].train.y)
        start_time = setup_start if self.first else time.perf_counter()
        self.first = False
        contestant.state = contestant.program.first()
        contestant.train(plan.epochs * plan.steps(examples))
        return time.perf_counter() - start_time, contestant.test()[1]


def whole_run(workload: Workload) -> WholeRun:
    return WholeRun(workload)


def data_bytes(workload: Workload) -> tuple[int, int]:
    """The bytes of the data on the device, and of the images and labels in the data set."""
    experiment = make_workload_experiment(workload)
    data, train = device_data(experiment), experiment.splits[0].train
    return sum(a.nbytes for a in jax.tree.leaves(data)), train.x.nbytes + train.y.nbytes
