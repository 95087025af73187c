"""Arrays on disk: a safetensors file with a SHA-256 for each array, written completely or not at all.

Arrays are named by their paths in a pytree. The file names no class or function, and nothing in it is executed.
"""

import functools
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from safetensors import SafetensorError, deserialize, safe_open
from safetensors.numpy import save

from jaxnn.errors import UserError
from jaxnn.storage.files import atomic_write, one_line

#: The version of our entry in the metadata, and its key.
FORMAT = 2
METADATA_KEY = "jaxnn"
#: The dtype, in a file, of an array whose own dtype safetensors does not have: a row of bytes. Earlier versions wrote
#: bfloat16 and float8 so.
BYTES = "U8"
#: The dtypes that both safetensors and NumPy have.
NATIVE_DTYPES = ("bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)))
NATIVE_DTYPES += ("float16", "float32", "float64")
#: All dtypes that a file may hold, by name.
DTYPES = {name: np.dtype(name) for name in (*NATIVE_DTYPES, "complex64", "complex128")} | {
    name: np.dtype(getattr(jnp, name))
    for name in dir(jnp)
    if name.startswith(("bfloat", "float8", "float4", "int4", "uint4", "int2", "uint2"))
}


def path_name(path: Any) -> str:
    """The name of a pytree's leaf by its path, such as "0/weight"."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def named_arrays(tree: Any) -> dict[str, np.ndarray]:
    """The leaves of a pytree of arrays, by name. Raises `UserError` where two leaves have one name."""
    arrays: dict[str, np.ndarray] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        name = path_name(path)
        if name in arrays:
            raise UserError(f"expected a name for each array, found {name!r} twice; use no key with a slash in it")
        arrays[name] = np.asarray(leaf)
    return arrays


def restore(like: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The pytree whose leaves `named_arrays` gave, in the structure of `like` (arrays or `jax.ShapeDtypeStruct`).

    Raises `UserError` with the name of the first leaf that differs in presence, shape or dtype.
    """
    expected = {path_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(like)}
    check_shapes(expected, {name: (array.shape, array.dtype) for name, array in arrays.items()})
    return jax.tree.unflatten(jax.tree.structure(like), [arrays[name] for name in expected])


def check_shapes(expected: Mapping[str, Any], stored: Mapping[str, tuple[tuple[int, ...], Any]]) -> None:
    """Raises `UserError` unless names, shapes and dtypes agree."""
    for name, leaf in expected.items():
        if name not in stored:
            raise UserError(
                f"expected an array {name!r} of shape {leaf.shape}, found none; the file is of another model"
            )
        if stored[name] != (leaf.shape, leaf.dtype):
            raise UserError(
                f"expected {name!r} of shape {leaf.shape} and dtype {leaf.dtype}, "
                f"found {stored[name][0]} and {stored[name][1]}"
            )
    for name in stored:
        if name not in expected:
            raise UserError(f"expected no array {name!r}; the file is of another model")


def array_sha256(array: np.ndarray) -> str:
    """SHA-256 of an array's dtype, shape and bytes in row-major order."""
    return hashlib.sha256(f"{array.dtype.name}{array.shape}".encode() + array.tobytes()).hexdigest()


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """Writes arrays by name, and returns the dtype, shape and SHA-256 of each as it stands in the file."""
    content, specs = encode_arrays(arrays)
    atomic_write(path, content)
    return specs


def encode_arrays(arrays: Mapping[str, np.ndarray]) -> tuple[bytes, dict[str, dict[str, Any]]]:
    """The content of a file of arrays by name, and the dtype, shape and SHA-256 of each as it stands there."""
    stored, specs = {}, {}
    for name, array in arrays.items():
        # Not `ascontiguousarray`, which turns an array of no axes into one of one axis.
        array = np.asarray(array.astype(array.dtype.newbyteorder("<"), copy=False), order="C")
        specs[name] = {"dtype": array.dtype.name, "shape": list(array.shape), "sha256": array_sha256(array)}
        stored[name] = array if _file_dtype(array.dtype) else np.frombuffer(array.tobytes(), np.uint8)
    # A single entry, because safetensors writes several in an order that changes from process to process.
    metadata = {METADATA_KEY: json.dumps({"format": FORMAT, "arrays": specs}, sort_keys=True)}
    return save(stored, metadata=metadata), specs


def load_arrays(path: Path, expected: Mapping[str, Any] | None = None) -> dict[str, np.ndarray]:
    """The arrays of a file that `save_arrays` wrote. Raises `UserError` if it is missing, damaged or of another kind.

    expected: the shape and dtype of each array. They are checked before any array is read, so that no file can fill
    the memory
    """
    if path.is_symlink():
        raise UserError(f"{path}: expected a plain file, found a symbolic link")
    try:
        with safe_open(path, framework="numpy") as file:
            specs = _read_specs(path, file)
            stored = {name: (shape, dtype) for name, (shape, dtype, _) in specs.items()}
            if expected is not None:
                try:
                    check_shapes(expected, stored)
                except UserError as error:
                    raise UserError(f"{path}: {error}") from None
            arrays = _read_arrays(path, file, stored)
    except FileNotFoundError:
        raise UserError(f"{path}: expected a file of weights, found none") from None
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path}: expected a valid safetensors file, found damage ({one_line(error)})") from error
    for name, array in arrays.items():
        if array.dtype != specs[name][1] or array_sha256(array) != specs[name][2]:
            raise UserError(f"{path}: array {name!r} is damaged: its SHA-256 is not the one that was written")
    return arrays


