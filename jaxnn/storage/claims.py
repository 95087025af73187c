"""Pieces of work that processes on several machines share over a folder, without file locks.

FOLDER/PIECE.0      the first claim of a piece of work; its content says who made it
FOLDER/PIECE.1      the claim of another worker, who took the piece over because the first was silent

A claim is made by exclusive creation, so one worker alone makes it. Its worker touches it again and again. A claim that
has not been touched for some time is stale, by the clock of the file server: the time of a file that is touched now.
A piece is taken over by the next claim of it, which again one worker alone can make; no claim is ever removed or
renamed. So a worker that was stopped for a while finds that it was overtaken. `flock` is not used: many network file
systems do not have it.
"""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from jaxnn.errors import UserError
from jaxnn.storage.files import write_error

#: A claim is touched so many times in the time after which it would be stale.
TOUCHES = 4
#: The longest time between two looks at what the others do, in seconds.
MOST_SECONDS_BETWEEN_LOOKS = 2.0


class OvertakenError(UserError):
    """Another worker has taken over a piece of work, because this one was silent for too long."""


class Claim(NamedTuple):
    """The newest claim of a piece. silence: seconds since it was touched; host, pid: of its worker, if known."""

    piece: str
    silence: float
    host: str = "?"
    pid: int = 0


class Claims:
    """The claims of this process in a shared folder, which must exist.

    silence: seconds without a touch after which a claim is stale; the same for all workers
    """

    def __init__(self, folder: Path, silence: float):
        self.folder: Path = folder
        self.silence: float = silence
        #: The name of this worker, which no other has.
        self.worker: str = f"{socket.gethostname()}-{os.getpid()}-{os.urandom(4).hex()}"
        self._clock = folder / f"clock-{self.worker}"
        self._held: dict[str, int] = {}
        self._ended = threading.Event()

    @contextmanager
    def working(self) -> Iterator[None]:
        """While active, the claims of this process are touched. At the end, they are free for others at once."""
        thread = threading.Thread(target=self._touch_held, name="heartbeat", daemon=True)
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise write_error(self.folder, error) from error
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()
            self.free()

    def free(self) -> None:
        """Makes what this process has claimed free for others at once."""
        for piece in list(self._held):
            self.leave(piece)

    def take(self, piece: str) -> bool:
        """Claims a piece that nobody works on. False where somebody does."""
        newest = self._newest(piece)
        if newest is not None and not self._is_stale(piece, newest):
            return False
        number = 0 if newest is None else newest + 1
        content = json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode()
        try:
            descriptor = os.open(self._file(piece, number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            return False
        except FileNotFoundError:  # the work has ended, and its folder was removed
            return False
        except OSError as error:
            raise write_error(self._file(piece, number), error) from error
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        self._held[piece] = number
        return True

    def leave(self, piece: str) -> None:
        """Gives up a piece, which is done or which others may have: its claim is as old as can be."""
        number = self._held.pop(piece)
        with suppress(OSError):
            os.utime(self._file(piece, number), (0, 0))

    def is_overtaken(self) -> bool:
        """Whether another worker has taken over a piece that this one holds."""
        return any(self._file(piece, number + 1).exists() for piece, number in list(self._held.items()))

    def work_through(
        self,
        pieces: Sequence[str],
        is_done: Callable[[str], bool],
        work: Callable[[str], None],
        preferred: Callable[[str], int] = lambda piece: 0,
        wait: Callable[[], None] = lambda: None,
    ) -> None:
        """Does what nobody else does, piece by piece, until all pieces are done, by this worker or by others.

        preferred(piece) -> a sorting key: pieces with the least are tried first
        wait(): called from time to time while the others work on all that is left
        An error of this worker counts for nothing where another has taken the piece over.
        """
        left = list(pieces)
        while left := [piece for piece in left if not is_done(piece)]:
            taken = next((piece for piece in sorted(left, key=preferred) if self.take(piece)), None)
            if taken is None:
                wait()
                self._ended.wait(min(MOST_SECONDS_BETWEEN_LOOKS, self.silence / TOUCHES))
                continue
            # Between the look and the claim, another worker may have done it.
            try:
                if not is_done(taken):
                    work(taken)
            except UserError:
                if not self.is_overtaken():
                    raise
            self.leave(taken)

    def living(self) -> list[Claim]:
        """The claims whose workers are not silent, for a view of the work."""
        if not self.folder.is_dir():
            return []
        newest: dict[str, int] = {}
        for path in self.folder.glob("*.*"):
            piece, _, number = path.name.rpartition(".")
            if number.isdigit():
                newest[piece] = max(int(number), newest.get(piece, 0))
        found = []
        now = self.now()
        for piece, number in sorted(newest.items()):
            with suppress(OSError, ValueError):
                says = json.loads(self._file(piece, number).read_text() or "{}")
                silence = now - _touched(self._file(piece, number))
                found.append(Claim(piece, silence, str(says.get("host", "?")), int(says.get("pid", 0))))
        return [claim for claim in found if claim.silence <= self.silence]

    def now(self) -> float:
        """The time by the clock of the file server, in seconds."""
        self._clock.touch()
        try:
            return _touched(self._clock)
        finally:
            self._clock.unlink(missing_ok=True)

    def _file(self, piece: str, number: int) -> Path:
        return self.folder / f"{piece}.{number}"

    def _newest(self, piece: str) -> int | None:
        """The number of the newest claim of a piece; None without one."""
        number = None
        while self._file(piece, 0 if number is None else number + 1).exists():
            number = 0 if number is None else number + 1
        return number

    def _is_stale(self, piece: str, number: int) -> bool:
        try:
            return self.now() - _touched(self._file(piece, number)) > self.silence
        except FileNotFoundError:
            return False

    def _touch_held(self) -> None:
        while not self._ended.wait(self.silence / TOUCHES):
            for piece, number in list(self._held.items()):
                with suppress(OSError):
                    os.utime(self._file(piece, number))


def _touched(path: Path) -> float:
    """When a file was touched. It is opened, because a network file system then asks its server."""
    with path.open("rb") as file:
        return os.fstat(file.fileno()).st_mtime
