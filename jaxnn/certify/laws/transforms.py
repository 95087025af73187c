"""Law 6: the gradient is the same under every transformation of JAX, and its derivative is autodiff's Hessian."""

from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxnn.certify.case import Case, is_number, with_batch_size
from jaxnn.certify.laws.rounding import agree
from jaxnn.certify.measurement import Measurement
from jaxnn.certify.pullback import autodiff_pullback, compiled_pullback, custom_vjp, jit_unoptimized, pullback
from jaxnn.certify.vjp_rule import batched_leaves, differentiated_leaves

MAX_DEVICES = 8


def can_compile(case: Case) -> bool:
    """Whether JAX can trace the rule."""
    return case.rule.jit


def jit(case: Case) -> Measurement:
    """Compiled as one program, or run operation by operation: the same gradient."""
    compiled, operations = compiled_pullback(case.rule), pullback(case.rule)
    return agree(case, compiled(case.args, case.dy), operations(case.args, case.dy), case.bounds.agreement)


def _variants(case: Case) -> list[tuple]:
    """Three (args, dy), each a little larger than the one before."""

    def scale(a, k):
        return jnp.asarray(np.asarray(a) * (1 + 0.1 * k)) if is_number(a) else a

    return [jax.tree.map(lambda a, k=k: scale(a, k), (case.args, case.dy)) for k in range(3)]


def _stack(trees: list) -> Any:
    def stack_leaves(*leaves):
        is_key = jnp.issubdtype(leaves[0].dtype, jax.dtypes.prng_key)
        return jnp.stack(leaves) if is_key else jnp.asarray(np.stack(leaves))

    return jax.tree.map(stack_leaves, *trees)


def vmap(case: Case) -> Measurement:
    """Under `jax.vmap` over three sets of arguments (as for seeds): the gradient of each set alone."""
    variants = _variants(case)
    expected = _stack([compiled_pullback(case.rule)(*variant) for variant in variants])
    return agree(
        case, jit_unoptimized(jax.vmap(pullback(case.rule)))(*_stack(variants)), expected, case.bounds.agreement
    )


def scan(case: Case) -> Measurement:
    """In a `lax.scan` over three sets of arguments (as for training steps): the gradient of each set alone."""
    variants = _variants(case)
    expected = _stack([compiled_pullback(case.rule)(*variant) for variant in variants])
    gradient = pullback(case.rule)
    got = jit_unoptimized(lambda *xs: lax.scan(lambda carry, x: (carry, gradient(*x)), None, xs)[1])(*_stack(variants))
    return agree(case, got, expected, case.bounds.agreement)


def has_batch(case: Case) -> bool:
    """Whether the case has a batch axis."""
    return bool(case.rule.batched)


def shard_map(case: Case) -> Measurement:
    """The batch split over up to 8 devices, the gradients of the parameters added: as on one device."""
    devices = jax.devices()[:MAX_DEVICES]
    case = with_batch_size(case, 2 * len(devices))
    rule, rows = case.rule, batched_leaves(case.rule, case.args)
    weight = 1 / len(devices) if rule.reduction == "mean" else 1.0

    def local(args, dy):
        # Marked as varying, a shared argument counts once on each device; otherwise JAX adds up the derivatives that
        # it computes itself, and `psum` would add them again.
        args = tuple(
            arg if batched else jax.tree.map(lambda a: lax.pcast(a, "batch", to="varying"), arg)
            for arg, batched in zip(args, rule.batched, strict=True)
        )
        return {
            name: weight * (dleaf if name in rows else lax.psum(dleaf, "batch"))
            for name, dleaf in pullback(rule)(args, dy).items()
        }

    arg_specs = tuple(P("batch") if batched else P() for batched in rule.batched)
    out_specs = {name: P("batch") if name in rows else P() for name in differentiated_leaves(rule, case.args)}
    sharded = jax.shard_map(
        local,
        mesh=Mesh(np.asarray(devices), ("batch",)),
        in_specs=(arg_specs, P("batch") if rule.reduction == "rows" else P()),
        out_specs=out_specs,
    )
    got = jit_unoptimized(sharded)(case.args, case.dy)
    return agree(case, got, compiled_pullback(rule)(case.args, case.dy), case.bounds.agreement)


def checkpoint(case: Case) -> Measurement:
    """As a `jax.custom_vjp` function under `jax.checkpoint`, which runs the forward twice: the same gradient."""
    rematerialized = autodiff_pullback(case.rule._replace(f=jax.checkpoint(custom_vjp(case.rule))))
    got = jit_unoptimized(rematerialized)(case.args, case.dy)
    return agree(case, got, compiled_pullback(case.rule)(case.args, case.dy), case.bounds.agreement)
