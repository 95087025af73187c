"""A decision boundary that moves while a net learns, as an animated GIF."""

from io import BytesIO

import jax
import numpy as np
from jax import numpy as jnp
from PIL import Image

from jaxnn import plots
from jaxnn.config.experiment import Experiment
from jaxnn.experiment.trajectory import parameter_trajectory, params_unraveler

#: Pictures, and how long each is shown; the last stays longer.
FRAMES, MILLISECONDS, PAUSE = 24, 150, 2000
GRID = 80


def moves(experiment: Experiment) -> bool:
    """Whether a run classifies points of the plane."""
    return bool(experiment.dataset.classes) and experiment.dataset.train.x.shape[1:] == (2,)


def animation(experiment: Experiment) -> bytes:
    """The first seed's training run again, as a GIF: closer together at the beginning, where most happens."""
    splits, stats = experiment.of_seed(0)
    points, labels = splits.train
    low, high = points.min(axis=0) - 0.3, points.max(axis=0) + 0.3
    across, up = (np.linspace(a, b, GRID, dtype=np.float32) for a, b in zip(low, high, strict=True))
    plane = experiment.prepare(stats, jnp.asarray(np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)))
    epochs = experiment.plan.epochs
    shown = np.unique(np.geomspace(1, epochs + 1, FRAMES).astype(int)) - 1
    ways = parameter_trajectory(experiment)[shown]
    unravel = params_unraveler(experiment)

    @jax.jit
    def chances(flat):
        return experiment.loss.probabilities(experiment.model.apply(unravel(flat), plane))

    frames = []
    for epoch, flat in zip(shown, ways, strict=True):
        chance = np.asarray(chances(flat)).reshape(GRID, GRID, -1)
        chance = chance[..., 0] if chance.shape[-1] == 1 else chance / chance.sum(axis=-1, keepdims=True)
        figure = plots.decision_boundary(
            across, up, chance, points, labels, experiment.dataset.classes,
            title=f"{experiment.config.title}: epoch {epoch:,}",
        )  # fmt: skip
        frames.append(Image.open(BytesIO(plots.png(figure))).convert("P", palette=Image.Palette.ADAPTIVE))
    buffer = BytesIO()
    duration = [MILLISECONDS] * (len(frames) - 1) + [PAUSE]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=duration, loop=0, optimize=True)
    return buffer.getvalue()
