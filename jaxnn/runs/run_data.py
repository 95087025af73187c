"""The data of a run that is opened again: whether they are those that it was trained on, and what happens if not.

What repeats or continues a run, or draws figures into its folder, takes the same data and no others. An evaluation
takes other examples of the same form and says so. `docs/trust.md` has the table.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnn.config.loaded_data import LoadedData, evaluated_parts, load_data, load_dataset, parts_of
from jaxnn.config.schema import Config
from jaxnn.config.sections import is_path_option, main_path_option
from jaxnn.data import Dataset
from jaxnn.data.data_dir import data_folder, find_path
from jaxnn.data.dataset import ExampleReader
from jaxnn.data.reader import rebuild_reader
from jaxnn.errors import UserError
from jaxnn.experiment.definition import PARTS, Experiment
from jaxnn.layer import Batch
from jaxnn.runs.manifest import data_digest, parts_digest

#: Characters of a SHA-256 in a message.
SHORT_DIGEST = 12


class OtherDataError(UserError):
    """The data are not those that a run was trained on. same_form: whether the run can be evaluated on them."""

    def __init__(self, message: str, *, same_form: bool):
        super().__init__(message)
        self.same_form: bool = same_form


def load_same_data(
    folder: Path, manifest: Mapping[str, Any], config: Config, data_dir: Path | None = None
) -> LoadedData:
    """The data of a run's config. Raises `UserError` where they are missing, `OtherDataError` for others."""
    try:
        data = load_data(located(config, data_dir), data_dir=data_dir, seeds=manifest["seeds"])
    except UserError as error:
        raise missing(folder, manifest, config, error) from error
    digest = parts_digest(parts_of(data))
    if digest != manifest["data"]["sha256"]:
        parts = evaluated_parts(data)
        raise other_data(folder, manifest, parts, tuple(data.dataset.classes), digest, _remedy(config))
    return data


def located(config: Config, data_dir: Path | None) -> Config:
    """The config of a run with its files in the data folder, where they are no longer where they were."""
    folder, moved = data_folder(data_dir), {}
    for name, path in config.data.options.items():
        if is_path_option(name) and path and folder is not None and not os.path.exists(path):
            candidate = folder / Path(path).name
            moved |= {name: str(candidate)} if candidate.exists() else {}
    return config.model_copy(update={"data": config.data.model_copy(update=moved)}) if moved else config


def check_same_data(folder: Path, manifest: Mapping[str, Any], experiment: Experiment) -> None:
    """Raises `OtherDataError` unless an experiment has the data that a run was trained on."""
    digest = data_digest(experiment)
    if digest != manifest["data"]["sha256"]:
        parts = [experiment.examples(part) for part in PARTS]
        remedy = "name the file that has them by --experiment FILE.py:NAME"
        raise other_data(folder, manifest, parts, experiment.data.classes, digest, remedy)


def missing(folder: Path, manifest: Mapping[str, Any], config: Config, error: UserError) -> UserError:
    """The error for data that cannot be read."""
    return UserError(
        f"{folder}: expected {_expected(manifest)}, found none that can be read ({error}); {_remedy(config)}"
    )


def other_data(
    folder: Path,
    manifest: Mapping[str, Any],
    parts: Sequence[Batch | None],
    classes: tuple[str, ...],
    digest: str,
    remedy: str,
) -> OtherDataError:
    """The error for data that are not those of the run: what is expected, and the first thing that differs.

    parts: of the first seed, in the order of `PARTS`
    """
    data = manifest["data"]
    leaves = {name: jax.tree.leaves(part) for name, part in zip(PARTS, parts, strict=True)}
    counts = {name: arrays[0].shape[0] for name, arrays in leaves.items() if arrays}
    x = next((arrays[0] for arrays in leaves.values() if arrays), None)
    form = None if x is None else form_difference(manifest, x, classes)
    if form is not None:
        difference = form
    elif counts != data["split"]:
        found, expected = (", ".join(f"{n:,} {part}" for part, n in c.items()) for c in (counts, data["split"]))
        difference = f"{found} examples instead of {expected}"
    else:
        difference = f"SHA-256 {digest[:SHORT_DIGEST]}…"
    return OtherDataError(
        f"{folder}: expected {_expected(manifest)}, found others: {difference}; {remedy}", same_form=form is None
    )


