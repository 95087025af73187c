"""The suite compiles in haste (tests/conftest.py): what it shows is shown once more as XLA compiles by default."""

import os
import subprocess
import sys


def test_the_library_is_certified_by_the_default_compiler():
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    command = [sys.executable, "-m", "jaxnn", "certify", "--quick"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
