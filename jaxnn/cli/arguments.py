"""The arguments of each command: types, defaults and help texts. tyro builds the command line from them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg, subcommand

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


#: The figures that `jaxnn plot` draws without a run.
COURSE_FIGURES = ("activations", "costs", "preprocessing", "gradient-norms", "filters", "optimizers")


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
    cache: Cache = True
    deterministic: Deterministic = False
    json: Json = None


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
    cache: Cache = True
    json: Json = None


@dataclass(frozen=True)
class Rerun:
    """Repeat a run, and report whether the result is bit-equal or by how much it differs. The exit status is then 1."""

    run: RunFolder
    experiment: ExperimentTarget = None
    data_dir: DataDir = None
    device: Device = None
    cache: Cache = True
    json: Json = None


@dataclass(frozen=True)
class Checkpoint:
    """List a run's checkpoints, inspect one, compare two, or verify the checksum of every file of the run."""

    action: Annotated[Positional[Literal["list", "inspect", "diff", "verify"]], arg(metavar="ACTION")]
    run: RunFolder
    which: Annotated[
        Positional[tuple[str, ...]],
        arg(metavar="STEPS…", help="Steps of the checkpoints (default: the newest; diff: the newest two)."),
    ] = ()
    json: Json = None


@dataclass(frozen=True)
class Evaluate:
    """Evaluate a run's best parameters on its training, validation and test examples."""

    run: RunFolder
    experiment: ExperimentTarget = None
    data_dir: DataDir = None
    device: Device = None
    cache: Cache = True
    json: Json = None


@dataclass(frozen=True)
class Predict:
    """Predict images, rows of a CSV file, or arrays (.npy, .npz). An image is prepared as those of the training were.

    A CSV file needs the columns of the training table by name, in any order and without the label. A folder stands for
    all files within it, also within its sub-folders.
    """

    run: RunFolder
    files: Annotated[
        Positional[tuple[Path, ...]],
        arg(
            metavar="FILE…",
            help="Images (PNG, JPEG, WebP, TIFF, BMP, GIF), CSV tables, .npy or .npz arrays, or folders.",
        ),
    ]
    out: Annotated[Path | None, arg(metavar="FILE.csv", help="Also write the predictions as CSV, unrounded.")] = None
    experiment: ExperimentTarget = None
    device: Device = None
    cache: Cache = True
    json: Json = None


@dataclass(frozen=True)
class Generate:
    """Continue a text with the language model of a run: each sample begins with the prompt."""

    run: RunFolder
    prompt: Annotated[
        str | None, arg(metavar="TEXT", help="What the text begins with (default: a line end, which is not printed).")
    ] = None
    length: int = 500
    """Number of characters, bytes or words after the prompt, as the run has them."""
    temperature: float = 0.8
    """Divides the logits: below 1 for likelier texts, 0 for the likeliest token every time."""
    top_k: int = 0
    """Draw from the K likeliest tokens alone (0: all)."""
    top_p: float = 1.0
    """Draw from the likeliest tokens that together have this probability."""
    seed: int = 0
    """Seed of what is drawn: the same seed gives the same text."""
    samples: int = 1
    """Number of texts."""
    stop: Annotated[str | None, arg(metavar="TEXT", help="End a text before this one.")] = None
    run_seed: int = 0
    """Position of the trained seed, 0 for the first one of the run."""
    experiment: ExperimentTarget = None
    device: Device = None
    cache: Cache = True
    json: Json = None


@dataclass(frozen=True)
class Summary:
    """Show a config's layers: output shapes, parameters, bytes kept for the backward pass, FLOPs."""

    config: ConfigName = "digits_mlp"
    data_dir: DataDir = None
    json: Json = None


@dataclass(frozen=True)
class Plot:
    """Draw a run's figures and report again, or draw figures of the course into the folder --out."""

    what: Annotated[
        Positional[Path], arg(metavar="WHAT", help=f"A run's folder, or one of {', '.join(COURSE_FIGURES)}.")
    ]
    out: Annotated[Path | None, arg(metavar="DIR", help="Folder for figures of the course (default: figures).")] = None
    experiment: ExperimentTarget = None
    data_dir: DataDir = None
    device: Device = None
    cache: Cache = True


