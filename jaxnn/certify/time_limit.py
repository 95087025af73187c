"""Stop waiting for a computation that hangs.

Compiled code cannot be interrupted, and the functions of a user cannot be sent to another process. So the computation
runs in a thread, which is abandoned when its time is over: it then ends with the process.
"""

import contextlib
import contextvars
import queue
import threading
from collections.abc import Callable
from typing import Any

import jax

from jaxnn.certify.measurement import NotMeasured


def run_with_limit(compute: Callable[[], Any], seconds: float | None) -> Any:
    """`compute()`; raises `NotMeasured` if it takes longer than `seconds`. None: no limit, and no thread."""
    if seconds is None:
        return compute()
    results: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
    enter_settings, context = _settings(), contextvars.copy_context()

    def work() -> None:
        try:
            with enter_settings():
                results.put((context.run(compute), None))
        except BaseException as error:  # it is raised again in the thread that waits
            results.put((None, error))

    threading.Thread(target=work, daemon=True).start()
    try:
        result, error = results.get(timeout=seconds)
    except queue.Empty:
        raise NotMeasured(f"not finished after {seconds:.3g} s") from None
    if error is not None:
        raise error
    return result


def _settings() -> Callable[[], contextlib.ExitStack]:
    """Enters JAX's settings of this thread in another, which would start with the defaults."""
    managers = {
        "jax_enable_x64": jax.enable_x64,
        "jax_numpy_dtype_promotion": jax.numpy_dtype_promotion,
        "jax_numpy_rank_promotion": jax.numpy_rank_promotion,
        "jax_default_matmul_precision": jax.default_matmul_precision,
        "jax_default_device": jax.default_device,
        "jax_debug_nans": jax.debug_nans,
    }
    settings = [(manager, getattr(jax.config, name)) for name, manager in managers.items()]

    def enter() -> contextlib.ExitStack:
        stack = contextlib.ExitStack()
        for manager, value in settings:
            stack.enter_context(manager(value))
        return stack

    return enter
