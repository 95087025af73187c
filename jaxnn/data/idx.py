"""Reads IDX, the file format of MNIST: four bytes of magic, the sizes as big-endian integers, then the bytes."""

import math
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from jaxnn.data.limited_reader import LimitedReader

LIMIT = 256 << 20  # bytes unpacked from gzip; EMNIST ByClass has twice as many and must be unpacked first
PLAIN_LIMIT = 4 << 30
_UNSIGNED_BYTE = 8


def read_idx(path: Path, dimensions: int, most_bytes: int | None = None) -> UInt8[np.ndarray, "..."]:
    """Reads the array in an IDX file of unsigned bytes, gzipped or not.

    most_bytes: a plain file of more is mapped into memory, not read (`numpy.memmap`)

    The header must state ``dimensions`` axes, none of them empty, and the number of bytes that follow it. It may
    state at most 256 MiB in a gzip file (unpack a larger one first), and at most the file's size, up to 4 GiB, in a
    plain one. One byte beyond that is read, to check that the file ends there.

    Raises UserError. Reference: LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
    """
    with LimitedReader(path, LIMIT, PLAIN_LIMIT) as file:
        magic = file.read(4)
        expected = bytes([0, 0, _UNSIGNED_BYTE, dimensions])
        if magic != expected:
            raise file.error(
                f"expected the IDX header {expected.hex(' ')} (bytes in {dimensions} axes), found {magic.hex(' ')}"
            )
        shape = np.frombuffer(file.read(4 * dimensions), dtype=">u4").tolist()
        if 0 in shape:
            raise file.error(f"expected examples, found the empty shape {tuple(shape)}")
        start, size = 4 + 4 * dimensions, path.stat().st_size
        if most_bytes is not None and size > most_bytes and not file.is_gzip:
            if size != start + math.prod(shape):
                raise file.error(f"expected {start + math.prod(shape):,} bytes, as its header says, found {size:,}")
            return np.memmap(path, np.uint8, "r", start, tuple(shape))
        data = file.read(math.prod(shape))
        file.expect_end()
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)
