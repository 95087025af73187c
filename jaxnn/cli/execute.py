"""Trains a run to completion in its folder and prints its scores; shared by `train` and `resume`."""

import signal
import time
from collections.abc import Sequence
from pathlib import Path

from jaxnn.cli.interrupts import Interrupted, StopRequest, handle_signals
from jaxnn.cli.processes import ProcessGroup
from jaxnn.cli.progress import report, report_training
from jaxnn.cli.tables import print_scores
from jaxnn.cli.terminal import print_text
from jaxnn.engine.driver import drive
from jaxnn.engine.snapshot import Snapshot
from jaxnn.experiment.definition import Experiment
from jaxnn.experiment.run import run
from jaxnn.processes.peers import Peers
from jaxnn.processes.together import following, leading, share_start
from jaxnn.report.cells import format_epochs
from jaxnn.runs.recorder import RunRecorder
from jaxnn.train.plan import Plan

#: Skipped steps that are listed one by one.
MAX_FAULTS = 5


def train_to_completion(recorder: RunRecorder, stop: StopRequest, json: Path | None, peers: Peers | None) -> None:
    """Trains, and writes the results into the run's folder. Raises `Interrupted` after a signal; all is saved.

    peers: the other processes that train the run, for which this one decides
    """
    experiment, start = recorder.experiment, time.perf_counter()
    with recorder:

        def save(snapshot: Snapshot) -> None:
            stop.can_save = True
            recorder.save_checkpoint(snapshot)

        stop.can_save = recorder.has_saved
        hooks = recorder.hooks(report_training(experiment.plan.eval_every), stop)._replace(save=save)
        if peers is not None:
            peers.before_exit = stop.before_exit
            hooks = leading(hooks, peers, stop)
            share_start(peers, experiment, recorder.start)
        result = run(experiment, hooks, recorder.start)
        report("writing figures and the report")
        stop.is_saving = True
        try:
            if stop.signal is not None:
                step = f"after step {result.outcome.steps:,}"
                raise Interrupted(
                    stop.signal, f"interrupted {step} and saved; `jaxnn resume {recorder.folder}` continues"
                )
            recorder.finish(result)
        except Interrupted as interrupted:
            recorder.interrupt(128 + interrupted.signal)
            raise
    manifest, outcome = recorder.manifest, result.outcome
    print_scores(f"{experiment.title}: best parameters", manifest["scores"], json, facts={"manifest": manifest})
    print_text(best_epoch_text(experiment.plan, manifest["best_epoch"]))
    for fault in outcome.faults[:MAX_FAULTS]:
        print_text(f"skipped: epoch {fault['epoch']}, step {fault['step']}: {fault['where']}")
    if len(outcome.faults) > MAX_FAULTS:
        print_text(f"skipped: {len(outcome.faults) - MAX_FAULTS} more steps, all in manifest.json")
    print_text(
        f"compiled in {outcome.compile_seconds:.1f} s, trained in {outcome.seconds:.1f} s, "
        f"{time.perf_counter() - start:.1f} s in all\n{recorder.folder / 'report.html'}"
    )


def follow(experiment: Experiment, group: ProcessGroup) -> None:
    """Trains as one of several processes of which another decides and writes. Raises `Interrupted` as that one does."""
    peers = group.peers
    assert peers is not None
    with handle_signals("interrupted; the run is as it was") as stop:
        start = share_start(peers, experiment, None)
        stop.can_save = True
        outcome = drive(experiment.job(), following(peers, stop), start)
        if not outcome.finished:
            number = stop.signal or peers.stop_signal or signal.SIGTERM
            raise Interrupted(number, f"interrupted after step {outcome.steps:,}; rank 0 saves the run")


def best_epoch_text(plan: Plan, best_epoch: Sequence[int]) -> str:
    """Which epochs have the best parameters, and by which rule."""
    rule = f"by {plan.best}" if plan.best_metric else "the last"
    if plan.best_metric not in ("", "loss"):
        rule += f"; of equal ones that with the lowest {plan.best_part}.loss, then the first"
    return f"best epoch: {format_epochs(best_epoch)} of {plan.epochs:,}, {rule}"
