"""A small MQTT 3.1.1 broker (http://docs.oasis-open.org/mqtt/mqtt/v3.1.1), so that a test can pull its plug.

QoS 0 and 1, retained messages, wills and wildcards; what was published is kept for the test to read.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Published:
    """A message as a client published it."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    duplicate: bool


@dataclass
class _Client:
    writer: asyncio.StreamWriter
    will: Published | None = None
    filters: list[str] = field(default_factory=list)


class Broker:
    """``async with Broker() as broker``; ``start`` and ``kill`` as often as wanted, on the same port.

    ``acknowledges``: whether QoS 1 messages are acknowledged, and kept: a broker that does neither lost them.
    ``users``: their passwords; empty: everybody may come. ``grants``: whether anybody may subscribe. ``answers``:
    whether it says a word at all.
    """

    def __init__(self) -> None:
        self.port = 0
        self.acknowledges = self.grants = self.answers = True
        self.users: dict[str, str] = {}
        self.published: list[Published] = []
        self.retained: dict[str, bytes] = {}
        self.connections = 0
        self._clients: dict[asyncio.Task[None], _Client] = {}
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """For the settings."""
        return self.url_of("")

    def url_of(self, login: str) -> str:
        """The same with ``user:password``."""
        return f"mqtt://{login}{'@' if login else ''}127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    async def start(self) -> None:
        """Listen; the port stays the same from the first time on."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    async def kill(self) -> None:
        """Away at once, as by a kill: no goodbyes and no wills. What was acknowledged stays."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for client in self._clients.values():
            client.will = None
            client.writer.transport.abort()
        await asyncio.gather(*self._clients, return_exceptions=True)
        self._clients.clear()

    def drop_clients(self) -> None:
        """Cut every connection as a broken network would; wills are published."""
        for client in self._clients.values():
            client.writer.transport.abort()

    def of(self, prefix: str) -> list[Published]:
        """What was published to topics that begin so."""
        return [message for message in self.published if message.topic.startswith(prefix)]

    async def deliver(self, topic: str, payload: bytes = b"") -> None:
        """Publish as somebody else would."""
        for client in self._clients.values():
            if any(_matches(wanted, topic) for wanted in client.filters):
                client.writer.write(_packet(0x30, _text(topic) + payload))
                await client.writer.drain()

    # -- a connection ---------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        client = self._clients[task] = _Client(writer)
        self.connections += 1
        try:
            while await self._packet_from(reader, client):
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._clients.pop(task, None)
            writer.close()
            if client.will is not None:
                await self._take(client.will)

    async def _packet_from(self, reader: asyncio.StreamReader, client: _Client) -> bool:
        head = (await reader.readexactly(1))[0]
        body = await reader.readexactly(await _length(reader))
        match head >> 4:
            case 1:
                user, password = _login(body)
                is_known = not self.users or (user in self.users and self.users[user] == password)
                client.will = _will(body) if is_known else None
                if self.answers:
                    client.writer.write(_packet(0x20, b"\0\0" if is_known else b"\0\5"))
                return is_known
            case 3:
                await self._publish(head, body, client)
            case 8:
                await self._subscribe(body, client)
            case 12:
                client.writer.write(_packet(0xD0, b""))
            case 14:
                client.will = None
                return False
        return True

    async def _publish(self, head: int, body: bytes, client: _Client) -> None:
        topic, rest = _read_text(body)
        qos = head >> 1 & 3
        number, payload = (rest[:2], rest[2:]) if qos else (b"", rest)
        if qos and not self.acknowledges:
            return
        await self._take(Published(topic, payload, qos, bool(head & 1), bool(head & 8)))
        if qos:
            client.writer.write(_packet(0x40, number))

    async def _take(self, message: Published) -> None:
        self.published.append(message)
        if message.retain:
            if message.payload:
                self.retained[message.topic] = message.payload
            else:
                self.retained.pop(message.topic, None)
        await self.deliver(message.topic, message.payload)

    async def _subscribe(self, body: bytes, client: _Client) -> None:
        number, rest, granted = body[:2], body[2:], b""
        while rest:
            wanted, rest = _read_text(rest)
            if self.grants:
                client.filters.append(wanted)
            granted, rest = granted + (b"\0" if self.grants else b"\x80"), rest[1:]
        client.writer.write(_packet(0x90, number + granted))
        for topic, payload in self.retained.items():
            if any(_matches(wanted, topic) for wanted in client.filters):
                client.writer.write(_packet(0x31, _text(topic) + payload))


def _matches(wanted: str, topic: str) -> bool:
    parts, levels = wanted.split("/"), topic.split("/")
    if parts[-1] == "#":
        parts, levels = parts[:-1], levels[: len(parts) - 1]
    return len(parts) == len(levels) and all(a in ("+", b) for a, b in zip(parts, levels, strict=True))


async def _length(reader: asyncio.StreamReader) -> int:
    value = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        value |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            return value


def _packet(head: int, body: bytes) -> bytes:
    length, left = b"", len(body)
    while True:
        left, digit = left >> 7, left & 127
        length += bytes([digit | (128 if left else 0)])
        if not left:
            return bytes([head]) + length + body


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("!H", len(data)) + data


def _read_text(data: bytes) -> tuple[str, bytes]:
    (length,) = struct.unpack("!H", data[:2])
    return data[2 : 2 + length].decode(), data[2 + length :]


def _login(body: bytes) -> tuple[str, str]:
    _, rest = _read_text(body)
    flags, rest = rest[1], rest[4:]
    texts = []
    for is_there in (True, flags & 4, flags & 4, flags & 128, flags & 64):
        (length,) = struct.unpack("!H", rest[:2]) if is_there else (0,)
        texts.append(rest[2 : 2 + length] if is_there else b"")
        rest = rest[2 + length :] if is_there else rest
    return texts[3].decode(), texts[4].decode()


def _will(body: bytes) -> Published | None:
    _, rest = _read_text(body)
    flags, rest = rest[1], rest[4:]
    if not flags & 4:
        return None
    _, rest = _read_text(rest)
    topic, rest = _read_text(rest)
    (length,) = struct.unpack("!H", rest[:2])
    return Published(topic, rest[2 : 2 + length], flags >> 3 & 3, bool(flags & 32), False)
