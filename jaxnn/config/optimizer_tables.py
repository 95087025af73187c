"""`[optimizer]` and its tables: the optimizer with its options, the schedule of its rate, groups of parameters."""

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge, Gt, Lt
from pydantic import Field, PlainValidator, Strict, model_validator

from jaxnn.config.base import Expected, Table, select_variant, validation_error
from jaxnn.config.errors import ConfigProblem
from jaxnn.config.from_signature import optax_fields, table_class
from jaxnn.config.sections import Count

if TYPE_CHECKING:
    import optax

    from jaxnn.train.second_order import SecondOrder


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


def optimizer_table(table: Any) -> OptimizerTable:
    """`[optimizer]`, validated as the optimizer that it names."""
    from jaxnn.train.optimizers import optimizer_names

    return select_variant(table, "name", OptimizerTable, optimizer_names(), optimizer_class)


@cache
def optimizer_class(name: str) -> type[OptimizerTable]:
    """The table of the optimizer `name`."""
    from jaxnn.train.optimizers import optimizer_names

    return table_class(_NamedOptimizerTable, name, optax_fields(optimizer_names()[name], exclude=("learning_rate",)))
