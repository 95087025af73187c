"""The scan for positions agrees with `tomllib` about what there is, and with the text about where it is."""

import tomllib

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnn.config import names
from jaxnn.config.shipped import find
from jaxnn.config.toml_positions import positions

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
    """Every path in some tables."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*path, key))


def test_hard_cases_stand_where_they_stand():
    found = positions(HARD)
    assert set(paths(tomllib.loads(HARD))) == set(found)
    lines = HARD.split("\n")
    for path, line in found.items():
        if path and isinstance(path[-1], str) and path not in {("k", 0, "n"), ("a",)}:
            assert path[-1] in lines[line - 1], path
    assert [found["g", i] for i in range(4)] == [7, 7, 7, 8]
    assert (found["k", 0], found["k", 1], found["k", 1, "n", 1]) == (11, 14, 18)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=4), st.booleans())
def test_every_value_of_a_text_has_a_line_and_nothing_else_has(tables, multiline):
    text = tomli_w.dumps(tables, multiline_strings=multiline)
    found, lines = positions(text), text.split("\n")
    assert set(found) == set(paths(tomllib.loads(text)))
    for path, line in found.items():
        if path and isinstance(path[-1], str):
            assert path[-1] in lines[line - 1]


@pytest.mark.parametrize("name", sorted(names()))
def test_every_value_of_a_shipped_config_has_its_line(name):
    text = find(name).read_text(encoding="utf-8")
    assert set(positions(text)) == set(paths(tomllib.loads(text)))
