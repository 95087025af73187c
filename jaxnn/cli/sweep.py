"""`jaxnn sweep CONFIG`."""

import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from jaxnn.cli import device
from jaxnn.cli.command_line import COMMAND_LINE
from jaxnn.cli.interrupts import handle_signals
from jaxnn.cli.joined import check_joining, run_workers, threads_of
from jaxnn.cli.options import JoinOptions
from jaxnn.cli.progress import report
from jaxnn.cli.sweep_results import best_member_text, print_results
from jaxnn.cli.terminal import one_line, print_text, printable
from jaxnn.cli.training_arguments import Sweep

if TYPE_CHECKING:
    from jaxnn.engine.hooks import Progress as RunProgress
    from jaxnn.sweep.folder import Request
    from jaxnn.sweep.search import Searched


def run(command: Sweep, overrides: Sequence[str]) -> None:
    joining = command.joining
    if joining.status is not None:
        from jaxnn.cli.sweep_status import show

        show(joining.status)
        return
    check_joining(joining, command.out, overwrite=command.overwrite)
    from jaxnn.sweep.folder import SWEEP_FILE, JoinedFacts, Request, begin, claimed_path, join, resolve_source

    is_joined = joining.join is not None or joining.workers is not None
    threads = threads_of(joining, SWEEP_FILE) if is_joined else None
    # Who starts workers computes nothing, so it takes no memory of a GPU from them.
    kind = command.device if joining.workers is None else "cpu"
    where = device.select_device(kind, deterministic=command.deterministic, threads=threads)
    precision = precision_of(command.config, overrides)
    device.set_precision(precision)
    from jaxnn.runs.python_file import target_stem
    from jaxnn.sweep import check_sweep, parse_axes

    over, draw = list(command.over), list(command.draw)
    numbers = {
        name: getattr(command, name) for name in ("search", "seeds", "trials", "batch", "eta", "draw_seed", "keep")
    }
    check_sweep(command.config, parse_axes(over, draw), overrides, **numbers)
    source, overrides, experiment = resolve_source(command.config, overrides)
    facts = {
        "source": source,
        "overrides": list(overrides),
        "over": over,
        "draw": draw,
        "grad": command.grad,
        "precision": precision,
        "deterministic": command.deterministic,
        "command": [printable(word) for word in COMMAND_LINE.get()],
        "experiment": experiment,
        "joined": None if threads is None else JoinedFacts(part=joining.part, silence=joining.silence, threads=threads),
    }
    request = Request.model_validate(facts | numbers, strict=True)
    if joining.join is not None:
        join(joining.join, request)
        folder = joining.join
    else:
        with claimed_path(command.out, target_stem(command.config), overwrite=command.overwrite) as folder:
            begin(folder, request, overwrite=command.overwrite)
            if not is_joined:
                complete(folder, request, source, where, command.data_dir, command.json)
    if joining.workers is not None:
        work_here(joining, folder)
    if is_joined:
        complete(folder, request, source, where, command.data_dir, command.json)


def work_here(joining: JoinOptions, folder: Path) -> None:
    """Starts the workers of a sweep on this machine, and waits for the end of the sweep."""
    from jaxnn.cli.sweep_status import Status

    status = Status(folder)
    run_workers(joining, folder, status.finished, status.share)


def resume(folder: Path, data_dir: Path | None, where: str | None, json: Path | None) -> None:
    """Trains the members of a sweep that it has not trained, and writes its results."""
    from jaxnn.storage.locks import locked, remove_abandoned_lock
    from jaxnn.sweep.folder import read_facts, source_of

    facts = read_facts(folder)
    if facts.status == "finished":
        remove_abandoned_lock(folder)
        print_text(f"{folder} has finished: nothing is left to do")
        return
    request, joined = facts.request, facts.request.joined
    threads = None if joined is None else joined.threads
    device_name = device.select_device(where, deterministic=request.deterministic, threads=threads)
    device.set_precision(request.precision)
    source = source_of(folder, request)
    with locked(folder) if joined is None else nullcontext():
        complete(folder, request, source, device_name, data_dir, json)


def complete(
    folder: Path, request: "Request", source: str, where: str, data_dir: Path | None, json: Path | None
) -> None:
    """Runs a sweep to its end in its folder, which is locked or shared with other workers, and prints its table."""
    from jaxnn.sweep.folder import read_facts

    found = "" if read_facts(folder).status == "finished" else train(folder, request, source, where, data_dir)
    print_results(folder, request, json, found)


def train(folder: Path, request: "Request", source: str, where: str, data_dir: Path | None) -> str:
    """Trains the members of a sweep and writes its results, alone or with other workers.

    Returns what is to say of the best member; "" where another worker has written the results.
    """
    from jaxnn.storage.claims import Claims
    from jaxnn.storage.locks import remove_lock_file
    from jaxnn.sweep import conclude, parse_axes, search_space
    from jaxnn.sweep.folder import end_sharing, finish, read_facts, remove_leftovers
    from jaxnn.sweep.joined import CLAIMS
    from jaxnn.sweep.members import family
    from jaxnn.sweep.store import Joined, TrialStore
    from jaxnn.sweep.tables import member_rows

    print_text(f"{one_line(family(source, request.overrides).title)}\n{request.search} search, {where}")
    joined, before_exit = None, partial(remove_lock_file, folder)
    if request.joined is None:
        remove_leftovers(folder)
    else:
        claims = Claims(folder / CLAIMS, request.joined.silence)
        joined = Joined(claims, request.joined.part, lambda: report("waiting for the other workers"))
        before_exit = claims.free
    said: list[str] = []

    def report_members(at: str, now: "RunProgress") -> None:
        report(f"{at}, {now.done:,} of {now.evaluations:,} evaluations", now.done / now.evaluations)

    def write(searched: "Searched") -> None:
        result = conclude(searched, store, request.command)
        report("writing figures and the report")
        facts = {"metric": result.metric, "seeds": list(result.seeds), "seconds": result.seconds}
        finish(folder, result, member_rows(result), facts | {"command": shlex.join(request.command), "device": where})
        said.append(best_member_text(result))

    report("compiling")
    message = f"interrupted; what was trained is kept, `jaxnn resume {folder}` continues"
    with handle_signals(message) as stop, nullcontext() if joined is None else joined.claims.working():
        stop.before_exit = before_exit
        store = TrialStore(folder, joined=joined)
        searched = search_space(
            source,
            parse_axes(request.over, request.draw),
            request.overrides,
            search=request.search,
            seeds=request.seeds,
            trials=request.trials,
            batch=request.batch,
            eta=request.eta,
            draw_seed=request.draw_seed,
            data_dir=data_dir,
            grad=request.grad,
            store=store,
            keep=request.keep,
            report=report_members,
        )
        if joined is None:
            write(searched)
        else:
            joined.claims.work_through(
                ["results"],
                lambda piece: read_facts(folder).status == "finished",
                lambda piece: write(searched),
                wait=joined.wait,
            )
            end_sharing(folder, joined.claims)
    return "".join(said)


def precision_of(source: str, overrides: Sequence[str]) -> str:
    """The precision of a config, or of a run of one; that of an experiment in Python is float32."""
    from jaxnn.config import load
    from jaxnn.runs import folder as run_folder
    from jaxnn.runs.python_file import is_python_target

    if (Path(source) / run_folder.MANIFEST).is_file():
        return run_folder.read_manifest(Path(source))["precision"]
    return "float32" if is_python_target(source) else load(source, overrides).train.precision
