"""Runs the systems of a quick reproduction in several processes.

A quick run mostly traces and compiles, and of the threads of a process only one at a time can trace.
"""

import contextlib
import functools
import multiprocessing
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxnn.cli import device
from jaxnn.cli.library_arguments import Reproduce
from jaxnn.errors import UserError

if TYPE_CHECKING:
    from jaxnn.course import System, SystemResult
    from jaxnn.course.session import CourseSession, Draw
    from jaxnn.report import Picture

#: Processes at most, as each takes a gigabyte, and the systems from which on a helper is worth its start.
MAX_PROCESSES, LEAST_SYSTEMS = 4, 4

#: Draws the figures of a system, and saves them. Raises `UserError`, as on a full disk.
SaveFigures = Callable[[], "Sequence[Picture]"]
#: Waits for the result of a system, and returns it with what saves its figures. Raises what its run raised.
GetResult = Callable[[], tuple["SystemResult", SaveFigures]]


class Outcome(NamedTuple):
    """What came of a system, in a form that one process sends to another."""

    result: "SystemResult | UserError"
    pictures: "Sequence[Picture] | UserError" = ()

    def get(self) -> tuple["SystemResult", SaveFigures]:
        """The result, and a function that returns the pictures; each raises its error."""
        return _given(self.result), functools.partial(_given, self.pictures)


def _given(value: Any) -> Any:
    if isinstance(value, UserError):
        raise value
    return value


class HelperEndedError(Exception):
    """A helper has ended before its work, as where memory is short."""


class Helper:
    """Another process that runs systems of a reproduction.

    It imports JAX as soon as it starts, and takes no device until `begin`.
    """

    def __init__(self, command: Reproduce):
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process: Any = context.Process(target=serve, args=(theirs, command), daemon=True)
        self._process.start()
        theirs.close()

    def begin(self, figures: Path) -> None:
        """Makes it ready for systems. figures: the folder of the pictures"""
        with contextlib.suppress(OSError):  # `run` finds out that it has ended
            self._connection.send(figures)

    def run(self, systems: Sequence["System"]) -> list[Outcome]:
        """What comes of the systems. Raises `HelperEndedError`, and what is no `UserError` as it was raised there."""
        try:
            self._connection.send(systems)
            answer, caught = self._connection.recv()
        except (EOFError, OSError) as error:
            raise HelperEndedError from error
        for warning in caught:
            warnings.showwarning(*warning)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self) -> None:
        """Ends the process, whatever it does."""
        self._process.kill()
        self._process.join()
        self._connection.close()


@contextlib.contextmanager
def started_helpers(command: Reproduce, systems: int) -> Iterator[list[Helper]]:
    """The helpers of a reproduction of so many systems, which end with the block: a process for each core, with ours.

    A full run has none, because its times are measurements.
    """
    is_shared = command.quick and systems >= LEAST_SYSTEMS
    count = min(device.usable_cpus(), MAX_PROCESSES) - 1 if is_shared else 0
    helpers = [Helper(command) for _ in range(count)]
    try:
        yield helpers
    finally:
        for helper in helpers:
            helper.end()


def serve(connection: Connection, command: Reproduce) -> None:
    """What a helper does: it answers with what comes of the systems that it is sent, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C of the terminal reaches both; the other process decides
    from jaxnn.cli.compilation_cache import enable_compilation_cache
    from jaxnn.cli.main import rare_collections, warnings_as_lines

    if command.cache:
        enable_compilation_cache()
    from jaxnn.course.budget import QUICK
    from jaxnn.course.session import CourseSession

    with rare_collections(), warnings_as_lines(), contextlib.suppress(EOFError, OSError):
        figures = connection.recv()
        device.select_device(command.device, fast_compile=True)
        session = CourseSession(QUICK, command.seeds, command.data_dir)
        while True:
            systems = connection.recv()
            with warnings.catch_warnings(record=True) as caught:
                try:
                    answer = run_group(session, figures, systems)
                except Exception as error:
                    error.add_note("".join(traceback.format_exception(error)))  # a traceback cannot be sent
                    answer = error
            connection.send((answer, [(w.message, w.category, w.filename, w.lineno) for w in caught]))


def run_system(session: "CourseSession", figures: Path, system: "System") -> tuple["SystemResult", SaveFigures]:
    """The result of a system, and a function that saves its pictures in the folder `figures`. Raises `UserError`."""
    result, draw = session.run(system)
    return result, functools.partial(save_figures, figures, system, draw)


def run_group(session: "CourseSession", figures: Path, systems: Sequence["System"]) -> list[Outcome]:
    """What comes of systems, whose pictures are saved in the folder `figures`."""
    outcomes = []
    for system in systems:
        try:
            result, save = run_system(session, figures, system)
        except UserError as error:
            outcomes.append(Outcome(UserError(str(error))))  # an error of a class of its own may not survive the way
            continue
        try:
            outcomes.append(Outcome(result, save()))
        except UserError as error:
            outcomes.append(Outcome(result, UserError(str(error))))
    return outcomes


def run_shared(
    session: "CourseSession", figures: Path, systems: Sequence["System"], helpers: Sequence[Helper]
) -> Iterator[GetResult]:
    """Runs the systems here and in the helpers. For each, in their order, a function that waits for its result."""
    from jaxnn.course.session import shared_runs

    runners: SimpleQueue[Callable[[Sequence[System]], list[Outcome]]] = SimpleQueue()
    has_ended = Event()
    runners.put(functools.partial(run_group, session, figures))
    for helper in helpers:
        helper.begin(figures)
        runners.put(helper.run)

    def run_somewhere(group: Sequence["System"]) -> list[Outcome]:
        runner, is_alive = runners.get(), True
        try:
            return runner(group)
        except HelperEndedError:
            is_alive = False
            if has_ended.is_set():
                raise
        finally:
            if is_alive:
                runners.put(runner)
        return run_somewhere(group)

    pool = ThreadPoolExecutor(1 + len(helpers))
    try:
        waiting = {}
        for group in shared_runs(systems):
            future = pool.submit(run_somewhere, group)
            waiting |= {system: (future, place) for place, system in enumerate(group)}
        for system in systems:
            future, place = waiting.pop(system)
            yield lambda future=future, place=place: future.result()[place].get()
    finally:
        has_ended.set()
        pool.shutdown(wait=False, cancel_futures=True)


def save_figures(folder: Path, system: "System", draw: "Draw") -> "list[Picture]":
    """Draws the figures of a system, and saves them under names that begin with its id."""
    from jaxnn.report.figures import drawn, save_figures

    prefix = f"{system.id}_{system.config or system.study}"

    def figures():
        for figure in draw():
            yield figure._replace(name=f"{prefix}_{figure.name}", title=f"{system.id} {figure.title}")

    # The numbers of hours of training are worth more than a picture.
    return save_figures(folder, drawn(system.id, figures()))
