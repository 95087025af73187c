"""Arrays out of a pickle without unpickling: a machine that knows the opcodes NumPy's arrays need and no other.

A pickle is a program. Python's unpickler runs it; even with its imports restricted it can be made to take all
memory (LONG_BINPUT, a length that lies), to overflow the C stack (hashing a deep tuple) or to crash (a 50-byte
pickle that names numpy.ndarray and numpy.dtype). Here nothing is imported, called, hashed or sized by the file:
the names that an array's pickle mentions have inert stand-ins, and arrays are rebuilt from raw bytes.
"""

import codecs
import pickle  # for the names of its opcodes
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

from jaxnn.data.limited_reader import BoundedReader
from jaxnn.data.pickle_values import NAMES, Refused, build, call, finished

LIMIT = 240 << 20  # MNIST as float32 is 220 MB
_MOST_OPCODES = 10_000  # a pickle of MNIST has about 200; bounds the stack, the memo and the nesting
_LONGEST_TEXT = 32 << 20  # of protocol 0, which takes up to ten characters a byte
_CHUNK = 1 << 20


def read_pickle(path: Path) -> object:
    """The tuples, arrays, integers and bytes in a pickle of protocol 0 to 4, gzipped or not.

    Text comes back as bytes in latin-1, which is what Python 2 wrote and what NumPy needs. Raises UserError.
    """
    with BoundedReader(path, LIMIT, LIMIT) as file:
        try:
            value = _Machine(file).run()
        except Refused as error:
            raise file.refuse(f"expected a pickle of arrays (protocol 0 to 4), found {error}") from error
        file.finish()
    return value


class _Machine:
    """The pickle machine: a stack, a memo and one method or row for each opcode."""

    def __init__(self, file: BoundedReader):
        self.file = file
        self.stack: list[object] = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}

    def run(self) -> object:
        for _ in range(_MOST_OPCODES):
            code = self.file.take(1)
            if code == pickle.STOP:
                value = self.pop()
                if self.stack or self.marks:
                    raise Refused("values left on the stack")
                return finished(value)
            if code not in _OPCODES:
                raise Refused(f"the opcode {code!r}")
            _OPCODES[code](self)
        raise Refused(f"more than {_MOST_OPCODES:,} opcodes")

    def pop(self) -> object:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise Refused("an empty stack")
        return self.stack.pop()

    def push(self, value: object) -> None:
        self.stack.append(value)

    def number(self, layout: str) -> int:
        return struct.unpack(layout, self.file.take(struct.calcsize(layout)))[0]

    def protocol(self) -> None:
        if (found := self.number("<B")) > 4:
            raise Refused(f"protocol {found}; write it again with pickle.dump(..., protocol=4)")

    def mark(self) -> None:
        self.marks.append(len(self.stack))

    def tuple_from_mark(self) -> None:
        if not self.marks:
            raise Refused("no mark")
        start = self.marks.pop()
        self.stack[start:] = [tuple(self.stack[start:])]

    def tuple_of(self, count: int) -> None:
        items = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(items)))

    def decimal(self) -> None:
        text = self.file.line(32).removesuffix(b"L")
        try:
            # 00 and 01 are False and True in protocol 0.
            self.push(text == b"01" if text in (b"00", b"01") else int(text))
        except ValueError as error:
            raise Refused("an integer with other characters than digits") from error

    def long(self) -> None:
        if (size := self.number("<B")) > 8:
            raise Refused(f"an integer of {size} bytes")
        self.push(int.from_bytes(self.file.take(size), "little", signed=True))

    def raw(self, size: int) -> None:
        if size < 0:
            raise Refused("a negative length")
        self.push(self.file.take(size))

    def text(self, size: int) -> None:
        # By chunks, so that text is never held twice.
        decoder, data = codecs.getincrementaldecoder("utf-8")(), bytearray()
        try:
            while size > 0:
                chunk = self.file.take(min(size, _CHUNK))
                size -= len(chunk)
                data += decoder.decode(chunk, final=size == 0).encode("latin-1")
        except UnicodeError as error:
            raise Refused("text that stands for no bytes") from error
        # Only the short ones are names; a copy of the long ones would cost their size again.
        self.push(bytes(data) if len(data) < _CHUNK else data)

    def quoted_line(self) -> None:
        line = self.file.line(_LONGEST_TEXT)
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
            raise Refused("a string without quotes")
        try:
            with warnings.catch_warnings(action="ignore"):  # an unknown escape stands for itself, as in Python 2
                self.push(codecs.escape_decode(line[1:-1])[0])
        except ValueError as error:
            raise Refused("a string with a wrong escape") from error

    def text_line(self) -> None:
        try:
            self.push(self.file.line(_LONGEST_TEXT).decode("raw-unicode-escape").encode("latin-1"))
        except UnicodeError as error:
            raise Refused("text that stands for no bytes") from error

    def put(self, index: int) -> None:
        value = self.pop()
        self.push(value)
        self.memo[index] = value

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise Refused("a value that was never stored")
        self.push(self.memo[index])

    def line_number(self) -> int:
        line = self.file.line(20)
        if not line.isdigit():
            raise Refused("a wrong place in the memo")
        return int(line)

    def name(self, module: object, name: object) -> None:
        if not (isinstance(module, bytes) and isinstance(name, bytes) and (module, name) in NAMES):
            raise Refused(f"the name {_shown(module)}.{_shown(name)}")
        self.push(NAMES[module, name])

    def stack_name(self) -> None:
        name, module = self.pop(), self.pop()
        self.name(module, name)

    def call(self) -> None:
        arguments, function = self.pop(), self.pop()
        self.push(call(function, arguments))

    def build(self) -> None:
        state, target = self.pop(), self.pop()
        build(target, state)
        self.push(target)


