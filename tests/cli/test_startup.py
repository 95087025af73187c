"""The program as a process of its own."""

import subprocess
import sys
import time

LIGHT = (
    "import sys; sys.argv = ['jaxnn', '--help']\ntry:\n import jaxnn.cli; jaxnn.cli.main()\nexcept SystemExit:\n pass\n"
)


def test_help_starts_neither_jax_nor_matplotlib():
    said = "print('HEAVY', sorted({'jax', 'matplotlib', 'sklearn', 'numpy', 'pydantic'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", LIGHT + said], capture_output=True, text=True, check=True)
    assert "train" in found.stdout and "HEAVY []" in found.stdout


def test_help_is_quick():
    """The best of five, so that what else the machine does counts little."""
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "jaxnn", "--help"], capture_output=True, check=True)
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.3


def test_a_mistake_exits_with_2_and_no_traceback(tmp_path):
    found = subprocess.run(
        [sys.executable, "-m", "jaxnn", "train", "nosuch"], capture_output=True, text=True, cwd=tmp_path
    )
    assert found.returncode == 2 and "Traceback" not in found.stderr and not list(tmp_path.iterdir())
