"""Handles SIGINT and SIGTERM: exits at once if there is nothing to save, otherwise after the current chunk of steps."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from jaxnn.cli.terminal import print_message

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """A signal ended the run, and the run is saved. The command line exits with 128 + `signal`."""

    def __init__(self, signal: int, message: str):
        super().__init__(message)
        self.signal = signal


class StopRequest:
    """Whether a signal has asked this process to stop. Call it to ask.

    can_save: whether there is a run to save; until then a signal ends the process at once, with `nothing_saved`
    is_saving: whether training has ended and its results are being written; from then on a signal raises `Interrupted`
    before_exit: what is called before the process ends at once
    """

    def __init__(self, nothing_saved: str):
        self.signal: int | None = None
        self.can_save = self.is_saving = False
        self.before_exit: Callable[[], object] = lambda: None
        self._nothing_saved = nothing_saved

    def __call__(self) -> bool:
        return self.signal is not None

    def handle(self, number: int, frame: object) -> None:
        """The signal handler. Python runs it in the main thread, between two of its instructions."""
        del frame
        if self.is_saving:
            raise Interrupted(number, "interrupted; every step is saved, `jaxnn resume` writes the results")

    def watch(self, signals: socket.socket) -> None:
        """Reads signal numbers as they arrive, in a thread: the main thread may be compiling and run no handler."""
        while number := signals.recv(1)[0]:
            if number not in SIGNALS:
                continue
            if not self.can_save:
                self._exit(number, self._nothing_saved)
            if self.signal is not None:
                self._exit(number, "stopped at once")
            self.signal = number
            if not self.is_saving:
                message = "saving after the current steps; press Ctrl-C or send the signal again to stop at once"
                print_message(message)

    def _exit(self, number: int, message: str) -> None:
        print_message(message)
        self.before_exit()
        os._exit(128 + number)


@contextmanager
def handle_signals(nothing_saved: str = "interrupted; nothing was written") -> Iterator[StopRequest]:
    """Handles signals while the block runs; `nothing_saved` is printed for a signal before there is a run to save."""
    request = StopRequest(nothing_saved)
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    # Sockets and not a pipe, because Windows wakes only sockets.
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    previous_fd = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    previous = {number: signal.signal(number, request.handle) for number in SIGNALS}
    watcher = threading.Thread(target=request.watch, args=(reader,), daemon=True)
    watcher.start()
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(previous_fd)
        writer.send(b"\0")
        watcher.join()
        reader.close()
        writer.close()
