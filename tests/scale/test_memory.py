"""A data set 8 times the memory that a process may still take."""

import json
import subprocess
import sys


def test_set_of_8_times_the_memory_trains_as_one_in_memory():
    done = subprocess.run(
        [sys.executable, "-m", "tests.scale.memory", "64"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert measured["equal"] and measured["bytes"] > 7.9 * measured["allowed"]
    # The limit is one: the same set does not fit into memory.
    assert measured["in memory under the limit"].startswith("out of memory")
