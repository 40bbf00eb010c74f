"""Real HTTP receivers on loopback: one of anything, and one that is as strict as Google Analytics' rules."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import orjson
from aiohttp import web

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
RESERVED_PREFIXES = ("_", "ga_", "google_", "firebase_")
STANDARD_LENGTHS = {"page_location": 1000, "page_referrer": 420, "page_title": 300}


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The document."""
        return orjson.loads(self.body)


Answer = Callable[[Request], Awaitable[web.StreamResponse] | web.StreamResponse]


@dataclass
class HttpReceiver:
    """``async with HttpReceiver() as receiver``; ``stop`` and ``start`` as often as wanted, on the same port."""

    answer: Answer = lambda request: web.Response(status=204)
    got: list[Request] = field(default_factory=list)
    port: int = 0

    @property
    def host(self) -> str:
        """As ``allow_hosts`` names it."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}/hook"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen."""
        app = web.Application(client_max_size=10_000_000)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Be away."""
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        taken = Request(request.path, dict(request.query), headers, await request.read())
        self.got.append(taken)
        answer = self.answer(taken)
        return await answer if asyncio.iscoroutine(answer) else answer  # type: ignore[return-value]


def google_faults(request: Request) -> list[str]:
    """What Google's published rules have against a request of the Measurement Protocol; empty: nothing.

    https://developers.google.com/analytics/devguides/collection/protocol/ga4/sending-events and .../validating-events
    """
    faults = []
    if not re.fullmatch(r"G-[A-Z0-9]+", request.query.get("measurement_id", "")):
        faults.append("measurement_id")
    if not request.query.get("api_secret"):
        faults.append("api_secret")
    if len(request.body) >= 130_000:
        faults.append("body of 130 kB or more")
    body = request.json
    if set(body) - {"client_id", "user_id", "timestamp_micros", "user_properties", "consent", "events"}:
        faults.append(f"unknown keys {sorted(body)}")
    if not isinstance(body.get("client_id"), str) or not body["client_id"]:
        faults.append("client_id")
    if "timestamp_micros" in body and not isinstance(body["timestamp_micros"], int):
        faults.append("timestamp_micros")
    if not 1 <= len(body.get("events", [])) <= 25:
        faults.append("1 to 25 events")
    for event in body.get("events", []):
        faults += _event_faults(event)
    return faults


def _event_faults(event: dict[str, Any]) -> list[str]:
    faults = []
    name, params = event["name"], event.get("params", {})
    if len(name) > 40 or not NAME.match(name) or name.startswith(RESERVED_PREFIXES):
        faults.append(f"event name {name}")
    if len(params) > 25:
        faults.append(f"{len(params)} parameters")
    for key, value in params.items():
        if len(key) > 40 or not NAME.match(key) or key.startswith(RESERVED_PREFIXES):
            faults.append(f"parameter name {key}")
        if key == "items":
            faults += [] if all(item.get("item_id") or item.get("item_name") for item in value) else ["items"]
        elif isinstance(value, str):
            faults += [f"value of {key}"] if len(value) > STANDARD_LENGTHS.get(key, 100) else []
        elif isinstance(value, bool) or not isinstance(value, int | float):
            faults.append(f"type of {key}")
    if "value" in params and not re.fullmatch(r"[A-Z]{3}", str(params.get("currency"))):
        faults.append("a value without a currency")
    if name == "purchase" and not (params.get("transaction_id") and "items" in params):
        faults.append("a purchase without transaction_id or items")
    return faults
