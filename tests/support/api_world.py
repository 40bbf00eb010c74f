"""The HTTP API in this process on a real database with a real writer, and a client that speaks ASGI to it."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

from fastapi import FastAPI
from starlette.types import ASGIApp

from contact_center.clock import SystemClock
from contact_center.http.api.desk import ApiDesk
from contact_center.http.app import make_app
from contact_center.http.health import Health
from contact_center.http.metrics import Meters
from contact_center.http.pages import Pages
from contact_center.pops import Card, ScreenPops
from contact_center.roster import Roster
from contact_center.settings import Database, Settings, Trunk
from contact_center.store.admin import By
from contact_center.store.admin_agents import AgentDraft, add_agent
from contact_center.store.admin_campaigns import add_campaign
from contact_center.store.admin_tokens import add_token
from contact_center.store.engine import open_engine, reading, writing
from contact_center.store.queries_agents import list_agents
from contact_center.store.writer import Writer
from contact_center.terms import NumberCheck

ROLES = ("supervisor", "lead_push", "read")


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The document."""
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The sentence of a refusal."""
        document = self.json
        assert list(document) == ["error"], document
        return str(document["error"])


@dataclass
class ApiWorld:
    """`async with ApiWorld(url) as api`: campaigns spring and secret (which hides numbers), agents 1001 and 1002."""

    url: str
    requests_per_second: float = 1e9
    tokens: dict[str, str] = field(default_factory=dict)
    cards: dict[str, Card] = field(default_factory=dict)
    stirs: int = 0

    async def __aenter__(self) -> Self:
        clock = SystemClock()
        self.settings = Settings(database=Database(url=self.url), trunk={"main": Trunk(host="127.0.0.9")})
        self.settings = self.settings.model_copy(
            update={"site": self.settings.site.model_copy(update={"number_check": NumberCheck.DIGITS})}
        )
        self.engine = open_engine(self.url)
        self._populate(By("test", clock.now()))
        self._stack = AsyncExitStack()
        self.writer = await self._stack.enter_async_context(Writer(open_engine(self.url), clock))
        self.roster = Roster(clock, self.writer.post)
        with reading(self.engine) as session:
            self.roster.load(list_agents(session), clock.now())
        self.pops = ScreenPops(clock, self.cards.get)
        self.roster.on_seat.append(self.pops.hear)
        meters = Meters()
        self.desk = await self._stack.enter_async_context(
            ApiDesk(
                self.settings, self.writer, clock, self.roster, self.pops, meters,
                stir=self._stirred, requests_per_second=self.requests_per_second,
            )
        )  # fmt: skip
        self.app: FastAPI = make_app(Pages(Health(), meters.registry), desk=self.desk)
        assert await self.writer.drain(), "the agents' states must be stored before a test sets its own"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        self.engine.dispose()

    def _populate(self, by: By) -> None:
        with writing(self.engine) as session:
            for ext, name in (("1001", "Ann Lee"), ("1002", "Bo Day")):
                add_agent(session, by, AgentDraft(ext, name))
            add_campaign(session, by, "spring", {"mode": "power"}, ["main"])
            hiding = {
                "mode": "power",
                "hide_number": "on",
                "screen_pop_url": "https://crm.example/{lead_id}?p={number}",
            }
            add_campaign(session, by, "secret", hiding, ["main"])
            for role in ROLES:
                self.tokens[role] = add_token(session, by, role, role).token
            self.tokens["agent"] = add_token(session, by, "ann", "agent", "1001").token

    def _stirred(self) -> None:
        self.stirs += 1

    # -- the client -----------------------------------------------------------------------------------

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        role: str = "supervisor",
        token: str | None = None,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Reply:
        """One request; ``path`` may hold anything and is percent-encoded."""
        data = raw if raw is not None else (json.dumps(body).encode() if body is not None else b"")
        token = self.tokens.get(role, "") if token is None else token
        sent = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
        sent |= {name.lower(): value for name, value in (headers or {}).items()}
        return await call(self.app, method, path, urlencode(query or {}, doseq=True), sent, data)

    async def get(self, path: str, **more: Any) -> Reply:
        """GET."""
        return await self.request("GET", path, **more)

    async def post(self, path: str, body: Any = None, **more: Any) -> Reply:
        """POST."""
        return await self.request("POST", path, body, **more)

    async def push(self, number: str, campaign: str = "spring", **more: Any) -> Reply:
        """One lead."""
        return await self.post(f"/v1/campaigns/{campaign}/leads", {"number": number}, **more)


def scope_of(method: str, path: str, query: str, headers: dict[str, str]) -> dict[str, Any]:
    """The scope of a request as uvicorn makes it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": quote(path, safe="/%").encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8080),
        "state": {},
    }


