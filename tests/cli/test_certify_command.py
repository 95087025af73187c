"""`jaxnn certify`, as a user types it."""

import json

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


def test_mutants_are_listed_with_the_law_that_killed_each(jaxnn):
    code, out, _ = jaxnn("certify", "identity", "--mutants")
    assert code == 0 and "1 mutants, 1 killed" in out and "identity: factor 1.001" in out


def test_what_is_not_known_is_refused_in_a_line(jaxnn):
    for words in (("dence",), ("dense", "--shape", "0,1"), ("dence", "--mutants")):
        code, _, err = jaxnn("certify", *words)
        assert code == 2 and len(err.strip().splitlines()) == 1, err
