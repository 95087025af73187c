"""Imports point one way: a module imports only from layers below its own, and no two modules import each other."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.imports import ROOT, imported_names, source_files

#: The parts of the package from the lowest to the highest. A part may import from its own line and from lines above it.
ORDER = (
    ("errors", "metric_labels", "curve_statistics"),
    ("layer",),
    ("shapes", "graph", "sequence", "targets", "quantities"),
    (
        "combine",
        "mixture_of_experts",
        "batch_statistics",
        "loss",
        "structured_losses",
        "detection",
        "losses",
        "pretrained",
        "metrics",
        "kernels",
        "initializers",
        "precision",
    ),
    ("traverse", "layers", "backprop", "models", "summary", "generation", "variational"),
    ("train",),
    ("engine",),
    ("experiment",),
    ("config",),
    ("report",),
    ("runs",),
    ("course",),
    ("sweep",),
    ("processes",),
    ("play",),
    ("cli",),
    ("__main__",),
)
RANK = {part: rank for rank, line in enumerate(ORDER) for part in line}
MATHEMATICS = frozenset(part for part, rank in RANK.items() if rank < RANK["train"])
#: The parts that stand beside that order, and everything that each may import (a part, or a single module of one).
BESIDE = {
    "storage": {"errors"},
    "plots": {"errors", "metric_labels", "curve_statistics", "storage"},
    "data": {"errors", "graph", "layer", "sequence", "storage", "targets"},
    "certify": MATHEMATICS | {"train.optimizers"},
    "pytest_plugin": {"certify"},
}
#: The lowest part of the order that may import a part that stands beside it.
USED_FROM = {"storage": "engine", "data": "train", "plots": "report", "certify": "play"}
#: Lines of a file: more of them are two subjects.
MAX_LINES = 250
#: (importer, imported) that break the order today. This set only shrinks: an entry that no longer holds fails a test.
KNOWN_VIOLATIONS: set[tuple[str, str]] = set()


def _module_names() -> dict[str, Path]:
    """Each module of the package, as `layers.conv` (a package is named by its folder), and its file."""
    names = {}
    for path in source_files("jaxnn"):
        parts = path.relative_to(ROOT / "jaxnn").with_suffix("").parts
        names[".".join(part for part in parts if part != "__init__")] = path
    return names


MODULES = _module_names()


def _stub_exports(package: Path) -> dict[str, str]:
    """The names that the stub of a package exports, and the module of each."""
    stub = package.with_suffix(".pyi")
    if not stub.exists():
        return {}
    parts = stub.relative_to(ROOT / "jaxnn").parts[:-1]
    return {
        alias.name: ".".join([*parts, node.module])
        for node in ast.parse(stub.read_text()).body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def _defining_module(name: str) -> str | None:
    """The module of jaxnn that an imported name comes from; None for the name of another package."""
    if name != "jaxnn" and not name.startswith("jaxnn."):
        return None
    module = name.removeprefix("jaxnn").removeprefix(".")
    while module not in MODULES:
        module, _, last = module.rpartition(".")
        module = _stub_exports(MODULES[module]).get(last, module) if module in MODULES else module
    return module


def import_graph() -> dict[str, set[str]]:
    """The modules of the package that each of its modules imports, also inside a function."""
    return {
        name: {target for imported, _ in imported_names(path) if (target := _defining_module(imported)) is not None}
        - {name}
        for name, path in MODULES.items()
    }


def is_allowed(importer: str, imported: str) -> bool:
    """Whether the order allows this import. The root of the package is lazy and belongs to no part."""
    source, target = importer.partition(".")[0], imported.partition(".")[0]
    if not target or source == target:
        return True
    if source in BESIDE:
        return bool({target, imported} & BESIDE[source])
    lowest = USED_FROM.get(target, target)
    return source in RANK and lowest in RANK and RANK[lowest] <= RANK[source]


GRAPH = import_graph()
VIOLATIONS = {
    (importer, imported)
    for importer, targets in GRAPH.items()
    for imported in targets
    if importer and not is_allowed(importer, imported)
}


def test_part_of_every_module_is_in_the_order():
    parts = {name.partition(".")[0] for name in MODULES if name}
    assert parts - RANK.keys() - BESIDE.keys() == set()


def test_root_imports_no_part_of_the_package():
    assert GRAPH[""] == set()


def test_stubs_name_modules_that_exist():
    for stub in (ROOT / "jaxnn").rglob("__init__.pyi"):
        missing = set(_stub_exports(stub.with_suffix(".py")).values()) - MODULES.keys()
        assert missing == set(), stub


def test_imports_point_down():
    unexpected = [f"{importer} imports {imported}" for importer, imported in sorted(VIOLATIONS - KNOWN_VIOLATIONS)]
    assert unexpected == []


def test_known_violations_still_exist():
    repaired = [f"{importer} imports {imported}" for importer, imported in sorted(KNOWN_VIOLATIONS - VIOLATIONS)]
    assert repaired == [], "delete these entries from KNOWN_VIOLATIONS"


def test_modules_import_each_other_in_no_circle():
    allowed = {name: {t for t in targets if (name, t) not in KNOWN_VIOLATIONS} for name, targets in GRAPH.items()}
    _assert_no_circle(allowed)


def test_parts_import_each_other_in_no_circle():
    parts: dict[str, set[str]] = {}
    for importer, targets in GRAPH.items():
        source = importer.partition(".")[0]
        allowed = {t.partition(".")[0] for t in targets if (importer, t) not in KNOWN_VIOLATIONS}
        parts.setdefault(source, set()).update(allowed - {source})
    _assert_no_circle(parts)


def _assert_no_circle(graph: dict[str, set[str]]) -> None:
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"imports form a circle: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("layers.conv", "kernels.matmul", True),
        ("layers.conv", "layers.affine", True),
        ("kernels.matmul", "layers.conv", False),
        ("experiment.fit", "config.load", False),
        ("config.load", "experiment.fit", True),
        ("certify.cases", "train.optimizers", True),
        ("certify.cases", "train.run", False),
        ("data.mnist", "train.batches", False),
        ("layers.conv", "data.mnist", False),
        ("layers.conv", "certify.cases", False),
        ("cli.certify", "certify.cases", True),
        ("runs.manifest", "", True),
    ],
)
def test_order_allows_and_refuses_the_right_imports(importer, imported, allowed):
    assert is_allowed(importer, imported) == allowed


def test_names_resolve_to_the_modules_that_define_them():
    assert _defining_module("jaxnn.layers.conv") == "layers.conv"
    assert _defining_module("jaxnn.dense") == "layers"
    assert _defining_module("jaxnn.certify.cases.ROWS") == "certify.cases"
    assert _defining_module("jaxnn.losses.Loss") == "losses"
    assert _defining_module("jaxnn") == ""
    assert _defining_module("jax.numpy") is None


def test_files_are_short():
    long = {name: n for name, path in MODULES.items() if (n := len(path.read_text("utf-8").splitlines())) > MAX_LINES}
    assert not long, (
        f"expected files of at most {MAX_LINES} lines, found {long}: move a part of each to a file of its own"
    )


def test_public_name_stays_what_it_is_where_a_module_of_its_name_is_imported():
    code = "import importlib, jaxnn; importlib.import_module('jaxnn.summary'); print(callable(jaxnn.summary))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
