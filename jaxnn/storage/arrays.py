"""Arrays on disk: a safetensors file that carries a SHA-256 of each of its arrays, written whole or not at all.

Array names are pytree paths; no class or function is ever named in a file, and nothing in it can run.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from jaxnn.errors import UserError
from jaxnn.storage.files import in_a_line, write_whole

#: The version of what the metadata hold, and their name.
FORMAT = 2
ENTRY = "jaxnn"
#: What safetensors and NumPy both know; arrays of other types are kept as their bytes, beside their type's name.
PLAIN = ("bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)))
PLAIN += ("float16", "float32", "float64")
#: Types of numbers, by the names that a file may give.
TYPES = {name: np.dtype(name) for name in (*PLAIN, "complex64", "complex128")} | {
    name: np.dtype(getattr(jnp, name))
    for name in dir(jnp)
    if name.startswith(("bfloat", "float8", "float4", "int4", "uint4", "int2", "uint2"))
}


def path_name(path: Any) -> str:
    """The name of a leaf of a pytree by its path, as "0/weight"."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def named_arrays(tree: Any) -> dict[str, np.ndarray]:
    """The leaves of a pytree of arrays by their paths."""
    return {path_name(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def restore(like: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """A pytree of the structure of `like` (arrays or `jax.ShapeDtypeStruct`) out of `named_arrays`.

    Raises `UserError` with the path of the first difference.
    """
    expected = {path_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(like)}
    compare(expected, {name: (array.shape, array.dtype) for name, array in arrays.items()})
    return jax.tree.unflatten(jax.tree.structure(like), [arrays[name] for name in expected])


def compare(expected: Mapping[str, Any], found: Mapping[str, tuple[tuple[int, ...], Any]]) -> None:
    """Raises `UserError` unless the names, shapes and types of arrays agree."""
    for name, leaf in expected.items():
        if name not in found:
            raise UserError(
                f"expected an array {name!r} of shape {leaf.shape}, found none; the file is of another model"
            )
        if found[name] != (leaf.shape, leaf.dtype):
            raise UserError(
                f"expected {name!r} of shape {leaf.shape} and dtype {leaf.dtype}, "
                f"found {found[name][0]} and {found[name][1]}"
            )
    for name in found:
        if name not in expected:
            raise UserError(f"expected no array {name!r}; the file is of another model")


def digest(array: np.ndarray) -> str:
    """SHA-256 of an array: of its dtype, its shape and its bytes in row-major order."""
    return hashlib.sha256(f"{array.dtype.name}{array.shape}".encode() + array.tobytes()).hexdigest()


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """Writes arrays by name, with type, shape and digest of each, which it returns."""
    kept, about = {}, {}
    for name, array in arrays.items():
        # Not `ascontiguousarray`, which gives an array of no axes one.
        array = np.asarray(array.astype(array.dtype.newbyteorder("<"), copy=False), order="C")
        about[name] = {"dtype": array.dtype.name, "shape": list(array.shape), "sha256": digest(array)}
        plain = array.dtype.name in PLAIN
        kept[name] = array if plain else np.frombuffer(array.tobytes(), np.uint8)
    # One entry alone: safetensors writes several in an order that changes from process to process.
    metadata = {ENTRY: json.dumps({"format": FORMAT, "arrays": about}, sort_keys=True)}
    write_whole(path, save(kept, metadata=metadata))
    return about


def load_arrays(path: Path, expected: Mapping[str, Any] | None = None) -> dict[str, np.ndarray]:
    """The arrays of a file that `save_arrays` wrote; raises `UserError` for a missing, foreign or damaged file.

    expected: the shape and dtype of each array, checked before any is read, so that a file cannot fill the memory
    """
    if path.is_symlink():
        raise UserError(f"{path}: expected a plain file, found a symbolic link")
    try:
        with safe_open(path, framework="numpy") as file:
            about = _about(path, file)
            found = {name: (shape, dtype) for name, (shape, dtype, _) in about.items()}
            if expected is not None:
                try:
                    compare(expected, found)
                except UserError as error:
                    raise UserError(f"{path}: {error}") from None
            arrays = {name: _read(file, name, *found[name]) for name in about}
    except FileNotFoundError:
        raise UserError(f"{path}: expected a file of weights, found none") from None
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path}: expected a sound safetensors file, found damage ({in_a_line(error)})") from error
    for name, array in arrays.items():
        if array.dtype != about[name][1] or digest(array) != about[name][2]:
            raise UserError(f"{path}: array {name!r} is damaged: its SHA-256 is not the one that was written")
    return arrays


def _about(path: Path, file: Any) -> dict[str, tuple[tuple[int, ...], np.dtype, str]]:
    entry = json.loads((file.metadata() or {}).get(ENTRY, "null"))
    about = entry.get("arrays") if isinstance(entry, dict) and entry.get("format") == FORMAT else None
    if not isinstance(about, dict) or set(about) != set(file.keys()):
        raise UserError(f"{path}: expected format {FORMAT} with a SHA-256 of each array, found another file")
    found = {}
    for name, facts in about.items():
        shape, dtype = tuple(facts["shape"]), TYPES[facts["dtype"]]
        stored = tuple(file.get_slice(name).get_shape())
        size = (math.prod(shape) * dtype.itemsize,)
        if not all(isinstance(n, int) and n >= 0 for n in shape) or stored != (shape if _plain(dtype) else size):
            raise UserError(f"{path}: expected {name!r} of shape {shape}, found {stored}; the file is damaged")
        found[name] = (shape, dtype, facts["sha256"])
    return found


def _plain(dtype: np.dtype) -> bool:
    return dtype.name in PLAIN


def _read(file: Any, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    array = file.get_tensor(name)
    return array if _plain(dtype) else np.frombuffer(array.tobytes(), dtype).reshape(shape)
