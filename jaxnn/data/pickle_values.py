"""What the names and calls in a pickle of arrays stand for: markers that cannot be called, and arrays of raw bytes."""

import math
from collections.abc import Iterator
from enum import Enum

import numpy as np

_MOST_BYTES = 2**31
_MOST_VALUES = 100  # of a result, counted each time that one is referred to; bounds the recursion too


class Marker(Enum):
    """What a name in the pickle stands for: nothing that could be called."""

    RECONSTRUCT = "makes an array, to be filled by BUILD"
    NDARRAY = "the class that RECONSTRUCT is given"
    DTYPE = "makes a type of numbers"
    ENCODE = "makes bytes of text, as Python 3 writes them for Python 2"
    BYTES = "makes no bytes, likewise"


class DType:
    """Stands in for ``numpy.dtype``: a code such as f4; its byte order comes by BUILD."""

    def __init__(self, code: str):
        self.code = code
        self.order = "="


class Array:
    """Stands in for ``numpy.ndarray``; its value comes by BUILD."""

    def __init__(self):
        self.value: np.ndarray | None = None


class Refused(Exception):
    """The pickle asks for something that no pickle of arrays needs."""


# Python 3 writes NumPy's module as numpy.core or (from NumPy 2) numpy._core.
NAMES = {
    (b"numpy.core.multiarray", b"_reconstruct"): Marker.RECONSTRUCT,
    (b"numpy._core.multiarray", b"_reconstruct"): Marker.RECONSTRUCT,
    (b"numpy", b"ndarray"): Marker.NDARRAY,
    (b"numpy", b"dtype"): Marker.DTYPE,
    (b"_codecs", b"encode"): Marker.ENCODE,
    (b"__builtin__", b"bytes"): Marker.BYTES,
}
_CODES = {b"i1", b"i2", b"i4", b"i8", b"u1", b"u2", b"u4", b"u8", b"f4", b"f8"}


def call(function: object, arguments: object) -> object:
    """What REDUCE makes of a marker and its arguments. Raises Refused for all but those of an array."""
    match function, arguments:
        case Marker.RECONSTRUCT, (Marker.NDARRAY, (0,), b"b"):
            return Array()
        case Marker.DTYPE, (bytes(code), 0, 1) if code in _CODES:  # or False, True
            return DType(code.decode())
        case Marker.ENCODE, ((bytes() | bytearray()) as data, b"latin1"):
            return data
        case Marker.BYTES, ():
            return b""
    raise Refused("a call that makes no array")


def build(target: object, state: object) -> None:
    """What BUILD does: gives a type its byte order or an array its numbers. Raises Refused for all else."""
    match target, state:
        case DType(), (3, (b"<" | b">" | b"|" | b"=") as order, None, None, None, -1, -1, 0):
            target.order = order.decode()
        case Array(value=None), (1, tuple(shape), DType() as dtype, 0 | 1 as fortran, (bytes() | bytearray()) as data):
            target.value = _array(shape, dtype, bool(fortran), data)
        case _:
            raise Refused("a state that is not an array's")


def finished(value: object) -> object:
    """The result with each stand-in replaced by its array. Raises Refused if one has none, or there are too many."""
    return _finished(value, iter(range(_MOST_VALUES)))


def _array(shape: tuple, dtype: DType, fortran: bool, data: bytes | bytearray) -> np.ndarray:
    whole = all(type(size) is int and 0 <= size <= _MOST_BYTES for size in shape) and len(shape) <= 4
    numpy_dtype = np.dtype(dtype.order + dtype.code)
    if not whole or math.prod(shape) * numpy_dtype.itemsize != len(data):
        raise Refused(f"{len(data):,} bytes for an array of another size")
    return np.frombuffer(data, dtype=numpy_dtype).reshape(shape, order="F" if fortran else "C")


def _finished(value: object, budget: Iterator[int]) -> object:
    """The value with each stand-in replaced by its array."""
    if next(budget, None) is None:
        raise Refused(f"more than {_MOST_VALUES:,} values")
    match value:
        case tuple():
            return tuple([_finished(item, budget) for item in value])
        case Array(value=np.ndarray() as array):
            return array
        case Array() | DType() | Marker():
            raise Refused("an unfinished value")
        case _:
            return value
