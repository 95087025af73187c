"""`jaxnn train CONFIG --seeds N --join DIR`: the seeds of a run are shared with other workers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jaxnn.cli import device
from jaxnn.cli.command_line import COMMAND_LINE
from jaxnn.cli.interrupts import handle_signals
from jaxnn.cli.joined import check_joining, run_workers, show_status, threads_of
from jaxnn.cli.named_experiment import find_experiment, header
from jaxnn.cli.options import ALONE
from jaxnn.cli.progress import report, report_training
from jaxnn.cli.terminal import print_text, printable
from jaxnn.cli.training_arguments import Train
from jaxnn.errors import UserError, plural

if TYPE_CHECKING:
    from jaxnn.experiment.definition import Experiment


def run(command: Train, overrides: Sequence[str]) -> None:
    from jaxnn.runs.manifest import comparable_facts, machine_facts
    from jaxnn.sweep.joined_seeds import JOINED, is_finished, join, share_done

    joining = command.joining
    check_joining(joining, command.out, overwrite=command.overwrite)
    if command.sharing != ALONE:
        raise UserError("--join: expected each worker to train alone, found options of devices that share a batch")
    if command.from_run is not None:
        raise UserError("--join: expected a run from its first step, found --from; leave one of them out")
    threads = threads_of(joining, JOINED)
    kind = command.device if joining.workers is None else "cpu"
    report("reading the data")
    named = find_experiment(command, overrides)
    where = device.select_device(kind, deterministic=command.deterministic, threads=threads)
    experiment = named.build()
    if experiment.plan.on_nonfinite == "rollback":
        raise UserError("--join: expected train.on_nonfinite = 'stop', 'skip' or 'ignore', found rollback")
    chosen = {"part": joining.part, "silence": joining.silence, "threads": threads}
    facts = comparable_facts(experiment) | {k: str(v) for k, v in machine_facts().items()}
    words = [printable(word) for word in COMMAND_LINE.get()]
    if joining.join is not None:
        folder = joining.join
        join(folder, chosen, facts, words)
    else:
        from jaxnn.runs.folder import claimed_path

        with claimed_path(command.out, named.name, overwrite=command.overwrite) as folder:
            join(folder, chosen, facts, words)
    if not is_finished(folder):
        print_text(header(experiment, where))
        if joining.workers is None:
            train(folder, experiment, command, words)
        else:
            count = len(experiment.seeds)
            run_workers(joining, folder, lambda: is_finished(folder), lambda: share_done(folder, count, joining.part))
    print_results(folder, experiment, command.json)


def train(folder: Path, experiment: "Experiment", command: Train, words: list[str]) -> None:
    """Trains what the other workers do not, until the run of all seeds is there."""
    from jaxnn.storage.claims import Claims
    from jaxnn.sweep.joined import CLAIMS
    from jaxnn.sweep.joined_seeds import train_seeds_together

    claims = Claims(folder / CLAIMS, command.joining.silence)
    with handle_signals("interrupted; what was trained is kept, and the same command goes on") as stop:
        stop.before_exit = claims.free
        with claims.working():
            train_seeds_together(
                folder,
                experiment,
                claims,
                command.joining.part,
                words,
                report_training(experiment.plan.eval_every),
                lambda: report("waiting for the other workers"),
            )


def print_results(folder: Path, experiment: "Experiment", json: Path | None) -> None:
    """Prints the scores of the run of all seeds."""
    from jaxnn.cli.execute import best_epoch_text
    from jaxnn.cli.tables import print_scores
    from jaxnn.runs.folder import read_manifest

    manifest = read_manifest(folder)
    print_scores(f"{experiment.title}: best parameters", manifest["scores"], json, facts={"manifest": manifest})
    print_text(best_epoch_text(experiment.plan, manifest["best_epoch"]))
    print_text(f"trained in {manifest['seconds']['train']:.1f} s by all workers together\n{folder / 'report.html'}")


def show(folder: Path) -> None:
    """Prints how far a run is whose seeds are shared; on a terminal again and again until it has finished."""
    from jaxnn.runs.folder import read_manifest
    from jaxnn.storage.claims import Claims
    from jaxnn.storage.files import read_checksummed_json
    from jaxnn.sweep.joined import CLAIMS
    from jaxnn.sweep.joined_seeds import JOINED, is_finished, share_done

    if not (folder / JOINED).is_file():
        raise UserError(f"{folder}: expected the folder of a run whose seeds are shared (--join DIR), found none there")
    request = read_checksummed_json(folder / JOINED)["request"]
    count, chosen = request["facts"]["seeds"].count(",") + 1, request["joined"]
    claims = Claims(folder / CLAIMS, chosen["silence"])

    def lines() -> list[str]:
        if is_finished(folder):
            return [f"{read_manifest(folder)['title']}: {plural(count, 'seed')}, finished"]
        living = claims.living()
        workers = plural(len({(claim.host, claim.pid) for claim in living}), "worker")
        shown = [f"{share_done(folder, count, chosen['part']):.0%} of {plural(count, 'seed')}, {workers}"]
        for claim in living:
            shown.append(f"  {claim.host}, process {claim.pid}: trains {claim.piece}, heard {claim.silence:.0f} s ago")
        return shown

    show_status(lines, lambda: is_finished(folder))
