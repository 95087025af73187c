"""Joins the other processes of a run: meets them and, when they have compared what they found, starts JAX."""

import importlib.metadata
import os
import socket
from collections.abc import Callable
from contextlib import suppress

from jaxnn.errors import UserError
from jaxnn.processes.cluster import GROUP, Place, free_port, is_loopback
from jaxnn.processes.peers import Peers
from jaxnn.processes.rendezvous import meet

#: The packages of which all processes must have the same version.
PACKAGES = ("jaxnn", "jax", "jaxlib", "numpy", "optax")


def join(place: Place, devices: int, *, wait: float, heartbeat: float, say: Callable[[str], None]) -> Peers:
    """Meets the other processes, and compares versions and the `devices` that each is to have. JAX is not imported.

    Raises `UserError` which names the process that is missing or differs.
    """
    check_own_name(place)
    facts = {f"version of {name}": _version(name) for name in PACKAGES} | {"number of devices": str(devices)}
    peers = meet(place, facts, wait=wait, heartbeat=heartbeat, say=say)
    peers.start(say)
    return peers


def start_jax(peers: Peers, devices: int, *, wait: float) -> None:
    """Starts JAX with `devices` of each process.

    Raises `UserError` where a process has been asked for another kind of device than rank 0.
    """
    import jax

    place = peers.place
    peers.compare({"platform": getattr(jax.config, "jax_platforms", None) or "the fastest"}, wait)
    for name in [name for name in os.environ if name.lower() in ("http_proxy", "https_proxy", "all_proxy")]:
        # gRPC, by which JAX's processes talk, would ask the proxy for the way to the other hosts.
        del os.environ[name]
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    first = int(os.environ[GROUP]) * devices if GROUP in os.environ else None
    # Chosen at the last moment: another program could take it.
    coordinator = f"{place.host}:{peers.agree(None if place.rank else free_port(place.host))}"
    jax.distributed.initialize(
        coordinator,
        place.ranks,
        place.rank,
        # Our own launcher starts all processes on one host, whose GPUs they share out.
        local_device_ids=None if first is None else list(range(first, first + devices)),
        cluster_detection_method="deactivate",
        coordinator_bind_address=coordinator if is_loopback(place.host) else None,
        initialization_timeout=max(1, int(wait)),
        # Peers notices first that a process is gone, and says so in one line.
        heartbeat_timeout_seconds=max(100, int(peers.heartbeat * 10)),
    )


def check_own_name(place: Place) -> None:
    """Raises `UserError` where other hosts have to reach this one and its own name is no address for them.

    JAX's processes tell each other the address of their host's name. A name of 127.0.1.1 shows as a hang.
    """
    if is_loopback(place.host):
        return
    name = socket.gethostname()
    try:
        address = socket.gethostbyname(name)
    except OSError:
        address = "none"
    if address == "none" or address.startswith("127."):
        raise UserError(
            f"rank {place.rank} on {name}: expected the name of this host to be an address that other hosts reach, "
            f"found {address}; mend /etc/hosts"
        )


def _version(name: str) -> str:
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(name)
    return "not installed"