def form_difference(manifest: Mapping[str, Any], x: Any, classes: Sequence[str]) -> str | None:
    """How examples x and their classes differ from a run's in form, in words. None if they do not.

    Classes may be some of the run's.
    """
    data = manifest["data"]
    known = data["classes"]
    if bool(known) != bool(classes) or not set(classes) <= set(known):
        unknown = [name for name in classes if name not in known]
        return f"the classes {_names(unknown)} instead of {_names(known)}"
    shape, expected = tuple(x.shape[1:]), tuple(data["example"])
    if (shape, x.dtype.name) != (expected, data["dtype"]):
        return f"examples of shape {shape} {x.dtype.name} instead of {expected} {data['dtype']}"
    return None


def _names(classes: Sequence[str]) -> str:
    return ", ".join(classes[:5]) + ("" if len(classes) <= 5 else ", …") if classes else "none"


def _expected(manifest: Mapping[str, Any]) -> str:
    data = manifest["data"]
    return f"the data that it was trained on ({data['name']}, SHA-256 {data['sha256'][:SHORT_DIGEST]}…)"


def _remedy(config: Config) -> str:
    option = main_path_option(config.data.options)
    return f"name them by --data.{option} FILE or --data-dir DIR" if option else "name their folder by --data-dir DIR"


def _other(config: Config) -> str:
    return f"give data of the same form by --data.{main_path_option(config.data.options) or 'path'} FILE"


def examples_like(folder: Path, manifest: Mapping[str, Any], dataset: Dataset, remedy: str) -> Batch:
    """All examples of a data set, as a run has them: pairs (x, target) with its classes.

    Raises `UserError` for examples of another shape or type, and for a class that the run does not have.
    """
    classes = list(manifest["data"]["classes"])
    parts = [part for part in (dataset.train, dataset.test) if part is not None]
    x, y = (jax.tree.map(lambda *a: np.concatenate(a), *(getattr(p, name) for p in parts)) for name in ("x", "y"))
    difference = form_difference(manifest, jax.tree.leaves(x)[0], dataset.classes)
    if difference is not None:
        message = f"{folder}: expected data of the form that it was trained on, found {difference}; {remedy}"
        raise OtherDataError(message, same_form=False)
    if classes:
        y = np.array([classes.index(name) for name in dataset.classes], np.int32)[y]
    return x, y


def load_other_examples(
    folder: Path,
    manifest: Mapping[str, Any],
    config: Config,
    data_dir: Path | None = None,
    overrides: Sequence[str] = (),
) -> Batch:
    """All examples of other data than a run's, as the run has them: those of a file with targets by the run's reader.

    overrides: the options that name them
    Raises `UserError` where they are missing or of another form.
    """
    config = located(config, data_dir)
    reader = rebuild_reader(manifest["data"]["reader"]) if manifest["data"].get("reader") else None
    option = main_path_option(config.data.options)
    path = config.data.options.get(option) if option else None
    try:
        if not isinstance(reader, ExampleReader) or not isinstance(path, str) or config.data.options.get("y_path"):
            return examples_like(folder, manifest, load_dataset(config, data_dir, config.data.seed), _other(config))
        file = find_path(path, data_dir)
        for name in (text.partition("=")[0] for text in overrides):
            if name != f"data.{option}":
                raise OtherDataError(
                    f"{folder}: --{name}: expected --data.{option} alone for other data, which are read as those of "
                    "the training, found another option",
                    same_form=False,
                )
    except OtherDataError:
        raise
    except UserError as error:
        raise missing(folder, manifest, config, error) from error
    try:
        return tuple(reader.examples(file))
    except UserError as error:
        message = f"{folder}: expected data of the form that it was trained on, found others: {error}; {_other(config)}"
        raise OtherDataError(message, same_form=False) from error
