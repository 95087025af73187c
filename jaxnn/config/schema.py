"""A whole config."""

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Lt
from pydantic import BeforeValidator, Field, PlainValidator, Strict

from jaxnn.config.base import Says, Table
from jaxnn.config.layers import Layers
from jaxnn.config.sections import (
    DataTable,
    LossTable,
    OptimizerTable,
    Seed,
    data_table,
    loss_table,
    optimizer_table,
)

Count = Annotated[int, Ge(1)]


def _none_if_full(size: Any) -> Any:
    return None if size == "full" else size


class TrainTable(Table):
    """`[train]`: how long, and what to keep."""

    epochs: Count = Field(description="times that every example is seen")
    batch_size: Annotated[Count | None, BeforeValidator(_none_if_full), Says("an integer of at least 1 or full")] = (
        Field(None, description="examples in a step; full or absent: the whole training part")
    )
    seed: Seed = Field(0, description="of the initial values, the order of the examples and dropout")
    seeds: Count = Field(1, description="runs, with seed, seed + 1 and so on")
    best: Literal["validation.accuracy", "validation.loss", "train.accuracy", "train.loss"] = Field(
        "validation.accuracy", description="what chooses the best parameters"
    )
    patience: Count | None = Field(None, description="stop after more epochs without a better score than this")
    eval_every: Count = Field(1, description="epochs from one row of the history to the next")
    precision: Literal["float32", "float64", "bfloat16"] = Field("float32", description="of the numbers")
    on_nonfinite: Literal["stop", "skip", "rollback"] = Field(
        "stop", description="what NaN or infinity does: end the run, pass over the step, or also undo to a checkpoint"
    )


class CheckpointTable(Table):
    """`[checkpoint]`: when a run is kept while it goes on; at its end it always is."""

    epochs: Count | None = Field(None, description="epochs from one checkpoint to the next; absent: by time alone")
    minutes: Annotated[float, Gt(0)] | None = Field(1.0, description="minutes from one checkpoint to the next")
    keep: Count = Field(2, description="newest checkpoints that are kept, besides the one with the best score")


class AugmentTable(Table):
    """`[augment]`: how far each training image is moved at random, anew in every step; see `jaxnn.train.augment`."""

    shift: Annotated[float, Ge(0)] = Field(0.0, description="pixels, in each direction")
    rotation: Annotated[float, Ge(0)] = Field(0.0, description="degrees, to both sides")
    scale: Annotated[float, Ge(0), Lt(1)] = Field(0.0, description="a fraction: 0.1 for 0.9 … 1.1")
    elastic: Annotated[float, Ge(0)] = Field(0.0, description="pixels of random displacement, before smoothing")
    smoothness: Annotated[float, Gt(0)] = Field(4.0, description="standard deviation of the smoothing, in pixels")


class RivalTable(Table):
    """`[[compare]]`: another optimizer for the same net, and the examples in a step where it takes not all."""

    optimizer: Annotated[OptimizerTable, PlainValidator(optimizer_table), Says("the table optimizer")]
    batch_size: Count | None = Field(None, description="examples in a step; absent: the whole training part")


class Config(Table):
    """What a config says, checked: a run is made of this alone."""

    title: str = Field(description="what is claimed, in a line")
    data: Annotated[DataTable, PlainValidator(data_table), Says("the table [data]")]
    net: Layers = Field(description="the layers, first to last")
    loss: Annotated[LossTable, PlainValidator(loss_table), Says("the table [loss]")]
    optimizer: Annotated[OptimizerTable, PlainValidator(optimizer_table), Says("the table [optimizer]")]
    train: Annotated[TrainTable, Says("the table [train]")]
    checkpoint: Annotated[CheckpointTable, Says("the table [checkpoint]")] = Field(
        default_factory=lambda: CheckpointTable.model_validate({})
    )
    augment: Annotated[AugmentTable | None, Says("the table [augment]")] = Field(
        None, description="random changes of the training images; absent: none"
    )
    compare: Annotated[tuple[RivalTable, ...], Strict(False), Says("a list of tables, each with its optimizer")] = (
        Field((), description="the optimizers that a comparison runs on this net")
    )
