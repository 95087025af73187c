"""The data sets by name, and ``load``."""

import inspect
import os
from collections.abc import Callable, Mapping

from jaxnn.data.check import check
from jaxnn.data.csv_file import table
from jaxnn.data.dataset import Dataset
from jaxnn.data.image_folder import images
from jaxnn.data.mnist import mnist
from jaxnn.data.synthetic import beach, blobs, circles, cosine, digits, moons, parabola
from jaxnn.data.tfds import tfds
from jaxnn.errors import UserError, hint

DATASETS: dict[str, Callable[..., Dataset]] = {
    "blobs": blobs,
    "circles": circles,
    "moons": moons,
    "beach": beach,
    "parabola": parabola,
    "cosine": cosine,
    "digits": digits,
    "mnist": mnist,
    "csv": table,
    "images": images,
    "tfds": tfds,
}
# Not the data set's own: a run has one of each.
_OF_THE_RUN = ("seed", "data_dir")
_MOST_SEEDS = 2**32  # what scikit-learn takes


def load(name: str, *, data_dir: str | os.PathLike[str] | None = None, seed: int = 0, **options: object) -> Dataset:
    """The data set ``name``, checked. ``tfds:NAME`` is the set NAME of TensorFlow Datasets.

    ``options`` are the keyword arguments of its loader (see ``options_of``); ``seed`` matters where examples are
    drawn, ``data_dir`` (else the environment's JAXNN_DATA_DIR) where they are read.

    Raises UserError: an unknown name or option, a missing option or file, data that are not sound.
    """
    loader = _loader(name)
    if name.startswith("tfds:"):
        name, options = "tfds", {**options, "name": name.removeprefix("tfds:")}
    known = options_of(name)
    for option in options:
        if option not in known:
            raise UserError(f"{name}: {_expected('an option', list(known), option)}")
    for option, parameter in known.items():
        if parameter.default is parameter.empty and option not in options:
            raise UserError(f"{name}: expected the option {option}, found none")
    if not 0 <= seed < _MOST_SEEDS:
        raise UserError(f"{name}: expected a seed from 0 to {_MOST_SEEDS - 1}, found {seed}")
    run = {"seed": seed, "data_dir": data_dir}
    taken = inspect.signature(loader).parameters
    return check(loader(**options, **{key: run[key] for key in _OF_THE_RUN if key in taken}))


def options_of(name: str) -> Mapping[str, inspect.Parameter]:
    """The options of a data set by name, with type and default: its loader's parameters but seed and data_dir.

    Raises UserError for an unknown data set.
    """
    parameters = inspect.signature(_loader(name), eval_str=True).parameters
    given = ("name", *_OF_THE_RUN) if name.startswith("tfds:") else _OF_THE_RUN
    return {key: parameter for key, parameter in parameters.items() if key not in given}


def is_drawn(name: str) -> bool:
    """Whether each seed draws other examples of a data set; one that is read is the same for all.

    Raises UserError for an unknown data set.
    """
    return "seed" in inspect.signature(_loader(name)).parameters


def _loader(name: str) -> Callable[..., Dataset]:
    key = "tfds" if name.startswith("tfds:") else name
    if key not in DATASETS:
        raise UserError(f"data: {_expected('a data set', [*DATASETS, 'tfds:NAME'], name)}")
    return DATASETS[key]


def _expected(what: str, known: list[str], found: str) -> str:
    return f"expected {what} of {', '.join(known) or 'none'}, found {found}{hint(found, known)}"
