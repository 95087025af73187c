"""The laws under XLA's default compiler options: the rest of the suite compiles with fast ones (tests/conftest.py)."""

import os
import subprocess
import sys


def test_certify_holds_with_default_compiler_options():
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    command = [sys.executable, "-m", "jaxnn", "certify", "--quick"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
