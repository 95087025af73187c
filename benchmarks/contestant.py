"""`python -m benchmarks.contestant NAME WORKLOAD`: one contestant, which executes commands from standard input.

Each contestant is a process, so that no library's threads, memory or settings disturb another. The replies are JSON
lines: `train N` replies with the seconds of N steps, `test` with the loss and accuracy, `run SEED` with the seconds and
accuracy of a whole run.
"""

import json
import os
import sys
import time

from benchmarks.machine import use_every_core_as_a_device
from benchmarks.runner import make_contestant
from benchmarks.workloads import WORKLOADS


def main(name: str, workload: str) -> None:
    """Replies on the original standard output; what libraries print is redirected to standard error."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    use_every_core_as_a_device()
    start_time = time.perf_counter()
    contestant = make_contestant(name, WORKLOADS[workload])
    print(json.dumps(time.perf_counter() - start_time), file=replies)
    for line in sys.stdin:
        command, *arguments = line.split()
        start_time = time.perf_counter()
        if command == "train":
            contestant.train(int(arguments[0]))
            print(json.dumps(time.perf_counter() - start_time), file=replies)
        elif command == "run":
            print(json.dumps(contestant.run(int(arguments[0]))), file=replies)
        elif command == "test":
            print(json.dumps(contestant.test()), file=replies)
        else:
            raise ValueError(f"expected train, run or test, found {command!r}")


if __name__ == "__main__":
    main(*sys.argv[1:])
