"""Callers who are called back, on the virtual clock and a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from ari_app.callback_desk import CallbackDesk
from ari_app.callback_parts import CallbackParts
from ari_app.inbound_adopt import adopt_callers
from ari_app.inbound_desk import InboundDesk
from ari_app.inbound_told import Listeners
from ari_app.reception import Reception
from contact_center.errors import Unreachable
from contact_center.http.metrics import Meters
from contact_center.models import Call
from contact_center.store.admin import By
from contact_center.store.admin_callbacks import cancel_callback
from contact_center.store.engine import open_engine, reading, writing
from contact_center.store.fact import Fact
from contact_center.store.queries_calls import call_document, listed_documents
from contact_center.store.queries_queues import open_inbound
from tests.calls.queue_world import DID, QueueWorld, queue_world
from tests.support.databases import fresh_sqlite
from tests.support.fake_ari import FakeAri, FakeTransport, FarEnd
from tests.support.fake_world import FakeChannel
from tests.support.virtual_clock import run_virtual

T = TypeVar("T")
CUSTOMERS = "PJSIP/callwright-trunk-*"
TRUNK = {"main": {"host": "127.0.0.9"}}
TAKES = FarEnd(rings_after=0.05, answers_after=0.5)
ANSWERS = FarEnd(rings_after=0.1, answers_after=2.0)
RINGS = FarEnd(rings_after=0.1)
BUSY = FarEnd(rings_after=None, rejects_after=0.2)


def made_store(folder: Path) -> Engine:
    """An empty database."""
    return open_engine(fresh_sqlite(folder / "calls.db"))


@dataclass
class DirectStore:
    """The writer without its thread: what is posted or committed is stored at once, unless the process is dead."""

    engine: Engine
    down: bool = False
    dead: bool = False

    async def commit(self, fn: Callable[[Session], T], within: float = 2.0) -> T:
        if self.down or self.dead:
            raise Unreachable("the database is away")
        with writing(self.engine) as session:
            return fn(session)

    async def read(self, fn: Callable[[Session], T], within: float = 2.0) -> T:
        if self.down:
            raise Unreachable("the database is away")
        with reading(self.engine) as session:
            return fn(session)

    def post(self, fact: Fact) -> None:
        if self.dead:
            return
        with writing(self.engine) as session:
            fact.apply(session)


@dataclass
class CallbackWorld:
    """A contact centre that calls back."""

    centre: QueueWorld
    callbacks: CallbackDesk
    store: DirectStore

    @property
    def fake(self) -> FakeAri:
        """The switch."""
        return self.centre.world.fake

    def customer(self, *does: FarEnd) -> None:
        """What the customers' phones do, dial by dial; the last one said holds for all further ones."""
        left = list(does)
        self.fake.far(CUSTOMERS, lambda _: left.pop(0) if len(left) > 1 else left[0])

    def dials(self) -> list[FakeChannel]:
        """Every dial of a customer."""
        return self.fake.dialled(CUSTOMERS)

    async def ordered(self, *, after: float = 1.0) -> FakeChannel:
        """A caller who presses 1, confirms, and hears the goodbye."""
        caller = self.centre.call()
        await asyncio.sleep(after)
        self.fake.press(caller.id, "1")
        await asyncio.sleep(0.5)
        self.fake.press(caller.id, "1")
        await asyncio.sleep(10)
        return caller

    def documents(self) -> list[dict[str, Any]]:
        """Every call as `call show` has it."""
        with reading(self.store.engine) as session:
            return [call_document(call) for call in session.query(Call).order_by(Call.started_at)]

    def listed(self) -> list[dict[str, Any]]:
        """Every call as `call list` has it now."""
        now, language = self.centre.world.app.env.clock.now(), self.centre.world.app.env.settings.site.language
        with reading(self.store.engine) as session:
            return listed_documents(session, session.query(Call).order_by(Call.started_at).all(), now, language)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the database holds."""
        with reading(self.store.engine) as session:
            return [tuple(row) for row in session.connection().exec_driver_sql(sql)]


@asynccontextmanager
async def callback_world(
    engine: Engine, fake: FakeAri | None = None, transport: FakeTransport | None = None
) -> AsyncIterator[CallbackWorld]:
    """A contact centre with no queue yet; ``recovered`` begins its callbacks."""
    async with queue_world(fake=fake, transport=transport, trunk=TRUNK) as centre:
        env, reception = centre.world.app.env, centre.desk.reception
        store, meters = DirectStore(engine), Meters()
        desk = CallbackDesk(
            CallbackParts(env, reception.board, reception.lines, reception.prompts, store, centre, meters)
        )

        def post(fact: Fact) -> None:
            centre.facts.append(fact)
            store.post(fact)

        told = Listeners(post, centre, env.roster, meters)
        centre.world.app.inbound = InboundDesk(
            env, Reception(reception.board, reception.lines, reception.prompts, desk), told, store.read
        )
        run = asyncio.create_task(desk.run())
        try:
            yield CallbackWorld(centre, desk, store)
        finally:
            run.cancel()
            for call in list(desk.calls):
                for task in [t for t in asyncio.all_tasks() if t.get_name() == f"callback {call}"]:
                    task.cancel()
            await asyncio.wait([run])


async def recovered(world: CallbackWorld) -> None:
    """What the reconciler does with callers and callbacks after a connect."""
    app, fake = world.centre.world.app, world.fake
    snapshot = await app.env.ari.snapshot()

    def agent_of(info: Any) -> str:
        return info.app_args[2] if info.app_args[:1] == ("agent",) else ""

    with reading(world.store.engine) as session:
        found = open_inbound(session)
    adopt_callers(app, world.centre.desk, snapshot, found, agent_of)
    await world.callbacks.recover(snapshot, agent_of)
    for channel in list(fake.channels.values()):
        if channel.id.startswith("cw-") and channel.id not in app.env.ari.channels:
            fake.hang_up(channel.id)


def kinds(record: dict) -> list[tuple[str, str]]:
    """The timeline of a record, without its times."""
    return [(event["kind"], event["label"]) for event in record["timeline"]]


async def staffed(world: CallbackWorld, **options: str) -> None:
    """One queue with callbacks and one agent, who is busy."""
    world.centre.queue("sales", dids=DID, callback="on", **options)
    world.centre.agent("1001", TAKES, "sales")
    await recovered(world)


def lived(engine: Engine, scenario: Callable[[CallbackWorld], Awaitable[None]], **options: str) -> None:
    """Run a scenario with a queue that offers callbacks and one agent."""

    async def life() -> None:
        async with callback_world(engine) as world:
            await staffed(world, **options)
            await scenario(world)

    run_virtual(life())


def states(world: CallbackWorld) -> list[tuple]:
    """Every callback: its state, its attempts and its dials."""
    return world.rows("SELECT state, attempt, dials FROM callback ORDER BY ordered_at")


@contextmanager
def busy(world: CallbackWorld, ext: str = "1001") -> Iterator[None]:
    """The agent talks to somebody else while the block lasts."""
    with closing(world.centre.world.roster.reserve("", "another", ext)):
        yield


def cancel(world: CallbackWorld, callback_id: str) -> None:
    """What a supervisor does."""
    with writing(world.store.engine) as session:
        cancel_callback(session, By("test", world.centre.world.app.env.clock.now()), callback_id, "en")
    world.callbacks.cancelled(callback_id)
