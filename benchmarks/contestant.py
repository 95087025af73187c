"""`python -m benchmarks.contestant NAME WORK`: one contestant, which does what standard input tells it, line by line.

A process each: no library's threads, memory or settings stand in another's way. `train N` answers the seconds that N
steps took, `test` the loss and accuracy, `run SEED` the seconds and accuracy of a whole run, all as JSON.
"""

import json
import os
import sys
import time

from benchmarks.machine import every_core_a_device
from benchmarks.runner import make
from benchmarks.workloads import WORKS


def main(name: str, work: str) -> None:
    """Answers on what was standard output; what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    every_core_a_device()
    began = time.perf_counter()
    contestant = make(name, WORKS[work])
    print(json.dumps(time.perf_counter() - began), file=answers)
    for line in sys.stdin:
        order, *rest = line.split()
        began = time.perf_counter()
        if order == "train":
            contestant.train(int(rest[0]))
            print(json.dumps(time.perf_counter() - began), file=answers)
        elif order == "run":
            print(json.dumps(contestant.run(int(rest[0]))), file=answers)
        elif order == "test":
            print(json.dumps(contestant.test()), file=answers)
        else:
            raise ValueError(f"expected train, run or test, found {order!r}")


if __name__ == "__main__":
    main(*sys.argv[1:])
