"""Optimizers and schedules by name: those of optax and of `second_order`, with decay, clipping and parameter groups."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import optax
from jax import numpy as jnp

from jaxnn.errors import UserError, hint
from jaxnn.layer import Params
from jaxnn.train.second_order import SECOND_ORDER, SecondOrder

#: The course's names for optimizers that have other names in optax.
COURSE_NAMES: dict[str, Callable[..., optax.GradientTransformation]] = {
    "gradient_descent": optax.sgd,
    "momentum": partial(optax.sgd, momentum=0.9),
}

Number = float | jax.Array


class Group(NamedTuple):
    """The parameters whose path matches a pattern, and what differs in their training.

    match: a pattern of `fnmatch` for the path of a parameter as in a checkpoint ("0/weight", "body/1/bias"); `*` also
        matches "/"
    learning_rate: an absolute rate or a schedule, not a factor; None: that of the optimizer
    l2: None: that of the optimizer
    frozen: the parameters keep their values and have no optimizer state
    """

    match: str
    learning_rate: Number | optax.Schedule | None = None
    l2: Number | None = None
    frozen: bool = False


@cache
def optimizer_names() -> dict[str, Callable[..., optax.GradientTransformation | SecondOrder]]:
    """All optimizers by name: optax's aliases that take a learning rate, the course's names, the second-order ones."""
    aliases: dict[str, Callable[..., optax.GradientTransformation | SecondOrder]] = {}
    for name in dir(optax):
        alias = getattr(optax, name)
        is_function = inspect.isfunction(alias) or isinstance(alias, partial)
        public = is_function and not name.startswith(("_", "scale_by_"))
        if public and _argument_names(alias)[:1] == ["learning_rate"]:
            aliases[name] = alias
    return aliases | COURSE_NAMES | SECOND_ORDER


def takes_learning_rate(name: str) -> bool:
    """Whether the optimizer `name` takes a learning rate: all but the second-order ones do."""
    return name not in SECOND_ORDER


@cache
def schedule_names() -> dict[str, Callable[..., optax.Schedule]]:
    """All schedules of optax by name: the functions of numbers that return a schedule."""
    functions = {name: f for name, f in vars(optax.schedules).items() if inspect.isfunction(f)}
    return {
        name: f
        for name, f in sorted(functions.items())
        if inspect.signature(f, eval_str=True).return_annotation == optax.Schedule and name != "join_schedules"
    }


def schedule(name: str, **options: Any) -> optax.Schedule:
    """The optax schedule `name`. Raises `UserError` for an unknown name or option."""
    names = schedule_names()
    if name not in names:
        raise _unknown_name("a schedule", name, names)
    return _construct(f"schedule {name!r}", names[name], options)


def optimizer(
    name: str,
    learning_rate: Number | optax.Schedule | None = None,
    *,
    l2: Number = 0.0,
    clip_norm: Number | None = None,
    clip_value: Number | None = None,
    accumulate: int = 1,
    groups: Sequence[Group] = (),
    **options: Any,
) -> optax.GradientTransformation | SecondOrder:
    """The optimizer `name`: an optax alias, "gradient_descent" (plain), "momentum" (0.9), or one of `SECOND_ORDER`.

    The steps of an update, in this order: mean over `accumulate` batches, `clip_value`, `clip_norm`, `l2`, optimizer.
    Learning rates, `l2`, `clip_norm`, `clip_value` and options may be traced, so that their values share a program.

    learning_rate: for all but the second-order optimizers, which choose their own step size
    l2: λ of the penalty (λ/2) Σ w² on weights, never on biases: λ w is added to the gradient.
        If an optimizer has its own decay (`weight_decay`, as adamw has), that too is applied to weights only.
    clip_norm: the largest norm of the gradient of all parameters that are not frozen; a longer gradient is scaled down
    clip_value: the largest absolute value of an entry of the gradient; larger entries are cut
    accumulate: batches whose mean gradient makes one update; the other steps change no parameter, and an incomplete set
        of batches at the end of training makes no update. A schedule counts updates.
    groups: parameters with their own learning rate or decay, or frozen. The first group that matches a parameter wins.
    Raises `UserError` for an unknown name or option; its `init` does so for a group that matches no parameter.
    """
    names = optimizer_names()
    if name not in names:
        raise _unknown_name("an optimizer", name, names)
    if not takes_learning_rate(name):
        values = {"learning_rate": learning_rate, "clip_norm": clip_norm, "clip_value": clip_value}
        values |= {"accumulate": None if accumulate == 1 else accumulate, "groups": groups or None}
        present = [key for key, value in values.items() if value is not None]
        if present:
            raise UserError(f"{name} chooses its own step size from the full batch; remove {', '.join(present)}")
        return _construct(f"optimizer {name!r}", SECOND_ORDER[name], options)._replace(l2=l2)
    if learning_rate is None:
        raise UserError(f"optimizer {name!r}: expected a learning rate, found none")
    _check_numbers(name, clip_norm, clip_value, accumulate, groups)

    def first_order(learning_rate, l2):
        masked = {"mask": is_weight} if "mask" in _argument_names(names[name]) else {}
        arguments = {"learning_rate": learning_rate, **masked, **options}
        transform = _construct(f"optimizer {name!r}", names[name], arguments)
        # Without a decay the state has the same arrays, so that a member of a sweep over l2 is a run of its own.
        without = isinstance(l2, int | float) and l2 == 0
        decay = optax.identity() if without else optax.add_decayed_weights(l2, mask=is_weight)
        return optax.chain(decay, transform)

    transform = first_order(learning_rate, l2)
    if any(not group.frozen for group in groups):
        group_transforms = {
            str(i): first_order(
                learning_rate if group.learning_rate is None else group.learning_rate,
                l2 if group.l2 is None else group.l2,
            )
            for i, group in enumerate(groups)
            if not group.frozen
        }
        transform = optax.multi_transform({"main": transform, **group_transforms}, partial(_group_labels, groups))
    if clip_norm is not None:
        transform = optax.chain(optax.clip_by_global_norm(clip_norm), transform)
    if clip_value is not None:
        transform = optax.chain(optax.clip(clip_value), transform)
    if accumulate > 1:
        transform = _accumulated(transform, accumulate)
    return _grouped(transform, groups) if groups else transform


def is_weight(params: Params) -> Params:
    """True for each leaf that multiplies an input, False for biases and all others: the leaves that L2 decays."""

    def is_named_weight(path, leaf):
        del leaf
        return bool(path) and _path_name(path[-1:]) == "weight"

    return jax.tree_util.tree_map_with_path(is_named_weight, params)


def _path_name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _group_labels(groups: Sequence[Group], params: Params) -> Params:
    """For each leaf the index, as text, of the first group that matches it; "main" if none does."""

    def label(path, leaf):
        del leaf
        name = _path_name(path)
        return next((str(i) for i, group in enumerate(groups) if fnmatchcase(name, group.match)), "main")

    return jax.tree_util.tree_map_with_path(label, params)


def _grouped(transform: optax.GradientTransformation, groups: Sequence[Group]) -> optax.GradientTransformation:
    """`transform` for all parameters but the frozen ones. Its `init` raises `UserError` for a group without any."""
    frozen = {str(i) for i, group in enumerate(groups) if group.frozen}
    if frozen:
        transform = optax.multi_transform(
            {True: optax.set_to_zero(), False: transform},
            lambda params: jax.tree.map(lambda label: label in frozen, _group_labels(groups, params)),
        )

    def init(params):
        labels = jax.tree.leaves(_group_labels(groups, params))
        for i, group in enumerate(groups):
            if str(i) not in labels:
                names = ", ".join(_path_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params))
                kind = "parameter that no earlier group matches" if i else "parameter"
                raise UserError(
                    f"optimizer group {group.match!r}: expected a pattern for a {kind}, found none among {names}"
                )
        return transform.init(params)

    return optax.GradientTransformationExtraArgs(init, optax.with_extra_args_support(transform).update)


def _accumulated(transform: optax.GradientTransformation, batches: int) -> optax.GradientTransformation:
    """`transform` on the mean gradient of so many batches, which is computed in float32 at least."""

    def multi_steps(tree):
        dtype = jnp.result_type(jnp.float32, *(leaf.dtype for leaf in jax.tree.leaves(tree)))
        return optax.MultiSteps(transform, batches, accumulator_dtype=dtype).gradient_transformation()

    return optax.GradientTransformationExtraArgs(
        lambda params: multi_steps(params).init(params),
        lambda updates, state, params=None, **extra: multi_steps(updates).update(updates, state, params, **extra),
    )


def _check_numbers(
    name: str, clip_norm: Number | None, clip_value: Number | None, accumulate: int, groups: Sequence[Group]
) -> None:
    for key, bound in (("clip_norm", clip_norm), ("clip_value", clip_value)):
        if isinstance(bound, int | float) and not bound > 0:
            raise UserError(f"optimizer {name!r}: expected {key} above 0, found {bound}")
    if accumulate < 1:
        raise UserError(f"optimizer {name!r}: expected accumulate of at least 1, found {accumulate}")
    for group in groups:
        if group.frozen and (group.learning_rate, group.l2) != (None, None):
            raise UserError(
                f"optimizer group {group.match!r}: expected learning_rate and l2, or frozen, found both; remove one"
            )


def _unknown_name(what: str, name: str, known: Iterable[str]) -> UserError:
    known = sorted(known)
    return UserError(f"expected {what} among {', '.join(known)}, found {name!r}{hint(name, known, repr)}")


def _argument_names(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


def _construct(what: str, function: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    """function(**options); `UserError` for an unknown option or an impossible value."""
    known = _argument_names(function)
    for option in options:
        if option not in known:
            raise _unknown_name(f"an option of {what}", option, known)
    try:
        return function(**options)
    except KeyError as error:
        raise UserError(f"{what}: expected {error}, found none") from error
    except (TypeError, ValueError, ArithmeticError) as error:
        raise UserError(f"{what}: {error}") from error
