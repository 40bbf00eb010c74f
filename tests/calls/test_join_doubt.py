"""Joins of which nobody knows what came: whoever is not served is heard by no agent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from contact_center.terms import AgentState, Outcome
from tests.calls.queue_world import DID, queue_world
from tests.calls.world import PHONE, World, make_order, world
from tests.lab.until import until
from tests.support.fake_ari import FarEnd
from tests.support.virtual_clock import on_virtual_clock

CUSTOMER = "PJSIP/customer-*@trunk"
WORDS = "sound:custom/who-called"
LAW = {"message": "custom/who-called", "message_required": True}
STAYS = FarEnd(rings_after=0.1, answers_after=1.0)
LINE = "line1001"
Matches = Callable[[str, str], bool]


def joins(_: str, path: str) -> bool:
    """Whether a command lets somebody into a bridge."""
    return path.endswith("/addChannel")


def once(matches: Matches) -> Matches:
    """The first such command only."""
    found: list[str] = []

    def first(method: str, path: str) -> bool:
        if found or not matches(method, path):
            return False
        found.append(path)
        return True

    return first


async def on_line(centre: World) -> None:
    """1001 is connected for good."""
    centre.fake.inbound(["persistent", "1001"], channel_id=LINE, number="1001", endpoint="Phone/1001")
    await until(lambda: is_idle(centre), 10.0, "the agent's line")
    await asyncio.sleep(5)


@asynccontextmanager
async def line_world() -> AsyncIterator[World]:
    """1001 is connected for good, and customers answer and stay."""
    async with world(PHONE) as centre:
        centre.fake.far(CUSTOMER, STAYS)
        centre.fake.sound_seconds[WORDS] = 8.0
        centre.app.env.words = lambda text: (f"sound:{text}",)
        arrivals = asyncio.create_task(centre.app.serve_arrivals())
        try:
            await on_line(centre)
            yield centre
        finally:
            centre.fake.hang_up(LINE)
            arrivals.cancel()


def is_idle(centre: World) -> bool:
    """Whether the line is up and its agent free."""
    seat = centre.roster.get("1001")
    return seat is not None and bool(seat.line) and seat.state is AgentState.IDLE


def by_words(centre: World) -> bool:
    """Whether the customer hears who called."""
    return any(what == WORDS for channel in centre.fake.dialled(CUSTOMER) for _, what in channel.heard)


@on_virtual_clock
async def test_a_join_that_is_under_way_at_the_laws_deadline_is_seen_to_its_end():
    async with line_world() as centre:
        busy = centre.roster.reserve("", "other")
        centre.fake.slow = lambda method, path: 0.3 if joins(method, path) else 0.0
        centre.app.place(make_order(**LAW))
        await asyncio.sleep(1.0 + 1.7)
        busy.close()
        await asyncio.sleep(1)
        assert centre.fake.together("cw-1", LINE)
        assert centre.roster.get("1001").state is AgentState.TALKING
        assert not by_words(centre)
        centre.fake.hang_up("cw-1")
        assert (await centre.ended("call-1")).outcome is Outcome.CONNECTED


@on_virtual_clock
async def test_a_customer_whose_join_nobody_confirms_hears_who_called_and_no_agent():
    async with line_world() as centre:
        centre.fake.lose_reply = once(joins)
        centre.app.place(make_order(**LAW))
        await until(lambda: by_words(centre), 20.0, "the words")
        assert centre.fake.channels["cw-1"].bridge is None
        assert (await centre.ended("call-1")).outcome is Outcome.NO_FREE_OPERATORS
        centre.fake.far(CUSTOMER, FarEnd(rings_after=0.1, answers_after=1.0, hangs_up_after=5.0))
        centre.app.place(make_order(2, **LAW))
        assert (await centre.ended("call-2")).outcome is Outcome.CONNECTED


@on_virtual_clock
async def test_a_line_lets_out_who_may_still_be_in_it_before_its_next_customer_comes():
    async with line_world() as centre:
        line, ari = centre.app.lines.get("1001"), centre.app.env.ari
        first, second = ari.channel("cw-first"), ari.channel("cw-second")
        for channel in (first, second):
            await channel.originate("PJSIP/customer-1@trunk", ring_seconds=5.0)
            await channel.entered
        centre.fake.lose_reply = lambda _, path: path.endswith(("/addChannel", "/removeChannel"))
        centre.fake.slow = lambda _, path: 60.0 if path.endswith("/removeChannel") else 0.0
        with pytest.raises(Exception, match="not known what came of it"):
            await line.join(first)
        assert centre.fake.together("cw-first", LINE)
        centre.fake.lose_reply, centre.fake.slow = (lambda *_: False), (lambda *_: 0.0)
        await line.join(second)
        assert centre.fake.together("cw-second", LINE)
        assert not centre.fake.together("cw-first", LINE)
        for channel in (first, second):
            await channel.hang_up()


@on_virtual_clock
async def test_a_customer_whose_early_seat_nobody_confirms_is_joined_when_the_agent_is_there():
    async with world(FarEnd(rings_after=0.05, answers_after=4.5)) as centre:
        centre.fake.far(CUSTOMER, FarEnd(rings_after=0.1, answers_after=1.0, hangs_up_after=20.0))
        centre.fake.slow = lambda method, path: 60.0 if joins(method, path) else 0.0
        centre.app.place(make_order())
        await asyncio.sleep(2)
        centre.fake.slow = lambda *_: 0.0
        await asyncio.sleep(5)
        assert centre.fake.together("cw-1", "cw-1-test-a1")
        assert (await centre.ended("call-1")).outcome is Outcome.CONNECTED


@on_virtual_clock
async def test_a_caller_whose_join_nobody_confirms_waits_on_alone_and_is_served():
    async with queue_world() as centre:
        fake, roster = centre.world.fake, centre.world.roster
        centre.queue("sales", dids=DID)
        centre.agent("1001", PHONE, "sales", connect="persistent")
        await on_line(centre.world)
        busy = roster.reserve("", "other")
        caller = centre.call()
        await until(lambda: caller.moh, 10.0, "music")
        fake.lose_reply = once(joins)
        busy.close()
        for _ in range(60):
            await asyncio.sleep(0.1)
            is_free = roster.get("1001").state is AgentState.IDLE
            assert not (is_free and fake.together(caller.id, LINE)), "a free agent hears a caller"
        await asyncio.sleep(10)
        assert fake.together(caller.id, LINE)
        assert roster.get("1001").state is AgentState.TALKING
        fake.hang_up(caller.id)
        assert (await centre.record(caller))["call_state"] == "NORMAL_CLEARING_A"
