"""`jaxnn train [CONFIG]`."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from jaxnn.cli import device
from jaxnn.cli.arguments import Train
from jaxnn.cli.progress import bar
from jaxnn.cli.scores import score_rows
from jaxnn.cli.tables import show, write_json
from jaxnn.files import write_whole


def run(command: Train, overrides: Sequence[str]) -> None:
    from jaxnn.config import dump, load

    for name in ("seeds", "seed"):
        if getattr(command, name) is not None:
            overrides = [*overrides, f"train.{name}={getattr(command, name)}"]
    where = device.start(command.device)
    config = load(command.config, overrides)
    device.allow(config.train.precision)

    from jaxnn import experiment as experiments
    from jaxnn import run_folder
    from jaxnn.cli import pictures
    from jaxnn.cli.pages import write_page
    from jaxnn.manifest import manifest, now

    start, began = now(), time.perf_counter()
    folder = run_folder.place(command.out, Path(command.config).stem, overwrite=command.overwrite)
    seeds = range(config.train.seed, config.train.seed + config.train.seeds)
    experiment = experiments.make_experiment(config, data_dir=command.data_dir, seeds=seeds)
    console = Console()
    console.print(header(config.title, experiment, where, command.grad), highlight=False)
    with bar(console, experiment.plan.record_every) as report:
        result = experiments.run(experiment, grad=command.grad, report=report)

    outcome, state = result.outcome, result.outcome.state
    rows = score_rows(experiment, result.scores)
    facts: dict[str, Any] = manifest(experiment, grad=command.grad, command=("jaxnn", *sys.argv[1:]), start=start)
    facts |= {
        "epochs": [int(epoch) for epoch in state.epoch],
        "best_epoch": [int(epoch) for epoch in state.best.epoch],
        "scores": rows,
        "seconds": {"compile": outcome.compile_seconds, "train": outcome.seconds},
    }
    with run_folder.building(folder) as beside:
        write_whole(beside / "config.toml", dump(config).encode())
        stats = run_folder.stack(experiment.stats)
        run_folder.save_weights(beside / "best.safetensors", state.best.params, stats)
        run_folder.save_weights(beside / "last.safetensors", state.params, stats)
        run_folder.write_history(beside / "history.csv", experiment, outcome.history)
        history = run_folder.read_history(beside)
        drawn = pictures.pictures(experiment, state.best.params, history, facts["best_epoch"])
        figures = pictures.save_pictures(beside / "figures", drawn)
        facts |= {"end": now(), "exit_status": 0}
        write_json(beside / run_folder.MANIFEST, facts)
        write_page(beside, config, facts, figures)
    show(f"{config.title}: best parameters", rows, command.json, manifest=facts)
    console.print(
        f"compiled in {outcome.compile_seconds:.1f} s, trained in {outcome.seconds:.1f} s, "
        f"all in {time.perf_counter() - began:.1f} s\n{folder / 'report.html'}",
        highlight=False,
        soft_wrap=True,
    )


def header(title: str, experiment: Any, where: str, grad: str) -> str:
    """What is about to run, in a few lines."""
    splits = experiment.splits[0]
    sizes = ", ".join(f"{len(part.y):,} {name}" for name, part in splits._asdict().items() if part is not None)
    way = "hand-derived backprop" if grad == "hand" else "autodiff"
    n = len(experiment.seeds)
    return f"{title}\n{experiment.dataset.name}: {sizes}\n{way}, {n} seed{'s'[: n > 1]}, {where}"
