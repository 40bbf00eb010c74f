"""The least that is needed to have native Asterisk dial: one AMI connection and the action Originate."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

LOGIN_SECONDS = 5.0


class AmiError(RuntimeError):
    """Asterisk refused the login."""


class AmiDialer:
    """`async with AmiDialer(...) as ami: ami.originate(channel, context)`; replies are read and dropped."""

    def __init__(self, host: str, port: int, user: str, secret: str) -> None:
        self._where, self._who = (host, port), (user, secret)
        self.refused = 0

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(*self._where)
        user, secret = self._who
        self._writer.write(f"Action: Login\r\nUsername: {user}\r\nSecret: {secret}\r\nEvents: off\r\n\r\n".encode())
        async with asyncio.timeout(LOGIN_SECONDS):
            await self._reader.readline()
            if b"Success" not in await self._reader.readuntil(b"\r\n\r\n"):
                raise AmiError("the login of the bench was refused")
        self._replies = asyncio.create_task(self._read(), name="ami replies")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        self._replies.cancel()
        await asyncio.wait([self._replies])

    def originate(self, channel: str, context: str, *, ring_seconds: float) -> None:
        """Dial `channel`; who answers goes to `context`, extension s."""
        self._writer.write(
            f"Action: Originate\r\nChannel: {channel}\r\nContext: {context}\r\nExten: s\r\nPriority: 1\r\n"
            f"Timeout: {int(ring_seconds * 1000)}\r\nAsync: true\r\n\r\n".encode()
        )

    async def _read(self) -> None:
        while line := await self._reader.readline():
            self.refused += line.startswith(b"Response: Error")
