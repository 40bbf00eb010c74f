"""A world for those who are told: a database, events in it, and receivers that can be away, ill or gone."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Engine

from contact_center.clock import Clock
from contact_center.store.admin import By
from contact_center.store.changes import add_event, gathering_events, read_events
from contact_center.store.engine import reading, writing
from contact_center.store.telling import newest_event_id
from contact_center.store.webhooks import Hook, add_webhook, live_hooks
from contact_center.telling.books import Books, plain_commit
from contact_center.telling.feed import News
from contact_center.telling.post import Reply
from contact_center.telling.signing import signature
from contact_center.telling.webhooks import HookSender

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://receiver.example/hook"


def add_events(engine: Engine, count: int, at: datetime = NOON, *, entities: int = 50, start: int = 0) -> None:
    """Events of some calls in turn, as a busy centre writes them."""
    with writing(engine) as session, gathering_events(session):
        for n in range(start, start + count):
            call = f"c-{n % entities}"
            payload = {"call_id": call, "number": f"+4474000{n:05}", "n": n}
            add_event(session, at=at, entity="call", entity_id=call, type="call.queued", payload=payload)


def all_ids(engine: Engine) -> list[int]:
    """The ids of all events, in order."""
    found: list[int] = []
    with reading(engine) as session:
        while page := read_events(session, after_id=found[-1] if found else 0, limit=5000):
            found += [event.id for event in page]
    return found


@dataclass(frozen=True, slots=True)
class Got:
    """A message as it came in."""

    at: float
    id: int
    entity: str
    seq: int
    body: bytes
    was_taken: bool


@dataclass
class Receiver:
    """``answer(event id, try)``: the status it answers, 0 for no answer at all."""

    answer: Callable[[int, int], int] = lambda event, n: 200
    secret: str = SECRET
    delay_seconds: float = 0.0
    retry_after_seconds: float | None = None
    got: list[Got] = field(default_factory=list)
    tries: Counter[int] = field(default_factory=Counter)

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """``Post.send``: the signature is checked as a receiver does."""
        timestamp = int(headers["webhook-timestamp"])
        assert headers["webhook-signature"] == signature(self.secret, headers["webhook-id"], timestamp, body)
        data = orjson.loads(body)["data"]
        assert headers["webhook-id"] == f"evt_{data['id']}"
        now = asyncio.get_running_loop().time()
        self.tries[data["id"]] += 1
        status = self.answer(data["id"], self.tries[data["id"]])
        self.got.append(Got(now, data["id"], data["entity_id"], data["seq"], body, 200 <= status < 300))
        await asyncio.sleep(self.delay_seconds)
        if status == 0:
            return Reply(0, "Connection refused")
        return Reply(status, retry_after_seconds=self.retry_after_seconds)

    @property
    def taken(self) -> list[Got]:
        """What it has, duplicates and all."""
        return [got for got in self.got if got.was_taken]

    def seqs(self) -> dict[str, list[int]]:
        """The numbers of each entity's events in the order in which they first came."""
        found: dict[str, list[int]] = defaultdict(list)
        for got in self.taken:
            if got.seq not in found[got.entity]:
                found[got.entity].append(got.seq)
        return found


def away_until(seconds: float) -> Callable[[int, int], int]:
    """A receiver that is down until then."""
    return lambda event, n: 200 if asyncio.get_running_loop().time() >= seconds else 0


def add_hook(engine: Engine, name: str = "crm", types: tuple[str, ...] = (), **more: Any) -> Hook:
    """A webhook, told from now on."""
    with writing(engine) as session:
        add_webhook(session, By("test", NOON), name, URL, secret=SECRET, types=types, **more)
    return hook(engine, name)


def hook(engine: Engine, name: str = "crm") -> Hook:
    """A webhook as it is now."""
    with reading(engine) as session:
        return next(found for found in live_hooks(session)[1] if found.name == name)


def books(engine: Engine, clock: Clock) -> Books:
    """Books on the same database, with a plain commit."""
    return Books(engine.url.render_as_string(hide_password=False), clock, plain_commit(engine))


@contextmanager
def running(engine: Engine, receiver: Receiver, clock: Clock, name: str = "crm") -> Iterator[asyncio.Task[None]]:
    """A sender at work; leaving the block ends it as a kill would, as far as it can be done here."""
    news = News()
    with reading(engine) as session:
        news.tell(newest_event_id(session))
    sender = HookSender(hook(engine, name), books(engine, clock), news, receiver.send, random.Random(7))
    task = asyncio.create_task(sender.run())
    try:
        yield task
    finally:
        if task.done():
            task.result()
        task.cancel()


async def until(holds: Callable[[], bool], within_seconds: float) -> None:
    """Let (virtual) time pass until something holds. Raises TimeoutError."""
    async with asyncio.timeout(within_seconds):
        while True:
            if holds():
                return
            await asyncio.sleep(max(0.25, within_seconds / 2000))


def later(seconds: float) -> datetime:
    """So long after noon."""
    return NOON + timedelta(seconds=seconds)
