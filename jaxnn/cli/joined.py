"""Work that several processes share over a folder: starts workers here, and shows how far they are."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from jaxnn.cli.command_line import COMMAND_LINE
from jaxnn.cli.device import usable_cpus
from jaxnn.cli.interrupts import SIGNALS
from jaxnn.cli.options import JoinOptions
from jaxnn.cli.processes import split_options
from jaxnn.cli.progress import report
from jaxnn.cli.terminal import print_message, print_text
from jaxnn.errors import UserError, plural
from jaxnn.storage.files import read_checksummed_json

#: The options that a worker is not given, each with a value.
OWN_OPTIONS = ("--workers", "--join", "--out", "--json")
#: Seconds between two looks at the workers.
LOOK = 0.2
#: Seconds between two drawings of a view on a terminal.
REDRAW = 2.0


def check_joining(options: JoinOptions, out: Path | None, *, overwrite: bool) -> None:
    """Raises `UserError` for options that contradict each other, and for numbers that cannot be."""
    for name in ("workers", "part"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UserError(f"--{name}: expected at least 1, found {value}")
    if not options.silence > 0:
        raise UserError(f"--silence: expected more than 0 seconds, found {options.silence}")
    if options.join is None and options.workers is None:
        if options.part is not None:
            raise UserError(
                "--part: expected --join DIR or --workers N, between whom the work is shared, found neither"
            )
        return
    if options.join is not None and (out is not None or overwrite):
        raise UserError("--join: expected no --out and no --overwrite, found one: the folder to join is that of --join")


def threads_of(options: JoinOptions, marker: str) -> int:
    """Threads that each worker on a CPU computes with: as the first one has chosen, or this machine's cores by worker.

    marker: the sealed file in the folder that says what the workers have in common
    """
    if options.join is not None and (options.join / marker).is_file():
        facts = read_checksummed_json(options.join / marker)
        threads = ((facts.get("request") or {}).get("joined") or {}).get("threads")
        if isinstance(threads, int) and threads > 0:
            return threads
    return max(1, usable_cpus() // (options.workers or 1))


def run_workers(options: JoinOptions, folder: Path, finished: Callable[[], bool], share: Callable[[], float]) -> None:
    """Starts workers that do the command's work in a folder, and waits until it is done or all of them have ended.

    finished() -> whether the work is done; share() -> how much of it is, 0 … 1
    Raises `SystemExit` after a signal, and `UserError` where the workers have ended before the work was done.
    """
    assert options.workers is not None
    words, _ = split_options(COMMAND_LINE.get()[1:], OWN_OPTIONS)
    words = [word for word in words if word != "--overwrite"]
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    each = max(1, usable_cpus() // options.workers)

    def start(number: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "jaxnn", *words, "--join", str(folder)]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if cpus:
            # Each worker computes on its own cores; it reads which as it starts.
            first = number * each % len(cpus)
            with suppress(OSError):
                os.sched_setaffinity(child.pid, cpus[first : first + each])
        return child

    stopped: list[int] = []

    def stop(number: int, frame: object) -> None:
        stopped.append(number)

    previous = {number: signal.signal(number, stop) for number in SIGNALS}
    children = [start(number) for number in range(options.workers)]
    try:
        while any(child.poll() is None for child in children) and not stopped:
            report(plural(options.workers, "worker"), share())
            time.sleep(LOOK)
        for child in children:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        said = [child.communicate()[1].decode(errors="replace").strip().splitlines() for child in children]
    finally:
        for child in children:
            if child.poll() is None:
                child.kill()
        for number, handler in previous.items():
            signal.signal(number, handler)
    if stopped:
        print_message(f"interrupted; what was trained is kept in {folder}, and the same command goes on")
        sys.exit(128 + stopped[0])
    if finished():
        return
    errors = dict.fromkeys(lines[-1].removeprefix("jaxnn: ") for lines in said if lines)
    ended = ", ".join(str(child.returncode) for child in children)
    raise UserError("; ".join(errors) or f"{folder}: the workers have ended before the work, with exit status {ended}")


def show_status(lines: Callable[[], Sequence[str]], finished: Callable[[], bool]) -> None:
    """Prints how far shared work is: once, or on a terminal again and again until it is done."""
    if not sys.stdout.isatty():
        print_text("\n".join(lines()))
        return
    from rich.live import Live
    from rich.text import Text

    with Live(Text(""), refresh_per_second=4) as live, suppress(KeyboardInterrupt):
        while True:
            live.update(Text("\n".join(lines())), refresh=True)
            if finished():
                return
            time.sleep(REDRAW)
