"""Parameters on disk: those of a run with its preprocessing, and those of a user's own loop."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxnn.errors import UserError
from jaxnn.layer import Params
from jaxnn.storage.arrays import encode_arrays, load_arrays, named_arrays, restore, save_arrays


def save_params(path: str | os.PathLike[str], params: Params) -> None:
    """Writes a pytree of arrays as a safetensors file with a SHA-256 of each array, whole or not at all.

    >>> import jax, jaxnn, tempfile
    >>> params = jaxnn.dense(3).init(jax.random.key(0), jax.numpy.ones((1, 2)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     jaxnn.save_params(f"{folder}/dense.safetensors", params)
    ...     loaded = jaxnn.load_params(f"{folder}/dense.safetensors", like=params)
    >>> loaded.weight.shape
    (2, 3)
    """
    save_arrays(Path(path), named_arrays(params))


def load_params(path: str | os.PathLike[str], like: Params | None = None) -> Params:
    """The pytree that `save_params` wrote, as NumPy arrays.

    like: a tree of the same structure (arrays or shapes); None gives nested dictionaries by the names of the arrays
    Raises `UserError` for a file that is missing, damaged or of another model, with the path of the first difference.
    """
    arrays = load_arrays(Path(path))
    try:
        return nested(arrays) if like is None else restore(like, arrays)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def nested(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Arrays by their paths, such as "body/0/weight", as dictionaries in dictionaries.

    Raises `UserError` for an array whose path leads through another one.
    """
    tree: dict[str, Any] = {}
    for path, array in arrays.items():
        *outer, name = path.split("/")
        inner = tree
        for part in outer:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise UserError(f"expected arrays of one tree, found {path!r} inside the array {part!r}")
        if name in inner:
            raise UserError(f"expected arrays of one tree, found others inside the array {path!r}")
        inner[name] = array
    return tree


def save_weights(path: Path, params: Params, stats: Any) -> None:
    """Writes the parameters of a run, and the arrays of the preprocessing that they were trained with."""
    save_arrays(path, weight_arrays(params, stats))


def weights_sha256(params: Params, stats: Any) -> str:
    """The SHA-256 of the file that `save_weights` writes, without writing it."""
    return hashlib.sha256(encode_arrays(weight_arrays(params, stats))[0]).hexdigest()


def weight_arrays(params: Params, stats: Any) -> dict[str, np.ndarray]:
    """The arrays of a run's file of weights by name."""
    return named_arrays({"params": params, "stats": stats})


def load_weights(path: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The arrays of the parameters and of the preprocessing by name, as `save_weights` wrote them."""
    params, stats = {}, {}
    for name, array in load_arrays(path).items():
        group, _, inner = name.partition("/")
        (params if group == "params" else stats)[inner] = array
    return params, stats