def _read_specs(path: Path, file: Any) -> dict[str, tuple[tuple[int, ...], np.dtype, str]]:
    """Shape, dtype and SHA-256 of each array, checked against the sizes that safetensors stores."""
    entry = json.loads((file.metadata() or {}).get(METADATA_KEY, "null"))
    entries = entry.get("arrays") if isinstance(entry, dict) and entry.get("format") == FORMAT else None
    if not isinstance(entries, dict) or set(entries) != set(file.keys()):
        raise UserError(f"{path}: expected format {FORMAT} with a SHA-256 of each array, found another file")
    specs = {}
    for name, spec in entries.items():
        shape, dtype = tuple(spec["shape"]), DTYPES[spec["dtype"]]
        stored = file.get_slice(name)
        found = stored.get_dtype(), tuple(stored.get_shape())
        forms = (_file_dtype(dtype), shape), (BYTES, (math.prod(shape) * dtype.itemsize,))
        if not all(isinstance(n, int) and n >= 0 for n in shape) or found not in forms:
            raise UserError(
                f"{path}: expected {name!r} of shape {shape} and dtype {dtype}, found {found[1]} and {found[0]}; "
                "the file is damaged"
            )
        specs[name] = (shape, dtype, spec["sha256"])
    return specs


@functools.cache
def _file_dtype(dtype: np.dtype) -> str:
    """The name of a dtype in the files of safetensors, such as BF16; "" for one that it does not have."""
    try:
        data = save({"": np.zeros(0, dtype)})
    except SafetensorError:
        return ""
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])[""]["dtype"]


def _read_arrays(
    path: Path, file: Any, stored: Mapping[str, tuple[tuple[int, ...], np.dtype]]
) -> dict[str, np.ndarray]:
    """The arrays of an open file whose shapes and dtypes are checked."""
    # The reader for NumPy lacks the dtypes that NumPy lacks; it gives their bytes for a whole file only.
    raw = {}
    if any(
        dtype.name not in NATIVE_DTYPES and file.get_slice(name).get_dtype() != BYTES
        for name, (_, dtype) in stored.items()
    ):
        raw = {name: tensor["data"] for name, tensor in deserialize(path.read_bytes())}
    arrays = {}
    for name, (shape, dtype) in stored.items():
        if name in raw and dtype.name not in NATIVE_DTYPES:
            arrays[name] = np.frombuffer(raw[name], dtype).reshape(shape)
        else:
            array = file.get_tensor(name)
            arrays[name] = array if array.dtype == dtype else np.frombuffer(array.tobytes(), dtype).reshape(shape)
    return arrays
