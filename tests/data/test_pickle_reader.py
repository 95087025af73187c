"""Pickles of arrays are read without unpickling; all others are refused, run no code and use little memory."""

import contextlib
import gzip
import os
import pickle
import struct
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxnn.data import pickle_reader
from jaxnn.data.pickle_reader import read_pickle
from jaxnn.errors import UserError

PROTOCOLS = range(5)
MAX_MIB = 440  # in addition to Python and NumPy themselves (40): together below 512


def same(left, right):
    if isinstance(left, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return left.shape == right.shape and left.dtype == right.dtype and left.tobytes() == right.tobytes()


def arrays():
    generator = np.random.default_rng(0)
    x = (generator.integers(0, 256, (5, 7)) / 256).astype(np.float32)
    return {
        "floats and labels": ((x, np.arange(5)), (x[:2], np.arange(2)), (x[:1], np.arange(1))),
        "one byte": np.array([200], np.uint8),
        "all bytes": np.arange(256, dtype=np.uint8).reshape(2, 128),
        "Fortran order": np.asfortranarray(x),
        "big-endian": x.astype(">f4"),
        "float64": x.astype(np.float64),
        "empty": np.zeros((0, 3), np.int16),
        "4 axes": np.arange(2 * 3 * 5 * 7, dtype=np.uint16).reshape(2, 3, 5, 7),
        "shared": (x, x),
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("case", arrays())
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_read_pickle_restores_every_bit(tmp_path, protocol, case, pack):
    path = tmp_path / "arrays.pkl"
    path.write_bytes(pack(pickle.dumps(arrays()[case], protocol)))
    value = read_pickle(path)
    assert same(arrays()[case], value)
    assert np.isfortran(value) == np.isfortran(arrays()[case]) if isinstance(value, np.ndarray) else True


def python2(protocol, x):
    """A pickle of ``x`` as Python 2 with NumPy 1 wrote it: byte strings for text, numpy.core for numpy._core."""
    if protocol == 0:
        data = repr(x.tobytes())[1:].encode()
        shape = b"".join(b"L%dL\n" % size for size in x.shape)
        return (
            b"cnumpy.core.multiarray\n_reconstruct\np1\n(cnumpy\nndarray\np2\n(I0\ntp3\nS'b'\np4\ntp5\nRp6\n(I1\n("
            + shape
            + b"tp7\ncnumpy\ndtype\np8\n(S'f4'\np9\nI0\nI1\ntp10\nRp11\n(I3\nS'<'\np12\nNNNI-1\nI-1\nI0\ntp13\nbI00\nS"
            + data
            + b"\np14\ntp15\nb."
        )
    shape = b"".join(b"K" + bytes([size]) for size in x.shape)
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03(K\x01("
        + shape
        + b"tcnumpy\ndtype\nq\x04U\x02f4K\x00K\x01\x87Rq\x05(K\x03U\x01<NNN"
        + b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + struct.pack("<I", x.nbytes)
        + x.tobytes()
        + b"tb."
    )


@pytest.mark.parametrize("protocol", [0, 2])
def test_read_pickle_accepts_python_2(tmp_path, protocol):
    x = np.random.default_rng(1).standard_normal((3, 7)).astype(np.float32)
    path = tmp_path / "old.pkl"
    path.write_bytes(python2(protocol, x))
    assert pickle.loads(path.read_bytes(), encoding="latin1").tobytes() == x.tobytes()  # checks the pickle of this test
    assert same(x, read_pickle(path))


class Call:
    """Unpickling a pickle of this object calls ``function``."""

    def __init__(self, function, *arguments, state=None):
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.reduced


def length(opcode, size, layout="<Q"):
    return b"\x80\x04" + opcode + struct.pack(layout, size) + b"abc."


def array_pickle(shape=b"K\x05", code=b"f4", order=b"<", data=b"C\x14" + bytes(20), version=b"K\x01", name=b"ndarray"):
    """A pickle of one array; each argument replaces one piece of it."""
    return (
        b"\x80\x03cnumpy.core.multiarray\n_reconstruct\ncnumpy\n" + name + b"\nK\x00\x85C\x01b\x87R(" + version
        + shape + b"\x85cnumpy\ndtype\nX" + struct.pack("<I", len(code)) + code
        + b"\x89\x88\x87R(K\x03X\x01\x00\x00\x00" + order
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89" + data + b"tb."
    )  # fmt: skip


def hostile_pickles(tmp_path):
    """Bytes by name. Code that a pickle might run would create the file ``ran``."""
    ran = str(tmp_path / "ran")
    code = f"open({ran!r}, 'w')"
    big = 2**31 - 2
    calls = {
        "os.system": Call(os.system, f"touch {ran}"),
        "eval": Call(eval, code),
        "exec": Call(exec, code),
        "open": Call(open, ran, "w"),
        "os.mkdir": Call(os.mkdir, ran),
        "subprocess": Call(subprocess.Popen, ["touch", ran]),
        "compile": Call(compile, code, "x", "exec"),
        "import": Call(__import__, "antigravity"),
        "getattr": Call(getattr, Call(__import__, "os"), "system"),
        "exit": Call(sys.exit, 3),
        "os._exit": Call(os._exit, 3),
        "abort": Call(os.abort),
        "numpy.load": Call(np.load, ran, None, True),
        "frombuffer": Call(np.frombuffer, b"abc"),
        "bytes bomb": Call(bytes, 2**34),
        "bytearray bomb": Call(bytearray, 2**34),
        "range list": Call(list, range(10**9)),
        "ndarray bomb": Call(np.ndarray, (2**34,), "u1"),
        "zeros bomb": Call(np.zeros, 2**34),
        "object array": np.array([None, {}], object),
        "structured array": np.zeros(2, "i4,f4"),
        "text array": np.array(["a", "b"]),
        "dates": np.array(["2020-01-01"], "M8[D]"),
        "scalar": np.float64(1.5),
        "dictionary": {"x": 1},
        "list": [1, 2],
        "set": {1},
        "big integer": 10**4000,
        "function": np.sum,
    }
    pickled = {
        f"{name} {protocol}": pickle.dumps(value, protocol) for name, value in calls.items() for protocol in (0, 4)
    }
    nested = b"\x80\x04)" + b"\x85" * 10**6
    return pickled | {
        "numpy crash": b"cnumpy\nndarray\n(I0\ntR(cnumpy\ndtype\n(S'O8'\ntRI1\ntb.",
        "dtype with fields": b"cnumpy\ndtype\n(S'i4,O'\nI0\nI1\ntR.",
        "object dtype": array_pickle(code=b"O8"),
        "void dtype": array_pickle(code=b"V4"),
        "wrong order": array_pickle(order=b"!"),
        "another class": array_pickle(name=b"matrix"),
        "wrong version": array_pickle(version=b"K\x02"),
        "array too large": array_pickle(shape=b"J\xff\xff\xff\x7f"),
        "array too small": array_pickle(shape=b"K\x04"),
        "negative size": array_pickle(shape=b"J\xfb\xff\xff\xff"),
        "product of negatives": array_pickle(shape=b"J\xff\xff\xff\xffJ\xfb\xff\xff\xff\x86"),
        "size as boolean": array_pickle(shape=b"\x88", data=b"C\x04" + bytes(4)),
        "size as tuple": array_pickle(shape=b")"),
        "data as integer": array_pickle(data=b"K\x14"),
        "a bare stub": b"cnumpy\nndarray\n.",
        "a bare dtype": b"cnumpy\ndtype\n(S'f4'\nI0\nI1\ntR.",
        "an unfilled array": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR.",
        "filled twice": array_pickle()[:-1] + b"(K\x01K\x05\x85Ntb.",
        "deep tuple": nested + b".",
        "tuple 900 deep": b"\x80\x04)" + b"\x85" * 900 + b".",
        "tuple 9000 deep": b"\x80\x04)" + b"\x85" * 9000 + b".",
        "deep key": b"\x80\x04}" + nested[2:] + b"Ns.",
        "deep marks": b"(" * 10**6 + b".",
        "deep lists": b"]" * 10**6 + b"a" * 10**6 + b".",
        "laughs": b"\x80\x04)" + b"2\x86" * 3000 + b".",
        "shared laughs": b"\x80\x04)q\x00" + b"h\x00h\x00\x86q\x00" * 1000 + b".",
        "memo bomb": b"\x80\x04)r" + struct.pack("<I", big) + b"r" + struct.pack("<I", 2**32 - 1) + b"0.",
        "memo bomb in text": b"(tp99999999999999999\n0.",
        "negative memo": b"(tp-1\n.",
        "unknown memo": b"\x80\x04h\x07.",
        "many values": b"\x80\x04(" + b"N" * 10**7 + b"t.",
        "bytes length": length(b"\x8e", 2**62),
        "bytes length 31": length(b"B", big, "<I"),
        "string length": length(b"T", -1, "<i"),
        "text length": length(b"\x8d", 2**63),
        "bytearray length": length(b"\x96", 2**40),
        "frame length": length(b"\x95", 2**63),
        "long length": length(b"\x8b", big, "<I"),
        "long digits": b"L" + b"9" * 10**6 + b"L\n.",
        "integer digits": b"I" + b"9" * 10**6 + b"\n.",
        "no digits": b"Iabc\n.",
        "global without end": b"c" + b"a" * 10**6,
        "stack global of numbers": b"\x80\x04K\x01K\x02\x93.",
        "stack global of tuples": b"\x80\x04))\x93.",
        "inst": b"(S'touch x'\nios\nsystem\n.",
        "obj": b"(cos\nsystem\nS'touch x'\no.",
        "newobj": b"\x80\x04cos\nsystem\n)\x81.",
        "persistent": b"Pos\n.",
        "binary persistent": b"\x80\x04NQ.",
        "extension": b"\x80\x04\x82\x01.",
        "out of band": b"\x80\x05\x97.",
        "protocol 5": b"\x80\x05N.",
        "protocol 255": b"\x80\xffN.",
        "unknown opcode": b"\x80\x04\xff.",
        "stack underflow": b"\x80\x04\x85.",
        "mark underflow": b"\x80\x04t.",
        "build nothing": b"\x80\x04NNb.",
        "reduce nothing": b"\x80\x04N)R.",
        "pop below the mark": b"\x80\x04N(\x85.",
        "two values": b"\x80\x04NN.",
        "no value": b".",
        "no stop": b"\x80\x04N",
        "bytes after the stop": b"\x80\x04N.N",
        "empty": b"",
        "wrong escape": b"S'\\x0'\n.",
        "no quotes": b"Sabc\n.",
        "wide text": "V\u20ac\n.".encode("raw-unicode-escape"),
        "text that is no UTF-8": b"\x80\x04\x8c\x02\xff\xfe.",
        "text beyond latin-1": b"\x80\x04\x8c\x03\xe2\x82\xac.",
        "encoded as base64": b"c_codecs\nencode\n(S'a'\nS'base64'\ntR.",
        "numpy's own bytes": b"c__builtin__\nbytes\n(I99\ntR.",
    }


def test_read_pickle_refuses_hostile_input_within_the_memory_limit(tmp_path):
    """One process reads them all, so that the test sees a crash and the peak memory."""
    cases = hostile_pickles(tmp_path)
    assert len(cases) >= 40
    for number, data in enumerate(cases.values()):
        (tmp_path / f"{number}.pkl").write_bytes(data)
        (tmp_path / f"{number}.pkl.gz").write_bytes(gzip.compress(data, 1))
    accepted, peak = read_all(tmp_path)
    assert [list(cases)[int(name.split(".")[0])] for name in accepted] == []
    assert peak <= MAX_MIB
    assert not (tmp_path / "ran").exists()


def read_all(folder):
    """Reads the pickles in ``folder`` in a separate process. Returns those accepted, and the peak memory in MiB."""
    code = """
        import sys, tracemalloc
        from pathlib import Path
        from jaxnn.data.pickle_reader import read_pickle
        from jaxnn.errors import UserError
        tracemalloc.start()
        for path in sorted(Path(sys.argv[1]).glob("*.pkl*")):
            try:
                read_pickle(path)
            except UserError as error:
                assert "\\n" not in str(error), path
            else:
                print(path.name)
        print(tracemalloc.get_traced_memory()[1] >> 20)
    """
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), str(folder)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    *accepted, peak = process.stdout.splitlines()
    return accepted, int(peak)


def test_read_pickle_of_the_largest_size_stays_below_512_mib(tmp_path):
    """Just below the limit: bytes and text, and bytes and text that Python stores with four bytes a character."""
    zeros, letters = (gzip.compress(character * (10 << 20), 1) for character in (b"\0", b"a"))
    head = gzip.compress(b"B" + struct.pack("<I", 150 << 20)) + zeros * 15
    for name, tail in {
        "text": gzip.compress(b"X" + struct.pack("<I", 80 << 20)) + letters * 8,
        "wide": gzip.compress(b"V") + letters * 3 + gzip.compress(b"\\U0001f600\n"),
    }.items():
        (tmp_path / f"{name}.pkl.gz").write_bytes(head + tail)
    accepted, peak = read_all(tmp_path)
    assert accepted == []
    assert 200 <= peak <= MAX_MIB


def test_read_pickle_refuses_a_bomb_before_reading_it(tmp_path, monkeypatch):
    monkeypatch.setattr(pickle_reader, "LIMIT", 10_000)
    x = np.zeros(2500, np.float32)
    for data, plain in ((pickle.dumps(x), True), (gzip.compress(pickle.dumps(x)), False)):
        path = tmp_path / "bomb.pkl"
        path.write_bytes(data)
        with pytest.raises(UserError, match="cut short" if plain else "at most"):
            read_pickle(path)


def test_read_pickle_refuses_truncated_input(tmp_path):
    """Every 7th prefix is refused. A pickle with a flipped bit is read or refused, and raises no other error."""
    whole, path = pickle.dumps(arrays()["floats and labels"], 2), tmp_path / "cut.pkl"
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        with pytest.raises(UserError):
            read_pickle(path)
    for position in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << (position % 8)
        path.write_bytes(damaged)
        with contextlib.suppress(UserError):
            read_pickle(path)


OPCODES = sorted({code for code in vars(pickle).values() if isinstance(code, bytes) and len(code) == 1})


@given(program=st.lists(st.sampled_from(OPCODES) | st.binary(max_size=9), max_size=40))
def test_read_pickle_reads_or_refuses_any_program(tmp_path_factory, program):
    path = tmp_path_factory.getbasetemp() / "any.pkl"
    path.write_bytes(b"".join(program) + b".")
    with contextlib.suppress(UserError):
        read_pickle(path)
