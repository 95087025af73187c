"""A server of the page in a process of its own, as a user starts it, and raw requests to it."""

import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

SECONDS = 120


class Server(NamedTuple):
    """A running `jaxnn play`: its address with the token, its port, its token, its process."""

    address: str
    port: int
    token: str
    process: subprocess.Popen[str]


@contextmanager
def play_server(folder: Path, *words: str) -> Iterator[Server]:
    """`jaxnn play --no-browser` with further words, in a folder, while the block runs."""
    command = [sys.executable, "-m", "jaxnn", "play", "--no-browser", *words]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            address = first_line(process)
            found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/#token=([\w-]{43})", address)
            assert found is not None, address
            yield Server(address, int(found[1]), found[2], process)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    """The address that the server prints when the page can be opened."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        assert selector.select(SECONDS), "jaxnn play printed no address"
    return process.stdout.readline().strip()


def raw_request(port: int, head: str, body: bytes = b"", *, seconds: float = 10) -> str:
    """The first 64 KiB of the answer to a request, as it is written; "" where the connection is closed without one."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # the server may answer before it has read all
            connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        answer = b""
        end = time.monotonic() + seconds
        while len(answer) < 1 << 16 and time.monotonic() < end:
            try:
                part = connection.recv(1 << 16)
            except (TimeoutError, ConnectionResetError):
                break
            if not part:
                break
            answer += part
            head_end = answer.find(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", answer[:head_end].lower()) if head_end >= 0 else None
            if length is not None and len(answer) >= head_end + 4 + int(length[1]):
                break
    return answer.decode("latin-1")


def memory(process_id: int) -> int:
    """The bytes of memory that a process has at hand."""
    text = Path(f"/proc/{process_id}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1]) * 1024
