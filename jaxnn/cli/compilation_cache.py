"""Compiled programs are kept from one process to the next, in the user's cache folder. Set before JAX is imported.

JAX runs what lies there, so the folder is the user's alone: one that others can write to is not used.
"""

import hashlib
import os
import platform
import stat
import sys
import warnings
from pathlib import Path

#: Bytes that the folder may hold; what was not used for longest goes first.
MOST = 1 << 30


def keep_programs() -> None:
    """Has JAX keep what it compiles, in `JAX_COMPILATION_CACHE_DIR` or else in `folder()`; says why where it cannot."""
    environment = os.environ
    if environment.get("JAX_ENABLE_COMPILATION_CACHE", "1").lower() in ("0", "false", "no", "off", "n", "f"):
        return
    if "JAX_COMPILATION_CACHE_DIR" not in environment:
        place = folder()
        if reason := refusal(place):
            print(f"jaxnn: warning: compiled programs are not kept: {place}: {reason}", file=sys.stderr)
            return
        environment["JAX_COMPILATION_CACHE_DIR"] = str(place)
        environment.setdefault("JAX_COMPILATION_CACHE_MAX_SIZE", str(MOST))
    environment.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    # A full disk costs the program that was to be kept, not the run.
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache entry")


def keep_none() -> None:
    """Has JAX compile everything anew."""
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "0"


def folder() -> Path:
    """Where programs are kept: apart for each kind of processor, for whose instructions they are made."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(home):
        home = os.path.expanduser("~/Library/Caches" if sys.platform == "darwin" else "~/.cache")
    return Path(home, "jaxnn", f"programs-{_processor()}")


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            said = next(line for line in file if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        said = platform.processor()
    return hashlib.sha256(f"{platform.machine()} {said}".encode()).hexdigest()[:8]


def refusal(place: Path) -> str | None:
    """Makes the folder where it is not; why it cannot be trusted or used, if so."""
    try:
        for one in (place.parent, place):
            one.mkdir(mode=0o700, parents=True, exist_ok=True)
            facts = one.lstat()
            if not stat.S_ISDIR(facts.st_mode):
                return "expected a folder, found something else"
            if facts.st_uid != os.getuid():
                return "expected a folder of your own, found another user's"
            if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return f"expected a folder that you alone can write to, found others can; chmod go-w {one}"
    except OSError as error:
        return error.strerror or str(error)
    return None if os.access(place, os.R_OK | os.W_OK | os.X_OK) else "expected to be allowed to write there"
