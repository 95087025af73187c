"""`jaxnn resume RUN`."""

from jaxnn.cli import device
from jaxnn.cli.arguments import Resume
from jaxnn.cli.interrupts import handle_signals
from jaxnn.cli.terminal import one_line, print_message, print_text, print_warning
from jaxnn.errors import UserError


def run(command: Resume) -> None:
    from jaxnn.runs import folder as run_folder
    from jaxnn.runs.manifest import environment_changes
    from jaxnn.runs.reopen import rebuild_experiment, same_data

    manifest = run_folder.read_manifest(command.run)
    if manifest["status"] == "finished":
        print_text(f"{command.run} has finished: nothing is left to do")
        return
    device.select_device(command.device, deterministic=bool(manifest.get("deterministic")))
    device.set_precision(manifest["precision"])

    from jaxnn.cli.execute import train_to_completion
    from jaxnn.runs.run import resume_recorder

    experiment = rebuild_experiment(command.run, manifest, command.data_dir, command.experiment)
    if not same_data(experiment, manifest):
        raise UserError(f"{command.run}: expected the data that it is trained on, found others; name their --data-dir")
    for line in environment_changes(manifest):
        print_warning(f"{line}; the result may differ from that of a run never stopped")
    recorder = resume_recorder(command.run, experiment, manifest, print_message)
    snapshot = recorder.resume_from
    place = "no checkpoint was saved: begins again" if snapshot is None else f"continues after step {snapshot.steps:,}"
    print_text(f"{one_line(experiment.title)}\n{place}")
    with handle_signals("interrupted; the run is as it was") as stop:
        train_to_completion(recorder, stop, command.json)