async def call(app: ASGIApp, method: str, path: str, query: str, headers: dict[str, str], data: bytes) -> Reply:
    """One request to an ASGI application."""
    waiting: list[dict[str, Any]] = [{"type": "http.request", "body": data, "more_body": False}]
    told: list[dict[str, Any]] = []
    never = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not waiting:
            await never.wait()
        return waiting.pop(0)

    async def send(message: dict[str, Any]) -> None:
        told.append(message)

    await app(scope_of(method, path, query, headers), receive, send)  # type: ignore[arg-type]
    start = told[0]
    names = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]}
    return Reply(start["status"], names, b"".join(message.get("body", b"") for message in told[1:]))


@dataclass
class Stream:
    """An open event stream: `async with Stream.open(api, path) as stream`."""

    events: list[dict[str, str]] = field(default_factory=list)
    status: int = 0
    body: bytes = b""

    def __post_init__(self) -> None:
        self._news, self._gone, self._go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._go_on.set()

    async def run(self, api: ApiWorld, path: str, query: str, role: str, headers: dict[str, str]) -> None:
        """Follow it until it ends."""
        sent = {"authorization": f"Bearer {api.tokens[role]}", **headers}
        first = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> dict[str, Any]:
            if first:
                return first.pop()
            await self._gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            await self._go_on.wait()
            if message["type"] == "http.response.start":
                self.status = message["status"]
            else:
                self._take(message.get("body", b""))
            news, self._news = self._news, asyncio.Event()
            news.set()

        await api.app(scope_of("GET", path, query, sent), receive, send)  # type: ignore[arg-type]

    def _take(self, data: bytes) -> None:
        self.body += data
        *whole, self.body = self.body.split(b"\n\n")
        for block in whole:
            lines = [line.partition(": ") for line in block.decode().split("\n") if line and not line.startswith(":")]
            self.events.append({name: value for name, _, value in lines})

    def pause(self) -> None:
        """Read nothing from now on."""
        self._go_on.clear()

    def leave(self) -> None:
        """Close the connection."""
        self._go_on.set()
        self._gone.set()

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The documents of the events of a type."""
        return [json.loads(event["data"]) for event in self.events if event.get("event") == kind]

    async def until(self, kind: str, count: int = 1, within: float = 5.0) -> list[dict[str, Any]]:
        """Wait for so many events of a type."""
        async with asyncio.timeout(within):
            while len(self.of(kind)) < count:
                await self._news.wait()
        return self.of(kind)


class Following:
    """`async with Following(api, "/v1/events") as stream`."""

    def __init__(
        self, api: ApiWorld, path: str, query: str = "", role: str = "supervisor", headers: dict[str, str] | None = None
    ) -> None:
        self._stream, self._task = Stream(), None
        self._start = (api, path, query, role, headers or {})

    async def __aenter__(self) -> Stream:
        self._task = asyncio.create_task(self._stream.run(*self._start))
        async with asyncio.timeout(5):
            while not self._stream.status and not self._task.done():
                await self._stream._news.wait()
        return self._stream

    async def __aexit__(self, *error: object) -> None:
        assert self._task is not None
        self._stream.leave()
        async with asyncio.timeout(5):
            await self._task
