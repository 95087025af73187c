"""A file of another kind is named as what it is, wherever it is read."""

import gzip
import io
import zipfile

import pytest

from jaxnn.data import load
from jaxnn.data.file_signature import describe_content
from jaxnn.data.idx import read_idx
from jaxnn.errors import UserError


def archive(*members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for member in members:
            file.writestr(member, "content")
    return stream.getvalue()


CONTENTS = {
    "page": (b"\xef\xbb\xbf\n  <!DOCTYPE html>\n<html><body>404</body></html>", "an HTML page; .*download it again"),
    "page without a type": (b"<html><head><title>Sign in</title>", "an HTML page"),
    "error of a store": (b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>', "an XML document"),
    "message": (b'{"message": "Not Found", "status": "404"}', "a JSON document"),
    "rows as objects": (b'[{"a": 1, "b": 2},\n' + b'{"a": 1, "b": 2},\n' * 99, "a JSON document"),
    "pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        "a Git LFS pointer.*git lfs pull",
    ),
    "zip": (archive("train.csv"), "a zip archive: unpack it"),
    "workbook": (archive("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook.*save it as CSV"),
    "old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "an old Excel workbook"),
    "OpenDocument": (archive("mimetype", "content.xml"), "an OpenDocument file: save it as CSV"),
    "PDF": (b"%PDF-1.7\n", "a PDF document"),
    "Parquet": (b"PAR1" + bytes(99), "a Parquet file: write it as CSV"),
    "bzip2": (b"BZh91AY", "a bzip2 file: unpack it"),
    "xz": (b"\xfd7zXZ\0\0", "an xz file: unpack it"),
    "tar": (b"train.csv".ljust(257, b"\0") + b"ustar\0" + bytes(200), "a tar archive: unpack it"),
    "picture": (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    "HDF5": (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
}


@pytest.mark.parametrize("case", CONTENTS)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_file_of_another_kind_is_named_where_it_is_read(tmp_path, case, pack):
    content, expected = CONTENTS[case]
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(pack(content))
    with pytest.raises(UserError, match=f"found {expected}") as refusal:
        read_idx(path, 3)
    assert "\n" not in str(refusal.value)
    with pytest.raises(UserError, match=f"found {expected}"):
        load("csv", {"path": str(path)})


@pytest.mark.parametrize(
    "content", [b"a,b\n1,2\n", b"[0.5,1]\t2\n", b"{a},b\n1,2\n", bytes([0, 0, 8, 3]), b"\x1f\x8b", b"\x80\x02]", b""]
)
def test_describe_content_of_text_and_known_formats_is_none(content):
    assert describe_content(content) is None
