"""Imports the user's own Python files by their path, and says in one line what went wrong in them."""

import contextlib
import hashlib
import importlib
import importlib.util
import os
import re
import site
import sys
import sysconfig
import traceback
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from jaxnn.errors import UserError, hint
from jaxnn.storage.files import one_line

PACKAGE = Path(__file__).resolve().parents[1]
#: Where installed packages lie, and the standard library.
INSTALLED = tuple(
    {
        os.path.realpath(folder)
        for folder in (
            *(sysconfig.get_path(name) for name in ("purelib", "platlib")),
            *getattr(site, "getsitepackages", list)(),  # an old virtualenv has no such function
            site.getusersitepackages(),
        )
    }
)
LIBRARIES = (*INSTALLED, *(os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")))


class UserCodeError(UserError):
    """An exception in the user's own code, which is its cause. The line names the file and the line of that code."""


def split_target(text: str) -> tuple[Path, str] | None:
    """The file and the name of `FILE.py:NAME`; the name is empty without `:NAME`. None for any other text.

    The path may have colons itself.
    """
    if text.endswith(".py"):
        return Path(text), ""
    file, _, name = text.rpartition(":")
    return (Path(file), name) if file.endswith(".py") else None


@contextlib.contextmanager
def imported(path: Path) -> Iterator[ModuleType]:
    """The module of a Python file, run anew by its path, whatever its name. The block may call the file's functions.

    Modules beside the file can be imported until the block ends, unless an installed module has the same name. After
    the block `sys.path` and `sys.modules` are as before; only the file's own module stays, under a name made of its
    path, because classes are looked up there.

    Raises `UserError` for a file that is missing, `UserCodeError` for an exception in the file or in the block.
    """
    if not os.path.isfile(path):  # unlike `Path.is_file`, it raises no error for a path that cannot be
        raise UserError(f"{path}: expected a Python file, found none")
    file = os.path.realpath(path)
    stem, digest = re.sub(r"\W", "_", path.stem), hashlib.sha256(os.fsencode(file)).hexdigest()[:8]
    name = f"jaxnn_file_{stem}_{digest}"
    spec = importlib.util.spec_from_file_location(name, file, loader=_FreshLoader(name, file))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _neighbours(os.path.dirname(file)):
        sys.modules[name] = module
        try:
            with user_code(path):
                spec.loader.exec_module(module)
        except BaseException:
            sys.modules.pop(name, None)
            raise
        with user_code():
            yield module


def attribute(module: ModuleType, name: str, where: object, kind: str, candidates: Sequence[str]) -> Any:
    """An attribute of a user's module. Raises `UserError` where it is missing, with the candidates that there are."""
    if not hasattr(module, name):
        listed = ", ".join(candidates[:12]) + (", …" if len(candidates) > 12 else "")
        expected = f"{kind} named {name!r}" if name else f":NAME of {kind} after the file"
        raise UserError(f"{where}: expected {expected}, found {listed or 'none'}{hint(name, candidates)}")
    return getattr(module, name)


@contextlib.contextmanager
def user_code(where: object = None) -> Iterator[None]:
    """Turns an exception of the user's code in the block into a `UserCodeError`.

    where: names the code where no line of it is in the traceback; without it such an exception is not the user's
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        line = describe(error)
        if isinstance(error, UserCodeError) or (line is None and (where is None or isinstance(error, UserError))):
            raise
        raise UserCodeError(line or f"{where}: {_message(error)}") from error


def describe(error: BaseException) -> str | None:
    """`FILE:LINE: message`, with the last line of the user's code that led to an exception; None if there is none."""
    if isinstance(error, SyntaxError) and error.filename is not None and _is_user_file(error.filename):
        return f"{_shown(error.filename)}:{error.lineno or 1}: {type(error).__name__}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((frame for frame in reversed(frames) if _is_user_file(frame.filename)), None)
    return None if frame is None else f"{_shown(frame.filename)}:{frame.lineno}: {_message(error)}"


def _message(error: BaseException) -> str:
    message = one_line(error) if isinstance(error, Exception) else f"{error}"
    if isinstance(error, UserError):
        return message
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _is_user_file(file: str) -> bool:
    # A compiled extension names its source without a folder; "<string>" is none.
    return os.path.isabs(file) and not _is_under(file, (*LIBRARIES, str(PACKAGE)))


def _shown(file: str) -> str:
    """A path from the working directory on, where the file lies in it."""
    return os.path.relpath(file) if _is_under(file, (os.path.realpath(os.curdir),)) else file


def _is_under(file: str, folders: Sequence[str]) -> bool:
    file = os.path.realpath(file)
    return any(file.startswith(f"{folder.rstrip(os.sep)}{os.sep}") for folder in folders)


class _FreshLoader(SourceFileLoader):
    """Compiles the file as it is. Python's own cache of bytecode may miss an edit: it compares whole seconds."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class _NeighbourFinder(MetaPathFinder):
    """Finds modules in a folder before those of `sys.path`; installed modules and Python's own come first.

    names: the modules that were found
    """

    def __init__(self, folder: str):
        self.folder = folder
        self.names: set[str] = set()

    def has(self, name: str) -> bool:
        """Whether the folder has a module of this name, which no installed module has."""
        if name == PACKAGE.name or name in sys.stdlib_module_names:
            return False
        finds = PathFinder.find_spec
        return finds(name, [self.folder]) is not None and finds(name, INSTALLED) is None

    def find_spec(self, fullname: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not self.has(fullname) if path is None else fullname.partition(".")[0] not in self.names:
            return None
        spec = PathFinder.find_spec(fullname, [self.folder] if path is None else path)
        if spec is None:
            return None
        if isinstance(spec.loader, SourceFileLoader) and spec.origin is not None:
            spec.loader = _FreshLoader(fullname, spec.origin)
        self.names.add(fullname)
        return spec


@contextlib.contextmanager
def _neighbours(folder: str) -> Iterator[None]:
    """Lets modules in a folder be imported while the block runs. Afterwards `sys.modules` is as before."""
    importlib.invalidate_caches()  # a file may be younger than Python's list of its folder
    finder = _NeighbourFinder(folder)
    others = {name for name, module in list(sys.modules.items()) if not _is_in(module, folder) and finder.has(name)}
    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in others}
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in finder.names:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)


def _is_in(module: object, folder: str) -> bool:
    """Whether a module lies in a folder. True for one without a file, such as `__main__` at a prompt."""
    origin = getattr(getattr(module, "__spec__", None), "origin", None) or getattr(module, "__file__", None)
    return origin is None or not os.path.exists(origin) or _is_under(origin, (folder,))
