"""Plots, reports and storage need nothing that Windows lacks."""

import subprocess
import sys

IMPORT_WITHOUT_POSIX = """
import asyncio, importlib, os, pkgutil, sys  # the library's own modules know their platform: asyncio reads os.sysconf
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
for name in ("O_DIRECTORY", "O_NOFOLLOW", "getuid", "sysconf", "fork", "sched_getaffinity"):
    if hasattr(os, name):
        delattr(os, name)
for package in ("jaxnn.plots", "jaxnn.report", "jaxnn.storage", "jaxnn.cli"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        importlib.import_module(module.name)
from pathlib import Path
from jaxnn.storage.files import atomic_write
from jaxnn.storage.locks import locked
atomic_write(Path(sys.argv[1], "file"), b"content")
"""


def test_plots_report_storage_and_cli_import_without_posix(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_WITHOUT_POSIX, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "file").read_bytes() == b"content"
