"""Many inputs for every reader: random bytes and corrupted valid files. A reader may raise `UserError` alone."""

import gzip
import io
import json
import pickle
import struct
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from jaxnn.config import find
from jaxnn.config import load as load_config
from jaxnn.data import load
from jaxnn.data.idx import read_idx
from jaxnn.data.image_reader import DigitReader, ImageReader
from jaxnn.data.pickle_reader import read_pickle
from jaxnn.errors import UserError
from jaxnn.runs import checkpoints
from jaxnn.runs.history import read_history
from jaxnn.runs.run import load_run
from jaxnn.runs.weights import load_params, load_weights
from jaxnn.storage import arrays as array_file
from jaxnn.storage.files import read_checksummed_json, sha256, write_checksummed_json
from tests.trust.precision import cli_precision


class Reader(NamedTuple):
    """inputs: the bytes to write to a file; read(path) reads it; max_examples: its share of the 11,000 inputs."""

    inputs: st.SearchStrategy[bytes]
    read: Callable[[Path], object]
    max_examples: int


def corrupted(original: bytes, *pieces: bytes) -> st.SearchStrategy[bytes]:
    """Valid bytes with a few pieces replaced by others, or truncated."""
    known = [*pieces, b"", b"\0", b"\xff" * 4, b"\x7f\xff\xff\xff"]

    def edit(random: bytes) -> bytes:
        data, (count, end) = original, random[:2]
        for position, length, which, letters in struct.iter_unpack("<HBB4s", random[2 : 2 + 8 * (1 + count % 4)]):
            piece = known[which % len(known)] if which < 128 else letters[: which % 5]
            start = position * (len(original) + 1) >> 16
            data = data[:start] + piece + data[start + length % 6 :]
        return data[: len(data) - (0, 0, 0, 1, 7, len(original) // 2)[end % 6]]

    # A single draw, because hypothesis needs longer for a draw than most readers for a file.
    return st.binary(min_size=34, max_size=34).map(edit)


def corrupted_values(facts: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """JSON in which a few values are replaced by values of any kind."""
    leaf = st.none() | st.booleans() | st.integers(-2, 2**64) | st.floats() | st.text(max_size=5) | st.just("../x")
    any_value = leaf | st.lists(leaf, max_size=2) | st.dictionaries(st.text(max_size=3), leaf, max_size=2)

    @st.composite
    def changed(draw: Any) -> bytes:
        copy = json.loads(json.dumps(facts))
        for _ in range(draw(st.integers(1, 2))):
            node: Any = copy
            while True:
                key = draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
                if isinstance(node[key], dict | list) and node[key] and draw(st.booleans()):
                    node = node[key]
                    continue
                if isinstance(node, dict) and draw(st.integers(0, 4)) == 0:
                    del node[key]
                else:
                    node[key] = draw(any_value)
                break
            if not copy:
                break
        return json.dumps(copy).encode()

    return changed()


def picture(kind: str) -> bytes:
    image, file = Image.new("L", (40, 30), 255), io.BytesIO()
    ImageDraw.Draw(image).line([(9, 5), (30, 25)], fill=0, width=4)
    image.save(file, kind)
    return file.getvalue()


def idx() -> bytes:
    return bytes([0, 0, 8, 3]) + struct.pack(">3I", 3, 5, 7) + bytes(105)


@cache
def safetensors() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        array_file.save_arrays(path, {"a/b": np.arange(6.0).reshape(2, 3), "c": np.zeros((), np.int8)})
        return path.read_bytes()


def read_overrides(path: Path) -> object:
    """Loads a shipped config with the bytes as overrides, one a line."""
    lines = path.read_bytes().decode("utf-8", "replace").splitlines()
    return load_config("digits_mlp", [line for line in lines if line.isprintable()])


HISTORY = b"seed,epoch,split,loss,accuracy\n0,1,train,2.5,0.1\n0,1,validation,2.4,0.2\n0,2,train,1.5,0.5\n"


def read_weights(path: Path) -> object:
    """Reads weights as a run does, and as a user's own loop does."""
    load_weights(path)
    return load_params(path)


#: An experiment in Python that is trained nowhere, and whose parameters are none of those in a run.
EXPERIMENT = """
import numpy as np
from jaxnn import Experiment, Plan, dense, in_memory, optimizer, quadratic, supervised
source = in_memory(np.ones((2, 3), np.float32), np.ones((2, 1), np.float32))
experiment = Experiment(supervised(dense(1), quadratic(), optimizer("sgd", 0.1)), source, Plan(1))
"""


def python_manifest(manifest: dict[str, Any], run: Path) -> dict[str, Any]:
    """The manifest of a run of an experiment in Python, whose file lies beside the run's folder."""
    file = run.resolve().parent / "experiment_of_the_fuzz.py"
    file.write_text(EXPERIMENT)
    origin = {"file": str(file), "name": "experiment", "sha256": sha256(file), "overrides": {}}
    facts = {key: value for key, value in manifest.items() if not key.startswith("config")}
    return facts | {"grad": "", "experiment": origin}


def readers(run: Path) -> dict[str, Reader]:
    """Every reader of files, by what it reads. `run` is a finished run; its files are only read."""
    toml = find("digits_mlp").read_bytes()
    valid_pickle = pickle.dumps(((np.zeros((2, 4), np.float32), np.arange(2)),) * 3, 2)
    manifest, last = read_checksummed_json(run / "manifest.json"), checkpoints.paths(run)[-1]

    def read_run(path: Path) -> object:
        folder = path.parent
        write_manifest(folder / "manifest.json", path)
        with cli_precision():
            return load_run(folder)

    def read_checkpoint(path: Path) -> object:
        folder = path.parent / last.name
        write_manifest(folder / "manifest.json", path)
        return checkpoints.read(folder).facts["rows"] + 1

    opcodes = [code for code in vars(pickle).values() if isinstance(code, bytes) and len(code) == 1]
    return {
        "pickle": Reader(corrupted(valid_pickle, *opcodes) | st.binary(max_size=40), read_pickle, 1800),
        "pickle in gzip": Reader(corrupted(gzip.compress(valid_pickle), b"\x1f\x8b"), read_pickle, 1000),
        "IDX": Reader(corrupted(idx(), b"\0\0\x08\1"), lambda path: read_idx(path, 3), 1300),
        "IDX in gzip": Reader(corrupted(gzip.compress(idx())), lambda path: read_idx(path, 3), 500),
        "CSV": Reader(
            corrupted(b"a,b,label\n1,2,x\n3,4,y\n5,6e1,x\n", b",", b'"', b"\n", b"nan", b"1e999", b";"),
            lambda path: load("csv", {"path": str(path)}), 1500,
        ),
        "text": Reader(
            corrupted("Né à l'Ω, one two.\n".encode() * 3, b"\xef\xbb\xbf", b"\r\n", b"\xe9", b"\xff\xfe"),
            lambda path: load("text", {"file": str(path), "tokens": "words", "window": 4}), 200,
        ),
        "lines": Reader(
            corrupted("emma\nnoël\n\nava\n".encode(), b"\n", b"\r", b"\x85", b"\xe9"),
            lambda path: load("lines", {"file": str(path)}), 200,
        ),
        "labelled lines": Reader(
            corrupted(b"good film,1\nbad film,0\n\"fine, so\",1\n", b",", b'"', b"\n", b"\xe9"),
            lambda path: load("labelled_lines", {"file": str(path)}), 200,
        ),
        "series": Reader(
            corrupted(b"month,number\n1,112\n2,118\n3,1.5e2\n4,9\n", b",", b'"', b"\n", b"nan", b"1e999"),
            lambda path: load("series", {"file": str(path), "window": 2}), 200,
        ),
        "ts": Reader(
            corrupted(
                b"@problemName a\n@timeStamps false\n@classLabel true u v\n@data\n1,2,3:4,5,6:u\n1,2:3,4:v\n",
                b":", b",", b"@", b"\n", b"?", b"true",
            ),
            lambda path: load("ts", {"file": str(path)}), 200,
        ),
        "weights": Reader(corrupted(safetensors(), b"[", b"{", b"9" * 20, b'"'), array_file.load_arrays, 1000),
        "weights of a run": Reader(corrupted(safetensors(), b"params/", b"stats", b"/", b'"'), read_weights, 200),
        "PNG": Reader(corrupted(picture("PNG")), DigitReader((28, 28)).inputs, 200),
        "JPEG": Reader(corrupted(picture("JPEG")), ImageReader((28, 28), "rgb").inputs, 200),
        "GIF": Reader(corrupted(picture("GIF")), DigitReader((8, 8), 16.0).inputs, 150),
        "BMP": Reader(corrupted(picture("BMP")), DigitReader((28, 28)).inputs, 150),
        "TIFF": Reader(corrupted(picture("TIFF")), ImageReader((28, 28), "grey").inputs, 150),
        "WEBP": Reader(corrupted(picture("WEBP")), ImageReader((28, 28), "grey").inputs, 150),
        "config": Reader(corrupted(toml, b"[", b"]", b'"', b"=", b"\n", b"1e9", b"{"), load_config, 300),
        "overrides": Reader(corrupted(b"train.epochs=3\nnet.0.units=5", b"=", b".", b"[", b"{"), read_overrides, 100),
        "history": Reader(corrupted(HISTORY, b",", b"\n", b'"', b"-1", b"train"), read_history, 600),
        "manifest with checksum": Reader(corrupted_values(manifest), read_run, 200),
        "manifest of a Python run": Reader(corrupted_values(python_manifest(manifest, run)), read_run, 200),
        "checkpoint with checksum": Reader(
            corrupted_values(read_checksummed_json(last / "manifest.json")), read_checkpoint, 300
        ),
    }  # fmt: skip


def write_manifest(path: Path, facts: Path) -> None:
    """Writes facts with a correct checksum, even if they contain a surrogate or an infinity."""
    write_checksummed_json(path, json.loads(facts.read_bytes()))


def fuzz(reader: Reader, name: str, path: Path, times: float = 1.0) -> int:
    """How many inputs were read or refused in one line. Raises any other error of the reader."""
    count = 0

    @settings(
        max_examples=int(reader.max_examples * times),
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(data=reader.inputs)
    def attempt(data: bytes) -> None:
        nonlocal count
        count += 1
        path.write_bytes(data)
        try:
            reader.read(path)
        except UserError as error:
            # A config's errors are one line for each mistake.
            if "\n" in str(error) and name not in ("config", "overrides"):
                raise AssertionError(f"more than one line: {error}") from error

    attempt()
    return count
