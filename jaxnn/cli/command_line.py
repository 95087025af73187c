"""The words of a command line: which of them are overrides of a config, and what is wrong with them."""

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from jaxnn.cli.arguments import DATA_OVERRIDABLE, OVERRIDABLE, TEXTS
from jaxnn.errors import UserError, hint
from jaxnn.storage.files import expand_user

#: The command line that runs, with the name of the program: what a manifest writes down.
COMMAND_LINE: ContextVar[tuple[str, ...]] = ContextVar("COMMAND_LINE", default=("jaxnn",))


def split_overrides(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Splits a command line into the words without a dotted option, and the dotted options as overrides of a config.

    `--a.b 1` and `--a.b=1` become `a.b=1`; a last `--a.b` without a value stays `a.b`.
    """
    words, overrides = [], []
    remaining = list(argv)
    while remaining:
        word = remaining.pop(0)
        name, equals, _ = word.partition("=")
        if not (name.startswith("--") and "." in name):
            words.append(word)
        else:
            value = [remaining.pop(0)] if remaining and not equals else []
            overrides.append("=".join([word.removeprefix("--"), *value]))
    return words, overrides


def unexpected_overrides(command: object, overrides: Sequence[str]) -> list[str]:
    """The dotted options that a command does not take."""
    if isinstance(command, DATA_OVERRIDABLE):
        return [text for text in overrides if not text.startswith("data.")]
    return [] if isinstance(command, OVERRIDABLE) else list(overrides)


def reject_unknown(command: object, unknown: Sequence[str]) -> None:
    """Raises `UserError` for the first word that the command does not take."""
    for word in unknown:
        known = [f"--{field.name.replace('_', '-')}" for field in fields(command)]  # type: ignore[arg-type]  # a dataclass
        suggestion = hint(word.partition("=")[0], known)
        raise UserError(f"unexpected argument {word!r}{suggestion} (`jaxnn {type(command).__name__.lower()} --help`)")


def check_paths(command: Any) -> Any:
    """The command with the home folder in place of `~` in every path, which no shell does after `=` or in Python.

    Raises `UserError` where no home folder is known, and where the file of `--json` or `--junit` cannot be written.
    """

    def expand(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(expand(item) for item in value)
        if isinstance(value, Path):
            return expand_user(value)
        return str(expand_user(value)) if isinstance(value, str) and value.startswith("~") else value

    # A table that cannot be written after an hour of training is said before it.
    for option in ("json", "junit"):
        file = getattr(command, option, None)
        if file is not None and not expand(file).parent.is_dir():
            raise UserError(
                f"--{option} {file}: expected a file in a folder that exists, found no folder {file.parent}"
            )
        if file is not None and expand(file).is_dir():
            raise UserError(f"--{option} {file}: expected a file, found a folder")
    names = [field.name for field in fields(command) if field.name not in TEXTS]
    return replace(command, **{name: expand(getattr(command, name)) for name in names})
