"""Files made to do harm: weights and pictures. The tests of pickles and IDX files have their own."""

import hashlib
import io
import json
import struct
import subprocess
import sys
import tempfile
import textwrap
import zlib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from jaxnn.data.image_file import MAX_PIXELS, MAX_SIDE
from jaxnn.storage.arrays import array_sha256

HUGE = 2**62


def weights(header: Any, data: bytes = b"", size: int | None = None) -> bytes:
    """A safetensors file with any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def with_metadata(arrays: dict[str, Any], specs: Any, data: bytes = bytes(16)) -> bytes:
    """A safetensors file with entries of arrays, and our metadata about them (a dictionary, or the entry's text)."""
    entry = specs if isinstance(specs, str) else json.dumps({"format": 2, "arrays": specs})
    return weights({"__metadata__": {"jaxnn": entry}, **arrays}, data)


def hostile_weights() -> dict[str, bytes]:
    """Files by name. None is one that `save_arrays` writes."""
    zeros = np.zeros(4, np.float32)
    fact = {"dtype": "float32", "shape": [4], "sha256": array_sha256(zeros)}
    entry = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    small = {"dtype": "U8", "shape": [16], "data_offsets": [0, 16]}

    def other(**changes: Any) -> bytes:
        return with_metadata({"a": entry}, {"a": fact | changes})

    return {
        "empty": b"",
        "short": b"\x01\0\0",
        "no header": weights(b""),
        "header of 2^63 bytes": weights({"a": entry}, size=2**63),
        "header of 2^64 - 1 bytes": weights({"a": entry}, size=2**64 - 1),
        "header of 100 MB": weights({"a": entry}, size=100_000_000),
        "header is no JSON": weights(b"{" * 64),
        "header is nested deeply": weights(b"[" * 100_000),
        "metadata nested deeply": with_metadata({"a": entry}, "[" * 100_000),
        "metadata of deep tables": with_metadata({"a": entry}, '{"arrays":' * 100_000),
        "header is a list": weights([1, 2]),
        "a pickle": b"\x80\x04cos\nsystem\nX\x04\0\0\0true\x85R.",
        "overlapping": with_metadata({"a": entry, "b": entry}, {"a": fact, "b": fact}),
        "overlapping by half": with_metadata(
            {"a": entry, "b": entry | {"data_offsets": [8, 24]}}, {"a": fact, "b": fact}, bytes(24)
        ),
        "huge offsets": with_metadata({"a": entry | {"data_offsets": [HUGE, HUGE + 16]}}, {"a": fact}),
        "offset beyond the end": with_metadata({"a": entry | {"data_offsets": [0, 17]}}, {"a": fact}),
        "offsets turned round": with_metadata({"a": entry | {"data_offsets": [16, 0]}}, {"a": fact}),
        "negative offset": with_metadata({"a": entry | {"data_offsets": [-16, 0]}}, {"a": fact}),
        "a hole": with_metadata({"a": entry | {"data_offsets": [16, 32]}}, {"a": fact}, bytes(32)),
        "bytes after the arrays": with_metadata({"a": entry}, {"a": fact}, bytes(32)),
        "huge shape": with_metadata({"a": entry | {"shape": [HUGE]}}, {"a": fact | {"shape": [HUGE]}}),
        "shape whose product is 2^64": with_metadata(
            {"a": entry | {"shape": [2**32, 2**32]}}, {"a": fact | {"shape": [2**32, 2**32]}}
        ),
        "unknown type": with_metadata({"a": entry | {"dtype": "O8"}}, {"a": fact}),
        "no facts": weights({"a": entry}, bytes(16)),
        "facts of another format": with_metadata({"a": entry}, json.dumps({"format": 3, "arrays": {"a": fact}})),
        "facts are a list": with_metadata({"a": entry}, json.dumps([1])),
        "facts are NaN": with_metadata({"a": entry}, "NaN"),
        "facts of no array": with_metadata({"a": entry}, {}),
        "facts of one array more": with_metadata({"a": entry}, {"a": fact, "b": fact}),
        "arrays as a list": with_metadata({"a": entry}, json.dumps({"format": 2, "arrays": ["a"]})),
        "an array's facts as a number": with_metadata({"a": entry}, {"a": 7}),
        "no type": with_metadata({"a": entry}, {"a": {"shape": [4], "sha256": fact["sha256"]}}),
        "type object": other(dtype="object"),
        "type void": other(dtype="V4"),
        "type as a list": other(dtype=["float32"]),
        "shape of text": other(shape=["4"]),
        "shape of lists": other(shape=[[4]]),
        "shape of fractions": other(shape=[4.0]),
        "shape of booleans": other(shape=[True, 4]),
        "shape is null": other(shape=None),
        "negative shape": other(shape=[-1]),
        "product of negatives": with_metadata(
            {"a": small}, {"a": {"dtype": "bfloat16", "shape": [-2, -4], "sha256": fact["sha256"]}}
        ),
        "another shape of that size": other(shape=[2, 2]),
        "another type of that size": other(dtype="int32"),
        "bytes of a type of ours with a wrong sum": with_metadata(
            {"a": small}, {"a": {"dtype": "bfloat16", "shape": [8], "sha256": fact["sha256"]}}
        ),
        "another sum": other(sha256=hashlib.sha256(b"").hexdigest()),
        "sum is null": other(sha256=None),
    }


def png(width: int, height: int, *chunks: tuple[bytes, bytes], depth: int = 8, colour: int = 0) -> bytes:
    """A PNG whose header claims a size, followed by any chunks."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunk(*c) for c in chunks) + chunk(b"IEND", b"")


def flat(mode: str, kind: str, side: tuple[int, int] = (8192, 4096)) -> bytes:
    """The largest allowed picture in a few kilobytes: a bright rectangle on black."""
    grey, file = np.zeros(side[::-1], np.uint8), io.BytesIO()
    grey[side[1] // 4 : -side[1] // 4, side[0] // 4 : -side[0] // 4] = 255
    image = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    image.save(file, kind, compress_level=1)
    return file.getvalue()


@cache
def hostile_pictures() -> dict[str, bytes]:
    """Files by name: pictures that decode to far more than their size, or whose headers are wrong."""
    pixels, bomb = zlib.compress(bytes(8 * 9)), zlib.compress(bytes(200 << 20), 9)
    jpeg = flat("L", "JPEG", (64, 64))
    gif = b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\x80\0\0" + bytes(6)
    frame = b"," + struct.pack("<HHHH", 0, 0, 65535, 65535) + b"\0\x08\x01\0\0"
    bmp = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 2**31 - 1, 2**31 - 1, 1, 24, 0, 0, 0, 0, 0, 0)
    return {
        "as many pixels as are allowed, grey": flat("L", "PNG"),
        "as many in colours and alpha": flat("RGBA", "PNG"),
        "as many in 16 bits": flat("I;16", "PNG"),
        "as many in bits": flat("1", "PNG"),
        "as many with a palette": flat("P", "PNG"),
        "as many in CMYK": flat("CMYK", "JPEG"),
        "as many as GIF": flat("P", "GIF"),
        "as many as TIFF": flat("RGBA", "TIFF"),
        "as many as WebP": flat("RGBA", "WEBP", (4096, 4096)),
        "the longest side": flat("L", "PNG", (MAX_SIDE, MAX_PIXELS // MAX_SIDE)),
        "one line of all pixels": flat("L", "PNG", (MAX_PIXELS, 1)),
        "one line too many of WebP": flat("L", "WEBP", (4096, 4097)),
        "one pixel too many": png(MAX_PIXELS + 1, 1, (b"IDAT", pixels)),
        "2^62 pixels": png(2**31 - 1, 2**31 - 1, (b"IDAT", pixels)),
        "200 MB in 200 KB of pixels": png(8, 8, (b"IDAT", bomb)),
        "200 MB in a text": png(8, 8, (b"zTXt", b"a\0\0" + bomb), (b"IDAT", pixels)),
        "200 MB in a text of many languages": png(8, 8, (b"iTXt", b"a\0\1\0\0\0" + bomb), (b"IDAT", pixels)),
        "200 MB in a colour profile": png(8, 8, (b"iCCP", b"a\0\0" + bomb), (b"IDAT", pixels)),
        "texts without end": png(8, 8, *[(b"tEXt", b"a\0b")] * 100_000, (b"IDAT", pixels)),
        "chunks of nothing": png(8, 8, *[(b"IDAT", b"")] * 100_000),
        "a chunk of 2^31 bytes": png(8, 8)[:33] + b"\x7f\xff\xff\xffIDAT",
        "a JPEG of 65535 by 65535": jpeg.replace(b"\0\x40\0\x40\x01", b"\xff\xff\xff\xff\x01"),
        "a JPEG of a million tables": jpeg[:2] + b"\xff\xdb\0\x43\0" + (b"\xff\xdb\0\x03\0" * 10**6) + jpeg[2:],
        "a GIF of 65535 by 65535": gif + frame + b";",
        "a GIF of many frames": gif[:6] + struct.pack("<HH", 8, 8) + gif[10:] + frame * 10_000 + b";",
        "a BMP of 2^62 pixels": bmp,
        "a BMP of negative height": bmp[:22] + struct.pack("<i", -(2**31)) + bmp[26:],
        "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
        "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        "a zip": b"PK\x03\x04" + bytes(26),
    }


#: The code that reads each kind, as the library uses it.
READ = {
    "weights": """
        from jaxnn.storage.arrays import load_arrays as read
    """,
    "pictures": """
        from jaxnn.data import DigitReader, ImageReader
        def read(path):
            for reader, channels in ((DigitReader((28, 28)), 1), (ImageReader((28, 28), "rgb"), 3)):
                assert reader.inputs(path).shape == (1, 28, 28, channels)
    """,
}


class Bounds(NamedTuple):
    """The accepted files, the peak memory of the process, and the processor seconds of the slowest file."""

    accepted: list[str]
    mebibytes: int
    seconds: float


def bounds(kind: str) -> Bounds:
    """Reads all hostile files of a kind in a separate process. Raises if it crashes or an error has several lines."""
    files = hostile_weights() if kind == "weights" else hostile_pictures()
    program = f"""
        import json, re, sys, time
        from pathlib import Path
        from jaxnn.errors import UserError
        {textwrap.dedent(READ[kind]).strip().replace(chr(10), chr(10) + " " * 8)}
        accepted, slowest = [], 0.0
        for path in sorted(Path(sys.argv[1]).iterdir()):
            start = time.process_time()
            try:
                read(path)
                accepted.append(int(path.name))
            except UserError as error:
                assert "\\n" not in str(error), path
            slowest = max(slowest, time.process_time() - start)
        # Not `getrusage`, which includes the memory of the parent when it forked.
        peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
        print(json.dumps([accepted, int(peak[1]) >> 10, slowest]))
    """
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(files.values()):
            (Path(folder) / f"{number}").write_bytes(data)
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(program), folder],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    accepted, mebibytes, seconds = json.loads(done.stdout)
    return Bounds([list(files)[number] for number in accepted], mebibytes, seconds)
