"""What a generative net makes of the same drawn numbers while it is trained, from before the first step to the end."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import jax
import numpy as np

from jaxnn import plots
from jaxnn.engine.hooks import UNLIMITED
from jaxnn.experiment.definition import Experiment, seed_params
from jaxnn.experiment.sampling import draw_samples, samples_examples
from jaxnn.report.figure import Figure
from jaxnn.storage.arrays import load_arrays, save_arrays
from jaxnn.train.state import State

NAME = "samples.safetensors"
#: Images and points of a time, and how many times a training leaves at most, besides its end.
IMAGES, POINTS, TIMES = 10, 500, 7


class SampleArrays:
    """Collects samples of the first seed while a run is trained, and writes them into its folder.

    arrays, steps: of the run that is resumed, what it has drawn and where it continues; later samples are dropped
    """

    def __init__(self, experiment: Experiment, arrays: Mapping[int, np.ndarray] | None = None, steps: int = 0):
        self.experiment: Experiment = experiment
        shape = jax.tree.leaves(experiment.source.example)[0].shape[1:]
        self._count = POINTS if shape == (2,) else IMAGES
        drawable = shape == (2,) or (len(shape) == 3 and shape[-1] in (1, 3))
        self.applies: bool = drawable and samples_examples(experiment)
        self.arrays: dict[int, np.ndarray] = {at: a for at, a in (arrays or {}).items() if at <= steps}

    @property
    def _between(self) -> int:
        """The steps from one time to the next."""
        return max(1, -(-self.experiment.plan.epochs * self.experiment.source.steps // TIMES))

    def most_steps(self, done: int) -> int:
        """The steps to the next time at which samples are drawn: a chunk of steps ends there."""
        return self._between - done % self._between if self.applies else UNLIMITED

    def watch(self, state: State, done: int) -> None:
        """Draws samples before the first step, at each time, and at the end."""
        total = self.experiment.plan.epochs * self.experiment.source.steps
        if not self.applies or done in self.arrays or (done % self._between and done != total):
            return
        params = seed_params(self.experiment.bound().params(state.update), 0)
        self.arrays[done] = draw_samples(self.experiment, params, self._count, jax.random.key(0))

    def save(self, folder: Path) -> None:
        """Writes what has been drawn into a run's folder."""
        if self.arrays:
            save_arrays(folder / NAME, {str(steps): array for steps, array in sorted(self.arrays.items())})

    def figures(self) -> Iterator[Figure]:
        """The samples as a figure, a row or a panel for each time."""
        if len(self.arrays) < 2:
            return
        steps = sorted(self.arrays)
        epochs = [f"epoch {at / self.experiment.source.steps:.3g}" for at in steps]
        samples = np.stack([self.arrays[at] for at in steps])
        title = f"Samples over the training, seed {self.experiment.seeds[0]}"
        if samples.shape[2:] == (2,):
            real = self.experiment.source.training_examples()
            points = None if real is None else np.asarray(jax.tree.leaves(real)[0])
            figure = plots.points_over_training(samples, points, epochs, title=title)
        else:
            labels = [epochs[i] if j == 0 else "" for i in range(len(epochs)) for j in range(samples.shape[1])]
            figure = plots.sample_images(np.concatenate(samples), labels, title=title, columns=samples.shape[1])
        alt = f"What the net makes of the same drawn numbers after {', '.join(epochs)}."
        yield Figure("samples_over_training", "Samples over the training", figure, alt)


def read_sample_arrays(folder: Path) -> dict[int, np.ndarray]:
    """The samples of a run by the steps before them; none where it has none. Raises `UserError` for a damaged file."""
    file = folder / NAME
    if not file.is_file():
        return {}
    return {int(name): array for name, array in load_arrays(file).items() if name.isdecimal()}
