"""Sweeps use the numerics of the command line; most of their programs are compiled without optimization."""

import jax
import pytest


@pytest.fixture(autouse=True)
def command_line_numerics():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        yield


@pytest.fixture
def optimized():
    """A test asks for it if its programs must be compiled as those of a run are."""


@pytest.fixture(autouse=True)
def fast_compile(request):
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", "optimized" not in request.fixturenames)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


#: An event for each compilation of this process.
COMPILATIONS: list[str] = []


def record_compilation(event: str, duration_secs: float, **kwargs: str | int) -> None:
    if event.endswith("backend_compile_duration"):
        COMPILATIONS.append(event)


jax.monitoring.register_event_duration_secs_listener(record_compilation)


@pytest.fixture
def compilations():
    """What JAX compiles from now on."""
    COMPILATIONS.clear()
    return COMPILATIONS
