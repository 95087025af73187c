"""`jaxnn resume RUN`."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from jaxnn.cli import device
from jaxnn.cli.interrupts import handle_signals
from jaxnn.cli.processes import ProcessGroup, launched
from jaxnn.cli.terminal import one_line, print_message, print_text, print_warning
from jaxnn.cli.training_arguments import Resume

if TYPE_CHECKING:
    from jaxnn.experiment.definition import Experiment


def run(command: Resume, overrides: Sequence[str]) -> None:
    from jaxnn.cli import sweep
    from jaxnn.runs import folder as run_folder
    from jaxnn.runs.reopen import rebuild_experiment
    from jaxnn.storage.locks import remove_abandoned_lock
    from jaxnn.sweep.folder import is_sweep

    if is_sweep(command.run):
        sweep.resume(command.run, command.data_dir, command.device, command.json)
        return
    manifest = run_folder.read_manifest(command.run)
    if manifest["status"] == "finished":
        # The process may have been killed after its last write, before it removed its lock.
        remove_abandoned_lock(command.run)
        print_text(f"{command.run} has finished: nothing is left to do")
        return
    if launched(command.sharing):
        return
    sharing = manifest.get("sharing", {})
    group = ProcessGroup(command.sharing, sharing.get("devices", 1))
    with group.joined():
        # What each of them checks its own data against, once JAX has started.
        group.compare(
            lambda: {
                "config": str(manifest.get("config_sha256", "none")),
                "data": str(manifest["data"]["sha256"]),
                "seeds": str(manifest["seeds"]),
            }
        )
        in_order = sharing.get("parts") is not None
        group.select_device(command.device, deterministic=bool(manifest.get("deterministic")), in_order=in_order)
        device.set_precision(manifest["precision"])

        from jaxnn.cli.execute import follow

        experiment = rebuild_experiment(command.run, manifest, command.data_dir, command.experiment, overrides)
        experiment = experiment.on_devices(group.all_devices)
        group.compare_experiments(experiment)
        if group.is_rank_zero:
            _resume(command, manifest, experiment, group)
        else:
            follow(experiment, group)


def _resume(command: Resume, manifest: dict[str, Any], experiment: "Experiment", group: ProcessGroup) -> None:
    from jaxnn.cli.execute import train_to_completion
    from jaxnn.runs import folder as run_folder
    from jaxnn.runs.manifest import environment_changes
    from jaxnn.runs.run import resume_recorder
    from jaxnn.storage.locks import locked, remove_lock_file

    for line in environment_changes(manifest):
        print_warning(f"{line}; the result may differ from that of a run never stopped")
    with handle_signals("interrupted; the run is as it was") as stop, locked(command.run):
        # Read again under the lock: another process may have trained on.
        manifest = run_folder.read_manifest(command.run)
        if "experiment" in experiment.record.facts:
            # The file may be another one than before.
            manifest["experiment"] = experiment.record.facts["experiment"]
        recorder = resume_recorder(command.run, experiment, manifest, print_message)
        place = "no checkpoint is left: begins again"
        if recorder.start is not None:
            place = f"continues after step {recorder.start.steps:,}"
        print_text(f"{one_line(experiment.title)}\n{place}")
        stop.before_exit = partial(remove_lock_file, command.run)
        train_to_completion(recorder, stop, command.json, group.peers)
