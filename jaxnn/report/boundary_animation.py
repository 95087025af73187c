"""The decision boundary of a net while it learns, as an animated GIF."""

from io import BytesIO

import jax
import numpy as np
from jax import numpy as jnp
from PIL import Image

from jaxnn import plots
from jaxnn.experiment.definition import Experiment
from jaxnn.experiment.plane import plane_grid
from jaxnn.experiment.trajectory import parameter_trajectory, params_unraveler
from jaxnn.report.prediction_figures import probability_of_second

#: Pictures, and how long each is shown in milliseconds; the last stays longer.
FRAMES, MILLISECONDS, PAUSE = 24, 150, 2000
GRID = 80


def has_boundary_animation(experiment: Experiment) -> bool:
    """Whether a run in memory classifies points of the plane by labels with names."""
    examples = experiment.examples("train")
    if (
        examples is None
        or experiment.source.block
        or experiment.task() != "classification"
        or not experiment.data.classes
    ):
        return False
    shapes = [getattr(a, "shape", ()) for a in examples]
    return shapes[0][1:] == (2,) and len(shapes[1]) == 1


def boundary_animation(experiment: Experiment) -> bytes:
    """The first seed's training run repeated, as a GIF: frames are closer together at the beginning."""
    single_seed = experiment.of_seed(0)
    points, labels = map(np.asarray, single_seed.examples("train") or ())
    across, up, plane = plane_grid(points.min(axis=0) - 0.3, points.max(axis=0) + 0.3, GRID)
    x, _ = single_seed.source.prepare(single_seed.source.stats, (jnp.asarray(plane), None))
    epochs = np.unique(np.geomspace(1, experiment.plan.epochs + 1, FRAMES).astype(int)) - 1
    trajectory = parameter_trajectory(experiment)[epochs]
    unravel, update = params_unraveler(experiment), single_seed.bound()
    assert update.predict is not None
    probabilities = jax.jit(lambda flat: update.predict(unravel(flat), x))  # pyright: ignore[reportOptionalCall]

    frames = []
    for epoch, flat in zip(epochs, trajectory, strict=True):
        shade = probability_of_second(np.asarray(probabilities(flat))).reshape(GRID, GRID, -1)
        shade = shade[..., 0] if shade.shape[-1] == 1 else shade
        title = f"{experiment.title}: epoch {epoch:,}"
        figure = plots.decision_boundary(across, up, shade, points, labels, experiment.data.classes, title=title)
        frames.append(Image.open(BytesIO(plots.png(figure))).convert("P", palette=Image.Palette.ADAPTIVE))
    buffer = BytesIO()
    duration = [MILLISECONDS] * (len(frames) - 1) + [PAUSE]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=duration, loop=0, optimize=True)
    return buffer.getvalue()
