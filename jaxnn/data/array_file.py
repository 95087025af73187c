"""Reads a data set from NumPy files: an .npz file with x and y, or .npy files."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from jaxnn.data.array_reader import (
    ArrayReader,
    Integers,
    Targets,
    find_array,
    find_labels,
    read_arrays,
    to_inputs,
)
from jaxnn.data.data_dir import find_path
from jaxnn.data.dataset import Dataset, Part
from jaxnn.data.table_checks import check_labels_repeat
from jaxnn.errors import UserError


def arrays(
    path: str,
    y_path: str = "",
    test_path: str = "",
    test_y_path: str = "",
    targets: Targets = "auto",
    classes: tuple[str, ...] = (),
    first_label: int = 0,
    integers: Integers = "numbers",
    max_value: float | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    most_bytes: int | None = None,
) -> Dataset:
    """Reads arrays of examples and targets, whose first axis counts the examples.

    path: an .npz file with the arrays x and y (or x_train and y_train), and possibly x_test, y_test and classes; or an
        .npy file of inputs. A relative path is tried in the current folder, then in the data folder
    y_path: the .npy file of the targets, if ``path`` is an .npy file
    test_path: the file of the official test part: an .npz file, or an .npy file of inputs
    test_y_path: the .npy file of the targets of the test part, if ``test_path`` is an .npy file
    targets: "classes" or "numbers" (regression); auto: floats are numbers, integers and text are classes
    classes: the names of the classes in the order of their labels; default: the file's, its words, or its integers
    first_label: the integer that stands for the first class
    integers: what integers in x are: "numbers", read as float32, or "tokens", which stay integers for an embedding
    max_value: the value of full intensity for ``preprocess``; default: 255 for bytes, else 1
    most_bytes: an .npy file of more is read row by row

    Bytes (uint8) in 3 or 4 axes are images: (n, height, width) or (n, height, width, channel). All other numbers are
    float32 features (n, ...), rounded where they are float64.

    Raises UserError, also for Python objects in a file: pickles are not read.
    """
    file = find_path(path, data_dir)
    content = read_arrays(file, most_bytes)
    x, y = _pair(file, content, y_path, "y_path", data_dir, most_bytes)
    if not classes and content.get("classes") is not None:
        classes = tuple(str(name) for name in content["classes"].ravel().tolist())
    labels = find_labels(f"{file} y", y, targets, classes, first_label)
    train = Part(to_inputs(f"{file} x", x, integers), labels.read(f"{file} y", y))
    if labels.classes and y.ndim == 1:
        remedy = 'targets = "numbers" predicts numbers (regression)'
        check_labels_repeat(f"{file} y", len(set(y.tolist())), len(y), remedy)
    reader = ArrayReader(train.x.shape[1:], train.x.dtype.name, labels)
    test = None
    if test_path:
        test_file = find_path(test_path, data_dir)
        test_x, test_y = _pair(
            test_file, read_arrays(test_file, most_bytes), test_y_path, "test_y_path", data_dir, most_bytes
        )
        test = Part(to_inputs(f"{test_file} x", test_x, integers), labels.read(f"{test_file} y", test_y))
    elif "x_test" in content:
        test_y = find_array(file, content, "y_test")
        test_x = to_inputs(f"{file} x_test", content["x_test"], integers)
        test = Part(test_x, labels.read(f"{file} y_test", test_y))
    if max_value is None:
        max_value = 255.0 if x.dtype == "uint8" else 1.0
    return Dataset("arrays", train, test, labels.classes, max_value, reader)


def _pair(
    file: Path,
    content: Mapping[str, np.ndarray],
    y_path: str,
    option: str,
    data_dir: str | os.PathLike[str] | None,
    most_bytes: int | None,
) -> tuple[Shaped[np.ndarray, "..."], Shaped[np.ndarray, "..."]]:
    """The inputs and the targets: two arrays of one file, or of two."""
    if "" not in content:
        if y_path:
            raise UserError(f"arrays: {option}: expected none with an .npz file, which holds y, found {y_path}")
        return find_array(file, content, "x"), find_array(file, content, "y")
    if not y_path:
        raise UserError(
            f"{file}: expected an .npz file with x and y, found one array (.npy); set {option} to the .npy file of y"
        )
    y_file = find_path(y_path, data_dir)
    targets = read_arrays(y_file, most_bytes)
    return content[""], targets[""] if "" in targets else find_array(y_file, targets, "y")
