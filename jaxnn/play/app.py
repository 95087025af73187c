"""The addresses of the page: its files, and what it asks of the session."""

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any

import anyio
from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from jaxnn.config.errors import ConfigError
from jaxnn.errors import UserError
from jaxnn.play.choices import choices, layer_page, scenes
from jaxnn.play.guard import App, Guard
from jaxnn.play.points_table import points_of_table
from jaxnn.play.session import Session

#: The files of the page by their addresses, with their types.
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
#: Requests for a frame that wait at once: two for each of as many tabs as anyone looks at.
MAX_WAITING = 16


def make_app(session: Session, token: str, port: int) -> App:
    """The page of a session, guarded: see `jaxnn.play.guard`."""
    waiting = anyio.Semaphore(MAX_WAITING)
    # Frames have threads of their own: while they wait, a click is answered.
    frame_threads = anyio.CapacityLimiter(MAX_WAITING)

    async def frame(request: Request) -> Response:
        after, seed = _number(request, "after"), _number(request, "seed")
        if waiting.value == 0:
            return PlainTextResponse("too many tabs ask for frames at once; close some", 503)
        async with waiting:
            content = await to_thread.run_sync(session.training.frame, after, seed, limiter=frame_threads)
        return Response(content, media_type="application/octet-stream")

    def gradient(request: Request, body: bytes) -> Any:
        del body
        query = request.query_params
        return session.training.gradient(
            query.get("leaf", ""), _number(request, "index"), _number(request, "seed"), query.get("mistake", ""),
            _number(request, "layer"),
        )  # fmt: skip

    def config(request: Request, body: bytes) -> Any:
        content = _content(body)
        if isinstance(text := content.get("toml"), str):
            session.change(text)
        elif isinstance(tables := content.get("config"), dict):
            session.change_tables(tables)
        else:
            raise UserError("expected a config as toml or as tables, found neither")
        return session.state()

    def press(request: Request, body: bytes) -> Any:
        content = _content(body)
        button, speed = content.get("button"), content.get("speed")
        if button not in ("play", "pause", "step", "reset", "speed"):
            raise UserError("expected a button of play, pause, step, reset, speed, found another")
        if speed is not None and not (isinstance(speed, int | float) and 0.01 <= speed <= 1e6):
            raise UserError("speed: expected from 0.01 to a million epochs a second, found another value")
        session.press(button, speed)
        return {"pressed": button}

    def save(request: Request, body: bytes) -> Any:
        return {"folder": session.save(str(_content(body).get("name", "")))}

    def plain(answer: Callable[[], Any]) -> Callable[[Request, bytes], Any]:
        return lambda request, body: answer()

    def route(path: str, answer: Callable[[Request, bytes], Any], method: str = "GET") -> Route:
        async def endpoint(request: Request) -> Response:
            body = await request.body()
            try:
                return JSONResponse(await to_thread.run_sync(answer, request, body))
            except ConfigError as error:
                return JSONResponse({"errors": error.lines}, 422)
            except UserError as error:
                return JSONResponse({"errors": [str(error)]}, 422)

        return Route(path, endpoint, methods=[method])

    static = files("jaxnn.play").joinpath("static")
    pages = {f"/{entry.name}": entry for entry in static.iterdir() if PurePosixPath(entry.name).suffix in TYPES}

    async def page(request: Request) -> Response:
        path = "/index.html" if request.url.path == "/" else request.url.path
        if path not in pages:
            return PlainTextResponse("expected an address of the page, found another", 404)
        return Response(pages[path].read_bytes(), media_type=TYPES[PurePosixPath(path).suffix])

    routes = [
        route("/api/state", plain(session.state)),
        route("/api/choices", plain(choices)),
        route("/api/scenes", plain(scenes)),
        route("/api/points", lambda request, body: session.training.points(_number(request, "seed"))),
        route("/api/layer", lambda request, body: {"page": layer_page(request.query_params.get("name", ""))}),
        route("/api/gradient", gradient),
        route("/api/config", config, "POST"),
        route("/api/press", press, "POST"),
        route("/api/save", save, "POST"),
        route("/api/digit", lambda request, body: session.training.draw_digit(body), "POST"),
        route("/api/table", lambda request, body: points_of_table(_text(body)), "POST"),
        Route("/api/frame", frame),
        Route("/{path:path}", page),
    ]
    return Guard(Starlette(routes=routes), token, port)


def _number(request: Request, name: str) -> int:
    """A number of the query, 0 where there is none, at most nine digits."""
    text = request.query_params.get(name, "0")
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else 0


def _content(body: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises `UserError` for another one."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UserError("expected a JSON object, found another content") from error
    if not isinstance(content, dict):
        raise UserError("expected a JSON object, found another content")
    return content


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError("expected a table in UTF-8, found another byte") from error
