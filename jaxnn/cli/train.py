"""`jaxnn train [CONFIG]`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from jaxnn.cli import device
from jaxnn.cli.arguments import Train
from jaxnn.cli.interrupts import handle_signals
from jaxnn.errors import plural


def run(command: Train, overrides: Sequence[str]) -> None:
    from jaxnn.config import load

    for name in ("seeds", "seed"):
        if getattr(command, name) is not None:
            overrides = [*overrides, f"train.{name}={getattr(command, name)}"]
    where = device.select_device(command.device, deterministic=command.deterministic)
    config = load(command.config, overrides)
    device.set_precision(config.train.precision)

    from jaxnn.cli.execute import go
    from jaxnn.config.experiment import make_experiment
    from jaxnn.runs import folder as run_folder
    from jaxnn.runs.manifest import manifest, now
    from jaxnn.runs.recorder import Keeper

    start = now()
    folder = run_folder.place(command.out, Path(command.config).stem, overwrite=command.overwrite)
    seeds = range(config.train.seed, config.train.seed + config.train.seeds)
    experiment = make_experiment(config, data_dir=command.data_dir, seeds=seeds)
    console = Console()
    console.print(header(config.title, experiment, where, command.grad), highlight=False)
    facts = manifest(experiment, grad=command.grad, command=("jaxnn", *sys.argv[1:]), start=start)
    with handle_signals() as leaving:
        keeper = Keeper(folder, experiment, facts, overwrite=command.overwrite, leave=leaving)
        go(keeper, leaving, console, command.json)


def header(title: str, experiment: Any, where: str, grad: str) -> str:
    """What is about to run, in a few lines."""
    splits = experiment.splits[0]
    sizes = ", ".join(f"{len(part.y):,} {name}" for name, part in splits._asdict().items() if part is not None)
    way = "hand-derived backprop" if grad == "hand" else "autodiff"
    n = len(experiment.seeds)
    return f"{title}\n{experiment.dataset.name}: {sizes}\n{way}, {plural(n, 'seed')}, {where}"
