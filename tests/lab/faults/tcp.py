"""A TCP proxy that can be told to misbehave; it knows WebSocket frames, so that it can lose a single one."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from typing import Self

Address = tuple[str, int]
LINGER_RST = struct.pack("ii", 1, 0)


class Mode(StrEnum):
    PASS = "pass"
    DROP = "drop"  # a black hole: nothing gets through; what was sent arrives when it is lifted, as TCP does it
    DELAY = "delay"  # every piece is late by `delay_seconds`
    CUT = "cut"  # connections are reset, new ones at once


class TcpProxy:
    """`async with TcpProxy(listen, target) as proxy`; then `mode = ...`, `cut()`, `swallow(...)`, `lose(...)`,
    `say(...)`, `close_websockets()`, `torn_bytes`, `window_bytes`.
    """

    def __init__(self, listen: Address, target: Address, *, seed: int = 1) -> None:
        self.listen, self.target = listen, target
        self.delay_seconds = 0.5
        self.torn_bytes = 0  # what comes from the server is passed on in pieces of so many bytes
        self.window_bytes = 0  # new connections to the server take in so little at a time that it soon must wait
        self.swallowed = self.lost = self.accepted = 0
        self._mode = Mode.PASS
        self._gate = asyncio.Event()
        self._gate.set()
        self._swallow: Callable[[bytes], bool] | None = None
        self._share, self._match = 0.0, b""
        self._chance = random.Random(seed)
        self._writers: set[asyncio.StreamWriter] = set()
        self._down: dict[asyncio.StreamWriter, Frames] = {}  # the clients' ends, and where each stream stands
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, *self.listen)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- faults

    @property
    def mode(self) -> Mode:
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._mode = mode
        if mode is Mode.DROP:
            self._gate.clear()
        else:
            self._gate.set()
        if mode is Mode.CUT:
            self.cut()

    def cut(self) -> None:
        """RST on every connection; new ones are taken (unless the mode is CUT)."""
        for writer in list(self._writers):
            _reset(writer)

    def swallow(self, match: Callable[[bytes], bool]) -> None:
        """The next frame from the server that `match`es reaches nobody: it was obeyed, the reply is lost."""
        self._swallow = match

    def lose(self, share: float, match: bytes = b"") -> None:
        """This share of the server's frames that hold `match` is lost from now on."""
        self._share, self._match = share, match

    def say(self, text: bytes) -> int:
        """Send a text frame of our own to every WebSocket client; to how many."""
        length = len(text)
        if length < 126:
            head = bytes((0x81, length))
        else:
            head = (
                b"\x81\x7e" + struct.pack("!H", length) if length < 65536 else b"\x81\x7f" + struct.pack("!Q", length)
            )
        return self._to_websockets(head + text)

    def close_websockets(self) -> int:
        """End every WebSocket in good order (1000), as a server does that is told to; how many."""
        return self._to_websockets(b"\x88\x02\x03\xe8")

    def _to_websockets(self, frame: bytes) -> int:
        clients = [writer for writer, frames in self._down.items() if frames.is_websocket]
        for writer in clients:
            writer.write(frame)
        return len(clients)

    # -- inside

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._gate.wait()
            if self._mode is Mode.CUT:
                return
            with suppress(OSError):
                up_reader, up_writer = await self._open()
                await self._both(reader, writer, up_reader, up_writer)
        finally:
            _reset(writer)
            self._tasks.discard(task)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if not self.window_bytes:
            return await asyncio.open_connection(*self.target)
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.window_bytes)
        narrow.setblocking(False)
        await asyncio.get_running_loop().sock_connect(narrow, self.target)
        return await asyncio.open_connection(sock=narrow, limit=self.window_bytes)

    async def _both(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> None:
        self._writers |= {writer, up_writer}
        frames = self._down[writer] = Frames()
        pumps = [
            asyncio.create_task(self._pump(reader, up_writer, None)),
            asyncio.create_task(self._pump(up_reader, writer, frames)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._writers -= {writer, up_writer}
            del self._down[writer]
            _reset(up_writer)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, frames: Frames | None) -> None:
        with suppress(OSError):
            while block := await source.read(65536):
                pieces = [block] if frames is None else frames.feed(block)
                for piece in pieces:
                    await self._deliver(piece, target, judged=frames is not None)
                await target.drain()

    async def _deliver(self, piece: bytes, target: asyncio.StreamWriter, *, judged: bool) -> None:
        await self._gate.wait()
        if self._mode is Mode.DELAY:
            await asyncio.sleep(self.delay_seconds)
        if judged and self._swallow is not None and self._swallow(piece):
            self._swallow = None
            self.swallowed += 1
            return
        if judged and self._share and self._match in piece and self._chance.random() < self._share:
            self.lost += 1
            return
        if target.is_closing():
            raise ConnectionResetError
        if judged and self.torn_bytes:
            for begin in range(0, len(piece), self.torn_bytes):
                target.write(piece[begin : begin + self.torn_bytes])
                await asyncio.sleep(0)
            return
        target.write(piece)


def _reset(writer: asyncio.StreamWriter) -> None:
    found = writer.get_extra_info("socket")
    if found is not None:
        with suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RST)
    writer.transport.abort()


class Frames:
    """Cuts what a server sends into pieces: the HTTP part as it comes, then one WebSocket frame at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self.is_websocket = False

    def feed(self, block: bytes) -> list[bytes]:
        """The whole pieces there are now."""
        if not self.is_websocket:
            self._buffer += block
            if not self._buffer.startswith(b"HTTP/1.1 101"[: len(self._buffer)]):
                whole, self._buffer = self._buffer, b""
                return [whole]
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return []
            self.is_websocket, self._buffer = True, b""
            return [head + end, *self.feed(rest)]
        self._buffer += block
        pieces = []
        while (length := self._frame_length()) is not None and len(self._buffer) >= length:
            pieces.append(self._buffer[:length])
            self._buffer = self._buffer[length:]
        return pieces

    def _frame_length(self) -> int | None:
        """Length of the frame at the head, its header included; a server's frames are not masked."""
        if len(self._buffer) < 2:
            return None
        short = self._buffer[1] & 0x7F
        more = {126: 2, 127: 8}.get(short, 0)
        if len(self._buffer) < 2 + more:
            return None
        return 2 + more + (int.from_bytes(self._buffer[2 : 2 + more]) if more else short)


def reply_to(path: bytes) -> Callable[[bytes], bool]:
    """Matches the reply to a REST command over a WebSocket, by its path ("channels", "bridges/x/addChannel")."""

    def match(frame: bytes) -> bool:
        text = frame.replace(b" ", b"")
        return b'"RESTResponse"' in text and b'"uri":"' + path + b'"' in text.replace(b'"/', b'"').replace(b"\\/", b"/")

    return match
