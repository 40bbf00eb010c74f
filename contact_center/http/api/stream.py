"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), one connection each.

A reader who does not keep up holds up himself alone: sending waits for him, and he is cut off when he has read
nothing for some seconds (http.watched) or has missed events.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Self

from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from contact_center.errors import CallwrightError
from contact_center.http.api.desk import MOST_STREAMS, ApiDesk
from contact_center.http.api.documents import Busy
from contact_center.http.api.tokens import Caller

BEAT_SECONDS = 10.0
"""A comment line goes out so often, so that both ends know of a dead connection."""
CHECK_SECONDS = 1.0
"""How often it is looked whether the token still holds."""
RETRY = b"retry: 1000\n\n"


class Lost(Exception):
    """The reader missed something; he is to come again."""


def event_lines(kind: str, data: bytes, at: int | None = None) -> bytes:
    """One event. JSON of ours has no line breaks."""
    number = b"" if at is None else b"id: %d\n" % at
    return number + b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


class EventStream(Response):
    """Made by :meth:`open`. The stream ends with its parts, with the connection or with the token."""

    media_type = "text/event-stream"

    @classmethod
    async def open(cls, desk: ApiDesk, caller: Caller, parts: AsyncGenerator[bytes]) -> Self:
        """A stream of ``parts``, which are whole events. The first is there before anything is answered.

        So who has been answered misses nothing from then on. Raises Busy, and what the first part raises.
        """
        if desk.streams >= MOST_STREAMS:
            raise Busy(f"{MOST_STREAMS} event streams are open; close one first.")
        return cls(desk, caller, await anext(parts), parts)

    def __init__(self, desk: ApiDesk, caller: Caller, first: bytes, parts: AsyncGenerator[bytes]) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._desk, self._caller, self._first, self._parts = desk, caller, first, parts
        self._sending = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        self._desk.streams += 1
        work = [
            asyncio.create_task(part, name=f"stream of {self._caller.name}")
            for part in (self._send_all(send), self._beat(send), self._until_revoked(), _until_gone(receive))
        ]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._desk.streams -= 1
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
        with suppress(OSError, RuntimeError):
            await asyncio.wait_for(send({"type": "http.response.body", "body": b"", "more_body": False}), 1.0)

    async def _send_all(self, send: Send) -> None:
        with suppress(Lost, CallwrightError, TimeoutError):
            async with aclosing(self._parts) as parts:
                await self._put(send, {"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                await self._put_lines(send, RETRY + self._first)
                async for lines in parts:
                    await self._put_lines(send, lines)

    async def _beat(self, send: Send) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            await self._put_lines(send, b": beat\n\n")

    async def _until_revoked(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            with suppress(CallwrightError):
                if not await self._desk.tokens.holds(self._caller):
                    return

    async def _put_lines(self, send: Send, lines: bytes) -> None:
        await self._put(send, {"type": "http.response.body", "body": lines, "more_body": True})

    async def _put(self, send: Send, message: dict[str, object]) -> None:
        async with self._sending:
            await send(message)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
