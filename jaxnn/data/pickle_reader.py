"""Reads NumPy arrays from an untrusted pickle, by a stack machine that knows only the opcodes that arrays need.

A pickle is a program, and Python's unpickler runs it. Even with restricted imports, a pickle can use all memory
(LONG_BINPUT, a false length), overflow the C stack (hashing a deep tuple) or crash Python (a 50-byte pickle that names
numpy.ndarray and numpy.dtype). Here the file cannot import, call or hash anything, nor choose a size to allocate:
stubs stand for the names in an array's pickle, and arrays are made from their raw bytes.

`pickletools.genops` would not do for decoding: in Python 3.11 it cannot decode the byte strings of Python 2's
protocol 0, and it reads lines and integers of any length.
"""

import codecs
import pickle  # for the names of its opcodes
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

from jaxnn.data.limited_reader import LimitedReader
from jaxnn.data.pickle_values import STUBS, UnsafePickle, call_stub, resolve, set_state

LIMIT = 240 << 20  # MNIST as float32 is 220 MB
_MAX_OPCODES = 10_000  # a pickle of MNIST has about 200; limits the stack, the memo and the nesting
_MAX_LINE = 32 << 20  # bytes of a string in protocol 0, which uses up to ten characters for a byte
_CHUNK = 1 << 20


def read_pickle(path: Path) -> object:
    """Reads tuples, arrays, integers and bytes from a pickle of protocol 0 to 4, gzipped or not.

    Text becomes bytes in latin-1, which is what Python 2 wrote and what NumPy needs. Raises UserError.
    """
    with LimitedReader(path, LIMIT, LIMIT) as file:
        try:
            value = _StackMachine(file).run()
        except UnsafePickle as error:
            raise file.error(f"expected a pickle of arrays (protocol 0 to 4), found {error}") from error
        file.expect_end()
    return value


class _StackMachine:
    """Runs a pickle: a stack, a memo, and one method for each opcode, or one row of the table below."""

    def __init__(self, file: LimitedReader):
        self.file = file
        self.stack: list[object] = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}

    def run(self) -> object:
        for _ in range(_MAX_OPCODES):
            code = self.file.read(1)
            if code == pickle.STOP:
                value = self.pop()
                if self.stack or self.marks:
                    raise UnsafePickle("values left on the stack")
                return resolve(value)
            if code not in _OPCODES:
                raise UnsafePickle(f"the opcode {code!r}")
            _OPCODES[code](self)
        raise UnsafePickle(f"more than {_MAX_OPCODES:,} opcodes")

    def pop(self) -> object:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise UnsafePickle("an empty stack")
        return self.stack.pop()

    def push(self, value: object) -> None:
        self.stack.append(value)

    def number(self, layout: str) -> int:
        return struct.unpack(layout, self.file.read(struct.calcsize(layout)))[0]

    def protocol(self) -> None:
        if (version := self.number("<B")) > 4:
            raise UnsafePickle(f"protocol {version}; write it again with pickle.dump(..., protocol=4)")

    def mark(self) -> None:
        self.marks.append(len(self.stack))

    def tuple_from_mark(self) -> None:
        if not self.marks:
            raise UnsafePickle("no mark")
        start = self.marks.pop()
        self.stack[start:] = [tuple(self.stack[start:])]

    def make_tuple(self, count: int) -> None:
        items = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(items)))

    def decimal_line(self) -> None:
        text = self.file.read_line(32).removesuffix(b"L")
        try:
            # Protocol 0 writes False and True as 00 and 01.
            self.push(text == b"01" if text in (b"00", b"01") else int(text))
        except ValueError as error:
            raise UnsafePickle("an integer with other characters than digits") from error

    def long(self) -> None:
        if (size := self.number("<B")) > 8:
            raise UnsafePickle(f"an integer of {size} bytes")
        self.push(int.from_bytes(self.file.read(size), "little", signed=True))

    def push_bytes(self, size: int) -> None:
        if size < 0:
            raise UnsafePickle("a negative length")
        self.push(self.file.read(size))

    def push_text(self, size: int) -> None:
        # In chunks, so that the text is never in memory twice.
        decoder, data = codecs.getincrementaldecoder("utf-8")(), bytearray()
        try:
            while size > 0:
                chunk = self.file.read(min(size, _CHUNK))
                size -= len(chunk)
                data += decoder.decode(chunk, final=size == 0).encode("latin-1")
        except UnicodeError as error:
            raise UnsafePickle("text that stands for no bytes") from error
        # Only short text can be a name and must be bytes; a copy of long text would double its memory.
        self.push(bytes(data) if len(data) < _CHUNK else data)

    def quoted_line(self) -> None:
        line = self.file.read_line(_MAX_LINE)
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
            raise UnsafePickle("a string without quotes")
        try:
            with warnings.catch_warnings(action="ignore"):  # unknown escapes are literal, as in Python 2
                self.push(codecs.escape_decode(line[1:-1])[0])
        except ValueError as error:
            raise UnsafePickle("a string with a wrong escape") from error

    def text_line(self) -> None:
        try:
            self.push(self.file.read_line(_MAX_LINE).decode("raw-unicode-escape").encode("latin-1"))
        except UnicodeError as error:
            raise UnsafePickle("text that stands for no bytes") from error

    def put(self, index: int) -> None:
        value = self.pop()
        self.push(value)
        self.memo[index] = value

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise UnsafePickle("a value that was never stored")
        self.push(self.memo[index])

    def memo_index(self) -> int:
        line = self.file.read_line(20)
        if not line.isdigit():
            raise UnsafePickle("an invalid index into the memo")
        return int(line)

    def push_stub(self, module: object, name: object) -> None:
        if not (isinstance(module, bytes) and isinstance(name, bytes) and (module, name) in STUBS):
            raise UnsafePickle(f"the name {_preview(module)}.{_preview(name)}")
        self.push(STUBS[module, name])

    def stack_global(self) -> None:
        name, module = self.pop(), self.pop()
        self.push_stub(module, name)

    def call(self) -> None:
        arguments, function = self.pop(), self.pop()
        self.push(call_stub(function, arguments))

    def build(self) -> None:
        state, target = self.pop(), self.pop()
        set_state(target, state)
        self.push(target)


