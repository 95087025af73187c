"""`line_numbers` finds every value that `tomllib` finds, on the line where the text has it."""

import tomllib

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnn.config import shipped_configs
from jaxnn.config.shipped import find
from jaxnn.config.toml_positions import line_numbers

KEYS = st.text("ab-_1", min_size=1, max_size=3)
SCALARS = st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(KEYS, v, max_size=3), max_leaves=12)

HARD = '''\
# = [comment]
a.b = 1  # a.c = 2
a . "d" = """
[e]
f = 3""\\""""
g = [ # ]
  1, "]", [2,
  3], { h = 4, i.j = 5 },
]
"#" = '\\'
[[k]]
[k.l]
m = 1979-05-27 07:32:00
[[k]]
[[k.n]]
o = \'\'\'
p = 1\'\'\'\'
[[k.n]]
q = 0x1F
'''


def paths(value, path=()):
    """Every path in nested tables and lists."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*path, key))


def test_line_numbers_of_hard_cases():
    numbers = line_numbers(HARD)
    assert set(paths(tomllib.loads(HARD))) == set(numbers)
    lines = HARD.split("\n")
    for path, line in numbers.items():
        if path and isinstance(path[-1], str) and path not in {("k", 0, "n"), ("a",)}:
            assert path[-1] in lines[line - 1], path
    assert [numbers["g", i] for i in range(4)] == [7, 7, 7, 8]
    assert (numbers["k", 0], numbers["k", 1], numbers["k", 1, "n", 1]) == (11, 14, 18)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=4), st.booleans())
def test_line_numbers_has_exactly_the_paths_of_tomllib(tables, multiline):
    text = tomli_w.dumps(tables, multiline_strings=multiline)
    numbers, lines = line_numbers(text), text.split("\n")
    assert set(numbers) == set(paths(tomllib.loads(text)))
    for path, line in numbers.items():
        if path and isinstance(path[-1], str):
            assert path[-1] in lines[line - 1]


@pytest.mark.parametrize("name", sorted(shipped_configs()))
def test_line_numbers_covers_shipped_config(name):
    text = find(name).read_text(encoding="utf-8")
    assert set(line_numbers(text)) == set(paths(tomllib.loads(text)))


@pytest.mark.parametrize("quote", ['"', "'", '"""', "'''"])
def test_line_numbers_stops_at_unterminated_string(quote):
    text = f"a = 1\nb = {quote}c\nd = 2\n"
    assert line_numbers(text) == {(): 1, ("a",): 1, ("b",): 2}
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads(text)


STRINGS = r'''
a = """x""\"""y"""
b = """z"""""
c = "\\"
d = ""
e = ''
f = """"""
g = "\""  # "
h = 1
'''


def test_line_numbers_follows_strings_with_quotes_and_escapes():
    assert tomllib.loads(STRINGS).keys() == set("abcdefgh")
    assert line_numbers(STRINGS) == {(): 1} | {(key,): i + 2 for i, key in enumerate("abcdefgh")}
