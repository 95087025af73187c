"""`jaxnn certify`, as a user types it."""

import json
from xml.etree import ElementTree

MINE = """
import jaxnn
right = jaxnn.dense(5)
def wrong():
    def backward(params, res, dy):
        dparams, dx = right.backward(params, res, dy)
        return dparams._replace(bias=1.001 * dparams.bias), dx
    return right._replace(backward=backward)
"""


def test_a_layer_that_is_right_is_a_row_that_holds(jaxnn, tmp_path):
    code, out, err = jaxnn("certify", "tanh", "--quick", "--json", tmp_path / "c.json")
    assert code == 0 and err == ""
    assert "tanh" in out and "holds" in out
    found = json.loads((tmp_path / "c.json").read_text())
    assert found["holds"] and found["rows"][0]["name"] == "tanh"
    assert all(entry["measured"] <= entry["bound"] for entry in found["rows"][0]["laws"])


def test_a_law_that_is_broken_is_exit_code_1_with_leaf_index_expected_got_and_the_smallest_shape(
    jaxnn, tmp_path, monkeypatch
):
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    code, out, err = jaxnn("certify", "mine.py:wrong", "--shape", "3,7", "--quick")
    assert code == 1 and "BROKEN" in out
    assert "law 1 (autodiff): params.bias[" in err and "expected" in err and "got" in err
    assert "smallest failing shape: 1×1" in err


def test_junit_has_the_laws_and_is_refused_with_mutants(jaxnn, tmp_path):
    code, _, err = jaxnn("certify", "tanh", "--quick", "--junit", tmp_path / "c.xml")
    (suite,) = ElementTree.parse(tmp_path / "c.xml").getroot()
    assert (code, err) == (0, "") and suite.attrib["name"] == "tanh" and suite.attrib["failures"] == "0"
    assert any("(autodiff)" in case.attrib["name"] for case in suite)
    code, _, err = jaxnn("certify", "identity", "--mutants", "--junit", tmp_path / "c.xml")
    assert code == 2 and "--junit: expected certificates" in err
    code, _, err = jaxnn("certify", "tanh", "--junit", tmp_path / "none" / "c.xml")
    assert code == 2 and "--junit" in err and "found no folder" in err


def test_mutants_are_listed_with_the_law_that_killed_each(jaxnn):
    code, out, _ = jaxnn("certify", "identity", "--mutants")
    assert code == 0 and "1 mutants, 1 killed" in out and "identity: factor 1.001" in out


def test_what_is_not_known_is_refused_in_a_line(jaxnn):
    for words in (("dence",), ("dense", "--shape", "0,1"), ("dence", "--mutants")):
        code, _, err = jaxnn("certify", *words)
        assert code == 2 and len(err.strip().splitlines()) == 1, err


FUNCTIONS = """
import jax, jax.numpy as jnp
def rule(factor):
    @jax.custom_vjp
    def power(x, n):
        return x ** n
    power.defvjp(lambda x, n: (x ** n, (x, n)), lambda r, g: (factor * g * r[1] * r[0] ** (r[1] - 1), None))
    return power
power, wrong = rule(1.0), rule(1.001)
def total(x, y):
    return (x * y).sum()
def broken(x):
    raise RuntimeError("first line\\nsecond line")
"""


def test_arguments_of_a_function_are_drawn_from_domains(jaxnn, tmp_path, monkeypatch):
    (tmp_path / "functions.py").write_text(FUNCTIONS)
    monkeypatch.chdir(tmp_path)
    arguments = ("--arg", "x=positive 3,5", "--arg", "n=3", "--quick")
    code, out, err = jaxnn("certify", "functions.py:power", *arguments)
    assert code == 0 and err == "" and "holds" in out
    code, _, err = jaxnn("certify", "functions.py:wrong", *arguments)
    assert code == 1 and "law 1 (autodiff): x[" in err


