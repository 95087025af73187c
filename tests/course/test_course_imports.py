"""The course stands above the commands: training must not import it."""

import subprocess
import sys

PROGRAM = """
import sys
import jaxnn.cli.execute, jaxnn.report.boundary_animation, jaxnn.report.figures
print("COURSE", sorted(name for name in sys.modules if name.startswith("jaxnn.course")))
"""


def test_training_imports_no_course():
    process = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "COURSE []"