def _preview(name: object) -> str:
    return name[:40].decode("ascii", "backslashreplace") if isinstance(name, bytes) else "?"


_OPCODES: dict[bytes, Callable[[_StackMachine], object]] = {
    pickle.PROTO: _StackMachine.protocol,
    pickle.FRAME: lambda m: m.number("<Q"),
    pickle.NONE: lambda m: m.push(None),
    pickle.NEWTRUE: lambda m: m.push(True),
    pickle.NEWFALSE: lambda m: m.push(False),
    pickle.INT: _StackMachine.decimal_line,
    pickle.LONG: _StackMachine.decimal_line,
    pickle.BININT: lambda m: m.push(m.number("<i")),
    pickle.BININT1: lambda m: m.push(m.number("<B")),
    pickle.BININT2: lambda m: m.push(m.number("<H")),
    pickle.LONG1: _StackMachine.long,
    pickle.STRING: _StackMachine.quoted_line,
    pickle.BINSTRING: lambda m: m.push_bytes(m.number("<i")),
    pickle.SHORT_BINSTRING: lambda m: m.push_bytes(m.number("<B")),
    pickle.BINBYTES: lambda m: m.push_bytes(m.number("<I")),
    pickle.SHORT_BINBYTES: lambda m: m.push_bytes(m.number("<B")),
    pickle.BINBYTES8: lambda m: m.push_bytes(m.number("<Q")),
    pickle.UNICODE: _StackMachine.text_line,
    pickle.BINUNICODE: lambda m: m.push_text(m.number("<I")),
    pickle.SHORT_BINUNICODE: lambda m: m.push_text(m.number("<B")),
    pickle.BINUNICODE8: lambda m: m.push_text(m.number("<Q")),
    pickle.MARK: _StackMachine.mark,
    pickle.EMPTY_TUPLE: lambda m: m.push(()),
    pickle.TUPLE: _StackMachine.tuple_from_mark,
    pickle.TUPLE1: lambda m: m.make_tuple(1),
    pickle.TUPLE2: lambda m: m.make_tuple(2),
    pickle.TUPLE3: lambda m: m.make_tuple(3),
    pickle.PUT: lambda m: m.put(m.memo_index()),
    pickle.BINPUT: lambda m: m.put(m.number("<B")),
    pickle.LONG_BINPUT: lambda m: m.put(m.number("<I")),
    pickle.MEMOIZE: lambda m: m.put(len(m.memo)),
    pickle.GET: lambda m: m.get(m.memo_index()),
    pickle.BINGET: lambda m: m.get(m.number("<B")),
    pickle.LONG_BINGET: lambda m: m.get(m.number("<I")),
    pickle.GLOBAL: lambda m: m.push_stub(m.file.read_line(100), m.file.read_line(100)),
    pickle.STACK_GLOBAL: _StackMachine.stack_global,
    pickle.REDUCE: _StackMachine.call,
    pickle.BUILD: _StackMachine.build,
}
