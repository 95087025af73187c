"""Examples that stay where they are, such as in a file, until some of them are asked for by their numbers."""

import functools
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np

from jaxnn.errors import DataWarning, UserError

#: What a record that cannot be read does: it stops the run, or the next record that can be read takes its place.
Corrupt = Literal["stop", "skip"]
#: Records after a corrupt one that are tried in its place.
MOST_TRIED = 100
#: Bytes that are read at a time where all rows are gone through.
BLOCK_BYTES = 16 << 20
#: Bytes that a thread reads at a time.
READ_BYTES = 1 << 20
#: Threads that read the batches of a window.
READERS = 4


class Rows:
    """An array (n, ...) whose rows are read when they are asked for.

    read(numbers) -> the rows of these numbers, an array (rows, ...) of the dtype. It may raise anything for a record
        that cannot be read
    together: what reads several arrays at once, such as an image with its label: (object, the leaf of what it reads)
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: Any,
        read: Callable[[np.ndarray], np.ndarray],
        together: tuple[Any, int] | None = None,
    ):
        self.shape: tuple[int, ...] = tuple(int(side) for side in shape)
        self.dtype: np.dtype = np.dtype(dtype)
        #: The rows as they are stored, unchecked.
        self.read_raw: Callable[[np.ndarray], np.ndarray] = read
        self.together: tuple[Any, int] | None = together

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of numbers."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """The bytes of all rows, as they are read."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        """Rows, by a slice or by an array of their numbers."""
        if isinstance(index, tuple):
            return self[index[0]][(slice(None), *index[1:])]
        if isinstance(index, slice):
            return self.read(np.arange(*index.indices(len(self))))
        numbers = np.asarray(index)
        if numbers.dtype == bool:
            return self.read(np.flatnonzero(numbers))
        rows = self.read(np.where(numbers < 0, numbers + len(self), numbers).reshape(-1))
        return rows.reshape(*numbers.shape, *self.shape[1:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        del copy
        return np.asarray(self[:], dtype)

    def read(self, numbers: np.ndarray) -> np.ndarray:
        """The rows of these numbers. Raises UserError that names the first record which cannot be read."""
        return read_rows(self, numbers)

    def select(self, numbers: np.ndarray) -> "Rows":
        """The rows of these numbers, which are not read yet."""
        together = None if self.together is None else (_Selected(self.together[0], numbers), self.together[1])
        return Rows((len(numbers), *self.shape[1:]), self.dtype, lambda rows: self.read_raw(numbers[rows]), together)

    def between(self, start: int, stop: int) -> "Rows":
        """The rows from `start` up to `stop`."""
        return Rows((stop - start, *self.shape[1:]), self.dtype, lambda rows: self.read_raw(rows + start))

    def windows(self, length: int) -> "Rows":
        """Pieces of `length` rows side by side, (windows, length, ...)."""

        def read(pieces: np.ndarray) -> np.ndarray:
            numbers = pieces[:, None] * length + np.arange(length)
            return self.read_raw(numbers.ravel()).reshape(*numbers.shape, *self.shape[1:])

        return Rows((len(self) // length, length, *self.shape[1:]), self.dtype, read)

    def mapped(self, shape: tuple[int, ...], dtype: Any, function: Callable[[np.ndarray], np.ndarray]) -> "Rows":
        """The rows after a function of arrays of rows. shape: of one row after it"""
        return Rows((len(self), *shape), dtype, lambda rows: function(self.read_raw(rows)))


class _Selected:
    """Some of the records of a collection."""

    def __init__(self, records: Any, numbers: np.ndarray):
        self.records, self.numbers = records, numbers
        #: The same for what is read together.
        self.key: tuple[int, ...] = (*records.key, id(numbers))

    def __getitem__(self, rows: np.ndarray) -> Any:
        return self.records[self.numbers[rows]]


def array_rows(array: np.ndarray) -> Rows:
    """The rows of an array, such as one that is mapped from a file."""
    return Rows(array.shape, array.dtype, lambda numbers: array[numbers])


def has_rows(tree: Any) -> bool:
    """Whether any array of a tree stays where it is."""
    import jax

    return any(isinstance(leaf, Rows) for leaf in jax.tree.leaves(tree))


def spread_rows(count: int, n: int) -> np.ndarray:
    """The numbers of `count` of n rows, from everywhere among them, in their order."""
    return np.arange(count) * n // count


def select_rows(array: Any, numbers: np.ndarray | slice) -> Any:
    """Some rows of an array, by their numbers or by a slice: an array, or `Rows` that are not read yet."""
    if not isinstance(array, Rows):
        return array[numbers]
    if isinstance(numbers, slice):
        return array.between(numbers.start, numbers.stop)
    return array.select(numbers)


def read_rows(tree: Any, numbers: np.ndarray, corrupt: Corrupt = "stop") -> Any:
    """The rows of these numbers of a tree of arrays and `Rows`. What is read together is read once.

    Raises UserError that names the first record which cannot be read; with "skip" the next one takes its place, with a
    warning.
    """
    rows = _empty(tree, len(numbers))
    _fill(rows, tree, numbers, slice(0, len(numbers)), corrupt)
    return rows


@functools.cache
def _readers() -> ThreadPoolExecutor:
    """The threads that read, the same for all sources of this process."""
    return ThreadPoolExecutor(READERS, thread_name_prefix="records")


def read_parallel(tree: Any, numbers: np.ndarray, corrupt: Corrupt) -> Any:
    """As `read_rows`, by several threads, some of the rows at a time."""
    import jax

    rows = _empty(tree, len(numbers))
    row_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(rows)) // max(1, len(numbers))
    step = max(1, min(-(-len(numbers) // READERS), READ_BYTES // max(1, row_bytes)))
    places = [slice(start, min(start + step, len(numbers))) for start in range(0, len(numbers), step)]
    for _ in _readers().map(lambda place: _fill(rows, tree, numbers[place], place, corrupt), places):
        pass
    return rows


def _empty(tree: Any, count: int) -> Any:
    import jax

    return jax.tree.map(lambda leaf: np.empty((count, *leaf.shape[1:]), leaf.dtype), tree)


def _fill(rows: Any, tree: Any, numbers: np.ndarray, place: slice, corrupt: Corrupt) -> None:
    """Reads the rows of these numbers into a place of arrays."""
    try:
        _read_into(rows, tree, numbers, place)
    except Exception:
        # Which record it is: they are read one by one.
        for i, number in enumerate(numbers.tolist()):
            _read_one(rows, tree, number, slice(place.start + i, place.start + i + 1), corrupt)


def _read_into(rows: Any, tree: Any, numbers: np.ndarray, place: slice) -> None:
    import jax

    # Ascending numbers, so that a file is read from its start to its end.
    order = np.argsort(numbers, kind="stable")
    ascending = numbers[order]
    together: dict[tuple[int, ...], list[np.ndarray]] = {}
    for out, leaf in zip(jax.tree.leaves(rows), jax.tree.leaves(tree), strict=True):
        if not isinstance(leaf, Rows):
            out[place] = leaf[numbers]
            continue
        if leaf.together is None:
            read = leaf.read_raw(ascending)
        else:
            records, at = leaf.together
            if records.key not in together:
                together[records.key] = jax.tree.leaves(records[ascending])
            read = together[records.key][at]
        if read.shape != (len(numbers), *leaf.shape[1:]) or read.dtype != leaf.dtype:
            raise UserError(
                f"expected {leaf.dtype} {leaf.shape[1:]}, as in the first record, found {read.dtype} {read.shape[1:]}"
            )
        if read.dtype.kind == "f" and not np.isfinite(read).all():
            raise UserError("expected finite numbers, found NaN or infinity")
        out[place][order] = read


def _read_one(rows: Any, tree: Any, number: int, place: slice, corrupt: Corrupt) -> None:
    import jax

    count = len(jax.tree.leaves(tree)[0])
    for tried in range(MOST_TRIED):
        at = (number + tried) % count
        try:
            _read_into(rows, tree, np.array([at]), place)
            return
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            if corrupt == "stop":
                raise UserError(
                    f"record {at} cannot be read: {reason}; mend or remove it, or set data.corrupt = 'skip'"
                ) from error
            warnings.warn(f"record {at} is skipped: {reason}", DataWarning, stacklevel=2)
    raise UserError(f"expected a record that can be read, found {MOST_TRIED} from number {number} on that cannot be")


def blocks(array: Any) -> Iterator[np.ndarray]:
    """All rows of an array or of `Rows`, in order, some megabytes at a time."""
    row_bytes = max(1, int(np.prod(array.shape[1:], dtype=np.int64)) * array.dtype.itemsize)
    step = max(1, BLOCK_BYTES // row_bytes)
    for start in range(0, len(array), step):
        yield array[start : start + step]
