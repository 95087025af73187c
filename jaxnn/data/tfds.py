"""Reads image-classification sets of TensorFlow Datasets by name, without TensorFlow and without a network."""

import os
import re
import warnings
from pathlib import Path
from types import ModuleType
from typing import Literal

import numpy as np

from jaxnn.data.data_dir import data_folder
from jaxnn.data.dataset import Dataset, Part
from jaxnn.data.image_reader import MAX_SIDE, DigitReader, ImageReader
from jaxnn.data.rows import Rows
from jaxnn.errors import UserError

# name, name/config or name/config:1.2.3. A namespace (huggingface:...) is excluded: it would use the network.
_NAME = re.compile(r"[A-Za-z]\w*(/[\w.+-]+)?(:\d+\.\d+\.\d+)?")
_MAX_BYTES = 2 << 30


def tfds(
    name: str,
    prepare: Literal["resize", "digit"] = "resize",
    data_dir: str | os.PathLike[str] | None = None,
    most_bytes: int | None = None,
) -> Dataset:
    """Reads the set ``name`` as uint8 images (n, height, width, channel) and int32 labels; ``max_value`` is 255.

    The set must have been prepared in the data folder (without one: in the default folder of TensorFlow Datasets) in
    a random-access format, ``file_format='array_record'``. It must have the features ``image``, all of one size, and
    ``label``. Its split ``train`` becomes the training part, ``test``, if there is one, the official test part and
    ``validation`` the official validation part.

    prepare: how the images that a run predicts are prepared: "resize", or "digit" for a set of digits that were
        prepared as MNIST's are (bright ink on black, cropped and centred)
    most_bytes: more than so many bytes of images are read when they are needed; their labels are read once before

    Raises UserError for an unknown or unprepared set, for other features and for a missing package.
    """
    if not _NAME.fullmatch(name):
        raise UserError(f"tfds: expected a name such as mnist, emnist/balanced or mnist:3.0.1, found {name}")
    library, folder = _import_tfds(), data_folder(data_dir)
    try:
        with warnings.catch_warnings(action="ignore"):
            parts = library.data_source(name, data_dir=folder, download=False)
    except ImportError as error:
        raise _missing_package(error) from error
    except Exception as error:
        # tfds raises about ten kinds of errors for a set that is not there, from AssertionError to ValueError.
        where = folder or Path("~/tensorflow_datasets")
        raise UserError(
            f"tfds:{name}: found no such set prepared in {where}; prepare it with tfds.builder({name!r}, data_dir="
            f"{str(where)!r}, file_format='array_record').download_and_prepare(), or name its folder by --data-dir"
        ) from error
    if "train" not in parts:
        raise UserError(f"tfds:{name}: expected the split train, found {', '.join(map(str, parts))}")
    features = parts["train"].dataset_info.features
    if not {"image", "label"} <= set(features):
        raise UserError(f"tfds:{name}: expected the features image and label, found {', '.join(features)}")
    names = getattr(features["label"], "names", None)
    if not names:
        raise UserError(f"tfds:{name}: expected label to be a class label, found {type(features['label']).__name__}")
    train = _read_split(f"tfds:{name} train", parts["train"], most_bytes)
    test, validation = (
        _read_split(f"tfds:{name} {part}", parts[part], most_bytes) if part in parts else None
        for part in ("test", "validation")
    )
    reader = _reader(name, train.x.shape[1:], prepare)
    return Dataset(f"tfds:{name}", train, test, tuple(names), 255.0, reader, validation=validation)


def _reader(name: str, shape: tuple[int, ...], prepare: str) -> ImageReader | DigitReader | None:
    """The reader of further images; None for images that are neither grey nor in colour, or too large."""
    if len(shape) != 3 or shape[2] not in (1, 3) or max(shape) > MAX_SIDE:
        return None
    height, width, channels = shape
    if prepare == "resize":
        return ImageReader((height, width), "grey" if channels == 1 else "rgb")
    if channels != 1:
        raise UserError(f"tfds:{name}: expected images in grey with prepare = 'digit', found {channels} channels")
    return DigitReader((height, width), 255.0)


def _import_tfds() -> ModuleType:
    try:
        with warnings.catch_warnings(action="ignore"):
            import tensorflow_datasets
    except ImportError as error:
        raise _missing_package(error) from error
    return tensorflow_datasets


def _missing_package(error: ImportError) -> UserError:
    remedy = "pip install tensorflow-datasets importlib-resources array-record"
    return UserError(f"tfds: expected the package tensorflow-datasets, found no {error.name}; install it ({remedy})")


def _read_split(where: str, source, most_bytes: int | None) -> Part:
    """Reads all examples of a split. ``source`` is a sequence of {"image": (h, w, c), "label": int}.

    The images stay where they are if they have more than most_bytes.
    """
    if not len(source):
        raise UserError(f"{where}: expected examples, found none")
    x, y, are_stored = np.empty(0, np.uint8), np.empty(len(source), np.int32), False
    for row in range(len(source)):
        try:
            example = source[row]
            image = np.asarray(example["image"])
        except ImportError as error:
            raise _missing_package(error) from error
        except Exception as error:
            raise UserError(f"{where}: example {row} cannot be read; prepare it again") from error
        if row == 0:
            needed = image.nbytes * len(source)
            are_stored = most_bytes is not None and needed > min(most_bytes, _MAX_BYTES)
            if needed > _MAX_BYTES and not are_stored:
                raise UserError(f"{where}: expected at most 2 GiB of images, found more; set data.where = 'stream'")
            x = np.empty((0 if are_stored else len(source), *image.shape), np.uint8)
        if image.shape != x.shape[1:] or image.dtype != np.uint8:
            raise UserError(
                f"{where}: expected uint8 images of one size {x.shape[1:]}, found {image.dtype} {image.shape}"
                f" in example {row}"
            )
        y[row] = example["label"]
        if not are_stored:
            x[row] = image
    return Part(_images(source, x.shape[1:]) if are_stored else x, y)


def _images(source, shape: tuple[int, ...]) -> Rows:
    """The images of a split, which are read when they are needed."""

    def read(numbers: np.ndarray) -> np.ndarray:
        examples = [source[int(number)] for number in numbers]
        return np.stack([np.asarray(example["image"]) for example in examples])

    return Rows((len(source), *shape), np.uint8, read)
