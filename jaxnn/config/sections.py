"""The tables whose keys depend on a name: the data set, the loss and the noise."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import Field, Strict

from jaxnn.config.base import Expected, Table, select_variant
from jaxnn.config.from_signature import constructor_fields, dataset_fields, table_class

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
