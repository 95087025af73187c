"""Which process of how many this one is, as the environment tells: a launcher of ours, Slurm's or Open MPI's."""

import os
import re
import socket
from collections.abc import Mapping
from typing import Literal, NamedTuple

from jaxnn.errors import UserError

Cluster = Literal["slurm", "mpi"]

#: What our own launcher tells the processes that it starts.
RANK, RANKS, RENDEZVOUS = "JAXNN_RANK", "JAXNN_RANKS", "JAXNN_RENDEZVOUS"
#: The same: the file into which rank 0 writes the run's folder, and the launcher's process number.
FOLDER_FILE, PARENT = "JAXNN_FOLDER_FILE", "JAXNN_PARENT"
#: The same: which of the host's GPUs are this process's, the first, second, … group of them. Its rank, but where one
#: has been left out.
GROUP = "JAXNN_DEVICE_GROUP"
#: The first port of the range from which a job's number chooses one, and the size of the range.
FIRST_PORT, PORTS = 20_000, 12_000


class Place(NamedTuple):
    """The place of a process among those of a run.

    rank: its number, from 0; ranks: how many there are
    host, port: where rank 0 waits for the others
    hosts: of the processes, as far as the environment tells
    """

    rank: int
    ranks: int
    host: str
    port: int
    hosts: int = 1


def find_place(
    cluster: Cluster | None, rendezvous: str | None = None, environ: Mapping[str, str] = os.environ
) -> Place | None:
    """The place of this process; None where it trains alone.

    cluster: whose environment to read; None: that of our launcher
    rendezvous: HOST:PORT where rank 0 waits, in place of what the environment tells
    Raises `UserError` where the environment does not tell it.
    """
    if cluster == "slurm":
        place = _slurm(environ)
    elif cluster == "mpi":
        place = _mpi(environ)
    elif RANK in environ:
        host, port = split_address(environ[RENDEZVOUS], RENDEZVOUS)
        place = Place(_number(environ, RANK), _number(environ, RANKS), host, port)
    elif rendezvous is not None:
        raise UserError("--rendezvous: expected --cluster slurm or mpi, or --processes, found none of them")
    else:
        return None
    if rendezvous is not None:
        host, port = split_address(rendezvous, "--rendezvous")
        place = place._replace(host=host, port=port)
    if not 0 <= place.rank < place.ranks:
        raise UserError(f"expected a rank from 0 to {place.ranks - 1}, found {place.rank}")
    if place.hosts > 1 and is_loopback(place.host):
        raise UserError(
            f"rank {place.rank}: expected an address of rank 0 that other hosts reach, found {place.host!r}, which is "
            "this host itself; name one by --rendezvous HOST:PORT, or mend /etc/hosts"
        )
    return place


def split_address(text: str, name: str) -> tuple[str, int]:
    """Host and port of HOST:PORT. Raises `UserError` for another text."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise UserError(f"{name}: expected HOST:PORT with a port from 1 to 65535, found {text!r}")
    return host.strip("[]"), int(port)


def free_port(host: str) -> int:
    """A port of this machine that nobody listens at, where processes can reach `host`."""
    with socket.create_server(("127.0.0.1" if is_loopback(host) else "", 0)) as free:
        return free.getsockname()[1]


def is_loopback(host: str) -> bool:
    """Whether a name stands for this host itself, on every host."""
    try:
        addresses = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return all(str(address).startswith("127.") or address == "::1" for address in addresses)


def job_port(job: str) -> int:
    """The port at which the processes of a job meet. Another step of the same job has another one."""
    return FIRST_PORT + sum((i + 1) * 31 * ord(c) for i, c in enumerate(job)) % PORTS


def _slurm(environ: Mapping[str, str]) -> Place:
    if "SLURM_PROCID" not in environ or "SLURM_STEP_ID" not in environ:
        raise UserError(
            "--cluster slurm: expected to be started by srun, found no step of a Slurm job; write srun jaxnn …"
        )
    hosts = first_host(environ.get("SLURM_STEP_NODELIST", "")), int(environ.get("SLURM_STEP_NUM_NODES", "1"))
    job = f"{environ.get('SLURM_JOB_ID', '0')}.{environ['SLURM_STEP_ID']}.{environ.get('SLURM_RESTART_COUNT', '0')}"
    ranks = _number(environ, "SLURM_STEP_NUM_TASKS" if "SLURM_STEP_NUM_TASKS" in environ else "SLURM_NTASKS")
    return Place(_number(environ, "SLURM_PROCID"), ranks, hosts[0], job_port(job), hosts[1])


def first_host(nodes: str) -> str:
    """The first host of Slurm's list: "node[03-05,7],login" is node03. Raises `UserError` for another text."""
    match = re.match(r"([^\[,]+)(?:\[(\d+)[^\]]*\])?", nodes)
    if match is None:
        raise UserError(f"SLURM_STEP_NODELIST: expected a list of hosts, found {nodes!r}")
    return match[1] + (match[2] or "")


def _mpi(environ: Mapping[str, str]) -> Place:
    if "OMPI_COMM_WORLD_RANK" not in environ:
        raise UserError(
            "--cluster mpi: expected to be started by Open MPI's mpirun, found no rank in the environment; write "
            "mpirun -n 4 jaxnn …"
        )
    rank, ranks = _number(environ, "OMPI_COMM_WORLD_RANK"), _number(environ, "OMPI_COMM_WORLD_SIZE")
    local = _number(environ, "OMPI_COMM_WORLD_LOCAL_SIZE")
    # Such as "1234567.0;tcp://10.0.0.1,192.168.1.1:34911": the job, and where mpirun itself is.
    origin = environ.get("OMPI_MCA_orte_hnp_uri", "")
    match = re.search(r"tcp://([^,:;]+)", origin)
    host = "127.0.0.1" if local == ranks or match is None else match[1]
    hosts = 1 if local == ranks else -(-ranks // local)
    return Place(rank, ranks, host, job_port(origin.partition(";")[0] or environ.get("PMIX_NAMESPACE", "mpi")), hosts)


def _number(environ: Mapping[str, str], name: str) -> int:
    text = environ.get(name, "")
    if not text.isdecimal():
        raise UserError(f"{name}: expected a number in the environment, found {text!r}")
    return int(text)
