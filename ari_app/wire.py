"""The real transport: Asterisk over WebSockets and HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import orjson
import structlog

from ari_app.backoff import Backoff
from ari_app.counters import Counters
from ari_app.errors import AriDown, AriError, Refused, Uncertain
from ari_app.transport import EventSocket, Reply, agents_name, quiet_name
from ari_app.websocket import CommandSocket, Ear, NotSent, WireEvents, open_socket

HTTP_CONNECTIONS = 8
"""Keep-alive connections of the HTTP pool at most; Asterisk's listen backlog is 10."""
HTTP_KEEPALIVE_SECONDS = 8.0
"""Below Asterisk's session_keep_alive (15 s), so that a command never meets a connection being closed."""
PROBE_SECONDS = 1.0
"""A new command socket must answer a ping this soon, else Asterisk has no REST over WebSocket (< 22.5)."""
STUCK_CHECK_SECONDS = 1.0
"""How often a command socket is looked at."""
RECYCLE_SECONDS = 10.0
"""A command socket whose oldest command has waited this long is replaced; the command failed long before."""
UNSUPPORTED_SECONDS = 60.0
"""Then it is asked again this often (it may have been upgraded); HTTP carries the commands meanwhile."""

log = structlog.get_logger(__name__)


class AsteriskTransport:
    """Events over one WebSocket; commands over `command_sockets` others (`app`-c-...) or over HTTP."""

    def __init__(
        self, *, url: str, user: str, password: str, app: str, command_sockets: int = 2, counters: Counters
    ) -> None:
        self._base = base_url(url)
        self._app, self._count, self._counters = app, command_sockets, counters
        self._headers = {"Authorization": aiohttp.encode_basic_auth(user, password, encoding="utf-8")}
        self._session: aiohttp.ClientSession | None = None
        self._sockets: list[CommandSocket] = []
        self._keepers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open the pool and begin to keep the command sockets open."""
        connector = aiohttp.TCPConnector(limit=HTTP_CONNECTIONS, keepalive_timeout=HTTP_KEEPALIVE_SECONDS)
        # Asterisk is a named machine, never somewhere behind this host's proxy settings: trust_env stays off.
        self._session = aiohttp.ClientSession(connector=connector, headers=self._headers)
        self._keepers = [
            asyncio.create_task(self._keep(), name=f"ari commands {number}") for number in range(1, self._count + 1)
        ]

    async def close(self) -> None:
        """Close everything; commands under way become Uncertain."""
        for keeper in self._keepers:
            keeper.cancel()
        if self._keepers:
            await asyncio.wait(self._keepers)
        if self._session is not None:
            await self._session.close()

    async def open_events(self, deliver: Callable[[bytes], None]) -> EventSocket:
        """Open the event socket, of the application and the two beside it; raises AriDown or Refused."""
        self._opened()
        ear = Ear(deliver)
        apps = f"{self._app},{quiet_name(self._app)},{agents_name(self._app)}"
        return WireEvents(await open_socket(self._base, self._headers, apps, ear), ear)

    async def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None,
        within: float,
        *,
        may_block: bool = False,
    ) -> Reply:
        """One command over the least loaded way (one that may block: HTTP); raises AriDown or Uncertain."""
        began = time.monotonic()
        self._counters.requests[method] += 1
        send = self._over_http if may_block else self._send
        try:
            reply = await send(method, path, query, body, within)
        except Uncertain:
            self._counters.uncertain += 1
            raise
        except AriDown:
            self._counters.not_sent += 1
            raise
        self._counters.replied(reply.status, time.monotonic() - began)
        return reply

    async def _send(
        self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None, within: float
    ) -> Reply:
        socket = min(self._sockets, key=CommandSocket.load, default=None)
        if socket is not None and not socket.load()[0]:
            try:
                return await socket.request(method, path, query, body, within)
            except NotSent:
                log.debug("a command socket closed under a command; HTTP takes it", method=method, path=path)
        return await self._over_http(method, path, query, body, within)

    async def _over_http(
        self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None, within: float
    ) -> Reply:
        data = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": "application/json"} if data is not None else None
        url = f"{self._base}/ari/{path}"
        try:
            async with (
                asyncio.timeout(within),
                self._opened().request(method, url, params=query, data=data, headers=headers) as response,
            ):
                text = await response.read()
        except aiohttp.ClientConnectorError as error:
            raise AriDown(f"Asterisk at {self._base} cannot be reached: {error}.") from None
        except TimeoutError:
            raise Uncertain(method, path, f"no reply within {within:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Uncertain(method, path, f"the connection broke: {error or type(error).__name__}") from None
        self._counters.bytes_in += len(text)
        return Reply(response.status, text)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            raise AriDown("The line to Asterisk is closed.")
        return self._session

    async def _keep(self) -> None:
        """Keep one command socket open for ever."""
        backoff = Backoff(0.1, 5.0)
        while True:
            try:
                socket = await self._open_commands()
            except AriError as error:
                await asyncio.sleep(max(backoff.next_seconds(), _least_wait(error)))
                continue
            backoff.reset()
            self._sockets.append(socket)
            try:
                log.info("a command socket was lost", why=await _lost_or_stuck(socket))
            finally:
                self._sockets.remove(socket)
                await socket.close()
            await asyncio.sleep(backoff.next_seconds())

    async def _open_commands(self) -> CommandSocket:
        # A name of its own each time: when a socket breaks and another of the same name is opened at once,
        # Asterisk's clean-up of the first can take the application from the second, which then never hears
        # a reply again (16 of 400 tries on 22.10.1).
        self._opened()
        socket = CommandSocket(self._counters)
        await socket.open(self._base, self._headers, f"{self._app}-c-{token_hex(4)}")
        try:
            await socket.request("GET", "asterisk/ping", {}, None, PROBE_SECONDS)
        except (Uncertain, NotSent):
            await socket.close()
            raise Refused(501, "no REST over WebSocket") from None
        except BaseException:
            await socket.close()
            raise
        return socket


async def _lost_or_stuck(socket: CommandSocket) -> str:
    """Wait until the socket has ended, or has been stuck long enough to be replaced."""
    while True:
        await asyncio.wait([socket.lost], timeout=STUCK_CHECK_SECONDS)
        if socket.lost.done():
            return socket.lost.result()
        if socket.oldest_seconds() > RECYCLE_SECONDS:
            return f"stuck for {RECYCLE_SECONDS:g} s"


def _least_wait(error: AriError) -> float:
    """A wrong password or a missing feature is not cured by asking often."""
    if not isinstance(error, Refused):
        return 0.0
    return UNSUPPORTED_SECONDS if error.status == 501 else 1.0


def base_url(url: str) -> str:
    """Scheme, host and port of `url`, without "/ari" or a final slash; credentials in it are refused."""
    parts = urlsplit(url if "//" in url else f"http://{url}")
    if parts.username or parts.password:
        raise ValueError("ari_url must not hold a user or password; they have settings of their own.")
    path = parts.path.rstrip("/").removesuffix("/ari")
    return urlunsplit((parts.scheme or "http", parts.netloc, path, "", "")).rstrip("/")
