"""Unusable data end a command with one line, before anything is compiled or written."""

import struct

import numpy as np
import pytest

from jaxnn.cli import device
from jaxnn.cli.main import main
from tests.trust.precision import cli_precision

CONFIG = """
title = "unusable data"
data = {{ {data} }}
net = [{{ layer = "flatten" }}, {{ layer = "dense", units = 3 }}]
loss = {{ name = "softmax_cross_entropy" }}
optimizer = {{ name = "sgd", learning_rate = 0.1 }}
train = {{ epochs = 1, best = "train.loss" }}
"""

#: The text of a CSV file with the column "label", and the error.
TABLES = {
    "a row of another length": ("a,b,label\n1,2,u\n3,v\n", "line 3: expected 3 columns, found 2"),
    "a word among the numbers": ("a,b,label\n1,2,u\n3,x,v\n", "line 3 column 'b': expected a number, found 'x'"),
    "NaN": ("a,b,label\n1,2,u\n3,nan,v\n", "line 3 column 'b': expected a number, found a missing value"),
    "infinity": ("a,b,label\n1,2,u\n3,-inf,v\n", "line 3 column 'b': expected a number, found '-inf'"),
    "a label with a fraction": ("a,b,label\n1,2,0\n3,4,1.5\n", "expected a word or an integer as class, found '1.5'"),
    "no label": ("a,b,label\n1,2,\n", "line 2 column 'label': expected a label, found a missing value"),
    "one class": ("a,b,label\n1,2,u\n3,4,u\n", "expected two or more classes of different names, found u"),
    "no rows": ("a,b,label\n", "expected rows of features and a label, found none"),
    "no file": (None, "found no "),
    "more classes than outputs": (
        "a,b,label\n1,2,u\n3,4,v\n5,6,w\n7,8,x\n", "expected labels 0 … 2 for 3 outputs, found labels 0 … 3",
    ),
}  # fmt: skip
IMAGES, LABELS = np.arange(7 * 25, dtype=np.uint8).reshape(7, 5, 5), np.arange(7, dtype=np.uint8) % 3
#: Images and labels to train on, in MNIST's format, and the error.
SETS = {
    "more images than labels": (IMAGES, LABELS[:-1], "expected as many targets as examples, found 7 examples and 6"),
    "fewer images than labels": (IMAGES[:-1], LABELS, "found 6 examples and 7 targets"),
    "a label of as many as there are classes": (IMAGES, LABELS + 8, "expected labels from 0 to 9, found 10"),
    "labels of two axes": (IMAGES, LABELS[:, None], "expected the IDX header"),
    "images without rows": (IMAGES[..., 0], LABELS, "expected the IDX header"),
    "no images": (IMAGES[:0], LABELS[:0], "expected examples, found the empty shape"),
    "one class": (IMAGES, LABELS * 0, "expected examples of two or more classes, found only 0"),
    "others to test on": (IMAGES[:, :4], LABELS, "expected x of one shape and type"),
}


@pytest.fixture
def refused(monkeypatch, capsys, tmp_path):
    """Runs `jaxnn train` with this `data` table in its config, and returns its one line of error."""

    def compiled(*args, **options):
        raise AssertionError("something was compiled")

    def run(data: str) -> str:
        config = tmp_path / "config.toml"
        config.write_text(CONFIG.format(data=data))
        monkeypatch.setattr(device, "select_device", lambda *args, **options: "this device")
        monkeypatch.setattr(device, "set_precision", lambda precision: None)
        monkeypatch.setattr("jaxnn.engine.driver.Program", compiled)
        with cli_precision(), pytest.raises(SystemExit) as exit:
            main(["train", str(config), "--out", str(tmp_path / "run"), "--data-dir", str(tmp_path)])
        message = capsys.readouterr().err
        assert exit.value.code == 2 and len(message.splitlines()) == 1 and not (tmp_path / "run").exists()
        return message

    return run


