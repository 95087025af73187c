"""Lines as sequences of different lengths: each token beside the one after it, zero at padding, classes by file."""

import json

import numpy as np
import pytest

from jaxnn.data import Dataset, check_dataset, load, pad_sequences
from jaxnn.data.labelled_lines import LabelledLineReader
from jaxnn.data.lines import LineReader
from jaxnn.data.reader import rebuild_reader
from jaxnn.errors import UserError
from jaxnn.sequence import Sequence


def line_reader(data: Dataset) -> LineReader:
    assert isinstance(data.reader, LineReader)
    return data.reader


def labelled_line_reader(data: Dataset) -> LabelledLineReader:
    assert isinstance(data.reader, LabelledLineReader)
    return data.reader


def rebuilt(reader):
    return rebuild_reader(json.loads(json.dumps(reader.settings())))


@pytest.mark.parametrize("tokens", ["characters", "bytes", "words"])
def test_lines_tell_each_token_from_those_before_it(tmp_path, tokens):
    file = tmp_path / "names.txt"
    file.write_bytes("emma\r\nnoël anne\n\nava".encode())
    data = load("lines", {"file": str(file), "tokens": tokens})
    (x, y), reader = data.train, line_reader(data)
    assert isinstance(x, Sequence) and x.values.dtype == y.dtype == np.int32
    for values, length, targets, line in zip(x.values, x.lengths, y, ("emma", "noël anne", "ava"), strict=True):
        assert reader.decode(values[1:length]) == reader.decode(targets[: length - 1]) == line
        assert reader.decode(values[:1]) == reader.decode(targets[length - 1 : length]) == "\n"
        assert not values[length:].any() and not targets[length:].any()
    assert x.values.shape[1] == x.lengths.max()
    assert rebuilt(reader) == reader
    np.testing.assert_array_equal(reader.inputs(file).values, x.values)


def test_lines_of_another_file_have_few_shapes(tmp_path):
    file, other = tmp_path / "a.txt", tmp_path / "b.txt"
    file.write_text("abc\n")
    reader = line_reader(load("lines", {"file": str(file)}))
    shapes = set()
    for length in range(1, 33):
        other.write_text("a" * length)
        shapes.add(reader.inputs(other).values.shape[1])
    assert shapes == {4, 8, 16, 32, 64}


def test_classes_are_the_files_of_a_folder_and_lines_end_at_a_line_feed_alone(tmp_path):
    (tmp_path / "rt.neg").write_bytes(b"bad \x85 film\nworse\n")
    (tmp_path / "rt.pos").write_bytes(b"caf\xe9 good\n")
    data = load("labelled_lines", {"file": str(tmp_path), "encoding": "latin-1"})
    assert data.classes == ("neg", "pos") and data.train.y.tolist() == [0, 0, 1]
    assert data.train.x.lengths.tolist() == [2, 1, 2] and "café" in labelled_line_reader(data).text.vocabulary
    with pytest.raises(UserError, match=r'found the byte 0x85 at 4; .*encoding = "latin-1"'):
        load("labelled_lines", {"file": str(tmp_path)})
    (tmp_path / "other.txt").write_bytes(b"x")
    assert load("labelled_lines", {"file": str(tmp_path), "encoding": "latin-1"}).classes == ("other", "rt")


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("a.tsv", 'so "good\t1\nbad film\t0\n', {}),
        ("a.csv", '"so ""good",1\nbad film,0\n', {}),
        ("a.csv", 'id,label,review\n7,1,"so ""good"\n8,0,bad film\n', {"text": "review", "label": "label"}),
        ("a.csv", '1,"so ""good"\n0,bad film\n', {"text": -1, "label": 0}),
    ],
)
def test_table_has_texts_and_classes(tmp_path, name, content, options):
    (tmp_path / name).write_text(content)
    data = load("labelled_lines", {"file": str(tmp_path / name), **options})
    assert data.classes == ("0", "1") and data.train.y.tolist() == [1, 0]
    texts = [labelled_line_reader(data).text.decode(v[:n]) for v, n in zip(*data.train.x, strict=True)]
    assert texts == ['so " good', "bad film"]
    assert rebuilt(data.reader) == data.reader
    with pytest.raises(UserError, match=r"expected (a )?column"):
        load("labelled_lines", {"file": str(tmp_path / name), "text": 9})


def test_parts_of_labelled_lines_have_one_shape_and_the_training_vocabulary(tmp_path):
    (tmp_path / "train.tsv").write_text("a b\t0\na c d\t1\n")
    (tmp_path / "test.tsv").write_text("a new word here now\t1\n")
    options = {"file": str(tmp_path / "train.tsv"), "test_file": str(tmp_path / "test.tsv")}
    data = load("labelled_lines", options)
    assert data.test is not None
    assert data.train.x.values.shape == (2, 5) and data.test.x.values.shape == (1, 5)
    assert labelled_line_reader(data).text.decode(data.test.x.values[0]).count("<unknown>") == 4
    cut = load("labelled_lines", options | {"length": 2})
    assert cut.test is not None
    assert cut.train.x.values.shape == (2, 2) and cut.test.x.lengths.tolist() == [2]
    (tmp_path / "test.tsv").write_text("a\t2\n")
    with pytest.raises(UserError, match="expected classes of 0, 1, found '2'"):
        load("labelled_lines", options)


def test_pad_sequences_pads_with_zeros_and_keeps_lengths():
    rows = [np.arange(1, 1 + 2 * n, dtype=np.float32).reshape(n, 2) for n in (3, 1, 5)]
    values, lengths = pad_sequences(rows)
    assert lengths.tolist() == [3, 1, 5] and values.shape == (3, 5, 2)
    for row, padded, length in zip(rows, values, lengths, strict=True):
        np.testing.assert_array_equal(padded[:length], row)
        assert not padded[length:].any()
    assert pad_sequences(rows, 4).values.shape[1] == 8
    for wrong, message in (
        ([], "found none"),
        ([np.ones((0, 2))], "found none in sequence 0"),
        ([np.ones((1, 2)), np.ones((1, 3))], r"found float64 and \(3,\) in sequence 1"),
    ):
        with pytest.raises(UserError, match=message):
            pad_sequences(wrong)


@pytest.mark.parametrize("lengths", [[0, 2], [1, 4], [[1], [2]]])
def test_dataset_with_impossible_lengths_is_refused(lengths):
    part = load("blobs").train._replace(y=np.array([0, 1], np.int32))
    part = part._replace(x=Sequence(np.ones((2, 3), np.int32), np.array(lengths, np.int32)))
    with pytest.raises(UserError, match="expected lengths"):
        check_dataset(load("blobs")._replace(train=part))
