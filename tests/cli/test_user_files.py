"""The user's own Python files: each is found by its path alone, and leaves nothing behind."""

import importlib
import os
import pickle
import sys
import typing

import pytest

from jaxnn.cli.certify_targets import jobs
from jaxnn.errors import UserError
from jaxnn.experiment.definition import Experiment
from jaxnn.runs.import_file import imported, split_target
from jaxnn.runs.python_file import load_experiment
from tests.cli.process import jaxnn_process

EXPERIMENT = """
import numpy as np
import optax
from jaxnn import Experiment, Plan, dense, in_memory, quadratic, supervised

x = np.ones((8, 2), np.float32)
experiment = Experiment(
    supervised(dense(1), quadratic(), optax.sgd(0.1)), in_memory(x, x[:, :1]), Plan(epochs=1), title={title!r}
)
"""


def value(path, name="value"):
    with imported(path) as module:
        return getattr(module, name)


@pytest.mark.parametrize(
    "name",
    [
        "numbers.py", "json.py", "jax.py", "jaxnn.py", "optax.py", "numpy.py", "test.py", "__main__.py", "my file.py",
        "my-file.py", "größe.py", "файл.py", "a:b.py", "mine.v2.py", "os.path.py",
    ],
)  # fmt: skip
def test_load_experiment_finds_a_file_of_any_name(tmp_path, name):
    before = sys.modules.get(name.removesuffix(".py"))
    path = tmp_path / name
    path.write_text(EXPERIMENT.format(title="mine"))
    experiment = load_experiment(f"{path}:experiment")
    assert isinstance(experiment, Experiment) and experiment.title == "mine"
    assert sys.modules.get(name.removesuffix(".py")) is before


@pytest.mark.parametrize("name", ["numbers.py", "json.py", "jax.py", "my file.py", "größe.py", "a:b.py"])
def test_certify_finds_a_file_of_any_name(tmp_path, name, jaxnn):
    (tmp_path / name).write_text("import jaxnn\n\ndef layer():\n    return jaxnn.tanh()\n")
    code, out, err = jaxnn("certify", f"{tmp_path / name}:layer", "--shape", "3,5", "--quick")
    assert code == 0 and "holds" in out, err


def test_process_in_a_folder_of_files_named_like_libraries_runs_each_of_them(tmp_path):
    names = ("numbers.py", "json.py", "jax.py", "optax.py", "random.py")
    for name in names:
        (tmp_path / name).write_text("import jaxnn\n\ndef layer():\n    return jaxnn.tanh()\n")
    targets = [f"{name}:layer" for name in names]
    done = jaxnn_process(["certify", *targets, "--shape", "3,5", "--quick"], cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.count("holds") == len(names), done.stderr


def test_imported_tells_two_files_of_one_name_apart_and_their_neighbours_too(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder / "parts").mkdir(parents=True)
        (tmp_path / folder / "mine.py").write_text(
            "import helper\nfrom parts.deep import deep\nvalue = helper.value, deep"
        )
        (tmp_path / folder / "helper.py").write_text(f"value = {folder!r}")
        (tmp_path / folder / "parts" / "deep.py").write_text(f"deep = {folder!r} + '-deep'")
    assert value(tmp_path / "a" / "mine.py") == ("a", "a-deep")
    assert value(tmp_path / "b" / "mine.py") == ("b", "b-deep")
    targets = [f"{tmp_path / folder / 'mine.py'}:value" for folder in ("a", "b")]
    for target in targets:
        with pytest.raises(UserError, match="found tuple"):
            jobs([target])


def test_imported_prefers_a_neighbour_to_a_module_of_another_folder(tmp_path, monkeypatch):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "neighbour.py").write_text(f"value = {folder!r}")
    (tmp_path / "here" / "mine.py").write_text("import neighbour\nvalue = neighbour.value")
    monkeypatch.syspath_prepend(tmp_path / "there")
    neighbour = importlib.import_module("neighbour")
    assert value(tmp_path / "here" / "mine.py") == "here"
    assert sys.modules.pop("neighbour") is neighbour and neighbour.value == "there"


def test_imported_prefers_an_installed_module_to_a_neighbour(tmp_path):
    (tmp_path / "optax.py").write_text("raise RuntimeError('a file named like a library')")
    (tmp_path / "secrets.py").write_text("raise RuntimeError('a file named like the standard library')")
    (tmp_path / "mine.py").write_text("import optax, secrets\nvalue = optax.sgd, secrets.token_hex")
    assert len(value(tmp_path / "mine.py")) == 2


def test_imported_sees_every_edit_of_a_file_and_of_its_neighbour(tmp_path):
    mine, helper = tmp_path / "mine.py", tmp_path / "helper.py"
    mine.write_text("import helper\nvalue = 1, helper.value")
    helper.write_text("value = 1")
    assert value(mine) == (1, 1)
    times = [os.stat(path).st_mtime_ns for path in (mine, helper)]
    mine.write_text("import helper\nvalue = 2, helper.value")
    helper.write_text("value = 2")
    for path, time in zip((mine, helper), times, strict=True):
        os.utime(path, ns=(time, time))  # the same size and the same time, as for an edit within a second
    assert value(mine) == (2, 2)
    assert {path.name for path in tmp_path.iterdir()} == {"mine.py", "helper.py"}


