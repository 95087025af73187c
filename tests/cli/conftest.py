"""The command line in this process, in which JAX has started: device and precision stay as they are."""

import jax
import pytest

from jaxnn.cli import device, progress
from jaxnn.cli.main import main


@pytest.fixture(autouse=True)
def started(monkeypatch):
    monkeypatch.setattr(device, "select_device", lambda device, **options: "this device")
    monkeypatch.setattr(device, "set_precision", lambda precision: None)
    monkeypatch.setattr(progress, "LINE_DELAY", float("inf"))  # what a slow machine takes is no warning
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        yield


@pytest.fixture
def jaxnn(capsys):
    """Runs a command line. Returns its exit status, its standard output and its standard error."""

    def run(*words):
        try:
            main([str(word) for word in words])
            code = 0
        except SystemExit as exit:
            code = exit.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


#: JAX's own numerics, in place of those of the tests.
DEFAULTS = {"jax_numpy_dtype_promotion": "standard", "jax_numpy_rank_promotion": "allow", "jax_enable_x64": False}


@pytest.fixture
def default_numerics_in_every_thread(started):
    """The fixture `started` sets them in one thread."""
    strict = {"jax_numpy_dtype_promotion": "strict", "jax_numpy_rank_promotion": "raise", "jax_enable_x64": True}
    for name, value in DEFAULTS.items():
        jax.config.update(name, value)
    yield
    for name, value in strict.items():
        jax.config.update(name, value)
