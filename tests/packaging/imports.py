"""Reads the imports of a source file without running it."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def imported_names(path: Path) -> Iterator[tuple[str, bool]]:
    """Every name that a file imports, with its module, and whether the import is inside a function.

    `import a.b` gives "a.b"; `from a.b import c` gives "a.b.c"; a relative import is made absolute.
    """
    package = list(path.relative_to(ROOT).with_suffix("").parts)[:-1]
    pending: list[tuple[ast.AST, bool]] = [(ast.parse(path.read_text()), False)]
    while pending:
        node, in_function = pending.pop()
        match node:
            case ast.Import():
                yield from ((alias.name, in_function) for alias in node.names)
            case ast.ImportFrom():
                above = package[: len(package) - node.level + 1] if node.level else []
                module = ".".join([*above, *([node.module] if node.module else [])])
                yield from ((f"{module}.{alias.name}", in_function) for alias in node.names)
        in_function = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        pending += [(child, in_function) for child in ast.iter_child_nodes(node)]


def source_files(folder: str) -> list[Path]:
    """The Python files below a folder of the repository."""
    return sorted((ROOT / folder).rglob("*.py"))
