"""Texts that a language model wrote while it was trained: before the first step, on the way, and at the end."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import jax
from annotated_types import Ge
from pydantic import TypeAdapter, ValidationError

from jaxnn.errors import UserError
from jaxnn.experiment.definition import Experiment, seed_params
from jaxnn.experiment.text_generation import generate_texts, generates_text
from jaxnn.layer import Params
from jaxnn.storage.files import atomic_write, one_line

NAME = "samples.json"
#: Tokens of a sample, its temperature, and about how many a training leaves.
LENGTH, TEMPERATURE, COUNT = 300, 0.8, 10


class Sample(NamedTuple):
    """A text that the first seed's model wrote after so many steps, or (`best`) with its best parameters."""

    steps: Annotated[int, Ge(0)]
    epoch: float
    text: str
    best: bool = False

    @property
    def title(self) -> str:
        """When it was written, in words."""
        return "Best parameters" if self.best else f"After {self.epoch:.3g} epochs"


_SAMPLES = TypeAdapter(list[Sample])


class SampleWriter:
    """Writes a sample at some of the checkpoints of a training. Those of the folder that come later are dropped."""

    def __init__(self, experiment: Experiment, samples: Sequence[Sample] = (), steps: int = 0):
        self.experiment: Experiment = experiment
        self.applies: bool = generates_text(experiment)
        self.samples: list[Sample] = [s for s in samples if s.steps <= steps and not s.best]

    def add(self, folder: Path, steps: int, state: Any) -> None:
        """A sample of a state with a leading axis of seeds, where enough steps have been done since the last one."""
        between = self.experiment.plan.epochs * self.experiment.source.steps / COUNT
        if self.applies and (not self.samples or steps - self.samples[-1].steps >= between):
            self._write(folder, self.experiment.bound().params(seed_params(state, 0)), steps, best=False)

    def add_best(self, folder: Path, params: Params, epoch: int) -> None:
        """A sample of the best parameters with a leading axis of seeds."""
        if self.applies:
            self._write(folder, seed_params(params, 0), epoch * self.experiment.source.steps, best=True)

    def _write(self, folder: Path, params: Params, steps: int, *, best: bool) -> None:
        (text,) = generate_texts(self.experiment, params, [None], LENGTH, jax.random.key(0), temperature=TEMPERATURE)
        self.samples.append(Sample(steps, steps / self.experiment.source.steps, text, best))
        content = json.dumps([sample._asdict() for sample in self.samples], indent=1, ensure_ascii=False)
        atomic_write(folder / NAME, content.encode(errors="backslashreplace"))


def read_samples(folder: Path) -> list[Sample]:
    """The samples of a run; none where it has none. Raises `UserError` for a file that holds something else."""
    file = folder / NAME
    if not file.is_file():
        return []
    try:
        rows: list[Mapping[str, Any]] = json.loads(file.read_text("utf-8"))
        return _SAMPLES.validate_python([Sample(**row) for row in rows])
    except (ValidationError, ValueError, TypeError, OSError) as error:
        raise UserError(f"{file}: expected the samples of a run, found {one_line(error)}; remove the file") from error
