"""Processes find each other, name whoever is missing or differs, and notice who is gone. On loopback alone."""

import socket
import threading
import time
from contextlib import suppress

import pytest

from jaxnn.cli.processes import split_options
from jaxnn.errors import UserError
from jaxnn.processes.cluster import (
    RANK,
    RANKS,
    RENDEZVOUS,
    Place,
    find_place,
    first_host,
    free_port,
    is_loopback,
    job_port,
)
from jaxnn.processes.peers import Peers, difference
from jaxnn.processes.rendezvous import meet

FACTS = {"version of jaxlib": "0.10.2", "platform": "cpu"}


def met(facts, ranks=None, wait=5.0):
    """What `meet` gives or raises for processes with these facts, in threads; a fact of None leaves a rank out."""
    port, outcomes = free_port("127.0.0.1"), {}
    ranks = ranks or range(len(facts))

    def process(i, rank):
        place = Place(rank, len(facts), "127.0.0.1", port)
        try:
            outcomes[i] = meet(place, facts[i], wait=wait, heartbeat=2, say=lambda text: None)
        except UserError as error:
            outcomes[i] = str(error)

    threads = [threading.Thread(target=process, args=(i, rank)) for i, rank in enumerate(ranks) if facts[i] is not None]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(wait + 5)
    return outcomes


def leave(peers):
    """All take leave; rank 0 goes last."""
    threads = [threading.Thread(target=peers[i].close, kwargs={"finished": True}) for i in peers if i]
    for thread in threads:
        thread.start()
    peers[0].close(finished=True)
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    for watcher in peers[0]._watchers:  # they close the connections
        watcher.join(5)


