"""Attacks on the server of the page: none is answered, none changes what is trained, none takes memory."""

import base64
import http.client
import json
import os
import socket
import threading
import time
import zlib

import pytest

from jaxnn.cli.play import linked_config
from jaxnn.config.load import load_text
from jaxnn.errors import UserError
from jaxnn.play.training import FRAME_SECONDS
from tests.cli.process import jaxnn_process
from tests.play.play_server import memory, play_server, raw_request

MEGABYTE = 1 << 20
#: What an attack may add to the memory of the server.
MOST_MEMORY = 64 * MEGABYTE


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A paused page: whatever changes has been changed by an attack."""
    folder = tmp_path_factory.mktemp("play")
    with play_server(folder, "circles_mlp", "--train.epochs=500", "--train.eval-every=1") as running:
        ask(running, "POST", "/api/press", {"button": "pause"})
        for _ in range(100):
            if state(running)["ready"]:
                break
        yield running


def ask(server, method, path, content=None, *, headers=None, body=None):
    """The status and the body of a request as the page sends it, but for other headers."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    own = {"Authorization": f"Bearer {server.token}"}
    if content is not None:
        own["Content-Type"], body = "application/json", json.dumps(content)
    merged = {name: value for name, value in {**own, **(headers or {})}.items() if value is not None}
    try:
        connection.request(method, path, body=body, headers=merged)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def state(server):
    return json.loads(ask(server, "GET", "/api/state")[1])


@pytest.fixture
def nothing_changes(server):
    """The training, and the memory of the server, are after the attack what they were before."""
    before, size = state(server), memory(server.process.pid)
    yield
    after = state(server)
    assert {name: after[name] for name in ("run", "toml")} == {name: before[name] for name in ("run", "toml")}
    assert memory(server.process.pid) - size < MOST_MEMORY
    assert server.process.poll() is None


CHANGE = {"toml": 'title = "changed"'}
#: name -> (method, path, headers in place of the page's own, content, status)
REFUSED = {
    "a foreign Host": ("POST", "/api/press", {"Host": "evil.example"}, 421),
    "a rebound Host and Origin": ("POST", "/api/press", {"Host": "evil.example", "Origin": "http://evil.example"}, 421),
    "a Host with another port": ("POST", "/api/press", {"Host": "127.0.0.1:1"}, 421),
    "a Host without a port": ("POST", "/api/press", {"Host": "127.0.0.1"}, 421),
    "a Host that ends like ours": ("POST", "/api/press", {"Host": "127.0.0.1.evil.example"}, 421),
    "a Host in IPv6": ("POST", "/api/press", {"Host": "[::1]"}, 421),
    "a foreign Host for the page itself": ("GET", "/", {"Host": "evil.example"}, 421),
    "a foreign Origin": ("POST", "/api/press", {"Origin": "http://evil.example"}, 403),
    "the Origin null": ("POST", "/api/press", {"Origin": "null"}, 403),
    "our Origin by https": ("POST", "/api/press", {"Origin": "https://127.0.0.1"}, 403),
    "a request that another site began": ("POST", "/api/press", {"Sec-Fetch-Site": "cross-site"}, 403),
    "a request of another port": ("POST", "/api/press", {"Sec-Fetch-Site": "same-site"}, 403),
    "no token": ("POST", "/api/press", {"Authorization": None}, 401),
    "an empty token": ("POST", "/api/press", {"Authorization": "Bearer "}, 401),
    "a wrong token": ("POST", "/api/press", {"Authorization": "Bearer " + "a" * 43}, 401),
    "a token by another scheme": ("POST", "/api/press", {"Authorization": "Basic dG9rZW4="}, 401),
    "the state without a token": ("GET", "/api/state", {"Authorization": None}, 401),
    "a frame without a token": ("GET", "/api/frame", {"Authorization": None}, 401),
    "a form": ("POST", "/api/press", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    "a form with files": ("POST", "/api/press", {"Content-Type": "multipart/form-data; boundary=x"}, 415),
    "a plain text": ("POST", "/api/press", {"Content-Type": "text/plain"}, 415),
    "a method of another kind": ("DELETE", "/api/state", {}, 405),
    "a preflight": ("OPTIONS", "/api/press", {"Origin": "http://evil.example"}, 403),
    "a config by GET": ("GET", "/api/config", {}, 404),
    "a press by GET": ("GET", "/api/press?button=reset", {}, 404),
    "a post to the page": ("POST", "/", {}, 405),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.usefixtures("nothing_changes")
def test_request_is_refused(server, name):
    method, path, headers, status = REFUSED[name]
    answered, body = ask(server, method, path, {"button": "reset"}, headers=headers)
    assert answered == status
    assert b"access-control" not in body.lower()


@pytest.mark.usefixtures("nothing_changes")
def test_a_token_in_the_query_is_none(server):
    for query in (f"token={server.token}", f"Authorization=Bearer%20{server.token}"):
        assert ask(server, "GET", f"/api/state?{query}", headers={"Authorization": None})[0] == 401


@pytest.mark.usefixtures("nothing_changes")
@pytest.mark.parametrize(
    "toml",
    [
        'title = "x"\n[data]\nname = "csv"\npath = "/etc/passwd"\n',
        "[" * 60_000,
        "a = " + "[" * 30_000,
        "x = 1\n" * 60_000,
        "title = " + '"' + "x" * 900_000 + '"',
        "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p = 1",
        "\x00",
        "a = 1e999999\nb = 99999999999999999999999999",
        "a = 1" + "0" * 60_000,
        '[data]\nname = "__import__"\n[[net]]\nlayer = "__class__"\n',
        '[data]\nname = "curve"\nformula = "().__class__.__bases__"\n',
    ],
    ids=lambda text: text[:16],
)
def test_a_hostile_toml_is_a_line(server, toml):
    status, body = ask(server, "POST", "/api/config", {"toml": toml})
    assert status == 422
    lines = json.loads(body)["errors"]
    assert lines and all(isinstance(line, str) and "\n" not in line for line in lines)


@pytest.mark.usefixtures("nothing_changes")
@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"null", b"[" * 200_000, b'{"toml": 1}', b'{"config": {"a": null}}', b"\xff"]
)
def test_another_content_is_a_line(server, body):
    status, answer = ask(server, "POST", "/api/config", body=body, headers={"Content-Type": "application/json"})
    assert status == 422 and json.loads(answer)["errors"]


