"""A missing optional library is named, with the command that installs it, and never a project of another name."""

import re
import subprocess
import sys
import tomllib
from types import SimpleNamespace

import pytest

from jaxnn.data.tfds import tfds
from jaxnn.errors import UserError
from tests.cli.process import own_lines
from tests.packaging.imports import ROOT, source_files

BLOCKED = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {library!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Block())
from jaxnn.cli import main
main({words!r})
"""
SWEEP = ["sweep", "digits_mlp", "--draw", "optimizer.l2=uniform(0,1)", "--search", "optuna", "--train.epochs", "1"]
TFDS = ["train", "digits_mlp", "--data.name", "tfds:mnist", "--train.epochs", "1"]


@pytest.mark.parametrize(
    ("library", "words", "remedy"),
    [
        ("optuna", SWEEP, "pip install optuna"),
        ("tensorflow_datasets", TFDS, "pip install tensorflow-datasets"),
        ("starlette", ["play", "--no-browser"], "pip install starlette uvicorn"),
        ("uvicorn", ["play", "--no-browser"], "pip install starlette uvicorn"),
    ],
)
def test_missing_library_is_named_with_its_remedy_in_one_line(library, words, remedy, tmp_path):
    script = BLOCKED.format(library=library, words=words)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    lines = own_lines(done.stderr)
    assert done.returncode == 2 and len(lines) == 1, done.stderr
    assert remedy in lines[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("library", ["array_record", "importlib_resources"])
def test_missing_reader_of_tensorflow_datasets_is_named_with_its_remedy(library, monkeypatch):
    """tensorflow-datasets imports it only where a prepared set is read."""

    def data_source(name, **options):
        raise ModuleNotFoundError(f"No module named {library!r}", name=library)

    monkeypatch.setattr("jaxnn.data.tfds._import_tfds", lambda: SimpleNamespace(data_source=data_source))
    with pytest.raises(UserError, match=f"found no {library}; .*pip install tensorflow-datasets importlib-resources"):
        tfds("mnist")


def test_optional_libraries_of_the_package_have_a_case():
    """The other extras install JAX's plugins, or serve the tests and benchmarks."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {re.split(r"[>=[]", name)[0] for extra in ("tfds", "sweep", "play") for name in extras[extra]} == {
        "tensorflow-datasets", "importlib-resources", "array-record", "optuna",
        "starlette", "uvicorn", "anyio",
    }  # fmt: skip


def test_no_message_or_page_installs_a_project_named_jaxnn():
    pages = [*source_files("jaxnn"), *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("notebooks/*")]
    pattern = re.compile(r"(pip|uv) (install|add) [^\n`]*?(?<![-\w./])jaxnn(\[|\b)|(?<![-\w])jaxnn\[|the extra '")
    found = [f"{path.relative_to(ROOT)}: {match[0]}" for path in pages if (match := pattern.search(path.read_text()))]
    assert found == []