def test_processes_that_are_alike_meet_and_agree():
    peers = met([FACTS] * 3)
    assert all(isinstance(peer, Peers) for peer in peers.values())
    for peer in peers.values():
        peer.start(lambda text: None)
    agreed = {}
    threads = [threading.Thread(target=lambda i=i: agreed.update({i: peers[i].agree([i, 7])})) for i in peers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert agreed == {0: [0, 7], 1: [0, 7], 2: [0, 7]}
    # A signal at one rank reaches rank 0, which decides.
    peers[2].stop(15)
    deadline = time.monotonic() + 5
    while peers[0].stop_signal is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert peers[0].stop_signal == 15
    leave(peers)


def compared(facts):
    peers, outcomes = met([FACTS] * len(facts)), {}

    def compare(i):
        try:
            peers[i].compare(facts[i], 5)
            outcomes[i] = ""
        except UserError as error:
            outcomes[i] = str(error)

    for peer in peers.values():
        peer.start(lambda text: None)
    threads = [threading.Thread(target=compare, args=(i,)) for i in peers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    leave(peers)
    return outcomes


def test_config_or_data_that_differ_are_named_to_all():
    same = {"config": "1234", "data": "abcd"}
    assert compared([same, same]) == {0: "", 1: ""}
    outcomes = compared([same, same, same | {"data": "ffff"}])
    host = socket.gethostname()
    assert set(outcomes.values()) == {f"rank 2 on {host}: expected the same data as rank 0, abcd, found ffff"}


@pytest.mark.parametrize(
    ("facts", "ranks", "expected"),
    [
        (
            [FACTS, FACTS | {"version of jaxlib": "0.9"}],
            None,
            "the same version of jaxlib as rank 0, 0.10.2, found 0.9",
        ),
        ([FACTS, {"platform": "cpu"}], None, "version of jaxlib as rank 0, 0.10.2, found none"),
        ([FACTS, FACTS, None], None, "found no rank 2 in time"),
        ([FACTS, FACTS, FACTS], (0, 1, 1), "expected each rank once, found another rank 1"),
        ([None, FACTS], None, "expected rank 0 at 127.0.0.1"),
    ],
)
def test_process_that_is_missing_or_differs_is_named_within_the_time(facts, ranks, expected):
    started = time.monotonic()
    outcomes = met(facts, ranks, wait=2.0)
    assert time.monotonic() - started < 4
    messages = [text for text in outcomes.values() if isinstance(text, str)]
    assert len(messages) == len(outcomes)
    assert any(expected in text for text in messages)
    assert all("\n" not in text for text in messages)


def test_port_that_is_taken_is_said():
    with socket.create_server(("", 0)) as taken:
        place = Place(0, 2, "127.0.0.1", taken.getsockname()[1])
        with pytest.raises(UserError, match=f"expected port {place.port} to be free"):
            meet(place, FACTS, wait=1, heartbeat=1, say=lambda text: None)


def test_stranger_at_the_port_is_ignored():
    port = free_port("127.0.0.1")

    def stranger():
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as link:
                link.sendall(b"GET / HTTP/1.1\r\n\r\n")
                return

    thread = threading.Thread(target=stranger)
    thread.start()
    with pytest.raises(UserError, match="found no rank 1"):
        meet(Place(0, 2, "127.0.0.1", port), FACTS, wait=2, heartbeat=1, say=lambda text: None)
    thread.join()


def test_place_is_read_from_slurm_open_mpi_and_our_launcher():
    slurm = {
        "SLURM_PROCID": "3", "SLURM_NTASKS": "8", "SLURM_STEP_ID": "0", "SLURM_JOB_ID": "77",
        "SLURM_STEP_NODELIST": "node[03-05,7],login", "SLURM_STEP_NUM_NODES": "1",
    }  # fmt: skip
    place = find_place("slurm", environ=slurm)
    assert place == Place(3, 8, "node03", job_port("77.0.0"), 1)
    # Two steps of a job, and a job that starts again, meet elsewhere.
    assert len({job_port("77.0.0"), job_port("77.1.0"), job_port("77.0.1")}) == 3
    mpi = {
        "OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
        "OMPI_MCA_orte_hnp_uri": "1234.0;tcp://10.0.0.1,192.168.1.1:34911",
    }  # fmt: skip
    assert find_place("mpi", environ=mpi) == Place(1, 4, "10.0.0.1", job_port("1234.0"), 2)
    own = {RANK: "0", RANKS: "2", RENDEZVOUS: "127.0.0.1:4000"}
    assert find_place(None, environ=own) == Place(0, 2, "127.0.0.1", 4000)
    assert find_place(None, environ={}) is None
    assert find_place("slurm", "head:123", slurm) == Place(3, 8, "head", 123, 1)


@pytest.mark.parametrize(
    ("cluster", "rendezvous", "environ", "expected"),
    [
        ("slurm", None, {}, "expected to be started by srun"),
        ("slurm", None, {"SLURM_PROCID": "0"}, "expected to be started by srun"),
        ("mpi", None, {}, "expected to be started by Open MPI's mpirun"),
        (None, "a:1", {}, "expected --cluster slurm or mpi"),
        (None, None, {RANK: "2", RANKS: "2", RENDEZVOUS: "h:1"}, "expected a rank from 0 to 1, found 2"),
        (None, None, {RANK: "x", RANKS: "2", RENDEZVOUS: "h:1"}, "expected a number in the environment"),
        (None, None, {RANK: "0", RANKS: "2", RENDEZVOUS: "h"}, "expected HOST:PORT"),
        (
            "slurm", None,
            {"SLURM_PROCID": "1", "SLURM_NTASKS": "2", "SLURM_STEP_ID": "0", "SLURM_STEP_NODELIST": "localhost",
             "SLURM_STEP_NUM_NODES": "2"},
            "which is this host itself",
        ),
    ],
)  # fmt: skip
def test_place_that_cannot_be_is_refused(cluster, rendezvous, environ, expected):
    with pytest.raises(UserError, match=expected) as error:
        find_place(cluster, rendezvous, environ)
    assert "\n" not in str(error.value)


def test_names_of_hosts():
    assert [first_host(text) for text in ("a", "a,b", "n[3-5]", "n[003,7]x")] == ["a", "a", "n3", "n003"]
    with pytest.raises(UserError):
        first_host("")
    assert is_loopback("127.0.1.1")
    assert is_loopback("localhost")
    assert not is_loopback("192.0.2.1")


def test_difference_names_the_first_fact():
    assert difference("rank 1", {"a": "1", "b": "2"}, {"a": "1", "b": "2"}) == ""
    assert difference("rank 1", {"a": "1"}, {}) == "rank 1: expected the same a as rank 0, 1, found none"


def test_options_of_a_command_line():
    words = ["train", "C", "--processes", "4", "--device=cpu", "--restarts=2", "--seeds", "3"]
    assert split_options(words, ("--processes", "--restarts"))[0] == ["train", "C", "--device=cpu", "--seeds", "3"]
    assert split_options(words, ("--device", "--seeds"))[1] == ["--device=cpu", "--seeds", "3"]
