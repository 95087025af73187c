"""Law 9, the account: what a backward pass keeps, computes and takes, by hand beside autodiff.

The figures are the compiler's own, for one forward and one backward in float32 on the device at hand.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend.core import Var

from jaxnn.certify.pullback import answers, autodiff_answers
from jaxnn.certify.vjp_rule import Rule, leaves, named, replaced
from jaxnn.kernels.xla_options import compiler_options
from jaxnn.summary import flops, nbytes

#: Seconds that the timing of one pair may take.
PATIENCE = 0.2
#: Working memory beyond autodiff's is a price: it must buy at least this many times the speed.
BOUGHT = 1.25
#: By hand is slower from this many times autodiff's time on, and so many seconds: less is a shared machine's noise.
SLOWER, NOISE = 1.5, 1e-4


class Cost(NamedTuple):
    """residual_bytes: what the forward pass leaves for the backward pass, parameters aside
    temporary_bytes: the working memory of the compiled pair
    flops: its floating-point operations
    seconds: how long it takes
    """

    residual_bytes: int
    temporary_bytes: int
    flops: int
    seconds: float


class Account(NamedTuple):
    """The cost of the hand-derived pair and of autodiff's."""

    hand: Cost
    auto: Cost

    @property
    def holds(self) -> bool:
        """Whether by hand is never worse: it keeps no more, is not slower, and needs working memory beyond autodiff's
        only where that makes it faster."""
        return not self.worse

    @property
    def worse(self) -> tuple[str, ...]:
        """What is worse by hand, in words."""
        (kept, room, _, took), (auto_kept, auto_room, _, auto_took) = self.hand, self.auto
        found = []
        if kept > auto_kept:
            found.append(f"residual bytes {kept:,} by hand, {auto_kept:,} by autodiff")
        if room > auto_room and not took * BOUGHT <= auto_took:
            found.append(f"temporary bytes {room:,} by hand, {auto_room:,} by autodiff, which buy no time")
        if took > SLOWER * auto_took and took - auto_took > NOISE:
            found.append(f"time {1e3 * took:.3g} ms by hand, {1e3 * auto_took:.3g} ms by autodiff")
        return tuple(found)


def account(rule: Rule, args: tuple, dy: Any) -> Account:
    """The account of `rule` for arguments (arrays) of these shapes and types."""
    both = (answers, autodiff_answers)
    programs = [jax.jit(make(rule), compiler_options=compiler_options()).lower(args, dy).compile() for make in both]
    seconds = _seconds([lambda run=run: jax.block_until_ready(run(args, dy)) for run in programs])
    costs = [
        Cost(some, _temporary(run), flops(make(rule), args, dy), took)
        for make, run, some, took in zip(both, programs, kept(rule, args), seconds, strict=True)
    ]
    return Account(*costs)


def kept(rule: Rule, args: tuple) -> tuple[int, int]:
    """The bytes that the forward pass leaves for the backward pass, by hand and by autodiff; nothing is compiled."""
    by_hand = _bytes(rule, args, lambda *args: rule.forward(*args)[1])
    by_autodiff = _bytes(
        rule, args, lambda *args: jax.vjp(lambda some: rule.f(*replaced(rule, args, some)), leaves(rule, args))[1]
    )
    return by_hand, by_autodiff


def _temporary(program: Any) -> int:
    return int(program.memory_analysis().temp_size_in_bytes)


def _bytes(rule: Rule, args: tuple, residuals: Callable[..., Any]) -> int:
    """Bytes of the distinct arrays among `residuals(*args)`, without the parameters, which are kept anyway."""
    jaxpr = jax.make_jaxpr(residuals)(*args).jaxpr
    batched = dict(zip(rule.arguments, rule.batched or (True,) * len(args), strict=True))
    names = [name.split(".")[0] for name, _, _ in named(rule, args)]
    parameters = {var for var, name in zip(jaxpr.invars, names, strict=True) if not batched[name]}
    return sum(nbytes(var.aval) for var in {v for v in jaxpr.outvars if isinstance(v, Var)} - parameters)


def _seconds(runs: list[Callable[[], Any]]) -> list[float]:
    """The median time of each, measured in turn."""
    took: list[list[float]] = [[] for _ in runs]
    for run in runs:
        run()
    began = time.perf_counter()
    while len(took[0]) < 5 or time.perf_counter() - began < PATIENCE:
        for times, run in zip(took, runs, strict=True):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
    return [float(np.median(times)) for times in took]
