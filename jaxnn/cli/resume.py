"""`jaxnn resume RUN`."""

import sys

from rich.console import Console

from jaxnn.cli import device
from jaxnn.cli.arguments import Resume
from jaxnn.cli.interrupts import handle_signals
from jaxnn.errors import UserError


def run(command: Resume) -> None:
    from jaxnn.config.experiment import first_state
    from jaxnn.runs import checkpoints
    from jaxnn.runs import folder as run_folder
    from jaxnn.runs.reopen import differences, experiment_of

    manifest = run_folder.read_manifest(command.run)
    if manifest["status"] == "finished":
        print(f"{command.run} has finished: nothing is left to do")
        return
    device.select_device(command.device, deterministic=bool(manifest.get("deterministic")))
    device.set_precision(manifest["precision"])

    from jaxnn.cli.execute import go
    from jaxnn.runs.recorder import Keeper

    for line in differences(manifest):
        print(f"jaxnn: warning: {line}; the result may differ from that of a run never stopped", file=sys.stderr)
    experiment, same = experiment_of(command.run, manifest, command.data_dir)
    if not same:
        raise UserError(f"{command.run}: expected the data that it is trained on, found others; name their --data-dir")
    said: list[str] = []
    begun = None
    # A run that was killed before its first checkpoint has taken no step: it begins again.
    if checkpoints.paths(command.run):
        begun = checkpoints.newest(command.run, first_state(experiment, manifest["grad"]), said.append)
    for line in said:
        print(f"jaxnn: {line}", file=sys.stderr)
    console = Console()
    where = "no checkpoint was kept: begins again" if begun is None else f"goes on after step {begun.steps:,}"
    console.print(f"{experiment.config.title}\n{where}", highlight=False)
    with handle_signals("interrupted; the run is as it was") as leaving:
        keeper = Keeper(command.run, experiment, manifest, begun=begun, overwrite=begun is None, leave=leaving)
        go(keeper, leaving, console, command.json, begun)
