"""Many rules in one test: a library lists its functions with custom derivatives, and each has a certificate.

    test_rule = certified(
        rule(my_relu, x),
        rule(my_attention, q, k, v, causal=True, skip=("hessian",)),
        rule(my_round, x, meant=lambda x: x),
    )

`pytest` runs `test_rule` once for each rule, by its name, and a failure shows the certificate's own lines.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxnn.certify.certificate import Certificate
from jaxnn.certify.certification import certify_vjp
from jaxnn.errors import UserError


class Rule(NamedTuple):
    """A function with a derivative of its own, and the arguments and options of its certificate.

    options: of `certify_vjp`, and the function's own keywords
    """

    name: str
    f: Callable[..., Any]
    args: tuple[Any, ...]
    options: dict[str, Any]

    def certify(self, **options: Any) -> Certificate:
        """The certificate; `options` are added to the rule's own."""
        fwd, bwd = (self.options.get(name) for name in ("fwd", "bwd"))
        others = {name: value for name, value in self.options.items() if name not in ("fwd", "bwd")}
        return certify_vjp(self.f, fwd, bwd, *self.args, **(others | options))


def rule(f: Callable[..., Any], *args: Any, name: str = "", **options: Any) -> Rule:
    """A rule for `certified`. `f(*args)` is what is certified.

    name: in the test's name; default: that of f
    options: of `certify_vjp` (`reference`, `meant`, `stopped`, `skip`, `tolerances`, …, also `fwd` and `bwd`), and
        keywords of f
    """
    return Rule(name or str(getattr(f, "__name__", type(f).__name__)), f, args, options)


def certified(*rules: Rule, quick: bool = False, timed: bool = False) -> Callable[..., None]:
    """A test function that `pytest` runs once for each rule; assign it to a name that begins with `test`.

    quick: the main laws alone
    timed: also compare the cost with autodiff's, which takes some seconds a rule and breaks nothing
    Raises `UserError` for no rule, and for two of one name.
    """
    import pytest

    names = [one.name for one in rules]
    twice = sorted({name for name in names if names.count(name) > 1})
    if not rules or twice:
        raise UserError(
            f"certified: expected at least one rule, and a name for each, found {len(rules)} rules"
            f"{' and ' + ', '.join(twice) + ' twice; give rule(…, name=…)' if twice else ''}"
        )

    @pytest.mark.parametrize("certified_rule", rules, ids=names)
    def test(certified_rule: Rule) -> None:
        certificate = certified_rule.certify(quick=quick, timed=timed)
        if not certificate.holds:
            pytest.fail(str(certificate), pytrace=False)

    return test
