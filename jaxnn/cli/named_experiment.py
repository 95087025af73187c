"""The experiment that a command line names: a config's or a Python file's."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import jax

from jaxnn.cli import device
from jaxnn.cli.terminal import one_line
from jaxnn.cli.training_arguments import Train
from jaxnn.errors import UserError, plural
from jaxnn.experiment.seeds import seed_range

if TYPE_CHECKING:
    from jaxnn.experiment.definition import Experiment

#: The config that is trained where none is named.
DEFAULT_CONFIG = "digits_mlp"


def experiment_from(command: Train, overrides: Sequence[str]) -> "tuple[Experiment, str]":
    """The experiment that the command line names, a config's or a Python file's, and a name for its folder."""
    from jaxnn.runs.python_file import is_python_target, target_stem, typed_overrides

    seeds, grad, values, epochs = None, command.grad or "hand", {}, None
    source, name = command.config, target_stem(command.config or DEFAULT_CONFIG)
    if command.from_run is not None:
        from jaxnn.runs import folder as run_folder
        from jaxnn.runs.reopen import source_of_run
        from jaxnn.sweep.folder import best_run

        folder = best_run(command.from_run)
        manifest = run_folder.read_manifest(folder)
        seeds = manifest["seeds"]
        if source is None:
            source, grad = source_of_run(folder, manifest), command.grad or manifest["grad"]
            name = re.sub(r"-\d+$", "", command.from_run.resolve().name)
            origin = manifest.get("experiment", {})
            values, epochs = origin.get("overrides", {}), origin.get("epochs")
    source = DEFAULT_CONFIG if source is None else source
    if not is_python_target(source):
        return config_experiment(source, command, overrides, seeds, grad), name
    if command.grad not in (None, "hand"):
        raise UserError("--grad: expected a config, found a Python file; choose supervised(…, grad=…) there")
    typed, typed_epochs = typed_overrides(overrides)
    return python_experiment(source, command, {**values, **typed}, typed_epochs or epochs, seeds), name


def config_experiment(
    source: str, command: Train, overrides: Sequence[str], seeds: Sequence[int] | None, grad: str
) -> "Experiment":
    """The experiment of a config. seeds: those of the run that it continues."""
    from jaxnn.config import load
    from jaxnn.config.experiment import make_experiment

    for name in ("seeds", "seed"):
        if getattr(command, name) is not None:
            overrides = [*overrides, f"train.{name}={getattr(command, name)}"]
    config = load(source, overrides)
    device.set_precision(config.train.precision)
    if seeds is None or command.seeds is not None or command.seed is not None:
        seeds = seed_range(config.train.seed, config.train.seeds)
    return make_experiment(config, data_dir=command.data_dir, seeds=seeds, grad=grad)


def python_experiment(
    source: str, command: Train, values: Mapping[str, float], epochs: int | None, seeds: Sequence[int] | None
) -> "Experiment":
    """The experiment of a Python file. seeds: those of the run that it continues."""
    from jaxnn.runs.python_file import load_experiment

    experiment = load_experiment(source, values, epochs)
    seeds = tuple(experiment.seeds if seeds is None else seeds)
    first = seeds[0] if command.seed is None else command.seed
    if command.seeds is not None:
        seeds = seed_range(first, command.seeds)
    elif command.seed is not None:
        seeds = tuple(seed - seeds[0] + first for seed in seeds)
    return experiment._replace(seeds=seeds).check()


def header(experiment: "Experiment", where: str) -> str:
    """What is about to run, in three lines."""
    sizes = []
    for part in experiment.parts():
        sizes.append(f"{jax.tree.leaves(experiment.examples(part))[0].shape[0]:,} {part}")
    if experiment.examples("train") is None:
        sizes.insert(0, f"{experiment.source.steps:,} batches an epoch")
    gradient = {"hand": "hand-written backprop, ", "auto": "autodiff, "}.get(
        experiment.record.facts.get("grad", ""), ""
    )
    n, sharing = len(experiment.seeds), experiment.sharing
    if sharing.devices > 1:
        where = f"{plural(sharing.devices, 'device')} share each batch: {where}"
    title, data = one_line(experiment.title), one_line(experiment.data.name)
    return f"{title}\n{data}: {', '.join(sizes)}\n{gradient}{plural(n, 'seed')}, {where}"
