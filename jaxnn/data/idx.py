"""IDX, the format that MNIST came in: four bytes of magic, the sizes as big-endian integers, then the bytes."""

import math
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from jaxnn.data.limited_reader import BoundedReader

LIMIT = 256 << 20  # unpacked from gzip; EMNIST ByClass needs twice that: unpack it first
PLAIN_LIMIT = 4 << 30
_UNSIGNED_BYTE = 8


def read_idx(path: Path, dimensions: int) -> UInt8[np.ndarray, "..."]:
    """The array in an IDX file of unsigned bytes, gzipped or not.

    The header must promise ``dimensions`` axes, none of them empty, and exactly the bytes that follow. A gzip
    file may promise at most 256 MiB (unpack a larger one first), a plain one what its size is, at most 4 GiB.
    Beyond what the header promises one byte is unpacked, to see that there is none.

    Raises UserError. Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
    """
    with BoundedReader(path, LIMIT, PLAIN_LIMIT) as file:
        magic = file.take(4)
        expected = bytes([0, 0, _UNSIGNED_BYTE, dimensions])
        if magic != expected:
            raise file.refuse(
                f"expected the IDX header {expected.hex(' ')} (bytes in {dimensions} axes), found {magic.hex(' ')}"
            )
        shape = np.frombuffer(file.take(4 * dimensions), dtype=">u4").tolist()
        if 0 in shape:
            raise file.refuse(f"expected examples, found the empty shape {tuple(shape)}")
        data = file.take(math.prod(shape))
        file.finish()
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)
