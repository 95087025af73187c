"""Certify a layer or a rule: measure every law, find the smallest failure, plant mistakes."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxnn.certify.case import Case, layer_args, make_case
from jaxnn.certify.certificate import Certificate
from jaxnn.certify.cost import CostComparison, float32_cost
from jaxnn.certify.finding import SLOWER, Clock, Finding
from jaxnn.certify.foreign import foreign_rule
from jaxnn.certify.intent import Intent, option_names, option_tolerances
from jaxnn.certify.laws import LAWS, Law
from jaxnn.certify.measurement import NotMeasured, error_line
from jaxnn.certify.mutation import plant_mutants
from jaxnn.certify.probe import examine
from jaxnn.certify.shrink import check_input, shape_text, shrink_input
from jaxnn.certify.time_limit import run_with_limit
from jaxnn.certify.vjp_rule import Reduction, layer_rule
from jaxnn.errors import UserError, hint
from jaxnn.layer import Key, Layer, check_layer

#: The laws of a quick certificate.
QUICK = ("structure", "autodiff", "stopped", "float32", "finite differences", "linearity")
#: Seconds for a law of a rule that is not a layer.
TIME_LIMIT = 20.0


def certify(
    layer: Layer,
    x: Any,
    *,
    key: Key = None,
    batched: bool = True,
    quick: bool = False,
    mutants: bool = False,
    timed: bool = True,
) -> Certificate:
    """The certificate of a layer, the library's or your own, for a batch like `x`.

    x: an array, a `jax.ShapeDtypeStruct`, or a pytree of these. Parameters and the floating leaves of x become random
        numbers in float64. Integers and booleans keep the values of an array; for a `jax.ShapeDtypeStruct` they are
        zeros and ones. Where x holds them, the layer's dx must hold None.
    key: for a random layer (dropout)
    batched: whether the leaves of x and y hold a row for each example; the laws of batches are measured only then
    timed: also measure the cost, unless quick; nothing else may run at the same time
    mutants: also plant mistakes in the layer, and report which law detects each

    Sizes that are distinct primes are best: then no axis can stand for another one.
    Raises `UserError` for what is no layer: `certify_vjp` certifies functions.

    >>> import jax, jaxnn
    >>> from jaxnn.certify import certify
    >>> certify(jaxnn.dense(5), jax.ShapeDtypeStruct((3, 7), "float32"), quick=True).holds
    True
    """
    check_layer("certify", layer)
    check_input(x, batched)
    rule = layer_rule(layer, key, batched)

    def build(x: Any) -> Case:
        return make_case(layer.name, layer.name, rule, layer_args(layer, x))

    with jax.enable_x64(True):
        case = build(x)
        certificate = run_laws([case], layer.name, laws=_law_names(quick), mutants=mutants)
        if timed and not quick and certificate.structure_holds:
            certificate = certificate._replace(cost=float32_cost(rule, case.args))
        if certificate.broken:
            law = LAWS[certificate.broken[0].law]
            smallest = shrink_input(x, lambda smaller: _breaks(law, build(smaller)))
            certificate = certificate._replace(smallest_shape=shape_text(smallest))
    return certificate


def _breaks(law: Law, case: Case) -> bool:
    return law.applies(case) and not law.measure(case).holds


def certify_vjp(
    f: Callable[..., Any],
    fwd: Callable[..., tuple[Any, Any]] | None = None,
    bwd: Callable[..., tuple] | None = None,
    *args: Any,
    reference: Callable[..., Any] | None = None,
    meant: Callable[..., Any] | None = None,
    stopped: Sequence[str] = (),
    outputs: Sequence[Any] | None = None,
    once_differentiable: bool = False,
    static: Sequence[str] = (),
    batched: Sequence[bool] = (),
    reduction: Reduction = "rows",
    axis_names: Sequence[str] = (),
    tolerances: Mapping[str, float] | None = None,
    laws: Sequence[str] | None = None,
    skip: Sequence[str] = (),
    quick: bool = False,
    mutants: bool = False,
    timed: bool = True,
    test: Callable[[Callable[..., Any]], Any] | None = None,
    time_limit: float | None = TIME_LIMIT,
    **keywords: Any,
) -> Certificate:
    """The certificate of a function with a derivative of its own, at `f(*args, **keywords)`.

    f may be
    - a `jax.custom_vjp` function. The reference is the function that it wraps;
    - a plain function with fwd and bwd: fwd(*args) -> y, residuals; bwd(residuals, dy) -> a tuple with a cotangent for
      each argument (None for zero). The reference is f;
    - any function that JAX differentiates: compiled by `jax.jit`, a `jax.custom_jvp` function, a wrapper around a rule.
      The reference is the same function without the custom rules inside.

    Finite differences of the reference are compared as well, and alone where JAX cannot differentiate the reference (a
    Pallas kernel, a `while_loop`, a callback). A law that cannot be measured says why. The certificate does not hold if
    the gradient was compared with nothing.

    args, keywords: arrays, numbers, pytrees of these, `jax.ShapeDtypeStruct` (random numbers) or draws from
        `jaxnn.certify.domains`. Their floating leaves are cast to float64. Integers and booleans of Python, text, None,
        functions and other objects stay fixed.
    reference: another function of the same arguments, in place of the one that is differentiated
    meant: the gradient that is meant where it is not f's derivative (straight-through, clipping, reversal): a function
        of the same arguments whose derivative it is, or a function (*args, dy) -> cotangents
    stopped: names of arguments, or of leaves such as "params.scale", whose gradient is zero on purpose
    outputs: the indices or keys of the outputs that count; the cotangents of the others are ignored on purpose
    once_differentiable: the backward is not meant to be differentiated again
    static: names of arguments that stay fixed although they hold arrays
    batched: which arguments hold a row for each example; the laws of batches are measured only with these
    reduction: whether y holds a row for each example ("rows"), or the "sum" or "mean" over the examples
    axis_names: mesh axes that f uses. It is then called in a `jax.shard_map`, which splits the batched arguments, and
        y if it holds rows, over the first axis
    tolerances: the relative error that is allowed to an approximation, by dtype, such as {"float64": 1e-8}
    laws, skip: names of the laws to measure, or not to measure
    quick: the main laws alone, and no timing
    timed: also measure the cost. A cost above autodiff's is reported and breaks nothing
    mutants: also plant mistakes in the rule, and report which law detects each
    test: your own test, a function of a `jax.custom_vjp` function that raises `AssertionError` when it detects a
        mistake; it runs on each planted mistake
    time_limit: seconds after which a law counts as not measured, or ten times as long as the slowest law before it; the
        first calls of the rule may take ten times as long. None waits for each law

    Raises `UserError`, with one line, for what cannot be certified: outputs that are NaN, calls that differ, a bwd that
    returns no tuple.

    >>> import jax.numpy as jnp
    >>> from jaxnn.certify import certify_vjp
    >>> def f(x):
    ...     return x * x
    >>> certificate = certify_vjp(f, lambda x: (x * x, x), lambda x, dy: (2.002 * x * dy,), jnp.arange(1.0, 4.0))
    >>> certificate.holds
    False
    """
    names = _chosen_laws(quick, laws, skip)
    intent = Intent(
        reference,
        meant,
        option_names("stopped", stopped),
        None if outputs is None else tuple(outputs),
        once_differentiable,
        option_tolerances(tolerances),
    )
    foreign = foreign_rule(
        f,
        fwd,
        bwd,
        args,
        keywords,
        intent,
        static=option_names("static", static),
        batched=tuple(batched),
        reduction=reduction,
        axis_names=option_names("axis_names", axis_names),
    )
    name = getattr(f, "__name__", None) or getattr(getattr(f, "func", None), "__name__", None) or type(f).__name__
    subject = examine(name, foreign, intent, None if time_limit is None else SLOWER * time_limit)
    case = subject.case
    with jax.enable_x64(subject.dtype == "float64"):
        certificate = run_laws([case], name, laws=names, mutants=mutants, test=test, time_limit=time_limit)
        certificate = certificate._replace(judges_cost=False, notes=subject.notes)
        if timed and not quick and laws is None and "cost" not in skip and certificate.structure_holds:
            certificate = _with_foreign_cost(certificate, case, time_limit)
    shapes = ", ".join(str(tuple(np.shape(leaf))) for leaf in jax.tree.leaves(case.args))
    return certificate._replace(smallest_shape=shapes) if certificate.broken else certificate


def _chosen_laws(quick: bool, laws: Sequence[str] | None, skip: Sequence[str]) -> tuple[str, ...]:
    for law in (*option_names("laws", laws or ()), *option_names("skip", skip)):
        if law not in (*LAWS, "cost"):
            raise UserError(f"certify_vjp: expected laws among {', '.join(LAWS)}, found {law!r}{hint(law, LAWS, repr)}")
    chosen = _law_names(quick) if laws is None else tuple(law for law in LAWS if law in laws)
    return tuple(law for law in chosen if law not in skip)


def _with_foreign_cost(certificate: Certificate, case: Case, time_limit: float | None) -> Certificate:
    """The certificate with the cost of a rule that is not a layer; or with the reason why it has none."""
    try:
        return certificate._replace(cost=run_with_limit(lambda: foreign_cost(case), time_limit))
    except NotMeasured as error:
        reason = str(error)
    except Exception as error:  # a user's function can raise anything
        reason = error_line(error)
    return certificate._replace(findings=(*certificate.findings, Finding(9, "cost", case.name, None, reason)))


def foreign_cost(case: Case) -> CostComparison:
    """The cost of a rule that is not a layer, in float32 and with JAX's 64-bit types off."""
    if not case.rule.jit:
        raise NotMeasured("the rule cannot be compiled")
    if case.rule.meant is not None:
        raise NotMeasured("the gradient that is meant is not the derivative of the function")
    with jax.enable_x64(False):
        return float32_cost(case.rule, case.args)


def run_laws(
    cases: Sequence[Case],
    name: str,
    *,
    laws: Sequence[str] = tuple(LAWS),
    full: Sequence[bool] = (),
    mutants: bool = False,
    test: Callable[[Callable[..., Any]], Any] | None = None,
    time_limit: float | None = None,
) -> Certificate:
    """The laws of these names, measured for each case.

    full: for each case, whether the laws for full cases are measured too; empty for all of them
    time_limit: seconds after which a law counts as not measured; None waits for each law
    A case that breaks the law `structure` is measured by no other law, because they need the structure.
    """
    findings: list[Finding] = []
    clock = Clock(time_limit)
    for case, is_full in zip(cases, full or [True] * len(cases), strict=True):
        for law in (LAWS[law] for law in laws):
            if (is_full or not law.full) and law.applies(case):
                findings.append(clock.measure(law, case))
                if law.name == "structure" and findings[-1].status == "broken":
                    break
    planted = tuple(itertools.chain.from_iterable(plant_mutants(case, test) for case in cases)) if mutants else ()
    return Certificate(name, tuple(findings), mutants=planted)


def _law_names(quick: bool) -> tuple[str, ...]:
    return QUICK if quick else tuple(LAWS)
