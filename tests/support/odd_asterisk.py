"""An ARI server on loopback that misbehaves as told: for what no real Asterisk can be made to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from aiohttp import web

SENT_SECONDS = 2.0


@dataclass
class OddAsterisk:
    """What it saw, and how it behaves."""

    rest_over_websocket: bool = True
    refuses_with: int | None = None
    silent: Callable[[str, str], bool] = lambda *_: False
    port: int = 0
    urls: list[str] = field(default_factory=list)
    authorizations: set[str] = field(default_factory=set)
    by_socket: list[tuple[str, str]] = field(default_factory=list)
    by_http: list[tuple[str, str]] = field(default_factory=list)
    sockets: dict[str, web.WebSocketResponse] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def send(self, frame: bytes, app: str = "callwright", *, binary: bool = False) -> None:
        """A frame to the event socket, whatever is in it."""
        kind = aiohttp.WSMsgType.BINARY if binary else aiohttp.WSMsgType.TEXT
        writer = self.sockets[app]._writer
        assert writer is not None
        async with asyncio.timeout(SENT_SECONDS):
            await writer.send_frame(frame, kind)

    async def event(self, **fields: Any) -> None:
        """An event to the event socket."""
        await self.send(orjson.dumps(fields))

    def answer(self, method: str, path: str, query: dict[str, str]) -> tuple[int, Any]:
        """What it says to a command."""
        if path.startswith("events/user/"):
            name = path.removeprefix("events/user/")
            asyncio.get_running_loop().create_task(self.event(type="ChannelUserevent", eventname=name, userevent={}))
            return 204, None
        if path == "asterisk/info":
            return 200, {"system": {"entity_id": "odd"}, "status": {"startup_time": "1"}}
        if path in ("channels", "bridges"):
            return 200, []
        return 200, {"method": method, "path": path, "query": query}


@asynccontextmanager
async def odd_asterisk(odd: OddAsterisk) -> AsyncIterator[OddAsterisk]:
    """Serve it on a free port of 127.0.0.1."""

    async def rest(request: web.Request) -> web.StreamResponse:
        path = request.rel_url.raw_path.removeprefix("/ari/")
        odd.by_http.append((request.method, path))
        if odd.silent(request.method, path):
            await asyncio.Event().wait()
        status, body = odd.answer(request.method, path, dict(request.query))
        return web.Response(status=status, body=None if body is None else orjson.dumps(body))

    async def events(request: web.Request) -> web.StreamResponse:
        odd.urls.append(str(request.rel_url))
        odd.authorizations.add(request.headers.get("Authorization", ""))
        if odd.refuses_with is not None:
            return web.Response(status=odd.refuses_with)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        odd.sockets[request.query["app"].partition(",")[0]] = socket
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT and odd.rest_over_websocket:
                await _reply(odd, socket, orjson.loads(message.data))
        return socket

    app = web.Application()
    app.router.add_get("/ari/events", events)
    app.router.add_route("*", "/ari/{rest:.*}", rest)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    odd.port = runner.addresses[0][1]
    try:
        yield odd
    finally:
        for socket in odd.sockets.values():
            with suppress(ConnectionError):
                await socket.close()
        await runner.cleanup()


async def _reply(odd: OddAsterisk, socket: web.WebSocketResponse, request: dict[str, Any]) -> None:
    method, path = request["method"], request["uri"]
    odd.by_socket.append((method, path))
    if odd.silent(method, path):
        return
    query = {pair["name"]: pair["value"] for pair in request.get("query_strings", ())}
    status, body = odd.answer(method, path, query)
    reply = {"type": "RESTResponse", "request_id": request["request_id"], "status_code": status}
    if body is not None:
        reply["message_body"] = orjson.dumps(body).decode()
    await socket.send_str(orjson.dumps(reply).decode())
