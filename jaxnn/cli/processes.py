"""The processes of a run on the command line: starts them, or finds this one's place among them."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jaxnn.cli import device as devices
from jaxnn.cli.command_line import COMMAND_LINE
from jaxnn.cli.interrupts import Interrupted
from jaxnn.cli.options import SharingOptions
from jaxnn.cli.progress import report, say_no_more
from jaxnn.cli.terminal import print_message
from jaxnn.errors import UserError
from jaxnn.processes.cluster import FOLDER_FILE, Place, find_place
from jaxnn.processes.join import join, start_jax
from jaxnn.processes.launcher import Launcher
from jaxnn.processes.peers import BEAT, MISTAKE_LENGTH, Peers

if TYPE_CHECKING:
    from jaxnn.experiment.definition import Experiment

#: The options that are the launcher's own, each with a value.
OWN_OPTIONS = ("--processes", "--restarts")
#: The options of `train` that a process that resumes its run takes, too.
KEPT_OPTIONS = ("--device", "--devices", "--data-dir", "--wait", "--heartbeat", "--json")


def launched(options: SharingOptions) -> bool:
    """Starts the processes that are asked for, and waits for their end; False where none are.

    Raises `SystemExit` with their exit status where it is not 0.
    """
    if options.processes is None:
        return False
    if options.processes < 1 or options.restarts < 0:
        raise UserError(
            f"expected --processes of at least 1 and --restarts of at least 0, found {options.processes} and "
            f"{options.restarts}"
        )
    if options.cluster is not None or options.rendezvous is not None:
        raise UserError("--processes: expected no --cluster and no --rendezvous, found one: the processes start here")
    words, _ = split_options(COMMAND_LINE.get()[1:], OWN_OPTIONS)

    def words_of(folder: Path | None) -> Sequence[str]:
        if folder is None or words[0] == "resume":
            return words
        return ["resume", str(folder), *split_options(words, KEPT_OPTIONS)[1]]

    say_no_more()  # rank 0 says what is being done
    status = Launcher(words_of, options.processes, print_message).run(options.restarts)
    if status:
        sys.exit(status)
    return True


def split_options(words: Sequence[str], names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of a command line without some options, and these options with their values."""
    others, chosen, rest = [], [], list(words)
    while rest:
        word = rest.pop(0)
        name, equals, _ = word.partition("=")
        if name not in names:
            others.append(word)
        else:
            chosen += [word] if equals or not rest else [word, rest.pop(0)]
    return others, chosen


class ProcessGroup:
    """The processes that this one trains with; none where it trains alone.

    devices: of each process; None: not asked for
    before: the devices that shared each batch of a run that is resumed
    """

    def __init__(self, options: SharingOptions, before: int | None = None):
        self.options: SharingOptions = options
        self.place: Place | None = find_place(options.cluster, options.rendezvous)
        self.peers: Peers | None = None
        ranks = 1 if self.place is None else self.place.ranks
        self.devices: int | None = options.devices or (None if before is None else max(1, before // ranks))
        if self.place is not None:
            self.devices = self.devices or 1

    @property
    def is_rank_zero(self) -> bool:
        """Whether this process writes and prints: the only one, or rank 0."""
        return self.place is None or self.place.rank == 0

    @property
    def all_devices(self) -> int | None:
        """The devices of all processes that share a batch."""
        return self.devices if self.place is None or self.devices is None else self.devices * self.place.ranks

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Meets the other processes. While active, an error of this process ends them. A signal has ended them all."""
        try:
            if self.place is not None:
                self._meet(self.place)
            yield
        except Interrupted:
            self._leave(finished=True, together=False)
            raise
        except UserError as error:
            self._leave(finished=False, together=False, mistake=str(error)[:MISTAKE_LENGTH])
            raise
        except BaseException as error:
            if isinstance(error, RuntimeError) and self.peers is not None:
                # A collective operation fails where another process has died. Whoever watches that one says it better.
                time.sleep(2 * BEAT)
            self._leave(finished=False, together=False)
            raise
        self._leave(finished=True)

    def _meet(self, place: Place) -> None:
        def say(text: str) -> None:
            print_message(f"rank {place.rank}: {text}")

        if self.is_rank_zero:
            report("waiting for the other processes")
        else:
            say_no_more()
        self.peers = join(place, self.devices or 1, wait=self.options.wait, heartbeat=self.options.heartbeat, say=say)

    def compare(self, facts: Callable[[], Mapping[str, str]]) -> None:
        """Raises `UserError` where another process has found other facts than rank 0. Asks for them where there is
        one."""
        if self.peers is not None:
            self.peers.compare(facts(), self.options.wait)

    def select_device(self, device: str | None, *, deterministic: bool, in_order: bool) -> str:
        """Selects the device, as `device.select_device` does, and starts JAX with the devices of all processes."""
        if self.peers is None:
            return devices.select_device(device, deterministic=deterministic, devices=self.devices, in_order=in_order)
        import jax

        each, place = self.devices or 1, self.peers.place
        least = devices.LEAST_CPU_DEVICES if in_order and place.ranks == 1 else 1
        threads = devices.THREADS_IN_ORDER if in_order else None
        devices.configure_devices(device, deterministic=deterministic, cpu_devices=max(each, least), threads=threads)
        start_jax(self.peers, each, wait=self.options.wait)
        return devices.describe_devices(jax.devices())

    def compare_experiments(self, experiment: "Experiment") -> None:
        """Raises `UserError` where another process has other devices than rank 0, or another experiment in Python.

        That of a config was compared before JAX started: its data are not read again.
        """
        if self.peers is None:
            return
        import jax

        from jaxnn.runs.manifest import comparable_facts

        kinds = ", ".join(f"{d.platform}:{d.device_kind}" for d in jax.local_devices())
        facts = {} if "config" in experiment.record.facts else comparable_facts(experiment)
        self.peers.compare({**facts, "devices": kinds}, self.options.wait)

    def _leave(self, *, finished: bool, together: bool = True, mistake: str = "") -> None:
        if self.peers is not None:
            self.peers.close(finished=finished, together=together, mistake=mistake)

    def tell_folder(self, folder: Path) -> None:
        """Tells the launcher where the run is, so that it can be resumed."""
        if self.is_rank_zero and FOLDER_FILE in os.environ:
            Path(os.environ[FOLDER_FILE]).write_text(str(folder.resolve()))
