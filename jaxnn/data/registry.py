"""Loads a data set by its name: the table of loaders, their options, and ``load``."""

import inspect
import os
from collections.abc import Callable, Mapping

import numpy as np

from jaxnn.data.array_file import arrays
from jaxnn.data.canvas import canvas
from jaxnn.data.check import check_dataset
from jaxnn.data.csv_file import csv_file
from jaxnn.data.dataset import Arrays, Dataset, map_arrays
from jaxnn.data.graphs import graph, karate
from jaxnn.data.image_folder import image_folder
from jaxnn.data.labelled_lines import labelled_lines
from jaxnn.data.lines import lines_file
from jaxnn.data.mnist import EXAMPLE_SHAPE, mnist
from jaxnn.data.plane import chess_board, curve, points, spirals
from jaxnn.data.series import series
from jaxnn.data.synthetic import adding, beach, blobs, circles, cosine, digits, gaussians, moons, parabola
from jaxnn.data.text import text_file
from jaxnn.data.tfds import tfds
from jaxnn.data.time_series_file import time_series_file
from jaxnn.errors import UserError, hint

DATASETS: dict[str, Callable[..., Dataset]] = {
    "blobs": blobs,
    "circles": circles,
    "moons": moons,
    "gaussians": gaussians,
    "spirals": spirals,
    "chess_board": chess_board,
    "curve": curve,
    "points": points,
    "beach": beach,
    "parabola": parabola,
    "cosine": cosine,
    "adding": adding,
    "digits": digits,
    "mnist": mnist,
    "csv": csv_file,
    "arrays": arrays,
    "images": image_folder,
    "text": text_file,
    "lines": lines_file,
    "labelled_lines": labelled_lines,
    "series": series,
    "ts": time_series_file,
    "canvas": canvas,
    "karate": karate,
    "graph": graph,
    "tfds": tfds,
}
# Parameters of a loader that belong to the run, which has one of each; they are not options of the data set.
_RUN_OPTIONS = ("seed", "data_dir", "most_bytes")
_NUM_SEEDS = 2**32  # the range that scikit-learn accepts


def load(
    name: str,
    options: Mapping[str, object] | None = None,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    seed: int = 0,
    most_bytes: int | None = None,
) -> Dataset:
    """Loads the data set ``name`` and checks it. ``tfds:NAME`` is the set NAME of TensorFlow Datasets.

    options: the keyword arguments of its loader (see ``loader_options``)
    data_dir: the folder of the user's files; None: the environment variable JAXNN_DATA_DIR
    seed: of the random examples, where the loader generates them
    most_bytes: what an array of examples may have to be read into memory; a larger one stays in its file, as
        `jaxnn.data.rows.Rows`, where the loader can read it by its rows; None: all are read

    Raises UserError: an unknown name or option, a missing option or file, invalid data.
    """
    loader, arguments = _loader(name), dict(options or {})
    known = loader_options(name)
    for option in arguments:
        if option not in known:
            raise UserError(f"{name}: {_expected('an option', list(known), option)}")
    for option, parameter in known.items():
        if parameter.default is parameter.empty and option not in arguments:
            raise UserError(f"{name}: expected the option {option}, found none")
    if not 0 <= seed < _NUM_SEEDS:
        raise UserError(f"{name}: expected a seed from 0 to {_NUM_SEEDS - 1}, found {seed}")
    if name.startswith("tfds:"):
        arguments["name"] = name.removeprefix("tfds:")
    run_options = {"seed": seed, "data_dir": data_dir, "most_bytes": most_bytes}
    parameters = inspect.signature(loader).parameters
    return check_dataset(loader(**arguments, **{key: run_options[key] for key in _RUN_OPTIONS if key in parameters}))


def example_input(
    name: str,
    options: Mapping[str, object] | None = None,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    seed: int = 0,
) -> Arrays:
    """A batch of one input of the data set: its shapes and types are those of ``train.x[:1]``, or of a window.

    MNIST's are known without its files, so the batch is zero and nothing is read. Raises UserError as ``load`` does.
    """
    if name == "mnist":
        return np.zeros((1, *EXAMPLE_SHAPE), np.uint8)
    dataset = load(name, options, data_dir=data_dir, seed=seed)
    if dataset.window:
        return map_arrays(lambda x: x[None, : dataset.window], dataset.train.x)
    return map_arrays(lambda x: x[:1], dataset.train.x)


def loader_options(name: str) -> Mapping[str, inspect.Parameter]:
    """The options of a data set with type and default: its loader's parameters except seed and data_dir.

    Raises UserError for an unknown data set.
    """
    parameters = inspect.signature(_loader(name), eval_str=True).parameters
    excluded = ("name", *_RUN_OPTIONS) if name.startswith("tfds:") else _RUN_OPTIONS
    return {key: parameter for key, parameter in parameters.items() if key not in excluded}


def is_random(name: str) -> bool:
    """Whether the examples depend on the seed. A data set that is read from files is the same for every seed.

    Raises UserError for an unknown data set.
    """
    return "seed" in inspect.signature(_loader(name)).parameters


def _loader(name: str) -> Callable[..., Dataset]:
    key = "tfds" if name.startswith("tfds:") else name
    if key not in DATASETS:
        raise UserError(f"data: {_expected('a data set', [*DATASETS, 'tfds:NAME'], name)}")
    return DATASETS[key]


def _expected(kind: str, known: list[str], name: str) -> str:
    return f"expected {kind} of {', '.join(known) or 'none'}, found {name}{hint(name, known)}"
