"""A collection of records of the user's own as rows that are read when they are asked for."""

from typing import Any

import jax
import numpy as np

from jaxnn.data.rows import Rows
from jaxnn.errors import UserError


def record_rows(records: Any) -> Any:
    """A collection of records, with `__len__` and `__getitem__(numbers)`, as a pytree of `Rows`, one for each array.

    records[numbers] is a pytree of arrays with a leading axis of records, such as (x, target). `__getitems__(numbers)`,
    a list of records, is used where there is one. Raises UserError for anything else.
    """
    if not hasattr(records, "__len__") or not hasattr(records, "__getitem__"):
        raise UserError(
            f"expected a collection of records with __len__ and __getitem__(numbers), found {type(records).__name__}"
        )
    count = len(records)
    if not count:
        raise UserError("expected records, found none")
    collection = _Records(records)
    leaves, treedef = jax.tree.flatten(collection[np.arange(1)])
    for leaf in leaves:
        if np.ndim(leaf) == 0 or len(leaf) != 1:
            raise UserError(
                f"records[numbers]: expected arrays with a leading axis of records, found shape {np.shape(leaf)} for "
                "one record"
            )

    def column(place: int, leaf: np.ndarray) -> Rows:
        def read(numbers: np.ndarray) -> np.ndarray:
            return jax.tree.leaves(collection[numbers])[place]

        return Rows((count, *leaf.shape[1:]), leaf.dtype, read, (collection, place))

    return jax.tree.unflatten(treedef, [column(place, np.asarray(leaf)) for place, leaf in enumerate(leaves)])


class _Records:
    """A collection of records that gives arrays of several at once."""

    def __init__(self, records: Any):
        self.records = records
        self.key: tuple[int, ...] = (id(records),)

    def __getitem__(self, numbers: np.ndarray) -> Any:
        if hasattr(self.records, "__getitems__"):
            found = self.records.__getitems__([int(number) for number in numbers])
            return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *found)
        return jax.tree.map(np.asarray, self.records[numbers])
