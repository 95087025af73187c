"""Weights on disk: a safetensors file that carries a SHA-256 of each of its arrays, written whole or not at all.

Array names are pytree paths; no class or function is ever named in a file, and nothing in it can run.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from jaxnn.errors import UserError
from jaxnn.files import write_whole

#: The version of what the metadata hold.
FORMAT = "1"


def named_arrays(tree: Any) -> dict[str, np.ndarray]:
    """The leaves of a pytree of arrays by their paths, as "0/weight"."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf) for path, leaf in leaves}


def restore(like: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """A pytree of the structure of `like` (arrays or `jax.ShapeDtypeStruct`) out of `named_arrays`.

    Raises `UserError` with the path of the first difference.
    """
    expected = {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(like)
    }
    for name, leaf in expected.items():
        if name not in arrays:
            raise UserError(
                f"expected an array {name!r} of shape {leaf.shape}, found none; the file is of another model"
            )
        found = arrays[name]
        if (found.shape, found.dtype) != (leaf.shape, leaf.dtype):
            raise UserError(
                f"expected {name!r} of shape {leaf.shape} and dtype {leaf.dtype}, found {found.shape} and {found.dtype}"
            )
    for name in arrays:
        if name not in expected:
            raise UserError(f"expected no array {name!r}; the file is of another model")
    return jax.tree.unflatten(jax.tree.structure(like), [arrays[name] for name in expected])


def digest(array: np.ndarray) -> str:
    """SHA-256 of an array: of its dtype, its shape and its bytes in row-major order."""
    head = f"{array.dtype.str if array.dtype.kind != 'V' else array.dtype.name}{array.shape}"
    return hashlib.sha256(head.encode() + np.ascontiguousarray(array).tobytes()).hexdigest()


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by name, with the digest of each."""
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    digests = json.dumps({name: digest(array) for name, array in whole.items()}, sort_keys=True)
    write_whole(path, save(whole, metadata={"format": FORMAT, "sha256": digests}))


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file that `save_arrays` wrote; raises `UserError` for a missing, foreign or damaged file."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata, names = file.metadata() or {}, list(file.keys())
            arrays = {name: file.get_tensor(name) for name in names}
        digests = json.loads(metadata.get("sha256", "{}"))
    except FileNotFoundError:
        raise UserError(f"{path}: expected a file of weights, found none") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path}: expected a sound safetensors file, found damage ({error})") from error
    if metadata.get("format") != FORMAT or not isinstance(digests, dict) or set(digests) != set(arrays):
        raise UserError(f"{path}: expected format {FORMAT} with a SHA-256 of each array, found another file")
    for name, array in arrays.items():
        if digest(array) != digests[name]:
            raise UserError(f"{path}: array {name!r} is damaged: its SHA-256 is not the one that was written")
    return arrays
