"""`jaxnn reproduce [ID…]`: runs the systems of the course, or the records, and reports their numbers and figures."""

import contextlib
import functools
import os
import shlex
import time
from collections.abc import Generator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxnn.cli import device
from jaxnn.cli.command_line import COMMAND_LINE
from jaxnn.cli.library_arguments import Reproduce
from jaxnn.cli.progress import announce, report
from jaxnn.cli.reproduced_rows import result_json, result_rows, row_of
from jaxnn.cli.reproduction_processes import GetResult, Helper, run_shared, run_system, started_helpers
from jaxnn.cli.tables import print_table
from jaxnn.cli.terminal import one_line, print_text, printable
from jaxnn.errors import UserError
from jaxnn.report.cells import format_cell
from jaxnn.storage.files import atomic_write, json_bytes
from jaxnn.storage.locks import claimed

if TYPE_CHECKING:
    from jaxnn.course import System
    from jaxnn.course.session import CourseSession

#: The file by which the folder of a reproduction is recognised.
RESULTS = "results.json"
#: XLA flags for programs that run only briefly: its older CPU code generator compiles a third faster, and a program in
#: one piece takes less than 32 pieces, which several processes have no cores for.
FAST_COMPILE = ("--xla_cpu_use_fusion_emitters=false", "--xla_cpu_parallel_codegen_split_count=1")


def run(command: Reproduce) -> None:
    from jaxnn.course.generative_systems import GENERATIVE
    from jaxnn.course.systems import RECORDS, SEQUENCES, SYSTEMS, select_systems

    # Without ids: the systems of the lectures. What goes on from there is run where it is asked for.
    known = RECORDS if command.records else (*SYSTEMS, *SEQUENCES, *GENERATIVE) if command.ids else SYSTEMS
    systems = select_systems(command.ids, known)
    if command.quick:
        set_quick_environment()
    # The helpers import JAX while this process does.
    with started_helpers(command, len(systems)) as helpers:
        from jaxnn.experiment.seeds import seed_range

        if command.seeds is not None:
            seed_range(0, command.seeds)
        device_name = device.select_device(command.device, fast_compile=command.quick)
        from jaxnn.course.budget import FULL, QUICK
        from jaxnn.course.session import CourseSession

        if not command.ids:
            announce(f"{len(systems)} systems take {duration_of(command)}")
        session = CourseSession(QUICK if command.quick else FULL, command.seeds, command.data_dir)
        with claimed(command.out, "reproduce", kind="reproduction", marker=RESULTS, overwrite=True) as folder:
            run_systems(command, systems, session, folder, device_name, helpers)


def run_systems(
    command: Reproduce,
    systems: Sequence["System"],
    session: "CourseSession",
    folder: Path,
    device_name: str,
    helpers: Sequence[Helper],
) -> None:
    """Runs the systems, and writes their table, figures and report into a folder. Raises `UserError` for one that
    cannot run, after all others have."""
    start_time = time.perf_counter()
    folder.mkdir(exist_ok=True)
    atomic_write(folder / RESULTS, b"[]\n")  # a reproduction that was interrupted is recognised, too
    make_row = row_of(systems)
    rows: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    figures: list[Any] = []
    failures: list[str] = []
    runnable = [system for system in systems if session.can_run(system)]
    with contextlib.closing(results_in_order(session, folder / "figures", runnable, helpers)) as results_of_runnable:
        for i, system in enumerate(systems):
            print_text(f"{system.id} {one_line(system.title)} …")
            report(f"{system.id} {system.title}, {i + 1} of {len(systems)}", i / len(systems))
            if system not in runnable:
                rows.append(make_row(system, None, "not run: it takes hours on a CPU; use --device gpu", 0, 0.0))
                continue
            try:
                result, save = next(results_of_runnable)()
            except UserError as error:
                failures.append(f"{system.id} {system.config}: {error}")
                rows.append(make_row(system, None, str(error), 0, 0.0))
                continue
            rows += result_rows(result, make_row)
            results.append(result_json(result))
            atomic_write(folder / RESULTS, json_bytes(results))  # kept where a later system ends the process
            try:
                figures += save()
            except UserError as error:  # such as a full disk
                failures.append(f"the figures of {system.id} {system.title}: {error}")
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
    # Several threads of LAPACK wait in a loop for the next matrix to factor, and take the core of another process.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    flags = os.environ.get("XLA_FLAGS", "").split()
    # XLA ends the process at an unknown flag, so they are set only for the versions that have them.
    if metadata.version("jaxlib").startswith("0.10."):
        os.environ["XLA_FLAGS"] = " ".join([*flags, *(flag for flag in FAST_COMPILE if flag not in flags)])


def results_in_order(
    session: "CourseSession", figures: Path, systems: Sequence["System"], helpers: Sequence[Helper]
) -> Generator[GetResult]:
    """For each system, a function that returns its result and a function that saves its pictures in a folder.

    With helpers on a CPU the systems run side by side; on a GPU they would share its memory. Otherwise each runs when
    its result is asked for, so that nothing else runs while it is timed.
    """
    import jax

    if helpers and jax.default_backend() == "cpu":
        yield from run_shared(session, figures, systems, helpers)
    else:
        yield from (functools.partial(run_system, session, figures, system) for system in systems)


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
