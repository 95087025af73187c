"""A command line in a process of its own."""

import re
import subprocess
import sys
from typing import Any

AT_WORK = re.compile(r"jaxnn: .*, \d+ (s|min)(, about .* left)?")


def jaxnn_process(words, *, stdout: Any = subprocess.PIPE, **options):
    return subprocess.run(
        [sys.executable, "-m", "jaxnn", *words], text=True, stdout=stdout, stderr=subprocess.PIPE, **options
    )


def own_lines(text):
    """The lines of standard error without those that say that a slow machine is at work."""
    return [line for line in text.splitlines() if not AT_WORK.fullmatch(line)]
