"""A process that is killed at the end of a scene, and the one after it, on the virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

from sqlalchemy import Engine

from ari_app.reconcile import Reconciler
from ari_app.tapes import Tapes
from contact_center.dialling import DialOrder
from contact_center.settings import Asterisk
from contact_center.store.engine import writing
from contact_center.store.writer import Writer
from tests.calls.callback_world import DirectStore
from tests.calls.queue_world import DID, QueueWorld, queue_world
from tests.calls.test_inbound_adopt import MortalTransport
from tests.support.fake_ari import FakeAri, FarEnd
from tests.support.fake_world import FakeChannel

SETTINGS = {"trunk": {"main": {"host": "192.0.2.1"}}, "site": {"number_check": "digits"}}
FAR = "PJSIP/callwright-trunk-main/*"
TAKES = FarEnd(rings_after=0.05, answers_after=0.3)
Pair = tuple[FakeChannel, FakeChannel]
Scene = Callable[[QueueWorld], Awaitable[Pair]]


def staff(centre: QueueWorld) -> None:
    """Three agents, the first of them in the queue ``sales``, whose talks are recorded."""
    centre.queue("sales", dids=DID, record="on")
    centre.agent("1001", TAKES, "sales")
    for ext in ("1002", "1003"):
        centre.agent(ext, TAKES)
    centre.world.fake.far(FAR, TAKES)
    env = centre.world.app.env
    env.tapes = Tapes(env.ari, Asterisk(), env.clock, centre.facts.append, lambda *_: ())


async def killed(engine: Engine, scene: Scene) -> tuple[FakeAri, Pair]:
    """A process that was killed at the end of a scene, its facts stored; the two who hear each other."""
    fake = FakeAri()
    transport = MortalTransport(fake, "callwright")
    async with queue_world(fake=fake, transport=transport, **SETTINGS) as centre:
        staff(centre)
        pair = await scene(centre)
        assert fake.together(pair[0].id, pair[1].id)
        transport.dead = True
        fake.drop_sockets("killed")
        facts = list(centre.facts)
        for task in asyncio.all_tasks():
            if task.get_name().startswith(("own ", "arrival ", "line ", "cw-")):
                task.cancel()
    for fact in facts:
        with writing(engine) as session:
            fact.apply(session)
    return fake, pair


@asynccontextmanager
async def next_process(
    fake: FakeAri, engine: Engine, rebuilt: Callable[[], DialOrder | None] = lambda: None
) -> AsyncIterator[QueueWorld]:
    """It has taken over what is there; ``rebuilt`` makes the order of a dialled call."""

    async def prepared() -> None:
        """Nothing is to be put right."""

    async with queue_world(fake=fake, **SETTINGS) as centre:
        staff(centre)
        reconcile = Reconciler(
            app=centre.world.app,
            writer=cast(Writer, DirectStore(engine)),
            rebuild=lambda _: rebuilt(),
            adopted=lambda *_: None,
            prepare=prepared,
        )
        await reconcile()
        await asyncio.sleep(2)
        yield centre
