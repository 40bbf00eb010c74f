"""Generated requests against the API in this process: none may be answered by a 5xx, each refusal is one sentence."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from zlib import crc32

from tests.support.api_world import ApiWorld, Reply, scope_of
from tests.support.openapi_requests import Made, Requests

AT_ONCE = 8
ROLES = (*["supervisor"] * 7, "read", "lead_push", "agent")
KNOWN: dict[str, list[Any]] = {
    "name": ["spring", "secret"],
    "campaign": ["spring", "secret", ""],
    "ext": ["1001", "1002"],
    "lead_id": [1, 2, 3],
    "call_id": ["call-1", "call-2", "call-3"],
    "callback_id": [*(f"cb-{n}" for n in range(40)), "call-cb-1"],
    "queue": ["support", ""],
    "other_numbers": [[], [], ["07421 000009"], ["+447421000008", "+447421000007"]],
    "number": ["+447421000007", "+447421000008", "07421 000009", *(f"+4474210{n:05}" for n in range(300))],
    "move": ["start", "pause", "resume", "stop"],
    "code": ["SALE", "1", "DNC", "CALLBK"],
    "callback_at": ["+2h", "15:00", "2030-01-01", ""],
    "callback_agent": ["", "", "1001"],
    "expires_at": ["", "", "2031-01-01"],
    "key": [
        "multiplier",
        "ring_seconds",
        "hours",
        "trunk",
        "mode",
        "team",
        "timezone",
        "priority",
        "caller_id",
        "screen_pop_url",
        "amd",
    ],
    "sort": ["id", "-id", "started_at", "number"],
    "state": ["new", "due", "idle"],
}


@dataclass
class Swept:
    """What was answered, by status; ``bad`` are answers that must not be."""

    statuses: Counter[int] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)


async def sweep(api: ApiWorld, seed: int, count: int) -> Swept:
    """So many requests, some at once; streams are opened and left again."""
    requests, done = Requests(api.app.openapi(), seed, KNOWN).many(count), Swept()

    async def work() -> None:
        for made in requests:
            status, told = await answered(api, made)
            done.statuses[status] += 1
            if told:
                done.bad.append(f"{told}: {made}")

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())
    return done


async def answered(api: ApiWorld, made: Made) -> tuple[int, str]:
    """The status, and what is wrong with the answer; nothing when it is as it should be."""
    try:
        async with asyncio.timeout(20):
            reply = await _one(api, made)
    except Exception as error:
        return 599, f"{type(error).__name__}: {error}"
    if reply.status >= 500:
        return reply.status, f"{reply.status} {reply.body[:300]!r}"
    if reply.status >= 400 and made.method != "HEAD":
        document = json.loads(reply.body)
        if list(document) != ["error"] or not 5 < len(document["error"]) <= 400 or "\n" in document["error"]:
            return reply.status, f"no sentence: {reply.body[:300]!r}"
    return reply.status, ""


async def _one(api: ApiWorld, made: Made) -> Reply:
    """As uvicorn would hand it over; a stream is left when it has begun."""
    token = api.tokens[ROLES[crc32(made.path.encode() + made.query.encode() + made.body) % len(ROLES)]]
    scope = scope_of(made.method, "/", made.query, {"authorization": f"Bearer {token}", **made.headers})
    scope["path"], scope["raw_path"] = unquote(made.path), made.path.encode()
    parts: list[dict[str, Any]] = [{"type": "http.request", "body": made.body, "more_body": False}]
    told: list[dict[str, Any]] = []
    left = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if parts:
            return parts.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        told.append(message)
        headers = dict(told[0]["headers"])
        if headers.get(b"content-type", b"").startswith(b"text/event-stream"):
            left.set()

    await api.app(scope, receive, send)  # type: ignore[arg-type]
    return Reply(told[0]["status"], {}, b"".join(message.get("body", b"") for message in told[1:]))
