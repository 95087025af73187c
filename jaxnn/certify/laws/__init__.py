"""The laws: each a function from a case to a measured number and its bound."""

from collections.abc import Callable
from typing import NamedTuple

from jaxnn.certify.case import Case
from jaxnn.certify.finding import Finding
from jaxnn.certify.laws import agreement, differences, edges, linearity, precision, transforms


def always(case: Case) -> bool:
    del case
    return True


class Law(NamedTuple):
    """A law's number in the list of laws, its name, what it measures and the cases that it speaks of.

    One that is for `thorough` cases compiles the same gradient anew for another setting.
    """

    number: int
    name: str
    measure: Callable[[Case], Finding]
    applies: Callable[[Case], bool] = always
    thorough: bool = False


#: name -> law
LAWS = {
    law.name: law
    for law in (
        Law(1, "autodiff", agreement.autodiff),
        Law(2, "float32", precision.float32, thorough=True),
        Law(2, "bfloat16", precision.bfloat16, thorough=True),
        Law(3, "differences", differences.differences),
        Law(3, "jacobian", differences.jacobian, differences.is_tiny),
        Law(5, "batch of one", agreement.batch_of_one, transforms.knows_batch, thorough=True),
        Law(5, "nan", edges.nan, transforms.knows_batch),
        Law(6, "jit", transforms.jit, thorough=True),
        Law(6, "vmap", transforms.vmap, thorough=True),
        Law(6, "scan", transforms.scan, thorough=True),
        Law(6, "shard_map", transforms.shard_map, transforms.knows_batch, thorough=True),
        Law(6, "checkpoint", transforms.checkpoint, thorough=True),
        Law(6, "hessian", transforms.hessian, thorough=True),
        Law(7, "linear", linearity.linear),
        Law(7, "examples", linearity.examples, transforms.knows_batch, thorough=True),
    )
}
