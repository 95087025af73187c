"""The door: reads the command line, runs the command, and turns a user's mistake into one line and exit code 2."""

import difflib
import importlib
import sys
from collections.abc import Sequence
from dataclasses import fields

import tyro

from jaxnn.cli.arguments import OVERRIDABLE, Command
from jaxnn.errors import UserError

DESCRIPTION = "Neural networks you can check: every backward pass is derived by hand, and is the one that trains."


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a command line; exits with 2 for a mistake in what was asked, 130 when interrupted."""
    argv = sys.argv[1:] if argv is None else list(argv)
    # Hyphens and underscores are alike in option names (tyro's habit), so that a config's own field names serve.
    command, rest = tyro.cli(
        Command,
        prog="jaxnn",
        description=DESCRIPTION,
        args=argv,
        return_unknown_args=True,  # type: ignore[arg-type]
    )
    try:
        changes = overrides(command, rest)
        name = type(command).__name__.lower()
        # A command's module is imported when it is asked for: most of them start JAX.
        module = importlib.import_module(f"jaxnn.cli.{name}")
        module.run(command, changes) if isinstance(command, OVERRIDABLE) else module.run(command)
    except UserError as error:
        print(f"jaxnn: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("jaxnn: interrupted; nothing was written", file=sys.stderr)
        sys.exit(130)


def overrides(command: object, rest: Sequence[str]) -> list[str]:
    """What tyro left over, as a config's overrides: `--a.b 1` and `--a.b=1` become `a.b=1`.

    Raises `UserError` for anything that is no dotted option, or where the command takes no overrides.
    """
    known = [f"--{field.name.replace('_', '-')}" for field in fields(command)]  # type: ignore[arg-type]
    words, found = list(rest), []
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if not (word.startswith("--") and "." in name and isinstance(command, OVERRIDABLE)):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UserError(f"unexpected argument {word!r}{hint} (`jaxnn {type(command).__name__.lower()} --help`)")
        if not equals:
            if not words:
                raise UserError(f"expected a value after {word}, found none")
            value = words.pop(0)
        found.append(f"{name.removeprefix('--')}={value}")
    return found
