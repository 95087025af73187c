"""What a command is doing, on standard error: a bar on a terminal, and a line now and then in a file or a pipe."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from jaxnn.cli import terminal

if TYPE_CHECKING:
    from rich.progress import Progress

    from jaxnn.engine.hooks import Progress as RunProgress

#: Seconds until a terminal shows a bar, and until another stream gets its first line.
BAR_DELAY, LINE_DELAY = 0.5, 5.0
#: The longest pause between two lines, in seconds. Before, each pause is as long as all time until then.
LONGEST_PAUSE = 60.0
#: Seconds between two drawings of the bar.
TICK = 0.25


class Activity:
    """What the running command is doing, drawn by a thread of its own, because the main thread may be compiling."""

    def __init__(self, name: str):
        self._text, self._share = name, 0.0
        self._start = self._phase_start = time.monotonic()
        self._next_line = LINE_DELAY
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._bar: Progress | None = None

    def report(self, text: str, share: float = 0.0) -> None:
        """Says what is being done now, and which share of it is done; 0 where that is not known."""
        with self._lock:
            if share < self._share or share == 0:
                self._phase_start = time.monotonic()
            self._text, self._share = text, share

    def line(self) -> str:
        """The activity in one line: "laws of conv, 3 of 40, 12 s, about 1 min left"."""
        now = time.monotonic()
        text = f"{self._text}, {duration_text(now - self._start)}"
        if 0 < self._share < 1:
            text += f", about {duration_text((now - self._phase_start) / self._share * (1 - self._share))} left"
        return text

    def run(self) -> None:
        """Draws until `end`."""
        is_terminal = sys.stderr.isatty()
        while not self._ended.wait(TICK):
            with suppress(OSError, ValueError), terminal.exclusive():  # a stream that is closed or full is no error
                self._draw_bar() if is_terminal else self._print_line()

    def end(self) -> None:
        """Ends the drawing and removes the bar."""
        self._ended.set()
        self.hide()

    def hide(self) -> None:
        """Removes the bar, until it is drawn again."""
        with self._lock:
            if self._bar is not None:
                with suppress(OSError, ValueError):
                    self._bar.stop()
                self._bar = None

    def _draw_bar(self) -> None:
        with self._lock:
            if self._ended.is_set() or time.monotonic() - self._start < BAR_DELAY:
                return
            if self._bar is None:
                from rich.console import Console
                from rich.progress import BarColumn, Progress, TextColumn

                console = Console(stderr=True, markup=False, highlight=False, emoji=False)
                columns = (BarColumn(bar_width=20), TextColumn("{task.description}", markup=False))
                self._bar = Progress(*columns, console=console, transient=True, auto_refresh=False)
                self._bar.add_task("", total=None)
                self._bar.start()
            task = self._bar.task_ids[0]
            text, total = terminal.printable(self.line(), self._bar.console.encoding), 1 if self._share else None
            self._bar.update(task, description=text, completed=self._share, total=total, refresh=True)

    def _print_line(self) -> None:
        elapsed = time.monotonic() - self._start
        if elapsed >= self._next_line:
            self._next_line = elapsed + min(elapsed, LONGEST_PAUSE)
            terminal.print_message(self.line())


def duration_text(seconds: float) -> str:
    """ "12 s", "3 min", "2.5 h" or "3 days"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 172_800:
        return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:,.0f} days"


@contextmanager
def activity(name: str) -> Iterator[Activity]:
    """Shows on standard error, while the block runs, that the command `name` is at work."""
    shown = Activity(name)
    thread = threading.Thread(target=shown.run, daemon=True)
    _running.append(shown)
    with terminal.hiding(shown.hide):
        thread.start()
        try:
            yield shown
        finally:
            shown.end()
            thread.join()
            _running.remove(shown)


_running: list[Activity] = []


def report(text: str, share: float = 0.0) -> None:
    """Says what the running command is doing; see `Activity.report`."""
    for shown in _running[-1:]:
        shown.report(text, share)


def say_no_more() -> None:
    """Ends what is shown of the running command, whose own output, such as a page, shows that it is at work."""
    for shown in _running[-1:]:
        shown.end()


def announce(text: str) -> None:
    """Says on standard error, before a long command, what it does and how long that takes."""
    terminal.print_message(text)


def report_training(unit: int, name: str = "") -> Callable[["RunProgress"], None]:
    """A function that reports how far a training is; an evaluation comes every `unit` epochs."""
    prefix = f"{name}, " if name else ""
    report(f"{prefix}compiling")

    def report_epochs(now: "RunProgress") -> None:
        epochs = f"epoch {now.done * unit:,}/{now.evaluations * unit:,}"
        report("  ".join([f"{prefix}{epochs}", latest_metrics(now)]), now.done / now.evaluations)

    return report_epochs


def latest_metrics(progress: "RunProgress") -> str:
    """The newest row of the history, the mean over the seeds."""
    import numpy as np  # here, because every command imports this module, also `jaxnn --help`

    parts = []
    for part, metrics in progress.history._asdict().items():
        values = {name: float(np.mean(metrics[name])) for name in sorted(metrics, key=lambda n: (n != "loss", n))}
        texts = [f"{v:.2%}" if name == "accuracy" else f"{v:.4f}" for name, v in values.items() if not np.isnan(v)]
        parts += [" ".join([part, *texts])] if texts else []
    return "  ".join(parts)
