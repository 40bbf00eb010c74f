"""What a next process makes of callers whom the one before left in Asterisk, on the virtual clock and a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ari_app.errors import AriDown
from ari_app.inbound_adopt import adopt_callers
from contact_center.store.engine import open_engine, reading, writing
from contact_center.store.queries_queues import open_inbound
from contact_center.terms import AgentState
from tests.calls.queue_world import DID, QueueWorld, queue_world
from tests.support.databases import fresh_sqlite
from tests.support.fake_ari import FakeAri, FakeTransport, FarEnd
from tests.support.virtual_clock import run_virtual

TAKES = FarEnd(rings_after=0.05, answers_after=0.3)


class MortalTransport(FakeTransport):
    """A process that was killed sends nothing any more, whatever its tasks would like to tidy up."""

    dead = False

    async def request(self, *words, **more):
        if self.dead:
            raise AriDown("this process is dead")
        return await super().request(*words, **more)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_engine(fresh_sqlite(tmp_path / "calls.db"))


@asynccontextmanager
async def killed_after(
    seconds: float, engine: Engine, *callers: float, staff: Callable[[QueueWorld], None] | None = None
) -> AsyncIterator[tuple[FakeAri, list]]:
    """A process with one agent; callers come at these instants; then it is killed, its facts stored."""
    fake = FakeAri()
    transport = MortalTransport(fake, "callwright")
    async with queue_world(fake=fake, transport=transport) as centre:
        (staff or _staff)(centre)
        came = []
        for at in callers:
            await asyncio.sleep(at - asyncio.get_running_loop().time())
            came.append(centre.call())
        await asyncio.sleep(seconds - asyncio.get_running_loop().time())
        transport.dead = True
        fake.drop_sockets("killed")
        facts = list(centre.facts)
    for fact in facts:
        with writing(engine) as session:
            fact.apply(session)
    yield fake, came


def _staff(centre: QueueWorld) -> None:
    centre.queue("sales", dids=DID)
    centre.agent("1001", TAKES, "sales")


@asynccontextmanager
async def next_process(
    fake: FakeAri, engine: Engine, staff: Callable[[QueueWorld], None] | None = None
) -> AsyncIterator[QueueWorld]:
    fake.dialplan["callwright-goodbye", "s"] = lambda channel: fake.hang_up(channel.id)
    async with queue_world(fake=fake) as centre:
        (staff or _staff)(centre)
        with reading(engine) as session:
            found = open_inbound(session)
        app = centre.world.app
        snapshot = await app.env.ari.snapshot()
        adopt_callers(app, centre.desk, snapshot, found, lambda info: info.app_args[2] if info.app_args else "")
        for channel in list(fake.channels.values()):
            ours = channel.id.startswith("cw-") and channel.id not in app.env.ari.channels
            if ours:
                fake.hang_up(channel.id)
        yield centre


def test_a_talk_goes_on_and_ends_in_one_record_and_the_agent_takes_the_oldest_caller_next(engine: Engine):
    async def life() -> None:
        async with (
            killed_after(5.0, engine, 1.0, 2.0, 3.0) as (fake, (talks, first, second)),
            next_process(fake, engine) as centre,
        ):
            await asyncio.sleep(2)
            assert centre.world.roster.get("1001").state is AgentState.TALKING
            assert [entry.entered_at for entry in centre.board.waiting()] == sorted(
                entry.entered_at for entry in centre.board.waiting()
            )
            assert first.moh
            assert second.moh
            fake.hang_up(talks.id)
            record = await centre.record(talks)
            assert (record["call_state"], record["agents"]) == ("NORMAL_CLEARING_A", ["Agent 1001"])
            assert record["talk_seconds"] > 5.0
            assert record["ring_seconds"] == pytest.approx(0.3, abs=0.05)
            await asyncio.sleep(1)
            assert fake.together(first.id, fake.dialled("PJSIP/1001")[-1].id)
            fake.hang_up(first.id)
            waited = (await centre.record(first))["wait_seconds"]
            assert waited > 4.5
            await asyncio.sleep(1)
            assert fake.together(second.id, fake.dialled("PJSIP/1001")[-1].id)
            fake.hang_up(second.id)
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())


def test_a_queue_that_he_has_left_before_stays_in_the_record_of_who_waits_in_the_next_one(engine: Engine):
    def two_queues(centre: QueueWorld) -> None:
        centre.queue("sales", dids=DID, max_wait="2", overflow="queue:help")
        centre.queue("help")

    async def life() -> None:
        async with (
            killed_after(5.0, engine, 1.0, staff=two_queues) as (fake, (caller,)),
            next_process(fake, engine, two_queues) as centre,
        ):
            centre.agent("1001", TAKES, "help")
            await asyncio.sleep(3)
            fake.hang_up(caller.id)
            record = await centre.record(caller)
            assert [(part["kind"], part["label"]) for part in record["timeline"]] == [
                ("queue", "sales"), ("queue", "help"), ("conversation", "conversation"),
            ]  # fmt: skip
            assert record["timeline"][0]["seconds"] == pytest.approx(2.0, abs=0.1)
            assert record["wait_seconds"] == pytest.approx(sum(part["seconds"] for part in record["timeline"][:2]))
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())


def test_who_left_unseen_is_closed_with_what_is_proven(engine: Engine):
    async def life() -> None:
        async with killed_after(5.0, engine, 1.0, 2.0) as (fake, (talks, waits)):
            fake.hang_up(waits.id)
            fake.hang_up(fake.dialled("PJSIP/1001")[-1].id)
            async with next_process(fake, engine) as centre:
                lost = await centre.record(waits)
                assert (lost["disposition"], lost["call_state"]) == ("abandoned", "SWITCH_LOST")
                cut = await centre.record(talks)
                assert (cut["disposition"], cut["agents"]) == ("answered", ["Agent 1001"])
                await centre.settled()
                centre.world.assert_nothing_left()

    run_virtual(life())


@pytest.mark.parametrize("ms", range(0, 800, 40))
def test_a_kill_at_any_instant_loses_no_caller(engine: Engine, ms: int):
    async def life() -> None:
        async with (
            killed_after(1.0 + ms / 1000, engine, 1.0) as (fake, (caller,)),
            next_process(fake, engine) as centre,
        ):
            await asyncio.sleep(8)
            assert fake.together(caller.id, fake.dialled("PJSIP/1001")[-1].id)
            fake.hang_up(caller.id)
            assert (await centre.record(caller))["disposition"] == "answered"
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())


def test_the_greeting_that_he_heard_before_a_crash_stays_in_his_record(engine: Engine):
    def greets(centre: QueueWorld) -> None:
        centre.queue("sales", dids=DID, greeting="custom/hi")
        centre.world.fake.sound_seconds["sound:custom/hi"] = 1.5

    async def life() -> None:
        async with (
            killed_after(5.0, engine, 1.0, staff=greets) as (fake, (caller,)),
            next_process(fake, engine, greets) as centre,
        ):
            await asyncio.sleep(1)
            fake.hang_up(caller.id)
            record = await centre.record(caller)
            assert [(part["kind"], part["label"]) for part in record["timeline"]] == [
                ("menu", "greeting"), ("queue", "sales"),
            ]  # fmt: skip
            assert record["timeline"][0]["seconds"] == pytest.approx(1.5, abs=0.1)
            await centre.settled()
            centre.world.assert_nothing_left()

    run_virtual(life())
