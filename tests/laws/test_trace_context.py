"""The facts about the surrounding program: known to the thread that traces it, and to no other."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

import jax
import pytest
from jax import numpy as jnp

from jaxnn.kernels import batch_blocks
from jaxnn.kernels.trace_context import batch_is_constant, batch_is_whole, constant_batch, whole_batch
from jaxnn.layers import conv, dense

FLAGS = [(constant_batch, batch_is_constant), (whole_batch, batch_is_whole)]


def in_threads(*functions: Callable[[], None]) -> None:
    """Calls each function in a thread of its own and raises the first error."""
    errors = []

    def call(f: Callable[[], None]) -> None:
        try:
            f()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=call, args=(f,)) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.parametrize(("context", "flag"), FLAGS)
def test_flag_is_set_within_its_context_alone(context, flag):
    assert not flag()
    with context():
        with context():
            assert flag()
        assert flag()
    assert not flag()
    with pytest.raises(ZeroDivisionError), context():
        raise ZeroDivisionError
    assert not flag()


@pytest.mark.parametrize(("context", "flag"), FLAGS)
def test_flag_of_interleaved_threads_is_each_threads_own(context, flag):
    """One thread is inside the context while another is not; then both are, and the first one leaves first."""
    barrier = threading.Barrier(2, timeout=60)
    observed: dict[str, list[bool]] = {"first": [], "second": []}

    def run(name: str, enter: int, leave: int) -> None:
        with ExitStack() as stack:
            for step in range(5):
                barrier.wait()
                if step == enter:
                    stack.enter_context(context())
                if step == leave:
                    stack.close()
                barrier.wait()
                observed[name].append(flag())

    in_threads(lambda: run("first", 1, 3), lambda: run("second", 2, 4))
    assert observed == {
        "first": [False, True, True, False, False],
        "second": [False, False, True, True, False],
    }
    assert not flag()


@pytest.mark.parametrize(
    ("context", "layer", "shape"), [(constant_batch, dense(11), (7, 17)), (whole_batch, conv(3, 2), (11, 5, 7, 1))]
)
def test_layer_traced_in_interleaved_threads_is_as_traced_alone(context, layer, shape, monkeypatch):
    monkeypatch.setattr(batch_blocks, "BLOCK_BYTES", 1)
    params = layer.init(jax.random.key(0), jnp.zeros(shape))
    y, res = layer.forward(params, jnp.zeros(shape), None)

    def program() -> str:
        # A new function each time: JAX remembers the jaxpr of a function that it has traced.
        return str(jax.make_jaxpr(lambda *args: layer.backward(*args))(params, res, y))

    def program_within(context: Callable[[], AbstractContextManager[None]]) -> str:
        with context():
            return program()

    outside, inside = program(), program_within(context)
    assert outside != inside
    barrier = threading.Barrier(2, timeout=60)
    traced: dict[str, str] = {}

    def trace_inside() -> None:
        with context():
            barrier.wait()
            traced["inside"] = program()
            barrier.wait()

    def trace_outside() -> None:
        barrier.wait()
        traced["outside"] = program()
        barrier.wait()

    in_threads(trace_inside, trace_outside)
    assert traced == {"inside": inside, "outside": outside}
