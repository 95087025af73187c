"""JAX's persistent compilation cache in the user's cache folder. It is set up before JAX is imported.

JAX executes what it finds in the cache, so a folder that other users can write to is not used, and each entry has a
checksum (`jaxnn.cli.checked_programs`).
"""

import hashlib
import os
import platform
import stat
import sys
import warnings
from pathlib import Path

from jaxnn.cli.terminal import print_warning
from jaxnn.errors import UserError
from jaxnn.storage.files import expand_user

#: The largest size of the cache, unless JAX_COMPILATION_CACHE_MAX_SIZE is another. See `checked_programs`.
MAX_CACHE_BYTES = 1 << 30


def enable_compilation_cache() -> None:
    """Turns on the cache, in `JAX_COMPILATION_CACHE_DIR` or else in `cache_folder()`. Warns if that is not possible.

    Does nothing if the user's environment turns the cache off.
    """
    environment = os.environ
    if environment.get("JAX_ENABLE_COMPILATION_CACHE", "1").lower() in ("0", "false", "no", "off", "n", "f"):
        return
    if "JAX_COMPILATION_CACHE_DIR" not in environment:
        try:
            folder = cache_folder()
            problem = cache_problem(folder)
        except UserError as error:
            folder, problem = Path(), str(error)
        if problem:
            print_warning(f"compiled programs are not cached: {problem}")
            return
        environment["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    environment.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    # If the disk is full, only the cache entry is lost; the run goes on.
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache entry")


def disable_compilation_cache() -> None:
    """Makes JAX compile every program again."""
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "0"


def cache_folder() -> Path:
    """The user's cache folder, one for each kind of processor, because a program uses its instructions.

    Raises `UserError` where no home folder is known.
    """
    home = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(home):
        home = expand_user("~/Library/Caches" if sys.platform == "darwin" else "~/.cache")
    return Path(home, "jaxnn", f"programs-{_processor()}")


def is_cache_folder(path: str) -> bool:
    """Whether a path is that of `cache_folder()`."""
    try:
        return Path(path) == cache_folder()
    except UserError:
        return False


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            features = next(line for line in file if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        features = platform.processor()
    return hashlib.sha256(f"{platform.machine()} {features}".encode()).hexdigest()[:8]


def cache_problem(folder: Path) -> str | None:
    """Creates the cache folder if it is missing, and says in one line why it cannot be trusted or used; None if it can.

    Owners and permissions are checked where the platform has them; on Windows a profile's folders are private.
    """
    try:
        for path in (folder.parent, folder):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = path.lstat()
            if not stat.S_ISDIR(status.st_mode):
                return f"{path}: expected a folder, found something else"
            if not hasattr(os, "getuid"):
                continue
            if status.st_uid != os.getuid():
                return f"{path}: expected a folder of your own, found another user's"
            if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return f"{path}: expected a folder that only you can write to, found others can; chmod go-w {path}"
    except OSError as error:
        return f"{folder}: {error.strerror or error}"
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return f"{folder}: no permission to write to this folder"
    return None
