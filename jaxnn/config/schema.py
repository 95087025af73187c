"""The schema of a whole config."""

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Lt
from pydantic import BeforeValidator, Field, PlainValidator, Strict

from jaxnn.config.base import Expected, Table
from jaxnn.config.layers import Layers
from jaxnn.config.optimizer_tables import OptimizerTable, optimizer_table
from jaxnn.config.sections import Count, DataTable, LossTable, NoiseTable, Seed, data_table, loss_table, noise_table


def _none_if_full(size: Any) -> Any:
    return None if size == "full" else size


class TrainTable(Table):
    """`[train]`: how long to train, with which batches, and which parameters to keep."""

    epochs: Count = Field(description="passes over the training set")
    steps: Count | None = Field(
        None, description="steps of an epoch on windows of a text; absent: one pass over the training part"
    )
    batch_size: Annotated[
        Count | None, BeforeValidator(_none_if_full), Expected("an integer of at least 1 or full")
    ] = Field(None, description="examples in a step; full or absent: the whole training set")
    seed: Seed = Field(0, description="seed of the initial parameters, the order of the examples and dropout")
    seeds: Count = Field(1, description="number of runs, with seed, seed + 1 and so on")
    best: Literal[
        "validation.accuracy", "validation.loss", "validation.exact_match", "validation.mae", "validation.r2",
        "validation.perplexity", "validation.bits", "validation.sequence_accuracy", "validation.mean_iou",
        "train.accuracy", "train.loss", "train.exact_match", "train.mae", "train.r2",
        "train.perplexity", "train.bits", "train.sequence_accuracy", "last",
    ] = Field(
        "validation.accuracy",
        description="the metric that selects the best epoch, of equal ones that with the lowest loss; or last",
    )  # fmt: skip
    patience: Count | None = Field(
        None, description="stop after more than so many epochs without a better one by best and its ties"
    )
    eval_every: Count = Field(1, description="epochs from one row of the history to the next")
    target: Literal["data", "input"] = Field(
        "data", description="what the net is to say: the targets of the data, or, as an autoencoder does, its input"
    )
    precision: Literal["float32", "float64", "bfloat16"] = Field("float32", description="dtype of the parameters")
    compute: Literal["float32", "bfloat16"] | None = Field(
        None, description="dtype of the forward and backward passes; absent: that of precision"
    )
    reduction: Literal["ordered"] | None = Field(
        None,
        description="ordered: the gradients of 8 parts of a batch are added in their order, so that up to 8 devices "
        "that share it give the same bits; absent: as is fastest",
    )
    on_nonfinite: Literal["stop", "skip", "rollback"] = Field(
        "stop", description="at NaN or infinity: end the run, skip the step, or also return to the last checkpoint"
    )


class CheckpointTable(Table):
    """`[checkpoint]`: when to save a running training. A finished run is always saved."""

    epochs: Count | None = Field(None, description="epochs from one checkpoint to the next; absent: only by time")
    minutes: Annotated[float, Gt(0)] | None = Field(1.0, description="minutes from one checkpoint to the next")
    keep: Count = Field(2, description="newest checkpoints to keep, besides the one with the best score")


class AugmentTable(Table):
    """`[augment]`: random changes of each training image, different ones in every step; see `jaxnn.train.augment`."""

    shift: Annotated[float, Ge(0)] = Field(0.0, description="pixels, in each direction")
    rotation: Annotated[float, Ge(0)] = Field(0.0, description="degrees, in both directions")
    scale: Annotated[float, Ge(0), Lt(1)] = Field(0.0, description="a fraction: 0.1 for 0.9 … 1.1")
    elastic: Annotated[float, Ge(0)] = Field(0.0, description="pixels of random displacement, before smoothing")
    smoothness: Annotated[float, Gt(0)] = Field(4.0, description="standard deviation of the smoothing, in pixels")


class PenaltyTable(Table):
    """`[adversarial.penalty]`: a bound on the critic's slope; see `jaxnn.train.adversarial.Penalty`."""

    kind: Literal["r1", "slope_one"] = Field(description="r1: of the slope at real examples; slope_one: from 1")
    weight: Annotated[float, Gt(0)] = Field(description="factor of the penalty in the critic's loss")


class AdversarialTable(Table):
    """`[adversarial]`: the critic of a generator, which is `[[net]]`; see `jaxnn.train.adversarial`."""

    latent: Count = Field(description="numbers that the generator makes a sample of")
    game: Literal["non_saturating", "hinge", "wasserstein"] = Field(
        "non_saturating", description="the losses of both players"
    )
    order: Literal["alternating", "simultaneous"] = Field(
        "alternating", description="whether the generator answers the critic after or before its update"
    )
    rounds: Count = Field(1, description="updates of the critic in a step")
    classes: Annotated[int, Ge(0)] = Field(0, description="classes of the labels, whose coverage is measured")
    conditional: bool = Field(False, description="whether both players are told the class")
    critic: Layers = Field(description="the layers of the critic, whose output is one number for each example")
    optimizer: Annotated[OptimizerTable, PlainValidator(optimizer_table), Expected("the table optimizer")] = Field(
        description="the critic's optimizer, as in [optimizer]"
    )
    penalty: Annotated[PenaltyTable | None, Expected("the table [adversarial.penalty]")] = Field(
        None, description="a bound on the critic's slope; absent: none"
    )


class CompareTable(Table):
    """`[[compare]]`: another optimizer for the same net, and its batch size if it uses mini-batches."""

    optimizer: Annotated[OptimizerTable, PlainValidator(optimizer_table), Expected("the table optimizer")] = Field(
        description="an optimizer with its options, as in [optimizer]"
    )
    batch_size: Count | None = Field(None, description="examples in a step; absent: the whole training set")


class Config(Table):
    """A validated config. A run depends on nothing else."""

    title: str = Field(description="what the config shows, in one line")
    data: Annotated[DataTable, PlainValidator(data_table), Expected("the table [data]")]
    net: Layers = Field(description="the layers, first to last")
    loss: Annotated[LossTable | None, PlainValidator(loss_table), Expected("the table [loss]")] = Field(
        None, description="the loss; absent with [adversarial], whose players have losses of their own"
    )
    optimizer: Annotated[OptimizerTable, PlainValidator(optimizer_table), Expected("the table [optimizer]")]
    train: Annotated[TrainTable, Expected("the table [train]")]
    checkpoint: Annotated[CheckpointTable, Expected("the table [checkpoint]")] = Field(
        default_factory=lambda: CheckpointTable.model_validate({})
    )
    augment: Annotated[AugmentTable | None, Expected("the table [augment]")] = Field(
        None, description="random changes of the training images; absent: none"
    )
    noise: Annotated[NoiseTable | None, PlainValidator(noise_table), Expected("the table [noise]")] = Field(
        None, description="noise made in each step; absent: none"
    )
    adversarial: Annotated[AdversarialTable | None, Expected("the table [adversarial]")] = Field(
        None, description="a critic, against which the net generates samples; absent: none"
    )
    compare: Annotated[
        tuple[CompareTable, ...], Strict(False), Expected("a list of tables, each with its optimizer")
    ] = Field((), description="the optimizers that a comparison trains this net with")
