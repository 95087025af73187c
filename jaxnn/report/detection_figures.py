"""The figures of a detector: pictures with their boxes, and with those that it finds."""

from collections.abc import Iterator

import jax
import numpy as np

from jaxnn import plots
from jaxnn.detection import SHOWN_SCORE, Objects, found_objects, known_objects
from jaxnn.experiment.definition import DataInfo, Experiment
from jaxnn.experiment.scores import predict
from jaxnn.layer import Params
from jaxnn.report.figure import Figure
from jaxnn.report.figured_examples import last_part
from jaxnn.report.score_table import class_name, output_names
from jaxnn.targets import Boxes

#: Pictures that are shown.
SHOWN = 6


def detection_figures(experiment: Experiment, params: Params) -> Iterator[Figure]:
    """The figure of the first seed on the test part, or the nearest thing to it; none without pictures."""
    found_part = last_part(experiment)
    if found_part is None or not isinstance(found_part[1][1], Boxes):
        return
    part, examples = found_part
    x, target = jax.tree.map(lambda a: np.asarray(a[:SHOWN]), examples)
    if x.ndim != 4 or x.shape[-1] not in (1, 3):
        return
    cells = target.label.shape[1:]
    true = known_objects(target).scaled(x.shape[1:], cells)
    found = found_objects(predict(experiment, params, x), SHOWN_SCORE).scaled(x.shape[1:], cells)
    shown = [_by_picture(objects, len(x), experiment.data) for objects in (true, found)]
    figure = plots.detections(x, *shown, title=f"Objects, {part} part, seed {experiment.seeds[0]}")
    alt = f"{len(x)} pictures with the boxes of their {len(true.label)} objects, and with the {len(found.label)} found."
    yield Figure("detections", "Detected objects", figure, alt)


def _by_picture(objects: Objects, count: int, data: DataInfo) -> list[list[tuple[str, tuple[float, ...]]]]:
    names = output_names(data)
    pictures: list[list[tuple[str, tuple[float, ...]]]] = [[] for _ in range(count)]
    for picture, label, _, box in zip(*objects, strict=True):
        pictures[picture].append((class_name(names, int(label)), tuple(box.tolist())))
    return pictures
