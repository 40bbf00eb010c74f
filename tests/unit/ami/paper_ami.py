"""The side Asterisk has in AMI, scripted: it keeps what it was sent, and misbehaves as told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ari_app.ami import Ami
from ari_app.backoff import Backoff

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
BOOTED = b"Event: FullyBooted\r\nPrivilege: system,all\r\nStatus: Fully Booted\r\n\r\n"
SECRET = "right-secret"

Reply = Callable[[dict[str, str]], bytes | None]


def success(action: dict[str, str], *lines: str) -> bytes:
    return "\r\n".join(("Response: Success", f"ActionID: {action['ActionID']}", *lines, "", "")).encode()


def error(action: dict[str, str], why: str) -> bytes:
    return f"Response: Error\r\nActionID: {action['ActionID']}\r\nMessage: {why}\r\n\r\n".encode()


def event(name: str, *lines: str) -> bytes:
    return "\r\n".join((f"Event: {name}", *lines, "", "")).encode()


def healthy(action: dict[str, str]) -> bytes | None:
    """What a healthy Asterisk answers; None: silence."""
    if action["Action"] == "Login":
        if action["Secret"] != SECRET:
            denial = f"Response: Error\r\nActionID: {action['ActionID']}\r\nMessage: Authentication failed\r\n\r\n"
            return denial.encode()
        return success(action, "Message: Authentication accepted") + BOOTED
    if action["Action"] == "DeviceStateList":
        ending = f"ActionID: {action['ActionID']}", "EventList: Complete", "ListItems: 0"
        return success(action, "EventList: start") + event("DeviceStateListComplete", *ending)
    return success(action, "Message: done")


@dataclass
class PaperAmi:
    """``actions`` is all that was ever received, over all connections."""

    reply: Reply = healthy
    chunk: int = 0
    actions: list[dict[str, str]] = field(default_factory=list)
    connections: list[asyncio.StreamWriter] = field(default_factory=list)
    deaf: bool = False
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        try:
            await self.send(writer, BANNER)
            while True:
                raw = await reader.readuntil(b"\r\n\r\n")
                action = dict(re.findall(r"^([^:]+): (.*?)\r?$", raw.decode(), re.MULTILINE))
                if self.deaf:
                    continue
                self.actions.append(action)
                if (answer := self.reply(action)) is not None:
                    await self.send(writer, answer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """In pieces of ``chunk`` bytes, each in a segment of its own as far as loopback allows."""
        size = self.chunk or len(data)
        for start in range(0, len(data), size):
            writer.write(data[start : start + size])
            if self.chunk:
                await writer.drain()
                await asyncio.sleep(0)

    async def tell(self, data: bytes) -> None:
        """Send on the newest connection."""
        await self.send(self.connections[-1], data)

    def cut(self) -> None:
        """Break the newest connection."""
        self.connections[-1].transport.abort()

    def count(self, name: str) -> int:
        return sum(action["Action"] == name for action in self.actions)

    def ami(self, secret: str = SECRET, **options: float) -> Ami:
        """A client with short deadlines."""
        quick = {"ping_seconds": 0.1, "answer_seconds": 0.1} | options
        return Ami("127.64.3.1", self.port, "callwright", secret, backoff=Backoff(0.02, 0.05), **quick)  # type: ignore[arg-type]


@asynccontextmanager
async def paper_ami(reply: Reply = healthy, chunk: int = 0) -> AsyncIterator[PaperAmi]:
    paper = PaperAmi(reply, chunk)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(paper.serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.64.3.1", 0)
    paper.port = server.sockets[0].getsockname()[1]
    try:
        yield paper
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
