"""The arguments of the commands that read a run's folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from jaxnn.cli.options import Cache, DataDir, Device, ExperimentTarget, Json, RunFolder

#: The figures that `jaxnn plot` draws without a run.
COURSE_FIGURES = ("activations", "costs", "preprocessing", "gradient-norms", "filters", "optimizers")


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
    pictures: Annotated[
        Path | None,
        arg(
            metavar="FOLDER",
            help="A new folder for pictures: of a detector each picture with its boxes, of a segmenter each mask, in "
            "which a pixel is the number of its class.",
        ),
    ] = None
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
class Sample:
    """Make new examples with the generative net of a run, as an array and, of images, as pictures."""

    run: RunFolder
    count: int = 64
    """Number of examples."""
    seed: int = 0
    """Seed of what is drawn: the same seed gives the same examples."""
    class_name: Annotated[
        str | None, arg(name="class", metavar="CLASS", help="The class of all, by name or number (default: any).")
    ] = None
    judge: Annotated[
        Path | None, arg(metavar="RUN", help="A classifier's run, which says how real the examples look.")
    ] = None
    run_seed: int = 0
    """Position of the trained seed, 0 for the first one of the run."""
    out: Annotated[
        Path | None, arg(metavar="DIR", help="Folder of what is made (default: RUN-samples, beside the run).")
    ] = None
    overwrite: bool = False
    """Replace an earlier folder of samples."""
    experiment: ExperimentTarget = None
    data_dir: DataDir = None
    device: Device = None
    cache: Cache = True
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
class Slurm:
    """Print a batch script for Slurm that goes on after a time limit or a failure.

    All other words are those of `jaxnn train` or `jaxnn sweep`. Several tasks train one run: jaxnn slurm train
    mnist_99_gpu --nodes 2 --gpus 4 --time 4:00:00. The jobs of an array share the members of a sweep, or the seeds of a
    run: jaxnn slurm sweep digits_mlp --over optimizer.learning_rate=0.001,0.003,0.01 --array 3
    """

    command: Annotated[Positional[Literal["train", "sweep"]], arg(metavar="{train,sweep}")]
    nodes: int = 1
    """Number of nodes."""
    gpus: int = 0
    """GPUs of each node; each gets a task."""
    tasks: int | None = None
    """Tasks on each node without GPUs (default: 1)."""
    cpus: int | None = None
    """Processor cores of each task."""
    array: int | None = None
    """Jobs that share the members of a sweep (default: 1), or the seeds of a run; each of one task."""
    time: Annotated[str, arg(metavar="H:MM:SS", help="Time limit of the job, after which it is queued again.")] = (
        "1:00:00"
    )
    partition: Annotated[str | None, arg(metavar="NAME", help="Slurm's partition.")] = None
    account: Annotated[str | None, arg(metavar="NAME", help="Slurm's account.")] = None
    submit: bool = False
    """Submit the script to Slurm, and print the job's number."""
