"""The product's HTTP API as a CRM sees it: tokens made by the command line, requests and event streams over TCP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.asterisk.floor import Floor
from tests.lab.until import until


@dataclass
class Told:
    """One event of a stream, and when it came by the far end's clock."""

    at: float
    id: int | None
    type: str
    data: dict[str, Any]


@dataclass
class Stream:
    """What came so far."""

    events: list[Told] = field(default_factory=list)

    def of(self, kind: str) -> list[Told]:
        """The events of a type."""
        return [told for told in self.events if told.type == kind]

    async def until(self, kind: str, count: int = 1, within: float = 5.0) -> list[Told]:
        """Wait for so many of a type."""
        await until(lambda: len(self.of(kind)) >= count, within, f"{count} events {kind}")
        return self.of(kind)


class Web:
    """`async with Web.of(floor) as web`; `web.tokens[role]` are there."""

    def __init__(self, floor: Floor, session: aiohttp.ClientSession, tokens: dict[str, str]) -> None:
        self.floor, self.session, self.tokens = floor, session, tokens
        self.base = f"http://{floor.centre.settings.http.bind}"

    @classmethod
    @asynccontextmanager
    async def of(cls, floor: Floor) -> AsyncIterator[Web]:
        """With a token of each role; the agent's is added by `agent_token`."""
        tokens = {}
        for role in ("supervisor", "lead_push", "read"):
            tokens[role] = (await floor.cli("token", "add", f"test-{role}", "--role", role))["token"]
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            yield cls(floor, session, tokens)

    async def agent_token(self, ext: str) -> str:
        """A token that speaks for this agent; its role's name here is his extension."""
        made = await self.floor.cli("token", "add", f"agent-{ext}", "--role", "agent", "--agent", ext)
        self.tokens[ext] = made["token"]
        return str(made["token"])

    def headers(self, role: str) -> dict[str, str]:
        """What lets a role in."""
        return {"Authorization": f"Bearer {self.tokens[role]}"}

    async def request(
        self, method: str, path: str, body: Any = None, *, role: str = "supervisor", key: str = ""
    ) -> tuple[int, Any]:
        """Status and document."""
        headers = self.headers(role) | ({"Idempotency-Key": key} if key else {})
        async with self.session.request(method, self.base + path, json=body, headers=headers) as answer:
            return answer.status, json.loads(await answer.read())

    async def push(self, campaign: str, number: str, *, role: str = "lead_push", key: str = "", **lead: Any) -> Any:
        """Push a lead that must be taken; it."""
        body = {"number": number, **lead}
        status, document = await self.request("POST", f"/v1/campaigns/{campaign}/leads", body, role=role, key=key)
        assert status == 201, document
        return document

    @asynccontextmanager
    async def follow(self, path: str, *, role: str = "supervisor", after: int | None = None) -> AsyncIterator[Stream]:
        """An event stream while the block lasts."""
        stream, began = Stream(), asyncio.Event()
        headers = self.headers(role) | ({"Last-Event-ID": str(after)} if after is not None else {})

        async def read() -> None:
            timeout = aiohttp.ClientTimeout(total=None)
            async with self.session.get(self.base + path, headers=headers, timeout=timeout) as answer:
                assert answer.status == 200, await answer.text()
                began.set()
                async for block in _blocks(answer):
                    if "data" in block:
                        number = int(block["id"]) if "id" in block else None
                        now = self.floor.far.clock.now()
                        stream.events.append(Told(now, number, block["event"], json.loads(block["data"])))

        task = asyncio.create_task(read())
        try:
            async with asyncio.timeout(5):
                await asyncio.wait({task, asyncio.ensure_future(began.wait())}, return_when=asyncio.FIRST_COMPLETED)
            assert began.is_set(), task.exception()
            yield stream
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _blocks(answer: aiohttp.ClientResponse) -> AsyncIterator[dict[str, str]]:
    block: dict[str, str] = {}
    async for line in answer.content:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name:
            block[name] = value
        else:
            yield block
            block = {}
