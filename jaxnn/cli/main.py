"""The door: reads the command line, runs the command, and turns a user's mistake into one line and exit code 2."""

import importlib
import sys
from collections.abc import Sequence
from dataclasses import fields

import tyro

from jaxnn.cli.arguments import OVERRIDABLE, Command
from jaxnn.cli.interrupts import Left
from jaxnn.errors import UserError, hint

DESCRIPTION = "Neural networks you can check: every backward pass is derived by hand, and is the one that trains."


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a command line; exits with 2 for a mistake in what was asked, 130 when interrupted."""
    words, changes = overrides(sys.argv[1:] if argv is None else argv)
    command, rest = tyro.cli(
        Command,  # type: ignore[arg-type]  # a union is a type to tyro
        prog="jaxnn",
        description=DESCRIPTION,
        args=words,
        return_unknown_args=True,
    )
    try:
        refuse(command, [*rest, *(() if isinstance(command, OVERRIDABLE) else changes)])
        cache = getattr(command, "cache", None)
        if cache is not None:
            from jaxnn.cli.compilation_cache import keep_none, keep_programs

            keep_programs() if cache else keep_none()
        name = type(command).__name__.lower()
        # A command's module is imported when it is asked for: most of them start JAX.
        module = importlib.import_module(f"jaxnn.cli.{name}")
        module.run(command, changes) if isinstance(command, OVERRIDABLE) else module.run(command)
    except UserError as error:
        print(f"jaxnn: {error}", file=sys.stderr)
        sys.exit(2)
    except Left as left:
        print(f"jaxnn: {left}", file=sys.stderr)
        sys.exit(128 + left.signal)
    except KeyboardInterrupt:
        print("jaxnn: interrupted; nothing was written", file=sys.stderr)
        sys.exit(130)


def overrides(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The command line without its dotted options, and those as a config's overrides.

    `--a.b 1` and `--a.b=1` become `a.b=1`; a last `--a.b` without a value stays `a.b`.
    """
    words, changes = [], []
    left = list(argv)
    while left:
        word = left.pop(0)
        name, equals, _ = word.partition("=")
        if not (name.startswith("--") and "." in name):
            words.append(word)
        else:
            value = [left.pop(0)] if left and not equals else []
            changes.append("=".join([word.removeprefix("--"), *value]))
    return words, changes


def refuse(command: object, rest: Sequence[str]) -> None:
    """Raises `UserError` for the first thing that the command does not take."""
    for word in rest:
        known = [f"--{field.name.replace('_', '-')}" for field in fields(command)]  # type: ignore[arg-type]  # a dataclass
        meant = hint(word.partition("=")[0], known)
        raise UserError(f"unexpected argument {word!r}{meant} (`jaxnn {type(command).__name__.lower()} --help`)")
