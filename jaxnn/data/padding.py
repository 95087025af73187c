"""Puts sequences of different lengths into one array, padded with zeros, and their lengths."""

from collections.abc import Sequence as List
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Shaped

from jaxnn.errors import UserError

if TYPE_CHECKING:
    from jaxnn.sequence import Sequence

_MAX_BYTES = 2 << 30


def pad_sequences(sequences: List[Shaped[np.ndarray, "..."]], time: int = 0) -> "Sequence":
    """The batch of these sequences: `values` (batch, time, ...), zero at padding, and `lengths` (batch,).

    sequences: arrays (length, ...) of one type, which differ in their first axis alone
    time: places of the batch; 0: those of the longest. For longer ones it is doubled until they fit: batches of a few
        shapes are few programs to compile

    Raises UserError for no sequences, for one that has no place, for other shapes or types, and for more than 2 GiB.
    """
    from jaxnn.sequence import Sequence  # imports JAX, which takes a second

    arrays = [np.asarray(sequence) for sequence in sequences]
    if not arrays:
        raise UserError("pad_sequences: expected sequences, found none")
    for i, array in enumerate(arrays):
        if array.ndim == 0 or len(array) == 0:
            raise UserError(f"pad_sequences: expected a place or more in each sequence, found none in sequence {i}")
        if array.shape[1:] != arrays[0].shape[1:] or array.dtype != arrays[0].dtype:
            raise UserError(
                f"pad_sequences: expected places of {arrays[0].dtype} and shape {arrays[0].shape[1:]}, as in the first "
                f"sequence, found {array.dtype} and {array.shape[1:]} in sequence {i}"
            )
    lengths = np.array([len(array) for array in arrays], np.int32)
    time = time or int(lengths.max())
    while time < lengths.max():
        time *= 2
    if len(arrays) * time * arrays[0][:1].nbytes > _MAX_BYTES:
        raise UserError(
            f"pad_sequences: expected at most 2 GiB, found {len(arrays):,} sequences padded to {time:,} places; cut "
            "the longest ones"
        )
    values = np.zeros((len(arrays), time, *arrays[0].shape[1:]), arrays[0].dtype)
    for row, array in zip(values, arrays, strict=True):
        row[: len(array)] = array
    return Sequence(values, lengths)
