"""Inputs without number for every reader: random, and sound ones spoilt in a few places. Only `UserError` may come."""

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
from jaxnn.data.handwriting import read_image
from jaxnn.data.idx import read_idx
from jaxnn.data.pickle_reader import read_pickle
from jaxnn.errors import UserError
from jaxnn.runs import checkpoints
from jaxnn.runs import folder as run_folder
from jaxnn.storage import arrays as array_file
from jaxnn.storage.files import read_sealed, write_sealed


class Reader(NamedTuple):
    """inputs: what is written to a file; read(path) reads it; count: how many inputs of 10,000 are its own."""

    inputs: st.SearchStrategy[bytes]
    read: Callable[[Path], object]
    count: int


def spoilt(whole: bytes, *pieces: bytes) -> st.SearchStrategy[bytes]:
    """Sound bytes with a few pieces of others in their place, or cut short."""
    known = [*pieces, b"", b"\0", b"\xff" * 4, b"\x7f\xff\xff\xff"]

    def edit(chance: bytes) -> bytes:
        data, (count, end) = whole, chance[:2]
        for place, length, which, own in struct.iter_unpack("<HBB4s", chance[2 : 2 + 8 * (1 + count % 4)]):
            piece = known[which % len(known)] if which < 128 else own[: which % 5]
            at = place * (len(whole) + 1) >> 16
            data = data[:at] + piece + data[at + length % 6 :]
        return data[: len(data) - (0, 0, 0, 1, 7, len(whole) // 2)[end % 6]]

    # One draw for all: hypothesis takes longer over each draw than most readers over a file.
    return st.binary(min_size=34, max_size=34).map(edit)


def spoilt_values(facts: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """JSON in which a few values are others of any kind."""
    leaf = st.none() | st.booleans() | st.integers(-2, 2**64) | st.floats() | st.text(max_size=5) | st.just("../x")
    any_value = leaf | st.lists(leaf, max_size=2) | st.dictionaries(st.text(max_size=3), leaf, max_size=2)

    @st.composite
    def changed(draw: Any) -> bytes:
        spoilt = json.loads(json.dumps(facts))
        for _ in range(draw(st.integers(1, 2))):
            at: Any = spoilt
            while True:
                key = draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
                if isinstance(at[key], dict | list) and at[key] and draw(st.booleans()):
                    at = at[key]
                    continue
                if isinstance(at, dict) and draw(st.integers(0, 4)) == 0:
                    del at[key]
                else:
                    at[key] = draw(any_value)
                break
            if not spoilt:
                break
        return json.dumps(spoilt).encode()

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
    """The bytes as overrides of a shipped config, one a line."""
    lines = path.read_bytes().decode("utf-8", "replace").splitlines()
    return load_config("digits_mlp", [line for line in lines if line.isprintable()])


HISTORY = b"seed,epoch,split,loss,accuracy\n0,1,train,2.5,0.1\n0,1,validation,2.4,0.2\n0,2,train,1.5,0.5\n"


def read_history(path: Path) -> object:
    return run_folder.read_history(path.parent)


def readers(run: Path) -> dict[str, Reader]:
    """Every reader of files, by what it reads; `run` is a finished run, of which copies are not needed."""
    toml = find("digits_mlp").read_bytes()
    sound = pickle.dumps(((np.zeros((2, 4), np.float32), np.arange(2)),) * 3, 2)
    manifest, checkpoint_ = read_sealed(run / "manifest.json"), checkpoints.paths(run)[-1]

    def read_run(path: Path) -> object:
        folder = path.parent
        seal(folder / "manifest.json", path)
        return run_folder.read_run(folder)

    def read_checkpoint(path: Path) -> object:
        folder = path.parent / checkpoint_.name
        seal(folder / "manifest.json", path)
        return checkpoints.read(folder).facts["rows"] + 1

    opcodes = [code for code in vars(pickle).values() if isinstance(code, bytes) and len(code) == 1]
    return {
        "pickle": Reader(spoilt(sound, *opcodes) | st.binary(max_size=40), read_pickle, 2000),
        "pickle in gzip": Reader(spoilt(gzip.compress(sound), b"\x1f\x8b"), read_pickle, 1000),
        "IDX": Reader(spoilt(idx(), b"\0\0\x08\1"), lambda path: read_idx(path, 3), 1500),
        "IDX in gzip": Reader(spoilt(gzip.compress(idx())), lambda path: read_idx(path, 3), 500),
        "CSV": Reader(
            spoilt(b"a,b,label\n1,2,x\n3,4,y\n5,6e1,x\n", b",", b'"', b"\n", b"nan", b"1e999", b";"),
            lambda path: load("csv", {"path": str(path)}), 1500,
        ),
        "weights": Reader(spoilt(safetensors(), b"[", b"{", b"9" * 20, b'"'), array_file.load_arrays, 1000),
        "PNG": Reader(spoilt(picture("PNG")), lambda path: read_image(path, (28, 28, 1), 255.0), 250),
        "JPEG": Reader(spoilt(picture("JPEG")), lambda path: read_image(path, (28, 28, 3), 255.0), 250),
        "GIF": Reader(spoilt(picture("GIF")), lambda path: read_image(path, (8, 8, 1), 16.0), 250),
        "BMP": Reader(spoilt(picture("BMP")), lambda path: read_image(path, (28, 28, 1), 255.0), 250),
        "config": Reader(spoilt(toml, b"[", b"]", b'"', b"=", b"\n", b"1e9", b"{"), load_config, 300),
        "overrides": Reader(spoilt(b"train.epochs=3\nnet.0.units=5", b"=", b".", b"[", b"{"), read_overrides, 100),
        "history": Reader(spoilt(HISTORY, b",", b"\n", b'"', b"-1", b"train"), read_history, 600),
        "manifest, sealed": Reader(spoilt_values(manifest), read_run, 200),
        "checkpoint, sealed": Reader(
            spoilt_values(read_sealed(checkpoint_ / "manifest.json")), read_checkpoint, 300
        ),
    }  # fmt: skip


def seal(path: Path, facts: Path) -> None:
    """Seals facts as we would, a surrogate or an infinity in them too."""
    write_sealed(path, json.loads(facts.read_bytes()))


def fuzz(reader: Reader, name: str, path: Path, times: float = 1.0) -> int:
    """How many inputs were read or refused in one line; raises whatever else comes of one."""
    seen = 0

    @settings(
        max_examples=int(reader.count * times),
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(data=reader.inputs)
    def attempt(data: bytes) -> None:
        nonlocal seen
        seen += 1
        path.write_bytes(data)
        try:
            reader.read(path)
        except UserError as error:
            # A config's mistakes are a line each.
            if "\n" in str(error) and name not in ("config", "overrides"):
                raise AssertionError(f"more than a line: {error}") from error

    attempt()
    return seen
