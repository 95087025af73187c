"""What the distribution says of itself: its name, version and the files that belong to it."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError

import pytest

import jaxnn
from tests.packaging.imports import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SUFFIXES = {".py", ".md", ".toml", ".ipynb"}


def test_version_is_that_of_the_distribution(monkeypatch):
    asked = []

    def version(name):
        asked.append(name)
        return "1.2.3"

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert jaxnn.__version__ == "1.2.3"
    assert asked == [PROJECT["name"]]


def test_version_of_a_source_tree_is_unknown(monkeypatch):
    def version(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert jaxnn.__version__ == "unknown (not installed)"


def test_unknown_name_of_the_package_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(jaxnn, "no_such_" + "name")


def test_import_of_the_package_reads_no_metadata():
    code = "import jaxnn, sys; print(sorted({'jax', 'numpy', 'importlib.metadata'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_package_is_marked_as_typed():
    assert (ROOT / "jaxnn" / "py.typed").exists()


def test_no_message_installs_another_project():
    """`jaxnn` on the package index is another project, so no file may tell a user to install that name."""
    pattern = re.compile(r"pip3? install[^\n]*[\s'\"]jaxnn\b")
    folders = ("jaxnn", "tests", "benchmarks", "docs", "configs", "notebooks")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    faults = [str(path) for path in [*files, *ROOT.glob("*.md")] if pattern.search(path.read_text())]
    assert faults == []


def test_versions_of_python_agree():
    """The classifiers begin with the version that `requires-python` names."""
    versions = [text.rpartition(" ")[2] for text in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", text)]
    assert versions == ["3.11", "3.12", "3.13", "3.14"]
    assert PROJECT["requires-python"] == f">={versions[0]}"


def test_citation_and_changelog_name_the_version():
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.findall(r"^version: (.*)$", citation, re.M) == [PROJECT["version"]]
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text()


def test_git_ignores_no_part_of_the_package():
    """The build leaves out what git ignores, so a rule such as `runs/` would drop `jaxnn/runs` from the wheel."""
    packages = sorted({path.parent for path in (ROOT / "jaxnn").rglob("*.py")} | {ROOT / "tests" / "packaging"})
    names = [str((folder / "new.py").relative_to(ROOT)) for folder in packages]
    command = ["git", "check-ignore", "--no-index", *names]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode == 128:
        pytest.skip("not a git checkout")
    assert done.stdout == ""
