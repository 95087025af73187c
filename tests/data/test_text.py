"""Texts as tokens: the round trip of characters, bytes and words, and one line for what is no text."""

import numpy as np
import pytest

from jaxnn.data import Dataset, split
from jaxnn.data.reader import rebuild_reader
from jaxnn.data.text import TextReader, text_file
from jaxnn.data.tokens import UNKNOWN
from jaxnn.errors import UserError


def write(tmp_path, content, name="text.txt"):
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def text_reader(data: Dataset) -> TextReader:
    assert isinstance(data.reader, TextReader)
    return data.reader


@pytest.mark.parametrize("tokens", ["characters", "bytes"])
def test_text_is_what_its_tokens_say(tmp_path, tokens):
    text = "Né à l'Ω: 漢字 🙂\nend"
    data = text_file(str(write(tmp_path, text)), tokens=tokens, window=3)
    ids = np.append(data.train.x[:1], data.train.y)
    assert text_reader(data).decode(ids) == text
    np.testing.assert_array_equal(data.train.x[1:], data.train.y[:-1])
    np.testing.assert_array_equal(text_reader(data).encode(text), ids)
    assert data.train.x.dtype == np.int32 and data.window == 3


def test_words_have_ids_by_frequency_and_rare_ones_are_unknown(tmp_path):
    file = write(tmp_path, "The cat, the dog. The cat's 12 cats!\nthe end")
    data = text_file(str(file), tokens="words", window=2, min_count=2)
    assert data.classes == (UNKNOWN, "the")
    everything = text_file(str(file), tokens="words", window=2)
    text = text_reader(everything).decode(np.append(everything.train.x[:1], everything.train.y))
    assert text == "the cat, the dog. the cat's 12 cats!\nthe end"


def test_a_line_end_of_windows_and_a_byte_order_mark_are_no_tokens(tmp_path):
    plain = text_file(str(write(tmp_path, "ab\ncd\n")), window=2)
    other = text_file(str(write(tmp_path, b"\xef\xbb\xbfab\r\ncd\r\n", "windows.txt")), window=2)
    assert other.classes == plain.classes == ("\n", "a", "b", "c", "d")
    np.testing.assert_array_equal(other.train.y, plain.train.y)


def test_reader_is_rebuilt_from_its_settings(tmp_path):
    reader = text_reader(text_file(str(write(tmp_path, "abcabc")), window=2))
    assert reader.window == 2 and rebuild_reader(reader.settings()) == reader
    for change in (
        {"tokens": "letters"},
        {"window": 0},
        {"window": True},
        {"vocabulary": "abc"},
        {"vocabulary": ["a", "a"]},
        {"vocabulary": [1]},
        {"encoding": "utf-7"},
        {"tokens": "words"},
        {"tokens": "bytes"},
    ):
        with pytest.raises(UserError, match="reader text"):
            rebuild_reader(reader.settings() | change)
    with pytest.raises(UserError, match="reader text"):
        rebuild_reader({"kind": "text"})


def test_reader_cuts_another_file_into_windows(tmp_path):
    reader = text_reader(text_file(str(write(tmp_path, "abcabc")), window=2))
    other = write(tmp_path, "cabba", "other.txt")
    np.testing.assert_array_equal(reader.inputs(other), [[2, 0], [1, 1]])
    x, y = reader.examples(other)
    np.testing.assert_array_equal(x, [[2, 0], [1, 1]])
    np.testing.assert_array_equal(y, [[0, 1], [1, 0]])
    with pytest.raises(UserError, match="at least 2 characters, one window, found 1"):
        reader.inputs(write(tmp_path, "a", "short.txt"))


def test_split_of_a_text_keeps_its_order(tmp_path):
    data = text_file(str(write(tmp_path, "abcdefghijklmnopqrstu")), window=2)
    parts = split(data, validation=0.1, seed=3)
    np.testing.assert_array_equal(parts.train.x, np.arange(18))
    assert parts.validation is not None
    np.testing.assert_array_equal(parts.validation.x, [18, 19])


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"caf\xe9 au lait", {}, r'found the byte 0xe9 at 3; .*encoding = "latin-1"'),
        (b"\xef\xbb\xbfcaf\xe9 au lait", {}, "found the byte 0xe9 at 6;"),
        ("abc".encode("utf-16"), {}, "found UTF-16; convert it"),
        (b"abc", {"window": 3}, "at least 4 characters, one window, found 3"),
        (b"", {}, "found 0"),
        (b"abcdef", {"window": 0}, "window and a min_count of at least 1"),
    ],
)
def test_text_refuses_with_one_line(tmp_path, content, options, message):
    with pytest.raises(UserError, match=message) as error:
        text_file(str(write(tmp_path, content)), **options)
    assert "\n" not in str(error.value)


def test_latin_1_is_read_on_request(tmp_path):
    data = text_file(str(write(tmp_path, b"caf\xe9 au lait")), encoding="latin-1", window=3)
    assert "é" in data.classes


def test_an_unknown_character_is_named(tmp_path):
    reader = text_reader(text_file(str(write(tmp_path, "abcabc")), window=2))
    with pytest.raises(UserError, match="found 'x'"):
        reader.encode("abx")
