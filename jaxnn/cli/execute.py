"""A run from where it stands to its end, in its folder: what `train` and `resume` have in common."""

import time
from pathlib import Path

from rich.console import Console

from jaxnn.cli.interrupts import Interrupted, StopRequest
from jaxnn.cli.progress import progress_bar
from jaxnn.cli.tables import print_table
from jaxnn.engine.snapshot import Snapshot
from jaxnn.experiment import results
from jaxnn.report import figures as run_figures
from jaxnn.report.run_page import write_page
from jaxnn.report.score_table import score_rows
from jaxnn.runs import folder as run_folder
from jaxnn.runs.manifest import now
from jaxnn.runs.recorder import Keeper


def go(
    keeper: Keeper, leaving: StopRequest, console: Console, json: Path | None, begun: Snapshot | None = None
) -> None:
    """Trains on, and writes what a finished run's folder holds. Raises `Interrupted` after a signal; all is saved."""
    experiment, facts, start = keeper.experiment, keeper.facts, time.perf_counter()
    with keeper:
        care = keeper.care()

        def keep(snapshot: Snapshot) -> None:
            leaving.can_save = True
            care.keep(snapshot)

        leaving.can_save = begun is not None
        with progress_bar(console, experiment.plan.record_every) as report:
            result = results.run(
                experiment, grad=facts["grad"], report=report, begun=begun, care=care._replace(keep=keep)
            )
        leaving.is_saving = True
        try:
            if leaving.signal is not None:
                at = f"after step {result.outcome.steps:,}"
                left = f"interrupted {at} and saved; `jaxnn resume {keeper.folder}` goes on"
                raise Interrupted(leaving.signal, left)
            finish(keeper, result)
        except Interrupted as left:
            keeper.note(status="interrupted", exit_status=128 + left.signal, end=now())
            raise
    config, outcome = experiment.config, result.outcome
    print_table(f"{config.title}: best parameters", facts["scores"], json, facts={"manifest": facts})
    for fault in outcome.faults[:5]:
        console.print(f"passed over: epoch {fault['epoch']}, step {fault['step']}: {fault['where']}", highlight=False)
    console.print(
        f"compiled in {outcome.compile_seconds:.1f} s, trained in {outcome.seconds:.1f} s, "
        f"all in {time.perf_counter() - start:.1f} s\n{keeper.folder / 'report.html'}",
        highlight=False,
        soft_wrap=True,
    )


def finish(keeper: Keeper, result: results.Result) -> None:
    """Writes weights, history, figures and report, and last the manifest, which says that the run has finished."""
    folder, experiment, outcome = keeper.folder, keeper.experiment, result.outcome
    state = outcome.state
    run_folder.refuse_link(folder / "figures")
    stats = run_folder.stack(experiment.stats)
    run_folder.save_weights(folder / "best.safetensors", state.best.params, stats)
    run_folder.save_weights(folder / "last.safetensors", state.params, stats)
    run_folder.write_history(folder / "history.csv", experiment, outcome.history)
    best_epoch = [int(epoch) for epoch in state.best.epoch]
    history = run_folder.read_history(folder)
    figures = run_figures.save_pictures(
        folder / "figures", run_figures.pictures(experiment, state.best.params, history, best_epoch)
    )
    keeper.facts |= {
        "epochs": [int(epoch) for epoch in state.epoch],
        "best_epoch": best_epoch,
        "scores": score_rows(experiment, result.scores),
        "faults": list(outcome.faults),
        "seconds": {"compile": outcome.compile_seconds, "train": outcome.seconds},
        "end": now(),
        "exit_status": 0,
        "status": "finished",
    }
    keeper.facts.pop("error", None)
    write_page(folder, experiment.config, keeper.facts, figures)
    keeper.note(run_folder.files(folder))
