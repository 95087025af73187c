"""The entry point: parses the command line, runs the command, and turns errors into one line and an exit status.

Exit status: 0 on success; 1 where a command says so (`rerun`, `certify`); 2 for a mistake of the user; 128 + the
signal's number when interrupted; 141 when the reader of the output is gone, as `jaxnn --help | head -3` leaves it.
"""

import contextlib
import importlib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import fields

import tyro

from jaxnn.cli.arguments import OVERRIDABLE, Command
from jaxnn.cli.interrupts import Interrupted
from jaxnn.errors import DataWarning, UserError, hint

DESCRIPTION = """Neural networks you can check: every backward pass is written by hand, and is the code that trains.

`jaxnn --version` prints the version."""
#: 128 + SIGPIPE: what a shell reports for a program that writes into a closed pipe.
BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a command line. Raises `SystemExit` where the exit status is not 0; see this module's docstring."""
    for name in ("stdout", "stderr"):
        # Python has None where the caller closed the stream.
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  # open to the end of the process
    try:
        try:
            run(sys.argv[1:] if argv is None else argv)
        finally:
            # Flushed here, because a broken pipe at the interpreter's exit cannot be caught.
            sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as error:
        # rich turns a broken pipe into exit status 1.
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise
        discard_closed_streams()
        sys.exit(BROKEN_PIPE)


def run(argv: Sequence[str]) -> None:
    """Runs a command line and exits with an error's status."""
    if list(argv) == ["--version"]:
        from jaxnn import __version__

        print(f"jaxnn {__version__}")
        return
    words, overrides = split_overrides(argv)
    command, unknown = tyro.cli(
        Command,  # type: ignore[arg-type]  # a union is a type to tyro
        prog="jaxnn",
        description=DESCRIPTION,
        args=words,
        return_unknown_args=True,
    )
    try:
        reject_unknown(command, [*unknown, *(() if isinstance(command, OVERRIDABLE) else overrides)])
        cache = getattr(command, "cache", None)
        if cache is not None:
            from jaxnn.cli.compilation_cache import disable_compilation_cache, enable_compilation_cache

            enable_compilation_cache() if cache else disable_compilation_cache()
        name = type(command).__name__.lower()
        # A command's module is imported only when the command runs, because most of them import JAX.
        module = importlib.import_module(f"jaxnn.cli.{name}")
        with data_warnings():
            module.run(command, overrides) if isinstance(command, OVERRIDABLE) else module.run(command)
    except UserError as error:
        print(f"jaxnn: {error}", file=sys.stderr)
        sys.exit(2)
    except Interrupted as interrupted:
        print(f"jaxnn: {interrupted}", file=sys.stderr)
        sys.exit(128 + interrupted.signal)
    except KeyboardInterrupt:
        print("jaxnn: interrupted; nothing was written", file=sys.stderr)
        sys.exit(130)


@contextlib.contextmanager
def data_warnings() -> Iterator[None]:
    """Within it, each warning about the data is one line on standard error, and the command goes on."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_data_warning(message, category, filename, lineno, file=None, line=None):
            if issubclass(category, DataWarning):
                print(f"jaxnn: warning: {message}", file=sys.stderr)
            else:
                show(message, category, filename, lineno, file, line)

        warnings.showwarning = show_data_warning
        warnings.simplefilter("always", DataWarning)
        yield


def discard_closed_streams() -> None:
    """Connects each output stream whose reader is gone to the null device, so that no later flush of it fails."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


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


def reject_unknown(command: object, unknown: Sequence[str]) -> None:
    """Raises `UserError` for the first word that the command does not take."""
    for word in unknown:
        known = [f"--{field.name.replace('_', '-')}" for field in fields(command)]  # type: ignore[arg-type]  # a dataclass
        suggestion = hint(word.partition("=")[0], known)
        raise UserError(f"unexpected argument {word!r}{suggestion} (`jaxnn {type(command).__name__.lower()} --help`)")
