"""Arrays are stored in their own dtype, as another reader of safetensors sees it, and files written earlier load."""

import hashlib
import json

import jax
import numpy as np
import pytest
from safetensors import deserialize, safe_open
from safetensors.numpy import save

import jaxnn
from jaxnn.errors import UserError
from jaxnn.storage.arrays import DTYPES, METADATA_KEY, array_sha256, load_arrays, save_arrays

#: The name that a file of safetensors has for a dtype.
FILE_DTYPES = {
    "bool": "BOOL", "int8": "I8", "uint8": "U8", "int32": "I32", "int64": "I64", "float16": "F16", "bfloat16": "BF16",
    "float32": "F32", "float64": "F64", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2",
}  # fmt: skip


def values(name: str, shape=(3, 5)) -> np.ndarray:
    return np.asarray(np.arange(np.prod(shape)).reshape(shape) % 3).astype(DTYPES[name])


@pytest.mark.parametrize("name", FILE_DTYPES)
def test_array_is_stored_in_its_dtype(name, tmp_path):
    """Read without our code: by the library, and from the header that its format describes."""
    path, array = tmp_path / "a.safetensors", values(name)
    save_arrays(path, {"a": array, "b": values("float32", ())})
    with safe_open(path, framework="numpy") as file:
        assert file.get_slice("a").get_dtype() == FILE_DTYPES[name]
        assert file.get_slice("a").get_shape() == [3, 5]
    tensors = dict(deserialize(path.read_bytes()))
    assert (tensors["a"]["dtype"], tensors["a"]["shape"]) == (FILE_DTYPES[name], [3, 5])
    assert bytes(tensors["a"]["data"]) == array.tobytes()


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("shape", [(3, 5), (), (0, 4)])
def test_every_dtype_and_shape_is_read_back(name, shape, tmp_path):
    arrays = {"a": values(name, shape), "b": values("float32")}
    save_arrays(tmp_path / "a.safetensors", arrays)
    restored = load_arrays(tmp_path / "a.safetensors", arrays)
    for key, array in arrays.items():
        assert (restored[key].dtype, restored[key].shape) == (array.dtype, array.shape)
        assert restored[key].tobytes() == array.tobytes()


def bytes_file(array: np.ndarray, **changes) -> bytes:
    """A file as earlier versions wrote a dtype that NumPy lacks: a row of bytes, the dtype in our metadata."""
    spec = {"dtype": array.dtype.name, "shape": list(array.shape), "sha256": array_sha256(array)} | changes
    metadata = {METADATA_KEY: json.dumps({"format": 2, "arrays": {"a": spec}})}
    return save({"a": np.frombuffer(array.tobytes(), np.uint8)}, metadata=metadata)


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3", "int4", "complex64"])
def test_file_of_bytes_written_earlier_is_read(name, tmp_path):
    path, array = tmp_path / "a.safetensors", values(name)
    path.write_bytes(bytes_file(array))
    restored = load_arrays(path)["a"]
    assert restored.dtype == array.dtype and restored.tobytes() == array.tobytes()


def test_stored_dtype_that_is_not_the_one_of_the_metadata_is_refused(tmp_path):
    path, array = tmp_path / "a.safetensors", values("bfloat16")
    spec = {"dtype": "float16", "shape": [3, 5], "sha256": hashlib.sha256(b"").hexdigest()}
    path.write_bytes(save({"a": array}, metadata={METADATA_KEY: json.dumps({"format": 2, "arrays": {"a": spec}})}))
    with pytest.raises(
        UserError, match=r"expected 'a' of shape .* and dtype float16, found .* BF16; the file is damaged"
    ):
        load_arrays(path)


def test_parameters_in_bfloat16_are_bf16_on_disk(tmp_path):
    model, x = jaxnn.serial(jaxnn.dense(3)), np.ones((2, 5), np.float32)
    params = jax.tree.map(lambda a: a.astype("bfloat16"), model.init(jax.random.key(0), x))
    path = tmp_path / "weights.safetensors"
    jaxnn.save_params(path, params)
    with safe_open(path, framework="numpy") as file:
        assert {file.get_slice(name).get_dtype() for name in file.keys()} == {"BF16"}  # noqa: SIM118
    restored = jaxnn.load_params(path, params)
    assert all(
        a.dtype == b.dtype and (a == b).all() for a, b in zip(*map(jax.tree.leaves, (restored, params)), strict=True)
    )