@pytest.mark.parametrize("case", TABLES)
def test_train_refuses_an_unusable_table(refused, tmp_path, case):
    text, expected = TABLES[case]
    if text is not None:
        (tmp_path / "table.csv").write_text(text)
    assert expected in refused('name = "csv", path = "table.csv"')


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.mark.parametrize("case", SETS)
def test_train_refuses_unusable_images(refused, tmp_path, case):
    images, labels, expected = SETS[case]
    for stem, x, y in (("train", images, labels), ("t10k", IMAGES, LABELS)):
        (tmp_path / f"{stem}-images-idx3-ubyte").write_bytes(idx(x))
        (tmp_path / f"{stem}-labels-idx1-ubyte").write_bytes(idx(y))
    assert expected in refused('name = "mnist"')


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('name = "digits", train = 1', "two or more classes"),
        ('name = "digits", validation = 1797', "found none left"),
        ('name = "digits", test = 0.0001', "which is none"),
        ('name = "digits", test = 5000', "5,000 asked for"),
        ('name = "blobs", n = -5', "blobs: n: expected"),
        ('name = "blobs", n = 1000000000', "blobs: n: expected"),
        ('name = "circles", noise = -1.0', "circles: noise: expected"),
        (
            'name = "cosine"',
            "expected integer labels of shape (100,) or targets of the output's shape (100, 3), "
            "found float32 targets of shape (100, 200)",
        ),
    ],
)
def test_train_refuses_impossible_parts_and_sizes(refused, data, expected):
    assert expected in refused(data)


#: The files of a folder "data", the options of a set that reads them, and the error.
SEQUENCES = {
    "bytes that are no UTF-8": ({"a.txt": b"caf\xe9" * 50}, 'name = "text", file = "data/a.txt"', "the byte 0xe9 at 3"),
    "a text shorter than a window": ({"a.txt": b"abc"}, 'name = "text", file = "data/a.txt"', "at least 65 characters"),
    "a text without a file": ({}, 'name = "text", file = "data/a.txt"', "found no "),
    "lines of nothing": ({"a.txt": b"\n\n"}, 'name = "lines", file = "data/a.txt"', "expected lines of characters"),
    "an empty class": (
        {"a.neg": b"bad\n", "a.pos": b"\n"}, 'name = "labelled_lines", file = "data"', "a.pos: expected lines of words",
    ),
    "one class": ({"a.neg": b"bad\n"}, 'name = "labelled_lines", file = "data"', "two or more classes, found 1"),
    "a row without a class": (
        {"a.tsv": b"good\t1\nbad\n"}, 'name = "labelled_lines", file = "data/a.tsv"', "line 2: expected column 1",
    ),
    "a word among the numbers of a series": (
        {"a.csv": b"t,y\n1,2\n2,x\n"}, 'name = "series", file = "data/a.csv"', "line 3: expected a number, found 'x'",
    ),
    "a series shorter than a window": (
        {"a.csv": b"t,y\n1,2\n2,3\n"}, 'name = "series", file = "data/a.csv"', "at least 13 numbers",
    ),
    "dimensions of two lengths": (
        {"a.ts": b"@classLabel true u v\n@data\n1,2:3:u\n"}, 'name = "ts", file = "data/a.ts"', "found 2, 1",
    ),
    "a missing number": (
        {"a.ts": b"@classLabel true u v\n@data\n1,?:u\n"}, 'name = "ts", file = "data/a.ts"', "a number, found '?'",
    ),
    "series without classes": (
        {"a.ts": b"@classLabel false\n@data\n1,2\n"}, 'name = "ts", file = "data/a.ts"', "numbers and a class",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SEQUENCES)
def test_train_refuses_unusable_sequences(refused, tmp_path, case):
    files, data, expected = SEQUENCES[case]
    (tmp_path / "data").mkdir()
    for name, content in files.items():
        (tmp_path / "data" / name).write_bytes(content)
    assert expected in refused(data)
