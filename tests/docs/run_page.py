"""Runs the Python blocks of a Markdown page from top to bottom, in one namespace: `python run_page.py PAGE`.

A block is doctest input if it begins with `>>>`, else a script. ```` ```python mine.py ```` is written to that file
first, so that later blocks can use it. The exit status is 1 if a block fails.
"""

import doctest
import re
import socket
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: Packages that a page may show and that `jaxnn` does not install. Without one, the block that imports it is skipped.
OPTIONAL = {"flax"}


class Block(NamedTuple):
    """A fenced block of a page: its language, the file that it names, its text and the line of its first character."""

    language: str
    file: str
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for match in re.finditer(r"^```(\w+)(?: +(\S+))?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield Block(match[1], match[2] or "", match[3], text.count("\n", 0, match.start(3)) + 1)


def run_page(page: Path) -> None:
    """Runs the page's blocks. Raises `SystemExit` for a doctest that fails, and whatever a script raises."""
    module = types.ModuleType("page")
    sys.modules["page"] = module  # jaxtyping and dataclasses look their module up
    namespace = module.__dict__
    for block in blocks(page):
        if block.file:
            Path(block.file).write_text(block.text, encoding="utf-8")
        if block.language not in ("python", "py"):
            continue
        try:
            if block.text.startswith(">>>"):
                run_doctest(block, page, namespace)
            else:
                # The empty lines in front make a traceback name the line of the page.
                exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), namespace)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in OPTIONAL:
                raise
            print(f"{page.name} line {block.line}: skipped, {error}")


def run_doctest(block: Block, page: Path, namespace: dict[str, object]) -> None:
    """Runs a block of doctest input in the namespace."""
    test = doctest.DocTestParser().get_doctest(block.text, namespace, page.name, str(page), block.line - 1)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    if doctest.DocTestRunner(optionflags=flags).run(test, clear_globs=False).failed:
        sys.exit(1)
    namespace.update(test.globs)


def refuse_network() -> None:
    """Makes every connection fail: a page needs no network."""

    def connect(self: socket.socket, address: object) -> None:
        raise OSError(f"a page of the documentation connects to {address}")

    socket.socket.connect = connect  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    refuse_network()
    run_page(Path(sys.argv[1]))
