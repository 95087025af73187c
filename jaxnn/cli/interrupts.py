"""Being told to leave, by SIGINT or SIGTERM: at once while there is nothing to save, else after the present chunk."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Left(Exception):
    """The run was told to leave, and is saved; the door exits with 128 + `signal`."""

    def __init__(self, signal: int, message: str):
        super().__init__(message)
        self.signal = signal


class Leaving:
    """Whether this process was told to leave.

    begun: whether there is a run to save; until then a signal ends the process at once
    finishing: whether the run is saved already; from then on a signal raises `Left`
    """

    def __init__(self, before: str):
        self.signal: int | None = None
        self.begun = self.finishing = False
        self._before = before

    def __call__(self) -> bool:
        return self.signal is not None

    def note(self, number: int, frame: object) -> None:
        del frame
        if self.finishing:
            raise Left(number, "interrupted; everything is saved, `jaxnn resume` ends the run")

    def watch(self, pipe: int) -> None:
        """Reads the numbers of signals as they arrive: the main thread may be compiling, and deaf."""
        while number := os.read(pipe, 1)[0]:
            if number not in SIGNALS:
                continue
            if self.signal is not None or not self.begun:
                self._exit(number, self._before if not self.begun else "left at once")
            self.signal = number
            if not self.finishing:
                print("\njaxnn: saving at the end of this chunk; once more leaves at once", file=sys.stderr, flush=True)

    def _exit(self, number: int, said: str) -> None:
        # The cursor, which a progress bar hides.
        show = "\x1b[?25h" if sys.stderr.isatty() else ""
        print(f"{show}\njaxnn: {said}", file=sys.stderr, flush=True)
        os._exit(128 + number)


@contextmanager
def listening(before: str = "interrupted; nothing was written") -> Iterator[Leaving]:
    """Notes signals while the block runs; `before` is said of one that comes before there is a run to save."""
    leaving = Leaving(before)
    if threading.current_thread() is not threading.main_thread():
        yield leaving
        return
    read, write = os.pipe()
    os.set_blocking(write, False)
    wakeup = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    old = {number: signal.signal(number, leaving.note) for number in SIGNALS}
    watcher = threading.Thread(target=leaving.watch, args=(read,), daemon=True)
    watcher.start()
    try:
        yield leaving
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        os.write(write, b"\0")
        watcher.join()
        os.close(read)
        os.close(write)
