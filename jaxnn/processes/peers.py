"""The processes of a run, once they have met: they agree on what they do next, and watch each other.

Rank 0 listens; every other rank holds one connection to it. Messages are lines of JSON. Each side says every second
that it lives. A process that is gone, or silent for too long, ends the others, each with one line that names it:
otherwise they would wait for its gradient for ever.
"""

import json
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from jaxnn.errors import UserError
from jaxnn.processes.cluster import PARENT, Place

#: The exit status of a process that lost another one: a temporary failure, which a restart mends.
LOST = 75
#: The exit status of a process that lost another one by a mistake of the user, which no restart mends.
MISTAKE = 2
#: Characters of a mistake that the other processes are told.
MISTAKE_LENGTH = 1000
#: Seconds from one sign of life to the next.
BEAT = 1.0
#: Seconds that rank 0 waits for the others to end.
GOODBYE = 5.0
#: Bytes of a message: a line is no longer.
MAX_MESSAGE = 1 << 20

Facts = Mapping[str, str]


class Connection:
    """Lines of JSON over a socket."""

    def __init__(self, link: socket.socket):
        self._socket, self._lock = link, threading.Lock()
        self._file = link.makefile("rb")

    def send(self, message: Mapping[str, Any]) -> None:
        """Sends a message. Raises `OSError` where the other side is gone."""
        with self._lock:
            self._socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, timeout: float | None) -> dict[str, Any] | None:
        """The next message; None where the other side is gone. Raises `TimeoutError` after so many seconds."""
        self._socket.settimeout(timeout)
        line = self._file.readline(MAX_MESSAGE)
        if not line.endswith(b"\n"):
            return None
        try:
            message = json.loads(line)
        except ValueError:
            return None
        return message if isinstance(message, dict) else None

    def close(self) -> None:
        """Closes it, also for a thread that reads."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._file.close()
        self._socket.close()


class Peers:
    """The other processes of a run, once all have met. Make it by `rendezvous.meet`.

    stop_signal: the number of a signal that asked some process to stop; None as long as none did
    """

    def __init__(self, place: Place, links: Mapping[int, Connection], names: Sequence[str], heartbeat: float):
        self.place: Place = place
        self.stop_signal: int | None = None
        #: What is called before this process ends because another one is gone.
        self.before_exit: Callable[[], object] = lambda: None
        self.heartbeat: float = heartbeat
        self._links, self._names = dict(links), tuple(names)
        self._decisions: queue.Queue[Any] = queue.Queue()
        self._facts: queue.Queue[tuple[int, Facts]] = queue.Queue()
        self._closed, self._watchers = threading.Event(), list[threading.Thread]()
        self._left: set[int] = set()
        self._say: Callable[[str], None] = lambda text: None

    def start(self, say: Callable[[str], None]) -> None:
        """Begins to watch the others. say(text): prints a line before this process ends."""
        self._say = say
        for rank, link in self._links.items():
            self._watchers.append(threading.Thread(target=self._watch, args=(rank, link), daemon=True))
            self._watchers[-1].start()
        threading.Thread(target=self._beat, daemon=True).start()

    def agree(self, value: Any) -> Any:
        """What rank 0 decides, as JSON; the others give up their own value."""
        if self.place.rank == 0:
            self._send_all({"decision": value})
            return value
        return self._decisions.get()

    def compare(self, facts: Facts, wait: float) -> None:
        """Compares the facts of all processes. Raises `UserError` for all where one differs from rank 0, named."""
        if self.place.rank:
            self._links[0].send({"facts": dict(facts)})
            problem = self.agree("")
        else:
            problem, deadline = "", time.monotonic() + wait
            for _ in self._links:
                try:
                    rank, found = self._facts.get(timeout=max(0.1, deadline - time.monotonic()))
                except queue.Empty:
                    problem = (
                        f"expected all {self.place.ranks} processes to load their data in {wait:g} seconds, found fewer"
                    )
                    break
                problem = problem or difference(self._names[rank], facts, found)
            self.agree(problem)
        if problem:
            raise UserError(problem)

    def stop(self, signal: int) -> None:
        """Asks rank 0 to stop the run."""
        self.stop_signal = self.stop_signal or signal
        if self.place.rank:
            with suppress(OSError):
                self._links[0].send({"stop": signal})

    def close(self, *, finished: bool, together: bool = True, mistake: str = "") -> None:
        """Takes leave of the others. Rank 0 goes last, because the others cannot do without it.

        finished: else the others end with an error
        together: whether JAX still waits for all at the end; else rank 0 waits until the others are gone
        mistake: of the user, which this process has found and the others may not have; "" for none
        """
        if self._closed.is_set():
            return
        if self.place.rank == 0:
            self._closed.set()
            self._send_all({"leave": finished, "mistake": mistake})
            for watcher in () if together else self._watchers:
                watcher.join(GOODBYE / len(self._watchers))
            return
        if finished:
            self._send_all({"leave": True})
            self._watchers[0].join()  # it ends when rank 0 has left
            self._closed.set()
        else:
            self._closed.set()
            self._send_all({"leave": False, "mistake": mistake})

    def _send_all(self, message: Mapping[str, Any]) -> None:
        for link in self._links.values():
            with suppress(OSError):  # whoever watches the connection says that it is gone
                link.send(message)

    def _beat(self) -> None:
        parent = os.environ.get(PARENT)
        while not self._closed.wait(BEAT):
            self._send_all({"alive": True})
            if parent is not None and str(os.getppid()) != parent:
                self._lose("the process that started it is gone")

    def _watch(self, rank: int, link: Connection) -> None:
        """Reads what another process says, until it leaves."""
        try:
            self._read(rank, link)
        finally:
            link.close()

    def _read(self, rank: int, link: Connection) -> None:
        while True:
            try:
                message = link.receive(self.heartbeat)
            except TimeoutError:
                message, why = None, f"has said nothing for {self.heartbeat:g} seconds"
            except (OSError, ValueError):
                message, why = None, "is gone"
            else:
                why = "is gone"
            if message is None and (self._closed.is_set() or rank in self._left):
                return
            if message is None:
                self._lose(f"{self._names[rank]} {why}")
            elif "lost" in message:
                self._lose(str(message["lost"]), int(message["status"]))
            elif "leave" in message:
                # Most mistakes are those of all processes: each says its own, and ends by itself.
                if not message["leave"] and not self._closed.wait(2 * BEAT):
                    error, mistake = f"{self._names[rank]} has ended with an error", message.get("mistake")
                    self._lose(*((f"{error}: {mistake}", MISTAKE) if mistake else (error, LOST)))
                self._left.add(rank)
                if self.place.rank:
                    return
            elif "decision" in message:
                self._decisions.put(message["decision"])
            elif "facts" in message:
                self._facts.put((rank, message["facts"]))
            elif "stop" in message:
                self.stop_signal = self.stop_signal or int(message["stop"])

    def _lose(self, what: str, status: int = LOST) -> NoReturn:
        """Ends this process because another one is gone. The main thread may be inside a collective operation."""
        if not self._closed.is_set():
            self._closed.set()
            if self.place.rank == 0:
                self._send_all({"lost": what, "status": status})
            for last in (lambda: self._say(f"{what}; this process ends"), self.before_exit):
                with suppress(Exception):  # whoever reads the output may be gone, too
                    last()
        os._exit(status)


def difference(name: str, expected: Facts, found: Facts) -> str:
    """The first fact in which a process differs from rank 0, in words; "" for none."""
    for fact in sorted(expected.keys() | found.keys()):
        if expected.get(fact) != found.get(fact):
            return (
                f"{name}: expected the same {fact} as rank 0, {expected.get(fact, 'none')}, found "
                f"{found.get(fact, 'none')}"
            )
    return ""
