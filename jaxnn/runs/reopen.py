"""A run's experiment, built again from what its folder wrote down."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnn.config import load
from jaxnn.config.bind import bind_hyperparameters, training_key
from jaxnn.config.experiment import experiment_of, plan_of, preparer, record_of, wanted_of
from jaxnn.config.schema import Config
from jaxnn.data import preprocess
from jaxnn.data.graphs import GRAPH_DATA
from jaxnn.data.reader import rebuild_reader
from jaxnn.errors import UserError
from jaxnn.experiment.definition import DataInfo, Experiment
from jaxnn.layer import Params
from jaxnn.runs import folder as run_folder
from jaxnn.runs.python_file import load_experiment, same_file
from jaxnn.runs.run_data import OtherDataError, check_same_data, load_other_examples, load_same_data
from jaxnn.runs.weights import load_weights
from jaxnn.storage.arrays import restore
from jaxnn.storage.files import one_line
from jaxnn.targets import Boxes
from jaxnn.train.batches import in_memory


def read_config(folder: Path, manifest: Mapping[str, Any], overrides: Sequence[str] = ()) -> Config | None:
    """The config of a run; None for one whose experiment is written in Python.

    overrides: of its data table, where the data are elsewhere
    Raises `UserError` for damage, and for an override of anything else.
    """
    for text in overrides:
        name = text.partition("=")[0]
        if not name.startswith("data."):
            raise UserError(f"--{name}: expected an option of the data, such as --data.path, found another")
        if "config" not in manifest:
            raise UserError(
                f"--{name}: expected the run of a config, found one of a Python file, which has its own data"
            )
    if "config" not in manifest:
        return None
    if manifest["grad"] == "":
        raise UserError(f"{folder}: expected the gradient of a config to be 'hand' or 'auto', found neither")
    return load(run_folder.check_file(folder, manifest, run_folder.CONFIG), overrides)


def source_of_run(folder: Path, manifest: Mapping[str, Any]) -> str:
    """The config file, or FILE.py:NAME, that a run was made from. Raises `UserError` where it stands in no file."""
    if "config" in manifest:
        return str(run_folder.check_file(folder, manifest, run_folder.CONFIG))
    if "experiment" in manifest:
        return same_file(folder, manifest["experiment"])
    raise UserError(f"{folder}: its experiment was given to jaxnn.fit and stands in no file: name FILE.py:NAME")


def rebuild_experiment(
    folder: Path,
    manifest: Mapping[str, Any],
    data_dir: Path | None = None,
    target: str | None = None,
    overrides: Sequence[str] = (),
) -> Experiment:
    """The experiment of a run, with its seeds and the data that it was trained on.

    target: FILE.py:NAME of an experiment in Python, where it is not the one that the run wrote down
    overrides: of a config's data table, where the data are elsewhere
    Raises `UserError` where it cannot be built: data or a file that are missing or changed, an experiment that had no
    file.
    """
    config = read_config(folder, manifest, overrides)
    if config is None:
        experiment = python_experiment(folder, manifest, target)
        check_same_data(folder, manifest, experiment)
        return experiment
    data = load_same_data(folder, manifest, config, data_dir)
    return experiment_of(config, data, seeds=tuple(manifest["seeds"]), grad=manifest["grad"])


def python_experiment(folder: Path, manifest: Mapping[str, Any], target: str | None = None) -> Experiment:
    """The experiment of a run that stands in a Python file, with the run's seeds and whatever data the file has now.

    target: FILE.py:NAME, where it is not the one that the run wrote down
    Raises `UserError` for a file that is missing or changed, and for an experiment that had no file.
    """
    if target is None:
        origin = manifest.get("experiment")
        if origin is None:
            raise UserError(
                f"{folder}: its experiment was given to jaxnn.fit and stands in no file: name it by "
                "--experiment FILE.py:NAME, or pass it to jaxnn.load_run"
            )
        target = same_file(folder, origin)
    facts = manifest.get("experiment", {"overrides": {}})
    experiment = load_experiment(target, facts["overrides"], facts.get("epochs"))
    return experiment._replace(seeds=tuple(manifest["seeds"])).check()


def evaluated_experiment(
    folder: Path,
    manifest: Mapping[str, Any],
    data_dir: Path | None = None,
    target: str | None = None,
    overrides: Sequence[str] = (),
) -> tuple[Experiment, str]:
    """The experiment of a run with the data to evaluate it on, and a warning where they are not the run's unasked.

    Other examples of the same form are one part, "test", prepared as the training prepared its own: the run's split
    says nothing of them. An experiment in Python has the parts that its file gives it.
    Raises `UserError` for data that are missing, or of another form.
    """
    config = read_config(folder, manifest, overrides)
    if config is None:
        experiment = python_experiment(folder, manifest, target)
        try:
            check_same_data(folder, manifest, experiment)
        except OtherDataError as error:
            if not error.same_form:
                raise
            return experiment, str(error)
        return experiment, ""
    try:
        data = load_same_data(folder, manifest, config, data_dir)
        return experiment_of(config, data, seeds=tuple(manifest["seeds"]), grad=manifest["grad"]), ""
    except UserError as error:
        x, y = load_other_examples(folder, manifest, config, data_dir, overrides)
        # Whoever names other data means them.
        message = "" if overrides else f"{error}: all {len(x):,} examples found are evaluated together"
    experiment = predictor(folder, manifest)
    n = len(experiment.seeds)
    test = (np.broadcast_to(x, (n, *x.shape)), np.broadcast_to(y, (n, *y.shape))) if experiment.stacked else (x, y)
    source = experiment.source._replace(load=lambda *where: ())
    return experiment._replace(source=source, test=test), message


def predictor(folder: Path, manifest: Mapping[str, Any], target: str | None = None) -> Experiment:
    """An experiment that predicts as the run does. That of a config needs no data, but for a graph: it has one blank
    example."""
    config = read_config(folder, manifest)
    if config is None:
        return python_experiment(folder, manifest, target)
    if config.data.name in GRAPH_DATA:
        # The graph is the example: a net that has learned from it is asked about its nodes.
        return rebuild_experiment(folder, manifest)
    info = manifest["data"]
    _, arrays = load_weights(run_folder.check_file(folder, manifest, "best.safetensors"))
    stats = preprocess.rebuild(config.data.preprocess, arrays)
    # Not `np.zeros`: the manifest may claim an example of any size, and this one takes no memory.
    x = np.broadcast_to(np.zeros((), info["dtype"]), (1, *info["example"]))
    try:
        one_stats = jax.tree.map(lambda a: a[0], stats) if info["stacked"] else stats
        source = in_memory(
            x,
            blank_target(info.get("target")),
            prepare=preparer(config.train.precision, wanted_of(config)),
            stats=one_stats,
        )
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
            tuple(info.get("targets", ())),
        ),
        stacked=info["stacked"],
        record=record_of(config, manifest["grad"]),
    )


def blank_target(facts: Mapping[str, Any] | None) -> Any:
    """A target of one example, by what the manifest says of it; None where it says nothing."""
    if facts is None:
        return None
    zero = np.zeros((), facts["dtype"])
    if facts.get("boxes"):
        return Boxes(
            np.broadcast_to(np.zeros((), np.int32), (1, *facts["shape"])),
            np.broadcast_to(zero, (1, *facts["shape"], 4)),
        )
    return np.broadcast_to(zero, (1, *facts["shape"]))


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
