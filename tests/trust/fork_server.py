"""A server process that has imported everything and forks a new `jaxnn` for each command line. JAX starts in the child.

It reads one JSON value a line, {"words": [...], "signals": [[seconds, number], ...], ...}, and answers
{"code": exit status as `subprocess` has it, "seconds": …, "err": what the child printed to stderr, "after": …}.
"""

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxnn.runs import checkpoints
from tests.cli.process import own_lines


def serve() -> None:
    """Answers requests until the standard input ends."""
    import_everything()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


def import_everything() -> None:
    """Imports what a child would import, without starting JAX."""
    for name in (
        "cli.train", "cli.resume", "cli.execute", "cli.rerun", "cli.checkpoint", "cli.reopened", "runs.recorder",
        "runs.run", "data.tfds", "cli.sweep", "sweep.folder",
    ):  # fmt: skip
        importlib.import_module(f"jaxnn.{name}")
    importlib.import_module("sklearn.datasets")


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Runs one child, sends it the signals of the request, and describes how it ended."""
    with tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        child = os.fork()
        if child == 0:
            run(request, err.fileno())
        signalled = None
        if request.get("once"):
            # Signals are sent once the run has a checkpoint of this step or a later one, or the sweep as many trials,
            # and a little later.
            folder, *numbers = request["once"]
            reached = trials if "trials" in request else last_step
            while not has_ended(child) and reached(folder) < request.get("trials", request.get("step", 0)):
                time.sleep(0.005)
            time.sleep(request.get("later", 0.3))
            signalled = time.perf_counter()
            for number in numbers:
                if not has_ended(child):
                    os.kill(child, number)
                time.sleep(0.1 if len(numbers) > 1 else 0)
        for after, number in sorted(request.get("signals", [])):
            time.sleep(max(0.0, start + after - time.perf_counter()))
            if signalled is None and not has_ended(child):
                os.kill(child, number)
        _, status = os.waitpid(child, 0)
        seconds = time.perf_counter() - start
        err.seek(0)
        messages = "".join(f"{line}\n" for line in own_lines(err.read().decode(errors="replace")))
    return {
        "code": os.waitstatus_to_exitcode(status),
        "seconds": seconds,
        "err": messages,
        "after": 0 if signalled is None else time.perf_counter() - signalled,
    }


def last_step(folder: Path | str) -> int:
    """The step of a run's last checkpoint; -1 before the first."""
    return max((int(path.name) for path in checkpoints.paths(Path(folder))), default=-1)


def trials(folder: Path | str) -> int:
    """How many trials of a sweep have a result."""
    return len(list((Path(folder) / "trials").glob("*.json")))


def has_ended(child: int) -> bool:
    """Whether a child has ended. It can still be waited for."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def run(request: dict[str, Any], err: int) -> None:
    """The child: runs the command line in this process and exits."""
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(err, 2)
        os.chdir(request["cwd"])
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        if request.get("file_size"):
            resource.setrlimit(resource.RLIMIT_FSIZE, (request["file_size"], request["file_size"]))
        from jaxnn.cli import main
        from jaxnn.runs import recorder

        if request.get("cores"):
            os.sched_setaffinity(0, range(request["cores"]))
        if request.get("compiles"):
            importlib.import_module("jax").config.update("jax_enable_compilation_cache", False)
        if not request.get("figures"):
            # Drawing figures takes as long as everything else together.
            recorder.run_figures = lambda *a: iter(())  # type: ignore[assignment]
        main(request["words"])
        code = 0
    except SystemExit as exit:
        code = exit.code if isinstance(exit.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


class ForkServer:
    """The server process as a context. `run` asks it to run a command line."""

    def __enter__(self) -> "ForkServer":
        self.cache = tempfile.TemporaryDirectory()
        # The first child that needs a program compiles it, and the others read it from this cache. They share
        # programs, and nothing that was computed.
        cache = {
            "JAX_COMPILATION_CACHE_DIR": self.cache.name,
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.trust.fork_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | cache,
            cwd=Path(__file__).parents[2],
        )
        assert self.process.stdout is not None and self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *error: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.cache.cleanup()

    def run(self, *words: object, signals: Sequence[tuple[float, int]] = (), **options: Any) -> dict[str, Any]:
        """The answer of a child that runs `jaxnn WORDS`; `signals` are sent to it, each after so many seconds.

        options: more entries of the request
        """
        assert self.process.stdin is not None and self.process.stdout is not None
        if "once" in options:
            options["once"] = [str(options["once"][0]), *map(int, options["once"][1:])]
        request = {
            "words": [str(word) for word in words],
            "signals": list(signals),
            "cwd": tempfile.gettempdir(),
            **options,
        }
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


if __name__ == "__main__":
    serve()
