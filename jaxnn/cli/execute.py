"""Trains a run to completion in its folder and prints its scores; shared by `train` and `resume`."""

import time
from pathlib import Path

from rich.console import Console

from jaxnn.cli.interrupts import Leaving, Left
from jaxnn.cli.progress import bar
from jaxnn.cli.tables import show
from jaxnn.engine.snapshot import Snapshot
from jaxnn.experiment.run import run
from jaxnn.runs.recorder import RunRecorder


def train_to_completion(recorder: RunRecorder, leaving: Leaving, console: Console, json: Path | None) -> None:
    """Trains, and writes the results into the run's folder. Raises `Left` when stopped by a signal, with all saved."""
    experiment, start = recorder.experiment, time.perf_counter()
    with recorder:

        def save(snapshot: Snapshot) -> None:
            leaving.begun = True
            recorder.save_checkpoint(snapshot)

        leaving.begun = recorder.resume_from is not None
        with bar(console, experiment.plan.eval_every) as report:
            hooks = recorder.hooks(report, leaving)._replace(save=save)
            result = run(experiment, hooks, recorder.resume_from)
        leaving.finishing = True
        try:
            if leaving.signal is not None:
                step = f"after step {result.outcome.steps:,}"
                raise Left(leaving.signal, f"interrupted {step} and saved; `jaxnn resume {recorder.folder}` continues")
            recorder.finish(result)
        except Left as left:
            recorder.interrupt(128 + left.signal)
            raise
    manifest, outcome = recorder.manifest, result.outcome
    show(f"{experiment.title}: best parameters", manifest["scores"], json, manifest=manifest)
    for fault in outcome.faults[:5]:
        console.print(f"skipped: epoch {fault['epoch']}, step {fault['step']}: {fault['where']}", highlight=False)
    console.print(
        f"compiled in {outcome.compile_seconds:.1f} s, trained in {outcome.seconds:.1f} s, "
        f"{time.perf_counter() - start:.1f} s in all\n{recorder.folder / 'report.html'}",
        highlight=False,
        soft_wrap=True,
    )
