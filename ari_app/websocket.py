"""WebSockets to Asterisk: opening one, the event socket, and a socket that carries commands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

import aiohttp
import orjson

from ari_app.counters import Counters
from ari_app.errors import AriDown, Refused, Uncertain
from ari_app.transport import Reply

OPEN_SECONDS = 5.0
"""Deadline of the TCP connect and the handshake."""
PING_SECONDS = 5.0
"""A WebSocket ping goes out this often; no pong within half of it ends the socket."""
CLOSE_SECONDS = 0.3
"""Asterisk answers a close without a close frame, so there is little to wait for."""
MAX_MESSAGE_BYTES = 64 << 20
"""Above this aiohttp ends the socket; frames too long for an event are dropped one by one long before."""
STUCK_SECONDS = 0.5
"""A command without reply for this long blocks its socket, which is one thread of Asterisk: use another."""

Socket = aiohttp.ClientWebSocketResponse[Literal[False]]


async def open_socket(session: aiohttp.ClientSession, url: str, app: str) -> Socket:
    """An open WebSocket for `app`; raises AriDown or Refused."""
    query = {"app": app, "subscribeAll": "false"}
    try:
        async with asyncio.timeout(OPEN_SECONDS):
            return await session.ws_connect(
                url,
                params=query,
                heartbeat=PING_SECONDS,
                max_msg_size=MAX_MESSAGE_BYTES,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
                decode_text=False,
            )
    except aiohttp.WSServerHandshakeError as error:
        raise Refused(error.status, error.message, "GET", "events") from None
    except TimeoutError:
        raise AriDown(f"Asterisk at {url} does not open a WebSocket within {OPEN_SECONDS:g} s.") from None
    except (aiohttp.ClientError, OSError) as error:
        raise AriDown(f"Asterisk at {url} cannot be reached: {error or type(error).__name__}.") from None


class WireEvents:
    """The event socket: a task of its own reads and hands on, and does nothing else."""

    def __init__(self, socket: Socket, deliver: Callable[[bytes], None]) -> None:
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._socket = socket
        self._reader = asyncio.create_task(self._read(deliver), name="ari events")

    async def _read(self, deliver: Callable[[bytes], None]) -> None:
        why = "cancelled"
        try:
            why = await _each_text(self._socket, deliver)
        finally:
            if not self.lost.done():
                self.lost.set_result(why)

    async def close(self) -> None:
        """Close it; harmless when closed already."""
        self._reader.cancel()
        await asyncio.wait([self._reader])
        await self._socket.close()


async def _each_text(socket: Socket, deliver: Callable[[bytes], None]) -> str:
    """Hand each text frame to `deliver` until the socket ends; why it ended."""
    while True:
        message = await socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT or message.type is aiohttp.WSMsgType.BINARY:
            deliver(message.data)
        elif message.type is aiohttp.WSMsgType.ERROR:
            return f"socket error: {message.data}"
        elif message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING):
            return f"socket closed ({socket.close_code})"


@dataclass(slots=True)
class _Pending:
    reply: asyncio.Future[Reply | None]  # None: the socket was lost first
    sent_at: float


class NotSent(Exception):
    """The command socket was closed before the command was written."""


class CommandSocket:
    """Commands over a WebSocket (RESTRequest and RESTResponse), many at a time, answered in any order."""

    def __init__(self, socket: Socket, counters: Counters) -> None:
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._socket, self._counters = socket, counters
        # A command we gave up waiting for stays here: until its reply comes, it still blocks this socket.
        self._pending: dict[str, _Pending] = {}
        self._ids = count(1)
        self._reader = asyncio.create_task(self._read(), name="ari replies")

    def load(self) -> tuple[bool, int]:
        """For choosing among sockets: (stuck behind a slow command, commands under way)."""
        return self.oldest_seconds() > STUCK_SECONDS, len(self._pending)

    def oldest_seconds(self) -> float:
        """How long the oldest command without a reply has been waiting; 0 where there is none."""
        if not self._pending:
            return 0.0
        return time.monotonic() - next(iter(self._pending.values())).sent_at

    async def request(
        self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None, within: float
    ) -> Reply:
        """One command; raises NotSent or Uncertain."""
        if self.lost.done():
            raise NotSent
        name = str(next(self._ids))
        text = _frame(name, method, path, query, body)
        pending = _Pending(asyncio.get_running_loop().create_future(), time.monotonic())
        self._pending[name] = pending
        try:
            async with asyncio.timeout(within):
                await self._send(text)
                reply = await pending.reply
        except TimeoutError:
            raise Uncertain(method, path, f"no reply within {within:g} s") from None
        except NotSent:
            del self._pending[name]
            raise
        if reply is None:
            raise Uncertain(method, path, "the socket was lost")
        return reply

    async def _send(self, text: str) -> None:
        self._counters.bytes_out += len(text)
        try:
            await self._socket.send_str(text)
        except (ConnectionError, aiohttp.ClientError):
            raise NotSent from None

    async def _read(self) -> None:
        why = "cancelled"
        try:
            why = await _each_text(self._socket, self._settle)
        finally:
            self.lost.set_result(why)
            for pending in self._pending.values():
                if not pending.reply.done():
                    pending.reply.set_result(None)

    def _settle(self, frame: bytes) -> None:
        self._counters.bytes_in += len(frame)
        try:
            raw = orjson.loads(frame)
            if raw["type"] != "RESTResponse":
                return
            reply = Reply(int(raw["status_code"]), raw.get("message_body") or "")
            pending = self._pending.pop(raw["request_id"], None)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            self._counters.dropped["reply"] += 1
            return
        if pending is None or pending.reply.done():
            self._counters.late_replies += 1
        else:
            pending.reply.set_result(reply)

    async def close(self) -> None:
        """Close it; commands under way become Uncertain."""
        self._reader.cancel()
        await asyncio.wait([self._reader])
        await self._socket.close()


def _frame(name: str, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None) -> str:
    request: dict[str, Any] = {"type": "RESTRequest", "request_id": name, "method": method, "uri": path}
    if query:
        request["query_strings"] = [{"name": key, "value": value} for key, value in query.items()]
    if body is not None:
        request["content_type"] = "application/json"
        request["message_body"] = orjson.dumps(body).decode()
    return orjson.dumps(request).decode()
