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
from jaxnn.errors import UserError

# name, name/config or name/config:1.2.3. A namespace (huggingface:...) is excluded: it would use the network.
_NAME = re.compile(r"[A-Za-z]\w*(/[\w.+-]+)?(:\d+\.\d+\.\d+)?")
_MAX_BYTES = 2 << 30


def tfds(
    name: str, prepare: Literal["resize", "digit"] = "resize", data_dir: str | os.PathLike[str] | None = None
) -> Dataset:
    """Reads the set ``name`` as uint8 images (n, height, width, channel) and int32 labels; ``max_value`` is 255.

    The set must have been prepared in the data folder (without one: in the default folder of TensorFlow Datasets) in
    a random-access format, ``file_format='array_record'``. It must have the features ``image``, all of one size, and
    ``label``. Its split ``train`` becomes the training part, ``test``, if there is one, the official test part and
    ``validation`` the official validation part.

    prepare: how the images that a run predicts are prepared: "resize", or "digit" for a set of digits that were
        prepared as MNIST's are (bright ink on black, cropped and centred)

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
    train = _read_split(f"tfds:{name} train", parts["train"])
    test, validation = (
        _read_split(f"tfds:{name} {part}", parts[part]) if part in parts else None for part in ("test", "validation")
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


def _read_split(where: str, source) -> Part:
    """Reads all examples of a split. ``source`` is a sequence of {"image": (h, w, c), "label": int}."""
    if not len(source):
        raise UserError(f"{where}: expected examples, found none")
    x, y = np.empty(0, np.uint8), np.empty(len(source), np.int32)
    for row in range(len(source)):
        try:
            example = source[row]
            image = np.asarray(example["image"])
        except ImportError as error:
            raise _missing_package(error) from error
        except Exception as error:
            raise UserError(f"{where}: example {row} cannot be read; prepare it again") from error
        if row == 0:
            if image.nbytes * len(source) > _MAX_BYTES:
                raise UserError(f"{where}: expected at most 2 GiB of images, found more")
            x = np.empty((len(source), *image.shape), np.uint8)
        if image.shape != x.shape[1:] or image.dtype != np.uint8:
            raise UserError(
                f"{where}: expected uint8 images of one size {x.shape[1:]}, found {image.dtype} {image.shape}"
                f" in example {row}"
            )
        x[row], y[row] = image, example["label"]
    return Part(x, y)
