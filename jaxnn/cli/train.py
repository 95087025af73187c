"""`jaxnn train [CONFIG | FILE.py:NAME]`."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from jaxnn.cli.command_line import COMMAND_LINE
from jaxnn.cli.interrupts import handle_signals
from jaxnn.cli.named_experiment import find_experiment, header
from jaxnn.cli.options import UNSHARED
from jaxnn.cli.processes import ProcessGroup, launched
from jaxnn.cli.progress import report
from jaxnn.cli.terminal import print_text
from jaxnn.cli.training_arguments import Train

if TYPE_CHECKING:
    from jaxnn.experiment.definition import Experiment


def run(command: Train, overrides: Sequence[str]) -> None:
    if command.joining != UNSHARED:
        from jaxnn.cli import joined_train

        status = command.joining.status
        joined_train.run(command, overrides) if status is None else joined_train.show(status)
        return
    if launched(command.sharing):
        return
    group = ProcessGroup(command.sharing)
    with group.joined():
        report("reading the data")
        named = find_experiment(command, overrides)
        group.compare(named.facts)
        where = group.select_device(command.device, deterministic=command.deterministic, in_order=named.in_order)
        experiment = named.build().on_devices(group.all_devices)
        group.compare_experiments(experiment)
        train(command, experiment, named.name, where, group)


def train(command: Train, experiment: "Experiment", name: str, where: str, group: ProcessGroup) -> None:
    """Trains the experiment, alone or with other processes, of which one writes the run."""
    from jaxnn.cli.execute import follow, train_to_completion
    from jaxnn.runs import folder as run_folder
    from jaxnn.runs.continuation import continuation
    from jaxnn.runs.manifest import make_manifest, now
    from jaxnn.runs.run import new_recorder
    from jaxnn.storage.locks import remove_lock_file
    from jaxnn.sweep.folder import best_run

    start = now()
    origin = None if command.from_run is None else continuation(experiment, best_run(command.from_run))
    if not group.is_rank_zero:
        follow(experiment, group)
        return
    print_text(header(experiment, where))
    if origin is not None:
        print_text(origin.message)
    manifest = make_manifest(experiment, command=COMMAND_LINE.get(), start=start)
    claim = run_folder.claimed_path(command.out, name, overwrite=command.overwrite)
    with handle_signals() as stop, claim as folder:
        stop.before_exit = partial(remove_lock_file, folder)
        group.tell_folder(folder)
        recorder = new_recorder(folder, experiment, manifest, origin, overwrite=command.overwrite)
        train_to_completion(recorder, stop, command.json, group.peers)
