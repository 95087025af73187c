"""Starts the server of the page on this machine, opens the browser, and ends with Ctrl-C."""

import asyncio
import contextlib
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from typing import TYPE_CHECKING

from jaxnn.errors import UserError

if TYPE_CHECKING:
    from jaxnn.play.session import Session

#: The only address that the server listens at: no other machine reaches it.
ADDRESS = "127.0.0.1"
#: Seconds after which a thread of Python makes room for another one.
SWITCH_SECONDS = 5e-4
#: Connections at once; a browser opens six for each tab.
MAX_CONNECTIONS = 128


def listen(port: int) -> socket.socket:
    """A socket that listens on this machine alone. port: 0 for any that is free. Raises `UserError` for a used one."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((ADDRESS, port))
    except OSError as error:
        listener.close()
        raise UserError(
            f"--port {port}: expected a free port, found one that cannot be used ({error.strerror}); without "
            "--port any free one is taken"
        ) from error
    listener.listen(64)
    return listener


def serve(
    make_session: "Callable[[], Session]",
    listener: socket.socket,
    *,
    open_browser: bool,
    announce: Callable[[str], object],
) -> None:
    """Serves the page until the process is interrupted.

    make_session: called once, before the first request is answered
    announce(address): called at once, because the browser can start while this process imports what it needs: the
        listener keeps its requests
    """
    # 256 bits, which no other page can guess.
    token, port = secrets.token_urlsafe(32), listener.getsockname()[1]
    address = f"http://{ADDRESS}:{port}/#token={token}"
    with contextlib.suppress(KeyboardInterrupt):
        announce(address)
        if open_browser:
            # In a thread, because some browsers are started and waited for.
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        session = make_session()
        try:
            _run_server(session, token, listener)
        finally:
            session.close()


def _run_server(session: "Session", token: str, listener: socket.socket) -> None:
    import uvicorn

    from jaxnn.play.app import make_app

    # Between two chunks of steps the training waits for Python no longer than this, while a frame is encoded.
    sys.setswitchinterval(SWITCH_SECONDS)
    config = uvicorn.Config(
        make_app(session, token, listener.getsockname()[1]),
        log_level="error",
        access_log=False,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=1,
    )
    # `asyncio.run` and not `Server.run`, which leaves a coroutine behind where it is interrupted before it begins.
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))
