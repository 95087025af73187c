"""The tables whose keys depend on a name: the data set, the loss, the optimizer and its schedule."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import Field, PlainValidator, Strict, model_validator

from jaxnn.config.base import Expected, Table, select_variant, validation_error
from jaxnn.config.errors import ConfigProblem
from jaxnn.config.from_signature import constructor_fields, dataset_fields, optax_fields, table_class

if TYPE_CHECKING:
    import optax

    from jaxnn.train.second_order import SecondOrder

Count = Annotated[int, Ge(1)]
Size = Annotated[
    Annotated[int, Ge(0)] | Annotated[float, Gt(0), Le(1)], Expected("a count (500) or a fraction of 1 (0.2)")
]
#: The bounds are those of scikit-learn's random states.
Seed = Annotated[int, Ge(0), Lt(2**32)]
ClassWeights = Annotated[
    tuple[Annotated[float, Gt(0)], ...],
    Strict(False),  # TOML has lists only
    MinLen(1),
    Expected("a list of numbers above 0"),
]


def is_path_option(name: object) -> bool:
    """Whether an option of the data is the path of a file or folder."""
    return isinstance(name, str) and name.rpartition("_")[2] in ("path", "file")


def main_path_option(options: Mapping[str, Any]) -> str | None:
    """The option that names the file or folder of the data, "path" or "file"; None for data without one."""
    return next((name for name in ("path", "file") if name in options), None)


class DataTable(Table):
    """`[data]`: a data set with its options, and its split."""

    name: str = Field(description="a data set of jaxnn.data.DATASETS, or tfds:NAME")
    train: Size | None = Field(None, description="number of training examples; absent: all that remain")
    validation: Size | None = Field(None, description="number of validation examples; absent: none")
    test: Size | None = Field(None, description="number of test examples, from the official test set if there is one")
    preprocess: Literal["none", "unit", "center", "normalize", "whiten"] = Field(
        "none", description="scaling of the inputs, fitted on the training set"
    )
    seed: Seed = Field(0, description="seed of the split and of generated data")
    shuffle: bool = Field(True, description="true: a random split; false: a split in the order of the data set")
    stratify: bool = Field(False, description="true: each part has the classes in the proportions of the data set")
    normal: Annotated[str | int | None, Expected("the name of a class")] = Field(
        None, description="the class to learn from, against which all others are new; absent: no novelty detection"
    )
    per_seed: bool = Field(False, description="whether every seed of the run gets its own data and split")
    where: Literal["auto", "device", "stream"] | None = Field(
        None,
        description="device: the examples are in the memory of the device; stream: they are read from the host or its "
        "disk while the device computes; absent or auto: stream where they would fill a quarter of the memory",
    )
    corrupt: Literal["stop", "skip"] | None = Field(
        None, description="a streamed example that cannot be read stops the run (absent), or the next takes its place"
    )

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of this data set's loader."""
        return self.extra_options(DataTable)


class LossTable(Table):
    """`[loss]`: a loss with the keyword arguments of its constructor."""

    name: str = Field(description="a loss of jaxnn.losses.LOSSES")
    class_weights: ClassWeights | None = Field(
        None, description="weight of each class in the loss, by label; absent: all classes weigh the same"
    )

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of this loss's constructor."""
        return self.extra_options(LossTable)


class NoiseTable(Table):
    """`[noise]`: noise made in each step, with the keyword arguments of its constructor."""

    name: str = Field(description="a noise of jaxnn.train.noise.NOISES, or flow")

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of this noise's constructor."""
        return self.extra_options(NoiseTable)


