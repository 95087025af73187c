"""The values of a pickle of arrays: stubs for its names and calls, which run nothing, and arrays of raw bytes."""

import math
from collections.abc import Iterator
from enum import Enum

import numpy as np

_MAX_BYTES = 2**31
_MAX_VALUES = 100  # of a result, counted once for each reference; also limits the recursion


class Stub(Enum):
    """Stands for a function or class that the pickle names. It cannot be called."""

    RECONSTRUCT = "returns an array that BUILD fills"
    NDARRAY = "the class that is the argument of RECONSTRUCT"
    DTYPE = "returns a dtype"
    ENCODE = "converts text to bytes, as Python 3 writes bytes for Python 2"
    BYTES = "returns empty bytes, likewise"


class DTypeStub:
    """Stands for a ``numpy.dtype``: a code such as f4. BUILD sets its byte order."""

    def __init__(self, code: str):
        self.code = code
        self.order = "="


class ArrayStub:
    """Stands for a ``numpy.ndarray``. BUILD sets its value."""

    def __init__(self):
        self.value: np.ndarray | None = None


class UnsafePickle(Exception):
    """The pickle contains something that no pickle of arrays needs."""


# NumPy 1 names its module numpy.core, NumPy 2 numpy._core.
STUBS = {
    (b"numpy.core.multiarray", b"_reconstruct"): Stub.RECONSTRUCT,
    (b"numpy._core.multiarray", b"_reconstruct"): Stub.RECONSTRUCT,
    (b"numpy", b"ndarray"): Stub.NDARRAY,
    (b"numpy", b"dtype"): Stub.DTYPE,
    (b"_codecs", b"encode"): Stub.ENCODE,
    (b"__builtin__", b"bytes"): Stub.BYTES,
}
_CODES = {b"i1", b"i2", b"i4", b"i8", b"u1", b"u2", b"u4", b"u8", b"f4", b"f8"}


def call_stub(function: object, arguments: object) -> object:
    """The result of the opcode REDUCE. Raises UnsafePickle unless the call is part of an array's pickle."""
    match function, arguments:
        case Stub.RECONSTRUCT, (Stub.NDARRAY, (0,), b"b"):
            return ArrayStub()
        case Stub.DTYPE, (bytes(code), 0, 1) if code in _CODES:  # or False, True
            return DTypeStub(code.decode())
        case Stub.ENCODE, ((bytes() | bytearray()) as data, b"latin1"):
            return data
        case Stub.BYTES, ():
            return b""
    raise UnsafePickle("a call that makes no array")


def set_state(target: object, state: object) -> None:
    """The opcode BUILD: sets the byte order of a dtype or the numbers of an array. Raises UnsafePickle otherwise."""
    match target, state:
        case DTypeStub(), (3, (b"<" | b">" | b"|" | b"=") as order, None, None, None, -1, -1, 0):
            target.order = order.decode()
        case ArrayStub(value=None), (
            1,
            tuple(shape),
            DTypeStub() as dtype,
            0 | 1 as fortran,
            (bytes() | bytearray()) as data,
        ):
            target.value = _make_array(shape, dtype, bool(fortran), data)
        case _:
            raise UnsafePickle("a state that is not an array's")


def resolve(value: object) -> object:
    """The value with its stubs replaced by arrays. Raises UnsafePickle for a stub without array and too many values."""
    return _resolve(value, iter(range(_MAX_VALUES)))


def _make_array(shape: tuple, dtype: DTypeStub, fortran: bool, data: bytes | bytearray) -> np.ndarray:
    valid = all(type(size) is int and 0 <= size <= _MAX_BYTES for size in shape) and len(shape) <= 4
    numpy_dtype = np.dtype(dtype.order + dtype.code)
    if not valid or math.prod(shape) * numpy_dtype.itemsize != len(data):
        raise UnsafePickle(f"{len(data):,} bytes for an array of another size")
    return np.frombuffer(data, dtype=numpy_dtype).reshape(shape, order="F" if fortran else "C")


def _resolve(value: object, budget: Iterator[int]) -> object:
    if next(budget, None) is None:
        raise UnsafePickle(f"more than {_MAX_VALUES:,} values")
    match value:
        case tuple():
            return tuple([_resolve(item, budget) for item in value])
        case ArrayStub(value=np.ndarray() as array):
            return array
        case ArrayStub() | DTypeStub() | Stub():
            raise UnsafePickle("an unfinished value")
        case _:
            return value
