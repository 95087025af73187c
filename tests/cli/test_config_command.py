"""`jaxnn configs` and `jaxnn config new`: a shipped config as it is, and one to start from."""

import json

import pytest

from jaxnn.config import load
from jaxnn.config.dump import to_builtins
from jaxnn.config.shipped import find, shipped_configs


def test_configs_name_prints_every_shipped_config_as_it_is(jaxnn, tmp_path):
    for name in shipped_configs():
        code, out, err = jaxnn("configs", name)
        assert (code, out, err) == (0, find(name).read_text(encoding="utf-8"), "")
    assert jaxnn("configs", "parabola", "--json", tmp_path / "c.json")[0] == 0
    assert json.loads((tmp_path / "c.json").read_text()) == to_builtins(load("parabola"))


def test_configs_refuses_an_unknown_name_in_one_line(jaxnn):
    code, out, err = jaxnn("configs", "mnist_cn")
    assert code == 2 and out == "" and "did you mean mnist_cnn?" in err and len(err.splitlines()) == 1


@pytest.mark.parametrize("source", ["mnist_cnn", "digits_mlp"])
def test_config_new_prints_and_writes_a_config_that_means_the_same(jaxnn, tmp_path, source):
    code, out, _ = jaxnn("config", "new", "--from", source)
    assert code == 0
    (tmp_path / "printed.toml").write_text(out, encoding="utf-8")
    code, text, err = jaxnn("config", "new", "--from", source, "--out", tmp_path / "mine.toml")
    assert code == 0 and "jaxnn train" in text, err
    assert load(tmp_path / "printed.toml") == load(tmp_path / "mine.toml") == load(source)
    assert [line for line in out.splitlines() if line.startswith("#")][1:]  # the comments come along
    assert jaxnn("config", "new", "--from", tmp_path / "mine.toml", "--out", tmp_path / "copy.toml")[0] == 0


@pytest.mark.parametrize("words", [("--from", "nosuch"), ("--out", "mine.txt"), ("--out", "nosuch/mine.toml")])
def test_config_new_refuses_mistakes_in_one_line(jaxnn, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    code, _, err = jaxnn("config", "new", *words)
    assert code == 2 and len(err.splitlines()) == 1 and not list(tmp_path.iterdir())


def test_config_new_overwrites_nothing(jaxnn, tmp_path):
    (tmp_path / "mine.toml").write_text("mine")
    code, _, err = jaxnn("config", "new", "--out", tmp_path / "mine.toml")
    assert code == 2 and "expected a new file" in err and (tmp_path / "mine.toml").read_text() == "mine"
