"""The laws: each a function from a case to a measured number and its bound."""

from collections.abc import Callable
from typing import NamedTuple

from jaxnn.certify.case import Case
from jaxnn.certify.laws import agreement, edge_cases, finite_differences, linearity, precision, second, transforms
from jaxnn.certify.measurement import Measurement


def always(case: Case) -> bool:
    """The condition of a law that applies to every case."""
    del case
    return True


class Law(NamedTuple):
    """A law: its number, its name, what it measures, and the cases that it applies to.

    full: measured for the table's full cases only, because it compiles the same gradient again in another setting
    """

    number: int
    name: str
    measure: Callable[[Case], Measurement]
    applies: Callable[[Case], bool] = always
    full: bool = False


#: name -> law
LAWS = {
    law.name: law
    for law in (
        Law(1, "structure", agreement.structure),
        Law(1, "autodiff", agreement.autodiff),
        Law(1, "stopped", agreement.stopped, agreement.has_stopped),
        Law(2, "float32", precision.float32, precision.has_gradient, full=True),
        Law(2, "bfloat16", precision.bfloat16, precision.has_gradient, full=True),
        Law(3, "finite differences", finite_differences.finite_differences),
        Law(3, "jacobian", finite_differences.jacobian, finite_differences.is_tiny),
        Law(5, "batch of one", agreement.batch_of_one, transforms.has_batch, full=True),
        Law(5, "nan", edge_cases.nan, edge_cases.has_floating_rows),
        Law(6, "jit", transforms.jit, transforms.can_compile, full=True),
        Law(6, "vmap", transforms.vmap, transforms.can_compile, full=True),
        Law(6, "scan", transforms.scan, transforms.can_compile, full=True),
        Law(6, "shard_map", transforms.shard_map, transforms.has_batch, full=True),
        Law(6, "checkpoint", transforms.checkpoint, transforms.can_compile, full=True),
        Law(6, "hessian", second.hessian, full=True),
        Law(6, "forward mode", second.forward_mode, second.has_forward_mode, full=True),
        Law(7, "linearity", linearity.linearity),
        Law(7, "sum over examples", linearity.sum_over_examples, transforms.has_batch, full=True),
    )
}
