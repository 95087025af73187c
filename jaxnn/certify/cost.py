"""Law 9, cost: the bytes, FLOPs and time of the hand-written backward pass beside autodiff's.

The figures are the compiler's, for one forward and one backward pass in float32 on the default device.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend.core import Var

from jaxnn.certify.case import cast_floating, random_cotangent
from jaxnn.certify.pullback import autodiff_cotangents_and_outputs, cotangents_and_outputs
from jaxnn.certify.vjp_rule import VjpRule, differentiated_leaves, named_leaves, replace_leaves
from jaxnn.kernels.xla_options import compiler_options
from jaxnn.summary import flops, nbytes

#: Seconds for the timing of one pair of programs.
TIMING_BUDGET = 0.2
#: More temporary memory than autodiff's is allowed only with at least this speed-up.
MIN_SPEEDUP_FOR_MEMORY = 1.25
#: The hand-written pass counts as slower beyond this many times autodiff's time, and this many seconds: smaller
#: differences are the noise of a shared machine.
MAX_SLOWDOWN, TIMER_NOISE = 1.5, 1e-4


class Cost(NamedTuple):
    """residual_bytes: what the forward pass keeps for the backward pass, without the parameters
    temporary_bytes: the temporary memory of the compiled pair
    flops: its floating-point operations
    seconds: its running time
    """

    residual_bytes: int
    temporary_bytes: int
    flops: int
    seconds: float


class CostComparison(NamedTuple):
    """The cost of the hand-written pair of passes, and of autodiff's."""

    hand_written: Cost
    autodiff: Cost

    @property
    def holds(self) -> bool:
        """Whether the hand-written pass is never worse: it keeps no more bytes, is not slower, and takes more temporary
        memory only where that makes it faster."""
        return not self.regressions

    @property
    def regressions(self) -> tuple[str, ...]:
        """What is worse in the hand-written pass, in words."""
        hand, auto = self
        messages = []
        if hand.residual_bytes > auto.residual_bytes:
            messages.append(f"residual bytes {hand.residual_bytes:,} hand-written, {auto.residual_bytes:,} by autodiff")
        faster = hand.seconds * MIN_SPEEDUP_FOR_MEMORY <= auto.seconds
        if hand.temporary_bytes > auto.temporary_bytes and not faster:
            messages.append(
                f"temporary bytes {hand.temporary_bytes:,} hand-written, {auto.temporary_bytes:,} by autodiff, "
                f"without a speed-up of {MIN_SPEEDUP_FOR_MEMORY}"
            )
        if hand.seconds > MAX_SLOWDOWN * auto.seconds and hand.seconds - auto.seconds > TIMER_NOISE:
            messages.append(f"time {1e3 * hand.seconds:.3g} ms hand-written, {1e3 * auto.seconds:.3g} ms by autodiff")
        return tuple(messages)


def compare_cost(rule: VjpRule, args: tuple[Any, ...], dy: Any) -> CostComparison:
    """The costs of `rule` for arguments (arrays) of these shapes and types."""
    makers = (cotangents_and_outputs, autodiff_cotangents_and_outputs)
    programs = [jax.jit(make(rule), compiler_options=compiler_options()).lower(args, dy).compile() for make in makers]
    seconds = _median_seconds([lambda run=run: jax.block_until_ready(run(args, dy)) for run in programs])
    costs = [
        Cost(kept, _temporary_bytes(program), flops(make(rule), args, dy), time_taken)
        for make, program, kept, time_taken in zip(makers, programs, residual_bytes(rule, args), seconds, strict=True)
    ]
    return CostComparison(*costs)


def float32_cost(rule: VjpRule, args: tuple[Any, ...]) -> CostComparison:
    """The costs of `rule` at `args` in float32, the precision of training."""
    args = cast_floating(args, np.float32)
    return compare_cost(rule, args, random_cotangent(0, rule, args))


def residual_bytes(rule: VjpRule, args: tuple[Any, ...]) -> tuple[int, int]:
    """The bytes that the forward pass keeps for the backward pass, hand-written and by autodiff; compiles nothing."""
    hand = _distinct_bytes(rule, args, lambda *args: rule.forward(*args)[1])
    auto = _distinct_bytes(
        rule,
        args,
        lambda *args: jax.vjp(
            lambda leaves: rule.f(*replace_leaves(rule, args, leaves)), differentiated_leaves(rule, args)
        )[1],
    )
    return hand, auto


def _temporary_bytes(program: Any) -> int:
    return int(program.memory_analysis().temp_size_in_bytes)


def _distinct_bytes(rule: VjpRule, args: tuple[Any, ...], residuals: Callable[..., Any]) -> int:
    """Bytes of the distinct arrays in `residuals(*args)`, without the parameters, which stay in memory anyway."""
    jaxpr = jax.make_jaxpr(residuals)(*args).jaxpr
    # Arguments without a batch axis are parameters; a rule without any batch axis has those of a layer, if any.
    batched = zip(rule.arguments, rule.batched, strict=True) if rule.batched else [("params", False)]
    shared = {name for name, has_rows in batched if not has_rows}
    names = [name.split(".")[0] for name, _, _ in named_leaves(rule, args)]
    parameters = {var for var, name in zip(jaxpr.invars, names, strict=True) if name in shared}
    return sum(nbytes(var.aval) for var in {v for v in jaxpr.outvars if isinstance(v, Var)} - parameters)


def _median_seconds(runs: list[Callable[[], Any]]) -> list[float]:
    """The median time of each run; the runs take turns."""
    times: list[list[float]] = [[] for _ in runs]
    for run in runs:
        run()
    first = time.perf_counter()
    while len(times[0]) < 5 or time.perf_counter() - first < TIMING_BUDGET:
        for run_times, run in zip(times, runs, strict=True):
            start = time.perf_counter()
            run()
            run_times.append(time.perf_counter() - start)
    return [float(np.median(run_times)) for run_times in times]
