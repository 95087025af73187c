"""Optimizers and schedules by name: optax's first-order ones, those of `second_order`; decay on weights only."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from typing import Any

import jax
import optax

from jaxnn.errors import UserError, hint
from jaxnn.layer import Params
from jaxnn.train.second_order import SECOND_ORDER, SecondOrder

#: The course's names for what optax calls otherwise.
COURSE_NAMES: dict[str, Callable[..., optax.GradientTransformation]] = {
    "gradient_descent": optax.sgd,
    "momentum": partial(optax.sgd, momentum=0.9),
}


def _unknown(what: str, found: str, good: Iterable[str]) -> UserError:
    good = sorted(good)
    return UserError(f"expected {what} among {', '.join(good)}, found {found!r}{hint(found, good, repr)}")


def _options(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


@cache
def optimizer_names() -> dict[str, Callable[..., optax.GradientTransformation | SecondOrder]]:
    """Every optax alias that takes a learning rate, by name, the course's own names, and the second-order methods."""
    found: dict[str, Callable[..., optax.GradientTransformation | SecondOrder]] = {}
    for name in dir(optax):
        alias = getattr(optax, name)
        public = inspect.isfunction(alias) and not name.startswith(("_", "scale_by_"))
        if public and _options(alias)[:1] == ["learning_rate"]:
            found[name] = alias
    return found | COURSE_NAMES | SECOND_ORDER


def needs_rate(name: str) -> bool:
    """Whether the optimizer `name` takes a learning rate: the second-order ones do not."""
    return name not in SECOND_ORDER


@cache
def schedule_names() -> dict[str, Callable[..., optax.Schedule]]:
    """Every optax schedule by name."""
    return {name: getattr(optax, name) for name in dir(optax) if name.endswith("_schedule") and name.islower()}


def is_weight(params: Params) -> Params:
    """True for each leaf that multiplies an input, False for biases and the rest: what L2 decay applies to."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: bool(path) and getattr(path[-1], "name", "") == "weight", params
    )


def schedule(name: str, **options: Any) -> optax.Schedule:
    """The optax schedule `name`; raises `UserError` for a name or an option that does not exist."""
    names = schedule_names()
    if name not in names:
        raise _unknown("a schedule", name, names)
    return _call(f"schedule {name!r}", names[name], options)


def optimizer(
    name: str,
    learning_rate: float | jax.Array | optax.Schedule | None = None,
    *,
    l2: float | jax.Array = 0.0,
    **options: Any,
) -> optax.GradientTransformation | SecondOrder:
    """The optimizer `name`: an optax alias, "gradient_descent" (plain), "momentum" (0.9), or one of `SECOND_ORDER`.

    l2: λ of the penalty (λ/2) Σ w² on weights, never on biases: λ w is added to the gradient before anything else.
    Where an optimizer has a decay of its own (`weight_decay`, as adamw), that too is kept off the biases.
    learning_rate: for all but the second-order ones, which find their step by themselves
    Raises `UserError` for a name or an option that does not exist.
    """
    names = optimizer_names()
    if name not in names:
        raise _unknown("an optimizer", name, names)
    if not needs_rate(name):
        if learning_rate is not None:
            raise UserError(f"{name} finds the size of its step by itself: expected no learning rate, found one")
        return _call(f"optimizer {name!r}", SECOND_ORDER[name], options)._replace(l2=l2)
    if learning_rate is None:
        raise UserError(f"optimizer {name!r}: expected a learning rate, found none")
    if "mask" in _options(names[name]):
        options = {"mask": is_weight, **options}
    transform = _call(f"optimizer {name!r}", names[name], {"learning_rate": learning_rate, **options})
    if isinstance(l2, int | float) and l2 == 0:
        return transform
    return optax.chain(optax.add_decayed_weights(l2, mask=is_weight), transform)


def _call(what: str, function: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    known = _options(function)
    for option in options:
        if option not in known:
            raise _unknown(f"an option of {what}", option, known)
    try:
        return function(**options)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise UserError(f"{what}: {error}") from error
