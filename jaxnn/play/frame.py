"""A frame: what changes on the page while a net is trained, as one binary message.

Four bytes hold the length of a header, little-endian; the header is JSON in UTF-8; the arrays follow, each where the
header says, in its own byte order "<". The page reads them without copying.
"""

import json
import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxnn.curve_statistics import evenly_chosen, seed_range

#: Points of a learning curve that are sent.
MAX_POINTS = 300
#: The arrays begin at a multiple of it, as the typed arrays of JavaScript need it.
ALIGNMENT = 8


def encode_frame(facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """A header of `facts`, with `arrays` as a list of name, dtype, shape and offset after the header, and the bytes."""
    entries, blobs, offset = [], [], 0
    for name, array in arrays.items():
        array = np.ascontiguousarray(array)
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        entries.append({"name": name, "dtype": array.dtype.name, "shape": array.shape, "offset": offset})
        padding = -array.nbytes % ALIGNMENT
        blobs.append(array.tobytes() + bytes(padding))
        offset += array.nbytes + padding
    header = json.dumps({**facts, "arrays": entries}, allow_nan=False).encode()
    header += b" " * (-(4 + len(header)) % ALIGNMENT)
    return struct.pack("<I", len(header)) + header + b"".join(blobs)


def curves(history: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, list[float | None]]]:
    """The learning curves as arrays to draw, and their last values, by metric.

    Of each metric that was measured, the least, the mean and the largest value over the seeds, (3, points) float32, at
    the epochs `epoch` (points,); NaN where nothing was measured. The last values have one for each seed.
    """
    if not history:
        return {}, {}
    epochs = np.asarray(history["epoch"])
    chosen = evenly_chosen(len(epochs), MAX_POINTS)
    arrays = {"epoch": epochs[chosen].astype(np.float32)}
    last = {}
    for name, values in history.items():
        if name == "epoch" or np.ndim(values) != 2:
            continue
        arrays[f"curve {name}"] = seed_range(np.asarray(values, np.float64)[:, chosen]).astype(np.float32)
        last[name] = [float(value) if math.isfinite(value) else None for value in np.asarray(values)[:, -1]]
    return arrays, last
