"""The entry point: parses the command line, runs the command, and turns errors into one line and an exit status.

Exit status: 0 on success; 1 where a command says so (`rerun`, `certify`); 2 for a mistake of the user; 70 for a mistake
of jaxnn; 74 when a file or the output cannot be written, as on a full disk; 128 + the signal's number when interrupted;
141 when the reader of the output is gone, as `jaxnn --help | head -3` leaves it.
"""

import contextlib
import gc
import importlib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence

import tyro

from jaxnn.cli.arguments import OVERRIDABLE, WRAPPERS, CommandLine
from jaxnn.cli.command_line import COMMAND_LINE, check_paths, reject_unknown, split_overrides, unexpected_overrides
from jaxnn.cli.failures import BROKEN_PIPE, OUTPUT_ERROR, report_failure
from jaxnn.cli.progress import activity
from jaxnn.cli.terminal import print_text, print_warning, safe_streams
from jaxnn.errors import DataWarning, FigureWarning

DESCRIPTION = """Neural networks you can check: every backward pass is written by hand, and is the code that trains.

`jaxnn --version` prints the version. Every command takes `--traceback`, which shows where an error arose."""
#: Shows the traceback of an error. Any command takes it, at any place.
TRACEBACK = "--traceback"
#: New objects after which Python searches for unreachable cycles. With its own number, 700 or 2,000, the search takes a
#: tenth of the time of a short command: a trace makes millions of objects, and few of them are in cycles.
OBJECTS_PER_COLLECTION = 50_000


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a command line. Raises `SystemExit` where the exit status is not 0; see this module's docstring.

    argv: the words after `jaxnn`; None: those of this process
    """
    for name in ("stdout", "stderr"):
        # Python has None where the caller closed the stream.
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  # open to the end of the process
    words = list(sys.argv[1:] if argv is None else argv)
    with safe_streams(), rare_collections():
        status = run_to_status([word for word in words if word != TRACEBACK], with_traceback=TRACEBACK in words)
    if status:
        jax = sys.modules.get("jax")
        if jax is not None and jax.distributed.is_initialized():
            os._exit(status)  # JAX would wait for the other processes, which have ended
        sys.exit(status)


@contextlib.contextmanager
def rare_collections() -> Iterator[None]:
    """Python searches for unreachable cycles less often."""
    before = gc.get_threshold()
    gc.set_threshold(OBJECTS_PER_COLLECTION, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def run_to_status(words: Sequence[str], *, with_traceback: bool) -> int:
    """Runs a command line and returns its exit status. All that was printed is written."""
    token = COMMAND_LINE.set(("jaxnn", *words))
    try:
        try:
            run(words)
            status = 0
        except SystemExit as error:
            if isinstance(error.__context__, BrokenPipeError):  # rich turns it into exit status 1
                raise error.__context__ from None
            status = error.code if isinstance(error.code, int) else int(error.code is not None)
        except BaseException as error:
            if isinstance(error, OSError) and error.filename is None:
                raise  # an output stream failed
            status = report_failure(error, with_traceback=with_traceback)
        # Flushed here, because an error at the interpreter's exit cannot be caught.
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        discard_broken_streams()
        return BROKEN_PIPE
    except OSError as error:
        discard_broken_streams()
        with contextlib.suppress(OSError):
            return report_failure(error, with_traceback=False)
        return OUTPUT_ERROR
    finally:
        COMMAND_LINE.reset(token)


def run(argv: Sequence[str]) -> None:
    """Runs a command line."""
    if list(argv) == ["--version"]:
        from jaxnn import __version__

        print_text(f"jaxnn {__version__}")
        return
    words, overrides = split_overrides(argv)
    line, unknown = tyro.cli(
        CommandLine,
        prog="jaxnn",
        description=DESCRIPTION,
        args=words,
        return_unknown_args=True,
    )
    command = line.command
    if isinstance(command, WRAPPERS):
        overrides = [*unknown, *(f"--{text}" for text in overrides)]
    else:
        reject_unknown(command, [*unknown, *unexpected_overrides(command, overrides)])
    command = check_paths(command)
    cache = getattr(command, "cache", None)
    if cache is not None:
        from jaxnn.cli.compilation_cache import disable_compilation_cache, enable_compilation_cache

        enable_compilation_cache() if cache else disable_compilation_cache()
    name = type(command).__name__.lower()
    with activity(name):
        # A command's module is imported only when the command runs, because most of them import JAX.
        module = importlib.import_module(f"jaxnn.cli.{name}")
        with warnings_as_lines():
            takes_words = isinstance(command, (*OVERRIDABLE, *WRAPPERS))
            module.run(command, overrides) if takes_words else module.run(command)


@contextlib.contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Within it, each warning about data and figures is one line on standard error, and the command goes on."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_as_line(message, category, filename, lineno, file=None, line=None):
            if issubclass(category, DataWarning | FigureWarning):
                print_warning(str(message))
            else:
                show(message, category, filename, lineno, file, line)

        warnings.showwarning = show_as_line
        for category in (DataWarning, FigureWarning):
            warnings.simplefilter("always", category)
        yield


def discard_broken_streams() -> None:
    """Connects each output stream that takes nothing to the null device, so that no later flush of it fails."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
