"""`jaxnn` as a contestant: the program that `jaxnn train` runs, without its run folder."""

import time
from collections.abc import Sequence
from math import nan

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

import jaxnn
from benchmarks.runner import Workload
from jaxnn.config import build_loss, build_optimizer, load
from jaxnn.config.experiment import make_experiment
from jaxnn.engine.chunks import MAX_EVALUATIONS, ChunkSchedule
from jaxnn.engine.job import Job
from jaxnn.engine.parallel import SeedStrategy
from jaxnn.engine.program import Program
from jaxnn.experiment import scores
from jaxnn.experiment.definition import last_params
from jaxnn.layer import Params
from jaxnn.layers.conv import ConvParams


class JaxnnContestant:
    """Trains the seeds of a job in rounds; each round continues where the last one ended.

    experiment: scores the parameters; its data are those of the job
    """

    def __init__(self, experiment: jaxnn.Experiment, job: Job):
        self.experiment, self.job, self.steps_done = experiment, job, 0
        self.program = Program(job, ChunkSchedule(job.plan.epochs * job.source.steps, job.eval_steps))
        self.state = self.program.first()

    def train(self, steps: int) -> None:
        end, eval_steps = self.steps_done + steps, self.job.eval_steps
        while self.steps_done < end:
            count = min(end, (self.steps_done // eval_steps + MAX_EVALUATIONS) * eval_steps) - self.steps_done
            self.state, _, finite = self.program.run_steps(self.state, self.steps_done, count)
            assert finite.all()
            self.steps_done += count

    def params(self) -> Params:
        """The parameters after the last step, with a leading axis of seeds."""
        return last_params(self.experiment, self.state)

    def test(self) -> tuple[float, float]:
        parts = scores(self.experiment, self.params())
        # A text is judged on its last tenth, the validation part.
        metrics = parts.get("test") or parts["validation"]
        return float(np.mean(metrics["loss"])), float(np.mean(metrics.get("accuracy", nan)))


def make_workload_experiment(workload: Workload, seeds: Sequence[int] = (0,), grad: str = "hand") -> jaxnn.Experiment:
    """The experiment of the workload's config."""
    experiment = make_experiment(load(workload.config, workload.overrides), seeds=seeds, grad=grad)
    x, y = training_examples(experiment)
    if workload.examples <= len(y):
        return experiment
    # The data set has fewer examples than the workload, so they are repeated.
    rows, source = np.arange(workload.examples) % len(y), experiment.source
    repeated = jaxnn.in_memory(
        x[rows], y[rows], batch_size=workload.batch_size, prepare=source.prepare, stats=source.stats
    )
    return experiment._replace(source=repeated)


def training_examples(experiment: jaxnn.Experiment) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of the training part of the first seed, as the data set has them."""
    examples = experiment.examples("train")
    assert isinstance(examples, tuple)
    return examples


def make_contestant(
    workload: Workload, *, grad: str = "hand", seeds: Sequence[int] = (0,), strategy: SeedStrategy = "sequential"
) -> JaxnnContestant:
    """The contestant that trains by the step of the workload's config."""
    experiment = make_workload_experiment(workload, seeds, grad)
    return JaxnnContestant(experiment, experiment._replace(strategy=strategy).job())


def hand_written(workload: Workload) -> JaxnnContestant:
    """The gradient by the layers' own backward passes."""
    return make_contestant(workload)


def autodiff(workload: Workload) -> JaxnnContestant:
    """The same forward pass, its gradient by JAX."""
    return make_contestant(workload, grad="auto")


def eight_seeds(workload: Workload) -> JaxnnContestant:
    """Eight seeds as one program, as `jaxnn train --seeds 8` maps them: on a CPU each core has four, one by one."""
    experiment = make_workload_experiment(workload, range(8))
    return JaxnnContestant(experiment, experiment.job())


def many_seeds(workload: Workload) -> JaxnnContestant:
    """Thirty-two seeds as one program, as a leading axis of every array, distributed over the cores."""
    return make_contestant(workload, seeds=range(32), strategy="vectorized")


def hundred_seeds(workload: Workload) -> JaxnnContestant:
    """A hundred seeds as one program, distributed over the cores."""
    return make_contestant(workload, seeds=range(100), strategy="vectorized")


def autodiff_of_lax(workload: Workload) -> JaxnnContestant:
    """The net as one writes it with JAX alone, in the same scan: `lax.conv_general_dilated`, `lax.reduce_window`."""
    experiment, config = make_workload_experiment(workload), load(workload.config, workload.overrides)

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
    update = jaxnn.supervised(model, build_loss(config), build_optimizer(config), grad=jaxnn.autodiff_value_and_grad)
    return JaxnnContestant(
        experiment, experiment._replace(update=update, hyperparameters={}, strategy="sequential").job()
    )


class WholeRun:
    """Trains whole runs, from new parameters to the last step."""

    def __init__(self, workload: Workload):
        self.workload, self.first = workload, True

    def run(self, *seeds: int) -> tuple[float, float]:
        """The seconds of a run, and the mean test accuracy. The first run includes loading data and compiling."""
        strategy: SeedStrategy = "vectorized" if len(seeds) > 1 else "sequential"
        setup_start = time.perf_counter()
        contestant = make_contestant(self.workload, seeds=seeds, strategy=strategy)
        job = contestant.job
        start_time = setup_start if self.first else time.perf_counter()
        self.first = False
        contestant.state = contestant.program.first()
        contestant.train(job.plan.epochs * job.source.steps)
        return time.perf_counter() - start_time, contestant.test()[1]


def whole_run(workload: Workload) -> WholeRun:
    return WholeRun(workload)


def data_bytes(workload: Workload) -> tuple[int, int]:
    """The bytes of the data on the device, and of the images and labels in the data set."""
    experiment = make_workload_experiment(workload)
    device_arrays = jax.tree.leaves(experiment.job().data())
    return sum(a.nbytes for a in device_arrays), sum(a.nbytes for a in training_examples(experiment))