@pytest.mark.usefixtures("nothing_changes")
def test_a_bomb_as_a_picture_is_a_line(server):
    """60,000 × 60,000 pixels in a few kilobytes."""

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = (60_000).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    png = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )
    status, body = ask(server, "POST", "/api/digit", body=png, headers={"Content-Type": "image/png"})
    assert status == 422 and json.loads(body)["errors"]


@pytest.mark.usefixtures("nothing_changes")
def test_a_gigabyte_is_not_read(server):
    """By its length, and in pieces without one."""
    for head in ("Content-Length: 1073741824", "Transfer-Encoding: chunked"):
        text = (
            f"POST /api/config HTTP/1.1\nHost: 127.0.0.1:{server.port}\nAuthorization: Bearer {server.token}\n"
            f"Content-Type: application/json\n{head}"
        )
        piece = b"100000\r\n" + b"x" * MEGABYTE + b"\r\n"
        body = piece * 64 if "chunked" in head else b"x" * (8 * MEGABYTE)
        answer = raw_request(server.port, text, body)
        assert answer == "" or " 413 " in answer.split("\r\n")[0]


@pytest.mark.usefixtures("nothing_changes")
def test_headers_without_end_are_not_kept(server):
    answer = raw_request(server.port, f"GET / HTTP/1.1\nHost: 127.0.0.1:{server.port}\nX: " + "x" * (4 * MEGABYTE))
    assert answer == "" or answer.startswith("HTTP/1.1 4")


