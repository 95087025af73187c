"""`jaxnn train [CONFIG | FILE.py:NAME]`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax

from jaxnn.cli import device
from jaxnn.cli.arguments import COMMAND_LINE, Train
from jaxnn.cli.interrupts import handle_signals
from jaxnn.cli.progress import report
from jaxnn.cli.terminal import one_line, print_text
from jaxnn.errors import UserError, plural
from jaxnn.experiment.seeds import seed_range

if TYPE_CHECKING:
    from jaxnn.experiment.definition import Experiment


def run(command: Train, overrides: Sequence[str]) -> None:
    report("reading the data")
    where = device.select_device(command.device, deterministic=command.deterministic)
    experiment, name = experiment_from(command, overrides)

    from jaxnn.cli.execute import train_to_completion
    from jaxnn.runs import folder as run_folder
    from jaxnn.runs.manifest import make_manifest, now
    from jaxnn.runs.recorder import RunRecorder

    start = now()
    folder = run_folder.run_path(command.out, name, overwrite=command.overwrite)
    print_text(header(experiment, where))
    manifest = make_manifest(experiment, command=COMMAND_LINE.get(), start=start)
    with handle_signals() as stop:
        recorder = RunRecorder(folder, experiment, manifest, overwrite=command.overwrite)
        train_to_completion(recorder, stop, command.json)


def experiment_from(command: Train, overrides: Sequence[str]) -> "tuple[Experiment, str]":
    """The experiment that the command line names, a config's or a Python file's, and a name for its folder."""
    from jaxnn.runs.python_file import is_python_target, load_experiment, target_stem, typed_hyperparameters

    if is_python_target(command.config):
        if command.grad != "hand":
            raise UserError("--grad: expected a config, found a Python file; choose supervised(…, grad=…) there")
        experiment = load_experiment(command.config, typed_hyperparameters(overrides))
        first = experiment.seeds[0] if command.seed is None else command.seed
        seeds = seed_range(first, command.seeds) if command.seeds is not None else experiment.seeds
        if command.seeds is None and command.seed is not None:
            seeds = tuple(seed - experiment.seeds[0] + first for seed in experiment.seeds)
        return experiment._replace(seeds=seeds), target_stem(command.config)

    from jaxnn.config import load
    from jaxnn.config.experiment import make_experiment

    for name in ("seeds", "seed"):
        if getattr(command, name) is not None:
            overrides = [*overrides, f"train.{name}={getattr(command, name)}"]
    config = load(command.config, overrides)
    device.set_precision(config.train.precision)
    seeds = seed_range(config.train.seed, config.train.seeds)
    experiment = make_experiment(config, data_dir=command.data_dir, seeds=seeds, grad=command.grad)
    return experiment, target_stem(command.config)


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
    n = len(experiment.seeds)
    title, data = one_line(experiment.title), one_line(experiment.data.name)
    return f"{title}\n{data}: {', '.join(sizes)}\n{gradient}{plural(n, 'seed')}, {where}"