def test_imported_leaves_the_path_and_the_modules_as_they_were(tmp_path):
    (tmp_path / "helper.py").write_text("")
    for text in ("import helper", "import helper\n1 / 0"):
        (tmp_path / "mine.py").write_text(text)
        path, finders, modules = list(sys.path), list(sys.meta_path), set(sys.modules)
        try:
            with imported(tmp_path / "mine.py") as module:
                assert "helper" in sys.modules
                own = {module.__name__}
        except UserError:
            own = set()
        assert (sys.path, sys.meta_path) == (path, finders)
        assert set(sys.modules) - modules <= own and modules <= set(sys.modules) | own
        sys.modules.pop(next(iter(own), ""), None)


def test_imported_module_can_be_looked_up_by_its_classes(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass, field\n"
        "@dataclass\nclass Point:\n    x: int = 1\n    other: Point | None = field(default=None)\n"
        "value = Point(2, Point())"
    )
    point = value(tmp_path / "mine.py")
    assert pickle.loads(pickle.dumps(point)) == point
    assert typing.get_type_hints(type(point))["x"] is int


def test_imported_module_may_import_its_neighbour_when_a_function_is_called(tmp_path, jaxnn):
    (tmp_path / "helper.py").write_text("import jaxnn\nlayer = jaxnn.tanh()")
    (tmp_path / "mine.py").write_text("def layer():\n    import helper\n    return helper.layer")
    code, _, err = jaxnn("certify", f"{tmp_path / 'mine.py'}:layer", "--shape", "3,5", "--quick")
    assert code == 0, err


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = 1\nx / 0", "mine.py:2: ZeroDivisionError: division by zero"),
        ("import helper", "helper.py:3: ValueError: two words"),
        ("import nosuch", "mine.py:1: ModuleNotFoundError: No module named 'nosuch'"),
        ("\n\ndef f(:\n  pass", "mine.py:3: SyntaxError: invalid syntax"),
        ("def f():\n\tif 1:\n        pass", "mine.py:3: TabError: inconsistent use of tabs"),
        ("import sys\nsys.exit(3)", "mine.py:2: SystemExit: 3"),
        ("import jaxnn\njaxnn.dense(0)", "mine.py:2: dense: expected"),
        ("value = '\\0'.join(['a']) + '\0'", "mine.py"),
        ("def experiment():\n    return undefined", "mine.py:2: NameError: name 'undefined' is not defined"),
        ("experimant = 1", "mine.py: expected an experiment named 'experiment', found none"),
        ("experiment = 1", "expected a jaxnn.Experiment, found int"),
    ],
)
def test_mistake_in_a_users_file_is_one_line_with_file_and_line(tmp_path, monkeypatch, jaxnn, text, line):
    (tmp_path / "helper.py").write_text("\n\nraise ValueError('two\\nwords')")
    (tmp_path / "mine.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    code, _, err = jaxnn("train", "mine.py:experiment")
    assert code == 2 and err.startswith("jaxnn: ") and line in err and len(err.splitlines()) == 1, err
    assert not (tmp_path / "runs").exists()


def test_mistake_in_a_users_file_is_shown_whole_on_request(tmp_path, jaxnn):
    (tmp_path / "mine.py").write_text("def f():\n    1 / 0\n\nf()")
    code, _, err = jaxnn("train", f"{tmp_path / 'mine.py'}")
    assert code == 2 and "--traceback" in err
    code, _, err = jaxnn("train", f"{tmp_path / 'mine.py'}", "--traceback")
    assert code == 2 and "Traceback" in err and "line 4, in <module>" in err and "ZeroDivisionError" in err


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nosuch.py:f", "nosuch.py: expected a Python file, found none"),
        ("folder.py:f", "folder.py: expected a Python file, found none"),
        ("mine.py:layr", "mine.py: expected a layer or a function named 'layr', found layer; did you mean layer?"),
        ("mine.py", "mine.py: expected :NAME of a layer or a function after the file, found layer"),
        ("mine:layr", "mine: expected a layer or a function named 'layr', found layer; did you mean layer?"),
        ("nosuch:f", "nosuch: ModuleNotFoundError: No module named 'nosuch'"),
        (":f", "Empty module name"),
    ],
)
def test_certify_refuses_a_missing_file_or_name_in_one_line(tmp_path, monkeypatch, jaxnn, target, message):
    (tmp_path / "mine.py").write_text("import jaxnn\nlayer = jaxnn.tanh()")
    (tmp_path / "folder.py").mkdir()
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    code, _, err = jaxnn("certify", target, "--shape", "3,5", "--quick")
    assert code == 2 and message in err and len(err.splitlines()) == 1, err
    assert sys.path == path


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("mine.py", ("mine.py", "")), ("mine.py:f", ("mine.py", "f")), ("a:b/mine.py:f", ("a:b/mine.py", "f")),
        ("a:b.py", ("a:b.py", "")), ("C:\\mine.py:f", ("C:\\mine.py", "f")), ("mine:f", None), ("mnist_cnn", None),
        ("x.toml", None), ("mine.py/x.toml", None),
    ],
)  # fmt: skip
def test_split_target_takes_the_last_colon_after_the_file(text, parts):
    found = split_target(text)
    assert (found and (str(found[0]), found[1])) == parts
