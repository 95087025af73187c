"""Certificates: every law measured for one layer or rule, and the verdict."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax

from jaxnn.certify.case import Case, layer_args, make_case
from jaxnn.certify.cost import CostComparison, float32_cost
from jaxnn.certify.generic_mutants import mutations
from jaxnn.certify.laws import LAWS, Law
from jaxnn.certify.measurement import Measurement, worst
from jaxnn.certify.mutation import run_generic_mutants
from jaxnn.certify.pullback import custom_vjp
from jaxnn.certify.shrink import check_input, shape_text, shrink_input
from jaxnn.certify.vjp_rule import Reduction, custom_vjp_rule, layer_rule
from jaxnn.layer import Key, Layer, check_layer

#: The laws of a quick certificate.
QUICK = ("structure", "autodiff", "float32", "finite differences", "linearity")


class Entry(NamedTuple):
    """The measurement of one law, given by its number and name, in one case."""

    number: int
    law: str
    case: str
    measurement: Measurement


class PlantedMutant(NamedTuple):
    """A mistake planted in the rule.

    law: the law that detects it, "" if none does
    detected: whether the caller's own test detects it; None without a test
    """

    name: str
    law: str
    detected: bool | None = None


class Certificate(NamedTuple):
    """The measurements of the laws, and whether they hold.

    cost: bytes, FLOPs and time beside autodiff's, if they were measured
    smallest_shape: the smallest shapes that break a law, in words
    mutants: the planted mistakes, if they were asked for
    """

    name: str
    entries: tuple[Entry, ...]
    cost: CostComparison | None = None
    smallest_shape: str = ""
    mutants: tuple[PlantedMutant, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether no law is broken."""
        return not self.broken and (self.cost is None or self.cost.holds)

    @property
    def broken(self) -> tuple[Entry, ...]:
        """The entries of the broken laws."""
        return tuple(entry for entry in self.entries if not entry.measurement.holds)

    @property
    def structure_holds(self) -> bool:
        """Whether the gradients have the right structure; without it the cost cannot be measured."""
        return all(entry.law != "structure" for entry in self.broken)

    def worst(self, law: str) -> Measurement | None:
        """The worst measurement of a law; None if it was not measured."""
        measurements = [entry.measurement for entry in self.entries if entry.law == law]
        return worst(measurements) if measurements else None

    @property
    def failures(self) -> list[str]:
        """A line for each broken law: the entry that is furthest beyond its bound, expected and got."""
        lines = []
        for law, entries in itertools.groupby(sorted(self.broken, key=lambda e: e.law), key=lambda e: e.law):
            entry = max(entries, key=lambda entry: entry.measurement.severity)
            lines.append(f"{entry.case}: law {entry.number} ({law}): {entry.measurement}")
        if self.smallest_shape:
            lines.append(f"{self.name}: smallest failing shape: {self.smallest_shape}")
        if self.cost is not None:
            lines += [f"{self.name}: law 9 (cost): {message}" for message in self.cost.regressions]
        return lines

    def __str__(self) -> str:
        laws = len({entry.law for entry in self.entries})
        lines = [f"{self.name}: {'certified' if self.holds else 'NOT certified'}, {laws} laws", *self.failures]
        lines += [
            f"  planted: {m.name}: {'detected by ' + m.law if m.law else 'detected by no law'}"
            + ("" if m.detected is None else f"; your test {'detects it' if m.detected else 'does NOT detect it'}")
            for m in self.mutants
        ]
        return "\n".join(lines)

    def check(self) -> "Certificate":
        """Returns the certificate; raises `AssertionError` with all failures if a law is broken."""
        if not self.holds:
            raise AssertionError(str(self))
        return self


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
    batched: Sequence[bool] = (),
    reduction: Reduction = "rows",
    quick: bool = False,
    mutants: bool = False,
    timed: bool = True,
    test: Callable[[Callable[..., Any]], Any] | None = None,
) -> Certificate:
    """The certificate of a rule in the form of `jax.custom_vjp`, at `args`.

    f(*args) -> y; fwd(*args) -> y, residuals; bwd(residuals, dy) -> a cotangent for each argument (None for zero).
    f may be the `jax.custom_vjp` function itself: then the reference is the function that it wraps, and `fwd` and `bwd`
    may be None. Arguments may be pytrees, with integers and keys among their leaves; y may be a pytree.

    args: arrays or numbers. Their floating leaves are cast to float64, so f must compute in its arguments' precision.
    batched: which arguments hold a row for each example; the laws of batches are measured only with these
    reduction: whether y holds a row for each example ("rows"), or the "sum" or "mean" over the examples
    timed: also measure the cost, as in `certify`
    mutants: also plant mistakes in the rule, and report which law detects each
    test: your own test, a function of a `jax.custom_vjp` function that raises `AssertionError` when it detects a
        mistake; it runs on each planted mistake

    Raises `UserError` for what cannot be certified.

    >>> import jax.numpy as jnp
    >>> from jaxnn.certify import certify_vjp
    >>> def f(x):
    ...     return x * x
    >>> certificate = certify_vjp(f, lambda x: (x * x, x), lambda x, dy: (2.002 * x * dy,), jnp.arange(1.0, 4.0))
    >>> certificate.holds
    False
    """
    rule, args = custom_vjp_rule(f, fwd, bwd, args, tuple(batched), reduction)
    name = getattr(f, "__name__", "f")
    with jax.enable_x64(True):
        case = make_case(name, name, rule, args)
        certificate = run_laws([case], name, laws=_law_names(quick), mutants=mutants, test=test)
        if timed and not quick and certificate.structure_holds:
            certificate = certificate._replace(cost=float32_cost(rule, case.args))
        shapes = ", ".join(str(tuple(leaf.shape)) for leaf in jax.tree.leaves(args))
        return certificate._replace(smallest_shape=shapes) if certificate.broken else certificate


def run_laws(
    cases: Sequence[Case],
    name: str,
    *,
    laws: Sequence[str] = tuple(LAWS),
    full: Sequence[bool] = (),
    mutants: bool = False,
    test: Callable[[Callable[..., Any]], Any] | None = None,
) -> Certificate:
    """The laws of these names, measured for each case.

    full: for each case, whether the laws for full cases are measured too; empty for all of them
    A case that breaks the law `structure` is measured by no other law, because they need the structure.
    """
    entries = []
    for case, is_full in zip(cases, full or [True] * len(cases), strict=True):
        for law in (LAWS[law] for law in laws):
            if (is_full or not law.full) and law.applies(case):
                entries.append(Entry(law.number, law.name, case.name, law.measure(case)))
                if law.name == "structure" and not entries[-1].measurement.holds:
                    break
    planted = tuple(itertools.chain.from_iterable(_plant_mutants(case, test) for case in cases)) if mutants else ()
    return Certificate(name, tuple(entries), mutants=planted)


def _law_names(quick: bool) -> tuple[str, ...]:
    return QUICK if quick else tuple(LAWS)


def _plant_mutants(case: Case, test: Callable | None) -> Iterator[PlantedMutant]:
    by_name = dict(mutations(case.rule))
    for result in run_generic_mutants(case):
        detected = None if test is None else _detects(test, custom_vjp(by_name[result.name](case.rule)))
        yield PlantedMutant(result.name, "" if result.survives else result.law, detected)


def _detects(test: Callable, f: Callable) -> bool:
    try:
        with jax.enable_x64(False):
            test(f)
    except AssertionError:
        return True
    return False
