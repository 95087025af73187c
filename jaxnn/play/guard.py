"""What may reach the server: the page itself, from this machine, with the token that `jaxnn play` printed."""

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

MAX_BODY = 1 << 20
#: What the browser may do with the page: nothing but what this server gives it.
HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'none'; "
        b"frame-ancestors 'none'",
    ),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-store"),
)
#: Paths that say or change something of the training begin with it, and need the token.
API = "/api/"


class Guard:
    """An ASGI application around another one, which sees no request but those that may be answered.

    A page of another origin can make a browser send requests here, and after a change of its DNS entry they look as if
    they came from this origin. So the Host header must be one of this server's names, and whatever says or changes
    something needs a token that only the page has: it stands in the fragment of the address, which no browser sends.
    """

    def __init__(self, app: App, token: str, port: int):
        self._app, self._token = app, token
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._origins = {f"http://{host}" for host in self._hosts}

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await _answer(send, *refusal)
            return
        body = await _read(receive, scope)
        if body is None:
            await _answer(send, 413, f"expected a body of at most {MAX_BODY >> 20} MiB")
            return
        answered = False

        async def whole_body() -> Message:
            nonlocal answered
            if answered:
                return await receive()
            answered = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *HEADERS]}
            await send(message)

        await self._app(scope, whole_body, with_headers)

    def _refusal(self, scope: MutableMapping[str, Any]) -> tuple[int, str] | None:
        """The status and the reason why a request is refused; None for one that may be answered."""
        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        if len(headers.get("host", [])) != 1 or headers["host"][0].lower() not in self._hosts:
            return 421, "expected the address that `jaxnn play` printed, found another Host"
        if any(origin.lower() not in self._origins for origin in headers.get("origin", [])):
            return 403, "expected a request of this page, found one of another Origin"
        if any(site not in ("same-origin", "none") for site in headers.get("sec-fetch-site", [])):
            return 403, "expected a request of this page, found one of another site"
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return 405, "expected GET or POST"
        if not scope["path"].startswith(API):
            return None if scope["method"] != "POST" else (405, "expected GET")
        given = headers.get("authorization", [""])
        if len(given) != 1 or not secrets.compare_digest(given[0].encode(), f"Bearer {self._token}".encode()):
            return 401, "expected the token of `jaxnn play`; open the address that it printed"
        kind = headers.get("content-type", [""])[0].partition(";")[0].strip().lower()
        if scope["method"] == "POST" and kind not in ("application/json", "image/png", "text/csv"):
            return 415, "expected application/json, image/png or text/csv"
        return None


async def _read(receive: Receive, scope: MutableMapping[str, Any]) -> bytes | None:
    """The body of a request; None for one that is too long, of which no more than the limit is read."""
    for name, value in scope["headers"]:
        if name.lower() == b"content-length" and (not value.isdigit() or int(value) > MAX_BODY):
            return None
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return body


async def _answer(send: Send, status: int, reason: str) -> None:
    headers = [*HEADERS, (b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": reason.encode()})
