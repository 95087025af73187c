"""The certificate: every law measured on one thing, whoever wrote it, and the verdict."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.certify.case import Case, case, cast, cotangent
from jaxnn.certify.cases import layer_args
from jaxnn.certify.cost import Account, account
from jaxnn.certify.finding import Finding, worst
from jaxnn.certify.laws import LAWS
from jaxnn.certify.vjp_rule import Reduction, Rule, of_layer, of_vjp
from jaxnn.layer import Key, Layer

#: What a quick certificate measures.
QUICK = ("autodiff", "float32", "differences", "linear")


class Entry(NamedTuple):
    """What one law, by its number and name, found in one case."""

    number: int
    law: str
    case: str
    finding: Finding


class Mistaken(NamedTuple):
    """A mistake planted in the rule, the law that noticed it, and whether the caller's own test did (None: no test)."""

    name: str
    law: str
    noticed: bool | None = None


class Certificate(NamedTuple):
    """What the laws found.

    account: bytes, FLOPs and time beside autodiff's, where they were counted
    smallest: the smallest shapes that break a law, in words
    mutants: the mistakes that were planted, where that was asked for
    """

    name: str
    entries: tuple[Entry, ...]
    account: Account | None = None
    smallest: str = ""
    mutants: tuple[Mistaken, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether no law is broken."""
        return not self.broken and (self.account is None or self.account.holds)

    @property
    def broken(self) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if not entry.finding.holds)

    def worst(self, law: str) -> Finding | None:
        """The worst finding of a law; None where it was not measured."""
        found = [entry.finding for entry in self.entries if entry.law == law]
        return worst(found) if found else None

    @property
    def faults(self) -> list[str]:
        """A line for each broken law: the place that is furthest beyond its bound, expected and got."""
        lines = []
        for law, entries in itertools.groupby(sorted(self.broken, key=lambda e: e.law), key=lambda e: e.law):
            entry = max(entries, key=lambda entry: entry.finding.severity)
            lines.append(f"{entry.case}: law {entry.number} ({law}): {entry.finding}")
        if self.smallest:
            lines.append(f"{self.name}: smallest failing shape: {self.smallest}")
        if self.account is not None:
            lines += [f"{self.name}: law 9 (account): {what}" for what in self.account.worse]
        return lines

    def __str__(self) -> str:
        laws = len({entry.law for entry in self.entries})
        text = [f"{self.name}: {'certified' if self.holds else 'NOT certified'}, {laws} laws", *self.faults]
        text += [
            f"  planted: {m.name}: {'noticed by ' + m.law if m.law else 'noticed by no law'}"
            + ("" if m.noticed is None else f"; your test {'noticed' if m.noticed else 'did NOT notice'}")
            for m in self.mutants
        ]
        return "\n".join(text)

    def check(self) -> "Certificate":
        """Itself; raises `AssertionError` with every fault where a law is broken."""
        if not self.holds:
            raise AssertionError(str(self))
        return self


def certify(
    layer: Layer, x: Any, *, key: Key = None, quick: bool = False, mutants: bool = False, timed: bool = True
) -> Certificate:
    """The certificate of a layer, yours or ours, for a batch like `x` (an array or a `jax.ShapeDtypeStruct`).

    Parameters and inputs are drawn at random, in float64. key: for a layer that draws (dropout). timed: with the
    account, unless quick; it measures time, so nothing else may run beside it.
    Sizes that are distinct primes are best: then no axis passes for another.

    >>> import jax, jaxnn
    >>> from jaxnn.certify import certify
    >>> certify(jaxnn.dense(5), jax.ShapeDtypeStruct((3, 7), "float32"), quick=True).holds
    True
    """
    with jax.enable_x64(True):
        name, shape = layer.name, tuple(x.shape)
        certificate = examine([layer_case(layer, shape, key)], name, laws=_laws(quick), mutants=mutants)
        if timed and not quick:
            account = float32_account(of_layer(layer, key), layer_args(layer, shape))
            certificate = certificate._replace(account=account)
        if certificate.broken:
            certificate = certificate._replace(
                smallest=_smallest(lambda shape: layer_case(layer, shape, key), shape, certificate.broken[0].law)
            )
    return certificate


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
    f may be the `jax.custom_vjp` function itself: the witness is then the function that it wraps, and `fwd` and `bwd`
    may be None. Arguments may be pytrees, integers and keys among them; y may be a pytree.
    args must be arrays (or numbers); their floating leaves are taken to float64, so f must compute in its arguments'
    precision.
    batched: which arguments hold a row for each example; then the laws of batches are measured too. reduction: what
    becomes of the examples' outputs.
    timed: with the account, as in `certify`.
    mutants: also plants mistakes in the rule and says which law notices each. test: your own test, a function of a
    `jax.custom_vjp` function that raises `AssertionError` when it notices something; it is tried on each mistake.

    Raises `UserError` for what cannot be certified.

    >>> import jax.numpy as jnp
    >>> from jaxnn.certify import certify_vjp
    >>> def f(x):
    ...     return x * x
    >>> certificate = certify_vjp(f, lambda x: (x * x, x), lambda x, dy: (2.002 * x * dy,), jnp.arange(1.0, 4.0))
    >>> certificate.holds
    False
    """
    rule, args = of_vjp(f, fwd, bwd, args, tuple(batched), reduction)
    name = getattr(f, "__name__", "f")
    with jax.enable_x64(True):
        one = case(name, name, rule, args)
        certificate = examine([one], name, laws=_laws(quick), mutants=mutants, test=test)
        if timed and not quick:
            certificate = certificate._replace(account=float32_account(rule, one.args))
        shapes = ", ".join(str(tuple(leaf.shape)) for leaf in jax.tree.leaves(args))
        return certificate._replace(smallest=shapes) if certificate.broken else certificate


def examine(
    cases: Sequence[Case],
    name: str,
    *,
    laws: Sequence[str] = tuple(LAWS),
    thorough: Sequence[bool] = (),
    mutants: bool = False,
    test: Callable[[Callable[..., Any]], Any] | None = None,
) -> Certificate:
    """The laws by these names measured on cases; those for thorough cases alone only where `thorough` says so."""
    entries = []
    for one, all_laws in zip(cases, thorough or [True] * len(cases), strict=True):
        for law in (LAWS[law] for law in laws):
            if (all_laws or not law.thorough) and law.applies(one):
                entries.append(Entry(law.number, law.name, one.name, law.measure(one)))
    planted = tuple(itertools.chain.from_iterable(_planted(one, test) for one in cases)) if mutants else ()
    return Certificate(name, tuple(entries), mutants=planted)


def layer_case(layer: Layer, shape: tuple[int, ...], key: Key = None) -> Case:
    """A layer's case for a batch of this shape."""
    name = layer.name
    return case(name, name, of_layer(layer, key), layer_args(layer, shape))


def _laws(quick: bool) -> tuple[str, ...]:
    return QUICK if quick else tuple(LAWS)


def float32_account(rule: Rule, args: tuple) -> Account:
    """The account at `args` in float32, as nets are trained."""
    args = cast(args, np.float32)
    return account(rule, args, cotangent(0, rule, args))


def _planted(one: Case, test: Callable | None) -> Iterator[Mistaken]:
    from jaxnn.certify.generic_mutants import mistakes
    from jaxnn.certify.mutation import NOBODY, kill_mistakes
    from jaxnn.certify.pullback import custom_vjp

    by_name = dict(mistakes(one.rule))
    for killed in kill_mistakes(one):
        law = "" if killed.law == NOBODY else killed.law
        noticed = None if test is None else _notices(test, custom_vjp(by_name[killed.name](one.rule)))
        yield Mistaken(killed.name, law, noticed)


def _notices(test: Callable, f: Callable) -> bool:
    try:
        with jax.enable_x64(False):
            test(f)
    except AssertionError:
        return True
    return False


def _smallest(build: Callable[[tuple[int, ...]], Case], shape: tuple[int, ...], law: str) -> str:
    """The smallest shape, axis after axis, that still breaks the law."""

    def breaks(shape):
        try:
            one = build(shape)
            return LAWS[law].applies(one) and not LAWS[law].measure(one).holds
        except Exception:  # a layer may refuse a shape in any way: it is not a smaller failure then
            return False

    best = list(shape)
    for axis in range(len(best)):
        for n in range(1, best[axis]):
            if breaks((*best[:axis], n, *best[axis + 1 :])):
                best[axis] = n
                break
    return "×".join(map(str, best))
