"""The gradient of two transposed convolutions of a generator: ours, autodiff of `lax.conv_transpose`, and PyTorch."""

import itertools
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

import jaxnn
from benchmarks.results_file import BenchmarkResult, Ratio
from benchmarks.timing import timing_of_runs

#: Images of a batch; the kernel and the stride of both layers; channels from the first input to the image.
BATCH, KERNEL, STRIDE, CHANNELS = 64, 4, 2, (64, 32, 1)
ROUNDS, CALLS = 9, 5
#: What one library may differ from another in float32.
TOLERANCE = 1e-3


def measure(title: str) -> BenchmarkResult:
    """Milliseconds of a forward and a backward pass, in turns; the gradients are compared first."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(BATCH, 7, 7, CHANNELS[0])).astype(np.float32)
    model = jaxnn.serial(*(jaxnn.conv_transpose(n, KERNEL, STRIDE) for n in CHANNELS[1:]))
    params = model.init(jax.random.key(0), x)
    dy = rng.normal(size=(BATCH, 28, 28, 1)).astype(np.float32)

    def by_hand(params: Any, x: Any, dy: Any) -> Any:
        y, res = model.forward(params, x, None)
        return y, model.backward(params, res, dy)

    def of_lax(params: Any, x: Any, dy: Any) -> Any:
        def apply(params: Any, x: Any) -> Any:
            for layer in params:
                # The kernel of a transposed convolution as lax has it: not turned, from the input to the output.
                kernel = layer.weight.swapaxes(2, 3)[::-1, ::-1]
                x = lax.conv_transpose(x, kernel, (STRIDE, STRIDE), "SAME") + layer.bias
            return x

        y, pullback = jax.vjp(apply, params, x)
        return y, pullback(dy)

    runs: dict[str, Callable[[], Any]] = {}
    for name, function in (("jaxnn", by_hand), ("autodiff of lax.conv_transpose", of_lax)):
        compiled = jax.jit(function, compiler_options=jaxnn.compiler_options())
        runs[name] = lambda compiled=compiled: jax.block_until_ready(compiled(params, x, dy))
    (y, (dparams, dx)), (lax_y, (lax_dparams, lax_dx)) = (run() for run in runs.values())
    for a, b in ((y, lax_y), (dx, lax_dx), (dparams[0].weight, lax_dparams[0].weight)):
        if float(jnp.abs(a - b).max() / jnp.abs(b).max()) > TOLERANCE:
            raise RuntimeError("transposed: expected the gradient of lax.conv_transpose, found another")
    if find_spec("torch") is not None:
        runs["PyTorch"] = _pytorch(params, x, dy)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for round_number in range(ROUNDS + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            for _ in range(CALLS):
                run()
            if round_number:
                times[name].append((time.perf_counter() - start) / CALLS)
    timings = [timing_of_runs(name, "transposed", seconds) for name, seconds in times.items()]
    ours, *others = timings
    targets = {"autodiff of lax.conv_transpose": 0.2, "PyTorch": 1.0}
    ratios = [Ratio(f"jaxnn / {t.name}", ours.seconds / t.seconds, targets[t.name]) for t in others]
    return BenchmarkResult("transposed", title, "forward and backward pass", timings, ratios, {})


def _pytorch(params: Any, x: np.ndarray, dy: np.ndarray) -> Callable[[], Any]:
    import torch
    from torch import nn

    layers = [nn.ConvTranspose2d(a, b, KERNEL, STRIDE, padding=1) for a, b in itertools.pairwise(CHANNELS)]
    net = nn.Sequential(*layers)
    inputs = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).requires_grad_()
    cotangent = torch.from_numpy(dy.transpose(0, 3, 1, 2).copy())
    del params  # the time does not depend on the numbers

    def run() -> None:
        inputs.grad = None
        net.zero_grad(set_to_none=True)
        net(inputs).backward(cotangent)

    return run
