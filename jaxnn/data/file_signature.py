"""Names what a file is by its first bytes, where another kind of file was expected."""

import json

#: Bytes that `describe_content` needs.
SIGNATURE_BYTES = 512
_AGAIN = "the download brought this in place of the file: download it again"
_UNPACK = "unpack it"
_SIGNATURES = (
    (b"PAR1", "a Parquet file: write it as CSV or as a NumPy array"),
    (b"ARROW1", "an Arrow file: write it as CSV or as a NumPy array"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file: write its arrays into an .npz file"),
    (b"SQLite format 3\0", "an SQLite database: write its table as CSV"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook or another Office document: save it as CSV (UTF-8)"),
    (b"%PDF-", "a PDF document"),
    (b"{\\rtf", "an RTF document: save it as plain text"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"BZh", f"a bzip2 file: {_UNPACK}"),
    (b"\xfd7zXZ\0", f"an xz file: {_UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"a Zstandard file: {_UNPACK}"),
    (b"7z\xbc\xaf\x27\x1c", f"a 7z archive: {_UNPACK}"),
    (b"Rar!\x1a\x07", f"a RAR archive: {_UNPACK}"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file: `git lfs pull` fetches it"),
    (b"\x93NUMPY", "a NumPy array (.npy)"),
)


def describe_content(start: bytes) -> str | None:
    """What a file is, with a remedy, by its first `SIGNATURE_BYTES`. None for content that has no known signature.

    Known are formats that hold neither plain text nor IDX, and pages that a web server sends in place of a file.
    """
    for signature, name in _SIGNATURES:
        if start.startswith(signature):
            return name
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _describe_zip(start)
    if start[257:262] == b"ustar":
        return f"a tar archive: {_UNPACK}"
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<!--")):
        return f"an HTML page; {_AGAIN}"
    if text.startswith((b"<?xml", b"<error")):
        return f"an XML document; {_AGAIN}"
    return f"a JSON document; {_AGAIN}, or write its rows as CSV" if _is_json(start) else None


def _describe_zip(start: bytes) -> str:
    """What a zip archive is, by the name of its first member."""
    length = int.from_bytes(start[26:28], "little")
    member = start[30 : 30 + length].decode("utf-8", "replace")
    if member == "[Content_Types].xml" or member.startswith(("xl/", "_rels/", "docProps/")):
        return "an Excel workbook or another Office document: save it as CSV (UTF-8)"
    if member == "mimetype":
        return "an OpenDocument file: save it as CSV (UTF-8)"
    if member.endswith(".npy"):
        return "NumPy arrays (.npz)"
    return f"a zip archive: {_UNPACK}"


def _is_json(start: bytes) -> bool:
    """Whether the bytes are JSON, or the beginning of a JSON object or list of objects."""
    text = start.decode("utf-8-sig", "ignore").lstrip()
    if not text.startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except ValueError:
        compact = "".join(text.split())
        return len(start) >= SIGNATURE_BYTES and compact.startswith(('{"', '[{"'))
    return True