def test_a_repeated_shape_is_the_shape_of_the_next_argument(jaxnn, tmp_path, monkeypatch):
    (tmp_path / "functions.py").write_text(FUNCTIONS)
    monkeypatch.chdir(tmp_path)
    for shapes in (("--shape", "7", "--shape", "7"), ("--shape", "7", "7")):
        code, _, err = jaxnn("certify", "functions.py:total", *shapes, "--quick")
        assert code == 0 and err == ""


def test_a_function_that_raises_is_a_line_and_the_others_are_certified(jaxnn, tmp_path, monkeypatch):
    (tmp_path / "functions.py").write_text(FUNCTIONS)
    monkeypatch.chdir(tmp_path)
    code, out, err = jaxnn("certify", "functions.py:broken", "functions.py:total", "--shape", "3", "--quick")
    assert code == 2 and out.count("refused") == 2  # total needs two arguments
    lines = err.strip().splitlines()
    assert len(lines) == 2 and "RuntimeError: first line" in lines[0] and "missing a required argument" in lines[1]


def test_an_argument_that_is_not_known_is_refused_in_a_line(jaxnn, tmp_path, monkeypatch):
    (tmp_path / "functions.py").write_text(FUNCTIONS)
    monkeypatch.chdir(tmp_path)
    for argument, words in (
        ("x=posittive 3", "did you mean 'positive'"),
        ("x=positive 3,0", "expected positive sizes"),
        ("x=integers 3", "such as integers(10) 7,3"),
        ("2x=3", "expected NAME=VALUE"),
    ):
        code, _, err = jaxnn("certify", "functions.py:power", "--arg", argument, "--quick")
        assert code == 2 and len(err.strip().splitlines()) == 1 and words in err, err


RULE = """
import jax
@jax.custom_vjp
def cube(x):
    return jax.pure_callback(lambda a: a**3, jax.ShapeDtypeStruct(x.shape, x.dtype), x)
cube.defvjp(lambda x: (cube(x), x), lambda x, dy: (3 * x * x * dy,))
@jax.custom_vjp
def wrong(x):
    return cube(x)
wrong.defvjp(lambda x: (cube(x), x), lambda x, dy: (3.003 * x * x * dy,))
def plain(x):
    return x * x * x
number = 3
"""


def test_function_is_compared_with_its_reference_and_mistakes_are_planted_in_it(jaxnn, tmp_path, monkeypatch):
    (tmp_path / "rule.py").write_text(RULE)
    monkeypatch.chdir(tmp_path)
    options = ["--shape", "5", "--reference", "rule.py:plain", "--quick"]
    code, out, err = jaxnn("certify", "rule.py:cube", *options, "--mutants", "--json", "c.json")
    assert (code, err) == (0, "")
    (row,) = json.loads((tmp_path / "c.json").read_text())["rows"]
    assert "autodiff" in {law["law"] for law in row["laws"]}  # not differences alone
    assert len(row["mutants"]) > 10 and all(mutant["killed by"] == "autodiff" for mutant in row["mutants"])
    assert f"{len(row['mutants'])} mutants, {len(row['mutants'])} killed" in out
    code, _, err = jaxnn("certify", "rule.py:wrong", *options)
    assert code == 1 and "law 1 (autodiff): x[" in err


def test_options_that_fit_no_target_are_refused(jaxnn, tmp_path, monkeypatch):
    (tmp_path / "rule.py").write_text(RULE)
    monkeypatch.chdir(tmp_path)
    for words, said in (
        (["rule.py:cube", "--shape", "5", "--reference", "rule.py:number"], "expected a function, found 3"),
        (["rule.py:cube", "--shape", "5", "--reference", "rule.py:plan"], "did you mean plain?"),
        (["dense", "--reference", "rule.py:plain"], "expected FILE.py:NAME with --shape, --arg and --reference"),
        (["dense", "--shape", "3,4"], "a library's name has shapes of its own"),
        (["dense", "rule.py:cube", "--mutants", "--shape", "5"], "found both; ask for each"),
    ):
        code, _, err = jaxnn("certify", *words)
        assert code == 2 and said in err and err.count("\n") == 1
