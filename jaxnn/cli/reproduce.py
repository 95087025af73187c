"""`jaxnn reproduce [ID…]`: runs the systems of the course, or the records, and reports their numbers and figures."""

import functools
import os
import shlex
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxnn.cli import device
from jaxnn.cli.command_line import COMMAND_LINE
from jaxnn.cli.library_arguments import Reproduce
from jaxnn.cli.progress import announce, report
from jaxnn.cli.reproduced_rows import result_json, result_rows, row_of
from jaxnn.cli.tables import print_table
from jaxnn.cli.terminal import one_line, print_text, printable
from jaxnn.errors import UserError
from jaxnn.experiment.seeds import seed_range
from jaxnn.report.cells import format_cell
from jaxnn.storage.files import atomic_write, json_bytes
from jaxnn.storage.locks import claimed

if TYPE_CHECKING:
    from jaxnn.course import System, SystemResult
    from jaxnn.course.session import CourseSession, Draw

#: The file by which the folder of a reproduction is recognised.
RESULTS = "results.json"
#: XLA flags for programs that run only briefly: its older CPU code generator compiles a third faster, and a program in
#: one piece takes less than 32 pieces, which two systems at a time have no cores for.
FAST_COMPILE = ("--xla_cpu_use_fusion_emitters=false", "--xla_cpu_parallel_codegen_split_count=1")
#: Waits for a system's result; raises what its run raised.
GetResult = Callable[[], tuple["SystemResult", "Draw"]]


def run(command: Reproduce) -> None:
    if command.seeds is not None:
        seed_range(0, command.seeds)
    from jaxnn.course.generative_systems import GENERATIVE
    from jaxnn.course.systems import RECORDS, SEQUENCES, SYSTEMS, select_systems

    if command.quick:
        set_quick_environment()
    device_name = device.select_device(command.device, fast_compile=command.quick)
    # Without ids: the systems of the lectures. What goes on from there is run where it is asked for.
    known = RECORDS if command.records else (*SYSTEMS, *SEQUENCES, *GENERATIVE) if command.ids else SYSTEMS
    systems = select_systems(command.ids, known)
    from jaxnn.course.budget import FULL, QUICK
    from jaxnn.course.session import CourseSession

    if not command.ids:
        announce(f"{len(systems)} systems take {duration_of(command)}")
    session = CourseSession(QUICK if command.quick else FULL, command.seeds, command.data_dir)
    with claimed(command.out, "reproduce", kind="reproduction", marker=RESULTS, overwrite=True) as folder:
        run_systems(command, systems, session, folder, device_name)


def run_systems(
    command: Reproduce, systems: Sequence["System"], session: "CourseSession", folder: Path, device_name: str
) -> None:
    """Runs the systems, and writes their table, figures and report into a folder. Raises `UserError` for one that
    cannot run, after all others have."""
    start_time = time.perf_counter()
    folder.mkdir(exist_ok=True)
    atomic_write(folder / RESULTS, b"[]\n")  # a reproduction that was interrupted is recognised, too
    run_all = run_two_at_a_time if command.quick else run_sequentially
    make_row = row_of(systems)
    rows: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    drawings: list[tuple[str, Future[list[Any]]]] = []
    figures: list[Any] = []
    failures: list[str] = []
    # One thread draws the figures of a system while the next one runs: a figure takes a core for a second.
    with ThreadPoolExecutor(1) as drawing:
        runnable = [system for system in systems if session.can_run(system)]
        results_in_order = run_all(session, runnable)
        for i, system in enumerate(systems):
            print_text(f"{system.id} {one_line(system.title)} …")
            report(f"{system.id} {system.title}, {i + 1} of {len(systems)}", i / len(systems))
            if system not in runnable:
                rows.append(make_row(system, None, "not run: it takes hours on a CPU; use --device gpu", 0, 0.0))
                continue
            try:
                result, draw = next(results_in_order)()
            except UserError as error:
                failures.append(f"{system.id} {system.config}: {error}")
                rows.append(make_row(system, None, str(error), 0, 0.0))
                continue
            rows += result_rows(result, make_row)
            results.append(result_json(result))
            atomic_write(folder / RESULTS, json_bytes(results))  # kept where a later system ends the process
            drawings.append(
                (f"{system.id} {system.title}", drawing.submit(save_figures, folder / "figures", system, draw))
            )
        report("drawing figures")
        for name, future in drawings:
            try:
                figures += future.result()
            except UserError as error:  # such as a full disk
                failures.append(f"the figures of {name}: {error}")
    seconds = time.perf_counter() - start_time
    title = ("Records on MNIST" if command.records else "The course, reproduced") + (
        " (quick: its numbers prove nothing)" if command.quick else ""
    )
    machine = {"device": device_name, "seconds": seconds, "quick": command.quick}
    print_table(title, rows, command.json, facts={"systems": results, **machine})
    write_report(folder, title, rows, figures, machine)
    print_text(f"all in {seconds:.0f} s\n{folder / 'report.html'}")
    if failures:
        raise UserError("not reproduced: " + "; ".join(failures))


