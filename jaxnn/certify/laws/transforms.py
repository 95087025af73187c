"""Law 6: the gradient is the same under every transformation of JAX, and its own derivative is the Hessian's."""

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxnn.certify.case import Case, cast, normal_like, with_rows
from jaxnn.certify.finding import Finding, compare, worst
from jaxnn.certify.laws.agreement import FLOAT64_BOUND
from jaxnn.certify.pullback import autodiff_pullback, compiled, compiled_pullback, custom_vjp, pullback
from jaxnn.certify.vjp_rule import Leaves, leaves, replaced, rows_of

HESSIAN_BOUND = 1e-10
DEVICES = 8


def jit(case: Case) -> Finding:
    """Compiled as one program or run operation by operation: the same."""
    return compare(
        compiled_pullback(case.rule)(case.args, case.dy), pullback(case.rule)(case.args, case.dy), FLOAT64_BOUND
    )


def _variants(case: Case) -> list[tuple]:
    """Three (args, dy), each a little larger than the last."""

    def scaled(a, k):
        return jnp.asarray(np.asarray(a) * (1 + 0.1 * k)) if jnp.issubdtype(a.dtype, jnp.floating) else a

    return [jax.tree.map(lambda a, k=k: scaled(a, k), (case.args, case.dy)) for k in range(3)]


def _stack(trees: list):
    def one(*leaves):
        is_key = jnp.issubdtype(leaves[0].dtype, jax.dtypes.prng_key)
        return jnp.stack(leaves) if is_key else jnp.asarray(np.stack(leaves))

    return jax.tree.map(one, *trees)


def vmap(case: Case) -> Finding:
    """Over three sets of arguments at once (seeds): as over each alone."""
    variants = _variants(case)
    expected = _stack([compiled_pullback(case.rule)(*variant) for variant in variants])
    return compare(compiled(jax.vmap(pullback(case.rule)))(*_stack(variants)), expected, FLOAT64_BOUND)


def scan(case: Case) -> Finding:
    """Inside a `lax.scan` over three sets of arguments (steps): as over each alone."""
    variants = _variants(case)
    expected = _stack([compiled_pullback(case.rule)(*variant) for variant in variants])
    gradient = pullback(case.rule)
    got = compiled(lambda *xs: lax.scan(lambda carry, x: (carry, gradient(*x)), None, xs)[1])(*_stack(variants))
    return compare(got, expected, FLOAT64_BOUND)


def knows_batch(case: Case) -> bool:
    return bool(case.rule.batched)


def shard_map(case: Case) -> Finding:
    """The batch shared out over up to 8 devices, the parameters' gradients added up: as on one."""
    devices = jax.devices()[:DEVICES]
    case = with_rows(case, 2 * len(devices))
    rule, rows = case.rule, rows_of(case.rule, case.args)
    mean = 1 / len(devices) if rule.reduction == "mean" else 1.0

    def local(args, dy):
        # A shared argument counts as one on each device, else JAX adds up what it differentiates itself, unasked.
        args = tuple(
            arg if batched else jax.tree.map(lambda a: lax.pcast(a, "batch", to="varying"), arg)
            for arg, batched in zip(args, rule.batched, strict=True)
        )
        return {
            name: mean * (dleaf if name in rows else lax.psum(dleaf, "batch"))
            for name, dleaf in pullback(rule)(args, dy).items()
        }

    arg_specs = tuple(P("batch") if batched else P() for batched in rule.batched)
    out_specs = {name: P("batch") if name in rows else P() for name in leaves(rule, case.args)}
    shared = jax.shard_map(
        local,
        mesh=Mesh(np.asarray(devices), ("batch",)),
        in_specs=(arg_specs, P("batch") if rule.reduction == "rows" else P()),
        out_specs=out_specs,
    )
    return compare(compiled(shared)(case.args, case.dy), compiled_pullback(rule)(case.args, case.dy), FLOAT64_BOUND)


def checkpoint(case: Case) -> Finding:
    """As a `jax.custom_vjp` function under `jax.checkpoint`, which runs the forward again: the same."""
    again = autodiff_pullback(case.rule._replace(f=jax.checkpoint(custom_vjp(case.rule))))
    return compare(compiled(again)(case.args, case.dy), compiled_pullback(case.rule)(case.args, case.dy), FLOAT64_BOUND)


def hessian(case: Case) -> Finding:
    """The backward's own derivative along v is autodiff's Hessian times v; and u·Hv = v·Hu."""

    def product(gradient):
        def hessian_times(some: Leaves, v: Leaves) -> Leaves:
            return jax.jvp(lambda some: gradient(replaced(case.rule, case.args, some), case.dy), (some,), (v,))[1]

        return compiled(hessian_times)

    some = leaves(case.rule, case.args)
    u, v = normal_like(1, some), normal_like(2, some)
    by_hand = product(pullback(case.rule))
    hu, hv = by_hand(some, u), by_hand(some, v)
    expected = product(autodiff_pullback(case.rule))(some, v)
    uhv, vhu = (sum(float(np.vdot(a[n], b[n])) for n in some) for a, b in ((u, hv), (v, hu)))
    size = sum(float(np.linalg.norm(u[n]) * np.linalg.norm(hv[n])) for n in some)
    asymmetry = abs(uhv - vhu) / size if size else abs(vhu)
    symmetric = Finding(asymmetry, HESSIAN_BOUND, "u·Hv = v·Hu", (), vhu, uhv)
    return worst([compare(cast(hv, np.float64), expected, HESSIAN_BOUND), symmetric])
