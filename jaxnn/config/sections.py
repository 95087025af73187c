"""The tables whose keys depend on a name: the data set, the loss, the optimizer and its schedule."""

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import Field, PlainValidator, model_validator

from jaxnn.config.base import Says, Table, choose
from jaxnn.config.from_signature import dataset_fields, derived, optax_fields, own_fields

if TYPE_CHECKING:
    import optax

    from jaxnn.train.second_order import FullBatch

Size = Annotated[Annotated[int, Ge(0)] | Annotated[float, Gt(0), Le(1)], Says("a count (500) or a fraction of 1 (0.2)")]
#: What scikit-learn takes.
Seed = Annotated[int, Ge(0), Lt(2**32)]


class DataTable(Table):
    """`[data]`: a data set with its options, and its split."""

    name: str = Field(description="a data set of jaxnn.data.DATASETS, or tfds:NAME")
    train: Size | None = Field(None, description="examples to train on; absent: all that remain")
    validation: Size | None = Field(None, description="examples to choose by; absent: none")
    test: Size | None = Field(None, description="examples to judge by, of the official test part if there is one")
    preprocess: Literal["none", "unit", "center", "normalize", "whiten"] = Field(
        "none", description="scaling, fitted on the training part"
    )
    seed: Seed = Field(0, description="of the split, and of what is drawn")
    shuffle: bool = Field(True, description="whether the split is drawn; false: by the order that the data set has")
    per_seed: bool = Field(False, description="whether every seed of the run draws its own data and split")

    @property
    def options(self) -> dict[str, Any]:
        """The loader's own keyword arguments."""
        return self.options_beyond(DataTable)


class LossTable(Table):
    """`[loss]`: a loss with its constructor's keyword arguments."""

    name: str = Field(description="a loss of jaxnn.losses.LOSSES")

    @property
    def options(self) -> dict[str, Any]:
        """The constructor's keyword arguments."""
        return self.options_beyond(LossTable)


class ScheduleTable(Table):
    """`[optimizer.schedule]`: a learning rate that changes with the steps."""

    name: str = Field(description="a schedule of optax")

    @property
    def options(self) -> dict[str, Any]:
        """The schedule's own keyword arguments."""
        return self.options_beyond(ScheduleTable)

    def build(self) -> "optax.Schedule":
        """The schedule that the table stands for. Raises `UserError` for impossible numbers."""
        from jaxnn.train.optimizers import schedule

        return schedule(self.name, **self.options)


class _KnownSchedule(ScheduleTable):
    @model_validator(mode="after")
    def _can_be_built(self) -> "_KnownSchedule":
        self.build()
        return self


def _schedule(table: Any) -> ScheduleTable:
    from jaxnn.train.optimizers import schedule_names

    return choose(table, "name", ScheduleTable, schedule_names(), _schedule_kind)


@cache
def _schedule_kind(name: str) -> type[ScheduleTable]:
    from jaxnn.train.optimizers import schedule_names

    return derived(_KnownSchedule, name, optax_fields(schedule_names()[name], ()))


class OptimizerTable(Table):
    """`[optimizer]`: an optimizer with its own options."""

    name: str = Field(description="an optimizer of optax, gradient_descent, momentum (0.9), or a second-order method")
    learning_rate: Annotated[float, Gt(0)] | None = Field(None, description="the size of a step")
    schedule: Annotated[ScheduleTable, PlainValidator(_schedule)] | None = Field(
        None, description="instead of a learning rate, one that changes with the steps"
    )
    l2: Annotated[float, Ge(0)] = Field(0.0, description="λ of the penalty (λ/2) Σ w² on weights, not on biases")

    @property
    def options(self) -> dict[str, Any]:
        """The optimizer's own keyword arguments."""
        return self.options_beyond(OptimizerTable)

    def build(self) -> "optax.GradientTransformation | FullBatch":
        """The optimizer that the table stands for. Raises `UserError` for impossible numbers."""
        from jaxnn.train.optimizers import needs_rate, optimizer

        rate = self.schedule.build() if self.schedule else self.learning_rate
        return optimizer(self.name, 1.0 if rate is None and needs_rate(self.name) else rate, l2=self.l2, **self.options)


class _KnownOptimizer(OptimizerTable):
    @model_validator(mode="after")
    def _can_be_built(self) -> "_KnownOptimizer":
        self.build()
        return self


def data_table(table: Any) -> DataTable:
    """`[data]`, checked as the data set that it names."""
    from jaxnn.data import DATASETS

    name = table.get("name") if isinstance(table, dict) else None
    names = [key for key in DATASETS if key != "tfds"] + ["tfds:NAME"]
    named = [name] if isinstance(name, str) and name.startswith("tfds:") else []
    return choose(table, "name", DataTable, names + named, _data_kind)


@cache
def _data_kind(name: str) -> type[DataTable]:
    from jaxnn.data import loader_options

    return derived(DataTable, name, dataset_fields(loader_options(name)))


def loss_table(table: Any) -> LossTable:
    """`[loss]`, checked as the loss that it names."""
    from jaxnn.losses import LOSSES

    return choose(table, "name", LossTable, LOSSES, _loss_kind)


@cache
def _loss_kind(name: str) -> type[LossTable]:
    from jaxnn.losses import LOSSES

    return derived(LossTable, name, own_fields(LOSSES[name]))


def optimizer_table(table: Any) -> OptimizerTable:
    """`[optimizer]`, checked as the optimizer that it names."""
    from jaxnn.train.optimizers import optimizer_names

    return choose(table, "name", OptimizerTable, optimizer_names(), _optimizer_kind)


@cache
def _optimizer_kind(name: str) -> type[OptimizerTable]:
    from jaxnn.train.optimizers import optimizer_names

    return derived(_KnownOptimizer, name, optax_fields(optimizer_names()[name], ("learning_rate",)))
