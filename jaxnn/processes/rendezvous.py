"""How the processes of a run find each other before JAX starts, and compare what they are."""

import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NoReturn

from jaxnn.errors import UserError
from jaxnn.processes.cluster import Place, is_loopback
from jaxnn.processes.peers import Connection, Facts, Peers, difference

#: Seconds between two lines that say who is missing.
REPORT = 10.0


def meet(place: Place, facts: Facts, *, wait: float, heartbeat: float, say: Callable[[str], None]) -> Peers:
    """Waits for all processes of a run and compares what they are to do.

    facts: by name, what must be the same for all, such as the SHA-256 of the data
    say(text): prints a line about who is missing
    Raises `UserError` within about `wait` seconds, which names the process that is missing or differs.
    """
    deadline = time.monotonic() + wait
    hello = {"rank": place.rank, "ranks": place.ranks, "host": socket.gethostname(), "facts": dict(facts)}
    if place.rank == 0:
        return _gather(place, hello, deadline, heartbeat, say)
    return _join(place, hello, deadline, heartbeat)


def _join(place: Place, hello: Mapping[str, Any], deadline: float, heartbeat: float) -> Peers:
    where = f"rank 0 at {place.host}:{place.port}"
    link: socket.socket | None = None
    while link is None:
        try:
            link = socket.create_connection((place.host, place.port), timeout=max(0.1, deadline - time.monotonic()))
        except OSError as error:
            if time.monotonic() + 0.2 > deadline:
                raise UserError(
                    f"rank {place.rank}: expected {where}, found none: {error.strerror or error}; start it, or name "
                    "its address by --rendezvous HOST:PORT"
                ) from error
            time.sleep(0.2)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = Connection(link)
    connection.send(hello)
    answer = None
    with suppress(OSError):
        # Rank 0 answers at its own deadline at the latest.
        answer = connection.receive(max(1.0, deadline - time.monotonic() + 1))
    if answer is None or "refused" in answer:
        connection.close()
        reason = f"rank {place.rank}: {where} has not answered" if answer is None else str(answer["refused"])
        raise UserError(reason)
    return Peers(place, {0: connection}, answer["names"], heartbeat)


def _gather(
    place: Place, hello: Mapping[str, Any], deadline: float, heartbeat: float, say: Callable[[str], None]
) -> Peers:
    links: dict[int, Connection] = {}
    hellos: dict[int, Mapping[str, Any]] = {0: hello}
    # Other hosts reach it only where there are any.
    address = "127.0.0.1" if is_loopback(place.host) else ""
    try:
        server = socket.create_server((address, place.port), backlog=place.ranks)
    except OSError as error:
        raise UserError(
            f"rank 0: expected port {place.port} to be free, found it taken ({error.strerror}): another rank 0, or "
            "another program; name another by --rendezvous HOST:PORT"
        ) from error
    with server:
        said = time.monotonic()
        while len(hellos) < place.ranks:
            now = time.monotonic()
            missing = ", ".join(str(rank) for rank in range(place.ranks) if rank not in hellos)
            if now > deadline:
                problem = f"expected {place.ranks} processes, found no rank {missing} in time"
                _refuse(links, f"{problem}; start all, or wait longer with --wait")
            if now - said > REPORT:
                said = now
                say(f"waiting for rank {missing}")
            server.settimeout(min(0.2, max(0.01, deadline - now)))
            try:
                link, _ = server.accept()
            except TimeoutError:
                continue
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(link)
            message = None
            with suppress(OSError):
                message = connection.receive(5)
            rank = message.get("rank") if message else None
            if not message or not isinstance(rank, int) or not isinstance(message.get("facts"), dict):
                connection.close()  # not one of ours
                continue
            problem = _problem(hello, message, hellos)
            if problem:
                links[-1] = connection
                _refuse(links, problem)
            links[rank], hellos[rank] = connection, message
    names = [f"rank {rank} on {hellos[rank]['host']}" for rank in range(place.ranks)]
    for link in links.values():
        with suppress(OSError):
            link.send({"names": names})
    return Peers(place, links, names, heartbeat)


def _refuse(links: Mapping[int, Connection], problem: str) -> NoReturn:
    for link in links.values():
        with suppress(OSError):
            link.send({"refused": problem})
        link.close()
    raise UserError(problem)


def _problem(first: Mapping[str, Any], other: Mapping[str, Any], known: Mapping[int, Mapping[str, Any]]) -> str:
    """What is wrong with a process, beside rank 0 and those that came before; "" for nothing."""
    rank, ranks = other["rank"], first["ranks"]
    name = f"rank {rank} on {other.get('host')}"
    if other.get("ranks") != ranks or not 0 < rank < ranks:
        return f"{name}: expected one of {ranks} processes, as rank 0 has it, found rank {rank} of {other.get('ranks')}"
    if rank in known:
        return f"{name}: expected each rank once, found another rank {rank} on {known[rank]['host']}"
    return difference(name, first["facts"], other["facts"])