class ScheduleTable(Table):
    """`[optimizer.schedule]`: a learning rate that is a function of the step."""

    name: str = Field(description="a schedule of optax")

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of this schedule."""
        return self.extra_options(ScheduleTable)

    def build(self) -> "optax.Schedule":
        """The schedule that the table describes. Raises `UserError` for impossible numbers."""
        from jaxnn.train.optimizers import schedule

        return schedule(self.name, **self.options)


class _NamedScheduleTable(ScheduleTable):
    @model_validator(mode="after")
    def _check_build(self) -> "_NamedScheduleTable":
        self.build()
        return self


def _select_schedule(table: Any) -> ScheduleTable:
    from jaxnn.train.optimizers import schedule_names

    return select_variant(table, "name", ScheduleTable, schedule_names(), schedule_class)


@cache
def schedule_class(name: str) -> type[ScheduleTable]:
    """The table of the schedule `name`."""
    from jaxnn.train.optimizers import schedule_names

    return table_class(_NamedScheduleTable, name, optax_fields(schedule_names()[name]))


class GroupTable(Table):
    """`[[optimizer.groups]]`: parameters with their own learning rate or decay, or without training."""

    match: str = Field(description="pattern for names of parameters in a checkpoint, such as 0/* or */bias")
    learning_rate: Annotated[float, Gt(0)] | None = Field(None, description="absent: the optimizer's rate or schedule")
    l2: Annotated[float, Ge(0)] | None = Field(None, description="absent: the optimizer's l2")
    frozen: bool = Field(False, description="whether these parameters keep their initial values")


#: What a second-order optimizer, which trains all parameters on the full batch and chooses its step size, cannot take.
_FIRST_ORDER_KEYS = {
    "learning_rate": "chooses its own step size",
    "schedule": "chooses its own step size",
    "clip_norm": "does not clip gradients",
    "clip_value": "does not clip gradients",
    "accumulate": "uses the whole training set in every step",
    "groups": "trains all parameters together",
}


class OptimizerTable(Table):
    """`[optimizer]`: an optimizer with its options."""

    name: str = Field(description="an optimizer of optax, gradient_descent, momentum (0.9), or a second-order method")
    learning_rate: Annotated[float, Gt(0)] | None = Field(None, description="the learning rate, if it is constant")
    schedule: Annotated[ScheduleTable, PlainValidator(_select_schedule)] | None = Field(
        None, description="a learning rate that changes with the steps, in place of learning_rate"
    )
    l2: Annotated[float, Ge(0)] = Field(0.0, description="λ of the penalty (λ/2) Σ w² on weights, not on biases")
    clip_norm: Annotated[float, Gt(0)] | None = Field(
        None, description="largest norm of the gradient of all trained parameters; absent: no limit"
    )
    clip_value: Annotated[float, Gt(0)] | None = Field(
        None, description="largest absolute value of each entry of the gradient; absent: no limit"
    )
    accumulate: Count | None = Field(
        None, description="batches whose mean gradient makes one update; absent: every batch makes an update"
    )
    average: Annotated[float, Ge(0), Lt(1)] | None = Field(
        None, description="decay of an exponential moving average of the parameters; absent: no average"
    )
    groups: Annotated[tuple[GroupTable, ...], Strict(False), Expected("a list of tables, each with its match")] = Field(
        (), description="parameters with their own learning rate or decay, or frozen; the first match counts"
    )

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of this optimizer."""
        return self.extra_options(OptimizerTable)

    def build(self) -> "optax.GradientTransformation | SecondOrder":
        """The optimizer that the table describes. Raises `UserError` for impossible numbers."""
        from jaxnn.train.optimizers import Group, optimizer, takes_learning_rate

        rate = self.schedule.build() if self.schedule else self.learning_rate
        if rate is None and takes_learning_rate(self.name):
            rate = 1.0  # `cross_check` reports that it is missing
        return optimizer(
            self.name,
            rate,
            l2=self.l2,
            clip_norm=self.clip_norm,
            clip_value=self.clip_value,
            accumulate=1 if self.accumulate is None else self.accumulate,
            groups=[Group(g.match, g.learning_rate, g.l2, g.frozen) for g in self.groups],
            **self.options,
        )


class _NamedOptimizerTable(OptimizerTable):
    @model_validator(mode="after")
    def _check_build(self) -> "_NamedOptimizerTable":
        from jaxnn.train.optimizers import takes_learning_rate

        if not takes_learning_rate(self.name):
            present = [key for key in _FIRST_ORDER_KEYS if getattr(self, key) not in (None, ())]
            if present:
                messages = {key: f"{self.name} {_FIRST_ORDER_KEYS[key]}; remove {key}" for key in present}
                raise validation_error([ConfigProblem((key,), message) for key, message in messages.items()])
        self.build()
        return self


def data_table(table: Any) -> DataTable:
    """`[data]`, validated as the data set that it names."""
    from jaxnn.data import DATASETS

    name = table.get("name") if isinstance(table, dict) else None
    names = [key for key in DATASETS if key != "tfds"] + ["tfds:NAME"]
    tfds_names = [name] if isinstance(name, str) and name.startswith("tfds:") else []
    return select_variant(table, "name", DataTable, names + tfds_names, data_class)


@cache
def data_class(name: str) -> type[DataTable]:
    """The table of the data set `name`."""
    from jaxnn.data import loader_options

    return table_class(DataTable, name, dataset_fields(loader_options(name)))


def loss_table(table: Any) -> LossTable:
    """`[loss]`, validated as the loss that it names."""
    from jaxnn.losses import LOSSES

    return select_variant(table, "name", LossTable, LOSSES, loss_class)


@cache
def loss_class(name: str) -> type[LossTable]:
    """The table of the loss `name`."""
    from jaxnn.losses import LOSSES

    return table_class(LossTable, name, constructor_fields(LOSSES[name]))


def noise_table(table: Any) -> NoiseTable:
    """`[noise]`, validated as the noise that it names."""
    return select_variant(table, "name", NoiseTable, noises(), noise_class)


@cache
def noise_class(name: str) -> type[NoiseTable]:
    """The table of the noise `name`."""
    return table_class(NoiseTable, name, constructor_fields(noises()[name]))


def noises() -> Mapping[str, Any]:
    """The constructors of noise by name."""
    from jaxnn.train.flow import flow_noise
    from jaxnn.train.noise import NOISES

    return {**NOISES, "flow": flow_noise}


def optimizer_table(table: Any) -> OptimizerTable:
    """`[optimizer]`, validated as the optimizer that it names."""
    from jaxnn.train.optimizers import optimizer_names

    return select_variant(table, "name", OptimizerTable, optimizer_names(), optimizer_class)


@cache
def optimizer_class(name: str) -> type[OptimizerTable]:
    """The table of the optimizer `name`."""
    from jaxnn.train.optimizers import optimizer_names

    return table_class(_NamedOptimizerTable, name, optax_fields(optimizer_names()[name], exclude=("learning_rate",)))
