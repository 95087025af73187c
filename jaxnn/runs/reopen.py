"""A run's experiment, built again from what its folder wrote down."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnn.config import load
from jaxnn.config.bind import bind_hyperparameters, training_key
from jaxnn.config.experiment import make_experiment, plan_of, preparer, record_of
from jaxnn.config.schema import Config
from jaxnn.data import preprocess
from jaxnn.data.reader import rebuild_reader
from jaxnn.errors import UserError
from jaxnn.experiment.definition import DataInfo, Experiment
from jaxnn.layer import Params
from jaxnn.runs import folder as run_folder
from jaxnn.runs.manifest import data_digest
from jaxnn.runs.python_file import load_experiment, same_file
from jaxnn.runs.weights import load_weights
from jaxnn.storage.arrays import restore
from jaxnn.storage.files import one_line
from jaxnn.train.batches import in_memory


def read_config(folder: Path, manifest: Mapping[str, Any]) -> Config | None:
    """The config of a run; None for one whose experiment is written in Python. Raises `UserError` for damage."""
    if "config" not in manifest:
        return None
    if manifest["grad"] == "":
        raise UserError(f"{folder}: expected the gradient of a config to be 'hand' or 'auto', found neither")
    return load(run_folder.check_file(folder, manifest, run_folder.CONFIG), ())


def rebuild_experiment(
    folder: Path, manifest: Mapping[str, Any], data_dir: Path | None = None, target: str | None = None
) -> Experiment:
    """The experiment of a run, with its data and its seeds.

    target: FILE.py:NAME of an experiment in Python, where it is not the one that the run wrote down
    Raises `UserError` where it cannot be built: a file that is missing or changed, an experiment that had no file.
    """
    config = read_config(folder, manifest)
    seeds = tuple(manifest["seeds"])
    if config is not None:
        return make_experiment(config, data_dir=data_dir, seeds=seeds, grad=manifest["grad"])
    if target is None:
        origin = manifest.get("experiment")
        if origin is None:
            raise UserError(
                f"{folder}: its experiment was given to jaxnn.fit and stands in no file: name it by "
                "--experiment FILE.py:NAME, or pass it to jaxnn.load_run"
            )
        target = same_file(folder, origin)
    experiment = load_experiment(target, manifest["experiment"]["overrides"] if "experiment" in manifest else {})
    return experiment._replace(seeds=seeds)


def same_data(experiment: Experiment, manifest: Mapping[str, Any]) -> bool:
    """Whether an experiment has the data that a run was made with."""
    return data_digest(experiment) == manifest["data"]["sha256"]


def predictor(folder: Path, manifest: Mapping[str, Any], target: str | None = None) -> Experiment:
    """An experiment that predicts as the run does. That of a config needs no data: it has one blank example."""
    config = read_config(folder, manifest)
    if config is None:
        return rebuild_experiment(folder, manifest, target=target)
    info = manifest["data"]
    _, arrays = load_weights(run_folder.check_file(folder, manifest, "best.safetensors"))
    stats = preprocess.rebuild(config.data.preprocess, arrays)
    # Not `np.zeros`: the manifest may claim an example of any size, and this one takes no memory.
    x, target_row = np.broadcast_to(np.zeros((), info["dtype"]), (1, *info["example"])), np.zeros((1,), np.int32)
    try:
        one_stats = jax.tree.map(lambda a: a[0], stats) if info["stacked"] else stats
        source = in_memory(x, target_row, prepare=preparer(config.train.precision), stats=one_stats)
    except (IndexError, TypeError, ValueError) as error:
        raise UserError(f"{folder}: expected preprocessing that fits the examples, found {one_line(error)}") from error
    return Experiment(
        bind_hyperparameters(training_key(config, (), manifest["grad"])),
        source._replace(stats=stats),
        plan_of(config),
        seeds=tuple(manifest["seeds"]),
        title=config.title,
        data=DataInfo(
            info["name"],
            tuple(info["classes"]),
            info["max_value"],
            rebuild_reader(info["reader"]) if info.get("reader") else None,
        ),
        stacked=info["stacked"],
        record=record_of(config, manifest["grad"]),
    )


def read_params(folder: Path, manifest: Mapping[str, Any], experiment: Experiment, name: str = "best") -> Params:
    """The parameters of a finished run, with a leading axis of seeds. Raises `UserError` for damage."""
    arrays, _ = load_weights(run_folder.check_file(folder, manifest, f"{name}.safetensors"))
    single_seed = experiment._replace(stacked=False)
    if experiment.stacked:
        first = jax.tree.map(lambda a: a[0], experiment.source.stats)
        single_seed = single_seed._replace(source=experiment.source._replace(stats=first))
    update = single_seed.bound()
    shapes = jax.eval_shape(
        lambda example: update.params(update.init(jax.random.key(0), example)), experiment.source.example
    )
    grown = jax.tree.map(lambda a: jax.ShapeDtypeStruct((len(experiment.seeds), *a.shape), a.dtype), shapes)
    return restore(grown, arrays)
