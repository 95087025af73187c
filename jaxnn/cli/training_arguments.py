"""The arguments of the commands that train."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

from jaxnn.cli.options import (
    ALONE,
    TRAINABLE,
    UNSHARED,
    Cache,
    DataDir,
    Deterministic,
    Device,
    Devices,
    ExperimentTarget,
    Joining,
    Json,
    Out,
    RunFolder,
    Sharing,
    Trainable,
)


@dataclass(frozen=True)
class Train:
    """Train the network of a config, and write a run folder: weights, history, figures, report.

    Every field of the config can be overridden by its dotted name: --optimizer.learning-rate 0.1 --net.0.units 50.
    """

    config: Annotated[Positional[str | None], arg(metavar="CONFIG", help=TRAINABLE)] = None
    from_run: Annotated[
        Path | None,
        arg(
            name="from",
            metavar="RUN",
            help="Continue a finished run in a new folder, with more --train.epochs than it has. CONFIG is its own by "
            "default. On other data, start from its best parameters.",
        ),
    ] = None
    seeds: int | None = None
    """Number of seeds to train, as one program (default: the config's)."""
    seed: int | None = None
    """The first seed (default: the config's)."""
    grad: Literal["hand", "auto"] | None = None
    """Gradient: the hand-written backward pass (default), or JAX's autodiff of the same forward pass."""
    out: Out = None
    overwrite: bool = False
    """Replace the run in the folder --out."""
    data_dir: DataDir = None
    device: Device = None
    sharing: Sharing = ALONE
    joining: Joining = UNSHARED
    cache: Cache = True
    deterministic: Deterministic = False
    json: Json = None


@dataclass(frozen=True)
class Play:
    """Open a page in the browser that trains a net while you watch: its boundary, its units, its gradient.

    Only this machine reaches the page. Every field of the config can be overridden by its dotted name, as in
    `jaxnn train`.
    """

    config: Annotated[
        Positional[str | None],
        arg(
            metavar="CONFIG",
            help="A shipped config's name, a TOML file, the folder of a finished run, or a link of the page.",
        ),
    ] = None
    port: int = 0
    """Port of the page (default: any that is free)."""
    no_browser: bool = False
    """Print the address and open no browser."""
    seeds: int | None = None
    """Number of seeds to train, as one program (default: the config's)."""
    data_dir: DataDir = None
    device: Device = None
    cache: Cache = True


@dataclass(frozen=True)
class Sweep:
    """Train a config with many values and seeds in few programs, and choose the best by the metric of train.best.

    Every field of the config can be set for all members by its dotted name, as in `jaxnn train`.
    """

    config: Trainable = "digits_mlp"
    over: UseAppendAction[
        Annotated[
            tuple[str, ...], arg(metavar="NAME=V1,V2,…", help="Values of a field. Can be repeated for other fields.")
        ]
    ] = ()
    draw: UseAppendAction[
        Annotated[
            tuple[str, ...],
            arg(
                metavar="NAME=KIND(…)",
                help="Draw a field from uniform(LOW,HIGH), log-uniform(LOW,HIGH), integer(LOW,HIGH) or choice(A,B,…).",
            ),
        ]
    ] = ()
    seeds: int | None = None
    """Number of seeds of each member (default: the config's)."""
    search: Literal["grid", "random", "halving", "optuna"] = "grid"
    """All members of a grid, randomly drawn members, successive halving of drawn members, or optuna's proposals."""
    trials: int = 16
    """Number of members to draw or propose."""
    batch: int = 8
    """Number of members that optuna proposes at a time; they train as one program."""
    eta: int = 3
    """Halving keeps one member in ETA at each stage, and trains it for ETA times the epochs."""
    draw_seed: int = 0
    """Seed of the drawing of members."""
    keep: int = 10
    """Number of the best members whose parameters are kept, each as a run in the sweep's folder."""
    grad: Literal["hand", "auto"] = "hand"
    """Gradient: the hand-written backward pass, or JAX's autodiff of the same forward pass."""
    out: Annotated[
        Path | None, arg(metavar="DIR", help="The sweep's folder (default: runs/CONFIG-sweep, then -2, -3, …).")
    ] = None
    overwrite: bool = False
    """Replace the sweep in the folder --out."""
    joining: Joining = UNSHARED
    data_dir: DataDir = None
    device: Device = None
    cache: Cache = True
    deterministic: Deterministic = False
    json: Json = None


@dataclass(frozen=True)
class Resume:
    """Continue an interrupted run or sweep, bit-equal to one without interruption.

    A run continues from its newest valid checkpoint; a sweep trains the members that it has not trained.
    """

    run: Annotated[Positional[Path], arg(metavar="RUN", help="The folder of a run or of a sweep.")]
    experiment: ExperimentTarget = None
    data_dir: DataDir = None
    device: Device = None
    sharing: Sharing = ALONE
    cache: Cache = True
    json: Json = None


@dataclass(frozen=True)
class Rerun:
    """Repeat a run, and report whether the result is bit-equal or by how much it differs. The exit status is then 1."""

    run: RunFolder
    experiment: ExperimentTarget = None
    data_dir: DataDir = None
    device: Device = None
    devices: Devices = None
    cache: Cache = True
    json: Json = None
