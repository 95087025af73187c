"""Law 9, the account: what a backward pass keeps, computes and takes, by hand beside autodiff.

The figures are the compiler's own, for one forward and one backward in float32 on the device at hand.
"""

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.certify.pullback import answers, autodiff_answers
from jaxnn.certify.rule import Rule, leaves, named, replaced

#: Seconds that the timing of one pair may take.
PATIENCE = 0.2
#: A time this many times autodiff's is noise on a shared machine; beyond it, it is worse.
NOISE = 1.25


class Cost(NamedTuple):
    """residual_bytes: what the forward pass leaves for the backward pass, parameters aside
    temporary_bytes: the working memory of the compiled pair
    flops: its floating-point operations
    seconds: how long it takes; NaN where it was not timed
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
        """Whether by hand is never worse: no more bytes kept, no more working memory."""
        return not self.worse

    @property
    def worse(self) -> tuple[str, ...]:
        """What is worse by hand, in words."""
        pairs = (
            ("residual bytes", self.hand.residual_bytes, self.auto.residual_bytes),
            ("temporary bytes", self.hand.temporary_bytes, self.auto.temporary_bytes),
        )
        return tuple(f"{name} {hand:,} by hand, {auto:,} by autodiff" for name, hand, auto in pairs if hand > auto)


def account(rule: Rule, args: tuple, dy: Any, timed: bool = True) -> Account:
    """The account of `rule` for arguments (arrays) of these shapes and types."""
    programs = [jax.jit(make(rule)).lower(args, dy).compile() for make in (answers, autodiff_answers)]
    seconds = _seconds([lambda run=run: jax.block_until_ready(run(args, dy)) for run in programs]) if timed else []
    kept = (_kept_by_hand(rule, args), _kept_by_autodiff(rule, args))
    costs = [
        Cost(bytes_, *_compiler_figures(run), took)
        for run, bytes_, took in zip(programs, kept, seconds or [math.nan] * 2, strict=True)
    ]
    return Account(*costs)


def _compiler_figures(program: Any) -> tuple[int, int]:
    """Temporary bytes and FLOPs of a compiled program."""
    memory, cost = program.memory_analysis(), program.cost_analysis()
    return int(memory.temp_size_in_bytes), int((cost or {}).get("flops", 0))


def _kept_by_hand(rule: Rule, args: tuple) -> int:
    return _bytes(rule, args, lambda *args: rule.forward(*args)[1])


def _kept_by_autodiff(rule: Rule, args: tuple) -> int:
    return _bytes(
        rule, args, lambda *args: jax.vjp(lambda some: rule.f(*replaced(rule, args, some)), leaves(rule, args))[1]
    )


def _bytes(rule: Rule, args: tuple, residuals: Callable[..., Any]) -> int:
    """Bytes of the distinct arrays among `residuals(*args)`; what all examples share, the parameters, is kept anyway."""
    jaxpr = jax.make_jaxpr(residuals)(*args).jaxpr
    batched = rule.batched or (True,) * len(args)
    own = dict(zip(rule.arguments, batched, strict=True))
    names = [name.split(".")[0] for name, _, _ in named(rule, args)]
    parameters = {id(var) for var, name in zip(jaxpr.invars, names, strict=True) if not own[name]}
    distinct = {id(var): var for var in jaxpr.outvars if hasattr(var, "count") or not hasattr(var, "val")}
    return sum(_size(var.aval) for key, var in distinct.items() if key not in parameters)


def _size(aval: Any) -> int:
    return math.prod(aval.shape) * getattr(aval.dtype, "itemsize", 0)


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
