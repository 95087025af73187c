"""A layer as a few programs, for laws that run it many times."""

import jax

from jaxnn.layer import Layer


def compiled(layer: Layer) -> Layer:
    """The layer with each of its functions as a program, which runs many times: alone, each operation would be one."""
    time = layer.time
    if time is not None and time.start is not None and time.extend is not None:
        time = time._replace(start=jax.jit(time.start, static_argnums=(1, 2)), extend=jax.jit(time.extend))
    functions = {name: jax.jit(getattr(layer, name)) for name in ("init", "forward", "backward")}
    return layer._replace(**functions, time=time)