def duration_of(command: Reproduce) -> str:
    """What all systems take on two cores."""
    if command.quick:
        return "about half a minute"
    return "hours" if command.records else "about 20 minutes"


def set_quick_environment() -> None:
    """Makes XLA compile faster, to slower code, and LAPACK use one thread. To be called before JAX starts."""
    # Several threads of LAPACK wait in a loop for the next matrix to factor, and take the core of the other system.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    flags = os.environ.get("XLA_FLAGS", "").split()
    # XLA ends the process at an unknown flag, so they are set only for the versions that have them.
    if metadata.version("jaxlib").startswith("0.10."):
        os.environ["XLA_FLAGS"] = " ".join([*flags, *(flag for flag in FAST_COMPILE if flag not in flags)])


def run_sequentially(session: "CourseSession", systems: Sequence["System"]) -> Iterator[GetResult]:
    """Runs each system when its result is asked for, so that nothing else runs while it is timed."""
    yield from (functools.partial(session.run, system) for system in systems)


def run_two_at_a_time(session: "CourseSession", systems: Sequence["System"]) -> Iterator[GetResult]:
    """Runs two systems at a time. A quick run mostly compiles, on one core, and its time is not a measurement."""
    with ThreadPoolExecutor(2) as pool:
        futures = deque(pool.submit(session.run, system) for system in systems)
        while futures:  # each future is dropped after use, and the data of its run with it
            yield futures.popleft().result


def save_figures(folder: Path, system: "System", draw: "Draw") -> list[Any]:
    """Draws and saves the figures of a system under names that begin with its id."""
    from jaxnn.report.figures import drawn, save_figures

    prefix = f"{system.id}_{system.config or system.study}"

    def figures():
        for figure in draw():
            yield figure._replace(name=f"{prefix}_{figure.name}", title=f"{system.id} {figure.title}")

    # The numbers of hours of training are worth more than a picture.
    return save_figures(folder, drawn(system.id, figures()))


def write_report(
    folder: Path,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    figures: Sequence[Any],
    machine: Mapping[str, Any],
) -> None:
    """Writes report.html."""
    from jaxnn.report import Table, write_report

    systems = {next(iter(row.values())).split()[0] for row in rows}
    write_report(
        folder / "report.html",
        title=title,
        command=printable(shlex.join(COMMAND_LINE.get())),
        summary_rows=[("systems", str(len(systems))), ("seconds", f"{machine['seconds']:.0f}")],
        tables=[Table(title, list(rows[0]), [[format_cell(value) for value in row.values()] for row in rows])],
        figures=figures,
        config_text="each system's config: jaxnn configs",
        manifest=machine,
        links=["results.json"],
    )
