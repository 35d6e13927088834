"""The page's server: Starlette below the guard, one stream of server-sent events out, JSON in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from labctl.api.times import seconds_of
from labctl.cancel import Cancel
from labctl.errors import LabError
from labctl.page import acts, document
from labctl.page.guard import Guard
from labctl.page.shells import Shells
from labctl.page.watching import Watching
from labctl.render.packets import layers
from labctl.render.runs import document as run
from labctl.render.runs.shapes import Shapes

if TYPE_CHECKING:
    from labctl.api.lab import Lab

BEAT = 5.0  # seconds between two signs of life
PAUSE = 0.04  # seconds for which items are gathered
MOST = 2000  # items in one message
LONGEST = 2 << 20  # bytes of a request


class Server:
    """What answers for one lab. `lab` gives it anew, `hosts` are the names that this server has."""

    def __init__(
        self,
        watching: Watching,
        lab: Callable[[Cancel], Lab],
        hosts: Callable[[], frozenset[str]],
        token: str,
        shells: Shells | None = None,
    ) -> None:
        self._watching, self._story, self._lab = watching, watching.story, lab
        routes = [
            Route("/", self._page),
            Route("/static/{path:path}", self._static),
            Route("/api/stream", self._stream),
            Route("/api/packet/{number:int}", self._packet),
            Route("/api/ladder.svg", self._ladder),
            Route("/api/capture.pcapng", self._capture),
            Route("/api/run.html", self._run),
            Route("/api/act/{verb}", self._act, methods=["POST"]),
            Route("/api/record", self._record, methods=["POST"]),
        ]
        self._shells = shells
        if shells is not None:
            routes.append(Route("/api/shell", self._shell, methods=["POST"]))
            routes.append(Route("/api/shell/{name}", self._shown))
            routes.append(Route("/api/shell/{name}", self._typed, methods=["POST"]))
        problems: Any = {LabError: _explained, HTTPException: _plain}
        bare = Starlette(routes=routes, exception_handlers=problems)
        self.app = Guard(bare, hosts, token, document.policy(shell=shells is not None))
        self._files = {
            name: (path.read_bytes(), document.TYPES[path.suffix]) for name, path in document.files().items()
        }

    async def _page(self, request: Request) -> Response:
        return HTMLResponse(document.live())

    async def _static(self, request: Request) -> Response:
        found = self._files.get(request.path_params["path"])
        if found is None:
            raise HTTPException(404)
        content, kind = found
        return Response(content, media_type=kind)

    # Out: the story

    async def _stream(self, request: Request) -> Response:
        epoch, _, number = request.headers.get("last-event-id", "").partition(".")
        begin = (epoch, int(number)) if number.isdecimal() and len(number) < 16 else None
        return StreamingResponse(self._told(begin), media_type="text/event-stream")

    async def _told(self, begin: tuple[str, int] | None) -> AsyncIterator[bytes]:
        story, changed, loop = self._story, asyncio.Event(), asyncio.get_running_loop()

        def wake() -> None:
            if not changed.is_set() and not loop.is_closed():
                loop.call_soon_threadsafe(changed.set)

        place = begin
        with story.heard(wake):
            while True:
                changed.clear()
                found = story.after(*place) if place else None
                if found is None:
                    epoch, number, whole = await run_in_threadpool(story.whole)
                    place = (epoch, number)
                    yield _message("run", place, whole)
                    continue
                epoch, number, items = found
                for at in range(0, len(items), MOST):
                    part = items[at : at + MOST]
                    yield _message("items", (epoch, number - len(items) + at + len(part)), part)
                place = (epoch, number)
                if not items:
                    try:
                        await asyncio.wait_for(changed.wait(), BEAT)
                    except TimeoutError:
                        yield b": alive\n\n"
                        continue
                await asyncio.sleep(PAUSE)

    async def _packet(self, request: Request) -> Response:
        found = self._watching.packet(request.path_params["number"])
        if found is None:
            raise HTTPException(404, "this packet isn't kept any more")
        return JSONResponse(await run_in_threadpool(layers.document, found))

    async def _ladder(self, request: Request) -> Response:
        one, other = request.query_params.get("a", ""), request.query_params.get("b", "")
        last = seconds_of("last", request.query_params.get("last", "10m"))
        svg = await run_in_threadpool(lambda: self._lab(Cancel()).ladder(one, other, last=last).svg())
        return Response(svg, media_type="image/svg+xml")

    async def _capture(self, request: Request) -> Response:
        last = seconds_of("last", request.query_params.get("last", "10m"))
        places = [place for place in request.query_params.getlist("at") if place]
        found = await run_in_threadpool(lambda: self._lab(Cancel()).capture(*places, last=last))
        return Response(found.pcapng, media_type="application/x-pcapng")

    async def _run(self, request: Request) -> Response:
        """The run until now as one page, with the bytes of its packets."""

        def made() -> str:
            _, _, whole = self._story.whole()
            shapes = Shapes()
            for packet in whole["packets"]:
                found = self._watching.packet(packet["number"])
                if found is not None:
                    packet |= {"layers": shapes.layers(found), "bytes": run.bytes_document(found)}
            return document.saved({**whole, "shapes": shapes.document()})

        return HTMLResponse(await run_in_threadpool(made))

    # In: what is done

    async def _act(self, request: Request) -> Response:
        given = await _given(request)
        verb = request.path_params["verb"]
        done = await run_in_threadpool(lambda: acts.act(self._lab(Cancel()), verb, given))
        return JSONResponse({"schema_version": 1, **done})

    async def _record(self, request: Request) -> Response:
        given = await _given(request)
        await run_in_threadpool(partial(self._watching.record, given.get("on") is True))
        return JSONResponse({"schema_version": 1})

    # Shells, where they were asked for

    async def _shell(self, request: Request) -> Response:
        given, shells = await _given(request), self._known_shells
        node = await run_in_threadpool(lambda: self._lab(Cancel()).node(acts.text(given, "node")).name)
        name = await run_in_threadpool(shells.begin, node, _count(given, "rows"), _count(given, "columns"))
        return JSONResponse({"schema_version": 1, "shell": name})

    async def _shown(self, request: Request) -> Response:
        shells, name = self._known_shells, request.path_params["name"]
        shells.find(name)
        return StreamingResponse(shells.shown(name), media_type="application/octet-stream")

    async def _typed(self, request: Request) -> Response:
        given, shell = await _given(request), self._known_shells.find(request.path_params["name"])
        if "keys" in given:
            await run_in_threadpool(shell.type, acts.text(given, "keys").encode(errors="replace"))
        if "rows" in given:
            shell.resize(_count(given, "rows"), _count(given, "columns"))
        return JSONResponse({"schema_version": 1})

    @property
    def _known_shells(self) -> Shells:
        assert self._shells is not None
        return self._shells


def _count(given: dict[str, Any], key: str) -> int:
    found = given.get(key)
    if type(found) is not int:
        raise LabError("bad-option", option=key, why="it is to be a number")
    return found


def _message(kind: str, place: tuple[str, int], value: Any) -> bytes:
    """One event of the stream. JSON has no line break in it, so it is one line."""
    data = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return f"event: {kind}\nid: {place[0]}.{place[1]}\ndata: {data}\n\n".encode()


async def _given(request: Request) -> dict[str, Any]:
    """The JSON object that was sent. Raises HTTPException."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST:
            raise HTTPException(413, f"more than {LONGEST} bytes")
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise HTTPException(400, "what was sent is no JSON object")
    return found


async def _explained(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, LabError)
    return JSONResponse({"schema_version": 1, "error": problem.as_json()}, status_code=409)


async def _plain(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    error = {"code": str(problem.status_code), "message": problem.detail, "hint": ""}
    return JSONResponse({"schema_version": 1, "error": error}, status_code=problem.status_code)