@pytest.mark.usefixtures("nothing_changes")
def test_a_websocket_is_refused(server):
    answer = raw_request(
        server.port,
        f"GET /api/frame HTTP/1.1\nHost: 127.0.0.1:{server.port}\nConnection: Upgrade\nUpgrade: websocket\n"
        "Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    assert answer.startswith("HTTP/1.1 4")


@pytest.mark.usefixtures("nothing_changes")
def test_no_path_leads_out_of_the_page(server):
    for path in (
        "/../session.py",
        "/..%2fsession.py",
        "//etc/passwd",
        "/static/../../pyproject.toml",
        "/app.js/..",
        "/.env",
    ):
        assert ask(server, "GET", path)[0] in (404, 400)


@pytest.mark.usefixtures("nothing_changes")
def test_slow_readers_keep_nobody_waiting(server):
    """A hundred connections that ask for a frame and read nothing of it."""
    head = f"GET /api/frame HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {server.token}\r\n\r\n"
    connections = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
    try:
        for connection in connections:
            connection.sendall(head.encode())
        assert ask(server, "GET", "/api/state")[0] == 200
    finally:
        for connection in connections:
            connection.close()


@pytest.mark.usefixtures("nothing_changes")
def test_two_hundred_tabs_are_answered_or_sent_away(server):
    answers = []
    # The places of tabs that an earlier attack opened are free again.
    time.sleep(2 * FRAME_SECONDS)

    def tab():
        try:
            answers.append(ask(server, "GET", "/api/frame?after=99999")[0])
        except OSError:
            answers.append(0)

    tabs = [threading.Thread(target=tab) for _ in range(200)]
    for thread in tabs:
        thread.start()
    for thread in tabs:
        thread.join()
    assert set(answers) <= {0, 200, 503} and 200 in answers
    assert ask(server, "GET", "/api/state")[0] == 200


@pytest.mark.usefixtures("nothing_changes")
def test_the_page_may_do_nothing_but_what_this_server_gives_it(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", "/")
    answer = connection.getresponse()
    page = answer.read().decode()
    connection.close()
    headers = {name.lower(): value for name, value in answer.getheaders()}
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff" and headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["referrer-policy"] == "no-referrer" and "access-control-allow-origin" not in headers
    assert "http://" not in page and "https://" not in page and " style=" not in page and "onclick" not in page


def test_only_this_machine_is_listened_to(server):
    addresses = {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in addresses - {"127.0.0.1"}:
        if address.startswith("127."):
            continue
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, server.port), timeout=2)


def test_a_link_is_a_config_that_any_reader_of_deflate_unpacks():
    """The form of `linkOf` in server.js: base64url of raw deflate."""
    packer = zlib.compressobj(wbits=-15)
    packed = base64.urlsafe_b64encode(packer.compress(b'title = "a"') + packer.flush()).rstrip(b"=").decode()
    assert linked_config(f"http://127.0.0.1:8000/#config={packed}") == 'title = "a"'
    bomb = zlib.compressobj(wbits=-15)
    packed = base64.urlsafe_b64encode(bomb.compress(bytes(10**7)) + bomb.flush()).decode()
    with pytest.raises(UserError, match="at most 64 KiB"):
        load_text(linked_config(f"http://127.0.0.1:8000/#config={packed}"))
    for damaged in ("", "!", "AAAA", "abc"):
        with pytest.raises(UserError):
            load_text(linked_config(f"http://127.0.0.1:8000/#config={damaged}"))


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["nothing"], 2, "unknown config 'nothing'"),
        (["circles_mlp", "--train.seeds=99"], 2, "at most 16"),
        (["gaussians_gan"], 2, "two players"),
        (["http://127.0.0.1:1/#config=AAAA"], 2, "title"),
        (["circles_mlp", "--port", "1"], 2, "port 1"),
        (["circles_mlp", "--net.0.units=-1"], 2, "at least 1"),
    ],
)
def test_what_cannot_be_opened_is_a_line(words, status, message, tmp_path):
    if words[-1] == "1" and hasattr(os, "geteuid") and os.geteuid() == 0:
        words = [*words[:-1], str(busy_port())]
        message = "expected a free port"
    done = jaxnn_process(["play", "--no-browser", *words], cwd=tmp_path, timeout=120)
    assert done.returncode == status and message in done.stderr and done.stdout == ""
    assert "Traceback" not in done.stderr and not list(tmp_path.iterdir())


def busy_port():
    """A port that this process listens at, until it ends."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    BUSY.append(listener)
    return listener.getsockname()[1]


#: Sockets that stay open to the end of the tests.
BUSY: list[socket.socket] = []
