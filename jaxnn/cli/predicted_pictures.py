"""The pictures of `jaxnn predict --pictures`: boxes on the picture of a detector, the mask of a segmenter."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from jaxnn.cli.sample import as_bytes, write_png
from jaxnn.detection import SHOWN_SCORE, found_objects
from jaxnn.errors import UserError
from jaxnn.experiment.definition import Experiment
from jaxnn.plots.style import PALETTE, VERMILLION
from jaxnn.report.score_table import class_name, output_names

#: A picture of a detector is enlarged until its shorter side has so many pixels, so that its boxes can be read.
SHORT_SIDE = 240


def check_pictures(experiment: Experiment, folder: Path) -> None:
    """Raises `UserError` for a folder that holds something, and for a net that neither detects nor segments."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"--pictures {folder}: expected a new folder, found something else there; choose another one")
    if not (is_detector(experiment) or is_segmenter(experiment)):
        raise UserError(
            "--pictures: expected the run of a detector or of a segmenter, found "
            f"{experiment.title}; leave --pictures out"
        )


def is_detector(experiment: Experiment) -> bool:
    """Whether the net says where objects are."""
    return experiment.bound().activation == "detection"


def is_segmenter(experiment: Experiment) -> bool:
    """Whether the net says the class of each pixel."""
    shape = experiment.prediction_shape()
    return experiment.task() == "classification" and len(getattr(shape, "shape", ())) == 4


def write_pictures(folder: Path, experiment: Experiment, names: Sequence[str], x: Any, prediction: Any) -> None:
    """Writes a PNG file for each picture x (n, h, w, channels), named after its file."""
    images = as_bytes(np.asarray(x, np.float32) / experiment.data.max_value)
    # A number before the name: files of several folders may have one name.
    first = sum(1 for _ in folder.iterdir())
    for i, name in enumerate(names):
        if is_detector(experiment):
            picture = with_boxes(images[i], prediction[i], output_names(experiment.data))
        else:
            picture = mask(prediction[i])
        stem = Path(name).name.replace(".", "_").replace("[", "_").replace("]", "")
        write_png(folder / f"{first + i:04}_{stem}.png", picture)


def with_boxes(image: np.ndarray, prediction: np.ndarray, names: Any) -> Image.Image:
    """A picture (h, w) or (h, w, rgb), enlarged, with the boxes of the objects found in it and their classes."""
    factor = max(1, -(-SHORT_SIDE // min(image.shape[:2])))
    size = (image.shape[1] * factor, image.shape[0] * factor)
    picture = Image.fromarray(image).resize(size, Image.Resampling.NEAREST).convert("RGB")
    draw = ImageDraw.Draw(picture)
    found = found_objects(prediction[None], SHOWN_SCORE).scaled((size[1], size[0]), prediction.shape[:2])
    for _, label, score, (top, left, bottom, right) in zip(*found, strict=True):
        draw.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=VERMILLION, width=2)
        text = f"{class_name(names, int(label))}  {score:.0%}"
        width, height = draw.textbbox((0, 0), text)[2:]
        # Above the box, or below it where there is no room.
        corner = (min(max(left, 0), size[0] - width), top - height - 2 if top > height + 2 else bottom + 2)
        draw.rectangle(draw.textbbox(corner, text), fill="white")
        draw.text(corner, text, fill=VERMILLION)
    return picture


def mask(prediction: np.ndarray) -> Image.Image:
    """The class of each pixel (h, w, classes) as a picture whose pixels are these numbers, with a colour for each."""
    picture = Image.fromarray(prediction.argmax(-1).astype(np.uint8), "P")
    colors = [(0, 0, 0)] + [tuple(bytes.fromhex(color[1:])) for color in PALETTE if color != "#000000"]
    shades = [(80 + 37 * i % 176, 80 + 71 * i % 176, 80 + 113 * i % 176) for i in range(256 - len(colors))]
    picture.putpalette([value for color in (*colors, *shades) for value in color])
    return picture
