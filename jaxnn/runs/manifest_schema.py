"""What the commands read of a run's manifest, and what each entry must be."""

import math
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from annotated_types import Ge, Len, Lt
from pydantic import AfterValidator, BaseModel, Field, model_validator

from jaxnn.storage.arrays import DTYPES

#: XLA counts the numbers of an array with 31 bits.
MAX_EXAMPLE = 2**31 - 1


def small_example(shape: list[int]) -> list[int]:
    """The shape of an example. Raises `ValueError` for one that no device can hold."""
    if len(shape) > 32 or math.prod(shape) > MAX_EXAMPLE:
        raise ValueError(f"expected an example of at most {MAX_EXAMPLE:,} numbers, found more")
    return shape


def dtype_name(name: str) -> str:
    """The name of a dtype. Raises `ValueError` for one that no file of arrays may hold."""
    if name not in DTYPES:
        raise ValueError(f"expected the name of a dtype, found {name!r}")
    return name


class TargetFacts(BaseModel):
    """What is read of a manifest's targets. boxes: whether they are `Boxes`, whose labels have this shape."""

    shape: Annotated[list[Annotated[int, Ge(1)]], AfterValidator(small_example)]
    dtype: Annotated[str, AfterValidator(dtype_name)]
    boxes: bool = False


class DataFacts(BaseModel):
    """What is read of a manifest's data."""

    name: str
    sha256: str
    classes: list[str]
    max_value: float
    reader: dict[str, Any] | None = None
    targets: list[str] = []
    example: Annotated[list[Annotated[int, Ge(1)]], AfterValidator(small_example)]
    dtype: Annotated[str, AfterValidator(dtype_name)]
    target: TargetFacts | None = None
    stacked: bool


def relative_name(name: str) -> str:
    """The name of a file relative to a run's folder. Raises `ValueError` for one that leads out of it."""
    path = PurePosixPath(name)
    if not path.name or path.is_absolute() or ".." in path.parts or path.as_posix() != name or not name.isprintable():
        raise ValueError(f"expected the name of a file inside the run's folder, found {name!r}")
    return name


class ExperimentFacts(BaseModel):
    """What is read of the Python file of an experiment."""

    file: str
    name: str
    sha256: str
    overrides: dict[str, float]
    epochs: Annotated[int, Ge(1)] | None = None


class OriginFacts(BaseModel):
    """What is read of the run that a run continues."""

    name: str
    sha256: str
    steps: Annotated[int, Ge(0), Lt(10**12)]


class Facts(BaseModel):
    """What is read of a manifest."""

    run: str
    title: str
    status: Literal["running", "finished", "interrupted", "failed"]
    seeds: Annotated[list[Annotated[int, Ge(0), Lt(2**32)]], Len(1)]
    grad: Literal["hand", "auto", ""]
    precision: Literal["float32", "float64", "bfloat16"]
    data: DataFacts
    experiment: ExperimentFacts | None = None
    origin: Annotated[OriginFacts | None, Field(alias="from")] = None
    plan: dict[str, Any] = {}
    hyperparameters: dict[str, float] = {}
    config: dict[str, Any] | None = None
    command: list[str]
    files: dict[Annotated[str, AfterValidator(relative_name)], str]


class Statistics(BaseModel):
    """What is read of a number over the seeds: a cell of the table of scores."""

    mean: float | None
    sd: float | None
    min: float | None
    max: float | None
    undefined: Annotated[int, Ge(1)] | None = None


class ScoreRow(BaseModel, extra="allow"):
    """What is read of a row of the table of scores: a part of the data, and each metric by its name."""

    part: Literal["train", "validation", "test"]
    examples: Annotated[int, Ge(1)]
    __pydantic_extra__: dict[str, Statistics]  # pyright: ignore[reportIncompatibleVariableOverride]

    @model_validator(mode="after")
    def check_metrics(self) -> "ScoreRow":
        """Raises `ValueError` for a row without metrics."""
        if not self.__pydantic_extra__:
            raise ValueError("expected a row of scores with a metric, found none")
        return self


class Seconds(BaseModel):
    """What is read of the time that a run took."""

    compile: float
    train: float


#: A number for each class, or one number; None where it is not defined.
Value = float | None | list[float | None]


class FinishedFacts(Facts):
    """What is read besides of the manifest of a finished run."""

    best_epoch: list[Annotated[int, Ge(0)]]
    scores: Annotated[list[ScoreRow], Len(1)]
    values: dict[str, dict[str, list[Value]]]
    seconds: Seconds

    @model_validator(mode="after")
    def check_seeds(self) -> "FinishedFacts":
        """Raises `ValueError` unless there is one of everything for each seed, and a value for each score."""
        lists = [self.best_epoch, *(values for metrics in self.values.values() for values in metrics.values())]
        if any(len(values) != len(self.seeds) for values in lists):
            raise ValueError(f"expected best epochs and values of {len(self.seeds)} seeds, found others")
        for values in lists:
            lengths = {len(value) if isinstance(value, list) else 0 for value in values}
            if len(lengths) > 1:
                raise ValueError("expected as many classes for each seed, found others")
        if [row.part for row in self.scores] != list(self.values):
            raise ValueError("expected values of the parts that have scores, found those of others")
        return self
