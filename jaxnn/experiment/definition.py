"""An experiment: what is trained, on what, for how long, with which seeds. Python values; no config, no file."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.data.dataset import Reader
from jaxnn.engine.job import Job
from jaxnn.engine.parallel import SeedStrategy, check_strategy, on_this_machine
from jaxnn.engine.snapshot import is_key
from jaxnn.errors import UserError, describe, plural
from jaxnn.layer import Batch, Params
from jaxnn.targets import plain_output
from jaxnn.train.check import check_update
from jaxnn.train.plan import Plan
from jaxnn.train.sharing import Sharing
from jaxnn.train.source import Source, shapes_of
from jaxnn.train.state import History, State
from jaxnn.train.step import Bind, Update
from jaxnn.train.task import Task, task_of
from jaxnn.train.update_shapes import UpdateShapes, constant, update_shapes

#: More classes are not named by their numbers.
MAX_NAMES = 1000
#: The parts of the data in their order.
PARTS = ("train", "validation", "test")


class DataInfo(NamedTuple):
    """What tables and figures say of the data.

    classes: the names of the classes in the order of their labels; empty where targets are no classes
    max_value: the value of full intensity of an image: 255, or 1
    reader: reads a user's file in the form of the data's inputs, for `jaxnn predict`: `jaxnn.data.ImageReader((32, 32),
        "rgb")` for images that were resized, or any object with the methods of `jaxnn.data.Reader`
    targets: the names of the numbers of a target; empty where they have none
    """

    name: str = "arrays"
    classes: tuple[str, ...] = ()
    max_value: float = 1.0
    reader: Reader | None = None
    targets: tuple[str, ...] = ()


class Record(NamedTuple):
    """What a run's folder writes down of an experiment, so that it can be built again.

    files: name -> text; facts: JSON values for the manifest
    """

    files: Mapping[str, str] = {}
    facts: Mapping[str, Any] = {}


class Experiment(NamedTuple):
    """Everything that `jaxnn.fit` trains. A config builds one; so can a few lines of Python.

    update: an `Update`, or a function from the hyper-parameters to one. Hyper-parameters are traced: another value
        compiles nothing, and many values are one program
    source: where batches come from (`in_memory`, `streamed`, `generated`)
    validation, test: examples as the source has them before `prepare`: pairs (x, target) in supervised learning
    hyperparameters: numbers by name, inputs of the compiled program
    stacked: every leaf of the data has a leading axis of seeds: each seed has its own data
    sharing: how several devices share the batch of a step
    strategy: how a program computes its seeds: "vectorized", "sequential" (a device computes its own one after the
        other) or "one_device" (all on the first device, which compiles fastest); None: as is fastest on the platform
    """

    update: Update | Bind
    source: Source
    plan: Plan
    validation: Batch | None = None
    test: Batch | None = None
    hyperparameters: Mapping[str, float] = {}
    seeds: tuple[int, ...] = (0,)
    title: str = "experiment"
    data: DataInfo = DataInfo()
    stacked: bool = False
    record: Record = Record()
    sharing: Sharing = Sharing()
    strategy: SeedStrategy | None = None

    @property
    def bind(self) -> Bind:
        """The function from hyper-parameters to the update; the same object for the same update."""
        return constant(self.update) if isinstance(self.update, Update) else self.update

    def shapes(self) -> UpdateShapes:
        """Shapes and types of what the update makes for one seed."""
        return update_shapes(self.bind, self.hyperparameters, self.of_seed(0).source.example)

    def bound(self) -> Update:
        """The update with the experiment's own hyper-parameters."""
        return self.bind(dict(self.hyperparameters))

    def job(self) -> Job:
        """The experiment as the engine runs it."""
        dtype = np.float64 if jax.config.read("jax_enable_x64") else np.float32
        values = {name: np.full(len(self.seeds), value, dtype) for name, value in self.hyperparameters.items()}
        return Job(
            self.bind,
            self.source,
            self.plan,
            self.seeds,
            self.validation,
            values,
            self.stacked,
            self.strategy,
            on_this_machine(self.sharing),
        )

    def check(self) -> "Experiment":
        """The experiment itself. Raises `UserError`, before anything is compiled, for one that cannot be trained."""
        for name, value, kind in (("source", self.source, Source), ("plan", self.plan, Plan)):
            if not isinstance(value, kind):
                raise UserError(f"experiment: expected {name} of type {kind.__name__}, found {describe(value)}")
        if not isinstance(self.update, Update) and (isinstance(self.update, tuple) or not callable(self.update)):
            raise UserError(
                f"experiment: expected an Update, such as jaxnn.supervised(…), found {describe(self.update)}"
            )
        self.check_seeds()
        single_seed = self.of_seed(0)
        update = single_seed.bound()
        check_strategy(self.strategy, update, self.sharing)
        check_update(
            update,
            single_seed.source,
            single_seed.plan,
            single_seed.validation,
            single_seed.test,
            sharing=self.sharing,
            shapes=self.shapes(),
        )
        return self

    def on_devices(self, count: int | None) -> "Experiment":
        """The experiment with so many devices that share a batch, checked; None leaves their number as it is."""
        return self if count is None else self._replace(sharing=self.sharing._replace(devices=count)).check()

    def check_seeds(self) -> None:
        """Raises `UserError` for seeds that cannot be, and for data that are not stacked for as many seeds.

        JAX reads the last row of an array where a later one is asked for, so more seeds would share data in silence.
        """
        if not self.seeds or any(not 0 <= seed < 2**32 for seed in self.seeds):
            raise UserError(f"expected seeds from 0 to 2³² − 1, at least one, found {list(self.seeds)}")
        if not self.stacked:
            return
        n = len(self.seeds)
        buffer = None if self.source.block else self.source.load(0, 0, self.source.steps, self.seeds)
        for leaf in jax.tree.leaves((buffer, self.validation, self.test, self.source.stats)):
            if np.ndim(leaf) == 0 or np.shape(leaf)[0] != n:
                raise UserError(
                    f"{self.title}: expected data stacked for {plural(n, 'seed')}, with that many rows in every array, "
                    f"found an array of shape {np.shape(leaf)}; stack the data of as many seeds"
                )

    def of_seed(self, i: int) -> "Experiment":
        """The experiment of the i-th seed alone, with its own data."""
        single = self._replace(seeds=(self.seeds[i],))
        if not self.stacked:
            return single
        source, load = self.source, self.source.load

        def take(tree: Any) -> Any:
            return jax.tree.map(lambda a: a[i], tree)

        return single._replace(
            source=source._replace(load=lambda *where: take(load(*where)), stats=take(source.stats)),
            validation=take(self.validation),
            test=take(self.test),
            stacked=False,
        )

    def examples(self, part: str, seed: int = 0) -> Batch | None:
        """The examples of a part ("train", "validation", "test") of the i-th seed before `prepare`; None without one.

        A stream or a generator has no training examples.
        """
        single_seed = self.of_seed(seed)
        if part == "train":
            return single_seed.source.training_examples()
        return getattr(single_seed, part)

    def parts(self) -> list[str]:
        """The parts that there are."""
        return [part for part in PARTS if self.examples(part) is not None]

    def prediction_shape(self) -> Any:
        """The shapes and types of the predictions for a batch; None for an update that makes none."""
        single_seed = self.of_seed(0)
        update, example = single_seed.bound(), single_seed.source.example
        if update.predict is None:
            return None
        return jax.eval_shape(update.predict, self.shapes().params, example[0])

    def task(self) -> Task | None:
        """What the predictions say of the targets; None where that is not known."""
        update, example = self.bound(), self.source.example
        if update.predict is None or not (isinstance(example, tuple) and len(example) == 2):
            return None
        return task_of(update.activation, self.prediction_shape(), example[1])

    def state_shapes(self) -> State:
        """Shapes and types of the state of all seeds: what a checkpoint holds."""
        state, _ = self._one(self.of_seed(0).job())
        return jax.tree.map(lambda a: jax.ShapeDtypeStruct((len(self.seeds), *a.shape), a.dtype), state)

    def history_shapes(self) -> History:
        """Shapes and types of the history of all seeds after one evaluation."""
        job = self._replace(sharing=Sharing()).of_seed(0).job()
        shapes = jax.eval_shape(lambda state, data: job.training.run_steps(state, data, 0, 1, 1), *self._one(job))[1]
        return jax.tree.map(lambda a: jax.ShapeDtypeStruct((len(self.seeds), 1), a.dtype), shapes)

    def _one(self, job: Job) -> tuple[State, Any]:
        state = jax.eval_shape(job.training.init, jax.random.key(0), job.seed_hyperparameters(0))
        return state, shapes_of(job.data_of_seed(job.data(), 0))


def with_class_names(experiment: Experiment) -> Experiment:
    """The experiment with names for its classes: their numbers, where it classifies and names none."""
    if experiment.data.classes or experiment.task() != "classification":
        return experiment
    count = max(plain_output(experiment.prediction_shape()).shape[-1], 2)
    if count > MAX_NAMES:
        return experiment
    return experiment._replace(data=experiment.data._replace(classes=tuple(map(str, range(count)))))


def seed_params(params: Params, i: int) -> Params:
    """The parameters of the i-th seed, or a state with a leading axis of seeds."""

    def of_seed(a):
        if not isinstance(a, jax.Array) or is_key(a) or not a.is_fully_addressable:
            return a[i]
        # `a[i]` of an array on a device compiles a program for each shape.
        return jax.device_put(np.array(np.asarray(a)[i]))

    return jax.tree.map(of_seed, params)


def last_params(experiment: Experiment, state: State) -> Params:
    """The parameters of a state with a leading axis of seeds."""
    return jax.vmap(experiment.bound().params)(state.update)
