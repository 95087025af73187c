"""What each command takes. Types, defaults and help texts stand here; tyro makes the command line of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg, subcommand

Json = Annotated[Path | None, arg(metavar="FILE", help="Also write the table as JSON.")]
DataDir = Annotated[
    Path | None, arg(metavar="DIR", help="Folder that holds mnist/*.gz or mnist.pkl.gz (default: $JAXNN_DATA_DIR).")
]
Device = Annotated[
    Literal["cpu", "gpu", "tpu"] | None, arg(help="Where to compute (default: what JAX finds, fastest first).")
]
Deterministic = Annotated[
    bool, arg(help="Have a GPU compute in one order alone (a CPU always does); what it cannot promise is said.")
]
Cache = Annotated[bool, arg(help="Keep compiled programs in your cache folder, so that the next start is quick.")]
Out = Annotated[Path | None, arg(metavar="DIR", help="The run's folder (default: runs/CONFIG, then -2, -3, …).")]
ExperimentTarget = Annotated[
    str | None,
    arg(metavar="FILE.py:NAME", help="The experiment in Python of a run whose folder names none, or another file."),
]
RunFolder = Annotated[Positional[Path], arg(metavar="RUN", help="A run's folder, as `jaxnn train` made it.")]
ConfigName = Annotated[Positional[str], arg(metavar="CONFIG", help="A shipped config's name, or a TOML file.")]
Trainable = Annotated[
    Positional[str],
    arg(metavar="CONFIG", help="A shipped config's name, a TOML file, or FILE.py:NAME, an experiment in Python."),
]


#: What `jaxnn plot` draws without a run.
COURSE_FIGURES = ("activations", "costs", "preprocessing", "gradient-norms", "filters", "optimizers")


@dataclass(frozen=True)
class Train:
    """Train the network of a config, and write its folder: weights, history, figures, report.

    Every field of the config can be overridden by its dotted name: --optimizer.learning-rate 0.1 --net.0.units 50.
    """

    config: Trainable = "digits_mlp"
    seeds: int | None = None
    """How many seeds to train, as one program (default: the config's)."""
    seed: int | None = None
    """The first seed (default: the config's)."""
    grad: Literal["hand", "auto"] = "hand"
    """Hand-derived backprop, or JAX's autodiff of the same forward pass."""
    out: Out = None
    overwrite: bool = False
    """Replace the run that --out holds."""
    data_dir: DataDir = None
    device: Device = None
    cache: Cache = True
    deterministic: Deterministic = False
    json: Json = None


@dataclass(frozen=True)
class Sweep:
    """Train a config with many values and seeds, as few programs; choose by the metric of train.best.

    Every field of the config can be set for all by its dotted name, as `jaxnn train` takes it.
    """

    config: Trainable = "digits_mlp"
    over: UseAppendAction[
        Annotated[tuple[str, ...], arg(metavar="NAME=V1,V2,…", help="Values of a field; may be given again.")]
    ] = ()
    draw: UseAppendAction[
        Annotated[
            tuple[str, ...],
            arg(
                metavar="NAME=KIND(…)",
                help="A field drawn from uniform(LOW,HIGH), log-uniform(LOW,HIGH), integer(LOW,HIGH) or choice(A,B,…).",
            ),
        ]
    ] = ()
    seeds: int | None = None
    """Seeds of each member (default: the config's)."""
    search: Literal["grid", "random", "halving", "optuna"] = "grid"
    """All members of a grid, or some that are drawn; the best go on while others stop; or as optuna proposes."""
    trials: int = 16
    """Members that are drawn or proposed."""
    batch: int = 8
    """Members that optuna proposes at once; they are one program."""
    eta: int = 3
    """From rung to rung of halving, one in so many goes on for as many times the epochs."""
    draw_seed: int = 0
    """Of what is drawn."""
    grad: Literal["hand", "auto"] = "hand"
    """Hand-derived backprop, or JAX's autodiff of the same forward pass."""
    out: Annotated[
        Path | None, arg(metavar="DIR", help="The sweep's folder (default: runs/CONFIG-sweep, then -2, -3, …).")
    ] = None
    overwrite: bool = False
    """Replace the sweep that --out holds."""
    data_dir: DataDir = None
    device: Device = None
    cache: Cache = True
    deterministic: Deterministic = False
    json: Json = None


@dataclass(frozen=True)
class Resume:
    """Go on with a run that was interrupted, from its newest sound checkpoint: to the bit as if it had not been."""

    run: RunFolder
    experiment: ExperimentTarget = None
    data_dir: DataDir = None
    device: Device = None
    cache: Cache = True
    json: Json = None


@dataclass(frozen=True)
class Rerun:
    """Repeat a run, and say whether the result is bit-equal or how far it is; the exit code is 1 where it differs."""

    run: RunFolder
    experiment: ExperimentTarget = None
    data_dir: DataDir = None
    device: Device = None
    cache: Cache = True
    json: Json = None


@dataclass(frozen=True)
class Checkpoint:
    """Look at what a run keeps: list its checkpoints, inspect one, diff two, or verify every file of the run."""

    action: Annotated[Positional[Literal["list", "inspect", "diff", "verify"]], arg(metavar="ACTION")]
    run: RunFolder
    which: Annotated[
        Positional[tuple[str, ...]],
        arg(metavar="STEPS…", help="Checkpoints by their steps (default: the newest; diff: the newest two)."),
    ] = ()
    json: Json = None


@dataclass(frozen=True)
class Evaluate:
    """Measure a run's best parameters on its train, validation and test parts."""

    run: RunFolder
    experiment: ExperimentTarget = None
    data_dir: DataDir = None
    device: Device = None
    cache: Cache = True
    json: Json = None


@dataclass(frozen=True)
class Predict:
    """Predict images (PNG or JPEG: grey, inverted if the paper is white, centred) or the examples of a .npy file."""

    run: RunFolder
    files: Annotated[
        Positional[tuple[Path, ...]], arg(metavar="FILE…", help="PNG or JPEG images, or .npy arrays of examples.")
    ]
    experiment: ExperimentTarget = None
    device: Device = None
    cache: Cache = True
    json: Json = None


@dataclass(frozen=True)
class Summary:
    """Show a config's layers: output shapes, parameters, what the backward pass keeps, arithmetic."""

    config: ConfigName = "digits_mlp"
    data_dir: DataDir = None
    json: Json = None


@dataclass(frozen=True)
class Plot:
    """Draw a run's figures again, and its report; or figures of the course, into the folder --out."""

    what: Annotated[
        Positional[Path], arg(metavar="WHAT", help=f"A run's folder, or one of {', '.join(COURSE_FIGURES)}.")
    ]
    out: Annotated[Path | None, arg(metavar="DIR", help="Where figures of the course go (default: figures).")] = None
    experiment: ExperimentTarget = None
    data_dir: DataDir = None
    device: Device = None
    cache: Cache = True


@dataclass(frozen=True)
class Reproduce:
    """Run the course's systems: its numbers beside our distribution, in a table and a report with every figure.

    Without an id, all of them: about twenty minutes on two cores.
    """

    ids: Annotated[Positional[tuple[str, ...]], arg(metavar="[ID…]", help="Systems, S01 to S23 (default: all).")] = ()
    seeds: int | None = None
    """Seeds of each system (default: its own, 3 to 20)."""
    quick: bool = False
    """Few steps, examples and seeds: shows in a minute that all of it runs; its numbers prove nothing."""
    records: bool = False
    """The best that the library does on MNIST, with augmentation and ensembles, in place of the course: hours."""
    out: Annotated[Path, arg(metavar="DIR", help="The report's folder.")] = Path("runs/reproduce")
    data_dir: DataDir = None
    device: Device = None
    cache: Cache = True
    json: Json = None


@dataclass(frozen=True)
class Certify:
    """Measure hand-derived gradients against autodiff, finite differences and their own bytes, FLOPs and time.

    Without a target, the whole library. The exit code is 1 where a law is broken.
    """

    targets: Annotated[
        Positional[tuple[str, ...]],
        arg(metavar="[TARGET…]", help="Layers, losses, combinators; configs; module:function of your own."),
    ] = ()
    shape: Annotated[
        tuple[str, ...],
        arg(metavar="N,M…", help="Shapes for a function of your own: of a layer's batch, or of each argument."),
    ] = ()
    quick: bool = False
    """The main laws, one case each, nothing timed."""
    mutants: bool = False
    """Plant mistakes in the library's own backward passes, and show which law kills each."""
    device: Device = None
    cache: Cache = True
    json: Json = None


@dataclass(frozen=True)
class Configs:
    """List the configs that come with the package."""

    json: Json = None


Command = (
    Annotated[Train, subcommand("train")]
    | Annotated[Sweep, subcommand("sweep")]
    | Annotated[Resume, subcommand("resume")]
    | Annotated[Rerun, subcommand("rerun")]
    | Annotated[Checkpoint, subcommand("checkpoint")]
    | Annotated[Evaluate, subcommand("evaluate")]
    | Annotated[Predict, subcommand("predict")]
    | Annotated[Summary, subcommand("summary")]
    | Annotated[Plot, subcommand("plot")]
    | Annotated[Reproduce, subcommand("reproduce")]
    | Annotated[Certify, subcommand("certify")]
    | Annotated[Configs, subcommand("configs")]
)
#: The commands after which a config's fields may follow, by dotted name.
OVERRIDABLE = (Train, Sweep, Summary)
