"""WebSockets to Asterisk: opening one, the event socket, and a socket that carries commands.

Frames are handed on from within the read of the socket, without a task between: at hundreds of events a second
the wake-ups cost more than the events.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import quote

import orjson
import picows
from picows import WSMsgType

from ari_app.counters import Counters
from ari_app.errors import AriDown, Refused, Uncertain
from ari_app.transport import Reply

OPEN_SECONDS = 5.0
"""Deadline of the TCP connect and the handshake."""
PING_SECONDS = 5.0
"""A WebSocket ping goes out when nothing came for so long; no pong within half of it ends the socket."""
CLOSE_SECONDS = 0.3
"""Asterisk answers a close without a close frame, so there is little to wait for."""
MAX_MESSAGE_BYTES = 64 << 20
"""A longer message ends the socket; frames too long for an event are dropped one by one long before."""
STUCK_SECONDS = 0.5
"""A command without reply for this long blocks its socket, which is one thread of Asterisk: use another."""

_wire_log = logging.getLogger("picows.ari")
_wire_log.setLevel(logging.WARNING)  # that a socket was opened is said in our own words


class Ear(picows.WSListener):
    """Hands each whole message to `deliver`, which must not block; `lost` gets why the socket ended."""

    def __init__(self, deliver: Callable[[bytes], None]) -> None:
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.opened = False
        self._deliver, self._begun, self._why = deliver, b"", "socket closed without a word"

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """The handshake is done."""
        self.opened = True

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """A frame came; a message in pieces is put together."""
        kind = frame.msg_type
        if kind in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
            data = frame.get_payload_as_bytes()
            if self._begun or not frame.fin:
                self._begun += data
                if len(self._begun) > MAX_MESSAGE_BYTES:
                    self._why, self._begun = "a message without an end", b""
                    transport.disconnect()
                    return
                if not frame.fin:
                    return
                data, self._begun = self._begun, b""
            self._deliver(data)
        elif kind is WSMsgType.CLOSE:
            self._why = f"socket closed ({frame.get_close_code()})"
            transport.disconnect()

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        """No frame will come any more."""
        if not self.lost.done():
            self.lost.set_result(self._why)


async def open_socket(base: str, headers: Mapping[str, str], app: str, ear: Ear) -> picows.WSTransport:
    """An open WebSocket for `app`, read by `ear`; `base` begins with http. Raises AriDown or Refused."""
    url = f"{base.replace('http', 'ws', 1)}/ari/events?app={quote(app, safe=',')}&subscribeAll=false"
    try:
        async with asyncio.timeout(OPEN_SECONDS):
            transport, _ = await picows.ws_connect(
                lambda: ear,
                url,
                extra_headers=headers,
                max_redirects=0,
                logger_name=_wire_log,
                max_frame_size=MAX_MESSAGE_BYTES,
                websocket_handshake_timeout=OPEN_SECONDS,
                use_aiofastnet=False,  # it leaves polls of closed sockets in uvloop: the next connect fails
                enable_auto_ping=True,
                auto_ping_idle_timeout=PING_SECONDS,
                auto_ping_reply_timeout=PING_SECONDS / 2,
            )
    except TimeoutError:
        raise AriDown(f"Asterisk at {base} does not open a WebSocket within {OPEN_SECONDS:g} s.") from None
    except picows.WSHandshakeError as error:
        if error.response is not None:
            status = error.response.status
            raise Refused(int(status), status.phrase, "GET", "events") from None
        raise AriDown(f"Asterisk at {base} opens no WebSocket: {error}.") from None
    except (picows.WSError, picows.WSInvalidURL, OSError) as error:
        raise AriDown(f"Asterisk at {base} cannot be reached: {error or type(error).__name__}.") from None
    if not ear.opened:  # a connection that ends in the handshake is no error to picows
        raise AriDown(f"Asterisk at {base} ended the connection before a WebSocket was open.")
    return transport


async def close_socket(transport: picows.WSTransport, ear: Ear) -> None:
    """Close it; harmless when closed already."""
    if not ear.lost.done():
        transport.send_close()
        transport.disconnect()
        await asyncio.wait([ear.lost], timeout=CLOSE_SECONDS)
    if not ear.lost.done():
        transport.disconnect(graceful=False)
        ear.on_ws_disconnected(transport)


class WireEvents:
    """The event socket."""

    def __init__(self, transport: picows.WSTransport, ear: Ear) -> None:
        self.lost = ear.lost
        self._transport, self._ear = transport, ear

    async def close(self) -> None:
        """Close it; harmless when closed already."""
        await close_socket(self._transport, self._ear)


@dataclass(slots=True)
class _Pending:
    reply: asyncio.Future[Reply | str]  # text: why none came
    sent_at: float


class NotSent(Exception):
    """The command socket was closed before the command was written."""


class CommandSocket:
    """Commands over a WebSocket (RESTRequest and RESTResponse), many at a time, answered in any order."""

    def __init__(self, counters: Counters) -> None:
        self._ear = Ear(self._settle)
        self.lost = self._ear.lost
        self.lost.add_done_callback(self._end)
        self._counters = counters
        self._transport: picows.WSTransport | None = None
        # A command we gave up waiting for stays here: until its reply comes, it still blocks this socket.
        self._pending: dict[str, _Pending] = {}
        self._ids = count(1)

    async def open(self, base: str, headers: Mapping[str, str], app: str) -> None:
        """Connect; raises AriDown or Refused."""
        self._transport = await open_socket(base, headers, app, self._ear)

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
        if self._transport is None or self.lost.done() or self._transport.is_disconnected:
            raise NotSent
        loop, name = asyncio.get_running_loop(), str(next(self._ids))
        frame = _frame(name, method, path, query, body)
        pending = self._pending[name] = _Pending(loop.create_future(), time.monotonic())
        self._counters.bytes_out += len(frame)
        self._transport.send(WSMsgType.TEXT, frame)
        deadline = loop.call_later(within, _give_up, pending.reply, f"no reply within {within:g} s")
        try:
            reply = await pending.reply
        finally:
            deadline.cancel()
        if isinstance(reply, str):
            raise Uncertain(method, path, reply)
        return reply

    def _end(self, _: object) -> None:
        for pending in self._pending.values():
            _give_up(pending.reply, "the socket was lost")

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
        if self._transport is not None:
            await close_socket(self._transport, self._ear)


def _give_up(reply: asyncio.Future[Reply | str], why: str) -> None:
    if not reply.done():
        reply.set_result(why)


def _frame(name: str, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None) -> bytes:
    request: dict[str, Any] = {"type": "RESTRequest", "request_id": name, "method": method, "uri": path}
    if query:
        request["query_strings"] = [{"name": key, "value": value} for key, value in query.items()]
    if body is not None:
        request["content_type"] = "application/json"
        request["message_body"] = orjson.dumps(body).decode()
    return orjson.dumps(request)
