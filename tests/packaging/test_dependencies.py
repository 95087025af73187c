"""Every import is declared in pyproject.toml: an import that arrives through another package may vanish with it."""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.imports import ROOT, imported_names, source_files

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
#: The extras that a function of the package may import from; it then says which extra is missing.
RUNTIME_EXTRAS = ("tfds", "sweep", "play", "test")
#: Import names that do not follow from the name of the distribution.
DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn"}
#: Names of the repository itself; `config_page` is a script of its documents.
LOCAL = {"jaxnn", "tests", "benchmarks", "config_page"}


def _declared(*extras: str) -> set[str]:
    """The canonical names of the dependencies and of the packages in these extras."""
    texts = [*PROJECT["dependencies"], *(text for extra in extras for text in EXTRAS[extra])]
    return {canonicalize_name(Requirement(text).name) for text in texts}


def _undeclared(folder: str, at_import: set[str], in_functions: set[str]) -> list[str]:
    """The imports below a folder that no declaration covers, each as `file: module`."""
    faults = set()
    for path in source_files(folder):
        siblings = {sibling.stem for sibling in path.parent.glob("*.py")}
        for name, in_function in imported_names(path):
            top = name.partition(".")[0]
            if top in sys.stdlib_module_names or top in LOCAL or top in siblings:
                continue
            distribution = canonicalize_name(DISTRIBUTIONS.get(top, top))
            if distribution not in (in_functions if in_function else at_import):
                faults.add(f"{path.relative_to(ROOT)}: {top}")
    return sorted(faults)


def test_imports_of_the_package_are_declared():
    faults = _undeclared("jaxnn", _declared(), _declared(*RUNTIME_EXTRAS))
    # pytest itself loads the plugin, so pytest is there whenever the plugin is. The strategies name what is missing; so
    # does `jaxnn play`, before it imports the page's application.
    application = [f"jaxnn/play/app.py: {name}" for name in ("anyio", "starlette")]
    assert faults == ["jaxnn/certify/strategies.py: hypothesis", *application, "jaxnn/pytest_plugin.py: pytest"]


@pytest.mark.parametrize(
    ("folder", "extras"),
    [("tests", ("dev", *RUNTIME_EXTRAS)), ("benchmarks", ("bench",)), ("docs", ("dev",))],
)
def test_imports_of_the_repository_are_declared(folder, extras):
    declared = _declared(*extras)
    assert _undeclared(folder, declared, declared) == []


def test_import_names_map_to_the_right_distributions():
    """The two names that the table of exceptions holds, and the rule for all others, agree with what is installed."""
    installed = packages_distributions()
    for path in source_files("jaxnn"):
        for name, _ in imported_names(path):
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top not in LOCAL and top in installed:
                expected = {canonicalize_name(distribution) for distribution in installed[top]}
                assert canonicalize_name(DISTRIBUTIONS.get(top, top)) in expected


def test_every_dependency_is_imported():
    imported = {
        canonicalize_name(DISTRIBUTIONS.get(top, top))
        for path in source_files("jaxnn")
        for top in (name.partition(".")[0] for name, _ in imported_names(path))
    }
    assert _declared() - imported == set()


@pytest.mark.parametrize("text", [*PROJECT["dependencies"], *(text for texts in EXTRAS.values() for text in texts)])
def test_every_requirement_has_one_lower_bound(text):
    """`.ci/lower_bounds` reads the bounds: each is of the form >=X, so that an upper bound hides no break."""
    requirement = Requirement(text)
    if requirement.name == PROJECT["name"]:
        return
    assert re.fullmatch(r">=[\d.]+", str(requirement.specifier))


def test_extras_choose_the_accelerator():
    assert {"cuda12", "cuda13", "tpu"} <= set(EXTRAS)
    for extra in ("cuda12", "cuda13", "tpu"):
        (requirement,) = map(Requirement, EXTRAS[extra])
        assert (requirement.name, requirement.extras) == ("jax", {extra})
        assert str(requirement) == f"jax[{extra}]" + str(
            next(r.specifier for r in map(Requirement, PROJECT["dependencies"]) if r.name == "jax")
        )