def _shown(name: object) -> str:
    return name[:40].decode("ascii", "backslashreplace") if isinstance(name, bytes) else "?"


_OPCODES: dict[bytes, Callable[[_Machine], object]] = {
    pickle.PROTO: _Machine.protocol,
    pickle.FRAME: lambda m: m.number("<Q"),
    pickle.NONE: lambda m: m.push(None),
    pickle.NEWTRUE: lambda m: m.push(True),
    pickle.NEWFALSE: lambda m: m.push(False),
    pickle.INT: _Machine.decimal,
    pickle.LONG: _Machine.decimal,
    pickle.BININT: lambda m: m.push(m.number("<i")),
    pickle.BININT1: lambda m: m.push(m.number("<B")),
    pickle.BININT2: lambda m: m.push(m.number("<H")),
    pickle.LONG1: _Machine.long,
    pickle.STRING: _Machine.quoted_line,
    pickle.BINSTRING: lambda m: m.raw(m.number("<i")),
    pickle.SHORT_BINSTRING: lambda m: m.raw(m.number("<B")),
    pickle.BINBYTES: lambda m: m.raw(m.number("<I")),
    pickle.SHORT_BINBYTES: lambda m: m.raw(m.number("<B")),
    pickle.BINBYTES8: lambda m: m.raw(m.number("<Q")),
    pickle.UNICODE: _Machine.text_line,
    pickle.BINUNICODE: lambda m: m.text(m.number("<I")),
    pickle.SHORT_BINUNICODE: lambda m: m.text(m.number("<B")),
    pickle.BINUNICODE8: lambda m: m.text(m.number("<Q")),
    pickle.MARK: _Machine.mark,
    pickle.EMPTY_TUPLE: lambda m: m.push(()),
    pickle.TUPLE: _Machine.tuple_from_mark,
    pickle.TUPLE1: lambda m: m.tuple_of(1),
    pickle.TUPLE2: lambda m: m.tuple_of(2),
    pickle.TUPLE3: lambda m: m.tuple_of(3),
    pickle.PUT: lambda m: m.put(m.line_number()),
    pickle.BINPUT: lambda m: m.put(m.number("<B")),
    pickle.LONG_BINPUT: lambda m: m.put(m.number("<I")),
    pickle.MEMOIZE: lambda m: m.put(len(m.memo)),
    pickle.GET: lambda m: m.get(m.line_number()),
    pickle.BINGET: lambda m: m.get(m.number("<B")),
    pickle.LONG_BINGET: lambda m: m.get(m.number("<I")),
    pickle.GLOBAL: lambda m: m.name(m.file.line(100), m.file.line(100)),
    pickle.STACK_GLOBAL: _Machine.stack_name,
    pickle.REDUCE: _Machine.call,
    pickle.BUILD: _Machine.build,
}