@dataclass(frozen=True)
class Reproduce:
    """Run the course's systems, and compare its numbers with ours over seeds, in a table and a report with figures.

    Without an id all systems run, which takes about twenty minutes on two cores.
    """

    ids: Annotated[Positional[tuple[str, ...]], arg(metavar="[ID…]", help="Systems, S01 to S23 (default: all).")] = ()
    seeds: int | None = None
    """Number of seeds of each system (default: the system's own, 3 to 20)."""
    quick: bool = False
    """Use few steps, examples and seeds: a check of one minute that everything runs. Its numbers prove nothing."""
    records: bool = False
    """Instead of the course, run the best results on MNIST, with augmentation and ensembles. Takes hours."""
    out: Annotated[
        Path | None, arg(metavar="DIR", help="The report's folder (default: runs/reproduce, then -2, -3, …).")
    ] = None
    data_dir: DataDir = None
    device: Device = None
    cache: Cache = True
    json: Json = None


@dataclass(frozen=True)
class Certify:
    """Check hand-written gradients against autodiff and finite differences, and measure their bytes, FLOPs and time.

    Without a target the whole library is checked. The exit status is 1 if a law is broken.
    """

    targets: Annotated[
        Positional[tuple[str, ...]],
        arg(metavar="[TARGET…]", help="Layers, losses, combinators, configs, or your own as FILE.py:NAME."),
    ] = ()
    shape: UseAppendAction[
        Annotated[
            tuple[tuple[str, ...], ...],
            arg(metavar="N,M…", help="Shapes for your own function: of a layer's batch, or of each argument."),
        ]
    ] = ()
    argument: UseAppendAction[
        Annotated[
            tuple[tuple[str, ...], ...],
            arg(
                name="arg",
                metavar="NAME=VALUE",
                help="An argument of your own function: a number, a word, or random numbers of a shape, such as "
                '"x=positive 7,13" or "i=integers(10) 7". Can be repeated.',
            ),
        ]
    ] = ()
    quick: bool = False
    """Check the main laws on one case each, without timing."""
    mutants: bool = False
    """Plant mistakes in the library's own backward passes, and show which law detects each."""
    device: Device = None
    cache: Cache = True
    json: Json = None
    junit: Annotated[
        Path | None, arg(metavar="FILE", help="Also write the laws as JUnit XML, for continuous integration.")
    ] = None


@dataclass(frozen=True)
class Configs:
    """List the configs that come with the package, or print one as it is, with its comments."""

    name: Annotated[
        Positional[str | None], arg(metavar="[NAME]", help="The config to print (default: a table of all configs).")
    ] = None
    json: Annotated[Path | None, arg(metavar="FILE", help="Also write the table, or the config, as JSON.")] = None


@dataclass(frozen=True)
class Config:
    """Begin a config of your own: `jaxnn config new --from mnist_cnn > mine.toml`."""

    action: Annotated[Positional[Literal["new"]], arg(metavar="new")]
    source: Annotated[
        str, arg(name="from", metavar="CONFIG", help="The config to copy: a shipped config's name, or a TOML file.")
    ] = "digits_mlp"
    out: Annotated[
        Path | None, arg(metavar="FILE", help="A new file to write to (default: print to standard output).")
    ] = None


Command = (
    Annotated[Train, subcommand("train")]
    | Annotated[Sweep, subcommand("sweep")]
    | Annotated[Resume, subcommand("resume")]
    | Annotated[Rerun, subcommand("rerun")]
    | Annotated[Checkpoint, subcommand("checkpoint")]
    | Annotated[Evaluate, subcommand("evaluate")]
    | Annotated[Predict, subcommand("predict")]
    | Annotated[Generate, subcommand("generate")]
    | Annotated[Summary, subcommand("summary")]
    | Annotated[Plot, subcommand("plot")]
    | Annotated[Reproduce, subcommand("reproduce")]
    | Annotated[Certify, subcommand("certify")]
    | Annotated[Configs, subcommand("configs")]
    | Annotated[Config, subcommand("config")]
)


#: Arguments that are texts, in which `~` is no folder.
TEXTS = ("prompt", "stop")
#: The commands of a run take overrides of its data, such as --data.path.
DATA_OVERRIDABLE = (Resume, Rerun, Evaluate, Plot)
#: The commands that take overrides of a config's fields, by dotted name.
OVERRIDABLE = (Train, Sweep, Summary, *DATA_OVERRIDABLE)
