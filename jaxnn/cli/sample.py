"""`jaxnn sample RUN`: new examples of a generative net, as an array and as pictures."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from jaxnn.cli.run_arguments import Sample
from jaxnn.cli.tables import print_table
from jaxnn.cli.terminal import print_text
from jaxnn.errors import UserError
from jaxnn.storage.files import atomic_directory, atomic_write

ARRAY = "samples.npy"
#: Pictures beyond this number stand in the array alone.
MAX_PICTURES, MAX_GRID = 1000, 100


def run(command: Sample) -> None:
    from jaxnn.cli.reopened import check_draw, open_run
    from jaxnn.experiment.judge import class_index

    run = open_run(command.run, command.device, command.experiment)
    check_draw(run, command.seed, command.run_seed)
    folder = folder_of(command)
    label = None if command.class_name is None else class_index(run.experiment, command.class_name)
    samples = run.sample(command.count, seed=command.seed, label=label, run_seed=command.run_seed)
    with atomic_directory(folder, overwrite=command.overwrite) as temporary:
        write_samples(temporary, samples, f"{run.experiment.title}: {len(samples)} samples")
    for name in sorted(path.name for path in folder.iterdir() if not path.name.startswith("sample_")):
        print_text(str(folder / name))
    if command.judge is not None:
        print_judgement(command, samples, label)


def folder_of(command: Sample) -> Path:
    """The folder of the samples. Raises `UserError` for one that holds something else, before anything is computed."""
    folder = command.out or command.run.with_name(f"{command.run.name}-samples")
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return folder
    if not (folder.is_dir() and (folder / ARRAY).is_file()):
        raise UserError(f"{folder}: expected a new folder for the samples, found something else; choose another --out")
    if not command.overwrite:
        raise UserError(f"{folder}: expected a new folder, found earlier samples; choose another --out, or --overwrite")
    return folder


def write_samples(folder: Path, samples: np.ndarray, title: str) -> None:
    """Writes the array, and of images each as a PNG file and all of them in a grid; of points of the plane a figure."""
    from jaxnn import plots

    content = io.BytesIO()
    np.save(content, samples, allow_pickle=False)
    atomic_write(folder / ARRAY, content.getvalue())
    shape = samples.shape[1:]
    if shape == (2,):
        atomic_write(folder / "points.png", plots.png(plots.sample_points(samples, None, title=title)))
    if len(shape) != 3 or shape[-1] not in (1, 3):
        return
    shown = samples[:MAX_PICTURES]
    atomic_write(folder / "grid.png", plots.png(plots.sample_images(shown[:MAX_GRID], title=title)))
    for i, pixels in enumerate(as_bytes(shown)):
        write_png(folder / f"sample_{i:04}.png", Image.fromarray(pixels))


def write_png(file: Path, picture: Image.Image) -> None:
    """Writes a picture."""
    content = io.BytesIO()
    picture.save(content, "PNG")
    atomic_write(file, content.getvalue())


def as_bytes(images: np.ndarray) -> np.ndarray:
    """Images (n, h, w, 1 or 3) as 8-bit numbers: values from 0 to 1 as they are, others from the least to the most."""
    images = images[..., 0] if images.shape[-1] == 1 else images
    low, high = min(float(images.min()), 0.0), max(float(images.max()), 1.0)
    return np.round(255 * (images - low) / (high - low)).astype(np.uint8)


def print_judgement(command: Sample, samples: np.ndarray, label: int | None) -> None:
    """Prints what the classifier --judge says of the samples."""
    from jaxnn.cli.reopened import open_run
    from jaxnn.experiment.definition import seed_params
    from jaxnn.experiment.judge import CONFIDENT, judge

    assert command.judge is not None
    run = open_run(command.judge, command.device).with_data(command.data_dir)
    found = judge(run.experiment, seed_params(run.params, 0), samples, label)
    rows: list[dict[str, Any]] = [
        {"what the judge says": "classes covered", "number": f"{found.classes} of {found.of}"},
        {"what the judge says": "mean confidence", "number": found.confidence},
        {"what the judge says": f"share with a confidence of at least {CONFIDENT:.0%}", "number": found.confident},
        {"what the judge says": "judge distance to real test examples", "number": found.distance},
        {"what the judge says": "mean distance to the nearest training example", "number": found.neighbour},
        {"what the judge says": "the same of real test examples", "number": found.real_neighbour},
    ]
    if label is not None:
        rows.insert(1, {"what the judge says": "share taken for the class", "number": found.agreement})
    print_table(f"{len(samples)} samples, judged by {run.experiment.title}", rows, command.json)
