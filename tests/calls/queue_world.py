"""Callers in queues on the virtual clock: the real app, board and roster, Asterisk and agents in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from ari_app.app import App
from ari_app.bridge import BridgePool
from ari_app.client import AriClient
from ari_app.inbound_desk import InboundDesk
from ari_app.inbound_told import Listeners
from ari_app.leg_ids import LegIds
from ari_app.own_desk import OwnDesk
from ari_app.own_parts import OwnParts
from ari_app.queue_prompts import QueuePrompts
from ari_app.reception import Reception
from ari_app.services import Services
from ari_app.speech import Speech
from ari_app.transfer import Targets
from contact_center.http.metrics import Meters
from contact_center.models import Agent, DncEntry, Queue
from contact_center.options import QueueOptions
from contact_center.queues.board import QueueBoard
from contact_center.roster import Roster
from contact_center.settings import Settings
from contact_center.store.facts import CallFinished, Fact
from contact_center.store.tables import table_of
from tests.calls.world import Heard, World
from tests.lab.until import until
from tests.support.fake_ari import FakeAri, FakeTransport, FarEnd
from tests.support.fake_world import FakeChannel
from tests.support.virtual_clock import VirtualClock, virtual_now

DID = "442079460000"
LogLine = tuple[str, str, str, str, tuple[object, ...]]


@dataclass
class QueueWorld:
    """What a test holds in its hands; ``facts`` and ``lines`` are what store and queue_log were told."""

    world: World
    facts: list[Fact] = field(default_factory=list)
    lines: list[LogLine] = field(default_factory=list)
    callers: count[int] = field(default_factory=lambda: count(1))
    listed: set[str] = field(default_factory=set)

    async def read(self, fn: Any, within: float = 2.0) -> Any:
        """A store that holds nothing but a do-not-call list."""
        engine = create_engine("sqlite://", poolclass=StaticPool)
        table_of(DncEntry).create(engine)
        with Session(engine) as session:
            session.add_all(
                DncEntry(number=number, campaign_id=0, reason="", at=virtual_now()) for number in self.listed
            )
            session.flush()
            return fn(session)

    def dial(self, ext: str, text: str, channel_id: str = "") -> FakeChannel:
        """An agent dials on his phone."""
        return self.world.fake.inbound(
            ["manual", ext, text], channel_id=channel_id or f"phone{next(self.callers)}", number=ext,
            endpoint=f"Phone/{ext}", state="Ring",
        )  # fmt: skip

    async def own(self, number: str) -> dict[str, Any]:
        """The one record of an own call that is over."""

        def found() -> list[CallFinished]:
            over = [fact for fact in self.facts if isinstance(fact, CallFinished)]
            return [fact for fact in over if fact.record["caller_number"] == number]

        await until(lambda: any(found()), 600.0, f"the record of {number}")
        [fact] = found()
        return fact.record

    def write(self, queue: str, uniqueid: str, interface: str, event: str, *data: object) -> None:
        """A queue_log."""
        self.lines.append((queue, uniqueid, interface, event, data))

    @property
    def desk(self) -> InboundDesk:
        """Where callers come in."""
        assert self.world.app.inbound is not None
        return self.world.app.inbound

    @property
    def board(self) -> QueueBoard:
        """Who waits."""
        return self.desk.reception.board

    def queue(self, name: str, **options: Any) -> None:
        """Add or set a queue."""
        self.board.change(Queue(name=name, options=QueueOptions().changed(**options).model_dump(mode="json")))

    def agent(self, ext: str, phone: FarEnd, *queues: str, **more: Any) -> None:
        """An agent who is on line."""
        roster, now = self.world.roster, self.world.app.env.clock.now()
        self.world.fake.far(f"PJSIP/{ext}", phone)
        roster.load(
            [
                Agent(
                    ext=ext,
                    name=f"Agent {ext}",
                    endpoint=f"PJSIP/{ext}",
                    status="online",
                    since_at=now,
                    queues=list(queues),
                    **more,
                )
            ],
            now,
        )

    def call(self, did: str = DID, *, number: str = "") -> FakeChannel:
        """Somebody calls in."""
        n = next(self.callers)
        number = number or f"+44740000{n:04d}"
        return self.world.fake.inbound(
            ["inbound", did, "PJSIP/carrier"], channel_id=f"in{n}", number=number, state="Ring"
        )

    async def record(self, caller: FakeChannel) -> dict[str, Any]:
        """The one record of a caller whose call is over."""
        await until(lambda: any(self._of(caller)), 600.0, f"the record of {caller.id}")
        [fact] = self._of(caller)
        return fact.record

    def _of(self, caller: FakeChannel) -> list[CallFinished]:
        finished = [fact for fact in self.facts if isinstance(fact, CallFinished)]
        return [fact for fact in finished if fact.record["caller_number"] == caller.caller_number]

    def events(self, caller: FakeChannel) -> list[str]:
        """The queue_log events of a caller."""
        return [event for _, uniqueid, _, event, _ in self.lines if uniqueid == caller.id]

    async def settled(self) -> None:
        """Every caller's call is over, and Asterisk has had time for the last commands."""
        own = self.world.app.own
        await until(lambda: not self.desk.calls and not (own and own.calls), 600.0, "every caller's call to be over")
        await self.world.settled()


@asynccontextmanager
async def queue_world(
    sounds: Path = Path("/nonexistent"),
    fake: FakeAri | None = None,
    transport: FakeTransport | None = None,
    **settings: Any,
) -> AsyncIterator[QueueWorld]:
    """A contact centre with no queue and no agent yet; its process ends with the block."""
    fake = fake or FakeAri()
    clock = VirtualClock()
    roster = Roster(clock, lambda _: None)
    ari = AriClient(transport=transport or fake.transport(), now=virtual_now)
    env = Services(ari, BridgePool(ari, size=2), roster, Settings.model_validate(settings), clock, legs=LegIds("test"))
    disposed: list[tuple[str, str, str]] = []

    async def dispose(call_id: str, code: str, by: str) -> None:
        disposed.append((call_id, code, by))

    env.progress, env.dispose = Heard(), dispose
    async with ari, env.bridges, App(env) as app:
        made = QueueWorld(World(fake, app, roster, env.progress, disposed))
        speech = Speech("", sounds, ari.spawn)
        reception = Reception(QueueBoard(roster, clock, env.settings.site), app.lines, QueuePrompts(speech))
        app.inbound = InboundDesk(env, reception, Listeners(made.facts.append, made, roster, Meters()), _no_store)
        env.post = made.facts.append
        app.own = OwnDesk(OwnParts(env, app.lines, reception.board, made.facts.append, Meters()), made.read)
        env.targets = Targets(env, app.lines, reception.board, app.own.allowed)
        arrivals = asyncio.create_task(app.serve_arrivals())
        await ari.until_live()
        try:
            yield made
        finally:
            arrivals.cancel()
            for task in [t for t in asyncio.all_tasks() if t.get_name().startswith(("arrival", "caller"))]:
                task.cancel()
            await asyncio.wait([arrivals])


async def _no_store(fn: Any, within: float = 2.0) -> Any:
    raise AssertionError("no call waits for the store")
