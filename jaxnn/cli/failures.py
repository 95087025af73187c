"""What a command that failed prints, in one line, and its exit status."""

import os
import tempfile
import traceback
from contextlib import suppress

from jaxnn.cli.interrupts import Interrupted
from jaxnn.cli.terminal import print_message
from jaxnn.errors import UserError

#: Exit statuses. The last four are those of sysexits.h and of shells.
USER_ERROR, INTERNAL_ERROR, OUTPUT_ERROR, SIGINT, BROKEN_PIPE = 2, 70, 74, 130, 141


def report_failure(error: BaseException, *, with_traceback: bool) -> int:
    """Prints an exception in one line, and returns the exit status. `with_traceback`: prints the traceback before."""
    if with_traceback and not isinstance(error, Interrupted | KeyboardInterrupt):
        print_message("".join(traceback.format_exception(error)).rstrip())
    line, status = describe_failure(error)
    if status == INTERNAL_ERROR and not with_traceback:
        line += f"; the traceback is in {file}" if (file := write_traceback(error)) else "; --traceback shows more"
    print_message(line)
    return status


def describe_failure(error: BaseException) -> tuple[str, int]:
    """The line and the exit status of an exception."""
    if isinstance(error, Interrupted):
        return str(error), 128 + error.signal
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; nothing was written", SIGINT
    from jaxnn.engine.out_of_memory import asked_memory
    from jaxnn.runs.import_file import UserCodeError, describe

    if isinstance(error, UserCodeError):
        return f"{error}; --traceback shows all of it", USER_ERROR
    if isinstance(error, UserError):
        return str(error), USER_ERROR
    if isinstance(error, OSError) and (error.filename is not None or error.errno is not None):
        reason = error.strerror or type(error).__name__
        return f"{error.filename or 'the output'}: cannot be read or written: {reason}", OUTPUT_ERROR
    message = " ".join(f"{type(error).__name__}: {error}".split())[:500]
    if (size := asked_memory(error)) is not None:
        return f"out of memory: asked for {size} ({message}); use fewer or smaller arrays", USER_ERROR
    if isinstance(error, OverflowError):
        return f"expected numbers that fit into 32 bits, found a larger one ({message}); lower it", USER_ERROR
    if (line := describe(error)) is not None:
        return f"{line}; --traceback shows all of it", USER_ERROR
    return f"{message}: this is a mistake in jaxnn, not in what you asked for: please report it", INTERNAL_ERROR


def write_traceback(error: BaseException) -> str | None:
    """Writes a traceback into a new file of the user's, and returns its path; None where that is not possible."""
    with suppress(OSError):
        descriptor, path = tempfile.mkstemp(prefix="jaxnn-error-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(traceback.format_exception(error))
        return path
    return None
