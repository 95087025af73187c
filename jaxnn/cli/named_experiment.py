"""The experiment that a command line names: a config's or a Python file's."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from jaxnn.cli import device
from jaxnn.cli.terminal import one_line
from jaxnn.cli.training_arguments import Train
from jaxnn.errors import UserError, plural

if TYPE_CHECKING:
    from jaxnn.experiment.definition import Experiment

#: The config that is trained where none is named.
DEFAULT_CONFIG = "digits_mlp"


class NamedExperiment(NamedTuple):
    """What a command line names, read before JAX starts.

    name: for the folder of its run
    in_order: whether devices add gradients in a fixed order; a Python file says so once it is run
    facts() -> what processes that train it together must have found alike, by name
    build() -> the experiment, once JAX has started
    """

    name: str
    in_order: bool
    facts: "Callable[[], dict[str, str]]"
    build: "Callable[[], Experiment]"


def find_experiment(command: Train, overrides: Sequence[str]) -> NamedExperiment:
    """Reads what the command line names: the config and its data, or where the Python file is."""
    from jaxnn.runs.import_file import split_target
    from jaxnn.runs.python_file import target_stem, typed_overrides
    from jaxnn.storage.files import expand_user

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
    target = split_target(source)
    if target is None:
        return config_experiment(name, source, command, overrides, seeds, grad)
    if command.grad not in (None, "hand"):
        raise UserError("--grad: expected a config, found a Python file; choose supervised(…, grad=…) there")
    typed, typed_epochs = typed_overrides(overrides)
    values, epochs = {**values, **typed}, typed_epochs or epochs

    file = expand_user(target[0])

    def facts() -> dict[str, str]:
        content = file.read_bytes() if file.is_file() else b""  # `build` says that it is missing
        return {"experiment": f"SHA-256 {hashlib.sha256(content).hexdigest()[:16]} {values} {epochs}"}

    return NamedExperiment(name, False, facts, lambda: python_experiment(source, command, values, epochs, seeds))


def config_experiment(
    name: str, source: str, command: Train, overrides: Sequence[str], seeds: Sequence[int] | None, grad: str
) -> NamedExperiment:
    """The experiment of a config. seeds: those of the run that it continues."""
    from jaxnn.config import load
    from jaxnn.config.dump import config_hash
    from jaxnn.config.experiment import experiment_of
    from jaxnn.config.loaded_data import load_data, parts_of
    from jaxnn.experiment.seeds import seed_range
    from jaxnn.runs.manifest import parts_digest

    for option in ("seeds", "seed"):
        if getattr(command, option) is not None:
            overrides = [*overrides, f"train.{option}={getattr(command, option)}"]
    config = load(source, overrides)
    if seeds is None or command.seeds is not None or command.seed is not None:
        seeds = seed_range(config.train.seed, config.train.seeds)
    data = load_data(config, data_dir=command.data_dir, seeds=seeds)

    def facts() -> dict[str, str]:
        return {
            "config": f"SHA-256 {config_hash(config)[:16]}",
            "data": f"SHA-256 {parts_digest(parts_of(data))[:16]}",
            "gradient": grad,
            "seeds": str(list(seeds)),
        }

    def build() -> "Experiment":
        device.set_precision(config.train.precision)
        return experiment_of(config, data, seeds=seeds, grad=grad)

    return NamedExperiment(name, config.train.reduction == "ordered", facts, build)


def python_experiment(
    source: str, command: Train, values: Mapping[str, float], epochs: int | None, seeds: Sequence[int] | None
) -> "Experiment":
    """The experiment of a Python file. seeds: those of the run that it continues."""
    from jaxnn.experiment.seeds import seed_range
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
    import jax

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
