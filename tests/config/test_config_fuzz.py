"""`load` answers any input with a config or a `ConfigError`, and quickly."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jaxnn.config import Config, ConfigError, config_hash, dump, find, load, shipped_configs
from jaxnn.config.toml_file import MAX_BYTES

TEXTS = [find(name).read_text(encoding="utf-8") for name in sorted(shipped_configs())]
WORDS = [
    "=",
    "[",
    "]",
    "{",
    "}",
    ",",
    ".",
    "#",
    "\n",
    '"',
    "'",
    '"""',
    "'''",
    "\\",
    "-",
    "0",
    "1e9",
    "9" * 30,
    "nan",
    "true",
]
WORDS += ['"x"', "[[net]]", "[data]", "net", "layer", "units", "1979-05-27", "é", "\0", "\r", "{}", "[]", "[[", "]]"]
VALUES = [
    "0",
    "-1",
    "1e308",
    "''",
    "'adam'",
    "[]",
    "{}",
    "[[1]]",
    "[1, 2]",
    "true",
    "{name='normal'}",
    "9223372036854775807",
]
SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def answer(path, overrides=()) -> Config | ConfigError:
    try:
        return load(path, overrides)
    except ConfigError as error:
        return error


def attempt(path, text, overrides=()):
    path.write_text(text, encoding="utf-8", newline="")
    config = answer(path, overrides)
    if isinstance(config, ConfigError):
        assert config.lines and all(line and "\n" not in line for line in config.lines)
    else:
        path.write_text(dump(config), encoding="utf-8")
        assert load(path) == config and config_hash(load(path)) == config_hash(config)


@settings(SLOW, max_examples=100)
@given(text=st.text(st.characters(exclude_categories=["Cs"])) | st.lists(st.sampled_from(WORDS)).map("".join))
def test_load_survives_any_text(tmp_path, text):
    attempt(tmp_path / "x.toml", text)


@settings(SLOW, max_examples=100)
@given(data=st.data())
def test_load_survives_cut_and_inserted_pieces(tmp_path, data):
    text = data.draw(st.sampled_from(TEXTS))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 9)))
        text = text[:start] + data.draw(st.sampled_from(["", *WORDS])) + text[end:]
    attempt(tmp_path / "x.toml", text)


@settings(SLOW, max_examples=100)
@given(data=st.data())
def test_load_survives_other_values(tmp_path, data):
    lines = data.draw(st.sampled_from(TEXTS)).split("\n")
    keyed = [i for i, line in enumerate(lines) if " = " in line]
    for i in data.draw(st.lists(st.sampled_from(keyed), min_size=1, max_size=3)):
        lines[i] = f"{lines[i].split(' = ')[0]} = {data.draw(st.sampled_from(VALUES))}"
    attempt(tmp_path / "x.toml", "\n".join(lines))


@settings(SLOW, max_examples=100)
@given(
    overrides=st.lists(
        st.lists(st.sampled_from(["net", "0", "1", "train", "epochs", "optimizer", "x", "layers", "", "-"]), max_size=4)
        .map(".".join)
        .flatmap(lambda name: (st.sampled_from(VALUES + WORDS) | st.text(max_size=9)).map(lambda v: f"{name}={v}")),
        max_size=3,
    )
)
def test_load_survives_any_override(tmp_path, overrides):
    attempt(tmp_path / "x.toml", TEXTS[0], [text for text in overrides if text.isprintable()])


@pytest.mark.parametrize(
    "piece",
    [
        "a.",
        "[",
        "[[",
        "{a=",
        "a=[",
        "a=1\n",
        "[a]\n",
        "[[a]]\n",
        '"""\\',
        '"',
        "'''",
        "1,",
        "a={},",
        "é",
        "\\",
        "#",
        "9",
        "[a.b]\n",
        '"\\',
    ],
)
def test_load_of_long_hostile_text_is_fast(tmp_path, piece):
    for text in (piece * (MAX_BYTES // len(piece.encode())), "x = [" + piece * 9000, f"x = {piece * 9000}"):
        start = time.perf_counter()
        attempt(tmp_path / "x.toml", text)
        assert time.perf_counter() - start < 10
