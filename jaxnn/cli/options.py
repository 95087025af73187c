"""Options that several commands have: their types and help texts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import OmitArgPrefixes, Positional, arg

from jaxnn.processes.cluster import Cluster

Json = Annotated[Path | None, arg(metavar="FILE", help="Also write the table as JSON.")]
DataDir = Annotated[
    Path | None, arg(metavar="DIR", help="Folder that holds mnist/*.gz or mnist.pkl.gz (default: $JAXNN_DATA_DIR).")
]
Device = Annotated[
    Literal["cpu", "gpu", "tpu"] | None, arg(help="Device to compute on (default: the fastest that JAX finds).")
]
Deterministic = Annotated[
    bool, arg(help="Make a GPU add in a fixed order, as a CPU always does; the limits of this are printed.")
]
Cache = Annotated[bool, arg(help="Cache compiled programs in your cache folder, so that the next start is faster.")]
Out = Annotated[Path | None, arg(metavar="DIR", help="The run's folder (default: runs/CONFIG, then -2, -3, …).")]
ExperimentTarget = Annotated[
    str | None,
    arg(metavar="FILE.py:NAME", help="The experiment in Python of a run whose folder names none, or another file."),
]
RunFolder = Annotated[Positional[Path], arg(metavar="RUN", help="The folder of a run that `jaxnn train` made.")]
ConfigName = Annotated[Positional[str], arg(metavar="CONFIG", help="The name of a shipped config, or a TOML file.")]
TRAINABLE = "A shipped config's name, a TOML file, or FILE.py:NAME, an experiment in Python (default: digits_mlp)."
Trainable = Annotated[Positional[str], arg(metavar="CONFIG", help=TRAINABLE)]


Devices = Annotated[
    int | None,
    arg(metavar="N", help="Devices of each process that share each batch (default: 1; of an earlier run: as before)."),
]


@dataclass(frozen=True)
class SharingOptions:
    """Which devices and processes share each batch of a run."""

    devices: Devices = None
    processes: Annotated[
        int | None, arg(metavar="N", help="Start so many processes on this machine, which share each batch.")
    ] = None
    restarts: Annotated[
        int,
        arg(
            metavar="N",
            help="Start the processes again so many times where one has died (with --processes). "
            "One that has died twice in a row is left out.",
        ),
    ] = 3
    cluster: Annotated[
        Cluster | None, arg(help="This process is one of those that srun (slurm) or mpirun (mpi) has started.")
    ] = None
    rendezvous: Annotated[
        str | None, arg(metavar="HOST:PORT", help="Where rank 0 waits for the others (default: as the cluster says).")
    ] = None
    wait: Annotated[float, arg(metavar="SECONDS", help="How long the processes wait for each other at the start.")] = (
        600.0
    )
    heartbeat: Annotated[
        float, arg(metavar="SECONDS", help="Silence after which a process counts as gone, which ends the others.")
    ] = 30.0


@dataclass(frozen=True)
class JoinOptions:
    """The workers that share the members of a sweep, or the seeds of a run."""

    join: Annotated[
        Path | None,
        arg(
            metavar="DIR",
            help="Share the work in this folder with all who give the same command, on this machine or on others that "
            "see the folder. Anyone may join or leave at any time.",
        ),
    ] = None
    workers: Annotated[
        int | None, arg(metavar="N", help="Start so many workers on this machine, which share the work.")
    ] = None
    part: Annotated[
        int | None,
        arg(
            metavar="N",
            help="Members, or seeds, that a worker trains at a time, as one program (default: a 64th of them).",
        ),
    ] = None
    silence: Annotated[
        float, arg(metavar="SECONDS", help="Silence of a worker after which another takes over what it trains.")
    ] = 30.0
    status: Annotated[
        Path | None, arg(metavar="DIR", help="Show how far the shared work in this folder is, and train nothing.")
    ] = None


Joining = Annotated[JoinOptions, OmitArgPrefixes]
#: One worker, which shares nothing.
UNSHARED = JoinOptions()
Sharing = Annotated[SharingOptions, OmitArgPrefixes]
#: One process with one device.
ALONE = SharingOptions()
