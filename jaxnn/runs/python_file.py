"""Experiments that stand in Python files: `mine.py:experiment`."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxnn.errors import UserError, hint
from jaxnn.experiment.definition import Experiment, Record, with_class_names
from jaxnn.runs.import_file import attribute, imported, split_target
from jaxnn.storage.files import sha256

#: Before the name of a hyper-parameter on the command line.
PREFIX = "hyperparameters."
#: The option that replaces the epochs of an experiment's plan, named as in a config.
EPOCHS = "train.epochs"


def is_python_target(text: str) -> bool:
    """Whether a name on the command line is FILE.py:NAME."""
    return split_target(text) is not None


def target_stem(text: str) -> str:
    """A name for the folder of a run or sweep: the stem of the file, or the config's own name."""
    parts = split_target(text)
    return (Path(text) if parts is None else parts[0]).stem


def load_experiment(target: str, overrides: Mapping[str, float] | None = None, epochs: int | None = None) -> Experiment:
    """The experiment NAME of the Python file FILE, of `FILE.py:NAME`; without :NAME it is `experiment`.

    NAME is an `Experiment`, or a function without arguments that returns one. The file is run; see `imported`.
    overrides: other values of the experiment's hyper-parameters, by name
    epochs: in place of the plan's

    Raises `UserError` for a file or a name that does not exist, for an exception in the file, and for another thing
    than an experiment.
    """
    parts = split_target(target)
    if parts is None:
        raise UserError(f"{target}: expected FILE.py:NAME, found no name of a Python file")
    path, name = parts[0], parts[1] or "experiment"
    if any("\ud800" <= character <= "\udfff" for character in str(path)):
        raise UserError(f"{path}: expected a file name in UTF-8, which a run can write down, found another; rename it")
    with imported(path) as module:
        names = [key for key, value in vars(module).items() if isinstance(value, Experiment)]
        experiment = attribute(module, name, path, "an experiment", names)
        if callable(experiment) and not isinstance(experiment, Experiment):
            experiment = experiment()
        if not isinstance(experiment, Experiment):
            raise UserError(f"{target}: expected a jaxnn.Experiment, found {type(experiment).__name__}")
        experiment = with_class_names(experiment.check())
    overrides = dict(overrides or {})
    for key in overrides:
        if key not in experiment.hyperparameters:
            known = list(experiment.hyperparameters)
            names = ", ".join(known) or "none"
            raise UserError(f"{target}: expected a hyper-parameter among {names}, found {key}{hint(key, known)}")
    origin = {"file": str(path.resolve()), "name": name, "sha256": sha256(path), "overrides": {}}
    facts = {**experiment.record.facts, "experiment": origin}
    title = path.stem if experiment.title == "experiment" else experiment.title
    experiment = experiment._replace(title=title, record=Record({**experiment.record.files}, facts))
    experiment = with_values(experiment, overrides)
    return experiment if epochs is None else with_epochs(experiment, epochs).check()


def with_values(experiment: Experiment, values: Mapping[str, float]) -> Experiment:
    """An experiment with other values of its hyper-parameters, which its record says where it stands in a file."""
    facts = dict(experiment.record.facts)
    if "experiment" in facts:
        facts["experiment"] = {**facts["experiment"], "overrides": {**facts["experiment"]["overrides"], **values}}
    return experiment._replace(
        hyperparameters={**experiment.hyperparameters, **values}, record=experiment.record._replace(facts=facts)
    )


def with_epochs(experiment: Experiment, epochs: int) -> Experiment:
    """An experiment with another number of epochs, which its record says where it stands in a file."""
    facts = dict(experiment.record.facts)
    if "experiment" in facts and epochs != experiment.plan.epochs:
        facts["experiment"] = {**facts["experiment"], "epochs": epochs}
    return experiment._replace(
        plan=experiment.plan._replace(epochs=epochs), record=experiment.record._replace(facts=facts)
    )


def typed_overrides(overrides: Sequence[str]) -> tuple[dict[str, float], int | None]:
    """The numbers of `hyperparameters.NAME=NUMBER` by name, and the epochs of `train.epochs=N`.

    Raises `UserError` for another thing.
    """
    numbers: dict[str, float] = {}
    epochs = None
    for text in overrides:
        name, _, value = text.partition("=")
        if name == EPOCHS:
            if not value.isdecimal() or int(value) < 1:
                raise UserError(f"--{name}: expected an integer of at least 1, found {value!r}")
            epochs = int(value)
            continue
        if not name.startswith(PREFIX):
            raise UserError(
                f"--{name}: an experiment in Python takes --{PREFIX}NAME NUMBER and --{EPOCHS} N, found another option"
            )
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise UserError(f"--{name}: expected a finite number, found {value!r}")
        numbers[name.removeprefix(PREFIX).replace("-", "_")] = number
    return numbers, epochs


def same_file(folder: Path, origin: Mapping[str, Any]) -> str:
    """The target that a run wrote down, if its file is as it was. Raises `UserError` otherwise.

    Only a file outside the run's folder is run, and only with the checksum that the run wrote down: a folder that comes
    from somewhere else brings no code along.
    """
    path = Path(origin["file"])
    name = f"{path}:{origin['name']}"
    # An absolute path without links and "..", as `load_experiment` writes it: any other may lead anywhere.
    if not name.isprintable() or os.path.realpath(path) != origin["file"]:
        raise UserError(f"{folder}: expected the whole path of its experiment's file, found {origin['file']!r}")
    if any(os.path.isdir(parent) and parent.samefile(folder) for parent in path.parents):
        raise UserError(f"{folder}: expected its experiment in a file outside the run's folder, found {path}")
    if not os.path.isfile(path):  # unlike `Path.is_file`, it raises no error for a path that cannot be
        raise UserError(f"{folder}: expected its experiment in {path}, found no such file; name it by --experiment")
    if sha256(path) != origin["sha256"]:
        raise UserError(
            f"{folder}: {path} has changed since the run began; name the file by --experiment {name} to use it as it is"
        )
    return name
